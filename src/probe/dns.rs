//! Names: the resolvers of the configuration, and the probe of kind `dns`.
//!
//! Each entry of `[net] resolvers` is a resolver of its own. They are asked in order, the next one after a short head
//! start or at once where the one before could not tell; the first one that knows decides, be it that the name does
//! not exist. Nothing is cached: a probe wants to know how it is, not how it was.

use super::context::Context;
use super::definition::{Reader, Unbuildable};
use super::place::{Place, PlaceText};
use super::race::staggered;
use super::target::Target;
use super::tcp::out_of_files;
use super::trace::{Limits, Trace};
use super::{Blueprint, Doing, Probe};
use crate::core::evidence::{Layer, Verdict};
use crate::core::outcome::Reason;
use crate::core::time::Span;
use crate::settings::Resolver;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use trust_dns_resolver::TokioResolver;
use trust_dns_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use trust_dns_resolver::net::runtime::TokioRuntimeProvider;
use trust_dns_resolver::net::{DnsError, NetError, NoRecords};
use trust_dns_resolver::proto::op::ResponseCode;
use trust_dns_resolver::proto::rr::{Name, RData};

/// The most addresses of one name that are tried: enough for both families of a large provider.
const ADDRESSES_MAX: usize = 6;
/// How long a resolver is waited for before the next one is asked as well. A near one answers in a tenth of it.
const HEAD_START: Duration = Duration::from_millis(400);
/// How long an answer of one address family waits for the other's. Cites: RFC 8305 section 3.
const OTHER_FAMILY: Duration = Duration::from_millis(50);
/// How long one query of one resolver may take: two of them fit into the usual limit of a probe.
const QUERY: Duration = Duration::from_millis(1400);
/// How often `/etc/resolv.conf` is read again: a machine that changes networks changes resolvers.
const SYSTEM_REREAD: Duration = Duration::from_secs(60);

/// The resolvers of the configuration.
pub(crate) struct Resolvers(Vec<Entry>);

enum Entry {
    Fixed(Option<TokioResolver>),
    System(Mutex<System>),
}

/// The machine's own resolver, as it was configured when last looked at.
struct System {
    read: Instant,
    resolver: Option<TokioResolver>,
}

// === impl Resolvers ===

impl Resolvers {
    /// Builds the resolvers; without any, the machine's own.
    pub(crate) fn new(resolvers: &[Resolver]) -> Resolvers {
        if resolvers.is_empty() {
            return Resolvers(vec![Entry::system()]);
        }
        Resolvers(resolvers.iter().map(Entry::new).collect())
    }

    /// Finds a name's addresses, or says why there are none.
    pub(crate) async fn find(&self, name: &str, limit: Span) -> Result<Vec<IpAddr>, Reason> {
        // A dotted name is whole; only a bare word may need the machine's search list.
        let text =
            if name.contains('.') && !name.ends_with('.') { format!("{name}.") } else { name.to_owned() };
        let name = Name::from_utf8(text).map_err(|_| Reason::Configuration)?;
        let mut unsure = Vec::new();
        let asked = staggered(self.0.iter(), HEAD_START, &mut unsure, |entry| entry.ask(name.clone()));
        match tokio::time::timeout(limit.to_std(), asked).await {
            Ok(Some(sure)) => sure,
            // One that could not be asked, for our own lack of sockets, might have known.
            Ok(None) | Err(_) if unsure.contains(&Reason::Busy) => Err(Reason::Busy),
            // One that answered, if only to say that it cannot tell, says more than one that is silent.
            Ok(None) | Err(_) if unsure.contains(&Reason::DnsServfail) => Err(Reason::DnsServfail),
            Ok(None) | Err(_) => Err(Reason::DnsTimeout),
        }
    }
}

impl Entry {
    fn new(resolver: &Resolver) -> Entry {
        let at = match resolver {
            Resolver::System => return Entry::system(),
            Resolver::At(at) => *at,
        };
        let mut server = NameServerConfig::udp_and_tcp(at.ip());
        for connection in &mut server.connections {
            connection.port = at.port();
        }
        Entry::Fixed(build(ResolverConfig::from_name_servers(vec![server])))
    }

