//! SMS gateways that speak HTTP, each in its own dialect: Kannel's smsbox, Jasmin, Infobip, Vonage, and an Android phone
//! with SMSGate.
//!
//! Each takes what its documentation says and checks it: credentials, the recipient, the coding of the text. What it tells
//! afterwards it tells as the real one does: Kannel fills the escapes of `dlr-url`, Jasmin wants `ACK/Jasmin`, Vonage and
//! the phone tell of each part, the phone signs.
//!
//! Limits: one account, one recipient a request. A long text's parts are counted, not made.
//
// Cites: Kannel 1.4.5, user guide; Jasmin, "HTTP API"; Infobip, "SMS API 3"; Vonage, "SMS API"; SMSGate, "Integration API".

mod inbound;
mod receipts;
mod requests;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use hyper::Method;
use serde_json::{Value, json};

use super::desk::{Desk, Verdict, lock};
use super::fault::{self, AcceptFault, DeliverFault, ReceiptFault};
use super::handle::{Common, Provider};
use super::http::{Answer, Request, accept_fault};
use super::received::Received;
use super::start::Start;
use receipts::{Courier, News, Status};
use requests::Message;

/// A handle to the running emulator.
pub type Handle = super::Handle<SmsHttp>;
/// A fault of this emulator.
pub type Fault = super::Fault<Refusal>;

/// Whose protocol is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Kannel's smsbox.
    Kannel,
    /// Jasmin's HTTP API.
    Jasmin,
    /// Infobip's SMS API 3.
    Infobip,
    /// Vonage's SMS API.
    Vonage,
    /// SMSGate on an Android phone.
    SmsGate,
}

/// What the emulator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address, seed, TLS.
    pub common: Common,
    /// Whose protocol is spoken.
    pub dialect: Dialect,
    /// The account: a user's name, or Vonage's key.
    pub username: String,
    /// What proves it: a password, Vonage's secret, Infobip's key.
    pub password: String,
    /// The key by which the phone signs.
    pub signing_key: String,
    /// Where the phone's webhooks go; the others are told by each request.
    pub callback: Option<String>,
}

impl Options {
    /// Returns the usual ones of a dialect.
    #[must_use]
    pub fn of(dialect: Dialect) -> Self {
        Self {
            common: Common::default(),
            dialect,
            username: "emulated".to_owned(),
            password: "emulated-password".to_owned(),
            signing_key: "emulated-signing-key".to_owned(),
            callback: None,
        }
    }
}

/// A refusal, as it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The body: JSON where it begins with a brace.
    pub body: String,
    /// What a receipt says, where the message was taken and given up.
    pub code: &'static str,
}

impl Refusal {
    /// Returns a refusal in these words.
    #[must_use]
    pub fn new(status: u16, body: &str) -> Self {
        Self { status, body: body.to_owned(), code: "" }
    }

    /// Returns one whose receipt carries this code.
    #[must_use]
    pub fn failing(code: &'static str) -> Self {
        Self { code, ..Self::new(400, "") }
    }

    fn answer(&self) -> Answer {
        match serde_json::from_str::<Value>(&self.body) {
            Ok(value) if value.is_object() => Answer::Json(self.status, value),
            _ => Answer::Text(self.status, self.body.clone()),
        }
    }
}

impl fault::Refusal for Refusal {
    fn ordinary() -> Self {
        Self::new(503, "come back later")
    }
}

/// The gateway's state.
#[derive(Debug)]
pub struct SmsHttp {
    options: Options,
    password: Mutex<String>,
    courier: Arc<Courier>,
    repeats: AtomicU64,
    known: Mutex<BTreeMap<String, ()>>,
}

/// The most ids of messages that the phone knows again.
const KNOWN_MAX: usize = 200_000;

impl Provider for SmsHttp {
    type Refusal = Refusal;

    fn release(&self) {
        self.courier.agenda.release();
    }
}

/// Starts the emulator.
///
/// # Errors
/// The address cannot be listened on.
pub async fn start(options: Options) -> io::Result<Handle> {
    let start = Start::new(&options.common)?;
    let courier = Arc::new(Courier::new(&options));
    tokio::spawn(receipts::run(Arc::clone(&courier), start.desk.gate.subscribe()));
    let provider = SmsHttp {
        password: Mutex::new(options.password.clone()),
        options,
        courier,
        repeats: AtomicU64::new(0),
        known: Mutex::default(),
    };
    Ok(start.serve_http(provider, SmsHttp::route))
}

impl Handle {
    /// Asks for this password, or key, from here on.
    pub fn set_password(&self, password: &str) {
        password.clone_into(&mut lock(&self.provider.password));
    }

    /// Lets the phone's webhooks go there.
    pub fn set_callback(&self, url: Option<&str>) {
        self.provider.courier.set_callback(url.map(str::to_owned));
    }

