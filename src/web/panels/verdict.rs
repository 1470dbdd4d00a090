//! The sentence that sums it up: is anybody not being reached, what is broken since when, what carries.

use super::{Drawn, Level, Scene, Shown};
use crate::core::record::{Outage, OutageOf, Overlay};
use crate::core::time::Timestamp;
use crate::core::view::{ChannelView, State};
use crate::web::locale::{Arg, rich};
use maud::{Markup, html};

pub(super) fn draw(scene: &Scene<'_>) -> Drawn {
    let locale = scene.locale;
    let (mut level, mut sentences) = (Level::Calm, Vec::new());
    let mut say = |at_least: Level, sentence: String| {
        level = level.max(at_least);
        sentences.push(sentence);
    };
    if scene.view.held_all.is_some() {
        say(Level::Act, locale.word("verdict-held"));
    }
    let lines_down: Vec<_> =
        scene.view.uplinks.iter().filter(|line| !line.up).map(|line| line.name.clone()).collect();
    if !lines_down.is_empty() {
        let args = [("uplinks", Arg::text(locale.list(&lines_down)))];
        say(Level::Act, locale.say("verdict-uplink-down", &args));
    }
    let (late_level, deliveries) = deliveries(scene);
    say(late_level, deliveries);
    for channel in &scene.view.channels {
        if let Some((channel_level, sentence)) = trouble_of(scene, channel) {
            say(channel_level, sentence);
        }
    }
    let (last_level, last) = what_carries(scene);
    if let Some(last) = last {
        say(last_level, last);
    }
    let shape = match level {
        Level::Calm => Shown::State(State::Up),
        Level::Watch => Shown::State(State::Degraded),
        Level::Act => Shown::State(State::Down),
    };
    let body = html! {
        (shape.shape())
        p { @for sentence in &sentences { span { (rich(sentence)) } " " } }
        (uplinks(scene))
    };
    Drawn { label: locale.word("verdict-label"), level: Some(level), body }
}

fn deliveries(scene: &Scene<'_>) -> (Level, String) {
    let (locale, counts) = (scene.locale, &scene.view.deliveries);
    let open = counts.open();
    match (open, counts.late) {
        (0, _) => (Level::Calm, locale.word("verdict-quiet")),
        (_, 0) => (Level::Calm, locale.say("verdict-in-time", &[("n", Arg::Count(open))])),
        (_, late) => {
            (Level::Act, locale.say("verdict-late", &[("late", Arg::Count(late)), ("n", Arg::Count(open))]))
        }
    }
}

/// Says what is wrong with a channel, if anything is.
fn trouble_of(scene: &Scene<'_>, channel: &ChannelView) -> Option<(Level, String)> {
    let locale = scene.locale;
    let name = || ("channel", Arg::text(locale.channel(channel.channel)));
    match channel.state {
        State::Down => {
            let sentence = match outage_of(scene, channel) {
                Some(outage) => {
                    let since = Arg::text(scene.time_text(outage.onset));
                    let args = [name(), ("since", since), ("cause", Arg::text(locale.reason(outage.cause)))];
                    locale.say("verdict-channel-down", &args)
                }
                None => locale.say("verdict-channel-down-plain", &[name()]),
            };
            Some((Level::Watch, sentence))
        }
        State::Up | State::Recovering | State::Unknown
            if channel.usable == 0 && laid_over(scene, channel) =>
        {
            Some((Level::Watch, locale.say("verdict-channel-closed", &[name()])))
        }
        State::Up | State::Recovering | State::Degraded | State::Unknown => {
            let throttled = throttled_until(scene, channel).filter(|_| channel.usable == 0);
            let sentence = match throttled {
                Some(until) => {
                    let args = [name(), ("until", Arg::text(scene.time_text(until)))];
                    locale.say("verdict-channel-throttled", &args)
                }
                None if channel.state == State::Degraded => locale.say("verdict-channel-doubt", &[name()]),
                None => return None,
            };
            Some((Level::Watch, sentence))
        }
    }
}

