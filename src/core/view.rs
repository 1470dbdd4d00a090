//! The read model: one picture for the pages, the API, `wasl status` and the metrics.
//!
//! Invariant: its size is bounded by the number of gateways and the constants below, never by the outbox.

use super::channel::{Channel, GatewayId};
use super::effect::Event;
use super::evidence::{CanaryResult, Layer, Phase, Verdict};
use super::gateway::Receipts;
use super::ids::{DeliveryId, MessageId};
use super::message::Severity;
use super::outcome::Reason;
use super::record::{Outage, Overlay};
use super::time::{Span, Timestamp};
use std::fmt;
use std::sync::Arc;

/// How many of the last events a view carries.
pub const EVENTS_MAX: usize = 200;
/// How many of the oldest undelivered deliveries a view names.
pub const OLDEST_MAX: usize = 20;
/// How many closed outages a view carries beside those that go on.
pub const OUTAGES_MAX: usize = 50;

/// One state of a cell: the contract's five words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum State {
    /// The evidence speaks for it.
    Up,
    /// Doubt: routing turns away, nothing is declared.
    Degraded,
    /// Declared down.
    Down,
    /// Half open: let a little through and watch.
    Recovering,
    /// No valid evidence.
    Unknown,
}

/// The whole picture at one instant.
#[derive(Clone, Debug)]
pub struct View {
    /// The core's time.
    pub at: Timestamp,
    /// Which turn it shows.
    pub turn: u64,
    /// The policy in force.
    pub policy: String,
    /// Every configured gateway.
    pub gateways: Vec<GatewayView>,
    /// Every channel that has a gateway.
    pub channels: Vec<ChannelView>,
    /// The uplinks.
    pub uplinks: Vec<UplinkView>,
    /// What is laid over everything.
    pub held_all: Option<Overlay>,
    /// The outbox in numbers, without exercises and tests.
    pub deliveries: Counts,
    /// Exercises and tests in numbers.
    pub drill_deliveries: Counts,
    /// Who needs help.
    pub help: HelpView,
    /// By severity, in the order of `Severity::ALL`: since when the oldest undelivered one waits.
    pub oldest: [Option<Timestamp>; 5],
    /// The oldest undelivered deliveries.
    pub oldest_deliveries: Vec<OpenDelivery>,
    /// Outages that go on, then the last that ended.
    pub outages: Vec<Outage>,
    /// The last events, newest last.
    pub events: Vec<(Timestamp, Arc<Event>)>,
}

/// Who needs help and has not said otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HelpView {
    /// How many people.
    pub people: u32,
    /// Since when the oldest of them has called.
    pub oldest: Option<Timestamp>,
    /// By the message that they answered, the oldest call first; a bounded number.
    pub messages: Vec<HelpOf>,
    /// How many called in answer to an exercise or a test: none of the others.
    pub exercises: u32,
}

/// Those of one message's recipients who need help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HelpOf {
    /// The message; `None`: what they answered is not known.
    pub message: Option<MessageId>,
    /// How many people.
    pub people: u32,
    /// Since when the oldest of them has called.
    pub oldest: Timestamp,
}

/// One gateway.
#[derive(Clone, Debug)]
pub struct GatewayView {
    /// Its id.
    pub id: GatewayId,
    /// Its name.
    pub name: String,
    /// Its channel.
    pub channel: Channel,
    /// Whether it is still configured.
    pub configured: bool,
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// The odds that a send works now, as a share from 0 to 1.
    pub health: f64,
    /// The needles, in hundredths of a deciban: dead, refused, flaky.
    pub needles: [u32; 3],
    /// The last bad sign, where there is one.
    pub reason: Option<Reason>,
    /// What is laid over it.
    pub overlay: Option<Overlay>,
    /// Until when it asked to be left alone.
    pub deferred_until: Option<Timestamp>,
    /// What its probes said last.
    pub probes: Vec<ProbeView>,
    /// Attempts in flight.
    pub in_flight: u32,
    /// Attempts accepted and not yet confirmed.
    pub unconfirmed: u32,
    /// What receipts can say.
    pub receipts: Receipts,
    /// How long an attempt may take.
    pub time_out: Span,
    /// The share of each quota that is left, with its name.
    pub quotas: Vec<(String, f64)>,
    /// The failure domains.
    pub failure_domains: Vec<String>,
    /// The last states, oldest first: (since, state), bounded.
    pub history: Vec<(Timestamp, State)>,
    /// Its canaries, by account.
    pub canaries: Vec<CanaryView>,
}

