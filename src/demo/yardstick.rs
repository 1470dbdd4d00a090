//! The yardstick: what a fixed order without memory does with the same stream in the same scenario.
//!
//! Each recipient's message tries WhatsApp, then Signal, Telegram, SMS and e-mail, as far as the person has them; an
//! error or a time-out moves it on to the next, and after the last it begins again. An acceptance ends it: receipts are
//! not looked at. Nothing is remembered from one message to the next.
//!
//! It is computed, not run: in virtual time, by the scenario's own tables and draws, with the scenario format's
//! time-outs (5 s for a name, a connection and a handshake, 10 s for an answer). It is given as many attempts at once as
//! it likes. What is confirmed is counted as the service's is, though the policy itself looks at no receipt: by a
//! receipt, or on a road without receipts by the acceptance. Beside it stands whom it reached in truth.

use super::chance::Chance;
use super::plan::Plan;
use super::scenario::{Receipt, Scenario};
use super::script::{Tables, changes, tables};
use crate::core::channel::Channel;
use crate::core::message::Severity;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// The order in which it tries.
pub(crate) const ORDER: [Channel; 5] =
    [Channel::Whatsapp, Channel::Signal, Channel::Telegram, Channel::Sms, Channel::Email];
/// Cites: the scenario format, section 3.
const ROAD_TIME_OUT_S: f64 = 5.0;
const ANSWER_TIME_OUT_S: f64 = 10.0;
/// How long it waits after the last channel before it begins again.
const PAUSE_S: f64 = 5.0;

/// How it went.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Yardstick {
    /// Deliveries that were to be made.
    pub deliveries: u64,
    /// Confirmed by a receipt, or by acceptance on a road without receipts, within the rule's deadline.
    pub in_time: u64,
    /// The same, until the end.
    pub confirmed: u64,
    /// Those that reached their recipient in truth until the end, receipt or not.
    pub reached: u64,
    /// The deliveries of the gravest severity, and how many of them were in time.
    pub extreme: u64,
    /// As it says.
    pub extreme_in_time: u64,
    /// Seconds until half of the confirmed were, and until 95 of 100 were.
    pub median_s: f64,
    /// As it says.
    pub p95_s: f64,
    /// Which channel took how many.
    pub by_channel: BTreeMap<String, u64>,
    /// Copies beyond the first.
    pub copies: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
}

/// A delivery on its way.
struct Way {
    key: String,
    born: f64,
    deadline: f64,
    extreme: bool,
    channels: Vec<Channel>,
    attempts: u32,
    copies: u64,
    confirmed: Option<f64>,
    reached: Option<f64>,
}

/// A channel's admission and its server, in virtual time.
struct Counter {
    /// When the bucket last had `tokens`.
    at: f64,
    tokens: f64,
    busy_until: f64,
}

/// Plays it until `end` seconds after the start; `deadline` gives the rule's deadline in seconds.
pub(crate) fn play(
    scenario: &Scenario,
    plan: &Plan,
    end: f64,
    deadline: impl Fn(Severity) -> f64,
) -> Yardstick {
    let mut ways = ways(plan, end, deadline);
    let chance = Chance(plan.seed);
    let world = World::new(scenario, plan);
    let mut counters: BTreeMap<Channel, Counter> = BTreeMap::new();
    // Times as whole microseconds: they order totally.
    let micros = |t: f64| (t * 1e6) as u64;
    let mut due: BinaryHeap<Reverse<(u64, usize, usize)>> =
        ways.iter().enumerate().map(|(n, way)| Reverse((micros(way.born), n, 0))).collect();
    let mut sum = Yardstick { deliveries: ways.len() as u64, ..Yardstick::default() };
    while let Some(Reverse((at, n, step))) = due.pop() {
        let at = at as f64 / 1e6;
        let Some(way) = ways.get_mut(n).filter(|_| at < end) else { continue };
        let Some(channel) = way.channels.get(step).copied() else {
            due.push(Reverse((micros(at + PAUSE_S), n, 0)));
            continue;
        };
        let Some(before) = world.tables(channel, at) else { continue };
        let counter =
            counters.entry(channel).or_insert(Counter { at: 0.0, tokens: before.admit.1, busy_until: 0.0 });
        let start = counter.admit(at, before.admit);
        let Some(now) = world.tables(channel, start) else { continue };
        let key = format!("{}|{channel}|{}", way.key, way.attempts);
        way.attempts += 1;
        let (took, taken, told) = request(chance, &key, &now);
        if taken {
            let accepted = start + took;
            if way.copies > 0 {
                sum.copies += 1;
            }
            way.copies += 1;
            *sum.by_channel.entry(channel.name().to_owned()).or_default() += 1;
            let served = counter.serve(accepted, now.serve_per_s);
            let brought = world.deliver(chance, &key, &now, served);
            earliest(&mut way.reached, brought);
            let confirmed = match now.receipt {
                Some(receipt) => brought.and_then(|brought| world.receipt(chance, &key, receipt, brought)),
                None => told.then_some(accepted),
            };
            earliest(&mut way.confirmed, confirmed);
        }
        if !told {
            sum.failed_attempts += 1;
            due.push(Reverse((micros(start + took), n, step + 1)));
        }
    }
    count(&mut sum, &ways, end);
    sum
}

