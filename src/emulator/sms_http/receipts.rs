//! What each gateway tells of a message afterwards, in its own way, and how often it tries.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use ring::hmac;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::agenda::Agenda;
use super::super::desk::{Gate, lock, unix_s};
use super::super::http::Caller;
use super::super::listen::stopped;
use super::requests::{Message, part_id};
use super::{Dialect, Options};

/// Calls under way at once.
const CALLS_MAX: usize = 16;
/// Calls that are taken from the agenda together.
const BATCH_MAX: usize = 64;
/// Repeats of a call that was not taken; Kannel makes none.
const REPEATS_MAX: u32 = 10_000;
/// The wait before the first repeat; each further one waits twice as long, up to a limit that a test can sit out.
const REPEAT_WAIT: Duration = Duration::from_millis(500);
const REPEAT_WAIT_MAX: Duration = Duration::from_secs(8);

/// What becomes known of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Sent,
    Delivered,
    /// Given up, by the gateway's own code.
    Failed(&'static str),
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct News {
    callback: Option<String>,
    recipient: String,
    sender: String,
    reference: Option<String>,
    id: String,
    status: Status,
    part: usize,
    parts: usize,
    forged: bool,
    repeats: u32,
}

impl News {
    pub(super) fn of(message: &Message, id: &str, status: Status, part: usize) -> Self {
        Self {
            callback: message.callback.clone(),
            recipient: message.recipient.clone(),
            sender: message.sender.clone(),
            reference: message.reference.clone(),
            id: id.to_owned(),
            status,
            part,
            parts: message.parts,
            forged: false,
            repeats: 0,
        }
    }

    /// Returns the same, from somebody who knows neither a key nor the URL that was given.
    pub(super) fn forged(mut self) -> Self {
        self.forged = true;
        self
    }
}

/// What calls.
#[derive(Debug)]
pub(super) struct Courier {
    pub(super) agenda: Agenda<News>,
    pub(super) caller: Caller,
    pub(super) dialect: Dialect,
    api_key: String,
    pub(super) signing_key: String,
    callback: Mutex<Option<String>>,
    taken: AtomicU64,
}

impl Courier {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            agenda: Agenda::new(),
            caller: Caller::new(),
            dialect: options.dialect,
            api_key: options.username.clone(),
            signing_key: options.signing_key.clone(),
            callback: Mutex::new(options.callback.clone()),
            taken: AtomicU64::new(0),
        }
    }

    pub(super) fn set_callback(&self, url: Option<String>) {
        *lock(&self.callback) = url;
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Makes a call, and says whether it was answered as this gateway wants it.
    pub(super) async fn is_taken(&self, request: hyper::Request<Full<Bytes>>) -> bool {
        let wanted = |body: &Bytes| self.dialect != Dialect::Jasmin || body[..] == *b"ACK/Jasmin";
        let answer = self.caller.call(request).await;
        answer.is_some_and(|answer| answer.status().is_success() && wanted(answer.body()))
    }

    /// Makes a call; what was not taken comes again later, where the gateway tries again.
    pub(super) async fn tell(&self, mut news: News) {
        let Some(request) = self.request(&news) else { return };
        if self.is_taken(request).await {
            self.taken.fetch_add(1, Ordering::Relaxed);
        } else if self.dialect != Dialect::Kannel && !news.forged && news.repeats < REPEATS_MAX {
            let wait = (REPEAT_WAIT * 2_u32.saturating_pow(news.repeats.min(16))).min(REPEAT_WAIT_MAX);
            news.repeats += 1;
            self.agenda.push(wait, news);
        }
    }

    /// Returns the call; `None`: nobody wants to hear of it.
    fn request(&self, news: &News) -> Option<hyper::Request<Full<Bytes>>> {
        let given = news.callback.clone()?;
        let url = if self.dialect == Dialect::SmsGate { lock(&self.callback).clone()? } else { given };
        let url = if news.forged && self.dialect != Dialect::SmsGate { spoilt(&url) } else { url };
        match self.dialect {
            Dialect::Kannel => get(&kannel(&url, news)),
            Dialect::Vonage => get(&format!("{url}?{}", pairs(&self.vonage(news)))),
            Dialect::Jasmin => {
                post(&url, "application/x-www-form-urlencoded", pairs(&jasmin(news)).into(), &[])
            }
            Dialect::Infobip => post(&url, "application/json", infobip(news).to_string().into(), &[]),
            Dialect::SmsGate => {
                let body = Bytes::from(sms_gate(news).to_string());
                let at = unix_s().to_string();
                let key = if news.forged { "a stranger's" } else { &self.signing_key };
                let signature = signature(key, &body, &at);
                post(&url, "application/json", body, &[("x-signature", &signature), ("x-timestamp", &at)])
            }
        }
    }

    fn vonage(&self, news: &News) -> Vec<(&'static str, String)> {
        let (status, code) = match news.status {
            Status::Sent => ("accepted", "0"),
            Status::Delivered => ("delivered", "0"),
            Status::Failed(code) => ("failed", code),
        };
        vec![
            ("msisdn", news.recipient.clone()),
            ("to", news.sender.clone()),
            ("network-code", "23410".into()),
            ("messageId", part_id(&news.id, news.part)),
            ("price", "0.03".into()),
            ("status", status.into()),
            ("scts", "2611220600".into()),
            ("err-code", code.into()),
            ("api-key", self.api_key.clone()),
            ("client-ref", news.reference.clone().unwrap_or_default()),
            ("message-timestamp", "2026-11-22 06:00:00".into()),
        ]
    }
}

