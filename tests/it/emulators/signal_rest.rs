//! The signal-cli-rest-api's emulator, by hand-written bytes.

use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wasl::emulator::AcceptFault;
use wasl::emulator::signal_cli::{self, Handle, Mode, Options, Refusal, ResultKind};

use super::raw::{Answer, SOON, request};

const ACCOUNT: &str = "+15550001111";

async fn start(mode: Mode) -> Handle {
    let keep_alive = Duration::from_millis(50);
    signal_cli::start(Options { rest: Some(mode), keep_alive, ..Options::default() }).await.unwrap()
}

async fn get(handle: &Handle, path: &str) -> Answer {
    request(handle.addr(), "GET", path, &[], "").await.unwrap()
}

async fn send(handle: &Handle) -> Answer {
    let body = json!({"number": ACCOUNT, "recipients": ["+15551230000"], "message": "Leave now", "text_mode": "normal"});
    request(handle.addr(), "POST", "/v2/send", &[], &body.to_string()).await.unwrap()
}

/// A WebSocket client that reads one frame after the other.
struct Listener(TcpStream);

impl Listener {
    async fn start(handle: &Handle) -> Listener {
        let mut stream = TcpStream::connect(handle.addr()).await.unwrap();
        let asked = "GET /v1/receive/%2B15550001111 HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                     sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(asked.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(SOON, stream.read_u8()).await.unwrap().unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        // Cites: RFC 6455, section 1.3.
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        Listener(stream)
    }

    /// Returns the kind of the next frame, and what it holds.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let reading = async {
            let kind = self.0.read_u8().await.unwrap();
            let length = match self.0.read_u8().await.unwrap() {
                126 => self.0.read_u16().await.unwrap().into(),
                short => usize::from(short),
            };
            let mut bytes = vec![0; length];
            self.0.read_exact(&mut bytes).await.unwrap();
            (kind, bytes)
        };
        timeout(SOON, reading).await.unwrap()
    }
}

#[tokio::test]
async fn receipts_come_by_websocket() {
    let handle = start(Mode::JsonRpc).await;
    assert_eq!(get(&handle, "/v1/receive/%2B15550001111").await.status, 400);
    let mut listener = Listener::start(&handle).await;
    let answer = send(&handle).await;
    assert_eq!(answer.status, 201);
    let sent: u64 = answer.json()["timestamp"].as_str().unwrap().parse().unwrap();
    let mut pings = 0;
    let told = loop {
        match listener.frame().await {
            (0x89, _) => pings += 1,
            (0x81, text) => break serde_json::from_slice::<Value>(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told["account"], ACCOUNT);
    assert_eq!(told["envelope"]["receiptMessage"]["timestamps"], json!([sent]));
    while pings == 0 {
        pings += usize::from(listener.frame().await.0 == 0x89);
    }
    handle.cut();
    assert!(timeout(SOON, listener.0.read_u8()).await.unwrap().is_err());
    assert_eq!(handle.received()[0].text, "Leave now");
}

#[tokio::test]
async fn receipts_wait_where_they_are_asked_for() {
    let handle = start(Mode::Normal).await;
    send(&handle).await;
    let first = get(&handle, "/v1/receive/%2B15550001111?timeout=2").await.json();
    assert_eq!(first.as_array().map(Vec::len), Some(1), "{first}");
    assert_eq!(get(&handle, "/v1/receive/%2B15550001111?timeout=0").await.json(), json!([]));
    send(&handle).await;
    let kept = async {
        while handle.receipts_waiting() == 0 || handle.listeners_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, kept).await.unwrap();
    let second = get(&handle, "/v1/receive/%2B15550001111?timeout=2").await.json();
    assert_eq!(second.as_array().map(Vec::len), Some(1), "{second}");
}

#[tokio::test]
async fn it_says_what_it_is_and_what_went_wrong() {
    let handle = start(Mode::JsonRpc).await;
    assert_eq!(get(&handle, "/v1/health").await.status, 204);
    assert_eq!(get(&handle, "/v1/about").await.json()["mode"], "json-rpc");
    assert_eq!(get(&handle, "/v1/accounts").await.json(), json!([ACCOUNT]));
    assert_eq!(get(&handle, "/v3").await.status, 404);
    let refused = async |handle: &Handle, refusal: Refusal| {
        handle.fault_next(AcceptFault::Reject(refusal));
        let answer = send(handle).await;
        (
            answer.status,
            answer.json()["error"].as_str().unwrap().to_owned(),
            answer.json()["challenge_tokens"].clone(),
        )
    };
    let (status, text, _) = refused(&handle, Refusal::result(ResultKind::UnregisteredFailure)).await;
    assert!(status == 400 && text.contains("Unregistered user"), "{status} {text}");
    let (status, text, _) = refused(&handle, Refusal::result(ResultKind::IdentityFailure)).await;
    assert!(status == 400 && text.contains("Untrusted Identity"), "{status} {text}");
    let (status, _, tokens) = refused(&handle, Refusal::proof_required()).await;
    assert_eq!((status, tokens), (429, json!(["emulated-challenge"])));
    let (status, text, _) = refused(&start(Mode::Normal).await, Refusal::proof_required()).await;
    assert!(status == 400 && text.contains("rate limit"), "{status} {text}");
    handle.set_accounts(&[]);
    let answer = send(&handle).await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (400, Some("User +15550001111 is not registered."))
    );
    assert_eq!(get(&handle, "/v1/receive/%2B15550001111").await.status, 400);
}