    /// Lets `from` write to our number, whose messages go to `url` (Kannel: its `get-url`, with escapes); says whether that
    /// was taken.
    pub async fn inbound_text(&self, url: &str, from: &str, text: &str) -> bool {
        let id = format!("mo-{:016x}", self.desk.fresh_id());
        self.provider.courier.inbound(url, &id, from, text).await
    }

    /// Returns how many calls with receipts were answered as the gateway wants it.
    #[must_use]
    pub fn receipts_taken(&self) -> u64 {
        self.provider.courier.taken()
    }

    /// Returns how many messages came again under an id that the phone knew.
    #[must_use]
    pub fn repeats_count(&self) -> u64 {
        self.provider.repeats.load(Ordering::Relaxed)
    }

    /// Returns this dialect's words for a recipient, or a text, that it does not take.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self.provider.options.dialect {
            Dialect::Kannel => {
                Refusal::new(400, "Number(s) has/have been denied by white- and/or black-lists.")
            }
            Dialect::Jasmin => Refusal::new(400, "Error \"Argument [to] has an invalid value: [0].\""),
            Dialect::Infobip => {
                let status = json!({ "groupId": 5, "groupName": "REJECTED", "id": 52, "name": "REJECTED_DESTINATION" });
                Refusal::new(200, &json!({ "messages": [{ "status": status }] }).to_string())
            }
            Dialect::Vonage => requests::vonage_refusal("6", "Invalid message"),
            Dialect::SmsGate => Refusal::new(400, &json!({ "message": "failed to validate" }).to_string()),
        }
    }

    /// Returns this dialect's words for "not now, you have had enough".
    #[must_use]
    pub fn exhausted(&self) -> Refusal {
        match self.provider.options.dialect {
            Dialect::Kannel => Refusal::new(503, "Temporal failure, try again later."),
            Dialect::Jasmin => Refusal::new(403, "Error \"User throughput exceeded\""),
            Dialect::Infobip => {
                let text = json!({ "errorCode": "E429", "description": "Too many requests" });
                Refusal::new(429, &text.to_string())
            }
            Dialect::Vonage => requests::vonage_refusal("1", "Throughput Rate Exceeded"),
            Dialect::SmsGate => Refusal::new(503, &json!({ "message": "queue limit exceeded" }).to_string()),
        }
    }
}

impl SmsHttp {
    async fn route(self: Arc<Self>, desk: Arc<Desk<Refusal>>, request: Request) -> Answer {
        if let Some(answer) = self.looked_at(&request) {
            return answer;
        }
        match self.read(&request) {
            Ok(message) => self.judge(&desk, message).await,
            Err(refusal) => refusal.answer(),
        }
    }

    /// Answers what asks and sends nothing.
    fn looked_at(&self, request: &Request) -> Option<Answer> {
        if request.method != Method::GET {
            return None;
        }
        let text = |status: u16, text: &str| Some(Answer::Text(status, text.to_owned()));
        match (self.options.dialect, request.path.as_str()) {
            (Dialect::Kannel, "/status.xml") => text(
                200,
                "<?xml version=\"1.0\"?>\n<gateway>\n<status>running, uptime 0d 0h 0m 7s</status>\n<smscs><count>1</count>\
                 <smsc><id>a</id><status>online 6s</status></smsc></smscs>\n</gateway>\n",
            ),
            (Dialect::Kannel, path) if path != "/cgi-bin/sendsms" => text(404, "Unknown request."),
            (Dialect::Jasmin, "/ping") => text(200, "Jasmin/PONG"),
            (Dialect::Infobip, "/account/1/balance") => Some(match self.is_infobip(request) {
                true => Answer::Json(200, json!({ "balance": 47.8, "currency": "EUR" })),
                false => requests::infobip_unauthorized().answer(),
            }),
            (Dialect::Vonage, "/account/get-balance") => {
                let given = request.parameters();
                let is = |key: &str, value: &str| given.get(key).is_some_and(|given| given == value);
                let known = is("api_key", &self.options.username) && is("api_secret", &lock(&self.password));
                Some(match known {
                    true => Answer::Json(200, json!({ "value": 3.1, "autoReload": false })),
                    false => Answer::Json(401, json!({ "error-code": "401" })),
                })
            }
            (Dialect::SmsGate, "/health") => Some(Answer::Json(
                200,
                json!({ "status": "pass", "version": "1.40.0", "releaseId": 1, "checks": {} }),
            )),
            (Dialect::Kannel, _) => None,
            _ => text(404, "Not Found"),
        }
    }

