//! The page as a whole: head, bar, panels, foot; and the way in.

use super::assets::url;
use super::feed::BEAT;
use super::locale::{Arg, Locale, rich};
use crate::api::App;
use crate::api::access::cookie;
use crate::api::call::{Answer, Call};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::sync::Arc;

/// The cookie that remembers the language.
const LANG_COOKIE: &str = "wasl_lang";
/// How often the page renews itself where scripts do not run.
const REFRESH_SECS: &str = "15";
/// Only what we serve ourselves, nothing inline, in nobody's frame. Cites: W3C Content Security Policy level 3.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                   form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Chooses the page's language: what the address says, else the cookie, else what the browser asks for.
pub(crate) fn locale_of(call: &Call) -> Locale {
    let asked =
        call.query(&["lang", "next"]).ok().and_then(|query| query.text("lang").and_then(Locale::from_tag));
    asked
        .or_else(|| cookie(&call.parts.headers, LANG_COOKIE).and_then(Locale::from_tag))
        .or_else(|| call.header(&header::ACCEPT_LANGUAGE).and_then(Locale::accepted))
        .unwrap_or(Locale::En)
}

/// `GET /`.
pub(crate) async fn overview(app: Arc<App>, call: Call) -> Answer {
    call.query(&["lang"])?;
    let locale = locale_of(&call);
    let frame = app.studio.frame(&*app.service, &app.config.zone, locale);
    let panels = html! {
        @for (_, panel) in &frame.panels { (PreEscaped(panel)) }
    };
    let body = html! {
        (bar(&app, &call, locale))
        main #overview tabindex="-1" { (panels) }
        (foot(&app, locale))
    };
    Ok(respond(&app, &call, locale, StatusCode::OK, &locale.word("overview"), Live::Yes, body))
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
            (languages(locale))
        }
    };
    respond(app, call, locale, status, &locale.word("login-title"), Live::No, body)
}

/// Whether a page follows what happens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Live {
    Yes,
    No,
}

fn bar(app: &App, call: &Call, locale: Locale) -> Markup {
    let clock = app.config.zone.clock(app.service.now());
    html! {
        a.skip href="#overview" { (locale.word("skip")) }
        header.bar {
            a.brand href="/" aria-label=(locale.word("app-name")) {
                (mark())
                span.names { span lang="ar" { "وصل" } " " span lang="en" dir="ltr" { "Wasl" } }
            }
            p.tagline { (locale.word("app-tagline")) }
            div.tools {
                p.clock {
                    span.beat #beat aria-hidden="true" {}
                    span #live-word { (locale.word("as-of")) } " "
                    bdi #clock dir="ltr" { (clock) }
                }
                button #pause type="button" hidden data-pause=(locale.word("pause")) data-resume=(locale.word("resume")) {
                    (locale.word("pause"))
                }
                (languages(locale))
                @if let Some(csrf) = &call.caller.csrf {
                    form method="post" action="/logout" {
                        input type="hidden" name="csrf" value=(csrf);
                        button type="submit" { (locale.word("logout")) }
                    }
                }
            }
        }
    }
}

/// The links to the other language, and in Arabic to the other digits.
fn languages(locale: Locale) -> Markup {
    let other = if locale == Locale::En { Locale::Ar } else { Locale::En };
    html! {
        nav.languages aria-label="العربية / English" {
            @if locale != Locale::En {
                @let (digits, shown) = match locale {
                    Locale::Ar => (Locale::ArIndic, "٠١٢"),
                    Locale::ArIndic | Locale::En => (Locale::Ar, "012"),
                };
                a href=(format!("?lang={}", digits.tag())) aria-label=(locale.word("digits-label")) { (shown) }
            }
            a href=(format!("?lang={}", other.tag())) hreflang=(other.language()) lang=(other.language()) {
                (locale.word("language-other"))
            }
        }
    }
}

fn foot(app: &App, locale: Locale) -> Markup {
    let view = app.service.view();
    let policy = locale.say("footer-policy", &[("hash", Arg::text(&*view.policy))]);
    let version = locale.say("footer-version", &[("version", Arg::text(env!("CARGO_PKG_VERSION")))]);
    html! {
        footer {
            noscript { p { (locale.word("no-script")) } }
            p { (rich(&version)) " · " (rich(&policy)) }
        }
    }
}

/// The mark: a message that finds its way around a broken line.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" aria-hidden="true" focusable="false" {
            circle.end cx="5" cy="16" r="3.5" {}
            circle.end cx="27" cy="16" r="3.5" {}
            path.broken d="M9.5 16h3M19.5 16h3" {}
            path.way d="M7.5 12.5C11 5.5 21 5.5 24.5 12.5" {}
        }
    }
}

fn respond(
    app: &App,
    call: &Call,
    locale: Locale,
    status: StatusCode,
    title: &str,
    live: Live,
    body: Markup,
) -> Response {
    let beat_ms = BEAT.as_millis().to_string();
    let page = html! {
        (DOCTYPE)
        html lang=(locale.language()) dir=(locale.dir()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · " (locale.word("app-name")) }
                link #icon rel="icon" type="image/svg+xml" href=(url("calm.svg"))
                    data-calm=(url("calm.svg")) data-watch=(url("watch.svg")) data-act=(url("act.svg"))
                    data-stale=(url("stale.svg"));
                link rel="stylesheet" href=(url("wasl.css"));
                @if live == Live::Yes {
                    noscript { meta http-equiv="refresh" content=(REFRESH_SECS); }
                    script type="module" src=(url("wasl.js")) {}
                }
            }
            @if live == Live::Yes {
                body data-feed=(format!("/feed?lang={}", locale.tag())) data-beat=(beat_ms)
                    data-as-of=(locale.word("as-of")) data-stale-since=(locale.word("stale-since"))
                    data-stale=(locale.word("stale")) data-paused=(locale.word("paused")) { (body) }
            } @else {
                body { (body) }
            }
        }
    };
    let mut response = (status, page.into_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(locale.language()));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let asked = call.query(&["lang", "next"]).is_ok_and(|query| query.text("lang").is_some());
    if asked {
        let secure = if app.config.secure() { "; Secure" } else { "" };
        let cookie = format!(
            "{LANG_COOKIE}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}",
            locale.tag()
        );
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            headers.insert(header::SET_COOKIE, cookie);
        }
    }
    response
}
