//! Reachability in sled 0.34, used only in the way in which it proved safe.
//!
//! sled's `flush` is not a sync: on Linux it leaves file size and the disk's cache behind, and a power cut then loses
//! everything. So each write is one batch, one `flush`, and `sync_data` on a second descriptor of its file. Only the
//! writer's thread writes. `flush_async` is never called: beside a batch it deadlocks. Cites:
//! github.com/spacejam/sled issues 1452, 1308, 1527.
//!
//! An open that succeeds can be an empty database, so rows are counted: against a row written in the same batch,
//! and against a small file beside the folder, written after the sync. Opening runs in a thread of its
//! own under `catch_unwind`, with a time-out.
//!
//! Invariant: nothing here fails a message, blocks a caller or panics through it.

use super::disk::{Disk, Failure};
use super::{Cell, CellRow, Notice, Opened, Reachability, ReachabilityHealth};
use crate::core::record::Needles;
use crate::core::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The shortest time between two writes.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// How long to leave a store alone that cannot be opened or written.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// How many cells one batch takes: sled stops every reader while it applies one.
const BATCH_CELLS: usize = 500;
/// How many unusable folders are kept for whoever wants to look.
const ASIDE_MAX: usize = 3;

/// Reachability in a sled folder, written behind by a thread of its own.
#[derive(Debug)]
pub struct SledReachability {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    /// What time it was at the start, by the wall and by the steady clock.
    started: (Timestamp, Instant),
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<Cell, Needles>,
    unwritten: BTreeSet<Cell>,
    /// Since when there is something to write.
    behind_since: Option<Instant>,
    is_closing: bool,
    notice: Option<Notice>,
}

impl SledReachability {
    /// Opens the folder, or makes it. Always gives a store that can be used: what cannot be read is moved aside, and
    /// what cannot be written is kept in memory until it can.
    pub fn open(folder: &Path, now: Timestamp) -> io::Result<Opened<SledReachability>> {
        let (disk, cells, notice) = open_or_move_aside(folder, now);
        let state = State {
            known: cells.iter().map(|row| (row.cell.clone(), row.needles.clone())).collect(),
            notice: notice.clone(),
            ..State::default()
        };
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            started: (now, Instant::now()),
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let for_writer = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("reachability".into())
            .spawn(move || for_writer.write_behind(disk))?;
        let reachability = SledReachability { shared, writer: Mutex::new(Some(writer)) };
        Ok(Opened { reachability, cells, notice })
    }
}

impl Reachability for SledReachability {
    fn remember(&self, cells: Vec<CellRow>) {
        let mut state = self.shared.lock();
        for CellRow { cell, needles } in cells {
            let has_room = state.known.len() < super::CELLS_MAX || state.known.contains_key(&cell);
            if !has_room || state.known.get(&cell) == Some(&needles) {
                continue;
            }
            state.known.insert(cell.clone(), needles);
            state.unwritten.insert(cell);
        }
        if !state.unwritten.is_empty() {
            state.behind_since.get_or_insert_with(Instant::now);
            self.shared.changed.notify_all();
        }
    }

    fn health(&self) -> ReachabilityHealth {
        let state = self.shared.lock();
        ReachabilityHealth {
            bytes: folder_bytes(&self.shared.folder),
            cells: state.known.len(),
            behind: state.behind_since.map_or(Duration::ZERO, |since| since.elapsed()),
            notice: state.notice.clone(),
        }
    }

    fn close(&self) {
        self.shared.lock().is_closing = true;
        self.shared.changed.notify_all();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // The thread catches its panics; were there one all the same, there is nothing left to save.
            let _ = writer.join();
        }
    }
}

impl Drop for SledReachability {
    fn drop(&mut self) {
        self.close();
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer's thread: until it is closed and nothing is left to write, or nothing can be.
    fn write_behind(&self, mut disk: Option<Disk>) {
        loop {
            if disk.is_none() && self.wait(RETRY_AFTER) {
                return;
            }
            disk = disk.or_else(|| self.open_again());
            let Some(open) = disk.as_mut() else { continue };
            let Some(batch) = self.next_batch() else { return };
            if let Err(failure) = open.write(&batch) {
                // sled refuses everything after an error: it is dropped here, and opened again later.
                disk = None;
                self.take_back(&batch, Notice::NotKept { why: failure.to_string() });
            }
        }
    }

    /// Sleeps, or less if it is closed meanwhile; says whether it is closed.
    fn wait(&self, time: Duration) -> bool {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, time, |state| !state.is_closing);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_closing
    }

