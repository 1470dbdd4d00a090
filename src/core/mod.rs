//! The core: decides what happens next. Owns all state and does no I/O.
//!
//! No sockets, files, clock, threads or thread rng: `now` and the seed come in as arguments, so that what is
//! simulated is what runs. Inputs go in by [`Core::handle`]; effects come out by [`Core::poll_effect`].
//!
//! Invariant: this module imports `std` (no net, fs, env, thread, process), `thiserror` and itself; a test reads
//! the `use` lines and holds us to it.

pub mod audit;
pub mod channel;
pub mod effect;
pub mod erasure;
pub mod evidence;
pub mod forecast;
pub mod gateway;
pub mod hearsay;
pub mod ids;
pub mod input;
pub mod message;
pub mod outcome;
pub mod policy;
pub mod query;
pub mod reach;
pub mod record;
pub mod reply;
pub mod time;
pub mod view;

mod accept;
mod answer;
mod awaited;
mod backoff;
mod blame;
mod canary;
mod capacity;
mod converse;
mod deliver;
mod draw;
mod erase;
mod health;
mod help;
mod load;
mod operate;
pub mod outage;
mod outbox;
pub(crate) mod reading;
mod receipts;
pub(crate) mod rng;
mod route;
mod settle;
mod slab;
#[cfg(test)]
mod tests;
mod watch;

pub(crate) use accept::TELL_AGAIN_WITHIN;

use channel::{ChannelSet, GatewayId};
use converse::Ended;
use effect::{Effect, Event};
use gateway::GatewayConfig;
use health::uplink::{HEARD_WITHIN, Uplink, VERDICT_PAUSE};
use help::Help;
use ids::{AttemptId, MessageId};
use input::Input;
use outage::Ledger;
use outbox::early::Early;
use outbox::message::OpenMessage;
use outbox::queue::{Queues, Tiers};
use outbox::rests::Rests;
use outbox::row::{OpenAttempt, Row};
use outbox::timers::{Timer, Timers};
use policy::Policy;
use receipts::{EVERYWHERE, Receipts};
use record::{Kept, Needles, Record};
use rng::Rng;
use route::fleet::Fleet;
use route::plan::Route;
use slab::{Handle, Slab};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use time::{Span, Timestamp};
use view::{EVENTS_MAX, Tally};

/// The most deliveries that may be unsettled at once; beyond it intake answers 429.
pub const OUTBOX_MAX: u64 = 2_000_000;
/// The most of them that may be exercises and tests: a drill with the whole address book leaves as much room for what is meant.
pub const EXERCISES_MAX: u64 = OUTBOX_MAX / 2;

/// How many deliveries may be materialised or revisited in one turn: a mass alert does not freeze the core.
const VISITS_PER_TURN: usize = message::CHUNK_RECIPIENTS;
/// How many attempts may be ordered in one turn.
const ORDERS_PER_TURN: usize = 1_000;
/// How many timers may fire in one turn.
const TIMERS_PER_TURN: usize = 5_000;
/// How long a caller's key is remembered here; by then the store knows it.
const KEYS_FOR: Span = Span::from_mins(15);
/// How many keys are remembered here at most.
const KEYS_MAX: usize = 200_000;

/// What the core is told once, at start.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// This node's shard, part of every message id.
    pub shard: u16,
    /// Where ids and jitter come from.
    pub seed: u64,
    /// How long a gateway must stay in doubt before an outage is declared. 20 s keeps out blips.
    pub dwell: Span,
    /// The names of the uplinks whose controls are asked.
    pub uplinks: Vec<String>,
}

/// Decides what happens next. Owns all state and does no I/O.
///
/// Call order of a turn: any number of [`Core::handle`], one [`Core::tick`], then [`Core::poll_effect`] until `None`.
/// The caller makes every [`Effect::Store`] of the turn durable before it carries out any other effect of it.
#[derive(Debug)]
pub struct Core {
    config: CoreConfig,
    rng: Rng,
    policy: Arc<Policy>,
    fleet: Fleet,
    uplinks: Vec<Uplink>,
    /// Since when most of what needs our line fails.
    most_fail_since: Option<Timestamp>,
    /// Whether the controls of the uplinks are asked at the pace of doubt.
    controls_hurried: bool,
    ledger: Ledger,
    slices: blame::Slices,
    canaries: canary::Canaries,
    help: Help,
    /// How far messages are that have ended, or that replies came to after: the oldest is forgotten first.
    ended: Ended,

