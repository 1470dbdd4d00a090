//! Whether `[server] public_url` leads to this service: by its name, over the real network, with the usual certificates.
//!
//! It is asked from this machine. A network may lead its own machines elsewhere than strangers, so that all is well from here says
//! little of the outside; what is not well from here is seldom well from there.
//!
//! Limits: [`PATIENCE`] for the request and its answer, beside those of each layer below; [`ANSWER_BYTES_MAX`] of answer.

use super::files::is_here;
use super::finding::Finding;
use crate::adapter::net::{Net, Tls};
use crate::core::outcome::Reason;
use crate::settings::Settings;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

const CHECK: &str = "public address";
/// How long the request and its answer may take, once connected.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read: ours to this takes two hundred bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Where providers call, at a gateway that none can be named like: what answers says in our own words that nobody is there.
const ASKED: &str = "/hooks/~";
/// What every refusal of ours begins its type with, and no other program's.
const OURS: &str = "urn:wasl:problem:";

/// Asks for the public address. `runs`: a service runs on this machine.
pub(super) async fn look(settings: &Settings, net: &Net, runs: bool) -> Option<Finding> {
    let url = settings.server.public_url.trim_end_matches('/');
    // That such an address is of no use to others is told with the hooks.
    if is_here(url) {
        return None;
    }
    let answer = ask(url, net).await;
    if !runs && !matches!(&answer, Ok((_, body)) if body["type"].is_string()) {
        return Some(Finding::unasked(
            CHECK,
            format!("{url} has no answer of this service, which does not run here"),
            "start it, and run this again",
        ));
    }
    Some(judge(url, settings, answer))
}

fn judge(url: &str, settings: &Settings, answer: Result<(u16, Value), Reason>) -> Finding {
    let file = settings.file.display();
    let (status, body) = match answer {
        Ok(answer) => answer,
        Err(reason) => {
            let what = format!("{url} is not reached from this machine: {}", reason.name().replace('_', " "));
            return Finding::fault(CHECK, what, remedy(reason, &file.to_string()));
        }
    };
    let listen = settings.server.listen;
    match (status, body["type"].as_str().and_then(|kind| kind.strip_prefix(OURS))) {
        (_, Some("wrong-host")) => Finding::fault(
            CHECK,
            format!("{url} leads to a Wasl that does not know itself by this name, and refuses every call"),
            format!(
                "let the proxy pass the header `host` on as it came, or add the name that it sends to `hosts` in [server] of {file}"
            ),
        ),
        (_, Some(_)) => Finding::fine(
            CHECK,
            format!("{url} leads to a Wasl that hears providers (asked from this machine, not from outside)"),
        ),
        (502..=504, None) => Finding::fault(
            CHECK,
            format!("{url} is a proxy that does not reach the service: it answers {status}"),
            format!("let it lead to {listen}, where the service listens"),
        ),
        (_, None) => Finding::fault(
            CHECK,
            format!("{url} answers {status}, and what answers is not Wasl"),
            format!(
                "let the proxy there pass everything below /hooks/ on to {listen}, or mend `public_url` in [server] of {file}"
            ),
        ),
    }
}

/// Says what a person can do about the layer that failed.
fn remedy(reason: Reason, file: &str) -> String {
    match reason {
        Reason::DnsNxdomain | Reason::DnsEmpty => format!(
            "add the name to your zone with the address that leads here, or mend `public_url` in [server] of {file}"
        ),
        Reason::DnsServfail | Reason::DnsTimeout => {
            "the name servers do not answer: `resolvectl query` the name, and ask whoever keeps the zone".into()
        }
        Reason::TcpRefused => {
            "nothing listens there: start the proxy, and look where the router leads the port".into()
        }
        Reason::TcpTimeout | Reason::TcpReset | Reason::Unreachable => {
            "look at the firewall and the router: the port must be let in; some routers let nobody out and in again, so ask from \
             outside as well"
                .into()
        }
        Reason::TlsExpired => {
            "renew the certificate there, or set this machine's clock: `timedatectl`; no provider calls an address with an ended one"
                .into()
        }
        Reason::TlsWrongName => {
            format!("get a certificate for that name, or write the certificate's as `public_url` in [server] of {file}")
        }
        Reason::TlsUntrusted => {
            "give the certificates between it and the root along with it, or get one from a common authority: providers trust no \
             other"
                .into()
        }
        _ => "ask it by hand: `curl -v` the address; a proxy without TLS at an https address looks so, too".into(),
    }
}

async fn ask(url: &str, net: &Net) -> Result<(u16, Value), Reason> {
    let asked: Uri = format!("{url}{ASKED}").parse().map_err(|_| Reason::Configuration)?;
    let host = asked.host().ok_or(Reason::Configuration)?.trim_start_matches('[').trim_end_matches(']');
    let is_tls = asked.scheme_str() == Some("https");
    let port = asked.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let stream = net.connect(host, port).await?;
    if !is_tls {
        return within(exchange(stream, &asked)).await;
    }
    let tls = Tls::new(None).map_err(|_| Reason::TlsFailed)?;
    let stream = tls.handshake(host, stream).await?;
    within(exchange(stream, &asked)).await
}

async fn within(
    exchange: impl Future<Output = Result<(u16, Value), Reason>>,
) -> Result<(u16, Value), Reason> {
    timeout(PATIENCE, exchange).await.unwrap_or(Err(Reason::Timeout))
}

/// Asks over a connection. A body that is no JSON, or too long, is nothing.
async fn exchange<S>(stream: S, asked: &Uri) -> Result<(u16, Value), Reason>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, driver) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|_| Reason::Unreadable)?;
    let path = asked.path_and_query().map_or(ASKED, |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, asked.authority().map_or("", |authority| authority.as_str()))
        .header(USER_AGENT, concat!("wasl/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Reason::Configuration)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|_| Reason::Unreadable)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    };
    // The connection moves only while it is looked at, and ends with the answer.
    tokio::pin!(answer, driver);
    tokio::select! {
        biased;
        answered = &mut answer => answered,
        _ = &mut driver => answer.await,
    }
}
