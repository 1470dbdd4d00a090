//! The SMS gateways over HTTP, each asked by hand in its own words.

use serde_json::json;
use wasl::emulator::sms_http::{self, Dialect, Handle, Options};

use super::raw::{Answer, Receiver, request};

async fn start(dialect: Dialect) -> Handle {
    sms_http::start(Options::of(dialect)).await.unwrap()
}

async fn get(handle: &Handle, path: &str) -> Answer {
    request(handle.addr(), "GET", path, &[], "").await.unwrap()
}

async fn post(handle: &Handle, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    request(handle.addr(), "POST", path, headers, body).await.unwrap()
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn kannel_takes_a_query_and_fills_the_escapes() {
    let handle = start(Dialect::Kannel).await;
    let mut receiver = Receiver::start().await;
    let url: String = receiver.url.bytes().map(|b| format!("%{b:02X}")).collect();
    let send = format!(
        "/cgi-bin/sendsms?username=emulated&password=emulated-password&from=100&charset=UTF-8&dlr-mask=31\
         &dlr-url={url}%3Ft%3D%25d%26a%3D%25A"
    );
    let answer = get(&handle, &format!("{send}&to=%2B15551230000&coding=0&text=a%20%7B%20%D8%B3")).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, "0: Accepted for delivery"));
    let received = handle.received().pop().unwrap();
    // In the default alphabet what it has not is lost on the way.
    assert_eq!((received.recipient.as_str(), received.text.as_str()), ("+15551230000", "a { ?"));
    assert_eq!(receiver.next().await.target, "/hook?t=8&a=ACK%2F");
    assert_eq!(receiver.next().await.target, "/hook?t=1&a=");
    get(&handle, &format!("{send}&to=1&coding=2&text=%D8%B3")).await;
    assert_eq!(handle.received().pop().unwrap().text, "س");
    let check = async |path: String, expected: (u16, &str)| {
        let answer = get(&handle, &path).await;
        assert_eq!((answer.status, answer.body.as_str()), expected, "{path}");
    };
    check(format!("{send}&to="), (400, "Empty receiver number not allowed, rejected")).await;
    check(send.replace("emulated-password", "x"), (403, "Authorization failed for sendsms")).await;
    check("/other".into(), (404, "Unknown request.")).await;
    assert!(get(&handle, "/status.xml").await.body.contains("<status>running"));
}

#[tokio::test]
async fn jasmin_gives_an_id_and_wants_its_words() {
    let handle = start(Dialect::Jasmin).await;
    let mut receiver = Receiver::start().await;
    let send = async |more: &str| {
        let body = format!("username=emulated&password=emulated-password&from=A&to=15551230000&{more}");
        post(&handle, "/send", &[FORM], &body).await
    };
    let dlr = format!("dlr=yes&dlr-level=3&dlr-method=POST&dlr-url={}", receiver.url);
    *receiver.answer.lock().unwrap() = (200, "ACK/Jasmin".into());
    let answer = send(&format!("coding=8&hex-content=0633D83CDF0A&{dlr}")).await;
    assert!(answer.status == 200 && answer.body.starts_with("Success \""), "{}", answer.body);
    assert_eq!(handle.received().pop().unwrap().text, "س🌊");
    for expected in ["level=1&message_status=ESME_ROK", "level=2&message_status=DELIVRD"] {
        let call = String::from_utf8(receiver.next().await.body).unwrap();
        assert!(call.contains(expected), "{call}");
    }
    // Another answer, and it comes again.
    *receiver.answer.lock().unwrap() = (200, "OK".into());
    send(&format!("coding=0&content=a&{dlr}")).await;
    let first = receiver.next().await.body;
    receiver.next().await;
    assert_eq!(receiver.next().await.body, first);
    assert_eq!(send("coding=8&hex-content=063").await.body, "Error \"Invalid hex-content data\"");
    assert_eq!(send("coding=0&content=a&hex-content=0633").await.status, 400);
    assert_eq!(post(&handle, "/send", &[FORM], "username=x&password=y").await.status, 403);
    assert_eq!(get(&handle, "/ping").await.body, "Jasmin/PONG");
}

