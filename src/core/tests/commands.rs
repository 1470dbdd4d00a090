//! What an operator orders: to cancel, to hold, to plan work.

use super::{World, gateway, person, policy, step, two_steps};
use crate::core::channel::{Channel, GatewayId};
use crate::core::effect::Reply;
use crate::core::gateway::Rate;
use crate::core::input::{Command, Input, Ticket};
use crate::core::message::Severity;
use crate::core::outcome::{DeliveryResult, Reason, ReceiptKind};
use crate::core::policy::SendMode;
use crate::core::time::Span;

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
fn what_is_to_be_corrected_stops_and_has_one_correction() {
    let mut wa = gateway("wa", Channel::Whatsapp);
    wa.rate = Some(Rate { per_sec: 0.001, burst: 2.0 });
    let steps = vec![step(&[Channel::Whatsapp], SendMode::Best, 20)];
    let mut w = World::new(vec![wa], policy(steps, |_| {}));
    let message = w.accept(Severity::Severe, 5);
    let (first, second) = (w.orders.remove(0), w.orders.remove(0));
    w.take(&first);
    let correct = || Command::Correct { message, reason: "wrong quarter".into() };
    w.input(Input::Command { ticket: Ticket(9), who: "sara".into(), command: correct() });
    assert_eq!(w.replies.last(), Some(&Reply::Done { changed: 3 }));
    assert_eq!(w.results(), [DeliveryResult::Superseded; 3]);
    // A refusal moves nothing on: the words are withdrawn, and the person never had them.
    w.reject(&second, Reason::TcpRefused);
    assert_eq!(w.results().last(), Some(&DeliveryResult::Superseded));
    w.pass(Span::from_mins(5));
    assert!(w.orders.is_empty(), "{:?}", w.orders);

    // Whoever gave up between the two acts asks again.
    w.input(Input::Command { ticket: Ticket(9), who: "sara".into(), command: correct() });
    assert_eq!(w.replies.last(), Some(&Reply::Done { changed: 0 }));
    w.hand_over(Severity::Severe, vec![person("ar")], None, Some(message));
    let Some(Reply::Accepted { message: by, .. }) = w.replies.last().cloned() else { panic!() };
    w.hand_over(Severity::Severe, vec![person("ar")], None, Some(message));
    assert_eq!(w.replies.last(), Some(&Reply::Corrected { by }));
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
