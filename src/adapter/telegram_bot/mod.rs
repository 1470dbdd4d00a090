//! Telegram Bot API.
//!
//! Telegram says that it stored a message and nothing after that. Where `updates` is set, each message carries a
//! button, and pressing it acknowledges; one that asks for an answer has a button for each. Presses and what people write
//! are heard by long polling, or by the webhook that the operator set at Telegram for `/hooks/{gateway}` with
//! `webhook_secret` and, in `allowed_updates`, `message` and `callback_query`.
//!
//! Limits: a text above 4096 UTF-16 units goes as several messages; if a later one fails, the attempt is unknown.
//! No `parse_mode` is used, so no character of a text can break it.
//
// Cites: Telegram, Bot API, core.telegram.org/bots/api.

mod account;
mod polling;
mod text;
mod updates;

use super::counsel::Counsel;
use super::hook::{JSON, bad_signature, heard, is_secret, not_here, unreadable};
use super::http::{Client, Request, Response};
use super::net::Net;
use super::retry_after::capped;
use super::settings::{self, COPIED_BADLY, bad_secret};
use super::verdict::{by_status, deferred, rejected, unknown};
use super::{Adapter, Answered, Doing, Ear, HookAnswer, HookRequest, Kind, Outgoing};
use crate::core::channel::Channel;
use crate::core::gateway::Receipts;
use crate::core::outcome::{Outcome, Reason};
use crate::core::time::Span;
use crate::diag::{Diagnostics, Secret};
use crate::settings::{CONNECT_TIME_OUT, GatewaySettings, WINDOW};
use serde_json::{Value, json};
use std::sync::Arc;
use updates::{Buttons, News};

/// The kind's row in [`ADAPTERS`](super::ADAPTERS).
pub(super) const KIND: Kind = Kind {
    name: "telegram-bot",
    channel: Channel::Telegram,
    receipts: Receipts::None,
    window: WINDOW,
    connect_time_out: CONNECT_TIME_OUT,
    keys: &["bot_token", "updates", "webhook_secret"],
    probes: include_str!("../../../probes/telegram-bot.toml"),
    build,
};

const BASE_URL: &str = "https://api.telegram.org";

/// How presses of buttons are heard.
#[derive(Clone)]
enum Updates {
    Polling,
    Webhook(Secret),
}

struct TelegramBot {
    client: Client,
    /// `/bot<token>`; never shown.
    path: String,
    buttons: Option<Buttons>,
    updates: Option<Updates>,
    /// The gateway's name.
    gateway: String,
    /// Where our hook is, as the outside names it.
    hook_url: String,
}

/// Where a message goes, and what goes with its last part.
struct To<'a> {
    path: &'a str,
    chat: Value,
    keyboard: Option<Value>,
}

fn build(gateway: &mut GatewaySettings, net: &Net, diags: &mut Diagnostics) -> Option<Arc<dyn Adapter>> {
    let client = settings::client(gateway, net, Some(BASE_URL), diags);
    let table = &mut gateway.rest;
    let token = table.required_secret("bot_token", diags);
    let token = token.filter(|token| {
        let sound = is_token(token.expose());
        if !sound {
            bad_secret("bot_token", COPIED_BADLY, table, diags);
        }
        sound
    });
    let by_hook = table.choice("updates", &[("polling", false), ("webhook", true)], diags);
    let secret = match &by_hook {
        Some(by_hook) if by_hook.value => table.required_secret("webhook_secret", diags),
        _ => table.secret("webhook_secret", diags),
    };
    let updates = match (by_hook.map(|by_hook| by_hook.value), secret) {
        (Some(true), secret) => Some(Updates::Webhook(secret?)),
        (Some(false), _) => Some(Updates::Polling),
        (None, _) => None,
    };
    let token = token?;
    Some(Arc::new(TelegramBot {
        client: client?,
        path: format!("/bot{}", token.expose()),
        buttons: updates.is_some().then(|| Buttons::new(token.expose())),
        updates,
        gateway: gateway.config.name.clone(),
        hook_url: gateway.hook_url.clone(),
    }))
}

/// Says whether a text is `123456:letters`, which can stand in a path.
fn is_token(text: &str) -> bool {
    text.split_once(':').is_some_and(|(id, key)| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        settings::is_digits(id) && !key.is_empty() && key.bytes().all(fits)
    })
}

/// Returns the chat's id: a number, or a channel's public name.
fn chat(address: &str) -> Result<Value, Reason> {
    match address.parse::<i64>() {
        Ok(id) => Ok(json!(id)),
        Err(_) if address.len() > 1 && address.starts_with('@') => Ok(json!(address)),
        Err(_) => Err(Reason::BadAddress),
    }
}

