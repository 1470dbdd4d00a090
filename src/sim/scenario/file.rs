//! A scenario's file, read and checked: what refers to nothing, or adds up to more than all, is told before anything is replayed.
//!
//! Limit: [`RECIPIENTS_MAX`] people. Facts and sources are for readers, and are not looked into.

use super::draw::Times;
use crate::core::time::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The format that is read.
const SCHEMA: &str = "outage-scenario/1";
/// The most people of a scenario.
const RECIPIENTS_MAX: u32 = 1_000_000;

/// Why a scenario cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadScenario {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It can be read, and contradicts itself.
    #[error("{0}")]
    Wrong(String),
}

/// A real outage as data.
#[derive(Deserialize, Debug, Clone)]
pub struct Scenario {
    schema: String,
    /// Its name.
    pub id: String,
    /// What happened, in a line.
    pub title: String,
    /// What its draws follow from.
    pub seed: u64,
    /// When it begins.
    t0: toml::value::Datetime,
    /// How long it lasts, in seconds.
    pub duration_s: u32,
    pub(super) population: Population,
    pub(super) region: Vec<Region>,
    pub(super) vantage: Vec<Vantage>,
    #[serde(default)]
    pub(super) control: Vec<Control>,
    pub(super) channel: Vec<Channel>,
    pub(super) class: Vec<Class>,
    #[serde(default)]
    pub(super) load: Vec<Load>,
    pub(super) phase: Vec<Phase>,
    #[serde(default)]
    pub(super) truth: Vec<Truth>,
}

#[derive(Deserialize, Debug, Clone)]
pub(super) struct Population {
    pub(super) recipients: u32,
    pub(super) bearers: Bearers,
}

/// Whether one quantile decides on data and cell.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Bearers {
    Shared,
    Independent,
}

#[derive(Deserialize, Debug, Clone)]
pub(super) struct Region {
    pub(super) id: String,
    pub(super) share: f64,
    pub(super) data_up: f64,
    pub(super) cell_up: f64,
}

#[derive(Deserialize, Debug, Clone)]
pub(super) struct Vantage {
    pub(super) id: String,
    pub(super) region: String,
    pub(super) can_send: bool,
}

#[derive(Deserialize, Debug, Clone)]
pub(super) struct Control {
    pub(super) id: String,
}

/// What a device needs to get a message.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Bearer {
    Data,
    Cell,
}

/// What a provider says of somebody without an account.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unregistered {
    Reject,
    Silent,
}

#[derive(Deserialize, Debug, Clone)]
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) bearer: Bearer,
    pub(super) receipts: bool,
    pub(super) unregistered: Unregistered,
    pub(super) ttl_s: f64,
    pub(super) admit_per_s: f64,
    pub(super) admit_burst: f64,
    pub(super) serve_per_s: f64,
    pub(super) cost: f64,
    pub(super) registered: BTreeMap<String, f64>,
    pub(super) base: Layers,
}

#[derive(Deserialize, Debug, Clone)]
pub(super) struct Class {
    pub(super) id: String,
    pub(super) deadline_s: f64,
    pub(super) weight: f64,
}

#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct Load {
    pub(super) id: String,
    pub(super) class: String,
    pub(super) region: Option<String>,
    pub(super) from_s: Option<f64>,
    pub(super) to_s: Option<f64>,
    pub(super) per_min: Option<f64>,
    pub(super) at_s: Option<f64>,
    pub(super) count: Option<u32>,
    pub(super) spread_s: Option<f64>,
}

#[derive(Deserialize, Debug, Clone)]
pub(super) struct Phase {
    pub(super) name: String,
    pub(super) from_s: u32,
    pub(super) to_s: u32,
    #[serde(default)]
    pub(super) effect: Vec<Effect>,
    #[serde(default)]
    pub(super) recipients: Vec<Recipients>,
    #[serde(default)]
    pub(super) vantage: Vec<Loss>,
    #[serde(default)]
    pub(super) control: Vec<Failing>,
}

/// When an effect that blinks is on.
#[derive(Deserialize, Debug, Clone, Copy, Default)]
pub(super) struct Blink {
    pub(super) period_s: Option<u32>,
    pub(super) on_s: Option<u32>,
    #[serde(default)]
    pub(super) offset_s: u32,
}

#[derive(Deserialize, Debug, Clone)]
pub(super) struct Effect {
    pub(super) channel: String,
    pub(super) scope: String,
    #[serde(flatten)]
    pub(super) layers: Layers,
    pub(super) admit_per_s: Option<f64>,
    pub(super) serve_per_s: Option<f64>,
    #[serde(flatten)]
    pub(super) blink: Blink,
}

#[derive(Deserialize, Debug, Clone)]
pub(super) struct Recipients {
    pub(super) region: String,
    pub(super) data_up: Option<f64>,
    pub(super) cell_up: Option<f64>,
    #[serde(default)]
    pub(super) blocked: BTreeMap<String, f64>,
    #[serde(flatten)]
    pub(super) blink: Blink,
}

