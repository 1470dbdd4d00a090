//! What an outage did to the people: who was reached all the same, by which road, how late, and who was not.
//!
//! Counted from what is on record of each delivery that was under way while the outage went on, so that it can be
//! counted again whenever it is asked for.

use crate::core::channel::Channel;
use crate::core::message::Message;
use crate::core::outcome::{DeliveryResult, Outcome, ReceiptKind};
use crate::core::query::DeliveryStory;
use crate::core::record::{Attempt, Standing};
use crate::core::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// A delivery that takes longer than this came late.
pub const LATE_AFTER: Span = Span::from_mins(1);
/// How many groups of one kind are told apart; the rest is one.
pub const GROUPS_MAX: usize = 200;
/// How those are named that are in no group, and those for whom there is no room.
pub const NO_GROUP: &str = "";
/// See [`GROUPS_MAX`].
pub const OTHERS: &str = "*";

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The first bad sign.
    pub from: Timestamp,
    /// When it was over, or is asked about.
    pub to: Timestamp,
    /// The gateways that it took away; `None`: it took none away for everybody (our own line, a region).
    pub gateways: BTreeSet<String>,
    /// Only people of this region; `None`: everybody.
    pub region: Option<String>,
}

/// What came of the deliveries that were under way.
#[derive(Clone, Debug, Default)]
pub struct Impact {
    /// All of them.
    pub all: Group,
    /// By audience; somebody may be in several.
    pub audiences: BTreeMap<String, Group>,
    /// By sector.
    pub sectors: BTreeMap<String, Group>,
    /// By region.
    pub regions: BTreeMap<String, Group>,
    /// By the channel that reached them.
    pub channels: BTreeMap<Channel, Group>,
    /// The attempts that went into what was down.
    pub into_it: IntoIt,
}

/// A group of deliveries.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// How many.
    pub deliveries: u64,
    /// How many were reached, or handed over.
    pub reached: u64,
    /// How many of them by another road than the first, since that was down or failed.
    pub rerouted: u64,
    /// How many were reached later than [`LATE_AFTER`] after the message came.
    pub delayed: u64,
    /// How many ended without: failed or expired.
    pub missed: u64,
    /// How many are still open.
    pub open: u64,
    /// How many may have got it more than once.
    pub duplicated: u64,
    /// How many were asked for an answer.
    pub asked: u64,
    /// How many answered.
    pub answered: u64,
    /// From the message to its first arrival, in milliseconds.
    reach: Vec<u32>,
    /// From the message to the answer, in milliseconds.
    answer: Vec<u32>,
}

/// The attempts that went into what was down, and what a fixed order would have added.
#[derive(Clone, Debug, Default)]
pub struct IntoIt {
    /// How many there were.
    pub attempts: u64,
    /// How many of them failed, so that the next road could be tried.
    pub failed: u64,
    /// How many were taken, and nothing ever came of them.
    pub swallowed: u64,
    /// How many deliveries were spared one: what was known sent them by another road at once.
    pub spared: u64,
    /// How long each attempt that failed had taken, in milliseconds.
    took: Vec<u32>,
}

/// What would have been had every delivery tried the first of the order first, by what was seen of those that did.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FixedOrder {
    /// How many more attempts would have gone into what was down.
    pub attempts: u64,
    /// How long each would have waited for it to fail, as the median of those seen.
    pub waits: Option<Span>,
    /// How many of them it would have taken and not delivered, by the share of those seen.
    pub swallowed: u64,
}

impl Scope {
    /// Says whether a delivery was under way while it went on.
    pub fn concerns(&self, message: &Message, story: &DeliveryStory) -> bool {
        let ended = story.delivery.as_ref().and_then(|delivery| delivery.result).map(|settled| settled.at);
        let under_way = message.accepted_at < self.to && ended.is_none_or(|at| at >= self.from);
        let there = match &self.region {
            None => true,
            Some(region) => story.recipient.region.as_deref().unwrap_or(NO_GROUP) == region,
        };
        under_way && there
    }

