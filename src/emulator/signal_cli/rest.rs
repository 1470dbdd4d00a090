//! The same engine behind signal-cli-rest-api: plain JSON over HTTP, receipts by WebSocket or when asked.
//!
//! Speaks `GET /v1/health`, `/v1/about` and `/v1/accounts`, `POST /v2/send`, and `/v1/receive/{number}`: a WebSocket in
//! [`Mode::JsonRpc`], an answer with what has come since in [`Mode::Normal`], whatever is asked for.
//
// Cites: github.com/bbernhard/signal-cli-rest-api, its API description and `src/api/api.go`.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::desk::{Desk, lock};
use super::super::http::{Answer, Request, Socket};
use super::rpc::{self, Failure};
use super::{Refusal, SignalCli};

/// How the container runs its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One daemon: receipts go to whoever listens, and are gone otherwise.
    JsonRpc,
    /// A process for each call: receipts wait until they are asked for.
    Normal,
}

fn refused(status: u16, text: &str) -> Answer {
    Answer::Json(status, json!({ "error": text }))
}

impl SignalCli {
    pub(super) async fn rest(&self, mode: Mode, desk: &Desk<Refusal>, request: &Request) -> Answer {
        match (&request.method, request.path.as_str()) {
            (&Method::GET, "/v1/health") => Answer::Text(204, String::new()),
            (&Method::GET, "/v1/about") => {
                let word = if mode == Mode::JsonRpc { "json-rpc" } else { "normal" };
                Answer::Json(
                    200,
                    json!({ "versions": ["v1", "v2"], "build": 2, "mode": word, "version": "0.96" }),
                )
            }
            (&Method::GET, "/v1/accounts") => Answer::Json(200, json!(*lock(&self.accounts))),
            (&Method::POST, "/v2/send") => self.rest_send(mode, desk, &request.body).await,
            (&Method::GET, path) => match path.strip_prefix("/v1/receive/") {
                Some(account) => self.rest_receive(mode, &account.replace("%2B", "+"), request).await,
                None => refused(404, "page not found"),
            },
            _ => refused(404, "page not found"),
        }
    }

    async fn rest_send(&self, mode: Mode, desk: &Desk<Refusal>, body: &[u8]) -> Answer {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(account) = asked["number"].as_str() else {
            return refused(400, "Couldn't process request - invalid request");
        };
        if !lock(&self.accounts).contains(account) {
            return refused(400, &format!("User {account} is not registered."));
        }
        let params = json!({ "recipient": asked["recipients"], "message": asked["message"] });
        match rpc::send(self, desk, account, &params).await {
            Ok(sent) => Answer::Json(201, json!({ "timestamp": sent["timestamp"].to_string() })),
            Err(Failure::Fault(fault)) => Answer::Fault(fault),
            Err(Failure::Error { message, data, .. }) => {
                of_result(mode, account, &message, &data["response"]["results"][0])
            }
        }
    }

    /// Hands receipts to a listener, or those that wait to whoever asks.
    async fn rest_receive(&self, mode: Mode, account: &str, request: &Request) -> Answer {
        if !lock(&self.accounts).contains(account) {
            return refused(400, &format!("User {account} is not registered."));
        }
        let Some(mut frames) = self.feed.listen(Some(account.to_owned())) else {
            return refused(400, "too many listeners");
        };
        if mode == Mode::JsonRpc {
            return match request.header("sec-websocket-key") {
                Some(key) => Answer::Socket(Socket { key: key.to_owned(), frames, open: opened }),
                None => refused(400, "websocket: the client is not using the websocket protocol"),
            };
        }
        let seconds = request.parameters().get("timeout").and_then(|text| text.parse().ok()).unwrap_or(1);
        let mut heard = Vec::new();
        let waited = tokio::time::timeout(Duration::from_secs(seconds), frames.recv()).await;
        heard.extend(waited.ok().flatten());
        // What comes from here on waits for the next question.
        frames.close();
        heard.extend(rest_of(&mut frames));
        let events = heard.iter().filter_map(|frame| serde_json::from_str::<Value>(opened(frame)?).ok());
        Answer::Json(200, events.collect())
    }
}

fn rest_of<T>(frames: &mut mpsc::Receiver<T>) -> Vec<T> {
    std::iter::from_fn(|| frames.try_recv().ok()).collect()
}

/// Returns what a frame of the event stream holds; `None`: it only keeps the stream alive.
fn opened(frame: &[u8]) -> Option<&str> {
    std::str::from_utf8(frame).ok()?.strip_prefix("event:receive\ndata:").map(str::trim_end)
}

/// Says in the container's words what became of a send to one recipient.
fn of_result(mode: Mode, account: &str, message: &str, result: &Value) -> Answer {
    let number = result["recipientAddress"]["number"].as_str().unwrap_or_default();
    match result["type"].as_str() {
        Some("UNREGISTERED_FAILURE") => {
            refused(400, &format!("Failed to send message: Unregistered user \"{number}\""))
        }
        Some("IDENTITY_FAILURE") => refused(400, &format!("Untrusted Identity for \"{number}\"")),
        Some("NETWORK_FAILURE" | "INVALID_PRE_KEY_FAILURE") => refused(400, "Network failure"),
        Some("RATE_LIMIT_FAILURE") if mode == Mode::JsonRpc => {
            let tokens: Vec<_> = result["token"].as_str().into_iter().collect();
            let text = "Failed to send message due to rate limiting";
            Answer::Json(429, json!({ "error": text, "challenge_tokens": tokens, "account": account }))
        }
        Some("RATE_LIMIT_FAILURE") => refused(400, "CAPTCHA proof required: rate limit exceeded"),
        _ => refused(400, message),
    }
}
