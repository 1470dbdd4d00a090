//! Reads what is open, and nothing else.

use super::fault::{Fault, bad_key};
use super::tables::{Index, Place, Reading, each_under, message_of, replies_prefix};
use crate::core::ids::{DeliveryId, MessageId};
use crate::core::message::Message;
use crate::core::query::ReplyScope;
use crate::core::record::{Attempt, Delivery, Loaded, LoadedMessage, Outage, Progress};
use crate::core::reply::{HELP_FOR, HELP_MAX, HelpCall, KeptReply, LastAnswer, ReplyKind};
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
            // The newest of each comes first.
            calls.entry(reply.caller()).or_insert((reply.at, drill));
        }
    }
    Ok(HelpCall::sorted(calls))
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