/// Builds the request for one part of a text.
fn request(to: &To<'_>, part: &str, is_last: bool) -> Request {
    let mut body = json!({
        "chat_id": to.chat,
        "text": part,
        "link_preview_options": {"is_disabled": true},
    });
    if let Some(keyboard) = to.keyboard.as_ref().filter(|_| is_last) {
        body["reply_markup"] = keyboard.clone();
    }
    Request::post(format!("{}/sendMessage", to.path), &body)
}

fn outcome(response: &Response) -> Outcome {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let result = &body["result"];
    match (body["ok"].as_bool(), result["message_id"].as_i64()) {
        (Some(true), Some(message)) => {
            let chat = result["chat"]["id"].as_i64();
            Outcome::Accepted { provider_id: chat.map(|chat| format!("{chat}/{message}")) }
        }
        (Some(true), None) => unknown(Reason::Unreadable),
        (Some(false), _) => refused(&body, response),
        (None, _) => match response.status {
            504 => unknown(Reason::Timeout),
            500..=599 => rejected(Reason::ServiceDown),
            // Whose fault it is stood in the body.
            400 | 403 if response.is_cut => deferred(Reason::ProviderFault, response.retry_after),
            _ => by_status(response),
        },
    }
}

fn refused(body: &Value, response: &Response) -> Outcome {
    let text = body["description"].as_str().unwrap_or_default().to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match body["error_code"].as_i64() {
        Some(401) => rejected(Reason::Credentials),
        Some(404 | 409) => rejected(Reason::Configuration),
        Some(400 | 403)
            if says(&[
                "bot was blocked",
                "kicked",
                "not a member",
                "not enough rights",
                "chat_write_forbidden",
            ]) =>
        {
            rejected(Reason::Blocked)
        }
        Some(400 | 403)
            if says(&["not found", "peer_id_invalid", "deactivated", "initiate conversation"]) =>
        {
            rejected(Reason::NotOnChannel)
        }
        Some(400) if says(&["chat_id is empty"]) => rejected(Reason::BadAddress),
        Some(400) => rejected(Reason::ContentRefused),
        Some(403) => rejected(Reason::Blocked),
        Some(420 | 429) => {
            let asked = body["parameters"]["retry_after"].as_i64().map(capped);
            deferred(Reason::Throttled, asked.or(response.retry_after))
        }
        Some(504) => unknown(Reason::Timeout),
        Some(500..=599) => rejected(Reason::ServiceDown),
        _ => by_status(response),
    }
}

/// Returns where a group has moved to, if the answer says so.
fn moved_to(response: &Response) -> Option<Value> {
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    body["parameters"]["migrate_to_chat_id"].as_i64().map(Value::from)
}

impl TelegramBot {
    async fn send_parts(&self, outgoing: &Outgoing) -> Answered {
        let order = &outgoing.order;
        let chat = match chat(&outgoing.address) {
            Ok(_) if outgoing.text.trim().is_empty() => {
                return Answered { outcome: rejected(Reason::NoText), took: Span::ZERO };
            }
            Ok(chat) => chat,
            Err(reason) => return Answered { outcome: rejected(reason), took: Span::ZERO },
        };
        let buttons = self.buttons.as_ref();
        let keyboard =
            buttons.and_then(|b| b.keyboard(&chat, order.attempt, outgoing.asks, &outgoing.language));
        let mut to = To { path: &self.path, chat, keyboard };
        let parts = text::parts(&outgoing.text);
        let mut took = Span::ZERO;
        let mut answer = unknown(Reason::Unreadable);
        for (place, part) in parts.iter().enumerate() {
            let request = |to: &To<'_>| request(to, part, place + 1 == parts.len());
            let left = |took: Span| Span::from_ms((order.time_out.ms() - took.ms()).max(1));
            let mut called = self.client.call(&request(&to), left(took), outgoing.left).await;
            took = took + called.took;
            if let Some(chat) = called.answer.as_ref().ok().and_then(moved_to) {
                to.chat = chat;
                called = self.client.call(&request(&to), left(took), outgoing.left).await;
                took = took + called.took;
            }
            answer = called.answer.as_ref().map_or_else(|failure| failure.outcome(), outcome);
            match (&answer, place) {
                (Outcome::Accepted { .. }, _) => {}
                (_, 0) => break,
                // The beginning is there and the end is not.
                (_, _) => {
                    answer = unknown(answer.reason().unwrap_or(Reason::Unreadable));
                    break;
                }
            }
        }
        Answered { outcome: answer, took }
    }
}

/// Takes what came by webhook. Telegram reads the answer to a press as a call of ours: without this one the
/// button goes on looking busy. Cites: Bot API, "Making requests when getting updates".
fn word(news: News) -> HookAnswer {
    let answer =
        HookAnswer { replies: news.reply.into_iter().collect(), ..heard(news.receipt.into_iter().collect()) };
    let Some(query) = news.query else { return answer };
    let body = json!({"method": "answerCallbackQuery", "callback_query_id": query});
    HookAnswer { content_type: JSON, body: body.to_string(), ..answer }
}

