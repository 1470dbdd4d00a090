//! One call, as a handler sees it: who calls, the path's parts, the query, the body; and what it answers with.

use super::access::Caller;
use super::form;
use super::problem::{Kind, Problem};
use crate::core::ids::{MessageId, OutageId};
use crate::diag::{did_you_mean, nearest};
use crate::settings::Network;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a body may take to come. A megabyte over a line of 1 Mbit/s takes 8 s.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// The longest body of a call that has no limit of its own.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest unknown key that is repeated to whoever sent it.
const KEY_SHOWN_MAX: usize = 60;
/// The most rows that a list gives at once; also its default.
pub(crate) const PAGE_ROWS_MAX: usize = 200;

/// What a handler gives back.
pub(crate) type Answer = Result<Response, Problem>;

/// One call.
pub(crate) struct Call {
    /// Who makes it.
    pub(crate) caller: Caller,
    /// Its head.
    pub(crate) parts: Parts,
    /// The parts of the path that have a name in the route.
    pub(crate) params: Vec<(String, String)>,
    /// Its body. Behind a lock that is never waited for, so that a call may be looked at while its handler waits.
    body: Mutex<Body>,
}

impl Call {
    pub(crate) fn new(caller: Caller, parts: Parts, params: Vec<(String, String)>, body: Body) -> Call {
        Call { caller, parts, params, body: Mutex::new(body) }
    }

    /// Takes the body out.
    pub(crate) fn take_body(&mut self) -> Body {
        std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the part of the path with this name.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// Reads the message's id in the path; what cannot be read names nothing.
    pub(crate) fn message(&self) -> Result<MessageId, Problem> {
        let value = self.param("id");
        value.parse().map_err(|_| match shown(value) {
            Some(value) => {
                not_found(&format!("there is no message `{value}`: an id has 26 letters and digits"))
            }
            None => not_found("there is no such message: an id has 26 letters and digits"),
        })
    }

    /// Reads the outage's id in the path.
    pub(crate) fn outage(&self) -> Result<OutageId, Problem> {
        let value = self.param("id");
        value.parse().map_err(|_| match shown(value) {
            Some(value) => not_found(&format!("there is no outage `{value}`: they are named like o-17")),
            None => not_found("there is no such outage: they are named like o-17"),
        })
    }

    /// Returns a header as text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// Reads the query; a name that is not `known` is refused, because to ignore it could send what was only asked about.
    pub(crate) fn query(&self, known: &[&str]) -> Result<QueryPairs, Problem> {
        let text = self.parts.uri.query().unwrap_or("");
        let pairs =
            form::pairs(text).ok_or_else(|| Problem::new(Kind::Unreadable, "the query cannot be read"))?;
        match pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(unknown_key(name, known.iter().copied())),
            None => Ok(QueryPairs(pairs)),
        }
    }

    /// Returns one value of the query, whatever else is in it.
    pub(crate) fn asked(&self, name: &str) -> Option<String> {
        let pairs = form::pairs(self.parts.uri.query().unwrap_or(""))?;
        pairs.into_iter().find_map(|(n, value)| (n == name).then_some(value))
    }

    /// Returns the address that the call comes from: the connection's, or what trusted proxies say of it.
    pub(crate) fn peer(&self, proxies: &[Network]) -> IpAddr {
        let info = self.parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let near = info.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        let trusted = |address: &IpAddr| proxies.iter().any(|network| network.contains(*address));
        if !trusted(&near) {
            return near;
        }
        let lines =
            self.parts.headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
        let hops: Vec<IpAddr> =
            lines.flat_map(|line| line.split(',')).filter_map(|hop| hop.trim().parse().ok()).collect();
        hops.into_iter().rev().find(|hop| !trusted(hop)).unwrap_or(near)
    }

    /// Returns how long the body is, where that was said.
    pub(crate) fn length(&self) -> Option<u64> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).size_hint().exact()
    }

    /// Reads the whole body.
    pub(crate) async fn bytes(&mut self, limit: usize) -> Result<Bytes, Problem> {
        let too_large = || Problem::new(Kind::TooLarge, format!("the body is longer than {limit} bytes"));
        let body = self.take_body();
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        match tokio::time::timeout(BODY_PATIENCE, Limited::new(body, limit).collect()).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(Problem::new(Kind::Unreadable, "the body broke off")),
            Err(_) => Err(Problem::new(Kind::TooSlow, "send the whole body within 30 s")),
        }
    }

    /// Reads a JSON body strictly.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self, limit: usize) -> Result<T, Problem> {
        self.expect_json()?;
        let bytes = self.bytes(limit).await?;
        from_json(&bytes)
    }

    /// Refuses a body that says it is something else than JSON: a page of another site could send that without asking.
    pub(crate) fn expect_json(&self) -> Result<(), Problem> {
        self.expect_media(&["application/json"], "JSON")
    }

    /// Refuses a body that says it is something else than `what`, whose media types are these.
    pub(crate) fn expect_media(&self, known: &[&str], what: &str) -> Result<(), Problem> {
        let Some(value) = self.parts.headers.get(header::CONTENT_TYPE) else { return Ok(()) };
        let media = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
        match known.iter().any(|known| media.eq_ignore_ascii_case(known)) {
            true => Ok(()),
            false => {
                let why = format!("send {what}, with `Content-Type: {}`", known[0]);
                Err(Problem::new(Kind::WrongMedia, why))
            }
        }
    }
}

/// Returns a name or id as it may be repeated to whoever sent it: what else stands there may be a text or a number.
pub(crate) fn shown(name: &str) -> Option<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let is_number = name.chars().all(|c| c.is_ascii_digit());
    (!name.is_empty() && name.len() <= KEY_SHOWN_MAX && !is_number && name.chars().all(plain)).then_some(name)
}

