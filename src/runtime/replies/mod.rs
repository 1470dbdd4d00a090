//! What recipients say, on its way to the core: what it answers is found here ([`find`]), where addresses are known.
//!
//! A quote or a pressed button names its attempt. Anything else answers the newest message that went to the sender on that
//! channel within [`REPLIES_WITHIN`], a bare digit the newest that asked for it. What answers nothing known is kept all the
//! same, and so is what cannot be looked up because a row on disk is damaged.
//!
//! Limits: [`WAITING_MAX`] calls wait, [`QUEUED_MAX`] replies are in hand, [`TAKEN_MAX`] are taken at once, every [`PAUSE`]
//! at most: each look at the store brings to its tables what is on the way there, which a mass alert should not pay for
//! once a reply.
//!
//! What one sender writes beyond what [`queue`] takes of one is dropped: told in the log, without the address, and on record,
//! at once and then every [`TELL_EVERY`] with a count.
//!
//! Invariant: a reply is taken once it is on disk, and of one person one at a time: the second is read knowing the first.
//! Who writes much waits for that alone, and nobody else does.

mod addressed;
mod again;
mod find;
mod queue;
mod silence;

pub(crate) use again::raised;
pub(crate) use silence::{Silence, address_digest};

use self::addressed::Addressed;
use self::find::{Found, Heard, look_up};
use self::queue::Queue;
use crate::core::channel::GatewayId;
use crate::core::input::Input;
use crate::core::reply::Reply;
use crate::core::time::{Span, Timestamp};
use crate::runtime::clock::Clock;
use crate::runtime::gateways::Gateways;
use crate::runtime::inbox::{Inbox, Incoming, Noted};
use crate::runtime::reads::Reads;
use crate::store::outbox::Reader;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// For how long a message is answered by whoever got it and quotes nothing. Cites: WhatsApp lets a business answer within a
/// day; who was without power for two answers on the third.
pub(crate) const REPLIES_WITHIN: Span = Span::from_hours(72);
/// How many calls with replies wait to be taken; who brings another waits with it, and a provider brings it again.
const WAITING_MAX: usize = 256;
/// With how many replies in hand no further call is taken up: of one who writes without end, some minutes' worth.
const QUEUED_MAX: usize = 5_000;
/// How many replies are looked up and written together.
const TAKEN_MAX: usize = 500;
/// The least time between two looks at the store.
const PAUSE: Duration = Duration::from_millis(50);
/// The least time between two words about dropped replies: a flood of them would be one of acts on record.
const TELL_EVERY: Span = Span::from_secs(60);
/// How long to wait for a store that cannot be read before trying again.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// The way in for replies.
#[derive(Clone)]
pub(crate) struct Replies {
    queue: mpsc::Sender<Brought>,
}

/// Replies that came together, and who waits until they are on disk.
struct Brought {
    replies: Vec<(GatewayId, Reply)>,
    told: oneshot::Sender<()>,
}

/// Finds out what replies answer.
struct Desk {
    reads: Reads,
    inbox: Inbox,
    gateways: Arc<Gateways>,
    clock: Arc<Clock>,
    addressed: Arc<Mutex<Addressed>>,
}

impl Replies {
    /// Starts taking replies. The task reads the store, so a stop must end it.
    pub(crate) fn start(
        reads: Reads,
        inbox: Inbox,
        gateways: Arc<Gateways>,
        clock: Arc<Clock>,
        tasks: &Handle,
    ) -> (Replies, JoinHandle<()>) {
        let (queue, brought) = mpsc::channel(WAITING_MAX);
        let desk = Desk { reads, inbox, gateways, clock, addressed: Arc::default() };
        let desk = tasks.spawn(desk.run(brought));
        (Replies { queue }, desk)
    }

    /// Builds one that takes none.
    #[cfg(test)]
    pub(crate) fn deaf() -> Replies {
        Replies { queue: mpsc::channel(1).0 }
    }

    /// Takes replies; returns once they are on disk. Where the service stops first, none of them counts as taken.
    pub(crate) async fn take(&self, replies: Vec<(GatewayId, Reply)>) -> Result<(), RecvError> {
        let (told, durable) = oneshot::channel();
        // Where nobody takes it any more, `told` is dropped with it.
        let _ = self.queue.send(Brought { replies, told }).await;
        durable.await
    }
}

