//! What comes back: outcomes, receipts, answers to questions, and silence.

use super::channel::{Channel, GatewayId};
use super::deliver::Frame;
use super::effect::{Effect, Event};
use super::health::worth::is_failure;
use super::ids::AttemptId;
use super::input::Asked;
use super::outbox::early::Waiting;
use super::outbox::message::SETTLED;
use super::outbox::row::AttemptState;
use super::outbox::timers::{Timer, TimerKey};
use super::outcome::{DeliveryResult, Fault, Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use super::policy::{Confirm, OnUnknown};
use super::record::{Attempt, Record, Repeat};
use super::slab::{Handle, NONE};
use super::time::{Span, Timestamp};
use super::{Core, gateway::Receipts};

/// How long a provider may take to say what became of an attempt.
const ASK_FOR: Span = Span::from_secs(10);
/// Leave a gateway alone for this long where it asked for a rest and named no time.
const DEFER_DEFAULT: Span = Span::from_secs(2);
/// The longest rest that a gateway can ask for in one answer, for everybody or for one recipient.
const DEFER_MAX: Span = Span::from_hours(24);
/// How long a road is left to itself that gives no receipts, before another one is tried: its answer may be a refusal.
const MUTE_WAIT: Span = Span::from_secs(2);

/// Returns how long a deferral asks for.
pub(super) fn rest(retry_after: Option<Span>) -> Span {
    retry_after.unwrap_or(DEFER_DEFAULT).clamp(Span::ZERO, DEFER_MAX)
}

impl Core {
    /// Takes a gateway's answer to an attempt.
    pub(super) fn answered(&mut self, id: AttemptId, outcome: Outcome, took: Span) {
        if self.canary_answered(id, &outcome) {
            return;
        }
        let Some(place) = self.find_attempt(id) else { return };
        let Some(attempt) = self.attempts.get(place) else { return };
        let (gateway, state) = (attempt.gateway, attempt.state);
        // The first answer counts; what the core gave up as unknown may still turn out to have been taken.
        let late = state != AttemptState::InFlight;
        if late && !(state == AttemptState::Unknown && matches!(outcome, Outcome::Accepted { .. })) {
            return;
        }
        if !late {
            self.weigh(gateway, &outcome, took);
        }
        self.event(Event::Answered { attempt: id, gateway, outcome: outcome.clone(), took });
        self.close_with(place, id, outcome);
    }

    /// Lets a gateway's answer move its health, its capacity and its rest.
    fn weigh(&mut self, gateway: GatewayId, outcome: &Outcome, took: Span) {
        let (void, now) = (self.fleet.is_void(gateway), self.now);
        if is_failure(outcome) {
            self.count_failure(gateway);
        }
        let Some(g) = self.fleet.get_mut(gateway) else { return };
        let spent = matches!(outcome, Outcome::Accepted { .. } | Outcome::Unknown { .. });
        g.capacity.give_back(spent, now);
        let timed_out = matches!(outcome, Outcome::Unknown { reason: Reason::Timeout });
        if matches!(outcome, Outcome::Accepted { .. }) || timed_out {
            g.capacity.learn(took);
        }
        if let Outcome::Deferred { reason, retry_after } = outcome
            && reason.fault() == Fault::Gateway
        {
            let until = now + rest(*retry_after);
            g.deferred_until = Some(g.deferred_until.map_or(until, |known| known.max(until)));
        }
        g.cell.outcome(outcome, void, now);
        self.judge_one(gateway);
    }

    /// Records an outcome and takes the delivery on from it.
    pub(super) fn close_with(&mut self, place: Handle, id: AttemptId, outcome: Outcome) {
        self.record_outcome(place, id, &outcome);
        let Some(attempt) = self.attempts.get_mut(place) else { return };
        self.timers.cancel(&mut attempt.timer);
        if attempt.row == NONE {
            // Its delivery has settled meanwhile: only the record was left to write.
            self.orphans.remove(&id);
            self.attempts.remove(place);
            return;
        }
        let (row, gateway) = (attempt.row, attempt.gateway);
        self.learn_account(row, gateway, &outcome);
        match outcome {
            Outcome::Accepted { provider_id } => self.accepted(place, provider_id),
            Outcome::Unknown { reason } => self.unknown(place, reason),
            Outcome::Rejected { reason } => {
                self.drop_attempt(place);
                self.refused(row, gateway, reason);
            }
            Outcome::Deferred { reason, retry_after } => {
                self.drop_attempt(place);
                self.rest_from(row, gateway, reason, self.now + rest(retry_after));
                self.refused(row, gateway, reason);
            }
        }
        self.recount(row);
    }

    fn record_outcome(&mut self, place: Handle, id: AttemptId, outcome: &Outcome) {
        let Some(attempt) = self.attempts.get(place) else { return };
        let gateway = self.fleet.get(attempt.gateway).map(|g| g.config.name.clone()).unwrap_or_default();
        let record = Attempt {
            id,
            gateway,
            channel: attempt.channel,
            step: attempt.step,
            at: attempt.at,
            repeat: attempt.repeat,
            plan: attempt.plan,
            outcome: Some((outcome.clone(), self.now)),
        };
        self.store(Record::Attempt(record));
    }

    /// The provider took it: wait for what settles it.
    fn accepted(&mut self, place: Handle, provider_id: Option<String>) {
        let now = self.now;
        let Some(attempt) = self.attempts.get_mut(place) else { return };
        let was_unknown = attempt.state == AttemptState::Unknown;
        attempt.state = AttemptState::Sent;
        attempt.taken_at = now;
        let (handle, gateway, repeat) = (attempt.row, attempt.gateway, attempt.repeat);
        if let Some(id) = &provider_id {
            attempt.provider = Some(id.as_str().into());
            self.provider_ids.insert((gateway, id.as_str().into()), place);
        }
        if let Some(g) = self.fleet.get_mut(gateway) {
            g.unconfirmed += u32::from(!was_unknown);
        }
        self.watch_receipt(handle, gateway, repeat);
        if let Some(row) = self.rows.get_mut(handle) {
            row.was_taken = true;
            row.copies = row.copies.saturating_add(u8::from(!was_unknown));
        }
        if let Some(id) = provider_id {
            for early in self.early.take(gateway, &id) {
                self.receipt(gateway, early.receipt);
            }
        }
        if self.attempts.get(place).is_some_and(|a| a.row == handle && a.state == AttemptState::Sent) {
            self.await_confirmation(place);
        }
    }

    /// Sets what ends the waiting for a confirmation: nothing more to confirm, an assumption, or the step's wait.
    pub(super) fn await_confirmation(&mut self, place: Handle) {
        let Some(attempt) = self.attempts.get(place) else { return };
        let (handle, gateway, channel, n) = (attempt.row, attempt.gateway, attempt.channel, attempt.n);
        let since = attempt.taken_at;
        let Some(frame) = self.rows.get(handle).and_then(|row| self.frame(row)) else { return };
        let rule = frame.route.rule();
        if rule.confirm == Confirm::Accepted {
            return self.settle(handle, DeliveryResult::HandedOver, Some(channel), Some(n), None);
        }
        let mute = self.fleet.get(gateway).is_some_and(|g| g.config.receipts == Receipts::None);
        let level = self.rows.get(handle).map_or(0, |row| usize::from(row.level));
        let wait = frame.route.levels.get(level).map_or(Span::ZERO, |level| level.wait);
        if mute && rule.confirm == Confirm::Delivered && !rule.strict_for(frame.severity) {
            let due = since + rule.assume_after.min(wait);
            let key = self.timers.set(due, Timer::Assume(place));
            if let Some(attempt) = self.attempts.get_mut(place) {
                self.timers.cancel(&mut attempt.timer);
                attempt.timer = key;
            }
            // It is not left alone with what can confirm, and where that has kept silent before, the person may not be
            // there at all.
            if frame.route.is_learned()
                && (self.is_silent_elsewhere(handle, place) || self.can_be_confirmed(handle))
            {
                self.start_wait_since(handle, since);
            }
            return;
        }
        self.start_wait_since(handle, since);
    }

    /// Says whether another road that gives receipts has this delivery.
    fn is_silent_elsewhere(&self, handle: Handle, but: Handle) -> bool {
        let mut others = self
            .open_attempts(handle)
            .filter(|(place, attempt)| *place != but && attempt.state == AttemptState::Sent);
        others.any(|(_, attempt)| !self.is_mute(attempt.gateway, Confirm::Delivered))
    }

    /// Says whether a gateway is left to try for this delivery that gives receipts.
    fn can_be_confirmed(&self, handle: Handle) -> bool {
        let Some(row) = self.rows.get(handle) else { return false };
        let Some(frame) = self.frame(row) else { return false };
        let left = frame.route.all.without(self.fleet.on(row.barred)).without(row.out.set());
        !left.and(self.tiers.usable()).without(self.tiers.mute).is_empty()
    }

    fn wait_of(&self, handle: Handle) -> Span {
        let wait = self.rows.get(handle).and_then(|row| {
            let frame = self.frame(row)?;
            let level = frame.route.levels.get(usize::from(row.level))?;
            let last = self.open_attempts(handle).next().map(|(_, attempt)| attempt.gateway);
            Some(match last.filter(|_| level.learned) {
                Some(gateway) => level.wait.min(self.patience(gateway, &frame)),
                None => level.wait,
            })
        });
        wait.unwrap_or(Span::ZERO)
    }

    /// Returns how long a receipt takes, by what was learned. Of a road that gives none, nothing is to be waited for.
    fn patience(&self, gateway: GatewayId, frame: &Frame) -> Span {
        match self.is_mute(gateway, frame.route.confirm()) {
            true => MUTE_WAIT,
            false => {
                let queue = match frame.severity {
                    super::message::Severity::Extreme => Span::ZERO,
                    _ => self.fleet.get(gateway).map_or(Span::ZERO, |g| g.capacity.queue(self.now)),
                };
                queue + self.receipts.patience(gateway, frame.region, frame.severity)
            }
        }
    }

    /// Says whether a road can never say what a rule waits for.
    pub(super) fn is_mute(&self, gateway: GatewayId, confirm: Confirm) -> bool {
        self.fleet.rank(gateway, confirm).is_some_and(|rank| rank.0)
    }

    pub(super) fn start_wait(&mut self, handle: Handle) {
        self.start_wait_since(handle, self.now);
    }

    fn start_wait_since(&mut self, handle: Handle, since: Timestamp) {
        let due = since + self.wait_of(handle);
        let Some(row) = self.rows.get_mut(handle) else { return };
        match self.timers.get(row.timer) {
            // A provider has it now: its wait decides when to go on.
            Some(Timer::Round(_)) => self.timers.cancel(&mut row.timer),
            Some(_) => return,
            None => {}
        }
        row.timer = self.timers.set(due, Timer::Wait(handle));
    }

    /// A step's wait ran out: the next step starts, this one stays open.
    pub(super) fn wait_over(&mut self, handle: Handle) {
        let Some(row) = self.rows.get_mut(handle) else { return };
        row.timer = TimerKey::default();
        let Some(frame) = self.rows.get(handle).and_then(|row| self.frame(row)) else { return };
        // The provider took it just before the expiry and answered after: nothing else would look at it again.
        if frame.withdrawn.is_some() || frame.expiry <= self.now {
            return self.wind_up(handle);
        }
        let waits_on = self.open_attempts(handle).next().map(|(_, a)| (a.gateway, a.state));
        let Some(row) = self.rows.get_mut(handle) else { return };
        let last = row.level >= frame.route.last_level();
        let unknown = matches!(waits_on, Some((_, AttemptState::Unknown)));
        let learned = frame.route.levels.get(usize::from(row.level)).is_some_and(|level| level.learned);
        if last && !unknown && !learned {
            return;
        }
        row.level = row.level.saturating_add(1).min(frame.route.last_level());
        row.repeat = if unknown { Repeat::AfterUnknown } else { Repeat::AfterWait };
        row.left = waits_on.map(|(gateway, _)| (gateway, None));
        self.enqueue(handle);
    }

    /// A road without receipts has kept silent for long enough to count as confirmed.
    pub(super) fn assumed(&mut self, place: Handle) {
        let Some(attempt) = self.attempts.get_mut(place) else { return };
        attempt.timer = TimerKey::default();
        let (row, channel, n) = (attempt.row, attempt.channel, attempt.n);
        self.settle(row, DeliveryResult::HandedOver, Some(channel), Some(n), None);
    }

    /// Nobody can know whether it went out: the rule says whether to repeat, to ask or to wait.
    fn unknown(&mut self, place: Handle, reason: Reason) {
        let Some(attempt) = self.attempts.get_mut(place) else { return };
        attempt.state = AttemptState::Unknown;
        let (handle, gateway, n) = (attempt.row, attempt.gateway, attempt.n);
        if let Some(g) = self.fleet.get_mut(gateway) {
            g.unconfirmed += 1;
        }
        let Some(row) = self.rows.get_mut(handle) else { return };
        row.copies = row.copies.saturating_add(1);
        row.left = Some((gateway, Some(reason)));
        let delivery = self.rows.get(handle).map(|row| self.delivery_id(row));
        let (Some(frame), Some(delivery)) = (self.rows.get(handle).and_then(|r| self.frame(r)), delivery)
        else {
            return;
        };
        if frame.withdrawn.is_some() || frame.expiry <= self.now {
            return self.wind_up(handle);
        }
        let can_ask = self.fleet.get(gateway).is_some_and(|g| g.config.can_ask && g.configured);
        match frame.route.on_unknown(frame.severity) {
            OnUnknown::Repeat => self.repeat(handle),
            OnUnknown::Ask if can_ask => {
                let attempt = AttemptId::new(delivery, n);
                self.effects.push_back(Effect::Ask { attempt, gateway });
                let key = self.timers.set(self.now + ASK_FOR, Timer::AskOver(place));
                if let Some(attempt) = self.attempts.get_mut(place) {
                    attempt.timer = key;
                }
            }
            OnUnknown::Ask | OnUnknown::Wait => self.start_wait(handle),
        }
    }

    fn repeat(&mut self, handle: Handle) {
        if let Some(row) = self.rows.get_mut(handle) {
            row.repeat = Repeat::AfterUnknown;
        }
        self.enqueue(handle);
    }

    /// The provider did not say: wait as for a receipt.
    pub(super) fn ask_over(&mut self, place: Handle) {
        let Some(attempt) = self.attempts.get_mut(place) else { return };
        attempt.timer = TimerKey::default();
        let row = attempt.row;
        self.start_wait(row);
    }

    /// Takes the provider's word on an attempt of unknown outcome.
    pub(super) fn asked(&mut self, id: AttemptId, answer: Asked) {
        let Some(place) = self.find_attempt(id) else { return };
        let Some(attempt) = self.attempts.get_mut(place) else { return };
        if attempt.state != AttemptState::Unknown || attempt.row == NONE {
            return;
        }
        self.timers.cancel(&mut attempt.timer);
        let row = attempt.row;
        match answer {
            Asked::Found(provider_id) => self.close_with(place, id, Outcome::Accepted { provider_id }),
            Asked::CannotSay => self.start_wait(row),
            Asked::NotFound => {
                let outcome = Outcome::Rejected { reason: Reason::ConnectionLost };
                if let Some(row) = self.rows.get_mut(row) {
                    row.copies = row.copies.saturating_sub(1);
                }
                self.close_with(place, id, outcome);
            }
        }
        self.recount(row);
    }

    /// A gateway certainly did not send it: the next one, at once.
    fn refused(&mut self, handle: Handle, gateway: GatewayId, reason: Reason) {
        let channel = self.fleet.get(gateway).map(|g| g.config.channel);
        // One gateway could not deliver it, and its word on the recipient is not the last: another of the channel may.
        let elsewhere = reason == Reason::Undeliverable && self.has_another(handle, channel);
        let Some(row) = self.rows.get_mut(handle) else { return };
        row.left = Some((gateway, Some(reason)));
        if let (true, false, Some(channel)) = (reason.is_for_good(), elsewhere, channel) {
            row.barred.insert(channel);
            self.store_row(handle);
        }
        self.enqueue(handle);
    }

    /// Keeps a delivery off a gateway that named a time for its recipient alone.
    pub(super) fn rest_from(&mut self, handle: Handle, gateway: GatewayId, reason: Reason, until: Timestamp) {
        if reason.fault() == Fault::Recipient && until > self.now {
            self.rests.put(handle, gateway, until);
        }
    }

    /// Says whether a channel has a permitted gateway that this delivery has not tried in this round.
    fn has_another(&self, handle: Handle, channel: Option<Channel>) -> bool {
        let Some(row) = self.rows.get(handle) else { return false };
        let Some(frame) = self.frame(row) else { return false };
        let open = frame.route.all.without(row.out.set());
        open.iter().any(|id| self.fleet.get(id).is_some_and(|g| Some(g.config.channel) == channel))
    }

    /// An adapter never answered: nobody can know.
    pub(super) fn gave_up(&mut self, place: Handle) {
        let Some(attempt) = self.attempts.get_mut(place) else { return };
        attempt.timer = TimerKey::default();
        let (gateway, n, row) = (attempt.gateway, attempt.n, attempt.row);
        let took = self.now - attempt.at;
        if self.released.is_some_and(|released| attempt.at > released) {
            // It is still on its way to disk, so it has not left: its time begins when it does.
            return self.arm_give_up(place, gateway);
        }
        let id = match self.rows.get(row) {
            Some(row) => AttemptId::new(self.delivery_id(row), n),
            None => match self.orphans.iter().find(|(_, p)| **p == place) {
                Some((id, _)) => *id,
                None => return,
            },
        };
        let outcome = Outcome::Unknown { reason: Reason::Timeout };
        self.weigh(gateway, &outcome, took);
        self.event(Event::Answered { attempt: id, gateway, outcome: outcome.clone(), took });
        self.close_with(place, id, outcome);
    }

    /// Takes a receipt.
    pub(super) fn receipt(&mut self, gateway: GatewayId, receipt: Receipt) {
        if self.canary_receipt(gateway, &receipt) {
            return;
        }
        let by_attempt = match &receipt.of {
            ReceiptRef::Attempt(id) | ReceiptRef::Both(_, id) => self.find_attempt(*id).map(|p| (p, *id)),
            ReceiptRef::Provider(_) => None,
        };
        let by_provider = match &receipt.of {
            ReceiptRef::Provider(id) | ReceiptRef::Both(id, _) => {
                self.provider_ids.get(&(gateway, id.as_str().into())).copied()
            }
            ReceiptRef::Attempt(_) => None,
        };
        // An attempt named by us is believed only for the gateway that it went through.
        let named =
            by_attempt.filter(|(place, _)| self.attempts.get(*place).is_some_and(|a| a.gateway == gateway));
        if let Some((place, id)) = named {
            return self.receipt_on(place, Some(id), receipt);
        }
        if let Some(place) = by_provider {
            return self.receipt_on(place, None, receipt);
        }
        if let Some(id) = self.kept_attempt(gateway, &receipt.of) {
            return self.receipt_on_kept(id, receipt);
        }
        let of_settled = match &receipt.of {
            ReceiptRef::Attempt(_) => true,
            ReceiptRef::Both(_, id) => self.is_settled(*id),
            ReceiptRef::Provider(_) => false,
        };
        let waiting = Waiting { gateway, receipt, at: self.now };
        let gone = if of_settled { Some(waiting) } else { self.early.keep(waiting) };
        if let Some(gone) = gone {
            self.stray(gone);
        }
    }

    fn is_settled(&self, id: AttemptId) -> bool {
        match self.message_of.get(&id.delivery.message).and_then(|h| self.messages.get(*h)) {
            Some(message) => message.rows.get(id.delivery.index as usize) == Some(&SETTLED),
            None => true,
        }
    }

    /// Takes a receipt on an attempt that is open.
    pub(super) fn receipt_on(&mut self, place: Handle, id: Option<AttemptId>, receipt: Receipt) {
        let Some(attempt) = self.attempts.get(place) else { return };
        let (handle, gateway, state) = (attempt.row, attempt.gateway, attempt.state);
        let Some(row) = self.rows.get(handle) else {
            let waiting = Waiting { gateway, receipt, at: self.now };
            return self.stray(waiting);
        };
        let id = id.unwrap_or_else(|| AttemptId::new(self.delivery_id(row), attempt.n));
        // A receipt proves that the provider had it, whatever its answer was or will be; also one that says it failed.
        if state != AttemptState::Sent {
            let provider_id = match &receipt.of {
                ReceiptRef::Provider(id) | ReceiptRef::Both(id, _) => Some(id.clone()),
                ReceiptRef::Attempt(_) => None,
            };
            let took = self.now - attempt.at;
            let outcome = Outcome::Accepted { provider_id };
            if state == AttemptState::InFlight {
                self.weigh(gateway, &outcome, took);
            }
            self.event(Event::Answered { attempt: id, gateway, outcome: outcome.clone(), took });
            self.close_with(place, id, outcome);
        }
        self.apply(place, id, receipt);
    }

    fn apply(&mut self, place: Handle, id: AttemptId, receipt: Receipt) {
        let now = self.now;
        let (kind, reason) = (receipt.kind, receipt.reason);
        let Some(attempt) = self.attempts.get_mut(place).filter(|a| a.row != NONE) else {
            self.store(Record::Receipt { attempt: id, kind, at: now, reason });
            return;
        };
        let (handle, gateway, channel) = (attempt.row, attempt.gateway, attempt.channel);
        let lag = now - attempt.taken_at;
        let (known, repeat) = (attempt.progress, attempt.repeat);
        // State only moves forward: a repeated receipt says nothing new, and "failed" never overrides "delivered".
        if attempt.progress.is_some_and(|known| known >= kind) {
            return;
        }
        attempt.progress = Some(kind);
        self.store(Record::Receipt { attempt: id, kind, at: now, reason });
        self.event(Event::Receipt { attempt: id, gateway, kind, lag });
        if known < Some(ReceiptKind::Delivered) && kind >= ReceiptKind::Delivered {
            self.learn_receipt(handle, gateway, repeat, lag);
        }
        if kind == ReceiptKind::Failed {
            return self.failed(place, reason.unwrap_or(Reason::Undeliverable));
        }
        let confirm = self.rows.get(handle).and_then(|row| self.frame(row)).map(|f| f.route.confirm());
        if confirm.is_some_and(|confirm| confirm.met_by(kind)) {
            self.settle(handle, kind.result(), Some(channel), Some(id.n), None);
        }
    }

    /// A receipt says that it failed after all: the next gateway, at once.
    fn failed(&mut self, place: Handle, reason: Reason) {
        let Some(attempt) = self.attempts.get(place) else { return };
        let (handle, gateway) = (attempt.row, attempt.gateway);
        self.drop_attempt(place);
        if let Some(row) = self.rows.get_mut(handle) {
            row.repeat = Repeat::AfterFailure;
        }
        self.refused(handle, gateway, reason);
        self.recount(handle);
    }

    /// Gives up receipts that nothing open has answered to.
    pub(super) fn give_up_early(&mut self) {
        while let Some(gone) = self.early.give_up(self.now) {
            self.stray(gone);
        }
    }

    fn stray(&mut self, waiting: Waiting) {
        let Waiting { gateway, receipt, at } = waiting;
        let name = self.fleet.get(gateway).map(|g| g.config.name.clone()).unwrap_or_default();
        self.event(Event::StrayReceipt { gateway });
        self.store(Record::StrayReceipt { gateway: name, receipt, at });
    }

    /// Finds an attempt that is open, or in flight though its delivery has settled.
    pub(super) fn find_attempt(&self, id: AttemptId) -> Option<Handle> {
        if let Some(orphan) = self.orphans.get(&id) {
            return Some(*orphan);
        }
        let message = self.messages.get(*self.message_of.get(&id.delivery.message)?)?;
        let row = *message.rows.get(id.delivery.index as usize)?;
        self.open_attempts(row).find(|(_, attempt)| attempt.n == id.n).map(|(place, _)| place)
    }
}
