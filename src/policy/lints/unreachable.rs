//! A rule behind one that takes everything it would take.
//!
//! Bad: a rule without `when`, and any rule after it. Good: the rule without `when` last of all.
//! Also found: a later rule that has every condition of an earlier one, word for word.

use super::Set;
use crate::diag::{Diagnostic, Diagnostics};
use std::collections::BTreeSet;

pub(super) fn check(set: &Set<'_>, diags: &mut Diagnostics) {
    let asked: Vec<BTreeSet<String>> = set
        .rules
        .iter()
        .map(|rule| rule.when.iter().map(|criterion| criterion.explain()).collect())
        .collect();
    for (place, rule) in set.rules.iter().enumerate() {
        let Some(earlier) = (0..place).find(|earlier| asked[*earlier].is_subset(&asked[place])) else {
            continue;
        };
        let taker = &set.rules[earlier];
        let (file, line) = (taker.place.source.name(), taker.place.start().line);
        let why = match asked[earlier].is_empty() {
            true => "which has no condition,",
            false => "which asks for no more than this one,",
        };
        let label = format!("{}, {why} takes its messages at {file}:{line}", taker.called());
        diags.push(
            Diagnostic::warning("unreachable-rule", format!("{} is never used", rule.called()))
                .at(&rule.place, label)
                .help(
                    "move it before that rule (rules are tried in the order of file names, then as written)",
                ),
        );
    }
}
