//! The outbox: what must never be lost. Messages and their frozen audiences, deliveries, attempts, receipts, plans,
//! outages, overlays, callers' keys, policy versions, contacts, tokens, the audit record.
//!
//! The core is the only authority on state and time: an engine keeps rows, and decides nothing. One writer commits
//! whole batches; readers on other threads read bounded answers, each with the position that it reflects. Two
//! engines: [`redb`] on disk, and its twin [`memory`] for the simulator; one conformance suite holds them equal.
//!
//! Invariants: what [`Outbox::commit`] acknowledged is durable, whole. A commit that failed left what was there before
//! intact; it may still have become durable itself, so the same batch may be committed again, and that
//! changes nothing more. `load` reads what is open and nothing else.

pub mod frames;
pub mod memory;
pub mod redb;

use super::codec::CodecError;
use crate::core::audit::{Anchor, Link};
use crate::core::channel::Channel;
use crate::core::erasure::{Erased, Erasure};
use crate::core::ids::MessageId;
use crate::core::message::{Message, Recipient};
use crate::core::query::{Answer, Contact, Query, TokenRecord};
use crate::core::record::{AddressDigest, Loaded, Record};
use crate::core::time::{Span, Timestamp};
use std::sync::Arc;

/// How many commits the store has seen: what a reader saw, and what a writer did, by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Position(pub u64);

/// A value, and the position that it reflects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AsOf<T> {
    /// Every commit up to this one is in it, and none after.
    pub position: Position,
    /// The value.
    pub value: T,
}

/// One thing to make durable.
#[derive(Clone, PartialEq, Debug)]
pub enum Put {
    /// What a turn of the core wrote.
    Record(Record),
    /// A contact; replaces the one of the same id.
    Contact(Contact),
    /// A token; replaces the one of the same name, which is how a token is withdrawn.
    Token(TokenRecord),
    /// A policy file as it came into force.
    Policy(PolicyVersion),
    /// An act in its place in the chain; key: its number.
    Link(Link),
    /// Where the chain begins; there is one.
    Anchor(Anchor),
    /// Take a person out. An engine on disk writes its free pages away when it is opened again.
    Erase(Box<Erasure>),
    /// What is kept about that.
    Erased(Erased),
}

/// What becomes durable together, in this order.
pub type Batch = Vec<Put>;

/// A policy file as it came into force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyVersion {
    /// The file's name.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Who brought it.
    pub author: String,
    /// Why, where a reason was given.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// How long what has settled is kept, and who did what. Outages, contacts and policy versions are kept for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Deliveries, attempts, receipts, plans and frozen audiences, from the message's acceptance; replies, from when they
    /// came.
    pub deliveries: Span,
    /// Messages and how they ended, from their acceptance.
    pub messages: Span,
    /// Callers' keys.
    pub idempotency: Span,
    /// The audit record: acts leave from its beginning, and the anchor of the chain moves on to the last that left.
    pub audit: Span,
}

/// What one step of retention did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Retained {
    /// How many rows it removed.
    pub removed: usize,
    /// Whether there is more to remove at the same time: call again.
    pub more: bool,
}

/// How the outbox is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Health {
    /// Bytes on disk (in memory: 0). Freed pages are used again, so the file shrinks rarely.
    pub bytes: u64,
    /// Free bytes of the file system, where there is one.
    pub free_bytes: Option<u64>,
    /// The last commit.
    pub position: Position,
    /// How many messages are kept.
    pub messages: u64,
    /// How many of them are open.
    pub open_messages: u64,
    /// How many deliveries have a row.
    pub deliveries: u64,
    /// How many attempts are kept.
    pub attempts: u64,
}

/// Why a batch was not committed. The store is as it was before; the same batch may be committed again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The disk is full.
    #[error("the outbox cannot grow: the disk is full; free some space, and writing goes on by itself")]
    Full,
    /// The disk does not do what it is asked.
    #[error("the outbox cannot be written: {0}; writing is tried again by itself")]
    Unavailable(String),
    /// What is on disk makes no sense.
    #[error(
        "the outbox is damaged: {0}; stop the service, and restore a backup or move the outbox aside to start empty"
    )]
    Corrupt(String),
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The disk does not do what it is asked.
    #[error("the outbox cannot be read: {0}")]
    Unavailable(String),
    /// What is on disk makes no sense.
    #[error("the outbox is damaged: {0}; restore a backup, or move the outbox aside to start empty")]
    Corrupt(String),
    /// A later program wrote it.
    #[error(
        "the outbox was written by a newer program ({what} has version {found}, this program knows up to {known}); \
         nothing was changed; start the newer program again"
    )]
    Newer {
        /// What is newer.
        what: &'static str,
        /// Its version.
        found: u32,
        /// The highest version that this program knows.
        known: u32,
    },
}

/// The writer's side. There is one.
pub trait Outbox: Send {
    /// Reads everything that is unsettled, oldest first.
    fn load(&self) -> Result<Loaded, ReadError>;

    /// Makes a batch durable, all or none. On return it has survived a power cut. An empty batch is a commit too.
    fn commit(&mut self, batch: &[Put]) -> Result<Position, CommitError>;

    /// Removes at most `limit` rows that are older than `keep` says, as one commit. Call until `more` is false.
    fn retain(&mut self, keep: &Retention, now: Timestamp, limit: usize) -> Result<Retained, CommitError>;

