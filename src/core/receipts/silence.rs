//! Receipts that do not come, as evidence: how many were to be expected by now, and how many there were.
//!
//! Two needles for each gateway and region, one for each kind of fault: *swallowing* (what is taken does not arrive) and
//! *flaky* (a part of it does not). Counts are Poisson: of `expected` receipts `came` did. Cites: the design's table of
//! likelihood ratios, divided by the dispersion of receipts, which come in groups.

use super::curve::{Shape, Tally};
use crate::core::health::needle::{CEILING, DOUBT, Needle};
use crate::core::time::{Span, Timestamp};
use std::collections::VecDeque;

/// Messages that were taken about the same time are watched together; there are at most so many such groups: the older
/// they are, the more of them are one.
const COHORTS_MAX: usize = 24;
/// Taken within so long, they are watched together from the start.
const TOGETHER: Span = Span::from_secs(1);
/// No receipt is waited for longer: it would hardly move a needle.
const HORIZON: Span = Span::from_mins(15);
/// Hundredths of a deciban to a nat.
const CDB: f32 = 434.294_5;
/// The share of receipts that comes while a road swallows, and while it is flaky.
const SWALLOWING: f32 = 0.15;
const FLAKY: f32 = 0.6;
/// Where more than this share comes, the needle does not rise: smaller losses are not declared.
const SWALLOWING_BELOW: f32 = 0.45;
const FLAKY_BELOW: f32 = 0.78;
/// The share is taken over about so many of the last expected receipts.
const SHARE_OVER: f32 = 20.0;
/// What was seen longer ago hardly counts.
const FRESH_FOR: Span = Span::from_mins(10);
/// A road in doubt is trusted again after so many receipts, if so large a share came. Cites: the design's return.
const RETURN_AFTER: f32 = 5.0;
const RETURN_SHARE: f32 = 0.7;
/// Where more than this share comes, it is on its way back, and says nothing new of who is at fault.
const BAD_SHARE: f32 = 0.6;
/// So many expected receipts tell that a road is fine, where so large a share of them came.
const FINE_AFTER: f32 = 5.0;
const FINE_SHARE: f32 = 0.9;

/// What a canary is worth, in hundredths of a deciban: one that is lost, and one that comes. Ours is hardly ever lost while a
/// road is up (one in a hundred), and one in ten while it swallows; with receipts of people, less is certain.
const CANARY_MISSED: i32 = 10_00;
const CANARY_CAME: i32 = -8_20;
/// Where so many canaries come one after another, the road is back. Cites: the design's return.
const CANARIES_BACK: u32 = 5;

/// One gateway in one region, as its receipts show it.
#[derive(Clone, Debug, Default)]
pub(super) struct Silence {
    cohorts: VecDeque<Cohort>,
    /// What they teach since the last beat.
    tally: Tally,
    /// Up to when the expectation is counted.
    beaten: Timestamp,
    /// Since then: receipts, how many were expected, and how many if each took twice as long.
    came: f32,
    expected: f32,
    expected_late: f32,
    /// The same over the last ones.
    lately: [f32; 3],
    swallowing: Needle,
    flaky: Needle,
    /// What was missed since the needles left zero.
    missed: Option<Missed>,
    /// When it may next be tried with a real message though the needles speak against it.
    pub(super) scout_at: Timestamp,
}

/// What came and what was to be expected since receipts began to be missed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missed {
    pub(crate) since: Timestamp,
    pub(crate) came: f32,
    pub(crate) expected: f32,
}

/// What a beat goes by.
pub(super) struct Expected<'a> {
    /// The curve of the road.
    pub(super) shape: &'a Shape,
    /// How many receipts this hour gives, of what others do.
    pub(super) share: f32,
    /// How much more their number varies than if each came on its own.
    pub(super) dispersion: f32,
}

/// Messages taken about the same time, of which no receipt has come.
#[derive(Clone, Copy, Debug)]
struct Cohort {
    /// When the first was taken; those of the next cohort were taken later than all of these.
    since: Timestamp,
    /// How much later they were taken on average, and how long they lay in a queue then: receipts are due by both.
    later_ms: u32,
    queue_ms: u32,
    pending: u32,
}