    fn is_into_it(&self, attempt: &Attempt) -> bool {
        (self.from..self.to).contains(&attempt.at) && self.gateways.contains(&attempt.gateway)
    }
}

impl Impact {
    /// Counts a delivery, if it was under way.
    pub fn count(&mut self, scope: &Scope, message: &Message, story: &DeliveryStory) {
        if !scope.concerns(message, story) {
            return;
        }
        let seen = Seen::of(scope, message, story);
        self.into_it.count(scope, story, &seen);
        self.all.count(&seen);
        let audiences = story.recipient.audiences.iter().filter(|name| message.audiences.contains(name));
        let mut in_none = true;
        for name in audiences {
            in_none = false;
            group(&mut self.audiences, name).count(&seen);
        }
        if in_none {
            group(&mut self.audiences, NO_GROUP).count(&seen);
        }
        let name = |text: &Option<String>| text.clone().unwrap_or_default();
        group(&mut self.sectors, &name(&story.recipient.sector)).count(&seen);
        group(&mut self.regions, &name(&story.recipient.region)).count(&seen);
        if let Some(channel) = seen.by {
            self.channels.entry(channel).or_default().count(&seen);
        }
    }
}

fn group<'a>(groups: &'a mut BTreeMap<String, Group>, name: &str) -> &'a mut Group {
    let is_full = groups.len() >= GROUPS_MAX && !groups.contains_key(name);
    groups.entry(if is_full { OTHERS } else { name }.to_owned()).or_default()
}

/// One delivery, as it counts.
struct Seen {
    by: Option<Channel>,
    reached: bool,
    rerouted: bool,
    missed: bool,
    open: bool,
    duplicated: bool,
    asked: bool,
    spared: bool,
    took: Option<Span>,
    answered: Option<Span>,
}

impl Seen {
    fn of(scope: &Scope, message: &Message, story: &DeliveryStory) -> Seen {
        let settled = story.delivery.as_ref().and_then(|delivery| delivery.result);
        let reached = settled.filter(|settled| {
            use DeliveryResult::{Acknowledged, Delivered, HandedOver};
            matches!(settled.result, Delivered | Acknowledged | HandedOver)
        });
        let arrivals = story.receipts.iter().filter(|(_, kind, _)| {
            matches!(kind, ReceiptKind::Delivered | ReceiptKind::Read | ReceiptKind::Acknowledged)
        });
        let first = arrivals.map(|(_, _, at)| *at).min().or(reached.map(|settled| settled.at));
        let by = reached.and_then(|settled| settled.channel);
        let tried = story.attempts.iter().any(|attempt| scope.is_into_it(attempt));
        let passed_over =
            story.attempts.iter().filter(|attempt| (scope.from..scope.to).contains(&attempt.at));
        let spared = !tried
            && passed_over.filter_map(|attempt| story.plans.get(&attempt.plan)).any(|plan| {
                plan.ranking.iter().any(|ranked| {
                    let turned_away =
                        matches!(ranked.standing, Standing::Down | Standing::Doubtful | Standing::UplinkDown);
                    turned_away && scope.gateways.contains(&ranked.gateway)
                })
            });
        let last = reached
            .and_then(|settled| settled.attempt)
            .and_then(|n| story.attempts.iter().find(|attempt| attempt.id.n == n));
        let elsewhere = last.is_some_and(|attempt| !scope.gateways.contains(&attempt.gateway));
        Seen {
            by,
            reached: reached.is_some(),
            rerouted: reached.is_some() && elsewhere && (tried || spared),
            missed: settled.is_some_and(|settled| {
                matches!(settled.result, DeliveryResult::Failed | DeliveryResult::Expired)
            }),
            open: settled.is_none(),
            duplicated: settled.is_some_and(|settled| settled.duplicated),
            asked: !message.asks.is_nothing(),
            spared,
            took: reached.and(first).map(|at| at.since(message.accepted_at).max(Span::ZERO)),
            answered: story.answer.map(|answer| answer.at.since(message.accepted_at).max(Span::ZERO)),
        }
    }
}

