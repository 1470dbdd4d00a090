//! `GET /v1/outages/{id}/report`: what an outage did, in numbers: to whom, by audience and sector, and what it would have
//! been without knowing.
//!
//! Counted anew at each call, from what is on record of the deliveries that were under way. Exercises are left out.
//!
//! Limits: [`MESSAGES_MAX`] messages and [`DELIVERIES_MAX`] deliveries; a report that came to its limit says so.

use super::App;
use super::call::{Answer, Call, json, not_found};
use super::problem::Problem;
use super::show;
use crate::core::gateway::INTERNET;
use crate::core::ids::OutageId;
use crate::core::outage::impact::{Group, Impact, LATE_AFTER, Scope};
use crate::core::query::{Answer as Found, Query, ROWS_MAX};
use crate::core::record::{Outage, OutageOf};
use crate::core::time::{Span, Timestamp};
use crate::core::view::View;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// How many messages a report looks at.
const MESSAGES_MAX: usize = 50_000;
/// How many deliveries a report looks at.
const DELIVERIES_MAX: u64 = 200_000;
/// What came so long before the outage may still have been under way: a message that waits longer waits for something else.
const BEFORE: Span = Span::from_hours(1);

/// A report: the outage, and what it did.
pub(crate) struct Report {
    pub(crate) outage: Outage,
    pub(crate) impact: Impact,
    /// Whether all was counted that was under way.
    pub(crate) complete: bool,
}

/// `GET /v1/outages/{id}/report`.
pub(crate) async fn show(app: Arc<App>, call: Call) -> Answer {
    call.query(&[])?;
    let report = report(&app, call.outage()?).await?;
    let Report { outage, impact, complete } = &report;
    let groups = |groups: &std::collections::BTreeMap<String, Group>, word: &str| -> Vec<Value> {
        groups.iter().map(|(name, of)| named(word, name, of)).collect()
    };
    let channels: Vec<Value> =
        impact.channels.iter().map(|(channel, of)| named("channel", channel.name(), of)).collect();
    let fixed = impact.into_it.fixed_order().map(|fixed| {
        json!({"attempts": fixed.attempts, "waits_ms": fixed.waits.map(Span::ms), "swallowed": fixed.swallowed})
    });
    let into = &impact.into_it;
    let body = json!({
        "outage": show::outage(outage), "complete": complete, "late_after_ms": LATE_AFTER.ms(),
        "all": group(&impact.all),
        "audiences": groups(&impact.audiences, "audience"),
        "sectors": groups(&impact.sectors, "sector"),
        "regions": groups(&impact.regions, "region"),
        "channels": channels,
        "into_it": {"attempts": into.attempts, "failed": into.failed, "swallowed": into.swallowed,
                    "spared": into.spared},
        "fixed_order": fixed,
    });
    Ok(json(StatusCode::OK, &body))
}

fn named(word: &str, name: &str, of: &Group) -> Value {
    let mut members = Map::new();
    members.insert(word.to_owned(), name.into());
    if let Value::Object(of) = group(of) {
        members.extend(of);
    }
    members.into()
}

fn group(of: &Group) -> Value {
    let ms = |span: Option<Span>| span.map(Span::ms);
    json!({
        "deliveries": of.deliveries, "reached": of.reached, "rerouted": of.rerouted, "delayed": of.delayed,
        "missed": of.missed, "open": of.open, "duplicated": of.duplicated,
        "reached_within_ms": {"half": ms(of.reached_within(0.5)), "nineteen_in_twenty": ms(of.reached_within(0.95))},
        "asked": of.asked, "answered": of.answered, "answered_within_ms": ms(of.answered_within(0.5)),
    })
}

/// Finds an outage, and counts what it did.
pub(crate) async fn report(app: &App, id: OutageId) -> Result<Report, Problem> {
    let view = app.service.view();
    let known = view.outages.iter().find(|outage| outage.id == id).cloned();
    let outage = match known {
        Some(outage) => outage,
        None => {
            let asking = Query::Outages { before: Some(OutageId(id.0.saturating_add(1))), limit: 1 };
            match app.service.read(asking).await? {
                Found::Outages(outages) => outages.into_iter().find(|outage| outage.id == id),
                _ => None,
            }
            .ok_or_else(|| not_found("no outage has this id; `wasl outages` lists them"))?
        }
    };
    let scope = scope(&outage, &view, view.at);
    let (mut impact, mut messages, mut before) = (Impact::default(), 0, None);
    let mut complete = true;
    'messages: loop {
        let asking = Query::Messages { before, limit: ROWS_MAX };
        let Found::Messages(page) = app.service.read(asking).await? else { break };
        for (message, progress) in &page {
            before = Some(message.id);
            messages += 1;
            if message.accepted_at + BEFORE < scope.from {
                break 'messages;
            }
            if messages > MESSAGES_MAX {
                complete = false;
                break 'messages;
            }
            if message.accepted_at >= scope.to || message.status.is_drill() {
                continue;
            }
            let mut after = None;
            loop {
                let asking = Query::Deliveries { message: progress.message, after, limit: ROWS_MAX };
                let Found::Deliveries(stories) = app.service.read(asking).await? else { break };
                stories.iter().for_each(|story| impact.count(&scope, message, story));
                after = stories.last().map(|story| story.id.index);
                if impact.all.deliveries >= DELIVERIES_MAX {
                    complete = false;
                    break 'messages;
                }
                if stories.len() < ROWS_MAX {
                    break;
                }
            }
        }
        if page.len() < ROWS_MAX {
            break;
        }
    }
    Ok(Report { outage, impact, complete })
}

/// Returns what an outage took away, from whom, and when.
fn scope(outage: &Outage, view: &View, now: Timestamp) -> Scope {
    let with = |is_part: &dyn Fn(&crate::core::view::GatewayView) -> bool| {
        view.gateways.iter().filter(|gateway| is_part(gateway)).map(|gateway| gateway.name.clone()).collect()
    };
    let (gateways, region) = match &outage.of {
        OutageOf::Gateway(name) => ([name.clone()].into(), None),
        OutageOf::Slice { gateway, region } => ([gateway.clone()].into(), Some(region.clone())),
        OutageOf::Channel(channel) => (with(&|gateway| gateway.channel == *channel), None),
        OutageOf::Domain(domain) => (with(&|gateway| gateway.failure_domains.contains(domain)), None),
        OutageOf::Uplink(_) => {
            (with(&|gateway| gateway.failure_domains.iter().any(|domain| domain == INTERNET)), None)
        }
        OutageOf::Region(region) => (Default::default(), Some(region.clone())),
    };
    Scope { from: outage.onset, to: outage.recovered.unwrap_or(now), gateways, region }
}
