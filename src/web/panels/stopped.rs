//! What operators stopped: which gateway, who, why, since when, until when.

use super::{Drawn, Scene, Shown};
use crate::core::record::{Overlay, OverlayKind};
use maud::{Markup, html};

pub(super) fn draw(scene: &Scene<'_>) -> Drawn {
    let locale = scene.locale;
    let all = scene.view.held_all.iter().map(|overlay| (None, overlay));
    let each = scene.view.gateways.iter().filter(|gateway| gateway.configured);
    let each = each.filter_map(|gateway| Some((Some(gateway.name.as_str()), gateway.overlay.as_ref()?)));
    let stopped: Vec<_> = all.chain(each).collect();
    let columns = ["stopped-what", "state", "stopped-who", "stopped-why", "stopped-since", "stopped-until"];
    let body = html! {
        h2 { (locale.word("stopped-label")) }
        @if stopped.is_empty() { p.none { (locale.word("stopped-none")) } }
        @else {
            div.scroll tabindex="0" role="region" aria-label=(locale.word("stopped-label")) {
                table {
                    thead { tr { @for column in columns { th scope="col" { (locale.word(column)) } } } }
                    tbody { @for (name, overlay) in stopped { (row(scene, name, overlay)) } }
                }
            }
        }
    };
    Drawn { label: locale.word("stopped-label"), level: None, body }
}

fn row(scene: &Scene<'_>, name: Option<&str>, overlay: &Overlay) -> Markup {
    let locale = scene.locale;
    let state = match overlay.kind {
        OverlayKind::Held => Shown::Held.draw(locale),
        OverlayKind::Maintenance { .. } => Shown::Maintenance.draw(locale),
        OverlayKind::Drill { .. } => html! { strong.drill { (locale.word("drill-tag")) } },
    };
    html! {
        tr {
            th scope="row" {
                @match name {
                    Some(name) => (scene.gateway_link(name)),
                    None => strong { (locale.word("happened-everything")) },
                }
            }
            td { (state) }
            td { bdi { (overlay.who) } }
            td dir="auto" { (overlay.reason) }
            td { (scene.time(overlay.since)) " " span.quiet { (scene.ago(overlay.since)) } }
            td { @match overlay.until() { Some(until) => (scene.time(until)), None => (locale.word("until-released")) } }
        }
    }
}
