//! What the core asks of the world. Nothing of a turn is done before the turn's records are durable.

use super::audit::Audit;
use super::channel::{Channel, GatewayId};
use super::evidence::{CanaryResult, Layer};
use super::ids::{AttemptId, DeliveryId, MessageId, OutageId};
use super::input::Ticket;
use super::message::{Severity, Status};
use super::outcome::{DeliveryResult, Fault, Outcome, Reason, ReceiptKind};
use super::record::{AddressDigest, Blame, OutageOf, Record, Repeat};
use super::reply::ReplyKind;
use super::time::{Span, Timestamp};
use super::view::State;

/// One thing to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Make this durable with the turn.
    Store(Record),
    /// Make this durable with the turn, at the end of the chain of acts.
    Note(Audit),
    /// Hand a delivery to a gateway.
    Send(Order),
    /// Hand a canary to a gateway: a message to an account of our own, that is no delivery of anybody's.
    Canary {
        /// What to send; its attempt belongs to no message in the store.
        order: Order,
        /// To which of the gateway's accounts, from 0.
        account: u8,
    },
    /// Ask the provider what became of an attempt.
    Ask {
        /// The attempt.
        attempt: AttemptId,
        /// The gateway.
        gateway: GatewayId,
    },
    /// Read a chunk of a frozen audience back from the store, as [`Input::Audience`](super::input::Input::Audience).
    /// Asked for after a restart, one chunk at a time.
    LoadAudience {
        /// The message.
        message: MessageId,
        /// Which chunk, from 0.
        chunk: u32,
    },
    /// Answer a caller.
    Reply {
        /// Who waits.
        ticket: Ticket,
        /// The answer.
        reply: Reply,
    },
    /// Probe a gateway at this pace from here on.
    ProbePace {
        /// The gateway.
        gateway: GatewayId,
        /// The pace.
        pace: Pace,
    },
    /// Ask the controls of our own lines at this pace from here on; at once, where there is doubt.
    ControlPace(Pace),
    /// Honour from here on that somebody wants nothing more on a channel, or wants it again.
    OptOut {
        /// The channel.
        channel: Channel,
        /// The address's digest.
        address: AddressDigest,
        /// Whether nothing more is wanted.
        out: bool,
    },
    /// Tell a rule's contacts what calls for a person.
    Escalate {
        /// The message.
        message: MessageId,
        /// Its severity.
        severity: Severity,
        /// Meant, or an exercise.
        status: Status,
        /// The rule.
        rule: String,
        /// The contacts' ids.
        contacts: Vec<String>,
        /// What it is.
        alarm: Alarm,
    },
    /// Something that metrics, the log and the pages may tell of.
    Event(Event),
}

/// What a rule's contacts are told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alarm {
    /// Deliveries missed their deadline.
    Late {
        /// How many, when it was noticed.
        deliveries: u32,
    },
    /// Recipients need help.
    Help {
        /// How many of the message's recipients need help.
        people: u32,
        /// When the last of them called: each notice is one of its own, and known by this, also after a start.
        newest: Timestamp,
    },
}

/// How often to probe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Pace {
    /// As its file says.
    Normal,
    /// There is doubt: a gateway every two seconds, or as its file says if that is quicker; controls every three.
    Doubt,
}

/// An attempt to make. Texts and addresses are looked up by whoever carries it out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// The attempt; an idempotency key where the provider takes one.
    pub attempt: AttemptId,
    /// The gateway.
    pub gateway: GatewayId,
    /// The channel whose address is to be used.
    pub channel: Channel,
    /// How long the gateway may take to answer once connected.
    pub time_out: Span,
    /// After this, nothing may be sent.
    pub expires: Timestamp,
    /// Whether it repeats another.
    pub repeat: Repeat,
    /// How grave: for the provider's own priorities.
    pub severity: Severity,
}

/// The answer to a caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Accepted, and on disk.
    Accepted {
        /// The message's id.
        message: MessageId,
        /// How many deliveries it has.
        deliveries: u32,
    },
    /// The same key came with another body.
    KeyConflict {
        /// What the key made.
        message: MessageId,
    },
    /// The message to correct has been corrected already.
    Corrected {
        /// What corrects it.
        by: MessageId,
    },
    /// There are as many deliveries waiting as the outbox may hold.
    OutboxFull {
        /// When to come back.
        retry_after: Span,
    },
    /// The command was carried out.
    Done {
        /// How many deliveries or gateways it changed.
        changed: u32,
    },
    /// There is no such thing.
    NotFound,
    /// It cannot be done; the text says why and what to do.
    Refused(String),
}

/// What is done to what lies over a gateway, or over all of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OverlayAct {
    /// Stopped by hand.
    Hold,
    /// Let go on.
    Release,
    /// Planned work until a time.
    Maintenance,
    /// Made to look down for a drill, until a time.
    Drill,
}

