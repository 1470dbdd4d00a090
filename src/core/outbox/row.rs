//! Rows: a delivery that is not settled, and an attempt of it that is open.

use super::queue::Stay;
use super::timers::TimerKey;
use crate::core::channel::{Channel, ChannelSet, GatewayId, GatewaySet};
use crate::core::outcome::{Reason, ReceiptKind};
use crate::core::record::Repeat;
use crate::core::slab::Handle;
use crate::core::time::Timestamp;
use crate::core::view::Counts;

/// What the numbers on the page call a delivery. One of these at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    Waiting,
    BackingOff,
    InFlight,
    Unconfirmed,
}

/// A delivery that is not settled. At most 128 bytes, no strings.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The message's handle.
    pub(crate) message: Handle,
    /// The recipient's place in its audience.
    pub(crate) index: u32,
    /// The recipient's class within the message.
    pub(crate) class: u32,
    /// The first of its open attempts.
    pub(crate) first: Handle,
    /// The level of the ladder, from 0.
    pub(crate) level: u8,
    /// How many attempts were made.
    pub(crate) attempts: u16,
    /// How many rounds over all permitted gateways came to nothing.
    pub(crate) rounds: u16,
    /// Channels that can never take it.
    pub(crate) barred: ChannelSet,
    /// Gateways that failed it in this round.
    pub(crate) out: Out,
    /// Which entries in the queues are its own: those of this stay.
    pub(crate) stay: Stay,
    /// Lanes that it waits in: bit 15 for "any", else one bit a channel.
    pub(crate) lanes: u16,
    /// The wait of its step, its back-off, or the end of its round.
    pub(crate) timer: TimerKey,
    /// Whether that timer is a back-off.
    pub(crate) backing_off: bool,
    /// As counted.
    pub(crate) kind: Kind,
    /// Whether a provider ever took it.
    pub(crate) was_taken: bool,
    /// How many attempts may have gone out.
    pub(crate) copies: u8,
    /// Why the next attempt would repeat another.
    pub(crate) repeat: Repeat,
    /// The last gateway that failed it, and why.
    pub(crate) left: Option<(GatewayId, Option<Reason>)>,
    /// Whether its class's deadline has passed it by.
    pub(crate) late: bool,
}

/// Gateways that failed a delivery. Most deliveries have none, so that the set lies beside the row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Out(Option<Box<GatewaySet>>);

/// The lane of a delivery that takes one gateway of its whole step.
pub(crate) const LANE_ANY: u8 = 15;

/// Where an open attempt stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AttemptState {
    /// Handed to the adapter; no answer.
    InFlight,
    /// The provider took it; no receipt that settles it.
    Sent,
    /// It may have gone out.
    Unknown,
}

/// An attempt that is not over.
#[derive(Clone, Debug)]
pub(crate) struct OpenAttempt {
    /// Its delivery's row.
    pub(crate) row: Handle,
    /// The next open attempt of the same delivery.
    pub(crate) next: Handle,
    /// Its number, from 1.
    pub(crate) n: u16,
    pub(crate) gateway: GatewayId,
    pub(crate) channel: Channel,
    pub(crate) step: u8,
    pub(crate) state: AttemptState,
    pub(crate) repeat: Repeat,
    pub(crate) plan: u32,
    /// When it was handed over.
    pub(crate) at: Timestamp,
    /// When the provider took it.
    pub(crate) taken_at: Timestamp,
    /// The furthest receipt.
    pub(crate) progress: Option<ReceiptKind>,
    /// The provider's id, as the index of receipts knows it.
    pub(crate) provider: Option<Box<str>>,
    pub(crate) timer: TimerKey,
}

impl Kind {
    /// Returns the number that counts such deliveries.
    pub(crate) fn count(self, counts: &mut Counts) -> &mut u64 {
        match self {
            Kind::Waiting => &mut counts.waiting,
            Kind::BackingOff => &mut counts.backing_off,
            Kind::InFlight => &mut counts.in_flight,
            Kind::Unconfirmed => &mut counts.unconfirmed,
        }
    }
}

impl Out {
    /// Returns them.
    pub(crate) fn set(&self) -> GatewaySet {
        self.0.as_deref().copied().unwrap_or_default()
    }

    /// Adds one.
    pub(crate) fn insert(&mut self, gateway: GatewayId) {
        self.0.get_or_insert_default().insert(gateway);
    }
}

impl From<GatewaySet> for Out {
    fn from(set: GatewaySet) -> Out {
        Out((!set.is_empty()).then(|| Box::new(set)))
    }
}

impl Row {
    /// Says whether it waits in a queue.
    pub(crate) fn queued(&self) -> bool {
        self.lanes != 0
    }

    /// Returns where it lies in the order of one message's deliveries.
    pub(crate) fn order(&self, message_number: u32) -> u64 {
        u64::from(message_number) << 32 | u64::from(self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_delivery_takes_at_most_128_bytes() {
        let entry = std::mem::size_of::<crate::core::outbox::queue::Entry>();
        let row = std::mem::size_of::<Option<Row>>();
        assert!(row + entry <= 128, "{row} + {entry}");
    }
}
