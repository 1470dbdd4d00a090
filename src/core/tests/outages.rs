//! What is known of a gateway is known to every message: outages are declared, ended, and blamed on the right one.

use super::{START, World, gateway, policy, step, two_steps};
use crate::core::channel::{Channel, GatewayId};
use crate::core::effect::Event;
use crate::core::evidence::Verdict;
use crate::core::ids::OutageId;
use crate::core::input::{Command, Input, Ticket};
use crate::core::message::Severity;
use crate::core::outcome::Reason;
use crate::core::policy::SendMode;
use crate::core::record::{Loaded, Outage, OutageOf, Record};
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

/// Sends to so many people, and nothing that is tried for them works: at least so many attempts fail on each gateway.
/// Returns how many failed in all.
fn fail(w: &mut World, people: usize) -> u32 {
    let message = w.accept(Severity::Severe, people);
    let mut failed = 0;
    while !w.orders.is_empty() {
        let order = w.orders.remove(0);
        w.reject(&order, Reason::TcpTimeout);
        failed += 1;
    }
    let cancel = Command::Cancel { message, reason: "enough".into() };
    w.input(Input::Command { ticket: Ticket(3), who: "noc".into(), command: cancel });
    failed
}

/// Lets every probe of these gateways say so, for a while.
fn probe_all(w: &mut World, gateways: &[u8], verdict: &Verdict, controls_failed: u8) {
    for _ in 0..20 {
        gateways.iter().for_each(|gateway| w.probe(*gateway, verdict.clone()));
        w.round(controls_failed);
        w.pass(Span::from_secs(2));
    }
}

fn costs(w: &World) -> Vec<(OutageOf, bool, u32)> {
    let outages = w.core.view(w.now).outages;
    outages.into_iter().map(|o| (o.of, o.recovered.is_some(), o.attempts_failed)).collect()
}

fn written(w: &World) -> Vec<Outage> {
    let of = |record: &Record| match record {
        Record::Outage(outage) => Some(outage.clone()),
        _ => None,
    };
    w.records.iter().filter_map(of).collect()
}

#[test]
fn an_outage_tells_what_it_costs_while_it_goes_on_and_when_it_is_over() {
    let steps = vec![step(&[Channel::Sms], SendMode::Best, 20)];
    let two = vec![gateway("sms-a", Channel::Sms), gateway("sms-b", Channel::Sms)];
    let mut w = World::new(two, policy(steps, |_| {}));
    let (dead, fine) = (Verdict::Failed(Reason::TcpTimeout), Verdict::Fine);
    let of = |name: &str| OutageOf::Gateway(name.into());
    let channel = OutageOf::Channel(Channel::Sms);
    assert_eq!(fail(&mut w, 3), 6, "three on each");
    probe_all(&mut w, &[0, 1], &dead, 0);
    assert_eq!(costs(&w), [(of("sms-a"), false, 3), (of("sms-b"), false, 3), (channel.clone(), false, 6)]);
    // Nothing better is left: both are tried, now and then.
    let more = fail(&mut w, 2);
    assert!(more > 0);
    let now = costs(&w);
    assert_eq!(now[2], (channel, false, 6 + more));
    assert_eq!(now[0].2 + now[1].2, 6 + more);
    // On disk, a minute later.
    w.pass(Span::from_mins(1));
    let kept = written(&w);
    assert!(kept.iter().any(|o| (o.id, o.recovered, o.attempts_failed) == (OutageId(3), None, 6 + more)));
    probe_all(&mut w, &[0, 1], &fine, 0);
    let over: Vec<_> = costs(&w).into_iter().map(|(_, over, cost)| (over, cost)).collect();
    assert!(over.iter().all(|(over, _)| *over), "{over:?}");
    let mut counts: Vec<u32> = over.iter().map(|(_, cost)| *cost).collect();
    counts.sort();
    assert_eq!(counts[2], 6 + more);
    assert_eq!(counts[0] + counts[1], 6 + more);
    let last: Vec<u32> =
        written(&w).iter().filter(|o| o.recovered.is_some()).map(|o| o.attempts_failed).collect();
    assert_eq!(last.iter().sum::<u32>(), 2 * (6 + more), "and so it is written");
}

#[test]
fn what_fails_for_our_own_line_is_the_lines_cost() {
    let mut w = World::pair(two_steps());
    let lost = fail(&mut w, 2);
    let dead = Verdict::Failed(Reason::TcpTimeout);
    probe_all(&mut w, &[0, 1], &dead, 3);
    let line = OutageOf::Uplink("fibre".into());
    assert_eq!(costs(&w), [(line.clone(), false, lost)]);
    let more = fail(&mut w, 1);
    assert!(more > 0);
    assert_eq!(costs(&w), [(line.clone(), false, lost + more)]);
    probe_all(&mut w, &[0, 1], &Verdict::Fine, 0);
    assert_eq!(costs(&w), [(line, true, lost + more)]);
}

#[test]
fn what_an_outage_has_cost_is_taken_up_again_by_a_start() {
    let mut w = World::pair(two_steps());
    let outage = Outage {
        id: OutageId(4),
        of: OutageOf::Gateway("wa".into()),
        channel: Channel::Whatsapp,
        onset: w.now,
        detected: w.now,
        recovered: None,
        cause: Reason::Timeout,
        layer: None,
        attempts_failed: 31,
        open: false,
        signs: vec![],
    };
    w.core.load(Loaded { outages: vec![outage], last_outage: 4, ..Loaded::default() }, w.now);
    w.accept(Severity::Severe, 1);
    let order = w.only_order();
    w.reject(&order, Reason::TcpRefused);
    assert_eq!(costs(&w), [(OutageOf::Gateway("wa".into()), false, 32)]);
}

#[test]
fn old_trouble_is_not_the_cost_of_a_new_outage() {
    let mut w = World::pair(two_steps());
    fail(&mut w, 4);
    // It was in doubt for a while, and well again long before the outage.
    probe_all(&mut w, &[0, 1], &Verdict::Fine, 0);
    probe_all(&mut w, &[0], &Verdict::Failed(Reason::TcpTimeout), 0);
    assert_eq!(costs(&w), [(OutageOf::Gateway("wa".into()), false, 0)]);
}

#[test]
fn a_channel_is_no_better_known_than_its_gateways() {
    let mut w = World::pair(two_steps());
    let dead = Verdict::Failed(Reason::TcpTimeout);
    let states = |w: &World| {
        let view = w.core.view(w.now);
        let channels: Vec<State> = view.channels.iter().map(|c| c.state).collect();
        (view.gateways.iter().map(|g| g.state).collect::<Vec<_>>(), channels)
    };
    probe_all(&mut w, &[1], &Verdict::Fine, 0);
    probe_all(&mut w, &[0], &dead, 0);
    assert_eq!(w.state(0), State::Down);
    probe_all(&mut w, &[0, 1], &dead, 3);
    let unknown = vec![State::Unknown; 2];
    assert_eq!(
        states(&w),
        (unknown.clone(), unknown),
        "our own line is cut: nothing is known of what needs it"
    );
}
