//! `wasl token new`: a new token, shown once. A name that is taken is refused, unless it is to be replaced.

use super::Done;
use super::client::At;
use super::policy::word;
use super::table::{self, text};
use crate::core::query::Role;
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
    #[arg(long, value_parser = role)]
    role: Role,
    /// End the token that has this name now, and put the new one in its place; without it a taken name is refused
    #[arg(long)]
    replace: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

fn role(text: &str) -> Result<Role, String> {
    word(text, &Role::ALL, Role::name)
}

/// Makes it.
pub(super) fn run(args: &Args) -> Done {
    let Act::New(new) = &args.act;
    let body = json!({"name": new.name, "role": new.role.name(), "replace": new.replace});
    let made = new.at.client()?.post("/v1/tokens", &body)?;
    match new.json {
        true => table::json(&made),
        // Alone on its line, so that it can be piped into a file; what is for the person stands beside it.
        false => {
            eprintln!("a token of the role {} for {}; it is shown this once:", new.role.name(), new.name);
            table::print(&format!("{}\n", text(&made["token"])));
            eprintln!("whoever has it gives it as WASL_TOKEN, by --token-file, or on the login page");
        }
    }
    Ok(())
}
