//! How long to leave alone what failed: drawn by lot from a range that doubles and is bounded, so that gateways that
//! fell together do not come back together.

use ring::rand::{SecureRandom, SystemRandom};
use std::time::Duration;

/// The longest first wait.
const FIRST_MS: u64 = 1_000;

/// The shortest wait: full jitter may draw nothing at all, and what refuses at once would then be asked in a circle.
const LEAST_MS: u64 = 50;

/// The longest wait: a provider that is back is used within a minute.
const MAX_MS: u64 = 60_000;

/// Returns how long to wait after so many failures in a row, from 1.
pub(super) fn back_off(failures: u32) -> Duration {
    let mut lot = [0u8; 8];
    // Without randomness the wait is the shortest of its range, which is still a wait.
    let _ = SystemRandom::new().fill(&mut lot);
    drawn(failures, u64::from_le_bytes(lot))
}

fn drawn(failures: u32, lot: u64) -> Duration {
    let most = (FIRST_MS << failures.saturating_sub(1).min(6)).min(MAX_MS);
    Duration::from_millis((lot % (most + 1)).max(LEAST_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_to_a_minute_and_is_drawn_from_the_whole() {
        for (failures, most_ms) in
            [(0, 1_000), (1, 1_000), (2, 2_000), (5, 16_000), (7, 60_000), (400, 60_000)]
        {
            assert_eq!(drawn(failures, 0).as_millis(), u128::from(LEAST_MS), "{failures}");
            assert_eq!(drawn(failures, most_ms as u64).as_millis(), most_ms, "{failures}");
            assert!(back_off(failures).as_millis() <= most_ms);
        }
    }
}
