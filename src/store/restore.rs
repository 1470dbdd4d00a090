//! A backup becomes a store again, and one from which nothing leaves before a person says so.
//!
//! The folder is marked as half restored before the first row is written, and a service refuses a folder with that mark; so
//! what is used was read to its end. What was open when the backup was made may have gone out since, by the store that is
//! lost: each such message is marked ([`Progress::restored`](crate::core::record::Progress::restored)), its deliveries go
//! out as possible copies, and one that ends untold has failed rather than expired. And everything is held.
//!
//! Invariant: a folder that holds anything is refused, and one whose restore failed is as empty as before.
//!
//! Limits: memory for what is open, as at any start, and for one batch of rows.

use super::OpenError;
use super::chain::verify::{self, Broken};
use super::chain::{self, Chain};
use super::folder::Folder;
use super::outbox::frames::{self, MoveError};
use super::outbox::{Batch, CommitError, Outbox, Put, ReadError};
use crate::core::audit::Audit;
use crate::core::message::SERVICE;
use crate::core::record::{Overlay, OverlayKind, Progress, Record};
use crate::core::time::Timestamp;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How many messages are marked with one commit.
const MARKS_AT_ONCE: usize = 1_000;

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// How many rows.
    pub rows: u64,
    /// How many messages are unsettled.
    pub open_messages: u64,
    /// How many deliveries of theirs are.
    pub open_deliveries: u64,
    /// Where the record of who did what breaks, if it does: as in the store that the backup was made of.
    pub broken: Option<Broken>,
}

/// Why a backup was not restored. The folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is something in the folder.
    #[error(
        "{} is not empty: it has `{found}` in it; give a folder that is empty or not there yet, or move what is in it aside",
        path.display()
    )]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// The backup is not as it was made, or the key is another.
    #[error("the backup cannot be used: {0}; nothing was restored")]
    Backup(io::Error),
    /// A row of it cannot be read.
    #[error("{0}; nothing was restored")]
    Rows(MoveError),
    /// The folder cannot be written.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// What was written cannot be read back.
    #[error("{0}; nothing was restored")]
    Read(#[from] ReadError),
    /// The new store cannot be written.
    #[error("{0}; nothing was restored")]
    Write(#[from] CommitError),
}

/// Makes a store at `path` of what `input` gives: an outbox in its neutral form, as one moment, `made`, saw it.
pub fn restore(
    path: &Path,
    input: &mut dyn Read,
    made: Timestamp,
    now: Timestamp,
) -> Result<Restored, RestoreError> {
    let folder = Folder::open(path)?;
    let looked = folder.occupied().map_err(|error| unavailable(path, &error))?;
    if let Some(found) = looked {
        return Err(RestoreError::Occupied { path: path.to_owned(), found });
    }
    let restored = fill(&folder, input, made, now);
    match restored {
        Ok(restored) => {
            folder.end_restore()?;
            Ok(restored)
        }
        Err(error) => {
            // Where that fails as well, the mark stays, and no service opens the folder.
            let _ = folder.abandon_restore();
            Err(error)
        }
    }
}

fn fill(
    folder: &Folder,
    input: &mut dyn Read,
    made: Timestamp,
    now: Timestamp,
) -> Result<Restored, RestoreError> {
    let mut outbox = folder.begin_restore()?;
    let rows = frames::import(&mut outbox, input)?;
    // The end frame says how many rows there are; the seal says that nothing follows.
    if input.read(&mut [0]).map_err(RestoreError::Backup)? > 0 {
        return Err(RestoreError::Rows(MoveError::Damaged { rows, expected: "nothing after its end" }));
    }
    let broken = verify::of_store(&*outbox.reader())?.err();
    let (open_messages, open_deliveries) = hold(&mut outbox, made, now)?;
    Ok(Restored { rows, open_messages, open_deliveries, broken })
}

/// Marks what is open and holds everything, on record. Returns how many messages and deliveries are open.
fn hold(outbox: &mut dyn Outbox, made: Timestamp, now: Timestamp) -> Result<(u64, u64), RestoreError> {
    let loaded = outbox.load()?;
    let at = now.max(loaded.clock);
    let marked: Batch = loaded.messages.iter().map(|open| mark(&open.progress)).collect();
    for marks in marked.chunks(MARKS_AT_ONCE) {
        outbox.commit(marks)?;
    }
    let before = loaded.overlays.iter().find_map(|(gateway, overlay)| gateway.is_none().then_some(overlay));
    let reason = reason(made, before);
    let mut chain = Chain::open(&*outbox.reader())?;
    let mut act = |act: &str, on: &str, reason: &str| {
        let (who, act) = (SERVICE.to_owned(), act.to_owned());
        Put::Link(chain.link(Audit { at, who, act, on: on.into(), reason: reason.into() }))
    };
    let restored = act("restore", "store", &format!("a backup of {}", chain::time(made)));
    let held = act("hold", "all", &reason);
    let overlay = Overlay { kind: OverlayKind::Held, who: SERVICE.into(), reason, since: at };
    let over_all = Record::Overlay { gateway: None, overlay: Some(overlay) };
    outbox.commit(&[Put::Record(over_all), restored, held])?;
    let deliveries = loaded.messages.iter().map(|open| {
        let settled = open.deliveries.iter().filter(|delivery| delivery.result.is_some()).count();
        u64::from(open.message.recipients).saturating_sub(settled as u64)
    });
    Ok((loaded.messages.len() as u64, deliveries.sum()))
}

fn mark(progress: &Progress) -> Put {
    Put::Record(Record::Progress(Progress { restored: true, ..progress.clone() }))
}

/// Says why everything is held, to readers of either language.
fn reason(made: Timestamp, before: Option<&Overlay>) -> String {
    let made = chain::time(made);
    let mut reason = format!(
        "restored from a backup of {made}: what was unsettled then may have gone out since; look at it before you release \
         · استُعيد من نسخة احتياطية بتاريخ \u{2068}{made}\u{2069}: قد يكون ما لم يُحسم حينها قد أُرسل بعدها؛ راجعه قبل رفع الإيقاف"
    );
    if let Some(overlay) = before {
        reason.push_str(&format!(" · {}: {}", overlay.who, overlay.reason));
    }
    reason
}

fn unavailable(path: &Path, error: &io::Error) -> OpenError {
    OpenError::Unavailable { path: path.to_owned(), why: error.to_string() }
}

impl From<MoveError> for RestoreError {
    fn from(error: MoveError) -> Self {
        match error {
            MoveError::File(error) => RestoreError::Backup(error),
            MoveError::Commit(error) => RestoreError::Write(error),
            MoveError::Read(error) => RestoreError::Read(error),
            other => RestoreError::Rows(other),
        }
    }
}
