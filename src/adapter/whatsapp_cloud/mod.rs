//! WhatsApp Business Cloud API.
//!
//! A message that names a template goes as that template, in the language that it names or else the recipient's, with
//! its parameters in the order given; any other goes as text, which WhatsApp takes only within a day of the recipient's last message.
//! The attempt's id travels along and comes back in the statuses, so that an attempt without an answer is found again.
//
// Cites: Meta, WhatsApp Business Platform, Cloud API, "Messages".

mod account;
mod codes;
mod hook;

use super::ask::face;
use super::counsel::Counsel;
use super::http::{Client, Request, Response};
use super::net::Net;
use super::settings::{self, bearer};
use super::verdict::{by_status, deferred, unknown};
use super::{Adapter, Answered, Doing, Ear, Heard, HookAnswer, HookRequest, Kind, Outgoing};
use crate::core::channel::Channel;
use crate::core::gateway::Receipts;
use crate::core::outcome::{Outcome, PROVIDER_ID_BYTES_MAX, Reason};
use crate::core::reading;
use crate::core::reply::ReplyKind;
use crate::diag::Diagnostics;
use crate::settings::{CONNECT_TIME_OUT, GatewaySettings, WINDOW};
use account::Account;
use hook::Keys;
use hyper::header::{AUTHORIZATION, HeaderValue};
use ring::hmac;
use serde_json::{Value, json};
use std::sync::Arc;

/// The kind's row in [`ADAPTERS`](super::ADAPTERS).
pub(super) const KIND: Kind = Kind {
    name: "whatsapp-cloud",
    channel: Channel::Whatsapp,
    receipts: Receipts::Read,
    window: WINDOW,
    connect_time_out: CONNECT_TIME_OUT,
    keys: &["api_version", "phone_number_id", "waba_id", "access_token", "app_secret", "verify_token"],
    probes: include_str!("../../../probes/whatsapp-cloud.toml"),
    build,
};

const BASE_URL: &str = "https://graph.facebook.com";

/// The version of the API that this was written against; each lives for about two years.
const API_VERSION: &str = "v23.0";

struct Settings {
    /// `/v23.0/106853218861309/messages`.
    path: String,
    authorization: HeaderValue,
}

/// The longest text that goes with buttons. Cites: Meta, Cloud API, interactive messages: a body of 1,024 characters.
const INTERACTIVE_CHARS_MAX: usize = 1_024;

struct WhatsappCloud {
    client: Client,
    settings: Settings,
    keys: Keys,
    account: Account,
}

fn build(gateway: &mut GatewaySettings, net: &Net, diags: &mut Diagnostics) -> Option<Arc<dyn Adapter>> {
    let client = settings::client(gateway, net, Some(BASE_URL), diags);
    let table = &mut gateway.rest;
    let version = settings::matching(table, "api_version", "a version such as `v23.0`", is_version, diags);
    let number = settings::required(table, "phone_number_id", "digits", settings::is_digits, diags);
    // Names the account for probes, counsel and people; sending does without it.
    let waba = settings::matching(table, "waba_id", "digits", settings::is_digits, diags);
    let token = table.required_secret("access_token", diags);
    let authorization = token.and_then(|token| bearer("access_token", &token, table, diags));
    let app_secret = table.secret("app_secret", diags);
    let verify_token = table.secret("verify_token", diags);
    let version = version.unwrap_or_else(|| API_VERSION.to_owned());
    let account = Account {
        gateway: gateway.config.name.clone(),
        path: waba.map(|waba| format!("/{version}/{waba}")),
        hook_url: gateway.hook_url.clone(),
    };
    let number = number?;
    let path = format!("/{version}/{number}/messages");
    let key = app_secret.map(|s| hmac::Key::new(hmac::HMAC_SHA256, s.expose().as_bytes()));
    Some(Arc::new(WhatsappCloud {
        client: client?,
        settings: Settings { path, authorization: authorization? },
        keys: Keys { app_secret: key, verify_token, number },
        account,
    }))
}

fn is_version(text: &str) -> bool {
    let number = text.strip_prefix('v').and_then(|v| v.split_once('.'));
    number.is_some_and(|(major, minor)| settings::is_digits(major) && settings::is_digits(minor))
}

