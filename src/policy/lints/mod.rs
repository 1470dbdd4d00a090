//! What parses and yet may not mean what its author thinks: one file for each lint, one line in [`LINTS`].

mod confirmation;
mod escalation;
mod forbidden;
mod gateways;
mod timing;
mod unreachable;

use super::parse::Draft;
use crate::core::channel::Channel;
use crate::core::gateway::GatewayConfig;
use crate::diag::Diagnostics;

/// All rules in order, and what is known of the gateways.
pub(super) struct Set<'a> {
    pub(super) rules: &'a [Draft],
    /// `None`: the configuration is not at hand.
    pub(super) gateways: Option<&'a [GatewayConfig]>,
}

/// Every lint.
pub(super) const LINTS: &[fn(&Set<'_>, &mut Diagnostics)] = &[
    unreachable::check,
    timing::check,
    escalation::check,
    forbidden::check,
    gateways::check,
    confirmation::check,
];

impl Set<'_> {
    /// Returns the gateways that a rule may use, where they are known.
    fn permitted<'g>(gateways: &'g [GatewayConfig], rule: &Draft) -> Vec<&'g GatewayConfig> {
        let channels: Vec<Channel> =
            rule.steps.iter().flat_map(|step| &step.channels).map(|channel| channel.value).collect();
        let never = |channel| rule.never.iter().any(|never| never.value == channel);
        let barred = |domain: &String| rule.never_domains.iter().any(|never| never.value == *domain);
        let fits = |gateway: &&GatewayConfig| {
            channels.contains(&gateway.channel)
                && !never(gateway.channel)
                && !gateway.failure_domains.iter().any(barred)
        };
        gateways.iter().filter(fits).collect()
    }
}
