//! Random tests that can be run again: a small generator, and the seed printed where one fails.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

/// A small generator. Cites: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (SplitMix64).
pub struct Rng(u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// The seed of the first round: `SEED`, or another one each time.
pub fn base_seed() -> u64 {
    number("SEED").unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
    })
}

/// How many rounds to run: the environment's word, else one if a seed is given, else `default`.
pub fn rounds(name: &str, default: u64) -> u64 {
    number(name).unwrap_or(if number("SEED").is_some() { 1 } else { default })
}

/// Runs a round, and prints its seed if it fails.
pub fn with_seed(seed: u64, round: impl FnOnce(&mut Rng)) {
    let ran = catch_unwind(AssertUnwindSafe(|| round(&mut Rng(seed))));
    if let Err(panic) = ran {
        eprintln!("run it again with SEED={seed}");
        resume_unwind(panic);
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}
