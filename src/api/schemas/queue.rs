//! The queue in numbers, and the list of deliveries that comes with it.

use super::{at, count, list, or_null, to, words};
use crate::api::deliveries::{STATES, state_word};
use serde_json::{Value, json};

/// Describes the members of the queue in numbers.
pub(super) fn numbers() -> Value {
    json!({
        "counts": to("Counts"), "drill": to("Counts"), "need_help": to("Help"),
        "oldest_since": {"type": "object", "additionalProperties": at()},
        "oldest": list(to("OpenDelivery")),
    })
}

/// Describes the same with the list.
pub(super) fn with_list() -> Value {
    let text = || json!({"type": "string"});
    let row = json!({
        "id": text(), "message": text(), "severity": text(), "drill": {"type": "boolean"},
        "incident": or_null(text()), "accepted_at": at(), "state": words(STATES.map(state_word)),
        "reason": to("Why"), "gateway": or_null(text()), "channel": or_null(text()), "attempts": count(),
        "attempted_at": or_null(at()), "settled_at": or_null(at()), "expires": or_null(at()),
    });
    let mut members = numbers();
    members["deliveries"] = list(super::whole(row));
    members["looked_at"] = count();
    members["next"] = or_null(json!({"type": "string", "description": "Where the next page begins."}));
    members
}
