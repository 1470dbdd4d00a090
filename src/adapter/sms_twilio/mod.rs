//! SMS by Twilio's Messages API.
//!
//! ```toml
//! [[gateway]]
//! name        = "sms-twilio"
//! channel     = "sms"
//! adapter     = "sms-twilio"
//! account_sid = "AC…"                            # 32 hexadecimal digits
//! auth_token  = { file = "secrets/twilio" }      # also what Twilio signs its calls with
//! from        = "+15550001111"                   # or a short code, or a name; or messaging_service_sid = "MG…"
//! rate        = "1/s"                            # what the number may send: Twilio queues the rest for hours
//! ```
//! Each message asks for status callbacks at `[server] public_url`, under a URL that carries the attempt's id. So a message
//! whose answer was lost is found again by its first status; and it can be asked for, by its recipient, text and time.
//!
//! What people write back is heard where the number or the service has the same address, `{public_url}/hooks/{name}`, for its
//! incoming messages.
//!
//! A message is valid at Twilio for as long as it may still be sent, so nothing leaves its queue that has expired.
//!
//! Limits: [`TEXT_CHARS_MAX`] characters; how many segments they make is Twilio's business and costs. No API keys and no
//! shared keys: the signature needs the auth token. A list without the message proves nothing, since the request may still
//! be under way, so [`Adapter::ask`] finds a message or cannot say; the list's URL names the recipient, as Twilio has it.
//! A service whose public address is on this machine gets no callbacks from elsewhere and asks for none.
//
// Cites: Twilio, "Messages Resource", "Track the Message Status of Outbound Messages".

mod codes;
mod hook;

use super::http::{Client, Reading, Request, Response, escaped};
use super::net::Net;
use super::settings::{self, COPIED_BADLY, bad_secret};
use super::verdict::{by_status, deferred, rejected, unknown};
use super::{Adapter, Answered, Doing, Ear, HookAnswer, HookRequest, Kind, Outgoing};
use crate::core::channel::Channel;
use crate::core::gateway::Receipts;
use crate::core::input::Asked;
use crate::core::outcome::{Outcome, PROVIDER_ID_BYTES_MAX, Reason};
use crate::core::time::{Span, Timestamp};
use crate::diag::{Diagnostic, Diagnostics, Secret, Table};
use crate::settings::{CONNECT_TIME_OUT, GatewaySettings, WINDOW};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hook::{ATTEMPT, Keys};
use hyper::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;
use std::sync::Arc;

/// The kind's row in [`ADAPTERS`](super::ADAPTERS).
pub(super) const KIND: Kind = Kind {
    name: "sms-twilio",
    channel: Channel::Sms,
    receipts: Receipts::Delivered,
    window: WINDOW,
    connect_time_out: CONNECT_TIME_OUT,
    keys: &["account_sid", "auth_token", "from", "messaging_service_sid"],
    probes: include_str!("../../../probes/sms-twilio.toml"),
    build,
};

const BASE_URL: &str = "https://api.twilio.com";

/// The longest text. Cites: the `Body` parameter, and error 21617.
const TEXT_CHARS_MAX: usize = 1600;

/// How long a message may wait in Twilio's queue, in seconds. Cites: the `ValidityPeriod` parameter.
const VALIDITY_SECS: std::ops::RangeInclusive<i64> = 1..=36_000;

/// How many of a recipient's last messages are looked through: the newest come first.
const LOOKED_AT: u32 = 50;

/// What is read of them: each takes about 1 KiB beside its text, which JSON may write at six bytes a letter.
const LIST_BYTES_MAX: usize = 1024 * 1024;

/// Who a message is from.
enum Sender {
    /// A number, a short code or a name.
    Own(String),
    /// A messaging service, which has its own senders.
    Service(String),
}

struct Settings {
    /// `/2010-04-01/Accounts/AC…/Messages.json`.
    path: String,
    authorization: HeaderValue,
    from: Sender,
    /// Where statuses are to come; nowhere, where nobody could bring them.
    hook_url: Option<String>,
}

struct SmsTwilio {
    client: Client,
    settings: Settings,
    keys: Keys,
}

// === building ===

