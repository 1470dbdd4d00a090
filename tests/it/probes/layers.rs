//! The layers of the road: name, connection, certificate, HTTP.

use super::*;
use Layer::{Dns, Http, Tcp, Tls};
use std::net::IpAddr;
use wasl::emulator::dns::{self, DnsFault, Entry};
use wasl::emulator::tls::Certificate;
use wasl::emulator::{AnswerFault, Common, Fault, Mix, TcpFault, TlsFault, whatsapp};

const HTTP: &str = r#"
[[probe]]
name = "web"
kind = "http"
gateway = "g"
timeouts = { dns = "500ms", connect = "300ms", tls = "300ms", answer = "300ms" }
url = "{base_url}/v23.0/"
expect.status = ["2xx", "4xx"]
"#;

async fn zone(name: &str) -> dns::Handle {
    let home = Entry::Address(IpAddr::from([127, 0, 0, 1]));
    let zone = std::collections::BTreeMap::from([(name.to_owned(), vec![home])]);
    dns::start(dns::Options { zone, ..dns::Options::default() }).await.expect("a name server")
}

#[tokio::test]
async fn names() {
    let server = zone("graph.test").await;
    let provider = whatsapp::start(whatsapp::Options::default()).await.expect("a provider");
    let context = asking(server.addr());
    let gateway = web(&format!("http://graph.test:{}", provider.addr().port()));
    let report = one(HTTP, &gateway, &context).await;
    check(&report, Some(Http), Verdict::Fine, &[Dns, Tcp, Http]);
    assert_eq!(report.aims_at, Http);
    for (fault, reason) in [
        (DnsFault::NxDomain, Reason::DnsNxdomain),
        (DnsFault::ServFail, Reason::DnsServfail),
        (DnsFault::Refused, Reason::DnsServfail),
        (DnsFault::Empty, Reason::DnsEmpty),
        (DnsFault::Timeout, Reason::DnsTimeout),
    ] {
        server.fault_all(Mix::always(fault));
        check(&one(HTTP, &gateway, &context).await, None, failed(reason), &[Dns]);
    }
    // Over UDP the answer is cut short, and asked for again over TCP.
    server.fault_all(Mix::always(DnsFault::Truncated));
    check(&one(HTTP, &gateway, &context).await, Some(Http), Verdict::Fine, &[Dns, Tcp, Http]);
    server.clear_names();
    server.unset("graph.test");
    check(&one(HTTP, &gateway, &context).await, None, failed(Reason::DnsNxdomain), &[Dns]);
}

#[tokio::test]
async fn a_resolver_that_cannot_tell_is_followed_by_the_next() {
    let (first, second) = (zone("graph.test").await, zone("graph.test").await);
    let both = [Resolver::At(first.addr()), Resolver::At(second.addr())];
    let context = Arc::new(Context::new(&both));
    let toml = "[[probe]]\nname = \"name\"\nkind = \"dns\"\ngateway = \"g\"\nhost = \"graph.test\"\n";
    let gateway = web("http://unused");
    for fault in [DnsFault::ServFail, DnsFault::Timeout] {
        first.fault_all(Mix::always(fault));
        check(&one(toml, &gateway, &context).await, Some(Dns), Verdict::Fine, &[Dns]);
    }
    // The first one knows that there is no such name: that is an answer.
    first.fault_all(Mix::always(DnsFault::NxDomain));
    check(&one(toml, &gateway, &context).await, None, failed(Reason::DnsNxdomain), &[Dns]);
    first.fault_all(Mix::always(DnsFault::Timeout));
    second.fault_all(Mix::always(DnsFault::ServFail));
    check(&one(toml, &gateway, &context).await, None, failed(Reason::DnsServfail), &[Dns]);
}

#[tokio::test]
async fn connections() {
    let provider = whatsapp::start(whatsapp::Options::default()).await.expect("a provider");
    let gateway = web(&format!("http://{}", provider.addr()));
    let context = plain();
    let tcp = format!(
        "[[probe]]\nname = \"port\"\nkind = \"tcp\"\ngateway = \"g\"\nhost = \"127.0.0.1\"\nport = {}\n\
         timeouts = {{ connect = \"300ms\" }}\n",
        provider.addr().port()
    );
    check(&one(&tcp, &gateway, &context).await, Some(Tcp), Verdict::Fine, &[Tcp]);
    provider.fault(Fault::Tcp(Mix::always(TcpFault::Refuse)));
    check(&one(&tcp, &gateway, &context).await, None, failed(Reason::TcpRefused), &[Tcp]);
    check(&one(HTTP, &gateway, &context).await, None, failed(Reason::TcpRefused), &[Tcp]);
    provider.fault(Fault::Tcp(Mix::always(TcpFault::Hang)));
    // Its backlog is filled within the time that the emulator allows for it.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    let report = one(HTTP, &gateway, &context).await;
    check(&report, None, failed(Reason::TcpTimeout), &[Tcp]);
    assert!((300_000..2_000_000).contains(&report.phases[0].micros), "{report:?}");
}