impl Desk {
    async fn run(self, mut brought: mpsc::Receiver<Brought>) {
        let (mut queue, mut told_at) = (Queue::default(), None);
        loop {
            if queue.is_empty() {
                // What is left to tell of a flood that is over does not wait for the next reply.
                let patience = if queue.has_dropped() { TELL_EVERY.to_std() } else { Duration::MAX };
                match tokio::time::timeout(patience, brought.recv()).await {
                    Ok(Some(first)) => self.admit(&mut queue, first),
                    Ok(None) => return,
                    Err(_) => {}
                }
            }
            while queue.len() < QUEUED_MAX
                && let Ok(next) = brought.try_recv()
            {
                self.admit(&mut queue, next);
            }
            self.tell_of_dropped(&mut queue, &mut told_at);
            if self.put_some(&mut queue).await.is_err() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn admit(&self, queue: &mut Queue, Brought { replies, told }: Brought) {
        let heard = replies.into_iter().filter_map(|(gateway, reply)| self.heard(gateway, reply));
        queue.admit(heard.collect(), told);
    }

    fn tell_of_dropped(&self, queue: &mut Queue, told_at: &mut Option<Timestamp>) {
        let now = self.clock.now();
        let is_early = told_at.is_some_and(|told: Timestamp| told + TELL_EVERY > now);
        if !queue.has_dropped() || is_early {
            return;
        }
        *told_at = Some(now);
        for (gateway, count) in queue.take_dropped() {
            tracing::warn!(
                gateway,
                count,
                "replies were dropped: somebody sends more than is taken of one sender; calls for help were taken"
            );
            let reason = format!("{count} replies, beyond what is taken of one sender");
            let noted = Noted { act: "drop_replies", on: gateway, reason };
            // Where the core is gone, so is the record.
            let _ = self.inbox.put_now(Incoming::Note(noted));
        }
    }

    fn heard(&self, gateway: GatewayId, reply: Reply) -> Option<Heard> {
        let known = self.gateways.get(gateway)?;
        Some(Heard { gateway, name: known.config.name.clone(), channel: known.config.channel, reply })
    }

    /// Looks up as many as may be taken together, hands them to the core, and waits for the disk.
    async fn put_some(&self, queue: &mut Queue) -> Result<(), RecvError> {
        let (places, heard) = queue.next(TAKEN_MAX);
        let found = self.look_up(heard).await;
        let mut taken = Vec::new();
        for (place, found) in places.into_iter().zip(found) {
            match found {
                Found::Later => continue,
                Found::Known => {}
                // Where the core is gone, the barrier is dropped with it.
                Found::Spoken(spoken) => drop(self.inbox.put(Incoming::Input(Input::Reply(spoken))).await),
            }
            taken.push(place);
        }
        let (told, durable) = oneshot::channel();
        let _ = self.inbox.put_now(Incoming::Barrier(told));
        durable.await?;
        queue.done(&taken);
        Ok(())
    }

    /// Returns what is known of each of these.
    async fn look_up(&self, heard: Vec<Heard>) -> Vec<Found> {
        let since = self.clock.now() - REPLIES_WITHIN;
        loop {
            let (heard, addressed) = (heard.clone(), Arc::clone(&self.addressed));
            let look = move |reader: &dyn Reader| {
                // Only this desk looks into it, one look at a time; a panic of an earlier one left it usable.
                let mut addressed = addressed.lock().unwrap_or_else(PoisonError::into_inner);
                // A quote may name nothing that is known: then it is found by address as well.
                if heard.iter().any(|heard| heard.pressed().is_none()) {
                    addressed.refresh(reader, since)?;
                }
                look_up(reader, &addressed, &heard)
            };
            match self.reads.run(look).await {
                Ok(found) => return found,
                Err(trouble) => {
                    tracing::warn!(%trouble, "what a reply answers cannot be looked up; trying again")
                }
            }
            tokio::time::sleep(READ_AGAIN).await;
        }
    }
}
