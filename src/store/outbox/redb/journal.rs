//! The journal: commits as they were acknowledged, until the tables have them.
//!
//! A commit is one record, written at the journal's tail and synced once. The file keeps its length: its two halves are
//! written in turn, over and over, so that a sync has no metadata to write. A half may be written over when the tables
//! durably have all that it holds; while everything is in the tables, the tail goes back to the half's beginning.
//!
//! A record begins on a page, so that a torn write harms no other record:
//! ```text
//! "WJ01"  rows' length (4)  position (8)  try (8)  the clock (8)  CRC-32 (4)  rows  zeros to the page's end
//! ```
//! Numbers are big-endian. The checksum covers the store's salt, the header and the rows: neither another store's
//! record nor bytes that somebody put into a message pass for one of this store's.
//!
//! Limits: a commit that is longer than a half goes straight to the tables.
//!
//! Invariants: positions follow each other without a gap, and the next record is begun only when the last is synced. So
//! on opening, the records behind the tables' position are all there in a row; where one of them is missing and a later
//! one is there, the disk lost what it had promised, and that is said, not passed over. Of two records of one position
//! (the first failed half way) the later try stands.

use super::changes::{Change, read};
use super::fault::Fault;
use crate::core::time::Timestamp;
use crate::store::codec::{Reader, crc32_of};
use crate::store::outbox::Position;
use redb::StorageBackend;
use std::collections::BTreeMap;

/// How long the journal's file is.
pub(super) const JOURNAL_BYTES: u64 = 8 << 20;
/// Where records may begin: what disks write whole, and what the page cache holds.
const PAGE: usize = 4096;
const MAGIC: &[u8; 4] = b"WJ01";
/// The header: magic, length, position, try, clock, checksum.
pub(super) const HEADER: usize = 36;
/// Where the checksum stands in it.
const CRC: usize = 32;

/// The journal's file, and where its tail is.
pub(super) struct Journal {
    medium: Box<dyn StorageBackend>,
    salt: u64,
    /// How long a half is.
    half: u64,
    /// The half that is written now.
    current: usize,
    /// Where the next record goes in the file, where it fits.
    tail: u64,
    /// The last position that each half holds.
    last: [Position; 2],
    /// The number of the latest try to write a record.
    tries: u64,
}

/// A commit that the tables do not have yet.
pub(super) struct Replayed {
    pub(super) position: Position,
    pub(super) clock: Timestamp,
    pub(super) rows: Vec<u8>,
    pub(super) changes: Vec<Change>,
}

/// A record as it was found.
#[derive(Clone, Copy)]
struct Found<'b> {
    position: Position,
    tries: u64,
    clock: Timestamp,
    rows: &'b [u8],
}

/// Where a record can go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Room {
    /// There is room for it; `turned` where it begins the other half.
    At { offset: u64, turned: bool },
    /// The tables must take what the other half holds first.
    Occupied,
    /// It is longer than a half.
    TooLong,
}

/// A record, ready to be written.
pub(super) struct Framed {
    bytes: Vec<u8>,
    /// How many bytes lie before the zeros at the end.
    len: usize,
    position: Position,
}

impl Framed {
    /// Returns the header and the rows.
    pub(super) fn rows(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Returns the buffer, to be used again.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

impl Journal {
    /// Takes a journal on any medium; one without a length is made `bytes` long.
    pub(super) fn open(medium: Box<dyn StorageBackend>, bytes: u64, salt: u64) -> Result<Journal, Fault> {
        let half = (bytes / 2).next_multiple_of(PAGE as u64);
        if medium.len()? < 2 * half {
            medium.set_len(2 * half)?;
            medium.sync_data()?;
        }
        Ok(Journal { medium, salt, half, current: 0, tail: 0, last: [Position(0); 2], tries: 0 })
    }

    /// Says by which salt records are told from strangers; a store gets one with its first commit by this program.
    pub(super) fn salt(&mut self, salt: u64) {
        self.salt = salt;
    }

    /// Returns the commits after `after`, in their order.
    pub(super) fn replay(&mut self, after: Position) -> Result<Vec<Replayed>, Fault> {
        let bytes = self.read_all()?;
        let mut records: BTreeMap<Position, Found<'_>> = BTreeMap::new();
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(found) = self.parse(rest) else {
                at += PAGE;
                continue;
            };
            at += (HEADER + found.rows.len()).next_multiple_of(PAGE);
            self.tries = self.tries.max(found.tries);
            let is_later = records.get(&found.position).is_none_or(|earlier| earlier.tries < found.tries);
            if found.position > after && is_later {
                records.insert(found.position, found);
            }
        }
        let expected = (after.0 + 1..).map(Position);
        if let Some((missing, found)) = expected.zip(records.keys()).find(|(next, found)| next != *found) {
            return Err(Fault::Journal(format!(
                "commit {} is missing and commit {} is there",
                missing.0, found.0
            )));
        }
        records.into_values().map(replayed).collect()
    }

    fn read_all(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; 2 * self.half as usize];
        for (number, page) in bytes.chunks_mut(PAGE).enumerate() {
            let read = self.medium.read((number * PAGE) as u64, page);
            read.map_err(|error| {
                Fault::Journal(format!("page {number} of the journal cannot be read: {error}"))
            })?;
        }
        Ok(bytes)
    }

