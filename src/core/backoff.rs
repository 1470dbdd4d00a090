//! How long to leave a delivery alone after every permitted gateway failed it.
//!
//! Full jitter: a draw between nothing and the cap of the round, so that a thousand deliveries that failed together
//! do not come back together. Cites: AWS Architecture Blog, "Exponential backoff and jitter", 2015.

use super::rng::Rng;
use super::time::Span;

/// The cap of the first round.
pub(crate) const BACKOFF_BASE: Span = Span::from_secs(1);
/// The cap of every later round.
pub(crate) const BACKOFF_MAX: Span = Span::from_mins(5);
/// Never sooner than this, so that a round costs a turn of its own.
const BACKOFF_MIN: Span = Span::from_ms(100);

/// Draws the wait before round `round` (1 is the first repeat).
pub(crate) fn full_jitter(round: u16, rng: &mut Rng) -> Span {
    let doublings = u32::from(round.saturating_sub(1)).min(30);
    let cap = BACKOFF_BASE.ms().saturating_mul(1 << doublings).min(BACKOFF_MAX.ms());
    Span::from_ms((rng.below(cap as u64 + 1) as i64).max(BACKOFF_MIN.ms()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_with_the_round_and_stays_below_its_cap() {
        let mut rng = Rng::new(1);
        for (round, cap) in [(1, 1_000), (2, 2_000), (9, 256_000), (10, 300_000), (65_535, 300_000)] {
            let waits: Vec<i64> = (0..500).map(|_| full_jitter(round, &mut rng).ms()).collect();
            assert!(waits.iter().all(|w| (100..=cap).contains(w)), "round {round}");
            assert!(waits.iter().any(|w| *w > cap * 9 / 10), "round {round} uses its whole range");
        }
    }
}
