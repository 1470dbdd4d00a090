//! Where a probe goes: a host and a port, and the road there, layer by layer.

use super::context::Context;
use super::definition::{Reader, Unbuildable};
use super::target::{Escape, Target, Text, Unset};
use super::tcp;
use super::tls::Handshake;
use super::trace::{Limits, Trace};
use crate::core::evidence::Layer;
use crate::core::outcome::Reason;
use crate::diag::Loose;
use crate::settings::port_of;
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

/// A place as its file writes it: a URL, or a host and a port. What is left out is the gateway's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PlaceText {
    Parts { host: Option<Text>, port: Option<Text> },
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
        self.secure(stream, trace).await
    }

    /// Goes down the same road, to none of the host's addresses but those that are `allowed`: what was asked of the name is
    /// what is connected to, so that a name cannot change its mind between the two.
    pub(crate) async fn open_within(
        &self,
        context: &Context,
        trace: &mut Trace,
        allowed: impl Fn(IpAddr) -> bool,
    ) -> Result<Box<dyn Wire>, Reason> {
        let mut addresses = self.place.find(context, trace, &self.limits).await?;
        addresses.retain(|address| allowed(*address));
        if addresses.is_empty() {
            return Err(Reason::Configuration);
        }
        let opened = tcp::connect(&addresses, self.place.port);
        let stream = trace.phase(Layer::Tcp, self.limits.connect, Reason::TcpTimeout, opened).await?;
        self.secure(stream, trace).await
    }

    async fn secure(&self, stream: TcpStream, trace: &mut Trace) -> Result<Box<dyn Wire>, Reason> {
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(handshake) => Ok(Box::new(handshake.shake(stream, trace, &self.limits).await?)),
        }
    }
}

// === impl PlaceText ===

impl PlaceText {
    /// Reads `url`, or `host` and `port`.
    pub(crate) fn parse(reader: &mut Reader<'_>) -> Option<PlaceText> {
        if let Some(url) = reader.text("url") {
            return Some(PlaceText::Url(url));
        }
        let host = reader.text("host");
        let Some(port) = reader.loose("port") else { return Some(PlaceText::Parts { host, port: None }) };
        let text = match port.value {
            Loose::Text(text) => text,
            Loose::Whole(number) if (1..=65_535).contains(&number) => number.to_string(),
            _ => {
                reader.bad_value(
                    "port",
                    &port.place,
                    "a port",
                    "write a number from 1 to 65535, or \"{port}\"",
                );
                return None;
            }
        };
        Some(PlaceText::Parts { host, port: Some(Text::parse(&text)) })
    }

    /// Fills it for a gateway. `usual` is the port where neither the file nor the gateway names one.
    pub(crate) fn fill(&self, target: &Target, usual: Option<u16>) -> Result<Place, Unbuildable> {
        let (host, port) = match self {
            PlaceText::Url(url) => return Ok(Address::parse(&url.fill(target, Escape::Url)?)?.place),
            PlaceText::Parts { host, port } => (host, port),
        };
        // Another host than the gateway's has its own usual port, where there is one.
        let own_port = target.value("port").filter(|_| host.is_none() || usual.is_none()).map(str::to_owned);
        let port = match port {
            Some(port) => Some(port.fill(target, Escape::None)?),
            None => own_port.or_else(|| usual.map(|port| port.to_string())),
        };
        let port = port.ok_or_else(|| Unset("port".to_owned()))?;
        let host = match host {
            Some(host) => host.fill(target, Escape::None)?,
            None => target.required("host")?.to_owned(),
        };
        // Brackets around an IPv6 address are a URL's habit.
        let host = host.trim_matches(['[', ']']).to_owned();
        match port.parse().ok().filter(|port| *port > 0) {
            Some(port) if !host.is_empty() => Ok(Place { host, port }),
            _ => Err(Unbuildable::BadPlace),
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
        let port = port_of(authority)?.unwrap_or(if secure { 443 } else { 80 });
        if host.is_empty() {
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
    use crate::settings::BadPort;

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
        for bad in ["", "graph.facebook.com", "ftp://x", "https://user:secret@x/", "http://a b/secret"] {
            let error = Address::parse(bad).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        for bad in ["http://x:0/", "https://x:70000/secret"] {
            assert_eq!(Address::parse(bad), Err(Unbuildable::BadPort(BadPort)), "{bad}");
        }
    }
}
