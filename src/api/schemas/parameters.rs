//! The parameters of calls, in path, query and head.

use super::{MESSAGE_ID, at, count, words};
use crate::api::call::PAGE_ROWS_MAX;
use crate::api::deliveries::{STATES, state_word};
use crate::api::gateways::outage_state;
use crate::api::intake::NAME_CHARS_MAX;
use crate::api::messages::IDEMPOTENCY_KEY_CHARS_MAX;
use crate::api::reach::Who;
use crate::core::channel::Channel;
use crate::core::message::Severity;
use crate::core::reply::ReplyKind;
use crate::core::view::State;
use crate::web::message::TEXT_SHOWN;
use crate::web::operate::{Act, DONE};
use serde_json::{Value, json};

/// Describes a parameter by the name that the table of calls gives it.
pub(in crate::api) fn parameter(name: &str) -> Value {
    let (place, written, schema) = match name {
        "outage_id" => ("path", "id", json!({"type": "string", "pattern": "^o-[0-9]+$"})),
        "message_id" => ("path", "id", json!({"type": "string", "pattern": MESSAGE_ID})),
        "thread" => ("path", "thread", json!({"type": "string", "pattern": "^[a-z0-9-]+$"})),
        "gateway_name" => ("path", "name", json!({"type": "string", "pattern": "^[a-z0-9-]+$"})),
        "gateway" => ("path", "gateway", json!({"type": "string", "pattern": "^[a-z0-9-]+$"})),
        "asset_name" => ("path", "name", json!({"type": "string", "pattern": "^[a-z0-9.-]+$"})),
        "rest" => ("path", "rest", json!({"type": "string", "minLength": 1})),
        "before_message" => ("query", "before", json!({"type": "string", "pattern": MESSAGE_ID})),
        "before_reply" => {
            ("query", "before", json!({"type": "string", "pattern": "^-?[0-9]{1,15}-[0-9a-f]{16}$"}))
        }
        "of_message" => ("query", "message", json!({"type": "string", "pattern": MESSAGE_ID})),
        "of_incident" => {
            ("query", "incident", json!({"type": "string", "minLength": 1, "maxLength": NAME_CHARS_MAX}))
        }
        "reply_kind" => ("query", "kind", words(ReplyKind::ALL.map(ReplyKind::name))),
        "before_delivery" | "after_delivery" => (
            "query",
            name.trim_end_matches("_delivery"),
            json!({"type": "string", "pattern": format!("{}-[0-9]{{1,10}}$", MESSAGE_ID.trim_end_matches('$'))}),
        ),
        "delivery_state" => ("query", "state", words(STATES.map(state_word))),
        "of_gateway" => (
            "query",
            "gateway",
            json!({"type": "string", "description": "The gateway of the latest attempt."}),
        ),
        "severity" => ("query", name, words(Severity::ALL.iter().map(|severity| severity.name()))),
        "before_outage" => ("query", "before", json!({"type": "string", "pattern": "^(o-)?[0-9]{1,18}$"})),
        "before_act" => ("query", "before", count()),
        "after_act" => ("query", "after", count()),
        "who" | "act_named" => ("query", name.trim_end_matches("_named"), json!({"type": "string"})),
        "since" | "until" => ("query", name, at()),
        "after_index" => ("query", "after", json!({"type": "integer", "minimum": 0, "maximum": u32::MAX})),
        "after_contact" => ("query", "after", json!({"type": "string"})),
        "limit" => ("query", "limit", json!({"type": "integer", "minimum": 1, "maximum": PAGE_ROWS_MAX})),
        "gateway_state" => ("query", "state", words(State::ALL.map(State::name))),
        "outage_state" => ("query", "state", words([true, false].map(outage_state))),
        "channel" => ("query", "channel", words(Channel::ALL.map(Channel::name))),
        "reach_who" => ("query", "who", words(Who::ALL.map(Who::name))),
        "audience" => ("query", "audience", json!({"type": "string"})),
        "dry_run" | "again" | "drill" => ("query", name, json!({"type": "boolean"})),
        "lang" => ("query", "lang", json!({"type": "string", "description": "en, ar, or ar-u-nu-arab"})),
        "of" => ("query", "of", json!({"type": "string", "description": "The page's own address."})),
        "find" => (
            "query",
            "find",
            json!({"type": "string", "description": "An id of a message, delivery or attempt."}),
        ),
        "delivery_index" => {
            ("query", "delivery", json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}))
        }
        "text_shown" => ("query", "text", words([TEXT_SHOWN])),
        "act" => ("query", "act", words(Act::ALL.map(Act::name))),
        "done" => ("query", "done", words(DONE)),
        "gateway_begun" => ("query", "gateway", json!({"type": "string"})),
        "message_begun" => ("query", "message", json!({"type": "string"})),
        "next" => ("query", "next", json!({"type": "string"})),
        "Idempotency-Key" => (
            "header",
            name,
            json!({"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_CHARS_MAX, "pattern": "^[!-~]+$"}),
        ),
        other => ("header", other, json!({"type": "string"})),
    };
    json!({"name": written, "in": place, "required": place == "path", "schema": schema})
}
