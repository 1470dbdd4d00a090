//! Drawing the read model.

use super::Core;
use super::channel::{Channel, GatewayId};
use super::message::Severity;
use super::outbox::message::SETTLED;
use super::outbox::row::Kind;
use super::record::Standing;
use super::route::fleet::Gateway;
use super::slab::NONE;
use super::time::Timestamp;
use super::view::{ChannelView, GatewayView, OLDEST_MAX, OpenDelivery, State, UplinkView, View};

/// How many rows are looked at for the oldest open deliveries: a view never costs a walk of the outbox.
const OLDEST_LOOKS: usize = 2_000;

impl Core {
    /// Draws the whole picture. Cost: in proportion to the gateways, not to the outbox.
    pub fn view(&self, now: Timestamp) -> View {
        let now = self.now.max(now);
        View {
            at: now,
            turn: self.turn,
            policy: self.policy.hash.clone(),
            gateways: self.fleet.iter().map(|(id, g)| self.draw_gateway(id, g, now)).collect(),
            channels: self.draw_channels(now),
            uplinks: self
                .uplinks
                .iter()
                .map(|u| UplinkView { name: u.name.clone(), up: u.up, since: u.since, failed: u.failed })
                .collect(),
            held_all: self.fleet.held_all.clone(),
            deliveries: self.counts.actual,
            drill_deliveries: self.counts.drill,
            help: self.help.view(),
            oldest: self.oldest(),
            oldest_deliveries: self.oldest_deliveries(),
            outages: self.ledger.all(),
            events: self.events.iter().cloned().collect(),
        }
    }

    fn draw_gateway(&self, id: GatewayId, g: &Gateway, now: Timestamp) -> GatewayView {
        GatewayView {
            id,
            name: g.config.name.clone(),
            channel: g.config.channel,
            configured: g.configured,
            state: self.fleet.state(id),
            since: g.cell.since(),
            health: g.cell.health(),
            needles: g.cell.values(),
            reason: g.cell.reason(),
            overlay: g.laid_over(now).cloned(),
            deferred_until: g.deferred_until.filter(|until| *until > now),
            probes: g.cell.probes(now),
            in_flight: g.capacity.in_flight(),
            unconfirmed: g.unconfirmed,
            receipts: g.config.receipts,
            time_out: g.capacity.time_out(),
            quotas: g.capacity.quotas(now),
            failure_domains: g.config.failure_domains.clone(),
            history: g.cell.history().to_vec(),
            canaries: self.canaries.draw(id),
        }
    }

    fn draw_channels(&self, now: Timestamp) -> Vec<ChannelView> {
        let of = |channel: Channel| {
            let gateways: Vec<(GatewayId, &Gateway)> =
                self.fleet.iter().filter(|(_, g)| g.configured && g.config.channel == channel).collect();
            // In a drill to everybody it is avoided, and there all the same for whoever has no other road: nobody is out of
            // reach by an exercise, and nobody must be told that they are.
            let usable = gateways.iter().filter(|(id, _)| {
                let standing = self.fleet.standing(*id, now);
                matches!(standing, Standing::Eligible | Standing::Doubtful | Standing::Drill)
            });
            let usable = usable.count() as u32;
            // From the best to the worst; what is unknown is neither.
            let order = [State::Up, State::Recovering, State::Degraded, State::Unknown, State::Down];
            let state =
                order.into_iter().find(|s| gateways.iter().any(|(id, _)| self.fleet.state(*id) == *s))?;
            Some(ChannelView { channel, state, gateways: gateways.len() as u32, usable })
        };
        Channel::ALL.into_iter().filter_map(of).collect()
    }

    fn oldest(&self) -> [Option<Timestamp>; 5] {
        let mut oldest = [None; 5];
        for (place, severity) in Severity::ALL.iter().enumerate() {
            let first = self.by_age.range((*severity as u8, 0)..=(*severity as u8, u32::MAX)).next();
            oldest[place] =
                first.and_then(|(_, handle)| self.messages.get(*handle)).map(|m| m.facts.accepted_at);
        }
        oldest
    }

    fn oldest_deliveries(&self) -> Vec<OpenDelivery> {
        let messages =
            self.by_age.values().take(OLDEST_LOOKS).filter_map(|handle| self.messages.get(*handle));
        messages
            .flat_map(|message| {
                let rows = message.rows.iter().skip(message.first_open as usize).take(OLDEST_LOOKS);
                rows.filter(|row| **row != SETTLED && **row != NONE).filter_map(|handle| {
                    let row = self.rows.get(*handle)?;
                    let class = message.classes.get(row.class as usize)?;
                    Some(OpenDelivery {
                        id: super::ids::DeliveryId::new(message.facts.id, row.index),
                        message: message.facts.id,
                        severity: message.facts.severity,
                        drill: message.facts.status.is_drill(),
                        since: message.facts.accepted_at,
                        deadline: class.deadline,
                        step: class.route.levels.get(usize::from(row.level)).map_or(0, |level| level.step),
                        gateway: self.attempts.get(row.first).map(|attempt| attempt.gateway),
                        state: match row.kind {
                            Kind::Waiting => "waiting",
                            Kind::BackingOff => "backing_off",
                            Kind::InFlight => "in_flight",
                            Kind::Unconfirmed => "unconfirmed",
                        },
                    })
                })
            })
            .take(OLDEST_MAX)
            .collect()
    }
}
