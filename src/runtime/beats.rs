//! Heartbeats of the core's thread and of the writer's: what health and the watchdog go by.

use crate::core::time::{Span, Timestamp};
use crate::runtime::clock::Clock;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// A thread that has not beaten for so long is stuck: each beats once a second when idle, and a commit that takes
/// this long is a disk in trouble.
pub(crate) const STUCK_AFTER: Span = Span::from_secs(20);

/// When each thread was last seen alive.
#[derive(Debug, Default)]
pub(crate) struct Beats {
    turn: AtomicI64,
    writer: AtomicI64,
}

impl Beats {
    /// The core's thread is alive.
    pub(crate) fn turn(&self, clock: &Clock) {
        self.turn.store(clock.now().ms(), Relaxed);
    }

    /// The writer is alive.
    pub(crate) fn writer(&self, clock: &Clock) {
        self.writer.store(clock.now().ms(), Relaxed);
    }

    /// Names the threads that are stuck.
    pub(crate) fn stuck(&self, now: Timestamp) -> Vec<&'static str> {
        [("turn", &self.turn), ("writer", &self.writer)]
            .into_iter()
            .filter(|(_, beat)| now.since(Timestamp::from_ms(beat.load(Relaxed))) > STUCK_AFTER)
            .map(|(name, _)| name)
            .collect()
    }
}
