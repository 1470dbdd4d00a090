//! `kill -9`, again and again, under a stream of messages: nothing that was acknowledged is lost, and every message
//! that a provider saw twice is explained by the record.
//!
//! The counters are the emulated providers': they know nothing of the service. `KILL_ROUNDS` sets how often it is
//! killed (30), `SEED` when.

use crate::support::process::write;
use crate::support::tables::{Table, file};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wasl::emulator::{AcceptFault, Delay, Mix, smsc, whatsapp};

/// How many callers send at once.
const CALLERS: u64 = 6;
/// How long a start, and the settling at the end, may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

const RULES: &str = r#"
[[rule]]
name = "all"
deadline = "1m"
confirm = "delivered"
on_unknown = "repeat"
  [[rule.step]]
  channels = ["whatsapp"]
  wait = "4s"
  [[rule.step]]
  channels = ["sms"]
  wait = "4s"
"#;

/// The stream's own record: what was sent under which key, and what came of it.
#[derive(Default)]
struct Ledger {
    /// By the message's text: the id that a 202 gave.
    accepted: BTreeMap<String, String>,
    /// Sent, and the service died before it answered.
    unanswered: Vec<u64>,
    next: u64,
}

struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    token: String,
}

impl Api {
    /// Calls; `None` where the service is gone.
    async fn call(
        &self,
        method: &str,
        path: &str,
        key: Option<String>,
        body: String,
    ) -> Option<(StatusCode, Value)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.ok()?;
        let status = response.status();
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, None, String::new()).await.expect("it answers");
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// Sends the `n`th message, and notes what came of it.
    async fn send(&self, n: u64, ledger: &Mutex<Ledger>) -> bool {
        let (number, text) = (format!("+97059{n:07}"), format!("k-{n}"));
        let body =
            json!({"severity": "severe", "text": {"en": text}, "to": [{"whatsapp": number, "sms": number}]});
        let answer = self.call("POST", "/v1/messages", Some(format!("key-{n}")), body.to_string()).await;
        let mut ledger = ledger.lock().unwrap();
        match answer {
            Some((StatusCode::ACCEPTED, body)) => {
                let id = body["id"].as_str().unwrap().to_owned();
                let before = ledger.accepted.insert(text, id.clone());
                assert!(before.is_none_or(|before| before == id), "one key made one message");
                true
            }
            Some((status, body)) => panic!("{status} {body}"),
            None => {
                ledger.unanswered.push(n);
                false
            }
        }
    }
}