impl Adapter for TelegramBot {
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered> {
        Box::pin(async move { self.send_parts(&outgoing).await })
    }

    fn hook(&self, request: &HookRequest) -> HookAnswer {
        let (Some(Updates::Webhook(secret)), Some(buttons)) = (&self.updates, &self.buttons) else {
            return not_here();
        };
        if request.method != "POST" || !request.is_at_root() {
            return not_here();
        }
        let given = request.header("x-telegram-bot-api-secret-token").unwrap_or_default();
        if !is_secret(given, secret.expose()) {
            return bad_signature();
        }
        match serde_json::from_slice::<Value>(&request.body) {
            Ok(update) if update.is_object() => buttons.read(&update).map_or_else(|| heard(Vec::new()), word),
            _ => unreadable(),
        }
    }

    fn counsel(&self) -> Doing<'_, Vec<Counsel>> {
        Box::pin(self.advise())
    }

    fn run<'a>(&'a self, ear: &'a dyn Ear) -> Doing<'a, ()> {
        Box::pin(async move {
            match (&self.updates, &self.buttons) {
                (Some(Updates::Polling), Some(buttons)) => {
                    tokio::join!(self.client.tend(), self.poll(buttons, ear));
                }
                _ => self.client.tend().await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::{built, outgoing};
    use crate::core::reply::Asks;

    #[test]
    fn a_part_goes_as_plain_text_and_the_last_one_with_the_button() {
        let outgoing = outgoing("81234567", "x");
        let keyboard =
            Buttons::new("1:a").keyboard(&json!(81234567), outgoing.order.attempt, Asks::NOTHING, "ar");
        let to = To { path: "/bot1:a", chat: chat("81234567").expect("a chat"), keyboard };
        let body = |request: &Request| serde_json::from_slice::<Value>(&request.body).expect("JSON");
        let first = request(&to, "*غادروا*", false);
        assert_eq!(first.path, "/bot1:a/sendMessage");
        let expected =
            json!({"chat_id": 81234567, "text": "*غادروا*", "link_preview_options": {"is_disabled": true}});
        assert_eq!(body(&first), expected);
        assert!(!format!("{first:?}").contains("1:a"));
        let last = body(&request(&to, "x", true));
        assert_eq!(last["reply_markup"]["inline_keyboard"][0][0]["text"], "وصلتني الرسالة");
    }

    #[test]
    fn chats_are_numbers_or_public_names() {
        let check = |address: &str, expected: Result<Value, Reason>| assert_eq!(chat(address), expected);
        check("555", Ok(json!(555)));
        check("-1001234567890123", Ok(json!(-1001234567890123i64)));
        check("@alerts", Ok(json!("@alerts")));
        check("+970599000001x", Err(Reason::BadAddress));
        check("@", Err(Reason::BadAddress));
        check("", Err(Reason::BadAddress));
    }

    #[test]
    fn answers_are_read_by_code_and_words() {
        let check = |status: u16, body: Value, expected: Outcome| {
            let response = Response { status, body: body.to_string().into(), ..Response::default() };
            assert_eq!(outcome(&response), expected, "{body}");
        };
        let error = |code: i64, text: &str| json!({"ok": false, "error_code": code, "description": text});
        let sent = json!({"ok": true, "result": {"message_id": 7, "date": 1, "chat": {"id": 555}}});
        check(200, sent, Outcome::Accepted { provider_id: Some("555/7".into()) });
        check(200, json!({"ok": true, "result": true}), unknown(Reason::Unreadable));
        check(401, error(401, "Unauthorized"), rejected(Reason::Credentials));
        check(404, error(404, "Not Found"), rejected(Reason::Configuration));
        check(409, error(409, "Conflict: terminated by other getUpdates"), rejected(Reason::Configuration));
        for text in ["chat not found", "user not found", "PEER_ID_INVALID"] {
            check(400, error(400, &format!("Bad Request: {text}")), rejected(Reason::NotOnChannel));
        }
        check(400, error(400, "Bad Request: chat_id is empty"), rejected(Reason::BadAddress));
        for text in [
            "message is too long",
            "message text is empty",
            "can't parse entities",
            "BUTTON_DATA_INVALID",
            "?",
        ] {
            check(400, error(400, &format!("Bad Request: {text}")), rejected(Reason::ContentRefused));
        }
        for text in ["not enough rights to send text messages to the chat", "CHAT_WRITE_FORBIDDEN"] {
            check(400, error(400, &format!("Bad Request: {text}")), rejected(Reason::Blocked));
        }
        for text in [
            "bot was blocked by the user",
            "bot was kicked from the group chat",
            "bot is not a member of the channel chat",
            "?",
        ] {
            check(403, error(403, &format!("Forbidden: {text}")), rejected(Reason::Blocked));
        }
        for text in ["user is deactivated", "bot can't initiate conversation with a user"] {
            check(403, error(403, &format!("Forbidden: {text}")), rejected(Reason::NotOnChannel));
        }
        for code in [420, 429] {
            let mut slow = error(code, "Too Many Requests: retry after 3");
            check(429, slow.clone(), deferred(Reason::Throttled, None));
            slow["parameters"] = json!({"retry_after": 3});
            check(429, slow.clone(), deferred(Reason::Throttled, Some(Span::from_secs(3))));
            slow["parameters"] = json!({"retry_after": 90_000});
            check(429, slow, deferred(Reason::Throttled, Some(Span::from_hours(1))));
        }
        check(500, error(500, "Internal Server Error"), rejected(Reason::ServiceDown));
        check(502, json!("Bad Gateway"), rejected(Reason::ServiceDown));
        check(504, json!("Gateway Timeout"), unknown(Reason::Timeout));
        check(200, json!("<html>"), unknown(Reason::Unreadable));
        check(302, json!(""), rejected(Reason::Configuration));
        for status in [400, 403] {
            let cut = Response { status, is_cut: true, ..Response::default() };
            assert_eq!(outcome(&cut), deferred(Reason::ProviderFault, None), "{status}");
        }
    }

    #[test]
    fn a_moved_group_names_its_new_id() {
        let check = |body: Value, expected: Option<i64>| {
            let response = Response { status: 400, body: body.to_string().into(), ..Response::default() };
            assert_eq!(moved_to(&response), expected.map(Value::from));
        };
        check(
            json!({"ok": false, "error_code": 400, "parameters": {"migrate_to_chat_id": -100777}}),
            Some(-100777),
        );
        check(json!({"ok": false, "error_code": 400}), None);
        check(json!("x"), None);
    }

    #[test]
    fn the_webhook_asks_for_its_secret() {
        let keys = "bot_token = \"1:a\"\nupdates = \"webhook\"\nwebhook_secret = \"s-1\"\n";
        let adapter = built("telegram-bot", keys).0.expect("sound");
        let attempt = outgoing("1", "x").order.attempt;
        let keyboard =
            Buttons::new("1:a").keyboard(&json!(7), attempt, Asks::NOTHING, "en").expect("a button");
        let data = &keyboard["inline_keyboard"][0][0]["callback_data"];
        let update = json!({"update_id": 9, "callback_query": {"id": "77", "data": data}}).to_string();
        let foreign = json!({"update_id": 9, "callback_query": {"id": "77", "data": "other"}}).to_string();
        let check = |secret: Option<&str>, body: &str, expected: (u16, usize)| {
            let headers = secret.map(|s| ("x-telegram-bot-api-secret-token".to_owned(), s.to_owned()));
            let request = HookRequest {
                method: "POST".into(),
                headers: headers.into_iter().collect(),
                body: body.into(),
                ..HookRequest::default()
            };
            let answer = adapter.hook(&request);
            assert_eq!((answer.status, answer.receipts.len()), expected, "{secret:?} {body}");
            // A press is answered, whosever button it is: only then it stops looking busy.
            let is_pressed = answer.status == 200 && body.contains("callback_query");
            let word = json!({"method": "answerCallbackQuery", "callback_query_id": "77"});
            let said = serde_json::from_str(&answer.body).ok();
            assert_eq!(said, is_pressed.then_some(word), "{body}");
            assert_eq!(answer.content_type == JSON, is_pressed, "{body}");
        };
        check(Some("s-1"), &update, (200, 1));
        check(Some("s-1"), "{\"update_id\":1}", (200, 0));
        check(Some("s-1"), &foreign, (200, 0));
        check(Some("s-1"), "not JSON", (400, 0));
        check(Some("s-2"), &update, (403, 0));
        check(None, &update, (403, 0));
    }

    #[test]
    fn settings_are_checked() {
        let check = |keys: &str, expected: &str| {
            let (adapter, shown) = built("telegram-bot", keys);
            assert_eq!(adapter.is_some(), expected.is_empty(), "{keys}: {shown}");
            assert!(shown.contains(expected), "{keys}: {shown}");
            assert!(!shown.contains("AAH"), "{shown}");
        };
        check("bot_token = \"123:AAH_x-9\"\n", "");
        check("bot_token = \"123:AAH_x-9\"\nupdates = \"polling\"\n", "");
        check("bot_token = \"123/AAH\"\n", "`bot_token` of gateway `g` is not one");
        check("bot_token = \"123:AAH\"\nupdates = \"webhook\"\n", "has no `webhook_secret`");
        check("bot_token = \"123:AAH\"\nupdates = \"poling\"\n", "did you mean `polling`?");
    }
}
