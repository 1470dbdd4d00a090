//! What each kind of gateway is tried against: its emulator, and its own words for what every provider has.

use super::rig::{Ordered, Stand};
use crate::support::tables::{HOOK_SECRET, Table};
use serde_json::Value;
use std::sync::OnceLock;
use std::time::Duration;
use wasl::adapter::Doing;
use wasl::core::outcome::Fault as Blame;
use wasl::emulator::signal_cli::{self, ResultKind, SignalCli};
use wasl::emulator::sms_http::{self, Dialect, SmsHttp};
use wasl::emulator::smsc::{self, Smsc};
use wasl::emulator::smtp::{self, Reply, Smtp, Stage};
use wasl::emulator::telegram::{self, Telegram};
use wasl::emulator::twilio::{self, Twilio};
use wasl::emulator::webhook::{self, Webhook};
use wasl::emulator::whatsapp::{self, WhatsApp};
use wasl::emulator::{AcceptFault, Delay, Fault, Handle, Mix, Provider, ReceiptFault, TcpFault};

/// Starts one kind's provider.
pub(super) struct Harness {
    pub(super) kind: &'static str,
    pub(super) start: fn() -> Doing<'static, Box<dyn Stand>>,
}

/// One line for each kind of gateway, in the order of `ADAPTERS`, or for each dialect of a kind, with its name behind the
/// kind's; and below a function that starts its emulator and says what is its own: its words for a refusal and for a quota,
/// what makes credentials worthless, and its traits.
#[rustfmt::skip]
pub(super) const HARNESSES: &[Harness] = &[
    Harness { kind: "whatsapp-cloud", start: || Box::pin(whatsapp()) },
    Harness { kind: "signal-cli", start: || Box::pin(signal()) },
    Harness { kind: "signal-rest", start: || Box::pin(signal_by_rest()) },
    Harness { kind: "telegram-bot", start: || Box::pin(telegram()) },
    Harness { kind: "sms-smpp", start: || Box::pin(sms()) },
    Harness { kind: "sms-twilio", start: || Box::pin(sms_by_twilio()) },
    Harness { kind: "sms-http kannel", start: || Box::pin(sms_http("kannel", Dialect::Kannel)) },
    Harness { kind: "sms-http jasmin", start: || Box::pin(sms_http("jasmin", Dialect::Jasmin)) },
    Harness { kind: "sms-http infobip", start: || Box::pin(sms_http("infobip", Dialect::Infobip)) },
    Harness { kind: "sms-http vonage", start: || Box::pin(sms_http("vonage", Dialect::Vonage)) },
    Harness { kind: "sms-http sms-gate", start: || Box::pin(sms_http("sms-gate", Dialect::SmsGate)) },
    Harness { kind: "email-smtp", start: || Box::pin(email()) },
    Harness { kind: "webhook", start: || Box::pin(webhook()) },
];

/// A provider's emulator, and what is its own about it.
struct Emulated<P: Provider> {
    handle: Handle<P>,
    gateway: Table,
    address: &'static str,
    /// Its word for a recipient who cannot be reached, or for a message that it cannot take.
    refusal: P::Refusal,
    /// Its word for a quota that is used up.
    exhausted: P::Refusal,
    expire: fn(&Handle<P>),
    call_back: fn(&Handle<P>, &str),
    traits: Traits,
    /// Confirms the last message so many times, by its own hand or by a stranger's.
    press: Option<fn(&Handle<P>, usize, bool)>,
    /// Lets the recipient say something, quoting the message of this provider's id where the channel can.
    say: Option<Say<P>>,
    /// Where its calls go.
    hook: OnceLock<String>,
}

/// What lets a recipient say something: by the provider, to our address where it calls us, what, and in answer to what.
type Say<P> = fn(&Handle<P>, &str, &str, Option<&str>) -> bool;

/// What a provider does at all.
#[derive(Clone, Copy, Default)]
struct Traits {
    /// It knows no recipients: what it refuses is one message's content.
    knows_nobody: bool,
    /// The answer's status stands apart from what garbage replaces.
    status_in_head: bool,
    link: bool,
    tells_when: bool,
    receipts: bool,
    early: bool,
    signs: bool,
    /// What is said may quote what it answers.
    quotes: bool,
}

