//! `wasl check`: validates every file.

use super::{Done, Failure, table};
use crate::diag::Diagnostics;
use crate::runtime::configuration::Configuration;
use serde_json::json;
use std::path::PathBuf;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The configuration; `probes/` and `policies/` lie beside it
    #[arg(long, value_name = "FILE", default_value = "wasl.toml")]
    config: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Reads everything and prints all that is wrong with it.
pub(super) fn run(args: &Args) -> Done {
    let (configuration, diags) = Configuration::load(&args.config, &[]);
    match args.json {
        true => table::json(&report(configuration.as_ref(), &diags)),
        false => table::print(&draw(configuration.as_ref(), &diags, table::coloured())),
    }
    if configuration.is_some() { Ok(()) } else { Err(Failure::Told) }
}

fn report(configuration: Option<&Configuration>, diags: &Diagnostics) -> serde_json::Value {
    json!({
        "ok": configuration.is_some(),
        "errors": diags.errors(),
        "warnings": diags.warnings(),
        "policy": configuration.map(|configuration| configuration.policy.policy().hash.as_str()),
        "diagnostics": diags.to_json(),
    })
}

fn draw(configuration: Option<&Configuration>, diags: &Diagnostics, coloured: bool) -> String {
    let mut text = if coloured { diags.render_coloured() } else { diags.render() };
    if !text.is_empty() {
        text.push('\n');
    }
    let found = format!("{}, {}", count(diags.errors(), "error"), count(diags.warnings(), "warning"));
    let summary = match configuration {
        None => format!("{found}: this would not be put in force"),
        Some(configuration) => {
            // The built-in last rule stands in no file.
            let rules = configuration.policy.policy().rules.len() - 1;
            format!(
                "{}, {}, {}: {found}",
                count(configuration.lineup.len(), "gateway"),
                count(configuration.probes.len(), "probe"),
                count(rules, "rule"),
            )
        }
    };
    format!("{text}{summary}\n")
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
