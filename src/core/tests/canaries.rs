//! Canaries: what they see that nothing else does, what they cost, and what they must not be blamed for.

use super::{START, World, gateway};
use crate::core::channel::Channel;
use crate::core::effect::{Event, Order};
use crate::core::evidence::CanaryResult;
use crate::core::gateway::{Canary, GatewayConfig};
use crate::core::outcome::{Reason, ReceiptKind};
use crate::core::policy::Policy;
use crate::core::record::OutageOf;
use crate::core::time::{Span, Timestamp};
use crate::core::view::State;
use std::sync::Arc;

const LAG: Span = Span::from_secs(3);

fn canary(per_day: u32) -> Canary {
    let (every, in_doubt) = (Span::from_secs(60), Span::from_secs(10));
    Canary { region: "gaza".into(), every, in_doubt, per_day }
}

/// A world whose canaries are taken, and what is still to be delivered of them.
struct Road {
    w: World,
    out: Vec<(Timestamp, Order)>,
}

impl Road {
    fn new(per_day: u32) -> Road {
        let config = GatewayConfig { canaries: vec![canary(per_day)], ..gateway("wa", Channel::Whatsapp) };
        let gateways = vec![config, gateway("sms", Channel::Sms)];
        Road { w: World::new(gateways, Arc::new(Policy::built_in())), out: vec![] }
    }

    /// Takes every canary for so long; where the road works, each has its receipt after three seconds. Returns how many went.
    fn live(&mut self, span: Span, works: bool) -> usize {
        let (end, mut went) = (self.w.now + span, 0);
        while self.w.now < end {
            self.w.pass(Span::from_secs(1));
            let now = self.w.now;
            for order in std::mem::take(&mut self.w.canaries) {
                self.w.take(&order);
                went += 1;
                if works {
                    self.out.push((now + LAG, order));
                }
            }
            for (_, order) in self.out.extract_if(.., |(due, _)| *due <= now).collect::<Vec<_>>() {
                self.w.receipt(&order, ReceiptKind::Delivered);
            }
        }
        went
    }
}

fn declared(w: &World) -> Option<Timestamp> {
    let outages = w.core.view(w.now).outages;
    let of = OutageOf::Slice { gateway: "wa".into(), region: "gaza".into() };
    outages.iter().find(|outage| outage.of == of && outage.recovered.is_none()).map(|outage| outage.detected)
}

#[test]
fn one_goes_each_minute_while_all_is_well() {
    let mut road = Road::new(2_880);
    let went = road.live(Span::from_hours(1), true);
    assert!((59..=61).contains(&went), "{}", went);
    assert_eq!((road.w.state(0), declared(&road.w)), (State::Up, None));
    let arrived = |event: &&Event| matches!(event, Event::Canary { result: CanaryResult::Delivered, .. });
    assert!(road.w.events.iter().filter(arrived).count() >= went - 1);
}

#[test]
fn a_road_that_swallows_is_found_without_a_message_of_anybody() {
    let mut road = Road::new(2_880);
    road.live(Span::from_mins(10), true);
    let onset = road.w.now;
    let mut doubt = None;
    while declared(&road.w).is_none() && road.w.now < onset + Span::from_mins(15) {
        road.live(Span::from_secs(1), false);
        if road.w.state(0) == State::Degraded {
            doubt.get_or_insert(road.w.now);
        }
    }
    let doubt = doubt.expect("it is in doubt first").since(onset);
    assert!(doubt <= Span::from_secs(150), "in doubt after {doubt}");
    let down = declared(&road.w).expect("it is declared").since(onset);
    assert!(down <= Span::from_secs(270), "declared after {down}");

    let back = road.w.now;
    while declared(&road.w).is_some() && road.w.now < back + Span::from_mins(15) {
        road.live(Span::from_secs(5), true);
    }
    let took = road.w.now.since(back);
    assert!(took <= Span::from_secs(60), "back after {took}");
}

#[test]
fn no_more_go_than_a_day_allows() {
    let mut road = Road::new(100);
    let went = road.live(Span::from_hours(24), false);
    assert!((90..=105).contains(&went), "{}", went);
}

#[test]
fn an_account_that_is_gone_is_told_and_accuses_nobody() {
    let mut road = Road::new(2_880);
    let end = START + Span::from_hours(1);
    while road.w.now < end {
        road.w.pass(Span::from_secs(5));
        for order in std::mem::take(&mut road.w.canaries) {
            road.w.reject(&order, Reason::NotOnChannel);
        }
    }
    assert_eq!(declared(&road.w), None);
    assert_ne!(road.w.state(0), State::Down);
    let view = road.w.core.view(road.w.now);
    let last = view.gateways[0].canaries[0].last.expect("one ended");
    assert_eq!(last.1, CanaryResult::Refused(Reason::NotOnChannel));
}

#[test]
fn what_is_lost_with_our_own_line_accuses_nobody() {
    let mut road = Road::new(2_880);
    road.live(Span::from_mins(5), true);
    for _ in 0..60 {
        road.w.round(3);
        for gateway in [0, 1] {
            road.w.probe(gateway, crate::core::evidence::Verdict::Failed(Reason::TcpTimeout));
        }
        road.live(Span::from_secs(5), false);
    }
    assert_eq!(declared(&road.w), None);
    let missed = |event: &&Event| matches!(event, Event::Canary { result: CanaryResult::Missed, .. });
    assert_eq!(road.w.events.iter().filter(missed).count(), 0);
}
