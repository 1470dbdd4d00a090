//! The matrix: each gateway's state by word, shape and colour, its odds, how deep its probes get, its history.

use super::{Drawn, Scene, Shown};
use crate::api::show;
use crate::core::evidence::{Layer, Verdict};
use crate::core::gateway::Receipts;
use crate::core::record::OverlayKind;
use crate::core::time::{Span, Timestamp};
use crate::core::view::{GatewayView, State};
use crate::web::locale::{Arg, Locale, rich, unisolated};
use maud::{Markup, html};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The windows that the history strip may show: the shortest that holds all there is.
const WINDOWS: [Span; 3] = [Span::from_mins(10), Span::from_hours(1), Span::from_hours(6)];
/// The strip's width in its own units.
const STRIP: i64 = 240;
/// A quota of which less than this share is left is told of.
const QUOTA_SCARCE: f64 = 0.2;

/// How many gateways have a row of their own on the overview, and on the wall at 1080 lines as at 2160. Where there are
/// more, those that need a look come first, and the others are counted.
const ROWS_MAX: usize = 24;
const WALL_ROWS_MAX: usize = 8;

/// The gateways without a row of their own, by what they show.
type Others<'a> = BTreeMap<u8, Vec<&'a GatewayView>>;

pub(super) fn draw(scene: &Scene<'_>) -> Drawn {
    let (rows, others) = chosen(scene, ROWS_MAX);
    matrix(scene, &rows, &html! { @if !others.is_empty() { (folded(scene, &others)) } })
}

pub(super) fn draw_wall(scene: &Scene<'_>) -> Drawn {
    let (rows, others) = chosen(scene, WALL_ROWS_MAX);
    matrix(scene, &rows, &html! { @if !others.is_empty() { p.quiet { (more(scene, &others)) } } })
}

/// Chooses those that get a row: all of them, in the order of the configuration, where they are few; else those that need
/// a look first.
fn chosen<'a>(scene: &Scene<'a>, rows_max: usize) -> (Vec<&'a GatewayView>, Others<'a>) {
    let mut rows: Vec<&GatewayView> = scene.view.gateways.iter().collect();
    if rows.len() <= rows_max {
        return (rows, Others::new());
    }
    rows.sort_by_key(|gateway| (urgency(Shown::of(gateway)), !asks_for_a_look(gateway)));
    let mut others = Others::new();
    for gateway in rows.split_off(rows_max) {
        others.entry(urgency(Shown::of(gateway))).or_default().push(gateway);
    }
    (rows, others)
}

/// Returns the place of what a gateway shows among all that may be shown: the worst is 0.
const fn urgency(shown: Shown) -> u8 {
    match shown {
        Shown::State(State::Down) => 0,
        Shown::State(State::Degraded) => 1,
        Shown::State(State::Unknown) => 2,
        Shown::State(State::Recovering) => 3,
        Shown::Held => 4,
        Shown::Maintenance => 5,
        Shown::State(State::Up) => 6,
    }
}

/// Says whether there is something to tell of a gateway beside its state.
fn asks_for_a_look(gateway: &GatewayView) -> bool {
    let is_scarce = gateway.quotas.iter().any(|(_, left)| *left < QUOTA_SCARCE);
    is_scarce || gateway.deferred_until.is_some() || !gateway.configured
}

/// Counts the gateways without a row: none of them is worse than those that have one.
fn more(scene: &Scene<'_>, others: &Others<'_>) -> Markup {
    let count: usize = others.values().map(Vec::len).sum();
    rich(&scene.locale.say("gateways-more", &[("n", Arg::Count(count as u64))]))
}

/// Names the gateways without a row, by what they show.
fn folded(scene: &Scene<'_>, others: &Others<'_>) -> Markup {
    let locale = scene.locale;
    let alike = || others.values().filter_map(|alike| Some((Shown::of(alike.first()?), alike)));
    html! {
        details.others #gateways-others {
            summary {
                (more(scene, others))
                @for (shown, alike) in alike() { " " (shown.draw(locale)) " " bdi { (locale.number(alike.len() as u64)) } }
            }
            @for (shown, alike) in alike() {
                p { (shown.draw(locale)) }
                ul { @for gateway in alike {
                    li { a href=(format!("/gateways/{}", gateway.name)) { (gateway.name) } }
                } }
            }
        }
    }
}

fn matrix(scene: &Scene<'_>, rows: &[&GatewayView], others: &Markup) -> Drawn {
    let locale = scene.locale;
    let window = window(scene);
    let body = html! {
        h2 { (locale.word("gateways-label")) }
        @if scene.view.gateways.is_empty() {
            p.none { (rich(&locale.word("no-gateways"))) }
        } @else {
            div.scroll tabindex="0" role="region" aria-label=(locale.word("gateways-label")) {
                table.matrix {
                    thead { (head(scene, window)) }
                    tbody { @for gateway in rows { (row(scene, gateway, window)) } }
                }
            }
            (others)
        }
    };
    Drawn { label: locale.word("gateways-label"), level: None, body }
}