impl IntoIt {
    fn count(&mut self, scope: &Scope, story: &DeliveryStory, seen: &Seen) {
        for attempt in story.attempts.iter().filter(|attempt| scope.is_into_it(attempt)) {
            self.attempts += 1;
            let n = attempt.id.n;
            let heard =
                story.receipts.iter().any(|(of, kind, _)| *of == n && *kind >= ReceiptKind::Delivered);
            match &attempt.outcome {
                Some((Outcome::Accepted { .. }, _)) => self.swallowed += u64::from(!heard),
                Some((_, at)) => {
                    self.failed += 1;
                    self.took.push(millis(at.since(attempt.at)));
                }
                None => {}
            }
        }
        self.spared += u64::from(seen.spared);
    }

    /// Returns what a fixed order would have added; nothing where nobody tried, so that nothing is known.
    pub fn fixed_order(&self) -> Option<FixedOrder> {
        let swallowed = self.swallowed as f64 / self.attempts as f64 * self.spared as f64;
        (self.attempts > 0).then(|| FixedOrder {
            attempts: self.spared,
            waits: quantile(&self.took, 0.5),
            swallowed: swallowed.round() as u64,
        })
    }
}

impl Group {
    fn count(&mut self, seen: &Seen) {
        self.deliveries += 1;
        self.reached += u64::from(seen.reached);
        self.rerouted += u64::from(seen.rerouted);
        self.delayed += u64::from(seen.took.is_some_and(|took| took > LATE_AFTER));
        self.missed += u64::from(seen.missed);
        self.open += u64::from(seen.open);
        self.duplicated += u64::from(seen.duplicated);
        self.asked += u64::from(seen.asked);
        self.answered += u64::from(seen.answered.is_some());
        self.reach.extend(seen.took.map(millis));
        self.answer.extend(seen.answered.map(millis));
    }

    /// Returns the time within which this share of those reached had it.
    pub fn reached_within(&self, share: f64) -> Option<Span> {
        quantile(&self.reach, share)
    }

    /// Returns the time within which this share of those who answered did so.
    pub fn answered_within(&self, share: f64) -> Option<Span> {
        quantile(&self.answer, share)
    }
}

fn millis(span: Span) -> u32 {
    u32::try_from(span.ms().max(0)).unwrap_or(u32::MAX)
}

