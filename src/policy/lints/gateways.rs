//! Channels and failure domains that no configured gateway has.
//!
//! Bad: `never_domains = ["metta"]`. Good: the name as in `wasl.toml`. Channels without a gateway are told
//! together and once: shipped rules name more channels than most have. A rule that is left with nothing is told always.

use super::Set;
use crate::core::gateway::GatewayConfig;
use crate::diag::{Diagnostic, Diagnostics, did_you_mean};
use std::collections::BTreeSet;

pub(super) fn check(set: &Set<'_>, diags: &mut Diagnostics) {
    let Some(gateways) = set.gateways else { return };
    channels(set, gateways, diags);
    rules(set, gateways, diags);
    domains(set, gateways, diags);
}

fn channels(set: &Set<'_>, gateways: &[GatewayConfig], diags: &mut Diagnostics) {
    let named = set.rules.iter().flat_map(|rule| &rule.steps).flat_map(|step| &step.channels);
    let idle: Vec<_> =
        named.filter(|channel| gateways.iter().all(|gateway| gateway.channel != channel.value)).collect();
    let Some(first) = idle.first() else { return };
    let channels: BTreeSet<_> = idle.iter().map(|channel| channel.value).collect();
    let words: Vec<_> = channels.iter().map(|channel| format!("`{channel}`")).collect();
    diags.push(
        Diagnostic::warning("no-gateway", format!("no gateway serves {}", words.join(", ")))
            .at(&first.place, "passed over, here and in every other step")
            .help("add a `[[gateway]]` for it to wasl.toml; if you do without it on purpose, nothing need be done"),
    );
}

fn rules(set: &Set<'_>, gateways: &[GatewayConfig], diags: &mut Diagnostics) {
    for rule in set.rules.iter().filter(|rule| rule.steps.iter().any(|step| !step.channels.is_empty())) {
        if Set::permitted(gateways, rule).is_empty() {
            diags.push(
                Diagnostic::warning("silent-rule", format!("{} can reach nobody", rule.called()))
                    .at(&rule.place, "no configured gateway is permitted in any of its steps")
                    .help("add a gateway or a channel that has one, or forbid less"),
            );
        }
    }
}

fn domains(set: &Set<'_>, gateways: &[GatewayConfig], diags: &mut Diagnostics) {
    let known: BTreeSet<&str> =
        gateways.iter().flat_map(|gateway| &gateway.failure_domains).map(String::as_str).collect();
    for domain in set.rules.iter().flat_map(|rule| &rule.never_domains) {
        if !known.contains(domain.value.as_str()) {
            diags.push(
                Diagnostic::warning(
                    "unknown-domain",
                    format!("no gateway has the failure domain `{}`", domain.value),
                )
                .at(&domain.place, "forbids nothing")
                .help(did_you_mean(&domain.value, known.iter().copied())),
            );
        }
    }
}
