//! What an act would do, as far as it can be known before it is done.
//!
//! Limit: of a message's deliveries [`COUNTED_MAX`] are looked at; of a larger one the most it can be is said.

use super::fields::{Fields, answered, as_call};
use super::{Act, EVERYTHING, no_such};
use crate::api::App;
use crate::api::call::{Call, bad_value};
use crate::api::messages;
use crate::api::problem::{Kind, Problem};
use crate::core::channel::Channel;
use crate::core::ids::MessageId;
use crate::core::message::Message;
use crate::core::query::{Answer as Found, Query, ROWS_MAX, Role};
use crate::core::record::Progress;
use crate::core::view::{GatewayView, State};
use crate::web::locale::{Arg, Locale};
use crate::web::panels::{Level, Scene};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most deliveries that are read to say whom a correction goes to.
const COUNTED_MAX: usize = 5_000;

/// What an act would do.
#[derive(Default)]
pub(super) struct Effect {
    /// Each in a sentence, with how much it asks of whoever confirms.
    pub(super) lines: Vec<(Level, String)>,
    /// Whether nothing could be sent any more: that is confirmed apart.
    pub(super) leaves_none: bool,
    /// What would become of a message.
    pub(super) forecast: Option<super::forecast::Forecast>,
}

impl Effect {
    fn say(&mut self, level: Level, sentence: String) {
        self.lines.push((level, sentence));
    }
}

/// Finds out what an act would do, and refuses what could not be done.
pub(super) async fn of(
    app: &Arc<App>,
    call: &Call,
    scene: &Scene<'_>,
    act: Act,
    fields: &Fields,
    end: Option<&str>,
) -> Result<Effect, Problem> {
    if act != Act::Send {
        fields.reason()?;
    }
    match act {
        Act::Send => {
            let dry = as_call(call, &[], "dry_run=true", None, &fields.message(end)?);
            let told = answered(messages::accept(Arc::clone(app), dry).await?).await?;
            Ok(Effect { forecast: Some(super::forecast::read(told)?), ..Effect::default() })
        }
        Act::Correct => correction(app, scene, fields).await,
        Act::Cancel => cancelling(app, scene, fields).await,
        Act::Hold => stop(scene, fields.get("gateway"), false),
        Act::Maintenance if end.is_none() => {
            Err(bad_value("life", "planned work has an end: choose how long"))
        }
        Act::Maintenance => stop(scene, fields.get("gateway"), true),
        Act::Release => release(scene, fields.get("gateway")),
        Act::Drill if end.is_none() => Err(bad_value("life", "a drill has an end: choose how long")),
        Act::Drill if fields.everybody() => drill_for_everybody(scene, call, fields.get("gateway")),
        Act::Drill => drill(scene, fields.get("gateway")),
        Act::EndDrill => end_drill(scene, fields.get("gateway")),
    }
}

async fn found(app: &App, fields: &Fields) -> Result<(Arc<Message>, Progress), Problem> {
    let id: MessageId =
        fields.get("message").parse().map_err(|_| no_such("message", "no message has this id"))?;
    match app.service.read(Query::Message(id)).await? {
        Found::Message(message, progress) => Ok((message, progress)),
        _ => Err(no_such("message", "no message has this id")),
    }
}

fn open_of(message: &Message, progress: &Progress) -> u64 {
    let ended: u32 = progress.settled.iter().sum();
    u64::from(message.recipients.saturating_sub(ended))
}

fn about(locale: Locale, message: &Message) -> String {
    let args = [
        ("severity", Arg::text(locale.severity(message.severity))),
        ("author", Arg::text(&*message.author)),
        ("n", Arg::Count(message.recipients.into())),
    ];
    locale.say("effect-message", &args)
}

async fn cancelling(app: &App, scene: &Scene<'_>, fields: &Fields) -> Result<Effect, Problem> {
    let (message, progress) = found(app, fields).await?;
    let (locale, open) = (scene.locale, open_of(&message, &progress));
    let mut effect = Effect::default();
    effect.say(Level::Calm, about(locale, &message));
    match (progress.withdrawn, open) {
        (Some(_), _) => effect.say(Level::Act, locale.word("effect-withdrawn")),
        (None, 0) => effect.say(Level::Act, locale.word("effect-settled")),
        (None, open) => {
            effect.say(Level::Watch, locale.say("effect-cancel", &[("n", Arg::Count(open))]));
            effect.say(Level::Calm, locale.word("effect-not-recalled"));
        }
    }
    Ok(effect)
}

