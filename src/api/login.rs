//! A person's way in: a token exchanged for a session, and the way out.

use super::App;
use super::access::COOKIE;
use super::call::{Answer, BODY_BYTES_MAX, Call};
use super::form;
use super::problem::{Kind, Problem};
use super::session::{self, SESSION_LIFE};
use crate::web::page;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// `GET /login`.
pub(crate) async fn form_page(app: Arc<App>, call: Call) -> Answer {
    let query = call.query(&["lang", "next"])?;
    let next = local_path(query.text("next").unwrap_or("/"));
    Ok(page::login(&app, &call, StatusCode::OK, next, page::LoginTrouble::None))
}

/// `POST /login`.
pub(crate) async fn enter(app: Arc<App>, mut call: Call) -> Answer {
    let now = app.service.now();
    let bytes = call.bytes(BODY_BYTES_MAX).await?;
    let fields = read_form(&bytes)?;
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
    let next = local_path(field("next"));
    let from = call.peer(&app.config.trusted_proxies);
    if let Some(secs) = app.sessions.must_wait(from, now) {
        let trouble = page::LoginTrouble::MustWait { secs };
        let mut response = page::login(&app, &call, StatusCode::TOO_MANY_REQUESTS, next, trouble);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        return Ok(response);
    }
    let hash = session::hash(field("token").trim());
    if app.service.token(&hash).is_none() {
        app.sessions.wrong_token(from, now);
        return Ok(page::login(&app, &call, StatusCode::UNAUTHORIZED, next, page::LoginTrouble::WrongToken));
    }
    let cookie = app.sessions.open(hash, now).ok_or_else(|| {
        Problem::new(Kind::Unavailable, "the system has no randomness to give").retry_after(1)
    })?;
    let life = SESSION_LIFE.ms() / 1000;
    Ok(with_cookie(&app, see_other(next), &cookie, life))
}

/// `POST /logout`.
pub(crate) async fn leave(app: Arc<App>, mut call: Call) -> Answer {
    let bytes = call.bytes(BODY_BYTES_MAX).await?;
    let fields = read_form(&bytes)?;
    let csrf = fields.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.as_str());
    call.caller.check_csrf(csrf)?;
    if let Some(cookie) = super::access::cookie(&call.parts.headers, COOKIE) {
        app.sessions.close(cookie);
    }
    Ok(with_cookie(&app, see_other("/login"), "", 0))
}

/// Sends a person to the login page, and from there back to where he wanted to go.
pub(crate) fn redirect(uri: &Uri) -> Response {
    let next: String = uri.path_and_query().map_or("/", |path| path.as_str()).bytes().map(encoded).collect();
    see_other(&format!("/login?next={next}"))
}

fn encoded(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
}

/// Returns the path if it is one of ours, else the first page: a login must not lead to another site.
fn local_path(path: &str) -> &str {
    let local = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.bytes().all(|b| b.is_ascii_graphic());
    if local { path } else { "/" }
}

fn read_form(bytes: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    let text = std::str::from_utf8(bytes).ok().and_then(form::pairs);
    text.ok_or_else(|| Problem::new(Kind::Unreadable, "the form cannot be read"))
}

fn see_other(path: &str) -> Response {
    let place = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
    (
        StatusCode::SEE_OTHER,
        [(header::LOCATION, place), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
    )
        .into_response()
}

fn with_cookie(app: &App, mut response: Response, value: &str, life_secs: i64) -> Response {
    let secure = if app.config.secure() { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/; Max-Age={life_secs}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(HeaderName::from_static("set-cookie"), cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_our_own_pages_only() {
        let check = |path, expected| assert_eq!(local_path(path), expected, "{path}");
        check("/?lang=ar", "/?lang=ar");
        check("//evil.example", "/");
        check("/\\evil.example", "/");
        check("https://evil.example", "/");
        check("/a\r\nset-cookie: x", "/");
        let response = redirect(&Uri::from_static("/?lang=ar&x=1"));
        assert_eq!(response.headers()[header::LOCATION], "/login?next=/%3Flang%3Dar%26x%3D1");
    }
}
