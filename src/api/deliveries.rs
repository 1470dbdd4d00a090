//! Deliveries over all messages, newest message first: what is open, how others ended, by which road.
//!
//! The store has no index by state. The list is a walk over messages that passes by those of which none can be meant,
//! and looks at the deliveries of the others in their order.
//!
//! Limit: [`LOOKED_AT_MAX`] messages and deliveries a call.
//! Invariant: a walk that ends before the oldest message says so by its `next`, however few it found.

use super::App;
use super::call::{Answer, Call, PAGE_ROWS_MAX, QueryPairs, bad_value, json};
use super::intake::checked_name;
use super::problem::Problem;
use super::show;
use crate::core::channel::Channel;
use crate::core::ids::DeliveryId;
use crate::core::message::{Message, Severity};
use crate::core::outcome::DeliveryResult;
use crate::core::query::{Answer as Found, DeliveryStory, Query};
use crate::core::record::Progress;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::sync::Arc;

/// How many messages and deliveries one call looks at: each delivery is read with its attempts, and a call without a match must end.
const LOOKED_AT_MAX: usize = 10 * PAGE_ROWS_MAX;

/// Every word for what a delivery is: open, or ended so.
pub(crate) const STATES: [Option<DeliveryResult>; 8] = [
    None,
    Some(DeliveryResult::Delivered),
    Some(DeliveryResult::Acknowledged),
    Some(DeliveryResult::HandedOver),
    Some(DeliveryResult::Failed),
    Some(DeliveryResult::Cancelled),
    Some(DeliveryResult::Expired),
    Some(DeliveryResult::Superseded),
];

/// Returns the word for a delivery that is open, or ended so.
pub(crate) fn state_word(result: Option<DeliveryResult>) -> &'static str {
    result.map_or("open", DeliveryResult::name)
}

/// `GET /v1/deliveries`: the queue in numbers, its oldest, and a list.
pub(crate) async fn list(app: Arc<App>, call: Call) -> Answer {
    let query =
        call.query(&["before", "limit", "state", "channel", "gateway", "severity", "incident", "drill"])?;
    let sought = Sought::read(&query)?;
    let before = place(&query, "before")?;
    let walked = walk(&app, &sought, before, query.limit()?).await?;
    let mut body = show::queue(&app.service.view());
    body["deliveries"] = walked.rows.iter().map(|(message, story)| row(message, story)).collect();
    body["looked_at"] = walked.looked_at.into();
    body["next"] = walked.next.map(|next| next.to_string()).into();
    Ok(json(StatusCode::OK, &body))
}

/// Reads where a walk goes on.
pub(crate) fn place(query: &QueryPairs, name: &str) -> Result<Option<DeliveryId>, Problem> {
    let why = "this is no delivery's id; give `next` of the page before, as it came";
    query.text(name).map(|text| text.parse().map_err(|_| bad_value(name, why))).transpose()
}

/// Walks through what comes after `before`, until `limit` are found or enough was looked at.
pub(crate) async fn walk(
    app: &App,
    sought: &Sought,
    before: Option<DeliveryId>,
    limit: usize,
) -> Result<Walked, Problem> {
    let mut walk = Walk { limit, walked: Walked::default() };
    if let ControlFlow::Break(place) = walk.go(app, sought, before).await? {
        walk.walked.next = Some(place);
    }
    Ok(walk.walked)
}

/// What a walk brought.
#[derive(Default)]
pub(crate) struct Walked {
    /// What was found, newest message first.
    pub(crate) rows: Vec<(Arc<Message>, DeliveryStory)>,
    /// How many messages and deliveries were looked at.
    pub(crate) looked_at: usize,
    /// Where the next walk goes on, unless this one came to the oldest message's end.
    pub(crate) next: Option<DeliveryId>,
}

/// What is sought; what is `None` is not asked about.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Sought {
    pub(crate) state: Option<Option<DeliveryResult>>,
    /// The latest attempt's.
    pub(crate) channel: Option<Channel>,
    /// The latest attempt's.
    pub(crate) gateway: Option<String>,
    pub(crate) severity: Option<Severity>,
    pub(crate) incident: Option<String>,
    pub(crate) drill: Option<bool>,
}

impl Sought {
    /// The names of its parameters.
    pub(crate) const NAMES: [&str; 6] = ["state", "channel", "gateway", "severity", "incident", "drill"];

    /// Reads it from a query.
    pub(crate) fn read(query: &QueryPairs) -> Result<Sought, Problem> {
        let yes_or_no = |is_drill| if is_drill { "true" } else { "false" };
        let name = |key: &str| query.get::<String>(key)?.map(|name| checked_name(key, name)).transpose();
        Ok(Sought {
            state: query.word("state", &STATES, state_word)?,
            channel: query.word("channel", &Channel::ALL, Channel::name)?,
            gateway: name("gateway")?,
            severity: query.word("severity", Severity::ALL, Severity::name)?,
            incident: name("incident")?,
            drill: query.word("drill", &[true, false], yes_or_no)?,
        })
    }

