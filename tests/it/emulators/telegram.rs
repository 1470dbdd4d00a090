//! The Bot API's emulator.

use serde_json::{Value, json};
use tokio::time::timeout;
use wasl::emulator::telegram::{self, Handle, Options, Refusal};
use wasl::emulator::{AcceptFault, Rate};

use super::raw::{Answer, QUIET, Receiver, SOON, request};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn start() -> Handle {
    telegram::start(Options::default()).await.unwrap()
}

async fn call(handle: &Handle, method: &str, parameters: Value) -> Answer {
    let path = format!("/bot42:emulated-token/{method}");
    let body = parameters.to_string();
    request(handle.addr(), "POST", &path, &[JSON], &body).await.unwrap()
}

async fn send(handle: &Handle, chat: i64) -> Answer {
    let parameters = json!({
        "chat_id": chat, "text": "Leave now",
        "reply_markup": { "inline_keyboard": [[{ "text": "Safe", "callback_data": "ack:42" }]] },
    });
    call(handle, "sendMessage", parameters).await
}

fn error(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert_eq!(body["ok"], false);
    assert_eq!(body["error_code"], answer.status);
    (answer.status, body["description"].as_str().unwrap().to_owned())
}

/// Waits until so many requests came, and the last of them is being waited on.
async fn polled(handle: &Handle, requests: u64) {
    while handle.requests_count() < requests {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(QUIET / 2).await;
}

#[tokio::test]
async fn a_message_is_taken() {
    let handle = start().await;
    let answer = send(&handle, 555).await.json();
    assert_eq!(answer["ok"], true);
    assert_eq!(answer["result"]["chat"]["id"], 555);
    let received = handle.received();
    assert_eq!(received[0].text, "Leave now");
    assert_eq!(received[0].provider_id, answer["result"]["message_id"].to_string());
    assert!(received[0].details["buttons"].contains("ack:42"));

    let form = [("content-type", "application/x-www-form-urlencoded")];
    let path = "/bot42:emulated-token/SENDMESSAGE";
    let body = "chat_id=-7&text=%D8%A7%D8%AE%D8%B1%D8%AC+now";
    let answer = request(handle.addr(), "POST", path, &form, body).await.unwrap();
    assert_eq!(answer.json()["result"]["chat"]["type"], "group");
    assert_eq!(handle.received()[1].text, "اخرج now");

    let path = "/bot42:emulated-token/getMe";
    let answer = request(handle.addr(), "GET", path, &[], "").await.unwrap();
    assert_eq!(answer.json()["result"]["is_bot"], true);
}

#[tokio::test]
async fn errors_come_in_telegrams_words() {
    let handle = start().await;
    let wrong = request(handle.addr(), "GET", "/bot42:other/getMe", &[], "").await.unwrap();
    assert_eq!(error(&wrong), (401, "Unauthorized".into()));
    let malformed = request(handle.addr(), "GET", "/botx/getMe", &[], "").await.unwrap();
    assert_eq!(error(&malformed), (404, "Not Found".into()));
    let unknown = call(&handle, "getSupper", json!({})).await;
    assert_eq!(error(&unknown), (404, "Not Found".into()));
    let empty = call(&handle, "sendMessage", json!({ "chat_id": 5, "text": "" })).await;
    assert_eq!(error(&empty), (400, "Bad Request: message text is empty".into()));

    assert!(handle.set_blocked(555, true));
    let blocked = send(&handle, 555).await;
    assert_eq!(error(&blocked), (403, "Forbidden: bot was blocked by the user".into()));
    handle.set_blocked(555, false);
    assert_eq!(send(&handle, 555).await.status, 200);

    handle.fault_next(AcceptFault::Throttle { retry_after_s: 3 });
    let flood = send(&handle, 555).await;
    assert_eq!(error(&flood), (429, "Too Many Requests: retry after 3".into()));
    assert_eq!(flood.json()["parameters"]["retry_after"], 3);
    assert!(flood.head.contains("retry-after: 3"));

    handle.fault_next(AcceptFault::Reject(Refusal::migrated(-100_123)));
    let moved = send(&handle, -5).await;
    assert_eq!(moved.json()["parameters"]["migrate_to_chat_id"], -100_123);
}

#[tokio::test]
async fn a_chat_bears_its_own_rate() {
    let handle = start().await;
    handle.set_chat_rate(Some(Rate { per_s: 0.01, burst: 1.0 }));
    assert_eq!(send(&handle, 1).await.status, 200);
    assert_eq!(send(&handle, 2).await.status, 200);
    let flood = send(&handle, 1).await;
    assert_eq!(flood.status, 429);
    assert!(flood.json()["parameters"]["retry_after"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn updates_come_by_long_poll() {
    let handle = start().await;
    let message = send(&handle, 555).await.json()["result"]["message_id"].as_i64().unwrap();
    let long = json!({ "timeout": 50, "allowed_updates": ["callback_query"] });
    let poll = call(&handle, "getUpdates", long);
    let (answer, press) = tokio::join!(timeout(SOON, poll), async {
        polled(&handle, 2).await;
        // Not asked for, so never seen.
        handle.inbound_text(555, "hello", None);
        handle.press(555, message, "ack:42")
    });
    let updates = answer.unwrap().json()["result"].clone();
    assert_eq!(updates.as_array().unwrap().len(), 1);
    let query = &updates[0]["callback_query"];
    assert_eq!(query["data"], "ack:42");
    assert_eq!(query["message"]["message_id"], message);
    assert_eq!(query["id"].as_str(), press.as_deref());

    let parameters = json!({ "callback_query_id": press, "text": "Thanks" });
    let answer = call(&handle, "answerCallbackQuery", parameters.clone()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(call(&handle, "answerCallbackQuery", parameters).await.status, 400);
    assert_eq!(handle.answered_presses(), [(press.unwrap(), "Thanks".to_owned())]);

    let next = updates[0]["update_id"].as_i64().unwrap() + 1;
    let answer = call(&handle, "getUpdates", json!({ "offset": next })).await;
    assert_eq!(answer.json()["result"], json!([]));
    assert_eq!(handle.updates_waiting(), 0);
}

#[tokio::test]
async fn a_second_poll_ends_the_first() {
    let handle = start().await;
    let first = call(&handle, "getUpdates", json!({ "timeout": 50 }));
    let (first, _) = tokio::join!(first, async {
        polled(&handle, 1).await;
        call(&handle, "getUpdates", json!({})).await
    });
    assert_eq!(first.status, 409);
}

#[tokio::test]
async fn updates_come_by_webhook() {
    let mut receiver = Receiver::start().await;
    let handle = start().await;
    let webhook = json!({ "url": receiver.url, "secret_token": "s3cret" });
    assert_eq!(call(&handle, "setWebhook", webhook).await.status, 200);
    assert_eq!(call(&handle, "getUpdates", json!({})).await.status, 409);
    receiver.answer.lock().unwrap().0 = 500;
    handle.press(555, 7, "ack:42").unwrap();
    let update = receiver.next().await;
    assert_eq!(update.header("x-telegram-bot-api-secret-token").as_deref(), Some("s3cret"));
    let info = call(&handle, "getWebhookInfo", json!({})).await.json();
    assert_eq!(info["result"]["pending_update_count"], 1);
    assert_eq!(info["result"]["url"], receiver.url);
    receiver.answer.lock().unwrap().0 = 200;
    let again = receiver.next().await;
    assert_eq!(again.json()["update_id"], update.json()["update_id"]);
    assert!(receiver.is_quiet().await);
    let info = call(&handle, "getWebhookInfo", json!({})).await.json();
    assert!(info["result"]["last_error_date"].is_u64());
    assert_eq!(info["result"]["pending_update_count"], 0);
    assert_eq!(call(&handle, "deleteWebhook", json!({})).await.status, 200);
    assert_eq!(call(&handle, "getUpdates", json!({})).await.status, 200);
    let bad = json!({ "url": receiver.url, "secret_token": "sp ace" });
    assert_eq!(call(&handle, "setWebhook", bad).await.status, 400);
}
