//! What providers say of themselves, in the whole core: it orders what is equally good, and nothing more.

use super::{World, gateway, policy, step, two_steps};
use crate::core::channel::{Channel, GatewayId};
use crate::core::evidence::{Layer, ProbeReport, Verdict};
use crate::core::gateway::GatewayConfig;
use crate::core::hearsay::{Told, Word};
use crate::core::input::Input;
use crate::core::message::Severity;
use crate::core::outcome::Reason;
use crate::core::policy::SendMode;
use crate::core::time::Span;
use crate::core::view::State;

fn says(w: &mut World, gateway: u8, word: Word) {
    w.input(Input::Probe(ProbeReport {
        gateway: GatewayId(gateway),
        probe: "status-page".into(),
        aims_at: Layer::Http,
        reached: Some(Layer::Http),
        verdict: Verdict::Says(Told::new(word, "Delays")),
        phases: vec![],
        took: Span::from_ms(10),
        interval: Span::from_mins(2),
    }));
}

/// Two gateways of a channel, the one that is usually taken with the lower price.
fn two_of_sms() -> World {
    let dear = GatewayConfig { cost: 0.05, ..gateway("dear", Channel::Sms) };
    let mut w = World::new(
        vec![gateway("cheap", Channel::Sms), dear],
        policy(vec![step(&[Channel::Sms], SendMode::Best, 20)], |_| {}),
    );
    [0, 1].into_iter().for_each(|gateway| w.probe(gateway, Verdict::Fine));
    w
}

#[test]
fn the_worst_word_for_a_day_opens_no_outage_and_keeps_nothing_from_its_gateway() {
    let mut w = World::pair(two_steps());
    for _ in 0..720 {
        [0, 1].into_iter().for_each(|gateway| {
            w.probe(gateway, Verdict::Fine);
            says(&mut w, gateway, Word::Major);
        });
        w.pass(Span::from_mins(2));
    }
    let view = w.core.view(w.now);
    assert_eq!((view.outages.len(), w.state(0), w.state(1)), (0, State::Unknown, State::Unknown));
    [0, 1].into_iter().for_each(|gateway| w.probe(gateway, Verdict::Fine));
    // Both are said to be down: the first step is the first all the same.
    w.accept(Severity::Extreme, 1);
    assert_eq!((w.only_order().channel, w.state(0)), (Channel::Whatsapp, State::Up));
}

#[test]
fn of_two_that_are_equally_good_the_one_without_a_bad_word_is_taken_while_the_word_is_fresh() {
    let mut w = two_of_sms();
    let taken = |w: &mut World| {
        w.orders.clear();
        w.accept(Severity::Severe, 1);
        w.only_order().gateway
    };
    assert_eq!(taken(&mut w), GatewayId(0));
    says(&mut w, 0, Word::Maintenance);
    assert_eq!(taken(&mut w), GatewayId(0));
    says(&mut w, 0, Word::Major);
    assert_eq!((taken(&mut w), w.state(0)), (GatewayId(1), State::Up));
    w.probe(1, Verdict::Failed(Reason::TcpTimeout));
    assert_eq!(taken(&mut w), GatewayId(0), "what we see ourselves counts for more");
    let mut w = two_of_sms();
    says(&mut w, 0, Word::Major);
    w.pass(Span::from_mins(7));
    [0, 1].into_iter().for_each(|gateway| w.probe(gateway, Verdict::Fine));
    assert_eq!(taken(&mut w), GatewayId(0), "the word is too old");
}
