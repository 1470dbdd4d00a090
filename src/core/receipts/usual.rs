//! What is usual of a road's receipts besides their curve: that some hours of the day give fewer, and in how large groups
//! they come.

use super::curve::HELD_FOR;
use crate::core::time::Timestamp;

/// Hours of a day, by UTC: what people do at an hour is the same each day, whatever it is called there.
const HOURS: usize = 24;
const HOUR_MS: i64 = 3_600_000;
/// An hour is taken to be like all others as by so many expected receipts; when so many are counted, they are halved.
const HOUR_PRIOR: f32 = 50.0;
const HOUR_WINDOW: f32 = 1_000.0;
/// An hour gives so little or so much of the others' receipts at most: what is beyond is no habit.
const HOUR_MIN: f32 = 0.5;
const HOUR_MAX: f32 = 1.5;
/// Receipts come in groups: their number varies so many times as much as that of receipts on their own, as is believed,
/// and at most. Cites: the design, which assumes 1.5 and has it measured.
pub(super) const DISPERSION: f32 = 1.5;
const DISPERSION_MAX: f32 = 4.0;
/// It is measured over so many expected receipts at a time, and what is believed counts as so many times.
const BLOCK: f32 = 5.0;
const BLOCKS_PRIOR: f32 = 40.0;
const BLOCKS_WINDOW: f32 = 400.0;
/// No one time tells more: a fault that is not known yet is no habit either.
const BLOCK_MOST: f32 = 9.0;

/// What a road is used to.
#[derive(Clone, Debug, Default)]
pub(super) struct Usual {
    /// Receipts that came in each hour of the day, and how many were expected.
    hours: [[f32; 2]; HOURS],
    /// How far off blocks were, squared, against what was expected; and how many blocks.
    spread: f32,
    blocks: f32,
    /// The block that is being filled: what came, and what was expected.
    block: [f32; 2],
    /// What was counted lately, and since when the newer half is.
    since: Timestamp,
    held: [Part; 2],
}

/// What was counted within some minutes.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    receipts: [f32; 2],
    spread: f32,
    blocks: f32,
}

fn hour_of(at: Timestamp) -> usize {
    at.ms().div_euclid(HOUR_MS).rem_euclid(HOURS as i64) as usize
}

impl Usual {
    /// Returns how many receipts this hour gives, of what others do.
    pub(super) fn share(&self, now: Timestamp) -> f32 {
        let [came, expected] = self.hours[hour_of(now)];
        ((came + HOUR_PRIOR) / (expected + HOUR_PRIOR)).clamp(HOUR_MIN, HOUR_MAX)
    }

    /// Returns how much more the number of receipts varies than if each came on its own.
    pub(super) fn dispersion(&self) -> f32 {
        let measured = (self.spread + DISPERSION * BLOCKS_PRIOR) / (self.blocks + BLOCKS_PRIOR);
        measured.clamp(DISPERSION, DISPERSION_MAX)
    }

    /// Takes what came since the last time, and how many were expected of an hour like any other.
    pub(super) fn count(&mut self, came: f32, expected: f32, now: Timestamp) {
        while now.since(self.since) >= HELD_FOR {
            let is_long_ago = now.since(self.since) >= HELD_FOR + HELD_FOR + HELD_FOR;
            let old = self.held[0];
            self.take(old);
            self.since = if is_long_ago { now } else { self.since + HELD_FOR };
            self.held = [self.held[1], Part::default()];
        }
        let share = self.share(now);
        let newer = &mut self.held[1];
        newer.receipts = [newer.receipts[0] + came, newer.receipts[1] + expected];
        self.block = [self.block[0] + came, self.block[1] + expected * share];
        let [came, expected] = self.block;
        if expected >= BLOCK {
            newer.spread += ((came - expected).powi(2) / expected).min(BLOCK_MOST);
            newer.blocks += 1.0;
            self.block = [0.0; 2];
        }
    }

