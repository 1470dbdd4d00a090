//! Who may do what, and what a caller is told: the table of calls against every role, limits, conflicts, problems.

mod operating;

use crate::stand_in::{self, StandIn, token};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Semaphore;
use wasl::api::access::Access;
use wasl::api::routes::{ROUTES, Route, Verb};
use wasl::api::service::{Change, Trouble};
use wasl::api::{ApiConfig, router};
use wasl::core::channel::Channel;
use wasl::core::effect::Reply;
use wasl::core::message::Recipient;
use wasl::core::query::{Contact, Role};
use wasl::core::record::OutageOf;
use wasl::core::time::Span;

/// The interface over a stand-in.
struct House {
    service: Arc<StandIn>,
    router: Router,
}

struct Told {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl House {
    fn new(service: StandIn, config: ApiConfig) -> House {
        let service = Arc::new(service);
        House { router: router(service.clone(), config), service }
    }

    fn plain() -> House {
        House::new(StandIn::new(stand_in::meta_is_gone()), ApiConfig::default())
    }

    fn answering(reply: Result<Reply, Trouble>) -> House {
        let mut service = StandIn::new(stand_in::meta_is_gone());
        service.refusal = Some(reply);
        House::new(service, ApiConfig::default())
    }

    async fn send(&self, request: Request<Body>) -> Told {
        let response = TowerToHyperService::new(self.router.clone()).call(request).await.unwrap();
        let (head, body) = response.into_parts();
        // A stream never ends: its head is all that is looked at.
        let stream = head.headers.get(header::CONTENT_TYPE).is_some_and(|media| media == "text/event-stream");
        let body = if stream { Vec::new() } else { body.collect().await.unwrap().to_bytes().to_vec() };
        Told { status: head.status, headers: head.headers, body: String::from_utf8(body).unwrap() }
    }

    async fn call(&self, verb: &str, path: &str, role: Option<Role>, body: &str) -> Told {
        self.send(request(verb, path, role, &[], body)).await
    }

