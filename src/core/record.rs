//! What is written to the outbox: the whole of the core's memory that must survive.
//!
//! A delivery without a row is waiting and untried: a mass alert costs its message and its frozen
//! audience, and rows only as attempts are made. Keys are given with each record;
//! the codec (version byte, sealed byte) is the store's.

use super::channel::Channel;
use super::evidence::Layer;
use super::ids::{AttemptId, DeliveryId, MessageId, OutageId};
use super::input::IdempotencyKey;
use super::message::{Message, Recipient, Severity, Status};
use super::outcome::{DeliveryResult, Outcome, Reason, Receipt, ReceiptKind};
use super::policy::OnUnknown;
use super::reply::{Answers, HelpCall, KeptReply, LastAnswer};
use super::time::{Span, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One write of a turn. All writes of a turn become durable together.
#[derive(Clone, PartialEq, Debug)]
pub enum Record {
    /// A message; key: its id. Also marks it as open.
    Message(Arc<Message>),
    /// A chunk of a message's frozen audience; key: (message, chunk). At most `CHUNK_RECIPIENTS` people.
    Audience {
        /// The message.
        message: MessageId,
        /// Which chunk, from 0.
        chunk: u32,
        /// The people.
        people: Arc<Vec<Recipient>>,
    },
    /// How far a message is; key: the message. Where `open` is false, every delivery has settled.
    Progress(Progress),
    /// An attempt; key: its id. Written before it leaves, and again with its outcome.
    Attempt(Attempt),
    /// A receipt on a known attempt; key: (attempt, kind); the first of a kind is kept.
    Receipt {
        /// The attempt.
        attempt: AttemptId,
        /// The kind.
        kind: ReceiptKind,
        /// When it came.
        at: Timestamp,
        /// Why, where it failed.
        reason: Option<Reason>,
    },
    /// A receipt that no open attempt answers to. The store files it with the attempt that has this
    /// provider id, if there is one, and else forgets it: late news is recorded, never acted on.
    StrayReceipt {
        /// The gateway's name.
        gateway: String,
        /// The receipt.
        receipt: Receipt,
        /// When it came.
        at: Timestamp,
    },
    /// A delivery's state; key: the delivery.
    Delivery(Delivery),
    /// Why attempts went the way they did; key: (message, number).
    Plan(Arc<Plan>),
    /// An outage, opened or closed; key: its id.
    Outage(Outage),
    /// A hold or a maintenance laid over a gateway, or lifted; key: the gateway's name, or `None` for all.
    Overlay {
        /// The gateway's name; `None`: all of them.
        gateway: Option<String>,
        /// What is laid over it; `None`: nothing any more.
        overlay: Option<Overlay>,
    },
    /// A caller's key; key: the digest. Forgotten after 24 h.
    Idempotency {
        /// The digests.
        key: IdempotencyKey,
        /// What it made.
        message: MessageId,
        /// How many deliveries.
        deliveries: u32,
        /// When.
        at: Timestamp,
    },
    /// What a recipient said; key: its time and digest. The first of a provider's id is kept.
    Reply(KeptReply),
    /// What the person of a delivery answered last; key: the delivery.
    Answer(LastAnswer),
    /// Somebody wants nothing more on a channel, or wants it again; key: the channel and the address's digest.
    OptOut {
        /// The channel.
        channel: Channel,
        /// A digest of the address.
        address: AddressDigest,
        /// Since when; `None`: wanted again.
        since: Option<Timestamp>,
    },
}

/// The first 16 bytes of a SHA-256 over a channel and an address on it.
pub type AddressDigest = [u8; 16];

/// How far a message is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The message.
    pub message: MessageId,
    /// Whether a delivery is unsettled.
    pub open: bool,
    /// How many deliveries have ended, by result, in the order of `DeliveryResult::ALL`.
    pub settled: [u32; 7],
    /// How many missed their deadline.
    pub late: u32,
    /// Set once it is cancelled or superseded: nothing more is sent.
    pub withdrawn: Option<DeliveryResult>,
    /// Whether the contacts of `escalate` were told.
    pub escalated: bool,
    /// How many of its people answered.
    pub answers: Answers,
    /// Whether it was open in a backup that was restored: whatever had not settled then may have gone out since, and
    /// nobody will ever tell.
    pub restored: bool,
}

