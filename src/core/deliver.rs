//! Queueing deliveries, choosing gateways, ordering attempts.

use super::channel::{Channel, ChannelSet, GatewayId, GatewaySet};
use super::effect::{Effect, Event, Order};
use super::gateway::Receipts;
use super::ids::AttemptId;
use super::message::Severity;
use super::outbox::queue::{Entry, Ladder, Stay};
use super::outbox::row::{AttemptState, Kind, LANE_ANY, OpenAttempt, Row};
use super::outbox::timers::{Timer, TimerKey};
use super::outcome::{DeliveryResult, Reason};
use super::policy::OnUnknown;
use super::receipts::RegionId;
use super::record::{Attempt, Plan, Record, Repeat};
use super::route::plan::Route;
use super::slab::{Handle, NONE, Slab};
use super::time::{Span, Timestamp};
use super::{Core, ORDERS_PER_TURN, backoff};
use std::sync::Arc;

/// What an adapter may need beyond its time-outs before the core gives an attempt up.
const GIVE_UP_SLACK: Span = Span::from_secs(2);
/// A delivery that waits for what is good looks again at what failed it as late as after so many rounds more: there is no
/// haste, and each look is a timer.
const LOOK_AGAIN_ROUND: u16 = 4;
/// The last of the precedences that a queue tells apart, in three bits: of exercises the less grave share it.
const RANKS_MAX: u8 = 7;
/// So much later than its deadline says a delivery goes that somebody has taken, where waits are learned.
const AGAIN_LATER: Span = Span::from_mins(10);
/// Connecting has two phases with a time-out each: the connection and TLS.
const CONNECT_PHASES: i64 = 2;

/// What every step of a delivery's life needs to know of its message and class.
pub(super) struct Frame {
    pub(super) route: Arc<Route>,
    pub(super) region: RegionId,
    pub(super) severity: Severity,
    /// Whether it is meant, and no exercise.
    pub(super) actual: bool,
    /// Its place among the messages: the lower, the earlier it goes.
    pub(super) precedence: u8,
    pub(super) number: u32,
    pub(super) deadline: Timestamp,
    pub(super) expiry: Timestamp,
    pub(super) floor: u8,
    pub(super) withdrawn: Option<DeliveryResult>,
    /// Whether it may have gone out before a backup was restored.
    pub(super) restored: bool,
}

impl Core {
    /// Gathers what is known of a row's message and class.
    pub(super) fn frame(&self, row: &Row) -> Option<Frame> {
        let message = self.messages.get(row.message)?;
        let class = message.classes.get(row.class as usize)?;
        Some(Frame {
            route: Arc::clone(&class.route),
            region: class.region,
            severity: message.facts.severity,
            actual: !message.facts.status.is_drill(),
            precedence: message.facts.precedence(),
            number: message.number,
            deadline: class.deadline,
            expiry: class.expiry,
            floor: class.floor,
            withdrawn: message.progress.withdrawn,
            restored: message.progress.restored,
        })
    }

    /// Looks at a delivery again: settles it if its message is over, else queues it where it belongs now.
    pub(super) fn revisit(&mut self, handle: Handle) {
        let Some(row) = self.rows.get(handle) else { return };
        let Some(frame) = self.frame(row) else { return };
        if frame.withdrawn.is_some() || frame.expiry <= self.now {
            return self.wind_up(handle);
        }
        let overdue = frame.deadline <= self.now && frame.route.rule().deadline.is_some();
        let newly_late = overdue && !row.late;
        let (waits, untaken) = (row.queued(), row.attempts == 0 && row.first == NONE);
        if newly_late {
            self.counts.of(!frame.actual).late += 1;
        }
        if let Some(row) = self.rows.get_mut(handle) {
            row.late |= overdue;
            row.level = row.level.min(frame.route.last_level());
        }
        if waits || untaken || self.backs_off_in_vain(handle, &frame) {
            self.enqueue(handle);
        }
    }

    /// Ends the back-off of a delivery for which there is something to take at once: a gateway or a rule is new.
    fn backs_off_in_vain(&mut self, handle: Handle, frame: &Frame) -> bool {
        let resting = self.resting(handle, frame);
        let Some(row) = self.rows.get_mut(handle).filter(|row| row.backing_off) else { return false };
        let open = frame.route.all.without(self.fleet.on(row.barred)).without(row.out.set()).without(resting);
        if open.is_empty() {
            return false;
        }
        self.timers.cancel(&mut row.timer);
        row.backing_off = false;
        true
    }

