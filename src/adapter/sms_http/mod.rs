//! SMS by any gateway that speaks HTTP, described wholly in the file.
//!
//! ```toml
//! [[gateway]]
//! name        = "sms-kannel"
//! channel     = "sms"
//! adapter     = "sms-http"
//! like        = "kannel"                         # or jasmin, infobip, vonage, sms-gate; or none, and all of it is written
//! base_url    = "http://127.0.0.1:13013"
//! from        = "ALERTS"
//! username    = "wasl"
//! password    = { file = "secrets/kannel" }
//! hook_secret = { file = "secrets/kannel-hook" } # `openssl rand -hex 32`: by it we know the receipts
//!
//! [gateway.request.query]                        # what is written here lies over the ready description, key by key;
//! smsc     = "carrier-a"                         # `false` takes a key away. `src/adapter/sms_http/ready/` shows them all
//! validity = false
//! ```
//! # The request
//! ```toml
//! [gateway.request]
//! method    = "POST"                             # GET without a body, else POST; or PUT
//! path      = "/send"                            # after `base_url`
//! query     = { key = "{api_key}" }              # all of it is encoded here; nothing a text holds can leave its place
//! headers   = { authorization = "Bearer {token}" }
//! form      = { to = "{digits}", msg = "{text}" }  # or json = { .. }, or xml = """.."""
//! charset   = "utf-8"                            # of query and form; or iso-8859-1, utf-16be
//! parts_max = 10                                 # a text of more segments is refused here: most gateways cut it off
//! life      = { at_least = "20s", at_most = "48h" }
//! gsm       = { form = { coding = "0" } }        # more, where the GSM alphabet has all of the text
//! unicode   = { form = { coding = "8", msg = false, hex = "{text_utf16_hex}" } }   # and where it has not
//! ```
//! | placeholder | meaning |
//! | --- | --- |
//! | `{to}`, `{digits}` | the recipient's number with its plus, and without |
//! | `{text}`, `{text_utf16_hex}` | the text, and in UTF-16BE as hexadecimal digits |
//! | `{from}`, `{username}`, `{password}`, `{token}`, `{api_key}`, `{api_secret}` | the keys of these names beside `adapter` |
//! | `{basic}` | `username:password` in base64 |
//! | `{attempt}`, `{attempt_short}` | our id of the attempt, in at most 43 characters, and in 30 |
//! | `{callback}` | where receipts are to be sent |
//! | `{left_s}`, `{left_min}`, `{left_ms}` | how long the message lives |
//! | `{urgency}` | 3 (extreme) to 0 |
//!
//! In JSON a text that is one placeholder of the last two rows is a number.
//!
//! # The answer
//! ```toml
//! [[gateway.answer]]                             # the file's own first, then the ready ones; the first that fits decides
//! status = 200                                   # or [200, 202], or "2xx"
//! body   = "OK*"                                 # or a list, or { contains = ".." }
//! json."messages.*.status" = { every = 0 }
//! then   = "accepted"                            # rejected, deferred, unknown
//! id     = { json = "messages.0.id" }            # or { after = "id=", before = ";" }
//! [[gateway.answer]]
//! json.code   = 9
//! then        = "deferred"
//! reason      = "throttled"
//! retry_after = "30s"                            # or { json = "wait_s" }; the header of this name comes first
//! ```
//! Where none fits, the status says what it usually does, and a success that nobody can read is unknown.
//!
//! # Receipts
//! ```toml
//! [gateway.receipt]                              # in a query, a form or JSON
//! auth      = "url"                              # the callback URL carries our tag; or "path", "signature"
//! answer    = "OK"                               # what the gateway must be answered
//! each      = "results"                          # where a call carries several
//! id        = "messageId"                        # the gateway's id, and ours, where it tells them
//! attempt   = "ref"
//! status    = ["status"]                         # the first of these fields whose word is known
//! delivered = ["DELIVRD"]
//! sent      = ["ACCEPTD"]
//! failed    = ["UNDELIV", "REJECT*"]
//! reason    = ["error"]
//! reasons   = { "6" = "content_refused" }
//! part      = "partId"                           # where each part of a long text is told of by itself
//! time      = "doneAt"
//! signature = { header = "x-signature", over = ["body", "header:x-time"], hash = "sha256", encoding = "hex", prefix = "",
//!               time = "x-time", age = "5m" }
//! ```
//! A receipt that neither a tag, a secret path nor a signature proves is refused and settles nothing. A gateway without
//! receipts says `receipts = "none"` and has no `[gateway.receipt]`.
//!
//! # Replies
//! ```toml
//! [gateway.reply]                                # set up at the gateway, for the URL https://our-host/hooks/NAME/SECRET
//! auth = "path"                                  # SECRET is `reply_secret`, or `hook_secret` without one; or "signature"
//! each = "results"
//! from = ["msisdn"]                              # the first of these fields that is there, an international number
//! text = "text"
//! id   = "messageId"
//! time = "received"
//! ```
//! Where receipts are known by `url`, give replies a secret of their own: theirs stands in the gateway's settings.
//!
//! Limits: one recipient a request; Jasmin's replies are not read, and a long reply's parts come one by one; of an
//! answer's headers only `retry-after` is read; who can read the gateway's traffic or logs can read a callback URL, and
//! so confirm that one attempt.
//!
//! Invariant: a text cannot change what is asked of the gateway, only what is said in its place.

