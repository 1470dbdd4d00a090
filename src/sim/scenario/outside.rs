//! The world outside: what a request, a send and an accepted message come to at a time, and whom a message is for.
//!
//! Times are seconds from the scenario's beginning. Nothing here remembers anything: the same question has the same answer.

use super::draw::{Name, Times};
use super::file::{Bearer, Bearers, Blink, Channel, Layers, Phase, Scenario, Table, Unregistered};
use std::collections::{BTreeMap, BTreeSet};

/// How long somebody's device takes to come back to a channel.
const RECONNECT: Times = [5000.0, 1.5];
/// How long a caller waits for names, for a connection and for TLS.
const CONNECT_S: f64 = 5.0;
/// How long a caller waits for an answer.
const ANSWER_S: f64 = 10.0;
/// How often a control fails that nothing ails.
const CONTROL_FAILS: f64 = 0.001;

/// A channel, by its place in the file.
pub(super) type ChannelAt = usize;
/// A vantage point, by its place in the file.
pub(super) type VantageAt = usize;

/// The layers that a request goes through, and those behind acceptance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Layer {
    Dns,
    Tcp,
    Tls,
    Http,
    Accept,
    Deliver,
    Receipt,
}

/// What a request came to, as its caller sees it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Answer {
    pub(super) seen: Seen,
    /// In seconds.
    pub(super) took: f64,
    /// How long each layer took that it went through, in seconds.
    pub(super) layers: Vec<(Layer, f64)>,
}

/// What the caller sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    Ok,
    /// It failed there.
    Failed(Layer),
    /// No answer came in time.
    TimedOut(Layer),
}

/// A message of the scenario's load.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Task {
    pub(super) at: f64,
    /// Its load and its number there: `alert|7`.
    pub(super) id: String,
    pub(super) class: usize,
    pub(super) recipient: u32,
}

/// The world of a scenario.
pub(super) struct Outside<'a> {
    pub(super) scenario: &'a Scenario,
    seed: Name,
    /// Each recipient's region.
    home: Vec<usize>,
    by_region: BTreeMap<usize, Vec<u32>>,
    /// When somebody's line may change.
    changes: Vec<f64>,
}

impl Layer {
    fn name(self) -> &'static str {
        match self {
            Layer::Dns => "dns",
            Layer::Tcp => "tcp",
            Layer::Tls => "tls",
            Layer::Http => "http",
            Layer::Accept => "accept",
            Layer::Deliver => "deliver",
            Layer::Receipt => "receipt",
        }
    }

    fn of(self, layers: &Layers) -> Option<Table> {
        match self {
            Layer::Dns => layers.dns,
            Layer::Tcp => layers.tcp,
            Layer::Tls => layers.tls,
            Layer::Http => layers.http,
            Layer::Accept => layers.accept,
            Layer::Deliver => layers.deliver,
            Layer::Receipt => layers.receipt,
        }
    }

    /// Returns the outcomes in the order in which a draw walks through them, each with whether it is a time-out.
    fn outcomes(self, table: &Table) -> [(f64, bool); 4] {
        let none = (0.0, false);
        match self {
            Layer::Dns => [
                (table.nxdomain, false),
                (table.servfail, false),
                (table.timeout, true),
                (table.hijack, false),
            ],
            Layer::Tcp => [(table.refused, false), (table.reset, false), (table.timeout, true), none],
            Layer::Tls => [(table.badcert, false), (table.reset, false), (table.timeout, true), none],
            Layer::Http => [(table.e4xx, false), (table.e5xx, false), (table.timeout, true), none],
            Layer::Accept => [(table.reject, false), (table.timeout, true), none, none],
            Layer::Deliver | Layer::Receipt => [none; 4],
        }
    }

    fn patience(self) -> f64 {
        match self {
            Layer::Dns | Layer::Tcp | Layer::Tls => CONNECT_S,
            _ => ANSWER_S,
        }
    }
}

impl Blink {
    /// Says whether it is on, `t` being within a phase that began at `from`.
    fn is_on(&self, t: f64, from: u32) -> bool {
        let (Some(period), Some(on)) = (self.period_s, self.on_s) else { return true };
        (t - f64::from(from) - f64::from(self.offset_s)).rem_euclid(f64::from(period)) < f64::from(on)
    }
}

