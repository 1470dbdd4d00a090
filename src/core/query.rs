//! What may be asked of the store, and the rows that are not the core's own: contacts and tokens.

use super::audit::{Anchor, Head, Link};
use super::ids::{AttemptId, DeliveryId, MessageId, OutageId};
use super::input::IdempotencyKey;
use super::message::{Message, Recipient};
use super::outcome::{Outcome, ReceiptKind};
use super::record::{Attempt, Delivery, Outage, Plan, Progress};
use super::reply::{KeptReply, LastAnswer, ReplyKey, ReplyKind};
use super::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most rows that one query returns.
pub const ROWS_MAX: usize = 500;

/// The most people of an audience that are read: one more than a message may have, so that too many are told from all.
pub const AUDIENCE_ROWS_MAX: usize = super::message::RECIPIENTS_MAX + 1;

/// One person of the address book.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Contact {
    /// The id that messages name.
    pub id: String,
    /// The name.
    pub name: String,
    /// The person as a recipient: language, region, sector, audiences, addresses.
    pub person: Recipient,
    /// The consent on record, as given.
    pub consent: String,
    /// The contact who stands in.
    pub deputy: Option<String>,
}

/// A token's record: never the token itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenRecord {
    /// Its subject.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// When it was made.
    pub made_at: Timestamp,
}

/// What a token may do; each may do what those before it may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Role {
    /// Look.
    Viewer,
    /// Send, cancel, hold.
    Sender,
    /// Approve what others send.
    Approver,
    /// Everything.
    Admin,
}

/// A bounded question to the store. Lists are at most [`ROWS_MAX`] rows, after the given key.
#[derive(Clone, Debug)]
pub enum Query {
    /// One message, with its progress.
    Message(MessageId),
    /// The newest messages before this id.
    Messages {
        /// Only older than this.
        before: Option<MessageId>,
        /// How many.
        limit: usize,
    },
    /// A message's deliveries, each with its attempts, receipts and plans.
    Deliveries {
        /// The message.
        message: MessageId,
        /// Only after this index.
        after: Option<u32>,
        /// How many.
        limit: usize,
    },
    /// One delivery.
    Delivery(DeliveryId),
    /// Outages, newest first.
    Outages {
        /// Only older than this.
        before: Option<OutageId>,
        /// How many.
        limit: usize,
    },
    /// Contacts by id.
    Contacts {
        /// Only after this id.
        after: Option<String>,
        /// How many.
        limit: usize,
    },
    /// One contact.
    Contact(String),
    /// Everyone of an audience, sorted by id: the only answer that may exceed [`ROWS_MAX`], and with
    /// [`AUDIENCE_ROWS_MAX`] rows there may be more.
    Audience(String),
    /// The message that corrects this one.
    CorrectionOf(MessageId),
    /// What an idempotency key made.
    Idempotency(IdempotencyKey),
    /// Replies, newest first.
    Replies {
        /// To what.
        scope: ReplyScope,
        /// Only these; `None`: all.
        kind: Option<ReplyKind>,
        /// Only older than this.
        before: Option<ReplyKey>,
        /// How many.
        limit: usize,
    },
    /// The place of a reply that a gateway's provider gave this id.
    ReplyOf {
        /// The gateway's name.
        gateway: String,
        /// The provider's id of the reply.
        id: String,
    },
    /// The attempt that a gateway's provider gave this id.
    AttemptOf {
        /// The gateway's name.
        gateway: String,
        /// The provider's id of the attempt.
        id: String,
    },
    /// Acts of the audit record.
    Acts {
        /// From which, and in which order.
        from: ActsFrom,
        /// How many.
        limit: usize,
    },
    /// Where the chain of acts begins and ends.
    ChainEnds,
}

/// From which act, and in which order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActsFrom {
    /// The newest before this number, newest first; `None`: the newest of all.
    Before(Option<u64>),
    /// Those after this number, oldest first.
    After(u64),
}

/// The answer to a [`Query`].
#[derive(Clone, Debug)]
pub enum Answer {
    /// There is no such thing.
    Nothing,
    /// One message.
    Message(Arc<Message>, Progress),
    /// Messages, newest first.
    Messages(Vec<(Arc<Message>, Progress)>),
    /// Deliveries by index.
    Deliveries(Vec<DeliveryStory>),
    /// Outages, newest first.
    Outages(Vec<Outage>),
    /// Contacts by id.
    Contacts(Vec<Contact>),
    /// The message that corrects the one asked about.
    Correction(MessageId),
    /// What a key made: the body's digest, the message, its deliveries.
    Idempotency([u8; 16], MessageId, u32),
    /// Replies, newest first.
    Replies(Vec<KeptReply>),
    /// A reply's place.
    Reply(ReplyKey),
    /// An attempt.
    Attempt(AttemptId),
    /// Acts, in the order that was asked for.
    Acts(Vec<Link>),
    /// Where the chain of acts begins and ends.
    ChainEnds(Anchor, Head),
}

