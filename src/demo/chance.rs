//! Chance that is the same in every run: one uniform for each named draw, whatever the order of events.
//!
//! The draws are those of the scenario format, so that a plan, the world it meets and the yardstick beside it share
//! them. See `scenarios/README.md`, section 4.

/// A latency's tail is cut at this many medians. Cites: the scenario format.
const TAIL_MEDIANS: f64 = 100.0;

/// Draws by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// Returns the draw of this name, above 0 and below 1.
    pub(crate) fn roll(self, key: &str) -> f64 {
        let text = format!("{}|{key}", self.0);
        // Cites: FNV-1a, 64 bits.
        let hash = text.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        // The upper 53 bits fit a double exactly.
        ((mix(hash) >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }

    /// Returns a number below `size`; 0 where there is nothing to choose from.
    pub(crate) fn pick(self, key: &str, size: usize) -> usize {
        ((self.roll(key) * size as f64) as usize).min(size.saturating_sub(1))
    }

    /// Returns a log-logistic time in seconds from `[median in ms, shape]`.
    pub(crate) fn seconds(self, key: &str, [median, shape]: [f64; 2]) -> f64 {
        let u = self.roll(key);
        (median * (u / (1.0 - u)).powf(1.0 / shape)).min(median * TAIL_MEDIANS) / 1000.0
    }
}

// Cites: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
fn mix(hash: u64) -> u64 {
    let mut z = hash.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_draws_as_the_format_says() {
        let check = |seed, key: &str, expected: f64| {
            assert!((Chance(seed).roll(key) - expected).abs() < 1e-12, "{key}");
        };
        // Cites: the format's test vectors.
        check(1, "rcpt|0|region", 0.249_596_329_086_158);
        check(20_211_004, "load|alert|0|t", 0.729_904_886_861_439);
        check(20_211_004, "send|alert|0|whatsapp|0|dns", 0.561_678_682_376_625);
        check(42, "probe|sms|vp-a|7|http", 0.749_939_708_305_187);
    }

    #[test]
    fn a_time_has_its_median_and_its_end() {
        let times: Vec<f64> = (0..2_000).map(|n| Chance(7).seconds(&n.to_string(), [200.0, 2.0])).collect();
        let under = times.iter().filter(|t| **t < 0.2).count();
        assert!((900..1_100).contains(&under), "{under}");
        assert!(times.iter().all(|t| *t <= 20.0));
    }
}
