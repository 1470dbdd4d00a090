//! The outbox in memory: the twin against which the engine on disk is held, and the simulator's store.
//!
//! Invariant: imports `std` and `core` alone, and keeps values as they are, not their bytes, so that it cannot share
//! a mistake of the codec or of the engine on disk.

mod erase;
mod help;

use super::{AsOf, Asking, CommitError, Health, Outbox, PolicyVersion, Position, Put, ReadError, Reader};
use super::{Retained, Retention, Walk, latest};
use crate::core::audit::{Anchor, Link};
use crate::core::channel::Channel;
use crate::core::erasure::{ERASED_MAX, Erased, PersonDigest};
use crate::core::ids::{AttemptId, DeliveryId, MessageId, OutageId};
use crate::core::input::IdempotencyKey;
use crate::core::message::{CHUNK_RECIPIENTS, Message, Recipient};
use crate::core::outcome::{Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use crate::core::query::{AUDIENCE_ROWS_MAX, ActsFrom, Answer, Contact, DeliveryStory, Query, ROWS_MAX};
use crate::core::query::{ReplyScope, TokenRecord};
use crate::core::record::{
    AddressDigest, Attempt, Delivery, Loaded, LoadedMessage, Outage, Overlay, Plan, Progress, Record,
};
use crate::core::reply::{KeptReply, LastAnswer, OPT_OUTS_MAX, ReplyKey};
use crate::core::time::Timestamp;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// The outbox in memory. A clone is another handle on the same rows.
#[derive(Clone, Default)]
pub struct MemoryOutbox {
    rows: Arc<RwLock<Rows>>,
}

#[derive(Default)]
struct Rows {
    position: Position,
    clock: Timestamp,
    messages: BTreeMap<MessageId, Arc<Message>>,
    open: BTreeSet<MessageId>,
    corrections: BTreeMap<MessageId, MessageId>,
    /// The messages that ended and whose deliveries are kept: retention looks at each once.
    detailed: BTreeSet<MessageId>,
    audiences: BTreeMap<(MessageId, u32), Arc<Vec<Recipient>>>,
    progress: BTreeMap<MessageId, Progress>,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    attempts: BTreeMap<AttemptId, Attempt>,
    /// Which attempt a gateway's provider id stands for.
    provider_ids: BTreeMap<(String, String), AttemptId>,
    receipts: BTreeMap<(AttemptId, ReceiptKind), (Timestamp, Option<Reason>)>,
    plans: BTreeMap<(MessageId, u32), Arc<Plan>>,
    outages: BTreeMap<OutageId, Outage>,
    overlays: BTreeMap<Option<String>, Overlay>,
    /// By key: the body's digest, the message, its deliveries, when.
    idempotency: BTreeMap<[u8; 16], ([u8; 16], MessageId, u32, Timestamp)>,
    contacts: BTreeMap<String, Contact>,
    tokens: BTreeMap<String, TokenRecord>,
    policies: BTreeMap<(Timestamp, String), PolicyVersion>,
    replies: BTreeMap<ReplyKey, KeptReply>,
    /// Which reply a gateway's provider gave an id.
    reply_ids: BTreeMap<(String, String), ReplyKey>,
    answers: BTreeMap<DeliveryId, LastAnswer>,
    opt_outs: BTreeMap<(Channel, AddressDigest), Timestamp>,
    acts: BTreeMap<u64, Link>,
    anchor: Option<Anchor>,
    erased: BTreeMap<PersonDigest, Timestamp>,
    secret: Option<[u8; 32]>,
}

impl MemoryOutbox {
    /// Makes an empty one.
    pub fn new() -> Self {
        MemoryOutbox::default()
    }

    // A panic under the lock would be a bug of this module, and the rows are whole after each put.
    fn read(&self) -> RwLockReadGuard<'_, Rows> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn as_of<T>(&self, read: impl FnOnce(&Rows) -> T) -> Result<AsOf<T>, ReadError> {
        let rows = self.read();
        Ok(AsOf { position: rows.position, value: read(&rows) })
    }
}

impl Outbox for MemoryOutbox {
    fn load(&self) -> Result<Loaded, ReadError> {
        let rows = self.read();
        Ok(Loaded {
            clock: rows.clock,
            messages: rows.open.iter().filter_map(|id| rows.load_message(*id)).collect(),
            outages: rows.outages.values().filter(|o| o.recovered.is_none()).cloned().collect(),
            last_outage: rows.outages.keys().next_back().map_or(0, |id| id.0),
            overlays: rows.overlays.iter().map(|(gateway, o)| (gateway.clone(), o.clone())).collect(),
            help: rows.help(),
            raised: BTreeMap::new(),
        })
    }

