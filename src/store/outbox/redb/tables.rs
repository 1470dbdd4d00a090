//! The file's tables, and one transaction's view of them.
//!
//! Besides the rows of each noun there are a few indexes, whose values are empty or a key:
//! which messages are open (so that `load` reads nothing else), which still have their deliveries (so that retention
//! looks at each once), provider id to attempt, audience to contact, time to caller's key.

use super::fault::{Fault, bad_key};
use crate::core::time::Timestamp;
use crate::store::codec::{self, Malformed, Row, STORE_FORMAT, Table, Writer};
use crate::store::outbox::{Position, Walk};
use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError,
    WriteTransaction,
};
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::Bound;

type Bytes = &'static [u8];

/// A key and a value as they lie on disk.
pub(super) type RawRow = (Vec<u8>, Vec<u8>);

/// A table that is no noun's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Index {
    /// The open messages.
    Open,
    /// The messages whose deliveries are kept.
    Detailed,
    /// Gateway and provider id, to the attempt's key.
    ProviderId,
    /// Audience and contact.
    Audience,
    /// Time and caller's key.
    IdempotencyByTime,
}

/// Any table of the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Place {
    Of(Table),
    By(Index),
}

impl Place {
    fn all() -> impl Iterator<Item = Place> {
        let indexes =
            [Index::Open, Index::Detailed, Index::ProviderId, Index::Audience, Index::IdempotencyByTime];
        let nouns = Table::OUTBOX.into_iter().chain([Table::Meta]);
        nouns.map(Place::Of).chain(indexes.map(Place::By))
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Place::Of(table) => table.name(),
            Place::By(Index::Open) => "open",
            Place::By(Index::Detailed) => "detailed",
            Place::By(Index::ProviderId) => "provider_id",
            Place::By(Index::Audience) => "contacts_by_audience",
            Place::By(Index::IdempotencyByTime) => "idempotency_by_time",
        }
    }

    const fn definition(self) -> TableDefinition<'static, Bytes, Bytes> {
        TableDefinition::new(self.name())
    }
}

/// What the store knows about itself; one row.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Meta {
    pub(super) format: u32,
    pub(super) position: Position,
    /// The highest time that any row has carried.
    pub(super) clock: Timestamp,
}

impl Meta {
    pub(super) fn new() -> Self {
        Meta { format: STORE_FORMAT, position: Position(0), clock: Timestamp::default() }
    }
}

impl Row for Meta {
    const TABLE: Table = Table::Meta;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        Vec::new()
    }

    fn write(&self, out: &mut Writer) {
        out.number(self.format);
        out.number(self.position.0);
        out.time(self.clock);
    }

    fn read(
        _key: &mut codec::Reader<'_>,
        body: &mut codec::Reader<'_>,
        _version: u8,
    ) -> Result<Self, Malformed> {
        Ok(Meta { format: body.number()?, position: Position(body.number()?), clock: body.time()? })
    }
}

/// Makes every table of a new file.
pub(super) fn make_all(transaction: &WriteTransaction, meta: Meta) -> Result<(), Fault> {
    for place in Place::all() {
        transaction.open_table(place.definition())?;
    }
    let mut table = transaction.open_table(Place::Of(Table::Meta).definition())?;
    table.insert(&[][..], codec::encode(&meta).as_slice())?;
    Ok(())
}

/// Returns the key of a gateway's provider id.
pub(super) fn provider_key(gateway: &str, id: &str) -> Vec<u8> {
    let mut key = Writer::new();
    key.text(gateway);
    key.raw(id.as_bytes());
    key.finish()
}

/// Returns what every key of an audience begins with; the contact's id follows.
pub(super) fn audience_prefix(audience: &str) -> Vec<u8> {
    let mut key = Writer::new();
    key.text(audience);
    key.finish()
}

/// A table that can be read, of either kind of transaction.
pub(super) trait Readable: ReadableTable<Bytes, Bytes> {}
impl<T: ReadableTable<Bytes, Bytes>> Readable for T {}

/// Reads a row by its key.
pub(super) fn get<R: Row>(table: &impl Readable, key: &[u8]) -> Result<Option<R>, Fault> {
    match table.get(key)? {
        Some(value) => Ok(Some(codec::decode(key, value.value())?)),
        None => Ok(None),
    }
}

/// Hands out the rows whose keys begin with `prefix`, in order, until `each` says no.
pub(super) fn each_under(
    table: &impl Readable,
    prefix: &[u8],
    mut each: impl FnMut(&[u8], &[u8]) -> Result<Walk, Fault>,
) -> Result<(), Fault> {
    for row in table.range::<&[u8]>(prefix..)? {
        let (key, value) = row?;
        if !key.value().starts_with(prefix) || each(key.value(), value.value())? == Walk::Stop {
            break;
        }
    }
    Ok(())
}

/// One reading transaction.
pub(super) struct Reading {
    transaction: ReadTransaction,
    pub(super) meta: Meta,
}

