//! Messages: taken in, shown with what became of them, recalled.

use super::App;
use super::call::{Answer, Call, bad_value, from_json, json, not_found, raw_json};
use super::intake::{self, MESSAGE_BYTES_MAX};
use super::people::{self, People};
use super::problem::{Kind, Problem};
use super::show;
use crate::core::effect::Reply;
use crate::core::ids::MessageId;
use crate::core::input::{Command, IdempotencyKey};
use crate::core::query::{Answer as Found, Query, ROWS_MAX};
use crate::core::reply::Asks;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use ring::digest;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;

/// A body longer than this waits for one of a few places.
const LARGE_BODY_BYTES: u64 = 64 * 1024;
/// How long it waits there before the caller is told to come back.
const PLACE_PATIENCE: Duration = Duration::from_secs(5);
/// The longest `Idempotency-Key`. Cites: draft-ietf-httpapi-idempotency-key-header sets none; 255 is usual.
pub(crate) const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// The longest reason that goes with an act.
pub(crate) const REASON_CHARS_MAX: usize = 500;
/// The most deliveries that one page shows: each comes with its attempts, receipts and plans.
const DELIVERIES_PAGE_MAX: usize = 200;
const _: () = assert!(DELIVERIES_PAGE_MAX <= ROWS_MAX);

/// `POST /v1/messages`. With `dry_run=true` nothing is stored or sent: the answer is a forecast.
pub(crate) async fn accept(app: Arc<App>, mut call: Call) -> Answer {
    let dry_run = call.query(&["dry_run"])?.get::<bool>("dry_run")?.unwrap_or(false);
    call.expect_json()?;
    let _place = place_for(&app, call.length()).await?;
    let bytes = call.bytes(MESSAGE_BYTES_MAX).await?;
    let idempotency = idempotency_key(&call, &bytes)?;
    if !dry_run && let Some(answer) = known(&app, idempotency).await? {
        return answer;
    }
    let mut checked = from_json::<intake::Body>(&bytes)?.check(app.service.now())?;
    let (People { recipients, audiences, without_address }, _crowd) =
        people::gather(&app, std::mem::take(&mut checked.to)).await?;
    let accept = checked.accept(call.caller.who, audiences, recipients, None, idempotency);
    if dry_run {
        let forecasted = app.service.forecast(accept).await?;
        let shown = super::forecast::shown(forecasted, app.service.now(), without_address)?;
        return Ok(json(StatusCode::OK, &shown));
    }
    match app.service.accept(accept).await? {
        Reply::Accepted { message, deliveries } => {
            Ok(accepted(message, deliveries, &[("without_address", without_address.into())]))
        }
        other => Err(refusal(other)),
    }
}

/// Returns the answer to a key that has made a message before.
pub(crate) async fn known(app: &App, key: Option<IdempotencyKey>) -> Result<Option<Answer>, Problem> {
    let Some(key) = key else { return Ok(None) };
    Ok(match app.service.read(Query::Idempotency(key)).await? {
        Found::Idempotency(body, message, deliveries) if body == key.body => {
            Some(Ok(accepted(message, deliveries, &[])))
        }
        Found::Idempotency(_, message, _) => Some(Err(key_conflict(message))),
        _ => None,
    })
}

/// Returns the place of a large body. Few of them are read at a time, so that memory stays bounded; the small ones need
/// none and never wait.
pub(crate) async fn place_for(
    app: &App,
    length: Option<u64>,
) -> Result<Option<SemaphorePermit<'_>>, Problem> {
    if length.is_some_and(|length| length <= LARGE_BODY_BYTES) {
        return Ok(None);
    }
    match tokio::time::timeout(PLACE_PATIENCE, app.large_bodies.acquire()).await {
        Ok(Ok(place)) => Ok(Some(place)),
        _ => Err(Problem::new(Kind::TooMany, "other large messages are being read").retry_after(1)),
    }
}

