//! The service as the interface sees it: every question goes to the core's thread, to the store's readers, or to
//! what is kept at hand for it.
//!
//! Invariant: an answer that says that something was done is given after it is on disk.

use crate::adapter::{Heard, HookAnswer, HookRequest};
use crate::api::ring::EventRing;
use crate::api::service::{
    Change, Doing, Erasing, Forecasted, Part, PolicyTrouble, Readiness, Service, Trouble,
};
use crate::core::audit::Head;
use crate::core::channel::{CHANNELS, ChannelSet};
use crate::core::effect::Reply;
use crate::core::input::{Accept, Command, Input};
use crate::core::message::Recipient;
use crate::core::query::{Answer, Query, Role};
use crate::core::reach::Reach;
use crate::core::time::Timestamp;
use crate::core::view::View;
use crate::runtime::backup::Backups;
use crate::runtime::beats::Beats;
use crate::runtime::clock::Clock;
use crate::runtime::erase::ErasedPeople;
use crate::runtime::forecast::Forecasts;
use crate::runtime::gateways::Gateways;
use crate::runtime::hooks;
use crate::runtime::inbox::{Gone, Inbox, Incoming};
use crate::runtime::intake::Intake;
use crate::runtime::reads::Reads;
use crate::runtime::replies::{Replies, Silence};
use crate::runtime::tickets::Tickets;
use crate::runtime::tokens::Tokens;
use crate::store::reachability::Reachability;
use crate::telemetry::metrics::{Metrics, Scrape};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{oneshot, watch};

/// How long a caller waits for room in the core's queue before being told to come back.
const ROOM_WAIT: Duration = Duration::from_secs(5);
/// When a caller who found no room should come back, in seconds.
const RETRY_AFTER_SECS: u32 = 5;
/// How long a caller waits for the disk. After it nobody can say yet whether the message was taken; it may be sent
/// again under the same key.
const DISK_WAIT: Duration = Duration::from_secs(60);
/// The least time between two pictures for one reader. Cites: ARCHITECTURE.md, "Bounded snapshots".
const VIEW_EVERY: Duration = Duration::from_millis(250);

/// Everything that the interface asks of.
pub(crate) struct Front {
    pub(crate) inbox: Inbox,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) reads: Reads,
    pub(crate) intake: Arc<Intake>,
    pub(crate) backups: Backups,
    pub(crate) gateways: Arc<Gateways>,
    pub(crate) forecasts: Forecasts,
    pub(crate) clock: Arc<Clock>,
    pub(crate) beats: Arc<Beats>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<EventRing>,
    pub(crate) view: watch::Receiver<Arc<View>>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) reach: watch::Receiver<Arc<Reach>>,
    /// How often the address book was changed.
    pub(crate) contacts_changed: Arc<AtomicU64>,
    pub(crate) policy_trouble: watch::Receiver<Option<PolicyTrouble>>,
    pub(crate) reachability: Option<Arc<dyn Reachability>>,
    pub(crate) replies: Replies,
    /// Where the chain of acts ends on disk.
    pub(crate) acts_end: watch::Receiver<Head>,
    pub(crate) silence: Arc<Silence>,
    pub(crate) erased: Arc<ErasedPeople>,
    /// Held by whoever erases somebody.
    pub(crate) erasing: tokio::sync::Mutex<()>,
    /// Held while contacts are compared with who was erased and put, and while somebody's contact is taken out.
    pub(crate) importing: Arc<tokio::sync::Mutex<()>>,
}

