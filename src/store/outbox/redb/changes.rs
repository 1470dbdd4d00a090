//! What is to become of keys: the common coin of a commit, the journal, and the tables.
//!
//! A commit's rows are written once, end to end, as the journal has them; what is pending points into that.
//! ```text
//! table (1)  key's length, key  0: removed, or 1: value's length (4)  value
//! ```

use super::tables::Place;
use crate::store::codec::{Key, Malformed, Reader, Row, Writer, write_value};
use std::collections::{BTreeMap, HashMap, btree_map};
use std::ops::{Deref, Range};
use std::sync::Arc;

/// What is to become of a key; `None` removes.
pub(super) type Entry = (Key, Option<Value>);

/// What becomes of one key: where its value lies among the rows, `None` where it is removed.
pub(super) struct Change {
    pub(super) place: Place,
    pub(super) key: Key,
    pub(super) value: Option<Range<usize>>,
}

/// A value, within the rows of its commit.
#[derive(Clone)]
pub(super) struct Value {
    rows: Arc<[u8]>,
    range: Range<usize>,
}

/// The rows of one commit as they are written, behind room for a header.
pub(super) struct Rows {
    out: Writer,
    pub(super) changes: Vec<Change>,
}

/// What is to become of keys, table by table. The later change of a key stands.
#[derive(Clone, Default)]
pub(super) struct Changes {
    places: BTreeMap<Place, OfPlace>,
}

/// What is to become of a table's keys, as it came: whoever writes it to the tables puts it in order, not the writer,
/// for whom a caller waits.
#[derive(Clone, Default)]
struct OfPlace {
    entries: Vec<Entry>,
    /// Which is the latest of a key, in those tables that commits look into.
    latest: HashMap<Key, usize>,
}

/// A value's length before it is known.
const LENGTH: [u8; 4] = [0; 4];

impl Rows {
    /// Begins in a buffer that was used before, with so many bytes left free in front, and room for so many changes.
    pub(super) fn behind(header: usize, mut used: Vec<u8>, room: usize) -> Rows {
        used.clear();
        used.resize(header, 0);
        Rows { out: Writer::over(used), changes: Vec::with_capacity(room) }
    }

    /// Appends a row.
    pub(super) fn put<R: Row>(&mut self, row: &R) {
        self.append(Place::Of(R::TABLE), row.key(), |out| write_value(row, out));
    }

    /// Appends a key with a value.
    pub(super) fn insert(&mut self, place: Place, key: impl Into<Key>, value: &[u8]) {
        self.append(place, key.into(), |out| out.raw(value));
    }

    /// Appends that a key is removed.
    pub(super) fn remove(&mut self, place: Place, key: impl Into<Key>) {
        let key = key.into();
        self.begin(place, &key);
        self.out.flag(false);
        self.changes.push(Change { place, key, value: None });
    }

    /// Returns the bytes of a change's value.
    pub(super) fn value(&self, change: &Change) -> Option<&[u8]> {
        change.value.clone().map(|range| &self.out.written()[range])
    }

    /// Returns the rows, and what they change.
    pub(super) fn finish(self) -> (Vec<u8>, Vec<Change>) {
        (self.out.finish(), self.changes)
    }

    fn append(&mut self, place: Place, key: Key, write: impl FnOnce(&mut Writer)) {
        self.begin(place, &key);
        self.out.flag(true);
        self.out.raw(&LENGTH);
        let start = self.out.written().len();
        write(&mut self.out);
        let range = start..self.out.written().len();
        // A row has bounds far below 4 GiB: a request's body does.
        let len = u32::try_from(range.len()).unwrap_or(u32::MAX);
        self.out.patch(start - LENGTH.len(), &len.to_be_bytes());
        self.changes.push(Change { place, key, value: Some(range) });
    }

    fn begin(&mut self, place: Place, key: &[u8]) {
        self.out.byte(place.number());
        self.out.number(key.len() as u64);
        self.out.raw(key);
    }
}

/// Reads the rows that begin at `start` back.
pub(super) fn read(rows: &[u8], start: usize) -> Result<Vec<Change>, Malformed> {
    let mut changes = Vec::new();
    let mut body = Reader::new(rows.get(start..).ok_or(Malformed("rows"))?);
    while body.end().is_err() {
        let place = Place::from_number(body.byte()?).ok_or(Malformed("a known table's number"))?;
        let len = body.number()?;
        let key = Key::from_slice(body.raw(len)?);
        let value = body.option(|body| {
            let len = u32::from_be_bytes(body.array()?) as usize;
            body.raw(len)?;
            let end = rows.len() - body.left();
            Ok(end - len..end)
        })?;
        changes.push(Change { place, key, value });
    }
    Ok(changes)
}

