//! The TOML tree as the reader keeps it: owned, so that a part of it can be read later by somebody else.

use super::source::{Place, Source, Spanned};
use super::table::Table;
use std::ops::Range;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: Place,
    pub(super) value: Spanned<Value>,
}

#[derive(Clone)]
pub(super) enum Value {
    String(String),
    Integer(Option<i64>),
    Float(f64),
    Bool(bool),
    Datetime,
    Array(Vec<Spanned<Value>>),
    Table(Table),
}

impl Value {
    pub(super) fn kind(&self) -> &'static str {
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

pub(super) fn convert(source: &Arc<Source>, path: String, table: &DeTable<'_>, span: Range<usize>) -> Table {
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
    Table::new(called, path, place(span), entries)
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

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
