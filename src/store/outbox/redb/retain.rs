//! Removes what is older than retention says, a bounded number of rows at a time.
//!
//! First callers' keys and who did what, then replies, then what is known of each delivery, then messages. Nothing of an open message
//! is removed.

use super::apply::provider_key_of;
use super::fault::Fault;
use super::tables::{Index, Place, RawRow, get, message_of, provider_key, reply_keys};
use super::writing::Writing;
use crate::core::audit::{Anchor, Link};
use crate::core::ids::MessageId;
use crate::core::record::Attempt;
use crate::core::reply::KeptReply;
use crate::core::time::Timestamp;
use crate::store::codec::{Key, Table, decode, encode, reply_key, time_key};
use crate::store::outbox::Retention;
use redb::ReadableTable;

/// The tables that go with a message's deliveries, what refers before what is referred to.
const OF_DELIVERIES: [Table; 6] =
    [Table::Receipt, Table::Attempt, Table::Answer, Table::Delivery, Table::Plan, Table::Audience];

/// Removes at most `limit` rows, and says how many.
pub(super) fn step(
    tables: &mut Writing<'_>,
    keep: &Retention,
    now: Timestamp,
    limit: usize,
) -> Result<usize, Fault> {
    let mut left = limit;
    left -= remove_keys(tables, now - keep.idempotency, left)?;
    left -= remove_acts(tables, now - keep.audit, left)?;
    left -= remove_replies(tables, now - keep.deliveries, left)?;
    let detailed = Place::By(Index::Detailed);
    for id in closed_before(tables, detailed, now - keep.deliveries, left)? {
        left -= remove_deliveries(tables, id, left)?;
    }
    tables.flush()?;
    for id in closed_before(tables, Place::Of(Table::Message), now - keep.messages, left)? {
        left -= remove_deliveries(tables, id, left)?;
        if left == 0 {
            break;
        }
        tables.remove(Place::Of(Table::Progress), &id.to_bytes()[..]);
        tables.remove(Place::Of(Table::Message), &id.to_bytes()[..]);
        tables.remove(Place::By(Index::Correction), &id.to_bytes()[..]);
        left -= 1;
    }
    Ok(limit - left)
}

fn remove_keys(tables: &mut Writing<'_>, before: Timestamp, limit: usize) -> Result<usize, Fault> {
    let by_time = Place::By(Index::IdempotencyByTime);
    let mut stale = tables.some_under(by_time, &[], limit)?;
    stale.retain(|(key, _)| key[..8] < time_key(before)[..]);
    let removed = stale.len();
    for (key, _) in stale {
        tables.remove(Place::Of(Table::Idempotency), &key[8..]);
        tables.remove(by_time, key);
    }
    Ok(removed)
}

/// Acts leave in their order, from the first; the anchor of the chain is then the last that left, so that the rest still
/// hangs together.
fn remove_acts(tables: &mut Writing<'_>, before: Timestamp, limit: usize) -> Result<usize, Fault> {
    let place = Place::Of(Table::Link);
    let mut stale: Vec<Link> = Vec::new();
    for row in tables.stored(place)?.iter()?.take(limit) {
        let (key, value) = row?;
        let link: Link = decode(key.value(), value.value())?;
        if link.audit.at >= before {
            break;
        }
        stale.push(link);
    }
    let Some(last) = stale.last() else { return Ok(0) };
    let anchors = tables.stored(Place::Of(Table::Anchor))?;
    let anchor: Anchor = get(anchors, &[])?.unwrap_or_default();
    let anchor = Anchor { number: last.number, hash: last.hash, ..anchor };
    tables.insert(Place::Of(Table::Anchor), Key::new(), &encode(&anchor))?;
    stale.iter().for_each(|link| tables.remove(place, &link.number.to_be_bytes()[..]));
    Ok(stale.len())
}

/// Replies go by the time at which they came: not each belongs to a message.
fn remove_replies(tables: &mut Writing<'_>, before: Timestamp, limit: usize) -> Result<usize, Fault> {
    let replies = Place::Of(Table::Reply);
    let end = time_key(before);
    let mut stale: Vec<KeptReply> = Vec::new();
    for row in tables.stored(replies)?.range::<&[u8]>(..&end[..])?.take(limit) {
        let (key, value) = row?;
        stale.push(decode(key.value(), value.value())?);
    }
    for reply in &stale {
        reply_keys(reply).into_iter().for_each(|key| tables.remove(Place::By(Index::ReplyBy), key));
        tables.remove(Place::By(Index::ReplyId), provider_key(&reply.gateway, &reply.id));
        tables.remove(replies, &reply_key(reply.key())[..]);
    }
    Ok(stale.len())
}

/// Returns messages accepted before `before` and not open, oldest first; at most `limit`.
fn closed_before(
    tables: &mut Writing<'_>,
    place: Place,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<MessageId>, Fault> {
    let end = MessageId::new(before, 0, 0).to_bytes();
    let mut found = Vec::new();
    let mut from = Some([0; 16]);
    while let Some(start) = from.take() {
        let candidates = some_ids(tables, place, start, end, limit)?;
        let is_whole = candidates.len() == limit;
        from = candidates.last().and_then(|last| next_id(*last)).filter(|_| is_whole);
        let open = tables.stored(Place::By(Index::Open))?;
        for id in candidates {
            if found.len() < limit && open.get(&id.to_bytes()[..])?.is_none() {
                found.push(id);
            }
        }
        from = from.filter(|_| found.len() < limit);
    }
    Ok(found)
}

fn some_ids(
    tables: &mut Writing<'_>,
    place: Place,
    start: [u8; 16],
    end: [u8; 16],
    limit: usize,
) -> Result<Vec<MessageId>, Fault> {
    if start >= end {
        return Ok(Vec::new());
    }
    let table = tables.stored(place)?;
    let rows = table.range::<&[u8]>(&start[..]..&end[..])?.take(limit);
    rows.map(|row| message_of(place, row?.0.value())).collect()
}

fn next_id(id: MessageId) -> Option<[u8; 16]> {
    u128::from_be_bytes(id.to_bytes()).checked_add(1).map(u128::to_be_bytes)
}

/// Removes at most `limit` rows of a message's deliveries, and says how many.
fn remove_deliveries(tables: &mut Writing<'_>, id: MessageId, limit: usize) -> Result<usize, Fault> {
    let mut left = limit;
    for table in OF_DELIVERIES {
        let rows = tables.some_under(Place::Of(table), &id.to_bytes(), left)?;
        if table == Table::Attempt {
            forget_provider_ids(tables, &rows)?;
        }
        left -= rows.len();
        rows.into_iter().for_each(|(key, _)| tables.remove(Place::Of(table), key));
    }
    // The mark counts as a row: a step that takes off nothing but marks must go on all the same.
    let detailed = Place::By(Index::Detailed);
    if left > 0 && tables.value(detailed, &id.to_bytes())?.is_some() {
        tables.remove(detailed, &id.to_bytes()[..]);
        left -= 1;
    }
    Ok(limit - left)
}

/// An id that a later attempt took over stays.
fn forget_provider_ids(tables: &mut Writing<'_>, attempts: &[RawRow]) -> Result<(), Fault> {
    for (key, value) in attempts {
        let Some(id) = provider_key_of(&decode::<Attempt>(key, value)?) else { continue };
        let index = Place::By(Index::ProviderId);
        if tables.value(index, &id)?.as_ref() == Some(key) {
            tables.remove(index, id);
        }
    }
    Ok(())
}
