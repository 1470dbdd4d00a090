//! Faults to order: which layer, which kind, how often, how late.
//!
//! Invariant: a mix draws at most one fault at a time, so the shares of one layer exclude each
//! other, as the outcomes of one request do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::tls::Certificate;

/// A log-logistic delay is cut at this many medians: its tail has no end of its own.
const TAIL_MEDIANS: f64 = 100.0;

/// How long a layer takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Delay {
    /// At once.
    #[default]
    None,
    /// Always the same time.
    Fixed(Duration),
    /// A log-logistic time, the usual shape of latencies: half of all draws are under `median_ms`.
    Spread {
        /// The median, in milliseconds.
        median_ms: f64,
        /// The shape: the greater, the narrower.
        shape: f64,
    },
}

impl Delay {
    fn draw(self, dice: &Dice) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Fixed(time) => time,
            Self::Spread { median_ms, shape } => {
                let u = dice.roll();
                let ms = median_ms * (u / (1.0 - u)).powf(1.0 / shape);
                let ms = ms.clamp(0.0, median_ms.max(0.0) * TAIL_MEDIANS);
                Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
            }
        }
    }
}

/// One layer's behaviour: shares of faults, the remainder goes well, and a delay for all.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix<F> {
    parts: Vec<(f64, F)>,
    delay: Delay,
}

impl<F> Default for Mix<F> {
    fn default() -> Self {
        Self::good()
    }
}

impl<F> Mix<F> {
    /// Returns a layer that works at once, always.
    #[must_use]
    pub const fn good() -> Self {
        Self { parts: Vec::new(), delay: Delay::None }
    }

    /// Returns a layer that fails always, and always so.
    #[must_use]
    pub fn always(fault: F) -> Self {
        Self::good().share(1.0, fault)
    }

    /// Returns a layer that works, but takes that long.
    #[must_use]
    pub const fn slow(delay: Delay) -> Self {
        Self { parts: Vec::new(), delay }
    }

    /// Adds a fault that meets `share` (0 to 1) of all draws.
    #[must_use]
    pub fn share(mut self, share: f64, fault: F) -> Self {
        self.parts.push((share, fault));
        self
    }

    /// Sets the delay that each draw takes, faulty or not.
    #[must_use]
    pub fn delayed(mut self, delay: Delay) -> Self {
        self.delay = delay;
        self
    }

    /// Returns the fault that every draw meets, where there is one.
    pub(crate) fn certain(&self) -> Option<&F> {
        match self.parts.as_slice() {
            [(share, fault), ..] if *share >= 1.0 => Some(fault),
            _ => None,
        }
    }
}

impl<F: Clone> Mix<F> {
    /// Draws a fault, or none, and the delay.
    pub(crate) fn draw(&self, dice: &Dice) -> (Option<F>, Duration) {
        let delay = self.delay.draw(dice);
        if self.parts.is_empty() {
            return (None, delay);
        }
        let mut left = dice.roll();
        for (share, fault) in &self.parts {
            if left < *share {
                return (Some(fault.clone()), delay);
            }
            left -= share;
        }
        (None, delay)
    }
}

/// A fault, or the end of one, for one layer of an emulator. Each replaces that layer's last one.
#[derive(Clone, Debug)]
pub enum Fault<R> {
    /// Connecting. A share of 1 acts on the listener itself, and on open connections.
    Tcp(Mix<TcpFault>),
    /// The TLS handshake; without effect on an emulator that serves plain.
    Tls(Mix<TlsFault>),
    /// Any answer of the protocol, health requests included.
    Answer(Mix<AnswerFault>),
    /// Answering a request that only looks and sends nothing: HTTP's GET, HEAD and OPTIONS, SMPP's `enquire_link`,
    /// SMTP's NOOP.
    Check(Mix<AnswerFault>),
    /// Taking a message.
    Accept(Mix<AcceptFault<R>>),
    /// Bringing an accepted message to its recipient.
    Deliver(Mix<DeliverFault<R>>),
    /// Telling the sender that it was brought.
    Receipt(Mix<ReceiptFault>),
    /// How many messages are taken; beyond it the provider's own throttling answer.
    Admit(Option<Rate>),
    /// How many accepted messages are brought a second, first in, first out.
    Serve(Option<f64>),
}

/// What goes wrong in connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpFault {
    /// Connection refused: the port is held, but nobody listens. Open connections are reset.
    /// As part of a mix it is [`TcpFault::Reset`]: a listener cannot refuse one caller of many.
    Refuse,
    /// Accepted, then reset. As the whole mix, open connections are reset too.
    Reset,
    /// As the whole mix: the backlog is full, so that connecting times out, and open connections
    /// fall silent. As part of a mix: accepted, then silence.
    Hang,
}

/// What goes wrong in the TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// Reset after the client's first bytes.
    Reset,
    /// The client's first bytes are read, and that is all.
    Hang,
    /// Another certificate is shown.
    Certificate(Certificate),
}

