//! A message as it comes in: strict JSON to checked fields.
//!
//! This is the hot path: serde reads the body straight into the strings that the core will own.

use super::call::bad_value;
use super::messages::{checked_asks, checked_reason};
use super::problem::Problem;
use super::service::NO_TICKET;
use crate::core::channel::Channel;
use crate::core::ids::MessageId;
use crate::core::input::{Accept, IdempotencyKey};
use crate::core::message::{LANGUAGES_MAX, Message, Recipient, Severity, Status, Template, Urgency};
use crate::core::reply::Asks;
use crate::core::time::Timestamp;
use crate::diag::nearest;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Unexpected, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// The longest body of a message. 100,000 people given by their addresses take about 8 MiB.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most entries of `to`. Larger crowds are audiences of the address book.
pub(crate) const TO_MAX: usize = 100_000;
/// The most contacts that one message may name one by one: each is a look-up.
pub(crate) const CONTACTS_NAMED_MAX: usize = 1_000;
/// The most audiences that one message may name.
pub(crate) const AUDIENCES_NAMED_MAX: usize = 100;
/// The longest text in characters: at four bytes each, what the core takes.
pub(crate) const TEXT_CHARS_MAX: usize = crate::core::message::TEXT_BYTES_MAX / 4;
/// The longest name: an incident, an audience, a template, a tag's value.
pub(crate) const NAME_CHARS_MAX: usize = 200;
/// The most tags.
pub(crate) const TAGS_MAX: usize = 32;
/// The most parameters of a template: more than a text of the longest kind has places for.
pub(crate) const PARAMS_MAX: usize = 64;
/// The longest code of a template's language: providers have five letters, seldom a script besides.
pub(crate) const LANGUAGE_CODE_MAX: usize = 16;
/// The longest tag of a language. Cites: RFC 5646 section 4.4.1.
pub(crate) const LANGUAGE_TAG_MAX: usize = 35;
/// The longest parameter of a template. Cites: WhatsApp's template body, 1,024 characters.
pub(crate) const PARAM_CHARS_MAX: usize = 1_024;

/// A message's body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    severity: Word<Severity>,
    urgency: Option<Word<Urgency>>,
    status: Option<Word<Status>>,
    incident: Option<String>,
    expires: Option<String>,
    to: Vec<To>,
    #[serde(default)]
    text: BTreeMap<String, String>,
    template: Option<TemplateBody>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    ack: Vec<String>,
}

/// A correction's body: what is not given stays as it was. Whether it is an exercise, and of which incident, is not to be
/// corrected; who gets it is not to be chosen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Correction {
    severity: Option<Word<Severity>>,
    urgency: Option<Word<Urgency>>,
    expires: Option<String>,
    #[serde(default)]
    text: BTreeMap<String, String>,
    template: Option<TemplateBody>,
    tags: Option<BTreeMap<String, String>>,
    reason: String,
}

/// A message whose every field may be used; who it is for is yet to be looked up.
pub(crate) struct Checked {
    pub(crate) severity: Severity,
    pub(crate) urgency: Urgency,
    pub(crate) status: Status,
    pub(crate) incident: Option<String>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) to: Vec<To>,
    pub(crate) text: BTreeMap<String, String>,
    pub(crate) template: Option<Template>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) asks: Asks,
}

/// An entry of `to`: an audience, a contact, or one person's addresses.
#[derive(Default)]
pub(crate) struct To {
    pub(crate) audience: Option<String>,
    pub(crate) contact: Option<String>,
    pub(crate) person: PersonFields,
}

/// What is said of a person, in `to` as in the address book.
#[derive(Default)]
pub(crate) struct PersonFields {
    pub(crate) language: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) sector: Option<String>,
    pub(crate) addresses: BTreeMap<Channel, String>,
}

