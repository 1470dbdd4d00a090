//! What operators are told, and when: a pure look at the picture, once a second.
//!
//! One thread for each outage and each other trouble: what began, what has changed, that it is over; and again now and then
//! until somebody acknowledges it. What ends before it is worth a notice is not told. Who needs help is a thread for each
//! message that was answered so; it is over, without a word, once nobody of it does.
//!
//! Limits: [`WINDOW_MAX`] notices in [`WINDOW`]; what is beyond is folded into one that says how many.

use crate::api::board::{Board, Thread};
use crate::api::service::PolicyTrouble;
use crate::core::channel::Channel;
use crate::core::ids::MessageId;
use crate::core::message::Severity;
use crate::core::record::{Outage, OutageOf};
use crate::core::time::{Span, Timestamp};
use crate::core::view::View;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The period that the limit is for.
const WINDOW: Span = Span::from_mins(10);
/// The most notices in it: people who are told more are told nothing.
const WINDOW_MAX: usize = 20;
/// Kept free beyond it for what is gravest.
const WINDOW_SEVERE: usize = 5;
/// How long nothing may be usable before it is told.
const NO_WAY_OUT_AFTER: Span = Span::from_secs(30);
/// How long one channel alone may carry before it is told.
const ONE_WAY_LEFT_AFTER: Span = Span::from_mins(5);
/// When a trouble that nobody has acknowledged is told again: the gravest soon, the others by the hour.
const AGAIN_SEVERE: Span = Span::from_mins(15);
const AGAIN_MODERATE: Span = Span::from_hours(1);
/// An outage that was over so long before the first look is history.
const HISTORY: Span = Span::from_mins(10);
/// The least time between two notices of calls for help on one message: the later one has the count of all.
const HELP_EVERY: Span = Span::from_mins(10);
/// How long the picture may be behind what was told of calls for help.
const PICTURE_LAGS: Span = Span::from_secs(10);
/// A gateway's outage is told with its channel's where both are declared so close.
const TOGETHER: Span = Span::from_secs(5);

/// What is looked at.
pub(super) struct Seen<'a> {
    pub(super) view: &'a View,
    pub(super) policy: Option<&'a PolicyTrouble>,
    /// Why nothing new is taken, or nothing moves.
    pub(super) store: Option<String>,
    pub(super) now: Timestamp,
}

/// Something that happened to a message, for the people to know at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// Deliveries of it missed their deadline.
    Missed { message: MessageId, deliveries: u32 },
    /// Recipients need help.
    Help(Help),
    /// So many calls for help were closed, whose callers were erased.
    HelpErased { calls: u32, at: Timestamp },
}

/// Calls for help.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Help {
    /// The message that they answer; `None`: no message that is known.
    pub(super) message: Option<MessageId>,
    pub(super) people: u32,
    /// When the last of them called.
    pub(super) newest: Timestamp,
    pub(super) exercise: bool,
    /// Some of them, the newest, masked.
    pub(super) who: Vec<String>,
}

/// What a notice says.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum What {
    Outage(Outage),
    /// It is known better whose an outage is that was told.
    OutageTurned {
        outage: Outage,
        from: OutageOf,
    },
    OutageOver(Outage),
    NoWayOut,
    OneWayLeft(Channel),
    WaysAreBack,
    Missed {
        message: MessageId,
        deliveries: u32,
    },
    Help(Help),
    HelpErased {
        calls: u32,
    },
    PolicyRejected {
        report: String,
    },
    PolicyTaken,
    Store(String),
    StoreOver,
    /// So many were left out.
    Folded(u32),
}

/// One notice.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Notice {
    /// The thread; with `number` what makes it one notice, also after a crash.
    pub(super) thread: String,
    pub(super) number: String,
    pub(super) kind: &'static str,
    pub(super) severity: Severity,
    /// Whether it was told before, and nobody has acknowledged it.
    pub(super) again: bool,
    pub(super) what: What,
}

