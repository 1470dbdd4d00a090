//! Gives each act its place in the chain before it is written, and tells where the chain ends.
//!
//! Invariant: an act gets its place once. A commit that is tried again has the same places in it.

use crate::core::audit::{Audit, Head};
use crate::core::time::{Span, Timestamp};
use crate::store::chain::Chain;
use crate::store::outbox::Put;
use tokio::sync::watch;

/// How often the log tells where the chain ends: whoever keeps the log elsewhere can show later that nothing was cut off.
const TELL_EVERY: Span = Span::from_hours(24);

/// The chain, and who wants to know its end.
pub(crate) struct Notary {
    chain: Chain,
    end: watch::Sender<Head>,
    /// When the log was told last.
    told: Option<Timestamp>,
}

impl Notary {
    /// Goes on with a chain; its end can be watched.
    pub(crate) fn new(chain: Chain) -> (Notary, watch::Receiver<Head>) {
        let (end, watched) = watch::channel(chain.head());
        (Notary { chain, end, told: None }, watched)
    }

    /// Adds acts to what is to be written.
    pub(crate) fn seal(&mut self, acts: Vec<Audit>, puts: &mut Vec<Put>) {
        puts.extend(acts.into_iter().map(|audit| Put::Link(self.chain.link(audit))));
    }

    /// Says that what was sealed is on disk.
    pub(crate) fn sealed(&mut self, now: Timestamp) {
        let head = self.chain.head();
        self.end.send_if_modified(|end| std::mem::replace(end, head) != head);
        if head.number > 0 && self.told.is_none_or(|told| now.since(told) >= TELL_EVERY) {
            tracing::info!(number = head.number, hash = %head.hash, "the audit record ends here");
            self.told = Some(now);
        }
    }
}
