//! The listener of the stream emulators: faults of connecting and of TLS, cuts and stops.
//!
//! Invariant: the port is held from the start to the stop, also while connections are refused.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::desk::{Desk, Gate, Mode};
use super::fault::{Refusal, TcpFault, TlsFault};
use super::tls::{Certificate, Identity};

/// Connections served at once; more wait in the backlog.
const CONNECTIONS_MAX: usize = 4_096;

/// The ordinary backlog: a load test opens some hundred connections in one go.
const BACKLOG: u32 = 1_024;

/// Attempts to fill a backlog of one; Linux takes two connections before it falls silent.
const FILL_MAX: usize = 8;

/// A loopback connection that takes longer than this has met a full backlog.
const FILL_WAIT: Duration = Duration::from_millis(100);

/// How often, and how far apart, the port is asked for again after the listener changed.
const REBIND_MAX: usize = 100;
const REBIND_WAIT: Duration = Duration::from_millis(20);

/// Binds the listener of an emulator.
pub(crate) fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    hold_port(addr)?.listen(BACKLOG)
}

/// Takes a port without listening on it: connecting is refused.
fn hold_port(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

/// Accepts until stopped, and gives each connection that gets through to `serve`.
pub(crate) async fn run<R, F, Fut>(
    desk: Arc<Desk<R>>,
    mut gate: watch::Receiver<Gate>,
    listener: TcpListener,
    tls: Option<Identity>,
    serve: F,
) where
    R: Refusal,
    F: Fn(Wire) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let Ok(addr) = listener.local_addr() else {
        return;
    };
    let shared = Arc::new(Shared { desk, tls, serve });
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut port = Port::Open(listener);
    loop {
        let mode = gate.borrow_and_update().mode;
        if mode == Mode::Stopped {
            return;
        }
        port = match port.turn(addr, mode).await {
            Ok(port) => port,
            // Somebody else took the port; an emulator without one has nothing more to do.
            Err(_) => return,
        };
        tokio::select! {
            biased;
            changed = gate.changed() => if changed.is_err() { return },
            accepted = port.accept(&places) => {
                let Some((stream, place)) = accepted else { continue };
                let (shared, gate) = (Arc::clone(&shared), gate.clone());
                tokio::spawn(async move {
                    attend(&shared, gate, stream).await;
                    drop(place);
                });
            }
        }
    }
}

struct Shared<R, F> {
    desk: Arc<Desk<R>>,
    tls: Option<Identity>,
    serve: F,
}

/// The port in one of its modes.
enum Port {
    Open(TcpListener),
    Refusing(TcpSocket),
    Silent {
        listener: TcpListener,
        /// Connections of our own that fill the backlog.
        fill: Vec<TcpStream>,
    },
}

impl Port {
    async fn turn(self, addr: SocketAddr, mode: Mode) -> io::Result<Self> {
        match (self, mode) {
            (Self::Open(listener), Mode::Open) => Ok(Self::Open(listener)),
            (Self::Refusing(socket), Mode::Refuse) => Ok(Self::Refusing(socket)),
            (silent @ Self::Silent { .. }, Mode::Silent) => Ok(silent),
            (old, mode) => {
                let socket = match old {
                    Self::Refusing(socket) => socket,
                    Self::Open(listener) => {
                        drop(listener);
                        rebind(addr).await?
                    }
                    Self::Silent { listener, fill } => {
                        drop((listener, fill));
                        rebind(addr).await?
                    }
                };
                match mode {
                    Mode::Open => Ok(Self::Open(socket.listen(BACKLOG)?)),
                    Mode::Silent => Self::silent(socket.listen(1)?, addr).await,
                    Mode::Refuse | Mode::Stopped => Ok(Self::Refusing(socket)),
                }
            }
        }
    }

    async fn silent(listener: TcpListener, addr: SocketAddr) -> io::Result<Self> {
        let mut fill = Vec::new();
        for _ in 0..FILL_MAX {
            match tokio::time::timeout(FILL_WAIT, TcpStream::connect(addr)).await {
                Ok(Ok(stream)) => fill.push(stream),
                Ok(Err(error)) => return Err(error),
                Err(_) => break,
            }
        }
        Ok(Self::Silent { listener, fill })
    }

    /// Accepts a connection when there is a place for it; never returns while the port is closed.
    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
        let Self::Open(listener) = self else {
            return std::future::pending().await;
        };
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        match listener.accept().await {
            Ok((stream, _)) => Some((stream, place)),
            // Out of descriptors, or the caller has gone: the next one may do better.
            Err(_) => {
                tokio::time::sleep(REBIND_WAIT).await;
                None
            }
        }
    }
}

async fn rebind(addr: SocketAddr) -> io::Result<TcpSocket> {
    let mut tries = 0;
    loop {
        match hold_port(addr) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < REBIND_MAX => {
                tries += 1;
                tokio::time::sleep(REBIND_WAIT).await;
            }
            result => return result,
        }
    }
}

