//! Twilio: what was lost is found again, by its status or by asking, and the service is called through a proxy.

use super::{is_accepted, rejected};
use crate::support::adapters::Sender;
use crate::support::process::{start_by, wasl_run, write};
use crate::support::tables::{Table, file};
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wasl::adapter::Outgoing;
use wasl::core::ids::{AttemptId, DeliveryId, MessageId};
use wasl::core::input::Asked;
use wasl::core::outcome::{Outcome, Reason};
use wasl::core::time::{Span, Timestamp};
use wasl::emulator::{AcceptFault, Delay, DeliverFault, Fault, Mix, ReceiptFault, twilio};

async fn start() -> (twilio::Handle, Sender) {
    let handle = twilio::start(twilio::Options::default()).await.unwrap();
    let sender = Sender::build(&Table::twilio("g", format!("http://{}", handle.addr())).known());
    (handle, sender)
}

/// Returns an attempt of a message that was accepted just now.
fn attempt(sender: &Sender, text: &str) -> Outgoing {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let message = MessageId::new(Timestamp::from_ms(now.as_millis() as i64), 1, 7);
    let mut outgoing = sender.attempt("+15551230000", text, 1);
    outgoing.order.attempt = AttemptId::new(DeliveryId::new(message, 0), 1);
    outgoing
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_found_by_asking() {
    let (handle, sender) = start().await;
    assert!(sender.adapter.can_ask());
    let lost = Outcome::Unknown { reason: Reason::ConnectionLost };
    let first = attempt(&sender, "السيل يقترب");
    handle.fault_next(AcceptFault::Reset { taken: false });
    assert_eq!(sender.adapter.send(first.clone()).await.outcome, lost);
    // It is not there, but it might still be under way: nobody can say.
    assert_eq!(sender.adapter.ask(first.clone()).await, Asked::CannotSay);
    // Another one with other words is not taken for it.
    assert!(is_accepted(&sender.adapter.send(attempt(&sender, "شيء آخر")).await.outcome));
    assert_eq!(sender.adapter.ask(first.clone()).await, Asked::CannotSay);
    handle.fault_next(AcceptFault::Reset { taken: true });
    assert_eq!(sender.adapter.send(first.clone()).await.outcome, lost);
    let sid = handle.received().pop().unwrap().provider_id;
    assert_eq!(sender.adapter.ask(first.clone()).await, Asked::Found(Some(sid)));
    handle.set_auth_token("renewed");
    assert_eq!(sender.adapter.ask(first).await, Asked::CannotSay);
}

#[tokio::test]
async fn what_failed_already_is_not_found() {
    let (handle, sender) = start().await;
    handle.fault(Fault::Deliver(Mix::always(DeliverFault::Fail(twilio::Refusal::new(30_003)))));
    let first = attempt(&sender, "غادروا");
    assert!(is_accepted(&sender.adapter.send(first.clone()).await.outcome));
    let start = std::time::Instant::now();
    while sender.adapter.ask(first.clone()).await != Asked::CannotSay {
        assert!(start.elapsed() < Duration::from_secs(10), "its failure becomes known");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_throttled_message_was_never_taken() {
    let (handle, sender) = start().await;
    for code in [20_429, 14_107] {
        handle.fault_next(AcceptFault::Reject(twilio::Refusal::new(code)));
        let outcome = sender.adapter.send(attempt(&sender, "x")).await.outcome;
        assert_eq!(outcome, Outcome::Deferred { reason: Reason::Throttled, retry_after: None }, "{code}");
    }
    let too_long = attempt(&sender, &"ل".repeat(1601));
    assert_eq!(sender.adapter.send(too_long).await.outcome, rejected(Reason::ContentRefused));
    assert_eq!(handle.accepted_count(), 0);
    let long = attempt(&sender, &"ل".repeat(1600));
    assert!(is_accepted(&sender.adapter.send(Outgoing { left: Span::from_secs(90), ..long }).await.outcome));
    let received = handle.received().pop().unwrap();
    assert_eq!((received.details["segments"].as_str(), received.details["validity"].as_str()), ("24", "90"));
}

const RULES: &str = r#"
[[rule]]
name = "all"
confirm = "delivered"
on_unknown = "wait"
  [[rule.step]]
  channels = ["sms"]
  wait = "20s"
"#;

/// The service knows its public name alone; Twilio signs for that name, and a proxy brings the calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_through_a_proxy_settles_what_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let handle = twilio::start(twilio::Options::default()).await.unwrap();
    let gateway = Table::twilio("sms-a", format!("http://{}", handle.addr())).known();
    let server = Table::server().text("public_url", "https://alerts.example.org");
    write(folder.path(), "wasl.toml", &file([server, Table::store(), gateway]));
    write(folder.path(), "policies/all.toml", RULES);
    let service = start_by(folder.path(), wasl_run()).await;
    handle.set_road(Some(service.base()));
    let to = json!([{"sms": "+970599000001"}]);
    let message = |text: &str| json!({"severity": "minor", "to": to, "text": {"en": text}});

    let id = service.send(&message("one")).await;
    assert_eq!(service.settled(&id).await["settled"]["result"], "delivered");
    let callback = handle.received()[0].details["callback"].clone();
    assert!(callback.starts_with("https://alerts.example.org/hooks/sms-a?attempt="), "{callback}");

    // The answer is lost, and with it the message's name at Twilio; its status names the attempt.
    handle.fault_next(AcceptFault::Reset { taken: true });
    handle.fault(Fault::Receipt(Mix::slow(Delay::Fixed(Duration::from_millis(300)))));
    let id = service.send(&message("two")).await;
    let delivery = service.settled(&id).await;
    assert_eq!(delivery["settled"]["result"], "delivered", "{delivery:#}");
    assert_eq!(delivery["attempts"].as_array().map(Vec::len), Some(1), "{delivery:#}");
    assert_eq!(handle.accepted_count(), 2);

    // A forged status settles nothing; the true one, later, does.
    handle.fault(Fault::Receipt(Mix::always(ReceiptFault::Forged)));
    let failed = handle.callbacks_failed();
    let id = service.send(&message("three")).await;
    while handle.callbacks_failed() < failed + 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(service.get(&format!("/v1/messages/{id}")).await["open"], true);
    let said = service.text("/metrics").await;
    assert!(said.contains("wasl_hooks_total{gateway=\"sms-a\",result=\"bad_signature\"} 2"), "{said}");

    // Somebody writes to the number; that is taken, and nothing goes back.
    let url = "https://alerts.example.org/hooks/sms-a";
    assert!(handle.inbound_text(url, "+970599000001", "آمن").await);
    assert!(!handle.inbound_text("https://other.example.org/hooks/sms-a", "+970599000001", "آمن").await);
    service.stop().await;
}
