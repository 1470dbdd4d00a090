//! Twilio's emulator.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::time::Duration;
use wasl::emulator::twilio::{self, Handle, Options, Refusal, signature};
use wasl::emulator::{AcceptFault, DeliverFault, Fault, Mix, Rate, ReceiptFault};

use super::raw::{Answer, Call, Receiver, request};

const MESSAGES: &str = "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json";
const GOOD: &str = "To=%2B15551230000&From=%2B15550001111&Body=Leave+now";

async fn start() -> Handle {
    twilio::start(Options::default()).await.unwrap()
}

async fn ask(handle: &Handle, method: &str, path: &str, token: &str, body: &str) -> Answer {
    let login = STANDARD.encode(format!("AC0123456789abcdef0123456789abcdef:{token}"));
    let headers = [
        ("authorization", format!("Basic {login}")),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
    ];
    let headers = [(headers[0].0, headers[0].1.as_str()), (headers[1].0, headers[1].1.as_str())];
    request(handle.addr(), method, path, &headers, body).await.unwrap()
}

async fn post(handle: &Handle, body: &str) -> Answer {
    ask(handle, "POST", MESSAGES, "emulatedauthtoken", body).await
}

/// Returns the parameters of a call, once its signature over this URL holds.
fn signed(call: &Call, token: &str, url: &str) -> Vec<(String, String)> {
    let body = String::from_utf8(call.body.clone()).unwrap();
    let unescaped = |text: &str| text.replace("%2B", "+").replace("%2D", "-").replace("%2E", ".");
    let pairs: Vec<_> = body
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), unescaped(value)))
        .collect();
    let named: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    assert_eq!(call.header("x-twilio-signature"), Some(signature(token, url, &named)));
    assert!(call.header("content-type").unwrap().starts_with("application/x-www-form-urlencoded"));
    pairs
}

fn said<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn a_message_is_taken_its_statuses_come_and_it_is_found() {
    let mut receiver = Receiver::start().await;
    let handle = start().await;
    let url = format!("{}?attempt=m-0-1", receiver.url);
    let escaped = url.replace(':', "%3A").replace('/', "%2F").replace('?', "%3F").replace('=', "%3D");
    let answer = post(&handle, &format!("{GOOD}&StatusCallback={escaped}&ValidityPeriod=60")).await;
    assert_eq!(answer.status, 201);
    let shown = answer.json();
    let sid = shown["sid"].as_str().unwrap().to_owned();
    assert!(sid.starts_with("SM") && sid.len() == 34);
    assert_eq!((&shown["status"], &shown["num_segments"]), (&json!("queued"), &json!("1")));
    let mut words = Vec::new();
    for _ in 0..2 {
        let call = receiver.next().await;
        assert_eq!(call.target, "/hook?attempt=m-0-1");
        let pairs = signed(&call, "emulatedauthtoken", &url);
        words.push(said(&pairs, "MessageStatus").unwrap().to_owned());
        assert_eq!((said(&pairs, "MessageSid"), said(&pairs, "ErrorCode")), (Some(sid.as_str()), None));
    }
    // Their order is nobody's: each is a call of its own.
    words.sort();
    assert_eq!(words, ["delivered", "sent"]);
    let received = handle.received();
    assert_eq!((received[0].recipient.as_str(), received[0].text.as_str()), ("+15551230000", "Leave now"));
    assert_eq!(
        (received[0].sender.as_str(), received[0].details["validity"].as_str()),
        ("+15550001111", "60")
    );

    post(&handle, &GOOD.replace("0000&", "0001&")).await;
    let list = format!("{MESSAGES}?To=%2B15551230000&PageSize=20");
    let list = ask(&handle, "GET", &list, "emulatedauthtoken", "").await.json();
    let list = list["messages"].as_array().unwrap();
    assert_eq!((list.len(), &list[0]["sid"], &list[0]["status"]), (1, &json!(sid), &json!("delivered")));
    assert!(list[0]["date_created"].as_str().unwrap().ends_with(" +0000"), "{}", list[0]["date_created"]);
    let one = MESSAGES.replace("Messages.json", &format!("Messages/{sid}.json"));
    assert_eq!(ask(&handle, "GET", &one, "emulatedauthtoken", "").await.json()["body"], "Leave now");
}

