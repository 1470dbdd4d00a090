//! `wasl doctor`: asks everything that can be asked without sending anything, and says of each what to do.
//!
//! It works with a running service and without one, and with files that have mistakes as far as they can be read. What only
//! the service knows is asked of it, with a token.
//!
//! Invariant: nothing is sent to anybody and nothing is written. No secret and nobody's number is printed.

mod files;
mod finding;
mod gateways;
mod machine;
mod providers;
mod public;
mod service;

use super::client::At;
use super::{Done, Failure, table};
use crate::adapter;
use crate::diag::Diagnostics;
use crate::runtime::configuration::Configuration;
use crate::settings::Settings;
use finding::{Finding, Level};
use std::path::PathBuf;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The configuration; `probes/` and `policies/` lie beside it
    #[arg(long, value_name = "PATH", default_value = "wasl.toml")]
    config: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Looks at everything. The answer is no where something does not work.
pub(super) fn run(args: &Args) -> Done {
    let findings = look(args)?;
    match args.json {
        true => table::json(&finding::report(&findings)),
        false => table::print(&finding::draw(&findings, table::coloured())),
    }
    let broken = findings.iter().any(|finding| finding.level == Level::Fault);
    if broken { Err(Failure::Told) } else { Ok(()) }
}

fn look(args: &Args) -> Result<Vec<Finding>, Failure> {
    let (configuration, diags) = Configuration::load(&args.config, &[]);
    let mut findings = files::configuration(configuration.as_ref(), &diags);
    // A mistake in a policy must not keep anybody from looking at the rest.
    let settings = Settings::read(&args.config, &adapter::kinds(), &mut Diagnostics::default());
    findings.extend(files::secrets(&args.config, &diags));
    let Some(settings) = settings else {
        findings.push(Finding::unasked(
            "the rest",
            format!("{} cannot be read", args.config.display()),
            "mend it, or name another: `wasl doctor --config PATH`",
        ));
        return Ok(findings);
    };
    if let Some(configuration) = &configuration {
        findings.extend(files::policies(configuration.policy.policy()));
    }
    findings.extend(files::certificate(&settings));
    findings.extend(files::people(&settings));
    let (of_store, in_use) = machine::store(&settings);
    findings.extend(of_store);
    findings.extend(machine::clock(&settings));
    findings.extend(machine::system());
    findings.extend(machine::address(&settings, in_use.is_some()));
    findings.extend(gateways::all(&settings, in_use.is_some())?);
    findings.extend(service::all(&args.at, &settings, in_use)?);
    Ok(findings)
}
