//! A confirmation that no permitted road can give.
//!
//! Bad: `confirm = "read"` where every gateway says at most `delivered`. Good: what at least one gateway can say.

use super::Set;
use crate::core::gateway::Receipts;
use crate::core::policy::Confirm;
use crate::diag::{Diagnostic, Diagnostics};

pub(super) fn check(set: &Set<'_>, diags: &mut Diagnostics) {
    let Some(gateways) = set.gateways else { return };
    for rule in set.rules {
        let strict = rule.strict.as_ref().is_some_and(|strict| strict.value);
        let (least, place) = match &rule.confirm {
            Some(confirm) if confirm.value == Confirm::Read => (Receipts::Read, &confirm.place),
            Some(confirm) if confirm.value == Confirm::Delivered && strict => {
                (Receipts::Delivered, &confirm.place)
            }
            None if strict => (Receipts::Delivered, &rule.place),
            _ => continue,
        };
        let permitted = Set::permitted(gateways, rule);
        if !permitted.is_empty() && permitted.iter().all(|gateway| gateway.receipts < least) {
            let message = format!("{} can never be confirmed as {}", rule.called(), least.name());
            diags.push(
                Diagnostic::warning("never-confirmed", message)
                    .at(place, "no gateway of its steps gives such a receipt")
                    .help("ask for less by `confirm`, or add a channel whose receipts say it"),
            );
        }
    }
}
