//! What only one provider has: templates, long texts, moved groups, streams that break.

use super::{is_accepted, rejected};
use crate::support::adapters::Sender;
use crate::support::tables::Table;
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wasl::adapter::{Doing, Ear, HookRequest, Outgoing};
use wasl::core::ids::{AttemptId, DeliveryId};
use wasl::core::message::{Status, Template};
use wasl::core::outcome::{Fault as Blame, Outcome, Reason, Receipt, ReceiptKind};
use wasl::core::record::Repeat;
use wasl::core::reply::Reply;
use wasl::core::time::Span;
use wasl::emulator::whatsapp::Window;
use wasl::emulator::{AcceptFault, AnswerFault, Fault, Mix, signal_cli, telegram, webhook, whatsapp};

const SOON: Duration = Duration::from_secs(10);

fn whatsapp_gateway(handle: &whatsapp::Handle) -> Table {
    Table::whatsapp("g", format!("http://{}", handle.addr())).known()
}

#[tokio::test]
async fn a_closed_window_takes_a_template_only() {
    let handle = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let sender = Sender::build(&whatsapp_gateway(&handle));
    handle.set_window(Window::Closed);
    let text = sender.attempt("+15551230000", "غادروا", 1);
    let mut filled = text.clone();
    assert_eq!(sender.adapter.send(text).await.outcome, rejected(Reason::TemplateRequired));
    let params = [("safe_area", "المدرسة"), ("area", "الحي الشرقي")];
    filled.template = Some(Template {
        name: "evacuate".into(),
        language: None,
        params: params.map(|(name, value)| (name.into(), value.into())).into(),
    });
    assert!(is_accepted(&sender.adapter.send(filled).await.outcome));
    let received = handle.received().pop().expect("a message");
    assert_eq!(
        (received.details["template"].as_str(), received.details["language"].as_str()),
        ("evacuate", "ar")
    );
    assert_eq!(received.text, "المدرسة\nالحي الشرقي");
}

#[tokio::test]
async fn the_handshake_is_passed_with_our_token_alone() {
    let handle = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let adapter = Sender::build(&whatsapp_gateway(&handle)).adapter;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    handle.set_callback(Some(&format!("http://{}/hooks/w", listener.local_addr().unwrap())));
    let router = Router::new().fallback(move |request: Request| {
        let adapter = Arc::clone(&adapter);
        async move {
            let answer = adapter.hook(&HookRequest {
                method: request.method().to_string(),
                query: request.uri().query().unwrap_or_default().to_owned(),
                ..HookRequest::default()
            });
            (StatusCode::from_u16(answer.status).unwrap(), answer.body)
        }
    });
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    assert!(handle.verify_callback("ours").await);
    assert!(!handle.verify_callback("theirs").await);
    serving.abort();
}

#[tokio::test]
async fn a_receiver_of_webhooks_is_told_all_and_drops_what_comes_twice() {
    let handle = webhook::start(webhook::Options::default()).await.unwrap();
    let sender = Sender::build(&Table::webhook("g", format!("\"{}\"", handle.url())).known());
    // The answer to the first attempt is lost, and the core makes a second one, as it never makes the same one twice.
    handle.fault_next(AcceptFault::Reset { taken: true });
    let first = Outgoing { status: Status::Exercise, ..sender.attempt("patient-4711", "غادروا", 1) };
    let attempt = first.order.attempt;
    let lost = Outcome::Unknown { reason: Reason::ConnectionLost };
    assert_eq!(sender.adapter.send(first).await.outcome, lost);
    let mut second = sender.attempt("patient-4711", "غادروا", 2);
    second.order.repeat = Repeat::AfterUnknown;
    assert!(is_accepted(&sender.adapter.send(second).await.outcome));
    assert_eq!((handle.accepted_count(), handle.repeats_count()), (1, 1));
    let received = handle.received().pop().expect("a message");
    assert_eq!(received.attempt_ref, Some(attempt.to_string()));
    let detail = |name: &str| received.details[name].clone();
    assert_eq!(detail("message"), attempt.delivery.message.to_string());
    assert_eq!(detail("delivery"), attempt.delivery.to_string());
    assert_eq!((detail("status").as_str(), detail("repeat").as_str()), ("exercise", "false"));
    assert_eq!((detail("language").as_str(), detail("subject").as_str()), ("ar", "تنبيه"));

    // Where the first one did not arrive, the second one is no repeat to drop, and says what it is.
    handle.fault_next(AcceptFault::Reset { taken: false });
    for (n, repeat) in [(1, Repeat::No), (2, Repeat::AfterUnknown)] {
        let mut outgoing = sender.attempt("patient-4712", "غادروا", n);
        let message = outgoing.order.attempt.delivery.message;
        outgoing.order.attempt = AttemptId::new(DeliveryId::new(message, 4), n);
        outgoing.order.repeat = repeat;
        let outcome = sender.adapter.send(outgoing).await.outcome;
        assert_eq!(is_accepted(&outcome), n == 2, "{outcome:?}");
    }
    assert_eq!((handle.accepted_count(), handle.repeats_count()), (2, 1));
    let received = handle.received().pop().expect("a message");
    assert_eq!((received.recipient.as_str(), received.details["repeat"].as_str()), ("patient-4712", "true"));
}

