//! What recipients say, on its way to the core: what it answers is found here, where addresses are known.
//!
//! A quote or a pressed button names its attempt. Anything else answers the newest message that went to the sender on that
//! channel within [`REPLIES_WITHIN`]. What answers nothing known is kept all the same.
//!
//! Limits: [`WAITING_MAX`] calls wait, [`TAKEN_MAX`] replies are taken at once, every [`PAUSE`] at most: each look at the
//! store brings to its tables what is on the way there, which a mass alert should not pay for once a reply.
//!
//! Invariant: a reply is taken once it is on disk, and of one person one at a time: the second is read knowing the first.

mod addressed;
mod silence;

pub(crate) use silence::{Silence, address_digest};

use crate::core::channel::{Channel, GatewayId};
use crate::core::ids::{AttemptId, DeliveryId};
use crate::core::input::{Answered, Input, Spoken};
use crate::core::outcome::{Outcome, ReceiptRef};
use crate::core::query::{Answer, DeliveryStory, Query};
use crate::core::reading;
use crate::core::reply::{Reply, Said};
use crate::core::time::Span;
use crate::runtime::clock::Clock;
use crate::runtime::gateways::Gateways;
use crate::runtime::inbox::{Inbox, Incoming};
use crate::runtime::reads::Reads;
use crate::store::outbox::{Asking, ReadError, Reader};
use addressed::Addressed;
use std::collections::{BTreeSet, VecDeque};
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
/// How many replies are looked up and written together.
const TAKEN_MAX: usize = 500;
/// The least time between two looks at the store.
const PAUSE: Duration = Duration::from_millis(50);
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

