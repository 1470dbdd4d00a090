//! Liveness, readiness and metrics.

use super::App;
use super::call::{Answer, Call, json};
use super::problem::{Kind, Problem};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::json;
use std::sync::Arc;

/// `GET /healthz`: the turn and the writer are alive.
pub(crate) async fn healthz(app: Arc<App>, _call: Call) -> Answer {
    let readiness = app.service.readiness();
    tell("healthy", readiness.healthy, readiness.why)
}

/// `GET /readyz`: the outbox is open and loaded, and a policy is in force.
pub(crate) async fn readyz(app: Arc<App>, _call: Call) -> Answer {
    let readiness = app.service.readiness();
    tell("ready", readiness.healthy && readiness.ready, readiness.why)
}

fn tell(word: &str, good: bool, why: Vec<String>) -> Answer {
    match good {
        true => Ok(json(StatusCode::OK, &json!({word: true}))),
        false => Err(Problem::new(Kind::Unavailable, format!("not {word}")).with("why", why).retry_after(1)),
    }
}

/// `GET /metrics`. Cites: the Prometheus text exposition format, 0.0.4.
pub(crate) async fn metrics(app: Arc<App>, _call: Call) -> Answer {
    let mut response = app.service.metrics().into_response();
    let media = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    Ok(response)
}