impl Changes {
    /// Adds later changes, whose values lie in `rows`.
    pub(super) fn extend(&mut self, rows: &Arc<[u8]>, changes: Vec<Change>) {
        // Rows of one kind come in runs: the table is looked for once a run.
        let mut changes = changes.into_iter().peekable();
        while let Some(place) = changes.peek().map(|change| change.place) {
            let of_place = self.places.entry(place).or_default();
            while let Some(Change { key, value, .. }) = changes.next_if(|change| change.place == place) {
                of_place.add(place, (key, value.map(|range| Value { rows: Arc::clone(rows), range })));
            }
        }
    }

    /// Adds later changes.
    pub(super) fn join(&mut self, later: Changes) {
        for (place, later) in later.places {
            match self.places.entry(place) {
                btree_map::Entry::Vacant(slot) => drop(slot.insert(later)),
                btree_map::Entry::Occupied(mut held) => {
                    later.entries.into_iter().for_each(|entry| held.get_mut().add(place, entry));
                }
            }
        }
    }

    /// Returns what becomes of a key, where anything does.
    pub(super) fn get(&self, place: Place, key: &[u8]) -> Option<&Option<Value>> {
        let of_place = self.places.get(&place)?;
        let entry = if place.is_looked_into() {
            of_place.latest.get(key).map(|number| &of_place.entries[*number])
        } else {
            of_place.entries.iter().rev().find(|(changed, _)| changed[..] == *key)
        };
        entry.map(|(_, value)| value)
    }

    /// Says whether nothing changes.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Hands out each table that changes, and how, each key once and in their order.
    pub(super) fn places(&self) -> impl Iterator<Item = (Place, Vec<&Entry>)> {
        self.places.iter().map(|(place, of_place)| (*place, of_place.in_order()))
    }
}

impl OfPlace {
    fn add(&mut self, place: Place, entry: Entry) {
        if place.is_looked_into() {
            self.latest.insert(entry.0.clone(), self.entries.len());
        }
        self.entries.push(entry);
    }

    fn in_order(&self) -> Vec<&Entry> {
        // The later one first; the sort is stable, so that of each key the latest is kept.
        let mut ordered: Vec<&Entry> = self.entries.iter().rev().collect();
        ordered.sort_by(|(one, _), (other, _)| one.cmp(other));
        ordered.dedup_by(|(earlier, _), (latest, _)| earlier == latest);
        ordered
    }
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.rows[self.range.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codec::Table;
    use crate::store::outbox::redb::tables::Index;

    #[test]
    fn changes_read_back_and_the_later_one_stands() {
        let (message, open) = (Place::Of(Table::Message), Place::By(Index::Open));
        let mut rows = Rows::behind(3, Vec::new(), 0);
        rows.insert(message, b"a".as_slice(), b"1");
        rows.insert(open, b"a".as_slice(), b"");
        rows.insert(message, b"a".as_slice(), b"22");
        rows.remove(open, b"a".as_slice());
        let (bytes, _) = rows.finish();
        let mut changes = Changes::default();
        changes.extend(&Arc::from(&bytes[..]), read(&bytes, 3).expect("read"));
        let found =
            |place, key: &[u8]| changes.get(place, key).map(|value| value.as_deref().map(<[u8]>::to_vec));
        assert_eq!(found(message, b"a"), Some(Some(b"22".to_vec())));
        assert_eq!(found(open, b"a"), Some(None));
        assert_eq!(found(message, b"b"), None);
        let written: Vec<_> = changes
            .places()
            .map(|(place, entries)| {
                (
                    place,
                    entries
                        .into_iter()
                        .map(|(key, value)| (key.to_vec(), value.as_deref().map(<[u8]>::to_vec)))
                        .collect(),
                )
            })
            .collect::<Vec<(Place, Vec<_>)>>();
        assert_eq!(
            written,
            [(message, vec![(b"a".to_vec(), Some(b"22".to_vec()))]), (open, vec![(b"a".to_vec(), None)])]
        );
        let whole = |cut: usize| read(&bytes[..cut], 3).map(|changes| changes.len());
        let lens: Vec<_> = (3..=bytes.len()).filter_map(|cut| whole(cut).ok()).collect();
        assert_eq!(lens, [0, 1, 2, 3, 4], "only where a row ends");
    }
}
