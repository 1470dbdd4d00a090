//! Telegram Bot API: sending, updates by long poll and by webhook, buttons, flood limits.
//!
//! Behaves as a self-hosted Bot API server in local mode, which is to say that a webhook may be
//! plain HTTP. Bots get no receipts, so faults of delivery and of receipts have no effect here.
//!
//! Limits: one bot; text messages with inline buttons; JSON, form or query parameters.
//
// Cites: Telegram, Bot API reference (making requests, sendMessage, getUpdates, setWebhook).

mod message;
mod updates;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};

use super::desk::{Bucket, Desk, Verdict, lock, unix_s};
use super::fault::{self, AcceptFault, Rate};
use super::handle::{Common, Provider};
use super::http::{Answer, Request, accept_fault, form};
use super::received::Received;
use super::start::Start;
use message::Message;
use updates::Updates;

/// A handle to the running emulator.
pub type Handle = super::Handle<Telegram>;
/// A fault of this emulator.
pub type Fault = super::Fault<Refusal>;

/// Chats whose own rate is watched; past it all start afresh.
const FLOOD_CHATS_MAX: usize = 200_000;

/// Presses of buttons that wait for their answer, and answers that are kept.
const PRESSES_MAX: usize = 10_000;

/// What the emulator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address, seed, TLS.
    pub common: Common,
    /// The bot's token, part of the path.
    pub token: String,
    /// The chats that exist; any number will do without a list.
    pub chats: Option<BTreeSet<i64>>,
    /// The rate that one chat bears; without limit unless given. Telegram's own is about 1 a second.
    pub chat_rate: Option<Rate>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            common: Common::default(),
            token: "42:emulated-token".to_owned(),
            chats: None,
            chat_rate: None,
        }
    }
}

/// An error in the Bot API's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status, repeated as `error_code`.
    pub error_code: u16,
    /// The text on which callers key.
    pub description: String,
    /// Seconds to wait (`parameters.retry_after`).
    pub retry_after_s: Option<u32>,
    /// The supergroup that the group became (`parameters.migrate_to_chat_id`).
    pub migrate_to_chat_id: Option<i64>,
}

impl Refusal {
    /// Returns an error without parameters.
    #[must_use]
    pub fn new(error_code: u16, description: &str) -> Self {
        Self {
            error_code,
            description: description.to_owned(),
            retry_after_s: None,
            migrate_to_chat_id: None,
        }
    }

    /// Returns the error for a user who blocked the bot.
    #[must_use]
    pub fn blocked() -> Self {
        Self::new(403, "Forbidden: bot was blocked by the user")
    }

    /// Returns the error for a chat that does not exist.
    #[must_use]
    pub fn chat_not_found() -> Self {
        Self::new(400, "Bad Request: chat not found")
    }

    /// Returns the error for too many messages.
    #[must_use]
    pub fn flood(retry_after_s: u32) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(429, &format!("Too Many Requests: retry after {retry_after_s}"))
        }
    }

    /// Returns the error for a group that became a supergroup.
    #[must_use]
    pub fn migrated(to: i64) -> Self {
        Self {
            migrate_to_chat_id: Some(to),
            ..Self::new(400, "Bad Request: group chat was upgraded to a supergroup chat")
        }
    }
}

impl fault::Refusal for Refusal {
    fn ordinary() -> Self {
        Self::new(500, "Internal Server Error")
    }
}

/// The provider's state.
#[derive(Debug)]
pub struct Telegram {
    options: Options,
    updates: Arc<Updates>,
    next_message: AtomicI64,
    changing: Mutex<Changing>,
}

#[derive(Debug, Default)]
struct Changing {
    token: String,
    chat_rate: Option<Rate>,
    flood: BTreeMap<i64, Bucket>,
    /// Presses that were not answered yet.
    presses: BTreeSet<String>,
    /// Presses that were answered, with the text shown.
    answered: Vec<(String, String)>,
}

impl Provider for Telegram {
    type Refusal = Refusal;
}

/// Starts the emulator.
///
/// # Errors
/// The address cannot be listened on.
pub async fn start(options: Options) -> io::Result<Handle> {
    let start = Start::new(&options.common)?;
    let provider = Telegram {
        updates: Arc::new(Updates::new()),
        next_message: AtomicI64::new(first_id()),
        changing: Mutex::new(Changing {
            token: options.token.clone(),
            chat_rate: options.chat_rate,
            ..Changing::default()
        }),
        options,
    };
    let handle = start.serve_http(provider, Telegram::route);
    let bot = Arc::clone(&handle.provider);
    let hear = move |call: &Value| {
        if call["method"] == "answerCallbackQuery" {
            bot.answer_press(call);
        }
    };
    tokio::spawn(updates::courier(Arc::clone(&handle.provider.updates), handle.desk.gate.subscribe(), hear));
    Ok(handle)
}

/// Ids grow from run to run, as a bot's do: a number within 31 bits that the clock gives.
fn first_id() -> i64 {
    i64::try_from(unix_s() % 1_000_000_000).unwrap_or_default()
}

