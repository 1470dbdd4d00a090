//! Taking a person out of what is kept: the contact, the addresses in frozen audiences, the replies, the names that providers
//! gave to what was sent.
//!
//! What stays is a pseudonym, made from the contact's id by a secret of this store: an import of the same list is known by it,
//! and the record of who did what names it. Counts and results of deliveries stay as they were.

use super::ids::DeliveryId;
use super::message::Recipient;
use super::reply::{Caller, ReplyKey};
use super::time::Timestamp;
use std::fmt;

/// What every pseudonym begins with.
pub const PSEUDONYM: &str = "erased:";
/// How many erased people are told from new ones when a list is imported: 24 bytes each in memory.
pub const ERASED_MAX: usize = 1_000_000;

/// The first 16 bytes of a keyed hash of a contact's id.
pub type PersonDigest = [u8; 16];

/// What to take out; all of it becomes durable together.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Erasure {
    /// The contact to remove, where it is there.
    pub contact: Option<String>,
    /// What stands for the person from now on.
    pub pseudonym: String,
    /// The deliveries that were for this person.
    pub deliveries: Vec<DeliveryId>,
    /// What this person said.
    pub replies: Vec<ReplyKey>,
    /// By which calls for help of this person are known; they are closed, and that is on record. Not stored.
    pub calls: Vec<Caller>,
    /// The person's id, where others name it as their deputy's.
    pub deputy: Option<String>,
    /// The contacts whose deputy it is taken from.
    pub deputy_of: Vec<String>,
}

/// What is kept about erasures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// By which ids are hashed; there is one.
    Secret([u8; 32]),
    /// Somebody was erased.
    Person {
        /// Who, as far as can be told.
        digest: PersonDigest,
        /// When.
        at: Timestamp,
    },
}

impl Recipient {
    /// Returns what stands in a frozen audience for somebody who was erased.
    pub fn erased(pseudonym: &str) -> Recipient {
        Recipient { contact: Some(pseudonym.to_owned()), ..Recipient::default() }
    }

    /// Says whether this person was erased: nobody else is without any address in a frozen audience.
    pub fn is_erased(&self) -> bool {
        self.addresses.is_empty() && self.contact.as_ref().is_some_and(|id| id.starts_with(PSEUDONYM))
    }
}

// An id and a secret are nobody's to read in a log.
impl fmt::Debug for Erasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Erasure({}, {} deliveries)", self.pseudonym, self.deliveries.len())
    }
}

impl fmt::Debug for Erased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Erased::Secret(_) => f.write_str("Secret(***)"),
            Erased::Person { at, .. } => write!(f, "Person({at:?})"),
        }
    }
}
