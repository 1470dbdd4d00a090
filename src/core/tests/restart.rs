//! What a start finds on disk: attempts in flight, receipts that come before their deliveries are back, deadlines that
//! passed meanwhile.

use super::{World, policy, step, two_steps};
use crate::core::channel::Channel;
use crate::core::effect::{Alarm, Effect, Event, Order};
use crate::core::evidence::UplinkRound;
use crate::core::ids::{AttemptId, DeliveryId, MessageId, OutageId};
use crate::core::input::Input;
use crate::core::message::{Recipient, Severity};
use crate::core::outcome::{DeliveryResult, Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use crate::core::policy::{Policy, SendMode};
use crate::core::record::{
    Attempt, Delivery, Loaded, LoadedMessage, Outage, OutageOf, Progress, Record, Repeat,
};
use crate::core::time::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a store keeps of one message.
struct Disk {
    loaded: LoadedMessage,
    people: Arc<Vec<Recipient>>,
}

/// Reads the only message of a world back from what it recorded.
fn disk(world: &World) -> Disk {
    let (mut message, mut people, mut progress) = (None, None, None);
    let mut deliveries: BTreeMap<DeliveryId, Delivery> = BTreeMap::new();
    let mut attempts: BTreeMap<AttemptId, Attempt> = BTreeMap::new();
    let mut receipts: BTreeMap<(AttemptId, ReceiptKind), Option<Reason>> = BTreeMap::new();
    for record in &world.records {
        match record {
            Record::Message(of) => message = Some(Arc::clone(of)),
            Record::Audience { people: of, .. } => people = Some(Arc::clone(of)),
            Record::Progress(of) => progress = Some(of.clone()),
            Record::Delivery(of) => drop(deliveries.insert(of.id, of.clone())),
            Record::Attempt(of) => drop(attempts.insert(of.id, of.clone())),
            Record::Receipt { attempt, kind, reason, .. } => {
                receipts.entry((*attempt, *kind)).or_insert(*reason);
            }
            _ => {}
        }
    }
    let message = message.expect("a message was accepted");
    let progress = progress.unwrap_or_else(|| Progress::new(message.id));
    let loaded = LoadedMessage {
        message,
        progress,
        deliveries: deliveries.into_values().collect(),
        attempts: attempts.into_values().collect(),
        receipts: receipts.into_iter().map(|((id, kind), reason)| (id, kind, reason)).collect(),
        last_plan: 1,
    };
    Disk { loaded, people: people.expect("and its audience") }
}

/// Starts anew, `after` later, with what a world recorded; its deliveries are yet to be materialised.
fn restart(world: &World, policy: Arc<Policy>, after: Span) -> (World, MessageId, Arc<Vec<Recipient>>) {
    let Disk { loaded, people } = disk(world);
    let id = loaded.message.id;
    let mut again = World::pair(policy);
    again.now = world.now + after;
    again.records = world.records.clone();
    again.core.load(Loaded { messages: vec![loaded], ..Loaded::default() }, again.now);
    again.turn();
    (again, id, people)
}

/// Materialises what a start left to be materialised.
fn materialise(world: &mut World, message: MessageId, people: Arc<Vec<Recipient>>) {
    world.input(Input::Audience { message, chunk: 0, people });
}

#[test]
fn a_crash_leaves_an_attempt_unknown_and_the_rule_decides() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 3);
    let first = w.orders[0].clone();
    w.records.retain(|r| !matches!(r, Record::Attempt(a) if a.id != first.attempt));
    let (mut after, id, people) = restart(&w, two_steps(), Span::from_secs(1));
    materialise(&mut after, id, people);
    let repeated: Vec<&Order> = after.orders.iter().filter(|o| o.repeat == Repeat::AfterUnknown).collect();
    assert_eq!(repeated.len(), 1);
    assert_eq!(repeated[0].attempt, AttemptId::new(first.attempt.delivery, 2));
    assert_eq!(after.orders.len(), 3, "the two that were not in flight go as if nothing had happened");
}

/// A receipt that comes right after a start, before its delivery is back, and then a second crash.
#[track_caller]
fn check_early_receipt(taken: bool, of: fn(AttemptId) -> ReceiptRef, expected: Option<DeliveryResult>) {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    let order = w.only_order();
    if taken {
        let outcome = Outcome::Accepted { provider_id: Some("p1".into()) };
        w.answer(&order, outcome);
    }
    let (mut after, id, people) = restart(&w, two_steps(), Span::from_secs(1));
    let receipt = Receipt { of: of(order.attempt), kind: ReceiptKind::Delivered, reason: None, at: None };
    after.input(Input::Receipt { gateway: order.gateway, receipt: receipt.clone() });
    after.input(Input::Receipt { gateway: order.gateway, receipt });
    let (mut third, ..) = restart(&after, two_steps(), Span::from_secs(1));
    for world in [&mut after, &mut third] {
        materialise(world, id, Arc::clone(&people));
        assert_eq!(world.results().first().copied(), expected);
        assert_eq!(world.orders.is_empty(), expected.is_some(), "what has arrived is not sent again");
        assert!(world.core.kept_ids.is_empty());
    }
}