/// Decides what is told.
pub(super) struct Desk {
    /// The outages that were told and go on, and those that are over or not worth a word.
    outages: BTreeMap<String, (bool, Option<OutageOf>)>,
    /// Since when nothing is usable, or one channel alone; and its thread once it is told.
    ways: Option<(Ways, Timestamp, Option<String>)>,
    policy: Option<(Timestamp, String)>,
    store: Option<String>,
    /// The messages whose missed deadlines were told.
    missed: BTreeSet<MessageId>,
    /// The messages whose recipients need help, what was heard last, and whether it waits to be told.
    help: BTreeMap<Option<MessageId>, (Help, bool)>,
    /// When calls for help were last closed by an erasure, of what was told.
    help_erased: Option<Timestamp>,
    sent: VecDeque<Timestamp>,
    folded: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ways {
    None,
    One(Channel),
}

impl Desk {
    /// Opens it: what was over long before is no news.
    pub(super) fn new(view: &View, now: Timestamp) -> Desk {
        let old = |outage: &&Outage| outage.recovered.is_some_and(|at| now.since(at) > HISTORY);
        Desk {
            outages: view.outages.iter().filter(old).map(|outage| (name_of(outage), (false, None))).collect(),
            ways: None,
            policy: None,
            store: None,
            missed: BTreeSet::new(),
            help: BTreeMap::new(),
            help_erased: None,
            sent: VecDeque::new(),
            folded: 0,
        }
    }

    /// Looks at the picture. Returns what is to be told, gravest first, and how many were left out by silence or limit.
    pub(super) fn look(&mut self, seen: &Seen<'_>, told: Vec<Told>, board: &Board) -> (Vec<Notice>, u32) {
        let mut notices = Vec::new();
        self.outages(seen, &mut notices);
        self.ways(seen, &mut notices);
        self.policy(seen, &mut notices);
        self.store(seen, &mut notices);
        self.messages(told, &mut notices);
        self.help(seen, board, &mut notices);
        self.again(seen, board, &mut notices);
        notices.sort_by_key(|notice| notice.severity);
        let (notices, left_out) = self.within_limits(notices, seen.now, board);
        notices.iter().for_each(|notice| put_up(notice, seen.now, board));
        (notices, left_out)
    }

    fn outages(&mut self, seen: &Seen<'_>, notices: &mut Vec<Notice>) {
        for outage in &seen.view.outages {
            let thread = name_of(outage);
            let what = match (self.outages.get(&thread), outage.recovered) {
                (None, _) if told_with_its_channel(outage, seen.view) => {
                    self.outages.insert(thread, (false, None));
                    continue;
                }
                (None, _) => What::Outage(outage.clone()),
                (Some((true, _)), Some(_)) => What::OutageOver(outage.clone()),
                (Some((true, Some(from))), None) if *from != outage.of => {
                    What::OutageTurned { outage: outage.clone(), from: from.clone() }
                }
                (Some(_), _) => continue,
            };
            let number = match &what {
                What::OutageOver(_) => "over".to_owned(),
                What::OutageTurned { .. } => format!("turned-{}", outage.blame().name()),
                _ => "open".to_owned(),
            };
            let over = matches!(what, What::OutageOver(_));
            self.outages.insert(thread.clone(), (!over, Some(outage.of.clone())));
            notices.push(notice(thread, &number, "outage", Severity::Moderate, what));
        }
        // What the picture no longer shows is long over.
        let shown: BTreeSet<String> = seen.view.outages.iter().map(name_of).collect();
        self.outages.retain(|thread, _| shown.contains(thread));
    }