/// The keys of an entry of `to`.
const TO_KEYS: &[&str] = &[
    "audience",
    "contact",
    "language",
    "region",
    "sector",
    "whatsapp",
    "signal",
    "telegram",
    "sms",
    "email",
    "voice",
    "messenger",
    "imessage",
    "satellite",
    "matrix",
    "mesh",
    "webhook",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateBody {
    name: String,
    language: Option<String>,
    #[serde(default)]
    params: Ordered,
}

impl Body {
    /// Checks every field that needs no look-up.
    pub(crate) fn check(self, now: Timestamp) -> Result<Checked, Problem> {
        if self.to.is_empty() || self.to.len() > TO_MAX {
            return Err(bad_value("to", format!("a message is for 1 to {TO_MAX} entries")));
        }
        self.check_all_but_to(now)
    }

    fn check_all_but_to(self, now: Timestamp) -> Result<Checked, Problem> {
        if self.text.is_empty() && self.template.is_none() {
            return Err(bad_value("text", "give a text in at least one language, or a template"));
        }
        check_text(&self.text)?;
        check_tags(&self.tags)?;
        Ok(Checked {
            severity: self.severity.0,
            urgency: self.urgency.map_or(Urgency::Unknown, |word| word.0),
            status: self.status.map_or(Status::Actual, |word| word.0),
            incident: self.incident.map(|name| checked_name("incident", name)).transpose()?,
            expires: self.expires.map(|text| later_than(now, "expires", &text)).transpose()?,
            template: self.template.map(TemplateBody::check).transpose()?,
            to: self.to,
            text: self.text,
            tags: self.tags,
            asks: checked_asks(&self.ack)?,
        })
    }
}

impl Checked {
    /// Hands it over in a subject's name, for these people.
    pub(crate) fn accept(
        self,
        author: String,
        audiences: Vec<String>,
        recipients: Vec<Recipient>,
        corrects: Option<MessageId>,
        idempotency: Option<IdempotencyKey>,
    ) -> Accept {
        Accept {
            ticket: NO_TICKET,
            author,
            severity: self.severity,
            urgency: self.urgency,
            status: self.status,
            incident: self.incident,
            expires: self.expires,
            text: self.text,
            template: self.template,
            tags: self.tags,
            asks: self.asks,
            audiences,
            recipients,
            corrects,
            idempotency,
        }
    }
}

impl Correction {
    /// Checks it against the message that it corrects. Returns the reason as well.
    pub(crate) fn check(self, now: Timestamp, of: &Message) -> Result<(Checked, String), Problem> {
        let reason = checked_reason(self.reason)?;
        let body = Body {
            severity: self.severity.unwrap_or(Word(of.severity)),
            urgency: Some(self.urgency.unwrap_or(Word(of.urgency))),
            status: Some(Word(of.status)),
            incident: of.incident.clone(),
            // What the first words were worth says nothing of these.
            expires: self.expires,
            to: Vec::new(),
            text: self.text,
            template: self.template,
            tags: self.tags.unwrap_or_else(|| of.tags.clone()),
            ack: of.asks.answers().map(|(_, answer)| answer.name().to_owned()).collect(),
        };
        Ok((body.check_all_but_to(now)?, reason))
    }
}

fn check_text(text: &BTreeMap<String, String>) -> Result<(), Problem> {
    if text.len() > LANGUAGES_MAX {
        return Err(bad_value("text", format!("a message has at most {LANGUAGES_MAX} languages")));
    }
    for (language, words) in text {
        check_language("text", language)?;
        let characters = words.chars().count();
        if words.trim().is_empty() || characters > TEXT_CHARS_MAX {
            return Err(bad_value(
                "text",
                format!("a text has 1 to {TEXT_CHARS_MAX} characters, not only spaces"),
            ));
        }
        if words.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(bad_value("text", "a text has no control characters but line breaks and tabs"));
        }
    }
    Ok(())
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Problem> {
    if tags.len() > TAGS_MAX {
        return Err(bad_value("tags", format!("a message has at most {TAGS_MAX} tags")));
    }
    for (name, value) in tags {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(bad_value("tags", "a tag's name has 1 to 64 of a-z, 0-9, _ and -"));
        }
        check_name("tags", value)?;
    }
    Ok(())
}