#[tokio::test]
async fn infobip_takes_json_under_its_key() {
    let handle = start(Dialect::Infobip).await;
    let mut receiver = Receiver::start().await;
    let body = json!({"messages": [{
        "sender": "A", "destinations": [{"to": "15551230000", "messageId": "a1"}], "content": {"text": "x"},
        "options": {"validityPeriod": {"amount": 30, "timeUnit": "MINUTES"}},
        "webhooks": {"delivery": {"url": receiver.url}}}]});
    let key = ("authorization", "App emulated-password");
    let answer = post(&handle, "/sms/3/messages", &[JSON, key], &body.to_string()).await;
    assert_eq!(answer.json()["messages"][0]["status"]["groupId"], 1);
    assert_eq!(answer.json()["messages"][0]["messageId"], "a1");
    for name in ["DELIVERED_TO_OPERATOR", "DELIVERED_TO_HANDSET"] {
        let call = receiver.next().await.json();
        assert_eq!(
            (&call["results"][0]["status"]["name"], &call["results"][0]["messageId"]),
            (&json!(name), &json!("a1"))
        );
    }
    let wrong = ("authorization", "App other");
    assert_eq!(post(&handle, "/sms/3/messages", &[JSON, wrong], &body.to_string()).await.status, 401);
    let long = body.to_string().replace("30", "3000");
    assert_eq!(post(&handle, "/sms/3/messages", &[JSON, key], &long).await.status, 400);
}

#[tokio::test]
async fn vonage_answers_and_tells_for_each_part() {
    let handle = start(Dialect::Vonage).await;
    let mut receiver = Receiver::start().await;
    let send = async |text: &str, kind: &str, key: &str| {
        let body = format!(
            "api_key=emulated&api_secret={key}&from=A&to=15551230000&text={text}&type={kind}&ttl=60000&client-ref=r1\
             &status-report-req=1&callback={}",
            receiver.url
        );
        post(&handle, "/sms/json", &[FORM], &body).await.json()
    };
    let answer = send(&"a".repeat(161), "text", "emulated-password").await;
    assert_eq!((&answer["message-count"], &answer["messages"][1]["status"]), (&json!("2"), &json!("0")));
    assert_eq!(send("a", "text", "x").await["messages"][0]["status"], "4");
    let mut told: Vec<String> = Vec::new();
    for _ in 0..4 {
        told.push(receiver.next().await.target);
    }
    let delivered = told.iter().filter(|target| target.contains("status=delivered")).count();
    assert_eq!(delivered, 2, "{told:?}");
    assert!(told.iter().all(|target| target.contains("client-ref=r1")), "{told:?}");
    assert!(receiver.is_quiet().await);
}

#[tokio::test]
async fn a_phone_signs_and_knows_its_ids_again() {
    let handle = start(Dialect::SmsGate).await;
    let mut receiver = Receiver::start().await;
    handle.set_callback(Some(&receiver.url));
    let body = json!({
        "id": "a1", "textMessage": {"text": "س".repeat(71)}, "phoneNumbers": ["+15551230000"],
        "withDeliveryReport": true, "ttl": 60, "priority": 100});
    let login = ("authorization", "Basic ZW11bGF0ZWQ6ZW11bGF0ZWQtcGFzc3dvcmQ=");
    let answer = post(&handle, "/messages", &[JSON, login], &body.to_string()).await;
    assert_eq!((answer.status, &answer.json()["state"]), (202, &json!("Pending")));
    assert_eq!(post(&handle, "/messages", &[JSON, login], &body.to_string()).await.status, 409);
    assert_eq!((handle.accepted_count(), handle.repeats_count()), (1, 1));
    let mut events = Vec::new();
    for _ in 0..3 {
        let call = receiver.next().await;
        assert!(
            call.header("x-signature").is_some_and(|tag| tag.len() == 64)
                && call.header("x-timestamp").is_some()
        );
        events.push((call.json()["event"].clone(), call.json()["id"].clone()));
    }
    let delivered: Vec<_> = events.iter().filter(|(event, _)| event == "sms:delivered").collect();
    assert!(delivered.len() == 2 && delivered[0].1 != delivered[1].1, "{events:?}");
    assert_eq!(post(&handle, "/messages", &[JSON], &body.to_string()).await.status, 401);
    let long = body.to_string().replace("\"a1\"", &format!("\"{}\"", "a".repeat(37)));
    assert_eq!(post(&handle, "/messages", &[JSON, login], &long).await.status, 400);
    assert_eq!(get(&handle, "/health").await.json()["status"], "pass");
}
