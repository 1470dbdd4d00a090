//! Outages: declared periods with onset, detection, cause and recovery.

use super::channel::Channel;
use super::evidence::Layer;
use super::ids::OutageId;
use super::outcome::Reason;
use super::record::{Outage, OutageOf};
use super::time::Timestamp;
use super::view::OUTAGES_MAX;
use std::collections::{BTreeMap, VecDeque};

/// The outages that go on, and the last that ended.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    open: BTreeMap<OutageOf, Outage>,
    closed: VecDeque<Outage>,
    last: u64,
}

impl Ledger {
    /// Takes what the store kept.
    pub(crate) fn load(&mut self, open: Vec<Outage>, last: u64) {
        self.last = last.max(open.iter().map(|o| o.id.0).max().unwrap_or(0));
        self.open.extend(open.into_iter().map(|o| (o.of.clone(), o)));
    }

    /// Declares an outage, unless one of the same thing goes on.
    pub(crate) fn open(
        &mut self,
        of: OutageOf,
        channel: Channel,
        cause: Reason,
        layer: Option<Layer>,
        onset: Timestamp,
        now: Timestamp,
    ) -> Option<&Outage> {
        if self.open.contains_key(&of) {
            return None;
        }
        self.last += 1;
        let outage = Outage {
            id: OutageId(self.last),
            of: of.clone(),
            channel,
            onset,
            detected: now,
            recovered: None,
            cause,
            layer,
            attempts_failed: 0,
        };
        Some(self.open.entry(of).or_insert(outage))
    }

    /// Ends an outage.
    pub(crate) fn close(&mut self, of: &OutageOf, attempts_failed: u32, now: Timestamp) -> Option<Outage> {
        let mut outage = self.open.remove(of)?;
        outage.recovered = Some(now);
        outage.attempts_failed = attempts_failed;
        self.closed.push_front(outage.clone());
        self.closed.truncate(OUTAGES_MAX);
        Some(outage)
    }

    /// Returns what those that go on are of.
    pub(crate) fn going_on(&self) -> Vec<OutageOf> {
        self.open.keys().cloned().collect()
    }

    /// Returns those that go on, oldest first, then the last that ended.
    pub(crate) fn all(&self) -> Vec<Outage> {
        let mut open: Vec<Outage> = self.open.values().cloned().collect();
        open.sort_by_key(|o| o.id.0);
        open.into_iter().chain(self.closed.iter().cloned()).collect()
    }
}