#[test]
fn a_receipt_that_comes_before_its_delivery_is_back_is_on_record_at_once() {
    let by_provider: fn(AttemptId) -> ReceiptRef = |_| ReceiptRef::Provider("p1".into());
    let by_both: fn(AttemptId) -> ReceiptRef = |id| ReceiptRef::Both("p1".into(), id);
    let delivered = Some(DeliveryResult::Delivered);
    check_early_receipt(true, by_provider, delivered);
    check_early_receipt(true, by_both, delivered);
    check_early_receipt(true, ReceiptRef::Attempt, delivered);
    // The answer was lost in the crash: who names our attempt proves that it was taken, who does not proves nothing.
    check_early_receipt(false, by_both, delivered);
    check_early_receipt(false, ReceiptRef::Attempt, delivered);
    check_early_receipt(false, by_provider, None);
}

#[test]
fn a_failure_that_comes_before_its_delivery_is_back_leads_on() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    let order = w.only_order();
    w.take(&order);
    w.receipt(&order, ReceiptKind::Sent);
    let (mut after, id, people) = restart(&w, two_steps(), Span::from_secs(1));
    let of = ReceiptRef::Attempt(order.attempt);
    let reason = Some(Reason::NotOnChannel);
    let failed = Receipt { of, kind: ReceiptKind::Failed, reason, at: None };
    after.input(Input::Receipt { gateway: order.gateway, receipt: failed });
    materialise(&mut after, id, people);
    let next = after.only_order();
    assert_eq!((next.channel, next.repeat), (Channel::Sms, Repeat::AfterFailure));
}

#[test]
fn a_deadline_that_passed_while_we_were_away_is_told_of() {
    let rules = || {
        let steps = vec![step(&[Channel::Whatsapp], SendMode::Best, 20)];
        policy(steps, |rule| {
            rule.deadline = Some(Span::from_secs(60));
            rule.escalate = vec!["duty-officer".into()];
        })
    };
    let mut w = World::pair(rules());
    w.accept(Severity::Severe, 2);
    let order = w.orders[0].clone();
    w.take(&order);
    let told = |world: &World| world.told.len();
    assert_eq!(told(&w), 0);
    let (mut after, id, people) = restart(&w, rules(), Span::from_mins(5));
    materialise(&mut after, id, people);
    let missed = |world: &World| -> u32 {
        let of = |event: &Event| match event {
            Event::DeadlineMissed { deliveries, .. } => *deliveries,
            _ => 0,
        };
        world.events.iter().map(of).sum()
    };
    assert_eq!((told(&after), after.core.view(after.now).deliveries.late), (1, 2));
    assert!(missed(&after) > 0);
    // Whether the contacts were told before the crash is not known: they are told again, under the same key.
    let (mut third, id, people) = restart(&after, rules(), Span::from_secs(1));
    materialise(&mut third, id, people);
    assert_eq!((told(&third), missed(&third), third.core.view(third.now).deliveries.late), (1, 0, 2));
    assert!(
        matches!(&third.told[0], Effect::Escalate { alarm: Alarm::Late { deliveries: 2 }, .. }),
        "{:?}",
        third.told
    );
}

#[test]
fn what_went_through_a_gateway_that_is_gone_is_not_forgotten() {
    let check = |outcome: Option<Outcome>, expected: Repeat| {
        let mut w = World::pair(two_steps());
        w.accept(Severity::Severe, 1);
        let order = w.only_order();
        if let Some(outcome) = outcome {
            w.answer(&order, outcome);
        }
        let Disk { loaded, people } = disk(&w);
        let id = loaded.message.id;
        let mut after = World::new(vec![super::gateway("sms", Channel::Sms)], two_steps());
        after.core.load(Loaded { messages: vec![loaded], ..Loaded::default() }, after.now);
        after.turn();
        materialise(&mut after, id, people);
        let next = after.only_order();
        assert_eq!((next.channel, next.repeat), (Channel::Sms, expected));
        after.take(&next);
        after.receipt(&next, ReceiptKind::Delivered);
        let settled = after.records.iter().rev().find_map(|record| match record {
            Record::Delivery(delivery) => delivery.result,
            _ => None,
        });
        assert!(settled.is_some_and(|settled| settled.duplicated), "it may have reached the recipient twice");
    };
    check(None, Repeat::AfterUnknown);
    check(Some(Outcome::Accepted { provider_id: Some("p1".into()) }), Repeat::AfterWait);
}

