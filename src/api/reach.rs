//! `GET /v1/reach`: who can be reached right now, by which channels; who by one road only; who by none.
//!
//! The numbers are kept by the service and may be half a minute old where the address book was just changed. A list is read
//! when it is asked for, by how the gateways stand at that instant. It names contacts by their ids; their names are for
//! those who may see the address book.

use super::App;
use super::audiences;
use super::call::{Answer, Call, json};
use super::show;
use crate::core::channel::Channel;
use crate::core::query::{Answer as Found, Contact, Query, ROWS_MAX, Role};
use crate::core::reach::{Reached, Roads};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// How many contacts one call looks at for those that it was asked for; `next` says where the following call goes on.
const LOOKED_AT_MAX: usize = 40 * ROWS_MAX;
/// How many audiences one answer names.
const AUDIENCES_SHOWN: usize = 1_000;

/// Whom a list is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// By nothing.
    None,
    /// By one road.
    One,
    /// By more.
    Several,
}

impl Who {
    pub(super) const ALL: [Who; 3] = [Who::None, Who::One, Who::Several];

    pub(super) fn name(self) -> &'static str {
        match self {
            Who::None => "none",
            Who::One => "one",
            Who::Several => "several",
        }
    }

    /// Says whether somebody with so many roads is meant.
    pub(super) fn has(self, roads: u32) -> bool {
        match self {
            Who::None => roads == 0,
            Who::One => roads == 1,
            Who::Several => roads > 1,
        }
    }
}

/// `GET /v1/reach`.
pub(crate) async fn show(app: Arc<App>, call: Call) -> Answer {
    let query = call.query(&["who", "audience", "after", "limit"])?;
    let Some(who) = query.word("who", &Who::ALL, Who::name)? else {
        // These belong to a list.
        call.query(&[])?;
        return Ok(json(StatusCode::OK, &summary(&app)));
    };
    let (mut after, limit) = (query.text("after").map(str::to_owned), query.limit()?);
    let audience = query.text("audience");
    // Whoever goes on with a list was told where it began.
    if let (Some(name), None) = (audience, &after) {
        audiences::expect_known(&app, &[("audience", name)]).await?;
    }
    let names = call.caller.role >= Role::Admin;
    let roads = Roads::of(&app.service.view());
    let wanted = |contact: &Contact| {
        who.has(roads.to(app.service.open_channels(&contact.person)))
            && audience.is_none_or(|name| contact.person.audiences.iter().any(|of| of == name))
    };
    let (mut rows, mut seen) = (Vec::new(), 0);
    let next = loop {
        let asked = Query::Contacts { after: after.clone(), limit: ROWS_MAX };
        let Found::Contacts(page) = app.service.read(asked).await? else { break None };
        let (count, mut full) = (page.len(), false);
        for contact in page {
            after = Some(contact.id.clone());
            if wanted(&contact) {
                rows.push(row(&app, &contact, &roads, names));
            }
            full = rows.len() == limit;
            if full {
                break;
            }
        }
        seen += count;
        if full || (seen >= LOOKED_AT_MAX && count == ROWS_MAX) {
            break after;
        }
        if count < ROWS_MAX {
            break None;
        }
    };
    Ok(json(StatusCode::OK, &json!({"contacts": rows, "next": next})))
}

fn row(app: &App, contact: &Contact, roads: &Roads, names: bool) -> Value {
    let channels = app.service.open_channels(&contact.person);
    let is_open = |channel: &Channel| channels.has(*channel) && roads.on(*channel) > 0;
    let (open, shut): (Vec<_>, Vec<_>) = contact.person.channels().iter().partition(is_open);
    let names_of = |channels: Vec<Channel>| channels.into_iter().map(Channel::name).collect::<Vec<_>>();
    let (open, shut) = (names_of(open), names_of(shut));
    let mut row = json!({"contact": contact.id, "roads": roads.to(channels), "channels": open, "shut": shut});
    if names {
        row["name"] = contact.name.clone().into();
    }
    row
}

fn summary(app: &App) -> Value {
    let reach = app.service.reach();
    let reached = |of: &Reached| json!({"people": of.people, "none": of.none, "one": of.one, "several": of.people - of.none - of.one});
    let audiences: Vec<_> = reach
        .audiences
        .iter()
        .take(AUDIENCES_SHOWN)
        .map(|(name, of)| {
            let mut shown = reached(of);
            shown["audience"] = name.clone().into();
            shown
        })
        .collect();
    let channels: Vec<_> = reach
        .channels
        .iter()
        .map(|(channel, (people, usable))| {
            json!({"channel": channel.name(), "people": people, "usable_gateways": usable})
        })
        .collect();
    json!({
        "at": show::time(reach.at),
        "counted_at": reach.counted_at.map(show::time),
        "all": reached(&reach.all),
        "audiences": audiences,
        "audiences_left_out": reach.left_out + reach.audiences.len().saturating_sub(AUDIENCES_SHOWN) as u64,
        "channels": channels,
    })
}
