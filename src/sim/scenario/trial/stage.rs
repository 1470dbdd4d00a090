//! The stage: one service, the world outside, and what is going to happen, by time.

use super::{Fate, Run, Said, Trial, Turn};
use crate::core::channel::GatewayId;
use crate::core::effect::{Effect, Event, Order, Pace, Reply};
use crate::core::evidence::{Layer, Phase, ProbeReport, UplinkRound, Verdict};
use crate::core::ids::{AttemptId, MessageId};
use crate::core::input::{Accept, Input, Ticket};
use crate::core::message::{Recipient, Severity, Status, Urgency};
use crate::core::outcome::{Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use crate::core::record::OutageOf;
use crate::core::reply::Asks;
use crate::core::time::{Span, Timestamp};
use crate::core::view::State;
use crate::core::{Core, CoreConfig};
use crate::sim::scenario::carrier::{Carrier, Send, Sent};
use crate::sim::scenario::outside::{self, Outside, Seen, Task, VantageAt};
use crate::sim::scenario::stream::Seen as Watched;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// How often a channel is probed, and how often while there is doubt: what probes do unless their files say otherwise.
const PROBE_EVERY: Span = Span::from_secs(15);
const PROBE_IN_DOUBT: Span = Span::from_secs(2);
/// The same for rounds over the controls, and how long a round takes whose controls answer, and one with a failure.
const ROUND_EVERY: Span = Span::from_secs(15);
const ROUND_IN_DOUBT: Span = Span::from_secs(3);
const ROUND_TAKES: Span = Span::from_ms(100);
const ROUND_FAILS_AFTER: Span = Span::from_secs(2);
/// More turns than this at one instant: the core does not come to rest.
const TURNS_AT_ONCE_MAX: u32 = 5_000;
/// The name of the line that the service stands on.
const LINE: &str = "line";

/// Why a scenario cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WithoutPlace {
    /// There is no such vantage point, or it cannot send.
    #[error("no vantage point `{0}` can send")]
    Vantage(String),
    /// It has more channels than there are.
    #[error("it has more channels than Wasl knows")]
    Channels,
    /// The core does not come to rest: a mistake of ours.
    #[error("the core does not come to rest at {0} s")]
    Restless(u64),
}

/// Something that is going to happen.
enum Happening {
    Task(usize),
    Answer {
        channel: usize,
        attempt: AttemptId,
        outcome: Outcome,
        took: Span,
    },
    Receipt {
        gateway: GatewayId,
        attempt: AttemptId,
    },
    /// A probe is due, unless it was brought forward meanwhile.
    Probe {
        channel: usize,
        plan: u32,
    },
    Probed {
        channel: usize,
        report: Box<ProbeReport>,
    },
    /// A round over the controls is due, likewise.
    Round {
        plan: u32,
    },
    Asked {
        failed: u8,
        took: Span,
    },
}

/// One channel's probe.
struct Prober {
    pace: Pace,
    /// How often it was run.
    nth: u32,
    /// Which plan of its next run counts.
    plan: u32,
    busy: bool,
}

pub(super) struct Stage<'a> {
    outside: &'a Outside<'a>,
    vantage: VantageAt,
    carrier: Carrier,
    core: Core,
    start: Timestamp,
    now: Timestamp,
    agenda: BinaryHeap<Reverse<(Timestamp, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    last: u64,
    tasks: Vec<Task>,
    severities: Vec<Severity>,
    watched: Option<usize>,
    recipients: Vec<Recipient>,
    /// Which message a task became.
    messages: BTreeMap<MessageId, usize>,
    probers: Vec<Prober>,
    controls: Prober,
    run: Run,
}

