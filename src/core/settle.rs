//! How deliveries end.

use super::Core;
use super::channel::Channel;
use super::effect::Event;
use super::ids::AttemptId;
use super::outbox::message::SETTLED;
use super::outbox::row::AttemptState;
use super::outcome::{DeliveryResult, Fault, Reason, ReceiptKind};
use super::record::{Delivery, Record, Settled};
use super::slab::{Handle, NONE};

impl Core {
    /// Ends a delivery. Attempts still in flight lose their delivery; their answers are recorded and change nothing.
    pub(super) fn settle(
        &mut self,
        handle: Handle,
        result: DeliveryResult,
        channel: Option<Channel>,
        attempt: Option<u16>,
        reason: Option<Reason>,
    ) {
        self.dequeue(handle);
        let Some(row) = self.rows.get(handle) else { return };
        let id = self.delivery_id(row);
        let open: Vec<(Handle, u16)> = self.open_attempts(handle).map(|(place, a)| (place, a.n)).collect();
        // Nobody can know yet what becomes of these.
        let in_flight = self.open_attempts(handle).filter(|(_, a)| a.state == AttemptState::InFlight).count();
        for (place, n) in open {
            self.release_attempt(place, AttemptId::new(id, n));
        }
        let Some(mut row) = self.rows.remove(handle) else { return };
        self.timers.cancel(&mut row.timer);
        self.rests.forget(handle);
        let drill = self.is_drill(row.message);
        let counts = self.counts.of(drill);
        *row.kind.count(counts) -= 1;
        counts.late -= u64::from(row.late);
        counts.settled[result as usize] += 1;
        let duplicated = usize::from(row.copies) + in_flight > 1;
        let settled = Settled { result, at: self.now, channel, attempt, reason, duplicated };
        self.store(Record::Delivery(Delivery {
            id,
            step: row.level,
            attempts: row.attempts,
            rounds: row.rounds,
            barred: row.barred.0,
            result: Some(settled),
        }));
        let Some(message) = self.messages.get_mut(row.message) else { return };
        message.rows[row.index as usize] = SETTLED;
        message.progress.settled[result as usize] += 1;
        if let Some(class) = message.classes.get_mut(row.class as usize) {
            class.open = class.open.saturating_sub(1);
        }
        let (severity, since) = (message.facts.severity, message.facts.accepted_at);
        let over = message.settled() >= message.facts.recipients;
        self.dirty.insert(row.message);
        let fault: Option<Fault> = reason.map(Reason::fault);
        let took = self.now - since;
        self.event(Event::Settled {
            delivery: id,
            result,
            channel,
            took,
            severity,
            fault,
            duplicated,
            drill,
        });
        if over {
            self.finish_message(row.message);
        }
    }

    /// Ends a delivery whose message has expired or was withdrawn, as soon as its open attempts allow. Nothing more is
    /// sent; what a provider holds is waited for until the expiry.
    pub(super) fn wind_up(&mut self, handle: Handle) {
        self.dequeue(handle);
        let Some(row) = self.rows.get_mut(handle) else { return };
        if row.backing_off {
            row.backing_off = false;
            self.timers.cancel(&mut row.timer);
        }
        let Some(row) = self.rows.get(handle) else { return };
        let Some(frame) = self.frame(row) else { return };
        let (was_taken, left) = (row.was_taken, row.left.and_then(|(_, reason)| reason));
        let (sent, in_flight, unknown) = self.open_states(handle);
        let expired = frame.expiry <= self.now;
        if in_flight || (!expired && (sent || unknown)) {
            return self.recount(handle);
        }
        if sent {
            return self.end_unconfirmed(handle);
        }
        match () {
            // No provider confirmed it and it may have gone out: neither "expired" nor "cancelled" would be true.
            () if unknown => {
                self.settle(handle, DeliveryResult::Failed, None, None, left.or(Some(Reason::Timeout)))
            }
            // It was open when a backup was made that is in use now: it may have gone out since.
            () if frame.restored => {
                self.settle(handle, DeliveryResult::Failed, None, None, left.or(Some(Reason::Restart)))
            }
            // A provider took it and said later that it failed: "recalled before it was sent" would not be true.
            () if was_taken => self.settle(handle, DeliveryResult::Failed, None, None, left),
            () => {
                let result = frame.withdrawn.unwrap_or(DeliveryResult::Expired);
                let reason = if frame.withdrawn.is_some() { None } else { left };
                self.settle(handle, result, None, None, reason);
            }
        }
    }

    /// Ends a delivery that a provider took and nothing settled: with the best that was ever said of it.
    pub(super) fn end_unconfirmed(&mut self, handle: Handle) {
        let best = self
            .open_attempts(handle)
            .filter(|(_, a)| a.state == AttemptState::Sent)
            .max_by_key(|(_, a)| (a.progress, std::cmp::Reverse(a.n)))
            .map(|(_, a)| (a.progress, a.channel, a.n));
        let Some((progress, channel, n)) = best else { return };
        let result = progress.map_or(DeliveryResult::HandedOver, ReceiptKind::result);
        self.settle(handle, result, Some(channel), Some(n), None);
    }

    /// Takes an attempt that is over off its delivery.
    pub(super) fn drop_attempt(&mut self, place: Handle) {
        let Some(attempt) = self.attempts.get(place) else { return };
        let (handle, next, state, gateway) = (attempt.row, attempt.next, attempt.state, attempt.gateway);
        let (progress, age, repeat) = (attempt.progress, self.now - attempt.taken_at, attempt.repeat);
        if state != AttemptState::InFlight
            && let Some(g) = self.fleet.get_mut(gateway)
        {
            g.unconfirmed = g.unconfirmed.saturating_sub(1);
        }
        if state == AttemptState::Sent && progress < Some(ReceiptKind::Delivered) {
            self.unwatch_receipt(handle, gateway, repeat, age);
        }
        self.unlink(handle, place, next);
        if let Some(mut attempt) = self.attempts.remove(place) {
            self.timers.cancel(&mut attempt.timer);
            if let Some(provider) = attempt.provider {
                // A provider that counts from the start again has given the name to a later attempt.
                let name = (attempt.gateway, provider);
                if self.provider_ids.get(&name) == Some(&place) {
                    self.provider_ids.remove(&name);
                }
            }
        }
    }

    /// Lets an attempt go with its settled delivery; one in flight stays until its answer, without a delivery.
    fn release_attempt(&mut self, place: Handle, id: AttemptId) {
        let Some(attempt) = self.attempts.get_mut(place) else { return };
        if attempt.state != AttemptState::InFlight {
            return self.drop_attempt(place);
        }
        let (handle, next) = (attempt.row, attempt.next);
        attempt.row = NONE;
        attempt.next = NONE;
        self.orphans.insert(id, place);
        self.unlink(handle, place, next);
    }

    fn unlink(&mut self, handle: Handle, place: Handle, next: Handle) {
        let Some(row) = self.rows.get_mut(handle) else { return };
        if row.first == place {
            row.first = next;
            return;
        }
        let mut at = row.first;
        while let Some(attempt) = self.attempts.get_mut(at) {
            if attempt.next == place {
                attempt.next = next;
                return;
            }
            at = attempt.next;
        }
    }

    /// Writes what of a delivery's state cannot be told from its attempts.
    pub(super) fn store_row(&mut self, handle: Handle) {
        let Some(row) = self.rows.get(handle) else { return };
        let id = self.delivery_id(row);
        self.store(Record::Delivery(Delivery {
            id,
            step: row.level,
            attempts: row.attempts,
            rounds: row.rounds,
            barred: row.barred.0,
            result: None,
        }));
    }
}
