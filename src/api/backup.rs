//! `GET /v1/backup`: everything that is stored, as one moment saw it, in the outbox's neutral form. `wasl backup` seals it
//! where it arrives, so that the service never sees the key.
//!
//! Invariant: an answer that is not whole breaks off, so that no half of a backup passes for one.

use super::App;
use super::call::{Answer, Call};
use super::service::{Change, Part};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use hyper::body::{Body as HttpBody, Bytes, Frame};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc::Receiver;

struct Parts(Receiver<Part>);

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| part.map(|bytes| Frame::data(bytes.into()))))
    }
}

/// `GET /v1/backup`.
pub(crate) async fn stream(app: Arc<App>, call: Call) -> Answer {
    call.query(&[])?;
    let act = Change::Act { act: "backup", on: "store".into(), reason: String::new() };
    app.service.change(call.caller.who, act).await?;
    let body = Body::new(Parts(app.service.backup()?));
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
