//! Accepting messages, materialising their deliveries, and visiting those when something changed for all of them.

use super::audit::{Audit, discreet};
use super::effect::{Alarm, Effect, Event, Reply};
use super::ids::{DeliveryId, MessageId};
use super::input::{Accept, Ticket};
use super::message::{CHUNK_RECIPIENTS, Message, Recipient, Severity};
use super::outbox::message::{Class, ClassKey, Facts, OpenMessage, Plans, SETTLED, Sweep};
use super::outbox::queue::Stay;
use super::outbox::row::{Kind, Out, Row};
use super::outbox::timers::{Timer, TimerKey};
use super::policy::LAST_RULE;
use super::record::{Progress, Record, Repeat};
use super::route::plan::Route;
use super::slab::{Handle, NONE};
use super::time::{Span, Timestamp};
use super::{Core, EXERCISES_MAX, Key, OUTBOX_MAX, VISITS_PER_TURN};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Contacts are told again of a deadline that was missed before a start only while the key of the first telling is
/// surely known: half of the time for which keys are kept.
pub(crate) const TELL_AGAIN_WITHIN: Span = Span::from_hours(12);

/// How many corrections are remembered, so that two callers at once cannot correct one message twice. What lies further
/// back is on disk for whoever asks before it hands over a correction.
const CORRECTIONS_KEPT: usize = 1_024;

impl Core {
    /// Accepts a message: its record and its frozen audience go to the store, the answer after them.
    pub(super) fn accept(&mut self, accept: Accept) {
        let ticket = accept.ticket;
        let deliveries = accept.recipients.len() as u32;
        if let Some(known) = accept.idempotency.and_then(|key| self.keys.get(&key.key).map(|k| (key, *k))) {
            let (asked, made) = known;
            let reply = match asked.body == made.body {
                true => Reply::Accepted { message: made.message, deliveries: made.deliveries },
                false => Reply::KeyConflict { message: made.message },
            };
            return self.reply(ticket, reply);
        }
        if !self.has_room(deliveries, accept.status.is_drill()) {
            return self.reply(ticket, Reply::OutboxFull { retry_after: Span::from_secs(5) });
        }
        if let Some(other) = accept.corrects.and_then(|of| self.corrections.get(&of)) {
            return self.reply(ticket, Reply::Corrected { by: *other });
        }
        let id = MessageId::new(self.now, self.config.shard, self.rng.draw());
        let message = Arc::new(Message {
            id,
            author: accept.author,
            accepted_at: self.now,
            severity: accept.severity,
            urgency: accept.urgency,
            status: accept.status,
            incident: accept.incident,
            expires: accept.expires,
            text: accept.text,
            template: accept.template,
            tags: accept.tags,
            recipients: deliveries,
            audiences: accept.audiences,
            corrects: accept.corrects,
            asks: accept.asks,
        });
        let chunks: Vec<Arc<Vec<Recipient>>> = in_chunks(accept.recipients);
        self.store(Record::Message(Arc::clone(&message)));
        for (chunk, people) in chunks.iter().enumerate() {
            self.store(Record::Audience { message: id, chunk: chunk as u32, people: Arc::clone(people) });
        }
        if let Some(key) = accept.idempotency {
            self.keys.insert(key.key, Key { body: key.body, message: id, deliveries });
            self.keys_by_age.push_back((self.now, key.key));
            self.store(Record::Idempotency { key, message: id, deliveries, at: self.now });
        }
        if let Some(of) = message.corrects {
            self.corrections.insert(of, id);
            if self.corrections.len() > CORRECTIONS_KEPT {
                self.corrections.pop_first();
            }
        }
        self.audit(&message.author, "accept", id.to_string(), String::new());
        self.reply(ticket, Reply::Accepted { message: id, deliveries });

        let progress = Progress::new(id);
        let handle = self.open_message(Facts::of(&message), progress);
        if let Some(open) = self.messages.get_mut(handle) {
            open.chunks.extend(chunks);
        }
        let by_last_rule = self.count_last_rule(handle);
        let (severity, drill) = (message.severity, message.status.is_drill());
        self.event(Event::Accepted { message: id, severity, deliveries, by_last_rule, drill });
    }