/// A delivery's state on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The delivery.
    pub id: DeliveryId,
    /// The step of the ladder, from 0.
    pub step: u8,
    /// How many attempts were made.
    pub attempts: u16,
    /// How many rounds over all permitted gateways came to nothing.
    pub rounds: u16,
    /// The channels that can never take it (recipient or content refused), as bits.
    pub barred: u16,
    /// How it ended, and when; `None`: it is open.
    pub result: Option<Settled>,
}

/// A delivery's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settled {
    /// The result.
    pub result: DeliveryResult,
    /// When.
    pub at: Timestamp,
    /// The channel that did it, where one did.
    pub channel: Option<Channel>,
    /// The attempt that did it, where one did.
    pub attempt: Option<u16>,
    /// The last reason, where it failed.
    pub reason: Option<Reason>,
    /// Whether more than one attempt may have reached the recipient.
    pub duplicated: bool,
}

/// Why an attempt repeats another that may have gone out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Repeat {
    /// It is the first, or follows attempts that were certainly not sent.
    No,
    /// After an attempt of unknown outcome (a time-out, a lost connection, a crash).
    AfterUnknown,
    /// After a step's wait ran out; the earlier attempt stays open.
    AfterWait,
    /// Together with others, as `send = "all"` asks.
    Together,
    /// After a receipt said that the earlier one failed.
    AfterFailure,
}

/// One delivery handed to one gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The gateway's name.
    pub gateway: String,
    /// The channel.
    pub channel: Channel,
    /// The step it was made for, from 0.
    pub step: u8,
    /// When it was handed over.
    pub at: Timestamp,
    /// Whether it repeats another.
    pub repeat: Repeat,
    /// The number of the plan that explains it.
    pub plan: u32,
    /// The answer, and when it came; `None`: it is in flight.
    pub outcome: Option<(Outcome, Timestamp)>,
}

/// An explanation, interned: one for each (message, class of recipient, health epoch).
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// The message.
    pub message: MessageId,
    /// Its number within the message, from 1.
    pub number: u32,
    /// The policy in force.
    pub policy: String,
    /// The rule's name.
    pub rule: String,
    /// The step, from 0.
    pub step: u8,
    /// What was to settle it, and what on an unknown outcome.
    pub on_unknown: OnUnknown,
    /// Every gateway of the ladder, best first.
    pub ranking: Vec<Ranked>,
    /// When it was made.
    pub at: Timestamp,
}

/// One gateway in a plan.
#[derive(Clone, PartialEq, Debug)]
pub struct Ranked {
    /// Its name.
    pub gateway: String,
    /// Its channel.
    pub channel: Channel,
    /// What was thought of it then.
    pub standing: Standing,
    /// Its odds then, as the share of sends that should work, in thousandths.
    pub health_permille: u16,
    /// Its worst needle then, in hundredths of a deciban.
    pub needle_cdb: u32,
}

/// Why a gateway was taken or passed over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Standing {
    /// It may be taken.
    Eligible,
    /// It may be taken, later in the ladder.
    LaterStep,
    /// The evidence speaks against it; taken only if nothing better is permitted.
    Doubtful,
    /// It is down; taken only if nothing else is left.
    Down,
    /// An operator holds it.
    Held,
    /// Planned work.
    Maintenance,
    /// It looks down for a drill; what is meant takes it only if nothing better is permitted.
    Drill,
    /// It asked to be left alone for a while.
    Deferred,
    /// Its quota is used up.
    QuotaExhausted,
    /// Our own line is down and it needs it.
    UplinkDown,
    /// The rule forbids it.
    Forbidden,
    /// The recipient has no address there.
    NoAddress,
    /// It refused this recipient or this content before.
    Refused,
    /// It is no longer configured.
    Removed,
}

/// A declared period in which a gateway was down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outage {
    /// Its id.
    pub id: OutageId,
    /// What is down.
    pub of: OutageOf,
    /// The channel.
    pub channel: Channel,
    /// The first bad sign.
    pub onset: Timestamp,
    /// When it was declared.
    pub detected: Timestamp,
    /// When it was over; `None`: it goes on.
    pub recovered: Option<Timestamp>,
    /// What was seen most.
    pub cause: Reason,
    /// The layer at which probes failed, where they did.
    pub layer: Option<Layer>,
    /// How many attempts it cost, from its onset on: those that failed by the gateway's fault; for a channel, those of
    /// its gateways; for our own line, those that failed while every uplink was down. A crash may lose the last minute's.
    pub attempts_failed: u32,
    /// Whether it is not known yet whose fault it is: the gateway's or that of what it has in common with others.
    pub open: bool,
    /// What the verdict was made of, weightiest first; at most [`SIGNS_MAX`].
    pub signs: Vec<Sign>,
}

