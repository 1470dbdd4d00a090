//! The running service, and what it alone knows: what it is held for, whose edit was refused, whom it can reach.

use super::files::quoted;
use super::finding::Finding;
use super::machine::InUse;
use crate::cli::Failure;
use crate::cli::backup::now;
use crate::cli::client::{At, Client};
use crate::cli::status::rows;
use crate::cli::table::text;
use crate::core::time::{Span, Timestamp};
use crate::settings::Settings;
use serde_json::{Value, json};
use std::time::Duration;

/// How old the newest backup may be.
const BACKUP_AGE_MAX: Span = Span::from_hours(7 * 24);
/// How long the service may take for an answer: one on this machine takes a hundredth of it.
const PATIENCE: Duration = Duration::from_secs(10);
const CHECK: &str = "service";

/// Asks the running service. `in_use` names the process that has the store open.
pub(super) fn all(at: &At, settings: &Settings, in_use: Option<InUse>) -> Result<Vec<Finding>, Failure> {
    let client = at.client_or(&base(settings))?.within(PATIENCE);
    if let Err(failure) = client.get("/readyz") {
        return Ok(vec![unready(&client, &failure, in_use)]);
    }
    let mut found = vec![Finding::fine(CHECK, format!("{} is ready", client.base()))];
    if !client.has_token() {
        found.push(Finding::unasked(
            CHECK,
            "without a token it tells no more",
            "set WASL_TOKEN, or give --token-file, with an admin's or a sender's token",
        ));
        return Ok(found);
    }
    let status = match client.get("/v1/status") {
        Ok(status) => status,
        Err(failure) => {
            found.push(Finding::unasked(CHECK, failure.to_string(), "give a token that this service knows"));
            return Ok(found);
        }
    };
    found.extend(state(&status));
    found.extend(version(&client));
    found.extend(reach(&client));
    found.extend(operators(&client, settings));
    found.extend(backups(&client));
    Ok(found)
}

/// Returns where a service with these settings is found on this machine.
fn base(settings: &Settings) -> String {
    let server = &settings.server;
    if server.tls.is_some() {
        // Its certificate is for this name.
        return server.public_url.clone();
    }
    let mut listen = server.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip(if listen.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    format!("http://{listen}")
}

fn unready(client: &Client, failure: &Failure, in_use: Option<InUse>) -> Finding {
    match in_use {
        Some(pid) => Finding::fault(
            CHECK,
            format!(
                "it runs{} and does not answer as it should at {}: {failure}",
                pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
                client.base()
            ),
            "look what it says: `journalctl -u wasl -n 50`; where it listens elsewhere, give --url",
        ),
        None => Finding::unasked(
            CHECK,
            format!("no service answers at {}", client.base()),
            "start it: `systemctl start wasl`, or `wasl run`; where it runs elsewhere, give --url",
        ),
    }
}

fn state(status: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(held) = status["held"].as_object() {
        found.push(Finding::warning(
            "held",
            format!(
                "nothing leaves: {} holds everything since {}: {}",
                text(&held["who"]),
                text(&held["since"]),
                text(&held["reason"])
            ),
            "look at what waits: `wasl status`; then `wasl release --all --reason \"..\"`",
        ));
    }
    for gateway in rows(&status["gateways"]).iter().filter(|gateway| gateway["overlay"]["kind"] == "held") {
        let overlay = &gateway["overlay"];
        let name = text(&gateway["name"]);
        found.push(Finding::warning(
            "held",
            format!("{name}: {} holds it: {}", text(&overlay["who"]), text(&overlay["reason"])),
            format!("wasl release {name} --reason \"..\""),
        ));
    }
    if status["policy_trouble"].is_object() {
        found.push(Finding::fault(
            "policies",
            "the last edit of the files was refused; the earlier set is in force",
            "`wasl check` shows what is wrong; saving the mended file is enough",
        ));
    }
    if found.is_empty() {
        found.push(Finding::fine("held", "nothing is held, and the files as they are now are in force"));
    }
    found
}

fn version(client: &Client) -> Option<Finding> {
    let description = client.get("/openapi.json").ok()?;
    let (theirs, ours) = (text(&description["info"]["version"]), env!("CARGO_PKG_VERSION"));
    Some(match theirs == ours {
        true => Finding::fine("version", format!("the service and this program are {ours}")),
        false => Finding::warning(
            "version",
            format!("the service is {theirs}, this program is {ours}"),
            "start the service anew: `systemctl restart wasl`",
        ),
    })
}

fn reach(client: &Client) -> Option<Finding> {
    const CHECK: &str = "address book";
    let all = &client.get("/v1/reach").ok()?["all"];
    let (people, none) = (all["people"].as_u64()?, all["none"].as_u64()?);
    Some(match (people, none) {
        (0, _) => Finding::warning(
            CHECK,
            "nobody is in it: messages reach only whoever they name by address",
            "wasl contacts import people.csv",
        ),
        (_, 0) => Finding::fine(CHECK, format!("people: {people}, all of whom some road leads to")),
        _ => Finding::warning(
            CHECK,
            format!("people: {people}; no road leads to {none} of them now"),
            "`wasl reach --none` names them",
        ),
    })
}

/// Asks of each operator's contact whether a message would find a road, by a forecast: nothing is stored or sent.
fn operators(client: &Client, settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "operators";
    let mut found = Vec::new();
    for operator in &settings.notices.operators {
        let Some(contact) = &operator.contact else { continue };
        let message = json!({"severity": "minor", "to": [{"contact": contact}], "text": {"en": "doctor", "ar": "doctor"}});
        found.push(match client.post("/v1/messages?dry_run=true", &message) {
            Ok(_) => Finding::fine(CHECK, format!("{} is in the address book", operator.name)),
            Err(failure @ Failure::Unreachable(_)) => {
                Finding::unasked(CHECK, failure.to_string(), "run this again once the service answers")
            }
            Err(failure) => Finding::fault(
                CHECK,
                format!("{}: no message can be made for the contact `{contact}`: {failure}", operator.name),
                format!(
                    "import the contact (`wasl contacts import FILE.csv`), or mend `contact` in {}; the token must be a sender's",
                    quoted(&settings.file)
                ),
            ),
        });
    }
    found
}

fn backups(client: &Client) -> Option<Finding> {
    const CHECK: &str = "backup";
    let acts = client.get("/v1/audit?act=backup&limit=1").ok()?;
    let at = rows(&acts["acts"]).first().map(|act| text(&act["at"]).to_owned());
    let age = at.as_ref().and_then(|at| {
        let at = at.parse::<jiff::Timestamp>().ok()?;
        Some(now().since(Timestamp::from_ms(at.as_millisecond())))
    });
    let remedy = "wasl backup FOLDER --key-file KEY (with --new-key the first time), by a timer or by hand";
    Some(match (at, age) {
        (Some(at), Some(age)) if age <= BACKUP_AGE_MAX => {
            Finding::fine(CHECK, format!("the last one was taken at {at}"))
        }
        (Some(at), _) => Finding::warning(CHECK, format!("the last one was taken at {at}"), remedy),
        (None, _) => Finding::warning(CHECK, "none is on record", remedy),
    })
}
