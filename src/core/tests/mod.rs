//! The core as a story: accept, fail over, wait, settle. Time is data; nothing sleeps.

mod attempts;
mod canaries;
mod commands;
mod drills;
mod forecasts;
mod hearsay;
mod learned;
mod messages;
mod outages;
mod receipts;
mod replies;
mod restart;
mod rules;

use super::audit::Audit;
use super::channel::{Channel, GatewayId};
use super::effect::{Effect, Event, Order, Reply};
use super::evidence::{Layer, ProbeReport, UplinkRound, Verdict};
use super::gateway::{GatewayConfig, Receipts};
use super::ids::MessageId;
use super::input::{Accept, IdempotencyKey, Input, Ticket};
use super::message::{Recipient, Severity, Status, Urgency};
use super::outcome::{DeliveryResult, Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use super::policy::{Policy, Rule, SendMode, Step};
use super::record::{Delivery, Record};
use super::reply::Asks;
use super::time::{Span, Timestamp};
use super::view::State;
use super::{Core, CoreConfig};
use std::collections::BTreeMap;
use std::sync::Arc;

const START: Timestamp = Timestamp::from_ms(1_790_000_000_000);

struct World {
    core: Core,
    now: Timestamp,
    orders: Vec<Order>,
    canaries: Vec<Order>,
    events: Vec<Event>,
    replies: Vec<Reply>,
    records: Vec<Record>,
    /// Escalations.
    told: Vec<Effect>,
    /// What is noted for the audit record.
    notes: Vec<Audit>,
}

fn gateway(name: &str, channel: Channel) -> GatewayConfig {
    GatewayConfig {
        name: name.into(),
        channel,
        failure_domains: vec!["internet".into()],
        rate: None,
        quotas: vec![],
        cost: 0.0,
        receipts: Receipts::Delivered,
        window: 10_000,
        can_ask: false,
        connect_time_out: Span::from_secs(3),
        canaries: vec![],
    }
}

fn person(language: &str) -> Recipient {
    let number = "+970599000001".to_owned();
    let addresses = [(Channel::Whatsapp, number.clone()), (Channel::Sms, number)].into();
    Recipient { language: Some(language.into()), addresses, ..Recipient::default() }
}

fn step(channels: &[Channel], send: SendMode, secs: i64) -> Step {
    Step { channels: channels.to_vec(), send, wait: Span::from_secs(secs), learned: false }
}

fn policy(steps: Vec<Step>, change: impl FnOnce(&mut Rule)) -> Arc<Policy> {
    let mut rule = Rule { name: "test".into(), steps, ..Rule::last() };
    change(&mut rule);
    Arc::new(Policy { hash: "h".into(), rules: vec![rule, Rule::last()] })
}

/// WhatsApp, then SMS: two gateways, one step each, 20 s.
fn two_steps() -> Arc<Policy> {
    policy(
        vec![step(&[Channel::Whatsapp], SendMode::Best, 20), step(&[Channel::Sms], SendMode::Best, 20)],
        |_| {},
    )
}

impl World {
    fn new(gateways: Vec<GatewayConfig>, policy: Arc<Policy>) -> World {
        let config =
            CoreConfig { shard: 0, seed: 7, dwell: Span::from_secs(20), uplinks: vec!["fibre".into()] };
        let core = Core::new(config, gateways, policy, START);
        let (orders, events, replies, records) = (vec![], vec![], vec![], vec![]);
        let (told, notes) = (vec![], vec![]);
        let mut world =
            World { core, now: START, orders, canaries: vec![], events, replies, records, told, notes };
        world.turn();
        world
    }

    fn pair(policy: Arc<Policy>) -> World {
        World::new(vec![gateway("wa", Channel::Whatsapp), gateway("sms", Channel::Sms)], policy)
    }

    fn turn(&mut self) {
        for _ in 0..10_000 {
            self.core.tick(self.now);
            while let Some(effect) = self.core.poll_effect() {
                match effect {
                    Effect::Send(order) => self.orders.push(order),
                    Effect::Canary { order, .. } => self.canaries.push(order),
                    Effect::Event(event) => self.events.push(event),
                    Effect::Reply { reply, .. } => self.replies.push(reply),
                    Effect::Store(record) => self.records.push(record),
                    Effect::Note(act) => self.notes.push(act),
                    told @ Effect::Escalate { .. } => self.told.push(told),
                    _ => {}
                }
            }
            if self.core.next_deadline().is_none_or(|due| due > self.now) {
                return;
            }
        }
        panic!("the core never comes to rest");
    }

    /// Asks the controls of the line: so many of three fail.
    fn round(&mut self, failed: u8) {
        let round = UplinkRound { uplink: "fibre".into(), controls: 3, failed, took: Span::ZERO };
        self.input(Input::Uplink(round));
    }

    fn input(&mut self, input: Input) {
        self.core.handle(input, self.now);
        self.turn();
    }

    /// Lets time pass, turn by turn, as deadlines come.
    fn pass(&mut self, span: Span) {
        let end = self.now + span;
        while let Some(due) = self.core.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.turn();
        }
        self.now = end;
        self.turn();
    }

    fn accept(&mut self, severity: Severity, people: usize) -> MessageId {
        self.accept_with(severity, people, None)
    }

    fn accept_with(&mut self, severity: Severity, people: usize, key: Option<IdempotencyKey>) -> MessageId {
        self.accept_for(severity, vec![person("ar"); people], key)
    }

    fn accept_for(
        &mut self,
        severity: Severity,
        recipients: Vec<Recipient>,
        key: Option<IdempotencyKey>,
    ) -> MessageId {
        self.hand_over(severity, recipients, key, None);
        match self.replies.last() {
            Some(Reply::Accepted { message, .. }) => *message,
            other => panic!("{other:?}"),
        }
    }

    fn hand_over(
        &mut self,
        severity: Severity,
        recipients: Vec<Recipient>,
        key: Option<IdempotencyKey>,
        corrects: Option<MessageId>,
    ) {
        let accept = World::message(severity, recipients, key, corrects);
        self.input(Input::Accept(Box::new(accept)));
    }

    fn message(
        severity: Severity,
        recipients: Vec<Recipient>,
        key: Option<IdempotencyKey>,
        corrects: Option<MessageId>,
    ) -> Accept {
        Accept {
            ticket: Ticket(1),
            author: "duty".into(),
            severity,
            urgency: Urgency::Immediate,
            status: Status::Actual,
            incident: None,
            expires: None,
            text: [("ar".to_string(), "غادروا الآن".to_string())].into(),
            template: None,
            tags: BTreeMap::new(),
            audiences: vec![],
            recipients,
            corrects,
            asks: Asks::NOTHING,
            idempotency: key,
        }
    }

    fn answer(&mut self, order: &Order, outcome: Outcome) {
        self.input(Input::Outcome { attempt: order.attempt, outcome, took: Span::from_ms(50) });
    }

    fn take(&mut self, order: &Order) {
        let outcome = Outcome::Accepted { provider_id: Some(order.attempt.to_string()) };
        self.answer(order, outcome);
    }

    fn reject(&mut self, order: &Order, reason: Reason) {
        self.answer(order, Outcome::Rejected { reason });
    }

    fn receipt(&mut self, order: &Order, kind: ReceiptKind) {
        let of = ReceiptRef::Provider(order.attempt.to_string());
        let receipt = Receipt { of, kind, reason: None, at: None };
        self.input(Input::Receipt { gateway: order.gateway, receipt });
    }

    fn only_order(&mut self) -> Order {
        assert_eq!(self.orders.len(), 1, "{:?}", self.orders);
        self.orders.remove(0)
    }

    fn results(&self) -> Vec<DeliveryResult> {
        let of = |record: &Record| match record {
            Record::Delivery(Delivery { result: Some(end), .. }) => Some(end.result),
            _ => None,
        };
        self.records.iter().filter_map(of).collect()
    }

    fn state(&self, gateway: u8) -> State {
        self.core.view(self.now).gateways[usize::from(gateway)].state
    }

    fn probe(&mut self, gateway: u8, verdict: Verdict) {
        let report = ProbeReport {
            gateway: GatewayId(gateway),
            probe: "api".into(),
            aims_at: Layer::Api,
            reached: None,
            verdict,
            phases: vec![],
            took: Span::from_ms(10),
            interval: Span::from_secs(15),
        };
        self.input(Input::Probe(report));
    }
}