mod account;
mod answer;
mod parts;
mod proof;
mod ready;
mod receipts;
mod replies;
mod request;
mod template;
mod words;

use super::http::{self, Client, Request};
use super::net::Net;
use super::segments::segments;
use super::settings;
use super::{Adapter, Answered, Doing, Ear, HookAnswer, HookRequest, Kind, Outgoing, hook};
use crate::core::channel::Channel;
use crate::core::gateway;
use crate::core::outcome::Reason;
use crate::diag::{Diagnostic, Diagnostics, Loose, Table};
use crate::settings::{CONNECT_TIME_OUT, GatewaySettings, WINDOW};
use account::Account;
use answer::Answers;
use parts::Parts;
use receipts::Receipts;
use replies::Replies;
use request::Requests;
use std::sync::Arc;
use template::Values;

/// The kind's row in [`ADAPTERS`](super::ADAPTERS).
pub(super) const KIND: Kind = Kind {
    name: "sms-http",
    channel: Channel::Sms,
    receipts: gateway::Receipts::Delivered,
    window: WINDOW,
    connect_time_out: CONNECT_TIME_OUT,
    keys: &[
        "like",
        "from",
        "username",
        "password",
        "token",
        "api_key",
        "api_secret",
        "hook_secret",
        "reply_secret",
        "status_url",
        "request",
        "answer",
        "receipt",
        "reply",
    ],
    probes: include_str!("../../../probes/sms-http.toml"),
    build,
};

struct SmsHttp {
    client: Client,
    hook_url: String,
    requests: Requests,
    answers: Answers,
    receipts: Option<Receipts>,
    replies: Option<Replies>,
    parts: Parts,
}

/// What a description says, whether the file wrote it or a ready one did.
struct Described {
    base_url: Option<String>,
    request: Option<Table>,
    answers: Vec<Table>,
    receipt: Option<Table>,
    reply: Option<Table>,
    /// Whether the file itself says how replies come.
    hears: bool,
}

fn build(gateway: &mut GatewaySettings, net: &Net, diags: &mut Diagnostics) -> Option<Arc<dyn Adapter>> {
    Some(Arc::new(make(gateway, net, diags)?))
}

fn make(gateway: &mut GatewaySettings, net: &Net, diags: &mut Diagnostics) -> Option<SmsHttp> {
    let is_like = gateway.rest.key("like").is_some();
    let described = described(&mut gateway.rest, diags);
    let table = &mut gateway.rest;
    let mut account = Account::read(table, diags);
    let hook_secret = table.secret("hook_secret", diags);
    let reply_secret = table.secret("reply_secret", diags).or_else(|| hook_secret.clone());
    // For probes; sending does without it. It may be named or stand here.
    if let Some(url) = table.loose("status_url", diags)
        && !matches!(url.value, Loose::Text(_) | Loose::Table(_))
    {
        words::refuse("status_url", &url.place, "write \"http://host/path\" or `{ file = \"PATH\" }`", diags);
    }
    let has_receipts = gateway.config.receipts != gateway::Receipts::None;
    let Some(request) = described.request else {
        // A `like` that nobody knows was told.
        if !is_like {
            let message = format!("{} says neither what it is like nor what to request", table.called());
            let help =
                "add `like = \"kannel\"`, or describe it by `[gateway.request]` and `[[gateway.answer]]`";
            diags.push(
                Diagnostic::error("missing-key", message).at(table.place(), "it belongs here").help(help),
            );
        }
        return None;
    };
    let requests = Requests::read(request, &mut account, diags);
    account.complain(table, diags);
    let answers = Answers::read(described.answers, diags);
    if !answers.can_accept() {
        let message = format!("no answer of {} counts as taken", table.called());
        let help = "add `[[gateway.answer]]` with `status = 200` and `then = \"accepted\"`";
        diags.push(Diagnostic::error("missing-key", message).at(table.place(), "it belongs here").help(help));
    }
    let receipts = described.receipt.filter(|_| has_receipts);
    if receipts.is_none() && has_receipts {
        let message = format!("{} does not say how receipts come back", table.called());
        let help = "add `[gateway.receipt]`, or write `receipts = \"none\"`: receipts that never come count against it";
        diags.push(Diagnostic::error("missing-key", message).at(table.place(), "it belongs here").help(help));
    }
    let name = gateway.config.name.as_str();
    let receipts = receipts
        .map(|receipts| Receipts::read(receipts, (name, &*table), hook_secret, diags))
        .map_or(Some(None), |read| read.map(Some));
    if let (Some(requests), Some(Some(receipts))) = (&requests, &receipts)
        && receipts.proof.is_in_url()
        && !requests.tell_callback()
    {
        let message = format!("the requests of {} do not hold `{{callback}}`", table.called());
        let help =
            "put `{callback}` where the gateway takes the URL for receipts, or know them by another `auth`";
        diags.push(Diagnostic::error("missing-key", message).at(table.place(), "in this gateway").help(help));
    }
    // A ready description hears replies where it is told the secret that it needs for them.
    let reply = described.reply.filter(|_| reply_secret.is_some() || described.hears);
    let replies = reply.map(|reply| Replies::read(reply, (name, &*table), reply_secret, diags));
    let client = settings::client(gateway, net, described.base_url.as_deref(), diags);
    let hook_url = gateway.hook_url.clone();
    Some(SmsHttp {
        client: client?,
        hook_url,
        requests: requests?,
        answers,
        receipts: receipts?,
        replies: replies.map_or(Some(None), |read| read.map(Some))?,
        parts: Parts::default(),
    })
}

