//! HTTP for the emulators: a small server with faults, and the client that calls webhooks.
//!
//! Limits: HTTP/1.1; bodies up to [`BODY_MAX`].

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, UPGRADE,
};
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::desk::{Desk, lock};
use super::fault::{AcceptFault, AnswerFault, Refusal};
use super::listen::Wire;

/// The largest request body: a Graph API message is some KiB.
pub(crate) const BODY_MAX: usize = 1 << 20;

/// How long a webhook may take to answer; Meta and Telegram give up about then.
const HOOK_WAIT: Duration = Duration::from_secs(10);

/// A request, read to its end.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    /// Returns a header's value where it is plain text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the parameters of the query.
    pub(crate) fn parameters(&self) -> BTreeMap<String, String> {
        form(self.query.as_bytes())
    }
}

/// What is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// JSON with a status.
    Json(u16, Value),
    /// JSON with a status and `Retry-After` in seconds.
    Later(u16, u32, Value),
    /// Plain text, or nothing, with a status.
    Text(u16, String),
    /// Server-sent events, until the sender goes.
    Feed(mpsc::Receiver<Bytes>),
    /// A WebSocket, until the sender goes.
    Socket(Socket),
    /// No proper answer.
    Fault(AnswerFault),
}

/// A WebSocket that only speaks.
#[derive(Debug)]
pub(crate) struct Socket {
    /// What the client wants the answer to be made of.
    pub(crate) key: String,
    pub(crate) frames: mpsc::Receiver<Bytes>,
    /// Returns the text of a frame; a frame without one is a ping.
    pub(crate) open: fn(&[u8]) -> Option<&str>,
}

/// Returns what the plumbing does about an accept fault that is no refusal in the provider's words.
pub(crate) fn accept_fault<R>(fault: &AcceptFault<R>) -> Option<(AnswerFault, bool)> {
    match *fault {
        AcceptFault::Hang { taken } => Some((AnswerFault::Hang, taken)),
        AcceptFault::Reset { taken } => Some((AnswerFault::Reset, taken)),
        AcceptFault::Close { taken } => Some((AnswerFault::Close, taken)),
        AcceptFault::Garbage { taken } => Some((AnswerFault::Garbage, taken)),
        AcceptFault::Status { code, retry_after_s } => {
            Some((AnswerFault::Status { code, retry_after_s }, false))
        }
        AcceptFault::Reject(_) | AcceptFault::Throttle { .. } => None,
    }
}

/// Serves one connection; `route` answers each request that no fault swallowed.
pub(crate) async fn serve<R, F, Fut>(desk: Arc<Desk<R>>, wire: Wire, route: F)
where
    R: Refusal,
    F: Fn(Request) -> Fut,
    Fut: Future<Output = Answer>,
{
    let abort = wire.abort_switch();
    let turned = Mutex::new(None);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (desk, abort, route, turned) = (&desk, &abort, &route, &turned);
        // Boxed, since what is polled by hand may not move.
        Box::pin(async move {
            let request = match read(request).await {
                Ok(request) => request,
                Err(answer) => return respond(answer, abort).await,
            };
            let only_looks = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
            let (fault, delay) = desk.draw_request(only_looks);
            tokio::time::sleep(delay).await;
            let answer = match fault {
                Some(fault) => Answer::Fault(fault),
                None => route(request).await,
            };
            match answer {
                Answer::Socket(socket) => Ok(turn(socket, turned)),
                answer => respond(answer, abort).await,
            }
        })
    });
    let mut connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(wire), service);
    // The end of a connection, however it comes about, is the client's to judge.
    let ended = std::future::poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let mut wire = connection.into_parts().io.into_inner();
    let socket = lock(&turned).take();
    match socket {
        Some(socket) => speak(&mut wire, socket).await,
        None if ended.is_ok() => drop(wire.shutdown().await),
        None => {}
    }
}

/// Agrees to speak WebSocket, which begins once this answer is out.
fn turn(socket: Socket, turned: &Mutex<Option<Socket>>) -> Response<Payload> {
    // Cites: RFC 6455, section 4.2.2.
    let meant = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", socket.key);
    let meant = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, meant.as_bytes()));
    *lock(turned) = Some(socket);
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, meant)
        .body(Payload::Whole(None));
    response.expect("base64 may stand in a header")
}

/// Sends a socket's frames, each a message or a ping, and passes over what the client says.
async fn speak(wire: &mut Wire, mut socket: Socket) {
    let mut said = [0; 1024];
    loop {
        tokio::select! {
            frame = socket.frames.recv() => {
                let bytes = match frame.as_deref() {
                    None => vec![0x88, 0],
                    Some(frame) => (socket.open)(frame).map_or(vec![0x89, 0], framed),
                };
                if wire.write_all(&bytes).await.is_err() || frame.is_none() {
                    return;
                }
            }
            read = wire.read(&mut said) => {
                if !matches!(read, Ok(1..)) {
                    return;
                }
            }
        }
    }
}

/// Makes a text frame, unmasked as a server's are. Cites: RFC 6455, section 5.2.
fn framed(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(short @ 0..=125), _) => frame.push(short),
        (_, Ok(middle)) => {
            frame.push(126);
            frame.extend(middle.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((text.len() as u64).to_be_bytes());
        }
    }
    frame.extend(text.as_bytes());
    frame
}

async fn read(request: hyper::Request<Incoming>) -> Result<Request, Answer> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, BODY_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Err(Answer::Text(413, String::new())),
    };
    Ok(Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    })
}