    fn commit(&mut self, batch: &[Put]) -> Result<Position, CommitError> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for put in batch {
            rows.clock = latest(put).map_or(rows.clock, |at| rows.clock.max(at));
            rows.put(put);
        }
        rows.position.0 += 1;
        Ok(rows.position)
    }

    fn retain(&mut self, keep: &Retention, now: Timestamp, limit: usize) -> Result<Retained, CommitError> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let removed = rows.retain(keep, now, limit.max(1));
        rows.position.0 += u64::from(removed > 0);
        Ok(Retained { removed, more: removed >= limit })
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }
}

impl Reader for MemoryOutbox {
    fn answer(&self, query: &Query) -> Result<AsOf<Answer>, ReadError> {
        self.as_of(|rows| rows.answer(query))
    }

    fn answers(&self, looks: &mut dyn FnMut(Asking<'_>)) -> Result<(), ReadError> {
        let rows = self.read();
        looks(&|query| Ok(rows.answer(query)));
        Ok(())
    }

    fn message(&self, id: MessageId) -> Result<AsOf<Option<Arc<Message>>>, ReadError> {
        self.as_of(|rows| rows.messages.get(&id).cloned())
    }

    fn audience(&self, message: MessageId, chunk: u32) -> Result<AsOf<Option<Vec<Recipient>>>, ReadError> {
        self.as_of(|rows| rows.audiences.get(&(message, chunk)).map(|people| people.to_vec()))
    }

    fn tokens(&self) -> Result<AsOf<Vec<TokenRecord>>, ReadError> {
        self.as_of(|rows| rows.tokens.values().cloned().collect())
    }

    fn opt_outs(&self) -> Result<AsOf<Vec<(Channel, AddressDigest)>>, ReadError> {
        self.as_of(|rows| rows.opt_outs.keys().take(OPT_OUTS_MAX).copied().collect())
    }

    fn erased(&self) -> Result<AsOf<Vec<Erased>>, ReadError> {
        self.as_of(|rows| rows.erased().take(ERASED_MAX).collect())
    }

    fn policy_versions(&self, limit: usize) -> Result<AsOf<Vec<PolicyVersion>>, ReadError> {
        self.as_of(|rows| rows.policies.values().rev().take(limit.min(ROWS_MAX)).cloned().collect())
    }

    fn bytes(&self) -> u64 {
        0
    }

    fn health(&self) -> Result<Health, ReadError> {
        let rows = self.read();
        Ok(Health {
            position: rows.position,
            messages: rows.messages.len() as u64,
            open_messages: rows.open.len() as u64,
            deliveries: rows.deliveries.len() as u64,
            attempts: rows.attempts.len() as u64,
            ..Health::default()
        })
    }

    fn rows(&self, each: &mut dyn FnMut(Put) -> Walk) -> Result<Position, ReadError> {
        // Whoever takes them may be slow, and the writer must not wait for it.
        let (puts, position) = {
            let rows = self.read();
            (rows.puts().collect::<Vec<_>>(), rows.position)
        };
        let _ = puts.into_iter().try_for_each(|put| (each(put) == Walk::On).then_some(()));
        Ok(position)
    }
}

/// Returns the keys that belong to `message`, for maps whose keys begin with it.
fn deliveries_of(message: MessageId) -> std::ops::RangeInclusive<DeliveryId> {
    DeliveryId::new(message, 0)..=DeliveryId::new(message, u32::MAX)
}

fn attempts_of(first: DeliveryId, last: DeliveryId) -> std::ops::RangeInclusive<AttemptId> {
    AttemptId::new(first, 0)..=AttemptId::new(last, u16::MAX)
}

fn receipts_of(first: DeliveryId, last: DeliveryId) -> std::ops::RangeInclusive<(AttemptId, ReceiptKind)> {
    (AttemptId::new(first, 0), ReceiptKind::Sent)
        ..=(AttemptId::new(last, u16::MAX), ReceiptKind::Acknowledged)
}

fn numbered(message: MessageId) -> std::ops::RangeInclusive<(MessageId, u32)> {
    (message, 0)..=(message, u32::MAX)
}

impl Rows {
    fn put(&mut self, put: &Put) {
        match put {
            Put::Record(record) => self.put_record(record),
            Put::Contact(contact) => {
                self.contacts.insert(contact.id.clone(), contact.clone());
            }
            Put::Token(token) => {
                self.tokens.insert(token.name.clone(), token.clone());
            }
            Put::Policy(version) => {
                self.policies.insert((version.at, version.file.clone()), version.clone());
            }
            Put::Link(link) => {
                self.acts.insert(link.number, link.clone());
            }
            Put::Anchor(anchor) => self.anchor = Some(*anchor),
            Put::Erase(erasure) => self.erase(erasure),
            Put::Erased(erased) => self.put_erased(*erased),
        }
    }

