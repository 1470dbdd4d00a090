//! Erasing a person: finding what is kept of whom, and knowing again who was erased.
//!
//! First what was sent to the person and said by them is found and taken out, a bounded part at a time; then the contact goes,
//! with the act on record, and what was accepted in between is gone through once more. Whoever is interrupted asks again: by the id
//! alone everything is still found that names the contact.
//!
//! What is somebody's: a delivery of this contact, or one that was addressed by hand to an address of theirs. Whoever shares an
//! address with them as a contact of their own keeps what is theirs. That an address opted out stays known, by its digest, and is
//! honoured if it comes back. What is open of their calls for help is closed, on record, and said to whoever erases them: nobody
//! could be found by it. Whose deputy they were has none.
//!
//! Limits: [`PART`] deliveries and replies become durable together; one erasure runs at a time.

use crate::api::service::{Change, Done, Erasing, Trouble};
use crate::core::channel::Channel;
use crate::core::erasure::{ERASED_MAX, Erased, Erasure, PSEUDONYM, PersonDigest};
use crate::core::ids::DeliveryId;
use crate::core::message::{CHUNK_RECIPIENTS, Recipient};
use crate::core::query::{Answer, Query, ROWS_MAX, ReplyScope};
use crate::core::reply::{Caller, HELP_FOR, KeptReply, ReplyKey, ReplyKind};
use crate::core::time::{Span, Timestamp};
use crate::runtime::inbox::Incoming;
use crate::runtime::service::{Front, on_disk};
use crate::store::outbox::{ReadError, Reader};
use ring::hmac;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};
use tokio::sync::oneshot;

/// How much is taken out at once: each delivery may rewrite a chunk of an audience, 200 kB at most, and a part must fit the
/// journal, which has its room on a full disk as well.
const PART: usize = 10;
/// How far back the second look goes: what was accepted just before the first may have been on its way to the disk.
const LOOK_BACK: Span = Span::from_mins(10);
/// How many messages are read at once.
const MESSAGES_AT_ONCE: usize = 100;
/// How much of the digest a pseudonym shows.
const SHOWN_BYTES: usize = 8;

/// Who was erased, and the secret by which they are known again.
#[derive(Default)]
pub(crate) struct ErasedPeople(RwLock<Known>);

#[derive(Default)]
struct Known {
    secret: Option<[u8; 32]>,
    people: BTreeMap<PersonDigest, Timestamp>,
}

/// By what somebody's rows are found.
#[derive(Clone)]
struct Whose {
    id: String,
    addresses: BTreeMap<Channel, String>,
}

/// What was found of somebody.
#[derive(Default)]
struct Found {
    deliveries: BTreeSet<DeliveryId>,
    replies: Vec<ReplyKey>,
    /// Who of it called for help.
    calls: BTreeSet<Caller>,
}

impl ErasedPeople {
    /// Begins with what the store kept.
    pub(crate) fn new(kept: Vec<Erased>) -> ErasedPeople {
        let people = ErasedPeople::default();
        kept.into_iter().for_each(|erased| people.put(erased));
        people
    }

    /// Takes what is on disk.
    pub(crate) fn put(&self, erased: Erased) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match erased {
            Erased::Secret(secret) => known.secret = Some(secret),
            Erased::Person { digest, at } if known.people.len() < ERASED_MAX => {
                known.people.insert(digest, at);
            }
            Erased::Person { .. } => {
                tracing::error!(
                    "more people were erased than are kept in mind: an import may bring this one back"
                )
            }
        }
    }

    /// Says when the person with this id was erased.
    pub(crate) fn find(&self, id: &str) -> Option<Timestamp> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.people.is_empty() {
            return None;
        }
        known.people.get(&digest(known.secret.as_ref()?, id)).copied()
    }

    fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).people.is_empty()
    }

    /// Returns what stands for the person with this id, where that person was erased.
    fn pseudonym(&self, id: &str) -> Option<String> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let digest = digest(known.secret.as_ref()?, id);
        known.people.contains_key(&digest).then(|| pseudonym(&digest))
    }

    /// Returns the secret; makes it where there is none yet.
    fn secret(&self) -> Result<[u8; 32], Trouble> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(secret) = known.secret {
            return Ok(secret);
        }
        let random = ring::rand::generate::<[u8; 32]>(&ring::rand::SystemRandom::new());
        let secret =
            random.map_err(|_| Trouble::Store("the system has no randomness to give".into()))?.expose();
        known.secret = Some(secret);
        Ok(secret)
    }
}