/// Finds the outage that explains why a channel is down: its own, or that of its gateway that fell first.
fn outage_of<'a>(scene: &Scene<'a>, channel: &ChannelView) -> Option<&'a Outage> {
    let ours = |outage: &&Outage| {
        outage.recovered.is_none() && outage.channel == channel.channel && outage.is_of_channel()
    };
    let outages = scene.view.outages.iter().filter(ours);
    outages.min_by_key(|outage| (matches!(outage.of, OutageOf::Gateway(_)), outage.onset))
}

fn laid_over(scene: &Scene<'_>, channel: &ChannelView) -> bool {
    let mut gateways = scene.view.gateways.iter().filter(|g| g.configured && g.channel == channel.channel);
    scene.view.held_all.is_none()
        && gateways.all(|gateway| gateway.overlay.as_ref().is_some_and(|overlay| !overlay.is_drill()))
}

/// Returns when the first of a channel's gateways may be used again, where providers asked to be left alone.
fn throttled_until(scene: &Scene<'_>, channel: &ChannelView) -> Option<Timestamp> {
    let gateways = scene.view.gateways.iter().filter(|g| g.configured && g.channel == channel.channel);
    let in_use = gateways.filter(|g| g.overlay.as_ref().is_none_or(Overlay::is_drill));
    in_use.filter_map(|gateway| gateway.deferred_until).min().filter(|_| scene.view.held_all.is_none())
}

/// Says which channels can be relied on.
fn what_carries(scene: &Scene<'_>) -> (Level, Option<String>) {
    let (locale, channels) = (scene.locale, &scene.view.channels);
    if channels.is_empty() {
        return (Level::Act, Some(locale.word("verdict-no-gateways")));
    }
    if scene.view.held_all.is_some() {
        return (Level::Act, None);
    }
    let good =
        |channel: &&ChannelView| channel.usable > 0 && matches!(channel.state, State::Up | State::Recovering);
    let carrying: Vec<_> =
        channels.iter().filter(good).map(|channel| locale.channel(channel.channel)).collect();
    if carrying.len() == channels.len() {
        return (Level::Calm, Some(locale.word("verdict-all-up")));
    }
    if !carrying.is_empty() {
        let args =
            [("n", Arg::Count(carrying.len() as u64)), ("channels", Arg::text(locale.list(&carrying)))];
        return (Level::Calm, Some(locale.say("verdict-carry", &args)));
    }
    match channels.iter().any(|channel| channel.usable > 0) {
        // Nothing is known yet, as after a start: that is no alarm.
        true if channels.iter().all(|channel| channel.state == State::Unknown) => {
            (Level::Watch, Some(locale.word("verdict-unknown")))
        }
        true => (Level::Watch, None),
        false => (Level::Act, Some(locale.word("verdict-silent"))),
    }
}

/// Draws the state of our own lines.
fn uplinks(scene: &Scene<'_>) -> Markup {
    let locale = scene.locale;
    html! {
        @if !scene.view.uplinks.is_empty() {
            ul.uplinks aria-label=(locale.word("uplink-label")) {
                @for line in &scene.view.uplinks {
                    @let (state, id) = if line.up { (State::Up, "uplink-up") } else { (State::Down, "uplink-down") };
                    @let args = [("name", Arg::text(&*line.name)), ("since", Arg::text(scene.time_text(line.since)))];
                    @let (failed, all) = line.failed;
                    @let controls = [("failed", Arg::Count(failed.into())), ("all", Arg::Count(all.into()))];
                    li {
                        (Shown::State(state).shape())
                        span { span.quiet { (locale.word("uplink-label")) ": " } (rich(&locale.say(id, &args))) }
                        @if failed > 0 { span.quiet { (rich(&locale.say("uplink-controls", &controls))) } }
                    }
                }
            }
        }
    }
}