async fn whatsapp() -> Box<dyn Stand> {
    let handle = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let gateway = Table::whatsapp("g", format!("http://{}", handle.addr())).known();
    Box::new(Emulated::<WhatsApp> {
        handle,
        gateway,
        address: "+15551230000",
        refusal: whatsapp::Refusal::new(131_026),
        exhausted: whatsapp::Refusal::new(131_064),
        expire: |handle| handle.set_token("renewed"),
        call_back: |handle, url| handle.set_callback(Some(url)),
        traits: Traits {
            tells_when: true,
            receipts: true,
            early: true,
            signs: true,
            quotes: true,
            ..Traits::default()
        },
        press: None,
        say: Some(|handle, _, text, quoted| handle.inbound_text("15551230000", text, quoted)),
        hook: OnceLock::new(),
    })
}

async fn signal() -> Box<dyn Stand> {
    let handle = signal_cli::start(signal_cli::Options::default()).await.unwrap();
    let gateway = Table::signal("g", format!("http://{}", handle.addr()));
    Box::new(Emulated::<SignalCli> {
        handle,
        gateway,
        address: "+15551230000",
        refusal: signal_cli::Refusal::result(ResultKind::UnregisteredFailure),
        exhausted: signal_cli::Refusal::proof_required(),
        expire: |handle| handle.set_accounts(&[]),
        call_back: |_, _| {},
        traits: Traits {
            link: true,
            tells_when: true,
            receipts: true,
            early: true,
            quotes: true,
            ..Traits::default()
        },
        press: None,
        say: Some(say_by_signal),
        hook: OnceLock::new(),
    })
}

async fn signal_by_rest() -> Box<dyn Stand> {
    let options = signal_cli::Options { rest: Some(signal_cli::Mode::JsonRpc), ..Default::default() };
    let handle = signal_cli::start(options).await.unwrap();
    let gateway = Table::signal_rest("g", format!("http://{}", handle.addr()));
    Box::new(Emulated::<SignalCli> {
        handle,
        gateway,
        address: "+15551230000",
        refusal: signal_cli::Refusal::result(ResultKind::UnregisteredFailure),
        exhausted: signal_cli::Refusal::proof_required(),
        expire: |handle| handle.set_accounts(&[]),
        call_back: |_, _| {},
        traits: Traits { link: true, receipts: true, early: true, quotes: true, ..Traits::default() },
        press: None,
        say: Some(say_by_signal),
        hook: OnceLock::new(),
    })
}

fn say_by_signal(handle: &signal_cli::Handle, _: &str, text: &str, quoted: Option<&str>) -> bool {
    let sent = quoted.and_then(|id| id.rsplit_once(':')).and_then(|(_, sent)| sent.parse().ok());
    handle.inbound_text("+15550001111", "+15551230000", text, sent)
}

async fn telegram() -> Box<dyn Stand> {
    let handle = telegram::start(telegram::Options::default()).await.unwrap();
    let base_url = format!("http://{}", handle.addr());
    let gateway = Table::telegram("g", base_url).known().text("updates", "polling");
    Box::new(Emulated::<Telegram> {
        handle,
        gateway,
        address: "81234567",
        refusal: telegram::Refusal::blocked(),
        exhausted: telegram::Refusal::flood(3_000),
        expire: |handle| handle.set_token("42:renewed"),
        call_back: |_, _| {},
        traits: Traits { tells_when: true, receipts: true, signs: true, quotes: true, ..Traits::default() },
        press: Some(press),
        say: Some(|handle, _, text, quoted| {
            let message =
                quoted.and_then(|id| id.split_once('/')).and_then(|(_, message)| message.parse().ok());
            handle.inbound_text(81_234_567, text, message)
        }),
        hook: OnceLock::new(),
    })
}

/// Presses the button under the last message, or has a stranger's client send what it would.
fn press(handle: &telegram::Handle, times: usize, forged: bool) {
    let received = handle.received();
    let last = received.last().expect("a message");
    let buttons: Value = serde_json::from_str(&last.details["buttons"]).expect("a keyboard");
    let data = buttons[0][0]["callback_data"].as_str().expect("data");
    let bare = data.rsplit_once(':').expect("a tag").0;
    for _ in 0..times {
        let message = last.provider_id.parse().expect("a number");
        handle.press(81_234_567, message, if forged { bare } else { data });
    }
}