fn ways(plan: &Plan, end: f64, deadline: impl Fn(Severity) -> f64) -> Vec<Way> {
    let mut ways = Vec::new();
    for message in plan.messages.iter().filter(|message| message.at < end) {
        for contact in plan.recipients(message) {
            let channels: Vec<Channel> =
                ORDER.into_iter().filter(|c| contact.person.addresses.contains_key(c)).collect();
            ways.push(Way {
                key: format!("send|{}|{}", message.number, contact.id),
                born: message.at,
                deadline: deadline(message.severity),
                extreme: message.severity == Severity::Extreme,
                channels,
                attempts: 0,
                copies: 0,
                confirmed: None,
                reached: None,
            });
        }
    }
    ways.retain(|way: &Way| !way.channels.is_empty());
    ways
}

fn count(sum: &mut Yardstick, ways: &[Way], end: f64) {
    let mut waits: Vec<f64> = Vec::new();
    for way in ways {
        let wait = way.confirmed.filter(|at| *at <= end).map(|at| at - way.born);
        waits.extend(wait);
        sum.reached += u64::from(way.reached.is_some_and(|at| at <= end));
        let in_time = u64::from(wait.is_some_and(|wait| wait <= way.deadline));
        sum.in_time += in_time;
        if way.extreme {
            sum.extreme += 1;
            sum.extreme_in_time += in_time;
        }
    }
    sum.confirmed = waits.len() as u64;
    waits.sort_by(f64::total_cmp);
    sum.median_s = quantile(&waits, 0.5);
    sum.p95_s = quantile(&waits, 0.95);
}

fn earliest(known: &mut Option<f64>, new: Option<f64>) {
    *known = match (*known, new) {
        (Some(known), Some(new)) => Some(known.min(new)),
        (known, new) => known.or(new),
    };
}

/// Returns the value below which this share of sorted values lies; 0 where there is none.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * sorted.len() as f64) as usize;
    let value = sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0);
    // Thousandths are as fine as anything here is measured.
    (value * 1000.0).round() / 1000.0
}

/// Makes one request: how long it took, whether the message was taken, and whether the caller was told so.
fn request(chance: Chance, key: &str, now: &Tables) -> (f64, bool, bool) {
    let road = [
        (
            "dns",
            now.dns.nxdomain + now.dns.servfail + now.dns.hijack,
            now.dns.timeout,
            now.dns.ms,
            ROAD_TIME_OUT_S,
        ),
        ("tcp", now.tcp.refused + now.tcp.reset, now.tcp.timeout, now.tcp.ms, ROAD_TIME_OUT_S),
        ("tls", now.tls.badcert + now.tls.reset, now.tls.timeout, now.tls.ms, ROAD_TIME_OUT_S),
        ("accept", now.accept.reject, now.accept.timeout, now.accept.ms, ANSWER_TIME_OUT_S),
    ];
    let mut took = 0.0;
    for (layer, quick, silent, ms, time_out) in road {
        let u = chance.roll(&format!("{key}|{layer}"));
        let slow = (quick..quick + silent).contains(&u);
        took += match ms {
            _ if slow => time_out,
            Some(ms) => chance.seconds(&format!("{key}|{layer}|ms"), ms).min(time_out),
            None => 0.0,
        };
        if slow {
            let ghost = layer == "accept" && chance.roll(&format!("{key}|ghost")) < now.accept.ghost;
            return (took, ghost, false);
        }
        if u < quick {
            return (took, false, false);
        }
    }
    (took, true, true)
}

