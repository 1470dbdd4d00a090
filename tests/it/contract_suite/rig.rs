//! One adapter, one emulator, and a stand-in for the service between them: it hears receipts and takes webhooks.

use super::harnesses::Harness;
use crate::support::adapters::Sender;
use crate::support::tables::Table;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use wasl::adapter::{Adapter, Answered, Doing, Ear, HookRequest};
use wasl::core::ids::{AttemptId, DeliveryId};
use wasl::core::outcome::{Fault, Outcome, Reason, Receipt, ReceiptRef};
use wasl::core::reply::Reply;
use wasl::core::time::Span;
use wasl::emulator::ReceiptFault;

/// How long to wait for what must come.
const SOON: Duration = Duration::from_secs(10);

/// How long to wait to believe that nothing more comes.
pub(super) const QUIET: Duration = Duration::from_millis(500);

/// What is ordered of a provider for the next message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ordered {
    /// It refuses the recipient, or the message where it knows no recipients.
    Refuse,
    /// It asks us to come back.
    Throttle { secs: u32 },
    /// Our quota with it is used up.
    Exhaust,
    /// It takes the message and never answers.
    Hang,
    /// It takes the message and resets the connection.
    Reset,
    /// It takes the message and answers what nobody can read.
    Garbage,
}

/// A provider, as a case sees it.
pub(super) trait Stand: Send + Sync {
    /// Returns the gateway as it stands in `wasl.toml`.
    fn gateway(&self) -> Table;
    /// Returns the address of somebody who can be reached.
    fn address(&self) -> &'static str;
    /// Takes the URL that its webhooks call.
    fn call_back(&self, url: &str);
    /// Says whether the adapter keeps a connection that must stand before anything is sent or heard.
    fn has_link(&self) -> bool;
    /// Orders a fault for the next message.
    fn order(&self, ordered: Ordered);
    /// Refuses connections, or no more.
    fn refuse_connections(&self, refuse: bool);
    /// Resets every open connection.
    fn cut(&self);
    /// Makes our credentials worthless.
    fn expire(&self);
    /// Returns how many messages were taken.
    fn accepted_count(&self) -> u64;
    /// Returns the text that arrived last.
    fn last_text(&self) -> Option<String>;
    /// Says whose fault a refusal is: the recipient's, or the message's where it knows no recipients.
    fn blames(&self) -> Fault;
    /// Says whether its throttling answer tells when to come back.
    fn tells_when(&self) -> bool;
    /// Says whether its unreadable answer still says, where everybody reads it, that the message was taken.
    fn status_outlives_garbage(&self) -> bool;
    /// Orders what goes wrong with receipts, and how late they come. False: there are none.
    fn order_receipts(&self, fault: Option<ReceiptFault>, late: Duration) -> bool;
    /// Says whether a receipt may come before the answer to its message.
    fn can_be_early(&self) -> bool;
    /// Says whether its calls carry proof of who makes them.
    fn signs(&self) -> bool;
    /// Lets the recipient say something, quoting a message by the provider's id where the channel can. False: nobody
    /// answers on this road.
    fn say(&self, text: &str, quoted: Option<&str>) -> bool;
    /// Says whether what is said may quote what it answers.
    fn quotes(&self) -> bool;
    /// Lets the recipient of the last message confirm it by hand, where the provider does not by itself.
    fn confirm(&self, _times: usize) -> Doing<'_, ()> {
        Box::pin(async {})
    }
    /// Lets a stranger confirm the last message, where the provider's own fault does not.
    fn forge(&self) -> Doing<'_, ()> {
        Box::pin(async {})
    }
}

/// What the adapter said on its own.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    Receipt(Receipt),
    Reply(Reply),
    /// The result of a webhook's call.
    Hook(&'static str),
}

/// An adapter at work against a provider.
pub(super) struct Rig {
    pub(super) stand: Box<dyn Stand>,
    sender: Sender,
    heard: Mutex<mpsc::UnboundedReceiver<Heard>>,
    sent: AtomicU16,
    _tasks: JoinSet<()>,
}

struct Listening {
    heard: mpsc::UnboundedSender<Heard>,
    link: watch::Sender<bool>,
}

impl Ear for Listening {
    fn receipt(&self, receipt: Receipt) -> Doing<'_, ()> {
        let _ = self.heard.send(Heard::Receipt(receipt));
        Box::pin(async {})
    }

    fn reply(&self, reply: Reply) -> Doing<'_, ()> {
        let _ = self.heard.send(Heard::Reply(reply));
        Box::pin(async {})
    }

    fn link(&self, up: bool, _reason: Option<Reason>) {
        self.link.send_replace(up);
    }
}

