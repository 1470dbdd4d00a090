//! What users do, on its way to the bot: by long poll or by webhook, never by both.
//!
//! Invariant: an update leaves the queue only when the bot confirmed it: by a higher offset, or by
//! a 2xx of its webhook.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::super::desk::{Gate, lock, unix_s};
use super::super::http::Caller;
use super::super::listen::stopped;
use super::{Refusal, first_id, flag, number};

/// Updates that wait; Telegram keeps 24 hours.
const UPDATES_MAX: usize = 100_000;

/// Updates in one answer to `getUpdates`.
const BATCH_MAX: i64 = 100;

/// The longest poll, in seconds.
const POLL_MAX_S: i64 = 50;

/// The wait before a webhook call is repeated, doubled at each further failure up to the second.
const REPEAT_WAIT: Duration = Duration::from_millis(250);
const REPEAT_WAIT_MAX: Duration = Duration::from_secs(8);

/// The queue of updates.
#[derive(Debug)]
pub(super) struct Updates {
    queue: Mutex<Queue>,
    changed: Notify,
    next_id: AtomicI64,
    /// The number of the poll under way: a newer one ends an older one.
    poll: AtomicU64,
    caller: Caller,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(i64, Value)>,
    allowed: Option<BTreeSet<String>>,
    webhook: Option<Webhook>,
    /// When a webhook call last failed, and how.
    last_error: Option<(u64, String)>,
}

#[derive(Clone, Debug)]
struct Webhook {
    url: String,
    secret: String,
}

impl Updates {
    pub(super) fn new() -> Self {
        Self {
            queue: Mutex::default(),
            changed: Notify::new(),
            next_id: AtomicI64::new(first_id()),
            poll: AtomicU64::new(0),
            caller: Caller::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.queue).waiting.len()
    }

    /// Adds an update; returns false where the queue is full. What the bot did not ask for is
    /// forgotten at once.
    pub(super) fn push(&self, kind: &str, content: Value) -> bool {
        let queue = &mut *lock(&self.queue);
        if let Some(allowed) = &queue.allowed
            && !allowed.contains(kind)
        {
            return true;
        }
        if queue.waiting.len() >= UPDATES_MAX {
            return false;
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let update = json!({ "update_id": id, kind: content });
        queue.waiting.push_back((id, update));
        self.changed.notify_waiters();
        true
    }

    pub(super) fn webhook_info(&self) -> Value {
        let queue = lock(&self.queue);
        let url = queue.webhook.as_ref().map_or("", |webhook| &webhook.url);
        let mut info = json!({
            "url": url,
            "has_custom_certificate": false,
            "pending_update_count": queue.waiting.len(),
        });
        if let Some((at, text)) = &queue.last_error {
            info["last_error_date"] = json!(at);
            info["last_error_message"] = json!(text);
        }
        info
    }

    pub(super) fn set_webhook(&self, parameters: &Value) -> Result<(), Refusal> {
        let url = parameters["url"].as_str().unwrap_or_default();
        let secret = parameters["secret_token"].as_str().unwrap_or_default();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if secret.len() > 256 || !secret.bytes().all(fits) {
            let text = "Bad Request: secret token contains unallowed characters";
            return Err(Refusal::new(400, text));
        }
        let allowed = allowed(&parameters["allowed_updates"]);
        let drop_pending = flag(&parameters["drop_pending_updates"]);
        {
            let queue = &mut *lock(&self.queue);
            queue.webhook =
                (!url.is_empty()).then(|| Webhook { url: url.to_owned(), secret: secret.to_owned() });
            queue.last_error = None;
            if allowed.is_some() {
                queue.allowed = allowed;
            }
            if drop_pending {
                queue.waiting.clear();
            }
        }
        self.changed.notify_waiters();
        Ok(())
    }

    pub(super) fn delete_webhook(&self, drop_pending: bool) {
        let queue = &mut *lock(&self.queue);
        queue.webhook = None;
        queue.last_error = None;
        if drop_pending {
            queue.waiting.clear();
        }
    }

    /// Answers `getUpdates`, waiting as long as it was told to.
    pub(super) async fn fetch(&self, parameters: &Value) -> Result<Value, Refusal> {
        let poll = self.poll.fetch_add(1, Ordering::Relaxed) + 1;
        self.changed.notify_waiters();
        let offset = number(&parameters["offset"]).unwrap_or(0);
        let limit = number(&parameters["limit"]).unwrap_or(BATCH_MAX);
        let limit = usize::try_from(limit.clamp(1, BATCH_MAX)).unwrap_or(1);
        let wait_s = number(&parameters["timeout"]).unwrap_or(0);
        let wait_s = u64::try_from(wait_s.clamp(0, POLL_MAX_S)).unwrap_or(0);
        let until = Instant::now() + Duration::from_secs(wait_s);
        if let Some(allowed) = allowed(&parameters["allowed_updates"]) {
            lock(&self.queue).allowed = Some(allowed);
        }
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that no change between the two is missed.
            changed.as_mut().enable();
            let found = self.look(offset, limit)?;
            if !found.is_empty() || Instant::now() >= until {
                return Ok(Value::Array(found));
            }
            if self.poll.load(Ordering::Relaxed) != poll {
                let text = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
                return Err(Refusal::new(409, text));
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    fn look(&self, offset: i64, limit: usize) -> Result<Vec<Value>, Refusal> {
        let queue = &mut *lock(&self.queue);
        if queue.webhook.is_some() {
            let text = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
            return Err(Refusal::new(409, text));
        }
        if offset > 0 {
            while queue.waiting.front().is_some_and(|(id, _)| *id < offset) {
                queue.waiting.pop_front();
            }
        } else if offset < 0 {
            // A negative offset counts from the end and forgets what is before it.
            let keep = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            let forget = queue.waiting.len().saturating_sub(keep);
            queue.waiting.drain(..forget);
        }
        let found = queue.waiting.iter().take(limit);
        Ok(found.map(|(_, update)| update.clone()).collect())
    }

    /// Returns the oldest update with where it goes, once there are both.
    async fn next(&self) -> (Webhook, i64, Value) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let queue = lock(&self.queue);
                if let (Some(webhook), Some((id, update))) = (&queue.webhook, queue.waiting.front()) {
                    return (webhook.clone(), *id, update.clone());
                }
            }
            changed.await;
        }
    }

