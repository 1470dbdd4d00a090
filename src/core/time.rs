//! Time as data: instants and lengths in milliseconds, passed in by the caller.
//!
//! Invariant: nothing here reads a clock. Due times are UTC and survive a restart, which
//! `std::time::Instant` would not.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A length of time in milliseconds; may be negative (a clock that went back).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

// === impl Timestamp ===

impl Timestamp {
    /// Later than every due time that a message can have.
    pub const FAR: Timestamp = Timestamp(i64::MAX);

    /// Builds an instant from milliseconds since the epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Timestamp(ms)
    }

    /// Returns the milliseconds since the epoch.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Returns the time from `earlier` to `self`, never below zero.
    pub fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0))
    }
}

impl Add<Span> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Timestamp {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

// === impl Span ===

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// Builds a length from milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Span(ms)
    }

    /// Builds a length from seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Span(secs.saturating_mul(1000))
    }

    /// Builds a length from minutes.
    pub const fn from_mins(mins: i64) -> Self {
        Span::from_secs(mins.saturating_mul(60))
    }

    /// Builds a length from hours.
    pub const fn from_hours(hours: i64) -> Self {
        Span::from_mins(hours.saturating_mul(60))
    }

    /// Returns the length in milliseconds.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Returns the length in seconds, for metrics.
    pub fn secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Returns the length as the standard library's type; zero where negative.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.max(0) as u64)
    }

    /// Returns this length `times` over, without overflow.
    pub const fn times(self, times: i64) -> Span {
        Span(self.0.saturating_mul(times))
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

/// Writes the two largest units, as `2 h 5 min`, `41 s` or `350 ms`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.max(0);
        let (secs, mins, hours, days) = (ms / 1000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
        match () {
            () if days > 0 && hours % 24 > 0 => write!(f, "{days} d {} h", hours % 24),
            () if days > 0 => write!(f, "{days} d"),
            () if hours > 0 && mins % 60 > 0 => write!(f, "{hours} h {} min", mins % 60),
            () if hours > 0 => write!(f, "{hours} h"),
            () if mins > 0 && secs % 60 > 0 => write!(f, "{mins} min {} s", secs % 60),
            () if mins > 0 => write!(f, "{mins} min"),
            () if secs > 0 && ms % 1000 >= 100 && secs < 10 => write!(f, "{secs}.{} s", ms % 1000 / 100),
            () if secs > 0 => write!(f, "{secs} s"),
            () => write!(f, "{ms} ms"),
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_as_a_person_would_say_it() {
        let check = |ms, expected: &str| assert_eq!(Span::from_ms(ms).to_string(), expected);
        check(0, "0 ms");
        check(350, "350 ms");
        check(1_500, "1.5 s");
        check(41_000, "41 s");
        check(125_000, "2 min 5 s");
        check(7_500_000, "2 h 5 min");
        check(90_000_000, "1 d 1 h");
    }

    #[test]
    fn time_saturates_instead_of_wrapping() {
        assert_eq!(Timestamp::FAR + Span::from_hours(1), Timestamp::FAR);
        assert_eq!(Timestamp::from_ms(5).since(Timestamp::from_ms(9)), Span::ZERO);
    }
}
