//! SMPP and SMTP; and how mistakes in the files are shown.

use super::*;
use Layer::{Api, Tcp, Tls};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use wasl::emulator::smtp::{self as smtp_server, Reply, Stage};
use wasl::emulator::tls::Certificate;
use wasl::emulator::{AnswerFault, Common, Fault, Mix, TcpFault, TlsFault, smsc};

fn smpp(password: &str, addr: SocketAddr) -> Target {
    Target::new(G, "g", Channel::Sms, "sms-smpp")
        .plain("host", addr.ip().to_string())
        .plain("port", addr.port().to_string())
        .plain("system_id", "wasl")
        .hidden("password", Secret::new(password))
}

const BIND: &str = r#"
[[probe]]
name = "bind"
kind = "smpp"
gateway = "g"
timeouts = { connect = "300ms", answer = "300ms" }
"#;

#[tokio::test]
async fn a_message_centre_takes_our_bind_or_says_why_not() {
    let centre = smsc::start(smsc::Options::default()).await.expect("a centre");
    let context = plain();
    let (good, bad) = (smpp("secret", centre.addr()), smpp("wrong", centre.addr()));
    check(&one(&shipped("sms-smpp"), &good, &context).await, Some(Api), Verdict::Fine, &[Tcp, Api]);
    check(&one(BIND, &bad, &context).await, Some(Tcp), failed(Reason::Credentials), &[Tcp, Api]);
    let unbound = format!("{BIND}bind = \"none\"\n");
    check(&one(&unbound, &good, &context).await, Some(Api), Verdict::Fine, &[Tcp, Api]);
    // Nobody has to take a second bind: the shipped probe asks for none, and one that is refused accuses nobody.
    centre.refuse_binds(Some(0x0D));
    check(&one(&shipped("sms-smpp"), &good, &context).await, Some(Api), Verdict::Fine, &[Tcp, Api]);
    let refused = Verdict::Noted(Reason::Limited);
    check(&one(BIND, &good, &context).await, Some(Api), refused, &[Tcp, Api]);
    centre.refuse_binds(None);
    for (fault, verdict) in [
        (AnswerFault::Hang, Verdict::Noted(Reason::Timeout)),
        (AnswerFault::Reset, Verdict::Noted(Reason::ConnectionLost)),
        (AnswerFault::Garbage, failed(Reason::Unreadable)),
    ] {
        centre.fault(Fault::Answer(Mix::always(fault)));
        check(&one(&unbound, &good, &context).await, Some(Tcp), verdict, &[Tcp, Api]);
    }
    centre.clear();
    for (fault, verdict) in [
        (AnswerFault::Hang, failed(Reason::Timeout)),
        (AnswerFault::Reset, failed(Reason::ConnectionLost)),
        (AnswerFault::Garbage, failed(Reason::Unreadable)),
        (AnswerFault::Status { code: 0x08, retry_after_s: None }, failed(Reason::ProviderFault)),
    ] {
        centre.fault(Fault::Answer(Mix::always(fault)));
        check(&one(BIND, &good, &context).await, Some(Tcp), verdict, &[Tcp, Api]);
    }
    for (status, verdict) in [
        (0x05, Verdict::Fine),
        (0x58, Verdict::Limited(Reason::Throttled)),
        (0x14, Verdict::Limited(Reason::Throttled)),
    ] {
        centre.fault(Fault::Answer(Mix::always(AnswerFault::Status { code: status, retry_after_s: None })));
        check(&one(BIND, &good, &context).await, Some(Api), verdict, &[Tcp, Api]);
    }
    centre.clear();
    centre.fault(Fault::Tcp(Mix::always(TcpFault::Refuse)));
    check(&one(BIND, &good, &context).await, None, failed(Reason::TcpRefused), &[Tcp]);
}

/// A mail server of one line for each command, for as many clients as come.
async fn mail_server(script: &'static [(&'static str, &'static str)]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let banner =
                script.iter().find(|(word, _)| word.is_empty()).map_or("220 mx ESMTP\r\n", |(_, b)| b);
            let _ = stream.get_mut().write_all(banner.as_bytes()).await;
            let mut line = String::new();
            while matches!(stream.read_line(&mut line).await, Ok(n) if n > 0) {
                let found = script.iter().find(|(word, _)| !word.is_empty() && line.starts_with(word));
                let Some((_, answer)) = found else { break };
                let _ = stream.get_mut().write_all(answer.as_bytes()).await;
                line.clear();
            }
        }
    });
    addr
}

fn smtp(addr: SocketAddr, tls: &str) -> Target {
    Target::new(G, "g", Channel::Email, "email-smtp")
        .plain("host", addr.ip().to_string())
        .plain("port", addr.port().to_string())
        .plain("tls", tls)
        .plain("username", "ops")
        .hidden("password", Secret::new("pw"))
}

const EHLO: &str = "[[probe]]\nname = \"mail\"\nkind = \"smtp\"\ngateway = \"g\"\n\
                    login = true\ntimeouts = { tls = \"300ms\", answer = \"300ms\" }\n";

