//! SMS by SMPP 3.4, straight to an operator's SMSC; SMPP 5.0 differs in nothing that is used.
//!
//! ```text
//! send ──jobs──> link ──> session ──> SMSC      encoding, submit   text to units
//!   ^              |         |                  pdu                units to octets and back
//!   └──answer──────┴─────────┘                  dlr, parts         receipts to attempts
//!        receipts, link state ──> ear           outcome            status to outcome
//! ```
//!
//! One or two binds stand for as long as [`Adapter::run`] does. A message of several parts is one attempt: the first
//! part goes alone, so that a refusal means that nothing was sent; the others follow together. Accepted when each is;
//! its provider id is the first part's. A later part that is refused leaves the attempt unknown.
//!
//! Limits: [`JOBS_MAX`] submits wait for a place in the window. A submit has no key by which an SMSC could know a
//! repeat, and without an id it cannot be asked for: an attempt without an answer stays unknown, until a late answer
//! or a receipt says more.
//!
//! Invariant: what was not bound, or never left the queue, is `Rejected`; what was written without an answer is
//! `Unknown`.

mod dlr;
mod inbound;
mod link;
mod outcome;
mod parts;
mod pdu;
mod session;
mod settings;
mod submit;

use super::net::Net;
use super::segments::Alphabet;
use super::settings::tls;
use super::{Adapter, Answered, Doing, Ear, Kind, Outgoing};
use crate::core::channel::Channel;
use crate::core::gateway::Receipts;
use crate::core::ids::AttemptId;
use crate::core::outcome::{Outcome, Reason};
use crate::core::time::{Span, Timestamp};
use crate::diag::{Diagnostic, Diagnostics};
use crate::settings::GatewaySettings;
use dlr::Dialect;
use link::{Link, Peer, Standing};
use outcome::VendorCodes;
use parts::{GroupNo, Parts};
use pdu::{Role, SubmitSm};
use session::{Job, Stage};
use settings::{Bind, Writing};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};

/// The kind's row in [`ADAPTERS`](super::ADAPTERS).
pub(super) const KIND: Kind = Kind {
    name: "sms-smpp",
    channel: Channel::Sms,
    receipts: Receipts::Delivered,
    window: WINDOW,
    // Nothing connects for an attempt: the bind stands. What may take longer are the later parts.
    connect_time_out: LATER_PARTS_MAX,
    keys: settings::KEYS,
    probes: include_str!("../../../probes/sms-smpp.toml"),
    build,
};

/// Unanswered submits where the file does not say: what SMSCs commonly allow. Cites: Kannel's default, `max-pending-submits = 10`.
const WINDOW: u32 = 10;
/// The most submits that wait for a place in the window: a window of attempts with some parts each.
const JOBS_MAX: usize = 4_096;
/// How long a throttled later part waits before it is tried again, the first time; then twice as long.
const THROTTLED_PAUSE: Duration = Duration::from_millis(250);
/// The longest time that the later parts may take beyond the first one's. Cites: the issue's longest time-out.
const LATER_PARTS_MAX: Span = Span::from_secs(5);

/// What a gateway's sessions share.
struct Shared {
    gateway: String,
    window: usize,
    dialect: Dialect,
    vendor: VendorCodes,
    parts: Mutex<Parts>,
    standing: Standing,
    /// How what people write is to be read where its alphabet is the SMSC's own.
    alphabet: Alphabet,
}

impl Shared {
    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct SmsSmpp {
    shared: Shared,
    peer: Peer,
    bind: Bind,
    writing: Writing,
    to_link: mpsc::Sender<Job>,
    jobs: tokio::sync::Mutex<mpsc::Receiver<Job>>,
    /// Joins the parts of a message at the handset.
    mark: AtomicU16,
    /// How many attempts are handed over and not answered.
    out: watch::Sender<usize>,
}

/// An attempt that is handed over, until it is answered or given up.
struct Out<'a>(&'a watch::Sender<usize>);

impl Out<'_> {
    fn of(out: &watch::Sender<usize>) -> Out<'_> {
        out.send_modify(|out| *out += 1);
        Out(out)
    }
}

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|out| *out -= 1);
    }
}

