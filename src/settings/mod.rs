//! `wasl.toml`: server, stores, gateways.
//!
//! Paths in the file are relative to the folder that it lies in; `policies/` and `probes/` lie beside it.
//! What an adapter alone understands stays in [`GatewaySettings::rest`], which the adapter reads to its end.
//!
//! Invariant: settings with an error are never put to work: [`Settings::load`] gives them only when there is none.

mod alertmanager;
mod canary;
mod cap;
mod gateway;
mod net;
mod notices;
mod port;
mod server;

pub use alertmanager::{Alertmanager, AlertmanagerEntry};
pub use canary::CanarySettings;
pub use cap::{Cap, CapEntry, CapOf};
pub use gateway::{AdapterKind, CONNECT_TIME_OUT, GatewaySettings, NAME_BYTES_MAX, WINDOW};
pub use net::{Control, Resolver, Uplink};
pub use notices::{Heartbeat, Notices, Operator};
pub use port::{BadPort, port_of};
pub use server::{Network, Server, TlsFiles};

use crate::core::gateway::GatewayConfig;
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Source, Table};
use std::path::{Path, PathBuf};

/// How long a gateway must stay in doubt before an outage is declared, where the file does not say: blips end sooner.
pub const DWELL: Span = Span::from_secs(20);
/// The longest dwell: beyond it an outage would be history when it is declared.
const DWELL_MAX: Span = Span::from_hours(1);
/// The default reserve of disk. Cites: the contract, `reserve = "256MiB"`.
const RESERVE: u64 = 256 << 20;
/// The least reserve: what settling a full outbox's open attempts writes.
const RESERVE_MIN: u64 = 1 << 20;
const DAY: Span = Span::from_hours(24);

/// Everything that `wasl.toml` says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file that it was read from.
    pub file: PathBuf,
    /// The listener and who may reach it.
    pub server: Server,
    /// Where the stores lie.
    pub store: StoreSettings,
    /// How long things are kept.
    pub retention: Retention,
    /// Whom to ask for names, in order.
    pub resolvers: Vec<Resolver>,
    /// Our own lines.
    pub uplinks: Vec<Uplink>,
    /// The ways out.
    pub gateways: Vec<GatewaySettings>,
    /// How long a gateway must stay in doubt before an outage is declared.
    pub dwell: Span,
    /// Whom what comes from alerting systems is for.
    pub feeds: Feeds,
    /// Who is told when something needs a person.
    pub notices: Notices,
}

/// Whom what comes from alerting systems is for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Feeds {
    /// Alerts as CAP.
    pub cap: Cap,
    /// Groups of an Alertmanager.
    pub alertmanager: Alertmanager,
}

/// Where the stores lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreSettings {
    /// The folder of the outbox and of reachability.
    pub path: PathBuf,
    /// Bytes of free disk below which nothing new is taken.
    pub reserve_bytes: u64,
}

/// How long things are kept; `None`: forever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Messages, after their last delivery settled.
    pub messages: Option<Span>,
    /// Deliveries and their attempts.
    pub deliveries: Option<Span>,
    /// Who did what.
    pub audit: Option<Span>,
}

impl Settings {
    /// Reads a file and gives its settings only if nothing in it is an error; the warnings come along.
    pub fn load(path: &Path, kinds: &[AdapterKind]) -> Result<(Settings, Diagnostics), Diagnostics> {
        let mut diags = Diagnostics::default();
        match Settings::read(path, kinds, &mut diags) {
            Some(settings) if !diags.has_errors() => Ok((settings, diags)),
            _ => Err(diags),
        }
    }

    /// Reads a file as far as it can be read, for checking other files against it. Use [`Settings::load`] to run.
    pub fn read(path: &Path, kinds: &[AdapterKind], diags: &mut Diagnostics) -> Option<Settings> {
        let source = Source::read(path, diags)?;
        let mut top = Table::parse(&source, diags)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let server = server::read(top.table("server", diags), folder, diags);
        let beside = gateway::Beside { folder, public_url: &server.public_url };
        let gateways = gateway::read_all(top.tables("gateway", diags), kinds, beside, diags);
        let settings = Settings {
            file: path.to_owned(),
            server,
            store: store(top.table("store", diags), folder, diags),
            retention: retention(top.table("retention", diags), diags),
            resolvers: net::resolvers(top.table("net", diags), diags),
            uplinks: net::uplinks(top.tables("uplink", diags), diags),
            gateways,
            dwell: dwell(top.table("detection", diags), diags),
            notices: notices::read(top.tables("operator", diags), top.table("notices", diags), diags),
            feeds: Feeds {
                cap: cap::read(top.table("cap", diags), diags),
                alertmanager: alertmanager::read(top.table("alertmanager", diags), diags),
            },
        };
        if settings.gateways.is_empty() && top.key("gateway").is_none() && !diags.has_errors() {
            diags.push(
                Diagnostic::warning("no-gateway", "no gateway is configured: nothing can be sent")
                    .in_file(source.name())
                    .help("add a `[[gateway]]` with a name, a channel and an adapter"),
            );
        }
        top.finish(diags);
        Some(settings)
    }

    /// Returns the folder that relative paths start from.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// Returns the folder of the routing rules.
    pub fn policies_dir(&self) -> PathBuf {
        self.folder().join("policies")
    }

    /// Returns the folder of the probes.
    pub fn probes_dir(&self) -> PathBuf {
        self.folder().join("probes")
    }

    /// Returns the gateways as the core knows them, in the order of the file.
    pub fn gateway_configs(&self) -> Vec<GatewayConfig> {
        self.gateways.iter().map(|gateway| gateway.config.clone()).collect()
    }
}

fn store(table: Option<Table>, folder: &Path, diags: &mut Diagnostics) -> StoreSettings {
    let mut settings = StoreSettings { path: folder.join("var/wasl"), reserve_bytes: RESERVE };
    let Some(mut table) = table else { return settings };
    if let Some(path) = table.string("path", diags) {
        settings.path = folder.join(path.value);
    }
    match table.size("reserve", diags) {
        Some(size) if size.value < RESERVE_MIN => diags.push(
            Diagnostic::error(
                "out-of-range",
                "the `reserve` is too small to settle what is open on a full disk",
            )
            .at(&size.place, "this much")
            .help("write at least \"1MiB\"; \"256MiB\" is the default"),
        ),
        Some(size) => settings.reserve_bytes = size.value,
        None => {}
    }
    table.finish(diags);
    settings
}

fn retention(table: Option<Table>, diags: &mut Diagnostics) -> Retention {
    // Cites: the contract's defaults.
    let mut retention =
        Retention { messages: Some(DAY.times(400)), deliveries: Some(DAY.times(90)), audit: None };
    let Some(mut table) = table else { return retention };
    for (key, slot) in [
        ("messages", &mut retention.messages),
        ("deliveries", &mut retention.deliveries),
        ("audit", &mut retention.audit),
    ] {
        if let Some(keep) = table.span_or_word(key, "forever", diags) {
            *slot = keep.value;
        }
    }
    table.finish(diags);
    retention
}

fn dwell(table: Option<Table>, diags: &mut Diagnostics) -> Span {
    let Some(mut table) = table else { return DWELL };
    let dwell = table.span_in("dwell", Span::ZERO..=DWELL_MAX, diags);
    table.finish(diags);
    dwell.map_or(DWELL, |dwell| dwell.value)
}

#[cfg(test)]
mod tests;
