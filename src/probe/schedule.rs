//! When each probe runs: spread over its interval, with jitter, quicker while in doubt.
//!
//! Each probe has its own place on the grid of its interval, drawn from the seed, so that a hundred probes of 15 s make
//! seven a second and no burst. The first round comes sooner, within [`FIRST_ROUND`], since a service that has just
//! started knows nothing.
//!
//! Limits: [`AT_ONCE_MAX`] run at once; one that is due while it still runs is not started again but waits for its end.
//!
//! Invariant: pure. Time and the seed are arguments.

use crate::core::channel::GatewayId;
use crate::core::effect::Pace;
use crate::core::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The most probes that run at once. In a total outage every probe hangs until its time-outs; 256 are four for each
/// gateway that there can be, and as many sockets.
pub const AT_ONCE_MAX: usize = 256;
/// Within this the first round is spread, however long the intervals are.
pub const FIRST_ROUND: Span = Span::from_secs(2);
/// By how much a run may be off its place, as a share of the interval: 1/20 to either side.
const JITTER_SHARE: i64 = 20;

/// A probe's place in the schedule's list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProbeNo(pub usize);

/// What the schedule needs to know of a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// Its gateway: pace is a gateway's.
    pub gateway: GatewayId,
    /// How often it runs.
    pub interval: Span,
    /// How often it runs while in doubt.
    pub in_doubt: Span,
}

/// When each probe runs.
#[derive(Debug)]
pub struct Schedule {
    slots: Vec<Slot>,
    due: BTreeSet<(Timestamp, ProbeNo)>,
    doubted: BTreeSet<GatewayId>,
    by_gateway: BTreeMap<GatewayId, Vec<ProbeNo>>,
    running: usize,
    at_once: usize,
    dice: Dice,
}

#[derive(Debug)]
struct Slot {
    timing: Timing,
    /// Its place on the grid of its interval.
    anchor: Timestamp,
    state: State,
    /// When it last started.
    started: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Due(Timestamp),
    Running,
}

/// Chance from a seed. Cites: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
#[derive(Debug)]
struct Dice(u64);

// === impls ===

impl Schedule {
    /// Draws each probe's place and the first round. `at_once` bounds how many may run at the same time.
    pub fn new(timings: &[Timing], at_once: usize, seed: u64, now: Timestamp) -> Schedule {
        let mut schedule = Schedule {
            slots: Vec::with_capacity(timings.len()),
            due: BTreeSet::new(),
            doubted: BTreeSet::new(),
            by_gateway: BTreeMap::new(),
            running: 0,
            at_once: at_once.max(1),
            dice: Dice(seed),
        };
        for (place, timing) in timings.iter().enumerate() {
            let no = ProbeNo(place);
            let first = now + schedule.dice.below(timing.interval.min(FIRST_ROUND));
            let anchor = now + schedule.dice.below(timing.interval);
            schedule.slots.push(Slot { timing: *timing, anchor, state: State::Due(first), started: None });
            schedule.due.insert((first, no));
            schedule.by_gateway.entry(timing.gateway).or_default().push(no);
        }
        schedule
    }

    /// Takes the next probe that is due and may run; the caller tells its end by [`Schedule::done`].
    pub fn start(&mut self, now: Timestamp) -> Option<ProbeNo> {
        let (due, no) = *self.due.first()?;
        if due > now || self.running >= self.at_once {
            return None;
        }
        self.due.remove(&(due, no));
        let slot = &mut self.slots[no.0];
        slot.state = State::Running;
        slot.started = Some(now);
        self.running += 1;
        Some(no)
    }

    /// Says that a probe has ended, and sets when it runs next.
    pub fn done(&mut self, no: ProbeNo, now: Timestamp) {
        let Some(slot) = self.slots.get(no.0).filter(|slot| slot.state == State::Running) else { return };
        let started = slot.started.unwrap_or(now);
        self.running = self.running.saturating_sub(1);
        // One that took longer than its interval runs again at once, and never twice at a time.
        let next = self.next(no, started).max(now);
        self.put(no, next);
    }