    /// Says whether the outbox takes so many deliveries more. Exercises never take the room of what is meant.
    fn has_room(&self, deliveries: u32, drill: bool) -> bool {
        let deliveries = u64::from(deliveries);
        let fits = self.counts.open() + deliveries <= OUTBOX_MAX;
        fits && (!drill || self.counts.drill.open() + deliveries <= EXERCISES_MAX)
    }

    /// Enters a message into the tables, with nothing materialised.
    pub(super) fn open_message(&mut self, facts: Facts, progress: Progress) -> Handle {
        self.last_message = self.last_message.wrapping_add(1);
        let (id, precedence, number) = (facts.id, facts.precedence(), self.last_message);
        let drill = facts.status.is_drill();
        let waiting = u64::from(facts.recipients) - u64::from(progress.settled.iter().sum::<u32>());
        let handle = self.messages.insert(OpenMessage::new(number, facts, progress));
        self.message_of.insert(id, handle);
        self.by_age.insert((precedence, number), handle);
        self.busy.insert((precedence, number, handle));
        let counts = self.counts.of(drill);
        counts.materialising += waiting;
        counts.messages_open += 1;
        handle
    }

    /// Counts the recipients at hand for whom no rule of the admins is.
    fn count_last_rule(&mut self, handle: Handle) -> u32 {
        let Some(message) = self.messages.get(handle) else { return 0 };
        let mut known: BTreeMap<ClassKey, bool> = BTreeMap::new();
        let mut count = 0;
        for person in message.chunks.iter().flat_map(|chunk| chunk.iter()) {
            let key = ClassKey::of(person, &message.facts.audiences);
            let last = match known.get(&key) {
                Some(last) => *last,
                None => {
                    let rule = self.policy.rule_for(&message.facts.subject(&key));
                    let last = self.policy.rules[rule].name == LAST_RULE;
                    known.insert(key, last);
                    last
                }
            };
            count += u32::from(last);
        }
        count
    }

    /// Takes a chunk of an audience that was read back.
    pub(super) fn audience(&mut self, message: MessageId, chunk: u32, people: Arc<Vec<Recipient>>) {
        let Some(handle) = self.message_of.get(&message).copied() else { return };
        let Some(open) = self.messages.get_mut(handle) else { return };
        if open.asked && open.next == chunk * CHUNK_RECIPIENTS as u32 {
            open.asked = false;
            open.chunks.push_back(people);
            self.busy.insert((open.facts.precedence(), open.number, handle));
        }
    }

    /// Materialises new deliveries and visits old ones, the most severe message first, up to the limit of a turn.
    pub(super) fn visit(&mut self) {
        let mut left = VISITS_PER_TURN;
        while left > 0 {
            let Some(first) = self.busy.first().copied() else { return };
            let handle = first.2;
            left -= 1;
            let Some(message) = self.messages.get_mut(handle) else {
                self.busy.remove(&first);
                continue;
            };
            // A visit and the making of rows take turns: neither keeps the other from ending.
            let rows_first = self.turn % 2 == 1 && !message.chunks.is_empty();
            if message.sweep.is_some() && !rows_first {
                self.sweep_on(handle);
                continue;
            }
            if self.materialise(handle) {
                continue;
            }
            match self.messages.get(handle).is_some_and(|message| message.sweep.is_some()) {
                true => self.sweep_on(handle),
                false => {
                    self.busy.remove(&first);
                    self.finish_message(handle);
                }
            }
        }
        self.more |= !self.busy.is_empty();
    }

    /// Looks at the next row of a message's visit.
    fn sweep_on(&mut self, handle: Handle) {
        let Some(message) = self.messages.get_mut(handle) else { return };
        let first = message.first_open();
        let Some(sweep) = &mut message.sweep else { return };
        match message.rows.get(sweep.at as usize).copied() {
            Some(row) => {
                let together = sweep.together;
                sweep.at += 1;
                if row != NONE && row != SETTLED && (!together || self.waits_together(row)) {
                    self.revisit(row);
                }
            }
            None => {
                message.sweep = sweep.again.map(|together| Sweep { at: first, together, again: None });
            }
        }
    }