impl TemplateBody {
    fn check(self) -> Result<Template, Problem> {
        let Ordered(params) = self.params;
        if params.len() > PARAMS_MAX {
            return Err(bad_value("template", format!("a template has at most {PARAMS_MAX} parameters")));
        }
        for (at, (name, value)) in params.iter().enumerate() {
            check_name("template", name)?;
            if value.chars().count() > PARAM_CHARS_MAX || value.chars().any(char::is_control) {
                let why =
                    format!("a parameter has at most {PARAM_CHARS_MAX} characters, none of them control");
                return Err(bad_value("template", why));
            }
            if params[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(bad_value("template", "a parameter is given twice"));
            }
        }
        let is_code = |code: &String| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
            (2..=LANGUAGE_CODE_MAX).contains(&code.len()) && code.bytes().all(fits)
        };
        if self.language.as_ref().is_some_and(|code| !is_code(code)) {
            return Err(bad_value("template", "its language is the provider's code for it, such as `en_US`"));
        }
        Ok(Template { name: checked_name("template", self.name)?, language: self.language, params })
    }
}

/// Checks a name that people gave: short, printable, not blank.
pub(crate) fn checked_name(key: &str, name: String) -> Result<String, Problem> {
    check_name(key, &name).map(|()| name)
}

/// See [`checked_name`].
pub(crate) fn check_name(key: &str, name: &str) -> Result<(), Problem> {
    match name.trim().is_empty()
        || name.chars().count() > NAME_CHARS_MAX
        || name.chars().any(char::is_control)
    {
        true => Err(bad_value(key, format!("a name has 1 to {NAME_CHARS_MAX} printable characters"))),
        false => Ok(()),
    }
}

/// Checks the form of a language's tag. Cites: BCP 47, the shape alone.
pub(crate) fn check_language(key: &str, tag: &str) -> Result<(), Problem> {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or("");
    let good = (2..=3).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_lowercase())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        && tag.len() <= LANGUAGE_TAG_MAX;
    if good { Ok(()) } else { Err(bad_value(key, "a language is a tag as `ar`, `en` or `ar-EG`")) }
}

/// Reads a time that must lie ahead. Cites: RFC 3339.
pub(crate) fn later_than(now: Timestamp, key: &str, text: &str) -> Result<Timestamp, Problem> {
    let at = time_of(key, text)?;
    if at > now { Ok(at) } else { Err(bad_value(key, "this time is past")) }
}

/// Reads a time. Cites: RFC 3339.
pub(crate) fn time_of(key: &str, text: &str) -> Result<Timestamp, Problem> {
    let at: jiff::Timestamp =
        text.parse().map_err(|_| bad_value(key, "write the time as 2026-11-22T18:00:00Z (RFC 3339)"))?;
    Ok(Timestamp::from_ms(at.as_millisecond()))
}

// === how the parts are read ===

/// A word of one of the contract's closed lists.
struct Word<T>(T);

macro_rules! read_word {
    ($($kind:ident, $what:literal;)*) => {$(
        impl<'de> Deserialize<'de> for Word<$kind> {
            fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                struct Read;
                impl Visitor<'_> for Read {
                    type Value = Word<$kind>;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a word for the ", $what))
                    }
                    fn visit_str<E: Error>(self, word: &str) -> Result<Self::Value, E> {
                        let known = || $kind::ALL.iter().map(|v| v.name());
                        $kind::from_name(word).map(Word).ok_or_else(|| match nearest(word, known()) {
                            Some(near) => E::custom(format_args!(concat!("no such ", $what, "; did you mean `{}`?"), near)),
                            None => {
                                let list = known().collect::<Vec<_>>().join(", ");
                                E::custom(format_args!(concat!("no such ", $what, "; known are {}"), list))
                            }
                        })
                    }
                }
                source.deserialize_str(Read)
            }
        }
    )*};
}
read_word! {
    Severity, "severity";
    Urgency, "urgency";
    Status, "status";
}

