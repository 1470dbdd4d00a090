//! The submission server, line by line, and by a client of somebody else's.

use std::io;

use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wasl::emulator::smtp::{self, Handle, Options, Refusal, Reply, Security, Stage};
use wasl::emulator::tls::Authority;
use wasl::emulator::{AcceptFault, AnswerFault, Common, Fault, Mix};

use super::raw::{QUIET, SOON};

struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(handle: &Handle) -> Self {
        let stream = TcpStream::connect(handle.addr()).await.unwrap();
        Self(BufReader::new(stream))
    }

    async fn greeted(handle: &Handle) -> Self {
        let mut client = Self::connect(handle).await;
        assert!(client.read().await.unwrap().starts_with("220 mail.emulated.test"));
        assert!(client.ask("EHLO tests").await.contains("250-DSN\n"));
        client
    }

    /// Reads a reply, however many lines it has.
    async fn read(&mut self) -> io::Result<String> {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            let read = timeout(SOON, self.0.read_line(&mut line)).await.expect("in time")?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_owned();
            let last = line.as_bytes().get(3) != Some(&b'-');
            reply += &line;
            if last {
                return Ok(reply);
            }
            reply.push('\n');
        }
    }

    async fn write(&mut self, text: &str) {
        self.0.write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
    }

    async fn ask(&mut self, text: &str) -> String {
        self.write(text).await;
        self.read().await.unwrap()
    }

    /// Goes as far as the reply to the final dot.
    async fn mail(&mut self) -> io::Result<String> {
        for (line, code) in
            [("MAIL FROM:<ops@x.test> SIZE=80", "250"), ("RCPT TO:<amal@y.test>", "250"), ("DATA", "354")]
        {
            let reply = self.ask(line).await;
            if !reply.starts_with(code) {
                return Ok(reply);
            }
        }
        self.write("Message-ID: <a7@x.test>\r\nSubject: =?utf-8?Q?=D9=81?=\r\n\r\nLeave\r\n..now\r\n.").await;
        self.read().await
    }
}

async fn start() -> Handle {
    smtp::start(Options::default()).await.unwrap()
}

#[tokio::test]
async fn a_mail_is_taken() {
    let handle = start().await;
    let mut client = Client::greeted(&handle).await;
    let queued = client.mail().await.unwrap();
    assert!(queued.starts_with("250 2.0.0 Ok: queued as "), "{queued}");
    let received = handle.received();
    assert_eq!(received[0].recipient, "amal@y.test");
    assert_eq!(received[0].text, "Leave\n.now");
    assert_eq!(received[0].attempt_ref.as_deref(), Some("a7@x.test"));
    assert_eq!(received[0].details["subject"], "ف");
    assert!(queued.ends_with(&received[0].provider_id));
    assert!(handle.mails()[0].raw.ends_with(b"Leave\r\n.now\r\n"));
    assert!(client.ask("NOOP").await.starts_with("250"));
    assert!(client.ask("QUIT").await.starts_with("221"));
    assert!(client.read().await.is_err());
}

#[tokio::test]
async fn the_order_of_commands_is_kept() {
    let handle = start().await;
    let mut client = Client::connect(&handle).await;
    client.read().await.unwrap();
    for (line, expected) in [
        ("MAIL FROM:<a@x.test>", "503"),
        ("EHLO", "501"),
        ("EHLO tests", "250"),
        ("RCPT TO:<b@y.test>", "503"),
        ("DATA", "503"),
        ("MAIL FROM:<a@x.test> SIZE=99999999", "552"),
        ("MAIL FROM:<é@x.test>", "553"),
        ("MAIL FROM:<é@x.test> SMTPUTF8 RET=HDRS ENVID=a1", "250"),
        ("DATA", "554"),
        ("RCPT TO:<nobody>", "553"),
        ("RCPT TO:<b@y.test> NOTIFY=SUCCESS,FAILURE", "250"),
        ("RSET", "250"),
        ("RCPT TO:<b@y.test>", "503"),
        ("STARTTLS", "502"),
        ("AUTH PLAIN AAAA", "502"),
        ("TURN", "500"),
    ] {
        let reply = client.ask(line).await;
        assert!(reply.starts_with(expected), "{line}: {reply}");
    }
}

