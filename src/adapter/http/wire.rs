//! One connection: driven by whoever uses it, and asked whether it still stands.

use super::super::retry_after::retry_after;
use super::transport::Transport;
use super::{Failure, Refusal, Response, now};
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
use tokio::time::timeout;

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
