//! Twilio's Messages API: sending, the list of messages, the account, signed status callbacks.
//!
//! Speaks `POST` and `GET /2010-04-01/Accounts/{sid}/Messages.json`, `GET ../Messages/{sid}.json`,
//! `GET ../Accounts/{sid}.json`, and calls each message's `StatusCallback`.
//!
//! Limits: one account, text messages; a list is not paged.
//
// Cites: Twilio, "Messages Resource", "Accounts Resource", "Track the Message Status of Outbound Messages".

mod errors;
mod hooks;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::{Method, Uri};
use serde_json::{Value, json};

use super::desk::{Desk, Verdict, lock, unix_s};
use super::fault::{AcceptFault, DeliverFault, ReceiptFault};
use super::handle::{Common, Provider, RECEIVED_MAX};
use super::http::{Answer, Request, accept_fault, form};
use super::received::Received;
use super::start::Start;
pub use errors::Refusal;
pub use hooks::signature;
use hooks::{Hooks, News};

/// A handle to the running emulator.
pub type Handle = super::Handle<Twilio>;
/// A fault of this emulator.
pub type Fault = super::Fault<Refusal>;

/// The longest text. Cites: error 21617.
const TEXT_CHARS_MAX: usize = 1600;

/// The characters of the GSM alphabet beyond letters and digits, and those of its extension, which take two places.
const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
const GSM_EXTENSION: &str = "\u{0C}^{}\\[~]|€";

/// What the emulator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address, seed, TLS.
    pub common: Common,
    /// The account.
    pub account_sid: String,
    /// Its password, which also signs callbacks.
    pub auth_token: String,
    /// The number that messages may be from; names may be anything.
    pub number: String,
    /// The messaging service that messages may be from.
    pub service_sid: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            common: Common::default(),
            account_sid: "AC0123456789abcdef0123456789abcdef".to_owned(),
            auth_token: "emulatedauthtoken".to_owned(),
            number: "+15550001111".to_owned(),
            service_sid: "MG0123456789abcdef0123456789abcdef".to_owned(),
        }
    }
}

/// The provider's state.
#[derive(Debug)]
pub struct Twilio {
    options: Options,
    hooks: Arc<Hooks>,
    changing: Mutex<Changing>,
}

#[derive(Debug)]
struct Changing {
    account_status: &'static str,
    /// The last messages, newest first.
    messages: VecDeque<Kept>,
}

/// A message as a question for it is answered.
#[derive(Clone, Debug)]
struct Kept {
    sid: String,
    to: String,
    from: String,
    body: String,
    created_s: u64,
    failed: Option<u32>,
}

/// A message that can be taken.
struct Message {
    to: String,
    from: String,
    by_service: bool,
    body: String,
    callback: Option<String>,
    validity: Option<String>,
}

impl Provider for Twilio {
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
    let provider = Twilio {
        hooks: Arc::new(Hooks::new(&options.account_sid, &options.auth_token)),
        changing: Mutex::new(Changing { account_status: "active", messages: VecDeque::new() }),
        options,
    };
    let handle = start.serve_http(provider, Twilio::route);
    tokio::spawn(hooks::courier(Arc::clone(&handle.provider.hooks), handle.desk.gate.subscribe()));
    Ok(handle)
}

impl Handle {
    /// Brings callbacks to `road`, a scheme and an authority, whatever address they are for and signed for.
    pub fn set_road(&self, road: Option<&str>) {
        self.provider.hooks.set_road(road.map(str::to_owned));
    }

    /// Asks for `token` from here on, and signs with it.
    pub fn set_auth_token(&self, token: &str) {
        self.provider.hooks.set_auth_token(token);
    }

    /// Sets what the account says of itself: `active`, `suspended`, `closed`.
    pub fn set_account_status(&self, status: &'static str) {
        lock(&self.provider.changing).account_status = status;
    }

    /// Lets `from` write to our number, whose messages go to `url`; says whether that was taken, and by an answer that sends
    /// nothing back.
    pub async fn inbound_text(&self, url: &str, from: &str, text: &str) -> bool {
        let sid = format!("SM{:016x}{:016x}", self.desk.fresh_id(), self.desk.fresh_id());
        self.provider.hooks.inbound(url, &sid, from, &self.provider.options.number, text).await
    }

    /// Returns how many callbacks were answered with 2xx.
    #[must_use]
    pub fn callbacks_taken(&self) -> u64 {
        self.provider.hooks.taken()
    }

    /// Returns how many callbacks were not.
    #[must_use]
    pub fn callbacks_failed(&self) -> u64 {
        self.provider.hooks.failed()
    }
}

