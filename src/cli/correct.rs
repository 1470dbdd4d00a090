//! `wasl correct`: other words to exactly those who may have got a message, and its end for the rest.

use super::client::At;
use super::policy::{severity, urgency};
use super::table::{self, text};
use super::words::{Pairs, Template, Words};
use super::{Done, Failure};
use crate::core::message::{Severity, Urgency};
use serde::Serialize;
use serde_json::Value;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The id of the message to correct
    message: String,
    #[command(flatten)]
    words: Words,
    /// How grave it is now; as before unless given
    #[arg(long, value_parser = severity)]
    severity: Option<Severity>,
    /// How soon to act now; as before unless given
    #[arg(long, value_parser = urgency)]
    urgency: Option<Urgency>,
    /// When the correction is worth nothing any more, as 2026-11-22T18:00:00Z
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Why: it goes on record, not to the recipients
    #[arg(long)]
    reason: String,
    /// Make it once, however often this is called with the same key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// A correction as the service takes it.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    urgency: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<&'a str>,
    text: Pairs,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Template<'a>>,
    reason: &'a str,
}

/// Corrects it.
pub(super) fn run(args: &Args) -> Done {
    let body = Body {
        severity: args.severity.map(Severity::name),
        urgency: args.urgency.map(Urgency::name),
        expires: args.expires.as_deref(),
        text: args.words.texts()?,
        template: args.words.template()?,
        reason: &args.reason,
    };
    let body = serde_json::to_string(&body).map_err(|error| Failure::Usage(error.to_string()))?;
    let path = format!("/v1/messages/{}/correct", args.message);
    let done = args.at.client()?.post_surely(&path, body, args.key.clone())?;
    if args.json {
        table::json(&done);
        return Ok(());
    }
    let stopped = table::count(&done["superseded"].as_u64().unwrap_or(0).into(), "delivery", "deliveries");
    let told = table::count(&done["deliveries"], "person", "people");
    table::print(&match done["id"].is_null() {
        true => format!("nobody had got {}; {stopped} stopped, and nothing is sent\n", args.message),
        false => format!(
            "corrected by {}: {told} may have got the first words; {stopped} stopped\n",
            text(&done["id"])
        ),
    });
    table::print(&untranslated(&done));
    Ok(())
}

/// Says in which languages the first words were read that the correction lacks, and by how many.
fn untranslated(done: &Value) -> String {
    let languages = done["untranslated"].as_object().into_iter().flatten();
    languages
        .map(|(language, people)| {
            let people = table::count(people, "person", "people");
            let (id, lacks) = (text(&done["id"]), format!("the correction has no text in `{language}`"));
            format!("warning: {lacks}: {people} got the first words in it and get another language; `wasl correct {id}` says it in more\n")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_language_that_a_correction_lacks_is_warned_of() {
        let told = untranslated(&json!({"id": "01M", "deliveries": 12, "untranslated": {"ar": 12}}));
        assert!(
            told.starts_with(
                "warning: the correction has no text in `ar`: 12 people got the first words in it"
            ),
            "{told}"
        );
        assert_eq!(untranslated(&json!({"id": "01M", "deliveries": 12})), "");
    }
}