    /// Makes a record of a commit's rows, which lie behind room for the header.
    pub(super) fn frame(&mut self, position: Position, clock: Timestamp, mut bytes: Vec<u8>) -> Framed {
        self.tries += 1;
        // Rows of 4 GiB would be longer than a half by far: such a record is never written.
        let len = u32::try_from(bytes.len() - HEADER).unwrap_or(u32::MAX);
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&len.to_be_bytes());
        bytes[8..16].copy_from_slice(&position.0.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.tries.to_be_bytes());
        bytes[24..CRC].copy_from_slice(&clock.ms().to_be_bytes());
        let crc = self.checksum(&bytes[..CRC], &bytes[HEADER..]);
        bytes[CRC..HEADER].copy_from_slice(&crc.to_be_bytes());
        let len = bytes.len();
        bytes.resize(len.next_multiple_of(PAGE), 0);
        Framed { bytes, len, position }
    }

    /// Says where a record can go while the tables have everything up to `drained`.
    pub(super) fn room(&self, record: &Framed, drained: Position) -> Room {
        let len = record.bytes.len() as u64;
        let start = self.current as u64 * self.half;
        if len > self.half {
            Room::TooLong
        } else if drained >= self.last[0].max(self.last[1]) {
            Room::At { offset: start, turned: false }
        } else if self.tail + len <= start + self.half {
            Room::At { offset: self.tail, turned: false }
        } else if drained >= self.last[1 - self.current] {
            Room::At { offset: self.half - start, turned: true }
        } else {
            Room::Occupied
        }
    }

    /// Writes a record where there is room for it; on return it has survived a power cut.
    pub(super) fn append(&mut self, record: &Framed, offset: u64) -> Result<(), Fault> {
        self.medium.write(offset, &record.bytes)?;
        self.medium.sync_data()?;
        self.current = usize::from(offset >= self.half);
        self.tail = offset + record.bytes.len() as u64;
        self.last[self.current] = record.position;
        Ok(())
    }

    /// Returns the record that begins here, where a whole one does.
    fn parse<'b>(&self, bytes: &'b [u8]) -> Option<Found<'b>> {
        let mut header = Reader::new(bytes.get(..HEADER)?);
        if header.array().ok()? != *MAGIC {
            return None;
        }
        let len = u32::from_be_bytes(header.array().ok()?) as usize;
        let position = Position(u64::from_be_bytes(header.array().ok()?));
        let tries = u64::from_be_bytes(header.array().ok()?);
        let clock = Timestamp::from_ms(i64::from_be_bytes(header.array().ok()?));
        let crc = u32::from_be_bytes(header.array().ok()?);
        let rows = bytes.get(HEADER..HEADER.checked_add(len)?)?;
        (crc == self.checksum(&bytes[..CRC], rows)).then_some(Found { position, tries, clock, rows })
    }

    fn checksum(&self, header: &[u8], rows: &[u8]) -> u32 {
        crc32_of(&[&self.salt.to_be_bytes(), header, rows])
    }
}

