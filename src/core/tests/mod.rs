//! The core as a story: accept, fail over, wait, settle. Time is data; nothing sleeps.

mod restart;

use super::channel::{Channel, GatewayId};
use super::effect::{Effect, Event, Order, Reply};
use super::evidence::{Layer, ProbeReport, UplinkRound, Verdict};
use super::gateway::{GatewayConfig, Rate, Receipts};
use super::ids::MessageId;
use super::input::{Accept, Command, IdempotencyKey, Input, Ticket};
use super::message::{Recipient, Severity, Status, Urgency};
use super::outcome::{DeliveryResult, Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use super::policy::{Confirm, Criterion, OnUnknown, Policy, Rule, SendMode, Step, Subject};
use super::record::{Attempt, Delivery, Record, Repeat};
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
    events: Vec<Event>,
    replies: Vec<Reply>,
    records: Vec<Record>,
    /// Escalations.
    told: Vec<Effect>,
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
    }
}

fn person(language: &str) -> Recipient {
    let number = "+970599000001".to_owned();
    let addresses = [(Channel::Whatsapp, number.clone()), (Channel::Sms, number)].into();
    Recipient { language: Some(language.into()), addresses, ..Recipient::default() }
}

fn step(channels: &[Channel], send: SendMode, secs: i64) -> Step {
    Step { channels: channels.to_vec(), send, wait: Span::from_secs(secs) }
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
        let (orders, events, replies, records, told) = (vec![], vec![], vec![], vec![], vec![]);
        let mut world = World { core, now: START, orders, events, replies, records, told };
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
                    Effect::Event(event) => self.events.push(event),
                    Effect::Reply { reply, .. } => self.replies.push(reply),
                    Effect::Store(record) => self.records.push(record),
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
        let accept = Accept {
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
            idempotency: key,
        };
        self.input(Input::Accept(Box::new(accept)));
        match self.replies.last() {
            Some(Reply::Accepted { message, .. }) => *message,
            other => panic!("{other:?}"),
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

const CHANNEL_OF: [Channel; 2] = [Channel::Whatsapp, Channel::Sms];

#[test]
fn a_message_is_recorded_before_it_is_answered_and_sent() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Extreme, 1);
    assert!(matches!(w.records[0], Record::Message(_)));
    assert!(matches!(w.records[1], Record::Audience { .. }));
    let order = w.only_order();
    assert!(w.records.iter().any(|r| matches!(r, Record::Attempt(a) if a.id == order.attempt)));
    w.take(&order);
    w.receipt(&order, ReceiptKind::Delivered);
    assert_eq!(w.results(), [DeliveryResult::Delivered]);
    assert_eq!(w.core.view(w.now).deliveries.open(), 0);
    assert!(matches!(w.records.last(), Some(Record::Progress(p)) if !p.open));
}

#[test]
fn after_a_refusal_the_next_gateway_has_it_in_the_same_turn() {
    for outcome in [
        Outcome::Rejected { reason: Reason::ProviderFault },
        Outcome::Deferred { reason: Reason::Throttled, retry_after: Some(Span::from_secs(60)) },
        Outcome::Rejected { reason: Reason::NotOnChannel },
        Outcome::Unknown { reason: Reason::Timeout },
    ] {
        let mut w = World::pair(two_steps());
        w.accept(Severity::Severe, 1);
        let first = w.only_order();
        w.answer(&first, outcome.clone());
        let second = w.only_order();
        assert_eq!((second.channel, second.attempt.n), (Channel::Sms, 2), "{outcome:?}");
        let marked = matches!(outcome, Outcome::Unknown { .. });
        assert_eq!(second.repeat == Repeat::AfterUnknown, marked, "{outcome:?}");
    }
}

#[test]
fn an_outage_is_paid_for_once() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    let first = w.only_order();
    w.reject(&first, Reason::TcpRefused);
    assert_eq!(w.state(0), State::Degraded);
    w.orders.clear();
    w.accept(Severity::Extreme, 5);
    assert!(w.orders.iter().all(|o| o.channel == Channel::Sms), "{:?}", w.orders);
}