/// Answers 202: the message is on disk. Of `more`, what is not zero is said too.
pub(crate) fn accepted(
    message: MessageId,
    deliveries: u32,
    more: &[(&str, Value)],
) -> axum::response::Response {
    let mut body = format!(r#"{{"id":"{message}","deliveries":{deliveries}"#);
    let is_said = |value: &Value| *value != json!(0) && *value != json!({});
    for (name, value) in more.iter().filter(|(_, value)| is_said(value)) {
        body.push_str(&format!(r#","{name}":{value}"#));
    }
    body.push('}');
    let mut response = raw_json(StatusCode::ACCEPTED, body);
    if let Ok(place) = HeaderValue::try_from(format!("/v1/messages/{message}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Digests the caller's key, told apart by subject.
pub(crate) fn idempotency_key(call: &Call, body: &[u8]) -> Result<Option<IdempotencyKey>, Problem> {
    const KEY: HeaderName = HeaderName::from_static("idempotency-key");
    let Some(value) = call.parts.headers.get(&KEY) else { return Ok(None) };
    let key = value.as_bytes();
    if key.is_empty()
        || key.len() > IDEMPOTENCY_KEY_CHARS_MAX
        || !key.iter().all(|b| (0x20..0x7f).contains(b))
    {
        let why = format!("a key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} printable ASCII characters");
        return Err(bad_value("Idempotency-Key", why));
    }
    Ok(Some(digests(&[call.caller.who.as_bytes(), b"\0", key], body)))
}

/// Digests the parts of a key, and the body that goes with it.
pub(crate) fn digests(key: &[&[u8]], body: &[u8]) -> IdempotencyKey {
    let mut of_key = digest::Context::new(&digest::SHA256);
    key.iter().for_each(|part| of_key.update(part));
    IdempotencyKey {
        key: first_half(&of_key.finish()),
        body: first_half(&digest::digest(&digest::SHA256, body)),
    }
}

fn first_half(digest: &digest::Digest) -> [u8; 16] {
    digest.as_ref()[..16].try_into().expect("SHA-256 has 32 bytes")
}

fn key_conflict(message: MessageId) -> Problem {
    Problem::new(Kind::KeyConflict, "this key made another message; use a new key for a new body")
        .with("message", message.to_string())
}

/// Turns a reply that is not what was hoped for into a problem.
pub(crate) fn refusal(reply: Reply) -> Problem {
    match reply {
        Reply::KeyConflict { message } => key_conflict(message),
        Reply::Corrected { by } => super::correct::corrected(by),
        Reply::OutboxFull { retry_after } => {
            let secs = u32::try_from(retry_after.ms().div_euclid(1000) + 1).unwrap_or(1);
            Problem::new(
                Kind::TooMany,
                "as many deliveries are waiting as the outbox may hold; exercises may fill half of it",
            )
            .retry_after(secs)
        }
        Reply::NotFound => not_found("nothing of it is open any more"),
        Reply::Refused(why) => Problem::new(Kind::Refused, why),
        Reply::Accepted { .. } | Reply::Done { .. } => {
            Problem::new(Kind::Unavailable, "the service gave an answer to another question")
        }
    }
}

/// `GET /v1/messages`.
pub(crate) async fn list(app: Arc<App>, call: Call) -> Answer {
    let query = call.query(&["before", "limit"])?;
    let (before, limit) = (query.get("before")?, query.limit()?);
    let Found::Messages(rows) = app.service.read(Query::Messages { before, limit }).await? else {
        return Ok(json(StatusCode::OK, &json!({"messages": [], "next": null})));
    };
    let next =
        (rows.len() == limit).then(|| rows.last().map(|(message, _)| message.id.to_string())).flatten();
    let rows: Vec<_> = rows.iter().map(|(message, progress)| show::message(message, progress)).collect();
    Ok(json(StatusCode::OK, &json!({"messages": rows, "next": next})))
}

/// `GET /v1/messages/{id}`.
pub(crate) async fn show_one(app: Arc<App>, call: Call) -> Answer {
    call.query(&[])?;
    let id = call.message()?;
    match app.service.read(Query::Message(id)).await? {
        Found::Message(message, progress) => {
            let mut shown = show::message(&message, &progress);
            shown["corrected_by"] = match app.service.read(Query::CorrectionOf(message.id)).await? {
                Found::Correction(by) => by.to_string().into(),
                _ => serde_json::Value::Null,
            };
            Ok(json(StatusCode::OK, &shown))
        }
        _ => Err(no_message(id)),
    }
}

/// `GET /v1/messages/{id}/deliveries`.
pub(crate) async fn deliveries(app: Arc<App>, call: Call) -> Answer {
    let query = call.query(&["after", "limit"])?;
    let (message, after, limit) = (call.message()?, query.get("after")?, query.limit()?);
    let limit = limit.min(DELIVERIES_PAGE_MAX);
    let Found::Deliveries(stories) = app.service.read(Query::Deliveries { message, after, limit }).await?
    else {
        return Err(no_message(message));
    };
    let next = (stories.len() == limit).then(|| stories.last().map(|story| story.id.index)).flatten();
    let rows: Vec<_> = stories.iter().map(show::story).collect();
    Ok(json(StatusCode::OK, &json!({"deliveries": rows, "next": next})))
}

/// Why somebody does what he does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonBody {
    reason: String,
}

impl ReasonBody {
    /// Returns the reason, checked.
    pub(crate) fn checked(self) -> Result<String, Problem> {
        checked_reason(self.reason)
    }
}

/// Reads what a message asks its recipients to answer.
pub(super) fn checked_asks(words: &[String]) -> Result<Asks, Problem> {
    let known = |word: &String| Asks::ANSWERS.into_iter().find(|answer| answer.name() == word);
    let answers: Option<Vec<_>> = words.iter().map(known).collect();
    let asks = answers.map(Asks::of).filter(|asks| asks.answers().count() == words.len());
    asks.ok_or_else(|| bad_value("ack", "what can be asked for is `safe` and `need_help`, each once"))
}

/// Checks why somebody does what he does.
pub(crate) fn checked_reason(reason: String) -> Result<String, Problem> {
    let trimmed = reason.trim();
    match trimmed.is_empty()
        || trimmed.chars().count() > REASON_CHARS_MAX
        || trimmed.chars().any(char::is_control)
    {
        true => Err(bad_value("reason", format!("say why, in 1 to {REASON_CHARS_MAX} printable characters"))),
        false => Ok(trimmed.to_owned()),
    }
}

/// `POST /v1/messages/{id}/cancel`.
pub(crate) async fn cancel(app: Arc<App>, mut call: Call) -> Answer {
    let message = call.message()?;
    let reason = call.json::<ReasonBody>(super::call::BODY_BYTES_MAX).await?.checked()?;
    if let Found::Correction(by) = app.service.read(Query::CorrectionOf(message)).await? {
        let why = format!(
            "it was corrected by {by}, which stopped what was open of it; to recall the correction, cancel that one"
        );
        return Err(Problem::new(Kind::Refused, why).with("message", by.to_string()));
    }
    match carry_out(&app, call, Command::Cancel { message, reason }).await {
        Err(problem) if problem.kind() == Kind::NotFound => Err(nothing_open(&app, message).await?),
        answer => answer,
    }
}

/// Says why a message that is not at work cannot be recalled.
async fn nothing_open(app: &App, id: MessageId) -> Result<Problem, Problem> {
    Ok(match app.service.read(Query::Message(id)).await? {
        Found::Message(..) => Problem::new(
            Kind::Refused,
            "each of its deliveries has ended: there is nothing to recall; to take the words back, correct it",
        ),
        _ => no_message(id),
    })
}

/// Says that no message has this id.
pub(crate) fn no_message(id: MessageId) -> Problem {
    not_found(&format!("there is no message {id}, or it is no longer on record"))
}

/// Hands a command to the core and tells how much it changed.
pub(crate) async fn carry_out(app: &App, call: Call, command: Command) -> Answer {
    call.query(&[])?;
    match app.service.command(call.caller.who, command).await? {
        Reply::Done { changed } => Ok(json(StatusCode::OK, &json!({"changed": changed}))),
        other => Err(refusal(other)),
    }
}
