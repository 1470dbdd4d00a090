//! Ends what is open to somebody who was erased.

use super::Core;
use super::effect::Event;
use super::ids::DeliveryId;
use super::message::{CHUNK_RECIPIENTS, Recipient, SERVICE};
use super::outbox::message::SETTLED;
use super::outcome::{DeliveryResult, Reason};
use super::reply::Caller;
use super::slab::{Handle, NONE};
use std::sync::Arc;

impl Core {
    /// Ends these deliveries, and takes the addresses out of what is at hand of their audiences. What is not at hand is read
    /// back without them.
    pub(super) fn erase(&mut self, pseudonym: &str, deliveries: &[DeliveryId]) {
        for id in deliveries {
            let Some(handle) = self.message_of.get(&id.message).copied() else { continue };
            let Some(message) = self.messages.get_mut(handle) else { continue };
            match message.rows.get(id.index as usize).copied() {
                None | Some(SETTLED) => {}
                Some(NONE) => {
                    let first = message.next as usize / CHUNK_RECIPIENTS;
                    let (chunk, place) =
                        (id.index as usize / CHUNK_RECIPIENTS, id.index as usize % CHUNK_RECIPIENTS);
                    let held = chunk.checked_sub(first).and_then(|at| message.chunks.get_mut(at));
                    if let Some(person) = held.and_then(|people| Arc::make_mut(people).get_mut(place)) {
                        *person = Recipient::erased(pseudonym);
                    }
                }
                Some(row) => self.end_erased(row),
            }
        }
    }

    /// Closes what an erased person called for help: nobody could be found by it, and after the next start nothing would know of
    /// it. What was open is on record, and what was meant is told to the people.
    pub(super) fn close_calls_of_erased(
        &mut self,
        pseudonym: &str,
        deliveries: &[DeliveryId],
        calls: &[Caller],
    ) {
        let callers = deliveries.iter().copied().map(Caller::Of).chain(calls.iter().copied());
        let (mut closed, mut meant) = (0_u32, 0_u32);
        for caller in callers {
            meant += u32::from(self.help.is_meant(caller));
            closed += u32::from(self.help.close(caller));
        }
        if meant > 0 {
            self.event(Event::HelpErased { calls: meant, at: self.now });
        }
        if closed > 0 {
            let reason = format!("erased; calls for help that were open: {closed}");
            self.audit(SERVICE, "close_help", pseudonym.to_owned(), reason);
        }
    }

    /// Ends a delivery to somebody who was erased: with what is known of its attempts, and the reason.
    pub(super) fn end_erased(&mut self, handle: Handle) {
        self.dequeue(handle);
        let Some(row) = self.rows.get_mut(handle) else { return };
        let (was_taken, copies) = (row.was_taken, row.copies);
        if row.backing_off {
            row.backing_off = false;
            self.timers.cancel(&mut row.timer);
        }
        let (sent, in_flight, unknown) = self.open_states(handle);
        if sent {
            return self.end_unconfirmed(handle);
        }
        // It may have gone out, by this store or by the one that this was restored from: to say that it was recalled before
        // would not be true.
        let may_be_out = in_flight || unknown || was_taken || copies > 0;
        let result = if may_be_out { DeliveryResult::Failed } else { DeliveryResult::Cancelled };
        self.settle(handle, result, None, None, Some(Reason::Erased));
    }
}
