//! SMS over HTTP against somebody else's gateway: Kannel's bearerbox and smsbox with its fake SMSC, killed and stopped in
//! the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wasl::adapter::{Adapter, HookRequest};
use wasl::core::ids::{AttemptId, DeliveryId};
use wasl::core::outcome::{Outcome, Receipt, ReceiptKind, ReceiptRef};

use crate::support::adapters::Sender;
use crate::support::road::until;
use crate::support::skip::skip;
use crate::support::tables::Table;

/// How many messages go through while Kannel is killed.
const MESSAGES: usize = 400;
/// How many may be on their way at once.
const AT_ONCE: usize = 8;
/// How many are sent for the ratio, by the adapter and by hand.
const MEASURED: usize = 600;
const REMEDY: &str = "apt-get install kannel kannel-extras";
const FAKE_SMSC: &str = "/usr/lib/kannel/test/fakesmsc";
const ARABIC: &str =
    "السيل يقترب من الحي الشرقي. غادروا الآن نحو المدرسة ولا تعبروا الوادي بالسيارات، وخذوا معكم الماء. 🌊";

/// One of Kannel's programs, started anew whenever it has ended.
struct Part {
    program: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    process: Child,
}

/// Kannel; dropping it kills all of it.
struct Kannel {
    folder: TempDir,
    ports: [u16; 4],
    bearerbox: Part,
    smsbox: Part,
    smsc: Part,
}

fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(usual).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn is_here() -> bool {
    found("bearerbox").is_some() && found("smsbox").is_some() && Path::new(FAKE_SMSC).is_file()
}

impl Part {
    fn start(program: PathBuf, arguments: Vec<String>, log: PathBuf) -> Part {
        let process = Part::run(&program, &arguments, &log);
        Part { program, arguments, log, process }
    }

    fn run(program: &Path, arguments: &[String], log: &Path) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(log).expect("a log");
        let both = log.try_clone().expect("a second handle");
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(both)
            .spawn()
            .expect("it runs")
    }

    /// Starts it again, if it has ended.
    fn keep(&mut self) {
        if self.process.try_wait().expect("it is ours").is_some() {
            self.process = Part::run(&self.program, &self.arguments, &self.log);
        }
    }

    fn kill(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it ends");
    }

    /// Asks it to end, as a service manager does, and waits until it has.
    fn stop(&mut self) {
        let asked = Command::new("kill").arg(self.process.id().to_string()).status();
        assert!(asked.is_ok_and(|status| status.success()));
        let start = Instant::now();
        while self.process.try_wait().expect("it is ours").is_none()
            && start.elapsed() < Duration::from_secs(5)
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        if self.process.try_wait().expect("it is ours").is_none() {
            self.kill();
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    listener.local_addr().expect("bound").port()
}

fn answers(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_millis(200)).is_ok()
}

async fn stands(what: &str, port: u16) {
    until(what, || answers(port)).await;
}

impl Kannel {
    async fn start() -> Kannel {
        let folder = tempfile::tempdir().expect("a folder");
        let ports = [free_port(), free_port(), free_port(), free_port()];
        let [admin, boxes, smsc, sendsms] = ports;
        let store = folder.path().join("store");
        std::fs::create_dir(&store).expect("a store");
        let (bearerbox_log, smsbox_log) =
            (folder.path().join("bearerbox.log"), folder.path().join("smsbox.log"));
        let file = folder.path().join("kannel.conf");
        // What was taken lies in the store until the SMSC has it.
        let text = format!(
            "group = core\nadmin-port = {admin}\nadmin-password = adm\nsmsbox-port = {boxes}\nbox-allow-ip = 127.0.0.1\n\
             store-type = spool\nstore-location = {}\nsms-resend-freq = 1\nlog-level = 1\nlog-file = {}\n\n\
             group = smsc\nsmsc = fake\nsmsc-id = fake\nport = {smsc}\nconnect-allow-ip = 127.0.0.1\n\n\
             group = smsbox\nbearerbox-host = 127.0.0.1\nsmsbox-id = box\nsendsms-port = {sendsms}\nlog-level = 1\n\
             log-file = {}\nhttp-request-retry = 20\nhttp-queue-delay = 1\n\n\
             group = sendsms-user\nusername = wasl\npassword = secret\nmax-messages = 10\nconcatenation = true\n\n\
             group = sms-service\nkeyword = default\nmax-messages = 0\ntext = \"-\"\n",
            store.display(),
            bearerbox_log.display(),
            smsbox_log.display(),
        );
        std::fs::write(&file, text).expect("written");
        let conf = || vec![file.display().to_string()];
        let log = |name: &str| folder.path().join(name);
        let fake = ["-H", "127.0.0.1", "-r", &smsc.to_string(), "-m", "0", "1 2 text x"].map(str::to_owned);
        let bearerbox = Part::start(found("bearerbox").expect("looked for"), conf(), log("bearerbox.out"));
        stands("bearerbox", boxes).await;
        stands("the fake SMSC's port", smsc).await;
        let smsc = Part::start(FAKE_SMSC.into(), fake.into(), log("smsc.out"));
        let smsbox = Part::start(found("smsbox").expect("looked for"), conf(), log("smsbox.out"));
        stands("smsbox", sendsms).await;
        Kannel { folder, ports, bearerbox, smsbox, smsc }
    }

