//! Keeps count of who can be reached, away from those who ask.
//!
//! The address book is read again after it was changed or somebody opted out, and without a change each [`READ_AGAIN`]; how the
//! gateways stand is laid over its kinds of people each [`LOOK_EVERY`]. Reading it takes at most one part in [`READ_SHARE`] of
//! the time, up to [`READ_LATEST`]: the count of a small book is a look old, and an import of a large one, which comes in many
//! calls, is not counted with each.

use crate::api::service::Trouble;
use crate::core::query::{Answer, Query, ROWS_MAX};
use crate::core::reach::{Reach, Roads, Roll};
use crate::core::time::{Span, Timestamp};
use crate::core::view::View;
use crate::runtime::clock::Clock;
use crate::runtime::reads::Reads;
use crate::runtime::replies::Silence;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::watch;

/// How often the gateways are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Of how much time reading may take one part.
const READ_SHARE: i64 = 20;
/// How long the count of a changed address book may be old, however long it takes to read.
const READ_LATEST: Span = Span::from_secs(20);
/// How long the count of an address book may be old that nobody has told us was changed: what is true of people may end by
/// time alone, and a count that is wrong for whatever reason does not stay so.
const READ_AGAIN: Span = Span::from_mins(10);

/// What keeps count.
pub(crate) struct Counting {
    pub(crate) reads: Reads,
    pub(crate) clock: Arc<Clock>,
    pub(crate) view: watch::Receiver<Arc<View>>,
    /// How often the address book was changed.
    pub(crate) changes: Arc<AtomicU64>,
    pub(crate) silence: Arc<Silence>,
    pub(crate) reach: watch::Sender<Arc<Reach>>,
}

/// A count of the address book.
#[derive(Clone, Copy)]
struct Counted {
    at: Timestamp,
    /// After so many changes.
    changes: u64,
    /// How long it took.
    took: Span,
}

impl Counting {
    /// Counts until the service has stopped.
    pub(crate) async fn run(self) {
        let (mut roll, mut counted) = (Roll::default(), None::<Counted>);
        while self.view.has_changed().is_ok() {
            let changes = self.changes.load(Relaxed) + self.silence.changes();
            let now = self.clock.now();
            if is_stale(counted, changes, now) {
                match read(&self.reads, &self.silence).await {
                    Ok(read) => {
                        let took = self.clock.now().since(now);
                        (roll, counted) = (read, Some(Counted { at: now, changes, took }));
                    }
                    Err(Trouble::Stopping) => return,
                    Err(error) => tracing::warn!(%error, "who can be reached could not be counted"),
                }
            }
            let roads = Roads::of(&self.view.borrow());
            let reach = roll.reach(&roads, self.clock.now(), counted.map(|counted| counted.at));
            self.reach.send_replace(Arc::new(reach));
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Says whether the address book is to be read again, after so many changes.
fn is_stale(counted: Option<Counted>, changes: u64, now: Timestamp) -> bool {
    let Some(Counted { at, changes: of, took }) = counted else { return true };
    let rest = Span::from_ms(took.ms().saturating_mul(READ_SHARE)).min(READ_LATEST);
    now.since(at) >= if of == changes { READ_AGAIN } else { rest }
}

/// Reads the whole address book, a page at a time.
async fn read(reads: &Reads, silence: &Silence) -> Result<Roll, Trouble> {
    let (mut roll, mut after) = (Roll::default(), None);
    loop {
        let Answer::Contacts(page) = reads.ask(Query::Contacts { after, limit: ROWS_MAX }).await? else {
            return Ok(roll);
        };
        page.iter().for_each(|contact| roll.add(contact, silence.open_channels(&contact.person)));
        if page.len() < ROWS_MAX {
            return Ok(roll);
        }
        after = page.into_iter().last().map(|contact| contact.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_again_after_a_change_and_by_time_alone() {
        let at = Timestamp::from_ms(1_790_000_000_000);
        let (soon, early) = (Span::from_secs(1), Span::from_ms(-1));
        assert!(is_stale(None, 0, at));
        let check = |changes, took, after: Span, expected| {
            let counted = Counted { at, changes: 7, took: Span::from_ms(took) };
            assert_eq!(is_stale(Some(counted), changes, at + after), expected, "{changes} {took} {after:?}");
        };
        check(8, 10, soon, true);
        check(8, 100, soon, false);
        check(8, 100, Span::from_secs(2), true);
        check(8, 60_000, READ_LATEST + early, false);
        check(8, 60_000, READ_LATEST, true);
        check(7, 10, READ_LATEST, false);
        check(7, 10, READ_AGAIN + early, false);
        check(7, 10, READ_AGAIN, true);
    }
}
