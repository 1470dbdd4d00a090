//! What is to become of keys: the common coin of a commit, the journal, and the tables.

use super::tables::Place;
use crate::store::codec::{Key, Malformed, Reader, Writer};
use std::collections::{BTreeMap, btree_map};

/// What is to become of a table's keys, in their order; `None` removes.
pub(super) type OfPlace = BTreeMap<Key, Option<Vec<u8>>>;

/// What is to become of keys, table by table. The later change of a key stands.
#[derive(Clone, Default)]
pub(super) struct Changes {
    places: BTreeMap<Place, OfPlace>,
}

impl Changes {
    /// Sets a value.
    pub(super) fn insert(&mut self, place: Place, key: impl Into<Key>, value: Vec<u8>) {
        self.places.entry(place).or_default().insert(key.into(), Some(value));
    }

    /// Removes a key, where it is there.
    pub(super) fn remove(&mut self, place: Place, key: impl Into<Key>) {
        self.places.entry(place).or_default().insert(key.into(), None);
    }

    /// Returns what becomes of a key, where anything does.
    pub(super) fn get(&self, place: Place, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.places.get(&place).and_then(|keys| keys.get(key))
    }

    /// Adds later changes.
    pub(super) fn extend(&mut self, later: Changes) {
        for (place, keys) in later.places {
            match self.places.entry(place) {
                btree_map::Entry::Vacant(slot) => drop(slot.insert(keys)),
                btree_map::Entry::Occupied(mut held) => held.get_mut().extend(keys),
            }
        }
    }

    /// Says whether nothing changes.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Hands out each table that changes, and how.
    pub(super) fn places(&self) -> impl Iterator<Item = (Place, &OfPlace)> {
        self.places.iter().map(|(place, keys)| (*place, keys))
    }

    /// Appends them as they lie in the journal.
    pub(super) fn write(&self, out: &mut Writer) {
        out.list(self.places.iter(), |out, (place, keys)| {
            out.byte(place.number());
            out.list(keys.iter(), |out, (key, value)| {
                out.number(key.len() as u64);
                out.raw(key);
                out.option(value.as_deref(), |out, value| {
                    out.number(value.len() as u64);
                    out.raw(value);
                });
            });
        });
    }

    /// Reads back what [`Changes::write`] wrote.
    pub(super) fn read(body: &mut Reader<'_>) -> Result<Changes, Malformed> {
        fn bytes<'a>(body: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
            let len = body.number()?;
            body.raw(len)
        }
        let places = body.list(|body| {
            let place = Place::from_number(body.byte()?).ok_or(Malformed("a known table's number"))?;
            let keys = body.list(|body| {
                Ok((Key::from_slice(bytes(body)?), body.option(|body| bytes(body).map(<[u8]>::to_vec))?))
            })?;
            Ok((place, keys))
        })?;
        Ok(Changes { places })
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
        let mut changes = Changes::default();
        changes.insert(message, b"a".as_slice(), b"1".to_vec());
        changes.insert(open, b"a".as_slice(), Vec::new());
        let mut later = Changes::default();
        later.insert(message, b"a".as_slice(), b"2".to_vec());
        later.remove(open, b"a".as_slice());
        changes.extend(later);
        let mut out = Writer::new();
        changes.write(&mut out);
        let bytes = out.finish();
        let read = Changes::read(&mut Reader::new(&bytes)).expect("read");
        assert_eq!(read.get(message, b"a"), Some(&Some(b"2".to_vec())));
        assert_eq!(read.get(open, b"a"), Some(&None));
        assert_eq!(read.get(message, b"b"), None);
        for cut in 0..bytes.len() {
            assert!(Changes::read(&mut Reader::new(&bytes[..cut])).is_err(), "{cut}");
        }
    }
}