/// How many pieces of evidence an outage keeps.
pub const SIGNS_MAX: usize = 8;

/// A piece of the evidence that a verdict was made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sign {
    /// Probes failed.
    Probes {
        /// How many since the first bad sign.
        failed: u32,
        /// The layer at which the last one did.
        layer: Option<Layer>,
        /// Why the last one did.
        reason: Reason,
    },
    /// Attempts failed by the gateway's fault.
    Attempts {
        /// How many since the first bad sign.
        failed: u32,
        /// Why the last one did.
        reason: Reason,
    },
    /// Receipts do not come.
    Receipts {
        /// From which gateway.
        gateway: String,
        /// From which region; empty: those whose region is not known.
        region: String,
        /// How many came since they began to be missed.
        came: u32,
        /// How many were to be expected.
        expected: u32,
    },
    /// Another gateway's receipts come from the same region: it is not the region.
    Delivers {
        /// The gateway.
        gateway: String,
        /// The region; empty: those whose region is not known.
        region: String,
    },
    /// Controls of our own line failed in the round that decided.
    Controls {
        /// How many.
        failed: u8,
        /// Of how many.
        of: u8,
    },
    /// Its provider says so itself.
    Provider,
    /// This gateway is down.
    Down {
        /// The gateway.
        gateway: String,
    },
}

/// Who is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// The gateway or its channel.
    Channel,
    /// A region's last mile, whatever the channel.
    Region,
    /// Our own line.
    Line,
    /// Something that several gateways share.
    Domain,
    /// It is not known yet.
    Open,
}

impl Blame {
    /// Returns the word used in JSON and as the name of its words.
    pub fn name(self) -> &'static str {
        match self {
            Blame::Channel => "channel",
            Blame::Region => "region",
            Blame::Line => "line",
            Blame::Domain => "domain",
            Blame::Open => "open",
        }
    }
}

impl Outage {
    /// Returns who is at fault.
    pub fn blame(&self) -> Blame {
        match &self.of {
            _ if self.open => Blame::Open,
            OutageOf::Gateway(_) | OutageOf::Channel(_) | OutageOf::Slice { .. } => Blame::Channel,
            OutageOf::Region(_) => Blame::Region,
            OutageOf::Uplink(_) => Blame::Line,
            OutageOf::Domain(_) => Blame::Domain,
        }
    }

    /// Says whether it is one channel's.
    pub fn is_of_channel(&self) -> bool {
        matches!(self.of, OutageOf::Gateway(_) | OutageOf::Channel(_) | OutageOf::Slice { .. })
    }
}

/// What an outage is of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum OutageOf {
    /// One gateway, by name.
    Gateway(String),
    /// Every gateway of a channel.
    Channel(Channel),
    /// Our own line, by the uplink's name.
    Uplink(String),
    /// One gateway in one region: it takes what is for people there, and that does not arrive.
    Slice {
        /// The gateway's name.
        gateway: String,
        /// The region's; empty: those whose region is not known.
        region: String,
    },
    /// A region's last mile: nothing that is for people there arrives, by whatever channel.
    Region(String),
    /// A failure domain: the gateways that share it fell together.
    Domain(String),
}

/// What an operator lays over a gateway's health.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Overlay {
    /// Held, or under planned work until a time.
    pub kind: OverlayKind,
    /// Who.
    pub who: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// The kind of an overlay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OverlayKind {
    /// Stopped by hand, until released.
    Held,
    /// Planned work, until this time.
    Maintenance {
        /// Until when.
        until: Timestamp,
    },
    /// A drill: it works, and looks down to those who take part.
    Drill {
        /// Until when.
        until: Timestamp,
        /// Whether what is meant avoids it too; else only exercises do.
        everybody: bool,
    },
}

impl Overlay {
    /// Returns until when it lasts; `None`: until it is lifted.
    pub fn until(&self) -> Option<Timestamp> {
        match self.kind {
            OverlayKind::Held => None,
            OverlayKind::Maintenance { until } | OverlayKind::Drill { until, .. } => Some(until),
        }
    }

    /// Says whether it is a drill: the gateway works all the same.
    pub fn is_drill(&self) -> bool {
        matches!(self.kind, OverlayKind::Drill { .. })
    }
}

