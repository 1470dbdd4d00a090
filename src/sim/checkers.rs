//! What must hold in every run, checked from outside: by what the gateways really saw, not by what the core believes.

use crate::core::effect::Order;
use crate::core::ids::{AttemptId, DeliveryId, MessageId};
use crate::core::outcome::{DeliveryResult, Outcome, ReceiptKind};
use crate::core::query::{ActsFrom, Answer, Query, ROWS_MAX};
use crate::core::record::{Attempt, Delivery, Repeat};
use crate::core::time::Timestamp;
use crate::store::chain::hashed;
use crate::store::chain::verify::Verifier;
use crate::store::outbox::Reader;
use std::collections::{BTreeMap, BTreeSet};

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed} at {at} ms: {what}")]
pub struct Broken {
    /// Rerun it with `SEED=.. cargo test --test sim`.
    pub seed: u64,
    /// The virtual time in milliseconds.
    pub at: i64,
    /// What was seen.
    pub what: String,
}

/// What is known of one delivery from outside.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Attempts that left, in order.
    pub(super) left: Vec<AttemptId>,
    /// Attempts of which it is certain that they were not sent: the core was told so.
    pub(super) certain: BTreeSet<u16>,
    /// Attempts that a gateway really put through.
    pub(super) went_out: BTreeSet<u16>,
    /// The furthest receipt that a gateway really issued.
    pub(super) issued: Option<ReceiptKind>,
    pub(super) result: Option<DeliveryResult>,
    pub(super) expires: Option<Timestamp>,
}

/// The ledger from outside.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) seed: u64,
    pub(super) seen: BTreeMap<DeliveryId, Seen>,
    /// Messages whose sender heard "accepted".
    pub(super) promised: BTreeMap<MessageId, u32>,
    /// The messages that are not meant.
    pub(super) exercises: BTreeSet<MessageId>,
    /// Messages that were stopped to be corrected, as their callers heard.
    pub(super) stopped: BTreeSet<MessageId>,
    /// Who was told of a correction, by the corrected message: the indexes of its deliveries.
    pub(super) corrected: BTreeMap<MessageId, BTreeSet<u32>>,
    /// Attempts on disk.
    pub(super) on_disk: BTreeMap<AttemptId, Attempt>,
}

impl Ledger {
    pub(super) fn broken(&self, at: Timestamp, what: impl Into<String>) -> Broken {
        Broken { seed: self.seed, at: at.ms(), what: what.into() }
    }

    /// An order leaves.
    pub(super) fn leaves(&mut self, order: &Order, held: bool, now: Timestamp) -> Result<(), Broken> {
        let id = order.attempt;
        if held {
            return Err(self.broken(now, format!("{id} was sent by a held gateway")));
        }
        if !self.on_disk.contains_key(&id) {
            return Err(self.broken(now, format!("{id} left before its record was on disk")));
        }
        if self.stopped.contains(&id.delivery.message) {
            return Err(self.broken(now, format!("{id} was sent though its message was stopped")));
        }
        if order.expires <= now {
            return Err(self.broken(now, format!("{id} was sent after its expiry")));
        }
        let seen = self.seen.entry(id.delivery).or_default();
        seen.expires = Some(order.expires);
        let settled = seen.result;
        let maybe_out = seen.left.iter().any(|earlier| !seen.certain.contains(&earlier.n));
        seen.left.push(id);
        if let Some(result) = settled {
            return Err(self.broken(now, format!("{id} was sent though its delivery had ended as {result}")));
        }
        if maybe_out && order.repeat == Repeat::No {
            return Err(self.broken(now, format!("{id} may be a second copy and is not marked")));
        }
        Ok(())
    }

    /// A turn's orders leave in the order of their ranks: by severity, and exercises after what is meant.
    pub(super) fn in_order(&self, ranks: &[u8], now: Timestamp) -> Result<(), Broken> {
        match ranks.windows(2).find(|pair| pair[0] > pair[1]) {
            Some(pair) => {
                Err(self.broken(now, format!("an order of rank {} went before one of {}", pair[0], pair[1])))
            }
            None => Ok(()),
        }
    }

    /// The core was told what became of an attempt, and wrote it down.
    pub(super) fn recorded(&mut self, attempt: &Attempt) {
        let known = self.on_disk.entry(attempt.id).or_insert_with(|| attempt.clone());
        known.outcome = attempt.outcome.clone();
        if let Some((Outcome::Rejected { .. } | Outcome::Deferred { .. }, _)) = &attempt.outcome {
            self.seen.entry(attempt.id.delivery).or_default().certain.insert(attempt.id.n);
        }
    }

    /// A delivery's end was written down.
    pub(super) fn ended(&mut self, delivery: &Delivery, now: Timestamp) -> Result<(), Broken> {
        let Some(end) = delivery.result else { return Ok(()) };
        let seen = self.seen.entry(delivery.id).or_default();
        let (before, out, issued) = (seen.result.replace(end.result), !seen.went_out.is_empty(), seen.issued);
        let id = delivery.id;
        if let Some(before) = before {
            return Err(self.broken(now, format!("{id} ended as {before} and again as {}", end.result)));
        }
        match end.result {
            DeliveryResult::Delivered | DeliveryResult::Acknowledged
                if issued.is_none_or(|kind| kind < ReceiptKind::Delivered) =>
            {
                return Err(self.broken(now, format!("{id} counts as {} without a receipt", end.result)));
            }
            DeliveryResult::Expired | DeliveryResult::Cancelled | DeliveryResult::Superseded if out => {
                return Err(self.broken(now, format!("{id} went out and counts as {}", end.result)));
            }
            _ => {}
        }
        Ok(())
    }

    /// At the end every promise is kept: one result each, none missing, none after its time.
    pub(super) fn all_settled(&self, now: Timestamp) -> Result<(), Broken> {
        for (message, deliveries) in &self.promised {
            for index in 0..*deliveries {
                let id = DeliveryId::new(*message, index);
                if self.seen.get(&id).is_none_or(|seen| seen.result.is_none()) {
                    return Err(self.broken(now, format!("{id} was accepted and never settled")));
                }
            }
        }
        for (id, seen) in &self.seen {
            let told = self.corrected.get(&id.message);
            // A gateway that took it and said later that it failed has said that nobody got it.
            let out = !seen.went_out.is_empty() && seen.issued != Some(ReceiptKind::Failed);
            if out && told.is_some_and(|told| !told.contains(&id.index)) {
                return Err(
                    self.broken(now, format!("{id} went out and its person was not told of the correction"))
                );
            }
        }
        Ok(())
    }
}

/// Checks that the chain of acts is whole, however often the process died.
pub(super) fn chained(reader: &dyn Reader) -> Result<(), String> {
    let ask = |query| reader.answer(&query).map(|answer| answer.value).map_err(|error| error.to_string());
    let Answer::ChainEnds(anchor, head) = ask(Query::ChainEnds)? else { return Err("no ends".into()) };
    let mut verifier = Verifier::begin(anchor, None).map_err(|broken| broken.to_string())?;
    loop {
        let from = ActsFrom::After(verifier.last().number);
        let Answer::Acts(links) = ask(Query::Acts { from, limit: ROWS_MAX })? else {
            return Err("no acts".into());
        };
        if links.is_empty() {
            return verifier.end(head).map_err(|broken| broken.to_string());
        }
        for link in links {
            let taken = verifier.take(link.number, link.prev, link.hash, hashed(&link).as_bytes());
            taken.map_err(|broken| broken.to_string())?;
        }
    }
}
