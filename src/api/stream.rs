//! Server-sent events as a body: the next chunk is asked for when the last one is on its way, so a slow reader holds
//! back nobody and costs one chunk of memory.
//!
//! Cites: html.spec.whatwg.org, section 9.2 (server-sent events).

use super::App;
use super::problem::{Kind, Problem};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
pub(crate) use hyper::body::Bytes;
use hyper::body::{Body as HttpBody, Frame};
use std::convert::Infallible;
use std::fmt::Write;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;

/// The next chunk, which others may share, with what gives the one after it; `None`: the stream ends.
pub(crate) type Next<S> = Pin<Box<dyn Future<Output = Option<(Bytes, S)>> + Send>>;

/// What gives a stream its chunks.
pub(crate) trait Source: Sized + Send + 'static {
    /// Waits for the next chunk.
    fn next(self) -> Next<Self>;
}

struct Stream<S> {
    next: Next<S>,
    _place: OwnedSemaphorePermit,
}

impl<S: Source> HttpBody for Stream<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.next.as_mut().poll(context).map(|next| {
            let (chunk, source) = next?;
            self.next = source.next();
            Some(Ok(Frame::data(chunk)))
        })
    }
}

/// Answers with a stream, if there is a place for one more.
pub(crate) fn open<S: Source>(app: &App, source: S) -> Result<Response, Problem> {
    let place =
        app.streams.clone().try_acquire_owned().map_err(|_| {
            Problem::new(Kind::TooMany, "too many streams are open; close one").retry_after(15)
        })?;
    let body = Body::new(Stream { next: source.next(), _place: place });
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Cites: nginx, ngx_http_proxy_module: a buffered stream would come in lumps.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Appends one event to a chunk.
pub(crate) fn event(chunk: &mut String, name: &str, id: Option<&dyn std::fmt::Display>, data: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(chunk, "event: {name}");
    if let Some(id) = id {
        let _ = writeln!(chunk, "id: {id}");
    }
    for line in data.split(['\n', '\r']) {
        let _ = writeln!(chunk, "data: {line}");
    }
    chunk.push('\n');
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_event_is_written_line_by_line() {
        let mut chunk = String::new();
        super::event(&mut chunk, "panel", Some(&7), "<p>\n</p>");
        super::event(&mut chunk, "beat", None, "");
        assert_eq!(chunk, "event: panel\nid: 7\ndata: <p>\ndata: </p>\n\nevent: beat\ndata: \n\n");
    }
}
