//! Keeps count of who can be reached, away from those who ask.
//!
//! The address book is read again only after it was changed, and then not more often than each [`READ_EVERY`]; how the
//! gateways stand is laid over its kinds of people each [`LOOK_EVERY`].

use crate::api::service::Trouble;
use crate::core::query::{Answer, Query, ROWS_MAX};
use crate::core::reach::{Reach, Roads, Roll};
use crate::core::time::{Span, Timestamp};
use crate::core::view::View;
use crate::runtime::clock::Clock;
use crate::runtime::reads::Reads;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::watch;

/// How often the gateways are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long the count of a changed address book may be old: an import comes in many calls.
const READ_EVERY: Span = Span::from_secs(20);

/// What keeps count.
pub(crate) struct Counting {
    pub(crate) reads: Reads,
    pub(crate) clock: Arc<Clock>,
    pub(crate) view: watch::Receiver<Arc<View>>,
    /// How often the address book was changed.
    pub(crate) changes: Arc<AtomicU64>,
    pub(crate) reach: watch::Sender<Arc<Reach>>,
}

impl Counting {
    /// Counts until the service has stopped.
    pub(crate) async fn run(self) {
        let (mut roll, mut counted) = (Roll::default(), None::<(u64, Timestamp)>);
        while self.view.has_changed().is_ok() {
            let changes = self.changes.load(Relaxed);
            let now = self.clock.now();
            let stale = counted.is_none_or(|(of, at)| of != changes && now.since(at) >= READ_EVERY);
            if stale {
                match read(&self.reads).await {
                    Ok(read) => (roll, counted) = (read, Some((changes, now))),
                    Err(Trouble::Stopping) => return,
                    Err(error) => tracing::warn!(%error, "who can be reached could not be counted"),
                }
            }
            let roads = Roads::of(&self.view.borrow());
            let reach = roll.reach(&roads, self.clock.now(), counted.map(|(_, at)| at));
            self.reach.send_replace(Arc::new(reach));
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Reads the whole address book, a page at a time.
async fn read(reads: &Reads) -> Result<Roll, Trouble> {
    let (mut roll, mut after) = (Roll::default(), None);
    loop {
        let Answer::Contacts(page) = reads.ask(Query::Contacts { after, limit: ROWS_MAX }).await? else {
            return Ok(roll);
        };
        page.iter().for_each(|contact| roll.add(contact));
        if page.len() < ROWS_MAX {
            return Ok(roll);
        }
        after = page.into_iter().last().map(|contact| contact.id);
    }
}
