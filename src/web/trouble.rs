//! The page that is shown where there is none: what went wrong in the reader's language, and the way back.
//!
//! It is shown to whoever asks, so it tells nothing of the service: neither its state nor the policy in force.

use super::frame::{Frame, Live, locale_of, mark};
use crate::api::App;
use crate::api::call::Call;
use crate::api::problem::{Kind, Problem};
use axum::response::Response;
use maud::html;

/// Draws it.
pub(crate) fn page(app: &App, call: &Call, problem: &Problem) -> Response {
    let locale = locale_of(call);
    let is_nothing = problem.kind() == Kind::NotFound;
    let what = match is_nothing {
        true => "page-none".to_owned(),
        false => format!("problem-{}", problem.kind().name()),
    };
    let frame = Frame {
        app,
        call,
        locale,
        title: locale.word(&what),
        live: Live::No,
        class: "login",
        place: None,
        again: None,
    };
    let body = html! {
        main.login #main {
            (mark())
            h1 { (frame.title) }
            @if is_nothing { p.tagline { (locale.word("page-none-why")) } }
            @else { p.tagline { bdi lang="en" dir="ltr" { (problem.detail()) } } }
            p { a href="/" { (locale.word("way-back")) } }
            @if is_nothing { p { a href="/deliveries" { (locale.word("way-find")) } } }
            (frame.languages())
        }
    };
    frame.respond_bare(problem.kind().status(), body)
}
