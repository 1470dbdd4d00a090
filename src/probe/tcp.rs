//! Connections: opening one to the first address that takes it, and the probe of kind `tcp`.

use super::context::Context;
use super::definition::{Reader, Unbuildable};
use super::place::{Place, PlaceText};
use super::race::staggered;
use super::target::Target;
use super::trace::{Limits, Trace};
use super::{Blueprint, Doing, Probe};
use crate::core::evidence::Verdict;
use crate::core::outcome::Reason;
use rustix::io::Errno;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long an address is waited for before the next one is tried as well. Cites: RFC 8305 section 5.
const HEAD_START: Duration = Duration::from_millis(250);

/// Opens a connection to the first address that takes it.
pub(crate) async fn connect(addresses: &[IpAddr], port: u16) -> Result<TcpStream, Reason> {
    let mut errors = Vec::new();
    let open = |ip: &IpAddr| {
        let at = SocketAddr::new(*ip, port);
        async move {
            let stream = TcpStream::connect(at).await.map_err(|error| reason(&error))?;
            // Requests are small and whole: waiting to fill a packet would be measured as the provider's slowness.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
    };
    let opened = staggered(addresses.iter(), HEAD_START, &mut errors, open).await;
    // A host that refuses is nearer than one that is not there; one that was not asked at all may have been there.
    let order = [Reason::TcpRefused, Reason::TcpReset, Reason::Busy, Reason::TcpTimeout];
    opened.ok_or_else(|| order.into_iter().find(|r| errors.contains(r)).unwrap_or(Reason::Unreachable))
}

/// Reads the error of an attempt to connect.
pub(crate) fn reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Reason::TcpRefused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Reason::TcpReset,
        io::ErrorKind::TimedOut => Reason::TcpTimeout,
        _ if is_lack_of_files(error) => Reason::Busy,
        _ => Reason::Unreachable,
    }
}

/// Says whether no socket can be opened at all, here and now: that is our own lack, and no gateway's fault.
pub(crate) fn out_of_files() -> bool {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).is_err_and(|error| is_lack_of_files(&error))
}

/// Says whether this process, or the machine, has no file descriptor left.
pub(crate) fn is_lack_of_files(error: &io::Error) -> bool {
    let lack = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| lack.contains(&code))
}

// === the probe ===

/// Opens a connection and closes it.
struct TcpProbe {
    place: Place,
    limits: Limits,
}

struct Plan {
    place: PlaceText,
}

/// Reads the keys of kind `tcp`.
pub(super) fn parse(reader: &mut Reader<'_>) -> Option<Box<dyn Blueprint>> {
    Some(Box::new(Plan { place: PlaceText::parse(reader)? }))
}

impl Blueprint for Plan {
    fn build(&self, target: &Target, _: &Context, limits: Limits) -> Result<Box<dyn Probe>, Unbuildable> {
        Ok(Box::new(TcpProbe { place: self.place.fill(target, None)?, limits }))
    }
}

impl Probe for TcpProbe {
    fn run<'a>(&'a self, context: &'a Context, trace: &'a mut Trace) -> Doing<'a, Result<Verdict, Reason>> {
        Box::pin(async move {
            self.place.open(context, trace, &self.limits).await?;
            Ok(Verdict::Fine)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_a_connection_has_its_reason() {
        let check = |kind: io::ErrorKind, expected| assert_eq!(reason(&kind.into()), expected);
        check(io::ErrorKind::ConnectionRefused, Reason::TcpRefused);
        check(io::ErrorKind::ConnectionReset, Reason::TcpReset);
        check(io::ErrorKind::TimedOut, Reason::TcpTimeout);
        check(io::ErrorKind::HostUnreachable, Reason::Unreachable);
        check(io::ErrorKind::NetworkUnreachable, Reason::Unreachable);
        for errno in [Errno::MFILE, Errno::NFILE] {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            assert_eq!(reason(&error), Reason::Busy, "{error}");
        }
    }
}