fn head(scene: &Scene<'_>, window: Span) -> Markup {
    let locale = scene.locale;
    html! {
        tr {
            th scope="col" { (locale.word("gateway")) }
            th scope="col" { (locale.word("state")) }
            th scope="col" title=(locale.word("odds-hint")) { (locale.word("odds")) }
            @for layer in Layer::ALL {
                th scope="col" title=(locale.word("layers-hint")) { (locale.layer(layer)) }
            }
            th scope="col" { (locale.word("flying")) }
            th scope="col" { (locale.word("unconfirmed-short")) }
            th.history scope="col" {
                (locale.word("history")) " "
                span.quiet { (rich(&locale.say("history-window", &[("window", Arg::text(locale.span(window)))]))) }
                (ends(scene))
            }
        }
    }
}

/// Draws one gateway. There may be many, and each is sent to every open page: the cells have no classes of their own, the
/// style sheet knows them by their place.
fn row(scene: &Scene<'_>, gateway: &GatewayView, window: Span) -> Markup {
    let locale = scene.locale;
    let shown = Shown::of(gateway);
    html! {
        tr class=[(!gateway.configured).then_some("gone")] {
            th scope="row" {
                (scene.gateway_link(&gateway.name)) " "
                span.quiet { (locale.channel(gateway.channel)) }
            }
            td {
                (shown.draw(locale)) " "
                time.quiet datetime=(show::time(gateway.since)) data-tick {
                    (locale.span(scene.now.since(gateway.since)))
                }
                @for note in notes(scene, gateway, shown) { span.note { (rich(&note)) } }
            }
            td { (odds(scene, gateway)) }
            @for layer in Layer::ALL { td { (layer_mark(scene, gateway, layer)) } }
            td { bdi { (locale.number(gateway.in_flight.into())) } }
            td { bdi { (locale.number(gateway.unconfirmed.into())) } }
            td { (states(scene, gateway, window)) }
        }
    }
}

/// What is to be said of a gateway beside its state.
pub(super) fn notes(scene: &Scene<'_>, gateway: &GatewayView, shown: Shown) -> Vec<String> {
    let locale = scene.locale;
    let mut notes = Vec::new();
    if let Some(overlay) = &gateway.overlay {
        let (who, reason) = (("who", Arg::text(&*overlay.who)), ("reason", Arg::text(&*overlay.reason)));
        notes.push(match overlay.kind {
            OverlayKind::Held => locale.say("overlay-held", &[who, reason]),
            OverlayKind::Maintenance { until } => locale
                .say("overlay-maintenance", &[("until", Arg::text(scene.time_text(until))), who, reason]),
            OverlayKind::Drill { until, everybody } => {
                let id = if everybody { "overlay-drill-everybody" } else { "overlay-drill" };
                locale.say(id, &[("until", Arg::text(scene.time_text(until))), who, reason])
            }
        });
    }
    if !gateway.configured {
        notes.push(locale.word("removed"));
    }
    if let (Shown::State(State::Degraded | State::Down | State::Recovering), Some(reason)) =
        (shown, gateway.reason)
    {
        notes.push(locale.reason(reason));
    }
    if let Some(until) = gateway.deferred_until {
        notes.push(locale.say("deferred-until", &[("at", Arg::text(scene.time_text(until)))]));
    }
    for (quota, left) in gateway.quotas.iter().filter(|(_, left)| *left < QUOTA_SCARCE) {
        let args = [("quota", Arg::text(&**quota)), ("left", Arg::text(locale.percent(*left)))];
        notes.push(locale.say("quota-left", &args));
    }
    if gateway.receipts == Receipts::None {
        notes.push(locale.word("receipts-none"));
    }
    notes
}

/// Draws the odds as a number and a bar; a gateway of which nothing is known has none.
pub(super) fn odds(scene: &Scene<'_>, gateway: &GatewayView) -> Markup {
    if gateway.state == State::Unknown {
        return html! { "–" };
    }
    let width = format!("{}%", (gateway.health.clamp(0.0, 1.0) * 100.0).round());
    html! {
        bdi { (scene.locale.percent(gateway.health)) }
        svg.gauge aria-hidden="true" { rect class=(gateway.state.name()) width=(width) height="100%" {} }
    }
}

/// What the probes say of one layer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Fine,
    Limited,
    Failed,
    /// The evidence is past its validity.
    Old,
}

