//! Targets that judge our own line: a TCP port, a web page (204), a name server, on or off.
//!
//! They stand for independent places in the world; when all of them fail, the line is ours.

use std::io;
use std::net::SocketAddr;

use super::dns::{self, DnsFault, Entry, NoRefusal};
use super::fault::{Fault, Mix, TcpFault};
use super::handle::{Common, Handle, Provider};
use super::http::Answer;
use super::start::Start;

/// The name that the control's name server knows.
pub const NAME: &str = "control.test";

/// How a control is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// Nothing answers: the line is cut.
    Silent,
    /// The machine answers that nobody is there.
    Refused,
}

/// A web page that answers 204 to everything; as a TCP target, it accepts.
#[derive(Debug)]
pub struct Page;

impl Provider for Page {
    type Refusal = NoRefusal;
}

/// The controls of one line.
#[derive(Clone, Debug)]
pub struct Controls {
    page: Handle<Page>,
    names: dns::Handle,
}

/// Starts the controls, each on a free port unless the address of its options says otherwise.
///
/// # Errors
/// An address cannot be listened on.
pub async fn start(page: Common, names: Common) -> io::Result<Controls> {
    let zone = [(NAME.to_owned(), vec![Entry::Address([127, 0, 0, 1].into())])];
    let names = dns::start(dns::Options { common: names, ttl_s: 0, zone: zone.into() });
    Ok(Controls { page: start_page(page)?, names: names.await? })
}

fn start_page(common: Common) -> io::Result<Handle<Page>> {
    let start = Start::new(&Common { keep: 0, ..common })?;
    Ok(start.serve_http(Page, |_, _, _| async { Answer::Text(204, String::new()) }))
}

impl Controls {
    /// Returns the address of the web page, which also serves as the TCP target.
    #[must_use]
    pub const fn page_addr(&self) -> SocketAddr {
        self.page.addr()
    }

    /// Returns the address of the name server, which knows [`NAME`].
    #[must_use]
    pub const fn names_addr(&self) -> SocketAddr {
        self.names.addr()
    }

    /// Turns all controls on.
    pub fn on(&self) {
        self.page.clear();
        self.names.clear();
        self.names.clear_names();
    }

    /// Turns all controls off.
    pub fn off(&self, how: Off) {
        let (tcp, name) = match how {
            Off::Silent => (TcpFault::Hang, DnsFault::Timeout),
            Off::Refused => (TcpFault::Refuse, DnsFault::Refused),
        };
        self.page.fault(Fault::Tcp(Mix::always(tcp)));
        self.names.fault(Fault::Tcp(Mix::always(tcp)));
        self.names.fault_all(Mix::always(name));
    }

    /// Lets this share of all requests and look-ups fail.
    pub fn fail_share(&self, share: f64) {
        let page = Mix::good().share(share, TcpFault::Reset);
        self.page.fault(Fault::Tcp(page));
        self.names.fault_all(Mix::good().share(share, DnsFault::ServFail));
    }

    /// Stops them all and waits until the ports are free.
    pub async fn stop(&self) {
        self.page.stop().await;
        self.names.stop().await;
    }
}
