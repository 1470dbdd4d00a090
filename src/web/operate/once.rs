//! Acts that were confirmed: a form sent twice acts once.
//!
//! Messages have their keys on disk, as programs do; this is for the acts that have none. To repeat one of those after a
//! restart changes nothing but the record.
//!
//! Invariant: at most [`KEYS_MAX`] keys are remembered.

use crate::api::session;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many keys are remembered: what a whole operations room confirms in an hour.
const KEYS_MAX: usize = 1_000;

/// The keys of the last acts.
#[derive(Default)]
pub(crate) struct Once(Mutex<VecDeque<[u8; 32]>>);

impl Once {
    /// Takes a subject's key; false where it was taken before.
    pub(super) fn claim(&self, who: &str, key: &str) -> bool {
        let hash = hash(who, key);
        let mut keys = self.lock();
        if keys.contains(&hash) {
            return false;
        }
        if keys.len() == KEYS_MAX {
            keys.pop_front();
        }
        keys.push_back(hash);
        true
    }

    /// Gives a key back: nothing was done with it.
    pub(super) fn give_back(&self, who: &str, key: &str) {
        let hash = hash(who, key);
        self.lock().retain(|known| *known != hash);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<[u8; 32]>> {
        // Nothing that could panic runs under the lock half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(who: &str, key: &str) -> [u8; 32] {
    session::hash(&format!("{who}\0{key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_once_and_may_be_given_back() {
        let once = Once::default();
        assert!(once.claim("ali", "k"));
        assert!(!once.claim("ali", "k"));
        assert!(once.claim("amal", "k"), "keys are told apart by subject");
        once.give_back("ali", "k");
        assert!(once.claim("ali", "k"));
        (0..KEYS_MAX).for_each(|n| assert!(once.claim("others", &n.to_string())));
        assert!(once.claim("ali", "k"), "the table is bounded");
    }
}
