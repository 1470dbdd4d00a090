//! `wasl cancel`: recalls what was not yet sent.

use super::client::At;
use super::{Done, table};
use serde_json::json;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The message's id
    message: String,
    /// Why: it goes on record
    #[arg(long)]
    reason: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Cancels it.
pub(super) fn run(args: &Args) -> Done {
    let path = format!("/v1/messages/{}/cancel", args.message);
    let done = args.at.client()?.post(&path, &json!({"reason": args.reason}))?;
    match args.json {
        true => table::json(&done),
        false => table::print(&format!("{} deliveries of {} were recalled\n", done["changed"], args.message)),
    }
    Ok(())
}
