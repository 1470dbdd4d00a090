//! Commands of people and programs, and new policies and gateways.

use super::Core;
use super::channel::{GatewayId, GatewaySet};
use super::effect::{Event, OverlayAct, Reply};
use super::gateway::GatewayConfig;
use super::ids::MessageId;
use super::input::{Command, Ticket};
use super::message::SERVICE;
use super::outbox::message::SETTLED;
use super::outcome::DeliveryResult;
use super::policy::Policy;
use super::record::{Overlay, OverlayKind, Record};
use super::slab::{Handle, NONE};
use super::time::Timestamp;
use std::sync::Arc;

impl Core {
    pub(super) fn command(&mut self, ticket: Ticket, who: &str, command: Command) {
        let reply = match command {
            Command::Cancel { message, reason } => self.cancel(who, message, reason),
            Command::Correct { message, reason } => self.make_way(who, message, reason),
            Command::Hold { gateway, reason } => {
                self.overlay(who, OverlayAct::Hold, gateway, Some(OverlayKind::Held), reason)
            }
            Command::Release { gateway, reason } => {
                self.overlay(who, OverlayAct::Release, gateway, None, reason)
            }
            Command::Maintenance { gateway, until, reason } => {
                let kind = OverlayKind::Maintenance { until };
                self.overlay(who, OverlayAct::Maintenance, Some(gateway), Some(kind), reason)
            }
            Command::Drill { gateway, until, everybody, reason } => {
                self.drill(who, gateway, until, everybody, reason)
            }
            Command::EndDrill { gateway, reason } => {
                match self.fleet.get(gateway).map(|g| g.overlay.as_ref().is_some_and(Overlay::is_drill)) {
                    None => Reply::NotFound,
                    Some(false) => Reply::Done { changed: 0 },
                    Some(true) => self.overlay(who, OverlayAct::Release, Some(gateway), None, reason),
                }
            }
        };
        self.reply(ticket, reply);
    }

    /// Recalls what was not yet sent. What a provider holds, or may hold, cannot be recalled and stays open.
    fn cancel(&mut self, who: &str, id: MessageId, reason: String) -> Reply {
        let Some(handle) = self.message_of.get(&id).copied() else { return Reply::NotFound };
        if self.messages.get(handle).is_some_and(|message| message.progress.withdrawn.is_some()) {
            return Reply::Refused("it was withdrawn before".into());
        }
        self.audit(who, "cancel", id.to_string(), reason);
        Reply::Done { changed: self.withdraw(handle, DeliveryResult::Cancelled) }
    }

    /// Stops a message that is about to be corrected. One that has settled, or was withdrawn before, has nothing to stop:
    /// it can be corrected all the same, and as often as its correction does not come about.
    fn make_way(&mut self, who: &str, id: MessageId, reason: String) -> Reply {
        self.audit(who, "correct", id.to_string(), reason);
        let Some(handle) = self.message_of.get(&id).copied() else { return Reply::Done { changed: 0 } };
        match self.messages.get(handle).is_some_and(|message| message.progress.withdrawn.is_some()) {
            true => Reply::Done { changed: 0 },
            false => Reply::Done { changed: self.withdraw(handle, DeliveryResult::Superseded) },
        }
    }

    /// Lets nothing more of a message leave. Returns how many deliveries were not tried yet.
    fn withdraw(&mut self, handle: Handle, result: DeliveryResult) -> u32 {
        let Some(message) = self.messages.get(handle) else { return 0 };
        let untouched = |row: &&u32| **row == NONE || self.rows.get(**row).is_some_and(|r| r.first == NONE);
        let changed = message.rows.iter().filter(|row| **row != SETTLED).filter(untouched).count() as u32;
        if let Some(message) = self.messages.get_mut(handle) {
            message.progress.withdrawn = Some(result);
        }
        self.dirty.insert(handle);
        self.sweep(handle);
        changed
    }

