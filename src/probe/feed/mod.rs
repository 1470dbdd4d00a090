//! The probes of kinds `statuspage`, `rss` and `page`: what a provider says of itself on its own status page.
//!
//! ```toml
//! [[probe]]
//! name      = "status-page"
//! kind      = "statuspage"              # Statuspage's summary.json; "rss", RSS 2.0; "page", any text
//! adapter   = "sms-twilio"
//! url       = "https://status.example.com/api/v2/summary.json"
//! component = ["SMS", "k8w3r06qmzrp"]   # of all, these alone, by name or id; for `rss`: words of a title or category
//! recent    = "24h"                     # what has had no news for longer is over, whatever it says
//! resolved  = ["resolved", "تم الحل"]   # `rss` alone: words that say that it is over
//! fine      = ["is up and running"]     # `page` alone: where none of this stands there, it is trouble
//! private   = ["10.1.2.0/24"]           # private addresses where the page may lie; none unless listed
//! ```
//! It is read every two minutes unless `interval` says otherwise, never more often than once a minute, and again only where it
//! has changed (`ETag`, `If-Modified-Since`). What it says leans on the gateway a little (`core::hearsay`). A page that cannot be
//! read, is not what it should be, or comes out of an old cache says nothing at all, neither good nor bad.
//!
//! Limits: [`PAGE_MAX`] bytes, [`ENTRIES_MAX`] entries, [`COMPONENTS_MAX`] components; no redirect is followed.
//!
//! Invariant: a page in the network of its reader is never asked unless listed, so nobody is made to ask at home by a name.

mod rss;
mod statuspage;

use super::context::Context;
use super::definition::{Reader, Unbuildable};
use super::http::{AGENT, Line, now};
use super::place::{Address, Road};
use super::target::{Escape, Target, Text};
use super::trace::{Limits, Trace};
use super::{Blueprint, Doing, Probe};
use crate::core::evidence::{Layer, Verdict};
use crate::core::hearsay::{Told, Word};
use crate::core::outcome::Reason;
use crate::core::time::{Span, Timestamp};
use crate::settings::Network;
use http_body_util::Full;
use hyper::header::{
    ACCEPT, AGE, CONNECTION, DATE, ETAG, HOST, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, USER_AGENT,
};
use hyper::{HeaderMap, Request, Uri};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

/// The most of a page that is read: the summary of a provider with a thousand components has half of it.
const PAGE_MAX: usize = 1024 * 1024;
/// How many entries of a page are looked at: what is recent stands first, and is a handful.
const ENTRIES_MAX: usize = 200;
/// How many components may be picked.
const COMPONENTS_MAX: usize = 20;
/// How long an entry counts after its last news, unless the file says otherwise.
const RECENT: Span = Span::from_hours(24);
const RECENT_MIN: Span = Span::from_mins(10);
const RECENT_MAX: Span = Span::from_hours(24 * 30);
/// A copy of the page that is older than this tells of another day. Caches before such pages keep them for minutes.
const STALE: Span = Span::from_hours(1);

/// How a page is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Statuspage,
    Rss,
    Page,
}

/// What of a page concerns us.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Pick {
    /// In lower case; none: everything.
    components: Vec<String>,
    /// In lower case: of RSS, words that say that something is over; of a page, that all is well.
    well: Vec<String>,
    recent: Span,
}

/// A page, as far as it concerns us. What it says depends on when it is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Page {
    /// What it says where no entry says worse.
    state: Word,
    entries: Vec<Entry>,
}

/// An incident, an item, or work on it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    word: Word,
    title: String,
    /// It counts from here on; `None`: since ever.
    from: Option<Timestamp>,
    /// It counts up to here; `None`: for as long as it stands there.
    until: Option<Timestamp>,
}

/// What a file says of a page.
struct Plan {
    form: Form,
    url: Text,
    pick: Pick,
    private: Vec<Network>,
}

/// A page that is read for one gateway.
struct FeedProbe {
    form: Form,
    road: Road,
    origin_form: Uri,
    headers: HeaderMap,
    pick: Pick,
    private: Vec<Network>,
    kept: Mutex<Option<Kept>>,
}

/// A page that need not be sent again while it is the same.
#[derive(Clone)]
struct Kept {
    page: Page,
    /// How it is asked whether it is the same.
    ask: Vec<(HeaderName, HeaderValue)>,
}

