//! `wasl send`: hands a message to the running service.

use super::client::{At, Client};
use super::policy::{severity, urgency};
use super::roads;
use super::table::{self, Cell, Tone, text};
use super::words::{Pairs, Template, Words, pairs};
use super::{Done, Failure};
use crate::core::channel::Channel;
use crate::core::message::{Severity, Urgency};
use crate::core::time::Span;
use crate::diag::did_you_mean;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// How often `--wait` looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The keys that a person in `--to` may have beside the channels.
const PERSON_KEYS: [&str; 3] = ["language", "region", "sector"];

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// A contact's id, or one person as `sms=+970599000001,whatsapp=+970599000001,language=ar`; may be repeated
    #[arg(long, value_name = "WHO")]
    to: Vec<String>,
    /// Everyone of an audience; may be repeated
    #[arg(long, value_name = "NAME")]
    audience: Vec<String>,
    /// extreme, severe, moderate, minor or unknown
    #[arg(long, value_parser = severity)]
    severity: Severity,
    /// immediate, expected, future, past or unknown
    #[arg(long, value_parser = urgency)]
    urgency: Option<Urgency>,
    #[command(flatten)]
    words: Words,
    /// The incident it belongs to
    #[arg(long)]
    incident: Option<String>,
    /// When it is worth nothing any more, as 2026-11-22T18:00:00Z
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// A tag that rules may match, as `sector=health`
    #[arg(long, value_name = "NAME=VALUE")]
    tag: Vec<String>,
    /// An exercise: each message says so, and its figures are kept apart
    #[arg(long)]
    drill: bool,
    /// Make it once, however often this is called with the same key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Send nothing: say when each step would be done, what it would cost, and who cannot be reached and why
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    /// Wait until every delivery has ended; exit 1 if one did not get through
    #[arg(long)]
    wait: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Sends it.
pub(super) fn run(args: &Args) -> Done {
    let body = serde_json::to_string(&body(args)?).map_err(|error| Failure::Usage(error.to_string()))?;
    let client = args.at.client()?;
    if args.dry_run {
        let told = client.post_text("/v1/messages?dry_run=true", body)?;
        return forecast(args.json, &told, || hint(&client));
    }
    let accepted = client.post_surely("/v1/messages", body, args.key.clone())?;
    let id = text(&accepted["id"]).to_string();
    let deliveries = table::count(&accepted["deliveries"], "delivery", "deliveries");
    if !args.wait {
        return show(args.json, &accepted, || {
            table::print(&format!("accepted as {id}: {deliveries}\n{}", hint(&client)));
        });
    }
    if !args.json {
        table::print(&format!("accepted as {id}: {deliveries}; waiting\n{}", hint(&client)));
    }
    let ended = wait(&client, &id)?;
    show(args.json, &ended, || table::print(&format!("{}\n", results(&ended))))?;
    match got_through(&ended) {
        true => Ok(()),
        false => Err(Failure::Told),
    }
}

/// Says what keeps messages from leaving now. The message is sent: where the picture cannot be had, nothing is said.
fn hint(client: &Client) -> String {
    client.get("/v1/status").ok().and_then(|status| roads::hint(&status)).unwrap_or_default()
}

/// Shows a forecast, and what is stopped now. Exit 1 where somebody would not be reached.
fn forecast(as_json: bool, told: &Value, hint: impl FnOnce() -> String) -> Done {
    show(as_json, told, || {
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        table::print(&format!("{}\n", table::count(&told["deliveries"], "delivery", "deliveries")));
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        for step in told["steps"].as_array().into_iter().flatten() {
            for share in step["gateways"].as_array().into_iter().flatten() {
                let plain = |text: String| Cell(text, Tone::Plain);
                rows.push(vec![
                    plain((count(&step["step"]) + 1).to_string()),
                    plain(text(&share["gateway"]).into()),
                    plain(share["deliveries"].to_string()),
                    plain(share["copies"].to_string()),
                    plain(share["segments"].as_u64().map_or_else(String::new, |n| n.to_string())),
                    plain(format!("{:.2}", share["cost"].as_f64().unwrap_or(0.0))),
                ]);
            }
        }
        let heads = ["STEP", "GATEWAY", "DELIVERIES", "COPIES", "SEGMENTS", "COST"];
        table::print(&table::lay_out(&heads, &rows, table::coloured()));
        if let Some(secs) = told["done_in_seconds"].as_f64() {
            let span = Span::from_ms((secs * 1000.0) as i64);
            table::print(&format!("the last is handed over after {span}, at {}\n", text(&told["done_at"])));
        }
        if count(&told["ahead"]) > 0 {
            table::print(&format!("ahead of it, and not counted: {}\n", told["ahead"]));
        }
        if count(&told["late"]) > 0 {
            table::print(&format!("late: {}\n", told["late"]));
        }
        for lost in told["lost"].as_array().into_iter().flatten() {
            let why = lost["reason"]["name"].as_str().unwrap_or("nothing may take it");
            let (result, count) = (text(&lost["result"]), &lost["deliveries"]);
            table::print(&format!("not reached: {count} {result}, {}\n", why.replace('_', " ")));
        }
        if count(&told["without_address"]) > 0 {
            table::print(&format!("without any address: {}\n", told["without_address"]));
        }
        table::print(&hint());
    })?;
    match told["lost"].as_array().is_none_or(Vec::is_empty) && told["without_address"] == json!(0) {
        true => Ok(()),
        false => Err(Failure::Told),
    }
}

