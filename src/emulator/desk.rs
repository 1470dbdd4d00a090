//! What every emulator keeps: the faults in force, what was received, the gate of its listener.
//!
//! Invariant: no lock is held across an await, and no lock is taken while another is held.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use super::fault::{
    AcceptFault, AnswerFault, DeliverFault, Dice, Fault, Mix, Rate, ReceiptFault, TcpFault, TlsFault,
};
use super::received::{Received, Ring};

/// Single faults queued by `fault_next`: a test orders a handful.
const NEXT_MAX: usize = 10_000;

/// Recipients with an answer of their own: a scenario has some thousands.
const RECIPIENTS_MAX: usize = 200_000;

/// Locks, and goes on after a panic elsewhere: every value here is whole between statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the listener does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Accepts.
    Open,
    /// Holds the port without listening.
    Refuse,
    /// Listens with a full backlog, so that connecting times out.
    Silent,
    /// Ends, with all connections.
    Stopped,
}

/// The listener's mode, and how often open connections were to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) mode: Mode,
    pub(crate) cuts: u64,
}

/// What comes of a message, decided when it arrives.
pub(crate) enum Verdict<R> {
    /// Take it and say so.
    Take,
    /// Do this instead.
    Fault(AcceptFault<R>),
}

/// What becomes of a message that was taken.
pub(crate) struct Fate<R> {
    pub(crate) deliver: Option<DeliverFault<R>>,
    pub(crate) deliver_after: Duration,
    pub(crate) receipt: Option<ReceiptFault>,
    pub(crate) receipt_after: Duration,
}

impl<R> Fate<R> {
    /// Says whether the news of the message is parked, with the message or without it.
    pub(crate) const fn is_held(&self) -> bool {
        matches!(self.deliver, Some(DeliverFault::Hold)) || matches!(self.receipt, Some(ReceiptFault::Held))
    }
}

#[derive(Debug)]
struct Layers<R> {
    tcp: Mix<TcpFault>,
    tls: Mix<TlsFault>,
    answer: Mix<AnswerFault>,
    check: Mix<AnswerFault>,
    accept: Mix<AcceptFault<R>>,
    deliver: Mix<DeliverFault<R>>,
    receipt: Mix<ReceiptFault>,
    admit: Option<Bucket>,
    serve: Option<Server>,
    next: VecDeque<AcceptFault<R>>,
    recipients: BTreeMap<String, R>,
}

impl<R> Default for Layers<R> {
    fn default() -> Self {
        Self {
            tcp: Mix::good(),
            tls: Mix::good(),
            answer: Mix::good(),
            check: Mix::good(),
            accept: Mix::good(),
            deliver: Mix::good(),
            receipt: Mix::good(),
            admit: None,
            serve: None,
            next: VecDeque::new(),
            recipients: BTreeMap::new(),
        }
    }
}

/// The state that an emulator's tasks and handles share.
#[derive(Debug)]
pub(crate) struct Desk<R> {
    pub(crate) dice: Dice,
    /// Where ids come from: unlike the faults they must differ from one run to the next.
    ids: Dice,
    pub(crate) gate: watch::Sender<Gate>,
    layers: Mutex<Layers<R>>,
    ring: Mutex<Ring>,
    taken: AtomicU64,
    requests: AtomicU64,
    connections: AtomicU64,
}

impl<R: Clone> Desk<R> {
    pub(crate) fn new(seed: u64, keep: usize) -> Self {
        let gate = Gate { mode: Mode::Open, cuts: 0 };
        Self {
            dice: Dice::new(seed),
            ids: Dice::new(seed ^ run_mark()),
            gate: watch::Sender::new(gate),
            layers: Mutex::new(Layers::default()),
            ring: Mutex::new(Ring::new(keep)),
            taken: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    pub(crate) fn fault(&self, fault: Fault<R>) {
        let mut layers = lock(&self.layers);
        match fault {
            Fault::Tcp(mix) => {
                let certain = mix.certain().copied();
                layers.tcp = mix;
                drop(layers);
                self.turn_gate(certain);
            }
            Fault::Tls(mix) => layers.tls = mix,
            Fault::Answer(mix) => layers.answer = mix,
            Fault::Check(mix) => layers.check = mix,
            Fault::Accept(mix) => layers.accept = mix,
            Fault::Deliver(mix) => layers.deliver = mix,
            Fault::Receipt(mix) => layers.receipt = mix,
            Fault::Admit(rate) => layers.admit = rate.map(Bucket::new),
            Fault::Serve(per_s) => layers.serve = per_s.map(Server::new),
        }
    }

    /// Ends every fault, single ones and those of recipients included.
    pub(crate) fn clear(&self) {
        *lock(&self.layers) = Layers::default();
        self.turn_gate(None);
    }

    pub(crate) fn fault_next(&self, fault: AcceptFault<R>) -> bool {
        let next = &mut lock(&self.layers).next;
        if next.len() >= NEXT_MAX {
            return false;
        }
        next.push_back(fault);
        true
    }

    pub(crate) fn recipient(&self, recipient: &str, refusal: Option<R>) -> bool {
        let recipients = &mut lock(&self.layers).recipients;
        match refusal {
            Some(_) if recipients.len() >= RECIPIENTS_MAX => return false,
            Some(refusal) => drop(recipients.insert(recipient.to_owned(), refusal)),
            None => drop(recipients.remove(recipient)),
        }
        true
    }

    /// Returns the answer that is ordered for a recipient, where there is one.
    pub(crate) fn refusal_of(&self, recipient: &str) -> Option<R> {
        lock(&self.layers).recipients.get(recipient).cloned()
    }

    /// Resets every open connection.
    pub(crate) fn cut(&self) {
        self.gate.send_modify(|gate| gate.cuts += 1);
    }

    pub(crate) fn stop(&self) {
        self.gate.send_modify(|gate| gate.mode = Mode::Stopped);
    }

    fn turn_gate(&self, certain: Option<TcpFault>) {
        self.gate.send_modify(|gate| {
            if gate.mode == Mode::Stopped {
                return;
            }
            gate.mode = match certain {
                Some(TcpFault::Refuse) => Mode::Refuse,
                Some(TcpFault::Hang) => Mode::Silent,
                Some(TcpFault::Reset) | None => Mode::Open,
            };
            if matches!(certain, Some(TcpFault::Refuse | TcpFault::Reset)) {
                gate.cuts += 1;
            }
        });
    }

    pub(crate) fn draw_tcp(&self) -> (Option<TcpFault>, Duration) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        lock(&self.layers).tcp.draw(&self.dice)
    }

    pub(crate) fn draw_tls(&self) -> (Option<TlsFault>, Duration) {
        lock(&self.layers).tls.draw(&self.dice)
    }

    pub(crate) fn draw_answer(&self) -> (Option<AnswerFault>, Duration) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        lock(&self.layers).answer.draw(&self.dice)
    }