    async fn judge(&self, desk: &Desk<Refusal>, message: Message) -> Answer {
        let (verdict, delay) = desk.judge(&message.recipient);
        tokio::time::sleep(delay).await;
        match verdict {
            Verdict::Fault(AcceptFault::Reject(refusal)) => refusal.answer(),
            Verdict::Fault(AcceptFault::Throttle { retry_after_s }) => self.throttled(retry_after_s),
            Verdict::Fault(fault) => {
                let Some((fault, taken)) = accept_fault(&fault) else {
                    return <Refusal as fault::Refusal>::ordinary().answer();
                };
                if taken {
                    self.take(desk, message).await;
                }
                Answer::Fault(fault)
            }
            Verdict::Take => self.take(desk, message).await,
        }
    }

    fn throttled(&self, retry_after_s: u32) -> Answer {
        match self.options.dialect {
            Dialect::Infobip => Answer::Later(
                429,
                retry_after_s,
                json!({ "errorCode": "E429", "description": "Too many requests" }),
            ),
            Dialect::Vonage => requests::vonage_refusal("1", "Throughput Rate Exceeded").answer(),
            Dialect::Kannel => Answer::Text(503, "Temporal failure, try again later.".to_owned()),
            Dialect::Jasmin => Answer::Text(403, "Error \"User throughput exceeded\"".to_owned()),
            Dialect::SmsGate => Answer::Json(503, json!({ "message": "queue limit exceeded" })),
        }
    }

    /// Takes a message, arranges what follows, and returns the answer.
    async fn take(&self, desk: &Desk<Refusal>, message: Message) -> Answer {
        let id = match &message.reference {
            Some(own) if matches!(self.options.dialect, Dialect::SmsGate | Dialect::Infobip) => own.clone(),
            _ => format!("{:016x}", desk.fresh_id()),
        };
        if self.options.dialect == Dialect::SmsGate && !self.remember(&id) {
            self.repeats.fetch_add(1, Ordering::Relaxed);
            return Answer::Json(409, json!({ "message": "message with this id exists" }));
        }
        let fate = desk.fate();
        let (brought, told) = (fate.deliver_after, fate.deliver_after + fate.receipt_after);
        let plan = match &fate.deliver {
            Some(DeliverFault::Fail(refusal)) => vec![(told, Status::Failed(refusal.code))],
            Some(DeliverFault::Drop) => vec![(told, Status::Sent)],
            _ => vec![(brought / 2, Status::Sent), (told, Status::Delivered)],
        };
        let news: Vec<(Duration, News)> = plan
            .into_iter()
            .flat_map(|(after, status)| {
                let parts = if self.tells_parts(&status) { message.parts } else { 1 };
                let news = |part| (after, News::of(&message, &id, status, part));
                (1..=parts).map(news).collect::<Vec<_>>()
            })
            .collect();
        let answer = requests::taken(self.options.dialect, &message, &id);
        desk.keep(received(message, &id));
        self.arrange(news, fate.receipt, fate.is_held()).await;
        answer
    }

    fn tells_parts(&self, status: &Status) -> bool {
        match self.options.dialect {
            Dialect::Vonage => true,
            Dialect::SmsGate => *status == Status::Delivered,
            _ => false,
        }
    }

    /// Remembers an id; says whether it is new.
    fn remember(&self, id: &str) -> bool {
        let known = &mut lock(&self.known);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(id.to_owned(), ()).is_none()
    }

    /// Puts a message's receipts on the agenda, in the way that was ordered.
    async fn arrange(&self, plan: Vec<(Duration, News)>, fault: Option<ReceiptFault>, hold: bool) {
        let agenda = &self.courier.agenda;
        let times: Vec<Duration> = plan.iter().map(|(after, _)| *after).collect();
        let news: Vec<News> = plan.into_iter().map(|(_, news)| news).collect();
        let due: Vec<News> = match fault {
            Some(ReceiptFault::Missing) => return,
            _ if hold => {
                for one in news {
                    agenda.hold(one);
                }
                return;
            }
            Some(ReceiptFault::Early) => {
                for one in news {
                    self.courier.tell(one).await;
                }
                return;
            }
            Some(ReceiptFault::Disordered) => news.into_iter().rev().collect(),
            Some(ReceiptFault::Doubled) => {
                for (after, one) in times.iter().zip(&news) {
                    agenda.push(*after, one.clone());
                }
                news
            }
            Some(ReceiptFault::Forged) => news.into_iter().map(News::forged).collect(),
            Some(ReceiptFault::Held) | None => news,
        };
        for (after, one) in times.into_iter().zip(due) {
            agenda.push(after, one);
        }
    }
}

fn received(message: Message, id: &str) -> Received {
    let mut details = message.details;
    details.insert("parts", message.parts.to_string());
    Received {
        number: 0,
        at: UNIX_EPOCH,
        recipient: message.recipient,
        sender: message.sender,
        text: message.text,
        provider_id: id.to_owned(),
        attempt_ref: message.reference,
        details,
    }
}
