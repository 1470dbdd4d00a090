//! What a gateway's provider says of itself: shown beside the evidence and apart from it, since it is not what we saw.
//!
//! Invariant: a title is somebody else's words, so it is escaped, isolated and marked as a quotation.

use super::{Scene, Shown};
use crate::core::evidence::Verdict;
use crate::core::hearsay::Word;
use crate::core::view::{GatewayView, ProbeView, State};
use maud::{Markup, html};

/// Draws it; nothing where no page of the provider is read.
pub(super) fn draw(scene: &Scene<'_>, gateway: &GatewayView) -> Markup {
    let locale = scene.locale;
    let pages: Vec<_> = gateway.probes.iter().filter(|probe| probe.verdict.is_hearsay()).collect();
    html! {
        @if !pages.is_empty() {
            h3 { (locale.word("hearsay")) }
            p.quiet { (locale.word("hearsay-hint")) }
            @for page in pages { (said(scene, page)) }
        }
    }
}

fn said(scene: &Scene<'_>, page: &ProbeView) -> Markup {
    let locale = scene.locale;
    let (state, word, title) = match &page.verdict {
        Verdict::Says(told) => (state_of(told.word()), word_of(told.word()), told.title()),
        _ => (State::Unknown, "says-nothing", ""),
    };
    let state = if page.valid { state } else { State::Unknown };
    html! {
        p.hearsay {
            span.state { (Shown::State(state).shape()) span.word { (locale.word(word)) } }
            @if !title.is_empty() { " " q { bdi dir="auto" { (title) } } }
            @if let Some(reason) = page.verdict.reason() { " " span.quiet { (locale.reason(reason)) } }
            span.note {
                bdi.name dir="ltr" { (page.name) } " " (scene.ago(page.at))
                @if !page.valid { " · " (locale.word("probe-old")) }
            }
        }
    }
}

/// Returns the shape of a word: as far as doubt, never as far as down, which only we can see.
const fn state_of(word: Word) -> State {
    match word {
        Word::Fine => State::Up,
        Word::Planned | Word::Maintenance => State::Unknown,
        Word::Degraded | Word::Partial | Word::Major => State::Degraded,
    }
}

const fn word_of(word: Word) -> &'static str {
    match word {
        Word::Fine => "says-fine",
        Word::Planned => "says-planned",
        Word::Maintenance => "says-maintenance",
        Word::Degraded => "says-degraded",
        Word::Partial => "says-partial",
        Word::Major => "says-major",
    }
}
