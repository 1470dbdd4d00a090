//! A disk in memory under redb: it records every write and every sync, and can be cut off at any point with the
//! unsynced writes kept, dropped or torn. It can also be told to fail.

use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex};

/// What a write to the disk was.
#[derive(Clone, Debug)]
enum Op {
    Write { at: u64, data: Arc<[u8]> },
    SetLen(u64),
    Sync,
}

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
    /// It has no room beyond this length; writes further on fail.
    FullBeyond(u64),
    /// Writes and syncs fail with EIO.
    Writes,
    /// Syncs fail with EIO.
    Syncs,
}

/// The smallest piece that a disk writes whole.
const SECTOR: usize = 512;

/// A disk in memory. A clone is the same disk.
#[derive(Clone)]
pub struct Disk {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    /// What is there now.
    bytes: Vec<u8>,
    /// What was there when recording began.
    start: Vec<u8>,
    ops: Vec<Op>,
    failing: Failing,
}

impl Disk {
    pub fn new() -> Disk {
        Disk::holding(Vec::new())
    }

    /// A disk that holds these bytes; recording begins here.
    pub fn holding(bytes: Vec<u8>) -> Disk {
        let inner = Inner { start: bytes.clone(), bytes, ops: Vec::new(), failing: Failing::No };
        Disk { inner: Arc::new(Mutex::new(inner)) }
    }

    /// The disk as redb sees it.
    pub fn backend(&self) -> Backend {
        Backend(self.clone())
    }

    /// How many writes and syncs were made.
    pub fn writes(&self) -> usize {
        self.inner.lock().expect("whole").ops.len()
    }

    /// How long it is.
    pub fn len(&self) -> u64 {
        self.inner.lock().expect("whole").bytes.len() as u64
    }

    /// Fails like this from here on.
    pub fn fail(&self, how: Failing) {
        self.inner.lock().expect("whole").failing = how;
    }

    /// What is there now.
    pub fn bytes(&self) -> Vec<u8> {
        self.inner.lock().expect("whole").bytes.clone()
    }

    /// The disk as found after the power went following the first `ops` writes and syncs: what was synced is there;
    /// of each later write, in whatever order, what `fate` says.
    pub fn after_cut(&self, ops: usize, fate: &mut dyn FnMut(usize) -> Survivors) -> Disk {
        let inner = self.inner.lock().expect("whole");
        let done = &inner.ops[..ops];
        let synced = done.iter().rposition(|op| matches!(op, Op::Sync)).map_or(0, |place| place + 1);
        let mut bytes = inner.start.clone();
        for (place, op) in done.iter().enumerate() {
            match op {
                Op::Sync => {}
                _ if place < synced => apply(&mut bytes, op, Survivors::All),
                _ => apply(&mut bytes, op, fate(place)),
            }
        }
        Disk::holding(bytes)
    }
}

fn apply(bytes: &mut Vec<u8>, op: &Op, fate: Survivors) {
    match (op, fate) {
        (_, Survivors::None) | (Op::Sync, _) => {}
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

/// The disk as redb sees it.
#[derive(Clone)]
pub struct Backend(Disk);

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
    fn write(&mut self, op: Op) -> io::Result<()> {
        let end = match &op {
            Op::Write { at, data } => at + data.len() as u64,
            Op::SetLen(_) | Op::Sync => 0,
        };
        match self.failing {
            Failing::FullBeyond(len) if end > len => return Err(io::Error::from_raw_os_error(ENOSPC)),
            Failing::Writes => return Err(io::Error::from_raw_os_error(EIO)),
            Failing::Syncs if matches!(op, Op::Sync) => return Err(io::Error::from_raw_os_error(EIO)),
            _ => {}
        }
        apply(&mut self.bytes, &op, Survivors::All);
        self.ops.push(op);
        Ok(())
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inner = self.0.inner.lock().expect("whole");
        let from = offset as usize;
        let part = inner.bytes.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.inner.lock().expect("whole").write(Op::SetLen(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.inner.lock().expect("whole").write(Op::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.inner.lock().expect("whole").write(Op::Write { at: offset, data: data.into() })
    }
}
