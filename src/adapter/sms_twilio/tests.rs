use super::*;
use crate::adapter::hook::form;
use crate::adapter::tests::{built, outgoing};
use crate::core::gateway::Receipts;
use hyper::header::CONTENT_TYPE;
use serde_json::json;
use std::collections::BTreeMap;

const ACCOUNT: &str = "AC00112233445566778899aabbccddeeff";
const SERVICE: &str = "MG00112233445566778899aabbccddeeff";

fn settings(from: Sender) -> Settings {
    Settings {
        path: format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json"),
        authorization: HeaderValue::from_static("Basic x"),
        from,
        hook_url: Some("https://alerts.example.org/hooks/g".into()),
    }
}

fn sender() -> Settings {
    settings(Sender::Own("+15550001111".into()))
}

fn parameters_of(outgoing: &Outgoing, settings: &Settings) -> BTreeMap<String, String> {
    let request = request(outgoing, settings).expect("a good address");
    assert_eq!(request.path, settings.path);
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    assert_eq!(request.headers, [(CONTENT_TYPE, kind), (AUTHORIZATION, HeaderValue::from_static("Basic x"))]);
    form(&request.body).expect("a form").into_iter().collect()
}

#[test]
fn a_message_says_to_whom_from_whom_and_until_when() {
    let mut outgoing = outgoing("+15551230000", "غادروا الآن & go = 100%");
    outgoing.left = Span::from_ms(90_999);
    let attempt = outgoing.order.attempt;
    let parameters = parameters_of(&outgoing, &sender());
    let expected = [
        ("To", "+15551230000"),
        ("From", "+15550001111"),
        ("Body", "غادروا الآن & go = 100%"),
        ("ValidityPeriod", "90"),
        ("StatusCallback", &format!("https://alerts.example.org/hooks/g?attempt={attempt}")),
    ];
    assert_eq!(parameters, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let by_service = Settings { hook_url: None, ..settings(Sender::Service(SERVICE.into())) };
    for (left, expected) in [(Span::from_ms(3), "1"), (Span::from_hours(24), "36000")] {
        outgoing.left = left;
        let parameters = parameters_of(&outgoing, &by_service);
        assert_eq!((parameters["MessagingServiceSid"].as_str(), parameters.get("From")), (SERVICE, None));
        assert_eq!(
            (parameters["ValidityPeriod"].as_str(), parameters.get("StatusCallback")),
            (expected, None)
        );
    }
}

#[test]
fn what_cannot_be_sent_is_refused_here() {
    let check = |address: &str, text: &str, expected: Option<Reason>| {
        assert_eq!(request(&outgoing(address, text), &sender()).err(), expected, "{address}");
    };
    for address in ["", "+", "15551230000", "amal@example.org", "+1 555"] {
        check(address, "x", Some(Reason::BadAddress));
    }
    check("+15551230000", " ", Some(Reason::NoText));
    check("+15551230000", &"ل".repeat(1600), None);
    check("+15551230000", &"x".repeat(1601), Some(Reason::ContentRefused));
}

#[test]
fn answers_are_read_by_code_then_by_status() {
    let after = Some(Span::from_secs(3));
    let check = |status: u16, body: &str, expected: Outcome| {
        let response = Response { status, retry_after: after, body: body.into(), ..Response::default() };
        assert_eq!(outcome(&response), expected, "{status} {body}");
    };
    let taken = |id: &str| Outcome::Accepted { provider_id: Some(id.into()) };
    check(201, r#"{"sid":"SM1","status":"queued","error_code":null}"#, taken("SM1"));
    check(201, r#"{"sid":"SM1","status":"accepted","num_segments":"0"}"#, taken("SM1"));
    let long = format!(r#"{{"sid":"{}"}}"#, "S".repeat(201));
    check(201, &long, Outcome::Accepted { provider_id: None });
    check(201, r#"{"sid":"SM1","status":"failed","error_code":30034}"#, rejected(Reason::Configuration));
    check(201, r#"{"sid":"SM1","status":"failed","error_code":null}"#, rejected(Reason::Undeliverable));
    for body in ["", "<html>", "[]", r#"{"sid":""}"#, r#"{"status":"queued"}"#] {
        check(201, body, unknown(Reason::Unreadable));
    }
    check(400, r#"{"code":21211,"status":400}"#, rejected(Reason::BadAddress));
    check(400, r#"{"code":21610,"status":400}"#, rejected(Reason::Blocked));
    check(400, r#"{"code":29999,"status":400}"#, rejected(Reason::ContentRefused));
    check(400, r#"{"sid":"SM1"}"#, rejected(Reason::ContentRefused));
    check(401, r#"{"code":20003,"status":401}"#, rejected(Reason::Credentials));
    check(403, "<html>", rejected(Reason::Credentials));
    check(404, r#"{"code":20404,"status":404}"#, rejected(Reason::Configuration));
    check(429, r#"{"code":20429,"status":429}"#, deferred(Reason::Throttled, after));
    check(429, r#"{"code":14107,"status":429}"#, deferred(Reason::Throttled, after));
    check(429, "slow down", deferred(Reason::Throttled, after));
    check(500, r#"{"code":20500,"status":500}"#, deferred(Reason::ProviderFault, after));
    check(503, r#"{"code":20503,"status":503}"#, rejected(Reason::ServiceDown));
    check(503, "", deferred(Reason::ProviderFault, after));
    check(504, r#"{"code":20504,"status":504}"#, unknown(Reason::Timeout));
    check(504, "", unknown(Reason::Timeout));
    let cut = Response { status: 400, is_cut: true, ..Response::default() };
    assert_eq!(outcome(&cut), deferred(Reason::ProviderFault, None));
}

#[test]
fn a_message_is_found_by_recipient_text_and_time_or_nothing_is_said() {
    // The message was accepted at 22:13:20 UTC on 14 November 2023.
    let outgoing = outgoing("+15551230000", "غادروا الآن");
    let question = question(&outgoing, &sender());
    assert!(question.path.ends_with("/Messages.json?To=%2B15551230000&PageSize=50"), "{}", question.path);
    let good = json!({
        "sid": "SM1", "to": "+15551230000", "body": "غادروا الآن", "status": "sent",
        "date_created": "Tue, 14 Nov 2023 22:13:20 +0000",
    });
    let check = |status: u16, messages: Value, expected: Asked| {
        let body = json!({ "messages": messages }).to_string().into_bytes();
        let response = Response { status, body, ..Response::default() };
        assert_eq!(found(&response, &outgoing), expected, "{messages}");
    };
    let but = |key: &str, value: &str| {
        let mut other = good.clone();
        other[key] = json!(value);
        other
    };
    check(200, json!([good]), Asked::Found(Some("SM1".into())));
    check(200, json!([but("body", "x"), good]), Asked::Found(Some("SM1".into())));
    check(200, json!([but("body", " غادروا الآن\n")]), Asked::Found(Some("SM1".into())));
    check(200, json!([but("sid", &"S".repeat(201))]), Asked::Found(None));
    check(200, json!([but("date_created", "Tue, 14 Nov 2023 22:13:19 +0000")]), Asked::CannotSay);
    check(200, json!([but("date_created", "yesterday")]), Asked::CannotSay);
    check(200, json!([but("to", "+15551230001")]), Asked::CannotSay);
    for failed in ["failed", "undelivered", "canceled"] {
        check(200, json!([but("status", failed)]), Asked::CannotSay);
    }
    check(200, json!([]), Asked::CannotSay);
    check(200, json!("none"), Asked::CannotSay);
    check(401, json!([good]), Asked::CannotSay);
}

#[test]
fn settings_are_checked_and_never_repeated() {
    let table = |account: &str, token: &str, rest: &str| {
        built("sms-twilio", &format!("account_sid = \"{account}\"\nauth_token = \"{token}\"\n{rest}\n"))
    };
    let check = |account: &str, token: &str, rest: &str, expected: &str| {
        let (adapter, shown) = table(account, token, rest);
        assert_eq!(adapter.is_some(), expected.is_empty(), "{account} {rest}: {shown}");
        assert!(shown.contains(expected), "{rest}: {shown}");
        assert!(!shown.contains("planted"), "{shown}");
    };
    let here = "base_url = \"http://127.0.0.1:1\"";
    for from in ["+15550001111", "12345", "ALERTS", "Civil Def1", "A&B-c_d"] {
        check(ACCOUNT, "planted", &format!("from = \"{from}\"\n{here}"), "");
    }
    check(ACCOUNT, "planted", &format!("messaging_service_sid = \"{SERVICE}\""), "");
    for from in ["", " A", "ALERTS-ALERTS", "whatsapp:+1555", "تنبيه", "+", "+155500011112222333"] {
        let wrong = "`from` of gateway `g` does not look right";
        check(ACCOUNT, "planted", &format!("from = \"{from}\""), wrong);
    }
    check(ACCOUNT, "planted", "", "has no `from`");
    let both = format!("from = \"ALERTS\"\nmessaging_service_sid = \"{SERVICE}\"");
    check(ACCOUNT, "planted", &both, "error[two-senders]");
    check("SK00112233445566778899aabbccddeeff", "planted", "from = \"ALERTS\"", "`account_sid` of gateway");
    check(ACCOUNT, "planted token", "from = \"ALERTS\"", "`auth_token` of gateway `g` is not one");
    check(ACCOUNT, "planted", "messaging_service_sid = \"x\"", "`messaging_service_sid` of gateway");
}

#[test]
fn who_cannot_be_called_is_told_and_asks_for_no_calls() {
    let check = |rest: &str, warned: bool| {
        let keys = format!("account_sid = \"{ACCOUNT}\"\nauth_token = \"x\"\nfrom = \"ALERTS\"\n{rest}\n");
        let (adapter, shown) = built("sms-twilio", &keys);
        assert!(adapter.is_some(), "{shown}");
        assert_eq!(shown.contains("warning[no-receipts]"), warned, "{rest}: {shown}");
    };
    check("", true);
    check("receipts = \"none\"", false);
    // Who is on this machine too can call it.
    check("base_url = \"http://localhost:1\"", false);
    assert_eq!(KIND.receipts, Receipts::Delivered);
}
