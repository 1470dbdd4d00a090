//! Who may do what: tokens and sessions, roles, and the checks that keep other sites out.
//!
//! Invariant: a call reaches its handler only through [`admit`], and the role it needs stands in
//! [`ROUTES`](super::routes::ROUTES), nowhere else.

use super::problem::{Kind, Problem};
use super::session;
use super::{ApiConfig, App};
use crate::core::query::Role;
use crate::diag::article;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use std::net::IpAddr;

/// The session's cookie.
pub(crate) const COOKIE: &str = "wasl_session";
/// Where a script puts the value that forms carry as `csrf`.
const CSRF_HEADER: &str = "x-csrf-token";
/// A longer token is not ours: 256 bits and a prefix need 48 characters.
const TOKEN_BYTES_MAX: usize = 128;

/// Who may make a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Anybody, and by any host: what checks liveness comes by address, and hears nothing worth protecting.
    Health,
    /// Anybody.
    Open,
    /// A provider: what it sends is signed or keyed, and checked by the gateway's adapter.
    Provider,
    /// A viewer, or anybody where the configuration opens the metrics.
    Metrics,
    /// A token of this role or a stronger one.
    Role(Role),
    /// The same, for a person at a browser: who has no session is sent to the login page.
    Page(Role),
}

/// Who makes a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The token's subject.
    pub who: String,
    /// What it may do.
    pub role: Role,
    /// What this person's forms carry, where a session made the call.
    pub csrf: Option<String>,
}

/// What the way in found out about a call.
pub(crate) enum Admitted {
    /// It may go on.
    Yes(Caller),
    /// A person should log in first.
    ToLogin,
}

/// Checks the host, the site that a browser comes from, and the caller's role.
pub(crate) fn admit(app: &App, access: Access, parts: &Parts) -> Result<Admitted, Problem> {
    if access == Access::Health {
        return Ok(Admitted::Yes(Caller::nobody()));
    }
    let host = host(parts)?;
    if !app.hosts.serves(host) {
        return Err(Problem::new(Kind::WrongHost, "add this host to `hosts` in wasl.toml if it is yours"));
    }
    if access != Access::Provider {
        same_site(app, parts, host)?;
    }
    let role = match access {
        Access::Health | Access::Open | Access::Provider => return Ok(Admitted::Yes(Caller::nobody())),
        Access::Metrics if app.config.metrics_open => return Ok(Admitted::Yes(Caller::nobody())),
        Access::Metrics => Role::Viewer,
        Access::Role(role) | Access::Page(role) => role,
    };
    let caller = match identify(app, &parts.headers) {
        Ok(caller) => caller,
        // A person is shown the way in; a program, which brings a token, hears that it is none.
        Err(_) if matches!(access, Access::Page(_)) && !parts.headers.contains_key(header::AUTHORIZATION) => {
            return Ok(Admitted::ToLogin);
        }
        Err(problem) => return Err(problem),
    };
    if caller.role < role {
        let (needed, is) = (role.name(), caller.role.name());
        let detail = format!("this call needs the role {needed}; the token is {} {is}", article(is));
        return Err(Problem::new(Kind::WrongRole, detail));
    }
    // A page's form carries the value itself, and its handler looks there.
    if parts.method == Method::POST && matches!(access, Access::Role(_)) {
        caller.check_csrf(parts.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()))?;
    }
    Ok(Admitted::Yes(caller))
}

/// Finds who calls, by the bearer's token or the session's cookie.
fn identify(app: &App, headers: &HeaderMap) -> Result<Caller, Problem> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = bearer(value)
            .ok_or_else(|| no_token("the Authorization header is not of the form `Bearer TOKEN`"))?;
        let (who, role) = app
            .service
            .token(&session::hash(token))
            .ok_or_else(|| no_token("nobody here knows this token"))?;
        return Ok(Caller { who, role, csrf: None });
    }
    if app.config.open {
        return Ok(Caller { who: "demo".to_owned(), role: Role::Admin, csrf: None });
    }
    let cookie = cookie(headers, COOKIE).ok_or_else(|| no_token("send `Authorization: Bearer TOKEN`"))?;
    let session = app
        .sessions
        .find(cookie, app.service.now())
        .ok_or_else(|| no_token("the session is over; log in again"))?;
    let (who, role) =
        app.service.token(&session.token).ok_or_else(|| no_token("the session's token was withdrawn"))?;
    Ok(Caller { who, role, csrf: Some(session.csrf) })
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let good = scheme.eq_ignore_ascii_case("bearer") && (1..=TOKEN_BYTES_MAX).contains(&token.len());
    good.then_some(token)
}

