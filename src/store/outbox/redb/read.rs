//! Answers bounded questions. Each answer is one transaction, and so one position.

use super::Shared;
use super::fault::{Fault, bad_key, guarded};
use super::tables::{Index, Place, Readable, Reading, audience_prefix, each_under, message_of};
use super::tables::{provider_key, replies_prefix};
use crate::core::audit::{Anchor, Link};
use crate::core::channel::Channel;
use crate::core::erasure::{ERASED_MAX, Erased};
use crate::core::ids::{AttemptId, DeliveryId, MessageId};
use crate::core::message::{CHUNK_RECIPIENTS, Message, Recipient};
use crate::core::query::{AUDIENCE_ROWS_MAX, ActsFrom, Answer, Contact, DeliveryStory, Query, ROWS_MAX};
use crate::core::query::{ReplyScope, TokenRecord};
use crate::core::record::{AddressDigest, Attempt, Delivery, Outage, Plan, Progress};
use crate::core::reply::{KeptReply, LastAnswer, OPT_OUTS_MAX, ReplyKey, ReplyKind};
use crate::store::codec::{
    self, AudienceChunk, IdempotencyRow, OptOutRow, ReceiptRow, Row, Table, decode, delivery_key,
    numbered_key, reply_key,
};
use crate::store::outbox::{AsOf, Asking, Health, PolicyVersion, Position, Put, ReadError, Reader, Walk};
use redb::{ReadableTable, ReadableTableMetadata};
use std::collections::BTreeMap;
use std::fs;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

impl Reader for Shared {
    fn answer(&self, query: &Query) -> Result<AsOf<Answer>, ReadError> {
        // What a caller waits for before its message is taken asks the tables for nothing that is pending.
        match query {
            Query::Idempotency(key) => Ok(self.row(&key.key)?.map(idempotency)),
            Query::Contact(id) => Ok(self.row(id.as_bytes())?.map(contact)),
            _ => self.as_of(|reading| answer(reading, query)),
        }
    }

    fn answers(&self, looks: &mut dyn FnMut(Asking<'_>)) -> Result<(), ReadError> {
        self.read(|reading| {
            looks(&|query| Ok(self.seen(guarded(|| answer(reading, query)))?));
            Ok(())
        })
    }

    fn message(&self, id: MessageId) -> Result<AsOf<Option<Arc<Message>>>, ReadError> {
        Ok(self.row(&id.to_bytes())?.map(|row| row.map(Arc::new)))
    }

    fn audience(&self, message: MessageId, chunk: u32) -> Result<AsOf<Option<Vec<Recipient>>>, ReadError> {
        let row = self.row(&numbered_key(message, chunk))?;
        Ok(row.map(|row: Option<AudienceChunk>| row.map(|row| Arc::unwrap_or_clone(row.people))))
    }

    fn tokens(&self) -> Result<AsOf<Vec<TokenRecord>>, ReadError> {
        self.as_of(|reading| collect(reading.of(Table::Token)?.iter()?, usize::MAX))
    }

    fn opt_outs(&self) -> Result<AsOf<Vec<(Channel, AddressDigest)>>, ReadError> {
        self.as_of(|reading| {
            let Some(table) = reading.table(Place::Of(Table::OptOut))? else { return Ok(Vec::new()) };
            let rows: Vec<OptOutRow> = collect(table.iter()?, OPT_OUTS_MAX)?;
            Ok(rows.into_iter().map(|row| (row.channel, row.address)).collect())
        })
    }

    fn erased(&self) -> Result<AsOf<Vec<Erased>>, ReadError> {
        self.as_of(|reading| {
            let Some(table) = reading.table(Place::Of(Table::Erased))? else { return Ok(Vec::new()) };
            collect(table.iter()?, ERASED_MAX)
        })
    }

    fn policy_versions(&self, limit: usize) -> Result<AsOf<Vec<PolicyVersion>>, ReadError> {
        self.as_of(|reading| collect(reading.of(Table::Policy)?.iter()?.rev(), limit.min(ROWS_MAX)))
    }

    fn bytes(&self) -> u64 {
        let len = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
        self.path.as_ref().map_or(0, |path| len(path) + len(&path.with_extension("journal")))
    }

    fn health(&self) -> Result<Health, ReadError> {
        self.read(|reading| {
            Ok(Health {
                bytes: Reader::bytes(self),
                free_bytes: self.free_bytes(),
                position: reading.meta.position,
                messages: reading.of(Table::Message)?.len()?,
                open_messages: reading.by(Index::Open)?.len()?,
                deliveries: reading.of(Table::Delivery)?.len()?,
                attempts: reading.of(Table::Attempt)?.len()?,
            })
        })
    }

    fn rows(&self, each: &mut dyn FnMut(Put) -> Walk) -> Result<Position, ReadError> {
        // Whoever copies everything must not miss what only the journal has.
        self.drain()?;
        self.read(|reading| {
            for table in Table::OUTBOX {
                let mut walk = Walk::On;
                let Some(rows) = reading.table(Place::Of(table))? else { continue };
                each_under(&rows, &[], |key, value| {
                    walk = each(codec::decode_put(table, key, value)?);
                    Ok(walk)
                })?;
                if walk == Walk::Stop {
                    break;
                }
            }
            Ok(reading.meta.position)
        })
    }
}

impl Shared {
    fn as_of<T>(&self, read: impl FnOnce(&Reading) -> Result<T, Fault>) -> Result<AsOf<T>, ReadError> {
        self.read(|reading| Ok(AsOf { position: reading.meta.position, value: read(reading)? }))
    }