fn build(gateway: &mut GatewaySettings, net: &Net, diags: &mut Diagnostics) -> Option<Arc<dyn Adapter>> {
    let settings = settings::read(&mut gateway.rest, diags);
    if gateway.base_url.is_some() {
        let message = format!("{} has a `base_url`, and SMPP is no HTTP", gateway.rest.called());
        diags.push(
            Diagnostic::error("no-base-url", message)
                .at(&gateway.place, "in this gateway")
                .help("name the SMSC by `host` and `port`"),
        );
    }
    let settings = settings?;
    let tls = if settings.encrypted { Some(tls(gateway, diags)?) } else { None };
    let roles: &[Role] = match settings.bind {
        Bind::Transceiver => &[Role::Transceiver],
        Bind::Pair => &[Role::Transmitter, Role::Receiver],
    };
    let shared = Shared {
        gateway: gateway.config.name.clone(),
        window: gateway.config.window as usize,
        dialect: settings.dialect,
        vendor: settings.vendor,
        parts: Mutex::default(),
        standing: Standing::new(roles),
        alphabet: settings.writing.alphabet,
    };
    let peer =
        Peer { net: net.clone(), host: settings.host, port: settings.port, tls, login: settings.login };
    let (to_link, jobs) = mpsc::channel(JOBS_MAX);
    let jobs = tokio::sync::Mutex::new(jobs);
    let (bind, writing) = (settings.bind, settings.writing);
    // A start by the clock: a restart does not join its parts to those of a moment ago.
    let mark = AtomicU16::new(now().ms() as u16);
    let out = watch::Sender::new(0);
    Some(Arc::new(SmsSmpp { shared, peer, bind, writing, to_link, jobs, mark, out }))
}

#[allow(clippy::disallowed_methods, reason = "a message's validity is counted from the wall clock")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A part's way to its answer.
struct Handed {
    answer: oneshot::Receiver<Answered>,
    stage: Stage,
    at: Instant,
}

impl SmsSmpp {
    async fn deliver(&self, outgoing: Outgoing) -> Answered {
        let refused = |reason| Answered { outcome: Outcome::Rejected { reason }, took: Span::ZERO };
        let came = Instant::now();
        if let Some(reason) = self.shared.standing.why_not() {
            return refused(barring(reason));
        }
        let mark = self.mark.fetch_add(1, Ordering::Relaxed);
        let mut units = match submit::submits(&outgoing, &self.writing, mark) {
            Ok(units) => units,
            Err(reason) => return refused(reason),
        };
        let order = &outgoing.order;
        let by = came + order.time_out.to_std();
        // What does not expire has a life beyond any clock's reach.
        let until = came.checked_add(outgoing.left.to_std()).map(Instant::into_std);
        if units.len() > 1 {
            return self.deliver_parts(order.attempt, units, by, order.time_out, until).await;
        }
        match units.pop() {
            Some(unit) => self.hand(order.attempt, unit, None, until).wait(by).await,
            None => refused(Reason::NoText),
        }
    }

