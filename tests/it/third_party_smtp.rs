//! The e-mail adapter against somebody else's server: the PyPI package `aiosmtpd`, killed in the middle.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use wasl::adapter::Outgoing;
use wasl::core::channel::Channel;
use wasl::core::outcome::{Outcome, Reason};
use wasl::core::time::Span;

use crate::support::road::{self, Road, SOON};
use crate::support::skip::skip;
use crate::support::tables::Table;

/// How many letters go through while the server is killed.
const LETTERS: usize = 150;
/// How many may be on their way at once.
const AT_ONCE: usize = 6;
const REMEDY: &str = "python3 -m pip install --target .cache/pypi aiosmtpd";
const SUBJECT: &str = "تنبيه: سيل في الحي الشرقي";
const TEXT: &str = "السيل يقترب من الحي الشرقي.\n.غادروا الآن نحو المدرسة\n\n🌊 Leave now — school.\n";

/// A running server; dropping it kills it.
struct Server {
    process: Child,
    port: u16,
    journal: PathBuf,
}

/// Returns the folder of Python packages, if it holds `aiosmtpd` and there is a Python to run it.
fn packages() -> Option<PathBuf> {
    let given = std::env::var_os("WASL_PYTHONPATH").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/pypi"));
    let python =
        Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    (folder.join("aiosmtpd").is_dir() && python.is_ok_and(|status| status.success())).then_some(folder)
}

impl Server {
    async fn start(packages: &Path, port: u16, journal: &Path) -> Server {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/smtpd.py");
        let process = Command::new("python3")
            .arg(script)
            .arg(port.to_string())
            .arg(journal)
            .env("PYTHONPATH", packages)
            .spawn()
            .expect("python3 runs");
        let server = Server { process, port, journal: journal.to_owned() };
        let listening = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(SOON, listening).await.expect("it listens");
        server
    }

    fn kill(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it ends");
    }

    /// Returns the letters that it took.
    fn letters(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.journal).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    listener.local_addr().expect("bound").port()
}

fn gateway(port: u16, password: &str) -> Road {
    let gateway = Table::mail("mail-a", ([127, 0, 0, 1], port).into()).text("tls", "none");
    road::open(gateway.text("username", "ops").text("password", password))
}

fn letter(road: &Road, to: &str) -> Outgoing {
    let mut outgoing = road.outgoing(to, TEXT, Span::from_secs(5));
    outgoing.order.channel = Channel::Email;
    outgoing.subject = SUBJECT.into();
    outgoing
}

#[tokio::test]
async fn a_stranger_reads_the_same_letter() {
    let Some(packages) = packages() else {
        return skip("third_party_smtp::a_stranger_reads_the_same_letter", REMEDY);
    };
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&packages, free_port(), &folder.path().join("journal")).await;
    let road = gateway(server.port, "secret");
    let outcome = road.send_outgoing(letter(&road, "amal@example.net")).await.outcome;
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    let letters = server.letters();
    let [taken] = letters.as_slice() else { panic!("one letter, not {}", letters.len()) };
    assert_eq!(taken["subject"], SUBJECT);
    let text = taken["text"].as_str().expect("a text").replace("\r\n", "\n");
    assert_eq!(text.trim_end(), TEXT.trim_end());
    assert_eq!(taken["from"], "alerts@example.org");
    assert_eq!(taken["to"], serde_json::json!(["amal@example.net"]));
    assert_eq!(taken["defects"], serde_json::json!([]));
    assert!(taken["message_id"].as_str().is_some_and(|id| id.starts_with('<') && id.ends_with('>')));

    let outcome = road.send_outgoing(letter(&road, "nobody@example.net")).await.outcome;
    assert_eq!(outcome.name(), "rejected", "{outcome:?}");
    let stranger = gateway(server.port, "wrong");
    let outcome = stranger.send_outgoing(letter(&stranger, "amal@example.net")).await.outcome;
    assert_eq!(outcome, Outcome::Rejected { reason: Reason::Credentials });
    assert_eq!(server.letters().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_server_is_killed() {
    let Some(packages) = packages() else {
        return skip("third_party_smtp::nothing_is_lost_when_the_server_is_killed", REMEDY);
    };
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("journal");
    let mut server = Server::start(&packages, free_port(), &journal).await;
    let road = gateway(server.port, "secret");

    let mut accepted = Vec::new();
    let mut unknown = Vec::new();
    let mut waiting: Vec<usize> = (0..LETTERS).collect();
    let mut kills = [LETTERS / 3, 2 * LETTERS / 3].into_iter().peekable();
    while !waiting.is_empty() {
        let batch: Vec<usize> = waiting.drain(..waiting.len().min(AT_ONCE)).collect();
        let sends: Vec<_> = batch
            .iter()
            .map(|n| tokio::spawn(road.sending(letter(&road, &format!("person-{n}@example.net")))))
            .collect();
        if kills.next_if(|at| accepted.len() >= *at).is_some() {
            // With a batch on its way.
            server.kill();
            server = Server::start(&packages, server.port, &journal).await;
        }
        for (n, send) in batch.into_iter().zip(sends) {
            match send.await.expect("sent").outcome {
                Outcome::Accepted { .. } => accepted.push(n),
                Outcome::Unknown { .. } => unknown.push(n),
                // Certainly not sent: it goes again, as the core would do once there is no other gateway.
                Outcome::Rejected { .. } | Outcome::Deferred { .. } => waiting.push(n),
            }
        }
    }
    assert!(kills.peek().is_none(), "it was killed twice");
    assert_eq!(accepted.len() + unknown.len(), LETTERS);

    let mut taken = BTreeMap::<String, usize>::new();
    for line in server.letters() {
        *taken.entry(line["to"][0].as_str().expect("an address").to_owned()).or_default() += 1;
    }
    for n in 0..LETTERS {
        let times = taken.get(&format!("person-{n}@example.net")).copied().unwrap_or_default();
        let doubtful = unknown.contains(&n);
        assert!(if doubtful { times <= 1 } else { times == 1 }, "{n} was taken {times} times");
    }
}
