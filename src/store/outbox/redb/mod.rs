//! The outbox on one machine: a redb file, one writer, every commit on disk before it is acknowledged.
//!
//! Each commit is `Durability::Immediate` with quick repair, so that opening after a crash reads no more than
//! opening after a clean stop. After a failed write redb refuses to go on; the file is then closed and opened again,
//! at once and with each later commit, so that writing goes on by itself when the disk lets it.
//!
//! Limits: the cache takes 32 MiB, not redb's 1 GiB. The file never shrinks below what it once held by much: freed
//! pages are used again. Tables lie by noun, keys are big-endian (see [`codec`](crate::store::codec)).
//!
//! Invariants: nothing here panics, whatever the file holds: redb is called under `catch_unwind`. A file that a newer
//! program wrote is not changed.

mod apply;
mod fault;
mod load;
mod read;
mod retain;
mod tables;

use super::{Outbox, Position, Put, ReadError, Reader, Retained, Retention};
use crate::core::record::Loaded;
use crate::store::codec::STORE_FORMAT;
use crate::store::{OpenError, space};
use fault::{Fault, guarded};
use redb::backends::FileBackend;
use redb::{Builder, Database, Durability, StorageBackend};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tables::{Meta, Reading, Writing};

/// redb's cache. Its default of 1 GiB would be most of a small machine.
const CACHE_BYTES: usize = 32 << 20;

/// The writer's handle on the outbox's file.
pub struct RedbOutbox {
    shared: Arc<Shared>,
}

/// What the writer and the readers share.
struct Shared {
    /// `None` while the file could not be opened again after a failure.
    database: RwLock<Option<Database>>,
    open: Box<dyn Fn() -> Result<Database, Fault> + Send + Sync>,
    /// Where the file lies, where it is a file.
    path: Option<PathBuf>,
}

impl RedbOutbox {
    /// Opens the outbox at `path`; makes it where there is none. A new file gets its name once it is whole, so
    /// that a crash in between leaves no half of one.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let opened = make(path).and_then(|()| {
            let file = path.to_owned();
            Shared::open(Some(path.to_owned()), move || FileBackend::new(open_file(&file)?).map_err(io_error))
        });
        opened.map(|shared| RedbOutbox { shared }).map_err(|fault| fault.opening(path))
    }

    /// Opens the outbox on any back end; makes it where there is none. `backend` is called again after each failure.
    pub fn open_on<B: StorageBackend>(
        backend: impl Fn() -> io::Result<B> + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let opened = Shared::open(None, backend);
        opened.map(|shared| RedbOutbox { shared }).map_err(|fault| fault.opening(Path::new("the outbox")))
    }
}

impl Outbox for RedbOutbox {
    fn load(&self) -> Result<Loaded, ReadError> {
        self.shared.read(load::load)
    }

    fn commit(&mut self, batch: &[Put]) -> Result<Position, super::CommitError> {
        self.shared
            .write(|tables| {
                for put in batch {
                    apply::put(tables, put)?;
                }
                Ok((true, ()))
            })
            .map(|(position, ())| position)
    }

    fn retain(
        &mut self,
        keep: &Retention,
        now: crate::core::time::Timestamp,
        limit: usize,
    ) -> Result<Retained, super::CommitError> {
        let limit = limit.max(1);
        let (_, removed) = self.shared.write(|tables| {
            let removed = retain::step(tables, keep, now, limit)?;
            Ok((removed > 0, removed))
        })?;
        Ok(Retained { removed, more: removed == limit })
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::clone(&self.shared) as Arc<dyn Reader>
    }
}

// === impl Shared ===

impl Shared {
    fn open<B: StorageBackend>(
        path: Option<PathBuf>,
        backend: impl Fn() -> io::Result<B> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, Fault> {
        let open = move || open_database(backend()?);
        let database = guarded(&open)?;
        Ok(Arc::new(Shared { database: RwLock::new(Some(database)), open: Box::new(open), path }))
    }

    /// Reads in one transaction: what is seen is one position.
    fn read<T>(&self, read: impl FnOnce(&Reading) -> Result<T, Fault>) -> Result<T, ReadError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(|| ReadError::Unavailable(CLOSED.into()))?;
        Ok(guarded(|| read(&Reading::begin(database)?))?)
    }

    /// Writes in one transaction. `change` says whether it counts as a commit; retention that removed nothing does not,
    /// though it may have noted that there is nothing left to remove.
    fn write<T>(
        &self,
        change: impl FnOnce(&mut Writing<'_>) -> Result<(bool, T), Fault>,
    ) -> Result<(Position, T), super::CommitError> {
        self.open_again_if_closed()?;
        let written = {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let database = database.as_ref().ok_or_else(|| Fault::Closed(CLOSED.into()))?;
            guarded(|| transact(database, change))
        };
        written.map_err(|fault| {
            self.open_again();
            fault.into()
        })
    }

    fn open_again_if_closed(&self) -> Result<(), Fault> {
        // Looked at first: to ask for the write lock would be to wait for every reader.
        let is_open = self.database.read().unwrap_or_else(PoisonError::into_inner).is_some();
        if !is_open {
            let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
            *database = Some(guarded(&self.open)?);
        }
        Ok(())
    }

    /// Closes the file, which ends redb's refusal to go on after an error, and opens it again if that is possible now.
    fn open_again(&self) {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let closed = database.take();
        *database = guarded(|| {
            drop(closed);
            (self.open)()
        })
        .ok();
    }

    fn bytes(&self) -> u64 {
        self.path.as_ref().and_then(|path| fs::metadata(path).ok()).map_or(0, |meta| meta.len())
    }

    fn free_bytes(&self) -> Option<u64> {
        self.path.as_ref().and_then(|path| space::free_bytes(path).ok())
    }
}

/// Why there is no file to read from.
const CLOSED: &str = "it was closed after an error, and is opened again with the next write";

fn transact<T>(
    database: &Database,
    change: impl FnOnce(&mut Writing<'_>) -> Result<(bool, T), Fault>,
) -> Result<(Position, T), Fault> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_quick_repair(true);
    let mut tables = Writing::begin(&transaction)?;
    let (counts, value) = change(&mut tables)?;
    let (position, touched) = tables.finish(counts)?;
    if touched {
        transaction.commit()?;
    }
    Ok((position, value))
}

/// Opens a file or another back end, and makes the tables where it is new.
fn open_database<B: StorageBackend>(backend: B) -> Result<Database, Fault> {
    let database = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(backend)?;
    match Reading::begin(&database) {
        Ok(reading) if reading.meta.format > STORE_FORMAT => {
            Err(Fault::Newer { what: "the store", found: reading.meta.format, known: STORE_FORMAT })
        }
        Ok(_) => Ok(database),
        Err(Fault::NoTables) => {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            transaction.set_quick_repair(true);
            tables::make_all(&transaction, Meta::new())?;
            transaction.commit()?;
            Ok(database)
        }
        Err(fault) => Err(fault),
    }
}

/// Makes the outbox's file where there is none.
fn make(path: &Path) -> Result<(), Fault> {
    if path.exists() {
        return Ok(());
    }
    let unfinished = path.with_extension("redb.new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    guarded(|| open_database(FileBackend::new(open_file(&unfinished)?)?))?;
    fs::rename(&unfinished, path)?;
    space::sync_folder_of(path)?;
    Ok(())
}

fn open_file(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

fn io_error(error: redb::DatabaseError) -> io::Error {
    io::Error::other(error)
}
