//! `[alertmanager]`: whom the groups of an Alertmanager are for, and how grave their labels are.
//! ```toml
//! [alertmanager]
//! default        = ["on-call"]         # a group of which nothing is named below; without it, that one is refused
//! language       = "en"                # of annotations that name none: `summary`, beside `summary_ar`
//! severity_label = "severity"
//! severity       = { critical = "extreme", page = "severe" }   # other words than those that are known
//! expiry         = "4h"                # what fires on is told again after it, and before it only when it changed
//! tell_resolved  = true
//! [[alertmanager.map]]
//! label     = "team=network"           # or receiver; a star at the end stands for the rest
//! audiences = ["network-team"]
//! ```

use super::cap::audiences;
use crate::core::message::Severity;
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Table, did_you_mean};
use std::collections::BTreeMap;

/// The most entries: a large house's teams, several times over.
const ENTRIES_MAX: usize = 1_000;
/// The most words for how grave something is.
const WORDS_MAX: usize = 50;
/// When what fires on is told again. Cites: Alertmanager's `repeat_interval`, 4h where it does not say.
const EXPIRY: Span = Span::from_hours(4);
/// The least and the longest time until then.
const EXPIRY_RANGE: std::ops::RangeInclusive<Span> = Span::from_secs(60)..=Span::from_hours(24 * 30);
/// The longest tag of a language.
const LANGUAGE_MAX: usize = 35;
/// What the words mean that most rules use. None is extreme: that is for threats to life, and for those who say so.
const WORDS: [(&str, Severity); 7] = [
    ("critical", Severity::Severe),
    ("page", Severity::Severe),
    ("error", Severity::Severe),
    ("high", Severity::Severe),
    ("warning", Severity::Moderate),
    ("info", Severity::Minor),
    ("none", Severity::Minor),
];

/// Whom the groups of an Alertmanager are for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alertmanager {
    /// Whom a group is for of which no entry speaks.
    pub default: Vec<String>,
    /// The language of annotations that name none.
    pub language: String,
    /// The label that says how grave an alert is.
    pub severity_label: String,
    /// What its words mean.
    pub severities: BTreeMap<String, Severity>,
    /// When a group that fires on is told again.
    pub expiry: Span,
    /// Whether those who were told of a group are told of its end.
    pub tell_resolved: bool,
    /// The entries, as they stand in the file.
    pub entries: Vec<AlertmanagerEntry>,
}

/// What a group says, and whom that means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertmanagerEntry {
    /// The label that must say it; `None`: the receiver.
    pub label: Option<String>,
    /// What it must say; a star at the end stands for the rest.
    pub value: String,
    /// Whom it means.
    pub audiences: Vec<String>,
}

impl Default for Alertmanager {
    fn default() -> Alertmanager {
        Alertmanager {
            default: Vec::new(),
            language: "en".into(),
            severity_label: "severity".into(),
            severities: WORDS.map(|(word, severity)| (word.to_owned(), severity)).into(),
            expiry: EXPIRY,
            tell_resolved: true,
            entries: Vec::new(),
        }
    }
}

impl AlertmanagerEntry {
    /// Says whether a value is the one that this entry speaks of.
    pub fn says(&self, value: &str) -> bool {
        match self.value.strip_suffix('*') {
            Some(beginning) => value.starts_with(beginning),
            None => value == self.value,
        }
    }
}

