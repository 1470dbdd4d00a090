//! What may arrive at the core. Everything that happens in the world is one of these.

use super::channel::GatewayId;
use super::evidence::{ProbeReport, UplinkRound};
use super::gateway::GatewayConfig;
use super::ids::{AttemptId, DeliveryId, MessageId};
use super::message::{Message, Recipient, Severity, Status, Template, Urgency};
use super::outcome::{Outcome, Reason, Receipt};
use super::policy::Policy;
use super::record::{AddressDigest, Progress};
use super::reply::{Asks, Caller, Reply, ReplyKind};
use super::time::{Span, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names a caller who waits for a reply; chosen by the runtime.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u64);

/// Something that arrived.
#[derive(Debug)]
pub enum Input {
    /// A message to accept.
    Accept(Box<Accept>),
    /// A gateway's answer to an attempt.
    Outcome {
        /// The attempt.
        attempt: AttemptId,
        /// The answer.
        outcome: Outcome,
        /// How long the gateway took, connecting not counted.
        took: Span,
    },
    /// A receipt, its signature checked.
    Receipt {
        /// The gateway that it came through.
        gateway: GatewayId,
        /// The receipt.
        receipt: Receipt,
    },
    /// What a recipient said, its signature checked.
    Reply(Box<Spoken>),
    /// What the provider says became of an attempt that it was asked about: `None`, it does not know it.
    Asked {
        /// The attempt.
        attempt: AttemptId,
        /// The provider's word.
        answer: Asked,
    },
    /// A chunk of a frozen audience, read back as [`Effect::LoadAudience`](super::effect::Effect::LoadAudience) asked.
    Audience {
        /// The message.
        message: MessageId,
        /// Which chunk, from 0.
        chunk: u32,
        /// The people.
        people: Arc<Vec<Recipient>>,
    },
    /// Somebody was erased: what is open to them ends.
    Erase {
        /// What stands for the person.
        pseudonym: String,
        /// The deliveries that were for this person.
        deliveries: Vec<DeliveryId>,
        /// By which calls for help of this person are known.
        calls: Vec<Caller>,
    },
    /// A standing connection of an adapter (an SMPP bind, an event stream) came up or went down.
    Link {
        /// The gateway.
        gateway: GatewayId,
        /// Why it is down; `None`: it is up.
        down: Option<Reason>,
    },
    /// A probe's result.
    Probe(ProbeReport),
    /// A round over an uplink's controls.
    Uplink(UplinkRound),
    /// Somebody's command.
    Command {
        /// Who waits.
        ticket: Ticket,
        /// The subject who gave it.
        who: String,
        /// What is wanted.
        command: Command,
    },
    /// A new policy in force.
    Policy(Arc<Policy>),
    /// The gateways as configured now; names that are gone take nothing new.
    Gateways(Vec<GatewayConfig>),
    /// The effects of every turn up to this time were released: a slow disk may hold them back.
    Released {
        /// The time of the last such turn.
        to: Timestamp,
    },
    /// The wall clock moved against the steady one by this much. Due times stay as they are.
    ClockJumped {
        /// Later (positive) or earlier.
        by: Span,
    },
}

/// What a recipient said, and what is known of it where addresses are.
#[derive(Debug)]
pub struct Spoken {
    /// The gateway that it came through.
    pub gateway: GatewayId,
    /// The reply.
    pub reply: Reply,
    /// A digest of the sender's channel and address.
    pub sender: AddressDigest,
    /// What it answers; `None`: nothing known.
    pub of: Option<Answered>,
}

/// What a reply answers.
#[derive(Debug)]
pub struct Answered {
    /// The attempt that brought the message.
    pub attempt: AttemptId,
    /// Whether that is certain: see [`KeptReply::quoted`](super::reply::KeptReply::quoted).
    pub quoted: bool,
    /// The message.
    pub message: Arc<Message>,
    /// How far the store says that it is. Where the message is open, the core knows better.
    pub progress: Progress,
    /// The rule by which it went to this recipient, as the attempt's plan names it.
    pub rule: Option<String>,
    /// What the recipient answered before.
    pub before: Option<ReplyKind>,
}

/// The provider's answer about an attempt of unknown outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// It has it, under this id.
    Found(Option<String>),
    /// It never got it.
    NotFound,
    /// It could not say.
    CannotSay,
}

/// A message as the API hands it over, its audience resolved.
pub struct Accept {
    /// Who waits for the reply.
    pub ticket: Ticket,
    /// The subject of the token.
    pub author: String,
    /// How grave.
    pub severity: Severity,
    /// How urgent.
    pub urgency: Urgency,
    /// Meant, or an exercise.
    pub status: Status,
    /// The incident.
    pub incident: Option<String>,
    /// When it is worth nothing any more.
    pub expires: Option<Timestamp>,
    /// The text by language.
    pub text: BTreeMap<String, String>,
    /// A provider's template.
    pub template: Option<Template>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// The audiences that the sender named.
    pub audiences: Vec<String>,
    /// The people, each once, each with at least one address; not empty.
    pub recipients: Vec<Recipient>,
    /// The message that it corrects, which was withdrawn by [`Command::Correct`] before.
    pub corrects: Option<MessageId>,
    /// What its recipients are asked to answer.
    pub asks: Asks,
    /// The caller's key against doing it twice.
    pub idempotency: Option<IdempotencyKey>,
}

/// A caller's `Idempotency-Key`, as digests of (subject, key) and of the body.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IdempotencyKey {
    /// The first 16 bytes of SHA-256 over the subject, a NUL and the key.
    pub key: [u8; 16],
    /// The first 16 bytes of SHA-256 over the body.
    pub body: [u8; 16],
}

/// What an operator or a program may ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Recall what was not yet sent.
    Cancel {
        /// The message.
        message: MessageId,
        /// Why.
        reason: String,
    },
    /// Stop what is about to be corrected: what was not yet sent is superseded. Who may have got it is known once the
    /// reply is; the correction itself is an [`Accept`].
    Correct {
        /// The message.
        message: MessageId,
        /// Why.
        reason: String,
    },
    /// Stop one gateway, or all of them.
    Hold {
        /// `None`: all.
        gateway: Option<GatewayId>,
        /// Why.
        reason: String,
    },
    /// Let one gateway, or all of them, go on.
    Release {
        /// `None`: all.
        gateway: Option<GatewayId>,
        /// Why.
        reason: String,
    },
    /// Planned work on a gateway.
    Maintenance {
        /// The gateway.
        gateway: GatewayId,
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// A game day: a gateway is made to look down for a while.
    Drill {
        /// The gateway.
        gateway: GatewayId,
        /// Until when.
        until: Timestamp,
        /// Whether what is meant avoids it too; else only exercises do. Refused where nothing else is good.
        everybody: bool,
        /// Why.
        reason: String,
    },
    /// End a gateway's drill before its time. Nothing else that lies over it is touched.
    EndDrill {
        /// The gateway.
        gateway: GatewayId,
        /// Why.
        reason: String,
    },
}

// Texts and addresses are personal.
impl std::fmt::Debug for Accept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Accept({}, {} recipients)", self.severity, self.recipients.len())
    }
}
