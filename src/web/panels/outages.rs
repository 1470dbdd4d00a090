//! Outages: those that go on, then the last that ended.

use super::{Drawn, Scene, Shown};
use crate::core::record::{Outage, OutageOf};
use crate::core::view::State;
use crate::web::locale::{Arg, Locale, rich};
use maud::{Markup, html};

/// How many outages are shown; `/v1/outages` has them all.
const SHOWN_MAX: usize = 8;

pub(super) fn draw(scene: &Scene<'_>) -> Drawn {
    let locale = scene.locale;
    let body = html! {
        h2 { (locale.word("outages-label")) }
        @if scene.view.outages.is_empty() {
            p.none { (locale.word("outages-none")) }
        } @else {
            ul.story { @for outage in scene.view.outages.iter().take(SHOWN_MAX) { (item(scene, outage)) } }
        }
    };
    Drawn { label: locale.word("outages-label"), level: None, body }
}

fn item(scene: &Scene<'_>, outage: &Outage) -> Markup {
    let locale = scene.locale;
    let over = outage.recovered;
    let (state, word) = if over.is_some() { (State::Up, "over") } else { (State::Down, "going-on") };
    let detection = outage.detected.since(outage.onset);
    html! {
        li.past[over.is_some()] {
            (Shown::State(state).shape())
            div {
                p.what {
                    strong { (rich(&named(locale, &outage.of))) } " "
                    span { (locale.reason(outage.cause)) }
                    @if let Some(layer) = outage.layer { " " span.quiet { "(" (locale.layer(layer)) ")" } }
                }
                p.quiet {
                    (locale.word(word)) " · " (scene.time(outage.onset))
                    @match over {
                        Some(end) => { " – " (scene.time(end)) " · " (locale.span(end.since(outage.onset))) }
                        None => { " · " (scene.age(outage.onset)) }
                    }
                    " · " (rich(&locale.say("outage-found", &[("age", Arg::text(locale.span_after(detection)))])))
                    @if outage.attempts_failed > 0 {
                        " · "
                        (rich(&locale.say("outage-cost", &[("n", Arg::Count(outage.attempts_failed.into()))])))
                    }
                }
            }
        }
    }
}

/// Names what is down.
pub(super) fn named(locale: Locale, of: &OutageOf) -> String {
    match of {
        OutageOf::Gateway(name) => format!("\u{2068}{name}\u{2069}"),
        OutageOf::Channel(channel) => locale.channel(*channel),
        OutageOf::Uplink(name) => locale.say("outage-of-uplink", &[("name", Arg::text(&**name))]),
    }
}
