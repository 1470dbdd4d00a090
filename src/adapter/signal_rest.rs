//! Signal, through a signal-cli-rest-api of one's own: JSON out; receipts and replies by WebSocket, or by asking where there
//! is none.
//!
//! ```toml
//! [[gateway]]
//! name     = "signal-rest"
//! channel  = "signal"
//! adapter  = "signal-rest"
//! base_url = "http://127.0.0.1:8080"     # the container, which knows no passwords: nobody else may reach it
//! account  = "+15550001111"              # registered or linked there
//! ```
//! The same address, `/v1/receive/{account}`, speaks WebSocket in the modes `json-rpc` and `json-rpc-native`, and answers with
//! what has come since in `normal` and `native`: so it is asked for a WebSocket, and asked again every [`POLL_EVERY`] where
//! it answers. Run it in `json-rpc`: the others start signal-cli anew for each call. The container's `RECEIVE_WEBHOOK_URL`
//! is not used: what it posts carries no proof of who posts it.
//!
//! An answer to a send names the message's time and no account, so a message is known by its recipient's number and that
//! time, and so are its receipts. A send goes to one recipient: the answer tells nothing of several.
//!
//! Limits: a recipient whose number the container does not know in a receipt confirms nothing; what such a one writes is kept
//! under the account's id, and answers no message that is known. What the container hears
//! while nobody listens is lost in `json-rpc`, and what is asked for is handed out once: nobody else may ask.
//
// Cites: github.com/bbernhard/signal-cli-rest-api, its API description and `src/api/api.go`.

use super::back_off::back_off;
use super::http::{Client, Failure, Reading, Request, Response, Turned};
use super::net::Net;
use super::settings;
use super::signal_cli::events::{receipts_by, reply_by};
use super::signal_cli::{is_number, provider_id};
use super::verdict::{by_status, deferred, rejected, unknown};
use super::{Adapter, Answered, Doing, Ear, Kind, Outgoing};
use crate::core::channel::Channel;
use crate::core::gateway::Receipts;
use crate::core::outcome::{Outcome, Reason, Receipt};
use crate::core::reply::Reply;
use crate::core::time::Span;
use crate::diag::Diagnostics;
use crate::settings::{CONNECT_TIME_OUT, GatewaySettings};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The kind's row in [`ADAPTERS`](super::ADAPTERS).
pub(super) const KIND: Kind = Kind {
    name: "signal-rest",
    channel: Channel::Signal,
    receipts: Receipts::Delivered,
    window: WINDOW,
    connect_time_out: CONNECT_TIME_OUT,
    keys: &["account"],
    probes: include_str!("../../probes/signal-rest.toml"),
    build,
};

/// Attempts in flight: behind the container stands one signal-cli, which sends one by one.
const WINDOW: u32 = 1;

/// How long the container may take to begin: in `normal` mode it starts signal-cli for the answer.
const RECEIVE_TIME_OUT: Span = Span::from_secs(30);

/// How long a WebSocket may be silent. Cites: the container pings about every 54 s.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// How long to wait before asking again where there is no WebSocket: each question keeps sends waiting for a second or more.
const POLL_EVERY: Duration = Duration::from_secs(5);

/// The most that is read of an answer: some thousand receipts, as after a night without anybody asking.
const RECEIVED_BYTES_MAX: usize = 4 * 1024 * 1024;

struct SignalRest {
    client: Client,
    account: String,
}

fn build(gateway: &mut GatewaySettings, net: &Net, diags: &mut Diagnostics) -> Option<Arc<dyn Adapter>> {
    let client = settings::client(gateway, net, None, diags);
    let wanted = "a number such as `+15550001111`";
    let account = settings::required(&mut gateway.rest, "account", wanted, is_number, diags);
    Some(Arc::new(SignalRest { client: client?, account: account? }))
}

fn request(outgoing: &Outgoing, account: &str) -> Result<Request, Reason> {
    if !is_number(&outgoing.address) {
        return Err(Reason::BadAddress);
    }
    if outgoing.text.trim().is_empty() {
        return Err(Reason::NoText);
    }
    let body = json!({
        "number": account,
        "recipients": [outgoing.address],
        "message": outgoing.text,
        "text_mode": "normal",
    });
    Ok(Request::post("/v2/send".into(), &body))
}