fn show(as_json: bool, value: &Value, people: impl FnOnce()) -> Done {
    match as_json {
        true => table::json(value),
        false => people(),
    }
    Ok(())
}

/// A message as the service takes it.
#[derive(Serialize)]
struct Body<'a> {
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    urgency: Option<&'static str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<&'a str>,
    to: Vec<Value>,
    text: Pairs,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Template<'a>>,
    tags: Pairs,
}

/// Builds the message's body.
fn body(args: &Args) -> Result<Body<'_>, Failure> {
    let mut to: Vec<Value> = args.audience.iter().map(|name| json!({"audience": name})).collect();
    for who in &args.to {
        to.push(person(who)?);
    }
    if to.is_empty() {
        return Err(Failure::Usage("nobody to send to: give --to or --audience".into()));
    }
    Ok(Body {
        severity: args.severity.name(),
        urgency: args.urgency.map(Urgency::name),
        status: if args.drill { "exercise" } else { "actual" },
        incident: args.incident.as_deref(),
        expires: args.expires.as_deref(),
        to,
        text: args.words.texts()?,
        template: args.words.template()?,
        tags: pairs("--tag", &args.tag)?,
    })
}

/// Reads one `--to`.
fn person(who: &str) -> Result<Value, Failure> {
    if !who.contains('=') {
        return Ok(json!({"contact": who}));
    }
    let mut person = Map::new();
    for part in who.split(',') {
        let Some((key, value)) = part.split_once('=') else {
            // What is given is not repeated here or below: it may be somebody's address, or a text.
            return Err(Failure::Usage("--to: write each part as `channel=address`".into()));
        };
        let known = || Channel::ALL.into_iter().map(Channel::name).chain(PERSON_KEYS);
        if !known().any(|k| k == key) {
            let known: Vec<_> = known().collect();
            let near = did_you_mean(key, known.iter().copied());
            return Err(Failure::Usage(format!("--to: there is no such channel; {near}")));
        }
        person.insert(key.into(), value.into());
    }
    Ok(person.into())
}

/// Looks until the message has ended. It does by its expiry at the latest.
fn wait(client: &Client, id: &str) -> Result<Value, Failure> {
    let began = Instant::now();
    loop {
        match client.get(&format!("/v1/messages/{id}")) {
            Ok(message) if message["open"] == json!(false) => return Ok(message),
            // The service may be restarting; the message is safe in its store.
            Err(Failure::Unreachable(why)) if began.elapsed() > Duration::from_secs(60) => {
                return Err(Failure::Unreachable(why));
            }
            #[allow(clippy::disallowed_methods, reason = "a person's command waits between two looks")]
            Ok(_) | Err(Failure::Unreachable(_)) => std::thread::sleep(LOOK_EVERY),
            Err(failure) => return Err(failure),
        }
    }
}

/// Says how the deliveries ended, as `2 delivered, 1 failed`.
fn results(message: &Value) -> String {
    let empty = Map::new();
    let ended = message["settled"].as_object().unwrap_or(&empty);
    let parts: Vec<_> = ended
        .iter()
        .filter(|(_, count)| count.as_u64() != Some(0))
        .map(|(result, count)| format!("{count} {}", result.replace('_', " ")))
        .collect();
    if parts.is_empty() { "no delivery".into() } else { parts.join(", ") }
}

fn got_through(message: &Value) -> bool {
    ["failed", "expired", "cancelled", "superseded"]
        .iter()
        .all(|result| message["settled"][result].as_u64().unwrap_or(0) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &[&str]) -> Result<String, Failure> {
        let words = ["send", "--severity", "extreme"].iter().chain(line);
        let line = Line::try_parse_from(words).unwrap();
        body(&line.args).map(|body| serde_json::to_string(&body).unwrap())
    }

    #[test]
    fn a_line_becomes_a_message() {
        let line =
            ["--to", "c-17", "--to", "sms=+970599000001,language=ar", "--text", "غادروا", "--lang", "ar"];
        let text = parse(&[&line[..], &["--drill", "--tag", "sector=health"]].concat()).unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["to"], json!([{"contact": "c-17"}, {"sms": "+970599000001", "language": "ar"}]));
        assert_eq!((&body["text"]["ar"], &body["status"]), (&json!("غادروا"), &json!("exercise")));
        assert_eq!((&body["tags"], body.get("urgency")), (&json!({"sector": "health"}), None));
        let text =
            parse(&["--audience", "x", "--template", "t", "--param", "b=1", "--param", "a=2"]).unwrap();
        assert!(text.contains(r#"{"name":"t","params":{"b":"1","a":"2"}}"#), "in the order given: {text}");
        let text = parse(&["--audience", "x", "--template", "t", "--template-lang", "en_US"]).unwrap();
        assert!(text.contains(r#"{"name":"t","language":"en_US","params":{}}"#), "{text}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_remedy() {
        let check = |line: &[&str], word: &str| {
            let said = parse(line).unwrap_err().to_string();
            assert!(said.contains(word), "{said}");
        };
        check(&["--text", "x"], "--to or --audience");
        check(&["--audience", "x"], "--text or --template");
        check(&["--to", "smss=+1", "--text", "x"], "`sms`");
        check(&["--to", "a", "--text", "x", "--text", "y", "--lang", "ar"], "one --lang for each");
        check(&["--to", "a", "--text", "x", "--text", "y", "--lang", "ar", "--lang", "ar"], "twice");
    }
}
