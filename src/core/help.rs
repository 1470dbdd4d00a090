//! Who needs help: every open call, and when operators were told of it last.
//!
//! The first call on a message is told at once; what follows within [`TELL_EVERY`] is told together, with a count. What
//! was called shortly before a start is told again: whether anybody heard of it then is not on record here, and what was
//! told is known by its newest call, so that nobody hears it twice. Calls in answer to exercises are told as such and counted
//! apart: played ones never hide, or push out, one that is meant.
//!
//! Limits: [`HELP_MAX`] calls are known, and as many of exercises, the oldest gone first and still counted by their message;
//! [`TOLD_MAX`] messages are remembered as told of; a call is open for [`HELP_FOR`], or until its caller answers otherwise.

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
/// The contacts of how many rules are told of one message's calls.
const RULES_MAX: usize = 100;
/// How many messages a view names, those with the oldest calls.
const NAMED_MAX: usize = 20;
/// How many calls are looked at for them.
const LOOKS_MAX: usize = 2_000;

/// Every open call for help.
#[derive(Clone, Debug, Default)]
pub(super) struct Help {
    actual: Calls,
    /// In answer to exercises and tests.
    drill: Calls,
    told: BTreeMap<Option<MessageId>, Told>,
}

/// Open calls of one kind.
#[derive(Clone, Debug, Default)]
struct Calls {
    since: BTreeMap<Caller, Timestamp>,
    by_age: BTreeSet<(Timestamp, Caller)>,
    /// How many of a message's recipients call; `None`: those of no known message.
    of: BTreeMap<Option<MessageId>, u32>,
}

/// What was told of one message's calls.
#[derive(Clone, Debug)]
struct Told {
    at: Timestamp,
    /// How many called since.
    fresh: u32,
    /// When the last of them called.
    newest: Timestamp,
    drill: bool,
    /// Each rule's once: regions have rules of their own.
    whom: Vec<Whom>,
}

/// Who is told, and what they must know.
#[derive(Clone, Debug)]
pub(super) struct Whom {
    pub(super) severity: Severity,
    pub(super) status: Status,
    pub(super) rule: String,
    pub(super) contacts: Vec<String>,
}

impl Told {
    /// Takes whom a call concerns, as the rule says it now.
    fn concerns(&mut self, whom: Whom) {
        match self.whom.iter().position(|known| known.rule == whom.rule) {
            Some(place) => self.whom[place] = whom,
            None if self.whom.len() < RULES_MAX => self.whom.push(whom),
            None => {}
        }
    }
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
        // Newest first; those of exercises leave room for what is meant.
        let recent = |call: &&HelpCall| call.since + TELL_AGAIN_WITHIN > now;
        let (drills, actual): (Vec<_>, Vec<_>) =
            calls.iter().rev().take_while(recent).partition(|call| call.drill);
        for HelpCall { since, who, drill } in actual.into_iter().chain(drills) {
            let of = who.message();
            if self.told.len() >= TOLD_MAX && !self.told.contains_key(&of) {
                break;
            }
            let told = Told { at: now - TELL_EVERY, fresh: 0, newest: since, drill, whom: Vec::new() };
            self.told.entry(of).or_insert(told).fresh += 1;
        }
        for HelpCall { since, who, drill } in calls {
            self.of(drill).open(who, since);
        }
    }

    /// Says who is told of a message's calls.
    fn tell(&mut self, message: MessageId, whom: Whom) {
        if let Some(told) = self.told.get_mut(&Some(message)) {
            told.concerns(whom);
        }
    }

    /// Returns the next time at which something is to be told.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.told.values().filter(|told| told.fresh > 0).map(|told| told.at + TELL_EVERY).min()
    }

    /// Says whether a caller's call is open that is meant.
    pub(super) fn is_meant(&self, who: Caller) -> bool {
        self.actual.since.contains_key(&who)
    }

    /// Closes a caller's call. Says whether one was open.
    pub(super) fn close(&mut self, who: Caller) -> bool {
        let (actual, drill) = (self.actual.close(who), self.drill.close(who));
        actual || drill
    }

    fn of(&mut self, drill: bool) -> &mut Calls {
        if drill { &mut self.drill } else { &mut self.actual }
    }

    /// Draws what a page shows.
    pub(super) fn view(&self) -> HelpView {
        HelpView {
            people: self.actual.since.len() as u32,
            oldest: self.actual.by_age.first().map(|(since, _)| *since),
            messages: self.actual.messages(),
            exercises: self.drill.since.len() as u32,
        }
    }
}