    /// Reads a row by its key, pending or not: nothing is drained for it. Dispatch asks so, many times a second.
    fn row<R: Row>(&self, key: &[u8]) -> Result<AsOf<Option<R>>, ReadError> {
        let found = self.pending.find(Place::Of(R::TABLE), key);
        let read = self.seen(guarded(|| match found.change {
            Some(change) => {
                let value = change.map(|value| decode(key, &value)).transpose()?;
                Ok(AsOf { position: found.committed, value })
            }
            None => {
                let reading = self.begin_read()?;
                Ok(AsOf { position: reading.meta.position.max(found.committed), value: reading.get(key)? })
            }
        }));
        Ok(read?)
    }
}

type Pair<'a> =
    Result<(redb::AccessGuard<'a, &'static [u8]>, redb::AccessGuard<'a, &'static [u8]>), redb::StorageError>;

/// Reads at most `limit` rows.
fn collect<'a, R: Row>(rows: impl Iterator<Item = Pair<'a>>, limit: usize) -> Result<Vec<R>, Fault> {
    let read = |row: Pair<'a>| {
        let (key, value) = row?;
        Ok(decode(key.value(), value.value())?)
    };
    rows.take(limit).map(read).collect()
}

/// Reads the newest rows whose key is before `before`.
fn newest<R: Row>(table: &impl Readable, before: Option<&[u8]>, limit: usize) -> Result<Vec<R>, Fault> {
    let upper = before.map_or(Bound::Unbounded, Bound::Excluded);
    collect(table.range::<&[u8]>((Bound::Unbounded, upper))?.rev(), limit.min(ROWS_MAX))
}