/// What goes wrong with an answer, whatever was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFault {
    /// The request is read, the connection reset.
    Reset,
    /// The request is read, the connection closed in order.
    Close,
    /// The request is read and never answered.
    Hang,
    /// The answer breaks off in the middle.
    Cut,
    /// The answer is not of the protocol.
    Garbage,
    /// A refusal in general: HTTP status, SMPP `command_status` or SMTP reply code.
    Status {
        /// The code.
        code: u32,
        /// Seconds for `Retry-After`, where the protocol has it.
        retry_after_s: Option<u32>,
    },
}

/// What goes wrong in taking a message. `taken` says whether the provider has it all the same, so
/// that the caller who repeats it sends it twice.
#[derive(Clone, Debug, PartialEq)]
pub enum AcceptFault<R> {
    /// The provider says no, in its own words.
    Reject(R),
    /// The provider says: later, after so many seconds.
    Throttle {
        /// Seconds to wait.
        retry_after_s: u32,
    },
    /// No answer.
    Hang {
        /// Whether the message was taken.
        taken: bool,
    },
    /// The connection is reset instead of an answer.
    Reset {
        /// Whether the message was taken.
        taken: bool,
    },
    /// The connection is closed instead of an answer.
    Close {
        /// Whether the message was taken.
        taken: bool,
    },
    /// An answer of the right status that cannot be read.
    Garbage {
        /// Whether the message was taken.
        taken: bool,
    },
    /// A general server fault (HTTP status, SMPP status, SMTP code).
    Status {
        /// The code.
        code: u32,
        /// Seconds for `Retry-After`, where the protocol has it.
        retry_after_s: Option<u32>,
    },
}

/// What goes wrong between acceptance and the recipient.
#[derive(Clone, Debug, PartialEq)]
pub enum DeliverFault<R> {
    /// Lost without a word.
    Drop,
    /// Given up; the receipt says so with this reason.
    Fail(R),
    /// Parked until [`super::Handle::release`] or [`super::Handle::clear`].
    Hold,
}

/// What goes wrong with a receipt. A late one is the mix's delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptFault {
    /// Never sent.
    Missing,
    /// Parked, while the message itself is brought, until [`super::Handle::release`] or
    /// [`super::Handle::clear`].
    Held,
    /// Sent twice.
    Doubled,
    /// The later news first (read, delivered, sent).
    Disordered,
    /// Sent before the answer to the message itself.
    Early,
    /// Signed with a wrong secret, or spoilt, where the protocol has signatures.
    Forged,
}

/// A rate of admission: a bucket of `burst` tokens, refilled `per_s` a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Messages a second.
    pub per_s: f64,
    /// Messages at once.
    pub burst: f64,
}

/// A provider's own way to say no.
pub trait Refusal: Clone + Send + Sync + 'static {
    /// Returns the refusal that a scenario's plain `reject` means: a passing fault of the provider.
    fn ordinary() -> Self;
}

/// A seeded source of chance that many tasks may roll: the SplitMix64 sequence.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Returns the next 64 bits.
    pub(crate) fn bits(&self) -> u64 {
        // Cites: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
        let mut z =
            self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number above 0 and below 1.
    pub(crate) fn roll(&self) -> f64 {
        // The upper 53 bits fit a double exactly.
        #[allow(clippy::cast_precision_loss)]
        let whole = (self.bits() >> 11) as f64;
        (whole + 0.5) / 9_007_199_254_740_992.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_draws_its_shares() {
        let dice = Dice::new(7);
        let mix = Mix::good().share(0.3, TcpFault::Refuse).share(0.2, TcpFault::Hang);
        let (mut refuse, mut hang, mut good) = (0, 0, 0);
        for _ in 0..10_000 {
            match mix.draw(&dice).0 {
                Some(TcpFault::Refuse) => refuse += 1,
                Some(TcpFault::Hang) => hang += 1,
                _ => good += 1,
            }
        }
        assert!((2_800..3_200).contains(&refuse), "{refuse}");
        assert!((1_800..2_200).contains(&hang), "{hang}");
        assert!((4_700..5_300).contains(&good), "{good}");
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let (one, two) = (Dice::new(42), Dice::new(42));
        for _ in 0..100 {
            assert_eq!(one.bits(), two.bits());
        }
    }

    #[test]
    fn a_spread_delay_has_its_median() {
        let dice = Dice::new(1);
        let delay = Delay::Spread { median_ms: 100.0, shape: 3.0 };
        let under = (0..10_000).filter(|_| delay.draw(&dice) < Duration::from_millis(100)).count();
        assert!((4_800..5_200).contains(&under), "{under}");
    }

    #[test]
    fn only_a_whole_share_is_certain() {
        assert_eq!(Mix::always(TcpFault::Hang).certain(), Some(&TcpFault::Hang));
        assert_eq!(Mix::good().share(0.9, TcpFault::Hang).certain(), None);
    }
}
