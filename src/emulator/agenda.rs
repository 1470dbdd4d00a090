//! A bounded timer queue: what an emulator will do later (receipts, late answers, repeats).
//!
//! Invariant: one consumer; no entry is handed out before its time, nor twice.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::desk::lock;

/// Entries waiting for their time, and as many parked ones. A mass alert of 100,000 with three
/// receipts each fits; beyond it an entry is not taken, which the sender sees as a missing receipt.
pub(crate) const AGENDA_MAX: usize = 300_000;

/// The queue.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    entries: Mutex<Entries<T>>,
    changed: Notify,
}

#[derive(Debug)]
struct Entries<T> {
    due: BTreeMap<(Instant, u64), T>,
    held: VecDeque<T>,
    next: u64,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Mutex::new(Entries { due: BTreeMap::new(), held: VecDeque::new(), next: 0 }),
            changed: Notify::new(),
        }
    }

    /// Adds an entry for `after` from now. Returns false where the queue is full.
    pub(crate) fn push(&self, after: Duration, entry: T) -> bool {
        let mut entries = lock(&self.entries);
        if entries.due.len() >= AGENDA_MAX {
            return false;
        }
        entries.next += 1;
        let key = (Instant::now() + after, entries.next);
        let first = entries.due.keys().next().is_none_or(|first| key < *first);
        entries.due.insert(key, entry);
        drop(entries);
        if first {
            self.changed.notify_one();
        }
        true
    }

    /// Parks an entry until [`Agenda::release`]. Returns false where too many are parked.
    pub(crate) fn hold(&self, entry: T) -> bool {
        let mut entries = lock(&self.entries);
        if entries.held.len() >= AGENDA_MAX {
            return false;
        }
        entries.held.push_back(entry);
        true
    }

    /// Makes all parked entries due now, in the order in which they were parked.
    pub(crate) fn release(&self) {
        let mut entries = lock(&self.entries);
        let now = Instant::now();
        while let Some(entry) = entries.held.pop_front() {
            entries.next += 1;
            let key = (now, entries.next);
            entries.due.insert(key, entry);
        }
        drop(entries);
        self.changed.notify_one();
    }

    /// Returns how many entries wait, parked ones included.
    pub(crate) fn len(&self) -> usize {
        let entries = lock(&self.entries);
        entries.due.len() + entries.held.len()
    }

    /// Waits until something is due and returns up to `max` entries in order of time.
    pub(crate) async fn take(&self, max: usize) -> Vec<T> {
        loop {
            let next = {
                let mut entries = lock(&self.entries);
                let now = Instant::now();
                let mut due = Vec::new();
                while due.len() < max {
                    match entries.due.first_entry() {
                        Some(first) if first.key().0 <= now => due.push(first.remove()),
                        _ => break,
                    }
                }
                if !due.is_empty() {
                    return due;
                }
                entries.due.keys().next().map(|(at, _)| *at)
            };
            match next {
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = self.changed.notified() => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn entries_come_in_order_of_time() {
        let agenda = Agenda::new();
        assert!(agenda.push(Duration::from_millis(2), "late"));
        assert!(agenda.push(Duration::ZERO, "soon"));
        assert!(agenda.hold("parked"));
        let mut seen = Vec::new();
        while seen.len() < 2 {
            seen.extend(agenda.take(1).await);
        }
        assert_eq!(seen, ["soon", "late"]);
        agenda.release();
        assert_eq!(agenda.take(10).await, ["parked"]);
        assert_eq!(agenda.len(), 0);
    }
}
