//! The file's tables, and one transaction's view of them.
//!
//! Besides the rows of each noun there are a few indexes, whose values are empty or a key:
//! which messages are open (so that `load` reads nothing else), which ended and still have their deliveries (so that
//! retention looks at each once), provider id to attempt, audience to contact, time to caller's key, replies by their
//! provider's id and by what they are looked for.

use super::fault::{Fault, bad_key};
use crate::core::query::ReplyScope;
use crate::core::reply::{KeptReply, ReplyKind};
use crate::core::time::Timestamp;
use crate::store::codec::{self, Malformed, Row, STORE_FORMAT, Table, Writer};
use crate::store::outbox::{Position, Walk};
use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError,
};
use std::hash::{BuildHasher, Hasher, RandomState};

/// How keys and values lie in every table.
pub(super) type Bytes = &'static [u8];

/// A key and a value as they lie on disk.
pub(super) type RawRow = (Vec<u8>, Vec<u8>);

/// The first index's number in the journal; those of nouns lie below.
const FIRST_INDEX: u8 = 128;

/// A table that is no noun's own. Stored by number in the journal: append.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub(super) enum Index {
    /// The open messages.
    Open,
    /// The messages that ended and whose deliveries are kept.
    Detailed,
    /// Gateway and provider id, to the attempt's key.
    ProviderId,
    /// Audience and contact.
    Audience,
    /// Time and caller's key.
    IdempotencyByTime,
    /// A message, to the one that corrects it.
    Correction,
    /// Gateway and provider id of a reply, to its key.
    ReplyId,
    /// Replies by what they are looked for: see [`reply_keys`].
    ReplyBy,
}

/// Any table of the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Place {
    Of(Table),
    By(Index),
}

impl Place {
    pub(super) fn all() -> impl Iterator<Item = Place> {
        let indexes = [
            Index::Open,
            Index::Detailed,
            Index::ProviderId,
            Index::Audience,
            Index::IdempotencyByTime,
            Index::Correction,
            Index::ReplyId,
            Index::ReplyBy,
        ];
        let nouns = Table::OUTBOX.into_iter().chain([Table::Meta]);
        nouns.map(Place::Of).chain(indexes.map(Place::By))
    }

    /// Says whether commits look into this table, for what was just changed in it. Anything can be looked up in any
    /// table; where this says no, it takes a walk through all that is pending.
    pub(super) const fn is_looked_into(self) -> bool {
        matches!(
            self,
            Place::Of(Table::Attempt | Table::Receipt | Table::Idempotency | Table::Contact | Table::Reply)
                | Place::By(Index::ProviderId | Index::ReplyId)
        )
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Place::Of(table) => table.name(),
            Place::By(Index::Open) => "open",
            Place::By(Index::Detailed) => "detailed",
            Place::By(Index::ProviderId) => "provider_id",
            Place::By(Index::Audience) => "contacts_by_audience",
            Place::By(Index::IdempotencyByTime) => "idempotency_by_time",
            Place::By(Index::Correction) => "correction",
            Place::By(Index::ReplyId) => "reply_id",
            Place::By(Index::ReplyBy) => "replies_by",
        }
    }

    pub(super) const fn definition(self) -> TableDefinition<'static, Bytes, Bytes> {
        TableDefinition::new(self.name())
    }

    /// Returns its number in the journal.
    pub(super) const fn number(self) -> u8 {
        match self {
            Place::Of(table) => table as u8,
            Place::By(index) => FIRST_INDEX + index as u8,
        }
    }

    /// Finds the table with this number.
    pub(super) fn from_number(number: u8) -> Option<Place> {
        Place::all().find(|place| place.number() == number)
    }
}

/// What the store knows about itself; one row.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Meta {
    pub(super) format: u32,
    pub(super) position: Position,
    /// The highest time that any row has carried.
    pub(super) clock: Timestamp,
    /// By which the journal's records are told from a stranger's; 0 in a store that had no journal yet.
    pub(super) salt: u64,
}

/// The first store format that has a journal beside the tables.
const FIRST_WITH_JOURNAL: u32 = 3;

impl Meta {
    pub(super) fn new() -> Self {
        let (position, clock) = (Position(0), Timestamp::default());
        Meta { format: 0, position, clock, salt: 0 }.of_this_program()
    }

    /// Says whether a journal belongs to it.
    pub(super) fn has_journal(&self) -> bool {
        self.format >= FIRST_WITH_JOURNAL
    }

