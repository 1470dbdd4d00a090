//! A message that is not settled: its classes of recipients, its rows, what is left to materialise.

use super::timers::TimerKey;
use crate::core::channel::ChannelSet;
use crate::core::ids::MessageId;
use crate::core::message::{Message, Recipient, Severity, Status, Urgency};
use crate::core::outcome::{Reason, ReceiptKind};
use crate::core::policy::Subject;
use crate::core::receipts::RegionId;
use crate::core::record::{Attempt, Delivery, Progress};
use crate::core::route::plan::Route;
use crate::core::slab::{Handle, NONE};
use crate::core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// In place of a row's handle: this delivery has settled.
pub(crate) const SETTLED: Handle = NONE - 1;

/// What rules look at, without the texts.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) id: MessageId,
    pub(crate) severity: Severity,
    pub(crate) urgency: Urgency,
    pub(crate) status: Status,
    pub(crate) incident: Option<Box<str>>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) audiences: Vec<String>,
    pub(crate) accepted_at: Timestamp,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) recipients: u32,
}

impl Facts {
    /// Returns its place among the messages, the lower the earlier: by severity; every exercise comes after what is meant.
    pub(crate) fn precedence(&self) -> u8 {
        precedence(self.severity, self.status)
    }
}

/// Returns the place of a message of this kind among the others, the lower the earlier.
pub(crate) fn precedence(severity: Severity, status: Status) -> u8 {
    severity as u8 + if !status.is_drill() { 0 } else { Severity::ALL.len() as u8 }
}

/// What tells one recipient's route from another's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ClassKey {
    pub(crate) channels: ChannelSet,
    pub(crate) language: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) sector: Option<String>,
    pub(crate) audiences: Vec<String>,
}

/// A visit of all rows of a message: every row that is there is looked at again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep {
    /// The next row.
    pub(crate) at: u32,
    /// Whether only those that wait on a step that is sent all at once are concerned.
    pub(crate) together: bool,
    /// Another visit was asked for meanwhile, with this meaning of `together`: it begins when this one has ended, so
    /// that visits that are asked for quickly do not keep each other from ending.
    pub(crate) again: Option<bool>,
}

/// The explanations of one class that are in use: one for each level and set of barred channels, in one health epoch. A
/// channel is barred for one recipient at a time, so there are few sets, and never more than there are of channels.
#[derive(Clone, Default, Debug)]
pub(crate) struct Plans {
    epoch: u64,
    numbers: BTreeMap<(u8, ChannelSet), u32>,
}

/// The recipients of one message that share a route.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) key: Arc<ClassKey>,
    /// Where its people are, as receipts are told apart.
    pub(crate) region: RegionId,
    pub(crate) route: Arc<Route>,
    pub(crate) deadline: Timestamp,
    pub(crate) expiry: Timestamp,
    /// The level that deliveries which no gateway has taken yet have grown to by waiting.
    pub(crate) floor: u8,
    pub(crate) plans: Plans,
    /// How many of its deliveries are not settled.
    pub(crate) open: u32,
    pub(crate) deadline_passed: bool,
}

/// What the store kept of one delivery, until it is materialised again.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) delivery: Option<Delivery>,
    pub(crate) attempts: Vec<Attempt>,
    /// By attempt: what its receipts said, and why it failed.
    pub(crate) receipts: Vec<(u16, ReceiptKind, Option<Reason>)>,
}

/// One open message.
#[derive(Debug)]
pub(crate) struct OpenMessage {
    /// Its place in the order of acceptance.
    pub(crate) number: u32,
    pub(crate) facts: Facts,
    pub(crate) progress: Progress,
    /// Whether the progress has changed in this turn.
    pub(crate) dirty: bool,
    pub(crate) classes: Vec<Class>,
    pub(crate) class_of: BTreeMap<Arc<ClassKey>, u32>,
    /// By index: the row's handle, [`SETTLED`], or [`NONE`] where it is yet to be materialised.
    pub(crate) rows: Vec<Handle>,
    /// The next recipient to materialise.
    pub(crate) next: u32,
    /// Chunks at hand, the next one first.
    pub(crate) chunks: VecDeque<Arc<Vec<Recipient>>>,
    /// Whether a chunk was asked of the store.
    pub(crate) asked: bool,
    pub(crate) kept: BTreeMap<u32, Kept>,
    /// A visit of all rows, while one is under way.
    pub(crate) sweep: Option<Sweep>,
    pub(crate) timer: TimerKey,
    pub(crate) last_plan: u32,
    /// The rules whose contacts were told of a missed deadline since this start. Telling them twice is harmless: the
    /// second finds what the first made.
    pub(crate) told: BTreeSet<String>,
    /// Whether what it missed of its deadlines was counted before this start.
    pub(crate) late_before: bool,
    /// Everything before this index has settled.
    pub(crate) first_open: u32,
}

