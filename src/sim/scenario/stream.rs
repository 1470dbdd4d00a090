//! Simulated streams of one channel with a fault whose beginning is known, and healthy ones, for the detector's bench.
//!
//! A stream is a scenario like any other: one channel under test, another that is well, three controls, messages at a fixed rate
//! to each, and noise as a healthy channel has it. The same core and the same stage play it.

use super::Scenario;
use super::draw::Name;
use super::trial::{Run, Trial, WithoutPlace};
use crate::core::channel::{Channel, ChannelSet};
use crate::core::message::Severity;
use crate::core::policy::{Confirm, Criterion, Policy, Rule, SendMode, Step, Subject};
use crate::core::time::Span;
use std::fmt::Write;
use std::sync::Arc;

/// How long a fault is watched, in seconds: what was not declared by then was not seen.
pub const WATCHED_S: f64 = 900.0;
/// Blips of a healthy path: how many a day, how long on average, in seconds, and how many of them the controls share. Cites: the
/// design's healthy noise.
const BLIPS_A_DAY: f64 = 4.0;
const BLIP_S: f64 = 5.0;
const BLIPS_SHARED: f64 = 0.7;
const DAY_S: f64 = 86_400.0;
/// The channel under test, the one that is well, and how long probes rest between two.
const SUBJECT: &str = "whatsapp";
const PROBE_S: f64 = 15.0;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Connections are refused at once.
    Dead,
    /// Nothing answers: each request takes as long as is waited for it.
    BlackHole,
    /// Every second request is refused.
    Half,
    /// Every fifth.
    Fifth,
    /// Probes are fine; what is sent is refused.
    Refuses,
    /// What is taken does not arrive.
    Swallows,
    /// Every second one does not.
    SwallowsHalf,
    /// Messages arrive, and receipts come, ten times as late.
    Slow,
    /// Our own line is dead.
    Line,
}

impl Fault {
    /// Every fault, in the order of the table.
    pub const ALL: [Fault; 9] = [
        Fault::Dead,
        Fault::BlackHole,
        Fault::Half,
        Fault::Fifth,
        Fault::Refuses,
        Fault::Swallows,
        Fault::SwallowsHalf,
        Fault::Slow,
        Fault::Line,
    ];

    /// Returns its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Fault::Dead => "dead, quick errors",
            Fault::BlackHole => "dead, black hole",
            Fault::Half => "half of the requests fail",
            Fault::Fifth => "one request in five fails",
            Fault::Refuses => "sends refused, probes green",
            Fault::Swallows => "swallows everything",
            Fault::SwallowsHalf => "swallows half",
            Fault::Slow => "ten times slower",
            Fault::Line => "our own line",
        }
    }

    /// Returns the phase's tables that make it.
    fn effect(self) -> &'static str {
        match self {
            Fault::Dead => "tcp = { refused = 1.0, ms = [40, 4.0] }",
            Fault::BlackHole => "tcp = { timeout = 1.0, ms = [40, 4.0] }",
            Fault::Half => "tcp = { refused = 0.5, ms = [40, 4.0] }",
            Fault::Fifth => "tcp = { refused = 0.2, ms = [40, 4.0] }",
            Fault::Refuses => "accept = { reject = 1.0, ms = [150, 3.0] }",
            Fault::Swallows => "deliver = { drop = 1.0, ms = [2000, 2.2] }",
            Fault::SwallowsHalf => "deliver = { drop = 0.5, ms = [2000, 2.2] }",
            Fault::Slow => {
                "deliver = { drop = 0.001, ms = [20000, 2.2] }\nreceipt = { p = 0.95, ms = [10000, 2.2] }"
            }
            Fault::Line => "",
        }
    }

    /// Returns the failure probabilities of a probe and of a send while it lasts, and of a receipt that does not come.
    fn shares(self) -> [f64; 3] {
        match self {
            Fault::Dead | Fault::BlackHole | Fault::Line => [0.999, 0.999, 0.0],
            Fault::Half => [0.5, 0.5, 0.0],
            Fault::Fifth => [0.2, 0.2, 0.0],
            Fault::Refuses => [0.0, 0.999, 0.0],
            Fault::Swallows => [0.0, 0.0, 0.999],
            Fault::SwallowsHalf | Fault::Slow => [0.0, 0.0, 0.575],
        }
    }
}

