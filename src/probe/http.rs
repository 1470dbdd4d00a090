//! HTTP: one request over a fresh connection or a kept one, and the probe of kind `http`.
//!
//! hyper's connection is driven by hand, without a client or a pool, so that name, connection, handshake and first byte
//! are timed apart, and so that a probe costs no task of its own.
//!
//! Limits: HTTP/1.1; no redirect is followed; a body is read up to [`BODY_MAX`] bytes.

use super::context::Context;
use super::definition::{Reader, Unbuildable};
use super::drive::{Driver, drive, look};
use super::expect::{Answer, Expect};
use super::place::{Address, Road, Wire};
use super::target::{Escape, Target, Text};
use super::trace::{Limits, Trace};
use super::{Blueprint, Doing, Probe};
use crate::core::evidence::{Layer, Verdict};
use crate::core::outcome::Reason;
use crate::core::time::{Span, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime};

/// The most of an answer's body that is read. The largest that a ready probe reads is below 4 KiB.
pub const BODY_MAX: usize = 256 * 1024;
/// Cites: Meta's description of the Graph API wants `name/1.2.3`.
pub(super) const AGENT: &str = concat!("wasl/", env!("CARGO_PKG_VERSION"));

/// An open HTTP/1.1 connection.
pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// What moves the bytes; `None` once the connection is closed.
    driver: Option<Driver>,
}

/// Whether the answer itself is judged by this layer or by the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Depth {
    /// `http`: the whole answer belongs to the HTTP layer.
    Http,
    /// `api`: that anything came is the HTTP layer's, what it says is the provider's.
    Api,
}

/// One request to one place, and what its answer must look like.
pub(super) struct HttpProbe {
    road: Road,
    method: Method,
    origin_form: Uri,
    headers: HeaderMap,
    body: Bytes,
    expect: Expect<String>,
    depth: Depth,
    /// The connection kept from the last run, where one is to be kept.
    kept: Option<Mutex<Option<Line>>>,
}

/// What a file says of a request.
pub(super) struct Plan {
    method: Method,
    url: Text,
    headers: BTreeMap<String, Text>,
    login: Option<Login>,
    body: Option<Text>,
    keep: bool,
    expect: Expect<Text>,
    depth: Depth,
}

/// Which of the gateway's settings it shows at the door.
enum Login {
    Bearer(String),
    Basic { user: String, password: String },
}

// === reading ===

/// Reads the keys of kind `http`.
pub(super) fn parse(reader: &mut Reader<'_>) -> Option<Box<dyn Blueprint>> {
    // Any answer that is not an error shows that HTTP is spoken; a front page often points elsewhere.
    Plan::parse(reader, Depth::Http, 200..=399)
}

impl Plan {
    pub(super) fn parse(
        reader: &mut Reader<'_>,
        depth: Depth,
        usual: std::ops::RangeInclusive<u16>,
    ) -> Option<Box<dyn Blueprint>> {
        let words = [
            ("GET", Method::GET),
            ("HEAD", Method::HEAD),
            ("POST", Method::POST),
            ("OPTIONS", Method::OPTIONS),
        ];
        let places: Vec<_> = words.iter().enumerate().map(|(place, (word, _))| (*word, place)).collect();
        let chosen = reader.choice("method", &places).map_or(0, |chosen| chosen.value);
        let method = words[chosen].1.clone();
        let url = reader.required_text("url");
        let headers = reader.text_map("headers");
        let login = login(reader);
        let body = reader.text("body");
        let keep = reader.bool("keep").unwrap_or(false);
        let expect = Expect::parse(reader, usual);
        Some(Box::new(Plan { method, url: url?, headers, login, body, keep, expect, depth }))
    }
}

