//! A strict reader of one TOML table: every key is asked for by name, every mistake is reported with a remedy, and
//! what nobody asked for is an unknown key.

use super::bidi;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::lookalike;
use super::nearest::{did_you_mean, nearest};
use super::source::{Place, Source, Spanned};
use super::units::{parse_quota, parse_rate, parse_size, parse_span};
use super::value::{Entry, Value, convert, join};
use crate::core::gateway::{Quota, Rate};
use crate::core::time::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use toml::de::DeTable;

/// The most syntax errors of one file that are shown: they breed each other.
const SYNTAX_ERRORS_MAX: usize = 10;

/// A table with its keys not yet read. `Debug` shows the keys alone: a value may be a secret.
#[derive(Clone)]
pub struct Table {
    /// How messages call it: "`[server]`", "gateway `sms-a`".
    pub(super) called: String,
    /// Its path from the top, without quotes: `server.tls`.
    path: String,
    /// Its header, or the whole inline table.
    place: Place,
    pub(super) entries: BTreeMap<String, Entry>,
    asked: BTreeSet<&'static str>,
}

impl Table {
    pub(super) fn new(called: String, path: String, place: Place, entries: BTreeMap<String, Entry>) -> Table {
        Table { called, path, place, entries, asked: BTreeSet::new() }
    }

