//! Draws by name: a uniform number that follows from the seed and the draw's name, whatever was drawn before.
//!
//! Cites: FNV-1a, 64 bits (its offset and prime); SplitMix64 (Steele, Lea, Flood 2014).

use std::fmt::{self, Display, Write};

const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01B3;
/// No draw of a time is longer than so many medians.
const TAIL_MAX: f64 = 100.0;

/// A name under way: what it begins with is hashed once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name(u64);

/// Log-logistic times: the median in milliseconds, and the shape.
pub(super) type Times = [f64; 2];

impl Name {
    /// Begins the names of a world with this seed.
    pub(super) fn of_seed(seed: u64) -> Name {
        Name(FNV_OFFSET).with(format_args!("{seed}|"))
    }

    /// Returns the name with this behind it.
    pub(super) fn with(self, part: impl Display) -> Name {
        let mut hashing = self;
        // Hashing takes every text.
        let _ = write!(hashing, "{part}");
        hashing
    }

    /// Draws a number between 0 and 1, both left out.
    pub(super) fn uniform(self) -> f64 {
        ((mix(self.0) >> 11) as f64 + 0.5) * 2f64.powi(-53)
    }

    /// Draws a time in seconds.
    pub(super) fn seconds(self, [median, shape]: Times) -> f64 {
        let u = self.uniform();
        (median * (u / (1.0 - u)).powf(1.0 / shape)).min(TAIL_MAX * median) / 1000.0
    }
}

impl Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = text.bytes().fold(self.0, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
        Ok(())
    }
}

fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cites: the format's own test vectors.
    #[test]
    fn the_draws_are_those_of_the_format() {
        for (seed, name, value) in [
            (1, "rcpt|0|region", 0.249_596_329_086_158),
            (20_211_004, "load|alert|0|t", 0.729_904_886_861_439),
            (20_211_004, "send|alert|0|whatsapp|0|dns", 0.561_678_682_376_625),
            (42, "probe|sms|vp-a|7|http", 0.749_939_708_305_187),
        ] {
            let drawn = Name::of_seed(seed).with(name).uniform();
            assert!((drawn - value).abs() < 1e-15, "{seed} {name}: {drawn}");
        }
    }
}
