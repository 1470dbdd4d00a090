//! The core's thread: takes what arrived, lets the core decide, and hands the turn to the writer.
//!
//! Two std threads in a pipeline: while the writer makes turns durable, the core computes the next one. What the
//! core wants done travels with the turn's records and is let go by the writer after the commit.
//!
//! Invariant: nothing leaves before its cause is on disk. Nobody but this thread touches the core.

use crate::api::service::Change;
use crate::core::Core;
use crate::core::effect::{Effect, Event};
use crate::core::erasure::Erasure;
use crate::core::gateway::GatewayConfig;
use crate::core::input::Input;
use crate::core::record::Kept;
use crate::core::time::{Span, Timestamp};
use crate::runtime::beats::Beats;
use crate::runtime::clock::Clock;
use crate::runtime::gateways::Gateways;
use crate::runtime::inbox::{Files, Gone, Incoming, Outlet};
use crate::runtime::tokens::Names;
use crate::runtime::writer::{Group, Released, Slot};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How many inputs one turn takes. Enough to share a commit among many callers, few enough that the first of them
/// does not wait for long: a turn of this size takes about 5 ms.
pub(crate) const INPUTS_MAX: usize = 512;
/// The least time between two pictures that nobody asked for. Pages are drawn every 250 ms at most.
const VIEW_EVERY: Span = Span::from_ms(100);
/// How long the thread rests at most: its heartbeat, the picture's ages and the needles go on.
const REST_MAX: Span = Span::from_secs(1);

/// The core and what its thread needs.
pub(crate) struct Turns {
    pub(crate) core: Core,
    pub(crate) clock: Arc<Clock>,
    pub(crate) outlet: Outlet,
    pub(crate) slot: Arc<Slot>,
    pub(crate) gateways: Arc<Gateways>,
    pub(crate) beats: Arc<Beats>,
    /// What reachability writes behind.
    pub(crate) needles: watch::Sender<Vec<Kept>>,
    /// The gateways as configured now.
    pub(crate) configured: Vec<GatewayConfig>,
    pub(crate) pace: Cadence,
    /// The tokens, as decided.
    pub(crate) names: Names,
    /// Those of this turn: told after everything else of it.
    pub(crate) barriers: Vec<oneshot::Sender<()>>,
}

/// What is done now and then.
#[derive(Debug)]
pub(crate) struct Cadence {
    /// When the picture was drawn last.
    drawn: Timestamp,
    /// Whether anything happened since.
    stale: bool,
    /// When the needles were handed on last.
    noted: Timestamp,
}

enum Flow {
    On,
    End,
}

impl Cadence {
    /// Nothing was drawn yet but the first picture.
    pub(crate) fn begin(now: Timestamp) -> Cadence {
        Cadence { drawn: now, stale: true, noted: now }
    }
}

impl Turns {
    /// Runs until told to stop, or until the writer cannot go on.
    pub(crate) fn run(mut self) {
        while let Flow::On = self.turn() {}
        self.slot.close();
    }

    fn turn(&mut self) -> Flow {
        let first = match self.outlet.take(self.patience()) {
            Ok(first) => first,
            Err(Gone) => return Flow::End,
        };
        self.beats.turn(&self.clock);
        let now = self.clock.now();
        let mut group = Group::default();
        if let Some(by) = self.clock.take_jump() {
            self.core.handle(Input::ClockJumped { by }, now);
        }
        group.of_turn(now);
        self.core.handle(Input::Released { to: self.slot.released_to() }, now);
        let flow = self.take_all(first, now, &mut group);
        self.core.tick(now);
        let look = self.drain(now, &mut group);
        self.draw(now, look, &mut group);
        self.barriers.drain(..).for_each(|told| group.release(Released::Told(told)));
        if !group.is_empty() && self.slot.put(group, &self.beats, &self.clock).is_err() {
            return Flow::End;
        }
        flow
    }

