//! `wasl hold` and `wasl release`: an operator's stop, for one gateway or for all; kept over a restart.

use super::client::At;
use super::{Done, table};
use serde_json::json;

/// What may be given.
#[derive(clap::Args, Debug)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["gateway", "all"])))]
pub(super) struct Args {
    /// The gateway's name
    gateway: Option<String>,
    /// Every gateway: the red button
    #[arg(long)]
    all: bool,
    /// Why: it goes on record
    #[arg(long)]
    reason: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Which way.
#[derive(Clone, Copy)]
pub(super) enum Act {
    /// Stop.
    Hold,
    /// Go on.
    Release,
}

/// Holds or releases.
pub(super) fn run(args: &Args, act: Act) -> Done {
    let (verb, done_word) = match act {
        Act::Hold => ("hold", "held"),
        Act::Release => ("release", "released"),
    };
    let path = match &args.gateway {
        Some(gateway) => format!("/v1/gateways/{gateway}/{verb}"),
        None => format!("/v1/{verb}"),
    };
    let done = args.at.client()?.post(&path, &json!({"reason": args.reason}))?;
    match args.json {
        true => table::json(&done),
        false => {
            table::print(&format!("{}: {done_word}\n", args.gateway.as_deref().unwrap_or("every gateway")))
        }
    }
    Ok(())
}
