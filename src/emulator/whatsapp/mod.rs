//! WhatsApp Business Cloud API: sending, health, signed status webhooks.
//!
//! Speaks `POST /{version}/{phone_number_id}/messages`, `GET /{version}/{phone_number_id}?fields=..` and, of the account,
//! `GET /{version}/{waba_id}/message_templates` and `/subscribed_apps`, and calls the webhook with batches of statuses.
//!
//! Limits: one business number; text, template and interactive messages; media types are refused
//! as unsupported (131051).
//
// Cites: Meta, WhatsApp Business Platform, Cloud API reference (messages, error codes, webhooks).

mod account;
mod errors;
mod hooks;
mod message;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::Method;
use serde_json::{Value, json};

use super::desk::{Desk, Verdict, lock, unix_s};
use super::fault::{AcceptFault, DeliverFault, ReceiptFault};
use super::handle::{Common, Provider};
use super::http::{Answer, Request, accept_fault};
use super::received::Received;
use super::start::Start;
pub use account::Template;
pub use errors::Refusal;
pub use hooks::signature;
use hooks::{Hooks, News, Status};
use message::Message;

/// A handle to the running emulator.
pub type Handle = super::Handle<WhatsApp>;
/// A fault of this emulator.
pub type Fault = super::Fault<Refusal>;

/// Recipients who have written to us: as many as a scenario has.
const CONTACTS_MAX: usize = 200_000;

/// What the emulator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address, seed, TLS.
    pub common: Common,
    /// The sending number's id, part of the path.
    pub phone_number_id: String,
    /// The account's id, part of the path of what is asked about it.
    pub waba_id: String,
    /// The bearer token.
    pub token: String,
    /// The secret that signs webhooks.
    pub app_secret: String,
    /// Where statuses go; nowhere without one.
    pub callback: Option<String>,
    /// Most statuses in one webhook call.
    pub batch_max: usize,
    /// Whether recipients let others see that they read.
    pub read_receipts: bool,
    /// The approved templates with their number of body parameters; any will do without a list.
    pub templates: Option<BTreeMap<(String, String), usize>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            common: Common::default(),
            phone_number_id: "106853218861309".to_owned(),
            waba_id: "102290129340398".to_owned(),
            token: "emulated-token".to_owned(),
            app_secret: "app-secret".to_owned(),
            callback: None,
            batch_max: 20,
            read_receipts: false,
            templates: None,
        }
    }
}

/// What the health request says about the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    #[default]
    Available,
    /// It sends, with restrictions.
    Limited,
    /// It may not send.
    Blocked,
}

/// The customer-service window towards recipients who have not written lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// Free text goes to all.
    #[default]
    Open,
    /// Free text is refused at once (131047).
    Closed,
    /// Free text is taken, and a `failed` status with 131047 follows, as is common.
    ClosedLate,
}

/// The provider's state.
#[derive(Debug)]
pub struct WhatsApp {
    options: Options,
    hooks: Arc<Hooks>,
    changing: Mutex<Changing>,
}

#[derive(Debug, Default)]
struct Changing {
    health: Health,
    window: Window,
    /// Recipients who wrote to us, and so opened the window.
    contacts: BTreeSet<String>,
    token: String,
    /// The account's templates, as the account's owner sees them.
    templates: Vec<Template>,
    /// Whether no app is called for the account.
    is_unsubscribed: bool,
}

impl Provider for WhatsApp {
    type Refusal = Refusal;

    fn release(&self) {
        self.hooks.agenda.release();
    }
}

/// Starts the emulator.
///
/// # Errors
/// The address cannot be listened on.
pub async fn start(options: Options) -> io::Result<Handle> {
    let start = Start::new(&options.common)?;
    let provider = WhatsApp {
        hooks: Arc::new(Hooks::new(&options)),
        changing: Mutex::new(Changing { token: options.token.clone(), ..Changing::default() }),
        options,
    };
    let handle = start.serve_http(provider, WhatsApp::route);
    tokio::spawn(hooks::courier(Arc::clone(&handle.provider.hooks), handle.desk.gate.subscribe()));
    Ok(handle)
}

impl Handle {
    /// Sends statuses to `url` from here on, or nowhere.
    pub fn set_callback(&self, url: Option<&str>) {
        self.provider.hooks.set_callback(url.map(str::to_owned));
    }

