//! Game days: a gateway that is made to look down, to exercises alone or to everybody.

use super::{World, gateway, person, policy, step, two_steps};
use crate::core::channel::{Channel, GatewayId};
use crate::core::effect::{Event, OverlayAct, Reply};
use crate::core::input::{Accept, Command, Input, Ticket};
use crate::core::message::{SERVICE, Severity, Status};
use crate::core::outcome::{DeliveryResult, Reason, ReceiptKind};
use crate::core::policy::SendMode;
use crate::core::record::{Record, Standing};
use crate::core::time::Span;
use crate::core::{EXERCISES_MAX, OUTBOX_MAX};

const WA: GatewayId = GatewayId(0);
const LASTS: Span = Span::from_mins(10);

impl World {
    fn drill(&mut self, gateway: GatewayId, everybody: bool) -> Reply {
        let until = self.now + LASTS;
        let command = Command::Drill { gateway, until, everybody, reason: "game day".into() };
        self.input(Input::Command { ticket: Ticket(7), who: "ali".into(), command });
        self.replies.pop().expect("a reply")
    }

    fn exercise(&mut self, severity: Severity, people: usize) {
        let message = World::message(severity, vec![person("ar"); people], None, None);
        let accept = Accept { status: Status::Exercise, ..message };
        self.input(Input::Accept(Box::new(accept)));
    }

    fn channels(&mut self) -> Vec<Channel> {
        std::mem::take(&mut self.orders).iter().map(|order| order.channel).collect()
    }
}

#[test]
fn exercises_alone_avoid_what_looks_down_to_them() {
    let mut w = World::pair(two_steps());
    assert_eq!(w.drill(WA, false), Reply::Done { changed: 1 });
    w.exercise(Severity::Extreme, 2);
    assert_eq!(w.channels(), [Channel::Sms; 2]);
    let Some(Record::Plan(plan)) = w.records.iter().rev().find(|r| matches!(r, Record::Plan(_))) else {
        panic!()
    };
    let standing = plan.ranking.iter().find(|ranked| ranked.gateway == "wa").map(|ranked| ranked.standing);
    assert_eq!(standing, Some(Standing::Drill), "the record says why");
    w.accept(Severity::Extreme, 2);
    assert_eq!(w.channels(), [Channel::Whatsapp; 2]);
}

#[test]
fn a_drill_ends_by_itself() {
    let mut w = World::pair(two_steps());
    w.drill(WA, false);
    w.pass(LASTS);
    let event = Event::Overlay { gateway: Some(WA), act: OverlayAct::Release, who: SERVICE.into() };
    assert!(w.events.contains(&event));
    w.exercise(Severity::Extreme, 1);
    assert_eq!(w.channels(), [Channel::Whatsapp]);
}

#[test]
fn an_exercise_that_waits_moves_on_when_a_drill_begins_and_returns_when_it_ends() {
    let mut wa = gateway("wa", Channel::Whatsapp);
    wa.window = 1;
    let mut sms = gateway("sms", Channel::Sms);
    sms.window = 1;
    let mut w = World::new(vec![wa, sms], two_steps());
    w.exercise(Severity::Severe, 3);
    let first = w.only_order();
    assert_eq!(first.channel, Channel::Whatsapp, "the others wait for its window");
    w.drill(WA, false);
    assert_eq!(w.channels(), [Channel::Sms], "and one of them moves on at once");
    let end = Command::EndDrill { gateway: WA, reason: "over".into() };
    w.input(Input::Command { ticket: Ticket(7), who: "ali".into(), command: end });
    w.take(&first);
    assert_eq!(w.channels(), [Channel::Whatsapp], "and the last one is back");
}

#[test]
fn for_everybody_it_is_avoided_but_never_the_last_road() {
    let mut w = World::pair(two_steps());
    assert_eq!(w.drill(WA, true), Reply::Done { changed: 1 });
    w.accept(Severity::Extreme, 1);
    let order = w.only_order();
    assert_eq!(order.channel, Channel::Sms);
    // The other road fails this person: what only looks down is there all the same.
    w.reject(&order, Reason::NotOnChannel);
    assert_eq!(w.only_order().channel, Channel::Whatsapp);
    assert!(matches!(w.drill(GatewayId(1), true), Reply::Refused(_)), "no other is good");
    assert_eq!(w.drill(GatewayId(1), false), Reply::Done { changed: 1 }, "exercises may do without any");
}

#[test]
fn what_is_out_of_use_needs_no_drill_and_a_hold_ends_one() {
    let mut w = World::pair(two_steps());
    let hold = |w: &mut World| {
        let command = Command::Hold { gateway: Some(WA), reason: "billing".into() };
        w.input(Input::Command { ticket: Ticket(7), who: "ali".into(), command });
    };
    hold(&mut w);
    assert!(matches!(w.drill(WA, false), Reply::Refused(_)));
    let release = Command::Release { gateway: Some(WA), reason: "paid".into() };
    w.input(Input::Command { ticket: Ticket(7), who: "ali".into(), command: release });
    w.drill(WA, false);
    hold(&mut w);
    w.pass(LASTS);
    w.accept(Severity::Severe, 1);
    assert_eq!(w.only_order().channel, Channel::Sms, "the hold stays when the drill would have ended");
}

