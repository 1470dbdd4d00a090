//! One connection to an SMSC from its bind on, without the socket: octets come in, octets go out, time is told.
//!
//! Cites: SMPP 3.4, 2.2 (states), 7.2 (timers). Timers are the usual ones of Kannel and Jasmin.
//!
//! Limits: unanswered submits by the window, which throttling halves; receipts not yet taken by [`RECEIPTS_MAX`];
//! octets to write by [`OUT_FULL`], after which nothing more is read.
//!
//! Invariant: a job is answered with an outcome, or dropped; whoever waits for it knows by its stage whether it can
//! have gone out. A receipt that decides is acknowledged once it was taken, so a stopped service loses none but those
//! that [`super::parts`] keeps for an id that may still come.

use super::Shared;
use super::dlr::{self, Inbound};
use super::inbound::{Joining, Units};
use super::outcome::{self, VendorCodes, outcome};
use super::parts::GroupNo;
use super::pdu::{self, Delivered, Hear, Heard, Login, Role, Say, SubmitSm};
use crate::adapter::Answered;
use crate::core::ids::AttemptId;
use crate::core::outcome::{Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use crate::core::reply::Reply;
use crate::core::time::Span;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a bind may take to be answered: some SMSCs look the account up far away.
const BIND_TIME: Duration = Duration::from_secs(10);
/// How often the link is asked whether it lives.
const ENQUIRE_EVERY: Duration = Duration::from_secs(30);
/// How long that may take.
const ENQUIRE_TIME: Duration = Duration::from_secs(10);
/// With submits unanswered and nothing heard for so long, the link is asked at once: it costs nothing, and a dead
/// one is left in 15 s rather than 40.
const SILENCE: Duration = Duration::from_secs(5);
/// How long an unanswered submit takes a place of the window. Attempts are given up within 10 s; an answer may
/// still come after that.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// The most receipts that wait to be taken; the SMSC brings the rest again.
const RECEIPTS_MAX: usize = 1_000;
/// With so many octets unwritten, nothing more is read: the peer does not read either.
pub(super) const OUT_FULL: usize = 256 * 1024;
/// How many accepted submits give back one place of a window that throttling had halved.
const RECOVERY: usize = 32;

/// How far a job has come.
#[derive(Clone, Default)]
pub(super) struct Stage(Arc<AtomicU8>);

const QUEUED: u8 = 0;
const WRITTEN: u8 = 1;
const WITHDRAWN: u8 = 2;

impl Stage {
    /// Gives a job up. Says whether it certainly was not sent, and will not be.
    pub(super) fn withdraw(&self) -> bool {
        self.0.compare_exchange(QUEUED, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn write(&self) -> bool {
        self.0.compare_exchange(QUEUED, WRITTEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// One unit to submit, and who waits for what becomes of it.
pub(super) struct Job {
    pub(super) submit: SubmitSm,
    pub(super) attempt: AttemptId,
    /// Which part of which message, where it is one of several.
    pub(super) part: Option<(GroupNo, u8)>,
    /// When it is too late to write it, where that can be. A message that has begun is finished.
    pub(super) until: Option<Instant>,
    pub(super) stage: Stage,
    pub(super) reply: oneshot::Sender<Answered>,
}

/// A submit without an answer.
struct Submitted {
    attempt: AttemptId,
    part: Option<(GroupNo, u8)>,
    reply: oneshot::Sender<Answered>,
    at: Instant,
}

/// What the SMSC tells on its own.
#[derive(Clone)]
pub(super) enum News {
    Receipt(Receipt),
    Reply(Reply),
}

/// News, and the units that they came in.
type Told = (News, Units);

/// The session.
pub(super) struct Session<'a> {
    shared: &'a Shared,
    input: Vec<u8>,
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    sequence: u32,
    bound: bool,
    opened: Instant,
    heard: Instant,
    enquired: Instant,
    enquiry: Option<u32>,
    waiting: BTreeMap<u32, Submitted>,
    window: Window,
    told: VecDeque<Told>,
    joining: Joining,
    /// The vendor's codes that the log has told of; at most as many as there are.
    unnamed: BTreeSet<u32>,
}

impl<'a> Session<'a> {
    /// Starts by asking to bind.
    pub(super) fn open(shared: &'a Shared, role: Role, login: Login, now: Instant) -> Session<'a> {
        let mut session = Session {
            shared,
            input: Vec::new(),
            out: Vec::new(),
            written: 0,
            sequence: 0,
            bound: false,
            opened: now,
            heard: now,
            enquired: now,
            enquiry: None,
            waiting: BTreeMap::new(),
            window: Window::new(shared.window),
            told: VecDeque::new(),
            joining: Joining::new(),
            unnamed: BTreeSet::new(),
        };
        session.ask(&Say::Bind(role, login));
        session
    }

    /// Says whether the SMSC has let us in.
    pub(super) fn is_bound(&self) -> bool {
        self.bound
    }

    /// Says whether another submit may go out.
    pub(super) fn has_room(&self) -> bool {
        self.bound && self.waiting.len() < self.window.open && self.out.len() < OUT_FULL
    }

    /// Says whether more may be read.
    pub(super) fn can_hear(&self) -> bool {
        self.out.len() < OUT_FULL
    }

    /// Returns the octets to write.
    pub(super) fn to_write(&self) -> &[u8] {
        &self.out[self.written..]
    }

    /// Notes that so many of them were written.
    pub(super) fn wrote(&mut self, count: usize) {
        self.written += count;
        if self.written >= self.out.len() {
            self.out.clear();
            self.written = 0;
        }
    }

    /// Returns the news that are next to be taken.
    pub(super) fn news(&self) -> impl Iterator<Item = &News> {
        self.told.iter().map(|(news, _)| news)
    }

    /// Notes that the first so many were taken, and acknowledges them.
    pub(super) fn taken(&mut self, count: usize) {
        for (_, units) in self.told.drain(..count.min(self.told.len())) {
            for (say, sequence) in units {
                say.encode(outcome::OK, sequence, &mut self.out);
            }
        }
    }

    /// Submits, unless it was withdrawn or has expired meanwhile.
    pub(super) fn submit(&mut self, job: Job, now: Instant) {
        if job.until.is_some_and(|until| now >= until) {
            // Not a deferral: nobody else is to wait because this one came too late.
            let outcome = Outcome::Rejected { reason: Reason::Busy };
            // Whoever waited may have left, and knows by the stage that it was not sent.
            let _ = job.reply.send(Answered { outcome, took: Span::ZERO });
            return;
        }
        if !job.stage.write() {
            return;
        }
        let sequence = self.ask(&Say::SubmitSm(job.submit));
        let Job { attempt, part, reply, .. } = job;
        self.waiting.insert(sequence, Submitted { attempt, part, reply, at: now });
    }

    /// Drops every submit that has no answer: whoever waits learns that it may have gone out.
    pub(super) fn drop_submitted(&mut self) {
        self.waiting.clear();
    }

    /// Takes octets from the wire.
    ///
    /// # Errors
    /// Why the session is over. What is left to write may still be written.
    pub(super) fn hear(&mut self, octets: &[u8], now: Instant) -> Result<(), Reason> {
        self.input.extend_from_slice(octets);
        let input = std::mem::take(&mut self.input);
        let mut rest = input.as_slice();
        let result = loop {
            let whole = match pdu::unit_length(rest) {
                Ok(length) => length.and_then(|length| rest.split_at_checked(length)),
                Err(_) => break Err(Reason::Unreadable),
            };
            let Some((unit, after)) = whole else { break Ok(()) };
            rest = after;
            if let Err(reason) = self.heard(pdu::decode(unit), now) {
                break Err(reason);
            }
        };
        self.input = rest.to_vec();
        result
    }

    /// Does what time asks for; to be called about every second.
    ///
    /// # Errors
    /// The SMSC does not answer any more.
    pub(super) fn tick(&mut self, now: Instant) -> Result<(), Reason> {
        let since = |then: Instant| now.saturating_duration_since(then);
        if !self.bound {
            return if since(self.opened) < BIND_TIME { Ok(()) } else { Err(Reason::Timeout) };
        }
        if self.enquiry.is_some() && since(self.enquired) >= ENQUIRE_TIME {
            return Err(Reason::Timeout);
        }
        let oldest = self.waiting.values().map(|submitted| submitted.at).min();
        let silent = oldest.is_some_and(|at| since(at) >= SILENCE) && since(self.heard) >= SILENCE;
        if self.enquiry.is_none() && (silent || since(self.enquired) >= ENQUIRE_EVERY) {
            self.enquiry = Some(self.ask(&Say::EnquireLink));
            self.enquired = now;
        }
        self.waiting.retain(|_, submitted| since(submitted.at) < ANSWER_TIME);
        let released = self.shared.parts().release(now);
        self.tell(released);
        let over = self.joining.over(now);
        self.tell_of(over);
        Ok(())
    }

    fn heard(&mut self, heard: Heard, now: Instant) -> Result<(), Reason> {
        let Heard { status, sequence, body } = heard;
        self.heard = now;
        match body {
            Hear::EnquireLinkResp => self.enquiry = None,
            Hear::GenericNack if self.enquiry == Some(sequence) => self.enquiry = None,
            Hear::BindResp | Hear::GenericNack if !self.bound => return self.answered_bind(status),
            Hear::SubmitSmResp { message_id } => {
                self.answered(sequence, status, now, |vendor| outcome(status, message_id, vendor));
                // It has forgotten the bind: only a new one helps.
                if status == outcome::NOT_BOUND {
                    return Err(Reason::NotConnected);
                }
            }
            Hear::GenericNack => {
                // A refusal by a status that says "fine" says nothing.
                let status = if status == outcome::OK { outcome::INVALID_COMMAND } else { status };
                self.answered(sequence, status, now, |vendor| outcome(status, None, vendor));
            }
            Hear::UnreadableResponse => {
                let unknown = Outcome::Unknown { reason: Reason::Unreadable };
                self.answered(sequence, status, now, |_| unknown);
            }
            Hear::DeliverSm(delivered) => self.brought(&delivered, Say::DeliverSmResp, sequence, now),
            Hear::DataSm(delivered) => self.brought(&delivered, Say::DataSmResp, sequence, now),
            Hear::EnquireLink => self.answer(&Say::EnquireLinkResp, outcome::OK, sequence),
            Hear::Unbind => {
                self.answer(&Say::UnbindResp, outcome::OK, sequence);
                return Err(Reason::ServiceDown);
            }
            Hear::UnknownRequest => self.answer(&Say::GenericNack, outcome::INVALID_COMMAND, sequence),
            Hear::UnreadableRequest => self.answer(&Say::GenericNack, outcome::INVALID_LENGTH, sequence),
            Hear::BindResp | Hear::UnbindResp | Hear::Idle => {}
        }
        Ok(())
    }

    fn answered_bind(&mut self, status: u32) -> Result<(), Reason> {
        if status != outcome::OK {
            let reason = outcome::reason(status, &self.shared.vendor);
            let gateway = self.shared.gateway.as_str();
            tracing::warn!(gateway, status = format_args!("{status:#06x}"), %reason, "the SMSC refused the bind");
            return Err(reason);
        }
        self.bound = true;
        Ok(())
    }

    /// Reads the answer to a submit and hands it to whoever waits; whoever has left hears of it as of a receipt.
    fn answered(
        &mut self,
        sequence: u32,
        status: u32,
        now: Instant,
        read: impl FnOnce(&VendorCodes) -> Outcome,
    ) {
        let Some(submitted) = self.waiting.remove(&sequence) else { return };
        let Submitted { attempt, part, reply, at } = submitted;
        let mut outcome = read(&self.shared.vendor);
        self.note_unnamed(status);
        self.window.learn(&outcome);
        let mut receipts = Vec::new();
        match (&mut outcome, part) {
            (Outcome::Accepted { provider_id: Some(id) }, part) => {
                *id = self.shared.dialect.ids.of_response(id);
                if let Some((no, number)) = part {
                    receipts = self.shared.parts().learn(no, number, id);
                }
            }
            (Outcome::Rejected { .. } | Outcome::Deferred { .. }, Some((no, _))) => {
                self.shared.parts().refused(no);
            }
            _ => {}
        }
        let took = now.saturating_duration_since(at).as_millis();
        let took = Span::from_ms(i64::try_from(took).unwrap_or(i64::MAX));
        if let Err(late) = reply.send(Answered { outcome, took })
            && part.is_none()
        {
            receipts = self.late(attempt, late.outcome);
        }
        self.tell(receipts);
    }

    /// Says what became of an attempt that was given up.
    fn late(&mut self, attempt: AttemptId, outcome: Outcome) -> Vec<Receipt> {
        let of = ReceiptRef::Attempt(attempt);
        match outcome {
            Outcome::Accepted { provider_id: Some(id) } => self.shared.parts().learn_late(attempt, &id),
            Outcome::Accepted { provider_id: None } => {
                vec![Receipt { of, kind: ReceiptKind::Sent, reason: None, at: None }]
            }
            Outcome::Rejected { reason } | Outcome::Deferred { reason, .. } => {
                vec![Receipt { of, kind: ReceiptKind::Failed, reason: Some(reason), at: None }]
            }
            Outcome::Unknown { .. } => Vec::new(),
        }
    }

    /// Tells once of a vendor's code that the settings do not name: an operator can look it up.
    fn note_unnamed(&mut self, status: u32) {
        let named = self.shared.vendor.contains_key(&status);
        if outcome::VENDOR.contains(&status) && !named && self.unnamed.insert(status) {
            let gateway = self.shared.gateway.as_str();
            let status = format_args!("{status:#06x}");
            tracing::warn!(gateway, %status, "the SMSC refuses with a code of its own; name it in `statuses`");
        }
    }

    /// Takes what the SMSC brings: a receipt and a person's words are acknowledged when they were taken, all else at once.
    fn brought(&mut self, delivered: &Delivered, say: Say, sequence: u32, now: Instant) {
        if self.told.len() >= RECEIPTS_MAX {
            return self.answer(&say, outcome::COME_AGAIN, sequence);
        }
        let receipt = match dlr::read(delivered, &self.shared.dialect) {
            Inbound::Receipt(report) => self.shared.parts().hear(report, now),
            Inbound::Silent => None,
            Inbound::Message => {
                match self.joining.push(delivered, self.shared.alphabet, (say, sequence), now) {
                    Ok(whole) => self.tell_of(whole),
                    // A device's word is of no use, and unanswered it would come again for ever.
                    Err(unit) => self.answer(&unit.0, outcome::OK, unit.1),
                }
                return;
            }
        };
        match receipt {
            Some(receipt) => self.told.push_back((News::Receipt(receipt), vec![(say, sequence)])),
            None => self.answer(&say, outcome::OK, sequence),
        }
    }

    fn tell(&mut self, receipts: Vec<Receipt>) {
        self.told.extend(receipts.into_iter().map(|receipt| (News::Receipt(receipt), Vec::new())));
    }

    fn tell_of(&mut self, replies: Vec<(Reply, Units)>) {
        self.told.extend(replies.into_iter().map(|(reply, units)| (News::Reply(reply), units)));
    }

    fn answer(&mut self, say: &Say, status: u32, sequence: u32) {
        say.encode(status, sequence, &mut self.out);
    }

    fn ask(&mut self, say: &Say) -> u32 {
        self.sequence = if self.sequence >= pdu::SEQUENCE_MAX { 1 } else { self.sequence + 1 };
        say.encode(outcome::OK, self.sequence, &mut self.out);
        self.sequence
    }
}

/// How many submits may be unanswered: as many as configured, fewer after throttling.
struct Window {
    most: usize,
    open: usize,
    accepted: usize,
}

impl Window {
    fn new(most: usize) -> Window {
        Window { most, open: most, accepted: 0 }
    }

    fn learn(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Deferred { reason: Reason::Throttled, .. } => {
                self.open = (self.open / 2).max(1);
                self.accepted = 0;
            }
            Outcome::Accepted { .. } if self.open < self.most => {
                self.accepted += 1;
                if self.accepted >= RECOVERY {
                    self.accepted = 0;
                    self.open += 1;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