#[derive(Deserialize, Debug, Clone)]
pub(super) struct Loss {
    pub(super) id: String,
    pub(super) loss: f64,
}

#[derive(Deserialize, Debug, Clone)]
pub(super) struct Failing {
    pub(super) id: String,
    pub(super) vantage: Option<String>,
    pub(super) fail: f64,
    #[serde(flatten)]
    pub(super) blink: Blink,
}

/// What was the case, for scoring alone.
#[derive(Deserialize, Debug, Clone)]
pub(super) struct Truth {
    pub(super) channel: String,
    pub(super) region: String,
    pub(super) from_s: u32,
    pub(super) to_s: u32,
    pub(super) state: String,
    pub(super) visible_to: Vec<String>,
}

/// The tables of a channel, layer by layer.
#[derive(Deserialize, Debug, Clone, Default)]
pub(super) struct Layers {
    pub(super) dns: Option<Table>,
    pub(super) tcp: Option<Table>,
    pub(super) tls: Option<Table>,
    pub(super) http: Option<Table>,
    pub(super) accept: Option<Table>,
    pub(super) deliver: Option<Table>,
    pub(super) receipt: Option<Table>,
}

/// What a layer does: each outcome's probability, and how long it takes.
#[derive(Deserialize, Debug, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) ms: Times,
    #[serde(default)]
    pub(super) nxdomain: f64,
    #[serde(default)]
    pub(super) servfail: f64,
    #[serde(default)]
    pub(super) hijack: f64,
    #[serde(default)]
    pub(super) refused: f64,
    #[serde(default)]
    pub(super) reset: f64,
    #[serde(default)]
    pub(super) badcert: f64,
    #[serde(default)]
    pub(super) e4xx: f64,
    #[serde(default)]
    pub(super) e5xx: f64,
    #[serde(default)]
    pub(super) reject: f64,
    #[serde(default)]
    pub(super) timeout: f64,
    #[serde(default)]
    pub(super) drop: f64,
    #[serde(default)]
    pub(super) hold: f64,
    #[serde(default)]
    pub(super) hold_until_s: f64,
    #[serde(default)]
    pub(super) ghost: f64,
    #[serde(default)]
    pub(super) p: f64,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// Says where it cannot be read, or what in it contradicts itself.
    pub fn read(text: &str) -> Result<Scenario, BadScenario> {
        let read: Scenario =
            toml::from_str(text).map_err(|error| BadScenario::Unreadable(error.to_string()))?;
        read.check().map_err(BadScenario::Wrong)?;
        Ok(read)
    }

    /// Returns the same outage with other draws: another day on which the same happened.
    #[must_use]
    pub fn drawn(&self, seed: u64) -> Scenario {
        Scenario { seed, ..self.clone() }
    }

    /// Returns when it begins.
    pub(super) fn begins(&self) -> Timestamp {
        // A checked scenario's beginning can be read.
        Timestamp::from_ms(self.t0.to_string().parse().map_or(0, jiff::Timestamp::as_millisecond))
    }

    fn check(&self) -> Result<(), String> {
        expect(self.t0.to_string().parse::<jiff::Timestamp>().is_ok(), || {
            "`t0` is a date, a time and a zone: 2021-10-04T14:30:00Z".into()
        })?;
        let regions: BTreeSet<&str> = self.region.iter().map(|region| region.id.as_str()).collect();
        let channels: BTreeSet<&str> = self.channel.iter().map(|channel| channel.id.as_str()).collect();
        let vantages: BTreeSet<&str> = self.vantage.iter().map(|vantage| vantage.id.as_str()).collect();
        let classes: BTreeSet<&str> = self.class.iter().map(|class| class.id.as_str()).collect();
        let controls: BTreeSet<&str> = self.control.iter().map(|control| control.id.as_str()).collect();
        let known = |what: &str, set: &BTreeSet<&str>, id: &str| match set.contains(id) {
            true => Ok(()),
            false => Err(format!("there is no {what} `{id}`")),
        };
        expect(self.schema == SCHEMA, || format!("`schema` is not {SCHEMA}"))?;
        expect((1..=RECIPIENTS_MAX).contains(&self.population.recipients), || {
            format!("`population.recipients` is 1 to {RECIPIENTS_MAX}")
        })?;
        let shares: f64 = self.region.iter().map(|region| region.share).sum();
        expect((shares - 1.0).abs() < 1e-6, || "the shares of the regions do not add up to 1".into())?;
        expect(self.vantage.iter().any(|v| v.can_send), || "no vantage point can send".into())?;
        for channel in &self.channel {
            let id = &channel.id;
            let has_all = channel.registered.keys().map(String::as_str).collect::<BTreeSet<_>>() == regions;
            expect(has_all, || format!("{id}: `registered` has other regions than the scenario"))?;
            let base = &channel.base;
            let whole = [&base.dns, &base.tcp, &base.tls, &base.http, &base.accept, &base.deliver];
            expect(whole.iter().all(|table| table.is_some()), || format!("{id}: its `base` lacks a layer"))?;
            expect(base.receipt.is_some() == channel.receipts, || {
                format!("{id}: `receipts` and the base's `receipt` go together")
            })?;
            let rates = [channel.admit_per_s, channel.admit_burst, channel.serve_per_s];
            expect(rates.iter().all(|rate| *rate > 0.0), || format!("{id}: a rate is more than 0"))?;
            base.check(id)?;
        }
        let mut reached = 0;
        for phase in &self.phase {
            let name = &phase.name;
            let follows = phase.from_s == reached && phase.to_s > phase.from_s;
            expect(follows, || format!("phase `{name}` does not follow on"))?;
            reached = phase.to_s;
            for effect in &phase.effect {
                if effect.channel != "*" {
                    known("channel", &channels, &effect.channel)?;
                }
                match effect.scope.split_once(':') {
                    None if effect.scope == "all" => {}
                    Some(("region", id)) => known("region", &regions, id)?,
                    Some(("vantage", id)) => known("vantage", &vantages, id)?,
                    _ => return Err(format!("phase `{name}`: the scope is all, region:.. or vantage:..")),
                }
                let rates = effect.admit_per_s.is_some() || effect.serve_per_s.is_some();
                expect(!rates || effect.scope == "all", || {
                    format!("phase `{name}`: rates have the scope all")
                })?;
                effect.layers.check(name)?;
                effect.blink.check(name)?;
            }
            for people in &phase.recipients {
                known("region", &regions, &people.region)?;
                people.blocked.keys().try_for_each(|channel| known("channel", &channels, channel))?;
                people.blink.check(name)?;
            }
            phase.vantage.iter().try_for_each(|loss| known("vantage", &vantages, &loss.id))?;
            for failing in &phase.control {
                known("control", &controls, &failing.id)?;
                failing.vantage.iter().try_for_each(|id| known("vantage", &vantages, id))?;
                expect((0.0..=1.0).contains(&failing.fail), || format!("phase `{name}`: `fail` is 0 to 1"))?;
                failing.blink.check(name)?;
            }
        }
        expect(reached == self.duration_s, || "the phases do not reach `duration_s`".into())?;
        for load in &self.load {
            known("class", &classes, &load.class)?;
            load.region.iter().try_for_each(|region| known("region", &regions, region))?;
            let burst = load.at_s.is_some() && load.count.is_some() && load.spread_s.is_some();
            let stream =
                load.from_s.is_some() && load.to_s.is_some() && load.per_min.is_some_and(|n| n > 0.0);
            expect(burst != stream, || {
                format!(
                    "load `{}` is a stream (from_s, to_s, per_min) or a burst (at_s, count, spread_s)",
                    load.id
                )
            })?;
        }
        for truth in &self.truth {
            match truth.channel.split_once(':') {
                Some(("vantage", id)) => known("vantage", &vantages, id)?,
                _ if truth.channel == "*" => {}
                _ => known("channel", &channels, &truth.channel)?,
            }
            if !matches!(&*truth.region, "*" | "-") {
                known("region", &regions, &truth.region)?;
            }
            expect(truth.from_s < truth.to_s && truth.to_s <= self.duration_s, || {
                "a truth ends after it begins, within the scenario".into()
            })?;
        }
        Ok(())
    }
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Layers {
    fn check(&self, whose: &str) -> Result<(), String> {
        let tables =
            [&self.dns, &self.tcp, &self.tls, &self.http, &self.accept, &self.deliver, &self.receipt];
        tables.into_iter().flatten().try_for_each(|table| table.check(whose))
    }
}

impl Table {
    fn check(&self, whose: &str) -> Result<(), String> {
        let outcomes = [
            self.nxdomain,
            self.servfail,
            self.hijack,
            self.refused,
            self.reset,
            self.badcert,
            self.e4xx,
            self.e5xx,
            self.reject,
            self.timeout,
            self.drop,
            self.hold,
        ];
        let possible = outcomes.iter().chain(&[self.ghost, self.p]).all(|p| (0.0..=1.0).contains(p));
        let fits = outcomes.iter().sum::<f64>() <= 1.0 + 1e-9;
        expect(possible && fits, || {
            format!("{whose}: probabilities are 0 to 1, and a table's at most 1 together")
        })?;
        let [median, shape] = self.ms;
        expect(median > 0.0 && shape > 1.0, || {
            format!("{whose}: `ms` is a median above 0 and a shape above 1")
        })
    }
}

impl Blink {
    fn check(&self, whose: &str) -> Result<(), String> {
        let together = self.period_s.is_some() == self.on_s.is_some() && self.period_s != Some(0);
        expect(together, || format!("{whose}: `period_s`, above 0, and `on_s` go together"))
    }
}