#[test]
fn a_wait_that_runs_out_starts_the_next_step_and_a_late_receipt_still_counts() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Extreme, 1);
    let first = w.only_order();
    w.take(&first);
    w.pass(Span::from_secs(19));
    assert!(w.orders.is_empty());
    w.pass(Span::from_secs(2));
    let second = w.only_order();
    assert_eq!((second.channel, second.repeat), (Channel::Sms, Repeat::AfterWait));
    w.take(&second);
    w.receipt(&first, ReceiptKind::Delivered);
    assert_eq!(w.results(), [DeliveryResult::Delivered]);
    let duplicated = w.events.iter().any(|e| matches!(e, Event::Settled { duplicated: true, .. }));
    assert!(duplicated, "two providers took it, and the record says so");
    w.receipt(&second, ReceiptKind::Delivered);
    w.pass(Span::from_mins(1));
    assert_eq!(w.results().len(), 1, "late news is recorded, never acted on");
    assert!(w.records.iter().any(|r| matches!(r, Record::StrayReceipt { .. })));
}

#[test]
fn late_receipt_after_expiry_changes_nothing() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    let first = w.only_order();
    w.take(&first);
    w.pass(Span::from_mins(59));
    let second = w.only_order();
    w.take(&second);
    w.pass(Span::from_hours(7));
    assert_eq!(w.results(), [DeliveryResult::HandedOver]);
    w.receipt(&first, ReceiptKind::Delivered);
    assert_eq!(w.results(), [DeliveryResult::HandedOver]);
}

#[test]
fn a_receipt_before_its_answer_settles_once_the_answer_comes() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    let order = w.only_order();
    w.receipt(&order, ReceiptKind::Delivered);
    assert!(w.results().is_empty());
    w.take(&order);
    assert_eq!(w.results(), [DeliveryResult::Delivered]);
}

#[test]
fn a_failed_receipt_moves_on_and_never_overrides_delivered() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    let first = w.only_order();
    w.take(&first);
    // A provider says "sent" first, often; it failed all the same.
    w.receipt(&first, ReceiptKind::Sent);
    w.receipt(&first, ReceiptKind::Failed);
    let second = w.only_order();
    assert_eq!((second.channel, second.repeat), (Channel::Sms, Repeat::AfterFailure));
    w.take(&second);
    w.receipt(&second, ReceiptKind::Delivered);
    w.receipt(&second, ReceiptKind::Failed);
    assert_eq!(w.results(), [DeliveryResult::Delivered]);
}

#[test]
fn nothing_left_fails_at_once_and_a_gateway_fault_backs_off() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    let first = w.only_order();
    w.reject(&first, Reason::NotOnChannel);
    let second = w.only_order();
    w.reject(&second, Reason::BadAddress);
    assert_eq!(w.results(), [DeliveryResult::Failed]);

    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    for _ in 0..2 {
        let order = w.only_order();
        w.reject(&order, Reason::TcpRefused);
    }
    assert!(w.results().is_empty() && w.orders.is_empty());
    assert_eq!(w.core.view(w.now).deliveries.backing_off, 1);
    w.pass(Span::from_secs(4));
    assert!(!w.orders.is_empty(), "with nothing better, what failed is tried again");
}

#[test]
fn an_expired_message_is_never_sent() {
    let mut w = World::pair(two_steps());
    let hold = Command::Hold { gateway: None, reason: "red button".into() };
    w.input(Input::Command { ticket: Ticket(2), who: "ali".into(), command: hold });
    w.accept(Severity::Extreme, 3);
    w.pass(Span::from_hours(2));
    let release = Command::Release { gateway: None, reason: "over".into() };
    w.input(Input::Command { ticket: Ticket(3), who: "ali".into(), command: release });
    assert!(w.orders.is_empty());
    assert_eq!(w.results(), [DeliveryResult::Expired; 3]);
}