/// Reads the answer to a send to this recipient.
fn outcome(response: &Response, recipient: &str, account: &str) -> Outcome {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let error = body["error"].as_str();
    match (response.status, &body["timestamp"]) {
        (200..=299, Value::String(sent)) => taken(recipient, sent.parse().ok()),
        (200..=299, Value::Number(sent)) => taken(recipient, sent.as_i64()),
        (200..=299, _) => unknown(Reason::Unreadable),
        (429, _) => deferred(Reason::Throttled, response.retry_after),
        (400, _) => error.map_or_else(
            || deferred(Reason::ProviderFault, response.retry_after),
            |text| of_error(text, account),
        ),
        _ => by_status(response),
    }
}

fn taken(recipient: &str, sent_ms: Option<i64>) -> Outcome {
    match sent_ms {
        Some(sent_ms) => Outcome::Accepted { provider_id: provider_id(recipient, sent_ms) },
        None => unknown(Reason::Unreadable),
    }
}

/// Judges an error by its text: nearly everything is a 400.
fn of_error(text: &str, account: &str) -> Outcome {
    let lower = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    match () {
        // The message itself may have gone out: a limit met on the copy for our own devices looks the same.
        () if says(&["[413]", "[428]", "[429]"]) => unknown(Reason::Throttled),
        () if says(&["rate limit", "captcha", "challenge"]) => deferred(Reason::Throttled, None),
        () if says(&["[401]", "[403]", "authorization failed"]) => rejected(Reason::Credentials),
        // Said of the recipient, unless it is our own number.
        () if says(&["not registered", "unregistered user"]) && text.contains(account) => {
            rejected(Reason::Configuration)
        }
        () if says(&["not registered", "unregistered user"]) => rejected(Reason::NotOnChannel),
        () if says(&["account does not exist", "valid account", "invalid account"]) => {
            rejected(Reason::Configuration)
        }
        () if says(&["untrusted identit"]) => rejected(Reason::IdentityChanged),
        () if says(&["timeout", "timed out"]) => unknown(Reason::Timeout),
        // A text that nobody knows says neither that the words are bad nor that the recipient is.
        () => deferred(Reason::ProviderFault, None),
    }
}

/// Returns the receipts of one event, each by its sender's number.
fn receipts(event: &Value, account: &str) -> Vec<Receipt> {
    receipts_by(event, account, |envelope| {
        envelope["sourceNumber"].as_str().or(envelope["source"].as_str()).filter(|name| is_number(name))
    })
}

/// Returns what a person wrote, by the sender's number where the container knows it.
fn reply(event: &Value, account: &str) -> Option<Reply> {
    reply_by(event, account, |envelope| {
        let named = |key: &str| envelope[key].as_str().filter(|name| !name.is_empty());
        let number = named("sourceNumber").or(named("source")).filter(|name| is_number(name));
        let sender = number.or(named("sourceUuid")).or(named("source"))?;
        Some((sender, sender))
    })
}

impl SignalRest {
    async fn heard(&self, event: &Value, ear: &dyn Ear) {
        for receipt in receipts(event, &self.account) {
            ear.receipt(receipt).await;
        }
        if let Some(reply) = reply(event, &self.account) {
            ear.reply(reply).await;
        }
    }

