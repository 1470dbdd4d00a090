//! A receiver of webhooks: somebody's record keeper, CRM or incident tool, which believes what is signed.
//!
//! Takes `POST` with the three headers of Standard Webhooks at one address, its query included, and checks them as the
//! specification's libraries do. What comes again under an id that it has taken, at once or later, is dropped and answered
//! with 200. It knows no recipients of its own: any reference will do, but those that are refused by order. Nothing is told
//! afterwards, so faults of delivery and of receipts have no effect here.
//!
//! Limits: one address, one secret, JSON.
//
// Cites: github.com/standard-webhooks/standard-webhooks, specification 1.0.0.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use ring::hmac;
use serde_json::{Value, json};

use super::desk::{Desk, Verdict, lock, unix_s};
use super::fault::{self, AcceptFault};
use super::handle::{Common, Provider};
use super::http::{Answer, Request, accept_fault};
use super::received::Received;
use super::start::Start;

/// A handle to the running emulator.
pub type Handle = super::Handle<Webhook>;
/// A fault of this emulator.
pub type Fault = super::Fault<Refusal>;

/// How far a signature's time may be from ours. Cites: the specification's libraries allow five minutes.
const TOLERANCE_S: u64 = 5 * 60;

/// Ids that are remembered; past it all are forgotten, as a tool's short memory does.
const IDS_MAX: usize = 200_000;

/// What the emulator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address, seed, TLS.
    pub common: Common,
    /// Path and query of the one address that is taken.
    pub target: String,
    /// The secret that signs, as `whsec_` and base64.
    pub secret: String,
    /// The status for a call that is not signed as it should be. The specification names none; many receivers say 400.
    pub unsigned_status: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            common: Common::default(),
            target: "/in/emulated?key=emulated".to_owned(),
            secret: "whsec_ZW11bGF0ZWQgc2VjcmV0IG9mIHdlYmhvb2tz".to_owned(),
            unsigned_status: 401,
        }
    }
}

/// A status that is not a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What the body says.
    pub text: String,
}

impl Refusal {
    /// Returns the refusal with this status.
    #[must_use]
    pub fn new(status: u16, text: &str) -> Self {
        Self { status, text: text.to_owned() }
    }
}

impl fault::Refusal for Refusal {
    fn ordinary() -> Self {
        Self::new(503, "come back later")
    }
}

/// The receiver's state.
#[derive(Debug)]
pub struct Webhook {
    options: Options,
    changing: Mutex<Changing>,
    repeats: AtomicU64,
}

#[derive(Debug, Default)]
struct Changing {
    secret: String,
    taken: BTreeSet<String>,
}

impl Provider for Webhook {
    type Refusal = Refusal;
}

/// Starts the emulator.
///
/// # Errors
/// The address cannot be listened on.
pub async fn start(options: Options) -> io::Result<Handle> {
    let start = Start::new(&options.common)?;
    let provider = Webhook {
        changing: Mutex::new(Changing { secret: options.secret.clone(), ..Changing::default() }),
        options,
        repeats: AtomicU64::new(0),
    };
    Ok(start.serve_http(provider, Webhook::route))
}

impl Handle {
    /// Returns the URL to call, by its address.
    #[must_use]
    pub fn url(&self) -> String {
        let options = &self.provider.options;
        let scheme = if options.common.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{}", self.addr(), options.target)
    }

    /// Asks for signatures by `secret` from here on.
    pub fn set_secret(&self, secret: &str) {
        secret.clone_into(&mut lock(&self.provider.changing).secret);
    }

    /// Returns how many calls came again under an id that was taken, and were dropped.
    #[must_use]
    pub fn repeats_count(&self) -> u64 {
        self.provider.repeats.load(Ordering::Relaxed)
    }
}

/// A message that can be taken.
struct Message {
    id: String,
    data: Value,
}

fn refused(refusal: &Refusal) -> Answer {
    Answer::Json(refusal.status, json!({ "error": refusal.text }))
}

impl Webhook {
    async fn route(self: Arc<Self>, desk: Arc<Desk<Refusal>>, request: Request) -> Answer {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        if format!("{}{query}", request.path) != self.options.target {
            return refused(&Refusal::new(404, "no such hook"));
        }
        match request.method {
            Method::POST => match self.read(&request) {
                Ok(message) => self.judge(&desk, message).await,
                Err(refusal) => refused(&refusal),
            },
            Method::OPTIONS => Answer::Text(204, String::new()),
            _ => refused(&Refusal::new(405, "only POST")),
        }
    }

