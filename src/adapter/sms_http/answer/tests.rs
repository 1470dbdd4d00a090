//! Answers of the ready descriptions' providers, and what each is read as.

use super::super::ready::{READY, described};
use super::*;
use crate::diag::{Place, Source};

fn answers(name: &str) -> Answers {
    assert!(READY.iter().any(|(known, _)| *known == name));
    let place = Place { source: Source::new("f", ""), span: 0..0 };
    let mut diags = Diagnostics::default();
    let mut table = described(&Spanned { value: name.to_owned(), place }, &mut diags).expect("it is there");
    let answers = Answers::read(table.tables("answer", &mut diags), &mut diags);
    assert!(diags.is_empty(), "{}", diags.render());
    answers
}

const AFTER: Option<Span> = Some(Span::from_secs(7));

fn taken(id: &str) -> Outcome {
    Outcome::Accepted { provider_id: (!id.is_empty()).then(|| id.to_owned()) }
}

fn check(answers: &Answers, status: u16, body: &str, expected: Outcome) {
    let response =
        Response { status, retry_after: AFTER, body: body.as_bytes().to_vec(), ..Response::default() };
    assert_eq!(answers.judge(&response), expected, "{status} {body}");
}

#[test]
fn kannel_says_it_in_words() {
    let kannel = answers("kannel");
    let check = |status, body: &str, expected| check(&kannel, status, body, expected);
    check(202, "0: Accepted for delivery", taken(""));
    check(202, "3: Queued for later delivery", taken(""));
    check(202, "<html>", unknown(Reason::Unreadable));
    check(200, "<html>It works!</html>", unknown(Reason::Unreadable));
    check(403, "Authorization failed for sendsms", rejected(Reason::Credentials));
    check(400, "Empty receiver number not allowed, rejected", rejected(Reason::BadAddress));
    check(400, "Number(s) has/have been denied by white- and/or black-lists.", rejected(Reason::BadAddress));
    check(400, "Sender missing and no global set, rejected", rejected(Reason::Configuration));
    check(400, "Something else", rejected(Reason::ContentRefused));
    check(404, "Unknown request.", rejected(Reason::Configuration));
    check(503, "Temporal failure, try again later.", deferred(Reason::ProviderFault, AFTER));
}

#[test]
fn jasmin_gives_an_id() {
    let jasmin = answers("jasmin");
    let check = |status, body: &str, expected| check(&jasmin, status, body, expected);
    check(
        200,
        "Success \"07033084-5cfd-4812-90a4-e4d24ffb6e3d\"",
        taken("07033084-5cfd-4812-90a4-e4d24ffb6e3d"),
    );
    check(200, "<html>", unknown(Reason::Unreadable));
    check(403, "Error \"Authentication failure for username:u\"", rejected(Reason::Credentials));
    check(403, "Error \"User throughput exceeded\"", deferred(Reason::Throttled, AFTER));
    check(403, "Error \"Cannot charge submit_sm\"", rejected(Reason::Configuration));
    check(412, "Error \"No route found\"", rejected(Reason::Configuration));
    check(400, "Error \"Argument [to] has an invalid value: [x].\"", rejected(Reason::BadAddress));
    check(400, "Error \"Argument [coding] has an invalid value: [99].\"", rejected(Reason::ContentRefused));
    check(500, "Error \"Cannot send submit_sm\"", deferred(Reason::ProviderFault, AFTER));
}

