//! The forms of the acts.

use super::fields::{Fields, LIVES, TEXTS};
use super::{Act, EVERYTHING, typed};
use crate::api::call::Call;
use crate::core::message::{Severity, Status, Urgency};
use crate::core::query::Role;
use crate::core::time::Span;
use crate::web::locale::{Arg, Locale, rich};
use crate::web::panels::{Scene, Shown};
use maud::{Markup, html};

/// For how long a drill may be planned, in minutes: of [`LIVES`], those within the 24 hours that one lasts at most.
const OF_A_DRILL: [u32; 5] = [30, 60, 120, 360, 1_440];

/// Draws the ways to the acts that somebody of this role may do.
pub(super) fn ways(locale: Locale, role: Role, chosen: Option<Act>) -> Markup {
    let mine: Vec<Act> = Act::ALL.into_iter().filter(|act| role >= act.role()).collect();
    html! {
        @if mine.is_empty() { p.quiet { (locale.word("operate-look-only")) } }
        @else {
            nav.ways aria-label=(locale.word("operate-acts")) {
                @for act in mine {
                    a.act href=(format!("/operate?act={}", act.name()))
                        aria-current=[(chosen == Some(act)).then_some("true")] {
                        (locale.word(&format!("act-{}", act.name())))
                    }
                }
            }
        }
    }
}

/// Draws an act's form with what was written in it.
pub(super) fn draw(scene: &Scene<'_>, call: &Call, act: Act, fields: &Fields) -> Markup {
    let locale = scene.locale;
    let label = locale.word(&format!("act-{}", act.name()));
    html! {
        section.card.wide aria-label=(label) {
            h2 { (label) }
            p.quiet { (locale.word(&format!("hint-{}", act.name()))) }
            form.act method="post" action=(format!("/operate/{}", act.name())) {
                @if let Some(csrf) = &call.caller.csrf { input type="hidden" name="csrf" value=(csrf); }
                (controls(scene, call.caller.role, act, fields))
                @if act != Act::Send { (reason(locale, fields)) }
                p.buttons { button.strong type="submit" name="step" value="preview" { (locale.word("form-preview")) } }
            }
        }
    }
}

fn controls(scene: &Scene<'_>, role: Role, act: Act, fields: &Fields) -> Markup {
    let locale = scene.locale;
    match act {
        Act::Send => html! {
            div.row {
                (words(locale, "severity", "severity", Severity::ALL.iter().map(|s| s.name()), fields))
                (words(locale, "urgency", "message-urgency", Urgency::ALL.iter().rev().map(|u| u.name()), fields))
                (words(locale, "status", "message-status", Status::ALL.iter().map(|s| s.name()), fields))
                (life(locale, "message-worth", true, &LIVES, fields))
            }
            div.row {
                (names(locale, "audiences", "message-audiences", fields))
                (names(locale, "contacts", "form-contacts", fields))
            }
            p.quiet #names-hint { (locale.word("form-names-hint")) }
            (people(locale, fields))
            (texts(locale, fields))
            (line(locale, "incident", "message-incident", 200, false, fields))
        },
        Act::Correct => html! {
            (line(locale, "message", "message-id", 26, true, fields))
            (texts(locale, fields))
            (life(locale, "message-worth", true, &LIVES, fields))
        },
        Act::Cancel => line(locale, "message", "message-id", 26, true, fields),
        Act::Hold | Act::Release => gateways(scene, fields, true),
        Act::Maintenance => html! {
            div.row { (gateways(scene, fields, false)) (life(locale, "form-how-long", false, &LIVES, fields)) }
        },
        Act::Drill => html! {
            div.row { (gateways(scene, fields, false)) (life(locale, "form-how-long", false, &OF_A_DRILL, fields)) }
            // To turn real messages away is an admin's.
            @if role >= Role::Admin {
                p.check {
                    input #everybody type="checkbox" name="everybody" value="yes" checked[fields.everybody()];
                    label for="everybody" { (locale.word("form-everybody")) }
                }
            }
        },
        Act::EndDrill => gateways(scene, fields, false),
    }
}

