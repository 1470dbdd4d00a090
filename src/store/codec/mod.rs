//! What stored rows look like: by hand, compact, versioned.
//!
//! Every value begins with two bytes: how it is sealed (0: plain; others are kept for values
//! encrypted at rest) and the version of its kind. What the key says is not repeated in the value. Keys are big-endian,
//! so that they sort as their values do.
//!
//! Limits: a waiting delivery costs no row; a [`Delivery`](crate::core::record::Delivery) row takes at most 200 bytes
//! and an [`Attempt`](crate::core::record::Attempt) row 250, key included, for names and provider ids of usual length.
//!
//! Invariant: reading arbitrary bytes returns an error, never a panic. A version once written is read for ever:
//! its golden bytes stay in the tests. Whoever raises a row's version raises [`STORE_FORMAT`] too.

mod bytes;
mod crc;
mod delivery;
mod message;
mod people;
mod reach;
mod record;
mod reply;
#[cfg(test)]
mod tests;

pub(crate) use bytes::{Malformed, Reader, Writer};
pub(crate) use crc::{crc32, crc32_of};
pub(crate) use delivery::ReceiptRow;
pub(crate) use message::AudienceChunk;
pub(crate) use reach::CELL;
pub(crate) use record::{IdempotencyRow, OverlayRow, UnchainedRow, overlay_key};
pub(crate) use reply::{OptOutRow, opt_out_key, reply_key};

use crate::core::audit::{Anchor, Audit, Link};
use crate::core::erasure::Erased;
use crate::core::ids::{AttemptId, DeliveryId, MessageId};
use crate::core::query::{Contact, TokenRecord};
use crate::core::record::{Attempt, Delivery, Outage, Plan, Progress, Record};
use crate::core::reply::{KeptReply, LastAnswer};
use crate::core::time::Timestamp;
use crate::store::outbox::{PolicyVersion, Put};
use std::sync::Arc;

/// The version of the store as a whole: a program refuses a store whose number is higher than its own.
pub const STORE_FORMAT: u32 = 10;

/// The first byte of a value that is not sealed.
const PLAIN: u8 = 0;

/// A kind of row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub(crate) enum Table {
    Message = 1,
    Audience = 2,
    Progress = 3,
    Delivery = 4,
    Attempt = 5,
    Receipt = 6,
    Plan = 7,
    Outage = 8,
    Overlay = 9,
    Idempotency = 10,
    /// Acts as they were kept before format 7, without a chain: read where an older store has them, written no more.
    Audit = 11,
    Contact = 12,
    Token = 13,
    Policy = 14,
    /// Kept in reachability, not in the outbox.
    Needles = 15,
    /// What a store knows about itself; not exported.
    Meta = 16,
    Reply = 17,
    Answer = 18,
    OptOut = 19,
    Link = 20,
    Anchor = 21,
    Erased = 22,
}

/// Why a stored value cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    /// A later program wrote it.
    #[error("a row of `{table}` has version {found}; this program knows versions up to {known}")]
    Newer {
        /// The kind of row.
        table: &'static str,
        /// Its version.
        found: u32,
        /// The highest known version.
        known: u32,
    },
    /// It is sealed in a way that this program does not know.
    #[error("a row of `{table}` is sealed by method {method}; this program reads plain rows")]
    Sealed {
        /// The kind of row.
        table: &'static str,
        /// The method's number.
        method: u8,
    },
    /// Its bytes make no sense.
    #[error("a row of `{table}` is damaged: expected {expected}")]
    Malformed {
        /// The kind of row.
        table: &'static str,
        /// What was expected.
        expected: &'static str,
    },
}

/// A key. Those of messages, deliveries, attempts and receipts lie where they are, without an allocation.
pub(crate) type Key = smallvec::SmallVec<[u8; 24]>;

