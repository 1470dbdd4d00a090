//! The page between a form and its act: what it would do, and the button that does it.

use super::effect::Effect;
use super::fields::Fields;
use super::{Act, EVERYTHING, forecast};
use crate::api::call::Call;
use crate::api::problem::{Kind, Problem};
use crate::api::show;
use crate::core::time::Timestamp;
use crate::web::locale::{Arg, rich};
use crate::web::panels::Scene;
use maud::{Markup, html};
use ring::rand::{SecureRandom, SystemRandom};

/// The bytes of a form's key: no two forms have the same.
const KEY_BYTES: usize = 16;

/// Draws what an act would do. `asked_again`: it was confirmed without the word that a stop of the last gateway needs.
pub(super) fn draw(
    scene: &Scene<'_>,
    call: &Call,
    act: Act,
    fields: &Fields,
    end: Option<&str>,
    effect: &Effect,
    asked_again: bool,
) -> Result<Markup, Problem> {
    let locale = scene.locale;
    let action = format!("/operate/{}", act.name());
    let end_name = if matches!(act, Act::Maintenance | Act::Drill) { "until" } else { "expires" };
    let label = locale.word(&format!("confirm-{}", act.name()));
    let key = key()?;
    Ok(html! {
        section.card.wide.confirm aria-label=(label) {
            h2 { (label) }
            @if asked_again { p.trouble role="alert" { (locale.word("confirm-sure-first")) } }
            (what(scene, act, fields, end))
            h3 { (locale.word("confirm-effect")) }
            @match &effect.forecast {
                Some(told) => (forecast::draw(scene, told)),
                None => ul.effects { @for (level, line) in &effect.lines { (forecast::line(*level, line)) } },
            }
            form method="post" action=(action) {
                @if let Some(csrf) = &call.caller.csrf { input type="hidden" name="csrf" value=(csrf); }
                @for (name, value) in fields.carried() { input type="hidden" name=(name) value=(value); }
                @if let Some(end) = end { input type="hidden" name=(end_name) value=(end); }
                input type="hidden" name="key" value=(key);
                @if effect.leaves_none {
                    p.check {
                        input #sure type="checkbox" name="sure" value="yes";
                        label for="sure" { (locale.word("confirm-sure")) }
                    }
                }
                p.buttons {
                    button type="submit" name="step" value="edit" { (locale.word("confirm-edit")) }
                    button.strong type="submit" name="step" value="confirm" {
                        (locale.word(&format!("do-{}", act.name())))
                    }
                }
            }
        }
    })
}

/// What was written in the form.
fn what(scene: &Scene<'_>, act: Act, fields: &Fields, end: Option<&str>) -> Markup {
    let locale = scene.locale;
    let fact = |word: &str, value: Markup| html! { div { dt { (locale.word(word)) } dd { (value) } } };
    let given = |name: &str, word: &str| {
        html! {
            @if !fields.get(name).is_empty() { (fact(word, html! { bdi dir="auto" { (fields.get(name)) } })) }
        }
    };
    let word_of = |name: &str, label: &str| {
        html! {
            @if !fields.get(name).is_empty() {
                (fact(label, html! { (locale.word(&format!("{name}-{}", fields.get(name)))) }))
            }
        }
    };
    let end_word =
        if matches!(act, Act::Maintenance | Act::Drill) { "stopped-until" } else { "message-expires" };
    html! {
        dl.facts {
            @match fields.get("gateway") {
                "" => {}
                EVERYTHING => (fact("gateway", html! { strong { (locale.word("happened-everything")) } })),
                name => (fact("gateway", scene.gateway_link(name))),
            }
            @if let Ok(id) = fields.get("message").parse() {
                (fact("message-title", crate::web::message::link(id)))
            }
            (word_of("severity", "severity"))
            (word_of("urgency", "message-urgency"))
            (word_of("status", "message-status"))
            (given("incident", "message-incident"))
            (given("audiences", "message-audiences"))
            (given("contacts", "form-contacts"))
            @if let Ok(people) = fields.people() && !people.is_empty() {
                (fact("form-people", html! { ul.people { @for person in &people { li { (rich(&person.masked(locale))) } } } }))
            }
            @if act == Act::Drill {
                @let whom = if fields.everybody() { "drill-for-everybody" } else { "drill-for-exercises" };
                (fact("drill-for", html! { strong { (locale.word(whom)) } }))
            }
            (given("reason", "stopped-why"))
            @if let Some(at) = end.and_then(instant) { (fact(end_word, until(scene, at))) }
        }
        @for (language, text) in fields.texts() {
            @let characters = ("n", Arg::Count(text.chars().count() as u64));
            p.quiet {
                (locale.word(&format!("form-text-{language}"))) " · "
                (rich(&locale.say("form-characters", &[characters])))
            }
            blockquote lang=(language) dir="auto" { (rich(&text)) }
        }
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp::from_ms(at.as_millisecond()))
}

fn until(scene: &Scene<'_>, at: Timestamp) -> Markup {
    html! { time.at dir="ltr" datetime=(show::time(at)) { (scene.zone.full(at)) } }
}

/// Draws a key for one form.
fn key() -> Result<String, Problem> {
    let mut bytes = [0u8; KEY_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        Problem::new(Kind::Unavailable, "the system has no randomness to give").retry_after(1)
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
