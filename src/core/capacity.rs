//! What a gateway may carry: a token bucket, a window, quotas over rolling periods, and a learned time-out.

use super::gateway::{GatewayConfig, Quota};
use super::record::QuotaUse;
use super::time::{Span, Timestamp};

/// A period is counted in so many slices; a slice leaves the count when it is a period old.
const SLICES: usize = 24;
/// Before so many answers the time-out is [`TIME_OUT_FIRST`].
const LEARN_AFTER: usize = 200;
/// The time-out is learned from so many of the last answers.
const LEARN_FROM: usize = 1_000;
/// The learned time-out is computed anew after so many answers.
const LEARN_EVERY: usize = 50;
/// How long an answer is taken to need before there was one: a provider's interface over the internet.
const USUAL_UNKNOWN: Span = Span::from_ms(250);
const TIME_OUT_FIRST: Span = Span::from_secs(5);
const TIME_OUT_MIN: Span = Span::from_secs(1);
const TIME_OUT_MAX: Span = Span::from_secs(10);

/// A token bucket. Time is an argument; tokens are whole attempts.
#[derive(Clone, Debug)]
struct Bucket {
    per_sec: f64,
    burst: f64,
    tokens: f64,
    at: Timestamp,
}

/// How much of a quota is used, by slice.
#[derive(Clone, Debug)]
struct Meter {
    quota: Quota,
    slices: [u64; SLICES],
    /// The number of the newest slice.
    newest: i64,
}

/// How long the last answers took.
#[derive(Clone, Debug)]
struct Latencies {
    ring: Vec<u32>,
    next: usize,
    since_learned: usize,
    time_out: Span,
}

/// One gateway's capacity.
#[derive(Clone, Debug)]
pub(crate) struct Capacity {
    window: u32,
    in_flight: u32,
    bucket: Option<Bucket>,
    meters: Vec<Meter>,
    latencies: Latencies,
}

impl Capacity {
    pub(crate) fn new(config: &GatewayConfig, now: Timestamp) -> Capacity {
        Capacity {
            window: config.window,
            in_flight: 0,
            bucket: config.rate.map(|r| Bucket {
                per_sec: r.per_sec.max(0.001),
                burst: r.burst.max(1.0),
                tokens: r.burst.max(1.0),
                at: now,
            }),
            meters: config.quotas.iter().map(|q| Meter::new(*q)).collect(),
            latencies: Latencies { ring: Vec::new(), next: 0, since_learned: 0, time_out: TIME_OUT_FIRST },
        }
    }

    /// Takes a changed configuration; what is in flight, used up and learned stays.
    pub(crate) fn configure(&mut self, config: &GatewayConfig, now: Timestamp) {
        let fresh = Capacity::new(config, now);
        self.window = fresh.window;
        self.bucket = match (self.bucket.take(), fresh.bucket) {
            (Some(old), Some(new)) => Some(Bucket { tokens: old.tokens.min(new.burst), ..new }),
            (_, new) => new,
        };
        self.meters = fresh
            .meters
            .into_iter()
            .map(|new| self.meters.iter().find(|old| old.quota == new.quota).cloned().unwrap_or(new))
            .collect();
    }

    /// Says whether an attempt may go now.
    pub(crate) fn free(&self, now: Timestamp) -> bool {
        self.in_flight < self.window && self.bucket.as_ref().is_none_or(|b| b.now(now) >= 1.0)
    }

    /// Returns how long what goes now lies at the provider behind what went before, if it serves no faster than it may be sent to:
    /// a burst is taken at once, but not delivered at once.
    pub(crate) fn queue(&self, now: Timestamp) -> Span {
        let queue = self.bucket.as_ref().map_or(0.0, |b| (b.burst - b.now(now) - 1.0).max(0.0) / b.per_sec);
        Span::from_ms((queue * 1000.0) as i64)
    }

    /// Returns when the next token is there, where only a token is missing.
    pub(crate) fn next_token(&self, now: Timestamp) -> Option<Timestamp> {
        if self.in_flight >= self.window {
            return None;
        }
        let bucket = self.bucket.as_ref()?;
        let missing = 1.0 - bucket.now(now);
        (missing > 0.0).then(|| now + Span::from_ms((missing / bucket.per_sec * 1000.0).ceil() as i64))
    }