impl Cohort {
    /// Returns from when on their age counts.
    fn due(&self) -> Timestamp {
        self.since + Span::from_ms(i64::from(self.later_ms) + i64::from(self.queue_ms))
    }
}

impl Silence {
    /// Takes what was kept: an outage is not forgotten over a restart.
    pub(super) fn recall(swallowing: u32, losing: u32, since: Option<Timestamp>, now: Timestamp) -> Silence {
        let mut silence = Silence { beaten: now, ..Silence::default() };
        silence.swallowing.set(swallowing as i32, now);
        silence.flaky.set(losing as i32, now);
        silence.missed = since.map(|since| Missed { since, came: 0.0, expected: 0.0 });
        silence
    }

    /// Returns what is to be kept of its needles: swallowing, and what is lost in part.
    pub(super) fn keep(&self) -> (u32, u32) {
        (self.swallowing.value() as u32, self.flaky.value() as u32)
    }

    /// Watches a message that was taken, and lies in a queue for so long.
    pub(super) fn begin(&mut self, queue: Span, now: Timestamp) {
        if self.cohorts.is_empty() {
            self.beaten = now;
        }
        let queue_ms = u32::try_from(queue.ms()).unwrap_or(u32::MAX);
        match self.cohorts.back_mut() {
            Some(last) if now.since(last.since) < TOGETHER => {
                let later =
                    f64::from(last.later_ms) * f64::from(last.pending) + now.since(last.since).ms() as f64;
                last.pending += 1;
                last.later_ms = (later / f64::from(last.pending)) as u32;
            }
            _ => self.cohorts.push_back(Cohort { since: now, later_ms: 0, queue_ms, pending: 1 }),
        }
        if self.cohorts.len() > COHORTS_MAX {
            self.merge_older();
        }
    }

    /// Makes one of each two groups among the older half, with the mean of their ages.
    fn merge_older(&mut self) {
        let newer = self.cohorts.split_off(COHORTS_MAX / 2);
        let older = std::mem::take(&mut self.cohorts);
        for pair in Vec::from(older).chunks(2) {
            let pending: u32 = pair.iter().map(|cohort| cohort.pending).sum();
            let since = pair[0].since;
            let weighed = |of: &dyn Fn(&Cohort) -> i64| {
                let sum: i64 = pair.iter().map(|cohort| of(cohort) * i64::from(cohort.pending)).sum();
                u32::try_from(sum / i64::from(pending.max(1))).unwrap_or(u32::MAX)
            };
            let later_ms = weighed(&|cohort| cohort.since.since(since).ms() + i64::from(cohort.later_ms));
            let queue_ms = weighed(&|cohort| i64::from(cohort.queue_ms));
            self.cohorts.push_back(Cohort { since, later_ms, queue_ms, pending });
        }
        self.cohorts.extend(newer);
    }

    /// Watches a message no longer that was taken at a time; `came`: its receipt is there.
    pub(super) fn end(&mut self, taken: Timestamp, came: bool, shape: &Shape, now: Timestamp) {
        let at = self.cohorts.iter().rposition(|cohort| cohort.since <= taken && cohort.pending > 0);
        let Some(cohort) = at.and_then(|at| self.cohorts.get_mut(at)) else { return };
        cohort.pending -= 1;
        let due = taken + Span::from_ms(i64::from(cohort.queue_ms));
        self.expect(1.0, self.beaten.since(due), now.since(due), shape);
        if came {
            self.came += 1.0;
            self.tally.came(now.since(due));
        }
    }

    fn expect(&mut self, messages: f32, from: Span, to: Span, shape: &Shape) {
        let (from, to) = (from.max(Span::ZERO), to.max(Span::ZERO));
        let half = |age: Span| Span::from_ms(age.ms() / 2);
        self.tally.waited(messages, from, to);
        self.expected += messages * (shape.expected(to) - shape.expected(from));
        self.expected_late += messages * (shape.expected(half(to)) - shape.expected(half(from)));
    }

    /// Says whether there is something to wait for.
    pub(super) fn is_watched(&self) -> bool {
        !self.cohorts.is_empty() || self.came > 0.0
    }

