//! How things look in JSON. Addresses are masked, and the texts are the sender's own.

use super::address::mask;
use crate::core::channel::GatewayId;
use crate::core::effect::Event;
use crate::core::evidence::{CanaryResult, Layer, Verdict};
use crate::core::message::{Message, Severity};
use crate::core::outcome::{DeliveryResult, Reason};
use crate::core::query::DeliveryStory;
use crate::core::record::{
    Attempt, Outage, OutageOf, Overlay, OverlayKind, Plan, Progress, Repeat, Settled, Sign, Standing,
};
use crate::core::reply::{Answers, Asks, KeptReply, Said};
use crate::core::time::{Span, Timestamp};
use crate::core::view::{
    CanaryView, ChannelView, Counts, GatewayView, HelpOf, HelpView, OpenDelivery, ProbeView, UplinkView, View,
};
use serde_json::{Map, Value, json};

/// Writes a time as RFC 3339 in UTC, with milliseconds.
pub(crate) fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.ms()).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

pub(super) fn reason(reason: Option<Reason>) -> Value {
    reason.map_or(Value::Null, |reason| json!({"name": reason.name(), "fault": reason.fault().name()}))
}

/// Rounds a share to a thousandth: the rest is noise.
fn share(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

/// Shows the whole picture.
pub(crate) fn view(view: &View) -> Value {
    json!({
        "at": time(view.at),
        "turn": view.turn,
        "policy": view.policy,
        "held": view.held_all.as_ref().map(overlay),
        "gateways": gateways(view),
        "channels": view.channels.iter().map(channel).collect::<Vec<_>>(),
        "uplinks": view.uplinks.iter().map(uplink).collect::<Vec<_>>(),
        "deliveries": queue(view),
        "outages": view.outages.iter().map(outage).collect::<Vec<_>>(),
    })
}

/// Shows the gateways that are configured, and those that still have attempts open.
pub(crate) fn gateways(view: &View) -> Vec<Value> {
    view.gateways.iter().map(gateway).collect()
}

/// Shows a gateway.
pub(crate) fn gateway(gateway: &GatewayView) -> Value {
    let quotas: Map<_, _> =
        gateway.quotas.iter().map(|(name, left)| (name.clone(), share(*left).into())).collect();
    json!({
        "name": gateway.name,
        "channel": gateway.channel.name(),
        "configured": gateway.configured,
        "state": gateway.state.name(),
        "since": time(gateway.since),
        "health": share(gateway.health),
        "reason": reason(gateway.reason),
        "overlay": gateway.overlay.as_ref().map(overlay),
        "deferred_until": gateway.deferred_until.map(time),
        "probes": gateway.probes.iter().map(probe).collect::<Vec<_>>(),
        "canaries": gateway.canaries.iter().map(canary).collect::<Vec<_>>(),
        "in_flight": gateway.in_flight,
        "unconfirmed": gateway.unconfirmed,
        "receipts": gateway.receipts.name(),
        "time_out_ms": gateway.time_out.ms(),
        "quotas": quotas,
        "failure_domains": gateway.failure_domains,
    })
}

fn canary(canary: &CanaryView) -> Value {
    let (at, result) = canary.last.map_or((None, None), |(at, result)| (Some(at), Some(result)));
    let why = match result {
        Some(CanaryResult::Refused(why)) => Some(why),
        _ => None,
    };
    json!({
        "region": canary.region,
        "sent": canary.sent.map(time),
        "result": result.map(CanaryResult::name),
        "reason": reason(why),
        "at": at.map(time),
        "lag_ms": canary.lag.map(Span::ms),
    })
}

fn probe(probe: &ProbeView) -> Value {
    let says = match &probe.verdict {
        Verdict::Says(told) => json!({"word": told.word().name(), "title": told.title()}),
        _ => Value::Null,
    };
    json!({
        "name": probe.name,
        "layer": probe.layer.name(),
        "reached": probe.reached.map(Layer::name),
        "verdict": probe.verdict.name(),
        "reason": reason(probe.verdict.reason()),
        "says": says,
        "at": time(probe.at),
        "took_ms": probe.took.ms(),
        "phases": probe.phases.iter()
            .map(|phase| json!({"layer": phase.layer.name(), "took_us": phase.micros}))
            .collect::<Vec<_>>(),
        "valid": probe.valid,
    })
}

/// Shows a channel.
pub(crate) fn channel(channel: &ChannelView) -> Value {
    json!({
        "channel": channel.channel.name(),
        "state": channel.state.name(),
        "gateways": channel.gateways,
        "usable": channel.usable,
    })
}

fn uplink(uplink: &UplinkView) -> Value {
    json!({
        "name": uplink.name,
        "up": uplink.up,
        "since": time(uplink.since),
        "controls_failed": uplink.failed.0,
        "controls": uplink.failed.1,
    })
}

/// Shows what lies over a gateway, or over all.
pub(crate) fn overlay(overlay: &Overlay) -> Value {
    let (kind, until) = match overlay.kind {
        OverlayKind::Held => ("held", None),
        OverlayKind::Maintenance { until } => ("maintenance", Some(time(until))),
        OverlayKind::Drill { until, .. } => ("drill", Some(time(until))),
    };
    let everybody = match overlay.kind {
        OverlayKind::Drill { everybody, .. } => Some(everybody),
        _ => None,
    };
    json!({"everybody": everybody, "kind": kind, "until": until, "who": overlay.who, "reason": overlay.reason, "since": time(overlay.since)})
}

/// Shows the outbox in numbers and its oldest undelivered.
pub(crate) fn queue(view: &View) -> Value {
    let oldest: Map<_, _> = Severity::ALL
        .iter()
        .zip(view.oldest)
        .filter_map(|(severity, since)| Some((severity.name().to_owned(), time(since?).into())))
        .collect();
    json!({
        "counts": counts(&view.deliveries),
        "drill": counts(&view.drill_deliveries),
        "need_help": help(&view.help),
        "oldest_since": oldest,
        "oldest": view.oldest_deliveries.iter().map(|delivery| open(delivery, view)).collect::<Vec<_>>(),
    })
}

/// Shows who needs help.
fn help(help: &HelpView) -> Value {
    let of = |of: &HelpOf| {
        let message = of.message.map(|id| id.to_string());
        json!({"message": message, "people": of.people, "oldest_at": time(of.oldest)})
    };
    json!({
        "people": help.people,
        "oldest_at": help.oldest.map(time),
        "messages": help.messages.iter().map(of).collect::<Vec<_>>(),
        "exercises": help.exercises,
    })
}

/// Shows what a recipient said.
pub(crate) fn reply(reply: &KeptReply) -> Value {
    let text = match &reply.said {
        Said::Text(words) => Some(words.as_str()),
        // What stands on the back of a button is ours; its meaning is the kind.
        Said::Button(_) | Said::Other => None,
    };
    let form = match &reply.said {
        Said::Text(_) => "text",
        Said::Button(_) => "button",
        Said::Other => "other",
    };
    json!({
        "id": reply.key().to_string(),
        "at": time(reply.at),
        "sent_at": reply.sent_at.map(time),
        "gateway": reply.gateway,
        "channel": reply.channel.name(),
        "from": mask(reply.channel, &reply.from),
        "form": form,
        "text": text,
        "kind": reply.kind.name(),
        "message": reply.of.map(|attempt| attempt.delivery.message.to_string()),
        "delivery": reply.of.map(|attempt| attempt.delivery.to_string()),
        "quoted": reply.quoted,
        "incident": reply.incident,
    })
}

fn answers(asks: Asks, answers: &Answers) -> Value {
    json!({
        "asked": asks.answers().map(|(_, answer)| answer.name()).collect::<Vec<_>>(),
        "people": answers.all(),
        "acknowledged": answers.acknowledged,
        "safe": answers.safe,
        "need_help": answers.need_help,
    })
}

fn counts(counts: &Counts) -> Value {
    let settled: Map<_, _> = DeliveryResult::ALL
        .iter()
        .zip(counts.settled)
        .map(|(r, n)| (r.name().to_owned(), n.into()))
        .collect();
    json!({
        "open": counts.open(),
        "waiting": counts.waiting,
        "backing_off": counts.backing_off,
        "in_flight": counts.in_flight,
        "unconfirmed": counts.unconfirmed,
        "materialising": counts.materialising,
        "late": counts.late,
        "messages_open": counts.messages_open,
        "settled": settled,
    })
}

fn open(delivery: &OpenDelivery, view: &View) -> Value {
    json!({
        "id": delivery.id.to_string(),
        "message": delivery.message.to_string(),
        "severity": delivery.severity.name(),
        "drill": delivery.drill,
        "since": time(delivery.since),
        "deadline": (delivery.deadline != Timestamp::FAR).then(|| time(delivery.deadline)),
        "step": delivery.step,
        "gateway": delivery.gateway.map(|gateway| name_of(view, gateway)),
        "state": delivery.state,
    })
}

/// Finds a gateway's name.
pub(crate) fn name_of(view: &View, id: GatewayId) -> String {
    let found = view.gateways.iter().find(|gateway| gateway.id == id);
    found.map_or_else(|| format!("#{}", id.0), |gateway| gateway.name.clone())
}

/// Shows an outage.
pub(crate) fn outage(outage: &Outage) -> Value {
    json!({
        "id": outage.id.to_string(),
        "of": of(&outage.of),
        // Our own line is no channel's.
        "channel": outage.is_of_channel().then(|| outage.channel.name()),
        "onset": time(outage.onset),
        "detected": time(outage.detected),
        "recovered": outage.recovered.map(time),
        "cause": outage.cause.name(),
        "layer": outage.layer.map(Layer::name),
        "attempts_failed": outage.attempts_failed,
        "blame": outage.blame().name(),
        "evidence": outage.signs.iter().map(sign).collect::<Vec<_>>(),
    })
}

fn sign(sign: &Sign) -> Value {
    match sign {
        Sign::Probes { failed, layer, reason } => {
            json!({"kind": "probes", "failed": failed, "layer": layer.map(Layer::name), "reason": reason.name()})
        }
        Sign::Attempts { failed, reason } => {
            json!({"kind": "attempts", "failed": failed, "reason": reason.name()})
        }
        Sign::Receipts { gateway, region, came, expected } => {
            json!({"kind": "receipts", "gateway": gateway, "region": region, "came": came, "expected": expected})
        }
        Sign::Delivers { gateway, region } => {
            json!({"kind": "delivers", "gateway": gateway, "region": region})
        }
        Sign::Controls { failed, of } => json!({"kind": "controls", "failed": failed, "of": of}),
        Sign::Provider => json!({"kind": "provider"}),
        Sign::Down { gateway } => json!({"kind": "down", "gateway": gateway}),
    }
}

fn of(of: &OutageOf) -> Value {
    match of {
        OutageOf::Gateway(name) => json!({"gateway": name}),
        OutageOf::Channel(channel) => json!({"channel": channel.name()}),
        OutageOf::Uplink(name) => json!({"uplink": name}),
        OutageOf::Slice { gateway, region } => json!({"gateway": gateway, "region": region}),
        OutageOf::Region(region) => json!({"region": region}),
        OutageOf::Domain(domain) => json!({"domain": domain}),
    }
}

/// Shows a message and how far it is.
pub(crate) fn message(message: &Message, progress: &Progress) -> Value {
    let settled: Map<_, _> = DeliveryResult::ALL
        .iter()
        .zip(progress.settled)
        .map(|(r, n)| (r.name().to_owned(), n.into()))
        .collect();
    let template = message.template.as_ref().map(|template| {
        let params: Map<_, _> = template.params.iter().map(|(n, v)| (n.clone(), v.clone().into())).collect();
        json!({"name": template.name, "language": template.language, "params": params})
    });
    json!({
        "id": message.id.to_string(),
        "author": message.author,
        "accepted_at": time(message.accepted_at),
        "severity": message.severity.name(),
        "urgency": message.urgency.name(),
        "status": message.status.name(),
        "incident": message.incident,
        "expires": message.expires.map(time),
        "text": message.text,
        "template": template,
        "tags": message.tags,
        "audiences": message.audiences,
        "deliveries": message.recipients,
        "open": progress.open,
        "settled": settled,
        "late": progress.late,
        "withdrawn": progress.withdrawn.map(DeliveryResult::name),
        "corrects": message.corrects.map(|id| id.to_string()),
        "answers": answers(message.asks, &progress.answers),
    })
}

/// Shows all that is on record about one delivery.
pub(crate) fn story(story: &DeliveryStory) -> Value {
    let recipient = &story.recipient;
    let addresses: Map<_, _> =
        recipient.addresses.iter().map(|(c, a)| (c.name().to_owned(), mask(*c, a).into())).collect();
    let plans: Map<_, _> = story.plans.iter().map(|(number, p)| (number.to_string(), plan(p))).collect();
    let delivery = story.delivery.as_ref();
    let state = match (delivery.and_then(|d| d.result), story.attempts.iter().any(|a| a.outcome.is_none())) {
        (Some(_), _) => "settled",
        (None, true) => "in_flight",
        (None, false) if story.attempts.is_empty() => "waiting",
        (None, false) => "open",
    };
    json!({
        "id": story.id.to_string(),
        "recipient": {
            "contact": recipient.contact,
            "language": recipient.language,
            "region": recipient.region,
            "sector": recipient.sector,
            "addresses": addresses,
        },
        "state": state,
        "step": delivery.map_or(0, |d| d.step),
        "settled": delivery.and_then(|d| d.result).map(settled),
        "attempts": story.attempts.iter().map(attempt).collect::<Vec<_>>(),
        "receipts": story.receipts.iter()
            .map(|(attempt, kind, at)| json!({"attempt": attempt, "kind": kind.name(), "at": time(*at)}))
            .collect::<Vec<_>>(),
        "answer": story.answer.map(|answer| json!({"kind": answer.kind.name(), "at": time(answer.at)})),
        "plans": plans,
    })
}

fn settled(settled: Settled) -> Value {
    json!({
        "result": settled.result.name(),
        "at": time(settled.at),
        "channel": settled.channel.map(|channel| channel.name()),
        "attempt": settled.attempt,
        "reason": reason(settled.reason),
        "duplicated": settled.duplicated,
    })
}

fn attempt(attempt: &Attempt) -> Value {
    let outcome = attempt.outcome.as_ref();
    json!({
        "n": attempt.id.n,
        "gateway": attempt.gateway,
        "channel": attempt.channel.name(),
        "step": attempt.step,
        "at": time(attempt.at),
        "repeat": repeat(attempt.repeat),
        "plan": attempt.plan,
        "outcome": outcome.map(|(outcome, _)| outcome.name()),
        "reason": reason(outcome.and_then(|(outcome, _)| outcome.reason())),
        "answered_at": outcome.map(|(_, at)| time(*at)),
    })
}

fn repeat(repeat: Repeat) -> &'static str {
    match repeat {
        Repeat::No => "no",
        Repeat::AfterUnknown => "after_unknown",
        Repeat::AfterWait => "after_wait",
        Repeat::Together => "together",
        Repeat::AfterFailure => "after_failure",
    }
}

