//! The writer's thread: makes turns durable, then lets go what waited for it.
//!
//! While one commit runs, the turns that follow pile up in the slot and share the next one: sixty-four callers, a
//! few commits. The slot is bounded by [`RECORDS_MAX`]; beyond it the core's thread waits, and so does intake.
//!
//! Invariant: a group's effects are let go after its commit, in order. A commit that fails is tried again with
//! everything it held; only a corrupt store ends the service.

use crate::api::service::{Change, Done, Trouble};
use crate::core::audit::{Audit, discreet};
use crate::core::effect::{Effect, Event};
use crate::core::erasure::Erased;
use crate::core::query::TokenRecord;
use crate::core::record::Record;
use crate::core::time::Timestamp;
use crate::core::view::View;
use crate::runtime::beats::Beats;
use crate::runtime::clock::Clock;
use crate::runtime::intake::Intake;
use crate::runtime::notary::Notary;
use crate::runtime::pantry::Pantry;
use crate::runtime::release::Release;
use crate::runtime::retainer::Retainer;
use crate::store::outbox::{CommitError, Outbox, Put};
use crate::telemetry::metrics::Metrics;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many records may wait for the next commit. A turn that materialises a mass alert writes a few thousand; more of
/// them in one commit would hold up the failover of a graver message by as much.
const RECORDS_MAX: usize = 4_096;
/// How much may wait to be released with the next commit: a stalled disk must not fill the memory.
const RELEASED_MAX: usize = 65_536;
/// How long the thread rests at most: its heartbeat and its look at the disk go on.
const REST_MAX: Duration = Duration::from_secs(1);
/// The first wait after a commit that failed, doubled up to the last.
const AGAIN_FIRST: Duration = Duration::from_millis(50);
const AGAIN_LAST: Duration = Duration::from_secs(5);

/// Who waits for a change to be on disk.
pub(crate) type Waiter = oneshot::Sender<Result<(), Trouble>>;

/// Something that waits for its group's commit.
pub(crate) enum Released {
    /// What the core wants done.
    Effect(Effect),
    /// What happened in a turn.
    Events(Timestamp, Vec<Arc<Event>>),
    /// Somebody who waits for what came before to be on disk.
    Told(oneshot::Sender<()>),
    /// A token that comes into force.
    Token(TokenRecord),
    /// Somebody was erased.
    Erased([Erased; 2]),
    /// Somebody who waits for a change.
    Written(Waiter),
    /// The picture.
    View(Arc<View>),
}

/// Turns that become durable together.
#[derive(Default)]
pub(crate) struct Group {
    puts: Vec<Put>,
    /// What somebody did, in the order in which it is added to the chain.
    acts: Vec<Audit>,
    released: Vec<Released>,
    /// The time of its latest turn.
    turn: Timestamp,
}

/// The place between the two threads: what is to be committed next.
pub(crate) struct Slot {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
    /// The latest turn whose effects were released, in milliseconds.
    left: AtomicI64,
}

#[derive(Default)]
struct State {
    group: Group,
    /// The core's thread has ended: nothing more comes.
    closed: bool,
    /// The writer has ended: nothing more is taken.
    ended: bool,
}

/// The writer has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended;

/// The store can no longer be trusted: the text says what happened and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(pub String);

/// The writer and what its thread needs.
pub(crate) struct Writer {
    pub(crate) outbox: Box<dyn Outbox>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) release: Release,
    pub(crate) pantry: Arc<Pantry>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) beats: Arc<Beats>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) retention: Retainer,
    pub(crate) notary: Notary,
}

impl Group {
    /// Says whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.acts.is_empty() && self.released.is_empty()
    }

    /// Says that a turn at this time is part of it.
    pub(crate) fn of_turn(&mut self, now: Timestamp) {
        self.turn = self.turn.max(now);
    }

    /// Writes a record with this group.
    pub(crate) fn record(&mut self, record: Record) {
        self.puts.push(Put::Record(record));
    }

    /// Notes an act with this group.
    pub(crate) fn note(&mut self, audit: Audit) {
        self.acts.push(audit);
    }

    /// Lets `released` go with this group.
    pub(crate) fn release(&mut self, released: Released) {
        self.released.push(released);
    }

    /// Writes a change with this group, and who made it.
    pub(crate) fn change(&mut self, now: Timestamp, who: String, change: Change, waiter: Waiter) {
        let (act, on, reason) = match &change {
            Change::Contacts(contacts) => ("contacts", format!("{} contacts", contacts.len()), String::new()),
            Change::Token { record, .. } => ("token", record.name.clone(), String::new()),
            Change::Act { act, on, reason } => (*act, on.clone(), discreet(reason)),
            Change::Erase { erasure, done } => {
                let reason = done.as_ref().map_or_else(String::new, |done| discreet(&done.reason));
                ("erase", erasure.pseudonym.clone(), reason)
            }
        };
        // The parts of an erasure are one act, which its last part is.
        if !matches!(change, Change::Erase { done: None, .. }) {
            self.note(Audit { at: now, who, act: act.into(), on, reason });
        }
        match change {
            Change::Contacts(contacts) => self.puts.extend(contacts.into_iter().map(Put::Contact)),
            Change::Token { record, .. } => {
                self.puts.push(Put::Token(record.clone()));
                self.released.push(Released::Token(record));
            }
            Change::Erase { erasure, done } => {
                self.puts.push(Put::Erase(erasure));
                if let Some(Done { kept, .. }) = done {
                    self.puts.extend(kept.map(Put::Erased));
                    self.released.push(Released::Erased(kept));
                }
            }
            Change::Act { .. } => {}
        }
        self.released.push(Released::Written(waiter));
    }

    fn join(&mut self, later: Group) {
        self.puts.extend(later.puts);
        self.acts.extend(later.acts);
        self.turn = self.turn.max(later.turn);
        // Nobody needs a picture that a later one is about to replace.
        if later.released.iter().any(|released| matches!(released, Released::View(_))) {
            self.released.retain(|released| !matches!(released, Released::View(_)));
        }
        self.released.extend(later.released);
    }
}