/// A server's script, the gateway's `tls`, and what is expected.
type Case = (&'static [(&'static str, &'static str)], &'static str, Option<Layer>, Verdict, &'static [Layer]);

#[tokio::test]
async fn a_mail_server_greets_and_offers_or_says_why_not() {
    let context = plain();
    let hello = ("EHLO", "250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n");
    // It is there, and asks for patience.
    let limited = || Verdict::Limited(Reason::ProviderFault);
    let cases: [Case; 11] = [
        (
            Box::leak(Box::new([hello, ("AUTH PLAIN AG9wcwBwdw==", "235 ok\r\n"), ("NOOP", "250 ok\r\n")])),
            "none",
            Some(Api),
            Verdict::Fine,
            &[Tcp, Api],
        ),
        (
            &[
                ("EHLO", "250-mx\r\n250 AUTH LOGIN\r\n"),
                ("AUTH LOGIN", "334 VXNlcm5hbWU6\r\n"),
                ("b3Bz", "334 UGFzc3dvcmQ6\r\n"),
                ("cHc=", "235 ok\r\n"),
                ("NOOP", "250 ok\r\n"),
            ],
            "none",
            Some(Api),
            Verdict::Fine,
            &[Tcp, Api],
        ),
        (
            Box::leak(Box::new([hello, ("AUTH", "535 5.7.8 no\r\n")])),
            "none",
            Some(Tcp),
            failed(Reason::Credentials),
            &[Tcp, Api],
        ),
        (&[("EHLO", "250 mx\r\n")], "starttls", Some(Tcp), failed(Reason::Configuration), &[Tcp, Api]),
        // It offers TLS, and then says nothing that is TLS.
        (
            Box::leak(Box::new([hello, ("STARTTLS", "220 go on\r\n")])),
            "starttls",
            Some(Tcp),
            failed(Reason::TlsFailed),
            &[Tcp, Tls],
        ),
        (&[("", "421 4.3.2 closing\r\n")], "none", Some(Api), limited(), &[Tcp, Api]),
        (
            Box::leak(Box::new([hello, ("STARTTLS", "454 4.7.0 later\r\n")])),
            "starttls",
            Some(Api),
            limited(),
            &[Tcp, Api],
        ),
        (
            Box::leak(Box::new([hello, ("AUTH", "454 4.7.0 later\r\n")])),
            "none",
            Some(Api),
            limited(),
            &[Tcp, Api],
        ),
        (&[("", "hello\r\n")], "none", Some(Tcp), failed(Reason::Unreadable), &[Tcp, Api]),
        (&[("", "")], "none", Some(Tcp), failed(Reason::Timeout), &[Tcp, Api]),
        (&[("EHLO", "")], "none", Some(Tcp), failed(Reason::Timeout), &[Tcp, Api]),
    ];
    for (script, tls, reached, verdict, phases) in cases {
        let addr = mail_server(script).await;
        check(&one(EHLO, &smtp(addr, tls), &context).await, reached, verdict, phases);
    }
}

#[tokio::test]
async fn the_ready_file_speaks_to_a_submission_server() {
    let authority = Authority::new().expect("an authority");
    let trust = ca_file(&authority);
    let options = smtp_server::Options {
        common: Common { tls: Some(authority.identity(&["127.0.0.1"])), ..Common::default() },
        login: Some(("ops".into(), "pw".into())),
        ..smtp_server::Options::default()
    };
    let server = smtp_server::start(options).await.expect("a server");
    let context = plain();
    let stranger = smtp(server.addr(), "starttls");
    let gateway = stranger.clone().plain("ca_file", trust.path().display().to_string());
    let file = shipped("email-smtp");
    let ready = || run(&file, &gateway, &context);
    for report in ready().await {
        check(&report, Some(Api), Verdict::Fine, &[Tcp, Tls, Api]);
    }
    let report = &run(&file, &stranger, &context).await[0];
    check(report, Some(Tcp), failed(Reason::TlsUntrusted), &[Tcp, Tls]);
    server.fault(Fault::Tls(Mix::always(TlsFault::Certificate(Certificate::Expired))));
    check(&ready().await[0], Some(Tcp), failed(Reason::TlsExpired), &[Tcp, Tls]);
    server.clear();
    let wrong = gateway.clone().hidden("password", Secret::new("wrong"));
    let reports = run(&file, &wrong, &context).await;
    check(&reports[0], Some(Api), Verdict::Fine, &[Tcp, Tls, Api]);
    check(&reports[1], Some(Tls), failed(Reason::Credentials), &[Tcp, Tls, Api]);
    server.reply_at(Stage::Banner, Some(Reply::new(421, "4.3.2 closing")));
    check(&ready().await[0], Some(Api), Verdict::Limited(Reason::ProviderFault), &[Tcp, Api]);
}

#[test]
fn mistakes_in_a_file_are_shown_all_at_once() {
    let toml = "[[probe]]\nname = \"Web\"\nkind = \"htpp\"\nadapter = \"whatsap-cloud\"\n\
                [[probe]]\nname = \"a\"\nkind = \"http\"\nurl = \"{base_url}\"\nintervall = \"5s\"\n\
                [[probe]]\nname = \"b\"\nkind = \"tcp\"\ngateway = \"h\"\nadapter = \"signal-cli\"\nhost = \"x\"\n\
                [[probe]]\nname = \"c\"\nkind = \"dns\"\nadapter = \"signal-clu\"\nhost = \"x\"\ninterval = \"1s\"\nin_doubt = \"2s\"\n";
    let mut diags = Diagnostics::default();
    let definitions = parse(&Source::new("probes/t.toml", toml), &mut diags);
    resolve(&definitions, &[web("http://127.0.0.1")], &adapters(), &plain(), &mut diags);
    let shown = diags.render();
    for needle in [
        "`Web` cannot be a probe's name",
        "did you mean `http`?",
        "must say for which gateways it is",
        "did you mean `interval`?",
        "one of them says it already",
        "`in_doubt` of probe `c` is above its interval",
        "did you mean `signal-cli`?",
        "no probe is for the gateway `g`",
        "probes/t.toml:3:8",
    ] {
        assert!(shown.contains(needle), "{needle}\n{shown}");
    }
}