    /// Returns the gateways that are closed to a delivery for a while: a provider has named a time for it, or they look down
    /// to exercises and it is one.
    fn resting(&mut self, handle: Handle, frame: &Frame) -> GatewaySet {
        let named = self.rests.of(handle, self.now);
        if frame.actual { named } else { named.or(self.fleet.drilled(false, self.now)) }
    }

    /// Puts a delivery into the queue of what it may take now, or backs off, or settles it where nothing is left.
    pub(super) fn enqueue(&mut self, handle: Handle) {
        self.dequeue(handle);
        let Some(frame) = self.rows.get(handle).and_then(|row| self.frame(row)) else { return };
        if frame.withdrawn.is_some() || frame.expiry <= self.now {
            return self.wind_up(handle);
        }
        let resting = self.resting(handle, &frame);
        let Some(row) = self.rows.get(handle) else { return };
        let barred = self.fleet.on(row.barred);
        let without = barred.or(row.out.set()).or(resting);
        // Where waits are learned, the floor tells how long it has waited for room, also after it was refused.
        let floor = if row.attempts == 0 || frame.route.is_learned() { frame.floor } else { 0 };
        let mut level = row.level.max(floor).min(frame.route.last_level());
        let in_use = self.fleet.on(self.channels_in_use(handle));
        // A step that is sent all at once has a lane a channel, unless nothing in it is good and a later step is.
        while let Some(of) = frame.route.levels.get(usize::from(level)).filter(|of| of.together) {
            let open = of.own.without(without).without(in_use);
            if open.is_empty() && !of.own.and(in_use).is_empty() {
                // The whole step is under way: its wait decides.
                self.start_wait(handle);
                return self.recount(handle);
            }
            let later = frame.route.all.without(without);
            let go_on = open.is_empty()
                || (open.and(self.tiers.good).is_empty() && !later.and(self.tiers.good).is_empty());
            if !go_on || level >= frame.route.last_level() {
                break;
            }
            level += 1;
        }
        if let Some(row) = self.rows.get_mut(handle) {
            row.level = level;
        }
        let together = frame.route.levels.get(usize::from(level)).filter(|of| of.together);
        let offered = match together {
            Some(of) => of.own.without(without).without(in_use),
            None => frame.route.all.without(without),
        };
        let silent = self.silent_for(frame.region, frame.severity, offered);
        let (without, offered) = (without.or(silent), offered.without(silent));
        match together {
            _ if offered.is_empty() => self.nothing_left(handle, &frame, barred, resting),
            Some(_) => self.enqueue_lanes(handle, &frame, self.outside_drills(offered)),
            None => self.push(handle, &frame, frame.route.ladder(level, without, frame.floor > 0), LANE_ANY),
        }
        if !offered.is_empty() {
            self.end_round_later(handle, &frame, offered, barred, resting);
        }
        self.recount(handle);
    }

    /// Leaves out what looks down for a drill, unless nothing else is good: what is held, resting or in doubt carries nobody
    /// while an exercise keeps the road that works. When what is good changes, the step is looked at again.
    fn outside_drills(&self, offered: GatewaySet) -> GatewaySet {
        let rest = offered.without(self.fleet.drilled(true, self.now));
        if rest.and(self.tiers.good).is_empty() { offered } else { rest }
    }

    /// Queues one lane for each channel that has a gateway in `open`.
    pub(super) fn enqueue_lanes(&mut self, handle: Handle, frame: &Frame, open: GatewaySet) {
        for channel in Channel::ALL {
            let lane: GatewaySet = open
                .iter()
                .filter(|id| self.fleet.get(*id).is_some_and(|g| g.config.channel == channel))
                .collect();
            if !lane.is_empty() {
                let ladder = Ladder {
                    levels: vec![lane],
                    confirm: frame.route.confirm(),
                    learned: false,
                    hurried: false,
                };
                self.push(handle, frame, ladder, channel as u8);
            }
        }
    }

