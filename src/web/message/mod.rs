//! One message: what it is, how far it is, and for each delivery its timeline and why it went that way, as stored.
//!
//! The text is folded: it is not on the page unless the page was asked for it.
//!
//! Limit: [`DELIVERIES_MAX`] deliveries a page.

mod delivery;
mod head;

use super::frame::{Frame, Live, Place, encoded};
use super::locale::Locale;
use super::page::drawn;
use super::panels::{Keyed, Live as Spoken, Scene, framed};
use super::sheet::Sheet;
use crate::api::App;
use crate::api::call::{Answer, Call, not_found};
use crate::api::problem::Problem;
use crate::core::ids::{DeliveryId, MessageId};
use crate::core::message::Message;
use crate::core::query::{Answer as Found, DeliveryStory, Query};
use crate::core::record::Progress;
use axum::http::StatusCode;
use maud::{PreEscaped, html};
use std::sync::Arc;

/// How many deliveries one page shows: each comes with all its attempts, receipts and plans, and while the page is
/// watched it is read again and again.
const DELIVERIES_MAX: usize = 10;

/// What is asked of a message's page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ask {
    id: MessageId,
    /// Only the deliveries after this index.
    after: Option<u32>,
    /// Only this delivery.
    delivery: Option<u32>,
    /// Whether the text is to be shown.
    text: bool,
}

/// What was found.
struct Told {
    message: Arc<Message>,
    progress: Progress,
    corrected_by: Option<MessageId>,
    stories: Vec<DeliveryStory>,
}

impl Ask {
    /// Reads the address of a message's page, as its feed names it.
    pub(super) fn of(address: &str) -> Option<Ask> {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let mut ask = Ask {
            id: path.strip_prefix("/messages/")?.parse().ok()?,
            after: None,
            delivery: None,
            text: false,
        };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "after" => ask.after = value.parse().ok(),
                "delivery" => ask.delivery = value.parse().ok(),
                "text" => ask.text = value == TEXT_SHOWN,
                _ => {}
            }
        }
        Some(ask)
    }

    /// Writes the address.
    fn address(&self) -> String {
        let mut pairs = Vec::new();
        pairs.extend(self.after.map(|after| format!("after={after}")));
        pairs.extend(self.delivery.map(|delivery| format!("delivery={delivery}")));
        pairs.extend(self.text.then(|| format!("text={TEXT_SHOWN}")));
        let between = if pairs.is_empty() { "" } else { "?" };
        format!("/messages/{}{between}{}", self.id, pairs.join("&"))
    }
}

/// How an address asks for the text.
pub(crate) const TEXT_SHOWN: &str = "shown";

/// `GET /messages/{id}`.
pub(crate) async fn show(app: Arc<App>, call: Call) -> Answer {
    let query = call.query(&["after", "delivery", "text", "lang"])?;
    let ask = Ask {
        id: call.message()?,
        after: query.get("after")?,
        delivery: query.get("delivery")?,
        text: query.word("text", &[true], |_| TEXT_SHOWN)?.is_some(),
    };
    let (locale, plain) = drawn(&app, &call, &Sheet::Plain);
    let panels = panels(&app, locale, &ask).await?.ok_or_else(|| not_found("no message has this id"))?;
    let frame = Frame {
        app: &app,
        call: &call,
        locale,
        title: locale.word("message-title"),
        live: Live::Feed(ask.address()),
        class: "sheet",
        place: Some(Place::Deliveries),
        again: None,
    };
    let content = html! {
        h1.title { span.quiet { (locale.word("message-title")) } " " bdi.name dir="ltr" { (ask.id) } }
        (plain)
        @for (_, panel) in &panels { (PreEscaped(panel)) }
    };
    Ok(frame.respond(StatusCode::OK, content))
}

/// Reads what there is to show and draws it; `None`: there is no such message.
pub(super) async fn panels(
    app: &App,
    locale: Locale,
    ask: &Ask,
) -> Result<Option<Vec<(Keyed, String)>>, Problem> {
    let Some(told) = read(app, ask).await? else { return Ok(None) };
    let view = app.service.view();
    let scene = Scene::still(app, &view, locale);
    Ok(Some(vec![
        framed("facts", "card wide", Spoken::No, &head::facts(&scene, &told)),
        framed("progress", "card", Spoken::Yes, &head::progress(&scene, &told)),
        framed("text", "card", Spoken::No, &head::text(&scene, &told, ask)),
        framed("deliveries", "card wide", Spoken::No, &delivery::list(&scene, &told, ask)),
    ]))
}

async fn read(app: &App, ask: &Ask) -> Result<Option<Told>, Problem> {
    let Found::Message(message, progress) = app.service.read(Query::Message(ask.id)).await? else {
        return Ok(None);
    };
    let corrected_by = match app.service.read(Query::CorrectionOf(ask.id)).await? {
        Found::Correction(by) => Some(by),
        _ => None,
    };
    let query = match ask.delivery {
        Some(index) => Query::Delivery(DeliveryId::new(ask.id, index)),
        None => Query::Deliveries { message: ask.id, after: ask.after, limit: DELIVERIES_MAX },
    };
    let stories = match app.service.read(query).await? {
        Found::Deliveries(stories) => stories,
        _ => Vec::new(),
    };
    Ok(Some(Told { message, progress, corrected_by, stories }))
}

/// Writes the way to a message.
pub(super) fn link(id: MessageId) -> maud::Markup {
    html! { a.name href=(format!("/messages/{}", encoded(&id.to_string()))) dir="ltr" { bdi { (id) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        let id = MessageId::from_bytes([3; 16]);
        for (after, delivery, text) in
            [(None, None, false), (Some(19), None, true), (None, Some(4), false), (None, None, true)]
        {
            let ask = Ask { id, after, delivery, text };
            assert_eq!(Ask::of(&ask.address()), Some(ask));
        }
        assert_eq!(Ask::of("/messages/nothing"), None);
        assert_eq!(Ask::of("/deliveries"), None);
    }
}
