//! The board of what operators are told: threads, who has acknowledged one, who has silenced one until when.
//!
//! Limit: [`THREADS_MAX`] threads, of which the oldest that is over leaves first. It is memory: a start begins with what is
//! open then, and repeats no notice that was sent.

use crate::core::message::Severity;
use crate::core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most threads that are kept.
pub const THREADS_MAX: usize = 500;

/// What an operator was told of, from the first notice to the last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thread {
    /// What it is about: `outage`, `no_way_out`, ..
    pub kind: &'static str,
    /// How grave.
    pub severity: Severity,
    /// Since when.
    pub since: Timestamp,
    /// When it was over.
    pub over: Option<Timestamp>,
    /// When something was told last, and how often.
    pub told: Timestamp,
    /// How many notices there were.
    pub notices: u32,
    /// Who has seen it, and when: it is not repeated.
    pub acknowledged: Option<(String, Timestamp)>,
    /// Who has silenced it, until when and why.
    pub silenced: Option<Silence>,
}

/// Nothing more is told of a thread until a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Silence {
    /// By whom.
    pub who: String,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// The threads, by name.
#[derive(Default, Debug)]
pub struct Board(Mutex<BTreeMap<String, Thread>>);

impl Board {
    /// Returns the threads, the newest first.
    pub fn threads(&self) -> Vec<(String, Thread)> {
        let mut all: Vec<_> =
            self.lock().iter().map(|(name, thread)| (name.clone(), thread.clone())).collect();
        all.sort_by(|a, b| (b.1.since, &b.0).cmp(&(a.1.since, &a.0)));
        all
    }

    /// Acknowledges a thread. `false`: there is none of this name.
    pub fn acknowledge(&self, name: &str, who: String, at: Timestamp) -> bool {
        self.lock().get_mut(name).map(|thread| thread.acknowledged = Some((who, at))).is_some()
    }

    /// Silences a thread. `false`: there is none of this name.
    pub fn silence(&self, name: &str, silence: Silence) -> bool {
        self.lock().get_mut(name).map(|thread| thread.silenced = Some(silence)).is_some()
    }

    /// Returns a thread.
    pub fn thread(&self, name: &str) -> Option<Thread> {
        self.lock().get(name).cloned()
    }

    /// Puts a thread up, or changes it.
    pub fn put(&self, name: &str, thread: Thread) {
        let mut threads = self.lock();
        threads.insert(name.to_owned(), thread);
        if threads.len() > THREADS_MAX {
            let first = threads.iter().min_by_key(|(_, thread)| (thread.over.is_none(), thread.since));
            if let Some(name) = first.map(|(name, _)| name.clone()) {
                threads.remove(&name);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Thread>> {
        // Nothing that could panic runs under the lock half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
