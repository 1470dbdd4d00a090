//! What an HTTP answer must look like: conditions on status, headers, body and JSON, and what else it may mean.
//!
//! ```toml
//!   [probe.expect]                                  # fine, if all of this holds
//!   status = 200                                    # or [200, 204], or "2xx"
//!   header.content-type = { contains = "json" }
//!   body = { contains = "running" }
//!   json."health_status.can_send_message" = "AVAILABLE"
//!   json."result.*.number" = "{account}"            # `*`: any entry of a list
//!   otherwise = "configuration"                     # the reason if it does not; `condition` unless said
//!
//!   [[probe.unless]]                                # looked at first, in order: the first that holds decides
//!   json."error.code" = [4, 80007]
//!   then   = "limited"                              # fine, limited, failed; noted: to be seen, and not weighed
//!   reason = "throttled"
//! ```
//! A condition is a value, a list of values of which one must be met, or a table of `contains`, `at_least`, `at_most`,
//! `newer` (a Unix time younger than that) and `exists`.
//!
//! Invariant: pure. Nothing of an answer leaves but a verdict.

mod reading;

use crate::core::evidence::Verdict;
use crate::core::outcome::{Fault, Reason};
use crate::core::time::{Span, Timestamp};
use hyper::HeaderMap;
use serde_json::Value;
use std::ops::RangeInclusive;

/// A Unix time above this is in milliseconds: in seconds it is the year 5138.
const SECONDS_MAX: f64 = 1e11;

/// What an answer must look like. `T` is [`Text`](super::target::Text) in a file and `String` once filled for a gateway.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Expect<T> {
    fine: Conditions<T>,
    /// The reason where they do not hold.
    otherwise: Reason,
    /// Looked at first, in order.
    unless: Vec<Case<T>>,
}

#[derive(Clone, PartialEq, Debug)]
struct Case<T> {
    conditions: Conditions<T>,
    then: Verdict,
}

/// Conditions that must all hold.
#[derive(Clone, PartialEq, Debug)]
struct Conditions<T> {
    /// Empty: any.
    status: Vec<RangeInclusive<u16>>,
    headers: Vec<(String, Vec<Test<T>>)>,
    body: Vec<Test<T>>,
    json: Vec<(Path, Vec<Test<T>>)>,
}

/// One condition on one value.
#[derive(Clone, PartialEq, Debug)]
enum Test<T> {
    OneOf(Vec<Scalar<T>>),
    Contains(T),
    AtLeast(f64),
    AtMost(f64),
    Newer(Span),
    Exists(bool),
}

#[derive(Clone, PartialEq, Debug)]
enum Scalar<T> {
    Text(T),
    Number(f64),
    Truth(bool),
}

/// The way to a value in JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Path(Vec<Step>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Named(String),
    Any,
}

/// An answer to judge.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// An answer with its JSON, where it has one that can be read.
struct Opened<'a> {
    answer: &'a Answer<'a>,
    json: Option<Value>,
    now: Timestamp,
}

/// Returns the words of the reasons that a gateway can be at fault for.
pub(crate) fn words_of_reasons() -> Vec<(&'static str, Reason)> {
    let gateway = Reason::ALL.iter().filter(|reason| reason.fault() == Fault::Gateway);
    gateway.map(|reason| (reason.name(), *reason)).collect()
}

impl Expect<String> {
    /// Says whether the body is needed at all.
    pub(crate) fn reads_body(&self) -> bool {
        self.fine.reads_body() || self.unless.iter().any(|case| case.conditions.reads_body())
    }

    /// Judges an answer: by the first case that fits, else by what is expected.
    pub(crate) fn judge(&self, answer: &Answer<'_>, now: Timestamp) -> Result<Verdict, Reason> {
        let json = if self.reads_body() { serde_json::from_slice(answer.body).ok() } else { None };
        let opened = Opened { answer, json, now };
        if let Some(case) = self.unless.iter().find(|case| case.conditions.hold(&opened)) {
            return match &case.then {
                Verdict::Failed(reason) => Err(*reason),
                other => Ok(other.clone()),
            };
        }
        if !self.fine.status.iter().any(|range| range.contains(&answer.status)) {
            return by_status(answer.status);
        }
        if !self.fine.json.is_empty() && opened.json.is_none() {
            return Err(Reason::Unreadable);
        }
        if self.fine.hold(&opened) { Ok(Verdict::Fine) } else { Err(self.otherwise) }
    }
}

/// Reads a status that was not expected.
fn by_status(status: u16) -> Result<Verdict, Reason> {
    match status {
        // It answers, and asks to be asked less.
        429 => Ok(Verdict::Limited(Reason::Throttled)),
        401 | 403 => Err(Reason::Credentials),
        404 | 405 | 410 => Err(Reason::Configuration),
        408 | 425 | 500..=599 => Err(Reason::ProviderFault),
        _ => Err(Reason::Condition),
    }
}

impl<T> Conditions<T> {
    fn reads_body(&self) -> bool {
        !self.body.is_empty() || !self.json.is_empty()
    }
}

