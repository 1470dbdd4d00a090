//! What must not be seen is planted everywhere and driven through everything that can happen to it; then all that the
//! service said anywhere is searched for it.
//!
//! Planted are secrets, addresses and texts. Heard are logs at their most talkative, in both shapes; every answer of
//! the interface, good and bad; pages, metrics and events; what each command prints; the files on disk; and what goes
//! over the wires to the providers. Where a thing is shown by design stands in [`planted`]'s list, and nowhere else.

mod planted;
mod scene;
mod wire;

use crate::support::process::{Answered, Process, WASL, write};
use planted::{Heard, Kind, Planted};
use scene::*;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use wasl::emulator::{AcceptFault, sms_http, smsc, smtp, telegram, twilio, webhook, whatsapp};

/// What the story hears, and who asks.
struct Ear<'a> {
    service: &'a Process,
    folder: &'a Path,
    heard: Heard,
    statuses: Vec<u16>,
}

impl Ear<'_> {
    /// Calls, with the token unless other headers are given, and keeps what comes back.
    async fn call(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let bearer = format!("Bearer {}", self.service.token());
        let own = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let headers = if headers.is_empty() { &own[..] } else { headers };
        let answered = self.service.call(method, path, headers, body.into()).await;
        // The place is named by the route alone: what was asked is not what was said.
        let route = path.split('?').next().unwrap_or(path);
        let what = format!("{} {}", answered.headers, answered.body);
        let good = answered.status.is_success();
        let place = if good { format!("{method} {route}") } else { format!("error of {method} {route}") };
        self.heard.push(place, what);
        self.statuses.push(answered.status.as_u16());
        answered
    }

    /// Runs a command to its end, and keeps what it prints.
    fn command(&mut self, words: &[&str], input: &str) -> String {
        let out = tokio::task::block_in_place(|| {
            let mut child = Command::new(WASL)
                .args(words)
                .current_dir(self.folder)
                .env("WASL_URL", self.service.base())
                .env("WASL_TOKEN", self.service.token())
                .env("WASL_LOG", "trace")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        });
        let name = words[..words.len().min(2)].join(" ");
        self.heard.push(format!("wasl {name} stdout"), &out.stdout);
        self.heard.push(format!("stderr of wasl {name}"), &out.stderr);
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}

/// Sends one message to one address, both texts in it, and waits until it has ended.
async fn tell(ear: &mut Ear<'_>, channel: &str, address: &str) -> String {
    let body = json!({
        "severity": "severe", "text": {"ar": ARABIC, "en": ENGLISH},
        "to": [{channel: address, "language": "ar"}],
    });
    let answered = ear.call("POST", "/v1/messages", &[], &body.to_string()).await;
    assert!(answered.status.is_success(), "{answered:?}");
    let id = serde_json::from_str::<Value>(&answered.body).unwrap()["id"].as_str().unwrap().to_owned();
    ear.service.settled(&id).await;
    ear.call("GET", &format!("/v1/messages/{id}"), &[], "").await;
    // Its own place: who reads what became of a message is not shown to whom it went.
    let story = ear.service.text(&format!("/v1/messages/{id}/deliveries")).await;
    ear.heard.push("deliveries of a message", story);
    id
}

