//! The stores' folder: one process at a time, and nothing that vanished unnoticed.
//!
//! ```text
//! lock                the process that has it open
//! outbox.redb         what must never be lost
//! outbox.journal      the latest second of it: both files belong together
//! outbox.made         says that an outbox was made here
//! reachability/       what may be lost; beside it reachability.count and, after trouble, reachability.bad-*
//! outbox.unswept      writing the outbox anew after an erasure takes too long for a start: `redb::sweep` has the rules
//! outbox.sweep        put there by hand: the next start may take as long as it needs for that
//! reserve             room kept for settling
//! restoring           half of a backup is in it: nobody but a restore opens it
//! ```
//! Invariant: an outbox that was once made is never silently made again: where its file is missing or empty, opening
//! fails and says so.

use super::OpenError;
use super::outbox::redb::{RedbOutbox, sweep};
use super::space;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

const LOCK: &str = "lock";
const OUTBOX: &str = "outbox.redb";
const JOURNAL: &str = "outbox.journal";
/// Every file of an outbox, and those that are under way to one.
const OUTBOX_FILES: [&str; 4] = [OUTBOX, JOURNAL, "outbox.redb.new", "outbox.journal.new"];
const MADE: &str = "outbox.made";
const RESTORING: &str = "restoring";
const RESERVE: &str = "reserve";

/// How often a lock that is taken is asked for again, and how long to wait in between: half a second in all. `wasl doctor`
/// looks within a microsecond whether a process has the folder, and must not keep a service from its start.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

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
        let lock_path = path.join(LOCK);
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(unavailable)?;
        match patiently(&lock, thread::park_timeout) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { path: path.to_owned(), holder: number(&lock_path) });
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
        if self.restoring().exists() {
            return Err(OpenError::HalfRestored { path: self.path.clone() });
        }
        let (path, made) = (self.path.join(OUTBOX), self.path.join(MADE));
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
            mark(&made)?;
        }
        Ok(outbox)
    }

    /// Returns the name of something in it that a restore would mix with; `None` where there is nothing.
    pub(super) fn occupied(&self) -> io::Result<Option<String>> {
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            // What a restore that did not come to its end left is its own.
            let left = self.restoring().exists() && OUTBOX_FILES.contains(&&*name);
            // The reserve is nothing but room: a service that was refused the folder may have put it there.
            if !left && ![LOCK, RESTORING, RESERVE, "lost+found"].contains(&&*name) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Begins a restore: until it ends nobody opens what is in the folder.
    pub(super) fn begin_restore(&self) -> Result<RedbOutbox, OpenError> {
        mark(&self.restoring())?;
        self.clear()?;
        RedbOutbox::open(&self.path.join(OUTBOX))
    }

    /// Ends a restore: from here on the folder is a store like any other. The outbox must have been dropped.
    pub(super) fn end_restore(&self) -> Result<(), OpenError> {
        mark(&self.path.join(MADE))?;
        let marker = self.restoring();
        let removed = fs::remove_file(&marker).and_then(|()| space::sync_folder_of(&marker));
        removed.map_err(|error| unwritten(&marker, &error))
    }

    /// Takes away what a restore wrote before it failed; the folder is then as it was.
    pub(super) fn abandon_restore(&self) -> Result<(), OpenError> {
        self.clear()?;
        let marker = self.restoring();
        let removed = fs::remove_file(&marker).and_then(|()| space::sync_folder_of(&marker));
        removed.map_err(|error| unwritten(&marker, &error))
    }

    fn clear(&self) -> Result<(), OpenError> {
        for path in OUTBOX_FILES.map(|name| self.path.join(name)) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unwritten(&path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn restoring(&self) -> PathBuf {
        self.path.join(RESTORING)
    }
}

/// Returns which process has a store open, as far as it left its number; `None` where none has. Nothing is changed.
pub fn holder(path: &Path) -> io::Result<Option<Option<u32>>> {
    let lock_path = path.join(LOCK);
    let lock = match File::open(&lock_path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(number(&lock_path))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Takes the lock; where it is taken, tries again for a moment: [`holder`] has it for an instant.
fn patiently(lock: &File, pause: impl Fn(Duration)) -> Result<(), TryLockError> {
    for _ in 0..LOCK_TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => pause(LOCK_PAUSE),
            taken => return taken,
        }
    }
    lock.try_lock()
}

/// Reads the number of the process that has the lock.
fn number(lock: &Path) -> Option<u32> {
    fs::read_to_string(lock).ok().and_then(|pid| pid.trim().parse().ok())
}

/// Says whether half of a backup is in a store's folder.
pub fn is_half_restored(path: &Path) -> bool {
    path.join(RESTORING).exists()
}

/// Returns when the outbox of a store was written last, by the time of its files.
pub fn written_at(path: &Path) -> Option<std::time::SystemTime> {
    [OUTBOX, JOURNAL].iter().filter_map(|name| fs::metadata(path.join(name)).ok()?.modified().ok()).max()
}

/// Says whether a store waits to be written anew after an erasure, for longer than a start may take; by the path of the file
/// that says so, and of the one that allows it.
pub fn unswept(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let outbox = path.join(OUTBOX);
    let late = outbox.with_extension(sweep::LATE);
    late.exists().then(|| (late, outbox.with_extension(sweep::ALLOWED)))
}

/// Makes an empty file that says something by being there, durably.
fn mark(path: &Path) -> Result<(), OpenError> {
    let marked = File::create(path).and_then(|file| file.sync_all());
    marked.and_then(|()| space::sync_folder_of(path)).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::StorageFull => OpenError::Full { path: path.to_owned() },
        _ => OpenError::Unavailable { path: path.to_owned(), why: error.to_string() },
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn who_only_looks_keeps_no_service_from_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let open = || File::options().write(true).create(true).truncate(false).open(folder.path().join(LOCK));
        let (looks, lock) = (RefCell::new(open().ok()), open().unwrap());
        looks.borrow().as_ref().unwrap().lock_shared().unwrap();
        assert!(patiently(&lock, |_| drop(looks.take())).is_ok(), "it has gone by the second look");
        assert!(
            matches!(patiently(&open().unwrap(), |_| {}), Err(TryLockError::WouldBlock)),
            "who stays is told of"
        );
    }
}
