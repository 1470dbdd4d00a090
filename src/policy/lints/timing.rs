//! Times that cannot all hold.
//!
//! Bad: `deadline = "20s"` and a first step with `wait = "30s"`: the second step starts after the deadline.
//! Good: the waits of all steps but the last add up to less than the deadline.

use super::Set;
use crate::core::policy::SendMode;
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Spanned};
use crate::policy::parse::Draft;

pub(super) fn check(set: &Set<'_>, diags: &mut Diagnostics) {
    for rule in set.rules {
        if let Some(deadline) = &rule.deadline {
            waits(rule, deadline, diags);
            life(rule, deadline, diags);
        }
        assumption(rule, diags);
    }
}

fn waits(rule: &Draft, deadline: &Spanned<Span>, diags: &mut Diagnostics) {
    let mut starts = Span::ZERO;
    for (place, step) in rule.steps.iter().enumerate() {
        let number = place + 1;
        let past = |wait: &&Spanned<Option<Span>>| wait.value.is_some_and(|wait| wait > deadline.value);
        if let Some(wait) = step.wait.as_ref().filter(past) {
            let message = format!("step {number} of {} waits longer than the deadline", rule.called());
            diags.push(
                Diagnostic::warning("wait-past-deadline", message)
                    .at(&wait.place, format!("the deadline is {}", deadline.value))
                    .help("shorten the wait, or allow more time by `deadline`"),
            );
            return;
        }
        if place > 0 && starts >= deadline.value {
            let message = format!("step {number} of {} starts after the deadline", rule.called());
            diags.push(
                Diagnostic::warning("late-step", message)
                    .at(&deadline.place, format!("the waits before that step add up to {starts}"))
                    .help("shorten the waits, or allow more time by `deadline`"),
            );
            return;
        }
        // `each` waits once for every channel.
        let turns = if step.send == SendMode::Each { step.channels.len().max(1) } else { 1 };
        starts = starts + step.wait(Some(deadline.value)).0.times(turns as i64);
    }
}

fn life(rule: &Draft, deadline: &Spanned<Span>, diags: &mut Diagnostics) {
    let Some(expiry) = rule.expiry.as_ref().filter(|expiry| expiry.value < deadline.value) else { return };
    diags.push(
        Diagnostic::warning("deadline-past-expiry", format!("{} expires before its deadline", rule.called()))
            .at(&deadline.place, format!("the expiry is {}", expiry.value))
            .help("let `expiry` be longer than `deadline`"),
    );
}

fn assumption(rule: &Draft, diags: &mut Diagnostics) {
    let strict = rule.strict.as_ref().is_some_and(|strict| strict.value);
    if let Some(assume) = rule.assume_after.as_ref().filter(|_| strict) {
        diags.push(
            Diagnostic::warning("unused-key", format!("{} is strict and assumes nothing", rule.called()))
                .at(&assume.place, "has no effect with `strict = true`")
                .help("remove one of the two"),
        );
    }
}