/// Which replies are looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReplyScope {
    /// All of them, those to nothing known included.
    All,
    /// Those to a message.
    Message(MessageId),
    /// Those to the messages of an incident.
    Incident(String),
}

/// All that is on record about one delivery.
#[derive(Clone, Debug)]
pub struct DeliveryStory {
    /// The person; addresses are masked before they leave the service.
    pub recipient: Recipient,
    /// Its state; `None` where it is waiting and untried.
    pub delivery: Option<Delivery>,
    /// Its id.
    pub id: DeliveryId,
    /// Its attempts, in order.
    pub attempts: Vec<Attempt>,
    /// The receipts on them: which attempt, what, when.
    pub receipts: Vec<(u16, ReceiptKind, Timestamp)>,
    /// The plans that its attempts name, by number.
    pub plans: BTreeMap<u32, Plan>,
    /// What the person answered last.
    pub answer: Option<LastAnswer>,
}

// === impls ===

impl DeliveryStory {
    /// Says whether the person may have got it: some attempt was not certainly in vain.
    pub fn may_have_arrived(&self) -> bool {
        let received = |n, kind| self.receipts.iter().any(|(of, what, _)| (*of, *what) == (n, kind));
        self.attempts.iter().any(|attempt| match &attempt.outcome {
            Some((Outcome::Rejected { .. } | Outcome::Deferred { .. }, _)) => false,
            Some((Outcome::Accepted { .. } | Outcome::Unknown { .. }, _)) | None => {
                let n = attempt.id.n;
                let arrived = received(n, ReceiptKind::Delivered)
                    || received(n, ReceiptKind::Read)
                    || received(n, ReceiptKind::Acknowledged);
                // A late word of failure never takes an arrival back.
                arrived || !received(n, ReceiptKind::Failed)
            }
        })
    }
}

impl Role {
    /// Every role, weakest first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Sender, Role::Approver, Role::Admin];

    /// Returns the contract's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Sender => "sender",
            Role::Approver => "approver",
            Role::Admin => "admin",
        }
    }

    /// Finds the role with this word.
    pub fn from_name(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|r| r.name() == name)
    }
}

// Names are personal.
impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contact({:?})", self.person)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::outcome::Reason;
    use crate::core::record::Repeat;

    #[test]
    fn who_may_have_got_it_is_who_was_not_certainly_refused() {
        let id = DeliveryId::new(MessageId::from_bytes([1; 16]), 0);
        let attempt = |n, outcome: Option<Outcome>| Attempt {
            id: AttemptId::new(id, n),
            gateway: "g".into(),
            channel: crate::core::channel::Channel::Sms,
            step: 0,
            at: Timestamp::default(),
            repeat: Repeat::No,
            plan: 1,
            outcome: outcome.map(|outcome| (outcome, Timestamp::default())),
        };
        let taken = || Some(Outcome::Accepted { provider_id: None });
        let refused = || Some(Outcome::Rejected { reason: Reason::TcpRefused });
        let later = || Some(Outcome::Deferred { reason: Reason::Throttled, retry_after: None });
        let unknown = || Some(Outcome::Unknown { reason: Reason::Timeout });
        let check = |outcomes: Vec<Option<Outcome>>, receipts: &[(u16, ReceiptKind)], expected| {
            let attempts: Vec<_> = (1..).zip(outcomes).map(|(n, outcome)| attempt(n, outcome)).collect();
            let receipts = receipts.iter().map(|(n, kind)| (*n, *kind, Timestamp::default())).collect();
            let recipient = Recipient::default();
            let story = DeliveryStory {
                recipient,
                delivery: None,
                id,
                attempts,
                receipts,
                plans: BTreeMap::new(),
                answer: None,
            };
            assert_eq!(story.may_have_arrived(), expected, "{story:?}");
        };
        use ReceiptKind::{Delivered, Failed, Sent};
        check(vec![], &[], false);
        check(vec![refused(), later()], &[], false);
        check(vec![None], &[], true);
        check(vec![unknown()], &[], true);
        check(vec![refused(), taken()], &[(2, Sent)], true);
        check(vec![taken()], &[(1, Failed)], false);
        check(vec![taken()], &[(1, Delivered), (1, Failed)], true);
        check(vec![taken(), unknown()], &[(1, Failed)], true);
    }
}
