//! What a reply answers: found by what it quotes, else by whom it is from.
//!
//! A row that makes no sense holds up nothing: the reply is kept without what it answers, for a person to read.
//!
//! Limit: [`ASKING_MAX`] messages to a sender are looked at for the one that asked for a digit.

use super::address_digest;
use super::addressed::Addressed;
use crate::core::channel::{Channel, GatewayId};
use crate::core::ids::{AttemptId, DeliveryId};
use crate::core::input::{Answered, Spoken};
use crate::core::message::SERVICE;
use crate::core::outcome::{Outcome, ReceiptRef};
use crate::core::query::{Answer, DeliveryStory, Query};
use crate::core::reading;
use crate::core::reply::{Reply, Said};
use crate::store::outbox::{Asking, ReadError, Reader};
use std::collections::BTreeSet;

/// How many messages to one sender are looked at for the one that asked: who is told more in three days no longer knows
/// which of them a digit would answer.
const ASKING_MAX: usize = 50;

/// A reply, and what must be known to look it up.
#[derive(Clone)]
pub(super) struct Heard {
    pub(super) gateway: GatewayId,
    pub(super) name: String,
    pub(super) channel: Channel,
    pub(super) reply: Reply,
}

/// What was found of a reply.
pub(super) enum Found {
    /// It was taken before.
    Known,
    /// The same person said something that must be on disk first.
    Later,
    /// This is for the core.
    Spoken(Box<Spoken>),
}

impl Heard {
    /// Returns the attempt on the button that was pressed.
    pub(super) fn pressed(&self) -> Option<AttemptId> {
        match &self.reply.said {
            Said::Button(back) => reading::of_button(back).map(|(attempt, _)| attempt),
            Said::Text(_) | Said::Other => None,
        }
    }
}

/// Says whether what cannot be read makes no sense: then it would never be read.
pub(super) fn is_damage(error: &ReadError) -> bool {
    matches!(error, ReadError::Corrupt(_) | ReadError::Newer { .. })
}

/// Looks each of these up, all in one look at the store.
pub(super) fn look_up(
    reader: &dyn Reader,
    addressed: &Addressed,
    heard: &[Heard],
) -> Result<Vec<Found>, ReadError> {
    let mut looked = Ok(Vec::new());
    reader.answers(&mut |ask| looked = look_up_by(ask, addressed, heard))?;
    looked
}

fn look_up_by(ask: Asking<'_>, addressed: &Addressed, heard: &[Heard]) -> Result<Vec<Found>, ReadError> {
    let (mut found, mut ids, mut people) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for heard in heard {
        if !ids.insert((heard.name.clone(), heard.reply.id.clone())) || is_known(ask, heard)? {
            found.push(Found::Known);
            continue;
        }
        let of = match what(ask, addressed, heard) {
            Err(error) if is_damage(&error) => {
                tracing::error!(%error, gateway = heard.name, "what a reply answers cannot be read; it is kept without that");
                None
            }
            of => of?,
        };
        if of.as_ref().is_some_and(|of| !people.insert(of.attempt.delivery)) {
            found.push(Found::Later);
            continue;
        }
        let sender = address_digest(heard.channel, &heard.reply.from);
        let spoken = Spoken { gateway: heard.gateway, reply: heard.reply.clone(), sender, of };
        found.push(Found::Spoken(Box::new(spoken)));
    }
    Ok(found)
}

/// Says whether a reply was taken before. One too many is better than one too few.
fn is_known(ask: Asking<'_>, heard: &Heard) -> Result<bool, ReadError> {
    let (gateway, id) = (heard.name.clone(), heard.reply.id.clone());
    match ask(&Query::ReplyOf { gateway, id }) {
        Err(error) if is_damage(&error) => Ok(false),
        answer => Ok(!matches!(answer?, Answer::Nothing)),
    }
}

fn what(ask: Asking<'_>, addressed: &Addressed, heard: &Heard) -> Result<Option<Answered>, ReadError> {
    match quoted(ask, heard)? {
        Some(of) => Ok(Some(of)),
        None => by_address(ask, addressed, heard),
    }
}

/// Finds what a reply names: by the attempt on its button, else by the provider's id of what it quotes.
fn quoted(ask: Asking<'_>, heard: &Heard) -> Result<Option<Answered>, ReadError> {
    let (provider, ours) = match &heard.reply.of {
        Some(ReceiptRef::Provider(id)) => (Some(id), None),
        Some(ReceiptRef::Attempt(attempt)) => (None, Some(*attempt)),
        Some(ReceiptRef::Both(id, attempt)) => (Some(id), Some(*attempt)),
        None => (None, None),
    };
    let mut attempt = heard.pressed().or(ours);
    if let (None, Some(id)) = (attempt, provider) {
        let (gateway, id) = (heard.name.clone(), id.clone());
        if let Answer::Attempt(found) = ask(&Query::AttemptOf { gateway, id })? {
            attempt = Some(found);
        }
    }
    let Some(attempt) = attempt else { return Ok(None) };
    let Some(story) = story(ask, attempt.delivery)? else { return Ok(None) };
    // Another channel's button is nobody's to press here.
    let is_of = |made: &&crate::core::record::Attempt| made.id == attempt && made.channel == heard.channel;
    match story.attempts.iter().find(is_of).map(|made| made.id) {
        Some(attempt) => answered(ask, story, attempt, true),
        None => Ok(None),
    }
}

