//! The panels: one file each, each a function from the scene to HTML. The page and its live patches share them.
//!
//! What only ticks (an age) stands in an element with `data-tick`: the script replaces its text alone, so that a
//! reader's place, and what a screen reader announces, changes only when something happened.

mod banners;
mod gateway;
mod gateways;
mod happened;
mod hearsay;
mod open;
mod outages;
mod queue;
mod stopped;
mod timeline;
mod verdict;
mod vitals;

pub(super) use outages::{named as named_outage, record as outage_record};

use super::locale::{Locale, Zone};
use crate::api::App;
use crate::api::ring::Line;
use crate::api::service::PolicyTrouble;
use crate::api::show;
use crate::core::channel::GatewayId;
use crate::core::ids::DeliveryId;
use crate::core::outcome::DeliveryResult;
use crate::core::record::OverlayKind;
use crate::core::time::Timestamp;
use crate::core::view::{GatewayView, State, View};
use maud::{Markup, html};
use ring::digest;

/// What must not be overlooked.
pub(super) static BANNERS: Panel = silent("banners", "banners", banners::draw);
/// The sentence.
pub(super) static VERDICT: Panel = spoken("verdict", "verdict", verdict::draw);
/// The numbers.
pub(super) static VITALS: Panel = silent("vitals", "vitals", vitals::draw);
/// The matrix of gateways.
pub(super) static GATEWAYS: Panel = silent("gateways", "card wide", gateways::draw);
/// The same for the wall: the worst first, as many as fit.
pub(super) static WALL_GATEWAYS: Panel = silent("gateways", "card wide", gateways::draw_wall);
/// The last outages.
pub(super) static OUTAGES: Panel = spoken("outages", "card", outages::draw);
/// The outages that go on.
pub(super) static WALL_OUTAGES: Panel = spoken("outages", "card wide", outages::draw_wall);
/// What happened.
pub(super) static HAPPENED: Panel = silent("happened", "card", happened::draw);
/// The oldest open deliveries, a few.
pub(super) static OPEN: Panel = silent("open", "card wide", open::draw);
/// All of the oldest open deliveries that the picture names.
pub(super) static OLDEST: Panel = silent("open", "card wide", open::draw_all);
/// The queue by state and result.
pub(super) static QUEUE: Panel = silent("queue", "card wide", queue::draw);
/// Outages over time.
pub(super) static TIMELINE: Panel = silent("timeline", "card wide", timeline::draw);
/// Outages, one a row.
pub(super) static RECORD: Panel = silent("record", "card wide", outages::draw_record);
/// What operators stopped.
pub(super) static STOPPED: Panel = silent("stopped", "card wide", stopped::draw);
/// One gateway.
pub(super) static GATEWAY: [&Panel; 5] = [
    &spoken("now", "card wide", gateway::draw_now),
    &silent("layers", "card wide", gateway::draw_layers),
    &silent("evidence", "card", gateway::draw_evidence),
    &silent("story", "card", happened::draw_one),
    &silent("history", "card wide", gateway::draw_history),
];

/// A panel whose changes a screen reader does not announce.
const fn silent(name: &'static str, class: &'static str, draw: Draw) -> Panel {
    Panel { name, class, live: Live::No, draw }
}

/// A panel whose changes it does.
const fn spoken(name: &'static str, class: &'static str, draw: Draw) -> Panel {
    Panel { name, class, live: Live::Yes, draw }
}

type Draw = fn(&Scene<'_>) -> Drawn;

/// One panel.
pub(super) struct Panel {
    name: &'static str,
    class: &'static str,
    live: Live,
    draw: Draw,
}

/// Whether a screen reader announces a panel's changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Live {
    Yes,
    No,
}

/// What a panel shows.
pub(super) struct Drawn {
    /// The panel's name for those who do not see it.
    pub(super) label: String,
    /// How much it asks of whoever watches; the page's icon follows it.
    pub(super) level: Option<Level>,
    pub(super) body: Markup,
}

/// How much a picture asks of whoever watches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Level {
    /// Nothing.
    Calm,
    /// A look.
    Watch,
    /// A hand.
    Act,
}

