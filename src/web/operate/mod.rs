//! `/operate`: what people do by hand. Each act has a form; the form's answer says what it would do; that is confirmed.
//!
//! The acts are the calls of the interface, made with the form's fields in the caller's name: see [`fields`].
//!
//! Invariant: nothing is done that was not confirmed, and a stop that leaves no gateway only where that was confirmed too.

mod confirm;
mod effect;
mod fields;
mod forecast;
mod forms;
mod once;
mod record;
mod typed;

pub(crate) use once::Once;

use super::frame::{Frame, Live, Place, locale_of};
use super::locale::Locale;
use super::page::drawn;
use super::panels::Scene;
use super::sheet::Sheet;
use crate::api::call::{Answer, BODY_BYTES_MAX, Call, bad_value};
use crate::api::problem::{Kind, Problem};
use crate::api::{App, correct, gateways, messages};
use crate::core::query::Role;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use effect::Effect;
use fields::{Fields, Step, answered, as_call};
use maud::{Markup, html};
use serde_json::{Value, json};
use std::sync::Arc;

/// What people do by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    Send,
    Correct,
    Cancel,
    Hold,
    Release,
    Maintenance,
    Drill,
    EndDrill,
}

impl Act {
    pub(crate) const ALL: [Act; 8] = [
        Act::Send,
        Act::Correct,
        Act::Cancel,
        Act::Hold,
        Act::Release,
        Act::Maintenance,
        Act::Drill,
        Act::EndDrill,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Act::Send => "send",
            Act::Correct => "correct",
            Act::Cancel => "cancel",
            Act::Hold => "hold",
            Act::Release => "release",
            Act::Maintenance => "maintenance",
            Act::Drill => "drill",
            Act::EndDrill => "end-drill",
        }
    }

    /// Returns who may: what the table of calls says of the act, so that nobody is shown a form that would be refused.
    const fn role(self) -> Role {
        match self {
            Act::Send | Act::Correct | Act::Cancel | Act::Hold | Act::Drill | Act::EndDrill => Role::Sender,
            Act::Release | Act::Maintenance => Role::Admin,
        }
    }

    /// Returns the names of its form's fields.
    pub(crate) const fn fields(self) -> &'static [&'static str] {
        match self {
            Act::Send => &[
                "csrf",
                "step",
                "key",
                "severity",
                "urgency",
                "status",
                "incident",
                "life",
                "expires",
                "audiences",
                "contacts",
                typed::FIELD,
                "text-ar",
                "text-en",
            ],
            Act::Correct => {
                &["csrf", "step", "key", "message", "life", "expires", "text-ar", "text-en", "reason"]
            }
            Act::Cancel => &["csrf", "step", "key", "message", "reason"],
            Act::Hold => &["csrf", "step", "key", "sure", "gateway", "reason"],
            Act::Release => &["csrf", "step", "key", "gateway", "reason"],
            Act::Maintenance => &["csrf", "step", "key", "sure", "gateway", "life", "until", "reason"],
            Act::Drill => &["csrf", "step", "key", "gateway", "everybody", "life", "until", "reason"],
            Act::EndDrill => &["csrf", "step", "key", "gateway", "reason"],
        }
    }
}

/// `POST /operate/send`.
pub(crate) async fn send(app: Arc<App>, call: Call) -> Answer {
    take(Act::Send, app, call).await
}

/// `POST /operate/correct`.
pub(crate) async fn correct(app: Arc<App>, call: Call) -> Answer {
    take(Act::Correct, app, call).await
}

/// `POST /operate/cancel`.
pub(crate) async fn cancel(app: Arc<App>, call: Call) -> Answer {
    take(Act::Cancel, app, call).await
}

/// `POST /operate/hold`.
pub(crate) async fn hold(app: Arc<App>, call: Call) -> Answer {
    take(Act::Hold, app, call).await
}

/// `POST /operate/release`.
pub(crate) async fn release(app: Arc<App>, call: Call) -> Answer {
    take(Act::Release, app, call).await
}

/// `POST /operate/maintenance`.
pub(crate) async fn maintenance(app: Arc<App>, call: Call) -> Answer {
    take(Act::Maintenance, app, call).await
}

/// `POST /operate/drill`.
pub(crate) async fn drill(app: Arc<App>, call: Call) -> Answer {
    take(Act::Drill, app, call).await
}

/// `POST /operate/end-drill`.
pub(crate) async fn end_drill(app: Arc<App>, call: Call) -> Answer {
    take(Act::EndDrill, app, call).await
}