/// Reads `bearer = "access_token"` or `basic = { user = "username", password = "password" }`: names of settings, never
/// their values.
fn login(reader: &mut Reader<'_>) -> Option<Login> {
    let bearer = reader.string("bearer").map(|name| Login::Bearer(name.value));
    let basic = reader.table("basic", |reader| {
        let (user, password) = (reader.string("user"), reader.string("password"));
        match (user, password) {
            (Some(user), Some(password)) => Some(Login::Basic { user: user.value, password: password.value }),
            (user, _) => {
                reader.missing(if user.is_none() { "user" } else { "password" });
                None
            }
        }
    });
    bearer.or(basic.flatten())
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
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        insert(&mut headers, HOST, &address.authority)?;
        for (name, value) in &self.headers {
            let bad = || Unbuildable::BadHeader(name.clone());
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            insert(&mut headers, header, &value.fill(target, Escape::None)?)?;
        }
        if let Some(login) = &self.login {
            insert(&mut headers, AUTHORIZATION, &login.fill(target)?)?;
        }
        if !self.keep {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(Box::new(HttpProbe {
            road: Road { place: address.place, tls, limits },
            method: self.method.clone(),
            origin_form: address.origin_form,
            body: self.body(target, &headers)?,
            headers,
            expect: self.expect.fill(target)?,
            depth: self.depth,
            kept: self.keep.then(Mutex::default),
        }))
    }
}

impl Plan {
    /// Fills the body; what is filled into JSON stays inside its string.
    fn body(&self, target: &Target, headers: &HeaderMap) -> Result<Bytes, Unbuildable> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let json = kind.contains("json");
        let escape = if json { Escape::Json } else { Escape::None };
        let body = self.body.as_ref().map(|body| body.fill(target, escape)).transpose()?;
        Ok(Bytes::from(body.unwrap_or_default()))
    }
}

impl Login {
    fn fill(&self, target: &Target) -> Result<String, Unbuildable> {
        Ok(match self {
            Login::Bearer(key) => format!("Bearer {}", target.required(key)?),
            Login::Basic { user, password } => {
                let pair = format!("{}:{}", target.required(user)?, target.required(password)?);
                format!("Basic {}", STANDARD.encode(pair))
            }
        })
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), Unbuildable> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Unbuildable::BadHeader(name.to_string()))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

// === running ===

impl Probe for HttpProbe {
    fn run<'a>(&'a self, context: &'a Context, trace: &'a mut Trace) -> Doing<'a, Result<Verdict, Reason>> {
        Box::pin(self.check(context, trace))
    }
}

impl HttpProbe {
    async fn check(&self, context: &Context, trace: &mut Trace) -> Result<Verdict, Reason> {
        if let Some(mut line) = self.take_kept() {
            trace.stands(if self.road.tls.is_some() { Layer::Tls } else { Layer::Tcp });
            match self.exchange(&mut line, trace).await {
                // The server closed it in the same moment. That says nothing of the gateway: look afresh.
                Err(Reason::ConnectionLost) => trace.restart(),
                result => {
                    self.keep(line, &result);
                    return result;
                }
            }
        }
        let mut line = Line::open(&self.road, context, trace).await?;
        let result = self.exchange(&mut line, trace).await;
        self.keep(line, &result);
        result
    }