/// What there is to show.
pub(super) struct Scene<'a> {
    pub(super) view: &'a View,
    /// The gateway that the page is about.
    pub(super) gateway: Option<&'a str>,
    /// Whether it is the wall's: nothing is to be clicked, and what does not fit is counted.
    pub(super) is_wall: bool,
    pub(super) lines: Vec<Line>,
    pub(super) trouble: Option<PolicyTrouble>,
    pub(super) now: Timestamp,
    pub(super) locale: Locale,
    pub(super) zone: &'a Zone,
}

impl Panel {
    /// Renders the panel with its frame.
    pub(super) fn render(&self, scene: &Scene<'_>) -> String {
        framed(self.name, self.class, self.live, &(self.draw)(scene)).1
    }
}

/// A digest of what a panel shows, its ticking parts left out.
pub(super) type Keyed = String;

/// Puts the frame around what a panel shows, by which the script knows it.
pub(super) fn framed(name: &str, class: &str, live: Live, drawn: &Drawn) -> (Keyed, String) {
    let key = key(&drawn.body.0);
    let frame = html! {
        section id=(name) class=(class) data-panel data-key=(key) data-level=[drawn.level.map(Level::name)]
            aria-label=(drawn.label) aria-live=[(live == Live::Yes).then_some("polite")] { (drawn.body) }
    };
    (key, frame.into_string())
}

/// Returns a short digest of what a panel shows, its ticking parts left out.
fn key(html: &str) -> String {
    let mut steady = digest::Context::new(&digest::SHA256);
    let mut rest = html;
    while let Some(tick) = rest.find(" data-tick>") {
        let (before, after) = rest.split_at(tick);
        steady.update(before.as_bytes());
        rest = after.find("</").map_or("", |end| &after[end..]);
    }
    steady.update(rest.as_bytes());
    steady.finish().as_ref()[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Level::Calm => "calm",
            Level::Watch => "watch",
            Level::Act => "act",
        }
    }
}

impl<'a> Scene<'a> {
    /// Sets the scene for what is drawn once, from the picture and from the store.
    pub(super) fn still(app: &'a App, view: &'a View, locale: Locale) -> Scene<'a> {
        Scene {
            view,
            gateway: None,
            is_wall: false,
            lines: Vec::new(),
            trouble: None,
            now: app.service.now(),
            locale,
            zone: &app.config.zone,
        }
    }
}

impl Scene<'_> {
    /// Writes an instant, with its zone for programs.
    pub(super) fn time(&self, at: Timestamp) -> Markup {
        html! { time.at dir="ltr" datetime=(show::time(at)) { (self.zone.time(at, self.now)) } }
    }

    /// Writes an instant as text, to be put into a sentence.
    pub(super) fn time_text(&self, at: Timestamp) -> String {
        self.zone.time(at, self.now)
    }

    /// Writes how long ago something was: a part that ticks.
    pub(super) fn age(&self, at: Timestamp) -> Markup {
        html! { time.age datetime=(show::time(at)) data-tick { (self.locale.span(self.now.since(at))) } }
    }

    /// Writes how long ago something was, as part of a sentence: a part that ticks.
    pub(super) fn ago(&self, at: Timestamp) -> Markup {
        let ago = self.locale.ago(self.now.since(at));
        html! { time.age datetime=(show::time(at)) data-tick { (ago) } }
    }

    /// Writes an instant whole: date, time of day, zone, and how long ago.
    pub(super) fn instant(&self, at: Timestamp) -> Markup {
        html! {
            time.at dir="ltr" datetime=(show::time(at)) { (self.zone.full(at)) }
            " " span.quiet { (self.ago(at)) }
        }
    }

    fn gateway_name(&self, id: GatewayId) -> String {
        show::name_of(self.view, id)
    }

    /// Finds the gateway that the page is about.
    fn subject(&self) -> Option<&GatewayView> {
        self.view.gateways.iter().find(|gateway| Some(gateway.name.as_str()) == self.gateway)
    }

    /// Writes a gateway's name, and where things may be clicked, the way to its page.
    pub(super) fn gateway_link(&self, name: &str) -> Markup {
        let known = !self.is_wall && self.view.gateways.iter().any(|gateway| gateway.name == name);
        html! {
            @if known { a.name href=(format!("/gateways/{name}")) dir="ltr" { bdi { (name) } } }
            @else { bdi.name dir="ltr" { (name) } }
        }
    }

    /// Writes a delivery's id, and the way to it.
    pub(super) fn delivery_link(&self, id: DeliveryId) -> Markup {
        let place = format!("/messages/{}?delivery={}", id.message, id.index);
        html! { a.name href=(place) dir="ltr" { bdi { (id) } } }
    }
}

