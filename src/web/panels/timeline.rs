//! Outages over time: a line for each thing that was down, from earlier to now, in both languages.

use super::outages::named;
use super::{Drawn, Scene};
use crate::core::record::{Outage, OutageOf};
use crate::core::time::{Span, Timestamp};
use crate::web::locale::{Arg, rich};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The windows that may be shown: the shortest that holds all there is.
const WINDOWS: [Span; 4] =
    [Span::from_hours(1), Span::from_hours(6), Span::from_hours(24), Span::from_hours(24 * 7)];
/// The width in its own units.
const WIDTH: i64 = 1_000;
/// How many lines are drawn.
const LINES_MAX: usize = 24;

pub(super) fn draw(scene: &Scene<'_>) -> Drawn {
    let locale = scene.locale;
    let window = window(scene);
    let begin = scene.now - window;
    let mut lines: BTreeMap<&OutageOf, Vec<&Outage>> = BTreeMap::new();
    let within = |outage: &&Outage| outage.recovered.is_none_or(|end| end > begin);
    for outage in scene.view.outages.iter().filter(within) {
        lines.entry(&outage.of).or_default().push(outage);
    }
    let body = html! {
        h2 {
            (locale.word("timeline-label")) " "
            span.quiet { (rich(&locale.say("history-window", &[("window", Arg::text(locale.span(window)))]))) }
        }
        @if lines.is_empty() { p.none { (locale.word("timeline-none")) } }
        @else {
            ul.lanes { @for (of, outages) in lines.iter().take(LINES_MAX) { (lane(scene, of, outages, begin, window)) } }
        }
    };
    Drawn { label: locale.word("timeline-label"), level: None, body }
}

fn window(scene: &Scene<'_>) -> Span {
    let oldest = scene.view.outages.iter().map(|outage| outage.onset).min();
    let age = oldest.map_or(Span::ZERO, |at| scene.now.since(at));
    WINDOWS.into_iter().find(|window| *window >= age).unwrap_or(WINDOWS[WINDOWS.len() - 1])
}

fn lane(scene: &Scene<'_>, of: &OutageOf, outages: &[&Outage], begin: Timestamp, window: Span) -> Markup {
    let locale = scene.locale;
    let place = |at: Timestamp| (at.since(begin).ms() * WIDTH / window.ms().max(1)).clamp(0, WIDTH);
    let goes_on = outages.iter().any(|outage| outage.recovered.is_none());
    html! {
        li {
            p.what { (rich(&named(locale, of))) " " span.quiet { (locale.word(if goes_on { "going-on" } else { "over" })) } }
            span.strip dir="ltr" {
                svg viewBox=(format!("0 0 {WIDTH} 16")) preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                    rect.ground y="7" width=(WIDTH) height="2" {}
                    @for outage in outages {
                        @let (from, to) = (place(outage.onset), place(outage.recovered.unwrap_or(scene.now)));
                        rect.down x=(from) y="1" width=((to - from).max(3)) height="14" {}
                    }
                }
                span.ends aria-hidden="true" {
                    span { time datetime=(crate::api::show::time(begin)) { (scene.time_text(begin)) } }
                    span lang=(locale.language()) { (locale.word("now-word")) }
                }
            }
        }
    }
}
