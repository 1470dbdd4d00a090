//! Takes a person out of the rows in memory.

use super::Rows;
use crate::core::erasure::{Erased, Erasure};
use crate::core::ids::AttemptId;
use crate::core::message::{CHUNK_RECIPIENTS, Recipient};
use crate::core::outcome::Outcome;
use std::sync::Arc;

impl Rows {
    pub(super) fn erase(&mut self, erasure: &Erasure) {
        if let Some(id) = &erasure.contact {
            self.contacts.remove(id);
        }
        for id in &erasure.deliveries {
            let (chunk, place) = (id.index / CHUNK_RECIPIENTS as u32, id.index as usize % CHUNK_RECIPIENTS);
            let people = self.audiences.get_mut(&(id.message, chunk));
            if let Some(person) = people.and_then(|people| Arc::make_mut(people).get_mut(place)) {
                *person = Recipient::erased(&erasure.pseudonym);
            }
            let attempts = (1..=u16::MAX).map(|n| AttemptId::new(*id, n));
            for attempt in attempts.take_while(|id| self.attempts.contains_key(id)).collect::<Vec<_>>() {
                let Some(attempt) = self.attempts.get_mut(&attempt) else { continue };
                if let Some((Outcome::Accepted { provider_id }, _)) = &mut attempt.outcome
                    && let Some(named) = provider_id.take()
                {
                    let key = (attempt.gateway.clone(), named);
                    if self.provider_ids.get(&key) == Some(&attempt.id) {
                        self.provider_ids.remove(&key);
                    }
                }
            }
        }
        for id in &erasure.deputy_of {
            if let Some(contact) = self.contacts.get_mut(id)
                && contact.deputy == erasure.deputy
            {
                contact.deputy = None;
            }
        }
        for reply in erasure.replies.iter().filter_map(|key| self.replies.remove(key)) {
            self.reply_ids.remove(&(reply.gateway, reply.id));
        }
    }

    pub(super) fn put_erased(&mut self, erased: Erased) {
        match erased {
            Erased::Secret(secret) => self.secret = Some(secret),
            Erased::Person { digest, at } => drop(self.erased.insert(digest, at)),
        }
    }

    pub(super) fn erased(&self) -> impl Iterator<Item = Erased> {
        let people = self.erased.iter().map(|(digest, at)| Erased::Person { digest: *digest, at: *at });
        self.secret.map(Erased::Secret).into_iter().chain(people)
    }
}
