//! Callers who wait for the core's reply.

use crate::core::effect::Reply;
use crate::core::input::Ticket;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Every ticket for which somebody waits: their number is bounded by the connections of the listener.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    last: AtomicU64,
    waiting: Mutex<BTreeMap<u64, oneshot::Sender<Reply>>>,
}

/// A ticket that was given. Whoever drops it does not wait any more.
pub(crate) struct Given {
    pub(crate) ticket: Ticket,
    /// Where the reply comes.
    pub(crate) reply: oneshot::Receiver<Reply>,
    tickets: Arc<Tickets>,
}

impl Drop for Given {
    fn drop(&mut self) {
        self.tickets.forget(self.ticket);
    }
}

impl Tickets {
    /// Gives a ticket and the place where its reply will come.
    pub(crate) fn give(self: &Arc<Self>) -> Given {
        let number = self.last.fetch_add(1, Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(number, sender);
        Given { ticket: Ticket(number), reply: receiver, tickets: Arc::clone(self) }
    }

    /// Forgets a ticket for which nobody waits.
    fn forget(&self, ticket: Ticket) {
        self.lock().remove(&ticket.0);
    }

    /// Answers a caller; one who has gone is not waited for.
    pub(crate) fn answer(&self, ticket: Ticket, reply: Reply) {
        if let Some(caller) = self.lock().remove(&ticket.0) {
            let _ = caller.send(reply);
        }
    }

    /// Lets every caller go without a reply: the service has stopped.
    pub(crate) fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Reply>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
