//! What is read out of a file, and how answers are judged by it.

use super::*;
use crate::core::channel::{Channel, GatewayId};
use crate::diag::{Diagnostics, Source, Table};
use crate::probe::definition::Reader;
use crate::probe::target::Target;

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
    check("[[unless]]\nstatus = 500\nthen = \"failed\"\nreason = \"throtled\"", "did you mean `throttled`?");
    check(
        "[[unless]]\nstatus = 500\nthen = \"failed\"\nreason = \"not_on_channel\"",
        "cannot be `not_on_channel`",
    );
}