    fn system() -> Entry {
        Entry::System(Mutex::new(System { read: Instant::now(), resolver: read_system() }))
    }

    /// Asks one resolver. The outer error is one that another resolver may know better.
    async fn ask(&self, name: Name) -> Result<Result<Vec<IpAddr>, Reason>, Reason> {
        let resolver = match self {
            Entry::Fixed(resolver) => resolver.clone(),
            Entry::System(system) => current(system),
        };
        // One that cannot be had answers as much as one that is silent.
        let resolver = resolver.ok_or(Reason::DnsTimeout)?;
        let found = both_families(&resolver, name).await;
        match found {
            Err(reason @ (Reason::Busy | Reason::DnsServfail | Reason::DnsTimeout)) => Err(reason),
            sure => Ok(sure),
        }
    }
}

/// Returns the machine's resolver, read again where the last look is long ago.
fn current(system: &Mutex<System>) -> Option<TokioResolver> {
    let mut system = system.lock().unwrap_or_else(PoisonError::into_inner);
    if system.read.elapsed() > SYSTEM_REREAD {
        *system = System { read: Instant::now(), resolver: read_system() };
    }
    system.resolver.clone()
}

fn read_system() -> Option<TokioResolver> {
    let (config, _) = trust_dns_resolver::system_conf::read_system_conf().ok()?;
    build(config)
}

/// Builds a resolver; `None` where the library cannot.
fn build(config: ResolverConfig) -> Option<TokioResolver> {
    let mut options = ResolverOpts::default();
    options.timeout = QUERY;
    options.attempts = 1;
    options.cache_size = 0;
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().ok()
}

/// Asks for both families at once; the first that has an address waits only a moment for the other.
async fn both_families(resolver: &TokioResolver, name: Name) -> Result<Vec<IpAddr>, Reason> {
    let v4 = async { addresses(resolver.ipv4_lookup(name.clone()).await) };
    let v6 = async { addresses(resolver.ipv6_lookup(name.clone()).await) };
    let (mut v4, mut v6) = (std::pin::pin!(v4), std::pin::pin!(v6));
    let (v4, v6) = tokio::select! {
        first = &mut v4 => match first {
            Ok(_) => (first, tokio::time::timeout(OTHER_FAMILY, v6).await.unwrap_or(Err(Reason::DnsTimeout))),
            Err(_) => (first, v6.await),
        },
        first = &mut v6 => match first {
            Ok(_) => (tokio::time::timeout(OTHER_FAMILY, v4).await.unwrap_or(Err(Reason::DnsTimeout)), first),
            Err(_) => (v4.await, first),
        },
    };
    join(v4, v6)
}

/// Joins what was found of both families, alternating; without any, the reason that says most.
fn join(v4: Result<Vec<IpAddr>, Reason>, v6: Result<Vec<IpAddr>, Reason>) -> Result<Vec<IpAddr>, Reason> {
    let (v4, v6) = match (v4, v6) {
        (Err(a), Err(b)) => {
            let order = [Reason::Busy, Reason::DnsServfail, Reason::DnsTimeout, Reason::DnsEmpty];
            return Err(order.into_iter().find(|r| *r == a || *r == b).unwrap_or(a));
        }
        (v4, v6) => (v4.unwrap_or_default(), v6.unwrap_or_default()),
    };
    let longest = v4.len().max(v6.len());
    let mut both = Vec::with_capacity(v4.len() + v6.len());
    (0..longest).for_each(|place| both.extend(v4.get(place).into_iter().chain(v6.get(place)).copied()));
    both.truncate(ADDRESSES_MAX);
    Ok(both)
}

