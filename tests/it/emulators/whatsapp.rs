//! The Graph API's emulator.

use serde_json::{Value, json};
use wasl::emulator::whatsapp::{self, Handle, Health, Options, Refusal, Window, signature};
use wasl::emulator::{AcceptFault, DeliverFault, Fault, Mix, Rate, ReceiptFault};

use super::raw::{Answer, Receiver, request};

const BEARER: (&str, &str) = ("authorization", "Bearer emulated-token");

async fn start(receiver: &Receiver) -> Handle {
    let options = Options { callback: Some(receiver.url.clone()), ..Options::default() };
    whatsapp::start(options).await.unwrap()
}

async fn post(handle: &Handle, body: &Value) -> Answer {
    let path = "/v23.0/106853218861309/messages";
    let body = body.to_string();
    request(handle.addr(), "POST", path, &[BEARER], &body).await.unwrap()
}

fn text(to: &str, body: &str) -> Value {
    json!({
        "messaging_product": "whatsapp", "recipient_type": "individual", "to": to,
        "type": "text", "text": { "body": body }, "biz_opaque_callback_data": "attempt-7",
    })
}

async fn send(handle: &Handle) -> Answer {
    post(handle, &text("15551230000", "Leave now")).await
}

/// Collects the statuses of the next calls until there are `count`.
async fn statuses(receiver: &mut Receiver, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    while all.len() < count {
        let call = receiver.next().await;
        let expected = signature("app-secret", &call.body);
        assert_eq!(call.header("x-hub-signature-256"), Some(expected));
        let body = call.json();
        assert_eq!(body["object"], "whatsapp_business_account");
        let value = &body["entry"][0]["changes"][0]["value"];
        assert_eq!(value["metadata"]["phone_number_id"], "106853218861309");
        all.extend(value["statuses"].as_array().unwrap().clone());
    }
    all
}

fn words(statuses: &[Value]) -> Vec<&str> {
    statuses.iter().map(|s| s["status"].as_str().unwrap()).collect()
}

#[test]
fn signatures_match_the_vector() {
    assert_eq!(
        signature("app-secret", br#"{"a":1}"#),
        "sha256=a2ac6607a24977f9757e6d78319ae1660ad42ffeee0ee3f0dff30a92bcf85448"
    );
}

#[tokio::test]
async fn a_message_is_taken_and_its_statuses_come() {
    let mut receiver = Receiver::start().await;
    let handle = start(&receiver).await;
    let answer = send(&handle).await;
    assert_eq!(answer.status, 200);
    let wamid = answer.json()["messages"][0]["id"].clone();
    assert!(wamid.as_str().unwrap().starts_with("wamid."));
    let statuses = statuses(&mut receiver, 2).await;
    assert_eq!(words(&statuses), ["sent", "delivered"]);
    for status in &statuses {
        assert_eq!(status["id"], wamid);
        assert_eq!(status["biz_opaque_callback_data"], "attempt-7");
        assert!(status["timestamp"].as_str().unwrap().parse::<u64>().is_ok());
    }
    let received = handle.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].recipient, "15551230000");
    assert_eq!(received[0].text, "Leave now");
    assert_eq!(received[0].attempt_ref.as_deref(), Some("attempt-7"));
    assert_eq!(handle.accepted_count(), 1);
    assert!(!format!("{received:?}").contains("Leave"));
}

#[tokio::test]
async fn errors_come_in_metas_words() {
    let receiver = Receiver::start().await;
    let handle = start(&receiver).await;
    let path = "/v23.0/106853218861309/messages";
    let wrong = [("authorization", "Bearer wrong")];
    let answer = request(handle.addr(), "POST", path, &wrong, "{}").await.unwrap();
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (401, &json!(190)));
    let answer = post(&handle, &json!({})).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!(100)));

    for (code, status) in [(131_026, 400), (2, 503), (131_016, 503), (10, 403), (132_001, 404)] {
        handle.fault_next(AcceptFault::Reject(Refusal::new(code)));
        let answer = send(&handle).await;
        let error = &answer.json()["error"];
        assert_eq!((answer.status, &error["code"]), (status, &json!(code)));
        assert!(error["message"].as_str().unwrap().starts_with(&format!("(#{code})")));
        assert_eq!(error["error_data"]["messaging_product"], "whatsapp");
    }
    handle.fault_next(AcceptFault::Throttle { retry_after_s: 9 });
    let answer = send(&handle).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (429, &json!(130_429)));
    assert!(answer.head.contains("retry-after: 9"));
    assert_eq!(handle.accepted_count(), 0);

    handle.refuse_recipient("15551230000", Some(Refusal::new(131_026)));
    assert_eq!(send(&handle).await.status, 400);
    handle.refuse_recipient("15551230000", None);
    assert_eq!(send(&handle).await.status, 200);

    handle.set_token("renewed");
    assert_eq!(send(&handle).await.json()["error"]["code"], 190);
}

#[tokio::test]
async fn a_rate_is_kept() {
    let receiver = Receiver::start().await;
    let handle = start(&receiver).await;
    handle.fault(Fault::Admit(Some(Rate { per_s: 0.01, burst: 2.0 })));
    assert_eq!(send(&handle).await.status, 200);
    assert_eq!(send(&handle).await.status, 200);
    assert_eq!(send(&handle).await.json()["error"]["code"], 130_429);
}