#[test]
fn infobip_refuses_in_a_success() {
    let infobip = answers("infobip");
    let said = |group: u8, id: u16| {
        format!(r#"{{"messages":[{{"messageId":"a1","status":{{"groupId":{group},"id":{id}}}}}]}}"#)
    };
    let check = |status, body: &str, expected| check(&infobip, status, body, expected);
    check(200, &said(1, 26), taken("a1"));
    check(200, &said(5, 23), taken("a1"));
    check(200, &said(5, 10), rejected(Reason::Blocked));
    check(200, &said(5, 52), rejected(Reason::BadAddress));
    check(200, &said(5, 12), rejected(Reason::Configuration));
    check(200, &said(5, 25), rejected(Reason::ContentRefused));
    check(200, &said(5, 20), deferred(Reason::Throttled, AFTER));
    check(200, &said(5, 21), deferred(Reason::ProviderFault, AFTER));
    check(200, &said(2, 9), rejected(Reason::Undeliverable));
    check(200, "{}", unknown(Reason::Unreadable));
    check(401, r#"{"errorCode":"E401"}"#, rejected(Reason::Credentials));
    check(429, r#"{"errorCode":"E429"}"#, deferred(Reason::Throttled, AFTER));
}

#[test]
fn vonage_answers_for_each_part() {
    let vonage = answers("vonage");
    let said = |statuses: &[u8]| {
        let parts: Vec<_> = statuses
            .iter()
            .zip(1..)
            .map(|(s, n)| format!(r#"{{"status":"{s}","message-id":"m{n}"}}"#))
            .collect();
        format!(r#"{{"message-count":"{}","messages":[{}]}}"#, parts.len(), parts.join(","))
    };
    let check = |statuses: &[u8], expected| check(&vonage, 200, &said(statuses), expected);
    check(&[0], taken("m1"));
    check(&[0, 0], taken("m1"));
    // A part went and a part did not: nobody can say that nothing was sent.
    check(&[0, 1], unknown(Reason::ProviderFault));
    check(&[1, 0], unknown(Reason::ProviderFault));
    check(&[], unknown(Reason::Unreadable));
    check(&[1], deferred(Reason::Throttled, AFTER));
    check(&[5], deferred(Reason::ProviderFault, AFTER));
    check(&[4], rejected(Reason::Credentials));
    check(&[6], rejected(Reason::BadAddress));
    check(&[7], rejected(Reason::Blocked));
    check(&[9], rejected(Reason::Configuration));
    check(&[12], rejected(Reason::ContentRefused));
    check(&[33], rejected(Reason::NotOnChannel));
    check(&[99], unknown(Reason::Unreadable));
}

#[test]
fn a_phone_knows_its_ids_again() {
    let phone = answers("sms-gate");
    check(&phone, 202, r#"{"id":"a1","state":"Pending"}"#, taken("a1"));
    check(&phone, 409, "{}", taken(""));
    check(&phone, 202, r#"{"id":"a1","state":"Failed"}"#, rejected(Reason::ProviderFault));
    check(&phone, 202, "{}", unknown(Reason::Unreadable));
    check(&phone, 401, "", rejected(Reason::Credentials));
    check(&phone, 503, "", deferred(Reason::ProviderFault, AFTER));
}

#[test]
fn what_was_cut_off_blames_nobody() {
    let response = Response { status: 403, is_cut: true, ..Response::default() };
    assert_eq!(answers("jasmin").judge(&response), deferred(Reason::ProviderFault, None));
    let response = Response { status: 401, is_cut: true, ..Response::default() };
    assert_eq!(answers("jasmin").judge(&response), rejected(Reason::Credentials));
}

#[test]
fn a_time_is_told_by_the_header_or_by_the_body() {
    let mut diags = Diagnostics::default();
    let text = "[[answer]]\njson.code = 1\nthen = \"deferred\"\nretry_after = { json = \"wait\" }\n\
                [[answer]]\njson.code = { exists = true }\nthen = \"deferred\"\nreason = \"quota_exhausted\"\nretry_after = \"30s\"\n\
                [[answer]]\nbody = \"id: *\"\nthen = \"accepted\"\nid = { after = \"id:\" }\n";
    let mut table = Table::parse(&Source::new("f", text), &mut diags).expect("TOML");
    let answers = Answers::read(table.tables("answer", &mut diags), &mut diags);
    assert!(diags.is_empty(), "{}", diags.render());
    let judge = |body: &str, retry_after| {
        answers.judge(&Response { status: 200, body: body.into(), retry_after, ..Response::default() })
    };
    let wait = |secs: i64| Some(Span::from_secs(secs));
    assert_eq!(judge(r#"{"code":1,"wait":2.5}"#, None), deferred(Reason::Throttled, wait(3)));
    assert_eq!(judge(r#"{"code":1,"wait":2.5}"#, AFTER), deferred(Reason::Throttled, AFTER));
    assert_eq!(judge(r#"{"code":1,"wait":-9}"#, None), deferred(Reason::Throttled, wait(0)));
    assert_eq!(judge(r#"{"code":1}"#, None), deferred(Reason::Throttled, None));
    assert_eq!(judge(r#"{"code":2}"#, None), deferred(Reason::QuotaExhausted, wait(30)));
    assert_eq!(judge("id: 77 \n", None), taken("77"));
    // An id that cannot be kept is done without.
    assert_eq!(judge(&format!("id: {}", "x".repeat(201)), None), taken(""));
}