/// The scenario as it runs beside the plan's clock: tables are the same between two changes.
struct World<'a> {
    plan: &'a Plan,
    /// Each channel's tables from a moment on, in the order of time.
    tables: BTreeMap<Channel, Vec<(f64, Tables)>>,
}

impl World<'_> {
    fn new<'a>(scenario: &Scenario, plan: &'a Plan) -> World<'a> {
        let moments = changes(scenario, plan.window.0, plan.window.1);
        let of = |channel: Channel| {
            let model = scenario.model(channel)?;
            let at = |t: &f64| (plan.since_start(*t), tables(scenario, model, *t));
            Some((channel, moments.iter().map(at).collect()))
        };
        World { plan, tables: ORDER.into_iter().filter_map(of).collect() }
    }

    fn tables(&self, channel: Channel, at: f64) -> Option<Tables> {
        let all = self.tables.get(&channel)?;
        let place = all.partition_point(|(from, _)| *from <= at).saturating_sub(1);
        all.get(place).map(|(_, tables)| *tables)
    }

    /// Returns when a message that is served at `served` is brought; `None`: never.
    fn deliver(&self, chance: Chance, key: &str, now: &Tables, served: f64) -> Option<f64> {
        let u = chance.roll(&format!("{key}|deliver"));
        if u < now.deliver.drop {
            return None;
        }
        let is_held = u < now.deliver.drop + now.deliver.hold;
        let until = now.deliver.hold_until_s.filter(|_| is_held).map(|until| self.plan.since_start(until));
        let latency = now.deliver.ms.map_or(0.0, |ms| chance.seconds(&format!("{key}|deliver|ms"), ms));
        Some(until.map_or(served, |until| until.max(served)) + latency)
    }

    /// Returns when the receipt of a message that was brought comes; `None`: never.
    fn receipt(&self, chance: Chance, key: &str, table: Receipt, brought: f64) -> Option<f64> {
        if chance.roll(&format!("{key}|receipt")) >= table.p {
            return None;
        }
        let until = table.hold_until_s.map(|until| self.plan.since_start(until));
        let latency = table.ms.map_or(0.0, |ms| chance.seconds(&format!("{key}|receipt|ms"), ms));
        Some(until.map_or(brought, |until| until.max(brought)) + latency)
    }
}

impl Counter {
    /// Takes a token as soon as there is one; returns when.
    fn admit(&mut self, at: f64, (per_s, burst): (f64, f64)) -> f64 {
        let earned = (at - self.at).max(0.0) * per_s;
        self.tokens = (self.tokens + earned).min(burst) - 1.0;
        self.at = self.at.max(at);
        // Below zero, those before are still waiting for theirs.
        self.at + (-self.tokens).max(0.0) / per_s
    }

    /// Joins the server's queue; returns when its turn comes.
    fn serve(&mut self, at: f64, per_s: f64) -> f64 {
        let start = self.busy_until.max(at);
        self.busy_until = start + 1.0 / per_s;
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::plan::Wishes;

    #[test]
    fn it_loses_time_where_a_channel_is_gone_and_plays_the_same_twice() {
        let scenario = Scenario::built_in().unwrap();
        let plan = Plan::new(&scenario, Wishes { seed: 4, speed: None, people: 300 });
        let one = play(&scenario, &plan, 180.0, |_| 90.0);
        assert_eq!(one, play(&scenario, &plan, 180.0, |_| 90.0));
        assert!(
            one.deliveries > 500
                && one.confirmed <= one.reached + one.by_channel["telegram"]
                && one.in_time <= one.confirmed,
            "{one:?}"
        );
        assert!(one.failed_attempts > 100, "the outage is met anew by each message: {one:?}");
        assert!(one.by_channel["sms"] > 0 && one.by_channel["whatsapp"] > 0);
    }

    #[test]
    fn a_bucket_lets_its_burst_through_and_then_its_rate() {
        let mut counter = Counter { at: 0.0, tokens: 2.0, busy_until: 0.0 };
        let starts: Vec<f64> = (0..4).map(|_| counter.admit(0.0, (10.0, 2.0))).collect();
        assert_eq!(starts, [0.0, 0.0, 0.1, 0.2]);
        assert_eq!([counter.serve(1.0, 2.0), counter.serve(1.0, 2.0)], [1.0, 1.5]);
    }
}
