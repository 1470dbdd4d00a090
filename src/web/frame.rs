//! What every page has around it: the head, the bar with the ways to the other pages, the clock, the languages; the foot.

use super::assets::url;
use super::feed::BEAT;
use super::locale::{Arg, Locale, rich};
use super::panels::shapes;
use crate::api::App;
use crate::api::access::cookie;
use crate::api::call::Call;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

/// The cookie that remembers the language.
const LANG_COOKIE: &str = "wasl_lang";
/// How often a page renews itself where scripts do not run.
const REFRESH_SECS: &str = "15";
/// Only what we serve ourselves, nothing inline, in nobody's frame. Cites: W3C Content Security Policy level 3.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                   form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Chooses a page's language: what the address says, else the cookie, else what the browser asks for.
pub(crate) fn locale_of(call: &Call) -> Locale {
    let asked = call.asked("lang").as_deref().and_then(Locale::from_tag);
    asked
        .or_else(|| cookie(&call.parts.headers, LANG_COOKIE).and_then(Locale::from_tag))
        .or_else(|| call.header(&header::ACCEPT_LANGUAGE).and_then(Locale::accepted))
        .unwrap_or(Locale::En)
}

/// A page of the bar.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Deliveries,
    Outages,
    Operate,
    Wall,
}

impl Place {
    const ALL: [Place; 5] = [Place::Overview, Place::Deliveries, Place::Outages, Place::Operate, Place::Wall];

    const fn path(self) -> &'static str {
        match self {
            Place::Overview => "/",
            Place::Deliveries => "/deliveries",
            Place::Outages => "/outages",
            Place::Operate => "/operate",
            Place::Wall => "/wall",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Place::Overview => "overview",
            Place::Deliveries => "nav-deliveries",
            Place::Outages => "nav-outages",
            Place::Operate => "nav-operate",
            Place::Wall => "nav-wall",
        }
    }
}

/// What a page does as time goes on.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Live {
    /// It stands still.
    No,
    /// Its panels follow the feed of this address of ours; without script it renews itself.
    Feed(String),
    /// The same, but it never renews itself: somebody may be writing on it.
    FeedOnly(String),
}

/// A page to be, all but its content.
pub(super) struct Frame<'a> {
    pub(super) app: &'a App,
    pub(super) call: &'a Call,
    pub(super) locale: Locale,
    pub(super) title: String,
    pub(super) live: Live,
    /// The class of its main part.
    pub(super) class: &'static str,
    /// Which page of the bar it is, or belongs to.
    pub(super) place: Option<Place>,
    /// Where the same page is in another language, to which the language is added; `None`: the address asked for.
    pub(super) again: Option<String>,
}

