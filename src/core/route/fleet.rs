//! The fleet: every gateway with its health, its capacity and what operators laid over it, and how they rank.

use crate::core::capacity::Capacity;
use crate::core::channel::{ChannelSet, GATEWAYS_MAX, GatewayId, GatewaySet};
use crate::core::gateway::{GatewayConfig, Receipts};
use crate::core::health::cell::Cell;
use crate::core::health::needle::DOUBT;
use crate::core::outbox::queue::Tiers;
use crate::core::policy::{Confirm, Rule};
use crate::core::record::{Overlay, OverlayKind, Ranked, Standing};
use crate::core::time::{Span, Timestamp};
use crate::core::view::State;
use std::collections::BTreeMap;

/// A gateway in doubt is tried with one real delivery this often, while a better one carries the rest.
const SCOUT_EVERY: Span = Span::from_secs(10);
/// While it comes back, or while nothing better is left, it is tried this often.
const SCOUT_SOON: Span = Span::from_secs(1);
/// While deliveries wait for a quota, it is looked at this often.
const QUOTA_LOOK: Span = Span::from_secs(10);
/// A gateway that is down is still worth sending to, where nothing is better, while it takes so large a share. Cites: the
/// design's state DOWN, in which sends stop below 0.3.
const TAKES_ENOUGH: f32 = 0.3;
/// Ranks compare health in steps of this many hundredths of a deciban, so that noise does not reorder them.
const RANK_STEP: i32 = 5_00;

/// For how many absent gateways it is known what lies over them: those that are held and left out of the file for good
/// gather on disk, a few a year.
const AWAITED_MAX: usize = 1_000;

/// One gateway, alive.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    pub(crate) config: GatewayConfig,
    pub(crate) configured: bool,
    pub(crate) cell: Cell,
    pub(crate) capacity: Capacity,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) deferred_until: Option<Timestamp>,
    /// When it may next be tried though the evidence speaks against it.
    pub(crate) scout_at: Timestamp,
    pub(crate) unconfirmed: u32,
    /// Whether it is probed at the pace of doubt.
    pub(crate) hurried: bool,
}

/// All of them, by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) held_all: Option<Overlay>,
    /// Whether every uplink is down.
    pub(crate) line_down: bool,
    /// What lies over gateways that were not configured at the start: it lies over them again when they are. At most
    /// [`AWAITED_MAX`].
    awaited: BTreeMap<String, Overlay>,
}

impl Gateway {
    fn new(config: GatewayConfig, now: Timestamp) -> Gateway {
        Gateway {
            cell: Cell::new(now),
            capacity: Capacity::new(&config, now),
            config,
            configured: true,
            overlay: None,
            deferred_until: None,
            scout_at: now,
            unconfirmed: 0,
            hurried: false,
        }
    }

    /// Returns what lies over it now.
    pub(crate) fn laid_over(&self, now: Timestamp) -> Option<&Overlay> {
        self.overlay.as_ref().filter(|overlay| overlay.until().is_none_or(|until| until > now))
    }

    /// Says whether an operator has taken it out of use: what is seen of it then is no outage. In a drill it is in use.
    pub(crate) fn set_aside(&self, now: Timestamp) -> bool {
        self.laid_over(now).is_some_and(|overlay| !overlay.is_drill())
    }

    /// Says whether it looks down for a drill, to what is meant (`actual`) or to exercises.
    fn looks_down(&self, actual: bool, now: Timestamp) -> bool {
        let kind = self.laid_over(now).map(|overlay| overlay.kind);
        matches!(kind, Some(OverlayKind::Drill { everybody, .. }) if everybody || !actual)
    }
}

impl Fleet {
    /// Takes the configured gateways: known names keep their id and their past, names that are gone take nothing new.
    /// Returns the names for which there was no room.
    pub(crate) fn configure(&mut self, configs: Vec<GatewayConfig>, now: Timestamp) -> Vec<String> {
        self.gateways.iter_mut().for_each(|g| g.configured = false);
        let mut refused = Vec::new();
        for config in configs {
            match self.gateways.iter().position(|g| g.config.name == config.name) {
                Some(place) => {
                    let known = &mut self.gateways[place];
                    known.capacity.configure(&config, now);
                    known.config = config;
                    known.configured = true;
                }
                None if self.gateways.len() < GATEWAYS_MAX => {
                    let overlay = self.awaited.remove(&config.name);
                    self.gateways.push(Gateway { overlay, ..Gateway::new(config, now) });
                }
                None => refused.push(config.name),
            }
        }
        refused
    }

