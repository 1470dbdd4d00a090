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

use super::definition::Reader;
use super::target::{Escape, Target, Text, Unset};
use crate::core::evidence::Verdict;
use crate::core::outcome::{Fault, Reason};
use crate::core::time::{Span, Timestamp};
use crate::diag::{Loose, Place, Spanned};
use hyper::HeaderMap;
use serde_json::Value;
use std::ops::RangeInclusive;

/// A Unix time above this is in milliseconds: in seconds it is the year 5138.
const SECONDS_MAX: f64 = 1e11;

/// What an answer must look like. `T` is [`Text`] in a file and `String` once filled for a gateway.
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

// === reading ===

impl Expect<Text> {
    /// Reads `expect` and `unless`. Without a status of its own, `usual` is expected.
    pub(crate) fn parse(reader: &mut Reader<'_>, usual: RangeInclusive<u16>) -> Expect<Text> {
        let read = |reader: &mut Reader<'_>| (Conditions::parse(reader), reader.reason("otherwise"));
        let (mut fine, otherwise) = reader.table("expect", read).unwrap_or((Conditions::none(), None));
        if fine.status.is_empty() {
            fine.status.push(usual);
        }
        let unless = reader.tables("unless", |reader| {
            let conditions = Conditions::parse(reader);
            let then = then(reader)?;
            if conditions.is_empty() {
                let (place, called) = (reader.place(), reader.called().to_owned());
                reader.bad_value(&called, &place, "a condition", "add `status`, `header`, `body` or `json`");
                return None;
            }
            Some(Case { conditions, then })
        });
        Expect { fine, otherwise: otherwise.unwrap_or(Reason::Condition), unless }
    }

    /// Fills the placeholders for a gateway.
    pub(crate) fn fill(&self, target: &Target) -> Result<Expect<String>, Unset> {
        let unless = self
            .unless
            .iter()
            .map(|case| Ok(Case { conditions: case.conditions.fill(target)?, then: case.then.clone() }));
        Ok(Expect {
            fine: self.fine.fill(target)?,
            otherwise: self.otherwise,
            unless: unless.collect::<Result<_, _>>()?,
        })
    }
}

/// Reads `then` and `reason`.
fn then(reader: &mut Reader<'_>) -> Option<Verdict> {
    #[derive(Clone, Copy)]
    enum Then {
        Fine,
        Limited,
        Noted,
        Failed,
    }
    let words =
        [("fine", Then::Fine), ("limited", Then::Limited), ("noted", Then::Noted), ("failed", Then::Failed)];
    let then = reader.choice("then", &words);
    let reason = reader.reason("reason");
    let Some(then) = then else {
        reader.missing("then");
        return None;
    };
    Some(match then.value {
        Then::Fine => Verdict::Fine,
        Then::Limited => Verdict::Limited(reason.unwrap_or(Reason::Limited)),
        Then::Noted => Verdict::Noted(reason.unwrap_or(Reason::Limited)),
        Then::Failed => Verdict::Failed(reason.unwrap_or(Reason::Condition)),
    })
}

impl<T> Conditions<T> {
    fn none() -> Conditions<T> {
        Conditions { status: Vec::new(), headers: Vec::new(), body: Vec::new(), json: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.status.is_empty() && self.headers.is_empty() && !self.reads_body()
    }

    fn reads_body(&self) -> bool {
        !self.body.is_empty() || !self.json.is_empty()
    }
}

impl Conditions<Text> {
    fn parse(reader: &mut Reader<'_>) -> Conditions<Text> {
        let status = reader.loose("status").map(|loose| statuses(reader, loose)).unwrap_or_default();
        let headers = reader.loose_map("header").into_iter();
        let headers = headers
            .map(|(name, loose)| (name.to_ascii_lowercase(), tests(reader, "header", loose)))
            .collect();
        let body = reader.loose("body").map(|loose| tests(reader, "body", loose)).unwrap_or_default();
        let json = reader.loose_map("json").into_iter();
        let json = json.map(|(path, loose)| (Path::parse(&path), tests(reader, "json", loose))).collect();
        Conditions { status, headers, body, json }
    }

