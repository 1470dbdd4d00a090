//! The HTTP client, by way of an adapter that uses it.

use super::{is_accepted, rejected};
use crate::support::adapters::Sender;
use crate::support::tables::Table;
use std::fmt::Display;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use wasl::adapter::Answered;
use wasl::core::outcome::{Outcome, Reason};
use wasl::core::time::Span;
use wasl::emulator::dns::{self, DnsFault, Entry};
use wasl::emulator::tls::{Authority, Certificate};
use wasl::emulator::{Common, Fault, Mix, TcpFault, TlsFault, whatsapp};

fn gateway(base_url: impl Display) -> Table {
    Table::whatsapp("g", base_url).text("access_token", "emulated-token")
}

fn sender(base_url: &str) -> Sender {
    Sender::build(&gateway(base_url))
}

async fn send(sender: &Sender) -> Answered {
    sender.adapter.send(sender.attempt("+15551230000", "Leave now", 1)).await
}

const TAKEN: &str = r#"{"messages":[{"id":"wamid.A"}]}"#;

fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Serves one answer a connection, whatever is asked, and hangs up after it.
async fn serve(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    addr
}

#[tokio::test]
async fn answers_of_every_shape_are_judged() {
    let check = async |answer: String, expected: Outcome| {
        let sender = sender(&format!("http://{}", serve(answer.clone()).await));
        let shown: String = answer.chars().take(60).collect();
        assert_eq!(send(&sender).await.outcome, expected, "{shown}");
    };
    let unknown = |reason| Outcome::Unknown { reason };
    let later =
        |secs| Outcome::Deferred { reason: Reason::Throttled, retry_after: Some(Span::from_secs(secs)) };
    let taken = Outcome::Accepted { provider_id: Some("wamid.A".into()) };
    check(answer("200 OK", TAKEN), taken.clone()).await;
    check(format!("HTTP/1.1 103 Early Hints\r\n\r\n{}", answer("200 OK", TAKEN)), taken.clone()).await;
    check(format!("HTTP/1.0 200 OK\r\n\r\n{TAKEN}"), taken.clone()).await;
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{TAKEN}\r\n0\r\n\r\n",
        TAKEN.len()
    );
    check(chunked, taken).await;
    check(answer("302 Found\r\nlocation: http://127.0.0.1:1/", ""), rejected(Reason::Configuration)).await;
    check(answer("200 OK", &" ".repeat(400 * 1024)), unknown(Reason::Unreadable)).await;
    check(answer("429 No\r\nretry-after: 9", ""), later(9)).await;
    let date = "429 No\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:50:07 GMT";
    check(answer(date, ""), later(30)).await;
    let cut = |head: &str| format!("HTTP/1.1 {head}\r\ncontent-length: 500\r\n\r\n{{\"messages\"");
    check(cut("200 OK"), unknown(Reason::ConnectionLost)).await;
    let fault = Outcome::Deferred { reason: Reason::ProviderFault, retry_after: None };
    check(cut("503 Service Unavailable"), fault).await;
    check(String::new(), unknown(Reason::ConnectionLost)).await;
    check("SSH-2.0-OpenSSH_9.2\r\n".into(), unknown(Reason::Unreadable)).await;
}

