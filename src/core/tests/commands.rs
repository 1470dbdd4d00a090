//! What an operator orders: to cancel, to hold, to plan work.

use super::{World, gateway, person, policy, step, two_steps};
use crate::core::channel::{Channel, GatewayId};
use crate::core::effect::{Event, OverlayAct, Reply};
use crate::core::gateway::Rate;
use crate::core::input::{Command, Input, Ticket};
use crate::core::message::{SERVICE, Severity};
use crate::core::outcome::{DeliveryResult, Reason, ReceiptKind};
use crate::core::policy::SendMode;
use crate::core::record::{Loaded, Overlay, OverlayKind, Record};
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

const WA: GatewayId = GatewayId(0);

impl World {
    fn command(&mut self, command: Command) -> Reply {
        self.input(Input::Command { ticket: Ticket(7), who: "ali".into(), command });
        self.replies.pop().expect("a reply")
    }
}

#[test]
fn a_release_of_what_is_not_held_does_nothing_and_says_so() {
    let mut w = World::pair(two_steps());
    let hold = |gateway| Command::Hold { gateway, reason: "billing".into() };
    let release = |gateway| Command::Release { gateway, reason: "over".into() };
    let nothing = |w: &mut World, gateway| {
        let before = (w.records.len(), w.events.len());
        assert_eq!(w.command(release(gateway)), Reply::Done { changed: 0 }, "{gateway:?}");
        assert_eq!((w.records.len(), w.events.len()), before, "no audit row, no event");
    };
    nothing(&mut w, None);
    nothing(&mut w, Some(WA));
    w.command(hold(None));
    nothing(&mut w, Some(WA));
    assert!(w.core.view(w.now).held_all.is_some(), "the hold on everything is another");
    assert_eq!(w.command(release(None)), Reply::Done { changed: 2 });
    w.command(hold(Some(WA)));
    nothing(&mut w, None);
    assert!(w.core.view(w.now).gateways[0].overlay.is_some());
    assert_eq!(w.command(release(Some(WA))), Reply::Done { changed: 1 });
    nothing(&mut w, Some(WA));
}

#[test]
fn planned_work_ends_by_itself() {
    let mut w = World::pair(two_steps());
    let until = w.now + Span::from_mins(1);
    w.command(Command::Maintenance { gateway: WA, until, reason: "upgrade".into() });
    w.pass(Span::from_secs(59));
    assert!(w.core.view(w.now).gateways[0].overlay.is_some());
    assert!(
        w.core.view(until).gateways[0].overlay.is_none(),
        "what is over is not shown, whenever it is lifted"
    );
    // Nothing arrives: its time alone ends it.
    w.pass(Span::from_secs(1));
    assert_eq!(w.records.last(), Some(&Record::Overlay { gateway: Some("wa".into()), overlay: None }));
    let event = Event::Overlay { gateway: Some(WA), act: OverlayAct::Release, who: SERVICE.into() };
    assert_eq!(w.events.last(), Some(&event));
    let written = w.records.len();
    w.pass(Span::from_mins(1));
    assert_eq!(w.records.len(), written, "once");
    w.accept(Severity::Severe, 1);
    assert_eq!(w.only_order().gateway, WA);
}

#[test]
fn planned_work_that_was_over_before_a_start_is_lifted_by_it() {
    let mut w = World::pair(two_steps());
    let over = |kind| Overlay { kind, who: "ali".into(), reason: "upgrade".into(), since: w.now };
    let until = w.now + Span::from_mins(1);
    let overlays = vec![
        (Some("wa".to_owned()), over(OverlayKind::Maintenance { until })),
        (Some("sms".to_owned()), over(OverlayKind::Held)),
    ];
    w.now = until + Span::from_mins(1);
    w.core.load(Loaded { overlays, ..Loaded::default() }, w.now);
    let shown =
        |w: &World| w.core.view(w.now).gateways.iter().map(|g| g.overlay.is_some()).collect::<Vec<_>>();
    assert_eq!(shown(&w), [false, true], "not shown even before the first turn");
    w.turn();
    assert_eq!(w.records, [Record::Overlay { gateway: Some("wa".into()), overlay: None }]);
    let event = Event::Overlay { gateway: Some(WA), act: OverlayAct::Release, who: SERVICE.into() };
    assert_eq!(w.events.iter().filter(|told| **told == event).count(), 1);
    assert_eq!(shown(&w), [false, true]);
}

#[test]
fn what_is_held_is_held_still_when_it_was_out_of_the_file_for_a_start() {
    let mut w = World::new(vec![gateway("sms", Channel::Sms)], two_steps());
    let over = |kind| Overlay { kind, who: "ali".into(), reason: "billing".into(), since: w.now };
    let until = w.now + Span::from_mins(1);
    let overlays = vec![
        (Some("wa".to_owned()), over(OverlayKind::Held)),
        (Some("signal".to_owned()), over(OverlayKind::Maintenance { until })),
    ];
    w.core.load(Loaded { overlays, ..Loaded::default() }, w.now);
    w.pass(Span::from_mins(2));
    let both = [("sms", Channel::Sms), ("wa", Channel::Whatsapp), ("signal", Channel::Signal)];
    w.input(Input::Gateways(both.map(|(name, channel)| gateway(name, channel)).to_vec()));
    let overlay = |w: &World, place: usize| w.core.view(w.now).gateways[place].overlay.clone();
    assert_eq!(
        overlay(&w, 1).map(|overlay| (overlay.kind, overlay.who)),
        Some((OverlayKind::Held, "ali".into()))
    );
    assert_eq!(overlay(&w, 2), None, "planned work that was over meanwhile is over");
    assert!(w.records.contains(&Record::Overlay { gateway: Some("signal".into()), overlay: None }));
    w.accept(Severity::Severe, 1);
    assert_eq!(w.only_order().channel, Channel::Sms, "WhatsApp is the first step, and held");
}
