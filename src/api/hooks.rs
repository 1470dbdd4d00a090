//! Providers' calls: raw bytes to the gateway's adapter, which checks the signature; answered once what they say is
//! on disk, within the provider's patience.

use super::App;
use super::call::{Answer, Call, not_found};
use super::problem::{Kind, Problem};
use crate::adapter::HookRequest;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use std::sync::Arc;
use std::time::Duration;

/// The longest call of a provider. Cites: Meta's webhooks carry at most 3 MB.
pub(crate) const HOOK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a provider is kept waiting; then it is told to come again. The most impatient give up after 3 to 5 s.
const HOOK_PATIENCE: Duration = Duration::from_millis(2_500);

/// `GET, POST /hooks/{gateway}` and below.
pub(crate) async fn take(app: Arc<App>, mut call: Call) -> Answer {
    let _place = app
        .hooks
        .try_acquire()
        .map_err(|_| Problem::new(Kind::TooMany, "other calls of providers are being read").retry_after(1))?;
    let gateway = call.param("gateway").to_owned();
    let body = call.bytes(HOOK_BYTES_MAX).await?.to_vec();
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
        .ok_or_else(|| not_found("no gateway has this name"))?;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    Ok(response)
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