fn no_token(detail: &str) -> Problem {
    Problem::new(Kind::NoToken, detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"wasl\""))
}

/// Finds a cookie's value.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(n, value)| (n == name).then_some(value))
}

/// Returns the host that was asked for.
fn host(parts: &Parts) -> Result<&str, Problem> {
    if let Some(authority) = parts.uri.authority() {
        return Ok(authority.as_str());
    }
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    match (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) {
        (Some(host), None) => Ok(host),
        _ => Err(Problem::new(Kind::Unreadable, "a request names one Host")),
    }
}

/// Refuses what a browser sends in a person's name from a page that is not ours.
fn same_site(app: &App, parts: &Parts, host: &str) -> Result<(), Problem> {
    if matches!(parts.method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let Some(origin) = parts.headers.get(header::ORIGIN) else { return Ok(()) };
    let uri = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let from = uri.as_ref().and_then(|uri| uri.authority()).map(|authority| authority.as_str());
    match from {
        Some(from) if from.eq_ignore_ascii_case(host) || app.hosts.names(from) => Ok(()),
        _ => {
            Err(Problem::new(Kind::CrossSite, "the Origin of this request is not one of the service's hosts"))
        }
    }
}

/// The hosts that requests may be meant for.
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// Gathers what the configuration names.
    pub(crate) fn new(config: &ApiConfig) -> Hosts {
        let public = config.public_url.as_deref().and_then(|url| url.parse::<Uri>().ok());
        let public = public.as_ref().and_then(|uri| uri.host());
        Hosts(
            config
                .hosts
                .iter()
                .map(String::as_str)
                .chain(public)
                .map(|h| without_port(h).to_owned())
                .collect(),
        )
    }

    /// Says whether a request for this host is meant for us. A literal address or this machine's own name always
    /// is: no stranger's DNS can point those at us.
    fn serves(&self, host: &str) -> bool {
        let name = without_port(host);
        name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost") || self.names(host)
    }

    /// Says whether the configuration names this host.
    fn names(&self, host: &str) -> bool {
        let name = without_port(host);
        self.0.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Splits the port off a host; brackets around an IPv6 address go too.
fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next().unwrap_or(literal),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

impl Caller {
    pub(crate) fn nobody() -> Caller {
        Caller { who: String::new(), role: Role::Viewer, csrf: None }
    }

    /// Checks what a form or script carries against the session; a bearer needs none.
    pub(crate) fn check_csrf(&self, carried: Option<&str>) -> Result<(), Problem> {
        match &self.csrf {
            // Both are 256 random bits, new with each session: how long the comparison takes teaches nothing.
            Some(csrf) if carried != Some(csrf.as_str()) => {
                Err(Problem::new(Kind::CrossSite, "the form's `csrf` value is missing or of another session"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_hosts_are_served() {
        let hosts = Hosts::new(&ApiConfig {
            hosts: vec!["alerts.example.org".into()],
            public_url: Some("https://wasl.example.net:8443/".into()),
            ..ApiConfig::default()
        });
        for host in
            ["alerts.example.org", "ALERTS.example.org:8080", "wasl.example.net", "127.0.0.1:1", "[::1]:8"]
        {
            assert!(hosts.serves(host), "{host}");
        }
        for host in ["", "evil.example", "alerts.example.org.evil.example", "localhost.evil.example:80"] {
            assert!(!hosts.serves(host), "{host}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("lang=ar; wasl_session=abc"));
        assert_eq!(cookie(&headers, COOKIE), Some("abc"));
        assert_eq!(cookie(&headers, "wasl"), None);
    }
}