async fn correction(app: &App, scene: &Scene<'_>, fields: &Fields) -> Result<Effect, Problem> {
    if fields.texts().is_empty() {
        return Err(bad_value("text", "give a text in at least one language"));
    }
    let (message, progress) = found(app, fields).await?;
    if let Found::Correction(by) = app.service.read(Query::CorrectionOf(message.id)).await? {
        return Err(crate::api::correct::corrected(by));
    }
    let locale = scene.locale;
    let mut effect = Effect::default();
    effect.say(Level::Calm, about(locale, &message));
    let reached = match message.recipients as usize > COUNTED_MAX {
        true => None,
        false => Some(may_have_got(app, &message).await?),
    };
    effect.say(
        Level::Watch,
        match reached {
            Some(0) => locale.word("effect-correct-nobody"),
            Some(n) => locale.say("effect-correct", &[("n", Arg::Count(n))]),
            None => locale.say("effect-correct-most", &[("n", Arg::Count(message.recipients.into()))]),
        },
    );
    let texts = fields.texts();
    let missing: Vec<_> = message
        .text
        .keys()
        .filter(|language| !texts.iter().any(|(known, _)| known == language))
        .cloned()
        .collect();
    if !missing.is_empty() {
        let args = [("n", Arg::Count(missing.len() as u64)), ("languages", Arg::text(locale.list(&missing)))];
        effect.say(Level::Act, locale.say("effect-correct-languages", &args));
    }
    let open = open_of(&message, &progress);
    if open > 0 && progress.withdrawn.is_none() {
        effect.say(Level::Watch, locale.say("effect-supersede", &[("n", Arg::Count(open))]));
    }
    Ok(effect)
}

async fn may_have_got(app: &App, message: &Message) -> Result<u64, Problem> {
    let (mut reached, mut after) = (0, None);
    loop {
        let query = Query::Deliveries { message: message.id, after, limit: ROWS_MAX };
        let Found::Deliveries(stories) = app.service.read(query).await? else { break };
        let Some(last) = stories.last().map(|story| story.id.index) else { break };
        reached += stories.iter().filter(|s| message.corrects.is_some() || s.may_have_arrived()).count();
        after = Some(last);
    }
    Ok(reached as u64)
}

/// Says whether a gateway may be used now, as far as the picture tells.
fn is_usable(scene: &Scene<'_>, gateway: &GatewayView) -> bool {
    let stopped = gateway.overlay.as_ref().is_some_and(|overlay| !overlay.is_drill());
    let shut = stopped || gateway.deferred_until.is_some() || scene.view.held_all.is_some();
    gateway.configured && gateway.state != State::Down && !shut
}

fn usable_beside<'a>(scene: &Scene<'a>, gateway: &GatewayView) -> Vec<&'a GatewayView> {
    scene.view.gateways.iter().filter(|other| other.id != gateway.id && is_usable(scene, other)).collect()
}

fn waiting(scene: &Scene<'_>) -> u64 {
    let deliveries = &scene.view.deliveries;
    deliveries.waiting + deliveries.backing_off + deliveries.materialising
}

/// Says by which channels what waits would go.
fn go_by(scene: &Scene<'_>, others: &[&GatewayView]) -> String {
    let locale = scene.locale;
    let channels: BTreeSet<Channel> = others.iter().map(|other| other.channel).collect();
    let channels: Vec<String> = channels.into_iter().map(|channel| locale.channel(channel)).collect();
    let args = [("n", Arg::Count(waiting(scene))), ("channels", Arg::text(locale.list(&channels)))];
    locale.say("effect-go-by", &args)
}

