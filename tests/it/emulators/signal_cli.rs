//! The signal-cli daemon's emulator.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wasl::emulator::signal_cli::{self, Handle, Options, Refusal, ResultKind};
use wasl::emulator::{AcceptFault, DeliverFault, Fault, Mix, ReceiptFault};

use super::raw::{Answer, QUIET, SOON, request};

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const ACCOUNT: &str = "+15550001111";
const RECIPIENT: &str = "+15551230000";

async fn start() -> Handle {
    signal_cli::start(Options::default()).await.unwrap()
}

async fn post(handle: &Handle, body: &Value) -> Answer {
    let body = body.to_string();
    request(handle.addr(), "POST", "/api/v1/rpc", &[JSON], &body).await.unwrap()
}

async fn call(handle: &Handle, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": "a1", "method": method, "params": params });
    let answer = post(handle, &body).await;
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(answer["id"], "a1");
    answer
}

async fn send(handle: &Handle) -> Value {
    let params = json!({ "account": ACCOUNT, "recipient": [RECIPIENT], "message": "Leave now" });
    call(handle, "send", params).await
}

/// A listener to the event stream.
struct Listener(tokio::io::Lines<BufReader<TcpStream>>);

impl Listener {
    async fn start(handle: &Handle) -> Self {
        let mut stream = TcpStream::connect(handle.addr()).await.unwrap();
        let text = "GET /api/v1/events?account=%2B15550001111 HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(text.as_bytes()).await.unwrap();
        while handle.listeners_count() == 0 {
            tokio::task::yield_now().await;
        }
        Self(BufReader::new(stream).lines())
    }

    /// Returns the data of the next event.
    async fn next(&mut self) -> Value {
        let mut named = false;
        loop {
            let line = timeout(SOON, self.0.next_line()).await.unwrap().unwrap().unwrap();
            named |= line == "event:receive";
            if let Some(data) = line.strip_prefix("data:") {
                assert!(named);
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    async fn is_quiet(&mut self) -> bool {
        timeout(QUIET, self.next()).await.is_err()
    }
}

#[tokio::test]
async fn a_message_is_taken_and_its_receipt_comes() {
    let handle = start().await;
    let mut listener = Listener::start(&handle).await;
    let answer = send(&handle).await;
    let timestamp = answer["result"]["timestamp"].clone();
    let result = &answer["result"]["results"][0];
    assert_eq!(result["type"], "SUCCESS");
    assert_eq!(result["recipientAddress"]["number"], RECIPIENT);
    let event = listener.next().await;
    assert_eq!(event["account"], ACCOUNT);
    let envelope = &event["envelope"];
    assert_eq!(envelope["sourceNumber"], RECIPIENT);
    assert_eq!(envelope["sourceUuid"], result["recipientAddress"]["uuid"]);
    assert_eq!(envelope["receiptMessage"]["isDelivery"], true);
    assert_eq!(envelope["receiptMessage"]["timestamps"], json!([timestamp]));
    assert_eq!(handle.received()[0].text, "Leave now");
    assert_eq!(handle.received()[0].provider_id, timestamp.to_string());

    let first = send(&handle).await["result"]["timestamp"].as_u64();
    let second = send(&handle).await["result"]["timestamp"].as_u64();
    assert!(second > first);
}

#[tokio::test]
async fn http_is_as_the_daemon_speaks_it() {
    let handle = start().await;
    let status = async |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        request(handle.addr(), method, path, headers, body).await.unwrap().status
    };
    assert_eq!(status("GET", "/api/v1/check", &[], "").await, 200);
    assert_eq!(status("GET", "/api/v1/rpc", &[], "").await, 405);
    assert_eq!(status("POST", "/api/v1/rpc", &[], "{}").await, 415);
    assert_eq!(status("GET", "/api/v1/events?account=%2B1", &[], "").await, 400);
    let notification = r#"{"jsonrpc":"2.0","method":"version"}"#;
    assert_eq!(status("POST", "/api/v1/rpc", &[JSON], notification).await, 201);
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "version" },
        { "jsonrpc": "2.0", "id": 2, "method": "listAccounts" },
    ]);
    let answer = post(&handle, &batch).await.json();
    assert_eq!(answer[1]["result"], json!([{ "number": ACCOUNT }]));
}