/// One stored value with its key.
pub(crate) trait Row: Sized {
    /// Where it lies.
    const TABLE: Table;
    /// The version that is written; all from 1 are read.
    const VERSION: u8;
    /// Returns its key.
    fn key(&self) -> Key;
    /// Writes what the key does not say.
    fn write(&self, out: &mut Writer);
    /// Reads it back as `version` wrote it.
    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, version: u8) -> Result<Self, Malformed>;
}

/// Returns the bytes of a row's value.
pub(crate) fn encode<R: Row>(row: &R) -> Vec<u8> {
    let mut out = Writer::new();
    write_value(row, &mut out);
    out.finish()
}

/// Appends the bytes of a row's value.
pub(crate) fn write_value<R: Row>(row: &R, out: &mut Writer) {
    out.byte(PLAIN);
    out.byte(R::VERSION);
    row.write(out);
}

/// Reads a row back.
pub(crate) fn decode<R: Row>(key: &[u8], value: &[u8]) -> Result<R, CodecError> {
    let table = R::TABLE.name();
    let malformed = |Malformed(expected)| CodecError::Malformed { table, expected };
    let (mut key, mut body) = (Reader::new(key), Reader::new(value));
    let [method, version] = body.array().map_err(malformed)?;
    if method != PLAIN {
        return Err(CodecError::Sealed { table, method });
    }
    if version > R::VERSION {
        return Err(CodecError::Newer { table, found: version.into(), known: R::VERSION.into() });
    }
    let row = R::read(&mut key, &mut body, version).map_err(malformed)?;
    key.end().and_then(|()| body.end()).map_err(malformed)?;
    Ok(row)
}

/// Calls `$then` with what is to be stored as a row, as a value of a type that implements [`Row`]. A stray
/// receipt, a lifted overlay, an opt-out that is undone and an erasure are no rows, and give `$none`.
macro_rules! as_row {
    ($put:expr, $row:ident => $then:expr, $none:expr) => {
        match $put {
            Put::Record(Record::Message(message)) => {
                let $row = message.as_ref();
                $then
            }
            Put::Record(Record::Audience { message, chunk, people }) => {
                let $row = &AudienceChunk { message: *message, chunk: *chunk, people: Arc::clone(people) };
                $then
            }
            Put::Record(Record::Progress($row)) => $then,
            Put::Record(Record::Attempt($row)) => $then,
            Put::Record(Record::Receipt { attempt, kind, at, reason }) => {
                let $row = &ReceiptRow { attempt: *attempt, kind: *kind, at: *at, reason: *reason };
                $then
            }
            Put::Record(Record::Delivery($row)) => $then,
            Put::Record(Record::Plan(plan)) => {
                let $row = plan.as_ref();
                $then
            }
            Put::Record(Record::Outage($row)) => $then,
            Put::Record(Record::Overlay { gateway, overlay: Some(overlay) }) => {
                let $row = &OverlayRow { gateway: gateway.clone(), overlay: overlay.clone() };
                $then
            }
            Put::Record(Record::Idempotency { key, message, deliveries, at }) => {
                let $row = &IdempotencyRow { key: *key, message: *message, deliveries: *deliveries, at: *at };
                $then
            }
            Put::Record(Record::Reply($row)) => $then,
            Put::Record(Record::Answer($row)) => $then,
            Put::Record(Record::OptOut { channel, address, since: Some(since) }) => {
                let $row = &OptOutRow { channel: *channel, address: *address, since: *since };
                $then
            }
            Put::Link($row) => $then,
            Put::Anchor($row) => $then,
            Put::Contact($row) => $then,
            Put::Token($row) => $then,
            Put::Policy($row) => $then,
            Put::Erased($row) => $then,
            Put::Erase(_)
            | Put::Record(
                Record::StrayReceipt { .. }
                | Record::Overlay { overlay: None, .. }
                | Record::OptOut { since: None, .. },
            ) => $none,
        }
    };
}

