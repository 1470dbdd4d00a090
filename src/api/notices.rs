//! What operators are told: the threads, who has seen one, who wants to hear no more of one for a while.

use super::App;
use super::board::{Silence, Thread};
use super::call::{Answer, BODY_BYTES_MAX, Call, bad_value, json, not_found};
use super::intake::later_than;
use super::messages::{ReasonBody, checked_reason};
use super::service::Change;
use super::show;
use crate::core::time::Span;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The longest silence: one that is forgotten hides the next trouble.
const SILENCE_MAX: Span = Span::from_hours(7 * 24);

/// `GET /v1/notices`.
pub(crate) async fn list(app: Arc<App>, call: Call) -> Answer {
    call.query(&[])?;
    let threads: Vec<Value> =
        app.config.board.threads().iter().map(|(name, thread)| shown(name, thread)).collect();
    Ok(json(StatusCode::OK, &json!({"notices": threads})))
}

/// `POST /v1/notices/{thread}/acknowledge`: somebody has seen it; it is not repeated.
pub(crate) async fn acknowledge(app: Arc<App>, mut call: Call) -> Answer {
    let reason = call.json::<ReasonBody>(BODY_BYTES_MAX).await?.checked()?;
    call.query(&[])?;
    let thread = call.param("thread").to_owned();
    let who = call.caller.who.clone();
    if app.config.board.thread(&thread).is_none() {
        return Err(unknown());
    }
    record(&app, &who, "acknowledge", &thread, reason).await?;
    app.config.board.acknowledge(&thread, who, app.service.now());
    told(&app, &thread)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SilenceBody {
    until: String,
    reason: String,
}

/// `POST /v1/notices/{thread}/silence`: nothing more is told of it until a time.
pub(crate) async fn silence(app: Arc<App>, mut call: Call) -> Answer {
    let SilenceBody { until, reason } = call.json(BODY_BYTES_MAX).await?;
    call.query(&[])?;
    let reason = checked_reason(reason)?;
    let now = app.service.now();
    let until = later_than(now, "until", &until)?;
    if until > now + SILENCE_MAX {
        return Err(bad_value("until", "a silence lasts a week at most"));
    }
    let thread = call.param("thread").to_owned();
    if app.config.board.thread(&thread).is_none() {
        return Err(unknown());
    }
    let who = call.caller.who.clone();
    record(&app, &who, "silence", &thread, reason.clone()).await?;
    app.config.board.silence(&thread, Silence { who, until, reason });
    told(&app, &thread)
}

fn unknown() -> super::problem::Problem {
    not_found("no notice has this thread; `GET /v1/notices` lists them")
}

async fn record(
    app: &App,
    who: &str,
    act: &'static str,
    thread: &str,
    reason: String,
) -> Result<(), super::problem::Problem> {
    let change = Change::Act { act, on: thread.to_owned(), reason };
    Ok(app.service.change(who.to_owned(), change).await?)
}

fn told(app: &App, thread: &str) -> Answer {
    let known = app.config.board.thread(thread).ok_or_else(unknown)?;
    Ok(json(StatusCode::OK, &shown(thread, &known)))
}

fn shown(name: &str, thread: &Thread) -> Value {
    json!({
        "thread": name,
        "kind": thread.kind,
        "severity": thread.severity.name(),
        "since": show::time(thread.since),
        "over": thread.over.map(show::time),
        "told": show::time(thread.told),
        "notices": thread.notices,
        "acknowledged": thread.acknowledged.as_ref().map(|(who, at)| json!({"who": who, "at": show::time(*at)})),
        "silenced": thread.silenced.as_ref().map(|silence| {
            json!({"who": silence.who, "until": show::time(silence.until), "reason": silence.reason})
        }),
    })
}
