//! What would become of a message, were it sent now: the core itself, on a copy of what is known of the gateways, in
//! virtual time.
//!
//! Every gateway that may be used now is taken to accept what it is given, as soon as it usually answers, and every road
//! that has receipts to give them; a gateway that is down stays down. Rates, windows, quotas, steps and waits are the
//! real ones. So the forecast is how it goes if nothing changes, and what is waiting already is told beside it.
//!
//! Limits: [`TURNS_MAX`] turns, after which what is left counts as not forecast.

use super::Core;
use super::channel::{Channel, ChannelSet, GatewayId};
use super::effect::{Effect, Event, Reply};
use super::gateway::Receipts;
use super::ids::AttemptId;
use super::input::{Accept, Input};
use super::message::{Severity, Status};
use super::outbox::message::precedence;
use super::outcome::{DeliveryResult, Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use super::record::{Record, Repeat, Standing};
use super::slab::Handle;
use super::time::{Span, Timestamp};
use std::collections::BTreeMap;

/// The most turns of one forecast: a million deliveries at a slow rate, each with a turn of its own, and its answers.
const TURNS_MAX: u64 = 8_000_000;

/// What would become of a message.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Forecast {
    /// How many deliveries it would have.
    pub deliveries: u32,
    /// How many deliveries are open now that are as grave or graver: they go first, or along with it.
    pub ahead: u64,
    /// By step of the rule, gateway and language of the recipient: how many are handed over there.
    pub handed_over: BTreeMap<(u8, GatewayId, Option<String>), Load>,
    /// How many would end without reaching anybody, by result and the last reason.
    pub lost: BTreeMap<(DeliveryResult, Option<Reason>), u32>,
    /// How many would miss their deadline.
    pub late: u32,
    /// How long until the last is handed over; `None`: nothing is.
    pub done_in: Option<Span>,
    /// How many it ran out of turns for.
    pub open: u32,
}

/// What one gateway carries of a forecast.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Load {
    /// First copies.
    pub first: u32,
    /// Further copies to the same people, as a step's wait runs out or channels are used together.
    pub copies: u32,
}

/// A run of the copy.
struct Run {
    core: Core,
    began: Timestamp,
    now: Timestamp,
    /// The languages of the recipients, by index.
    languages: Vec<Option<String>>,
    /// The channels on which recipients want nothing, by their index.
    refused: BTreeMap<u32, ChannelSet>,
    /// What each gateway does with an attempt, by id.
    roads: Vec<Road>,
    /// Answers to come.
    agenda: BTreeMap<(Timestamp, u64), (AttemptId, GatewayId)>,
    last: u64,
    steps: BTreeMap<AttemptId, (u8, Repeat)>,
    forecast: Forecast,
}

/// What a gateway does with an attempt.
#[derive(Clone, Copy, Debug)]
struct Road {
    takes: bool,
    after: Span,
    receipts: Receipts,
    channel: Channel,
}

impl Core {
    /// Copies what is known of the gateways and the policy, without any message.
    pub fn copy_for_forecast(&self) -> Core {
        let mut core =
            Core::new(self.config.clone(), Vec::new(), std::sync::Arc::clone(&self.policy), self.now);
        core.fleet = self.fleet.clone();
        core.uplinks = self.uplinks.clone();
        for gateway in &mut core.fleet.gateways {
            gateway.capacity.forget_in_flight();
            gateway.unconfirmed = 0;
        }
        core.refresh_tiers();
        core
    }

    /// Counts the open deliveries that are as grave or graver.
    pub fn ahead_of(&self, severity: Severity, status: Status) -> u64 {
        let open = |handle: &Handle| {
            self.messages
                .get(*handle)
                .map_or(0, |m| u64::from(m.facts.recipients.saturating_sub(m.settled())))
        };
        self.by_age.range(..=(precedence(severity, status), u32::MAX)).map(|(_, handle)| open(handle)).sum()
    }

