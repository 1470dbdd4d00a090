//! A strict reader of one TOML table: every key is asked for by name, every mistake is reported with a remedy, and
//! what nobody asked for is an unknown key.

use super::bidi;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::nearest::{did_you_mean, nearest};
use super::secret::Secret;
use super::source::{Place, Source, Spanned};
use super::units::{parse_quota, parse_rate, parse_size, parse_span};
use crate::core::gateway::{Quota, Rate};
use crate::core::time::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// The longest secret that a file may hold. A service account's key is about 2 KiB.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// The most syntax errors of one file that are shown: they breed each other.
const SYNTAX_ERRORS_MAX: usize = 10;

/// A table with its keys not yet read. `Debug` shows the keys alone: a value may be a secret.
#[derive(Clone)]
pub struct Table {
    /// How messages call it: "`[server]`", "gateway `sms-a`".
    called: String,
    /// Its path from the top, without quotes: `server.tls`.
    path: String,
    /// Its header, or the whole inline table.
    place: Place,
    entries: BTreeMap<String, Entry>,
    asked: BTreeSet<&'static str>,
}

#[derive(Clone)]
struct Entry {
    key: Place,
    value: Spanned<Value>,
}

#[derive(Clone)]
enum Value {
    String(String),
    Integer(Option<i64>),
    Float(f64),
    Bool(bool),
    Datetime,
    Array(Vec<Spanned<Value>>),
    Table(Table),
}