impl Facts {
    pub(crate) fn of(message: &Message) -> Facts {
        Facts {
            id: message.id,
            severity: message.severity,
            urgency: message.urgency,
            status: message.status,
            incident: message.incident.as_deref().map(Box::from),
            tags: message.tags.clone(),
            audiences: message.audiences.clone(),
            accepted_at: message.accepted_at,
            expires: message.expires,
            recipients: message.recipients,
        }
    }

    /// Returns what a rule sees of one class.
    pub(crate) fn subject<'a>(&'a self, key: &'a ClassKey) -> Subject<'a> {
        Subject {
            message: self.id,
            severity: self.severity,
            urgency: self.urgency,
            status: self.status,
            incident: self.incident.as_deref(),
            tags: &self.tags,
            language: key.language.as_deref(),
            region: key.region.as_deref(),
            sector: key.sector.as_deref().or_else(|| self.tags.get("sector").map(String::as_str)),
            audiences: &key.audiences,
        }
    }
}

impl ClassKey {
    /// Tells a recipient's class. Audiences that the sender named count for everybody of the message.
    pub(crate) fn of(recipient: &Recipient, named: &[String]) -> ClassKey {
        let mut audiences: Vec<String> = recipient.audiences.iter().chain(named).cloned().collect();
        audiences.sort();
        audiences.dedup();
        ClassKey {
            channels: recipient.channels(),
            language: recipient.language.clone(),
            region: recipient.region.clone(),
            sector: recipient.sector.clone(),
            audiences,
        }
    }
}

impl Plans {
    /// Returns the number of the plan for this, where there is one of this epoch; forgets those of another.
    pub(crate) fn find(&mut self, epoch: u64, level: u8, barred: ChannelSet) -> Option<u32> {
        if std::mem::replace(&mut self.epoch, epoch) != epoch {
            self.numbers.clear();
        }
        self.numbers.get(&(level, barred)).copied()
    }

    /// Keeps the number of a plan of the epoch that was asked for last.
    pub(crate) fn put(&mut self, level: u8, barred: ChannelSet, number: u32) {
        self.numbers.insert((level, barred), number);
    }
}

impl OpenMessage {
    /// Starts a message with nothing materialised.
    pub(crate) fn new(number: u32, facts: Facts, progress: Progress) -> OpenMessage {
        let rows = vec![NONE; facts.recipients as usize];
        OpenMessage {
            number,
            facts,
            progress,
            dirty: false,
            classes: Vec::new(),
            class_of: BTreeMap::new(),
            rows,
            next: 0,
            chunks: VecDeque::new(),
            asked: false,
            kept: BTreeMap::new(),
            sweep: None,
            timer: TimerKey::default(),
            last_plan: 0,
            told: BTreeSet::new(),
            late_before: false,
            first_open: 0,
        }
    }

    /// Says whether everything has been materialised.
    pub(crate) fn materialised(&self) -> bool {
        self.next >= self.facts.recipients
    }

    /// Returns how many deliveries have settled.
    pub(crate) fn settled(&self) -> u32 {
        self.progress.settled.iter().sum()
    }

    /// Returns the first index that is not known to have settled, moving the mark past those that have.
    pub(crate) fn first_open(&mut self) -> u32 {
        while self.rows.get(self.first_open as usize) == Some(&SETTLED) {
            self.first_open += 1;
        }
        self.first_open
    }

    /// Returns the next time at which something is due for a whole class: its deadline, its expiry, a wider step.
    pub(crate) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let of = |class: &Class| {
            let widen = class.route.widens_at(class.floor, self.facts.severity, self.facts.accepted_at);
            let has_deadline = !class.deadline_passed && class.route.rule().deadline.is_some();
            // One that passed while the service was away is still to be told of.
            let deadline = has_deadline.then_some(class.deadline.max(now));
            let later = [widen, Some(class.expiry)].into_iter().flatten().filter(|t| *t > now);
            later.chain(deadline).min()
        };
        self.classes.iter().filter_map(of).min()
    }
}
