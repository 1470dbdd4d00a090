//! Who needs help: every open call, and when operators were told of it last.
//!
//! The first call on a message is told at once; what follows within [`TELL_EVERY`] is told together, with a count. What
//! was called shortly before a start is told again: whether anybody heard of it then is not on record here, and what was
//! told is known by its newest call, so that nobody hears it twice.
//!
//! Limits: [`HELP_MAX`] calls are known, the oldest gone first and still counted by their message; [`TOLD_MAX`] messages
//! are remembered as told of; a call is open for [`HELP_FOR`], or until its caller answers otherwise.

use super::effect::{Alarm, Effect, Event};
use super::ids::MessageId;
use super::message::{Severity, Status};
use super::record::Raised;
use super::reply::{Caller, HELP_FOR, HELP_MAX, HelpCall};
use super::time::{Span, Timestamp};
use super::view::{HelpOf, HelpView};
use super::{Core, TELL_AGAIN_WITHIN};
use std::collections::{BTreeMap, BTreeSet};

/// The least time between two notices about one message: contacts who are told of every call are told of nothing.
const TELL_EVERY: Span = Span::from_secs(60);
/// Of how many messages it is remembered that they were told of: more do not call for help within a minute.
const TOLD_MAX: usize = 1_000;
/// How many messages a view names, those with the oldest calls.
const NAMED_MAX: usize = 20;
/// How many calls are looked at for them.
const LOOKS_MAX: usize = 2_000;

/// Every open call for help.
#[derive(Clone, Debug, Default)]
pub(super) struct Help {
    since: BTreeMap<Caller, Timestamp>,
    by_age: BTreeSet<HelpCall>,
    /// How many of a message's recipients call; `None`: those of no known message.
    of: BTreeMap<Option<MessageId>, u32>,
    told: BTreeMap<Option<MessageId>, Told>,
}

/// What was told of one message's calls.
#[derive(Clone, Debug)]
struct Told {
    at: Timestamp,
    /// How many called since.
    fresh: u32,
    /// When the last of them called.
    newest: Timestamp,
    whom: Option<Whom>,
}

/// Who is told, and what they must know.
#[derive(Clone, Debug)]
pub(super) struct Whom {
    pub(super) severity: Severity,
    pub(super) status: Status,
    pub(super) rule: String,
    pub(super) contacts: Vec<String>,
}

impl Caller {
    fn message(self) -> Option<MessageId> {
        match self {
            Caller::Of(delivery) => Some(delivery.message),
            Caller::Stranger(_) => None,
        }
    }
}

impl Help {
    /// Takes what the store kept. What is not old is told at once.
    pub(super) fn load(&mut self, calls: Vec<HelpCall>, now: Timestamp) {
        for call in calls {
            self.open(call);
        }
        for call in self.by_age.iter().rev().take_while(|call| call.since + TELL_AGAIN_WITHIN > now) {
            let of = call.who.message();
            if self.told.len() >= TOLD_MAX && !self.told.contains_key(&of) {
                break;
            }
            // They come newest first.
            let told = Told { at: now - TELL_EVERY, fresh: 0, newest: call.since, whom: None };
            self.told.entry(of).or_insert(told).fresh += 1;
        }
    }

    /// Says who is told of a message's calls.
    fn tell(&mut self, message: MessageId, whom: Whom) {
        if let Some(told) = self.told.get_mut(&Some(message)) {
            told.whom = Some(whom);
        }
    }

