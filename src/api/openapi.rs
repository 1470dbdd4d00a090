//! `/openapi.json`, written from [`ROUTES`](super::routes::ROUTES) and the schemas.
//!
//! Cites: OpenAPI 3.1.0.

use super::App;
use super::access::Access;
use super::call::{Answer, Call, raw_json};
use super::problem::{Kind, PROBLEM_JSON};
use super::routes::{Gives, ROUTES, Route, Takes};
use super::schemas;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

static DESCRIPTION: LazyLock<String> = LazyLock::new(|| describe().to_string());

/// `GET /openapi.json`.
pub(crate) async fn show(_app: Arc<App>, call: Call) -> Answer {
    call.query(&[])?;
    Ok(raw_json(StatusCode::OK, DESCRIPTION.clone()))
}

/// Describes the whole interface.
pub(crate) fn describe() -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        // What axum writes as `{*rest}` is one parameter here.
        let path = route.path.replace("{*", "{");
        paths.entry(path).or_default().insert(route.verb.name().to_lowercase(), operation(route));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Wasl",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Gets each crisis message through on the best channel that works.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": super::access::COOKIE},
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "responses": responses(route),
    });
    if !route.params.is_empty() {
        operation["parameters"] = route.params.iter().map(|name| schemas::parameter(name)).collect();
    }
    let content = content(route.takes);
    if !content.is_empty() {
        let required = matches!(route.takes, Takes::Json(_) | Takes::Xml(_));
        operation["requestBody"] = json!({"required": required, "content": content});
    }
    match route.access {
        Access::Health | Access::Open | Access::Provider => operation["security"] = json!([]),
        Access::Metrics | Access::Role(_) | Access::Page(_) => {
            operation["security"] = json!([{"token": []}, {"session": []}]);
            operation["description"] = format!("Needs the role {}.", role(route.access)).into();
        }
    }
    operation
}

fn role(access: Access) -> &'static str {
    match access {
        Access::Role(role) | Access::Page(role) => role.name(),
        Access::Metrics => "viewer, unless the configuration opens the metrics",
        Access::Health | Access::Open | Access::Provider => "nobody",
    }
}

/// Lists the media types of a body, each with its schema.
fn content(takes: Takes) -> Map<String, Value> {
    let one = |media: &str, schema: Value| (media.to_owned(), json!({"schema": schema}));
    match takes {
        Takes::Nothing => Map::new(),
        Takes::Json(schema) => Map::from_iter([one("application/json", reference(schema))]),
        Takes::Form(fields) => {
            let fields: Map<_, _> =
                fields.iter().map(|f| ((*f).to_owned(), json!({"type": "string"}))).collect();
            let form = json!({"type": "object", "properties": fields});
            Map::from_iter([one("application/x-www-form-urlencoded", form)])
        }
        Takes::Xml(media) => Map::from_iter([media, "application/xml"].map(|media| one(media, json!({})))),
        Takes::Raw => Map::from_iter([one("*/*", json!({}))]),
    }
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

/// Lists every status that a call may be answered with.
fn responses(route: &Route) -> Value {
    let mut responses = Map::new();
    let json = |schema| json!({"description": "Done.", "content": {"application/json": {"schema": reference(schema)}}});
    let (status, good) = match route.gives {
        Gives::Json(status, schema) => (status, json(schema)),
        Gives::Either([(status, schema), (other, its)]) => {
            responses.insert(other.to_string(), json(its));
            (status, json(schema))
        }
        Gives::Text(media) => {
            (200, json!({"description": "Done.", "content": {media: {"schema": {"type": "string"}}}}))
        }
        Gives::Bytes(media) => (200, json!({"description": "Done.", "content": {media: {}}})),
        Gives::Elsewhere => (303, json!({"description": "Done: go on at `Location`."})),
        Gives::Step => {
            responses.insert("303".into(), json!({"description": "Done: go on at `Location`."}));
            let page = json!({"schema": {"type": "string"}});
            (200, json!({"description": "What it would do.", "content": {"text/html": page}}))
        }
    };
    responses.insert(status.to_string(), good);
    if matches!(route.access, Access::Page(_)) {
        let login = || json!({"description": "Log in first, at `Location`."});
        responses.entry("303").or_insert_with(login);
    }
    let mut problems: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for kind in common(route).iter().chain(route.problems) {
        let names = problems.entry(kind.status().as_u16()).or_default();
        if !names.contains(&kind.name()) {
            names.push(kind.name());
        }
    }
    for (status, names) in problems {
        responses.insert(status.to_string(), problem(route, status, &names));
    }
    responses.into()
}

fn problem(route: &Route, status: u16, names: &[&str]) -> Value {
    let mut content = json!({PROBLEM_JSON: {"schema": reference("Problem")}});
    // The adapter answers a provider in the provider's way, and a form is answered with a page.
    match route.gives {
        Gives::Text("text/plain") => content["text/plain"] = json!({"schema": {"type": "string"}}),
        Gives::Elsewhere | Gives::Step => content["text/html"] = json!({"schema": {"type": "string"}}),
        Gives::Text(_) | Gives::Bytes(_) | Gives::Json(..) | Gives::Either(_) => {}
    }
    let mut answer = json!({"description": format!("{}.", names.join(", ")), "content": content});
    if matches!(status, 429 | 503) {
        answer["headers"] =
            json!({"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}});
    }
    answer
}

/// The problems that any call of this kind may meet.
fn common(route: &Route) -> &'static [Kind] {
    match (route.access, route.takes) {
        (Access::Health, _) => &[],
        (Access::Open, Takes::Nothing) => &[Kind::Unreadable, Kind::UnknownKey, Kind::WrongHost],
        (Access::Provider, _) => {
            &[Kind::Unreadable, Kind::TooLarge, Kind::TooSlow, Kind::WrongHost, Kind::Unavailable]
        }
        (_, Takes::Nothing) => &[
            Kind::Unreadable,
            Kind::UnknownKey,
            Kind::BadValue,
            Kind::NoToken,
            Kind::WrongRole,
            Kind::WrongHost,
            Kind::TooMany,
            Kind::Unavailable,
        ],
        (_, Takes::Json(_) | Takes::Form(_) | Takes::Xml(_) | Takes::Raw) => &[
            Kind::Unreadable,
            Kind::UnknownKey,
            Kind::BadValue,
            Kind::NoToken,
            Kind::WrongRole,
            Kind::CrossSite,
            Kind::TooSlow,
            Kind::TooLarge,
            Kind::WrongMedia,
            Kind::WrongHost,
            Kind::TooMany,
            Kind::Unavailable,
            Kind::DiskFull,
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Gathers the targets of every `$ref`.
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_schema_is_used() {
        let whole = describe();
        let mut found = BTreeSet::new();
        references(&whole, &mut found);
        let schemas = whole["components"]["schemas"].as_object().unwrap();
        let named: BTreeSet<String> =
            schemas.keys().map(|name| format!("#/components/schemas/{name}")).collect();
        assert_eq!(found, named.iter().map(String::as_str).collect());
    }

    #[test]
    fn every_call_is_described_once_with_its_path_parameters() {
        let whole = describe();
        let mut ids = BTreeSet::new();
        for route in ROUTES {
            let operation = &whole["paths"][route.path.replace("{*", "{")][route.verb.name().to_lowercase()];
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{} twice", route.id);
            let in_path = route.path.matches('{').count();
            let described = operation["parameters"].as_array().map_or(0, |parameters| {
                parameters.iter().filter(|parameter| parameter["in"] == "path").count()
            });
            assert_eq!(in_path, described, "{}", route.path);
        }
    }
}