impl Front {
    pub(crate) async fn put(&self, incoming: Incoming) -> Result<(), Trouble> {
        match tokio::time::timeout(ROOM_WAIT, self.inbox.put(incoming)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Gone)) => Err(Trouble::Stopping),
            Err(_) => Err(Trouble::Busy { retry_after_secs: RETRY_AFTER_SECS }),
        }
    }

    pub(crate) async fn change(&self, who: String, change: Change) -> Result<(), Trouble> {
        // An act is a line of the record, and a sheet to call people from is wanted when the disk is full as well; so is a
        // backup, and an erasure makes rows smaller.
        if !matches!(change, Change::Act { .. } | Change::Erase { .. }) {
            self.intake.check(1)?;
        }
        let (waiter, written) = oneshot::channel();
        let contacts = matches!(change, Change::Contacts(_) | Change::Erase { done: Some(_), .. });
        self.put(Incoming::Change { who, change, waiter }).await?;
        let done = on_disk(written).await?;
        if contacts {
            self.contacts_changed.fetch_add(1, Relaxed);
        }
        done
    }

    async fn hook(&self, name: &str, request: HookRequest) -> Result<Option<HookAnswer>, Trouble> {
        let Some((id, gateway)) = self.gateways.find(name) else { return Ok(None) };
        let answer = hooks::read(&gateway, &request);
        let overheard = match answer.status {
            200 => hooks::overheard(&self.gateways, id, &request),
            _ => Vec::new(),
        };
        self.metrics.hook(name, answer.result);
        overheard.iter().for_each(|(taker, _)| self.metrics.hook(&self.gateways.name(*taker), "ok"));
        let own = Heard { receipts: answer.receipts.clone(), replies: answer.replies.clone() };
        if own.is_empty() && overheard.is_empty() {
            if answer.result == "not_ours" {
                tracing::warn!(gateway = name, "the provider called about an account that no gateway has");
            }
            return Ok(Some(answer));
        }
        let mut replies = Vec::new();
        for (gateway, heard) in std::iter::once((id, own)).chain(overheard) {
            for receipt in heard.receipts {
                self.put(Incoming::Input(Input::Receipt { gateway, receipt })).await?;
            }
            replies.extend(heard.replies.into_iter().map(|reply| (gateway, reply)));
        }
        let (told, durable) = oneshot::channel();
        self.put(Incoming::Barrier(told)).await?;
        on_disk(durable).await?;
        if !replies.is_empty() {
            on_disk(self.replies.take(replies)).await?;
        }
        Ok(Some(answer))
    }

    /// Says whether there is any token yet.
    pub(crate) fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Says whether the turn and the writer move.
    pub(crate) fn is_healthy(&self) -> bool {
        self.beats.stuck(self.clock.now()).is_empty()
    }

    fn readiness(&self) -> Readiness {
        let stuck = self.beats.stuck(self.clock.now());
        let mut why: Vec<String> = stuck.iter().map(|thread| format!("the {thread} does not move")).collect();
        let healthy = why.is_empty();
        why.extend(self.intake.check(1).err().filter(keeps_from_work).map(|trouble| trouble.to_string()));
        Readiness { healthy, ready: why.is_empty(), why }
    }
}

/// Says whether somebody who spreads calls should pass by. Not where only the disk is full: each caller is told, and what
/// was accepted still needs its receipts and its pages.
fn keeps_from_work(trouble: &Trouble) -> bool {
    !matches!(trouble, Trouble::DiskFull)
}

/// Waits for what becomes durable with a turn.
pub(crate) async fn on_disk<T>(waiting: impl Future<Output = Result<T, RecvError>>) -> Result<T, Trouble> {
    match tokio::time::timeout(DISK_WAIT, waiting).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(Trouble::Stopping),
        Err(_) => Err(Trouble::Store(
            "the disk has not taken it yet, and may still do so; repeat it with the same Idempotency-Key"
                .into(),
        )),
    }
}

impl Service for Front {
    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    fn reach(&self) -> Arc<Reach> {
        Arc::clone(&self.reach.borrow())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn accept(&self, accept: Accept) -> Doing<'_, Result<Reply, Trouble>> {
        Box::pin(async move {
            self.intake.check(accept.recipients.len() as u64)?;
            let mut given = self.tickets.give();
            let mut accept = Accept { ticket: given.ticket, ..accept };
            self.leave_out_erased(&mut accept.recipients).await?;
            self.put(Incoming::Input(Input::Accept(Box::new(accept)))).await?;
            on_disk(&mut given.reply).await
        })
    }

