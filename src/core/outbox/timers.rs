//! Everything that is due at a time, in one ordered table. Each timer is cancelled by its key, so that nothing stale
//! stays behind.

use crate::core::slab::Handle;
use crate::core::time::Timestamp;
use std::collections::BTreeMap;

/// What is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    /// An attempt got no answer at all.
    GiveUp(Handle),
    /// A road without receipts counts as confirmed.
    Assume(Handle),
    /// A question to the provider got no answer.
    AskOver(Handle),
    /// A step's wait ran out.
    Wait(Handle),
    /// A delivery may be tried again.
    BackOff(Handle),
    /// A delivery that waits in a queue may take again what failed it in this round.
    Round(Handle),
    /// A deadline, an expiry or a wider step of a message's waiting deliveries.
    Message(Handle),
}

/// Where a timer lies; the default lies nowhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct TimerKey {
    due: Timestamp,
    number: u64,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    table: BTreeMap<TimerKey, Timer>,
    last: u64,
}

impl Timers {
    /// Sets a timer and returns its key.
    pub(crate) fn set(&mut self, due: Timestamp, timer: Timer) -> TimerKey {
        self.last += 1;
        let key = TimerKey { due, number: self.last };
        self.table.insert(key, timer);
        key
    }

    /// Takes a timer away and clears its key.
    pub(crate) fn cancel(&mut self, key: &mut TimerKey) {
        if key.number != 0 {
            self.table.remove(key);
            *key = TimerKey::default();
        }
    }

    /// Returns the timer that a key stands for.
    pub(crate) fn get(&self, key: TimerKey) -> Option<Timer> {
        self.table.get(&key).copied()
    }

    /// Takes the next timer that is due.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<Timer> {
        let entry = self.table.first_entry()?;
        (entry.key().due <= now).then(|| entry.remove())
    }

    /// Returns when the next is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.table.first_key_value().map(|(key, _)| key.due)
    }
}
