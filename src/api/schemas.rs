//! The shapes of what goes in and out, as JSON Schema; the bounds are the constants that the code holds to.
//!
//! Invariant: what the program takes, the schema of what goes in takes too: a caller who checks by it is never stopped from
//! sending what would have been sent. The other way round it may be wider, where a pattern cannot say it.

mod outages;
mod parameters;
mod queue;

pub(super) use parameters::parameter;

use super::contacts::{AUDIENCES_MAX, CONTACT_ROWS_MAX};
use super::intake::{
    LANGUAGE_TAG_MAX, NAME_CHARS_MAX, PARAM_CHARS_MAX, PARAMS_MAX, TAGS_MAX, TEXT_CHARS_MAX, TO_MAX,
};
use super::messages::REASON_CHARS_MAX;
use super::problem::Kind;
use super::tokens::TOKEN_NAME_CHARS_MAX;
use crate::core::channel::Channel;
use crate::core::hearsay::Word;
use crate::core::message::{LANGUAGES_MAX, Severity, Status, Urgency};
use crate::core::outcome::DeliveryResult;
use crate::core::query::Role;
use crate::core::reply::ReplyKind;
use crate::core::view::State;
use serde_json::{Map, Value, json};

/// A printable name that is not blank, as `check_name` asks.
const NAME: &str =
    r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";
/// A text: more than spaces, no control characters but line breaks and tabs.
const TEXT: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";
/// What is printable, blank or not.
const PRINTABLE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
/// A language's tag.
const LANGUAGE: &str = "^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$";
/// A message's id.
const MESSAGE_ID: &str = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$";
/// A number in its normal form.
const E164: &str = r"^\+[1-9][0-9]{6,14}$";
/// Digits of any script that is read, with what people write between them.
const DIGITS: &str = r"^[^A-Za-z@]*[0-9\u0660-\u0669\u06f0-\u06f9][^A-Za-z@]*$";
/// An e-mail address as most are.
const MAILBOX: &str = r"^[A-Za-z0-9_%+-]{1,20}(\.[A-Za-z0-9_%+-]{1,20}){0,2}@([a-z0-9]{1,20}(-[a-z0-9]{1,20})?\.){1,3}[a-z]{2,10}$";
/// What can be one: a part before the `@`, and a domain of two labels or more.
const MAILBOX_LIKE: &str = r"^[\s]*[^\s@]{1,64}@([^\s@.]{1,63}\.)+[^\s@.]{1,63}[\s]*$";
/// What has no form of its own: a word.
const WORD: &str = r"^[\s]*[^\s\u0000-\u001f\u007f-\u009f]+[\s]*$";

/// Every schema by its name.
pub(super) fn all() -> Value {
    let mut all = Map::new();
    for part in [inputs(), answers(), pictures(), lists()] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    all.into()
}

fn name() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": NAME_CHARS_MAX, "pattern": NAME})
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    json!({"type": "string", "enum": words.into_iter().collect::<Vec<_>>()})
}

