//! One thing that is wrong, and the collection of all of them.

use super::render;
use super::source::{Place, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// The most diagnostics that are kept: beyond it a file is not TOML but something else.
const DIAGNOSTICS_MAX: usize = 500;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// The file cannot be used.
    Error,
    /// It can be used and may not mean what its author thinks.
    Warning,
}

/// Where something is wrong.
#[derive(Clone, Debug)]
pub enum At {
    /// In no file (a missing variable, ...).
    Nowhere,
    /// In a file as a whole.
    File(String),
    /// At a place of a file.
    Place(Place),
}

/// One thing that is wrong: what, where, why, and what to do.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad.
    pub level: Level,
    /// A word for it that does not change: `unknown-key`.
    pub code: &'static str,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// Where.
    pub at: At,
    /// What stands beside the caret.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
}

/// All that is wrong with a set of files.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
    /// Secrets' literals that a reader came upon.
    masked: Vec<Place>,
    /// The keys that the readers of each kind of table asked for.
    known: BTreeMap<String, BTreeSet<&'static str>>,
}

// === impl Level ===

impl Level {
    /// Returns the word: `error` or `warning`.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
        }
    }
}

// === impl Diagnostic ===

impl Diagnostic {
    fn new(level: Level, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic { level, code, message: message.into(), at: At::Nowhere, label: String::new(), help: None }
    }

    /// Starts an error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Level::Error, code, message)
    }

    /// Starts a warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Level::Warning, code, message)
    }

    /// Says where, and what to write beside the caret.
    #[must_use]
    pub fn at(mut self, place: &Place, label: impl Into<String>) -> Diagnostic {
        self.at = At::Place(place.clone());
        self.label = label.into();
        self
    }

    /// Says in which file, where no place is to blame.
    #[must_use]
    pub fn in_file(mut self, name: impl Into<String>) -> Diagnostic {
        self.at = At::File(name.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Returns the file's name, or nothing.
    pub fn file(&self) -> &str {
        match &self.at {
            At::Nowhere => "",
            At::File(name) => name,
            At::Place(place) => place.source.name(),
        }
    }

    /// Returns the line, from 1, where a place is to blame.
    pub fn line(&self) -> Option<usize> {
        match &self.at {
            At::Place(place) => Some(place.start().line),
            At::Nowhere | At::File(_) => None,
        }
    }

    fn span(&self) -> Range<usize> {
        match &self.at {
            At::Place(place) => place.span.clone(),
            _ => 0..0,
        }
    }
}

// === impl Diagnostics ===

impl Diagnostics {
    /// Adds one; beyond the limit it is dropped, and errors before warnings are not: see [`Diagnostics::has_errors`].
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < DIAGNOSTICS_MAX {
            self.found.push(diagnostic);
        } else if diagnostic.level == Level::Error && !self.has_errors() {
            self.found[DIAGNOSTICS_MAX - 1] = diagnostic;
        }
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: Diagnostics) {
        other.found.into_iter().for_each(|d| self.push(d));
        self.masked.extend(other.masked);
        other.known.into_iter().for_each(|(path, keys)| self.know(path, keys));
    }

    /// Keeps which keys the reader of a table asked for.
    pub(super) fn know(&mut self, path: String, keys: BTreeSet<&'static str>) {
        self.known.entry(path).or_default().extend(keys);
    }

    /// Returns, for each kind of table that was read to its end, by its path in the file, the keys that it may have: what
    /// the documentation is held against.
    pub fn known(&self) -> &BTreeMap<String, BTreeSet<&'static str>> {
        &self.known
    }

    /// Hides a place wherever its line is shown.
    pub fn mask(&mut self, place: Place) {
        self.masked.push(place);
    }

    /// Says whether anything is an error.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// Returns how many errors there are.
    pub fn errors(&self) -> usize {
        self.count(Level::Error)
    }

    /// Returns how many warnings there are.
    pub fn warnings(&self) -> usize {
        self.count(Level::Warning)
    }

    fn count(&self, level: Level) -> usize {
        self.found.iter().filter(|d| d.level == level).count()
    }

    /// Says whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns all of them by file and place.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut all: Vec<_> = self.found.iter().collect();
        all.sort_by(|a, b| {
            (a.file(), a.span().start, a.span().end).cmp(&(b.file(), b.span().start, b.span().end))
        });
        all
    }

    /// Writes all of them for people, without colour.
    pub fn render(&self) -> String {
        render::text(self, false)
    }

    /// Writes the errors alone, for who must act on them first.
    pub fn render_errors(&self) -> String {
        let errors = self.found.iter().filter(|d| d.level == Level::Error).cloned().collect();
        Diagnostics { found: errors, masked: self.masked.clone(), ..Diagnostics::default() }.render()
    }

    /// Writes all of them for a terminal that shows colour.
    pub fn render_coloured(&self) -> String {
        render::text(self, true)
    }

    /// Writes all of them for programs: an array of objects with `level`, `code`, `message`, `file`, `line`, `column`,
    /// `end_line`, `end_column`, `label` and `help`.
    pub fn to_json(&self) -> serde_json::Value {
        render::json(self)
    }

    /// Returns what a line of this file must not show.
    pub(super) fn hidden(&self, source: &Arc<Source>, line: Range<usize>) -> Vec<Range<usize>> {
        let marked = self
            .masked
            .iter()
            .filter(|place| place.source.name() == source.name())
            .map(|place| place.span.start.max(line.start)..place.span.end.min(line.end));
        let mut hidden: Vec<_> = source
            .secrets_on(line.clone())
            .into_iter()
            .chain(marked)
            .filter(|span| span.start < span.end)
            .collect();
        hidden.sort_by_key(|span| span.start);
        hidden
    }
}
