//! The outbox on one machine: a journal and a redb file, one writer, every commit on disk before it is acknowledged.
//!
//! A commit is appended to the journal, synced once, and acknowledged; then it is *pending*. Draining writes all that is
//! pending into redb's tables, as one transaction with `Durability::Immediate` and quick repair: each second, when half
//! of the journal is full, and when somebody wants to read. So a caller waits for one sync, what changes twice within
//! a second is written once, and opening after a crash replays a journal of a few MiB.
//!
//! Whoever needs the tables as they are drains: one at a time, on its own thread. [`RedbOutbox::open`] gives the
//! outbox a thread that drains as well, so that the writer seldom has to. After a failed write redb refuses to go on; the
//! file is then closed and opened again, at once and with each later try, so that writing goes on by itself when the
//! disk lets it; until it does, every commit is refused.
//!
//! A commit that is longer than half of the journal goes straight to the tables, as do the next few after an append
//! that failed. What an error left in the tables is looked at when they are opened again: a commit that failed and
//! is there all the same keeps its position, and no other takes it.
//!
//! Limits: redb's cache takes 16 MiB, not its 1 GiB; the journal [`JOURNAL_BYTES`], and what is pending a few times as
//! much of memory. The file never shrinks below what it once held by much: freed pages are used again. Tables lie by
//! noun, keys are big-endian (see [`codec`](crate::store::codec)). Opening needs room for what is pending.
//!
//! Invariants: what is acknowledged is in the journal or in the tables, durably. Nothing here panics, whatever the files
//! hold: redb is called under `catch_unwind`. A file that a newer program wrote is not changed.

mod adopt;
mod apply;
mod changes;
mod draft;
mod erase;
mod fault;
mod journal;
mod load;
mod pending;
mod read;
mod retain;
pub(in crate::store) mod sweep;
mod tables;
mod writing;

use super::{CommitError, Outbox, Position, Put, ReadError, Reader, Retained, Retention};
use crate::core::record::Loaded;
use crate::core::time::Timestamp;
use crate::store::codec::STORE_FORMAT;
use crate::store::{OpenError, space};
use changes::{Change, Changes};
use draft::{Draft, Drafted};
use fault::{Fault, guarded};
use journal::{JOURNAL_BYTES, Journal, Room};
use pending::{Leaving, Pending};
use redb::backends::FileBackend;
use redb::{Builder, Database, StorageBackend};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tables::{Meta, Reading};
use writing::{transact, write_all};

/// redb's cache. Its default of 1 GiB would be most of a small machine.
const CACHE_BYTES: usize = 16 << 20;
/// How long a commit is pending at most, while the disk is well and nobody wants to read.
const DRAIN_EVERY: Duration = Duration::from_secs(1);
/// The longest buffer that is kept from one commit to the next.
const BUFFER_KEPT: usize = 1 << 20;
/// How many commits go around the journal after one that it did not take: a bad block must not be met with each.
const AROUND: u32 = 100;

/// The writer's handle on the outbox's files.
pub struct RedbOutbox {
    shared: Arc<Shared>,
    journal: Journal,
    /// How many commits more go around the journal.
    around: u32,
    /// What the last commit was written in.
    buffer: Vec<u8>,
    drainer: Option<JoinHandle<()>>,
}

/// What the writer, the drainer and the readers share.
struct Shared {
    /// `None` while the file could not be opened again after a failure.
    database: RwLock<Option<Database>>,
    open: Box<dyn Fn() -> Result<Database, Fault> + Send + Sync>,
    /// Where the file lies, where it is a file.
    path: Option<PathBuf>,
    pending: Pending,
    /// Held by whoever writes to the tables.
    draining: Mutex<()>,
}