impl Rig {
    /// Starts a provider of its own and an adapter for it.
    pub(super) async fn start(harness: &Harness) -> Rig {
        let stand = (harness.start)().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let public_url = format!("http://{}", listener.local_addr().unwrap());
        let built = Sender::build_called(&stand.gateway(), &public_url);
        let (sender, heard) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        stand.call_back(&format!("{public_url}/hooks/g"));
        let (hooked, said) = (built.adapter.clone(), sender.clone());
        let router = Router::new().fallback(move |request| call(request, hooked.clone(), said.clone()));
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let (running, link) = (built.adapter.clone(), watch::Sender::new(false));
        let mut up = link.subscribe();
        tasks.spawn(async move { running.run(&Listening { heard: sender, link }).await });
        if stand.has_link() {
            let standing = timeout(SOON, up.wait_for(|up| *up)).await;
            standing.expect("what must stand stands soon").expect("it runs");
        }
        Rig { stand, sender: built, heard: Mutex::new(heard), sent: AtomicU16::new(0), _tasks: tasks }
    }

    /// Returns the text of every message.
    pub(super) fn text(&self) -> String {
        "السيل يقترب من الحي الشرقي. غادروا الآن.".to_owned()
    }

    /// Hands a message over.
    pub(super) async fn send(&self) -> (AttemptId, Answered) {
        self.send_within(Span::from_secs(5)).await
    }

    /// Hands a message over that must be answered in time.
    pub(super) async fn send_within(&self, time_out: Span) -> (AttemptId, Answered) {
        let n = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        let mut outgoing = self.sender.attempt(self.stand.address(), &self.text(), n);
        outgoing.order.time_out = time_out;
        // Each is another message: another attempt of one would be dropped where the provider knows it again.
        let attempt = AttemptId::new(DeliveryId::new(outgoing.order.attempt.delivery.message, n.into()), 1);
        outgoing.order.attempt = attempt;
        let sending = timeout(SOON * 2, self.sender.adapter.send(outgoing));
        (attempt, sending.await.expect("an adapter always answers"))
    }

    /// Hands messages over until one is answered as wanted; returns the last answer.
    pub(super) async fn send_until(&self, wanted: impl Fn(&Answered) -> bool) -> Answered {
        let start = Instant::now();
        loop {
            let (_, answered) = self.send().await;
            if wanted(&answered) || start.elapsed() > SOON {
                return answered;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns everything heard until it is quiet.
    pub(super) async fn all_heard(&self) -> Vec<Heard> {
        let mut heard = self.heard.lock().await;
        let mut all = Vec::new();
        // The first word may take as long as the provider is late.
        let mut patience = QUIET * 4;
        while let Ok(Some(one)) = timeout(patience, heard.recv()).await {
            all.push(one);
            patience = QUIET;
        }
        all
    }

    /// Returns every receipt heard until it is quiet.
    pub(super) async fn receipts(&self) -> Vec<Receipt> {
        let all = self.all_heard().await;
        all.into_iter().filter_map(|h| if let Heard::Receipt(r) = h { Some(r) } else { None }).collect()
    }

    /// Returns every reply heard until it is quiet.
    pub(super) async fn replies(&self) -> Vec<Reply> {
        let all = self.all_heard().await;
        all.into_iter().filter_map(|h| if let Heard::Reply(r) = h { Some(r) } else { None }).collect()
    }

    /// Says whether a receipt names this attempt, as the core would find it.
    pub(super) fn speaks_of(&self, receipt: &Receipt, attempt: AttemptId, answered: &Answered) -> bool {
        let Outcome::Accepted { provider_id } = &answered.outcome else { return false };
        match &receipt.of {
            ReceiptRef::Provider(id) => Some(id) == provider_id.as_ref(),
            ReceiptRef::Attempt(named) => *named == attempt,
            ReceiptRef::Both(id, named) => *named == attempt && Some(id) == provider_id.as_ref(),
        }
    }
}

/// Lets the adapter read a webhook's call and answers what it says.
async fn call(
    request: Request,
    adapter: Arc<dyn Adapter>,
    heard: mpsc::UnboundedSender<Heard>,
) -> (StatusCode, String) {
    let (head, body) = request.into_parts();
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let answer = adapter.hook(&HookRequest {
        method: head.method.to_string(),
        path: head.uri.path().strip_prefix("/hooks/g").unwrap_or_default().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: to_bytes(body, 1 << 20).await.unwrap().to_vec(),
    });
    let _ = heard.send(Heard::Hook(answer.result));
    for receipt in answer.receipts {
        let _ = heard.send(Heard::Receipt(receipt));
    }
    for reply in answer.replies {
        let _ = heard.send(Heard::Reply(reply));
    }
    (StatusCode::from_u16(answer.status).unwrap(), answer.body)
}