impl<'a> Outside<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Outside<'a> {
        let seed = Name::of_seed(scenario.seed);
        let mut up_to = 0.0;
        let shares: Vec<f64> = scenario
            .region
            .iter()
            .map(|region| {
                up_to += region.share;
                up_to
            })
            .collect();
        let home: Vec<usize> = (0..scenario.population.recipients)
            .map(|person| {
                let u = seed.with(format_args!("rcpt|{person}|region")).uniform();
                shares.iter().position(|share| u < *share).unwrap_or(shares.len() - 1)
            })
            .collect();
        let mut by_region: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (person, region) in (0u32..).zip(&home) {
            by_region.entry(*region).or_default().push(person);
        }
        let changes = changes(&scenario.phase).into_iter().map(f64::from).collect();
        Outside { scenario, seed, home, by_region, changes }
    }

    pub(super) fn channel(&self, at: ChannelAt) -> &'a Channel {
        &self.scenario.channel[at]
    }

    fn phase(&self, t: f64) -> &'a Phase {
        let after = self.scenario.phase.partition_point(|phase| f64::from(phase.from_s) <= t);
        &self.scenario.phase[after.saturating_sub(1)]
    }

    /// Returns a layer's table: the last effect that matches, else the base.
    fn table(
        &self,
        channel: ChannelAt,
        layer: Layer,
        t: f64,
        vantage: Option<VantageAt>,
        region: Option<&str>,
    ) -> Option<Table> {
        let phase = self.phase(t);
        let channel = self.channel(channel);
        let matches = |scope: &str| match scope.split_once(':') {
            None => true,
            Some(("vantage", id)) => vantage.is_some_and(|at| self.scenario.vantage[at].id == id),
            Some((_, id)) => region == Some(id),
        };
        let changed = phase.effect.iter().rev().find_map(|effect| {
            let is_its = effect.channel == "*" || effect.channel == channel.id;
            let table = layer.of(&effect.layers)?;
            (is_its && effect.blink.is_on(t, phase.from_s) && matches(&effect.scope)).then_some(table)
        });
        changed.or_else(|| layer.of(&channel.base))
    }

    /// Returns how many a second a channel admits.
    pub(super) fn admits(&self, channel: ChannelAt, t: f64) -> f64 {
        let phase = self.phase(t);
        let its = |id: &str| id == "*" || id == self.channel(channel).id;
        let effects = phase.effect.iter().rev().filter(|e| its(&e.channel) && e.blink.is_on(t, phase.from_s));
        effects.filter_map(|effect| effect.admit_per_s).next().unwrap_or(self.channel(channel).admit_per_s)
    }

    /// Returns how many a second a channel serves.
    pub(super) fn serves(&self, channel: ChannelAt, t: f64) -> f64 {
        let phase = self.phase(t);
        let its = |id: &str| id == "*" || id == self.channel(channel).id;
        let effects = phase.effect.iter().rev().filter(|e| its(&e.channel) && e.blink.is_on(t, phase.from_s));
        effects.filter_map(|effect| effect.serve_per_s).next().unwrap_or(self.channel(channel).serve_per_s)
    }

    fn loss(&self, vantage: VantageAt, t: f64) -> f64 {
        let id = &self.scenario.vantage[vantage].id;
        self.phase(t).vantage.iter().rev().find(|loss| loss.id == *id).map_or(0.0, |loss| loss.loss)
    }

    pub(super) fn region_of(&self, person: u32) -> usize {
        self.home[person as usize]
    }

    /// Says whether somebody's device is online and lets a channel through.
    fn reaches(&self, person: u32, channel: ChannelAt, t: f64) -> bool {
        let phase = self.phase(t);
        let home = &self.scenario.region[self.region_of(person)];
        let channel = self.channel(channel);
        let mut up = match channel.bearer {
            Bearer::Data => home.data_up,
            Bearer::Cell => home.cell_up,
        };
        let mut blocked = 0.0;
        for people in &phase.recipients {
            if people.region == home.id && people.blink.is_on(t, phase.from_s) {
                let told = match channel.bearer {
                    Bearer::Data => people.data_up,
                    Bearer::Cell => people.cell_up,
                };
                up = told.unwrap_or(up);
                blocked = people.blocked.get(&channel.id).copied().unwrap_or(blocked);
            }
        }
        let bearer = match (self.scenario.population.bearers, channel.bearer) {
            (Bearers::Shared, _) => "bearer",
            (Bearers::Independent, Bearer::Data) => "data",
            (Bearers::Independent, Bearer::Cell) => "cell",
        };
        let name = self.seed.with(format_args!("rcpt|{person}|"));
        name.with(bearer).uniform() < up
            && name.with(format_args!("block|{}", channel.id)).uniform() >= blocked
    }

    fn has_account(&self, person: u32, channel: ChannelAt) -> bool {
        let channel = self.channel(channel);
        let share = channel.registered[&self.scenario.region[self.region_of(person)].id];
        self.seed.with(format_args!("rcpt|{person}|has|{}", channel.id)).uniform() < share
    }

    /// Says whether the provider tells at once that somebody has no account.
    pub(super) fn is_refused(&self, person: u32, channel: ChannelAt) -> bool {
        self.channel(channel).unregistered == Unregistered::Reject && !self.has_account(person, channel)
    }

    /// Says whether a channel is down or blocked for somebody, by what was the case.
    pub(super) fn is_dead(&self, channel: ChannelAt, person: u32, t: f64) -> bool {
        let region = &self.scenario.region[self.region_of(person)].id;
        self.scenario.truth.iter().any(|truth| {
            truth.channel == self.channel(channel).id
                && matches!(&*truth.state, "down" | "blocked")
                && (truth.region == "*" || truth.region == *region)
                && (f64::from(truth.from_s)..f64::from(truth.to_s)).contains(&t)
        })
    }

    /// Begins the names of a send's draws; `nth` counts a message's attempts over all channels.
    pub(super) fn sending(&self, message: &str, channel: ChannelAt, nth: u32) -> Name {
        self.seed.with(format_args!("send|{message}|{}|{nth}", self.channel(channel).id))
    }

    /// Sends, or asks: goes through the layers to `last`.
    pub(super) fn request(
        &self,
        name: Name,
        channel: ChannelAt,
        vantage: VantageAt,
        t: f64,
        last: Layer,
    ) -> Answer {
        if name.with("|loss").uniform() < self.loss(vantage, t) {
            return Answer {
                seen: Seen::TimedOut(Layer::Dns),
                took: CONNECT_S,
                layers: vec![(Layer::Dns, CONNECT_S)],
            };
        }
        let region = self.scenario.vantage[vantage].region.as_str();
        let (mut took, mut layers) = (0.0, Vec::with_capacity(4));
        for layer in [Layer::Dns, Layer::Tcp, Layer::Tls, last] {
            // A checked scenario has each of these layers.
            let Some(table) = self.table(channel, layer, t, Some(vantage), Some(region)) else { continue };
            let name = name.with(format_args!("|{}", layer.name()));
            let (u, mut up_to) = (name.uniform(), 0.0);
            let hit = layer.outcomes(&table).into_iter().find(|(p, _)| {
                up_to += p;
                u < up_to
            });
            let spent = match hit {
                Some((_, true)) => layer.patience(),
                _ => name.with("|ms").seconds(table.ms),
            };
            took += spent;
            layers.push((layer, spent));
            match hit {
                Some((_, true)) => return Answer { seen: Seen::TimedOut(layer), took, layers },
                Some((_, false)) => return Answer { seen: Seen::Failed(layer), took, layers },
                None => {}
            }
        }
        Answer { seen: Seen::Ok, took, layers }
    }

    /// Says whether a send whose answer did not come was accepted all the same.
    pub(super) fn is_ghost(&self, name: Name, channel: ChannelAt, vantage: VantageAt, t: f64) -> bool {
        let region = self.scenario.vantage[vantage].region.as_str();
        let table = self.table(channel, Layer::Accept, t, Some(vantage), Some(region));
        name.with("|ghost").uniform() < table.map_or(0.0, |table| table.ghost)
    }

    /// Says when an accepted message is there, if ever.
    pub(super) fn delivered(
        &self,
        name: Name,
        channel: ChannelAt,
        person: u32,
        accepted: f64,
        served: f64,
    ) -> Option<f64> {
        if !self.has_account(person, channel) {
            return None;
        }
        let region = self.scenario.region[self.region_of(person)].id.as_str();
        let table = self.table(channel, Layer::Deliver, accepted, None, Some(region))?;
        let u = name.with("|deliver").uniform();
        let took = name.with("|deliver|ms").seconds(table.ms);
        if u < table.drop {
            return None;
        }
        let is_held = u < table.drop + table.hold && table.hold_until_s > served;
        let mut at = if is_held { table.hold_until_s } else { served } + took;
        if !self.reaches(person, channel, at) {
            let first = self.changes.partition_point(|change| *change <= at);
            let back = self.changes[first..].iter().find(|change| self.reaches(person, channel, **change))?;
            at = back + name.with("|reconnect").seconds(RECONNECT);
            if !self.reaches(person, channel, at) {
                return None;
            }
        }
        let too_late =
            at - accepted > self.channel(channel).ttl_s || at > f64::from(self.scenario.duration_s);
        (!too_late).then_some(at)
    }

    /// Says when the receipt of a message is here that arrived, if ever.
    pub(super) fn receipt(&self, name: Name, channel: ChannelAt, person: u32, arrived: f64) -> Option<f64> {
        if !self.channel(channel).receipts {
            return None;
        }
        let region = self.scenario.region[self.region_of(person)].id.as_str();
        let table = self.table(channel, Layer::Receipt, arrived, None, Some(region))?;
        if name.with("|receipt").uniform() >= table.p {
            return None;
        }
        let took = name.with("|receipt|ms").seconds(table.ms);
        let mut at = arrived + took;
        if table.hold_until_s > at {
            at = table.hold_until_s + took;
        }
        let senders = || self.scenario.vantage.iter().enumerate().filter(|(_, vantage)| vantage.can_send);
        let is_dark = |t: f64| senders().all(|(vantage, _)| self.loss(vantage, t) >= 1.0);
        if is_dark(at) {
            let begins = self.scenario.phase.iter().map(|phase| f64::from(phase.from_s));
            at = begins.into_iter().find(|begin| *begin > at && !is_dark(*begin))?;
        }
        Some(at)
    }

    /// Asks a channel as a health probe does, for the `nth` time.
    pub(super) fn probe(&self, channel: ChannelAt, vantage: VantageAt, t: f64, nth: u32) -> Answer {
        let (id, from) = (&self.channel(channel).id, &self.scenario.vantage[vantage].id);
        let name = self.seed.with(format_args!("probe|{id}|{from}|{nth}"));
        self.request(name, channel, vantage, t, Layer::Http)
    }

    /// Says whether a control fails that is asked for the `nth` time.
    pub(super) fn control_fails(&self, control: usize, vantage: VantageAt, t: f64, nth: u32) -> bool {
        let (id, from) = (&self.scenario.control[control].id, &self.scenario.vantage[vantage].id);
        let phase = self.phase(t);
        let its = phase.control.iter().rev().find(|failing| {
            failing.id == *id
                && failing.vantage.as_ref().is_none_or(|only| only == from)
                && failing.blink.is_on(t, phase.from_s)
        });
        let share = its.map_or(CONTROL_FAILS, |failing| failing.fail).max(self.loss(vantage, t));
        self.seed.with(format_args!("control|{id}|{from}|{nth}")).uniform() < share
    }

    /// Returns the scenario's messages in the order of time.
    pub(super) fn tasks(&self) -> Vec<Task> {
        let everyone: Vec<u32> = (0..self.scenario.population.recipients).collect();
        let nobody = Vec::new();
        let mut tasks = Vec::new();
        for load in &self.scenario.load {
            let named = |region: &String| self.scenario.region.iter().position(|r| r.id == *region);
            let pool = match &load.region {
                None => &everyone,
                Some(region) => {
                    named(region).and_then(|region| self.by_region.get(&region)).unwrap_or(&nobody)
                }
            };
            let Some(class) = self.scenario.class.iter().position(|class| class.id == load.class) else {
                continue;
            };
            let name = self.seed.with(format_args!("load|{}|", load.id));
            for (number, at) in times(load, name).into_iter().enumerate() {
                let u = name.with(format_args!("{number}|to")).uniform();
                // A region of which nobody came to live there has no messages.
                if let Some(&recipient) = pool.get((u * pool.len() as f64) as usize) {
                    tasks.push(Task { at, id: format!("{}|{number}", load.id), class, recipient });
                }
            }
        }
        tasks.sort_by(|a, b| a.at.total_cmp(&b.at).then_with(|| a.id.cmp(&b.id)));
        tasks
    }
}

