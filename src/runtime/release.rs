//! What is let go once its cause is on disk: orders, replies, events, pictures.
//!
//! Invariant: called by the writer's thread alone, in the order in which the core spoke, after the commit. Nothing
//! here waits: whoever is slow gets a task.

use crate::api::ring::EventRing;
use crate::core::channel::GatewayId;
use crate::core::effect::{Effect, Event, Pace};
use crate::core::view::View;
use crate::runtime::dispatch::Dispatch;
use crate::runtime::erase::ErasedPeople;
use crate::runtime::escalate::Escalator;
use crate::runtime::gateways::Gateways;
use crate::runtime::replies::Silence;
use crate::runtime::tickets::Tickets;
use crate::runtime::tokens::Tokens;
use crate::runtime::writer::Released;
use crate::telemetry::events as told;
use crate::telemetry::metrics::Metrics;
use std::sync::Arc;
use tokio::sync::watch;

/// Sets how often a gateway is probed.
pub type Pacer = Arc<dyn Fn(GatewayId, Pace) + Send + Sync>;

/// Lets effects go.
pub(crate) struct Release {
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) escalator: Arc<Escalator>,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) silence: Arc<Silence>,
    pub(crate) erased: Arc<ErasedPeople>,
    pub(crate) gateways: Arc<Gateways>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<EventRing>,
    pub(crate) view: watch::Sender<Arc<View>>,
    pub(crate) pacer: Pacer,
    pub(crate) control_pace: watch::Sender<Pace>,
}

impl Release {
    /// Lets one thing go.
    pub(crate) fn let_go(&self, released: Released) {
        match released {
            Released::Effect(effect) => self.effect(effect),
            Released::Events(at, events) => {
                events.iter().for_each(|event| self.event(event));
                self.events.push(at, events);
            }
            // Whoever waited may have gone; what was asked for is on disk all the same.
            Released::Told(told) => drop(told.send(())),
            Released::Token(token) => self.tokens.put(token),
            Released::Erased(kept) => kept.into_iter().for_each(|kept| self.erased.put(kept)),
            Released::Written(waiter) => drop(waiter.send(Ok(()))),
            Released::View(view) => drop(self.view.send_replace(view)),
        }
    }

    fn effect(&self, effect: Effect) {
        match effect {
            // The turn took these out: the records are what was committed, the events are told together.
            Effect::Store(_) | Effect::Note(_) | Effect::Event(_) => {}
            Effect::Send(order) => self.dispatch.send(order),
            Effect::Canary { order, account } => self.dispatch.send_canary(order, account),
            Effect::Ask { attempt, gateway } => self.dispatch.ask(attempt, gateway),
            Effect::LoadAudience { message, chunk } => self.dispatch.load_audience(message, chunk),
            Effect::Reply { ticket, reply } => self.tickets.answer(ticket, reply),
            Effect::ProbePace { gateway, pace } => (self.pacer)(gateway, pace),
            Effect::OptOut { channel, address, out } => self.silence.put(channel, address, out),
            Effect::ControlPace(pace) => drop(self.control_pace.send_replace(pace)),
            Effect::Escalate { message, severity, status, rule, contacts, alarm } => {
                self.escalator.escalate(message, severity, status, rule, contacts, alarm);
            }
        }
    }

    fn event(&self, event: &Event) {
        let name_of = |gateway| self.gateways.name(gateway);
        self.metrics.event(event, &name_of);
        told::log(event, &name_of);
    }
}
