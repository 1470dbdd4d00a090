//! The SMPP adapter against somebody else's centre: the npm package `smpp`, killed in the middle.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use wasl::core::outcome::{Outcome, Reason, ReceiptKind, ReceiptRef};
use wasl::core::time::Span;

use crate::support::road::{self, Road, until};
use crate::support::skip::skip;
use crate::support::tables::Table;

/// How many messages go through while the centre is killed.
const MESSAGES: usize = 300;
/// How many may be on their way at once.
const AT_ONCE: usize = 8;
const ARABIC: &str =
    "السيل يقترب من الحي الشرقي. غادروا الآن نحو المدرسة ولا تعبروا الوادي بالسيارات. 🌊 {النهاية}";

/// A running centre; dropping it kills it.
struct Centre {
    process: Child,
    port: u16,
    journal: PathBuf,
}

/// Returns the folder of npm packages, if it holds `smpp` and there is a Node to run it.
fn modules() -> Option<PathBuf> {
    let given = std::env::var_os("WASL_NODE_MODULES").map(PathBuf::from);
    let folder =
        given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/npm/node_modules"));
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    (folder.join("smpp").is_dir() && node.is_ok_and(|status| status.success())).then_some(folder)
}

impl Centre {
    fn start(modules: &Path, port: u16, journal: &Path) -> Centre {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/smsc.js");
        let process = Command::new("node")
            .arg(script)
            .arg(port.to_string())
            .arg(journal)
            .env("NODE_PATH", modules)
            .stdout(Stdio::null())
            .spawn()
            .expect("node runs");
        Centre { process, port, journal: journal.to_owned() }
    }

    /// Kills it at once, and starts it again with what it has on disk.
    fn killed_and_started(mut self, modules: &Path) -> Centre {
        self.kill();
        Centre::start(modules, self.port, &self.journal)
    }

    fn kill(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it ends");
    }

    /// Returns what it took, and of what it has told the receipt.
    fn journal(&self, event: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.journal).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["event"] == event).collect()
    }
}

impl Drop for Centre {
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
    let gateway = Table::sms("sms-a", ([127, 0, 0, 1], port).into()).text("source", "4321");
    road::open(gateway.text("password", password).plain("window", AT_ONCE))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_centre_is_killed() {
    let Some(modules) = modules() else {
        return skip(
            "third_party_smpp::nothing_is_lost_when_the_centre_is_killed",
            "npm install --prefix .cache/npm smpp",
        );
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut centre = Centre::start(&modules, free_port(), &folder.path().join("journal"));
    let road = gateway(centre.port, "secret");
    road.is_up().await;

    let mut accepted = BTreeMap::new();
    let mut unknown = Vec::new();
    let mut waiting: Vec<usize> = (0..MESSAGES).collect();
    let mut kills = [MESSAGES / 3, 2 * MESSAGES / 3].into_iter().peekable();
    while !waiting.is_empty() {
        let batch: Vec<usize> = waiting.drain(..waiting.len().min(AT_ONCE)).collect();
        let sends: Vec<_> = batch
            .iter()
            .map(|n| {
                let outgoing = road.outgoing(&format!("+9705990{n:05}"), "hello", Span::from_secs(5));
                tokio::spawn(road.sending(outgoing))
            })
            .collect();
        if kills.next_if(|at| accepted.len() >= *at).is_some() {
            // With a batch on its way.
            centre = centre.killed_and_started(&modules);
        }
        for (n, send) in batch.into_iter().zip(sends) {
            match send.await.expect("sent").outcome {
                Outcome::Accepted { provider_id: Some(id) } => drop(accepted.insert(id, n)),
                Outcome::Unknown { reason: Reason::ConnectionLost | Reason::Timeout } => unknown.push(n),
                // Certainly not sent: it goes again, as the core would do once there is no other gateway.
                Outcome::Rejected { .. } | Outcome::Deferred { .. } => {
                    waiting.push(n);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(kills.peek().is_none(), "it was killed twice");
    assert_eq!(accepted.len() + unknown.len(), MESSAGES);

    // What was accepted is on the other side, once; what was refused and sent again is not there twice.
    let mut taken = BTreeMap::<String, usize>::new();
    for line in centre.journal("submit") {
        *taken.entry(line["to"].as_str().expect("a number").to_owned()).or_default() += 1;
    }
    for n in 0..MESSAGES {
        let times = taken.get(&format!("9705990{n:05}")).copied().unwrap_or_default();
        let doubtful = unknown.contains(&n);
        assert!(if doubtful { times <= 1 } else { times == 1 }, "{n} was taken {times} times");
    }

    // Each receipt is matched, those that were owed from before the kill included.
    let ours = || centre.journal("receipted").len() == taken.values().sum::<usize>();
    until("each receipt is acknowledged", ours).await;
    let mut delivered = BTreeMap::new();
    for _ in 0..road.receipts_count() {
        let receipt = road.receipt().await;
        let (ReceiptRef::Provider(id) | ReceiptRef::Both(id, _)) = receipt.of else { panic!("an id") };
        assert_eq!(receipt.kind, ReceiptKind::Delivered);
        delivered.insert(id, ());
    }
    assert!(accepted.keys().all(|id| delivered.contains_key(id)), "every accepted one has its receipt");
}

#[tokio::test]
async fn a_stranger_reads_the_same_text() {
    let Some(modules) = modules() else {
        return skip(
            "third_party_smpp::a_stranger_reads_the_same_text",
            "npm install --prefix .cache/npm smpp",
        );
    };
    let folder = tempfile::tempdir().expect("a folder");
    let centre = Centre::start(&modules, free_port(), &folder.path().join("journal"));
    let road = gateway(centre.port, "secret");
    road.is_up().await;
    for text in [ARABIC, "Leave now: @£$ [é] {Ω} €5"] {
        let answered = road.send("+970599000001", text).await;
        let Outcome::Accepted { provider_id: Some(id) } = answered.outcome else { panic!("accepted") };
        let receipt = road.receipt().await;
        let (ReceiptRef::Provider(of) | ReceiptRef::Both(of, _)) = receipt.of else { panic!("an id") };
        assert_eq!((of, receipt.kind), (id, ReceiptKind::Delivered));
    }
    let units = centre.journal("submit");
    let text = |units: &[Value]| units.iter().filter_map(|unit| unit["text"].as_str()).collect::<String>();
    assert_eq!(
        (text(&units[..2]).as_str(), text(&units[2..]).as_str()),
        (ARABIC, "Leave now: @£$ [é] {Ω} €5")
    );
    let headers: Vec<_> = units.iter().map(|unit| unit["header"].as_str().unwrap_or_default()).collect();
    assert!(
        headers[0].ends_with("0201") && headers[1].ends_with("0202") && headers[2].is_empty(),
        "{headers:?}"
    );
    assert!(
        units.iter().all(|unit| unit["priority"] == 3 && unit["registered"] == 1 && unit["from"] == "4321")
    );

    let stranger = gateway(centre.port, "wrong");
    stranger.is_down(Reason::Credentials).await;
    let outcome = stranger.send("+970599000001", "hello").await.outcome;
    assert_eq!(outcome, Outcome::Rejected { reason: Reason::Credentials });
}
