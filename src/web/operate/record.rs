//! What people did last: by whom, on what, why.
//!
//! Limit: it is looked for among the newest [`LOOKED_AT_MAX`] acts; where programs filled those, that is said.

use crate::api::App;
use crate::api::problem::Problem;
use crate::core::audit::Audit;
use crate::core::ids::MessageId;
use crate::core::query::{ActsFrom, Answer as Found, Query, ROWS_MAX};
use crate::core::reply::ReplyKind;
use crate::web::locale::{Arg, Locale, rich};
use crate::web::message::link;
use crate::web::panels::Scene;
use maud::{Markup, html};

/// How many lines are shown.
const SHOWN_MAX: usize = 12;
/// How many acts are looked at for those: a day of what an alerting system sends. Reading them takes some tens of milliseconds.
const LOOKED_AT_MAX: usize = 20 * ROWS_MAX;

/// The acts that have words: all that is noted.
pub(crate) const ACTS: &[&str] = &[
    "accept",
    "acknowledge",
    "adopt",
    "backup",
    "call-tree",
    "cancel",
    "close_help",
    "contacts",
    "correct",
    "drill",
    "drop_replies",
    "erase",
    "hold",
    "maintenance",
    "opt_in",
    "opt_out",
    "release",
    "reload",
    "reload-refused",
    "restore",
    "silence",
    "start",
    "token",
];

/// The newest acts of people.
pub(super) struct Latest {
    acts: Vec<Audit>,
    /// Whether there may be older ones that were not looked at.
    is_cut: bool,
}

/// Looks for them: what programs send, and who wants nothing more, would hide what people did.
pub(super) async fn latest(app: &App) -> Result<Latest, Problem> {
    let (mut acts, mut before, mut seen) = (Vec::new(), None, 0);
    loop {
        let asked = Query::Acts { from: ActsFrom::Before(before), limit: ROWS_MAX };
        let page = match app.service.read(asked).await? {
            Found::Acts(page) => page,
            _ => Vec::new(),
        };
        seen += page.len();
        let is_last = page.len() < ROWS_MAX;
        before = page.last().map(|link| link.number);
        acts.extend(page.into_iter().map(|link| link.audit).filter(is_of_people));
        if is_last || seen >= LOOKED_AT_MAX || acts.len() >= SHOWN_MAX {
            acts.truncate(SHOWN_MAX);
            return Ok(Latest { acts, is_cut: !is_last });
        }
    }
}

fn is_of_people(act: &Audit) -> bool {
    !["accept", ReplyKind::OptOut.name(), ReplyKind::OptIn.name()].contains(&act.act.as_str())
}

/// Draws them.
pub(super) fn draw(scene: &Scene<'_>, latest: &Latest) -> Markup {
    let locale = scene.locale;
    let columns = ["audit-when", "stopped-who", "audit-act", "audit-on", "stopped-why"];
    let none = match latest.is_cut {
        true => locale.say("audit-none-of-late", &[("n", Arg::Count(LOOKED_AT_MAX as u64))]),
        false => locale.word("audit-none"),
    };
    html! {
        section.card.wide #record aria-label=(locale.word("audit-label")) {
            h2 { (locale.word("audit-label")) }
            @if latest.acts.is_empty() { p.none { (rich(&none)) } }
            @else {
                div.scroll tabindex="0" role="region" aria-label=(locale.word("audit-label")) {
                    table {
                        thead { tr { @for column in columns { th scope="col" { (locale.word(column)) } } } }
                        tbody { @for act in &latest.acts { (row(scene, act)) } }
                    }
                }
            }
        }
    }
}

fn row(scene: &Scene<'_>, act: &Audit) -> Markup {
    html! {
        tr {
            th scope="row" { (scene.time(act.at)) }
            td { bdi { (act.who) } }
            td { (word(scene.locale, &act.act)) }
            td {
                @match act.on.parse::<MessageId>() {
                    Ok(id) => (link(id)),
                    Err(_) if act.on == "all" => (scene.locale.word("happened-everything")),
                    Err(_) => (scene.gateway_link(&act.on)),
                }
            }
            td dir="auto" { (act.reason) }
        }
    }
}

/// Writes an act in words; one that has none by its name.
fn word(locale: Locale, act: &str) -> Markup {
    html! {
        @if ACTS.contains(&act) { (locale.word(&format!("did-{act}"))) }
        @else { bdi.name lang="en" dir="ltr" { (act) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_has_its_word_in_each_language() {
        for locale in Locale::ALL {
            for act in ACTS {
                let shown = word(locale, act).into_string();
                assert!(!shown.contains("did-"), "{act}: {shown}");
                assert!(locale == Locale::En || !shown.contains(act), "{act}: {shown}");
            }
        }
        assert!(word(Locale::Ar, "unheard-of").into_string().contains("lang=\"en\""));
    }
}