impl Twilio {
    async fn route(self: Arc<Self>, desk: Arc<Desk<Refusal>>, request: Request) -> Answer {
        if request.path == "/2010-04-01.json" {
            return Answer::Json(200, json!({ "name": "2010-04-01" }));
        }
        let missing = || errors::answer(&Refusal::new(20_404));
        let Some(below) = request.path.strip_prefix("/2010-04-01/Accounts/") else { return missing() };
        if !self.is_authorized(&request) {
            return errors::answer(&Refusal::new(20_003));
        }
        let Some(below) = below.strip_prefix(self.options.account_sid.as_str()) else { return missing() };
        match (&request.method, below) {
            (&Method::POST, "/Messages.json") => self.messages(&desk, &request).await,
            (&Method::GET, "/Messages.json") => self.list(&request),
            (&Method::GET, ".json") => self.account(),
            (&Method::GET, one) => {
                let sid = one.strip_prefix("/Messages/").and_then(|rest| rest.strip_suffix(".json"));
                let kept = sid.and_then(|sid| self.kept().into_iter().find(|kept| kept.sid == sid));
                kept.map_or_else(missing, |kept| Answer::Json(200, self.shown(&kept)))
            }
            _ => missing(),
        }
    }

    fn is_authorized(&self, request: &Request) -> bool {
        let login = format!("{}:{}", self.options.account_sid, self.hooks.auth_token());
        request.header("authorization") == Some(&format!("Basic {}", STANDARD.encode(login)))
    }

    fn account(&self) -> Answer {
        let status = lock(&self.changing).account_status;
        Answer::Json(200, json!({ "sid": self.options.account_sid, "status": status, "type": "Full" }))
    }

    fn kept(&self) -> VecDeque<Kept> {
        lock(&self.changing).messages.clone()
    }

    fn list(&self, request: &Request) -> Answer {
        let asked = request.parameters();
        let size = asked.get("PageSize").and_then(|size| size.parse().ok()).unwrap_or(50_usize).min(1000);
        let kept = self.kept();
        let wanted = kept.iter().filter(|kept| asked.get("To").is_none_or(|to| *to == kept.to));
        let messages: Vec<_> = wanted.take(size).map(|kept| self.shown(kept)).collect();
        Answer::Json(200, json!({ "messages": messages, "page": 0, "page_size": size }))
    }

    fn shown(&self, kept: &Kept) -> Value {
        let created = i64::try_from(kept.created_s).unwrap_or_default();
        let created = jiff::Timestamp::from_second(created).unwrap_or_default();
        let created = jiff::fmt::rfc2822::to_string(&created.to_zoned(jiff::tz::TimeZone::UTC));
        json!({
            "sid": kept.sid,
            "account_sid": self.options.account_sid,
            "status": self.hooks.status(&kept.sid),
            "error_code": kept.failed,
            "error_message": null,
            "to": kept.to,
            "from": kept.from,
            "body": kept.body,
            "num_segments": segments(&kept.body).to_string(),
            "direction": "outbound-api",
            "date_created": created.unwrap_or_default(),
            "api_version": "2010-04-01",
        })
    }

    async fn messages(&self, desk: &Desk<Refusal>, request: &Request) -> Answer {
        let message = match self.read(&request.body) {
            Ok(message) => message,
            Err(refusal) => return errors::answer(&refusal),
        };
        let (verdict, delay) = desk.judge(&message.to);
        tokio::time::sleep(delay).await;
        match verdict {
            Verdict::Fault(AcceptFault::Reject(refusal)) => errors::answer(&refusal),
            Verdict::Fault(AcceptFault::Throttle { retry_after_s }) => errors::throttled(retry_after_s),
            Verdict::Fault(fault) => {
                let Some((fault, taken)) = accept_fault(&fault) else {
                    return errors::answer(&Refusal::new(20_500));
                };
                if taken {
                    self.take(desk, message).await;
                }
                Answer::Fault(fault)
            }
            Verdict::Take => {
                let by_service = message.by_service;
                let kept = self.take(desk, message).await;
                let mut shown = self.shown(&kept);
                shown["status"] = json!(if by_service { "accepted" } else { "queued" });
                Answer::Json(201, shown)
            }
        }
    }

