//! Where a probe goes: a host and a port, and the road there, layer by layer.

use super::context::Context;
use super::definition::{Reader, Unbuildable};
use super::target::{Escape, Target, Text};
use super::tcp;
use super::tls::Handshake;
use super::trace::{Limits, Trace};
use crate::core::evidence::Layer;
use crate::core::outcome::Reason;
use crate::diag::Loose;
use hyper::Uri;
use std::net::IpAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// An open connection, plain or not.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A host and a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The road to a place: with TLS, or without.
pub(crate) struct Road {
    pub(crate) place: Place,
    pub(crate) tls: Option<Handshake>,
    pub(crate) limits: Limits,
}

/// A place as its file writes it: a host and a port, or a URL that has both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PlaceText {
    Parts { host: Text, port: Text },
    Url(Text),
}

// === impl Place ===

impl Place {
    /// Finds the host's addresses as the phase `dns`; an address needs no finding and leaves no phase.
    pub(crate) async fn find(
        &self,
        context: &Context,
        trace: &mut Trace,
        limits: &Limits,
    ) -> Result<Vec<IpAddr>, Reason> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(vec![ip]);
        }
        let found = context.resolvers.find(&self.host, limits.dns);
        // The resolvers keep to the limit themselves, since they know what the silence meant.
        trace.phase(Layer::Dns, limits.dns.times(2), Reason::DnsTimeout, found).await
    }

    /// Finds the host and opens a connection, as the phases `dns` and `tcp`.
    pub(crate) async fn open(
        &self,
        context: &Context,
        trace: &mut Trace,
        limits: &Limits,
    ) -> Result<TcpStream, Reason> {
        let addresses = self.find(context, trace, limits).await?;
        let opened = tcp::connect(&addresses, self.port);
        trace.phase(Layer::Tcp, limits.connect, Reason::TcpTimeout, opened).await
    }
}

// === impl Road ===

impl Road {
    /// Goes down to the deepest layer of the road: an open connection.
    pub(crate) async fn open(&self, context: &Context, trace: &mut Trace) -> Result<Box<dyn Wire>, Reason> {
        let stream = self.place.open(context, trace, &self.limits).await?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(handshake) => Ok(Box::new(handshake.shake(stream, trace, &self.limits).await?)),
        }
    }
}

// === impl PlaceText ===

impl PlaceText {
    /// Reads `url`, or `host` and `port`; without a port, `port`.
    pub(crate) fn parse(reader: &mut Reader<'_>, port: u16) -> Option<PlaceText> {
        PlaceText::read(reader, Some(port))
    }

    /// Reads `url`, or `host` and `port`, which must be there.
    pub(crate) fn parse_with_port(reader: &mut Reader<'_>) -> Option<PlaceText> {
        PlaceText::read(reader, None)
    }

    fn read(reader: &mut Reader<'_>, default_port: Option<u16>) -> Option<PlaceText> {
        if let Some(url) = reader.text("url") {
            return Some(PlaceText::Url(url));
        }
        let host = reader.required_text("host");
        let port = match (reader.loose("port"), default_port) {
            (Some(port), _) => match port.value {
                Loose::Text(text) => Some(Text::parse(&text)),
                Loose::Whole(number) if (1..=65_535).contains(&number) => {
                    Some(Text::parse(&number.to_string()))
                }
                _ => {
                    reader.bad_value(
                        "port",
                        &port.place,
                        "a port",
                        "write a number from 1 to 65535, or \"{port}\"",
                    );
                    None
                }
            },
            (None, Some(port)) => Some(Text::parse(&port.to_string())),
            (None, None) => {
                reader.missing("port");
                None
            }
        };
        Some(PlaceText::Parts { host: host?, port: port? })
    }

    /// Fills it for a gateway.
    pub(crate) fn fill(&self, target: &Target) -> Result<Place, Unbuildable> {
        match self {
            PlaceText::Url(url) => Ok(Address::parse(&url.fill(target, Escape::Url)?)?.place),
            PlaceText::Parts { host, port } => {
                let host = host.fill(target, Escape::None)?;
                let port = port.fill(target, Escape::None)?;
                // Brackets around an IPv6 address are a URL's habit.
                let host = host.trim_matches(['[', ']']).to_owned();
                let port = port.parse().ok().filter(|port| *port > 0);
                match port {
                    Some(port) if !host.is_empty() => Ok(Place { host, port }),
                    _ => Err(Unbuildable::BadPlace),
                }
            }
        }
    }
}

/// A URL taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address {
    pub(crate) place: Place,
    pub(crate) secure: bool,
    /// What stands in the `Host` header.
    pub(crate) authority: String,
    /// The path and the query.
    pub(crate) origin_form: Uri,
}

impl Address {
    /// Takes an `http` or `https` URL apart. The error does not repeat it, since it may hold a token.
    pub(crate) fn parse(url: &str) -> Result<Address, Unbuildable> {
        let uri: Uri = url.parse().map_err(|_| Unbuildable::BadUrl)?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(Unbuildable::BadUrl),
        };
        let authority = uri.authority().ok_or(Unbuildable::BadUrl)?;
        if authority.as_str().contains('@') {
            return Err(Unbuildable::BadUrl);
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        if host.is_empty() || port == 0 {
            return Err(Unbuildable::BadUrl);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let origin_form = path.parse().map_err(|_| Unbuildable::BadUrl)?;
        Ok(Address { place: Place { host, port }, secure, authority: authority.to_string(), origin_form })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_never_repeated() {
        let check = |url: &str, host: &str, port, secure, path: &str| {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.place, Place { host: host.into(), port }, "{url}");
            assert_eq!((address.secure, address.origin_form.to_string()), (secure, path.to_owned()), "{url}");
        };
        check(
            "https://graph.facebook.com/v23.0/1?fields=a,b",
            "graph.facebook.com",
            443,
            true,
            "/v23.0/1?fields=a,b",
        );
        check("http://127.0.0.1:8080", "127.0.0.1", 8080, false, "/");
        check("http://[::1]:81/bot12:ab/getMe", "::1", 81, false, "/bot12:ab/getMe");
        check("https://h?x=1", "h", 443, true, "/?x=1");
        for bad in [
            "",
            "graph.facebook.com",
            "ftp://x",
            "https://user:secret@x/",
            "http://x:0/",
            "http://a b/secret",
        ] {
            let error = Address::parse(bad).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
