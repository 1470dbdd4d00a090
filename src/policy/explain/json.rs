//! An explanation for programs.

use super::{Explanation, GatewayVerdict, RuleVerdict, StepVerdict};
use crate::core::record::Standing;
use serde_json::{Value, json};

impl Explanation {
    /// Writes it as JSON; times are in milliseconds.
    pub fn to_json(&self) -> Value {
        let described = &self.described;
        json!({
            "message": {
                "severity": described.severity.name(),
                "urgency": described.urgency.name(),
                "status": described.status.name(),
                "incident": described.incident,
                "tags": described.tags,
            },
            "recipient": {
                "language": described.language,
                "region": described.region,
                "sector": described.sector,
                "audiences": described.audiences,
                "channels": described.channels.iter().map(|channel| channel.name()).collect::<Vec<_>>(),
            },
            "policy": self.policy,
            "live": self.live,
            "rule": self.rule(),
            "rules": self.rules.iter().map(rule).collect::<Vec<_>>(),
            "confirm": self.confirm.name(),
            "strict": self.strict,
            "assume_after_ms": self.assume_after.ms(),
            "on_unknown": self.on_unknown.name(),
            "deadline_ms": self.deadline.map(|deadline| deadline.ms()),
            "expiry_ms": self.expiry.ms(),
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "outside": self.outside.iter().map(gateway).collect::<Vec<_>>(),
            "taken": self.taken().iter().map(|gateway| gateway.gateway.as_str()).collect::<Vec<_>>(),
        })
    }
}

fn rule(rule: &RuleVerdict) -> Value {
    let criteria: Vec<_> = rule
        .criteria
        .iter()
        .map(|c| json!({"key": c.key, "asks": c.asks, "found": c.found, "met": c.met}))
        .collect();
    json!({"rule": rule.rule, "used": rule.used, "criteria": criteria})
}

fn step(step: &StepVerdict) -> Value {
    json!({
        "number": step.number,
        "send": step.send.name(),
        "channels": step.channels.iter().map(|channel| channel.name()).collect::<Vec<_>>(),
        "starts_after_ms": step.starts_after.ms(),
        "wait_ms": step.wait.ms(),
        "wait_learned": step.learned,
        "gateways": step.gateways.iter().map(gateway).collect::<Vec<_>>(),
    })
}

fn gateway(gateway: &GatewayVerdict) -> Value {
    json!({
        "gateway": gateway.gateway,
        "channel": gateway.channel.name(),
        "state": gateway.now.state.name(),
        "health": gateway.now.health,
        "standing": word(gateway.standing),
        "taken": gateway.taken,
        "why": gateway.why,
    })
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Eligible => "eligible",
        Standing::LaterStep => "later_step",
        Standing::Doubtful => "doubtful",
        Standing::Down => "down",
        Standing::Held => "held",
        Standing::Maintenance => "maintenance",
        Standing::Drill => "drill",
        Standing::Deferred => "deferred",
        Standing::QuotaExhausted => "quota_exhausted",
        Standing::UplinkDown => "uplink_down",
        Standing::Forbidden => "forbidden",
        Standing::NoAddress => "no_address",
        Standing::Refused => "refused",
        Standing::Removed => "removed",
    }
}
