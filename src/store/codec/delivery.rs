//! Rows of deliveries: progress, states, attempts, receipts, plans.

use super::{Key, Malformed, Reader, Row, Table, Writer, attempt_key, delivery_key, numbered_key};
use crate::core::channel::Channel;
use crate::core::ids::AttemptId;
use crate::core::outcome::{DeliveryResult, Outcome, Reason, ReceiptKind};
use crate::core::policy::OnUnknown;
use crate::core::record::{Attempt, Delivery, Plan, Progress, Ranked, Repeat, Settled, Standing};
use crate::core::reply::Answers;
use crate::core::time::Timestamp;

const REPEATS: [Repeat; 5] =
    [Repeat::No, Repeat::AfterUnknown, Repeat::AfterWait, Repeat::Together, Repeat::AfterFailure];

const ON_UNKNOWN: [OnUnknown; 3] = [OnUnknown::Repeat, OnUnknown::Ask, OnUnknown::Wait];

const STANDINGS: [Standing; 14] = [
    Standing::Eligible,
    Standing::LaterStep,
    Standing::Doubtful,
    Standing::Down,
    Standing::Held,
    Standing::Maintenance,
    Standing::Deferred,
    Standing::QuotaExhausted,
    Standing::UplinkDown,
    Standing::Forbidden,
    Standing::NoAddress,
    Standing::Refused,
    Standing::Removed,
    Standing::Drill,
];

// The stored numbers of outcomes.
const ACCEPTED: u8 = 0;
const REJECTED: u8 = 1;
const DEFERRED: u8 = 2;
const UNKNOWN: u8 = 3;

/// A receipt on a known attempt.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ReceiptRow {
    pub(crate) attempt: AttemptId,
    pub(crate) kind: ReceiptKind,
    pub(crate) at: Timestamp,
    pub(crate) reason: Option<Reason>,
}

impl Row for Progress {
    const TABLE: Table = Table::Progress;
    const VERSION: u8 = 3;

    fn key(&self) -> Key {
        Key::from_slice(&self.message.to_bytes())
    }

    fn write(&self, out: &mut Writer) {
        out.flag(self.open);
        self.settled.iter().for_each(|count| out.number(*count));
        out.number(self.late);
        out.option(self.withdrawn, |out, result| out.byte(result as u8));
        out.flag(self.escalated);
        let Answers { acknowledged, safe, need_help } = self.answers;
        [acknowledged, safe, need_help].into_iter().for_each(|count| out.number(count));
        out.flag(self.restored);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, version: u8) -> Result<Self, Malformed> {
        let message = key.message_id()?;
        let open = body.flag()?;
        let mut settled = [0; 7];
        for count in &mut settled {
            *count = body.number()?;
        }
        Ok(Progress {
            message,
            open,
            settled,
            late: body.number()?,
            withdrawn: body.option(|body| body.one_of(&DeliveryResult::ALL))?,
            escalated: body.flag()?,
            // Version 1 knew of no answers.
            answers: if version >= 2 { answers(body)? } else { Answers::default() },
            // Before version 3 nothing was ever restored.
            restored: version >= 3 && body.flag()?,
        })
    }
}

fn answers(body: &mut Reader<'_>) -> Result<Answers, Malformed> {
    Ok(Answers { acknowledged: body.number()?, safe: body.number()?, need_help: body.number()? })
}

impl Row for Delivery {
    const TABLE: Table = Table::Delivery;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        Key::from_slice(&delivery_key(self.id))
    }

    fn write(&self, out: &mut Writer) {
        out.byte(self.step);
        out.number(self.attempts);
        out.number(self.rounds);
        out.number(self.barred);
        out.option(self.result, |out, settled| {
            out.byte(settled.result as u8);
            out.time(settled.at);
            out.option(settled.channel, |out, channel| out.byte(channel as u8));
            out.option(settled.attempt, |out, n| out.number(n));
            write_reason(out, settled.reason);
            out.flag(settled.duplicated);
        });
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(Delivery {
            id: key.delivery_id()?,
            step: body.byte()?,
            attempts: body.number()?,
            rounds: body.number()?,
            barred: body.number()?,
            result: body.option(|body| {
                Ok(Settled {
                    result: body.one_of(&DeliveryResult::ALL)?,
                    at: body.time()?,
                    channel: body.option(|body| body.one_of(&Channel::ALL))?,
                    attempt: body.option(Reader::number)?,
                    reason: read_reason(body)?,
                    duplicated: body.flag()?,
                })
            })?,
        })
    }
}

