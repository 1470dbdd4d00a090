//! A route: a rule's ladder turned into sets of gateways for one set of channels.

use super::fleet::Fleet;
use crate::core::channel::{Channel, ChannelSet, GatewaySet};
use crate::core::message::Severity;
use crate::core::outbox::queue::Ladder;
use crate::core::policy::{Confirm, OnUnknown, Policy, Rule, SendMode};
use crate::core::time::{Span, Timestamp};
use std::sync::Arc;

/// One level. A step with `send = "each"` becomes one level a channel, so that below this point there are two modes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Level {
    /// The step in the file, from 0.
    pub(crate) step: u8,
    /// Its own gateways.
    pub(crate) own: GatewaySet,
    /// Whether every channel is used at once.
    pub(crate) together: bool,
    pub(crate) wait: Span,
    /// Whether that is the longest, and receipts teach how long it is.
    pub(crate) learned: bool,
}

/// A ladder for people with one set of channels.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) policy: Arc<Policy>,
    pub(crate) rule: usize,
    pub(crate) levels: Vec<Level>,
    /// Every gateway of every level.
    pub(crate) all: GatewaySet,
}

impl Route {
    /// Builds the route of `rule` for people who have addresses on `channels`.
    pub(crate) fn build(policy: &Arc<Policy>, rule: usize, channels: ChannelSet, fleet: &Fleet) -> Route {
        let chosen = &policy.rules[rule];
        let permitted = fleet.permitted(chosen, channels);
        let mut levels: Vec<Level> = Vec::new();
        for (step, of) in chosen.steps.iter().enumerate() {
            let step = u8::try_from(step).unwrap_or(u8::MAX);
            let together = of.send == SendMode::All;
            let groups: Vec<Vec<Channel>> = match of.send {
                SendMode::Each => of.channels.iter().map(|c| vec![*c]).collect(),
                SendMode::Best | SendMode::All => vec![of.channels.clone()],
            };
            for group in groups {
                let wanted: ChannelSet = group.into_iter().collect();
                let own = permitted.and(fleet.on(wanted));
                if !own.is_empty() {
                    levels.push(Level { step, own, together, wait: of.wait, learned: of.learned });
                }
            }
        }
        let all = levels.iter().fold(GatewaySet::EMPTY, |all, level| all.or(level.own));
        Route { policy: Arc::clone(policy), rule, levels, all }
    }

    /// Returns the rule.
    pub(crate) fn rule(&self) -> &Rule {
        &self.policy.rules[self.rule]
    }

    /// Says whether waits are learned on it.
    pub(crate) fn is_learned(&self) -> bool {
        self.levels.iter().any(|level| level.learned)
    }

    pub(crate) fn confirm(&self) -> Confirm {
        self.rule().confirm
    }

    pub(crate) fn on_unknown(&self, severity: Severity) -> OnUnknown {
        self.rule().on_unknown_for(severity)
    }

    /// Returns what a delivery at `level` may take, without the gateways of `without`; empty levels and repeats are left out.
    pub(crate) fn ladder(&self, level: u8, without: GatewaySet, hurried: bool) -> Ladder {
        let mut levels: Vec<GatewaySet> = Vec::with_capacity(self.levels.len());
        let mut sum = GatewaySet::EMPTY;
        for (place, of) in self.levels.iter().enumerate() {
            sum = sum.or(of.own);
            let open = sum.without(without);
            if place >= usize::from(level) && !open.is_empty() && levels.last() != Some(&open) {
                levels.push(open);
            }
        }
        let learned = self.is_learned() && self.confirm() == Confirm::Delivered;
        Ladder { levels, confirm: self.confirm(), learned, hurried: learned && hurried }
    }

    /// Returns the first level at or after `level` that has one of `gateways`, else `level` itself.
    pub(crate) fn level_with(&self, level: u8, gateways: GatewaySet) -> u8 {
        let has = |l: &&(usize, &Level)| !l.1.own.and(gateways).is_empty();
        let levels: Vec<(usize, &Level)> = self.levels.iter().enumerate().collect();
        let later = levels.iter().filter(|(place, _)| *place >= usize::from(level)).find(has);
        later.map_or(level, |(place, _)| *place as u8)
    }

    /// Returns the last level.
    pub(crate) fn last_level(&self) -> u8 {
        self.levels.len().saturating_sub(1) as u8
    }

    /// Returns when deliveries that nobody has taken grow from level `floor` to the next: after the waits of all levels
    /// so far, counted from acceptance.
    pub(crate) fn widens_at(
        &self,
        floor: u8,
        severity: Severity,
        accepted_at: Timestamp,
    ) -> Option<Timestamp> {
        if usize::from(floor) + 1 >= self.levels.len() {
            return None;
        }
        // Nobody has taken it, so there is no receipt to wait for: what is crowded is passed by.
        let wait = |of: &Level| if of.learned { of.wait.min(crowded(severity)) } else { of.wait };
        let waits = self.levels[..=usize::from(floor)].iter().fold(Span::ZERO, |sum, l| sum + wait(l));
        Some(accepted_at + waits)
    }
}

/// Returns how long a delivery waits for room on a step whose waits are learned.
const fn crowded(severity: Severity) -> Span {
    match severity {
        Severity::Extreme => Span::from_secs(3),
        Severity::Severe => Span::from_secs(15),
        _ => Span::from_secs(60),
    }
}
