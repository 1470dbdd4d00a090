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
        false => {
            let recalled = table::count(&done["changed"], "delivery", "deliveries");
            table::print(&format!("{recalled} of {} recalled\n", args.message));
        }
    }
    Ok(())
}
