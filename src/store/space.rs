//! Room on disk: how much is free, and a reserve that is kept for settling what was accepted.
//!
//! The reserve is a file of real blocks beside the outbox, at least as large as configured and grown to what the
//! unsettled deliveries may still write. While there is room above it, messages are taken. When the room runs low,
//! intake stops first, with the reserve still whole; only when even the writes that settle find no room is the
//! reserve given up. When there is room again it is put back, and intake opens.
//!
//! Invariant: the reserve is never taken from the last of the room: it is put back or grown only if twice the low-water
//! mark is still free beside it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The reserve, where `wasl.toml` says nothing. Cites: the contract.
pub const RESERVE_BYTES: u64 = 256 << 20;

/// What settling one delivery may write: its row (200), an attempt (250), two receipts (35 each), and a fifth more for
/// the tree's half-empty pages.
const SETTLE_BYTES: u64 = 640;
/// What accepting one delivery may write: a person with a few addresses and audiences in the frozen audience.
const ACCEPT_BYTES: u64 = 256;
/// The free room below which intake stops: an eighth of the reserve, so that a small disk may have a small one.
const LOW_WATER_SHARE: u64 = 8;
/// What may have been taken and is yet to be written where it stays: the outbox's journal (8 MiB), and as much again for
/// the trees' half-empty pages.
const PENDING_BYTES: u64 = 16 << 20;
/// The bounds of the low-water mark: a turn's commit takes a few MiB, and intake looks again each second.
const LOW_WATER_MIN: u64 = 4 << 20;
const LOW_WATER_MAX: u64 = 128 << 20;

/// Watches the room on the store's disk, and keeps the reserve.
#[derive(Debug)]
pub struct Space {
    reserve: PathBuf,
    /// The least that is kept.
    reserve_bytes: u64,
    /// One at a time looks and changes.
    watch: Mutex<()>,
    takes_messages: AtomicBool,
}

/// How the room is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Free bytes, the reserve not counted.
    pub free_bytes: u64,
    /// How large the reserve is.
    pub reserve_bytes: u64,
    /// Whether the reserve is as large as it should be.
    pub reserve_held: bool,
    /// Whether new messages may be taken.
    pub intake_allowed: bool,
}

impl Space {
    /// Watches the room for `folder`, and puts the reserve there if there is room for it.
    pub fn open(folder: &Path, reserve_bytes: u64) -> io::Result<Space> {
        let space = Space {
            reserve: folder.join("reserve"),
            reserve_bytes,
            watch: Mutex::new(()),
            takes_messages: AtomicBool::new(false),
        };
        space.refresh(0)?;
        Ok(space)
    }

    /// Says whether a message of so many deliveries may be taken. Costs at most one look at the file system.
    pub fn intake_allowed(&self, deliveries: u64) -> bool {
        let room = deliveries.saturating_mul(ACCEPT_BYTES + SETTLE_BYTES);
        let needed = room.saturating_add(self.low_water() + PENDING_BYTES);
        self.takes_messages.load(Ordering::Relaxed)
            && free_bytes(&self.reserve).is_ok_and(|free_bytes| free_bytes >= needed)
    }

    /// Looks again: brings the reserve to the size that so many unsettled deliveries need, if there is room for it;
    /// opens or stops intake. To be called every second.
    pub fn refresh(&self, unsettled: u64) -> io::Result<Room> {
        let _watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let target = self.reserve_bytes.max(unsettled.saturating_mul(SETTLE_BYTES));
        let reserve_bytes = self.resize(target)?;
        let free_bytes = free_bytes(&self.reserve)?;
        let reserve_held = reserve_bytes >= target;
        let intake_allowed = reserve_held && free_bytes >= self.low_water() + PENDING_BYTES;
        self.takes_messages.store(intake_allowed, Ordering::Relaxed);
        Ok(Room { free_bytes, reserve_bytes, reserve_held, intake_allowed })
    }

