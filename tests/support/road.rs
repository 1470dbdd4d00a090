//! One gateway's adapter by itself, with what it hears kept for the test.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use wasl::adapter::net::Net;
use wasl::adapter::{Adapter, Answered, Doing, Ear, Outgoing, build, kinds};
use wasl::core::channel::{Channel, GatewayId};
use wasl::core::effect::Order;
use wasl::core::ids::{AttemptId, DeliveryId, MessageId};
use wasl::core::message::{Severity, Status};
use wasl::core::outcome::{Reason, Receipt};
use wasl::core::record::Repeat;
use wasl::core::reply::{Asks, Reply};
use wasl::core::time::{Span, Timestamp};
use wasl::diag::Diagnostics;
use wasl::settings::{Resolver, Settings};

/// Longer than anything on loopback takes, a first rest before reconnecting included.
pub const SOON: Duration = Duration::from_secs(15);
/// Long enough for what should not come to have come.
const QUIET: Duration = Duration::from_millis(300);
/// How often a test looks again.
const LOOK: Duration = Duration::from_millis(5);

/// A running adapter.
pub struct Road {
    adapter: Arc<dyn Adapter>,
    ear: Arc<Kept>,
    running: JoinHandle<()>,
    sent: AtomicU32,
}

#[derive(Default)]
struct Kept {
    receipts: Mutex<Vec<Receipt>>,
    replies: Mutex<Vec<Reply>>,
    taken: AtomicU32,
    link: watch::Sender<Option<Result<(), Reason>>>,
}

impl Ear for Kept {
    fn receipt(&self, receipt: Receipt) -> Doing<'_, ()> {
        Box::pin(async move {
            self.receipts.lock().expect("no test panics within").push(receipt);
        })
    }

    fn reply(&self, reply: Reply) -> Doing<'_, ()> {
        Box::pin(async move {
            self.replies.lock().expect("no test panics within").push(reply);
        })
    }

    fn link(&self, up: bool, reason: Option<Reason>) {
        let state = if up { Ok(()) } else { Err(reason.unwrap_or(Reason::NotConnected)) };
        self.link.send_replace(Some(state));
    }
}

/// Builds and runs the adapter of this gateway: a table, and whatever keys are written below it.
pub fn open(gateway: impl Display) -> Road {
    let folder = tempfile::tempdir().expect("a folder");
    let adapter = from_file(folder.path(), &gateway.to_string());
    let ear = Arc::new(Kept::default());
    let running = tokio::spawn({
        let (adapter, ear) = (Arc::clone(&adapter), Arc::clone(&ear));
        async move { adapter.run(&*ear).await }
    });
    Road { adapter, ear, running, sent: AtomicU32::new(0) }
}

fn from_file(folder: &Path, gateway: &str) -> Arc<dyn Adapter> {
    let file = folder.join("wasl.toml");
    std::fs::write(&file, gateway).expect("written");
    let mut diags = Diagnostics::default();
    let settings = Settings::read(&file, &kinds(), &mut diags);
    let gateway = settings.and_then(|mut settings| settings.gateways.pop());
    let net = Net::new(&[Resolver::At("127.0.0.1:9".parse().expect("an address"))]);
    let adapter = gateway.and_then(|gateway| build(gateway, &net, &mut diags));
    adapter.filter(|_| !diags.has_errors()).unwrap_or_else(|| panic!("{}", diags.render()))
}

/// Waits until something holds.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let looking = async {
        while !holds() {
            sleep(LOOK).await;
        }
    };
    timeout(SOON, looking).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

impl Road {
    /// Returns an attempt to hand over, each of another delivery.
    pub fn outgoing(&self, address: &str, text: &str, time_out: Span) -> Outgoing {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let now = Timestamp::from_ms(now.as_millis() as i64);
        let message = MessageId::new(now, 1, 7);
        let delivery = DeliveryId::new(message, self.sent.fetch_add(1, Ordering::Relaxed));
        let order = Order {
            attempt: AttemptId::new(delivery, 1),
            gateway: GatewayId(0),
            channel: Channel::Sms,
            time_out,
            expires: now + Span::from_hours(1),
            repeat: Repeat::No,
            severity: Severity::Extreme,
        };
        Outgoing {
            order,
            left: Span::from_hours(1),
            status: Status::Actual,
            address: address.into(),
            language: "ar".into(),
            text: text.into(),
            subject: String::new(),
            thread: None,
            template: None,
            asks: Asks::NOTHING,
            question: String::new(),
        }
    }

    pub async fn send(&self, address: &str, text: &str) -> Answered {
        self.send_outgoing(self.outgoing(address, text, Span::from_secs(5))).await
    }

    pub async fn send_outgoing(&self, outgoing: Outgoing) -> Answered {
        self.adapter.send(outgoing).await
    }

    /// Sends, for a task of its own.
    pub fn sending(&self, outgoing: Outgoing) -> impl Future<Output = Answered> + Send + use<> {
        let adapter = Arc::clone(&self.adapter);
        async move { adapter.send(outgoing).await }
    }

    /// Waits for the next receipt.
    pub async fn receipt(&self) -> Receipt {
        let next = self.ear.taken.fetch_add(1, Ordering::Relaxed) as usize;
        until("a receipt", || self.receipts_count() > next).await;
        self.ear.receipts.lock().expect("no test panics within")[next].clone()
    }

    /// Returns how many receipts came so far.
    pub fn receipts_count(&self) -> usize {
        self.ear.receipts.lock().expect("no test panics within").len()
    }

    /// Makes sure that no further receipt comes.
    pub async fn silent(&self) {
        sleep(QUIET).await;
        assert_eq!(self.receipts_count(), self.ear.taken.load(Ordering::Relaxed) as usize);
    }

    pub async fn is_up(&self) {
        self.link("the link is up", |state| state == Ok(())).await;
    }

    pub async fn is_down(&self, reason: Reason) {
        self.link(&format!("the link is down: {reason}"), |state| state == Err(reason)).await;
    }

    pub async fn is_down_somehow(&self) {
        self.link("the link is down", |state| state.is_err()).await;
    }

    async fn link(&self, what: &str, holds: impl Fn(Result<(), Reason>) -> bool) {
        let mut link = self.ear.link.subscribe();
        let waiting = link.wait_for(|state| state.is_some_and(&holds));
        let waited = timeout(SOON, waiting).await.map(|state| state.map(|_| ()));
        waited.unwrap_or_else(|_| panic!("not in time: {what}")).expect("the ear is kept");
    }

    /// Stops what stands.
    pub async fn stop(&self) {
        self.running.abort();
        until("it has stopped", || self.running.is_finished()).await;
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.running.abort();
    }
}