fn digest(secret: &[u8; 32], id: &str) -> PersonDigest {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), id.as_bytes());
    std::array::from_fn(|place| tag.as_ref()[place])
}

fn pseudonym(digest: &PersonDigest) -> String {
    let shown: String = digest.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("{PSEUDONYM}{shown}")
}

impl Front {
    /// Erases a person; `None` where nobody has or had this id.
    pub(crate) async fn erase_person(
        &self,
        who: String,
        id: String,
        reason: String,
    ) -> Result<Option<Erasing>, Trouble> {
        let _one = self.erasing.lock().await;
        let contact = match self.reads.ask(Query::Contact(id.clone())).await? {
            Answer::Contacts(found) => found.into_iter().next(),
            _ => None,
        };
        if contact.is_none() && self.erased.find(&id).is_none() {
            return Ok(None);
        }
        let secret = self.erased.secret()?;
        let digest = digest(&secret, &id);
        let pseudonym = pseudonym(&digest);
        let addresses = contact.map(|contact| contact.person.addresses).unwrap_or_default();
        let whose = Whose { id: id.clone(), addresses };
        let began = self.clock.now();
        let mut erasing =
            Erasing { pseudonym: pseudonym.clone(), at: began, deliveries: 0, replies: 0, calls: 0 };
        self.take_out(&who, &whose, None, &mut erasing).await?;
        let erasure = Erasure { contact: Some(id), pseudonym, ..Erasure::default() };
        let kept = [Erased::Secret(secret), Erased::Person { digest, at: began }];
        {
            // An import that began before has ended, and the next one sees who was erased.
            let _one = self.importing.lock().await;
            self.put_erasure(&who, erasure, Some(Done { kept, reason })).await?;
        }
        // A message that was accepted meanwhile may have frozen the person once more.
        // What was on its way to the core is before this in its queue, and what comes later is looked at by `leave_out_erased`.
        let (told, durable) = oneshot::channel();
        self.put(Incoming::Barrier(told)).await?;
        on_disk(durable).await?;
        self.take_out(&who, &whose, Some(began - LOOK_BACK), &mut erasing).await?;
        self.take_out_deputy(&who, &whose.id, &erasing.pseudonym).await?;
        if erasing.calls > 0 {
            tracing::warn!(
                person = erasing.pseudonym,
                calls = erasing.calls,
                "somebody was erased who has called for help of late: it is shown no more; see to it without Wasl"
            );
        }
        Ok(Some(erasing))
    }

    /// Leaves out of a message whoever was erased since it was asked who it is for. The delivery stays, and ends with the
    /// reason.
    pub(crate) async fn leave_out_erased(&self, recipients: &mut [Recipient]) -> Result<(), Trouble> {
        if self.erased.is_empty() {
            return Ok(());
        }
        for person in recipients {
            let Some(pseudonym) = person.contact.as_deref().and_then(|id| self.erased.pseudonym(id)) else {
                continue;
            };
            let id = person.contact.clone().unwrap_or_default();
            // Who was brought back is in the address book again.
            let is_back = matches!(self.reads.ask(Query::Contact(id)).await?, Answer::Contacts(found) if !found.is_empty());
            if !is_back {
                *person = Recipient::erased(&pseudonym);
            }
        }
        Ok(())
    }

