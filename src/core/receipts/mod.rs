//! What receipts teach: how long they take on each gateway and in each region, and how many ever come. The same curve
//! says how long to wait for one, and what it means that none has come.

mod curve;
mod silence;
mod usual;

use super::channel::{GatewayId, GatewaySet};
use super::gateway::GatewayConfig;
use super::message::Severity;
use super::record::{Learned, Needles};
use super::time::{Span, Timestamp};
use curve::{Curve, Held, Shape, Tally};
pub(crate) use silence::Missed;
use silence::{Expected, Silence};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use usual::Usual;

/// The most regions that are told apart; what comes after is judged with those whose region is not known.
const REGIONS_MAX: usize = 64;
/// The most cells: the least used gateways of many regions share their gateway's curve.
const CELLS_MAX: usize = 10_000;
/// How many are handed on at once, to be kept.
const KEPT_AT_ONCE: usize = 500;
/// A region's curve is drawn towards its gateway's as by so many messages, and that one towards what is believed.
const PRIOR: f32 = 20.0;
/// A curve is drawn anew after so many more were counted: one in twenty of them.
const DRAW_AFTER: f32 = 0.05;
const DRAW_AFTER_MIN: f32 = 10.0;

/// Before anything is known, half of the people are taken to have an account.
const ACCOUNTS_BELIEVED: f32 = 0.5;
const ACCOUNTS_PRIOR: f32 = 4.0;
/// When so many are counted, all counts are halved: people change phones.
const ACCOUNTS_WINDOW: f32 = 2_000.0;
/// What being told that somebody has no account takes, and what a send takes that fails, in seconds. Cites: the design.
const REFUSED_SECS: f32 = 0.3;
const FAILED_SECS: f32 = 5.0;
/// What a unit of the currency is worth, in seconds of delay: a text message of 0.05 costs as much as three seconds.
const SECS_OF_COST: f32 = 60.0;

/// How often silence is weighed while anything is waited for.
const BEAT: Span = Span::from_secs(1);
/// Silence tells nothing before so many receipts have shown what is usual.
const KNOWN_AFTER: f32 = 50.0;
/// What missing receipts may say against a gateway, in hundredths of a deciban: enough to turn away, not to declare.
const OPEN_MOST: i32 = 50_00;
/// What keeps silent is tried this often with one message, while others carry the rest.
const SCOUT_EVERY: Span = Span::from_secs(10);

/// A region, by its number here; [`EVERYWHERE`] holds all of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct RegionId(u8);

/// All regions together, and those that are not known.
pub(crate) const EVERYWHERE: RegionId = RegionId(0);

/// What is learned of all gateways.
#[derive(Debug)]
pub(crate) struct Receipts {
    regions: BTreeMap<Box<str>, RegionId>,
    cells: Cells,
    silences: BTreeMap<(GatewayId, RegionId), Silence>,
    /// What each gateway is used to, in all regions.
    usual: BTreeMap<GatewayId, Usual>,
    /// What has changed since it was last kept.
    dirty: BTreeSet<(GatewayId, RegionId)>,
    /// When silence is weighed next, while anything is waited for.
    beat_at: Option<Timestamp>,
    believed: Shape,
}

/// What is known of one gateway in one region by its receipts alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    pub(crate) gateway: GatewayId,
    pub(crate) region: RegionId,
    /// Something was to be expected just now.
    pub(crate) fresh: bool,
    /// It is not to be relied on.
    pub(crate) doubt: bool,
    /// It keeps silent now, and not only did.
    pub(crate) bad: bool,
    /// Surely so: an outage may be declared.
    pub(crate) sure: bool,
    /// Enough comes, and came just now.
    pub(crate) fine: bool,
    /// What was missed, where anything was.
    pub(crate) missed: Option<Missed>,
}

/// One gateway in one region.
#[derive(Clone, Debug)]
struct Cell {
    curve: Curve,
    /// What it does not know yet.
    held: Held,
    shape: Shape,
    /// How many were counted when the shape was drawn.
    drawn_at: f32,
    /// How many people had an account there, and how many had none, the last ones counting most.
    accounts: (f32, f32),
}

