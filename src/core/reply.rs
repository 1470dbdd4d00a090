//! What recipients say: a text, a pressed button, something else; and what it was read as.
//!
//! A reply comes from an adapter as it was heard, with the sender's address in the form that messages are sent to. What
//! it answers is found where addresses are known; what it means is read in [`reading`].
//!
//! Limits: [`SAID_BYTES_MAX`] of a text are kept, which is more than any channel's short message.

use super::channel::Channel;
use super::ids::{AttemptId, BadId, DeliveryId};
use super::outcome::ReceiptRef;
use super::time::{Span, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The most bytes of a reply's text that are kept. Cites: Telegram and WhatsApp take 4,096 characters; what somebody in
/// danger writes is far shorter, and what is cut is cut at the end.
pub const SAID_BYTES_MAX: usize = 4 * 1024;

/// Stands in a text where words of it have not come, or are not kept. What has it is never read as "safe": the rest may say
/// otherwise.
pub const CUT: &str = " […] ";

/// What a recipient says, as an adapter heard it and after its signature was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The sender's address, in the form in which messages are sent to it (`+970599000001`, a chat's id).
    pub from: String,
    /// What was said.
    pub said: Said,
    /// The provider's own id of it, by which a repetition is known; unique where the provider has none.
    pub id: String,
    /// What it quotes or whose button it presses, where it says so.
    pub of: Option<ReceiptRef>,
    /// The provider's own time for it, where it gives one.
    pub at: Option<Timestamp>,
}

/// What was said.
#[derive(Clone, PartialEq, Eq)]
pub enum Said {
    /// Words; at most [`SAID_BYTES_MAX`].
    Text(String),
    /// A button that we gave them was pressed; this is what we wrote on its back.
    Button(String),
    /// Something that has no words: a picture, a voice message, a place.
    Other,
}

/// What a reply was read as.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum ReplyKind {
    /// Anything that is not certainly one of the others.
    Plain,
    /// It was received and understood.
    Acknowledged,
    /// The person is safe.
    Safe,
    /// The person needs help.
    NeedHelp,
    /// The person wants no more of this on this channel.
    OptOut,
    /// The person wants it again.
    OptIn,
}

/// What a message asks its recipients to answer: its `ack`, by two bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Asks(u8);

/// A reply as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptReply {
    /// When it came.
    pub at: Timestamp,
    /// The gateway that it came through, by name.
    pub gateway: String,
    /// The gateway's channel.
    pub channel: Channel,
    /// The sender's address.
    pub from: String,
    /// What was said.
    pub said: Said,
    /// The provider's id of it.
    pub id: String,
    /// The provider's own time for it.
    pub sent_at: Option<Timestamp>,
    /// What it was read as.
    pub kind: ReplyKind,
    /// The attempt that it answers; `None`: nobody knows.
    pub of: Option<AttemptId>,
    /// Whether that is certain: it quotes the message or presses its button. Else it is the newest that went to the
    /// sender on the channel.
    pub quoted: bool,
    /// The incident of the message that it answers.
    pub incident: Option<String>,
}

/// A reply's place among all: they sort by the time at which they came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReplyKey {
    /// When it came.
    pub at: Timestamp,
    /// A digest of its gateway's name and of the provider's id of it.
    pub digest: u64,
}

/// How many people of a message's audience answered, each by the last that counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Answers {
    /// They acknowledged, and said no more.
    pub acknowledged: u32,
    /// They are safe.
    pub safe: u32,
    /// They need help.
    pub need_help: u32,
}

/// What the person of one delivery answered last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastAnswer {
    /// The delivery.
    pub of: DeliveryId,
    /// The answer: [`ReplyKind::is_answer`].
    pub kind: ReplyKind,
    /// When it came.
    pub at: Timestamp,
}

/// Somebody who needs help, and has not said otherwise since.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HelpCall {
    /// When it was said first.
    pub since: Timestamp,
    /// Who.
    pub who: Caller,
    /// Whether it answers an exercise or a test.
    pub drill: bool,
}

/// Who called for help, without an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Caller {
    /// The recipient of a delivery.
    Of(DeliveryId),
    /// A sender whom no message is known to answer to, by the digest of the address.
    Stranger(u64),
}

/// How long a call for help is shown as open. What is older is found among the replies.
pub const HELP_FOR: Span = Span::from_hours(72);
/// How many calls for help are known by name at once; what is beyond is counted with the oldest ones gone.
pub const HELP_MAX: usize = 100_000;
/// How many replies that all is well are looked at when a store is loaded, the newest first, for callers who answered no known
/// message: half a second's worth of a start. A call that one beyond it would have closed is raised once more.
pub const SAFE_LOOKS_MAX: usize = 200_000;

/// How many opted-out addresses are honoured: 17 bytes each in memory.
pub const OPT_OUTS_MAX: usize = 1_000_000;

impl ReplyKind {
    /// Every kind, in the order of its stored number.
    pub const ALL: [ReplyKind; 6] = [
        ReplyKind::Plain,
        ReplyKind::Acknowledged,
        ReplyKind::Safe,
        ReplyKind::NeedHelp,
        ReplyKind::OptOut,
        ReplyKind::OptIn,
    ];

    /// Returns the word used in JSON and pages.
    pub const fn name(self) -> &'static str {
        match self {
            ReplyKind::Plain => "plain",
            ReplyKind::Acknowledged => "acknowledged",
            ReplyKind::Safe => "safe",
            ReplyKind::NeedHelp => "need_help",
            ReplyKind::OptOut => "opt_out",
            ReplyKind::OptIn => "opt_in",
        }
    }

    /// Finds the kind with this word.
    pub fn from_name(name: &str) -> Option<ReplyKind> {
        ReplyKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Says whether it acknowledges a message.
    pub const fn is_answer(self) -> bool {
        matches!(self, ReplyKind::Acknowledged | ReplyKind::Safe | ReplyKind::NeedHelp)
    }
}

