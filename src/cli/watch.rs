//! `wasl watch`: the picture live in the terminal; with `--json`, each event as a line.

use super::client::{At, Client, Go};
use super::{Done, Failure, status, table};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::time::Duration;

/// How often the picture is drawn.
const DRAW_EVERY: Duration = Duration::from_secs(1);
/// How long to wait before the stream is opened again.
const AGAIN: Duration = Duration::from_secs(2);
/// To the top left, and clear what is below.
const HOME: &str = "\x1b[H\x1b[J";

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Print each event as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Watches until it is interrupted.
pub(super) fn run(args: &Args) -> Done {
    let client = args.at.client()?;
    match args.json || !std::io::stdout().is_terminal() {
        true => events(&client),
        false => picture(&client),
    }
}

/// Draws the picture again and again. A service that is away for a while is waited for.
#[allow(clippy::disallowed_methods, reason = "a person's command waits between two pictures")]
fn picture(client: &Client) -> Done {
    let mut drawn = status::draw(&client.get("/v1/status")?, table::coloured());
    loop {
        table::print(&format!("{HOME}{drawn}"));
        if table::reader_gone() {
            return Ok(());
        }
        std::thread::sleep(DRAW_EVERY);
        drawn = match client.get("/v1/status") {
            Ok(status) => status::draw(&status, table::coloured()),
            Err(Failure::Unreachable(why)) => format!("{why}\n"),
            Err(failure) => return Err(failure),
        };
    }
}

/// Prints the events as they come, and resumes after a loss.
#[allow(clippy::disallowed_methods, reason = "a person's command waits between two pictures")]
fn events(client: &Client) -> Done {
    let mut last: Option<String> = None;
    loop {
        let resumes = last.clone();
        let heard = client.follow("/v1/events", resumes.as_deref(), |name, id, data| {
            if let Some(id) = id {
                last = Some(id.to_string());
            }
            let data: Value = serde_json::from_str(data).unwrap_or(Value::Null);
            table::print(&format!("{}\n", json!({"event": name, "data": data})));
            if table::reader_gone() { Go::Stop } else { Go::On }
        });
        if table::reader_gone() {
            return Ok(());
        }
        match heard {
            // It was heard before, so it will be again.
            Ok(()) => {}
            Err(Failure::Unreachable(_)) if last.is_some() => {}
            Err(failure) => return Err(failure),
        }
        std::thread::sleep(AGAIN);
    }
}
