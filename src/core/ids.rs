//! Names of messages, deliveries and attempts.
//!
//! A message id carries its time and its shard, so that ids sort by age and several nodes can share
//! the work later. Text form: 26 characters of Crockford's base 32, as ULID uses;
//! a delivery adds `-INDEX`, an attempt `-N`. Cites: github.com/ulid/spec (alphabet and length).

use super::time::Timestamp;
use std::fmt;
use std::str::FromStr;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const MESSAGE_ID_CHARS: usize = 26;

/// One crisis message: 48 bits of time (ms), 16 of shard, 64 drawn from the seed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u128);

/// One message for one recipient: the recipient's place in the frozen audience.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// The message.
    pub message: MessageId,
    /// The recipient's place in the message's frozen audience, from 0.
    pub index: u32,
}

/// One delivery handed to one gateway, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Which attempt of that delivery, from 1.
    pub n: u16,
}

/// One declared outage, counted from 1 over the life of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OutageId(pub u64);

/// The text is not an id of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected 26 characters of base 32, then -INDEX and -ATTEMPT where they belong")]
pub struct BadId;

// === impl MessageId ===

impl MessageId {
    /// Builds an id from its time, the node's shard and 64 random bits.
    pub fn new(at: Timestamp, shard: u16, random: u64) -> Self {
        let time = (at.ms().max(0) as u128) & ((1 << 48) - 1);
        MessageId(time << 80 | u128::from(shard) << 64 | u128::from(random))
    }

    /// Returns the time that it carries: when the message was accepted.
    pub fn at(self) -> Timestamp {
        Timestamp::from_ms((self.0 >> 80) as i64)
    }

    /// Rebuilds an id from its stored bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        MessageId(u128::from_be_bytes(bytes))
    }

    /// Returns the 16 bytes, most significant first: they sort as the ids do.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; MESSAGE_ID_CHARS];
        for (place, slot) in text.iter_mut().rev().enumerate() {
            *slot = ALPHABET[((self.0 >> (5 * place)) & 31) as usize];
        }
        f.pad(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl FromStr for MessageId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.len() != MESSAGE_ID_CHARS {
            return Err(BadId);
        }
        let mut id: u128 = 0;
        for byte in text.bytes() {
            let digit = ALPHABET.iter().position(|c| *c == byte.to_ascii_uppercase()).ok_or(BadId)?;
            if id >> 123 != 0 {
                return Err(BadId);
            }
            id = id << 5 | digit as u128;
        }
        Ok(MessageId(id))
    }
}

// === impl DeliveryId ===

impl DeliveryId {
    /// Names the delivery of `message` to the recipient at `index`.
    pub const fn new(message: MessageId, index: u32) -> Self {
        DeliveryId { message, index }
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.message, self.index)
    }
}

impl FromStr for DeliveryId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let (message, index) = text.split_once('-').ok_or(BadId)?;
        Ok(DeliveryId { message: message.parse()?, index: index.parse().map_err(|_| BadId)? })
    }
}

// === impl AttemptId ===

impl AttemptId {
    /// Names the `n`th attempt of `delivery`, from 1.
    pub const fn new(delivery: DeliveryId, n: u16) -> Self {
        AttemptId { delivery, n }
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.delivery, self.n)
    }
}

impl FromStr for AttemptId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let (delivery, n) = text.rsplit_once('-').ok_or(BadId)?;
        Ok(AttemptId { delivery: delivery.parse()?, n: n.parse().map_err(|_| BadId)? })
    }
}

impl fmt::Display for OutageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "o-{}", self.0)
    }
}

impl FromStr for OutageId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let number = text.strip_prefix("o-").unwrap_or(text);
        number.parse().map(OutageId).map_err(|_| BadId)
    }
}

macro_rules! debug_as_display {
    ($($kind:ty),*) => {$(
        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )*};
}
debug_as_display!(MessageId, DeliveryId, AttemptId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_sort_by_time() {
        let early = MessageId::new(Timestamp::from_ms(1_700_000_000_000), 3, 0xDEAD_BEEF);
        let late = MessageId::new(Timestamp::from_ms(1_700_000_000_001), 0, 0);
        assert!(early < late && early.to_string() < late.to_string());
        let attempt = AttemptId::new(DeliveryId::new(early, 17), 2);
        assert_eq!(attempt.to_string().parse(), Ok(attempt));
        assert_eq!(MessageId::from_bytes(early.to_bytes()), early);
        assert_eq!((early.at().ms(), late.at().ms()), (1_700_000_000_000, 1_700_000_000_001));
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in ["", "short", "ZZZZZZZZZZZZZZZZZZZZZZZZZZ", "01HX", "01HXILOU000000000000000000-1"] {
            assert!(text.parse::<MessageId>().is_err(), "{text}");
        }
    }
}
