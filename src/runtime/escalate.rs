//! Tells a rule's contacts that a message missed its deadline, or that recipients need help: a new message, by the service
//! itself.
//!
//! Where the outbox is full or does not answer it is tried again, with growing pauses, for as long as the core would tell
//! again after a start. Limits: [`WAITING_MAX`] wait, of which the least severe gives way; [`AT_ONCE`] are told at once,
//! the most severe first, and none while it pauses.
//!
//! Invariant: each rule's contacts are told of one message's deadline once. The key is made from both, so a crash between the decision
//! and the acceptance repeats nothing. Calls for help are told as often as the core says, each time under the newest call.

use crate::api::service::NO_TICKET;
use crate::core::TELL_AGAIN_WITHIN;
use crate::core::effect::{Alarm, Reply};
use crate::core::ids::MessageId;
use crate::core::input::{Accept, IdempotencyKey, Input};
use crate::core::message::{Message, SERVICE, Severity, Status, Urgency};
use crate::core::query::{Answer, Query};
use crate::core::reply::Asks;
use crate::runtime::inbox::{Inbox, Incoming};
use crate::runtime::reads::Reads;
use crate::runtime::tickets::Tickets;
use crate::runtime::words;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How many are told at once; the rest wait.
const AT_ONCE: usize = 4;
/// The most that wait to be told: each is a message that missed a deadline of one rule, and people who are told of more
/// at once are told of nothing.
const WAITING_MAX: usize = 1_000;
/// The pause before another try: the first, doubled up to the last.
const AGAIN_FIRST: Duration = Duration::from_secs(15);
const AGAIN_LAST: Duration = Duration::from_secs(600);

/// Sends escalations.
pub(crate) struct Escalator {
    reads: Reads,
    inbox: Inbox,
    tickets: Arc<Tickets>,
    tasks: Handle,
    line: Line,
}

/// What is to be told.
struct Missed {
    message: MessageId,
    severity: Severity,
    status: Status,
    rule: String,
    contacts: Vec<String>,
    alarm: Alarm,
}

impl Escalator {
    /// Builds one.
    pub(crate) fn new(reads: Reads, inbox: Inbox, tickets: Arc<Tickets>, tasks: Handle) -> Escalator {
        Escalator { reads, inbox, tickets, tasks, line: Line::default() }
    }

