//! Outages: declared periods with onset, detection, cause, recovery and cost.
//!
//! The cost is counted while an outage goes on: from the attempts that failed since the first bad sign, when it is
//! declared, and then attempt by attempt. On disk the count of one that goes on is a minute old at most; that much of
//! it a crash may lose.

pub mod impact;

use super::channel::Channel;
use super::evidence::Layer;
use super::ids::OutageId;
use super::outcome::Reason;
use super::record::{Outage, OutageOf, SIGNS_MAX, Sign};
use super::time::{Span, Timestamp};
use super::view::OUTAGES_MAX;
use std::collections::{BTreeMap, VecDeque};

/// How often the count of an outage that goes on is written anew: as much of it as a crash may lose.
const WRITE_EVERY: Span = Span::from_mins(1);

/// The outages that go on, and the last that ended.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    open: BTreeMap<OutageOf, Open>,
    closed: VecDeque<Outage>,
    last: u64,
}

/// An outage that goes on.
#[derive(Debug)]
struct Open {
    outage: Outage,
    /// How many attempts it had cost when it was last written, and when that was.
    written: (u32, Timestamp),
}

/// What was seen of an outage by the time of its declaration.
#[derive(Clone, Debug)]
pub(crate) struct Signs {
    pub(crate) channel: Channel,
    pub(crate) cause: Reason,
    pub(crate) layer: Option<Layer>,
    pub(crate) onset: Timestamp,
    /// How many attempts it had cost by then.
    pub(crate) attempts_failed: u32,
    /// Whether it is not known yet whose fault it is.
    pub(crate) open: bool,
    /// What the verdict is made of, weightiest first.
    pub(crate) signs: Vec<Sign>,
}

impl Ledger {
    /// Takes what the store kept.
    pub(crate) fn load(&mut self, open: Vec<Outage>, last: u64) {
        self.last = last.max(open.iter().map(|o| o.id.0).max().unwrap_or(0));
        let taken_up = open
            .into_iter()
            .map(|o| (o.of.clone(), Open { written: (o.attempts_failed, o.detected), outage: o }));
        self.open.extend(taken_up);
    }

    /// Declares an outage, unless one of the same thing goes on.
    pub(crate) fn open(&mut self, of: OutageOf, signs: Signs, now: Timestamp) -> Option<&Outage> {
        if self.open.contains_key(&of) {
            return None;
        }
        self.last += 1;
        let Signs { channel, cause, layer, onset, attempts_failed, open, mut signs } = signs;
        signs.truncate(SIGNS_MAX);
        let outage = Outage {
            id: OutageId(self.last),
            of: of.clone(),
            channel,
            onset,
            detected: now,
            recovered: None,
            cause,
            layer,
            attempts_failed,
            open,
            signs,
        };
        let open = self.open.entry(of).or_insert(Open { outage, written: (attempts_failed, now) });
        Some(&open.outage)
    }

    /// Turns an outage that goes on into another's: it is known better now whose fault it is. Returns it as it was and as it
    /// is; nothing where nothing changed, or the other has one of its own.
    pub(crate) fn turn(&mut self, from: &OutageOf, to: OutageOf, signs: Signs) -> Option<Outage> {
        let is_same = *from == to && self.open.get(from).is_some_and(|o| o.outage.open == signs.open);
        if is_same || (*from != to && self.open.contains_key(&to)) {
            return None;
        }
        let mut turned = self.open.remove(from)?;
        let outage = &mut turned.outage;
        outage.of = to.clone();
        (outage.channel, outage.cause, outage.open) = (signs.channel, signs.cause, signs.open);
        outage.layer = signs.layer.or(outage.layer);
        outage.attempts_failed = outage.attempts_failed.max(signs.attempts_failed);
        outage.signs = signs.signs;
        outage.signs.truncate(SIGNS_MAX);
        let outage = outage.clone();
        self.open.insert(to, turned);
        Some(outage)
    }

    /// Says whether an outage of this goes on.
    pub(crate) fn is_open(&self, of: &OutageOf) -> bool {
        self.open.contains_key(of)
    }

    /// Says whether an outage of this goes on, and it is known whose fault it is.
    pub(crate) fn is_settled(&self, of: &OutageOf) -> bool {
        self.open.get(of).is_some_and(|open| !open.outage.open)
    }

    /// Ends an outage.
    pub(crate) fn close(&mut self, of: &OutageOf, now: Timestamp) -> Option<Outage> {
        let mut outage = self.open.remove(of)?.outage;
        outage.recovered = Some(now);
        self.closed.push_front(outage.clone());
        self.closed.truncate(OUTAGES_MAX);
        Some(outage)
    }

    /// Counts an attempt that failed, for those that it failed for.
    pub(crate) fn count(&mut self, for_it: impl Fn(&OutageOf) -> bool) {
        for (_, open) in self.open.iter_mut().filter(|(of, _)| for_it(of)) {
            open.outage.attempts_failed = open.outage.attempts_failed.saturating_add(1);
        }
    }

    /// Returns how many attempts an outage that goes on has cost.
    pub(crate) fn cost(&self, of: &OutageOf) -> Option<u32> {
        self.open.get(of).map(|open| open.outage.attempts_failed)
    }

    /// Returns those whose count is to be written anew.
    pub(crate) fn grown(&mut self, now: Timestamp) -> Vec<Outage> {
        let due = |open: &&mut Open| {
            let (count, at) = open.written;
            open.outage.attempts_failed != count && at + WRITE_EVERY <= now
        };
        let write = |open: &mut Open| {
            open.written = (open.outage.attempts_failed, now);
            open.outage.clone()
        };
        self.open.values_mut().filter(due).map(write).collect()
    }

    /// Returns what those that go on are of.
    pub(crate) fn going_on(&self) -> Vec<OutageOf> {
        self.open.keys().cloned().collect()
    }

    /// Returns those that go on, oldest first, then the last that ended.
    pub(crate) fn all(&self) -> Vec<Outage> {
        let mut open: Vec<Outage> = self.open.values().map(|open| open.outage.clone()).collect();
        open.sort_by_key(|o| o.id.0);
        open.into_iter().chain(self.closed.iter().cloned()).collect()
    }
}