    /// Sends the first part alone, then the others together; those that are throttled again.
    async fn deliver_parts(
        &self,
        attempt: AttemptId,
        units: Vec<SubmitSm>,
        by: Instant,
        time_out: Span,
        until: Option<std::time::Instant>,
    ) -> Answered {
        let total = u8::try_from(units.len()).unwrap_or(u8::MAX);
        let group = Open { shared: &self.shared, no: self.shared.parts().open(attempt, total) };
        let mut units = units.into_iter().zip(1u8..);
        let Some((first, number)) = units.next() else {
            return Answered { outcome: Outcome::Rejected { reason: Reason::NoText }, took: Span::ZERO };
        };
        let mut whole = self.hand(attempt, first, Some((group.no, number)), until).wait(by).await;
        match whole.outcome {
            Outcome::Accepted { .. } => {}
            Outcome::Rejected { .. } | Outcome::Deferred { .. } => {
                self.shared.parts().refused(group.no);
                return whole;
            }
            Outcome::Unknown { .. } => return whole,
        }
        let by = by + time_out.min(LATER_PARTS_MAX).to_std();
        let mut pause = THROTTLED_PAUSE;
        let mut left: Vec<_> = units.collect();
        loop {
            let handed: Vec<_> = left
                .into_iter()
                .map(|(unit, number)| {
                    (self.hand(attempt, unit.clone(), Some((group.no, number)), None), unit, number)
                })
                .collect();
            left = Vec::new();
            for (handed, unit, number) in handed {
                let answered = handed.wait(by).await;
                whole.took = whole.took.max(answered.took);
                match answered.outcome {
                    Outcome::Accepted { .. } => {}
                    Outcome::Deferred { reason: Reason::Throttled, .. } if Instant::now() + pause < by => {
                        left.push((unit, number));
                    }
                    // The first part is out: certainly sent it is not, certainly unsent neither.
                    other => {
                        whole.outcome =
                            Outcome::Unknown { reason: other.reason().unwrap_or(Reason::Unreadable) }
                    }
                }
            }
            if left.is_empty() || !matches!(whole.outcome, Outcome::Accepted { .. }) {
                return whole;
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    /// Gives a unit to the link, to be written before `until`.
    fn hand(
        &self,
        attempt: AttemptId,
        submit: SubmitSm,
        part: Option<(GroupNo, u8)>,
        until: Option<std::time::Instant>,
    ) -> Handed {
        let (reply, answer) = oneshot::channel();
        let stage = Stage::default();
        let job = Job { submit, attempt, part, until, stage: stage.clone(), reply };
        if let Err(TrySendError::Full(job) | TrySendError::Closed(job)) = self.to_link.try_send(job) {
            let outcome = Outcome::Rejected { reason: Reason::Busy };
            // Whoever waits is us.
            let _ = job.reply.send(Answered { outcome, took: Span::ZERO });
        }
        Handed { answer, stage, at: Instant::now() }
    }
}

impl Handed {
    async fn wait(mut self, by: Instant) -> Answered {
        let unanswered = match timeout_at(by, &mut self.answer).await {
            Ok(Ok(answered)) => return answered,
            Ok(Err(_dropped)) => (Reason::NotConnected, Reason::ConnectionLost),
            // It may have come just now.
            Err(_elapsed) => match self.answer.try_recv() {
                Ok(answered) => return answered,
                Err(_) => (Reason::Busy, Reason::Timeout),
            },
        };
        if self.stage.withdraw() {
            return Answered { outcome: Outcome::Rejected { reason: unanswered.0 }, took: Span::ZERO };
        }
        let took = Span::from_ms(i64::try_from(self.at.elapsed().as_millis()).unwrap_or(i64::MAX));
        Answered { outcome: Outcome::Unknown { reason: unanswered.1 }, took }
    }
}

/// A message whose parts are on their way; also when whoever sends it is stopped, it closes.
struct Open<'a> {
    shared: &'a Shared,
    no: GroupNo,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.shared.parts().close(self.no);
    }
}

/// Says why nothing can be sent: a refused login is for people to mend, a lack of files is our own, all else is a link
/// that is down.
fn barring(down: Reason) -> Reason {
    match down {
        Reason::Credentials | Reason::Configuration | Reason::Busy => down,
        _ => Reason::NotConnected,
    }
}

impl Adapter for SmsSmpp {
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered> {
        Box::pin(async move {
            let _out = Out::of(&self.out);
            self.deliver(outgoing).await
        })
    }

    fn drained(&self) -> Doing<'_, ()> {
        Box::pin(async {
            // It cannot end before us.
            let _ = self.out.subscribe().wait_for(|out| *out == 0).await;
        })
    }

    fn run<'a>(&'a self, ear: &'a dyn Ear) -> Doing<'a, ()> {
        Box::pin(async move {
            let mut jobs = self.jobs.lock().await;
            let link = |role, jobs| Link { shared: &self.shared, peer: &self.peer, role, jobs, ear };
            match self.bind {
                Bind::Transceiver => link(Role::Transceiver, Some(&mut jobs)).keep().await,
                Bind::Pair => {
                    let sending = link(Role::Transmitter, Some(&mut jobs)).keep();
                    tokio::join!(sending, link(Role::Receiver, None).keep());
                }
            }
        })
    }
}
