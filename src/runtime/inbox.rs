//! The one way into the core: a bounded queue from every task to the core's thread.
//!
//! Whoever brings something new (a caller, a receipt stream) waits for room; answers to what the core itself
//! ordered are bounded by the windows and never wait, so that a full queue cannot stall what would empty it.
//!
//! Invariant: what was put in is taken out once, in order.

use crate::api::service::Change;
use crate::core::Core;
use crate::core::audit::Audit;
use crate::core::input::Input;
use crate::core::message::{SERVICE, Severity, Status};
use crate::core::policy::Policy;
use crate::core::time::Timestamp;
use crate::runtime::gateways::Lineup;
use crate::runtime::writer::Waiter;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// How many inputs may wait for the core. A turn takes up to [`super::turn::INPUTS_MAX`]; eight turns' worth keeps
/// the core busy over one slow commit.
pub(crate) const INBOX_MAX: usize = 4096;

/// Something for the core's thread.
pub(crate) enum Incoming {
    /// For the core.
    Input(Input),
    /// A change that is not the core's: it goes with the turn to the writer.
    Change {
        /// Who asked.
        who: String,
        /// What is to be written.
        change: Change,
        /// Told once it is on disk.
        waiter: Waiter,
    },
    /// An act of the service itself.
    Note(Noted),
    /// Told once everything that came before is on disk.
    Barrier(oneshot::Sender<()>),
    /// The files as they are now, their adapters built.
    Lineup(Box<Files>, oneshot::Sender<()>),
    /// Copy what is known of the gateways, to forecast a message of this severity and status; with how many are ahead of it.
    Copy(Severity, Status, oneshot::Sender<(Box<Core>, u64)>),
    /// Offer nothing more to any gateway: the service is about to stop.
    Rest,
    /// Make what is left durable and end.
    Stop,
}

/// An act of the service itself, for the audit record.
pub(crate) struct Noted {
    /// The act.
    pub(crate) act: &'static str,
    /// On what.
    pub(crate) on: String,
    /// Why.
    pub(crate) reason: String,
}

/// What changed in the files; it comes into force in one turn.
pub(crate) struct Files {
    /// The gateways as configured now, where they are others.
    pub(crate) lineup: Option<Lineup>,
    /// The policy, where it is another.
    pub(crate) policy: Option<Arc<Policy>>,
}

/// The core is gone: the service has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// The senders' end.
#[derive(Clone)]
pub(crate) struct Inbox {
    queue: Sender<Queued>,
    room: Arc<Semaphore>,
}

/// The core's end.
pub(crate) struct Outlet {
    queue: Receiver<Queued>,
    room: Arc<Semaphore>,
}

struct Queued {
    incoming: Incoming,
    /// How many permits it holds.
    holds: usize,
}

/// Builds the queue.
pub(crate) fn inbox() -> (Inbox, Outlet) {
    let (sender, receiver) = channel();
    let room = Arc::new(Semaphore::new(INBOX_MAX));
    (Inbox { queue: sender, room: Arc::clone(&room) }, Outlet { queue: receiver, room })
}

impl Noted {
    /// Returns it as it is kept.
    pub(crate) fn at(self, at: Timestamp) -> Audit {
        let Noted { act, on, reason } = self;
        Audit { at, who: SERVICE.into(), act: act.into(), on, reason }
    }
}

impl Inbox {
    /// Puts something in; waits while the queue is full.
    pub(crate) async fn put(&self, incoming: Incoming) -> Result<(), Gone> {
        self.room.acquire().await.map_err(|_| Gone)?.forget();
        self.queue.send(Queued { incoming, holds: 1 }).map_err(|_| Gone)
    }

    /// Puts in an answer to what the core ordered, or a word of the runtime's own: never waits.
    pub(crate) fn put_now(&self, incoming: Incoming) -> Result<(), Gone> {
        self.queue.send(Queued { incoming, holds: 0 }).map_err(|_| Gone)
    }

    /// Says whether the core has ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.room.is_closed()
    }
}

impl Outlet {
    /// Takes the next, waiting at most this long.
    pub(crate) fn take(&self, within: Duration) -> Result<Option<Incoming>, Gone> {
        match self.queue.recv_timeout(within) {
            Ok(queued) => Ok(Some(self.free(queued))),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Gone),
        }
    }

    /// Returns `first` and what is there after it, `most` in all; what is beyond stays in the queue.
    pub(crate) fn batch(&self, first: Option<Incoming>, most: usize) -> impl Iterator<Item = Incoming> {
        let more = first.is_some();
        let rest = std::iter::from_fn(move || if more { self.take_now() } else { None });
        first.into_iter().chain(rest).take(most)
    }

    /// Takes the next if it is there.
    fn take_now(&self) -> Option<Incoming> {
        match self.queue.try_recv() {
            Ok(queued) => Some(self.free(queued)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }

    fn free(&self, queued: Queued) -> Incoming {
        self.room.add_permits(queued.holds);
        queued.incoming
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Span;

    #[test]
    fn a_batch_leaves_what_is_beyond_it_in_the_queue() {
        let (inbox, outlet) = inbox();
        for by in 0..7 {
            let input = Input::ClockJumped { by: Span::from_ms(by) };
            inbox.put_now(Incoming::Input(input)).unwrap();
        }
        let mut seen = Vec::new();
        for most in [3, 3, 3] {
            let first = outlet.take(Duration::ZERO).unwrap();
            let batch: Vec<_> = outlet.batch(first, most).collect();
            seen.push(batch.len());
        }
        assert_eq!(seen, [3, 3, 1], "each input is taken out once");
    }
}
