//! What the program takes, the schemas take; what neither takes is told apart from what only the program refuses.

use super::super::call::from_json;
use super::super::contacts;
use super::super::intake::{Body, Correction};
use super::super::people::recipient;
use super::*;
use crate::core::time::Timestamp;
use regex_automata::Input;
use regex_automata::dfa::Automaton;
use regex_automata::dfa::dense::DFA;

/// What `\s` is to a reader of JSON Schema. Cites: ECMA-262, WhiteSpace and LineTerminator.
const SPACE: &str = r"\t-\r \u00a0\ufeff\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";

/// Validates by the part of JSON Schema that is used for what goes in; a word that it does not know is a failure.
fn fits(schema: &Value, value: &Value) -> bool {
    let all = all();
    let schema = match schema["$ref"].as_str() {
        Some(name) => &all[name.rsplit('/').next().unwrap()],
        None => schema,
    };
    let size = |limit: &Value| limit.as_u64().unwrap() as usize;
    schema.as_object().unwrap().iter().all(|(word, limit)| match (word.as_str(), value) {
        ("description" | "examples" | "default", _) => true,
        // A remark, unless somebody asks for more.
        ("format", _) => true,
        ("type", _) => match limit {
            Value::Array(kinds) => kinds.iter().any(|kind| is_a(kind, value)),
            kind => is_a(kind, value),
        },
        ("enum", _) => limit.as_array().unwrap().contains(value),
        ("const", _) => limit == value,
        ("anyOf", _) => limit.as_array().unwrap().iter().any(|one| fits(one, value)),
        ("oneOf", _) => limit.as_array().unwrap().iter().filter(|one| fits(one, value)).count() == 1,
        ("pattern", Value::String(text)) => matches(limit.as_str().unwrap(), text),
        ("minLength", Value::String(text)) => text.chars().count() >= size(limit),
        ("maxLength", Value::String(text)) => text.chars().count() <= size(limit),
        ("minimum", Value::Number(number)) => number.as_f64() >= limit.as_f64(),
        ("maximum", Value::Number(number)) => number.as_f64() <= limit.as_f64(),
        ("minItems", Value::Array(items)) => items.len() >= size(limit),
        ("maxItems", Value::Array(items)) => items.len() <= size(limit),
        ("items", Value::Array(items)) => items.iter().all(|item| fits(limit, item)),
        ("minProperties", Value::Object(members)) => members.len() >= size(limit),
        ("maxProperties", Value::Object(members)) => members.len() <= size(limit),
        ("required", Value::Object(members)) => {
            limit.as_array().unwrap().iter().all(|name| members.contains_key(name.as_str().unwrap()))
        }
        ("properties", Value::Object(members)) => {
            members.iter().all(|(name, member)| limit.get(name).is_none_or(|schema| fits(schema, member)))
        }
        ("propertyNames", Value::Object(members)) => {
            members.keys().all(|name| fits(limit, &name.as_str().into()))
        }
        ("additionalProperties", Value::Object(members)) => members.iter().all(|(name, member)| {
            let known = schema["properties"].get(name).is_some();
            known || (limit != &json!(false) && fits(limit, member))
        }),
        (
            "pattern"
            | "minLength"
            | "maxLength"
            | "minimum"
            | "maximum"
            | "minItems"
            | "maxItems"
            | "items"
            | "minProperties"
            | "maxProperties"
            | "required"
            | "properties"
            | "propertyNames"
            | "additionalProperties",
            _,
        ) => true,
        (unknown, _) => panic!("`{unknown}` is not understood here"),
    })
}

fn is_a(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("`{other}` is not understood here"),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let dfa = DFA::new(&pattern.replace(r"\s", SPACE)).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    dfa.try_search_fwd(&Input::new(text)).unwrap().is_some()
}

fn is_taken(body: &Value) -> bool {
    let now = Timestamp::from_ms(1_795_000_000_000);
    let checked = from_json::<Body>(body.to_string().as_bytes()).and_then(|body| body.check(now));
    checked.is_ok_and(|checked| checked.to.into_iter().all(|entry| recipient(entry.person).is_ok()))
}

fn message(change: impl FnOnce(&mut Value)) -> Value {
    let mut message =
        json!({"severity": "minor", "to": [{"sms": "+970599000001"}], "text": {"en": "Leave now."}});
    change(&mut message);
    message
}