/// Takes the description out of the file, laid over the ready one that it names.
fn described(table: &mut Table, diags: &mut Diagnostics) -> Described {
    let ready = table.string("like", diags).and_then(|name| ready::described(&name, diags));
    let mut own = read_description(table, diags);
    let Some(mut ready) = ready else { return own };
    let base_url = ready.string("base_url", diags).map(|url| url.value);
    let usual = read_description(&mut ready, diags);
    ready.finish(diags);
    own.answers.extend(usual.answers);
    Described {
        base_url,
        request: over(own.request, usual.request),
        answers: own.answers,
        receipt: over(own.receipt, usual.receipt),
        hears: own.reply.is_some(),
        reply: over(own.reply, usual.reply),
    }
}

fn read_description(table: &mut Table, diags: &mut Diagnostics) -> Described {
    let called = table.called().to_owned();
    let named = |mut part: Table, what: &str| {
        part.call(format!("`{what}` of {called}"));
        part
    };
    Described {
        base_url: None,
        request: table.table("request", diags).map(|request| named(request, "request")),
        answers: table.tables("answer", diags).into_iter().map(|answer| named(answer, "answer")).collect(),
        receipt: table.table("receipt", diags).map(|receipt| named(receipt, "receipt")),
        hears: table.key("reply").is_some(),
        reply: table.table("reply", diags).map(|reply| named(reply, "reply")),
    }
}

fn over(own: Option<Table>, usual: Option<Table>) -> Option<Table> {
    match (own, usual) {
        (Some(mut own), Some(usual)) => {
            own.over(usual);
            Some(own)
        }
        (own, usual) => own.or(usual),
    }
}

impl SmsHttp {
    fn request(&self, outgoing: &Outgoing) -> Result<Request, Reason> {
        let attempt = outgoing.order.attempt;
        let callback = match &self.receipts {
            Some(receipts) => receipts.proof.callback(&self.hook_url, attempt),
            None => self.hook_url.clone(),
        };
        let values = Values::of(outgoing, callback, &self.requests.life)?;
        self.requests.build(&outgoing.text, &values)
    }
}

impl Adapter for SmsHttp {
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered> {
        Box::pin(async move {
            let request = self.request(&outgoing);
            if request.is_ok() && self.receipts.as_ref().is_some_and(Receipts::tell_parts) {
                // Before it goes out: a receipt may come before the answer.
                self.parts.expect(outgoing.order.attempt, segments(&outgoing.text).parts.len());
            }
            self.client.send(request, &outgoing, |response| self.answers.judge(response)).await
        })
    }

    fn hook(&self, request: &HookRequest) -> HookAnswer {
        if self.receipts.is_none() && self.replies.is_none() {
            return hook::not_here();
        }
        let now = http::now();
        let receipts = self.receipts.as_ref().map(|receipts| receipts.answer(request, &self.parts, now));
        let replies = self.replies.as_ref().and_then(|replies| replies.hear(request, now));
        replies::joined(receipts, replies).unwrap_or_else(hook::bad_signature)
    }

    fn run<'a>(&'a self, _ear: &'a dyn Ear) -> Doing<'a, ()> {
        Box::pin(self.client.tend())
    }
}

#[cfg(test)]
mod tests;