impl Default for Receipts {
    fn default() -> Receipts {
        // A receipt takes some seconds, and one phone in seven is off.
        let believed = Shape::believed(Span::from_secs(4), 1.8, 0.85);
        Receipts {
            regions: BTreeMap::new(),
            cells: BTreeMap::new(),
            silences: BTreeMap::new(),
            usual: BTreeMap::new(),
            dirty: BTreeSet::new(),
            beat_at: None,
            believed,
        }
    }
}

impl Receipts {
    /// Returns a region's number.
    pub(crate) fn region(&mut self, name: Option<&str>) -> RegionId {
        let Some(name) = name else { return EVERYWHERE };
        if let Some(known) = self.regions.get(name) {
            return *known;
        }
        if self.regions.len() >= REGIONS_MAX {
            return EVERYWHERE;
        }
        let id = RegionId(self.regions.len() as u8 + 1);
        self.regions.insert(name.into(), id);
        id
    }

    /// Returns the next gateways and regions of which something is to be kept anew, at most [`KEPT_AT_ONCE`].
    pub(crate) fn take_dirty(&mut self) -> Vec<(GatewayId, RegionId)> {
        let all: Vec<_> = self.dirty.iter().copied().take(KEPT_AT_ONCE).collect();
        all.iter().for_each(|at| _ = self.dirty.remove(at));
        all
    }

    /// Adds what is to be kept of a gateway in a region.
    pub(crate) fn keep(&self, gateway: GatewayId, region: RegionId, needles: &mut Needles) {
        if let Some(silence) = self.silences.get(&(gateway, region)) {
            (needles.swallowing, needles.losing) = silence.keep();
        }
        if let Some(cell) = self.cells.get(&(gateway, region)) {
            let [came, waited, of_came] = cell.curve.keep();
            let hundredths = |count: f32| (count * 100.0).round() as u32;
            let (with_account, without_account) = (hundredths(cell.accounts.0), hundredths(cell.accounts.1));
            let usual = match region {
                EVERYWHERE => self.usual.get(&gateway).map(Usual::keep).unwrap_or_default(),
                _ => Vec::new(),
            };
            needles.learned = Learned { came, waited, of_came, with_account, without_account, usual };
        }
    }

    /// Takes what was kept. `since`: when receipts began to be missed there. Those of all regions come before each region's.
    pub(crate) fn recall(
        &mut self,
        gateway: GatewayId,
        region: RegionId,
        needles: &Needles,
        since: Option<Timestamp>,
        now: Timestamp,
    ) {
        let learned = &needles.learned;
        if *learned != Learned::default()
            && let Some(cell) = self.cell(gateway, region)
        {
            cell.curve = Curve::recall(&learned.came, &learned.waited, &learned.of_came);
            cell.accounts = (learned.with_account as f32 / 100.0, learned.without_account as f32 / 100.0);
            cell.drawn_at = 0.0;
            redraw(&mut self.cells, &self.believed, (gateway, region));
        }
        if !learned.usual.is_empty() {
            self.usual.insert(gateway, Usual::recall(&learned.usual, now));
        }
        if needles.swallowing.max(needles.losing) > 0 {
            let silence = Silence::recall(needles.swallowing, needles.losing, since, now);
            self.silences.insert((gateway, region), silence);
        }
    }

    /// Watches a message that was taken at this time, and lies in a queue for so long before it goes on.
    pub(crate) fn watch(&mut self, gateway: GatewayId, region: RegionId, queue: Span, now: Timestamp) {
        let is_full = self.silences.len() >= CELLS_MAX;
        match self.silences.entry((gateway, region)) {
            Entry::Vacant(_) if is_full => return,
            place => place.or_default().begin(queue, now),
        }
        self.beat_at.get_or_insert(now + BEAT);
    }

    /// Watches it no longer.
    pub(crate) fn unwatch(
        &mut self,
        gateway: GatewayId,
        region: RegionId,
        taken: Timestamp,
        came: bool,
        now: Timestamp,
    ) {
        let shape = shape_of(&self.cells, &self.believed, gateway, region);
        if let Some(silence) = self.silences.get_mut(&(gateway, region)) {
            silence.end(taken, came, shape, now);
        }
    }