/// The query's pairs, their names known.
pub(crate) struct QueryPairs(Vec<(String, String)>);

impl QueryPairs {
    /// Returns a value as it stands.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Leaves out what was sent empty: a form sends what nobody chose.
    pub(crate) fn filled(mut self) -> QueryPairs {
        self.0.retain(|(_, value)| !value.trim().is_empty());
        self
    }

    /// Reads a value.
    pub(crate) fn get<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let read =
            |text: &str| text.parse().map_err(|_| bad_value(name, "the parameter's value cannot be read"));
        self.text(name).map(read).transpose()
    }

    /// Reads one of a few words; another is refused with the nearest.
    pub(crate) fn word<T: Copy>(
        &self,
        name: &str,
        known: &[T],
        word_of: fn(T) -> &'static str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let found = known.iter().copied().find(|value| word_of(*value) == text);
        let unknown = || bad_value(name, did_you_mean(text, known.iter().map(|value| word_of(*value))));
        found.map(Some).ok_or_else(unknown)
    }

    /// Reads how many rows a list may give.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        match self.get("limit")? {
            None => Ok(PAGE_ROWS_MAX),
            Some(limit) if (1..=PAGE_ROWS_MAX).contains(&limit) => Ok(limit),
            Some(_) => Err(bad_value("limit", format!("a list gives 1 to {PAGE_ROWS_MAX} rows at once"))),
        }
    }
}

/// Reads JSON strictly: what is not JSON is 400, what is not ours is 422 and names the key.
pub(crate) fn from_json<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let place = |problem: Problem| problem.with("line", error.line()).with("column", error.column());
        let text = error.to_string();
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
        // serde names the unknown key first, then every known one, each in backquotes.
        let mut quoted = text.split('`').skip(1).step_by(2);
        match (error.classify(), text.starts_with("unknown field"), quoted.next()) {
            (serde_json::error::Category::Data, true, Some(key)) => place(unknown_key(key, quoted)),
            (serde_json::error::Category::Data, ..) => {
                place(Problem::new(Kind::BadValue, without_value(text)))
            }
            _ => place(Problem::new(Kind::Unreadable, format!("the body is not JSON: {text}"))),
        }
    })
}

/// Takes out of serde's words on a wrong type the value that it quotes: it may be a text or somebody's number.
fn without_value(text: &str) -> String {
    let quotes = ["invalid type: ", "invalid value: "].iter().any(|start| text.starts_with(start));
    match text.rsplit_once(", expected ") {
        Some((found, expected)) if quotes => {
            let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
            format!("{kind}, expected {expected}")
        }
        _ => text.to_owned(),
    }
}

/// A key that nobody knows. It is repeated only where it can be a key: what stands there may be a text or a number.
pub(crate) fn unknown_key<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let known: Vec<&str> = known.collect();
    let is_key = key.len() <= KEY_SHOWN_MAX
        && key.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '.'));
    let none = if is_key { format!("there is no key `{key}`") } else { "there is no such key".to_owned() };
    let problem = match nearest(key, known.iter().copied()) {
        Some(near) => {
            Problem::new(Kind::UnknownKey, format!("{none}; did you mean `{near}`?")).with("nearest", near)
        }
        None if known.is_empty() => Problem::new(Kind::UnknownKey, format!("{none} here")),
        None => Problem::new(Kind::UnknownKey, format!("{none}; known are `{}`", known.join("`, `"))),
    };
    if is_key { problem.with("key", key) } else { problem }
}

/// A value that cannot be used.
pub(crate) fn bad_value(key: &str, why: impl Display) -> Problem {
    Problem::new(Kind::BadValue, format!("`{key}`: {why}")).with("key", key)
}

/// Nothing has this name.
pub(crate) fn not_found(what: &str) -> Problem {
    Problem::new(Kind::NotFound, what)
}

/// Answers with JSON.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    raw_json(status, body.to_string())
}

/// Answers with JSON that is already text.
pub(crate) fn raw_json(status: StatusCode, body: String) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[allow(dead_code, reason = "only read by serde")]
        severity: String,
        #[serde(default)]
        #[allow(dead_code, reason = "only read by serde")]
        urgency: Option<u8>,
    }

    #[test]
    fn json_errors_name_the_key_and_the_remedy() {
        let check = |body: &str, kind, detail: &str| {
            let problem = from_json::<Sample>(body.as_bytes()).unwrap_err();
            assert_eq!((problem.kind(), problem.detail()), (kind, detail), "{body}");
        };
        check(r#"{"sevrity":"x"}"#, Kind::UnknownKey, "there is no key `sevrity`; did you mean `severity`?");
        check(
            r#"{"severity":"x","media":[]}"#,
            Kind::UnknownKey,
            "there is no key `media`; known are `severity`, `urgency`",
        );
        check("{}", Kind::BadValue, "missing field `severity`");
        check(r#"{"severity":1}"#, Kind::BadValue, "invalid type: integer, expected a string");
        check(
            r#"{"severity":"x","urgency":"+97059, expected `it`"}"#,
            Kind::BadValue,
            "invalid type: string, expected u8",
        );
        check(
            r#"{"+970599000001":"x"}"#,
            Kind::UnknownKey,
            "there is no such key; known are `severity`, `urgency`",
        );
        check(r#"{"severity""#, Kind::Unreadable, "the body is not JSON: EOF while parsing an object");
        check("\u{ff}", Kind::Unreadable, "the body is not JSON: expected value");
    }
}
