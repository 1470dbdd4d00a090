//! What recipients said: newest first, addresses masked, the words as they came.

use super::App;
use super::call::{Answer, Call, bad_value, json};
use super::intake::checked_name;
use super::show;
use crate::core::ids::MessageId;
use crate::core::query::{Answer as Found, Query, ReplyScope};
use crate::core::reply::{ReplyKey, ReplyKind};
use axum::http::StatusCode;
use serde_json::json;
use std::sync::Arc;

/// `GET /v1/replies`.
pub(crate) async fn list(app: Arc<App>, call: Call) -> Answer {
    let query = call.query(&["before", "limit", "message", "incident", "kind"])?;
    let before = query.get::<ReplyKey>("before")?;
    let limit = query.limit()?;
    let kind = query.word("kind", &ReplyKind::ALL, ReplyKind::name)?;
    let scope = match (query.get::<MessageId>("message")?, query.get::<String>("incident")?) {
        (Some(_), Some(_)) => {
            return Err(bad_value("incident", "a message has one incident: give one of both"));
        }
        (Some(message), None) => ReplyScope::Message(message),
        (None, Some(incident)) => ReplyScope::Incident(checked_name("incident", incident)?),
        (None, None) => ReplyScope::All,
    };
    let replies = match app.service.read(Query::Replies { scope, kind, before, limit }).await? {
        Found::Replies(replies) => replies,
        _ => Vec::new(),
    };
    let next = replies.last().filter(|_| replies.len() == limit).map(|reply| reply.key().to_string());
    let shown: Vec<_> = replies.iter().map(show::reply).collect();
    Ok(json(StatusCode::OK, &json!({"replies": shown, "next": next})))
}
