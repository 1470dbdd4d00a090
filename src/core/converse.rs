//! What recipients say: each word is kept, an answer settles, a call for help is raised, a wish for silence is honoured.
//!
//! An answer is a receipt of its attempt: it settles what waits for that, and what has settled stays as it is, with the
//! answer on record beside it. A person's last answer counts, but "received" never takes back "safe" or "I need help".

use super::Core;
use super::effect::{Effect, Event};
use super::ids::{AttemptId, MessageId};
use super::input::{Answered, Spoken};
use super::message::SERVICE;
use super::outcome::{Receipt, ReceiptKind, ReceiptRef};
use super::reading;
use super::record::{Progress, Record};
use super::reply::{Asks, KeptReply, LastAnswer, ReplyKind};
use std::collections::{BTreeMap, VecDeque};

/// Of how many ended messages the progress is remembered, so that answers to them are counted from where they were: far
/// more than can end between a look at the store and its answer.
const ENDED_MAX: usize = 10_000;

/// How far messages are that have ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    of: BTreeMap<MessageId, Progress>,
    order: VecDeque<MessageId>,
}

impl Ended {
    /// Remembers one.
    pub(super) fn put(&mut self, progress: Progress) {
        let id = progress.message;
        if self.of.insert(id, progress).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > ENDED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
    }

    /// Returns one that is remembered, else what the store said, where that is not from before its end.
    fn take_up(&mut self, stored: &Progress) -> Option<&mut Progress> {
        if !self.of.contains_key(&stored.message) && !stored.open {
            self.put(stored.clone());
        }
        self.of.get_mut(&stored.message)
    }
}

impl Core {
    /// Takes what a recipient said.
    pub(super) fn replied(&mut self, spoken: Spoken) {
        let Spoken { gateway, reply, sender, of } = spoken;
        let Some(g) = self.fleet.get(gateway) else { return };
        let (name, channel) = (g.config.name.clone(), g.config.channel);
        let asks = of.as_ref().map_or(Asks::NOTHING, |of| of.message.asks);
        let kind = reading::read(&reply.said, asks);
        let kept = KeptReply {
            at: self.now,
            gateway: name,
            channel,
            from: reply.from,
            said: reply.said,
            id: reply.id,
            sent_at: reply.at,
            kind,
            of: of.as_ref().map(|of| of.attempt),
            quoted: of.as_ref().is_some_and(|of| of.quoted),
            incident: of.as_ref().and_then(|of| of.message.incident.clone()),
        };
        let (who, stranger) = (kept.caller(), kept.stranger());
        self.store(Record::Reply(kept));
        let message = of.as_ref().map(|of| of.message.id);
        let drill = of.as_ref().is_some_and(|of| of.message.status.is_drill());
        self.event(Event::Replied { gateway, kind, message });
        match kind {
            ReplyKind::OptOut | ReplyKind::OptIn => {
                let out = kind == ReplyKind::OptOut;
                let since = out.then_some(self.now);
                self.store(Record::OptOut { channel, address: sender, since });
                self.audit(SERVICE, kind.name(), channel.name().into(), String::new());
                self.effects.push_back(Effect::OptOut { channel, address: sender, out });
            }
            ReplyKind::NeedHelp => {
                let of_rule =
                    |of: &Answered| self.whom(of.message.severity, of.message.status, of.rule.as_ref()?);
                let whom = of.as_ref().and_then(of_rule);
                self.raise(who, drill, whom);
            }
            // Who plays that all is well takes back no call that was meant.
            ReplyKind::Safe if drill => {
                self.help.close(who);
            }
            ReplyKind::Safe => {
                self.help.close(who);
                self.help.close(stranger);
            }
            ReplyKind::Plain | ReplyKind::Acknowledged => {}
        }
        if let Some(of) = of.filter(|_| kind.is_answer()) {
            self.answer(&of, kind);
        }
    }

    /// Counts an answer, and lets it settle what it may.
    fn answer(&mut self, of: &Answered, kind: ReplyKind) {
        let before = of.before;
        let says_less = kind == ReplyKind::Acknowledged && before.is_some();
        if !says_less && before != Some(kind) {
            let (delivery, at) = (of.attempt.delivery, self.now);
            self.store(Record::Answer(LastAnswer { of: delivery, kind, at }));
            self.count_answer(&of.progress, before, kind);
        }
        self.acknowledged(of.attempt);
    }

    fn count_answer(&mut self, stored: &Progress, before: Option<ReplyKind>, kind: ReplyKind) {
        if let Some(handle) = self.message_of.get(&stored.message).copied() {
            if let Some(open) = self.messages.get_mut(handle) {
                open.progress.answers.count(before, kind);
                self.dirty.insert(handle);
            }
            return;
        }
        let Some(progress) = self.ended.take_up(stored) else { return };
        progress.answers.count(before, kind);
        let progress = progress.clone();
        self.store(Record::Progress(progress));
    }

    /// An answer says all that a receipt can say.
    fn acknowledged(&mut self, attempt: AttemptId) {
        let of = ReceiptRef::Attempt(attempt);
        let receipt = Receipt { of, kind: ReceiptKind::Acknowledged, reason: None, at: None };
        match self.find_attempt(attempt) {
            Some(place) => self.receipt_on(place, Some(attempt), receipt),
            None if self.is_kept(attempt) => self.receipt_on_kept(attempt, receipt),
            // It has settled: recorded, and nothing else.
            None => {
                let (kind, at) = (receipt.kind, self.now);
                self.store(Record::Receipt { attempt, kind, at, reason: None });
            }
        }
    }
}