impl RedbOutbox {
    /// Opens the outbox at `path`, with its journal beside it; makes both where there is none. A new file gets its name
    /// once it is whole, so that a crash in between leaves no half of one.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        open_files(path, sweep::COPY_MAX).map_err(|fault| fault.opening(path))
    }

    /// Opens the outbox on any back ends, without a thread; makes it where there is none. `tables` is called again
    /// after each failure. The journal is `journal_bytes` long where it is new.
    pub fn open_on<T: StorageBackend, J: StorageBackend>(
        tables: impl Fn() -> io::Result<T> + Send + Sync + 'static,
        journal: impl FnOnce() -> io::Result<J>,
        journal_bytes: u64,
    ) -> Result<Self, OpenError> {
        let opened = Shared::open(None, tables)
            .and_then(|shared| RedbOutbox::join(shared, Box::new(journal()?), journal_bytes));
        opened.map_err(|fault| fault.opening(Path::new("the outbox")))
    }

    /// Brings what only the journal has into the tables.
    fn join(shared: Shared, medium: Box<dyn StorageBackend>, bytes: u64) -> Result<Self, Fault> {
        let meta = shared.pending.meta();
        let mut journal = Journal::open(medium, bytes, meta.salt)?;
        if meta.has_journal() {
            for commit in journal.replay(meta.position)? {
                let clock = shared.pending.meta().clock.max(commit.clock);
                shared.pending.add(
                    &commit.rows,
                    commit.changes,
                    Meta { position: commit.position, clock, ..meta },
                );
            }
            shared.drain()?;
        }
        shared.adopt()?;
        Ok(RedbOutbox { shared: Arc::new(shared), journal, around: 0, buffer: Vec::new(), drainer: None })
    }

    /// Makes a commit durable, by the journal where it can be.
    fn make_durable(&mut self, drafted: Drafted) -> Result<(), Fault> {
        let Drafted { rows, changes, meta } = drafted;
        let before = self.shared.pending.meta();
        self.journal.salt(before.salt);
        let record = self.journal.frame(meta.position, meta.clock, rows);
        let mut room = self.journal.room(&record, self.shared.pending.drained());
        if room == Room::Occupied {
            self.shared.drain()?;
            room = self.journal.room(&record, self.shared.pending.drained());
        }
        // An older program must be kept from the store before the journal has anything that it would not see.
        let may_journal = before.format == STORE_FORMAT && self.around == 0;
        let (true, Room::At { offset, turned }) = (may_journal, room) else {
            return self.pass(record.rows(), changes, meta);
        };
        if let Err(fault) = self.journal.append(&record, offset) {
            self.around = AROUND;
            return Err(fault);
        }
        self.shared.pending.add(record.rows(), changes, meta);
        if turned {
            self.shared.pending.wake();
        }
        self.buffer =
            Some(record.into_buffer()).filter(|buffer| buffer.capacity() <= BUFFER_KEPT).unwrap_or_default();
        drop(self.shared.pending.spent());
        Ok(())
    }

    /// Writes a commit to the tables at once, after all that is pending.
    fn pass(&mut self, rows: &[u8], changes: Vec<Change>, meta: Meta) -> Result<(), Fault> {
        self.shared.drain()?;
        let mut all = Changes::default();
        all.extend(&Arc::from(rows), changes);
        self.shared.alone(|| {
            self.shared.write(|database| write_all(database, &all, &meta))?;
            self.shared.pending.passed(meta);
            Ok(())
        })?;
        self.around = self.around.saturating_sub(1);
        Ok(())
    }
}

impl Outbox for RedbOutbox {
    fn load(&self) -> Result<Loaded, ReadError> {
        // Whoever starts from it must not miss what only the journal has.
        self.shared.drain()?;
        self.shared.read(load::load)
    }

    fn commit(&mut self, batch: &[Put]) -> Result<Position, CommitError> {
        self.recover()?;
        let used = std::mem::take(&mut self.buffer);
        let drafted = self.shared.seen(guarded(|| {
            let mut draft = Draft::begin(&self.shared, used, batch.len());
            batch.iter().try_for_each(|put| apply::put(&mut draft, put))?;
            Ok(draft.finish())
        }))?;
        let position = drafted.meta.position;
        self.make_durable(drafted)?;
        Ok(position)
    }

    fn retain(&mut self, keep: &Retention, now: Timestamp, limit: usize) -> Result<Retained, CommitError> {
        let limit = limit.max(1);
        self.shared.drain()?;
        let removed = self.shared.alone(|| {
            let mut meta = self.shared.pending.meta();
            let removed = self.shared.write(|database| {
                transact(database, |tables| {
                    let removed = retain::step(tables, keep, now, limit)?;
                    // What removed nothing is no commit, though it may have noted that there is nothing left to remove.
                    if removed > 0 {
                        meta.position.0 += 1;
                        tables.note(&meta)?;
                    }
                    Ok(removed)
                })
            })?;
            self.shared.pending.passed(meta);
            Ok(removed)
        })?;
        Ok(Retained { removed, more: removed == limit })
    }