    /// Takes out what is found of somebody.
    async fn take_out(
        &self,
        who: &str,
        whose: &Whose,
        since: Option<Timestamp>,
        erasing: &mut Erasing,
    ) -> Result<(), Trouble> {
        let wanted = whose.clone();
        let by_name = erasing.pseudonym.clone();
        let calls_since = self.clock.now() - HELP_FOR;
        let look = move |reader: &dyn Reader| find(reader, &wanted, &by_name, since, calls_since);
        let found = self.reads.run(look).await?;
        let deliveries: Vec<DeliveryId> = found.deliveries.into_iter().collect();
        let pseudonym = &erasing.pseudonym;
        let erasure = |deliveries: &[DeliveryId], replies: &[ReplyKey]| Erasure {
            pseudonym: pseudonym.clone(),
            deliveries: deliveries.to_vec(),
            replies: replies.to_vec(),
            ..Erasure::default()
        };
        for part in deliveries.chunks(PART) {
            self.put_erasure(who, erasure(part, &[]), None).await?;
        }
        for part in found.replies.chunks(PART) {
            self.put_erasure(who, erasure(&[], part), None).await?;
        }
        let calls: Vec<Caller> = found.calls.into_iter().collect();
        for part in calls.chunks(PART) {
            let closing = Erasure { calls: part.to_vec(), ..erasure(&[], &[]) };
            self.put_erasure(who, closing, None).await?;
        }
        erasing.calls += calls.len() as u64;
        erasing.deliveries += deliveries.len() as u64;
        erasing.replies += found.replies.len() as u64;
        Ok(())
    }

    /// Takes a person's id out of the contacts whose deputy it is.
    async fn take_out_deputy(&self, who: &str, id: &str, pseudonym: &str) -> Result<(), Trouble> {
        let deputy = id.to_owned();
        let wards = self.reads.run(move |reader| wards(reader, &deputy)).await?;
        for part in wards.chunks(PART) {
            let (pseudonym, deputy) = (pseudonym.to_owned(), Some(id.to_owned()));
            let erasure = Erasure { pseudonym, deputy, deputy_of: part.to_vec(), ..Erasure::default() };
            self.put_erasure(who, erasure, None).await?;
        }
        Ok(())
    }

    async fn put_erasure(&self, who: &str, erasure: Erasure, done: Option<Done>) -> Result<(), Trouble> {
        self.change(who.to_owned(), Change::Erase { erasure: Box::new(erasure), done }).await
    }
}

/// Finds what is kept of somebody: of messages accepted since then, and of all replies.
fn find(
    reader: &dyn Reader,
    whose: &Whose,
    pseudonym: &str,
    since: Option<Timestamp>,
    calls_since: Timestamp,
) -> Result<Found, ReadError> {
    let (mut found, mut before) = (Found::default(), None);
    'messages: loop {
        let asked = Query::Messages { before, limit: MESSAGES_AT_ONCE };
        let Answer::Messages(page) = reader.answer(&asked)?.value else { break };
        let is_last = page.len() < MESSAGES_AT_ONCE;
        for (message, _) in page {
            if since.is_some_and(|since| message.accepted_at < since) {
                break 'messages;
            }
            before = Some(message.id);
            for chunk in 0..(message.recipients as usize).div_ceil(CHUNK_RECIPIENTS) as u32 {
                let people = reader.audience(message.id, chunk)?.value.unwrap_or_default();
                let first = chunk * CHUNK_RECIPIENTS as u32;
                let of = (first..).zip(&people).filter(|(_, person)| whose.is_recipient(person));
                found.deliveries.extend(of.map(|(index, _)| DeliveryId::new(message.id, index)));
            }
        }
        if is_last {
            break;
        }
    }
    find_replies(reader, whose, pseudonym, calls_since, &mut found)?;
    Ok(found)
}

/// Finds the contacts whose deputy somebody is.
fn wards(reader: &dyn Reader, deputy: &str) -> Result<Vec<String>, ReadError> {
    let (mut wards, mut after) = (Vec::new(), None);
    loop {
        let asked = Query::Contacts { after, limit: ROWS_MAX };
        let Answer::Contacts(page) = reader.answer(&asked)?.value else { return Ok(wards) };
        let is_last = page.len() < ROWS_MAX;
        after = page.last().map(|contact| contact.id.clone());
        let of = page.into_iter().filter(|contact| contact.deputy.as_deref() == Some(deputy));
        wards.extend(of.map(|contact| contact.id));
        if is_last {
            return Ok(wards);
        }
    }
}

