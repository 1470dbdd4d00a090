//! The listener: where, under which names, with which certificate.

use super::port::port_of;
use crate::diag::{Diagnostic, Diagnostics, Place, Spanned, Table};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The default listener. Cites: the contract.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// The listener and who may reach it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where the API, the pages, hooks and metrics are served.
    pub listen: SocketAddr,
    /// What people and providers call it, without a slash at the end.
    pub public_url: String,
    /// The names that `Host` and `Origin` may carry beside the public one.
    pub hosts: Vec<String>,
    /// The certificate and its key.
    pub tls: Option<TlsFiles>,
    /// Whether a listener off loopback may do without a certificate.
    pub plain_http: bool,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Whether `/metrics` needs no token.
    pub metrics_open: bool,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate and those between it and the root.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// Where the file names them.
    pub place: Place,
}

/// An address range: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

// === impl Network ===

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8` or one address.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address.parse().ok()?, prefix.parse().ok()?),
            None => {
                let address: IpAddr = text.parse().ok()?;
                (address, if address.is_ipv4() { 32 } else { 128 })
            }
        };
        let longest = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= longest).then_some(Network { address, prefix })
    }

    /// Says whether an address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |a: u128, b: u128, bits: u32| {
            u32::from(self.prefix) == 0 || (a ^ b) >> (bits - u32::from(self.prefix)) == 0
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

// === impl Server ===

impl Server {
    /// Returns every name that `Host` may carry, without a port and in lower case.
    pub fn allowed_hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = self.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        hosts.extend(host_of(&self.public_url).map(|host| host.to_ascii_lowercase()));
        if self.listen.ip().is_loopback() {
            hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(String::from));
        }
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// Says whether what runs by these settings runs by those as well. Another certificate is taken while running; TLS
    /// itself comes and goes with a restart.
    pub fn runs_as(&self, other: &Server) -> bool {
        let Server { listen, public_url, hosts, tls, plain_http, trusted_proxies, metrics_open } = self;
        *listen == other.listen
            && *public_url == other.public_url
            && *hosts == other.hosts
            && tls.is_some() == other.tls.is_some()
            && *plain_http == other.plain_http
            && *trusted_proxies == other.trusted_proxies
            && *metrics_open == other.metrics_open
    }
}

/// Returns the host of an HTTP URL without its port; `None` where it is not one that Wasl can use.
pub(super) fn host_of(url: &str) -> Option<String> {
    let uri: hyper::Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    let usable = matches!(uri.scheme_str(), Some("http" | "https")) && !authority.as_str().contains('@');
    let usable = usable && !authority.host().is_empty() && port_of(authority).is_ok();
    usable.then(|| authority.host().to_owned())
}

/// Reads an `http://` or `https://` URL that carries no password; gives it without a slash at the end.
pub(super) fn url(table: &mut Table, key: &'static str, diags: &mut Diagnostics) -> Option<String> {
    let url = table.string(key, diags)?;
    if host_of(&url.value).is_some() && !url.value.contains(['?', '#']) {
        return Some(url.value.trim_end_matches('/').to_owned());
    }
    // A password may stand before an @, a token in the query.
    if url.value.contains(['@', '?']) {
        diags.mask(url.place.clone());
    }
    let uri = url.value.parse::<hyper::Uri>().ok();
    let bad_port = uri.as_ref().and_then(|uri| port_of(uri.authority()?).err());
    let why = bad_port.map_or_else(
        || "no http or https URL, or one with a user, query or fragment".to_owned(),
        |why| why.to_string(),
    );
    diags.push(
        Diagnostic::error("bad-url", format!("`{key}` of {} is not a usable address", table.called()))
            .at(&url.place, why)
            .help(format!("write `{key} = \"https://host.example.org\"`")),
    );
    None
}

/// Reads the path of a file that must be there.
pub(super) fn file(
    table: &mut Table,
    key: &'static str,
    folder: &Path,
    diags: &mut Diagnostics,
) -> Option<PathBuf> {
    let name = table.string(key, diags)?;
    let path = folder.join(&name.value);
    if let Err(error) = std::fs::File::open(&path) {
        diags.push(
            Diagnostic::error(
                "unreadable-file",
                format!("`{key}` of {} cannot be read: {error}", table.called()),
            )
            .at(&name.place, format!("looked for {}", path.display()))
            .help(
                "paths are relative to the folder of this file; check the permissions of the service's user",
            ),
        );
        return None;
    }
    Some(path)
}

