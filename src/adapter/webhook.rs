//! Webhooks: each delivery as signed JSON to a URL of ours, for record keeping, CRM, EHR and incident tools.
//!
//! ```toml
//! [[gateway]]
//! name    = "records"
//! channel = "webhook"                            # people have `webhook` addresses: the tool's own reference for them
//! adapter = "webhook"
//! url     = { file = "secrets/records-url" }     # whole, as the tool gives it; who knows it may call it
//! secret  = { file = "secrets/records-secret" }  # whsec_ and base64 of 24 to 64 bytes: `openssl rand -base64 32`
//! ```
//! # The request
//! `POST` with `content-type: application/json`, in UTF-8:
//! ```json
//! {"type": "message.sent",
//!  "timestamp": "2026-11-22T12:17:43.000Z",
//!  "data": {"message": "01KASW…", "delivery": "01KASW…-17", "attempt": "01KASW…-17-1", "repeat": false,
//!           "severity": "extreme", "status": "actual", "language": "ar", "subject": "…", "text": "…",
//!           "recipient": "patient-4711"}}
//! ```
//! | member | meaning |
//! | --- | --- |
//! | `timestamp` | when the message was accepted, UTC |
//! | `message`, `delivery`, `attempt` | the ids, as `/v1/messages` shows them; each begins with the one before it |
//! | `repeat` | whether another attempt of this delivery may have arrived before: look for the delivery |
//! | `severity` | `extreme`, `severe`, `moderate`, `minor`, `unknown` |
//! | `status` | `actual`, `exercise`, `system`, `test`; an exercise says so in `text` and `subject` too |
//! | `language`, `subject`, `text` | what the recipient is told; `subject` is the beginning of `text` |
//! | `recipient` | the recipient's `webhook` address |
//!
//! Members may be added; none is taken away or changes its meaning.
//!
//! # The signature
//! As Standard Webhooks has it, so that its libraries check it: `webhook-id` is the delivery's id, the same for each attempt
//! of it, so that a receiver drops what it has; `webhook-timestamp` is the time of sending in Unix seconds;
//! `webhook-signature` is `v1,` and the base64 of the HMAC-SHA256, under the decoded secret, of
//! `{webhook-id}.{webhook-timestamp}.{raw body}`.
//!
//! # The answer
//! The status is all that is read of it, whatever becomes of the body; there are no receipts.
//!
//! | status | what it means |
//! | --- | --- |
//! | 2xx | taken |
//! | 401, 403 | the secret is at fault |
//! | 400 | configuration is: most receivers say it of a signature that does not fit |
//! | 404, 410, 3xx and the rest of 4xx | configuration is; a redirect is not followed |
//! | 413, 414, 422, 431 | this one message is |
//! | 408, 425, 429, 501, 503, 505 | not taken: come back, when `retry-after` says |
//! | 500, 502, 504 and the rest of 5xx | it may have been taken before that went wrong; a repeat is marked |
//!
//! Limits: one receiver and one secret a gateway. A receiver must allow for clocks that differ; its usual five minutes are
//! its own. Without TLS anybody on the way reads along, and a page that answers 200 to everything passes for a receiver.
//
// Cites: github.com/standard-webhooks/standard-webhooks, specification 1.0.0 (headers, signature scheme, secret, status codes).

use super::http::{self, Client, NotAnOrigin, Origin, Reading, Request, Response};
use super::net::Net;
use super::settings::{self, bad_secret};
use super::verdict::{by_status, rejected, unknown};
use super::{Adapter, Answered, Doing, Ear, Kind, Outgoing};
use crate::core::channel::Channel;
use crate::core::gateway::Receipts;
use crate::core::outcome::{Outcome, Reason};
use crate::core::record::Repeat;
use crate::core::time::Timestamp;
use crate::diag::{Diagnostic, Diagnostics};
use crate::settings::{CONNECT_TIME_OUT, GatewaySettings, WINDOW};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderName, HeaderValue};
use ring::hmac;
use serde_json::json;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The kind's row in [`ADAPTERS`](super::ADAPTERS).
pub(super) const KIND: Kind = Kind {
    name: "webhook",
    channel: Channel::Webhook,
    receipts: Receipts::None,
    window: WINDOW,
    connect_time_out: CONNECT_TIME_OUT,
    keys: &["url", "secret"],
    probes: include_str!("../../probes/webhook.toml"),
    build,
};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// How many bytes a secret has. Cites: Standard Webhooks, "Signature scheme": 192 to 512 bits.
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;

struct Settings {
    /// The path and the query; never shown.
    asked: String,
    key: hmac::Key,
}

struct Webhook {
    client: Client,
    settings: Settings,
}