fn find_replies(
    reader: &dyn Reader,
    whose: &Whose,
    pseudonym: &str,
    calls_since: Timestamp,
    found: &mut Found,
) -> Result<(), ReadError> {
    let mut before = None;
    loop {
        let asked = Query::Replies { scope: ReplyScope::All, kind: None, before, limit: ROWS_MAX };
        let Answer::Replies(page) = reader.answer(&asked)?.value else { return Ok(()) };
        before = page.last().map(KeptReply::key);
        let is_last = page.len() < ROWS_MAX;
        for reply in page {
            if is_said_by(reader, whose, pseudonym, found, &reply)? {
                found.replies.push(reply.key());
                if reply.kind == ReplyKind::NeedHelp && reply.at >= calls_since {
                    found.calls.insert(reply.caller());
                }
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Says whether a reply is somebody's. One that answers a delivery is whose the delivery was: a housemate who shares the
/// telephone keeps a call for help. By the address alone goes what answers nothing that is still known.
fn is_said_by(
    reader: &dyn Reader,
    whose: &Whose,
    pseudonym: &str,
    found: &Found,
    reply: &KeptReply,
) -> Result<bool, ReadError> {
    let by_address = whose.addresses.get(&reply.channel) == Some(&reply.from);
    let Some(DeliveryId { message, index }) = reply.of.map(|attempt| attempt.delivery) else {
        return Ok(by_address);
    };
    if found.deliveries.contains(&DeliveryId::new(message, index)) || !by_address {
        return Ok(found.deliveries.contains(&DeliveryId::new(message, index)));
    }
    let (chunk, place) = (index / CHUNK_RECIPIENTS as u32, index as usize % CHUNK_RECIPIENTS);
    let people = reader.audience(message, chunk)?.value;
    let person = people.as_ref().and_then(|people| people.get(place));
    Ok(person.is_none_or(|person| whose.is_recipient(person) || person.contact.as_deref() == Some(pseudonym)))
}

impl Whose {
    fn is_recipient(&self, person: &Recipient) -> bool {
        let has = |(channel, address): (&Channel, &String)| person.addresses.get(channel) == Some(address);
        match &person.contact {
            Some(id) => *id == self.id,
            None => self.addresses.iter().any(has),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erased_person_is_known_again_by_the_id_and_by_nothing_else() {
        let people = ErasedPeople::default();
        assert_eq!(people.find("c-17"), None);
        let secret = people.secret().unwrap();
        assert_eq!(people.secret(), Ok(secret), "one for all");
        let at = Timestamp::from_ms(7);
        people.put(Erased::Person { digest: digest(&secret, "c-17"), at });
        assert_eq!((people.find("c-17"), people.find("c-18")), (Some(at), None));
        let other = ErasedPeople::new(vec![
            Erased::Secret([1; 32]),
            Erased::Person { digest: digest(&secret, "c-17"), at },
        ]);
        assert_eq!(other.find("c-17"), None, "by another store's secret nobody is known");
        assert!(pseudonym(&digest(&secret, "c-17")).len() == PSEUDONYM.len() + 2 * SHOWN_BYTES);
    }

    #[test]
    fn who_shares_an_address_keeps_what_is_theirs() {
        let addresses: BTreeMap<_, _> = [(Channel::Sms, "+970599000001".to_owned())].into();
        let whose = Whose { id: "c-17".into(), addresses: addresses.clone() };
        let of = |contact: Option<&str>, addresses: &BTreeMap<Channel, String>| Recipient {
            contact: contact.map(str::to_owned),
            addresses: addresses.clone(),
            ..Recipient::default()
        };
        assert!(whose.is_recipient(&of(Some("c-17"), &BTreeMap::new())));
        assert!(whose.is_recipient(&of(None, &addresses)));
        assert!(!whose.is_recipient(&of(Some("c-18"), &addresses)));
        assert!(!whose.is_recipient(&of(None, &BTreeMap::new())));
    }
}
