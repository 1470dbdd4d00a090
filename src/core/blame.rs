//! Who is at fault: a gateway, a region's last mile, or something that several gateways share. Or is it not known yet?
//!
//! Receipts that stay away accuse a gateway in one region first. Whose fault that is, the rest of the table says: the other
//! gateways in the same region, and the same gateway in other regions. What cannot be told is left open, and thought over
//! again as evidence comes. Probes and sends accuse a gateway; gateways that share a failure domain and fall together are
//! one outage, the domain's.

use super::Core;
use super::channel::{Bearer, GatewayId, GatewaySet};
use super::gateway::INTERNET;
use super::outage::Signs;
use super::outcome::Reason;
use super::receipts::{RegionId, Slice};
use super::record::{OutageOf, SIGNS_MAX, Sign};
use super::time::{Span, Timestamp};
use super::view::State;
use std::collections::{BTreeMap, BTreeSet};

/// Where a region was at fault so lately, a gateway there is not blamed because another one delivers: some come back before
/// others. Cites: the design's section on blame.
const BLAMED_LATELY: Span = Span::from_hours(2);
/// How long a region stays blamed after the last sign that more than one road there is silent.
const REGION_STANDS: Span = Span::from_mins(30);
/// How long a verdict on who is at fault stands before it is thought over.
const THOUGHT_OVER: Span = Span::from_mins(1);
/// Gateways of one domain fall together when they do so within this long.
const TOGETHER: Span = Span::from_mins(10);
/// Gateways fall silent together in a region when they do so within this long: what few messages go there shows late.
const SILENT_TOGETHER: Span = Span::from_hours(1);

/// What is said of gateways in single regions.
#[derive(Debug, Default)]
pub(super) struct Slices {
    /// Those whose receipts stay away so surely that it is declared, who is at fault, and since when that is said.
    down: BTreeMap<(GatewayId, RegionId), (Fault, Timestamp)>,
    /// When each region was last seen to be at fault.
    blamed: BTreeMap<RegionId, Timestamp>,
    /// The gateways that are at fault themselves, wherever they are watched.
    accused: GatewaySet,
}

/// Who is at fault where a gateway keeps silent in a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Gateway,
    Region,
    Open,
}

/// What the rest of the table says of one gateway in one region.
#[derive(Clone, Copy, Default, Debug)]
struct Table {
    /// The gateway is down by its probes or sends too.
    path_down: bool,
    /// Other channels in the region: that fell silent about when this one did, and of the same bearer that deliver. One that
    /// was silent long before has its own cause.
    there_bad: u32,
    there_fine: u32,
    /// The same gateway in other regions that are not blamed themselves: silent, and delivering.
    elsewhere_bad: u32,
    elsewhere_fine: u32,
}

impl Slices {
    /// Takes up one that was declared before a restart; who was at fault is on record.
    pub(super) fn recall(&mut self, gateway: GatewayId, region: RegionId, now: Timestamp) {
        self.down.insert((gateway, region), (Fault::Open, now));
    }

    /// Returns since when something is said of a gateway in a region.
    pub(super) fn down_since(&self, gateway: GatewayId, region: RegionId) -> Option<Timestamp> {
        self.down.get(&(gateway, region)).map(|(_, since)| *since)
    }

    /// Returns the gateways that are at fault themselves by what their receipts say.
    pub(super) fn accused(&self) -> GatewaySet {
        self.accused
    }
}

impl Table {
    /// Judges. `lately`: the region was at fault before.
    fn judge(self, lately: bool) -> Fault {
        match self {
            _ if self.path_down => Fault::Gateway,
            _ if self.accuses_region() => Fault::Region,
            _ if lately => Fault::Open,
            _ if self.there_fine > 0 && self.there_bad == 0 => Fault::Gateway,
            _ if self.is_everywhere() && (self.there_bad == 0 || self.there_fine > 0) => Fault::Gateway,
            _ => Fault::Open,
        }
    }

    fn is_everywhere(self) -> bool {
        self.elsewhere_bad > 0 && self.elsewhere_fine == 0
    }

    /// Says whether what is seen now speaks against the region.
    fn accuses_region(self) -> bool {
        !self.path_down && self.there_bad > 0 && self.there_fine == 0 && !self.is_everywhere()
    }
}