// === reading the file ===

/// Reads the keys of kind `statuspage`.
pub(super) fn statuspage(reader: &mut Reader<'_>) -> Option<Box<dyn Blueprint>> {
    plan(reader, Form::Statuspage, Vec::new())
}

/// Reads the keys of kind `rss`.
pub(super) fn rss(reader: &mut Reader<'_>) -> Option<Box<dyn Blueprint>> {
    let mut well = words(reader, "resolved");
    if well.is_empty() {
        well = rss::RESOLVED.map(str::to_owned).to_vec();
    }
    plan(reader, Form::Rss, well)
}

/// Reads the keys of kind `page`.
pub(super) fn page(reader: &mut Reader<'_>) -> Option<Box<dyn Blueprint>> {
    let well = words(reader, "fine");
    if well.is_empty() {
        reader.missing("fine");
    }
    plan(reader, Form::Page, well)
}

fn words(reader: &mut Reader<'_>, key: &'static str) -> Vec<String> {
    let words = reader.strings(key).into_iter().map(|word| word.value.trim().to_lowercase());
    words.filter(|word| !word.is_empty()).collect()
}

fn plan(reader: &mut Reader<'_>, form: Form, well: Vec<String>) -> Option<Box<dyn Blueprint>> {
    let url = reader.required_text("url");
    let (mut recent, mut components) = (None, Vec::new());
    let parts = match form {
        // A page is its own text, and nothing in it has a date.
        Form::Page => Vec::new(),
        Form::Statuspage | Form::Rss => {
            recent = reader.span("recent", RECENT_MIN, RECENT_MAX);
            reader.strings("component")
        }
    };
    for component in parts {
        match components.len() < COMPONENTS_MAX && !component.value.trim().is_empty() {
            true => components.push(component.value.trim().to_lowercase()),
            false => reader.bad_value("component", &component.place, "a component", "name each one once"),
        }
    }
    let mut private = Vec::new();
    for network in reader.strings("private") {
        match Network::parse(&network.value) {
            Some(network) => private.push(network),
            None => {
                let help = "write it as \"10.0.0.0/8\", or one address";
                reader.bad_value("private", &network.place, "an address range", help);
            }
        }
    }
    let pick = Pick { components, well, recent: recent.unwrap_or(RECENT) };
    Some(Box::new(Plan { form, url: url?, pick, private }))
}

impl Blueprint for Plan {
    fn build(
        &self,
        target: &Target,
        context: &Context,
        limits: Limits,
    ) -> Result<Box<dyn Probe>, Unbuildable> {
        let address = Address::parse(&self.url.fill(target, Escape::Url)?)?;
        let tls = match address.secure {
            true => Some(context.trust.handshake(&address.place, target)?),
            false => None,
        };
        let host = HeaderValue::from_str(&address.authority);
        let host = host.map_err(|_| Unbuildable::BadHeader(HOST.to_string()))?;
        let accept = match self.form {
            Form::Statuspage => "application/json",
            Form::Rss => "application/rss+xml, application/xml;q=0.9, text/xml;q=0.8",
            Form::Page => "text/html, text/plain;q=0.9",
        };
        let headers = HeaderMap::from_iter([
            (HOST, host),
            (USER_AGENT, HeaderValue::from_static(AGENT)),
            (ACCEPT, HeaderValue::from_static(accept)),
            (CONNECTION, HeaderValue::from_static("close")),
        ]);
        Ok(Box::new(FeedProbe {
            form: self.form,
            road: Road { place: address.place, tls, limits },
            origin_form: address.origin_form,
            headers,
            pick: self.pick.clone(),
            private: self.private.clone(),
            kept: Mutex::new(None),
        }))
    }
}

// === running ===

impl Probe for FeedProbe {
    fn run<'a>(&'a self, context: &'a Context, trace: &'a mut Trace) -> Doing<'a, Result<Verdict, Reason>> {
        Box::pin(async move {
            let page = self.page(context, trace).await?;
            Ok(Verdict::Says(page.told(now())))
        })
    }
}

