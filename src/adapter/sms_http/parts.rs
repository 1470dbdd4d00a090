//! Which parts of a long text have arrived, for providers that tell of each part by itself: a text is delivered once all
//! of its parts are.
//!
//! Limit: [`MESSAGES_MAX`] messages, the oldest forgotten first; nothing is stored. After a restart, or when forgotten,
//! the first part's receipt stands for the whole. A provider that divides a text otherwise than the standard does is
//! believed too early or not at all: then the delivery ends as handed over.

use crate::core::ids::AttemptId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// The most messages of several parts that are remembered: a mass alert of 100,000, at about 200 bytes each.
const MESSAGES_MAX: usize = 100_000;

/// The memory.
#[derive(Default)]
pub(super) struct Parts(Mutex<Known>);

#[derive(Default)]
struct Known {
    messages: BTreeMap<AttemptId, Message>,
    order: VecDeque<AttemptId>,
}

struct Message {
    total: usize,
    arrived: BTreeSet<String>,
}

impl Parts {
    /// Expects a text of so many parts.
    pub(super) fn expect(&self, attempt: AttemptId, total: usize) {
        if total < 2 {
            return;
        }
        let known = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.messages.insert(attempt, Message { total, arrived: BTreeSet::new() }).is_none() {
            known.order.push_back(attempt);
        }
        while known.order.len() > MESSAGES_MAX
            && let Some(oldest) = known.order.pop_front()
        {
            known.messages.remove(&oldest);
        }
    }

    /// Notes a part that arrived; says whether the whole has. Of what is not known here, one part is the whole. A part
    /// that is told of again changes nothing, so that a call which is repeated is answered as it was before.
    pub(super) fn arrived(&self, attempt: AttemptId, part: &str) -> bool {
        let known = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(message) = known.messages.get_mut(&attempt) else { return true };
        if message.arrived.len() < message.total {
            message.arrived.insert(part.to_owned());
        }
        message.arrived.len() >= message.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{DeliveryId, MessageId};

    fn attempt(index: u32) -> AttemptId {
        AttemptId::new(DeliveryId::new(MessageId::from_bytes([7; 16]), index), 1)
    }

    #[test]
    fn a_text_has_arrived_once_each_part_has() {
        let parts = Parts::default();
        parts.expect(attempt(0), 3);
        for (part, expected) in
            [("a", false), ("a", false), ("b", false), ("a", false), ("c", true), ("c", true)]
        {
            assert_eq!(parts.arrived(attempt(0), part), expected, "{part}");
        }
        parts.expect(attempt(1), 1);
        assert!(parts.arrived(attempt(1), "a") && parts.arrived(attempt(2), "a"));
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let parts = Parts::default();
        for index in 0..=MESSAGES_MAX as u32 {
            parts.expect(attempt(index), 2);
        }
        assert!(parts.arrived(attempt(0), "a"), "forgotten");
        assert!(!parts.arrived(attempt(1), "a"), "remembered");
        let known = parts.0.lock().expect("no test panics within");
        assert_eq!((known.messages.len(), known.order.len()), (MESSAGES_MAX, MESSAGES_MAX));
    }
}
