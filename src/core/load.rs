//! Taking up again what the store kept.
//!
//! Rows are not read back at once: each open message starts with nothing materialised, and its frozen audience is asked of
//! the store chunk by chunk. What was in flight when the service stopped is unknown, and the rule decides.

use super::Core;
use super::answer::rest;
use super::channel::{ChannelSet, GatewayId};
use super::ids::AttemptId;
use super::outbox::message::{Facts, Kept, SETTLED};
use super::outbox::row::{AttemptState, OpenAttempt};
use super::outbox::timers::TimerKey;
use super::outcome::{Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use super::policy::OnUnknown;
use super::record::{Attempt, Loaded, LoadedMessage, Record, Repeat};
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
                Some(name) => self.fleet.lay_over(name, overlay),
            }
        }
        self.load_help(loaded.help, loaded.raised);
        self.resume_uplinks();
        self.close_outages_of_nobody();
        for message in loaded.messages {
            self.load_message(message);
        }
        self.refresh_tiers();
    }

    fn load_message(&mut self, loaded: LoadedMessage) {
        let handle = self.open_message(Facts::of(&loaded.message), loaded.progress);
        let Some(open) = self.messages.get_mut(handle) else { return };
        let drill = open.facts.status.is_drill();
        open.last_plan = loaded.last_plan;
        open.late_before = open.progress.late > 0;
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
        for (attempt, kind, reason) in loaded.receipts {
            if let Some(kept) = open.kept.get_mut(&attempt.delivery.index) {
                kept.receipts.push((attempt.n, kind, reason));
            }
        }
        for attempt in open.kept.values().flat_map(|kept| &kept.attempts) {
            if let (Some((Outcome::Accepted { provider_id: Some(id) }, _)), Some(gateway)) =
                (&attempt.outcome, self.fleet.find(&attempt.gateway))
            {
                self.kept_ids.insert((gateway, id.as_str().into()), attempt.id);
            }
        }
        let counts = self.counts.of(drill);
        counts.materialising = counts.materialising + waiting - counted;
    }

    /// Names the attempt that a receipt is of, where its delivery is yet to be materialised again.
    pub(super) fn kept_attempt(&self, gateway: GatewayId, of: &ReceiptRef) -> Option<AttemptId> {
        let named = match of {
            ReceiptRef::Attempt(id) | ReceiptRef::Both(_, id) => Some(*id),
            ReceiptRef::Provider(_) => None,
        };
        let by_provider = match of {
            ReceiptRef::Provider(id) | ReceiptRef::Both(id, _) => {
                self.kept_ids.get(&(gateway, id.as_str().into())).copied()
            }
            ReceiptRef::Attempt(_) => None,
        };
        [named, by_provider].into_iter().flatten().find(|id| {
            let message = self.message_of.get(&id.delivery.message).and_then(|h| self.messages.get(*h));
            let kept = message.and_then(|message| message.kept.get(&id.delivery.index));
            let name = self.fleet.get(gateway).map(|g| g.config.name.as_str());
            kept.is_some_and(|kept| {
                kept.attempts.iter().any(|a| a.id == *id && Some(a.gateway.as_str()) == name)
            })
        })
    }

    /// Says whether an attempt's delivery is yet to be materialised.
    pub(super) fn is_kept(&self, id: AttemptId) -> bool {
        let message = self.message_of.get(&id.delivery.message).and_then(|h| self.messages.get(*h));
        let kept = message.and_then(|message| message.kept.get(&id.delivery.index));
        kept.is_some_and(|kept| kept.attempts.iter().any(|attempt| attempt.id == id))
    }

    /// Takes a receipt on an attempt whose delivery is yet to be materialised: on record at once, in force then.
    pub(super) fn receipt_on_kept(&mut self, id: AttemptId, receipt: Receipt) {
        let open = self.message_of.get(&id.delivery.message).and_then(|h| self.messages.get_mut(*h));
        let Some(kept) = open.and_then(|open| open.kept.get_mut(&id.delivery.index)) else { return };
        let Receipt { kind, reason, .. } = receipt;
        if kept.receipts.iter().any(|(n, known, _)| (*n, *known) == (id.n, kind)) {
            return;
        }
        kept.receipts.push((id.n, kind, reason));
        self.store(Record::Receipt { attempt: id, kind, at: self.now, reason });
    }

    /// Gives a materialised delivery back what the store kept of it, and takes it on from there.
    pub(super) fn restore(&mut self, handle: Handle, kept: Kept) {
        let Some(row) = self.rows.get_mut(handle) else { return };
        if let Some(delivery) = kept.delivery {
            row.rounds = delivery.rounds;
            row.barred = ChannelSet(delivery.barred);
            row.level = delivery.step;
        }
        let last = kept.attempts.iter().map(|a| a.id.n).max().unwrap_or(0);
        row.attempts = last;
        let mut unsure = Vec::new();
        for attempt in kept.attempts {
            let receipts = kept.receipts.iter().filter(|(n, ..)| *n == attempt.id.n);
            let said = receipts.max_by_key(|(_, kind, _)| *kind).map(|(_, kind, reason)| (*kind, *reason));
            self.restore_attempt(handle, attempt, said, &mut unsure);
        }
        let Some(frame) = self.rows.get(handle).and_then(|row| self.frame(row)) else { return };
        let Some(row) = self.rows.get_mut(handle) else { return };
        row.level = row.level.min(frame.route.last_level());
        let confirm = frame.route.confirm();
        let confirmed = self
            .open_attempts(handle)
            .find_map(|(_, a)| Some((a.progress.filter(|k| confirm.met_by(*k))?, a)));
        if let Some((kind, attempt)) = confirmed {
            let (channel, n) = (attempt.channel, attempt.n);
            return self.settle(handle, kind.result(), Some(channel), Some(n), None);
        }
        self.recount(handle);
        if !unsure.is_empty() {
            for (id, place) in unsure {
                self.lost_by_restart(place, id, Outcome::Unknown { reason: Reason::Restart });
            }
            return;
        }
        let (sent, _, unknown) = self.open_states(handle);
        // The newest attempt is over for certain, so its failure was about to lead on.
        let moves_on = !self.open_attempts(handle).any(|(_, a)| a.n == last);
        let over = frame.withdrawn.is_some() || frame.expiry <= self.now;
        let repeats = unknown && !sent && frame.route.on_unknown(frame.severity) == OnUnknown::Repeat;
        match sent || unknown {
            true if over => self.wind_up(handle),
            true if !moves_on && !repeats => self.wait_on(handle),
            _ => self.enqueue(handle),
        }
    }

    /// Waits on with what is open: each wait runs from when its provider took it.
    fn wait_on(&mut self, handle: Handle) {
        let sent: Vec<Handle> = self
            .open_attempts(handle)
            .filter(|(_, attempt)| attempt.state == AttemptState::Sent)
            .map(|(place, _)| place)
            .collect();
        if sent.is_empty() {
            return self.start_wait(handle);
        }
        for place in sent {
            if self.attempts.get(place).is_some_and(|attempt| attempt.row == handle) {
                self.await_confirmation(place);
            }
        }
    }

    /// Gives a delivery an attempt back, and what its provider said of it.
    fn restore_attempt(
        &mut self,
        handle: Handle,
        mut attempt: Attempt,
        said: Option<(ReceiptKind, Option<Reason>)>,
        unsure: &mut Vec<(AttemptId, Handle)>,
    ) {
        let Some(gateway) = self.fleet.find(&attempt.gateway) else {
            return self.restore_of_removed(handle, attempt);
        };
        // A receipt proves that the provider had it, whatever became of its answer.
        if said.is_some() && !matches!(attempt.outcome, Some((Outcome::Accepted { .. }, _))) {
            attempt.outcome = Some((Outcome::Accepted { provider_id: None }, self.now));
            self.store(Record::Attempt(attempt.clone()));
        }
        let (state, provider, taken_at) = match &attempt.outcome {
            None => (AttemptState::InFlight, None, attempt.at),
            Some((Outcome::Accepted { provider_id }, at)) => (AttemptState::Sent, provider_id.clone(), *at),
            Some((Outcome::Unknown { .. }, at)) => (AttemptState::Unknown, None, *at),
            Some((Outcome::Rejected { reason } | Outcome::Deferred { reason, .. }, at)) => {
                if let Some((Outcome::Deferred { retry_after, .. }, _)) = &attempt.outcome {
                    self.rest_from(handle, gateway, *reason, *at + rest(*retry_after));
                }
                if let Some(row) = self.rows.get_mut(handle) {
                    row.left = Some((gateway, Some(*reason)));
                    row.out.insert(gateway);
                }
                return;
            }
        };
        if let Some(id) = &provider {
            self.kept_ids.remove(&(gateway, id.as_str().into()));
        }
        let level = self.level_of(handle, attempt.step, gateway).unwrap_or(0);
        let Some(row) = self.rows.get_mut(handle) else { return };
        row.out.insert(gateway);
        row.level = row.level.max(level);
        row.copies = row.copies.saturating_add(u8::from(state != AttemptState::InFlight));
        row.was_taken |= state == AttemptState::Sent;
        if let Some((ReceiptKind::Failed, reason)) = said {
            row.left = Some((gateway, reason));
            if reason.is_some_and(Reason::is_for_good) {
                row.barred.insert(attempt.channel);
            }
            return;
        }
        let next = row.first;
        let place = self.reopen(OpenAttempt {
            row: handle,
            next,
            n: attempt.id.n,
            gateway,
            channel: attempt.channel,
            step: attempt.step,
            state,
            repeat: attempt.repeat,
            plan: attempt.plan,
            at: attempt.at,
            taken_at,
            progress: said.map(|(kind, _)| kind),
            provider: provider.map(Box::from),
            timer: TimerKey::default(),
        });
        if state == AttemptState::InFlight {
            unsure.push((attempt.id, place));
        }
    }

    /// Returns the level of a delivery's ladder on which a step of its rule may take this gateway.
    fn level_of(&self, handle: Handle, step: u8, gateway: GatewayId) -> Option<u8> {
        let frame = self.rows.get(handle).and_then(|row| self.frame(row))?;
        frame.route.levels.iter().position(|l| l.step == step && l.own.has(gateway)).map(|p| p as u8)
    }

    /// Opens an attempt again, the first of its delivery: what comes to it is found, and what it holds is counted.
    fn reopen(&mut self, attempt: OpenAttempt) -> Handle {
        let (handle, gateway, state) = (attempt.row, attempt.gateway, attempt.state);
        let provider = attempt.provider.clone();
        let place = self.attempts.insert(attempt);
        if let Some(row) = self.rows.get_mut(handle) {
            row.first = place;
        }
        if state != AttemptState::InFlight
            && let Some(g) = self.fleet.get_mut(gateway)
        {
            g.unconfirmed += 1;
        }
        if let Some(id) = provider {
            self.provider_ids.insert((gateway, id), place);
        }
        place
    }

    /// Its gateway is not configured any more: nobody will ever tell more of it, but it may have gone out.
    fn restore_of_removed(&mut self, handle: Handle, mut attempt: Attempt) {
        if attempt.outcome.is_none() {
            attempt.outcome = Some((Outcome::Unknown { reason: Reason::Restart }, self.now));
            self.store(Record::Attempt(attempt.clone()));
        }
        let Some(row) = self.rows.get_mut(handle) else { return };
        match attempt.outcome {
            Some((Outcome::Accepted { .. }, _)) => {
                row.was_taken = true;
                row.repeat = Repeat::AfterWait;
            }
            Some((Outcome::Unknown { .. }, _)) => row.repeat = Repeat::AfterUnknown,
            _ => return,
        }
        row.copies = row.copies.saturating_add(1);
    }

    /// An attempt was in flight when the service stopped.
    fn lost_by_restart(&mut self, place: Handle, id: AttemptId, outcome: Outcome) {
        if self.attempts.get(place).is_some_and(|a| a.row != NONE) {
            self.close_with(place, id, outcome);
        }
    }
}