    /// Says whether a delivery waits on a step that is sent all at once.
    fn waits_together(&self, handle: Handle) -> bool {
        let Some(row) = self.rows.get(handle) else { return false };
        let Some(frame) = self.frame(row) else { return false };
        let floor = if row.attempts == 0 { frame.floor } else { 0 };
        let level = row.level.max(floor).min(frame.route.last_level());
        frame.route.levels.get(usize::from(level)).is_some_and(|level| level.together)
    }

    /// Materialises the next delivery; false where there is nothing at hand.
    fn materialise(&mut self, handle: Handle) -> bool {
        let Some(message) = self.messages.get_mut(handle) else { return false };
        if message.materialised() {
            return false;
        }
        let index = message.next;
        let Some(people) = message.chunks.front().cloned() else {
            if !message.asked {
                message.asked = true;
                let (id, chunk) = (message.facts.id, index / CHUNK_RECIPIENTS as u32);
                self.effects.push_back(Effect::LoadAudience { message: id, chunk });
            }
            return false;
        };
        let place = index as usize % CHUNK_RECIPIENTS;
        message.next += 1;
        if place + 1 >= people.len() {
            message.chunks.pop_front();
        }
        if message.rows[index as usize] == SETTLED {
            return true;
        }
        let Some(person) = people.get(place) else { return true };
        let class = self.class_of(handle, person);
        let counts = self.counts.of(self.is_drill(handle));
        counts.materialising = counts.materialising.saturating_sub(1);
        self.add_row(handle, index, class, person.is_erased());
        true
    }

    fn add_row(&mut self, handle: Handle, index: u32, class: u32, is_erased: bool) {
        let restored = self.messages.get(handle).is_some_and(|message| message.progress.restored);
        let row = self.rows.insert(Row {
            message: handle,
            index,
            class,
            first: NONE,
            level: 0,
            attempts: 0,
            rounds: 0,
            barred: Default::default(),
            out: Out::default(),
            stay: Stay::default(),
            lanes: 0,
            timer: TimerKey::default(),
            backing_off: false,
            kind: Kind::Waiting,
            was_taken: false,
            // What a restored backup held open may have gone out before.
            copies: u8::from(restored),
            repeat: if restored { Repeat::AfterUnknown } else { Repeat::No },
            left: None,
            late: false,
        });
        let counts = self.counts.of(self.is_drill(handle));
        counts.waiting += 1;
        let Some(message) = self.messages.get_mut(handle) else { return };
        message.rows[index as usize] = row;
        let kept = message.kept.remove(&index);
        let class = &mut message.classes[class as usize];
        class.open += 1;
        if class.deadline_passed {
            counts.late += 1;
            if let Some(row) = self.rows.get_mut(row) {
                row.late = true;
            }
            if !message.late_before {
                message.progress.late += 1;
                self.dirty.insert(handle);
            }
        }
        match kept {
            Some(kept) => {
                self.restore(row, kept);
                if is_erased {
                    self.end_erased(row);
                }
            }
            None if is_erased => self.end_erased(row),
            None => self.revisit(row),
        }
    }

    /// Finds or makes the class of a recipient.
    fn class_of(&mut self, handle: Handle, person: &Recipient) -> u32 {
        let Some(message) = self.messages.get(handle) else { return 0 };
        let key = ClassKey::of(person, &message.facts.audiences);
        if let Some(class) = message.class_of.get(&key) {
            return *class;
        }
        let key = Arc::new(key);
        let class = self.make_class(handle, Arc::clone(&key));
        let Some(message) = self.messages.get_mut(handle) else { return 0 };
        let place = message.classes.len() as u32;
        message.classes.push(class);
        message.class_of.insert(key, place);
        self.set_message_timer(handle);
        self.escalate_again(handle, place);
        place
    }