/// How the world is other than the detector believes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct World {
    /// The share of requests that fail while nothing is wrong, as a multiple of 0.5 %.
    pub failures: f64,
    /// The lags of receipts, as a multiple, from the middle of the warming on.
    pub lags: f64,
    /// The number of blips, as a multiple.
    pub blips: f64,
    /// Whether one of the three controls is dead all the time.
    pub dead_control: bool,
}

/// The world as it is believed to be.
pub const AS_BELIEVED: World = World { failures: 1.0, lags: 1.0, blips: 1.0, dead_control: false };

/// A stream to be.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// What goes wrong; `None`: nothing.
    pub fault: Option<Fault>,
    /// Messages a second to each of the two channels.
    pub per_s: f64,
    /// How long it is healthy first, in seconds.
    pub warm_s: f64,
    /// How long it lasts after that, in seconds.
    pub lasts_s: f64,
    /// What its draws follow from.
    pub seed: u64,
    /// How its world is.
    pub world: World,
}

/// What a request of ours came to, in the order in which it was seen.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Seen {
    /// When, in seconds.
    pub at: f64,
    /// Whether it was a probe, not a send.
    pub probe: bool,
    /// Whether it failed.
    pub failed: bool,
}

/// When a fault was noticed, in seconds after it began; `None`: not while it was watched.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Noticed {
    /// Routing turned away.
    pub degraded: Option<f64>,
    /// It was declared.
    pub down: Option<f64>,
    /// Three probes in a row had failed.
    pub three_strikes: Option<f64>,
    /// Five requests in a row had failed.
    pub five_errors: Option<f64>,
    /// The last good probe was longer ago than ever seemed likely.
    pub accrual: Option<f64>,
}

/// How often something was declared though nothing was wrong.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct FalseAlarms {
    /// By the core.
    pub down: u32,
    /// By three probes in a row.
    pub three_strikes: u32,
    /// By five requests in a row.
    pub five_errors: u32,
    /// By the last good probe.
    pub accrual: u32,
}

impl Stream {
    /// Plays it with a fault.
    ///
    /// # Errors
    /// The stream is no scenario: a mistake of ours.
    pub fn notice(&self, dwell: Span) -> Result<(Noticed, u32), String> {
        let run = self.play(dwell)?;
        let onset = self.onset();
        let subject = |turn: &&super::trial::Turn| turn.channel == Some(0) && turn.at >= onset;
        let after = |at: f64| Some(at - onset);
        let is_line = self.fault == Some(Fault::Line);
        use crate::core::view::State;
        let degraded = run.verdicts.iter().filter(subject).find(|turn| turn.to >= State::Degraded);
        let down = match is_line {
            true => {
                run.verdicts.iter().find(|turn| turn.said == super::trial::Said::Line && turn.at >= onset)
            }
            false => run.verdicts.iter().filter(subject).find(|turn| turn.declares()),
        };
        let blamed = run.verdicts.iter().filter(|turn| turn.channel.is_some() && turn.declares()).count();
        let seen: Vec<Seen> = run.seen.clone();
        let first = |alarms: Vec<f64>| alarms.into_iter().find(|at| *at >= onset).and_then(after);
        let noticed = Noticed {
            degraded: degraded.and_then(|turn| after(turn.at)),
            down: down.and_then(|turn| after(turn.at)),
            three_strikes: first(in_a_row(&seen, 3, true)),
            five_errors: first(in_a_row(&seen, 5, false)),
            accrual: first(accrual(&seen, onset + self.lasts_s)),
        };
        Ok((noticed, if is_line { blamed as u32 } else { 0 }))
    }