/// Success, then every provider refuses, throttles, breaks, and repeats in its error all that it was told.
async fn through_the_providers(ear: &mut Ear<'_>, scene: &Scene) {
    for (channel, address) in PEOPLE {
        tell(ear, channel, address).await;
    }
    let echo = scene.echo();
    let own_words = whatsapp::Refusal::new(131_026).details(&echo);
    scene.whatsapp.refuse_recipient(&NUMBER[1..], Some(own_words.clone()));
    scene.telegram.refuse_recipient(CHAT, Some(telegram::Refusal::new(400, &format!("Bad Request: {echo}"))));
    scene.mail.refuse_recipient(MAILBOX, Some(smtp::Refusal::recipient(550, &format!("5.1.1 {echo}"))));
    scene.smsc.refuse_recipient(&NUMBER[1..], Some(smsc::Refusal::Status(0x0b)));
    scene.hook.refuse_recipient(REFERENCE, Some(webhook::Refusal::new(422, &echo)));
    for (channel, address) in PEOPLE {
        tell(ear, channel, address).await;
    }
    scene.whatsapp.refuse_recipient(&NUMBER[1..], None);
    scene.telegram.refuse_recipient(CHAT, None);
    scene.mail.refuse_recipient(MAILBOX, None);
    scene.smsc.refuse_recipient(&NUMBER[1..], None);
    scene.hook.refuse_recipient(REFERENCE, None);
    // Faults of the gateway, and answers that nobody can read; the next attempt gets through.
    let fault = whatsapp::Refusal::new(131_000).details(&echo);
    scene.whatsapp.fault_next(AcceptFault::Reject(fault));
    scene.whatsapp.fault_next(AcceptFault::Garbage { taken: true });
    let token = telegram::Refusal::new(500, &format!("Internal: {echo}"));
    scene.telegram.fault_next(AcceptFault::Reject(token));
    scene.telegram.fault_next(AcceptFault::Reset { taken: true });
    scene.mail.fault_next(AcceptFault::Reject(smtp::Refusal::mail(451, &format!("4.3.0 {echo}"))));
    scene.smsc.fault_next(AcceptFault::Reject(smsc::Refusal::Status(0x0400)));
    scene.hook.fault_next(AcceptFault::Reject(webhook::Refusal::new(500, &echo)));
    scene.hook.fault_next(AcceptFault::Reset { taken: true });
    for (channel, address) in PEOPLE {
        tell(ear, channel, address).await;
    }
}

/// Of two gateways of one channel the other one carries, once the first is held: the same for it.
async fn through_the_other_gateway(ear: &mut Ear<'_>, scene: &Scene) {
    each_of(ear, &["sms", "box"], "hold").await;
    tell(ear, "sms", NUMBER).await;
    let echo = scene.echo();
    scene.twilio.refuse_recipient(NUMBER, Some(twilio::Refusal::new(21_614).details(&echo)));
    tell(ear, "sms", NUMBER).await;
    scene.twilio.refuse_recipient(NUMBER, None);
    scene.twilio.fault_next(AcceptFault::Reject(twilio::Refusal::new(20_500).details(&echo)));
    scene.twilio.fault_next(AcceptFault::Garbage { taken: true });
    tell(ear, "sms", NUMBER).await;
    each_of(ear, &["sms", "box"], "release").await;
    let parameters = [("MessageSid", "SM1"), ("MessageStatus", "failed"), ("To", NUMBER), ("Body", ENGLISH)];
    let escaped = |text: &str| text.replace('+', "%2B").replace(' ', "+");
    let body: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let body = body.join("&");
    let parameters = parameters.map(|(name, value)| (name, value.to_owned()));
    let good = twilio::signature(AUTH_TOKEN, "http://127.0.0.1:0/hooks/tw", &parameters);
    let form = ("content-type", "application/x-www-form-urlencoded");
    for (signature, expected) in [(good.as_str(), 200), (ACCESS_TOKEN, 403), ("", 403)] {
        let answered = ear.call("POST", "/hooks/tw", &[("x-twilio-signature", signature), form], &body).await;
        assert_eq!(answered.status, expected, "{answered:?}");
    }
}