/// `GET /operate`.
pub(crate) async fn show(app: Arc<App>, call: Call) -> Answer {
    let query = call.query(&["lang", "act", "gateway", "message", "done"])?;
    let act = query.word("act", &Act::ALL, Act::name)?;
    let done = query.word("done", &DONE, |word| word)?;
    let fields = Fields::begun(&[("gateway", query.text("gateway")), ("message", query.text("message"))]);
    let view = app.service.view();
    let scene = Scene::still(&app, &view, locale_of(&call));
    let form =
        act.filter(|act| call.caller.role >= act.role()).map(|act| forms::draw(&scene, &call, act, &fields));
    let content = html! {
        @if let Some(done) = done { p.done role="status" { (scene.locale.word(&format!("done-{done}"))) } }
        @if act.is_some() && form.is_none() { p.trouble role="alert" { (scene.locale.word("operate-not-yours")) } }
        @if let Some(form) = form { (form) }
    };
    page(&app, &call, StatusCode::OK, act, content).await
}

/// What may have been done before the page is shown; `again`: the same form came twice.
pub(crate) const DONE: [&str; 6] = ["hold", "release", "maintenance", "drill", "end-drill", "again"];

/// Takes a form: says what it would do, or does it.
async fn take(act: Act, app: Arc<App>, mut call: Call) -> Answer {
    call.query(&["lang"])?;
    let bytes = call.bytes(BODY_BYTES_MAX).await?;
    let fields = Fields::read(&bytes, act)?;
    call.caller.check_csrf(Some(fields.get("csrf")))?;
    let taken = match fields.step() {
        Step::Edit => Ok(None),
        Step::Preview => preview(&app, &call, act, &fields, StatusCode::OK).await.map(Some),
        Step::Confirm => confirmed(&app, &call, act, &fields).await.map(Some),
    };
    let trouble = match taken {
        Ok(Some(response)) => return Ok(response),
        Ok(None) => None,
        Err(problem) => Some(problem),
    };
    let status = trouble.as_ref().map_or(StatusCode::OK, |problem| problem.kind().status());
    let view = app.service.view();
    let scene = Scene::still(&app, &view, locale_of(&call));
    let content = html! {
        @if let Some(problem) = &trouble { (told(scene.locale, problem)) }
        (forms::draw(&scene, &call, act, &fields))
    };
    page(&app, &call, status, Some(act), content).await
}

/// Shows what an act would do, and asks for the confirmation.
async fn preview(
    app: &Arc<App>,
    call: &Call,
    act: Act,
    fields: &Fields,
    status: StatusCode,
) -> Result<Response, Problem> {
    let view = app.service.view();
    let scene = Scene::still(app, &view, locale_of(call));
    let end = fields.end(scene.now)?;
    let effect = effect::of(app, call, &scene, act, fields, end.as_deref()).await?;
    let content =
        confirm::draw(&scene, call, act, fields, end.as_deref(), &effect, status != StatusCode::OK)?;
    page(app, call, status, Some(act), content).await
}

/// Does what was confirmed. A stop that would leave no gateway is looked at once more: things change.
async fn confirmed(app: &Arc<App>, call: &Call, act: Act, fields: &Fields) -> Result<Response, Problem> {
    if matches!(act, Act::Hold | Act::Maintenance) && fields.get("sure").is_empty() {
        let view = app.service.view();
        let scene = Scene::still(app, &view, locale_of(call));
        let end = fields.end(scene.now)?;
        let effect: Effect = effect::of(app, call, &scene, act, fields, end.as_deref()).await?;
        if effect.leaves_none {
            return preview(app, call, act, fields, StatusCode::CONFLICT).await;
        }
    }
    let key = fields.get("key");
    if key.is_empty() {
        return Err(bad_value("key", "a form is confirmed with the key that it was shown with"));
    }
    match act {
        Act::Send | Act::Correct => carry_out(app, call, act, fields, Some(key)).await,
        Act::Cancel | Act::Hold | Act::Release | Act::Maintenance | Act::Drill | Act::EndDrill => {
            let who = &call.caller.who;
            if !app.once.claim(who, key) {
                return Ok(see_other("/operate?done=again"));
            }
            let done = carry_out(app, call, act, fields, None).await;
            if done.is_err() {
                app.once.give_back(who, key);
            }
            done
        }
    }
}

