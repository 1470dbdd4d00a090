//! What a rule's `when` may ask: one file for each criterion, one line in [`KINDS`].
//!
//! All criteria of a rule must hold; within one, any of its words is enough. Someone of whom an attribute is not known
//! does not meet a criterion that asks for it.

mod audience;
mod incident;
mod language;
mod region;
mod sector;
mod severity;
mod status;
mod urgency;

use crate::core::policy::Criterion;
use crate::diag::{Diagnostic, Diagnostics, Spanned, Table};

/// The most words of one criterion.
const WORDS_MAX: usize = 200;

/// A kind of criterion: how to read it, and what to tell of it.
pub(super) struct Kind {
    /// Its key in `when`.
    pub(super) key: &'static str,
    /// What it asks, in a sentence.
    pub(super) about: &'static str,
    /// It, as written in a file.
    pub(super) example: &'static str,
    /// Takes its key from `when`; `None`: it is not there, or an error was reported.
    pub(super) parse: fn(&mut Table, &mut Diagnostics) -> Option<Box<dyn Criterion>>,
}

/// Every kind, in the order in which they are explained.
pub(super) const KINDS: &[Kind] = &[
    severity::KIND,
    urgency::KIND,
    status::KIND,
    audience::KIND,
    language::KIND,
    region::KIND,
    sector::KIND,
    incident::KIND,
];

/// A criterion as documentation shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Example {
    /// Its key in `when`.
    pub key: &'static str,
    /// What it asks.
    pub about: &'static str,
    /// It, as written in a file.
    pub example: &'static str,
}

/// Returns every criterion with an example of its use.
pub fn examples() -> Vec<Example> {
    KINDS.iter().map(|kind| Example { key: kind.key, about: kind.about, example: kind.example }).collect()
}

/// Reads an array of free words: audiences, regions. Empty words and an empty array are errors.
fn names(table: &mut Table, key: &'static str, diags: &mut Diagnostics) -> Option<Vec<Spanned<String>>> {
    let list = table.strings(key, diags)?;
    let list = some(table, key, list, diags)?;
    let (empty, named): (Vec<_>, Vec<_>) = list.into_iter().partition(|word| word.value.trim().is_empty());
    for word in &empty {
        diags.push(
            Diagnostic::error("empty", format!("`{key}` of {} has an empty word", table.called()))
                .at(&word.place, "matches nobody")
                .help("remove it"),
        );
    }
    Some(named)
}

/// Reads an array of closed words: severities, states.
fn words<T: Copy>(
    table: &mut Table,
    key: &'static str,
    known: &[(&str, T)],
    diags: &mut Diagnostics,
) -> Option<Vec<T>> {
    let before = diags.errors();
    let list = table.choices(key, known, diags)?;
    // Where a word was wrong, that is the mistake, not the array that it leaves empty.
    let list = if diags.errors() > before { list.value } else { some(table, key, list, diags)? };
    Some(list.into_iter().map(|word| word.value).collect())
}

fn some<T>(table: &Table, key: &str, list: Spanned<Vec<T>>, diags: &mut Diagnostics) -> Option<Vec<T>> {
    let (code, label) = match list.value.len() {
        0 => ("empty", "a rule that asks for none of anything matches nobody"),
        n if n > WORDS_MAX => ("too-many", "group these people into one audience"),
        _ => return Some(list.value),
    };
    diags.push(
        Diagnostic::error(code, format!("`{key}` of {} needs from 1 to {WORDS_MAX} words", table.called()))
            .at(&list.place, label)
            .help(format!("leave `{key}` out if it does not matter")),
    );
    None
}

/// Says `KEY is a, b or c`.
fn asks<'a>(key: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    format!("{key} is {}", either(words))
}

/// Says `KEY is x`, or that it is not known.
fn has(key: &str, word: Option<&str>) -> String {
    word.map_or_else(|| format!("{key} is not known"), |word| format!("{key} is {word}"))
}

fn either<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests;
