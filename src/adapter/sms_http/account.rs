//! What is the gateway's own and the same in every message: the sender, and what our account is called and proved by.

use crate::adapter::settings::bad_secret;
use crate::diag::{Diagnostic, Diagnostics, Secret, Table};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;

/// The keys whose values may be shown.
const PLAIN: [&str; 2] = ["from", "username"];
/// The keys that hold secrets.
const SECRET: [&str; 4] = ["password", "token", "api_key", "api_secret"];
/// The placeholder for the name and the password as HTTP's basic scheme joins them.
const BASIC: &str = "basic";

/// The values, and which of them were asked for in vain.
#[derive(Default)]
pub(super) struct Account {
    known: Vec<(&'static str, Secret)>,
    /// The keys that the table has, also those whose values could not be read: that was said where they stand.
    given: BTreeSet<&'static str>,
    missing: BTreeSet<&'static str>,
}

impl Account {
    /// Reads the keys that are there.
    pub(super) fn read(table: &mut Table, diags: &mut Diagnostics) -> Account {
        let given = PLAIN.into_iter().chain(SECRET).filter(|key| table.key(key).is_some()).collect();
        let mut known = Vec::new();
        for key in PLAIN {
            known.extend(table.string(key, diags).map(|text| (key, Secret::new(text.value))));
        }
        for key in SECRET {
            known.extend(table.secret(key, diags).map(|secret| (key, secret)));
        }
        for (key, value) in &known {
            // A line end is what copying adds, and what would begin another header.
            if value.expose().chars().any(char::is_control) {
                bad_secret(key, "write it on one line, without control characters", table, diags);
            }
        }
        Account { known, given, missing: BTreeSet::new() }
    }

    /// Returns every word that it can fill.
    pub(super) fn words() -> impl Iterator<Item = &'static str> + Clone {
        PLAIN.into_iter().chain(SECRET).chain([BASIC])
    }

    /// Returns what fills a placeholder: hand it to the provider, never to an error.
    pub(super) fn value(&self, word: &str) -> Option<String> {
        let value = |word: &str| self.known.iter().find(|(known, _)| *known == word).map(|(_, v)| v.expose());
        match word {
            BASIC => Some(STANDARD.encode(format!("{}:{}", value("username")?, value("password")?))),
            word => value(word).map(str::to_owned),
        }
    }

    /// Says whether a word is one of its own that has no value, and remembers that it was needed.
    pub(super) fn misses(&mut self, word: &str) -> bool {
        let needed: Vec<_> = match word {
            BASIC => vec!["username", "password"],
            word => Account::words().filter(|known| *known == word).collect(),
        };
        let lacks = |key: &&str| self.known.iter().all(|(known, _)| known != key);
        self.missing.extend(needed.iter().copied().filter(lacks));
        !needed.is_empty()
    }

    /// Reports what was needed and is not there.
    pub(super) fn complain(&self, table: &Table, diags: &mut Diagnostics) {
        for key in self.missing.difference(&self.given) {
            let value = if SECRET.contains(key) { "{ file = \"PATH\" }" } else { "\"..\"" };
            diags.push(
                Diagnostic::error("missing-key", format!("{} has no `{key}`", table.called()))
                    .at(table.place(), "it belongs here")
                    .help(format!("add `{key} = {value}`: the description of its requests names it")),
            );
        }
    }
}
