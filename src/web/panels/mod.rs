//! The panels: one file each, each a function from the scene to HTML. The page and its live patches share them.
//!
//! What only ticks (an age) stands in an element with `data-tick`: the script replaces its text alone, so that a
//! reader's place, and what a screen reader announces, changes only when something happened.

mod banners;
mod gateways;
mod happened;
mod open;
mod outages;
mod verdict;
mod vitals;

use super::locale::{Locale, Zone};
use crate::api::ring::Line;
use crate::api::service::PolicyTrouble;
use crate::api::show;
use crate::core::channel::GatewayId;
use crate::core::record::OverlayKind;
use crate::core::time::Timestamp;
use crate::core::view::{GatewayView, State, View};
use maud::{Markup, html};
use ring::digest;

/// Every panel, in the order of the page.
pub(super) const PANELS: &[Panel] = &[
    Panel { name: "banners", class: "banners", live: Live::No, draw: banners::draw },
    Panel { name: "verdict", class: "verdict", live: Live::Yes, draw: verdict::draw },
    Panel { name: "vitals", class: "vitals", live: Live::No, draw: vitals::draw },
    Panel { name: "gateways", class: "card wide", live: Live::No, draw: gateways::draw },
    Panel { name: "outages", class: "card", live: Live::Yes, draw: outages::draw },
    Panel { name: "happened", class: "card", live: Live::No, draw: happened::draw },
    Panel { name: "open", class: "card wide", live: Live::No, draw: open::draw },
];

/// One panel.
pub(super) struct Panel {
    name: &'static str,
    class: &'static str,
    live: Live,
    draw: fn(&Scene<'_>) -> Drawn,
}

/// Whether a screen reader announces a panel's changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Live {
    Yes,
    No,
}

/// What a panel shows.
struct Drawn {
    /// The panel's name for those who do not see it.
    label: String,
    /// How much it asks of whoever watches; the page's icon follows it.
    level: Option<Level>,
    body: Markup,
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
    pub(super) lines: Vec<Line>,
    pub(super) trouble: Option<PolicyTrouble>,
    pub(super) now: Timestamp,
    pub(super) locale: Locale,
    pub(super) zone: &'a Zone,
}

impl Panel {
    /// Renders the panel with its frame.
    pub(super) fn render(&self, scene: &Scene<'_>) -> String {
        let drawn = (self.draw)(scene);
        let key = key(&drawn.body.0);
        let frame = html! {
            section id=(self.name) class=(self.class) data-panel data-key=(key) data-level=[drawn.level.map(Level::name)]
                aria-label=(drawn.label) aria-live=[(self.live == Live::Yes).then_some("polite")] { (drawn.body) }
        };
        frame.into_string()
    }
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

impl Scene<'_> {
    /// Writes an instant, with its zone for programs.
    fn time(&self, at: Timestamp) -> Markup {
        html! { time.at dir="ltr" datetime=(show::time(at)) { (self.zone.time(at, self.now)) } }
    }

    /// Writes an instant as text, to be put into a sentence.
    fn time_text(&self, at: Timestamp) -> String {
        self.zone.time(at, self.now)
    }

    /// Writes how long ago something was: a part that ticks.
    fn age(&self, at: Timestamp) -> Markup {
        html! { time.age datetime=(show::time(at)) data-tick { (self.locale.span(self.now.since(at))) } }
    }

    fn gateway_name(&self, id: GatewayId) -> String {
        show::name_of(self.view, id)
    }
}

/// A gateway's state as it is shown: what an operator laid over it comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shown {
    State(State),
    Maintenance,
    Held,
}

impl Shown {
    fn of(gateway: &GatewayView) -> Shown {
        match gateway.overlay.as_ref().map(|overlay| overlay.kind) {
            Some(OverlayKind::Held) => Shown::Held,
            Some(OverlayKind::Maintenance { .. }) => Shown::Maintenance,
            // In a drill it works: its state is what it is.
            Some(OverlayKind::Drill { .. }) | None => Shown::State(gateway.state),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Shown::State(state) => state.name(),
            Shown::Maintenance => "maintenance",
            Shown::Held => "held",
        }
    }

    /// Draws its word beside its shape.
    fn draw(self, locale: Locale) -> Markup {
        html! { span.state { (self.shape()) span.word { (self.word(locale)) } } }
    }

    fn word(self, locale: Locale) -> String {
        locale.word(&format!("state-{}", self.name()))
    }

    /// Draws its shape: told apart without colour.
    fn shape(self) -> Markup {
        let class = format!("shape {}", self.name());
        let body = match self {
            Shown::State(State::Up) => html! { circle cx="8" cy="8" r="6" {} },
            Shown::State(State::Degraded) => html! { path d="M8 1.8 14.6 14H1.4z" {} },
            Shown::State(State::Down) => html! { rect x="2" y="2" width="12" height="12" {} },
            Shown::State(State::Recovering) => html! { path.line d="M3 13 12.5 3.5M5.5 3h7.5v7.5" {} },
            Shown::State(State::Unknown) => {
                html! { path.line d="M5 5.6C5 3.6 6.3 2.6 8 2.6s3 1 3 2.8c0 2.4-3 2.5-3 4.8M8 13.2v.4" {} }
            }
            Shown::Maintenance => html! { path.line d="M5.5 2.5v11M10.5 2.5v11" {} },
            Shown::Held => html! { circle.ring cx="8" cy="8" r="6" {} path.line d="M4 12 12 4" {} },
        };
        html! { svg class=(class) viewBox="0 0 16 16" aria-hidden="true" focusable="false" { (body) } }
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