impl<'a> Stage<'a> {
    pub(super) fn set(trial: &Trial, outside: &'a Outside<'a>) -> Result<Stage<'a>, WithoutPlace> {
        let scenario = outside.scenario;
        let wanted = |id: &str| trial.vantage.as_ref().is_none_or(|wanted| wanted == id);
        let vantage = scenario.vantage.iter().position(|vantage| vantage.can_send && wanted(&vantage.id));
        let vantage = vantage.ok_or(WithoutPlace::Vantage(trial.vantage.clone().unwrap_or_default()))?;
        let gateways = scenario.gateways().ok_or(WithoutPlace::Channels)?;
        let start = scenario.begins();
        let config = CoreConfig {
            shard: 0,
            seed: scenario.seed,
            dwell: trial.dwell,
            uplinks: if scenario.control.is_empty() { vec![] } else { vec![LINE.into()] },
        };
        let addresses: BTreeMap<_, _> = gateways.iter().map(|g| (g.channel, String::from("+0"))).collect();
        let of_region = |region: &crate::sim::scenario::file::Region| Recipient {
            region: Some(region.id.clone()),
            addresses: addresses.clone(),
            ..Recipient::default()
        };
        let recipients = scenario.region.iter().map(of_region).collect();
        let prober = || Prober { pace: Pace::Normal, nth: 0, plan: 0, busy: false };
        let mut stage = Stage {
            outside,
            vantage,
            carrier: Carrier::new(&scenario.channel, true),
            core: Core::new(config, gateways, Arc::clone(&trial.policy), start),
            start,
            now: start,
            agenda: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            last: 0,
            tasks: outside.tasks(),
            severities: severities(scenario),
            watched: trial.watched,
            recipients,
            messages: BTreeMap::new(),
            probers: scenario.channel.iter().map(|_| prober()).collect(),
            controls: prober(),
            run: Run {
                fates: Vec::new(),
                verdicts: Vec::new(),
                seen: Vec::new(),
                sends: 0,
                into_dead: 0,
                cost: 0.0,
                turns: 0,
                vantage,
            },
        };
        stage.run.fates = stage.tasks.iter().map(|task| fate(outside, task)).collect();
        Ok(stage)
    }

    pub(super) fn play(mut self) -> Result<Run, WithoutPlace> {
        let end = self.instant(f64::from(self.outside.scenario.duration_s));
        if !self.tasks.is_empty() {
            self.at(self.instant(self.tasks[0].at), Happening::Task(0));
        }
        let channels = self.probers.len() as i64;
        for channel in 0..self.probers.len() {
            // Not all at one time, as in the service.
            let phase = Span::from_ms(PROBE_EVERY.ms() * channel as i64 / channels);
            self.at(self.start + phase, Happening::Probe { channel, plan: 0 });
        }
        if !self.outside.scenario.control.is_empty() {
            self.at(self.start, Happening::Round { plan: 0 });
        }
        let mut at_once = 0;
        loop {
            let due = self.core.next_deadline().map(|due| due.max(self.now));
            let next = self.agenda.peek().map(|Reverse((at, _))| *at).into_iter().chain(due).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            at_once = if next > self.now { 0 } else { at_once + 1 };
            if at_once > TURNS_AT_ONCE_MAX {
                return Err(WithoutPlace::Restless(self.seconds() as u64));
            }
            self.now = self.now.max(next);
            while let Some(Reverse((at, number))) = self.agenda.peek().copied()
                && at <= self.now
            {
                self.agenda.pop();
                if let Some(happening) = self.happenings.remove(&number) {
                    self.happens(happening);
                }
            }
            self.turn();
        }
        self.run.sends = self.carrier.sends;
        self.run.cost = self.carrier.cost;
        Ok(self.run)
    }

    fn instant(&self, seconds: f64) -> Timestamp {
        self.start + Span::from_ms((seconds * 1000.0).round() as i64)
    }

    fn seconds(&self) -> f64 {
        self.now.since(self.start).secs_f64()
    }

    fn at(&mut self, at: Timestamp, happening: Happening) {
        self.last += 1;
        self.agenda.push(Reverse((at, self.last)));
        self.happenings.insert(self.last, happening);
    }

    fn after(&mut self, seconds: f64, happening: Happening) {
        self.at(self.now + Span::from_ms((seconds * 1000.0).round() as i64), happening);
    }

    fn happens(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Task(task) => self.comes(task),
            Happening::Answer { channel, attempt, outcome, took } => {
                let failed = !matches!(outcome, Outcome::Accepted { .. });
                self.note(channel, false, failed);
                self.core.handle(Input::Outcome { attempt, outcome, took }, now);
            }
            Happening::Receipt { gateway, attempt } => {
                let of = ReceiptRef::Attempt(attempt);
                let receipt = Receipt { of, kind: ReceiptKind::Delivered, reason: None, at: None };
                self.core.handle(Input::Receipt { gateway, receipt }, now);
            }
            Happening::Probe { channel, plan } if self.probers[channel].plan == plan => self.probe(channel),
            Happening::Round { plan } if self.controls.plan == plan => self.ask_controls(),
            Happening::Probe { .. } | Happening::Round { .. } => {}
            Happening::Probed { channel, report } => self.probed(channel, *report),
            Happening::Asked { failed, took } => self.controls_answered(failed, took),
        }
    }

    /// A message of the load comes, and the next one is planned.
    fn comes(&mut self, task: usize) {
        let told = &self.tasks[task];
        let recipient = self.recipients[self.outside.region_of(told.recipient)].clone();
        let accept = Accept {
            ticket: Ticket(task as u64),
            author: "scenario".into(),
            severity: self.severities[told.class],
            urgency: Urgency::Unknown,
            status: Status::Actual,
            incident: None,
            expires: None,
            text: BTreeMap::from([("en".to_owned(), "-".to_owned())]),
            template: None,
            tags: BTreeMap::new(),
            audiences: vec![],
            recipients: vec![recipient],
            corrects: None,
            asks: Asks::NOTHING,
            idempotency: None,
        };
        if let Some(next) = self.tasks.get(task + 1) {
            self.at(self.instant(next.at), Happening::Task(task + 1));
        }
        self.core.handle(Input::Accept(Box::new(accept)), self.now);
    }

    fn probe(&mut self, channel: usize) {
        let prober = &mut self.probers[channel];
        let nth = prober.nth;
        (prober.nth, prober.busy) = (nth + 1, true);
        let answer = self.outside.probe(channel, self.vantage, self.seconds(), nth);
        let layers = answer.layers.iter();
        let phases: Vec<Phase> = layers
            .map(|(layer, took)| Phase { layer: layer_of(*layer), micros: (took * 1e6) as u64 })
            .collect();
        let verdict = match answer.seen {
            Seen::Ok => Verdict::Fine,
            Seen::Failed(layer) => Verdict::Failed(failed(layer)),
            Seen::TimedOut(layer) => Verdict::Failed(timed_out(layer)),
        };
        let reached = match verdict.failed() {
            true => phases.iter().rev().nth(1).map(|phase| phase.layer),
            false => Some(Layer::Http),
        };
        let report = ProbeReport {
            gateway: GatewayId(channel as u8),
            probe: "http".into(),
            aims_at: Layer::Http,
            reached,
            verdict,
            phases,
            took: Span::from_ms((answer.took * 1000.0) as i64),
            interval: PROBE_EVERY,
        };
        self.after(answer.took, Happening::Probed { channel, report: Box::new(report) });
    }

    fn probed(&mut self, channel: usize, report: ProbeReport) {
        self.note(channel, true, report.verdict.failed());
        let began = self.now - report.took;
        let prober = &mut self.probers[channel];
        prober.busy = false;
        prober.plan += 1;
        let pause = if prober.pace == Pace::Doubt { PROBE_IN_DOUBT } else { PROBE_EVERY };
        let (at, plan) = ((began + pause).max(self.now), prober.plan);
        self.at(at, Happening::Probe { channel, plan });
        self.core.handle(Input::Probe(report), self.now);
    }

    fn ask_controls(&mut self) {
        let (nth, t) = (self.controls.nth, self.seconds());
        (self.controls.nth, self.controls.busy) = (nth + 1, true);
        let controls = self.outside.scenario.control.len();
        let failed = (0..controls).filter(|c| self.outside.control_fails(*c, self.vantage, t, nth)).count();
        let took = if failed > 0 { ROUND_FAILS_AFTER } else { ROUND_TAKES };
        let failed = u8::try_from(failed).unwrap_or(u8::MAX);
        self.at(self.now + took, Happening::Asked { failed, took });
    }

    fn controls_answered(&mut self, failed: u8, took: Span) {
        let controls = u8::try_from(self.outside.scenario.control.len()).unwrap_or(u8::MAX);
        let round = UplinkRound { uplink: LINE.into(), controls, failed, took };
        self.controls.busy = false;
        self.controls.plan += 1;
        let doubt = failed > 0 || self.controls.pace == Pace::Doubt;
        let (pause, plan) = (if doubt { ROUND_IN_DOUBT } else { ROUND_EVERY }, self.controls.plan);
        self.at(self.now + pause, Happening::Round { plan });
        self.core.handle(Input::Uplink(round), self.now);
    }

    fn turn(&mut self) {
        self.run.turns += 1;
        self.core.tick(self.now);
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Send(order) => self.send(&order),
                Effect::Reply { ticket, reply: Reply::Accepted { message, .. } } => {
                    self.messages.insert(message, ticket.0 as usize);
                }
                Effect::ProbePace { gateway, pace } => self.pace(usize::from(gateway.0), pace),
                Effect::ControlPace(pace) => {
                    self.controls.pace = pace;
                    if pace == Pace::Doubt && !self.controls.busy {
                        self.controls.plan += 1;
                        self.at(self.now, Happening::Round { plan: self.controls.plan });
                    }
                }
                Effect::Event(Event::State { gateway, from, to, .. }) => {
                    let (at, channel) = (self.seconds(), Some(usize::from(gateway.0)));
                    self.run.verdicts.push(Turn { at, channel, region: None, said: Said::Channel, from, to });
                }
                Effect::Event(Event::OutageOpened { of, blame, .. }) => {
                    self.said(&of, blame, State::Up, State::Down);
                }
                Effect::Event(Event::OutageTurned { of, from, blame, .. }) => {
                    if of != from {
                        self.said(&from, Said::Open, State::Down, State::Up);
                    }
                    self.said(&of, blame, State::Up, State::Down);
                }
                Effect::Event(Event::OutageClosed { of, .. }) => {
                    self.said(&of, Said::Open, State::Down, State::Up);
                }
                _ => {}
            }
        }
    }

    /// Notes what a request of the watched channel came to.
    fn note(&mut self, channel: usize, probe: bool, failed: bool) {
        if self.watched == Some(channel) {
            self.run.seen.push(Watched { at: self.seconds(), probe, failed });
        }
    }

    /// Notes a verdict on a region, a channel in one region, or our own line.
    fn said(&mut self, of: &OutageOf, said: Said, from: State, to: State) {
        let region =
            |name: &String| self.outside.scenario.region.iter().position(|region| region.id == *name);
        let (channel, region, said) = match of {
            OutageOf::Slice { gateway, region: name } => {
                let channel = self.outside.scenario.channel.iter().position(|channel| channel.id == *gateway);
                (channel, region(name), said)
            }
            OutageOf::Region(name) => (None, region(name), Said::Region),
            OutageOf::Uplink(_) => (None, None, Said::Line),
            // Its gateways' states tell.
            OutageOf::Gateway(_) | OutageOf::Channel(_) | OutageOf::Domain(_) => return,
        };
        self.run.verdicts.push(Turn { at: self.seconds(), channel, region, said, from, to });
    }

    fn pace(&mut self, channel: usize, pace: Pace) {
        let prober = &mut self.probers[channel];
        let hurry = pace == Pace::Doubt && prober.pace == Pace::Normal && !prober.busy;
        prober.pace = pace;
        if hurry {
            prober.plan += 1;
            let plan = prober.plan;
            self.at(self.now, Happening::Probe { channel, plan });
        }
    }

    fn send(&mut self, order: &Order) {
        let (channel, attempt) = (usize::from(order.gateway.0), order.attempt);
        // A message is known here before its first attempt leaves: both are effects of one turn, in this order.
        let Some(&number) = self.messages.get(&attempt.delivery.message) else { return };
        let (at, vantage) = (self.seconds(), self.vantage);
        let task = &self.tasks[number];
        let nth = u32::from(attempt.n).saturating_sub(1);
        let carried = self.carrier.send(self.outside, Send { task, channel, vantage, at, nth });
        self.run.into_dead += u64::from(self.outside.is_dead(channel, task.recipient, at));
        if let Some(arrival) = carried.arrives {
            let fate = &mut self.run.fates[number];
            fate.copies += 1;
            if fate.first.is_none_or(|(first, _)| arrival.at < first) {
                fate.first = Some((arrival.at, channel));
            }
            if let Some(receipt) = arrival.receipt {
                self.at(self.instant(receipt), Happening::Receipt { gateway: order.gateway, attempt });
            }
        }
        let outcome = match carried.seen {
            Sent::Accepted => Outcome::Accepted { provider_id: None },
            Sent::Unregistered => Outcome::Rejected { reason: Reason::NotOnChannel },
            Sent::Throttled => Outcome::Deferred { reason: Reason::Throttled, retry_after: None },
            Sent::Failed(layer) => Outcome::Rejected { reason: failed(layer) },
            Sent::TimedOut(outside::Layer::Accept) => Outcome::Unknown { reason: Reason::Timeout },
            Sent::TimedOut(layer) => Outcome::Rejected { reason: timed_out(layer) },
        };
        let took = Span::from_ms((carried.answered_in * 1000.0).round() as i64);
        self.after(carried.took, Happening::Answer { channel, attempt, outcome, took });
    }
}

