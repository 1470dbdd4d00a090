//! `wasl hold` and `wasl release`: an operator's stop, for one gateway or for all; kept over a restart.

use super::Done;
use super::client::At;
use super::status::rows;
use super::table::{self, text};
use serde_json::{Value, json};

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
    let verb = match act {
        Act::Hold => "hold",
        Act::Release => "release",
    };
    let path = match &args.gateway {
        Some(gateway) => format!("/v1/gateways/{gateway}/{verb}"),
        None => format!("/v1/{verb}"),
    };
    let done = args.at.client()?.post(&path, &json!({"reason": args.reason}))?;
    match args.json {
        true => table::json(&done),
        false => table::print(&told(args.gateway.as_deref(), act, &done)),
    }
    Ok(())
}

/// Tells what was done, and what of it is still stopped by something else.
fn told(gateway: Option<&str>, act: Act, done: &Value) -> String {
    let what = gateway.unwrap_or("every gateway");
    let word = match act {
        Act::Hold => "held",
        Act::Release if done["changed"] == 0 => "nothing was held",
        Act::Release => "released",
    };
    let mut told = format!("{what}: {word}\n");
    for stop in rows(&done["still_stopped"]) {
        let overlay = &stop["overlay"];
        let (who, reason) = (text(&overlay["who"]), text(&overlay["reason"]));
        told += &match (stop["gateway"].as_str(), overlay["until"].as_str()) {
            (None, _) => format!(
                "{what} stays stopped: {who} holds every gateway ({reason}); `wasl release --all --reason \"..\"` lets them go on\n"
            ),
            (Some(name), Some(until)) => {
                format!("{name} stays stopped: planned work by {who} until {until} ({reason})\n")
            }
            (Some(name), None) => {
                format!(
                    "{name} stays stopped: {who} holds it ({reason}); `wasl release {name} --reason \"..\"` lets it go on\n"
                )
            }
        };
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_tells_what_it_did_not_do() {
        let over = |gateway: Option<&str>, until: Option<&str>| json!({"gateway": gateway, "overlay": {"who": "ali", "reason": "drill", "until": until}});
        let check = |gateway, changed: u32, still: Vec<Value>, expected: &str| {
            let done = json!({"changed": changed, "still_stopped": still});
            assert_eq!(told(gateway, Act::Release, &done), expected);
        };
        check(Some("wa"), 1, vec![], "wa: released\n");
        check(Some("wa"), 0, vec![], "wa: nothing was held\n");
        check(
            Some("wa"),
            0,
            vec![over(None, None)],
            "wa: nothing was held\nwa stays stopped: ali holds every gateway (drill); `wasl release --all --reason \"..\"` lets them go on\n",
        );
        check(None, 0, vec![], "every gateway: nothing was held\n");
        check(
            None,
            3,
            vec![over(Some("wa"), None), over(Some("sms"), Some("18:00"))],
            "every gateway: released\n\
             wa stays stopped: ali holds it (drill); `wasl release wa --reason \"..\"` lets it go on\n\
             sms stays stopped: planned work by ali until 18:00 (drill)\n",
        );
        assert_eq!(told(None, Act::Hold, &json!({"changed": 3})), "every gateway: held\n");
    }
}