    fn read(&self, body: &[u8]) -> Result<Message, Refusal> {
        let mut said = form(body);
        let mut take = |name: &str| said.remove(name).filter(|value| !value.is_empty());
        let to = take("To").ok_or(Refusal::new(21_604))?;
        let is_number = to.strip_prefix('+').is_some_and(|digits| {
            (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        if !is_number {
            return Err(Refusal::new(21_211).details(&to));
        }
        let (service, from) = (take("MessagingServiceSid"), take("From"));
        let by_service = service.is_some();
        let from = match (service, from) {
            (Some(service), _) if service == self.options.service_sid => self.options.number.clone(),
            (Some(_), _) => return Err(Refusal::new(21_701)),
            (None, Some(from)) if from == self.options.number => from,
            (None, Some(from)) if from.bytes().any(|byte| byte.is_ascii_alphabetic()) => from,
            (None, Some(_)) => return Err(Refusal::new(21_606)),
            (None, None) => return Err(Refusal::new(21_603)),
        };
        let body = take("Body").ok_or(Refusal::new(21_602))?;
        if body.chars().count() > TEXT_CHARS_MAX {
            return Err(Refusal::new(21_617));
        }
        let callback = take("StatusCallback");
        let is_url = |url: &String| {
            url.parse::<Uri>().is_ok_and(|url| url.authority().is_some() && url.scheme().is_some())
        };
        if callback.as_ref().is_some_and(|url| !is_url(url)) {
            return Err(Refusal::new(21_609));
        }
        Ok(Message { to, from, by_service, body, callback, validity: take("ValidityPeriod") })
    }

    /// Takes a message and arranges what follows.
    async fn take(&self, desk: &Desk<Refusal>, message: Message) -> Kept {
        let fate = desk.fate();
        let failed = match &fate.deliver {
            Some(DeliverFault::Fail(refusal)) => Some(refusal.code),
            _ => None,
        };
        let kept = Kept {
            sid: format!("SM{:016x}{:016x}", desk.fresh_id(), desk.fresh_id()),
            to: message.to.clone(),
            from: message.from.clone(),
            body: message.body.clone(),
            created_s: unix_s(),
            failed,
        };
        let news = |status: &'static str, code: Option<u32>| News {
            url: message.callback.clone(),
            sid: kept.sid.clone(),
            to: kept.to.clone(),
            from: kept.from.clone(),
            status,
            code,
            forged: false,
        };
        let (brought, told) = (fate.deliver_after, fate.deliver_after + fate.receipt_after);
        let plan = match (failed, &fate.deliver) {
            (Some(code), _) => vec![(told, news("undelivered", Some(code)))],
            (None, Some(DeliverFault::Drop)) => vec![(told, news("sent", None))],
            (None, _) => vec![(brought / 2, news("sent", None)), (told, news("delivered", None))],
        };
        self.keep(kept.clone());
        desk.keep(received(message, &kept));
        self.arrange(plan, fate.receipt, fate.is_held()).await;
        kept
    }

    fn keep(&self, kept: Kept) {
        let forgotten = {
            let messages = &mut lock(&self.changing).messages;
            messages.push_front(kept);
            if messages.len() > RECEIVED_MAX { messages.pop_back() } else { None }
        };
        if let Some(forgotten) = forgotten {
            self.hooks.forget(&forgotten.sid);
        }
    }

    /// Puts a message's statuses on the agenda, in the way that was ordered.
    async fn arrange(&self, plan: Vec<(Duration, News)>, fault: Option<ReceiptFault>, hold: bool) {
        let agenda = &self.hooks.agenda;
        if hold {
            for (_, news) in plan {
                agenda.hold(news);
            }
            return;
        }
        let due: Vec<_> = match fault {
            Some(ReceiptFault::Missing) => Vec::new(),
            Some(ReceiptFault::Early) => {
                for (_, news) in plan {
                    self.hooks.note(&news);
                    self.hooks.send(news).await;
                }
                Vec::new()
            }
            Some(ReceiptFault::Disordered) => {
                let times: Vec<_> = plan.iter().map(|(after, _)| *after).collect();
                times.into_iter().zip(plan.into_iter().rev().map(|(_, news)| news)).collect()
            }
            Some(ReceiptFault::Doubled) => {
                plan.into_iter().flat_map(|entry| [entry.clone(), entry]).collect()
            }
            Some(ReceiptFault::Forged) => {
                plan.into_iter().map(|(after, news)| (after, News { forged: true, ..news })).collect()
            }
            Some(ReceiptFault::Held) | None => plan,
        };
        for (after, news) in due {
            agenda.push(after, news);
        }
    }
}

fn received(message: Message, kept: &Kept) -> Received {
    let mut details = BTreeMap::from([("segments", segments(&message.body).to_string())]);
    details.extend(message.validity.map(|validity| ("validity", validity)));
    details.extend(message.callback.map(|url| ("callback", url)));
    Received {
        number: 0,
        at: UNIX_EPOCH,
        recipient: message.to,
        sender: message.from,
        text: message.body,
        provider_id: kept.sid.clone(),
        attempt_ref: None,
        details,
    }
}

/// Returns how many segments a text takes: 160 places of the GSM alphabet or 70 of UTF-16, seven or three fewer where
/// there are several.
fn segments(text: &str) -> usize {
    let places = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() || GSM.contains(letter) => Some(1),
        letter if GSM_EXTENSION.contains(letter) => Some(2),
        _ => None,
    };
    let (places, alone, joined) = match text.chars().map(places).sum::<Option<usize>>() {
        Some(places) => (places, 160, 153),
        None => (text.encode_utf16().count(), 70, 67),
    };
    if places <= alone { 1 } else { places.div_ceil(joined) }
}

#[cfg(test)]
mod tests {
    use super::segments;

    #[test]
    fn segments_are_counted_as_they_are_paid_for() {
        let check = |text: &str, times: usize, expected: usize| {
            assert_eq!(segments(&text.repeat(times)), expected, "{times} of {text}");
        };
        check("a", 160, 1);
        check("a", 161, 2);
        check("a", 307, 3);
        check("€", 80, 1);
        check("€", 81, 2);
        check("ل", 70, 1);
        check("ل", 71, 2);
        check("ل", 135, 3);
        check("🌊", 35, 1);
        check("🌊", 36, 2);
    }
}
