//! Channels and gateways: the media, the ways into them, and small sets of each.

use std::fmt;
use std::str::FromStr;

/// A medium. The list is the contract's and closed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Channel {
    /// WhatsApp.
    Whatsapp,
    /// Signal.
    Signal,
    /// Telegram.
    Telegram,
    /// Short messages over the telephone network.
    Sms,
    /// E-mail.
    Email,
    /// A voice call.
    Voice,
    /// Facebook Messenger.
    Messenger,
    /// Apple's iMessage.
    Imessage,
    /// Satellite short burst data.
    Satellite,
    /// Matrix.
    Matrix,
    /// A local radio mesh.
    Mesh,
    /// Signed JSON to another system.
    Webhook,
}

/// What carries the last mile: what takes one channel of it away takes the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bearer {
    /// The recipient's connection to the internet.
    Data,
    /// The telephone network.
    Telephone,
    /// A satellite.
    Satellite,
    /// A local radio mesh.
    Mesh,
}

/// How many channels there are.
pub const CHANNELS: usize = 12;

/// How many gateways one service may have: as many as a [`GatewayId`] can tell apart.
pub const GATEWAYS_MAX: usize = 256;

/// The machine words of a set of gateways.
const WORDS: usize = GATEWAYS_MAX / u64::BITS as usize;

/// One configured gateway: its place in the order of the configuration.
///
/// A place is never given to another name while the service runs, so an open attempt keeps its meaning
/// over a reload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GatewayId(pub u8);

/// A set of gateways, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GatewaySet([u64; WORDS]);

/// A set of channels, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ChannelSet(pub u16);

/// No channel has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no channel has this name")]
pub struct UnknownChannel;

// === impl Channel ===

impl Channel {
    /// Every channel, in the contract's order.
    pub const ALL: [Channel; CHANNELS] = [
        Channel::Whatsapp,
        Channel::Signal,
        Channel::Telegram,
        Channel::Sms,
        Channel::Email,
        Channel::Voice,
        Channel::Messenger,
        Channel::Imessage,
        Channel::Satellite,
        Channel::Matrix,
        Channel::Mesh,
        Channel::Webhook,
    ];

    /// The channels that an adapter serves: no other is suggested to anybody.
    pub const SERVED: [Channel; 6] = [
        Channel::Whatsapp,
        Channel::Signal,
        Channel::Telegram,
        Channel::Sms,
        Channel::Email,
        Channel::Webhook,
    ];

