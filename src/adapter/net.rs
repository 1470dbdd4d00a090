//! The way out for adapters: names to addresses, connections, TLS, each phase with a time-out and a [`Reason`] of
//! its own.
//!
//! Limits: [`PHASE_TIME_OUT`] for the name and the port together, and again for TLS. Addresses are tried side by
//! side, a quarter of a second apart, so that a dead address family costs that much and not the attempt. The machine's
//! name servers are looked at again after [`SYSTEM_REREAD`]: a machine that changes networks changes them, and one that
//! starts before its network has none yet.
//!
//! Invariant: whatever fails here fails before a byte of a message has left the machine.

use crate::core::outcome::Reason;
use crate::settings::Resolver;
use rustix::io::Errno;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use trust_dns_resolver::TokioResolver;
use trust_dns_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use trust_dns_resolver::net::runtime::TokioRuntimeProvider;
use trust_dns_resolver::net::{DnsError, NetError};
use trust_dns_resolver::proto::op::ResponseCode;
use trust_dns_resolver::proto::rr::Name;
use trust_dns_resolver::system_conf::read_system_conf;

/// How long finding and opening a port may take, and TLS over it: a way across the world takes 0.3 s, and a lost
/// packet is repeated after 1 s. Cites: the "connect and TLS apart, 3 s".
pub const PHASE_TIME_OUT: Duration = Duration::from_secs(3);

/// How long one name server is waited for: so that the next one is still asked within the phase.
const NAME_SERVER_TIME_OUT: Duration = Duration::from_millis(1_200);

/// How long an answer of DNS is believed at most: providers leave an address by changing the name.
const DNS_POSITIVE_MAX: Duration = Duration::from_secs(300);

/// How long "no such name" is believed at most: the end of an outage must not wait for a cache.
const DNS_NEGATIVE_MAX: Duration = Duration::from_secs(2);

/// How long an address is waited for before the next one is tried beside it. Cites: RFC 8305, section 8.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// How long the other family of addresses is waited for once one is there: where answers of one family are dropped on
/// the way, the rest of a name server's time would be waited out. Cites: RFC 8305, section 3.
const OTHER_FAMILY: Duration = Duration::from_millis(50);

/// How long what the machine says of its name servers is believed: a small file, and an outage that lasts no longer
/// than the change of a network does.
const SYSTEM_REREAD: Duration = Duration::from_secs(5);

/// How many addresses of a name are tried.
const ADDRESSES_MAX: usize = 8;

/// Our own way out, shared by all adapters.
#[derive(Clone)]
pub struct Net(Arc<Names>);

/// Who is asked for addresses.
struct Names {
    configured: Vec<Resolver>,
    /// Reads what the machine says, if it says anything.
    read: Box<dyn Fn() -> Option<Machine> + Send + Sync>,
    known: Mutex<Known>,
}

/// What was last found out about it.
#[derive(Default)]
struct Known {
    /// When the machine was last looked at.
    looked: Option<Instant>,
    machine: Option<Machine>,
    /// `None`: there is nobody to ask.
    families: Option<Families>,
}

/// The machine's own configuration.
#[derive(Clone)]
struct Machine {
    domain: Option<Name>,
    search: Vec<Name>,
    servers: Vec<NameServerConfig>,
}

/// Finds addresses of the fourth version, and of the sixth: each by itself, so that one need not wait for the other.
#[derive(Clone)]
struct Families {
    v4: TokioResolver,
    v6: TokioResolver,
}

/// Whom to believe, and what to offer, in a TLS handshake.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The file cannot be read.
    #[error("`{0}` cannot be read as PEM certificates: {1}")]
    CaFile(String, String),
    /// The file holds no certificate.
    #[error("`{0}` holds no certificate: it must be PEM, with at least one CERTIFICATE block")]
    CaFileEmpty(String),
    /// The TLS library refuses the configuration.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

// === impl Net ===

impl Net {
    /// Builds the way out over these name servers; without any, the machine's own. That there is none yet, or none any
    /// more, is found out by who looks for a name, as a name server that is silent.
    pub fn new(resolvers: &[Resolver]) -> Net {
        Net(Arc::new(Names::new(resolvers, Machine::read)))
    }