impl Row for Attempt {
    const TABLE: Table = Table::Attempt;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        Key::from_slice(&attempt_key(self.id))
    }

    fn write(&self, out: &mut Writer) {
        out.text(&self.gateway);
        out.byte(self.channel as u8);
        out.byte(self.step);
        out.time(self.at);
        out.byte(self.repeat as u8);
        out.number(self.plan);
        out.option(self.outcome.as_ref(), |out, (outcome, at)| {
            write_outcome(out, outcome);
            out.time(*at);
        });
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(Attempt {
            id: key.attempt_id()?,
            gateway: body.text()?,
            channel: body.one_of(&Channel::ALL)?,
            step: body.byte()?,
            at: body.time()?,
            repeat: body.one_of(&REPEATS)?,
            plan: body.number()?,
            outcome: body.option(|body| Ok((read_outcome(body)?, body.time()?)))?,
        })
    }
}

impl Row for ReceiptRow {
    const TABLE: Table = Table::Receipt;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        let mut key = Key::from_slice(&attempt_key(self.attempt));
        key.push(self.kind as u8);
        key
    }

    fn write(&self, out: &mut Writer) {
        out.time(self.at);
        write_reason(out, self.reason);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(ReceiptRow {
            attempt: key.attempt_id()?,
            kind: key.one_of(&ReceiptKind::ALL)?,
            at: body.time()?,
            reason: read_reason(body)?,
        })
    }
}

impl Row for Plan {
    const TABLE: Table = Table::Plan;
    const VERSION: u8 = 1;

    fn key(&self) -> Key {
        Key::from_slice(&numbered_key(self.message, self.number))
    }

    fn write(&self, out: &mut Writer) {
        out.text(&self.policy);
        out.text(&self.rule);
        out.byte(self.step);
        out.byte(self.on_unknown as u8);
        out.list(self.ranking.iter(), |out, ranked| {
            out.text(&ranked.gateway);
            out.byte(ranked.channel as u8);
            let stored = STANDINGS.iter().position(|standing| *standing == ranked.standing);
            out.byte(stored.expect("every standing has its number") as u8);
            out.number(ranked.health_permille);
            out.number(ranked.needle_cdb);
        });
        out.time(self.at);
    }

    fn read(key: &mut Reader<'_>, body: &mut Reader<'_>, _version: u8) -> Result<Self, Malformed> {
        Ok(Plan {
            message: key.message_id()?,
            number: key.u32_key()?,
            policy: body.text()?,
            rule: body.text()?,
            step: body.byte()?,
            on_unknown: body.one_of(&ON_UNKNOWN)?,
            ranking: body.list(|body| {
                Ok(Ranked {
                    gateway: body.text()?,
                    channel: body.one_of(&Channel::ALL)?,
                    standing: body.one_of(&STANDINGS)?,
                    health_permille: body.number()?,
                    needle_cdb: body.number()?,
                })
            })?,
            at: body.time()?,
        })
    }
}

fn write_outcome(out: &mut Writer, outcome: &Outcome) {
    match outcome {
        Outcome::Accepted { provider_id } => {
            out.byte(ACCEPTED);
            out.option(provider_id.as_deref(), Writer::text);
        }
        Outcome::Rejected { reason } => {
            out.byte(REJECTED);
            out.byte(*reason as u8);
        }
        Outcome::Deferred { reason, retry_after } => {
            out.byte(DEFERRED);
            out.byte(*reason as u8);
            out.option(*retry_after, Writer::span);
        }
        Outcome::Unknown { reason } => {
            out.byte(UNKNOWN);
            out.byte(*reason as u8);
        }
    }
}

fn read_outcome(body: &mut Reader<'_>) -> Result<Outcome, Malformed> {
    Ok(match body.byte()? {
        ACCEPTED => Outcome::Accepted { provider_id: body.option(Reader::text)? },
        REJECTED => Outcome::Rejected { reason: body.one_of(Reason::ALL)? },
        DEFERRED => {
            Outcome::Deferred { reason: body.one_of(Reason::ALL)?, retry_after: body.option(Reader::span)? }
        }
        UNKNOWN => Outcome::Unknown { reason: body.one_of(Reason::ALL)? },
        _ => return Err(Malformed("an outcome")),
    })
}

/// Writes a reason that may be absent.
pub(super) fn write_reason(out: &mut Writer, reason: Option<Reason>) {
    out.option(reason, |out, reason| out.byte(reason as u8));
}

/// Reads a reason that may be absent.
pub(super) fn read_reason(body: &mut Reader<'_>) -> Result<Option<Reason>, Malformed> {
    body.option(|body| body.one_of(Reason::ALL))
}
