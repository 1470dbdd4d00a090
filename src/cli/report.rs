//! `wasl report OUTAGE`: what an outage did, in numbers.

use super::Done;
use super::client::At;
use super::status::{named, rows};
use super::table::{self, Cell, Tone, ago, lay_out, text};
use crate::core::ids::OutageId;
use crate::core::time::Span;
use serde_json::Value;
use std::fmt::Write;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The outage, as `wasl outages` names it: o-17
    #[arg(value_parser = super::outages::outage)]
    outage: OutageId,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Prints it.
pub(super) fn run(args: &Args) -> Done {
    let answer = args.at.client()?.get(&format!("/v1/outages/{}/report", args.outage))?;
    match args.json {
        true => table::json(&answer),
        false => table::print(&draw(&answer)),
    }
    Ok(())
}

fn draw(report: &Value) -> String {
    let outage = &report["outage"];
    let now: Value = jiff::Timestamp::now().to_string().into();
    let end = if outage["recovered"].is_null() { &now } else { &outage["recovered"] };
    let mut out = format!("{}: {}\n\n", text(&outage["id"]), named(&outage["of"]));
    let cause = text(&outage["cause"]).replace('_', " ");
    let layer = outage["layer"].as_str().map_or(String::new(), |layer| format!(", at layer {layer}"));
    let over = if outage["recovered"].is_null() { "goes on, for" } else { "lasted" };
    let lines = [
        ("first bad sign", text(&outage["onset"]).to_owned()),
        ("declared", format!("{} later", ago(&outage["onset"], &outage["detected"]))),
        ("cause", format!("{cause}{layer}")),
        ("at fault", blame(text(&outage["blame"])).to_owned()),
        (over, ago(&outage["onset"], end)),
    ];
    for (word, told) in lines {
        let _ = writeln!(out, "{word:>15}  {told}");
    }
    out.push_str("\nThe evidence\n");
    for sign in rows(&outage["evidence"]) {
        let _ = writeln!(out, "  - {}", evidence(sign));
    }
    if rows(&outage["evidence"]).is_empty() {
        out.push_str("  none was kept\n");
    }
    let all = &report["all"];
    let _ = write!(
        out,
        "\nDeliveries under way: {}. Reached: {}, of them {} by another road and {} later than a minute. \
         Not reached: {}. Open: {}.\n",
        all["deliveries"], all["reached"], all["rerouted"], all["delayed"], all["missed"], all["open"],
    );
    let into = &report["into_it"];
    let _ = writeln!(
        out,
        "Attempts into it: {}, of which {} failed and {} were taken and never heard of.",
        into["attempts"], into["failed"], into["swallowed"],
    );
    match &report["fixed_order"] {
        Value::Null => {
            out.push_str("With a fixed order: nobody can tell, since nothing was tried by what was down.\n");
        }
        fixed => {
            let waits = match fixed["waits_ms"].as_i64() {
                Some(ms) => format!(", each waiting {} to fail", Span::from_ms(ms)),
                None => String::new(),
            };
            let _ = writeln!(
                out,
                "With a fixed order: {} more attempts into it{waits}; about {} of them taken and not delivered.",
                fixed["attempts"], fixed["swallowed"],
            );
        }
    }
    if report["complete"] == Value::Bool(false) {
        out.push_str("This is a part: there were more deliveries than one report counts.\n");
    }
    for (key, word, head) in [
        ("sectors", "sector", "SECTOR"),
        ("audiences", "audience", "AUDIENCE"),
        ("regions", "region", "REGION"),
        ("channels", "channel", "REACHED BY"),
    ] {
        let groups = rows(&report[key]);
        if !groups.is_empty() {
            out.push('\n');
            out.push_str(&table_of(groups, word, head));
        }
    }
    out
}