impl Slot {
    /// Builds an empty slot.
    pub(crate) fn new() -> Slot {
        Slot {
            state: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            left: AtomicI64::new(0),
        }
    }

    /// Puts a turn in; waits while too much waits for the disk.
    pub(crate) fn put(&self, group: Group, beats: &Beats, clock: &Clock) -> Result<(), Ended> {
        let mut state = self.lock();
        while (state.group.puts.len() + state.group.acts.len() >= RECORDS_MAX
            || state.group.released.len() >= RELEASED_MAX)
            && !state.ended
        {
            // It is the disk that is slow, not this thread.
            beats.turn(clock);
            state = self.emptied.wait_timeout(state, REST_MAX).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.ended {
            return Err(Ended);
        }
        state.group.join(group);
        self.filled.notify_one();
        Ok(())
    }

    /// Returns the time of the latest turn whose effects were released.
    pub(crate) fn released_to(&self) -> Timestamp {
        Timestamp::from_ms(self.left.load(Ordering::Acquire))
    }

    fn left(&self, turn: Timestamp) {
        self.left.fetch_max(turn.ms(), Ordering::Release);
    }

    /// Says that nothing more comes.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// Takes all that waits; `None` once nothing more comes.
    fn take(&self) -> Option<Group> {
        let mut state = self.lock();
        if state.group.is_empty() && !state.closed {
            state = self.filled.wait_timeout(state, REST_MAX).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.group.is_empty() && state.closed {
            return None;
        }
        let group = std::mem::take(&mut state.group);
        self.emptied.notify_one();
        Some(group)
    }

    fn end(&self) {
        self.lock().ended = true;
        self.emptied.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Runs until the slot is closed and empty, or the store is found corrupt.
    pub(crate) fn run(mut self) -> Result<(), Fatal> {
        let done = self.write_all();
        self.slot.end();
        self.release.tickets.close();
        done
    }

    fn write_all(&mut self) -> Result<(), Fatal> {
        while let Some(group) = self.slot.take() {
            self.beats.writer(&self.clock);
            let Group { mut puts, acts, released, turn } = group;
            self.notary.seal(acts, &mut puts);
            if !puts.is_empty() {
                puts.iter().for_each(|put| self.pantry.keep(put));
                self.commit(&puts)?;
                puts.iter().for_each(|put| self.pantry.forget(put));
                self.notary.sealed(self.clock.now());
            } else {
                // Whether it is beyond repair the next commit says.
                match self.outbox.recover() {
                    Ok(()) => self.intake.wrote(),
                    Err(error) => self.intake.failed(&error),
                }
            }
            released.into_iter().for_each(|released| self.release.let_go(released));
            self.slot.left(turn);
            self.intake.look(self.release.view.borrow().unsettled());
            self.retention.step(&mut *self.outbox, self.clock.now());
        }
        Ok(())
    }

    /// Makes a batch durable, however long it takes.
    fn commit(&mut self, batch: &[Put]) -> Result<(), Fatal> {
        let mut again = AGAIN_FIRST;
        loop {
            let began = Instant::now();
            match self.outbox.commit(batch) {
                Ok(_) => {
                    self.metrics.committed(began.elapsed());
                    self.intake.wrote();
                    return Ok(());
                }
                Err(corrupt @ CommitError::Corrupt(_)) => return Err(Fatal(corrupt.to_string())),
                Err(error) => self.intake.failed(&error),
            }
            self.beats.writer(&self.clock);
            #[allow(
                clippy::disallowed_methods,
                reason = "the writer has a thread of its own and nothing else to do"
            )]
            std::thread::sleep(again);
            again = (again * 2).min(AGAIN_LAST);
        }
    }
}