fn build(gateway: &mut GatewaySettings, net: &Net, diags: &mut Diagnostics) -> Option<Arc<dyn Adapter>> {
    if gateway.base_url.is_some() {
        let message = format!("{} says `base_url`, which a webhook does not read", gateway.rest.called());
        let help = "leave it out: `url` is the whole address here, with its path and query; who knows it may call it, so it \
                    may be kept in a file";
        diags.push(Diagnostic::error("bad-url", message).at(&gateway.place, "in this gateway").help(help));
    }
    let table = &mut gateway.rest;
    let url = table.required_secret("url", diags);
    let secret = table.required_secret("secret", diags);
    let place = url.and_then(|url| {
        let place = Origin::of_url(url.expose());
        place.map_err(|why| bad_secret("url", url_help(why), table, diags)).ok()
    });
    let key = secret.and_then(|secret| {
        let key = key(secret.expose());
        key.ok_or_else(|| bad_secret("secret", SECRET_HELP, table, diags)).ok()
    });
    let (origin, asked) = place?;
    let client = settings::client_of(gateway, origin, net, diags)?;
    Some(Arc::new(Webhook { client, settings: Settings { asked, key: key? } }))
}

const fn url_help(why: NotAnOrigin) -> &'static str {
    match why {
        NotAnOrigin::Form => "write `http://` or `https://`, a host and a path, without user and fragment",
        NotAnOrigin::Port(_) => "write a port from 1 to 65535, or none",
    }
}

const SECRET_HELP: &str =
    "write `whsec_` and the base64 of 24 to 64 bytes, as `openssl rand -base64 32` makes it";