fn quantile(values: &[u32], share: f64) -> Option<Span> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().checked_sub(1)?);
    Some(Span::from_ms(sorted[at].into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{AttemptId, DeliveryId, MessageId};
    use crate::core::message::{Recipient, Severity, Status, Urgency};
    use crate::core::outcome::Reason;
    use crate::core::record::{Delivery, Plan, Ranked, Repeat, Settled};
    use crate::core::reply::Asks;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_ms(1_790_000_000_000 + secs * 1_000)
    }

    fn scope() -> Scope {
        Scope { from: at(0), to: at(600), gateways: ["wa".to_owned()].into(), region: None }
    }

    fn message(secs: i64) -> Message {
        Message {
            id: MessageId::from_bytes([1; 16]),
            author: "noc".into(),
            accepted_at: at(secs),
            severity: Severity::Severe,
            urgency: Urgency::Unknown,
            status: Status::Actual,
            incident: None,
            expires: None,
            text: BTreeMap::new(),
            template: None,
            tags: BTreeMap::new(),
            recipients: 1,
            audiences: vec!["staff".into()],
            corrects: None,
            asks: Asks::NOTHING,
        }
    }

    fn attempt(n: u16, gateway: &str, secs: i64, outcome: Outcome) -> Attempt {
        Attempt {
            id: AttemptId::new(DeliveryId::new(MessageId::from_bytes([1; 16]), 0), n),
            gateway: gateway.into(),
            channel: if gateway == "wa" { Channel::Whatsapp } else { Channel::Sms },
            step: 0,
            at: at(secs),
            repeat: Repeat::No,
            plan: 1,
            outcome: Some((outcome, at(secs + 5))),
        }
    }

    fn story(attempts: Vec<Attempt>, end: Option<(DeliveryResult, i64)>) -> DeliveryStory {
        let id = DeliveryId::new(MessageId::from_bytes([1; 16]), 0);
        let last = attempts.last().map(|attempt| (attempt.channel, attempt.id.n));
        let delivery = end.map(|(result, secs)| Delivery {
            id,
            step: 0,
            attempts: attempts.len() as u16,
            rounds: 0,
            barred: 0,
            result: Some(Settled {
                result,
                at: at(secs),
                channel: last.map(|last| last.0),
                attempt: last.map(|last| last.1),
                reason: None,
                duplicated: false,
            }),
        });
        let arrived = end.filter(|(result, _)| *result == DeliveryResult::Delivered).zip(last);
        DeliveryStory {
            recipient: Recipient {
                sector: Some("health".into()),
                audiences: vec!["night-shift".into(), "staff".into()],
                ..Recipient::default()
            },
            delivery,
            id,
            receipts: arrived
                .map(|((_, secs), (_, n))| (n, ReceiptKind::Delivered, at(secs)))
                .into_iter()
                .collect(),
            attempts,
            plans: BTreeMap::new(),
            answer: None,
        }
    }

    #[test]
    fn each_delivery_counts_as_what_became_of_it() {
        let taken = || Outcome::Accepted { provider_id: None };
        let refused = || Outcome::Rejected { reason: Reason::TcpTimeout };
        let mut impact = Impact::default();
        let mut count = |secs: i64, story: DeliveryStory| impact.count(&scope(), &message(secs), &story);
        let sms = || attempt(2, "sms", 20, taken());
        count(10, story(vec![attempt(1, "wa", 10, refused()), sms()], Some((DeliveryResult::Delivered, 90))));
        count(10, story(vec![attempt(1, "wa", 10, taken())], Some((DeliveryResult::Expired, 500))));
        let mut spared = story(vec![sms()], Some((DeliveryResult::Delivered, 25)));
        spared.plans.insert(1, plan());
        count(20, spared);
        count(5, story(vec![], None));
        count(-50, story(vec![attempt(1, "wa", -50, taken())], Some((DeliveryResult::Delivered, -40))));
        count(700, story(vec![], None));
        let all = &impact.all;
        assert_eq!((all.deliveries, all.reached, all.rerouted), (4, 2, 2), "before and after do not count");
        assert_eq!((all.delayed, all.missed, all.open), (1, 1, 1));
        assert_eq!(all.reached_within(0.5), Some(Span::from_secs(80)));
        let into = &impact.into_it;
        assert_eq!((into.attempts, into.failed, into.swallowed, into.spared), (2, 1, 1, 1));
        let fixed = into.fixed_order().expect("some tried");
        assert_eq!((fixed.attempts, fixed.waits), (1, Some(Span::from_secs(5))));
        assert_eq!(impact.sectors["health"].deliveries, 4);
        assert_eq!(impact.audiences.keys().collect::<Vec<_>>(), ["staff"], "only those it was sent to");
        assert_eq!(impact.channels[&Channel::Sms].reached, 2);
    }

    fn plan() -> Plan {
        let ranked = |gateway: &str, channel, standing| Ranked {
            gateway: gateway.into(),
            channel,
            standing,
            health_permille: 0,
            needle_cdb: 0,
        };
        Plan {
            message: MessageId::from_bytes([1; 16]),
            number: 1,
            policy: "p".into(),
            rule: "r".into(),
            step: 0,
            on_unknown: crate::core::policy::OnUnknown::Wait,
            ranking: vec![
                ranked("sms", Channel::Sms, Standing::Eligible),
                ranked("wa", Channel::Whatsapp, Standing::Down),
            ],
            at: at(0),
        }
    }
}
