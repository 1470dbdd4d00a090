//! The core in the world of a scenario: the same core as in `run`, on virtual time, with real outages outside.
//!
//! The service stands at one vantage point, as one service does: it probes, sends and asks its controls from there.
//! Each channel of the scenario is one gateway, paced at the rate that its provider promises; everybody is in the
//! address book with every channel, since a number is known and whether somebody has an account there is not.

mod stage;

pub use stage::WithoutPlace;

use super::file::Scenario;
use super::outside::{ChannelAt, Outside};
use super::stream::Seen;
use crate::core::channel::Channel;
use crate::core::gateway::{GatewayConfig, INTERNET, Rate, Receipts};
use crate::core::policy::Policy;
use crate::core::time::Span;
use crate::core::view::State;
use std::sync::Arc;

/// How many attempts a gateway may have in flight, and how long one may take to connect: what the service does unless it
/// is told otherwise.
const WINDOW: u32 = 50;
const CONNECT_TIME_OUT: Span = Span::from_secs(6);

/// What is tried: a policy in the world of a scenario.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What routes.
    pub policy: Arc<Policy>,
    /// How long a gateway must be in doubt before an outage is declared.
    pub dwell: Span,
    /// Where the service stands: the id of a vantage point that can send; by default the file's first.
    pub vantage: Option<String>,
    /// The channel whose probes and sends are noted one by one, by its place in the file.
    pub watched: Option<usize>,
}

/// What came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// What became of each message, in the order of time.
    pub fates: Vec<Fate>,
    /// Every change of a verdict, in the order of time.
    pub verdicts: Vec<Turn>,
    /// What the probes and sends of the watched channel came to.
    pub(super) seen: Vec<Seen>,
    /// How many sends there were.
    pub sends: u64,
    /// How many of them went by a channel that was down or blocked for their recipient.
    pub into_dead: u64,
    /// What the accepted ones cost.
    pub cost: f64,
    /// How many turns the core made.
    pub turns: u64,
    /// The place in the file of the vantage point that it stood at.
    pub(super) vantage: usize,
}

/// What became of one message.
#[derive(Clone, PartialEq, Debug)]
pub struct Fate {
    /// Its class, by its place in the file.
    pub(super) class: usize,
    /// Its recipient's region, by its place in the file.
    pub(super) region: usize,
    /// When it came, in seconds.
    pub at: f64,
    /// When it was there first, and by which channel.
    pub(super) first: Option<(f64, ChannelAt)>,
    /// How often it was there.
    pub copies: u32,
}

/// Who is at fault, as the core said.
pub(super) use crate::core::record::Blame as Said;

/// A verdict that changed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Turn {
    /// When, in seconds.
    pub at: f64,
    /// On which channel, by its place in the file; `None`: on none alone.
    pub(super) channel: Option<ChannelAt>,
    /// For which region, by its place in the file; `None`: as seen from here, for everybody.
    pub(super) region: Option<usize>,
    /// Who is at fault.
    pub(super) said: Said,
    /// What it was.
    pub from: State,
    /// What it is now.
    pub to: State,
}

impl Turn {
    /// Says whether it declares something down: what was coming back and fails again is still the same outage.
    pub fn declares(&self) -> bool {
        self.to == State::Down && self.from != State::Recovering
    }
}

impl Trial {
    /// Replays the scenario.
    ///
    /// # Errors
    /// There is no place to stand, or there are more channels than the core knows.
    pub fn run(&self, scenario: &Scenario) -> Result<Run, WithoutPlace> {
        stage::Stage::set(self, &Outside::new(scenario))?.play()
    }
}

impl Scenario {
    /// Returns its channels as the gateways of a service; those whose names the core does not know stand for channels
    /// that the scenario does not use. `None`: there are more than the core knows.
    pub fn gateways(&self) -> Option<Vec<GatewayConfig>> {
        let named: Vec<Option<Channel>> =
            self.channel.iter().map(|channel| channel.id.parse().ok()).collect();
        let mut spare = Channel::ALL.into_iter().filter(|channel| !named.contains(&Some(*channel)));
        let gateways = self.channel.iter().zip(named.iter().copied()).map(|(channel, named)| {
            Some(GatewayConfig {
                name: channel.id.clone(),
                channel: named.or_else(|| spare.next())?,
                failure_domains: vec![INTERNET.into()],
                // What a provider promises is the lesser of what it admits and what it serves: it is in the contract.
                rate: Some(Rate {
                    per_sec: channel.admit_per_s.min(channel.serve_per_s),
                    burst: channel.admit_burst,
                }),
                quotas: Vec::new(),
                cost: channel.cost,
                receipts: if channel.receipts { Receipts::Delivered } else { Receipts::None },
                window: WINDOW,
                can_ask: false,
                connect_time_out: CONNECT_TIME_OUT,
                canaries: vec![],
            })
        });
        gateways.collect()
    }
}