    /// Changes a gateway's pace. Into doubt, its probes come forward; out of it, each goes back to its place.
    pub fn set_pace(&mut self, gateway: GatewayId, pace: Pace, now: Timestamp) {
        let changed = match pace {
            Pace::Doubt => self.doubted.insert(gateway),
            Pace::Normal => self.doubted.remove(&gateway),
        };
        if !changed {
            return;
        }
        for no in self.by_gateway.get(&gateway).cloned().unwrap_or_default() {
            // Those that run learn of it when they end; those of the first round are early as they are.
            let Slot { state: State::Due(due), started: Some(started), .. } = self.slots[no.0] else {
                continue;
            };
            let next = self.next(no, started).max(now);
            let next = if pace == Pace::Doubt { next.min(due) } else { next };
            self.due.remove(&(due, no));
            self.put(no, next);
        }
    }

    /// Returns when to look again; `None` while nothing is due or everything that is must wait for another's end.
    pub fn next_wake(&self) -> Option<Timestamp> {
        if self.running >= self.at_once {
            return None;
        }
        self.due.first().map(|(due, _)| *due)
    }

    /// Returns how many run.
    pub fn running(&self) -> usize {
        self.running
    }

    fn put(&mut self, no: ProbeNo, due: Timestamp) {
        self.slots[no.0].state = State::Due(due);
        self.due.insert((due, no));
    }

