//! What dispatch needs at hand: messages and chunks of their frozen audiences, as much as fits.
//!
//! A delivery is bound late and names its message and its place in the audience only; text and address are looked
//! up here, in the store where they have left. Limits: [`MESSAGES_MAX`] and [`PEOPLE_MAX`] bytes, the least used
//! leave first.
//!
//! Invariant: what lies here is what the store holds; nothing is changed once it is written, but for who is erased, whose chunk is
//! let go of then.

use crate::core::ids::{DeliveryId, MessageId};
use crate::core::message::{CHUNK_RECIPIENTS, Message, Recipient};
use crate::core::record::Record;
use crate::store::outbox::Put;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// How much of messages is kept, in estimated bytes: the last ten thousand single messages are not read back.
const MESSAGES_MAX: usize = 12 << 20;
/// How much of audiences is kept, in estimated bytes: nine chunks. A mass alert is drained chunk by chunk, so a few
/// are enough; more would only be memory left over once it is settled.
const PEOPLE_MAX: usize = 6 << 20;
/// What a person weighs: the maps, the names, an address or two, the allocator's rounding.
const PERSON_BYTES: usize = 320;
/// What a text, a tag or a parameter weighs beside its letters: two strings, their place in a map, the allocator's
/// rounding.
const PAIR_BYTES: usize = 96;
/// What an entry weighs beside its content.
const ENTRY_BYTES: usize = 200;

/// The people of one chunk.
pub(crate) type People = Arc<Vec<Recipient>>;

/// Bounded memory of messages and audiences.
pub(crate) struct Pantry {
    messages: Shelf<MessageId, Arc<Message>>,
    people: Shelf<(MessageId, u32), People>,
}

/// One kind of goods, least used out first.
struct Shelf<K, V> {
    inner: Mutex<Inner<K, V>>,
    /// In estimated bytes.
    weight_max: usize,
}

struct Inner<K, V> {
    goods: BTreeMap<K, Jar<V>>,
    /// When each was used last.
    used: BTreeMap<u64, K>,
    clock: u64,
    weight: usize,
}

struct Jar<V> {
    /// Filled once; those who want it meanwhile wait for the one who fetches it.
    content: Arc<OnceCell<V>>,
    stamp: u64,
    weight: usize,
}

impl Pantry {
    /// Keeps what a turn is about to write, where dispatch will want it.
    pub(crate) fn keep(&self, put: &Put) {
        match put {
            Put::Record(Record::Message(message)) => {
                self.messages.keep(message.id, Arc::clone(message), message_weight(message));
            }
            Put::Record(Record::Audience { message, chunk, people }) => {
                self.people.keep((*message, *chunk), Arc::clone(people), people_weight(people));
            }
            _ => {}
        }
    }

    /// Lets go of what is no longer as the store holds it: the audience of somebody who was erased.
    pub(crate) fn forget(&self, put: &Put) {
        if let Put::Erase(erasure) = put {
            erasure.deliveries.iter().for_each(|id| self.people.forget(&(id.message, place(*id).0)));
        }
    }

    /// Returns a message, fetched where it is not at hand.
    pub(crate) async fn message<E>(
        &self,
        id: MessageId,
        fetch: impl AsyncFnOnce() -> Result<Arc<Message>, E>,
    ) -> Result<Arc<Message>, E> {
        self.messages.get(id, fetch, |m| message_weight(m)).await
    }

    /// Returns a chunk of an audience, fetched where it is not at hand.
    pub(crate) async fn people<E>(
        &self,
        message: MessageId,
        chunk: u32,
        fetch: impl AsyncFnOnce() -> Result<People, E>,
    ) -> Result<People, E> {
        self.people.get((message, chunk), fetch, people_weight).await
    }
}

/// Says in which chunk a delivery's recipient lies, and where in it.
pub(crate) fn place(delivery: DeliveryId) -> (u32, usize) {
    let index = delivery.index as usize;
    ((index / CHUNK_RECIPIENTS) as u32, index % CHUNK_RECIPIENTS)
}

fn message_weight(message: &Message) -> usize {
    let pair = |(key, value): (&String, &String)| PAIR_BYTES + key.len() + value.len();
    let texts: usize = message.text.iter().map(pair).sum();
    let tags: usize = message.tags.iter().map(pair).sum();
    let template = message.template.as_ref().map_or(0, |template| {
        let params: usize = template.params.iter().map(|(key, value)| pair((key, value))).sum();
        params + template.name.len()
    });
    let audiences: usize = message.audiences.iter().map(|name| PAIR_BYTES + name.len()).sum();
    ENTRY_BYTES + texts + tags + template + audiences
}

fn people_weight(people: &People) -> usize {
    ENTRY_BYTES + people.len() * PERSON_BYTES
}

impl<K: Ord + Copy, V: Clone> Shelf<K, V> {
    fn keep(&self, key: K, value: V, weight: usize) {
        let mut inner = self.lock();
        let content = inner.touch(key);
        // It is there already only if the same value was fetched.
        let _ = content.set(value);
        inner.weigh(key, weight, self.weight_max);
    }

    fn forget(&self, key: &K) {
        let mut inner = self.lock();
        if let Some(jar) = inner.goods.remove(key) {
            inner.used.remove(&jar.stamp);
            inner.weight -= jar.weight;
        }
    }