    fn make_class(&mut self, handle: Handle, key: Arc<ClassKey>) -> Class {
        let message = self.messages.get(handle).expect("the caller holds it");
        let facts = &message.facts;
        let rule = self.policy.rule_for(&facts.subject(&key));
        let route = match self.routes.get(&(rule, key.channels)) {
            Some(route) => Arc::clone(route),
            None => {
                let route = Arc::new(Route::build(&self.policy, rule, key.channels, &self.fleet));
                self.routes.insert((rule, key.channels), Arc::clone(&route));
                route
            }
        };
        let of = route.rule();
        let by_rule = facts.accepted_at + of.expiry_for(facts.severity);
        let expiry = facts.expires.map_or(by_rule, |said| said.min(by_rule));
        let deadline = of.deadline.map_or(expiry, |d| (facts.accepted_at + d).min(expiry));
        let floor = floor_at(&route, facts.severity, facts.accepted_at, self.now);
        let deadline_passed = of.deadline.is_some() && deadline <= self.now && message.progress.late > 0;
        let region = self.receipts.region(key.region.as_deref());
        Class {
            key,
            region,
            route,
            deadline,
            expiry,
            floor,
            plans: Plans::default(),
            open: 0,
            deadline_passed,
        }
    }

    /// Makes every class of every open message anew, under a new policy or new gateways.
    pub(super) fn rematch(&mut self) {
        self.routes.clear();
        self.epoch += 1;
        let handles: Vec<Handle> = self.message_of.values().copied().collect();
        for handle in handles {
            let keys: Vec<Arc<ClassKey>> = match self.messages.get(handle) {
                Some(message) => message.classes.iter().map(|c| Arc::clone(&c.key)).collect(),
                None => continue,
            };
            for (place, key) in keys.into_iter().enumerate() {
                let fresh = self.make_class(handle, key);
                if let Some(message) = self.messages.get_mut(handle) {
                    let old = &mut message.classes[place];
                    let passed = old.deadline_passed;
                    *old = Class { open: old.open, deadline_passed: passed, ..fresh };
                }
            }
            self.sweep(handle);
            self.set_message_timer(handle);
        }
    }

    /// Has every delivery of a message looked at again, from the first.
    pub(super) fn sweep(&mut self, handle: Handle) {
        self.start_sweep(handle, false);
    }

    /// Has those looked at again that wait on a step that is sent all at once.
    pub(super) fn sweep_together(&mut self, handle: Handle) {
        self.start_sweep(handle, true);
    }

    fn start_sweep(&mut self, handle: Handle, together: bool) {
        if let Some(message) = self.messages.get_mut(handle) {
            let first = message.first_open();
            match &mut message.sweep {
                Some(sweep) => sweep.again = Some(together && sweep.again.unwrap_or(true)),
                none => *none = Some(Sweep { at: first, together, again: None }),
            }
            self.busy.insert((message.facts.precedence(), message.number, handle));
        }
    }

    /// Does what is due for whole classes: deadlines, expiries, wider steps.
    pub(super) fn message_due(&mut self, handle: Handle) {
        let now = self.now;
        let Some(message) = self.messages.get_mut(handle) else { return };
        message.timer = TimerKey::default();
        let (mut late, mut visit, mut told) = (0, false, Vec::new());
        for class in &mut message.classes {
            if !class.deadline_passed && class.deadline <= now && class.route.rule().deadline.is_some() {
                class.deadline_passed = true;
                late += class.open;
                visit |= class.open > 0;
                if class.open > 0 && !class.route.rule().escalate.is_empty() {
                    told.push(Arc::clone(&class.route));
                }
            }
            let floor = floor_at(&class.route, message.facts.severity, message.facts.accepted_at, now);
            visit |= floor != class.floor || class.expiry <= now;
            class.floor = class.floor.max(floor);
        }
        let (id, severity, status) = (message.facts.id, message.facts.severity, message.facts.status);
        if late > 0 {
            message.progress.late += late;
            self.dirty.insert(handle);
            let drill = status.is_drill();
            self.event(Event::DeadlineMissed { message: id, deliveries: late, severity, drill });
        }
        for route in told {
            self.escalate(handle, &route, id, severity, status, late);
        }
        if visit {
            self.sweep(handle);
        }
        self.set_message_timer(handle);
    }

