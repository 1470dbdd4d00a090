//! A gateway as the core knows it: what it may carry, what it costs, what it is lost with.

use super::channel::Channel;
use super::time::Span;

/// The failure domain of everything that needs our own line.
pub const INTERNET: &str = "internet";

/// How much a gateway may carry a second: a token bucket.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rate {
    /// Attempts a second.
    pub per_sec: f64,
    /// How many may go at once after a rest.
    pub burst: f64,
}

/// What a quota counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum QuotaUnit {
    /// Attempts that were handed over.
    Messages,
    /// Distinct recipients; each attempt counts as one, which never counts too few.
    Recipients,
}

/// How much a gateway may carry in a rolling period.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// How many.
    pub limit: u64,
    /// What is counted.
    pub unit: QuotaUnit,
    /// In how long.
    pub period: Span,
}

/// What a road can ever say about an attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Receipts {
    /// Nothing.
    None,
    /// That it arrived.
    Delivered,
    /// That it was read.
    Read,
}

/// One configured way into a channel.
#[derive(Clone, PartialEq, Debug)]
pub struct GatewayConfig {
    /// Its name: `[a-z0-9-]+`.
    pub name: String,
    /// The channel.
    pub channel: Channel,
    /// What several gateways lose together.
    pub failure_domains: Vec<String>,
    /// Its token bucket, where it has one.
    pub rate: Option<Rate>,
    /// Its quotas.
    pub quotas: Vec<Quota>,
    /// Its price per message, in the configured currency.
    pub cost: f64,
    /// What its receipts can say.
    pub receipts: Receipts,
    /// The most attempts in flight; 0: it rests, and its open attempts are still answered.
    pub window: u32,
    /// Whether the provider can be asked what became of an attempt.
    pub can_ask: bool,
    /// How long one attempt may take to connect, in all its phases.
    pub connect_time_out: Span,
    /// The accounts of our own that canaries go to, at most [`CANARIES_MAX`].
    pub canaries: Vec<Canary>,
}

/// The most accounts that a gateway's canaries go to.
pub const CANARIES_MAX: usize = 16;

/// An account of our own, to which a real message goes in a while: see `core::canary`. Its address stays where messages
/// are put together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Canary {
    /// The region that it stands in; empty: none is said.
    pub region: String,
    /// How often one goes.
    pub every: Span,
    /// How often while there is doubt.
    pub in_doubt: Span,
    /// How many go in a day at most.
    pub per_day: u32,
}

// === impls ===

impl QuotaUnit {
    /// Returns the word used in `wasl.toml` and as a metric's label.
    pub const fn name(self) -> &'static str {
        match self {
            QuotaUnit::Messages => "messages",
            QuotaUnit::Recipients => "recipients",
        }
    }
}

impl Receipts {
    /// Returns the word used in `wasl.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            Receipts::None => "none",
            Receipts::Delivered => "delivered",
            Receipts::Read => "read",
        }
    }
}

impl GatewayConfig {
    /// Says whether it is lost with our own line.
    pub fn needs_internet(&self) -> bool {
        self.failure_domains.iter().any(|d| d == INTERNET)
    }
}