#[tokio::test]
async fn what_is_not_http_cannot_be_read() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let gateway = web(&format!("http://{}", listener.local_addr().expect("an address")));
    let talker = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-OpenSSH_9.2\r\n").await.expect("it reads");
        stream
    });
    check(&one(HTTP, &gateway, &plain()).await, Some(Tcp), failed(Reason::Unreadable), &[Tcp, Http]);
    talker.await.expect("no panic");
}

#[tokio::test]
async fn certificates() {
    let authority = Authority::new().expect("an authority");
    let file = ca_file(&authority);
    let server = zone("graph.test").await;
    let options = whatsapp::Options {
        common: Common { tls: Some(authority.identity(&["graph.test"])), ..Common::default() },
        ..whatsapp::Options::default()
    };
    let provider = whatsapp::start(options).await.expect("a provider");
    let context = asking(server.addr());
    let url = format!("https://graph.test:{}", provider.addr().port());
    let stranger = web(&url);
    let gateway = web(&url).plain("ca_file", file.path().display().to_string());
    check(&one(HTTP, &gateway, &context).await, Some(Http), Verdict::Fine, &[Dns, Tcp, Tls, Http]);
    check(&one(HTTP, &stranger, &context).await, Some(Tcp), failed(Reason::TlsUntrusted), &[Dns, Tcp, Tls]);
    for (fault, reason) in [
        (TlsFault::Certificate(Certificate::Expired), Reason::TlsExpired),
        (TlsFault::Certificate(Certificate::NotYetValid), Reason::TlsExpired),
        (TlsFault::Certificate(Certificate::WrongName), Reason::TlsWrongName),
        (TlsFault::Certificate(Certificate::Untrusted), Reason::TlsUntrusted),
        (TlsFault::Reset, Reason::TlsFailed),
        (TlsFault::Hang, Reason::TlsTimeout),
    ] {
        provider.fault(Fault::Tls(Mix::always(fault)));
        check(&one(HTTP, &gateway, &context).await, Some(Tcp), failed(reason), &[Dns, Tcp, Tls]);
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a certificate is made for the time that it is")]
async fn a_certificate_tells_until_when_it_is_valid() {
    let authority = Authority::new().expect("an authority");
    let file = ca_file(&authority);
    let options = whatsapp::Options {
        common: Common { tls: Some(authority.identity(&["127.0.0.1"])), ..Common::default() },
        ..whatsapp::Options::default()
    };
    let provider = whatsapp::start(options).await.expect("a provider");
    let context = plain();
    let gateway =
        web(&format!("https://{}", provider.addr())).plain("ca_file", file.path().display().to_string());
    let toml = "[[probe]]\nname = \"cert\"\nkind = \"tls\"\ngateway = \"g\"\nurl = \"{base_url}\"\n";
    let set = set(toml, &gateway, &context);
    let days_left = || async {
        let finding = set.iter().next().expect("a probe").run(&context).await;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let until = finding.certificate_until.expect("it was shown");
        ((until.ms() - now.as_millis() as i64) as f64 / 86_400_000.0, finding.report)
    };
    provider.fault(Fault::Tls(Mix::always(TlsFault::Certificate(Certificate::ExpiresIn { days: 3 }))));
    let (days, report) = days_left().await;
    assert!((2.0..4.0).contains(&days), "{days}");
    check(&report, Some(Tls), Verdict::Fine, &[Tcp, Tls]);
    // One that ran out is told as well: no session is resumed that would hide it.
    provider.fault(Fault::Tls(Mix::always(TlsFault::Certificate(Certificate::Expired))));
    let (days, report) = days_left().await;
    assert!((-2.0..0.0).contains(&days), "{days}");
    check(&report, Some(Tcp), failed(Reason::TlsExpired), &[Tcp, Tls]);
}

#[tokio::test]
async fn answers() {
    let provider = whatsapp::start(whatsapp::Options::default()).await.expect("a provider");
    let gateway = web(&format!("http://{}", provider.addr()));
    let context = plain();
    let status = |code| AnswerFault::Status { code, retry_after_s: None };
    for (fault, verdict) in [
        (AnswerFault::Reset, failed(Reason::ConnectionLost)),
        (AnswerFault::Close, failed(Reason::ConnectionLost)),
        (AnswerFault::Hang, failed(Reason::Timeout)),
        (AnswerFault::Cut, failed(Reason::ConnectionLost)),
        (status(500), failed(Reason::ProviderFault)),
        (status(503), failed(Reason::ProviderFault)),
    ] {
        provider.fault(Fault::Answer(Mix::always(fault)));
        check(&one(HTTP, &gateway, &context).await, Some(Tcp), verdict, &[Tcp, Http]);
    }
}