    async fn post_message(&self, headers: &[(&str, &str)], body: &str) -> Told {
        self.send(request("POST", "/v1/messages", Some(Role::Sender), headers, body)).await
    }
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    fn problem(&self) -> String {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{}", self.body);
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        problem["type"].as_str().unwrap().replace("urn:wasl:problem:", "")
    }
}

fn request(
    verb: &str,
    path: &str,
    role: Option<Role>,
    headers: &[(&str, &str)],
    body: &str,
) -> Request<Body> {
    let mut request = Request::builder().method(verb).uri(path).header("host", "127.0.0.1:8080");
    if let Some(role) = role {
        request = request.header("authorization", format!("Bearer {}", token(role)));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

const MESSAGE: &str = r#"{"severity":"extreme","to":[{"sms":"+970599000001"}],"text":{"en":"Leave now."}}"#;

/// Fills a route's path with names that exist.
fn path_of(route: &Route) -> String {
    route
        .path
        .replace("{id}", &stand_in::message_id().to_string())
        .replace("{gateway}", "whatsapp-main")
        .replace("{*rest}", "secret")
        .replace("{name}", "whatsapp-main")
}

#[tokio::test]
async fn every_call_lets_in_whom_the_table_names_and_nobody_else() {
    let house = House::plain();
    for route in ROUTES {
        for role in [None].into_iter().chain(Role::ALL.map(Some)) {
            let told = house.call(route.verb.name(), &path_of(route), role, "{}").await;
            let shut_out = matches!(told.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            let to_login = told.status == StatusCode::SEE_OTHER && told.headers[header::LOCATION] != "/login";
            let what = format!("{} {} as {role:?}: {}", route.verb.name(), route.path, told.status);
            match (route.access, role) {
                // The adapter turns an unsigned call away, and the login page a wrong token: not the table.
                (Access::Provider, _) => assert_eq!(told.status, StatusCode::UNAUTHORIZED, "{what}"),
                (Access::Open, _) if route.verb == Verb::Post => {}
                (Access::Open | Access::Health, _) => assert!(!shut_out && !to_login, "{what}"),
                (Access::Role(_) | Access::Metrics, None) => {
                    assert_eq!(told.status, StatusCode::UNAUTHORIZED, "{what}");
                    assert_eq!(told.problem(), "no-token");
                    assert!(told.headers.contains_key(header::WWW_AUTHENTICATE));
                }
                (Access::Page(_), None) => assert!(to_login, "{what}"),
                (Access::Role(least) | Access::Page(least), Some(role)) if role < least => {
                    assert_eq!(
                        (told.status, told.problem().as_str()),
                        (StatusCode::FORBIDDEN, "wrong-role"),
                        "{what}"
                    );
                }
                (Access::Role(_) | Access::Page(_) | Access::Metrics, Some(_)) => {
                    assert!(!shut_out, "{what}")
                }
            }
            assert!(!told.status.is_server_error(), "{what}");
        }
    }
}

#[tokio::test]
async fn the_contracts_roles_stand_in_the_table() {
    let role_of = |verb, path: &str| {
        let route = ROUTES.iter().find(|route| route.verb == verb && route.path == path);
        route.map(|route| route.access).unwrap_or_else(|| panic!("{path} is missing"))
    };
    let check = |verb, path: &str, role| assert_eq!(role_of(verb, path), Access::Role(role), "{path}");
    check(Verb::Post, "/v1/messages", Role::Sender);
    check(Verb::Get, "/v1/messages/{id}", Role::Viewer);
    check(Verb::Get, "/v1/messages/{id}/deliveries", Role::Viewer);
    check(Verb::Post, "/v1/messages/{id}/cancel", Role::Sender);
    check(Verb::Post, "/v1/messages/{id}/correct", Role::Sender);
    for list in ["gateways", "channels", "outages", "deliveries", "events", "reach"] {
        check(Verb::Get, &format!("/v1/{list}"), Role::Viewer);
    }
    check(Verb::Post, "/v1/gateways/{name}/maintenance", Role::Admin);
    check(Verb::Post, "/v1/gateways/{name}/drill", Role::Sender);
    check(Verb::Post, "/v1/gateways/{name}/drill/end", Role::Sender);
    check(Verb::Post, "/v1/gateways/{name}/hold", Role::Sender);
    check(Verb::Post, "/v1/gateways/{name}/release", Role::Admin);
    check(Verb::Post, "/v1/hold", Role::Sender);
    check(Verb::Post, "/v1/release", Role::Admin);
    check(Verb::Post, "/v1/reach/call-tree", Role::Admin);
    check(Verb::Get, "/v1/contacts", Role::Admin);
    check(Verb::Post, "/v1/contacts", Role::Admin);
    check(Verb::Post, "/v1/contacts/erase", Role::Admin);
    check(Verb::Post, "/v1/tokens", Role::Admin);
    check(Verb::Post, "/v1/cap", Role::Sender);
    check(Verb::Post, "/v1/alertmanager", Role::Sender);
    assert_eq!(role_of(Verb::Get, "/"), Access::Page(Role::Viewer));
    assert_eq!(role_of(Verb::Get, "/healthz"), Access::Health);
    assert_eq!(role_of(Verb::Post, "/hooks/{gateway}"), Access::Provider);
}

#[tokio::test]
async fn a_message_is_taken_in_the_name_of_the_tokens_subject() {
    let house = House::plain();
    let told = house.post_message(&[("content-type", "application/json")], MESSAGE).await;
    assert_eq!(told.status, StatusCode::ACCEPTED, "{}", told.body);
    assert_eq!(told.json(), json!({"id": stand_in::message_id().to_string(), "deliveries": 1}));
    assert_eq!(told.headers[header::LOCATION], format!("/v1/messages/{}", stand_in::message_id()));
    let accepted = house.service.accepted.lock().unwrap();
    assert_eq!((accepted[0].author.as_str(), accepted[0].recipients.len()), ("sender-desk", 1));
}

#[tokio::test]
async fn audiences_and_contacts_are_looked_up_and_everyone_is_reached_once() {
    let mut service = StandIn::new(stand_in::meta_is_gone());
    let contact = |id: &str, sms: Option<&str>| Contact {
        id: id.into(),
        person: Recipient {
            audiences: vec!["residents-s".into()],
            addresses: sms.map(|sms| (Channel::Sms, sms.to_owned())).into_iter().collect(),
            ..Recipient::default()
        },
        ..Contact::default()
    };
    service.contacts = vec![
        contact("c-1", Some("+970599000001")),
        contact("c-2", Some("+970599000002")),
        contact("c-3", None),
    ];
    let house = House::new(service, ApiConfig::default());
    let body = |to: Value| json!({"severity": "extreme", "to": to, "text": {"en": "Leave."}}).to_string();
    let to = json!([{"audience": "residents-s"}, {"contact": "c-1"}, {"sms": "00970 599 000 002"}, {"sms": "+970599000003"}]);
    let told = house.post_message(&[], &body(to)).await;
    assert_eq!((told.status, &told.json()["deliveries"]), (StatusCode::ACCEPTED, &json!(3)), "{}", told.body);
    assert_eq!(told.json()["without_address"], 1, "who cannot be reached is not left unsaid");
    for (to, says) in [
        (json!([{"audience": "nobody"}]), "no contact belongs to the audience"),
        (json!([{"contact": "c-9"}]), "has no contact `c-9`"),
        (json!([{"contact": "c-3"}]), "no address"),
        (json!([{"contact": "c-1", "sms": "+970599000001"}]), "an entry is"),
        (json!([{"sms": "0599000001"}]), "needs its country"),
    ] {
        let told = house.post_message(&[], &body(to)).await;
        assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(told.body.contains(says), "{} does not say {says}", told.body);
    }
}

#[tokio::test]
async fn the_same_key_is_answered_the_same_and_another_body_is_a_conflict() {
    let house = House::plain();
    let key = [("idempotency-key", "k-1")];
    let first = house.post_message(&key, MESSAGE).await;
    let again = house.post_message(&key, MESSAGE).await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(house.service.accepted.lock().unwrap().len(), 1, "once");
    let other = house.post_message(&key, &MESSAGE.replace("Leave", "Stay")).await;
    assert_eq!((other.status, other.problem().as_str()), (StatusCode::CONFLICT, "key-conflict"));
    let subject = request("POST", "/v1/messages", Some(Role::Admin), &key, &MESSAGE.replace("Leave", "Stay"));
    assert_eq!(house.send(subject).await.status, StatusCode::ACCEPTED, "keys are told apart by subject");
    let bad = house.post_message(&[("idempotency-key", "")], MESSAGE).await;
    assert_eq!(bad.problem(), "bad-value");
}

#[tokio::test]
async fn limits_are_told() {
    let check = |told: Told, status: u16, kind: &str, retry: bool| {
        assert_eq!((told.status.as_u16(), told.problem().as_str()), (status, kind), "{}", told.body);
        assert_eq!(told.headers.contains_key(header::RETRY_AFTER), retry, "{kind}");
    };
    let house = House::plain();
    let long = format!(r#"{{"severity":"minor","to":[],"text":{{"en":"{}"}}}}"#, "x".repeat(17 << 20));
    check(house.post_message(&[], &long).await, 413, "too-large", false);
    let full = Reply::OutboxFull { retry_after: Span::from_secs(30) };
    check(House::answering(Ok(full)).post_message(&[], MESSAGE).await, 429, "too-many", true);
    let busy = Trouble::Busy { retry_after_secs: 5 };
    check(House::answering(Err(busy)).post_message(&[], MESSAGE).await, 429, "too-many", true);
    check(House::answering(Err(Trouble::DiskFull)).post_message(&[], MESSAGE).await, 507, "disk-full", false);
    check(
        House::answering(Err(Trouble::Stopping)).post_message(&[], MESSAGE).await,
        503,
        "unavailable",
        true,
    );
}

#[tokio::test]
async fn what_cannot_be_understood_is_said_plainly() {
    let house = House::plain();
    let check = |told: Told, status: u16, kind: &str| {
        assert_eq!((told.status.as_u16(), told.problem().as_str()), (status, kind), "{}", told.body);
    };
    check(house.post_message(&[], "{").await, 400, "unreadable");
    check(house.post_message(&[], r#"{"sevrity":"minor"}"#).await, 422, "unknown-key");
    check(house.post_message(&[("content-type", "text/plain")], MESSAGE).await, 415, "wrong-media");
    // What asks for a forecast must not send.
    let asked =
        |query: &str| request("POST", &format!("/v1/messages?{query}"), Some(Role::Sender), &[], MESSAGE);
    check(house.send(asked("dryrun=true")).await, 422, "unknown-key");
    check(house.send(asked("dry_run=yes")).await, 422, "bad-value");
    assert_eq!(house.send(asked("dry_run=true")).await.status, StatusCode::OK);
    assert!(house.service.accepted.lock().unwrap().is_empty());
    check(house.call("GET", "/v1/outages?limit=0", Some(Role::Viewer), "").await, 422, "bad-value");
    check(house.call("GET", "/v1/outages?limi=5", Some(Role::Viewer), "").await, 422, "unknown-key");
    check(house.call("GET", "/v1/messages/not-an-id", Some(Role::Viewer), "").await, 404, "not-found");
    check(house.call("GET", "/v1/nothing", Some(Role::Viewer), "").await, 404, "not-found");
    let method = house.call("DELETE", "/v1/messages", Some(Role::Admin), "").await;
    assert!(method.headers[header::ALLOW].to_str().unwrap().contains("POST"));
    check(method, 405, "wrong-method");
}

#[tokio::test]
async fn other_hosts_and_other_sites_are_kept_out() {
    let house = House::new(
        StandIn::new(stand_in::meta_is_gone()),
        ApiConfig { hosts: vec!["alerts.example.org".into()], open: true, ..ApiConfig::default() },
    );
    let ask = async |verb: &str, path: &str, headers: &[(&str, &str)]| {
        let mut request = Request::builder().method(verb).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        house.send(request.body(Body::from(r#"{"reason":"x"}"#)).unwrap()).await.status.as_u16()
    };
    assert_eq!(ask("GET", "/v1/gateways", &[("host", "alerts.example.org")]).await, 200);
    assert_eq!(ask("GET", "/v1/gateways", &[("host", "evil.example")]).await, 421);
    assert_eq!(ask("GET", "/v1/gateways", &[]).await, 400);
    assert_eq!(ask("GET", "/healthz", &[("host", "evil.example")]).await, 200);
    let here = ("host", "alerts.example.org");
    assert_eq!(ask("POST", "/v1/hold", &[here, ("origin", "https://alerts.example.org")]).await, 200);
    assert_eq!(ask("POST", "/v1/hold", &[here, ("origin", "https://evil.example")]).await, 403);
    assert_eq!(ask("POST", "/v1/hold", &[here, ("origin", "null")]).await, 403);
}

#[tokio::test]
async fn a_person_logs_in_acts_with_the_forms_value_and_leaves() {
    let house = House::plain();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let wrong = house.send(request("POST", "/login", None, &[form], "token=guess&next=/")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let body = format!("token={}&next=%2F%3Flang%3Dar", token(Role::Viewer));
    let entered = house.send(request("POST", "/login", None, &[form], &body)).await;
    assert_eq!(
        (entered.status, &entered.headers[header::LOCATION]),
        (StatusCode::SEE_OTHER, &"/?lang=ar".parse().unwrap())
    );
    let cookie = entered.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = ("cookie", cookie.split(';').next().unwrap());

    let page = house.send(request("GET", "/", None, &[cookie], "")).await;
    assert_eq!(page.status, StatusCode::OK);
    let csrf = page.body.split(r#"name="csrf" value=""#).nth(1).unwrap().split('"').next().unwrap();
    let hold = house.send(request("POST", "/v1/hold", None, &[cookie], r#"{"reason":"x"}"#)).await;
    assert_eq!(hold.problem(), "wrong-role", "a session may what its token may");
    let without = house.send(request("POST", "/logout", None, &[cookie, form], "csrf=guess")).await;
    assert_eq!(without.problem(), "cross-site");
    let left = house.send(request("POST", "/logout", None, &[cookie, form], &format!("csrf={csrf}"))).await;
    assert_eq!(left.status, StatusCode::SEE_OTHER);
    assert_eq!(house.send(request("GET", "/", None, &[cookie], "")).await.status, StatusCode::SEE_OTHER);

    for _ in 0..session_tries() {
        house.send(request("POST", "/login", None, &[form], "token=guess")).await;
    }
    let waits = house.send(request("POST", "/login", None, &[form], &body)).await;
    assert_eq!(waits.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(waits.headers.contains_key(header::RETRY_AFTER));
}

fn session_tries() -> u32 {
    wasl::api::session::LOGIN_TRIES_MAX
}

#[tokio::test]
async fn contacts_and_tokens_are_an_admins() {
    let house = House::plain();
    let rows = json!({"contacts": [{"id": "c-1", "sms": "+970599000001"}]}).to_string();
    let dry = house.call("POST", "/v1/contacts?dry_run=true", Some(Role::Admin), &rows).await;
    assert_eq!(
        dry.json(),
        json!({"stored": 0, "checked": 1, "left_out": [], "new": 1, "changed": 0, "unchanged": 0, "losing": 0, "lost": {}})
    );
    let put = house.call("POST", "/v1/contacts", Some(Role::Admin), &rows).await;
    assert_eq!(put.json(), json!({"stored": 1, "checked": 1, "left_out": []}));
    let bad = json!({"contacts": [{"id": "c-1", "sms": "0599"}, {"id": ""}]}).to_string();
    let told = house.call("POST", "/v1/contacts", Some(Role::Admin), &bad).await;
    assert_eq!((told.problem().as_str(), told.json()["rows"].as_array().unwrap().len()), ("bad-value", 2));

    let made =
        house.call("POST", "/v1/tokens", Some(Role::Admin), r#"{"name":"duty-desk","role":"sender"}"#).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let shown = made.json()["token"].as_str().unwrap().to_owned();
    let changes = house.service.changes.lock().unwrap();
    let Change::Token { record, replace } = &changes[1].1 else { panic!("a token was put") };
    assert_eq!((record.hash, record.role, *replace), (wasl::api::session::hash(&shown), Role::Sender, false));
    drop(changes);
    let near = house.call("POST", "/v1/tokens", Some(Role::Admin), r#"{"name":"x","role":"sendr"}"#).await;
    assert!(near.body.contains("did you mean `sender`?"), "{}", near.body);
}

#[tokio::test]
async fn lists_give_what_is_asked_for() {
    let house = House::plain();
    let names = async |path: &str, list: &str, name: &str| -> Vec<String> {
        let told = house.call("GET", path, Some(Role::Viewer), "").await;
        assert_eq!(told.status, StatusCode::OK, "{path}: {}", told.body);
        let rows = told.json()[list].as_array().unwrap().clone();
        rows.iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
    };
    let gateways = async |query: &str| names(&format!("/v1/gateways{query}"), "gateways", "name").await;
    assert_eq!(gateways("").await.len(), 5);
    assert_eq!(gateways("?state=down").await, ["whatsapp-main"]);
    assert_eq!(gateways("?channel=sms").await, ["sms-smsc", "sms-modem"]);
    assert_eq!(gateways("?channel=sms&state=unknown").await, ["sms-modem"]);
    let outages = async |query: &str| names(&format!("/v1/outages{query}"), "outages", "id").await;
    assert_eq!(outages("").await, ["o-2", "o-1"]);
    assert_eq!(outages("?state=open").await, ["o-2"]);
    assert_eq!(outages("?state=closed").await, ["o-1"]);
    assert_eq!(outages("?channel=whatsapp").await, ["o-2"], "our own line is no channel's");
    for (path, near) in [("/v1/gateways?state=dwn", "down"), ("/v1/outages?state=opne", "open")] {
        let told = house.call("GET", path, Some(Role::Viewer), "").await;
        assert_eq!(told.problem(), "bad-value");
        assert!(told.body.contains(&format!("`{near}`")), "{}", told.body);
    }
}

#[tokio::test]
async fn a_filtered_list_is_paged_to_its_end() {
    let mut view = stand_in::meta_is_gone();
    // Each hundredth goes on.
    let of = || OutageOf::Gateway("whatsapp-main".into());
    let one = |id: u64| stand_in::outage(id, of(), 900, 880, (!id.is_multiple_of(100)).then_some(0));
    view.outages = (1..=4_500).rev().map(one).collect();
    let house = House::new(StandIn::new(view), ApiConfig::default());
    let (mut seen, mut calls, mut after) = (Vec::new(), 0, String::new());
    loop {
        let path = format!("/v1/outages?state=open&limit=3{after}");
        let told = house.call("GET", &path, Some(Role::Viewer), "").await.json();
        let rows = told["outages"].as_array().unwrap();
        assert!(rows.len() <= 3);
        seen.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        calls += 1;
        match told["next"].as_str() {
            Some(next) => after = format!("&before={next}"),
            None => break,
        }
    }
    let expected: Vec<_> = (1..=45).rev().map(|n| format!("o-{}", n * 100)).collect();
    assert_eq!(seen, expected);
    assert!(calls <= 17, "{calls}");
}

#[tokio::test]
async fn providers_calls_go_raw_to_the_adapter() {
    let house = House::plain();
    let signed = [("x-signature", "sha256=00")];
    let raw = "\u{0}not json \u{ff}";
    let told = house.send(request("POST", "/hooks/whatsapp-main/key%2F1?a=b", None, &signed, raw)).await;
    assert_eq!(told.status, StatusCode::OK);
    // What the adapter answers is for the provider to read, so it says what it is.
    assert_eq!(told.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(told.body, "\"ok\"");
    let hooked = house.service.hooked.lock().unwrap();
    let seen = &hooked[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str(), seen.query.as_str()), ("POST", "/key%2F1", "a=b"));
    assert_eq!(seen.body, raw.as_bytes());
    drop(hooked);
    assert_eq!(house.call("POST", "/hooks/whatsapp-main", None, raw).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.call("POST", "/hooks/nobody", None, raw).await.status, StatusCode::NOT_FOUND);
    let long = "x".repeat(5 << 20);
    assert_eq!(
        house.call("POST", "/hooks/whatsapp-main", None, &long).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

/// Lets every task of the test's one thread go on until it waits. The runtime polls 61 of them before it comes back here.
async fn all_begun() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_names_an_audience_and_hangs_up_does_not_pile_crowds_up() {
    let mut service = StandIn::new(stand_in::meta_is_gone());
    let gate = Arc::new(Semaphore::new(0));
    service.gate = Some(gate.clone());
    let person = Recipient {
        audiences: vec!["north".into()],
        addresses: [(Channel::Sms, "+970599000001".into())].into(),
        ..Recipient::default()
    };
    service.contacts = vec![Contact { id: "c1".into(), person, ..Contact::default() }];
    let house = Arc::new(House::new(service, ApiConfig::default()));
    let body = r#"{"severity":"severe","to":[{"audience":"north"}],"text":{"en":"Leave now"}}"#;
    let json = [("content-type", "application/json")];
    for _ in 0..5 {
        let impatient: Vec<_> = (0..10)
            .map(|_| {
                let house = house.clone();
                tokio::spawn(async move { house.post_message(&json, body).await.status })
            })
            .collect();
        // They have asked, and so have the readers that they set to work.
        all_begun().await;
        impatient.iter().for_each(|one| one.abort());
    }
    let begun = house.service.audiences_read.load(Relaxed);
    assert!((1..=4).contains(&begun), "{begun} crowds are in memory at once");
    // Nobody waits for these any more; they end, and make room.
    gate.add_permits(begun + 1);
    assert_eq!(house.post_message(&json, body).await.status, StatusCode::ACCEPTED);
    assert_eq!(house.service.accepted.lock().unwrap().len(), 1, "who hung up had not sent");
}

/// A body of which this much comes, and then nothing.
struct Stalled(Option<Bytes>);

impl Stalled {
    fn after(bytes: usize) -> Body {
        Body::new(Stalled((bytes > 0).then(|| vec![b'x'; bytes].into())))
    }
}

impl HttpBody for Stalled {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.take().map_or(Poll::Pending, |data| Poll::Ready(Some(Ok(Frame::data(data)))))
    }
}

#[tokio::test]
async fn slow_bodies_do_not_close_the_door_to_providers() {
    let house = Arc::new(House::plain());
    let stall = |gateway: &str, bytes| {
        let mut request = request("POST", &format!("/hooks/{gateway}"), None, &[], "");
        *request.body_mut() = Stalled::after(bytes);
        let house = house.clone();
        tokio::spawn(async move { house.send(request).await })
    };
    let signed = |gateway: &str| {
        request("POST", &format!("/hooks/{gateway}"), None, &[("x-signature", "sha256=00")], "{}")
    };
    assert_eq!(stall("nobody", 1).await.unwrap().status, StatusCode::NOT_FOUND, "before its body is read");
    let mut stalled: Vec<_> = (0..200).map(|n| stall("whatsapp-main", n % 2 * 100)).collect();
    all_begun().await;
    for gateway in ["whatsapp-main", "signal-a"] {
        let told = house.send(signed(gateway)).await;
        assert_eq!(told.status, StatusCode::OK, "{gateway}: {}", told.body);
    }
    // Large ones of one gateway fill its share, and leave the others theirs.
    stalled.extend((0..8).map(|_| stall("whatsapp-main", 3 << 20)));
    all_begun().await;
    let full = house.call("POST", "/hooks/whatsapp-main", None, &"x".repeat(3 << 20)).await;
    assert_eq!(full.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(house.send(signed("signal-a")).await.status, StatusCode::OK);
    let first = tokio::time::timeout(Duration::from_secs(20), stalled.remove(0)).await;
    assert_eq!(first.expect("it is not waited for").unwrap().status, StatusCode::REQUEST_TIMEOUT);
    for one in stalled {
        one.await.unwrap();
    }
    let told = house.send(signed("whatsapp-main")).await;
    assert_eq!(told.status, StatusCode::OK, "its room is free again");
}

#[tokio::test]
async fn health_tells_why_not() {
    let mut service = StandIn::new(stand_in::empty());
    service.readiness.healthy = false;
    service.readiness.why = vec!["the writer does not move".into()];
    let house = House::new(service, ApiConfig { metrics_open: true, ..ApiConfig::default() });
    let told = house.call("GET", "/healthz", None, "").await;
    assert_eq!(
        (told.status, &told.json()["why"][0]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("the writer does not move"))
    );
    assert_eq!(house.call("GET", "/metrics", None, "").await.status, StatusCode::OK);
    assert_eq!(House::plain().call("GET", "/readyz", None, "").await.json(), json!({"ready": true}));
}

#[tokio::test]
async fn events_begin_with_a_snapshot_and_resume_where_they_broke_off() {
    let service = StandIn::new(stand_in::meta_is_gone());
    stand_in::events_of_the_day(&service.events);
    let house = House::new(service, ApiConfig::default());
    let read = async |headers: &[(&str, &str)]| {
        let request = request("GET", "/v1/events", Some(Role::Viewer), headers, "");
        let response = TowerToHyperService::new(house.router.clone()).call(request).await.unwrap();
        let frame = response.into_body().frame().await.unwrap().unwrap();
        String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
    };
    let first = read(&[]).await;
    assert!(first.starts_with("event: reset\ndata: {}\n\nevent: snapshot\nid: "), "{first}");
    let place = first.split("id: ").nth(1).unwrap().split('\n').next().unwrap();
    let (boot, next) = place.split_once('-').unwrap();
    let back = format!("{boot}-{}", next.parse::<u64>().unwrap() - 2);
    let resumed = read(&[("last-event-id", &back)]).await;
    assert_eq!(resumed.matches("event: ").count(), 2, "{resumed}");
    assert!(resumed.contains("event: deadline_missed"), "{resumed}");
    assert!(read(&[("last-event-id", "1-5")]).await.starts_with("event: reset"), "another run's place");
}
