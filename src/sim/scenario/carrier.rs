//! The channels as carriers: what each admits, how fast it serves, and where a message is then.
//!
//! Unlike the world outside they remember: a token that was taken is gone.

use super::draw::Name;
use super::file::Channel;
use super::outside::{Answer, ChannelAt, Layer, Outside, Seen, Task, VantageAt};

/// How long being told to slow down takes, in seconds.
const THROTTLED_S: f64 = 0.2;

/// Every channel's limits, what was sent and what it cost.
pub(super) struct Carrier {
    is_limited: bool,
    limits: Vec<Limit>,
    pub(super) sends: u64,
    pub(super) cost: f64,
}

/// A token bucket of a channel, and until when its server is busy.
#[derive(Clone, Copy)]
struct Limit {
    tokens: f64,
    since: f64,
    busy_until: f64,
}

/// A send: from where, when, and which one of its message's.
#[derive(Clone, Copy)]
pub(super) struct Send<'a> {
    pub(super) task: &'a Task,
    pub(super) channel: ChannelAt,
    pub(super) vantage: VantageAt,
    pub(super) at: f64,
    pub(super) nth: u32,
}

/// What a send came to.
pub(super) struct Carried {
    /// What its caller sees.
    pub(super) seen: Sent,
    /// After how long, in seconds.
    pub(super) took: f64,
    /// How much of that was the provider's answer, connecting left out.
    pub(super) answered_in: f64,
    /// When it is there, whether or not its caller knows.
    pub(super) arrives: Option<Arrival>,
}

/// What the caller of a send sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sent {
    Accepted,
    Unregistered,
    Throttled,
    /// It failed there: it was certainly not accepted.
    Failed(Layer),
    /// No answer came; behind a connection nobody can know.
    TimedOut(Layer),
}

/// A message that is there, and when its receipt is here.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Arrival {
    pub(super) at: f64,
    pub(super) receipt: Option<f64>,
}

impl Carrier {
    /// Starts with every channel rested. Without limits everything is admitted and served at once.
    pub(super) fn new(channels: &[Channel], is_limited: bool) -> Carrier {
        let full = |channel: &Channel| Limit { tokens: channel.admit_burst, since: 0.0, busy_until: 0.0 };
        Carrier { is_limited, limits: channels.iter().map(full).collect(), sends: 0, cost: 0.0 }
    }

    /// Sends once.
    pub(super) fn send(&mut self, outside: &Outside<'_>, send: Send<'_>) -> Carried {
        let Send { task, channel, vantage, at, nth } = send;
        self.sends += 1;
        if self.is_limited && !self.admitted(outside, channel, at) {
            return Carried {
                seen: Sent::Throttled,
                took: THROTTLED_S,
                answered_in: THROTTLED_S,
                arrives: None,
            };
        }
        let name = outside.sending(&task.id, channel, nth);
        let Answer { seen, took, layers } = outside.request(name, channel, vantage, at, Layer::Accept);
        let answered_in =
            layers.last().filter(|(layer, _)| *layer == Layer::Accept).map_or(0.0, |last| last.1);
        let is_ghost =
            |seen| seen == Seen::TimedOut(Layer::Accept) && outside.is_ghost(name, channel, vantage, at);
        let (seen, accepted) = match seen {
            Seen::Ok if outside.is_refused(task.recipient, channel) => (Sent::Unregistered, false),
            Seen::Ok => (Sent::Accepted, true),
            Seen::Failed(layer) => (Sent::Failed(layer), false),
            Seen::TimedOut(layer) => (Sent::TimedOut(layer), is_ghost(seen)),
        };
        let arrives =
            accepted.then(|| self.carry(outside, name, channel, task.recipient, at + took)).flatten();
        Carried { seen, took, answered_in, arrives }
    }

    /// Takes a token, if there is one.
    fn admitted(&mut self, outside: &Outside<'_>, channel: ChannelAt, at: f64) -> bool {
        let burst = outside.channel(channel).admit_burst;
        let rate = outside.admits(channel, at);
        let limit = &mut self.limits[channel];
        limit.tokens = burst.min(limit.tokens + (at - limit.since) * rate);
        limit.since = at;
        let is_admitted = limit.tokens >= 1.0;
        limit.tokens -= if is_admitted { 1.0 } else { 0.0 };
        is_admitted
    }

    /// Brings an accepted message to its recipient, where it ever comes.
    fn carry(
        &mut self,
        outside: &Outside<'_>,
        name: Name,
        channel: ChannelAt,
        person: u32,
        accepted: f64,
    ) -> Option<Arrival> {
        let mut served = accepted;
        if self.is_limited {
            served = accepted.max(self.limits[channel].busy_until);
            self.limits[channel].busy_until = served + 1.0 / outside.serves(channel, accepted);
        }
        self.cost += outside.channel(channel).cost;
        let at = outside.delivered(name, channel, person, accepted, served)?;
        Some(Arrival { at, receipt: outside.receipt(name, channel, person, at) })
    }
}
