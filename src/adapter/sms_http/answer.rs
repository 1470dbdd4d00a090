//! What an answer means: rules looked at in order, the first that fits decides, and the status where none does.

use super::words::{Path, Word, as_id, path, reason, said, words, words_of};
use crate::adapter::http::Response;
use crate::adapter::retry_after::capped;
use crate::adapter::verdict::{by_status, deferred, rejected, unknown};
use crate::core::outcome::{Outcome, Reason};
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Loose, Spanned, Table};
use serde_json::Value;
use std::ops::RangeInclusive;

/// The most rules of one gateway.
const RULES_MAX: usize = 200;

/// The rules.
pub(super) struct Answers(Vec<Rule>);

/// `[[gateway.answer]]`.
struct Rule {
    /// Empty: any.
    status: Vec<RangeInclusive<u16>>,
    body: Vec<Test>,
    json: Vec<(Path, Vec<Test>)>,
    then: Then,
}

/// One condition on a body, or on what a path leads to.
enum Test {
    OneOf(Vec<Word>),
    /// Of what the path leads to, each, and there is one.
    Every(Vec<Word>),
    Contains(String),
    Exists(bool),
}

enum Then {
    Accepted(Option<Finder>),
    Rejected(Reason),
    Deferred(Reason, Option<Later>),
    Unknown(Reason),
}

/// Where the provider's id stands.
enum Finder {
    Json(Path),
    /// Between two texts of the body.
    Between(String, String),
}

/// When to come back, where no header says.
enum Later {
    After(Span),
    /// In seconds.
    Json(Path),
}

/// An answer with its JSON, where it has one.
struct Opened<'a> {
    response: &'a Response,
    text: String,
    json: Option<Value>,
}

// === impl Answers ===

impl Answers {
    /// Reads the rules, in order.
    pub(super) fn read(tables: Vec<Table>, diags: &mut Diagnostics) -> Answers {
        if let Some(one_too_many) = tables.get(RULES_MAX) {
            diags.push(
                Diagnostic::error("too-many", format!("more than {RULES_MAX} rules for answers"))
                    .at(one_too_many.place(), "one too many")
                    .help("let one rule hold several words: `json.\"status\" = [1, 2]`"),
            );
        }
        Answers(tables.into_iter().filter_map(|table| Rule::read(table, diags)).collect())
    }

    /// Says whether anything counts as taken.
    pub(super) fn can_accept(&self) -> bool {
        self.0.iter().any(|rule| matches!(rule.then, Then::Accepted(_)))
    }

    /// Judges an answer.
    pub(super) fn judge(&self, response: &Response) -> Outcome {
        let text = String::from_utf8_lossy(&response.body).trim().to_owned();
        let opened = Opened { response, text, json: serde_json::from_slice(&response.body).ok() };
        match self.0.iter().find(|rule| rule.fits(&opened)) {
            Some(rule) => rule.then.outcome(&opened),
            // Whose fault it is may have stood in the body, which is not here.
            None if response.is_cut && matches!(response.status, 400 | 403 | 404 | 422) => {
                deferred(Reason::ProviderFault, response.retry_after)
            }
            None => by_status(response),
        }
    }
}

// === impl Rule ===

impl Rule {
    fn read(mut table: Table, diags: &mut Diagnostics) -> Option<Rule> {
        let status = table.loose("status", diags).map(|loose| statuses(loose, diags)).unwrap_or_default();
        let body = table.loose("body", diags).map(|loose| tests("body", loose, diags)).unwrap_or_default();
        let json = table.loose_map("json", diags).into_iter();
        let json: Vec<_> =
            json.map(|(path, loose)| (Path::new(&path), tests("json", loose, diags))).collect();
        let then = then(&mut table, diags);
        if status.is_empty() && body.is_empty() && json.is_empty() {
            diags.push(
                Diagnostic::error("missing-key", format!("{} fits every answer", table.called()))
                    .at(table.place(), "it has no condition")
                    .help("add `status`, `body` or `json`"),
            );
        }
        table.finish(diags);
        Some(Rule { status, body, json, then: then? })
    }