    /// Connects to a host by name or address.
    ///
    /// # Errors
    /// Which phase failed, and how.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Reason> {
        let deadline = Instant::now() + PHASE_TIME_OUT;
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let resolving = self.resolve(host, port);
                timeout_at(deadline, resolving).await.unwrap_or(Err(Reason::DnsTimeout))?
            }
        };
        let racing = race(&addresses);
        let stream = timeout_at(deadline, racing).await.unwrap_or(Err(Reason::TcpTimeout))?;
        // A request is one small write: waiting to fill a packet only delays it.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Reason> {
        let Families { v4, v6 } = self.0.families(Instant::now()).ok_or(Reason::DnsTimeout)?;
        let (mut v4, mut v6) = (pin!(find(&v4, host)), pin!(find(&v6, host)));
        let (v4, v6) = tokio::select! {
            found = &mut v4 => { let other = beside(&found, v6).await; (found, other) }
            found = &mut v6 => { let other = beside(&found, v4).await; (other, found) }
        };
        let found = match (v4, v6) {
            (Err(one), Err(other)) => return Err(more_telling(one, other)),
            (one, other) => [one.unwrap_or_default(), other.unwrap_or_default()].concat(),
        };
        Ok(found.into_iter().take(ADDRESSES_MAX).map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

// === impl Names ===

impl Names {
    fn new(resolvers: &[Resolver], read: impl Fn() -> Option<Machine> + Send + Sync + 'static) -> Names {
        let configured = if resolvers.is_empty() { vec![Resolver::System] } else { resolvers.to_vec() };
        Names { configured, read: Box::new(read), known: Mutex::default() }
    }

    /// Returns who is to be asked now. Answers that were kept are forgotten where somebody else is to be asked.
    fn families(&self, now: Instant) -> Option<Families> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let follows_machine = self.configured.iter().any(|r| matches!(r, Resolver::System));
        let first = known.looked.is_none();
        let due = known.looked.is_none_or(|at| now.saturating_duration_since(at) >= SYSTEM_REREAD);
        if first || (due && follows_machine) {
            known.looked = Some(now);
            // A file that says nothing may be one that is just being written: the last word stands.
            let machine = if follows_machine { (self.read)() } else { None };
            let is_news = match (&machine, &known.machine) {
                (Some(machine), Some(old)) => !machine.says_same(old),
                (machine, _) => machine.is_some(),
            };
            if first || is_news {
                known.families = self.build(machine.as_ref());
                known.machine = machine;
            }
        }
        known.families.clone()
    }

    fn build(&self, machine: Option<&Machine>) -> Option<Families> {
        let mut config = ResolverConfig::from_name_servers(Vec::new());
        for resolver in &self.configured {
            match (resolver, machine) {
                (Resolver::At(address), _) => config.add_name_server(name_server(*address)),
                (Resolver::System, Some(machine)) => {
                    let Machine { domain, search, servers } = machine.clone();
                    domain.into_iter().for_each(|d| config.set_domain(d));
                    search.into_iter().for_each(|s| config.add_search(s));
                    servers.into_iter().for_each(|s| config.add_name_server(s));
                }
                // What the machine lacks the others may have.
                (Resolver::System, None) => {}
            }
        }
        if config.name_servers().is_empty() {
            return None;
        }
        let of = |family: LookupIpStrategy| {
            let provider = TokioRuntimeProvider::default();
            let mut builder = TokioResolver::builder_with_config(config.clone(), provider);
            let options = builder.options_mut();
            options.timeout = NAME_SERVER_TIME_OUT;
            options.attempts = 1;
            options.ip_strategy = family;
            options.positive_max_ttl = Some(DNS_POSITIVE_MAX);
            options.negative_max_ttl = Some(DNS_NEGATIVE_MAX);
            builder.build().ok()
        };
        Some(Families { v4: of(LookupIpStrategy::Ipv4Only)?, v6: of(LookupIpStrategy::Ipv6Only)? })
    }
}

impl Machine {
    /// Says whether both are the same; the library's name servers can be compared by what they show only.
    fn says_same(&self, other: &Machine) -> bool {
        let said = |machine: &Machine| format!("{:?}", machine.servers);
        self.domain == other.domain && self.search == other.search && said(self) == said(other)
    }

    fn read() -> Option<Machine> {
        let (domain, search, servers) = read_system_conf().ok()?.0.into_parts();
        (!servers.is_empty()).then_some(Machine { domain, search, servers })
    }
}

/// What was found of one family; never empty.
type Found = Result<Vec<IpAddr>, Reason>;

async fn find(resolver: &TokioResolver, host: &str) -> Found {
    let found = resolver.lookup_ip(host).await.map_err(|e| dns_reason(&e))?;
    let addresses: Vec<IpAddr> = found.iter().collect();
    if addresses.is_empty() { Err(Reason::DnsEmpty) } else { Ok(addresses) }
}