/// Takes a row of any kind.
pub(crate) trait Visitor {
    /// What comes of it.
    type Out;
    /// Takes it.
    fn visit<R: Row>(self, row: &R) -> Self::Out;
}

/// Hands what is to be stored to a visitor as the row that it is; `None` where it is no row of its own.
pub(crate) fn visit_put<V: Visitor>(put: &Put, visitor: V) -> Option<V::Out> {
    as_row!(put, row => Some(visitor.visit(row)), None)
}

/// Returns the table, key and value of what is to be stored; `None` where it is no row of its own.
pub(crate) fn encode_put(put: &Put) -> Option<(Table, Key, Vec<u8>)> {
    struct Parts;
    impl Visitor for Parts {
        type Out = (Table, Key, Vec<u8>);

        fn visit<R: Row>(self, row: &R) -> Self::Out {
            (R::TABLE, row.key(), encode(row))
        }
    }
    visit_put(put, Parts)
}

/// A row as it was read.
#[allow(clippy::large_enum_variant, reason = "one at a time is read, and used at once")]
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Stored {
    /// As this program writes it.
    Put(Put),
    /// An act that an older program kept without a chain.
    Unchained(Audit),
}

/// Reads back what any program wrote.
pub(crate) fn decode_stored(table: Table, key: &[u8], value: &[u8]) -> Result<Stored, CodecError> {
    match table {
        Table::Audit => Ok(Stored::Unchained(decode::<UnchainedRow>(key, value)?.audit)),
        table => decode_put(table, key, value).map(Stored::Put),
    }
}

/// Reads back what [`encode_put`] wrote.
pub(crate) fn decode_put(table: Table, key: &[u8], value: &[u8]) -> Result<Put, CodecError> {
    Ok(match table {
        Table::Message => Record::Message(Arc::new(decode(key, value)?)).into(),
        Table::Audience => {
            let AudienceChunk { message, chunk, people } = decode(key, value)?;
            Record::Audience { message, chunk, people }.into()
        }
        Table::Progress => Record::Progress(decode::<Progress>(key, value)?).into(),
        Table::Delivery => Record::Delivery(decode::<Delivery>(key, value)?).into(),
        Table::Attempt => Record::Attempt(decode::<Attempt>(key, value)?).into(),
        Table::Receipt => {
            let ReceiptRow { attempt, kind, at, reason } = decode(key, value)?;
            Record::Receipt { attempt, kind, at, reason }.into()
        }
        Table::Plan => Record::Plan(Arc::new(decode::<Plan>(key, value)?)).into(),
        Table::Outage => Record::Outage(decode::<Outage>(key, value)?).into(),
        Table::Overlay => {
            let OverlayRow { gateway, overlay } = decode(key, value)?;
            Record::Overlay { gateway, overlay: Some(overlay) }.into()
        }
        Table::Idempotency => {
            let IdempotencyRow { key, message, deliveries, at } = decode(key, value)?;
            Record::Idempotency { key, message, deliveries, at }.into()
        }
        Table::Reply => Record::Reply(decode::<KeptReply>(key, value)?).into(),
        Table::Answer => Record::Answer(decode::<LastAnswer>(key, value)?).into(),
        Table::OptOut => {
            let OptOutRow { channel, address, since } = decode(key, value)?;
            Record::OptOut { channel, address, since: Some(since) }.into()
        }
        Table::Contact => Put::Contact(decode::<Contact>(key, value)?),
        Table::Token => Put::Token(decode::<TokenRecord>(key, value)?),
        Table::Policy => Put::Policy(decode::<PolicyVersion>(key, value)?),
        Table::Link => Put::Link(decode::<Link>(key, value)?),
        Table::Anchor => Put::Anchor(decode::<Anchor>(key, value)?),
        Table::Erased => Put::Erased(decode::<Erased>(key, value)?),
        Table::Audit | Table::Needles | Table::Meta => {
            return Err(CodecError::Malformed { table: table.name(), expected: "a row of the outbox" });
        }
    })
}

