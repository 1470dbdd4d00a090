//! The HTTP client of the adapters: one origin, kept-alive connections, and an exact word on whether a request left.
//!
//! A connection is driven by whoever uses it: nothing is spawned. What is idle is looked at the moment before it is
//! used again, so a connection that the server has closed is never written to; and each counts the bytes that the
//! system took, so that "nothing of it left" is known and not guessed.
//!
//! Limits: [`ANSWER_BYTES_MAX`] of body where a request asks for no more, [`IDLE_MAX`] connections kept, each for
//! [`IDLE_TIME_MAX`]. Redirects are answers like any other.
//!
//! Invariant: no path is shown, logged or put into an error: a provider's may hold its token.

use super::net::{Net, Tls};
use super::retry_after::retry_after;
use super::{Answered, Outgoing};
use crate::core::outcome::{Outcome, Reason};
use crate::core::time::{Span, Timestamp};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::client::TlsStream;

/// The most that is read of an answer: a provider's word on one message takes a few hundred bytes.
pub(super) const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// How many connections are kept while nobody uses them; more than a usual window.
const IDLE_MAX: usize = 128;

/// How long one is kept: below the minute after which common servers and middleboxes forget it.
const IDLE_TIME_MAX: Duration = Duration::from_secs(50);

/// What we call ourselves. Cites: WhatsApp's API description wants a name and three numbers.
const AGENT: &str = concat!("wasl/", env!("CARGO_PKG_VERSION"));

/// Where a gateway's requests go: scheme, host, port and a prefix of the path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Origin {
    tls: bool,
    host: String,
    port: u16,
    prefix: String,
}

/// The text is not an origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected http:// or https:// and a host, without user, query or fragment")]
pub(super) struct NotAnOrigin;

/// One request.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    /// What follows the origin's prefix, with the query; may hold a secret.
    pub(super) path: String,
    /// Headers beyond `host`, `user-agent` and `content-type`.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// A JSON body, or nothing.
    pub(super) body: Bytes,
    /// The most that is read of the answer's body.
    pub(super) answer_bytes_max: usize,
}

/// One answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Response {
    pub(super) status: u16,
    /// What `retry-after` asks, capped.
    pub(super) retry_after: Option<Span>,
    /// The body; empty where it was longer than allowed.
    pub(super) body: Vec<u8>,
    /// Whether it was longer than allowed.
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

// === impl Origin ===

impl Origin {
    /// Says whether it is spoken to over TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.tls
    }

    /// Takes a whole URL apart: its origin without a prefix, and what is asked of it, path and query.
    pub(super) fn of_url(url: &str) -> Result<(Origin, String), NotAnOrigin> {
        // The parser drops a fragment without a word, and it would be missed.
        if url.contains('#') {
            return Err(NotAnOrigin);
        }
        let uri: Uri = url.parse().map_err(|_| NotAnOrigin)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(NotAnOrigin);
        };
        let origin = format!("{scheme}://{authority}").parse()?;
        let asked = uri.path_and_query().map_or("", |asked| asked.as_str());
        let slash = if asked.starts_with('/') { "" } else { "/" };
        Ok((origin, format!("{slash}{asked}")))
    }

    fn header(&self) -> Result<HeaderValue, NotAnOrigin> {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let text = match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        };
        HeaderValue::try_from(text).map_err(|_| NotAnOrigin)
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;
    fn from_str(text: &str) -> Result<Origin, NotAnOrigin> {
        let uri: Uri = text.parse().map_err(|_| NotAnOrigin)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(NotAnOrigin),
        };
        let authority = uri.authority().ok_or(NotAnOrigin)?;
        if authority.as_str().contains('@') || uri.query().is_some() || authority.host().is_empty() {
            return Err(NotAnOrigin);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let origin = Origin { tls, host, port, prefix };
        origin.header().map(|_| origin)
    }
}

// === impl Request ===

impl Request {
    /// Builds a request with a JSON body.
    pub(super) fn post(path: String, body: &serde_json::Value) -> Request {
        Request { method: Method::POST, body: body.to_string().into(), ..Request::get(path) }
    }