impl Core {
    /// Judges each gateway in each region by what receipts say, and whose fault it is.
    pub(super) fn judge_slices(&mut self) {
        if self.slices.down.is_empty() && !self.receipts.any_is_silent() {
            return;
        }
        let slices: Vec<Slice> = self.receipts.slices(self.config.dwell, self.now).collect();
        let (mut down, now) = (BTreeMap::new(), self.now);
        for slice in slices.iter().filter(|slice| slice.doubt) {
            let at = (slice.gateway, slice.region);
            let is_there = self.fleet.get(slice.gateway).is_some_and(|g| g.configured);
            let judged = match self.said(at) {
                _ if !is_there => continue,
                None if slice.sure && slice.bad && self.may_accuse(slice.gateway) => {
                    (self.fault(None, slice, &slices), now)
                }
                // What is on its way back says nothing new.
                Some(known) if !slice.bad => known,
                None => continue,
                Some((fault, since)) if fault != Fault::Open && now.since(since) < THOUGHT_OVER => {
                    (fault, since)
                }
                Some((before, _)) => (self.fault(Some(before), slice, &slices), now),
            };
            down.insert(at, judged);
        }
        self.slices.accused = accused(&down, &slices);
        self.slices.down = down;
        self.tell_slices(&slices);
    }

    /// Judges who is at fault. `before`: who was said to be.
    fn fault(&mut self, before: Option<Fault>, slice: &Slice, slices: &[Slice]) -> Fault {
        let Some(of) = self.fleet.get(slice.gateway) else { return Fault::Open };
        let mut table = Table { path_down: of.cell.state() == State::Down, ..Table::default() };
        for other in slices.iter().filter(|other| other.bad || other.fine) {
            let Some(another) = self.fleet.get(other.gateway) else { continue };
            let same_bearer = another.config.channel.bearer() == of.config.channel.bearer();
            let blamed = || {
                let said = self.slices.down.get(&(other.gateway, other.region));
                said.is_some_and(|(fault, _)| *fault == Fault::Region)
            };
            if other.region == slice.region && another.config.channel != of.config.channel {
                // One whose own path is bad says nothing of the region.
                let together = fell_together(slice, other);
                table.there_bad += u32::from(other.bad && together && !another.cell.path_in_doubt());
                table.there_fine += u32::from(other.fine && same_bearer);
            } else if other.gateway == slice.gateway && other.region != slice.region {
                table.elsewhere_bad += u32::from(other.bad && !blamed());
                table.elsewhere_fine += u32::from(other.fine);
            }
        }
        let blamed = self.slices.blamed.get(&slice.region);
        let blamed_within = |span: Span| blamed.is_some_and(|at| self.now.since(*at) < span);
        let fault = match (table.judge(blamed_within(BLAMED_LATELY)), before) {
            // What was known is not forgotten because its evidence grows old.
            (Fault::Open, Some(Fault::Gateway)) => Fault::Gateway,
            (Fault::Open, Some(Fault::Region)) if blamed_within(REGION_STANDS) => Fault::Region,
            (Fault::Open, None) if blamed_within(REGION_STANDS) && self.is_region_out(slice.region) => {
                Fault::Region
            }
            (fault, _) => fault,
        };
        if table.accuses_region() {
            self.slices.blamed.insert(slice.region, self.now);
        }
        fault
    }

    fn is_region_out(&self, region: RegionId) -> bool {
        self.ledger.is_open(&OutageOf::Region(self.receipts.region_name(region).to_owned()))
    }

    /// Returns what was said of a gateway in a region, in this run or on record.
    fn said(&self, at: (GatewayId, RegionId)) -> Option<(Fault, Timestamp)> {
        let (fault, since) = *self.slices.down.get(&at)?;
        if fault != Fault::Open {
            return Some((fault, since));
        }
        let region = self.receipts.region_name(at.1).to_owned();
        let gateway = self.fleet.get(at.0)?.config.name.clone();
        let on_record = match fault {
            _ if self.is_region_out(at.1) => Fault::Region,
            Fault::Open if self.ledger.is_settled(&OutageOf::Slice { gateway, region }) => Fault::Gateway,
            fault => fault,
        };
        Some((on_record, since))
    }

