//! One commit in the making: what it changes, seen over what the earlier ones left.

use super::Shared;
use super::changes::Changes;
use super::fault::Fault;
use super::tables::{Meta, Place, Reading};
use crate::store::codec::{self, Key, Row};

/// One commit in the making.
pub(super) struct Draft<'s> {
    shared: &'s Shared,
    /// The tables as they were when they were last looked at.
    reading: Option<Reading>,
    pub(super) changes: Changes,
    pub(super) meta: Meta,
}

impl<'s> Draft<'s> {
    /// Begins over what was committed last.
    pub(super) fn begin(shared: &'s Shared) -> Self {
        Draft { shared, reading: None, changes: Changes::default(), meta: shared.pending.meta() }
    }

    /// Sets a value.
    pub(super) fn insert(&mut self, place: Place, key: impl Into<Key>, value: Vec<u8>) {
        self.changes.insert(place, key, value);
    }

    /// Removes a key, where it is there.
    pub(super) fn remove(&mut self, place: Place, key: impl Into<Key>) {
        self.changes.remove(place, key);
    }

    /// Returns a value as this commit would leave it.
    pub(super) fn value(&mut self, place: Place, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        if let Some(changed) = self.changes.get(place, key) {
            return Ok(changed.clone());
        }
        let found = self.shared.pending.find(place, key);
        if let Some(changed) = found.change {
            return Ok(changed);
        }
        // What was pending when the tables were looked at may have been written to them since.
        let reading = match self.reading.take() {
            Some(reading) if reading.meta.position >= found.drained => reading,
            _ => self.shared.begin_read()?,
        };
        self.reading.insert(reading).value(place, key)
    }

    /// Writes a row.
    pub(super) fn put<R: Row>(&mut self, row: &R) {
        self.insert(Place::Of(R::TABLE), row.key(), codec::encode(row));
    }

    /// Reads a row by its key.
    pub(super) fn get<R: Row>(&mut self, key: &[u8]) -> Result<Option<R>, Fault> {
        let value = self.value(Place::Of(R::TABLE), key)?;
        Ok(value.map(|value| codec::decode(key, &value)).transpose()?)
    }
}
