//! The replies in hand, in the order in which they came, and who waits until they are on disk.
//!
//! Limits: of one sender [`SENDER_MAX`] replies, from [`SENDER_CALLS_MAX`] calls, are in hand. Beyond that only what says
//! something new is taken: a call for help after anything else, and the first of each other kind. The rest is dropped and
//! counted, so that who writes without end leaves room for whoever else calls for help.

use super::find::Heard;
use crate::core::channel::Channel;
use crate::core::reading;
use crate::core::reply::{Asks, ReplyKind};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::sync::oneshot;

/// How many replies of one sender are in hand. Cites: who was cut off for hours may send some dozens at once; a hundred is a
/// program or a broken telephone, and a fiftieth of what is in hand in all.
const SENDER_MAX: usize = 100;
/// From how many calls they may come: each waits for the disk, and a provider has places for 32 (`api::hook_room`).
const SENDER_CALLS_MAX: usize = 16;

/// What is in hand. A call is told once all that it brought is on disk.
#[derive(Default)]
pub(super) struct Queue {
    heard: VecDeque<(u64, Heard)>,
    calls: BTreeMap<u64, Call>,
    /// How many of each sender's are in hand, by the call that brought them.
    senders: BTreeMap<Sender, BTreeMap<u64, usize>>,
    last: u64,
    dropped: BTreeMap<String, u64>,
}

type Sender = (Channel, String);

struct Call {
    left: usize,
    told: oneshot::Sender<()>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.heard.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.heard.len()
    }

    /// Takes what a call brought; what is too much of one sender is dropped.
    pub(super) fn admit(&mut self, heard: Vec<Heard>, told: oneshot::Sender<()>) {
        self.last += 1;
        let mut left = 0;
        for heard in heard {
            if self.is_too_much(&heard) {
                *self.dropped.entry(heard.name).or_default() += 1;
                continue;
            }
            left += 1;
            *self.senders.entry(sender(&heard)).or_default().entry(self.last).or_default() += 1;
            self.heard.push_back((self.last, heard));
        }
        let call = Call { left, told };
        match left {
            0 => call.tell(),
            _ => drop(self.calls.insert(self.last, call)),
        }
    }

    /// Says whether a sender has enough in hand, and this says nothing new.
    fn is_too_much(&self, heard: &Heard) -> bool {
        let Some(by_call) = self.senders.get(&sender(heard)) else { return false };
        let is_one_more = !by_call.contains_key(&self.last) && by_call.len() >= SENDER_CALLS_MAX;
        if by_call.values().sum::<usize>() < SENDER_MAX && !is_one_more {
            return false;
        }
        let own = |other: &&Heard| other.channel == heard.channel && other.reply.from == heard.reply.from;
        let mut before = self.heard.iter().rev().map(|(_, other)| other).filter(own).map(kind);
        match kind(heard) {
            // Who called, said that all is well, and calls again must be heard.
            ReplyKind::NeedHelp => before.find(|kind| kind.is_answer()) == Some(ReplyKind::NeedHelp),
            kind => before.any(|other| other == kind),
        }
    }

    /// Says whether something was dropped that nobody was told of.
    pub(super) fn has_dropped(&self) -> bool {
        !self.dropped.is_empty()
    }

    /// Returns how many were dropped of each gateway's since the last time.
    pub(super) fn take_dropped(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.dropped)
    }

    /// Returns the first reply of each sender, at most so many, and their places.
    pub(super) fn next(&self, most: usize) -> (Vec<usize>, Vec<Heard>) {
        let mut senders = BTreeSet::new();
        let firsts = self
            .heard
            .iter()
            .enumerate()
            .filter(|(_, (_, heard))| senders.insert((heard.channel, heard.reply.from.as_str())));
        firsts.take(most).map(|(place, (_, heard))| (place, heard.clone())).unzip()
    }

    /// Takes out what is on disk, by its places in order, and tells the calls that brought it.
    pub(super) fn done(&mut self, places: &[usize]) {
        for place in places.iter().rev() {
            let Some((call, heard)) = self.heard.remove(*place) else { continue };
            self.let_go(sender(&heard), call);
            let Some(waits) = self.calls.get_mut(&call) else { continue };
            waits.left -= 1;
            if waits.left == 0
                && let Some(call) = self.calls.remove(&call)
            {
                call.tell();
            }
        }
    }

    fn let_go(&mut self, sender: Sender, call: u64) {
        let Some(by_call) = self.senders.get_mut(&sender) else { return };
        if let Some(count) = by_call.get_mut(&call) {
            *count -= 1;
            if *count == 0 {
                by_call.remove(&call);
            }
        }
        if by_call.is_empty() {
            self.senders.remove(&sender);
        }
    }
}

impl Call {
    fn tell(self) {
        // Whoever waited may have gone; what was said is on disk all the same.
        let _ = self.told.send(());
    }
}

