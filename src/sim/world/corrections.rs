//! Callers who take their words back.

use super::World;
use crate::core::ids::MessageId;
use crate::core::input::{Accept, Command, Input, Ticket};
use crate::core::query::{Answer, Query, ROWS_MAX};
use crate::core::time::Span;
use crate::store::outbox::Outbox;

/// Who waits for a message to be stopped before it is corrected.
pub(super) const CORRECTING: Ticket = Ticket(2);

impl World {
    /// Stops a message that is to be corrected: one of the last, which may be on its way, ended or withdrawn.
    pub(super) fn begin_correction(&mut self) {
        let Some(message) = self.lately() else { return };
        self.stopping.push_back(message);
        let command = Command::Correct { message, reason: "drawn".into() };
        self.core.handle(Input::Command { ticket: CORRECTING, who: "noc".into(), command }, self.now);
    }

    /// It is stopped, and that is on disk: nothing of it may leave any more.
    pub(super) fn stopped(&mut self) {
        let Some(message) = self.stopping.pop_front() else { return };
        self.ledger.stopped.insert(message);
        // At once, as the interface does, or after a look at the disk that took its time.
        let slow = if self.chance(500) { 0 } else { self.rng.below(3_000) };
        let when = self.now + Span::from_ms(slow as i64);
        self.at(when, super::Happening::Correct { message, life: self.life });
    }

    /// Reads who may have got it, as the interface does, and gives them other words.
    pub(super) fn correct(&mut self, of: MessageId) {
        let reader = self.disk.reader();
        let read = |query: &Query| reader.answer(query).map(|read| read.value);
        if let Ok(Answer::Correction(_)) = read(&Query::CorrectionOf(of)) {
            return;
        }
        let Ok(Answer::Message(message, _)) = read(&Query::Message(of)) else { return };
        let (mut told, mut after) = (Vec::new(), None);
        while let Ok(Answer::Deliveries(stories)) =
            read(&Query::Deliveries { message: of, after, limit: ROWS_MAX })
        {
            let Some(last) = stories.last() else { break };
            after = Some(last.id.index);
            let reached =
                |s: &_| message.corrects.is_some() || crate::core::query::DeliveryStory::may_have_arrived(s);
            told.extend(stories.into_iter().filter(reached).map(|s| (s.id.index, s.recipient)));
        }
        if told.is_empty() {
            self.ledger.corrected.insert(of, Default::default());
            return;
        }
        let (indexes, people) = told.into_iter().unzip();
        self.ledger.corrected.insert(of, indexes);
        let correction = super::message(message.severity, people, Some(of));
        let correction = Accept { status: message.status, ..correction };
        self.core.handle(Input::Accept(Box::new(correction)), self.now);
    }
}