    /// Sends the request and judges the answer, as the phases `http` and, for kind `api`, `api`.
    async fn exchange(&self, line: &mut Line, trace: &mut Trace) -> Result<Verdict, Reason> {
        let limit = self.road.limits.answer;
        let began = Instant::now();
        match self.depth {
            Depth::Http => {
                let whole = async {
                    let response = line.send(self.request()).await?;
                    self.judge(line, response).await
                };
                trace.phase(Layer::Http, limit, Reason::Timeout, whole).await
            }
            Depth::Api => {
                let sent = line.send(self.request());
                let response = trace.phase(Layer::Http, limit, Reason::Timeout, sent).await?;
                let judged = self.judge(line, response);
                trace.phase(Layer::Api, left(limit, began.elapsed()), Reason::Timeout, judged).await
            }
        }
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.origin_form.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// Reads the answer to its end, and judges. An answer that breaks off is none, whatever its status.
    async fn judge(&self, line: &mut Line, response: Response<Incoming>) -> Result<Verdict, Reason> {
        let (head, body) = response.into_parts();
        let body = match line.read(body, BODY_MAX).await? {
            Some(body) => body,
            // A page that is longer than it needs to be is no fault where nobody looks at it.
            None if !self.expect.reads_body() => Bytes::new(),
            None => return Err(Reason::Unreadable),
        };
        let answer = Answer { status: head.status.as_u16(), headers: &head.headers, body: &body };
        self.expect.judge(&answer, now())
    }

    /// Takes the kept connection, if it is still good for a request.
    fn take_kept(&self) -> Option<Line> {
        let kept = self.kept.as_ref()?;
        let line = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut line = line?;
        line.is_open().then_some(line)
    }

    /// Keeps the connection for the next run, unless this one failed: what failed is looked at afresh.
    fn keep(&self, line: Line, result: &Result<Verdict, Reason>) {
        if let (Some(kept), Ok(_)) = (&self.kept, result) {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
        }
    }
}

fn left(limit: Span, spent: Duration) -> Span {
    let ms = i64::try_from(spent.as_millis()).unwrap_or(i64::MAX);
    Span::from_ms(limit.ms().saturating_sub(ms).max(1))
}

#[expect(clippy::disallowed_methods, reason = "a condition compares a provider's time with ours")]
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Asks for a page over a fresh connection; any answer at all will do.
pub(super) async fn knock(
    road: &Road,
    address: &Address,
    context: &Context,
    trace: &mut Trace,
) -> Result<(), Reason> {
    let mut line = Line::open(road, context, trace).await?;
    let mut request = Request::new(Full::default());
    *request.uri_mut() = address.origin_form.clone();
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&address.authority).map_err(|_| Reason::Configuration)?);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let limit = road.limits.answer;
    trace.phase(Layer::Http, limit, Reason::Timeout, line.send(request)).await.map(drop)
}

// === impl Line ===

impl Line {
    /// Opens a connection to speak HTTP over. Nothing is sent yet.
    async fn open(road: &Road, context: &Context, trace: &mut Trace) -> Result<Line, Reason> {
        let wire = road.open(context, trace).await?;
        Line::over(wire, road.tls.is_some()).await
    }

    /// Speaks HTTP over an open connection, inside TLS or not. Nothing is sent yet.
    pub(super) async fn over(wire: Box<dyn Wire>, secure: bool) -> Result<Line, Reason> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(64 * 1024);
        let shaken = builder.handshake(TokioIo::new(wire)).await;
        let (sender, mut connection) = shaken.map_err(|error| reason(&error))?;
        let driver: Driver = match secure {
            // TLS takes its leave; over plain TCP, closing the socket says the same at one call less.
            true => Box::pin(connection),
            false => Box::pin(poll_fn(move |cx| connection.poll_without_shutdown(cx))),
        };
        Ok(Line { sender, driver: Some(driver) })
    }

    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Reason> {
        let Line { sender, driver } = self;
        drive(driver, sender.send_request(request)).await.map_err(|error| reason(&error))
    }

    /// Reads a body to its end; `None`: it is longer than `most` bytes.
    pub(super) async fn read(&mut self, body: Incoming, most: usize) -> Result<Option<Bytes>, Reason> {
        match drive(&mut self.driver, Limited::new(body, most).collect()).await {
            Ok(body) => Ok(Some(body.to_bytes())),
            Err(error) => match error.downcast_ref::<hyper::Error>() {
                Some(error) => Err(reason(error)),
                None => Ok(None),
            },
        }
    }

    /// Says whether the connection is open and free, after a look at what happened since the last run.
    fn is_open(&mut self) -> bool {
        // Nobody waits for it here: a request that follows would wake the task that is about to send it.
        look(&mut self.driver, Waker::noop());
        self.driver.is_some() && self.sender.is_ready()
    }
}

/// Reads an error of the connection.
fn reason(error: &hyper::Error) -> Reason {
    if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        Reason::Unreadable
    } else {
        Reason::ConnectionLost
    }
}