fn addresses(looked_up: Result<trust_dns_resolver::lookup::Lookup, NetError>) -> Result<Vec<IpAddr>, Reason> {
    let found: Vec<IpAddr> = match looked_up {
        Err(error) => return Err(reason(&error)),
        Ok(lookup) => lookup.answers().iter().filter_map(|record| address(&record.data)).collect(),
    };
    if found.is_empty() { Err(Reason::DnsEmpty) } else { Ok(found) }
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(v4) => Some(IpAddr::V4(v4.0)),
        RData::AAAA(v6) => Some(IpAddr::V6(v6.0)),
        _ => None,
    }
}

/// Reads the resolver's error.
fn reason(error: &NetError) -> Reason {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => match *response_code {
            ResponseCode::NXDomain => Reason::DnsNxdomain,
            ResponseCode::NoError => Reason::DnsEmpty,
            _ => Reason::DnsServfail,
        },
        // It answered: with SERVFAIL, REFUSED, or with what nobody can read.
        NetError::Dns(_) | NetError::Proto(_) | NetError::QueryCaseMismatch | NetError::Truncated => {
            Reason::DnsServfail
        }
        // Of a socket that could not be opened the library keeps no more than that there is no connection.
        NetError::NoConnections | NetError::Io(_) | NetError::Busy if out_of_files() => Reason::Busy,
        // It did not: silence, an unreachable resolver, a closed port.
        _ => Reason::DnsTimeout,
    }
}

// === the probe ===

/// Asks for a name's addresses.
struct DnsProbe {
    place: Place,
    limits: Limits,
}

struct Plan {
    place: PlaceText,
}

/// Reads the keys of kind `dns`.
pub(super) fn parse(reader: &mut Reader<'_>) -> Option<Box<dyn Blueprint>> {
    Some(Box::new(Plan { place: PlaceText::parse(reader)? }))
}

impl Blueprint for Plan {
    fn build(&self, target: &Target, _: &Context, limits: Limits) -> Result<Box<dyn Probe>, Unbuildable> {
        Ok(Box::new(DnsProbe { place: self.place.fill(target, Some(53))?, limits }))
    }
}

impl Probe for DnsProbe {
    fn run<'a>(&'a self, context: &'a Context, trace: &'a mut Trace) -> Doing<'a, Result<Verdict, Reason>> {
        Box::pin(async move {
            self.place.find(context, trace, &self.limits).await?;
            trace.stands(Layer::Dns);
            Ok(Verdict::Fine)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reason::{DnsEmpty, DnsNxdomain, DnsServfail, DnsTimeout};

    #[test]
    fn two_families_are_joined_by_what_says_most() {
        let (a, b): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), "2001:db8::1".parse().unwrap());
        let check = |v4: Result<Vec<IpAddr>, Reason>, v6, expected| assert_eq!(join(v4, v6), expected);
        check(Ok(vec![a]), Ok(vec![b]), Ok(vec![a, b]));
        check(Ok(vec![a]), Err(DnsTimeout), Ok(vec![a]));
        check(Err(DnsEmpty), Ok(vec![b]), Ok(vec![b]));
        check(Err(DnsNxdomain), Err(DnsNxdomain), Err(DnsNxdomain));
        check(Err(DnsEmpty), Err(DnsNxdomain), Err(DnsEmpty));
        check(Err(DnsTimeout), Err(DnsEmpty), Err(DnsTimeout));
        check(Err(DnsTimeout), Err(DnsServfail), Err(DnsServfail));
        check(Err(DnsServfail), Err(Reason::Busy), Err(Reason::Busy));
    }

    #[test]
    fn each_error_of_the_resolver_has_its_reason() {
        let check = |error: NetError, expected| assert_eq!(reason(&error), expected, "{error}");
        let none = |code| NetError::from(NoRecords::new(Box::default(), code));
        check(none(ResponseCode::NXDomain), DnsNxdomain);
        check(none(ResponseCode::NoError), DnsEmpty);
        check(none(ResponseCode::ServFail), DnsServfail);
        check(NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)), DnsServfail);
        check(NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)), DnsServfail);
        check(NetError::Timeout, DnsTimeout);
        check(NetError::NoConnections, DnsTimeout);
        check(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into(), DnsTimeout);
    }
}
