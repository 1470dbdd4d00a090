//! What must not be seen, in every form in which it might be, and where it is by design.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::fmt::Write as _;

/// What kind of thing it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Opens a door.
    Secret,
    /// Finds a person.
    Address,
    /// What somebody was told.
    Text,
}

/// One thing that must not be seen.
#[derive(Clone, Debug)]
pub(super) struct Planted {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// It, encoded in every way.
    forms: Vec<String>,
}

impl Planted {
    pub(super) fn new(name: &'static str, kind: Kind, value: &str) -> Planted {
        let mut whole = vec![value.to_owned()];
        if kind == Kind::Address {
            // A mailbox is shown by its domain, a number by its last three digits: any more is too much.
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            match value.split_once('@') {
                Some((local, _)) => whole.push(local.to_owned()),
                None => whole.extend([digits[digits.len() - 8..].to_owned(), digits]),
            }
        }
        let mut forms: Vec<String> = whole.iter().flat_map(|value| forms(value)).collect();
        forms.sort();
        forms.dedup();
        Planted { name, kind, forms }
    }

    /// Returns the form in which it stands in a text.
    pub(super) fn found_in(&self, text: &str) -> Option<&str> {
        self.forms.iter().find(|form| text.contains(form.as_str())).map(String::as_str)
    }
}

fn forms(value: &str) -> Vec<String> {
    let escaped = |each: &dyn Fn(&mut String, u8)| {
        value.bytes().fold(String::new(), |mut out, byte| {
            each(&mut out, byte);
            out
        })
    };
    let mut forms = vec![
        value.to_owned(),
        escaped(&|out, b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(b.into()),
            _ => write!(out, "%{b:02X}").unwrap(),
        }),
        escaped(&|out, b| write!(out, "{b:02x}").unwrap()),
        escaped(&|out, b| write!(out, "{b:02X}").unwrap()),
        // As `Debug` writes bytes, as numbers and as a byte string.
        format!("{:?}", value.as_bytes()).trim_matches(['[', ']']).to_owned(),
        value.as_bytes().escape_ascii().to_string(),
        value.escape_default().to_string(),
        // As JSON writes other letters.
        value.encode_utf16().fold(String::new(), |mut out, unit| {
            match u8::try_from(unit) {
                Ok(ascii @ 0x20..=0x7e) => out.push(ascii.into()),
                _ => write!(out, "\\u{unit:04x}").unwrap(),
            }
            out
        }),
    ];
    // Within something longer it may begin at any of three places; what its neighbours change is cut away.
    for lead in 0..3 {
        let padded = [&b"xx"[..lead], value.as_bytes()].concat();
        let (from, to) = ((lead * 4).div_ceil(3), padded.len() / 3 * 4);
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            forms.push(encoded[from..to].to_owned());
        }
    }
    forms
}

/// Where something planted is shown by design: the place (how its name begins), what, and to whom and why.
#[rustfmt::skip]
const BY_DESIGN: &[(&str, &str, &str)] = &[
    ("wasl run stdout", "the first token", "shown once, to whoever starts the service"),
    ("POST /v1/tokens", "the viewer's token", "shown once, to the admin who made it"),
    ("wasl token new", "the sender's token", "shown once, to the admin who made it"),
    ("GET /v1/messages", "a text", "a message on record, to a viewer"),
    ("GET /v1/contacts", "an address", "the address book, to an admin"),
    ("wasl contacts export", "an address", "the address book, to an admin"),
    ("disk outbox.redb", "an address", "what is to be sent, to where"),
    ("disk outbox.redb", "a text", "what is to be sent"),
    ("disk outbox.journal", "an address", "the same, on its way there"),
    ("disk outbox.journal", "a text", "the same, on its way there"),
    ("wire telegram", "the bot token", "Telegram has its own token in each path"),
    ("wire whatsapp", "the access token", "to the provider, in a header"),
    ("wire smsc", "the SMSC password", "to the provider, in the bind"),
    ("wire twilio", "the auth token", "to the provider, in a header"),
    ("wire box", "the SMS box's password", "to the gateway, in a form"),
    ("wire mail", "the mail password", "to the provider, in AUTH"),
    ("wire ", "an address", "to the provider"),
    ("wire ", "a text", "to the provider"),
    ("url telegram", "the bot token", "Telegram has its own token in each path"),
    ("wire hook", "the hook's key", "a webhook has its own key in its URL"),
    ("url hook", "the hook's key", "a webhook has its own key in its URL"),
];

fn by_design(place: &str, planted: &Planted) -> bool {
    let what = match planted.kind {
        Kind::Secret => planted.name,
        Kind::Address => "an address",
        Kind::Text => "a text",
    };
    BY_DESIGN.iter().any(|(begins, shown, _)| place.starts_with(begins) && *shown == what)
}

/// All that was heard, each with where.
#[derive(Default)]
pub(super) struct Heard(Vec<(String, String)>);

impl Heard {
    pub(super) fn push(&mut self, place: impl Into<String>, bytes: impl AsRef<[u8]>) {
        self.0.push((place.into(), String::from_utf8_lossy(bytes.as_ref()).into_owned()));
    }

    /// Returns whether these words were heard at a place.
    pub(super) fn has(&self, place: &str, words: &str) -> bool {
        self.0.iter().any(|(at, text)| at.starts_with(place) && text.contains(words))
    }

    /// Returns what was shown where it should not be.
    pub(super) fn leaks(&self, all: &[Planted]) -> Vec<String> {
        let mut leaks = Vec::new();
        for (place, text) in &self.0 {
            for planted in all.iter().filter(|planted| !by_design(place, planted)) {
                if let Some(form) = planted.found_in(text) {
                    let at = text.find(form).unwrap_or_default();
                    let from = text[..at].char_indices().rev().nth(80).map_or(0, |(at, _)| at);
                    let around: String = text[from..].chars().take(240).collect();
                    leaks.push(format!("{} in {place}: {}", planted.name, around.escape_debug()));
                }
            }
        }
        leaks
    }
}

#[test]
fn what_is_planted_is_found_in_every_form() {
    let number = Planted::new("n", Kind::Address, "+970599731846");
    let text = Planted::new("t", Kind::Text, "سرّ مزروع");
    let secret = Planted::new("s", Kind::Secret, "7000000001:AAplanted-_x5");
    let mail = Planted::new("m", Kind::Address, "planted.person@secret.example");
    let check = |planted: &Planted, said: &str, expected: bool| {
        assert_eq!(planted.found_in(said).is_some(), expected, "{} in {said}", planted.name);
    };
    for said in [
        "to=%2B970599731846",
        "970599731846@s.whatsapp.net",
        "0599731846",
        "[57, 57, 55, 51, 49, 56, 52, 54]",
    ] {
        check(&number, said, true);
    }
    for lead in ["", "a", "ab"] {
        check(&number, &STANDARD_NO_PAD.encode(format!("{lead}+970599731846 and more")), true);
        check(&secret, &URL_SAFE_NO_PAD.encode(format!("{lead}7000000001:AAplanted-_x5 and more")), true);
    }
    check(&number, "…846", false);
    check(&text, &serde_json::to_string("x سرّ مزروع y").unwrap(), true);
    check(&text, &"x سرّ مزروع y".escape_default().to_string(), true);
    check(&text, &format!("{:?}", "سرّ مزروع".as_bytes()), true);
    check(&text, "سرّ آخر", false);
    check(&secret, "/bot7000000001%3AAAplanted-_x5/getMe", true);
    check(&mail, "…@secret.example", false);
    check(&mail, "planted.person%40secret.example", true);
}
