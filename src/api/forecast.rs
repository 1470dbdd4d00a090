//! A forecast as it is shown: what would become of a message, by step.

use super::messages::refusal;
use super::problem::Problem;
use super::service::{Forecasted, Share};
use crate::core::time::Timestamp;
use serde_json::{Value, json};

/// Shows a forecast. A message that would not be accepted is the problem that sending it would meet.
pub(super) fn shown(forecasted: Forecasted, now: Timestamp, without_address: u32) -> Result<Value, Problem> {
    let (forecast, shares, cost) = match forecasted {
        Forecasted::Forecast { forecast, shares, cost } => (forecast, shares, cost),
        Forecasted::Refused(reply) => return Err(refusal(reply)),
    };
    let mut steps: Vec<Value> = Vec::new();
    for part in shares.chunk_by(|a, b| a.step == b.step) {
        let gateways: Vec<Value> = part.iter().map(share).collect();
        steps.push(json!({"step": part[0].step, "gateways": gateways}));
    }
    let lost: Vec<Value> = forecast
        .lost
        .iter()
        .map(|((result, reason), deliveries)| {
            json!({
                "result": result.name(), "reason": super::show::reason(*reason), "deliveries": deliveries,
            })
        })
        .collect();
    Ok(json!({
        "deliveries": forecast.deliveries,
        "without_address": without_address,
        "ahead": forecast.ahead,
        "steps": steps,
        "done_in_seconds": forecast.done_in.map(|span| span.secs_f64()),
        "done_at": forecast.done_in.map(|span| super::show::time(now + span)),
        "late": forecast.late,
        "lost": lost,
        "not_forecast": forecast.open,
        "cost": cost,
    }))
}

fn share(share: &Share) -> Value {
    json!({
        "gateway": share.gateway,
        "channel": share.channel.name(),
        "deliveries": share.load.first,
        "copies": share.load.copies,
        "segments": share.segments,
        "cost": share.cost,
    })
}