#[tokio::test]
async fn a_signature_that_does_not_fit_is_never_the_messages_fault() {
    for status in [400, 401, 403] {
        let options = webhook::Options { unsigned_status: status, ..webhook::Options::default() };
        let handle = webhook::start(options).await.unwrap();
        let sender = Sender::build(&Table::webhook("g", format!("\"{}\"", handle.url())).known());
        handle.set_secret("whsec_YW5vdGhlciBzZWNyZXQgb2Ygd2ViaG9va3M=");
        let outcome = sender.adapter.send(sender.attempt("patient-4711", "غادروا", 1)).await.outcome;
        assert!(matches!(outcome, Outcome::Rejected { .. }), "{status}: {outcome:?}");
        assert_eq!(outcome.reason().map(Reason::fault), Some(Blame::Gateway), "{status}: {outcome:?}");
    }
}

/// Answers each call on a connection with a head that promises a body, and with no more of it than this.
async fn serve_without_end(begins: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, connections) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut asked = [0; 8192];
            let _ = stream.read(&mut asked).await;
            let _ = stream.write_all(begins.as_bytes()).await;
            held.push(stream);
        }
    });
    (addr, connections)
}

#[tokio::test]
async fn a_webhook_is_taken_by_its_status_whatever_becomes_of_the_body() {
    let gateway = |url: &str| Sender::build(&Table::webhook("g", format!("\"{url}\"")).known());
    let handle = webhook::start(webhook::Options::default()).await.unwrap();
    let sender = gateway(&handle.url());
    let send = async |sender: &Sender, n| {
        let mut outgoing = sender.attempt("patient-4711", "غادروا", n);
        outgoing.order.time_out = Span::from_secs(3);
        sender.adapter.send(outgoing).await
    };
    handle.fault(Fault::Answer(Mix::always(AnswerFault::Cut)));
    for n in 1..=2 {
        let answered = send(&sender, n).await;
        assert!(is_accepted(&answered.outcome), "{answered:?}");
    }
    assert_eq!(handle.connections_count(), 2, "what is broken off is not used again");
    handle.clear();
    for n in 3..=5 {
        assert!(is_accepted(&send(&sender, n).await.outcome));
    }
    assert_eq!(handle.connections_count(), 3, "what is whole is");

    for (begins, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{", Outcome::Accepted { provider_id: None }),
        (
            "HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n",
            Outcome::Accepted { provider_id: None },
        ),
        ("HTTP/1.1 422 No\r\ncontent-length: 500\r\n\r\n{", rejected(Reason::ContentRefused)),
    ] {
        let (addr, connections) = serve_without_end(begins).await;
        let sender = gateway(&format!("http://{addr}/in"));
        for n in 1..=2 {
            let answered = send(&sender, n).await;
            assert_eq!(answered.outcome, expected, "{begins}");
            assert!(answered.took < Span::from_secs(2), "{answered:?}");
        }
        assert_eq!(connections.load(Ordering::Relaxed), 2, "{begins}");
    }
}

#[tokio::test]
async fn a_long_text_arrives_whole_on_telegram() {
    let handle = telegram::start(telegram::Options::default()).await.unwrap();
    let sender = Sender::build(&Table::telegram("g", format!("http://{}", handle.addr())).known());
    let long = ["غادروا الآن نحو المدرسة."; 300].join(" ");
    assert!(is_accepted(&sender.adapter.send(sender.attempt("555", &long, 1)).await.outcome));
    let parts: Vec<_> = handle.received().into_iter().map(|received| received.text).collect();
    assert_eq!((parts.len(), parts.join(" ")), (2, long.clone()));
    // No button where nobody listens for it.
    assert!(handle.received().iter().all(|received| !received.details.contains_key("buttons")));

    handle.forget();
    handle.fault_next(AcceptFault::Reject(telegram::Refusal::migrated(-100_777)));
    assert!(is_accepted(&sender.adapter.send(sender.attempt("-555", "Leave now", 2)).await.outcome));
    assert_eq!(handle.received()[0].recipient, "-100777");

    // Between the parts the provider falls over: half of it is there.
    handle.forget();
    let mut sending = sender.adapter.send(sender.attempt("555", &long, 3));
    let half = async {
        while handle.received().is_empty() {
            tokio::task::yield_now().await;
        }
        handle.fault_next(AcceptFault::Reject(telegram::Refusal::new(502, "Bad Gateway")));
    };
    let answered = tokio::select! {
        biased;
        answered = &mut sending => answered,
        () = half => sending.await,
    };
    assert_eq!(answered.outcome, Outcome::Unknown { reason: Reason::ServiceDown });
}

struct Listening(mpsc::UnboundedSender<Option<Receipt>>);

impl Ear for Listening {
    fn reply(&self, _reply: Reply) -> Doing<'_, ()> {
        panic!("nobody answers here")
    }

    fn receipt(&self, receipt: Receipt) -> Doing<'_, ()> {
        let _ = self.0.send(Some(receipt));
        Box::pin(async {})
    }

    fn link(&self, up: bool, _reason: Option<Reason>) {
        if up {
            let _ = self.0.send(None);
        }
    }
}

