//! What receipts teach, and what it means that they do not come.

use super::Core;
use super::channel::{GatewayId, GatewaySet};
use super::gateway::Receipts;
use super::message::Severity;
use super::outcome::{Outcome, Reason};
use super::receipts::{EVERYWHERE, RegionId};
use super::record::{Kept, Needles, Repeat};
use super::slab::Handle;
use super::time::Span;
use super::view::State;

/// Nothing is learned of how long receipts take while more than this lies at the provider.
const QUIET: Span = Span::from_secs(1);

impl Core {
    /// Notes that a receipt came, after so long.
    pub(super) fn learn_receipt(&mut self, row: Handle, gateway: GatewayId, repeat: Repeat, lag: Span) {
        if !tells(repeat) {
            return;
        }
        if let Some(region) = self.region_of(row) {
            self.receipts.unwatch(gateway, region, self.now - lag, true, self.now);
        }
    }

    /// Notes that an attempt is not watched any longer, and had no receipt at this age.
    pub(super) fn unwatch_receipt(&mut self, row: Handle, gateway: GatewayId, repeat: Repeat, age: Span) {
        if !tells(repeat) {
            return;
        }
        if let Some(region) = self.region_of(row) {
            self.receipts.unwatch(gateway, region, self.now - age, false, self.now);
        }
    }

    /// Learns from an answer whether people have an account there.
    pub(super) fn learn_account(&mut self, row: Handle, gateway: GatewayId, outcome: &Outcome) {
        let has = match outcome {
            Outcome::Accepted { .. } => true,
            Outcome::Rejected { reason: Reason::NotOnChannel } => false,
            _ => return,
        };
        if let Some(region) = self.region_of(row) {
            self.receipts.account(gateway, region, has);
        }
    }

    fn region_of(&self, row: Handle) -> Option<RegionId> {
        let row = self.rows.get(row)?;
        Some(self.messages.get(row.message)?.classes.get(row.class as usize)?.region)
    }

    /// Waits for the receipt of an attempt that was taken just now.
    pub(super) fn watch_receipt(&mut self, row: Handle, gateway: GatewayId, repeat: Repeat) {
        let known = self.fleet.get(gateway);
        let gives = tells(repeat) && known.is_some_and(|g| g.config.receipts != Receipts::None);
        if let Some(region) = self.region_of(row).filter(|_| gives) {
            let queue = known.map_or(Span::ZERO, |g| g.capacity.queue(self.now));
            self.receipts.watch(gateway, region, queue, self.now);
        }
    }

    /// Takes what was kept of receipts.
    pub(super) fn remember_receipts(&mut self, gateway: GatewayId, kept: &Kept) {
        let region = self.receipts.region(Some(kept.region.as_str()).filter(|name| !name.is_empty()));
        // What was declared of the whole gateway says nothing of when its receipts began to be missed.
        let since = kept.needles.down_since.filter(|_| !kept.region.is_empty());
        self.receipts.recall(gateway, region, &kept.needles, since, self.now);
        if since.is_some() {
            self.slices.recall(gateway, region, self.now);
        }
    }

    /// Returns the regions of which something is to be kept anew.
    pub(super) fn new_of_regions(&mut self) -> Vec<Kept> {
        let fresh = self.receipts.take_dirty();
        let regions = fresh.into_iter().filter(|(_, region)| *region != EVERYWHERE);
        let kept = regions.filter_map(|(gateway, region)| {
            let down_since = self.slices.down_since(gateway, region);
            let mut needles = Needles { at: self.now, down_since, ..Needles::default() };
            self.receipts.keep(gateway, region, &mut needles);
            let region = self.receipts.region_name(region).to_owned();
            Some(Kept { gateway: self.fleet.get(gateway)?.config.name.clone(), region, needles })
        });
        kept.collect()
    }

    /// Weighs the receipts that do not come.
    pub(super) fn weigh_silence(&mut self) {
        let fleet = &self.fleet;
        let void = |gateway| fleet.is_void(gateway);
        let now = self.now;
        // An outage must not teach that silence is normal; and how long a crowd's messages take is the crowd's doing.
        let learns = |gateway| {
            let is_up = matches!(fleet.state(gateway), State::Up | State::Unknown);
            is_up && fleet.get(gateway).is_none_or(|g| g.capacity.queue(now) < QUIET)
        };
        let weighed = self.receipts.beat(void, learns, self.slices.accused(), now);
        let is_due = !weighed.is_empty();
        for (gateway, needle) in weighed {
            if let Some(g) = self.fleet.get_mut(gateway) {
                g.cell.silence(needle, now);
                self.judge_one(gateway);
            }
        }
        if is_due {
            self.judge_slices();
        }
    }

    /// Judges anew what silence says of a gateway, after a canary.
    pub(super) fn silence_moved(&mut self, gateway: GatewayId) {
        let (needle, now) = (self.receipts.needle(gateway, self.slices.accused()), self.now);
        if let Some(g) = self.fleet.get_mut(gateway) {
            g.cell.silence(needle, now);
        }
        self.judge_one(gateway);
        self.judge_slices();
    }

    /// Returns the gateways that keep silent in the region of a delivery and are not to carry it, where another is good.
    pub(super) fn silent_for(
        &mut self,
        region: RegionId,
        severity: Severity,
        offered: GatewaySet,
    ) -> GatewaySet {
        let silent: GatewaySet = offered.iter().filter(|g| self.receipts.is_silent(*g, region)).collect();
        // Where no road is known to work, it may be the region: none of them is worse than another.
        let (others, now) = (offered.without(silent).and(self.tiers.good), self.now);
        if silent.is_empty() || !others.iter().any(|gateway| self.receipts.is_fine(gateway, region, now)) {
            return GatewaySet::EMPTY;
        }
        let stays = |gateway: &GatewayId| {
            severity == Severity::Extreme || !self.receipts.scout(*gateway, region, now)
        };
        silent.iter().filter(stays).collect()
    }
}

/// Says whether an attempt's receipt tells of its road. One that was made because another road kept silent goes to people of
/// whom many are not there at all: their silence is not its fault.
fn tells(repeat: Repeat) -> bool {
    !matches!(repeat, Repeat::AfterWait | Repeat::AfterUnknown)
}