    /// Takes what the store kept over a gateway. Who stopped one that is left out of the file for the moment must not find it
    /// running when it is back.
    pub(crate) fn lay_over(&mut self, name: String, overlay: Overlay) {
        match self.gateways.iter_mut().find(|g| g.config.name == name) {
            Some(known) => known.overlay = Some(overlay),
            None if self.awaited.len() < AWAITED_MAX => {
                self.awaited.insert(name, overlay);
            }
            None => {}
        }
    }

    pub(crate) fn get(&self, id: GatewayId) -> Option<&Gateway> {
        self.gateways.get(usize::from(id.0))
    }

    pub(crate) fn get_mut(&mut self, id: GatewayId) -> Option<&mut Gateway> {
        self.gateways.get_mut(usize::from(id.0))
    }

    pub(crate) fn find(&self, name: &str) -> Option<GatewayId> {
        self.gateways.iter().position(|g| g.config.name == name).map(|place| GatewayId(place as u8))
    }

    /// Returns every gateway with its id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (GatewayId, &Gateway)> {
        self.gateways.iter().enumerate().map(|(place, g)| (GatewayId(place as u8), g))
    }

    /// Returns the configured gateways of these channels.
    pub(crate) fn on(&self, channels: ChannelSet) -> GatewaySet {
        self.iter()
            .filter(|(_, g)| g.configured && channels.has(g.config.channel))
            .map(|(id, _)| id)
            .collect()
    }

    /// Returns the gateways that a rule permits to people with addresses on `channels`.
    pub(crate) fn permitted(&self, rule: &Rule, channels: ChannelSet) -> GatewaySet {
        self.iter()
            .filter(|(_, g)| {
                g.configured
                    && channels.has(g.config.channel)
                    && !rule.never.has(g.config.channel)
                    && !g.config.failure_domains.iter().any(|d| rule.never_domains.contains(d))
            })
            .map(|(id, _)| id)
            .collect()
    }

    /// Says whether what is seen of this gateway counts for nothing: our own line is down and it needs it.
    pub(crate) fn is_void(&self, id: GatewayId) -> bool {
        self.line_down && self.get(id).is_some_and(|g| g.config.needs_internet())
    }

    /// Returns a gateway's state as it is shown: nothing is known of one that our own line keeps us from.
    pub(crate) fn state(&self, id: GatewayId) -> State {
        match self.get(id) {
            Some(g) if !self.is_void(id) => g.cell.state(),
            _ => State::Unknown,
        }
    }

    /// Returns the gateways that look down for a drill, to what is meant (`actual`) or to exercises.
    pub(crate) fn drilled(&self, actual: bool, now: Timestamp) -> GatewaySet {
        self.iter().filter(|(_, g)| g.looks_down(actual, now)).map(|(id, _)| id).collect()
    }

    /// Says how a gateway stands, capacity aside, to what is meant.
    pub(crate) fn standing(&self, id: GatewayId, now: Timestamp) -> Standing {
        let Some(g) = self.get(id) else { return Standing::Removed };
        let overlay = g.laid_over(now).map(|o| o.kind);
        match () {
            () if !g.configured => Standing::Removed,
            () if self.held_all.is_some() || overlay == Some(OverlayKind::Held) => Standing::Held,
            () if matches!(overlay, Some(OverlayKind::Maintenance { .. })) => Standing::Maintenance,
            () if g.deferred_until.is_some_and(|until| until > now) => Standing::Deferred,
            () if g.capacity.exhausted(now) => Standing::QuotaExhausted,
            () if self.is_void(id) => Standing::UplinkDown,
            () if g.cell.state() == State::Down => Standing::Down,
            () if g.looks_down(true, now) => Standing::Drill,
            () if g.cell.suspicion() >= DOUBT || g.cell.state() == State::Recovering => Standing::Doubtful,
            () => Standing::Eligible,
        }
    }

    /// Sorts the gateways into those that are good, those in doubt, and those of last resort.
    pub(crate) fn tiers(&self, now: Timestamp) -> Tiers {
        let mut tiers = Tiers::default();
        for (id, g) in self.iter() {
            if g.config.receipts == Receipts::None {
                tiers.mute.insert(id);
            }
            match self.standing(id, now) {
                Standing::Eligible => tiers.good.insert(id),
                // In a drill it is in use for those who have nothing better.
                Standing::Doubtful | Standing::Drill => tiers.doubtful.insert(id),
                Standing::Down | Standing::UplinkDown => tiers.last.insert(id),
                _ => {}
            }
        }
        tiers
    }

    /// Returns the gateways that could take an attempt at this instant. A last resort that refuses most is tried once a
    /// second, not more; what takes a part of them is used for what it is worth.
    pub(crate) fn free(&self, tiers: &Tiers, now: Timestamp) -> GatewaySet {
        let worth_it = |g: &Gateway| g.cell.taken() >= TAKES_ENOUGH && !g.cell.certain();
        self.iter()
            .filter(|(id, g)| {
                g.capacity.free(now) && (!tiers.last.has(*id) || g.scout_at <= now || worth_it(g))
            })
            .map(|(id, _)| id)
            .collect()
    }

    /// Returns the gateways in doubt that are due for a scout: one real delivery, while others carry the rest.
    pub(crate) fn scouts(&self, tiers: &Tiers, now: Timestamp) -> GatewaySet {
        self.iter()
            .filter(|(id, g)| {
                (tiers.doubtful.has(*id) || tiers.last.has(*id))
                    && g.scout_at <= now
                    && g.cell.answers()
                    && !g.looks_down(true, now)
                    && !self.is_void(*id)
            })
            .map(|(id, _)| id)
            .collect()
    }

    /// Notes that a gateway which is not good was tried.
    pub(crate) fn tried(&mut self, id: GatewayId, tiers: &Tiers, any_good: bool, now: Timestamp) {
        if tiers.good.has(id) {
            return;
        }
        if let Some(g) = self.get_mut(id) {
            let soon = g.cell.state() == State::Recovering || !any_good;
            g.scout_at = now + if soon { SCOUT_SOON } else { SCOUT_EVERY };
        }
    }

    /// Returns the best of `choice`: what can confirm before what cannot, then health, then cost, then the order of
    /// the configuration.
    pub(crate) fn best(&self, choice: GatewaySet, confirm: Confirm) -> Option<GatewayId> {
        choice.iter().filter_map(|id| self.rank(id, confirm).map(|rank| (rank, id))).min().map(|(_, id)| id)
    }

    /// Returns what `best` compares; also part of the health epoch.
    pub(crate) fn rank(&self, id: GatewayId, confirm: Confirm) -> Option<(bool, i32, i64, GatewayId)> {
        let g = self.get(id)?;
        let mute = match confirm {
            Confirm::Accepted => false,
            Confirm::Delivered | Confirm::Acknowledged => g.config.receipts == Receipts::None,
            Confirm::Read => g.config.receipts < Receipts::Read,
        };
        let doubt = g.cell.suspicion() / RANK_STEP + i32::from(g.cell.state() == State::Unknown);
        // A price in millionths of the currency's unit: whole numbers compare the same everywhere.
        Some((mute, doubt, (g.config.cost * 1e6) as i64, id))
    }

    /// Describes every gateway for an explanation, best first.
    pub(crate) fn ranking(
        &self,
        own: GatewaySet,
        ladder: GatewaySet,
        rule: &Rule,
        channels: ChannelSet,
        actual: bool,
        now: Timestamp,
    ) -> Vec<Ranked> {
        let mut ranked: Vec<(_, Ranked)> = self
            .iter()
            .filter(|(_, g)| g.configured)
            .filter_map(|(id, g)| {
                let forbidden = rule.never.has(g.config.channel)
                    || g.config.failure_domains.iter().any(|d| rule.never_domains.contains(d));
                let standing = match () {
                    () if forbidden => Standing::Forbidden,
                    () if !channels.has(g.config.channel) => Standing::NoAddress,
                    () if !ladder.has(id) => Standing::Refused,
                    () => match self.standing(id, now) {
                        Standing::Eligible | Standing::Doubtful if g.looks_down(actual, now) => {
                            Standing::Drill
                        }
                        Standing::Eligible if !own.has(id) => Standing::LaterStep,
                        standing => standing,
                    },
                };
                let rank = self.rank(id, rule.confirm)?;
                let ranked = Ranked {
                    gateway: g.config.name.clone(),
                    channel: g.config.channel,
                    standing,
                    health_permille: (g.cell.health() * 1000.0) as u16,
                    needle_cdb: g.cell.worst() as u32,
                };
                Some(((standing, rank.0, rank.1, rank.2, id), ranked))
            })
            .collect();
        ranked.sort_by_key(|(key, _)| *key);
        ranked.into_iter().map(|(_, ranked)| ranked).collect()
    }

    /// Returns when a gateway that somebody waits for may become free, or change its standing by itself.
    pub(crate) fn next_free(&self, wanted: GatewaySet, now: Timestamp) -> Option<Timestamp> {
        let of = |g: &Gateway| {
            let quota = g.capacity.exhausted(now).then_some(now + QUOTA_LOOK);
            [
                g.deferred_until,
                g.overlay.as_ref().and_then(Overlay::until),
                Some(g.scout_at),
                g.capacity.next_token(now),
                quota,
            ]
            .into_iter()
            .flatten()
            .filter(|t| *t > now)
            .min()
        };
        wanted.iter().filter_map(|id| self.get(id).and_then(of)).min()
    }
}
