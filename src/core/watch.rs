//! Evidence in, verdicts out: probes, links, the uplink; states and outages.

use super::channel::{Channel, GatewayId};
use super::effect::{Effect, Event, Pace};
use super::evidence::{ProbeReport, UplinkRound};
use super::health::needle::DOUBT;
use super::health::uplink::{Uplink, VERDICT_PAUSE};
use super::outcome::Reason;
use super::record::{OutageOf, Record};
use super::time::Timestamp;
use super::view::State;
use super::{Core, Tiers};
use std::collections::BTreeMap;

/// The share of channels that must fail before our own line is suspected.
const CHANNELS_FAIL: f64 = 0.8;

impl Core {
    pub(super) fn probe(&mut self, report: ProbeReport) {
        let (void, now) = (self.fleet.is_void(report.gateway), self.now);
        let Some(g) = self.fleet.get_mut(report.gateway) else { return };
        g.cell.probe(&report, void, now);
        self.judge_one(report.gateway);
    }

    pub(super) fn link(&mut self, gateway: GatewayId, down: Option<Reason>) {
        let (void, now) = (self.fleet.is_void(gateway), self.now);
        let Some(g) = self.fleet.get_mut(gateway) else { return };
        g.cell.link(down, void, now);
        self.judge_one(gateway);
    }

    /// Takes a round over an uplink's controls.
    pub(super) fn uplink_round(&mut self, round: &UplinkRound) {
        let (channels_fail, now) = (self.channels_fail(), self.now);
        if !self.uplinks.iter().any(|u| u.name == round.uplink) {
            self.uplinks.push(Uplink::new(round.uplink.clone(), now));
        }
        let Some(uplink) = self.uplinks.iter_mut().find(|u| u.name == round.uplink) else { return };
        if !uplink.round(round, channels_fail, now) {
            return;
        }
        let (name, up, onset) = (uplink.name.clone(), uplink.up, uplink.onset.unwrap_or(now));
        let was_down = self.fleet.line_down;
        self.fleet.line_down = self.uplinks.iter().all(|u| !u.up);
        if self.fleet.line_down && !was_down {
            for g in self.fleet.gateways.iter_mut().filter(|g| g.config.needs_internet()) {
                g.cell.void_recent(now);
            }
        }
        self.event(Event::Uplink { uplink: name.clone(), up });
        let of = OutageOf::Uplink(name);
        match up {
            true => self.close_outage(&of, 0),
            false => self.open_outage(of, Channel::Webhook, Reason::Unreachable, None, onset),
        }
        self.judge();
    }

    /// Says whether at least 80 % of the channels that need our line fail now.
    fn channels_fail(&self) -> bool {
        let mut channels: BTreeMap<Channel, bool> = BTreeMap::new();
        for (_, g) in self.fleet.iter().filter(|(_, g)| g.configured && g.config.needs_internet()) {
            if g.cell.seen() {
                let fails = channels.entry(g.config.channel).or_insert(true);
                *fails &= g.cell.failing();
            }
        }
        let failing = channels.values().filter(|fails| **fails).count();
        failing > 0 && failing as f64 >= CHANNELS_FAIL * channels.len() as f64
    }

    /// Judges every gateway anew.
    pub(super) fn judge(&mut self) {
        for place in 0..self.fleet.gateways.len() {
            self.judge_one(GatewayId(place as u8));
        }
        self.judge_channels();
        self.refresh_tiers();
    }