    fn recover(&mut self) -> Result<(), CommitError> {
        drop(self.shared.pending.spent());
        if self.shared.pending.in_trouble() {
            self.shared.drain()?;
        }
        Ok(())
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::clone(&self.shared) as Arc<dyn Reader>
    }
}

impl Drop for RedbOutbox {
    /// Leaves nothing to replay where the disk lets it; the journal has it all the same.
    fn drop(&mut self) {
        self.shared.pending.close();
        if let Some(drainer) = self.drainer.take() {
            // It ends by itself; a panic there has been caught already.
            let _ = drainer.join();
        }
        let _ = self.shared.drain();
    }
}

// === impl Shared ===

impl Shared {
    fn open<B: StorageBackend>(
        path: Option<PathBuf>,
        backend: impl Fn() -> io::Result<B> + Send + Sync + 'static,
    ) -> Result<Self, Fault> {
        let open = move || open_database(backend()?);
        let database = guarded(&open)?;
        let meta = guarded(|| Ok(Reading::begin(&database)?.meta))?;
        Ok(Shared {
            database: RwLock::new(Some(database)),
            open: Box::new(open),
            path,
            pending: Pending::new(meta),
            draining: Mutex::new(()),
        })
    }

    /// Takes in what an older program kept in another way. Nothing is pending.
    fn adopt(&self) -> Result<(), Fault> {
        let meta = self.pending.meta();
        if !adopt::is_due(&meta) {
            return Ok(());
        }
        let meta = meta.of_this_program();
        self.alone(|| {
            self.write(|database| {
                transact(database, |tables| {
                    adopt::adopt(tables)?;
                    tables.note(&meta)
                })
            })?;
            self.pending.passed(meta);
            Ok(())
        })
    }

    /// Writes all that is pending to the tables.
    fn drain(&self) -> Result<(), Fault> {
        self.drain_to(self.pending.meta().position)
    }

    /// Writes what is pending to the tables, unless they have everything up to `wanted` already and are well. One at a
    /// time does; who comes meanwhile waits, and most often finds nothing left to do.
    fn drain_to(&self, wanted: Position) -> Result<(), Fault> {
        self.alone(|| {
            if self.pending.in_trouble() {
                self.open_again()?;
            } else if self.pending.drained() >= wanted {
                return Ok(());
            }
            if let Some(Leaving { changes, meta }) = self.pending.begin() {
                self.write(|database| write_all(database, &changes, &meta))?;
                drop(changes);
                self.pending.left(meta.position);
            }
            self.pending.recovered();
            Ok(())
        })
    }

    /// Runs what writes to the tables: one at a time does.
    fn alone<T>(&self, run: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        let _one = self.draining.lock().unwrap_or_else(PoisonError::into_inner);
        run()
    }

    /// Drains until told to stop.
    fn keep_draining(&self) {
        while self.pending.wait(DRAIN_EVERY) {
            // What went wrong is told to the next commit, which tries again first.
            let _ = self.drain();
        }
    }

    /// Reads in one transaction: what is seen is one position, and everything that was acknowledged before is in it,
    /// while the disk takes writes.
    fn read<T>(&self, read: impl FnOnce(&Reading) -> Result<T, Fault>) -> Result<T, ReadError> {
        if !self.pending.in_trouble() {
            // If this fails, what was there before can still be read.
            let _ = self.drain();
        }
        Ok(self.seen(guarded(|| read(&self.begin_read()?)))?)
    }