    fn confirm(&self, id: i64) {
        let waiting = &mut lock(&self.queue).waiting;
        if waiting.front().is_some_and(|(front, _)| *front == id) {
            waiting.pop_front();
        }
    }
}

/// Reads a list of kinds of updates; an empty list means the default, here all kinds.
fn allowed(value: &Value) -> Option<BTreeSet<String>> {
    let kinds = value.as_array()?.iter().filter_map(Value::as_str);
    let kinds: BTreeSet<String> = kinds.map(str::to_owned).collect();
    (!kinds.is_empty()).then_some(kinds)
}

/// Calls the webhook update by update, in order, until the emulator stops. What a call is answered with in JSON is the
/// bot's own call, and goes to `hear`.
pub(super) async fn courier(updates: Arc<Updates>, mut gate: watch::Receiver<Gate>, hear: impl Fn(&Value)) {
    let work = async {
        let mut failures = 0;
        loop {
            let (webhook, id, update) = updates.next().await;
            let header = ("X-Telegram-Bot-Api-Secret-Token", &*webhook.secret);
            let body = Bytes::from(update.to_string());
            if let Some(answer) = updates.caller.post(&webhook.url, header, body).await {
                failures = 0;
                updates.confirm(id);
                let media = answer.headers().get(CONTENT_TYPE).map(|media| media.as_bytes());
                if media.is_some_and(|media| media.starts_with(b"application/json"))
                    && let Ok(call) = serde_json::from_slice(answer.body())
                {
                    hear(&call);
                }
                continue;
            }
            let text = "Wrong response from the webhook".to_owned();
            lock(&updates.queue).last_error = Some((unix_s(), text));
            let wait = REPEAT_WAIT * 2_u32.saturating_pow(failures);
            failures = failures.saturating_add(1).min(8);
            tokio::time::sleep(wait.min(REPEAT_WAIT_MAX)).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = stopped(&mut gate) => {}
    }
}