    /// Marks it as this program's: an older one must not open it from here on.
    pub(super) fn of_this_program(self) -> Self {
        let salt = if self.salt == 0 { random() } else { self.salt };
        Meta { format: STORE_FORMAT, salt, ..self }
    }
}

/// Returns a number that nobody can guess, and not 0.
fn random() -> u64 {
    RandomState::new().build_hasher().finish() | 1
}

impl Row for Meta {
    const TABLE: Table = Table::Meta;
    const VERSION: u8 = 2;

    fn key(&self) -> codec::Key {
        codec::Key::new()
    }

    fn write(&self, out: &mut Writer) {
        out.number(self.format);
        out.number(self.position.0);
        out.time(self.clock);
        out.number(self.salt);
    }

    fn read(
        _key: &mut codec::Reader<'_>,
        body: &mut codec::Reader<'_>,
        version: u8,
    ) -> Result<Self, Malformed> {
        Ok(Meta {
            format: body.number()?,
            position: Position(body.number()?),
            clock: body.time()?,
            // Version 1 is of the time before the journal.
            salt: if version >= 2 { body.number()? } else { 0 },
        })
    }
}

/// Returns the key of a gateway's provider id.
pub(super) fn provider_key(gateway: &str, id: &str) -> Vec<u8> {
    let mut key = Writer::new();
    key.text(gateway);
    key.raw(id.as_bytes());
    key.finish()
}

/// In place of a kind: replies of any.
const ANY_KIND: u8 = 0xFF;

/// Returns what every key of the replies of this scope and kind begins with; the reply's own key follows.
pub(super) fn replies_prefix(scope: &ReplyScope, kind: Option<ReplyKind>) -> Vec<u8> {
    let mut key = Writer::new();
    match scope {
        ReplyScope::All => key.byte(0),
        ReplyScope::Message(id) => {
            key.byte(1);
            key.raw(&id.to_bytes());
        }
        ReplyScope::Incident(name) => {
            key.byte(2);
            key.text(name);
        }
    }
    key.byte(kind.map_or(ANY_KIND, |kind| kind as u8));
    key.finish()
}

/// Returns the keys under which a reply is looked for.
pub(super) fn reply_keys(reply: &KeptReply) -> Vec<Vec<u8>> {
    let of_message = reply.of.map(|attempt| ReplyScope::Message(attempt.delivery.message));
    let of_incident = reply.incident.clone().map(ReplyScope::Incident);
    let narrower = [of_message, of_incident].into_iter().flatten();
    let both = narrower.flat_map(|scope| [None, Some(reply.kind)].map(|kind| replies_prefix(&scope, kind)));
    let prefixes = std::iter::once(replies_prefix(&ReplyScope::All, Some(reply.kind))).chain(both);
    let own = codec::reply_key(reply.key());
    prefixes.map(|prefix| [&prefix[..], &own].concat()).collect()
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

    /// Returns a table, where the store has it: one of an older program has none for what came later.
    pub(super) fn table(&self, place: Place) -> Result<Option<ReadOnlyTable<Bytes, Bytes>>, Fault> {
        match self.transaction.open_table(place.definition()) {
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            table => Ok(Some(table?)),
        }
    }

    /// Reads a row by its key.
    pub(super) fn get<R: Row>(&self, key: &[u8]) -> Result<Option<R>, Fault> {
        self.table(Place::Of(R::TABLE))?.map_or(Ok(None), |table| get(&table, key))
    }

    /// Reads a value by its key.
    pub(super) fn value(&self, place: Place, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let Some(table) = self.table(place)? else { return Ok(None) };
        Ok(table.get(key)?.map(|value| value.value().to_vec()))
    }
}

/// Reads a message's id off the front of a key.
pub(super) fn message_of(place: Place, key: &[u8]) -> Result<crate::core::ids::MessageId, Fault> {
    codec::Reader::new(key).message_id().map_err(bad_key(place.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For ever, as the golden bytes of the other rows are.
    #[test]
    fn what_a_store_knows_about_itself_reads_back_in_both_versions() {
        let (position, clock) = (Position(7), Timestamp::default());
        let meta = Meta { format: 3, position, clock, salt: 5 };
        assert_eq!(codec::encode(&meta), [0, 2, 3, 7, 0, 5]);
        assert_eq!(codec::decode(&[], &[0, 2, 3, 7, 0, 5]), Ok(meta));
        assert_eq!(codec::decode(&[], &[0, 1, 2, 7, 0]), Ok(Meta { format: 2, position, clock, salt: 0 }));
        assert!(Place::all().all(|place| Place::from_number(place.number()) == Some(place)));
    }
}