    /// Returns the next time at which something is to be told.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.told.values().filter(|told| told.fresh > 0).map(|told| told.at + TELL_EVERY).min()
    }

    /// Closes a caller's call.
    pub(super) fn close(&mut self, who: Caller) {
        let Some(since) = self.since.remove(&who) else { return };
        self.by_age.remove(&HelpCall { since, who });
        if let Some(count) = self.of.get_mut(&who.message()) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of.remove(&who.message());
            }
        }
    }

    /// Opens a call. Says whether it was not open.
    fn open(&mut self, call: HelpCall) -> bool {
        if self.since.contains_key(&call.who) {
            return false;
        }
        if self.since.len() == HELP_MAX
            && let Some(oldest) = self.by_age.first().copied()
        {
            self.close(oldest.who);
        }
        self.since.insert(call.who, call.since);
        self.by_age.insert(call);
        *self.of.entry(call.who.message()).or_default() += 1;
        true
    }

    /// Closes what has been open for long.
    fn close_old(&mut self, now: Timestamp) {
        while let Some(oldest) = self.by_age.first().copied().filter(|call| call.since + HELP_FOR <= now) {
            self.close(oldest.who);
        }
    }

    /// Draws what a page shows.
    pub(super) fn view(&self) -> HelpView {
        let mut oldest: BTreeMap<Option<MessageId>, Timestamp> = BTreeMap::new();
        for call in self.by_age.iter().take(LOOKS_MAX) {
            let of = call.who.message();
            if oldest.len() < NAMED_MAX || oldest.contains_key(&of) {
                oldest.entry(of).or_insert(call.since);
            }
        }
        let of = |(message, oldest): (Option<MessageId>, Timestamp)| HelpOf {
            message,
            people: self.of.get(&message).copied().unwrap_or_default(),
            oldest,
        };
        let mut messages: Vec<HelpOf> = oldest.into_iter().map(of).collect();
        messages.sort_unstable_by_key(|of| (of.oldest, of.message));
        HelpView {
            people: self.since.len() as u32,
            oldest: self.by_age.first().map(|call| call.since),
            messages,
        }
    }
}

impl Core {
    /// Takes up the calls for help that the store kept, and whom they concern.
    pub(super) fn load_help(&mut self, calls: Vec<HelpCall>, raised: BTreeMap<MessageId, Raised>) {
        self.help.load(calls, self.now);
        for (message, Raised { severity, status, rule }) in raised {
            if let Some(whom) = self.whom(severity, status, &rule) {
                self.help.tell(message, whom);
            }
        }
    }

    /// Says who is told of a call for help: the contacts of the rule by which the message went to the caller.
    pub(super) fn whom(&self, severity: Severity, status: Status, rule: &str) -> Option<Whom> {
        let rule = self.policy.rules.iter().find(|known| known.name == rule)?;
        Some(Whom { severity, status, rule: rule.name.clone(), contacts: rule.escalate.clone() })
    }

    /// Raises a call for help.
    pub(super) fn raise(&mut self, who: Caller, whom: Option<Whom>) {
        let now = self.now;
        if !self.help.open(HelpCall { since: now, who }) {
            return;
        }
        let of = who.message();
        if self.help.told.len() >= TOLD_MAX && !self.help.told.contains_key(&of) {
            let oldest = self.help.told.iter().min_by_key(|(_, told)| told.at).map(|(of, _)| *of);
            oldest.into_iter().for_each(|of| self.tell_of(of));
            oldest.into_iter().for_each(|of| drop(self.help.told.remove(&of)));
        }
        let told = self.help.told.entry(of);
        let told = told.or_insert(Told { at: now - TELL_EVERY, fresh: 0, newest: now, whom: None });
        told.fresh += 1;
        told.newest = now;
        told.whom = whom.or(told.whom.take());
    }

    /// Tells of the calls whose time has come, and forgets what was told long ago.
    pub(super) fn tell_of_help(&mut self) {
        let now = self.now;
        self.help.close_old(now);
        let is_due = |told: &Told| told.at + TELL_EVERY <= now;
        let due = self.help.told.iter().filter(|(_, told)| is_due(told)).map(|(of, _)| *of);
        for of in due.collect::<Vec<_>>() {
            self.tell_of(of);
        }
        self.help.told.retain(|_, told| told.at + TELL_EVERY > now);
    }

    fn tell_of(&mut self, message: Option<MessageId>) {
        let now = self.now;
        let people = self.help.of.get(&message).copied().unwrap_or_default();
        let Some(told) = self.help.told.get_mut(&message) else { return };
        let fresh = std::mem::take(&mut told.fresh);
        if fresh == 0 {
            return;
        }
        told.at = now;
        let newest = told.newest;
        if let (Some(message), Some(whom)) = (message, told.whom.clone().filter(|w| !w.contacts.is_empty())) {
            let Whom { severity, status, rule, contacts } = whom;
            let alarm = Alarm::Help { people: people.max(1), newest };
            self.effects.push_back(Effect::Escalate { message, severity, status, rule, contacts, alarm });
        }
        self.event(Event::NeedHelp { message, people, fresh, newest });
    }
}
