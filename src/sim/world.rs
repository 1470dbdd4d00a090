//! The made-up world: gateways, callers, operators and a disk, on a virtual clock.

mod corrections;
mod drills;
mod replies;

use self::corrections::CORRECTING;
use super::checkers::{Broken, Ledger, chained};
use super::faults::{CHANNELS, Faults, GATEWAY_REASONS, draw_gateways, draw_policy};
use crate::core::channel::{Channel, GatewayId};
use crate::core::effect::{Effect, Order, Reply};
use crate::core::evidence::{Layer, ProbeReport, UplinkRound, Verdict};
use crate::core::gateway::{GatewayConfig, Receipts};
use crate::core::hearsay::{Told, Word};
use crate::core::ids::{AttemptId, MessageId};
use crate::core::input::{Accept, Asked, Command, Input, Ticket};
use crate::core::message::{Recipient, Severity, Status, Urgency};
use crate::core::outcome::{DeliveryResult, Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use crate::core::policy::Policy;
use crate::core::record::{OverlayKind, Record};
use crate::core::reply::Asks;
use crate::core::rng::Rng;
use crate::core::time::{Span, Timestamp};
use crate::core::{Core, CoreConfig};
use crate::store::chain::Chain;
use crate::store::outbox::memory::MemoryOutbox;
use crate::store::outbox::{Outbox, Put};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How long trouble lasts.
const TROUBLE: Span = Span::from_mins(12);
/// After the faults end, everything must have settled within the longest expiry and an attempt's last time-outs.
const SETTLE_WITHIN: Span = Span::from_mins(45);
/// How often probes come once the trouble is over.
const PEACE_STEP: Span = Span::from_secs(15);
/// A message that is cancelled or corrected is one of so many last ones.
const LATELY: u64 = 6;
/// More turns than this at one instant: the core does not come to rest.
const TURNS_AT_ONCE_MAX: u64 = 5_000;
const START: Timestamp = Timestamp::from_ms(1_790_000_000_000);

/// What a run came to, for the test's own output and for comparing two runs of one seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outline {
    /// Messages accepted.
    pub messages: u64,
    /// Deliveries by result, in the order of `DeliveryResult::ALL`.
    pub results: [u64; 7],
    /// Attempts that left.
    pub attempts: u64,
    /// Deaths of the process.
    pub crashes: u64,
    /// Turns.
    pub turns: u64,
    /// A digest of everything that left, in order.
    pub digest: u64,
}

/// Something that is going to happen.
enum Happening {
    Answer {
        attempt: AttemptId,
        outcome: Outcome,
        took: Span,
        life: u64,
    },
    Receipt {
        gateway: GatewayId,
        receipt: Receipt,
    },
    Asked {
        attempt: AttemptId,
        answer: Asked,
        life: u64,
    },
    /// A recipient says something.
    Say(Box<replies::Saying>),
    /// A message that was stopped is to be corrected.
    Correct {
        message: MessageId,
        life: u64,
    },
    /// Callers, operators and probes of one second.
    Second,
}

pub(super) struct World {
    rng: Rng,
    faults: Faults,
    gateways: Vec<GatewayConfig>,
    policy: Arc<Policy>,
    core: Core,
    disk: MemoryOutbox,
    ledger: Ledger,
    now: Timestamp,
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    last: u64,
    /// How many times the process has started: answers to an earlier life are lost.
    life: u64,
    dead_until: Vec<Timestamp>,
    line_cut_until: Timestamp,
    held: BTreeSet<Option<GatewayId>>,
    /// Until when a gateway looks down for a drill, as written down.
    drills: BTreeMap<String, Timestamp>,
    messages: Vec<MessageId>,
    /// The messages whose callers wait for them to be stopped.
    stopping: VecDeque<MessageId>,
    /// How many turns were made at this instant.
    turns_at: (Timestamp, u64),
    outline: Outline,
}

