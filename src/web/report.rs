//! `/outages/{id}`: what one outage was and what it did, on one page that prints.

use super::frame::{Frame, Live, Place};
use super::locale::{Arg, Locale, rich};
use super::panels::{Scene, named_outage};
use crate::api::App;
use crate::api::call::{Answer, Call};
use crate::api::report::{Report, report};
use crate::core::outage::impact::{Group, OTHERS};
use crate::core::record::{Outage, Sign};
use crate::core::time::Span;
use axum::http::StatusCode;
use maud::{Markup, html};
use std::sync::Arc;

/// `GET /outages/{id}`.
pub(crate) async fn show(app: Arc<App>, call: Call) -> Answer {
    call.query(&["lang"])?;
    let report = report(&app, call.outage()?).await?;
    let locale = super::frame::locale_of(&call);
    let view = app.service.view();
    let scene = Scene::still(&app, &view, locale);
    let what = named_outage(locale, &report.outage.of);
    let frame = Frame {
        app: &app,
        call: &call,
        locale,
        title: locale.word("report-title"),
        live: Live::No,
        class: "sheet",
        place: Some(Place::Outages),
        again: None,
    };
    let content = html! {
        h1.title {
            span.quiet { (locale.word("report-title")) } " " bdi.name dir="ltr" { (report.outage.id) } " " (rich(&what))
        }
        section.card.wide aria-label=(locale.word("report-what")) { h2 { (locale.word("report-what")) } (facts(&scene, &report.outage)) }
        section.card.wide aria-label=(locale.word("report-evidence")) {
            h2 { (locale.word("report-evidence")) }
            (evidence(&scene, &report.outage))
        }
        section.card.wide aria-label=(locale.word("report-impact")) { h2 { (locale.word("report-impact")) } (impact(locale, &report)) }
        @for (id, groups) in groups(locale, &report) {
            section.card.wide aria-label=(locale.word(id)) { h2 { (locale.word(id)) } (table(locale, id, &groups)) }
        }
    };
    Ok(frame.respond(StatusCode::OK, content))
}

fn facts(scene: &Scene<'_>, outage: &Outage) -> Markup {
    let locale = scene.locale;
    let end = outage.recovered.unwrap_or(scene.now);
    html! {
        dl.facts {
            dt { (locale.word("record-onset")) } dd { (scene.time(outage.onset)) }
            dt { (locale.word("record-found")) } dd { (locale.span_after(outage.detected.since(outage.onset))) }
            dt { (locale.word("record-cause")) }
            dd {
                (locale.reason(outage.cause))
                @if let Some(layer) = outage.layer { " " span.quiet { "(" (locale.layer(layer)) ")" } }
            }
            dt { (locale.word("report-blame")) } dd { (locale.word(&format!("blame-{}", outage.blame().name()))) }
            dt { (locale.word("record-end")) }
            dd { @match outage.recovered { Some(at) => (scene.time(at)), None => (locale.word("going-on")) } }
            dt { (locale.word("record-lasted")) } dd { (locale.span(end.since(outage.onset))) }
        }
    }
}

/// Draws the evidence of a verdict, a line each.
pub(super) fn evidence(scene: &Scene<'_>, outage: &Outage) -> Markup {
    let locale = scene.locale;
    html! {
        @if outage.signs.is_empty() { p.none { (locale.word("sign-none")) } }
        @else { ul { @for sign in &outage.signs { li { (rich(&told(locale, sign))) } } } }
    }
}

/// Says a piece of evidence in words.
pub(super) fn told(locale: Locale, sign: &Sign) -> String {
    let n = |n: u32| ("n", Arg::Count(n.into()));
    let gateway = |name: &str| ("gateway", Arg::text(name));
    match sign {
        Sign::Probes { failed, layer, reason } => {
            let why = ("why", Arg::text(locale.reason(*reason)));
            match layer {
                Some(layer) => {
                    let layer = ("layer", Arg::text(locale.layer(*layer)));
                    locale.say("sign-probes-layer", &[n(*failed), why, layer])
                }
                None => locale.say("sign-probes", &[n(*failed), why]),
            }
        }
        Sign::Attempts { failed, reason } => {
            locale.say("sign-attempts", &[n(*failed), ("why", Arg::text(locale.reason(*reason)))])
        }
        Sign::Receipts { gateway: name, region, came, expected } => {
            let args = [
                gateway(name),
                ("region", Arg::text(&**region)),
                ("came", Arg::text(locale.number((*came).into()))),
                ("expected", Arg::text(locale.number((*expected).into()))),
            ];
            let id = if region.is_empty() { "sign-receipts" } else { "evidence-receipts-region" };
            locale.say(id, &args)
        }
        Sign::Delivers { gateway: name, region } => {
            let id = if region.is_empty() { "sign-delivers" } else { "evidence-delivers-region" };
            locale.say(id, &[gateway(name), ("region", Arg::text(&**region))])
        }
        Sign::Controls { failed, of } => {
            let count = |n: u8| Arg::text(locale.number(n.into()));
            locale.say("sign-controls", &[("failed", count(*failed)), ("of", count(*of))])
        }
        Sign::Provider => locale.word("sign-provider"),
        Sign::Down { gateway: name } => locale.say("sign-down", &[gateway(name)]),
    }
}