fn sender(heard: &Heard) -> Sender {
    (heard.channel, heard.reply.from.clone())
}

/// Reads a reply as if its message asked for everything: what it answers is not known yet.
fn kind(heard: &Heard) -> ReplyKind {
    reading::read(&heard.reply.said, Asks::of(Asks::ANSWERS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::channel::GatewayId;
    use crate::core::reply::{Reply, Said};

    fn heard(from: &str, id: &str) -> Heard {
        says(from, id, "x")
    }

    fn says(from: &str, id: &str, words: &str) -> Heard {
        let reply = Reply { from: from.into(), said: Said::text(words), id: id.into(), of: None, at: None };
        Heard { gateway: GatewayId(0), name: "wa".into(), channel: Channel::Whatsapp, reply }
    }

    fn ids(heard: &[Heard]) -> Vec<&str> {
        heard.iter().map(|heard| heard.reply.id.as_str()).collect()
    }

    #[test]
    fn who_writes_much_holds_up_nobody_else() {
        let mut queue = Queue::default();
        let (much, mut much_done) = oneshot::channel();
        let (one, mut one_done) = oneshot::channel();
        queue.admit(vec![heard("a", "a1"), heard("a", "a2"), heard("a", "a3")], much);
        queue.admit(vec![heard("b", "b1")], one);
        let (places, next) = queue.next(500);
        assert_eq!((places.as_slice(), ids(&next)), ([0, 3].as_slice(), vec!["a1", "b1"]));
        queue.done(&places);
        assert!(one_done.try_recv().is_ok() && much_done.try_recv().is_err());
        assert_eq!(ids(&queue.next(500).1), ["a2"], "of one sender in order");
        queue.done(&[0]);
        queue.done(&[0]);
        assert!(queue.is_empty() && much_done.try_recv().is_ok());
    }

    #[test]
    fn who_writes_without_end_leaves_room_and_is_still_heard_calling_for_help() {
        let mut queue = Queue::default();
        let (told, mut done) = oneshot::channel();
        queue.admit((0..6_000).map(|n| heard("a", &format!("a{n}"))).collect(), told);
        assert_eq!((queue.len(), queue.dropped["wa"]), (SENDER_MAX, 6_000 - SENDER_MAX as u64));
        let (other, _waits) = oneshot::channel();
        queue.admit(vec![says("b", "b1", "help"), says("b", "b2", "help")], other);
        assert_eq!(queue.len(), SENDER_MAX + 2, "who did not flood loses nothing");
        for (words, is_taken) in [
            ("help", true),
            ("help me", false),
            ("I am safe", true),
            ("I am safe", false),
            ("help", true),
            ("help", false),
            ("I am safe", false),
            ("STOP", true),
            ("STOP", false),
            ("?!", false),
        ] {
            let (before, (told, mut at_once)) = (queue.len(), oneshot::channel());
            queue.admit(vec![says("a", "more", words)], told);
            assert_eq!(queue.len() - before, usize::from(is_taken), "{words}");
            assert_eq!(at_once.try_recv().is_ok(), !is_taken, "what is dropped waits for nothing: {words}");
        }
        assert_eq!(queue.take_dropped()["wa"], 6_000 - SENDER_MAX as u64 + 6);
        assert!(!queue.has_dropped());
        while !queue.is_empty() {
            let (places, _) = queue.next(500);
            queue.done(&places);
        }
        assert!(done.try_recv().is_ok() && queue.senders.is_empty(), "nothing is left behind");
    }

    #[test]
    fn one_sender_does_not_hold_every_place_of_a_provider() {
        let mut queue = Queue::default();
        let mut waits: Vec<_> = (0..SENDER_CALLS_MAX + 5)
            .map(|n| {
                let (told, done) = oneshot::channel();
                queue.admit(vec![heard("a", &format!("a{n}"))], told);
                done
            })
            .collect();
        assert_eq!(queue.len(), SENDER_CALLS_MAX);
        assert_eq!(waits.iter_mut().map(|done| usize::from(done.try_recv().is_ok())).sum::<usize>(), 5);
    }

    #[test]
    fn what_must_wait_keeps_its_place() {
        let mut queue = Queue::default();
        let (told, mut done) = oneshot::channel();
        queue.admit(vec![heard("a", "a1"), heard("b", "b1"), heard("a", "a2")], told);
        assert_eq!(queue.next(1).1.len(), 1);
        let (places, _) = queue.next(500);
        queue.done(&places[1..]);
        assert_eq!((ids(&queue.next(500).1), queue.len()), (vec!["a1"], 2));
        assert!(done.try_recv().is_err());
        let (told, mut at_once) = oneshot::channel();
        queue.admit(vec![], told);
        assert!(at_once.try_recv().is_ok(), "there is nothing to wait for");
    }
}
