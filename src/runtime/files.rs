//! What the files say: `wasl.toml`, `policies/` and `probes/`, checked together and ready to be put to work.
//!
//! Invariant: a [`Plan`] exists only where nothing in any file is an error; everything that is wrong is reported at
//! once. An adapter whose settings did not change is kept, with its connections.

use crate::adapter::net::Net;
use crate::adapter::{self, Adapter};
use crate::core::channel::{GATEWAYS_MAX, GatewayId};
use crate::core::gateway::GatewayConfig;
use crate::core::policy::Policy;
use crate::diag::{Diagnostic, Diagnostics};
use crate::policy;
use crate::probe::{self, Context, ProbeSet, Target};
use crate::runtime::gateways::{Gateway, Lineup};
use crate::settings::{GatewaySettings, Settings};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything that the files say, sound and built.
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) built: Vec<Built>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) probes: ProbeSet,
    pub(crate) warnings: Diagnostics,
}

/// One gateway's adapter, and what it was built from.
#[derive(Clone)]
pub(crate) struct Built {
    /// As the core gets it: `can_ask` is the adapter's word.
    pub(crate) config: GatewayConfig,
    adapter: Arc<dyn Adapter>,
    settings: GatewaySettings,
    /// The bytes of `ca_file`.
    trusted: Option<Vec<u8>>,
}

/// What is shared by all adapters and probes, set up once.
pub(crate) struct Ways {
    net: Net,
    pub(crate) context: Arc<Context>,
}

/// What is in force already.
#[derive(Clone, Copy)]
pub(crate) struct InForce<'a> {
    /// The adapters.
    pub(crate) built: &'a [Built],
    /// Every gateway's name since the start, by id.
    pub(crate) names: &'a [String],
}

impl Ways {
    /// Sets the ways out up as `wasl.toml` says.
    pub(crate) fn new(settings: &Settings) -> Result<Ways, adapter::net::SetUpError> {
        let net = Net::new(&settings.resolvers)?;
        Ok(Ways { net, context: Arc::new(Context::new(&settings.resolvers)) })
    }
}

/// Reads `wasl.toml` alone, as far as it can be read.
pub(crate) fn settings(config: &Path, diags: &mut Diagnostics) -> Option<Settings> {
    Settings::read(config, &adapter::kinds(), diags)
}

/// Reads and builds everything. `diags` has what was found wrong with `settings` already.
pub(crate) fn plan(
    settings: Settings,
    ways: &Ways,
    in_force: InForce<'_>,
    mut diags: Diagnostics,
) -> Result<Plan, Diagnostics> {
    let ids = ids(&settings, in_force.names, &mut diags);
    let targets: Vec<_> = settings.gateways.iter().zip(&ids).map(|(g, id)| Target::of(*id, g)).collect();
    let built: Vec<_> =
        settings.gateways.iter().filter_map(|g| build(g, &ways.net, in_force.built, &mut diags)).collect();
    let (policy, found) = policy::load(&settings.policies_dir(), &settings.gateway_configs());
    diags.extend(found);
    let definitions = probe::read_folder(&settings.probes_dir(), &mut diags);
    let adapters: Vec<_> = adapter::ADAPTERS.iter().map(|kind| kind.name).collect();
    let probes = probe::resolve(&definitions, &targets, &adapters, &ways.context, &mut diags);
    match policy {
        Some(policy) if !diags.has_errors() && built.len() == settings.gateways.len() => {
            Ok(Plan { settings, built, policy: Arc::new(policy.into_policy()), probes, warnings: diags })
        }
        _ => Err(diags),
    }
}

/// Returns the gateways of a plan as the core's thread takes them.
pub(crate) fn lineup(built: &[Built]) -> Lineup {
    built.iter().map(|b| Gateway { config: b.config.clone(), adapter: Arc::clone(&b.adapter) }).collect()
}

/// Says whether both put the same gateways to work.
pub(crate) fn same_lineup(a: &[Built], b: &[Built]) -> bool {
    let same = |(a, b): (&Built, &Built)| a.config == b.config && Arc::ptr_eq(&a.adapter, &b.adapter);
    a.len() == b.len() && a.iter().zip(b).all(same)
}

/// Names what changed that only a restart brings into force.
pub(crate) fn needs_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let changed = [
        (old.server != new.server, "[server]"),
        (old.store != new.store, "[store]"),
        (old.retention != new.retention, "[retention]"),
        (old.resolvers != new.resolvers, "[net]"),
        (old.uplinks != new.uplinks, "[[uplink]]"),
        (old.dwell != new.dwell, "[detection]"),
    ];
    changed.into_iter().filter(|(changed, _)| *changed).map(|(_, table)| table).collect()
}

/// Returns the folders and files that a change of which is to be noticed.
pub(crate) fn watched(config: &Path) -> Vec<PathBuf> {
    let folder = match config.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    vec![folder.to_owned(), folder.join("policies"), folder.join("probes")]
}

/// Returns each gateway's id: a name keeps the place that it had, a new one gets the next.
fn ids(settings: &Settings, names: &[String], diags: &mut Diagnostics) -> Vec<GatewayId> {
    let mut next = names.len();
    let mut ids = Vec::new();
    for gateway in &settings.gateways {
        let place = names.iter().position(|name| *name == gateway.config.name).unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        ids.push(GatewayId(place.min(GATEWAYS_MAX - 1) as u8));
    }
    if next > GATEWAYS_MAX {
        let message = format!("{next} gateways were configured since the start; {GATEWAYS_MAX} are allowed");
        diags.push(
            Diagnostic::error("too-many", message)
                .help("restart the service: gateways that are gone free their place"),
        );
    }
    ids
}

fn build(settings: &GatewaySettings, net: &Net, known: &[Built], diags: &mut Diagnostics) -> Option<Built> {
    let trusted = settings.ca_file.as_ref().and_then(|path| std::fs::read(path).ok());
    let before = known.iter().find(|b| b.settings.config.name == settings.config.name);
    if let Some(before) = before.filter(|b| b.trusted == trusted && same_settings(&b.settings, settings)) {
        return Some(before.clone());
    }
    let adapter = adapter::build(settings.clone(), net, diags)?;
    let config = GatewayConfig { can_ask: adapter.can_ask(), ..settings.config.clone() };
    Some(Built { config, adapter, settings: settings.clone(), trusted })
}

fn same_settings(a: &GatewaySettings, b: &GatewaySettings) -> bool {
    a.config == b.config
        && a.adapter == b.adapter
        && a.base_url == b.base_url
        && a.ca_file == b.ca_file
        && a.rest.says_same(&b.rest)
}