#[test]
fn an_unknown_outcome_waits_where_the_rule_prefers_silence_to_a_repeat() {
    let steps =
        || vec![step(&[Channel::Whatsapp], SendMode::Best, 20), step(&[Channel::Sms], SendMode::Best, 20)];
    let mut w = World::pair(policy(steps(), |rule| rule.on_unknown = Some(OnUnknown::Wait)));
    w.accept(Severity::Severe, 1);
    let first = w.only_order();
    w.answer(&first, Outcome::Unknown { reason: Reason::Timeout });
    assert!(w.orders.is_empty());
    w.pass(Span::from_secs(20));
    let second = w.only_order();
    assert_eq!((second.channel, second.repeat), (Channel::Sms, Repeat::AfterUnknown));
    // A receipt by our own id proves that the unknown one had arrived.
    let of = ReceiptRef::Attempt(first.attempt);
    let receipt = Receipt { of, kind: ReceiptKind::Delivered, reason: None, at: None };
    w.input(Input::Receipt { gateway: first.gateway, receipt });
    assert_eq!(w.results(), [DeliveryResult::Delivered]);
}

#[test]
fn only_unknown_attempts_end_as_failed_not_as_expired() {
    let steps = vec![step(&[Channel::Whatsapp], SendMode::Best, 20)];
    let mut w = World::pair(policy(steps, |rule| rule.on_unknown = Some(OnUnknown::Wait)));
    w.accept(Severity::Severe, 1);
    let first = w.only_order();
    w.answer(&first, Outcome::Unknown { reason: Reason::ConnectionLost });
    w.pass(Span::from_hours(2));
    assert!(w.orders.is_empty(), "the ladder is over: it is not repeated");
    assert_eq!(w.results(), [DeliveryResult::Failed]);
}

#[test]
fn an_adapter_that_never_answers_is_given_up_as_unknown() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Extreme, 1);
    w.orders.clear();
    w.pass(Span::from_secs(14));
    let second = w.only_order();
    assert_eq!(second.repeat, Repeat::AfterUnknown);
}

#[test]
fn all_at_once_sends_one_by_each_channel_and_settles_on_the_first_receipt() {
    let steps = vec![step(&[Channel::Whatsapp, Channel::Sms], SendMode::All, 20)];
    let mut w = World::pair(policy(steps, |_| {}));
    w.accept(Severity::Severe, 1);
    let mut orders = std::mem::take(&mut w.orders);
    orders.sort_by_key(|o| o.gateway);
    assert_eq!(orders.iter().map(|o| o.channel).collect::<Vec<_>>(), CHANNEL_OF);
    assert!(orders.iter().any(|o| o.repeat == Repeat::Together));
    w.take(&orders[0]);
    w.receipt(&orders[0], ReceiptKind::Delivered);
    assert_eq!(w.results(), [DeliveryResult::Delivered]);
    w.take(&orders[1]);
    let recorded = |r: &&Record| matches!(r, Record::Attempt(Attempt { id, outcome: Some(_), .. }) if *id == orders[1].attempt);
    assert_eq!(w.records.iter().filter(recorded).count(), 1, "the answer after the end is recorded");
    assert_eq!(w.core.view(w.now).gateways[1].in_flight, 0);
}

#[test]
fn each_goes_in_the_written_order() {
    let steps = vec![step(&[Channel::Sms, Channel::Whatsapp], SendMode::Each, 20)];
    let mut w = World::pair(policy(steps, |_| {}));
    w.accept(Severity::Severe, 1);
    let first = w.only_order();
    assert_eq!(first.channel, Channel::Sms);
    w.take(&first);
    w.pass(Span::from_secs(21));
    assert_eq!(w.only_order().channel, Channel::Whatsapp);
}