#[tokio::test]
async fn a_closed_window_asks_for_a_template() {
    let mut receiver = Receiver::start().await;
    let handle = start(&receiver).await;
    handle.set_window(Window::Closed);
    assert_eq!(send(&handle).await.json()["error"]["code"], 131_047);
    let template = json!({
        "messaging_product": "whatsapp", "to": "15551230000", "type": "template",
        "template": { "name": "alert", "language": { "code": "ar" }, "components": [
            { "type": "body", "parameters": [{ "type": "text", "text": "فيضان" }] } ] },
    });
    assert_eq!(post(&handle, &template).await.status, 200);
    let received = handle.received();
    assert_eq!(received[0].details["template"], "alert");
    assert_eq!(received[0].text, "فيضان");
    assert_eq!(words(&statuses(&mut receiver, 2).await), ["sent", "delivered"]);

    assert!(handle.inbound_text("15551230000", "hello", None));
    let call = receiver.next().await.json();
    let value = &call["entry"][0]["changes"][0]["value"];
    assert_eq!(value["messages"][0]["text"]["body"], "hello");
    assert_eq!(send(&handle).await.status, 200);
    statuses(&mut receiver, 2).await;

    handle.set_window(Window::ClosedLate);
    assert_eq!(send(&handle).await.status, 200);
    let late = statuses(&mut receiver, 1).await;
    assert_eq!(words(&late), ["failed"]);
    assert_eq!(late[0]["errors"][0]["code"], 131_047);
}

#[tokio::test]
async fn receipts_go_wrong_in_every_way() {
    let mut receiver = Receiver::start().await;
    let handle = start(&receiver).await;
    let order = |fault| handle.fault(Fault::Receipt(Mix::always(fault)));

    order(ReceiptFault::Missing);
    send(&handle).await;
    assert!(receiver.is_quiet().await);

    order(ReceiptFault::Doubled);
    send(&handle).await;
    let all = statuses(&mut receiver, 4).await;
    assert_eq!(words(&all), ["sent", "sent", "delivered", "delivered"]);

    order(ReceiptFault::Disordered);
    send(&handle).await;
    let all = statuses(&mut receiver, 2).await;
    assert_eq!(words(&all), ["delivered", "sent"]);

    // Early: the call is made, and answered, before the send is.
    order(ReceiptFault::Early);
    send(&handle).await;
    assert_eq!(receiver.calls.len(), 1);
    statuses(&mut receiver, 2).await;

    order(ReceiptFault::Forged);
    send(&handle).await;
    let call = receiver.next().await;
    let honest = signature("app-secret", &call.body);
    assert_ne!(call.header("x-hub-signature-256"), Some(honest));
    while !receiver.is_quiet().await {}

    handle.clear();
    handle.fault(Fault::Deliver(Mix::always(DeliverFault::Fail(Refusal::new(131_026)))));
    send(&handle).await;
    let all = statuses(&mut receiver, 1).await;
    assert_eq!(all[0]["errors"][0]["code"], 131_026);

    handle.fault(Fault::Deliver(Mix::always(DeliverFault::Drop)));
    send(&handle).await;
    assert_eq!(words(&statuses(&mut receiver, 1).await), ["sent"]);
    assert!(receiver.is_quiet().await);

    handle.clear();
    order(ReceiptFault::Held);
    send(&handle).await;
    assert!(receiver.is_quiet().await);
    handle.clear();
    statuses(&mut receiver, 2).await;

    handle.fault(Fault::Deliver(Mix::always(DeliverFault::Hold)));
    send(&handle).await;
    assert!(receiver.is_quiet().await);
    handle.clear();
    assert_eq!(words(&statuses(&mut receiver, 2).await), ["sent", "delivered"]);
}

#[tokio::test]
async fn a_webhook_that_is_not_taken_comes_again() {
    let mut receiver = Receiver::start().await;
    let handle = start(&receiver).await;
    receiver.answer.lock().unwrap().0 = 503;
    send(&handle).await;
    let first = statuses(&mut receiver, 2).await;
    receiver.answer.lock().unwrap().0 = 200;
    let again = statuses(&mut receiver, 2).await;
    assert_eq!(first[0]["id"], again[0]["id"]);
    assert!(receiver.is_quiet().await);
    assert!(handle.webhooks_failed() >= 1);
}

#[tokio::test]
async fn what_was_taken_without_an_answer_is_counted() {
    let receiver = Receiver::start().await;
    let handle = start(&receiver).await;
    handle.fault_next(AcceptFault::Reset { taken: true });
    handle.fault_next(AcceptFault::Close { taken: false });
    for _ in 0..2 {
        let body = text("15551230000", "Leave now").to_string();
        let path = "/v23.0/106853218861309/messages";
        let answer = request(handle.addr(), "POST", path, &[BEARER], &body).await;
        assert!(answer.is_err());
    }
    assert_eq!(handle.accepted_count(), 1);
}

#[tokio::test]
async fn health_is_as_ordered() {
    let receiver = Receiver::start().await;
    let handle = start(&receiver).await;
    for (health, word) in
        [(Health::Available, "AVAILABLE"), (Health::Limited, "LIMITED"), (Health::Blocked, "BLOCKED")]
    {
        handle.set_health(health);
        let path = "/v23.0/106853218861309?fields=health_status,quality_rating";
        let answer = request(handle.addr(), "GET", path, &[BEARER], "").await.unwrap();
        assert_eq!(answer.json()["health_status"]["can_send_message"], word);
    }
}

#[tokio::test]
async fn the_handshake_wants_the_challenge_back() {
    let mut receiver = Receiver::start().await;
    let handle = start(&receiver).await;
    *receiver.answer.lock().unwrap() = (200, "1158201444".to_owned());
    // This receiver passes a wrong token as well, which must not count.
    assert!(!handle.verify_callback("my token").await);
    let call = receiver.next().await;
    assert!(call.target.contains("hub.mode=subscribe"));
    assert!(call.target.contains("hub.verify_token=%6D%79%20"));
}
