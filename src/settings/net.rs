//! Whom to ask for names, and the controls that tell our own line's loss from a provider's.

use super::gateway::name;
use super::server::host_of;
use crate::diag::{Diagnostic, Diagnostics, Spanned, Table};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// The most resolvers: each is one more wait when all are silent.
const RESOLVERS_MAX: usize = 8;
/// The most uplinks.
const UPLINKS_MAX: usize = 8;
/// The fewest controls of one uplink, of which a majority decides: of two, one that fails is none.
const CONTROLS_MIN: usize = 3;
/// The most: they are asked together, all of them. More networks than five tell nothing more.
const CONTROLS_MAX: usize = 5;
const DNS_PORT: u16 = 53;

/// One resolver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resolver {
    /// Those of the machine.
    System,
    /// A server, asked directly.
    At(SocketAddr),
}

/// One of our own lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uplink {
    /// Its name.
    pub name: String,
    /// What is asked; several networks, so that no single owner decides.
    pub controls: Vec<Control>,
}

/// A target that answers while our line works.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Control {
    /// A DNS server.
    Dns(SocketAddr),
    /// A port that opens.
    Tcp {
        /// The host: a name or an address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A page that answers, whatever the status.
    Http(String),
}

impl Control {
    /// Reads `dns:IP`, `dns:IP:PORT`, `tcp:HOST:PORT`, `https://..` or `http://..`.
    pub fn parse(text: &str) -> Option<Control> {
        if let Some(server) = text.strip_prefix("dns:") {
            return dns_server(server).map(Control::Dns);
        }
        if let Some(target) = text.strip_prefix("tcp:") {
            let (host, port) = target.rsplit_once(':')?;
            let port = port.parse().ok().filter(|port| *port > 0)?;
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            let sound = !bare.is_empty() && !bare.contains(['/', ' ', '@']);
            return sound.then(|| Control::Tcp { host: bare.to_owned(), port });
        }
        host_of(text).map(|_| Control::Http(text.to_owned()))
    }
}

fn dns_server(text: &str) -> Option<SocketAddr> {
    let alone = || text.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, DNS_PORT));
    alone().or_else(|| text.parse().ok())
}

pub(super) fn resolvers(table: Option<Table>, diags: &mut Diagnostics) -> Vec<Resolver> {
    let Some(mut table) = table else { return vec![Resolver::System] };
    let texts = table.strings("resolvers", diags);
    table.finish(diags);
    let Some(texts) = texts else { return vec![Resolver::System] };
    if texts.value.is_empty() || texts.value.len() > RESOLVERS_MAX {
        diags.push(
            Diagnostic::error("out-of-range", format!("from 1 to {RESOLVERS_MAX} resolvers are needed"))
                .at(&texts.place, format!("these are {}", texts.value.len()))
                .help("write `resolvers = [\"system\", \"9.9.9.9\"]`"),
        );
    }
    texts.value.into_iter().filter_map(|text| resolver(text, diags)).collect()
}

fn resolver(text: Spanned<String>, diags: &mut Diagnostics) -> Option<Resolver> {
    let found = match text.value.as_str() {
        "system" => Some(Resolver::System),
        address => dns_server(address).map(Resolver::At),
    };
    if found.is_none() {
        diags.push(
            Diagnostic::error("bad-value", format!("`{}` is not a resolver", text.value))
                .at(&text.place, "neither `system` nor an IP address")
                .help("write \"system\", \"9.9.9.9\" or \"127.0.0.1:5353\""),
        );
    }
    found
}

pub(super) fn uplinks(tables: Vec<Table>, diags: &mut Diagnostics) -> Vec<Uplink> {
    let mut uplinks = Vec::new();
    let mut names = BTreeSet::new();
    for (count, mut table) in tables.into_iter().enumerate() {
        if count == UPLINKS_MAX {
            diags.push(
                Diagnostic::error("too-many", format!("more than {UPLINKS_MAX} uplinks"))
                    .at(table.place(), "one too many")
                    .help("name each line that leaves the building once"),
            );
        }
        let name = name(&mut table, "uplink", &mut names, diags);
        let controls = controls(&mut table, diags);
        table.finish(diags);
        uplinks.push(Uplink { name: name.unwrap_or_default(), controls });
    }
    uplinks
}

fn controls(table: &mut Table, diags: &mut Diagnostics) -> Vec<Control> {
    if table.key("controls").is_none() {
        table.missing("controls", diags);
        return Vec::new();
    }
    let Some(texts) = table.strings("controls", diags) else { return Vec::new() };
    let advice = "write `controls = [\"dns:9.9.9.9\", \"tcp:192.0.2.10:443\", \"https://example.net/\"]`";
    let count = texts.value.len();
    let why = match count {
        0 => "nothing to ask",
        1 => "its owner's outage would be taken for ours",
        n if n < CONTROLS_MIN => "these are two: where one fails, there is no majority",
        n if n > CONTROLS_MAX => "these are too many: all of them are asked, again and again",
        _ => "",
    };
    if !why.is_empty() {
        let (called, noun) = (table.called(), if count == 1 { "control" } else { "controls" });
        let needed = format!("{called} has {count} {noun}; {CONTROLS_MIN} to {CONTROLS_MAX} are needed");
        diags.push(
            Diagnostic::error("out-of-range", needed)
                .at(&texts.place, why)
                .help(format!("{advice}: targets of different networks")),
        );
    }
    let mut controls = Vec::new();
    for text in texts.value {
        match Control::parse(&text.value) {
            Some(control) => controls.push(control),
            None => diags.push(
                Diagnostic::error("bad-value", format!("`{}` is not a control", text.value))
                    .at(&text.place, "not `dns:IP`, `tcp:HOST:PORT` or `https://..`")
                    .help(advice),
            ),
        }
    }
    controls
}