    fn forecast(&self, accept: Accept) -> Doing<'_, Result<Forecasted, Trouble>> {
        Box::pin(async move {
            let (told, copied) = oneshot::channel();
            self.put(Incoming::Copy(accept.severity, accept.status, told)).await?;
            let (core, ahead) = copied.await.map_err(|_| Trouble::Stopping)?;
            let silence = Arc::clone(&self.silence);
            self.forecasts.make(core, ahead, accept, Arc::clone(&self.gateways), silence).await
        })
    }

    fn command(&self, who: String, command: Command) -> Doing<'_, Result<Reply, Trouble>> {
        Box::pin(async move {
            let mut given = self.tickets.give();
            self.put(Incoming::Input(Input::Command { ticket: given.ticket, who, command })).await?;
            on_disk(&mut given.reply).await
        })
    }

    fn read(&self, query: Query) -> Doing<'_, Result<Answer, Trouble>> {
        Box::pin(self.reads.ask(query))
    }

    fn change(&self, who: String, change: Change) -> Doing<'_, Result<(), Trouble>> {
        Box::pin(Front::change(self, who, change))
    }

    fn backup(&self) -> Result<Receiver<Part>, Trouble> {
        self.backups.begin()
    }

    fn erase(&self, who: String, id: String, reason: String) -> Doing<'_, Result<Option<Erasing>, Trouble>> {
        Box::pin(self.erase_person(who, id, reason))
    }

    fn importing(&self) -> Doing<'_, OwnedMutexGuard<()>> {
        Box::pin(Arc::clone(&self.importing).lock_owned())
    }

    fn erased(&self, id: &str) -> Option<Timestamp> {
        self.erased.find(id)
    }

    fn token(&self, hash: &[u8; 32]) -> Option<(String, Role)> {
        self.tokens.find(hash)
    }

    fn hook(&self, gateway: &str, request: HookRequest) -> Doing<'_, Result<Option<HookAnswer>, Trouble>> {
        let gateway = gateway.to_string();
        Box::pin(async move { Front::hook(self, &gateway, request).await })
    }

    fn readiness(&self) -> Readiness {
        Front::readiness(self)
    }

    fn policy_trouble(&self) -> Option<PolicyTrouble> {
        self.policy_trouble.borrow().clone()
    }

    fn acts_end(&self) -> Head {
        *self.acts_end.borrow()
    }

    fn metrics(&self) -> String {
        let scrape = Scrape {
            now: self.clock.now(),
            skew: self.clock.skew(),
            people_unreachable: self.reach.borrow().all.none,
            outbox_bytes: self.intake.bytes(),
            reachability_bytes: self.reachability.as_ref().map_or(0, |kept| kept.health().bytes),
        };
        self.metrics.render(&self.view(), scrape)
    }

    fn opted_out(&self) -> [u64; CHANNELS] {
        self.silence.counts()
    }

    fn open_channels(&self, person: &Recipient) -> ChannelSet {
        self.silence.open_channels(person)
    }

    fn has_hook(&self, gateway: &str) -> bool {
        self.gateways.find(gateway).is_some()
    }

    fn events(&self) -> &EventRing {
        &self.events
    }

    fn next_view(&self, turn: u64) -> Doing<'_, Arc<View>> {
        let mut view = self.view.clone();
        Box::pin(async move {
            tokio::time::sleep(VIEW_EVERY).await;
            match view.wait_for(|view| view.turn > turn).await {
                Ok(newer) => Arc::clone(&newer),
                // The service has stopped; there is nothing newer.
                Err(_) => self.view(),
            }
        })
    }
}
