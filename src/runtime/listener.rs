//! The listener: HTTP/1.1 over TCP, with TLS where it is configured.
//!
//! Limits: as many connections at once as there are [`Places`], further ones wait in the kernel's queue; a head that is
//! not whole within [`HEAD_WAIT`] closes its connection. A stop lets each connection finish the answer it is at. Another
//! certificate may be put in force at any time: it is for the connections that come after.

use crate::runtime::places::{Place, Places};
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// How long a request's head may take, and a connection may rest between two requests.
const HEAD_WAIT: Duration = Duration::from_secs(10);
/// The same for a neighbour. A proxy must be the one that ends a connection at rest, or it sends a request into the end of
/// it. Cites: nginx's `keepalive_timeout` towards its upstreams, 60 s.
const NEIGHBOUR_HEAD_WAIT: Duration = Duration::from_secs(75);
/// How long a TLS handshake may take.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);
/// How long to wait where the system gives no further connection (no files left).
const AGAIN: Duration = Duration::from_millis(100);
/// How long a stop waits for the answers under way.
const FINISH_WAIT: Duration = Duration::from_secs(5);

/// Why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTls {
    /// The file cannot be read as PEM.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The two do not go together.
    #[error("the certificate and the key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// What a listener with TLS shows of itself. It may be another for the next connection.
pub type Shown = watch::Receiver<Arc<ServerConfig>>;

/// Reads a certificate and its key.
pub fn tls(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, BadTls> {
    let bad = |path: &Path, why: String| BadTls::File { path: path.display().to_string(), why };
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| bad(cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(bad(cert, "it holds no certificate".into()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| bad(key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Serves until `stop` says so, then lets the answers under way finish.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Shown>,
    router: Router,
    places: Places,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        // A place first: who finds none waits in the kernel's queue and costs us no file.
        let next = async { (places.any().await, listener.accept().await) };
        let (place, accepted) = tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let Some(place) = place.and_then(|any| places.take(any, peer.ip())) else {
            tracing::debug!(%peer, "this address has as many connections as one may have");
            continue;
        };
        let tls = tls.as_ref().map(|shown| TlsAcceptor::from(Arc::clone(&shown.borrow())));
        let (router, stop) = (router.clone(), stop.clone());
        tokio::spawn(connection(stream, peer, place, tls, router, stop));
    }
    drop(tokio::time::timeout(FINISH_WAIT, places.all_free()).await);
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    let head_wait = if place.is_neighbours() { NEIGHBOUR_HEAD_WAIT } else { HEAD_WAIT };
    // Answers are small and waited for: no gathering.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    match tls {
        None => speak(stream, peer, head_wait, router, stop).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE_WAIT, tls.accept(stream)).await {
            Ok(Ok(stream)) => speak(stream, peer, head_wait, router, stop).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
}

async fn speak<S>(
    stream: S,
    peer: SocketAddr,
    head_wait: Duration,
    router: Router,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        inner.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_wait)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // An error here is the other end's: it went away or does not speak HTTP.
    tokio::select! {
        done = connection.as_mut() => return drop(done),
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(connection.await);
}