impl fmt::Display for ReplyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Asks {
    /// Asks nothing.
    pub const NOTHING: Asks = Asks(0);
    /// What can be asked, in the order of its digit: `1` and `2`.
    pub const ANSWERS: [ReplyKind; 2] = [ReplyKind::Safe, ReplyKind::NeedHelp];

    /// Asks for these; what cannot be asked is left out.
    pub fn of(answers: impl IntoIterator<Item = ReplyKind>) -> Asks {
        let bit =
            |kind| Asks::ANSWERS.iter().position(|answer| *answer == kind).map_or(0, |place| 1 << place);
        Asks(answers.into_iter().map(bit).fold(0, |all, bit| all | bit))
    }

    /// Says whether it asks for this answer.
    pub fn asks(self, kind: ReplyKind) -> bool {
        self.answers().any(|(_, answer)| answer == kind)
    }

    /// Says whether it asks for nothing.
    pub const fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// Returns each answer that it asks for, with its digit.
    pub fn answers(self) -> impl Iterator<Item = (u32, ReplyKind)> {
        (1..).zip(Asks::ANSWERS).filter(move |(digit, _)| self.0 & (1 << (digit - 1)) != 0)
    }

    /// Returns its stored number.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Finds what has this stored number; bits of a later program are dropped.
    pub const fn from_bits(bits: u8) -> Asks {
        Asks(bits & 0b11)
    }
}

impl KeptReply {
    /// Tells whose call for help it would be.
    pub fn caller(&self) -> Caller {
        match self.of {
            Some(attempt) => Caller::Of(attempt.delivery),
            None => self.stranger(),
        }
    }

    /// Tells who said it where it answers no known message.
    pub fn stranger(&self) -> Caller {
        Caller::Stranger(digest(&[self.channel.name().as_bytes(), self.from.as_bytes()]))
    }

    /// Returns its place among all.
    pub fn key(&self) -> ReplyKey {
        ReplyKey { at: self.at, digest: digest(&[self.gateway.as_bytes(), self.id.as_bytes()]) }
    }
}

impl HelpCall {
    /// Returns calls, each with its time and whether it is of a drill, the oldest first.
    pub fn sorted(calls: BTreeMap<Caller, (Timestamp, bool)>) -> Vec<HelpCall> {
        let call = |(who, (since, drill))| HelpCall { since, who, drill };
        let mut calls: Vec<_> = calls.into_iter().map(call).collect();
        calls.sort_unstable();
        calls
    }
}

impl fmt::Display for ReplyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.at.ms(), self.digest)
    }
}

impl FromStr for ReplyKey {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let (at, digest) = text.rsplit_once('-').ok_or(BadId)?;
        let at = Timestamp::from_ms(at.parse().map_err(|_| BadId)?);
        Ok(ReplyKey { at, digest: u64::from_str_radix(digest, 16).map_err(|_| BadId)? })
    }
}

impl Answers {
    /// Moves one person from an answer to another; `None`: had not answered.
    pub fn count(&mut self, before: Option<ReplyKind>, after: ReplyKind) {
        if let Some(gone) = before.and_then(|kind| self.of_mut(kind)) {
            *gone = gone.saturating_sub(1);
        }
        if let Some(come) = self.of_mut(after) {
            *come += 1;
        }
    }

    /// Returns how many people answered at all.
    pub const fn all(&self) -> u32 {
        self.acknowledged + self.safe + self.need_help
    }

    fn of_mut(&mut self, kind: ReplyKind) -> Option<&mut u32> {
        match kind {
            ReplyKind::Acknowledged => Some(&mut self.acknowledged),
            ReplyKind::Safe => Some(&mut self.safe),
            ReplyKind::NeedHelp => Some(&mut self.need_help),
            ReplyKind::Plain | ReplyKind::OptOut | ReplyKind::OptIn => None,
        }
    }
}

impl Said {
    /// Keeps the words of a reply, cut where they are too long.
    pub fn text(words: &str) -> Said {
        match words.trim() {
            "" => Said::Other,
            words if words.len() > SAID_BYTES_MAX => {
                Said::Text(format!("{}{}", cut(words, SAID_BYTES_MAX - CUT.len()), CUT.trim_end()))
            }
            words => Said::Text(words.to_owned()),
        }
    }

    /// Keeps what a pressed button says.
    pub fn button(back: &str) -> Said {
        Said::Button(cut(back, SAID_BYTES_MAX).to_owned())
    }
}

/// Returns the longest beginning of a text that has at most `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// Returns a digest of some parts that never changes. Not against those who choose the parts.
//
// Cites: FNV-1a of 64 bits; a part's length goes before it, so that parts do not run into each other.
pub(crate) fn digest(parts: &[&[u8]]) -> u64 {
    let lengths = parts.iter().map(|part| (part.len() as u64).to_be_bytes());
    let bytes = lengths.zip(parts).flat_map(|(length, part)| length.into_iter().chain(part.iter().copied()));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

// What people say and where they live is personal.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({:?})", self.said)
    }
}

impl fmt::Debug for KeptReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptReply({}, {}, {:?})", self.key(), self.kind, self.of)
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Said::Text(_) => "Text(***)",
            Said::Button(_) => "Button(***)",
            Said::Other => "Other",
        })
    }
}