impl Handle {
    /// Asks for `token` from here on; the former one is then revoked (401).
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut lock(&self.provider.changing).token);
    }

    /// Sets the rate that one chat bears.
    pub fn set_chat_rate(&self, rate: Option<Rate>) {
        let mut changing = lock(&self.provider.changing);
        changing.chat_rate = rate;
        changing.flood.clear();
    }

    /// Lets the user of a private chat press a button with `data` under one of our messages;
    /// returns the press's id, or none where the queue of updates is full.
    pub fn press(&self, chat_id: i64, message_id: i64, data: &str) -> Option<String> {
        let id = self.desk.fresh_id().to_string();
        {
            let presses = &mut lock(&self.provider.changing).presses;
            if presses.len() >= PRESSES_MAX {
                return None;
            }
            presses.insert(id.clone());
        }
        let query = json!({
            "id": id,
            "from": user(chat_id),
            "chat_instance": "1",
            "data": data,
            "message": {
                "message_id": message_id, "date": unix_s(), "chat": chat(chat_id),
            },
        });
        let updates = &self.provider.updates;
        updates.push("callback_query", query).then_some(id)
    }

    /// Lets the user of a private chat write, in answer to one of our messages or not.
    pub fn inbound_text(&self, chat_id: i64, text: &str, reply_to: Option<i64>) -> bool {
        let mut message = json!({
            "message_id": self.provider.next_id(),
            "date": unix_s(),
            "from": user(chat_id),
            "chat": chat(chat_id),
            "text": text,
        });
        if let Some(id) = reply_to {
            message["reply_to_message"] =
                json!({ "message_id": id, "date": unix_s(), "chat": chat(chat_id) });
        }
        self.provider.updates.push("message", message)
    }

    /// Lets the user of a private chat block the bot, or let it in again.
    pub fn set_blocked(&self, chat_id: i64, blocked: bool) -> bool {
        let refusal = blocked.then(Refusal::blocked);
        self.desk.recipient(&chat_id.to_string(), refusal);
        let (old, new) = if blocked { ("member", "kicked") } else { ("kicked", "member") };
        let member = |status: &str| json!({ "status": status, "user": bot() });
        let change = json!({
            "chat": chat(chat_id),
            "from": user(chat_id),
            "date": unix_s(),
            "old_chat_member": member(old),
            "new_chat_member": member(new),
        });
        self.provider.updates.push("my_chat_member", change)
    }

    /// Returns the presses that were answered, with the texts shown.
    #[must_use]
    pub fn answered_presses(&self) -> Vec<(String, String)> {
        lock(&self.provider.changing).answered.clone()
    }

    /// Returns how many updates wait to be fetched or taken by the webhook.
    #[must_use]
    pub fn updates_waiting(&self) -> usize {
        self.provider.updates.len()
    }
}

fn bot() -> Value {
    json!({
        "id": 42, "is_bot": true, "first_name": "Emulated", "username": "emulated_bot",
    })
}

fn user(id: i64) -> Value {
    json!({ "id": id, "is_bot": false, "first_name": "R" })
}

fn chat(id: i64) -> Value {
    let kind = if id < 0 { "group" } else { "private" };
    json!({ "id": id, "type": kind })
}

/// Returns an answer of success.
fn fine(result: &Value) -> Answer {
    Answer::Json(200, json!({ "ok": true, "result": result }))
}

/// Returns the answer that carries this error.
fn refused(refusal: &Refusal) -> Answer {
    let mut body = json!({
        "ok": false,
        "error_code": refusal.error_code,
        "description": refusal.description,
    });
    if let Some(seconds) = refusal.retry_after_s {
        body["parameters"] = json!({ "retry_after": seconds });
        return Answer::Later(refusal.error_code, seconds, body);
    }
    if let Some(id) = refusal.migrate_to_chat_id {
        body["parameters"] = json!({ "migrate_to_chat_id": id });
    }
    Answer::Json(refusal.error_code, body)
}

impl Telegram {
    fn next_id(&self) -> i64 {
        self.next_message.fetch_add(1, Ordering::Relaxed)
    }

    async fn route(self: Arc<Self>, desk: Arc<Desk<Refusal>>, request: Request) -> Answer {
        let not_found = Refusal::new(404, "Not Found");
        let rest = request.path.strip_prefix("/bot").unwrap_or_default();
        let Some((token, method)) = rest.split_once('/') else {
            return refused(&not_found);
        };
        if !is_token(token) {
            return refused(&not_found);
        }
        if token != lock(&self.changing).token {
            return refused(&Refusal::new(401, "Unauthorized"));
        }
        let parameters = parameters(&request);
        match method.to_ascii_lowercase().as_str() {
            "getme" => fine(&me()),
            "sendmessage" => self.send_message(&desk, &parameters).await,
            "getwebhookinfo" => fine(&self.updates.webhook_info()),
            "setwebhook" => {
                self.updates.set_webhook(&parameters).map_or_else(|e| refused(&e), |()| fine(&json!(true)))
            }
            "deletewebhook" => {
                self.updates.delete_webhook(flag(&parameters["drop_pending_updates"]));
                fine(&json!(true))
            }
            "getupdates" => match self.updates.fetch(&parameters).await {
                Ok(updates) => fine(&updates),
                Err(refusal) => refused(&refusal),
            },
            "answercallbackquery" => self.answer_press(&parameters),
            _ => refused(&not_found),
        }
    }

