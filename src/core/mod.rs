//! The core: decides what happens next. Owns all state and does no I/O.
//!
//! No sockets, files, clock, threads or thread rng: `now` and the seed come in as arguments, so that what is
//! simulated is what runs. Inputs go in by [`Core::handle`]; effects come out by [`Core::poll_effect`].
//!
//! Invariant: this module imports `std` (no net, fs, env, thread, process), `thiserror` and itself; a test reads
//! the `use` lines and holds us to it.

pub mod channel;
pub mod effect;
pub mod evidence;
pub mod gateway;
pub mod ids;
pub mod input;
pub mod message;
pub mod outcome;
pub mod policy;
pub mod query;
pub mod record;
pub mod time;
pub mod view;

use channel::GatewayId;
use effect::Effect;
use gateway::GatewayConfig;
use input::Input;
use policy::Policy;
use record::{Loaded, Needles};
use std::sync::Arc;
use time::{Span, Timestamp};
use view::View;

/// The most deliveries that may be unsettled at once; beyond it intake answers 429.
pub const OUTBOX_MAX: usize = 2_000_000;

/// What the core is told once, at start.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// This node's shard, part of every message id.
    pub shard: u16,
    /// Where ids and jitter come from.
    pub seed: u64,
    /// How long a gateway must stay in doubt before an outage is declared. 20 s keeps out blips.
    pub dwell: Span,
    /// The names of the uplinks whose controls are asked.
    pub uplinks: Vec<String>,
}

/// Decides what happens next. Owns all state and does no I/O.
///
/// Call order of a turn: any number of [`Core::handle`], one [`Core::tick`], then [`Core::poll_effect`] until `None`.
/// The caller makes every [`Effect::Store`] of the turn durable before it carries out any other effect of it.
#[derive(Debug)]
pub struct Core {
    config: CoreConfig,
    gateways: Vec<GatewayConfig>,
    policy: Arc<Policy>,
}

impl Core {
    /// Builds a core with nothing to do.
    pub fn new(
        config: CoreConfig,
        gateways: Vec<GatewayConfig>,
        policy: Arc<Policy>,
        _now: Timestamp,
    ) -> Core {
        Core { config, gateways, policy }
    }

    /// Takes what the store kept. Attempts that were in flight become unknown. Call once, before any input.
    pub fn load(&mut self, _loaded: Loaded, _now: Timestamp) {}

    /// Takes what reachability kept of a gateway's needles. Call before any input; unknown names are ignored.
    pub fn remember(&mut self, _gateway: &str, _needles: Needles) {}

    /// Returns every gateway's needles, to be written behind.
    pub fn needles(&self) -> Vec<(String, Needles)> {
        Vec::new()
    }

    /// Takes something that arrived.
    pub fn handle(&mut self, _input: Input, _now: Timestamp) {}

    /// Does what is due.
    pub fn tick(&mut self, _now: Timestamp) {}

    /// Returns the next thing to do; drain until `None`.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        None
    }

    /// Returns when to tick next; the past means at once (a mass alert is being materialised).
    pub fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// Finds a gateway by name.
    pub fn gateway_id(&self, name: &str) -> Option<GatewayId> {
        self.gateways.iter().position(|g| g.name == name).map(|place| GatewayId(place as u8))
    }

    /// Draws the whole picture. Cost: in proportion to the gateways, not to the outbox.
    pub fn view(&self, now: Timestamp) -> View {
        let _ = (&self.config, &self.policy);
        View {
            at: now,
            turn: 0,
            policy: self.policy.hash.clone(),
            gateways: Vec::new(),
            channels: Vec::new(),
            uplinks: Vec::new(),
            held_all: None,
            deliveries: Default::default(),
            oldest: [None; 5],
            oldest_deliveries: Vec::new(),
            outages: Vec::new(),
            events: Vec::new(),
        }
    }
}