    fn fill(&self, target: &Target) -> Result<Conditions<String>, Unset> {
        let all = |tests: &[Test<Text>]| tests.iter().map(|test| test.fill(target)).collect::<Result<_, _>>();
        let headers = self.headers.iter().map(|(name, tests)| Ok((name.clone(), all(tests)?)));
        let json = self.json.iter().map(|(path, tests)| Ok((path.clone(), all(tests)?)));
        Ok(Conditions {
            status: self.status.clone(),
            headers: headers.collect::<Result<_, Unset>>()?,
            body: all(&self.body)?,
            json: json.collect::<Result<_, Unset>>()?,
        })
    }
}

fn statuses(reader: &mut Reader<'_>, loose: Spanned<Loose>) -> Vec<RangeInclusive<u16>> {
    let items = match loose.value {
        Loose::Many(items) => items,
        one => vec![Spanned { value: one, place: loose.place }],
    };
    let mut ranges = Vec::new();
    for item in items {
        match status(&item.value) {
            Some(range) => ranges.push(range),
            None => {
                reader.bad_value("status", &item.place, "an HTTP status", "write 200, [200, 204] or \"2xx\"");
            }
        }
    }
    ranges
}

fn status(loose: &Loose) -> Option<RangeInclusive<u16>> {
    match loose {
        Loose::Whole(code) => {
            u16::try_from(*code).ok().filter(|c| (100..=599).contains(c)).map(|code| code..=code)
        }
        Loose::Text(text) => {
            let class: u16 = text.strip_suffix("xx")?.parse().ok().filter(|c| (1..=5).contains(c))?;
            Some(class * 100..=class * 100 + 99)
        }
        _ => None,
    }
}

/// Reads a condition: a value, a list of values, or a table of comparisons.
fn tests(reader: &mut Reader<'_>, key: &'static str, loose: Spanned<Loose>) -> Vec<Test<Text>> {
    match loose.value {
        Loose::Table(table) => {
            let place = table.place().clone();
            let called = format!("a condition in `{key}` of {}", reader.called());
            let tests = reader.inside(table, called, comparisons);
            if tests.is_empty() {
                let help = "write a value, a list, or one of `contains`, `at_least`, `at_most`, `newer`, `exists`; a \
                            longer path stands in quotes: `json.\"error.code\"`";
                reader.bad_value(key, &place, "a condition", help);
            }
            tests
        }
        Loose::Many(items) => {
            let scalars = items.into_iter().filter_map(|item| scalar(reader, key, item)).collect();
            vec![Test::OneOf(scalars)]
        }
        value => {
            let one = Spanned { value, place: loose.place };
            scalar(reader, key, one).map(|scalar| Test::OneOf(vec![scalar])).into_iter().collect()
        }
    }
}

fn comparisons(reader: &mut Reader<'_>) -> Vec<Test<Text>> {
    let known = [
        reader.text("contains").map(Test::Contains),
        reader.number("at_least").map(Test::AtLeast),
        reader.number("at_most").map(Test::AtMost),
        reader.span("newer", Span::from_secs(1), Span::from_hours(24 * 365)).map(Test::Newer),
        reader.bool("exists").map(Test::Exists),
    ];
    known.into_iter().flatten().collect()
}

fn scalar(reader: &mut Reader<'_>, key: &str, loose: Spanned<Loose>) -> Option<Scalar<Text>> {
    match loose.value {
        Loose::Text(text) => Some(Scalar::Text(Text::parse(&text))),
        Loose::Whole(number) => Some(Scalar::Number(number as f64)),
        Loose::Number(number) => Some(Scalar::Number(number)),
        Loose::Truth(truth) => Some(Scalar::Truth(truth)),
        Loose::Many(_) | Loose::Table(_) => {
            refuse(reader, key, &loose.place);
            None
        }
    }
}

fn refuse(reader: &mut Reader<'_>, key: &str, place: &Place) {
    reader.bad_value(key, place, "a value", "write a text, a number, true or false");
}

impl Test<Text> {
    fn fill(&self, target: &Target) -> Result<Test<String>, Unset> {
        Ok(match self {
            Test::OneOf(scalars) => {
                Test::OneOf(scalars.iter().map(|scalar| scalar.fill(target)).collect::<Result<_, _>>()?)
            }
            Test::Contains(text) => Test::Contains(text.fill(target, Escape::None)?),
            Test::AtLeast(number) => Test::AtLeast(*number),
            Test::AtMost(number) => Test::AtMost(*number),
            Test::Newer(span) => Test::Newer(*span),
            Test::Exists(wanted) => Test::Exists(*wanted),
        })
    }
}

impl Scalar<Text> {
    fn fill(&self, target: &Target) -> Result<Scalar<String>, Unset> {
        Ok(match self {
            Scalar::Text(text) => Scalar::Text(text.fill(target, Escape::None)?),
            Scalar::Number(number) => Scalar::Number(*number),
            Scalar::Truth(truth) => Scalar::Truth(*truth),
        })
    }
}

// === judging ===

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
mod tests {
    use super::*;
    use crate::core::channel::{Channel, GatewayId};
    use crate::diag::{Diagnostics, Source, Table};