/// A list of the contract's words.
fn words<'a>(
    locale: Locale,
    name: &str,
    label: &str,
    known: impl Iterator<Item = &'a str>,
    fields: &Fields,
) -> Markup {
    html! {
        p.field {
            label for=(name) { (locale.word(label)) }
            // How grave a message is must not be what nobody chose.
            select id=(name) name=(name) required[name == "severity"] {
                @if name == "severity" { option value="" { (locale.word("form-choose")) } }
                @for word in known {
                    option value=(word) selected[fields.get(name) == word] { (locale.word(&format!("{name}-{word}"))) }
                }
            }
        }
    }
}

/// How long: a message may be worth something for ever, planned work and a drill have an end.
fn life(locale: Locale, label: &str, for_ever: bool, lives: &[u32], fields: &Fields) -> Markup {
    let length = |minutes: u32| locale.span(Span::from_mins(i64::from(minutes)));
    html! {
        p.field {
            label for="life" { (locale.word(label)) }
            select #life name="life" {
                @if for_ever { option value="" { (locale.word("form-for-ever")) } }
                @for &minutes in lives {
                    option value=(minutes) selected[fields.get("life") == minutes.to_string()] { (length(minutes)) }
                }
            }
        }
    }
}

fn names(locale: Locale, name: &str, label: &str, fields: &Fields) -> Markup {
    html! {
        p.field {
            label for=(name) { (locale.word(label)) }
            textarea id=(name) name=(name) rows="2" dir="auto" spellcheck="false" aria-describedby="names-hint" {
                "\n" (fields.get(name))
            }
        }
    }
}

/// People who are not in the address book.
fn people(locale: Locale, fields: &Fields) -> Markup {
    let hint = [("n", Arg::Count(typed::PEOPLE_MAX as u64)), ("number", Arg::text(typed::NUMBER_SHOWN))];
    html! {
        p.field {
            label for=(typed::FIELD) { (locale.word("form-people")) }
            textarea id=(typed::FIELD) name=(typed::FIELD) rows="2" dir="auto" spellcheck="false" autocomplete="off"
                aria-describedby="people-hint" { "\n" (fields.get(typed::FIELD)) }
        }
        p.quiet #people-hint { (rich(&locale.say("form-people-hint", &hint))) }
    }
}

fn texts(locale: Locale, fields: &Fields) -> Markup {
    let limit = crate::core::message::TEXT_BYTES_MAX / 4;
    html! {
        div.row {
            @for (language, name) in TEXTS {
                p.field {
                    label for=(name) { (locale.word(&format!("form-text-{language}"))) }
                    textarea id=(name) name=(name) rows="4" lang=(language) dir="auto" maxlength=(limit) {
                        "\n" (fields.get(name))
                    }
                }
            }
        }
    }
}

fn line(locale: Locale, name: &str, label: &str, most: usize, is_id: bool, fields: &Fields) -> Markup {
    html! {
        p.field {
            label for=(name) { (locale.word(label)) }
            input id=(name) name=(name) type="text" maxlength=(most) value=(fields.get(name)) required[is_id]
                dir=(if is_id { "ltr" } else { "auto" }) spellcheck="false" autocomplete="off";
        }
    }
}

fn gateways(scene: &Scene<'_>, fields: &Fields, everything: bool) -> Markup {
    let locale = scene.locale;
    html! {
        p.field {
            label for="gateway" { (locale.word("gateway")) }
            select #gateway name="gateway" required {
                option value="" { (locale.word("form-choose")) }
                @for gateway in scene.view.gateways.iter().filter(|gateway| gateway.configured) {
                    option value=(gateway.name) selected[fields.get("gateway") == gateway.name] {
                        (gateway.name) " · " (Shown::of(gateway).word(locale))
                    }
                }
                @if everything {
                    option value=(EVERYTHING) selected[fields.get("gateway") == EVERYTHING] {
                        (locale.word("form-everything"))
                    }
                }
            }
        }
    }
}

fn reason(locale: Locale, fields: &Fields) -> Markup {
    let hint = locale.say("form-reason-hint", &[("n", Arg::Count(500))]);
    html! {
        p.field {
            label for="reason" { (locale.word("stopped-why")) }
            input #reason name="reason" type="text" maxlength="500" required dir="auto" autocomplete="off"
                value=(fields.get("reason")) aria-describedby="reason-hint";
        }
        p.quiet #reason-hint { (rich(&hint)) }
    }
}