    /// Returns when a probe that started then is to start next.
    fn next(&mut self, no: ProbeNo, started: Timestamp) -> Timestamp {
        let Slot { timing, anchor, .. } = self.slots[no.0];
        if self.doubted.contains(&timing.gateway) {
            return started + timing.in_doubt + self.dice.jitter(timing.in_doubt);
        }
        let interval = timing.interval.ms().max(1);
        // The first place on the grid that leaves at least half an interval of rest.
        let from = started.ms() + interval / 2;
        let place = from + (anchor.ms() - from).rem_euclid(interval);
        Timestamp::from_ms(place) + self.dice.jitter(timing.interval)
    }
}

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a length from zero up to `span`.
    fn below(&mut self, span: Span) -> Span {
        let range = u64::try_from(span.ms()).unwrap_or(0).max(1);
        Span::from_ms((self.roll() % range) as i64)
    }

    /// Returns a length of at most the jitter's share of `span`, to either side.
    fn jitter(&mut self, span: Span) -> Span {
        let most = span.ms() / JITTER_SHARE;
        Span::from_ms(self.below(Span::from_ms(2 * most + 1)).ms() - most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_ms(1_000_000);

    fn timings(gateways: u8, each: usize) -> Vec<Timing> {
        let timing = |gateway| Timing {
            gateway: GatewayId(gateway),
            interval: Span::from_secs(15),
            in_doubt: Span::from_secs(2),
        };
        (0..gateways).flat_map(|g| std::iter::repeat_n(timing(g), each)).collect()
    }

    /// Runs the schedule for some time; each probe takes `took`. Returns when which one started.
    fn run(schedule: &mut Schedule, until: Timestamp, took: Span) -> Vec<(Timestamp, ProbeNo)> {
        let (mut started, mut ends) = (Vec::new(), BTreeSet::new());
        let mut now = START;
        while now < until {
            while let Some(&(end, no)) = ends.first().filter(|(end, _)| *end <= now) {
                ends.remove(&(end, no));
                schedule.done(no, now);
            }
            while let Some(no) = schedule.start(now) {
                started.push((now, no));
                ends.insert((now + took, no));
            }
            now += Span::from_ms(10);
        }
        started
    }

    fn gaps(started: &[(Timestamp, ProbeNo)], no: ProbeNo) -> Vec<i64> {
        let own: Vec<_> = started.iter().filter(|(_, n)| *n == no).map(|(at, _)| at.ms()).collect();
        own.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn probes_are_spread_and_come_once_an_interval() {
        let mut schedule = Schedule::new(&timings(50, 2), AT_ONCE_MAX, 7, START);
        let started = run(&mut schedule, START + Span::from_secs(150), Span::from_ms(50));
        let first: Vec<_> = started.iter().filter(|(at, _)| *at < START + FIRST_ROUND).collect();
        assert_eq!(first.len(), 100, "each runs in the first round");
        // From the second interval on no second has more than a multiple of its share of 100 / 15.
        for second in 15..150 {
            let from = START + Span::from_secs(second);
            let within = |at: Timestamp| at >= from && at < from + Span::from_secs(1);
            let burst = started.iter().filter(|(at, _)| within(*at)).count();
            assert!(burst <= 18, "{burst} in second {second}");
        }
        for no in 0..100 {
            let gaps = gaps(&started, ProbeNo(no));
            assert!((9..=11).contains(&gaps.len()), "{gaps:?}");
            assert!(gaps.iter().skip(1).all(|gap| (13_400..=16_600).contains(gap)), "{gaps:?}");
        }
    }

    #[test]
    fn doubt_quickens_one_gateway_alone_and_ends() {
        let mut schedule = Schedule::new(&timings(2, 1), AT_ONCE_MAX, 3, START);
        run(&mut schedule, START + Span::from_secs(20), Span::from_ms(50));
        let doubt = START + Span::from_secs(20);
        schedule.set_pace(GatewayId(0), Pace::Doubt, doubt);
        let due = schedule.next_wake().unwrap();
        assert!(due <= doubt + Span::from_ms(2_100), "brought forward to {due:?}");
        let mut now = doubt;
        let mut started = Vec::new();
        while now < doubt + Span::from_secs(20) {
            while let Some(no) = schedule.start(now) {
                started.push((now, no));
                schedule.done(no, now);
            }
            now += Span::from_ms(10);
        }
        assert!(gaps(&started, ProbeNo(0)).iter().all(|gap| (1_890..=2_120).contains(gap)), "{started:?}");
        assert!(started.iter().filter(|(_, no)| *no == ProbeNo(1)).count() <= 2);
        schedule.set_pace(GatewayId(0), Pace::Normal, now);
        let SlotDue(due) = slot_due(&schedule, ProbeNo(0));
        assert!(due > now + Span::from_secs(3), "back to its place: {due:?} after {now:?}");
    }

    struct SlotDue(Timestamp);
    fn slot_due(schedule: &Schedule, no: ProbeNo) -> SlotDue {
        match schedule.slots[no.0].state {
            State::Due(due) => SlotDue(due),
            State::Running => panic!("it runs"),
        }
    }

    #[test]
    fn a_probe_that_hangs_delays_no_other_and_never_runs_twice() {
        let mut schedule = Schedule::new(&timings(3, 1), AT_ONCE_MAX, 5, START);
        let mut now = START;
        let mut started = Vec::new();
        while now < START + Span::from_secs(60) {
            while let Some(no) = schedule.start(now) {
                started.push((now, no));
                if no != ProbeNo(1) {
                    schedule.done(no, now);
                }
            }
            now += Span::from_ms(10);
        }
        assert_eq!(started.iter().filter(|(_, no)| *no == ProbeNo(1)).count(), 1);
        assert!(gaps(&started, ProbeNo(0)).len() >= 3 && gaps(&started, ProbeNo(2)).len() >= 3);
        schedule.done(ProbeNo(1), now);
        assert_eq!(schedule.start(now + Span::from_ms(1)), Some(ProbeNo(1)), "late, so at once");
    }

    #[test]
    fn no_more_run_at_once_than_may() {
        let mut schedule = Schedule::new(&timings(10, 1), 3, 1, START);
        let late = START + Span::from_secs(10);
        let running: Vec<_> = std::iter::from_fn(|| schedule.start(late)).collect();
        assert_eq!((running.len(), schedule.running(), schedule.next_wake()), (3, 3, None));
        schedule.done(running[0], late);
        assert!(schedule.start(late).is_some() && schedule.start(late).is_none());
    }

    #[test]
    fn the_same_seed_makes_the_same_plan() {
        let plan = |seed| {
            let mut schedule = Schedule::new(&timings(5, 2), AT_ONCE_MAX, seed, START);
            run(&mut schedule, START + Span::from_secs(60), Span::from_ms(30))
        };
        assert_eq!(plan(42), plan(42));
        assert_ne!(plan(42), plan(43));
    }
}
