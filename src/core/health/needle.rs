//! One needle: a clamped sum of log-likelihood ratios (a CUSUM), in hundredths of a deciban.
//!
//! Whole numbers, so that a replay gives the same needle on every machine.

use crate::core::time::{Span, Timestamp};

/// The ceiling of every needle: a needle that climbs for hours must not take hours to come down.
pub(crate) const CEILING: i32 = 87_00;
/// From here on the gateway is in doubt: 100 to 1.
pub(crate) const DOUBT: i32 = 20_00;
/// From here on it may be declared down: a million to 1.
pub(crate) const DECLARE: i32 = 60_00;
/// A needle that is lower by this than so long before is not declared: it may be on its way back. What only trembles, as
/// where one request in five fails, does not fall.
const FALLING: i32 = 5_00;
const STEADY: Span = Span::from_secs(5);

/// What one observation is worth to each needle. Cites: the design's table of likelihood ratios (probe failed +20,
/// fine -13; flaky +10 and -0.9).
pub(crate) const FAILED: i32 = 20_00;
pub(crate) const FINE: i32 = -13_00;
pub(crate) const FLAKY_FAILED: i32 = 10_00;
pub(crate) const FLAKY_FINE: i32 = -90;

/// A needle with its anchor: since when it has been in doubt without a break.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needle {
    value: i32,
    doubt_since: Option<Timestamp>,
    fell_at: Option<Timestamp>,
    /// Where it stood at some time up to [`STEADY`] ago, and when: good signs between many bad ones do not make it fall.
    stood: (Timestamp, i32),
}

impl Needle {
    /// Returns the needle in hundredths of a deciban.
    pub(crate) fn value(&self) -> i32 {
        self.value
    }

    /// Moves it by what an observation is worth.
    pub(crate) fn add(&mut self, worth: i32, now: Timestamp) {
        self.set(self.value + worth, now);
    }

    /// Sets it, clamped, and keeps the anchor.
    pub(crate) fn set(&mut self, value: i32, now: Timestamp) {
        let value = value.clamp(0, CEILING);
        if now.since(self.stood.0) >= STEADY {
            self.stood = (now, self.value);
        }
        if value < self.value {
            self.fell_at = Some(now);
        }
        self.value = value;
        match (self.value >= DOUBT, self.doubt_since) {
            (true, None) => self.doubt_since = Some(now),
            (false, Some(_)) => self.doubt_since = None,
            _ => {}
        }
    }

    /// Says whether it is to be declared: high with what leans on it, in doubt of itself for the whole dwell, and not falling.
    pub(crate) fn declares(&self, lean: i32, dwell: Span, now: Timestamp) -> bool {
        self.declares_at(lean, dwell).is_some_and(|at| at <= now)
    }

    /// Returns when it will be declared if nothing more is seen.
    pub(crate) fn declares_at(&self, lean: i32, dwell: Span) -> Option<Timestamp> {
        if self.value + lean < DECLARE {
            return None;
        }
        let dwelt = self.doubt_since? + dwell;
        let fell_at = self.fell_at.filter(|_| self.value + FALLING < self.stood.1);
        Some(fell_at.map_or(dwelt, |fell| dwelt.max(fell + STEADY.min(dwell))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    #[test]
    fn three_failures_and_the_dwell_declare() {
        let mut needle = Needle::default();
        let dwell = Span::from_secs(20);
        for secs in [0, 2, 4] {
            needle.add(FAILED, at(secs));
        }
        assert_eq!(needle.value(), DECLARE);
        assert!(!needle.declares(0, dwell, at(19)));
        assert!(needle.declares(0, dwell, at(20)));
    }

    #[test]
    fn one_blip_is_doubt_for_an_instant_and_a_good_check_ends_it() {
        let mut needle = Needle::default();
        needle.add(FAILED, at(0));
        assert_eq!(needle.doubt_since, Some(at(0)));
        needle.add(FINE, at(2));
        assert_eq!((needle.value(), needle.doubt_since), (7_00, None));
    }

    #[test]
    fn good_signs_between_many_bad_ones_do_not_put_it_off() {
        let mut needle = Needle::default();
        for secs in 0..60 {
            needle.add(if secs % 3 == 0 { FLAKY_FAILED } else { FLAKY_FINE }, at(secs));
        }
        assert!(needle.declares(0, Span::from_secs(20), at(60)), "{needle:?}");
    }

    #[test]
    fn a_falling_needle_is_not_declared() {
        let mut needle = Needle::default();
        (0..5).for_each(|s| needle.add(FAILED, at(s)));
        needle.add(FINE, at(30));
        assert!(!needle.declares(0, Span::from_secs(20), at(33)));
        assert!(needle.declares(0, Span::from_secs(20), at(35)));
    }
}