    /// Starts again what has ended: smsbox and the fake SMSC go with the bearerbox.
    async fn keep(&mut self) {
        self.bearerbox.keep();
        stands("bearerbox", self.ports[1]).await;
        self.smsc.keep();
        self.smsbox.keep();
        stands("smsbox", self.ports[3]).await;
    }

    fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[3])
    }

    /// Returns what arrived at the SMSC: how often each number and text did.
    fn arrived(&self) -> BTreeMap<(String, String), usize> {
        let log = std::fs::read(self.folder.path().join("smsc.out")).unwrap_or_default();
        let mut arrived = BTreeMap::new();
        for line in String::from_utf8_lossy(&log).lines() {
            let Some((_, message)) = line.split_once("Got message ") else { continue };
            let message = message.split_once('<').map_or("", |(_, rest)| rest).trim_end_matches('>');
            let mut words = message.splitn(4, ' ');
            let (_, to) = (words.next(), words.next().unwrap_or_default());
            let text = words.skip(1).collect::<String>();
            *arrived.entry((to.to_owned(), text)).or_default() += 1;
        }
        arrived
    }
}

/// What came to our hooks.
#[derive(Default)]
struct Heard {
    receipts: Vec<Receipt>,
    refused: usize,
}

/// The adapter, and the listener for what Kannel says of its messages.
struct Wasl {
    sender: Sender,
    heard: Arc<Mutex<Heard>>,
    hook_url: String,
    _listening: tokio::task::JoinSet<()>,
}

impl Wasl {
    async fn start(kannel: &Kannel) -> Wasl {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let public_url = format!("http://{}", listener.local_addr().expect("bound"));
        let gateway = Table::sms_http("g", "kannel", kannel.base_url())
            .text("username", "wasl")
            .text("password", "secret")
            .text("hook_secret", "known-by-this-0123456789");
        let sender = Sender::build_called(&gateway, &public_url);
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (adapter, kept) = (Arc::clone(&sender.adapter), Arc::clone(&heard));
        let router = Router::new().fallback(move |request| hook(request, adapter.clone(), kept.clone()));
        let mut listening = tokio::task::JoinSet::new();
        listening.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Wasl { sender, heard, hook_url: format!("{public_url}/hooks/g"), _listening: listening }
    }

    /// Hands a message over as the `n`th delivery.
    fn sending(
        &self,
        n: usize,
        address: &str,
        text: &str,
    ) -> impl Future<Output = (AttemptId, Outcome)> + use<> {
        let mut outgoing = self.sender.attempt(address, text, 1);
        let delivery =
            DeliveryId::new(outgoing.order.attempt.delivery.message, u32::try_from(n).expect("few"));
        let attempt = AttemptId::new(delivery, 1);
        outgoing.order.attempt = attempt;
        let adapter = Arc::clone(&self.sender.adapter);
        async move { (attempt, adapter.send(outgoing).await.outcome) }
    }

    fn told(&self, kind: ReceiptKind) -> BTreeSet<AttemptId> {
        let heard = self.heard.lock().expect("no test panics within");
        let of = |receipt: &Receipt| match &receipt.of {
            ReceiptRef::Attempt(attempt) => *attempt,
            other => panic!("{other:?}"),
        };
        heard.receipts.iter().filter(|receipt| receipt.kind == kind).map(of).collect()
    }
}