    /// Returns when silence is weighed next.
    pub(crate) fn next_beat(&self) -> Option<Timestamp> {
        self.beat_at
    }

    /// Weighs the silence of every gateway, where it is time. Of a gateway of which too little is known, and where `void`
    /// says so, nothing counts; where `learns` does, what came and did not is learned from. `accused` are those that are at
    /// fault themselves. Returns each gateway's needle over all regions, where anything was weighed.
    pub(crate) fn beat(
        &mut self,
        void: impl Fn(GatewayId) -> bool,
        learns: impl Fn(GatewayId) -> bool,
        accused: GatewaySet,
        now: Timestamp,
    ) -> Vec<(GatewayId, i32)> {
        if self.beat_at.is_none_or(|due| due > now) {
            return Vec::new();
        }
        let mut gateways: Vec<GatewayId> = Vec::new();
        for ((gateway, region), silence) in self.silences.iter_mut().filter(|(_, s)| s.is_watched()) {
            let known = self.cells.get(&(*gateway, EVERYWHERE)).map_or(0.0, |cell| cell.curve.counted());
            let shape = shape_of(&self.cells, &self.believed, *gateway, *region);
            let usual = self.usual.entry(*gateway).or_default();
            let (share, dispersion) = (usual.share(now), usual.dispersion());
            let before = silence.keep();
            let is_void = void(*gateway);
            let expected = Expected { shape, share, dispersion };
            let ([came, expected], tally) = silence.beat(&expected, known < KNOWN_AFTER || is_void, now);
            if silence.keep() != before {
                self.dirty.insert((*gateway, *region));
            }
            if silence.is_doubtful() {
                // What was seen just before is part of it.
                for region in [*region, EVERYWHERE] {
                    if let Some(cell) = self.cells.get_mut(&(*gateway, region)) {
                        cell.held.drop();
                    }
                }
                usual.drop();
            } else if !is_void && learns(*gateway) {
                if known >= KNOWN_AFTER {
                    usual.count(came, expected, now);
                }
                let to = [Some(EVERYWHERE), (*region != EVERYWHERE).then_some(*region)];
                for region in to.into_iter().flatten() {
                    if learn(&mut self.cells, &self.believed, (*gateway, region), &tally, share, now) {
                        self.dirty.insert((*gateway, region));
                    }
                }
            }
            if gateways.last() != Some(gateway) {
                gateways.push(*gateway);
            }
        }
        self.beat_at = (!gateways.is_empty()).then(|| now + BEAT);
        gateways.into_iter().map(|gateway| (gateway, self.needle(gateway, accused))).collect()
    }

    /// Returns what silence says against a gateway, over all regions, in hundredths of a deciban: enough to turn away, not
    /// to declare, for a region may be at fault itself. What one region alone says is its own matter where there are others.
    /// Of one that is accused, the worst.
    pub(crate) fn needle(&self, gateway: GatewayId, accused: GatewaySet) -> i32 {
        let of = self.silences.range((gateway, EVERYWHERE)..=(gateway, RegionId(u8::MAX)));
        let (mut sum, mut worst, mut regions) = (0, 0, 0);
        if accused.has(gateway) {
            return of.map(|(_, silence)| silence.worst()).max().unwrap_or(0);
        }
        for silence in of.map(|(_, silence)| silence.swallows()) {
            (sum, worst, regions) = (sum + silence, worst.max(silence), regions + 1);
        }
        let corroborated = if regions > 1 { sum - worst } else { sum };
        corroborated.min(OPEN_MOST)
    }

    /// Takes a canary's receipt. `late`: it was taken for lost; `run`: how many came one after another.
    pub(crate) fn canary_came(
        &mut self,
        gateway: GatewayId,
        region: RegionId,
        late: bool,
        run: u32,
        now: Timestamp,
    ) {
        if let Some(silence) = self.silence_of(gateway, region) {
            silence.canary_came(late, run, now);
            self.dirty.insert((gateway, region));
        }
    }

    /// Takes that a canary's receipt has not come for so long.
    pub(crate) fn canary_missed(
        &mut self,
        gateway: GatewayId,
        region: RegionId,
        waited: Span,
        now: Timestamp,
    ) {
        if let Some(silence) = self.silence_of(gateway, region) {
            silence.canary_missed(waited, now);
            self.dirty.insert((gateway, region));
        }
    }

