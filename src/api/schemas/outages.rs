//! Outages, and what they did.

use super::{at, count, list, or_null, to, whole, words};
use crate::core::channel::Channel;
use serde_json::{Value, json};

/// Describes an outage.
pub(super) fn one() -> Value {
    whole(json!({
        "id": {"type": "string", "pattern": "^o-[0-9]+$"}, "of": {"type": "object", "minProperties": 1},
        "channel": or_null(words(Channel::ALL.iter().map(|channel| channel.name()))), "onset": at(), "detected": at(), "recovered": or_null(at()), "cause": text(),
        "layer": or_null(text()), "attempts_failed": count(),
        "blame": words(["channel", "region", "line", "domain", "open"]),
        "evidence": list(json!({"type": "object", "required": ["kind"]})),
    }))
}

/// Describes what an outage did.
pub(super) fn report() -> Value {
    whole(json!({
        "outage": to("Outage"), "complete": {"type": "boolean"}, "late_after_ms": count(), "all": to("ReportGroup"),
        "audiences": list(to("ReportGroup")), "sectors": list(to("ReportGroup")), "regions": list(to("ReportGroup")),
        "channels": list(to("ReportGroup")),
        "into_it": whole(json!({"attempts": count(), "failed": count(), "swallowed": count(), "spared": count()})),
        "fixed_order": {"type": ["object", "null"],
            "description": "What would have been had each delivery tried what was down, by those that did."},
    }))
}

/// Describes what an outage did to a group.
pub(super) fn group() -> Value {
    whole(json!({
        "deliveries": count(), "reached": count(), "rerouted": count(), "delayed": count(), "missed": count(),
        "open": count(), "duplicated": count(), "reached_within_ms": {"type": "object"},
        "asked": count(), "answered": count(), "answered_within_ms": or_null(count()),
    }))
}

fn text() -> Value {
    json!({"type": "string"})
}
