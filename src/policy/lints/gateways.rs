//! Channels and failure domains that no configured gateway has.
//!
//! Bad: `never_domains = ["metta"]`. Good: the name as in `wasl.toml`. A channel without a gateway is told once, where
//! it is first named: shipped rules name more channels than most have. A rule that is left with nothing is told always.

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
    let mut told = BTreeSet::new();
    for channel in set.rules.iter().flat_map(|rule| &rule.steps).flat_map(|step| &step.channels) {
        if gateways.iter().any(|gateway| gateway.channel == channel.value) || !told.insert(channel.value) {
            continue;
        }
        diags.push(
            Diagnostic::warning("no-gateway", format!("no gateway serves `{}`", channel.value))
                .at(&channel.place, "is passed over here and in every other step")
                .help(format!("add a `[[gateway]]` with `channel = \"{}\"` to wasl.toml", channel.value)),
        );
    }
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