    /// Gives the reserve up, so that what was accepted can be settled, and stops intake. To be called when a commit
    /// finds the disk full. Says whether that made room.
    pub fn release(&self) -> io::Result<bool> {
        let _watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        self.takes_messages.store(false, Ordering::Relaxed);
        match fs::remove_file(&self.reserve) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn low_water(&self) -> u64 {
        low_water(self.reserve_bytes)
    }

    /// Brings the reserve to `target` if there is room; returns how large it is.
    fn resize(&self, target: u64) -> io::Result<u64> {
        let held = fs::metadata(&self.reserve).map_or(0, |meta| blocks(&meta));
        if held > target.saturating_add(self.reserve_bytes) {
            File::options().write(true).open(&self.reserve)?.set_len(target)?;
            return Ok(target);
        }
        // Grown in strides, so that a steady stream of messages does not change it every second.
        let goal = target.checked_next_multiple_of(self.low_water()).unwrap_or(target);
        let needed = goal.saturating_sub(held).saturating_add(2 * self.low_water());
        if held >= target || free_bytes(&self.reserve)? < needed {
            return Ok(held);
        }
        match allocate(&self.reserve, goal) {
            Ok(()) => Ok(goal),
            // Somebody else took the room meanwhile.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                fs::remove_file(&self.reserve)?;
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }
}

/// Looks at the room as a service would find it that begins now, and changes nothing.
pub fn look(folder: &Path, reserve_bytes: u64) -> io::Result<Room> {
    let reserve = folder.join("reserve");
    let (held, free_bytes) = (fs::metadata(&reserve).map_or(0, |meta| blocks(&meta)), free_bytes(&reserve)?);
    let (low_water, missing) = (low_water(reserve_bytes), reserve_bytes.saturating_sub(held));
    let reserve_held = missing == 0 || free_bytes >= missing.saturating_add(2 * low_water);
    let left = free_bytes.saturating_sub(missing);
    let intake_allowed = reserve_held && left >= low_water + PENDING_BYTES;
    Ok(Room { free_bytes, reserve_bytes: held, reserve_held, intake_allowed })
}

fn low_water(reserve_bytes: u64) -> u64 {
    (reserve_bytes / LOW_WATER_SHARE).clamp(LOW_WATER_MIN, LOW_WATER_MAX)
}

/// Returns the free bytes of the file system on which `path` lies or would lie.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(folder_of(path))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Makes a name in a folder durable: a rename or a new file survives a power cut from here on.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn blocks(meta: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    meta.blocks() * 512
}

/// Makes a file of real blocks.
pub(crate) fn allocate(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(false).open(path)?;
    match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Ok(()) => {}
        // File systems without the call (FAT, NFS 3) get written blocks.
        Err(rustix::io::Errno::OPNOTSUPP) => {
            let zeros = vec![0; 1 << 20];
            let mut left = bytes;
            while left > 0 {
                let part = left.min(zeros.len() as u64);
                file.write_all(&zeros[..part as usize])?;
                left -= part;
            }
        }
        Err(error) => return Err(error.into()),
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_reserve_takes_blocks_and_gives_them_back() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(look(folder.path(), 8 * MIB).expect("a room").intake_allowed);
        let space = Space::open(folder.path(), 8 * MIB).expect("room for 8 MiB");
        let room = space.refresh(0).expect("a room");
        assert!(room.reserve_held && room.intake_allowed && space.intake_allowed(1_000));
        let held = blocks(&fs::metadata(folder.path().join("reserve")).expect("the reserve"));
        assert!(held >= 8 * MIB, "{held}");
        assert!(space.release().expect("released"));
        assert!(!space.intake_allowed(1));
        assert!(!space.release().expect("released twice"), "there was nothing more to give");
        assert!(space.refresh(0).expect("put back").intake_allowed);
    }

    #[test]
    fn the_reserve_follows_what_is_unsettled() {
        let folder = tempfile::tempdir().expect("a folder");
        let space = Space::open(folder.path(), 4 * MIB).expect("room for 4 MiB");
        let size = |unsettled| space.refresh(unsettled).expect("a room").reserve_bytes;
        assert_eq!(size(0), 4 * MIB);
        assert_eq!(size(10_000), 8 * MIB);
        assert_eq!(size(9_000), 8 * MIB, "it does not change with every delivery");
        assert_eq!(size(0), 8 * MIB);
        assert_eq!(size(20_000), 16 * MIB);
        assert_eq!(size(0), 4 * MIB);
    }

    #[test]
    fn a_reserve_larger_than_the_disk_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!look(folder.path(), 1 << 60).expect("a room").reserve_held);
        let space = Space::open(folder.path(), 1 << 60).expect("opened all the same");
        let room = space.refresh(0).expect("a room");
        assert!(!room.reserve_held && !room.intake_allowed && !space.intake_allowed(1));
        assert!(!folder.path().join("reserve").exists());
    }

    #[test]
    fn a_message_larger_than_the_room_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let space = Space::open(folder.path(), 4 * MIB).expect("room for 4 MiB");
        assert!(space.intake_allowed(1) && !space.intake_allowed(u64::MAX));
    }
}
