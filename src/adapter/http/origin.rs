//! Where requests go.

use crate::settings::{BadPort, port_of};
use hyper::Uri;
use hyper::header::HeaderValue;
use std::net::IpAddr;
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
pub(in crate::adapter) enum NotAnOrigin {
    /// It has another form.
    #[error("expected http:// or https:// and a host, without user, query or fragment")]
    Form,
    /// Its port is none.
    #[error(transparent)]
    Port(#[from] BadPort),
}

impl Origin {
    /// Says whether it is spoken to over TLS.
    pub(in crate::adapter) fn is_tls(&self) -> bool {
        self.tls
    }

    /// Says whether it is on this machine.
    pub(in crate::adapter) fn is_here(&self) -> bool {
        let address: Option<IpAddr> = self.host.parse().ok();
        address.map_or(self.host == "localhost", |address| address.is_loopback())
    }

    /// Takes a whole URL apart: its origin without a prefix, and what is asked of it, path and query.
    pub(in crate::adapter) fn of_url(url: &str) -> Result<(Origin, String), NotAnOrigin> {
        // The parser drops a fragment without a word, and it would be missed.
        if url.contains('#') {
            return Err(NotAnOrigin::Form);
        }
        let uri: Uri = url.parse().map_err(|_| NotAnOrigin::Form)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(NotAnOrigin::Form);
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
        HeaderValue::try_from(text).map_err(|_| NotAnOrigin::Form)
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;
    fn from_str(text: &str) -> Result<Origin, NotAnOrigin> {
        let uri: Uri = text.parse().map_err(|_| NotAnOrigin::Form)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(NotAnOrigin::Form),
        };
        let authority = uri.authority().ok_or(NotAnOrigin::Form)?;
        if authority.as_str().contains('@') || uri.query().is_some() || authority.host().is_empty() {
            return Err(NotAnOrigin::Form);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = port_of(authority)?.unwrap_or(if tls { 443 } else { 80 });
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let origin = Origin { tls, host, port, prefix };
        origin.header().map(|_| origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_or_says_what_is_wrong() {
        let check = |text: &str, expected: Result<(&str, u16), NotAnOrigin>| {
            let origin = text.parse::<Origin>();
            let found = origin.as_ref().map(|origin| (origin.host.as_str(), origin.port));
            assert_eq!(found.map_err(|why| *why), expected, "{text}");
        };
        check("https://h", Ok(("h", 443)));
        check("http://h/x/", Ok(("h", 80)));
        check("http://[::1]:65535", Ok(("::1", 65_535)));
        check("ftp://h", Err(NotAnOrigin::Form));
        check("https://u@h", Err(NotAnOrigin::Form));
        check("https://h:70000", Err(NotAnOrigin::Port(BadPort)));
        check("http://h:0/x", Err(NotAnOrigin::Port(BadPort)));
    }

    #[test]
    fn a_url_is_asked_as_it_stands() {
        let check = |url: &str, expected: &str| {
            let (_, asked) = Origin::of_url(url).expect("a URL");
            assert_eq!(asked, expected, "{url}");
        };
        check("https://h/in/x/?a=1&b=%2F", "/in/x/?a=1&b=%2F");
        check("https://h", "/");
        check("https://h?a=1", "/?a=1");
        assert_eq!(Origin::of_url("https://h:70000/in?a=1"), Err(NotAnOrigin::Port(BadPort)));
    }
}