#[tokio::test]
async fn errors_come_with_status_200() {
    let handle = start().await;
    let code = |answer: &Value| answer["error"]["code"].as_i64().unwrap();
    let params = json!({ "account": "+1999", "recipient": [RECIPIENT], "message": "x" });
    assert_eq!(code(&call(&handle, "send", params).await), -32_602);
    assert_eq!(code(&call(&handle, "send", json!({ "message": "x" })).await), -32_602);
    assert_eq!(code(&call(&handle, "sing", json!({})).await), -32_601);
    let broken = request(handle.addr(), "POST", "/api/v1/rpc", &[JSON], "{").await.unwrap();
    assert_eq!((broken.status, code(&broken.json())), (200, -32_700));

    for (refusal, expected, kind) in [
        (Refusal::result(ResultKind::UnregisteredFailure), -1, "UNREGISTERED_FAILURE"),
        (Refusal::result(ResultKind::IdentityFailure), -4, "IDENTITY_FAILURE"),
        (Refusal::proof_required(), -5, "RATE_LIMIT_FAILURE"),
        (Refusal::result(ResultKind::NetworkFailure), -1, "NETWORK_FAILURE"),
    ] {
        handle.fault_next(AcceptFault::Reject(refusal));
        let answer = send(&handle).await;
        assert_eq!(code(&answer), expected);
        let results = &answer["error"]["data"]["response"]["results"];
        assert_eq!(results[0]["type"], kind);
    }
    handle.fault_next(AcceptFault::Reject(Refusal::error(-3, "Failed to send: IOException")));
    assert_eq!(code(&send(&handle).await), -3);

    let unregistered = Refusal::result(ResultKind::UnregisteredFailure);
    handle.refuse_recipient(RECIPIENT, Some(unregistered));
    let params = json!({ "account": ACCOUNT, "recipient": [RECIPIENT] });
    let status = call(&handle, "getUserStatus", params).await;
    assert_eq!(status["result"][0]["isRegistered"], false);
    assert_eq!(status["result"][0]["uuid"], Value::Null);
    handle.set_accounts(&[]);
    assert_eq!(code(&send(&handle).await), -32_602);
    assert_eq!(handle.accepted_count(), 0);
}

#[tokio::test]
async fn receipts_go_wrong_in_every_way() {
    let options = Options { read_receipts: true, ..Options::default() };
    let handle = signal_cli::start(options).await.unwrap();
    let mut listener = Listener::start(&handle).await;
    let order = |fault| handle.fault(Fault::Receipt(Mix::always(fault)));

    order(ReceiptFault::Missing);
    send(&handle).await;
    assert!(listener.is_quiet().await);

    order(ReceiptFault::Disordered);
    send(&handle).await;
    assert_eq!(listener.next().await["envelope"]["receiptMessage"]["isRead"], true);
    assert_eq!(listener.next().await["envelope"]["receiptMessage"]["isDelivery"], true);

    order(ReceiptFault::Doubled);
    send(&handle).await;
    for _ in 0..4 {
        listener.next().await;
    }

    order(ReceiptFault::Early);
    send(&handle).await;
    listener.next().await;
    listener.next().await;

    order(ReceiptFault::Forged);
    send(&handle).await;
    assert_ne!(listener.next().await["envelope"]["sourceNumber"], RECIPIENT);
    listener.next().await;

    handle.clear();
    handle.fault(Fault::Deliver(Mix::always(DeliverFault::Hold)));
    send(&handle).await;
    assert!(listener.is_quiet().await);
    handle.release();
    listener.next().await;
    listener.next().await;

    assert!(handle.inbound_text(ACCOUNT, RECIPIENT, "I am safe", Some(7)));
    let event = listener.next().await;
    assert_eq!(event["envelope"]["dataMessage"]["quote"]["id"], 7);
}