async fn sms() -> Box<dyn Stand> {
    let handle = smsc::start(smsc::Options::default()).await.unwrap();
    let gateway = Table::sms("g", handle.addr()).known();
    Box::new(Emulated::<Smsc> {
        handle,
        gateway,
        address: "+15551230000",
        refusal: smsc::Refusal::Status(0x0B),
        exhausted: smsc::Refusal::Status(0x14),
        expire: |handle| {
            handle.refuse_binds(Some(0x0E));
            handle.cut();
        },
        call_back: |_, _| {},
        traits: Traits { link: true, receipts: true, early: true, status_in_head: true, ..Traits::default() },
        press: None,
        say: Some(|handle, _, text, _| handle.inbound_text("15551230000", "4321", text)),
        hook: OnceLock::new(),
    })
}

async fn sms_by_twilio() -> Box<dyn Stand> {
    let handle = twilio::start(twilio::Options::default()).await.unwrap();
    let gateway = Table::twilio("g", format!("http://{}", handle.addr())).known();
    Box::new(Emulated::<Twilio> {
        handle,
        gateway,
        address: "+15551230000",
        refusal: twilio::Refusal::new(21_614),
        exhausted: twilio::Refusal::new(30_023),
        expire: |handle| handle.set_auth_token("renewed"),
        // Each message says where its statuses are to come.
        call_back: |_, _| {},
        traits: Traits { tells_when: true, receipts: true, early: true, signs: true, ..Traits::default() },
        press: None,
        say: Some(|handle, hook, text, _| {
            let (handle, hook, text) = (handle.clone(), hook.to_owned(), text.to_owned());
            tokio::spawn(async move { assert!(handle.inbound_text(&hook, "+15551230000", &text).await) });
            true
        }),
        hook: OnceLock::new(),
    })
}

async fn email() -> Box<dyn Stand> {
    let login = Some(("ops".to_owned(), "secret".to_owned()));
    let handle = smtp::start(smtp::Options { login, ..smtp::Options::default() }).await.unwrap();
    let gateway = Table::mail("g", handle.addr()).text("tls", "none");
    let gateway = gateway.text("username", "ops").text("password", "secret");
    Box::new(Emulated::<Smtp> {
        handle,
        gateway,
        address: "amal@example.net",
        refusal: smtp::Refusal::recipient(550, "5.1.1 No such user"),
        exhausted: smtp::Refusal::mail(452, "4.3.1 Insufficient system storage"),
        expire: |handle| handle.reply_at(Stage::Auth, Some(Reply::new(535, "5.7.8 Credentials invalid"))),
        call_back: |_, _| {},
        traits: Traits::default(),
        press: None,
        say: None,
        hook: OnceLock::new(),
    })
}

async fn sms_http(like: &str, dialect: Dialect) -> Box<dyn Stand> {
    let handle = sms_http::start(sms_http::Options::of(dialect)).await.unwrap();
    let gateway = Table::sms_http("g", like, format!("http://{}", handle.addr())).known();
    let (refusal, exhausted) = (handle.refusal(), handle.exhausted());
    Box::new(Emulated::<SmsHttp> {
        handle,
        gateway,
        address: "+15551230000",
        refusal,
        exhausted,
        expire: |handle| handle.set_password("renewed"),
        call_back: |handle, url| handle.set_callback(Some(url)),
        traits: Traits {
            knows_nobody: dialect == Dialect::SmsGate,
            tells_when: dialect == Dialect::Infobip,
            receipts: true,
            early: true,
            signs: true,
            ..Traits::default()
        },
        press: None,
        say: Some(match dialect {
            Dialect::Kannel => |handle, hook, text, _| {
                say_by_sms(handle, format!("{hook}/{HOOK_SECRET}?from=%p&text=%a&id=%I&at=%T"), text)
            },
            Dialect::SmsGate => |handle, hook, text, _| say_by_sms(handle, hook.to_owned(), text),
            _ => |handle, hook, text, _| say_by_sms(handle, format!("{hook}/{HOOK_SECRET}"), text),
        }),
        hook: OnceLock::new(),
    })
}

