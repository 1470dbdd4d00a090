//! Adapters: one file per kind of gateway. Each turns an order into the provider's own bytes and every answer of
//! the provider into the closed [`Outcome`].
//!
//! Two pure functions hold an adapter's knowledge and carry its tests: one builds the request, one reads the answer.
//! I/O is the thin line between.
//!
//! Invariant: an adapter spawns nothing and keeps no queue: it gets one order at a time per window slot, and the
//! supervisor runs its [`Adapter::run`]. No address, text or secret reaches a log or an error.

mod ask;
mod back_off;
pub mod counsel;
mod email_smtp;
pub mod heartbeat;
mod hook;
mod http;
pub mod net;
mod retry_after;
pub mod segments;
mod settings;
mod signal_cli;
mod signal_rest;
mod sms_http;
mod sms_smpp;
mod sms_twilio;
mod telegram_bot;
mod together;
mod verdict;
mod webhook;
mod whatsapp_cloud;

use crate::core::channel::Channel;
use crate::core::effect::Order;
use crate::core::gateway::Receipts;
use crate::core::input::Asked;
use crate::core::message::{Severity, Status, Template};
use crate::core::outcome::{Outcome, Receipt};
use crate::core::reply::{Asks, Reply};
use crate::core::time::Span;
use crate::diag::Diagnostics;
use crate::settings::{AdapterKind, GatewaySettings};
use counsel::Counsel;
use net::Net;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A kind of gateway.
pub struct Kind {
    /// What `adapter = ".."` names it.
    pub name: &'static str,
    /// The channel that its gateways are ways into.
    pub channel: Channel,
    /// The most that its receipts can say.
    pub receipts: Receipts,
    /// How many attempts may be in flight, where the file does not say.
    pub window: u32,
    /// How long one attempt may take before anything of it leaves, in all phases of connecting.
    pub connect_time_out: Span,
    /// The keys that it reads beyond those that every gateway has; a test holds `build` to them.
    pub keys: &'static [&'static str],
    /// The ready probes, `probes/<name>.toml`, for where there is no folder of probes.
    pub probes: &'static str,
    /// Reads the kind's keys out of a gateway's settings and builds the adapter. Opens no connection. `None`: the
    /// diagnostics say why.
    pub build: fn(&mut GatewaySettings, &Net, &mut Diagnostics) -> Option<Arc<dyn Adapter>>,
}

/// Every kind of gateway. A new one is one file, its `mod` above and one line here; `ARCHITECTURE.md` says what goes
/// with it, and the tests say what is missing.
#[rustfmt::skip]
pub const ADAPTERS: &[Kind] = &[
    whatsapp_cloud::KIND,
    signal_cli::KIND,
    signal_rest::KIND,
    telegram_bot::KIND,
    sms_smpp::KIND,
    sms_twilio::KIND,
    sms_http::KIND,
    email_smtp::KIND,
    webhook::KIND,
];

/// Returns what the reader of `wasl.toml` must know of every kind.
pub fn kinds() -> Vec<AdapterKind> {
    let known = |kind: &Kind| AdapterKind {
        name: kind.name,
        channel: kind.channel,
        receipts: kind.receipts,
        window: kind.window,
        connect_time_out: kind.connect_time_out,
        probes: kind.probes,
    };
    ADAPTERS.iter().map(known).collect()
}

/// Builds a gateway's adapter, and reports every key that it does not know. Opens no connection. `None`: `diags` says
/// why.
pub fn build(mut settings: GatewaySettings, net: &Net, diags: &mut Diagnostics) -> Option<Arc<dyn Adapter>> {
    let kind = ADAPTERS.iter().find(|kind| kind.name == settings.adapter)?;
    let adapter = (kind.build)(&mut settings, net, diags);
    settings.rest.finish(diags);
    adapter
}

/// A future that an adapter hands out.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One order with the words and the address that it is for. What an adapter needs to be told beyond it is one field
/// here, filled where the service puts orders together (`runtime::dispatch`).
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The order.
    pub order: Order,
    /// How long it may still be sent, from when it is handed over: measured, so that a clock that is set does not
    /// matter.
    pub left: Span,
    /// Meant, or an exercise; the text of an exercise says so by itself.
    pub status: Status,
    /// The recipient's address on this channel, normalised.
    pub address: String,
    /// The language of the text (`ar`, `en`, ..).
    pub language: String,
    /// The text, a drill's prefix included.
    pub text: String,
    /// A short subject for channels that have one (e-mail).
    pub subject: String,
    /// What it belongs to, where it belongs to something: channels that can show messages of one thread together (e-mail).
    pub thread: Option<String>,
    /// The provider's template, where the sender gave one.
    pub template: Option<Template>,
    /// What the recipient is asked to answer.
    pub asks: Asks,
    /// The same as a line of text, for a message that can carry no buttons. On channels that have none it stands at the end
    /// of the text by itself.
    pub question: String,
}

