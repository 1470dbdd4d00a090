//! The deliveries that somebody seeks by state, channel, gateway, severity, incident or exercise: the form and the list.
//!
//! Limit: [`FOUND_MAX`] deliveries a page. What is shown of one is what the list of the interface shows: nobody's address.

use super::locale::{Arg, Locale, rich};
use super::panels::{Scene, Shown, shape_of};
use crate::api::deliveries::{STATES, Sought, Walked, result_of, state_word};
use crate::api::intake::NAME_CHARS_MAX;
use crate::core::channel::Channel;
use crate::core::message::{Message, Severity};
use crate::core::outcome::DeliveryResult;
use crate::core::query::DeliveryStory;
use crate::core::view::State;
use maud::{Markup, html};

/// How many deliveries one page lists.
pub(super) const FOUND_MAX: usize = 50;

/// Draws the form with what was chosen.
pub(super) fn form(scene: &Scene<'_>, sought: &Sought) -> Markup {
    let locale = scene.locale;
    let states =
        STATES.map(|state| (state_word(state), state_in_words(locale, state), sought.state == Some(state)));
    let channels = Channel::ALL
        .into_iter()
        .filter(|channel| scene.view.gateways.iter().any(|gateway| gateway.channel == *channel))
        .map(|channel| (channel.name(), locale.channel(channel), sought.channel == Some(channel)));
    let known = scene.view.gateways.iter().map(|gateway| gateway.name.as_str());
    // One that is gone from the files may still have sent what is sought.
    let gone = sought.gateway.as_deref().filter(|name| known.clone().all(|known| known != *name));
    let gateways =
        known.chain(gone).map(|name| (name, name.to_owned(), sought.gateway.as_deref() == Some(name)));
    let severities = Severity::ALL
        .iter()
        .map(|severity| (severity.name(), locale.severity(*severity), sought.severity == Some(*severity)));
    let kinds = [("false", "found-meant"), ("true", "found-exercises")]
        .map(|(value, word)| (value, locale.word(word), sought.drill == Some(value == "true")));
    let incident = sought.incident.as_deref().unwrap_or_default();
    html! {
        form.seek.card.wide method="get" action="/deliveries" role="search" aria-label=(locale.word("found-seek")) {
            div.row {
                (choice(locale, "state", "found-state", states.into_iter()))
                (choice(locale, "channel", "channel", channels))
                (choice(locale, "gateway", "gateway", gateways))
                (choice(locale, "severity", "severity", severities))
                (choice(locale, "drill", "message-status", kinds.into_iter()))
                p.field {
                    label for="incident" { (locale.word("message-incident")) }
                    input #incident type="text" name="incident" dir="auto" maxlength=(NAME_CHARS_MAX) value=(incident)
                        spellcheck="false" autocomplete="off";
                }
            }
            p.buttons { button type="submit" { (locale.word("found-go")) } }
        }
    }
}

fn choice<'a>(
    locale: Locale,
    name: &str,
    label: &str,
    known: impl Iterator<Item = (&'a str, String, bool)>,
) -> Markup {
    html! {
        p.field {
            label for=(name) { (locale.word(label)) }
            select id=(name) name=(name) {
                option value="" { (locale.word("found-any")) }
                @for (value, word, is_chosen) in known { option value=(value) selected[is_chosen] { (word) } }
            }
        }
    }
}

/// Draws what was found; `next`: the way to what is older.
pub(super) fn list(scene: &Scene<'_>, walked: &Walked, next: Option<&str>) -> Markup {
    let locale = scene.locale;
    let columns = [
        "open-delivery",
        "severity",
        "message-accepted",
        "found-state",
        "found-road",
        "found-attempts",
        "message-incident",
    ];
    let count = [("n", Arg::Count(walked.rows.len() as u64))];
    let none = if next.is_some() { "found-none-yet" } else { "found-none" };
    html! {
        section.card.wide #found aria-label=(locale.word("found-label")) {
            h2 { (locale.word("found-label")) }
            @if walked.rows.is_empty() { p.none role="status" { (locale.word(none)) } }
            @else {
                p.quiet role="status" { (rich(&locale.say("found-count", &count))) }
                div.scroll tabindex="0" role="region" aria-label=(locale.word("found-label")) {
                    table {
                        thead { tr { @for column in columns { th scope="col" { (locale.word(column)) } } } }
                        tbody { @for (message, story) in &walked.rows { (row(scene, message, story)) } }
                    }
                }
            }
            @if let Some(next) = next {
                nav.pages aria-label=(locale.word("pages-label")) {
                    a rel="next" href=(next) { (locale.word("pages-older")) }
                }
            }
        }
    }
}

fn row(scene: &Scene<'_>, message: &Message, story: &DeliveryStory) -> Markup {
    let locale = scene.locale;
    let settled = story.delivery.as_ref().and_then(|delivery| delivery.result);
    let latest = story.attempts.last();
    let answered = latest.and_then(|attempt| attempt.outcome.as_ref());
    let reason =
        settled.map_or_else(|| answered.and_then(|(outcome, _)| outcome.reason()), |settled| settled.reason);
    let result = result_of(story);
    let shown = result.map_or(Shown::State(State::Recovering), shape_of);
    html! {
        tr {
            th scope="row" {
                (scene.delivery_link(story.id))
                @if message.status.is_drill() { " " strong.drill { (locale.word("drill-tag")) } }
            }
            td { (locale.severity(message.severity)) }
            td { (scene.time(message.accepted_at)) " " span.quiet { (scene.ago(message.accepted_at)) } }
            td {
                span.state { (shown.shape()) (state_in_words(locale, result)) }
                @if let Some(reason) = reason { " " span.quiet { (locale.reason(reason)) } }
            }
            td {
                @match latest {
                    Some(attempt) => {
                        (scene.gateway_link(&attempt.gateway)) " " span.quiet { (locale.channel(attempt.channel)) }
                    }
                    None => span.quiet { (locale.word("delivery-untried")) },
                }
            }
            td.count { bdi { (locale.number(story.attempts.len() as u64)) } }
            td { @if let Some(incident) = &message.incident { bdi { (incident) } } }
        }
    }
}

fn state_in_words(locale: Locale, state: Option<DeliveryResult>) -> String {
    state.map_or_else(|| locale.word("result-open"), |result| locale.result(result))
}
