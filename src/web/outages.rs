//! `/outages`: what goes on and what ended last, over time and one a row; the older ones page by page.

use super::frame::{Frame, Live, Place};
use super::page::drawn;
use super::panels::{Scene, outage_record};
use super::sheet::Sheet;
use crate::api::App;
use crate::api::call::{Answer, Call};
use crate::core::ids::OutageId;
use crate::core::query::{Answer as Found, Query};
use crate::core::record::Outage;
use axum::http::StatusCode;
use maud::{Markup, html};
use std::sync::Arc;

/// How many outages one page of the record lists.
const OUTAGES_MAX: usize = 50;

/// `GET /outages`.
pub(crate) async fn show(app: Arc<App>, call: Call) -> Answer {
    let before: Option<OutageId> = call.query(&["lang", "before"])?.get("before")?;
    let view = app.service.view();
    // The picture has those that go on, and those that ended since the start; the store has the others.
    let ended = view.outages.iter().filter(|outage| outage.recovered.is_some());
    let first = before.or_else(|| ended.map(|outage| outage.id).min());
    let read = Query::Outages { before: first, limit: OUTAGES_MAX };
    let mut older = match app.service.read(read).await? {
        Found::Outages(outages) => outages,
        _ => Vec::new(),
    };
    let next = (older.len() == OUTAGES_MAX).then(|| older.last().map(|outage| outage.id)).flatten();
    older.retain(|outage| outage.recovered.is_some());
    let sheet = if before.is_some() { Sheet::Plain } else { Sheet::Outages };
    let (locale, panels) = drawn(&app, &call, &sheet);
    let frame = Frame {
        app: &app,
        call: &call,
        locale,
        title: locale.word("nav-outages"),
        live: Live::Feed(if before.is_some() { "/plain" } else { "/outages" }.into()),
        class: "sheet",
        place: Some(Place::Outages),
        again: None,
    };
    let scene = Scene::still(&app, &view, locale);
    let content = html! {
        h1.title { (locale.word("nav-outages")) }
        (panels)
        @if before.is_some() || !older.is_empty() { (page_of(&scene, &older)) }
        (ways(&scene, before.is_some(), next))
    };
    Ok(frame.respond(StatusCode::OK, content))
}

fn page_of(scene: &Scene<'_>, outages: &[Outage]) -> Markup {
    let label = scene.locale.word("record-older");
    let outages: Vec<&Outage> = outages.iter().collect();
    html! { section.card.wide aria-label=(label) { h2 { (label) } (outage_record(scene, &outages)) } }
}

fn ways(scene: &Scene<'_>, is_older: bool, next: Option<OutageId>) -> Markup {
    let locale = scene.locale;
    html! {
        nav.pages.wide aria-label=(locale.word("pages-label")) {
            @if is_older { a rel="first" href="/outages" { (locale.word("pages-newest")) } " " }
            @if let Some(next) = next {
                a rel="next" href=(format!("/outages?before={next}")) { (locale.word("pages-older")) }
            }
        }
    }
}