    /// Plays it without a fault. Both channels are watched, for as long as the stream lasts after it was warm.
    ///
    /// # Errors
    /// The stream is no scenario: a mistake of ours.
    pub fn false_alarms(&self, dwell: Span) -> Result<FalseAlarms, String> {
        let run = self.play(dwell)?;
        let after = |at: &&f64| **at >= self.warm_s;
        let count = |alarms: Vec<f64>| alarms.iter().filter(after).count() as u32;
        let down = run.verdicts.iter().filter(|turn| turn.at >= self.warm_s && turn.declares());
        Ok(FalseAlarms {
            down: down.count() as u32,
            three_strikes: count(in_a_row(&run.seen, 3, true)),
            five_errors: count(in_a_row(&run.seen, 5, false)),
            accrual: count(accrual(&run.seen, self.warm_s + self.lasts_s)),
        })
    }

    /// Returns when the fault begins, in seconds: at any phase of the probes.
    fn onset(&self) -> f64 {
        self.warm_s + (Name::of_seed(self.seed).with("onset").uniform() * PROBE_S).round()
    }

    fn play(&self, dwell: Span) -> Result<Run, String> {
        let scenario = Scenario::read(&self.text()).map_err(|error| error.to_string())?;
        let trial = Trial { policy: Arc::new(policy()), dwell, vantage: None, watched: Some(0) };
        trial.run(&scenario).map_err(|error: WithoutPlace| error.to_string())
    }

    /// Writes it as a scenario.
    fn text(&self) -> String {
        let end = (self.onset() + self.lasts_s).round() as u32;
        let World { failures, lags, blips, dead_control } = self.world;
        let mut text = format!(
            "schema = \"outage-scenario/1\"\nid = \"stream\"\ntitle = \"a stream\"\nseed = {}\n\
             t0 = 2026-01-01T00:00:00Z\nduration_s = {end}\n\
             [population]\nrecipients = 4000\nbearers = \"shared\"\n\
             [[region]]\nid = \"all\"\nshare = 1.0\ndata_up = 0.9\ncell_up = 0.9\n\
             [[vantage]]\nid = \"here\"\nregion = \"all\"\ncan_send = true\n",
            self.seed,
        );
        for control in ["a", "b", "c"] {
            let _ = writeln!(text, "[[control]]\nid = \"{control}\"\nkind = \"http\"");
        }
        let fails = 0.005 * failures / 2.0;
        for (id, delivers, receipt) in [(SUBJECT, 2_000, 1_000), ("signal", 1_500, 800)] {
            let _ = writeln!(
                text,
                "[[channel]]\nid = \"{id}\"\nbearer = \"data\"\nreceipts = true\nunregistered = \"reject\"\n\
                 ttl_s = 86400\nadmit_per_s = 200.0\nadmit_burst = 200\nserve_per_s = 200.0\ncost = 0.0\n\
                 registered = {{ all = 1.0 }}\n[channel.base]\n\
                 dns = {{ ms = [20, 3.0] }}\ntcp = {{ refused = {fails}, ms = [40, 4.0] }}\ntls = {{ ms = [60, 4.0] }}\n\
                 http = {{ e5xx = {fails}, ms = [90, 3.5] }}\naccept = {{ ms = [150, 3.0] }}\n\
                 deliver = {{ drop = 0.001, ms = [{delivers}, 2.2] }}\nreceipt = {{ p = 0.95, ms = [{receipt}, 2.2] }}",
            );
        }
        for (class, deadline) in [("critical", 600), ("high", 3_600)] {
            let _ = writeln!(text, "[[class]]\nid = \"{class}\"\ndeadline_s = {deadline}\nweight = 1.0");
            if self.per_s > 0.0 {
                let per_min = self.per_s * 60.0;
                let _ = writeln!(
                    text,
                    "[[load]]\nid = \"{class}\"\nclass = \"{class}\"\nfrom_s = 0\nto_s = {end}\nper_min = {per_min:.3}"
                );
            }
        }
        let name = Name::of_seed(self.seed);
        let mut phase = |from: u32, to: u32, what: &str| {
            if to > from {
                let _ = writeln!(text, "[[phase]]\nname = \"p{from}\"\nfrom_s = {from}\nto_s = {to}\n{what}");
            }
        };
        let control = if dead_control { "[[phase.control]]\nid = \"c\"\nfail = 1.0\n" } else { "" };
        let slower = |id: &str, delivers: u32| match lags == 1.0 {
            true => String::new(),
            false => format!(
                "[[phase.effect]]\nchannel = \"{id}\"\nscope = \"all\"\ndeliver = {{ drop = 0.001, ms = [{}, 2.2] }}\n",
                f64::from(delivers) * lags
            ),
        };
        let slow = slower(SUBJECT, 2_000) + &slower("signal", 1_500);
        // Where nothing goes wrong, the usual noise goes on to the end.
        let onset = if self.fault.is_none() { end } else { self.onset().round() as u32 };
        let mut at = 0;
        for nth in 0_u32.. {
            let draw = |what: &str| name.with(format_args!("blip|{nth}|{what}")).uniform();
            let pause = -draw("pause").ln() * DAY_S / (BLIPS_A_DAY * blips);
            let begins = at.max((f64::from(at) + pause).round() as u32);
            let lasts = (-draw("lasts").ln() * BLIP_S).round().max(1.0) as u32;
            let wander = format!(
                "[[phase.recipients]]\nregion = \"all\"\ndata_up = {:.4}\n",
                0.9 + (draw("wander") - 0.5) * 0.08
            );
            // A drift of the share that answers is slow: an hour each.
            let mut from = at;
            while from < begins.min(onset) {
                let to = (from + 3_600).min(begins).min(onset);
                let late = if f64::from(from) >= self.warm_s / 2.0 { slow.as_str() } else { "" };
                phase(from, to, &format!("{wander}{control}{late}"));
                from = to;
            }
            if begins + lasts >= onset {
                at = onset;
                // What is left of the healthy part.
                phase(from, onset, &format!("{control}{slow}"));
                break;
            }
            let blip = match draw("shared") < BLIPS_SHARED {
                true => "[[phase.vantage]]\nid = \"here\"\nloss = 1.0\n".to_owned(),
                false => format!(
                    "{control}[[phase.effect]]\nchannel = \"{SUBJECT}\"\nscope = \"all\"\n\
                     tcp = {{ timeout = 1.0, ms = [40, 4.0] }}\n"
                ),
            };
            phase(from, begins + lasts, &blip);
            at = begins + lasts;
        }
        let fault = match self.fault {
            None => format!("{control}{slow}"),
            Some(Fault::Line) => "[[phase.vantage]]\nid = \"here\"\nloss = 1.0\n".into(),
            Some(fault) => {
                let effect = fault.effect();
                format!("{control}[[phase.effect]]\nchannel = \"{SUBJECT}\"\nscope = \"all\"\n{effect}\n")
            }
        };
        phase(at, end, &fault);
        text
    }
}

