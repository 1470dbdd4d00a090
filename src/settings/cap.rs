//! `[cap]`: whom an alert that comes as CAP is for.
//!
//! An alert names areas, and the address book knows audiences: only the people who run the service can say which is which.
//! ```toml
//! [cap]
//! default = ["everyone"]              # a public alert of which nothing is named below; without it, that one is refused
//! [[cap.map]]
//! geocode   = "SAME=006109"           # or area, parameter, restriction, address; a star at the end stands for the rest
//! audiences = ["residents-east"]
//! ```

use crate::diag::{Diagnostic, Diagnostics, Spanned, Table};

/// The most entries: a country's districts, several times over.
const ENTRIES_MAX: usize = 5_000;
/// The most audiences of one entry: as many as a message may name.
const AUDIENCES_MAX: usize = 100;

/// Whom alerts are for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cap {
    /// Whom a public alert is for of which no entry speaks.
    pub default: Vec<String>,
    /// The entries, as they stand in the file.
    pub entries: Vec<CapEntry>,
}

/// What an alert says, and whom that means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CapEntry {
    /// Where the alert must say it.
    pub of: CapOf,
    /// The name of the code or parameter; empty where there is none.
    pub name: String,
    /// What it must say there; a star at the end stands for the rest.
    pub value: String,
    /// Whom it means.
    pub audiences: Vec<String>,
}

/// Where an alert says whom it is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CapOf {
    /// In an area's `areaDesc`.
    Area,
    /// In an area's `geocode`.
    Geocode,
    /// In a `parameter`.
    Parameter,
    /// In the `restriction` of an alert of restricted scope.
    Restriction,
    /// Among the `addresses` of a private alert.
    Address,
}

/// The keys of an entry, of which it has one; those whose value is `NAME=VALUE` are told.
const KEYS: [(&str, CapOf, bool); 5] = [
    ("area", CapOf::Area, false),
    ("geocode", CapOf::Geocode, true),
    ("parameter", CapOf::Parameter, true),
    ("restriction", CapOf::Restriction, false),
    ("address", CapOf::Address, false),
];

impl CapEntry {
    /// Says whether the alert's word is the one that this entry speaks of.
    pub fn says(&self, of: CapOf, name: &str, value: &str) -> bool {
        let fits = match self.value.strip_suffix('*') {
            Some(beginning) => value.starts_with(beginning),
            None => value == self.value,
        };
        self.of == of && self.name == name && fits
    }
}

pub(super) fn read(table: Option<Table>, diags: &mut Diagnostics) -> Cap {
    let Some(mut table) = table else { return Cap::default() };
    let default = audiences(&mut table, "default", diags).unwrap_or_default();
    let tables = table.tables("map", diags);
    if let Some(one) = tables.get(ENTRIES_MAX) {
        diags.push(
            Diagnostic::error("too-many", format!("[cap] has more than {ENTRIES_MAX} entries"))
                .at(one.place(), "one too many")
                .help("codes that begin alike can share one: `geocode = \"SAME=0061*\"`"),
        );
    }
    let entries = tables.into_iter().filter_map(|table| entry(table, diags)).collect();
    table.finish(diags);
    Cap { default, entries }
}

fn entry(mut table: Table, diags: &mut Diagnostics) -> Option<CapEntry> {
    table.call("this `[[cap.map]]`");
    let audiences = match table.key("audiences") {
        Some(_) => audiences(&mut table, "audiences", diags),
        None => {
            table.missing("audiences", diags);
            None
        }
    };
    let mut found = Vec::new();
    for (key, of, paired) in KEYS {
        if let Some(text) = table.string(key, diags) {
            found.push((key, of, paired, text));
        }
    }
    let place = table.place().clone();
    let known: Vec<String> = KEYS.iter().map(|(key, ..)| format!("`{key}`")).collect();
    table.finish(diags);
    if found.len() != 1 {
        let label = if found.is_empty() { "none of them is here" } else { "this one has more" };
        diags.push(
            Diagnostic::error("bad-entry", "a `[[cap.map]]` says one thing that an alert may say")
                .at(&place, label)
                .help(format!(
                    "give one of {}; another `[[cap.map]]` may have the same audiences",
                    known.join(", ")
                )),
        );
        return None;
    }
    let (key, of, paired, text) = found.remove(0);
    let (name, value) = said(key, paired, &text, diags)?;
    Some(CapEntry { of, name, value, audiences: audiences? })
}

/// Reads `VALUE`, or `NAME=VALUE` where it is a pair.
fn said(
    key: &str,
    paired: bool,
    text: &Spanned<String>,
    diags: &mut Diagnostics,
) -> Option<(String, String)> {
    let (name, value) = match paired {
        true => text.value.split_once('=').unwrap_or(("", "")),
        false => ("", text.value.as_str()),
    };
    let (name, value) = (name.trim(), value.trim());
    let starred = value.strip_suffix('*').unwrap_or(value);
    if value.is_empty() || (paired && name.is_empty()) || starred.contains('*') {
        let (label, example) = match paired {
            true => ("this is no `NAME=VALUE`, with a star at its end at most", "SAME=0061*"),
            false => ("this is nothing, or has a star that is not at its end", "East *"),
        };
        diags.push(
            Diagnostic::error("bad-value", format!("`{key}` of this `[[cap.map]]` cannot be used"))
                .at(&text.place, label)
                .help(format!("write `{key} = \"{example}\"`")),
        );
        return None;
    }
    Some((name.to_owned(), value.to_owned()))
}

/// Reads the names of audiences: at least one.
pub(super) fn audiences(
    table: &mut Table,
    key: &'static str,
    diags: &mut Diagnostics,
) -> Option<Vec<String>> {
    let names = table.strings(key, diags)?;
    let blank = names.value.iter().find(|name| name.value.trim().is_empty());
    let (place, label) = match blank {
        Some(name) => (&name.place, "this names nobody"),
        None if names.value.is_empty() => (&names.place, "this names nobody"),
        None if names.value.len() > AUDIENCES_MAX => (&names.place, "these are too many"),
        None => return Some(names.value.into_iter().map(|name| name.value).collect()),
    };
    diags.push(
        Diagnostic::error("bad-value", format!("`{key}` of {} does not name audiences", table.called()))
            .at(place, label)
            .help(format!(
                "name 1 to {AUDIENCES_MAX} audiences of the address book: `{key} = [\"residents-east\"]`"
            )),
    );
    None
}