    fn push(&mut self, handle: Handle, frame: &Frame, ladder: Ladder, lane: u8) {
        let Some(row) = self.rows.get_mut(handle) else { return };
        row.lanes |= 1 << lane;
        // Who may have it already comes after those who certainly have nothing.
        let later = if frame.route.is_learned() && row.copies > 0 { AGAIN_LATER } else { Span::ZERO };
        let rank = u64::from(frame.precedence.min(RANKS_MAX)) << 61
            | ((frame.deadline + later).ms().max(0) as u64 & ((1 << 61) - 1));
        let entry = Entry { rank, order: row.order(frame.number), row: handle, stay: row.stay.in_lane(lane) };
        self.queues.push(ladder, entry);
    }

    /// Takes a delivery out of its queues: its entries are disowned, and dropped when they surface.
    pub(super) fn dequeue(&mut self, handle: Handle) {
        let stay = Stay::next(&mut self.stays);
        if let Some(row) = self.rows.get_mut(handle) {
            row.stay = stay;
            row.lanes = 0;
        }
    }

    /// Nothing on the ladder is open to a delivery: it is over, or it comes back after a back-off.
    fn nothing_left(&mut self, handle: Handle, frame: &Frame, barred: GatewaySet, resting: GatewaySet) {
        let (sent, in_flight, unknown) = self.open_states(handle);
        let Some(row) = self.rows.get(handle) else { return };
        let open = frame.route.all.without(barred);
        if open.is_empty() {
            if !sent && !in_flight && !unknown {
                let reason = row.left.and_then(|(_, reason)| reason).unwrap_or(Reason::Configuration);
                self.settle(handle, DeliveryResult::Failed, None, None, Some(reason));
            }
            return;
        }
        // What is out is only out for this round. A provider that has it is waited for, not asked again; so is one that
        // may have it, unless the rule prefers a repeat to a loss.
        let on_unknown = frame.route.on_unknown(frame.severity);
        let may_have_it = unknown && on_unknown != OnUnknown::Repeat;
        // Where waits are learned, silence of one that has it is no reason to leave another alone that only refused it.
        let refused = frame.route.is_learned() && !open.without(self.holders(handle, on_unknown)).is_empty();
        if in_flight || ((sent || may_have_it) && !refused) || row.backing_off {
            return;
        }
        let round = row.rounds.saturating_add(1);
        let mut due = self.now + backoff::full_jitter(round, &mut self.rng);
        if open.without(resting).is_empty() {
            // Each has named a time: none is asked before the first of them.
            due = self.rests.first(handle, open).map_or(due, |first| due.max(first));
        }
        let key = self.timers.set(due, Timer::BackOff(handle));
        if let Some(row) = self.rows.get_mut(handle) {
            self.timers.cancel(&mut row.timer);
            row.rounds = round;
            row.timer = key;
            row.backing_off = true;
        }
    }

    pub(super) fn back_off_over(&mut self, handle: Handle) {
        let Some(frame) = self.rows.get(handle).and_then(|row| self.frame(row)) else { return };
        let held = self.holders(handle, frame.route.on_unknown(frame.severity));
        let Some(row) = self.rows.get_mut(handle) else { return };
        row.timer = TimerKey::default();
        row.backing_off = false;
        row.out = held.into();
        row.level = frame.route.last_level();
        self.enqueue(handle);
    }

    /// Sets when a delivery that waits in a queue looks again at what failed it in this round: where a time ends that a
    /// provider named for it; or after a back-off, for what its queue offers may be held or spent by then, and it must not
    /// wait for that while another is permitted.
    fn end_round_later(
        &mut self,
        handle: Handle,
        frame: &Frame,
        offered: GatewaySet,
        barred: GatewaySet,
        resting: GatewaySet,
    ) {
        let Some(row) = self.rows.get(handle) else { return };
        if (row.out.set().is_empty() && resting.is_empty()) || row.timer != TimerKey::default() {
            return;
        }
        let open = frame
            .route
            .all
            .without(barred)
            .without(self.holders(handle, frame.route.on_unknown(frame.severity)));
        let failed = row.out.set().and(open).without(resting);
        let first = self.rests.first(handle, open);
        let round = match (failed.is_empty(), self.is_shut(offered, failed)) {
            (true, _) if first.is_none() => return,
            (_, true) => row.rounds.saturating_add(1),
            (_, false) => row.rounds.saturating_add(LOOK_AGAIN_ROUND),
        };
        let soon = self.now + backoff::full_jitter(round, &mut self.rng);
        let due = first.filter(|_| failed.is_empty()).map_or(soon, |first| soon.max(first));
        let key = self.timers.set(due, Timer::Round(handle));
        if let Some(row) = self.rows.get_mut(handle) {
            row.timer = key;
        }
    }