/// Returns when the messages of a load come.
fn times(load: &super::file::Load, name: Name) -> Vec<f64> {
    if let (Some(at), Some(count), Some(spread)) = (load.at_s, load.count, load.spread_s) {
        return (0..count).map(|n| at + spread * name.with(format_args!("{n}|t")).uniform()).collect();
    }
    let (Some(from), Some(to), Some(per_min)) = (load.from_s, load.to_s, load.per_min) else {
        return Vec::new();
    };
    let mut t = from;
    let next = |n: u32| {
        t += -(1.0 - name.with(format_args!("{n}|t")).uniform()).ln() * 60.0 / per_min;
        t
    };
    (0..).map(next).take_while(|t| *t < to).collect()
}

/// Returns when somebody's line may change: where a phase begins, and where one that blinks goes on or off.
fn changes(phases: &[Phase]) -> BTreeSet<u32> {
    let mut changes: BTreeSet<u32> = phases.iter().map(|phase| phase.from_s).collect();
    for phase in phases {
        for people in &phase.recipients {
            let (Some(period), Some(on)) = (people.blink.period_s, people.blink.on_s) else { continue };
            let mut t = phase.from_s + people.blink.offset_s;
            while t < phase.to_s {
                changes.insert(t);
                changes.insert(phase.to_s.min(t + on));
                t += period;
            }
        }
    }
    changes
}