/// Builds the request; fails where the address can be none.
fn request(outgoing: &Outgoing, settings: &Settings) -> Result<Request, Reason> {
    let to = outgoing.address.strip_prefix('+').unwrap_or(&outgoing.address);
    if !settings::is_digits(to) {
        return Err(Reason::BadAddress);
    }
    if outgoing.template.is_none() && outgoing.text.trim().is_empty() {
        return Err(Reason::NoText);
    }
    let mut body = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": to,
        "biz_opaque_callback_data": outgoing.order.attempt.to_string(),
    });
    match &outgoing.template {
        Some(template) => {
            body["type"] = json!("template");
            // A template exists in each language by itself: `en` is not `en_US`, and only the sender knows which it is.
            let language = template.language.clone().unwrap_or_else(|| outgoing.language.replace('-', "_"));
            body["template"] = json!({
                "name": template.name,
                "language": {"policy": "deterministic", "code": language},
            });
            let text = |(_, value): &(String, String)| json!({"type": "text", "text": value});
            let parameters: Vec<Value> = template.params.iter().map(text).collect();
            if !parameters.is_empty() {
                body["template"]["components"] = json!([{"type": "body", "parameters": parameters}]);
            }
        }
        None if can_ask(outgoing) => {
            body["type"] = json!("interactive");
            body["interactive"] = buttons(outgoing);
        }
        None => {
            let line = Some(&outgoing.question).filter(|line| !line.is_empty());
            let text =
                line.map_or_else(|| outgoing.text.clone(), |line| format!("{}\n{line}", outgoing.text));
            body["type"] = json!("text");
            body["text"] = json!({"body": text, "preview_url": false});
        }
    }
    Ok(Request::post(settings.path.clone(), &body).header(AUTHORIZATION, settings.authorization.clone()))
}

/// Says whether buttons go with the text: a long one is text alone, and says by which digits it is answered.
fn can_ask(outgoing: &Outgoing) -> bool {
    !outgoing.asks.is_nothing() && outgoing.text.chars().count() <= INTERACTIVE_CHARS_MAX
}

fn buttons(outgoing: &Outgoing) -> Value {
    let button = |(_, kind): (u32, ReplyKind)| {
        let back = reading::button(outgoing.order.attempt, kind);
        json!({"type": "reply", "reply": {"id": back, "title": face(kind, &outgoing.language)}})
    };
    let buttons: Vec<Value> = outgoing.asks.answers().map(button).collect();
    json!({"type": "button", "body": {"text": outgoing.text}, "action": {"buttons": buttons}})
}

/// Reads the answer.
fn outcome(response: &Response) -> Outcome {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if let Some(error) = body.get("error") {
        let known = error["code"].as_i64().and_then(|code| codes::judged(code, response.retry_after));
        return match known {
            Some(outcome) => outcome,
            None if error["is_transient"] == true => deferred(Reason::ProviderFault, response.retry_after),
            None => by_status(response),
        };
    }
    match (response.status, body["messages"][0]["id"].as_str()) {
        // One that is too long to keep is done without: the echoed attempt id finds it as well.
        (200..=299, Some(id)) if !id.is_empty() => {
            Outcome::Accepted { provider_id: (id.len() <= PROVIDER_ID_BYTES_MAX).then(|| id.to_owned()) }
        }
        (200..=299, _) => unknown(Reason::Unreadable),
        // Nearly every refusal is a 400, and whose fault it is stood in the body.
        (400, _) if response.is_cut => deferred(Reason::ProviderFault, response.retry_after),
        _ => by_status(response),
    }
}

impl Adapter for WhatsappCloud {
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered> {
        Box::pin(async move {
            let request = request(&outgoing, &self.settings);
            self.client.send(request, &outgoing, outcome).await
        })
    }

    fn hook(&self, request: &HookRequest) -> HookAnswer {
        self.keys.answer(request)
    }

    fn overhear(&self, request: &HookRequest) -> Heard {
        self.keys.overhear(request)
    }