    /// Parses a file. `None`: it is not TOML, and `diags` says where.
    pub fn parse(source: &Arc<Source>, diags: &mut Diagnostics) -> Option<Table> {
        bidi::lint(source, diags);
        let (table, errors) = DeTable::parse_recoverable(source.text());
        let mut lines = BTreeSet::new();
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            let place = Place { source: source.clone(), span };
            if lines.len() < SYNTAX_ERRORS_MAX && lines.insert(place.start().line) {
                if let Some((found, place)) = lookalike::first(&place) {
                    let message = format!("this is not TOML: {}", found.what());
                    diags.push(Diagnostic::error("syntax", message).at(&place, "here").help(found.remedy()));
                    continue;
                }
                let message = format!("this is not TOML: {}", error.message());
                diags.push(
                    Diagnostic::error("syntax", message).at(&place, "here").help(remedy(error.message())),
                );
            }
        }
        errors.is_empty().then(|| convert(source, String::new(), table.get_ref(), 0..0))
    }

    /// Changes how messages call this table, as "rule `floods`".
    pub fn call(&mut self, name: impl Into<String>) {
        self.called = name.into();
    }

    /// Returns how messages call this table.
    pub fn called(&self) -> &str {
        &self.called
    }

    /// Returns where it stands: its header, or all of an inline table.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the place of a key that was not yet read.
    pub fn key(&self, key: &str) -> Option<&Place> {
        self.entries.get(key).map(|entry| &entry.key)
    }

    /// Returns the names of all keys that were not yet read.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Reads a string.
    pub fn string(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Spanned<String>> {
        let entry = self.take(key)?;
        match entry.value.value {
            Value::String(text) => Some(Spanned { value: text, place: entry.value.place }),
            _ => self.wrong_type(key, &entry, "a string", "write it in double quotes", diags),
        }
    }

    /// Reads a string that must be there and not be empty.
    pub fn required_string(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Spanned<String>> {
        if !self.entries.contains_key(key) {
            self.missing(key, diags);
            return None;
        }
        let text = self.string(key, diags)?;
        if text.value.trim().is_empty() {
            diags.push(
                Diagnostic::error("empty", format!("`{key}` of {} is empty", self.called))
                    .at(&text.place, "nothing is written here")
                    .help(format!("give `{key}` a value")),
            );
            return None;
        }
        Some(text)
    }

    /// Reads an array of strings.
    pub fn strings(
        &mut self,
        key: &'static str,
        diags: &mut Diagnostics,
    ) -> Option<Spanned<Vec<Spanned<String>>>> {
        let entry = self.take(key)?;
        let remedy = format!("write `{key} = [\"..\", \"..\"]`");
        let Value::Array(items) = entry.value.value else {
            return self.wrong_type(key, &entry, "an array of strings", &remedy, diags);
        };
        let mut strings = Vec::new();
        for item in items {
            match item.value {
                Value::String(text) => strings.push(Spanned { value: text, place: item.place }),
                _ => self.complain(key, &item, "an array of strings", &remedy, diags),
            }
        }
        Some(Spanned { value: strings, place: entry.value.place })
    }

    /// Reads a whole number within a range.
    pub fn u64(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        diags: &mut Diagnostics,
    ) -> Option<Spanned<u64>> {
        let entry = self.take(key)?;
        let (low, high) = (*range.start(), *range.end());
        let within = match &entry.value.value {
            Value::Integer(number) => {
                number.and_then(|n| u64::try_from(n).ok()).filter(|n| range.contains(n))
            }
            _ => return self.wrong_type(key, &entry, "a whole number", "write it without quotes", diags),
        };
        let Some(value) = within else {
            return self.out_of_range(key, &entry, &low.to_string(), &high.to_string(), diags);
        };
        Some(Spanned { value, place: entry.value.place })
    }

    /// Reads a number within a range.
    pub fn f64(
        &mut self,
        key: &'static str,
        range: RangeInclusive<f64>,
        diags: &mut Diagnostics,
    ) -> Option<Spanned<f64>> {
        let entry = self.take(key)?;
        let value = match &entry.value.value {
            Value::Integer(number) => number.map_or(f64::INFINITY, |n| n as f64),
            Value::Float(number) => *number,
            _ => return self.wrong_type(key, &entry, "a number", "write it without quotes", diags),
        };
        if !range.contains(&value) {
            let (low, high) = (range.start().to_string(), range.end().to_string());
            return self.out_of_range(key, &entry, &low, &high, diags);
        }
        Some(Spanned { value, place: entry.value.place })
    }

    /// Reads `true` or `false`.
    pub fn bool(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Spanned<bool>> {
        let entry = self.take(key)?;
        match entry.value.value {
            Value::Bool(value) => Some(Spanned { value, place: entry.value.place }),
            _ => {
                self.wrong_type(key, &entry, "true or false", "write `true` or `false` without quotes", diags)
            }
        }
    }

    /// Reads a length of time: `"20s"`, `"250ms"`, `"2m"`, `"1h"`, `"400d"`.
    pub fn span(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Spanned<Span>> {
        self.quantity(
            key,
            "a length of time",
            "\"20s\", \"250ms\", \"2m\", \"1h\" or \"400d\"",
            parse_span,
            diags,
        )
    }

    /// Reads a length of time within a range.
    pub fn span_in(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Span>,
        diags: &mut Diagnostics,
    ) -> Option<Spanned<Span>> {
        let span = self.span(key, diags)?;
        if range.contains(&span.value) {
            return Some(span);
        }
        let (low, high) = (range.start(), range.end());
        diags.push(
            Diagnostic::error("out-of-range", format!("`{key}` of {} is out of range", self.called))
                .at(&span.place, format!("this is {}", span.value))
                .help(format!("from {low} to {high} is allowed")),
        );
        None
    }

    /// Reads a length of time, or a word that stands for no limit (`None`).
    pub fn span_or_word(
        &mut self,
        key: &'static str,
        word: &str,
        diags: &mut Diagnostics,
    ) -> Option<Spanned<Option<Span>>> {
        if let Some(Value::String(text)) = self.entries.get(key).map(|entry| &entry.value.value)
            && text == word
        {
            return self.take(key).map(|entry| entry.value.map(|_| None));
        }
        self.span(key, diags).map(|span| span.map(Some))
    }

    /// Reads a length of time within `range`, or a word that stands for none (`None`).
    pub fn span_in_or_word(
        &mut self,
        key: &'static str,
        word: &str,
        range: RangeInclusive<Span>,
        diags: &mut Diagnostics,
    ) -> Option<Spanned<Option<Span>>> {
        match self.entries.get(key).map(|entry| &entry.value.value) {
            Some(Value::String(text)) if text == word => self.span_or_word(key, word, diags),
            _ => self.span_in(key, range, diags).map(|span| span.map(Some)),
        }
    }

    /// Reads a size: `"256MB"`.
    pub fn size(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Spanned<u64>> {
        self.quantity(key, "a size", "\"256MB\", \"1GiB\" or \"64KiB\"", parse_size, diags)
    }

    /// Reads a rate: `"80/s"`.
    pub fn rate(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Spanned<Rate>> {
        self.quantity(key, "a rate", "\"80/s\", \"600/m\" or \"100/h\"", parse_rate, diags)
    }

    /// Reads quotas: `["10000 recipients/24h"]`.
    pub fn quotas(&mut self, key: &'static str, diags: &mut Diagnostics) -> Vec<Spanned<Quota>> {
        if let Some(Value::String(_)) = self.entries.get(key).map(|entry| &entry.value.value)
            && let Some(entry) = self.take(key)
        {
            let remedy = format!(
                "write a list: `{key} = [\"500 messages/1d\"]`, each a number of messages or recipients in a time"
            );
            self.complain(key, &entry.value, "a list of quotas", &remedy, diags);
            return Vec::new();
        }
        let texts = self.strings(key, diags).map(|list| list.value).unwrap_or_default();
        let example =
            "a number of messages or recipients in a time: \"500 messages/1d\" or \"10000 recipients/24h\"";
        texts
            .into_iter()
            .filter_map(|text| self.read_as(key, text, "a quota", example, parse_quota, diags))
            .collect()
    }

    /// Reads one of some words.
    pub fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        diags: &mut Diagnostics,
    ) -> Option<Spanned<T>> {
        let entry = self.take(key)?;
        let Value::String(text) = entry.value.value else {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{key} = \"{word}\"`")).collect();
            return self.wrong_type(
                key,
                &entry,
                "one of its words",
                &format!("write {}", words.join(" or ")),
                diags,
            );
        };
        self.word(key, Spanned { value: text, place: entry.value.place }, words, diags)
    }

    /// Reads an array of some words; those that are unknown are reported and left out.
    pub fn choices<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        diags: &mut Diagnostics,
    ) -> Option<Spanned<Vec<Spanned<T>>>> {
        let texts = self.strings(key, diags)?;
        let known = texts.value.into_iter().filter_map(|text| self.word(key, text, words, diags)).collect();
        Some(Spanned { value: known, place: texts.place })
    }

    /// Reads a table: `[server]` or an inline one.
    pub fn table(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Table> {
        self.table_as(key, "{ .. }", diags)
    }

    /// Reads a table that is written like `example` where it stands within another.
    pub fn table_as(&mut self, key: &'static str, example: &str, diags: &mut Diagnostics) -> Option<Table> {
        let entry = self.take(key)?;
        match entry.value.value {
            Value::Table(table) => Some(table),
            _ => {
                let remedy = match self.path.is_empty() {
                    true => format!("write `[{key}]` above its keys"),
                    false => format!("write `{key} = {example}`"),
                };
                self.wrong_type(key, &entry, "a table", &remedy, diags)
            }
        }
    }

    /// Reads an array of tables: `[[gateway]]`.
    pub fn tables(&mut self, key: &'static str, diags: &mut Diagnostics) -> Vec<Table> {
        let Some(entry) = self.take(key) else { return Vec::new() };
        let path = join(&self.path, key);
        let remedy = format!("write `[[{path}]]` above the keys of each one");
        let Value::Array(items) = entry.value.value else {
            return self.wrong_type(key, &entry, "an array of tables", &remedy, diags).unwrap_or_default();
        };
        let mut tables = Vec::new();
        for item in items {
            match item.value {
                Value::Table(table) => tables.push(table),
                _ => self.complain(key, &item, "an array of tables", &remedy, diags),
            }
        }
        tables
    }

    /// Reads a table whose keys are the user's own names, each with a string: headers, conditions.
    pub fn string_map(
        &mut self,
        key: &'static str,
        diags: &mut Diagnostics,
    ) -> BTreeMap<String, Spanned<String>> {
        let Some(table) = self.table(key, diags) else { return BTreeMap::new() };
        let mut map = BTreeMap::new();
        for (name, entry) in table.entries {
            match entry.value.value {
                Value::String(text) => {
                    map.insert(name, Spanned { value: text, place: entry.value.place });
                }
                _ => self.complain(
                    key,
                    &entry.value,
                    "a table of strings",
                    "write each in double quotes",
                    diags,
                ),
            }
        }
        map
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self, diags: &mut Diagnostics) {
        for (key, entry) in &self.entries {
            diags.push(
                Diagnostic::error("unknown-key", format!("{} has an unknown key `{key}`", self.called))
                    .at(&entry.key, "nothing reads this key")
                    .help(did_you_mean(key, self.asked.iter().copied())),
            );
        }
        diags.know(self.path, self.asked);
    }

    /// Reports that a key is not there; if an unread one is near, points to it.
    pub fn missing(&mut self, key: &'static str, diags: &mut Diagnostics) {
        self.asked.insert(key);
        let message = format!("{} has no `{key}`", self.called);
        let near = nearest(key, self.entries.keys().map(String::as_str).filter(|k| !self.asked.contains(k)));
        let diagnostic = match near.and_then(|near| self.entries.get(near)) {
            Some(entry) => {
                Diagnostic::error("missing-key", message).at(&entry.key, "is this meant to be it?")
            }
            None if self.path.is_empty() => {
                Diagnostic::error("missing-key", message).in_file(self.place.source.name())
            }
            None => Diagnostic::error("missing-key", message).at(&self.place, "it belongs here"),
        };
        diags.push(diagnostic.help(format!("add `{key} = ..`")));
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.asked.insert(key);
        self.entries.remove(key)
    }

    fn quantity<T>(
        &mut self,
        key: &'static str,
        what: &str,
        example: &str,
        parse: fn(&str) -> Option<T>,
        diags: &mut Diagnostics,
    ) -> Option<Spanned<T>> {
        let entry = self.take(key)?;
        let Value::String(text) = entry.value.value else {
            return self.wrong_type(key, &entry, what, &format!("write {example}, with the quotes"), diags);
        };
        self.read_as(key, Spanned { value: text, place: entry.value.place }, what, example, parse, diags)
    }

    fn read_as<T>(
        &self,
        key: &str,
        text: Spanned<String>,
        what: &str,
        example: &str,
        parse: fn(&str) -> Option<T>,
        diags: &mut Diagnostics,
    ) -> Option<Spanned<T>> {
        let Some(value) = parse(&text.value) else {
            let foreign = lookalike::in_ascii(&text.value).filter(|(_, ascii)| parse(ascii).is_some());
            let (why, help) = match foreign {
                Some((found, ascii)) => (found.what(), format!("write \"{ascii}\"")),
                None => (format!("this cannot be read as {what}"), format!("write {example}")),
            };
            diags.push(
                Diagnostic::error("bad-value", format!("`{key}` of {} is not {what}", self.called))
                    .at(&text.place, why)
                    .help(help),
            );
            return None;
        };
        Some(Spanned { value, place: text.place })
    }

    fn word<T: Copy>(
        &self,
        key: &str,
        text: Spanned<String>,
        words: &[(&str, T)],
        diags: &mut Diagnostics,
    ) -> Option<Spanned<T>> {
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(Spanned { value: *value, place: text.place });
        }
        diags.push(
            Diagnostic::error(
                "unknown-word",
                format!("`{key}` of {} cannot be `{}`", self.called, text.value),
            )
            .at(&text.place, format!("not a word that `{key}` knows"))
            .help(did_you_mean(&text.value, words.iter().map(|(word, _)| *word))),
        );
        None
    }

    fn out_of_range<T>(
        &self,
        key: &str,
        entry: &Entry,
        low: &str,
        high: &str,
        diags: &mut Diagnostics,
    ) -> Option<T> {
        diags.push(
            Diagnostic::error("out-of-range", format!("`{key}` of {} is out of range", self.called))
                .at(&entry.value.place, "this is too much or too little")
                .help(format!("from {low} to {high} is allowed")),
        );
        None
    }

    pub(super) fn wrong_type<T>(
        &self,
        key: &str,
        entry: &Entry,
        wanted: &str,
        remedy: &str,
        diags: &mut Diagnostics,
    ) -> Option<T> {
        self.complain(key, &entry.value, wanted, remedy, diags);
        None
    }

    pub(super) fn complain(
        &self,
        key: &str,
        value: &Spanned<Value>,
        wanted: &str,
        remedy: &str,
        diags: &mut Diagnostics,
    ) {
        Table::complain_of(&self.called, key, value, wanted, remedy, diags);
    }

    pub(super) fn complain_of(
        called: &str,
        key: &str,
        value: &Spanned<Value>,
        wanted: &str,
        remedy: &str,
        diags: &mut Diagnostics,
    ) {
        diags.push(
            Diagnostic::error("wrong-type", format!("`{key}` of {called} must be {wanted}"))
                .at(&value.place, format!("this is {}", value.value.kind()))
                .help(remedy),
        );
    }
}

/// Returns what to do about a message of the TOML parser.
fn remedy(message: &str) -> &'static str {
    match message {
        m if m.contains("duplicate key") => "each key may stand once in its table: remove one of them",
        m if m.contains("unquoted key") => "a key in other letters than a-z stands in double quotes",
        m if m.contains("boolean") => "a word that is neither `true` nor `false` stands in double quotes",
        m if m.contains("table") => "a table's header stands alone on its line: `[name]` or `[[name]]`",
        m if m.contains("string") || m.contains("quot") => "text stands in double quotes: `key = \"text\"`",
        m if m.contains("array") => "an array stands in brackets: `key = [\"one\", \"two\"]`",
        _ => "a line is `key = value`, `[table]`, `[[table]]` or `# comment`; text stands in double quotes",
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({}, keys {:?})", self.called, self.entries.keys().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests;