/// Waits for the other family: a moment where there is something to go on with, else to its end.
async fn beside(first: &Found, other: impl Future<Output = Found>) -> Found {
    match first {
        Ok(_) => timeout(OTHER_FAMILY, other).await.unwrap_or(Err(Reason::DnsTimeout)),
        Err(_) => other.await,
    }
}

/// Returns which of two reasons says more of why a name has no address.
fn more_telling(one: Reason, other: Reason) -> Reason {
    let order = [Reason::DnsNxdomain, Reason::Busy, Reason::DnsServfail, Reason::DnsTimeout];
    order.into_iter().find(|reason| *reason == one || *reason == other).unwrap_or(one)
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn dns_reason(error: &NetError) -> Reason {
    match error {
        NetError::Timeout => Reason::DnsTimeout,
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NXDomain => {
            Reason::DnsNxdomain
        }
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NoError => {
            Reason::DnsEmpty
        }
        // Of a socket that could not be opened the library keeps no more than that there is no connection.
        NetError::NoConnections | NetError::Io(_) | NetError::Busy if out_of_files() => Reason::Busy,
        _ => Reason::DnsServfail,
    }
}

/// Says whether no socket can be opened at all, here and now: that is our own lack, and no gateway's fault.
fn out_of_files() -> bool {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).is_err_and(|error| is_lack_of_files(&error))
}

/// Says whether this process, or the machine, has no file descriptor left.
fn is_lack_of_files(error: &io::Error) -> bool {
    let lack = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| lack.contains(&code))
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// Connects to whichever address answers first, giving each a head start over the next.
async fn race(addresses: &[SocketAddr]) -> Result<TcpStream, Reason> {
    let mut waiting = addresses.iter().copied();
    let mut running: Vec<Connecting> = Vec::new();
    let mut worst = Reason::Unreachable;
    loop {
        match waiting.next() {
            Some(address) => running.push(Box::pin(TcpStream::connect(address))),
            None if running.is_empty() => return Err(worst),
            None => {}
        }
        let next_in = if waiting.len() > 0 { NEXT_ADDRESS_AFTER } else { PHASE_TIME_OUT };
        match timeout(next_in, first_of(&mut running)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => worst = telling(worst, connect_reason(&error)),
            Err(_) => {}
        }
    }
}

/// Waits until one of them ends, and takes it out.
async fn first_of(running: &mut Vec<Connecting>) -> io::Result<TcpStream> {
    poll_fn(|cx| {
        for place in 0..running.len() {
            if let Poll::Ready(result) = running[place].as_mut().poll(cx) {
                drop(running.swap_remove(place));
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    })
    .await
}

/// Returns which of two failures says more: a host that refuses is there, a family without a route is not.
fn telling(a: Reason, b: Reason) -> Reason {
    let weight = |reason| match reason {
        Reason::TcpRefused => 4,
        Reason::TcpReset => 3,
        // Who was not asked at all may have been there.
        Reason::Busy => 2,
        Reason::TcpTimeout => 1,
        _ => 0,
    };
    if weight(b) > weight(a) { b } else { a }
}

fn connect_reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Reason::TcpRefused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Reason::TcpReset,
        io::ErrorKind::TimedOut => Reason::TcpTimeout,
        _ if is_lack_of_files(error) => Reason::Busy,
        _ => Reason::Unreachable,
    }
}

// === impl Tls ===

impl Tls {
    /// Builds it for the system's roots, and for those of `ca_file` beside them.
    ///
    /// # Errors
    /// The file cannot be read, or holds no certificate.
    pub fn new(ca_file: Option<&Path>) -> Result<Tls, SetUpError> {
        // Some hundred roots: read once, and sessions are resumed across gateways.
        static PUBLIC: OnceLock<Tls> = OnceLock::new();
        let Some(path) = ca_file else {
            if let Some(tls) = PUBLIC.get() {
                return Ok(tls.clone());
            }
            let tls = Tls::trusting(public_roots())?;
            return Ok(PUBLIC.get_or_init(|| tls).clone());
        };
        let name = path.display().to_string();
        let bad = |error: String| SetUpError::CaFile(name.clone(), error);
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|e| bad(e.to_string()))?;
        if certificates.is_empty() {
            return Err(SetUpError::CaFileEmpty(name));
        }
        let mut roots = public_roots();
        for certificate in certificates {
            roots.add(certificate).map_err(|e| bad(e.to_string()))?;
        }
        Tls::trusting(roots)
    }

    fn trusting(roots: RootCertStore) -> Result<Tls, SetUpError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| SetUpError::Tls(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Tls(Arc::new(config)))
    }

    /// Shakes hands over a connection with the server of this name.
    ///
    /// # Errors
    /// What was wrong with the certificate, or that the handshake failed or did not end in time.
    pub async fn handshake<S>(&self, host: &str, stream: S) -> Result<TlsStream<S>, Reason>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Reason::TlsWrongName)?;
        let connecting = TlsConnector::from(self.0.clone()).connect(name, stream);
        match timeout(PHASE_TIME_OUT, connecting).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(tls_reason(&error)),
            Err(_) => Err(Reason::TlsTimeout),
        }
    }
}