    /// Opens, turns and closes the outages of gateways in single regions, and of regions.
    fn tell_slices(&mut self, slices: &[Slice]) {
        let mut told: BTreeMap<OutageOf, Signs> = BTreeMap::new();
        let down: Vec<_> = self.slices.down.iter().map(|(at, (fault, _))| (*at, *fault)).collect();
        for ((gateway, region), fault) in down {
            let Some(g) = self.fleet.get(gateway) else { continue };
            // It is known as a whole already, or about to be.
            if g.cell.state() == State::Down || (self.slices.accused.has(gateway) && fault == Fault::Gateway)
            {
                continue;
            }
            let (name, channel) = (g.config.name.clone(), g.config.channel);
            let region_name = self.receipts.region_name(region).to_owned();
            let of = match fault {
                Fault::Region => OutageOf::Region(region_name),
                _ => OutageOf::Slice { gateway: name, region: region_name },
            };
            let onset = slices.iter().find(|s| (s.gateway, s.region) == (gateway, region));
            let onset = onset.and_then(|slice| slice.missed).map_or(self.now, |missed| missed.since);
            let signs = told.entry(of).or_insert_with(|| Signs {
                channel,
                cause: Reason::ReceiptsMissing,
                layer: None,
                onset,
                attempts_failed: 0,
                open: fault == Fault::Open,
                signs: self.signs_there(region, channel.bearer(), slices),
            });
            signs.onset = signs.onset.min(onset);
        }
        for (of, signs) in &told {
            if self.ledger.is_open(of) {
                self.turn_outage(of, of.clone(), signs.clone());
            } else if let Some(before) = self.told_before(of).filter(|before| !told.contains_key(before)) {
                self.turn_outage(&before, of.clone(), signs.clone());
            } else {
                self.open_outage(of.clone(), signs.clone());
            }
        }
        for of in self.ledger.going_on() {
            let is_over = match &of {
                OutageOf::Slice { .. } | OutageOf::Region(_) => !told.contains_key(&of),
                _ => false,
            };
            // What has become its gateway's own is not over: that takes it up as it opens.
            let is_taken_up = match &of {
                OutageOf::Slice { gateway, .. } => self
                    .fleet
                    .find(gateway)
                    .is_some_and(|id| self.slices.accused.has(id) && self.fleet.state(id) != State::Down),
                _ => false,
            };
            if is_over && !is_taken_up {
                self.close_outage(&of);
            }
        }
    }

    /// Returns the outage that goes on of the same trouble, as it was seen before: a gateway's in this region for the region's,
    /// the region's for a gateway's.
    fn told_before(&self, of: &OutageOf) -> Option<OutageOf> {
        let is_before = |before: &OutageOf| match (before, of) {
            (OutageOf::Slice { region, .. }, OutageOf::Region(name)) => region == name,
            (OutageOf::Region(name), OutageOf::Slice { region, .. }) => region == name,
            _ => false,
        };
        self.ledger.going_on().into_iter().find(is_before)
    }

    /// Returns what receipts say in a region: those that stay away, worst first, then those of the same bearer that come.
    fn signs_there(&self, region: RegionId, bearer: Bearer, slices: &[Slice]) -> Vec<Sign> {
        let there = || slices.iter().filter(|slice| slice.region == region);
        let name = |gateway| self.fleet.get(gateway).map(|g| g.config.name.clone());
        let region = self.receipts.region_name(region).to_owned();
        let mut missing: Vec<_> = there()
            .filter(|slice| slice.doubt)
            .filter_map(|slice| Some((name(slice.gateway)?, slice.missed?)))
            .collect();
        missing.sort_by(|(_, a), (_, b)| (b.expected - b.came).total_cmp(&(a.expected - a.came)));
        let missing = missing.into_iter().map(|(gateway, missed)| Sign::Receipts {
            gateway,
            region: region.clone(),
            came: missed.came.round() as u32,
            expected: missed.expected.round() as u32,
        });
        let fine = there().filter(|slice| slice.fine).filter_map(|slice| {
            let g = self.fleet.get(slice.gateway)?;
            (g.config.channel.bearer() == bearer)
                .then(|| Sign::Delivers { gateway: g.config.name.clone(), region: region.clone() })
        });
        missing.chain(fine).take(SIGNS_MAX).collect()
    }

    /// Returns what speaks against a gateway: probes, attempts, its provider, and receipts.
    pub(super) fn signs_against(&self, gateway: GatewayId) -> Vec<Sign> {
        let Some(g) = self.fleet.get(gateway) else { return Vec::new() };
        let slices: Vec<Slice> = self.receipts.slices(self.config.dwell, self.now).collect();
        let silent = slices.iter().filter(|slice| slice.gateway == gateway && slice.doubt);
        let receipts = silent.filter_map(|slice| {
            let missed = slice.missed?;
            Some(Sign::Receipts {
                gateway: g.config.name.clone(),
                region: self.receipts.region_name(slice.region).to_owned(),
                came: missed.came.round() as u32,
                expected: missed.expected.round() as u32,
            })
        });
        g.cell.signs().into_iter().chain(receipts).take(SIGNS_MAX).collect()
    }

