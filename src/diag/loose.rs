//! Values whose type is the reader's business, and tables whose keys are the user's.

use super::diagnostic::Diagnostics;
use super::secret::Secret;
use super::source::{Spanned, holds_secret, holds_secret_url};
use super::table::Table;
use super::value::{Entry, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A value of whatever type: a condition may be a word, a number, a list or a table.
#[derive(Clone, Debug)]
pub enum Loose {
    /// A string.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A number with a fraction.
    Number(f64),
    /// True or false.
    Truth(bool),
    /// An array.
    Many(Vec<Spanned<Loose>>),
    /// A table.
    Table(Table),
}

/// A value as a text, for whoever fills templates with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// It may be shown.
    Plain(String),
    /// It must never be seen.
    Hidden(Secret),
}

impl Table {
    /// Reads a value of whatever type; a date, or a number beyond 64 bits, is an error.
    pub fn loose(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Spanned<Loose>> {
        let entry = self.take(key)?;
        Table::loosened(self.called(), key, entry.value, diags)
    }

    /// Reads a table whose keys are the user's own names, each with a value of whatever type.
    pub fn loose_map(
        &mut self,
        key: &'static str,
        diags: &mut Diagnostics,
    ) -> BTreeMap<String, Spanned<Loose>> {
        let Some(table) = self.table(key, diags) else { return BTreeMap::new() };
        let entries = table.entries.into_iter();
        let called = self.called();
        entries
            .filter_map(|(name, entry)| Some((name, Table::loosened(called, key, entry.value, diags)?)))
            .collect()
    }

    /// Returns every key that was not yet read and can be said as a text, secrets fetched. Reports nothing: that is for
    /// whoever reads the keys in earnest.
    pub fn said(&self) -> BTreeMap<String, Said> {
        let said = self.entries.iter().map(|(key, entry)| Some((key.clone(), say(key, &entry.value.value)?)));
        said.flatten().collect()
    }

    /// Returns every key that was not yet read and holds a secret that cannot be fetched.
    pub fn unsaid(&self) -> BTreeSet<String> {
        let unsaid = |key: &str, value: &Value| matches!(value, Value::Table(_)) && say(key, value).is_none();
        let entries = self.entries.iter().filter(|(key, entry)| unsaid(key, &entry.value.value));
        entries.map(|(key, _)| key.clone()).collect()
    }

    /// Says whether both hold the same unread keys with the same values, secrets fetched, wherever they stand.
    pub fn says_same(&self, other: &Table) -> bool {
        let same = |(a, b): ((&String, &Entry), (&String, &Entry))| {
            a.0 == b.0 && same(&a.1.value.value, &b.1.value.value)
        };
        self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(same)
            && self.said() == other.said()
    }

    pub(super) fn loosened(
        called: &str,
        key: &str,
        value: Spanned<Value>,
        diags: &mut Diagnostics,
    ) -> Option<Spanned<Loose>> {
        let loose = match value.value {
            Value::String(text) => Loose::Text(text),
            Value::Integer(Some(number)) => Loose::Whole(number),
            Value::Float(number) => Loose::Number(number),
            Value::Bool(truth) => Loose::Truth(truth),
            Value::Array(items) => Loose::Many(
                items.into_iter().filter_map(|item| Table::loosened(called, key, item, diags)).collect(),
            ),
            Value::Table(table) => Loose::Table(table),
            Value::Integer(None) | Value::Datetime => {
                let wanted = "a string, a number, true, false, or a list of them";
                Table::complain_of(called, key, &value, wanted, "write it in double quotes", diags);
                return None;
            }
        };
        Some(Spanned { value: loose, place: value.place })
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Integer(a), Value::Integer(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(&a.value, &b.value))
        }
        (Value::Table(a), Value::Table(b)) => a.says_same(b),
        // What a date is was not kept; to take it for another one is the safe side.
        _ => false,
    }
}

fn say(key: &str, value: &Value) -> Option<Said> {
    let plain = match value {
        Value::String(text) if holds_secret(key) || holds_secret_url(key) => {
            return Some(Said::Hidden(Secret::new(text.as_str())));
        }
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.as_ref()?.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Table(table) => {
            let secret = table.clone().secret_elsewhere(key, "", &mut Diagnostics::default());
            return secret.map(Said::Hidden);
        }
        Value::Datetime | Value::Array(_) => return None,
    };
    Some(Said::Plain(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Source;

    #[test]
    fn what_can_be_said_is_said_and_secrets_are_hidden() {
        let text =
            "host = \"smsc\"\nport = 2775\ntls = false\npassword = \"pw\"\nlist = [1]\nx = { env = \"\" }\n";
        let mut diags = Diagnostics::default();
        let table = Table::parse(&Source::new("f.toml", text), &mut diags).unwrap();
        let said = table.said();
        assert_eq!(table.unsaid().into_iter().collect::<Vec<_>>(), ["x"]);
        let plain = |text: &str| Some(Said::Plain(text.to_owned()));
        assert_eq!(said.get("host").cloned(), plain("smsc"));
        assert_eq!(said.get("port").cloned(), plain("2775"));
        assert_eq!(said.get("tls").cloned(), plain("false"));
        assert_eq!(said.get("password"), Some(&Said::Hidden(Secret::new("pw"))));
        assert_eq!(said.len(), 4);
        assert!(!format!("{said:?}").contains("pw\""));
    }

    #[test]
    fn a_loose_value_keeps_its_type_and_its_place() {
        let mut diags = Diagnostics::default();
        let text = "a = \"x\"\nb = [1, true, 2.5]\nc = 1979-05-27\n[d]\n\"e.f\" = 3\n";
        let mut table = Table::parse(&Source::new("f.toml", text), &mut diags).unwrap();
        let a = table.loose("a", &mut diags).unwrap();
        assert!(matches!(a.value, Loose::Text(text) if text == "x"));
        assert_eq!(a.place.start().column, 5);
        let b = table.loose("b", &mut diags).unwrap();
        assert!(matches!(b.value, Loose::Many(items) if items.len() == 3));
        assert!(table.loose("c", &mut diags).is_none());
        let d = table.loose_map("d", &mut diags);
        assert!(matches!(d["e.f"].value, Loose::Whole(3)));
        table.finish(&mut diags);
        assert!(diags.errors() == 1 && diags.render().contains("this is a date"), "{}", diags.render());
    }
}