#[tokio::test]
async fn errors_come_in_twilios_words() {
    let handle = start().await;
    let refused = |answer: Answer| (answer.status, answer.json()["code"].as_u64().unwrap());
    assert_eq!(refused(ask(&handle, "POST", MESSAGES, "wrong", GOOD).await), (401, 20_003));
    let elsewhere = MESSAGES.replace("AC0", "AC1");
    assert_eq!(refused(ask(&handle, "POST", &elsewhere, "emulatedauthtoken", GOOD).await), (404, 20_404));
    for (body, code) in [
        ("From=%2B15550001111&Body=x".to_owned(), 21_604),
        ("To=%2B15551230000&Body=x".to_owned(), 21_603),
        ("To=%2B15551230000&From=%2B15550001111".to_owned(), 21_602),
        ("To=15551230000&From=%2B15550001111&Body=x".to_owned(), 21_211),
        ("To=%2B15551230000&From=%2B15550009999&Body=x".to_owned(), 21_606),
        ("To=%2B15551230000&MessagingServiceSid=MG1&Body=x".to_owned(), 21_701),
        (format!("{GOOD}{}", "x".repeat(1_600)), 21_617),
        (format!("{GOOD}&StatusCallback=nowhere"), 21_609),
    ] {
        assert_eq!(refused(post(&handle, &body).await), (400, code), "{code}");
    }
    let by_service = "To=%2B15551230000&MessagingServiceSid=MG0123456789abcdef0123456789abcdef&Body=x";
    assert_eq!(post(&handle, by_service).await.json()["status"], "accepted");
    assert_eq!(handle.accepted_count(), 1);
    for (code, status) in [(21_610, 400), (20_500, 500), (20_503, 503), (14_107, 429)] {
        handle.fault_next(AcceptFault::Reject(Refusal::new(code)));
        assert_eq!(refused(post(&handle, GOOD).await), (status, u64::from(code)));
    }
    handle.fault_next(AcceptFault::Throttle { retry_after_s: 9 });
    let answer = post(&handle, GOOD).await;
    assert!(answer.head.contains("retry-after: 9"), "{}", answer.head);
    assert_eq!(refused(answer), (429, 20_429));
    handle.refuse_recipient("+15551230000", Some(Refusal::new(21_614)));
    assert_eq!(refused(post(&handle, GOOD).await), (400, 21_614));
    handle.clear();
    handle.fault(Fault::Admit(Some(Rate { per_s: 0.1, burst: 1.0 })));
    assert_eq!(post(&handle, GOOD).await.status, 201);
    assert_eq!(post(&handle, GOOD).await.status, 429);
    assert_eq!(handle.accepted_count(), 2);
}

#[tokio::test]
async fn the_account_says_how_it_is() {
    let handle = start().await;
    let account = "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef.json";
    assert_eq!(ask(&handle, "GET", account, "emulatedauthtoken", "").await.json()["status"], "active");
    handle.set_account_status("suspended");
    assert_eq!(ask(&handle, "GET", account, "emulatedauthtoken", "").await.json()["status"], "suspended");
    handle.set_auth_token("renewed");
    assert_eq!(ask(&handle, "GET", account, "emulatedauthtoken", "").await.status, 401);
    assert_eq!(request(handle.addr(), "GET", "/2010-04-01.json", &[], "").await.unwrap().status, 200);
}

#[tokio::test]
async fn statuses_misbehave_as_told_and_go_by_the_road_that_is_set() {
    let mut receiver = Receiver::start().await;
    let handle = start().await;
    handle.set_road(receiver.url.strip_suffix("/hook"));
    let url = "https://alerts.example.org/hooks/g?attempt=1";
    let escaped = "https%3A%2F%2Falerts.example.org%2Fhooks%2Fg%3Fattempt%3D1";
    let body = format!("{GOOD}&StatusCallback={escaped}");
    let order = |fault| handle.fault(Fault::Receipt(Mix::always(fault)));
    let mut words = async |count: usize, token: &str| {
        let mut words = Vec::new();
        for _ in 0..count {
            let call = receiver.next().await;
            assert_eq!(call.target, "/hooks/g?attempt=1");
            words.push(said(&signed(&call, token, url), "MessageStatus").unwrap().to_owned());
        }
        words.sort();
        words
    };
    order(ReceiptFault::Doubled);
    post(&handle, &body).await;
    assert_eq!(words(4, "emulatedauthtoken").await, ["delivered", "delivered", "sent", "sent"]);
    order(ReceiptFault::Early);
    post(&handle, &body).await;
    assert_eq!(words(2, "emulatedauthtoken").await, ["delivered", "sent"]);
    order(ReceiptFault::Forged);
    post(&handle, &body).await;
    assert_eq!(words(2, "not-the-auth-token").await, ["delivered", "sent"]);
    order(ReceiptFault::Held);
    post(&handle, &body).await;
    handle.release();
    assert_eq!(words(2, "emulatedauthtoken").await, ["delivered", "sent"]);
    handle.clear();
    handle.fault(Fault::Deliver(Mix::always(DeliverFault::Fail(Refusal::new(30_003)))));
    post(&handle, &body).await;
    let failed = signed(&receiver.next().await, "emulatedauthtoken", url);
    assert_eq!(
        (said(&failed, "MessageStatus"), said(&failed, "ErrorCode")),
        (Some("undelivered"), Some("30003"))
    );
    handle.clear();
    order(ReceiptFault::Missing);
    post(&handle, &body).await;
    assert!(receiver.is_quiet().await);
    // Twilio does not repeat what was refused.
    handle.clear();
    *receiver.answer.lock().unwrap() = (500, String::new());
    post(&handle, &body).await;
    receiver.next().await;
    receiver.next().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(receiver.is_quiet().await);
    assert_eq!(handle.callbacks_failed(), 2);
}
