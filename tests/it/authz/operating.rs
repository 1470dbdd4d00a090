//! What an operator may do from the page, what he is told of it, and what nobody may be called.

use super::{House, MESSAGE, request};
use crate::stand_in::{self, StandIn, token};
use axum::http::{StatusCode, header};
use serde_json::json;
use wasl::api::ApiConfig;
use wasl::core::effect::Reply;
use wasl::core::input::Command;
use wasl::core::query::Role;
use wasl::core::record::{Overlay, OverlayKind};

#[tokio::test]
async fn a_sender_with_a_session_needs_the_forms_value_to_act() {
    let house = House::plain();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = format!("token={}", token(Role::Sender));
    let entered = house.send(request("POST", "/login", None, &[form], &body)).await;
    let cookie = entered.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let cookie = ("cookie", cookie.as_str());
    let page = house.send(request("GET", "/", None, &[cookie], "")).await;
    let csrf = page.body.split(r#"name="csrf" value=""#).nth(1).unwrap().split('"').next().unwrap();
    let reason = r#"{"reason":"wrong text"}"#;
    let without = house.send(request("POST", "/v1/hold", None, &[cookie], reason)).await;
    assert_eq!(without.problem(), "cross-site");
    let message = house.send(request("POST", "/v1/messages", None, &[cookie], MESSAGE)).await;
    assert_eq!(message.problem(), "cross-site");
    let with = house.send(request("POST", "/v1/hold", None, &[cookie, ("x-csrf-token", csrf)], reason)).await;
    assert_eq!(with.status, StatusCode::OK, "{}", with.body);
    let commands = house.service.commands.lock().unwrap();
    let expected = Command::Hold { gateway: None, reason: "wrong text".into() };
    assert_eq!(*commands, [("sender-desk".to_owned(), expected)]);
}

#[tokio::test]
async fn a_release_tells_what_is_still_stopped() {
    let mut view = stand_in::meta_is_gone();
    let over =
        |kind| Overlay { kind, who: "ali".into(), reason: "wrong text".into(), since: stand_in::ago(5) };
    view.gateways.iter_mut().for_each(|gateway| gateway.overlay = None);
    view.gateways[1].overlay = Some(over(OverlayKind::Held));
    view.held_all = Some(over(OverlayKind::Held));
    let name = view.gateways[1].name.clone();
    let mut service = StandIn::new(view);
    service.refusal = Some(Ok(Reply::Done { changed: 0 }));
    let house = House::new(service, ApiConfig::default());
    let check = async |path: &str, stopped_by: Option<&str>| {
        let told = house.call("POST", path, Some(Role::Admin), r#"{"reason":"over"}"#).await.json();
        assert_eq!(told["changed"], 0);
        let [still] = told["still_stopped"].as_array().unwrap().as_slice() else { panic!("{told}") };
        assert_eq!(
            (still["gateway"].as_str(), &still["overlay"]["who"]),
            (stopped_by, &json!("ali")),
            "{path}"
        );
    };
    check("/v1/gateways/whatsapp-main/release", None).await;
    check("/v1/release", Some(&name)).await;
}

#[tokio::test]
async fn no_token_has_the_services_own_name() {
    let house = House::plain();
    let ours =
        house.call("POST", "/v1/tokens", Some(Role::Admin), r#"{"name":"wasl","role":"sender"}"#).await;
    assert_eq!((ours.status, ours.problem().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "bad-value"));
    assert!(ours.body.contains("the service's own name"), "{}", ours.body);
}

#[tokio::test]
async fn a_drill_for_everybody_is_an_admins_and_every_drill_has_an_end() {
    let house = House::plain();
    let drill = async |role, hours: i64, everybody: bool| {
        let until = jiff::Timestamp::from_millisecond(stand_in::NOW.ms() + hours * 3_600_000).unwrap();
        let body =
            json!({"until": until.to_string(), "everybody": everybody, "reason": "game day"}).to_string();
        house.call("POST", "/v1/gateways/whatsapp-main/drill", Some(role), &body).await
    };
    assert_eq!(drill(Role::Sender, 1, true).await.problem(), "wrong-role");
    assert_eq!(drill(Role::Sender, 25, false).await.problem(), "bad-value");
    assert_eq!(drill(Role::Sender, -1, false).await.problem(), "bad-value");
    assert_eq!(drill(Role::Sender, 1, false).await.status, StatusCode::OK);
    assert_eq!(drill(Role::Admin, 1, true).await.status, StatusCode::OK);
    let commands = house.service.commands.lock().unwrap();
    let told: Vec<_> = commands
        .iter()
        .map(|(who, command)| match command {
            Command::Drill { everybody, .. } => (who.as_str(), *everybody),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [("sender-desk", false), ("admin-desk", true)]);
}

#[tokio::test]
async fn who_was_erased_comes_back_where_somebody_says_so_alone() {
    let house = House::plain();
    let rows = json!({"contacts": [{"id": "c-1"}, {"id": "c-erased"}]}).to_string();
    let put = house.call("POST", "/v1/contacts", Some(Role::Admin), &rows).await;
    assert_eq!(put.json(), json!({"stored": 1, "checked": 2, "left_out": ["c-erased"]}));
    let put = house.call("POST", "/v1/contacts?again=true", Some(Role::Admin), &rows).await;
    assert_eq!(put.json(), json!({"stored": 2, "checked": 2, "left_out": []}));
    let nobody = json!({"contact": "c-9", "reason": "asked for it"}).to_string();
    let told = house.call("POST", "/v1/contacts/erase", Some(Role::Admin), &nobody).await;
    assert_eq!((told.status, told.problem().as_str()), (StatusCode::NOT_FOUND, "not-found"));
    let silent = json!({"contact": "c-9", "reason": " "}).to_string();
    let told = house.call("POST", "/v1/contacts/erase", Some(Role::Admin), &silent).await;
    assert_eq!(told.problem(), "bad-value", "why must be said");
}