    const NOW: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    fn expect(toml: &str) -> Expect<String> {
        let mut diags = Diagnostics::default();
        let mut table = Table::parse(&Source::new("p.toml", toml), &mut diags).expect("it is TOML");
        let read = Expect::parse(&mut Reader::new(&mut table, &mut diags), 200..=299);
        table.finish(&mut diags);
        assert!(diags.is_empty(), "{}", diags.render());
        let target =
            Target::new(GatewayId(0), "s", Channel::Signal, "signal-cli").plain("account", "+15550001111");
        read.fill(&target).expect("the account is set")
    }

    fn check(expect: &Expect<String>, status: u16, body: &str, expected: Result<Verdict, Reason>) {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json; charset=utf-8".parse().unwrap());
        let answer = Answer { status, headers: &headers, body: body.as_bytes() };
        assert_eq!(expect.judge(&answer, NOW), expected, "{status} {body}");
    }

    const FINE: Result<Verdict, Reason> = Ok(Verdict::Fine);
    fn limited(reason: Reason) -> Result<Verdict, Reason> {
        Ok(Verdict::Limited(reason))
    }

    #[test]
    fn a_status_alone_is_read_as_what_it_usually_means() {
        let e = expect("");
        assert!(!e.reads_body());
        check(&e, 200, "", FINE);
        check(&e, 204, "", FINE);
        check(&e, 429, "", limited(Reason::Throttled));
        for (status, reason) in [
            (302, Reason::Condition),
            (400, Reason::Condition),
            (401, Reason::Credentials),
            (403, Reason::Credentials),
            (404, Reason::Configuration),
            (500, Reason::ProviderFault),
            (503, Reason::ProviderFault),
        ] {
            check(&e, status, "", Err(reason));
        }
        let e = expect("expect.status = [204, \"4xx\"]");
        check(&e, 401, "", FINE);
        check(&e, 200, "", Err(Reason::Condition));
    }