/// Makes the call, and leads to where its effect is seen.
async fn carry_out(
    app: &Arc<App>,
    call: &Call,
    act: Act,
    fields: &Fields,
    key: Option<&str>,
) -> Result<Response, Problem> {
    let app = Arc::clone(app);
    let (message, gateway) = (fields.get("message"), fields.get("gateway"));
    let reason = || Ok::<Value, Problem>(json!({"reason": fields.reason()?}));
    let end = fields.end(app.service.now())?;
    let of_message = [("id", message)];
    let of_gateway = [("name", gateway)];
    let answer = match act {
        Act::Send => {
            let body = fields.message(end.as_deref())?;
            messages::accept(app, as_call(call, &[], "", key, &body)).await?
        }
        Act::Correct => {
            let body = fields.correction(end.as_deref())?;
            correct::correct(app, as_call(call, &of_message, "", key, &body)).await?
        }
        Act::Cancel => messages::cancel(app, as_call(call, &of_message, "", None, &reason()?)).await?,
        Act::Hold if gateway == EVERYTHING => {
            gateways::hold_all(app, as_call(call, &[], "", None, &reason()?)).await?
        }
        Act::Hold => gateways::hold(app, as_call(call, &of_gateway, "", None, &reason()?)).await?,
        Act::Release if gateway == EVERYTHING => {
            gateways::release_all(app, as_call(call, &[], "", None, &reason()?)).await?
        }
        Act::Release => gateways::release(app, as_call(call, &of_gateway, "", None, &reason()?)).await?,
        Act::Maintenance => {
            let until = end.ok_or_else(|| bad_value("life", "planned work has an end"))?;
            let body = json!({"reason": fields.reason()?, "until": until});
            gateways::maintenance(app, as_call(call, &of_gateway, "", None, &body)).await?
        }
        Act::Drill => {
            let until = end.ok_or_else(|| bad_value("life", "a drill has an end"))?;
            let body = json!({"reason": fields.reason()?, "until": until, "everybody": fields.everybody()});
            gateways::drill(app, as_call(call, &of_gateway, "", None, &body)).await?
        }
        Act::EndDrill => gateways::end_drill(app, as_call(call, &of_gateway, "", None, &reason()?)).await?,
    };
    let told = answered(answer).await?;
    Ok(match (act, told["id"].as_str()) {
        (Act::Send | Act::Correct, Some(id)) => see_other(&format!("/messages/{id}")),
        // Nobody had got the wrong words: there is nothing but their end to be seen.
        (Act::Send | Act::Correct | Act::Cancel, _) => see_other(&format!("/messages/{message}")),
        (Act::Hold | Act::Release | Act::Maintenance | Act::Drill | Act::EndDrill, _) => {
            see_other(&format!("/operate?done={}", act.name()))
        }
    })
}

/// What the list of gateways has for all of them. No gateway has this name: it has a star in it.
const EVERYTHING: &str = "*";

fn see_other(place: &str) -> Response {
    let place = HeaderValue::try_from(place).unwrap_or(HeaderValue::from_static("/operate"));
    let no_store = HeaderValue::from_static("no-store");
    (StatusCode::SEE_OTHER, [(header::LOCATION, place), (header::CACHE_CONTROL, no_store)]).into_response()
}

/// Says what went wrong: its kind in the page's language, and the service's own words.
fn told(locale: Locale, problem: &Problem) -> Markup {
    const KEYS: [&str; 11] = [
        "reason",
        "to",
        "audience",
        "contact",
        "gateway",
        "message",
        "text",
        "life",
        "severity",
        "expires",
        typed::FIELD,
    ];
    let known = problem.key().filter(|key| KEYS.contains(key));
    html! {
        div.trouble role="alert" {
            p {
                strong { (locale.word(&format!("problem-{}", problem.kind().name()))) }
                @if let Some(key) = known { " " (locale.word(&format!("wrong-{key}"))) }
            }
            p.quiet { bdi lang="en" dir="ltr" { (problem.detail()) } }
        }
    }
}

/// The page around a form, a confirmation, or neither.
async fn page(
    app: &App,
    call: &Call,
    status: StatusCode,
    act: Option<Act>,
    content: Markup,
) -> Result<Response, Problem> {
    let (locale, panels) = drawn(app, call, &Sheet::Operate);
    let view = app.service.view();
    let scene = Scene::still(app, &view, locale);
    let latest = record::latest(app).await?;
    let feed = "/operate".to_owned();
    let again = act.map(|act| format!("/operate?act={}", act.name()));
    let frame = Frame {
        app,
        call,
        locale,
        title: locale.word("nav-operate"),
        live: if act.is_some() { Live::FeedOnly(feed) } else { Live::Feed(feed) },
        class: "sheet",
        place: Some(Place::Operate),
        again: again.or_else(|| Some("/operate".into())),
    };
    let body = html! {
        h1.title { (locale.word("nav-operate")) }
        (forms::ways(locale, call.caller.role, act))
        (content)
        (panels)
        (record::draw(&scene, &latest))
    };
    Ok(frame.respond(status, body))
}

/// Says that there is no such thing as a field names.
fn no_such(key: &str, what: &str) -> Problem {
    Problem::new(Kind::NotFound, what).with("key", key)
}
