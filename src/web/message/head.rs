//! What a message is, how far it is, and its text, folded.

use super::{Ask, Told, link};
use crate::core::message::Status;
use crate::core::outcome::DeliveryResult;
use crate::web::locale::{Arg, rich};
use crate::web::panels::{Drawn, Level, Scene, shape_of};
use maud::{Markup, html};

pub(super) fn facts(scene: &Scene<'_>, told: &Told) -> Drawn {
    let (locale, message) = (scene.locale, &told.message);
    let fact = |word: &str, value: Markup| html! { div { dt { (locale.word(word)) } dd { (value) } } };
    let names = |names: &[String]| html! { @for name in names { bdi.name { (name) } " " } };
    let body = html! {
        h2 { (locale.word("message-facts")) }
        dl.facts {
            (fact("severity", html! { strong { (locale.severity(message.severity)) } }))
            (fact("message-urgency", html! { (locale.word(&format!("urgency-{}", message.urgency))) }))
            (fact("message-status", html! {
                (locale.word(&format!("status-{}", message.status)))
                @if matches!(message.status, Status::Exercise | Status::Test) { " " strong.drill { (locale.word("drill-tag")) } }
            }))
            (fact("message-accepted", scene.instant(message.accepted_at)))
            (fact("message-author", html! { bdi { (message.author) } }))
            @if let Some(incident) = &message.incident { (fact("message-incident", html! { bdi { (incident) } })) }
            @if let Some(expires) = message.expires { (fact("message-expires", expiry(scene, expires))) }
            @if !message.audiences.is_empty() { (fact("message-audiences", names(&message.audiences))) }
            @if let Some(template) = &message.template {
                (fact("message-template", html! { bdi.name dir="ltr" { (template.name) } }))
            }
            @for (name, value) in &message.tags {
                (fact("message-tag", html! { bdi.name dir="ltr" { (name) } ": " bdi { (value) } }))
            }
            @if let Some(corrects) = message.corrects { (fact("message-corrects", link(corrects))) }
            @if let Some(by) = told.corrected_by { (fact("message-corrected-by", link(by))) }
        }
        (acts(scene, told))
    };
    Drawn { label: locale.word("message-facts"), level: None, body }
}

fn expiry(scene: &Scene<'_>, at: crate::core::time::Timestamp) -> Markup {
    html! {
        time.at dir="ltr" datetime=(crate::api::show::time(at)) { (scene.zone.full(at)) }
        @if at <= scene.now { " " strong.late { (scene.locale.word("message-expired")) } }
    }
}

/// The ways to what may still be done about it.
fn acts(scene: &Scene<'_>, told: &Told) -> Markup {
    let (locale, id) = (scene.locale, told.message.id);
    let open = told.progress.open && told.progress.withdrawn.is_none();
    html! {
        @if open || told.corrected_by.is_none() {
            p.acts {
                @if open { a.act href=(format!("/operate?act=cancel&message={id}")) { (locale.word("act-cancel")) } " " }
                @if told.corrected_by.is_none() {
                    a.act href=(format!("/operate?act=correct&message={id}")) { (locale.word("act-correct")) }
                }
            }
        }
    }
}

pub(super) fn progress(scene: &Scene<'_>, told: &Told) -> Drawn {
    let (locale, progress) = (scene.locale, &told.progress);
    let all = u64::from(told.message.recipients);
    let ended: u64 = progress.settled.iter().map(|n| u64::from(*n)).sum();
    let open = all.saturating_sub(ended);
    let arrived = u64::from(progress.settled[DeliveryResult::Delivered as usize])
        + u64::from(progress.settled[DeliveryResult::Acknowledged as usize]);
    let sentence = [
        ("n", Arg::Count(all)),
        ("arrived", Arg::text(locale.number(arrived))),
        ("open", Arg::text(locale.number(open))),
    ];
    let row = |shape: Markup, word: String, n: u64| {
        html! {
            tr { th scope="row" { (shape) " " (word) } td.count { bdi { (locale.number(n)) } } }
        }
    };
    let body = html! {
        h2 { (locale.word("message-progress")) }
        p.lead { (rich(&locale.say("message-sentence", &sentence))) }
        (bar(told, all))
        table {
            tbody {
                @for (result, n) in DeliveryResult::ALL.into_iter().zip(progress.settled) {
                    @if n > 0 { (row(shape_of(result).shape(), locale.result(result), n.into())) }
                }
                @if open > 0 { (row(html! {}, locale.word("result-open"), open)) }
                @if progress.late > 0 {
                    tr {
                        th scope="row" { strong.late { (locale.word("message-late")) } }
                        td.count { bdi { (locale.number(progress.late.into())) } }
                    }
                }
            }
        }
        @if let Some(withdrawn) = progress.withdrawn {
            p { strong { (locale.word(&format!("withdrawn-{withdrawn}"))) } }
        }
        @if progress.escalated { p.quiet { (locale.word("message-escalated")) } }
    };
    let level = if progress.late > 0 { Some(Level::Act) } else { None };
    Drawn { label: locale.word("message-progress"), level, body }
}

/// How many ended how, as one bar: a drawing of the table under it.
fn bar(told: &Told, all: u64) -> Markup {
    let mut at = 0;
    let mut parts = Vec::new();
    for (result, n) in DeliveryResult::ALL.into_iter().zip(told.progress.settled) {
        let width = u64::from(n) * 1_000 / all.max(1);
        parts.push((at, width, shape_of(result).name()));
        at += width;
    }
    html! {
        svg.share viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.ground width="1000" height="12" {}
            @for (from, width, class) in parts.into_iter().filter(|(_, width, _)| *width > 0) {
                rect class=(format!("fill {class}")) x=(from) width=(width) height="12" {}
            }
        }
    }
}

pub(super) fn text(scene: &Scene<'_>, told: &Told, ask: &Ask) -> Drawn {
    let (locale, message) = (scene.locale, &told.message);
    let other = Ask { text: !ask.text, ..ask.clone() };
    let languages: Vec<String> = message.text.keys().cloned().collect();
    let count = ("n", Arg::Count(languages.len() as u64));
    let args = [count, ("languages", Arg::text(languages.join(", ")))];
    let body = html! {
        h2 { (locale.word("message-text")) }
        @if message.text.is_empty() {
            p.none { (locale.word("message-no-text")) }
        } @else {
            p { (rich(&locale.say("message-languages", &args))) }
            @if ask.text {
                @for (language, text) in &message.text {
                    // Its base alone is put into the page: the rest of a tag is the sender's.
                    @let base = language.split('-').next().unwrap_or_default();
                    p.quiet { bdi.name dir="ltr" { (language) } }
                    blockquote lang=(base) dir="auto" { (rich(text)) }
                }
            }
            p.acts { a.act href=(other.address()) { (locale.word(if ask.text { "text-fold" } else { "text-show" })) } }
        }
    };
    Drawn { label: locale.word("message-text"), level: None, body }
}