impl FeedProbe {
    /// Reads the page, or finds that it is the one that was read before.
    async fn page(&self, context: &Context, trace: &mut Trace) -> Result<Page, Reason> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let allowed = |address| is_public(address) || self.private.iter().any(|own| own.contains(address));
        let wire = self.road.open_within(context, trace, allowed).await?;
        let mut line = Line::over(wire, self.road.tls.is_some()).await?;
        let mut request = Request::new(Full::default());
        *request.uri_mut() = self.origin_form.clone();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().extend(kept.iter().flat_map(|kept| kept.ask.iter().cloned()));
        let answered = async {
            let (head, body) = line.send(request).await?.into_parts();
            match (head.status.as_u16(), kept) {
                (304, Some(kept)) => return Ok(kept),
                (200, _) if is_fresh(&head.headers, now()) => {}
                (429, _) => return Err(Reason::Throttled),
                (500.., _) => return Err(Reason::ProviderFault),
                _ => return Err(Reason::Unreadable),
            }
            let body = line.read(body, PAGE_MAX).await?.ok_or(Reason::Unreadable)?;
            let page = self.read(&body).ok_or(Reason::Unreadable)?;
            Ok(Kept { page, ask: questions(&head.headers) })
        };
        let kept = trace.phase(Layer::Http, self.road.limits.answer, Reason::Timeout, answered).await?;
        let page = kept.page.clone();
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(page)
    }

    fn read(&self, body: &[u8]) -> Option<Page> {
        match self.form {
            Form::Statuspage => statuspage::read(body, &self.pick),
            Form::Rss => rss::read(body, &self.pick),
            Form::Page => read_page(body, &self.pick),
        }
    }
}

/// Reads a page of which it is known what stands there while all is well. `None`: nothing can be read there.
fn read_page(body: &[u8], pick: &Pick) -> Option<Page> {
    let text = std::str::from_utf8(body).ok()?.to_lowercase();
    if text.trim().is_empty() {
        return None;
    }
    let is_well = pick.well.iter().any(|words| text.contains(words.as_str()));
    Some(Page { state: if is_well { Word::Fine } else { Word::Degraded }, entries: Vec::new() })
}

/// Says whether a page comes from its maker, or out of a cache that has had it for too long.
fn is_fresh(headers: &HeaderMap, now: Timestamp) -> bool {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let age = text(AGE).and_then(|age| age.trim().parse().ok()).map_or(Span::ZERO, Span::from_secs);
    let made = text(DATE).and_then(rss::date);
    age <= STALE && made.is_none_or(|made| now.since(made) <= STALE)
}

/// Returns how the next run asks whether a page is still the same.
fn questions(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)]
        .into_iter()
        .filter_map(|(told, ask)| Some((ask, headers.get(told)?.clone())))
        .collect()
}

/// Says whether an address may belong to somebody else's page: it is not of this machine, of its network or of nobody.
///
/// Cites: RFC 6890 and IANA's registries of special-purpose addresses.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let assigned = (a, b, c) == (192, 0, 0) || (a == 198 && (b == 18 || b == 19));
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || a == 0
                || a >= 224
                || shared
                || assigned)
        }
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // NAT64 and 6to4 carry another address inside.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public(IpAddr::from([a, b, c, d]))
        }
        [0x2001, 0x0db8, ..] | [0x2001, 0..=0x01ff, ..] => false,
        // Global unicast, so far all of it.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

impl Pick {
    /// Says whether a component, by one of its names, is one that was picked.
    fn names(&self, name: &str) -> bool {
        self.components.iter().any(|component| *component == name.trim().to_lowercase())
    }
}

impl Page {
    /// Says what the page says at that time: its worst word, under the first title that has it.
    fn told(&self, now: Timestamp) -> Told {
        let (mut word, mut title) = (self.state, "");
        for entry in self.entries.iter().filter(|entry| entry.counts(now)) {
            if entry.word > word || (entry.word == word && title.is_empty()) {
                (word, title) = (entry.word, &entry.title);
            }
        }
        // What goes on explains a state that is worse than it, but what is merely to come does not.
        if title.is_empty() && word.is_bad() {
            let going_on = self.entries.iter().find(|entry| entry.word.is_bad() && entry.counts(now));
            title = going_on.map_or("", |entry| &entry.title);
        }
        Told::new(word, title)
    }
}

impl Entry {
    fn counts(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now <= until)
    }
}

#[cfg(test)]
mod tests;
