//! Tells a rule's contacts that a message missed its deadline: a new message, by the service itself.
//!
//! Invariant: each rule's contacts are told of one message once. The key is made from both, so a crash between the decision and the
//! acceptance repeats nothing.

use crate::api::service::NO_TICKET;
use crate::core::effect::Reply;
use crate::core::ids::MessageId;
use crate::core::input::{Accept, IdempotencyKey, Input};
use crate::core::message::{Message, Severity, Status, Urgency};
use crate::core::query::{Answer, Query};
use crate::runtime::inbox::{Inbox, Incoming};
use crate::runtime::reads::Reads;
use crate::runtime::tickets::Tickets;
use crate::runtime::words;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// The author of what the service itself sends.
const AUTHOR: &str = "wasl";
/// How many are told at once; the rest wait.
const AT_ONCE: usize = 4;
/// How often it is tried where the outbox is full or does not answer, and how long to wait in between.
const TRIES_MAX: u32 = 20;
const AGAIN: Duration = Duration::from_secs(15);

/// Sends escalations.
pub(crate) struct Escalator {
    pub(crate) reads: Reads,
    pub(crate) inbox: Inbox,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) tasks: Handle,
    pub(crate) room: Arc<Semaphore>,
}

/// What is to be told.
struct Missed {
    message: MessageId,
    severity: Severity,
    status: Status,
    rule: String,
    contacts: Vec<String>,
    late: u32,
}

impl Escalator {
    /// Builds one.
    pub(crate) fn new(reads: Reads, inbox: Inbox, tickets: Arc<Tickets>, tasks: Handle) -> Escalator {
        Escalator { reads, inbox, tickets, tasks, room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Tells the contacts, in a task of its own.
    pub(crate) fn escalate(
        self: &Arc<Self>,
        message: MessageId,
        severity: Severity,
        status: Status,
        rule: String,
        contacts: Vec<String>,
        late: u32,
    ) {
        let (this, missed) = (Arc::clone(self), Missed { message, severity, status, rule, contacts, late });
        self.tasks.spawn(async move {
            let Ok(_room) = this.room.acquire().await else { return };
            for _ in 0..TRIES_MAX {
                match this.tell(&missed).await {
                    Told::Done => return,
                    Told::Later => tokio::time::sleep(AGAIN).await,
                }
            }
            tracing::error!(id = %missed.message, rule = missed.rule, "nobody could be told of a missed deadline");
        });
    }

    async fn tell(&self, missed: &Missed) -> Told {
        let message = match self.reads.ask(Query::Message(missed.message)).await {
            // What the service itself sent is not told of again: that would never end.
            Ok(Answer::Message(message, _)) if message.author != AUTHOR => message,
            Ok(_) => return Told::Done,
            Err(_) => return Told::Later,
        };
        match self.reads.ask(Query::Idempotency(key(missed.message, &missed.rule))).await {
            Ok(Answer::Nothing) => {}
            Ok(_) => return Told::Done,
            Err(_) => return Told::Later,
        }
        let mut recipients = Vec::new();
        for id in &missed.contacts {
            match self.reads.ask(Query::Contact(id.clone())).await {
                Ok(Answer::Contacts(found)) => recipients.extend(found.into_iter().map(|c| c.person)),
                Ok(_) => tracing::warn!(
                    contact = id,
                    rule = missed.rule,
                    "the rule escalates to a contact that does not exist"
                ),
                Err(_) => return Told::Later,
            }
        }
        recipients.retain(|person| !person.addresses.is_empty());
        if recipients.is_empty() {
            tracing::error!(id = %missed.message, rule = missed.rule, "nobody that the rule escalates to can be reached");
            return Told::Done;
        }
        let mut given = self.tickets.give();
        let accept = Accept { ticket: given.ticket, recipients, ..words_of(missed, &message) };
        if self.inbox.put(Incoming::Input(Input::Accept(Box::new(accept)))).await.is_err() {
            return Told::Done;
        }
        match (&mut given.reply).await {
            Ok(Reply::OutboxFull { .. }) => Told::Later,
            // Accepted, or accepted before a crash; where the service stops, the next start tells.
            Ok(_) | Err(_) => Told::Done,
        }
    }
}

enum Told {
    Done,
    Later,
}

/// Returns the message that tells of it, without its recipients.
fn words_of(missed: &Missed, message: &Message) -> Accept {
    let text = words::escalation(message, missed.late, &missed.rule);
    Accept {
        ticket: NO_TICKET,
        author: AUTHOR.into(),
        severity: missed.severity,
        urgency: Urgency::Immediate,
        status: missed.status,
        incident: message.incident.clone(),
        expires: None,
        text: text.into(),
        template: None,
        tags: BTreeMap::from([("escalation".to_string(), missed.rule.clone())]),
        audiences: Vec::new(),
        recipients: Vec::new(),
        corrects: None,
        idempotency: Some(key(missed.message, &missed.rule)),
    }
}

/// Returns the key of a message's escalation to one rule's contacts. The body's digest is the same whatever the count was when it was told.
fn key(message: MessageId, rule: &str) -> IdempotencyKey {
    let digest = ring::digest::digest(
        &ring::digest::SHA256,
        format!("{AUTHOR}\0escalate {message} {rule}").as_bytes(),
    );
    let key: [u8; 16] = std::array::from_fn(|i| digest.as_ref()[i]);
    IdempotencyKey { key, body: key }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Timestamp;

    #[test]
    fn a_message_is_told_of_under_one_key() {
        let id = |n| MessageId::new(Timestamp::default(), 0, n);
        assert_eq!(key(id(1), "a"), key(id(1), "a"));
        assert_ne!(key(id(1), "a").key, key(id(2), "a").key);
        assert_ne!(key(id(1), "a").key, key(id(1), "b").key);
    }
}
