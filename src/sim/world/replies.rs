//! Recipients who answer: late, twice, by words that mean something or nothing.

use super::{Happening, World};
use crate::core::effect::Order;
use crate::core::input::{Answered, Input, Spoken};
use crate::core::outcome::ReceiptKind;
use crate::core::query::{Answer, Query, ROWS_MAX};
use crate::core::reply::{Answers, Reply, Said};
use crate::core::time::{Span, Timestamp};
use crate::sim::Broken;
use crate::store::outbox::Outbox;

/// Of a thousand who get a message, how many answer.
const ANSWER: u64 = 80;
/// What they say; the last means nothing certain.
const WORDS: [&str; 5] = ["تم", "safe", "ساعدوني", "ok", "أين؟"];
/// The least time between two answers of one person: the desk hands over one at a time.
const AGAIN: Span = Span::from_secs(5);

/// What somebody is about to say.
pub(super) struct Saying {
    order: Order,
    words: &'static str,
    id: u64,
}

impl World {
    /// Lets the recipient of what went out answer it, perhaps, and perhaps once more.
    pub(super) fn perhaps_answered(&mut self, order: &Order, base: Timestamp) {
        let mut when = base;
        while self.chance(ANSWER) {
            when = when + AGAIN + Span::from_ms(self.rng.below(600_000) as i64);
            let words = WORDS[self.rng.below(WORDS.len() as u64) as usize];
            let seen = self.ledger.seen.entry(order.attempt.delivery).or_default();
            seen.issued = seen.issued.max(Some(ReceiptKind::Acknowledged));
            let saying = Saying { order: order.clone(), words, id: self.rng.draw() };
            self.at(when, Happening::Say(Box::new(saying)));
        }
    }

    /// Hears it as the desk does, which has looked at the disk.
    pub(super) fn say(&mut self, Saying { order, words, id }: Saying) {
        let reader = self.disk.reader();
        let read = |query: &Query| reader.answer(query).map(|read| read.value);
        let attempt = order.attempt;
        let story = match read(&Query::Delivery(attempt.delivery)) {
            Ok(Answer::Deliveries(stories)) => stories.into_iter().next(),
            _ => None,
        };
        let of = match (story, read(&Query::Message(attempt.delivery.message))) {
            (Some(story), Ok(Answer::Message(message, progress))) => Some(Answered {
                attempt,
                quoted: true,
                message,
                progress,
                rule: story.plans.values().next().map(|plan| plan.rule.clone()),
                before: story.answer.map(|answer| answer.kind),
            }),
            _ => None,
        };
        let from = "+970599000001".to_owned();
        let reply = Reply { from, said: Said::text(words), id: id.to_string(), of: None, at: None };
        let spoken = Spoken { gateway: order.gateway, reply, sender: [0; 16], of };
        self.core.handle(Input::Reply(Box::new(spoken)), self.now);
    }

    /// Checks that each message counts exactly the answers that its deliveries have.
    pub(super) fn answers_add_up(&self) -> Result<(), Broken> {
        let reader = self.disk.reader();
        let read = |query: &Query| reader.answer(query).map(|read| read.value);
        for message in &self.messages {
            let Ok(Answer::Message(_, progress)) = read(&Query::Message(*message)) else { continue };
            let (mut counted, mut after) = (Answers::default(), None);
            while let Ok(Answer::Deliveries(stories)) =
                read(&Query::Deliveries { message: *message, after, limit: ROWS_MAX })
            {
                let Some(last) = stories.last() else { break };
                after = Some(last.id.index);
                stories.iter().filter_map(|s| s.answer).for_each(|answer| counted.count(None, answer.kind));
            }
            if counted != progress.answers {
                let why = format!("{message} counts {:?}, and has {counted:?}", progress.answers);
                return Err(self.ledger.broken(self.now, why));
            }
        }
        Ok(())
    }
}
