//! An alert's XML, read as all XML from outside is; what is wrong is the caller's problem, with its place.

use crate::api::problem::{Kind, Problem};
use crate::diag::xml::{self, Unreadable};
use roxmltree::Document;

/// Reads bytes as UTF-8, the one encoding that is taken.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Problem> {
    xml::text(bytes).map_err(unreadable)
}

/// Parses a text that keeps to the limits.
pub(super) fn document(text: &str) -> Result<Document<'_>, Problem> {
    xml::document(text).map_err(unreadable)
}

fn unreadable(Unreadable { why, line, column }: Unreadable) -> Problem {
    located(Kind::Unreadable, &why, line, column)
}

/// A problem at a place of the document.
pub(super) fn located(kind: Kind, why: &str, line: u32, column: u32) -> Problem {
    Problem::new(kind, format!("line {line}, column {column}: {why}"))
        .with("line", line)
        .with("column", column)
}