impl Reading {
    pub(super) fn begin(database: &Database) -> Result<Self, Fault> {
        let transaction = database.begin_read()?;
        let table = match transaction.open_table(Place::Of(Table::Meta).definition()) {
            Err(TableError::TableDoesNotExist(_)) => return Err(Fault::NoTables),
            table => table?,
        };
        let meta = get(&table, &[])?.ok_or(Fault::Missing(Table::Meta.name()))?;
        Ok(Reading { transaction, meta })
    }

    pub(super) fn of(&self, table: Table) -> Result<ReadOnlyTable<Bytes, Bytes>, Fault> {
        Ok(self.transaction.open_table(Place::Of(table).definition())?)
    }

    pub(super) fn by(&self, index: Index) -> Result<ReadOnlyTable<Bytes, Bytes>, Fault> {
        Ok(self.transaction.open_table(Place::By(index).definition())?)
    }

    /// Reads a row by its key.
    pub(super) fn get<R: Row>(&self, key: &[u8]) -> Result<Option<R>, Fault> {
        get(&self.of(R::TABLE)?, key)
    }
}

/// What is to become of a table's keys, in their order; `None` removes.
type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// One writing transaction. Tables are opened as they are needed: most commits touch a few.
///
/// Changes are kept until the end and then written table by table in the order of the keys: what is new goes in as
/// runs, which fill their pages, where row by row each new page would be split in two halves.
pub(super) struct Writing<'t> {
    transaction: &'t WriteTransaction,
    open: BTreeMap<Place, redb::Table<'t, Bytes, Bytes>>,
    changes: BTreeMap<Place, Changes>,
    /// Whether anything was changed.
    touched: bool,
    pub(super) meta: Meta,
}

impl<'t> Writing<'t> {
    pub(super) fn begin(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        let (open, changes, meta) = (BTreeMap::new(), BTreeMap::new(), Meta::new());
        let mut tables = Writing { transaction, open, changes, touched: false, meta };
        tables.meta = tables.get(&[])?.ok_or(Fault::Missing(Table::Meta.name()))?;
        Ok(tables)
    }

    /// Writes what was changed, numbers the commit where it counts as one, and lets go of the tables so that it can be
    /// made. Says whether there is anything to commit.
    pub(super) fn finish(mut self, counts: bool) -> Result<(Position, bool), Fault> {
        if counts {
            self.meta.position.0 += 1;
            let meta = self.meta;
            self.put(&meta);
        }
        self.flush()?;
        Ok((self.meta.position, self.touched))
    }

    /// Writes what was changed so far, so that [`Writing::stored`] has it.
    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        for (place, changes) in std::mem::take(&mut self.changes) {
            write(self.stored(place)?, changes)?;
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

    /// Sets a value.
    pub(super) fn insert(&mut self, place: Place, key: Vec<u8>, value: Vec<u8>) {
        self.touched = true;
        self.changes.entry(place).or_default().insert(key, Some(value));
    }

    /// Removes a key, where it is there.
    pub(super) fn remove(&mut self, place: Place, key: Vec<u8>) {
        self.touched = true;
        self.changes.entry(place).or_default().insert(key, None);
    }

    /// Returns a value as this transaction has left it.
    pub(super) fn value(&mut self, place: Place, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.changes.get(&place).and_then(|changes| changes.get(key)) {
            Some(changed) => Ok(changed.clone()),
            None => Ok(self.stored(place)?.get(key)?.map(|value| value.value().to_vec())),
        }
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
fn write(table: &mut redb::Table<'_, Bytes, Bytes>, changes: Changes) -> Result<(), Fault> {
    let mut changes = changes.into_iter().peekable();
    // What follows a new key is new as well, most often, and what follows a known one is known.
    let mut expect_new = true;
    while let Some((key, value)) = changes.peek() {
        match value {
            None => drop(table.remove(key.as_slice())?),
            Some(_) if expect_new => {
                expect_new = write_run(table, &mut changes)?;
                continue;
            }
            Some(value) => expect_new = table.insert(key.as_slice(), value.as_slice())?.is_none(),
        }
        changes.next();
    }
    Ok(())
}

/// Writes the next changes as far as they are new keys between two that the table has. Says whether there was one.
fn write_run(
    table: &mut redb::Table<'_, Bytes, Bytes>,
    changes: &mut Peekable<btree_map::IntoIter<Vec<u8>, Option<Vec<u8>>>>,
) -> Result<bool, Fault> {
    let Some((first, _)) = changes.peek() else { return Ok(false) };
    let mut cursor = table.lower_bound_mut(Bound::Included(first.as_slice()))?;
    let end = cursor.peek_next()?.map(|(key, _)| key.value().to_vec());
    let mut any = false;
    while let Some((key, Some(value))) =
        changes.next_if(|(key, value)| value.is_some() && end.as_ref().is_none_or(|end| key < end))
    {
        cursor.insert_before(key.as_slice(), value.as_slice())?;
        any = true;
    }
    cursor.close()?;
    Ok(any)
}

/// Reads a message's id off the front of a key.
pub(super) fn message_of(place: Place, key: &[u8]) -> Result<crate::core::ids::MessageId, Fault> {
    codec::Reader::new(key).message_id().map_err(bad_key(place.name()))
}
