//! The HTTP interface: what programs and people may ask of the service.
//!
//! One table, [`routes::ROUTES`], says which calls there are, who may make them and what they give; the router, the
//! access check, `/openapi.json` and the tests read it. A handler gets a [`call::Call`] that was let in already.
//!
//! Invariant: no input leads to a 5xx, but 507 below the disk reserve and 503 while the service cannot answer anybody.

pub mod access;
pub mod address;
mod alertmanager;
mod audiences;
mod audit;
mod backup;
pub mod board;
pub(crate) mod call;
mod call_tree;
pub mod cap;
pub(crate) mod contacts;
pub(crate) mod correct;
pub(crate) mod deliveries;
mod events;
mod follow;
mod forecast;
pub(crate) mod form;
pub(crate) mod gateways;
mod health;
mod hook_room;
mod hooks;
pub(crate) mod intake;
pub mod live;
mod login;
pub(crate) mod messages;
mod notices;
mod openapi;
mod people;
pub mod problem;
mod reach;
mod replies;
pub(crate) mod report;
pub mod ring;
mod route;
pub mod routes;
mod schemas;
pub mod service;
pub mod session;
pub(crate) mod show;
pub(crate) mod stream;
mod tokens;

use crate::settings::{Feeds, Network};
use crate::web::feed::Studio;
use crate::web::locale::Zone;
use crate::web::operate::Once;
use crate::web::trouble;
use access::{Admitted, Caller, Hosts};
use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use call::Call;
use hook_room::HookRoom;
use live::Live;
use problem::{Kind, Problem};
use routes::{ROUTES, Route};
use service::Service;
use session::Sessions;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many streams may be open at once: each costs a connection and a place in the ring.
const STREAMS_MAX: usize = 256;
/// How many large bodies may be in memory at once.
const LARGE_BODIES_MAX: usize = 4;
/// How many audiences, and crowds to be corrected, may be in memory at once: each may be a million people.
const CROWDS_MAX: usize = 4;

/// What the interface is told at start; of it, the feeds alone may change later.
#[derive(Clone, Debug, Default)]
pub struct ApiConfig {
    /// The names under which the service is reached, without ports.
    pub hosts: Vec<String>,
    /// The address that the outside knows, as `https://alerts.example.org`.
    pub public_url: Option<String>,
    /// No token is asked for: the demonstration, on loopback.
    pub open: bool,
    /// `/metrics` needs no token.
    pub metrics_open: bool,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// What operators are told.
    pub board: Arc<board::Board>,
    /// The zone in which pages show times.
    pub zone: Zone,
    /// Whom what comes from alerting systems is for.
    pub feeds: Arc<Live<Feeds>>,
}

/// What every handler shares.
pub(crate) struct App {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) hosts: Hosts,
    pub(crate) config: ApiConfig,
    pub(crate) sessions: Sessions,
    pub(crate) studio: Studio,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) large_bodies: Semaphore,
    pub(crate) crowds: Arc<Semaphore>,
    pub(crate) hooks: HookRoom,
    pub(crate) once: Once,
}

/// Builds the router over a service.
pub fn router(service: Arc<dyn Service>, config: ApiConfig) -> Router {
    let app = Arc::new(App {
        service,
        hosts: Hosts::new(&config),
        config,
        sessions: Sessions::default(),
        studio: Studio::default(),
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        large_bodies: Semaphore::new(LARGE_BODIES_MAX),
        crowds: Arc::new(Semaphore::new(CROWDS_MAX)),
        hooks: HookRoom::default(),
        once: Once::default(),
    });
    let mut router = Router::new();
    for route in ROUTES {
        let serve = move |State(app): State<Arc<App>>, request: Request| serve(route, app, request);
        router = router.route(route.path, on(route.verb.filter(), serve));
    }
    router
        .fallback(async |State(app): State<Arc<App>>, request: Request| {
            let problem = Problem::new(Kind::NotFound, "no such path; /openapi.json lists them all");
            told(&app, for_page(&request.into_parts().0).as_ref(), problem)
        })
        .method_not_allowed_fallback(async |State(app): State<Arc<App>>, request: Request| {
            let problem = Problem::new(Kind::WrongMethod, "the Allow header lists the methods of this path");
            told(&app, for_page(&request.into_parts().0).as_ref(), problem)
        })
        .with_state(app)
}

/// Lets a call in, carries it out, and answers whatever became of it.
async fn serve(route: &'static Route, app: Arc<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let page = for_page(&parts);
    let mut response = match carry_out(route, Arc::clone(&app), Request::from_parts(parts, body)).await {
        Ok(response) => response,
        Err(problem) => told(&app, page.as_ref(), problem),
    };
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Says what went wrong: to a person on a page, to a program as a problem.
fn told(app: &App, page: Option<&Call>, problem: Problem) -> Response {
    let shown = page.map(|call| trouble::page(app, call, &problem));
    let told = problem.into_response();
    let Some(mut shown) = shown else { return told };
    // What goes with the problem, but for what the page says of itself: `Retry-After`, the way to log in.
    let kept = [header::RETRY_AFTER, header::WWW_AUTHENTICATE];
    for (name, value) in kept.into_iter().filter_map(|name| Some((name.clone(), told.headers().get(&name)?)))
    {
        shown.headers_mut().insert(name, value.clone());
    }
    shown
}

/// Returns the call as a page about its trouble sees it, where a browser asks for a page.
fn for_page(parts: &Parts) -> Option<Call> {
    let path = parts.uri.path();
    let is_of_programs = PROGRAMS.iter().any(|start| path.starts_with(start));
    let accepts = parts.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let is_browser = accepts.into_iter().any(|accept| accept.contains("text/html"));
    let call = || Call::new(Caller::nobody(), parts.clone(), Vec::new(), Body::empty());
    (is_browser && !is_of_programs).then(call)
}

/// How the paths begin that are for programs, whatever they accept.
const PROGRAMS: [&str; 7] = ["/v1/", "/hooks/", "/feed", "/assets/", "/metrics", "/openapi.json", "/healthz"];

async fn carry_out(route: &'static Route, app: Arc<App>, request: Request) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let caller = match access::admit(&app, route.access, &parts)? {
        Admitted::Yes(caller) => caller,
        Admitted::ToLogin => return Ok(login::redirect(&parts.uri)),
    };
    let params = match route.path.contains('{') {
        true => path_params(&mut parts).await?,
        false => Vec::new(),
    };
    (route.run)(app, Call::new(caller, parts, params, body)).await
}

async fn path_params(parts: &mut Parts) -> Result<Vec<(String, String)>, Problem> {
    use axum::extract::FromRequestParts;
    let params = RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|_| Problem::new(Kind::Unreadable, "the path is not UTF-8"))?;
    Ok(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

impl ApiConfig {
    /// Says whether browsers reach us over TLS: cookies are then kept to it.
    pub(crate) fn secure(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}
