//! What is known of a gateway is known to every message: outages are declared, ended, and blamed on the right one.

use super::{START, World, gateway, two_steps};
use crate::core::channel::{Channel, GatewayId};
use crate::core::effect::Event;
use crate::core::evidence::Verdict;
use crate::core::message::Severity;
use crate::core::outcome::Reason;
use crate::core::record::OutageOf;
use crate::core::time::Span;
use crate::core::view::State;

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
    let blamed = view.outages.iter().any(|o| !matches!(o.of, OutageOf::Uplink(_)));
    assert!(!blamed, "{:?}", view.outages);
    w.accept(Severity::Extreme, 1);
    assert_eq!(w.only_order().gateway, GatewayId(1));
}
