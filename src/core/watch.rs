//! Evidence in, verdicts out: probes, links, the uplink; states and outages.

use super::channel::{Channel, ChannelSet, GatewayId};
use super::effect::{Effect, Event, Pace};
use super::evidence::{ProbeReport, UplinkRound};
use super::health::needle::DOUBT;
use super::health::uplink::{HEARD_WITHIN, Uplink, VERDICT_PAUSE};
use super::outage::Signs;
use super::outcome::Reason;
use super::record::{OutageOf, Record, Sign};
use super::route::fleet::Gateway;
use super::time::Timestamp;
use super::view::State;
use super::{Core, Tiers};

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
        let mut attempts_failed = 0;
        if self.fleet.line_down && !was_down {
            for g in self.fleet.gateways.iter_mut().filter(|g| g.config.needs_internet()) {
                attempts_failed += g.cell.void_recent(now);
            }
        }
        self.event(Event::Uplink { uplink: name.clone(), up });
        let of = OutageOf::Uplink(name);
        match up {
            true => self.close_outage(&of),
            false => {
                let (channel, cause, layer) = (Channel::Webhook, Reason::Unreachable, None);
                let signs = vec![Sign::Controls { failed: round.failed, of: round.controls }];
                self.open_outage(
                    of,
                    Signs { channel, cause, layer, onset, attempts_failed, open: false, signs },
                );
            }
        }
        self.judge();
    }

    /// Says whether at least 80 % of the channels that need our line fail now.
    fn channels_fail(&self) -> bool {
        let (mut seen, mut works) = (ChannelSet::default(), ChannelSet::default());
        for (_, g) in self.fleet.iter().filter(|(_, g)| g.configured && g.config.needs_internet()) {
            if g.cell.seen() {
                seen.insert(g.config.channel);
                if !g.cell.failing() {
                    works.insert(g.config.channel);
                }
            }
        }
        let (seen, works) = (seen.0.count_ones(), works.0.count_ones());
        seen > works && f64::from(seen - works) >= CHANNELS_FAIL * f64::from(seen)
    }

    /// Notes since when most of what needs our line fails.
    fn weigh_line(&mut self) {
        let fails = !self.uplinks.is_empty() && self.channels_fail();
        self.most_fail_since = fails.then(|| self.most_fail_since.unwrap_or(self.now));
    }

    /// Says whether it may yet be our own line: most of what needs it fails, and its controls have not spoken since.
    fn line_in_question(&self) -> bool {
        self.most_fail_since.is_some_and(|since| {
            self.now < since + HEARD_WITHIN && !self.uplinks.iter().any(|u| u.cleared_since(since))
        })
    }

    /// Says whether an outage of this gateway may be declared now. Where it needs our line, that is judged first.
    pub(super) fn may_accuse(&self, id: GatewayId) -> bool {
        let (Some(g), now) = (self.fleet.get(id), self.now) else { return false };
        if g.set_aside(now) {
            return false;
        }
        if !g.config.needs_internet() {
            return true;
        }
        let just_back = self.uplinks.iter().any(|u| u.back_at.is_some_and(|back| now < back + VERDICT_PAUSE));
        // What the provider itself refuses came over the line.
        let in_question = !g.cell.certain() && self.line_in_question();
        !just_back && !self.fleet.line_down && !in_question
    }

    /// Sets how often the controls are asked: soon while the line may be at fault, and until it is surely back.
    fn pace_controls(&mut self) {
        let hurry = self.most_fail_since.is_some() || self.uplinks.iter().any(|u| !u.up);
        if std::mem::replace(&mut self.controls_hurried, hurry) != hurry {
            self.effects.push_back(Effect::ControlPace(if hurry { Pace::Doubt } else { Pace::Normal }));
        }
    }

    /// Judges every gateway anew.
    pub(super) fn judge(&mut self) {
        self.weigh_line();
        for place in 0..self.fleet.gateways.len() {
            self.judge_one(GatewayId(place as u8));
        }
        self.judge_channels();
        self.pace_controls();
        self.refresh_tiers();
    }

    /// Judges one gateway: its state, its pace of probing, its outage.
    pub(super) fn judge_one(&mut self, id: GatewayId) {
        let (dwell, now) = (self.config.dwell, self.now);
        if self.most_fail_since.is_none() && self.fleet.get(id).is_some_and(|g| g.cell.failing()) {
            self.weigh_line();
        }
        let may_declare = self.may_accuse(id);
        let Some(g) = self.fleet.get_mut(id) else { return };
        let changed = g.cell.judge(dwell, may_declare, now);
        let hurry = g.cell.suspicion() >= DOUBT || matches!(g.cell.state(), State::Down | State::Recovering);
        if std::mem::replace(&mut g.hurried, hurry) != hurry {
            let pace = if hurry { Pace::Doubt } else { Pace::Normal };
            self.effects.push_back(Effect::ProbePace { gateway: id, pace });
        }
        let Some(changed) = changed else { return };
        let Some(g) = self.fleet.get(id) else { return };
        let (reason, layer, onset) = (g.cell.reason(), g.cell.layer(), g.cell.onset().unwrap_or(now));
        let (name, channel, attempts_failed) =
            (g.config.name.clone(), g.config.channel, g.cell.attempts_failed());
        self.event(Event::State { gateway: id, from: changed.from, to: changed.to, reason, layer });
        match changed.to {
            State::Down => {
                let (cause, signs) = (reason.unwrap_or(Reason::Timeout), self.signs_against(id));
                let signs = Signs { channel, cause, layer, onset, attempts_failed, open: false, signs };
                self.gateway_fell(id, name, signs);
            }
            State::Up => self.gateway_is_back(id, name),
            _ => {}
        }
        self.refresh_tiers();
    }

    /// Declares the outage of a gateway: a part of its domain's where others of that fell with it, or what was taken for the
    /// trouble of a region.
    fn gateway_fell(&mut self, id: GatewayId, name: String, signs: Signs) {
        if self.outage_of_domain(id).is_some() {
            return;
        }
        if let Some((domain, gateways)) = self.fell_with(id) {
            let names = gateways.iter().filter_map(|g| self.fleet.get(*g).map(|g| g.config.name.clone()));
            let down: Vec<Sign> = names.map(|gateway| Sign::Down { gateway }).collect();
            let open = self.ledger.going_on().into_iter();
            let of_it = |of: &OutageOf| {
                down.iter().any(|sign| matches!((sign, of), (Sign::Down { gateway }, OutageOf::Gateway(name)) if gateway == name))
            };
            let mut before: Vec<OutageOf> = open.filter(of_it).collect();
            let signs = Signs { signs: down.into_iter().chain(signs.signs).collect(), ..signs };
            let of = OutageOf::Domain(domain);
            match before.pop() {
                Some(first) => self.turn_outage(&first, of, signs),
                None => self.open_outage(of, signs),
            }
            before.iter().for_each(|merged| self.close_outage(merged));
            return;
        }
        let of_it = |of: &OutageOf| matches!(of, OutageOf::Slice { gateway, .. } if *gateway == name);
        let mut before: Vec<OutageOf> = self.ledger.going_on().into_iter().filter(of_it).collect();
        let of = OutageOf::Gateway(name.clone());
        match before.pop() {
            Some(first) => self.turn_outage(&first, of, signs),
            None => self.open_outage(of, signs),
        }
        before.iter().for_each(|merged| self.close_outage(merged));
    }

    fn gateway_is_back(&mut self, id: GatewayId, name: String) {
        self.close_outage(&OutageOf::Gateway(name));
        if let Some(OutageOf::Domain(domain)) = self.outage_of_domain(id)
            && !self.domain_is_down(&domain)
        {
            self.close_outage(&OutageOf::Domain(domain));
        }
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
            let members = self.fleet.iter().filter(|(_, g)| g.configured && g.config.channel == channel);
            let ids: Vec<GatewayId> = members.map(|(id, _)| id).collect();
            // What they have in common is said already.
            let shared = ids.iter().all(|id| self.outage_of_domain(*id).is_some());
            if !shared && of_channel.iter().all(|(state, ..)| *state == State::Down) {
                let onset = of_channel.iter().map(|(.., onset)| *onset).max().unwrap_or(self.now);
                let cause = of_channel.iter().find_map(|(_, reason, _)| *reason).unwrap_or(Reason::Timeout);
                let attempts_failed = self.cost_of(channel);
                let names = ids.iter().filter_map(|id| self.fleet.get(*id).map(|g| g.config.name.clone()));
                let signs = names.map(|gateway| Sign::Down { gateway }).collect();
                let layer = None;
                self.open_outage(
                    of,
                    Signs { channel, cause, layer, onset, attempts_failed, open: false, signs },
                );
            } else if of_channel.iter().any(|(state, ..)| *state == State::Up) {
                self.close_outage(&of);
            }
        }
    }

    /// Returns how many attempts the trouble of a channel's gateways has cost so far.
    fn cost_of(&self, channel: Channel) -> u32 {
        let of_channel = self.fleet.iter().filter(|(_, g)| g.configured && g.config.channel == channel);
        let cost = |(_, g): (GatewayId, &Gateway)| {
            let going_on = self.ledger.cost(&OutageOf::Gateway(g.config.name.clone()));
            going_on.unwrap_or_else(|| g.cell.attempts_failed())
        };
        of_channel.map(cost).fold(0, u32::saturating_add)
    }

    /// Counts an attempt that failed for the outages that go on: the line's where that is down, else the gateway's and
    /// its channel's.
    pub(super) fn count_failure(&mut self, gateway: GatewayId) {
        let void = self.fleet.is_void(gateway);
        let Some(g) = self.fleet.get(gateway) else { return };
        self.ledger.count(|of| match of {
            OutageOf::Uplink(_) => void,
            OutageOf::Gateway(name) => !void && *name == g.config.name,
            OutageOf::Channel(channel) => !void && *channel == g.config.channel,
            OutageOf::Slice { gateway, .. } => !void && *gateway == g.config.name,
            OutageOf::Domain(domain) => !void && g.config.failure_domains.contains(domain),
            OutageOf::Region(_) => false,
        });
    }

    /// Writes what the outages that go on have cost, now and then.
    pub(super) fn write_outages(&mut self) {
        for outage in self.ledger.grown(self.now) {
            self.store(Record::Outage(outage));
        }
    }

    /// Ends the outages of what is not there any more: a gateway or an uplink that is not configured, a channel with
    /// fewer than two gateways. Nothing would ever say that they are over.
    pub(super) fn close_outages_of_nobody(&mut self) {
        for of in self.ledger.going_on() {
            let there = match &of {
                OutageOf::Gateway(name) => {
                    self.fleet.iter().any(|(_, g)| g.configured && g.config.name == *name)
                }
                OutageOf::Channel(channel) => {
                    self.fleet.iter().filter(|(_, g)| g.configured && g.config.channel == *channel).count()
                        > 1
                }
                OutageOf::Uplink(name) => self.uplinks.iter().any(|uplink| uplink.name == *name),
                OutageOf::Slice { gateway, .. } => {
                    self.fleet.iter().any(|(_, g)| g.configured && g.config.name == *gateway)
                }
                OutageOf::Region(_) => true,
                OutageOf::Domain(domain) => self.domain_is_down(domain),
            };
            if !there {
                self.close_outage(&of);
            }
        }
    }

    /// Takes up the outages of our own lines again: a line that was down is down until its controls say otherwise.
    pub(super) fn resume_uplinks(&mut self) {
        for of in self.ledger.going_on() {
            if let OutageOf::Uplink(name) = of
                && let Some(uplink) = self.uplinks.iter_mut().find(|uplink| uplink.name == name)
            {
                uplink.up = false;
            }
        }
        self.fleet.line_down = !self.uplinks.is_empty() && self.uplinks.iter().all(|uplink| !uplink.up);
    }

    pub(super) fn open_outage(&mut self, of: OutageOf, signs: Signs) {
        let (now, onset, cause) = (self.now, signs.onset, signs.cause);
        let Some(outage) = self.ledger.open(of.clone(), signs, now).cloned() else { return };
        let (id, blame) = (outage.id, outage.blame());
        self.store(Record::Outage(outage));
        self.event(Event::OutageOpened { outage: id, of, cause, detection: now - onset, blame });
    }

    /// Says better whose an outage is.
    pub(super) fn turn_outage(&mut self, from: &OutageOf, of: OutageOf, signs: Signs) {
        let Some(outage) = self.ledger.turn(from, of.clone(), signs) else { return };
        let (id, blame) = (outage.id, outage.blame());
        self.store(Record::Outage(outage));
        self.event(Event::OutageTurned { outage: id, from: from.clone(), of, blame });
    }

    pub(super) fn close_outage(&mut self, of: &OutageOf) {
        let Some(outage) = self.ledger.close(of, self.now) else { return };
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
        together.into_iter().for_each(|handle| self.sweep_together(handle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::CoreConfig;
    use crate::core::evidence::{Layer, Verdict};
    use crate::core::gateway::{GatewayConfig, INTERNET, Receipts};
    use crate::core::input::Input;
    use crate::core::policy::Policy;
    use crate::core::time::Span;
    use std::sync::Arc;

    const START: Timestamp = Timestamp::from_ms(1_790_000_000_000);

    /// Two channels that need the line, an outage declared after two seconds.
    struct World {
        core: Core,
        now: Timestamp,
        paces: Vec<Pace>,
        accused: Vec<OutageOf>,
    }

    impl World {
        fn new() -> World {
            let gateway = |name: &str, channel| GatewayConfig {
                name: name.into(),
                channel,
                failure_domains: vec![INTERNET.into()],
                rate: None,
                quotas: vec![],
                cost: 0.0,
                receipts: Receipts::Delivered,
                window: 10,
                can_ask: false,
                connect_time_out: Span::from_secs(3),
                canaries: vec![],
            };
            let gateways = vec![gateway("wa", Channel::Whatsapp), gateway("tg", Channel::Telegram)];
            let config =
                CoreConfig { shard: 0, seed: 7, dwell: Span::from_secs(2), uplinks: vec!["fibre".into()] };
            let core = Core::new(config, gateways, Arc::new(Policy::built_in()), START);
            World { core, now: START, paces: vec![], accused: vec![] }
        }

        fn input(&mut self, input: Input) {
            self.core.handle(input, self.now);
            self.core.tick(self.now);
            while let Some(effect) = self.core.poll_effect() {
                match effect {
                    Effect::ControlPace(pace) => self.paces.push(pace),
                    Effect::Event(Event::OutageOpened { of, .. }) => self.accused.push(of),
                    _ => {}
                }
            }
        }

        /// Lets both fail, second after second.
        fn fail(&mut self, secs: usize) {
            for _ in 0..secs {
                for gateway in [GatewayId(0), GatewayId(1)] {
                    self.input(Input::Probe(ProbeReport {
                        gateway,
                        probe: "web".into(),
                        aims_at: Layer::Http,
                        reached: None,
                        verdict: Verdict::Failed(Reason::TcpTimeout),
                        phases: vec![],
                        took: Span::from_secs(3),
                        interval: Span::from_secs(1),
                    }));
                }
                self.now += Span::from_secs(1);
            }
        }

        fn round(&mut self, failed: u8) {
            let took = Span::from_ms(100);
            self.input(Input::Uplink(UplinkRound { uplink: "fibre".into(), controls: 3, failed, took }));
        }
    }

    #[test]
    fn nobody_is_accused_before_our_own_line_was_asked() {
        let mut world = World::new();
        world.fail(1);
        world.now = START + Span::from_ms(50);
        world.round(0);
        world.fail(10);
        assert_eq!(
            (world.paces.as_slice(), world.accused.len()),
            (&[Pace::Doubt][..], 0),
            "that round began before"
        );
        world.round(3);
        world.fail(3);
        assert_eq!(world.accused, [], "one bad round is no verdict yet");
        world.round(3);
        world.fail(60);
        assert_eq!(world.accused, [OutageOf::Uplink("fibre".into())]);
    }

    #[test]
    fn a_round_that_speaks_for_the_line_accuses_the_gateways() {
        let mut world = World::new();
        world.fail(10);
        world.round(0);
        let gateways = ["wa", "tg"].map(|name| OutageOf::Gateway(name.into()));
        assert_eq!(world.accused, gateways);
    }

    #[test]
    fn controls_that_never_speak_do_not_silence_the_verdict() {
        let mut world = World::new();
        world.fail(25);
        assert_eq!(world.accused, []);
        world.fail(10);
        assert_eq!(world.accused.len(), 2);
    }
}
