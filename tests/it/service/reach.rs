//! Who can be reached, counted over a real store, and listed by those who may ask.

use super::house::{PATIENCE, Scripted, gateway, start};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::request::Builder;
use http_body_util::BodyExt;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use wasl::api::service::{Change, Service};
use wasl::api::{ApiConfig, router};
use wasl::core::channel::{Channel, GatewayId};
use wasl::core::input::Command;
use wasl::core::message::Recipient;
use wasl::core::query::{Contact, Role, TokenRecord};
use wasl::core::reach::Reach;
use wasl::store::outbox::memory::MemoryOutbox;

fn contact(id: &str, audience: &str, channels: &[Channel]) -> Contact {
    let person = Recipient {
        audiences: vec![audience.into()],
        addresses: channels.iter().map(|channel| (*channel, "+970599000001".to_owned())).collect(),
        ..Recipient::default()
    };
    Contact { id: id.into(), name: format!("Name of {id}"), person, ..Contact::default() }
}

async fn until(service: &Arc<dyn Service>, what: impl Fn(&Reach) -> bool) -> Arc<Reach> {
    let began = Instant::now();
    loop {
        let reach = service.reach();
        if what(&reach) {
            return reach;
        }
        assert!(began.elapsed() < PATIENCE * 3, "it stays so: {reach:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn get(router: &Router, token: &str, path: &str) -> Value {
    call(router, token, Request::get(path), Body::empty()).await
}

async fn call(router: &Router, token: &str, request: Builder, body: Body) -> Value {
    let request = request
        .header("host", "127.0.0.1:8080")
        .header("authorization", format!("Bearer {token}"))
        .body(body)
        .unwrap();
    let response = TowerToHyperService::new(router.clone()).call(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_can_be_reached_follows_the_gateways_and_the_address_book() {
    let store = MemoryOutbox::new();
    let before = start(vec![], store.clone());
    let book = before.service();
    let put = |contacts| book.change("desk".into(), Change::Contacts(contacts));
    let many: Vec<_> = (0..1_200).map(|n| contact(&format!("c-{n:04}"), "crowd", &[Channel::Sms])).collect();
    put(many).await.unwrap();
    put(vec![
        contact("both", "east", &[Channel::Sms, Channel::Telegram]),
        contact("mail", "east", &[Channel::Email]),
        contact("mute", "west", &[]),
    ])
    .await
    .unwrap();
    for role in [Role::Viewer, Role::Admin] {
        let hash = wasl::api::session::hash(role.name());
        let record = TokenRecord { name: role.name().into(), role, hash, made_at: Default::default() };
        book.change("desk".into(), Change::Token { record, replace: false }).await.unwrap();
    }
    before.stop().await.unwrap();

    let ways = [Channel::Sms, Channel::Telegram].map(|channel| gateway(channel, &Scripted::new([])));
    let running = start(ways.into(), store);
    let service = running.service();
    let router = router(running.service(), ApiConfig::default());
    let reach = until(&service, |reach| reach.all.people == 1_203).await;
    assert_eq!((reach.all.none, reach.all.one), (2, 1_200));
    assert!(service.metrics().contains("wasl_people_unreachable 2"), "the metric is the same count");
    let summary = get(&router, "viewer", "/v1/reach").await;
    assert_eq!(summary["all"], json!({"people": 1_203, "none": 2, "one": 1_200, "several": 1}));
    assert_eq!(
        summary["audiences"][1],
        json!({"audience": "east", "people": 2, "none": 1, "one": 0, "several": 1})
    );
    assert_eq!(summary["channels"][0], json!({"channel": "telegram", "people": 1, "usable_gateways": 1}));

    let listed = get(&router, "viewer", "/v1/reach?who=none").await;
    let row = json!({"contact": "mail", "roads": 0, "channels": [], "shut": ["email"]});
    assert_eq!((&listed["contacts"][0], &listed["next"]), (&row, &Value::Null), "no name for a viewer");
    let named = get(&router, "admin", "/v1/reach?who=none&audience=west").await;
    assert_eq!(named["contacts"][0]["name"], "Name of mute");
    let (mut seen, mut after, mut pages) = (0, String::new(), 0);
    while pages < 20 {
        let page = get(&router, "viewer", &format!("/v1/reach?who=one{after}")).await;
        seen += page["contacts"].as_array().unwrap().len();
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!((seen, pages), (1_200, 7), "each page is whole, and nobody is on two");
    assert_eq!(get(&router, "viewer", "/v1/reach?audience=east").await["status"], 422, "a filter of no list");

    // A gateway is stopped by hand: whoever had it alone cannot be reached.
    let hold = Command::Hold { gateway: Some(GatewayId(0)), reason: "billing".into() };
    service.command("desk".into(), hold).await.unwrap();
    let reach = until(&service, |reach| reach.all.none == 1_202).await;
    assert_eq!((reach.all.one, reach.channels[&Channel::Sms]), (1, (1_201, 0)));
    // The address book changes while the service runs.
    service
        .change("desk".into(), Change::Contacts(vec![contact("new", "north", &[Channel::Telegram])]))
        .await
        .unwrap();
    until(&service, |reach| reach.audiences.contains_key("north")).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sheet_names_whom_nothing_reaches_and_goes_on_record_without_naming_anybody() {
    let running = start(vec![gateway(Channel::Telegram, &Scripted::new([]))], MemoryOutbox::new());
    let service = running.service();
    let mut east = contact("c-east", "residents", &[Channel::Sms]);
    east.deputy = Some("c-mail".into());
    let people = vec![
        east,
        contact("c-nurse", "staff", &[Channel::Voice]),
        contact("c-mail", "residents", &[Channel::Email]),
        contact("c-reached", "residents", &[Channel::Telegram]),
    ];
    service.change("desk".into(), Change::Contacts(people)).await.unwrap();
    for role in [Role::Approver, Role::Admin] {
        let hash = wasl::api::session::hash(role.name());
        let record = TokenRecord { name: role.name().into(), role, hash, made_at: Default::default() };
        service.change("desk".into(), Change::Token { record, replace: false }).await.unwrap();
    }
    let router = router(running.service(), ApiConfig::default());
    let make = |token, body: Value| {
        let body = Body::from(body.to_string());
        call(&router, token, Request::post("/v1/reach/call-tree"), body)
    };
    let asked = json!({"first": ["staff"], "reason": "called by +970599000009"});
    let sheet = make("admin", asked).await;
    let ids = |sheet: &Value| -> Vec<String> {
        let people = sheet["people"].as_array().unwrap();
        people.iter().map(|person| person["contact"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&sheet), ["c-nurse", "c-east", "c-mail"]);
    assert_eq!(sheet["people"][0]["number"], "+970599000001");
    assert_eq!((&sheet["people"][0]["by"], &sheet["people"][0]["first"]), (&json!("voice"), &json!(true)));
    let deputy = json!({"contact": "c-mail", "name": "Name of c-mail", "number": null});
    assert_eq!(sheet["people"][1]["deputy"], deputy);
    assert_eq!((&sheet["without_number"], &sheet["left_out"]), (&json!(1), &json!(0)));
    let all = make("admin", json!({"everybody": true, "audience": "residents"})).await;
    assert_eq!(ids(&all), ["c-east", "c-mail", "c-reached"]);
    assert_eq!(make("approver", json!({})).await["status"], 403, "names and numbers are for admins");
    assert_eq!(make("admin", json!({"everyone": true})).await["status"], 422);
    // An audience that nobody has is a slip, not good news.
    for (key, asked) in
        [("audience", json!({"audience": "nix"})), ("first", json!({"first": ["staff", "nix"]}))]
    {
        let refused = make("admin", asked).await;
        let said = format!(
            "`{key}`: no contact belongs to the audience `nix`; the audiences are `residents`, `staff`"
        );
        assert_eq!((&refused["status"], &refused["detail"]), (&json!(422), &json!(said)));
    }
    for who in ["none", "one", "several"] {
        let refused = get(&router, "approver", &format!("/v1/reach?who={who}&audience=nix")).await;
        assert_eq!(refused["status"], 422, "{refused}");
        let known = get(&router, "approver", &format!("/v1/reach?who={who}&audience=staff")).await;
        assert!(known["contacts"].is_array(), "just imported, not counted yet: {known}");
    }

    let acts = get(&router, "admin", "/v1/audit?act=call-tree").await;
    let told: Vec<_> = acts["acts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| (&act["who"], &act["on"], &act["reason"]))
        .collect();
    let (who, none) = (json!("admin"), json!(""));
    let (of_all, unreached) = (json!("3 people of residents"), json!("3 people whom no road reaches"));
    assert_eq!(told, [(&who, &of_all, &none), (&who, &unreached, &json!("called by …"))]);
    running.stop().await.unwrap();
}
