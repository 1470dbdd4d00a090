//! The oldest deliveries that are not settled.

use super::{Drawn, Scene};
use crate::core::view::{OLDEST_MAX, OpenDelivery};
use crate::web::locale::rich;
use maud::{Markup, html};

/// How many are shown.
const SHOWN_MAX: usize = 8;

pub(super) fn draw(scene: &Scene<'_>) -> Drawn {
    some(scene, SHOWN_MAX)
}

/// Draws all that the picture names.
pub(super) fn draw_all(scene: &Scene<'_>) -> Drawn {
    some(scene, OLDEST_MAX)
}

fn some(scene: &Scene<'_>, most: usize) -> Drawn {
    let locale = scene.locale;
    let columns = ["open-delivery", "severity", "open-age", "open-step", "open-where", "open-deadline"];
    let body = html! {
        h2 { (locale.word("open-label")) }
        @if scene.view.oldest_deliveries.is_empty() {
            p.none { (locale.word("open-none")) }
        } @else {
            div.scroll tabindex="0" role="region" aria-label=(locale.word("open-label")) {
                table {
                    thead { tr { @for column in columns { th scope="col" { (locale.word(column)) } } } }
                    tbody { @for open in scene.view.oldest_deliveries.iter().take(most) { (row(scene, open)) } }
                }
            }
        }
    };
    Drawn { label: locale.word("open-label"), level: None, body }
}

fn row(scene: &Scene<'_>, open: &OpenDelivery) -> Markup {
    let locale = scene.locale;
    let late = open.deadline < scene.now;
    html! {
        tr {
            th scope="row" {
                (scene.delivery_link(open.id))
                @if open.drill { " " strong.drill { (locale.word("drill-tag")) } }
            }
            td { (locale.severity(open.severity)) }
            td { (scene.age(open.since)) }
            td { bdi { (locale.number(u64::from(open.step) + 1)) } }
            td {
                @if let Some(gateway) = open.gateway { (scene.gateway_link(&scene.gateway_name(gateway))) " " }
                span.quiet { (rich(&locale.word(&format!("standing-{}", open.state)))) }
            }
            td {
                @if open.deadline != crate::core::time::Timestamp::FAR { (scene.time(open.deadline)) }
                @if late { " " strong.late { (locale.word("open-late")) } }
            }
        }
    }
}
