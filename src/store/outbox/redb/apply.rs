//! Writes one put, and keeps the indexes true to the rows.

use super::fault::Fault;
use super::tables::{Index, Place, Writing, audience_prefix, provider_key};
use crate::core::ids::AttemptId;
use crate::core::outcome::{Outcome, Receipt, ReceiptRef};
use crate::core::query::Contact;
use crate::core::record::{Attempt, Record};
use crate::core::time::Timestamp;
use crate::store::codec::{self, IdempotencyRow, ReceiptRow, Row, Table, attempt_key, overlay_key, time_key};
use crate::store::outbox::{Put, latest};

/// Writes one put.
pub(super) fn put(tables: &mut Writing<'_>, put: &Put) -> Result<(), Fault> {
    tables.meta.clock = latest(put).map_or(tables.meta.clock, |at| tables.meta.clock.max(at));
    match put {
        Put::Record(Record::Receipt { attempt, kind, at, reason }) => {
            put_receipt(tables, &ReceiptRow { attempt: *attempt, kind: *kind, at: *at, reason: *reason })
        }
        Put::Record(Record::StrayReceipt { gateway, receipt, at }) => {
            put_stray(tables, gateway, receipt, *at)
        }
        Put::Record(Record::Overlay { gateway, overlay: None }) => {
            tables.of(Table::Overlay)?.remove(overlay_key(gateway.as_deref()).as_slice())?;
            Ok(())
        }
        Put::Contact(contact) => put_contact(tables, contact),
        other => {
            index(tables, other)?;
            put_row(tables, other)
        }
    }
}

fn put_row(tables: &mut Writing<'_>, put: &Put) -> Result<(), Fault> {
    if let Some((table, key, value)) = codec::encode_put(put) {
        tables.of(table)?.insert(key.as_slice(), value.as_slice())?;
    }
    Ok(())
}

/// Brings the indexes up to date before the row itself is written.
fn index(tables: &mut Writing<'_>, put: &Put) -> Result<(), Fault> {
    match put {
        Put::Record(Record::Message(message)) => {
            let id = message.id.to_bytes();
            tables.by(Index::Open)?.insert(&id[..], &[][..])?;
            tables.by(Index::Detailed)?.insert(&id[..], &[][..])?;
        }
        Put::Record(Record::Progress(progress)) if !progress.open => {
            tables.by(Index::Open)?.remove(&progress.message.to_bytes()[..])?;
        }
        Put::Record(Record::Attempt(attempt)) => {
            if let Some(key) = provider_key_of(attempt) {
                tables.by(Index::ProviderId)?.insert(key.as_slice(), &attempt_key(attempt.id)[..])?;
            }
        }
        Put::Record(Record::Idempotency { key, at, .. }) => {
            if let Some(earlier) = tables.get::<IdempotencyRow>(&key.key)? {
                tables.by(Index::IdempotencyByTime)?.remove(by_time(&earlier).as_slice())?;
            }
            let by_time = [&time_key(*at)[..], &key.key].concat();
            tables.by(Index::IdempotencyByTime)?.insert(by_time.as_slice(), &[][..])?;
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
fn put_receipt(tables: &mut Writing<'_>, receipt: &ReceiptRow) -> Result<(), Fault> {
    let known = tables.of(Table::Receipt)?;
    let is_first = redb::ReadableTable::get(known, receipt.key().as_slice())?.is_none();
    if is_first { tables.put(receipt) } else { Ok(()) }
}

/// Late news is recorded, never acted on; news of what nobody knows is forgotten.
fn put_stray(tables: &mut Writing<'_>, gateway: &str, receipt: &Receipt, at: Timestamp) -> Result<(), Fault> {
    let attempt = match &receipt.of {
        ReceiptRef::Attempt(id) => attempt_by_id(tables, *id)?,
        ReceiptRef::Provider(id) => attempt_by_provider_id(tables, gateway, id)?,
        ReceiptRef::Both(provider_id, id) => match attempt_by_id(tables, *id)? {
            None => attempt_by_provider_id(tables, gateway, provider_id)?,
            known => known,
        },
    };
    match attempt {
        Some(attempt) if attempt.gateway == gateway => put_receipt(
            tables,
            &ReceiptRow { attempt: attempt.id, kind: receipt.kind, at, reason: receipt.reason },
        ),
        _ => Ok(()),
    }
}

fn attempt_by_id(tables: &mut Writing<'_>, id: AttemptId) -> Result<Option<Attempt>, Fault> {
    tables.get(&attempt_key(id))
}

fn attempt_by_provider_id(
    tables: &mut Writing<'_>,
    gateway: &str,
    id: &str,
) -> Result<Option<Attempt>, Fault> {
    let index = tables.by(Index::ProviderId)?;
    let found = redb::ReadableTable::get(index, provider_key(gateway, id).as_slice())?;
    match found.map(|key| key.value().to_vec()) {
        Some(key) => tables.get(&key),
        None => Ok(None),
    }
}

fn put_contact(tables: &mut Writing<'_>, contact: &Contact) -> Result<(), Fault> {
    let key = |audience: &String| [audience_prefix(audience), contact.id.clone().into_bytes()].concat();
    if let Some(earlier) = tables.get::<Contact>(contact.id.as_bytes())? {
        let gone: Vec<Vec<u8>> = earlier.person.audiences.iter().map(key).collect();
        tables.remove(Place::By(Index::Audience), gone.iter().map(Vec::as_slice))?;
    }
    let by_audience = tables.by(Index::Audience)?;
    for audience in &contact.person.audiences {
        by_audience.insert(key(audience).as_slice(), &[][..])?;
    }
    tables.put(contact)
}