pub(super) fn read(table: Option<Table>, diags: &mut Diagnostics) -> Alertmanager {
    let mut settings = Alertmanager::default();
    let Some(mut table) = table else { return settings };
    settings.default = audiences(&mut table, "default", diags).unwrap_or_default();
    if let Some(language) = table.string("language", diags) {
        let tag = &language.value;
        let plain = tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let begins = tag.split('-').next().is_some_and(|first| {
            (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_lowercase())
        });
        match plain && begins && tag.len() <= LANGUAGE_MAX {
            true => settings.language.clone_from(tag),
            false => diags.push(
                Diagnostic::error("bad-value", "`language` of [alertmanager] is not a language's tag")
                    .at(&language.place, "this cannot be read as one")
                    .help("write \"ar\", \"en\" or \"ar-EG\""),
            ),
        }
    }
    if table.key("severity_label").is_some()
        && let Some(label) = table.required_string("severity_label", diags)
    {
        settings.severity_label = label.value;
    }
    severities(&mut table, &mut settings.severities, diags);
    if let Some(expiry) = table.span_in("expiry", EXPIRY_RANGE, diags) {
        settings.expiry = expiry.value;
    }
    if let Some(tell) = table.bool("tell_resolved", diags) {
        settings.tell_resolved = tell.value;
    }
    let tables = table.tables("map", diags);
    if let Some(one) = tables.get(ENTRIES_MAX) {
        diags.push(
            Diagnostic::error("too-many", format!("[alertmanager] has more than {ENTRIES_MAX} entries"))
                .at(one.place(), "one too many")
                .help("values that begin alike can share one: `label = \"team=net*\"`"),
        );
    }
    settings.entries = tables.into_iter().filter_map(|table| entry(table, diags)).collect();
    table.finish(diags);
    settings
}

fn severities(table: &mut Table, known: &mut BTreeMap<String, Severity>, diags: &mut Diagnostics) {
    let place = table.key("severity").cloned();
    let words = table.string_map("severity", diags);
    if let Some(place) = place.filter(|_| words.len() > WORDS_MAX) {
        diags.push(
            Diagnostic::error(
                "too-many",
                format!("`severity` of [alertmanager] has more than {WORDS_MAX} words"),
            )
            .at(&place, "these are too many")
            .help("name the words that your rules use"),
        );
    }
    for (word, severity) in words {
        match Severity::from_name(&severity.value) {
            Some(severity) => {
                known.insert(word, severity);
            }
            None => diags.push(
                Diagnostic::error("unknown-word", "a `severity` of [alertmanager] is none of Wasl's")
                    .at(&severity.place, "no severity has this name")
                    .help(did_you_mean(&severity.value, Severity::ALL.iter().map(|known| known.name()))),
            ),
        }
    }
}

fn entry(mut table: Table, diags: &mut Diagnostics) -> Option<AlertmanagerEntry> {
    table.call("this `[[alertmanager.map]]`");
    let audiences = match table.key("audiences") {
        Some(_) => audiences(&mut table, "audiences", diags),
        None => {
            table.missing("audiences", diags);
            None
        }
    };
    let (receiver, label) = (table.string("receiver", diags), table.string("label", diags));
    let place = table.place().clone();
    table.finish(diags);
    let (label, value) = match (receiver, label) {
        (Some(receiver), None) => (None, receiver),
        (None, Some(pair)) => match pair.value.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                (Some(name.trim().to_owned()), pair.clone().map(|_| value.trim().to_owned()))
            }
            _ => {
                diags.push(
                    Diagnostic::error("bad-value", "`label` of this `[[alertmanager.map]]` cannot be used")
                        .at(&pair.place, "this is no `NAME=VALUE`")
                        .help("write `label = \"team=network\"`"),
                );
                return None;
            }
        },
        (receiver, _) => {
            let label = if receiver.is_some() { "this one has both" } else { "neither is here" };
            diags.push(
                Diagnostic::error("bad-entry", "a `[[alertmanager.map]]` has a `receiver` or a `label`")
                    .at(&place, label)
                    .help("give one; another `[[alertmanager.map]]` may have the same audiences"),
            );
            return None;
        }
    };
    if value.value.is_empty() || value.value.strip_suffix('*').unwrap_or(&value.value).contains('*') {
        diags.push(
            Diagnostic::error("bad-value", "what this `[[alertmanager.map]]` asks for cannot be used")
                .at(&value.place, "this is nothing, or has a star that is not at its end")
                .help("write the value, or its beginning and one star: `team=net*`"),
        );
        return None;
    }
    Some(AlertmanagerEntry { label, value: value.value, audiences: audiences? })
}
