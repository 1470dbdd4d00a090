//! Errors as people and programs read them: RFC 9457 problem details.
//!
//! Cites: RFC 9457 (problem details), RFC 9110 (statuses, `Retry-After`).

use super::service::Trouble;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why a call was not carried out.
#[derive(Debug)]
pub struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    detail: String,
    more: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $status:ident, $name:literal, $title:literal;)*) => {
        /// The kinds of problem: a closed list.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),*];

            /// Returns the HTTP status that goes with it.
            pub const fn status(self) -> StatusCode {
                match self { $(Kind::$kind => StatusCode::$status,)* }
            }

            /// Returns its name, the last part of the problem's `type`.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)* }
            }

            const fn title(self) -> &'static str {
                match self { $(Kind::$kind => $title,)* }
            }
        }
    };
}

kinds! {
    /// The request cannot be read at all.
    Unreadable = BAD_REQUEST, "unreadable", "The request cannot be read";
    /// A key or parameter that nobody knows.
    UnknownKey = UNPROCESSABLE_ENTITY, "unknown-key", "There is no such key";
    /// A value that cannot be meant.
    BadValue = UNPROCESSABLE_ENTITY, "bad-value", "A value cannot be used";
    /// No token, or an unknown one.
    NoToken = UNAUTHORIZED, "no-token", "A token is needed";
    /// A token of too weak a role.
    WrongRole = FORBIDDEN, "wrong-role", "This token may not do that";
    /// A request that another site made in a person's name.
    CrossSite = FORBIDDEN, "cross-site", "The request comes from another site";
    /// There is no such thing.
    NotFound = NOT_FOUND, "not-found", "There is no such thing";
    /// The path exists, the method does not.
    WrongMethod = METHOD_NOT_ALLOWED, "wrong-method", "This path does not take this method";
    /// The body did not come in time.
    TooSlow = REQUEST_TIMEOUT, "too-slow", "The body did not come in time";
    /// The same key with another body.
    KeyConflict = CONFLICT, "key-conflict", "The idempotency key was used for another body";
    /// It cannot be done as things stand.
    Refused = CONFLICT, "refused", "It cannot be done as things stand";
    /// Too long a body.
    TooLarge = PAYLOAD_TOO_LARGE, "too-large", "The body is too large";
    /// Not JSON.
    WrongMedia = UNSUPPORTED_MEDIA_TYPE, "wrong-media", "The body is of another media type";
    /// A host that this service does not serve.
    WrongHost = MISDIRECTED_REQUEST, "wrong-host", "This service does not serve that host";
    /// Too much at once.
    TooMany = TOO_MANY_REQUESTS, "too-many", "Too much at once; come back later";
    /// The service is stopping or its store does not answer.
    Unavailable = SERVICE_UNAVAILABLE, "unavailable", "The service cannot answer now";
    /// Below the disk reserve.
    DiskFull = INSUFFICIENT_STORAGE, "disk-full", "The disk is below its reserve";
}

impl Problem {
    /// Builds a problem; `detail` says what happened, where, and what to do.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem(Box::new(Inner { kind, detail: detail.into(), more: Map::new(), headers: Vec::new() }))
    }

    /// Adds a member to the problem's object.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Problem {
        self.0.more.insert(key.to_owned(), value.into());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.0.headers.push((name, value));
        self
    }

    /// Says when to come back, in seconds.
    #[must_use]
    pub fn retry_after(self, secs: u32) -> Problem {
        self.with("retry_after", secs).header(header::RETRY_AFTER, HeaderValue::from(secs))
    }

    /// Returns its kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the key at fault, where one is.
    pub fn key(&self) -> Option<&str> {
        self.member("key")
    }

    /// Returns a member that was added, where it is a text.
    pub(crate) fn member(&self, key: &str) -> Option<&str> {
        self.0.more.get(key)?.as_str()
    }

    /// Returns what happened in words.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Problem {
        let text = trouble.to_string();
        match trouble {
            Trouble::DiskFull => Problem::new(Kind::DiskFull, text),
            Trouble::Busy { retry_after_secs } => {
                Problem::new(Kind::TooMany, text).retry_after(retry_after_secs.max(1))
            }
            Trouble::Store(_) => Problem::new(Kind::Unavailable, text).retry_after(5),
            Trouble::Stopping => Problem::new(Kind::Unavailable, text).retry_after(5),
            Trouble::Refused(_) => Problem::new(Kind::Refused, text),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Inner { kind, detail, mut more, headers } = *self.0;
        more.insert("type".into(), format!("urn:wasl:problem:{}", kind.name()).into());
        more.insert("title".into(), kind.title().into());
        more.insert("status".into(), kind.status().as_u16().into());
        more.insert("detail".into(), detail.into());
        let mut response = (kind.status(), Value::Object(more).to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
            .headers_mut()
            .extend(headers.into_iter().map(|(name, value)| (Some(name), value)).collect::<Vec<_>>());
        response
    }
}
