//! A correction: other words to exactly those who may have got a message, and its end for the rest.
//!
//! In two acts. First the message is withdrawn, which is durable before anything else is asked: from then on nobody more
//! gets it, so that who may have got it can be read at leisure. Then the correction is accepted like any message. Where
//! the second act fails, the first stands: the caller has no 202, and asks again.
//!
//! Invariant: a message has one correction at most. Whoever has something to add corrects that one, whose recipients
//! have all got something of the chain, or were meant to by an Update of the alert that it came of ([`super::cap`]).

use super::App;
use super::call::{Answer, Call, from_json, json};
use super::intake::{self, MESSAGE_BYTES_MAX};
use super::messages::{accepted, idempotency_key, known, no_message, place_for, refusal};
use super::people;
use super::problem::{Kind, Problem};
use crate::core::effect::Reply;
use crate::core::ids::MessageId;
use crate::core::input::Command;
use crate::core::message::{Message, Recipient};
use crate::core::query::{Answer as Found, Query, ROWS_MAX};
use axum::http::StatusCode;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// `POST /v1/messages/{id}/correct`.
pub(crate) async fn correct(app: Arc<App>, mut call: Call) -> Answer {
    call.query(&[])?;
    call.expect_json()?;
    let id: MessageId = call.message()?;
    let _place = place_for(&app, call.length()).await?;
    let bytes = call.bytes(MESSAGE_BYTES_MAX).await?;
    let idempotency = idempotency_key(&call, &bytes)?;
    if let Some(answer) = known(&app, idempotency).await? {
        return answer;
    }
    let Found::Message(of, _) = app.service.read(Query::Message(id)).await? else {
        return Err(no_message(id));
    };
    if let Found::Correction(by) = app.service.read(Query::CorrectionOf(id)).await? {
        return Err(corrected(by));
    }
    let (checked, reason) = from_json::<intake::Correction>(&bytes)?.check(app.service.now(), &of)?;
    // Those who got it may be a crowd. Its place comes first: what was withdrawn should not wait for other words.
    let _crowd = people::crowd(&app).await?;
    let who = call.caller.who.clone();
    let command = Command::Correct { message: id, reason };
    let superseded = match app.service.command(who, command).await? {
        Reply::Done { changed } => changed,
        other => return Err(refusal(other)),
    };
    let recipients = may_have_got(&app, &of).await?;
    if recipients.is_empty() {
        // Nobody got the wrong words, and nobody will.
        let nothing = json!({"id": null, "deliveries": 0, "superseded": superseded});
        return Ok(json(StatusCode::ACCEPTED, &nothing));
    }
    let untranslated = untranslated(&of, &checked.text, &recipients);
    let accept = checked.accept(call.caller.who, of.audiences.clone(), recipients, Some(id), idempotency);
    match app.service.accept(accept).await? {
        Reply::Accepted { message, deliveries } => {
            let more = [("superseded", superseded.into()), ("untranslated", json!(untranslated))];
            Ok(accepted(message, deliveries, &more))
        }
        other => Err(refusal(other)),
    }
}

/// Counts who read the first words in a language in which the correction has none, by that language: they get another.
fn untranslated(of: &Message, text: &BTreeMap<String, String>, to: &[Recipient]) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    // A template has its own languages, at the provider's.
    let is_said = |language: &str| text.is_empty() || text.contains_key(language);
    for recipient in to {
        if let Some((language, _)) = of.text_for(recipient.language.as_deref()).filter(|(l, _)| !is_said(l)) {
            *found.entry(language.to_owned()).or_default() += 1;
        }
    }
    found
}

/// Reads who may have got a message, or for a correction, something of the chain that it is part of.
pub(super) async fn may_have_got(app: &App, of: &Message) -> Result<Vec<Recipient>, Problem> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let query = Query::Deliveries { message: of.id, after, limit: ROWS_MAX };
        let Found::Deliveries(stories) = app.service.read(query).await? else { break };
        let Some(last) = stories.last().map(|story| story.id.index) else { break };
        let reached = stories.into_iter().filter(|s| of.corrects.is_some() || s.may_have_arrived());
        found.extend(reached.map(|story| story.recipient));
        after = Some(last);
    }
    match after.map_or(0, |last| last + 1) == of.recipients {
        true => Ok(found),
        false => {
            let why =
                "its deliveries are no longer on record, so nobody can say who got it; send a new message";
            Err(Problem::new(Kind::Refused, why))
        }
    }
}

/// Says that a message has its correction.
pub(crate) fn corrected(by: MessageId) -> Problem {
    Problem::new(
        Kind::Refused,
        format!("it was corrected by {by}; to change the words again, correct that one"),
    )
    .with("message", by.to_string())
}