fn impact(locale: Locale, report: &Report) -> Markup {
    let (all, into) = (&report.impact.all, &report.impact.into_it);
    let count = |n: u64| locale.number(n);
    let share = |n: u64| locale.percent(n as f64 / (all.deliveries.max(1)) as f64);
    let rows = [
        ("report-under-way", all.deliveries),
        ("report-reached", all.reached),
        ("report-rerouted", all.rerouted),
        ("report-delayed", all.delayed),
        ("report-missed", all.missed),
        ("report-open", all.open),
        ("report-duplicated", all.duplicated),
    ];
    html! {
        dl.facts {
            @for (id, n) in rows {
                dt { (locale.word(id)) }
                dd { bdi { (count(n)) } @if id != "report-under-way" && all.deliveries > 0 { " " span.quiet { (share(n)) } } }
            }
        }
        p {
            (rich(&locale.say("report-into-it", &[
                ("n", Arg::Count(into.attempts)),
                ("failed", Arg::text(count(into.failed))),
                ("swallowed", Arg::text(count(into.swallowed))),
            ])))
        }
        p {
            @match into.fixed_order() {
                None => (locale.word("report-fixed-unknown")),
                Some(fixed) => (rich(&locale.say("report-fixed", &[
                    ("n", Arg::Count(fixed.attempts)),
                    ("age", Arg::text(locale.span(fixed.waits.unwrap_or(Span::ZERO)))),
                    ("swallowed", Arg::text(count(fixed.swallowed))),
                ]))),
            }
        }
        @if !report.complete { p { strong { (locale.word("report-part")) } } }
        p.quiet { (locale.word("report-note")) }
    }
}

type Groups<'a> = Vec<(String, &'a Group)>;

fn groups<'a>(locale: Locale, report: &'a Report) -> Vec<(&'static str, Groups<'a>)> {
    let impact = &report.impact;
    let by_name = |groups: &'a std::collections::BTreeMap<String, Group>| -> Groups<'a> {
        let name = |name: &str| match name {
            "" => locale.word("report-none"),
            OTHERS => locale.word("report-others"),
            name => format!("\u{2068}{name}\u{2069}"),
        };
        groups.iter().map(|(key, of)| (name(key), of)).collect()
    };
    let channels = impact.channels.iter().map(|(channel, of)| (locale.channel(*channel), of)).collect();
    let all = vec![
        ("report-sectors", by_name(&impact.sectors)),
        ("report-audiences", by_name(&impact.audiences)),
        ("report-regions", by_name(&impact.regions)),
        ("report-channels", channels),
    ];
    all.into_iter().filter(|(_, groups)| !groups.is_empty()).collect()
}

fn table(locale: Locale, id: &str, groups: &Groups<'_>) -> Markup {
    let columns = [
        "report-under-way",
        "report-reached",
        "report-rerouted",
        "report-delayed",
        "report-missed",
        "report-half",
        "report-most",
        "report-answered",
        "report-answered-half",
    ];
    let span = |span: Option<Span>| span.map_or_else(|| "–".to_owned(), |span| locale.span(span));
    html! {
        div.scroll tabindex="0" role="region" aria-label=(locale.word(id)) {
            table {
                thead { tr {
                    th scope="col" { (locale.word("report-group")) }
                    @for column in columns { th.count scope="col" { (locale.word(column)) } }
                } }
                tbody { @for (name, of) in groups {
                    tr {
                        th scope="row" { (rich(name)) }
                        @for n in [of.deliveries, of.reached, of.rerouted, of.delayed, of.missed] {
                            td.count { bdi { (locale.number(n)) } }
                        }
                        td.count { (span(of.reached_within(0.5))) }
                        td.count { (span(of.reached_within(0.95))) }
                        td.count {
                            @if of.asked == 0 { "–" } @else { bdi { (locale.percent(of.answered as f64 / of.asked as f64)) } }
                        }
                        td.count { (span(of.answered_within(0.5))) }
                    }
                } }
            }
        }
    }
}
