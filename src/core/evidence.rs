//! What is seen of a gateway: the results of probes, and the layers they reach.

use super::channel::GatewayId;
use super::hearsay::Told;
use super::outcome::Reason;
use super::time::Span;
use std::fmt;

/// A layer of a gateway, from the nearest to the deepest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Layer {
    /// Its name resolves.
    Dns,
    /// Its port opens.
    Tcp,
    /// Its certificate holds.
    Tls,
    /// It speaks HTTP.
    Http,
    /// The provider itself answers: an authenticated call, a bind, an EHLO.
    Api,
}

/// What became of a canary: a real message to an account of our own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CanaryResult {
    /// Its receipt came.
    Delivered,
    /// It was taken, and its receipt did not come in time.
    Missed,
    /// It was not taken, or came back.
    Refused(Reason),
}

impl CanaryResult {
    /// Returns the metric's label: delivered, missed or refused.
    pub const fn name(self) -> &'static str {
        match self {
            CanaryResult::Delivered => "delivered",
            CanaryResult::Missed => "missed",
            CanaryResult::Refused(_) => "refused",
        }
    }
}

/// How long one phase of a probe took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Phase {
    /// The layer.
    pub layer: Layer,
    /// How long it took, in microseconds.
    pub micros: u64,
}

/// What a probe found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every condition holds.
    Fine,
    /// It works, yet the provider says that it is limited.
    Limited(Reason),
    /// What it found is to be seen by people, and says nothing about whether a message can be sent.
    Noted(Reason),
    /// It failed at the layer after the deepest one reached.
    Failed(Reason),
    /// No check of ours: the provider's own status page says so. Hardly weighed.
    Says(Told),
    /// No check of ours either: the provider's status page could not be read, which says nothing of the gateway.
    Silent(Reason),
}

/// The result of one probe of one gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProbeReport {
    /// Which gateway.
    pub gateway: GatewayId,
    /// The probe's name in its file.
    pub probe: String,
    /// The layer that the probe is for.
    pub aims_at: Layer,
    /// The deepest layer that answered, if any did.
    pub reached: Option<Layer>,
    /// What it found.
    pub verdict: Verdict,
    /// How long each phase took, in order.
    pub phases: Vec<Phase>,
    /// How long it took in all.
    pub took: Span,
    /// The probe's interval: evidence is valid for three of them.
    pub interval: Span,
}

/// The result of one round over the control targets of one uplink.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UplinkRound {
    /// The uplink's name.
    pub uplink: String,
    /// How many controls were asked.
    pub controls: u8,
    /// How many failed.
    pub failed: u8,
    /// How long the round took: what began before a trouble says nothing about it.
    pub took: Span,
}

// === impls ===

impl Layer {
    /// Every layer, nearest first.
    pub const ALL: [Layer; 5] = [Layer::Dns, Layer::Tcp, Layer::Tls, Layer::Http, Layer::Api];

    /// Returns the contract's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Layer::Dns => "dns",
            Layer::Tcp => "tcp",
            Layer::Tls => "tls",
            Layer::Http => "http",
            Layer::Api => "api",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl ProbeReport {
    /// Returns the layer at which it failed, if it did: that of its last phase, since not every road has every layer;
    /// without phases, the one after the deepest that held.
    pub fn failed_at(&self) -> Option<Layer> {
        let next = match self.reached {
            None => Layer::Dns,
            Some(Layer::Dns) => Layer::Tcp,
            Some(Layer::Tcp) => Layer::Tls,
            Some(Layer::Tls) => Layer::Http,
            Some(Layer::Http | Layer::Api) => Layer::Api,
        };
        let layer = self.phases.last().map_or(next, |phase| phase.layer);
        self.verdict.failed().then_some(layer)
    }
}

impl Verdict {
    /// Returns the reason, where it is not plainly fine.
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Verdict::Fine | Verdict::Says(_) => None,
            Verdict::Limited(reason)
            | Verdict::Noted(reason)
            | Verdict::Failed(reason)
            | Verdict::Silent(reason) => Some(*reason),
        }
    }

    /// Says whether the probe failed.
    pub const fn failed(&self) -> bool {
        matches!(self, Verdict::Failed(_))
    }

    /// Says whether it is not what we saw but what the provider says, or does not say.
    pub const fn is_hearsay(&self) -> bool {
        matches!(self, Verdict::Says(_) | Verdict::Silent(_))
    }

    /// Returns the word used in JSON and by the commands.
    pub const fn name(&self) -> &'static str {
        match self {
            Verdict::Fine => "fine",
            Verdict::Limited(_) => "limited",
            Verdict::Noted(_) => "noted",
            Verdict::Failed(_) => "failed",
            Verdict::Says(_) => "says",
            Verdict::Silent(_) => "silent",
        }
    }
}
