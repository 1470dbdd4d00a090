//! What a rule orders: how its steps are walked, when its deadline and its expiry fall, whom it tells.

use super::{World, person, policy, step, two_steps};
use crate::core::channel::Channel;
use crate::core::effect::{Effect, Event};
use crate::core::input::{Command, Input, Ticket};
use crate::core::message::Severity;
use crate::core::outcome::{DeliveryResult, ReceiptKind};
use crate::core::policy::{Criterion, Policy, Rule, SendMode, Subject};
use crate::core::record::{Attempt, Record, Repeat};
use crate::core::time::Span;
use std::sync::Arc;

#[test]
fn all_at_once_sends_one_by_each_channel_and_settles_on_the_first_receipt() {
    let steps = vec![step(&[Channel::Whatsapp, Channel::Sms], SendMode::All, 20)];
    let mut w = World::pair(policy(steps, |_| {}));
    w.accept(Severity::Severe, 1);
    let mut orders = std::mem::take(&mut w.orders);
    orders.sort_by_key(|o| o.gateway);
    assert_eq!(orders.iter().map(|o| o.channel).collect::<Vec<_>>(), [Channel::Whatsapp, Channel::Sms]);
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
