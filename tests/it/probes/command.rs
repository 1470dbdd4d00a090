//! `wasl probe NAME --json`, each kind of probe against the emulators with faults of each layer. What the command printed is
//! laid out as a table, which must be the one that is kept beside this file.

use super::*;
use crate::support::process::{WASL, write};
use crate::support::tables::{Table, file};
use serde_json::Value;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use wasl::emulator::dns::{self, DnsFault, Entry};
use wasl::emulator::smtp::{Reply, Stage};
use wasl::emulator::tls::Certificate;
use wasl::emulator::whatsapp::Health;
use wasl::emulator::{AnswerFault, Common, Fault, Mix, TcpFault, TlsFault, smsc, smtp, whatsapp};

/// Within this the emulator fills the backlog of a port that hangs.
const BACKLOG: Duration = Duration::from_millis(600);

const PROBES: &str = r#"
[[probe]]
name = "name"
kind = "dns"
gateway = "web"
host = "graph.test"
timeouts = { dns = "500ms" }

[[probe]]
name = "port"
kind = "tcp"
gateway = "web"
host = "graph.test"
port = "{port}"
timeouts = { dns = "500ms", connect = "400ms" }

[[probe]]
name = "certificate"
kind = "tls"
gateway = "web"
url = "{base_url}"
timeouts = { dns = "500ms", connect = "400ms", tls = "400ms" }

[[probe]]
name = "page"
kind = "http"
gateway = "web"
url = "{base_url}/v23.0/"
timeouts = { dns = "500ms", connect = "400ms", tls = "400ms", answer = "400ms" }
expect.status = ["2xx", "4xx"]

[[probe]]
name = "account"
kind = "api"
gateway = "web"
url = "{base_url}/v23.0/{phone_number_id}?fields=health_status"
bearer = "access_token"
timeouts = { dns = "500ms", connect = "400ms", tls = "400ms", answer = "400ms" }
expect.json."health_status.can_send_message" = "AVAILABLE"
unless = [
    { status = 401, then = "failed", reason = "credentials" },
    { json."health_status.can_send_message" = "LIMITED", then = "limited" },
]

[[probe]]
name = "bind"
kind = "smpp"
gateway = "centre"
timeouts = { connect = "400ms", answer = "400ms" }

[[probe]]
name = "login"
kind = "smtp"
gateway = "mail"
login = true
timeouts = { connect = "400ms", tls = "400ms", answer = "400ms" }
"#;

/// The files of a site, and the table that grows.
struct Desk {
    folder: tempfile::TempDir,
    table: String,
}

impl Desk {
    /// Asks a gateway by the command, and adds a line for each of its probes.
    async fn ask(&mut self, gateway: &'static str, fault: &str) {
        let folder: PathBuf = self.folder.path().to_owned();
        let asked = tokio::task::spawn_blocking(move || {
            let mut command = std::process::Command::new(WASL);
            command.args(["probe", gateway, "--json"]).current_dir(folder).output()
        });
        let output = asked.await.expect("no panic").expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
        let probes = answer["probes"].as_array().expect("a list");
        let failed = probes.iter().any(|probe| probe["result"] == "failed");
        assert_eq!(output.status.success(), !failed, "the exit code says whether one failed: {answer}");
        for probe in probes {
            self.line(fault, probe);
        }
    }

    fn line(&mut self, fault: &str, probe: &Value) {
        let word = |key: &str| probe[key].as_str().unwrap_or("-").to_owned();
        let phases = probe["phases"].as_array().expect("a list");
        assert!(phases.iter().all(|phase| phase["ms"].as_f64().is_some_and(|ms| ms > 0.0)), "{probe}");
        let phases: Vec<_> = phases.iter().filter_map(|phase| phase["layer"].as_str()).collect();
        let cells = [word("probe"), word("result"), word("reached"), word("reason"), phases.join(" ")];
        let [name, result, reached, reason, phases] = cells;
        writeln!(self.table, "{fault:<22} {name:<11} {result:<7} {reached:<7} {reason:<15} {phases}")
            .expect("writing to a text cannot fail");
    }
}