    /// Handles what arrived, up to a turn's worth.
    fn take_all(&mut self, first: Option<Incoming>, now: Timestamp, group: &mut Group) -> Flow {
        let (batch, mut flow): (Vec<_>, _) = (self.outlet.batch(first, INPUTS_MAX).collect(), Flow::On);
        for incoming in batch {
            self.pace.stale = true;
            match incoming {
                Incoming::Input(input) => self.core.handle(input, now),
                Incoming::Change { who, change, waiter } => match self.names.admit(&change) {
                    Ok(()) => {
                        if let Change::Erase { erasure, .. } = &change {
                            let Erasure { pseudonym, deliveries, calls, .. } = erasure.as_ref().clone();
                            self.core.handle(Input::Erase { pseudonym, deliveries, calls }, now);
                        }
                        group.change(now, who, change, waiter);
                    }
                    // Whoever asked may have gone; nothing was changed.
                    Err(refused) => drop(waiter.send(Err(refused))),
                },
                Incoming::Copy(severity, status, told) => {
                    // Who asked may have gone.
                    let ahead = self.core.ahead_of(severity, status);
                    let _ = told.send((Box::new(self.core.copy_for_forecast()), ahead));
                }
                Incoming::Note(noted) => group.note(noted.at(now)),
                Incoming::Barrier(told) => self.barriers.push(told),
                Incoming::Lineup(files, told) => self.line_up(*files, told, now),
                Incoming::Rest => self.rest(now),
                Incoming::Stop => flow = Flow::End,
            }
        }
        flow
    }

    /// Takes what the core wants done. Says whether somebody may be looking for its trace in the picture.
    fn drain(&mut self, now: Timestamp, group: &mut Group) -> bool {
        let mut events = Vec::new();
        while let Some(effect) = self.core.poll_effect() {
            self.pace.stale = true;
            match effect {
                Effect::Store(record) => group.record(record),
                Effect::Note(audit) => group.note(audit),
                Effect::Event(event) => events.push(Arc::new(event)),
                effect => group.release(Released::Effect(effect)),
            }
        }
        let look = events.iter().any(|e| matches!(**e, Event::State { .. } | Event::Overlay { .. }));
        if !events.is_empty() {
            group.release(Released::Events(now, events));
        }
        look
    }

    /// Draws the picture where it is due, and hands on the needles.
    fn draw(&mut self, now: Timestamp, look: bool, group: &mut Group) {
        let age = now.since(self.pace.drawn);
        if look || age >= REST_MAX || (self.pace.stale && age >= VIEW_EVERY) {
            group.release(Released::View(Arc::new(self.core.view(now))));
            self.pace.drawn = now;
            self.pace.stale = false;
        }
        if now.since(self.pace.noted) >= REST_MAX {
            self.needles.send_replace(self.core.needles());
            self.pace.noted = now;
        }
    }

    /// Returns how long to wait for an input.
    fn patience(&self) -> Duration {
        let now = self.clock.now();
        let picture = if self.pace.stale { VIEW_EVERY } else { REST_MAX };
        let until = (self.pace.drawn + picture).min(self.core.next_deadline().unwrap_or(Timestamp::FAR));
        until.since(now).to_std().min(REST_MAX.to_std())
    }

    /// Puts new files in force, whole: the core looks at no delivery between the gateways and the policy.
    fn line_up(&mut self, files: Files, told: oneshot::Sender<()>, now: Timestamp) {
        let Files { lineup, policy } = files;
        if let Some(policy) = policy {
            self.core.handle(Input::Policy(policy), now);
        }
        let Some(lineup) = lineup else {
            // Whoever asked may have gone.
            let _ = told.send(());
            return;
        };
        self.configured = lineup.iter().map(|g| g.config.clone()).collect();
        self.core.handle(Input::Gateways(self.configured.clone()), now);
        self.gateways.put(lineup, |name| self.core.gateway_id(name));
        // Whoever asked may have gone; the gateways are in use all the same.
        let _ = told.send(());
    }

    /// A gateway without a window is offered nothing, and its open attempts are still answered.
    fn rest(&mut self, now: Timestamp) {
        let resting = self.configured.iter().map(|g| GatewayConfig { window: 0, ..g.clone() }).collect();
        self.core.handle(Input::Gateways(resting), now);
    }
}
