//! A disk in memory under an outbox, with its two files: it records every write and every sync, and can be cut off at
//! any point with the unsynced writes kept, dropped or torn. It can also be told to fail.

use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex};
use wasl::store::OpenError;
use wasl::store::outbox::redb::RedbOutbox;

/// What was asked of a file.
#[derive(Clone, Debug)]
enum Op {
    Write {
        at: u64,
        data: Arc<[u8]>,
    },
    SetLen(u64),
    Sync,
    /// It failed: what was written since the last may have been forgotten, and no later sync brings it back. Cites:
    /// Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020.
    SyncFailed,
}

/// The files of an outbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum File {
    Tables,
    Journal,
}

/// What lies in each file.
type Files = [Vec<u8>; 2];

/// What becomes of a write that was not synced when the power went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Survivors {
    /// All of it is there.
    All,
    /// Nothing of it is there.
    None,
    /// The sectors of which this picture has a bit are there.
    Sectors(u64),
}

/// How a disk fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failing {
    /// It does not.
    No,
    /// The tables have no room beyond this length; writes further on fail. The journal has its room already.
    FullBeyond(u64),
    /// Writes and syncs fail with EIO.
    Writes,
    /// Syncs fail with EIO.
    Syncs,
    /// So many syncs succeed, the next one does what it should and says EIO, and all is well again.
    LiesAfter(usize),
    /// Reads, writes and syncs fail with EIO.
    All,
}

/// A journal of two halves of two pages: most commits of these tests take one page, some two, a few are too long.
const JOURNAL_BYTES: u64 = 4 * 4096;
/// The smallest piece that a disk writes whole.
const SECTOR: usize = 512;

/// A disk in memory. A clone is the same disk.
#[derive(Clone)]
pub struct Disk {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    /// What is there now.
    files: Files,
    /// What was there when recording began.
    start: Files,
    ops: Vec<(File, Op)>,
    failing: Failing,
}

impl Disk {
    pub fn new() -> Disk {
        Disk::holding(Files::default())
    }

    /// A disk that holds these tables and this journal; recording begins here.
    pub fn holding(files: Files) -> Disk {
        let inner = Inner { start: files.clone(), files, ops: Vec::new(), failing: Failing::No };
        Disk { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Opens the outbox on it, with a journal so short that it is full after a few commits.
    pub fn outbox(&self) -> Result<RedbOutbox, OpenError> {
        let (tables, journal) = (self.clone(), self.clone());
        RedbOutbox::open_on(
            move || Ok(Backend(tables.clone(), File::Tables)),
            move || Ok(Backend(journal, File::Journal)),
            JOURNAL_BYTES,
        )
    }

    /// How many writes and syncs were made.
    pub fn writes(&self) -> usize {
        self.inner.lock().expect("whole").ops.len()
    }

    /// How long the tables are.
    pub fn len(&self) -> u64 {
        self.inner.lock().expect("whole").files[File::Tables as usize].len() as u64
    }

    /// Fails like this from here on.
    pub fn fail(&self, how: Failing) {
        self.inner.lock().expect("whole").failing = how;
    }

    /// What is there now.
    pub fn files(&self) -> Files {
        self.inner.lock().expect("whole").files.clone()
    }

    /// The disk as found after the power went following the first `ops` writes and syncs: what was synced is there;
    /// of each later write, in whatever order, what `fate` says.
    pub fn after_cut(&self, ops: usize, fate: &mut dyn FnMut(usize) -> Survivors) -> Disk {
        let inner = self.inner.lock().expect("whole");
        let done = &inner.ops[..ops];
        let mut files = inner.start.clone();
        for (place, (file, op)) in done.iter().enumerate() {
            let next =
                done[place..].iter().find(|(of, op)| of == file && matches!(op, Op::Sync | Op::SyncFailed));
            let bytes = &mut files[*file as usize];
            match next {
                Some((_, Op::Sync)) => apply(bytes, op, Survivors::All),
                _ => apply(bytes, op, fate(place)),
            }
        }
        Disk::holding(files)
    }
}

fn apply(bytes: &mut Vec<u8>, op: &Op, fate: Survivors) {
    match (op, fate) {
        (_, Survivors::None) | (Op::Sync | Op::SyncFailed, _) => {}
        // A length is metadata: it is there or it is not.
        (Op::SetLen(len), _) => bytes.resize(*len as usize, 0),
        (Op::Write { at, data }, fate) => {
            let at = *at as usize;
            // A write beyond an end that was lost makes the file longer, as a file system does.
            bytes.resize(bytes.len().max(at + data.len()), 0);
            for (number, sector) in data.chunks(SECTOR).enumerate() {
                let kept = match fate {
                    Survivors::Sectors(picture) => picture >> (number % 64) & 1 == 1,
                    _ => true,
                };
                if kept {
                    let from = at + number * SECTOR;
                    bytes[from..from + sector.len()].copy_from_slice(sector);
                }
            }
        }
    }
}

/// A file of the disk as the outbox sees it.
#[derive(Clone)]
struct Backend(Disk, File);

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backend")
    }
}

/// Linux's number for an input/output error.
const EIO: i32 = 5;
/// Linux's number for a full disk.
const ENOSPC: i32 = 28;

impl Inner {
    fn write(&mut self, file: File, op: Op) -> io::Result<()> {
        let end = match &op {
            Op::Write { at, data } if file == File::Tables => at + data.len() as u64,
            _ => 0,
        };
        match self.failing {
            Failing::FullBeyond(len) if end > len => return Err(io::Error::from_raw_os_error(ENOSPC)),
            Failing::Writes | Failing::All => return Err(io::Error::from_raw_os_error(EIO)),
            Failing::Syncs if matches!(op, Op::Sync) => {
                self.ops.push((file, Op::SyncFailed));
                return Err(io::Error::from_raw_os_error(EIO));
            }
            _ => {}
        }
        apply(&mut self.files[file as usize], &op, Survivors::All);
        let is_sync = matches!(op, Op::Sync);
        self.ops.push((file, op));
        match self.failing {
            Failing::LiesAfter(0) if is_sync => {
                self.failing = Failing::No;
                Err(io::Error::from_raw_os_error(EIO))
            }
            Failing::LiesAfter(left) if is_sync => {
                self.failing = Failing::LiesAfter(left - 1);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.inner.lock().expect("whole").files[self.1 as usize].len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inner = self.0.inner.lock().expect("whole");
        if inner.failing == Failing::All {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let from = offset as usize;
        let part = inner.files[self.1 as usize].get(from..from + out.len());
        out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.inner.lock().expect("whole").write(self.1, Op::SetLen(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.inner.lock().expect("whole").write(self.1, Op::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.inner.lock().expect("whole").write(self.1, Op::Write { at: offset, data: data.into() })
    }
}
