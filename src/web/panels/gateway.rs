//! One gateway: what it is now, what each probe says of each layer, the evidence behind it, how it came about.

use super::gateways::{failed_at, notes, odds, strip, window};
use super::{Drawn, Scene, Shown};
use crate::core::evidence::{CanaryResult, Layer, Verdict};
use crate::core::gateway::Receipts;
use crate::core::record::OutageOf;
use crate::core::view::{GatewayView, ProbeView, State};
use crate::web::locale::{Arg, rich};
use maud::{Markup, html};

/// How many changes of state are listed; the strip shows them all.
const CHANGES_MAX: usize = 20;
/// The needle at which a gateway is in doubt, in hundredths of a deciban: what the bars are drawn against.
const DOUBT_CDB: u32 = 2_000;

/// Draws a panel about the gateway; one that is gone meanwhile is said to be.
fn about(scene: &Scene<'_>, label: &str, draw: impl FnOnce(&Scene<'_>, &GatewayView) -> Markup) -> Drawn {
    let label = scene.locale.word(label);
    let body = html! {
        h2 { (label) }
        @match scene.subject() {
            Some(gateway) => (draw(scene, gateway)),
            None => p.none { (scene.locale.word("removed")) },
        }
    };
    Drawn { label, level: None, body }
}

pub(super) fn draw_now(scene: &Scene<'_>) -> Drawn {
    about(scene, "gateway-now", now)
}

fn now(scene: &Scene<'_>, gateway: &GatewayView) -> Markup {
    let locale = scene.locale;
    let shown = Shown::of(gateway);
    let fact = |word: &str, value: Markup| html! { div { dt { (locale.word(word)) } dd { (value) } } };
    let number = |n: u32| html! { bdi { (locale.number(n.into())) } };
    html! {
        p.state-line {
            (shown.draw(locale)) " "
            span.quiet { (locale.word("since")) " " (scene.instant(gateway.since)) }
        }
        @if shown != Shown::State(gateway.state) {
            p.quiet { (locale.word("below-it")) " " (Shown::State(gateway.state).draw(locale)) }
        }
        @for note in notes(scene, gateway, shown) { p.note { (rich(&note)) } }
        dl.facts {
            (fact("channel", html! { (locale.channel(gateway.channel)) }))
            (fact("odds", odds(scene, gateway)))
            (fact("flying", number(gateway.in_flight)))
            (fact("unconfirmed-short", number(gateway.unconfirmed)))
            (fact("gateway-receipts", html! { (locale.word(receipts(gateway.receipts))) }))
            (fact("gateway-time-out", html! { (locale.span(gateway.time_out)) }))
            @if !gateway.failure_domains.is_empty() {
                (fact("gateway-domains", html! {
                    @for domain in &gateway.failure_domains { bdi.name dir="ltr" { (domain) } " " }
                }))
            }
            @for (quota, left) in &gateway.quotas {
                (fact("gateway-quota", html! {
                    bdi.name dir="ltr" { (quota) } ": "
                    (rich(&locale.say("left", &[("share", Arg::text(locale.percent(*left)))])))
                }))
            }
        }
    }
}

const fn receipts(receipts: Receipts) -> &'static str {
    match receipts {
        Receipts::None => "receipts-none",
        Receipts::Delivered => "receipts-delivered",
        Receipts::Read => "receipts-read",
    }
}

pub(super) fn draw_layers(scene: &Scene<'_>) -> Drawn {
    about(scene, "gateway-layers", layers)
}

fn layers(scene: &Scene<'_>, gateway: &GatewayView) -> Markup {
    let locale = scene.locale;
    let columns = ["probe", "probe-found", "probe-when", "probe-took"];
    let own: Vec<_> = gateway.probes.iter().filter(|probe| !probe.verdict.is_hearsay()).collect();
    html! {
        @if own.is_empty() { p.none { (locale.word("probes-none")) } }
        @else {
            div.scroll tabindex="0" role="region" aria-label=(locale.word("gateway-layers")) {
                table {
                    thead {
                        tr {
                            @for column in columns { th scope="col" { (locale.word(column)) } }
                            @for layer in Layer::ALL { th.layer scope="col" { (locale.layer(layer)) } }
                        }
                    }
                    tbody { @for probe in own { (probe_row(scene, probe)) } }
                }
            }
        }
    }
}

fn probe_row(scene: &Scene<'_>, probe: &ProbeView) -> Markup {
    let locale = scene.locale;
    let (state, word) = match (&probe.verdict, probe.valid) {
        (_, false) | (Verdict::Says(_) | Verdict::Silent(_), _) => (State::Unknown, "probe-old"),
        (Verdict::Fine, _) => (State::Up, "probe-fine"),
        (Verdict::Limited(_), _) => (State::Degraded, "probe-limited"),
        (Verdict::Noted(_), _) => (State::Degraded, "probe-noted"),
        (Verdict::Failed(_), _) => (State::Down, "probe-failed"),
    };
    html! {
        tr {
            th scope="row" {
                bdi.name dir="ltr" { (probe.name) } " "
                span.quiet { (locale.layer(probe.layer)) }
            }
            td {
                span.state { (Shown::State(state).shape()) (locale.word(word)) }
                @if let Some(reason) = probe.verdict.reason() { span.note { (locale.reason(reason)) } }
            }
            td { (scene.time(probe.at)) " " span.quiet { (scene.ago(probe.at)) } }
            td.count { (millis(scene, probe.took.ms() * 1_000)) }
            @for layer in Layer::ALL { td.layer { (phase(scene, probe, layer)) } }
        }
    }
}

