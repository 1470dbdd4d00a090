//! The receiver of webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wasl::emulator::webhook::{self, Handle, Options, Refusal};
use wasl::emulator::{AcceptFault, Delay, Fault, Mix};

use super::raw::{Answer, request};

const TARGET: &str = "/in/emulated?key=emulated";

async fn start() -> Handle {
    webhook::start(Options::default()).await.unwrap()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn body() -> Value {
    json!({
        "type": "message.sent", "timestamp": "2026-11-22T12:00:00.000Z",
        "data": {
            "message": "m", "delivery": "m-0", "attempt": "m-0-1", "repeat": false, "severity": "extreme",
            "status": "exercise", "language": "ar", "subject": "تمرين", "text": "تمرين – غادروا",
            "recipient": "patient-4711",
        },
    })
}

/// Calls under an id, signed at a time by hand.
async fn call(handle: &Handle, target: &str, id: &str, at: u64, body: &str) -> Answer {
    let secret = Options::default().secret;
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes());
    let (at, signature) = (at.to_string(), format!("v1,{}", STANDARD.encode(tag)));
    let headers = [("webhook-id", id), ("webhook-timestamp", &at), ("webhook-signature", &signature)];
    request(handle.addr(), "POST", target, &headers, body).await.unwrap()
}

#[tokio::test]
async fn a_signed_message_is_taken_once() {
    let handle = start().await;
    let body = body().to_string();
    for expected in [202, 200] {
        assert_eq!(call(&handle, TARGET, "m-0", now(), &body).await.status, expected);
    }
    assert_eq!((handle.accepted_count(), handle.repeats_count()), (1, 1));
    let received = handle.received().pop().unwrap();
    assert_eq!((received.recipient.as_str(), received.text.as_str()), ("patient-4711", "تمرين – غادروا"));
    assert_eq!(received.attempt_ref.as_deref(), Some("m-0-1"));
    let detail = |name: &str| received.details[name].as_str();
    assert_eq!((detail("status"), detail("severity"), detail("repeat")), ("exercise", "extreme", "false"));
}

#[tokio::test]
async fn of_two_that_come_at_once_one_is_the_repeat() {
    let handle = start().await;
    handle.fault(Fault::Accept(Mix::slow(Delay::Fixed(Duration::from_millis(200)))));
    let (body, at) = (body().to_string(), now());
    let (one, other) =
        tokio::join!(call(&handle, TARGET, "m-0", at, &body), call(&handle, TARGET, "m-0", at, &body));
    assert_eq!(one.status.min(other.status), 200);
    assert_eq!((handle.accepted_count(), handle.repeats_count()), (1, 1));
}

#[tokio::test]
async fn what_is_not_signed_or_not_for_it_is_refused() {
    let handle = start().await;
    let good = body().to_string();
    let check = async |target: &str, at: u64, body: &str, expected: u16| {
        assert_eq!(call(&handle, target, "m-0-1", at, body).await.status, expected, "{target} {at} {body}");
    };
    check("/in/emulated?key=another", now(), &good, 404).await;
    check(TARGET, now() - 600, &good, 401).await;
    check(TARGET, now() + 600, &good, 401).await;
    check(TARGET, now(), "not JSON", 400).await;
    check(TARGET, now(), "{}", 422).await;
    assert_eq!(request(handle.addr(), "POST", TARGET, &[], &good).await.unwrap().status, 401);
    assert_eq!(request(handle.addr(), "GET", TARGET, &[], "").await.unwrap().status, 405);
    assert_eq!(request(handle.addr(), "OPTIONS", TARGET, &[], "").await.unwrap().status, 204);
    handle.set_secret("whsec_YW5vdGhlciBzZWNyZXQgb2Ygd2ViaG9va3M=");
    check(TARGET, now(), &good, 401).await;
    assert_eq!(handle.accepted_count(), 0);
    let handle = webhook::start(Options { unsigned_status: 400, ..Options::default() }).await.unwrap();
    assert_eq!(request(handle.addr(), "POST", TARGET, &[], &good).await.unwrap().status, 400);
}

#[tokio::test]
async fn faults_are_answers_of_its_kind() {
    let handle = start().await;
    let body = body().to_string();
    handle.refuse_recipient("patient-4711", Some(Refusal::new(422, "no such patient")));
    assert_eq!(call(&handle, TARGET, "m-0-1", now(), &body).await.status, 422);
    handle.refuse_recipient("patient-4711", None);
    handle.fault_next(AcceptFault::Throttle { retry_after_s: 7 });
    let slow = call(&handle, TARGET, "m-0-2", now(), &body).await;
    assert_eq!(slow.status, 429);
    assert!(slow.head.contains("retry-after: 7"), "{}", slow.head);
    assert_eq!(call(&handle, TARGET, "m-0-3", now(), &body).await.status, 202);
}