/// What is known of the canaries to one account of our own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CanaryView {
    /// The region that it stands in, empty where none is said.
    pub region: String,
    /// When the last went.
    pub sent: Option<Timestamp>,
    /// What became of the last that came to an end, and when.
    pub last: Option<(Timestamp, CanaryResult)>,
    /// How long the last took that came.
    pub lag: Option<Span>,
}

/// What a probe said last.
#[derive(Clone, Debug)]
pub struct ProbeView {
    /// The probe's name.
    pub name: String,
    /// The layer that it is for.
    pub layer: Layer,
    /// The deepest layer reached.
    pub reached: Option<Layer>,
    /// What it found.
    pub verdict: Verdict,
    /// When.
    pub at: Timestamp,
    /// How long it took.
    pub took: Span,
    /// How long each layer took that it went through, in order.
    pub phases: Vec<Phase>,
    /// Whether the evidence is still valid.
    pub valid: bool,
}

/// One channel.
#[derive(Clone, Debug)]
pub struct ChannelView {
    /// Which.
    pub channel: Channel,
    /// Its best gateway's state.
    pub state: State,
    /// How many gateways it has.
    pub gateways: u32,
    /// How many of them may be used now.
    pub usable: u32,
}

/// One uplink.
#[derive(Clone, Debug)]
pub struct UplinkView {
    /// Its name.
    pub name: String,
    /// Whether it is up.
    pub up: bool,
    /// Since when.
    pub since: Timestamp,
    /// Controls that failed in the last round, and how many there are.
    pub failed: (u8, u8),
}

/// The outbox in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Waiting for a gateway.
    pub waiting: u64,
    /// Waiting for a time before the next try.
    pub backing_off: u64,
    /// At least one attempt is in flight.
    pub in_flight: u64,
    /// Taken by a provider, not yet confirmed.
    pub unconfirmed: u64,
    /// Not confirmed, and past their deadline.
    pub late: u64,
    /// Accepted and not yet materialised.
    pub materialising: u64,
    /// Ended, by result, in the order of `DeliveryResult::ALL`, since the start.
    pub settled: [u64; 7],
    /// Messages with an open delivery.
    pub messages_open: u64,
}

/// The numbers of what is meant, and those of exercises and tests beside them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tally {
    /// What is meant.
    pub actual: Counts,
    /// Exercises and tests.
    pub drill: Counts,
}

/// One delivery that is not settled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenDelivery {
    /// The delivery.
    pub id: DeliveryId,
    /// Its message.
    pub message: MessageId,
    /// Its severity.
    pub severity: Severity,
    /// Whether it is an exercise or a test.
    pub drill: bool,
    /// When its message was accepted.
    pub since: Timestamp,
    /// Its deadline.
    pub deadline: Timestamp,
    /// Its step, from 0.
    pub step: u8,
    /// The gateway of its last open attempt.
    pub gateway: Option<GatewayId>,
    /// Where it stands: `waiting`, `backing_off`, `in_flight` or `unconfirmed`.
    pub state: &'static str,
}

// === impls ===

impl State {
    /// Every state, in the order of its stored number.
    pub const ALL: [State; 5] = [State::Up, State::Degraded, State::Down, State::Recovering, State::Unknown];

    /// Returns the contract's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Degraded => "degraded",
            State::Down => "down",
            State::Recovering => "recovering",
            State::Unknown => "unknown",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl View {
    /// Returns how many deliveries are not settled, exercises among them: each of them has still to be written.
    pub fn unsettled(&self) -> u64 {
        self.deliveries.open() + self.drill_deliveries.open()
    }
}

impl Tally {
    /// Returns how many deliveries are not settled, exercises among them.
    pub fn open(&self) -> u64 {
        self.actual.open() + self.drill.open()
    }

    /// Returns the numbers of exercises, or of what is meant.
    pub(crate) fn of(&mut self, drill: bool) -> &mut Counts {
        if drill { &mut self.drill } else { &mut self.actual }
    }
}

impl Counts {
    /// Returns how many deliveries are not settled.
    pub fn open(&self) -> u64 {
        self.waiting + self.backing_off + self.in_flight + self.unconfirmed + self.materialising
    }
}
