//! How long receipts take, and how many ever come: a survival curve of "no receipt yet", learned with what was not seen
//! to its end counted as such.
//!
//! A life table over lags that grow by a constant ratio. Cites: Kaplan and Meier 1958; the actuarial half for what is
//! censored within a bin.

use crate::core::time::{Span, Timestamp};

/// The bins: the first ends at [`FIRST_MS`], each later one [`RATIO`] times as late; the last is open.
pub(super) const BINS: usize = 44;
const FIRST_MS: f64 = 100.0;
const RATIO: f64 = 1.35;
/// When so many are counted, all counts are halved: the last thousand or two decide.
const WINDOW: f32 = 2_000.0;
/// Below so many at risk a bin says nothing.
const AT_RISK_MIN: f32 = 2.0;

/// What is counted: receipts by lag, and messages of which nothing was known any more from an age on.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    came: [f32; BINS],
    left: [f32; BINS],
    counted: f32,
}

/// What was counted lately and is not part of a curve yet: a fault that is not known yet must not teach that it is normal.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Since when the newer half is counted.
    since: Timestamp,
    halves: [Half; 2],
}

#[derive(Clone, Debug)]
struct Half {
    came: [u16; BINS],
    left: [u16; BINS],
}

/// What was counted is held back for so long at least, and at most twice as long.
const HELD_FOR: Span = Span::from_mins(10);
/// A curve that knows less than this takes what it gets.
const HELD_ABOVE: f32 = 200.0;

impl Default for Held {
    fn default() -> Held {
        let half = Half { came: [0; BINS], left: [0; BINS] };
        Held { since: Timestamp::default(), halves: [half.clone(), half] }
    }
}

impl Held {
    /// Forgets what is held back.
    pub(super) fn drop(&mut self) {
        *self = Held { since: self.since, ..Held::default() };
    }

    /// Counts a receipt, or a message that had none at this age, and hands what was held for long enough to the curve.
    pub(super) fn count(&mut self, curve: &mut Curve, lag: Span, came: bool, now: Timestamp) {
        if curve.counted < HELD_ABOVE {
            return if came { curve.arrived(lag) } else { curve.censored(lag) };
        }
        while now.since(self.since) >= HELD_FOR {
            let is_long_ago = now.since(self.since) >= HELD_FOR + HELD_FOR + HELD_FOR;
            self.since = if is_long_ago { now } else { self.since + HELD_FOR };
            let [old, new] = &mut self.halves;
            curve.take(old);
            *old = std::mem::replace(new, Half { came: [0; BINS], left: [0; BINS] });
        }
        let newer = &mut self.halves[1];
        let counts = if came { &mut newer.came } else { &mut newer.left };
        counts[bin_of(lag)] = counts[bin_of(lag)].saturating_add(1);
    }
}

/// A curve as it is used, at the end of each bin.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Of the messages, how many are without a receipt, as -ln of the share.
    gone: [f32; BINS],
    /// How many receipts were to be expected of one message by then that had none before. Cites: Nelson and Aalen; in
    /// step with what is counted also where all receipts come within one bin.
    expected: [f32; BINS],
}

/// Returns the bin of a lag.
fn bin_of(lag: Span) -> usize {
    let ratio = lag.ms() as f64 / FIRST_MS;
    if ratio <= 1.0 { 0 } else { ((ratio.ln() / RATIO.ln()).ceil() as usize).min(BINS - 1) }
}

/// Returns where a bin ends, in milliseconds.
fn end_of(bin: usize) -> f64 {
    FIRST_MS * RATIO.powi(bin as i32)
}

impl Default for Curve {
    fn default() -> Curve {
        Curve { came: [0.0; BINS], left: [0.0; BINS], counted: 0.0 }
    }
}