    async fn send_message(&self, desk: &Desk<Refusal>, parameters: &Value) -> Answer {
        let message = match message::read(parameters) {
            Ok(message) => message,
            Err(refusal) => return refused(&refusal),
        };
        let chats = self.options.chats.as_ref();
        if chats.is_some_and(|chats| !chats.contains(&message.chat_id)) {
            return refused(&Refusal::chat_not_found());
        }
        if let Err(seconds) = self.flood(message.chat_id) {
            return refused(&Refusal::flood(seconds));
        }
        let (verdict, delay) = desk.judge(&message.chat_id.to_string());
        tokio::time::sleep(delay).await;
        match verdict {
            Verdict::Fault(AcceptFault::Reject(refusal)) => refused(&refusal),
            Verdict::Fault(AcceptFault::Throttle { retry_after_s }) => {
                refused(&Refusal::flood(retry_after_s))
            }
            Verdict::Fault(fault) => {
                let Some((fault, taken)) = accept_fault(&fault) else {
                    return refused(&<Refusal as fault::Refusal>::ordinary());
                };
                if taken {
                    self.take(desk, message);
                }
                Answer::Fault(fault)
            }
            Verdict::Take => fine(&self.take(desk, message)),
        }
    }

    /// Takes one token of the chat's own rate.
    fn flood(&self, chat_id: i64) -> Result<(), u32> {
        let changing = &mut *lock(&self.changing);
        let Some(rate) = changing.chat_rate else {
            return Ok(());
        };
        if changing.flood.len() >= FLOOD_CHATS_MAX {
            changing.flood.clear();
        }
        let bucket = changing.flood.entry(chat_id);
        bucket.or_insert_with(|| Bucket::new(rate)).take()
    }

    fn take(&self, desk: &Desk<Refusal>, message: Message) -> Value {
        let id = self.next_id();
        let result = json!({
            "message_id": id,
            "date": unix_s(),
            "from": bot(),
            "chat": chat(message.chat_id),
            "text": message.text,
        });
        let mut details = BTreeMap::new();
        if let Some(buttons) = message.buttons {
            details.insert("buttons", buttons);
        }
        if message.silent {
            details.insert("silent", "true".to_owned());
        }
        desk.keep(Received {
            number: 0,
            at: UNIX_EPOCH,
            recipient: message.chat_id.to_string(),
            sender: "emulated_bot".to_owned(),
            text: message.text,
            provider_id: id.to_string(),
            attempt_ref: None,
            details,
        });
        result
    }

    fn answer_press(&self, parameters: &Value) -> Answer {
        let id = parameters["callback_query_id"].as_str().unwrap_or_default();
        let text = parameters["text"].as_str().unwrap_or_default();
        if text.chars().count() > message::PRESS_TEXT_MAX {
            return refused(&Refusal::new(400, "Bad Request: MESSAGE_TOO_LONG"));
        }
        let changing = &mut *lock(&self.changing);
        if !changing.presses.remove(id) {
            let text = "Bad Request: query is too old and response timeout expired or query ID is invalid";
            return refused(&Refusal::new(400, text));
        }
        if changing.answered.len() < PRESSES_MAX {
            changing.answered.push((id.to_owned(), text.to_owned()));
        }
        fine(&json!(true))
    }
}

fn me() -> Value {
    let mut me = bot();
    me["can_join_groups"] = json!(true);
    me["can_read_all_group_messages"] = json!(false);
    me["supports_inline_queries"] = json!(false);
    me
}

/// A token is the bot's number, a colon and a secret.
fn is_token(text: &str) -> bool {
    text.split_once(':').is_some_and(|(id, secret)| {
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) && !secret.is_empty()
    })
}

/// Returns the parameters of a request as one object, from query, form or JSON.
fn parameters(request: &Request) -> Value {
    let mut all = Map::new();
    let mut add = |fields: BTreeMap<String, String>| {
        for (name, text) in fields {
            // Nested values are JSON within a field.
            let nested = text.starts_with(['{', '[']);
            let value = nested.then(|| serde_json::from_str(&text).ok()).flatten();
            all.insert(name, value.unwrap_or(Value::String(text)));
        }
    };
    add(request.parameters());
    let kind = request.header("content-type").unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        add(form(&request.body));
    } else if kind.starts_with("application/json")
        && let Ok(Value::Object(fields)) = serde_json::from_slice(&request.body)
    {
        all.extend(fields);
    }
    Value::Object(all)
}

/// Reads a flag as the Bot API does, from JSON or text.
fn flag(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || value.as_str().is_some_and(|text| text == "true" || text == "1")
}

/// Reads a whole number, from JSON or text.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
