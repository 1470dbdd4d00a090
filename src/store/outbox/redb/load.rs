//! Reads what is open, and nothing else.

use super::fault::{Fault, bad_key};
use super::tables::{Index, Place, Reading, each_under, message_of, replies_prefix};
use crate::core::ids::{DeliveryId, MessageId};
use crate::core::message::Message;
use crate::core::query::ReplyScope;
use crate::core::record::{Attempt, Delivery, Loaded, LoadedMessage, Outage, Progress};
use crate::core::reply::{
    Caller, HELP_FOR, HELP_MAX, HelpCall, KeptReply, LastAnswer, ReplyKind, SAFE_LOOKS_MAX,
};
use crate::core::time::Timestamp;
use crate::store::codec::{self, OverlayRow, ReceiptRow, Table, decode};
use crate::store::outbox::Walk;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn load(reading: &Reading) -> Result<Loaded, Fault> {
    let mut loaded = Loaded { clock: reading.meta.clock, ..Loaded::default() };
    each_under(&reading.by(Index::Open)?, &[], |key, _| {
        loaded.messages.push(load_message(reading, message_of(Place::By(Index::Open), key)?)?);
        Ok(Walk::On)
    })?;
    each_under(&reading.of(Table::Outage)?, &[], |key, value| {
        let outage: Outage = decode(key, value)?;
        loaded.last_outage = outage.id.0;
        loaded.outages.extend(Some(outage).filter(|outage| outage.recovered.is_none()));
        Ok(Walk::On)
    })?;
    each_under(&reading.of(Table::Overlay)?, &[], |key, value| {
        let OverlayRow { gateway, overlay } = decode(key, value)?;
        loaded.overlays.push((gateway, overlay));
        Ok(Walk::On)
    })?;
    loaded.help = help(reading)?;
    Ok(loaded)
}

/// Reads who needs help and has not said otherwise.
fn help(reading: &Reading) -> Result<Vec<HelpCall>, Fault> {
    let (replies, index) =
        (reading.table(Place::Of(Table::Reply))?, reading.table(Place::By(Index::ReplyBy))?);
    let (Some(replies), Some(index)) = (replies, index) else { return Ok(Vec::new()) };
    let prefix = replies_prefix(&ReplyScope::All, Some(ReplyKind::NeedHelp));
    let first = [&prefix[..], &codec::time_key(reading.meta.clock - HELP_FOR)].concat();
    let end = [&prefix[..], &[0xFF; 16]].concat();
    let (mut calls, mut drills) = (BTreeMap::new(), BTreeMap::new());
    let mut oldest_stranger = None;
    for row in index.range::<&[u8]>(&first[..]..&end[..])?.rev().take(HELP_MAX) {
        let (key, _) = row?;
        let reply: KeptReply = super::tables::get(&replies, &key.value()[prefix.len()..])?
            .ok_or(Fault::Missing(Table::Reply.name()))?;
        let still = match reply.of {
            Some(attempt) => reading
                .get::<LastAnswer>(&codec::delivery_key(attempt.delivery))?
                .is_none_or(|answer| answer.kind == ReplyKind::NeedHelp),
            None => true,
        };
        if still {
            let drill = match reply.of {
                Some(attempt) => is_drill(reading, attempt.delivery.message, &mut drills)?,
                None => false,
            };
            if reply.of.is_none() {
                oldest_stranger = Some(reply.at);
            }
            // The newest of each comes first.
            calls.entry(reply.caller()).or_insert((reply.at, drill));
        }
    }
    if let Some(since) = oldest_stranger {
        leave_out_safe_strangers(reading, since, &mut calls, &mut drills)?;
    }
    Ok(HelpCall::sorted(calls))
}

/// Leaves out the calls in answer to no known message whose callers have said since that they are safe, in answer to a message
/// that is no exercise or to none.
fn leave_out_safe_strangers(
    reading: &Reading,
    since: Timestamp,
    calls: &mut BTreeMap<Caller, (Timestamp, bool)>,
    drills: &mut BTreeMap<MessageId, bool>,
) -> Result<(), Fault> {
    let (replies, index) = (reading.of(Table::Reply)?, reading.by(Index::ReplyBy)?);
    let prefix = replies_prefix(&ReplyScope::All, Some(ReplyKind::Safe));
    let first = [&prefix[..], &codec::time_key(since)].concat();
    let end = [&prefix[..], &[0xFF; 16]].concat();
    for row in index.range::<&[u8]>(&first[..]..&end[..])?.rev().take(SAFE_LOOKS_MAX) {
        let (key, _) = row?;
        let reply: KeptReply = super::tables::get(&replies, &key.value()[prefix.len()..])?
            .ok_or(Fault::Missing(Table::Reply.name()))?;
        let stranger = reply.stranger();
        if calls.get(&stranger).is_none_or(|(called, _)| *called >= reply.at) {
            continue;
        }
        let drill = match reply.of {
            Some(attempt) => is_drill(reading, attempt.delivery.message, drills)?,
            None => false,
        };
        if !drill {
            calls.remove(&stranger);
        }
    }
    Ok(())
}

