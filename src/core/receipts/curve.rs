//! How long receipts take, and how many come at all: a survival curve of "no receipt yet", learned with what was not seen
//! to its end counted as such.
//!
//! In bins of lag that grow by a constant ratio, receipts are counted and how long messages waited for them in each; the
//! one divided by the other is the rate at which receipts come at that age. What is still waited for counts from its first
//! second on: a curve that counted it only once it was given up would know receipts alone for the first hours, and take
//! every pause for silence. Cites: Kaplan and Meier 1958 for the share, Nelson 1972 and Aalen 1978 for what is expected,
//! with rates constant within a bin (Friedman 1982).

use crate::core::time::{Span, Timestamp};

/// The bins: the first ends at [`FIRST_MS`], each later one [`RATIO`] times as late; the last is open. Nobody waits for a
/// receipt much longer than the last begins: a quarter of an hour.
pub(super) const BINS: usize = 28;
const FIRST_MS: f64 = 100.0;
const RATIO: f64 = 1.4;
/// When so many receipts are counted, all counts are halved: the last thousand or two decide.
const WINDOW: f32 = 2_000.0;
/// Where less than this waited, a bin says nothing.
const WAITED_MIN: f32 = 0.01;

/// Where each bin ends, in milliseconds.
const ENDS: [f32; BINS] = {
    let (mut ends, mut end, mut bin) = ([0.0; BINS], FIRST_MS, 0);
    while bin < BINS {
        ends[bin] = end as f32;
        (end, bin) = (end * RATIO, bin + 1);
    }
    ends
};

/// Receipts by lag, and how many messages waited through each bin for one.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    came: [f32; BINS],
    /// How many waited through each bin; who waited through half of it counts as one half.
    waited: [f32; BINS],
    /// Of that, what those waited whose receipt came within the bin.
    of_came: [f32; BINS],
}

/// What is counted so far, the last ones counting most.
#[derive(Clone, Debug, Default)]
pub(super) struct Curve {
    tally: Tally,
    counted: f32,
}

/// What was counted lately and is not part of a curve yet: a fault that is not known yet must not teach that it is normal.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// Since when the newer half is counted.
    since: Timestamp,
    halves: [Tally; 2],
}

/// What was counted is held back for so long at least, and at most twice as long.
pub(super) const HELD_FOR: Span = Span::from_mins(10);
/// A curve that knows less than this takes what it gets.
const HELD_ABOVE: f32 = 200.0;

/// A curve as it is used.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Of the messages, how many are without a receipt at the end of each bin, as -ln of the share.
    gone: [f32; BINS],
    /// How many receipts were to be expected by then of one message that had none before: in step with what is counted
    /// also where all receipts come within one bin.
    expected: [f32; BINS],
}

/// Returns the bin of a lag.
fn bin_of(lag_ms: f32) -> usize {
    ENDS.partition_point(|end| *end < lag_ms).min(BINS - 1)
}

/// Returns where a bin begins, in milliseconds.
fn begin_of(bin: usize) -> f32 {
    bin.checked_sub(1).map_or(0.0, |before| ENDS[before])
}

// === impl Tally ===

impl Default for Tally {
    fn default() -> Tally {
        Tally { came: [0.0; BINS], waited: [0.0; BINS], of_came: [0.0; BINS] }
    }
}

impl Tally {
    /// Counts a receipt.
    pub(super) fn came(&mut self, lag: Span) {
        let lag = lag.ms().max(0) as f32;
        let bin = bin_of(lag);
        self.came[bin] += 1.0;
        self.of_came[bin] += ((lag - begin_of(bin)) / (ENDS[bin] - begin_of(bin))).min(1.0);
    }

    /// Counts how long so many messages waited, from one age to another.
    pub(super) fn waited(&mut self, messages: f32, from: Span, to: Span) {
        let (mut from, to) = (from.ms().max(0) as f32, to.ms() as f32);
        let mut bin = bin_of(from);
        while from < to {
            let (begin, end) = (begin_of(bin), ENDS[bin]);
            let until = if bin + 1 == BINS { to } else { to.min(end) };
            self.waited[bin] += messages * (until - from) / (end - begin);
            (from, bin) = (until, (bin + 1).min(BINS - 1));
        }
    }

    /// Says whether nothing is counted.
    pub(super) fn is_empty(&self) -> bool {
        self.waited.iter().chain(&self.came).all(|count| *count == 0.0)
    }

    fn add(&mut self, other: &Tally, scale: f32) {
        for bin in 0..BINS {
            self.came[bin] += other.came[bin];
            self.waited[bin] += other.waited[bin] * scale;
            self.of_came[bin] += other.of_came[bin] * scale;
        }
    }
}

// === impl Held ===

impl Held {
    /// Forgets what is held back.
    pub(super) fn drop(&mut self) {
        self.halves = Default::default();
    }