fn build(gateway: &mut GatewaySettings, net: &Net, diags: &mut Diagnostics) -> Option<Arc<dyn Adapter>> {
    let client = settings::client(gateway, net, Some(BASE_URL), diags);
    let table = &mut gateway.rest;
    let wanted = "an account's SID, `AC` and 32 hexadecimal digits";
    let account = settings::required(table, "account_sid", wanted, |text| is_sid(text, "AC"), diags);
    let token = table.required_secret("auth_token", diags);
    let from = from(table, diags);
    let token = token.filter(|token| {
        let fits = token.expose().bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !fits {
            bad_secret("auth_token", COPIED_BADLY, table, diags);
        }
        fits
    });
    let (client, account, token) = (client?, account?, token?);
    let settings = Settings {
        path: format!("/2010-04-01/Accounts/{account}/Messages.json"),
        authorization: authorization(&account, &token)?,
        from: from?,
        hook_url: hook_url(gateway, &client, diags),
    };
    let keys = Keys::new(token.expose(), &gateway.hook_url);
    Some(Arc::new(SmsTwilio { client, settings, keys }))
}

fn is_sid(text: &str, kind: &str) -> bool {
    text.strip_prefix(kind)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Reads who a message is from: one of two keys.
fn from(table: &mut Table, diags: &mut Diagnostics) -> Option<Sender> {
    let service_place = table.key("messaging_service_sid").cloned();
    let sender_place = table.key("from").cloned();
    let wanted = "a number such as `+15550001111`, a short code, or a name of up to 11 letters and digits";
    let sender = settings::matching(table, "from", wanted, is_sender, diags);
    let wanted = "a messaging service's SID, `MG` and 32 hexadecimal digits";
    let service =
        settings::matching(table, "messaging_service_sid", wanted, |text| is_sid(text, "MG"), diags);
    match (sender_place, service_place) {
        (None, None) => {
            table.missing("from", diags);
            None
        }
        (Some(_), Some(second)) => {
            let message = format!("{} says both `from` and `messaging_service_sid`", table.called());
            diags.push(
                Diagnostic::error("two-senders", message)
                    .at(&second, "a messaging service chooses the sender itself")
                    .help("leave one of the two out"),
            );
            None
        }
        _ => sender.map(Sender::Own).or(service.map(Sender::Service)),
    }
}

/// Says whether a message can be from this. Cites: Twilio, "Alphanumeric Sender ID".
fn is_sender(text: &str) -> bool {
    let is_number = settings::is_digits(text.strip_prefix('+').unwrap_or(text)) && text.len() <= 16;
    let is_name_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'_' | b'+' | b'&');
    let has_letter = text.bytes().any(|b| b.is_ascii_alphabetic());
    is_number || (has_letter && text.len() <= 11 && text.bytes().all(is_name_part) && text.trim() == text)
}