fn say_by_sms(handle: &sms_http::Handle, url: String, text: &str) -> bool {
    let (handle, text) = (handle.clone(), text.to_owned());
    tokio::spawn(async move { assert!(handle.inbound_text(&url, "+15551230000", &text).await) });
    true
}

async fn webhook() -> Box<dyn Stand> {
    let handle = webhook::start(webhook::Options::default()).await.unwrap();
    let gateway = Table::webhook("g", format!("\"{}\"", handle.url())).known();
    Box::new(Emulated::<Webhook> {
        handle,
        gateway,
        address: "patient-4711",
        refusal: webhook::Refusal::new(422, "no such patient"),
        exhausted: webhook::Refusal::new(429, "no calls are left this month"),
        expire: |handle| handle.set_secret("whsec_YW5vdGhlciBzZWNyZXQgb2Ygd2ViaG9va3M="),
        call_back: |_, _| {},
        traits: Traits { knows_nobody: true, tells_when: true, status_in_head: true, ..Traits::default() },
        press: None,
        say: None,
        hook: OnceLock::new(),
    })
}

impl<P: Provider> Stand for Emulated<P> {
    fn gateway(&self) -> Table {
        self.gateway.clone()
    }

    fn address(&self) -> &'static str {
        self.address
    }

    fn call_back(&self, url: &str) {
        (self.call_back)(&self.handle, url);
        self.hook.set(url.to_owned()).expect("once");
    }

    fn has_link(&self) -> bool {
        self.traits.link
    }

    fn order(&self, ordered: Ordered) {
        let fault = match ordered {
            Ordered::Refuse => AcceptFault::Reject(self.refusal.clone()),
            Ordered::Throttle { secs } => AcceptFault::Throttle { retry_after_s: secs },
            Ordered::Exhaust => AcceptFault::Reject(self.exhausted.clone()),
            Ordered::Hang => AcceptFault::Hang { taken: true },
            Ordered::Reset => AcceptFault::Reset { taken: true },
            Ordered::Garbage => AcceptFault::Garbage { taken: true },
        };
        assert!(self.handle.fault_next(fault));
    }

    fn refuse_connections(&self, refuse: bool) {
        self.handle.fault(Fault::Tcp(if refuse { Mix::always(TcpFault::Refuse) } else { Mix::good() }));
    }

    fn cut(&self) {
        self.handle.cut();
    }

    fn expire(&self) {
        (self.expire)(&self.handle);
    }

    fn accepted_count(&self) -> u64 {
        self.handle.accepted_count()
    }

    fn last_text(&self) -> Option<String> {
        self.handle.received().pop().map(|received| received.text)
    }

    fn blames(&self) -> Blame {
        if self.traits.knows_nobody { Blame::Content } else { Blame::Recipient }
    }

    fn tells_when(&self) -> bool {
        self.traits.tells_when
    }

    fn status_outlives_garbage(&self) -> bool {
        self.traits.status_in_head
    }

    fn order_receipts(&self, fault: Option<ReceiptFault>, late: Duration) -> bool {
        let mix = fault.map_or(Mix::good(), Mix::always);
        self.handle.fault(Fault::Receipt(mix.delayed(Delay::Fixed(late))));
        self.traits.receipts
    }

    fn can_be_early(&self) -> bool {
        self.traits.early
    }

    fn signs(&self) -> bool {
        self.traits.signs
    }

    fn say(&self, text: &str, quoted: Option<&str>) -> bool {
        let hook = self.hook.get().map_or("", String::as_str);
        self.say.is_some_and(|say| say(&self.handle, hook, text, quoted))
    }

    fn quotes(&self) -> bool {
        self.traits.quotes
    }

    fn confirm(&self, times: usize) -> Doing<'_, ()> {
        Box::pin(async move {
            if let Some(press) = self.press {
                press(&self.handle, times, false);
            }
        })
    }

    fn forge(&self) -> Doing<'_, ()> {
        Box::pin(async move {
            if let Some(press) = self.press {
                press(&self.handle, 1, true);
            }
        })
    }
}
