//! One writing transaction, and how changes go into the tables.
//!
//! Changes are written table by table in the order of the keys: what is new goes in as runs, which fill their pages,
//! where row by row each new page would be split in two halves.

use super::changes::{Changes, Entry};
use super::fault::Fault;
use super::tables::{Bytes, Meta, Place, RawRow, each_under};
use crate::store::codec::{self, Key, Table};
use crate::store::outbox::Walk;
use redb::{Database, Durability, ReadableTable, WriteTransaction};
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::iter::Peekable;
use std::ops::Bound;

/// One writing transaction. Tables are opened as they are needed: most commits touch a few.
pub(super) struct Writing<'t> {
    transaction: &'t WriteTransaction,
    open: BTreeMap<Place, redb::Table<'t, Bytes, Bytes>>,
    /// Keys that are to be removed from tables, and are there yet.
    removed: BTreeMap<Place, BTreeSet<Key>>,
    /// Whether anything was changed.
    touched: bool,
}

/// Writes changes, and what the store now knows about itself, as one commit that survives a power cut.
pub(super) fn write_all(database: &Database, changes: &Changes, meta: &Meta) -> Result<(), Fault> {
    transact(database, |tables| {
        tables.write(changes)?;
        tables.note(meta)
    })
}

/// Runs one transaction, and makes it durable where it changed anything.
///
/// With quick repair, opening after a crash reads no more than opening after a clean stop.
pub(super) fn transact<T>(
    database: &Database,
    change: impl FnOnce(&mut Writing<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_quick_repair(true);
    let (open, removed) = (BTreeMap::new(), BTreeMap::new());
    let mut tables = Writing { transaction: &transaction, open, removed, touched: false };
    let value = change(&mut tables)?;
    tables.flush()?;
    let touched = tables.touched;
    drop(tables);
    if touched {
        transaction.commit()?;
    }
    Ok(value)
}

impl<'t> Writing<'t> {
    /// Makes every table of a new file.
    pub(super) fn open_all(&mut self) -> Result<(), Fault> {
        Place::all().try_for_each(|place| self.stored(place).map(drop))
    }

    /// Writes changes.
    pub(super) fn write(&mut self, changes: &Changes) -> Result<(), Fault> {
        changes.places().try_for_each(|(place, entries)| write(self.stored(place)?, &entries))
    }

    /// Writes what the store knows about itself.
    pub(super) fn note(&mut self, meta: &Meta) -> Result<(), Fault> {
        self.touched = true;
        let table = self.stored(Place::Of(Table::Meta))?;
        table.insert(&[][..], codec::encode(meta).as_slice())?;
        Ok(())
    }

    /// Writes what was removed so far, so that [`Writing::stored`] has it.
    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        for (place, keys) in std::mem::take(&mut self.removed) {
            let table = self.stored(place)?;
            for key in keys {
                table.remove(key.as_slice())?;
            }
        }
        Ok(())
    }

    /// Returns a table without the changes that are yet to be written.
    pub(super) fn stored(&mut self, place: Place) -> Result<&mut redb::Table<'t, Bytes, Bytes>, Fault> {
        Ok(match self.open.entry(place) {
            btree_map::Entry::Occupied(table) => table.into_mut(),
            btree_map::Entry::Vacant(slot) => slot.insert(self.transaction.open_table(place.definition())?),
        })
    }

    /// Writes a value at once.
    pub(super) fn insert(&mut self, place: Place, key: Key, value: &[u8]) -> Result<(), Fault> {
        self.touched = true;
        self.stored(place)?.insert(key.as_slice(), value)?;
        Ok(())
    }

    /// Removes a key, where it is there.
    pub(super) fn remove(&mut self, place: Place, key: impl Into<Key>) {
        self.touched = true;
        self.removed.entry(place).or_default().insert(key.into());
    }

    /// Returns a value as this transaction has left it.
    pub(super) fn value(&mut self, place: Place, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        if self.removed.get(&place).is_some_and(|keys| keys.contains(key)) {
            return Ok(None);
        }
        Ok(self.stored(place)?.get(key)?.map(|value| value.value().to_vec()))
    }

    /// Returns at most `limit` rows under a prefix.
    pub(super) fn some_under(
        &mut self,
        place: Place,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<RawRow>, Fault> {
        let mut rows = Vec::new();
        if limit > 0 {
            each_under(self.stored(place)?, prefix, |key, value| {
                rows.push((key.to_vec(), value.to_vec()));
                Ok(if rows.len() < limit { Walk::On } else { Walk::Stop })
            })?;
        }
        Ok(rows)
    }
}

/// Writes a table's changes in the order of their keys.
fn write(table: &mut redb::Table<'_, Bytes, Bytes>, entries: &[&Entry]) -> Result<(), Fault> {
    let mut changes = entries.iter().copied().peekable();
    // What follows a new key is new as well, most often, and what follows a known one is known.
    let mut expect_new = true;
    while let Some((key, value)) = changes.peek() {
        match value {
            None => drop(table.remove(key.as_slice())?),
            Some(_) if expect_new => {
                expect_new = write_run(table, &mut changes)?;
                continue;
            }
            Some(value) => expect_new = table.insert(key.as_slice(), &value[..])?.is_none(),
        }
        changes.next();
    }
    Ok(())
}

/// Writes the next changes as far as they are new keys between two that the table has. Says whether there was one.
fn write_run<'c>(
    table: &mut redb::Table<'_, Bytes, Bytes>,
    changes: &mut Peekable<impl Iterator<Item = &'c Entry>>,
) -> Result<bool, Fault> {
    let Some((first, _)) = changes.peek() else { return Ok(false) };
    let mut cursor = table.lower_bound_mut(Bound::Included(first.as_slice()))?;
    let end = cursor.peek_next()?.map(|(key, _)| key.value().to_vec());
    let mut any = false;
    while let Some((key, Some(value))) =
        changes.next_if(|(key, value)| value.is_some() && end.as_ref().is_none_or(|end| key[..] < end[..]))
    {
        cursor.insert_before(key.as_slice(), &value[..])?;
        any = true;
    }
    cursor.close()?;
    Ok(any)
}