/// A reply, and what must be known to look it up.
#[derive(Clone)]
struct Heard {
    gateway: GatewayId,
    name: String,
    channel: Channel,
    reply: Reply,
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
        while let Some(first) = brought.recv().await {
            let (mut heard, mut told) = (VecDeque::new(), Vec::new());
            let mut next = Some(first);
            while let Some(Brought { replies, told: waits }) = next {
                heard.extend(replies.into_iter().filter_map(|(gateway, reply)| self.heard(gateway, reply)));
                told.push(waits);
                next = if heard.len() < TAKEN_MAX { brought.try_recv().ok() } else { None };
            }
            while !heard.is_empty() {
                if self.put_some(&mut heard).await.is_err() {
                    return;
                }
                if !heard.is_empty() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            for waits in told {
                // Whoever waited may have gone; what was said is on disk all the same.
                let _ = waits.send(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn heard(&self, gateway: GatewayId, reply: Reply) -> Option<Heard> {
        let known = self.gateways.get(gateway)?;
        Some(Heard { gateway, name: known.config.name.clone(), channel: known.config.channel, reply })
    }

    /// Looks up as many as may be taken together, hands them to the core, and waits for the disk.
    async fn put_some(&self, heard: &mut VecDeque<Heard>) -> Result<(), RecvError> {
        let some: Vec<Heard> = heard.iter().take(TAKEN_MAX).cloned().collect();
        let spoken = self.look_up(some).await;
        heard.drain(..spoken.len());
        for spoken in spoken.into_iter().flatten() {
            // Where the core is gone, the barrier is dropped with it.
            let _ = self.inbox.put(Incoming::Input(Input::Reply(Box::new(spoken)))).await;
        }
        let (told, durable) = oneshot::channel();
        let _ = self.inbox.put_now(Incoming::Barrier(told));
        durable.await
    }

    /// Returns what is known of the first of these, one at least; `None` in place of what was taken before.
    async fn look_up(&self, heard: Vec<Heard>) -> Vec<Option<Spoken>> {
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
                look_up(reader, &addressed, heard)
            };
            match self.reads.run(look).await {
                Ok(spoken) => return spoken,
                Err(trouble) => {
                    tracing::warn!(%trouble, "what a reply answers cannot be looked up; trying again")
                }
            }
            tokio::time::sleep(READ_AGAIN).await;
        }
    }
}

impl Heard {
    fn pressed(&self) -> Option<AttemptId> {
        match &self.reply.said {
            Said::Button(back) => reading::of_button(back).map(|(attempt, _)| attempt),
            Said::Text(_) | Said::Other => None,
        }
    }
}

fn look_up(
    reader: &dyn Reader,
    addressed: &Addressed,
    heard: Vec<Heard>,
) -> Result<Vec<Option<Spoken>>, ReadError> {
    let mut spoken = Vec::new();
    let mut failed = None;
    reader.answers(&mut |ask| match look_up_by(ask, addressed, &heard) {
        Ok(found) => spoken = found,
        Err(error) => failed = Some(error),
    })?;
    failed.map_or(Ok(spoken), Err)
}

fn look_up_by(
    ask: Asking<'_>,
    addressed: &Addressed,
    heard: &[Heard],
) -> Result<Vec<Option<Spoken>>, ReadError> {
    let (mut spoken, mut ids, mut people) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for heard in heard {
        let (gateway, id) = (heard.name.clone(), heard.reply.id.clone());
        let is_known = !ids.insert((gateway.clone(), id.clone()))
            || !matches!(ask(&Query::ReplyOf { gateway, id })?, Answer::Nothing);
        if is_known {
            spoken.push(None);
            continue;
        }
        let of = match quoted(ask, heard)? {
            Some(of) => Some(of),
            None => by_address(ask, addressed, heard)?,
        };
        if of.as_ref().is_some_and(|of| !people.insert(of.attempt.delivery)) {
            break;
        }
        let sender = address_digest(heard.channel, &heard.reply.from);
        spoken.push(Some(Spoken { gateway: heard.gateway, reply: heard.reply.clone(), sender, of }));
    }
    Ok(spoken)
}

/// Finds what a reply names: by the attempt on its button, else by the provider's id of what it quotes.
fn quoted(ask: Asking<'_>, heard: &Heard) -> Result<Option<Answered>, ReadError> {
    let (provider, ours) = match &heard.reply.of {
        Some(ReceiptRef::Provider(id)) => (Some(id), None),
        Some(ReceiptRef::Attempt(attempt)) => (None, Some(*attempt)),
        Some(ReceiptRef::Both(id, attempt)) => (Some(id), Some(*attempt)),
        None => (None, None),
    };
    let mut attempt = heard.pressed().or(ours);
    if let (None, Some(id)) = (attempt, provider) {
        let (gateway, id) = (heard.name.clone(), id.clone());
        if let Answer::Attempt(found) = ask(&Query::AttemptOf { gateway, id })? {
            attempt = Some(found);
        }
    }
    let Some(attempt) = attempt else { return Ok(None) };
    let Some(story) = story(ask, attempt.delivery)? else { return Ok(None) };
    // Another channel's button is nobody's to press here.
    let is_of = |made: &&crate::core::record::Attempt| made.id == attempt && made.channel == heard.channel;
    match story.attempts.iter().find(is_of).map(|made| made.id) {
        Some(attempt) => answered(ask, story, attempt, true),
        None => Ok(None),
    }
}

/// Finds the newest message that may have reached the sender on this channel.
fn by_address(ask: Asking<'_>, addressed: &Addressed, heard: &Heard) -> Result<Option<Answered>, ReadError> {
    for delivery in addressed.find(heard.channel, &heard.reply.from) {
        let Some(story) = story(ask, delivery)? else { continue };
        if story.recipient.addresses.get(&heard.channel) != Some(&heard.reply.from) {
            continue;
        }
        let may_have_gone =
            |outcome: &Outcome| matches!(outcome, Outcome::Accepted { .. } | Outcome::Unknown { .. });
        let gone = story.attempts.iter().rev().find(|attempt| {
            let is_out = attempt.outcome.as_ref().is_none_or(|(outcome, _)| may_have_gone(outcome));
            attempt.channel == heard.channel && is_out
        });
        if let Some(attempt) = gone.map(|attempt| attempt.id) {
            return answered(ask, story, attempt, false);
        }
    }
    Ok(None)
}

fn story(ask: Asking<'_>, delivery: DeliveryId) -> Result<Option<DeliveryStory>, ReadError> {
    match ask(&Query::Delivery(delivery))? {
        Answer::Deliveries(stories) => Ok(stories.into_iter().next()),
        _ => Ok(None),
    }
}

fn answered(
    ask: Asking<'_>,
    story: DeliveryStory,
    attempt: AttemptId,
    quoted: bool,
) -> Result<Option<Answered>, ReadError> {
    let Answer::Message(message, progress) = ask(&Query::Message(attempt.delivery.message))? else {
        return Ok(None);
    };
    let made = story.attempts.iter().find(|made| made.id == attempt);
    let rule = made.and_then(|made| story.plans.get(&made.plan)).map(|plan| plan.rule.clone());
    let before = story.answer.map(|answer| answer.kind);
    Ok(Some(Answered { attempt, quoted, message, progress, rule, before }))
}