    /// Returns the domain that a gateway fell with, and the gateways that share it, where they are all in trouble and
    /// another fell within minutes.
    pub(super) fn fell_with(&self, gateway: GatewayId) -> Option<(String, Vec<GatewayId>)> {
        let g = self.fleet.get(gateway)?;
        let onset = g.cell.onset().unwrap_or(self.now);
        let domains = g.config.failure_domains.iter().filter(|domain| *domain != INTERNET);
        let shared = domains.filter_map(|domain| {
            let sharing: Vec<_> = self
                .fleet
                .iter()
                .filter(|(_, o)| o.configured && o.config.failure_domains.contains(domain))
                .filter(|(_, o)| !matches!(o.cell.state(), State::Unknown))
                .collect();
            let in_trouble = |state| matches!(state, State::Down | State::Degraded | State::Recovering);
            let together = sharing.iter().filter(|(id, other)| {
                let fell = other.cell.onset().unwrap_or(self.now);
                *id != gateway
                    && other.cell.state() == State::Down
                    && fell.since(onset).max(onset.since(fell)) <= TOGETHER
            });
            let all = sharing.iter().all(|(_, other)| in_trouble(other.cell.state()));
            let ids = || sharing.iter().map(|(id, _)| *id).collect::<Vec<_>>();
            (all && together.count() > 0).then(|| (domain.clone(), ids()))
        });
        shared.max_by_key(|(_, gateways)| gateways.len())
    }

    /// Returns the domain's outage that goes on and that a gateway is part of.
    pub(super) fn outage_of_domain(&self, gateway: GatewayId) -> Option<OutageOf> {
        let g = self.fleet.get(gateway)?;
        let domains = g.config.failure_domains.iter().map(|domain| OutageOf::Domain(domain.clone()));
        domains.into_iter().find(|of| self.ledger.is_open(of))
    }

    /// Says whether any gateway of a domain is down, or on its way back.
    pub(super) fn domain_is_down(&self, domain: &str) -> bool {
        self.fleet.iter().any(|(_, g)| {
            let is_down = matches!(g.cell.state(), State::Down | State::Recovering);
            g.configured && is_down && g.config.failure_domains.iter().any(|shared| shared == domain)
        })
    }
}

/// Says whether two gateways fell silent in a region at about the same time, as far as that is known.
fn fell_together(one: &Slice, other: &Slice) -> bool {
    let (Some(one), Some(other)) = (one.missed, other.missed) else { return true };
    one.since.since(other.since).max(other.since.since(one.since)) <= SILENT_TOGETHER
}

/// Returns the gateways that are at fault themselves, and deliver nowhere that is known.
fn accused(down: &BTreeMap<(GatewayId, RegionId), (Fault, Timestamp)>, slices: &[Slice]) -> GatewaySet {
    let of_gateway = down.iter().filter(|(_, (fault, _))| *fault == Fault::Gateway);
    let at_fault: BTreeSet<GatewayId> = of_gateway.map(|((gateway, _), _)| *gateway).collect();
    let is_at_fault = |slice: &&Slice| {
        down.get(&(slice.gateway, slice.region)).is_some_and(|(fault, _)| *fault == Fault::Gateway)
    };
    let everywhere = |gateway: &GatewayId| {
        let known = || slices.iter().filter(|slice| slice.gateway == *gateway && slice.fresh);
        let at_fault = known().filter(is_at_fault).count();
        // Of what is in one region of several, that region's outage tells.
        let is_only = slices.iter().filter(|slice| slice.gateway == *gateway).count() == 1;
        let enough = at_fault > 1 || at_fault == 1 && is_only;
        !known().any(|slice| slice.fine) && enough && at_fault * 2 >= known().count()
    };
    at_fault.into_iter().filter(everywhere).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Table =
        Table { path_down: false, there_bad: 0, there_fine: 0, elsewhere_bad: 0, elsewhere_fine: 0 };

    #[test]
    fn who_is_at_fault_is_told_by_the_rest_of_the_table() {
        let cases = [
            (ALONE, Fault::Open, "nothing else is known"),
            (Table { path_down: true, there_bad: 2, ..ALONE }, Fault::Gateway, "its probes fail too"),
            (Table { there_fine: 1, ..ALONE }, Fault::Gateway, "another one delivers there"),
            (Table { there_bad: 1, ..ALONE }, Fault::Region, "another one is silent there too"),
            (Table { there_bad: 1, elsewhere_fine: 1, ..ALONE }, Fault::Region, "and it delivers elsewhere"),
            (
                Table { there_bad: 1, there_fine: 1, ..ALONE },
                Fault::Open,
                "one delivers there and one does not",
            ),
            (Table { elsewhere_bad: 1, ..ALONE }, Fault::Gateway, "it is silent in other regions too"),
            (Table { there_bad: 1, elsewhere_bad: 1, ..ALONE }, Fault::Open, "all is silent everywhere"),
        ];
        for (table, fault, why) in cases {
            assert_eq!(table.judge(false), fault, "{why}");
        }
        let other = Table { there_fine: 1, ..ALONE };
        assert_eq!(other.judge(true), Fault::Open, "some come back before others");
        let its_own = Table { path_down: true, ..ALONE };
        assert_eq!(its_own.judge(true), Fault::Gateway, "its probes fail, whatever was blamed lately");
    }
}