impl Curve {
    /// Returns what is to be kept: what came and what was left, by bin, in hundredths.
    pub(super) fn keep(&self) -> (Vec<u32>, Vec<u32>) {
        let hundredths = |counts: &[f32; BINS]| {
            let mut kept: Vec<u32> = counts.iter().map(|count| (count * 100.0).round() as u32).collect();
            kept.truncate(kept.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1));
            kept
        };
        (hundredths(&self.came), hundredths(&self.left))
    }

    /// Takes what was kept.
    pub(super) fn recall(came: &[u32], left: &[u32]) -> Curve {
        let counts = |kept: &[u32]| -> [f32; BINS] {
            std::array::from_fn(|bin| kept.get(bin).map_or(0.0, |count| *count as f32 / 100.0))
        };
        let (came, left) = (counts(came), counts(left));
        let counted = came.iter().chain(&left).sum();
        Curve { came, left, counted }
    }

    fn take(&mut self, half: &Half) {
        for bin in 0..BINS {
            self.came[bin] += f32::from(half.came[bin]);
            self.left[bin] += f32::from(half.left[bin]);
            self.counted += f32::from(half.came[bin]) + f32::from(half.left[bin]);
        }
        self.halve();
    }

    /// Counts a receipt.
    pub(super) fn arrived(&mut self, lag: Span) {
        self.came[bin_of(lag)] += 1.0;
        self.count();
    }

    /// Counts a message that had no receipt at this age and is not watched any longer.
    pub(super) fn censored(&mut self, age: Span) {
        self.left[bin_of(age)] += 1.0;
        self.count();
    }

    fn count(&mut self) {
        self.counted += 1.0;
        self.halve();
    }

    fn halve(&mut self) {
        if self.counted > WINDOW {
            self.came.iter_mut().chain(&mut self.left).for_each(|count| *count /= 2.0);
            self.counted /= 2.0;
        }
    }

    /// Returns how many are counted.
    pub(super) fn counted(&self) -> f32 {
        self.counted
    }

    /// Returns the curve, drawn towards `prior` as by `weight` messages more.
    pub(super) fn shape(&self, prior: &Shape, weight: f32) -> Shape {
        let mut at_risk = self.counted + weight;
        let (mut gone, mut expected) = ([0.0; BINS], [0.0; BINS]);
        let (mut sums, mut before) = ([0.0_f32; 2], 1.0_f32);
        for bin in 0..BINS {
            let survives = prior.survival_at(bin);
            let came = self.came[bin] + weight * (before - survives);
            let censored = self.left[bin];
            let exposed = at_risk - censored / 2.0;
            if exposed >= AT_RISK_MIN {
                let share = (came / exposed).min(0.999);
                sums = [sums[0] - (1.0 - share).ln(), sums[1] + share];
            }
            (gone[bin], expected[bin]) = (sums[0], sums[1]);
            at_risk -= came + censored;
            before = survives;
        }
        Shape { gone, expected }
    }
}

impl Shape {
    /// Returns what is believed before anything is seen: log-logistic lags with this median, and so large a share of
    /// messages that ever have a receipt.
    pub(super) fn believed(median: Span, shape: f64, share: f64) -> Shape {
        let gone = std::array::from_fn(|bin| {
            let came = 1.0 / (1.0 + (median.ms() as f64 / end_of(bin)).powf(shape));
            -((1.0 - share * came).ln()) as f32
        });
        Shape { gone, expected: gone }
    }

    fn survival_at(&self, bin: usize) -> f32 {
        (-self.gone[bin]).exp()
    }

    /// Returns the share of messages that ever have a receipt.
    pub(crate) fn share(&self) -> f32 {
        1.0 - self.survival_at(BINS - 1)
    }

    /// Returns how many receipts were to be expected by an age of a message that has none.
    pub(crate) fn expected(&self, age: Span) -> f32 {
        let bin = bin_of(age);
        let (from, below) = match bin.checked_sub(1) {
            None => (0.0, 0.0),
            Some(before) => (end_of(before), self.expected[before]),
        };
        let within = ((age.ms() as f64 - from) / (end_of(bin) - from)).clamp(0.0, 1.0) as f32;
        below + (self.expected[bin] - below) * within
    }

    /// Returns the lag within which this share of those receipts comes that ever come.
    pub(crate) fn quantile(&self, share: f32) -> Span {
        let wanted = -(1.0 - share * self.share()).ln();
        let bin = (0..BINS).find(|bin| self.gone[*bin] >= wanted).unwrap_or(BINS - 1);
        let (from, below) = match bin.checked_sub(1) {
            None => (0.0, 0.0),
            Some(before) => (end_of(before), self.gone[before]),
        };
        let step = (self.gone[bin] - below).max(f32::MIN_POSITIVE);
        let within = f64::from((wanted - below) / step).clamp(0.0, 1.0);
        Span::from_ms((from + (end_of(bin) - from) * within) as i64)
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

    #[test]
    fn what_was_not_seen_to_its_end_is_no_loss() {
        let prior = Shape::believed(Span::from_secs(5), 1.8, 0.85);
        let (mut whole, mut cut) = (Curve::default(), Curve::default());
        for n in 0..1_500 {
            // Spread over the order, so that no stretch is of one kind.
            let lag = lag(n * 7 % 1_500, 1_500);
            match lag {
                Some(lag) => whole.arrived(lag),
                None => whole.censored(Span::from_mins(30)),
            }
            // Another road answered after four seconds: nobody looked any longer.
            match lag.filter(|lag| *lag <= Span::from_secs(4) || n % 2 == 0) {
                Some(lag) => cut.arrived(lag),
                None if n % 2 == 1 => cut.censored(Span::from_secs(4)),
                None => cut.censored(Span::from_mins(30)),
            }
        }
        let (whole, cut) = (whole.shape(&prior, 20.0), cut.shape(&prior, 20.0));
        assert!((whole.share() - 0.9).abs() < 0.01, "{}", whole.share());
        assert!((cut.share() - 0.9).abs() < 0.02, "{}", cut.share());
        let median = whole.quantile(0.5).secs_f64();
        assert!((median - 2.0).abs() < 0.2, "{median}");
        let late = (whole.quantile(0.97).secs_f64(), cut.quantile(0.97).secs_f64());
        assert!((late.0 - 9.7).abs() < 2.0 && (late.1 - late.0).abs() < 3.0, "{late:?}");
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
}
