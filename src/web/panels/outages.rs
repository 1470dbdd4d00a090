//! Outages: those that go on, then the last that ended.

use super::{Drawn, Scene, Shown};
use crate::core::record::{Outage, OutageOf};
use crate::core::view::State;
use crate::web::locale::{Arg, Locale, rich};
use maud::{Markup, html};

/// How many outages are shown; `/v1/outages` has them all.
const SHOWN_MAX: usize = 8;
/// How many the wall has room for.
const WALL_SHOWN_MAX: usize = 4;

pub(super) fn draw(scene: &Scene<'_>) -> Drawn {
    let locale = scene.locale;
    let body = html! {
        h2 { (locale.word("outages-label")) }
        @if scene.view.outages.is_empty() {
            p.none { (locale.word("outages-none")) }
        } @else {
            ul.story { @for outage in scene.view.outages.iter().take(SHOWN_MAX) { (item(scene, outage)) } }
            @if let Some(more) = more(scene, SHOWN_MAX) { p { a href="/outages" { (more) } } }
        }
    };
    Drawn { label: locale.word("outages-label"), level: None, body }
}

/// Draws the outages that go on, as many as the wall has room for.
pub(super) fn draw_wall(scene: &Scene<'_>) -> Drawn {
    let locale = scene.locale;
    let open: Vec<&Outage> = scene.view.outages.iter().filter(|o| o.recovered.is_none()).collect();
    let body = html! {
        h2 { (locale.word("outages-label")) }
        @if open.is_empty() { p.none { (locale.word("outages-none-open")) } }
        @else {
            ul.story { @for outage in open.iter().take(WALL_SHOWN_MAX) { (item(scene, outage)) } }
            @if let Some(more) = more(scene, WALL_SHOWN_MAX) { p.quiet { (more) } }
        }
    };
    Drawn { label: locale.word("outages-label"), level: None, body }
}

/// Counts the outages that go on and are not among the first `shown`.
fn more(scene: &Scene<'_>, shown: usize) -> Option<Markup> {
    let unseen = scene.view.outages.iter().skip(shown).filter(|outage| outage.recovered.is_none()).count();
    (unseen > 0).then(|| rich(&scene.locale.say("outages-more", &[("n", Arg::Count(unseen as u64))])))
}

/// Draws the outages of the picture as a table.
pub(super) fn draw_record(scene: &Scene<'_>) -> Drawn {
    let label = scene.locale.word("record-label");
    let outages: Vec<&Outage> = scene.view.outages.iter().collect();
    let body = html! {
        h2 { (label) }
        @if outages.is_empty() { p.none { (scene.locale.word("record-none")) } }
        @else { (record(scene, &outages)) }
    };
    Drawn { label, level: None, body }
}

/// Draws outages as a table: what, since when, how it was found, how long it lasted, what it cost.
pub(in crate::web) fn record(scene: &Scene<'_>, outages: &[&Outage]) -> Markup {
    let locale = scene.locale;
    let columns = [
        "record-what",
        "state",
        "record-cause",
        "record-onset",
        "record-found",
        "record-end",
        "record-lasted",
        "record-cost",
    ];
    html! {
        @if outages.is_empty() { p.none { (locale.word("outages-none")) } }
        @else {
            div.scroll tabindex="0" role="region" aria-label=(locale.word("record-label")) {
                table {
                    thead { tr { @for column in columns { th.count[column == "record-cost"] scope="col" { (locale.word(column)) } } } }
                    tbody { @for outage in outages { (row(scene, outage)) } }
                }
            }
        }
    }
}

fn row(scene: &Scene<'_>, outage: &Outage) -> Markup {
    let locale = scene.locale;
    let (shown, word) = match outage.recovered {
        Some(_) => (Shown::State(State::Up), "over"),
        None => (Shown::State(State::Down), "going-on"),
    };
    html! {
        tr {
            th scope="row" {
                @match &outage.of {
                    OutageOf::Gateway(name) => (scene.gateway_link(name)),
                    of => (rich(&named(locale, of))),
                }
                " " @if scene.is_wall { bdi.quiet dir="ltr" { (outage.id) } }
                @else { a.quiet href=(format!("/outages/{}", outage.id)) { bdi dir="ltr" { (outage.id) } } }
            }
            td { span.state { (shown.shape()) (locale.word(word)) } }
            td {
                (locale.reason(outage.cause))
                @if let Some(layer) = outage.layer { " " span.quiet { "(" (locale.layer(layer)) ")" } }
            }
            td { (scene.time(outage.onset)) }
            td { (locale.span(outage.detected.since(outage.onset))) }
            td { @match outage.recovered { Some(end) => (scene.time(end)), None => "–" } }
            td {
                @match outage.recovered {
                    Some(end) => (locale.span(end.since(outage.onset))),
                    None => (scene.age(outage.onset)),
                }
            }
            td.count { bdi { (locale.number(outage.attempts_failed.into())) } }
        }
    }
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
                    @let name = rich(&named(locale, &outage.of));
                    @if scene.is_wall { strong { (name) } }
                    @else { strong { a href=(format!("/outages/{}", outage.id)) { (name) } } }
                    " "
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
pub(in crate::web) fn named(locale: Locale, of: &OutageOf) -> String {
    match of {
        OutageOf::Gateway(name) => format!("\u{2068}{name}\u{2069}"),
        OutageOf::Channel(channel) => locale.channel(*channel),
        OutageOf::Uplink(name) => locale.say("outage-of-uplink", &[("name", Arg::text(&**name))]),
        OutageOf::Slice { gateway, region } if region.is_empty() => gateway.clone(),
        OutageOf::Slice { gateway, region } => locale
            .say("outage-of-slice", &[("gateway", Arg::text(&**gateway)), ("region", Arg::text(&**region))]),
        OutageOf::Region(name) => locale.say("outage-of-region", &[("region", Arg::text(&**name))]),
        OutageOf::Domain(name) => locale.say("outage-of-domain", &[("domain", Arg::text(&**name))]),
    }
}
