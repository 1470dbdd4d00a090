//! The last events, for those who listen: a ring that a reader resumes in, and a short chronicle for the page.
//!
//! The runtime pushes a turn's events once the turn is durable; readers take them at their own pace. A push never
//! waits for a reader: who is too slow finds his place gone and starts anew from a snapshot.
//!
//! Invariant: memory is bounded by [`RING_EVENTS`] and [`CHRONICLE_MAX`], whatever is pushed and whoever listens.

use crate::core::channel::GatewayId;
use crate::core::effect::Event;
use crate::core::outcome::Reason;
use crate::core::time::{Span, Timestamp};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How many events a reader may lie behind. Cites: the contract, `GET /v1/events`.
pub const RING_EVENTS: usize = 10_000;

/// How many lines the chronicle holds: more than a page shows.
pub const CHRONICLE_MAX: usize = 60;

/// Failovers between the same two gateways for the same reason are one line while they are this close.
const SAME_STORY: Span = Span::from_secs(60);

/// A line of the chronicle is looked for among this many of the newest only.
const LOOK_BACK: usize = 16;

/// The last events.
#[derive(Debug)]
pub struct EventRing {
    boot: i64,
    inner: Mutex<Inner>,
    head: watch::Sender<Head>,
}

/// Where the ring ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Head {
    next: u64,
    closed: bool,
}

#[derive(Debug)]
struct Inner {
    /// The number of the oldest event kept.
    first: u64,
    events: VecDeque<(Timestamp, Arc<Event>)>,
    chronicle: VecDeque<Line>,
}

/// One thing worth telling, as the page tells it.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// When it began.
    pub at: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// What happened.
    pub what: What,
}

/// What a line tells of.
#[derive(Clone, PartialEq, Debug)]
pub enum What {
    /// Deliveries left one gateway for another.
    Failover {
        /// From.
        from: GatewayId,
        /// To.
        to: GatewayId,
        /// Why; `None`: a wait ran out.
        reason: Option<Reason>,
        /// How many deliveries.
        deliveries: u64,
    },
    /// Any other event that people ask about.
    Event(Arc<Event>),
}

/// A place in the ring that survives the loss of a connection, not a restart of the service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    boot: i64,
    /// The number of the next event to read.
    pub next: u64,
}

/// What lies after a place.
#[derive(Debug)]
pub enum After {
    /// These events, each with the place behind it.
    Events(Vec<(Place, Timestamp, Arc<Event>)>),
    /// The place is gone, or of another run: start anew.
    Lost,
    /// The service is stopping.
    Closed,
}

impl EventRing {
    /// Builds an empty ring. `boot` tells this run's places from another's: the time of the start.
    pub fn new(boot: Timestamp) -> EventRing {
        EventRing {
            boot: boot.ms(),
            inner: Mutex::new(Inner { first: 0, events: VecDeque::new(), chronicle: VecDeque::new() }),
            head: watch::Sender::new(Head { next: 0, closed: false }),
        }
    }

    /// Takes a turn's events, which are durable.
    pub fn push(&self, at: Timestamp, events: impl IntoIterator<Item = Arc<Event>>) {
        let next = {
            let mut inner = self.lock();
            for event in events {
                inner.tell(at, &event);
                if inner.events.len() == RING_EVENTS {
                    inner.events.pop_front();
                    inner.first += 1;
                }
                inner.events.push_back((at, event));
            }
            inner.first + inner.events.len() as u64
        };
        self.head.send_if_modified(|head| std::mem::replace(&mut head.next, next) != next);
    }

    /// Ends every stream: the service is stopping.
    pub fn close(&self) {
        self.head.send_modify(|head| head.closed = true);
    }

    /// Returns the place from which to read after a picture of this time: what it may not show yet comes after.
    pub fn since(&self, at: Timestamp) -> Place {
        let inner = self.lock();
        let shown = inner.events.partition_point(|(when, _)| *when < at);
        self.at(inner.first + shown as u64)
    }

    /// Returns the place from which everything that is kept is read.
    pub fn oldest(&self) -> Place {
        self.at(self.lock().first)
    }

    /// Returns the lines worth telling, newest first.
    pub fn chronicle(&self) -> Vec<Line> {
        self.lock().chronicle.iter().rev().cloned().collect()
    }

    /// Waits until the service is stopping.
    pub async fn closed(&self) {
        // An error would mean that the sender is gone, and `self` holds it.
        let _ = self.head.subscribe().wait_for(|head| head.closed).await;
    }

    /// Waits for events after `place`, then returns at most `limit` of them.
    pub async fn after(&self, place: Place, limit: usize) -> After {
        if place.boot != self.boot {
            return After::Lost;
        }
        let mut heads = self.head.subscribe();
        let head = heads.wait_for(|head| head.closed || head.next != place.next).await.map(|head| *head);
        if head.is_ok_and(|head| head.closed) {
            return After::Closed;
        }
        let inner = self.lock();
        let behind = place.next.checked_sub(inner.first).map(|skip| skip as usize);
        match behind {
            Some(skip) if skip <= inner.events.len() => {
                let events = inner.events.iter().skip(skip).take(limit).zip(place.next + 1..);
                After::Events(events.map(|((at, event), n)| (self.at(n), *at, event.clone())).collect())
            }
            _ => After::Lost,
        }
    }