impl Calls {
    fn close(&mut self, who: Caller) -> bool {
        let Some(since) = self.since.remove(&who) else { return false };
        self.by_age.remove(&(since, who));
        if let Some(count) = self.of.get_mut(&who.message()) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of.remove(&who.message());
            }
        }
        true
    }

    /// Opens a call. Says whether it was not open.
    fn open(&mut self, who: Caller, since: Timestamp) -> bool {
        if self.since.contains_key(&who) {
            return false;
        }
        if self.since.len() == HELP_MAX
            && let Some((_, oldest)) = self.by_age.first().copied()
        {
            self.close(oldest);
        }
        self.since.insert(who, since);
        self.by_age.insert((since, who));
        *self.of.entry(who.message()).or_default() += 1;
        true
    }

    /// Closes what has been open for long.
    fn close_old(&mut self, now: Timestamp) {
        while let Some((_, who)) = self.by_age.first().copied().filter(|(since, _)| *since + HELP_FOR <= now)
        {
            self.close(who);
        }
    }

    /// Returns the messages with the oldest calls.
    fn messages(&self) -> Vec<HelpOf> {
        let mut oldest: BTreeMap<Option<MessageId>, Timestamp> = BTreeMap::new();
        for (since, who) in self.by_age.iter().take(LOOKS_MAX) {
            let of = who.message();
            if oldest.len() < NAMED_MAX || oldest.contains_key(&of) {
                oldest.entry(of).or_insert(*since);
            }
        }
        let of = |(message, oldest): (Option<MessageId>, Timestamp)| HelpOf {
            message,
            people: self.of.get(&message).copied().unwrap_or_default(),
            oldest,
        };
        let mut messages: Vec<HelpOf> = oldest.into_iter().map(of).collect();
        messages.sort_unstable_by_key(|of| (of.oldest, of.message));
        messages
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

    /// Raises a call for help, in answer to an exercise or not.
    pub(super) fn raise(&mut self, who: Caller, drill: bool, whom: Option<Whom>) {
        let now = self.now;
        if !self.help.of(drill).open(who, now) {
            return;
        }
        let of = who.message();
        if self.help.told.len() >= TOLD_MAX && !self.help.told.contains_key(&of) {
            let oldest = self.help.told.iter().min_by_key(|(_, told)| told.at).map(|(of, _)| *of);
            oldest.into_iter().for_each(|of| self.tell_of(of));
            oldest.into_iter().for_each(|of| drop(self.help.told.remove(&of)));
        }
        let told = self.help.told.entry(of);
        let told =
            told.or_insert(Told { at: now - TELL_EVERY, fresh: 0, newest: now, drill, whom: Vec::new() });
        told.fresh += 1;
        told.newest = now;
        whom.into_iter().for_each(|whom| told.concerns(whom));
    }

    /// Tells of the calls whose time has come, and forgets what was told long ago.
    pub(super) fn tell_of_help(&mut self) {
        let now = self.now;
        self.help.actual.close_old(now);
        self.help.drill.close_old(now);
        let is_due = |told: &Told| told.at + TELL_EVERY <= now;
        let due = self.help.told.iter().filter(|(_, told)| is_due(told)).map(|(of, _)| *of);
        for of in due.collect::<Vec<_>>() {
            self.tell_of(of);
        }
        self.help.told.retain(|_, told| told.at + TELL_EVERY > now);
    }

    fn tell_of(&mut self, message: Option<MessageId>) {
        let now = self.now;
        let Some(told) = self.help.told.get_mut(&message) else { return };
        let fresh = std::mem::take(&mut told.fresh);
        if fresh == 0 {
            return;
        }
        let (newest, drill) = (told.newest, told.drill);
        let rules = told.whom.clone();
        let people = self.help.of(drill).of.get(&message).copied().unwrap_or_default();
        // Whoever called has said since that all is well.
        if people == 0 {
            return;
        }
        if let Some(told) = self.help.told.get_mut(&message) {
            told.at = now;
        }
        for whom in rules.into_iter().filter(|whom| !whom.contacts.is_empty()) {
            let Some(message) = message else { break };
            let Whom { severity, status, rule, contacts } = whom;
            let alarm = Alarm::Help { people, newest };
            self.effects.push_back(Effect::Escalate { message, severity, status, rule, contacts, alarm });
        }
        self.event(Event::NeedHelp { message, people, fresh, newest, drill });
    }
}