impl Conditions<String> {
    fn hold(&self, opened: &Opened<'_>) -> bool {
        let answer = opened.answer;
        (self.status.is_empty() || self.status.iter().any(|range| range.contains(&answer.status)))
            && self.headers.iter().all(|(name, tests)| header_holds(answer.headers, name, tests))
            && self.body_holds(answer.body)
            && self.json.iter().all(|(path, tests)| json_holds(opened, path, tests))
    }

    fn body_holds(&self, body: &[u8]) -> bool {
        if self.body.is_empty() {
            return true;
        }
        let text = String::from_utf8_lossy(body);
        self.body.iter().all(|test| test.text_holds(Some(text.trim())))
    }
}

fn header_holds(headers: &HeaderMap, name: &str, tests: &[Test<String>]) -> bool {
    let value = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    tests.iter().all(|test| test.text_holds(value.as_deref()))
}

fn json_holds(opened: &Opened<'_>, path: &Path, tests: &[Test<String>]) -> bool {
    let mut found = Vec::new();
    if let Some(json) = &opened.json {
        path.find(json, &mut found);
    }
    tests.iter().all(|test| test.json_holds(&found, opened.now))
}

impl Test<String> {
    fn text_holds(&self, text: Option<&str>) -> bool {
        let number = || text.and_then(|text| text.trim().parse::<f64>().ok());
        match (self, text) {
            (Test::Exists(wanted), text) => text.is_some_and(|text| !text.is_empty()) == *wanted,
            (_, None) => false,
            (Test::OneOf(scalars), Some(text)) => scalars.iter().any(|scalar| scalar.is_text(text)),
            (Test::Contains(part), Some(text)) => text.contains(part.as_str()),
            (Test::AtLeast(low), _) => number().is_some_and(|n| n >= *low),
            (Test::AtMost(high), _) => number().is_some_and(|n| n <= *high),
            // A time in a header or a bare body is not in Unix form.
            (Test::Newer(_), _) => false,
        }
    }

    /// Says whether any of the values that the path leads to meets the condition.
    fn json_holds(&self, found: &[&Value], now: Timestamp) -> bool {
        if let Test::Exists(wanted) = self {
            return found.iter().any(|value| !value.is_null()) == *wanted;
        }
        found.iter().any(|value| match self {
            Test::OneOf(scalars) => scalars.iter().any(|scalar| scalar.is(value)),
            Test::Contains(part) => value.as_str().is_some_and(|text| text.contains(part.as_str())),
            Test::AtLeast(low) => number(value).is_some_and(|n| n >= *low),
            Test::AtMost(high) => number(value).is_some_and(|n| n <= *high),
            Test::Newer(span) => number(value).is_some_and(|n| newer(n, *span, now)),
            Test::Exists(_) => true,
        })
    }
}

/// Reads a number, which some providers write as a string.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn newer(unix: f64, span: Span, now: Timestamp) -> bool {
    let ms = if unix > SECONDS_MAX { unix } else { unix * 1000.0 };
    ms >= (now - span).ms() as f64
}

impl Scalar<String> {
    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Scalar::Text(text), Value::String(found)) => text == found,
            // An account that is written as digits in the file and as a number by the provider.
            (Scalar::Text(text), Value::Number(found)) => *text == found.to_string(),
            (Scalar::Number(number), found) => found.as_f64() == Some(*number),
            (Scalar::Truth(truth), Value::Bool(found)) => truth == found,
            _ => false,
        }
    }

    fn is_text(&self, text: &str) -> bool {
        match self {
            Scalar::Text(wanted) => wanted == text,
            Scalar::Number(number) => text.parse::<f64>() == Ok(*number),
            Scalar::Truth(truth) => text == if *truth { "true" } else { "false" },
        }
    }
}

impl Path {
    fn parse(text: &str) -> Path {
        let step = |step: &str| if step == "*" { Step::Any } else { Step::Named(step.to_owned()) };
        Path(text.split('.').map(step).collect())
    }

    fn find<'v>(&self, json: &'v Value, found: &mut Vec<&'v Value>) {
        fn walk<'v>(steps: &[Step], value: &'v Value, found: &mut Vec<&'v Value>) {
            let Some((step, rest)) = steps.split_first() else {
                found.push(value);
                return;
            };
            match (step, value) {
                (Step::Any, Value::Array(items)) => items.iter().for_each(|item| walk(rest, item, found)),
                (Step::Any, Value::Object(map)) => map.values().for_each(|item| walk(rest, item, found)),
                (Step::Named(name), Value::Object(map)) => {
                    map.get(name).into_iter().for_each(|item| walk(rest, item, found));
                }
                (Step::Named(name), Value::Array(items)) => {
                    let item = name.parse::<usize>().ok().and_then(|place| items.get(place));
                    item.into_iter().for_each(|item| walk(rest, item, found));
                }
                _ => {}
            }
        }
        walk(&self.0, json, found);
    }
}

#[cfg(test)]
mod tests;
