//! The status callbacks: a form for each status, signed over the URL that the message asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use ring::hmac;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::agenda::Agenda;
use super::super::desk::{Gate, lock};
use super::super::http::Caller;
use super::super::listen::stopped;

/// Callbacks under way at once; Twilio opens many, a receiver should take a few.
const CALLS_MAX: usize = 16;

/// One status that becomes known of a message.
#[derive(Clone, Debug)]
pub(super) struct News {
    /// The URL that the message asked for; nowhere without one.
    pub(super) url: Option<String>,
    pub(super) sid: String,
    pub(super) to: String,
    pub(super) from: String,
    pub(super) status: &'static str,
    /// The carrier's code, where it failed.
    pub(super) code: Option<u32>,
    pub(super) forged: bool,
}

/// The callbacks' state.
#[derive(Debug)]
pub(super) struct Hooks {
    pub(super) agenda: Agenda<News>,
    caller: Caller,
    account_sid: String,
    target: Mutex<Target>,
    /// The last status of each message that had one.
    statuses: Mutex<BTreeMap<String, &'static str>>,
    taken: AtomicU64,
    failed: AtomicU64,
}

#[derive(Clone, Debug)]
struct Target {
    auth_token: String,
    /// Where calls really go, whatever address they are for: it stands for the proxy that forwards them.
    road: Option<String>,
}

impl Hooks {
    pub(super) fn new(account_sid: &str, auth_token: &str) -> Self {
        Self {
            agenda: Agenda::new(),
            caller: Caller::new(),
            account_sid: account_sid.to_owned(),
            target: Mutex::new(Target { auth_token: auth_token.to_owned(), road: None }),
            statuses: Mutex::default(),
            taken: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    pub(super) fn auth_token(&self) -> String {
        lock(&self.target).auth_token.clone()
    }

    pub(super) fn set_auth_token(&self, token: &str) {
        token.clone_into(&mut lock(&self.target).auth_token);
    }

    pub(super) fn set_road(&self, road: Option<String>) {
        lock(&self.target).road = road;
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Returns a message's status, as a question for it is answered.
    pub(super) fn status(&self, sid: &str) -> &'static str {
        lock(&self.statuses).get(sid).copied().unwrap_or("queued")
    }

    /// Forgets what became of a message.
    pub(super) fn forget(&self, sid: &str) {
        lock(&self.statuses).remove(sid);
    }

    /// Takes down what became of a message.
    pub(super) fn note(&self, news: &News) {
        lock(&self.statuses).insert(news.sid.clone(), news.status);
    }

    /// Tells of a status, where the message asked for calls. Twilio does not repeat a call that was refused.
    pub(super) async fn send(&self, news: News) {
        let Some(url) = &news.url else { return };
        let target = lock(&self.target).clone();
        let mut parameters = vec![
            ("SmsSid", news.sid.clone()),
            ("SmsStatus", news.status.to_owned()),
            ("MessageStatus", news.status.to_owned()),
            ("To", news.to.clone()),
            ("MessageSid", news.sid.clone()),
            ("AccountSid", self.account_sid.clone()),
            ("From", news.from.clone()),
            ("ApiVersion", "2010-04-01".to_owned()),
        ];
        parameters.extend(news.code.map(|code| ("ErrorCode", code.to_string())));
        let token = if news.forged { "not-the-auth-token" } else { &target.auth_token };
        let signature = signature(token, url, &parameters);
        if self.call(url, target.road.as_deref(), &signature, &parameters).await.is_some() {
            self.taken.fetch_add(1, Ordering::Relaxed);
        } else {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn call(
        &self,
        url: &str,
        road: Option<&str>,
        signature: &str,
        parameters: &[(&str, String)],
    ) -> Option<Bytes> {
        let body: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let place = match road {
            Some(road) => format!("{road}{}", after_authority(url)),
            None => url.to_owned(),
        };
        let request = hyper::Request::post(place)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8")
            .header("X-Twilio-Signature", signature)
            .body(Full::new(Bytes::from(body.join("&"))));
        let answer = self.caller.call(request.ok()?).await?;
        answer.status().is_success().then(|| answer.into_body())
    }

    /// Tells of what somebody wrote; says whether it was taken, and by an answer that sends nothing back.
    pub(super) async fn inbound(&self, url: &str, sid: &str, from: &str, to: &str, text: &str) -> bool {
        let target = lock(&self.target).clone();
        let parameters = [
            ("MessageSid", sid),
            ("SmsSid", sid),
            ("SmsStatus", "received"),
            ("AccountSid", &self.account_sid),
            ("From", from),
            ("To", to),
            ("Body", text),
            ("NumMedia", "0"),
            ("NumSegments", "1"),
            ("FromCity", ""),
            ("ApiVersion", "2010-04-01"),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        let signature = signature(&target.auth_token, url, &parameters);
        let answered = self.call(url, target.road.as_deref(), &signature, &parameters).await;
        answered.is_some_and(|answer| answer.is_empty() || &answer[..] == b"<Response/>")
    }
}

/// Returns a URL's path and query.
fn after_authority(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    url[from..].find('/').map_or("", |at| &url[from + at..])
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// Returns the value of `X-Twilio-Signature` for a form that is posted to `url`.
#[must_use]
pub fn signature(auth_token: &str, url: &str, parameters: &[(&str, String)]) -> String {
    let sorted: BTreeSet<_> = parameters.iter().collect();
    let data = sorted.into_iter().fold(url.to_owned(), |data, (name, value)| data + name + value);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth_token.as_bytes());
    STANDARD.encode(hmac::sign(&key, data.as_bytes()))
}

/// Makes statuses known as they fall due, until the emulator stops.
pub(super) async fn courier(hooks: Arc<Hooks>, mut gate: watch::Receiver<Gate>) {
    let work = async {
        let mut calls = JoinSet::new();
        loop {
            for news in hooks.agenda.take(CALLS_MAX).await {
                while calls.len() >= CALLS_MAX {
                    calls.join_next().await;
                }
                while calls.try_join_next().is_some() {}
                // In its order, which the calls do not keep.
                hooks.note(&news);
                let hooks = Arc::clone(&hooks);
                calls.spawn(async move { hooks.send(news).await });
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = stopped(&mut gate) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_match_the_published_vector() {
        // Cites: Twilio, "Webhooks Security", the worked example.
        let parameters = [
            ("Digits", "1234"),
            ("To", "+18005551212"),
            ("From", "+14158675309"),
            ("Caller", "+14158675309"),
            ("CallSid", "CA1234567890ABCDE"),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(signature("12345", url, &parameters), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    }

    #[test]
    fn a_call_goes_by_another_road_to_the_same_place() {
        assert_eq!(after_authority("https://a.example:8443/hooks/g?x=1/2"), "/hooks/g?x=1/2");
        assert_eq!(after_authority("https://a.example"), "");
        assert_eq!(escaped("+1 ل"), "%2B1+%D9%84");
    }
}