    /// Hears one WebSocket out, or asks until the container cannot be asked. Returns why it ended.
    async fn hear(&self, ear: &dyn Ear, was_up: &mut bool) -> Reason {
        let account = self.account.replace('+', "%2B");
        let request = Request::get(format!("/v1/receive/{account}?timeout=1"))
            .reading(Reading::Body(RECEIVED_BYTES_MAX));
        let mut up = || {
            if !std::mem::replace(was_up, true) {
                ear.link(true, None);
            }
        };
        loop {
            let response = match self.client.turn(&request, RECEIVE_TIME_OUT).await {
                Ok(Turned::Socket(mut socket)) => {
                    up();
                    while let Some(text) = socket.next(SILENCE_MAX).await {
                        let event: Value = serde_json::from_str(&text).unwrap_or_default();
                        self.heard(&event, ear).await;
                    }
                    return Reason::ConnectionLost;
                }
                Ok(Turned::Answer(response)) => response,
                Err(Failure::NotSent(reason) | Failure::Sent(reason)) => return reason,
                Err(Failure::Expired) => return Reason::Timeout,
            };
            let events: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            match (response.status, events.as_array()) {
                (200, Some(events)) => {
                    up();
                    for event in events {
                        self.heard(event, ear).await;
                    }
                }
                (200, None) => return Reason::Unreadable,
                (500.., _) => return Reason::ProviderFault,
                _ => return Reason::Configuration,
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    async fn listen(&self, ear: &dyn Ear) {
        let mut failures = 0u32;
        loop {
            let mut was_up = false;
            let reason = self.hear(ear, &mut was_up).await;
            // The first failure after a good stream, or after the start, is news; those that follow are not.
            if was_up || failures == 0 {
                ear.link(false, Some(reason));
            }
            failures = if was_up { 1 } else { failures.saturating_add(1) };
            tokio::time::sleep(back_off(failures)).await;
        }
    }
}

impl Adapter for SignalRest {
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered> {
        Box::pin(async move {
            let request = match request(&outgoing, &self.account) {
                Ok(request) => request,
                Err(reason) => return Answered { outcome: rejected(reason), took: Span::ZERO },
            };
            let called = self.client.call(&request, outgoing.order.time_out, outgoing.left).await;
            let outcome = match &called.answer {
                Ok(response) => outcome(response, &outgoing.address, &self.account),
                Err(failure) => failure.outcome(),
            };
            Answered { outcome, took: called.took }
        })
    }

    fn run<'a>(&'a self, ear: &'a dyn Ear) -> Doing<'a, ()> {
        Box::pin(async move {
            tokio::join!(self.client.tend(), self.listen(ear));
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::{built, outgoing};
    use crate::core::outcome::{ReceiptKind, ReceiptRef};

    const ME: &str = "+15550001111";

    #[test]
    fn a_send_names_account_and_recipient() {
        let request = request(&outgoing("+15551230000", "غادروا"), ME).expect("a good address");
        let expected = json!({
            "number": ME, "recipients": ["+15551230000"], "message": "غادروا", "text_mode": "normal",
        });
        assert_eq!(request.path, "/v2/send");
        assert_eq!(serde_json::from_slice::<Value>(&request.body).expect("JSON"), expected);
        let refused = |address: &str, text: &str| super::request(&outgoing(address, text), ME).err();
        for address in ["", "-a", "15551230000", "u:name.01"] {
            assert_eq!(refused(address, "x"), Some(Reason::BadAddress), "{address}");
        }
        assert_eq!(refused("+15551230000", " "), Some(Reason::NoText));
    }

    #[test]
    fn answers_are_read_by_status_then_by_text() {
        let check = |status: u16, body: &str, expected: Outcome| {
            let response = Response { status, body: body.into(), ..Response::default() };
            assert_eq!(outcome(&response, "+15551230000", ME), expected, "{status} {body}");
        };
        let taken = Outcome::Accepted { provider_id: Some("+15551230000:1700000000000".into()) };
        check(201, r#"{"timestamp":"1700000000000"}"#, taken.clone());
        check(201, r#"{"timestamp":1700000000000}"#, taken);
        for body in ["", "<html>", "[]", "{}", r#"{"timestamp":"soon"}"#, r#"{"timestamp":1.5}"#] {
            check(201, body, unknown(Reason::Unreadable));
        }
        check(429, r#"{"error":"x","challenge_tokens":["a"]}"#, deferred(Reason::Throttled, None));
        check(400, "<html>", deferred(Reason::ProviderFault, None));
        check(404, "", rejected(Reason::Configuration));
        check(500, "", deferred(Reason::ProviderFault, None));
        check(504, "", unknown(Reason::Timeout));
        let text =
            |text: &str, expected: Outcome| check(400, &json!({ "error": text }).to_string(), expected);
        text("Unregistered user \"+15551230000\"", rejected(Reason::NotOnChannel));
        text("Failed to send: +15551230000 is not registered", rejected(Reason::NotOnChannel));
        text("User +15550001111 is not registered.", rejected(Reason::Configuration));
        text("Specified account does not exist", rejected(Reason::Configuration));
        text("Untrusted Identity for \"+15551230000\"", rejected(Reason::IdentityChanged));
        text("Failed to send message due to untrusted identities", rejected(Reason::IdentityChanged));
        text("Failed to send message due to rate limiting", deferred(Reason::Throttled, None));
        text("CAPTCHA proof required", deferred(Reason::Throttled, None));
        text("StatusCode: 429 [429] Rate Limited", unknown(Reason::Throttled));
        text("[403] Authorization failed!", rejected(Reason::Credentials));
        text("Network failure", deferred(Reason::ProviderFault, None));
        text("request timed out", unknown(Reason::Timeout));
        text("something new", deferred(Reason::ProviderFault, None));
    }

    #[test]
    fn a_receipt_is_matched_by_the_senders_number() {
        let check = |envelope: Value, expected: &[&str]| {
            let found = receipts(&json!({"account": ME, "envelope": envelope}), ME);
            let ids = found.iter().map(|receipt| match (&receipt.of, receipt.kind) {
                (ReceiptRef::Provider(id), ReceiptKind::Delivered) => id.as_str(),
                other => panic!("{other:?}"),
            });
            assert_eq!(ids.collect::<Vec<_>>(), expected, "{envelope}");
        };
        let told = json!({"isDelivery": true, "timestamps": [5]});
        let by = |uuid: Value, number: Value, source: &str| json!({"sourceUuid": uuid, "sourceNumber": number, "source": source, "receiptMessage": told});
        let (a, uuid) = (json!("+15551230000"), json!("c0ffee"));
        check(by(uuid.clone(), a.clone(), "c0ffee"), &["+15551230000:5"]);
        check(by(Value::Null, Value::Null, "+15551230000"), &["+15551230000:5"]);
        check(by(uuid, Value::Null, "c0ffee"), &[]);
        assert_eq!(receipts(&json!({"account": "+1", "envelope": by(json!("u"), a, "")}), ME), []);
        assert_eq!(receipts(&json!(7), ME), []);
    }

    #[test]
    fn what_a_person_writes_is_a_reply_by_the_number() {
        let check = |names: Value, message: Value, expected: Option<(&str, Option<&str>)>| {
            let mut envelope = json!({"timestamp": 9, "dataMessage": message});
            let names = names.as_object().expect("names").clone();
            envelope.as_object_mut().expect("an object").extend(names);
            let found = reply(&json!({"account": ME, "envelope": envelope}), ME);
            let found = found.as_ref().map(|reply| {
                let quoted = reply.of.as_ref().map(|of| match of {
                    ReceiptRef::Provider(id) => id.as_str(),
                    other => panic!("{other:?}"),
                });
                assert_eq!(reply.id, format!("{}:9", reply.from));
                (reply.from.as_str(), quoted)
            });
            assert_eq!(found, expected, "{envelope}");
        };
        let amal = json!({"source": "c0ffee", "sourceUuid": "c0ffee", "sourceNumber": "+15551230000"});
        let help = json!({"timestamp": 9, "message": "ساعدوني"});
        check(amal.clone(), help.clone(), Some(("+15551230000", None)));
        let quote = json!({"timestamp": 9, "message": "1", "quote": {"id": 5, "authorNumber": ME}});
        check(amal.clone(), quote, Some(("+15551230000", Some("+15551230000:5"))));
        check(
            json!({"source": "c0ffee", "sourceUuid": "c0ffee", "sourceNumber": null}),
            help.clone(),
            Some(("c0ffee", None)),
        );
        check(amal.clone(), json!({"timestamp": 9, "message": "x", "groupInfo": {"groupId": "g"}}), None);
        check(amal, json!({"reaction": {"emoji": "x", "targetSentTimestamp": 5}}), None);
        check(json!({}), help, None);
    }

    #[test]
    fn settings_need_a_container_and_a_number() {
        let check = |keys: &str, expected: &str| {
            let (adapter, shown) = built("signal-rest", keys);
            assert_eq!(adapter.is_some(), expected.is_empty(), "{keys}: {shown}");
            assert!(shown.contains(expected), "{keys}: {shown}");
        };
        check("base_url = \"http://127.0.0.1:8080\"\naccount = \"+15550001111\"\n", "");
        check("account = \"+15550001111\"\n", "has no `base_url`");
        check(
            "base_url = \"http://127.0.0.1:8080\"\naccount = \"me\"\n",
            "`account` of gateway `g` does not look right",
        );
    }
}