/// Everything that is unsettled, as the store hands it to the core at start.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The highest time that any stored value carries: the clock must not be behind it.
    pub clock: Timestamp,
    /// The open messages, oldest first.
    pub messages: Vec<LoadedMessage>,
    /// Outages that go on.
    pub outages: Vec<Outage>,
    /// The number of the last outage.
    pub last_outage: u64,
    /// Overlays in force.
    pub overlays: Vec<(Option<String>, Overlay)>,
    /// Who needs help and has not said otherwise: those of the last [`HELP_FOR`](super::reply::HELP_FOR), oldest first.
    pub help: Vec<HelpCall>,
    /// What they answered, as far as somebody is to be told of them again.
    pub raised: BTreeMap<MessageId, Raised>,
}

/// What a message is that was answered by calls for help, and by which rule it went to those who called.
#[derive(Clone, Debug)]
pub struct Raised {
    /// How grave the message is.
    pub severity: Severity,
    /// What it was sent for.
    pub status: Status,
    /// The rule's name.
    pub rule: String,
}

/// One open message, whole.
#[derive(Debug)]
pub struct LoadedMessage {
    /// The message.
    pub message: Arc<Message>,
    /// How far it is.
    pub progress: Progress,
    /// The rows of its deliveries that have one, by index.
    pub deliveries: Vec<Delivery>,
    /// The attempts of its open deliveries, in order.
    pub attempts: Vec<Attempt>,
    /// The receipts on those attempts, with the reason of those that say "failed".
    pub receipts: Vec<(AttemptId, ReceiptKind, Option<Reason>)>,
    /// The highest plan number used.
    pub last_plan: u32,
}

/// What reachability keeps of a gateway: as a whole, or for one region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The gateway's name.
    pub gateway: String,
    /// The region's; empty: the gateway as a whole, and people whose region is not known.
    pub region: String,
    /// What is thought of it.
    pub needles: Needles,
}

/// What is learned of receipts: how long they take, and who has an account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Learned {
    /// Receipts by lag, in hundredths, a bin each; zeros at the end are left out.
    pub came: Vec<u32>,
    /// How many messages waited for one through each bin, likewise.
    pub waited: Vec<u32>,
    /// Of that, what those waited whose receipt came within the bin.
    pub of_came: Vec<u32>,
    /// How many people had an account, in hundredths.
    pub with_account: u32,
    /// How many had none, in hundredths.
    pub without_account: u32,
    /// What each hour of the day gives, and in how large groups receipts come, in hundredths; empty: nothing is known.
    pub usual: Vec<u32>,
}

/// Needles of a gateway as kept in reachability, in hundredths of a deciban.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Needles {
    /// *Dead*.
    pub dead: u32,
    /// *Refused*.
    pub refused: u32,
    /// *Flaky*.
    pub flaky: u32,
    /// When they were last moved.
    pub at: Timestamp,
    /// Since when it has been declared down.
    pub down_since: Option<Timestamp>,
    /// The learned time-out of an attempt.
    pub time_out: Span,
    /// What is used of each quota.
    pub quotas: Vec<QuotaUse>,
    /// *Swallowing*, by receipts.
    pub swallowing: u32,
    /// *Flaky*, by receipts.
    pub losing: u32,
    /// How often it went down lately, in hundredths, as of `at`.
    pub penalty: u32,
    /// Until when it is not taken for up again.
    pub damped_until: Option<Timestamp>,
    /// What is learned of its receipts.
    pub learned: Learned,
}

/// How much of one quota is used: a restart must not forget it, since the provider does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuotaUse {
    /// The quota's limit, which with its period tells it from others.
    pub limit: u64,
    /// Its period.
    pub period: Span,
    /// The number of the newest slice of the period, counted from the epoch.
    pub newest: i64,
    /// What was used in each slice; the place of slice `n` is `n` modulo their count.
    pub slices: Vec<u64>,
}

// === impl Progress ===

impl Progress {
    /// Returns the progress of a message of which nothing has settled.
    pub const fn untouched(message: MessageId) -> Progress {
        let answers = Answers { acknowledged: 0, safe: 0, need_help: 0 };
        Progress {
            message,
            open: true,
            settled: [0; 7],
            late: 0,
            withdrawn: None,
            escalated: false,
            answers,
            restored: false,
        }
    }
}