#[test]
fn its_figures_are_kept_apart_and_it_comes_after_what_is_meant() {
    let mut wa = gateway("wa", Channel::Whatsapp);
    wa.window = 1;
    let mut w = World::new(vec![wa], two_steps());
    w.exercise(Severity::Extreme, 2);
    w.accept(Severity::Minor, 1);
    let view = w.core.view(w.now);
    assert_eq!((view.deliveries.open(), view.drill_deliveries.open()), (1, 2));
    assert_eq!(view.unsettled(), 3, "what may still grow on disk is all of them");
    let age = |severity: Severity| view.oldest[severity as usize];
    assert_eq!((age(Severity::Extreme), age(Severity::Minor).is_some()), (None, true));
    let first = w.orders.remove(0);
    w.take(&first);
    w.receipt(&first, ReceiptKind::Delivered);
    let second = w.orders.remove(0);
    assert_eq!(second.severity, Severity::Minor, "a real word goes before an exercise of any severity");
    w.take(&second);
    w.receipt(&second, ReceiptKind::Delivered);
    let view = w.core.view(w.now);
    let delivered = DeliveryResult::Delivered as usize;
    assert_eq!((view.deliveries.settled[delivered], view.drill_deliveries.settled[delivered]), (1, 1));
    let told: Vec<bool> = w
        .events
        .iter()
        .filter_map(|e| if let Event::Settled { drill, .. } = e { Some(*drill) } else { None })
        .collect();
    assert_eq!(told, [true, false]);
}

/// Both channels at once, and a drill to everybody on the first.
fn at_once() -> World {
    let steps = vec![step(&[Channel::Whatsapp, Channel::Sms], SendMode::All, 60)];
    let mut w = World::pair(policy(steps, |_| {}));
    assert_eq!(w.drill(WA, true), Reply::Done { changed: 1 });
    w
}

#[test]
fn what_cannot_be_used_keeps_no_real_message_from_what_only_looks_down() {
    let hold = |w: &mut World| {
        let command = Command::Hold { gateway: Some(GatewayId(1)), reason: "billing".into() };
        w.input(Input::Command { ticket: Ticket(7), who: "ali".into(), command });
    };
    let mut w = at_once();
    w.accept(Severity::Extreme, 1);
    assert_eq!(w.channels(), [Channel::Sms], "while another is good, it is left aside");
    let mut w = at_once();
    hold(&mut w);
    w.accept(Severity::Extreme, 1);
    assert_eq!(w.channels(), [Channel::Whatsapp], "what is held is no other road");
    let mut sms = gateway("sms", Channel::Sms);
    sms.window = 1;
    let steps = vec![step(&[Channel::Whatsapp, Channel::Sms], SendMode::All, 60)];
    let mut w = World::new(vec![gateway("wa", Channel::Whatsapp), sms], policy(steps, |_| {}));
    w.drill(WA, true);
    w.accept(Severity::Extreme, 2);
    assert_eq!(w.channels(), [Channel::Sms], "the second waits for the window");
    hold(&mut w);
    assert_eq!(w.channels(), [Channel::Whatsapp], "until the other road is closed under it");
}

#[test]
fn what_only_looks_down_is_a_way_still() {
    let mut w = World::pair(two_steps());
    let usable = |w: &World| w.core.view(w.now).channels.iter().map(|c| c.usable).collect::<Vec<_>>();
    for everybody in [false, true] {
        w.drill(WA, everybody);
        assert_eq!(usable(&w), [1, 1], "everybody: {everybody}");
    }
}

#[test]
fn exercises_leave_half_of_the_outbox_to_what_is_meant() {
    let mut w = World::pair(two_steps());
    w.core.counts.drill.waiting = EXERCISES_MAX - 1;
    w.exercise(Severity::Extreme, 1);
    w.exercise(Severity::Extreme, 1);
    w.input(Input::Accept(Box::new(World::message(Severity::Minor, vec![person("ar")], None, None))));
    let taken: Vec<bool> = w.replies.iter().map(|reply| matches!(reply, Reply::Accepted { .. })).collect();
    assert_eq!(taken, [true, false, true]);
    assert!(matches!(w.replies[1], Reply::OutboxFull { .. }));
    w.core.counts.actual.waiting += OUTBOX_MAX;
    w.replies.clear();
    w.input(Input::Accept(Box::new(World::message(Severity::Minor, vec![person("ar")], None, None))));
    assert!(matches!(w.replies[..], [Reply::OutboxFull { .. }]));
}