#[test]
fn a_road_without_receipts_counts_as_handed_over_unless_the_rule_is_strict() {
    let mute = |severity| {
        let mut wa = gateway("wa", Channel::Whatsapp);
        wa.receipts = Receipts::None;
        let mut w = World::new(vec![wa, gateway("sms", Channel::Sms)], two_steps());
        w.accept(severity, 1);
        let first = w.only_order();
        w.take(&first);
        w.pass(Span::from_secs(21));
        (w.results(), w.orders.len())
    };
    assert_eq!(mute(Severity::Severe), (vec![DeliveryResult::HandedOver], 0));
    assert_eq!(mute(Severity::Extreme), (vec![], 1));
}

#[test]
fn confirm_accepted_settles_as_handed_over_the_honest_word() {
    let steps = vec![step(&[Channel::Whatsapp], SendMode::Best, 20)];
    let mut w = World::pair(policy(steps, |rule| rule.confirm = Confirm::Accepted));
    w.accept(Severity::Minor, 1);
    let order = w.only_order();
    w.take(&order);
    assert_eq!(w.results(), [DeliveryResult::HandedOver]);
}

#[test]
fn cancel_recalls_what_was_not_sent_and_leaves_open_what_was() {
    let mut wa = gateway("wa", Channel::Whatsapp);
    wa.rate = Some(Rate { per_sec: 0.001, burst: 2.0 });
    let steps = vec![step(&[Channel::Whatsapp], SendMode::Best, 20)];
    let mut w = World::new(vec![wa], policy(steps, |_| {}));
    let message = w.accept(Severity::Severe, 5);
    assert_eq!(w.orders.len(), 2);
    let (first, second) = (w.orders.remove(0), w.orders.remove(0));
    w.take(&first);
    let cancel = Command::Cancel { message, reason: "wrong quarter".into() };
    w.input(Input::Command { ticket: Ticket(9), who: "sara".into(), command: cancel });
    assert_eq!(w.replies.last(), Some(&Reply::Done { changed: 3 }));
    assert_eq!(w.results(), [DeliveryResult::Cancelled; 3]);
    w.reject(&second, Reason::TcpRefused);
    assert_eq!(w.results().len(), 4);
    w.receipt(&first, ReceiptKind::Delivered);
    assert_eq!(w.results().last(), Some(&DeliveryResult::Delivered));
}

#[test]
fn a_held_gateway_gets_nothing() {
    let mut w = World::pair(two_steps());
    let hold = Command::Hold { gateway: Some(GatewayId(0)), reason: "billing".into() };
    w.input(Input::Command { ticket: Ticket(2), who: "ali".into(), command: hold });
    w.accept(Severity::Extreme, 10);
    assert!(w.orders.len() == 10 && w.orders.iter().all(|o| o.channel == Channel::Sms));
}

#[test]
fn the_most_severe_go_first_when_a_road_is_narrow() {
    let mut wa = gateway("wa", Channel::Whatsapp);
    wa.rate = Some(Rate { per_sec: 1.0, burst: 1.0 });
    let steps = vec![step(&[Channel::Whatsapp], SendMode::Best, 20)];
    let mut w = World::new(vec![wa], policy(steps, |_| {}));
    w.accept(Severity::Minor, 3);
    let extreme = w.accept(Severity::Extreme, 2);
    w.orders.clear();
    w.pass(Span::from_secs(2));
    assert_eq!(w.orders.len(), 2);
    assert!(w.orders.iter().all(|o| o.attempt.delivery.message == extreme));
}

#[test]
fn the_same_key_answers_with_the_same_message_and_another_body_is_refused() {
    let mut w = World::pair(two_steps());
    let key = IdempotencyKey { key: [1; 16], body: [2; 16] };
    let first = w.accept_with(Severity::Minor, 1, Some(key));
    let again = w.accept_with(Severity::Minor, 1, Some(key));
    assert_eq!(first, again);
    let accepted = w.records.iter().filter(|r| matches!(r, Record::Message(_))).count();
    assert_eq!(accepted, 1);
}