fn table_of(groups: &[Value], word: &str, head: &str) -> String {
    let span = |ms: &Value| ms.as_i64().map_or("-".to_owned(), |ms| Span::from_ms(ms).to_string());
    let cell = |word: String| Cell(word, Tone::Plain);
    let drawn: Vec<Vec<Cell>> = groups
        .iter()
        .map(|group| {
            let name = match text(&group[word]) {
                "" => "(none)",
                "*" => "(others)",
                name => name,
            };
            let missed = group["missed"].as_u64().unwrap_or(0);
            let answered = match group["asked"].as_u64() {
                Some(asked) if asked > 0 => format!("{} of {asked}", group["answered"]),
                _ => "-".into(),
            };
            vec![
                cell(name.into()),
                cell(group["deliveries"].to_string()),
                cell(group["reached"].to_string()),
                cell(group["rerouted"].to_string()),
                cell(group["delayed"].to_string()),
                Cell(missed.to_string(), if missed > 0 { Tone::Bad } else { Tone::Plain }),
                cell(span(&group["reached_within_ms"]["half"])),
                cell(span(&group["reached_within_ms"]["nineteen_in_twenty"])),
                cell(answered),
                cell(span(&group["answered_within_ms"])),
            ]
        })
        .collect();
    let heads = [
        head,
        "UNDER WAY",
        "REACHED",
        "RE-ROUTED",
        "LATE",
        "MISSED",
        "HALF WITHIN",
        "95 % WITHIN",
        "ANSWERED",
        "HALF ANSWERED WITHIN",
    ];
    lay_out(&heads, &drawn, table::coloured())
}

fn blame(word: &str) -> &str {
    match word {
        "channel" => "the gateway or its channel",
        "region" => "the region's last mile, whatever the channel",
        "line" => "our own line",
        "domain" => "what the gateways share",
        "open" => "not known yet: the channel, or the network there",
        other => other,
    }
}

/// Says a piece of evidence in words.
pub(super) fn evidence(sign: &Value) -> String {
    let reason = text(&sign["reason"]).replace('_', " ");
    let there = match text(&sign["region"]) {
        "" => String::new(),
        region => format!(" from {region}"),
    };
    let gateway = text(&sign["gateway"]);
    match text(&sign["kind"]) {
        "probes" => match sign["layer"].as_str() {
            Some(layer) => format!("{} probes failed, the last at {layer}: {reason}", sign["failed"]),
            None => format!("{} probes failed: {reason}", sign["failed"]),
        },
        "attempts" => format!("{} attempts failed: {reason}", sign["failed"]),
        "receipts" => {
            format!("{gateway}: {} receipts came{there} where {} were due", sign["came"], sign["expected"])
        }
        "delivers" => format!("{gateway} delivers: its receipts come{there}"),
        "controls" => format!("{} of {} controls of our line failed", sign["failed"], sign["of"]),
        "provider" => "its provider says so itself".into(),
        "down" => format!("{gateway} is down"),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_says_what_happened_to_whom_in_words() {
        let group = |name: &str, missed: u64| {
            json!({"sector": name, "deliveries": 40, "reached": 40 - missed, "rerouted": 30, "delayed": 3, "missed": missed,
                "open": 0, "duplicated": 1, "reached_within_ms": {"half": 4_000, "nineteen_in_twenty": 61_000},
                "asked": 40, "answered": 12, "answered_within_ms": 125_000})
        };
        let report = json!({
            "outage": {"id": "o-17", "of": {"gateway": "wa", "region": "east"}, "onset": "2026-11-22T17:58:00Z",
                "detected": "2026-11-22T17:58:35Z", "recovered": "2026-11-22T18:58:00Z", "cause": "receipts_missing",
                "layer": null, "attempts_failed": 0, "blame": "channel", "evidence": [
                    {"kind": "receipts", "gateway": "wa", "region": "east", "came": 1, "expected": 34},
                    {"kind": "delivers", "gateway": "signal", "region": "east"}]},
            "complete": true, "late_after_ms": 60_000, "all": group("", 2),
            "sectors": [group("health", 0), group("", 2)], "audiences": [], "regions": [], "channels": [],
            "into_it": {"attempts": 34, "failed": 0, "swallowed": 33, "spared": 6},
            "fixed_order": {"attempts": 6, "waits_ms": null, "swallowed": 6},
        });
        let drawn = draw(&report);
        for said in [
            "o-17: gateway wa in east",
            "declared  35 s later",
            "wa: 1 receipts came from east where 34 were due",
            "signal delivers: its receipts come from east",
            "Not reached: 2.",
            "With a fixed order: 6 more attempts into it; about 6 of them taken and not delivered.",
            "12 of 40",
            "(none)",
        ] {
            assert!(drawn.contains(said), "{said}: {drawn}");
        }
    }
}
