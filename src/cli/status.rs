//! `wasl status`: channels, outages and the queue, once.

use super::Done;
use super::client::At;
use super::roads::{self, Stands};
use super::table::{self, Cell, Tone, ago, lay_out, paint, text};
use serde_json::Value;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Prints it.
pub(super) fn run(args: &Args) -> Done {
    let status = args.at.client()?.get("/v1/status")?;
    match args.json {
        true => table::json(&status),
        false => table::print(&draw(&status, table::coloured())),
    }
    Ok(())
}

/// Draws the picture for people.
pub(super) fn draw(status: &Value, coloured: bool) -> String {
    let mut out = format!("{}\n", headline(status, coloured));
    if let Some(trouble) = status["policy_trouble"].as_object() {
        let word = paint(
            "The last edit of the policies was refused; the earlier set is in force.",
            Tone::Bad,
            coloured,
        );
        out.push_str(&format!("{word}\n{}\n", text(&trouble["report"]).trim_end()));
    }
    for (said, tone) in help(status) {
        out.push_str(&format!("{}\n", paint(&said, tone, coloured)));
    }
    out.push('\n');
    out.push_str(&gateways(status, coloured));
    // Everything at once stands in the headline already.
    for said in roads::stopped(status).iter().filter(|_| !status["held"].is_object()) {
        out.push_str(&format!("{said}\n"));
    }
    out.push('\n');
    out.push_str(&queue(status));
    let outages = outages(status, coloured);
    if !outages.is_empty() {
        out.push_str(&format!("\n{outages}"));
    }
    out
}

/// The sentence that sums it up.
fn headline(status: &Value, coloured: bool) -> String {
    if let Some(said) = roads::all_held(status) {
        return paint(&format!("{said}."), Tone::Bad, coloured);
    }
    let (mut down, mut doubtful) = (Vec::new(), Vec::new());
    let channels = rows(&status["channels"]);
    for channel in channels.iter().map(|channel| text(&channel["channel"])) {
        match roads::stands(status, channel) {
            Stands::Good => {}
            Stands::Doubtful => doubtful.push(channel),
            Stands::Shut(why) => down.push((channel, why.join(", "))),
        }
    }
    let why = down
        .iter()
        .map(|(channel, why)| format!("{channel} cannot be used ({why})"))
        .collect::<Vec<_>>()
        .join("; ");
    let doubt = format!("{} degraded", doubtful.join(", "));
    let lines_down = rows(&status["uplinks"]).iter().any(|line| line["up"] == Value::Bool(false));
    let (said, tone) = match (channels.len(), down.len(), doubtful.len()) {
        (0, ..) => ("No gateway is configured: nothing can be sent.".into(), Tone::Bad),
        (all, shut, _) if all == shut => {
            (format!("No channel can be used, messages wait: {why}."), Tone::Bad)
        }
        (_, 0, _) if lines_down => ("Our own line is down; what needs none is used.".into(), Tone::Bad),
        (_, 0, 0) => ("Every channel has a gateway that can be used.".to_string(), Tone::Good),
        (all, 0, n) if all == n => {
            ("Every channel is degraded: messages go out, and may be late or lost.".into(), Tone::Bad)
        }
        (_, 0, _) => {
            (format!("Every channel can be used; {doubt}: other channels are preferred."), Tone::Doubt)
        }
        (all, shut, n) if all == shut + n => {
            (format!("{why}; the rest is degraded: {}.", doubtful.join(", ")), Tone::Bad)
        }
        (_, _, 0) => (format!("{why}; other channels carry."), Tone::Doubt),
        _ => (format!("{why}; {doubt}; other channels carry."), Tone::Doubt),
    };
    paint(&said, tone, coloured)
}

/// Says who called for help, and apart who did so in answer to an exercise.
fn help(status: &Value) -> Vec<(String, Tone)> {
    let help = &status["deliveries"]["need_help"];
    let n = |key: &str| help[key].as_u64().filter(|n| *n > 0);
    let people = |n| if n == 1 { "1 person".to_owned() } else { format!("{n} people") };
    let need = n("people").map(|n| {
        let verb = if n == 1 { "needs" } else { "need" };
        let oldest = ago(&help["oldest_at"], &status["at"]);
        (format!("{} {verb} help; the oldest call is {oldest} old.", people(n)), Tone::Bad)
    });
    let played = n("exercises")
        .map(|n| (format!("{} answered a drill with a call for help.", people(n)), Tone::Doubt));
    need.into_iter().chain(played).collect()
}

fn gateways(status: &Value, coloured: bool) -> String {
    let now = &status["at"];
    let drawn: Vec<_> = rows(&status["gateways"])
        .iter()
        .filter(|g| g["configured"] == Value::Bool(true))
        .map(|g| {
            let (mut state, tone) = state_of(g);
            if roads::throttled(status, g).is_some() {
                state.push_str(", throttled");
            }
            let plain = |word: String| Cell(word, Tone::Plain);
            vec![
                plain(text(&g["name"]).into()),
                plain(text(&g["channel"]).into()),
                Cell(state, tone),
                plain(ago(&g["since"], now)),
                plain(format!("{:.0} %", g["health"].as_f64().unwrap_or(0.0) * 100.0)),
                plain(g["in_flight"].to_string()),
                plain(g["unconfirmed"].to_string()),
                plain(text(&g["reason"]["name"]).replace('_', " ")),
            ]
        })
        .collect();
    lay_out(
        &["GATEWAY", "CHANNEL", "STATE", "SINCE", "ODDS", "IN FLIGHT", "UNCONFIRMED", "LAST TROUBLE"],
        &drawn,
        coloured,
    )
}