async fn hook(request: Request, adapter: Arc<dyn Adapter>, heard: Arc<Mutex<Heard>>) -> (StatusCode, String) {
    let (head, body) = request.into_parts();
    let answer = adapter.hook(&HookRequest {
        method: head.method.to_string(),
        path: head.uri.path().strip_prefix("/hooks/g").unwrap_or_default().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: Vec::new(),
        body: axum::body::to_bytes(body, 1 << 20).await.expect("a body").to_vec(),
    });
    let mut heard = heard.lock().expect("no test panics within");
    heard.refused += usize::from(answer.result != "ok");
    heard.receipts.extend(answer.receipts);
    (StatusCode::from_u16(answer.status).expect("a status"), answer.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_kannel_is_killed_and_stopped() {
    if !is_here() {
        return skip("third_party_kannel::nothing_is_lost_when_kannel_is_killed_and_stopped", REMEDY);
    }
    let mut kannel = Kannel::start().await;
    let wasl = Wasl::start(&kannel).await;
    let number = |n: usize| format!("+9705990{n:05}");
    let mut accepted = BTreeMap::new();
    let mut unknown = BTreeSet::new();
    let mut waiting: Vec<usize> = (0..MESSAGES).collect();
    let mut blows = (1..=3)
        .map(|nth| nth * MESSAGES / 4)
        .zip(["smsbox killed", "bearerbox stopped", "bearerbox killed"])
        .peekable();
    let (start, mut refused) = (Instant::now(), 0);
    while !waiting.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(120), "{} are still waiting", waiting.len());
        let batch: Vec<usize> = waiting.drain(..waiting.len().min(AT_ONCE)).collect();
        let sends: Vec<_> =
            batch.iter().map(|n| tokio::spawn(wasl.sending(*n, &number(*n), &format!("m{n}")))).collect();
        let blow = blows.next_if(|(at, _)| accepted.len() >= *at);
        match blow {
            // With a batch on its way.
            Some((_, "smsbox killed")) => kannel.smsbox.kill(),
            Some((_, "bearerbox stopped")) => kannel.bearerbox.stop(),
            Some(_) => kannel.bearerbox.kill(),
            None => {}
        }
        let (before, tried) = (waiting.len(), batch.len());
        for (n, send) in batch.into_iter().zip(sends) {
            match send.await.expect("sent") {
                (attempt, Outcome::Accepted { .. }) => drop(accepted.insert(n, attempt)),
                (_, Outcome::Unknown { .. }) => drop(unknown.insert(n)),
                // Certainly not sent: it goes again, as the core would do once there is no other gateway.
                (_, Outcome::Rejected { .. } | Outcome::Deferred { .. }) => {
                    refused += 1;
                    waiting.push(n);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        // What goes with the bearerbox may go a moment after it: whoever refuses everything is looked after again.
        let all_refused = waiting.len() - before == tried;
        if blow.is_some() || all_refused {
            kannel.keep().await;
        }
    }
    assert!(blows.peek().is_none(), "it was hit three times");
    assert_eq!(accepted.len() + unknown.len(), MESSAGES);

    // What it took is at the SMSC, whatever happened meanwhile; and nothing that we know not to have been taken is there.
    let times = |arrived: &BTreeMap<(String, String), usize>, n: usize| {
        arrived.get(&(number(n), format!("m{n}"))).copied().unwrap_or_default()
    };
    let all_there = || {
        let arrived = kannel.arrived();
        accepted.keys().all(|n| times(&arrived, *n) >= 1)
    };
    until("all that was accepted is at the SMSC", all_there).await;
    let arrived = kannel.arrived();
    let doubled = (0..MESSAGES).filter(|n| times(&arrived, *n) > 1).count();
    assert_eq!(
        arrived.values().sum::<usize>(),
        (0..MESSAGES).map(|n| times(&arrived, n)).sum::<usize>(),
        "no stranger"
    );

    // Every receipt is of one of our attempts, by its own URL; Kannel keeps them in memory until it has called us, so a
    // kill takes with it those under way and no more.
    let owed = |delivered: &BTreeSet<AttemptId>| accepted.values().filter(|a| !delivered.contains(a)).count();
    until("the receipts are here", || owed(&wasl.told(ReceiptKind::Delivered)) <= 3 * AT_ONCE).await;
    let delivered = wasl.told(ReceiptKind::Delivered);
    assert_eq!(wasl.heard.lock().expect("no test panics within").refused, 0, "each call was proved");
    eprintln!(
        "kannel: {} accepted, {} unknown, {refused} refused and sent again; at the SMSC twice: {doubled}; receipts {}, lost \
         with Kannel's memory {}",
        accepted.len(),
        unknown.len(),
        delivered.len(),
        owed(&delivered),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handset_reads_the_same_text() {
    if !is_here() {
        return skip("third_party_kannel::a_handset_reads_the_same_text", REMEDY);
    }
    let kannel = Kannel::start().await;
    let wasl = Wasl::start(&kannel).await;
    // The fake SMSC shows octets beyond ASCII escaped, so what arrives is compared by its length and its parts.
    let plain = "Leave now: 100% + {Omega} & 5=5 \"to\"";
    let (attempt, outcome) = wasl.sending(0, "+970599000001", plain).await;
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    until("it is delivered", || wasl.told(ReceiptKind::Delivered).contains(&attempt)).await;
    assert!(wasl.told(ReceiptKind::Sent).contains(&attempt));
    let arrived = kannel.arrived();
    assert!(arrived.contains_key(&("+970599000001".to_owned(), plain.to_owned())), "{arrived:?}");
    let (attempt, outcome) = wasl.sending(1, "+970599000002", ARABIC).await;
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    until("it is delivered", || wasl.told(ReceiptKind::Delivered).contains(&attempt)).await;
    let parts = kannel.arrived().into_keys().filter(|(to, _)| to == "+970599000002").count();
    assert_eq!(parts, 2, "two parts of UCS-2, and one receipt for both");
    // A text that Kannel would cut off never reaches it.
    let (_, outcome) = wasl.sending(2, "+970599000003", &"س".repeat(671)).await;
    assert!(matches!(outcome, Outcome::Rejected { .. }), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kannel_sets_the_pace() {
    if !is_here() {
        return skip("third_party_kannel::kannel_sets_the_pace", REMEDY);
    }
    let kannel = Kannel::start().await;
    let wasl = Wasl::start(&kannel).await;
    // Both in turn, twice, and the better of each: the first takes what the machine needs to get going.
    let (mut ours, mut alone) = (0.0_f64, 0.0_f64);
    for round in 0..2 {
        alone = alone.max(by_hand(&kannel, &wasl).await);
        let start = Instant::now();
        let mut under_way = tokio::task::JoinSet::new();
        for n in 0..MEASURED {
            while under_way.len() >= AT_ONCE {
                let (_, outcome) = under_way.join_next().await.expect("one is there").expect("sent");
                assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
            }
            under_way.spawn(wasl.sending(round * MEASURED + n, "+970599000001", "Leave now"));
        }
        while under_way.join_next().await.is_some() {}
        ours = ours.max(MEASURED as f64 / start.elapsed().as_secs_f64());
    }
    eprintln!("kannel: {ours:.0} messages/s by the adapter, {alone:.0} by hand: {:.2} of it", ours / alone);
}

/// Sends as many by the plainest of clients over as many kept connections, receipts asked for as well, and returns how
/// many a second.
async fn by_hand(kannel: &Kannel, wasl: &Wasl) -> f64 {
    let addr = SocketAddr::from(([127, 0, 0, 1], kannel.ports[3]));
    let request = format!(
        "GET /cgi-bin/sendsms?username=wasl&password=secret&from=ALERT&to=%2B970599000001&text=Leave%20now&charset=UTF-8\
         &coding=0&priority=3&validity=60&dlr-mask=31&dlr-url={}%2Fx%3Ftype%3D%25d HTTP/1.1\r\nhost: {addr}\r\n\r\n",
        wasl.hook_url.replace(':', "%3A").replace('/', "%2F"),
    );
    let start = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let request = request.clone();
        clients.spawn(async move {
            let mut stream = tokio::net::TcpStream::connect(addr).await.expect("connected");
            for _ in 0..MEASURED / AT_ONCE {
                stream.write_all(request.as_bytes()).await.expect("written");
                let mut answer = Vec::new();
                while !answer.ends_with(b"0: Accepted for delivery") {
                    let read = stream.read_buf(&mut answer).await.expect("read");
                    assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
                }
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.expect("answered");
    }
    MEASURED as f64 / start.elapsed().as_secs_f64()
}