    #[test]
    fn a_case_is_looked_at_before_what_is_expected() {
        let e = expect(
            "expect.json.\"health_status.can_send_message\" = \"AVAILABLE\"\n\
             [[unless]]\njson.\"health_status.can_send_message\" = \"LIMITED\"\nthen = \"limited\"\n\
             [[unless]]\njson.\"error.code\" = [4, 80007]\nthen = \"limited\"\nreason = \"throttled\"\n\
             [[unless]]\nstatus = \"4xx\"\njson.\"error.code\" = 190\nthen = \"failed\"\nreason = \"credentials\"\n",
        );
        let health = |word| format!(r#"{{"health_status":{{"can_send_message":"{word}"}}}}"#);
        let error = |code| format!(r#"{{"error":{{"code":{code}}}}}"#);
        check(&e, 200, &health("AVAILABLE"), FINE);
        check(&e, 200, &health("LIMITED"), limited(Reason::Limited));
        check(&e, 200, &health("BLOCKED"), Err(Reason::Condition));
        check(&e, 400, &error(80007), limited(Reason::Throttled));
        check(&e, 400, &error(190), Err(Reason::Credentials));
        check(&e, 200, &error(190), Err(Reason::Condition));
        check(&e, 500, &error(2), Err(Reason::ProviderFault));
        check(&e, 200, "<html>", Err(Reason::Unreadable));
        check(&e, 502, "<html>", Err(Reason::ProviderFault));
    }

    #[test]
    fn each_comparison_holds_where_it_should() {
        let holds = |condition: &str, body: &str, expected: bool| {
            let e = expect(&format!("expect.{condition}"));
            let expected = if expected { FINE } else { Err(Reason::Condition) };
            check(&e, 200, body, expected);
        };
        holds("json.ok = true", r#"{"ok":true}"#, true);
        holds("json.ok = true", r#"{"ok":"true"}"#, false);
        holds("json.n = 1.5", r#"{"n":1.5}"#, true);
        holds(
            "json.\"result.*.number\" = \"{account}\"",
            r#"{"result":[{"number":"+1"},{"number":"+15550001111"}]}"#,
            true,
        );
        holds("json.\"result.*.number\" = \"{account}\"", r#"{"result":[]}"#, false);
        holds("json.\"a.1\" = \"y\"", r#"{"a":["x","y"]}"#, true);
        holds("json.n = { at_least = 2, at_most = 3 }", r#"{"n":2}"#, true);
        holds("json.n = { at_least = 2, at_most = 3 }", r#"{"n":4}"#, false);
        holds("json.n = { at_most = 3 }", r#"{"n":"3"}"#, true);
        holds("json.n = { at_most = 3 }", "{}", false);
        holds("json.t = { newer = \"10m\" }", r#"{"t":1699999900}"#, true);
        holds("json.t = { newer = \"10m\" }", r#"{"t":1699990000}"#, false);
        holds("json.t = { newer = \"10m\" }", r#"{"t":1699999900000}"#, true);
        holds("json.e = { exists = false }", "{}", true);
        holds("json.e = { exists = false }", r#"{"e":null}"#, true);
        holds("json.e = { exists = true }", r#"{"e":0}"#, true);
        holds("json.s = { contains = \"ell\" }", r#"{"s":"hello"}"#, true);
        holds("header.Content-Type = { contains = \"json\" }", "", true);
        holds("header.x-none = { exists = false }", "", true);
        holds("header.x-none = \"1\"", "", false);
        holds("body = \"Jasmin/PONG\"", "Jasmin/PONG\n", true);
        holds("body = { contains = \"running\" }", "Signal is up and running.", true);
        check(&expect("expect = { json.a = 1, otherwise = \"limited\" }"), 200, "{}", Err(Reason::Limited));
        holds("body = [\"OK\", \"ok\"]", "no", false);
    }

    #[test]
    fn a_mistake_in_a_condition_is_shown_with_its_remedy() {
        let shown = |toml: &str| {
            let mut diags = Diagnostics::default();
            let mut table = Table::parse(&Source::new("p.toml", toml), &mut diags).expect("it is TOML");
            Expect::parse(&mut Reader::new(&mut table, &mut diags), 200..=299);
            table.finish(&mut diags);
            diags.render()
        };
        let check = |toml, needle: &str| {
            let text = shown(toml);
            assert!(text.contains(needle), "{text}");
        };
        check("expect.status = 99", "`status` of `expect` of the file is not an HTTP status");
        check("expect.status = \"6xx\"", "write 200, [200, 204] or \"2xx\"");
        check("expect.json.a = { at_lest = 3 }", "did you mean `at_least`?");
        check("expect.json.a = {}", "is not a condition");
        check("expect.json.a = [[1]]", "is not a value");
        check("expect.jsn.a = 1", "did you mean `json`?");
        check("[[unless]]\nthen = \"limited\"", "is not a condition");
        check("[[unless]]\nstatus = 500", "has no `then`");
        check(
            "[[unless]]\nstatus = 500\nthen = \"failed\"\nreason = \"throtled\"",
            "did you mean `throttled`?",
        );
        check(
            "[[unless]]\nstatus = 500\nthen = \"failed\"\nreason = \"not_on_channel\"",
            "cannot be `not_on_channel`",
        );
    }
}