fn state_of(gateway: &Value) -> (String, Tone) {
    if let Some(overlay) = gateway["overlay"].as_object() {
        // In a drill it works: its state is what it is.
        if overlay["kind"] != "drill" {
            return (text(&overlay["kind"]).into(), Tone::Bad);
        }
    }
    let tone = match text(&gateway["state"]) {
        "up" => Tone::Good,
        "down" => Tone::Bad,
        "degraded" | "recovering" => Tone::Doubt,
        _ => Tone::Plain,
    };
    (text(&gateway["state"]).into(), tone)
}

fn queue(status: &Value) -> String {
    let counts = &status["deliveries"]["counts"];
    let n = |key: &str| counts[key].as_u64().unwrap_or(0);
    let mut out = format!(
        "Deliveries: {} open ({} waiting, {} backing off, {} in flight, {} unconfirmed), {} late\n",
        n("open"),
        n("waiting") + n("materialising"),
        n("backing_off"),
        n("in_flight"),
        n("unconfirmed"),
        n("late"),
    );
    for (severity, since) in status["deliveries"]["oldest_since"].as_object().into_iter().flatten() {
        out.push_str(&format!("The oldest {severity} one waits for {}\n", ago(since, &status["at"])));
    }
    out
}

fn outages(status: &Value, coloured: bool) -> String {
    let now = &status["at"];
    let drawn: Vec<_> = rows(&status["outages"])
        .iter()
        .filter(|outage| outage["recovered"].is_null())
        .map(|outage| {
            vec![
                Cell(text(&outage["id"]).into(), Tone::Plain),
                Cell(named(&outage["of"]), Tone::Bad),
                Cell(text(&outage["cause"]).replace('_', " "), Tone::Plain),
                Cell(ago(&outage["onset"], now), Tone::Plain),
            ]
        })
        .collect();
    if drawn.is_empty() {
        String::new()
    } else {
        lay_out(&["OUTAGE", "OF", "CAUSE", "FOR"], &drawn, coloured)
    }
}

/// Names what an outage is of.
pub(super) fn named(of: &Value) -> String {
    if let (Some(gateway), Some(region)) = (of["gateway"].as_str(), of["region"].as_str()) {
        return if region.is_empty() {
            format!("gateway {gateway}")
        } else {
            format!("gateway {gateway} in {region}")
        };
    }
    let entry = of.as_object().and_then(|of| of.iter().next());
    entry.map_or(String::new(), |(kind, name)| format!("{kind} {}", text(name)))
}

/// Returns a JSON list's rows.
pub(super) fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_picture_is_drawn_in_words() {
        let status = json!({
            "at": "2026-11-22T18:00:00.000Z", "held": null, "policy_trouble": null,
            "channels": [{"channel": "sms", "usable": 1}, {"channel": "whatsapp", "usable": 0}],
            "uplinks": [],
            "gateways": [{"name": "modem", "channel": "sms", "configured": true, "state": "up", "overlay": null},
                {"name": "wa", "channel": "whatsapp", "configured": true, "state": "down",
                "since": "2026-11-22T17:58:00.000Z", "health": 0.031, "overlay": null, "in_flight": 0,
                "unconfirmed": 2, "reason": {"name": "tcp_timeout"}}],
            "deliveries": {"counts": {"open": 3, "waiting": 1, "late": 1},
                "need_help": {"people": 2, "oldest_at": "2026-11-22T17:57:00.000Z", "exercises": 1},
                "oldest_since": {"extreme": "2026-11-22T17:59:59.000Z"}},
            "outages": [{"id": "o-1", "of": {"gateway": "wa"}, "cause": "tcp_timeout",
                "onset": "2026-11-22T17:57:00.000Z", "recovered": null}],
        });
        let drawn = draw(&status, false);
        for word in [
            "whatsapp cannot be used (wa down for 2 min (tcp timeout)); other channels carry.",
            "wa       whatsapp  down   2 min  3 %",
            "tcp timeout",
            "3 open (1 waiting",
            "extreme one waits for 1 s",
            "\n2 people need help; the oldest call is 3 min old.\n",
            "\n1 person answered a drill with a call for help.\n",
            "o-1     gateway wa",
        ] {
            assert!(drawn.contains(word), "{word}\n{drawn}");
        }
        let gateway = |state: &str, until: Value| {
            json!({"name": "wa", "channel": "whatsapp", "configured": true, "state": state,
            "overlay": null, "deferred_until": until})
        };
        let check = |gateway: Value, words: &[&str]| {
            let drawn = draw(
                &json!({"at": "2026-11-22T18:00:00.000Z", "channels": [{"channel": "whatsapp", "usable": 1}], "gateways": [gateway]}),
                false,
            );
            words.iter().for_each(|word| assert!(drawn.contains(word), "{word}\n{drawn}"));
        };
        check(gateway("up", Value::Null), &["Every channel has a gateway that can be used."]);
        check(
            gateway("degraded", Value::Null),
            &["Every channel is degraded: messages go out, and may be late or lost."],
        );
        check(
            gateway("up", json!("2026-11-22T18:00:30.000Z")),
            &[
                "No channel can be used, messages wait: whatsapp cannot be used (wa throttled until 18:00:30 UTC).",
                "up, throttled",
                "\nwa (whatsapp) is throttled until 18:00:30 UTC\n",
            ],
        );
        let calm = json!({"deliveries": {"need_help": {"people": 0, "oldest_at": null, "exercises": 0}}});
        assert!(!draw(&calm, false).contains("help"));
    }
}
