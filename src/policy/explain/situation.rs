//! What is known of the gateways at one instant: from the core's view, from a running service's answer, or nothing.

use crate::core::record::{Overlay, OverlayKind, Standing};
use crate::core::time::Timestamp;
use crate::core::view::{GatewayView, State, View};
use serde_json::Value;
use std::collections::BTreeMap;

/// Below this share a quota counts as used up.
const EXHAUSTED: f64 = 1e-9;
/// How much doubt one rank holds, in decibans. Cites: the core's `RANK_STEP`.
const RANK_DECIBANS: f64 = 5.0;
/// The doubt at which odds are even, in decibans. Cites: the core's `DOUBT`.
const EVEN_DECIBANS: f64 = 20.0;

/// What is known of every gateway.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Situation {
    /// Whether it comes from a running service.
    pub live: bool,
    /// The reason for which everything is held, where it is.
    pub held_all: Option<String>,
    /// Whether every uplink is down.
    pub line_down: bool,
    /// What is known of each gateway, by name.
    pub gateways: BTreeMap<String, Now>,
}

/// What is known of one gateway.
#[derive(Clone, PartialEq, Debug)]
pub struct Now {
    /// Its state.
    pub state: State,
    /// The odds that a send works.
    pub health: f64,
    /// The reason for which it is held, where it is.
    pub held: Option<String>,
    /// Why it is under planned work, where it is.
    pub maintenance: Option<String>,
    /// Why it looks down for a drill, where it does, and whether to everybody.
    pub drill: Option<(String, bool)>,
    /// Whether it asked to be left alone.
    pub deferred: bool,
    /// The name of a quota that is used up.
    pub exhausted: Option<String>,
}

impl Now {
    /// Knows nothing.
    const UNKNOWN: Now = Now {
        state: State::Unknown,
        health: 0.99,
        held: None,
        maintenance: None,
        drill: None,
        deferred: false,
        exhausted: None,
    };

    /// Returns the rank of its doubt: the core's, recovered from the odds.
    pub(super) fn doubt(&self) -> i32 {
        let odds = self.health.clamp(1e-6, 1.0 - 1e-6);
        let decibans = EVEN_DECIBANS + 10.0 * ((1.0 - odds) / odds).log10();
        // Odds are given to a thousandth: a little less than a step is that step.
        ((decibans.max(0.0) + 0.2) / RANK_DECIBANS) as i32 + i32::from(self.state == State::Unknown)
    }
}

impl Situation {
    /// Reads the core's picture.
    pub fn from_view(view: &View) -> Situation {
        Situation {
            live: true,
            held_all: view.held_all.as_ref().map(|overlay| overlay.reason.clone()),
            line_down: !view.uplinks.is_empty() && view.uplinks.iter().all(|uplink| !uplink.up),
            gateways: view.gateways.iter().map(|g| (g.name.clone(), now_of(g, view.at))).collect(),
        }
    }

    /// Reads the answer of a running service to `GET /v1/status`; `None`: it is not such an answer.
    pub fn from_status(status: &Value) -> Option<Situation> {
        let at = time(&status["at"])?;
        let gateways = status["gateways"].as_array()?;
        let uplinks = status["uplinks"].as_array()?;
        Some(Situation {
            live: true,
            held_all: reason(&status["held"]),
            line_down: !uplinks.is_empty() && uplinks.iter().all(|uplink| uplink["up"] == false),
            gateways: gateways.iter().filter_map(|gateway| now_in(gateway, at)).collect(),
        })
    }

    /// Returns what is known of a gateway.
    pub(super) fn of(&self, name: &str) -> Now {
        self.gateways.get(name).cloned().unwrap_or(Now::UNKNOWN)
    }