    async fn get<E>(
        &self,
        key: K,
        fetch: impl AsyncFnOnce() -> Result<V, E>,
        weight: impl Fn(&V) -> usize,
    ) -> Result<V, E> {
        let content = self.lock().touch(key);
        if let Some(value) = content.get() {
            return Ok(value.clone());
        }
        let value = content.get_or_try_init(|| fetch()).await?.clone();
        self.lock().weigh(key, weight(&value), self.weight_max);
        Ok(value)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord + Copy, V> Inner<K, V> {
    /// Marks `key` as used now; an empty jar where it is not at hand.
    fn touch(&mut self, key: K) -> Arc<OnceCell<V>> {
        self.clock += 1;
        let stamp = self.clock;
        let jar = self.goods.entry(key).or_insert_with(|| {
            self.weight += ENTRY_BYTES;
            Jar { content: Arc::default(), stamp, weight: ENTRY_BYTES }
        });
        self.used.remove(&jar.stamp);
        jar.stamp = stamp;
        self.used.insert(stamp, key);
        Arc::clone(&jar.content)
    }

    /// Sets what `key` weighs, and makes room.
    fn weigh(&mut self, key: K, weight: usize, most: usize) {
        if let Some(jar) = self.goods.get_mut(&key) {
            self.weight = self.weight - jar.weight + weight;
            jar.weight = weight;
        }
        while self.weight > most && self.goods.len() > 1 {
            let Some((_, oldest)) = self.used.pop_first() else { return };
            if let Some(jar) = self.goods.remove(&oldest) {
                self.weight -= jar.weight;
            }
        }
    }
}

impl Default for Pantry {
    fn default() -> Self {
        Pantry { messages: Shelf::new(MESSAGES_MAX), people: Shelf::new(PEOPLE_MAX) }
    }
}

impl<K, V> Shelf<K, V> {
    fn new(weight_max: usize) -> Self {
        let inner = Inner { goods: BTreeMap::new(), used: BTreeMap::new(), clock: 0, weight: 0 };
        Shelf { inner: Mutex::new(inner), weight_max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::{Severity, Status, Template, Urgency};
    use crate::core::reply::Asks;
    use crate::core::time::Timestamp;

    fn id(n: u64) -> MessageId {
        MessageId::new(Timestamp::default(), 0, n)
    }

    fn chunk(n: u64, people: usize) -> Put {
        let people = Arc::new(vec![Recipient::default(); people]);
        Put::Record(Record::Audience { message: id(n), chunk: 0, people })
    }

    async fn fetched(pantry: &Pantry, n: u64) -> bool {
        let mut asked = false;
        let fetch = async || {
            asked = true;
            Ok::<_, ()>(Arc::new(Vec::new()))
        };
        pantry.people(id(n), 0, fetch).await.unwrap();
        asked
    }

    #[tokio::test]
    async fn what_was_kept_is_not_fetched_and_the_least_used_leaves_first() {
        let pantry = Pantry::default();
        let room = PEOPLE_MAX / (CHUNK_RECIPIENTS * PERSON_BYTES);
        for n in 0..room as u64 {
            pantry.keep(&chunk(n, CHUNK_RECIPIENTS - 1));
        }
        assert!(!fetched(&pantry, 0).await, "just used");
        pantry.keep(&chunk(1_000, CHUNK_RECIPIENTS));
        pantry.keep(&chunk(1_001, CHUNK_RECIPIENTS));
        assert!(!fetched(&pantry, 0).await, "used after the others");
        assert!(fetched(&pantry, 1).await, "the least used has left");
    }

    #[tokio::test]
    async fn many_who_want_the_same_wait_for_one_who_fetches() {
        let pantry = Arc::new(Pantry::default());
        let times = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let all: Vec<_> = (0..8)
            .map(|_| {
                let (pantry, times) = (Arc::clone(&pantry), Arc::clone(&times));
                tokio::spawn(async move {
                    let fetch = async || {
                        times.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        tokio::task::yield_now().await;
                        Ok::<_, ()>(Arc::new(Vec::new()))
                    };
                    pantry.people(id(1), 0, fetch).await
                })
            })
            .collect();
        for one in all {
            one.await.unwrap().unwrap();
        }
        assert_eq!(times.load(std::sync::atomic::Ordering::Relaxed), 1);
    }

    #[test]
    fn all_that_a_sender_may_make_long_has_its_weight() {
        let bare = Message {
            id: id(1),
            author: "desk".into(),
            accepted_at: Timestamp::default(),
            severity: Severity::Minor,
            urgency: Urgency::Past,
            status: Status::Actual,
            incident: None,
            corrects: None,
            asks: Asks::NOTHING,
            expires: None,
            text: BTreeMap::new(),
            template: None,
            tags: BTreeMap::new(),
            recipients: 1,
            audiences: vec![],
        };
        let weight = message_weight(&bare);
        let long = || "x".repeat(4_000);
        let heavier = |message: Message| assert!(message_weight(&message) > weight + 4_000);
        heavier(Message { text: [("en".into(), long())].into(), ..bare.clone() });
        heavier(Message { tags: [("sector".into(), long())].into(), ..bare.clone() });
        heavier(Message { audiences: vec![long()], ..bare.clone() });
        let template = |params| Some(Template { name: "t".into(), language: None, params });
        heavier(Message { template: template(vec![("area".into(), long())]), ..bare.clone() });
        let many = vec![(String::new(), String::new()); 100];
        heavier(Message { template: template(many), ..bare });
    }

    #[test]
    fn a_recipient_lies_in_its_chunk() {
        let at = |index| place(DeliveryId::new(id(0), index));
        assert_eq!((at(0), at(1_999), at(2_000), at(4_001)), ((0, 0), (0, 1_999), (1, 0), (2, 1)));
    }
}