    fn silence_of(&mut self, gateway: GatewayId, region: RegionId) -> Option<&mut Silence> {
        let is_full = self.silences.len() >= CELLS_MAX;
        match self.silences.entry((gateway, region)) {
            Entry::Vacant(_) if is_full => None,
            place => Some(place.or_default()),
        }
    }

    /// Says whether a gateway keeps silent in a region, by the region's name.
    pub(crate) fn doubts(&self, gateway: GatewayId, region: &str) -> bool {
        let id = if region.is_empty() { Some(EVERYWHERE) } else { self.regions.get(region).copied() };
        id.is_some_and(|id| self.is_silent(gateway, id))
    }

    /// Returns what receipts say of each gateway in each region that was watched.
    pub(crate) fn slices(&self, dwell: Span, now: Timestamp) -> impl Iterator<Item = Slice> {
        self.silences.iter().map(move |((gateway, region), silence)| Slice {
            gateway: *gateway,
            region: *region,
            fresh: silence.is_fresh(now),
            doubt: silence.is_doubtful(),
            bad: silence.is_bad(now),
            sure: silence.is_sure(dwell, now),
            fine: silence.is_fine(now),
            missed: silence.missed(),
        })
    }

    /// Says whether a gateway keeps silent anywhere.
    pub(crate) fn any_is_silent(&self) -> bool {
        self.silences.values().any(Silence::is_doubtful)
    }

    /// Returns a region's name; none: those whose region is not known.
    pub(crate) fn region_name(&self, region: RegionId) -> &str {
        self.regions.iter().find(|(_, id)| **id == region).map_or("", |(name, _)| name)
    }

    /// Says whether a gateway keeps so silent in a region that it is not to be relied on there.
    pub(crate) fn is_silent(&self, gateway: GatewayId, region: RegionId) -> bool {
        self.silences.get(&(gateway, region)).is_some_and(Silence::is_doubtful)
    }

    /// Says whether enough of a gateway's receipts come from a region.
    pub(crate) fn is_fine(&self, gateway: GatewayId, region: RegionId, now: Timestamp) -> bool {
        self.silences.get(&(gateway, region)).is_some_and(|silence| silence.is_fine(now))
    }

    /// Says whether one that keeps silent may be tried all the same with one message, and counts that as tried.
    pub(crate) fn scout(&mut self, gateway: GatewayId, region: RegionId, now: Timestamp) -> bool {
        let Some(silence) = self.silences.get_mut(&(gateway, region)) else { return true };
        let is_due = silence.scout_at <= now;
        if is_due {
            silence.scout_at = now + SCOUT_EVERY;
        }
        is_due
    }

    /// Learns whether somebody has an account there.
    pub(crate) fn account(&mut self, gateway: GatewayId, region: RegionId, has: bool) {
        let own = (region != EVERYWHERE).then_some(region);
        for region in [Some(EVERYWHERE), own].into_iter().flatten() {
            if let Some(cell) = self.cell(gateway, region) {
                let (with, without) = &mut cell.accounts;
                if *with + *without > ACCOUNTS_WINDOW {
                    (*with, *without) = (*with / 2.0, *without / 2.0);
                }
                *(if has { with } else { without }) += 1.0;
                self.dirty.insert((gateway, region));
            }
        }
    }

    /// Returns the share of people with an account there, drawn towards all regions' share and that towards one half.
    fn accounts(&self, gateway: GatewayId, region: RegionId) -> f32 {
        let of = |region, prior: f32| match self.cells.get(&(gateway, region)).map(|cell| cell.accounts) {
            Some((with, without)) => (with + prior * ACCOUNTS_PRIOR) / (with + without + ACCOUNTS_PRIOR),
            None => prior,
        };
        let everywhere = of(EVERYWHERE, ACCOUNTS_BELIEVED);
        if region == EVERYWHERE { everywhere } else { of(region, everywhere) }
    }

