//! Which message a part's id belongs to, so that receipts of parts become one receipt of the whole.
//!
//! A message of several parts is one attempt: its provider id is the first part's id. It is delivered when each of
//! its parts is, and has failed when one has. The same memory serves a message whose id came after the attempt was
//! given up: its receipts name the attempt beside the id.
//!
//! Limits: [`IDS_MAX`] ids and [`GROUPS_MAX`] messages, the oldest message forgotten first; nothing is stored. After a restart, or when
//! forgotten, the first part's receipt stands for the whole, and the others' belong to nobody.
//! What waits here has been acknowledged to the SMSC: a process that is killed loses at most [`EARLY_MAX`] receipts of
//! the last [`EARLY_KEPT`], and those deliveries end as handed over, or at another step. Holding the acknowledgement
//! back instead would cost more: an SMSC brings a few receipts at a time and no further one until those are answered,
//! so that every receipt of the gateway would wait behind one whose id is not known, for as long as any long message is
//! on its way, which in an alert is always.
//!
//! Invariant: a receipt of an id that is not known here is passed on as it is, at the latest after [`EARLY_KEPT`].

use super::dlr::Report;
use crate::core::ids::AttemptId;
use crate::core::outcome::{Receipt, ReceiptKind, ReceiptRef};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// The most ids that are remembered: a mass alert of 100,000 in two parts, at about 100 bytes each.
const IDS_MAX: usize = 200_000;
/// The most messages that are remembered: each has an id, but for those that wait for their first answer.
const GROUPS_MAX: usize = IDS_MAX;
/// The most receipts that are kept while a part's own id may still come.
const EARLY_MAX: usize = 1_000;
/// How long such a receipt is kept. Cites: SMSCs send receipts before the response by less than a second.
const EARLY_KEPT: Duration = Duration::from_secs(5);

/// A message whose ids are remembered; the later, the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct GroupNo(u64);

/// The memory.
#[derive(Default)]
pub(super) struct Parts {
    groups: BTreeMap<GroupNo, Group>,
    /// Which part of which message an id is.
    ids: BTreeMap<String, (GroupNo, u8)>,
    /// The messages of which a part's id may still come.
    open: BTreeSet<GroupNo>,
    early: VecDeque<(Instant, Report)>,
    last: u64,
}

/// One message.
struct Group {
    attempt: AttemptId,
    total: u8,
    ids: Vec<String>,
    delivered: BTreeSet<u8>,
    failed: BTreeSet<u8>,
}

impl Parts {
    /// Expects the ids of a message's parts, until [`Parts::close`].
    pub(super) fn open(&mut self, attempt: AttemptId, total: u8) -> GroupNo {
        self.last += 1;
        let no = GroupNo(self.last);
        let (delivered, failed) = (BTreeSet::new(), BTreeSet::new());
        self.groups.insert(no, Group { attempt, total, ids: Vec::new(), delivered, failed });
        self.open.insert(no);
        while self.groups.len() > GROUPS_MAX
            && let Some(oldest) = self.groups.keys().next().copied()
        {
            self.forget(oldest);
        }
        no
    }

