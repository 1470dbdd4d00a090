//! The stores' folder: one process at a time, and nothing that vanished unnoticed.
//!
//! ```text
//! lock                the process that has it open
//! outbox.redb         what must never be lost
//! outbox.journal      the latest second of it: both files belong together
//! outbox.made         says that an outbox was made here
//! reachability/       what may be lost; beside it reachability.count and, after trouble, reachability.bad-*
//! reserve             room kept for settling
//! ```
//! Invariant: an outbox that was once made is never silently made again: where its file is missing or empty, opening
//! fails and says so.

use super::OpenError;
use super::outbox::redb::RedbOutbox;
use super::space;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The folder, locked for this process until dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where there is none, readable by its owner alone, and locks it.
    pub fn open(path: &Path) -> Result<Folder, OpenError> {
        let unavailable =
            |error: io::Error| OpenError::Unavailable { path: path.to_owned(), why: error.to_string() };
        make(path).map_err(unavailable)?;
        let lock_path = path.join("lock");
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(unavailable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&lock_path).ok().and_then(|pid| pid.trim().parse().ok());
                return Err(OpenError::Locked { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(unavailable(error)),
        }
        // Only for the message that a second process gets: on a full disk it may stay unsaid.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Folder { path: path.to_owned(), _lock: lock })
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns where reachability lies.
    pub fn reachability(&self) -> PathBuf {
        self.path.join("reachability")
    }

    /// Opens the outbox; makes it where there never was one.
    pub fn open_outbox(&self) -> Result<RedbOutbox, OpenError> {
        let (path, made) = (self.path.join("outbox.redb"), self.path.join("outbox.made"));
        let is_there = match fs::metadata(&path) {
            Ok(meta) => meta.len() > 0,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(OpenError::Unavailable { path, why: error.to_string() }),
        };
        if made.exists() && !is_there {
            let what = format!(
                "it was made and its file is gone or empty; to start with an empty outbox on purpose, remove {} too",
                made.display()
            );
            return Err(OpenError::Corrupt { path, what });
        }
        let outbox = RedbOutbox::open(&path)?;
        if !made.exists() {
            let marked = File::create(&made).and_then(|file| file.sync_all());
            marked.and_then(|()| space::sync_folder_of(&made)).map_err(|error| match error.kind() {
                io::ErrorKind::StorageFull => OpenError::Full { path: made.clone() },
                _ => OpenError::Unavailable { path: made.clone(), why: error.to_string() },
            })?;
        }
        Ok(outbox)
    }
}

fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    space::sync_folder_of(path)
}