fn replayed(found: Found<'_>) -> Result<Replayed, Fault> {
    let Found { position, clock, rows, .. } = found;
    let changes =
        read(rows, 0).map_err(|bad| Fault::Journal(format!("commit {} has not {}", position.0, bad.0)))?;
    Ok(Replayed { position, clock, rows: rows.to_vec(), changes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codec::Table;
    use crate::store::outbox::redb::changes::Rows;
    use crate::store::outbox::redb::tables::Place;
    use redb::backends::InMemoryBackend;
    use std::sync::Arc;

    const SALT: u64 = 7;

    /// One medium under several journals, as a file is.
    #[derive(Clone, Debug)]
    struct Medium(Arc<InMemoryBackend>);

    impl StorageBackend for Medium {
        fn len(&self) -> std::io::Result<u64> {
            self.0.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
            self.0.read(offset, out)
        }

        fn set_len(&self, len: u64) -> std::io::Result<()> {
            self.0.set_len(len)
        }

        fn sync_data(&self) -> std::io::Result<()> {
            self.0.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
            self.0.write(offset, data)
        }
    }

    fn medium() -> Medium {
        Medium(Arc::new(InMemoryBackend::new()))
    }

    /// A journal of two halves of four pages.
    fn open(medium: &Medium, salt: u64) -> Journal {
        Journal::open(Box::new(medium.clone()), 8 * PAGE as u64, salt).expect("opened")
    }

    fn rows(len: usize) -> Vec<u8> {
        let mut rows = Rows::behind(HEADER, Vec::new(), 0);
        rows.insert(Place::Of(Table::Audit), b"key".as_slice(), &vec![1; len]);
        rows.finish().0
    }

    /// Writes a record of `len` bytes, and says where it went.
    fn write(journal: &mut Journal, position: u64, len: usize, drained: u64) -> Room {
        let record = journal.frame(Position(position), Timestamp::from_ms(5), rows(len));
        let room = journal.room(&record, Position(drained));
        if let Room::At { offset, .. } = room {
            journal.append(&record, offset).expect("written");
        }
        room
    }

    fn replayed(medium: &Medium, salt: u64, after: u64) -> Vec<u64> {
        let found = open(medium, salt).replay(Position(after)).expect("replayed");
        found.into_iter().map(|commit| commit.position.0).collect()
    }

    /// For ever, as the golden bytes of rows are: a change of it needs another magic, and this one to be read on.
    #[test]
    fn a_record_has_its_golden_bytes() {
        let mut journal = open(&medium(), SALT);
        let record = journal.frame(Position(1), Timestamp::from_ms(5), rows(2));
        let hex: String = record.rows().iter().map(|byte| format!("{byte:02x}")).collect();
        let (header, rows) = hex.split_at(2 * HEADER);
        assert_eq!(header, "574a30310000000c00000000000000010000000000000001000000000000000553b4ae65");
        assert_eq!(rows, "0b036b657901000000020101");
    }

    #[test]
    fn the_halves_are_written_in_turn_as_the_tables_take_them() {
        let medium = medium();
        let mut journal = open(&medium, SALT);
        let half = 4 * PAGE as u64;
        let at = |offset: u64| Room::At { offset, turned: false };
        assert_eq!(write(&mut journal, 1, 10, 0), at(0));
        assert_eq!(write(&mut journal, 2, 2 * PAGE, 0), at(PAGE as u64));
        assert_eq!(write(&mut journal, 3, 10, 0), Room::At { offset: half, turned: true });
        assert_eq!(write(&mut journal, 4, 2 * PAGE, 0), at(half + PAGE as u64));
        assert_eq!(write(&mut journal, 5, 10, 1), Room::Occupied, "commit 2 is nowhere else yet");
        assert_eq!(write(&mut journal, 5, 10, 2), Room::At { offset: 0, turned: true });
        assert_eq!(write(&mut journal, 6, 5 * PAGE, 2), Room::TooLong);
        assert_eq!(replayed(&medium, SALT, 2), [3, 4, 5]);
        assert_eq!(write(&mut journal, 6, 10, 5), at(0), "all is in the tables: from the beginning");
        assert_eq!(replayed(&medium, SALT, 5), [6]);
    }

    #[test]
    fn a_record_that_is_not_ours_is_no_record() {
        let medium = medium();
        let mut journal = open(&medium, SALT);
        write(&mut journal, 1, 10, 0);
        assert_eq!(replayed(&medium, SALT, 0), [1]);
        assert_eq!(replayed(&medium, SALT + 1, 0), [0; 0], "another store's");
        for damaged in [0, 9, HEADER as u64, HEADER as u64 + 12] {
            let mut byte = [0];
            medium.read(damaged, &mut byte).expect("read");
            medium.write(damaged, &[byte[0] ^ 1]).expect("written");
            assert_eq!(replayed(&medium, SALT, 0), [0; 0], "torn at {damaged}");
            medium.write(damaged, &byte).expect("written");
        }
        assert_eq!(replayed(&medium, SALT, 0), [1]);
    }

    #[test]
    fn a_hole_is_said_and_not_passed_over() {
        let medium = medium();
        let mut journal = open(&medium, SALT);
        for position in 1..=3 {
            write(&mut journal, position, 10, 0);
        }
        medium.write(PAGE as u64, b"gone").expect("written");
        let Err(Fault::Journal(why)) = open(&medium, SALT).replay(Position(0)) else { panic!("passed over") };
        assert_eq!(why, "commit 2 is missing and commit 3 is there");
        assert_eq!(replayed(&medium, SALT, 2), [3], "the tables have it");
    }

    #[test]
    fn of_two_tries_at_one_commit_the_later_stands() {
        let medium = medium();
        let mut journal = open(&medium, SALT);
        let failed = journal.frame(Position(1), Timestamp::from_ms(5), rows(10));
        medium.write(4 * PAGE as u64, &failed.bytes).expect("written, and never acknowledged");
        write(&mut journal, 1, 20, 0);
        let found = open(&medium, SALT).replay(Position(0)).expect("replayed");
        assert_eq!(found[0].changes[0].value.as_ref().map(ExactSizeIterator::len), Some(20));
        assert_eq!(found[0].clock, Timestamp::from_ms(5));
    }
}
