//! What must not be overlooked: everything is held, or a policy edit was refused.

use super::{Drawn, Scene};
use crate::web::locale::{Arg, rich};
use maud::html;

/// The longest report that is shown; the log has it all.
const REPORT_CHARS_MAX: usize = 4_000;

pub(super) fn draw(scene: &Scene<'_>) -> Drawn {
    let locale = scene.locale;
    let held = scene.view.held_all.as_ref().map(|held| {
        let args = [
            ("who", Arg::text(&*held.who)),
            ("since", Arg::text(scene.time_text(held.since))),
            ("reason", Arg::text(&*held.reason)),
        ];
        locale.say("held-all", &args)
    });
    let body = html! {
        @if let Some(held) = held {
            div.banner.held role="alert" {
                strong { (locale.word("held-title")) }
                p { (rich(&held)) }
                p.quiet { (locale.word("held-what")) }
            }
        }
        @if let Some(trouble) = &scene.trouble {
            div.banner.policy {
                strong { (locale.word("policy-title")) }
                p { (rich(&locale.say("policy-what", &[("at", Arg::text(scene.time_text(trouble.at)))]))) }
                // The report's carets stand under the text that they point at, in either language.
                pre dir="ltr" lang="en" tabindex="0" {
                    (trouble.report.chars().take(REPORT_CHARS_MAX).collect::<String>())
                }
            }
        }
    };
    Drawn { label: locale.word("overview"), level: None, body }
}
