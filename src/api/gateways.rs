//! Gateways, channels and outages as they are now; an operator's stop, and planned work.

use super::App;
use super::audit;
use super::call::{Answer, BODY_BYTES_MAX, Call, PAGE_ROWS_MAX, bad_value, json, not_found, shown};
use super::intake::later_than;
use super::messages::{ReasonBody, carry_out, checked_reason, refusal};
use super::problem::{Kind, Problem};
use super::show;
use crate::core::channel::{Channel, GatewayId};
use crate::core::effect::Reply;
use crate::core::input::Command;
use crate::core::query::{Answer as Found, Query, Role};
use crate::core::record::Outage;
use crate::core::time::Span;
use crate::core::view::{GatewayView, State, View};
use crate::diag::nearest;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// How many gateways an error names: they fit on a few lines of a terminal.
const GATEWAYS_NAMED_MAX: usize = 16;

/// How many outages one call looks at for those that it was asked for; `next` says where the following call goes on.
const OUTAGES_LOOKED_AT_MAX: usize = 10 * PAGE_ROWS_MAX;

/// How long a drill may be planned for: one that is forgotten would turn messages away for days.
const DRILL_MAX: Span = Span::from_hours(24);

/// `GET /v1/status`: the whole picture at one instant.
pub(crate) async fn status(app: Arc<App>, call: Call) -> Answer {
    call.query(&[])?;
    let mut body = show::view(&app.service.view());
    body["audit"] = audit::head(app.service.acts_end());
    body["policy_trouble"] = app.service.policy_trouble().map_or(
        serde_json::Value::Null,
        |trouble| json!({"at": show::time(trouble.at), "report": trouble.report}),
    );
    Ok(json(StatusCode::OK, &body))
}

/// `GET /v1/gateways`.
pub(crate) async fn gateways(app: Arc<App>, call: Call) -> Answer {
    let query = call.query(&["state", "channel"])?;
    let state = query.word("state", &State::ALL, State::name)?;
    let channel = query.word("channel", &Channel::ALL, Channel::name)?;
    let asked = |gateway: &&GatewayView| {
        state.is_none_or(|state| gateway.state == state)
            && channel.is_none_or(|channel| gateway.channel == channel)
    };
    let gateways: Vec<_> = app.service.view().gateways.iter().filter(asked).map(show::gateway).collect();
    Ok(json(StatusCode::OK, &json!({"gateways": gateways})))
}

/// `GET /v1/channels`.
pub(crate) async fn channels(app: Arc<App>, call: Call) -> Answer {
    call.query(&[])?;
    let channels: Vec<_> = app.service.view().channels.iter().map(show::channel).collect();
    let counts = Channel::ALL.into_iter().zip(app.service.opted_out()).filter(|(_, count)| *count > 0);
    let opted_out: serde_json::Map<_, _> =
        counts.map(|(channel, count)| (channel.name().to_owned(), count.into())).collect();
    Ok(json(StatusCode::OK, &json!({"channels": channels, "opted_out": opted_out})))
}

/// `GET /v1/outages`.
pub(crate) async fn outages(app: Arc<App>, call: Call) -> Answer {
    let query = call.query(&["before", "limit", "state", "channel"])?;
    let (mut before, limit) = (query.get("before")?, query.limit()?);
    let is_open = query.word("state", &[true, false], outage_state)?;
    let channel = query.word("channel", &Channel::ALL, Channel::name)?;
    let asked = |outage: &Outage| {
        is_open.is_none_or(|is_open| outage.recovered.is_none() == is_open)
            // Our own line is no channel's.
            && channel.is_none_or(|channel| outage.channel == channel && outage.is_of_channel())
    };
    let page = if is_open.or(channel.map(|_| true)).is_some() { PAGE_ROWS_MAX } else { limit };
    let (mut rows, mut looked_at, mut next) = (Vec::new(), 0, None);
    while rows.len() < limit && looked_at < OUTAGES_LOOKED_AT_MAX {
        let outages = match app.service.read(Query::Outages { before, limit: page }).await? {
            Found::Outages(outages) => outages,
            _ => Vec::new(),
        };
        let is_last = outages.len() < page;
        looked_at += outages.len();
        before = outages.last().map(|outage| outage.id);
        next = before.filter(|_| !is_last);
        rows.extend(outages.into_iter().filter(asked));
        if is_last {
            break;
        }
    }
    if rows.len() > limit {
        rows.truncate(limit);
        next = rows.last().map(|outage| outage.id);
    }
    // On disk, what an outage that goes on has cost is written now and then.
    let view = app.service.view();
    for outage in rows.iter_mut().filter(|outage| outage.recovered.is_none()) {
        if let Some(known) = view.outages.iter().find(|known| known.id == outage.id) {
            outage.attempts_failed = known.attempts_failed;
        }
    }
    let (rows, next): (Vec<_>, _) = (rows.iter().map(show::outage).collect(), next.map(|id| id.to_string()));
    Ok(json(StatusCode::OK, &json!({"outages": rows, "next": next})))
}

/// Returns the word for an outage that goes on, or is over.
pub(crate) fn outage_state(is_open: bool) -> &'static str {
    if is_open { "open" } else { "closed" }
}

/// `POST /v1/gateways/{name}/hold`.
pub(crate) async fn hold(app: Arc<App>, mut call: Call) -> Answer {
    let gateway = Some(gateway_of(&app, &call)?);
    let reason = call.json::<ReasonBody>(BODY_BYTES_MAX).await?.checked()?;
    carry_out(&app, call, Command::Hold { gateway, reason }).await
}

