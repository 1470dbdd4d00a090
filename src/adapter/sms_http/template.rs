//! Templates of a request: text with placeholders, filled for each message and written so that each value stays one
//! value, whatever it holds.
//!
//! Invariant: what a message brings along never ends the field that it stands in: it is percent-encoded in paths, queries
//! and forms, escaped by the writer in JSON and XML, and what could be read as another header is not put into one.

use super::account::Account;
use crate::adapter::Outgoing;
use crate::core::ids::{AttemptId, DeliveryId, MessageId};
use crate::core::message::Severity;
use crate::core::outcome::Reason;
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Spanned, did_you_mean};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// What a placeholder stands for in each message; see the table in the module's head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    To,
    Digits,
    Text,
    TextUtf16Hex,
    Attempt,
    AttemptShort,
    Callback,
    LeftS,
    LeftMin,
    LeftMs,
    Urgency,
}

/// Every placeholder that a message fills.
const FIELDS: &[(&str, Field)] = &[
    ("to", Field::To),
    ("digits", Field::Digits),
    ("text", Field::Text),
    ("text_utf16_hex", Field::TextUtf16Hex),
    ("attempt", Field::Attempt),
    ("attempt_short", Field::AttemptShort),
    ("callback", Field::Callback),
    ("left_s", Field::LeftS),
    ("left_min", Field::LeftMin),
    ("left_ms", Field::LeftMs),
    ("urgency", Field::Urgency),
];

/// Where a template stands, and so how it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stands {
    /// In the path, as it stands, with each value percent-encoded.
    Path,
    /// In a header, where a text of many lines has no place.
    Header,
    /// In a query, a form or JSON, which is encoded as a whole.
    Field,
    /// In XML, as it stands, with each value escaped.
    Xml,
}

/// A text with placeholders. What is the same in all messages is filled in; it may be a secret, so nothing shows it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Said(String),
    Field(Field),
}

/// How the bytes of a query, a form or a path are written before they are percent-encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Charset {
    #[default]
    Utf8,
    Latin1,
    Utf16Be,
}

/// What one message fills placeholders with.
pub(super) struct Values<'a> {
    outgoing: &'a Outgoing,
    digits: &'a str,
    callback: String,
    left: Span,
}

// === impl Template ===

impl Template {
    /// Reads a template and fills what the account gives.
    pub(super) fn parse(
        text: &Spanned<String>,
        stands: Stands,
        account: &mut Account,
        diags: &mut Diagnostics,
    ) -> Template {
        let mut pieces = Vec::new();
        let mut said = String::new();
        let mut rest = text.value.as_str();
        while let Some(open) = rest.find('{') {
            said.push_str(&rest[..open]);
            rest = &rest[open..];
            let Some(word) = placeholder(rest) else {
                said.push('{');
                rest = &rest[1..];
                continue;
            };
            rest = &rest[word.len() + 2..];
            if let Some(value) = account.value(word) {
                stands.push(&value, &mut said);
            } else if let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == word) {
                if matches!(stands, Stands::Path | Stands::Header)
                    && matches!(field, Field::Text | Field::TextUtf16Hex)
                {
                    diags.push(misplaced(text));
                }
                if !said.is_empty() {
                    pieces.push(Piece::Said(std::mem::take(&mut said)));
                }
                pieces.push(Piece::Field(*field));
            } else if !account.misses(word) {
                diags.push(unknown(word, text));
            }
        }
        said.push_str(rest);
        if !said.is_empty() {
            pieces.push(Piece::Said(said));
        }
        Template(pieces)
    }

    /// Says whether a message fills any of it in this way.
    pub(super) fn uses(&self, field: Field) -> bool {
        self.0.contains(&Piece::Field(field))
    }

    /// Returns it as it is, where no message changes it.
    pub(super) fn as_said(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Said(said)] => Some(said),
            _ => None,
        }
    }

    /// Writes it as it is: for JSON, whose writer escapes, and for headers, which are looked at after.
    pub(super) fn plain(&self, values: &Values<'_>) -> String {
        self.written(Stands::Field, values)
    }

    /// Writes it as a value of JSON: a number where it is one placeholder that counts, else a string.
    pub(super) fn json(&self, values: &Values<'_>) -> Value {
        if let [Piece::Field(field)] = self.0.as_slice()
            && let Some(number) = values.number(*field)
        {
            return number.into();
        }
        self.plain(values).into()
    }

    /// Writes it percent-encoded as a whole.
    pub(super) fn percent(&self, values: &Values<'_>, charset: Charset) -> Result<String, Reason> {
        let mut encoded = String::new();
        percent(&charset.bytes(&self.plain(values))?, &mut encoded);
        Ok(encoded)
    }

    /// Writes it for where it stands: what is said as it is, each value so that it stays one.
    pub(super) fn written(&self, stands: Stands, values: &Values<'_>) -> String {
        let mut written = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Said(said) => written.push_str(said),
                Piece::Field(field) => stands.push(&values.value(*field), &mut written),
            }
        }
        written
    }
}

