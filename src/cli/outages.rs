//! `wasl outages`: the record of outages, newest first.

use super::Done;
use super::client::At;
use super::status::{named, rows};
use super::table::{self, Cell, Tone, ago, lay_out, text};
use crate::core::ids::OutageId;
use serde_json::Value;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// How many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Only older than this outage
    #[arg(long, value_name = "OUTAGE", value_parser = outage)]
    before: Option<OutageId>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

pub(super) fn outage(text: &str) -> Result<OutageId, &'static str> {
    text.parse().map_err(|_| "an outage is named by its number, as o-17")
}

/// Prints them.
pub(super) fn run(args: &Args) -> Done {
    let before = args.before.as_ref().map_or(String::new(), |id| format!("&before={id}"));
    let answer = args.at.client()?.get(&format!("/v1/outages?limit={}{before}", args.limit))?;
    match args.json {
        true => table::json(&answer),
        false => table::print(&draw(rows(&answer["outages"]))),
    }
    Ok(())
}

fn draw(outages: &[Value]) -> String {
    if outages.is_empty() {
        return "No outage is on record.\n".into();
    }
    let now: Value = jiff::Timestamp::now().to_string().into();
    let drawn: Vec<_> = outages
        .iter()
        .map(|outage| {
            let (ended, tone) = match &outage["recovered"] {
                Value::Null => (&now, Tone::Bad),
                at => (at, Tone::Plain),
            };
            let state = if tone == Tone::Bad { "goes on" } else { "over" };
            let cell = |word: &str| Cell(word.into(), Tone::Plain);
            vec![
                cell(text(&outage["id"])),
                cell(&named(&outage["of"])),
                Cell(state.into(), tone),
                cell(text(&outage["onset"])),
                cell(&ago(&outage["onset"], ended)),
                cell(&ago(&outage["onset"], &outage["detected"])),
                cell(&text(&outage["cause"]).replace('_', " ")),
                cell(&outage["attempts_failed"].to_string()),
            ]
        })
        .collect();
    let heads = ["OUTAGE", "OF", "STATE", "ONSET", "LASTED", "DETECTED IN", "CAUSE", "ATTEMPTS"];
    lay_out(&heads, &drawn, table::coloured())
}