impl Frame<'_> {
    /// Answers with the page: the bar, this content, the foot.
    pub(super) fn respond(&self, status: StatusCode, content: Markup) -> Response {
        let body = html! {
            (self.bar())
            main #main tabindex="-1" class=(self.class) { (content) }
            (self.foot())
        };
        self.respond_bare(status, body)
    }

    /// Answers with nothing but this in the body.
    pub(super) fn respond_bare(&self, status: StatusCode, body: Markup) -> Response {
        let mut response = (status, self.whole(body).into_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(self.locale.language()));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        if self.call.asked("lang").is_some() {
            let secure = if self.app.config.secure() { "; Secure" } else { "" };
            let cookie = format!(
                "{LANG_COOKIE}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}",
                self.locale.tag()
            );
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                headers.insert(header::SET_COOKIE, cookie);
            }
        }
        response
    }

    fn whole(&self, body: Markup) -> Markup {
        let locale = self.locale;
        let beat_ms = BEAT.as_millis().to_string();
        let (feed, renews) = match &self.live {
            Live::No => (None, false),
            Live::Feed(of) => (Some(of), true),
            Live::FeedOnly(of) => (Some(of), false),
        };
        html! {
            (DOCTYPE)
            html lang=(locale.language()) dir=(locale.dir()) class=[(self.class == "wall").then_some("wall")] {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · " (locale.word("app-name")) }
                    link #icon rel="icon" type="image/svg+xml" href=(url("calm.svg"))
                        data-calm=(url("calm.svg")) data-watch=(url("watch.svg")) data-act=(url("act.svg"))
                        data-stale=(url("stale.svg"));
                    link rel="stylesheet" href=(url("wasl.css"));
                    @if renews { noscript { meta http-equiv="refresh" content=(REFRESH_SECS); } }
                    @if feed.is_some() { script type="module" src=(url("wasl.js")) {} }
                }
                @if let Some(of) = feed {
                    @let address = format!("/feed?lang={}&of={}", locale.tag(), encoded(of));
                    body data-feed=(address) data-beat=(beat_ms)
                        data-as-of=(locale.word("as-of")) data-stale-since=(locale.word("stale-since"))
                        data-stale=(locale.word("stale")) data-paused=(locale.word("paused")) { (shapes()) (body) }
                } @else {
                    body { (shapes()) (body) }
                }
            }
        }
    }

    fn bar(&self) -> Markup {
        let locale = self.locale;
        html! {
            a.skip href="#main" { (locale.word("skip")) }
            header.bar {
                a.brand href="/" {
                    (mark())
                    span.names { span lang="ar" { "وصل" } " " span lang="en" dir="ltr" { "Wasl" } }
                }
                nav.places aria-label=(locale.word("nav-label")) {
                    @for place in Place::ALL {
                        a href=(place.path()) aria-current=[(self.place == Some(place)).then_some("page")] {
                            (locale.word(place.word()))
                        }
                    }
                }
                div.tools {
                    (self.clock())
                    @if self.live != Live::No {
                        button #pause type="button" hidden data-pause=(locale.word("pause"))
                            data-resume=(locale.word("resume")) { (locale.word("pause")) }
                    }
                    (self.languages())
                    @if let Some(csrf) = &self.call.caller.csrf {
                        form method="post" action="/logout" {
                            input type="hidden" name="csrf" value=(csrf);
                            button type="submit" { (locale.word("logout")) }
                        }
                    }
                }
            }
        }
    }

    /// Draws how fresh the page is.
    pub(super) fn clock(&self) -> Markup {
        let clock = self.app.config.zone.clock(self.app.service.now());
        html! {
            p.clock {
                span.beat #beat aria-hidden="true" {}
                span #live-word { (self.locale.word("as-of")) } " "
                bdi #clock dir="ltr" { (clock) }
            }
        }
    }

    /// Draws the links to the other language, and in Arabic to the other digits.
    pub(super) fn languages(&self) -> Markup {
        let locale = self.locale;
        let other = if locale == Locale::En { Locale::Ar } else { Locale::En };
        html! {
            nav.languages aria-label="العربية / English" {
                @if locale != Locale::En {
                    @let (digits, shown) = match locale {
                        Locale::Ar => (Locale::ArIndic, "٠١٢"),
                        Locale::ArIndic | Locale::En => (Locale::Ar, "012"),
                    };
                    a href=(self.in_language(digits)) aria-label=(format!("{} {shown}", locale.word("digits-label"))) { (shown) }
                }
                a href=(self.in_language(other)) hreflang=(other.language()) lang=(other.language()) {
                    (locale.word("language-other"))
                }
            }
        }
    }

    fn in_language(&self, locale: Locale) -> String {
        let address = self.again.as_deref().or(self.call.parts.uri.query()).unwrap_or("");
        let (path, query) = match &self.again {
            Some(again) => again.split_once('?').unwrap_or((again, "")),
            None => ("", address),
        };
        let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("lang="));
        let pairs: Vec<&str> = kept.collect();
        let between = if pairs.is_empty() { "" } else { "&" };
        format!("{path}?{}{between}lang={}", pairs.join("&"), locale.tag())
    }

    fn foot(&self) -> Markup {
        let (locale, view) = (self.locale, self.app.service.view());
        let policy = locale.say("footer-policy", &[("hash", Arg::text(&*view.policy))]);
        let version = locale.say("footer-version", &[("version", Arg::text(env!("CARGO_PKG_VERSION")))]);
        html! {
            footer {
                @match self.live {
                    Live::Feed(_) => noscript { p { (locale.word("no-script")) } },
                    Live::FeedOnly(_) | Live::No => noscript { p { (locale.word("no-script-still")) } },
                }
                p { (rich(&version)) " · " (rich(&policy)) }
            }
        }
    }
}

/// The mark: a message that finds its way around a broken line.
pub(super) fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" aria-hidden="true" focusable="false" {
            circle.end cx="5" cy="16" r="3.5" {}
            circle.end cx="27" cy="16" r="3.5" {}
            path.broken d="M9.5 16h3M19.5 16h3" {}
            path.way d="M7.5 12.5C11 5.5 21 5.5 24.5 12.5" {}
        }
    }
}

/// Writes a text as a query's value.
pub(super) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
