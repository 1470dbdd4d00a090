//! One file's text to drafts of rules: every key read and placed, nothing yet held against other rules.

use super::criteria;
use crate::core::channel::Channel;
use crate::core::policy::{
    Confirm, Criterion, LEARNED_WAIT_MAX, LEARNED_WAITS, OnUnknown, STEP_WAIT, SendMode,
};
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Place, Source, Spanned, Table, did_you_mean};
use std::sync::Arc;

/// The longest name of a rule, in characters: it is shown in tables.
const NAME_CHARS_MAX: usize = 80;
/// The shortest wait: below it a step would start before a provider can have answered.
const WAIT_MIN: Span = Span::from_ms(100);
/// In place of a wait: as long as receipts take.
const LEARNED: &str = "auto";
/// The longest wait of a step.
const WAIT_MAX: Span = Span::from_hours(24);
/// The longest deadline and expiry: news of a month ago warns nobody.
const LIFE_MAX: Span = Span::from_hours(30 * 24);
/// The most contacts that one rule tells.
const ESCALATE_MAX: usize = 32;

/// A rule as written.
#[derive(Debug)]
pub(super) struct Draft {
    /// Its `[[rule]]`.
    pub(super) place: Place,
    pub(super) name: Option<Spanned<String>>,
    pub(super) when: Vec<Box<dyn Criterion>>,
    pub(super) deadline: Option<Spanned<Span>>,
    pub(super) expiry: Option<Spanned<Span>>,
    pub(super) confirm: Option<Spanned<Confirm>>,
    pub(super) on_unknown: Option<OnUnknown>,
    pub(super) strict: Option<Spanned<bool>>,
    pub(super) assume_after: Option<Spanned<Span>>,
    pub(super) escalate: Option<Spanned<Vec<String>>>,
    pub(super) never: Vec<Spanned<Channel>>,
    pub(super) never_domains: Vec<Spanned<String>>,
    pub(super) steps: Vec<StepDraft>,
}

/// A step as written.
#[derive(Debug)]
pub(super) struct StepDraft {
    pub(super) channels: Vec<Spanned<Channel>>,
    pub(super) send: SendMode,
    /// `Some(None)`: learned.
    pub(super) wait: Option<Spanned<Option<Span>>>,
}

impl StepDraft {
    /// Returns how long it waits, and whether that is the longest of a learned wait.
    pub(super) fn wait(&self, deadline: Option<Span>) -> (Span, bool) {
        match self.wait.as_ref().map(|wait| wait.value) {
            None => (STEP_WAIT, false),
            Some(Some(wait)) => (wait, false),
            Some(None) => {
                let part = deadline.map(|deadline| Span::from_ms(deadline.ms() / LEARNED_WAITS));
                (part.map_or(LEARNED_WAIT_MAX, |part| part.clamp(WAIT_MIN, LEARNED_WAIT_MAX)), true)
            }
        }
    }
}

impl Draft {
    /// Returns how messages call it.
    pub(super) fn called(&self) -> String {
        self.name.as_ref().map_or("the rule".into(), |name| format!("rule `{}`", name.value))
    }
}

/// Reads every rule of a file.
pub(super) fn file(source: &Arc<Source>, diags: &mut Diagnostics) -> Vec<Draft> {
    let Some(mut top) = Table::parse(source, diags) else { return Vec::new() };
    let rules = top.tables("rule", diags);
    top.finish(diags);
    rules.into_iter().map(|table| rule(table, diags)).collect()
}

fn rule(mut table: Table, diags: &mut Diagnostics) -> Draft {
    table.call("the rule");
    let name = table.required_string("name", diags);
    if let Some(name) = &name {
        table.call(format!("rule `{}`", name.value));
        check_name(name, diags);
    }
    let confirms =
        [Confirm::Accepted, Confirm::Delivered, Confirm::Read, Confirm::Acknowledged].map(|c| (c.name(), c));
    let unknowns = [OnUnknown::Repeat, OnUnknown::Ask, OnUnknown::Wait].map(|u| (u.name(), u));
    let draft = Draft {
        place: table.place().clone(),
        name,
        when: when(&mut table, diags),
        deadline: table.span_in("deadline", Span::from_secs(1)..=LIFE_MAX, diags),
        expiry: table.span_in("expiry", Span::from_secs(1)..=LIFE_MAX, diags),
        confirm: table.choice("confirm", &confirms, diags),
        on_unknown: table.choice("on_unknown", &unknowns, diags).map(|word| word.value),
        strict: table.bool("strict", diags),
        assume_after: table.span_in("assume_after", Span::ZERO..=WAIT_MAX, diags),
        escalate: escalate(&mut table, diags),
        never: channels(&mut table, "never", diags).map(|list| list.value).unwrap_or_default(),
        never_domains: table.strings("never_domains", diags).map(|list| list.value).unwrap_or_default(),
        steps: steps(&mut table, diags),
    };
    table.finish(diags);
    draft
}

