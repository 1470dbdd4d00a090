//! Operators are told, by the real service from its files: by mail, by the next road when mail is down, and the watcher of
//! the heartbeat by silence.

use crate::support::tables::{Table, file};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wasl::api::service::Change;
use wasl::core::channel::Channel;
use wasl::core::message::Recipient;
use wasl::core::query::Contact;
use wasl::emulator::{Mix, Received, TcpFault, smsc, smtp};
use wasl::runtime::site::{Door, Site};

const PATIENCE: Duration = Duration::from_secs(30);

const RULE: &str = r#"
[[rule]]
name = "notices"
when = { status = ["system"] }
confirm = "accepted"
  [[rule.step]]
  channels = ["email", "sms"]
  send = "each"
"#;

struct Office {
    folder: TempDir,
    smtp: smtp::Handle,
    smsc: smsc::Handle,
}

impl Office {
    async fn new(extra: &str) -> (Office, Site) {
        let office = Office {
            folder: tempfile::tempdir().unwrap(),
            smtp: smtp::start(smtp::Options::default()).await.unwrap(),
            smsc: smsc::start(smsc::Options::default()).await.unwrap(),
        };
        office.write("policies/all.toml", RULE);
        office.write("probes/none.toml", "# Nothing is probed here.\n");
        let tables = [
            Table::server(),
            Table::store(),
            Table::mail("mail", office.smtp.addr()).text("tls", "none"),
            Table::sms("sms", office.smsc.addr()).known(),
        ];
        office.write("wasl.toml", &(file(tables) + extra));
        let site = Site::open(&office.folder.path().join("wasl.toml"), Door::Open).await.unwrap();
        (office, site)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Makes an edit that nobody can want.
    async fn spoil(&self, site: &mut Site) {
        self.write("policies/all.toml", "[[rule]]\nnam = 1\n");
        assert!(site.reload().await.is_err());
    }
}

const OPERATORS: &str = r#"
[[operator]]
name = "amal"
language = "ar"
email = "amal@example.org"
contact = "duty"

[[operator]]
name = "omar"
email = "omar@example.org"
"#;

async fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn get(site: &Site, path: &str) -> Value {
    let (status, shown) = ask(site, "GET", path, Value::Null).await;
    assert_eq!(status, 200, "{shown:#}");
    shown
}

async fn ask(site: &Site, method: &str, path: &str, body: Value) -> (u16, Value) {
    let url = format!("http://{}{path}", site.address());
    let (status, shown) = crate::service::site::ask(&url, method, body).await;
    (status.as_u16(), shown)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_operator_is_told_in_their_language_and_its_letters_are_one_thread() {
    let (office, mut site) = Office::new(OPERATORS).await;
    office.spoil(&mut site).await;
    let mails = until("two letters", || Some(office.smtp.mails()).filter(|mails| mails.len() == 2)).await;
    let raw = |to: &str, mails: &[smtp::Mail]| {
        let mail = mails.iter().rev().find(|mail| mail.recipients == [to.to_owned()]);
        String::from_utf8(mail.unwrap_or_else(|| panic!("none for {to}")).raw.clone()).unwrap()
    };
    let received = office.smtp.received();
    let text = |to: &str| received.iter().find(|mail| mail.recipient == to).unwrap().text.clone();
    assert!(text("omar@example.org").starts_with("An edit of the files was refused"), "{received:?}");
    assert!(text("amal@example.org").starts_with("رُفض تعديل على الملفات"), "{received:?}");
    let thread = |raw: &str| raw.lines().find(|line| line.starts_with("References:")).unwrap().to_owned();
    let first = thread(&raw("omar@example.org", &mails));

    let shown = get(&site, "/v1/notices").await;
    let notice = &shown["notices"][0];
    assert_eq!((&notice["kind"], &notice["notices"]), (&json!("policy_rejected"), &json!(1)), "{shown:#}");
    let thread_name = notice["thread"].as_str().unwrap();
    let path = format!("/v1/notices/{thread_name}/acknowledge");
    let (status, told) = ask(&site, "POST", &path, json!({"reason": "I am on it"})).await;
    assert_eq!((status, told["acknowledged"]["who"].is_string()), (200, true), "{told:#}");
    assert_eq!(ask(&site, "POST", "/v1/notices/none/acknowledge", json!({"reason": "x"})).await.0, 404);

    office.write("policies/all.toml", RULE);
    site.reload().await.unwrap();
    let mails = until("its end", || Some(office.smtp.mails()).filter(|mails| mails.len() == 4)).await;
    assert_eq!(thread(&raw("omar@example.org", &mails)), first);
    let metrics = get(&site, "/metrics").await;
    assert!(metrics.as_str().unwrap().contains(r#"wasl_notices_total{result="sent"} 2"#), "{metrics:#}");
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_mail_is_down_the_next_road_is_taken() {
    let (office, mut site) = Office::new(OPERATORS).await;
    let addresses = [(Channel::Sms, "+970599000007".to_owned())].into();
    let person = Recipient { contact: Some("duty".into()), addresses, ..Recipient::default() };
    let contact = Contact { id: "duty".into(), person, ..contact() };
    site.service().change("test".into(), Change::Contacts(vec![contact])).await.unwrap();
    office.smtp.fault(smtp::Fault::Tcp(Mix::always(TcpFault::Refuse)));
    office.spoil(&mut site).await;
    // Mail itself is the second thing that is told of.
    let edit = |texts: Vec<Received>| texts.into_iter().find(|text| text.text.contains("رُفض تعديل"));
    let text = until("an SMS", || edit(office.smsc.received())).await;
    assert_eq!(text.recipient.trim_start_matches('+'), "970599000007");
    site.stop().await.unwrap();
}

const PEOPLE: &str = r#"
[[rule]]
name = "people"
when = { status = ["actual"] }
confirm = "acknowledged"
deadline = "1h"
escalate = ["officer"]
  [[rule.step]]
  channels = ["sms", "email"]
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_for_help_reaches_operators_and_contacts_once_though_the_service_stops() {
    let (office, mut site) = Office::new(OPERATORS).await;
    office.write("policies/all.toml", &format!("{RULE}{PEOPLE}"));
    site.reload().await.unwrap();
    let addresses = [(Channel::Email, "officer@example.org".to_owned())].into();
    let person = Recipient { contact: Some("officer".into()), addresses, ..Recipient::default() };
    let officer = Contact { id: "officer".into(), person, ..contact() };
    site.service().change("test".into(), Change::Contacts(vec![officer])).await.unwrap();
    let alert = json!({"severity": "severe", "to": [{"sms": "+15551230000"}], "text": {"en": "Are you safe?"},
                       "ack": ["safe", "need_help"]});
    let (status, told) = ask(&site, "POST", "/v1/messages", alert).await;
    assert_eq!(status, 202, "{told:#}");
    let id = told["id"].as_str().unwrap().to_owned();
    until("the question", || (office.smsc.received().len() == 1).then_some(())).await;
    assert!(office.smsc.inbound_text("15551230000", "4321", "٢"));
    let mails = |to: &str| {
        let of = office.smtp.received().into_iter().filter(|mail| mail.recipient == to);
        of.map(|mail| mail.text).collect::<Vec<_>>()
    };
    let omar = until("a letter to omar", || mails("omar@example.org").pop()).await;
    let lines: Vec<&str> = omar.lines().collect();
    assert_eq!(lines[0], "One person needs help", "{omar}");
    assert_eq!(lines[1], format!("They answered message {id}."), "{omar}");
    assert_eq!(lines[2], "From: …000.", "{omar}");
    assert!(lines[3].starts_with("Last call: "), "{omar}");
    assert_eq!(lines[4], "Do: call them or send somebody at once. What they wrote:");
    assert!(lines[5].ends_with(&format!("/v1/replies?message={id}&kind=need_help")), "{omar}");
    let amal = until("a letter to amal", || mails("amal@example.org").pop()).await;
    assert!(amal.starts_with("شخص واحد يحتاج إلى مساعدة"), "{amal}");
    let contacts = until("a letter to the officer", || mails("officer@example.org").pop()).await;
    assert!(contacts.contains("Call for help: 1 of those who got message"), "{contacts}");
    let shown = get(&site, "/v1/notices").await;
    let notice = &shown["notices"][0];
    assert_eq!((&notice["kind"], &notice["severity"]), (&json!("need_help"), &json!("severe")), "{shown:#}");
    site.stop().await.unwrap();

    // Whether anybody heard of it is not known to the next one: it tells again, under the same names.
    let site = Site::open(&office.folder.path().join("wasl.toml"), Door::Open).await.unwrap();
    let began = Instant::now();
    while get(&site, "/v1/notices").await["notices"].as_array().unwrap().is_empty() {
        assert!(began.elapsed() < PATIENCE, "it is taken up again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (_, told) = ask(
        &site,
        "POST",
        "/v1/messages",
        json!({"severity": "severe",
        "to": [{"email": "last@example.org"}], "text": {"en": "What comes after it"}}),
    )
    .await;
    assert!(told["id"].is_string(), "{told:#}");
    until("what comes after it", || mails("last@example.org").pop()).await;
    for to in ["omar@example.org", "amal@example.org", "officer@example.org"] {
        assert_eq!(mails(to).len(), 1, "{to} hears it once");
    }
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_heartbeat_is_heard_while_all_is_well_and_missed_afterwards() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let beats = Arc::new(AtomicU32::new(0));
    let heard = Arc::clone(&beats);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4_096];
            let read = stream.read(&mut bytes).await.unwrap_or(0);
            if bytes[..read].starts_with(b"GET /ping/1234-5678 HTTP/1.1\r\n") {
                heard.fetch_add(1, Ordering::SeqCst);
            }
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    });
    let notices = format!(
        "\n[notices]\nheartbeat_url = \"http://{address}/ping/1234-5678\"\nheartbeat_every = \"10s\"\n"
    );
    let (_office, site) = Office::new(&notices).await;
    until("a beat", || (beats.load(Ordering::SeqCst) > 0).then_some(())).await;
    site.stop().await.unwrap();
}

fn contact() -> Contact {
    let (id, name, consent) = Default::default();
    Contact { id, name, person: Recipient::default(), consent, deputy: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_hear_that_an_erasure_closed_a_call_for_help_and_not_whose() {
    let (office, mut site) = Office::new(OPERATORS).await;
    office.write("policies/all.toml", &format!("{RULE}{PEOPLE}"));
    site.reload().await.unwrap();
    let addresses = [(Channel::Sms, "+15551230017".to_owned())].into();
    let person = Recipient { contact: Some("c-17".into()), addresses, ..Recipient::default() };
    let caller = Contact { id: "c-17".into(), person, ..contact() };
    site.service().change("test".into(), Change::Contacts(vec![caller])).await.unwrap();
    let alert = json!({"severity": "severe", "to": [{"contact": "c-17"}], "text": {"en": "Are you safe?"},
                       "ack": ["safe", "need_help"]});
    let (status, told) = ask(&site, "POST", "/v1/messages", alert).await;
    assert_eq!(status, 202, "{told:#}");
    until("the question", || (office.smsc.received().len() == 1).then_some(())).await;
    assert!(office.smsc.inbound_text("15551230017", "4321", "٢"));
    let mails = |to: &str| {
        let of = office.smtp.received().into_iter().filter(|mail| mail.recipient == to);
        of.map(|mail| mail.text).collect::<Vec<_>>()
    };
    until("a call", || mails("omar@example.org").pop()).await;
    site.service().erase("desk".into(), "c-17".into(), "asked for it".into()).await.unwrap().unwrap();
    let closed = until("its end", || mails("omar@example.org").into_iter().nth(1)).await;
    let lines: Vec<&str> = closed.lines().collect();
    assert_eq!(lines[0], "A call for help was closed by an erasure", "{closed}");
    assert!(lines[2].starts_with("Do: if somebody is on the way"), "{closed}");
    assert!(lines[3].ends_with("/v1/audit?act=close_help"), "{closed}");
    assert!(!closed.contains("c-17") && !closed.contains("017"), "{closed}");
    let arabic = until("its end in Arabic", || mails("amal@example.org").into_iter().nth(1)).await;
    assert!(arabic.starts_with("أُغلق نداء واحد"), "{arabic}");
    site.stop().await.unwrap();
}
