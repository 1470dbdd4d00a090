//! What an attempt's outcome leads to: the next gateway at once, a pause, or the honest end.

use super::{World, gateway, policy, step, two_steps};
use crate::core::channel::{Channel, GatewayId};
use crate::core::gateway::Rate;
use crate::core::input::{Command, Input, Ticket};
use crate::core::message::Severity;
use crate::core::outcome::{DeliveryResult, Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use crate::core::policy::{OnUnknown, SendMode};
use crate::core::record::Repeat;
use crate::core::time::Span;

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

fn too_many(secs: i64) -> Outcome {
    Outcome::Deferred { reason: Reason::PairLimit, retry_after: Some(Span::from_secs(secs)) }
}

#[test]
fn a_time_named_for_one_recipient_is_kept_where_nothing_else_is_left() {
    let steps = || vec![step(&[Channel::Whatsapp], SendMode::Best, 20)];
    for (asked, kept) in [(60, Span::from_secs(60)), (9_000_000, Span::from_hours(24))] {
        let long = |rule: &mut crate::core::policy::Rule| rule.expiry = Some(Span::from_hours(48));
        let mut w = World::new(vec![gateway("wa", Channel::Whatsapp)], policy(steps(), long));
        w.accept(Severity::Severe, 2);
        let (first, second) = (w.orders.remove(0), w.orders.remove(0));
        w.take(&second);
        w.receipt(&second, ReceiptKind::Delivered);
        w.answer(&first, too_many(asked));
        let told = w.now;
        w.pass(Span::from_ms(kept.ms() - 1));
        assert!(
            w.orders.is_empty(),
            "it asked for {asked} s, and {} have passed",
            (w.now - told).ms() / 1000
        );
        w.accept(Severity::Severe, 1);
        let other = w.only_order();
        w.take(&other);
        w.receipt(&other, ReceiptKind::Delivered);
        w.pass(Span::from_ms(1));
        assert_eq!(w.only_order().attempt.delivery, first.attempt.delivery, "and not later");
    }
}

#[test]
fn a_time_named_for_one_recipient_is_spent_on_the_other_gateways() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    let first = w.only_order();
    w.answer(&first, too_many(60));
    let mut others = 0;
    for _ in 0..200 {
        for order in std::mem::take(&mut w.orders) {
            if order.channel == Channel::Whatsapp {
                assert!(w.now >= super::START + Span::from_secs(60), "at {} ms", (w.now - super::START).ms());
                assert!(others > 1, "the other one was asked at once, and again after each back-off");
                return;
            }
            others += 1;
            w.reject(&order, Reason::Throttled);
        }
        w.pass(Span::from_secs(1));
    }
    panic!("it never comes back to the gateway that named a time");
}

#[test]
fn a_delivery_does_not_wait_for_what_is_held_while_another_is_permitted() {
    let held = || {
        let mut w = World::pair(two_steps());
        let hold = Command::Hold { gateway: Some(GatewayId(1)), reason: "billing".into() };
        w.input(Input::Command { ticket: Ticket(2), who: "ali".into(), command: hold });
        w.accept(Severity::Severe, 1);
        w
    };
    let mut w = held();
    let first = w.only_order();
    w.answer(&first, too_many(60));
    w.pass(Span::from_ms(59_999));
    assert!(w.orders.is_empty());
    w.pass(Span::from_ms(1));
    assert_eq!(w.only_order().channel, Channel::Whatsapp, "the time that was named is over");

    let mut w = held();
    let first = w.only_order();
    w.reject(&first, Reason::TcpRefused);
    assert!(w.orders.is_empty());
    w.pass(Span::from_secs(2));
    assert_eq!(
        w.only_order().channel,
        Channel::Whatsapp,
        "it failed once, and is the only one that may be used"
    );

    let mut w = held();
    let first = w.only_order();
    w.reject(&first, Reason::TcpRefused);
    let release = Command::Release { gateway: Some(GatewayId(1)), reason: "over".into() };
    w.input(Input::Command { ticket: Ticket(2), who: "ali".into(), command: release });
    assert_eq!(w.only_order().channel, Channel::Sms, "it never left the queue");
}

#[test]
fn what_is_held_after_a_delivery_was_queued_for_it_keeps_it_no_longer_than_before() {
    let mut sms = gateway("sms", Channel::Sms);
    sms.rate = Some(Rate { per_sec: 0.001, burst: 1.0 });
    let mut w = World::new(vec![gateway("wa", Channel::Whatsapp), sms], two_steps());
    w.accept(Severity::Severe, 2);
    for order in std::mem::take(&mut w.orders) {
        w.reject(&order, Reason::TcpRefused);
    }
    let taken = w.only_order();
    assert_eq!(taken.channel, Channel::Sms, "one of them has its token");
    w.take(&taken);
    w.receipt(&taken, ReceiptKind::Delivered);
    let hold = Command::Hold { gateway: Some(GatewayId(1)), reason: "billing".into() };
    w.input(Input::Command { ticket: Ticket(2), who: "ali".into(), command: hold });
    w.pass(Span::from_mins(1));
    assert!(!w.orders.is_empty(), "the other does not wait for what is held");
    assert!(w.orders.iter().all(|order| order.channel == Channel::Whatsapp));
}

#[test]
fn who_waits_out_a_named_time_follows_a_new_policy_at_once() {
    let only = vec![step(&[Channel::Whatsapp], SendMode::Best, 20)];
    let lineup = vec![gateway("wa", Channel::Whatsapp), gateway("sms", Channel::Sms)];
    let mut w = World::new(lineup, policy(only, |_| {}));
    w.accept(Severity::Severe, 1);
    let first = w.only_order();
    w.answer(&first, too_many(3_000));
    w.pass(Span::from_secs(30));
    assert!(w.orders.is_empty());
    w.input(Input::Policy(two_steps()));
    assert_eq!(w.only_order().channel, Channel::Sms);
}