    /// Takes a slot, a token and a unit of every quota.
    pub(crate) fn take(&mut self, now: Timestamp) {
        self.in_flight += 1;
        if let Some(bucket) = &mut self.bucket {
            bucket.tokens = bucket.now(now) - 1.0;
            bucket.at = now;
        }
        self.meters.iter_mut().for_each(|m| m.count(1, now));
    }

    /// Gives the slot back. `spent`: whether the attempt counts against the quotas.
    pub(crate) fn give_back(&mut self, spent: bool, now: Timestamp) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if !spent {
            self.meters.iter_mut().for_each(|m| m.uncount(now));
        }
    }

    /// Says whether a quota is used up.
    pub(crate) fn exhausted(&self, now: Timestamp) -> bool {
        self.meters.iter().any(|m| m.used(now) >= m.quota.limit)
    }

    /// Returns each quota's name and the share of it that is left.
    pub(crate) fn quotas(&self, now: Timestamp) -> Vec<(String, f64)> {
        self.meters
            .iter()
            .map(|m| {
                let left = m.quota.limit.saturating_sub(m.used(now));
                let name = format!("{} {}/{}", m.quota.limit, m.quota.unit.name(), m.quota.period);
                (name, left as f64 / m.quota.limit.max(1) as f64)
            })
            .collect()
    }

    /// Learns from an answer that took this long.
    pub(crate) fn learn(&mut self, took: Span) {
        self.latencies.learn(took);
    }

    /// Takes what was learned and used up before a restart.
    pub(crate) fn remember(&mut self, time_out: Span, used: &[QuotaUse]) {
        if time_out > Span::ZERO {
            self.latencies.time_out = time_out.clamp(TIME_OUT_MIN, TIME_OUT_MAX);
        }
        for meter in &mut self.meters {
            if let Some(used) = used.iter().find(|used| meter.is_of(used)) {
                meter.newest = used.newest;
                meter.slices.iter_mut().zip(&used.slices).for_each(|(slice, used)| *slice = *used);
            }
        }
    }

    /// Returns what is used of each quota.
    pub(crate) fn quota_use(&self) -> Vec<QuotaUse> {
        let of = |m: &Meter| QuotaUse {
            limit: m.quota.limit,
            period: m.quota.period,
            newest: m.newest,
            slices: m.slices.to_vec(),
        };
        self.meters.iter().map(of).collect()
    }

    pub(crate) fn time_out(&self) -> Span {
        self.latencies.time_out
    }

    /// Returns how long an answer usually takes: the median of the last ones, else a guess.
    pub(crate) fn usual(&self) -> Span {
        let mut sorted = self.latencies.ring.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).map_or(USUAL_UNKNOWN, |ms| Span::from_ms(i64::from(*ms)))
    }

    /// Frees the window: on a copy, what is in flight is never answered.
    pub(crate) fn forget_in_flight(&mut self) {
        self.in_flight = 0;
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight
    }
}

impl Bucket {
    fn now(&self, now: Timestamp) -> f64 {
        (self.tokens + now.since(self.at).secs_f64() * self.per_sec).min(self.burst)
    }
}

impl Meter {
    fn new(quota: Quota) -> Meter {
        Meter { quota, slices: [0; SLICES], newest: 0 }
    }

    fn is_of(&self, used: &QuotaUse) -> bool {
        (used.limit, used.period, used.slices.len()) == (self.quota.limit, self.quota.period, SLICES)
    }

    fn slice(&self, now: Timestamp) -> i64 {
        now.ms().div_euclid((self.quota.period.ms() / SLICES as i64).max(1))
    }

    fn count(&mut self, units: u64, now: Timestamp) {
        let slice = self.slice(now);
        for passed in self.newest + 1..=slice.min(self.newest + SLICES as i64) {
            self.slices[passed.rem_euclid(SLICES as i64) as usize] = 0;
        }
        if slice - self.newest > SLICES as i64 {
            self.slices = [0; SLICES];
        }
        self.newest = self.newest.max(slice);
        self.slices[self.newest.rem_euclid(SLICES as i64) as usize] += units;
    }

    fn uncount(&mut self, now: Timestamp) {
        self.count(0, now);
        let newest = self.newest.rem_euclid(SLICES as i64) as usize;
        if let Some(slice) =
            (0..SLICES).map(|back| (newest + SLICES - back) % SLICES).find(|s| self.slices[*s] > 0)
        {
            self.slices[slice] -= 1;
        }
    }

    fn used(&self, now: Timestamp) -> u64 {
        let mut copy = self.clone();
        copy.count(0, now);
        copy.slices.iter().sum()
    }
}