/// Says whether a message is an exercise; one that is no longer kept is taken for meant.
fn is_drill(
    reading: &Reading,
    message: MessageId,
    known: &mut BTreeMap<MessageId, bool>,
) -> Result<bool, Fault> {
    if let Some(drill) = known.get(&message) {
        return Ok(*drill);
    }
    let drill = reading.get::<Message>(&message.to_bytes())?.is_some_and(|message| message.status.is_drill());
    known.insert(message, drill);
    Ok(drill)
}

fn load_message(reading: &Reading, id: MessageId) -> Result<LoadedMessage, Fault> {
    let key = id.to_bytes();
    let message = reading.get(&key)?.ok_or(Fault::Missing(Table::Message.name()))?;
    let mut deliveries: Vec<Delivery> = Vec::new();
    each_under(&reading.of(Table::Delivery)?, &key, |key, value| {
        deliveries.push(decode(key, value)?);
        Ok(Walk::On)
    })?;
    let mut attempts: Vec<Attempt> = Vec::new();
    each_under(&reading.of(Table::Attempt)?, &key, |key, value| {
        if !settled(&deliveries, delivery_of(Table::Attempt, key)?) {
            attempts.push(decode(key, value)?);
        }
        Ok(Walk::On)
    })?;
    let mut receipts = Vec::new();
    each_under(&reading.of(Table::Receipt)?, &key, |key, value| {
        if !settled(&deliveries, delivery_of(Table::Receipt, key)?) {
            let ReceiptRow { attempt, kind, reason, .. } = decode(key, value)?;
            receipts.push((attempt, kind, reason));
        }
        Ok(Walk::On)
    })?;
    Ok(LoadedMessage {
        message: Arc::new(message),
        progress: reading.get(&key)?.unwrap_or_else(|| Progress::untouched(id)),
        deliveries,
        attempts,
        receipts,
        last_plan: last_plan(reading, id)?,
    })
}

/// `deliveries` are in the order of their index.
fn settled(deliveries: &[Delivery], id: DeliveryId) -> bool {
    let place = deliveries.binary_search_by_key(&id, |delivery| delivery.id);
    place.is_ok_and(|place| deliveries[place].result.is_some())
}

fn delivery_of(table: Table, key: &[u8]) -> Result<DeliveryId, Fault> {
    codec::Reader::new(key).delivery_id().map_err(bad_key(table.name()))
}

fn last_plan(reading: &Reading, id: MessageId) -> Result<u32, Fault> {
    let (first, last) = (codec::numbered_key(id, 0), codec::numbered_key(id, u32::MAX));
    let plans = reading.of(Table::Plan)?;
    let number = match plans.range(&first[..]..=&last[..])?.next_back() {
        Some(row) => {
            let (key, _) = row?;
            let mut key = codec::Reader::new(key.value());
            key.message_id().and_then(|_| key.u32_key()).map_err(bad_key(Table::Plan.name()))?
        }
        None => 0,
    };
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::channel::Channel;
    use crate::core::record::Record;
    use crate::core::reply::Said;
    use crate::store::outbox::memory::MemoryOutbox;
    use crate::store::outbox::redb::RedbOutbox;
    use crate::store::outbox::{Outbox, Put};

    fn said(from: &str, ms: i64, kind: ReplyKind) -> KeptReply {
        KeptReply {
            at: Timestamp::from_ms(1_800_000_000_000 + ms),
            gateway: "wa".into(),
            channel: Channel::Whatsapp,
            from: from.into(),
            said: Said::text("x"),
            id: format!("{from}-{ms}"),
            sent_at: None,
            kind,
            of: None,
            quoted: false,
            incident: None,
        }
    }

    #[test]
    fn a_stranger_who_is_safe_since_calls_no_more_after_a_start() {
        use ReplyKind::{Acknowledged, NeedHelp, Safe};
        let rows = [
            said("is safe since", 1, NeedHelp),
            said("is safe since", 5, Safe),
            said("calls again", 1, NeedHelp),
            said("calls again", 3, Safe),
            said("calls again", 6, NeedHelp),
            said("was safe before", 2, Safe),
            said("was safe before", 4, NeedHelp),
            said("has read it", 1, NeedHelp),
            said("has read it", 7, Acknowledged),
        ];
        let puts: Vec<Put> = rows.iter().cloned().map(|reply| Put::Record(Record::Reply(reply))).collect();
        let mut expected =
            [&rows[4], &rows[6], &rows[7]].map(|r| HelpCall { since: r.at, who: r.caller(), drill: false });
        expected.sort_unstable();
        let folder = tempfile::tempdir().unwrap();
        let mut on_disk = RedbOutbox::open(&folder.path().join("outbox.redb")).unwrap();
        let mut in_memory = MemoryOutbox::new();
        let outboxes: [&mut dyn Outbox; 2] = [&mut on_disk, &mut in_memory];
        for outbox in outboxes {
            outbox.commit(&puts).unwrap();
            assert_eq!(outbox.load().unwrap().help, expected);
        }
    }
}
