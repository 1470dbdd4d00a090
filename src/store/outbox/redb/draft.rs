//! One commit in the making: what it changes, seen over what the earlier ones left.

use super::Shared;
use super::changes::{Change, Rows};
use super::fault::Fault;
use super::journal::HEADER;
use super::tables::{Index, Meta, Place, Reading};
use crate::store::codec::{self, Key, Row, Table, Visitor};
use std::collections::BTreeMap;

/// One commit in the making.
pub(super) struct Draft<'s> {
    shared: &'s Shared,
    /// The tables as they were when they were last looked at.
    reading: Option<Reading>,
    rows: Rows,
    /// Which of the changes is the latest of a key, in those tables that a commit looks into.
    latest: BTreeMap<(Place, Key), usize>,
    pub(super) meta: Meta,
}

/// A commit, ready to be made durable.
pub(super) struct Drafted {
    /// Its rows as the journal has them, behind room for a header.
    pub(super) rows: Vec<u8>,
    pub(super) changes: Vec<Change>,
    pub(super) meta: Meta,
}

/// Says whether a commit looks into this table for what it may have just changed.
const fn is_looked_into(place: Place) -> bool {
    matches!(
        place,
        Place::Of(
            Table::Audience
                | Table::Attempt
                | Table::Receipt
                | Table::Idempotency
                | Table::Contact
                | Table::Reply
        ) | Place::By(Index::ProviderId | Index::ReplyId)
    )
}

impl<'s> Draft<'s> {
    /// Begins over what was committed last, in a buffer that was used before.
    pub(super) fn begin(shared: &'s Shared, used: Vec<u8>) -> Self {
        let (rows, meta) = (Rows::behind(HEADER, used), shared.pending.meta());
        Draft { shared, reading: None, rows, latest: BTreeMap::new(), meta }
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
        debug_assert!(is_looked_into(place), "{place:?} has no index");
        if let Some(number) = self.latest.get(&(place, Key::from_slice(key))) {
            return Ok(self.rows.value(&self.rows.changes[*number]).map(<[u8]>::to_vec));
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
        if is_looked_into(*place) {
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
