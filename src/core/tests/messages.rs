//! What happens to a message as a whole: it is recorded, answered once, materialised, ordered by severity.

use super::{World, gateway, policy, step, two_steps};
use crate::core::channel::Channel;
use crate::core::gateway::Rate;
use crate::core::input::{IdempotencyKey, Input};
use crate::core::message::Severity;
use crate::core::outcome::{DeliveryResult, Outcome, Receipt, ReceiptKind, ReceiptRef};
use crate::core::policy::SendMode;
use crate::core::record::Record;
use crate::core::time::Span;

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