    /// Weighs what came since the last beat against what was to be expected. `void`: nothing of it counts. Returns what
    /// it teaches: what came, what was expected of an hour like any other, and at which ages.
    pub(super) fn beat(&mut self, usual: &Expected<'_>, void: bool, now: Timestamp) -> ([f32; 2], Tally) {
        while self.cohorts.front().is_some_and(|c| c.pending == 0 || now.since(c.due()) > HORIZON) {
            self.cohorts.pop_front();
        }
        let cohorts = std::mem::take(&mut self.cohorts);
        for cohort in &cohorts {
            let due = cohort.due();
            self.expect(cohort.pending as f32, self.beaten.since(due), now.since(due), usual.shape);
        }
        self.cohorts = cohorts;
        let since = now.since(self.beaten);
        self.beaten = now;
        let taught = ([self.came, self.expected], std::mem::take(&mut self.tally));
        let counts = [self.came, self.expected * usual.share, self.expected_late * usual.share];
        (self.came, self.expected, self.expected_late) = (0.0, 0.0, 0.0);
        if void {
            return taught;
        }
        let aged = since.secs_f64() as f32 / FRESH_FOR.secs_f64() as f32;
        let kept = (-counts[1] / SHARE_OVER - aged).exp();
        self.lately.iter_mut().zip(counts).for_each(|(sum, count)| *sum = *sum * kept + count);
        let [came, expected, late] = counts;
        let worth = |share: f32, expected: f32| {
            ((came * share.ln() + (1.0 - share) * expected) / usual.dispersion * CDB) as i32
        };
        let may_rise = |expected: f32, below: f32| self.lately[0] < below * expected;
        let moves = [
            (worth(SWALLOWING, expected), may_rise(self.lately[1], SWALLOWING_BELOW)),
            (worth(FLAKY, late), may_rise(self.lately[2], FLAKY_BELOW)),
        ];
        for (needle, (worth, may_rise)) in [&mut self.swallowing, &mut self.flaky].into_iter().zip(moves) {
            if worth < 0 || may_rise {
                needle.add(worth, now);
            }
        }
        self.missed = (self.worst() > 0).then(|| {
            let before = self.missed.unwrap_or(Missed { since: now - since, came: 0.0, expected: 0.0 });
            Missed { came: before.came + came, expected: before.expected + expected, ..before }
        });
        if self.is_doubtful() && self.lately[0] >= RETURN_AFTER && self.share() >= RETURN_SHARE {
            self.swallowing.set(0, now);
            self.flaky.set(0, now);
        }
        taught
    }

    /// Takes a canary that came; one that was taken for lost takes back what that said.
    pub(super) fn canary_came(&mut self, late: bool, run: u32, now: Timestamp) {
        self.canary([1.0, f32::from(u8::from(!late))], now);
        self.swallowing.add(if late { -CANARY_MISSED } else { CANARY_CAME }, now);
        if run >= CANARIES_BACK && self.worst() > 0 {
            self.swallowing.set(0, now);
            self.flaky.set(0, now);
            self.lately = [self.lately[1]; 3];
            self.missed = None;
        }
    }

    /// Takes a canary that did not come for so long.
    pub(super) fn canary_missed(&mut self, waited: Span, now: Timestamp) {
        self.canary([0.0, 1.0], now);
        self.swallowing.add(CANARY_MISSED, now);
        let before = self.missed.unwrap_or(Missed { since: now - waited, came: 0.0, expected: 0.0 });
        self.missed = Some(Missed { expected: before.expected + 1.0, ..before });
    }

    fn canary(&mut self, [came, expected]: [f32; 2], now: Timestamp) {
        if self.cohorts.is_empty() {
            let aged = now.since(self.beaten).secs_f64() as f32 / FRESH_FOR.secs_f64() as f32;
            let kept = (-aged).exp();
            self.lately.iter_mut().for_each(|sum| *sum *= kept);
            self.beaten = now;
        }
        let kept = (-expected / SHARE_OVER).exp();
        let counts = [came, expected, expected];
        self.lately.iter_mut().zip(counts).for_each(|(sum, count)| *sum = *sum * kept + count);
    }