    fn fits(&self, opened: &Opened<'_>) -> bool {
        let status = opened.response.status;
        // What was cut off cannot be looked at, so nothing is concluded from its absence either.
        let looks_inside = !self.body.is_empty() || !self.json.is_empty();
        (self.status.is_empty() || self.status.iter().any(|range| range.contains(&status)))
            && !(looks_inside && opened.response.is_cut)
            && self.body.iter().all(|test| test.holds(&[Some(opened.text.clone())]))
            && self.json.iter().all(|(path, tests)| {
                let found = opened.json.as_ref().map(|json| path.find(json)).unwrap_or_default();
                let found: Vec<_> = found.into_iter().map(said).collect();
                tests.iter().all(|test| test.holds(&found))
            })
    }
}

impl Test {
    /// Says whether it holds of what was found; what is there and no text is `None`.
    fn holds(&self, found: &[Option<String>]) -> bool {
        let fits = |words: &[Word], text: &Option<String>| {
            text.as_ref().is_some_and(|text| words.iter().any(|word| word.fits(text)))
        };
        match self {
            Test::OneOf(words) => found.iter().any(|text| fits(words, text)),
            Test::Every(words) => !found.is_empty() && found.iter().all(|text| fits(words, text)),
            Test::Contains(part) => found.iter().flatten().any(|text| text.contains(part.as_str())),
            Test::Exists(wanted) => found.iter().flatten().any(|text| !text.is_empty()) == *wanted,
        }
    }
}

impl Then {
    fn outcome(&self, opened: &Opened<'_>) -> Outcome {
        let response = opened.response;
        match self {
            Then::Accepted(finder) => {
                let found = finder.as_ref().and_then(|finder| finder.find(opened));
                Outcome::Accepted { provider_id: found.and_then(as_id) }
            }
            Then::Rejected(reason) => rejected(*reason),
            Then::Deferred(reason, later) => {
                let later = || later.as_ref().and_then(|later| later.span(opened));
                deferred(*reason, response.retry_after.or_else(later))
            }
            Then::Unknown(reason) => unknown(*reason),
        }
    }
}

impl Finder {
    fn find(&self, opened: &Opened<'_>) -> Option<String> {
        match self {
            Finder::Json(path) => path.text(opened.json.as_ref()?),
            Finder::Between(after, before) => {
                let (_, rest) = opened.text.split_once(after.as_str())?;
                let end = if before.is_empty() { rest.len() } else { rest.find(before.as_str())? };
                Some(rest[..end].trim().to_owned())
            }
        }
    }
}

impl Later {
    fn span(&self, opened: &Opened<'_>) -> Option<Span> {
        match self {
            Later::After(span) => Some(*span),
            Later::Json(path) => {
                path.text(opened.json.as_ref()?)?.parse::<f64>().ok().map(|secs| capped(secs.ceil() as i64))
            }
        }
    }
}

// === reading ===

fn then(table: &mut Table, diags: &mut Diagnostics) -> Option<Then> {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Said {
        Accepted,
        Rejected,
        Deferred,
        Unknown,
    }
    let outcomes = [
        ("accepted", Said::Accepted),
        ("rejected", Said::Rejected),
        ("deferred", Said::Deferred),
        ("unknown", Said::Unknown),
    ];
    let finder = table.table("id", diags).and_then(|table| finder(table, diags));
    let later = later(table, diags);
    let why = reason(table, "reason", diags);
    if table.key("then").is_none() {
        table.missing("then", diags);
        return None;
    }
    let said = table.choice("then", &outcomes, diags)?;
    let idle = |present: bool, key: &str, of: Said, diags: &mut Diagnostics| {
        if present && said.value != of {
            diags.push(
                Diagnostic::error("conflict", format!("`{key}` says nothing here"))
                    .at(&said.place, "with this outcome")
                    .help(format!("leave `{key}` out")),
            );
        }
    };
    idle(finder.is_some(), "id", Said::Accepted, diags);
    idle(later.is_some(), "retry_after", Said::Deferred, diags);
    match (said.value, why) {
        (Said::Accepted, _) => Some(Then::Accepted(finder)),
        (Said::Rejected, Some(reason)) => Some(Then::Rejected(reason)),
        (Said::Rejected, None) => {
            table.missing("reason", diags);
            None
        }
        (Said::Deferred, reason) => Some(Then::Deferred(reason.unwrap_or(Reason::Throttled), later)),
        (Said::Unknown, reason) => Some(Then::Unknown(reason.unwrap_or(Reason::Unreadable))),
    }
}