    /// Says whether any delivery of a message can be meant.
    fn may_be_in(&self, message: &Message, progress: &Progress) -> bool {
        let has_state = |state: Option<DeliveryResult>| match state {
            None => progress.open,
            Some(result) => {
                let counted = DeliveryResult::ALL.iter().zip(progress.settled);
                counted.into_iter().any(|(of, count)| *of == result && count > 0)
            }
        };
        self.state.is_none_or(has_state)
            && self.severity.is_none_or(|severity| message.severity == severity)
            && self.incident.as_ref().is_none_or(|incident| message.incident.as_ref() == Some(incident))
            && self.drill.is_none_or(|is_drill| message.status.is_drill() == is_drill)
    }

    /// Says whether a delivery of such a message is meant.
    fn is(&self, story: &DeliveryStory) -> bool {
        let latest = story.attempts.last();
        self.state.is_none_or(|state| state == result_of(story))
            && self.channel.is_none_or(|channel| latest.is_some_and(|attempt| attempt.channel == channel))
            && self.gateway.as_ref().is_none_or(|name| latest.is_some_and(|attempt| attempt.gateway == *name))
    }
}

/// A walk, as it goes.
struct Walk {
    limit: usize,
    walked: Walked,
}

impl Walk {
    /// Says to end at `place` once the page is full or enough was looked at.
    fn looked_at(&mut self, place: DeliveryId) -> ControlFlow<DeliveryId> {
        self.walked.looked_at += 1;
        match self.walked.rows.len() >= self.limit || self.walked.looked_at >= LOOKED_AT_MAX {
            true => ControlFlow::Break(place),
            false => ControlFlow::Continue(()),
        }
    }

    /// Goes through what comes after `before`; breaks with the place where the next walk goes on.
    async fn go(
        &mut self,
        app: &App,
        sought: &Sought,
        before: Option<DeliveryId>,
    ) -> Result<ControlFlow<DeliveryId>, Problem> {
        let mut older = before.map(|id| id.message);
        if let Some(DeliveryId { message, index }) = before
            && let Found::Message(message, progress) = app.service.read(Query::Message(message)).await?
            && let ControlFlow::Break(place) =
                self.through(app, sought, &message, &progress, Some(index)).await?
        {
            return Ok(ControlFlow::Break(place));
        }
        loop {
            let asking = Query::Messages { before: older, limit: PAGE_ROWS_MAX };
            let Found::Messages(messages) = app.service.read(asking).await? else {
                return Ok(ControlFlow::Continue(()));
            };
            for (message, progress) in &messages {
                older = Some(message.id);
                if let ControlFlow::Break(place) = self.through(app, sought, message, progress, None).await? {
                    return Ok(ControlFlow::Break(place));
                }
            }
            if messages.len() < PAGE_ROWS_MAX {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }

    /// Goes through the deliveries of one message, where one of them can be meant.
    async fn through(
        &mut self,
        app: &App,
        sought: &Sought,
        message: &Arc<Message>,
        progress: &Progress,
        mut after: Option<u32>,
    ) -> Result<ControlFlow<DeliveryId>, Problem> {
        while sought.may_be_in(message, progress) {
            let asking = Query::Deliveries { message: message.id, after, limit: PAGE_ROWS_MAX };
            let Found::Deliveries(stories) = app.service.read(asking).await? else { break };
            let count = stories.len();
            for story in stories {
                let place = story.id;
                after = Some(place.index);
                if sought.is(&story) {
                    self.walked.rows.push((Arc::clone(message), story));
                }
                if let ControlFlow::Break(place) = self.looked_at(place) {
                    return Ok(ControlFlow::Break(place));
                }
            }
            if count < PAGE_ROWS_MAX {
                break;
            }
        }
        let last = message.recipients.saturating_sub(1);
        Ok(self.looked_at(DeliveryId::new(message.id, last)))
    }
}

/// Returns how a delivery ended; `None` while it is open.
pub(crate) fn result_of(story: &DeliveryStory) -> Option<DeliveryResult> {
    story.delivery.as_ref()?.result.map(|settled| settled.result)
}

/// Shows one delivery in brief, without the person: all of it is on the message's own list.
fn row(message: &Message, story: &DeliveryStory) -> Value {
    let settled = story.delivery.as_ref().and_then(|delivery| delivery.result);
    let latest = story.attempts.last();
    let answered = latest.and_then(|attempt| attempt.outcome.as_ref());
    let reason = match settled {
        Some(settled) => settled.reason,
        None => answered.and_then(|(outcome, _)| outcome.reason()),
    };
    json!({
        "id": story.id.to_string(),
        "message": message.id.to_string(),
        "severity": message.severity.name(),
        "drill": message.status.is_drill(),
        "incident": message.incident,
        "accepted_at": show::time(message.accepted_at),
        "state": state_word(result_of(story)),
        "reason": show::reason(reason),
        "gateway": latest.map(|attempt| attempt.gateway.as_str()),
        "channel": latest.map(|attempt| attempt.channel.name()),
        "attempts": story.attempts.len(),
        "attempted_at": latest.map(|attempt| show::time(attempt.at)),
        "settled_at": settled.map(|settled| show::time(settled.at)),
        "expires": message.expires.map(show::time),
    })
}