#[tokio::test]
async fn a_connection_is_kept_and_a_closed_one_leaves_no_doubt() {
    let handle = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let sender = sender(&format!("http://{}", handle.addr()));
    for _ in 0..10 {
        assert!(is_accepted(&send(&sender).await.outcome));
    }
    assert_eq!(handle.connections_count(), 1);

    // Hangs up after each answer: each idle connection is dead by the time it is used.
    let hangs_up = serve(answer("200 OK", TAKEN)).await;
    let sender = self::sender(&format!("http://{hangs_up}"));
    for _ in 0..10 {
        assert!(is_accepted(&send(&sender).await.outcome));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_expired_while_connecting_is_not_sent() {
    let handle = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let sender = sender(&format!("http://{}", handle.addr()));
    let mut late = sender.attempt("+15551230000", "Leave now", 1);
    late.left = Span::ZERO;
    let outcome = sender.adapter.send(late).await.outcome;
    assert_eq!(outcome, rejected(Reason::Busy), "which says nothing of the gateway, and asks for no rest");
    assert_eq!(handle.requests_count(), 0);
}

#[tokio::test]
async fn each_layer_fails_with_its_own_reason() {
    let names = dns::start(dns::Options::default()).await.unwrap();
    let authority = Authority::new().unwrap();
    let common = Common { tls: Some(authority.identity(&["graph.test"])), ..Common::default() };
    let handle = whatsapp::start(whatsapp::Options { common, ..whatsapp::Options::default() }).await.unwrap();
    let ca_file = NamedTempFile::new().unwrap();
    std::fs::write(ca_file.path(), authority.ca_pem()).unwrap();
    let gateway = gateway(format_args!("https://graph.test:{}", handle.addr().port()))
        .text("ca_file", ca_file.path().display());
    let check = async |expected: Option<Reason>| {
        // An adapter of its own each time, so that nothing is remembered.
        let sender = Sender::build_with(&gateway, names.addr());
        let start = Instant::now();
        let answered = send(&sender).await;
        match expected {
            Some(reason) => assert_eq!(answered.outcome, rejected(reason)),
            None => assert!(is_accepted(&answered.outcome), "{answered:?}"),
        }
        assert!(start.elapsed() < Duration::from_secs(8), "{expected:?}");
        assert!(expected.is_none() || answered.took == Span::ZERO, "connecting is not counted: {answered:?}");
    };

    names.set("graph.test", vec![Entry::Address([127, 0, 0, 1].into())]);
    check(None).await;
    for (fault, reason) in [
        (DnsFault::NxDomain, Reason::DnsNxdomain),
        (DnsFault::ServFail, Reason::DnsServfail),
        (DnsFault::Empty, Reason::DnsEmpty),
        (DnsFault::Timeout, Reason::DnsTimeout),
    ] {
        names.fault_name("graph.test", Mix::always(fault));
        check(Some(reason)).await;
    }
    names.clear_names();

    for (fault, reason) in [
        (TlsFault::Certificate(Certificate::Expired), Reason::TlsExpired),
        (TlsFault::Certificate(Certificate::NotYetValid), Reason::TlsExpired),
        (TlsFault::Certificate(Certificate::WrongName), Reason::TlsWrongName),
        (TlsFault::Certificate(Certificate::Untrusted), Reason::TlsUntrusted),
        (TlsFault::Reset, Reason::TlsFailed),
        (TlsFault::Hang, Reason::TlsTimeout),
    ] {
        handle.fault(Fault::Tls(Mix::always(fault)));
        check(Some(reason)).await;
    }
    handle.clear();
    check(None).await;

    handle.fault(Fault::Tcp(Mix::always(TcpFault::Hang)));
    tokio::time::sleep(Duration::from_millis(200)).await;
    check(Some(Reason::TcpTimeout)).await;
    handle.stop().await;
    check(Some(Reason::TcpRefused)).await;
}

/// Serves names as a network does on which answers of the sixth version are lost: each name is this machine.
async fn half_deaf_names() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            // A question begins behind the header of 12 octets, and ends four octets behind its name's NUL.
            let end = 12 + query[12..length].iter().position(|octet| *octet == 0).unwrap() + 5;
            if query[end - 4..end - 2] != [0, 1] {
                continue;
            }
            let mut answer = query[..end].to_vec();
            // An answer, recursion available; one question, one answer.
            answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
            answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    addr
}

#[tokio::test]
async fn answers_of_one_family_that_are_lost_cost_a_moment() {
    let handle = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let gateway = gateway(format_args!("http://graph.test:{}", handle.addr().port()));
    let sender = Sender::build_with(&gateway, half_deaf_names().await);
    let start = Instant::now();
    assert!(is_accepted(&send(&sender).await.outcome));
    assert!(start.elapsed() < Duration::from_millis(800), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_dead_address_costs_a_moment_and_not_the_attempt() {
    let names = dns::start(dns::Options::default()).await.unwrap();
    let handle = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    // Nobody listens on the first two; the third is the one.
    let addresses = [[127, 0, 0, 2], [127, 0, 0, 3], [127, 0, 0, 1]];
    names.set("graph.test", addresses.map(|ip| Entry::Address(ip.into())).into());
    let gateway = gateway(format_args!("http://graph.test:{}", handle.addr().port()));
    let sender = Sender::build_with(&gateway, names.addr());
    assert!(is_accepted(&send(&sender).await.outcome));
}