fn layer_mark(scene: &Scene<'_>, gateway: &GatewayView, layer: Layer) -> Markup {
    let locale = scene.locale;
    let found = gateway.probes.iter().filter(|probe| !probe.verdict.is_hearsay()).filter_map(|probe| {
        let mark = match &probe.verdict {
            _ if !probe.phases.iter().any(|p| p.layer == layer) && failed_at(probe) != Some(layer) => {
                return None;
            }
            _ if !probe.valid => Mark::Old,
            Verdict::Failed(_) if failed_at(probe) == Some(layer) => Mark::Failed,
            Verdict::Limited(_) | Verdict::Noted(_) if probe.layer == layer => Mark::Limited,
            _ => Mark::Fine,
        };
        Some((mark, probe.verdict.reason(), probe.at))
    });
    // The newest valid word counts; of two as new, the worse.
    let newest = found.max_by_key(|(mark, _, at)| (*mark != Mark::Old, *at, *mark as u8));
    let args = |reason: Option<_>, at| {
        [
            ("layer", Arg::text(locale.layer(layer))),
            ("reason", Arg::text(reason.map_or_else(String::new, |reason| locale.reason(reason)))),
            ("at", Arg::text(scene.time_text(at))),
        ]
    };
    let (shape, text) = match newest {
        None => (None, locale.say("layer-none", &args(None, scene.now))),
        Some((mark, reason, at)) => {
            let (state, id) = match mark {
                Mark::Fine => (State::Up, "layer-fine"),
                Mark::Limited => (State::Degraded, "layer-limited"),
                Mark::Failed => (State::Down, "layer-failed"),
                Mark::Old => (State::Unknown, "layer-old"),
            };
            (Some(Shown::State(state).shape()), locale.say(id, &args(reason, at)))
        }
    };
    // Nothing in these words runs the other way in English: all of them are ours.
    let text = if locale == Locale::En { unisolated(&text) } else { text };
    html! { @if let Some(shape) = shape { (shape) } span { (rich(&text)) } }
}

/// Returns the layer at which a probe failed: the one after the deepest that it reached.
pub(super) fn failed_at(probe: &crate::core::view::ProbeView) -> Option<Layer> {
    let next = probe.reached.map_or(Layer::Dns, |reached| {
        Layer::ALL.into_iter().find(|layer| *layer > reached).unwrap_or(probe.layer)
    });
    probe.verdict.failed().then(|| next.min(probe.layer))
}

/// Chooses one window for all strips, so that they can be compared.
pub(super) fn window(scene: &Scene<'_>) -> Span {
    let oldest =
        scene.view.gateways.iter().filter_map(|gateway| gateway.history.first()).map(|(at, _)| *at).min();
    let age = oldest.map_or(Span::ZERO, |at| scene.now.since(at));
    WINDOWS.into_iter().find(|window| *window >= age).unwrap_or(WINDOWS[WINDOWS.len() - 1])
}

/// Draws the states over the window, with the words at its ends.
pub(super) fn strip(scene: &Scene<'_>, gateway: &GatewayView, window: Span) -> Markup {
    html! { span.strip dir="ltr" { (states(scene, gateway, window)) (ends(scene)) } }
}

/// From earlier to now.
fn ends(scene: &Scene<'_>) -> Markup {
    let locale = scene.locale;
    html! {
        span.ends dir="ltr" aria-hidden="true" {
            span lang=(locale.language()) { (locale.word("earlier")) }
            span lang=(locale.language()) { (locale.word("now-word")) }
        }
    }
}

/// Draws the states over the window, from earlier to now, in both languages: "before" is on the same side as in
/// Grafana. States differ in height, so that they are told apart without colour. Each state is one path.
fn states(scene: &Scene<'_>, gateway: &GatewayView, window: Span) -> Markup {
    let begin = scene.now - window;
    let place = |at: Timestamp| (at.since(begin).ms() * STRIP / window.ms().max(1)).clamp(0, STRIP);
    let ends = gateway.history.iter().skip(1).map(|(at, _)| *at).chain([scene.now]);
    let bars = gateway.history.iter().zip(ends).filter(|(_, end)| *end > begin);
    let mut paths = State::ALL.map(|state| (state, String::new()));
    for ((at, state), end) in bars {
        let (from, height) = (place(*at), bar_height(*state));
        let width = (place(end) - from).max(1);
        if let Some((_, path)) = paths.iter_mut().find(|(of, _)| of == state) {
            // Writing to a string cannot fail.
            let _ = write!(path, "M{from} 16v-{height}h{width}v{height}");
        }
    }
    html! {
        svg.states viewBox=(format!("0 0 {STRIP} 16")) preserveAspectRatio="none" aria-hidden="true" {
            @for (state, path) in paths.iter().filter(|(_, path)| !path.is_empty()) {
                path class=(state.name()) d=(path) {}
            }
        }
    }
}

const fn bar_height(state: State) -> i64 {
    match state {
        State::Up => 4,
        State::Recovering => 7,
        State::Degraded => 10,
        State::Down => 16,
        State::Unknown => 2,
    }
}
