//! Exact limits of a Poisson rate, and quantiles of delays of which some were never seen.

/// Returns the chance of at most so many events where so many are to be expected.
fn at_most(events: u32, expected: f64) -> f64 {
    let mut term = (-expected).exp();
    let mut sum = term;
    for n in 1..=events {
        term *= expected / f64::from(n);
        sum += term;
    }
    sum
}

/// Returns where a falling function passes a level, between 0 and `most`.
fn passes(falling: impl Fn(f64) -> f64, level: f64, most: f64) -> f64 {
    let (mut low, mut high) = (0.0, most);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if falling(middle) > level { low = middle } else { high = middle }
    }
    high
}

/// Returns the exact two-sided 95 % limits of what was to be expected where so many were counted. Cites: Garwood 1936.
pub(super) fn limits(events: u32) -> (f64, f64) {
    let most = f64::from(events) * 3.0 + 20.0;
    let lower = match events {
        0 => 0.0,
        more => passes(|expected| at_most(more - 1, expected), 0.975, most),
    };
    (lower, passes(|expected| at_most(events, expected), 0.025, most))
}

/// Returns a quantile of delays; those that were not seen are infinite, and count as the longest.
pub(super) fn quantile(delays: &[f64], share: f64) -> f64 {
    let mut sorted = delays.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (share * (sorted.len() as f64 - 1.0)).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_tables() {
        let near = |a: f64, b: f64| (a - b).abs() < 0.002;
        for (events, lower, upper) in
            [(0, 0.0, 3.689), (1, 0.025, 5.572), (3, 0.619, 8.767), (10, 4.795, 18.39)]
        {
            let (low, high) = limits(events);
            assert!(near(low, lower) && near(high, upper), "{events}: {low} to {high}");
        }
    }

    #[test]
    fn what_was_not_seen_counts_as_the_longest() {
        let delays = [3.0, f64::INFINITY, 1.0, 2.0, f64::INFINITY];
        assert_eq!(quantile(&delays, 0.5), 3.0);
        assert_eq!(quantile(&delays, 0.95), f64::INFINITY);
    }
}
