//! Writes one put, and keeps the indexes true to the rows.

use super::draft::Draft;
use super::fault::Fault;
use super::tables::{Index, Place, audience_prefix, provider_key, reply_keys};
use crate::core::ids::AttemptId;
use crate::core::outcome::{Outcome, Receipt, ReceiptRef};
use crate::core::query::Contact;
use crate::core::record::{Attempt, Record};
use crate::core::reply::KeptReply;
use crate::core::time::Timestamp;
use crate::store::codec::{self, IdempotencyRow, ReceiptRow, Row, Table};
use crate::store::codec::{attempt_key, opt_out_key, overlay_key, reply_key, time_key};
use crate::store::outbox::{Put, latest};

/// Writes one put.
pub(super) fn put(draft: &mut Draft<'_>, put: &Put) -> Result<(), Fault> {
    // An older store takes rows of this program's versions from here on, which an older program must not open.
    draft.meta = draft.meta.of_this_program();
    draft.meta.clock = latest(put).map_or(draft.meta.clock, |at| draft.meta.clock.max(at));
    match put {
        Put::Record(Record::Receipt { attempt, kind, at, reason }) => {
            put_receipt(draft, &ReceiptRow { attempt: *attempt, kind: *kind, at: *at, reason: *reason })
        }
        Put::Record(Record::StrayReceipt { gateway, receipt, at }) => put_stray(draft, gateway, receipt, *at),
        Put::Record(Record::Overlay { gateway, overlay: None }) => {
            draft.remove(Place::Of(Table::Overlay), overlay_key(gateway.as_deref()));
            Ok(())
        }
        Put::Record(Record::Reply(reply)) => put_reply(draft, reply),
        Put::Record(Record::OptOut { channel, address, since: None }) => {
            draft.remove(Place::Of(Table::OptOut), opt_out_key(*channel, address));
            Ok(())
        }
        Put::Contact(contact) => put_contact(draft, contact),
        Put::Erase(erasure) => super::erase::erase(draft, erasure),
        other => {
            index(draft, other)?;
            // What is no row of its own was taken above.
            codec::visit_put(other, draft);
            Ok(())
        }
    }
}

/// Brings the indexes up to date before the row itself is written.
fn index(draft: &mut Draft<'_>, put: &Put) -> Result<(), Fault> {
    match put {
        Put::Record(Record::Message(message)) => {
            draft.insert(Place::By(Index::Open), &message.id.to_bytes()[..], &[]);
            if let Some(of) = message.corrects {
                draft.insert(Place::By(Index::Correction), &of.to_bytes()[..], &message.id.to_bytes());
            }
        }
        Put::Record(Record::Progress(progress)) if !progress.open => {
            let key = progress.message.to_bytes();
            draft.remove(Place::By(Index::Open), &key[..]);
            draft.insert(Place::By(Index::Detailed), &key[..], &[]);
        }
        Put::Record(Record::Attempt(attempt)) => {
            if let Some(key) = provider_key_of(attempt) {
                draft.insert(Place::By(Index::ProviderId), key, &attempt_key(attempt.id));
            }
        }
        Put::Record(Record::Idempotency { key, at, .. }) => {
            if let Some(earlier) = draft.get::<IdempotencyRow>(&key.key)? {
                draft.remove(Place::By(Index::IdempotencyByTime), by_time(&earlier));
            }
            let by_time = [&time_key(*at)[..], &key.key].concat();
            draft.insert(Place::By(Index::IdempotencyByTime), by_time, &[]);
        }
        _ => {}
    }
    Ok(())
}

/// Returns the index key of an attempt that a provider took under a name of its own.
pub(super) fn provider_key_of(attempt: &Attempt) -> Option<Vec<u8>> {
    match &attempt.outcome {
        Some((Outcome::Accepted { provider_id: Some(id) }, _)) => Some(provider_key(&attempt.gateway, id)),
        _ => None,
    }
}

fn by_time(row: &IdempotencyRow) -> Vec<u8> {
    [&time_key(row.at)[..], &row.key.key].concat()
}

/// The first receipt of a kind is kept.
fn put_receipt(draft: &mut Draft<'_>, receipt: &ReceiptRow) -> Result<(), Fault> {
    if draft.value(Place::Of(Table::Receipt), &receipt.key())?.is_none() {
        draft.put(receipt);
    }
    Ok(())
}

/// Late news is recorded, never acted on; news of what nobody knows is forgotten.
fn put_stray(draft: &mut Draft<'_>, gateway: &str, receipt: &Receipt, at: Timestamp) -> Result<(), Fault> {
    let attempt = match &receipt.of {
        ReceiptRef::Attempt(id) => attempt_by_id(draft, *id)?,
        ReceiptRef::Provider(id) => attempt_by_provider_id(draft, gateway, id)?,
        ReceiptRef::Both(provider_id, id) => match attempt_by_id(draft, *id)? {
            None => attempt_by_provider_id(draft, gateway, provider_id)?,
            known => known,
        },
    };
    match attempt {
        Some(attempt) if attempt.gateway == gateway => put_receipt(
            draft,
            &ReceiptRow { attempt: attempt.id, kind: receipt.kind, at, reason: receipt.reason },
        ),
        _ => Ok(()),
    }
}

fn attempt_by_id(draft: &mut Draft<'_>, id: AttemptId) -> Result<Option<Attempt>, Fault> {
    draft.get(&attempt_key(id))
}

fn attempt_by_provider_id(draft: &mut Draft<'_>, gateway: &str, id: &str) -> Result<Option<Attempt>, Fault> {
    match draft.value(Place::By(Index::ProviderId), &provider_key(gateway, id))? {
        Some(key) => draft.get(&key),
        None => Ok(None),
    }
}

/// The first reply of a provider's id is kept.
fn put_reply(draft: &mut Draft<'_>, reply: &KeptReply) -> Result<(), Fault> {
    let by_id = provider_key(&reply.gateway, &reply.id);
    if draft.value(Place::By(Index::ReplyId), &by_id)?.is_some() {
        return Ok(());
    }
    draft.insert(Place::By(Index::ReplyId), by_id, &reply_key(reply.key()));
    for key in reply_keys(reply) {
        draft.insert(Place::By(Index::ReplyBy), key, &[]);
    }
    draft.put(reply);
    Ok(())
}

fn put_contact(draft: &mut Draft<'_>, contact: &Contact) -> Result<(), Fault> {
    leave_audiences(draft, &contact.id)?;
    for audience in &contact.person.audiences {
        draft.insert(Place::By(Index::Audience), member_key(audience, &contact.id), &[]);
    }
    draft.put(contact);
    Ok(())
}

/// Takes a contact out of the index of audiences, where it is there.
pub(super) fn leave_audiences(draft: &mut Draft<'_>, id: &str) -> Result<(), Fault> {
    if let Some(contact) = draft.get::<Contact>(id.as_bytes())? {
        for audience in &contact.person.audiences {
            draft.remove(Place::By(Index::Audience), member_key(audience, id));
        }
    }
    Ok(())
}

fn member_key(audience: &str, id: &str) -> Vec<u8> {
    [&audience_prefix(audience)[..], id.as_bytes()].concat()
}
