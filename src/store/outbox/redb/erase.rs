//! Takes a person out of the rows, and marks the store: what its free pages hold is written away at the next start.

use super::apply::{leave_audiences, provider_key_of};
use super::draft::Draft;
use super::fault::Fault;
use super::tables::{Index, Place, provider_key, reply_keys};
use crate::core::erasure::Erasure;
use crate::core::ids::{AttemptId, DeliveryId};
use crate::core::message::{CHUNK_RECIPIENTS, Recipient};
use crate::core::outcome::Outcome;
use crate::core::query::Contact;
use crate::core::record::Attempt;
use crate::core::reply::{KeptReply, ReplyKey};
use crate::store::codec::{AudienceChunk, Table, attempt_key, numbered_key, reply_key};
use std::sync::Arc;

/// The key, beside what the store knows about itself, that says that something was erased since the file was written.
pub(super) const UNSWEPT: &[u8] = b"unswept";

/// Takes the person out.
pub(super) fn erase(draft: &mut Draft<'_>, erasure: &Erasure) -> Result<(), Fault> {
    draft.insert(Place::Of(Table::Meta), UNSWEPT, &[]);
    if let Some(id) = &erasure.contact {
        leave_audiences(draft, id)?;
        draft.remove(Place::Of(Table::Contact), id.as_bytes());
    }
    for id in &erasure.deliveries {
        take_out_of_audience(draft, *id, &erasure.pseudonym)?;
        forget_provider_ids(draft, *id)?;
    }
    for id in &erasure.deputy_of {
        take_out_deputy(draft, id, erasure.deputy.as_deref())?;
    }
    erasure.replies.iter().try_for_each(|key| remove_reply(draft, *key))
}

/// Takes a deputy out of a contact, where it is still this one.
fn take_out_deputy(draft: &mut Draft<'_>, id: &str, deputy: Option<&str>) -> Result<(), Fault> {
    if let Some(mut contact) = draft.get::<Contact>(id.as_bytes())?
        && contact.deputy.as_deref() == deputy
    {
        contact.deputy = None;
        draft.put(&contact);
    }
    Ok(())
}

fn take_out_of_audience(draft: &mut Draft<'_>, id: DeliveryId, pseudonym: &str) -> Result<(), Fault> {
    let (chunk, place) = (id.index / CHUNK_RECIPIENTS as u32, id.index as usize % CHUNK_RECIPIENTS);
    let Some(mut row) = draft.get::<AudienceChunk>(&numbered_key(id.message, chunk))? else { return Ok(()) };
    if let Some(person) = Arc::make_mut(&mut row.people).get_mut(place) {
        *person = Recipient::erased(pseudonym);
        draft.put(&row);
    }
    Ok(())
}

/// A provider's name for a message may hold the number that it went to, as WhatsApp's does.
fn forget_provider_ids(draft: &mut Draft<'_>, id: DeliveryId) -> Result<(), Fault> {
    for n in 1..=u16::MAX {
        let key = attempt_key(AttemptId::new(id, n));
        let Some(mut attempt) = draft.get::<Attempt>(&key)? else { break };
        let Some(named) = provider_key_of(&attempt) else { continue };
        // A name that a later attempt took over stays.
        if draft.value(Place::By(Index::ProviderId), &named)?.as_deref() == Some(&key[..]) {
            draft.remove(Place::By(Index::ProviderId), named);
        }
        if let Some((Outcome::Accepted { provider_id }, _)) = &mut attempt.outcome {
            *provider_id = None;
        }
        draft.put(&attempt);
    }
    Ok(())
}

fn remove_reply(draft: &mut Draft<'_>, key: ReplyKey) -> Result<(), Fault> {
    let Some(reply) = draft.get::<KeptReply>(&reply_key(key))? else { return Ok(()) };
    reply_keys(&reply).into_iter().for_each(|key| draft.remove(Place::By(Index::ReplyBy), key));
    draft.remove(Place::By(Index::ReplyId), provider_key(&reply.gateway, &reply.id));
    draft.remove(Place::Of(Table::Reply), &reply_key(key)[..]);
    Ok(())
}
