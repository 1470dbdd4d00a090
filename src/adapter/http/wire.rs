//! One connection: driven by whoever uses it, and asked whether it still stands.
//!
//! A probe's connection is driven by `probe::drive`, which also looks again at once at what is woken meanwhile: probes come
//! in crowds. The two rooms do not know each other.

use super::super::retry_after::retry_after;
use super::transport::Transport;
use super::{ANSWER_BYTES_MAX, Failure, Reading, Refusal, Response, now};
use crate::core::outcome::Reason;
use crate::core::time::Span;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long the body of an answer is waited for whose status is enough. It comes with the head or right behind it, and
/// the connection can be kept; or it does not, and nobody is held up by that.
const UNREAD_BODY_TIME_MAX: Duration = Duration::from_secs(1);

/// One HTTP/1 connection.
pub(super) struct Wire {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection,
    /// How many bytes the system took for it so far.
    written: Arc<AtomicU64>,
}

/// The moving part of a connection; `None` once it has ended.
struct Connection(Option<http1::Connection<TokioIo<Transport>, Full<Bytes>>>);

/// The body of an answer, as it comes.
pub(in crate::adapter) struct Stream {
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
    /// Begins to speak HTTP; `written` counts what the system takes.
    pub(super) async fn open(stream: Transport, written: Arc<AtomicU64>) -> Result<Wire, Reason> {
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|_| Reason::TcpReset)?;
        Ok(Wire { sender, connection: Connection(Some(connection)), written })
    }

    /// Looks whether the server has hung up meanwhile.
    pub(super) async fn is_open(&mut self) -> bool {
        poll_fn(|cx| {
            self.connection.poll(cx);
            Poll::Ready(self.connection.0.is_some() && self.sender.is_ready())
        })
        .await
    }

    /// Sends a request and reads its answer.
    pub(super) async fn exchange(
        &mut self,
        request: hyper::Request<Full<Bytes>>,
        reading: Reading,
        time_out: Span,
    ) -> Result<Response, Failure> {
        let (before, start) = (self.written.load(Ordering::Relaxed), Instant::now());
        let sending = self.sender.send_request(request);
        let (head, body) = match timeout(time_out.to_std(), self.connection.drive(sending)).await {
            Ok(Ok(response)) => response.into_parts(),
            Ok(Err(error)) => return Err(self.broken(before, &error)),
            Err(_) => return Err(self.failure(before, Reason::TcpTimeout, Reason::Timeout)),
        };
        let without_body = Response {
            status: head.status.as_u16(),
            retry_after: retry_after(&head.headers, now()),
            body: Vec::new(),
            is_cut: true,
        };
        let left = time_out.to_std().saturating_sub(start.elapsed());
        let (bytes_max, patience) = match reading {
            Reading::Body(bytes_max) => (bytes_max, left),
            Reading::Status => (ANSWER_BYTES_MAX, left.min(UNREAD_BODY_TIME_MAX)),
        };
        let body = Limited::new(body, bytes_max).collect();
        match timeout(patience, self.connection.drive(body)).await {
            Ok(Ok(body)) => Ok(Response { body: body.to_bytes().into(), is_cut: false, ..without_body }),
            // The status of a refusal says enough without its body; a success without one says nothing.
            _ if reading == Reading::Status || !head.status.is_success() => Ok(without_body),
            Err(_) => Err(self.failure(before, Reason::TcpTimeout, Reason::Timeout)),
            Ok(Err(error)) => match error.downcast::<hyper::Error>() {
                Ok(error) => Err(self.broken(before, &error)),
                Err(_longer_than_allowed) => Ok(without_body),
            },
        }
    }

    /// Sends a request and hands out its answer's body as it comes.
    pub(super) async fn stream(
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

    fn broken(&self, before: u64, error: &hyper::Error) -> Failure {
        let sent = if error.is_parse() { Reason::Unreadable } else { Reason::ConnectionLost };
        self.failure(before, Reason::TcpReset, sent)
    }

    fn failure(&self, before: u64, unsent: Reason, sent: Reason) -> Failure {
        if self.written.load(Ordering::Relaxed) == before {
            Failure::NotSent(unsent)
        } else {
            Failure::Sent(sent)
        }
    }
}

// === impl Stream ===

impl Stream {
    /// Waits for the next bytes; `None`: it has ended, well or badly.
    pub(in crate::adapter) async fn next(&mut self) -> Option<Bytes> {
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

#[cfg(test)]
mod tests {
    use super::super::{Called, Client, Request};
    use super::*;
    use crate::adapter::net::Net;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Asks a server that says this and then nothing more.
    async fn asked(said: &'static str) -> Result<Response, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let client = Client::new(Net::new(&[]), origin.parse().expect("an origin"), None).expect("a client");
        let server = async {
            let (mut wire, _) = listener.accept().await.expect("a connection");
            let _ = wire.read(&mut [0; 1024]).await;
            wire.write_all(said.as_bytes()).await.expect("written");
            std::future::pending::<()>().await
        };
        let (request, time_out) = (Request::get("/".into()), Span::from_ms(200));
        tokio::select! {
            Called { answer, .. } = client.call(&request, time_out, Span::from_hours(1)) => answer,
            () = server => unreachable!("it waits for ever"),
        }
    }

    #[tokio::test]
    async fn a_refusal_whose_body_stays_away_is_one() {
        let refused = asked("HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 9\r\n\r\n{").await;
        let retry_after = Some(Span::from_secs(7));
        assert_eq!(refused, Ok(Response { status: 429, retry_after, body: Vec::new(), is_cut: true }));
        let taken = asked("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{").await;
        assert_eq!(taken, Err(Failure::Sent(Reason::Timeout)));
    }
}
