//! What a receipt changes, early, late or never: what counts as confirmed, and what no longer matters.

use super::{World, gateway, policy, step, two_steps};
use crate::core::channel::Channel;
use crate::core::effect::Event;
use crate::core::gateway::Receipts;
use crate::core::input::Input;
use crate::core::message::Severity;
use crate::core::outcome::{DeliveryResult, Outcome, Receipt, ReceiptKind, ReceiptRef};
use crate::core::policy::{Confirm, SendMode};
use crate::core::record::{Record, Repeat};
use crate::core::time::Span;

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
fn a_name_that_a_provider_gives_twice_is_the_later_ones() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 2);
    let (first, second) = (w.orders.remove(0), w.orders.remove(0));
    let taken = || Outcome::Accepted { provider_id: Some("1".into()) };
    w.answer(&first, taken());
    // It counts from the start again.
    w.answer(&second, taken());
    let receipt = |of| Receipt { of, kind: ReceiptKind::Delivered, reason: None, at: None };
    w.input(Input::Receipt { gateway: first.gateway, receipt: receipt(ReceiptRef::Attempt(first.attempt)) });
    assert_eq!(w.results().len(), 1);
    let by_name = receipt(ReceiptRef::Provider("1".into()));
    w.input(Input::Receipt { gateway: second.gateway, receipt: by_name });
    assert_eq!(w.results(), [DeliveryResult::Delivered; 2]);
}