fn answer(reading: &Reading, query: &Query) -> Result<Answer, Fault> {
    Ok(match query {
        Query::Message(id) => match reading.get::<Message>(&id.to_bytes())? {
            Some(message) => Answer::Message(Arc::new(message), progress(reading, *id)?),
            None => Answer::Nothing,
        },
        Query::Messages { before, limit } => {
            let before = before.map(MessageId::to_bytes);
            let found = newest(&reading.of(Table::Message)?, before.as_ref().map(|id| &id[..]), *limit)?;
            let with_progress = |message: Message| Ok((progress(reading, message.id)?, Arc::new(message)));
            let pairs: Result<Vec<_>, Fault> = found.into_iter().map(with_progress).collect();
            Answer::Messages(pairs?.into_iter().map(|(progress, message)| (message, progress)).collect())
        }
        Query::Deliveries { message, after, limit } => match reading.get::<Message>(&message.to_bytes())? {
            Some(message) => Answer::Deliveries(stories(reading, &message, *after, *limit)?),
            None => Answer::Nothing,
        },
        Query::Delivery(id) => {
            let (chunk, place) = place_of(id.index);
            match people(reading, id.message, chunk)?.and_then(|people| people.into_iter().nth(place)) {
                Some(recipient) => Answer::Deliveries(vec![story(reading, *id, recipient)?]),
                None => Answer::Nothing,
            }
        }
        Query::Outages { before, limit } => {
            let before = before.map(|id| id.0.to_be_bytes());
            let table = reading.of(Table::Outage)?;
            Answer::Outages(newest::<Outage>(&table, before.as_ref().map(|id| &id[..]), *limit)?)
        }
        Query::Contacts { after, limit } => {
            let lower = after.as_ref().map_or(Bound::Unbounded, |id| Bound::Excluded(id.as_bytes()));
            let table = reading.of(Table::Contact)?;
            let next = table.range::<&[u8]>((lower, Bound::Unbounded))?;
            Answer::Contacts(collect(next, (*limit).min(ROWS_MAX))?)
        }
        Query::Contact(id) => contact(reading.get(id.as_bytes())?),
        Query::Audience(name) => Answer::Contacts(audience(reading, name)?),
        Query::CorrectionOf(of) => match reading.value(Place::By(Index::Correction), &of.to_bytes())? {
            Some(id) => Answer::Correction(message_of(Place::By(Index::Correction), &id)?),
            None => Answer::Nothing,
        },
        Query::Idempotency(key) => idempotency(reading.get(&key.key)?),
        Query::Replies { scope, kind, before, limit } => {
            Answer::Replies(replies(reading, scope, *kind, *before, *limit)?)
        }
        Query::ReplyOf { gateway, id } => {
            match reading.value(Place::By(Index::ReplyId), &provider_key(gateway, id))? {
                Some(key) => Answer::Reply(key_of_reply(&key)?),
                None => Answer::Nothing,
            }
        }
        Query::AttemptOf { gateway, id } => {
            match reading.value(Place::By(Index::ProviderId), &provider_key(gateway, id))? {
                Some(key) => Answer::Attempt(
                    codec::Reader::new(&key).attempt_id().map_err(bad_key(Table::Attempt.name()))?,
                ),
                None => Answer::Nothing,
            }
        }
        Query::Acts { from, limit } => Answer::Acts(acts(reading, *from, *limit)?),
        Query::ChainEnds => {
            let anchor = reading.get::<Anchor>(&[])?.unwrap_or_default();
            let last = newest::<Link>(&reading.of(Table::Link)?, None, 1)?.pop();
            Answer::ChainEnds(anchor, last.map_or(anchor.head(), |link| link.head()))
        }
    })
}

/// Returns the newest replies of a scope and kind.
fn replies(
    reading: &Reading,
    scope: &ReplyScope,
    kind: Option<ReplyKind>,
    before: Option<ReplyKey>,
    limit: usize,
) -> Result<Vec<KeptReply>, Fault> {
    let Some(table) = reading.table(Place::Of(Table::Reply))? else { return Ok(Vec::new()) };
    let before = before.map(reply_key);
    if (scope, kind) == (&ReplyScope::All, None) {
        return newest(&table, before.as_ref().map(|key| &key[..]), limit);
    }
    let Some(index) = reading.table(Place::By(Index::ReplyBy))? else { return Ok(Vec::new()) };
    let prefix = replies_prefix(scope, kind);
    let end = [&prefix[..], &before.unwrap_or([0xFF; 16])].concat();
    let mut found = Vec::new();
    for row in index.range::<&[u8]>(&prefix[..]..&end[..])?.rev().take(limit.min(ROWS_MAX)) {
        let (key, _) = row?;
        let reply = super::tables::get(&table, &key.value()[prefix.len()..])?;
        found.push(reply.ok_or(Fault::Missing(Table::Reply.name()))?);
    }
    Ok(found)
}

fn key_of_reply(key: &[u8]) -> Result<ReplyKey, Fault> {
    let mut key = codec::Reader::new(key);
    let read = key.time_key().and_then(|at| Ok(ReplyKey { at, digest: u64::from_be_bytes(key.array()?) }));
    read.map_err(bad_key(Table::Reply.name()))
}

