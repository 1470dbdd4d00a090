//! The HTTP client of the adapters: one origin, kept-alive connections, and an exact word on whether a request left.
//!
//! A connection is driven by whoever uses it: nothing is spawned. What is idle is looked at the moment before it is
//! used again, so a connection that the server has closed is never written to; and each counts the bytes that the
//! system took, so that "nothing of it left" is known and not guessed.
//!
//! Limits: [`ANSWER_BYTES_MAX`] of body where a request asks for no more or less, [`IDLE_MAX`] connections kept, each for
//! [`IDLE_TIME_MAX`]. Redirects are answers like any other.
//!
//! Invariant: no path is shown, logged or put into an error: a provider's may hold its token.

mod origin;
mod socket;
mod transport;
mod wire;

pub(super) use origin::{NotAnOrigin, Origin};
pub(super) use socket::Turned;
pub(super) use wire::Stream;

use super::net::{Net, Tls};
use super::{Answered, Outgoing};
use crate::core::outcome::{Outcome, Reason};
use crate::core::time::{Span, Timestamp};
use http_body_util::Full;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep, timeout};
use transport::{Metered, Transport};
use wire::Wire;

/// The most that is read of an answer: a provider's word on one message takes a few hundred bytes.
pub(super) const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// How many connections are kept while nobody uses them; more than a usual window.
const IDLE_MAX: usize = 128;

/// How long one is kept: below the minute after which common servers and middleboxes forget it.
const IDLE_TIME_MAX: Duration = Duration::from_secs(50);

/// What we call ourselves. Cites: WhatsApp's API description wants a name and three numbers.
const AGENT: &str = concat!("wasl/", env!("CARGO_PKG_VERSION"));

/// One request.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    /// What follows the origin's prefix, with the query; may hold a secret.
    pub(super) path: String,
    /// Headers beyond `host` and `user-agent`.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, JSON unless a header says otherwise, or nothing.
    pub(super) body: Bytes,
    /// What of the answer is read.
    pub(super) reading: Reading,
}

/// What of an answer is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reading {
    /// All of it, with so many bytes of body at most. A success whose body does not come is none.
    Body(usize),
    /// Its status is enough, whatever becomes of the body.
    Status,
}

/// One answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Response {
    pub(super) status: u16,
    /// What `retry-after` asks, capped.
    pub(super) retry_after: Option<Span>,
    /// The body; empty where it is cut.
    pub(super) body: Vec<u8>,
    /// Whether it was longer than allowed, or broke off where that does not matter.
    pub(super) is_cut: bool,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// Nothing of the request left.
    NotSent(Reason),
    /// It was too late to send it.
    Expired,
    /// It left, at least in part.
    Sent(Reason),
}

/// An answer or none, and how long it took once connected.
pub(super) struct Called {
    pub(super) answer: Result<Response, Failure>,
    pub(super) took: Span,
}

/// Why a stream did not begin.
pub(super) enum Refusal {
    /// There was no answer.
    Failure(Failure),
    /// The answer was not a success.
    Status(u16),
}

/// The client of one origin.
pub(super) struct Client {
    net: Net,
    origin: Origin,
    tls: Option<Tls>,
    host: HeaderValue,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    wire: Wire,
    since: Instant,
}

// === impl Request ===

impl Request {
    /// Builds a request with a JSON body.
    pub(super) fn post(path: String, body: &serde_json::Value) -> Request {
        Request { method: Method::POST, body: body.to_string().into(), ..Request::get(path) }
    }

    /// Builds a request with a form as its body.
    pub(super) fn form(path: String, parameters: &[(&str, &str)]) -> Request {
        let pair = |(name, value): &(&str, &str)| format!("{}={}", escaped(name), escaped(value));
        let body = parameters.iter().map(pair).collect::<Vec<_>>().join("&");
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        Request { method: Method::POST, body: body.into(), ..Request::get(path) }.header(CONTENT_TYPE, kind)
    }

    /// Builds a request without a body.
    pub(super) fn get(path: String) -> Request {
        Request {
            method: Method::GET,
            path,
            headers: Vec::new(),
            body: Bytes::new(),
            reading: Reading::Body(ANSWER_BYTES_MAX),
        }
    }

    /// Reads this of the answer.
    pub(super) fn reading(self, reading: Reading) -> Request {
        Request { reading, ..self }
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Request {
        self.headers.push((name, value));
        self
    }
}

// The path may hold a token, the body holds a text and an address.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({}, {} bytes)", self.method, self.body.len())
    }
}

/// Writes a text as it may stand in a query or a form. Cites: RFC 3986, section 2.3: what is unreserved stays.
pub(super) fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => written.push(byte.into()),
            _ => {
                written.push('%');
                written.push(char::from(HEX[usize::from(byte >> 4)]));
                written.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    written
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

// === impl Failure ===

impl Failure {
    /// Returns what it means for an attempt.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Failure::NotSent(reason) => Outcome::Rejected { reason },
            // Its own life ran out, which says nothing of the gateway.
            Failure::Expired => Outcome::Rejected { reason: Reason::Busy },
            Failure::Sent(reason) => Outcome::Unknown { reason },
        }
    }
}

// === impl Client ===

impl Client {
    /// Builds a client; no connection is made.
    ///
    /// # Errors
    /// The origin's host cannot stand in a header.
    pub(super) fn new(net: Net, origin: Origin, tls: Option<Tls>) -> Result<Client, NotAnOrigin> {
        let host = origin.header()?;
        Ok(Client { net, origin, tls, host, idle: Mutex::default() })
    }