    /// Says whether nothing that is offered can be used, though what failed can be tried again. The last resort counts
    /// only where there is nothing better on either side.
    fn is_shut(&self, offered: GatewaySet, failed: GatewaySet) -> bool {
        let fine = self.tiers.good.or(self.tiers.doubtful);
        let usable = if failed.and(fine).is_empty() { fine.or(self.tiers.last) } else { fine };
        offered.and(usable).is_empty() && !failed.is_empty()
    }

    pub(super) fn round_over(&mut self, handle: Handle) {
        let Some(frame) = self.rows.get(handle).and_then(|row| self.frame(row)) else { return };
        let held = self.holders(handle, frame.route.on_unknown(frame.severity));
        let resting = self.resting(handle, &frame);
        let Some(row) = self.rows.get(handle) else { return };
        let open = frame.route.all.without(self.fleet.on(row.barred));
        let failed = row.out.set().and(open).without(held).without(resting);
        let shut = self.is_shut(open.without(row.out.set()).without(resting), failed);
        let Some(row) = self.rows.get_mut(handle) else { return };
        row.timer = TimerKey::default();
        if !row.queued() {
            return;
        }
        if shut {
            row.rounds = row.rounds.saturating_add(1);
            row.out = held.into();
        }
        self.enqueue(handle);
    }

    /// Orders what can go, the most severe first.
    pub(super) fn dispatch(&mut self) {
        let (rows, open) = (&self.rows, usize::try_from(self.counts.open()).unwrap_or(usize::MAX));
        self.queues.prune(open, |entry| is_live(rows, entry));
        for _ in 0..ORDERS_PER_TURN {
            let free = self.fleet.free(&self.tiers, self.now);
            let scouts = self.fleet.scouts(&self.tiers, self.now).and(free);
            let (tiers, rows) = (self.tiers, &self.rows);
            let popped = self.queues.pop(
                |ladder, entry| !choice(ladder, entry, &tiers, free, scouts).is_empty(),
                |entry| is_live(rows, entry),
            );
            let Some((ladder, entry)) = popped else {
                self.queues.tidy();
                return;
            };
            let of = choice(&ladder, &entry, &tiers, free, scouts);
            let Some(gateway) = self.best(of, &ladder, &entry) else { continue };
            let any_good = ladder.levels.iter().any(|level| !level.and(tiers.good).is_empty());
            self.take(entry, gateway, any_good);
        }
        self.more |= !self.queues.is_empty();
    }

    /// Returns the best of the gateways for an entry: where waits are learned, by the chance to reach somebody for each
    /// second that it takes.
    fn best(&self, of: GatewaySet, ladder: &Ladder, entry: &Entry) -> Option<GatewayId> {
        if !ladder.learned || of.len() < 2 {
            return self.fleet.best(of, ladder.confirm);
        }
        let frame = self.rows.get(entry.row).and_then(|row| self.frame(row))?;
        let worth = |id: GatewayId| {
            let g = self.fleet.get(id)?;
            let mute = g.config.receipts == Receipts::None;
            Some(self.receipts.worth(id, frame.region, frame.severity, &g.config, mute, g.cell.taken()))
        };
        // Of two as good, the first of the configuration.
        of.iter()
            .filter_map(|id| Some((worth(id)?, std::cmp::Reverse(id))))
            .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
            .map(|(_, id)| id.0)
    }

    /// Takes a delivery off its queue for `gateway`.
    fn take(&mut self, entry: Entry, gateway: GatewayId, any_good: bool) {
        let Some(row) = self.rows.get_mut(entry.row) else { return };
        row.lanes &= !(1 << entry.stay.lane());
        let Some(frame) = self.rows.get(entry.row).and_then(|row| self.frame(row)) else { return };
        if frame.withdrawn.is_some() || frame.expiry <= self.now {
            return self.wind_up(entry.row);
        }
        if !frame.actual && self.fleet.drilled(false, self.now).has(gateway) {
            // A drill has begun, and its visit of all rows has not come by here yet.
            return self.enqueue(entry.row);
        }
        if entry.stay.lane() == LANE_ANY {
            let Some(row) = self.rows.get_mut(entry.row) else { return };
            let cumulative = frame.route.ladder(row.level, GatewaySet::EMPTY, false);
            let in_reach = cumulative.levels.first().is_some_and(|level| level.has(gateway));
            if !in_reach {
                row.level = frame.route.level_with(row.level, GatewaySet::one(gateway));
                if frame.route.levels.get(usize::from(row.level)).is_some_and(|of| of.together) {
                    return self.enqueue(entry.row);
                }
            }
        }
        let tiers = self.tiers;
        self.fleet.tried(gateway, &tiers, any_good, self.now);
        self.order(entry.row, gateway, &frame);
    }

