//! E-mail: TLS in its two forms, logins, and a server that says no at every step.

use super::{is_accepted, rejected};
use crate::support::adapters::Sender;
use crate::support::tables::Table;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use wasl::adapter::Answered;
use wasl::core::outcome::{Outcome, Reason};
use wasl::core::time::Span;
use wasl::emulator::smtp::{self, Handle, Reply, Security, Stage};
use wasl::emulator::tls::{Authority, Certificate};
use wasl::emulator::{Common, Fault, Mix, TlsFault};

async fn send(sender: &Sender) -> Answered {
    sender.adapter.send(sender.attempt("amal@example.net", "غادروا\n.\nالآن", 1)).await
}

fn gateway(server: SocketAddr, tls: &str) -> Table {
    Table::mail("g", server).text("tls", tls).text("from", "alerts@example.org")
}

/// A server with TLS for `mail.test`, reached as `localhost`; and how an adapter reaches it.
struct Secured {
    handle: Handle,
    ca_file: NamedTempFile,
    tls: &'static str,
}

impl Secured {
    async fn start(security: Security) -> Secured {
        let authority = Authority::new().unwrap();
        let common = Common { tls: Some(authority.identity(&["127.0.0.1"])), ..Common::default() };
        let login = Some(("ops".to_owned(), "secret".to_owned()));
        let options = smtp::Options { common, security, login, ..smtp::Options::default() };
        let ca_file = NamedTempFile::new().unwrap();
        std::fs::write(ca_file.path(), authority.ca_pem()).unwrap();
        let tls = if security == Security::Implicit { "required" } else { "starttls" };
        Secured { handle: smtp::start(options).await.unwrap(), ca_file, tls }
    }

    fn sender(&self) -> Sender {
        let gateway = gateway(self.handle.addr(), self.tls).text("ca_file", self.ca_file.path().display());
        Sender::build(&gateway.text("username", "ops").text("password", "secret"))
    }
}

#[tokio::test]
async fn letters_go_over_tls_and_the_dialogue_is_kept() {
    for security in [Security::StartTls, Security::Implicit] {
        let server = Secured::start(security).await;
        let sender = server.sender();
        for _ in 0..5 {
            let answered = send(&sender).await;
            assert!(is_accepted(&answered.outcome), "{security:?} {answered:?}");
        }
        assert_eq!(server.handle.connections_count(), 1);
        let mail = server.handle.mails().pop().expect("a letter");
        assert_eq!((mail.tls, mail.user.as_deref()), (true, Some("ops")));
        let received = server.handle.received().pop().expect("a letter");
        assert_eq!(received.text.replace("\r\n", "\n").trim_end(), "غادروا\n.\nالآن");
        assert_eq!(received.details["subject"], "تنبيه");
    }
}

#[tokio::test]
async fn a_bad_certificate_stops_everything() {
    for security in [Security::StartTls, Security::Implicit] {
        let server = Secured::start(security).await;
        for (certificate, reason) in [
            (Certificate::Expired, Reason::TlsExpired),
            (Certificate::WrongName, Reason::TlsWrongName),
            (Certificate::Untrusted, Reason::TlsUntrusted),
        ] {
            server.handle.fault(Fault::Tls(Mix::always(TlsFault::Certificate(certificate))));
            let outcome = send(&server.sender()).await.outcome;
            assert_eq!(outcome, rejected(reason), "{security:?} {certificate:?}");
        }
        assert_eq!(server.handle.accepted_count(), 0);
    }
}

fn plain(server: SocketAddr, tls: &str) -> Sender {
    Sender::build(&gateway(server, tls))
}

#[tokio::test]
async fn without_starttls_nothing_is_said() {
    let handle = smtp::start(smtp::Options::default()).await.unwrap();
    let outcome = send(&plain(handle.addr(), "starttls")).await.outcome;
    assert_eq!(outcome, rejected(Reason::TlsFailed));
    assert!(is_accepted(&send(&plain(handle.addr(), "none")).await.outcome));
}

#[tokio::test]
async fn words_put_in_before_tls_are_not_taken_for_the_servers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 512];
        stream.write_all(b"220 mail.test\r\n").await.unwrap();
        let _ = stream.read(&mut request).await;
        stream.write_all(b"250-mail.test\r\n250 STARTTLS\r\n").await.unwrap();
        let _ = stream.read(&mut request).await;
        // The attacker's replies to everything that the client is about to say.
        stream
            .write_all(b"220 go\r\n250 AUTH PLAIN\r\n235 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
            .await
            .unwrap();
        let _ = stream.read(&mut request).await;
    });
    let outcome = send(&plain(server, "starttls")).await.outcome;
    assert_eq!(outcome, rejected(Reason::TlsFailed));
}

