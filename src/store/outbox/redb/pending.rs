//! What was acknowledged and is on its way from the journal into the tables.
//!
//! The writer adds commits; whoever drains takes all that is there, writes it to the tables in one transaction, and
//! says so. In between the changes are here to be looked up by key, with what was added meanwhile over them.
//!
//! Limits: as much as the journal holds; the writer drains by itself when that is full.

use super::changes::{Change, Changes, Value};
use super::tables::{Meta, Place};
use crate::store::outbox::Position;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How much of what has left waits for the writer: as many drainings as fit the journal, and one more.
const SPENT_MAX: usize = 3;

/// Changes between the journal and the tables.
pub(super) struct Pending {
    state: Mutex<State>,
    /// Somebody wants the drainer's thread to look.
    woken: Condvar,
}

struct State {
    /// What was committed since the last draining began.
    fresh: Changes,
    /// What is being written to the tables.
    leaving: Arc<Changes>,
    /// What has left. The writer made it and lets go of it: an allocator takes back with difficulty what another thread
    /// frees.
    spent: Vec<Arc<Changes>>,
    /// What the store knows about itself, as of the last commit.
    meta: Meta,
    /// Up to where the tables durably have everything.
    drained: Position,
    /// The tables could not be written or read: they are to be opened again.
    in_trouble: bool,
    wanted: bool,
    closing: bool,
}

/// What is to be written to the tables now.
pub(super) struct Leaving {
    pub(super) changes: Arc<Changes>,
    pub(super) meta: Meta,
}

/// What is pending of a key.
pub(super) struct Found {
    /// What becomes of it, where anything does.
    pub(super) change: Option<Option<Value>>,
    /// The last commit that was looked at.
    pub(super) committed: Position,
    /// Where nothing becomes of it, the tables have its value from this position on.
    pub(super) drained: Position,
}

impl Pending {
    /// Begins where the tables are.
    pub(super) fn new(meta: Meta) -> Pending {
        let state = State {
            fresh: Changes::default(),
            leaving: Arc::default(),
            spent: Vec::new(),
            meta,
            drained: meta.position,
            in_trouble: false,
            wanted: false,
            closing: false,
        };
        Pending { state: Mutex::new(state), woken: Condvar::new() }
    }

    /// Returns what the store knows about itself, as of the last commit.
    pub(super) fn meta(&self) -> Meta {
        self.lock().meta
    }

    /// Returns up to where the tables durably have everything.
    pub(super) fn drained(&self) -> Position {
        self.lock().drained
    }

    /// Says whether the tables are to be opened again.
    pub(super) fn in_trouble(&self) -> bool {
        self.lock().in_trouble
    }

    /// Adds a commit that is in the journal; its values lie in `rows`.
    pub(super) fn add(&self, rows: &[u8], changes: Vec<Change>, meta: Meta) {
        let rows = Arc::from(rows);
        let mut state = self.lock();
        state.fresh.extend(&rows, changes);
        state.meta = meta;
    }

    /// Notes a commit that went straight to the tables, with nothing pending before it.
    pub(super) fn passed(&self, meta: Meta) {
        let mut state = self.lock();
        state.meta = meta;
        state.drained = meta.position;
    }

    /// Looks a key up.
    pub(super) fn find(&self, place: Place, key: &[u8]) -> Found {
        let state = self.lock();
        let change = state.fresh.get(place, key).or_else(|| state.leaving.get(place, key)).cloned();
        Found { change, committed: state.meta.position, drained: state.drained }
    }

    /// Takes all that is pending; `None` where nothing is. One at a time may drain.
    pub(super) fn begin(&self) -> Option<Leaving> {
        let mut state = self.lock();
        if state.meta.position == state.drained {
            return None;
        }
        let fresh = std::mem::take(&mut state.fresh);
        if state.leaving.is_empty() {
            state.leaving = Arc::new(fresh);
        } else {
            // It failed before.
            Arc::make_mut(&mut state.leaving).join(fresh);
        }
        Some(Leaving { changes: Arc::clone(&state.leaving), meta: state.meta })
    }

    /// Says that the tables durably have everything up to `position`.
    pub(super) fn left(&self, position: Position) {
        let mut state = self.lock();
        let left = std::mem::take(&mut state.leaving);
        state.drained = position;
        if state.spent.len() < SPENT_MAX {
            state.spent.push(left);
            return;
        }
        drop(state);
        drop(left);
    }

    /// Hands out what has left, to be let go of by the writer.
    pub(super) fn spent(&self) -> Vec<Arc<Changes>> {
        std::mem::take(&mut self.lock().spent)
    }

    /// Says that the tables could not be written, or read.
    pub(super) fn failed(&self) {
        self.lock().in_trouble = true;
    }

    /// Says that they can be written again.
    pub(super) fn recovered(&self) {
        self.lock().in_trouble = false;
    }

    /// Takes note of what the tables say about themselves after they were opened again: a commit that went straight to
    /// them and failed may be there all the same. Refuses tables that lack what they had, or are another store's.
    pub(super) fn adopt(&self, found: Meta) -> Result<(), ()> {
        let mut state = self.lock();
        let is_ours = found.salt == state.meta.salt || state.meta.salt == 0;
        if !is_ours || found.position < state.drained {
            return Err(());
        }
        if found.position > state.meta.position {
            state.meta = found;
            state.drained = found.position;
        }
        Ok(())
    }

    /// Wakes the drainer's thread.
    pub(super) fn wake(&self) {
        self.lock().wanted = true;
        self.woken.notify_one();
    }

    /// Ends the drainer's thread.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.woken.notify_one();
    }

    /// Waits until somebody wakes, `at_most` has passed, or it is over; says whether to go on.
    pub(super) fn wait(&self, at_most: Duration) -> bool {
        let state = self.lock();
        let asleep = |state: &mut State| !state.wanted && !state.closing;
        let waited = self.woken.wait_timeout_while(state, at_most, asleep);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.wanted = false;
        !state.closing
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