    /// Signs webhooks with `secret` from here on.
    pub fn set_app_secret(&self, secret: &str) {
        self.provider.hooks.set_secret(secret);
    }

    /// Asks for `token` from here on; the former one is then expired (190).
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut lock(&self.provider.changing).token);
    }

    /// Sets what the health request says.
    pub fn set_health(&self, health: Health) {
        lock(&self.provider.changing).health = health;
    }

    /// Sets what the account's owner sees of its templates; what may be sent is an option of the start.
    pub fn set_templates(&self, templates: &[Template]) {
        templates.clone_into(&mut lock(&self.provider.changing).templates);
    }

    /// Says whether an app is called for the account.
    pub fn set_subscribed(&self, is_subscribed: bool) {
        lock(&self.provider.changing).is_unsubscribed = !is_subscribed;
    }

    /// Sets the window towards recipients who have not written; those who have are forgotten.
    pub fn set_window(&self, window: Window) {
        let mut changing = lock(&self.provider.changing);
        changing.window = window;
        changing.contacts.clear();
    }

    /// Lets `from` (digits) write a text, which opens the window; `context` is the wamid answered.
    pub fn inbound_text(&self, from: &str, text: &str, context: Option<&str>) -> bool {
        self.inbound(from, context, "text", json!({ "body": text }))
    }

    /// Lets `from` (digits) press a template's quick-reply button.
    pub fn inbound_button(&self, from: &str, payload: &str, context: Option<&str>) -> bool {
        let button = json!({ "payload": payload, "text": payload });
        self.inbound(from, context, "button", button)
    }

    /// Lets `from` (digits) press the reply button `id` of an interactive message.
    pub fn inbound_reply(&self, from: &str, id: &str, context: Option<&str>) -> bool {
        let reply = json!({ "type": "button_reply", "button_reply": { "id": id, "title": id } });
        self.inbound(from, context, "interactive", reply)
    }

    fn inbound(&self, from: &str, context: Option<&str>, kind: &str, content: Value) -> bool {
        {
            let contacts = &mut lock(&self.provider.changing).contacts;
            if contacts.len() < CONTACTS_MAX {
                contacts.insert(from.to_owned());
            }
        }
        let mut message = json!({
            "from": from,
            "id": wamid(self.desk.fresh_id()),
            "timestamp": unix_s().to_string(),
            "type": kind,
            kind: content,
        });
        if let Some(wamid) = context {
            message["context"] = json!({ "id": wamid });
        }
        let news = News::inbound(from, message);
        self.provider.hooks.agenda.push(Duration::ZERO, news)
    }

    /// Makes the webhook's verification handshake and says whether the other side passed: it must
    /// echo the challenge for `verify_token` and refuse a wrong token.
    pub async fn verify_callback(&self, verify_token: &str) -> bool {
        self.provider.hooks.verify(verify_token).await
    }

    /// Returns how many webhook calls were answered with 2xx.
    #[must_use]
    pub fn webhooks_taken(&self) -> u64 {
        self.provider.hooks.taken()
    }

    /// Returns how many webhook calls failed; most of those are repeated.
    #[must_use]
    pub fn webhooks_failed(&self) -> u64 {
        self.provider.hooks.failed()
    }

    /// Returns how many statuses and inbound messages wait to be sent or are parked.
    #[must_use]
    pub fn webhooks_waiting(&self) -> usize {
        self.provider.hooks.agenda.len()
    }
}

impl WhatsApp {
    async fn route(self: Arc<Self>, desk: Arc<Desk<Refusal>>, request: Request) -> Answer {
        let mut path = request.path.split('/').filter(|part| !part.is_empty());
        let (version, object, edge) = (path.next(), path.next(), path.next());
        if !version.is_some_and(is_version) || path.next().is_some() {
            return errors::answer(&Refusal::new(2500).details("Unknown path components"));
        }
        if !self.is_authorized(&request) {
            return errors::answer(&Refusal::new(190));
        }
        if object == Some(self.options.waba_id.as_str()) {
            return self.account(&request, edge);
        }
        if object != Some(self.options.phone_number_id.as_str()) {
            let details = "Object does not exist, or cannot be loaded due to missing permissions";
            return errors::answer(&Refusal::new(33).details(details));
        }
        match (&request.method, edge) {
            (&Method::GET, None) => self.health(&request),
            (&Method::POST, Some("messages")) => self.messages(&desk, &request).await,
            _ => errors::answer(&Refusal::new(100).details("Unsupported request")),
        }
    }