#[test]
fn an_outage_is_declared_after_the_dwell_and_closed_on_return() {
    let mut w = World::pair(two_steps());
    for _ in 0..12 {
        w.probe(0, Verdict::Failed(Reason::DnsServfail));
        w.pass(Span::from_secs(2));
        w.round(0);
    }
    assert_eq!(w.state(0), State::Down);
    let opened = w.core.view(w.now).outages[0].clone();
    assert_eq!((opened.cause, opened.onset), (Reason::DnsServfail, START));
    assert_eq!(opened.detected - opened.onset, Span::from_secs(20));
    for _ in 0..20 {
        w.probe(0, Verdict::Fine);
        w.pass(Span::from_secs(2));
    }
    assert_eq!(w.state(0), State::Up);
    assert!(w.core.view(w.now).outages[0].recovered.is_some());
}

#[test]
fn losing_our_own_line_accuses_nobody_and_uses_what_needs_no_line() {
    let mut modem = gateway("modem", Channel::Sms);
    modem.failure_domains = vec!["power".into()];
    let mut w = World::new(vec![gateway("wa", Channel::Whatsapp), modem], two_steps());
    for _ in 0..15 {
        w.probe(0, Verdict::Failed(Reason::TcpTimeout));
        w.round(3);
        w.pass(Span::from_secs(3));
    }
    let view = w.core.view(w.now);
    assert!(!view.uplinks[0].up);
    assert!(w.events.iter().all(|e| !matches!(e, Event::State { to: State::Down, .. })));
    let blamed = view.outages.iter().any(|o| !matches!(o.of, super::record::OutageOf::Uplink(_)));
    assert!(!blamed, "{:?}", view.outages);
    w.accept(Severity::Extreme, 1);
    assert_eq!(w.only_order().gateway, GatewayId(1));
}

#[test]
fn a_mass_alert_is_materialised_in_chunks_and_memory_comes_back() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 5_000);
    assert_eq!(w.orders.len(), 5_000);
    for order in std::mem::take(&mut w.orders) {
        w.core.handle(
            Input::Outcome {
                attempt: order.attempt,
                outcome: Outcome::Accepted { provider_id: None },
                took: Span::from_ms(5),
            },
            w.now,
        );
        let of = ReceiptRef::Attempt(order.attempt);
        let receipt = Receipt { of, kind: ReceiptKind::Delivered, reason: None, at: None };
        w.core.handle(Input::Receipt { gateway: order.gateway, receipt }, w.now);
    }
    w.turn();
    assert_eq!(w.results().len(), 5_000);
    assert_eq!(w.core.view(w.now).deliveries.open(), 0);
    assert!(w.core.provider_ids.is_empty() && w.core.message_of.is_empty() && w.core.busy.is_empty());
}

#[test]
fn a_missed_deadline_is_counted_once_and_the_contacts_are_told() {
    let steps = vec![step(&[Channel::Whatsapp], SendMode::Best, 20)];
    let mut w = World::pair(policy(steps, |rule| {
        rule.deadline = Some(Span::from_secs(60));
        rule.escalate = vec!["duty-officer".into()];
    }));
    w.accept(Severity::Severe, 3);
    let first = w.orders.remove(0);
    w.take(&first);
    w.receipt(&first, ReceiptKind::Delivered);
    for order in std::mem::take(&mut w.orders) {
        w.take(&order);
    }
    w.pass(Span::from_mins(5));
    let missed = w.events.iter().filter_map(|e| match e {
        Event::DeadlineMissed { deliveries, .. } => Some(*deliveries),
        _ => None,
    });
    assert_eq!(missed.collect::<Vec<_>>(), [2]);
    assert_eq!(w.core.view(w.now).deliveries.late, 2);
}

#[test]
fn what_is_taken_just_before_the_expiry_ends_all_the_same() {
    let steps = vec![step(&[Channel::Whatsapp], SendMode::Best, 20)];
    let mut w = World::pair(policy(steps, |rule| rule.expiry = Some(Span::from_secs(3))));
    w.accept(Severity::Severe, 1);
    let in_flight = w.only_order();
    w.pass(Span::from_secs(4));
    w.take(&in_flight);
    w.pass(Span::from_secs(30));
    assert_eq!(w.results(), [DeliveryResult::HandedOver]);
    assert_eq!(w.core.view(w.now).deliveries.open(), 0);
}

