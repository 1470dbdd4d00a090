//! Which messages were answered by calls for help of late: after a start those who are to know are told again, and for
//! that the core must know what the messages are, also those that have ended.
//!
//! Limit: [`RAISED_MAX`] messages, those with the newest calls.

use super::find::story;
use crate::core::TELL_AGAIN_WITHIN;
use crate::core::ids::{DeliveryId, MessageId};
use crate::core::query::{Answer, Query};
use crate::core::record::Raised;
use crate::core::reply::{Caller, HelpCall};
use crate::core::time::Timestamp;
use crate::store::outbox::{Asking, ReadError, Reader};
use std::collections::BTreeMap;

/// Of how many messages: each is read before the service starts, some thousand of them within a second.
const RAISED_MAX: usize = 1_000;

/// Looks up what these calls answer. What cannot be read is left out, and said: its calls are told of without it.
pub(crate) fn raised(reader: &dyn Reader, calls: &[HelpCall], now: Timestamp) -> BTreeMap<MessageId, Raised> {
    let mut found = BTreeMap::new();
    let looked = reader.answers(&mut |ask| {
        let young = calls.iter().rev().take_while(|call| call.since + TELL_AGAIN_WITHIN > now);
        for call in young {
            let Caller::Of(delivery) = call.who else { continue };
            if found.contains_key(&delivery.message) || found.len() == RAISED_MAX {
                continue;
            }
            match of(ask, delivery) {
                Ok(Some(raised)) => drop(found.insert(delivery.message, raised)),
                Ok(None) => {}
                Err(error) => tracing::error!(%error, id = %delivery.message, "who is told of calls for help cannot be read"),
            }
        }
    });
    if let Err(error) = looked {
        tracing::error!(%error, "who is told of calls for help cannot be read");
    }
    found
}

fn of(ask: Asking<'_>, delivery: DeliveryId) -> Result<Option<Raised>, ReadError> {
    let Answer::Message(message, _) = ask(&Query::Message(delivery.message))? else { return Ok(None) };
    let Some(story) = story(ask, delivery)? else { return Ok(None) };
    let plan = story.attempts.last().and_then(|attempt| story.plans.get(&attempt.plan));
    let (severity, status) = (message.severity, message.status);
    Ok(plan.map(|plan| Raised { severity, status, rule: plan.rule.clone() }))
}
