//! What must not be overlooked: people need help, a drill runs, everything is held, or a policy edit was refused.

use super::{Drawn, Level, Scene};
use crate::core::record::OverlayKind;
use crate::core::view::GatewayView;
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
    let drills: Vec<String> =
        scene.view.gateways.iter().filter_map(|gateway| drill(scene, gateway)).collect();
    let practised = scene.view.drill_deliveries.open();
    let help = &scene.view.help;
    let body = html! {
        @if let Some(oldest) = help.oldest {
            div.banner.help role="alert" {
                strong { (rich(&locale.say("help-title", &[("people", Arg::Count(u64::from(help.people)))]))) }
                p {
                    (locale.word("help-since")) " " (scene.age(oldest))
                    @if !scene.is_wall { " · " a href="/v1/replies?kind=need_help" { (locale.word("help-link")) } }
                }
            }
        }
        @if !drills.is_empty() || practised > 0 || help.exercises > 0 {
            div.banner.drill role="status" {
                strong { (locale.word("drill-title")) }
                @for drill in &drills { p { (rich(drill)) } }
                @if practised > 0 { p { (rich(&locale.say("drill-open", &[("n", Arg::Count(practised))]))) } }
                @if help.exercises > 0 {
                    p { (rich(&locale.say("help-drill", &[("people", Arg::Count(u64::from(help.exercises)))]))) }
                }
                p.quiet { (locale.word("drill-what")) }
            }
        }
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
    Drawn { label: locale.word("overview"), level: help.oldest.map(|_| Level::Act), body }
}

/// Says which gateway looks down for a drill: to whom, until when, by whom and why.
fn drill(scene: &Scene<'_>, gateway: &GatewayView) -> Option<String> {
    let overlay = gateway.overlay.as_ref()?;
    let OverlayKind::Drill { until, everybody } = overlay.kind else { return None };
    let id = if everybody { "drill-gateway-everybody" } else { "drill-gateway" };
    let args = [
        ("gateway", Arg::text(&*gateway.name)),
        ("until", Arg::text(scene.time_text(until))),
        ("who", Arg::text(&*overlay.who)),
        ("reason", Arg::text(&*overlay.reason)),
    ];
    Some(scene.locale.say(id, &args))
}
