//! Figure a: from a gateway's refusal to the same delivery's acceptance by the next gateway.

use super::gauge::quantile;
use super::null::{Null, accept, gateway, message, start};
use super::{Figure, Skipped};
use crate::core::channel::Channel;
use crate::core::outcome::Reason;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How many refusals are timed.
const ROUNDS: usize = 500;
/// From here on a message was held up: far above what a healthy road takes, far below any time-out.
const HELD_UP_MS: f64 = 250.0;
/// How many people the mass alert behind them has.
const ALERT: usize = 100_000;

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    runtime.block_on(async {
        let mut calm = times(false).await?;
        let mut busy = times(true).await?;
        let (cost, worst) = hang().await?;
        let figure = |name, value, target| Figure { name, value, unit: "ms", yardstick: None, target };
        Ok(vec![
            figure("failover, refused -> accepted, median", quantile(&mut calm, 0.5), "at most 20"),
            figure("failover, refused -> accepted, p99", quantile(&mut calm, 0.99), "at most 100"),
            figure(
                "failover while a mass alert materialises, median",
                quantile(&mut busy, 0.5),
                "at most 20",
            ),
            figure("failover while a mass alert materialises, p99", quantile(&mut busy, 0.99), "at most 100"),
            Figure {
                name: "messages of 500 that a hanging gateway held up",
                value: cost,
                unit: "",
                yardstick: None,
                target: "those of the first time-out",
            },
            figure("the longest that one of them was held up", worst, "the learned time-out"),
        ])
    })
}

/// How long a message of [`hang`] waits for the next.
const PACE: Duration = Duration::from_millis(20);

/// A gateway that answers until it hangs for good. Returns how many messages it held up, and for how long the longest, in ms.
async fn hang() -> Result<(f64, f64), String> {
    let folder = super::mass::folder()?;
    let first = Arc::new(Null { keep: true, ..Null::default() });
    let second = Arc::new(Null { keep: true, ..Null::default() });
    let running =
        start(vec![gateway(Channel::Whatsapp, &first), gateway(Channel::Sms, &second)], folder.path())?;
    let service = running.service();
    // It learns its time-out from good answers first.
    for _ in 0..ROUNDS {
        accept(&service, message(1)).await?;
    }
    super::null::drained(&service, 60).await?;
    first.hangs.store(true, Ordering::Relaxed);
    let mut began = BTreeMap::new();
    for _ in 0..ROUNDS {
        let at = Instant::now();
        let mut message = message(1);
        // Life safety: a repeat is better than silence.
        message.severity = crate::core::message::Severity::Extreme;
        began.insert(format!("{}-0", accept(&service, message).await?), at);
        tokio::time::sleep(PACE).await;
    }
    tokio::time::sleep(Duration::from_secs(15)).await;
    running.stop().await.map_err(|fatal| fatal.to_string())?;
    let taken = second.answers();
    let spans = began.iter().map(|(delivery, from)| {
        taken
            .get(delivery)
            .map_or(f64::INFINITY, |to| to.saturating_duration_since(*from).as_secs_f64() * 1000.0)
    });
    let (held, worst) = spans.fold((0.0, 0.0_f64), |(held, worst), span| {
        (held + f64::from(u8::from(span > HELD_UP_MS)), worst.max(span))
    });
    Ok((held, worst))
}

/// Each message is refused by the first gateway as by an error answer to every submit, and taken by the second.
async fn times(behind_alert: bool) -> Result<Vec<f64>, String> {
    let folder = super::mass::folder()?;
    // A fault of the recipient bars nothing for the others, so that every message meets the refusal anew.
    let first = Arc::new(Null { refuses: Some(Reason::NotOnChannel), keep: true, ..Null::default() });
    let second = Arc::new(Null { keep: true, ..Null::default() });
    let lineup = vec![gateway(Channel::Whatsapp, &first), gateway(Channel::Sms, &second)];
    let running = start(lineup, folder.path())?;
    let service = running.service();
    let mut wanted = Vec::new();
    for round in 0..ROUNDS {
        if behind_alert && round == 0 {
            let mut alert = message(ALERT);
            alert.severity = crate::core::message::Severity::Minor;
            accept(&service, alert).await?;
        }
        wanted.push(accept(&service, message(1)).await?.to_string());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    super::null::drained(&service, 120).await?;
    running.stop().await.map_err(|fatal| fatal.to_string())?;
    let (refused, taken) = (first.answers(), second.answers());
    let spans = wanted.iter().filter_map(|message| {
        let delivery = format!("{message}-0");
        let (from, to) = (refused.get(&delivery)?, taken.get(&delivery)?);
        Some(to.saturating_duration_since(*from).as_secs_f64() * 1000.0)
    });
    Ok(spans.collect())
}