#[test]
fn every_address_that_is_taken_is_described() {
    let check = |channel: &str, address: Value, taken: bool| {
        let body = message(|message| message["to"] = json!([{channel: address}]));
        assert_eq!(is_taken(&body), taken, "{body}");
        if taken {
            assert!(fits(&to("Message"), &body), "refused by the schema alone: {body}");
        }
    };
    let sms = |text: &str, taken| check("sms", text.into(), taken);
    sms("00970 599 000 001", true);
    sms("\u{202a}+970 (599) 000/001\u{202c}", true);
    sms("٠٠٩٧٠٥٩٩٠٠٠٠٠١", true);
    sms("0599", false);
    for (text, taken) in [
        ("amal@example.org", true),
        ("Amal.Q+alerts@Mail.Health.Example.ORG", true),
        ("o'neil@sub-domain.example.org", true),
        ("أمل@مثال.شبكة", true),
        (" amal@example.org ", true),
        ("amal@localhost", false),
        ("a..b@example.org", false),
    ] {
        check("email", text.into(), taken);
        check("imessage", text.into(), taken);
    }
    check("imessage", "+970 599 000 001".into(), true);
    check("telegram", "-1001234567890".into(), true);
    check("telegram", json!(-1_001_234_567_890_i64), true);
    check("telegram", "٨١٢٣٤٥٦٧".into(), true);
    check("telegram", json!(0), false);
    check("webhook", "ملف-٧".into(), true);
    check("matrix", "@amal:example.org".into(), true);
    check("matrix", "@amal example".into(), false);
}

#[test]
fn every_message_that_is_taken_is_described_and_what_is_not_is_mostly_refused() {
    let check = |taken: bool, change: fn(&mut Value)| {
        let body = message(change);
        assert_eq!((is_taken(&body), fits(&to("Message"), &body)), (taken, taken), "{body}");
    };
    check(true, |_| {});
    check(true, |m| {
        m["text"] = json!({});
        m["template"] =
            json!({"name": "evacuate", "params": {"Area 1": "x", "المنطقة": "الشرق", "a.b-c": ""}});
    });
    check(true, |m| m["text"] = json!({"sl-rozaj-biske-1994-x-y": "x", "ar-PS": "غادروا"}));
    check(true, |m| {
        m["template"] = Value::Null;
        m["urgency"] = Value::Null;
    });
    check(false, |m| m["text"] = json!({}));
    check(false, |m| {
        m["text"] = json!({});
        m["template"] = Value::Null;
    });
    check(false, |m| m["text"] = json!({"english": "x"}));
    check(false, |m| m["template"] = json!({"name": "t", "params": {" ": "x"}}));
    check(false, |m| m["to"] = json!([]));
    check(false, |m| m["tags"] = json!({"Bad Name": "x"}));
}

#[test]
fn every_correction_that_is_taken_is_described() {
    let check = |taken: bool, body: Value| {
        assert_eq!(from_json::<Correction>(body.to_string().as_bytes()).is_ok(), taken, "{body}");
        assert_eq!(fits(&to("Correction"), &body), taken, "{body}");
    };
    check(true, json!({"reason": "wrong road", "text": {"en": "Leave by the west road."}}));
    check(
        true,
        json!({"reason": "x", "text": {}, "template": {"name": "t"}, "severity": null, "tags": null}),
    );
    check(false, json!({"text": {"en": "x"}}));
    check(false, json!({"reason": "x", "text": {"en": "x"}, "to": [{"contact": "c-17"}]}));
}

#[test]
fn every_contact_that_is_taken_is_described() {
    let check = |taken: bool, change: fn(&mut Value)| {
        let mut row = json!({"id": "c-17"});
        change(&mut row);
        assert_eq!(contacts::refusals(row.as_object().unwrap()).is_empty(), taken, "{row}");
        assert_eq!(fits(&to("Contact"), &row), taken, "{row}");
    };
    check(true, |_| {});
    check(true, |row| row["deputy"] = "".into());
    check(true, |row| row["consent"] = "بموافقتها، ٢٠٢٦".into());
    check(true, |row| row["audiences"] = json!(["residents-s", "الشرق"]));
    check(false, |row| row["deputy"] = " ".into());
    check(false, |row| row["language"] = "arabic".into());
    check(false, |row| row["id"] = "".into());
    check(false, |row| row["consent"] = "a\nb".into());
}