    messages: Slab<OpenMessage>,
    message_of: BTreeMap<MessageId, Handle>,
    /// Open messages by severity and age.
    by_age: BTreeMap<(u8, u32), Handle>,
    /// Messages with something to materialise or to visit, most severe first.
    busy: BTreeSet<(u8, u32, Handle)>,
    rows: Slab<Row>,
    rests: Rests,
    receipts: Receipts,
    attempts: Slab<OpenAttempt>,
    /// Open attempts by the provider's id.
    provider_ids: BTreeMap<(GatewayId, Box<str>), Handle>,
    /// The same for attempts that a start found on disk and whose deliveries are yet to be materialised again.
    kept_ids: BTreeMap<(GatewayId, Box<str>), AttemptId>,
    /// Attempts in flight whose delivery has settled meanwhile.
    orphans: BTreeMap<AttemptId, Handle>,
    early: Early,
    queues: Queues,
    timers: Timers,
    routes: BTreeMap<(usize, ChannelSet), Arc<Route>>,
    keys: BTreeMap<[u8; 16], Key>,
    keys_by_age: VecDeque<(Timestamp, [u8; 16])>,
    /// The last messages that were corrected, and what corrects them.
    corrections: BTreeMap<MessageId, MessageId>,

    /// Moves whenever a gateway's standing or rank does; plans are made anew then.
    epoch: u64,
    ranks: (Tiers, Vec<i32>),
    tiers: Tiers,
    counts: Tally,
    last_message: u32,
    /// The last stay of a delivery in a queue.
    stays: u32,
    turn: u64,
    /// The core's time: never goes back.
    now: Timestamp,
    /// Messages whose progress is to be written at the end of the turn.
    dirty: BTreeSet<Handle>,
    /// Orders up to this time have left; `None`: every order leaves with its turn.
    released: Option<Timestamp>,
    /// Whether the turn ended with work left over.
    more: bool,
    effects: VecDeque<Effect>,
    events: VecDeque<(Timestamp, Arc<Event>)>,
}

/// What a caller's key made.
#[derive(Clone, Copy, Debug)]
struct Key {
    body: [u8; 16],
    message: MessageId,
    deliveries: u32,
}

impl Core {
    /// Builds a core with nothing to do.
    pub fn new(
        config: CoreConfig,
        gateways: Vec<GatewayConfig>,
        policy: Arc<Policy>,
        now: Timestamp,
    ) -> Core {
        let mut fleet = Fleet::default();
        fleet.configure(gateways, now);
        let uplinks = config.uplinks.iter().map(|name| Uplink::new(name.clone(), now)).collect();
        let mut core = Core {
            rng: Rng::new(config.seed),
            config,
            policy,
            fleet,
            uplinks,
            most_fail_since: None,
            controls_hurried: false,
            ledger: Ledger::default(),
            slices: blame::Slices::default(),
            canaries: canary::Canaries::default(),
            help: Help::default(),
            ended: Ended::default(),
            messages: Slab::default(),
            message_of: BTreeMap::new(),
            by_age: BTreeMap::new(),
            busy: BTreeSet::new(),
            rows: Slab::default(),
            rests: Rests::default(),
            receipts: Receipts::default(),
            attempts: Slab::default(),
            provider_ids: BTreeMap::new(),
            kept_ids: BTreeMap::new(),
            orphans: BTreeMap::new(),
            early: Early::default(),
            queues: Queues::default(),
            timers: Timers::default(),
            routes: BTreeMap::new(),
            keys: BTreeMap::new(),
            keys_by_age: VecDeque::new(),
            corrections: BTreeMap::new(),
            epoch: 1,
            ranks: (Tiers::default(), Vec::new()),
            tiers: Tiers::default(),
            counts: Tally::default(),
            last_message: 0,
            stays: 0,
            turn: 0,
            now,
            dirty: BTreeSet::new(),
            released: None,
            more: false,
            effects: VecDeque::new(),
            events: VecDeque::new(),
        };
        core.configure_canaries();
        core
    }

    /// Takes what reachability kept. Call before any input, gateways as a whole before their regions; unknown names are
    /// ignored.
    pub fn remember(&mut self, kept: &Kept) {
        let (now, needles) = (self.now, &kept.needles);
        let Some(id) = self.fleet.find(&kept.gateway) else { return };
        if kept.region.is_empty()
            && let Some(g) = self.fleet.get_mut(id)
        {
            g.cell.remember(needles, now);
            g.capacity.remember(needles.time_out, &needles.quotas);
        }
        self.remember_receipts(id, kept);
    }

    /// Returns what is to be written behind: every gateway as a whole, and the regions of which something is new.
    pub fn needles(&mut self) -> Vec<Kept> {
        let of = |(id, g): (GatewayId, &route::fleet::Gateway)| {
            let kept = g.cell.needles(self.now);
            let (time_out, quotas) = (g.capacity.time_out(), g.capacity.quota_use());
            let mut needles = Needles { time_out, quotas, ..kept };
            self.receipts.keep(id, EVERYWHERE, &mut needles);
            Kept { gateway: g.config.name.clone(), region: String::new(), needles }
        };
        let mut all: Vec<Kept> = self.fleet.iter().map(of).collect();
        all.extend(self.new_of_regions());
        all
    }

