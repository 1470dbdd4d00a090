//! Messages and the people they are for.

use super::channel::{Channel, ChannelSet};
use super::ids::MessageId;
use super::reply::Asks;
use super::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// The longest text of one language, in bytes. Longer than any channel takes in one message.
pub const TEXT_BYTES_MAX: usize = 8 * 1024;
/// The most languages that one message may carry.
pub const LANGUAGES_MAX: usize = 16;
/// The most recipients of one message.
pub const RECIPIENTS_MAX: usize = 1_000_000;
/// How many recipients lie in one stored chunk of a frozen audience, and are materialised in one turn.
pub const CHUNK_RECIPIENTS: usize = 2_000;

/// Who the author is of what the service itself sends, and who acts where nobody does. No token has this name.
pub const SERVICE: &str = "wasl";

macro_rules! words {
    ($(#[$doc:meta])* $kind:ident { $($(#[$vdoc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum $kind { $($(#[$vdoc])* $variant,)* }

        impl $kind {
            /// Every value, in the order of its stored number.
            pub const ALL: &'static [$kind] = &[$($kind::$variant),*];

            /// Returns the contract's word for it.
            pub const fn name(self) -> &'static str {
                match self { $($kind::$variant => $name,)* }
            }

            /// Finds the value with this word.
            pub fn from_name(name: &str) -> Option<$kind> {
                Self::ALL.iter().copied().find(|v| v.name() == name)
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

words! {
    /// How grave a message is; the smaller, the sooner it goes. Cites: OASIS CAP 1.2, `severity`.
    Severity {
        /// Extraordinary threat to life or property.
        Extreme = "extreme",
        /// Significant threat.
        Severe = "severe",
        /// Possible threat.
        Moderate = "moderate",
        /// Minimal threat.
        Minor = "minor",
        /// Not said.
        Unknown = "unknown",
    }
}

words! {
    /// How soon to act. Cites: OASIS CAP 1.2, `urgency`.
    Urgency {
        /// At once.
        Immediate = "immediate",
        /// Within the hour.
        Expected = "expected",
        /// In the near future.
        Future = "future",
        /// No longer needed.
        Past = "past",
        /// Not said.
        Unknown = "unknown",
    }
}

words! {
    /// Whether it is meant. Cites: OASIS CAP 1.2, `status` (Draft is never accepted).
    Status {
        /// Meant.
        Actual = "actual",
        /// An exercise: each message says so.
        Exercise = "exercise",
        /// For the system itself.
        System = "system",
        /// A technical test.
        Test = "test",
    }
}

impl Status {
    /// Says whether it is an exercise or a test: its figures are kept apart, and it never goes before what is meant.
    pub fn is_drill(self) -> bool {
        matches!(self, Status::Exercise | Status::Test)
    }
}

/// A provider's approved template, as the sender gives it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Template {
    /// Its name at the provider.
    pub name: String,
    /// The provider's code of the language to use (`en_US`), as given; else that of the recipient.
    pub language: Option<String>,
    /// Its parameters in the order given.
    pub params: Vec<(String, String)>,
}

/// One crisis message, stored once whatever the size of its audience.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The subject of the token that sent it.
    pub author: String,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// How grave.
    pub severity: Severity,
    /// How urgent.
    pub urgency: Urgency,
    /// Meant, or an exercise.
    pub status: Status,
    /// The incident it belongs to.
    pub incident: Option<String>,
    /// When it is worth nothing any more, where the sender said so.
    pub expires: Option<Timestamp>,
    /// The text by language (`ar`, `en`, ..).
    pub text: BTreeMap<String, String>,
    /// A provider's template to use where free text is not allowed.
    pub template: Option<Template>,
    /// Tags that rules may match: `sector`, ...
    pub tags: BTreeMap<String, String>,
    /// How many deliveries it has.
    pub recipients: u32,
    /// The audiences that the sender named.
    pub audiences: Vec<String>,
    /// The message that it corrects: its recipients are those who may have got that one.
    pub corrects: Option<MessageId>,
    /// What it asks its recipients to answer.
    pub asks: Asks,
}

/// One person of a frozen audience, with every address that was known when the message was accepted.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Recipient {
    /// The contact's id in the address book, where the person came from there.
    pub contact: Option<String>,
    /// The person's language.
    pub language: Option<String>,
    /// The person's region.
    pub region: Option<String>,
    /// The person's sector.
    pub sector: Option<String>,
    /// The audiences that the person belongs to, sorted.
    pub audiences: Vec<String>,
    /// The person's addresses.
    pub addresses: BTreeMap<Channel, String>,
}

// === impl Message ===

impl Message {
    /// Returns the text to use for `language`: see [`text_for`].
    pub fn text_for(&self, language: Option<&str>) -> Option<(&str, &str)> {
        text_for(&self.text, language)
    }
}

/// Returns the text to use for `language`: that language, its base (`ar` for `ar-EG`), English, or the first.
pub fn text_for<'a>(
    text: &'a BTreeMap<String, String>,
    language: Option<&str>,
) -> Option<(&'a str, &'a str)> {
    let base = language.map(|l| l.split(['-', '_']).next().unwrap_or(l));
    [language, base, Some("en")]
        .into_iter()
        .flatten()
        .find_map(|l| text.get_key_value(l))
        .or_else(|| text.iter().next())
        .map(|(l, t)| (l.as_str(), t.as_str()))
}

impl Recipient {
    /// Returns the channels on which the person has an address.
    pub fn channels(&self) -> ChannelSet {
        self.addresses.keys().copied().collect()
    }
}

// Texts and addresses are personal: neither may reach a log through `{:?}`.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({}, {}, {} recipients)", self.id, self.severity, self.recipients)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({}, {} parameters)", self.name, self.params.len())
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({:?})", self.channels())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_falls_back_from_dialect_to_base_to_english() {
        let mut message = Message {
            id: MessageId::from_bytes([0; 16]),
            author: "a".into(),
            accepted_at: Timestamp::default(),
            severity: Severity::Extreme,
            urgency: Urgency::Immediate,
            status: Status::Actual,
            incident: None,
            expires: None,
            text: [("ar", "غادروا"), ("en", "Leave"), ("fr", "Partez")]
                .map(|(l, t)| (l.into(), t.into()))
                .into(),
            template: None,
            tags: BTreeMap::new(),
            recipients: 1,
            audiences: vec![],
            corrects: None,
            asks: Asks::NOTHING,
        };
        assert_eq!(message.text_for(Some("ar-EG")), Some(("ar", "غادروا")));
        assert_eq!(message.text_for(Some("so")), Some(("en", "Leave")));
        message.text.remove("en");
        assert_eq!(message.text_for(None), Some(("ar", "غادروا")));
        assert!(!format!("{message:?}").contains("Partez"));
    }
}