    /// Returns the share of the expected receipts that came lately.
    fn share(&self) -> f32 {
        self.lately[0] / self.lately[1].max(f32::MIN_POSITIVE)
    }

    /// Returns the worse needle, in hundredths of a deciban.
    pub(super) fn worst(&self) -> i32 {
        self.swallowing.value().max(self.flaky.value()).min(CEILING)
    }

    /// Says whether it is not to be relied on.
    pub(super) fn is_doubtful(&self) -> bool {
        self.worst() >= DOUBT
    }

    /// Says whether it is surely not to be relied on: as sure as an outage is to be, for as long, and not on its way back.
    pub(super) fn is_sure(&self, dwell: Span, now: Timestamp) -> bool {
        [&self.swallowing, &self.flaky].iter().any(|needle| needle.declares(0, dwell, now))
    }

    /// Returns what was missed since the needles left zero.
    pub(super) fn missed(&self) -> Option<Missed> {
        self.missed
    }

    /// Says whether something was to be expected just now, so that what is known of it is known of now.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.beaten) < FRESH_FOR && self.lately[1] >= FINE_AFTER / 2.0
    }

    /// Says whether it keeps silent now, and not only did.
    pub(super) fn is_bad(&self, now: Timestamp) -> bool {
        self.is_doubtful() && self.is_fresh(now) && self.share() < BAD_SHARE
    }

    /// Says whether enough of its receipts come to clear the region of blame, and came just now.
    pub(super) fn is_fine(&self, now: Timestamp) -> bool {
        let is_fresh = now.since(self.beaten) < FRESH_FOR;
        is_fresh && !self.is_doubtful() && self.lately[1] >= FINE_AFTER && self.share() >= FINE_SHARE
    }

    /// Returns what says that nearly nothing arrives, in hundredths of a deciban: what is lost in part turns away, and
    /// accuses nobody.
    pub(super) fn swallows(&self) -> i32 {
        self.swallowing.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape::believed(Span::from_secs(3), 2.2, 0.87)
    }

    fn usual(shape: &Shape) -> Expected<'_> {
        Expected { shape, share: 1.0, dispersion: 1.5 }
    }

    /// Takes a message each second and lets so many in a hundred have their receipt after three seconds; returns when
    /// it was in doubt and when its needle stood at 60 dB, in seconds.
    fn swallow(arrive: u32, secs: i64) -> (Option<i64>, Option<i64>) {
        let (mut silence, shape) = (Silence::default(), shape());
        let (mut doubt, mut sure) = (None, None);
        for second in 0..secs {
            let now = Timestamp::from_ms(second * 1_000);
            silence.begin(Span::ZERO, now);
            // Spread evenly: 87 in 100 arrive where nothing is wrong.
            if second >= 3 && (second * 61 % 100) < i64::from(arrive) {
                silence.end(now - Span::from_secs(3), true, &shape, now);
            }
            silence.beat(&usual(&shape), false, now);
            let worst = silence.worst();
            doubt = doubt.or((worst >= DOUBT).then_some(second));
            sure = sure.or((worst >= 60_00).then_some(second));
        }
        (doubt, sure)
    }

    #[test]
    fn what_swallows_everything_is_in_doubt_within_15_seconds_and_sure_within_35() {
        let (doubt, sure) = swallow(0, 60);
        assert!(doubt.is_some_and(|at| at <= 15), "{doubt:?}");
        assert!(sure.is_some_and(|at| at <= 35), "{sure:?}");
    }

    #[test]
    fn what_works_is_not_accused_and_what_loses_half_is() {
        assert_eq!(swallow(87, 20_000).1, None);
        let (_, sure) = swallow(43, 600);
        assert!(sure.is_some_and(|at| at <= 150), "{sure:?}");
    }

    #[test]
    fn what_is_seen_while_our_line_is_down_counts_for_nothing() {
        let (mut silence, shape) = (Silence::default(), shape());
        for second in 0..120 {
            let now = Timestamp::from_ms(second * 1_000);
            silence.begin(Span::ZERO, now);
            silence.beat(&usual(&shape), true, now);
        }
        assert_eq!(silence.worst(), 0);
    }
}
