//! Words and paths as descriptions write them: what an answer or a receipt must hold.
//!
//! A word is compared with a value as text, a number or a truth written as JSON writes it; one that ends in `*` fits
//! whatever begins so. A path leads to a value in JSON by names and places, `messages.0.status`; `*` is any entry.

use crate::core::outcome::{PROVIDER_ID_BYTES_MAX, Reason};
use crate::diag::{Diagnostic, Diagnostics, Loose, Place, Spanned, Table};
use serde_json::Value;

/// One word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Word {
    text: String,
    is_beginning: bool,
}

/// The way to a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Path(Vec<String>);

/// The reasons that an answer or a receipt may give: those that somebody else can know.
const REASONS: &[Reason] = &[
    Reason::NotOnChannel,
    Reason::Blocked,
    Reason::BadAddress,
    Reason::PairLimit,
    Reason::Undeliverable,
    Reason::ContentRefused,
    Reason::Credentials,
    Reason::Configuration,
    Reason::Throttled,
    Reason::QuotaExhausted,
    Reason::ProviderFault,
    Reason::ServiceDown,
    Reason::Timeout,
    Reason::Unreadable,
];

// === impl Word ===

impl Word {
    pub(super) fn new(text: &str) -> Word {
        match text.strip_suffix('*') {
            Some(beginning) => Word { text: beginning.to_owned(), is_beginning: true },
            None => Word { text: text.to_owned(), is_beginning: false },
        }
    }

    pub(super) fn fits(&self, text: &str) -> bool {
        if self.is_beginning { text.starts_with(&self.text) } else { text == self.text }
    }
}

// === impl Path ===

impl Path {
    pub(super) fn new(text: &str) -> Path {
        Path(text.split('.').map(str::to_owned).collect())
    }

    /// Says whether it is this name and nothing further.
    pub(super) fn is_name(&self, name: &str) -> bool {
        self.0.len() == 1 && self.0[0] == name
    }

    /// Returns every value that it leads to.
    pub(super) fn find<'v>(&self, json: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![json];
        for step in &self.0 {
            let mut next = Vec::new();
            for value in found {
                match (step.as_str(), value) {
                    ("*", Value::Array(items)) => next.extend(items),
                    ("*", Value::Object(members)) => next.extend(members.values()),
                    (name, Value::Object(members)) => next.extend(members.get(name)),
                    (place, Value::Array(items)) => {
                        next.extend(place.parse::<usize>().ok().and_then(|place| items.get(place)));
                    }
                    _ => {}
                }
            }
            found = next;
        }
        found
    }

    /// Returns the first value that it leads to, as text.
    pub(super) fn text(&self, json: &Value) -> Option<String> {
        self.find(json).into_iter().find_map(said)
    }
}

/// Returns a value as text; `None`: it is none that a word can be compared with.
pub(super) fn said(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns a text that can be kept as the provider's id.
pub(super) fn as_id(text: String) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= PROVIDER_ID_BYTES_MAX && !text.chars().any(char::is_control);
    fits.then_some(text)
}

// === reading ===

/// Reads a value, or a list of values, as words.
pub(super) fn words_of(key: &str, loose: Spanned<Loose>, diags: &mut Diagnostics) -> Vec<Word> {
    let items = match loose.value {
        Loose::Many(items) => items,
        one => vec![Spanned { value: one, place: loose.place }],
    };
    let mut words = Vec::new();
    for item in items {
        match item.value {
            Loose::Text(text) => words.push(Word::new(&text)),
            Loose::Whole(number) => words.push(Word::new(&number.to_string())),
            Loose::Truth(truth) => words.push(Word::new(if truth { "true" } else { "false" })),
            _ => refuse(
                key,
                &item.place,
                "write a text, a whole number, true or false, or a list of them",
                diags,
            ),
        }
    }
    words
}

/// Reads words, where they are there.
pub(super) fn words(table: &mut Table, key: &'static str, diags: &mut Diagnostics) -> Vec<Word> {
    table.loose(key, diags).map(|loose| words_of(key, loose, diags)).unwrap_or_default()
}

/// Reads a path, where it is there.
pub(super) fn path(table: &mut Table, key: &'static str, diags: &mut Diagnostics) -> Option<Path> {
    table.string(key, diags).map(|text| Path::new(&text.value))
}

/// Reads a reason.
pub(super) fn reason(table: &mut Table, key: &'static str, diags: &mut Diagnostics) -> Option<Reason> {
    table.choice(key, &reasons(), diags).map(|reason| reason.value)
}

/// Returns the reasons by their words.
pub(super) fn reasons() -> Vec<(&'static str, Reason)> {
    REASONS.iter().map(|reason| (reason.name(), *reason)).collect()
}

/// Reports a value of another kind.
pub(super) fn refuse(key: &str, place: &Place, help: &str, diags: &mut Diagnostics) {
    diags.push(
        Diagnostic::error("bad-value", format!("`{key}` cannot be read")).at(place, "this value").help(help),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_fit_whole_or_by_their_beginning() {
        let check = |word: &str, text: &str, expected: bool| {
            assert_eq!(Word::new(word).fits(text), expected, "{word} {text}");
        };
        check("0", "0", true);
        check("0", "00", false);
        check("0: *", "0: Accepted", true);
        check("0:*", "1: Accepted", false);
        check("*", "", true);
        check("", "", true);
    }

    #[test]
    fn paths_lead_by_names_and_places() {
        let json = json!({"a": [{"b": 1}, {"b": "x"}, {"c": null}], "d": {"e": true}});
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(Path::new(path).text(&json).as_deref(), expected, "{path}");
        };
        check("a.0.b", Some("1"));
        check("a.1.b", Some("x"));
        check("a.*.b", Some("1"));
        check("d.e", Some("true"));
        check("a.2.c", None);
        check("a", None);
        check("a.9.b", None);
        check("d.e.f", None);
        assert_eq!(Path::new("a.*.b").find(&json).len(), 2);
    }
}