/// Writes how long a layer took; where the probe broke there, its shape and word.
fn phase(scene: &Scene<'_>, probe: &ProbeView, layer: Layer) -> Markup {
    let took = probe.phases.iter().find(|phase| phase.layer == layer);
    html! {
        @if failed_at(probe) == Some(layer) {
            (Shown::State(State::Down).shape())
            span.sr { (scene.locale.word("probe-failed")) }
        } @else {
            @match took {
                Some(phase) => (millis(scene, i64::try_from(phase.micros).unwrap_or(i64::MAX))),
                None => span.none aria-hidden="true" { "·" },
            }
        }
    }
}

fn millis(scene: &Scene<'_>, micros: i64) -> Markup {
    let text = match micros {
        0..10_000 => format!("{}.{}", micros / 1_000, micros % 1_000 / 100),
        more => (more / 1_000).to_string(),
    };
    html! { bdi dir="ltr" { (scene.locale.digits(&text)) " ms" } }
}

pub(super) fn draw_evidence(scene: &Scene<'_>) -> Drawn {
    about(scene, "gateway-evidence", evidence)
}

fn evidence(scene: &Scene<'_>, gateway: &GatewayView) -> Markup {
    let locale = scene.locale;
    let needles = ["needle-dead", "needle-refused", "needle-flaky"];
    html! {
        p.quiet { (locale.word("evidence-hint")) }
        dl.needles {
            @for (word, cdb) in needles.iter().zip(gateway.needles) {
                @let width = u64::from(cdb.min(2 * DOUBT_CDB)) * 100 / u64::from(2 * DOUBT_CDB);
                @let state = if cdb >= DOUBT_CDB { "down" } else if cdb > 0 { "degraded" } else { "up" };
                div {
                    dt { (locale.word(word)) }
                    dd {
                        bdi { (locale.digits(&format!("{}.{}", cdb / 100, cdb % 100 / 10))) }
                        svg.needle viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                            rect.ground width="100" height="4" {}
                            rect class=(format!("fill {state}")) width=(width) height="4" {}
                            rect.tick x="50" width="0.6" height="4" {}
                        }
                    }
                }
            }
        }
        @if let Some(reason) = gateway.reason {
            p { span.quiet { (locale.word("evidence-last")) ": " } (locale.reason(reason)) }
        }
        @let lost: Vec<_> = gateway.probes.iter().filter(|probe| probe.verdict.failed() && probe.valid).collect();
        @if !lost.is_empty() {
            p {
                span.quiet { (locale.word("evidence-probes")) ": " }
                @for probe in lost { bdi.name dir="ltr" { (probe.name) } " " }
            }
        }
        @if !gateway.canaries.is_empty() { (canaries(scene, gateway)) }
        (super::hearsay::draw(scene, gateway))
    }
}

/// Tells what became of the messages to accounts of our own.
fn canaries(scene: &Scene<'_>, gateway: &GatewayView) -> Markup {
    let locale = scene.locale;
    html! {
        h3 { (locale.word("canaries")) }
        p.quiet { (locale.word("canaries-hint")) }
        ul {
            @for canary in &gateway.canaries {
                li {
                    @if !canary.region.is_empty() { bdi.name { (canary.region) } " " }
                    @match canary.last {
                        None => span.quiet { (locale.word("canary-none")) },
                        Some((at, result)) => {
                            @let (state, word) = match result {
                                CanaryResult::Delivered => (State::Up, "canary-delivered"),
                                CanaryResult::Missed => (State::Down, "canary-missed"),
                                CanaryResult::Refused(_) => (State::Degraded, "canary-refused"),
                            };
                            span.state { (Shown::State(state).shape()) (locale.word(word)) } " "
                            @if let (CanaryResult::Delivered, Some(lag)) = (result, canary.lag) {
                                (millis(scene, lag.ms() * 1_000)) " "
                            }
                            @if let CanaryResult::Refused(reason) = result { span.note { (locale.reason(reason)) } " " }
                            span.quiet { (scene.ago(at)) }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn draw_history(scene: &Scene<'_>) -> Drawn {
    about(scene, "gateway-history", history)
}

fn history(scene: &Scene<'_>, gateway: &GatewayView) -> Markup {
    let locale = scene.locale;
    let window = window(scene);
    let ends = gateway.history.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
    let spells: Vec<_> = gateway.history.iter().zip(ends).collect();
    let ours: Vec<_> = scene
        .view
        .outages
        .iter()
        .filter(|outage| match &outage.of {
            OutageOf::Gateway(name) | OutageOf::Slice { gateway: name, .. } => *name == gateway.name,
            _ => false,
        })
        .collect();
    html! {
        p.quiet { (rich(&locale.say("history-window", &[("window", Arg::text(locale.span(window)))]))) }
        div.long { (strip(scene, gateway, window)) }
        div.scroll tabindex="0" role="region" aria-label=(locale.word("gateway-history")) {
            table {
                thead {
                    tr {
                        @for word in ["record-onset", "state", "record-lasted"] { th scope="col" { (locale.word(word)) } }
                    }
                }
                tbody {
                    @for ((at, state), end) in spells.iter().rev().take(CHANGES_MAX) {
                        tr {
                            th scope="row" { (scene.time(*at)) }
                            td { (Shown::State(*state).draw(locale)) }
                            td {
                                @match end {
                                    Some(end) => (locale.span(end.since(*at))),
                                    None => (scene.age(*at)),
                                }
                            }
                        }
                    }
                }
            }
        }
        h3 { (locale.word("outages-label")) }
        (super::outages::record(scene, &ours))
    }
}
