//! Tells the operators what needs a person: calls for help, outages and their end, one way left, no way out, missed
//! deadlines, a refused edit, trouble with the store. Each notice is a message of the service itself, so it is durable, takes
//! the best road that works for each operator, and the next one when mail is down.
//!
//! Limits: [`WAITING_MAX`] notices that the outbox has not taken yet, each tried for [`TRY_FOR`]; the desk's own.
//!
//! Invariant: a notice is sent once, also over a crash: its key is made from its thread and its number.

mod desk;
mod heartbeat;
mod help;
mod words;

pub(crate) use heartbeat::beat;

use self::desk::{Desk, Help, Notice, Seen, Told};
use self::words::Writing;
use crate::api::board::Board;
use crate::api::ring::{After, EventRing, Place, What};
use crate::api::service::{NO_TICKET, Trouble};
use crate::core::channel::Channel;
use crate::core::effect::{Event, Reply};
use crate::core::input::{Accept, IdempotencyKey, Input};
use crate::core::message::{Recipient, SERVICE, Status, Urgency};
use crate::core::query::{Answer, Query};
use crate::core::reply::Asks;
use crate::core::time::{Span, Timestamp};
use crate::runtime::inbox::Incoming;
use crate::runtime::service::Front;
use crate::settings::{Notices as Settings, Operator};
use crate::web::locale::{Locale, Zone};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How often the picture is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The most notices that wait for the outbox.
const WAITING_MAX: usize = 200;
/// How long a notice is tried to be sent; after it, it is no news.
const TRY_FOR: Span = Span::from_mins(30);
/// How many events are read at once.
const EVENTS_MAX: usize = 500;

/// Where the settings come from, which a reload may change.
pub(crate) type Live = Arc<crate::api::live::Live<Settings>>;

/// The one who tells.
pub(crate) struct Notifier {
    front: Arc<Front>,
    settings: Live,
    board: Arc<Board>,
    zone: Zone,
    public_url: String,
}

/// A notice that the outbox has not taken yet.
struct Waits {
    notice: Notice,
    since: Timestamp,
}

impl Notifier {
    pub(crate) fn new(
        front: Arc<Front>,
        settings: Live,
        board: Arc<Board>,
        zone: Zone,
        public_url: String,
    ) -> Notifier {
        Notifier { front, settings, board, zone, public_url }
    }