/// Finds the newest message that may have reached the sender on this channel; for a bare digit the newest that asked for
/// it, where one did. The service's own notices asked nothing: an operator whom the alert reached as well answers the alert.
fn by_address(ask: Asking<'_>, addressed: &Addressed, heard: &Heard) -> Result<Option<Answered>, ReadError> {
    let digit = reading::digit_of(&heard.reply.said);
    let (mut newest, mut of_service, mut looked) = (None, None, 0);
    for delivery in addressed.find(heard.channel, &heard.reply.from) {
        let Some(story) = story(ask, delivery)? else { continue };
        if story.recipient.addresses.get(&heard.channel) != Some(&heard.reply.from) {
            continue;
        }
        let may_have_gone =
            |outcome: &Outcome| matches!(outcome, Outcome::Accepted { .. } | Outcome::Unknown { .. });
        let gone = story.attempts.iter().rev().find(|attempt| {
            let is_out = attempt.outcome.as_ref().is_none_or(|(outcome, _)| may_have_gone(outcome));
            attempt.channel == heard.channel && is_out
        });
        let Some(attempt) = gone.map(|attempt| attempt.id) else { continue };
        let Some(found) = answered(ask, story, attempt, false)? else { continue };
        let is_of_service = found.message.author == SERVICE;
        let asked = |digit| found.message.asks.answers().any(|(asked, _)| asked == digit);
        if !is_of_service && digit.is_none_or(asked) {
            return Ok(Some(found));
        }
        if is_of_service { &mut of_service } else { &mut newest }.get_or_insert(found);
        looked += 1;
        if looked == ASKING_MAX {
            break;
        }
    }
    Ok(newest.or(of_service))
}

pub(super) fn story(ask: Asking<'_>, delivery: DeliveryId) -> Result<Option<DeliveryStory>, ReadError> {
    match ask(&Query::Delivery(delivery))? {
        Answer::Deliveries(stories) => Ok(stories.into_iter().next()),
        _ => Ok(None),
    }
}

pub(super) fn answered(
    ask: Asking<'_>,
    story: DeliveryStory,
    attempt: AttemptId,
    quoted: bool,
) -> Result<Option<Answered>, ReadError> {
    let Answer::Message(message, progress) = ask(&Query::Message(attempt.delivery.message))? else {
        return Ok(None);
    };
    let made = story.attempts.iter().find(|made| made.id == attempt);
    let rule = made.and_then(|made| story.plans.get(&made.plan)).map(|plan| plan.rule.clone());
    let before = story.answer.map(|answer| answer.kind);
    Ok(Some(Answered { attempt, quoted, message, progress, rule, before }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::MessageId;
    use crate::core::time::Timestamp;

    fn heard(id: &str, of: Option<AttemptId>) -> Heard {
        let of = of.map(ReceiptRef::Attempt);
        let reply =
            Reply { from: "+970599000001".into(), said: Said::text("help"), id: id.into(), of, at: None };
        Heard { gateway: GatewayId(0), name: "wa".into(), channel: Channel::Whatsapp, reply }
    }

    #[test]
    fn a_damaged_row_costs_a_reply_what_it_answers_and_holds_up_nothing() {
        let attempt = |n| AttemptId::new(DeliveryId::new(MessageId::new(Timestamp::default(), 0, n), 0), 1);
        let damaged = attempt(1).delivery;
        let ask = |query: &Query| match query {
            Query::Delivery(id) if *id == damaged => Err(ReadError::Corrupt("a row of `attempt`".into())),
            Query::ReplyOf { id, .. } if id == "odd" => Err(ReadError::Corrupt("a row of `reply`".into())),
            _ => Ok(Answer::Nothing),
        };
        let replies = [
            heard("a", Some(attempt(1))),
            heard("b", Some(attempt(2))),
            heard("odd", None),
            heard("a", None),
        ];
        let found = look_up_by(&ask, &Addressed::default(), &replies).expect("none of it is tried for ever");
        let kept = found.iter().map(|found| match found {
            Found::Spoken(spoken) => Some((spoken.reply.id.as_str(), spoken.of.is_some())),
            Found::Known | Found::Later => None,
        });
        let expected = [Some(("a", false)), Some(("b", false)), Some(("odd", false)), None];
        assert_eq!(kept.collect::<Vec<_>>(), expected);
        let unavailable = |_: &Query| Err(ReadError::Unavailable("the disk".into()));
        assert!(look_up_by(&unavailable, &Addressed::default(), &replies).is_err(), "that is tried again");
    }
}
