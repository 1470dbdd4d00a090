//! What happened: the last failovers and why, changes of state, acts of operators.

use super::outages::named;
use super::{Drawn, Scene, Shown, shape};
use crate::api::ring::{Line, What};
use crate::core::effect::{Event, OverlayAct};
use crate::core::message::SERVICE;
use crate::core::record::OutageOf;
use crate::core::view::State;
use crate::web::locale::{Arg, rich};
use maud::{Markup, html};

/// How many lines are shown.
const SHOWN_MAX: usize = 14;

pub(super) fn draw(scene: &Scene<'_>) -> Drawn {
    story(scene, |_| true)
}

/// Draws what happened to the gateway that the page is about.
pub(super) fn draw_one(scene: &Scene<'_>) -> Drawn {
    let subject = scene.subject().map(|gateway| (gateway.id, gateway.name.as_str()));
    let concerns = |line: &Line| {
        let Some((id, name)) = subject else { return false };
        match &line.what {
            What::Failover { from, to, .. } => *from == id || *to == id,
            What::Event(event) => match &**event {
                Event::State { gateway, .. } => *gateway == id,
                Event::Overlay { gateway, .. } => gateway.is_none_or(|gateway| gateway == id),
                Event::OutageOpened { of, .. }
                | Event::OutageClosed { of, .. }
                | Event::OutageTurned { of, .. } => {
                    matches!(of, OutageOf::Gateway(gateway) | OutageOf::Slice { gateway, .. } if gateway == name)
                }
                _ => false,
            },
        }
    };
    story(scene, concerns)
}

fn story(scene: &Scene<'_>, concerns: impl Fn(&Line) -> bool) -> Drawn {
    let locale = scene.locale;
    let lines = scene.lines.iter().filter(|line| concerns(line));
    let mut lines = lines.filter_map(|line| Some((line, tell(scene, line)?))).take(SHOWN_MAX).peekable();
    let body = html! {
        h2 { (locale.word("happened-label")) }
        @if lines.peek().is_none() {
            p.none { (locale.word("happened-none")) }
        } @else {
            ol.story {
                @for (line, (shape, text)) in lines {
                    li {
                        (shape)
                        p { (scene.time(line.last)) " " (rich(&text)) }
                    }
                }
            }
        }
    };
    Drawn { label: locale.word("happened-label"), level: None, body }
}

/// The shape of a failover: from one line to another.
fn turn_shape() -> Markup {
    shape("turn")
}

/// Tells a line in words; `None`: it is not for the page.
fn tell(scene: &Scene<'_>, line: &Line) -> Option<(Markup, String)> {
    let locale = scene.locale;
    let event = match &line.what {
        What::Failover { from, to, reason, deliveries } => {
            let why = reason.map_or_else(|| locale.word("why-wait"), |reason| locale.reason(reason));
            let args = [
                ("n", Arg::Count(*deliveries)),
                ("from", Arg::text(scene.gateway_name(*from))),
                ("to", Arg::text(scene.gateway_name(*to))),
                ("why", Arg::text(why)),
            ];
            return Some((turn_shape(), locale.say("happened-failover", &args)));
        }
        What::Event(event) => event,
    };
    let drawn = |state| Shown::State(state).shape();
    let age = |span| Arg::text(locale.span_after(span));
    Some(match &**event {
        Event::State { gateway, to, reason, layer, .. } => {
            let mut args = vec![
                ("gateway", Arg::text(scene.gateway_name(*gateway))),
                ("state", Arg::text(Shown::State(*to).word(locale))),
            ];
            let id = match (reason, layer) {
                _ if *to == State::Up => "happened-state",
                (None, _) => "happened-state",
                (Some(_), None) => "happened-why",
                (Some(_), Some(_)) => "happened-layer",
            };
            args.extend(reason.map(|reason| ("why", Arg::text(locale.reason(reason)))));
            args.extend(layer.map(|layer| ("layer", Arg::text(locale.layer(layer)))));
            (drawn(*to), locale.say(id, &args))
        }
        Event::OutageOpened { of, cause, detection, .. } => {
            let why = Arg::text(locale.reason(*cause));
            let args = [("what", Arg::text(named(locale, of))), ("why", why), ("age", age(*detection))];
            (drawn(State::Down), locale.say("happened-outage-opened", &args))
        }
        Event::OutageTurned { from, of, .. } => {
            let args = [("from", Arg::text(named(locale, from))), ("what", Arg::text(named(locale, of)))];
            (drawn(State::Down), locale.say("happened-outage-turned", &args))
        }
        Event::OutageClosed { of, lasted, .. } => {
            let args = [("what", Arg::text(named(locale, of))), ("age", age(*lasted))];
            (drawn(State::Up), locale.say("happened-outage-closed", &args))
        }
        Event::DeadlineMissed { message, deliveries, .. } => {
            let args =
                [("n", Arg::Count(u64::from(*deliveries))), ("message", Arg::text(message.to_string()))];
            (drawn(State::Degraded), locale.say("happened-deadline", &args))
        }
        Event::Uplink { uplink, up } => {
            let (state, id) =
                if *up { (State::Up, "happened-uplink-up") } else { (State::Down, "happened-uplink-down") };
            (drawn(state), locale.say(id, &[("name", Arg::text(&**uplink))]))
        }
        Event::Overlay { gateway, act, who } => {
            let what = gateway
                .map_or_else(|| locale.word("happened-everything"), |gateway| scene.gateway_name(gateway));
            let (shown, id) = match act {
                OverlayAct::Hold => (Shown::Held, "happened-held"),
                OverlayAct::Maintenance => (Shown::Maintenance, "happened-maintenance"),
                OverlayAct::Drill => (Shown::State(State::Unknown), "happened-drill"),
                // Nobody released it: its time was over.
                OverlayAct::Release if who == SERVICE => {
                    (Shown::State(State::Recovering), "happened-work-over")
                }
                OverlayAct::Release => (Shown::State(State::Recovering), "happened-lifted"),
            };
            (shown.shape(), locale.say(id, &[("who", Arg::text(&**who)), ("what", Arg::text(what))]))
        }
        Event::NeedHelp { people, drill, .. } => {
            let people = Arg::Count(u64::from(*people));
            let (state, id) =
                if *drill { (State::Unknown, "help-drill") } else { (State::Down, "happened-help") };
            (drawn(state), locale.say(id, &[("people", people)]))
        }
        Event::HelpErased { calls, .. } => {
            let calls = Arg::Count(u64::from(*calls));
            (drawn(State::Unknown), locale.say("help-erased", &[("calls", calls)]))
        }
        Event::ClockJumped { by } => {
            (drawn(State::Unknown), locale.say("happened-clock", &[("by", age(*by))]))
        }
        Event::PolicyInForce { hash } => {
            (drawn(State::Up), locale.say("happened-policy", &[("hash", Arg::text(&**hash))]))
        }
        Event::Accepted { .. }
        | Event::Answered { .. }
        | Event::Failover { .. }
        | Event::Receipt { .. }
        | Event::Canary { .. }
        | Event::StrayReceipt { .. }
        | Event::Replied { .. }
        | Event::Settled { .. } => return None,
    })
}
