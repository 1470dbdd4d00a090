//! Forgets what has been kept long enough, a little at a time, between the writer's commits.

use crate::core::time::{Span, Timestamp};
use crate::store::outbox::{Outbox, Retention};

/// How often it is looked for. What is kept for days may stay a minute longer.
const EVERY: Span = Span::from_mins(1);
/// How many rows one step removes: about 20 ms of the writer's time.
const ROWS: usize = 2_000;

/// A service that was away for longer finds a clock that may be wrong.
const AWAY_MAX: Span = Span::from_hours(30 * 24);
/// How long nothing is forgotten then.
const PAUSE: Span = Span::from_hours(24);

/// When to forget next.
#[derive(Debug)]
pub(crate) struct Retainer {
    keep: Retention,
    next: Timestamp,
}

impl Retainer {
    /// Keeps things so long. `last`: the latest time that the store knows of. Where it lies far back, either we were
    /// away for long or the clock is wrong, and what is forgotten by a wrong clock is gone: a day is left to see it.
    pub(crate) fn new(keep: Retention, last: Timestamp, now: Timestamp) -> Retainer {
        let away = now.since(last);
        let doubtful = last > Timestamp::default() && away > AWAY_MAX;
        if doubtful {
            tracing::warn!(
                days = away.ms() / Span::from_hours(24).ms(),
                "the clock is far ahead of what was stored last: nothing is forgotten for a day; is the date right?"
            );
        }
        Retainer { keep, next: if doubtful { now + PAUSE } else { Timestamp::default() } }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_leapt_while_we_were_away_forgets_nothing_for_a_day() {
        let now = Timestamp::from_ms(1_790_000_000_000);
        let check = |last: Timestamp, pauses: bool| {
            let retainer = Retainer::new(Retention::default(), last, now);
            assert_eq!(retainer.next > now, pauses, "{last:?}");
        };
        check(Timestamp::default(), false);
        check(now - Span::from_hours(24), false);
        check(now - Span::from_hours(24 * 400), true);
    }
}