    /// Takes what was counted since the last time, and hands what was held for long enough to the curve. `usual`: how many
    /// receipts this hour gives, of what others do: waiting in a poor hour counts for less.
    pub(super) fn count(&mut self, curve: &mut Curve, tally: &Tally, usual: f32, now: Timestamp) {
        if curve.counted < HELD_ABOVE {
            return curve.take(tally, usual);
        }
        while now.since(self.since) >= HELD_FOR {
            let is_long_ago = now.since(self.since) >= HELD_FOR + HELD_FOR + HELD_FOR;
            self.since = if is_long_ago { now } else { self.since + HELD_FOR };
            let [old, new] = &mut self.halves;
            curve.take(old, 1.0);
            *old = std::mem::take(new);
        }
        self.halves[1].add(tally, usual);
    }
}

// === impl Curve ===

impl Curve {
    /// Returns what is to be kept: what came, what waited, and what those waited that came, by bin, in hundredths.
    pub(super) fn keep(&self) -> [Vec<u32>; 3] {
        let hundredths = |counts: &[f32; BINS]| {
            let mut kept: Vec<u32> = counts.iter().map(|count| (count * 100.0).round() as u32).collect();
            kept.truncate(kept.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1));
            kept
        };
        [&self.tally.came, &self.tally.waited, &self.tally.of_came].map(hundredths)
    }

    /// Takes what was kept.
    pub(super) fn recall(came: &[u32], waited: &[u32], of_came: &[u32]) -> Curve {
        let counts = |kept: &[u32]| -> [f32; BINS] {
            std::array::from_fn(|bin| kept.get(bin).map_or(0.0, |count| *count as f32 / 100.0))
        };
        let tally = Tally { came: counts(came), waited: counts(waited), of_came: counts(of_came) };
        let counted = tally.came.iter().sum();
        Curve { tally, counted }
    }

    /// Takes what was counted. `usual`: as in [`Held::count`].
    pub(super) fn take(&mut self, tally: &Tally, usual: f32) {
        self.tally.add(tally, usual);
        self.counted += tally.came.iter().sum::<f32>();
        if self.counted > WINDOW {
            let Tally { came, waited, of_came } = &mut self.tally;
            came.iter_mut().chain(waited).chain(of_came).for_each(|count| *count /= 2.0);
            self.counted /= 2.0;
        }
    }

    /// Returns how many receipts are counted.
    pub(super) fn counted(&self) -> f32 {
        self.counted
    }

    /// Returns the curve, drawn towards `prior` as by `weight` messages more.
    pub(super) fn shape(&self, prior: &Shape, weight: f32) -> Shape {
        let (mut gone, mut expected) = ([0.0; BINS], [0.0; BINS]);
        let (mut sums, mut before) = ([0.0_f32; 2], 1.0_f32);
        for bin in 0..BINS {
            let survives = (-prior.gone[bin]).exp();
            let known = weight * (before - survives);
            // Those of what is believed come in the middle of the bin.
            let came = self.tally.came[bin] + known;
            let through = (self.tally.waited[bin] - self.tally.of_came[bin]).max(0.0) + weight * survives;
            let waited = self.tally.waited[bin].max(0.0) + weight * survives + known / 2.0;
            if waited >= WAITED_MIN {
                let share = (came / (came + through)).min(0.999);
                sums = [sums[0] - (1.0 - share).ln(), sums[1] + came / waited];
            }
            (gone[bin], expected[bin]) = (sums[0], sums[1]);
            before = survives;
        }
        Shape { gone, expected }
    }
}

// === impl Shape ===

impl Shape {
    /// Returns what is believed before anything is seen: log-logistic lags with this median, and so large a share of
    /// messages that ever have a receipt.
    pub(super) fn believed(median: Span, shape: f64, share: f64) -> Shape {
        let gone = std::array::from_fn(|bin| {
            let came = 1.0 / (1.0 + (median.ms() as f64 / f64::from(ENDS[bin])).powf(shape));
            -((1.0 - share * came).ln()) as f32
        });
        Shape { gone, expected: gone }
    }

    /// Returns the share of messages that ever have a receipt.
    pub(crate) fn share(&self) -> f32 {
        1.0 - (-self.gone[BINS - 1]).exp()
    }

    /// Returns how many receipts were to be expected by an age of a message that has none.
    pub(crate) fn expected(&self, age: Span) -> f32 {
        let age = age.ms().max(0) as f32;
        let bin = bin_of(age);
        let (from, below) = (begin_of(bin), bin.checked_sub(1).map_or(0.0, |before| self.expected[before]));
        let within = ((age - from) / (ENDS[bin] - from)).min(1.0);
        below + (self.expected[bin] - below) * within
    }