    /// Makes an attempt: its record first, its order after it.
    fn order(&mut self, handle: Handle, gateway: GatewayId, frame: &Frame) {
        let repeat = self.repeat_of(handle);
        let plan = self.plan_for(handle, frame);
        let Some(row) = self.rows.get(handle) else { return };
        let delivery = self.delivery_id(row);
        let now = self.now;
        let Some(g) = self.fleet.get_mut(gateway) else { return };
        g.capacity.take(now);
        let (name, channel, time_out) = (g.config.name.clone(), g.config.channel, g.capacity.time_out());

        let Some(row) = self.rows.get_mut(handle) else { return };
        row.attempts = row.attempts.saturating_add(1);
        row.out.insert(gateway);
        row.repeat = Repeat::No;
        let (n, left, next) = (row.attempts, row.left.take(), row.first);
        let step = frame.route.levels.get(usize::from(row.level)).map_or(0, |level| level.step);
        self.timers.cancel(&mut row.timer);
        let attempt = OpenAttempt {
            row: handle,
            next,
            n,
            gateway,
            channel,
            step,
            state: AttemptState::InFlight,
            repeat,
            plan,
            at: now,
            taken_at: now,
            progress: None,
            provider: None,
            timer: TimerKey::default(),
        };
        let place = self.attempts.insert(attempt);
        self.arm_give_up(place, gateway);
        if let Some(row) = self.rows.get_mut(handle) {
            row.first = place;
        }
        let id = AttemptId::new(delivery, n);
        if let Some((from, reason)) = left.filter(|(from, _)| *from != gateway) {
            self.event(Event::Failover { delivery, from, to: gateway, reason, drill: !frame.actual });
        }
        self.store(Record::Attempt(Attempt {
            id,
            gateway: name,
            channel,
            step,
            at: now,
            repeat,
            plan,
            outcome: None,
        }));
        let severity = frame.severity;
        let order =
            Order { attempt: id, gateway, channel, time_out, expires: frame.expiry, repeat, severity };
        self.effects.push_back(Effect::Send(order));
        self.recount(handle);
    }

    /// Sets when an attempt whose adapter does not answer is given up.
    pub(super) fn arm_give_up(&mut self, place: Handle, gateway: GatewayId) {
        let Some(g) = self.fleet.get(gateway) else { return };
        let longest = g.capacity.time_out() + g.config.connect_time_out.times(CONNECT_PHASES) + GIVE_UP_SLACK;
        let key = self.timers.set(self.now + longest, Timer::GiveUp(place));
        if let Some(attempt) = self.attempts.get_mut(place) {
            attempt.timer = key;
        }
    }

    /// Says what an attempt made now would repeat.
    fn repeat_of(&self, handle: Handle) -> Repeat {
        let (sent, in_flight, unknown) = self.open_states(handle);
        let Some(row) = self.rows.get(handle) else { return Repeat::No };
        match row.repeat {
            Repeat::No if in_flight && !sent && !unknown => Repeat::Together,
            Repeat::No if unknown => Repeat::AfterUnknown,
            Repeat::No if sent => Repeat::AfterWait,
            Repeat::No if row.copies > 0 => Repeat::AfterFailure,
            marked => marked,
        }
    }

