//! One queue per ladder of permitted gateways, each ordered by severity, deadline, id.
//!
//! A ladder is the sets of gateways that a delivery may take, widening from level to level. A gateway's fall moves
//! nothing: the queue simply offers what is good at that turn.

use crate::core::channel::GatewaySet;
use crate::core::policy::Confirm;
use crate::core::slab::Handle;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// One waiting delivery, or one lane of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Entry {
    /// Severity in the top three bits, then the deadline in milliseconds.
    pub(crate) rank: u64,
    /// The message's number, then the recipient's index.
    pub(crate) order: u64,
    pub(crate) row: Handle,
    /// Which stay of the row in a queue: an entry of an earlier stay, or of an earlier row, is stale.
    pub(crate) stay: Stay,
}

/// A number for each stay of a delivery in a queue, with the lane in its lowest four bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Stay(u32);

impl Stay {
    /// Returns the next stay, over all deliveries: handles of rows are reused, stays are not until 2^28 others have passed.
    pub(crate) fn next(last: &mut u32) -> Stay {
        *last = last.wrapping_add(1) & (u32::MAX >> 4);
        Stay(*last << 4)
    }

    /// Returns this stay in one of its lanes.
    pub(crate) fn in_lane(self, lane: u8) -> Stay {
        Stay(self.0 & !15 | u32::from(lane & 15))
    }

    pub(crate) fn lane(self) -> u8 {
        (self.0 & 15) as u8
    }
}

/// What a queue may offer, level by level, each containing the one before it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Ladder {
    pub(crate) levels: Vec<GatewaySet>,
    pub(crate) confirm: Confirm,
    /// Whether waits are learned: the best is then what reaches most a second, and what can never confirm comes last, in
    /// whatever step it is.
    pub(crate) learned: bool,
    /// Whether it has waited for room so long that it takes a road that can never confirm, where no other has room.
    pub(crate) hurried: bool,
}

/// The state of all gateways as far as queues care: who is good, who is in doubt, who is a last resort.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tiers {
    pub(crate) good: GatewaySet,
    pub(crate) doubtful: GatewaySet,
    pub(crate) last: GatewaySet,
    /// Those that never say that a message arrived.
    pub(crate) mute: GatewaySet,
}

/// Entries that a delivery has at most, as a rule: those of a step that is sent by several channels at once.
const LANES_USUAL: usize = 3;
/// So many disowned entries are left where they are: dropping them costs a look at every entry.
const STALE_ALLOWED: usize = 100_000;

/// All queues.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    queues: BTreeMap<Ladder, BinaryHeap<Reverse<Entry>>>,
}

impl Tiers {
    /// Returns those that may take something: good, in doubt, or a last resort.
    pub(crate) fn usable(&self) -> GatewaySet {
        self.good.or(self.doubtful).or(self.last)
    }
}

impl Ladder {
    /// Returns the gateways to choose from: the good ones of the first level that has any; else those in doubt; else
    /// the last resort.
    pub(crate) fn offered(&self, tiers: &Tiers) -> GatewaySet {
        let first =
            |good: GatewaySet| self.levels.iter().map(|level| level.and(good)).find(|good| !good.is_empty());
        let telling = if self.learned { tiers.good.without(tiers.mute) } else { GatewaySet::EMPTY };
        if let Some(good) = first(telling).or_else(|| first(tiers.good)) {
            return good;
        }
        let all = self.levels.last().copied().unwrap_or_default();
        match all.and(tiers.doubtful) {
            GatewaySet::EMPTY => all.and(tiers.last),
            doubtful => doubtful,
        }
    }
}

impl Ladder {
    /// Returns the gateways to choose from at this instant: of what is offered, what has room; where nothing has and this
    /// one has waited for long, what is good and has room on any level.
    pub(crate) fn open(&self, tiers: &Tiers, free: GatewaySet) -> GatewaySet {
        let open = self.offered(tiers).and(free);
        if !open.is_empty() || !self.hurried {
            return open;
        }
        let all = self.levels.last().copied().unwrap_or_default();
        all.and(tiers.good).and(free)
    }
}

impl Queues {
    /// Puts an entry.
    pub(crate) fn push(&mut self, ladder: Ladder, entry: Entry) {
        self.queues.entry(ladder).or_default().push(Reverse(entry));
    }

    /// Takes the first entry, over all queues for which `offers` finds a gateway, by severity, deadline and id. Entries
    /// that `is_live` disowns are dropped on the way.
    pub(crate) fn pop(
        &mut self,
        mut offers: impl FnMut(&Ladder, &Entry) -> bool,
        mut is_live: impl FnMut(&Entry) -> bool,
    ) -> Option<(Ladder, Entry)> {
        let mut best: Option<(&Ladder, Entry)> = None;
        for (ladder, heap) in &mut self.queues {
            while heap.peek().is_some_and(|head| !is_live(&head.0)) {
                heap.pop();
            }
            let Some(Reverse(head)) = heap.peek().copied() else { continue };
            if best.is_none_or(|(_, entry)| head < entry) && offers(ladder, &head) {
                best = Some((ladder, head));
            }
        }
        let (ladder, entry) = best.map(|(l, e)| (l.clone(), e))?;
        if let Some(heap) = self.queues.get_mut(&ladder) {
            heap.pop();
            if heap.is_empty() {
                self.queues.remove(&ladder);
            } else if heap.len() * 4 < heap.capacity() {
                heap.shrink_to(heap.len() * 2);
            }
        }
        Some((ladder, entry))
    }

    /// Forgets queues in which nothing is left.
    pub(crate) fn tidy(&mut self) {
        self.queues.retain(|_, heap| !heap.is_empty());
    }

    /// Drops disowned entries that have not surfaced, where they have become more than a few for each open delivery.
    pub(crate) fn prune(&mut self, open: usize, is_live: impl Fn(&Entry) -> bool) {
        let most = open.saturating_mul(LANES_USUAL).saturating_add(STALE_ALLOWED);
        if self.queues.values().map(BinaryHeap::len).sum::<usize>() <= most {
            return;
        }
        for heap in self.queues.values_mut() {
            heap.retain(|Reverse(entry)| is_live(entry));
            heap.shrink_to_fit();
        }
        self.tidy();
    }

    /// Says whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Returns every gateway that a waiting delivery could take.
    pub(crate) fn wanted(&self) -> GatewaySet {
        self.queues
            .keys()
            .filter_map(|ladder| ladder.levels.last())
            .fold(GatewaySet::EMPTY, |all, level| all.or(*level))
    }
}