fn plan(plan: &Plan) -> Value {
    let ranking: Vec<_> = plan
        .ranking
        .iter()
        .map(|ranked| {
            json!({
                "gateway": ranked.gateway,
                "channel": ranked.channel.name(),
                "standing": standing(ranked.standing),
                "health": f64::from(ranked.health_permille) / 1000.0,
            })
        })
        .collect();
    json!({
        "policy": plan.policy,
        "rule": plan.rule,
        "step": plan.step,
        "on_unknown": plan.on_unknown.name(),
        "at": time(plan.at),
        "ranking": ranking,
    })
}

/// Returns the word for why a gateway was taken or passed over.
fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Eligible => "eligible",
        Standing::LaterStep => "later_step",
        Standing::Doubtful => "doubtful",
        Standing::Down => "down",
        Standing::Held => "held",
        Standing::Maintenance => "maintenance",
        Standing::Drill => "drill",
        Standing::Deferred => "deferred",
        Standing::QuotaExhausted => "quota_exhausted",
        Standing::UplinkDown => "uplink_down",
        Standing::Forbidden => "forbidden",
        Standing::NoAddress => "no_address",
        Standing::Refused => "refused",
        Standing::Removed => "removed",
    }
}

/// Shows an event: its name, and what happened.
pub(crate) fn event(at: Timestamp, event: &Event, view: &View) -> (&'static str, Value) {
    let gateway = |id: &GatewayId| name_of(view, *id);
    let (name, mut body) = match event {
        Event::Accepted { message, severity, deliveries, by_last_rule, drill } => (
            "accepted",
            json!({"message": message.to_string(), "severity": severity.name(), "deliveries": deliveries,
                   "by_last_rule": by_last_rule, "drill": drill}),
        ),
        Event::Answered { attempt, gateway: g, outcome, took } => (
            "answered",
            json!({"attempt": attempt.to_string(), "gateway": gateway(g), "outcome": outcome.name(),
                   "reason": reason(outcome.reason()), "took_ms": took.ms()}),
        ),
        Event::Failover { delivery, from, to, reason: why, drill } => (
            "failover",
            json!({"delivery": delivery.to_string(), "from": gateway(from), "to": gateway(to),
                   "reason": reason(*why), "drill": drill}),
        ),
        Event::Receipt { attempt, gateway: g, kind, lag } => (
            "receipt",
            json!({"attempt": attempt.to_string(), "gateway": gateway(g), "kind": kind.name(), "lag_ms": lag.ms()}),
        ),
        Event::Canary { gateway: g, region, result, lag } => (
            "canary",
            json!({"gateway": gateway(g), "region": region, "result": result.name(), "lag_ms": lag.map(Span::ms)}),
        ),
        Event::StrayReceipt { gateway: g } => ("stray_receipt", json!({"gateway": gateway(g)})),
        Event::Replied { gateway: g, kind, message } => (
            "replied",
            json!({"gateway": gateway(g), "kind": kind.name(), "message": message.map(|id| id.to_string())}),
        ),
        Event::NeedHelp { message, people, fresh, drill, .. } => (
            "need_help",
            json!({"message": message.map(|id| id.to_string()), "people": people, "fresh": fresh, "drill": drill}),
        ),
        Event::HelpErased { calls, .. } => ("help_erased", json!({"calls": calls})),
        Event::Settled { delivery, result, channel, took, severity, fault, duplicated, drill } => (
            "settled",
            json!({"delivery": delivery.to_string(), "result": result.name(),
                   "channel": channel.map(|c| c.name()), "took_ms": took.ms(), "severity": severity.name(),
                   "fault": fault.map(|f| f.name()), "duplicated": duplicated, "drill": drill}),
        ),
        Event::DeadlineMissed { message, deliveries, severity, drill } => (
            "deadline_missed",
            json!({"message": message.to_string(), "deliveries": deliveries, "severity": severity.name(), "drill": drill}),
        ),
        Event::State { gateway: g, from, to, reason: why, layer } => (
            "state",
            json!({"gateway": gateway(g), "from": from.name(), "to": to.name(), "reason": reason(*why),
                   "layer": layer.map(Layer::name)}),
        ),
        Event::OutageOpened { outage, of: what, cause, detection, blame } => (
            "outage_opened",
            json!({"outage": outage.to_string(), "of": of(what), "cause": cause.name(),
                   "detection_ms": detection.ms(), "blame": blame.name()}),
        ),
        Event::OutageTurned { outage, from, of: what, blame } => (
            "outage_turned",
            json!({"outage": outage.to_string(), "from": of(from), "of": of(what), "blame": blame.name()}),
        ),
        Event::OutageClosed { outage, of: what, lasted } => {
            ("outage_closed", json!({"outage": outage.to_string(), "of": of(what), "lasted_ms": lasted.ms()}))
        }
        Event::Uplink { uplink, up } => ("uplink", json!({"uplink": uplink, "up": up})),
        Event::Overlay { gateway: g, act, who } => {
            ("overlay", json!({"gateway": g.as_ref().map(gateway), "word": act.name(), "who": who}))
        }
        Event::ClockJumped { by } => ("clock_jumped", json!({"by_ms": by.ms()})),
        Event::PolicyInForce { hash } => ("policy_in_force", json!({"hash": hash})),
    };
    if let Value::Object(members) = &mut body {
        members.insert("at".into(), time(at).into());
    }
    (name, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::effect::OverlayAct;
    use crate::core::{Core, CoreConfig, policy::Policy, time::Span};
    use std::sync::Arc;

    #[test]
    fn what_lies_over_everything_is_told_by_the_words_of_the_calls() {
        let config = CoreConfig { shard: 0, seed: 1, dwell: Span::from_secs(20), uplinks: vec![] };
        let now = Timestamp::from_ms(1_000_000);
        let view = Core::new(config, vec![], Arc::new(Policy::built_in()), now).view(now);
        let words = OverlayAct::ALL.map(|act| {
            let (name, body) = event(now, &Event::Overlay { gateway: None, act, who: "ali".into() }, &view);
            assert_eq!((name, &body["gateway"], &body["who"]), ("overlay", &Value::Null, &json!("ali")));
            body["word"].clone()
        });
        assert_eq!(words, ["hold", "release", "maintenance", "drill"]);
    }
}
