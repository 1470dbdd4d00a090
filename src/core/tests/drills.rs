//! Game days: a gateway that is made to look down, to exercises alone or to everybody.

use super::{World, gateway, person, two_steps};
use crate::core::channel::{Channel, GatewayId};
use crate::core::effect::{Event, OverlayAct, Reply};
use crate::core::input::{Accept, Command, Input, Ticket};
use crate::core::message::{SERVICE, Severity, Status};
use crate::core::outcome::{DeliveryResult, Reason, ReceiptKind};
use crate::core::record::{Record, Standing};
use crate::core::time::Span;

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