impl Stands {
    fn push(self, value: &str, out: &mut String) {
        match self {
            Stands::Path => percent(value.as_bytes(), out),
            Stands::Xml => escape_xml(value, out),
            Stands::Header | Stands::Field => out.push_str(value),
        }
    }
}

/// Returns the word of a placeholder that a text begins with: `{`, a word of `a-z`, `0-9` and `_`, `}`. Other braces are
/// text.
fn placeholder(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('{')?;
    let end = inside.find(|c: char| !matches!(c, 'a'..='z' | '0'..='9' | '_'))?;
    (end > 0 && inside[end..].starts_with('}')).then(|| &inside[..end])
}

fn unknown(word: &str, text: &Spanned<String>) -> Diagnostic {
    let known = FIELDS.iter().map(|(word, _)| *word).chain(Account::words());
    Diagnostic::error("unknown-placeholder", format!("nothing fills `{{{word}}}`"))
        .at(&text.place, "in this text")
        .help(did_you_mean(word, known))
}

fn misplaced(text: &Spanned<String>) -> Diagnostic {
    Diagnostic::error("misplaced-text", "a message's text cannot stand in a path or a header")
        .at(&text.place, "here it would be cut, or read as something else")
        .help("put `{text}` into `query`, `form`, `json` or `xml`")
}

/// Percent-encodes what is not unreserved. Cites: RFC 3986, section 2.3; the dot is encoded too, so that no value is `..`.
pub(super) fn percent(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

/// Escapes what XML would read, and leaves out what it cannot hold. Cites: XML 1.0, sections 2.2 and 2.4.
fn escape_xml(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() && c < '\u{20}' || matches!(c, '\u{FFFE}' | '\u{FFFF}') => {}
            c => out.push(c),
        }
    }
}

// === impl Charset ===

