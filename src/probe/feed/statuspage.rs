//! A page of Atlassian Statuspage: `GET /api/v2/summary.json`.
//!
//! Invariant: pure. A word that is not known is `degraded`; a page without the components that were picked says nothing.

use super::{ENTRIES_MAX, Entry, Page, Pick};
use crate::core::hearsay::Word;
use crate::core::time::{Span, Timestamp};
use serde_json::Value;

/// So long before it begins, work is told of.
const AHEAD: Span = Span::from_hours(24);

/// Reads a page. `None`: it is none, or none of the components is on it.
pub(super) fn read(body: &[u8], pick: &Pick) -> Option<Page> {
    let summary: Value = serde_json::from_slice(body).ok()?;
    // Whatever else is JSON, such as an error of a portal on the way, is no page.
    let indicator = summary["status"]["indicator"].as_str()?;
    let state = match pick.components.is_empty() {
        true => overall(indicator),
        false => {
            components(&summary).filter(|c| picked(c, pick)).map(|c| component(text(c, "status"))).max()?
        }
    };
    let concerns = |entry: &&Value| {
        let named = entry["components"].as_array().map_or(&[][..], Vec::as_slice);
        // An incident that names no component is everybody's.
        pick.components.is_empty() || named.is_empty() || named.iter().any(|c| picked(c, pick))
    };
    let incidents = list(&summary, "incidents").filter(concerns).filter_map(|of| incident(of, pick));
    let works = list(&summary, "scheduled_maintenances").filter(concerns).filter_map(work);
    let entries = incidents.chain(works).take(ENTRIES_MAX).collect();
    Some(Page { state, entries })
}

fn list<'a>(summary: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    summary[key].as_array().into_iter().flatten()
}

fn components(summary: &Value) -> impl Iterator<Item = &Value> {
    list(summary, "components")
}

fn picked(component: &Value, pick: &Pick) -> bool {
    ["id", "name"].iter().any(|key| component[*key].as_str().is_some_and(|name| pick.names(name)))
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

fn overall(indicator: &str) -> Word {
    match indicator {
        "none" => Word::Fine,
        "maintenance" => Word::Maintenance,
        "major" => Word::Partial,
        "critical" => Word::Major,
        _ => Word::Degraded,
    }
}

fn component(status: &str) -> Word {
    match status {
        "operational" => Word::Fine,
        "under_maintenance" => Word::Maintenance,
        "partial_outage" => Word::Partial,
        "major_outage" => Word::Major,
        _ => Word::Degraded,
    }
}

/// Reads an incident that is not over, unless nobody has said a word on it for long.
fn incident(of: &Value, pick: &Pick) -> Option<Entry> {
    let word = match (text(of, "status"), overall(text(of, "impact"))) {
        ("resolved" | "postmortem" | "completed", _) => return None,
        // It is mended, and watched.
        ("monitoring", word) => word.min(Word::Degraded),
        (_, word) => word,
    };
    let news = ["updated_at", "started_at", "created_at"].iter().find_map(|key| time(of, key));
    Some(Entry {
        word,
        title: text(of, "name").to_owned(),
        from: None,
        until: news.map(|news| news + pick.recent),
    })
}

/// Reads work on it: going on, or about to begin.
fn work(of: &Value) -> Option<Entry> {
    let title = text(of, "name").to_owned();
    let until = time(of, "scheduled_until");
    match text(of, "status") {
        "in_progress" | "verifying" => {
            Some(Entry { word: Word::Maintenance, title, from: None, until: None })
        }
        "scheduled" => {
            let begins = time(of, "scheduled_for")?;
            let until = Some(until.unwrap_or(begins + AHEAD));
            Some(Entry { word: Word::Planned, title, from: Some(begins - AHEAD), until })
        }
        _ => None,
    }
}

fn time(of: &Value, key: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = of[key].as_str()?.parse().ok()?;
    Some(Timestamp::from_ms(at.as_millisecond()))
}
