//! A small seeded generator, so that ids and jitter come from the seed alone.

/// SplitMix64. Cites: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Starts from a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Rng(seed)
    }

    /// Draws 64 bits.
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Draws a number below `bound`; 0 where the bound is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The multiply-shift keeps the bias below 2^-32 for every bound used here.
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }
}