    /// Returns the number of the plan that explains an attempt made now, writing it where it is new.
    fn plan_for(&mut self, handle: Handle, frame: &Frame) -> u32 {
        let epoch = self.epoch;
        let Some(row) = self.rows.get(handle) else { return 0 };
        let (level, class, message_handle, barred) = (row.level, row.class as usize, row.message, row.barred);
        let Some(message) = self.messages.get_mut(message_handle) else { return 0 };
        let Some(known) = message.classes.get_mut(class) else { return 0 };
        if let Some(number) = known.plans.find(epoch, level, barred) {
            return number;
        }
        message.last_plan += 1;
        let number = message.last_plan;
        known.plans.put(level, barred, number);
        let (id, channels) = (message.facts.id, known.key.channels);
        let route = &frame.route;
        let own = route.ladder(level, GatewaySet::EMPTY, false).levels.first().copied().unwrap_or_default();
        let open = route.all.without(self.fleet.on(barred));
        let plan = Plan {
            message: id,
            number,
            policy: route.policy.hash.clone(),
            rule: route.rule().name.clone(),
            step: route.levels.get(usize::from(level)).map_or(0, |l| l.step),
            on_unknown: route.on_unknown(frame.severity),
            ranking: self.fleet.ranking(own, open, route.rule(), channels, frame.actual, self.now),
            at: self.now,
        };
        self.store(Record::Plan(Arc::new(plan)));
        number
    }

    /// Says which states a delivery's open attempts are in: sent, in flight, unknown.
    pub(super) fn open_states(&self, handle: Handle) -> (bool, bool, bool) {
        self.open_attempts(handle).fold((false, false, false), |(s, f, u), (_, attempt)| {
            match attempt.state {
                AttemptState::Sent => (true, f, u),
                AttemptState::InFlight => (s, true, u),
                AttemptState::Unknown => (s, f, true),
            }
        })
    }

    /// Returns the gateways that hold a delivery, or may soon: they are not asked again. Nor are those that may have it,
    /// unless the rule prefers a repeat to a loss.
    fn holders(&self, handle: Handle, on_unknown: OnUnknown) -> GatewaySet {
        self.open_attempts(handle)
            .filter(|(_, attempt)| on_unknown != OnUnknown::Repeat || attempt.state != AttemptState::Unknown)
            .map(|(_, attempt)| attempt.gateway)
            .collect()
    }

    fn channels_in_use(&self, handle: Handle) -> ChannelSet {
        self.open_attempts(handle).map(|(_, attempt)| attempt.channel).collect()
    }

    /// Returns a delivery's open attempts, the latest first.
    pub(super) fn open_attempts(&self, handle: Handle) -> impl Iterator<Item = (Handle, &OpenAttempt)> {
        let mut next = self.rows.get(handle).map_or(NONE, |row| row.first);
        std::iter::from_fn(move || {
            let (place, attempt) = (next, self.attempts.get(next)?);
            next = attempt.next;
            Some((place, attempt))
        })
    }

    /// Counts a delivery anew as what it is now.
    pub(super) fn recount(&mut self, handle: Handle) {
        let (sent, in_flight, unknown) = self.open_states(handle);
        let Some(row) = self.rows.get_mut(handle) else { return };
        let kind = match () {
            () if in_flight => Kind::InFlight,
            () if sent || unknown => Kind::Unconfirmed,
            () if row.backing_off => Kind::BackingOff,
            () => Kind::Waiting,
        };
        let was = std::mem::replace(&mut row.kind, kind);
        if was != kind {
            let message = row.message;
            let counts = self.counts.of(self.is_drill(message));
            *was.count(counts) -= 1;
            *kind.count(counts) += 1;
        }
    }

    /// Says whether a message is an exercise of any kind: its figures are kept apart.
    pub(super) fn is_drill(&self, message: Handle) -> bool {
        self.messages.get(message).is_some_and(|message| message.facts.status.is_drill())
    }
}

/// Says whether a queue's entry is its delivery's present one.
fn is_live(rows: &Slab<Row>, entry: &Entry) -> bool {
    let lane = entry.stay.lane();
    rows.get(entry.row)
        .is_some_and(|row| row.stay.in_lane(lane) == entry.stay && row.lanes & (1 << lane) != 0)
}

/// Returns the gateways that an entry may take at this instant. One that is in doubt is scouted with a real delivery now
/// and then, never with the gravest: those go by what is known to work.
fn choice(
    ladder: &Ladder,
    entry: &Entry,
    tiers: &super::Tiers,
    free: GatewaySet,
    scouts: GatewaySet,
) -> GatewaySet {
    let offered = ladder.open(tiers, free);
    let first = ladder.levels.first().copied().unwrap_or_default();
    let scout = first.and(scouts);
    let gravest = entry.rank >> 61 == Severity::Extreme as u64;
    if scout.is_empty() || gravest { offered } else { scout }
}
