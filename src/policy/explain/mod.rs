//! Why a described message would go the way it would: which rule and why no earlier one, the ladder, and for each gateway
//! why it would be taken or passed over.
//!
//! It ranks as the core ranks: what can confirm before what cannot, then health, then cost, then the order of the
//! configuration. Tokens and windows change from one moment to the next and are left aside.
//!
//! Invariant: pure; the same policy, message and situation give the same explanation.

mod json;
mod situation;
mod text;

pub use situation::{Now, Situation};

use crate::core::channel::{Channel, ChannelSet};
use crate::core::gateway::{GatewayConfig, Receipts};
use crate::core::ids::MessageId;
use crate::core::message::{Severity, Status, Urgency};
use crate::core::policy::{Confirm, OnUnknown, Policy, Rule, SendMode, Step, Subject};
use crate::core::record::Standing;
use crate::core::time::Span;
use std::collections::BTreeMap;

/// A message and its recipient, as somebody describes them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// How grave.
    pub severity: Severity,
    /// How urgent.
    pub urgency: Urgency,
    /// Meant, or an exercise.
    pub status: Status,
    /// The incident.
    pub incident: Option<String>,
    /// The message's tags.
    pub tags: BTreeMap<String, String>,
    /// The recipient's language.
    pub language: Option<String>,
    /// The recipient's region.
    pub region: Option<String>,
    /// The recipient's sector.
    pub sector: Option<String>,
    /// The recipient's audiences.
    pub audiences: Vec<String>,
    /// The channels on which the recipient has an address.
    pub channels: ChannelSet,
}

/// Why a described message would go the way it would.
#[derive(Clone, PartialEq, Debug)]
pub struct Explanation {
    /// The message and its recipient.
    pub described: Described,
    /// The policy's hash.
    pub policy: String,
    /// Whether the gateways' states are known; if not, each counts as `unknown`.
    pub live: bool,
    /// Every rule up to the one that is used, which is the last.
    pub rules: Vec<RuleVerdict>,
    /// What settles a delivery.
    pub confirm: Confirm,
    /// Whether a road without receipts may never settle it.
    pub strict: bool,
    /// After how long such a road counts as confirmed.
    pub assume_after: Span,
    /// What is done after an unknown outcome.
    pub on_unknown: OnUnknown,
    /// When it is late.
    pub deadline: Option<Span>,
    /// When it is worth nothing any more.
    pub expiry: Span,
    /// The ladder.
    pub steps: Vec<StepVerdict>,
    /// Gateways whose channel stands in no step.
    pub outside: Vec<GatewayVerdict>,
}

/// One rule: used or not, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleVerdict {
    /// Its name.
    pub rule: String,
    /// Whether it is the one.
    pub used: bool,
    /// Its conditions.
    pub criteria: Vec<CriterionVerdict>,
}

/// One condition of a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CriterionVerdict {
    /// Its key.
    pub key: &'static str,
    /// What it asks, in words.
    pub asks: String,
    /// What the message or the recipient has, in words.
    pub found: String,
    /// Whether it holds.
    pub met: bool,
}

/// One step of the ladder.
#[derive(Clone, PartialEq, Debug)]
pub struct StepVerdict {
    /// Its number, from 1.
    pub number: usize,
    /// How its channels are used.
    pub send: SendMode,
    /// Its channels.
    pub channels: Vec<Channel>,
    /// When it starts, if nothing before it confirms.
    pub starts_after: Span,
    /// How long it waits.
    pub wait: Span,
    /// Whether that is the longest, and receipts teach how long it is.
    pub learned: bool,
    /// Its gateways, in the order in which they would be taken.
    pub gateways: Vec<GatewayVerdict>,
}

/// One gateway: taken or not, and why.
#[derive(Clone, PartialEq, Debug)]
pub struct GatewayVerdict {
    /// Its name.
    pub gateway: String,
    /// Its channel.
    pub channel: Channel,
    /// How it stands.
    pub standing: Standing,
    /// Whether the first attempt would go through it.
    pub taken: bool,
    /// What is known of it.
    pub now: Now,
    /// Why, in words.
    pub why: String,
}