    /// Takes something that arrived.
    pub fn handle(&mut self, input: Input, now: Timestamp) {
        self.now = self.now.max(now);
        match input {
            Input::Accept(accept) => self.accept(*accept),
            Input::Outcome { attempt, outcome, took } => self.answered(attempt, outcome, took),
            Input::Receipt { gateway, receipt } => self.receipt(gateway, receipt),
            Input::Reply(spoken) => self.replied(*spoken),
            Input::Erase { pseudonym, deliveries, calls } => {
                self.erase(&pseudonym, &deliveries);
                self.close_calls_of_erased(&pseudonym, &deliveries, &calls);
            }
            Input::Asked { attempt, answer } => self.asked(attempt, answer),
            Input::Audience { message, chunk, people } => self.audience(message, chunk, people),
            Input::Link { gateway, down } => self.link(gateway, down),
            Input::Probe(report) => self.probe(report),
            Input::Uplink(round) => self.uplink_round(&round),
            Input::Command { ticket, who, command } => self.command(ticket, &who, command),
            Input::Policy(policy) => self.new_policy(policy),
            Input::Gateways(configs) => self.new_gateways(configs),
            Input::Released { to } => self.released = Some(to),
            Input::ClockJumped { by } => self.event(Event::ClockJumped { by }),
        }
    }

    /// Does what is due, and orders what can go.
    pub fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.turn += 1;
        self.more = false;
        self.lift_what_is_over();
        self.weigh_silence();
        self.tend_canaries();
        self.judge();
        self.fire_timers();
        self.give_up_early();
        self.visit();
        self.dispatch();
        self.write_progress();
        self.write_outages();
        self.tell_of_help();
        self.forget_keys();
    }

    /// Returns the next thing to do; drain until `None`.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        let effect = self.effects.pop_front();
        if effect.is_none() && self.effects.capacity() > 4 * ORDERS_PER_TURN {
            self.effects.shrink_to(ORDERS_PER_TURN);
        }
        effect
    }

    /// Returns when to tick next; the present means at once: a turn left work over.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.more {
            return Some(self.now);
        }
        // The turn has judged what was due by now; what it did not declare then waits for something else.
        let judgements = self
            .fleet
            .iter()
            .filter_map(|(_, g)| g.cell.next_judgement(self.config.dwell))
            .chain(self.uplinks.iter().filter_map(|u| u.back_at.map(|back| back + VERDICT_PAUSE)))
            .chain(self.fleet.iter().filter_map(|(_, g)| g.overlay.as_ref().and_then(record::Overlay::until)))
            .chain(self.most_fail_since.map(|since| since + HEARD_WITHIN))
            .filter(|due| *due > self.now);
        let free = match self.queues.is_empty() {
            true => None,
            false => self.fleet.next_free(self.queues.wanted(), self.now),
        };
        judgements
            .chain(self.timers.next())
            .chain(self.early.next())
            .chain(self.help.next())
            .chain(self.receipts.next_beat())
            .chain(self.next_canary())
            .chain(free)
            .min()
    }

    /// Finds a gateway by name.
    pub fn gateway_id(&self, name: &str) -> Option<GatewayId> {
        self.fleet.find(name)
    }

    fn fire_timers(&mut self) {
        for _ in 0..TIMERS_PER_TURN {
            match self.timers.pop(self.now) {
                None => return,
                Some(Timer::GiveUp(attempt)) => self.gave_up(attempt),
                Some(Timer::Assume(attempt)) => self.assumed(attempt),
                Some(Timer::AskOver(attempt)) => self.ask_over(attempt),
                Some(Timer::Wait(row)) => self.wait_over(row),
                Some(Timer::BackOff(row)) => self.back_off_over(row),
                Some(Timer::Round(row)) => self.round_over(row),
                Some(Timer::Message(message)) => self.message_due(message),
            }
        }
        self.more = true;
    }

    fn write_progress(&mut self) {
        for handle in std::mem::take(&mut self.dirty) {
            if let Some(message) = self.messages.get_mut(handle) {
                message.dirty = false;
                let progress = message.progress.clone();
                self.store(Record::Progress(progress));
            }
        }
    }

    fn forget_keys(&mut self) {
        while let Some((at, key)) = self.keys_by_age.front().copied() {
            if at + KEYS_FOR > self.now && self.keys_by_age.len() <= KEYS_MAX {
                return;
            }
            self.keys_by_age.pop_front();
            self.keys.remove(&key);
        }
    }

    fn store(&mut self, record: Record) {
        self.effects.push_back(Effect::Store(record));
    }

    fn event(&mut self, event: Event) {
        // Answers and receipts are counted by metrics; the feed tells of what a person would want to hear.
        let counted = matches!(
            &event,
            Event::Answered { .. }
                | Event::Canary { .. }
                | Event::Receipt { .. }
                | Event::StrayReceipt { .. }
                | Event::Replied { .. }
                | Event::Settled { .. }
        );
        if !counted {
            if self.events.len() == EVENTS_MAX {
                self.events.pop_front();
            }
            self.events.push_back((self.now, Arc::new(event.clone())));
        }
        self.effects.push_back(Effect::Event(event));
    }
}
