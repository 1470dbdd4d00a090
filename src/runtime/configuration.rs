//! Everything that the files say, read and checked together: `wasl run`, its reloads and `wasl check` start here.
//!
//! Invariant: all of a set or none of it. A configuration exists only where no file has an error; what is wrong with all
//! of them is told at once.

use crate::adapter::net::Net;
use crate::adapter::{self, Adapter};
use crate::core::channel::GatewayId;
use crate::diag::{Diagnostic, Diagnostics};
use crate::policy::{self, CheckedPolicy, PolicyFiles};
use crate::probe::{self, ProbeSet, Target};
use crate::runtime::gateways::{Gateway, Lineup};
use crate::settings::{GatewaySettings, Settings};
use std::path::Path;
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
}

impl Configuration {
    /// Reads `wasl.toml` and the folders beside it. `known` names the gateways that a running service has, in the order
    /// of their ids: they keep them, and new ones come after. The diagnostics hold the warnings of a sound set, and all
    /// that is wrong with another.
    pub fn load(path: &Path, known: &[String]) -> (Option<Configuration>, Diagnostics) {
        let mut diags = Diagnostics::default();
        let settings = Settings::read(path, &adapter::kinds(), &mut diags);
        let configuration = match settings {
            Some(settings) if !diags.has_errors() => build(settings, known, &mut diags),
            // Gateways may be missing from what was read, and every word about them would be a false alarm.
            _ => {
                let folder = path.parent().unwrap_or(Path::new(""));
                probe::read_folder(&folder.join("probes"), &mut diags);
                policies(&folder.join("policies"), None, &mut diags);
                None
            }
        };
        (configuration.filter(|_| !diags.has_errors()), diags)
    }
}

fn build(settings: Settings, known: &[String], diags: &mut Diagnostics) -> Option<Configuration> {
    let configs = settings.gateway_configs();
    let policy = policies(&settings.policies_dir(), Some(&configs), diags);
    let (probing, probes) = probes(&settings, known, diags);
    let lineup = lineup(&settings, diags);
    Some(Configuration { policy: policy?, lineup: lineup?, probes, probing, settings })
}

fn policies(
    folder: &Path,
    gateways: Option<&[crate::core::gateway::GatewayConfig]>,
    diags: &mut Diagnostics,
) -> Option<CheckedPolicy> {
    let files = PolicyFiles::read(folder, diags);
    policy::check(&files, gateways, diags)
}

fn probes(settings: &Settings, known: &[String], diags: &mut Diagnostics) -> (Arc<probe::Context>, ProbeSet) {
    let definitions = probe::read_folder(&settings.probes_dir(), diags);
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
    let context = Arc::new(probe::Context::new(&settings.resolvers));
    let kinds = adapter::kinds();
    let adapters: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    let set = probe::resolve(&definitions, &targets, &adapters, &context, diags);
    (context, set)
}

fn lineup(settings: &Settings, diags: &mut Diagnostics) -> Option<Lineup> {
    let net = match Net::new(&settings.resolvers) {
        Ok(net) => net,
        Err(why) => {
            diags.push(
                Diagnostic::error("no-resolver", why.to_string())
                    .in_file(settings.file.display().to_string())
                    .help("write `[net]` and `resolvers = [\"9.9.9.9\"]`"),
            );
            return None;
        }
    };
    let built: Vec<_> = settings.gateways.iter().map(|gateway| built(gateway, &net, diags)).collect();
    built.into_iter().collect()
}

fn built(gateway: &GatewaySettings, net: &Net, diags: &mut Diagnostics) -> Option<Gateway> {
    let adapter: Arc<dyn Adapter> = adapter::build(gateway.clone(), net, diags)?;
    let mut config = gateway.config.clone();
    config.can_ask = adapter.can_ask();
    Some(Gateway { config, adapter })
}