/// Explains which way a message would go.
pub fn explain(
    policy: &Policy,
    described: Described,
    gateways: &[GatewayConfig],
    situation: &Situation,
) -> Explanation {
    let (place, rules) =
        described.as_subject(|subject| (policy.rule_for(subject), verdicts(policy, subject)));
    let rule = &policy.rules[place];
    let ranked = rank(rule, &described, gateways, situation);
    let mut steps = ladder(rule, &ranked);
    take(&mut steps, !described.status.is_drill());
    let outside =
        ranked.iter().filter(|r| rule.steps.iter().all(|s| !s.channels.contains(&r.verdict.channel)));
    Explanation {
        policy: policy.hash.clone(),
        live: situation.live,
        rules,
        confirm: rule.confirm,
        strict: rule.strict_for(described.severity),
        assume_after: rule.assume_after,
        on_unknown: rule.on_unknown_for(described.severity),
        deadline: rule.deadline,
        expiry: rule.expiry_for(described.severity),
        outside: outside.map(|ranked| ranked.verdict.clone()).map(not_in_ladder).collect(),
        steps,
        described,
    }
}

impl Described {
    fn as_subject<T>(&self, ask: impl FnOnce(&Subject<'_>) -> T) -> T {
        ask(&Subject {
            message: MessageId::from_bytes([0; 16]),
            severity: self.severity,
            urgency: self.urgency,
            status: self.status,
            incident: self.incident.as_deref(),
            tags: &self.tags,
            language: self.language.as_deref(),
            region: self.region.as_deref(),
            sector: self.sector.as_deref().or(self.tags.get("sector").map(String::as_str)),
            audiences: &self.audiences,
        })
    }
}

impl Explanation {
    /// Returns the rule that is used.
    pub fn rule(&self) -> &str {
        self.rules.last().map_or("", |rule| &rule.rule)
    }

    /// Returns the gateways that the first attempts would go through; none: nothing can be sent now.
    pub fn taken(&self) -> Vec<&GatewayVerdict> {
        self.steps.iter().flat_map(|step| &step.gateways).filter(|gateway| gateway.taken).collect()
    }
}

fn verdicts(policy: &Policy, subject: &Subject<'_>) -> Vec<RuleVerdict> {
    let used = policy.rule_for(subject);
    let verdict = |(place, rule): (usize, &Rule)| RuleVerdict {
        rule: rule.name.clone(),
        used: place == used,
        criteria: rule
            .when
            .iter()
            .map(|criterion| CriterionVerdict {
                key: criterion.key(),
                asks: criterion.explain(),
                found: criterion.found(subject),
                met: criterion.matches(subject),
            })
            .collect(),
    };
    policy.rules.iter().enumerate().take(used + 1).map(verdict).collect()
}

/// A gateway with what it is ranked by.
struct Ranked {
    key: (Standing, bool, i32, i64, usize),
    verdict: GatewayVerdict,
}

fn rank(
    rule: &Rule,
    described: &Described,
    gateways: &[GatewayConfig],
    situation: &Situation,
) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = gateways
        .iter()
        .enumerate()
        .map(|(place, config)| {
            let now = situation.of(&config.name);
            let (standing, why) = standing(rule, described, config, &now, situation);
            let verdict = GatewayVerdict {
                gateway: config.name.clone(),
                channel: config.channel,
                standing,
                taken: false,
                why,
                now: now.clone(),
            };
            let cost = (config.cost * 1e6) as i64;
            Ranked { key: (standing, mute(rule.confirm, config.receipts), now.doubt(), cost, place), verdict }
        })
        .collect();
    ranked.sort_by_key(|ranked| ranked.key);
    ranked
}

/// Says whether a road can never say what the rule waits for.
fn mute(confirm: Confirm, receipts: Receipts) -> bool {
    match confirm {
        Confirm::Accepted => false,
        Confirm::Delivered | Confirm::Acknowledged => receipts == Receipts::None,
        Confirm::Read => receipts < Receipts::Read,
    }
}