#[tokio::test]
async fn what_expired_while_connecting_is_not_sent() {
    let handle = smtp::start(smtp::Options::default()).await.unwrap();
    let sender = plain(handle.addr(), "none");
    let mut late = sender.attempt("amal@example.net", "غادروا الآن", 1);
    late.left = Span::ZERO;
    let outcome = sender.adapter.send(late).await.outcome;
    assert_eq!(outcome, rejected(Reason::Busy), "which says nothing of the server, and asks for no rest");
    assert_eq!(handle.accepted_count(), 0);
}

#[tokio::test]
async fn a_no_is_understood_wherever_it_comes() {
    let handle = smtp::start(smtp::Options::default()).await.unwrap();
    let deferred = |reason| Outcome::Deferred { reason, retry_after: None };
    for (stage, code, text, expected) in [
        (Stage::Banner, 421, "4.3.2 Shutting down", deferred(Reason::ProviderFault)),
        (Stage::Banner, 554, "No mail here", rejected(Reason::ServiceDown)),
        (Stage::Ehlo, 550, "5.7.1 Who are you", rejected(Reason::Configuration)),
        (Stage::Mail, 530, "5.7.0 Log in first", rejected(Reason::Credentials)),
        (Stage::Mail, 452, "4.3.1 Disk full", deferred(Reason::ProviderFault)),
        (Stage::Rcpt, 550, "5.1.1 No such user", rejected(Reason::NotOnChannel)),
        (Stage::Rcpt, 554, "5.7.1 Relay access denied", rejected(Reason::Configuration)),
        (Stage::Rcpt, 550, "relay not permitted", rejected(Reason::Configuration)),
        (Stage::Data, 451, "4.3.0 Not now", deferred(Reason::ProviderFault)),
        (Stage::Dot, 552, "5.3.4 Too big", rejected(Reason::ContentRefused)),
        (Stage::Dot, 554, "5.6.0 What is this", rejected(Reason::ContentRefused)),
        (Stage::Dot, 421, "4.3.2 Shutting down", deferred(Reason::ProviderFault)),
    ] {
        handle.reply_at(stage, Some(Reply::new(code, text)));
        let outcome = send(&plain(handle.addr(), "none")).await.outcome;
        assert_eq!(outcome, expected, "{stage:?} {code} {text}");
        handle.reply_at(stage, None);
    }
    assert_eq!(handle.accepted_count(), 0);

    // After a refusal the dialogue goes on.
    let sender = plain(handle.addr(), "none");
    let before = handle.connections_count();
    handle.reply_at(Stage::Rcpt, Some(Reply::new(550, "5.1.1 No such user")));
    assert_eq!(send(&sender).await.outcome, rejected(Reason::NotOnChannel));
    handle.reply_at(Stage::Rcpt, None);
    assert!(is_accepted(&send(&sender).await.outcome));
    assert_eq!(handle.connections_count(), before + 1);
}

/// Serves dialogues by the book, each with this farewell after its first letter; counts them.
async fn hangs_up_after_a_letter(farewell: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let dialogues = Arc::new(AtomicUsize::new(0));
    let count = dialogues.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 mail.test\r\n").await.unwrap();
            let mut in_letter = false;
            while let Ok(Some(line)) = lines.next_line().await {
                let reply = match line.split(' ').next().unwrap_or_default() {
                    "." if in_letter => {
                        in_letter = false;
                        // The farewell comes when nobody speaks: it waits behind the reply.
                        format!("250 queued\r\n{farewell}")
                    }
                    _ if in_letter => continue,
                    "DATA" => {
                        in_letter = true;
                        "354 go\r\n".to_owned()
                    }
                    _ => "250 ok\r\n".to_owned(),
                };
                write.write_all(reply.as_bytes()).await.unwrap();
            }
        }
    });
    (server, dialogues)
}

#[tokio::test]
async fn a_farewell_to_a_kept_dialogue_is_no_answer_to_the_next_letter() {
    let (server, dialogues) = hangs_up_after_a_letter("421 4.4.2 Idle for too long\r\n").await;
    let sender = plain(server, "none");
    for letter in 1..=3 {
        let answered = send(&sender).await;
        assert!(is_accepted(&answered.outcome), "{letter}: {answered:?}");
        assert_eq!(dialogues.load(Ordering::Relaxed), letter);
        // So that the farewell is there before the next letter is.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // A fresh dialogue that begins so is the server's answer.
    let handle = smtp::start(smtp::Options::default()).await.unwrap();
    handle.reply_at(Stage::Mail, Some(Reply::new(421, "4.3.2 Shutting down")));
    let outcome = send(&plain(handle.addr(), "none")).await.outcome;
    assert_eq!(outcome, Outcome::Deferred { reason: Reason::ProviderFault, retry_after: None });
    assert_eq!(handle.connections_count(), 1);
}
