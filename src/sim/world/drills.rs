//! Game days: gateways that are made to look down, and exercises sent meanwhile.

use super::World;
use crate::core::channel::GatewayId;
use crate::core::effect::Order;
use crate::core::input::{Command, Input, Ticket};
use crate::core::message::{Severity, Status};
use crate::core::record::Overlay;
use crate::core::time::Span;
use crate::sim::checkers::Broken;

/// Of a thousand messages, so many are exercises.
const EXERCISES: u64 = 150;
/// The longest drill: the trouble ends after it.
const DRILL_SECS_MAX: u64 = 240;
/// Of exercises, the less grave share a place in the queues.
const RANKS_MAX: u8 = 7;

impl World {
    /// Draws whether a message is meant.
    pub(super) fn status(&mut self) -> Status {
        if self.chance(EXERCISES) { Status::Exercise } else { Status::Actual }
    }

    /// Starts a drill on a gateway, or ends the one that runs there.
    pub(super) fn drill_or_end(&mut self) {
        let place = self.rng.below(self.gateways.len() as u64) as usize;
        let (gateway, reason) = (GatewayId(place as u8), "drawn".to_owned());
        let until = self.now + Span::from_secs(1 + self.rng.below(DRILL_SECS_MAX) as i64);
        let everybody = self.chance(500);
        let command = match self.drills.contains_key(&self.gateways[place].name) {
            true => Command::EndDrill { gateway, reason },
            false => Command::Drill { gateway, until, everybody, reason },
        };
        self.core.handle(Input::Command { ticket: Ticket(0), who: "noc".into(), command }, self.now);
    }

    /// What lies over a gateway was written down.
    pub(super) fn overlaid(&mut self, gateway: Option<&str>, overlay: Option<&Overlay>) {
        let Some(name) = gateway else { return };
        match overlay.filter(|overlay| overlay.is_drill()).and_then(Overlay::until) {
            Some(until) => drop(self.drills.insert(name.to_owned(), until)),
            None => drop(self.drills.remove(name)),
        }
    }

    /// An exercise takes no gateway that looks down to it.
    pub(super) fn practised(&self, order: &Order) -> Result<(), Broken> {
        let name = &self.gateways[usize::from(order.gateway.0)].name;
        let down = self.drills.get(name).is_some_and(|until| *until > self.now);
        match down && self.ledger.exercises.contains(&order.attempt.delivery.message) {
            true => {
                let what = format!("{} is an exercise, and took {name}, which looked down", order.attempt);
                Err(self.ledger.broken(self.now, what))
            }
            false => Ok(()),
        }
    }

    /// Returns where an order stands in its turn: what is meant by its severity, exercises after it.
    pub(super) fn rank(&self, order: &Order) -> u8 {
        let exercise = self.ledger.exercises.contains(&order.attempt.delivery.message);
        let after = if exercise { Severity::ALL.len() as u8 } else { 0 };
        (order.severity as u8 + after).min(RANKS_MAX)
    }
}
