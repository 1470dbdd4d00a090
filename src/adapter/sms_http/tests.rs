//! What the ready descriptions ask, and what is told of a description that is wrong.

use super::ready::READY;
use super::*;
use crate::adapter::tests::{built, outgoing};
use crate::core::reply::Said;
use crate::core::time::Span;
use serde_json::{Value, json};

const ACCOUNT: &str = "from = \"ALERTS\"\nusername = \"u&1\"\npassword = \"p=2\"\napi_key = \"K/3\"\napi_secret = \"S+4\"\n\
                       hook_secret = \"0123456789abcdef\"\nbase_url = \"http://h:81/x\"\n";

/// Builds what a gateway's keys describe, as a file would.
fn gateway(keys: &str) -> SmsHttp {
    let (settings, shown) = read(keys);
    settings.unwrap_or_else(|| panic!("{shown}"))
}

fn read(keys: &str) -> (Option<SmsHttp>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("wasl.toml");
    let head = "[[gateway]]\nname = \"g\"\nchannel = \"sms\"\nadapter = \"sms-http\"\n";
    std::fs::write(&path, format!("{head}{keys}")).expect("written");
    let mut diags = Diagnostics::default();
    let settings =
        crate::settings::Settings::read(&path, &crate::adapter::kinds(), &mut diags).expect("TOML");
    let mut gateway = settings.gateways.into_iter().next().expect("one gateway");
    let made = make(&mut gateway, &Net::new(&[]), &mut diags);
    gateway.rest.finish(&mut diags);
    (made.filter(|_| !diags.has_errors()), diags.render())
}

fn like(name: &str) -> SmsHttp {
    gateway(&format!("like = \"{name}\"\n{ACCOUNT}"))
}

type Pairs = Vec<(String, String)>;

