//! The audit record: who did what, each act with its place in the chain.

use super::App;
use super::call::{Answer, Call, PAGE_ROWS_MAX, bad_value, json};
use super::intake::time_of;
use super::show;
use crate::core::audit::{Anchor, Head, Link};
use crate::core::query::{ActsFrom, Answer as Found, Query};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// How many acts one call looks at for those that it was asked for; `next` says where the following call goes on.
const ACTS_LOOKED_AT_MAX: usize = 20 * PAGE_ROWS_MAX;

/// `GET /v1/audit`.
pub(crate) async fn list(app: Arc<App>, call: Call) -> Answer {
    let query = call.query(&["before", "after", "limit", "who", "act", "since", "until"])?;
    let (before, after, limit) = (query.get("before")?, query.get("after")?, query.limit()?);
    let [since, until] =
        ["since", "until"].map(|key| query.text(key).map(|text| time_of(key, text)).transpose());
    let (since, until) = (since?, until?);
    let asked = |link: &Link| {
        let act = &link.audit;
        query.text("who").is_none_or(|who| act.who == who)
            && query.text("act").is_none_or(|name| act.act == name)
            && since.is_none_or(|since| act.at >= since)
            && until.is_none_or(|until| act.at < until)
    };
    let mut from = match (before, after) {
        (Some(_), Some(_)) => return Err(bad_value("after", "give `before` or `after`, not both")),
        (None, Some(after)) => ActsFrom::After(after),
        (before, None) => ActsFrom::Before(before),
    };
    let is_filtered = ["who", "act", "since", "until"].iter().any(|key| query.text(key).is_some());
    let page = if is_filtered { PAGE_ROWS_MAX } else { limit };
    let (mut rows, mut looked_at, mut next) = (Vec::new(), 0, None);
    while rows.len() < limit && looked_at < ACTS_LOOKED_AT_MAX {
        let acts = match app.service.read(Query::Acts { from, limit: page }).await? {
            Found::Acts(acts) => acts,
            _ => Vec::new(),
        };
        looked_at += acts.len();
        // Newest first, those before the asked time are the end of it.
        let is_over = matches!(from, ActsFrom::Before(_))
            && acts.last().zip(since).is_some_and(|(last, since)| last.audit.at < since);
        next = acts.last().map(|link| link.number).filter(|_| acts.len() == page && !is_over);
        rows.extend(acts.into_iter().filter(asked));
        let Some(number) = next else { break };
        from = match from {
            ActsFrom::Before(_) => ActsFrom::Before(Some(number)),
            ActsFrom::After(_) => ActsFrom::After(number),
        };
    }
    if rows.len() > limit {
        rows.truncate(limit);
        next = rows.last().map(|link| link.number);
    }
    let (anchor, head) = match app.service.read(Query::ChainEnds).await? {
        Found::ChainEnds(anchor, head) => (anchor, head),
        _ => (Anchor::default(), Head::default()),
    };
    let body = json!({
        "acts": rows.iter().map(act).collect::<Vec<_>>(),
        "next": next,
        "anchor": {"number": anchor.number, "hash": anchor.hash.to_string(), "adopted": anchor.adopted},
        "head": self::head(head),
    });
    Ok(json(StatusCode::OK, &body))
}

/// Shows where the chain ends.
pub(crate) fn head(head: Head) -> Value {
    json!({"number": head.number, "hash": head.hash.to_string()})
}

fn act(link: &Link) -> Value {
    let Link { number, prev, hash, audit } = link;
    json!({
        "number": number, "prev": prev.to_string(), "at": show::time(audit.at), "who": audit.who, "act": audit.act,
        "on": audit.on, "reason": audit.reason, "hash": hash.to_string(),
    })
}