    /// Returns the lag within which this share of those receipts comes that ever come.
    pub(crate) fn quantile(&self, share: f32) -> Span {
        let wanted = -(1.0 - share * self.share()).ln();
        let bin = (0..BINS).find(|bin| self.gone[*bin] >= wanted).unwrap_or(BINS - 1);
        let below = bin.checked_sub(1).map_or(0.0, |before| self.gone[before]);
        let step = (self.gone[bin] - below).max(f32::MIN_POSITIVE);
        let within = ((wanted - below) / step).clamp(0.0, 1.0);
        Span::from_ms((begin_of(bin) + (ENDS[bin] - begin_of(bin)) * within) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Log-logistic lags at even quantiles, nine in ten of them ever.
    fn lag(n: u32, of: u32) -> Option<Span> {
        let u = (f64::from(n) + 0.5) / f64::from(of) / 0.9;
        (u < 1.0).then(|| Span::from_ms((2_000.0 * (u / (1.0 - u)).powf(1.0 / 2.2)) as i64))
    }

    /// Counts 1,500 messages, each watched up to an age, in an order that is not of one kind anywhere.
    fn counted(watched: impl Fn(u32) -> Span) -> Shape {
        let mut curve = Curve::default();
        for n in 0..1_500 {
            let (mut tally, until) = (Tally::default(), watched(n));
            match lag(n * 7 % 1_500, 1_500).filter(|lag| *lag <= until) {
                Some(lag) => {
                    tally.waited(1.0, Span::ZERO, lag);
                    tally.came(lag);
                }
                None => tally.waited(1.0, Span::ZERO, until),
            }
            curve.take(&tally, 1.0);
        }
        curve.shape(&Shape::believed(Span::from_secs(5), 1.8, 0.85), 20.0)
    }

    #[test]
    fn what_was_not_seen_to_its_end_is_no_loss() {
        let whole = counted(|_| Span::from_mins(15));
        // Another road answered after four seconds: nobody looked any longer.
        let cut = counted(|n| if n % 2 == 1 { Span::from_secs(4) } else { Span::from_mins(15) });
        assert!((whole.share() - 0.9).abs() < 0.01, "{}", whole.share());
        assert!((cut.share() - 0.9).abs() < 0.02, "{}", cut.share());
        let median = whole.quantile(0.5).secs_f64();
        assert!((median - 2.0).abs() < 0.2, "{median}");
        let late = (whole.quantile(0.97).secs_f64(), cut.quantile(0.97).secs_f64());
        assert!((late.0 - 9.7).abs() < 2.0 && (late.1 - late.0).abs() < 3.0, "{late:?}");
    }

    #[test]
    fn messages_of_the_last_minute_teach_the_same_as_those_of_an_hour() {
        let (young, old) = (counted(|_| Span::from_secs(60)), counted(|_| Span::from_mins(15)));
        let by = |shape: &Shape| shape.expected(Span::from_secs(60));
        assert!((by(&young) / by(&old) - 1.0).abs() < 0.02, "{} {}", by(&young), by(&old));
    }

    #[test]
    fn waiting_is_counted_once_wherever_it_is_cut() {
        let (mut whole, mut cut) = (Tally::default(), Tally::default());
        whole.waited(3.0, Span::ZERO, Span::from_mins(14));
        for from in 0..14 * 60 {
            cut.waited(3.0, Span::from_secs(from), Span::from_secs(from + 1));
        }
        for (whole, cut) in whole.waited.iter().zip(cut.waited) {
            assert!((whole - cut).abs() < 0.01, "{whole} {cut}");
        }
    }

    #[test]
    fn before_anything_is_seen_the_curve_is_what_is_believed() {
        let prior = Shape::believed(Span::from_secs(5), 1.8, 0.85);
        let fresh = Curve::default().shape(&prior, 20.0);
        assert!((fresh.quantile(0.5).secs_f64() - 5.0).abs() < 1.0, "{}", fresh.quantile(0.5));
        assert!((fresh.share() - 0.85).abs() < 0.05, "{}", fresh.share());
        assert_eq!(fresh.expected(Span::ZERO), 0.0);
        assert!(fresh.expected(Span::from_hours(20)) <= -(0.15_f32.ln()) + 0.4);
    }

    #[test]
    fn what_is_kept_comes_back() {
        let mut curve = Curve::default();
        let mut tally = Tally::default();
        tally.waited(10.0, Span::ZERO, Span::from_secs(7));
        tally.came(Span::from_secs(7));
        curve.take(&tally, 1.0);
        let [came, waited, of_came] = curve.keep();
        let prior = Shape::believed(Span::from_secs(5), 1.8, 0.85);
        let again = Curve::recall(&came, &waited, &of_came).shape(&prior, 20.0);
        let by = |shape: &Shape| shape.expected(Span::from_secs(30));
        assert!((by(&again) - by(&curve.shape(&prior, 20.0))).abs() < 0.01);
    }
}
