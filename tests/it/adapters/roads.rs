//! What only one provider has: templates, long texts, moved groups, streams that break.

use super::{is_accepted, rejected};
use crate::support::adapters::Sender;
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wasl::adapter::{Doing, Ear, HookRequest};
use wasl::core::message::Template;
use wasl::core::outcome::{Outcome, Reason, Receipt, ReceiptKind};
use wasl::emulator::whatsapp::Window;
use wasl::emulator::{AcceptFault, signal_cli, telegram, whatsapp};

const SOON: Duration = Duration::from_secs(10);

fn whatsapp_keys(handle: &whatsapp::Handle) -> String {
    format!(
        "base_url = \"http://{}\"\nphone_number_id = \"106853218861309\"\naccess_token = \"emulated-token\"\n\
         app_secret = \"app-secret\"\nverify_token = \"ours\"\n",
        handle.addr()
    )
}

#[tokio::test]
async fn a_closed_window_takes_a_template_only() {
    let handle = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let sender = Sender::build("whatsapp-cloud", &whatsapp_keys(&handle));
    handle.set_window(Window::Closed);
    let text = sender.attempt("+15551230000", "غادروا", 1);
    let mut filled = text.clone();
    assert_eq!(sender.adapter.send(text).await.outcome, rejected(Reason::TemplateRequired));
    let params = [("safe_area", "المدرسة"), ("area", "الحي الشرقي")];
    filled.template = Some(Template {
        name: "evacuate".into(),
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
    let adapter = Sender::build("whatsapp-cloud", &whatsapp_keys(&handle)).adapter;
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
async fn a_long_text_arrives_whole_on_telegram() {
    let handle = telegram::start(telegram::Options::default()).await.unwrap();
    let keys = format!("base_url = \"http://{}\"\nbot_token = \"42:emulated-token\"\n", handle.addr());
    let sender = Sender::build("telegram-bot", &keys);
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
    let keys = format!("base_url = \"http://{}\"\naccount = \"+15550001111\"\n", handle.addr());
    let sender = Sender::build("signal-cli", &keys);
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