fn or_null(mut schema: Value) -> Value {
    match schema.get_mut("type") {
        Some(kind @ Value::String(_)) => {
            *kind = json!([kind.take(), "null"]);
            if let Some(Value::Array(words)) = schema.get_mut("enum") {
                words.push(Value::Null);
            }
            schema
        }
        _ => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

fn at() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// Numbers by key.
fn counts(description: &str) -> Value {
    json!({"type": "object", "additionalProperties": count(), "description": description})
}

fn share() -> Value {
    json!({"type": "number", "minimum": 0, "maximum": 1})
}

fn to(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn list(of: Value) -> Value {
    json!({"type": "array", "items": of})
}

/// An object of which every member is there.
fn whole(members: Value) -> Value {
    let names: Vec<&String> = members.as_object().map(|members| members.keys().collect()).unwrap_or_default();
    json!({"type": "object", "required": names, "properties": members})
}

/// An object that a caller gives: no other members.
fn given(required: &[&str], members: Value) -> Value {
    json!({"type": "object", "required": required, "properties": members, "additionalProperties": false})
}

/// A text of one of these forms, the usual one first.
fn of_forms(forms: &[&str]) -> Value {
    let forms: Vec<_> = forms.iter().map(|form| json!({"type": "string", "pattern": form})).collect();
    json!({"anyOf": forms})
}

/// The channels' keys, each with the form of its addresses.
fn addresses() -> Map<String, Value> {
    let described = |mut schema: Value, description: &str, example: &str| {
        schema["description"] = description.into();
        schema["examples"] = json!([example]);
        schema
    };
    let form = |channel| match channel {
        Channel::Whatsapp | Channel::Signal | Channel::Sms | Channel::Voice => described(
            of_forms(&[E164, DIGITS]),
            "Brought to E.164: spaces, dashes, 00 and Arabic digits are understood.",
            "+970599000001",
        ),
        Channel::Telegram => described(
            json!({"anyOf": [
                {"type": "string", "pattern": "^-?[1-9][0-9]{0,17}$"}, {"type": "string", "pattern": DIGITS},
                {"type": "integer", "minimum": 1}, {"type": "integer", "maximum": -1},
            ]}),
            "A chat id.",
            "81234567",
        ),
        Channel::Email => {
            described(of_forms(&[MAILBOX, MAILBOX_LIKE]), "At most 256 bytes.", "amal@example.org")
        }
        Channel::Imessage => described(
            of_forms(&[E164, MAILBOX, DIGITS, MAILBOX_LIKE]),
            "A number, as for `sms`, or an e-mail address.",
            "+970599000001",
        ),
        _ => described(
            of_forms(&["^[!-~]{1,256}$", WORD]),
            "A word of at most 256 bytes, as it is known there.",
            "r-7f3a",
        ),
    };
    Channel::ALL.into_iter().map(|channel| (channel.name().to_owned(), form(channel))).collect()
}

fn person() -> Map<String, Value> {
    let mut members = addresses();
    members.insert(
        "language".into(),
        json!({"type": "string", "maxLength": LANGUAGE_TAG_MAX, "pattern": LANGUAGE, "examples": ["ar"]}),
    );
    members.insert("region".into(), name());
    members.insert("sector".into(), name());
    members
}

fn inputs() -> Value {
    let named = |what: &str| given(&[what], json!({what: name()}));
    let by_address: Vec<_> =
        Channel::ALL.into_iter().map(|channel| json!({"required": [channel.name()]})).collect();
    let mut by_addresses = given(&[], person().into());
    by_addresses["anyOf"] = by_address.into();
    let mut contact = person();
    contact.insert("id".into(), name());
    contact.insert("name".into(), name());
    contact.insert("audiences".into(), json!({"type": "array", "maxItems": AUDIENCES_MAX, "items": name()}));
    contact.insert(
        "consent".into(),
        json!({"type": "string", "maxLength": NAME_CHARS_MAX, "pattern": PRINTABLE}),
    );
    contact.insert("deputy".into(), json!({"anyOf": [name(), {"const": ""}]}));
    let reason = json!({
        "type": "string", "minLength": 1, "maxLength": REASON_CHARS_MAX, "pattern": NAME,
        "description": "Why; kept in the record.",
    });
    let texts = json!({
        "type": "object", "maxProperties": LANGUAGES_MAX,
        "propertyNames": {"maxLength": LANGUAGE_TAG_MAX, "pattern": LANGUAGE},
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX, "pattern": TEXT},
        "examples": [{"ar": "غادروا الآن نحو المدرسة.", "en": "Leave now for the school."}],
    });
    let mut message = given(
        &["severity", "to"],
        json!({
            "severity": words(Severity::ALL.iter().map(|v| v.name())),
            "urgency": or_null(words(Urgency::ALL.iter().map(|v| v.name()))),
            "status": or_null(words(Status::ALL.iter().map(|v| v.name()))),
            "incident": or_null(name()),
            "expires": or_null(json!({"type": "string", "format": "date-time", "description": "In the future."})),
            "to": {"type": "array", "minItems": 1, "maxItems": TO_MAX, "items": to("To")},
            "text": texts,
            "template": or_null(to("Template")),
            "ack": {"type": "array", "uniqueItems": true, "items": {"enum": ["safe", "need_help"]}},
            "tags": {
                "type": "object", "maxProperties": TAGS_MAX,
                "propertyNames": {"pattern": "^[a-z0-9_-]{1,64}$"}, "additionalProperties": name(),
            },
        }),
    );
    message["anyOf"] = json!([
        {"required": ["text"], "properties": {"text": {"minProperties": 1}}},
        {"required": ["template"], "properties": {"template": {"type": "object"}}},
    ]);
    let mut correction = message.clone();
    correction["required"] = json!(["reason"]);
    if let Some(keys) = correction["properties"].as_object_mut() {
        for key in ["to", "status", "incident", "ack"] {
            keys.remove(key);
        }
        // What is not said stays as it was, and null says nothing.
        for key in ["severity", "tags"] {
            let kept = keys.remove(key).map(or_null);
            keys.extend(kept.map(|schema| (key.to_owned(), schema)));
        }
        keys.insert("reason".into(), reason.clone());
    }
    json!({
        "Message": message,
        "Correction": correction,
        "To": {"oneOf": [named("audience"), named("contact"), by_addresses]},
        "Template": given(&["name"], json!({
            "name": name(),
            "language": or_null(json!({
                "type": "string", "pattern": "^[A-Za-z0-9_-]{2,16}$",
                "description": "The provider's code of the language, as given there; else the recipient's is used.",
            })),
            "params": {
                "type": "object", "maxProperties": PARAMS_MAX,
                "propertyNames": {"maxLength": NAME_CHARS_MAX, "pattern": NAME},
                "additionalProperties": {"type": "string", "maxLength": PARAM_CHARS_MAX, "pattern": PRINTABLE},
            },
        })),
        "AlertmanagerGroup": {
            "type": "object",
            "required": ["version", "groupKey", "status", "alerts"],
            "properties": {
                "version": {"type": "string", "const": "4"},
                "groupKey": {"type": "string", "pattern": r"\S"},
                "truncatedAlerts": count(),
                "status": words(["firing", "resolved"]),
                "receiver": {"type": "string"},
                "externalURL": {"type": "string"},
                "alerts": {"type": "array", "minItems": 1, "items": {
                    "type": "object",
                    "required": ["status"],
                    "properties": {
                        "status": words(["firing", "resolved"]),
                        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
                        "startsAt": {"type": "string"},
                        "fingerprint": {"type": "string"},
                    },
                }},
            },
        },
        "Erase": given(&["contact", "reason"], json!({"contact": name(), "reason": reason})),
        "CallTreeAsked": given(&[], json!({
            "everybody": {"type": "boolean", "default": false, "description": "Those as well whom some road reaches."},
            "audience": name(), "reason": reason,
            "first": {"type": "array", "maxItems": AUDIENCES_MAX, "items": name(), "description": "Audiences to call first."},
        })),
        "Reason": given(&["reason"], json!({"reason": reason})),
        "Maintenance": given(&["until", "reason"], json!({"until": at(), "reason": reason})),
        "Drill": given(&["until", "reason"], json!({
            "until": at(), "reason": reason, "everybody": {
                "type": "boolean", "default": false,
                "description": "Real messages avoid it too, unless nothing better is there; needs the role admin, and another good gateway.",
            },
        })),
        "Contact": given(&["id"], contact.into()),
        "ContactRows": given(&["contacts"], json!({
            "contacts": {"type": "array", "minItems": 1, "maxItems": CONTACT_ROWS_MAX, "items": to("Contact")},
        })),
        "NewToken": given(&["name", "role"], json!({
            "name": {"type": "string", "pattern": "^[a-z0-9._-]+$", "minLength": 1, "maxLength": TOKEN_NAME_CHARS_MAX},
            "role": words(Role::ALL.map(Role::name)),
            "replace": {
                "type": "boolean", "default": false,
                "description": "End the token that has this name, and put the new one in its place. Without it a name that \
                    is taken is refused; the last admin is never replaced by a weaker role.",
            },
        })),
    })
}

fn answers() -> Value {
    let kinds: Vec<_> = Kind::ALL.iter().map(|kind| format!("urn:wasl:problem:{}", kind.name())).collect();
    json!({
        "Problem": {
            "type": "object",
            "description": "RFC 9457 problem details.",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": {"type": "string", "enum": kinds},
                "title": {"type": "string"},
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string"},
                "key": {"type": "string", "description": "The key at fault."},
                "nearest": {"type": "string", "description": "The key that was probably meant."},
                "retry_after": {"type": "integer", "minimum": 1, "description": "Seconds."},
            },
        },
        "Accepted": {
            "type": "object",
            "required": ["id", "deliveries"],
            "properties": {
                "id": {"type": "string", "pattern": MESSAGE_ID},
                "deliveries": {"type": "integer", "minimum": 1},
                "without_address": {
                    "type": "integer", "minimum": 1,
                    "description": "People of the audiences who have no address at all.",
                },
            },
        },
        "Corrected": {
            "type": "object",
            "required": ["id", "deliveries"],
            "properties": {
                "id": or_null(json!({"type": "string", "pattern": MESSAGE_ID, "description": "Nothing: nobody had got it."})),
                "deliveries": count(),
                "superseded": {
                    "type": "integer", "minimum": 0,
                    "description": "Deliveries of the corrected message that were stopped before they were tried.",
                },
                "untranslated": counts("How many read the first words in a language that the correction lacks, by that language."),
            },
        },
        "FeedTaken": {
            "type": "object",
            "required": ["id", "deliveries"],
            "properties": {
                "id": or_null(json!({"type": "string", "pattern": MESSAGE_ID, "description": "Nothing: nobody had got it."})),
                "deliveries": count(),
                "without_address": count(),
                "corrects": {"type": "string", "pattern": MESSAGE_ID, "description": "The message that it replaces."},
                "superseded": count(),
                "cancelled": count(),
                "unmapped_areas": {
                    "type": "array", "items": {"type": "string"},
                    "description": "Areas of the alert for which no audience is configured.",
                },
                "empty_audiences": {
                    "type": "array", "items": {"type": "string"}, "description": "Audiences of nobody who can be reached.",
                },
                "cut": {
                    "type": "array", "items": {"type": "string"},
                    "description": "The languages whose text was too long and had to be cut.",
                },
                "signature": {"type": "string", "const": "not checked"},
            },
        },
        "FeedNoted": {"anyOf": [to("Forecast"), {
            "type": "object",
            "required": ["sent", "why"],
            "properties": {
                "sent": {"type": "boolean", "const": false},
                "why": {"type": "string"},
                "audiences": {"type": "array", "items": {"type": "string"}},
                "languages": {"type": "array", "items": {"type": "string"}},
                "message": {"type": "string", "pattern": MESSAGE_ID, "description": "The message that told of it before."},
                "unmapped_areas": {"type": "array", "items": {"type": "string"}},
                "signature": {"type": "string", "const": "not checked"},
            },
        }, {
            "type": "object", "required": ["id", "deliveries"],
            "properties": {"id": {"type": "null"}, "deliveries": {"const": 0}},
        }]},
        "Changed": whole(json!({"changed": count()})),
        "Released": whole(json!({
            "changed": count(),
            "still_stopped": list(whole(json!({"gateway": or_null(json!({"type": "string"})), "overlay": to("Overlay")}))),
        })),
        "ContactsPut": {"type": "object", "required": ["stored", "checked"], "properties": {
            "left_out": list(json!({"type": "string"})), "stored": count(), "checked": count(), "new": count(), "changed": count(), "unchanged": count(),
            "losing": count(), "lost": counts("How many people would lose what the rows leave out, by key."),
        }},
        "Token": whole(json!({
            "name": {"type": "string"},
            "role": words(Role::ALL.map(Role::name)),
            "token": {"type": "string", "description": "Shown this once; kept as a hash."},
        })),
        "Health": {
            "type": "object",
            "properties": {"healthy": {"type": "boolean"}, "ready": {"type": "boolean"}},
        },
        "Description": {"type": "object", "required": ["openapi", "paths"]},
    })
}

fn results() -> Value {
    whole(
        DeliveryResult::ALL.into_iter().map(|r| (r.name().to_owned(), count())).collect::<Map<_, _>>().into(),
    )
}

fn pictures() -> Value {
    let channel = || words(Channel::ALL.map(Channel::name));
    let state = || words(State::ALL.map(State::name));
    let text = || json!({"type": "string"});
    json!({
        "Why": or_null(whole(json!({"name": text(), "fault": words(["recipient", "content", "gateway"])}))),
        "Overlay": or_null(whole(json!({
            "kind": words(["held", "maintenance", "drill"]), "until": or_null(at()), "who": text(), "reason": text(),
            "since": at(), "everybody": or_null(json!({"type": "boolean"})),
        }))),
        "Probe": whole(json!({
            "name": text(), "layer": text(), "reached": or_null(text()),
            "verdict": words(["fine", "limited", "noted", "failed", "says", "silent"]), "reason": to("Why"), "at": at(), "took_ms": count(),
            "says": or_null(whole(json!({"word": words(Word::ALL.map(Word::name)), "title": text()}))),
            "phases": list(whole(json!({"layer": text(), "took_us": count()}))), "valid": {"type": "boolean"},
        })),
        "Gateway": whole(json!({
            "name": text(), "channel": channel(), "configured": {"type": "boolean"}, "state": state(), "since": at(),
            "health": share(), "reason": to("Why"), "overlay": to("Overlay"), "deferred_until": or_null(at()),
            "probes": list(to("Probe")), "in_flight": count(), "unconfirmed": count(),
            "receipts": words(["none", "delivered", "read"]), "time_out_ms": count(),
            "quotas": {"type": "object", "additionalProperties": share()}, "failure_domains": list(text()),
            "canaries": list(whole(json!({
                "region": text(), "sent": or_null(at()), "result": or_null(words(["delivered", "missed", "refused"])),
                "reason": to("Why"), "at": or_null(at()), "lag_ms": or_null(count()),
            }))),
        })),
        "Channel": whole(json!({
            "channel": channel(), "state": state(), "gateways": count(), "usable": count(),
        })),
        "Uplink": whole(json!({
            "name": text(), "up": {"type": "boolean"}, "since": at(), "controls_failed": count(), "controls": count(),
        })),
        "OpenDelivery": whole(json!({
            "id": text(), "message": text(), "severity": words(Severity::ALL.iter().map(|v| v.name())),
            "drill": {"type": "boolean"},
            "since": at(), "deadline": or_null(at()), "step": count(), "gateway": or_null(text()),
            "state": words(["waiting", "backing_off", "in_flight", "unconfirmed"]),
        })),
        "Answers": whole(json!({
            "asked": list(text()), "people": count(), "acknowledged": count(), "safe": count(),
            "need_help": count(),
        })),
        "Help": whole(json!({
            "people": count(), "oldest_at": or_null(at()), "exercises": count(),
            "messages": list(whole(json!({"message": or_null(text()), "people": count(), "oldest_at": at()}))),
        })),
        "Counts": whole(json!({
            "open": count(), "waiting": count(), "backing_off": count(), "in_flight": count(),
            "unconfirmed": count(), "materialising": count(), "late": count(), "messages_open": count(),
            "settled": results(),
        })),
        "Queue": whole(queue::numbers()),
        "Forecast": whole(json!({
            "deliveries": count(), "without_address": count(), "ahead": count(),
            "steps": list(whole(json!({
                "step": count(),
                "gateways": list(whole(json!({
                    "gateway": text(), "channel": channel(), "deliveries": count(), "copies": count(),
                    "segments": or_null(count()), "cost": {"type": "number", "minimum": 0},
                }))),
            }))),
            "done_in_seconds": or_null(json!({"type": "number", "minimum": 0})), "done_at": or_null(at()),
            "late": count(),
            "lost": list(whole(json!({"result": text(), "reason": to("Why"), "deliveries": count()}))),
            "not_forecast": count(), "cost": {"type": "number", "minimum": 0},
        })),
        "Notices": whole(json!({"notices": list(to("Notice"))})),
        "Notice": whole(json!({
            "thread": text(), "kind": text(), "severity": words(Severity::ALL.iter().map(|v| v.name())), "since": at(),
            "over": or_null(at()), "told": at(), "notices": count(),
            "acknowledged": or_null(whole(json!({"who": text(), "at": at()}))),
            "silenced": or_null(whole(json!({"who": text(), "until": at(), "reason": text()}))),
        })),
        "Status": whole(json!({
            "at": at(), "turn": count(), "policy": text(), "held": to("Overlay"),
            "policy_trouble": or_null(whole(json!({"at": at(), "report": text()}))),
            "gateways": list(to("Gateway")), "channels": list(to("Channel")), "uplinks": list(to("Uplink")),
            "deliveries": to("Queue"), "outages": list(to("Outage")), "audit": to("ChainEnd"),
        })),
        "MessageShown": whole(json!({
            "id": {"type": "string", "pattern": MESSAGE_ID}, "author": text(), "accepted_at": at(),
            "severity": text(), "urgency": text(), "status": text(), "incident": or_null(text()),
            "expires": or_null(at()), "text": {"type": "object"}, "template": or_null(json!({"type": "object"})),
            "tags": {"type": "object"}, "audiences": list(text()), "deliveries": count(),
            "open": {"type": "boolean"}, "settled": results(), "late": count(), "withdrawn": or_null(text()),
            "corrects": or_null(text()),
            "answers": to("Answers"),
        })),
        "Reply": whole(json!({
            "id": text(), "at": at(), "sent_at": or_null(at()), "gateway": text(), "channel": channel(),
            "from": text(), "form": words(["text", "button", "other"]), "text": or_null(text()),
            "kind": words(ReplyKind::ALL.map(ReplyKind::name)), "message": or_null(text()),
            "delivery": or_null(text()), "quoted": {"type": "boolean"}, "incident": or_null(text()),
        })),
        "Attempt": whole(json!({
            "n": {"type": "integer", "minimum": 1}, "gateway": text(), "channel": channel(), "step": count(),
            "at": at(), "repeat": words(["no", "after_unknown", "after_wait", "together", "after_failure"]),
            "plan": count(), "outcome": or_null(words(["accepted", "rejected", "deferred", "unknown"])),
            "reason": to("Why"), "answered_at": or_null(at()),
        })),
        "Plan": whole(json!({
            "policy": text(), "rule": text(), "step": count(), "on_unknown": words(["repeat", "ask", "wait"]),
            "at": at(),
            "ranking": list(whole(json!({
                "gateway": text(), "channel": channel(), "standing": text(), "health": share(),
            }))),
        })),
        "Delivery": whole(json!({
            "id": text(),
            "recipient": {"type": "object", "description": "Addresses show their last three digits."},
            "state": words(["waiting", "in_flight", "open", "settled"]), "step": count(),
            "settled": or_null(whole(json!({
                "result": words(DeliveryResult::ALL.map(DeliveryResult::name)), "at": at(),
                "channel": or_null(channel()), "attempt": or_null(count()), "reason": to("Why"),
                "duplicated": {"type": "boolean"},
            }))),
            "attempts": list(to("Attempt")),
            "receipts": list(whole(json!({"attempt": count(), "kind": text(), "at": at()}))),
            "answer": or_null(whole(json!({"kind": text(), "at": at()}))),
            "plans": {"type": "object", "additionalProperties": to("Plan")},
        })),
    })
}

fn lists() -> Value {
    let next = || or_null(json!({"type": "string", "description": "Where the next page begins."}));
    let plain = || json!({"type": "string"});
    let hash = || json!({"type": "string", "pattern": "^[0-9a-f]{64}$"});
    json!({
        "Messages": whole(json!({"messages": list(to("MessageShown")), "next": next()})),
        "Deliveries": whole(json!({"deliveries": list(to("Delivery")), "next": or_null(count())})),
        "DeliveryList": whole(queue::with_list()),
        "Gateways": whole(json!({"gateways": list(to("Gateway"))})),
        "Replies": whole(json!({"replies": list(to("Reply")), "next": next()})),
        "Channels": whole(json!({
            "channels": list(to("Channel")),
            "opted_out": {"type": "object", "additionalProperties": count(),
                          "description": "By channel, how many addresses want nothing more on it."},
        })),
        "Outage": outages::one(), "Report": outages::report(), "ReportGroup": outages::group(),
        "Outages": whole(json!({"outages": list(to("Outage")), "next": next()})),
        "Acts": whole(json!({
            "acts": list(whole(json!({
                "number": count(), "prev": hash(), "at": at(), "who": plain(), "act": plain(), "on": plain(),
                "reason": plain(), "hash": hash(),
            }))),
            "next": or_null(count()),
            "anchor": whole(json!({"number": count(), "hash": hash(), "adopted": count()})),
            "head": to("ChainEnd"),
        })),
        "ChainEnd": whole(json!({"number": count(), "hash": hash()})),
        "Reached": whole(json!({"people": count(), "none": count(), "one": count(), "several": count()})),
        "Reach": {"anyOf": [
            whole(json!({
                "at": at(), "counted_at": or_null(at()), "all": to("Reached"), "audiences": list(to("Reached")),
                "audiences_left_out": count(),
                "channels": list(whole(json!({
                    "channel": words(Channel::ALL.map(Channel::name)), "people": count(), "usable_gateways": count(),
                }))),
            })),
            whole(json!({"contacts": list(whole(json!({
                "contact": {"type": "string"}, "roads": count(), "channels": list(json!({"type": "string"})),
                "shut": list(json!({"type": "string"})),
            }))), "next": next()})),
        ]},
        "ContactErased": whole(json!({"erased": {"type": "string"}, "at": at(), "deliveries": count(), "replies": count(), "calls_for_help": count()})),
        "CallTree": whole(json!({
            "at": at(), "everybody": {"type": "boolean"}, "audience": {"type": ["string", "null"]}, "left_out": count(),
            "without_number": count(), "people": list(whole(json!({
                "contact": {"type": "string"}, "name": {"type": "string"}, "number": {"type": ["string", "null"]},
                "by": {"type": ["string", "null"]}, "first": {"type": "boolean"}, "region": {"type": ["string", "null"]},
                "sector": {"type": ["string", "null"]}, "language": {"type": ["string", "null"]},
                "deputy": {"type": ["object", "null"]},
            }))),
        })),
        "Contacts": whole(json!({"contacts": {"type": "array", "items": {"type": "object"}}, "next": next()})),
    })
}

#[cfg(test)]
mod tests;
