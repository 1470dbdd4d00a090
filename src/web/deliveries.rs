//! `/deliveries`: the queue in numbers, the oldest that are open, the newest messages, the way to one by its id, and those
//! that somebody seeks: see [`found`].
//!
//! Limit: [`MESSAGES_MAX`] messages a page.

use super::found;
use super::frame::{Frame, Live, Place, encoded};
use super::locale::{Arg, rich};
use super::message::link;
use super::page::drawn;
use super::panels::Scene;
use super::sheet::Sheet;
use crate::api::App;
use crate::api::call::{Answer, Call, QueryPairs};
use crate::api::deliveries::{self, Sought};
use crate::core::ids::{AttemptId, DeliveryId, MessageId};
use crate::core::message::Message;
use crate::core::query::{Answer as Found, Query};
use crate::core::record::Progress;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use maud::{Markup, html};
use std::sync::Arc;

/// How many messages one page lists.
const MESSAGES_MAX: usize = 20;

/// `GET /deliveries`.
pub(crate) async fn show(app: Arc<App>, call: Call) -> Answer {
    let known: Vec<&str> = ["lang", "find", "before", "after"].into_iter().chain(Sought::NAMES).collect();
    let query = call.query(&known)?.filled();
    let wanted = query.text("find").map(str::trim).filter(|text| !text.is_empty());
    if let Some(place) = wanted.and_then(place_of) {
        let place = HeaderValue::try_from(place).unwrap_or(HeaderValue::from_static("/deliveries"));
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response());
    }
    let before: Option<MessageId> = query.get("before")?;
    let (sought, after) = (Sought::read(&query)?, deliveries::place(&query, "after")?);
    let found = match sought == Sought::default() {
        true => None,
        false => Some(deliveries::walk(&app, &sought, after, found::FOUND_MAX).await?),
    };
    let messages = match app.service.read(Query::Messages { before, limit: MESSAGES_MAX }).await? {
        Found::Messages(messages) => messages,
        _ => Vec::new(),
    };
    let (locale, panels) = drawn(&app, &call, &Sheet::Deliveries);
    let frame = Frame {
        app: &app,
        call: &call,
        locale,
        title: locale.word("nav-deliveries"),
        live: Live::Feed("/deliveries".into()),
        class: "sheet",
        place: Some(Place::Deliveries),
        again: None,
    };
    let view = app.service.view();
    let scene = Scene::still(&app, &view, locale);
    let content = html! {
        h1.title { (locale.word("nav-deliveries")) }
        (search(&scene, wanted))
        (found::form(&scene, &sought))
        @if let Some(walked) = &found {
            (found::list(&scene, walked, walked.next.map(|next| older(&query, next)).as_deref()))
        }
        (panels)
        (list(&scene, &messages))
    };
    Ok(frame.respond(StatusCode::OK, content))
}

/// Returns the way to what was accepted before this delivery, with what is sought.
fn older(query: &QueryPairs, next: DeliveryId) -> String {
    let sought = Sought::NAMES.into_iter().filter_map(|name| Some((name, query.text(name)?)));
    let sought: String = sought.map(|(name, value)| format!("{name}={}&", encoded(value))).collect();
    format!("/deliveries?{sought}after={next}#found")
}

/// Returns the page of what has this id: a message, a delivery or an attempt.
fn place_of(text: &str) -> Option<String> {
    let message = text.parse().ok().map(|id: MessageId| format!("/messages/{id}"));
    let delivery = |id: DeliveryId| format!("/messages/{}?delivery={}", id.message, id.index);
    message
        .or_else(|| text.parse().ok().map(delivery))
        .or_else(|| text.parse().ok().map(|id: AttemptId| delivery(id.delivery)))
}

fn search(scene: &Scene<'_>, wanted: Option<&str>) -> Markup {
    let locale = scene.locale;
    html! {
        form.search.wide method="get" action="/deliveries" role="search" {
            label for="find" { (locale.word("find-label")) }
            input #find type="search" name="find" dir="ltr" maxlength="64" value=[wanted] spellcheck="false"
                autocomplete="off" aria-describedby="find-hint";
            button type="submit" { (locale.word("find-go")) }
            @if wanted.is_some() { p.trouble role="alert" { (locale.word("find-nothing")) } }
            p.quiet #find-hint { (locale.word("find-hint")) }
        }
    }
}

fn list(scene: &Scene<'_>, messages: &[(Arc<Message>, Progress)]) -> Markup {
    let locale = scene.locale;
    let columns = [
        "message-title",
        "severity",
        "message-accepted",
        "message-author",
        "message-progress",
        "message-late",
    ];
    let last = (messages.len() == MESSAGES_MAX).then(|| messages.last().map(|(m, _)| m.id)).flatten();
    html! {
        section.card.wide #messages aria-label=(locale.word("messages-label")) {
            h2 { (locale.word("messages-label")) }
            @if messages.is_empty() { p.none { (locale.word("messages-none")) } }
            @else {
                div.scroll tabindex="0" role="region" aria-label=(locale.word("messages-label")) {
                    table {
                        thead { tr { @for column in columns { th scope="col" { (locale.word(column)) } } } }
                        tbody { @for (message, progress) in messages { (row(scene, message, progress)) } }
                    }
                }
                @if let Some(last) = last {
                    nav.pages aria-label=(locale.word("pages-label")) {
                        a rel="next" href=(format!("/deliveries?before={last}#messages")) { (locale.word("pages-older")) }
                    }
                }
            }
        }
    }
}

fn row(scene: &Scene<'_>, message: &Message, progress: &Progress) -> Markup {
    let locale = scene.locale;
    let ended: u32 = progress.settled.iter().sum();
    let args =
        [("ended", Arg::text(locale.number(ended.into()))), ("n", Arg::Count(message.recipients.into()))];
    html! {
        tr {
            th scope="row" { (link(message.id)) }
            td { (locale.severity(message.severity)) }
            td { (scene.time(message.accepted_at)) " " span.quiet { (scene.ago(message.accepted_at)) } }
            td { bdi { (message.author) } }
            td { (rich(&locale.say("messages-progress", &args))) }
            td.count { bdi { (locale.number(progress.late.into())) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_any_kind_leads_to_its_page() {
        let id = MessageId::from_bytes([3; 16]);
        assert_eq!(place_of(&id.to_string()), Some(format!("/messages/{id}")));
        assert_eq!(place_of(&format!("{id}-7")), Some(format!("/messages/{id}?delivery=7")));
        assert_eq!(place_of(&format!("{id}-7-2")), Some(format!("/messages/{id}?delivery=7")));
        assert_eq!(place_of("//evil.example"), None);
    }
}