    fn ways(&mut self, seen: &Seen<'_>, notices: &mut Vec<Notice>) {
        let usable: Vec<Channel> = seen
            .view
            .channels
            .iter()
            .filter(|channel| channel.usable > 0)
            .map(|channel| channel.channel)
            .collect();
        let ways = match usable.as_slice() {
            // Somebody has pressed the red button, and knows it; and nothing configured is no outage.
            _ if seen.view.held_all.is_some() || seen.view.channels.is_empty() => None,
            [] => Some(Ways::None),
            [one] if seen.view.channels.len() > 1 => Some(Ways::One(*one)),
            _ => None,
        };
        let before = self.ways.take();
        let same = before.as_ref().filter(|(known, ..)| Some(*known) == ways).cloned();
        if let Some((_, _, Some(thread))) = before.filter(|_| same.is_none()) {
            let kind = if thread.starts_with("no-way-out") { "no_way_out" } else { "one_way_left" };
            // From one way to none is worse, and told as such.
            if ways.is_none() || kind == "no_way_out" {
                notices.push(notice(thread, "over", kind, Severity::Moderate, What::WaysAreBack));
            }
        }
        let Some(ways) = ways else { return };
        let (_, since, mut thread) = same.unwrap_or((ways, seen.now, None));
        let (after, kind, severity, what) = match ways {
            Ways::None => (NO_WAY_OUT_AFTER, "no_way_out", Severity::Severe, What::NoWayOut),
            Ways::One(channel) => {
                (ONE_WAY_LEFT_AFTER, "one_way_left", Severity::Moderate, What::OneWayLeft(channel))
            }
        };
        if thread.is_none() && seen.now.since(since) >= after {
            let name = format!("{}-{}", kind.replace('_', "-"), since.ms());
            notices.push(notice(name.clone(), "open", kind, severity, what));
            thread = Some(name);
        }
        self.ways = Some((ways, since, thread));
    }

    fn policy(&mut self, seen: &Seen<'_>, notices: &mut Vec<Notice>) {
        match (seen.policy, self.policy.take()) {
            (None, None) => {}
            (None, Some((_, thread))) => {
                notices.push(notice(
                    thread,
                    "over",
                    "policy_rejected",
                    Severity::Moderate,
                    What::PolicyTaken,
                ));
            }
            (Some(trouble), Some((at, thread))) if at == trouble.at => self.policy = Some((at, thread)),
            (Some(trouble), before) => {
                // A second wrong edit goes on in the thread of the first.
                let thread =
                    before.map_or_else(|| format!("policy-{}", trouble.at.ms()), |(_, thread)| thread);
                let number = format!("open-{}", trouble.at.ms());
                let what = What::PolicyRejected { report: trouble.report.clone() };
                notices.push(notice(thread.clone(), &number, "policy_rejected", Severity::Moderate, what));
                self.policy = Some((trouble.at, thread));
            }
        }
    }

    fn store(&mut self, seen: &Seen<'_>, notices: &mut Vec<Notice>) {
        match (&seen.store, self.store.take()) {
            (None, None) => {}
            (None, Some(thread)) => {
                notices.push(notice(thread, "over", "store_trouble", Severity::Moderate, What::StoreOver));
            }
            (Some(_), Some(thread)) => self.store = Some(thread),
            (Some(why), None) => {
                let thread = format!("store-{}", seen.now.ms());
                notices.push(notice(
                    thread.clone(),
                    "open",
                    "store_trouble",
                    Severity::Severe,
                    What::Store(why.clone()),
                ));
                self.store = Some(thread);
            }
        }
    }