/// Makes the response; an error here makes hyper end the connection without one.
async fn respond(answer: Answer, abort: &AtomicBool) -> io::Result<Response<Payload>> {
    let (status, kind, body) = match answer {
        Answer::Json(status, value) => (status, "application/json; charset=UTF-8", whole(value)),
        Answer::Later(status, retry_after_s, value) => {
            let mut response = response(status, "application/json; charset=UTF-8", whole(value));
            let seconds = HeaderValue::from(retry_after_s);
            response.headers_mut().insert(RETRY_AFTER, seconds);
            return Ok(response);
        }
        Answer::Text(status, text) => {
            (status, "text/plain; charset=UTF-8", Payload::Whole(Some(text.into())))
        }
        // Turned before it comes here.
        Answer::Socket(_) => (500, "text/plain", Payload::Whole(None)),
        Answer::Feed(feed) => (200, "text/event-stream", Payload::Feed(feed)),
        Answer::Fault(AnswerFault::Reset) => {
            abort.store(true, Ordering::Relaxed);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Answer::Fault(AnswerFault::Close) => return Err(io::ErrorKind::ConnectionAborted.into()),
        // The connection's task ends this wait when the client goes.
        Answer::Fault(AnswerFault::Hang) => return std::future::pending().await,
        Answer::Fault(AnswerFault::Cut) => (200, "application/json", Payload::Cut(Cut::Begin)),
        Answer::Fault(AnswerFault::Garbage) => (
            200,
            "text/html",
            Payload::Whole(Some(Bytes::from_static(b"<html><body>It works!</body></html>"))),
        ),
        Answer::Fault(AnswerFault::Status { code, retry_after_s }) => {
            let code = u16::try_from(code).unwrap_or(500);
            let text = Payload::Whole(Some(Bytes::from_static(b"<html>error</html>")));
            let mut response = response(code, "text/html", text);
            if let Some(seconds) = retry_after_s {
                let seconds = HeaderValue::from(seconds);
                response.headers_mut().insert(RETRY_AFTER, seconds);
            }
            return Ok(response);
        }
    };
    Ok(response(status, kind, body))
}

fn response(status: u16, kind: &'static str, body: Payload) -> Response<Payload> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn whole(value: Value) -> Payload {
    Payload::Whole(Some(value.to_string().into()))
}

/// The bodies that are answered.
#[derive(Debug)]
enum Payload {
    Whole(Option<Bytes>),
    /// Promises more than it gives.
    Cut(Cut),
    Feed(mpsc::Receiver<Bytes>),
}

/// What comes next of an answer that breaks off.
#[derive(Debug)]
enum Cut {
    Begin,
    /// The head and the beginning go out: an error at once would take them along.
    Flush,
    End,
}

/// What a cut answer begins with, and how long it claims to be.
const CUT_BEGIN: &[u8] = b"{\"messaging_product\":\"wha";
const CUT_CLAIM: u64 = 512;

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Cut(next @ Cut::Begin) => {
                *next = Cut::Flush;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(CUT_BEGIN)))))
            }
            Self::Cut(next @ Cut::Flush) => {
                *next = Cut::End;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Cut(Cut::End) => Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into()))),
            Self::Feed(feed) => feed.poll_recv(cx).map(|next| next.map(|b| Ok(Frame::data(b)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Cut(_) => SizeHint::with_exact(CUT_CLAIM),
            Self::Feed(_) => SizeHint::default(),
        }
    }
}

/// Decodes `a=b&c=d`, as in a query or a form.
pub(crate) fn form(text: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for pair in text.split(|byte| *byte == b'&').filter(|p| !p.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = match at {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &pair[..0]),
        };
        fields.insert(unescape(name), unescape(value));
    }
    fields
}

fn unescape(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let escaped = text.get(at + 1..at + 3).and_then(hex_pair);
        let (value, taken) = match (byte, escaped) {
            (b'%', Some(value)) => (value, 3),
            (b'+', _) => (b' ', 1),
            (byte, _) => (*byte, 1),
        };
        bytes.push(value);
        at += taken;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    if !pair.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let text = std::str::from_utf8(pair).ok()?;
    u8::from_str_radix(text, 16).ok()
}

/// Calls webhooks, over kept connections.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Client<HttpConnector, Full<Bytes>>);

impl Caller {
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// Sends a request and returns the answer; none where there was none.
    pub(crate) async fn call(&self, request: hyper::Request<Full<Bytes>>) -> Option<hyper::Response<Bytes>> {
        let exchange = async {
            let (head, body) = self.0.request(request).await.ok()?.into_parts();
            let body = Limited::new(body, BODY_MAX).collect().await.ok()?.to_bytes();
            Some(hyper::Response::from_parts(head, body))
        };
        tokio::time::timeout(HOOK_WAIT, exchange).await.ok()?
    }

    /// Posts JSON, with one header more unless its value is empty, and returns the answer where it is a 2xx.
    pub(crate) async fn post(
        &self,
        url: &str,
        header: (&str, &str),
        body: Bytes,
    ) -> Option<hyper::Response<Bytes>> {
        let mut request = hyper::Request::post(url).header(CONTENT_TYPE, "application/json");
        if !header.1.is_empty() {
            request = request.header(header.0, header.1);
        }
        let request = request.body(Full::new(body)).ok()?;
        self.call(request).await.filter(|answer| answer.status().is_success())
    }
}
