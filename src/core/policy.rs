//! The compiled policy: what the text of `policies/*.toml` means, ready to be matched.
//!
//! The parser lives outside the core; only the outcome of a clean check becomes a [`Policy`].

use super::channel::{Channel, ChannelSet};
use super::ids::MessageId;
use super::message::{Severity, Status, Urgency};
use super::outcome::ReceiptKind;
use super::time::Span;
use std::collections::BTreeMap;
use std::fmt;

/// The most rules that a policy may have.
pub const RULES_MAX: usize = 1_000;
/// The most steps that a rule may have.
pub const STEPS_MAX: usize = 16;

/// What rules may look at: the message's attributes and one recipient's.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The message.
    pub message: MessageId,
    /// How grave.
    pub severity: Severity,
    /// How urgent.
    pub urgency: Urgency,
    /// Meant, or an exercise.
    pub status: Status,
    /// The incident.
    pub incident: Option<&'a str>,
    /// The message's tags.
    pub tags: &'a BTreeMap<String, String>,
    /// The recipient's language.
    pub language: Option<&'a str>,
    /// The recipient's region.
    pub region: Option<&'a str>,
    /// The recipient's sector, else the message's tag `sector`.
    pub sector: Option<&'a str>,
    /// The recipient's audiences and those that the sender named.
    pub audiences: &'a [String],
}

/// One condition of a rule's `when`.
pub trait Criterion: fmt::Debug + Send + Sync {
    /// Returns the key in the file: `severity`, `audience`, ...
    fn key(&self) -> &'static str;
    /// Says whether the subject meets it.
    fn matches(&self, subject: &Subject<'_>) -> bool;
    /// Says in words what it asks for, as `severity is extreme or severe`.
    fn explain(&self) -> String;
    /// Says in words what the subject has instead, as `severity is minor`. Names no person.
    fn found(&self, subject: &Subject<'_>) -> String;
}

/// What settles a delivery.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Confirm {
    /// A provider took it.
    Accepted,
    /// A receipt says that it arrived.
    Delivered,
    /// A receipt says that it was read.
    Read,
    /// The recipient answered.
    Acknowledged,
}

/// What to do when nobody can know whether an attempt went out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OnUnknown {
    /// The next gateway at once; the repeat is marked.
    Repeat,
    /// Ask the provider first, where it can be asked; else wait.
    Ask,
    /// Wait for a receipt until the step's wait runs out.
    Wait,
}

/// How a step uses its channels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SendMode {
    /// One: the best by odds, by what it can confirm, by cost.
    Best,
    /// Every channel at once.
    All,
    /// One after the other, in the written order.
    Each,
}

/// One step of a rule's ladder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The channels, in the written order.
    pub channels: Vec<Channel>,
    /// How they are used.
    pub send: SendMode,
    /// No confirmation within it: the next step starts, this one stays open.
    pub wait: Span,
    /// Whether that is the longest: it goes on as soon as a receipt would have come, by what was learned of that road.
    pub learned: bool,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Its conditions: all must hold.
    pub when: Vec<Box<dyn Criterion>>,
    /// A delivery not confirmed by then is counted, and `escalate` is told.
    pub deadline: Option<Span>,
    /// After it, nothing is sent; see [`Rule::expiry_for`].
    pub expiry: Option<Span>,
    /// What settles a delivery.
    pub confirm: Confirm,
    /// See [`Rule::on_unknown_for`].
    pub on_unknown: Option<OnUnknown>,
    /// See [`Rule::strict_for`].
    pub strict: Option<bool>,
    /// After how long a road without receipts counts as confirmed, where the rule is not strict.
    pub assume_after: Span,
    /// Contacts that are told when a deadline is missed.
    pub escalate: Vec<String>,
    /// Channels that it forbids.
    pub never: ChannelSet,
    /// Failure domains that it forbids.
    pub never_domains: Vec<String>,
    /// The ladder; never empty.
    pub steps: Vec<Step>,
}

/// Everything that routes, as one value.
#[derive(Debug)]
pub struct Policy {
    /// A hash of the files it came from: short hexadecimal.
    pub hash: String,
    /// The admins' rules in order, then the built-in last rule.
    pub rules: Vec<Rule>,
}

