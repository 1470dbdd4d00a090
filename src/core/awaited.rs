//! What receipts teach, and what it means that they do not come.

use super::Core;
use super::channel::GatewayId;
use super::outcome::{Outcome, Reason};
use super::receipts::RegionId;
use super::slab::Handle;
use super::time::Span;
use super::view::State;

impl Core {
    /// Takes a receipt's lag into the curve of its road, while that works: an outage must not teach that silence is
    /// normal.
    pub(super) fn learn_receipt(&mut self, row: Handle, gateway: GatewayId, lag: Span) {
        if let Some(region) = self.learns(row, gateway) {
            self.receipts.arrived(gateway, region, lag);
        }
    }

    /// Notes that an attempt is not watched any longer, and had no receipt at this age.
    pub(super) fn unwatch_receipt(&mut self, row: Handle, gateway: GatewayId, age: Span) {
        if let Some(region) = self.learns(row, gateway) {
            self.receipts.censored(gateway, region, age);
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

    /// Returns the region to learn for, where there is something to learn.
    fn learns(&self, row: Handle, gateway: GatewayId) -> Option<RegionId> {
        let is_up = matches!(self.fleet.state(gateway), State::Up | State::Unknown);
        self.region_of(row).filter(|_| is_up)
    }
}