#[tokio::test]
async fn replies_come_as_ordered() {
    let handle = start().await;
    for (stage, code, text) in [
        (Stage::Ehlo, 421, "4.3.2 Closing"),
        (Stage::Mail, 451, "4.3.0 Later"),
        (Stage::Rcpt, 550, "5.1.1 No such user"),
        (Stage::Data, 554, "5.7.1 Policy"),
        (Stage::Dot, 452, "4.2.2 Mailbox full"),
    ] {
        handle.reply_at(stage, Some(Reply::new(code, text)));
        let mut client = Client::connect(&handle).await;
        client.read().await.unwrap();
        let mut reply = client.ask("EHLO tests").await;
        if stage != Stage::Ehlo {
            reply = client.mail().await.unwrap();
        }
        assert_eq!(reply, format!("{code} {text}"), "{stage:?}");
        handle.reply_at(stage, None);
    }
    handle.reply_at(Stage::Banner, Some(Reply::new(421, "4.3.2 Too busy")));
    let mut client = Client::connect(&handle).await;
    assert!(client.read().await.unwrap().starts_with("421"));
    assert!(client.read().await.is_err());
    handle.reply_at(Stage::Banner, None);

    let mut client = Client::greeted(&handle).await;
    handle.refuse_recipient("amal@y.test", Some(Refusal::recipient(550, "5.1.1 Unknown")));
    assert!(client.mail().await.unwrap().starts_with("550 5.1.1"));
    client.ask("RSET").await;
    handle.refuse_recipient("amal@y.test", Some(Refusal::mail(552, "5.2.3 Too big")));
    assert!(client.mail().await.unwrap().starts_with("552 5.2.3"));
    assert_eq!(handle.accepted_count(), 0);
}

#[tokio::test]
async fn the_end_after_the_dot_is_as_ordered() {
    let handle = start().await;
    handle.fault_next(AcceptFault::Hang { taken: true });
    let mut client = Client::greeted(&handle).await;
    assert!(timeout(QUIET, client.mail()).await.is_err());
    assert_eq!(handle.accepted_count(), 1);

    handle.fault_next(AcceptFault::Close { taken: false });
    let mut client = Client::greeted(&handle).await;
    let error = client.mail().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);

    handle.fault_next(AcceptFault::Reset { taken: true });
    let mut client = Client::greeted(&handle).await;
    let error = client.mail().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(handle.accepted_count(), 2);

    handle.fault_next(AcceptFault::Throttle { retry_after_s: 300 });
    let mut client = Client::greeted(&handle).await;
    assert!(client.mail().await.unwrap().starts_with("450 4.7.1"));

    handle.fault(Fault::Answer(Mix::always(AnswerFault::Hang)));
    let mut client = Client::connect(&handle).await;
    assert!(timeout(QUIET, client.read()).await.is_err());
}

fn mailer(
    port: u16,
    authority: &Authority,
    security: Security,
    password: &str,
) -> AsyncSmtpTransport<Tokio1Executor> {
    let certificate = Certificate::from_pem(authority.ca_pem().as_bytes()).unwrap();
    let parameters = TlsParameters::builder("localhost".to_owned())
        .add_root_certificate(certificate)
        .build_rustls()
        .unwrap();
    let tls = match security {
        Security::StartTls => Tls::Required(parameters),
        Security::Implicit => Tls::Wrapper(parameters),
    };
    AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("localhost")
        .port(port)
        .tls(tls)
        .credentials(Credentials::new("wasl".to_owned(), password.to_owned()))
        .build()
}

#[tokio::test]
async fn another_client_gets_its_mail_through() {
    let authority = Authority::new().unwrap();
    for security in [Security::StartTls, Security::Implicit] {
        let options = Options {
            common: Common { tls: Some(authority.identity(&["localhost"])), ..Common::default() },
            security,
            login: Some(("wasl".to_owned(), "secret".to_owned())),
            ..Options::default()
        };
        let handle = smtp::start(options).await.unwrap();
        let mailbox = |text: &str| text.parse::<Mailbox>().unwrap();
        let message = Message::builder()
            .from(mailbox("Ops <ops@x.test>"))
            .to(mailbox("amal@y.test"))
            .subject("تحذير: فيضان")
            .body("غادر الآن".to_owned())
            .unwrap();
        let port = handle.addr().port();
        let wrong = mailer(port, &authority, security, "wrong");
        let error = wrong.send(message.clone()).await.unwrap_err();
        assert!(error.is_permanent(), "{error}");
        mailer(port, &authority, security, "secret").send(message).await.unwrap();
        let received = handle.received();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].text, "غادر الآن");
        assert_eq!(received[0].details["subject"], "تحذير: فيضان");
        let mail = &handle.mails()[0];
        assert!(mail.tls);
        assert_eq!(mail.user.as_deref(), Some("wasl"));
    }
}
