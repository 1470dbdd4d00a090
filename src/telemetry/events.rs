//! The core's events as lines of the log.

use crate::core::channel::GatewayId;
use crate::core::effect::Event;
use crate::core::evidence::CanaryResult;
use crate::core::record::OutageOf;
use crate::core::time::Span;
use crate::core::view::State;
use tracing::{debug, info, warn};

/// Writes an event to the log. What happens once a delivery is `debug`; what an operator should see is `info` or above.
pub fn log(event: &Event, name_of: &dyn Fn(GatewayId) -> String) {
    match event {
        Event::Accepted { message, severity, deliveries, by_last_rule, .. } => {
            info!(id = %message, %severity, deliveries, "accepted a message");
            if *by_last_rule > 0 {
                warn!(id = %message, recipients = by_last_rule, "no written rule is for these recipients: the built-in one is used");
            }
        }
        Event::Answered { attempt, gateway, outcome, took } => {
            let reason = outcome.reason().map_or("none", |r| r.name());
            debug!(%attempt, gateway = name_of(*gateway), outcome = outcome.name(), reason, took_ms = took.ms(), "a gateway answered");
        }
        Event::Failover { delivery, from, to, reason, .. } => {
            let reason = reason.map_or("wait_ran_out", |r| r.name());
            debug!(%delivery, from = name_of(*from), to = name_of(*to), reason, "a delivery went to another gateway");
        }
        Event::Receipt { attempt, gateway, kind, lag } => {
            debug!(%attempt, gateway = name_of(*gateway), %kind, lag_ms = lag.ms(), "a receipt came");
        }
        Event::Canary { gateway, region, result, lag } => {
            let (gateway, lag_ms) = (name_of(*gateway), lag.map_or(0, Span::ms));
            match result {
                CanaryResult::Delivered => debug!(gateway, region, lag_ms, "a canary arrived"),
                CanaryResult::Missed => {
                    warn!(gateway, region, "a canary was taken and did not arrive in time")
                }
                CanaryResult::Refused(reason) => {
                    warn!(gateway, region, %reason, "a canary was refused: is its account still there?");
                }
            }
        }
        Event::StrayReceipt { gateway } => {
            debug!(gateway = name_of(*gateway), "a receipt came that no open attempt answers to");
        }
        Event::Replied { gateway, kind, message } => {
            let id = message.map_or_else(|| "none".to_owned(), |id| id.to_string());
            debug!(gateway = name_of(*gateway), %kind, id, "a recipient answered");
        }
        Event::NeedHelp { message, people, fresh, drill, .. } => {
            let id = message.map_or_else(|| "none".to_owned(), |id| id.to_string());
            warn!(id, people, fresh, drill, "recipients need help");
        }
        Event::HelpErased { calls, .. } => {
            warn!(calls, "calls for help were closed by an erasure");
        }
        Event::Settled { delivery, result, duplicated, took, .. } => {
            debug!(%delivery, %result, duplicated, took_ms = took.ms(), "a delivery settled");
        }
        Event::DeadlineMissed { message, deliveries, severity, .. } => {
            warn!(id = %message, deliveries, %severity, "deliveries missed their deadline");
        }
        Event::State { gateway, from, to, reason, layer } => {
            let (gateway, reason) = (name_of(*gateway), reason.map_or("none", |r| r.name()));
            let layer = layer.map_or("none", |l| l.name());
            match to {
                State::Down => warn!(gateway, %from, %to, reason, layer, "a gateway changed its state"),
                _ => info!(gateway, %from, %to, reason, layer, "a gateway changed its state"),
            }
        }
        Event::OutageOpened { outage, of, cause, detection, .. } => {
            warn!(%outage, of = named(of), %cause, detection_ms = detection.ms(), "an outage was declared");
        }
        Event::OutageTurned { outage, from, of, blame } => {
            warn!(%outage, from = named(from), of = named(of), blame = blame.name(), "an outage is known better");
        }
        Event::OutageClosed { outage, of, lasted } => {
            info!(%outage, of = named(of), lasted_ms = lasted.ms(), "an outage is over");
        }
        Event::Uplink { uplink, up: true } => info!(uplink, "our own line is back"),
        Event::Uplink { uplink, up: false } => warn!(uplink, "our own line is down"),
        Event::Overlay { gateway, act, who } => {
            let gateway = gateway.map_or_else(|| "all".to_string(), name_of);
            warn!(gateway, act = act.name(), who, "what may be used was changed");
        }
        Event::ClockJumped { by } => {
            warn!(by_ms = by.ms(), "the wall clock jumped; due times stay as they are")
        }
        Event::PolicyInForce { hash } => info!(hash, "a new policy is in force"),
    }
}

fn named(of: &OutageOf) -> String {
    match of {
        OutageOf::Gateway(name) => format!("gateway {name}"),
        OutageOf::Channel(channel) => format!("channel {channel}"),
        OutageOf::Uplink(name) => format!("uplink {name}"),
        OutageOf::Slice { gateway, region } => format!("gateway {gateway} in region {region:?}"),
        OutageOf::Region(name) => format!("region {name}"),
        OutageOf::Domain(name) => format!("domain {name}"),
    }
}