#[test]
fn an_order_that_the_disk_holds_back_is_not_given_up() {
    let mut w = World::pair(two_steps());
    w.core.handle(Input::Released { to: w.now - Span::from_ms(1) }, w.now);
    w.accept(Severity::Extreme, 1);
    let order = w.only_order();
    w.pass(Span::from_mins(2));
    assert!(w.orders.is_empty(), "nothing has left yet, so nothing is repeated: {:?}", w.orders);
    w.input(Input::Released { to: w.now });
    w.take(&order);
    w.receipt(&order, ReceiptKind::Delivered);
    assert_eq!(w.results(), [DeliveryResult::Delivered]);
}

#[test]
fn one_gateway_that_cannot_deliver_leaves_the_channel_to_the_others() {
    let steps = vec![step(&[Channel::Sms], SendMode::Best, 20)];
    let two = vec![gateway("sms-a", Channel::Sms), gateway("sms-b", Channel::Sms)];
    let mut w = World::new(two, policy(steps, |_| {}));
    w.accept(Severity::Severe, 1);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let order = w.only_order();
        seen.push(order.gateway);
        w.take(&order);
        let of = ReceiptRef::Attempt(order.attempt);
        let reason = Some(Reason::Undeliverable);
        let receipt = Receipt { of, kind: ReceiptKind::Failed, reason, at: None };
        w.input(Input::Receipt { gateway: order.gateway, receipt });
    }
    assert_eq!(seen, [GatewayId(0), GatewayId(1)]);
    assert_eq!(w.results(), [DeliveryResult::Failed], "when both have said so, it is over");
}

#[test]
fn planned_work_does_not_end_a_hold() {
    let mut w = World::pair(two_steps());
    let hold = Command::Hold { gateway: Some(GatewayId(0)), reason: "billing".into() };
    w.input(Input::Command { ticket: Ticket(1), who: "noc".into(), command: hold });
    let until = w.now + Span::from_mins(1);
    let plan = Command::Maintenance { gateway: GatewayId(0), until, reason: "upgrade".into() };
    w.input(Input::Command { ticket: Ticket(2), who: "noc".into(), command: plan });
    assert!(matches!(w.replies.last(), Some(Reply::Refused(_))));
    w.pass(Span::from_mins(2));
    w.accept(Severity::Severe, 1);
    assert_eq!(w.only_order().channel, Channel::Sms);
}

/// A rule's condition on the recipient's language.
#[derive(Debug)]
struct Speaks(String);

impl Criterion for Speaks {
    fn key(&self) -> &'static str {
        "language"
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        subject.language == Some(self.0.as_str())
    }

    fn explain(&self) -> String {
        format!("language is {}", self.0)
    }

    fn found(&self, subject: &Subject<'_>) -> String {
        format!("language is {:?}", subject.language)
    }
}

#[test]
fn each_rule_that_misses_its_deadline_tells_its_own_contacts() {
    let rule = |name: &str, language: &str, contact: &str| Rule {
        name: name.into(),
        steps: vec![step(&[Channel::Whatsapp], SendMode::Best, 20)],
        deadline: Some(Span::from_secs(60)),
        escalate: vec![contact.into()],
        when: vec![Box::new(Speaks(language.to_owned()))],
        ..Rule::last()
    };
    let rules = vec![rule("ar", "ar", "one"), rule("en", "en", "two"), Rule::last()];
    let mut w = World::pair(Arc::new(Policy { hash: "h".into(), rules }));
    w.accept_for(Severity::Severe, vec![person("ar"), person("en")], None);
    w.pass(Span::from_mins(2));
    let told: Vec<_> = w
        .told
        .iter()
        .map(|effect| match effect {
            Effect::Escalate { rule, contacts, .. } => (rule.as_str(), contacts[0].as_str()),
            _ => ("", ""),
        })
        .collect();
    assert_eq!(told, [("ar", "one"), ("en", "two")]);
}
