//! The SMPP adapter against the emulated centre: what the handset reads, receipts in their dialects, faults.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wasl::adapter::Answered;
use wasl::core::outcome::{Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use wasl::core::time::Span;
use wasl::emulator::smsc::{self, Alphabet, Dialect, Handle, IdForm, Options, Refusal, State};
use wasl::emulator::tls::Authority;
use wasl::emulator::{AcceptFault, AnswerFault, Common, DeliverFault, Fault, Mix, Rate, ReceiptFault};

use crate::support::road::{self, Road, SOON, until};
use crate::support::tables::Table;

const ARABIC: &str = "السيل يقترب من الحي الشرقي. غادروا الآن نحو المدرسة، ولا تعبروا الوادي بالسيارات. خذوا معكم الماء والدواء \
                      وهواتفكم، وساعدوا جيرانكم من كبار السن. تابعوا التعليمات من الدفاع المدني فقط. 🌊🚨";

async fn centre(options: Options) -> Handle {
    smsc::start(options).await.expect("a free port on loopback")
}

/// A gateway to that centre, bound.
async fn bound(centre: &Handle, keys: &str) -> Road {
    let road = unbound(centre, keys);
    road.is_up().await;
    road
}

fn unbound(centre: &Handle, keys: &str) -> Road {
    let gateway = Table::sms("sms-a", centre.addr()).text("source", "CivilDef");
    let gateway = if keys.contains("password") { gateway } else { gateway.known() };
    road::open(format_args!("{gateway}{keys}"))
}

fn id_of(answered: &Answered) -> String {
    match &answered.outcome {
        Outcome::Accepted { provider_id: Some(id) } => id.clone(),
        other => panic!("accepted with an id, not {other:?}"),
    }
}

fn of(receipt: &Receipt) -> &str {
    match &receipt.of {
        ReceiptRef::Provider(id) | ReceiptRef::Both(id, _) => id,
        ReceiptRef::Attempt(_) => "",
    }
}

#[tokio::test]
async fn a_handset_reads_what_was_written_in_every_form() {
    for (form, keys) in [
        ("udh", ""),
        ("udh", "long = \"udh16\"\n"),
        ("sar", "long = \"sar\"\n"),
        ("payload", "long = \"payload\"\n"),
    ] {
        let centre = centre(Options::default()).await;
        let road = bound(&centre, keys).await;
        let answered = road.send("+970599000001", ARABIC).await;
        let received = centre.received();
        assert_eq!(received.len(), 1, "{form}");
        assert_eq!(received[0].text, ARABIC, "{form}");
        assert_eq!(
            (received[0].recipient.as_str(), received[0].sender.as_str()),
            ("970599000001", "CivilDef")
        );
        assert_eq!(received[0].details["form"], form);
        assert_eq!(received[0].details["validity"], "000000010000000R");
        let receipt = road.receipt().await;
        assert_eq!(
            (of(&receipt), receipt.kind),
            (id_of(&answered).as_str(), ReceiptKind::Delivered),
            "{form}"
        );
        road.silent().await;
    }
}

#[tokio::test]
async fn short_texts_go_in_the_alphabet_that_holds_them() {
    for (alphabet, keys, text, coding) in [
        (Alphabet::Gsm, "", "Leave now: @£$ [é] €5 {Ω}", "gsm7"),
        (Alphabet::Gsm, "", "غادروا الآن", "ucs2"),
        (Alphabet::Latin1, "alphabet = \"latin1\"\n", "Leave now: @£$ [é]", "latin1"),
        (Alphabet::Latin1, "alphabet = \"latin1\"\n", "5 €", "ucs2"),
    ] {
        let centre = centre(Options { alphabet, ..Options::default() }).await;
        let road = bound(&centre, keys).await;
        id_of(&road.send("970599000001", text).await);
        let received = centre.received();
        assert_eq!((received[0].text.as_str(), received[0].details["coding"].as_str()), (text, coding));
    }
}

#[tokio::test]
async fn receipts_are_matched_in_every_dialect() {
    let centre = centre(Options::default()).await;
    for (form, keys) in [
        (IdForm::Decimal, ""),
        (IdForm::HexThenDecimal, "ids = \"hex-decimal\"\n"),
        (IdForm::DecimalThenHex, "ids = \"decimal-hex\"\n"),
        (IdForm::HexCase, "ids = \"hex\"\n"),
    ] {
        let road = bound(&centre, keys).await;
        for dialect in [
            Dialect::Standard,
            Dialect::WithTlvs,
            Dialect::UpperKeys,
            Dialect::MixedKeys,
            Dialect::NoText,
            Dialect::TlvsOnly,
        ] {
            centre.set_dialect(dialect, form);
            let answered = road.send("+970599000001", "hello").await;
            let receipt = road.receipt().await;
            assert_eq!(of(&receipt), id_of(&answered), "{form:?} {dialect:?}");
            assert_eq!(receipt.kind, ReceiptKind::Delivered);
        }
        drop(road);
        until("the centre has lost its client", || centre.bound_count() == 0).await;
    }
    until("each receipt is acknowledged", || centre.receipts_taken() == 24).await;
}

#[tokio::test]
async fn every_end_of_a_message_is_told() {
    let centre = centre(Options::default()).await;
    let road = bound(&centre, "").await;
    for (state, kind, reason) in [
        (State::Delivered, ReceiptKind::Delivered, None),
        (State::Expired, ReceiptKind::Failed, Some(Reason::Undeliverable)),
        (State::Deleted, ReceiptKind::Failed, Some(Reason::ProviderFault)),
        (State::Undeliverable, ReceiptKind::Failed, Some(Reason::Undeliverable)),
        (State::Unknown, ReceiptKind::Failed, Some(Reason::ProviderFault)),
        (State::Rejected, ReceiptKind::Failed, Some(Reason::ContentRefused)),
        (State::Skipped, ReceiptKind::Failed, Some(Reason::ProviderFault)),
    ] {
        let end = Refusal::Final { state, error: 0 };
        centre.fault(Fault::Deliver(Mix::always(DeliverFault::Fail(end))));
        let answered = road.send("+970599000001", "hello").await;
        let receipt = road.receipt().await;
        assert_eq!((of(&receipt), receipt.kind, receipt.reason), (id_of(&answered).as_str(), kind, reason));
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let centre = centre(Options::default()).await;
    let road = bound(&centre, "statuses = { 0x0401 = \"blocked\" }\n").await;
    for (status, name, reason) in [
        (0x0B, "rejected", Reason::BadAddress),
        (0x08, "deferred", Reason::ProviderFault),
        (0x58, "deferred", Reason::Throttled),
        (0x14, "deferred", Reason::Throttled),
        (0x0A, "rejected", Reason::Configuration),
        (0x401, "rejected", Reason::Blocked),
        (0x402, "deferred", Reason::ProviderFault),
    ] {
        centre.fault_next(AcceptFault::Status { code: status, retry_after_s: None });
        let outcome = road.send("+970599000001", "hello").await.outcome;
        assert_eq!((outcome.name(), outcome.reason()), (name, Some(reason)), "{status:#x}");
    }
    assert_eq!(road.send("someone", "hello").await.outcome.reason(), Some(Reason::BadAddress));
    assert_eq!(centre.submits_count(), 0);
}

#[tokio::test]
async fn a_lost_link_leaves_it_unknown_then_refuses_at_once_and_comes_back() {
    let centre = centre(Options::default()).await;
    let road = bound(&centre, "").await;
    for taken in [true, false] {
        centre.fault_next(AcceptFault::Reset { taken });
        let outcome = road.send("+970599000001", "hello").await.outcome;
        assert_eq!(outcome, Outcome::Unknown { reason: Reason::ConnectionLost });
        let before = Instant::now();
        let outcome = road.send("+970599000001", "hello").await.outcome;
        assert_eq!(outcome, Outcome::Rejected { reason: Reason::NotConnected });
        assert!(before.elapsed() < Duration::from_millis(100));
        road.is_up().await;
    }
    centre.unbind_all();
    road.is_down(Reason::ServiceDown).await;
    road.is_up().await;
    id_of(&road.send("+970599000001", "hello").await);
}

#[tokio::test]
async fn a_submit_that_hangs_costs_its_time_out_and_a_late_receipt_finds_it() {
    let centre = centre(Options::default()).await;
    let road = bound(&centre, "").await;
    centre.fault(Fault::Answer(Mix::slow(wasl::emulator::Delay::Fixed(Duration::from_millis(700)))));
    let before = Instant::now();
    let outgoing = road.outgoing("+970599000001", "hello", Span::from_ms(300));
    let attempt = outgoing.order.attempt;
    let answered = road.send_outgoing(outgoing).await;
    assert_eq!(answered.outcome, Outcome::Unknown { reason: Reason::Timeout });
    assert!((300..600).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
    // The answer came after all: it names the attempt, and so does the receipt.
    for kind in [ReceiptKind::Sent, ReceiptKind::Delivered] {
        let receipt = road.receipt().await;
        assert_eq!(receipt.kind, kind);
        assert!(matches!(receipt.of, ReceiptRef::Both(_, told) if told == attempt));
    }
}

#[tokio::test]
async fn garbage_is_unknown_and_a_broken_stream_ends_the_link() {
    let centre = centre(Options::default()).await;
    let road = bound(&centre, "").await;
    centre.fault_next(AcceptFault::Garbage { taken: true });
    let outcome = road.send("+970599000001", "hello").await.outcome;
    assert_eq!(outcome.name(), "unknown", "{outcome:?}");
    road.is_up().await;
    centre.send_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    road.is_down(Reason::Unreadable).await;
    road.is_up().await;
}

#[tokio::test]
async fn a_wrong_password_is_said_to_be_one() {
    let centre = centre(Options::default()).await;
    let road = unbound(&centre, "password = \"wrong\"\n");
    road.is_down_somehow().await;
    let reason = road.send("+970599000001", "hello").await.outcome.reason();
    assert!(matches!(reason, Some(Reason::Credentials | Reason::Configuration)), "{reason:?}");
    assert_eq!(centre.submits_count(), 0);
}

#[tokio::test]
async fn a_refused_port_is_not_connected() {
    let centre = centre(Options::default()).await;
    centre.fault(Fault::Tcp(Mix::always(wasl::emulator::TcpFault::Refuse)));
    let road = unbound(&centre, "");
    road.is_down(Reason::TcpRefused).await;
    let outcome = road.send("+970599000001", "hello").await.outcome;
    assert_eq!(outcome, Outcome::Rejected { reason: Reason::NotConnected });
    centre.clear();
    road.is_up().await;
}

#[tokio::test]
async fn a_pair_of_binds_sends_by_one_and_hears_by_the_other() {
    let centre = centre(Options::default()).await;
    let road = bound(&centre, "bind = \"pair\"\n").await;
    assert_eq!(centre.bound_count(), 2);
    let answered = road.send("+970599000001", ARABIC).await;
    let receipt = road.receipt().await;
    assert_eq!((of(&receipt), receipt.kind), (id_of(&answered).as_str(), ReceiptKind::Delivered));
}

#[tokio::test]
async fn receipts_that_come_early_twice_or_not_at_all_are_borne() {
    let centre = centre(Options::default()).await;
    let road = bound(&centre, "").await;
    for text in ["hello", ARABIC] {
        centre.fault(Fault::Receipt(Mix::always(ReceiptFault::Early)));
        let answered = road.send("+970599000001", text).await;
        let receipt = road.receipt().await;
        assert_eq!((of(&receipt), receipt.kind), (id_of(&answered).as_str(), ReceiptKind::Delivered));
    }
    centre.fault(Fault::Receipt(Mix::always(ReceiptFault::Missing)));
    id_of(&road.send("+970599000001", "hello").await);
    road.silent().await;
    centre.fault(Fault::Receipt(Mix::always(ReceiptFault::Doubled)));
    let answered = road.send("+970599000001", "hello").await;
    for _ in 0..2 {
        assert_eq!(of(&road.receipt().await), id_of(&answered));
    }
}

#[tokio::test]
async fn one_failed_part_fails_the_whole_once() {
    let centre = centre(Options::default()).await;
    let road = bound(&centre, "").await;
    centre.fault(Fault::Deliver(Mix::always(DeliverFault::Fail(Refusal::Status(0x45)))));
    let answered = road.send("+970599000001", ARABIC).await;
    let receipt = road.receipt().await;
    assert_eq!((of(&receipt), receipt.kind), (id_of(&answered).as_str(), ReceiptKind::Failed));
    road.silent().await;
}

#[tokio::test]
async fn later_parts_wait_out_a_throttling_centre() {
    let centre = centre(Options::default()).await;
    let road = bound(&centre, "").await;
    centre.fault(Fault::Admit(Some(Rate { per_s: 4.0, burst: 1.0 })));
    let answered = road.send("+970599000001", ARABIC).await;
    id_of(&answered);
    assert_eq!(centre.received()[0].text, ARABIC);
    // A throttled first part has sent nothing.
    let outcome = road.send("+970599000001", ARABIC).await.outcome;
    assert_eq!((outcome.name(), outcome.reason()), ("deferred", Some(Reason::Throttled)));
    // A later part that is refused for good leaves half a message out.
    centre.fault(Fault::Admit(None));
    let part = road.outgoing("+970599000001", ARABIC, Span::from_secs(1));
    centre.fault(Fault::Accept(Mix::slow(wasl::emulator::Delay::Fixed(Duration::from_millis(200)))));
    let sending = tokio::spawn(road.sending(part));
    let before = centre.submits_count();
    until("the first part is there", || centre.submits_count() > before).await;
    centre.fault(Fault::Accept(Mix::always(AcceptFault::Reject(Refusal::Status(0x45)))));
    let outcome = sending.await.expect("sent").outcome;
    assert_eq!(outcome, Outcome::Unknown { reason: Reason::ProviderFault });
}

#[tokio::test]
async fn the_window_is_kept() {
    let centre = centre(Options { window_max: Some(10), ..Options::default() }).await;
    let road = Arc::new(bound(&centre, "window = 10\n").await);
    centre.fault(Fault::Answer(Mix::slow(wasl::emulator::Delay::Fixed(Duration::from_millis(5)))));
    let sends: Vec<_> = (0..200)
        .map(|n| {
            let outgoing = road.outgoing(&format!("+9705990{n:05}"), "hello", Span::from_secs(10));
            tokio::spawn(road.sending(outgoing))
        })
        .collect();
    for send in sends {
        id_of(&send.await.expect("sent"));
    }
    assert_eq!(centre.window_peak(), 10);
    until("each has its receipt", || road.receipts_count() == 200).await;
}

#[tokio::test]
async fn the_centres_own_questions_are_answered() {
    let centre = centre(Options::default()).await;
    let road = bound(&centre, "").await;
    centre.enquire_all();
    until("the enquiry is answered", || centre.enquiries_answered() == 1).await;
    assert!(centre.inbound_text("970599000001", "4321", "أنا بخير"));
    until("the text is taken", || centre.receipts_taken() == 1).await;
    road.silent().await;
}

#[tokio::test]
async fn nothing_waits_for_a_centre_that_falls_silent() {
    let centre = centre(Options::default()).await;
    let road = bound(&centre, "").await;
    centre.fault(Fault::Answer(Mix::always(AnswerFault::Hang)));
    let outgoing = road.outgoing("+970599000001", "hello", Span::from_ms(200));
    let outcome = road.send_outgoing(outgoing).await.outcome;
    assert_eq!(outcome, Outcome::Unknown { reason: Reason::Timeout });
}

#[tokio::test]
async fn a_link_may_be_encrypted() {
    let authority = Authority::new().expect("a certificate");
    let common = Common { tls: Some(authority.identity(&["127.0.0.1"])), ..Common::default() };
    let centre = centre(Options { common, ..Options::default() }).await;
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, authority.ca_pem()).expect("written");
    let road = bound(&centre, &format!("tls = true\nca_file = {ca_file:?}\n")).await;
    let answered = road.send("+970599000001", ARABIC).await;
    assert_eq!(of(&road.receipt().await), id_of(&answered));
    let stranger = unbound(&centre, "tls = true\n");
    stranger.is_down(Reason::TlsUntrusted).await;
}

#[tokio::test]
async fn stopping_refuses_what_follows() {
    let centre = centre(Options::default()).await;
    let road = bound(&centre, "").await;
    road.stop().await;
    let outcome =
        tokio::time::timeout(SOON, road.send("+970599000001", "hello")).await.expect("at once").outcome;
    assert_eq!(outcome, Outcome::Rejected { reason: Reason::NotConnected });
    until("the centre has lost its client", || centre.bound_count() == 0).await;
}