fn standing(
    rule: &Rule,
    described: &Described,
    config: &GatewayConfig,
    now: &Now,
    situation: &Situation,
) -> (Standing, String) {
    let barred = config.failure_domains.iter().find(|domain| rule.never_domains.contains(domain));
    match () {
        () if rule.never.has(config.channel) => {
            (Standing::Forbidden, format!("the rule forbids `{}`", config.channel))
        }
        () if barred.is_some() => {
            let domain = barred.map_or("", String::as_str);
            (Standing::Forbidden, format!("the rule forbids the failure domain `{domain}`"))
        }
        () if !described.channels.has(config.channel) => {
            (Standing::NoAddress, format!("the recipient has no address on `{}`", config.channel))
        }
        () => situation.standing(now, config.needs_internet(), !described.status.is_drill()),
    }
}

fn ladder(rule: &Rule, ranked: &[Ranked]) -> Vec<StepVerdict> {
    let mut starts_after = Span::ZERO;
    let mut steps = Vec::new();
    for (place, step) in rule.steps.iter().enumerate() {
        let gateways = in_order(step, ranked);
        // A step without a road for this person costs no time.
        let roads = step.channels.iter().filter(|channel| usable(&gateways, **channel)).count();
        let turns = if step.send == SendMode::Each { roads } else { roads.min(1) };
        steps.push(StepVerdict {
            number: place + 1,
            send: step.send,
            channels: step.channels.clone(),
            starts_after,
            wait: step.wait,
            learned: step.learned,
            gateways,
        });
        starts_after = starts_after + step.wait.times(turns as i64);
    }
    steps
}

fn usable(gateways: &[GatewayVerdict], channel: Channel) -> bool {
    gateways.iter().any(|gateway| gateway.channel == channel && is_permitted(gateway.standing))
}

fn is_permitted(standing: Standing) -> bool {
    !matches!(standing, Standing::Forbidden | Standing::NoAddress)
}

/// Returns a step's gateways: by rank, or with `each` by channel as written and then by rank.
fn in_order(step: &Step, ranked: &[Ranked]) -> Vec<GatewayVerdict> {
    let own = ranked.iter().map(|r| &r.verdict).filter(|verdict| step.channels.contains(&verdict.channel));
    let mut own: Vec<_> = own.cloned().collect();
    if step.send == SendMode::Each {
        own.sort_by_key(|verdict| step.channels.iter().position(|channel| *channel == verdict.channel));
    }
    own
}

/// Marks what the first attempt would go through: the good ones of the first step that has any; else one in doubt,
/// whatever its step; else the last resort.
fn take(steps: &mut [StepVerdict], actual: bool) {
    // What looks down for a drill is there for what is meant, where nothing better is; never for the exercise.
    let doubtful = if actual { &[Standing::Doubtful, Standing::Drill][..] } else { &[Standing::Doubtful] };
    let tiers = [&[Standing::Eligible][..], doubtful, &[Standing::Down, Standing::UplinkDown]];
    let has =
        |step: &StepVerdict, tier: &[Standing]| step.gateways.iter().any(|g| tier.contains(&g.standing));
    let Some(tier) = tiers.into_iter().find(|tier| steps.iter().any(|step| has(step, tier))) else { return };
    let Some(first) = steps.iter().position(|step| has(step, tier)) else { return };
    let together = steps[first].send == SendMode::All;
    let mut channels = ChannelSet::EMPTY;
    for gateway in steps[first].gateways.iter_mut().filter(|gateway| tier.contains(&gateway.standing)) {
        if channels.is_empty() || (together && !channels.has(gateway.channel)) {
            channels.insert(gateway.channel);
            gateway.taken = true;
        }
    }
}

fn not_in_ladder(mut verdict: GatewayVerdict) -> GatewayVerdict {
    if is_permitted(verdict.standing) {
        verdict.why = format!("no step of the rule names `{}`", verdict.channel);
    }
    verdict
}

#[cfg(test)]
mod tests;
