//! A step that uses what its own rule forbids.
//!
//! Bad: `never = ["sms"]` and a step with `channels = ["sms"]`. Good: a channel stands in one of them.

use super::Set;
use crate::diag::{Diagnostic, Diagnostics};

pub(super) fn check(set: &Set<'_>, diags: &mut Diagnostics) {
    for rule in set.rules {
        for channel in rule.steps.iter().flat_map(|step| &step.channels) {
            if rule.never.iter().any(|never| never.value == channel.value) {
                let message = format!("{} uses `{}` and forbids it", rule.called(), channel.value);
                diags.push(
                    Diagnostic::warning("forbidden-channel", message)
                        .at(&channel.place, "`never` wins: it is not used here")
                        .help("remove it from the step or from `never`"),
                );
            }
        }
    }
}