    fn put_record(&mut self, record: &Record) {
        match record {
            Record::Message(message) => {
                self.messages.insert(message.id, Arc::clone(message));
                self.open.insert(message.id);
                if let Some(of) = message.corrects {
                    self.corrections.insert(of, message.id);
                }
            }
            Record::Audience { message, chunk, people } => {
                self.audiences.insert((*message, *chunk), Arc::clone(people));
            }
            Record::Progress(progress) => {
                if !progress.open {
                    self.open.remove(&progress.message);
                    self.detailed.insert(progress.message);
                }
                self.progress.insert(progress.message, progress.clone());
            }
            Record::Attempt(attempt) => self.put_attempt(attempt),
            Record::Receipt { attempt, kind, at, reason } => {
                self.receipts.entry((*attempt, *kind)).or_insert((*at, *reason));
            }
            Record::StrayReceipt { gateway, receipt, at } => self.put_stray(gateway, receipt, *at),
            Record::Delivery(delivery) => {
                self.deliveries.insert(delivery.id, delivery.clone());
            }
            Record::Plan(plan) => {
                self.plans.insert((plan.message, plan.number), Arc::clone(plan));
            }
            Record::Outage(outage) => {
                self.outages.insert(outage.id, outage.clone());
            }
            Record::Overlay { gateway, overlay: Some(overlay) } => {
                self.overlays.insert(gateway.clone(), overlay.clone());
            }
            Record::Overlay { gateway, overlay: None } => {
                self.overlays.remove(gateway);
            }
            Record::Idempotency { key, message, deliveries, at } => {
                self.idempotency.insert(key.key, (key.body, *message, *deliveries, *at));
            }
            Record::Reply(reply) => {
                let by_id = (reply.gateway.clone(), reply.id.clone());
                if let Entry::Vacant(place) = self.reply_ids.entry(by_id) {
                    place.insert(reply.key());
                    self.replies.insert(reply.key(), reply.clone());
                }
            }
            Record::Answer(answer) => {
                self.answers.insert(answer.of, *answer);
            }
            Record::OptOut { channel, address, since: Some(since) } => {
                self.opt_outs.insert((*channel, *address), *since);
            }
            Record::OptOut { channel, address, since: None } => {
                self.opt_outs.remove(&(*channel, *address));
            }
        }
    }

    fn put_attempt(&mut self, attempt: &Attempt) {
        if let Some((Outcome::Accepted { provider_id: Some(id) }, _)) = &attempt.outcome {
            self.provider_ids.insert((attempt.gateway.clone(), id.clone()), attempt.id);
        }
        self.attempts.insert(attempt.id, attempt.clone());
    }

    /// Late news is recorded, never acted on; news of what nobody knows is forgotten.
    fn put_stray(&mut self, gateway: &str, receipt: &Receipt, at: Timestamp) {
        let by_provider = |id: &String| self.provider_ids.get(&(gateway.to_owned(), id.clone())).copied();
        let found = match &receipt.of {
            ReceiptRef::Attempt(attempt) => Some(*attempt),
            ReceiptRef::Provider(id) => by_provider(id),
            ReceiptRef::Both(id, attempt) => Some(*attempt)
                .filter(|attempt| self.attempts.contains_key(attempt))
                .or_else(|| by_provider(id)),
        };
        let known =
            found.filter(|id| self.attempts.get(id).is_some_and(|attempt| attempt.gateway == gateway));
        if let Some(attempt) = known {
            self.receipts.entry((attempt, receipt.kind)).or_insert((at, receipt.reason));
        }
    }

