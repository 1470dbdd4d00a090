//! One sled folder: opened under guard, checked, written and synced.

use super::CellRow;
use crate::store::codec::{self, CELL, Row, crc32};
use crate::store::space;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// How long opening may take. A million rows took 4 s from a cold disk, and there are far fewer.
const OPEN_TIME_OUT: Duration = Duration::from_secs(30);
/// How often a lock that is still held is looked at again, and how long between the looks.
const LOCK_LOOKS: usize = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// The room that opening asks for: it must write, and a full disk half way leaves a folder that will not open.
const ROOM_BYTES: u64 = 64 << 20;
/// sled's page cache; cells are few.
const CACHE_BYTES: u64 = 8 << 20;
/// The background flusher's pace. Without it, sled never frees a segment.
const FLUSH_EVERY_MS: u64 = 500;
/// The key of the row that counts the cells.
const COUNT_KEY: &[u8] = b"x";

/// An open folder.
#[derive(Debug)]
pub(super) struct Disk {
    database: sled::Db,
    /// A second descriptor of sled's file, to be synced after each flush.
    file: File,
    count_path: PathBuf,
    count: u64,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// There is no room; what is there may be good.
    #[error("{0}")]
    NoRoom(String),
    /// sled says so.
    #[error("{0}")]
    Sled(#[from] sled::Error),
    /// The disk says so.
    #[error("{0}")]
    Io(io::Error),
    /// A row cannot be read.
    #[error("{0}")]
    Row(#[from] codec::CodecError),
    /// A row's checksum is wrong.
    #[error("a row has a wrong checksum")]
    Checksum,
    /// Rows are missing.
    #[error("it holds {found} cells and should hold {expected}")]
    Count { found: u64, expected: u64 },
    /// sled panicked.
    #[error("it could not be read at all")]
    Panicked,
    /// sled did not come back.
    #[error("opening took longer than {} s", OPEN_TIME_OUT.as_secs())]
    Stuck,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Failure::NoRoom("the disk is full".into())
            }
            _ => Failure::Io(error),
        }
    }
}