impl Latencies {
    fn learn(&mut self, took: Span) {
        let took = took.ms().clamp(0, i64::from(u32::MAX)) as u32;
        if self.ring.len() < LEARN_FROM {
            self.ring.push(took);
        } else {
            self.ring[self.next] = took;
            self.next = (self.next + 1) % LEARN_FROM;
        }
        self.since_learned += 1;
        if self.ring.len() >= LEARN_AFTER && self.since_learned >= LEARN_EVERY {
            self.since_learned = 0;
            let mut sorted = self.ring.clone();
            sorted.sort_unstable();
            let p99 = sorted[(sorted.len() - 1) * 99 / 100];
            self.time_out = Span::from_ms(i64::from(p99) * 2).clamp(TIME_OUT_MIN, TIME_OUT_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::channel::Channel;
    use crate::core::gateway::{QuotaUnit, Rate, Receipts};

    fn config() -> GatewayConfig {
        GatewayConfig {
            name: "sms-a".into(),
            channel: Channel::Sms,
            failure_domains: vec![],
            rate: Some(Rate { per_sec: 10.0, burst: 2.0 }),
            quotas: vec![Quota { limit: 3, unit: QuotaUnit::Messages, period: Span::from_hours(24) }],
            cost: 0.0,
            receipts: Receipts::Delivered,
            window: 4,
            can_ask: false,
            connect_time_out: Span::from_secs(3),
            canaries: vec![],
        }
    }

    #[test]
    fn a_restart_forgets_no_quota() {
        let start = Timestamp::from_ms(1_790_000_000_000);
        let mut before = Capacity::new(&config(), start);
        before.take(start);
        before.take(start);
        let later = start + Span::from_mins(5);
        let mut after = Capacity::new(&config(), later);
        after.remember(Span::ZERO, &before.quota_use());
        assert!(!after.exhausted(later));
        after.take(later);
        assert!(after.exhausted(later));
        assert!(!after.exhausted(start + Span::from_hours(25)), "it still rolls");
        let mut other = config();
        other.quotas[0].limit = 5;
        let mut changed = Capacity::new(&other, later);
        changed.remember(Span::ZERO, &before.quota_use());
        assert_eq!(changed.quotas(later)[0].1, 1.0, "another quota begins anew");
    }

    #[test]
    fn tokens_come_back_at_the_rate_and_the_window_closes() {
        let mut capacity = Capacity::new(&config(), Timestamp::default());
        let start = Timestamp::default();
        capacity.take(start);
        capacity.take(start);
        assert!(!capacity.free(start));
        assert_eq!(capacity.next_token(start), Some(Timestamp::from_ms(100)));
        assert!(capacity.free(Timestamp::from_ms(100)));
        capacity.take(Timestamp::from_ms(200));
        capacity.take(Timestamp::from_ms(200));
        assert!(!capacity.free(Timestamp::from_ms(9_000)), "the window is full");
    }

    #[test]
    fn a_quota_is_an_outage_until_its_period_has_passed() {
        let mut capacity = Capacity::new(&config(), Timestamp::default());
        let hours = |h: i64| Timestamp::from_ms(h * 3_600_000);
        for h in [0, 1, 2] {
            capacity.take(hours(h));
            capacity.give_back(true, hours(h));
        }
        assert!(capacity.exhausted(hours(3)) && capacity.exhausted(hours(23)));
        assert!(!capacity.exhausted(hours(24)));
        capacity.take(hours(24));
        assert!(capacity.exhausted(hours(24)));
        capacity.give_back(false, hours(24));
        assert!(!capacity.exhausted(hours(24)), "a certain refusal gives its unit back");
        assert!(!capacity.exhausted(hours(1_000)));
    }

    #[test]
    fn the_time_out_is_learned_between_its_bounds() {
        let mut capacity = Capacity::new(&config(), Timestamp::default());
        (0..199).for_each(|_| capacity.learn(Span::from_ms(900)));
        assert_eq!(capacity.time_out(), TIME_OUT_FIRST);
        (0..51).for_each(|_| capacity.learn(Span::from_ms(900)));
        assert_eq!(capacity.time_out(), Span::from_ms(1_800));
        (0..1_000).for_each(|_| capacity.learn(Span::from_ms(5)));
        assert_eq!(capacity.time_out(), TIME_OUT_MIN);
        (0..1_000).for_each(|_| capacity.learn(Span::from_ms(60_000)));
        assert_eq!(capacity.time_out(), TIME_OUT_MAX);
    }
}
