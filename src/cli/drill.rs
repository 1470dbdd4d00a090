//! `wasl drill`: a game day. Makes a gateway look down for a while, to drill messages alone or, by an admin, to everybody;
//! without a gateway: shows what runs, and the figures that are kept apart.

use super::client::At;
use super::status::rows;
use super::table::{self, text};
use super::{Done, Failure};
use crate::diag::parse_span;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The gateway that is to look down; without it, what runs is shown
    gateway: Option<String>,
    /// How long, `30m` or `2h`; 24 hours at most
    #[arg(long = "for", value_name = "SPAN", requires = "gateway")]
    lasts: Option<String>,
    /// Real messages avoid it too: needs an admin's token, and another good gateway
    #[arg(long, requires = "gateway", conflicts_with = "end")]
    everybody: bool,
    /// End it before its time
    #[arg(long, requires = "gateway", conflicts_with = "lasts")]
    end: bool,
    /// Show what runs
    #[arg(long, conflicts_with = "gateway")]
    list: bool,
    /// Why: it goes on record
    #[arg(long, requires = "gateway")]
    reason: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Starts a drill, ends one, or shows what runs.
pub(super) fn run(args: &Args) -> Done {
    let client = args.at.client()?;
    let Some(gateway) = &args.gateway else {
        let status = client.get("/v1/status")?;
        return show(args.json, &status["deliveries"]["drill"], || running(&status));
    };
    if args.reason.is_none() {
        return Err(Failure::Usage("say why: --reason \"..\" goes on record".into()));
    }
    if args.end {
        let done =
            client.post(&format!("/v1/gateways/{gateway}/drill/end"), &json!({"reason": args.reason}))?;
        return show(args.json, &done, || match done["changed"] == 0 {
            true => format!("{gateway}: no drill runs\n"),
            false => format!("{gateway}: the drill is over\n"),
        });
    }
    let Some(lasts) = args.lasts.as_deref() else {
        return Err(Failure::Usage("say how long: --for 30m, 24 hours at most; --end ends one".into()));
    };
    let span = parse_span(lasts).ok_or_else(|| {
        Failure::Usage(format!("--for {lasts}: write a number and its unit, as in 30m or 2h"))
    })?;
    // The service has its own clock: an end by ours is near enough, and is shown.
    let until = Timestamp::now() + SignedDuration::from_millis(span.ms());
    let body = json!({"until": until.to_string(), "everybody": args.everybody, "reason": args.reason});
    let done = client.post(&format!("/v1/gateways/{gateway}/drill"), &body)?;
    let whom = if args.everybody { "everybody: real messages avoid it too" } else { "exercises alone" };
    show(args.json, &done, || format!("{gateway} looks down until {until} to {whom}\n"))
}

fn show(as_json: bool, told: &Value, in_words: impl FnOnce() -> String) -> Done {
    match as_json {
        true => table::json(told),
        false => table::print(&in_words()),
    }
    Ok(())
}

/// Tells which gateways look down, and what became of the drill's messages.
fn running(status: &Value) -> String {
    let drilled = rows(&status["gateways"]).iter().filter(|gateway| gateway["overlay"]["kind"] == "drill");
    let mut told: String = drilled
        .map(|gateway| {
            let overlay = &gateway["overlay"];
            let whom = if overlay["everybody"] == true { "everybody" } else { "exercises" };
            let (name, until) = (text(&gateway["name"]), text(&overlay["until"]));
            format!(
                "{name} looks down to {whom} until {until}: {} ({})\n",
                text(&overlay["reason"]),
                text(&overlay["who"])
            )
        })
        .collect();
    if told.is_empty() {
        told = "no gateway looks down for a drill\n".into();
    }
    let drill = &status["deliveries"]["drill"];
    let settled = drill["settled"].as_object().into_iter().flatten();
    let settled: Vec<_> =
        settled.filter(|(_, n)| n.as_u64() != Some(0)).map(|(result, n)| format!("{n} {result}")).collect();
    let settled = if settled.is_empty() { "none settled".into() } else { settled.join(", ") };
    let open = table::count(&drill["open"], "delivery", "deliveries");
    told + &format!("drill messages: {open} not settled, {} late; since the start {settled}\n", drill["late"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_told_with_its_figures() {
        let overlay = json!({"kind": "drill", "everybody": false, "until": "18:00", "who": "ali", "reason": "game day"});
        let gateways = json!([{"name": "wa", "overlay": overlay}, {"name": "sms", "overlay": null}]);
        let drill = json!({"open": 1, "late": 2, "settled": {"delivered": 3, "failed": 0}});
        assert_eq!(
            running(&json!({"gateways": gateways, "deliveries": {"drill": drill}})),
            "wa looks down to exercises until 18:00: game day (ali)\n\
             drill messages: 1 delivery not settled, 2 late; since the start 3 delivered\n"
        );
        let none = json!({"open": 0, "late": 0, "settled": {}});
        assert_eq!(
            running(&json!({"gateways": [], "deliveries": {"drill": none}})),
            "no gateway looks down for a drill\ndrill messages: 0 deliveries not settled, 0 late; since the start none settled\n"
        );
    }
}
