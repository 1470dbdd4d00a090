//! Figure a: from a gateway's refusal to the same delivery's acceptance by the next gateway.

use super::gauge::quantile;
use super::null::{Null, accept, gateway, message, start};
use super::{Figure, Skipped};
use crate::core::channel::Channel;
use crate::core::outcome::Reason;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many refusals are timed.
const ROUNDS: usize = 500;
/// How many people the mass alert behind them has.
const ALERT: usize = 100_000;

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    runtime.block_on(async {
        let mut calm = times(false).await?;
        let mut busy = times(true).await?;
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
        ])
    })
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
    let read = |null: &Null| -> BTreeMap<String, Instant> {
        null.answered.lock().map(|kept| kept.iter().cloned().collect()).unwrap_or_default()
    };
    let (refused, taken) = (read(&first), read(&second));
    let spans = wanted.iter().filter_map(|message| {
        let delivery = format!("{message}-0");
        let (from, to) = (refused.get(&delivery)?, taken.get(&delivery)?);
        Some(to.saturating_duration_since(*from).as_secs_f64() * 1000.0)
    });
    Ok(spans.collect())
}