    /// Returns the contract's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Channel::Whatsapp => "whatsapp",
            Channel::Signal => "signal",
            Channel::Telegram => "telegram",
            Channel::Sms => "sms",
            Channel::Email => "email",
            Channel::Voice => "voice",
            Channel::Messenger => "messenger",
            Channel::Imessage => "imessage",
            Channel::Satellite => "satellite",
            Channel::Matrix => "matrix",
            Channel::Mesh => "mesh",
            Channel::Webhook => "webhook",
        }
    }

    /// Returns what its messages travel on to the recipient.
    pub(crate) fn bearer(self) -> Bearer {
        match self {
            Channel::Sms | Channel::Voice => Bearer::Telephone,
            Channel::Satellite => Bearer::Satellite,
            Channel::Mesh => Bearer::Mesh,
            _ => Bearer::Data,
        }
    }

    /// Rebuilds a channel from its stored number.
    pub fn from_number(number: u8) -> Option<Channel> {
        Channel::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Channel {
    type Err = UnknownChannel;
    fn from_str(text: &str) -> Result<Self, UnknownChannel> {
        Channel::ALL.into_iter().find(|c| c.name() == text).ok_or(UnknownChannel)
    }
}

// === impl GatewaySet ===

impl GatewaySet {
    /// No gateway.
    pub const EMPTY: GatewaySet = GatewaySet([0; WORDS]);

    /// Returns the set that holds `gateway` alone.
    pub const fn one(gateway: GatewayId) -> Self {
        let mut set = GatewaySet::EMPTY;
        set.insert(gateway);
        set
    }

    /// Says whether `gateway` is in the set.
    pub const fn has(self, gateway: GatewayId) -> bool {
        let (word, bit) = place_of(gateway);
        self.0[word] & bit != 0
    }

    /// Says whether the set is empty.
    pub fn is_empty(self) -> bool {
        self == GatewaySet::EMPTY
    }

    /// Returns how many gateways are in it.
    pub fn len(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Adds `gateway`.
    pub const fn insert(&mut self, gateway: GatewayId) {
        let (word, bit) = place_of(gateway);
        self.0[word] |= bit;
    }

    /// Returns what is in both.
    #[must_use]
    pub fn and(self, other: GatewaySet) -> Self {
        GatewaySet(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    /// Returns what is in either.
    #[must_use]
    pub fn or(self, other: GatewaySet) -> Self {
        GatewaySet(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    /// Returns what is in `self` and not in `other`.
    #[must_use]
    pub fn without(self, other: GatewaySet) -> Self {
        GatewaySet(std::array::from_fn(|word| self.0[word] & !other.0[word]))
    }

    /// Returns its gateways, in the order of the configuration.
    pub fn iter(self) -> impl Iterator<Item = GatewayId> {
        self.0.into_iter().enumerate().flat_map(|(word, mut bits)| {
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros())?;
                bits &= bits - 1;
                Some(GatewayId((word as u32 * u64::BITS + bit) as u8))
            })
        })
    }
}

/// Returns the word of a set in which a gateway lies, and its bit there.
const fn place_of(gateway: GatewayId) -> (usize, u64) {
    (gateway.0 as usize / u64::BITS as usize, 1 << (gateway.0 as u32 % u64::BITS))
}

impl FromIterator<GatewayId> for GatewaySet {
    fn from_iter<I: IntoIterator<Item = GatewayId>>(gateways: I) -> Self {
        let mut set = GatewaySet::EMPTY;
        gateways.into_iter().for_each(|g| set.insert(g));
        set
    }
}

impl fmt::Debug for GatewaySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|g| g.0)).finish()
    }
}

// === impl ChannelSet ===

impl ChannelSet {
    /// No channel.
    pub const EMPTY: ChannelSet = ChannelSet(0);
    /// Every channel.
    pub const ALL: ChannelSet = ChannelSet((1 << CHANNELS) - 1);

    /// Says whether `channel` is in the set.
    pub const fn has(self, channel: Channel) -> bool {
        self.0 & (1 << channel as u8) != 0
    }

    /// Adds `channel`.
    pub fn insert(&mut self, channel: Channel) {
        self.0 |= 1 << channel as u8;
    }

    /// Says whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns its channels, in the contract's order.
    pub fn iter(self) -> impl Iterator<Item = Channel> {
        Channel::ALL.into_iter().filter(move |c| self.has(*c))
    }
}

impl FromIterator<Channel> for ChannelSet {
    fn from_iter<I: IntoIterator<Item = Channel>>(channels: I) -> Self {
        let mut set = ChannelSet::EMPTY;
        channels.into_iter().for_each(|c| set.insert(c));
        set
    }
}

impl fmt::Debug for ChannelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Channel::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
        let set: GatewaySet = [0, 255, 64, 63, 5].into_iter().map(GatewayId).collect();
        assert_eq!(set.iter().map(|g| g.0).collect::<Vec<_>>(), [0, 5, 63, 64, 255]);
        assert!(set.has(GatewayId(255)) && !set.has(GatewayId(254)) && !set.is_empty());
        assert_eq!(set.without(GatewaySet::one(GatewayId(5))).len(), 4);
        assert_eq!(
            set.and(GatewaySet::one(GatewayId(64))).or(GatewaySet::EMPTY),
            GatewaySet::one(GatewayId(64))
        );
        assert!(Channel::ALL.into_iter().all(|c| c.name().parse() == Ok(c) && ChannelSet::ALL.has(c)));
    }
}
