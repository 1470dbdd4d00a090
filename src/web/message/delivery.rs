//! A delivery: to whom (masked), what was tried, what came back, how it ended, and why this gateway and not another.

use super::{Ask, DELIVERIES_MAX, Told};
use crate::api::address::mask;
use crate::core::outcome::{Outcome, ReceiptKind};
use crate::core::query::DeliveryStory;
use crate::core::record::{Attempt, Plan, Repeat, Standing};
use crate::core::time::Timestamp;
use crate::core::view::State;
use crate::web::locale::{Arg, rich};
use crate::web::panels::{Drawn, Scene, Shown, shape_of};
use maud::{Markup, html};

/// With so few on a page, each is shown open.
const OPEN_MAX: usize = 3;

pub(super) fn list(scene: &Scene<'_>, told: &Told, ask: &Ask) -> Drawn {
    let locale = scene.locale;
    let is_open = told.stories.len() <= OPEN_MAX;
    let body = html! {
        h2 { (locale.word("nav-deliveries")) }
        (pages(scene, told, ask))
        @if told.stories.is_empty() { p.none { (locale.word("deliveries-gone")) } }
        @for story in &told.stories { (one(scene, story, is_open)) }
        @if told.stories.len() > OPEN_MAX { (pages(scene, told, ask)) }
    };
    Drawn { label: locale.word("nav-deliveries"), level: None, body }
}

/// The ways to the other deliveries.
fn pages(scene: &Scene<'_>, told: &Told, ask: &Ask) -> Markup {
    let (locale, all) = (scene.locale, told.message.recipients);
    let ask = Ask { delivery: None, after: None, ..ask.clone() };
    let shown = told.stories.first().zip(told.stories.last());
    let before = shown.and_then(|(first, _)| first.id.index.checked_sub(1));
    let earlier = |last: u32| Ask { after: (last + 1).checked_sub(DELIVERIES_MAX as u32 + 1), ..ask.clone() };
    let after = shown.map(|(_, last)| last.id.index).filter(|last| last + 1 < all);
    let number = |index: u32| Arg::text(locale.number(u64::from(index) + 1));
    html! {
        nav.pages aria-label=(locale.word("pages-label")) {
            @if let Some((first, last)) = shown {
                @let args = [
                    ("from", number(first.id.index)),
                    ("to", number(last.id.index)),
                    ("n", Arg::text(locale.number(all.into()))),
                ];
                span { (rich(&locale.say("pages-shown", &args))) }
            }
            @if let Some(before) = before {
                a rel="prev" href=(earlier(before).address()) { (locale.word("pages-before")) }
            }
            @if let Some(after) = after {
                a rel="next" href=(Ask { after: Some(after), ..ask.clone() }.address()) { (locale.word("pages-after")) }
            }
        }
    }
}

fn one(scene: &Scene<'_>, story: &DeliveryStory, is_open: bool) -> Markup {
    let locale = scene.locale;
    let id = format!("d-{}", story.id.index);
    html! {
        details.delivery id=(id) open[is_open] {
            summary { (summary(scene, story)) }
            ol.story { @for item in timeline(scene, story) { (item) } }
            @if story.attempts.is_empty() { p.none { (locale.word("delivery-untried")) } }
            @for (number, plan) in &story.plans { (why(scene, story, *number, plan)) }
        }
    }
}

/// Who, and how it stands: in one line.
fn summary(scene: &Scene<'_>, story: &DeliveryStory) -> Markup {
    let locale = scene.locale;
    let settled = story.delivery.as_ref().and_then(|delivery| delivery.result);
    let in_flight = story.attempts.iter().any(|attempt| attempt.outcome.is_none());
    html! {
        span.number dir="ltr" { "#" (story.id.index) } " "
        @match settled {
            Some(settled) => {
                span.state { (shape_of(settled.result).shape()) (locale.result(settled.result)) }
                @if let Some(channel) = settled.channel { " " span { (locale.channel(channel)) } }
            }
            None => {
                @let (state, word) = match (in_flight, story.attempts.is_empty()) {
                    (true, _) => (State::Recovering, "standing-in_flight"),
                    (_, true) => (State::Unknown, "standing-waiting"),
                    _ => (State::Recovering, "result-open"),
                };
                span.state { (Shown::State(state).shape()) (locale.word(word)) }
            }
        }
        " "
        span.quiet {
            @for (channel, address) in &story.recipient.addresses {
                span.part { (locale.channel(*channel)) " " bdi dir="ltr" { (mask(*channel, address)) } }
            }
            @if let Some(language) = &story.recipient.language { span.part { bdi.name dir="ltr" { (language) } } }
            @if let Some(region) = &story.recipient.region { span.part { bdi { (region) } } }
        }
    }
}

