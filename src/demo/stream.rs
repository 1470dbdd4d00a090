//! Sends the plan's messages through the service's own HTTP interface, each at its time.
//!
//! A message that is not taken is sent again with the same `Idempotency-Key`, as a good client does.

use super::plan::{Plan, Planned, To};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How often a message that was not taken is sent again, with a pause of this between.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was taken so far.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Messages that were answered by 202.
    pub(crate) messages: AtomicU64,
    /// The deliveries that those answers promised.
    pub(crate) deliveries: AtomicU64,
    /// Messages that were refused or never answered.
    pub(crate) refused: AtomicU64,
}

/// Sends everything, each at its time since `began`; ends with the last answer.
pub(crate) async fn send_all(plan: Arc<Plan>, to: SocketAddr, began: Instant, sent: Arc<Sent>) {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut out = JoinSet::new();
    for at in 0..plan.messages.len() {
        let Some(message) = plan.messages.get(at) else { break };
        tokio::time::sleep_until(began + Duration::from_secs_f64(message.at)).await;
        let (client, sent) = (client.clone(), Arc::clone(&sent));
        let body = Bytes::from(body(&plan, message).to_string());
        let key = format!("demo-{}", message.number);
        out.spawn(async move { send(&client, to, &key, body, &sent).await });
        while out.try_join_next().is_some() {}
    }
    while out.join_next().await.is_some() {}
}

fn body(plan: &Plan, message: &Planned) -> Value {
    let to = match &message.to {
        To::One(person) => json!({"contact": plan.people.get(*person).map(|contact| &contact.id)}),
        To::Audience(name) => json!({"audience": name}),
    };
    json!({
        "severity": message.severity.name(),
        "urgency": "immediate",
        "to": [to],
        "text": message.text(),
    })
}

async fn send(
    client: &Client<HttpConnector, Full<Bytes>>,
    to: SocketAddr,
    key: &str,
    body: Bytes,
    sent: &Sent,
) {
    for _ in 0..TRIES {
        match tokio::time::timeout(PATIENCE, post(client, to, key, body.clone())).await {
            Ok(Some((StatusCode::ACCEPTED, answer))) => {
                let deliveries = answer["deliveries"].as_u64().unwrap_or_default();
                sent.messages.fetch_add(1, Ordering::Relaxed);
                sent.deliveries.fetch_add(deliveries, Ordering::Relaxed);
                return;
            }
            // A refusal for good is the demonstration's mistake, and the report shows it.
            Ok(Some((status, _))) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                break;
            }
            Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    sent.refused.fetch_add(1, Ordering::Relaxed);
}

async fn post(
    client: &Client<HttpConnector, Full<Bytes>>,
    to: SocketAddr,
    key: &str,
    body: Bytes,
) -> Option<(StatusCode, Value)> {
    let request = Request::post(format!("http://{to}/v1/messages"))
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", key)
        .body(Full::new(body))
        .ok()?;
    let response = client.request(request).await.ok()?;
    let status = response.status();
    let body = response.into_body().collect().await.ok()?.to_bytes();
    Some((status, serde_json::from_slice(&body).unwrap_or_default()))
}
