//! The webhooks: batches of statuses, signed over the raw bytes, repeated when not taken.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use hyper::StatusCode;
use hyper::body::Bytes;
use ring::hmac;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::agenda::Agenda;
use super::super::desk::{Gate, lock, unix_s};
use super::super::http::Caller;
use super::super::listen::stopped;
use super::Options;
use super::errors::Refusal;

/// Webhook calls under way at once; Meta opens many, a receiver should take a few.
const CALLS_MAX: usize = 16;

/// Repeats of a webhook call that was not taken. Meta goes on for 7 days; this lasts for as long as anybody runs it.
const REPEATS_MAX: u32 = 10_000;

/// The wait before the first repeat; each further one waits twice as long, up to a limit that a test can sit out.
const REPEAT_WAIT: Duration = Duration::from_millis(500);
const REPEAT_WAIT_MAX: Duration = Duration::from_secs(8);

/// What becomes known of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Sent,
    Delivered,
    Read,
    Failed,
}

/// One entry of a webhook call.
#[derive(Clone, Debug)]
pub(super) struct News {
    content: Content,
    repeats: u32,
    forged: bool,
}

#[derive(Clone, Debug)]
enum Content {
    Status(Value),
    Inbound { contact: Value, message: Value },
}

impl News {
    pub(super) fn status(
        wamid: &str,
        recipient: &str,
        status: Status,
        error: Option<Refusal>,
        reference: Option<&str>,
    ) -> Self {
        let word = match status {
            Status::Sent => "sent",
            Status::Delivered => "delivered",
            Status::Read => "read",
            Status::Failed => "failed",
        };
        let mut value = json!({ "id": wamid, "status": word, "recipient_id": recipient });
        if let Some(error) = error {
            value["errors"] = json!([error.in_status()]);
        }
        if let Some(reference) = reference {
            value["biz_opaque_callback_data"] = json!(reference);
        }
        Self::new(Content::Status(value))
    }

    pub(super) fn inbound(from: &str, message: Value) -> Self {
        let contact = json!({ "profile": { "name": "Emulated" }, "wa_id": from });
        Self::new(Content::Inbound { contact, message })
    }

    const fn new(content: Content) -> Self {
        Self { content, repeats: 0, forged: false }
    }

    /// Returns the same, to be signed with a wrong secret.
    pub(super) const fn forged(mut self) -> Self {
        self.forged = true;
        self
    }
}

/// The webhooks' state.
#[derive(Debug)]
pub(super) struct Hooks {
    pub(super) agenda: Agenda<News>,
    caller: Caller,
    phone_number_id: String,
    batch_max: usize,
    target: Mutex<Target>,
    taken: AtomicU64,
    failed: AtomicU64,
}

#[derive(Clone, Debug)]
struct Target {
    callback: Option<String>,
    secret: String,
}

impl Hooks {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            agenda: Agenda::new(),
            caller: Caller::new(),
            phone_number_id: options.phone_number_id.clone(),
            batch_max: options.batch_max.max(1),
            target: Mutex::new(Target {
                callback: options.callback.clone(),
                secret: options.app_secret.clone(),
            }),
            taken: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    pub(super) fn set_callback(&self, url: Option<String>) {
        lock(&self.target).callback = url;
    }

