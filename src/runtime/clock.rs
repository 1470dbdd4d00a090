//! The service's clock: steady, never back, and drawn towards the wall clock without a leap.
//!
//! The core's due times are UTC and survive a restart, so its clock must stay near the wall's; yet a wall clock that
//! is set an hour ahead must not expire the outbox, and one set back must not stop it. So the service's time runs with
//! the time since boot (which counts a suspended machine's sleep) and closes the gap to the wall by at most
//! 50 ms a second. A leap is told to the core once, as an input. A machine that has just booted is the exception: one
//! without a battery-backed clock comes up in the past and leaps to the present once it hears the time, and believing
//! the past would send what has long expired.
//!
//! Invariant: no reading is earlier than one before it.

use crate::core::time::{Span, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use std::sync::{Mutex, PoisonError};

/// A wall clock that moved by less against the steady one is being disciplined, not set. NTP steps from 128 ms on;
/// a second keeps a busy machine's late reading out.
const JUMP_MICROS: i64 = 1_000_000;
/// One part in this many: how fast the gap to the wall closes. Time-outs stay true to 5 %.
const SLEW_PART: i64 = 20;

/// A machine that has been up for less may still be learning what time it is.
const BOOTING_MICROS: i64 = 15 * 60 * 1_000_000;

/// Where time comes from; tests and replays bring their own.
pub trait Source: Send + Sync {
    /// Returns the microseconds since the machine was booted; never goes back, and counts a machine's sleep.
    fn steady_micros(&self) -> i64;
    /// Returns the microseconds since 1970 as the wall clock has them.
    fn wall_micros(&self) -> i64;
}

/// The operating system's clocks.
#[derive(Debug)]
pub struct Os;

/// The service's clock.
pub struct Clock {
    source: Box<dyn Source>,
    hand: Mutex<Hand>,
}

#[derive(Clone, Copy, Debug)]
struct Hand {
    /// What was read last.
    now: i64,
    steady: i64,
    /// The wall's lead over the steady clock when last seen.
    offset: i64,
    /// Leaps not yet told to the core.
    jumped: i64,
}

impl Clock {
    /// Starts a clock at the wall's time, but not before `earliest`: the highest time that the store carries.
    pub fn new(source: Box<dyn Source>, earliest: Timestamp) -> Clock {
        let (steady, wall) = (source.steady_micros(), source.wall_micros());
        let now = wall.max(earliest.ms().saturating_mul(1000));
        Clock { source, hand: Mutex::new(Hand { now, steady, offset: wall - steady, jumped: 0 }) }
    }

    /// Returns the time now.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.read().now / 1000)
    }

    /// Moves the clock on to `earliest` if it is behind: what is stored must never lie ahead of it.
    pub fn not_before(&self, earliest: Timestamp) {
        let mut hand = self.hand.lock().unwrap_or_else(PoisonError::into_inner);
        hand.now = hand.now.max(earliest.ms().saturating_mul(1000));
    }

    /// Returns by how much the wall clock leapt since this was last asked, if it did.
    pub fn take_jump(&self) -> Option<Span> {
        self.read();
        let mut hand = self.hand.lock().unwrap_or_else(PoisonError::into_inner);
        let jumped = std::mem::take(&mut hand.jumped);
        (jumped != 0).then(|| Span::from_ms(jumped / 1000))
    }

    /// Returns how far the wall clock is ahead.
    pub fn skew(&self) -> Span {
        let hand = self.read();
        Span::from_ms((hand.steady + hand.offset - hand.now) / 1000)
    }

    fn read(&self) -> Hand {
        let mut hand = self.hand.lock().unwrap_or_else(PoisonError::into_inner);
        let (steady, wall) = (self.source.steady_micros(), self.source.wall_micros());
        hand.advance(steady, wall);
        *hand
    }
}

impl Hand {
    fn advance(&mut self, steady: i64, wall: i64) {
        let passed = (steady - self.steady).max(0);
        self.steady = self.steady.max(steady);
        let offset = wall - self.steady;
        if (offset - self.offset).abs() >= JUMP_MICROS {
            self.jumped += offset - self.offset;
            if offset > self.offset && self.steady < BOOTING_MICROS {
                self.now = self.now.max(wall - passed);
            }
        }
        self.offset = offset;
        let gap = wall - (self.now + passed);
        self.now += passed + gap.clamp(-passed / SLEW_PART, passed / SLEW_PART);
    }
}