fn authorization(account: &str, token: &Secret) -> Option<HeaderValue> {
    let login = STANDARD.encode(format!("{account}:{}", token.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {login}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Says where statuses are to come. Nobody elsewhere can call an address of this machine, and Twilio refuses every message
/// that asks for it.
fn hook_url(gateway: &GatewaySettings, client: &Client, diags: &mut Diagnostics) -> Option<String> {
    if gateway.config.receipts == Receipts::None {
        return None;
    }
    let is_ours_alone = gateway.hook_url.parse::<super::http::Origin>().is_ok_and(|origin| origin.is_here());
    if !is_ours_alone || client.is_here() {
        return Some(gateway.hook_url.clone());
    }
    let message = format!("{} gets no receipts: Twilio cannot call this machine", gateway.rest.called());
    diags.push(
        Diagnostic::warning("no-receipts", message)
            .at(&gateway.place, "`[server] public_url` is an address of this machine alone")
            .help("set `public_url` to what the outside calls you, or write `receipts = \"none\"` here"),
    );
    None
}

// === what is known of the provider ===

/// Builds the request; fails where the address can be none.
fn request(outgoing: &Outgoing, settings: &Settings) -> Result<Request, Reason> {
    let to = outgoing.address.as_str();
    if !to.strip_prefix('+').is_some_and(settings::is_digits) {
        return Err(Reason::BadAddress);
    }
    if outgoing.text.trim().is_empty() {
        return Err(Reason::NoText);
    }
    if outgoing.text.chars().count() > TEXT_CHARS_MAX {
        return Err(Reason::ContentRefused);
    }
    let left = (outgoing.left.ms() / 1000).clamp(*VALIDITY_SECS.start(), *VALIDITY_SECS.end()).to_string();
    let call = settings.hook_url.as_ref().map(|url| format!("{url}?{ATTEMPT}={}", outgoing.order.attempt));
    let from = match &settings.from {
        Sender::Own(sender) => ("From", sender.as_str()),
        Sender::Service(service) => ("MessagingServiceSid", service.as_str()),
    };
    let mut parameters = vec![("To", to), from, ("Body", &outgoing.text), ("ValidityPeriod", &left)];
    parameters.extend(call.as_deref().map(|url| ("StatusCallback", url)));
    let request = Request::form(settings.path.clone(), &parameters);
    Ok(request.header(AUTHORIZATION, settings.authorization.clone()))
}

/// Reads the answer.
fn outcome(response: &Response) -> Outcome {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let is_success = (200..=299).contains(&response.status);
    match body["sid"].as_str().filter(|sid| is_success && !sid.is_empty()) {
        // It may have failed before it was answered for.
        Some(_) if has_failed(&body) => {
            let known =
                body["error_code"].as_i64().and_then(|code| codes::judged(code, response.retry_after));
            known.unwrap_or(rejected(Reason::Undeliverable))
        }
        // One that is too long to keep is done without: the callback's URL names the attempt as well.
        Some(sid) => {
            Outcome::Accepted { provider_id: (sid.len() <= PROVIDER_ID_BYTES_MAX).then(|| sid.to_owned()) }
        }
        None if is_success => unknown(Reason::Unreadable),
        None => {
            let known = body["code"].as_i64().and_then(|code| codes::judged(code, response.retry_after));
            known.unwrap_or_else(|| match response.status {
                // Nearly every refusal is a 400, and whose fault it is stood in the body.
                400 if response.is_cut => deferred(Reason::ProviderFault, response.retry_after),
                _ => by_status(response),
            })
        }
    }
}

fn has_failed(message: &Value) -> bool {
    matches!(message["status"].as_str(), Some("failed" | "undelivered" | "canceled"))
}

/// Builds the question for a recipient's last messages.
fn question(outgoing: &Outgoing, settings: &Settings) -> Request {
    let to = escaped(&outgoing.address);
    let request = Request::get(format!("{}?To={to}&PageSize={LOOKED_AT}", settings.path));
    request.reading(Reading::Body(LIST_BYTES_MAX)).header(AUTHORIZATION, settings.authorization.clone())
}

/// Looks for the message among a recipient's last ones: the same text, not from before it was accepted here. Where an earlier
/// attempt of it is found instead, this person has these words all the same.
fn found(response: &Response, outgoing: &Outgoing) -> Asked {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let messages = body["messages"].as_array().filter(|_| response.status == 200);
    let since = outgoing.order.attempt.delivery.message.at().ms().div_euclid(1000) * 1000;
    let is_it = |message: &&Value| {
        let created = message["date_created"].as_str().and_then(created_at);
        message["to"] == *outgoing.address
            && message["body"].as_str().is_some_and(|text| text.trim() == outgoing.text.trim())
            && created.is_some_and(|created| created.ms() >= since)
            && !has_failed(message)
    };
    let sid =
        messages.and_then(|messages| messages.iter().find(is_it)).and_then(|found| found["sid"].as_str());
    match sid {
        Some(sid) => Asked::Found(Some(sid.to_owned()).filter(|sid| sid.len() <= PROVIDER_ID_BYTES_MAX)),
        None => Asked::CannotSay,
    }
}

fn created_at(text: &str) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_ms(at.timestamp().as_millisecond()))
}

impl Adapter for SmsTwilio {
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered> {
        Box::pin(async move {
            let request = request(&outgoing, &self.settings);
            self.client.send(request, &outgoing, outcome).await
        })
    }

    fn ask(&self, outgoing: Outgoing) -> Doing<'_, Asked> {
        Box::pin(async move {
            let question = question(&outgoing, &self.settings);
            // A question does harm at no time, so it has the time that it takes to connect and be answered.
            let called = self.client.call(&question, outgoing.order.time_out, Span::from_hours(1)).await;
            called.answer.map_or(Asked::CannotSay, |response| found(&response, &outgoing))
        })
    }

    fn can_ask(&self) -> bool {
        true
    }

    fn hook(&self, request: &HookRequest) -> HookAnswer {
        self.keys.answer(request)
    }

    fn run<'a>(&'a self, _ear: &'a dyn Ear) -> Doing<'a, ()> {
        Box::pin(self.client.tend())
    }
}

#[cfg(test)]
mod tests;