    fn messages(&mut self, told: Vec<Told>, notices: &mut Vec<Notice>) {
        let told_before = self.help_erased;
        let mut erased = 0;
        for told in told {
            let (message, deliveries) = match told {
                Told::Missed { message, deliveries } => (message, deliveries),
                Told::Help(help) => {
                    self.hear(help);
                    continue;
                }
                Told::HelpErased { calls, at } => {
                    // What was heard before may be heard again; one erasure closes calls part by part.
                    if told_before.is_none_or(|before| before < at) {
                        erased += calls;
                        self.help_erased = self.help_erased.max(Some(at));
                    }
                    continue;
                }
            };
            // Once a message: each class of its recipients has a deadline of its own, and one word is enough.
            if self.missed.insert(message) {
                let (thread, what) = (format!("deadline-{message}"), What::Missed { message, deliveries });
                notices.push(notice(thread, "open", "deadline_missed", Severity::Moderate, what));
            }
        }
        while self.missed.len() > crate::api::board::THREADS_MAX {
            self.missed.pop_first();
        }
        if let Some(at) = self.help_erased.filter(|_| erased > 0) {
            let (thread, what) = (format!("help-erased-{}", at.ms()), What::HelpErased { calls: erased });
            notices.push(notice(thread, "open", "help_erased", Severity::Severe, what));
        }
    }

    fn hear(&mut self, help: Help) {
        // What was heard before may be heard again, where the events came too fast.
        let is_known = self.help.get(&help.message).is_some_and(|(known, _)| known.newest >= help.newest);
        if !is_known {
            self.help.insert(help.message, (help, true));
        }
        if self.help.len() > crate::api::board::THREADS_MAX {
            let oldest = self.help.iter().min_by_key(|(_, (help, _))| help.newest).map(|(of, _)| *of);
            oldest.into_iter().for_each(|of| drop(self.help.remove(&of)));
        }
    }

    /// Tells of calls for help, each message's not too often, and closes the threads of those who need none any more.
    fn help(&mut self, seen: &Seen<'_>, board: &Board, notices: &mut Vec<Notice>) {
        for (help, waits) in self.help.values_mut() {
            let thread = thread_of(help.message);
            let last = board.thread(&thread).map(|known| known.told);
            if *waits && last.is_none_or(|told| seen.now.since(told) >= HELP_EVERY) {
                *waits = false;
                let number = help.newest.ms().to_string();
                notices.push(notice(
                    thread,
                    &number,
                    "need_help",
                    Severity::Severe,
                    What::Help(help.clone()),
                ));
            }
        }
        let open = &seen.view.help.messages;
        // A picture with many calls names those that have waited longest.
        let is_whole = open.iter().map(|of| of.people).sum::<u32>() == seen.view.help.people;
        self.help.retain(|message, (_, waits)| {
            let thread = thread_of(*message);
            let known = board.thread(&thread);
            let lags = known.as_ref().is_none_or(|known| seen.now.since(known.told) < PICTURE_LAGS);
            let stays = *waits || lags || !is_whole || open.iter().any(|of| of.message == *message);
            if let Some(known) = known.filter(|_| !stays) {
                board.put(&thread, Thread { over: Some(seen.now), ..known });
            }
            stays
        });
    }

    /// Repeats what goes on and nobody has acknowledged.
    fn again(&mut self, seen: &Seen<'_>, board: &Board, notices: &mut Vec<Notice>) {
        let due = |thread: &str| {
            let known = board.thread(thread)?;
            let every = if known.severity <= Severity::Severe { AGAIN_SEVERE } else { AGAIN_MODERATE };
            let waits = known.acknowledged.is_none() && seen.now.since(known.told) >= every;
            waits.then_some((known.severity, format!("again-{}", known.told.ms())))
        };
        let mut repeat = |thread: &str, kind, what| {
            if let Some((severity, number)) = due(thread) {
                notices
                    .push(Notice { again: true, ..notice(thread.to_owned(), &number, kind, severity, what) });
            }
        };
        for outage in seen.view.outages.iter().filter(|outage| outage.recovered.is_none()) {
            repeat(&name_of(outage), "outage", What::Outage(outage.clone()));
        }
        match &self.ways {
            Some((Ways::None, _, Some(thread))) => repeat(thread, "no_way_out", What::NoWayOut),
            Some((Ways::One(one), _, Some(thread))) => repeat(thread, "one_way_left", What::OneWayLeft(*one)),
            _ => {}
        }
        for of in &seen.view.help.messages {
            if let Some((help, false)) = self.help.get(&of.message) {
                let help = Help { people: of.people, ..help.clone() };
                repeat(&thread_of(of.message), "need_help", What::Help(help));
            }
        }
        if let (Some(thread), Some(why)) = (&self.store, &seen.store) {
            repeat(thread, "store_trouble", What::Store(why.clone()));
        }
    }