/// Something that happened: for metrics, the log and the feed. Carries no address and no text.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A message was accepted.
    Accepted {
        /// The message.
        message: MessageId,
        /// Its severity.
        severity: Severity,
        /// How many deliveries.
        deliveries: u32,
        /// How many recipients no rule of the admins was for.
        by_last_rule: u32,
        /// Not meant: an exercise or a test, whose figures are kept apart.
        drill: bool,
    },
    /// A canary came to its end.
    Canary {
        /// The gateway.
        gateway: GatewayId,
        /// The region that its account stands in, empty where none is said.
        region: String,
        /// What became of it.
        result: CanaryResult,
        /// How long its receipt took, where it came.
        lag: Option<Span>,
    },
    /// A gateway answered.
    Answered {
        /// The attempt.
        attempt: AttemptId,
        /// The gateway.
        gateway: GatewayId,
        /// The answer.
        outcome: Outcome,
        /// How long it took.
        took: Span,
    },
    /// A delivery left one gateway for another.
    Failover {
        /// The delivery.
        delivery: DeliveryId,
        /// From.
        from: GatewayId,
        /// To.
        to: GatewayId,
        /// Why: the reason of the last answer, or `None` where a wait ran out.
        reason: Option<Reason>,
        /// Not meant.
        drill: bool,
    },
    /// A receipt came for an open attempt.
    Receipt {
        /// The attempt.
        attempt: AttemptId,
        /// The gateway.
        gateway: GatewayId,
        /// The kind.
        kind: ReceiptKind,
        /// How long after it was accepted.
        lag: Span,
    },
    /// A receipt came that no open attempt answers to.
    StrayReceipt {
        /// The gateway.
        gateway: GatewayId,
    },
    /// A recipient said something.
    Replied {
        /// The gateway.
        gateway: GatewayId,
        /// What it was read as.
        kind: ReplyKind,
        /// The message that it answers, where that is known.
        message: Option<MessageId>,
    },
    /// Recipients need help: told at once, and then of each message once a minute at most.
    NeedHelp {
        /// The message that they answered; `None`: no message that is known.
        message: Option<MessageId>,
        /// How many of its recipients need help by now.
        people: u32,
        /// How many of them said so since this was told last.
        fresh: u32,
        /// When the last of them said so.
        newest: Timestamp,
        /// Not meant, as far as is known: they answered an exercise or a test.
        drill: bool,
    },
    /// Calls for help were closed because their callers were erased: nobody could be found by them.
    HelpErased {
        /// How many, those of exercises and tests left out.
        calls: u32,
        /// When.
        at: Timestamp,
    },
    /// A delivery settled.
    Settled {
        /// The delivery.
        delivery: DeliveryId,
        /// The result.
        result: DeliveryResult,
        /// The channel that did it.
        channel: Option<Channel>,
        /// How long it took since the message was accepted.
        took: Span,
        /// Its severity.
        severity: Severity,
        /// Whose fault, where it failed.
        fault: Option<Fault>,
        /// Whether more than one attempt may have reached the recipient.
        duplicated: bool,
        /// Not meant.
        drill: bool,
    },
    /// A delivery missed its deadline.
    DeadlineMissed {
        /// The message.
        message: MessageId,
        /// How many of its deliveries.
        deliveries: u32,
        /// Its severity.
        severity: Severity,
        /// Not meant.
        drill: bool,
    },
    /// A gateway changed its state.
    State {
        /// The gateway.
        gateway: GatewayId,
        /// From.
        from: State,
        /// To.
        to: State,
        /// The last reason seen.
        reason: Option<Reason>,
        /// The layer at which probes fail.
        layer: Option<Layer>,
    },
    /// An outage was declared.
    OutageOpened {
        /// The outage.
        outage: OutageId,
        /// What is down.
        of: OutageOf,
        /// What was seen.
        cause: Reason,
        /// From the first bad sign to the declaration.
        detection: Span,
        /// Who is at fault.
        blame: Blame,
    },
    /// It is known better whose an outage that goes on is.
    OutageTurned {
        /// The outage.
        outage: OutageId,
        /// What it was taken for.
        from: OutageOf,
        /// What it is.
        of: OutageOf,
        /// Who is at fault.
        blame: Blame,
    },
    /// An outage is over.
    OutageClosed {
        /// The outage.
        outage: OutageId,
        /// What was down.
        of: OutageOf,
        /// From its onset to its end.
        lasted: Span,
    },
    /// Our own line went down or came back.
    Uplink {
        /// The uplink.
        uplink: String,
        /// Whether it is up.
        up: bool,
    },
    /// An operator laid something over a gateway, or lifted it; or its time was over.
    Overlay {
        /// The gateway; `None`: all.
        gateway: Option<GatewayId>,
        /// What was done.
        act: OverlayAct,
        /// Who; [`SERVICE`](super::message::SERVICE) where the time was over.
        who: String,
    },
    /// The wall clock moved.
    ClockJumped {
        /// By how much.
        by: Span,
    },
    /// A new policy is in force.
    PolicyInForce {
        /// Its hash.
        hash: String,
    },
}

// === impl OverlayAct ===

impl OverlayAct {
    /// Every act.
    pub const ALL: [OverlayAct; 4] =
        [OverlayAct::Hold, OverlayAct::Release, OverlayAct::Maintenance, OverlayAct::Drill];

    /// Returns the word used in events and in the audit record.
    pub const fn name(self) -> &'static str {
        match self {
            OverlayAct::Hold => "hold",
            OverlayAct::Release => "release",
            OverlayAct::Maintenance => "maintenance",
            OverlayAct::Drill => "drill",
        }
    }
}