/// Returns the system's roots, or the bundled ones where the system has none (a box without `ca-certificates`).
fn public_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn tls_reason(error: &io::Error) -> Reason {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(problem)) = inner else {
        return Reason::TlsFailed;
    };
    match problem {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Reason::TlsExpired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Reason::TlsWrongName
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::Other(_) => {
            Reason::TlsUntrusted
        }
        _ => Reason::TlsFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_is_asked_at_its_port() {
        let address = SocketAddr::from(([127, 0, 0, 1], 5353));
        assert!(name_server(address).connections.iter().all(|c| c.port == 5353));
    }

    #[tokio::test]
    async fn a_machine_that_changes_networks_is_asked_for_its_name_servers_again() {
        let here = || tokio::net::UdpSocket::bind("127.0.0.1:0");
        let (first, second) = (here().await.expect("a port"), here().await.expect("a port"));
        let says = Arc::new(Mutex::new(None));
        let says_of = |socket: &tokio::net::UdpSocket| {
            let servers = vec![name_server(socket.local_addr().expect("an address"))];
            *says.lock().expect("held by nobody else") =
                Some(Machine { domain: None, search: vec![], servers });
        };
        let read = {
            let says = Arc::clone(&says);
            move || says.lock().expect("held by nobody else").clone()
        };
        let net = Net(Arc::new(Names::new(&[], read)));

        // A machine that has no network yet: a lookup that fails, and no more.
        assert_eq!(net.connect("provider.example", 443).await.err(), Some(Reason::DnsTimeout));

        let start = Instant::now();
        let asked = async |after: Duration, socket: &tokio::net::UdpSocket| {
            let families = net.0.families(start + after).expect("somebody to ask");
            let mut query = [0; 512];
            tokio::select! {
                read = socket.recv(&mut query) => read.is_ok_and(|length| length > 12),
                _ = families.v4.lookup_ip("provider.example.") => false,
            }
        };
        says_of(&first);
        assert!(net.0.families(start).is_none(), "not looked at before its time");
        assert!(asked(SYSTEM_REREAD * 2, &first).await);
        says_of(&second);
        assert!(asked(SYSTEM_REREAD * 2, &first).await, "not looked at before its time");
        assert!(asked(SYSTEM_REREAD * 3, &second).await);
        // A file that is being written says nothing for a moment.
        *says.lock().expect("held by nobody else") = None;
        assert!(asked(SYSTEM_REREAD * 4, &second).await);
    }

    #[test]
    fn of_several_failures_the_most_telling_is_reported() {
        let all = |reasons: &[Reason]| reasons.iter().fold(Reason::Unreachable, |a, b| telling(a, *b));
        assert_eq!(all(&[]), Reason::Unreachable);
        assert_eq!(all(&[Reason::Unreachable, Reason::TcpRefused, Reason::TcpTimeout]), Reason::TcpRefused);
    }

    #[test]
    fn a_lack_of_files_is_our_own() {
        for errno in [Errno::MFILE, Errno::NFILE] {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            assert_eq!(connect_reason(&error), Reason::Busy, "{error}");
        }
        assert_eq!(telling(Reason::Busy, Reason::TcpTimeout), Reason::Busy, "one of them was not asked");
        assert_eq!(telling(Reason::Busy, Reason::TcpRefused), Reason::TcpRefused, "one of them answered");
        assert_eq!(more_telling(Reason::DnsTimeout, Reason::Busy), Reason::Busy);
    }

    #[test]
    fn a_certificate_file_must_hold_certificates() {
        let path = std::env::temp_dir().join(format!("wasl-ca-{}", std::process::id()));
        std::fs::write(&path, "no certificate").unwrap();
        assert!(matches!(Tls::new(Some(&path)), Err(SetUpError::CaFileEmpty(_))));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(Tls::new(Some(&path)), Err(SetUpError::CaFile(..))));
    }
}
