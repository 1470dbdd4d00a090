//! The report: what became of everything that was accepted, and what a fixed order would have done beside it.
//!
//! Two sources are held against each other: the service's own record, and what the emulators took. *Lost* is a
//! delivery that the service accepted and no longer knows, or says was taken although no provider ever took it.

use super::plan::number_in;
use super::witness::Mailboxes;
use super::yardstick::{Yardstick, quantile};
use crate::core::message::{Message, Severity};
use crate::core::outcome::{DeliveryResult, Outcome};
use crate::core::query::DeliveryStory;
use crate::core::record::Repeat;
use crate::core::time::{Span, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What became of it all.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// What happened, in a line.
    pub title: String,
    /// The seed.
    pub seed: u64,
    /// The mark of the plan: the same seed makes the same.
    pub plan: String,
    /// Seconds of history in a second.
    pub speed: f64,
    /// How long it ran, in seconds.
    pub ran_s: f64,
    /// Whether it ran to its end.
    pub complete: bool,
    /// Messages answered by 202.
    pub messages: u64,
    /// Messages that were not taken.
    pub refused: u64,
    /// What became of the deliveries.
    #[serde(flatten)]
    pub tally: Tally,
    /// How soon trouble was noticed.
    pub detection: Vec<Detection>,
    /// Outages that were declared.
    pub outages: u64,
    /// What each channel's provider took, as the emulators counted.
    pub taken: BTreeMap<String, u64>,
    /// What a fixed order without memory did with the same stream.
    pub fixed_order: Yardstick,
    /// How that was come by.
    pub fixed_order_is: &'static str,
}

/// What became of the deliveries.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Tally {
    /// Deliveries accepted.
    pub accepted: u64,
    /// Confirmed, or taken by a road without receipts, within the rule's deadline.
    pub in_time: u64,
    /// The same, whenever.
    pub confirmed: u64,
    /// A provider took it; a receipt may still come.
    pub unconfirmed: u64,
    /// Not yet taken by anybody.
    pub waiting: u64,
    /// Given up, and said so.
    pub given_up: u64,
    /// Deliveries of the gravest severity.
    pub extreme: u64,
    /// Those of them that were in time.
    pub extreme_in_time: u64,
    /// Seconds until half of the confirmed were, and until 95 of 100 were.
    pub median_s: f64,
    /// As it says.
    pub p95_s: f64,
    /// Which channel confirmed how many.
    pub by_channel: BTreeMap<String, u64>,
    /// Deliveries that moved on after a gateway failed them, and were taken by another.
    pub failovers: u64,
    /// Milliseconds from the failure to the next gateway's acceptance, for half of them.
    pub failover_median_ms: f64,
    /// Accepted and gone.
    pub lost: u64,
    /// Deliveries of which recipients got more than one copy.
    pub duplicated: u64,
    /// Copies beyond the first, by why they were sent.
    pub copies: BTreeMap<&'static str, u64>,
}

/// How soon trouble with a gateway was noticed.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Detection {
    /// The gateway.
    pub gateway: String,
    /// The phase with which it began.
    pub phase: String,
    /// When it began in history.
    pub onset: String,
    /// Seconds until it was called degraded.
    pub degraded_s: Option<f64>,
    /// Seconds until it was called down.
    pub down_s: Option<f64>,
    /// Seconds from its being called down until it was called up again.
    pub up_again_s: Option<f64>,
}

/// Counts deliveries, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    tally: Tally,
    waits: Vec<f64>,
    failovers_ms: Vec<f64>,
}

/// What is said of how the yardstick was come by.
pub(crate) const FIXED_ORDER_IS: &str = "computed in virtual time from the same plan, scenario tables and named draws: \
whatsapp, signal, telegram, sms, email in this order for each message anew, 5 s and 10 s time-outs, no memory, attempts \
without limit at once. Confirmed is for both: by a receipt, or on a road without receipts by the acceptance";

// === impls ===