fn check_name(name: &Spanned<String>, diags: &mut Diagnostics) {
    if name.value.chars().count() > NAME_CHARS_MAX || name.value.chars().any(char::is_control) {
        diags.push(
            Diagnostic::error("bad-name", "a rule's name is one short line")
                .at(&name.place, "too long, or with a line break")
                .help(format!("use at most {NAME_CHARS_MAX} characters")),
        );
    }
}

fn when(table: &mut Table, diags: &mut Diagnostics) -> Vec<Box<dyn Criterion>> {
    let owner = table.called().to_owned();
    let Some(mut when) = table.table("when", diags) else { return Vec::new() };
    when.call(format!("`when` of {owner}"));
    let criteria = criteria::KINDS.iter().filter_map(|kind| (kind.parse)(&mut when, diags)).collect();
    when.finish(diags);
    criteria
}

fn escalate(table: &mut Table, diags: &mut Diagnostics) -> Option<Spanned<Vec<String>>> {
    let contacts = table.strings("escalate", diags)?;
    if contacts.value.len() > ESCALATE_MAX {
        diags.push(
            Diagnostic::error("too-many", format!("`escalate` of {} tells too many", table.called()))
                .at(&contacts.place, format!("these are {}", contacts.value.len()))
                .help(format!("name at most {ESCALATE_MAX} contacts who can act")),
        );
    }
    for contact in contacts.value.iter().filter(|contact| contact.value.trim().is_empty()) {
        diags.push(
            Diagnostic::error("empty", format!("`escalate` of {} names nobody here", table.called()))
                .at(&contact.place, "no contact's id")
                .help("write the id of a contact, or remove it"),
        );
    }
    Some(contacts.map(|list| list.into_iter().map(|contact| contact.value).collect()))
}

fn steps(table: &mut Table, diags: &mut Diagnostics) -> Vec<StepDraft> {
    let owner = table.called().to_owned();
    let tables = table.tables("step", diags);
    if tables.is_empty() {
        diags.push(
            Diagnostic::error("no-step", format!("{owner} has no step"))
                .at(table.place(), "nothing would be sent")
                .help("add `[[rule.step]]` with `channels = [\"sms\"]` below it"),
        );
    }
    let number = |(place, table)| (place + 1, table);
    tables.into_iter().enumerate().map(number).map(|(n, table)| step(n, table, &owner, diags)).collect()
}

fn step(number: usize, mut table: Table, owner: &str, diags: &mut Diagnostics) -> StepDraft {
    table.call(format!("step {number} of {owner}"));
    let modes = [SendMode::Best, SendMode::All, SendMode::Each].map(|mode| (mode.name(), mode));
    if table.key("channels").is_none() {
        table.missing("channels", diags);
    }
    let before = diags.errors();
    let channels = channels(&mut table, "channels", diags);
    // Where a name was wrong, that is the mistake, not the array that it leaves empty.
    let sound = diags.errors() == before;
    if let Some(empty) = channels.as_ref().filter(|list| list.value.is_empty() && sound) {
        diags.push(
            Diagnostic::error("no-channel", format!("step {number} of {owner} has no channel"))
                .at(&empty.place, "nothing would be sent")
                .help("name at least one channel, as `channels = [\"sms\"]`, or remove the step"),
        );
    }
    let step = StepDraft {
        channels: channels.map(|list| list.value).unwrap_or_default(),
        send: table.choice("send", &modes, diags).map_or(SendMode::Best, |mode| mode.value),
        wait: table.span_in_or_word("wait", LEARNED, WAIT_MIN..=WAIT_MAX, diags),
    };
    table.finish(diags);
    step
}

/// Reads an array of channels; an unknown one is an error, one named twice a warning.
fn channels(
    table: &mut Table,
    key: &'static str,
    diags: &mut Diagnostics,
) -> Option<Spanned<Vec<Spanned<Channel>>>> {
    let texts = table.strings(key, diags)?;
    let mut found: Vec<Spanned<Channel>> = Vec::new();
    for text in texts.value {
        match text.value.parse::<Channel>() {
            Ok(channel) if found.iter().any(|known| known.value == channel) => diags.push(
                Diagnostic::warning(
                    "duplicate-channel",
                    format!("{} names `{channel}` twice", table.called()),
                )
                .at(&text.place, "once is enough")
                .help("remove it"),
            ),
            Ok(value) => found.push(Spanned { value, place: text.place }),
            Err(_) => diags.push(
                Diagnostic::error("unknown-channel", format!("{} names `{}`", table.called(), text.value))
                    .at(&text.place, "no channel has this name")
                    .help(did_you_mean(&text.value, Channel::SERVED.iter().map(|c| c.name()))),
            ),
        }
    }
    Some(Spanned { value: found, place: texts.place })
}
