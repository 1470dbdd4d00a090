//! One commit in the making: what it changes, seen over what the earlier ones left.

use super::Shared;
use super::changes::{Change, Rows};
use super::fault::Fault;
use super::journal::HEADER;
use super::tables::{Meta, Place, Reading};
use crate::store::codec::{self, Key, Row, Visitor};
use std::collections::HashMap;

/// One commit in the making.
pub(super) struct Draft<'s> {
    shared: &'s Shared,
    /// The tables as they were when they were last looked at.
    reading: Option<Reading>,
    rows: Rows,
    /// Which of the changes is the latest of a key, in those tables that a commit looks into.
    latest: HashMap<(Place, Key), usize>,
    pub(super) meta: Meta,
}

/// A commit, ready to be made durable.
pub(super) struct Drafted {
    /// Its rows as the journal has them, behind room for a header.
    pub(super) rows: Vec<u8>,
    pub(super) changes: Vec<Change>,
    pub(super) meta: Meta,
}

/// How many changes most puts make: the row, and a row of an index.
const CHANGES: usize = 2;

impl<'s> Draft<'s> {
    /// Begins over what was committed last, in a buffer that was used before, with so many puts to come.
    pub(super) fn begin(shared: &'s Shared, used: Vec<u8>, puts: usize) -> Self {
        let (rows, meta) = (Rows::behind(HEADER, used, puts.saturating_mul(CHANGES)), shared.pending.meta());
        Draft { shared, reading: None, rows, latest: HashMap::new(), meta }
    }

    /// Ends; the commit has the next position.
    pub(super) fn finish(self) -> Drafted {
        let (rows, changes) = self.rows.finish();
        let mut meta = self.meta;
        meta.position.0 += 1;
        Drafted { rows, changes, meta }
    }

    /// Sets a value.
    pub(super) fn insert(&mut self, place: Place, key: impl Into<Key>, value: &[u8]) {
        self.rows.insert(place, key, value);
        self.note();
    }

    /// Removes a key, where it is there.
    pub(super) fn remove(&mut self, place: Place, key: impl Into<Key>) {
        self.rows.remove(place, key);
        self.note();
    }

    /// Writes a row.
    pub(super) fn put<R: Row>(&mut self, row: &R) {
        self.rows.put(row);
        self.note();
    }

    /// Returns a value as this commit would leave it.
    pub(super) fn value(&mut self, place: Place, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let own = if place.is_looked_into() {
            self.latest.get(&(place, Key::from_slice(key))).map(|number| &self.rows.changes[*number])
        } else {
            self.rows.changes.iter().rev().find(|change| change.place == place && change.key[..] == *key)
        };
        if let Some(own) = own {
            return Ok(self.rows.value(own).map(<[u8]>::to_vec));
        }
        let found = self.shared.pending.find(place, key);
        if let Some(changed) = found.change {
            return Ok(changed.map(|value| value.to_vec()));
        }
        // What was pending when the tables were looked at may have been written to them since.
        let reading = match self.reading.take() {
            Some(reading) if reading.meta.position >= found.drained => reading,
            _ => self.shared.begin_read()?,
        };
        self.reading.insert(reading).value(place, key)
    }

    /// Reads a row by its key.
    pub(super) fn get<R: Row>(&mut self, key: &[u8]) -> Result<Option<R>, Fault> {
        let value = self.value(Place::Of(R::TABLE), key)?;
        Ok(value.map(|value| codec::decode(key, &value)).transpose()?)
    }

    /// Notes where the latest change stands.
    fn note(&mut self) {
        let Some(Change { place, key, .. }) = self.rows.changes.last() else { return };
        if place.is_looked_into() {
            self.latest.insert((*place, key.clone()), self.rows.changes.len() - 1);
        }
    }
}

impl Visitor for &mut Draft<'_> {
    type Out = ();

    fn visit<R: Row>(self, row: &R) {
        self.put(row);
    }
}
