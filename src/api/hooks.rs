//! Providers' calls: raw bytes to the gateway's adapter, which checks the signature; answered once what they say is
//! on disk, within the provider's patience.
//!
//! Limits: who calls is not known before the adapter has read the whole call, so `hook_room` holds bodies to a budget and
//! the calls that are handled to a number, a share of each for one gateway; a body has [`BODY_PATIENCE`].

use super::App;
use super::call::{Answer, Call, not_found};
use super::hook_room::Held;
use super::problem::{Kind, Problem};
use crate::adapter::HookRequest;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;

/// The longest call of a provider. Cites: Meta's webhooks carry at most 3 MB.
pub(crate) const HOOK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a provider's call may take to come: one that waits for its answer no longer than this sends it sooner.
const BODY_PATIENCE: Duration = Duration::from_secs(5);
/// How long a provider is kept waiting; then it is told to come again. The most impatient give up after 3 to 5 s.
const HOOK_PATIENCE: Duration = Duration::from_millis(2_500);

/// `GET, POST /hooks/{gateway}` and below.
pub(crate) async fn take(app: Arc<App>, mut call: Call) -> Answer {
    let gateway = call.param("gateway").to_owned();
    if !app.service.has_hook(&gateway) {
        return Err(nobody());
    }
    let mut held = app.hooks.hold(&gateway);
    let body = call.take_body();
    let body = tokio::time::timeout(BODY_PATIENCE, read(body, &mut held)).await.map_err(|_| {
        let secs = BODY_PATIENCE.as_secs();
        Problem::new(Kind::TooSlow, format!("send the whole body within {secs} s"))
    })??;
    held.begin()?;
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let request = HookRequest {
        method: call.parts.method.as_str().to_owned(),
        path: rest_of_path(call.parts.uri.path()).to_owned(),
        query: call.parts.uri.query().unwrap_or("").to_owned(),
        headers: call
            .parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect(),
        body,
    };
    let answer = tokio::time::timeout(HOOK_PATIENCE, app.service.hook(&gateway, request))
        .await
        .map_err(|_| Problem::new(Kind::Unavailable, "not yet on disk; send it again").retry_after(5))??
        .ok_or_else(nobody)?;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    Ok(response)
}

fn nobody() -> Problem {
    not_found("no gateway has this name")
}

/// Reads the whole body. It takes its room as it comes: one that was only announced holds none.
async fn read(mut body: Body, held: &mut Held<'_>) -> Result<Vec<u8>, Problem> {
    let fits = |bytes: u64| match bytes <= HOOK_BYTES_MAX as u64 {
        true => Ok(()),
        false => Err(Problem::new(Kind::TooLarge, format!("the body is longer than {HOOK_BYTES_MAX} bytes"))),
    };
    fits(body.size_hint().lower())?;
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Kind::Unreadable, "the body broke off"))?;
        let Some(data) = frame.data_ref() else { continue };
        fits((whole.len() + data.len()) as u64)?;
        held.grow(data.len())?;
        whole.extend_from_slice(data);
    }
    Ok(whole)
}

/// Returns what follows `/hooks/{gateway}`, as it was sent: a secret part of the path may be signed over.
fn rest_of_path(path: &str) -> &str {
    let after = path.strip_prefix("/hooks/").unwrap_or("");
    after.find('/').map_or("", |slash| &after[slash..])
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_rest_of_the_path_goes_to_the_adapter() {
        let check = |path, rest| assert_eq!(super::rest_of_path(path), rest, "{path}");
        check("/hooks/whatsapp-main", "");
        check("/hooks/telegram/se%20cret/1", "/se%20cret/1");
    }
}