/// Pairs in the order given.
#[derive(Default)]
struct Ordered(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Ordered;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Ordered(pairs))
            }
        }
        source.deserialize_map(Read)
    }
}

impl<'de> Deserialize<'de> for To {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = To;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an audience, a contact, or one person's addresses")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<To, A::Error> {
                let mut to = To::default();
                while let Some(key) = map.next_key::<Key>()? {
                    match key {
                        Key::Named("audience") => once(&mut to.audience, &mut map, "audience")?,
                        Key::Named("contact") => once(&mut to.contact, &mut map, "contact")?,
                        Key::Named(other) => to.person.take(other, &mut map)?,
                        Key::Unknown(key) => {
                            map.next_value::<IgnoredAny>()?;
                            return Err(A::Error::unknown_field(&key, TO_KEYS));
                        }
                    }
                }
                Ok(to)
            }
        }
        source.deserialize_map(Read)
    }
}

/// A key of an entry of `to`, found without keeping the text.
enum Key {
    Named(&'static str),
    Unknown(String),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
                let known = TO_KEYS.iter().find(|known| **known == key);
                Ok(known.map_or_else(|| Key::Unknown(key.to_owned()), |known| Key::Named(known)))
            }
        }
        source.deserialize_identifier(Read)
    }
}

impl PersonFields {
    /// Takes the value of one of the person's keys.
    pub(crate) fn take<'de, A: MapAccess<'de>>(
        &mut self,
        key: &'static str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match (key, key.parse::<Channel>()) {
            ("language", _) => once(&mut self.language, map, "language"),
            ("region", _) => once(&mut self.region, map, "region"),
            ("sector", _) => once(&mut self.sector, map, "sector"),
            (_, Ok(channel)) => {
                let written: Written = map.next_value()?;
                if written.number && channel != Channel::Telegram {
                    return Err(A::Error::custom(format_args!("`{key}` is a text, in quotation marks")));
                }
                match self.addresses.insert(channel, written.text) {
                    Some(_) => Err(A::Error::duplicate_field(key)),
                    None => Ok(()),
                }
            }
            _ => Err(A::Error::unknown_field(key, &[])),
        }
    }
}

/// Reads a value into its place, refusing a second one.
pub(crate) fn once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    place: &mut Option<T>,
    map: &mut A,
    key: &'static str,
) -> Result<(), A::Error> {
    match place.replace(map.next_value()?) {
        Some(_) => Err(A::Error::duplicate_field(key)),
        None => Ok(()),
    }
}