    fn load_message(&self, id: MessageId) -> Option<LoadedMessage> {
        let message = self.messages.get(&id)?;
        let deliveries: Vec<Delivery> =
            self.deliveries.range(deliveries_of(id)).map(|(_, d)| d.clone()).collect();
        let settled = |of: DeliveryId| self.deliveries.get(&of).is_some_and(|d| d.result.is_some());
        let all = deliveries_of(id);
        let attempts = self.attempts.range(attempts_of(*all.start(), *all.end()));
        let receipts = self.receipts.range(receipts_of(*all.start(), *all.end()));
        Some(LoadedMessage {
            message: Arc::clone(message),
            progress: self.progress_of(id),
            deliveries,
            attempts: attempts.filter(|(id, _)| !settled(id.delivery)).map(|(_, a)| a.clone()).collect(),
            receipts: receipts
                .filter(|((id, _), _)| !settled(id.delivery))
                .map(|((id, kind), (_, reason))| (*id, *kind, *reason))
                .collect(),
            last_plan: self.plans.range(numbered(id)).next_back().map_or(0, |((_, number), _)| *number),
        })
    }

    fn progress_of(&self, id: MessageId) -> Progress {
        self.progress.get(&id).cloned().unwrap_or_else(|| Progress::untouched(id))
    }

    fn answer(&self, query: &Query) -> Answer {
        match query {
            Query::Message(id) => match self.messages.get(id) {
                Some(message) => Answer::Message(Arc::clone(message), self.progress_of(*id)),
                None => Answer::Nothing,
            },
            Query::Messages { before, limit } => {
                let upper = before.map_or(Bound::Unbounded, Bound::Excluded);
                let newest =
                    self.messages.range((Bound::Unbounded, upper)).rev().take((*limit).min(ROWS_MAX));
                Answer::Messages(newest.map(|(id, m)| (Arc::clone(m), self.progress_of(*id))).collect())
            }
            Query::Deliveries { message, after, limit } => match self.messages.get(message) {
                Some(message) => Answer::Deliveries(self.stories(message, *after, *limit)),
                None => Answer::Nothing,
            },
            Query::Delivery(id) => {
                self.story(*id).map_or(Answer::Nothing, |story| Answer::Deliveries(vec![story]))
            }
            Query::Outages { before, limit } => {
                let upper = before.map_or(Bound::Unbounded, Bound::Excluded);
                let newest = self.outages.range((Bound::Unbounded, upper)).rev().take((*limit).min(ROWS_MAX));
                Answer::Outages(newest.map(|(_, outage)| outage.clone()).collect())
            }
            Query::Contacts { after, limit } => {
                let lower = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
                let next = self.contacts.range::<String, _>((lower, Bound::Unbounded));
                Answer::Contacts(next.take((*limit).min(ROWS_MAX)).map(|(_, c)| c.clone()).collect())
            }
            Query::Contact(id) => match self.contacts.get(id) {
                Some(contact) => Answer::Contacts(vec![contact.clone()]),
                None => Answer::Nothing,
            },
            Query::Audience(name) => Answer::Contacts(
                self.contacts
                    .values()
                    .filter(|c| c.person.audiences.contains(name))
                    .take(AUDIENCE_ROWS_MAX)
                    .cloned()
                    .collect(),
            ),
            Query::CorrectionOf(of) => {
                self.corrections.get(of).map_or(Answer::Nothing, |by| Answer::Correction(*by))
            }
            Query::Idempotency(IdempotencyKey { key, .. }) => match self.idempotency.get(key) {
                Some((body, message, deliveries, _)) => Answer::Idempotency(*body, *message, *deliveries),
                None => Answer::Nothing,
            },
            Query::Replies { scope, kind, before, limit } => {
                let upper = before.map_or(Bound::Unbounded, Bound::Excluded);
                let is_of = |reply: &&KeptReply| match scope {
                    ReplyScope::All => true,
                    ReplyScope::Message(id) => reply.of.is_some_and(|of| of.delivery.message == *id),
                    ReplyScope::Incident(name) => reply.incident.as_ref() == Some(name),
                };
                let of_scope = self.replies.range((Bound::Unbounded, upper)).rev().map(|(_, reply)| reply);
                let wanted = of_scope.filter(is_of).filter(|reply| kind.is_none_or(|k| reply.kind == k));
                Answer::Replies(wanted.take((*limit).min(ROWS_MAX)).cloned().collect())
            }
            Query::ReplyOf { gateway, id } => match self.reply_ids.get(&(gateway.clone(), id.clone())) {
                Some(key) => Answer::Reply(*key),
                None => Answer::Nothing,
            },
            Query::AttemptOf { gateway, id } => match self.provider_ids.get(&(gateway.clone(), id.clone())) {
                Some(attempt) => Answer::Attempt(*attempt),
                None => Answer::Nothing,
            },
            Query::Acts { from, limit } => {
                let limit = (*limit).min(ROWS_MAX);
                Answer::Acts(match *from {
                    ActsFrom::Before(before) => {
                        let upper = before.map_or(Bound::Unbounded, Bound::Excluded);
                        let newest = self.acts.range((Bound::Unbounded, upper)).rev();
                        newest.take(limit).map(|(_, link)| link.clone()).collect()
                    }
                    ActsFrom::After(after) => {
                        let next = self.acts.range((Bound::Excluded(after), Bound::Unbounded));
                        next.take(limit).map(|(_, link)| link.clone()).collect()
                    }
                })
            }
            Query::ChainEnds => {
                let anchor = self.anchor.unwrap_or_default();
                Answer::ChainEnds(anchor, self.acts.values().next_back().map_or(anchor.head(), Link::head))
            }
        }
    }