    fn at(&self, next: u64) -> Place {
        Place { boot: self.boot, next }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that could panic runs under the lock half-way through a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Writes the event into the chronicle, if people ask about such events.
    fn tell(&mut self, at: Timestamp, event: &Arc<Event>) {
        let what = match &**event {
            Event::Failover { from, to, reason, .. } => {
                let same =
                    self.chronicle.iter_mut().rev().take(LOOK_BACK).find_map(|line| match &mut line.what {
                        What::Failover { from: f, to: t, reason: r, deliveries }
                            if (*f, *t, *r) == (*from, *to, *reason) && at.since(line.last) <= SAME_STORY =>
                        {
                            Some((&mut line.last, deliveries))
                        }
                        _ => None,
                    });
                if let Some((last, deliveries)) = same {
                    *last = at;
                    *deliveries += 1;
                    return;
                }
                What::Failover { from: *from, to: *to, reason: *reason, deliveries: 1 }
            }
            Event::DeadlineMissed { .. }
            | Event::NeedHelp { .. }
            | Event::HelpErased { .. }
            | Event::State { .. }
            | Event::OutageOpened { .. }
            | Event::OutageClosed { .. }
            | Event::OutageTurned { .. }
            | Event::Uplink { .. }
            | Event::Overlay { .. }
            | Event::ClockJumped { .. }
            | Event::PolicyInForce { .. } => What::Event(event.clone()),
            Event::Accepted { .. }
            | Event::Answered { .. }
            | Event::Receipt { .. }
            | Event::Canary { .. }
            | Event::StrayReceipt { .. }
            | Event::Replied { .. }
            | Event::Settled { .. } => return,
        };
        if self.chronicle.len() == CHRONICLE_MAX {
            self.chronicle.pop_front();
        }
        self.chronicle.push_back(Line { at, last: at, what });
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}-{}", self.boot, self.next)
    }
}

impl std::str::FromStr for Place {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (boot, next) = text.split_once('-').unwrap_or((text, ""));
        Ok(Place { boot: i64::from_str_radix(boot, 16)?, next: next.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jump(ms: i64) -> Arc<Event> {
        Arc::new(Event::ClockJumped { by: Span::from_ms(ms) })
    }

    fn failover(to: u8) -> Arc<Event> {
        let delivery = crate::core::ids::DeliveryId::new(crate::core::ids::MessageId::from_bytes([0; 16]), 0);
        let reason = Some(Reason::TcpRefused);
        Arc::new(Event::Failover { delivery, from: GatewayId(0), to: GatewayId(to), reason, drill: false })
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(secs * 1000)
    }

    #[tokio::test]
    async fn a_reader_resumes_where_it_was_and_is_moved_on_when_its_place_is_gone() {
        let ring = EventRing::new(at(7));
        let start = ring.since(at(7));
        ring.push(at(8), [jump(1), jump(2), jump(3)]);
        let After::Events(events) = ring.after(start, 2).await else { panic!("events were there") };
        assert_eq!(events.len(), 2);
        let place: Place = events[1].0.to_string().parse().unwrap();
        let After::Events(rest) = ring.after(place, 10).await else { panic!("one was left") };
        assert_eq!(*rest[0].2, *jump(3));

        ring.push(at(9), (0..RING_EVENTS as i64).map(jump));
        assert!(matches!(ring.after(start, 10).await, After::Lost));
        assert_eq!(ring.since(at(9)).next, 3, "what a picture of second 9 may not show yet begins there");
        assert!(matches!(EventRing::new(at(1)).after(start, 10).await, After::Lost));
        ring.close();
        assert!(matches!(ring.after(ring.since(at(10)), 10).await, After::Closed));
    }

    #[test]
    fn failovers_of_one_kind_are_one_line_and_chatter_is_none() {
        let ring = EventRing::new(at(0));
        ring.push(at(1), [failover(1), failover(2), failover(1)]);
        ring.push(at(100), [failover(1)]);
        let told: Vec<_> = ring.chronicle().into_iter().map(|line| (line.at, line.last, line.what)).collect();
        let line = |to, deliveries| What::Failover {
            from: GatewayId(0),
            to: GatewayId(to),
            reason: Some(Reason::TcpRefused),
            deliveries,
        };
        assert_eq!(
            told,
            [(at(100), at(100), line(1, 1)), (at(1), at(1), line(2, 1)), (at(1), at(1), line(1, 2))]
        );
        ring.push(at(200), (0..1_000).map(jump));
        assert_eq!(ring.chronicle().len(), CHRONICLE_MAX);
    }
}
