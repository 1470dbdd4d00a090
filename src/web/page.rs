//! The pages that show the picture as it is: each a list of panels; and the way in.

use super::frame::{Frame, Live, Place, locale_of, mark};
use super::locale::{Arg, rich};
use super::sheet::Sheet;
use crate::api::App;
use crate::api::call::{Answer, Call, not_found};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, PreEscaped, html};
use std::sync::Arc;

/// `GET /`.
pub(crate) async fn overview(app: Arc<App>, call: Call) -> Answer {
    call.query(&["lang"])?;
    let (locale, panels) = drawn(&app, &call, &Sheet::Overview);
    let title = locale.word("overview");
    let frame = Frame {
        app: &app,
        call: &call,
        locale,
        title: title.clone(),
        live: Live::Feed("/".into()),
        class: "overview",
        place: Some(Place::Overview),
        again: None,
    };
    let content = html! { h1.sr { (title) } (panels) };
    Ok(frame.respond(StatusCode::OK, content))
}

/// `GET /gateways/{name}`.
pub(crate) async fn gateway(app: Arc<App>, call: Call) -> Answer {
    call.query(&["lang"])?;
    let name = call.param("name").to_owned();
    if !app.service.view().gateways.iter().any(|gateway| gateway.name == name) {
        return Err(not_found("no gateway has this name"));
    }
    let (locale, panels) = drawn(&app, &call, &Sheet::Gateway(name.clone()));
    let frame = Frame {
        app: &app,
        call: &call,
        locale,
        title: name.clone(),
        live: Live::Feed(format!("/gateways/{name}")),
        class: "sheet",
        place: None,
        again: None,
    };
    let content = html! {
        h1.title { span.quiet { (locale.word("gateway")) } " " bdi.name dir="ltr" { (name) } }
        (panels)
    };
    Ok(frame.respond(StatusCode::OK, content))
}

/// `GET /wall`: for a screen that nobody touches.
pub(crate) async fn wall(app: Arc<App>, call: Call) -> Answer {
    call.query(&["lang"])?;
    let (locale, panels) = drawn(&app, &call, &Sheet::Wall);
    let title = locale.word("nav-wall");
    let frame = Frame {
        app: &app,
        call: &call,
        locale,
        title: title.clone(),
        live: Live::Feed("/wall".into()),
        class: "wall",
        place: None,
        again: None,
    };
    // Nothing to click: no bar, no links, no pause.
    let body = html! {
        main #main class="wall" {
            h1.sr { (title) }
            header.wall-bar {
                (mark())
                span.names { span lang="ar" { "وصل" } " " span lang="en" dir="ltr" { "Wasl" } }
                (frame.clock())
            }
            (panels)
        }
    };
    Ok(frame.respond_bare(StatusCode::OK, body))
}

/// Draws a sheet's panels in the caller's language.
pub(super) fn drawn(app: &App, call: &Call, sheet: &Sheet) -> (super::locale::Locale, Markup) {
    let locale = locale_of(call);
    let frame = app.studio.frame(&*app.service, &app.config.zone, locale, sheet);
    (locale, html! { @for (_, panel) in &frame.panels { (PreEscaped(panel)) } })
}

/// What went wrong with a login.
#[derive(Clone, Copy)]
pub(crate) enum LoginTrouble {
    /// Nothing yet.
    None,
    /// Nobody knows the token.
    WrongToken,
    /// Too many wrong ones.
    MustWait {
        /// How long, in seconds.
        secs: u32,
    },
}

/// The page that asks for a token.
pub(crate) fn login(
    app: &App,
    call: &Call,
    status: StatusCode,
    next: &str,
    trouble: LoginTrouble,
) -> Response {
    let locale = locale_of(call);
    let trouble = match trouble {
        LoginTrouble::None => None,
        LoginTrouble::WrongToken => Some(locale.word("login-wrong")),
        LoginTrouble::MustWait { secs } => {
            Some(locale.say("login-wait", &[("secs", Arg::Count(secs.into()))]))
        }
    };
    let frame = Frame {
        app,
        call,
        locale,
        title: locale.word("login-title"),
        live: Live::No,
        class: "login",
        place: None,
        again: None,
    };
    let body = html! {
        main.login {
            (mark())
            h1 { (locale.word("app-name")) }
            p.tagline { (locale.word("app-tagline")) }
            @if let Some(trouble) = trouble {
                p.trouble role="alert" #trouble { (rich(&trouble)) }
            }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                label for="token" { (locale.word("login-token")) }
                input #token type="password" name="token" dir="ltr" autocomplete="current-password" required
                    autofocus spellcheck="false" aria-describedby="hint";
                p.hint #hint { (locale.word("login-hint")) }
                button type="submit" { (locale.word("login-enter")) }
            }
            (frame.languages())
        }
    };
    frame.respond_bare(status, body)
}
