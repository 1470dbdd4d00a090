//! Which ways out can be used, and why the others cannot: held by whom, throttled until when, down since when. In words, for the
//! commands that show it, from what `/v1/status` tells.

use super::status::rows;
use super::table::{ago, text};
use serde_json::Value;

/// How a channel stands to a message that is sent now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Stands {
    /// A gateway of it can be used, and nothing speaks against it.
    Good,
    /// It can be used; the evidence speaks against each gateway that can.
    Doubtful,
    /// No gateway of it can be used, and why: one reason for each.
    Shut(Vec<String>),
}

/// Says how a channel stands.
pub(super) fn stands(status: &Value, channel: &str) -> Stands {
    let of: Vec<_> = configured(status).filter(|gateway| gateway["channel"] == channel).collect();
    let usable: Vec<_> = of.iter().filter(|gateway| why_not(status, gateway).is_none()).collect();
    match usable.iter().any(|gateway| gateway["state"] != "degraded") {
        true => Stands::Good,
        false if !usable.is_empty() => Stands::Doubtful,
        false => {
            let reason =
                |gateway: &&Value| Some(format!("{} {}", text(&gateway["name"]), why_not(status, gateway)?));
            Stands::Shut(of.iter().filter_map(reason).collect())
        }
    }
}

/// Says what people, or the provider, stopped for now, each with what can be done. Nothing else that is wrong: that shows by itself.
pub(super) fn stopped(status: &Value) -> Vec<String> {
    if let Some(said) = all_held(status) {
        return vec![said];
    }
    let of = |gateway: &Value| {
        let name = text(&gateway["name"]);
        let why = laid_over(status, gateway).or_else(|| throttled(status, gateway))?;
        let remedy = match text(&gateway["overlay"]["kind"]) {
            "held" | "maintenance" => format!("; `wasl release {name} --reason \"..\"` lets it go on"),
            _ => String::new(),
        };
        Some(format!("{name} ({}) is {why}{remedy}", text(&gateway["channel"])))
    };
    configured(status).filter_map(of).collect()
}

/// Says by whom everything is held, where it is.
pub(super) fn all_held(status: &Value) -> Option<String> {
    let held = status["held"].as_object()?;
    let (who, reason) = (text(&held["who"]), text(&held["reason"]));
    let since = match text(&held["since"]) {
        "" => String::new(),
        _ => format!(" since {}", at(&held["since"], &status["at"])),
    };
    Some(format!(
        "Everything is held by {who}{since}, until it is released: {reason}; `wasl release --all --reason \"..\"` lets it go on"
    ))
}

/// What whoever sends now should know: that nothing leaves, or what is stopped.
pub(super) fn hint(status: &Value) -> Option<String> {
    let stopped = stopped(status);
    let lines = |told: &[String]| told.iter().map(|line| format!("  {line}\n")).collect::<String>();
    if status["held"].is_object() {
        return Some(format!("nothing leaves now, and what was accepted is kept:\n{}", lines(&stopped)));
    }
    let mut shut = Vec::new();
    for channel in rows(&status["channels"]) {
        match stands(status, text(&channel["channel"])) {
            Stands::Shut(why) => shut.extend(why),
            Stands::Good | Stands::Doubtful => {
                let what = "not in use now; other gateways carry where the rules permit";
                return (!stopped.is_empty()).then(|| format!("{what}:\n{}", lines(&stopped)));
            }
        }
    }
    (!shut.is_empty())
        .then(|| format!("no gateway can be used now, and what was accepted is kept:\n{}", lines(&shut)))
}

fn configured(status: &Value) -> impl Iterator<Item = &Value> {
    rows(&status["gateways"]).iter().filter(|gateway| gateway["configured"] == Value::Bool(true))
}

/// Says why a gateway cannot be used now; `None`: it can.
fn why_not(status: &Value, gateway: &Value) -> Option<String> {
    let line_down = || {
        let lines = rows(&status["uplinks"]);
        !lines.is_empty()
            && lines.iter().all(|line| line["up"] == Value::Bool(false))
            && rows(&gateway["failure_domains"]).iter().any(|domain| domain == "internet")
    };
    let spent =
        || gateway["quotas"].as_object().into_iter().flatten().find(|(_, left)| left.as_f64() == Some(0.0));
    laid_over(status, gateway)
        .or_else(|| throttled(status, gateway))
        .or_else(|| spent().map(|(quota, _)| format!("out of quota ({quota})")))
        .or_else(|| line_down().then(|| "out of reach: our own line is down".into()))
        .or_else(|| {
            (gateway["state"] == "down").then(|| match text(&gateway["reason"]["name"]) {
                "" => format!("down for {}", ago(&gateway["since"], &status["at"])),
                why => {
                    format!("down for {} ({})", ago(&gateway["since"], &status["at"]), why.replace('_', " "))
                }
            })
        })
}