fn fate(outside: &Outside<'_>, task: &Task) -> Fate {
    let region = outside.region_of(task.recipient);
    Fate { class: task.class, region, at: task.at, first: None, copies: 0 }
}

/// Returns how grave the messages of each class are: critical is extreme, high is severe, normal is moderate; of others
/// the tighter deadline is the graver.
fn severities(scenario: &crate::sim::scenario::Scenario) -> Vec<Severity> {
    let mut by_deadline: Vec<_> = scenario.class.iter().map(|class| class.deadline_s).collect();
    by_deadline.sort_by(f64::total_cmp);
    let of = |class: &crate::sim::scenario::file::Class| match &*class.id {
        "critical" => Severity::Extreme,
        "high" => Severity::Severe,
        "normal" => Severity::Moderate,
        _ => match by_deadline.iter().position(|deadline| *deadline == class.deadline_s) {
            Some(0) => Severity::Extreme,
            Some(1) => Severity::Severe,
            _ => Severity::Moderate,
        },
    };
    scenario.class.iter().map(of).collect()
}

fn layer_of(layer: outside::Layer) -> Layer {
    match layer {
        outside::Layer::Dns => Layer::Dns,
        outside::Layer::Tcp => Layer::Tcp,
        outside::Layer::Tls => Layer::Tls,
        _ => Layer::Http,
    }
}

fn failed(layer: outside::Layer) -> Reason {
    match layer {
        outside::Layer::Dns => Reason::DnsServfail,
        outside::Layer::Tcp => Reason::TcpRefused,
        outside::Layer::Tls => Reason::TlsFailed,
        _ => Reason::ProviderFault,
    }
}

fn timed_out(layer: outside::Layer) -> Reason {
    match layer {
        outside::Layer::Dns => Reason::DnsTimeout,
        outside::Layer::Tcp => Reason::TcpTimeout,
        outside::Layer::Tls => Reason::TlsTimeout,
        _ => Reason::Timeout,
    }
}