    fn overlay(
        &mut self,
        who: &str,
        act: OverlayAct,
        gateway: Option<GatewayId>,
        kind: Option<OverlayKind>,
        reason: String,
    ) -> Reply {
        let overlay =
            kind.map(|kind| Overlay { kind, who: who.into(), reason: reason.clone(), since: self.now });
        let (known, name) = match gateway {
            None => (&mut self.fleet.held_all, None),
            Some(id) => {
                let Some(g) = self.fleet.get_mut(id) else { return Reply::NotFound };
                (&mut g.overlay, Some(g.config.name.clone()))
            }
        };
        if known.is_none() && overlay.is_none() {
            // Nothing lay over it: there is nothing to record, and nothing to tell of.
            return Reply::Done { changed: 0 };
        }
        let held = known.as_ref().is_some_and(|o| o.kind == OverlayKind::Held);
        if held && matches!(kind, Some(OverlayKind::Maintenance { .. })) {
            // Planned work ends by itself; what was stopped by hand must not.
            return Reply::Refused("it is held: release it first, then plan the work".into());
        }
        let drilled = [known.as_ref(), overlay.as_ref()].into_iter().flatten().any(Overlay::is_drill);
        known.clone_from(&overlay);
        let on = name.clone().unwrap_or_else(|| "all".into());
        self.store(Record::Overlay { gateway: name, overlay });
        self.audit(who, act.name(), on, reason);
        self.event(Event::Overlay { gateway, act, who: who.into() });
        self.refresh_tiers();
        if drilled {
            // Exercises leave it at once, or have it back; and what is explained from here on says so.
            self.epoch += 1;
            self.rematch();
        }
        let changed =
            gateway.map_or(self.fleet.gateways.iter().filter(|g| g.configured).count() as u32, |_| 1);
        Reply::Done { changed }
    }

    /// Makes a gateway look down for a drill. Never the last road: what is meant would wait for the exercise's end.
    fn drill(
        &mut self,
        who: &str,
        gateway: GatewayId,
        until: Timestamp,
        everybody: bool,
        reason: String,
    ) -> Reply {
        let Some(g) = self.fleet.get(gateway) else { return Reply::NotFound };
        if g.set_aside(self.now) {
            return Reply::Refused(
                "it is held or under planned work, and in no use as it is: a drill needs one that works"
                    .into(),
            );
        }
        if everybody && self.tiers.good.without(GatewaySet::one(gateway)).is_empty() {
            return Reply::Refused(
                "no other gateway is good at this moment: for everybody it is the last road; without `everybody` \
                 exercises alone avoid it"
                    .into(),
            );
        }
        let kind = OverlayKind::Drill { until, everybody };
        self.overlay(who, OverlayAct::Drill, Some(gateway), Some(kind), reason)
    }

    /// Lifts planned work and drills whose time is over.
    pub(super) fn lift_what_is_over(&mut self) {
        let mut drilled = false;
        for place in 0..self.fleet.gateways.len() {
            let g = &mut self.fleet.gateways[place];
            if g.overlay.as_ref().and_then(Overlay::until).is_none_or(|until| until > self.now) {
                continue;
            }
            drilled |= g.overlay.take().is_some_and(|overlay| overlay.is_drill());
            let (name, gateway) = (g.config.name.clone(), GatewayId(place as u8));
            self.store(Record::Overlay { gateway: Some(name.clone()), overlay: None });
            self.audit(SERVICE, OverlayAct::Release.name(), name, "its time was over".into());
            let who = SERVICE.to_owned();
            self.event(Event::Overlay { gateway: Some(gateway), act: OverlayAct::Release, who });
        }
        if drilled {
            self.epoch += 1;
            self.refresh_tiers();
            self.rematch();
        }
    }

    /// Puts a policy in force: every waiting delivery follows it from here on; open attempts stay as they are.
    pub(super) fn new_policy(&mut self, policy: Arc<Policy>) {
        self.policy = policy;
        self.rematch();
        let hash = self.policy.hash.clone();
        self.event(Event::PolicyInForce { hash });
    }

    /// Takes the gateways as configured now. One that is gone takes nothing new; its open attempts stay open.
    pub(super) fn new_gateways(&mut self, configs: Vec<GatewayConfig>) {
        self.fleet.configure(configs, self.now);
        self.configure_canaries();
        self.close_outages_of_nobody();
        self.refresh_tiers();
        self.rematch();
    }
}
