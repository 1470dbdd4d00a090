//! A gateway that answers at once and sends nothing: what is measured is everything but the provider. It exists in the bench
//! alone; no file can name it.

use crate::adapter::{Adapter, Answered, Doing, Outgoing};
use crate::api::service::{NO_TICKET, Service};
use crate::core::CoreConfig;
use crate::core::channel::Channel;
use crate::core::effect::{Pace, Reply};
use crate::core::gateway::{GatewayConfig, Receipts};
use crate::core::ids::MessageId;
use crate::core::input::Accept;
use crate::core::message::{Recipient, Severity, Status, Urgency};
use crate::core::outcome::{Outcome, Reason};
use crate::core::policy::{Confirm, Policy, Rule, SendMode, Step};
use crate::core::reply::Asks;
use crate::core::time::{Span, Timestamp};
use crate::runtime::clock::{Clock, Os};
use crate::runtime::{Gateway, Lineup, Parts, Running, Wasl};
use crate::store::outbox::Retention;
use crate::store::outbox::redb::RedbOutbox;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often the picture is looked at, which is drawn ten times a second.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A gateway without a provider.
#[derive(Default)]
pub(super) struct Null {
    /// Refuses with this, where set.
    pub(super) refuses: Option<Reason>,
    /// Takes everything and never answers.
    pub(super) hangs: AtomicBool,
    pub(super) sent: AtomicU64,
    /// When each order was answered, where they are few enough to be kept.
    pub(super) answered: Mutex<Vec<(String, Instant)>>,
    pub(super) keep: bool,
}

impl Null {
    /// Returns when each delivery was answered.
    pub(super) fn answers(&self) -> BTreeMap<String, Instant> {
        self.answered.lock().map(|kept| kept.iter().cloned().collect()).unwrap_or_default()
    }
}

impl Adapter for Null {
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered> {
        Box::pin(async move {
            self.sent.fetch_add(1, Ordering::Relaxed);
            if self.keep {
                let entry = (outgoing.order.attempt.delivery.to_string(), Instant::now());
                if let Ok(mut answered) = self.answered.lock() {
                    answered.push(entry);
                }
            }
            if self.hangs.load(Ordering::Relaxed) {
                // As an adapter does: it keeps the time-out that it is given.
                let time_out = outgoing.order.time_out;
                tokio::time::sleep(time_out.to_std()).await;
                return Answered { outcome: Outcome::Unknown { reason: Reason::Timeout }, took: time_out };
            }
            let outcome = match self.refuses {
                Some(reason) => Outcome::Rejected { reason },
                None => Outcome::Accepted { provider_id: None },
            };
            Answered { outcome, took: Span::from_ms(1) }
        })
    }
}

/// Puts a null gateway on a channel.
pub(super) fn gateway(channel: Channel, adapter: &Arc<Null>) -> Gateway {
    let config = GatewayConfig {
        name: format!("null-{channel}"),
        channel,
        failure_domains: vec![],
        rate: None,
        quotas: vec![],
        cost: 0.0,
        receipts: Receipts::None,
        window: 4_096,
        can_ask: false,
        connect_time_out: Span::from_secs(3),
        canaries: vec![],
    };
    Gateway { config, adapter: Arc::clone(adapter) as Arc<dyn Adapter>, canaries: Arc::default() }
}

/// Starts the real service over a real outbox in `folder`. A delivery is done with once it is accepted.
pub(super) fn start(lineup: Lineup, folder: &Path) -> Result<Running, String> {
    start_by(lineup, folder, Confirm::Accepted, Span::from_secs(30))
}

/// Starts it so that a delivery is done with by this, and goes to the next step after this wait.
pub(super) fn start_by(
    lineup: Lineup,
    folder: &Path,
    confirm: Confirm,
    wait: Span,
) -> Result<Running, String> {
    let outbox = RedbOutbox::open(&folder.join("outbox.redb")).map_err(|e| e.to_string())?;
    let step = |channels: &[Channel]| Step {
        channels: channels.to_vec(),
        send: SendMode::Best,
        wait,
        learned: false,
    };
    let rule = Rule {
        name: "bench".into(),
        confirm,
        expiry: Some(Span::from_hours(24)),
        steps: vec![step(&[Channel::Whatsapp]), step(&[Channel::Sms])],
        ..Rule::last()
    };
    let parts = Parts {
        core: CoreConfig { shard: 0, seed: 1, dwell: Span::from_secs(20), uplinks: vec![] },
        lineup,
        policy: Arc::new(Policy { hash: "bench".into(), rules: vec![rule, Rule::last()] }),
        outbox: Box::new(outbox),
        space: None,
        retention: Retention::default(),
        reachability: None,
        remembered: vec![],
        clock: Arc::new(Clock::new(Box::new(Os), Timestamp::default())),
        pacer: Arc::new(|_, _| {}),
        control_pace: tokio::sync::watch::Sender::new(Pace::Normal),
    };
    Wasl::start(parts).map_err(|e| e.to_string())
}

/// A message for so many people, each with two addresses.
pub(super) fn message(people: usize) -> Accept {
    let person = |n: usize| {
        let number = format!("+9705{n:08}");
        let addresses: BTreeMap<Channel, String> =
            [(Channel::Whatsapp, number.clone()), (Channel::Sms, number)].into();
        Recipient { language: Some("ar".into()), addresses, ..Recipient::default() }
    };
    Accept {
        ticket: NO_TICKET,
        author: "bench".into(),
        severity: Severity::Severe,
        urgency: Urgency::Immediate,
        status: Status::Actual,
        incident: None,
        expires: None,
        text: [("ar", "السيل يقترب. غادروا الآن نحو المدرسة."), ("en", "Flood water is near. Leave now.")]
            .map(|(l, t)| (l.to_owned(), t.to_owned()))
            .into(),
        template: None,
        tags: BTreeMap::new(),
        audiences: vec![],
        recipients: (0..people).map(person).collect(),
        corrects: None,
        asks: Asks::NOTHING,
        idempotency: None,
    }
}

/// Hands a message over; it must be taken.
pub(super) async fn accept(service: &Arc<dyn Service>, accept: Accept) -> Result<MessageId, String> {
    match service.accept(accept).await {
        Ok(Reply::Accepted { message, .. }) => Ok(message),
        Ok(other) => Err(format!("the service answered {other:?}")),
        Err(trouble) => Err(trouble.to_string()),
    }
}

/// Waits until nothing is open, or fails after `most_secs`.
pub(super) async fn drained(service: &Arc<dyn Service>, most_secs: u64) -> Result<(), String> {
    let began = Instant::now();
    // The picture at hand may be older than what was accepted; the next one is not.
    let old = service.view().turn;
    loop {
        let view = service.view();
        let open = view.deliveries.open();
        if open == 0 && view.turn > old {
            return Ok(());
        }
        if began.elapsed().as_secs() > most_secs {
            return Err(format!("{open} deliveries are still open after {most_secs} s"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