    /// Looks and tells, until dropped.
    pub(crate) async fn run(self) {
        let mut desk = Desk::new(&self.front.view.borrow().clone(), self.front.clock.now());
        // From the beginning: what the core found at the start, before anybody listened, is news as well.
        let mut place = self.front.events.oldest();
        let mut waiting: VecDeque<Waits> = VecDeque::new();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let told = self.told(&mut place).await;
            let now = self.front.clock.now();
            let view = Arc::clone(&self.front.view.borrow());
            let policy = self.front.policy_trouble.borrow().clone();
            let seen = Seen { view: &view, policy: policy.as_ref(), store: self.store_trouble(), now };
            let (notices, left_out) = desk.look(&seen, told, &self.board);
            (0..left_out).for_each(|_| self.front.metrics.notice("left_out"));
            waiting.extend(notices.into_iter().map(|notice| Waits { notice, since: now }));
            while waiting.len() > WAITING_MAX {
                self.give_up(waiting.pop_front());
            }
            let mut rest = VecDeque::new();
            for waits in waiting {
                match self.tell(&waits.notice).await {
                    true => {}
                    false if now.since(waits.since) > TRY_FOR => self.give_up(Some(waits)),
                    false => rest.push_back(waits),
                }
            }
            waiting = rest;
        }
    }

    /// Returns what happened to messages since the last look.
    async fn told(&self, place: &mut Place) -> Vec<Told> {
        let mut told = Vec::new();
        for heard in happened(&self.front.events, place).await {
            match heard {
                Told::HelpErased { .. } => told.push(heard),
                Told::Help(help) => told.push(Told::Help(help::complete(&self.front, help).await)),
                // What the service itself sent is not told of: that would never end.
                Told::Missed { message, deliveries } => {
                    match self.front.reads.ask(Query::Message(message)).await {
                        Ok(Answer::Message(late, _)) if late.author != SERVICE => {
                            told.push(Told::Missed { message, deliveries });
                        }
                        // What cannot be read may be our own: a notice of it would bring the next.
                        _ => {}
                    }
                }
            }
        }
        told
    }

    fn store_trouble(&self) -> Option<String> {
        let full = self.front.intake.check(1).err().filter(|trouble| matches!(trouble, Trouble::DiskFull));
        let stuck = self.front.beats.stuck(self.front.clock.now());
        full.map(|trouble| trouble.to_string())
            .or_else(|| stuck.first().map(|thread| format!("the {thread} does not move")))
    }

    /// Sends a notice to every operator. `false`: it is to be tried again.
    async fn tell(&self, notice: &Notice) -> bool {
        let settings = self.settings.get();
        if settings.operators.is_empty() {
            tracing::warn!(
                kind = notice.kind,
                thread = notice.thread,
                "there is nobody to tell: add an `[[operator]]` to wasl.toml"
            );
            self.front.metrics.notice("nobody");
            return true;
        }
        // The core knows the keys of its own run; those of before a start are in the store alone.
        match self.front.reads.ask(Query::Idempotency(key(notice))).await {
            Ok(Answer::Nothing) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
        let mut recipients = Vec::new();
        for operator in &settings.operators {
            match self.person(operator).await {
                Ok(Some(person)) => recipients.push(person),
                Ok(None) => {}
                Err(()) => return false,
            }
        }
        if recipients.is_empty() {
            tracing::error!(kind = notice.kind, "no operator can be reached");
            self.front.metrics.notice("nobody");
            return true;
        }
        let mut given = self.front.tickets.give();
        let accept = Accept { ticket: given.ticket, recipients, ..self.message(notice) };
        // Past the reserve of disk too: a full disk is what it may be about.
        if self.front.inbox.put(Incoming::Input(Input::Accept(Box::new(accept)))).await.is_err() {
            return true;
        }
        match (&mut given.reply).await {
            Ok(Reply::OutboxFull { .. }) => false,
            Ok(_) => {
                tracing::info!(kind = notice.kind, thread = notice.thread, "the operators are told");
                self.front.metrics.notice("sent");
                true
            }
            Err(_) => true,
        }
    }

    fn give_up(&self, waits: Option<Waits>) {
        if let Some(Waits { notice, .. }) = waits {
            tracing::error!(
                kind = notice.kind,
                thread = notice.thread,
                "the outbox did not take a notice in all that time"
            );
            self.front.metrics.notice("failed");
        }
    }

    /// Returns an operator with every address that is known; `None`: there is none.
    async fn person(&self, operator: &Operator) -> Result<Option<Recipient>, ()> {
        let mut person = Recipient::default();
        if let Some(contact) = &operator.contact {
            match self.front.reads.ask(Query::Contact(contact.clone())).await {
                Ok(Answer::Contacts(found)) => {
                    person = found.into_iter().next().map(|c| c.person).unwrap_or_default()
                }
                Ok(_) => {
                    tracing::warn!(
                        operator = operator.name,
                        contact,
                        "the operator's contact is not in the address book"
                    );
                }
                Err(_) => return Err(()),
            }
        }
        if let Some(email) = &operator.email {
            person.addresses.insert(Channel::Email, email.clone());
        }
        person.language = Some(operator.language.into());
        Ok(Some(person).filter(|person| !person.addresses.is_empty()))
    }

    /// Returns the message, without its recipients.
    fn message(&self, notice: &Notice) -> Accept {
        let view = Arc::clone(&self.front.view.borrow());
        let now = self.front.clock.now();
        let writing = Writing { view: &view, zone: &self.zone, public_url: &self.public_url, now };
        let text = [("ar", Locale::Ar), ("en", Locale::En)];
        Accept {
            ticket: NO_TICKET,
            author: SERVICE.into(),
            severity: notice.severity,
            urgency: Urgency::Immediate,
            status: Status::System,
            // Letters of one incident are one thread.
            incident: Some(notice.thread.clone()),
            expires: None,
            text: text.map(|(tag, locale)| (tag.to_owned(), writing.text(notice, locale))).into(),
            template: None,
            tags: BTreeMap::from([("notice".to_owned(), notice.kind.to_owned())]),
            audiences: Vec::new(),
            recipients: Vec::new(),
            corrects: None,
            asks: Asks::NOTHING,
            idempotency: Some(key(notice)),
        }
    }
}

