//! What may go wrong in one run: drawn whole from the seed, so that each run has its own mix.

use crate::core::channel::Channel;
use crate::core::gateway::{GatewayConfig, Quota, QuotaUnit, Rate, Receipts};
use crate::core::message::Severity;
use crate::core::outcome::Reason;
use crate::core::policy::{Confirm, OnUnknown, Policy, Rule, SendMode, Step};
use crate::core::rng::Rng;
use crate::core::time::Span;
use std::sync::Arc;

/// Shares in thousandths and times in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    pub(super) reject_recipient: u64,
    pub(super) reject_gateway: u64,
    pub(super) defer: u64,
    /// The answer is lost.
    pub(super) no_answer: u64,
    /// Of the lost answers: it went out all the same.
    pub(super) went_out: u64,
    /// Taken, and never delivered.
    pub(super) swallow: u64,
    pub(super) no_receipt: u64,
    pub(super) double_receipt: u64,
    /// The receipt comes before the answer.
    pub(super) early_receipt: u64,
    pub(super) failed_receipt: u64,
    pub(super) answer_ms: u64,
    pub(super) receipt_ms: u64,
    /// The process dies after a turn.
    pub(super) crash: u64,
    /// Of the crashes: before the turn was durable.
    pub(super) crash_undurable: u64,
    /// A gateway goes dead for a while, each second.
    pub(super) dead: u64,
    pub(super) clock_jump: u64,
    pub(super) hold: u64,
    pub(super) cancel: u64,
    pub(super) correct: u64,
    pub(super) reload: u64,
    pub(super) line_cut: u64,
    /// A drill is started or ended, each second.
    pub(super) drill: u64,
}

/// The reasons that a made-up gateway gives when the fault is its own.
pub(super) const GATEWAY_REASONS: [Reason; 5] = [
    Reason::ProviderFault,
    Reason::TcpRefused,
    Reason::DnsServfail,
    Reason::ServiceDown,
    Reason::NotConnected,
];

/// The channels of the made-up gateways.
pub(super) const CHANNELS: [Channel; 4] =
    [Channel::Whatsapp, Channel::Signal, Channel::Telegram, Channel::Sms];

impl Faults {
    pub(super) fn draw(rng: &mut Rng) -> Faults {
        // Each fault is absent in half of the runs, so that no fault hides behind another.
        let mut some = |most: u64| if rng.below(2) == 0 { 0 } else { rng.below(most) + 1 };
        Faults {
            reject_recipient: some(150),
            reject_gateway: some(300),
            defer: some(200),
            no_answer: some(150),
            went_out: some(1000),
            swallow: some(200),
            no_receipt: some(300),
            double_receipt: some(300),
            early_receipt: some(200),
            failed_receipt: some(100),
            answer_ms: 5 + some(3_000),
            receipt_ms: 20 + some(40_000),
            crash: some(30),
            crash_undurable: some(1000),
            dead: some(20),
            clock_jump: some(5),
            hold: some(10),
            cancel: some(30),
            correct: some(30),
            reload: some(10),
            line_cut: some(5),
            drill: some(20),
        }
    }

    /// The faults end; what is left is an ordinary network.
    pub(super) fn healed() -> Faults {
        Faults {
            reject_recipient: 0,
            reject_gateway: 0,
            defer: 0,
            no_answer: 0,
            went_out: 0,
            swallow: 0,
            no_receipt: 0,
            double_receipt: 0,
            early_receipt: 0,
            failed_receipt: 0,
            answer_ms: 100,
            receipt_ms: 1_000,
            crash: 0,
            crash_undurable: 0,
            dead: 0,
            clock_jump: 0,
            hold: 0,
            cancel: 0,
            correct: 0,
            reload: 0,
            line_cut: 0,
            drill: 0,
        }
    }
}

/// Draws a fleet of two to six gateways.
pub(super) fn draw_gateways(rng: &mut Rng) -> Vec<GatewayConfig> {
    let count = 2 + rng.below(5) as usize;
    (0..count)
        .map(|n| {
            let channel = CHANNELS[rng.below(CHANNELS.len() as u64) as usize];
            GatewayConfig {
                name: format!("{channel}-{n}"),
                channel,
                failure_domains: if rng.below(4) == 0 { vec![] } else { vec!["internet".into()] },
                rate: (rng.below(2) == 0)
                    .then(|| Rate { per_sec: 1.0 + rng.below(50) as f64, burst: 1.0 + rng.below(10) as f64 }),
                quotas: match rng.below(5) {
                    0 => vec![Quota {
                        limit: 5 + rng.below(50),
                        unit: QuotaUnit::Messages,
                        period: Span::from_mins(10),
                    }],
                    _ => vec![],
                },
                cost: rng.below(10) as f64 / 100.0,
                receipts: [Receipts::Delivered, Receipts::Read, Receipts::None][rng.below(3) as usize],
                window: 1 + rng.below(40) as u32,
                can_ask: rng.below(3) == 0,
                connect_time_out: Span::from_secs(3),
                canaries: vec![],
            }
        })
        .collect()
}

/// Expiries are drawn short, so that a run sees them all.
const EXPIRY_LAST: Span = Span::from_mins(40);

/// Draws a policy of one to three rules by severity, each with one to three steps.
pub(super) fn draw_policy(rng: &mut Rng) -> Arc<Policy> {
    let mut rules: Vec<Rule> = (0..1 + rng.below(3)).map(|n| draw_rule(rng, n)).collect();
    rules.push(Rule { expiry: Some(EXPIRY_LAST), ..Rule::last() });
    Arc::new(Policy { hash: format!("{:08x}", rng.draw() as u32), rules })
}

fn draw_rule(rng: &mut Rng, n: u64) -> Rule {
    let steps = (0..1 + rng.below(3))
        .map(|_| Step {
            channels: (0..1 + rng.below(3)).map(|_| CHANNELS[rng.below(4) as usize]).collect(),
            send: [SendMode::Best, SendMode::Best, SendMode::All, SendMode::Each][rng.below(4) as usize],
            wait: Span::from_secs(1 + rng.below(40) as i64),
            learned: rng.below(3) == 0,
        })
        .collect();
    Rule {
        name: format!("rule-{n}"),
        when: vec![Box::new(AtLeast(Severity::ALL[rng.below(5) as usize]))],
        deadline: (rng.below(2) == 0).then(|| Span::from_secs(10 + rng.below(300) as i64)),
        expiry: Some(Span::from_secs(60 + rng.below(1_800) as i64)),
        confirm: [Confirm::Delivered, Confirm::Delivered, Confirm::Accepted, Confirm::Read]
            [rng.below(4) as usize],
        on_unknown: [None, Some(OnUnknown::Repeat), Some(OnUnknown::Ask), Some(OnUnknown::Wait)]
            [rng.below(4) as usize],
        strict: [None, Some(true), Some(false)][rng.below(3) as usize],
        steps,
        ..Rule::last()
    }
}

/// Matches a severity and everything graver.
#[derive(Debug)]
struct AtLeast(Severity);

impl crate::core::policy::Criterion for AtLeast {
    fn key(&self) -> &'static str {
        "severity"
    }

    fn matches(&self, subject: &crate::core::policy::Subject<'_>) -> bool {
        subject.severity <= self.0
    }

    fn found(&self, subject: &crate::core::policy::Subject<'_>) -> String {
        subject.severity.to_string()
    }

    fn explain(&self) -> String {
        format!("severity is {} or graver", self.0)
    }
}