/// Returns when so many requests in a row had failed, each time anew after one that did not. `probes`: of probes alone.
fn in_a_row(seen: &[Seen], many: u32, probes: bool) -> Vec<f64> {
    let (mut alarms, mut failed) = (Vec::new(), 0);
    for one in seen.iter().filter(|one| one.probe || !probes) {
        failed = if one.failed { failed + 1 } else { 0 };
        if failed == many {
            alarms.push(one.at);
        }
    }
    alarms
}

/// Returns when good probes had stayed away for longer than is likely once in 10^8. Cites: Hayashibara 2004 (phi = 8), over the
/// last 100 gaps taken as normal, with two gaps of grace and a deviation of half a second at least.
fn accrual(seen: &[Seen], end: f64) -> Vec<f64> {
    const KEPT: usize = 100;
    /// How many deviations are as unlikely as 10^-8.
    const DEVIATIONS: f64 = 5.612;
    let (mut gaps, mut last, mut alarms) = (std::collections::VecDeque::new(), None::<f64>, Vec::new());
    let good = seen.iter().filter(|one| one.probe && !one.failed).map(|one| one.at).chain([end]);
    for at in good {
        if let Some(before) = last {
            let count = gaps.len() as f64;
            let mean: f64 = gaps.iter().sum::<f64>() / count.max(1.0);
            let variance: f64 =
                gaps.iter().map(|gap: &f64| (gap - mean).powi(2)).sum::<f64>() / count.max(1.0);
            let alarm = before + 2.0 * PROBE_S + mean + DEVIATIONS * variance.sqrt().max(0.5);
            if gaps.len() >= 10 && alarm < at {
                alarms.push(alarm);
            }
            gaps.push_back(at - before);
            if gaps.len() > KEPT {
                gaps.pop_front();
            }
        }
        last = Some(at);
    }
    alarms
}