    /// Draws for a request of which it is known whether it only looks.
    pub(crate) fn draw_request(&self, only_looks: bool) -> (Option<AnswerFault>, Duration) {
        let (fault, delay) = self.draw_answer();
        if !only_looks {
            return (fault, delay);
        }
        let (check, slow) = lock(&self.layers).check.draw(&self.dice);
        (fault.or(check), delay + slow)
    }

    /// Decides on a message to `recipient`: the order of the next single fault, then the rate, then
    /// the layer's mix, then the recipient's own answer. The time is how long deciding takes.
    pub(crate) fn judge(&self, recipient: &str) -> (Verdict<R>, Duration) {
        let layers = &mut *lock(&self.layers);
        if let Some(fault) = layers.next.pop_front() {
            return (Verdict::Fault(fault), Duration::ZERO);
        }
        if let Some(bucket) = &mut layers.admit
            && let Err(retry_after_s) = bucket.take()
        {
            let fault = AcceptFault::Throttle { retry_after_s };
            return (Verdict::Fault(fault), Duration::ZERO);
        }
        let (fault, delay) = layers.accept.draw(&self.dice);
        let fault = fault.or_else(|| {
            let refusal = layers.recipients.get(recipient).cloned();
            refusal.map(AcceptFault::Reject)
        });
        (fault.map_or(Verdict::Take, Verdict::Fault), delay)
    }

    /// Decides what becomes of a message that was taken just now.
    pub(crate) fn fate(&self) -> Fate<R> {
        let layers = &mut *lock(&self.layers);
        let queue = layers.serve.as_mut().map_or(Duration::ZERO, Server::queue);
        let (deliver, brought_after) = layers.deliver.draw(&self.dice);
        let (receipt, receipt_after) = layers.receipt.draw(&self.dice);
        Fate { deliver, deliver_after: queue + brought_after, receipt, receipt_after }
    }

    /// Keeps a message that was taken, numbering and timing it.
    pub(crate) fn keep(&self, mut message: Received) {
        message.number = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
        message.at = SystemTime::now();
        lock(&self.ring).push(message);
    }

    /// Returns an id that no other message of this or another run has, but by the rarest chance.
    pub(crate) fn fresh_id(&self) -> u64 {
        self.ids.bits()
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        lock(&self.ring).all()
    }

    pub(crate) fn forget(&self) {
        lock(&self.ring).forget();
    }

    pub(crate) fn accepted_count(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(crate) fn requests_count(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn connections_count(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Returns the seconds since 1970.
pub(crate) fn unix_s() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Returns what tells this run from others.
fn run_mark() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.unwrap_or_default();
    since.as_secs().rotate_left(32) ^ u64::from(since.subsec_nanos())
}

/// A token bucket on the emulator's own clock.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, tokens: rate.burst, at: Instant::now() }
    }

    /// Takes a token, or returns the whole seconds until there is one.
    pub(crate) fn take(&mut self) -> Result<(), u32> {
        let now = Instant::now();
        let earned = now.duration_since(self.at).as_secs_f64() * self.rate.per_s;
        self.at = now;
        self.tokens = (self.tokens + earned).min(self.rate.burst);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let wait_s = ((1.0 - self.tokens) / self.rate.per_s).ceil();
        // A float cast saturates, which is what a rate of nothing should give.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Err((wait_s as u32).max(1))
    }
}

/// A server that brings one message after the other.
#[derive(Debug)]
struct Server {
    each: Duration,
    busy_until: Instant,
}

impl Server {
    fn new(per_s: f64) -> Self {
        Self {
            each: Duration::try_from_secs_f64(1.0 / per_s).unwrap_or_default(),
            busy_until: Instant::now(),
        }
    }

    /// Joins the queue and returns how long it takes until the message's turn.
    fn queue(&mut self) -> Duration {
        let now = Instant::now();
        let start = self.busy_until.max(now);
        self.busy_until = start + self.each;
        start - now
    }
}
