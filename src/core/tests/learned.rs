//! Learned waits: as long as receipts take, the road that reaches most a second, nobody left to a road that cannot tell.

use super::{World, gateway, policy, step};
use crate::core::channel::{Channel, GatewayId};
use crate::core::gateway::{GatewayConfig, Rate, Receipts};
use crate::core::message::{Recipient, Severity};
use crate::core::outcome::{DeliveryResult, Reason, ReceiptKind};
use crate::core::policy::{Policy, SendMode, Step};
use crate::core::record::Repeat;
use crate::core::time::Span;
use std::sync::Arc;

const CHANNELS: [Channel; 3] = [Channel::Whatsapp, Channel::Telegram, Channel::Sms];

/// Two messengers, of which one gives no receipts, then SMS; waits are learned, and 24 s at most.
fn rules() -> Arc<Policy> {
    let learned = |channels: &[Channel]| Step { learned: true, ..step(channels, SendMode::Best, 24) };
    policy(vec![learned(&[Channel::Whatsapp, Channel::Telegram]), learned(&[Channel::Sms])], |rule| {
        rule.deadline = Some(Span::from_mins(2))
    })
}

fn fleet() -> Vec<GatewayConfig> {
    let mute = GatewayConfig { receipts: Receipts::None, ..gateway("tg", Channel::Telegram) };
    vec![gateway("wa", Channel::Whatsapp), mute, gateway("sms", Channel::Sms)]
}

fn somebody() -> Vec<Recipient> {
    let addresses = CHANNELS.map(|channel| (channel, "+970599000001".to_owned())).into();
    vec![Recipient { addresses, ..Recipient::default() }]
}

/// Lets WhatsApp take messages whose receipts come after two seconds.
fn teach(w: &mut World, messages: usize) {
    for _ in 0..messages {
        w.accept_for(Severity::Severe, somebody(), None);
        let order = w.only_order();
        assert_eq!(order.channel, Channel::Whatsapp);
        w.take(&order);
        w.pass(Span::from_secs(2));
        w.receipt(&order, ReceiptKind::Delivered);
        w.pass(Span::from_secs(1));
    }
}

#[test]
fn a_learned_wait_is_as_long_as_receipts_take() {
    let mut w = World::new(fleet(), rules());
    teach(&mut w, 300);
    w.accept_for(Severity::Extreme, somebody(), None);
    let first = w.only_order();
    w.take(&first);
    w.pass(Span::from_ms(1_900));
    assert!(w.orders.is_empty(), "most receipts take longer");
    w.pass(Span::from_secs(4));
    let second = w.only_order();
    assert_eq!((second.channel, second.repeat), (Channel::Sms, Repeat::AfterWait));
}

#[test]
fn what_was_never_seen_is_waited_for_no_longer_than_the_rule_says() {
    let mut w = World::new(fleet(), rules());
    w.accept_for(Severity::Extreme, somebody(), None);
    let first = w.only_order();
    w.take(&first);
    w.pass(Span::from_secs(25));
    assert_eq!(w.only_order().channel, Channel::Sms);
}

#[test]
fn a_road_that_cannot_tell_comes_after_those_that_can_and_does_not_end_the_search() {
    let mut w = World::new(fleet(), rules());
    w.accept_for(Severity::Severe, somebody(), None);
    let first = w.only_order();
    w.reject(&first, Reason::NotOnChannel);
    let second = w.only_order();
    assert_eq!(second.channel, Channel::Sms, "though Telegram stands before it");
    w.take(&second);
    w.pass(Span::from_secs(25));
    let third = w.only_order();
    assert_eq!(third.channel, Channel::Telegram, "silence on the last step is not the end");
    w.take(&third);
    w.pass(Span::from_secs(23));
    assert!(w.results().is_empty());
    w.pass(Span::from_secs(2));
    assert_eq!(w.results(), [DeliveryResult::HandedOver], "it counts after the step's longest wait");
}

#[test]
fn who_refused_is_asked_again_though_another_keeps_silent() {
    let mut w = World::new(fleet(), rules());
    w.accept_for(Severity::Extreme, somebody(), None);
    let first = w.only_order();
    w.take(&first);
    w.pass(Span::from_secs(25));
    let second = w.only_order();
    w.reject(&second, Reason::ProviderFault);
    let third = w.only_order();
    assert_eq!(third.channel, Channel::Telegram);
    w.take(&third);
    w.pass(Span::from_secs(10));
    let again = w.only_order();
    assert_eq!(again.channel, Channel::Sms, "it certainly has nothing: neither of the others is asked twice");
}

#[test]
fn a_crowd_goes_by_every_road_with_room() {
    let mut fleet = fleet();
    let slow = Some(Rate { per_sec: 1.0, burst: 1.0 });
    fleet[0].rate = slow;
    fleet[2].rate = slow;
    let mut w = World::new(fleet, rules());
    w.accept_for(Severity::Extreme, vec![somebody().remove(0); 50], None);
    let by = |w: &World, channel| w.orders.iter().filter(|order| order.channel == channel).count();
    assert_eq!(
        (by(&w, Channel::Whatsapp), by(&w, Channel::Telegram)),
        (1, 0),
        "each waits for the best at first"
    );
    w.pass(Span::from_secs(4));
    assert!(by(&w, Channel::Sms) >= 1, "then the next step takes what the first has no room for");
    assert!(by(&w, Channel::Telegram) >= 40, "and what cannot tell, the rest: {}", by(&w, Channel::Telegram));
}

#[test]
fn who_has_no_account_is_learned_and_the_better_road_goes_first() {
    let mut fleet = fleet();
    fleet.insert(1, gateway("signal", Channel::Signal));
    let signal = GatewayId(1);
    let learned = Step { learned: true, ..step(&[Channel::Signal, Channel::Whatsapp], SendMode::Best, 24) };
    let mut w = World::new(fleet, policy(vec![learned], |_| {}));
    let mut people = somebody();
    people[0].addresses.insert(Channel::Signal, "+970599000001".into());
    let mut asked_signal_first = Vec::new();
    for _ in 0..40 {
        w.accept_for(Severity::Severe, people.clone(), None);
        let first = w.only_order();
        asked_signal_first.push(first.gateway == signal);
        let taken = if first.gateway == signal {
            w.reject(&first, Reason::NotOnChannel);
            w.only_order()
        } else {
            first
        };
        w.take(&taken);
        w.pass(Span::from_secs(1));
        w.receipt(&taken, ReceiptKind::Delivered);
    }
    assert!(!asked_signal_first[39], "few have Signal here: {asked_signal_first:?}");
}
