//! The handle to a running emulator: what all of them have in common.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::desk::Desk;
use super::fault::{AcceptFault, Fault, Refusal};
use super::received::Received;
use super::tls::Identity;

/// Messages kept for [`Handle::received`] unless told otherwise: a demo's whole stream, some MiB.
pub const RECEIVED_MAX: usize = 20_000;

/// What every emulator is started with.
#[derive(Clone, Debug)]
pub struct Common {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// The seed of everything that is drawn.
    pub seed: u64,
    /// How many received messages are kept; the oldest goes first.
    pub keep: usize,
    /// Serves TLS with this identity; plain without one.
    pub tls: Option<Identity>,
}

impl Default for Common {
    fn default() -> Self {
        Self { addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), seed: 1, keep: RECEIVED_MAX, tls: None }
    }
}

/// A provider that is emulated: its state beyond what all share, and its way to say no.
pub trait Provider: Send + Sync + 'static {
    /// The provider's refusals.
    type Refusal: Refusal;

    /// Brings what was parked; most providers park nothing.
    fn release(&self) {}
}

/// A handle to a running emulator. Clones are the same emulator, which stops when the last of them
/// goes, or by [`Handle::stop`].
#[derive(Debug)]
pub struct Handle<P: Provider> {
    addr: SocketAddr,
    pub(crate) desk: Arc<Desk<P::Refusal>>,
    pub(crate) provider: Arc<P>,
    guard: Arc<Guard<P::Refusal>>,
}

impl<P: Provider> Clone for Handle<P> {
    fn clone(&self) -> Self {
        Self {
            addr: self.addr,
            desk: Arc::clone(&self.desk),
            provider: Arc::clone(&self.provider),
            guard: Arc::clone(&self.guard),
        }
    }
}

/// Stops the emulator when the last handle goes.
#[derive(Debug)]
struct Guard<R: Refusal>(Arc<Desk<R>>);

impl<R: Refusal> Drop for Guard<R> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl<P: Provider> Handle<P> {
    pub(crate) fn new(addr: SocketAddr, desk: Arc<Desk<P::Refusal>>, provider: Arc<P>) -> Self {
        Self { addr, guard: Arc::new(Guard(Arc::clone(&desk))), desk, provider }
    }

    /// Returns the address it listens on.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Orders a fault for one layer, in place of that layer's last one.
    pub fn fault(&self, fault: Fault<P::Refusal>) {
        self.desk.fault(fault);
    }

    /// Orders a fault for the next message only; several form a queue. Returns false where the
    /// queue is full.
    pub fn fault_next(&self, fault: AcceptFault<P::Refusal>) -> bool {
        self.desk.fault_next(fault)
    }

    /// Refuses every message to `recipient` with `refusal`, or no more with `None`. Returns false
    /// where too many recipients have one.
    pub fn refuse_recipient(&self, recipient: &str, refusal: Option<P::Refusal>) -> bool {
        self.desk.recipient(recipient, refusal)
    }

    /// Ends every fault of every layer and brings what was parked.
    pub fn clear(&self) {
        self.desk.clear();
        self.provider.release();
    }

    /// Brings what was parked by [`super::DeliverFault::Hold`].
    pub fn release(&self) {
        self.provider.release();
    }

    /// Resets every open connection.
    pub fn cut(&self) {
        self.desk.cut();
    }

    /// Returns the last messages taken, oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.desk.received()
    }

    /// Forgets the messages kept; the counters go on.
    pub fn forget(&self) {
        self.desk.forget();
    }

    /// Returns how many messages were taken since the start, whether or not the sender was told.
    #[must_use]
    pub fn accepted_count(&self) -> u64 {
        self.desk.accepted_count()
    }

    /// Returns how many requests came, of any kind.
    #[must_use]
    pub fn requests_count(&self) -> u64 {
        self.desk.requests_count()
    }

    /// Returns how many connections were accepted.
    #[must_use]
    pub fn connections_count(&self) -> u64 {
        self.desk.connections_count()
    }

    /// Stops the emulator, cuts its connections, and waits until the port is free.
    pub async fn stop(&self) {
        self.desk.stop();
        self.desk.gate.closed().await;
    }
}

/// Turns a library's error into one of I/O, keeping its text.
pub(crate) fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}
