//! Everything that the files say, read and checked together: `wasl run`, its reloads and `wasl check` start here.
//!
//! Invariant: all of a set or none of it. A configuration exists only where no file has an error; what is wrong with all
//! of them is told at once. Over a reload, an adapter whose settings are the same is kept, with its connections.

use crate::adapter::net::Net;
use crate::adapter::{self, Adapter};
use crate::api::address::normalise;
use crate::core::channel::{GATEWAYS_MAX, GatewayId};
use crate::core::gateway::GatewayConfig;
use crate::core::message::Template;
use crate::diag::{Diagnostic, Diagnostics};
use crate::policy::{self, CheckedPolicy, PolicyFiles};
use crate::probe::{self, ProbeSet, Target};
use crate::runtime::gateways::{CanaryAccount, Gateway, Lineup};
use crate::runtime::listener;
use crate::settings::{CanarySettings, GatewaySettings, Settings};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A set of files without an error, ready to be put to work. Nothing of it has touched the network.
pub struct Configuration {
    /// `wasl.toml`.
    pub settings: Settings,
    /// `policies/*.toml`.
    pub policy: CheckedPolicy,
    /// The gateways, each with its adapter.
    pub lineup: Lineup,
    /// `probes/*.toml`, for each gateway that they are for.
    pub probes: ProbeSet,
    /// What those probes share.
    pub probing: Arc<probe::Context>,
    /// The certificate of `[server]` and its key, as the files are now.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// What the adapters share.
    net: Net,
    /// What each adapter was built from, in the order of the lineup.
    made_from: Vec<MadeFrom>,
}

/// What an adapter was built from.
#[derive(Clone)]
struct MadeFrom {
    settings: GatewaySettings,
    /// The bytes of `ca_file`.
    trusted: Option<Vec<u8>>,
}

impl Configuration {
    /// Reads `wasl.toml` and the folders beside it. `known` names the gateways that a running service has, in the order
    /// of their ids: they keep them, and new ones come after. The diagnostics hold the warnings of a sound set, and all
    /// that is wrong with another.
    pub fn load(path: &Path, known: &[String]) -> (Option<Configuration>, Diagnostics) {
        load(path, known, None)
    }

    /// Reads the same files again, for a service that runs by this configuration.
    pub fn load_again(&self, known: &[String]) -> (Option<Configuration>, Diagnostics) {
        load(&self.settings.file, known, Some(self))
    }

    /// Says whether both put the same gateways to work, by the same adapters.
    pub fn same_lineup(&self, other: &Configuration) -> bool {
        let same = |(a, b): (&Gateway, &Gateway)| a.config == b.config && Arc::ptr_eq(&a.adapter, &b.adapter);
        self.lineup.len() == other.lineup.len() && self.lineup.iter().zip(&other.lineup).all(same)
    }

    /// Returns what the adapters share, for others who ask outside.
    pub(crate) fn net(&self) -> Net {
        self.net.clone()
    }

    /// Names what `later` says otherwise and only a restart brings into force.
    pub fn needs_restart(&self, later: &Configuration) -> Vec<&'static str> {
        let (old, new) = (&self.settings, &later.settings);
        let changed = [
            (!old.server.runs_as(&new.server), "[server]"),
            (old.store != new.store, "[store]"),
            (old.retention != new.retention, "[retention]"),
            (old.resolvers != new.resolvers, "[net]"),
            (old.uplinks != new.uplinks, "[[uplink]]"),
            (old.dwell != new.dwell, "[detection]"),
        ];
        changed.into_iter().filter(|(changed, _)| *changed).map(|(_, table)| table).collect()
    }

    /// Returns `later` with what only a restart brings into force as it is here, so that it is told again until then.
    pub(crate) fn followed_by(&self, later: Configuration) -> Configuration {
        let Settings { server, store, retention, resolvers, uplinks, dwell, .. } = self.settings.clone();
        let settings = Settings { server, store, retention, resolvers, uplinks, dwell, ..later.settings };
        Configuration { settings, ..later }
    }
}

/// Returns the folders in which a change is to be noticed.
pub(crate) fn folders(path: &Path) -> Vec<PathBuf> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    vec![folder.to_owned(), folder.join("policies"), folder.join("probes")]
}

fn load(
    path: &Path,
    known: &[String],
    before: Option<&Configuration>,
) -> (Option<Configuration>, Diagnostics) {
    let mut diags = Diagnostics::default();
    let settings = Settings::read(path, &adapter::kinds(), &mut diags);
    let configuration = match settings {
        Some(settings) if !diags.has_errors() => build(settings, known, before, &mut diags),
        // Gateways may be missing from what was read: what other files say about them is not held against it.
        read => {
            if let Some(settings) = read {
                alone(&settings, &mut diags);
            }
            let folder = path.parent().unwrap_or(Path::new(""));
            probe::read_folder(&folder.join("probes"), &adapter::kinds(), &mut diags);
            policies(&folder.join("policies"), None, &mut diags);
            None
        }
    };
    (configuration.filter(|_| !diags.has_errors()), diags)
}

fn build(
    settings: Settings,
    known: &[String],
    before: Option<&Configuration>,
    diags: &mut Diagnostics,
) -> Option<Configuration> {
    let configs = settings.gateway_configs();
    let tls = tls(&settings, diags);
    let policy = policies(&settings.policies_dir(), Some(&configs), diags);
    let probing = match before {
        Some(before) => Arc::clone(&before.probing),
        None => Arc::new(probe::Context::new(&settings.resolvers)),
    };
    let probes = probes(&settings, known, &probing, diags);
    let net = before.map_or_else(|| Net::new(&settings.resolvers), |before| before.net.clone());
    let built: Vec<_> = settings.gateways.iter().map(|g| built(g, &net, before, diags)).collect();
    let (lineup, made_from) = built.into_iter().collect::<Option<Vec<_>>>()?.into_iter().unzip();
    Some(Configuration { policy: policy?, lineup, probes, probing, tls, net, made_from, settings })
}

