//! Drafts of all files together to one checked policy.

use super::lints::{LINTS, Set};
use super::parse::{self, Draft};
use super::source::PolicyFiles;
use crate::core::gateway::GatewayConfig;
use crate::core::policy::{ASSUME_AFTER, Confirm, LAST_RULE, Policy, RULES_MAX, Rule, STEPS_MAX, Step};
use crate::diag::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A policy in which nothing is an error: the only thing that becomes the policy in force.
#[derive(Debug)]
pub struct CheckedPolicy {
    policy: Arc<Policy>,
}

impl CheckedPolicy {
    /// Returns what to put in force.
    pub fn into_policy(self) -> Arc<Policy> {
        self.policy
    }

    /// Returns what to put in force, and stays.
    pub fn shared(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    /// Returns the policy, to look at it.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// Checks texts, and where they are known, holds them against the configured gateways. `None`: something is an error.
pub fn check(
    files: &PolicyFiles,
    gateways: Option<&[GatewayConfig]>,
    diags: &mut Diagnostics,
) -> Option<CheckedPolicy> {
    let before = diags.errors();
    let drafts: Vec<Draft> = files.sources().iter().flat_map(|source| parse::file(source, diags)).collect();
    limits(&drafts, diags);
    names(&drafts, diags);
    let set = Set { rules: &drafts, gateways };
    for lint in LINTS {
        lint(&set, diags);
    }
    if diags.errors() > before {
        return None;
    }
    let rules = drafts.into_iter().map(rule).chain([Rule::last()]).collect();
    Some(CheckedPolicy { policy: Arc::new(Policy { hash: files.hash(), rules }) })
}

fn limits(drafts: &[Draft], diags: &mut Diagnostics) {
    // One place is the built-in last rule's.
    if let Some(draft) = drafts.get(RULES_MAX - 1) {
        diags.push(
            Diagnostic::error("too-many", format!("more than {} rules", RULES_MAX - 1))
                .at(&draft.place, "one too many")
                .help("join rules that differ in their audiences alone"),
        );
    }
    for draft in drafts.iter().filter(|draft| draft.steps.len() > STEPS_MAX) {
        diags.push(
            Diagnostic::error("too-many", format!("{} has more than {STEPS_MAX} steps", draft.called()))
                .at(&draft.place, format!("these are {}", draft.steps.len()))
                .help("put several channels into one step"),
        );
    }
}

fn names(drafts: &[Draft], diags: &mut Diagnostics) {
    let mut seen = BTreeMap::new();
    for name in drafts.iter().filter_map(|draft| draft.name.as_ref()) {
        if name.value == LAST_RULE {
            diags.push(
                Diagnostic::error(
                    "duplicate-rule",
                    format!("`{LAST_RULE}` is the name of Wasl's own last rule"),
                )
                .at(&name.place, "the name is taken")
                .help("give the rule another name"),
            );
        }
        let Some(first) = seen.insert(name.value.as_str(), &name.place) else { continue };
        let (file, line) = (first.source.name(), first.start().line);
        diags.push(
            Diagnostic::error("duplicate-rule", format!("two rules are called `{}`", name.value))
                .at(&name.place, format!("the first is at {file}:{line}"))
                .help("give one of them another name: records and explanations name the rule"),
        );
    }
}

fn rule(draft: Draft) -> Rule {
    let deadline = draft.deadline.as_ref().map(|deadline| deadline.value);
    let step = |step: parse::StepDraft| {
        let (wait, learned) = step.wait(deadline);
        let channels = step.channels.into_iter().map(|channel| channel.value).collect();
        Step { channels, send: step.send, wait, learned }
    };
    Rule {
        name: draft.name.map(|name| name.value).unwrap_or_default(),
        when: draft.when,
        deadline,
        expiry: draft.expiry.map(|expiry| expiry.value),
        confirm: draft.confirm.map_or(Confirm::Delivered, |confirm| confirm.value),
        on_unknown: draft.on_unknown,
        strict: draft.strict.map(|strict| strict.value),
        assume_after: draft.assume_after.map_or(ASSUME_AFTER, |span| span.value),
        escalate: draft.escalate.map(|list| list.value).unwrap_or_default(),
        never: draft.never.into_iter().map(|channel| channel.value).collect(),
        never_domains: draft.never_domains.into_iter().map(|domain| domain.value).collect(),
        steps: draft.steps.into_iter().map(step).collect(),
    }
}