/// Returns the delay below which no detector stays on average that raises one false alarm in 30 days, in seconds, at a probe
/// each 15 s and so many messages a second. Cites: Lorden 1971.
pub fn bound(fault: Fault, per_s: f64) -> f64 {
    let healthy = [0.005, 0.005, 0.15];
    let rates = [1.0 / PROBE_S, per_s, per_s];
    let (mut observations, mut information) = (0.0, 0.0);
    for ((up, down), rate) in healthy.into_iter().zip(fault.shares()).zip(rates) {
        if down > 0.0 {
            let ratio = down * f64::ln(down / up) + (1.0 - down) * f64::ln((1.0 - down) / (1.0 - up));
            observations += rate;
            information += rate * ratio;
        }
    }
    (30.0 * DAY_S * observations).ln() / information
}

/// A rule that sends one class by one channel.
fn policy() -> Policy {
    let rule = |name: &str, severity, channel| Rule {
        name: name.into(),
        when: vec![Box::new(Only(severity)) as Box<dyn Criterion>],
        deadline: None,
        expiry: Some(Span::from_mins(30)),
        confirm: Confirm::Delivered,
        on_unknown: None,
        strict: None,
        assume_after: Span::from_mins(30),
        escalate: vec![],
        never: ChannelSet::default(),
        never_domains: vec![],
        steps: vec![Step {
            channels: vec![channel],
            send: SendMode::Best,
            wait: Span::from_mins(30),
            learned: false,
        }],
    };
    Policy {
        hash: "stream".into(),
        rules: vec![
            rule("subject", Severity::Extreme, Channel::Whatsapp),
            rule("other", Severity::Severe, Channel::Signal),
        ],
    }
}

/// Messages of one severity.
#[derive(Debug)]
struct Only(Severity);

impl Criterion for Only {
    fn key(&self) -> &'static str {
        "severity"
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        subject.severity == self.0
    }

    fn explain(&self) -> String {
        format!("severity is {}", self.0.name())
    }

    fn found(&self, subject: &Subject<'_>) -> String {
        format!("severity is {}", subject.severity.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(fault: Option<Fault>, per_s: f64) -> Stream {
        Stream { fault, per_s, warm_s: 600.0, lasts_s: WATCHED_S, seed: 7, world: AS_BELIEVED }
    }

    #[test]
    fn a_dead_channel_and_one_that_swallows_are_noticed_and_a_healthy_one_is_not() {
        let dwell = Span::from_secs(20);
        let (dead, _) = stream(Some(Fault::Dead), 1.0).notice(dwell).unwrap();
        assert!(dead.down.is_some_and(|after| after < 60.0), "{dead:?}");
        assert!(dead.three_strikes.is_some(), "{dead:?}");
        let (swallows, _) = stream(Some(Fault::Swallows), 1.0).notice(dwell).unwrap();
        assert!(swallows.down.is_some_and(|after| after < 60.0), "{swallows:?}");
        assert_eq!((swallows.three_strikes, swallows.five_errors), (None, None), "no error tells of it");
        let (line, blamed) = stream(Some(Fault::Line), 1.0).notice(dwell).unwrap();
        assert!(line.down.is_some() && blamed == 0, "{line:?} {blamed}");
        assert_eq!(stream(None, 1.0).false_alarms(dwell).unwrap().down, 0);
    }

    #[test]
    fn the_bound_is_the_designs() {
        assert!((bound(Fault::Fifth, 0.0) - 262.0).abs() < 120.0, "{}", bound(Fault::Fifth, 0.0));
        assert!(bound(Fault::Swallows, 1.0) < bound(Fault::Swallows, 0.1));
    }
}