/// What it does to hold a gateway, or everything, or to lay work over it.
fn stop(scene: &Scene<'_>, name: &str, is_work: bool) -> Result<Effect, Problem> {
    let (locale, view) = (scene.locale, scene.view);
    let waiting = waiting(scene);
    let mut effect = Effect::default();
    if name == EVERYTHING && !is_work {
        effect.leaves_none = true;
        effect.say(Level::Act, locale.say("effect-hold-all", &[("n", Arg::Count(waiting))]));
        effect.say(
            Level::Calm,
            locale.say("effect-in-flight", &[("n", Arg::Count(view.deliveries.in_flight))]),
        );
        effect.say(Level::Calm, locale.word("effect-kept"));
        return Ok(effect);
    }
    let gateway = gateway_of(scene, name)?;
    let others = usable_beside(scene, gateway);
    if let Some(overlay) = &gateway.overlay {
        let args = [("who", Arg::text(&*overlay.who)), ("reason", Arg::text(&*overlay.reason))];
        effect.say(Level::Watch, locale.say("effect-laid-over", &args));
    }
    let in_channel = others.iter().any(|other| other.channel == gateway.channel);
    if others.is_empty() {
        effect.leaves_none = true;
        effect.say(Level::Act, locale.say("effect-leaves-none", &[("n", Arg::Count(waiting))]));
    } else if !in_channel {
        let args = [("channel", Arg::text(locale.channel(gateway.channel)))];
        effect.say(Level::Act, locale.say("effect-leaves-channel", &args));
    }
    if !others.is_empty() {
        effect.say(Level::Watch, go_by(scene, &others));
    }
    let flying = gateway.in_flight + gateway.unconfirmed;
    if flying > 0 {
        effect.say(Level::Calm, locale.say("effect-flying", &[("n", Arg::Count(flying.into()))]));
    }
    Ok(effect)
}

fn gateway_of<'a>(scene: &Scene<'a>, name: &str) -> Result<&'a GatewayView, Problem> {
    let found = scene.view.gateways.iter().find(|gateway| gateway.configured && gateway.name == name);
    found.ok_or_else(|| no_such("gateway", "no gateway has this name"))
}

/// What a drill does that exercises alone see.
fn drill(scene: &Scene<'_>, name: &str) -> Result<Effect, Problem> {
    let locale = scene.locale;
    gateway_of(scene, name)?;
    let mut effect = Effect::default();
    effect.say(Level::Calm, locale.word("effect-drill-exercises"));
    effect.say(Level::Calm, locale.word("effect-drill-real"));
    effect.say(Level::Calm, locale.word("effect-drill-said"));
    Ok(effect)
}

/// What a drill does that turns real messages away as well. Nobody is shown what would be refused.
fn drill_for_everybody(scene: &Scene<'_>, call: &Call, name: &str) -> Result<Effect, Problem> {
    if call.caller.role != Role::Admin {
        return Err(Problem::new(Kind::WrongRole, "a drill for everybody needs the role admin"));
    }
    let others = usable_beside(scene, gateway_of(scene, name)?);
    if others.is_empty() {
        let detail = "no other gateway can be used at this moment: for everybody it is the last road";
        return Err(Problem::new(Kind::Refused, detail));
    }
    let mut effect = Effect::default();
    effect.say(Level::Watch, go_by(scene, &others));
    effect.say(Level::Act, scene.locale.word("effect-drill-everybody"));
    effect.say(Level::Calm, scene.locale.word("effect-drill-said"));
    Ok(effect)
}

/// What it does to end a drill.
fn end_drill(scene: &Scene<'_>, name: &str) -> Result<Effect, Problem> {
    let gateway = gateway_of(scene, name)?;
    let mut effect = Effect::default();
    match gateway.overlay.as_ref().filter(|overlay| overlay.is_drill()) {
        Some(_) => effect.say(Level::Calm, scene.locale.word("effect-drill-ends")),
        None => effect.say(Level::Watch, scene.locale.word("effect-no-drill")),
    }
    Ok(effect)
}

fn release(scene: &Scene<'_>, name: &str) -> Result<Effect, Problem> {
    let (locale, view) = (scene.locale, scene.view);
    let waiting = waiting(scene);
    let mut effect = Effect::default();
    let go = |effect: &mut Effect| {
        effect.say(Level::Watch, locale.say("effect-release", &[("n", Arg::Count(waiting))]));
    };
    if name == EVERYTHING {
        match view.held_all {
            Some(_) => go(&mut effect),
            None => effect.say(Level::Calm, locale.word("effect-not-held")),
        }
        let over = view.gateways.iter().filter(|gateway| gateway.configured && gateway.overlay.is_some());
        let over: Vec<String> = over.map(|gateway| gateway.name.clone()).collect();
        if !over.is_empty() {
            let args = [("gateways", Arg::text(locale.list(&over)))];
            effect.say(Level::Watch, locale.say("effect-still-stopped", &args));
        }
        return Ok(effect);
    }
    let gateway = gateway_of(scene, name)?;
    match (&gateway.overlay, &view.held_all) {
        (None, _) => effect.say(Level::Calm, locale.word("effect-not-held")),
        (Some(_), None) => go(&mut effect),
        (Some(_), Some(_)) => {}
    }
    if view.held_all.is_some() {
        effect.say(Level::Watch, locale.word("effect-all-held"));
    }
    Ok(effect)
}