    /// Notes that a part was certainly not taken. A message of which no part was leaves nothing to wait for.
    pub(super) fn refused(&mut self, no: GroupNo) {
        if self.groups.get(&no).is_some_and(|group| group.ids.is_empty()) {
            self.forget(no);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.ids.is_empty()
    }

    /// Expects no further id of this message; a late one is still taken.
    pub(super) fn close(&mut self, no: GroupNo) {
        self.open.remove(&no);
    }

    /// Learns the id of a part, from 1. Returns the receipts that had come before it.
    pub(super) fn learn(&mut self, no: GroupNo, number: u8, id: &str) -> Vec<Receipt> {
        let Some(group) = self.groups.get_mut(&no) else { return Vec::new() };
        group.ids.push(id.to_owned());
        self.ids.insert(id.to_owned(), (no, number));
        while self.ids.len() > IDS_MAX
            && let Some(oldest) = self.groups.keys().next().copied()
        {
            self.forget(oldest);
        }
        let early = std::mem::take(&mut self.early);
        let (known, unknown): (VecDeque<_>, _) = early.into_iter().partition(|(_, report)| report.id == id);
        self.early = unknown;
        known.into_iter().filter_map(|(_, report)| self.count(no, number, report)).collect()
    }

    /// Remembers a message of one part whose answer came after the attempt was given up.
    pub(super) fn learn_late(&mut self, attempt: AttemptId, id: &str) -> Vec<Receipt> {
        let no = self.open(attempt, 1);
        self.close(no);
        let mut receipts = vec![Receipt {
            of: ReceiptRef::Both(id.to_owned(), attempt),
            kind: ReceiptKind::Sent,
            reason: None,
            at: None,
        }];
        receipts.extend(self.learn(no, 1, id));
        receipts
    }

    /// Takes a receipt that came. Returns what the core is to hear of it, if anything, at once.
    pub(super) fn hear(&mut self, report: Report, now: Instant) -> Option<Receipt> {
        if let Some((no, number)) = self.ids.get(&report.id) {
            return self.count(*no, *number, report);
        }
        if self.open.is_empty() || self.early.len() >= EARLY_MAX {
            return Some(as_it_is(report));
        }
        self.early.push_back((now, report));
        None
    }

    /// Returns the receipts that have waited long enough, or for nothing.
    pub(super) fn release(&mut self, now: Instant) -> Vec<Receipt> {
        let waits =
            |since: Instant| !self.open.is_empty() && now.saturating_duration_since(since) < EARLY_KEPT;
        let ripe = self.early.iter().take_while(|(since, _)| !waits(*since)).count();
        self.early.drain(..ripe).map(|(_, report)| as_it_is(report)).collect()
    }

    /// Counts a part's receipt. Returns the whole's, where this is the one that decides.
    fn count(&mut self, no: GroupNo, number: u8, report: Report) -> Option<Receipt> {
        let group = self.groups.get_mut(&no)?;
        let total = usize::from(group.total);
        let decides = match report.kind {
            ReceiptKind::Delivered => group.delivered.insert(number) && group.delivered.len() == total,
            ReceiptKind::Failed => group.failed.insert(number) && group.failed.len() == 1,
            // One part on its way says nothing of the others.
            ReceiptKind::Sent | ReceiptKind::Read | ReceiptKind::Acknowledged => total == 1,
        };
        let attempt = group.attempt;
        let of = match group.ids.first().cloned() {
            Some(first) => ReceiptRef::Both(first, attempt),
            None => ReceiptRef::Attempt(attempt),
        };
        // Kept until each part has reported: the first part's success must not speak for a whole that failed.
        if group.delivered.union(&group.failed).count() == total {
            self.forget(no);
        }
        decides.then_some(Receipt { of, kind: report.kind, reason: report.reason, at: report.at })
    }

    fn forget(&mut self, no: GroupNo) {
        self.open.remove(&no);
        for id in self.groups.remove(&no).into_iter().flat_map(|group| group.ids) {
            // An SMSC that has used up its ids begins again: the id is the later message's then.
            if self.ids.get(&id).is_some_and(|(holder, _)| *holder == no) {
                self.ids.remove(&id);
            }
        }
    }
}

/// A receipt of an id that only the core can know.
fn as_it_is(report: Report) -> Receipt {
    Receipt { of: ReceiptRef::Provider(report.id), kind: report.kind, reason: report.reason, at: report.at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{DeliveryId, MessageId};

    fn attempt(n: u16) -> AttemptId {
        AttemptId::new(DeliveryId::new(MessageId::from_bytes([7; 16]), 0), n)
    }

    fn report(id: &str, kind: ReceiptKind) -> Report {
        Report { id: id.into(), kind, reason: None, at: None }
    }

    /// Writes a receipt as `ID/ATTEMPT KIND`.
    fn shown(receipts: impl IntoIterator<Item = Receipt>) -> Vec<String> {
        let of = |of: ReceiptRef| match of {
            ReceiptRef::Provider(id) => id,
            ReceiptRef::Both(id, attempt) => format!("{id}/{}", attempt.n),
            ReceiptRef::Attempt(attempt) => format!("/{}", attempt.n),
        };
        receipts.into_iter().map(|r| format!("{} {}", of(r.of), r.kind)).collect()
    }

    #[test]
    fn a_whole_is_delivered_when_each_part_is() {
        let mut parts = Parts::default();
        let now = Instant::now();
        let no = parts.open(attempt(3), 3);
        for (number, id) in [(1, "a"), (2, "b"), (3, "c")] {
            assert!(parts.learn(no, number, id).is_empty());
        }
        parts.close(no);
        for id in ["c", "a", "a", "c"] {
            assert_eq!(parts.hear(report(id, ReceiptKind::Delivered), now), None);
        }
        assert_eq!(parts.hear(report("b", ReceiptKind::Sent), now), None);
        assert_eq!(shown(parts.hear(report("b", ReceiptKind::Delivered), now)), ["a/3 delivered"]);
        assert!(parts.groups.is_empty() && parts.ids.is_empty());
    }

    #[test]
    fn a_whole_has_failed_when_one_part_has() {
        let mut parts = Parts::default();
        let now = Instant::now();
        let no = parts.open(attempt(1), 2);
        parts.learn(no, 1, "a");
        parts.learn(no, 2, "b");
        parts.close(no);
        assert_eq!(shown(parts.hear(report("b", ReceiptKind::Failed), now)), ["a/1 failed"]);
        assert_eq!(parts.hear(report("b", ReceiptKind::Failed), now), None);
        assert_eq!(parts.hear(report("a", ReceiptKind::Delivered), now), None);
        assert!(parts.ids.is_empty());
    }

    #[test]
    fn what_comes_before_its_id_is_kept_for_it() {
        let mut parts = Parts::default();
        let start = Instant::now();
        let no = parts.open(attempt(1), 2);
        parts.learn(no, 1, "a");
        assert_eq!(parts.hear(report("b", ReceiptKind::Delivered), start), None);
        assert_eq!(parts.hear(report("other", ReceiptKind::Delivered), start), None);
        assert_eq!(parts.hear(report("a", ReceiptKind::Delivered), start), None);
        assert!(parts.release(start).is_empty());
        assert_eq!(shown(parts.learn(no, 2, "b")), ["a/1 delivered"]);
        parts.close(no);
        assert_eq!(shown(parts.release(start)), ["other delivered"]);
        // Nothing is expected: at once.
        assert_eq!(shown(parts.hear(report("c", ReceiptKind::Failed), start)), ["c failed"]);
    }

    #[test]
    fn nothing_waits_for_an_id_that_does_not_come() {
        let mut parts = Parts::default();
        let start = Instant::now();
        parts.open(attempt(1), 2);
        assert_eq!(parts.hear(report("x", ReceiptKind::Delivered), start), None);
        assert!(parts.release(start + EARLY_KEPT / 2).is_empty());
        assert_eq!(shown(parts.release(start + EARLY_KEPT)), ["x delivered"]);
        for n in 0..EARLY_MAX {
            assert_eq!(parts.hear(report(&n.to_string(), ReceiptKind::Delivered), start), None);
        }
        assert_eq!(shown(parts.hear(report("y", ReceiptKind::Delivered), start)), ["y delivered"]);
    }

    #[test]
    fn a_late_answer_names_its_attempt() {
        let mut parts = Parts::default();
        assert_eq!(shown(parts.learn_late(attempt(2), "a")), ["a/2 sent"]);
        let now = Instant::now();
        assert_eq!(shown(parts.hear(report("a", ReceiptKind::Delivered), now)), ["a/2 delivered"]);
        assert!(parts.groups.is_empty());
    }

    #[test]
    fn an_id_that_is_used_again_is_the_later_messages() {
        let mut parts = Parts::default();
        let now = Instant::now();
        let ids = [(1, "a"), (2, "b")];
        for n in [1, 2] {
            let no = parts.open(attempt(n), 2);
            ids.iter().for_each(|(number, id)| assert!(parts.learn(no, *number, id).is_empty()));
            parts.close(no);
        }
        parts.forget(GroupNo(1));
        assert_eq!(parts.hear(report("a", ReceiptKind::Delivered), now), None);
        assert_eq!(shown(parts.hear(report("b", ReceiptKind::Delivered), now)), ["a/2 delivered"]);
        assert!(parts.groups.is_empty() && parts.ids.is_empty());
    }

    #[test]
    fn a_message_that_was_refused_leaves_nothing_behind() {
        let mut parts = Parts::default();
        let no = parts.open(attempt(1), 2);
        parts.refused(no);
        parts.close(no);
        assert!(parts.groups.is_empty() && parts.open.is_empty());
        // A later part that is refused takes nothing from the first.
        let no = parts.open(attempt(1), 2);
        parts.learn(no, 1, "a");
        parts.refused(no);
        assert!(parts.groups.contains_key(&no) && parts.ids.contains_key("a"));
    }

    #[test]
    fn messages_without_an_answer_are_bounded() {
        let mut parts = Parts::default();
        for _ in 0..=GROUPS_MAX {
            let no = parts.open(attempt(1), 2);
            parts.close(no);
        }
        assert_eq!((parts.groups.len(), parts.groups.contains_key(&GroupNo(1))), (GROUPS_MAX, false));
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut parts = Parts::default();
        let first = parts.open(attempt(1), 2);
        parts.learn(first, 1, "first");
        for n in 0..IDS_MAX {
            let no = parts.open(attempt(2), 2);
            parts.learn(no, 1, &format!("id-{n}"));
            parts.close(no);
        }
        assert_eq!((parts.ids.len(), parts.ids.contains_key("first")), (IDS_MAX, false));
        assert!(parts.learn(first, 2, "second").is_empty() && !parts.ids.contains_key("second"));
    }
}
