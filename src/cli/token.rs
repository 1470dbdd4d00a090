//! `wasl token new`: a new token, shown once.

use super::Done;
use super::client::At;
use super::table::{self, text};
use serde_json::json;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(clap::Subcommand, Debug)]
enum Act {
    /// Make a token; it is shown this once, and kept as a hash
    New(New),
}

#[derive(clap::Args, Debug)]
struct New {
    /// Whom it is for: the author of what is sent with it
    #[arg(long)]
    name: String,
    /// viewer, sender, approver or admin
    #[arg(long)]
    role: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Makes it.
pub(super) fn run(args: &Args) -> Done {
    let Act::New(new) = &args.act;
    let made = new.at.client()?.post("/v1/tokens", &json!({"name": new.name, "role": new.role}))?;
    match new.json {
        true => table::json(&made),
        // Alone on its line, so that it can be piped into a file.
        false => table::print(&format!("{}\n", text(&made["token"]))),
    }
    Ok(())
}