/// Returns what happened to messages after `place`, and moves it on. Where more happened than the ring holds, the chronicle
/// tells what is gone from it; what is told twice by that the desk knows.
async fn happened(ring: &EventRing, place: &mut Place) -> Vec<Told> {
    let mut told = Vec::new();
    // What is there is there at once; nothing new is not waited for.
    while let Ok(after) = tokio::time::timeout(Duration::ZERO, ring.after(*place, EVENTS_MAX)).await {
        match after {
            After::Events(events) => {
                for (next, _, event) in events {
                    *place = next;
                    told.extend(told_of(&event));
                }
            }
            After::Lost => {
                // The place first: what leaves the ring from here on is in the chronicle by then.
                *place = ring.oldest();
                let lines = ring.chronicle().into_iter().rev();
                told.extend(lines.filter_map(|line| match line.what {
                    What::Event(event) => told_of(&event),
                    What::Failover { .. } => None,
                }));
            }
            After::Closed => break,
        }
    }
    told
}

fn told_of(event: &Event) -> Option<Told> {
    match *event {
        Event::DeadlineMissed { message, deliveries, drill: false, .. } => {
            Some(Told::Missed { message, deliveries })
        }
        Event::NeedHelp { message, people, newest, drill, .. } => {
            Some(Told::Help(Help { message, people, newest, exercise: drill, who: Vec::new() }))
        }
        Event::HelpErased { calls, at } => Some(Told::HelpErased { calls, at }),
        _ => None,
    }
}

/// Returns the key of a notice. The body's digest is the same whatever the words were when it was told.
fn key(notice: &Notice) -> IdempotencyKey {
    let said = format!("{SERVICE}\0notice {} {}", notice.thread, notice.number);
    let digest = ring::digest::digest(&ring::digest::SHA256, said.as_bytes());
    let key: [u8; 16] = std::array::from_fn(|i| digest.as_ref()[i]);
    IdempotencyKey { key, body: key }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ring::RING_EVENTS;
    use crate::core::ids::MessageId;
    use crate::core::message::Severity;

    fn missed(n: u8, drill: bool) -> Arc<Event> {
        let message = MessageId::from_bytes([n; 16]);
        Arc::new(Event::DeadlineMissed { message, deliveries: 3, severity: Severity::Severe, drill })
    }

    fn messages(told: &[Told]) -> Vec<u8> {
        let of = |told: &Told| match told {
            Told::Missed { message, .. } | Told::Help(Help { message: Some(message), .. }) => {
                message.to_bytes()[0]
            }
            Told::Help(Help { message: None, .. }) | Told::HelpErased { .. } => 0,
        };
        told.iter().map(of).collect()
    }

    #[tokio::test]
    async fn a_missed_deadline_is_heard_of_though_the_ring_went_round() {
        let at = Timestamp::from_ms(1_790_000_000_000);
        let ring = EventRing::new(at);
        let mut place = ring.since(at);
        ring.push(at, [missed(1, false), missed(2, true)]);
        assert_eq!(messages(&happened(&ring, &mut place).await), [1], "an exercise is no news");
        assert!(happened(&ring, &mut place).await.is_empty());
        let chatter = || Arc::new(Event::StrayReceipt { gateway: crate::core::channel::GatewayId(0) });
        let message = Some(MessageId::from_bytes([9; 16]));
        ring.push(
            at,
            [
                missed(3, false),
                Arc::new(Event::NeedHelp { message, people: 1, fresh: 1, newest: at, drill: false }),
            ],
        );
        ring.push(at, (0..=RING_EVENTS).map(|_| chatter()));
        ring.push(at, [missed(4, false)]);
        let told = messages(&happened(&ring, &mut place).await);
        assert_eq!(told, [1, 3, 9, 4, 4], "the desk tells of each once");
        assert!(happened(&ring, &mut place).await.is_empty(), "and its place is found again");
    }
}