    /// Tries again what an engine could not write since the last commit; where all is well there is nothing to do. To be
    /// called each second: an engine may take a commit at one place and bring it to another later.
    fn recover(&mut self) -> Result<(), CommitError> {
        Ok(())
    }

    /// Returns a reader for other threads.
    fn reader(&self) -> Arc<dyn Reader>;
}

/// The readers' side: cheap to clone, any thread, blocks on the disk. Every commit that was acknowledged before the
/// question is in the answer, while the disk takes writes.
pub trait Reader: Send + Sync {
    /// Answers a bounded question.
    fn answer(&self, query: &Query) -> Result<AsOf<Answer>, ReadError>;

    /// Answers questions from one position: `looks` is handed what answers them.
    fn answers(&self, looks: &mut dyn FnMut(Asking<'_>)) -> Result<(), ReadError>;

    /// Reads a message.
    fn message(&self, id: MessageId) -> Result<AsOf<Option<Arc<Message>>>, ReadError>;

    /// Reads a chunk of a message's frozen audience.
    fn audience(&self, message: MessageId, chunk: u32) -> Result<AsOf<Option<Vec<Recipient>>>, ReadError>;

    /// Reads every token's record, by name.
    fn tokens(&self) -> Result<AsOf<Vec<TokenRecord>>, ReadError>;

    /// Reads who wants nothing more on which channel, by digests.
    fn opt_outs(&self) -> Result<AsOf<Vec<(Channel, AddressDigest)>>, ReadError>;

    /// Reads what is kept about erasures; of people, at most [`ERASED_MAX`](crate::core::erasure::ERASED_MAX).
    fn erased(&self) -> Result<AsOf<Vec<Erased>>, ReadError>;

    /// Reads the newest versions of policy files, newest first; at most [`ROWS_MAX`](crate::core::query::ROWS_MAX).
    fn policy_versions(&self, limit: usize) -> Result<AsOf<Vec<PolicyVersion>>, ReadError>;

    /// Returns how many bytes it takes on disk (in memory: 0). Costs a look at the file system, no more.
    fn bytes(&self) -> u64;

    /// Says how the store is.
    fn health(&self) -> Result<Health, ReadError>;

    /// Hands out every row, a message before what refers to it, until `each` says no. What comes out, committed in
    /// this order to an empty store, makes an equal one.
    fn rows(&self, each: &mut dyn FnMut(Put) -> Walk) -> Result<Position, ReadError>;
}

/// What answers questions, all from one position.
pub type Asking<'a> = &'a dyn Fn(&Query) -> Result<Answer, ReadError>;

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Walk {
    /// The next one, please.
    On,
    /// That is enough.
    Stop,
}

// === impls ===

impl From<Record> for Put {
    fn from(record: Record) -> Put {
        Put::Record(record)
    }
}

impl<T> AsOf<T> {
    /// Turns the value into another, at the same position.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> AsOf<U> {
        AsOf { position: self.position, value: f(self.value) }
    }
}

/// The contract's times: deliveries 90 days, messages 400 days, callers' keys 24 hours, the audit record for ever.
impl Default for Retention {
    fn default() -> Self {
        Retention {
            deliveries: Span::from_hours(90 * 24),
            messages: Span::from_hours(400 * 24),
            idempotency: Span::from_hours(24),
            audit: Span::from_ms(i64::MAX),
        }
    }
}

impl From<CodecError> for ReadError {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Newer { table, found, known } => ReadError::Newer { what: table, found, known },
            other => ReadError::Corrupt(other.to_string()),
        }
    }
}

impl From<ReadError> for CommitError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(why) => CommitError::Unavailable(why),
            ReadError::Corrupt(what) => CommitError::Corrupt(what),
            newer @ ReadError::Newer { .. } => CommitError::Corrupt(newer.to_string()),
        }
    }
}

/// Returns the latest moment that a put speaks of as past: the clock may never be behind it.
fn latest(put: &Put) -> Option<Timestamp> {
    match put {
        Put::Record(record) => match record {
            Record::Message(message) => Some(message.accepted_at),
            Record::Audience { .. } | Record::Progress(_) => None,
            Record::Attempt(attempt) => {
                Some(attempt.outcome.as_ref().map_or(attempt.at, |(_, at)| attempt.at.max(*at)))
            }
            Record::Receipt { at, .. } | Record::StrayReceipt { at, .. } => Some(*at),
            Record::Delivery(delivery) => delivery.result.map(|settled| settled.at),
            Record::Plan(plan) => Some(plan.at),
            Record::Outage(outage) => Some(outage.recovered.unwrap_or(outage.detected)),
            Record::Overlay { overlay, .. } => overlay.as_ref().map(|o| o.since),
            Record::Idempotency { at, .. } => Some(*at),
            Record::Reply(reply) => Some(reply.at),
            Record::Answer(answer) => Some(answer.at),
            Record::OptOut { since, .. } => *since,
        },
        Put::Contact(_) | Put::Anchor(_) | Put::Erase(_) => None,
        Put::Erased(erased) => match erased {
            Erased::Person { at, .. } => Some(*at),
            Erased::Secret(_) => None,
        },
        Put::Link(link) => Some(link.audit.at),
        Put::Token(token) => Some(token.made_at),
        Put::Policy(version) => Some(version.at),
    }
}
