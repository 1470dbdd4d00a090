//! Where requests go.

use hyper::Uri;
use hyper::header::HeaderValue;
use std::str::FromStr;

/// Where a gateway's requests go: scheme, host, port and a prefix of the path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::adapter) struct Origin {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) prefix: String,
}

/// The text is not an origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected http:// or https:// and a host, without user, query or fragment")]
pub(in crate::adapter) struct NotAnOrigin;

impl Origin {
    /// Says whether it is spoken to over TLS.
    pub(in crate::adapter) fn is_tls(&self) -> bool {
        self.tls
    }

    /// Takes a whole URL apart: its origin without a prefix, and what is asked of it, path and query.
    pub(in crate::adapter) fn of_url(url: &str) -> Result<(Origin, String), NotAnOrigin> {
        // The parser drops a fragment without a word, and it would be missed.
        if url.contains('#') {
            return Err(NotAnOrigin);
        }
        let uri: Uri = url.parse().map_err(|_| NotAnOrigin)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(NotAnOrigin);
        };
        let origin = format!("{scheme}://{authority}").parse()?;
        let asked = uri.path_and_query().map_or("", |asked| asked.as_str());
        let slash = if asked.starts_with('/') { "" } else { "/" };
        Ok((origin, format!("{slash}{asked}")))
    }

    /// Returns it as the header `host` names it.
    pub(super) fn header(&self) -> Result<HeaderValue, NotAnOrigin> {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let text = match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        };
        HeaderValue::try_from(text).map_err(|_| NotAnOrigin)
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;
    fn from_str(text: &str) -> Result<Origin, NotAnOrigin> {
        let uri: Uri = text.parse().map_err(|_| NotAnOrigin)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(NotAnOrigin),
        };
        let authority = uri.authority().ok_or(NotAnOrigin)?;
        if authority.as_str().contains('@') || uri.query().is_some() || authority.host().is_empty() {
            return Err(NotAnOrigin);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let origin = Origin { tls, host, port, prefix };
        origin.header().map(|_| origin)
    }
}