    pub(super) fn set_secret(&self, secret: &str) {
        secret.clone_into(&mut lock(&self.target).secret);
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Calls the webhook once with all of `batch`; what was not taken comes again later.
    pub(super) async fn send(&self, batch: Vec<News>) {
        let (forged, honest): (Vec<_>, Vec<_>) = batch.into_iter().partition(|news| news.forged);
        for part in [honest, forged] {
            if !part.is_empty() {
                self.call(part).await;
            }
        }
    }

    async fn call(&self, batch: Vec<News>) {
        let target = lock(&self.target).clone();
        let Some(url) = target.callback else {
            return;
        };
        let body = Bytes::from(self.body(&batch).to_string());
        let forged = batch.iter().any(|news| news.forged);
        let secret = if forged { "not-the-app-secret" } else { &target.secret };
        let header = ("X-Hub-Signature-256", &*signature(secret, &body));
        if self.caller.post(&url, header, body).await.is_some() {
            self.taken.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.failed.fetch_add(1, Ordering::Relaxed);
        for mut news in batch {
            // A forgery that was refused has done what it was for.
            if news.repeats < REPEATS_MAX && !news.forged {
                let wait = (REPEAT_WAIT * 2_u32.saturating_pow(news.repeats.min(16))).min(REPEAT_WAIT_MAX);
                news.repeats += 1;
                self.agenda.push(wait, news);
            }
        }
    }

    fn body(&self, batch: &[News]) -> Value {
        let timestamp = unix_s().to_string();
        let (mut statuses, mut contacts, mut messages) = (Vec::new(), Vec::new(), Vec::new());
        for news in batch {
            match &news.content {
                Content::Status(status) => {
                    let mut status = status.clone();
                    status["timestamp"] = json!(timestamp);
                    statuses.push(status);
                }
                Content::Inbound { contact, message } => {
                    contacts.push(contact.clone());
                    messages.push(message.clone());
                }
            }
        }
        let mut changes = Vec::new();
        if !statuses.is_empty() {
            changes.push(self.change(json!({ "statuses": statuses })));
        }
        if !messages.is_empty() {
            changes.push(self.change(json!({ "contacts": contacts, "messages": messages })));
        }
        json!({
            "object": "whatsapp_business_account",
            "entry": [{ "id": "WABA", "changes": changes }],
        })
    }

    fn change(&self, mut value: Value) -> Value {
        value["messaging_product"] = json!("whatsapp");
        value["metadata"] = json!({
            "display_phone_number": "15550001111",
            "phone_number_id": self.phone_number_id,
        });
        json!({ "field": "messages", "value": value })
    }

    /// Makes the verification handshake, with the right token and with a wrong one.
    pub(super) async fn verify(&self, verify_token: &str) -> bool {
        let Some(url) = lock(&self.target).callback.clone() else {
            return false;
        };
        let right = self.challenge(&url, verify_token).await;
        let wrong = self.challenge(&url, "wrong-token").await;
        matches!(right, Some((status, body)) if status == StatusCode::OK && &body[..] == CHALLENGE)
            && matches!(wrong, Some((status, _)) if status == StatusCode::FORBIDDEN)
    }

    async fn challenge(&self, url: &str, token: &str) -> Option<(StatusCode, Bytes)> {
        let token: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let join = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{join}hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444");
        let request = hyper::Request::get(url).body(Full::new(Bytes::new())).ok()?;
        let answer = self.caller.call(request).await?;
        Some((answer.status(), answer.into_body()))
    }
}

/// The challenge of the handshake, which the other side must echo.
const CHALLENGE: &[u8] = b"1158201444";

/// Returns the value of `X-Hub-Signature-256` for a body.
#[must_use]
pub fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body);
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// Calls the webhook as statuses fall due, until the emulator stops.
pub(super) async fn courier(hooks: Arc<Hooks>, mut gate: watch::Receiver<Gate>) {
    let work = async {
        let mut calls = JoinSet::new();
        loop {
            let batch = hooks.agenda.take(hooks.batch_max).await;
            while calls.len() >= CALLS_MAX {
                calls.join_next().await;
            }
            while calls.try_join_next().is_some() {}
            let hooks = Arc::clone(&hooks);
            calls.spawn(async move { hooks.send(batch).await });
        }
    };
    tokio::select! {
        () = work => {}
        () = stopped(&mut gate) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn signatures_match_the_published_vector() {
        assert_eq!(
            signature("app-secret", br#"{"a":1}"#),
            "sha256=a2ac6607a24977f9757e6d78319ae1660ad42ffeee0ee3f0dff30a92bcf85448"
        );
    }
}