    /// Builds a request without a body.
    pub(super) fn get(path: String) -> Request {
        Request {
            method: Method::GET,
            path,
            headers: Vec::new(),
            body: Bytes::new(),
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }

    /// Reads so much of the answer's body.
    pub(super) fn reading(self, answer_bytes_max: usize) -> Request {
        Request { answer_bytes_max, ..self }
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

// === impl Failure ===

impl Failure {
    /// Returns what it means for an attempt.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Failure::NotSent(reason) => Outcome::Rejected { reason },
            Failure::Expired => Outcome::Deferred { reason: Reason::Busy, retry_after: None },
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

    /// Hands an attempt over: its request out, its answer judged.
    pub(super) async fn send(
        &self,
        request: Result<Request, Reason>,
        outgoing: &Outgoing,
        outcome: fn(&Response) -> Outcome,
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
            let answer = wire.exchange(self.assemble(request), request.answer_bytes_max, time_out).await;
            let took = Span::from_ms(i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX));
            match answer {
                Ok(_) => self.keep(wire),
                // The server hung up between our look and our bytes: nothing left, so another one may take it.
                Err(Failure::NotSent(reason)) if !fresh && reason != Reason::TcpTimeout => continue,
                Err(_) => {}
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
        if !request.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.extend(request.headers.iter().cloned());
        assembled
    }

    async fn connect(&self) -> Result<Wire, Reason> {
        let tcp = self.net.connect(&self.origin.host, self.origin.port).await?;
        let written = Arc::new(AtomicU64::new(0));
        let metered = Metered { stream: tcp, written: written.clone() };
        let stream = match &self.tls {
            Some(tls) => Transport::Tls(Box::new(tls.handshake(&self.origin.host, metered).await?)),
            None => Transport::Plain(metered),
        };
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|_| Reason::TcpReset)?;
        Ok(Wire { sender, connection: Connection(Some(connection)), written })
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

/// Why a stream did not begin.
pub(super) enum Refusal {
    /// There was no answer.
    Failure(Failure),
    /// The answer was not a success.
    Status(u16),
}

/// One HTTP/1 connection.
struct Wire {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection,
    /// How many bytes the system took for it so far.
    written: Arc<AtomicU64>,
}

/// The moving part of a connection; `None` once it has ended.
struct Connection(Option<http1::Connection<TokioIo<Transport>, Full<Bytes>>>);

/// The body of an answer, as it comes.
pub(super) struct Stream {
    connection: Connection,
    body: Incoming,
}

// === impl Connection ===

impl Connection {
    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.0
            && Pin::new(connection).poll(cx).is_ready()
        {
            self.0 = None;
        }
    }

    /// Moves the connection while `work` waits on it. What goes wrong reaches `work` through its own channel.
    async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            self.poll(cx);
            work.as_mut().poll(cx)
        })
        .await
    }
}

// === impl Wire ===

impl Wire {
    /// Looks whether the server has hung up meanwhile.
    async fn is_open(&mut self) -> bool {
        poll_fn(|cx| {
            self.connection.poll(cx);
            Poll::Ready(self.connection.0.is_some() && self.sender.is_ready())
        })
        .await
    }

    async fn exchange(
        &mut self,
        request: hyper::Request<Full<Bytes>>,
        bytes_max: usize,
        time_out: Span,
    ) -> Result<Response, Failure> {
        let before = self.written.load(Ordering::Relaxed);
        let sending = self.sender.send_request(request);
        let work = async { read(sending.await?, bytes_max).await };
        match timeout(time_out.to_std(), self.connection.drive(work)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let sent = if error.is_parse() { Reason::Unreadable } else { Reason::ConnectionLost };
                Err(self.failure(before, Reason::TcpReset, sent))
            }
            Err(_) => Err(self.failure(before, Reason::TcpTimeout, Reason::Timeout)),
        }
    }

    async fn stream(
        mut self,
        request: hyper::Request<Full<Bytes>>,
        time_out: Span,
    ) -> Result<Stream, Refusal> {
        let sending = self.sender.send_request(request);
        match timeout(time_out.to_std(), self.connection.drive(sending)).await {
            Ok(Ok(response)) if response.status().is_success() => {
                Ok(Stream { connection: self.connection, body: response.into_body() })
            }
            Ok(Ok(response)) => Err(Refusal::Status(response.status().as_u16())),
            Ok(Err(_)) => Err(Refusal::Failure(Failure::Sent(Reason::ConnectionLost))),
            Err(_) => Err(Refusal::Failure(Failure::Sent(Reason::Timeout))),
        }
    }

    fn failure(&self, before: u64, unsent: Reason, sent: Reason) -> Failure {
        if self.written.load(Ordering::Relaxed) == before {
            Failure::NotSent(unsent)
        } else {
            Failure::Sent(sent)
        }
    }
}

async fn read(response: hyper::Response<Incoming>, bytes_max: usize) -> Result<Response, hyper::Error> {
    let status = response.status();
    let retry_after = retry_after(response.headers(), now());
    let (body, is_cut) = match Limited::new(response.into_body(), bytes_max).collect().await {
        Ok(body) => (body.to_bytes().into(), false),
        Err(error) => match error.downcast::<hyper::Error>() {
            // The status of a refusal says enough without its body; a success without one says nothing.
            Ok(lost) if status.is_success() => return Err(*lost),
            Ok(_) => (Vec::new(), false),
            Err(_) => (Vec::new(), true),
        },
    };
    Ok(Response { status: status.as_u16(), retry_after, body, is_cut })
}

// === impl Stream ===

impl Stream {
    /// Waits for the next bytes; `None`: it has ended, well or badly.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let Stream { connection, body } = self;
        loop {
            let frame = connection.drive(body.frame()).await?.ok()?;
            // Trailers carry nothing.
            if let Ok(bytes) = frame.into_data() {
                return Some(bytes);
            }
        }
    }
}

/// A connection that counts the bytes that the system took.
struct Metered {
    stream: TcpStream,
    written: Arc<AtomicU64>,
}

enum Transport {
    Plain(Metered),
    Tls(Box<TlsStream<Metered>>),
}

// === impl Metered ===

impl Metered {
    fn count(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &result {
            self.written.fetch_add(*bytes as u64, Ordering::Relaxed);
        }
        result
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.count(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.count(result)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

// === impl Transport ===

macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Transport::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Transport::Tls($stream) => {
                let $stream = Pin::new($stream.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, s => s.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, s => s.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, s => s.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, s => s.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, s => s.poll_shutdown(cx))
    }
}
