//! How every emulator starts: it takes its port and gets its desk, then each connection is served by its provider.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::desk::Desk;
use super::handle::{Common, Handle, Provider};
use super::http::{self, Answer, Request};
use super::listen::{self, Wire};
use super::tls::Identity;

/// An emulator that has its port and its desk, and serves nobody yet.
pub(crate) struct Start<P: Provider> {
    addr: SocketAddr,
    listener: TcpListener,
    tls: Option<Identity>,
    pub(crate) desk: Arc<Desk<P::Refusal>>,
}

impl<P: Provider> Start<P> {
    /// Takes the port that `common` asks for.
    pub(crate) fn new(common: &Common) -> io::Result<Self> {
        Self::on(listen::bind(common.addr)?, common)
    }

    /// Starts on a listener that somebody else bound.
    pub(crate) fn on(listener: TcpListener, common: &Common) -> io::Result<Self> {
        Ok(Self {
            addr: listener.local_addr()?,
            listener,
            tls: common.tls.clone(),
            desk: Arc::new(Desk::new(common.seed, common.keep)),
        })
    }

    /// Gives each connection that gets through to `serve`, until the emulator stops.
    pub(crate) fn serve<F, Fut>(self, provider: P, serve: F) -> Handle<P>
    where
        F: Fn(Arc<P>, Arc<Desk<P::Refusal>>, Wire) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let (desk, provider) = (self.desk, Arc::new(provider));
        let (held, server) = (Arc::clone(&desk), Arc::clone(&provider));
        let serve = move |wire| serve(Arc::clone(&server), Arc::clone(&held), wire);
        tokio::spawn(listen::run(Arc::clone(&desk), desk.gate.subscribe(), self.listener, self.tls, serve));
        Handle::new(self.addr, desk, provider)
    }

    /// Speaks HTTP on each connection; `route` answers each request that no fault swallowed.
    pub(crate) fn serve_http<F, Fut>(self, provider: P, route: F) -> Handle<P>
    where
        F: Fn(Arc<P>, Arc<Desk<P::Refusal>>, Request) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        self.serve(provider, move |provider, desk, wire| {
            let held = Arc::clone(&desk);
            http::serve(desk, wire, move |request| route(Arc::clone(&provider), Arc::clone(&held), request))
        })
    }
}