    /// Says whether its origin is on this machine.
    pub(super) fn is_here(&self) -> bool {
        self.origin.is_here()
    }

    /// Hands an attempt over: its request out, its answer judged.
    pub(super) async fn send(
        &self,
        request: Result<Request, Reason>,
        outgoing: &Outgoing,
        outcome: impl FnOnce(&Response) -> Outcome,
    ) -> Answered {
        let request = match request {
            Ok(request) => request,
            Err(reason) => return Answered { outcome: Outcome::Rejected { reason }, took: Span::ZERO },
        };
        let Called { answer, took } = self.call(&request, outgoing.order.time_out, outgoing.left).await;
        let outcome = answer.as_ref().map_or_else(|failure| failure.outcome(), outcome);
        Answered { outcome, took }
    }

    /// Sends a request and reads its answer, within `time_out` once connected, unless connecting takes all that is
    /// `left` of its life.
    pub(super) async fn call(&self, request: &Request, time_out: Span, left: Span) -> Called {
        let handed_over = Instant::now();
        // Each turn of the loop takes an idle connection away, so it ends.
        loop {
            let (mut wire, fresh) = match self.take_idle().await {
                Some(wire) => (wire, false),
                None => match self.connect().await {
                    Ok(wire) => (wire, true),
                    Err(reason) => {
                        return Called { answer: Err(Failure::NotSent(reason)), took: Span::ZERO };
                    }
                },
            };
            if handed_over.elapsed() >= left.to_std() {
                self.keep(wire);
                return Called { answer: Err(Failure::Expired), took: Span::ZERO };
            }
            let start = Instant::now();
            let answer = wire.exchange(self.assemble(request), request.reading, time_out).await;
            let took = Span::from_ms(i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX));
            match &answer {
                Ok(response) if !response.is_cut => self.keep(wire),
                // The server hung up between our look and our bytes: nothing left, so another one may take it.
                Err(Failure::NotSent(reason)) if !fresh && *reason != Reason::TcpTimeout => continue,
                // What is left of a body stands in the way of the next answer.
                Ok(_) | Err(_) => {}
            }
            return Called { answer, took };
        }
    }

    /// Sends a request on a connection of its own and hands out the answer's body as it comes.
    ///
    /// # Errors
    /// Why there is none, or the answer where it is not a success.
    pub(super) async fn stream(&self, request: &Request, time_out: Span) -> Result<Stream, Refusal> {
        let wire = self.connect().await.map_err(|reason| Refusal::Failure(Failure::NotSent(reason)))?;
        wire.stream(self.assemble(request), time_out).await
    }

    /// Sends a request on a connection of its own that asks to speak WebSocket from there on.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn turn(&self, request: &Request, time_out: Span) -> Result<Turned, Failure> {
        let (stream, _) = self.transport().await.map_err(Failure::NotSent)?;
        let turning = socket::turn(stream, self.assemble(request), request);
        timeout(time_out.to_std(), turning).await.unwrap_or(Err(Failure::Sent(Reason::Timeout)))
    }

    /// Closes idle connections that are too old, for ever: without it they would stay after the last request.
    pub(super) async fn tend(&self) {
        loop {
            sleep(IDLE_TIME_MAX / 2).await;
            self.prune();
        }
    }

    fn assemble(&self, request: &Request) -> hyper::Request<Full<Bytes>> {
        let mut assembled = hyper::Request::new(Full::new(request.body.clone()));
        *assembled.method_mut() = request.method.clone();
        let path = format!("{}{}", self.origin.prefix, request.path);
        // Settings are checked for what can stand in a path, so this is never the root.
        *assembled.uri_mut() = path.parse().unwrap_or_default();
        let headers = assembled.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if !request.body.is_empty() && !request.headers.iter().any(|(name, _)| *name == CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.extend(request.headers.iter().cloned());
        assembled
    }

    async fn connect(&self) -> Result<Wire, Reason> {
        let (stream, written) = self.transport().await?;
        Wire::open(stream, written).await
    }

    /// Connects, and counts what the system takes.
    async fn transport(&self) -> Result<(Transport, Arc<AtomicU64>), Reason> {
        let tcp = self.net.connect(&self.origin.host, self.origin.port).await?;
        let written = Arc::new(AtomicU64::new(0));
        let metered = Metered { stream: tcp, written: written.clone() };
        let stream = match &self.tls {
            Some(tls) => Transport::Tls(Box::new(tls.handshake(&self.origin.host, metered).await?)),
            None => Transport::Plain(metered),
        };
        Ok((stream, written))
    }

    async fn take_idle(&self) -> Option<Wire> {
        loop {
            self.prune();
            let mut wire = self.idle().pop()?.wire;
            if wire.is_open().await {
                return Some(wire);
            }
        }
    }

    fn keep(&self, wire: Wire) {
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX {
            idle.push(Idle { wire, since: Instant::now() });
        }
    }

    fn prune(&self) {
        self.idle().retain(|idle| idle.since.elapsed() < IDLE_TIME_MAX);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the wall clock's time, for what is compared with other machines' clocks: a date in `Retry-After`, the time
/// under a signature.
#[allow(clippy::disallowed_methods, reason = "other machines' clocks are compared with the wall clock")]
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