/// Returns a request's path, body and headers as a provider would read them.
fn asked(gateway: &SmsHttp, text: &str) -> (String, Pairs, Value, Pairs) {
    let request = gateway.request(&outgoing("+15551230000", text)).expect("sound");
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let form = if query.is_empty() { &request.body[..] } else { query.as_bytes() };
    let json = serde_json::from_slice(&request.body).unwrap_or_default();
    let pairs = if json == Value::Null { hook::form(form).expect("a form") } else { Vec::new() };
    let text = |value: &hyper::header::HeaderValue| value.to_str().expect("ASCII").to_owned();
    let headers = request.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    (format!("{} {path}", request.method), pairs, json, headers)
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[test]
fn every_ready_description_is_sound_and_can_be_laid_under_a_file() {
    for (name, _) in READY {
        let (made, shown) = read(&format!("like = \"{name}\"\n{ACCOUNT}"));
        let made = made.unwrap_or_else(|| panic!("{name}: {shown}"));
        assert!(!shown.contains("error"), "{shown}");
        assert!(made.receipts.is_some() && made.answers.can_accept(), "{name}");
        // A gateway without a way back for receipts.
        let (made, shown) = read(&format!("like = \"{name}\"\nreceipts = \"none\"\n{ACCOUNT}"));
        assert!(made.is_some_and(|made| made.receipts.is_none()), "{name}: {shown}");
    }
}

#[test]
fn kannel_is_asked_by_a_query() {
    let (path, query, _, headers) = asked(&like("kannel"), "Leave {now} & run €");
    assert_eq!(path, "GET /cgi-bin/sendsms");
    let attempt = outgoing("1", "x").order.attempt;
    for (name, expected) in [
        ("username", "u&1"),
        ("password", "p=2"),
        ("from", "ALERTS"),
        ("to", "+15551230000"),
        ("text", "Leave {now} & run €"),
        ("charset", "UTF-8"),
        ("coding", "0"),
        ("priority", "3"),
        ("validity", "60"),
        ("dlr-mask", "31"),
    ] {
        assert_eq!(value(&query, name), Some(expected), "{name}");
    }
    let url = value(&query, "dlr-url").expect("a URL");
    let start = format!("http://127.0.0.1:8080/hooks/g/{attempt}/");
    assert!(url.starts_with(&start) && url.ends_with("?type=%d&answer=%A&at=%T"), "{url}");
    assert_eq!(headers, []);
    let (_, query, ..) = asked(&like("kannel"), "غادروا الآن");
    assert_eq!((value(&query, "coding"), value(&query, "text")), (Some("2"), Some("غادروا الآن")));
}

#[test]
fn jasmin_is_asked_by_a_form_and_unicode_in_hexadecimal_digits() {
    let (path, form, ..) = asked(&like("jasmin"), "Leave now");
    assert_eq!(path, "POST /send");
    assert_eq!((value(&form, "to"), value(&form, "content")), (Some("15551230000"), Some("Leave now")));
    assert_eq!((value(&form, "coding"), value(&form, "hex-content")), (Some("0"), None));
    let (_, form, ..) = asked(&like("jasmin"), "سيل");
    assert_eq!((value(&form, "coding"), value(&form, "hex-content")), (Some("8"), Some("0633064A0644")));
    assert_eq!((value(&form, "content"), value(&form, "dlr-level")), (None, Some("3")));
}

#[test]
fn infobip_and_a_phone_are_asked_in_json() {
    let hostile = "\"}],\"x\":[{\u{0}\n";
    let attempt = outgoing("1", "x").order.attempt;
    let (path, _, body, headers) = asked(&like("infobip"), hostile);
    assert_eq!(path, "POST /sms/3/messages");
    let expected = json!({"messages": [{
        "sender": "ALERTS", "content": {"text": hostile},
        "destinations": [{"to": "15551230000", "messageId": attempt.to_string()}],
        "options": {"validityPeriod": {"amount": 60, "timeUnit": "MINUTES"}},
        "webhooks": {"contentType": "application/json",
                     "delivery": {"url": "http://127.0.0.1:8080/hooks/g/0123456789abcdef", "intermediateReport": true}},
    }]});
    assert_eq!(body, expected);
    assert_eq!(value(&headers, "authorization"), Some("App K/3"));
    assert_eq!(value(&headers, "content-type"), Some("application/json"));
    let (path, _, body, headers) = asked(&like("sms-gate"), hostile);
    assert_eq!(path, "POST /messages");
    assert_eq!(body["textMessage"]["text"], hostile);
    assert_eq!((&body["phoneNumbers"], &body["ttl"]), (&json!(["+15551230000"]), &json!(3600)));
    assert_eq!(template::attempt(body["id"].as_str().expect("an id")), Some(attempt));
    assert!(body["id"].as_str().is_some_and(|id| id.len() <= 36));
    assert_eq!(value(&headers, "authorization"), Some("Basic dSYxOnA9Mg=="));
}

#[test]
fn vonage_is_asked_by_a_form() {
    let (path, form, ..) = asked(&like("vonage"), "é+&");
    assert_eq!(path, "POST /sms/json");
    for (name, expected) in [("api_key", "K/3"), ("api_secret", "S+4"), ("text", "é+&"), ("ttl", "3600000")]
    {
        assert_eq!(value(&form, name), Some(expected), "{name}");
    }
    assert_eq!(value(&form, "type"), Some("text"));
    assert_eq!(value(&asked(&like("vonage"), "ê").1, "type"), Some("unicode"));
    // Its own address needs not be written.
    let without = ACCOUNT.replace("base_url = \"http://h:81/x\"\n", "");
    assert!(read(&format!("like = \"vonage\"\n{without}")).0.is_some());
    assert!(read(&format!("like = \"kannel\"\n{without}")).1.contains("has no `base_url`"));
}

#[test]
fn a_file_lies_over_the_ready_description_key_by_key() {
    let keys = "[gateway.request]\npath = \"/send\"\n[gateway.request.query]\nsmsc = \"a b\"\nvalidity = false\npriority = 0\n\
                [[gateway.answer]]\nstatus = 202\nbody = \"0:*\"\nthen = \"deferred\"\n";
    let over = gateway(&format!("like = \"kannel\"\n{ACCOUNT}{keys}"));
    let (path, query, ..) = asked(&over, "x");
    assert_eq!(path, "GET /send");
    assert_eq!((value(&query, "smsc"), value(&query, "validity")), (Some("a b"), None));
    assert_eq!((value(&query, "priority"), value(&query, "coding")), (Some("0"), Some("0")));
    let response = http::Response { status: 202, body: b"0: Accepted".to_vec(), ..http::Response::default() };
    assert_eq!(over.answers.judge(&response).name(), "deferred");
}

#[test]
fn what_no_gateway_should_get_is_refused_here() {
    let check = |gateway: &SmsHttp, address: &str, text: &str, expected: Reason| {
        let refused = gateway.request(&outgoing(address, text));
        assert_eq!(refused.err(), Some(expected), "{address} {}", text.len());
    };
    let kannel = like("kannel");
    check(&kannel, "amal@example.org", "x", Reason::BadAddress);
    check(&kannel, "+1&to=2", "x", Reason::BadAddress);
    check(&kannel, "+15551230000", " ", Reason::NoText);
    // Ten segments pass, and Kannel would cut off the eleventh.
    assert!(kannel.request(&outgoing("+15551230000", &"a".repeat(1_530))).is_ok());
    check(&kannel, "+15551230000", &"a".repeat(1_531), Reason::ContentRefused);
    let wide = gateway(&format!("like = \"kannel\"\n{ACCOUNT}[gateway.request]\nparts_max = 255\n"));
    check(&wide, "+15551230000", &"سيل ".repeat(4_000), Reason::ContentRefused);
}

#[test]
fn a_gateway_can_be_described_from_nothing() {
    let keys = "receipts = \"none\"\nbase_url = \"https://h\"\ntoken = \"T<1>\"\n[gateway.request]\npath = \"/a/{token}/{digits}\"\n\
                xml = \"<m t='{token}'>{text}</m>\"\nheaders = { x-id = \"{attempt}\" }\n\
                [[gateway.answer]]\nstatus = \"2xx\"\nbody = { contains = \"<ok/>\" }\nthen = \"accepted\"\n";
    let own = gateway(keys);
    let request = own.request(&outgoing("+15551230000", "a < b")).expect("sound");
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/a/T%3C1%3E/15551230000"));
    assert_eq!(&request.body[..], b"<m t='T&lt;1&gt;'>a &lt; b</m>");
    let keys = keys.replace("xml =", "charset = \"iso-8859-1\"\nform = { t = \"{text}\" }\n#");
    let request = gateway(&keys).request(&outgoing("+15551230000", "é")).expect("sound");
    assert_eq!(&request.body[..], b"t=%E9");
    assert_eq!(gateway(&keys).request(&outgoing("+1555", "سيل")).err(), Some(Reason::NoText));
}

#[test]
fn a_wrong_description_is_told_with_its_remedy() {
    let check = |keys: &str, expected: &str| {
        let (made, shown) = read(keys);
        assert!(made.is_none() && shown.contains(expected), "{keys}\n{shown}");
        for secret in ["p=2", "K/3", "S+4", "planted"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    };
    let kannel = format!("like = \"kannel\"\n{ACCOUNT}");
    check("", "says neither what it is like nor what to request");
    check("like = \"kanel\"\n", "did you mean `kannel`?");
    check("like = \"kannel\"\nbase_url = \"http://h\"\n", "has no `password`");
    check(&kannel.replace("hook_secret", "#"), "has no `hook_secret`");
    check(
        &kannel.replace("0123456789abcdef", "short"),
        "`hook_secret` of gateway `g` is not one that can be used",
    );
    check(&kannel.replace("0123456789abcdef", "0123456789abc/ef"), "`hook_secret` of gateway `g` is not one");
    check(&kannel.replace("p=2", "planted\\nx: y"), "`password` of gateway `g` is not one that can be used");
    let request = |more: &str| format!("{kannel}[gateway.request]\n{more}\n");
    check(&request("pth = \"/x\""), "did you mean `path`?");
    check(&request("path = \"x y\""), "`path` is not the path of a URL");
    check(&request("path = \"/{text}\""), "a message's text cannot stand in a path or a header");
    check(&request("query.to = \"{too}\""), "nothing fills `{too}`");
    check(&request("query.to = [1]"), "`to` is not a text");
    check(&request("query.dlr-url = false"), "do not hold `{callback}`");
    check(&request("form.a = \"1\""), "has a body, which GET does not carry");
    check(&request("form.a = \"1\"\nxml = \"<a/>\""), "has more than one body");
    check(&request("headers.x = \"a\\nb\""), "is no header that can be sent");
    check(&request("headers.Host = \"h\""), "is a header that is not yours to set");
    check(&request("life = { at_least = \"2h\", at_most = \"1h\" }"), "has its least above its most");
    let answer = |more: &str| format!("{kannel}[[gateway.answer]]\n{more}\n");
    check(&answer("then = \"accepted\""), "fits every answer");
    check(&answer("status = 200"), "has no `then`");
    check(&answer("status = 200\nthen = \"rejected\""), "has no `reason`");
    check(&answer("status = 999\nthen = \"accepted\""), "write 200, [200, 202] or \"2xx\"");
    check(
        &answer("status = 200\nthen = \"accepted\"\nretry_after = \"3s\""),
        "`retry_after` says nothing here",
    );
    check(
        &answer("status = 200\nthen = \"deferred\"\nretry_after = \"soon\""),
        "`retry_after` cannot be read",
    );
    let receipt = |more: &str| format!("{kannel}[gateway.receipt]\n{more}\n");
    check(&receipt("auth = \"ulr\""), "did you mean `url`?");
    check(&receipt("auth = \"signature\""), "has no `signature`");
    check(&receipt("reasons.x = \"no_such\""), "`reasons` cannot say `no_such`");
    check(&receipt("statsu = [\"x\"]"), "did you mean `status`?");
    let bare = "base_url = \"http://h\"\n[gateway.request]\npath = \"/x\"\n";
    check(bare, "no answer of gateway `g` counts as taken");
    check(bare, "does not say how receipts come back");
}

#[test]
fn a_secret_that_stands_in_a_description_is_warned_about() {
    let (made, shown) = read(&format!(
        "like = \"kannel\"\n{ACCOUNT}[gateway.request]\nheaders.authorization = \"Bearer planted\"\n"
    ));
    assert!(made.is_some() && shown.contains("`authorization` stands in the file"), "{shown}");
    assert!(!shown.contains("planted"), "{shown}");
    assert!(built("sms-http", "like = \"kannel\"\n").0.is_none());
    let (_, shown) = built("sms-http", "like = \"smsgate\"\n");
    let names = "did you mean `sms-gate`? there are `kannel`, `jasmin`, `infobip`, `vonage`, `sms-gate`";
    assert!(shown.contains(names) && !shown.contains("says neither"), "{shown}");
}

#[test]
fn a_text_of_many_parts_is_waited_for_where_each_is_told_of() {
    let vonage = like("vonage");
    assert!(vonage.receipts.as_ref().is_some_and(Receipts::tell_parts));
    assert!(!like("kannel").receipts.as_ref().is_some_and(Receipts::tell_parts));
    let mut one = outgoing("+15551230000", "x");
    one.left = Span::from_secs(1);
    assert_eq!(value(&asked(&vonage, "x").1, "ttl"), Some("3600000"));
    let request = vonage.request(&one).expect("sound");
    assert!(String::from_utf8_lossy(&request.body).contains("ttl=20000"));
}

fn hooked(gateway: &SmsHttp, path: &str, query: &str, body: &str) -> HookAnswer {
    let method = if body.is_empty() { "GET" } else { "POST" };
    gateway.hook(&HookRequest {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers: Vec::new(),
        body: body.into(),
    })
}

#[test]
fn what_people_write_back_is_heard_once_it_is_proved() {
    let own =
        |name: &str| gateway(&format!("like = \"{name}\"\nreply_secret = \"of-replies-0123456\"\n{ACCOUNT}"));
    let said = |answer: HookAnswer| -> Vec<_> {
        assert_eq!((answer.status, answer.result), (200, "ok"));
        answer.replies.into_iter().map(|reply| (reply.from, reply.said, reply.id)).collect()
    };
    let safe = |id: &str| ("+970599000001".to_owned(), Said::text("أنا بخير"), id.to_owned());
    let query = "from=%2B970599000001&text=%D8%A3%D9%86%D8%A7+%D8%A8%D8%AE%D9%8A%D8%B1&id=k1&at=1700000000";
    let kannel = own("kannel");
    assert_eq!(said(hooked(&kannel, "/of-replies-0123456", query, "")), [safe("k1")]);
    let body =
        "msisdn=970599000001&to=1&messageId=v1&text=%D8%A3%D9%86%D8%A7+%D8%A8%D8%AE%D9%8A%D8%B1&type=unicode";
    assert_eq!(said(hooked(&own("vonage"), "/of-replies-0123456", "", body)), [safe("v1")]);
    let body = json!({"results": [
        {"messageId": "i1", "from": "970599000001", "to": "1", "text": "أنا بخير"},
        {"messageId": "i2", "from": "SHOP", "text": "x"}, {"from": "970599000001", "text": "x"}]});
    assert_eq!(said(hooked(&own("infobip"), "/of-replies-0123456", "", &body.to_string())), [safe("i1")]);
    // Jasmin hands on the octets as the SMSC wrote them.
    let jasmin = own("jasmin");
    let heard = |coding: &str, content: &str| {
        let body =
            format!("id=j1&from=%2B970599000001&to=1&origin-connector=a&coding={coding}&content={content}");
        let answer = hooked(&jasmin, "/of-replies-0123456", "", &body);
        assert_eq!(answer.body, "ACK/Jasmin");
        said(answer)
    };
    assert_eq!(heard("8", "%06%23%06F%06%27%00+%06%28%06%2E%06J%061"), [safe("j1")]);
    let said_so = |said: Said| [("+970599000001".to_owned(), said, "j1".to_owned())];
    assert_eq!(heard("0", "safe%00"), said_so(Said::text("safe@")));
    assert_eq!(heard("3", "caf%E9"), said_so(Said::text("café")));
    assert_eq!(heard("4", "safe"), said_so(Said::Other));
    // Receipts by their own proof say nothing of replies, and the other way round.
    for path in ["", "/", "/of-replies-0123457", "/0123456789abcdef"] {
        let answer = hooked(&kannel, path, query, "");
        assert_eq!((answer.status, answer.replies.len()), (403, 0), "{path}");
    }
    let attempt = outgoing("1", "x").order.attempt;
    let callback = kannel.receipts.as_ref().expect("it has them").proof.callback("", attempt);
    let answer = hooked(&kannel, &callback, &format!("type=1&{query}"), "");
    assert_eq!((answer.receipts.len(), answer.replies.len()), (1, 0));
    let (made, shown) = read(&format!("like = \"kannel\"\n{ACCOUNT}[gateway.reply]\nauth = \"url\"\n"));
    assert!(made.is_none() && shown.contains("cannot be known by `url`"), "{shown}");
}