    fn read(&self, request: &Request) -> Result<Message, Refusal> {
        let secret = lock(&self.changing).secret.clone();
        let header = |name: &str| request.header(name).unwrap_or_default();
        let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
        let unsigned = |why: &str| Refusal::new(self.options.unsigned_status, why);
        let secs: u64 = at.parse().map_err(|_| unsigned("no time"))?;
        if unix_s().abs_diff(secs) > TOLERANCE_S {
            return Err(unsigned("the time is too far from ours"));
        }
        if id.is_empty() || !is_signed(&secret, id, at, &request.body, header("webhook-signature")) {
            return Err(unsigned("no signature fits"));
        }
        let body: Value =
            serde_json::from_slice(&request.body).map_err(|_| Refusal::new(400, "the body is not JSON"))?;
        let is_ours = body["type"] == "message.sent" && body["timestamp"].is_string();
        if !is_ours || !body["data"]["recipient"].is_string() {
            return Err(Refusal::new(422, "not a message"));
        }
        Ok(Message { id: id.to_owned(), data: body["data"].clone() })
    }

    async fn judge(&self, desk: &Desk<Refusal>, message: Message) -> Answer {
        let (verdict, delay) = desk.judge(message.data["recipient"].as_str().unwrap_or_default());
        tokio::time::sleep(delay).await;
        match verdict {
            Verdict::Fault(AcceptFault::Reject(refusal)) => refused(&refusal),
            Verdict::Fault(AcceptFault::Throttle { retry_after_s }) => {
                Answer::Later(429, retry_after_s, json!({ "error": "too many calls" }))
            }
            Verdict::Fault(fault) => {
                let Some((fault, taken)) = accept_fault(&fault) else {
                    return refused(&<Refusal as fault::Refusal>::ordinary());
                };
                if taken {
                    self.take(desk, message);
                }
                Answer::Fault(fault)
            }
            Verdict::Take => {
                let is_new = self.take(desk, message);
                Answer::Text(if is_new { 202 } else { 200 }, String::new())
            }
        }
    }

    /// Takes a message, unless its id was taken: of two that come at once one is the repeat.
    fn take(&self, desk: &Desk<Refusal>, message: Message) -> bool {
        if !self.remember(message.id) {
            self.repeats.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let said = |name: &str| message.data[name].as_str().unwrap_or_default().to_owned();
        let kept = ["message", "delivery", "severity", "status", "language", "subject"];
        let mut details: BTreeMap<&'static str, String> =
            kept.into_iter().map(|name| (name, said(name))).collect();
        details.insert("repeat", message.data["repeat"].to_string());
        desk.keep(Received {
            number: 0,
            at: UNIX_EPOCH,
            recipient: said("recipient"),
            sender: String::new(),
            text: said("text"),
            provider_id: format!("{:016x}", desk.fresh_id()),
            attempt_ref: Some(said("attempt")),
            details,
        });
        true
    }

    /// Remembers an id; says whether it is new.
    fn remember(&self, id: String) -> bool {
        let taken = &mut lock(&self.changing).taken;
        if taken.len() >= IDS_MAX {
            taken.clear();
        }
        taken.insert(id)
    }
}

/// Says whether one of the signatures is by this secret.
fn is_signed(secret: &str, id: &str, at: &str, body: &[u8], signatures: &str) -> bool {
    let Some(Ok(key)) = secret.strip_prefix("whsec_").map(|text| STANDARD.decode(text)) else {
        return false;
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signed = [format!("{id}.{at}.").as_bytes(), body].concat();
    signatures
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .any(|one| STANDARD.decode(one).is_ok_and(|tag| hmac::verify(&key, &signed, &tag).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::is_signed;

    #[test]
    fn signatures_are_checked_by_the_published_vector() {
        // Cites: the specification's own tests in JavaScript, "sign function works" and "multi sig payload is valid".
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let check = |body: &str, signatures: &str, expected: bool| {
            let signed =
                is_signed(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body.as_bytes(), signatures);
            assert_eq!(signed, expected, "{signatures}");
        };
        let (body, good) = (r#"{"test": 2432232314}"#, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        check(body, good, true);
        check(body, &format!("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= {good}"), true);
        check(body, "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=", false);
        check(body, &good.replace("v1", "v2"), false);
        check(body, "", false);
        check("{}", good, false);
    }
}