    /// Tells the contacts, in a task of its own.
    pub(crate) fn escalate(
        self: &Arc<Self>,
        message: MessageId,
        severity: Severity,
        status: Status,
        rule: String,
        contacts: Vec<String>,
        alarm: Alarm,
    ) {
        self.line.join(Missed { message, severity, status, rule, contacts, alarm }, Instant::now());
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let tell = |missed: Arc<Missed>| {
                let this = Arc::clone(&this);
                async move { this.tell(&missed).await }
            };
            this.line.serve(tell).await;
        });
    }

    async fn tell(&self, missed: &Missed) -> Told {
        let message = match self.reads.ask(Query::Message(missed.message)).await {
            // What the service itself sent is not told of again: that would never end.
            Ok(Answer::Message(message, _)) if message.author != SERVICE => message,
            Ok(_) => return Told::Done,
            Err(_) => return Told::Later,
        };
        match self.reads.ask(Query::Idempotency(key(missed))).await {
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

/// Those that wait to be told. As many serve it as have joined it.
struct Line {
    room: Semaphore,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    places: BTreeMap<Place, Waits>,
    last: u64,
}

/// The more severe comes first, then who came first.
type Place = (Severity, u64);

struct Waits {
    missed: Arc<Missed>,
    since: Instant,
    tries: u32,
    /// Whether it is to be told now: neither in hand nor in a pause.
    is_ready: bool,
}

impl Line {
    /// Lets it join; where the line is full, the last of it leaves.
    fn join(&self, missed: Missed, now: Instant) {
        let mut waiting = self.waiting();
        waiting.last += 1;
        let place = (missed.severity, waiting.last);
        let waits = Waits { missed: Arc::new(missed), since: now, tries: 0, is_ready: true };
        waiting.places.insert(place, waits);
        if waiting.places.len() > WAITING_MAX
            && let Some((_, gone)) = waiting.places.pop_last()
        {
            gone.missed.give_up("too many wait to be told of");
        }
    }

    /// Tells of the one whose turn it is, again and again until it is done or given up.
    async fn serve<F: Future<Output = Told>>(&self, tell: impl Fn(Arc<Missed>) -> F) {
        loop {
            let (place, pause) = {
                let Ok(_room) = self.room.acquire().await else { return };
                let Some((place, missed)) = self.first() else { return };
                match tell(missed).await {
                    Told::Done => {
                        self.waiting().places.remove(&place);
                        return;
                    }
                    Told::Later => (place, self.pause(place, Instant::now())),
                }
            };
            let Some(pause) = pause else { return };
            tokio::time::sleep(pause).await;
            match self.waiting().places.get_mut(&place) {
                Some(waits) => waits.is_ready = true,
                None => return,
            }
        }
    }

    /// Takes the most severe that is ready.
    fn first(&self) -> Option<(Place, Arc<Missed>)> {
        let mut waiting = self.waiting();
        let (place, waits) = waiting.places.iter_mut().find(|(_, waits)| waits.is_ready)?;
        waits.is_ready = false;
        Some((*place, Arc::clone(&waits.missed)))
    }

    /// Says how long it pauses after a try in vain; `None` where it has left the line.
    fn pause(&self, place: Place, now: Instant) -> Option<Duration> {
        let mut waiting = self.waiting();
        let waits = waiting.places.get_mut(&place)?;
        let pause = AGAIN_FIRST.saturating_mul(1 << waits.tries.min(16)).min(AGAIN_LAST);
        waits.tries += 1;
        if now.saturating_duration_since(waits.since) + pause < TELL_AGAIN_WITHIN.to_std() {
            return Some(pause);
        }
        let gone = waiting.places.remove(&place)?;
        gone.missed.give_up("the outbox did not take it in all that time");
        None
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Line {
    fn default() -> Line {
        Line { room: Semaphore::new(AT_ONCE), waiting: Mutex::default() }
    }
}

impl Missed {
    fn give_up(&self, why: &str) {
        tracing::error!(id = %self.message, rule = self.rule, why, "nobody could be told of what calls for a person");
    }
}

/// Returns the message that tells of it, without its recipients.
fn words_of(missed: &Missed, message: &Message) -> Accept {
    let text = match missed.alarm {
        Alarm::Late { deliveries } => words::escalation(message, deliveries, &missed.rule),
        Alarm::Help { people, .. } => words::call_for_help(message, people),
    };
    Accept {
        ticket: NO_TICKET,
        author: SERVICE.into(),
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
        asks: Asks::NOTHING,
        idempotency: Some(key(missed)),
    }
}

/// Returns the key of a message's escalation to one rule's contacts. The body's digest is the same whatever the count was
/// when it was told. Each notice of calls for help is one of its own.
fn key(missed: &Missed) -> IdempotencyKey {
    let Missed { message, rule, .. } = missed;
    let what = match missed.alarm {
        Alarm::Late { .. } => format!("{SERVICE}\0escalate {message} {rule}"),
        Alarm::Help { newest, .. } => format!("{SERVICE}\0help {} {message} {rule}", newest.ms()),
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, what.as_bytes());
    let key: [u8; 16] = std::array::from_fn(|i| digest.as_ref()[i]);
    IdempotencyKey { key, body: key }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Timestamp;

    fn missed(severity: Severity, late: u32) -> Missed {
        let (message, rule) = (MessageId::new(Timestamp::default(), 0, 1), "a".to_string());
        Missed {
            message,
            severity,
            status: Status::Actual,
            rule,
            contacts: vec![],
            alarm: Alarm::Late { deliveries: late },
        }
    }

    /// Lets everybody in the line go as far as they get, and returns who was told of, in that order.
    async fn told(line: &Arc<Line>, servers: usize, answer: fn() -> Told) -> Vec<u32> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut serving = tokio::task::JoinSet::new();
        for _ in 0..servers {
            let (line, told) = (Arc::clone(line), Arc::clone(&told));
            serving.spawn(async move {
                let tell = |missed: Arc<Missed>| {
                    let Alarm::Late { deliveries } = missed.alarm else { panic!("only these are in line") };
                    told.lock().unwrap().push(deliveries);
                    std::future::ready(answer())
                };
                line.serve(tell).await;
            });
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        told.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn who_pauses_holds_up_nobody_and_the_most_severe_comes_first() {
        let line = Arc::new(Line::default());
        let severities = [Severity::Minor, Severity::Unknown, Severity::Severe, Severity::Extreme];
        for n in 0..12 {
            line.join(missed(severities[n as usize % 4], n), Instant::now());
        }
        assert_eq!(told(&line, 12, || Told::Later).await, [3, 7, 11, 2, 6, 10, 0, 4, 8, 1, 5, 9]);
        // They wait on, and none is told twice meanwhile.
        assert!(line.first().is_none());
        assert_eq!(line.waiting().places.len(), 12);
        line.join(missed(Severity::Minor, 12), Instant::now());
        assert_eq!(told(&line, 1, || Told::Done).await, [12]);
        assert_eq!(line.waiting().places.len(), 12);
    }

    #[test]
    fn it_is_tried_for_hours_with_growing_pauses() {
        let (line, start) = (Line::default(), Instant::now());
        line.join(missed(Severity::Minor, 1), start);
        let (place, _) = line.first().unwrap();
        let (mut now, mut pauses) = (start, Vec::new());
        while let Some(pause) = line.pause(place, now) {
            now += pause;
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses[..8], [15, 30, 60, 120, 240, 480, 600, 600]);
        let tried = now.duration_since(start);
        assert!(tried > TELL_AGAIN_WITHIN.to_std() - AGAIN_LAST && tried < TELL_AGAIN_WITHIN.to_std());
        assert!(line.waiting().places.is_empty(), "and given up then");
    }

    #[test]
    fn the_line_has_an_end_and_the_least_severe_leaves_it() {
        let line = Line::default();
        for n in 0..WAITING_MAX as u32 {
            line.join(missed(Severity::Severe, n), Instant::now());
        }
        line.join(missed(Severity::Minor, 0), Instant::now());
        line.join(missed(Severity::Extreme, 7), Instant::now());
        let places: Vec<Severity> = line.waiting().places.keys().map(|(severity, _)| *severity).collect();
        assert_eq!((places.len(), places.first()), (WAITING_MAX, Some(&Severity::Extreme)));
        assert!(places[1..].iter().all(|severity| *severity == Severity::Severe));
        let alarm = line.first().map(|(_, missed)| missed.alarm);
        assert_eq!(alarm, Some(Alarm::Late { deliveries: 7 }));
    }

    #[test]
    fn a_message_is_told_of_under_one_key() {
        let of = |n, rule: &str, alarm| {
            let message = MessageId::new(Timestamp::default(), 0, n);
            key(&Missed { message, rule: rule.into(), alarm, ..missed(Severity::Minor, 0) })
        };
        let late = |deliveries| Alarm::Late { deliveries };
        let help = |ms| Alarm::Help { people: 1, newest: Timestamp::from_ms(ms) };
        assert_eq!(of(1, "a", late(1)), of(1, "a", late(2)));
        assert_ne!(of(1, "a", late(1)).key, of(2, "a", late(1)).key);
        assert_ne!(of(1, "a", late(1)).key, of(1, "b", late(1)).key);
        assert_ne!(of(1, "a", late(1)).key, of(1, "a", help(0)).key);
        assert_ne!(of(1, "a", help(0)).key, of(1, "a", help(60_000)).key, "each notice is one of its own");
    }
}