    fn account(&self, request: &Request, edge: Option<&str>) -> Answer {
        let changing = lock(&self.changing);
        match (&request.method, edge) {
            (&Method::GET, Some("message_templates")) => account::templates(&changing.templates, request),
            (&Method::GET, Some("subscribed_apps")) => account::subscribed(!changing.is_unsubscribed),
            _ => errors::answer(&Refusal::new(100).details("Unsupported request")),
        }
    }

    fn is_authorized(&self, request: &Request) -> bool {
        let given = request.header("authorization").unwrap_or_default();
        let token = given.strip_prefix("Bearer ").unwrap_or_default();
        !token.is_empty() && token == lock(&self.changing).token
    }

    fn health(&self, request: &Request) -> Answer {
        let parameters = request.parameters();
        let fields = parameters.get("fields").map_or("", String::as_str);
        let mut answer = json!({ "id": self.options.phone_number_id });
        for field in fields.split(',') {
            match field.trim() {
                "health_status" => answer["health_status"] = self.health_status(),
                "quality_rating" => answer["quality_rating"] = json!("GREEN"),
                "throughput" => answer["throughput"] = json!({ "level": "STANDARD" }),
                "status" => answer["status"] = json!("CONNECTED"),
                "verified_name" => answer["verified_name"] = json!("Emulated"),
                "display_phone_number" => {
                    answer["display_phone_number"] = json!("+1 555-000-1111");
                }
                "" | "id" => {}
                unknown => {
                    let details = format!("Tried accessing nonexisting field ({unknown})");
                    return errors::answer(&Refusal::new(100).details(&details));
                }
            }
        }
        Answer::Json(200, answer)
    }

    fn health_status(&self) -> Value {
        let mut waba =
            json!({ "entity_type": "WABA", "id": self.options.waba_id, "can_send_message": "AVAILABLE" });
        let overall = match lock(&self.changing).health {
            Health::Available => "AVAILABLE",
            Health::Limited => {
                waba["additional_info"] = json!(["Your business has not passed verification."]);
                "LIMITED"
            }
            Health::Blocked => {
                waba["errors"] = json!([{
                    "error_code": 141_006,
                    "error_description": "There is a problem with your payment method.",
                    "possible_solution": "Add a valid payment method.",
                }]);
                "BLOCKED"
            }
        };
        waba["can_send_message"] = json!(overall);
        let fine =
            |kind: &str, id: &str| json!({ "entity_type": kind, "id": id, "can_send_message": "AVAILABLE" });
        json!({
            "can_send_message": overall,
            "entities": [
                fine("PHONE_NUMBER", &self.options.phone_number_id),
                waba,
                fine("BUSINESS", "3"),
                fine("APP", "4"),
            ],
        })
    }