impl Disk {
    /// Opens a folder in a thread that is watched, and reads every cell.
    pub(super) fn open(folder: &Path) -> Result<(Disk, Vec<CellRow>), Failure> {
        ask_for_room(folder)?;
        remove_unfinished_snapshots(folder)?;
        let (answer, opened) = mpsc::sync_channel(1);
        let path = folder.to_owned();
        std::thread::Builder::new().name("reachability-open".into()).spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(|| open_and_read(&path)));
            // Nobody listens after the time-out; what was opened is then closed again.
            let _ = answer.send(result.unwrap_or(Err(Failure::Panicked)));
        })?;
        opened.recv_timeout(OPEN_TIME_OUT).unwrap_or(Err(Failure::Stuck))
    }

    /// Writes cells and makes them durable.
    pub(super) fn write(&mut self, cells: &[CellRow]) -> Result<(), Failure> {
        catch_unwind(AssertUnwindSafe(|| self.write_unguarded(cells))).unwrap_or(Err(Failure::Panicked))
    }

    fn write_unguarded(&mut self, cells: &[CellRow]) -> Result<(), Failure> {
        let mut batch = sled::Batch::default();
        let mut count = self.count;
        for row in cells {
            let key = row.key();
            count += u64::from(!self.database.contains_key(&key)?);
            let value = with_checksum(&key, codec::encode(row));
            batch.insert(&key[..], value);
        }
        batch.insert(COUNT_KEY, with_checksum(COUNT_KEY, count.to_be_bytes().to_vec()));
        self.database.apply_batch(batch).map_err(full)?;
        self.database.flush().map_err(full)?;
        self.file.sync_data()?;
        if count != self.count {
            write_count(&self.count_path, count)?;
            self.count = count;
        }
        Ok(())
    }

    /// Forgets how many cells the folder held.
    pub(super) fn forget_count(folder: &Path) -> io::Result<()> {
        match fs::remove_file(count_path(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn open_and_read(folder: &Path) -> Result<(Disk, Vec<CellRow>), Failure> {
    let is_new = !folder.exists();
    let config = sled::Config::new()
        .path(folder)
        .cache_capacity(CACHE_BYTES)
        .mode(sled::Mode::LowSpace)
        .flush_every_ms(Some(FLUSH_EVERY_MS));
    let database = open_once_unlocked(&config).map_err(full)?;
    if is_new {
        File::open(folder)?.sync_all()?;
        space::sync_folder_of(folder)?;
    }
    let file = File::open(folder.join("db"))?;
    let cells = read_cells(&database)?;
    let found = cells.len() as u64;
    let expected = match database.get(COUNT_KEY)? {
        Some(value) => count_of(&value)?,
        None => 0,
    };
    let count_path = count_path(folder);
    // The file is written after the sync: the folder may hold more than it says, never less.
    let at_least = read_count(&count_path);
    if found != expected || found < at_least {
        return Err(Failure::Count { found, expected: expected.max(at_least) });
    }
    Ok((Disk { database, file, count_path, count: found }, cells))
}

/// Opens the database; waits a while where its lock is still held. The folder is locked by us before, so whoever holds it
/// is about to let go: our own last use of it, or a child of ours between its fork and its exec.
fn open_once_unlocked(config: &sled::Config) -> sled::Result<sled::Db> {
    for _ in 0..LOCK_LOOKS {
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {}
            opened => return opened,
        }
        #[allow(clippy::disallowed_methods, reason = "a thread of its own, at start, with a limit")]
        std::thread::sleep(LOCK_PAUSE);
    }
    config.open()
}

fn read_cells(database: &sled::Db) -> Result<Vec<CellRow>, Failure> {
    let read = |row: sled::Result<(sled::IVec, sled::IVec)>| {
        let (key, value) = row?;
        Ok(codec::decode(&key, without_checksum(&key, &value)?)?)
    };
    database.scan_prefix([CELL]).map(read).collect()
}

fn with_checksum(key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let crc = crc32(&[key, &value].concat());
    value.extend_from_slice(&crc.to_be_bytes());
    value
}

fn without_checksum<'v>(key: &[u8], value: &'v [u8]) -> Result<&'v [u8], Failure> {
    let (value, crc) = value.split_last_chunk().ok_or(Failure::Checksum)?;
    if u32::from_be_bytes(*crc) == crc32(&[key, value].concat()) { Ok(value) } else { Err(Failure::Checksum) }
}

fn count_of(value: &[u8]) -> Result<u64, Failure> {
    let bytes = without_checksum(COUNT_KEY, value)?;
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| Failure::Checksum)
}

/// sled wraps a full disk; it is told apart, since nothing is wrong with what is there.
fn full(error: sled::Error) -> Failure {
    match error {
        sled::Error::Io(error) => error.into(),
        other => Failure::Sled(other),
    }
}

fn ask_for_room(folder: &Path) -> Result<(), Failure> {
    let held = fs::metadata(folder.join("db")).map_or(0, |meta| meta.len());
    let (needed, free) = (ROOM_BYTES + held / 10, space::free_bytes(folder)?);
    if free < needed {
        let mib = |bytes: u64| bytes >> 20;
        return Err(Failure::NoRoom(format!("{} MiB are free and opening needs {}", mib(free), mib(needed))));
    }
    Ok(())
}

/// A snapshot that was being written when the disk filled up or the power went is taken for the newest one, and sled
/// then says that the folder is corrupt. Cites: github.com/spacejam/sled issues 1527, 1533.
fn remove_unfinished_snapshots(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn count_path(folder: &Path) -> PathBuf {
    folder.with_extension("count")
}

/// An unreadable count says nothing.
fn read_count(path: &Path) -> u64 {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn write_count(path: &Path, count: u64) -> io::Result<()> {
    let unfinished = path.with_extension("count.new");
    fs::write(&unfinished, format!("{count}\n"))?;
    File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, path)?;
    space::sync_folder_of(path)
}