    /// Leaves out what is silenced, and folds what is too much into one notice.
    fn within_limits(&mut self, all: Vec<Notice>, now: Timestamp, board: &Board) -> (Vec<Notice>, u32) {
        while self.sent.front().is_some_and(|at| now.since(*at) >= WINDOW) {
            self.sent.pop_front();
        }
        let (mut kept, mut left_out) = (Vec::new(), 0);
        for notice in all {
            let silence = board.thread(&notice.thread).and_then(|thread| thread.silenced);
            match () {
                () if silence.is_some_and(|silence| silence.until > now) => left_out += 1,
                () if self.sent.len() < room(notice.severity) => {
                    self.sent.push_back(now);
                    kept.push(notice);
                }
                () => {
                    // On the board all the same, so that it is told again while it lasts.
                    put_up(&notice, now, board);
                    left_out += 1;
                    self.folded += 1;
                }
            }
        }
        if self.folded > 0 && self.sent.len() < WINDOW_MAX {
            self.sent.push_back(now);
            let what = What::Folded(std::mem::take(&mut self.folded));
            kept.push(notice(format!("folded-{}", now.ms()), "open", "folded", Severity::Moderate, what));
        }
        (kept, left_out)
    }
}

/// Returns how many notices there may be in a window when one of this severity comes.
fn room(severity: Severity) -> usize {
    WINDOW_MAX + if severity <= Severity::Severe { WINDOW_SEVERE } else { 0 }
}

fn notice(thread: String, number: &str, kind: &'static str, severity: Severity, what: What) -> Notice {
    Notice { thread, number: number.to_owned(), kind, severity, again: false, what }
}

/// Names the thread of a message's calls for help.
fn thread_of(message: Option<MessageId>) -> String {
    message.map_or_else(|| "help-unknown".to_owned(), |message| format!("help-{message}"))
}

fn name_of(outage: &Outage) -> String {
    format!("outage-{}", outage.id)
}

/// Says whether a gateway fell with its whole channel: one word is enough.
fn told_with_its_channel(outage: &Outage, view: &View) -> bool {
    let close = |other: &Outage| {
        let (a, b) = (outage.detected, other.detected);
        a.since(b).max(b.since(a)) <= TOGETHER
    };
    matches!(outage.of, OutageOf::Gateway(_))
        && view.outages.iter().any(|other| {
            matches!(other.of, OutageOf::Channel(_)) && other.channel == outage.channel && close(other)
        })
}

/// Writes a notice on the board.
fn put_up(notice: &Notice, now: Timestamp, board: &Board) {
    let known = board.thread(&notice.thread);
    let over = matches!(
        notice.what,
        What::OutageOver(_)
            | What::WaysAreBack
            | What::PolicyTaken
            | What::StoreOver
            | What::Folded(_)
            | What::Missed { .. }
            | What::HelpErased { .. }
    );
    let fresh = Thread {
        kind: notice.kind,
        severity: notice.severity,
        since: now,
        over: None,
        told: now,
        notices: 0,
        acknowledged: None,
        silenced: None,
    };
    let thread = known.unwrap_or(fresh);
    let over = over.then_some(now).or(thread.over.filter(|_| over));
    // Who has seen one call for help has not seen the next.
    let is_new_call = notice.kind == "need_help" && !notice.again;
    let acknowledged = thread.acknowledged.clone().filter(|_| !is_new_call);
    board
        .put(&notice.thread, Thread { told: now, notices: thread.notices + 1, over, acknowledged, ..thread });
}

#[cfg(test)]
mod tests;
