//! The numbers: oldest undelivered, waiting and in flight, late, delivered, channels.

use super::{Drawn, Level, Scene};
use crate::core::message::Severity;
use crate::core::outcome::DeliveryResult;
use crate::web::locale::{Arg, rich};
use maud::{Markup, html};

/// More than one failure in so many asks for a look: the same share as the alert rule's.
const FAILED_ONE_IN: u64 = 50;

pub(super) fn draw(scene: &Scene<'_>) -> Drawn {
    let body = html! {
        dl.tiles { (oldest(scene)) (waiting(scene)) (late(scene)) (delivered(scene)) (channels(scene)) }
    };
    Drawn { label: scene.locale.word("vitals-label"), level: None, body }
}

/// One number with its name and what goes with it.
fn tile(name: String, level: Level, number: Markup, more: Markup) -> Markup {
    html! {
        div.tile data-level=(level.name()) {
            dt { (name) }
            dd.number { (number) }
            dd.more { (more) }
        }
    }
}

fn oldest(scene: &Scene<'_>) -> Markup {
    let locale = scene.locale;
    let waiting =
        || Severity::ALL.iter().zip(scene.view.oldest).filter_map(|(severity, at)| Some((*severity, at?)));
    let oldest = waiting().min_by_key(|(_, at)| *at);
    let number = html! {
        @match oldest {
            Some((_, at)) => (scene.age(at)),
            None => (locale.word("oldest-none")),
        }
    };
    let more = html! {
        @for (severity, at) in waiting().take(3) {
            span.part { (locale.severity(severity)) " " (scene.age(at)) }
        }
    };
    tile(locale.word("oldest"), Level::Calm, number, more)
}

fn waiting(scene: &Scene<'_>) -> Markup {
    let (locale, counts) = (scene.locale, &scene.view.deliveries);
    let waiting = counts.waiting + counts.materialising;
    let part = |id: &str, n: u64| {
        html! { @if n > 0 { span.part { bdi { (locale.number(n)) } " " (locale.word(id)) } } }
    };
    let more = html! {
        (part("unconfirmed", counts.unconfirmed))
        (part("backing-off", counts.backing_off))
    };
    let name = format!("{} / {}", locale.word("waiting"), locale.word("in-flight"));
    let number = html! { bdi { (locale.number(waiting)) } " / " bdi { (locale.number(counts.in_flight)) } };
    tile(name, Level::Calm, number, more)
}

fn late(scene: &Scene<'_>) -> Markup {
    let (locale, counts) = (scene.locale, &scene.view.deliveries);
    let level = if counts.late > 0 { Level::Act } else { Level::Calm };
    let number = html! { bdi { (locale.number(counts.late)) } };
    let more = html! {
        @if counts.open() > 0 { (rich(&locale.say("late-of", &[("n", Arg::Count(counts.open()))]))) }
    };
    tile(locale.word("late-now"), level, number, more)
}

fn delivered(scene: &Scene<'_>) -> Markup {
    let (locale, settled) = (scene.locale, scene.view.deliveries.settled);
    let count =
        |results: &[DeliveryResult]| results.iter().map(|result| settled[*result as usize]).sum::<u64>();
    let all: u64 = settled.iter().sum();
    let arrived = count(&[DeliveryResult::Delivered, DeliveryResult::Acknowledged]);
    let handed = count(&[DeliveryResult::HandedOver]);
    let failed = count(&[DeliveryResult::Failed, DeliveryResult::Expired]);
    let number = html! { @if all == 0 { "–" } @else { bdi { (locale.number(arrived)) } } };
    let more = html! {
        @if all == 0 {
            (locale.word("none-settled"))
        } @else {
            span.part { (rich(&locale.say("delivered-of", &[("n", Arg::Count(all))]))) }
            @if handed > 0 { span.part { (rich(&locale.say("delivered-handed", &[("n", Arg::Count(handed))]))) } }
            @if failed > 0 { span.part { (rich(&locale.say("delivered-failed", &[("n", Arg::Count(failed))]))) } }
        }
    };
    let level = if failed * FAILED_ONE_IN > all { Level::Watch } else { Level::Calm };
    tile(locale.word("delivered"), level, number, more)
}

fn channels(scene: &Scene<'_>) -> Markup {
    let locale = scene.locale;
    let all = scene.view.channels.len();
    let usable = scene.view.channels.iter().filter(|channel| channel.usable > 0).count();
    let level = match usable {
        0 => Level::Act,
        some if some < all => Level::Watch,
        _ => Level::Calm,
    };
    let number = html! { bdi { (locale.number(usable as u64)) } };
    let more = rich(&locale.say("channels-of", &[("n", Arg::Count(all as u64))]));
    tile(locale.word("channels-up"), level, number, more)
}