    /// A class that is found late when it is made was late before a start: whether its contacts were told then is not
    /// on record here, so they are told again, under the same key.
    fn escalate_again(&mut self, handle: Handle, place: u32) {
        let Some(message) = self.messages.get(handle) else { return };
        let Some(class) = message.classes.get(place as usize) else { return };
        let recent = class.deadline + TELL_AGAIN_WITHIN > self.now;
        if class.deadline_passed && recent && !class.route.rule().escalate.is_empty() {
            let (route, facts, late) = (Arc::clone(&class.route), &message.facts, message.progress.late);
            let (id, severity, status) = (facts.id, facts.severity, facts.status);
            self.escalate(handle, &route, id, severity, status, late);
        }
    }

    fn escalate(
        &mut self,
        handle: Handle,
        route: &Route,
        message: MessageId,
        severity: Severity,
        status: super::message::Status,
        late: u32,
    ) {
        let Some(open) = self.messages.get_mut(handle) else { return };
        open.progress.escalated = true;
        let rule = route.rule();
        if !open.told.insert(rule.name.clone()) {
            return;
        }
        self.dirty.insert(handle);
        let (rule, contacts) = (rule.name.clone(), rule.escalate.clone());
        let alarm = Alarm::Late { deliveries: late };
        self.effects.push_back(Effect::Escalate { message, severity, status, rule, contacts, alarm });
    }

    /// Sets the message's timer to the next thing due for a class.
    pub(super) fn set_message_timer(&mut self, handle: Handle) {
        let Some(message) = self.messages.get_mut(handle) else { return };
        let due = message.next_due(self.now);
        self.timers.cancel(&mut message.timer);
        if let Some(due) = due {
            message.timer = self.timers.set(due, Timer::Message(handle));
        }
    }

    /// Ends a message whose every delivery has settled.
    pub(super) fn finish_message(&mut self, handle: Handle) {
        let Some(message) = self.messages.get(handle) else { return };
        if message.settled() < message.facts.recipients {
            return;
        }
        let Some(mut message) = self.messages.remove(handle) else { return };
        self.timers.cancel(&mut message.timer);
        self.message_of.remove(&message.facts.id);
        self.by_age.remove(&(message.facts.precedence(), message.number));
        self.busy.remove(&(message.facts.precedence(), message.number, handle));
        self.dirty.remove(&handle);
        self.counts.of(message.facts.status.is_drill()).messages_open -= 1;
        let ended = Progress { open: false, ..message.progress };
        self.ended.put(ended.clone());
        self.store(Record::Progress(ended));
    }

    /// Names a delivery.
    pub(super) fn delivery_id(&self, row: &Row) -> DeliveryId {
        let message = self.messages.get(row.message).map_or(MessageId::from_bytes([0; 16]), |m| m.facts.id);
        DeliveryId::new(message, row.index)
    }

    pub(super) fn reply(&mut self, ticket: Ticket, reply: Reply) {
        self.effects.push_back(Effect::Reply { ticket, reply });
    }

    pub(super) fn audit(&mut self, who: &str, act: &str, on: String, reason: String) {
        let (at, reason) = (self.now, discreet(&reason));
        self.effects.push_back(Effect::Note(Audit { at, who: who.into(), act: act.into(), on, reason }));
    }
}

impl Progress {
    /// Returns the progress of a message that has just been accepted.
    pub fn new(message: MessageId) -> Progress {
        Progress::untouched(message)
    }
}

/// Returns the level that untaken deliveries have grown to.
fn floor_at(route: &Route, severity: Severity, accepted_at: Timestamp, now: Timestamp) -> u8 {
    let mut floor = 0;
    while route.widens_at(floor, severity, accepted_at).is_some_and(|at| at <= now) {
        floor += 1;
    }
    floor
}

fn in_chunks(people: Vec<Recipient>) -> Vec<Arc<Vec<Recipient>>> {
    let mut chunks = Vec::with_capacity(people.len().div_ceil(CHUNK_RECIPIENTS));
    let mut people = people.into_iter();
    loop {
        let chunk: Vec<Recipient> = people.by_ref().take(CHUNK_RECIPIENTS).collect();
        if chunk.is_empty() {
            return chunks;
        }
        chunks.push(Arc::new(chunk));
    }
}