// === keys ===

/// A time as a key: sorts as times do, those before 1970 included.
pub(crate) fn time_key(at: Timestamp) -> [u8; 8] {
    ((at.ms() as u64) ^ (1 << 63)).to_be_bytes()
}

/// A delivery's key: 20 bytes.
pub(crate) fn delivery_key(id: DeliveryId) -> [u8; 20] {
    let mut key = [0; 20];
    key[..16].copy_from_slice(&id.message.to_bytes());
    key[16..].copy_from_slice(&id.index.to_be_bytes());
    key
}

/// An attempt's key: 22 bytes.
pub(crate) fn attempt_key(id: AttemptId) -> [u8; 22] {
    let mut key = [0; 22];
    key[..20].copy_from_slice(&delivery_key(id.delivery));
    key[20..].copy_from_slice(&id.n.to_be_bytes());
    key
}

/// The key of a numbered thing of a message (a chunk, a plan): 20 bytes.
pub(crate) fn numbered_key(message: MessageId, number: u32) -> [u8; 20] {
    delivery_key(DeliveryId::new(message, number))
}

impl<'a> Reader<'a> {
    /// Takes a time's key.
    pub(crate) fn time_key(&mut self) -> Result<Timestamp, Malformed> {
        Ok(Timestamp::from_ms((u64::from_be_bytes(self.array()?) ^ (1 << 63)) as i64))
    }

    /// Takes a message's id.
    pub(crate) fn message_id(&mut self) -> Result<MessageId, Malformed> {
        self.array().map(MessageId::from_bytes)
    }

    /// Takes a number of four bytes, big-endian.
    pub(crate) fn u32_key(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes a delivery's key.
    pub(crate) fn delivery_id(&mut self) -> Result<DeliveryId, Malformed> {
        Ok(DeliveryId::new(self.message_id()?, self.u32_key()?))
    }

    /// Takes an attempt's key.
    pub(crate) fn attempt_id(&mut self) -> Result<AttemptId, Malformed> {
        Ok(AttemptId::new(self.delivery_id()?, u16::from_be_bytes(self.array()?)))
    }
}

// === impl Table ===

impl Table {
    /// The tables of the outbox, in the order in which an export writes them: a message before what refers to it.
    pub(crate) const OUTBOX: [Table; 20] = [
        Table::Message,
        Table::Audience,
        Table::Progress,
        Table::Delivery,
        Table::Attempt,
        Table::Receipt,
        Table::Plan,
        Table::Outage,
        Table::Overlay,
        Table::Idempotency,
        Table::Audit,
        Table::Contact,
        Table::Token,
        Table::Policy,
        Table::Reply,
        Table::Answer,
        Table::OptOut,
        Table::Anchor,
        Table::Link,
        Table::Erased,
    ];

    /// Returns its name on disk and in errors.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Table::Message => "message",
            Table::Audience => "audience",
            Table::Progress => "progress",
            Table::Delivery => "delivery",
            Table::Attempt => "attempt",
            Table::Receipt => "receipt",
            Table::Plan => "plan",
            Table::Outage => "outage",
            Table::Overlay => "overlay",
            Table::Idempotency => "idempotency",
            Table::Audit => "audit",
            Table::Contact => "contact",
            Table::Token => "token",
            Table::Policy => "policy",
            Table::Needles => "needles",
            Table::Meta => "meta",
            Table::Reply => "reply",
            Table::Answer => "answer",
            Table::OptOut => "opt_out",
            Table::Link => "act",
            Table::Anchor => "anchor",
            Table::Erased => "erased",
        }
    }

    /// Finds the outbox's table with this number.
    pub(crate) fn from_number(number: u8) -> Option<Table> {
        Table::OUTBOX.into_iter().find(|table| *table as u8 == number)
    }
}
