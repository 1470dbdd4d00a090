//! Taking up again what the store kept.
//!
//! Rows are not read back at once: each open message starts with nothing materialised, and its frozen audience is asked of
//! the store chunk by chunk. What was in flight when the service stopped is unknown, and the rule decides.

use super::Core;
use super::channel::ChannelSet;
use super::ids::AttemptId;
use super::outbox::message::{Facts, Kept, SETTLED};
use super::outbox::row::{AttemptState, OpenAttempt};
use super::outbox::timers::TimerKey;
use super::outcome::{Outcome, Reason, ReceiptKind};
use super::record::{Attempt, Loaded, LoadedMessage};
use super::slab::{Handle, NONE};
use super::time::Timestamp;

impl Core {
    /// Takes what the store kept. Attempts that were in flight become unknown. Call once, before any input.
    pub fn load(&mut self, loaded: Loaded, now: Timestamp) {
        self.now = self.now.max(now).max(loaded.clock);
        self.ledger.load(loaded.outages, loaded.last_outage);
        for (name, overlay) in loaded.overlays {
            match name {
                None => self.fleet.held_all = Some(overlay),
                Some(name) => {
                    if let Some(g) = self.fleet.find(&name).and_then(|id| self.fleet.get_mut(id)) {
                        g.overlay = Some(overlay);
                    }
                }
            }
        }
        for message in loaded.messages {
            self.load_message(message);
        }
        self.refresh_tiers();
    }

    fn load_message(&mut self, loaded: LoadedMessage) {
        let handle = self.open_message(Facts::of(&loaded.message), loaded.progress);
        let Some(open) = self.messages.get_mut(handle) else { return };
        open.last_plan = loaded.last_plan;
        let mut settled = [0u32; 7];
        for delivery in loaded.deliveries {
            let index = delivery.id.index;
            match delivery.result {
                Some(end) => {
                    settled[end.result as usize] += 1;
                    if let Some(row) = open.rows.get_mut(index as usize) {
                        *row = SETTLED;
                    }
                }
                None => open.kept.entry(index).or_default().delivery = Some(delivery),
            }
        }
        // The rows are the truth; the progress only counts them.
        let waiting = u64::from(open.facts.recipients) - u64::from(settled.iter().sum::<u32>());
        let counted = u64::from(open.facts.recipients) - u64::from(open.settled());
        open.progress.settled = settled;
        for attempt in loaded.attempts {
            let index = attempt.id.delivery.index;
            if open.rows.get(index as usize) != Some(&SETTLED) {
                open.kept.entry(index).or_default().attempts.push(attempt);
            }
        }
        for (attempt, kind) in loaded.receipts {
            if let Some(kept) = open.kept.get_mut(&attempt.delivery.index) {
                kept.receipts.push((attempt.n, kind));
            }
        }
        self.counts.materialising = self.counts.materialising + waiting - counted;
    }

    /// Gives a materialised delivery back what the store kept of it.
    pub(super) fn restore(&mut self, handle: Handle, kept: Kept) {
        let Some(row) = self.rows.get_mut(handle) else { return };
        if let Some(delivery) = kept.delivery {
            row.rounds = delivery.rounds;
            row.barred = ChannelSet(delivery.barred);
            row.level = delivery.step;
        }
        row.attempts = kept.attempts.iter().map(|a| a.id.n).max().unwrap_or(0);
        let mut unsure = Vec::new();
        for attempt in kept.attempts {
            self.restore_attempt(handle, attempt, &kept.receipts, &mut unsure);
        }
        let Some(frame) = self.rows.get(handle).and_then(|row| self.frame(row)) else { return };
        let Some(row) = self.rows.get_mut(handle) else { return };
        row.level = row.level.min(frame.route.last_level());
        let (sent, _, unknown) = self.open_states(handle);
        self.recount(handle);
        if unsure.is_empty() {
            match sent || unknown {
                true if frame.withdrawn.is_some() || frame.expiry <= self.now => self.wind_up(handle),
                true => self.start_wait(handle),
                false => self.enqueue(handle),
            }
            return;
        }
        for (id, place) in unsure {
            let outcome = Outcome::Unknown { reason: Reason::Restart };
            self.lost_by_restart(place, id, outcome);
        }
    }

    fn restore_attempt(
        &mut self,
        handle: Handle,
        attempt: Attempt,
        receipts: &[(u16, ReceiptKind)],
        unsure: &mut Vec<(AttemptId, Handle)>,
    ) {
        let Some(gateway) = self.fleet.find(&attempt.gateway) else { return };
        let progress = receipts.iter().filter(|(n, _)| *n == attempt.id.n).map(|(_, kind)| *kind).max();
        let (state, provider, taken_at) = match &attempt.outcome {
            None => (AttemptState::InFlight, None, attempt.at),
            Some((Outcome::Accepted { provider_id }, at)) => (AttemptState::Sent, provider_id.clone(), *at),
            Some((Outcome::Unknown { .. }, at)) => (AttemptState::Unknown, None, *at),
            Some((Outcome::Rejected { reason } | Outcome::Deferred { reason, .. }, _)) => {
                if let Some(row) = self.rows.get_mut(handle) {
                    row.left = Some((gateway, Some(*reason)));
                    row.out.insert(gateway);
                }
                return;
            }
        };
        let failed = progress == Some(ReceiptKind::Failed);
        let Some(row) = self.rows.get_mut(handle) else { return };
        row.out.insert(gateway);
        row.copies = row.copies.saturating_add(u8::from(state != AttemptState::InFlight));
        row.was_taken |= state == AttemptState::Sent;
        let step = attempt.step;
        let message = self.rows.get(handle).and_then(|row| self.frame(row));
        let level = message.and_then(|frame| {
            frame.route.levels.iter().position(|l| l.step == step && l.own.has(gateway)).map(|p| p as u8)
        });
        let Some(row) = self.rows.get_mut(handle) else { return };
        row.level = row.level.max(level.unwrap_or(0));
        if failed {
            row.left = Some((gateway, None));
            return;
        }
        let place = self.attempts.insert(OpenAttempt {
            row: handle,
            next: row.first,
            n: attempt.id.n,
            gateway,
            channel: attempt.channel,
            step,
            state,
            repeat: attempt.repeat,
            plan: attempt.plan,
            at: attempt.at,
            taken_at,
            progress,
            provider: provider.as_deref().map(Box::from),
            timer: TimerKey::default(),
        });
        row.first = place;
        if state == AttemptState::InFlight {
            unsure.push((attempt.id, place));
        } else if let Some(g) = self.fleet.get_mut(gateway) {
            g.unconfirmed += 1;
        }
        if let Some(id) = provider {
            self.provider_ids.insert((gateway, id.into()), place);
        }
    }

    /// An attempt was in flight when the service stopped.
    fn lost_by_restart(&mut self, place: Handle, id: AttemptId, outcome: Outcome) {
        if self.attempts.get(place).is_some_and(|a| a.row != NONE) {
            self.close_with(place, id, outcome);
        }
    }
}