fn finder(mut table: Table, diags: &mut Diagnostics) -> Option<Finder> {
    let json = path(&mut table, "json", diags);
    let after = table.string("after", diags);
    let before = table.string("before", diags).map(|text| text.value).unwrap_or_default();
    let place = table.place().clone();
    table.finish(diags);
    match (json, after) {
        (Some(path), None) => Some(Finder::Json(path)),
        (None, Some(after)) => Some(Finder::Between(after.value, before)),
        _ => {
            let help =
                "write `id = { json = \"messages.0.id\" }` or `id = { after = \"id=\", before = \";\" }`";
            super::words::refuse("id", &place, help, diags);
            None
        }
    }
}

fn later(table: &mut Table, diags: &mut Diagnostics) -> Option<Later> {
    let loose = table.loose("retry_after", diags)?;
    let help = "write `retry_after = \"30s\"` or `retry_after = { json = \"wait\" }`, in seconds";
    match loose.value {
        Loose::Text(text) => match crate::diag::parse_span(&text) {
            Some(span) => Some(Later::After(span)),
            None => {
                super::words::refuse("retry_after", &loose.place, help, diags);
                None
            }
        },
        Loose::Table(mut table) => {
            let found = path(&mut table, "json", diags);
            table.finish(diags);
            found.map(Later::Json)
        }
        _ => {
            super::words::refuse("retry_after", &loose.place, help, diags);
            None
        }
    }
}

/// Reads statuses: `200`, `[200, 202]` or `"2xx"`.
fn statuses(loose: Spanned<Loose>, diags: &mut Diagnostics) -> Vec<RangeInclusive<u16>> {
    let items = match loose.value {
        Loose::Many(items) => items,
        one => vec![Spanned { value: one, place: loose.place }],
    };
    let mut ranges = Vec::new();
    for item in items {
        let range = match &item.value {
            Loose::Whole(code) => {
                u16::try_from(*code).ok().filter(|c| (100..=599).contains(c)).map(|code| code..=code)
            }
            Loose::Text(text) => {
                let class = text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok());
                class.filter(|c| (1..=5).contains(c)).map(|class| class * 100..=class * 100 + 99)
            }
            _ => None,
        };
        match range {
            Some(range) => ranges.push(range),
            None => super::words::refuse("status", &item.place, "write 200, [200, 202] or \"2xx\"", diags),
        }
    }
    ranges
}

/// Reads a condition: a word, a list of words, or a table of `every`, `contains` and `exists`.
fn tests(key: &'static str, loose: Spanned<Loose>, diags: &mut Diagnostics) -> Vec<Test> {
    let Loose::Table(mut table) = loose.value else { return vec![Test::OneOf(words_of(key, loose, diags))] };
    table.call(format!("a condition in `{key}`"));
    let every = words(&mut table, "every", diags);
    let mut tests = Vec::new();
    if !every.is_empty() {
        tests.push(Test::Every(every));
    }
    tests.extend(table.string("contains", diags).map(|text| Test::Contains(text.value)));
    tests.extend(table.bool("exists", diags).map(|wanted| Test::Exists(wanted.value)));
    if tests.is_empty() && table.keys().next().is_none() {
        let help = "write a word, a list of words, or one of `every`, `contains`, `exists`; a longer path stands in \
                    quotes: `json.\"messages.0.status\"`";
        super::words::refuse(key, &loose.place, help, diags);
    }
    table.finish(diags);
    tests
}

#[cfg(test)]
mod tests;