#[tokio::test]
async fn signal_is_heard_again_after_its_stream_breaks() {
    let handle =
        signal_cli::start(signal_cli::Options { hidden_numbers: true, ..Default::default() }).await.unwrap();
    let sender = Sender::build(&Table::signal("g", format!("http://{}", handle.addr())));
    let (said, mut heard) = mpsc::unbounded_channel();
    let adapter = Arc::clone(&sender.adapter);
    let running = tokio::spawn(async move { adapter.run(&Listening(said)).await });
    for n in 1..=3 {
        let link = timeout(SOON, heard.recv()).await.expect("the link comes up").expect("it runs");
        assert_eq!(link, None);
        let outcome = sender.adapter.send(sender.attempt("+15551230000", "Leave now", n)).await.outcome;
        assert!(is_accepted(&outcome), "{outcome:?}");
        let receipt =
            timeout(SOON, heard.recv()).await.expect("a receipt").expect("it runs").expect("a receipt");
        assert_eq!(receipt.kind, ReceiptKind::Delivered);
        handle.cut();
    }
    running.abort();
}

/// Telegram with this many presses waiting, each under a message of so many escaped letters.
struct Crowd {
    presses: usize,
    letters: usize,
    /// The data of the button under the only message that was sent.
    data: Mutex<String>,
    /// The limit of each poll that found something.
    limits: Mutex<Vec<usize>>,
    answered: Mutex<Vec<String>>,
}

