//! Forgets what has been kept long enough, a little at a time, between the writer's commits.

use crate::core::time::{Span, Timestamp};
use crate::store::outbox::{Outbox, Retention};

/// How often it is looked for. What is kept for days may stay a minute longer.
const EVERY: Span = Span::from_mins(1);
/// How many rows one step removes: about 20 ms of the writer's time.
const ROWS: usize = 2_000;

/// When to forget next.
#[derive(Debug)]
pub(crate) struct Retainer {
    keep: Retention,
    next: Timestamp,
}

impl Retainer {
    /// Keeps things so long.
    pub(crate) fn new(keep: Retention) -> Retainer {
        Retainer { keep, next: Timestamp::default() }
    }

    /// Takes one step where one is due. A step that fails is left for the next time: commits tell what is wrong.
    pub(crate) fn step(&mut self, outbox: &mut dyn Outbox, now: Timestamp) {
        if now < self.next {
            return;
        }
        match outbox.retain(&self.keep, now, ROWS) {
            Ok(done) if done.more => return,
            Ok(done) if done.removed > 0 => {
                tracing::debug!(rows = done.removed, "what was kept long enough is forgotten")
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "what was kept long enough could not be forgotten"),
        }
        self.next = now + EVERY;
    }
}