/// A gateway's state as it is shown: what an operator laid over it comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shown {
    State(State),
    Maintenance,
    Held,
}

impl Shown {
    pub(super) fn of(gateway: &GatewayView) -> Shown {
        match gateway.overlay.as_ref().map(|overlay| overlay.kind) {
            Some(OverlayKind::Held) => Shown::Held,
            Some(OverlayKind::Maintenance { .. }) => Shown::Maintenance,
            // In a drill it works: its state is what it is.
            Some(OverlayKind::Drill { .. }) | None => Shown::State(gateway.state),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Shown::State(state) => state.name(),
            Shown::Maintenance => "maintenance",
            Shown::Held => "held",
        }
    }

    /// Draws its word beside its shape.
    pub(super) fn draw(self, locale: Locale) -> Markup {
        html! { span.state { (self.shape()) (self.word(locale)) } }
    }

    pub(super) fn word(self, locale: Locale) -> String {
        locale.word(&format!("state-{}", self.name()))
    }

    /// Draws its shape: told apart without colour.
    pub(super) fn shape(self) -> Markup {
        shape(self.name())
    }
}

/// Draws a shape by its name: one of [`shapes`].
fn shape(name: &str) -> Markup {
    html! { svg class=(format!("shape {name}")) aria-hidden="true" { use href=(format!("#s-{name}")) {} } }
}

/// Draws every shape once for the whole page, unseen: where one stands, it is named.
pub(super) fn shapes() -> Markup {
    let line = |id: &str, path: &str| {
        html! {
            symbol id=(id) viewBox="0 0 16 16" {
                path fill="none" stroke-width="2.4" stroke-linecap="round" d=(path) {}
            }
        }
    };
    html! {
        svg.shapes width="0" height="0" aria-hidden="true" {
            symbol id="s-up" viewBox="0 0 16 16" { circle cx="8" cy="8" r="6" {} }
            symbol id="s-degraded" viewBox="0 0 16 16" { path d="M8 1.8 14.6 14H1.4z" {} }
            symbol id="s-down" viewBox="0 0 16 16" { rect x="2" y="2" width="12" height="12" {} }
            (line("s-recovering", "M3 13 12.5 3.5M5.5 3h7.5v7.5"))
            (line("s-unknown", "M5 5.6C5 3.6 6.3 2.6 8 2.6s3 1 3 2.8c0 2.4-3 2.5-3 4.8M8 13.2v.4"))
            (line("s-maintenance", "M5.5 2.5v11M10.5 2.5v11"))
            (line("s-held", "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M4 12 12 4"))
            (line("s-turn", "M1.5 4.5h4c4 0 2.5 7 6.5 7h2M11.5 8.5l3 3-3 3"))
        }
    }
}

/// Returns the shape that goes with how a delivery ended.
pub(super) fn shape_of(result: DeliveryResult) -> Shown {
    match result {
        DeliveryResult::Delivered | DeliveryResult::Acknowledged => Shown::State(State::Up),
        DeliveryResult::HandedOver => Shown::State(State::Recovering),
        DeliveryResult::Failed | DeliveryResult::Expired => Shown::State(State::Down),
        DeliveryResult::Cancelled | DeliveryResult::Superseded => Shown::Held,
    }
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn a_tick_does_not_change_a_panels_key() {
        let page = |age| format!("<p><time data-tick>{age}</time> x <i data-tick>{age}</i></p>");
        assert_eq!(key(&page("1 s")), key(&page("2 s")));
        assert_ne!(key("<p>1</p>"), key("<p>2</p>"));
    }
}