pub(super) fn read(table: Option<Table>, folder: &Path, diags: &mut Diagnostics) -> Server {
    let mut server = Server {
        listen: LISTEN,
        public_url: format!("http://{LISTEN}"),
        hosts: Vec::new(),
        tls: None,
        plain_http: false,
        trusted_proxies: Vec::new(),
        metrics_open: false,
    };
    let Some(mut table) = table else { return server };
    let listen = listen(&mut table, diags);
    let tls = table.key("tls").cloned();
    server.tls = table
        .table_as("tls", "{ cert = \"cert.pem\", key = \"key.pem\" }", diags)
        .and_then(|table| tls_files(table, folder, diags));
    server.plain_http = table.bool("plain_http", diags).is_some_and(|plain| plain.value);
    if let Some(listen) = &listen {
        server.listen = listen.value;
        if tls.is_none() {
            refuse_plain(&server, &listen.place, diags);
        }
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let public_url = url(&mut table, "public_url", diags);
    server.public_url = public_url.unwrap_or_else(|| format!("{scheme}://{}", server.listen));
    server.hosts = hosts(&mut table, diags);
    server.trusted_proxies = proxies(&mut table, diags);
    server.metrics_open = table.bool("metrics_open", diags).is_some_and(|open| open.value);
    table.finish(diags);
    server
}

fn listen(table: &mut Table, diags: &mut Diagnostics) -> Option<Spanned<SocketAddr>> {
    let text = table.string("listen", diags)?;
    match text.value.parse() {
        Ok(value) => Some(Spanned { value, place: text.place }),
        Err(_) => {
            diags.push(
                Diagnostic::error("bad-value", "`listen` is not an IP address and a port")
                    .at(&text.place, "no `ADDRESS:PORT`")
                    .help("write \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\""),
            );
            None
        }
    }
}

/// Tokens and personal data must not cross a network in the clear unless somebody says so.
fn refuse_plain(server: &Server, place: &Place, diags: &mut Diagnostics) {
    if server.listen.ip().is_loopback() || server.plain_http {
        return;
    }
    diags.push(
        Diagnostic::error("plain-http", format!("`{}` can be reached from outside and has no `tls`", server.listen))
            .at(place, "tokens and messages would cross the network in the clear")
            .help(
                "add `tls = { cert = \"..\", key = \"..\" }`; or, behind a proxy that has it, listen on 127.0.0.1 or \
                 say `plain_http = true`",
            ),
    );
}

fn tls_files(mut table: Table, folder: &Path, diags: &mut Diagnostics) -> Option<TlsFiles> {
    for key in ["cert", "key"] {
        if table.key(key).is_none() {
            table.missing(key, diags);
        }
    }
    let cert = file(&mut table, "cert", folder, diags);
    let key = file(&mut table, "key", folder, diags);
    let place = table.place().clone();
    table.finish(diags);
    Some(TlsFiles { cert: cert?, key: key?, place })
}

fn hosts(table: &mut Table, diags: &mut Diagnostics) -> Vec<String> {
    let hosts = table.strings("hosts", diags).map(|hosts| hosts.value).unwrap_or_default();
    let mut known = Vec::new();
    for host in hosts {
        let bad = host.value.is_empty() || host.value.contains(['/', '@', '*', ' ']);
        if bad || (host.value.contains(':') && !host.value.starts_with('[')) {
            diags.push(
                Diagnostic::error("bad-value", format!("`{}` is not a host's name", host.value))
                    .at(&host.place, "a name alone: no scheme, port, path or pattern")
                    .help("write `hosts = [\"alerts.example.org\"]`"),
            );
        } else {
            known.push(host.value);
        }
    }
    known
}

fn proxies(table: &mut Table, diags: &mut Diagnostics) -> Vec<Network> {
    let texts = table.strings("trusted_proxies", diags).map(|list| list.value).unwrap_or_default();
    let mut networks = Vec::new();
    for text in texts {
        match Network::parse(&text.value) {
            Some(network) => networks.push(network),
            None => diags.push(
                Diagnostic::error("bad-value", format!("`{}` is not an address or a range", text.value))
                    .at(&text.place, "no `ADDRESS` or `ADDRESS/BITS`")
                    .help("write `trusted_proxies = [\"10.0.0.0/8\", \"192.0.2.7\"]`"),
            ),
        }
    }
    networks
}