/// Tells what else is wrong with settings that have an error already: their certificate, their adapters' own keys.
fn alone(settings: &Settings, diags: &mut Diagnostics) {
    tls(settings, diags);
    // Nobody is asked for a name here.
    let net = Net::new(&settings.resolvers);
    for gateway in &settings.gateways {
        drop(adapter::build(gateway.clone(), &net, diags));
    }
}

/// Reads the certificate and its key, where they are named.
fn tls(settings: &Settings, diags: &mut Diagnostics) -> Option<Arc<rustls::ServerConfig>> {
    let files = settings.server.tls.as_ref()?;
    listener::tls(&files.cert, &files.key)
        .map_err(|why| {
            diags.push(
                Diagnostic::error("bad-tls", format!("TLS cannot be served: {why}"))
                    .at(&files.place, "these two files")
                    .help("give a PEM certificate, with those between it and the root, and the key that belongs to it"),
            );
        })
        .ok()
}

fn policies(
    folder: &Path,
    gateways: Option<&[GatewayConfig]>,
    diags: &mut Diagnostics,
) -> Option<CheckedPolicy> {
    let files = PolicyFiles::read(folder, diags);
    policy::check(&files, gateways, diags)
}

fn probes(
    settings: &Settings,
    known: &[String],
    context: &probe::Context,
    diags: &mut Diagnostics,
) -> ProbeSet {
    let kinds = adapter::kinds();
    let definitions = probe::read_folder(&settings.probes_dir(), &kinds, diags);
    let mut names: Vec<&str> = known.iter().map(String::as_str).collect();
    let mut targets = Vec::new();
    for gateway in &settings.gateways {
        let place = names.iter().position(|name| *name == gateway.config.name).unwrap_or_else(|| {
            names.push(&gateway.config.name);
            names.len() - 1
        });
        // A place beyond the core's limit gets no gateway there, and no probe here.
        targets.extend(u8::try_from(place).ok().map(|place| Target::of(GatewayId(place), gateway)));
    }
    if names.len() > GATEWAYS_MAX {
        let message = format!("{} gateways since the start; {GATEWAYS_MAX} are allowed", names.len());
        let help = "restart the service: gateways that are gone free their place";
        diags.push(Diagnostic::error("too-many", message).help(help));
    }
    let adapters: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    probe::resolve(&definitions, &targets, &adapters, context, diags)
}

fn built(
    settings: &GatewaySettings,
    net: &Net,
    before: Option<&Configuration>,
    diags: &mut Diagnostics,
) -> Option<(Gateway, MadeFrom)> {
    let trusted = settings.ca_file.as_ref().and_then(|path| std::fs::read(path).ok());
    let made_from = MadeFrom { settings: settings.clone(), trusted };
    if let Some(kept) = before.and_then(|before| before.kept(&made_from)) {
        let kept = Gateway { canaries: canaries(settings, diags)?, ..kept };
        return Some((kept, made_from));
    }
    let adapter: Arc<dyn Adapter> = adapter::build(settings.clone(), net, diags)?;
    let config = GatewayConfig { can_ask: adapter.can_ask(), ..settings.config.clone() };
    let canaries = canaries(settings, diags)?;
    Some((Gateway { config, adapter, canaries }, made_from))
}

/// Returns where a gateway's canaries go.
fn canaries(settings: &GatewaySettings, diags: &mut Diagnostics) -> Option<Arc<[CanaryAccount]>> {
    let channel = settings.config.channel;
    let account = |canary: &CanarySettings| match normalise(channel, &canary.to.value) {
        Ok(to) => {
            let language = canary.language.clone();
            let template = canary.template.clone();
            let template =
                template.map(|name| Template { name, language: Some(language.clone()), params: vec![] });
            Some(CanaryAccount { to, template, language })
        }
        Err(trouble) => {
            diags.push(
                Diagnostic::error("bad-address", "a canary has nowhere to go")
                    .at(&canary.to.place, trouble.to_string())
                    .help("write an account of yours as people's addresses are written"),
            );
            None
        }
    };
    settings.canaries.iter().map(account).collect()
}

impl Configuration {
    /// Returns the gateway with the adapter that was built from the same: its connections stay. What the adapter does
    /// not know (cost, rate, quotas, failure domains) may have changed.
    fn kept(&self, made_from: &MadeFrom) -> Option<Gateway> {
        let place = self.made_from.iter().position(|old| old.same(made_from))?;
        let Gateway { adapter, canaries, .. } = self.lineup.get(place).cloned()?;
        let config = GatewayConfig { can_ask: adapter.can_ask(), ..made_from.settings.config.clone() };
        Some(Gateway { config, adapter, canaries })
    }
}

impl MadeFrom {
    fn same(&self, other: &MadeFrom) -> bool {
        let (a, b) = (&self.settings, &other.settings);
        let known = |c: &GatewayConfig| (c.name.clone(), c.channel, c.window, c.receipts, c.connect_time_out);
        known(&a.config) == known(&b.config)
            && a.adapter == b.adapter
            && a.base_url == b.base_url
            && a.ca_file == b.ca_file
            && a.hook_url == b.hook_url
            && self.trusted == other.trusted
            && a.rest.says_same(&b.rest)
    }
}