/// What happened to it, in the order of time.
fn timeline(scene: &Scene<'_>, story: &DeliveryStory) -> Vec<Markup> {
    let mut items: Vec<(Timestamp, u8, Markup)> = Vec::new();
    for attempt in &story.attempts {
        items.push((attempt.at, 0, sent(scene, attempt)));
        if let Some((outcome, at)) = &attempt.outcome {
            items.push((*at, 1, answered(scene, attempt, outcome, *at)));
        }
    }
    for (n, kind, at) in &story.receipts {
        items.push((*at, 2, receipt(scene, story, *n, *kind, *at)));
    }
    if let Some(settled) = story.delivery.as_ref().and_then(|delivery| delivery.result) {
        let locale = scene.locale;
        let text = html! {
            strong { (locale.result(settled.result)) }
            @if let Some(reason) = settled.reason { ": " (locale.reason(reason)) }
            @if settled.duplicated { " · " (locale.word("delivery-duplicated")) }
        };
        items.push((settled.at, 3, item(scene, shape_of(settled.result), settled.at, text)));
    }
    items.sort_by_key(|(at, order, _)| (*at, *order));
    items.into_iter().map(|(_, _, item)| item).collect()
}

fn item(scene: &Scene<'_>, shown: Shown, at: Timestamp, text: Markup) -> Markup {
    html! {
        li {
            (shown.shape())
            div {
                p { (scene.time(at)) " " span { (text) } }
                p.quiet { (scene.ago(at)) }
            }
        }
    }
}

fn sent(scene: &Scene<'_>, attempt: &Attempt) -> Markup {
    let locale = scene.locale;
    let repeat = match attempt.repeat {
        Repeat::No => None,
        Repeat::AfterUnknown => Some("repeat-after_unknown"),
        Repeat::AfterWait => Some("repeat-after_wait"),
        Repeat::Together => Some("repeat-together"),
        Repeat::AfterFailure => Some("repeat-after_failure"),
    };
    let args = [
        ("attempt", Arg::text(locale.number(attempt.id.n.into()))),
        ("step", Arg::text(locale.number(u64::from(attempt.step) + 1))),
    ];
    let text = html! {
        (rich(&locale.say("attempt-sent", &args))) " " (scene.gateway_link(&attempt.gateway)) " "
        span.quiet { "(" (locale.channel(attempt.channel)) ")" }
        @if let Some(repeat) = repeat { " · " (locale.word(repeat)) }
    };
    item(scene, Shown::State(State::Recovering), attempt.at, text)
}

fn answered(scene: &Scene<'_>, attempt: &Attempt, outcome: &Outcome, at: Timestamp) -> Markup {
    let locale = scene.locale;
    let state = match outcome {
        Outcome::Accepted { .. } => State::Up,
        Outcome::Deferred { .. } => State::Degraded,
        Outcome::Rejected { .. } => State::Down,
        Outcome::Unknown { .. } => State::Unknown,
    };
    let args = [
        ("attempt", Arg::text(locale.number(attempt.id.n.into()))),
        ("after", Arg::text(locale.span_after(at.since(attempt.at)))),
        ("what", Arg::text(locale.word(&format!("outcome-{}", outcome.name())))),
    ];
    let text = html! {
        (rich(&locale.say("attempt-answered", &args)))
        @if let Some(reason) = outcome.reason() { ": " (locale.reason(reason)) }
    };
    item(scene, Shown::State(state), at, text)
}