    /// Waits until there is something to write and a second has passed since it came, then takes it. `None`: it is
    /// closed and all is written.
    fn next_batch(&self) -> Option<Vec<CellRow>> {
        let idle = |state: &mut State| !state.is_closing && state.unwritten.is_empty();
        let waited = self.changed.wait_while(self.lock(), idle);
        let due = waited.unwrap_or_else(PoisonError::into_inner).behind_since.unwrap_or_else(Instant::now)
            + WRITE_EVERY;
        self.wait(due.saturating_duration_since(Instant::now()));
        let mut state = self.lock();
        let mut batch = Vec::new();
        while let Some(cell) = state.unwritten.pop_first() {
            let needles = state.known.get(&cell).cloned();
            batch.extend(needles.map(|needles| CellRow { cell, needles }));
            if batch.len() == BATCH_CELLS {
                break;
            }
        }
        if state.unwritten.is_empty() {
            state.behind_since = None;
        }
        (!batch.is_empty()).then_some(batch)
    }

    fn take_back(&self, batch: &[CellRow], notice: Notice) {
        let mut state = self.lock();
        state.unwritten.extend(batch.iter().map(|row| row.cell.clone()));
        state.behind_since.get_or_insert_with(Instant::now);
        state.notice = Some(notice);
    }

    /// Tries to open again. What is known is newer than what is on disk: all of it is to be written.
    fn open_again(&self) -> Option<Disk> {
        let (at, since) = self.started;
        let now = at + Span::from_ms(since.elapsed().as_millis() as i64);
        let (disk, _, notice) = open_or_move_aside(&self.folder, now);
        let mut state = self.lock();
        state.notice = notice;
        if disk.is_some() {
            state.unwritten = state.known.keys().cloned().collect();
        }
        disk
    }
}

/// Opens the folder. What is there and cannot be used is moved aside; for want of room nothing is moved.
fn open_or_move_aside(folder: &Path, now: Timestamp) -> (Option<Disk>, Vec<CellRow>, Option<Notice>) {
    let why = match Disk::open(folder) {
        Ok((disk, cells)) => return (Some(disk), cells, None),
        Err(Failure::NoRoom(why)) => return (None, Vec::new(), Some(Notice::NotKept { why })),
        Err(failure) => failure.to_string(),
    };
    let moved = move_aside(folder, now);
    match moved.map_err(|error| error.to_string()).and_then(|to| {
        let (disk, _) = Disk::open(folder).map_err(|failure| failure.to_string())?;
        Ok((disk, to))
    }) {
        Ok((disk, to)) => (Some(disk), Vec::new(), Some(Notice::MovedAside { to, why })),
        Err(again) => (None, Vec::new(), Some(Notice::NotKept { why: format!("{why}; then: {again}") })),
    }
}

/// Moves the folder and its count to a name with the time, and forgets the oldest of those beyond [`ASIDE_MAX`].
fn move_aside(folder: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let secs = now.ms().max(0) / 1000;
    let name = |number: u32| match number {
        0 => folder.with_extension(format!("bad-{secs:010}")),
        _ => folder.with_extension(format!("bad-{secs:010}-{number}")),
    };
    let to = (0..100).map(name).find(|to| !to.exists()).unwrap_or_else(|| name(100));
    fs::rename(folder, &to)?;
    Disk::forget_count(folder)?;
    let mut aside = asides(folder)?;
    aside.sort();
    let surplus = aside.len().saturating_sub(ASIDE_MAX);
    for old in &aside[..surplus] {
        remove(old)?;
    }
    Ok(to)
}

/// Removes a folder with what is in it, or whatever else has the name.
fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn asides(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let prefix = format!("{}.bad-", folder.file_name().unwrap_or_default().to_string_lossy());
    let parent = folder.parent().unwrap_or(Path::new("."));
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}