impl Counting {
    /// Counts one delivery of a message.
    pub(crate) fn add(
        &mut self,
        message: &Message,
        story: &DeliveryStory,
        deadline: Span,
        mailboxes: &Mailboxes,
    ) {
        // What a visitor sent by hand is no part of the plan, and nothing counts its copies.
        let Some(number) = message.text.values().find_map(|text| number_in(text)) else { return };
        let copies = mailboxes.copies(number, &story.recipient.addresses);
        let tally = &mut self.tally;
        tally.accepted += 1;
        let is_extreme = message.severity == Severity::Extreme;
        tally.extreme += u64::from(is_extreme);
        let settled = story.delivery.as_ref().and_then(|delivery| delivery.result);
        let was_taken =
            story.attempts.iter().any(|a| matches!(a.outcome, Some((Outcome::Accepted { .. }, _))));
        match settled {
            Some(end) => match end.result {
                DeliveryResult::Delivered | DeliveryResult::Acknowledged | DeliveryResult::HandedOver => {
                    let wait = end.at.since(message.accepted_at);
                    tally.confirmed += 1;
                    let in_time = u64::from(wait <= deadline);
                    tally.in_time += in_time;
                    tally.extreme_in_time += in_time * u64::from(is_extreme);
                    tally.lost += u64::from(copies == 0);
                    if let Some(channel) = end.channel {
                        *tally.by_channel.entry(channel.name().to_owned()).or_default() += 1;
                    }
                    self.waits.push(wait.secs_f64());
                }
                _ => tally.given_up += 1,
            },
            None if was_taken => tally.unconfirmed += 1,
            None => tally.waiting += 1,
        }
        if let Some(took) = failover(story) {
            tally.failovers += 1;
            self.failovers_ms.push(took.ms() as f64);
        }
        if copies > 1 {
            tally.duplicated += 1;
            let repeats = story.attempts.iter().map(|a| a.repeat).filter(|repeat| *repeat != Repeat::No);
            let whys = repeats.map(why).chain(std::iter::repeat("unexplained"));
            for why in whys.take(copies as usize - 1) {
                *tally.copies.entry(why).or_default() += 1;
            }
        }
    }

    /// Returns the sum; of `promised` deliveries those that were not met are lost.
    pub(crate) fn end(mut self, promised: u64) -> Tally {
        self.waits.sort_by(f64::total_cmp);
        self.failovers_ms.sort_by(f64::total_cmp);
        self.tally.median_s = quantile(&self.waits, 0.5);
        self.tally.p95_s = quantile(&self.waits, 0.95);
        self.tally.failover_median_ms = quantile(&self.failovers_ms, 0.5);
        self.tally.lost += promised.saturating_sub(self.tally.accepted);
        self.tally
    }
}

/// Returns how long it took from a gateway's failure until another one had taken the delivery, where that happened.
fn failover(story: &DeliveryStory) -> Option<Span> {
    let mut failed: Option<(&str, Timestamp)> = None;
    for attempt in &story.attempts {
        match (&attempt.outcome, failed) {
            (Some((Outcome::Accepted { .. }, at)), Some((gateway, since))) if attempt.gateway != gateway => {
                return Some(at.since(since));
            }
            (Some((Outcome::Accepted { .. }, _)) | None, _) => {}
            (Some((_, at)), _) => failed = Some((&attempt.gateway, *at)),
        }
    }
    None
}

const fn why(repeat: Repeat) -> &'static str {
    match repeat {
        Repeat::No => "first",
        Repeat::AfterUnknown => "no answer came, so it may have gone out",
        Repeat::AfterWait => "no receipt came within the step's wait",
        Repeat::Together => "the rule sends by several at once",
        Repeat::AfterFailure => "the provider said that it failed",
    }
}

impl Report {
    /// Says whether nothing was lost.
    pub fn nothing_lost(&self) -> bool {
        self.tally.lost == 0
    }