/// Serves one connection until it ends, is cut, or the emulator stops.
async fn attend<R, F, Fut>(shared: &Shared<R, F>, mut gate: watch::Receiver<Gate>, tcp: TcpStream)
where
    R: Refusal,
    F: Fn(Wire) -> Fut,
    Fut: Future<Output = ()>,
{
    let abort = Arc::new(AtomicBool::new(false));
    let wire = Wire::new(tcp, Arc::clone(&abort));
    let cuts = gate.borrow().cuts;
    let work = async {
        if let Some(wire) = admit(shared, wire).await {
            (shared.serve)(wire).await;
        }
    };
    let mut work = std::pin::pin!(work);
    let touched = |gate: &Gate| gate.cuts != cuts || gate.mode != Mode::Open;
    tokio::select! {
        biased;
        () = until(&mut gate, touched) => {
            // While the emulator is silent the connection stays open, and nobody serves it.
            until(&mut gate, |gate| gate.mode != Mode::Silent).await;
            abort.store(true, Ordering::Relaxed);
        }
        () = &mut work => {}
    }
    // A wire that is still open is dropped with `work`, and reset if told to.
}

/// Waits for a state of the gate; that the desk has gone counts as any state.
pub(crate) async fn until(gate: &mut watch::Receiver<Gate>, state: impl FnMut(&Gate) -> bool) {
    let _ = gate.wait_for(state).await;
}

/// Waits until the emulator is told to stop.
pub(crate) async fn stopped(gate: &mut watch::Receiver<Gate>) {
    until(gate, |gate| gate.mode == Mode::Stopped).await;
}

/// Applies the faults of connecting and of TLS; returns the wire that is to be served.
async fn admit<R: Refusal, F>(shared: &Shared<R, F>, wire: Wire) -> Option<Wire> {
    let (fault, delay) = shared.desk.draw_tcp();
    tokio::time::sleep(delay).await;
    match fault {
        Some(TcpFault::Refuse | TcpFault::Reset) => {
            wire.reset();
            return None;
        }
        Some(TcpFault::Hang) => {
            wire.swallow().await;
            return None;
        }
        None => {}
    }
    match &shared.tls {
        None => Some(wire),
        Some(identity) => secure(&shared.desk, wire, identity).await,
    }
}

/// Makes the TLS handshake, faulty or not.
pub(crate) async fn secure<R: Refusal>(desk: &Desk<R>, mut wire: Wire, identity: &Identity) -> Option<Wire> {
    let (fault, delay) = desk.draw_tls();
    tokio::time::sleep(delay).await;
    let certificate = match fault {
        Some(TlsFault::Reset) => {
            let mut first = [0; 64];
            let _ = wire.read(&mut first).await;
            wire.reset();
            return None;
        }
        Some(TlsFault::Hang) => {
            wire.swallow().await;
            return None;
        }
        Some(TlsFault::Certificate(certificate)) => certificate,
        None => Certificate::Good,
    };
    let config = identity.config(certificate).ok()?;
    wire.start_tls(&TlsAcceptor::from(config)).await.ok()
}

/// One connection, plain or TLS, which knows how to end with a reset.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    abort: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Taken out for the handshake.
    Gone,
}

impl Wire {
    fn new(tcp: TcpStream, abort: Arc<AtomicBool>) -> Self {
        // Small answers should leave at once; without it they only leave later.
        let _ = tcp.set_nodelay(true);
        Self { stream: Stream::Plain(tcp), abort }
    }

    /// Returns the switch that makes the end of this connection a reset.
    pub(crate) fn abort_switch(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.abort)
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        self.abort.store(true, Ordering::Relaxed);
    }

    /// Reads and forgets until the other side ends.
    pub(crate) async fn swallow(mut self) {
        let mut buffer = [0; 4096];
        while matches!(self.read(&mut buffer).await, Ok(1..)) {}
    }

    /// Turns a plain connection into TLS.
    pub(crate) async fn start_tls(mut self, acceptor: &TlsAcceptor) -> io::Result<Self> {
        match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Plain(tcp) => {
                self.stream = Stream::Tls(Box::new(acceptor.accept(tcp).await?));
                Ok(self)
            }
            Stream::Tls(_) | Stream::Gone => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Says whether the connection is under TLS.
    pub(crate) const fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if !self.abort.load(Ordering::Relaxed) {
            return;
        }
        // Where the option cannot be set the connection ends in order, which is the next best.
        let _ = match &self.stream {
            Stream::Plain(tcp) => tcp.set_zero_linger(),
            Stream::Tls(tls) => tls.get_ref().0.set_zero_linger(),
            Stream::Gone => Ok(()),
        };
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
            Stream::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
            Stream::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            Stream::Gone => Poll::Ready(Ok(())),
        }
    }
}
