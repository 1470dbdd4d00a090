//! The queue in numbers: what is open, by state and age; what has ended, by result.

use super::{Drawn, Level, Scene, Shown, shape_of};
use crate::core::message::Severity;
use crate::core::outcome::DeliveryResult;
use crate::core::view::State;
use maud::{Markup, html};

pub(super) fn draw(scene: &Scene<'_>) -> Drawn {
    let (locale, counts) = (scene.locale, &scene.view.deliveries);
    let open = [
        ("waiting", counts.waiting, State::Unknown),
        ("materialising", counts.materialising, State::Unknown),
        ("backing-off", counts.backing_off, State::Degraded),
        ("in-flight", counts.in_flight, State::Recovering),
        ("unconfirmed", counts.unconfirmed, State::Recovering),
    ];
    let body = html! {
        h2 { (locale.word("queue-label")) }
        div.columns {
            table {
                caption { (locale.word("queue-open")) }
                tbody {
                    @for (word, n, state) in open { (row(scene, Shown::State(state), &locale.word(word), n)) }
                    tr.sum {
                        th scope="row" { (locale.word("queue-all-open")) }
                        td.count { bdi { (locale.number(counts.open())) } }
                    }
                    (row(scene, late_shape(counts.late), &locale.word("late-now"), counts.late))
                    @if scene.view.drill_deliveries.open() > 0 {
                        tr {
                            th scope="row" { strong.drill { (locale.word("drill-tag")) } }
                            td.count { bdi { (locale.number(scene.view.drill_deliveries.open())) } }
                        }
                    }
                }
            }
            table {
                caption { (locale.word("queue-oldest")) }
                tbody {
                    @for (severity, at) in Severity::ALL.iter().zip(scene.view.oldest) {
                        tr {
                            th scope="row" { (locale.severity(*severity)) }
                            td.count { @match at { Some(at) => (scene.age(at)), None => span.none { "–" } } }
                        }
                    }
                }
            }
            table {
                caption { (locale.word("queue-ended")) }
                tbody {
                    @for (result, n) in DeliveryResult::ALL.into_iter().zip(counts.settled) {
                        (row(scene, shape_of(result), &locale.result(result), n))
                    }
                }
            }
        }
    };
    let level = if counts.late > 0 { Level::Act } else { Level::Calm };
    Drawn { label: locale.word("queue-label"), level: Some(level), body }
}

fn late_shape(late: u64) -> Shown {
    Shown::State(if late > 0 { State::Down } else { State::Up })
}

/// One line; what is nothing is quiet, and has no shape.
fn row(scene: &Scene<'_>, shown: Shown, word: &str, n: u64) -> Markup {
    html! {
        tr.nothing[n == 0] {
            th scope="row" { @if n > 0 { (shown.shape()) " " } (word) }
            td.count { bdi { (scene.locale.number(n)) } }
        }
    }
}