/// Fills the escapes of a `dlr-url`.
fn kannel(url: &str, news: &News) -> String {
    let (kind, answer) = match news.status {
        Status::Sent => ("8", "ACK/".to_owned()),
        Status::Delivered => ("1", String::new()),
        Status::Failed("") => ("2", String::new()),
        Status::Failed(code) => ("16", format!("NACK/{code}")),
    };
    let filled =
        url.replace("%d", kind).replace("%A", &escaped(&answer)).replace("%T", &unix_s().to_string());
    filled.replace("%F", &escaped(&news.id))
}

fn jasmin(news: &News) -> Vec<(&'static str, String)> {
    let (level, status) = match news.status {
        Status::Sent => ("1", "ESME_ROK"),
        Status::Delivered => ("2", "DELIVRD"),
        Status::Failed("") => ("2", "UNDELIV"),
        Status::Failed(code) => ("1", code),
    };
    let mut fields = vec![
        ("id", news.id.clone()),
        ("level", level.to_owned()),
        ("message_status", status.to_owned()),
        ("connector", "smppcc-1".to_owned()),
    ];
    if level == "2" {
        let more = [("id_smsc", "1"), ("sub", "001"), ("dlvrd", "001"), ("err", "000"), ("text", "")];
        fields.extend(more.map(|(name, value)| (name, value.to_owned())));
    }
    fields
}

fn infobip(news: &News) -> Value {
    let (group, group_name, id, name, error) = match news.status {
        Status::Sent => (3, "DELIVERED", 2, "DELIVERED_TO_OPERATOR", "0"),
        Status::Delivered => (3, "DELIVERED", 5, "DELIVERED_TO_HANDSET", "0"),
        Status::Failed(code) => (2, "UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED", code),
    };
    json!({ "results": [{
        "bulkId": "9", "messageId": news.id, "to": news.recipient, "sender": news.sender,
        "sentAt": "2026-11-22T07:00:00.000+0100", "doneAt": "2026-11-22T07:00:01.000+0100", "messageCount": news.parts,
        "status": { "groupId": group, "groupName": group_name, "id": id, "name": name },
        "error": { "groupId": 0, "id": error.parse::<i64>().unwrap_or(0), "permanent": error != "0" },
    }] })
}

fn sms_gate(news: &News) -> Value {
    let (event, mut payload) = match news.status {
        Status::Sent => {
            ("sms:sent", json!({ "partsCount": news.parts, "sentAt": "2026-11-22T08:00:00.000+02:00" }))
        }
        Status::Delivered => ("sms:delivered", json!({ "deliveredAt": "2026-11-22T08:00:01.000+02:00" })),
        Status::Failed(code) => {
            ("sms:failed", json!({ "failedAt": "2026-11-22T08:00:01.000+02:00", "reason": code }))
        }
    };
    payload["messageId"] = json!(news.id);
    payload["recipient"] = json!(news.recipient);
    payload["simNumber"] = json!(1);
    let id = format!("{}-{event}-{}", news.id, news.part);
    json!({ "deviceId": "emulated", "event": event, "id": id, "webhookId": event, "payload": payload })
}

/// Returns what the phone signs a body with at a time.
pub(super) fn signature(key: &str, body: &[u8], at: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let tag = hmac::sign(&key, &[body, at.as_bytes()].concat());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns a URL as a stranger would guess it: its last part of the path is another.
fn spoilt(url: &str) -> String {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let guessed =
        format!("{}/guessed-guessed-guessed", path.rsplit_once('/').map_or(path, |(before, _)| before));
    query.map_or_else(|| guessed.clone(), |query| format!("{guessed}?{query}"))
}

fn pairs(fields: &[(&str, String)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}

pub(super) fn escaped(text: &str) -> String {
    escaped_octets(text.as_bytes())
}

pub(super) fn escaped_octets(octets: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let escape =
        |byte: &u8| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    octets.iter().map(escape).collect()
}

pub(super) fn get(url: &str) -> Option<hyper::Request<Full<Bytes>>> {
    hyper::Request::get(url).body(Full::new(Bytes::new())).ok()
}

pub(super) fn post(
    url: &str,
    kind: &str,
    body: Bytes,
    headers: &[(&str, &str)],
) -> Option<hyper::Request<Full<Bytes>>> {
    let mut request = hyper::Request::post(url).header(CONTENT_TYPE, kind);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body)).ok()
}

/// Calls as receipts fall due, until the emulator stops.
pub(super) async fn run(courier: Arc<Courier>, mut gate: watch::Receiver<Gate>) {
    let work = async {
        let mut calls = JoinSet::new();
        loop {
            for news in courier.agenda.take(BATCH_MAX).await {
                while calls.len() >= CALLS_MAX {
                    calls.join_next().await;
                }
                let courier = Arc::clone(&courier);
                calls.spawn(async move { courier.tell(news).await });
            }
            while calls.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = work => {}
        () = stopped(&mut gate) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{escaped, signature, spoilt};

    #[test]
    fn the_phone_signs_as_its_documentation_has_it() {
        let tag = signature("key", br#"{"a":1}"#, "1700000000");
        assert_eq!(tag, "5cff791334e7fd8344cc05c2398964f60329f4edd6ab1087ed1ba6c34eefeeca");
    }

    #[test]
    fn a_strangers_url_is_another_one() {
        assert_eq!(
            spoilt("http://h/hooks/g/a/tag?type=%d"),
            "http://h/hooks/g/a/guessed-guessed-guessed?type=%d"
        );
        assert_eq!(escaped("NACK/0x0b a"), "NACK%2F0x0b%20a");
    }
}
