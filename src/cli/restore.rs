//! `wasl restore`: a store is made of a backup, while no service uses it.
//!
//! Invariant: the store is held: a service that starts on it sends nothing before somebody releases it.

use super::backup::{now, read_key};
use super::table;
use super::{Done, Failure};
use crate::core::time::Timestamp;
use crate::store::OpenError;
use crate::store::chain;
use crate::store::outbox::frames;
use crate::store::restore::{RestoreError, Restored, restore};
use crate::store::sealed::Opener;
use serde_json::json;
use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What reads gather for one call of the system.
const BUFFER_BYTES: usize = 256 << 10;

/// What may be given.
#[derive(clap::Args, Debug)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["store", "dry_run"])))]
pub(super) struct Args {
    /// The file that `wasl backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file with the key that sealed it
    #[arg(long, value_name = "PATH")]
    key_file: PathBuf,
    /// The store's folder, as `path` in [store] of wasl.toml names it: empty, or not there yet
    #[arg(long, value_name = "FOLDER")]
    store: Option<PathBuf>,
    /// Look whether the backup is whole and opens with this key; write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Restores, or looks whether that could be done.
pub(super) fn run(args: &Args) -> Done {
    let key = read_key(&args.key_file)?;
    let of_file = |why: String| Failure::No(format!("{}: {why}; nothing was restored", args.file.display()));
    let file = File::open(&args.file)
        .map_err(|error| Failure::Unreachable(format!("{}: {error}", args.file.display())))?;
    let mut opener = Opener::begin(BufReader::with_capacity(BUFFER_BYTES, file), &key)
        .map_err(|error| of_file(error.to_string()))?;
    let made = opener.made();
    let Some(store) = &args.store else {
        let rows = frames::check(&mut opener).map_err(|error| match error {
            frames::MoveError::File(error) => of_file(error.to_string()),
            other => of_file(other.to_string()),
        })?;
        match args.json {
            true => table::json(&json!({"made": chain::time(made), "rows": rows})),
            false => table::print(&format!("whole: {rows} rows, made at {}\n", chain::time(made))),
        }
        return Ok(());
    };
    is_ours(store)?;
    let restored = restore(store, &mut opener, made, now()).map_err(|error| match error {
        RestoreError::Backup(error) => of_file(error.to_string()),
        RestoreError::Folder(error @ (OpenError::Full { .. } | OpenError::Unavailable { .. })) => {
            Failure::Unreachable(error.to_string())
        }
        other => Failure::No(other.to_string()),
    })?;
    match args.json {
        true => table::json(&json!({
            "made": chain::time(made), "rows": restored.rows, "held": true,
            "open": {"messages": restored.open_messages, "deliveries": restored.open_deliveries},
            "audit": restored.broken.as_ref().map_or("whole".to_owned(), ToString::to_string),
        })),
        false => table::print(&told(store, made, &restored)),
    }
    Ok(())
}

/// Refuses a folder of somebody else: what is made in it would be ours, and its service could not open it.
fn is_ours(store: &Path) -> Done {
    let Ok(meta) = fs::metadata(store) else { return Ok(()) };
    let me = rustix::process::geteuid().as_raw();
    match meta.uid() == me {
        true => Ok(()),
        false => Err(Failure::Usage(format!(
            "{} belongs to another user (number {}), whose service could not open what this one makes in it: run this as \
             that user, as by `sudo -u '#{}' wasl restore ..`",
            store.display(),
            meta.uid(),
            meta.uid()
        ))),
    }
}

fn told(store: &Path, made: Timestamp, restored: &Restored) -> String {
    let Restored { rows, open_messages, open_deliveries, broken } = restored;
    let mut told = format!(
        "{}: {rows} rows, as they were at {}\n\
         unsettled then: {open_deliveries} deliveries of {open_messages} messages, which may have gone out since\n",
        store.display(),
        chain::time(made)
    );
    if let Some(broken) = broken {
        told += &format!("warning: the record of who did what is not whole: {broken}\n");
    }
    told += "\
        everything is held; nothing leaves before you say so:\n\
        1. make sure that the service whose store was lost runs nowhere any more\n\
        2. `wasl run`, and look at what is unsettled: `wasl status`, and the page /deliveries\n\
        3. `wasl cancel` what must not go out any more\n\
        4. `wasl release --all --reason \"..\"`: what is left goes out, marked as a possible copy; what has expired does not\n";
    told
}