    fn stories(&self, message: &Message, after: Option<u32>, limit: usize) -> Vec<DeliveryStory> {
        let first = after.map_or(Some(0), |index| index.checked_add(1)).unwrap_or(u32::MAX);
        (first..message.recipients)
            .take(limit.min(ROWS_MAX))
            .map_while(|index| self.story(DeliveryId::new(message.id, index)))
            .collect()
    }

    fn story(&self, id: DeliveryId) -> Option<DeliveryStory> {
        let (chunk, place) = (id.index / CHUNK_RECIPIENTS as u32, id.index as usize % CHUNK_RECIPIENTS);
        let recipient = self.audiences.get(&(id.message, chunk))?.get(place)?.clone();
        let attempts: Vec<Attempt> =
            self.attempts.range(attempts_of(id, id)).map(|(_, a)| a.clone()).collect();
        let receipts = self.receipts.range(receipts_of(id, id));
        let plan = |number| self.plans.get(&(id.message, number)).map(|plan| (number, Plan::clone(plan)));
        Some(DeliveryStory {
            recipient,
            delivery: self.deliveries.get(&id).cloned(),
            id,
            receipts: receipts.map(|((attempt, kind), (at, _))| (attempt.n, *kind, *at)).collect(),
            plans: attempts.iter().filter_map(|attempt| plan(attempt.plan)).collect(),
            attempts,
            answer: self.answers.get(&id).copied(),
        })
    }

    fn retain(&mut self, keep: &Retention, now: Timestamp, limit: usize) -> usize {
        let mut left = limit;
        let stale = |at: &Timestamp| *at < now - keep.idempotency;
        let keys: Vec<_> =
            self.idempotency.iter().filter(|(_, (.., at))| stale(at)).map(|(k, _)| *k).take(left).collect();
        keys.iter().for_each(|key| {
            self.idempotency.remove(key);
        });
        left -= keys.len();
        let before = now - keep.audit;
        let old = self.acts.iter().take_while(|(_, link)| link.audit.at < before);
        let old: Vec<u64> = old.map(|(number, _)| *number).take(left).collect();
        for link in old.iter().filter_map(|number| self.acts.remove(number)) {
            let anchor = self.anchor.unwrap_or_default();
            self.anchor = Some(Anchor { number: link.number, hash: link.hash, ..anchor });
        }
        left -= old.len();
        let first_kept = ReplyKey { at: now - keep.deliveries, digest: 0 };
        let replies: Vec<_> = self.replies.range(..first_kept).take(left).map(|(key, _)| *key).collect();
        for reply in replies.iter().filter_map(|key| self.replies.remove(key)) {
            self.reply_ids.remove(&(reply.gateway, reply.id));
        }
        left -= replies.len();
        for id in self.closed_before(self.detailed.iter(), now - keep.deliveries) {
            left -= self.remove_deliveries(id, left);
        }
        for id in self.closed_before(self.messages.keys(), now - keep.messages) {
            left -= self.remove_deliveries(id, left);
            if left > 0 {
                self.progress.remove(&id);
                self.messages.remove(&id);
                self.corrections.remove(&id);
                left -= 1;
            }
        }
        limit - left
    }