/// Says what an operator laid over a gateway, a drill aside: in one it works.
fn laid_over(status: &Value, gateway: &Value) -> Option<String> {
    if status["held"].is_object() {
        return Some(format!("held with everything by {}", text(&status["held"]["who"])));
    }
    let overlay = gateway["overlay"].as_object()?;
    let (who, reason) = (text(&overlay["who"]), text(&overlay["reason"]));
    match text(&overlay["kind"]) {
        "held" => Some(format!("held by {who}, until it is released: {reason}")),
        "maintenance" => {
            let until = at(&overlay["until"], &status["at"]);
            Some(format!("under maintenance by {who} until {until}: {reason}"))
        }
        _ => None,
    }
}

/// Says until when a gateway asked to be left alone.
pub(super) fn throttled(status: &Value, gateway: &Value) -> Option<String> {
    let until = text(&gateway["deferred_until"]);
    // Both are RFC 3339 in UTC, with the same digits.
    (until > text(&status["at"]))
        .then(|| format!("throttled until {}", at(&gateway["deferred_until"], &status["at"])))
}

/// Writes a time as people read it: the day only where it is another.
fn at(time: &Value, now: &Value) -> String {
    let (time, now) = (text(time), text(now));
    match time.split_once('T') {
        Some((day, clock)) if now.starts_with(day) => format!("{} UTC", clock.get(..8).unwrap_or(clock)),
        Some((day, clock)) => format!("{day} {} UTC", clock.get(..8).unwrap_or(clock)),
        None => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn gateway(name: &str, channel: &str, more: Value) -> Value {
        let mut gateway = json!({"name": name, "channel": channel, "configured": true, "state": "up", "overlay": null,
            "since": "2026-11-22T17:58:00.000Z", "deferred_until": null, "reason": null, "quotas": {}, "failure_domains": ["internet"]});
        gateway.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        gateway
    }

    fn status(gateways: &[Value]) -> Value {
        let channels: std::collections::BTreeSet<_> =
            gateways.iter().map(|g| text(&g["channel"]).to_owned()).collect();
        let channels: Vec<_> = channels.iter().map(|channel| json!({"channel": channel})).collect();
        json!({"at": "2026-11-22T18:00:00.000Z", "held": null, "uplinks": [], "channels": channels, "gateways": gateways})
    }

    #[test]
    fn a_channel_that_cannot_be_used_says_why() {
        let check = |more: Value, expected: &str| {
            let told = stands(&status(&[gateway("a", "sms", more)]), "sms");
            assert_eq!(told, Stands::Shut(vec![expected.into()]));
        };
        check(json!({"deferred_until": "2026-11-22T18:00:05.000Z"}), "a throttled until 18:00:05 UTC");
        check(
            json!({"deferred_until": "2026-11-23T00:00:05.000Z"}),
            "a throttled until 2026-11-23 00:00:05 UTC",
        );
        check(
            json!({"overlay": {"kind": "held", "who": "amal", "reason": "noisy"}}),
            "a held by amal, until it is released: noisy",
        );
        let planned = json!({"kind": "maintenance", "who": "ali", "reason": "new line", "until": "2026-11-22T19:00:00.000Z"});
        check(json!({"overlay": planned}), "a under maintenance by ali until 19:00:00 UTC: new line");
        check(json!({"state": "down", "reason": {"name": "tcp_timeout"}}), "a down for 2 min (tcp timeout)");
        check(json!({"quotas": {"messages/1 d": 0.0}}), "a out of quota (messages/1 d)");
        let past = gateway("a", "sms", json!({"deferred_until": "2026-11-22T17:59:59.000Z"}));
        assert_eq!(stands(&status(&[past]), "sms"), Stands::Good);
        let doubtful = gateway("a", "sms", json!({"state": "degraded"}));
        assert_eq!(stands(&status(&[doubtful]), "sms"), Stands::Doubtful);
    }

    #[test]
    fn who_sends_while_things_are_held_is_told_by_whom_and_what_to_do() {
        let held = json!({"overlay": {"kind": "held", "who": "amal", "reason": "noisy"}});
        let (a, b) = (gateway("a", "sms", held), gateway("b", "signal", json!({})));
        assert_eq!(hint(&status(std::slice::from_ref(&b))), None);
        assert_eq!(
            hint(&status(&[a.clone(), b])).unwrap(),
            "not in use now; other gateways carry where the rules permit:\n  \
             a (sms) is held by amal, until it is released: noisy; `wasl release a --reason \"..\"` lets it go on\n"
        );
        let told = hint(&status(std::slice::from_ref(&a))).unwrap();
        assert!(told.starts_with("no gateway can be used now") && told.contains("held by amal"), "{told}");
        let mut all = status(&[a]);
        all["held"] = json!({"who": "ali", "reason": "wrong text", "since": "2026-11-22T17:50:00.000Z"});
        assert_eq!(
            hint(&all).unwrap(),
            "nothing leaves now, and what was accepted is kept:\n  \
             Everything is held by ali since 17:50:00 UTC, until it is released: wrong text; \
             `wasl release --all --reason \"..\"` lets it go on\n"
        );
    }
}