#[tokio::test]
async fn each_kind_tells_each_fault() {
    let authority = Authority::new().expect("an authority");
    let trust = ca_file(&authority);
    let common = |name: &str| Common { tls: Some(authority.identity(&[name])), ..Common::default() };
    let web = whatsapp::Options { common: common("graph.test"), ..whatsapp::Options::default() };
    let web = whatsapp::start(web).await.expect("a provider");
    let centre = smsc::start(smsc::Options::default()).await.expect("a centre");
    let login = Some(("ops".into(), "pw".into()));
    let mail = smtp::Options { common: common("127.0.0.1"), login, ..smtp::Options::default() };
    let mail = smtp::start(mail).await.expect("a server");
    let zone = [("graph.test".to_owned(), vec![Entry::Address(IpAddr::from([127, 0, 0, 1]))])].into();
    let names = dns::start(dns::Options { zone, ..dns::Options::default() }).await.expect("a name server");

    let mut desk = Desk { folder: tempfile::tempdir().expect("a temporary folder"), table: String::new() };
    let port = web.addr().port();
    let tables = [
        Table::server(),
        Table::store(),
        Table::new("[net]").plain("resolvers", format_args!("[\"{}\"]", names.addr())),
        Table::whatsapp("web", format_args!("https://graph.test:{port}"))
            .known()
            .text("ca_file", trust.path().display()),
        Table::sms("centre", centre.addr()).known(),
        Table::mail("mail", mail.addr())
            .text("username", "ops")
            .text("password", "pw")
            .text("ca_file", trust.path().display()),
    ];
    write(desk.folder.path(), "wasl.toml", &file(tables));
    write(desk.folder.path(), "probes/all.toml", &PROBES.replace("{port}", &port.to_string()));

    desk.ask("web", "none").await;
    for (fault, word) in [
        (DnsFault::NxDomain, "dns: no such name"),
        (DnsFault::ServFail, "dns: server failure"),
        (DnsFault::Empty, "dns: no address"),
        (DnsFault::Timeout, "dns: silence"),
    ] {
        names.fault_all(Mix::always(fault));
        desk.ask("web", word).await;
    }
    names.clear_names();
    for (fault, word) in [
        (TlsFault::Certificate(Certificate::Expired), "tls: expired"),
        (TlsFault::Certificate(Certificate::WrongName), "tls: wrong name"),
        (TlsFault::Certificate(Certificate::Untrusted), "tls: untrusted"),
        (TlsFault::Reset, "tls: reset"),
        (TlsFault::Hang, "tls: silence"),
    ] {
        web.fault(Fault::Tls(Mix::always(fault)));
        desk.ask("web", word).await;
    }
    web.clear();
    for (fault, word) in [
        (AnswerFault::Status { code: 503, retry_after_s: None }, "http: 503"),
        (AnswerFault::Garbage, "http: no JSON"),
        (AnswerFault::Reset, "http: reset"),
        (AnswerFault::Hang, "http: silence"),
    ] {
        web.fault(Fault::Answer(Mix::always(fault)));
        desk.ask("web", word).await;
    }
    web.clear();
    web.set_health(Health::Limited);
    desk.ask("web", "api: limited").await;
    web.set_health(Health::Blocked);
    desk.ask("web", "api: blocked").await;
    web.set_token("another");
    desk.ask("web", "api: token").await;
    web.fault(Fault::Tcp(Mix::always(TcpFault::Refuse)));
    desk.ask("web", "tcp: refused").await;
    web.fault(Fault::Tcp(Mix::always(TcpFault::Hang)));
    tokio::time::sleep(BACKLOG).await;
    desk.ask("web", "tcp: silence").await;

    desk.ask("centre", "none").await;
    centre.refuse_binds(Some(0x0E));
    desk.ask("centre", "smpp: password").await;
    centre.refuse_binds(None);
    for (fault, word) in [
        (AnswerFault::Status { code: 0x08, retry_after_s: None }, "smpp: system error"),
        (AnswerFault::Garbage, "smpp: garbage"),
        (AnswerFault::Reset, "smpp: reset"),
        (AnswerFault::Hang, "smpp: silence"),
    ] {
        centre.fault(Fault::Answer(Mix::always(fault)));
        desk.ask("centre", word).await;
    }
    centre.fault(Fault::Tcp(Mix::always(TcpFault::Refuse)));
    desk.ask("centre", "tcp: refused").await;

    desk.ask("mail", "none").await;
    mail.fault(Fault::Tls(Mix::always(TlsFault::Certificate(Certificate::Expired))));
    desk.ask("mail", "tls: expired").await;
    mail.clear();
    mail.reply_at(Stage::Banner, Some(Reply::new(421, "4.3.2 closing")));
    desk.ask("mail", "smtp: closing").await;
    mail.reply_at(Stage::Banner, None);
    mail.reply_at(Stage::Auth, Some(Reply::new(535, "5.7.8 no")));
    desk.ask("mail", "smtp: password").await;
    mail.fault(Fault::Answer(Mix::always(AnswerFault::Hang)));
    desk.ask("mail", "smtp: silence").await;
    mail.fault(Fault::Tcp(Mix::always(TcpFault::Refuse)));
    desk.ask("mail", "tcp: refused").await;

    let table = &desk.table;
    println!("{table}");
    assert!(*table == include_str!("command.txt"), "it differs from tests/it/probes/command.txt");
}
