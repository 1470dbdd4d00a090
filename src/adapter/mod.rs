//! Adapters: one file per kind of gateway. Each turns an order into the provider's own bytes and every answer of
//! the provider into the closed [`Outcome`].
//!
//! Two pure functions hold an adapter's knowledge and carry its tests: one builds the request, one reads the answer.
//! I/O is the thin line between.
//!
//! Invariant: an adapter spawns nothing and keeps no queue: it gets one order at a time per window slot, and the
//! supervisor runs its [`Adapter::run`]. No address, text or secret reaches a log or an error.

use crate::core::effect::Order;
use crate::core::input::Asked;
use crate::core::message::{Severity, Template};
use crate::core::outcome::{Outcome, Receipt};
use crate::core::time::Span;
use std::future::Future;
use std::pin::Pin;

/// A future that an adapter hands out.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One order with the words and the address that it is for.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The order.
    pub order: Order,
    /// The recipient's address on this channel, normalised.
    pub address: String,
    /// The language of the text (`ar`, `en`, ..).
    pub language: String,
    /// The text, a drill's prefix included.
    pub text: String,
    /// A short subject for channels that have one (e-mail).
    pub subject: String,
    /// The provider's template, where the sender gave one.
    pub template: Option<Template>,
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
    /// The body, as plain text.
    pub body: String,
    /// What was read, once the signature held. The answer is sent after these are durable.
    pub receipts: Vec<Receipt>,
    /// The metric's label: `ok`, `bad_signature`, `unreadable` or `not_here`.
    pub result: &'static str,
}

/// Where a running adapter leaves what it hears on its own: receipts from a stream, its link's state.
pub trait Ear: Send + Sync {
    /// Takes a receipt; waits while the core's queue is full.
    fn receipt(&self, receipt: Receipt) -> Doing<'_, ()>;
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
        HookAnswer { status: 404, body: String::new(), receipts: Vec::new(), result: "not_here" }
    }

    /// Keeps what must stand (a bind, an event stream, long polling) until dropped; returns never, or at once where
    /// there is nothing to keep.
    fn run<'a>(&'a self, _ear: &'a dyn Ear) -> Doing<'a, ()> {
        Box::pin(async {})
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