impl Charset {
    /// The words in the file.
    pub(super) const WORDS: [(&'static str, Charset); 3] =
        [("utf-8", Charset::Utf8), ("iso-8859-1", Charset::Latin1), ("utf-16be", Charset::Utf16Be)];

    /// Writes a text; fails where it has a character that the charset has not.
    fn bytes(self, text: &str) -> Result<Vec<u8>, Reason> {
        match self {
            Charset::Utf8 => Ok(text.as_bytes().to_vec()),
            Charset::Utf16Be => Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            Charset::Latin1 => text.chars().map(|c| u8::try_from(c).map_err(|_| Reason::NoText)).collect(),
        }
    }
}

// === impl Values ===

impl<'a> Values<'a> {
    /// Takes what a message brings; fails where its address is no number. `life` is how short and how long a life the
    /// gateway takes.
    pub(super) fn of(
        outgoing: &'a Outgoing,
        callback: String,
        life: &RangeInclusive<Span>,
    ) -> Result<Values<'a>, Reason> {
        let digits = outgoing.address.strip_prefix('+').unwrap_or(&outgoing.address);
        if !crate::adapter::settings::is_digits(digits) {
            return Err(Reason::BadAddress);
        }
        if outgoing.text.trim().is_empty() {
            return Err(Reason::NoText);
        }
        let left = outgoing.left.max(*life.start()).min(*life.end());
        Ok(Values { outgoing, digits, callback, left })
    }

    fn value(&self, field: Field) -> String {
        let attempt = self.outgoing.order.attempt;
        match field {
            Field::To => format!("+{}", self.digits),
            Field::Digits => self.digits.to_owned(),
            Field::Text => self.outgoing.text.clone(),
            Field::TextUtf16Hex => {
                let mut hex = String::with_capacity(self.outgoing.text.len() * 4);
                for unit in self.outgoing.text.encode_utf16() {
                    let _ = write!(hex, "{unit:04X}");
                }
                hex
            }
            Field::Attempt => attempt.to_string(),
            Field::AttemptShort => short(attempt),
            Field::Callback => self.callback.clone(),
            Field::LeftS | Field::LeftMin | Field::LeftMs | Field::Urgency => {
                self.number(field).unwrap_or_default().to_string()
            }
        }
    }

    /// Returns a value that counts. A life is rounded up: none is nothing.
    fn number(&self, field: Field) -> Option<i64> {
        let left = |unit: i64| (self.left.ms().max(1) + unit - 1) / unit;
        Some(match field {
            Field::LeftS => left(1_000),
            Field::LeftMin => left(60_000),
            Field::LeftMs => left(1),
            Field::Urgency => match self.outgoing.order.severity {
                Severity::Extreme => 3,
                Severity::Severe => 2,
                Severity::Moderate => 1,
                Severity::Minor | Severity::Unknown => 0,
            },
            _ => return None,
        })
    }
}

/// Writes an attempt's id in 30 letters, digits, `-` and `_`, for gateways that take no longer ids.
fn short(attempt: AttemptId) -> String {
    let mut bytes = [0; 22];
    bytes[..16].copy_from_slice(&attempt.delivery.message.to_bytes());
    bytes[16..20].copy_from_slice(&attempt.delivery.index.to_be_bytes());
    bytes[20..].copy_from_slice(&attempt.n.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads an attempt's id in either form.
pub(super) fn attempt(text: &str) -> Option<AttemptId> {
    if let Ok(attempt) = text.parse() {
        return Some(attempt);
    }
    let bytes: [u8; 22] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (message, rest) = bytes.split_first_chunk::<16>()?;
    let (index, n) = rest.split_first_chunk::<4>()?;
    let delivery = DeliveryId::new(MessageId::from_bytes(*message), u32::from_be_bytes(*index));
    Some(AttemptId::new(delivery, u16::from_be_bytes(n.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::outgoing;
    use crate::diag::{Place, Source};

    const LIFE: RangeInclusive<Span> = Span::from_secs(20)..=Span::from_hours(48);

    fn template(text: &str) -> Template {
        let source = Source::new("f.toml", text);
        let text = Spanned { value: text.to_owned(), place: Place { source, span: 0..text.len() } };
        let mut diags = Diagnostics::default();
        let template = Template::parse(&text, Stands::Field, &mut Account::default(), &mut diags);
        assert!(diags.is_empty(), "{}", diags.render());
        template
    }

    #[test]
    fn no_text_ends_the_field_that_it_stands_in() {
        let hostile = "a&to=1?#/%00 +\r\nX: y\"}],<b>\u{1}é€;=..";
        let outgoing = outgoing("+15551230000", hostile);
        let values = Values::of(&outgoing, String::new(), &LIFE).expect("sound");
        let query = template("{text}").percent(&values, Charset::Utf8).expect("it can be written");
        assert!(query.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'%' | b'-' | b'_' | b'~')));
        assert_eq!(
            crate::adapter::hook::form(format!("t={query}").as_bytes()),
            Some(vec![("t".into(), hostile.into())])
        );
        let json = template("x {text}").json(&values).to_string();
        assert_eq!(serde_json::from_str::<String>(&json).ok(), Some(format!("x {hostile}")));
        let xml = template("<t>{text}</t>").written(Stands::Xml, &values);
        let expected = "<t>a&amp;to=1?#/%00 +&#13;\nX: y&quot;}],&lt;b&gt;é€;=..</t>";
        assert_eq!(xml, expected);
    }

    #[test]
    fn a_text_is_written_in_the_charset_that_is_asked() {
        let check = |text: &str, charset, expected: Result<&str, Reason>| {
            let outgoing = outgoing("+15551230000", text);
            let values = Values::of(&outgoing, String::new(), &LIFE).expect("sound");
            let written = template("{text}").percent(&values, charset);
            assert_eq!(written, expected.map(str::to_owned), "{text}");
        };
        check("é", Charset::Utf8, Ok("%C3%A9"));
        check("é", Charset::Latin1, Ok("%E9"));
        check("é", Charset::Utf16Be, Ok("%00%E9"));
        check("🌊", Charset::Utf16Be, Ok("%D8%3C%DF%0A"));
        check("سيل", Charset::Latin1, Err(Reason::NoText));
        let outgoing = outgoing("+15551230000", "س🌊");
        let values = Values::of(&outgoing, String::new(), &LIFE).expect("sound");
        assert_eq!(template("{text_utf16_hex}").plain(&values), "0633D83CDF0A");
    }

    #[test]
    fn what_counts_is_a_number_where_it_stands_alone() {
        let mut outgoing = outgoing("15551230000", "x");
        outgoing.left = Span::from_ms(60_001);
        let values = Values::of(&outgoing, "http://h/1".into(), &LIFE).expect("sound");
        let check = |text: &str, expected: &str| {
            assert_eq!(template(text).json(&values).to_string(), expected, "{text}");
        };
        check("{left_s}", "61");
        check("{left_min}", "2");
        check("{left_ms}", "60001");
        check("{urgency}", "3");
        check("{left_s}s", r#""61s""#);
        check("{to} {digits} {callback} {x {} {X}", r#""+15551230000 15551230000 http://h/1 {x {} {X}""#);
        outgoing.left = Span::from_hours(500);
        let values = Values::of(&outgoing, String::new(), &LIFE).expect("sound");
        assert_eq!(template("{left_min}").plain(&values), "2880");
        outgoing.left = Span::from_ms(1);
        let values = Values::of(&outgoing, String::new(), &LIFE).expect("sound");
        assert_eq!(template("{left_s}").plain(&values), "20");
    }

    #[test]
    fn an_attempt_is_found_again_in_either_form() {
        let message = MessageId::new(crate::core::time::Timestamp::from_ms(1_700_000_000_000), 9, u64::MAX);
        for (index, n) in [(0, 1), (999_999, u16::MAX), (u32::MAX, 0)] {
            let id = AttemptId::new(DeliveryId::new(message, index), n);
            assert_eq!((short(id).len(), attempt(&short(id))), (30, Some(id)));
            assert_eq!(attempt(&id.to_string()), Some(id));
        }
        for text in ["", "42", "campaign-7", "AAAA", &"A".repeat(31)] {
            assert_eq!(attempt(text), None, "{text}");
        }
    }
}