/// What became of an order, and how long the provider took to answer once connected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answered {
    /// The outcome.
    pub outcome: Outcome,
    /// How long the provider took; connecting is not counted.
    pub took: Span,
}

/// A provider's call to `/hooks/{gateway}`.
#[derive(Clone, Debug, Default)]
pub struct HookRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// What follows `/hooks/{gateway}` in the path, without the query; empty or starting with a slash.
    pub path: String,
    /// The raw query, without the question mark.
    pub query: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw bytes: signatures are over these.
    pub body: Vec<u8>,
}

/// What to answer a provider's call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HookAnswer {
    /// The HTTP status.
    pub status: u16,
    /// What the body is, as `content-type` names it.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// What was read, once the signature held. The answer is sent after these are durable.
    pub receipts: Vec<Receipt>,
    /// What recipients said, likewise. An id comes twice where the provider repeats itself; it is kept once.
    pub replies: Vec<Reply>,
    /// The metric's label: `ok`, `bad_signature`, `unreadable`, `not_here`, or `not_ours` for a call that the provider
    /// signed and that speaks of none of this gateway's messages, but of others'.
    pub result: &'static str,
}

/// What one gateway took of a call that came to another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Heard {
    /// The receipts.
    pub receipts: Vec<Receipt>,
    /// What recipients said.
    pub replies: Vec<Reply>,
}

/// Where a running adapter leaves what it hears on its own: receipts and replies from a stream, its link's state.
pub trait Ear: Send + Sync {
    /// Takes a receipt; returns once it is on disk, so that the provider may then be told that we have it.
    fn receipt(&self, receipt: Receipt) -> Doing<'_, ()>;
    /// Takes what a recipient said; returns once it is on disk, so that the provider may then be told that we have it.
    fn reply(&self, reply: Reply) -> Doing<'_, ()>;
    /// Says whether the standing connection (an SMPP bind, an event stream) is up, and why not.
    fn link(&self, up: bool, reason: Option<crate::core::outcome::Reason>);
}

/// One way into a channel.
pub trait Adapter: Send + Sync {
    /// Hands one delivery to the provider. Returns within the order's time-out plus the connect time-outs.
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered>;

    /// Asks the provider what became of an attempt.
    fn ask(&self, _outgoing: Outgoing) -> Doing<'_, Asked> {
        Box::pin(async { Asked::CannotSay })
    }

    /// Says whether [`Adapter::ask`] can ever answer.
    fn can_ask(&self) -> bool {
        false
    }

    /// Reads a provider's call: checks the signature on the raw bytes, then parses. Pure.
    fn hook(&self, _request: &HookRequest) -> HookAnswer {
        hook::not_here()
    }

    /// Reads a call that came to another gateway of the same channel, and takes what is this one's own: several accounts
    /// may share one address at the provider. Checks the signature with its own secret. Pure.
    fn overhear(&self, _request: &HookRequest) -> Heard {
        Heard::default()
    }

    /// Returns once no attempt that was handed over needs what [`Adapter::run`] keeps for its answer; at once where none
    /// ever does.
    fn drained(&self) -> Doing<'_, ()> {
        Box::pin(async {})
    }

    /// Asks the provider what of our account with it needs a person: templates, the address that it calls. Sends nothing,
    /// changes nothing.
    fn counsel(&self) -> Doing<'_, Vec<Counsel>> {
        Box::pin(async { Vec::new() })
    }

    /// Keeps what must stand (a bind, an event stream, long polling) until dropped; returns never, or at once where
    /// there is nothing to keep.
    fn run<'a>(&'a self, _ear: &'a dyn Ear) -> Doing<'a, ()> {
        Box::pin(async {})
    }
}

impl Heard {
    /// Says whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.receipts.is_empty() && self.replies.is_empty()
    }
}

/// How grave as a provider's own priority from 0 (highest).
pub fn priority(severity: Severity) -> u8 {
    severity as u8
}

