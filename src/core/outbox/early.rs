//! Receipts that came before the answer to their attempt: kept for a while, then given up as strays.

use crate::core::channel::GatewayId;
use crate::core::outcome::{Receipt, ReceiptRef};
use crate::core::time::{Span, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// The most early receipts kept; beyond it the oldest is given up.
const EARLY_MAX: usize = 10_000;
/// How long one is kept: longer than any answer may take.
const EARLY_FOR: Span = Span::from_secs(30);

/// A receipt with the time it came.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) gateway: GatewayId,
    pub(crate) receipt: Receipt,
    pub(crate) at: Timestamp,
}

/// The buffer.
#[derive(Debug, Default)]
pub(crate) struct Early {
    by_age: VecDeque<Option<Waiting>>,
    /// The place of each, counted from the first ever kept.
    by_id: BTreeMap<(GatewayId, String), Vec<u64>>,
    dropped: u64,
}

impl Early {
    /// Keeps a receipt; returns the one that had to go for it.
    pub(crate) fn keep(&mut self, waiting: Waiting) -> Option<Waiting> {
        let Some(id) = provider_id(&waiting.receipt) else { return Some(waiting) };
        let place = self.dropped + self.by_age.len() as u64;
        self.by_id.entry((waiting.gateway, id)).or_default().push(place);
        self.by_age.push_back(Some(waiting));
        if self.by_age.len() > EARLY_MAX { self.drop_first() } else { None }
    }

    /// Takes the receipts that wait for this provider id, oldest first.
    pub(crate) fn take(&mut self, gateway: GatewayId, id: &str) -> Vec<Waiting> {
        if self.by_id.is_empty() {
            return Vec::new();
        }
        let places = self.by_id.remove(&(gateway, id.to_owned())).unwrap_or_default();
        places
            .into_iter()
            .filter_map(|place| self.by_age.get_mut((place - self.dropped) as usize)?.take())
            .collect()
    }

    /// Takes the first receipt that has waited long enough.
    pub(crate) fn give_up(&mut self, now: Timestamp) -> Option<Waiting> {
        loop {
            match self.by_age.front()? {
                None => drop(self.drop_first()),
                Some(first) if first.at + EARLY_FOR <= now => return self.drop_first(),
                Some(_) => return None,
            }
        }
    }

    /// Returns when the next is to be given up.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_age.iter().flatten().next().map(|first| first.at + EARLY_FOR)
    }

    fn drop_first(&mut self) -> Option<Waiting> {
        let first = self.by_age.pop_front()?;
        self.dropped += 1;
        let gone = first?;
        if let Some(id) = provider_id(&gone.receipt) {
            let key = (gone.gateway, id);
            if let Some(places) = self.by_id.get_mut(&key) {
                places.retain(|place| *place >= self.dropped);
                if places.is_empty() {
                    self.by_id.remove(&key);
                }
            }
        }
        Some(gone)
    }
}

/// Returns the provider's id that a receipt names.
fn provider_id(receipt: &Receipt) -> Option<String> {
    match &receipt.of {
        ReceiptRef::Provider(id) | ReceiptRef::Both(id, _) => Some(id.clone()),
        ReceiptRef::Attempt(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::outcome::ReceiptKind;

    fn receipt(id: &str, ms: i64) -> Waiting {
        let of = ReceiptRef::Provider(id.into());
        let receipt = Receipt { of, kind: ReceiptKind::Delivered, reason: None, at: None };
        Waiting { gateway: GatewayId(1), receipt, at: Timestamp::from_ms(ms) }
    }

    #[test]
    fn a_receipt_waits_for_its_answer_and_is_given_up_in_the_end() {
        let mut early = Early::default();
        for (id, ms) in [("a", 0), ("b", 1), ("a", 2)] {
            assert!(early.keep(receipt(id, ms)).is_none());
        }
        assert_eq!(early.take(GatewayId(1), "a").len(), 2);
        assert!(early.take(GatewayId(1), "a").is_empty());
        assert!(early.give_up(Timestamp::from_ms(30_000)).is_none());
        assert!(early.give_up(Timestamp::from_ms(30_001)).is_some());
        assert!(early.next().is_none() && early.by_id.is_empty());
    }

    #[test]
    fn the_buffer_is_bounded() {
        let mut early = Early::default();
        let lost = (0..EARLY_MAX + 5).filter_map(|n| early.keep(receipt(&n.to_string(), n as i64))).count();
        assert_eq!((lost, early.by_id.len()), (5, EARLY_MAX));
    }
}