    fn begin_read(&self) -> Result<Reading, Fault> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        Reading::begin(database.as_ref().ok_or_else(|| Fault::Closed(CLOSED.into()))?)
    }

    /// Notes where the disk failed: redb refuses to go on then, and is opened again by the next to drain.
    fn seen<T>(&self, done: Result<T, Fault>) -> Result<T, Fault> {
        done.inspect_err(|fault| {
            if fault.is_of_the_disk() {
                self.pending.failed();
            }
        })
    }

    /// Writes to the tables; where that fails, they are opened again, for those who read, and once more by whoever
    /// drains next.
    fn write<T>(&self, write: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, Fault> {
        let written = {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let database = database.as_ref().ok_or_else(|| Fault::Closed(CLOSED.into()));
            database.and_then(|database| guarded(|| write(database)))
        };
        written.inspect_err(|_| {
            self.pending.failed();
            // Where that fails as well, the next try says why.
            let _ = self.open_again();
        })
    }

    /// Closes the file, which ends redb's refusal to go on after an error, and opens it again if that is possible now.
    fn open_again(&self) -> Result<(), Fault> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let closed = database.take();
        let opened = guarded(|| {
            drop(closed);
            let opened = (self.open)()?;
            let found = Reading::begin(&opened)?.meta;
            Ok((opened, found))
        });
        let (opened, found) = opened?;
        // A write that failed may be there all the same: its position is taken.
        self.pending.adopt(found).map_err(|()| Fault::Replaced)?;
        *database = Some(opened);
        Ok(())
    }

    fn free_bytes(&self) -> Option<u64> {
        self.path.as_ref().and_then(|path| space::free_bytes(path).ok())
    }
}

/// Why there is no file to read from.
const CLOSED: &str = "it was closed after an error, and is opened again with the next write";

// === files ===

/// Opens the files, and starts the thread that drains. Writing them anew after an erasure may take `start_max`.
fn open_files(path: &Path, start_max: Duration) -> Result<RedbOutbox, Fault> {
    let beside = path.with_extension("journal");
    if !path.try_exists()? {
        make(path, &beside)?;
    }
    let file = path.to_owned();
    let tables = move || FileBackend::new(open_file(&file)?).map_err(io_error);
    let shared = Shared::open(Some(path.to_owned()), tables)?;
    let held = match fs::metadata(&beside) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        Err(_) if shared.pending.meta().has_journal() => {
            return Err(Fault::Journal(format!("{} is missing", beside.display())));
        }
        Err(_) => 0,
    };
    match held {
        JOURNAL_BYTES => {}
        0 => make_journal(&beside)?,
        cut => {
            let why = format!("{} has {cut} bytes and should have {JOURNAL_BYTES}", beside.display());
            return Err(Fault::Journal(why));
        }
    }
    let medium = FileBackend::new(open_file(&beside)?)?;
    let mut outbox = RedbOutbox::join(shared, Box::new(medium), JOURNAL_BYTES)?;
    if let Some(fresh) = sweep::try_copy(&outbox.shared, path, start_max)? {
        drop(outbox);
        sweep::replace(&fresh, path, &beside)?;
        return open_files(path, start_max);
    }
    let shared = Arc::clone(&outbox.shared);
    let drainer = thread::Builder::new().name("outbox-drain".into());
    outbox.drainer = Some(drainer.spawn(move || shared.keep_draining())?);
    Ok(outbox)
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
            transact(&database, |tables| {
                tables.open_all()?;
                tables.note(&Meta::new())
            })?;
            Ok(database)
        }
        Err(fault) => Err(fault),
    }
}

/// Makes the outbox's files where there are none. A journal without tables belonged to an outbox that is gone.
fn make(path: &Path, beside: &Path) -> Result<(), Fault> {
    remove(beside)?;
    make_journal(beside)?;
    let unfinished = path.with_extension("redb.new");
    remove(&unfinished)?;
    guarded(|| open_database(FileBackend::new(make_file(&unfinished)?)?))?;
    fs::rename(&unfinished, path)?;
    space::sync_folder_of(path)?;
    Ok(())
}

/// Makes a journal of real blocks: it must not lack room when a message has to be kept.
fn make_journal(beside: &Path) -> Result<(), Fault> {
    let unfinished = beside.with_extension("journal.new");
    remove(&unfinished)?;
    space::allocate(&unfinished, JOURNAL_BYTES)?;
    fs::rename(&unfinished, beside)?;
    space::sync_folder_of(beside)?;
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).open(path)
}

fn make_file(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

fn io_error(error: redb::DatabaseError) -> io::Error {
    io::Error::other(error)
}