    /// Judges one gateway: its state, its pace of probing, its outage.
    pub(super) fn judge_one(&mut self, id: GatewayId) {
        let (dwell, now) = (self.config.dwell, self.now);
        let paused = self.uplinks.iter().any(|u| u.back_at.is_some_and(|back| now < back + VERDICT_PAUSE));
        let line_down = self.fleet.line_down;
        let Some(g) = self.fleet.get_mut(id) else { return };
        let needs_line = g.config.needs_internet();
        let set_aside = g.set_aside(now);
        let may_declare = !(needs_line && (paused || line_down)) && !set_aside;
        let changed = g.cell.judge(dwell, may_declare, now);
        let hurry = g.cell.worst() >= DOUBT || matches!(g.cell.state(), State::Down | State::Recovering);
        if std::mem::replace(&mut g.hurried, hurry) != hurry {
            let pace = if hurry { Pace::Doubt } else { Pace::Normal };
            self.effects.push_back(Effect::ProbePace { gateway: id, pace });
        }
        let Some(changed) = changed else { return };
        let Some(g) = self.fleet.get(id) else { return };
        let (reason, layer, onset) = (g.cell.reason(), g.cell.layer(), g.cell.onset().unwrap_or(now));
        let (name, channel, failed) = (g.config.name.clone(), g.config.channel, g.cell.attempts_failed());
        self.event(Event::State { gateway: id, from: changed.from, to: changed.to, reason, layer });
        let of = OutageOf::Gateway(name);
        match changed.to {
            State::Down => self.open_outage(of, channel, reason.unwrap_or(Reason::Timeout), layer, onset),
            State::Up => self.close_outage(&of, failed),
            _ => {}
        }
        self.refresh_tiers();
    }

    /// Opens or closes the outage of a whole channel: all its gateways are down, or one is up again.
    fn judge_channels(&mut self) {
        for channel in Channel::ALL {
            let of_channel: Vec<(State, Option<Reason>, Timestamp)> = self
                .fleet
                .iter()
                .filter(|(_, g)| g.configured && g.config.channel == channel)
                .map(|(_, g)| (g.cell.state(), g.cell.reason(), g.cell.onset().unwrap_or(self.now)))
                .collect();
            // With one gateway, the channel's outage is that gateway's: one outage, not two.
            if of_channel.len() < 2 {
                continue;
            }
            let of = OutageOf::Channel(channel);
            if of_channel.iter().all(|(state, ..)| *state == State::Down) {
                let onset = of_channel.iter().map(|(.., onset)| *onset).max().unwrap_or(self.now);
                let cause = of_channel.iter().find_map(|(_, reason, _)| *reason).unwrap_or(Reason::Timeout);
                self.open_outage(of, channel, cause, None, onset);
            } else if of_channel.iter().any(|(state, ..)| *state == State::Up) {
                self.close_outage(&of, 0);
            }
        }
    }

    fn open_outage(
        &mut self,
        of: OutageOf,
        channel: Channel,
        cause: Reason,
        layer: Option<super::evidence::Layer>,
        onset: Timestamp,
    ) {
        let now = self.now;
        let Some(outage) = self.ledger.open(of.clone(), channel, cause, layer, onset, now).cloned() else {
            return;
        };
        let id = outage.id;
        self.store(Record::Outage(outage));
        self.event(Event::OutageOpened { outage: id, of, cause, detection: now - onset });
    }

    fn close_outage(&mut self, of: &OutageOf, attempts_failed: u32) {
        let Some(outage) = self.ledger.close(of, attempts_failed, self.now) else { return };
        let (id, lasted) = (outage.id, self.now - outage.onset);
        self.store(Record::Outage(outage));
        self.event(Event::OutageClosed { outage: id, of: of.clone(), lasted });
    }

    /// Sorts the gateways anew, and moves the epoch where that changes what a plan would say.
    pub(super) fn refresh_tiers(&mut self) {
        self.tiers = self.fleet.tiers(self.now);
        let ranks: Vec<i32> = self
            .fleet
            .iter()
            .map(|(id, _)| self.fleet.rank(id, super::policy::Confirm::Accepted).map_or(0, |rank| rank.1))
            .collect();
        if self.ranks.0 != self.tiers {
            self.tiers_moved();
        }
        if self.ranks.0 != self.tiers || self.ranks.1 != ranks {
            self.epoch += 1;
            self.ranks = (self.tiers, ranks);
        }
    }

    /// A step that is sent all at once is queued channel by channel, and so must be looked at again when what is good
    /// changes; every other queue offers what is good at the turn.
    fn tiers_moved(&mut self) {
        let old: Tiers = self.ranks.0;
        if old.good == self.tiers.good {
            return;
        }
        let together: Vec<_> = self
            .message_of
            .values()
            .copied()
            .filter(|handle| {
                self.messages
                    .get(*handle)
                    .is_some_and(|m| m.classes.iter().any(|c| c.route.levels.iter().any(|l| l.together)))
            })
            .collect();
        together.into_iter().for_each(|handle| self.sweep(handle));
    }
}