impl World {
    pub(super) fn draw(seed: u64) -> World {
        let mut rng = Rng::new(seed);
        let faults = Faults::draw(&mut rng);
        let gateways = draw_gateways(&mut rng);
        let policy = draw_policy(&mut rng);
        let core = Core::new(config(rng.draw()), gateways.clone(), Arc::clone(&policy), START);
        let dead_until = vec![START; gateways.len()];
        let results = [0; 7];
        World {
            rng,
            faults,
            gateways,
            policy,
            core,
            disk: MemoryOutbox::new(),
            ledger: Ledger { seed, ..Ledger::default() },
            now: START,
            agenda: BTreeMap::new(),
            last: 0,
            life: 0,
            dead_until,
            line_cut_until: START,
            held: BTreeSet::new(),
            drills: BTreeMap::new(),
            messages: Vec::new(),
            stopping: VecDeque::new(),
            turns_at: (START, 0),
            outline: Outline { messages: 0, results, attempts: 0, crashes: 0, turns: 0, digest: 0 },
        }
    }

    /// Safety: everything that can go wrong does.
    pub(super) fn trouble(&mut self) -> Result<(), Broken> {
        self.at(self.now, Happening::Second);
        self.until(START + TROUBLE)
    }

    /// Progress: the faults end, what is held is released.
    pub(super) fn heal(&mut self) -> Result<(), Broken> {
        self.faults = Faults::healed();
        self.dead_until.fill(self.now);
        self.line_cut_until = self.now;
        for gateway in std::mem::take(&mut self.held) {
            let command = Command::Release { gateway, reason: "over".into() };
            self.core.handle(Input::Command { ticket: Ticket(0), who: "noc".into(), command }, self.now);
        }
        self.turn()?;
        let end = self.now + SETTLE_WITHIN;
        let open = |core: &Core, now| core.view(now).unsettled();
        while open(&self.core, self.now) > 0 {
            if self.now > end {
                let open = self.core.view(self.now).oldest_deliveries;
                return Err(self.ledger.broken(self.now, format!("does not settle: {open:?}")));
            }
            self.until(self.now + Span::from_mins(1))?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Outline, Broken> {
        self.ledger.all_settled(self.now)?;
        self.answers_add_up()?;
        let loaded = self.disk.load().map_err(|e| self.ledger.broken(self.now, e.to_string()))?;
        if !loaded.messages.is_empty() {
            return Err(self.ledger.broken(self.now, "a settled message is still open on disk"));
        }
        chained(&*self.disk.reader()).map_err(|what| self.ledger.broken(self.now, what))?;
        for seen in self.ledger.seen.values() {
            if let Some(result) = seen.result {
                self.outline.results[result as usize] += 1;
            }
        }
        Ok(self.outline)
    }

    fn until(&mut self, end: Timestamp) -> Result<(), Broken> {
        loop {
            let happens = self.agenda.first_key_value().map(|(key, _)| key.0);
            let due = self.core.next_deadline().map(|due| due.max(self.now));
            let Some(next) = happens.into_iter().chain(due).min().filter(|next| *next <= end) else {
                self.now = end;
                return Ok(());
            };
            self.now = self.now.max(next);
            while self.agenda.first_key_value().is_some_and(|(key, _)| key.0 <= self.now) {
                if let Some((_, happening)) = self.agenda.pop_first() {
                    self.happens(happening);
                }
            }
            self.turn()?;
        }
    }

    fn at(&mut self, when: Timestamp, happening: Happening) {
        self.last += 1;
        self.agenda.insert((when, self.last), happening);
    }

    fn chance(&mut self, permille: u64) -> bool {
        self.rng.below(1000) < permille
    }

    fn happens(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Answer { attempt, outcome, took, life } if life == self.life => {
                self.core.handle(Input::Outcome { attempt, outcome, took }, now);
            }
            Happening::Asked { attempt, answer, life } if life == self.life => {
                self.core.handle(Input::Asked { attempt, answer }, now);
            }
            Happening::Receipt { gateway, receipt } => {
                self.core.handle(Input::Receipt { gateway, receipt }, now)
            }
            Happening::Say(saying) => self.say(*saying),
            Happening::Correct { message, life } if life == self.life => self.correct(message),
            Happening::Answer { .. } | Happening::Asked { .. } | Happening::Correct { .. } => {}
            Happening::Second => self.second(),
        }
    }

    /// One second of callers, operators and probes.
    fn second(&mut self) {
        let trouble = self.now < START + TROUBLE;
        let next = self.now + if trouble { Span::from_secs(1) } else { PEACE_STEP };
        self.at(next, Happening::Second);
        if trouble {
            for _ in 0..self.rng.below(4) {
                self.call();
            }
        }
        let faults = self.faults.clone();
        for place in 0..self.gateways.len() {
            if self.chance(faults.dead) {
                self.dead_until[place] = self.now + Span::from_secs(1 + self.rng.below(120) as i64);
            }
            if !trouble || self.now.ms() / 1000 % 15 == place as i64 % 15 {
                self.probe(place);
            }
        }
        if self.chance(faults.line_cut) {
            self.line_cut_until = self.now + Span::from_secs(5 + self.rng.below(90) as i64);
        }
        if !trouble || self.now.ms() / 1000 % 3 == 0 {
            let failed = if self.line_cut_until > self.now { 3 } else { 0 };
            let round = UplinkRound { uplink: "line".into(), controls: 3, failed, took: Span::ZERO };
            self.core.handle(Input::Uplink(round), self.now);
        }
        if self.chance(faults.clock_jump) {
            self.core.handle(
                Input::ClockJumped { by: Span::from_hours(self.rng.below(48) as i64 - 24) },
                self.now,
            );
        }
        if self.chance(faults.hold) {
            self.hold_or_release();
        }
        if self.chance(faults.drill) {
            self.drill_or_end();
        }
        if self.chance(faults.cancel)
            && let Some(message) = self.lately()
        {
            let command = Command::Cancel { message, reason: "drawn".into() };
            self.core.handle(Input::Command { ticket: Ticket(0), who: "noc".into(), command }, self.now);
        }
        if self.chance(faults.correct) {
            self.begin_correction();
        }
        if self.chance(faults.reload) {
            self.policy = draw_policy(&mut self.rng);
            self.core.handle(Input::Policy(Arc::clone(&self.policy)), self.now);
        }
    }

    /// Draws one of the last messages: who takes words back has just seen the mistake, and most of the earlier ones have
    /// settled.
    fn lately(&mut self) -> Option<MessageId> {
        let back = self.rng.below(LATELY.min(self.messages.len() as u64).max(1)) as usize;
        self.messages.iter().rev().nth(back).copied()
    }

    fn hold_or_release(&mut self) {
        let place = self.rng.below(self.gateways.len() as u64 + 1) as usize;
        let gateway = (place < self.gateways.len()).then_some(GatewayId(place as u8));
        let command = match self.held.remove(&gateway) {
            true => Command::Release { gateway, reason: "drawn".into() },
            false => {
                self.held.insert(gateway);
                Command::Hold { gateway, reason: "drawn".into() }
            }
        };
        self.core.handle(Input::Command { ticket: Ticket(0), who: "noc".into(), command }, self.now);
    }

    fn call(&mut self) {
        let people = 1 + if self.chance(50) { self.rng.below(60) } else { self.rng.below(3) };
        let recipients = (0..people).map(|n| self.person(n)).collect();
        let severity = Severity::ALL[self.rng.below(5) as usize];
        let accept = Accept { status: self.status(), ..message(severity, recipients, None) };
        self.core.handle(Input::Accept(Box::new(accept)), self.now);
    }

    fn person(&mut self, n: u64) -> Recipient {
        let mut addresses: BTreeMap<Channel, String> = BTreeMap::new();
        for channel in CHANNELS {
            if self.chance(600) {
                addresses.insert(channel, format!("+97059900{n:04}"));
            }
        }
        addresses.entry(Channel::Sms).or_insert_with(|| format!("+97059900{n:04}"));
        Recipient { language: Some("ar".into()), addresses, ..Recipient::default() }
    }

    fn probe(&mut self, place: usize) {
        let cut = self.line_cut_until > self.now && self.gateways[place].needs_internet();
        let dead = self.dead_until[place] > self.now;
        let report = ProbeReport {
            gateway: GatewayId(place as u8),
            probe: "api".into(),
            aims_at: Layer::Api,
            reached: (!cut && !dead).then_some(Layer::Api),
            verdict: if cut || dead { Verdict::Failed(Reason::TcpTimeout) } else { Verdict::Fine },
            phases: vec![],
            took: Span::from_ms(20),
            interval: Span::from_secs(15),
        };
        // Its provider's page says now this, now that, whatever is the case; it draws nothing from the seed.
        let word = Word::ALL[(self.now.ms().unsigned_abs() as usize / 7_000 + place) % Word::ALL.len()];
        let page = ProbeReport {
            probe: "page".into(),
            aims_at: Layer::Http,
            verdict: Verdict::Says(Told::new(word, "")),
            ..report.clone()
        };
        self.core.handle(Input::Probe(report), self.now);
        self.core.handle(Input::Probe(page), self.now);
    }

    /// One turn of the shell: tick, make durable, then release; or die at any of its seams.
    fn turn(&mut self) -> Result<(), Broken> {
        self.outline.turns += 1;
        self.turns_at =
            if self.turns_at.0 == self.now { (self.now, self.turns_at.1 + 1) } else { (self.now, 1) };
        if self.turns_at.1 > TURNS_AT_ONCE_MAX {
            return Err(self.ledger.broken(self.now, "never comes to rest"));
        }
        self.core.tick(self.now);
        let (mut batch, mut released) = (Vec::new(), Vec::new());
        let opened = Chain::open(&*self.disk.reader());
        let mut chain = opened.map_err(|e| self.ledger.broken(self.now, e.to_string()))?;
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Store(record) => batch.push(Put::Record(record)),
                Effect::Note(audit) => batch.push(Put::Link(chain.link(audit))),
                other => released.push(other),
            }
        }
        let crash = self.chance(self.faults.crash);
        if crash && self.chance(self.faults.crash_undurable) {
            return self.restart();
        }
        self.disk.commit(&batch).map_err(|e| self.ledger.broken(self.now, e.to_string()))?;
        for put in &batch {
            self.written(put)?;
        }
        if crash {
            // Durable, and some of it not released.
            let keep = self.rng.below(released.len() as u64 + 1) as usize;
            released.truncate(keep);
        }
        self.release(released)?;
        if crash { self.restart() } else { Ok(()) }
    }

    fn written(&mut self, put: &Put) -> Result<(), Broken> {
        match put {
            Put::Record(Record::Attempt(attempt)) => self.ledger.recorded(attempt),
            Put::Record(Record::Delivery(delivery)) => self.ledger.ended(delivery, self.now)?,
            Put::Record(Record::Message(message)) => {
                self.outline.messages += 1;
                self.messages.push(message.id);
                // It is on disk: from here on it must end, whether or not the caller has heard.
                self.ledger.promised.insert(message.id, message.recipients);
                if message.status.is_drill() {
                    self.ledger.exercises.insert(message.id);
                }
            }
            Put::Record(Record::Overlay { gateway, overlay }) => {
                self.overlaid(gateway.as_deref(), overlay.as_ref())
            }
            _ => {}
        }
        Ok(())
    }

    fn release(&mut self, released: Vec<Effect>) -> Result<(), Broken> {
        let mut ranks = Vec::new();
        for effect in released {
            match effect {
                Effect::Send(order) => {
                    ranks.push(self.rank(&order));
                    self.practised(&order)?;
                    self.carry(&order)?;
                }
                Effect::Reply { reply: Reply::Accepted { message, deliveries }, .. }
                    if self.ledger.promised.get(&message) != Some(&deliveries) =>
                {
                    let what = format!("{message} was promised before it was on disk");
                    return Err(self.ledger.broken(self.now, what));
                }
                Effect::Reply { ticket: CORRECTING, .. } => self.stopped(),
                Effect::LoadAudience { message, chunk } => {
                    let people = self.disk.reader().audience(message, chunk).ok().and_then(|read| read.value);
                    let Some(people) = people else {
                        return Err(self
                            .ledger
                            .broken(self.now, format!("the audience of {message} is gone")));
                    };
                    self.core.handle(Input::Audience { message, chunk, people: Arc::new(people) }, self.now);
                }
                Effect::Ask { attempt, .. } => self.ask(attempt),
                _ => {}
            }
        }
        self.ledger.in_order(&ranks, self.now)
    }

    /// A gateway gets an order, and does with it what the faults say.
    fn carry(&mut self, order: &Order) -> Result<(), Broken> {
        let place = usize::from(order.gateway.0);
        let held = self.held.contains(&None) || self.held.contains(&Some(order.gateway));
        self.ledger.leaves(order, held, self.now)?;
        self.outline.attempts += 1;
        let digest = self.outline.digest.rotate_left(5) ^ u64::from(order.attempt.n) ^ (place as u64) << 32;
        self.outline.digest = digest.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.now.ms() as u64;

        let faults = self.faults.clone();
        let cut = self.line_cut_until > self.now && self.gateways[place].needs_internet();
        let took = Span::from_ms(1 + self.rng.below(faults.answer_ms) as i64);
        let answer_at = self.now + took;
        let (attempt, life) = (order.attempt, self.life);
        let reason = GATEWAY_REASONS[self.rng.below(GATEWAY_REASONS.len() as u64) as usize];
        let refusal = match () {
            () if cut || self.dead_until[place] > self.now => {
                Some(Outcome::Rejected { reason: Reason::TcpRefused })
            }
            () if self.chance(faults.reject_gateway) => Some(Outcome::Rejected { reason }),
            () if self.chance(faults.reject_recipient) => {
                Some(Outcome::Rejected { reason: Reason::NotOnChannel })
            }
            // Half of them is for everybody, half for this recipient alone.
            () if self.chance(faults.defer) => Some(Outcome::Deferred {
                reason: if self.chance(500) { Reason::Throttled } else { Reason::PairLimit },
                retry_after: Some(Span::from_secs(self.rng.below(30) as i64)),
            }),
            () => None,
        };
        if let Some(outcome) = refusal {
            self.at(answer_at, Happening::Answer { attempt, outcome, took, life });
            return Ok(());
        }
        let answered = !self.chance(faults.no_answer);
        let went_out = answered || self.chance(faults.went_out);
        if answered {
            let outcome = Outcome::Accepted { provider_id: Some(format!("p-{attempt}")) };
            self.at(answer_at, Happening::Answer { attempt, outcome, took, life });
        } else if self.chance(500) {
            let outcome = Outcome::Unknown { reason: Reason::Timeout };
            self.at(
                self.now + order.time_out,
                Happening::Answer { attempt, outcome, took: order.time_out, life },
            );
        }
        if went_out {
            self.ledger.seen.entry(attempt.delivery).or_default().went_out.insert(attempt.n);
            self.receipts(order, answer_at);
            self.perhaps_answered(order, answer_at);
        }
        Ok(())
    }

    fn receipts(&mut self, order: &Order, answer_at: Timestamp) {
        let faults = self.faults.clone();
        let can = self.gateways[usize::from(order.gateway.0)].receipts;
        if can == Receipts::None || self.chance(faults.swallow) || self.chance(faults.no_receipt) {
            return;
        }
        let kind = match () {
            () if self.chance(faults.failed_receipt) => ReceiptKind::Failed,
            () if can == Receipts::Read && self.chance(500) => ReceiptKind::Read,
            () => ReceiptKind::Delivered,
        };
        let early = self.chance(faults.early_receipt);
        let base = if early { self.now } else { answer_at };
        let copies = 1 + u64::from(self.chance(faults.double_receipt));
        for _ in 0..copies {
            let at = base + Span::from_ms(self.rng.below(faults.receipt_ms) as i64);
            let of = match self.rng.below(3) {
                0 => ReceiptRef::Attempt(order.attempt),
                1 => ReceiptRef::Both(format!("p-{}", order.attempt), order.attempt),
                _ => ReceiptRef::Provider(format!("p-{}", order.attempt)),
            };
            let receipt = Receipt {
                of,
                kind,
                reason: (kind == ReceiptKind::Failed).then_some(Reason::Undeliverable),
                at: None,
            };
            let seen = self.ledger.seen.entry(order.attempt.delivery).or_default();
            seen.issued = seen.issued.max(Some(kind));
            self.at(at, Happening::Receipt { gateway: order.gateway, receipt });
        }
        // A stranger's receipt must change nothing.
        if self.chance(20) {
            let of = ReceiptRef::Provider("nobody".into());
            let receipt = Receipt { of, kind: ReceiptKind::Delivered, reason: None, at: None };
            self.at(base, Happening::Receipt { gateway: order.gateway, receipt });
        }
    }

    fn ask(&mut self, attempt: AttemptId) {
        let out =
            self.ledger.seen.get(&attempt.delivery).is_some_and(|seen| seen.went_out.contains(&attempt.n));
        let answer = match self.rng.below(4) {
            0 => Asked::CannotSay,
            _ if out => Asked::Found(Some(format!("p-{attempt}"))),
            _ => Asked::NotFound,
        };
        let life = self.life;
        self.at(self.now + Span::from_ms(200), Happening::Asked { attempt, answer, life });
    }

    /// The process died. What was durable is all that is left.
    fn restart(&mut self) -> Result<(), Broken> {
        self.outline.crashes += 1;
        self.life += 1;
        let loaded = self.disk.load().map_err(|e| self.ledger.broken(self.now, e.to_string()))?;
        let held = loaded.overlays.iter().filter(|(_, overlay)| overlay.kind == OverlayKind::Held);
        let held: Vec<_> = held.map(|(name, _)| name.clone()).collect();
        let seed = self.rng.draw();
        self.core = Core::new(config(seed), self.gateways.clone(), Arc::clone(&self.policy), self.now);
        self.core.load(loaded, self.now);
        // Who waited has heard nothing, and asks again or does not.
        self.stopping.clear();
        // A hold that was not durable was not promised either.
        self.held = held.into_iter().map(|name| name.and_then(|name| self.core.gateway_id(&name))).collect();
        Ok(())
    }
}

impl Outline {
    /// Returns how many deliveries ended so.
    pub fn of(&self, result: DeliveryResult) -> u64 {
        self.results[result as usize]
    }
}

/// A message as the interface hands it over.
fn message(severity: Severity, recipients: Vec<Recipient>, corrects: Option<MessageId>) -> Accept {
    Accept {
        ticket: Ticket(1),
        author: "caller".into(),
        severity,
        urgency: Urgency::Unknown,
        status: Status::Actual,
        incident: None,
        expires: None,
        text: BTreeMap::from([("ar".to_owned(), "تحذير".to_owned())]),
        template: None,
        tags: BTreeMap::new(),
        audiences: vec![],
        recipients,
        corrects,
        asks: Asks::NOTHING,
        idempotency: None,
    }
}

fn config(seed: u64) -> CoreConfig {
    CoreConfig { shard: 0, seed, dwell: Span::from_secs(20), uplinks: vec!["line".into()] }
}
