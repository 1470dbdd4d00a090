//! What would become of a message, as the interface forecasts it, drawn for whoever is to confirm it.

use crate::api::problem::{Kind, Problem};
use crate::core::channel::Channel;
use crate::core::time::Span;
use crate::core::view::State;
use crate::web::locale::{Arg, rich};
use crate::web::panels::{Level, Scene, Shown};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

/// The interface's forecast; what is not shown here is left out.
#[derive(Deserialize)]
pub(super) struct Forecast {
    deliveries: u64,
    without_address: u64,
    ahead: u64,
    steps: Vec<Step>,
    done_in_seconds: Option<f64>,
    late: u64,
    lost: Vec<Lost>,
    not_forecast: u64,
    cost: f64,
}

#[derive(Deserialize)]
struct Step {
    step: u64,
    gateways: Vec<Share>,
}

#[derive(Deserialize)]
struct Share {
    gateway: String,
    channel: String,
    deliveries: u64,
    copies: u64,
    segments: Option<u64>,
    cost: f64,
}

#[derive(Deserialize)]
struct Lost {
    result: String,
    reason: Option<Why>,
    deliveries: u64,
}

#[derive(Deserialize)]
struct Why {
    name: String,
}

/// Reads the interface's answer.
pub(super) fn read(told: Value) -> Result<Forecast, Problem> {
    serde_json::from_value(told)
        .map_err(|_| Problem::new(Kind::Unavailable, "the service gave a forecast that cannot be read"))
}

/// Draws it.
pub(super) fn draw(scene: &Scene<'_>, forecast: &Forecast) -> Markup {
    let locale = scene.locale;
    let columns = [
        "open-step",
        "gateway",
        "channel",
        "forecast-people",
        "forecast-copies",
        "forecast-segments",
        "forecast-cost",
    ];
    html! {
        ul.effects {
            @for (level, sentence) in sentences(scene, forecast) { (line(level, &sentence)) }
        }
        @if !forecast.steps.is_empty() {
            div.scroll tabindex="0" role="region" aria-label=(locale.word("forecast-label")) {
                table {
                    caption { (locale.word("forecast-label")) }
                    thead { tr { @for column in columns { th scope="col" { (locale.word(column)) } } } }
                    tbody {
                        @for step in &forecast.steps { @for share in &step.gateways { (row(scene, step.step, share)) } }
                    }
                }
            }
        }
    }
}

/// Draws one sentence of an effect with the shape of how much it asks.
pub(super) fn line(level: Level, sentence: &str) -> Markup {
    let state = match level {
        Level::Calm => State::Up,
        Level::Watch => State::Degraded,
        Level::Act => State::Down,
    };
    html! { li { (Shown::State(state).shape()) p { (rich(sentence)) } } }
}

fn sentences(scene: &Scene<'_>, forecast: &Forecast) -> Vec<(Level, String)> {
    let locale = scene.locale;
    let count = |n: u64| [("n", Arg::Count(n))];
    let mut told = vec![(Level::Calm, locale.say("forecast-all", &count(forecast.deliveries)))];
    if let Some(secs) = forecast.done_in_seconds {
        let span = Span::from_ms((secs * 1_000.0) as i64);
        let args = [
            ("after", Arg::text(locale.span_after(span))),
            ("at", Arg::text(scene.time_text(scene.now + span))),
        ];
        told.push((Level::Calm, locale.say("forecast-done", &args)));
    } else {
        told.push((Level::Act, locale.word("forecast-nothing")));
    }
    if forecast.ahead > 0 {
        told.push((Level::Watch, locale.say("forecast-ahead", &count(forecast.ahead))));
    }
    if forecast.without_address > 0 {
        told.push((Level::Act, locale.say("forecast-without", &count(forecast.without_address))));
    }
    if forecast.late > 0 {
        told.push((Level::Act, locale.say("forecast-late", &count(forecast.late))));
    }
    for lost in &forecast.lost {
        let why = lost.reason.as_ref().map_or_else(
            || locale.word("forecast-no-reason"),
            |why| locale.word(&format!("reason-{}", why.name)),
        );
        let result = Arg::text(locale.word(&format!("result-{}", lost.result)));
        let args = [("n", Arg::Count(lost.deliveries)), ("result", result), ("why", Arg::text(why))];
        told.push((Level::Act, locale.say("forecast-lost", &args)));
    }
    if forecast.not_forecast > 0 {
        told.push((Level::Watch, locale.say("forecast-open", &count(forecast.not_forecast))));
    }
    if forecast.cost > 0.0 {
        let cost = locale.digits(&format!("{:.2}", forecast.cost));
        told.push((Level::Calm, locale.say("forecast-cost-all", &[("cost", Arg::text(cost))])));
    }
    told
}

fn row(scene: &Scene<'_>, step: u64, share: &Share) -> Markup {
    let locale = scene.locale;
    let channel = share.channel.parse::<Channel>();
    let number = |n: u64| html! { bdi { (locale.number(n)) } };
    html! {
        tr {
            th scope="row" { (number(step + 1)) }
            td { (scene.gateway_link(&share.gateway)) }
            td { @if let Ok(channel) = channel { (locale.channel(channel)) } }
            td.count { (number(share.deliveries)) }
            td.count { (number(share.copies)) }
            td.count { @match share.segments { Some(n) => (number(n)), None => "–" } }
            td.count { bdi { (locale.digits(&format!("{:.2}", share.cost))) } }
        }
    }
}