impl Crowd {
    async fn start(presses: usize, letters: usize) -> (Arc<Crowd>, Sender) {
        let (data, limits, answered) = Default::default();
        let crowd = Arc::new(Crowd { presses, letters, data, limits, answered });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let held = crowd.clone();
        let router = Router::new().fallback(move |request: Request| {
            let crowd = held.clone();
            async move { crowd.answer(request).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        let gateway = Table::telegram("g", format!("http://{addr}")).text("bot_token", "42:x");
        (crowd, Sender::build(&gateway.text("updates", "polling")))
    }

    async fn answer(&self, request: Request) -> String {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let asked = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let asked: Value = serde_json::from_slice(&asked).unwrap();
        match method.as_str() {
            "sendMessage" => {
                let button = &asked["reply_markup"]["inline_keyboard"][0][0];
                *self.data.lock().unwrap() = button["callback_data"].as_str().unwrap().to_owned();
                json!({"ok": true, "result": {"message_id": 7, "chat": {"id": 555}}}).to_string()
            }
            "answerCallbackQuery" => {
                tokio::time::sleep(LATE).await;
                self.answered.lock().unwrap().push(asked["callback_query_id"].as_str().unwrap().to_owned());
                json!({"ok": true, "result": true}).to_string()
            }
            _ => {
                self.updates(
                    asked["offset"].as_u64().unwrap() as usize,
                    asked["limit"].as_u64().unwrap() as usize,
                )
                .await
            }
        }
    }

    async fn updates(&self, offset: usize, limit: usize) -> String {
        let waiting: Vec<_> = (offset.max(1)..=self.presses).take(limit).collect();
        if waiting.is_empty() {
            tokio::time::sleep(SOON).await;
        } else {
            self.limits.lock().unwrap().push(limit);
        }
        let (data, text) = (self.data.lock().unwrap().clone(), "\\u0627".repeat(self.letters));
        let one = |id: usize| {
            format!(
                r#"{{"update_id":{id},"callback_query":{{"id":"q{id}","data":"{data}","message":{{"text":"{text}"}}}}}}"#
            )
        };
        let updates: Vec<_> = waiting.into_iter().map(one).collect();
        format!(r#"{{"ok":true,"result":[{}]}}"#, updates.join(","))
    }
}

/// How long a disk, or Telegram, takes over one thing.
const LATE: Duration = Duration::from_millis(100);

/// Takes receipts, each with a commit of its own that takes its time.
struct SlowDisk(mpsc::UnboundedSender<Receipt>);

impl Ear for SlowDisk {
    fn reply(&self, _reply: Reply) -> Doing<'_, ()> {
        panic!("nobody answers here")
    }

    fn receipt(&self, receipt: Receipt) -> Doing<'_, ()> {
        Box::pin(async move {
            tokio::time::sleep(LATE).await;
            let _ = self.0.send(receipt);
        })
    }

    fn link(&self, _up: bool, reason: Option<Reason>) {
        assert_eq!(reason, None, "the polls are fine");
    }
}

#[tokio::test]
async fn a_crowd_that_presses_under_long_messages_is_heard_at_once() {
    let check = async |presses: usize, letters: usize, limits: &[usize]| {
        let (crowd, sender) = Crowd::start(presses, letters).await;
        assert!(is_accepted(&sender.adapter.send(sender.attempt("555", "غادروا", 1)).await.outcome));
        let (said, mut heard) = mpsc::unbounded_channel();
        let adapter = Arc::clone(&sender.adapter);
        let start = Instant::now();
        let running = tokio::spawn(async move { adapter.run(&SlowDisk(said)).await });
        for n in 0..presses {
            let receipt = timeout(SOON, heard.recv()).await.unwrap_or_else(|_| panic!("receipt {n}"));
            assert_eq!(receipt.expect("it runs").kind, ReceiptKind::Acknowledged);
        }
        while crowd.answered.lock().unwrap().len() < presses {
            assert!(start.elapsed() < SOON, "every press is answered");
            tokio::time::sleep(LATE).await;
        }
        assert!(start.elapsed() < LATE * presses as u32, "one after the other: {:?}", start.elapsed());
        assert_eq!(*crowd.limits.lock().unwrap(), limits, "{letters} letters");
        running.abort();
    };
    // The worst that Telegram can bring fits in one answer.
    check(100, 4096, &[100]).await;
    // What is longer than anything known is asked for again in halves, and does not jam.
    check(60, 20_000, &[100, 50, 25, 50, 25, 50]).await;
}
