//! Until when single deliveries stay off single gateways, because the provider named a time for that recipient alone.
//!
//! A table beside the rows, which are many and have no room: few deliveries ever have an entry. Where there are more
//! than [`RESTS_MAX`], what comes on top is tried again after the usual back-off. A restart finds the times on disk, with
//! the attempts that they were the answers to.

use crate::core::channel::{GatewayId, GatewaySet};
use crate::core::slab::Handle;
use crate::core::time::Timestamp;
use std::collections::BTreeMap;

/// The most entries: below 5 MB, whatever a provider answers to a million deliveries.
const RESTS_MAX: usize = 100_000;

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Rests {
    until: BTreeMap<(Handle, GatewayId), Timestamp>,
}

impl Rests {
    /// Notes until when a delivery stays off a gateway; the later of two times counts.
    pub(crate) fn put(&mut self, row: Handle, gateway: GatewayId, until: Timestamp) {
        if let Some(known) = self.until.get_mut(&(row, gateway)) {
            *known = until.max(*known);
        } else if self.until.len() < RESTS_MAX {
            self.until.insert((row, gateway), until);
        }
    }

    /// Returns the gateways that a delivery stays off now, and forgets those that it need not any more.
    pub(crate) fn of(&mut self, row: Handle, now: Timestamp) -> GatewaySet {
        let (mut resting, mut over) = (GatewaySet::EMPTY, GatewaySet::EMPTY);
        for (&(_, gateway), &until) in self.until.range(all_of(row)) {
            let side = if until > now { &mut resting } else { &mut over };
            side.insert(gateway);
        }
        for gateway in over.iter() {
            self.until.remove(&(row, gateway));
        }
        resting
    }

    /// Returns when the first of these gateways may be tried again.
    pub(crate) fn first(&self, row: Handle, among: GatewaySet) -> Option<Timestamp> {
        let among = self.until.range(all_of(row)).filter(|((_, gateway), _)| among.has(*gateway));
        among.map(|(_, until)| *until).min()
    }

    /// Forgets a delivery that is over: its handle will be another's.
    pub(crate) fn forget(&mut self, row: Handle) {
        while let Some((key, _)) = self.until.range(all_of(row)).next() {
            let key = *key;
            self.until.remove(&key);
        }
    }
}

fn all_of(row: Handle) -> std::ops::RangeInclusive<(Handle, GatewayId)> {
    (row, GatewayId(0))..=(row, GatewayId(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: GatewayId = GatewayId(0);
    const B: GatewayId = GatewayId(63);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn each_delivery_stays_off_its_own_gateways_until_their_time() {
        let mut rests = Rests::default();
        rests.put(7, A, at(100));
        rests.put(7, B, at(50));
        rests.put(7, B, at(40));
        rests.put(8, A, at(10));
        let both = GatewaySet::one(A).or(GatewaySet::one(B));
        assert_eq!(rests.first(7, both), Some(at(50)));
        assert_eq!(rests.first(7, GatewaySet::one(A)), Some(at(100)));
        assert_eq!(rests.of(7, at(49)), both);
        assert_eq!(rests.of(7, at(50)), GatewaySet::one(A), "it may be tried at its time");
        assert_eq!(rests.of(6, at(0)), GatewaySet::EMPTY);
        rests.forget(7);
        assert_eq!(rests.of(7, at(0)), GatewaySet::EMPTY);
        assert_eq!(rests.of(8, at(0)), GatewaySet::one(A));
    }

    #[test]
    fn the_table_does_not_grow_without_end() {
        let mut rests = Rests::default();
        (0..RESTS_MAX as Handle + 5).for_each(|row| rests.put(row, A, at(1)));
        assert_eq!(rests.until.len(), RESTS_MAX);
        rests.put(0, A, at(9));
        assert_eq!(rests.first(0, GatewaySet::one(A)), Some(at(9)), "what is known is kept up to date");
    }
}