// Texts and addresses are personal.
impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({} by {})", self.order.attempt, self.order.channel)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::core::channel::GatewayId;
    use crate::core::ids::{AttemptId, DeliveryId, MessageId};
    use crate::core::record::Repeat;
    use crate::core::time::Timestamp;
    use std::collections::BTreeSet;

    /// Returns an attempt to hand over.
    pub(crate) fn outgoing(address: &str, text: &str) -> Outgoing {
        let message = MessageId::new(Timestamp::from_ms(1_700_000_000_000), 1, 7);
        let order = Order {
            attempt: AttemptId::new(DeliveryId::new(message, 0), 1),
            gateway: GatewayId(0),
            channel: Channel::Whatsapp,
            time_out: Span::from_secs(5),
            expires: Timestamp::FAR,
            repeat: Repeat::No,
            severity: Severity::Extreme,
        };
        Outgoing {
            order,
            left: Span::from_hours(1),
            status: Status::Actual,
            address: address.into(),
            language: "ar".into(),
            text: text.into(),
            subject: "تنبيه".into(),
            thread: None,
            template: None,
            asks: Asks::NOTHING,
            question: String::new(),
        }
    }

    /// Builds an adapter from the keys of its gateway, as a file would.
    pub(crate) fn built(kind: &str, keys: &str) -> (Option<Arc<dyn Adapter>>, String) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("wasl.toml");
        let channel = ADAPTERS.iter().find(|k| k.name == kind).expect("a known kind").channel;
        let head = format!("[[gateway]]\nname = \"g\"\nchannel = \"{channel}\"\nadapter = \"{kind}\"\n");
        std::fs::write(&path, head + keys).expect("written");
        let mut diags = Diagnostics::default();
        let settings = crate::settings::Settings::read(&path, &kinds(), &mut diags).expect("TOML");
        let net = Net::new(&[crate::settings::Resolver::At(([127, 0, 0, 1], 53).into())]);
        let gateway = settings.gateways.into_iter().next().expect("one gateway");
        let adapter = build(gateway, &net, &mut diags);
        (adapter.filter(|_| !diags.has_errors()), diags.render())
    }

    #[test]
    fn every_kind_has_a_name_of_its_own_and_says_what_it_lacks() {
        for (place, kind) in ADAPTERS.iter().enumerate() {
            assert!(ADAPTERS[..place].iter().all(|other| other.name != kind.name), "{}", kind.name);
            let (adapter, shown) = built(kind.name, "");
            assert!(adapter.is_none() && shown.contains("error[missing-key]"), "{}: {shown}", kind.name);
            let (_, shown) = built(kind.name, "no_such_key = 1\n");
            assert!(shown.contains("unknown key `no_such_key`"), "{}: {shown}", kind.name);
        }
    }

    #[test]
    fn the_channels_that_are_suggested_are_those_that_are_served() {
        let served: BTreeSet<_> = ADAPTERS.iter().map(|kind| kind.channel).collect();
        assert_eq!(served, BTreeSet::from(crate::core::channel::Channel::SERVED));
    }

    #[test]
    fn every_kind_reads_the_keys_that_it_names_and_no_other() {
        // What is near to no key is answered with all that are known.
        let known = |kind: &Kind| -> BTreeSet<String> {
            let (_, shown) = built(kind.name, "zzzzzzzz = 1\n");
            let listed = shown.split("known are ").nth(1).unwrap_or_else(|| panic!("{shown}"));
            let line = listed.lines().next().unwrap_or_default();
            line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let own = |kind: &Kind| kind.keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
        let shared = &known(&ADAPTERS[0]) - &own(&ADAPTERS[0]);
        for kind in ADAPTERS {
            assert_eq!(&known(kind) - &shared, own(kind), "{}", kind.name);
        }
    }

    #[test]
    fn the_ready_probes_of_every_kind_are_for_it() {
        for kind in ADAPTERS {
            let mine = format!("\"{}\"", kind.name);
            let adapters = kind.probes.lines().filter_map(|line| line.strip_prefix("adapter"));
            let of: Vec<_> = adapters.filter_map(|rest| rest.split('=').nth(1)).collect();
            assert!(
                !of.is_empty() && of.iter().all(|adapter| adapter.trim().starts_with(&mine)),
                "{mine}: {of:?}"
            );
        }
    }
}
