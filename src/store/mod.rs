//! What is kept on disk: the outbox, which must never be lost, and reachability, which may be.
//!
//! Both lie in one folder that one process at a time may use; a reserve of free disk lies with them, so that what was
//! accepted can still be settled when the disk is full. Nothing here decides anything: the core does.
//!
//! Invariant: no error of a disk panics, and every error that a person can meet says where, what, and what to do.

pub mod chain;
pub mod codec;
pub mod folder;
pub mod outbox;
pub mod reachability;
pub mod restore;
pub mod sealed;
pub mod space;

use crate::core::time::Timestamp;
use folder::Folder;
use outbox::redb::RedbOutbox;
use reachability::Opened;
use reachability::sled::SledReachability;
use space::Space;
use std::io;
use std::path::{Path, PathBuf};

/// Everything that is kept, open.
pub struct Stores {
    /// What must never be lost.
    pub outbox: RedbOutbox,
    /// What has been seen of gateways, and what was kept of it.
    pub reachability: Opened<SledReachability>,
    /// The room on their disk, and the reserve.
    pub space: Space,
    /// Their folder; locked until dropped, so it comes last.
    pub folder: Folder,
}

impl Stores {
    /// Opens the stores at `path`, or makes them. Where the disk is so full that the outbox cannot be opened, the
    /// reserve is given up for it. `now` names what must be moved aside.
    pub fn open(path: &Path, reserve_bytes: u64, now: Timestamp) -> Result<Stores, OpenError> {
        let unavailable =
            |error: io::Error| OpenError::Unavailable { path: path.to_owned(), why: error.to_string() };
        let folder = Folder::open(path)?;
        let space = Space::open(path, reserve_bytes).map_err(unavailable)?;
        let outbox = match folder.open_outbox() {
            Err(OpenError::Full { .. }) if space.release().map_err(unavailable)? => folder.open_outbox(),
            opened => opened,
        }?;
        let reachability = SledReachability::open(&folder.reachability(), now).map_err(unavailable)?;
        Ok(Stores { outbox, reachability, space, folder })
    }
}

/// Why the stores could not be opened. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has them open.
    #[error(
        "{} is in use by another process{}; stop that one, or give this one a `store.path` of its own", path.display(),
        holder.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Locked {
        /// What is in use.
        path: PathBuf,
        /// The process that has it, where it left its number.
        holder: Option<u32>,
    },
    /// A later program wrote them.
    #[error(
        "{} was written by a newer program: {what} has version {found}, this program knows up to {known}; nothing was \
         changed; start the newer program again", path.display()
    )]
    Newer {
        /// What cannot be read.
        path: PathBuf,
        /// What is newer.
        what: &'static str,
        /// Its version.
        found: u32,
        /// The highest version that this program knows.
        known: u32,
    },
    /// What is there makes no sense.
    #[error(
        "{} is damaged: {what}; restore a backup in its place, or move it aside to start empty (what was unsettled in \
         it is then not sent)", path.display()
    )]
    Corrupt {
        /// What is damaged.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// A restore into it did not come to its end.
    #[error(
        "{} has half of a backup in it: its restore did not come to its end; restore it again, which begins anew",
        path.display()
    )]
    HalfRestored {
        /// The folder.
        path: PathBuf,
    },
    /// There is no room to open them.
    #[error("{} cannot be opened: the disk is full; free some space and start again", path.display())]
    Full {
        /// What cannot be opened.
        path: PathBuf,
    },
    /// The disk does not do what it is asked.
    #[error("{} cannot be opened: {why}", path.display())]
    Unavailable {
        /// What cannot be opened.
        path: PathBuf,
        /// Why.
        why: String,
    },
}