    async fn messages(&self, desk: &Desk<Refusal>, request: &Request) -> Answer {
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return errors::answer(&Refusal::new(100).details("The body is not valid JSON"));
        };
        if body.get("status").is_some() {
            return Answer::Json(200, json!({ "success": true }));
        }
        let message = match message::read(&body, self.options.templates.as_ref()) {
            Ok(message) => message,
            Err(refusal) => return errors::answer(&refusal),
        };
        let (verdict, delay) = desk.judge(&message.recipient);
        tokio::time::sleep(delay).await;
        match verdict {
            Verdict::Fault(AcceptFault::Reject(refusal)) => errors::answer(&refusal),
            Verdict::Fault(AcceptFault::Throttle { retry_after_s }) => errors::throttled(retry_after_s),
            Verdict::Fault(fault) => {
                let Some((fault, taken)) = accept_fault(&fault) else {
                    return errors::answer(&Refusal::new(131_000));
                };
                if taken {
                    self.take(desk, message, None).await;
                }
                Answer::Fault(fault)
            }
            Verdict::Take => self.within_window(desk, message).await,
        }
    }

    async fn within_window(&self, desk: &Desk<Refusal>, message: Message) -> Answer {
        let window = {
            let changing = lock(&self.changing);
            let known = changing.contacts.contains(&message.recipient);
            let free = message.is_template() || known;
            if free { Window::Open } else { changing.window }
        };
        let late = match window {
            Window::Closed => return errors::answer(&Refusal::new(131_047)),
            Window::ClosedLate => Some(Refusal::new(131_047)),
            Window::Open => None,
        };
        let recipient = message.recipient.clone();
        let wamid = self.take(desk, message, late).await;
        Answer::Json(
            200,
            json!({
                "messaging_product": "whatsapp",
                "contacts": [{ "input": recipient, "wa_id": recipient.trim_start_matches('+') }],
                "messages": [{ "id": wamid, "message_status": "accepted" }],
            }),
        )
    }

    /// Takes a message and arranges what follows; returns its wamid.
    async fn take(&self, desk: &Desk<Refusal>, message: Message, late: Option<Refusal>) -> String {
        let wamid = wamid(desk.fresh_id());
        let wa_id = message.recipient.trim_start_matches('+').to_owned();
        let news = |status: Status, error: Option<Refusal>| {
            News::status(&wamid, &wa_id, status, error, message.reference.as_deref())
        };
        let fate = desk.fate();
        let (brought, told) = (fate.deliver_after, fate.deliver_after + fate.receipt_after);
        let failed = match (&fate.deliver, late) {
            (Some(DeliverFault::Fail(refusal)), _) => Some(refusal.clone()),
            (_, late) => late,
        };
        let mut plan = match (failed, &fate.deliver) {
            (Some(refusal), _) => vec![(told, news(Status::Failed, Some(refusal)))],
            (None, Some(DeliverFault::Drop)) => vec![(told, news(Status::Sent, None))],
            (None, _) => vec![(brought / 2, news(Status::Sent, None)), (told, news(Status::Delivered, None))],
        };
        let reaches = plan.len() == 2;
        if reaches && self.options.read_receipts {
            plan.push((told * 2, news(Status::Read, None)));
        }
        desk.keep(received(message, &wamid));
        self.arrange(plan, fate.receipt, fate.is_held()).await;
        wamid
    }

    /// Puts a message's statuses on the agenda, in the way that was ordered.
    async fn arrange(&self, plan: Vec<(Duration, News)>, fault: Option<ReceiptFault>, hold: bool) {
        let agenda = &self.hooks.agenda;
        match fault {
            Some(ReceiptFault::Missing) => {}
            _ if hold => {
                for (_, news) in plan {
                    agenda.hold(news);
                }
            }
            Some(ReceiptFault::Early) => {
                let all = plan.into_iter().map(|(_, news)| news).collect();
                self.hooks.send(all).await;
            }
            Some(ReceiptFault::Disordered) => {
                let times: Vec<_> = plan.iter().map(|(after, _)| *after).collect();
                let reversed = plan.into_iter().rev().map(|(_, news)| news);
                for (after, news) in times.into_iter().zip(reversed) {
                    agenda.push(after, news);
                }
            }
            Some(ReceiptFault::Doubled) => {
                for (after, news) in plan {
                    agenda.push(after, news.clone());
                    agenda.push(after, news);
                }
            }
            Some(ReceiptFault::Forged) => {
                for (after, news) in plan {
                    agenda.push(after, news.forged());
                }
            }
            Some(ReceiptFault::Held) | None => {
                for (after, news) in plan {
                    agenda.push(after, news);
                }
            }
        }
    }
}

fn received(message: Message, wamid: &str) -> Received {
    let mut details = BTreeMap::from([("type", message.kind.to_owned())]);
    if let Some((name, language)) = message.template {
        details.insert("template", name);
        details.insert("language", language);
    }
    Received {
        number: 0,
        at: UNIX_EPOCH,
        recipient: message.recipient,
        sender: String::new(),
        text: message.text,
        provider_id: wamid.to_owned(),
        attempt_ref: message.reference,
        details,
    }
}

fn wamid(id: u64) -> String {
    format!("wamid.{}", URL_SAFE_NO_PAD.encode(id.to_be_bytes()))
}

/// Says whether this is a version of the API such as `v23.0`.
fn is_version(text: &str) -> bool {
    let Some(number) = text.strip_prefix('v') else {
        return false;
    };
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(major) && digits(minor)
}