    /// Forecasts a message on such a copy. `refused`: the channels on which recipients want nothing, by their index. `Err`:
    /// it would not be accepted.
    pub fn forecast(self, accept: Accept, refused: BTreeMap<u32, ChannelSet>) -> Result<Forecast, Reply> {
        let now = self.now;
        let roads = self.fleet.iter().map(|(id, gateway)| Road {
            takes: !matches!(
                self.fleet.standing(id, now),
                Standing::Down | Standing::UplinkDown | Standing::Removed
            ),
            after: gateway.capacity.usual(),
            receipts: gateway.config.receipts,
            channel: gateway.config.channel,
        });
        let roads = roads.collect();
        let languages = accept.recipients.iter().map(|person| person.language.clone()).collect();
        let mut run = Run {
            core: self,
            began: now,
            now,
            languages,
            refused,
            roads,
            agenda: BTreeMap::new(),
            last: 0,
            steps: BTreeMap::new(),
            forecast: Forecast::default(),
        };
        run.core.handle(Input::Accept(Box::new(accept)), now);
        for _ in 0..TURNS_MAX {
            run.turn()?;
            if !run.on() {
                break;
            }
        }
        run.forecast.open = u32::try_from(run.core.counts.open()).unwrap_or(u32::MAX);
        Ok(run.forecast)
    }
}

impl Run {
    /// Runs a turn and notes what comes of it.
    fn turn(&mut self) -> Result<(), Reply> {
        self.core.tick(self.now);
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Reply { reply: Reply::Accepted { deliveries, .. }, .. } => {
                    self.forecast.deliveries = deliveries;
                }
                Effect::Reply { reply, .. } => return Err(reply),
                Effect::Store(Record::Attempt(attempt)) if attempt.outcome.is_none() => {
                    self.steps.insert(attempt.id, (attempt.step, attempt.repeat));
                }
                Effect::Store(Record::Delivery(delivery)) => {
                    use DeliveryResult::{Acknowledged, Delivered, HandedOver};
                    if let Some(end) = delivery.result
                        && !matches!(end.result, Delivered | Acknowledged | HandedOver)
                    {
                        *self.forecast.lost.entry((end.result, end.reason)).or_default() += 1;
                    }
                }
                Effect::Send(order) => {
                    self.last += 1;
                    let after = self.roads.get(usize::from(order.gateway.0)).map_or(Span::ZERO, |r| r.after);
                    self.agenda.insert((self.now + after, self.last), (order.attempt, order.gateway));
                }
                Effect::Event(Event::DeadlineMissed { deliveries, .. }) => self.forecast.late += deliveries,
                _ => {}
            }
        }
        Ok(())
    }

    /// Goes on to the next thing that happens; false where nothing is left to happen.
    fn on(&mut self) -> bool {
        if self.core.counts.open() == 0 {
            return false;
        }
        let answers = self.agenda.first_key_value().map(|(key, _)| key.0);
        let Some(next) = self.core.next_deadline().into_iter().chain(answers).min() else { return false };
        self.now = self.now.max(next);
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (attempt, gateway) = entry.remove();
            self.answer(attempt, gateway);
        }
        true
    }

    fn answer(&mut self, attempt: AttemptId, gateway: GatewayId) {
        let Some(road) = self.roads.get(usize::from(gateway.0)).copied() else { return };
        let step = self.steps.remove(&attempt);
        let refused = self.refused.get(&attempt.delivery.index).is_some_and(|set| set.has(road.channel));
        let takes = road.takes && !refused;
        let outcome = match road.takes {
            _ if refused => Outcome::Rejected { reason: Reason::OptedOut },
            true => Outcome::Accepted { provider_id: None },
            false => Outcome::Rejected { reason: Reason::ServiceDown },
        };
        self.core.handle(Input::Outcome { attempt, outcome, took: road.after }, self.now);
        if !takes {
            return;
        }
        if let Some((step, repeat)) = step {
            let language = self.languages.get(attempt.delivery.index as usize).cloned().flatten();
            let load = self.forecast.handed_over.entry((step, gateway, language)).or_default();
            match repeat {
                Repeat::No => load.first += 1,
                _ => load.copies += 1,
            }
            self.forecast.done_in = Some(self.now.since(self.began));
        }
        if road.receipts != Receipts::None {
            // The furthest word that there is: whatever the rule asks for is met.
            let kind = ReceiptKind::Acknowledged;
            let receipt = Receipt { of: ReceiptRef::Attempt(attempt), kind, reason: None, at: None };
            self.core.handle(Input::Receipt { gateway, receipt }, self.now);
        }
    }
}

impl Forecast {
    /// Returns what each gateway carries in all, by step.
    pub fn by_gateway(&self) -> BTreeMap<(u8, GatewayId), Load> {
        let mut sums: BTreeMap<(u8, GatewayId), Load> = BTreeMap::new();
        for ((step, gateway, _), load) in &self.handed_over {
            let sum = sums.entry((*step, *gateway)).or_default();
            sum.first += load.first;
            sum.copies += load.copies;
        }
        sums
    }
}
