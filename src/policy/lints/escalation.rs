//! Contacts who would never be told.
//!
//! Bad: `escalate` without `deadline`. Good: both.

use super::Set;
use crate::diag::{Diagnostic, Diagnostics};

pub(super) fn check(set: &Set<'_>, diags: &mut Diagnostics) {
    for rule in set.rules.iter().filter(|rule| rule.deadline.is_none()) {
        if let Some(escalate) = rule.escalate.as_ref().filter(|list| !list.value.is_empty()) {
            diags.push(
                Diagnostic::warning(
                    "escalate-without-deadline",
                    format!("{} never escalates", rule.called()),
                )
                .at(&escalate.place, "they are told when a deadline is missed, and there is none")
                .help("add `deadline = \"2m\"`, or remove `escalate`"),
            );
        }
    }
}