    /// Forgets what was counted lately: something was wrong.
    pub(super) fn drop(&mut self) {
        (self.held, self.block) = Default::default();
    }

    fn take(&mut self, part: Part) {
        let hour = &mut self.hours[hour_of(self.since)];
        *hour = [hour[0] + part.receipts[0], hour[1] + part.receipts[1]];
        if hour[1] > HOUR_WINDOW {
            *hour = hour.map(|count| count / 2.0);
        }
        (self.spread, self.blocks) = (self.spread + part.spread, self.blocks + part.blocks);
        if self.blocks > BLOCKS_WINDOW {
            (self.spread, self.blocks) = (self.spread / 2.0, self.blocks / 2.0);
        }
    }

    /// Returns what is to be kept, in hundredths: came and expected of each hour, then the spread and its blocks; empty
    /// while nothing is known.
    pub(super) fn keep(&self) -> Vec<u32> {
        if self.blocks == 0.0 && self.hours.iter().all(|hour| hour[1] == 0.0) {
            return Vec::new();
        }
        let counts = self.hours.iter().flatten().chain([&self.spread, &self.blocks]);
        counts.map(|count| (count * 100.0).round() as u32).collect()
    }

    /// Takes what was kept.
    pub(super) fn recall(kept: &[u32], now: Timestamp) -> Usual {
        let count = |at: usize| kept.get(at).map_or(0.0, |count| *count as f32 / 100.0);
        Usual {
            hours: std::array::from_fn(|hour| [count(2 * hour), count(2 * hour + 1)]),
            spread: count(2 * HOURS),
            blocks: count(2 * HOURS + 1),
            since: now,
            ..Usual::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten days of a receipt expected every six seconds, of which at night only so many in a hundred come.
    fn nights(of_hundred: u32) -> Usual {
        let mut usual = Usual::default();
        for beat in 0..10 * 24 * 600_i64 {
            let now = Timestamp::from_ms(beat * 6_000);
            let share = if hour_of(now) < 6 { of_hundred } else { 100 };
            let came = if (beat * 61 % 100) < i64::from(share) { 1.0 } else { 0.0 };
            usual.count(came, 1.0, now);
        }
        usual
    }

    #[test]
    fn a_night_that_gives_fewer_receipts_is_known_by_its_hour() {
        let usual = nights(70);
        let at = |hour: i64| usual.share(Timestamp::from_ms(hour * HOUR_MS));
        assert!((at(3) - 0.7).abs() < 0.06, "{}", at(3));
        assert!((at(12) - 1.0).abs() < 0.02, "{}", at(12));
        let again = Usual::recall(&usual.keep(), Timestamp::default());
        assert!((again.share(Timestamp::from_ms(3 * HOUR_MS)) - at(3)).abs() < 0.001);
    }

    #[test]
    fn receipts_in_groups_tell_less() {
        let (mut alone, mut groups) = (Usual::default(), Usual::default());
        let mut rng = crate::core::rng::Rng::new(7);
        for beat in 0..40_000_i64 {
            let now = Timestamp::from_ms(beat * 1_000);
            let comes = |rng: &mut crate::core::rng::Rng, one_in: u64| rng.below(one_in) == 0;
            alone.count(if comes(&mut rng, 2) { 1.0 } else { 0.0 }, 0.5, now);
            groups.count(if comes(&mut rng, 12) { 6.0 } else { 0.0 }, 0.5, now);
        }
        assert_eq!(alone.dispersion(), DISPERSION);
        assert!(groups.dispersion() > 2.5, "{}", groups.dispersion());
    }

    #[test]
    fn what_was_counted_just_before_a_fault_is_not_learned() {
        let mut usual = Usual::default();
        for beat in 0..900 {
            usual.count(0.0, 1.0, Timestamp::from_ms(beat * 1_000));
        }
        usual.drop();
        usual.count(0.0, 0.0, Timestamp::from_ms(3_600_000));
        assert_eq!((usual.dispersion(), usual.share(Timestamp::default())), (DISPERSION, 1.0));
    }
}