/// Reads a secret as Standard Webhooks writes it. Nothing else is taken: a secret that we took for text and the receiver
/// for base64 would be found out by the first message.
fn key(secret: &str) -> Option<hmac::Key> {
    let bytes = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    SECRET_BYTES.contains(&bytes.len()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// Builds the request as it is signed at a time.
fn request(outgoing: &Outgoing, settings: &Settings, at: Timestamp) -> Result<Request, Reason> {
    if outgoing.address.trim().is_empty() {
        return Err(Reason::BadAddress);
    }
    if outgoing.text.trim().is_empty() {
        return Err(Reason::NoText);
    }
    let order = &outgoing.order;
    let delivery = order.attempt.delivery;
    let body = json!({
        "type": "message.sent",
        "timestamp": rfc3339(delivery.message.at()),
        "data": {
            "message": delivery.message.to_string(),
            "delivery": delivery.to_string(),
            "attempt": order.attempt.to_string(),
            "repeat": order.repeat != Repeat::No,
            "severity": order.severity.name(),
            "status": outgoing.status.name(),
            "language": outgoing.language,
            "subject": outgoing.subject,
            "text": outgoing.text,
            "recipient": outgoing.address,
        },
    });
    let request = Request::post(settings.asked.clone(), &body).reading(Reading::Status);
    let (id, secs) = (delivery.to_string(), at.ms().div_euclid(1000).to_string());
    let signature = signature(&settings.key, &id, &secs, &request.body);
    let value = |text: String| HeaderValue::try_from(text).expect("ids, digits and base64 are ASCII");
    Ok(request.header(ID, value(id)).header(TIMESTAMP, value(secs)).header(SIGNATURE, value(signature)))
}

fn signature(key: &hmac::Key, id: &str, secs: &str, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    for part in [id.as_bytes(), b".", secs.as_bytes(), b".", body] {
        context.update(part);
    }
    format!("v1,{}", STANDARD.encode(context.sign()))
}

fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.ms()).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// Reads the answer: its status alone.
fn outcome(response: &Response) -> Outcome {
    match response.status {
        200..=299 => Outcome::Accepted { provider_id: None },
        400 => rejected(Reason::Configuration),
        // Said before anything is done, or by who did not wait for the end.
        501 | 503 | 505 | 504 | 524 => by_status(response),
        // A tool that fell over its work may have done it before, and a proxy does not know.
        500..=599 => unknown(Reason::ProviderFault),
        _ => by_status(response),
    }
}

impl Adapter for Webhook {
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered> {
        Box::pin(async move {
            let request = request(&outgoing, &self.settings, http::now());
            self.client.send(request, &outgoing, outcome).await
        })
    }

    fn run<'a>(&'a self, _ear: &'a dyn Ear) -> Doing<'a, ()> {
        Box::pin(self.client.tend())
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict::deferred;
    use super::*;
    use crate::adapter::tests::{built, outgoing};
    use crate::core::message::Status;
    use crate::core::time::Span;
    use serde_json::Value;

    // Cites: the specification's own tests in JavaScript, "sign function works".
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn settings() -> Settings {
        Settings { asked: "/in?key=planted".into(), key: key(SECRET).expect("a secret") }
    }

    #[test]
    fn the_signature_is_that_of_the_published_vector() {
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&settings().key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_request_says_all_and_is_signed_as_it_stands() {
        let mut outgoing = outgoing("patient-4711", "تمرين – غادروا");
        outgoing.status = Status::Exercise;
        outgoing.order.repeat = Repeat::AfterUnknown;
        let request = request(&outgoing, &settings(), Timestamp::from_ms(1_700_000_005_999)).expect("sound");
        let attempt = outgoing.order.attempt;
        let expected = json!({
            "type": "message.sent", "timestamp": "2023-11-14T22:13:20.000Z",
            "data": {
                "message": attempt.delivery.message.to_string(), "delivery": attempt.delivery.to_string(),
                "attempt": attempt.to_string(), "repeat": true, "severity": "extreme", "status": "exercise",
                "language": "ar", "subject": "تنبيه", "text": "تمرين – غادروا", "recipient": "patient-4711",
            },
        });
        assert_eq!(serde_json::from_slice::<Value>(&request.body).expect("JSON"), expected);
        assert_eq!(request.path, "/in?key=planted");
        assert!(!format!("{request:?}").contains("planted"));
        let header = |name| {
            let found = request.headers.iter().find(|(known, _)| *known == name);
            found.and_then(|(_, value)| value.to_str().ok()).expect("a header").to_owned()
        };
        let id = attempt.delivery.to_string();
        assert_eq!((header(ID), header(TIMESTAMP)), (id.clone(), "1700000005".to_owned()));
        assert!(!header(ID).contains('.'), "a stop in an id would blur what is signed");
        let signed = signature(&settings().key, &id, "1700000005", &request.body);
        assert_eq!(header(SIGNATURE), signed);
    }

    #[test]
    fn what_says_nothing_or_is_for_nobody_is_refused_here() {
        let check = |address: &str, text: &str, expected: Reason| {
            let refused = request(&outgoing(address, text), &settings(), Timestamp::default());
            assert_eq!(refused.err(), Some(expected));
        };
        check(" ", "x", Reason::BadAddress);
        check("c-1", " ", Reason::NoText);
    }

    #[test]
    fn answers_are_read_by_status() {
        let after = Some(Span::from_secs(7));
        let check = |status: u16, expected: Outcome| {
            let response = Response { status, retry_after: after, body: b"<html>".to_vec(), is_cut: true };
            assert_eq!(outcome(&response), expected, "{status}");
        };
        for status in [200, 201, 202, 204, 299] {
            check(status, Outcome::Accepted { provider_id: None });
        }
        for status in [301, 400, 404, 405, 410] {
            check(status, rejected(Reason::Configuration));
        }
        for status in [401, 403] {
            check(status, rejected(Reason::Credentials));
        }
        for status in [413, 422] {
            check(status, rejected(Reason::ContentRefused));
        }
        check(429, deferred(Reason::Throttled, after));
        for status in [501, 503, 505] {
            check(status, deferred(Reason::ProviderFault, after));
        }
        for status in [500, 502, 507, 520] {
            check(status, unknown(Reason::ProviderFault));
        }
        for status in [504, 524] {
            check(status, unknown(Reason::Timeout));
        }
    }

    #[test]
    fn settings_are_checked_and_never_repeated() {
        let check = |url: &str, secret: &str, expected: &str| {
            let (adapter, shown) = built("webhook", &format!("url = \"{url}\"\nsecret = \"{secret}\"\n"));
            assert_eq!(adapter.is_some(), expected.is_empty(), "{url} {secret}: {shown}");
            assert!(shown.contains(expected), "{shown}");
            assert!(!shown.contains("planted") && !shown.contains("MfKQ9"), "{shown}");
        };
        check("https://crm.example/in/planted?key=planted", SECRET, "");
        check("http://[::1]:81", SECRET, "");
        check("https://crm.example?key=planted", SECRET, "");
        for bad in [
            "crm.example/planted",
            "ftp://h/planted",
            "https://u:planted@h/x",
            "https://h/x#planted",
            "https://a b/planted",
        ] {
            check(bad, SECRET, "`url` of gateway `g` is not one");
        }
        for bad in ["https://h:0/planted", "https://h:70000/planted"] {
            check(bad, SECRET, "write a port from 1 to 65535, or none");
        }
        for bad in ["planted", "whsec_planted!", "whsec_cGxhbnRlZA==", &SECRET[6..]] {
            check("https://crm.example/planted", bad, "`secret` of gateway `g` is not one");
        }
        let (adapter, shown) = built(
            "webhook",
            &format!("base_url = \"https://h/planted\"\nurl = \"https://h\"\nsecret = \"{SECRET}\"\n"),
        );
        assert!(adapter.is_none() && shown.contains("`url` is the whole address here"), "{shown}");
        assert!(!shown.contains("planted"), "{shown}");
    }
}