impl Table {
    /// Parses a file. `None`: it is not TOML, and `diags` says where.
    pub fn parse(source: &Arc<Source>, diags: &mut Diagnostics) -> Option<Table> {
        bidi::lint(source, diags);
        let (table, errors) = DeTable::parse_recoverable(source.text());
        let mut lines = BTreeSet::new();
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            let place = Place { source: source.clone(), span };
            if lines.len() < SYNTAX_ERRORS_MAX && lines.insert(place.start().line) {
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
        let texts = self.strings(key, diags).map(|list| list.value).unwrap_or_default();
        let example = "\"10000 recipients/24h\" or \"500 messages/1h\"";
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
        let text = self.string(key, diags)?;
        self.word(key, text, words, diags)
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

    /// Reads a secret: `{ env = "NAME" }`, `{ file = "PATH" }` (from the folder of the file that names it), or a literal,
    /// which is warned about. One that cannot be had is an error.
    pub fn secret(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Secret> {
        let entry = self.take(key)?;
        match entry.value.value {
            Value::String(literal) => {
                diags.mask(entry.value.place.clone());
                diags.push(
                    Diagnostic::warning(
                        "literal-secret",
                        format!("`{key}` of {} stands in the file", self.called),
                    )
                    .at(&entry.value.place, "everybody who reads the file can read it")
                    .help(format!("write `{key} = {{ env = \"NAME\" }}` or `{key} = {{ file = \"PATH\" }}`")),
                );
                Some(Secret::new(literal))
            }
            Value::Table(table) => table.secret_elsewhere(key, &self.called, diags),
            _ => {
                diags.mask(entry.value.place.clone());
                self.wrong_type(
                    key,
                    &entry,
                    "a secret",
                    "write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
                    diags,
                )
            }
        }
    }

    /// Reads a secret that must be there.
    pub fn required_secret(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Secret> {
        if !self.entries.contains_key(key) {
            self.missing(key, diags);
            return None;
        }
        self.secret(key, diags)
    }

    /// Reads a table: `[server]` or an inline one.
    pub fn table(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Table> {
        let entry = self.take(key)?;
        match entry.value.value {
            Value::Table(table) => Some(table),
            _ => self.wrong_type(key, &entry, "a table", &format!("write `[{key}]` above its keys"), diags),
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

    fn take(&mut self, key: &'static str) -> Option<Entry> {
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
            diags.push(
                Diagnostic::error("bad-value", format!("`{key}` of {} is not {what}", self.called))
                    .at(&text.place, format!("this cannot be read as {what}"))
                    .help(format!("write {example}")),
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

    fn secret_elsewhere(mut self, key: &str, owner: &str, diags: &mut Diagnostics) -> Option<Secret> {
        self.called = format!("`{key}` of {owner}");
        let env = self.string("env", diags);
        let file = self.string("file", diags);
        let place = self.place.clone();
        self.finish(diags);
        let problem = match (env, file) {
            (Some(name), None) => match std::env::var(&name.value) {
                Ok(value) if !value.is_empty() => return Some(Secret::new(value)),
                _ => Diagnostic::error("secret-missing", format!("the variable `{}` is not set", name.value))
                    .at(&name.place, format!("`{key}` of {owner} is read from it"))
                    .help("set it in the environment of the service, or use `{ file = \"PATH\" }`"),
            },
            (None, Some(path)) => match read_secret(&path) {
                Ok(secret) => return Some(secret),
                Err(why) => {
                    Diagnostic::error("secret-missing", format!("`{}` gives no secret: {why}", path.value))
                        .at(&path.place, format!("`{key}` of {owner} is read from it"))
                        .help("write the secret alone into the file, readable by the user that runs Wasl")
                }
            },
            _ => {
                Diagnostic::error("bad-value", format!("`{key}` of {owner} does not say where the secret is"))
                    .at(&place, "either `env` or `file` is needed")
                    .help("write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`")
            }
        };
        diags.push(problem);
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

    fn wrong_type<T>(
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

    fn complain(
        &self,
        key: &str,
        value: &Spanned<Value>,
        wanted: &str,
        remedy: &str,
        diags: &mut Diagnostics,
    ) {
        diags.push(
            Diagnostic::error("wrong-type", format!("`{key}` of {} must be {wanted}", self.called))
                .at(&value.place, format!("this is {}", value.value.kind()))
                .help(remedy),
        );
    }
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::String(_) => "a string",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Bool(_) => "true or false",
            Value::Datetime => "a date",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        }
    }
}

fn convert(source: &Arc<Source>, path: String, table: &DeTable<'_>, span: Range<usize>) -> Table {
    let place = |span| Place { source: source.clone(), span };
    let entries = table
        .iter()
        .map(|(key, value)| {
            let name = key.get_ref().to_string();
            let value = convert_value(source, &join(&path, &name), value.get_ref(), value.span());
            (name, Entry { key: place(key.span()), value })
        })
        .collect();
    let called = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
    Table { called, path, place: place(span), entries, asked: BTreeSet::new() }
}

fn convert_value(
    source: &Arc<Source>,
    path: &str,
    value: &DeValue<'_>,
    span: Range<usize>,
) -> Spanned<Value> {
    let converted = match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(items) => Value::Array(
            items.iter().map(|item| convert_value(source, path, item.get_ref(), item.span())).collect(),
        ),
        DeValue::Table(table) => Value::Table(convert(source, path.to_owned(), table, span.clone())),
    };
    Spanned { value: converted, place: Place { source: source.clone(), span } }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Reads a secret's file, relative to the folder of the file that names it.
fn read_secret(path: &Spanned<String>) -> Result<Secret, String> {
    use std::io::Read;
    let folder = Path::new(path.place.source.name()).parent().unwrap_or(Path::new(""));
    let mut text = String::new();
    std::fs::File::open(folder.join(&path.value))
        .and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| error.to_string())?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("it is empty".into()),
        secret if secret.len() as u64 > SECRET_BYTES_MAX => {
            Err(format!("it is longer than {SECRET_BYTES_MAX} bytes"))
        }
        secret => Ok(Secret::new(secret)),
    }
}

/// Returns what to do about a message of the TOML parser.
fn remedy(message: &str) -> &'static str {
    match message {
        m if m.contains("duplicate key") => "each key may stand once in its table: remove one of them",
        m if m.contains("string") || m.contains("quot") => "text stands in double quotes: `key = \"text\"`",
        m if m.contains("array") => "an array stands in brackets: `key = [\"one\", \"two\"]`",
        m if m.contains("table") => "a table's header stands alone on its line: `[name]` or `[[name]]`",
        _ => "a line is `key = value`, `[table]`, `[[table]]` or `# comment`; text stands in double quotes",
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({}, keys {:?})", self.called, self.entries.keys().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, read: impl FnOnce(&mut Table, &mut Diagnostics)) -> String {
        let mut diags = Diagnostics::default();
        if let Some(mut table) = Table::parse(&Source::new("f.toml", text), &mut diags) {
            read(&mut table, &mut diags);
            table.finish(&mut diags);
        }
        diags.render()
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_its_remedy() {
        let shown =
            read("listen = 3\nwiat = \"20s\"\nwindow = 0\nsend = \"bets\"\nrate = \"fast\"\n", |t, d| {
                t.string("listen", d);
                t.span("wait", d);
                t.u64("window", 1..=10, d);
                t.choice("send", &[("best", 1), ("all", 2)], d);
                t.rate("rate", d);
                t.required_string("name", d);
            });
        for expected in [
            "error[missing-key]: the file has no `name`\n --> f.toml\n  = help: add `name = ..`",
            "1 | listen = 3\n  |          ^ this is a number",
            "2 | wiat = \"20s\"\n  | ^^^^ nothing reads this key\n  = help: did you mean `wait`?",
            "from 1 to 10 is allowed",
            "4 | send = \"bets\"\n  |        ^^^^^^ not a word that `send` knows\n  = help: did you mean `best`?",
            "`rate` of the file is not a rate",
        ] {
            assert!(shown.contains(expected), "{expected}\n---\n{shown}");
        }
    }

    #[test]
    fn tables_know_their_headers() {
        let shown = read("[[gateway]]\nx = 1\n\n[server]\ntls = { cert = 1 }\n", |t, d| {
            let mut gateway = t.tables("gateway", d).remove(0);
            gateway.required_string("name", d);
            gateway.call("gateway `a`");
            gateway.finish(d);
            let mut server = t.table("server", d).expect("it is there");
            let mut tls = server.table("tls", d).expect("it is there");
            tls.required_string("key", d);
        });
        assert!(shown.contains("1 | [[gateway]]\n  | ^^^^^^^^^^^ it belongs here"), "{shown}");
        assert!(shown.contains("gateway `a` has an unknown key `x`"), "{shown}");
        assert!(shown.contains("`server.tls` has no `key`\n --> f.toml:5:7"), "{shown}");
    }

    #[test]
    fn a_secret_is_had_from_elsewhere_and_never_shown() {
        let mut secrets = Vec::new();
        let text = "a = { env = \"PATH\" }\nb = \"literal-1\"\nc = { env = \"NO_SUCH_VARIABLE_HERE\" }\nd = { file = \
                    \"/no/such\" }\ne = 77777\nf = { enw = \"X\" }\npassword = literal-2\n";
        let shown = read(text.strip_suffix("password = literal-2\n").expect("as written"), |t, d| {
            secrets = ["a", "b", "c", "d", "e", "f"].map(|key| t.secret(key, d)).into();
        });
        assert!(secrets[0].as_ref().is_some_and(|s| s.expose() == std::env::var("PATH").expect("set")));
        assert_eq!(secrets[1].as_ref().map(Secret::expose), Some("literal-1"));
        assert_eq!(format!("{:?} {}", secrets[1], secrets[1].as_ref().expect("read")), "Some(***) ***");
        assert!(secrets[2..].iter().all(Option::is_none));
        assert!(!shown.contains("literal-1") && !shown.contains("77777"), "{shown}");
        assert!(shown.contains("the variable `NO_SUCH_VARIABLE_HERE` is not set"), "{shown}");
        let broken = read(text, |_, _| {});
        assert!(broken.contains("error[syntax]") && !broken.contains("literal-2"), "{broken}");
    }

    #[test]
    fn a_reordering_character_is_named() {
        let shown = read("# \u{202E}x\n", |_, _| {});
        assert!(shown.contains("error[bidi-control]") && shown.contains("<U+202E>x"), "{shown}");
    }
}
