//! `[[operator]]` and `[notices]`: who is told when something needs a person, and who is told that all is well.
//!
//! ```toml
//! [[operator]]
//! name     = "amal"
//! language = "ar"                    # or "en"
//! email    = "amal@example.org"
//! contact  = "duty-officer"          # of the address book: its other roads are taken when mail is down
//!
//! [notices]
//! heartbeat_url   = { file = "/run/secrets/heartbeat" }  # asked while all is well; who watches it misses it otherwise
//! heartbeat_every = "1m"
//! ```

use super::gateway::name;
use super::server::host_of;
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Secret, Table};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// The most operators: each notice is a delivery for each of them.
const OPERATORS_MAX: usize = 100;
/// How often the heartbeat's address is asked, where the file does not say.
const HEARTBEAT_EVERY: Span = Span::from_mins(1);
/// How often it may be asked.
const HEARTBEAT_RANGE: RangeInclusive<Span> = Span::from_secs(10)..=Span::from_hours(24);

/// Who is told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Notices {
    /// The people.
    pub operators: Vec<Operator>,
    /// The dead man's switch.
    pub heartbeat: Option<Heartbeat>,
}

/// Somebody who is told when something needs a person. Its address is personal: it is not in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Operator {
    /// The name.
    pub name: String,
    /// The language of what is told: `ar` or `en`.
    pub language: &'static str,
    /// The address for e-mail.
    pub email: Option<String>,
    /// The contact whose roads are taken as well.
    pub contact: Option<String>,
}

/// An address that is asked while all is well.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heartbeat {
    /// The whole address; whoever knows it can pass for us.
    pub url: Secret,
    /// How often.
    pub every: Span,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Operator({}, {})", self.name, self.language)
    }
}

pub(super) fn read(operators: Vec<Table>, notices: Option<Table>, diags: &mut Diagnostics) -> Notices {
    if let Some(one) = operators.get(OPERATORS_MAX) {
        diags.push(
            Diagnostic::error("too-many", format!("more than {OPERATORS_MAX} operators"))
                .at(one.place(), "one too many")
                .help("an audience of the address book is the way to tell many people"),
        );
    }
    let mut names = BTreeSet::new();
    let operators = operators.into_iter().filter_map(|table| operator(table, &mut names, diags)).collect();
    Notices { operators, heartbeat: notices.and_then(|table| heartbeat(table, diags)) }
}

fn operator(mut table: Table, names: &mut BTreeSet<String>, diags: &mut Diagnostics) -> Option<Operator> {
    let name = name(&mut table, "operator", names, diags);
    let language = table.choice("language", &[("ar", "ar"), ("en", "en")], diags);
    let email = table.string("email", diags);
    if let Some(email) = email.as_ref().filter(|email| !is_address(&email.value)) {
        diags.push(
            Diagnostic::error("bad-value", format!("the `email` of {} is no address", table.called()))
                .at(&email.place, "not NAME@HOST")
                .help("write one address, without a name or angle brackets: `email = \"amal@example.org\"`"),
        );
    }
    let contact = table.string("contact", diags);
    if email.is_none() && contact.is_none() {
        diags.push(
            Diagnostic::error("missing-key", format!("{} has neither `email` nor `contact`", table.called()))
                .at(table.place(), "this operator cannot be told anything")
                .help("give an `email`, the id of a `contact` of the address book, or both"),
        );
    }
    table.finish(diags);
    Some(Operator {
        name: name?,
        language: language.map_or("en", |language| language.value),
        email: email.map(|email| email.value),
        contact: contact.map(|contact| contact.value),
    })
}

/// Says whether this can be an address; the mail server has the last word.
fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    parts && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ','))
}

fn heartbeat(mut table: Table, diags: &mut Diagnostics) -> Option<Heartbeat> {
    let url = table.secret("heartbeat_url", diags);
    let every = table.span_in("heartbeat_every", HEARTBEAT_RANGE, diags);
    // What a `#` begins is never sent: an address that is told apart by it is another than was meant.
    let is_usable = |url: &str| host_of(url).is_some() && !url.contains('#');
    if url.as_ref().is_some_and(|url| !is_usable(url.expose())) {
        diags.push(
            Diagnostic::error("bad-url", "the `heartbeat_url` of [notices] is no address")
                .at(table.place(), "in this table")
                .help("write `https://`, a host and a path, as the watching service gives it"),
        );
    }
    table.finish(diags);
    Some(Heartbeat { url: url?, every: every.map_or(HEARTBEAT_EVERY, |every| every.value) })
}
