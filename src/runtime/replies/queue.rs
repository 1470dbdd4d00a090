//! The replies in hand, in the order in which they came, and who waits until they are on disk.

use super::find::Heard;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::sync::oneshot;

/// What is in hand. A call is told once all that it brought is on disk.
#[derive(Default)]
pub(super) struct Queue {
    heard: VecDeque<(u64, Heard)>,
    calls: BTreeMap<u64, Call>,
    last: u64,
}

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

    /// Takes what a call brought.
    pub(super) fn admit(&mut self, heard: Vec<Heard>, told: oneshot::Sender<()>) {
        self.last += 1;
        let call = Call { left: heard.len(), told };
        if heard.is_empty() {
            call.tell();
            return;
        }
        self.calls.insert(self.last, call);
        self.heard.extend(heard.into_iter().map(|heard| (self.last, heard)));
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
            let Some((call, _)) = self.heard.remove(*place) else { continue };
            let Some(waits) = self.calls.get_mut(&call) else { continue };
            waits.left -= 1;
            if waits.left == 0
                && let Some(call) = self.calls.remove(&call)
            {
                call.tell();
            }
        }
    }
}

impl Call {
    fn tell(self) {
        // Whoever waited may have gone; what was said is on disk all the same.
        let _ = self.told.send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::channel::{Channel, GatewayId};
    use crate::core::reply::{Reply, Said};

    fn heard(from: &str, id: &str) -> Heard {
        let reply = Reply { from: from.into(), said: Said::text("x"), id: id.into(), of: None, at: None };
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