/// An address as written: a text, or a whole number as Telegram's ids often are.
struct Written {
    text: String,
    number: bool,
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Written;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
                Ok(Written { text: text.to_owned(), number: false })
            }
            fn visit_string<E: Error>(self, text: String) -> Result<Written, E> {
                Ok(Written { text, number: false })
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Written, E> {
                Ok(Written { text: number.to_string(), number: true })
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Written, E> {
                Ok(Written { text: number.to_string(), number: true })
            }
            // To JSON, 7.0 is a whole number; beyond 2^53 it would not be the one that was meant.
            fn visit_f64<E: Error>(self, number: f64) -> Result<Written, E> {
                match number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
                    true => Ok(Written { text: format!("{number:.0}"), number: true }),
                    false => Err(E::invalid_type(Unexpected::Float(number), &self)),
                }
            }
        }
        source.deserialize_any(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::from_json;
    use super::super::problem::Kind;
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn read(body: &str) -> Result<Checked, Problem> {
        from_json::<Body>(body.as_bytes())?.check(NOW)
    }

    #[test]
    fn the_contracts_message_is_read_whole() {
        let checked = read(
            r#"{"severity": "extreme", "urgency": "immediate", "status": "actual", "incident": "flood-2026-11",
                "expires": "2026-11-22T18:00:00Z",
                "to": [{"audience": "residents-s"}, {"contact": "c-17"},
                       {"whatsapp": "+970599000001", "telegram": 81234567, "language": "ar", "region": "east"}],
                "text": {"ar": "غادروا الآن", "en": "Leave now"},
                "template": {"name": "evacuate", "language": "en_US", "params": {"z": "1", "a": "2"}},
                "tags": {"sector": "health"}}"#,
        )
        .ok()
        .unwrap();
        assert_eq!((checked.severity, checked.to.len()), (Severity::Extreme, 3));
        assert_eq!(checked.to[2].person.addresses[&Channel::Telegram], "81234567");
        let template = checked.template.unwrap();
        assert_eq!(template.language.as_deref(), Some("en_US"));
        assert_eq!(
            template.params,
            [("z".into(), "1".into()), ("a".into(), "2".into())],
            "the order is the sender's"
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_key() {
        let check = |change: &str, kind, says: &str| {
            let whole = format!(
                r#"{{"severity":"minor","to":[{{"sms":"+970599000001"}}],"text":{{"en":"x"}},{change}}}"#
            );
            let problem = read(&whole).err().unwrap_or_else(|| panic!("{change} was taken"));
            assert_eq!(problem.kind(), kind, "{change}");
            assert!(problem.detail().contains(says), "{change}: {}", problem.detail());
        };
        check(r#""urgncy":"past""#, Kind::UnknownKey, "did you mean `urgency`?");
        check(r#""personal_data":false"#, Kind::UnknownKey, "no key `personal_data`");
        check(r#""urgency":"imediate""#, Kind::BadValue, "did you mean `immediate`?");
        check(r#""urgency":"later-on-today""#, Kind::BadValue, "known are immediate");
        check(r#""status":"draft""#, Kind::BadValue, "no such status");
        check(r#""severity":"minor""#, Kind::BadValue, "duplicate field");
        check(r#""expires":"tomorrow""#, Kind::BadValue, "RFC 3339");
        check(r#""expires":"2020-01-01T00:00:00Z""#, Kind::BadValue, "past");
        check(r#""incident":" ""#, Kind::BadValue, "`incident`");
        check(r#""tags":{"Bad Name":"x"}"#, Kind::BadValue, "a tag's name");
        check(r#""template":{"name":"t","params":{"a":"1","a":"2"}}"#, Kind::BadValue, "given twice");
        check(r#""template":{"name":"t","language":"e"}"#, Kind::BadValue, "such as `en_US`");
        check(r#""template":{"name":"t","language":"en US"}"#, Kind::BadValue, "such as `en_US`");
        check(r#""template":{"nam":"t"}"#, Kind::UnknownKey, "did you mean `name`?");
    }

    #[test]
    fn entries_and_texts_are_checked() {
        let check = |to: &str, text: &str, says: &str| {
            let problem = read(&format!(r#"{{"severity":"minor","to":{to},"text":{text}}}"#)).err().unwrap();
            assert!(problem.detail().contains(says), "{to} {text}: {}", problem.detail());
        };
        let (to, text) = (r#"[{"sms":"+970599000001"}]"#, r#"{"en":"x"}"#);
        check("[]", text, "1 to 100000");
        check(r#"[{"smss":"+970599000001"}]"#, text, "did you mean `sms`?");
        check(r#"[{"sms":true}]"#, text, "expected an address");
        check(r#"[{"sms":970599000001}]"#, text, "`sms` is a text");
        check(r#"[{"sms":null}]"#, text, "expected an address");
        check(r#"[{"telegram":1.5}]"#, text, "expected an address");
        check(r#"[{"sms":"1","sms":"2"}]"#, text, "duplicate field `sms`");
        check(to, "{}", "at least one language");
        check(to, r#"{"english":"x"}"#, "a language is a tag");
        check(to, r#"{"en":"  "}"#, "not only spaces");
        check(to, r#"{"en":"a\u0000b"}"#, "control");
        check(to, &format!(r#"{{"en":"{}"}}"#, "x".repeat(TEXT_CHARS_MAX + 1)), "1 to 2048");
    }
}