    /// Writes it for people.
    pub fn text(&self) -> String {
        let (t, y) = (&self.tally, &self.fixed_order);
        let mut out = String::new();
        // Writing to a text cannot fail.
        let _ = self.write_head(&mut out);
        let _ = writeln!(out, "\n{:26} {:>16} {:>16}   (fixed: without memory)", "", "Wasl", "fixed order");
        let mut row = |name: &str, ours: String, theirs: String| {
            let _ = writeln!(out, "  {name:<24} {ours:>16} {theirs:>16}");
        };
        row("deliveries accepted", t.accepted.to_string(), y.deliveries.to_string());
        row("in time", share(t.in_time, t.accepted), share(y.in_time, y.deliveries));
        row(
            "  of the extreme ones",
            share(t.extreme_in_time, t.extreme),
            share(y.extreme_in_time, y.extreme),
        );
        row("confirmed", share(t.confirmed, t.accepted), share(y.confirmed, y.deliveries));
        row("median", format!("{:.1} s", t.median_s), format!("{:.1} s", y.median_s));
        row("95 of 100 within", format!("{:.1} s", t.p95_s), format!("{:.1} s", y.p95_s));
        let copies: u64 = t.copies.values().sum();
        row("copies beyond the first", copies.to_string(), y.copies.to_string());
        let _ = writeln!(out, "\n  confirmed by   {}", list(&t.by_channel));
        let _ = writeln!(out, "  fixed order by {}", list(&y.by_channel));
        let _ = self.write_rest(&mut out);
        out
    }

    fn write_head(&self, out: &mut String) -> std::fmt::Result {
        let end = if self.complete { "" } else { " (stopped early)" };
        writeln!(out, "{}: {}{end}", self.scenario, self.title)?;
        writeln!(
            out,
            "  seed {}, plan {}, {:.0} s at {} times history's pace; {} messages accepted, {} refused",
            self.seed, self.plan, self.ran_s, self.speed, self.messages, self.refused
        )
    }

    fn write_rest(&self, out: &mut String) -> std::fmt::Result {
        let t = &self.tally;
        writeln!(
            out,
            "\n  failovers {} (half within {:.0} ms of the failure), outages declared {}",
            t.failovers, t.failover_median_ms, self.outages
        )?;
        for d in &self.detection {
            // What a run that was cut off did not see may have come after it.
            let not_seen = if self.complete { "never" } else { "not yet" };
            let after = |s: Option<f64>| s.map_or(not_seen.to_owned(), |s| format!("after {s:.2} s"));
            writeln!(
                out,
                "  {} from {} ({}): degraded {}, down {}, up again {}",
                d.gateway,
                d.onset,
                d.phase,
                after(d.degraded_s),
                after(d.down_s),
                after(d.up_again_s)
            )?;
        }
        writeln!(
            out,
            "  not confirmed yet {}, still waiting {}, given up {}",
            t.unconfirmed, t.waiting, t.given_up
        )?;
        writeln!(out, "  duplicated {}", t.duplicated)?;
        for (why, copies) in &t.copies {
            writeln!(out, "    {copies} because {why}")?;
        }
        writeln!(out, "  lost {}", t.lost)?;
        writeln!(out, "\n  The fixed order was {}.", self.fixed_order_is)?;
        let y = &self.fixed_order;
        let (made, failed) = (share(y.reached, y.deliveries), y.failed_attempts);
        writeln!(out, "  It reached {made} in truth, after {failed} attempts that failed.")
    }
}

fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".to_owned(),
        _ => format!("{part} ({:.1} %)", part as f64 * 100.0 / whole as f64),
    }
}

fn list(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if parts.is_empty() { "nobody".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_promised_and_is_not_met_is_lost() {
        let tally = Counting::default().end(3);
        assert_eq!((tally.lost, tally.accepted), (3, 0));
        let report = Report { tally, ..Report::default() };
        assert!(!report.nothing_lost());
        assert!(report.text().contains("lost 3"), "{}", report.text());
    }

    #[test]
    fn what_a_run_that_was_cut_off_did_not_see_is_not_called_never() {
        let detection = vec![Detection { down_s: Some(2.0), ..Detection::default() }];
        let text = |complete| Report { detection: detection.clone(), complete, ..Report::default() }.text();
        assert!(text(true).contains("down after 2.00 s, up again never"), "{}", text(true));
        assert!(text(false).contains("down after 2.00 s, up again not yet"), "{}", text(false));
        assert!(!text(false).contains("never"), "{}", text(false));
    }
}