/// Starts the service; gives its process, and its first token where it made one.
fn start(folder: &Path) -> (Child, Option<String>) {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("log.txt")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_wasl"))
        .args(["run", "--config", "wasl.toml", "--log", "json"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let made = (!folder.join("token.txt").exists()).then(|| {
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        std::fs::write(folder.join("token.txt"), line.trim()).unwrap();
        line.trim().to_owned()
    });
    (child, made)
}

async fn ready(api: &Api, child: &mut Child) {
    let began = Instant::now();
    loop {
        match api.call("GET", "/readyz", None, String::new()).await {
            Some((StatusCode::OK, _)) => return,
            _ => assert!(
                began.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(),
                "it does not start"
            ),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Sends until the service is gone. What an earlier death left unanswered is sent again first, under its key.
async fn stream(api: Arc<Api>, ledger: Arc<Mutex<Ledger>>) {
    loop {
        let n = {
            let mut ledger = ledger.lock().unwrap();
            ledger.unanswered.pop().unwrap_or_else(|| {
                ledger.next += 1;
                ledger.next
            })
        };
        if !api.send(n, &ledger).await {
            return;
        }
    }
}

fn write_files(folder: &Path, port: u16, whatsapp: &whatsapp::Handle, smsc: &smsc::Handle) {
    let tables = [
        Table::server().text("listen", format_args!("127.0.0.1:{port}")),
        Table::store(),
        Table::whatsapp("wa", format_args!("http://{}", whatsapp.addr())).known(),
        Table::sms("sms", smsc.addr()).known(),
    ];
    write(folder, "wasl.toml", &file(tables));
    write(folder, "policies/all.toml", RULES);
}

/// Waits until no message is open any more.
async fn settle(api: &Api) {
    let began = Instant::now();
    loop {
        let queue = api.get("/v1/deliveries").await;
        if queue["counts"]["open"] == json!(0) {
            return;
        }
        if began.elapsed() > PATIENCE {
            let oldest = queue["oldest"][0]["message"].as_str().unwrap_or_default();
            let story = api.get(&format!("/v1/messages/{oldest}/deliveries")).await;
            panic!("it does not settle: {:#}\n{story:#}", queue["counts"]);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills() {
    let number =
        |name: &str, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (rounds, seed): (u64, u64) = (number("KILL_ROUNDS", 30), number("SEED", 7));
    let folder = tempfile::tempdir().unwrap();
    let whatsapp = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let smsc = smsc::start(smsc::Options::default()).await.unwrap();
    // Some answers are lost though the provider took the message, and some take a while: a kill meets attempts in
    // every state.
    let hurt = Mix::good()
        .share(0.03, AcceptFault::Reset { taken: true })
        .share(0.03, AcceptFault::Status { code: 500, retry_after_s: None })
        .delayed(Delay::Spread { median_ms: 15.0, shape: 2.0 });
    whatsapp.fault(whatsapp::Fault::Accept(hurt));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    write_files(folder.path(), port, &whatsapp, &smsc);
    whatsapp.set_callback(Some(&format!("http://127.0.0.1:{port}/hooks/wa")));

    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let (mut token, mut dice) = (String::new(), seed);
    let api = |token: &str| {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Arc::new(Api { client, base: format!("http://127.0.0.1:{port}"), token: token.to_owned() })
    };
    for _ in 0..rounds {
        let (mut child, made) = start(folder.path());
        token = made.unwrap_or(token);
        let api = api(&token);
        ready(&api, &mut child).await;
        let callers: Vec<_> =
            (0..CALLERS).map(|_| tokio::spawn(stream(Arc::clone(&api), Arc::clone(&ledger)))).collect();
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(20 + (dice >> 33) % 400)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        for caller in callers {
            caller.await.unwrap();
        }
    }

    let (mut child, _) = start(folder.path());
    let api = api(&token);
    ready(&api, &mut child).await;
    let left = std::mem::take(&mut ledger.lock().unwrap().unanswered);
    for n in left {
        assert!(api.send(n, &ledger).await, "it answers");
    }
    settle(&api).await;
    let accepted = ledger.lock().unwrap().accepted.clone();
    let found = compare(&api, &accepted, &whatsapp, &smsc).await;
    child.kill().unwrap();
    child.wait().unwrap();
    check_log(&std::fs::read_to_string(folder.path().join("log.txt")).unwrap());
    println!(
        "{rounds} kills, {} messages accepted, {} seen twice and explained",
        accepted.len(),
        found.explained
    );
    assert!(accepted.len() as u64 >= rounds, "the stream was a trickle: {}", accepted.len());
    for what in found.lost.iter().chain(&found.unexplained) {
        println!("{what}");
    }
    assert_eq!(
        (found.lost.len(), found.unexplained.len()),
        (0, 0),
        "lost, and seen more often than is explained"
    );
}

/// Each line of the log is one object that a program can read, no key twice, and tells of no panic. A kill may cut the
/// last line of a life short.
fn check_log(log: &str) {
    for line in log.lines() {
        assert!(!line.contains("panicked"), "{line}");
        let whole = line.starts_with('{') && line.ends_with('}');
        let keys = line.matches(r#""message":"#).count();
        assert!(!whole || (keys == 1 && serde_json::from_str::<Value>(line).is_ok()), "{line}");
    }
}

/// What the providers saw against what the record says.
#[derive(Debug, Default)]
struct Found {
    /// Acknowledged, and no provider ever saw it.
    lost: Vec<String>,
    /// Seen more than once, each time for a reason on record.
    explained: u64,
    /// Seen more often than the record explains.
    unexplained: Vec<String>,
}

async fn compare(
    api: &Api,
    accepted: &BTreeMap<String, String>,
    whatsapp: &whatsapp::Handle,
    smsc: &smsc::Handle,
) -> Found {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for received in whatsapp.received().into_iter().chain(smsc.received()) {
        *seen.entry(received.text).or_default() += 1;
    }
    let mut found = Found::default();
    for (text, id) in accepted {
        let times = seen.get(text).copied().unwrap_or(0);
        let story = api.get(&format!("/v1/messages/{id}/deliveries")).await["deliveries"][0].clone();
        let attempts = story["attempts"].as_array().unwrap();
        let repeats = attempts.iter().filter(|attempt| attempt["repeat"] != "no").count() as u64;
        match times {
            0 => found.lost.push(format!("{text}: {story:#}")),
            1 => {}
            _ if times <= repeats + 1 && story["settled"]["duplicated"] == json!(true) => {
                found.explained += 1
            }
            _ => found.unexplained.push(format!("{text} was seen {times} times: {story:#}")),
        }
    }
    found
}