fn receipt(scene: &Scene<'_>, story: &DeliveryStory, n: u16, kind: ReceiptKind, at: Timestamp) -> Markup {
    let locale = scene.locale;
    let state = match kind {
        ReceiptKind::Failed => State::Down,
        ReceiptKind::Sent => State::Recovering,
        ReceiptKind::Delivered | ReceiptKind::Read | ReceiptKind::Acknowledged => State::Up,
    };
    let sent_at = story.attempts.iter().find(|attempt| attempt.id.n == n).map(|attempt| attempt.at);
    let args = [
        ("attempt", Arg::text(locale.number(n.into()))),
        ("what", Arg::text(locale.word(&format!("receipt-{kind}")))),
        ("after", Arg::text(locale.span_after(at.since(sent_at.unwrap_or(at))))),
    ];
    item(scene, Shown::State(state), at, rich(&locale.say("attempt-receipt", &args)))
}

/// Why this gateway and not the others: the plan as it was stored with the attempts that followed it.
fn why(scene: &Scene<'_>, story: &DeliveryStory, number: u32, plan: &Plan) -> Markup {
    let locale = scene.locale;
    let taken: Vec<&Attempt> = story.attempts.iter().filter(|attempt| attempt.plan == number).collect();
    let args = [
        ("rule", Arg::text(&*plan.rule)),
        ("step", Arg::text(locale.number(u64::from(plan.step) + 1))),
        ("policy", Arg::text(&*plan.policy)),
        ("at", Arg::text(scene.time_text(plan.at))),
    ];
    html! {
        div.scroll tabindex="0" role="region" aria-label=(locale.word("why-label")) {
            table.why {
                caption { strong { (locale.word("why-label")) } " " (rich(&locale.say("why-rule", &args))) }
                thead {
                    tr {
                        th scope="col" { (locale.word("gateway")) }
                        th scope="col" { (locale.word("why-then")) }
                        th.count scope="col" { (locale.word("odds")) }
                    }
                }
                tbody {
                    @for ranked in &plan.ranking {
                        @let attempts: Vec<_> = taken.iter().filter(|a| a.gateway == ranked.gateway).collect();
                        tr.taken[!attempts.is_empty()] {
                            th scope="row" {
                                (scene.gateway_link(&ranked.gateway)) " "
                                span.quiet { (locale.channel(ranked.channel)) }
                            }
                            td {
                                (Shown::State(standing_state(ranked.standing)).shape()) " "
                                @if attempts.is_empty() { (locale.word(standing(ranked.standing))) }
                                @else {
                                    strong { (locale.word("why-taken")) }
                                    @if ranked.standing != Standing::Eligible {
                                        " · " (locale.word(standing(ranked.standing)))
                                    }
                                }
                            }
                            td.count { bdi { (locale.percent(f64::from(ranked.health_permille) / 1_000.0)) } }
                        }
                    }
                }
            }
        }
    }
}

const fn standing_state(standing: Standing) -> State {
    match standing {
        Standing::Eligible | Standing::LaterStep => State::Up,
        Standing::Doubtful | Standing::Deferred | Standing::QuotaExhausted | Standing::Drill => {
            State::Degraded
        }
        Standing::Down | Standing::UplinkDown | Standing::Refused => State::Down,
        Standing::Held
        | Standing::Maintenance
        | Standing::Forbidden
        | Standing::NoAddress
        | Standing::Removed => State::Unknown,
    }
}

const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Eligible => "rank-eligible",
        Standing::LaterStep => "rank-later_step",
        Standing::Doubtful => "rank-doubtful",
        Standing::Down => "rank-down",
        Standing::Held => "rank-held",
        Standing::Maintenance => "rank-maintenance",
        Standing::Drill => "rank-drill",
        Standing::Deferred => "rank-deferred",
        Standing::QuotaExhausted => "rank-quota_exhausted",
        Standing::UplinkDown => "rank-uplink_down",
        Standing::Forbidden => "rank-forbidden",
        Standing::NoAddress => "rank-no_address",
        Standing::Refused => "rank-refused",
        Standing::Removed => "rank-removed",
    }
}