    /// Returns what an attempt is worth: the chance that it reaches somebody, for each second that it takes, with what it
    /// costs as seconds. Trying in the order of this is best where attempts fail independently of each other.
    ///
    /// Cites: the index p/c of the design, by an exchange of neighbours; Weitzman 1979.
    pub(crate) fn worth(
        &self,
        gateway: GatewayId,
        region: RegionId,
        severity: Severity,
        config: &GatewayConfig,
        mute: bool,
        taken: f32,
    ) -> f32 {
        let shape = self.shape(gateway, region);
        let has = self.accounts(gateway, region);
        let mute_secs = match severity {
            _ if !mute => 0.0,
            Severity::Extreme => 100.0,
            Severity::Severe => 300.0,
            _ => 1_000.0,
        };
        let arrives = shape.quantile(0.5).secs_f64() as f32 + config.cost as f32 * SECS_OF_COST + mute_secs;
        let secs = (1.0 - has) * REFUSED_SECS + has * arrives + (1.0 - taken) * FAILED_SECS;
        has * taken * shape.share() / secs.max(REFUSED_SECS)
    }

    fn cell(&mut self, gateway: GatewayId, region: RegionId) -> Option<&mut Cell> {
        cell_of(&mut self.cells, &self.believed, (gateway, region))
    }

    /// Returns the curve to go by.
    pub(crate) fn shape(&self, gateway: GatewayId, region: RegionId) -> &Shape {
        shape_of(&self.cells, &self.believed, gateway, region)
    }

    /// Returns how long to wait for a receipt before the next road is tried. Cites: the design's schedule for the next
    /// attempt: 97 % of the lags for the gravest, 99 %, 99.5 % for the rest.
    pub(crate) fn patience(&self, gateway: GatewayId, region: RegionId, severity: Severity) -> Span {
        let share = match severity {
            Severity::Extreme => 0.97,
            Severity::Severe => 0.99,
            _ => 0.995,
        };
        self.shape(gateway, region).quantile(share)
    }
}

fn shape_of<'a>(cells: &'a Cells, believed: &'a Shape, gateway: GatewayId, region: RegionId) -> &'a Shape {
    let cell = cells.get(&(gateway, region)).or_else(|| cells.get(&(gateway, EVERYWHERE)));
    cell.map_or(believed, |cell| &cell.shape)
}

type Cells = BTreeMap<(GatewayId, RegionId), Cell>;

fn cell_of<'a>(cells: &'a mut Cells, believed: &Shape, at: (GatewayId, RegionId)) -> Option<&'a mut Cell> {
    if !cells.contains_key(&at) {
        if cells.len() >= CELLS_MAX {
            return None;
        }
        let cell = Cell::new(shape_of(cells, believed, at.0, EVERYWHERE));
        cells.insert(at, cell);
    }
    cells.get_mut(&at)
}

/// Learns what was counted since the last time; says whether there was anything.
fn learn(
    cells: &mut Cells,
    believed: &Shape,
    at: (GatewayId, RegionId),
    tally: &Tally,
    usual: f32,
    now: Timestamp,
) -> bool {
    if tally.is_empty() {
        return false;
    }
    let Some(cell) = cell_of(cells, believed, at) else { return false };
    cell.held.count(&mut cell.curve, tally, usual, now);
    redraw(cells, believed, at);
    true
}

/// Draws a cell's curve anew, where enough is new.
fn redraw(cells: &mut Cells, believed: &Shape, at: (GatewayId, RegionId)) {
    let Some(cell) = cells.get(&at) else { return };
    let counted = cell.curve.counted();
    let since = (cell.drawn_at * DRAW_AFTER).max(DRAW_AFTER_MIN);
    if (cell.drawn_at..cell.drawn_at + since).contains(&counted) {
        return;
    }
    let prior = match at.1 {
        EVERYWHERE => believed,
        _ => shape_of(cells, believed, at.0, EVERYWHERE),
    };
    let shape = cell.curve.shape(prior, PRIOR);
    if let Some(cell) = cells.get_mut(&at) {
        (cell.shape, cell.drawn_at) = (shape, counted);
    }
}

impl Cell {
    fn new(prior: &Shape) -> Cell {
        Cell {
            curve: Curve::default(),
            held: Held::default(),
            shape: prior.clone(),
            drawn_at: 0.0,
            accounts: (0.0, 0.0),
        }
    }
}