/// The name of the built-in last rule.
pub const LAST_RULE: &str = "built-in";
/// The default of a step's `wait`. Cites: the contract.
pub const STEP_WAIT: Span = Span::from_secs(30);
/// The longest that a learned wait may be, and it is never more than this part of the deadline. Cites: the design's
/// schedule, never later than a fifth of the deadline after the attempt before.
pub const LEARNED_WAIT_MAX: Span = Span::from_mins(5);
/// See [`LEARNED_WAIT_MAX`].
pub const LEARNED_WAITS: i64 = 5;
/// The default of `assume_after`. Cites: the contract.
pub const ASSUME_AFTER: Span = Span::from_secs(60);

// === impls ===

impl Confirm {
    /// Returns the contract's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Confirm::Accepted => "accepted",
            Confirm::Delivered => "delivered",
            Confirm::Read => "read",
            Confirm::Acknowledged => "acknowledged",
        }
    }

    /// Says whether a receipt of this kind settles the delivery.
    pub fn met_by(self, kind: ReceiptKind) -> bool {
        match self {
            Confirm::Accepted => kind != ReceiptKind::Failed,
            Confirm::Delivered => kind >= ReceiptKind::Delivered,
            Confirm::Read => kind >= ReceiptKind::Read,
            Confirm::Acknowledged => kind >= ReceiptKind::Acknowledged,
        }
    }
}

impl OnUnknown {
    /// Returns the contract's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            OnUnknown::Repeat => "repeat",
            OnUnknown::Ask => "ask",
            OnUnknown::Wait => "wait",
        }
    }
}

impl SendMode {
    /// Returns the contract's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            SendMode::Best => "best",
            SendMode::All => "all",
            SendMode::Each => "each",
        }
    }
}

impl Rule {
    /// Says whether the rule is for this subject.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        self.when.iter().all(|criterion| criterion.matches(subject))
    }

    /// Returns the expiry: the rule's, else 1 h for extreme and severe and 24 h for the rest.
    pub fn expiry_for(&self, severity: Severity) -> Span {
        self.expiry.unwrap_or(match severity {
            Severity::Extreme | Severity::Severe => Span::from_hours(1),
            _ => Span::from_hours(24),
        })
    }

    /// Returns what to do after an unknown outcome: the rule's, else `repeat` for extreme and severe, `ask` for the rest.
    pub fn on_unknown_for(&self, severity: Severity) -> OnUnknown {
        self.on_unknown.unwrap_or(match severity {
            Severity::Extreme | Severity::Severe => OnUnknown::Repeat,
            _ => OnUnknown::Ask,
        })
    }

    /// Says whether a road without receipts may never settle a delivery: the rule's word, else extreme alone.
    pub fn strict_for(&self, severity: Severity) -> bool {
        self.strict.unwrap_or(severity == Severity::Extreme)
    }

    /// Returns the built-in last rule: every channel, best first.
    pub fn last() -> Rule {
        Rule {
            name: LAST_RULE.into(),
            when: Vec::new(),
            deadline: None,
            expiry: None,
            confirm: Confirm::Delivered,
            on_unknown: None,
            strict: None,
            assume_after: ASSUME_AFTER,
            escalate: Vec::new(),
            never: ChannelSet::EMPTY,
            never_domains: Vec::new(),
            steps: vec![Step {
                channels: Channel::ALL.to_vec(),
                send: SendMode::Best,
                wait: STEP_WAIT,
                learned: false,
            }],
        }
    }
}

impl Policy {
    /// Returns a policy that has the built-in last rule alone.
    pub fn built_in() -> Policy {
        Policy { hash: LAST_RULE.into(), rules: vec![Rule::last()] }
    }

    /// Returns the place of the first rule that is for this subject; the last rule is for everybody.
    pub fn rule_for(&self, subject: &Subject<'_>) -> usize {
        self.rules.iter().position(|rule| rule.matches(subject)).unwrap_or(self.rules.len().saturating_sub(1))
    }
}