fn acts(reading: &Reading, from: ActsFrom, limit: usize) -> Result<Vec<Link>, Fault> {
    let table = reading.of(Table::Link)?;
    match from {
        ActsFrom::Before(before) => {
            let before = before.map(u64::to_be_bytes);
            newest(&table, before.as_ref().map(|number| &number[..]), limit)
        }
        ActsFrom::After(after) => {
            let after = after.to_be_bytes();
            let next = table.range::<&[u8]>((Bound::Excluded(&after[..]), Bound::Unbounded))?;
            collect(next, limit.min(ROWS_MAX))
        }
    }
}

fn contact(found: Option<Contact>) -> Answer {
    found.map_or(Answer::Nothing, |contact| Answer::Contacts(vec![contact]))
}

fn idempotency(found: Option<IdempotencyRow>) -> Answer {
    found.map_or(Answer::Nothing, |row| Answer::Idempotency(row.key.body, row.message, row.deliveries))
}

fn progress(reading: &Reading, id: MessageId) -> Result<Progress, Fault> {
    Ok(reading.get(&id.to_bytes())?.unwrap_or_else(|| Progress::untouched(id)))
}

fn people(reading: &Reading, message: MessageId, chunk: u32) -> Result<Option<Vec<Recipient>>, Fault> {
    let row = reading.get::<AudienceChunk>(&numbered_key(message, chunk))?;
    Ok(row.map(|row| Arc::unwrap_or_clone(row.people)))
}

/// Returns in which chunk a recipient is, and at which place.
fn place_of(index: u32) -> (u32, usize) {
    (index / CHUNK_RECIPIENTS as u32, index as usize % CHUNK_RECIPIENTS)
}

fn audience(reading: &Reading, name: &str) -> Result<Vec<Contact>, Fault> {
    let prefix = audience_prefix(name);
    let contacts = reading.of(Table::Contact)?;
    let mut found = Vec::new();
    each_under(&reading.by(Index::Audience)?, &prefix, |key, _| {
        let contact = super::tables::get(&contacts, &key[prefix.len()..])?;
        found.push(contact.ok_or(Fault::Missing(Place::Of(Table::Contact).name()))?);
        Ok(if found.len() < AUDIENCE_ROWS_MAX { Walk::On } else { Walk::Stop })
    })?;
    Ok(found)
}

fn stories(
    reading: &Reading,
    message: &Message,
    after: Option<u32>,
    limit: usize,
) -> Result<Vec<DeliveryStory>, Fault> {
    let first = after.map_or(Some(0), |index| index.checked_add(1)).unwrap_or(u32::MAX);
    let mut found = Vec::new();
    let mut loaded: Option<(u32, Vec<Recipient>)> = None;
    for index in (first..message.recipients).take(limit.min(ROWS_MAX)) {
        let (chunk, place) = place_of(index);
        if loaded.as_ref().is_none_or(|(number, _)| *number != chunk) {
            loaded = people(reading, message.id, chunk)?.map(|people| (chunk, people));
        }
        let Some(recipient) = loaded.as_ref().and_then(|(_, people)| people.get(place)) else { break };
        found.push(story(reading, DeliveryId::new(message.id, index), recipient.clone())?);
    }
    Ok(found)
}

fn story(reading: &Reading, id: DeliveryId, recipient: Recipient) -> Result<DeliveryStory, Fault> {
    let key = delivery_key(id);
    let mut attempts: Vec<Attempt> = Vec::new();
    each_under(&reading.of(Table::Attempt)?, &key, |key, value| {
        attempts.push(decode(key, value)?);
        Ok(Walk::On)
    })?;
    let mut receipts = Vec::new();
    each_under(&reading.of(Table::Receipt)?, &key, |key, value| {
        let ReceiptRow { attempt: AttemptId { n, .. }, kind, at, .. } = decode(key, value)?;
        receipts.push((n, kind, at));
        Ok(Walk::On)
    })?;
    let mut plans = BTreeMap::new();
    for number in attempts.iter().map(|attempt| attempt.plan) {
        if let Some(plan) = reading.get::<Plan>(&numbered_key(id.message, number))? {
            plans.insert(number, plan);
        }
    }
    let delivery = reading.get::<Delivery>(&key)?;
    let answer = reading.get::<LastAnswer>(&key)?;
    Ok(DeliveryStory { recipient, delivery, id, attempts, receipts, plans, answer })
}