async fn each_of(ear: &mut Ear<'_>, gateways: &[&str], act: &str) {
    for gateway in gateways {
        ear.call("POST", &format!("/v1/gateways/{gateway}/{act}"), &[], r#"{"reason":"x"}"#).await;
    }
}

/// The same for the one that is described in the file, and calls to it that nothing proves.
async fn through_the_described_gateway(ear: &mut Ear<'_>, scene: &Scene) {
    each_of(ear, &["sms", "tw"], "hold").await;
    tell(ear, "sms", NUMBER).await;
    let echo = scene.echo();
    scene.sms_box.refuse_recipient(&NUMBER[1..], Some(sms_http::Refusal::new(400, &echo)));
    tell(ear, "sms", NUMBER).await;
    scene.sms_box.refuse_recipient(&NUMBER[1..], None);
    scene.sms_box.fault_next(AcceptFault::Reject(sms_http::Refusal::new(403, &echo)));
    scene.sms_box.fault_next(AcceptFault::Garbage { taken: true });
    tell(ear, "sms", NUMBER).await;
    each_of(ear, &["sms", "tw"], "release").await;
    assert!(scene.sms_box.accepted_count() > 0, "it was used");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = format!("id=1&message_status=DELIVRD&text={}", ENGLISH.replace(' ', "+"));
    for path in ["", "/01ARZ3NDEKTSV4RRFFQ69G5FAV-0-1/AAAAAAAAAAAAAAAAAAAAAA"] {
        let answered = ear.call("POST", &format!("/hooks/box{path}"), &[form], &body).await;
        assert_eq!(answered.status, 403, "{answered:?}");
    }
}

/// Providers' calls: unsigned, wrongly signed, signed and unreadable, to nobody, and a handshake with a wrong token.
async fn through_the_hooks(ear: &mut Ear<'_>) {
    let whole = json!({"entry": [{"changes": [{"value": {"statuses": [{"id": NUMBER, "status": "failed",
        "recipient_id": NUMBER, "errors": [{"code": 131_026, "message": ENGLISH}]}]}}]}]})
    .to_string();
    let broken = format!("{{\"{NUMBER}\": \"{ARABIC} {ACCESS_TOKEN}");
    let signed = |body: &str| whatsapp::signature(APP_SECRET, body.as_bytes());
    let (good, bad) = (signed(&whole), signed("something else"));
    for (body, signature) in [(&whole, &good), (&whole, &bad), (&broken, &signed(&broken)), (&broken, &bad)] {
        let headers = [("x-hub-signature-256", signature.as_str()), ("content-type", "application/json")];
        ear.call("POST", "/hooks/wa", &headers, body).await;
    }
    let no_header = [("content-type", "application/json")];
    ear.call("POST", "/hooks/wa", &no_header, &broken).await;
    ear.call("POST", &format!("/hooks/{}", &NUMBER[1..]), &no_header, &broken).await;
    ear.call("POST", &format!("/hooks/wa/{VERIFY_TOKEN}"), &no_header, &whole).await;
    let shake =
        |token: &str| format!("/hooks/wa?hub.mode=subscribe&hub.challenge=7&hub.verify_token={token}");
    ear.call("GET", &shake(VERIFY_TOKEN), &no_header, "").await;
    ear.call("GET", &shake(ACCESS_TOKEN), &no_header, "").await;
    for secret in [BOX_REPLIES, VERIFY_TOKEN] {
        let said = format!("/hooks/box-nobody/{secret}?from=%2B{}&text=hello&id=1&at=1", &NUMBER[1..]);
        ear.call("GET", &said, &no_header, "").await;
    }
    let press = json!({"update_id": 1, "callback_query": {"id": "1", "data": CHAT, "from": {"id": CHAT}}});
    for secret in [WEBHOOK_SECRET, APP_SECRET] {
        let headers = [("x-telegram-bot-api-secret-token", secret), ("content-type", "application/json")];
        ear.call("POST", "/hooks/tg", &headers, &press.to_string()).await;
        ear.call("POST", "/hooks/tg", &headers, &broken).await;
    }
}

/// Requests that are wrong in every way, each with something planted where it is wrong.
async fn through_bad_requests(ear: &mut Ear<'_>) {
    let to = format!(r#""severity":"minor","to":[{{"sms":"{NUMBER}"}}]"#);
    let bodies = [
        format!(r#"{{{to},"text":"{ENGLISH}"}}"#),
        format!(r#"{{{to},"text":{{"en":["{ARABIC}"]}}}}"#),
        format!(r#"{{{to},"text":{{"{ENGLISH}":"x"}}}}"#),
        format!(r#"{{{to},"text":{{"en":"{ENGLISH}\u0000"}}}}"#),
        format!(r#"{{{to},"text":{{"en":"x"}},"{NUMBER}":1}}"#),
        format!(r#"{{{to},"text":{{"en":"x"}},"expires":"{NUMBER}"}}"#),
        format!(r#"{{{to},"text":{{"en":"x"}},"incident":{CHAT}}}"#),
        format!(r#"{{{to},"text":{{"en":"x"}},"status":"{NUMBER}"}}"#),
        format!(r#"{{{to},"text":{{"en":"x"}},"tags":{{"{MAILBOX}":"{ENGLISH}"}}}}"#),
        format!(r#"{{{to},"text":{{"en":"x"}},"template":"{ENGLISH}"}}"#),
        format!(r#"{{{to},"text":{{"en":"{ENGLISH}"#),
        format!(r#"{{"severity":"{ENGLISH}","to":"{NUMBER}"}}"#),
        format!(r#"{{"severity":"minor","to":"{NUMBER}","text":{{"en":"x"}}}}"#),
        format!(r#"{{"severity":"minor","to":["{NUMBER}"],"text":{{"en":"x"}}}}"#),
        format!(r#"{{"severity":"minor","to":[{{"{NUMBER}":"sms"}}],"text":{{"en":"x"}}}}"#),
        format!(r#"{{"severity":"minor","to":[{{"sms":{}}}],"text":{{"en":"x"}}}}"#, &NUMBER[1..]),
        format!(r#"{{"severity":"minor","to":[{{"sms":"{}"}}],"text":{{"en":"x"}}}}"#, &NUMBER[4..]),
        format!(r#"{{"severity":"minor","to":[{{"sms":"{NUMBER}x"}}],"text":{{"en":"x"}}}}"#),
        format!(r#"{{"severity":"minor","to":[{{"telegram":"@{CHAT}"}}],"text":{{"en":"x"}}}}"#),
        format!(r#"{{"severity":"minor","to":[{{"telegram":{CHAT}.5}}],"text":{{"en":"x"}}}}"#),
        format!(r#"{{"severity":"minor","to":[{{"email":"{MAILBOX} x"}}],"text":{{"en":"x"}}}}"#),
        format!(r#"{{"severity":"minor","to":[{{"contact":"{NUMBER}"}}],"text":{{"en":"x"}}}}"#),
        format!(r#"{{"severity":"minor","to":[{{"audience":"{MAILBOX}"}}],"text":{{"en":"x"}}}}"#),
        format!(r#"{{"severity":"minor","to":[{{"contact":{{"{NUMBER}":1}}}}],"text":{{"en":"x"}}}}"#),
        NUMBER.to_owned(),
        format!("\"{ENGLISH}\""),
    ];
    for body in &bodies {
        let answered = ear.call("POST", "/v1/messages", &[], body).await;
        assert!(answered.status.is_client_error(), "{answered:?}: {body}");
    }
    let row = |row: String| format!(r#"{{"contacts":[{row}]}}"#);
    for body in [
        row(format!(r#"{{"id":"c-9","sms":"{}"}}"#, &NUMBER[4..])),
        row(format!(r#"{{"id":"c-9","{NUMBER}":"x"}}"#)),
        row(format!(r#"{{"id":["{NUMBER}"]}}"#)),
        row(format!(r#"{{"id":"c-9","audiences":"{MAILBOX}"}}"#)),
        row(format!("\"{MAILBOX}\"")),
    ] {
        ear.call("POST", "/v1/contacts", &[], &body).await;
    }
    let wrong_token = format!("Bearer {ACCESS_TOKEN}");
    let basic = format!("Basic {ACCESS_TOKEN}");
    let other_host = format!("{}.example", &NUMBER[1..]);
    let token = format!("Bearer {}", ear.service.token());
    let plain = format!("text/{ENGLISH}").replace(' ', "-");
    let good = format!(r#"{{{to},"text":{{"en":"{ENGLISH}"}}}}"#);
    let json = ("content-type", "application/json");
    let calls: &[(&str, String, &[(&str, &str)], &str)] = &[
        ("POST", "/v1/messages".into(), &[("authorization", &wrong_token), json], &good),
        ("POST", "/v1/messages".into(), &[("authorization", &basic), json], &good),
        ("POST", "/v1/messages".into(), &[("cookie", &format!("wasl_session={ACCESS_TOKEN}")), json], &good),
        ("POST", "/v1/messages".into(), &[("authorization", &token), ("content-type", &plain)], &good),
        ("POST", "/v1/messages".into(), &[("authorization", &token), ("host", &other_host), json], &good),
        (
            "POST",
            "/v1/messages".into(),
            &[("authorization", &token), ("origin", &format!("https://{other_host}"))],
            &good,
        ),
        ("GET", format!("/v1/messages?limit={}", &NUMBER[1..]), &[], ""),
        ("GET", format!("/v1/messages?{}=1", &NUMBER[1..]), &[], ""),
        ("GET", format!("/v1/messages/{}", &NUMBER[1..]), &[], ""),
        ("GET", format!("/v1/{}", &NUMBER[1..]), &[], ""),
        ("DELETE", format!("/v1/messages/{}", &NUMBER[1..]), &[], ""),
        ("POST", format!("/v1/messages/{}/cancel", &NUMBER[1..]), &[], r#"{"reason":"x"}"#),
        ("POST", format!("/v1/gateways/{}/hold", &NUMBER[1..]), &[], r#"{"reason":"x"}"#),
        ("POST", "/v1/tokens".into(), &[], &format!(r#"{{"name":"{NUMBER}","role":"{MAILBOX}"}}"#)),
        ("POST", "/v1/tokens".into(), &[], &format!(r#"{{"name":"x","role":"{MAILBOX}"}}"#)),
        ("GET", "/?lang=en".into(), &[("cookie", "x=1")], ""),
    ];
    for (method, path, headers, body) in calls {
        let answered = ear.call(method, path, headers, body).await;
        assert!(!answered.status.is_success() && !answered.status.is_server_error(), "{path}: {answered:?}");
    }
    let keyed = [("authorization", token.as_str()), ("idempotency-key", NUMBER), json];
    ear.call("POST", "/v1/messages", &keyed, &good).await;
    let other = good.replace(ENGLISH, ARABIC);
    assert_eq!(ear.call("POST", "/v1/messages", &keyed, &other).await.status, 409);
    let long = format!(r#"{{{to},"text":{{"en":"{}"}}}}"#, ENGLISH.repeat(100 * 1024 / ENGLISH.len()));
    assert_eq!(ear.call("POST", "/v1/tokens", &[], &long).await.status, 413);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for _ in 0..50 {
        if ear.call("POST", "/login", &form, &format!("token={ACCESS_TOKEN}&next=/")).await.status == 429 {
            break;
        }
    }
    for status in [400, 401, 404, 405, 409, 413, 415, 421, 422, 429] {
        assert!(ear.statuses.contains(&status), "{status} never came: {:?}", ear.statuses);
    }
}

/// Everything that shows something.
async fn through_what_is_shown(ear: &mut Ear<'_>) {
    for path in [
        "/metrics",
        "/v1/gateways",
        "/v1/channels",
        "/v1/outages",
        "/v1/deliveries",
        "/v1/status",
        "/v1/messages",
        "/v1/contacts",
        "/openapi.json",
        "/readyz",
        "/healthz",
        "/login?lang=ar",
        "/?lang=ar",
        "/?lang=en",
    ] {
        let answered = ear.call("GET", path, &[], "").await;
        assert!(answered.status.is_success(), "{path}: {answered:?}");
    }
    for path in ["/v1/events", "/feed?lang=ar", "/feed?lang=en"] {
        let stream = ear.service.stream(path, Duration::from_millis(700)).await;
        assert!(!stream.is_empty(), "{path} says nothing");
        ear.heard.push(format!("stream {path}"), stream);
    }
}

/// Every command, good and bad.
async fn through_the_commands(ear: &mut Ear<'_>, id: &str) {
    let send = |more: &[&'static str]| [&["send", "--severity", "minor"][..], more].concat();
    let to: &'static str = Box::leak(format!("sms={NUMBER}").into_boxed_str());
    let wrong: &'static str = Box::leak(format!("{NUMBER}=sms").into_boxed_str());
    let half: &'static str = Box::leak(format!("sms={NUMBER},{MAILBOX}").into_boxed_str());
    for line in [
        send(&["--to", to, "--text", ENGLISH, "--wait"]),
        send(&["--to", to, "--text", ARABIC, "--lang", "ar", "--json"]),
        send(&["--to", wrong, "--text", ENGLISH]),
        send(&["--to", half, "--text", ENGLISH]),
        send(&["--to", NUMBER, "--text", ENGLISH]),
        send(&["--to", to, "--text", "x", NUMBER]),
        send(&["--to", to, "--text", "x", "--tag", ENGLISH]),
        send(&["--to", to, "--text", "x", "--template", "t", "--param", NUMBER]),
        send(&["--to", to, "--text", "x", "--incident", NUMBER, "--expires", NUMBER]),
        vec!["status"],
        vec!["status", "--json"],
        vec!["outages"],
        vec!["outages", "--json"],
        vec!["check"],
        vec!["check", "--json"],
        vec!["probe", "tg"],
        vec!["probe", "tg", "--json"],
        vec!["probe", "wa-no-name", "--json"],
        vec!["probe", "tg-no-tls", "--json"],
        vec!["probe", "hook"],
        vec!["probe", "hook-nobody", "--json"],
        vec!["hold", "tg-no-tls", "--reason", "x"],
        vec!["release", "tg-no-tls", "--reason", "x"],
        vec!["cancel", id, "--reason", "x"],
        vec!["policy", "explain", "--severity", "minor", "--channels", "sms"],
        vec!["contacts", "export"],
        vec!["contacts", "export", "--json"],
    ] {
        ear.command(&line, "");
    }
    let table =
        format!("id,name,sms,telegram,email,webhook\nc-1,Amal,'{NUMBER},{CHAT},{MAILBOX},{REFERENCE}\n");
    ear.command(&["contacts", "import", "-"], &table);
    for bad in [
        format!("c-1,{NUMBER},{MAILBOX}\n"),
        format!("id,sms\nc-1,{}\n", &NUMBER[4..]),
        format!("id,sms\nc-1,{NUMBER},{MAILBOX}\n"),
        format!("id,email\nc-1,{MAILBOX} x\n"),
        format!("id,sms\nc-1,\"{NUMBER}\n"),
        format!("id,sms\n{NUMBER},\n{NUMBER},\n"),
    ] {
        ear.command(&["contacts", "import", "-"], &bad);
        ear.command(&["contacts", "import", "--json", "-"], &bad);
    }
}

/// Mistakes in files, on the very line on which a secret stands.
fn through_bad_files(ear: &mut Ear<'_>, scene: &Scene) {
    for (number, (right, wrong)) in mistakes().iter().enumerate() {
        let folder = format!("wrong-{number}");
        let text = scene.settings();
        assert!(text.contains(right), "{right} is in the file");
        write(ear.folder, &format!("{folder}/wasl.toml"), &text.replacen(right, wrong, 1));
        let config = format!("{folder}/wasl.toml");
        for line in [
            vec!["check", "--config", &config],
            vec!["check", "--config", &config, "--json"],
            vec!["probe", "wa", "--config", &config],
            vec!["run", "--config", &config],
        ] {
            let said = ear.command(&line, "");
            assert!(line[0] != "check" || said.contains("error"), "{wrong} is no mistake: {said}");
        }
    }
}

/// A mistake that comes while the service runs.
async fn through_a_bad_edit(ear: &mut Ear<'_>, scene: &Scene) {
    let (right, wrong) = &mistakes()[0];
    write(ear.folder, "wasl.toml", &scene.settings().replacen(right, wrong, 1));
    let refused = |status: &Value| status["policy_trouble"]["report"].is_string();
    let status = ear.service.until("the edit is refused", "/v1/status", refused).await;
    ear.heard.push("status after a bad edit", status.to_string());
    for path in ["/?lang=ar", "/?lang=en"] {
        ear.call("GET", path, &[], "").await;
    }
    ear.command(&["status"], "");
    write(ear.folder, "wasl.toml", &scene.settings());
    ear.service.until("the edit is taken back", "/v1/status", |status| !refused(status)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_is_planted_is_seen_nowhere() {
    let scene = Scene::new().await;
    let service = scene.serve("json").await;
    scene.call_back(&service);
    let folder = scene.folder.path();
    let mut ear = Ear { service: &service, folder, heard: Heard::default(), statuses: Vec::new() };
    let contact = json!({"contacts": [{"id": "c-1", "name": "Amal", "sms": NUMBER, "telegram": CHAT, "email": MAILBOX, "webhook": REFERENCE}]});
    ear.call("POST", "/v1/contacts", &[], &contact.to_string()).await;
    through_the_providers(&mut ear, &scene).await;
    through_the_other_gateway(&mut ear, &scene).await;
    through_the_described_gateway(&mut ear, &scene).await;
    through_the_hooks(&mut ear).await;
    through_bad_requests(&mut ear).await;
    let id = tell(&mut ear, "whatsapp", NUMBER).await;
    let made = ear.call("POST", "/v1/tokens", &[], r#"{"name":"eye","role":"viewer"}"#).await.body;
    let viewer = serde_json::from_str::<Value>(&made).unwrap()["token"].as_str().unwrap().to_owned();
    let weak = format!("Bearer {viewer}");
    let weak = [("authorization", weak.as_str()), ("content-type", "application/json")];
    assert_eq!(ear.call("POST", "/v1/messages", &weak, "{}").await.status, 403);
    let sender = ear.command(&["token", "new", "--name", "desk", "--role", "sender"], "").trim().to_owned();
    through_the_commands(&mut ear, &id).await;
    through_bad_files(&mut ear, &scene);
    through_a_bad_edit(&mut ear, &scene).await;
    through_what_is_shown(&mut ear).await;
    let Ear { mut heard, .. } = ear;

    // The same service again, with the log for people; it takes up what lies in the store.
    let admin = service.token().to_owned();
    service.stop().await;
    keep(&mut heard, folder, "json");
    let service = scene.serve("plain").await;
    let mut ear = Ear { service: &service, folder, heard, statuses: Vec::new() };
    scene.telegram.refuse_recipient(CHAT, Some(telegram::Refusal::new(403, &scene.echo())));
    tell(&mut ear, "telegram", CHAT).await;
    through_a_bad_edit(&mut ear, &scene).await;
    through_what_is_shown(&mut ear).await;
    let Ear { mut heard, .. } = ear;
    service.stop().await;
    keep(&mut heard, folder, "plain");
    scene.keep_wires(&mut heard);
    keep_disk(&mut heard, folder);

    // Silence would pass, so each of these must have said what is known of it.
    for (place, words) in [
        ("stderr of wasl run json", "a gateway answered"),
        ("stderr of wasl run plain", "a gateway answered"),
        ("stderr of wasl run json", "dns_nxdomain"),
        ("stderr of wasl run json", "tls_"),
        ("stderr of wasl run json", "tcp_refused"),
        ("GET /metrics", "wasl_hooks_total{gateway=\"wa\",result=\"bad_signature\"}"),
        ("stream /v1/events", "event:"),
        ("status after a bad edit", "***"),
        ("wire telegram", "/sendMessage"),
        ("url telegram", "/getMe"),
        ("wire twilio", "POST /2010-04-01/Accounts/"),
        ("url twilio", "/Messages.json"),
        ("wire hook", "webhook-signature: v1,"),
        ("wire hook", "OPTIONS /in/"),
        ("disk outbox.redb", ENGLISH),
    ] {
        assert!(heard.has(place, words), "{place} never said {words}");
    }
    let mut all = everything_planted();
    all.push(Planted::new("the first token", Kind::Secret, &admin));
    all.push(Planted::new("the viewer's token", Kind::Secret, &viewer));
    all.push(Planted::new("the sender's token", Kind::Secret, &sender));
    let leaks = heard.leaks(&all);
    assert!(leaks.is_empty(), "{} leaks\n{}", leaks.len(), leaks.join("\n"));
}