    fn counsel(&self) -> Doing<'_, Vec<Counsel>> {
        Box::pin(self.advise())
    }

    fn run<'a>(&'a self, _ear: &'a dyn Ear) -> Doing<'a, ()> {
        Box::pin(self.client.tend())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::outgoing;
    use crate::core::message::Template;
    use crate::core::reply::Asks;
    use crate::core::time::Span;

    fn settings() -> Settings {
        Settings {
            path: "/v23.0/106853218861309/messages".into(),
            authorization: HeaderValue::from_static("Bearer t"),
        }
    }

    fn body_of(outgoing: &Outgoing) -> Value {
        let request = request(outgoing, &settings()).expect("a good address");
        assert_eq!(request.path, "/v23.0/106853218861309/messages");
        assert_eq!(request.headers, [(AUTHORIZATION, HeaderValue::from_static("Bearer t"))]);
        serde_json::from_slice(&request.body).expect("JSON")
    }

    #[test]
    fn free_text_goes_as_text() {
        let outgoing = outgoing("+15551230000", "غادروا الآن");
        let expected = json!({
            "messaging_product": "whatsapp", "recipient_type": "individual", "to": "15551230000",
            "type": "text", "text": {"body": "غادروا الآن", "preview_url": false},
            "biz_opaque_callback_data": outgoing.order.attempt.to_string(),
        });
        assert_eq!(body_of(&outgoing), expected);
    }

    #[test]
    fn what_asks_for_an_answer_has_buttons_or_says_by_which_digits() {
        let asks = Asks::of(Asks::ANSWERS);
        let mut outgoing =
            Outgoing { asks, question: "1 / 2".into(), ..outgoing("+15551230000", "غادروا الآن") };
        let attempt = outgoing.order.attempt;
        let body = body_of(&outgoing);
        assert_eq!((&body["type"], body.get("text")), (&json!("interactive"), None));
        let button = |id: String, title: &str| json!({"type": "reply", "reply": {"id": id, "title": title}});
        let buttons = [
            button(format!("{attempt}:safe"), "أنا بخير"),
            button(format!("{attempt}:need_help"), "أحتاج مساعدة"),
        ];
        let expected = json!({
            "type": "button", "body": {"text": "غادروا الآن"}, "action": {"buttons": buttons}});
        assert_eq!(body["interactive"], expected);
        outgoing.text = "ن".repeat(1_025);
        let body = body_of(&outgoing);
        assert_eq!(body["type"], "text");
        assert!(body["text"]["body"].as_str().expect("a text").ends_with("ن\n1 / 2"));
    }

    #[test]
    fn a_template_goes_with_its_parameters_in_order() {
        let mut outgoing = outgoing("15551230000", "not used");
        outgoing.language = "pt-BR".into();
        let evacuate = Template { name: "evacuate".into(), language: None, params: Vec::new() };
        let params = [("zone", "East"), ("area", "School")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        outgoing.template = Some(Template { params: params.into(), ..evacuate.clone() });
        let body = body_of(&outgoing);
        assert_eq!(body["type"], "template");
        assert_eq!(body.get("text"), None);
        let expected = json!({
            "name": "evacuate", "language": {"policy": "deterministic", "code": "pt_BR"},
            "components": [{"type": "body", "parameters": [
                {"type": "text", "text": "East"}, {"type": "text", "text": "School"}]}],
        });
        assert_eq!(body["template"], expected);
        outgoing.template = Some(evacuate.clone());
        assert_eq!(body_of(&outgoing)["template"].get("components"), None);
        // As given, where it is given: no tag of a language is made of it.
        outgoing.template = Some(Template { language: Some("en_US".into()), ..evacuate });
        assert_eq!(body_of(&outgoing)["template"]["language"]["code"], "en_US");
    }

    #[test]
    fn what_is_no_number_is_refused_here() {
        for address in ["", "+", "amal@example.org", "+1 555"] {
            let refused = request(&outgoing(address, "x"), &settings()).expect_err(address);
            assert_eq!(refused, Reason::BadAddress);
        }
    }

    #[test]
    fn answers_are_read_by_code_then_by_status() {
        let check = |status: u16, body: &str, expected: Outcome| {
            let retry_after = Some(Span::from_secs(3));
            let response =
                Response { status, retry_after, body: body.as_bytes().to_vec(), ..Response::default() };
            assert_eq!(outcome(&response), expected, "{status} {body}");
        };
        let taken = |id: &str| Outcome::Accepted { provider_id: Some(id.into()) };
        let rejected = |reason| Outcome::Rejected { reason };
        let after = Some(Span::from_secs(3));
        check(200, r#"{"messages":[{"id":"wamid.ABC","message_status":"accepted"}]}"#, taken("wamid.ABC"));
        check(200, r#"{"messages":[{"id":"wamid.ABC","message_status":"paused"}]}"#, taken("wamid.ABC"));
        check(200, r#"{"messages":[{"id":"wamid.ABC"}],"extra":1}"#, taken("wamid.ABC"));
        let long = format!(r#"{{"messages":[{{"id":"{}"}}]}}"#, "w".repeat(201));
        check(200, &long, Outcome::Accepted { provider_id: None });
        check(200, r#"{"messages":[]}"#, unknown(Reason::Unreadable));
        check(200, "<html>", unknown(Reason::Unreadable));
        check(200, "", unknown(Reason::Unreadable));
        check(400, r#"{"error":{"code":131047}}"#, rejected(Reason::TemplateRequired));
        check(400, r#"{"error":{"code":131026}}"#, rejected(Reason::NotOnChannel));
        check(401, r#"{"error":{"code":190}}"#, rejected(Reason::Credentials));
        check(500, r#"{"error":{"code":131016}}"#, rejected(Reason::ServiceDown));
        check(429, r#"{"error":{"code":130429}}"#, deferred(Reason::Throttled, after));
        check(200, r#"{"error":{"code":2,"is_transient":true}}"#, rejected(Reason::ServiceDown));
        check(400, r#"{"error":{"code":7,"is_transient":true}}"#, deferred(Reason::ProviderFault, after));
        check(400, r#"{"error":{"code":7}}"#, rejected(Reason::ContentRefused));
        check(403, r#"{"error":"no"}"#, rejected(Reason::Credentials));
        check(200, r#"{"error":{"code":7}}"#, unknown(Reason::Unreadable));
        check(429, "slow down", deferred(Reason::Throttled, after));
        check(503, "", deferred(Reason::ProviderFault, after));
        check(504, "", unknown(Reason::Timeout));
        let cut = Response { status: 400, is_cut: true, ..Response::default() };
        assert_eq!(outcome(&cut), deferred(Reason::ProviderFault, None));
    }
}