    /// Says how a gateway stands that the rule permits, and why.
    pub(super) fn standing(&self, now: &Now, needs_internet: bool, actual: bool) -> (Standing, String) {
        if let Some(reason) = self.held_all.as_ref() {
            return (Standing::Held, format!("everything is held: {reason}"));
        }
        if let Some(reason) = &now.held {
            return (Standing::Held, format!("an operator holds it: {reason}"));
        }
        if let Some(reason) = &now.maintenance {
            return (Standing::Maintenance, format!("planned work: {reason}"));
        }
        if let Some(quota) = &now.exhausted {
            return (Standing::QuotaExhausted, format!("its quota `{quota}` is used up"));
        }
        let words = match now.state {
            _ if now.deferred => (Standing::Deferred, "it asked to be left alone for a while"),
            _ if self.line_down && needs_internet => {
                (Standing::UplinkDown, "our own line is down and it needs it")
            }
            State::Down => (Standing::Down, "the evidence says that it is down"),
            State::Degraded => (Standing::Doubtful, "the evidence speaks against it"),
            State::Recovering => (Standing::Doubtful, "it is coming back and takes little yet"),
            State::Up => (Standing::Eligible, "the evidence speaks for it"),
            State::Unknown => (Standing::Eligible, "nothing is known against it"),
        };
        let drilled = now.drill.as_ref().filter(|(_, everybody)| *everybody || !actual);
        match (drilled, words.0) {
            (Some((reason, _)), Standing::Eligible | Standing::Doubtful) => {
                (Standing::Drill, format!("it looks down for a drill: {reason}"))
            }
            _ => (words.0, words.1.to_owned()),
        }
    }
}

fn now_of(gateway: &GatewayView, at: Timestamp) -> Now {
    let of_kind = |wanted: fn(&OverlayKind, Timestamp) -> bool| {
        let overlay: Option<&Overlay> = gateway.overlay.as_ref();
        overlay.filter(|overlay| wanted(&overlay.kind, at)).map(|overlay| overlay.reason.clone())
    };
    Now {
        state: gateway.state,
        health: gateway.health,
        held: of_kind(|kind, _| *kind == OverlayKind::Held),
        maintenance: of_kind(|kind, at| matches!(kind, OverlayKind::Maintenance { until } if *until > at)),
        drill: match gateway.overlay.as_ref().map(|overlay| (overlay.kind, &overlay.reason)) {
            Some((OverlayKind::Drill { until, everybody }, reason)) if until > at => {
                Some((reason.clone(), everybody))
            }
            _ => None,
        },
        deferred: gateway.deferred_until.is_some_and(|until| until > at),
        exhausted: gateway.quotas.iter().find(|(_, left)| *left <= EXHAUSTED).map(|(name, _)| name.clone()),
    }
}

fn now_in(gateway: &Value, at: Timestamp) -> Option<(String, Now)> {
    let overlay = &gateway["overlay"];
    let word = gateway["state"].as_str()?;
    let kind = |wanted: &str| (overlay["kind"] == wanted).then(|| reason(overlay)).flatten();
    let quotas = gateway["quotas"].as_object();
    let now = Now {
        state: State::ALL.into_iter().find(|state| state.name() == word)?,
        health: gateway["health"].as_f64()?,
        held: kind("held"),
        maintenance: kind("maintenance").filter(|_| time(&overlay["until"]).is_some_and(|until| until > at)),
        drill: kind("drill")
            .filter(|_| time(&overlay["until"]).is_some_and(|until| until > at))
            .map(|reason| (reason, overlay["everybody"] == true)),
        deferred: time(&gateway["deferred_until"]).is_some_and(|until| until > at),
        exhausted: quotas
            .and_then(|all| all.iter().find(|(_, left)| left.as_f64().is_some_and(|left| left <= EXHAUSTED)))
            .map(|(name, _)| name.clone()),
    };
    Some((gateway["name"].as_str()?.to_owned(), now))
}

fn reason(overlay: &Value) -> Option<String> {
    overlay["reason"].as_str().map(str::to_owned)
}

fn time(value: &Value) -> Option<Timestamp> {
    let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(Timestamp::from_ms(at.as_millisecond()))
}