impl Source for Os {
    fn steady_micros(&self) -> i64 {
        let time = clock_gettime(ClockId::Boottime);
        time.tv_sec * 1_000_000 + time.tv_nsec / 1000
    }

    fn wall_micros(&self) -> i64 {
        let time = clock_gettime(ClockId::Realtime);
        time.tv_sec * 1_000_000 + time.tv_nsec / 1000
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({:?})", self.hand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

    #[derive(Clone, Default)]
    struct ByHand(Arc<(AtomicI64, AtomicI64)>);

    impl ByHand {
        fn pass(&self, ms: i64) {
            self.0.0.fetch_add(ms * 1000, Relaxed);
            self.0.1.fetch_add(ms * 1000, Relaxed);
        }
        fn set_wall(&self, by_ms: i64) {
            self.0.1.fetch_add(by_ms * 1000, Relaxed);
        }
    }

    impl Source for ByHand {
        fn steady_micros(&self) -> i64 {
            self.0.0.load(Relaxed)
        }
        fn wall_micros(&self) -> i64 {
            self.0.1.load(Relaxed)
        }
    }

    /// A machine that has been up for a day.
    fn start() -> (ByHand, Clock) {
        let source = ByHand::default();
        source.0.0.fetch_add(24 * 3_600_000_000, Relaxed);
        source.set_wall(1_000_000);
        let clock = Clock::new(Box::new(source.clone()), Timestamp::default());
        (source, clock)
    }

    #[test]
    fn time_passes_as_it_passes() {
        let (source, clock) = start();
        assert_eq!(clock.now().ms(), 1_000_000);
        source.pass(1_500);
        assert_eq!((clock.now().ms(), clock.take_jump()), (1_001_500, None));
    }

    #[test]
    fn a_clock_set_ahead_is_told_once_and_caught_up_slowly() {
        let (source, clock) = start();
        source.set_wall(3_600_000);
        assert_eq!(clock.now().ms(), 1_000_000);
        assert_eq!(clock.take_jump(), Some(Span::from_hours(1)));
        assert_eq!(clock.take_jump(), None);
        source.pass(1_000);
        assert_eq!(clock.now().ms(), 1_001_050);
        source.pass(100 * 3_600_000);
        assert_eq!(clock.skew(), Span::ZERO);
    }

    #[test]
    fn a_clock_set_back_neither_stops_nor_reverses_it() {
        let (source, clock) = start();
        source.set_wall(-500_000);
        assert_eq!(clock.take_jump(), Some(Span::from_ms(-500_000)));
        source.pass(1_000);
        assert_eq!(clock.now().ms(), 1_000_950);
        assert_eq!(clock.skew().ms(), -500_000 + 50);
    }

    #[test]
    fn a_machine_that_has_just_booted_believes_the_first_time_it_hears() {
        let source = ByHand::default();
        source.set_wall(1_000_000);
        let clock = Clock::new(Box::new(source.clone()), Timestamp::default());
        source.pass(60_000);
        source.set_wall(6 * 3_600_000);
        assert_eq!(clock.now().ms(), 1_060_000 + 6 * 3_600_000);
        assert_eq!(clock.take_jump(), Some(Span::from_hours(6)));
        source.set_wall(-3_600_000);
        source.pass(1_000);
        assert_eq!(clock.now().ms(), 1_060_950 + 6 * 3_600_000, "never back");
    }

    #[test]
    fn a_small_correction_is_no_jump() {
        let (source, clock) = start();
        source.set_wall(-400);
        assert_eq!(clock.take_jump(), None);
    }

    #[test]
    fn it_starts_no_earlier_than_the_store() {
        let source = ByHand::default();
        let clock = Clock::new(Box::new(source), Timestamp::from_ms(77_000));
        assert_eq!(clock.now().ms(), 77_000);
        clock.not_before(Timestamp::from_ms(99_000));
        assert_eq!(clock.now().ms(), 99_000);
    }
}