#[test]
fn a_wait_goes_on_from_when_the_provider_took_it() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    let order = w.only_order();
    w.take(&order);
    let (mut after, id, people) = restart(&w, two_steps(), Span::from_secs(15));
    materialise(&mut after, id, people);
    assert!(after.orders.is_empty());
    after.pass(Span::from_secs(6));
    let next = after.only_order();
    assert_eq!((next.channel, next.repeat), (Channel::Sms, Repeat::AfterWait));
}

#[test]
fn an_outage_of_what_is_gone_is_over_and_a_line_that_was_down_stays_so() {
    let mut w = World::pair(two_steps());
    let of = |of: OutageOf, id| Outage {
        id: OutageId(id),
        of,
        channel: Channel::Whatsapp,
        onset: w.now,
        detected: w.now,
        recovered: None,
        cause: Reason::Timeout,
        layer: None,
        attempts_failed: 0,
        open: false,
        signs: vec![],
    };
    let outages = vec![
        of(OutageOf::Gateway("wa".into()), 1),
        of(OutageOf::Gateway("sold".into()), 2),
        of(OutageOf::Channel(Channel::Whatsapp), 3),
        of(OutageOf::Uplink("fibre".into()), 4),
        of(OutageOf::Uplink("dsl".into()), 5),
    ];
    w.core.load(Loaded { outages, last_outage: 5, ..Loaded::default() }, w.now);
    w.turn();
    let open = |world: &World| -> Vec<u64> {
        let view = world.core.view(world.now);
        view.outages.iter().filter(|o| o.recovered.is_none()).map(|o| o.id.0).collect()
    };
    assert_eq!(open(&w), [1, 4]);
    for _ in 0..8 {
        let round = UplinkRound { uplink: "fibre".into(), failed: 0, controls: 3, took: Span::from_ms(20) };
        w.input(Input::Uplink(round));
    }
    assert_eq!(open(&w), [1]);
}

#[test]
fn a_time_named_for_one_recipient_outlives_a_start() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    for secs in [600, 60] {
        let order = w.only_order();
        let retry_after = Some(Span::from_secs(secs));
        w.answer(&order, Outcome::Deferred { reason: Reason::PairLimit, retry_after });
    }
    let (mut after, id, people) = restart(&w, two_steps(), Span::from_secs(10));
    materialise(&mut after, id, people);
    after.pass(Span::from_ms(49_999));
    assert!(after.orders.is_empty(), "{:?}", after.orders);
    after.pass(Span::from_ms(1));
    assert_eq!(after.only_order().channel, Channel::Sms);
}

/// Starts anew from a backup: what was open in it may have gone out since.
fn restored(world: &World, after: Span) -> World {
    let Disk { mut loaded, people } = disk(world);
    loaded.progress.restored = true;
    let id = loaded.message.id;
    let mut again = World::pair(two_steps());
    again.now = world.now + after;
    again.core.load(Loaded { messages: vec![loaded], ..Loaded::default() }, again.now);
    again.turn();
    materialise(&mut again, id, people);
    again
}

#[test]
fn what_a_restored_backup_held_open_goes_out_as_a_possible_copy() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 3);
    let first = w.orders[0].attempt;
    w.records.retain(|r| !matches!(r, Record::Attempt(a) if a.id != first));
    let mut after = restored(&w, Span::from_secs(1));
    let repeats: Vec<Repeat> = after.orders.iter().map(|order| order.repeat).collect();
    assert_eq!(repeats, [Repeat::AfterUnknown; 3], "those that waited as well as the one under way");
    let order = after.orders[0].clone();
    after.take(&order);
    after.receipt(&order, ReceiptKind::Delivered);
    let duplicated = after.records.iter().find_map(|record| match record {
        Record::Delivery(delivery) => delivery.result.map(|settled| settled.duplicated),
        _ => None,
    });
    assert_eq!(duplicated, Some(true), "it may have arrived twice");
    // The mark stays with the message: a restart must not forget it.
    let marked = after.records.iter().rev().find_map(|record| match record {
        Record::Progress(progress) => Some(progress.restored),
        _ => None,
    });
    assert_eq!(marked, Some(true));
}

#[test]
fn what_expired_before_a_backup_was_restored_is_not_sent_and_not_called_unsent() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 3);
    w.records.retain(|r| !matches!(r, Record::Attempt(_)));
    let after = restored(&w, Span::from_hours(26));
    assert_eq!(after.orders, [], "yesterday's order is not given today");
    assert_eq!(after.results(), [DeliveryResult::Failed; 3], "it may have gone out in time: nobody knows");
    let after = restart(&w, two_steps(), Span::from_hours(26));
    let (mut after, id, people) = after;
    materialise(&mut after, id, people);
    assert_eq!(after.results(), [DeliveryResult::Expired; 3], "without a restore it is known");
}