    /// Returns those accepted before `at` and not open, oldest first.
    fn closed_before<'a>(&self, ids: impl Iterator<Item = &'a MessageId>, at: Timestamp) -> Vec<MessageId> {
        let end = MessageId::new(at, 0, 0);
        ids.take_while(|id| **id < end).filter(|id| !self.open.contains(id)).copied().collect()
    }

    /// Removes at most `limit` rows of a message's deliveries, and says how many.
    fn remove_deliveries(&mut self, message: MessageId, limit: usize) -> usize {
        fn drain<K: Ord + Clone, V>(
            map: &mut BTreeMap<K, V>,
            range: impl std::ops::RangeBounds<K>,
            left: &mut usize,
        ) -> Vec<V> {
            let keys: Vec<K> = map.range(range).take(*left).map(|(key, _)| key.clone()).collect();
            *left -= keys.len();
            keys.iter().filter_map(|key| map.remove(key)).collect()
        }
        let mut left = limit;
        let all = deliveries_of(message);
        drain(&mut self.receipts, receipts_of(*all.start(), *all.end()), &mut left);
        for attempt in drain(&mut self.attempts, attempts_of(*all.start(), *all.end()), &mut left) {
            self.forget_provider_id(&attempt);
        }
        drain(&mut self.answers, all.clone(), &mut left);
        drain(&mut self.deliveries, all, &mut left);
        drain(&mut self.plans, numbered(message), &mut left);
        drain(&mut self.audiences, numbered(message), &mut left);
        // The mark counts as a row: a step that takes off nothing but marks must go on all the same.
        if left > 0 && self.detailed.remove(&message) {
            left -= 1;
        }
        limit - left
    }

    fn forget_provider_id(&mut self, attempt: &Attempt) {
        if let Some((Outcome::Accepted { provider_id: Some(id) }, _)) = &attempt.outcome {
            let key = (attempt.gateway.clone(), id.clone());
            if self.provider_ids.get(&key) == Some(&attempt.id) {
                self.provider_ids.remove(&key);
            }
        }
    }

    fn said(&self) -> impl Iterator<Item = Record> {
        let opt_outs = self.opt_outs.iter().map(|((channel, address), since)| Record::OptOut {
            channel: *channel,
            address: *address,
            since: Some(*since),
        });
        (self.replies.values().cloned().map(Record::Reply))
            .chain(self.answers.values().copied().map(Record::Answer))
            .chain(opt_outs)
    }

    /// Returns every row as a put, a message before what refers to it.
    fn puts(&self) -> impl Iterator<Item = Put> {
        let message_rows = (self.messages.values().map(|m| Record::Message(Arc::clone(m))))
            .chain(self.audiences.iter().map(|((message, chunk), people)| Record::Audience {
                message: *message,
                chunk: *chunk,
                people: Arc::clone(people),
            }))
            .chain(self.progress.values().cloned().map(Record::Progress))
            .chain(self.deliveries.values().cloned().map(Record::Delivery))
            .chain(self.attempts.values().cloned().map(Record::Attempt))
            .chain(self.receipts.iter().map(|((attempt, kind), (at, reason))| Record::Receipt {
                attempt: *attempt,
                kind: *kind,
                at: *at,
                reason: *reason,
            }))
            .chain(self.plans.values().map(|plan| Record::Plan(Arc::clone(plan))));
        let operating_rows = (self.outages.values().cloned().map(Record::Outage))
            .chain(self.overlays.iter().map(|(gateway, overlay)| Record::Overlay {
                gateway: gateway.clone(),
                overlay: Some(overlay.clone()),
            }))
            .chain(self.idempotency.iter().map(|(key, (body, message, deliveries, at))| {
                Record::Idempotency {
                    key: IdempotencyKey { key: *key, body: *body },
                    message: *message,
                    deliveries: *deliveries,
                    at: *at,
                }
            }));
        (message_rows.chain(operating_rows).map(Put::Record))
            .chain(self.contacts.values().cloned().map(Put::Contact))
            .chain(self.tokens.values().cloned().map(Put::Token))
            .chain(self.policies.values().cloned().map(Put::Policy))
            .chain(self.said().map(Put::Record))
            .chain(self.anchor.map(Put::Anchor))
            .chain(self.acts.values().cloned().map(Put::Link))
            .chain(self.erased().map(Put::Erased))
    }
}