/// `POST /v1/gateways/{name}/release`.
pub(crate) async fn release(app: Arc<App>, mut call: Call) -> Answer {
    let gateway = gateway_of(&app, &call)?;
    let reason = call.json::<ReasonBody>(BODY_BYTES_MAX).await?.checked()?;
    let_go(&app, call, Some(gateway), reason).await
}

/// `POST /v1/hold`: the red button.
pub(crate) async fn hold_all(app: Arc<App>, mut call: Call) -> Answer {
    let reason = call.json::<ReasonBody>(BODY_BYTES_MAX).await?.checked()?;
    carry_out(&app, call, Command::Hold { gateway: None, reason }).await
}

/// `POST /v1/release`.
pub(crate) async fn release_all(app: Arc<App>, mut call: Call) -> Answer {
    let reason = call.json::<ReasonBody>(BODY_BYTES_MAX).await?.checked()?;
    let_go(&app, call, None, reason).await
}

/// Releases one gateway, or all, and tells what still stops what was released: a hold on everything outlasts the release
/// of one, and what lies over a single gateway the release of everything.
async fn let_go(app: &App, call: Call, gateway: Option<GatewayId>, reason: String) -> Answer {
    call.query(&[])?;
    let changed = match app.service.command(call.caller.who, Command::Release { gateway, reason }).await? {
        Reply::Done { changed } => changed,
        other => return Err(refusal(other)),
    };
    // The picture may be older than the release, which has not touched what is looked at here.
    let view = app.service.view();
    let over = |name: Option<&str>, overlay| json!({"gateway": name, "overlay": show::overlay(overlay)});
    let still_stopped: Vec<_> = match gateway {
        Some(_) => view.held_all.iter().map(|overlay| over(None, overlay)).collect(),
        None => {
            let each = view.gateways.iter().filter(|gateway| gateway.configured);
            // In a drill it is in use.
            let stopped =
                |gateway: &&GatewayView| gateway.overlay.as_ref().is_some_and(|overlay| !overlay.is_drill());
            each.filter(stopped)
                .filter_map(|gateway| Some(over(Some(&gateway.name), gateway.overlay.as_ref()?)))
                .collect()
        }
    };
    Ok(json(StatusCode::OK, &json!({"changed": changed, "still_stopped": still_stopped})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaintenanceBody {
    until: String,
    reason: String,
}

/// `POST /v1/gateways/{name}/maintenance`.
pub(crate) async fn maintenance(app: Arc<App>, mut call: Call) -> Answer {
    let gateway = gateway_of(&app, &call)?;
    let MaintenanceBody { until, reason } = call.json(BODY_BYTES_MAX).await?;
    let until = later_than(app.service.now(), "until", &until)?;
    carry_out(&app, call, Command::Maintenance { gateway, until, reason: checked_reason(reason)? }).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DrillBody {
    until: String,
    #[serde(default)]
    everybody: bool,
    reason: String,
}

/// `POST /v1/gateways/{name}/drill`: a game day. For everybody it touches what is meant, so it is an admin's.
pub(crate) async fn drill(app: Arc<App>, mut call: Call) -> Answer {
    let gateway = gateway_of(&app, &call)?;
    let DrillBody { until, everybody, reason } = call.json(BODY_BYTES_MAX).await?;
    if everybody && call.caller.role != Role::Admin {
        let detail = "a drill for everybody turns real messages away too: it needs the role admin; without `everybody` \
                      exercises alone avoid the gateway";
        return Err(Problem::new(Kind::WrongRole, detail));
    }
    let now = app.service.now();
    let until = later_than(now, "until", &until)?;
    if until > now + DRILL_MAX {
        return Err(bad_value("until", "a drill lasts 24 hours at most"));
    }
    carry_out(&app, call, Command::Drill { gateway, until, everybody, reason: checked_reason(reason)? }).await
}

/// `POST /v1/gateways/{name}/drill/end`.
pub(crate) async fn end_drill(app: Arc<App>, mut call: Call) -> Answer {
    let gateway = gateway_of(&app, &call)?;
    let reason = call.json::<ReasonBody>(BODY_BYTES_MAX).await?.checked()?;
    carry_out(&app, call, Command::EndDrill { gateway, reason }).await
}

fn gateway_of(app: &App, call: &Call) -> Result<GatewayId, Problem> {
    let view = app.service.view();
    let found = view.gateways.iter().find(|gateway| gateway.configured && gateway.name == call.param("name"));
    found.map(|gateway| gateway.id).ok_or_else(|| no_gateway(call.param("name"), &view))
}

/// Says that no gateway has this name, and which there are.
fn no_gateway(name: &str, view: &View) -> Problem {
    let configured =
        || view.gateways.iter().filter(|gateway| gateway.configured).map(|gateway| gateway.name.as_str());
    let what = shown(name)
        .map_or("no gateway has this name".to_owned(), |name| format!("there is no gateway `{name}`"));
    let near = nearest(name, configured()).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    let names: Vec<_> = configured().take(GATEWAYS_NAMED_MAX).map(|name| format!("`{name}`")).collect();
    let (between, list) = (if near.is_empty() { ";" } else { "" }, names.join(", "));
    let known = match configured().count() - names.len() {
        _ if names.is_empty() => "none is configured".to_owned(),
        0 => format!("there are {list}"),
        more => format!("there are {list} and {more} more"),
    };
    not_found(&format!("{what}{near}{between} {known}"))
}
