//! E-mail by SMTP submission.
//!
//! A server says at once whether it takes a letter, and nothing after that: there are no receipts. A dialogue is kept
//! for the next letter, some at a time; whatever breaks before the final dot was certainly not sent.
//
// Cites: RFC 5321 (SMTP), RFC 6409 (submission), RFC 8314 (implicit TLS).

mod letter;
mod line;
mod replies;
mod session;

use super::net::{Net, Tls};
use super::settings;
use super::verdict::rejected;
use super::{Adapter, Answered, Doing, Ear, Kind, Outgoing};
use crate::core::channel::Channel;
use crate::core::gateway::Receipts;
use crate::core::outcome::Reason;
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Table};
use crate::settings::{CONNECT_TIME_OUT, GatewaySettings};
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use session::{Handed, OPENING_TIME_OUT, Session, open};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep};

/// The kind's row in [`ADAPTERS`](super::ADAPTERS).
pub(super) const KIND: Kind = Kind {
    name: "email-smtp",
    channel: Channel::Email,
    receipts: Receipts::None,
    window: WINDOW,
    connect_time_out: Span::from_ms(CONNECT_TIME_OUT.ms() + OPENING_TIME_OUT.as_millis() as i64),
    keys: &["host", "port", "tls", "username", "password", "from"],
    probes: include_str!("../../../probes/email-smtp.toml"),
    build,
};

/// Attempts in flight, each a connection. Cites: Postfix takes 50 of one client; others take 10 to 20.
const WINDOW: u32 = 10;

/// How many dialogues are kept while nobody uses them.
const IDLE_MAX: usize = 16;

/// How long one is kept. Cites: RFC 5321, section 4.5.3.2.7: a server waits five minutes, and some one.
const IDLE_TIME_MAX: Duration = Duration::from_secs(45);

/// When a dialogue becomes secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Security {
    /// From the first byte.
    Required,
    /// After the greeting, or not at all: without it nothing is sent.
    StartTls,
    /// Never.
    None,
}

struct Settings {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    from: Mailbox,
}

struct EmailSmtp {
    net: Net,
    tls: Tls,
    settings: Settings,
    idle: Mutex<Vec<(Session, Instant)>>,
}

fn build(gateway: &mut GatewaySettings, net: &Net, diags: &mut Diagnostics) -> Option<Arc<dyn Adapter>> {
    if gateway.base_url.is_some() {
        let message = format!("{} has a `base_url`, and SMTP is no HTTP", gateway.rest.called());
        diags.push(
            Diagnostic::error("no-base-url", message)
                .at(&gateway.place, "in this gateway")
                .help("name the server by `host` and `port`"),
        );
    }
    let tls = settings::tls(gateway, diags);
    let table = &mut gateway.rest;
    let host = table.required_string("host", diags);
    let words =
        [("required", Security::Required), ("starttls", Security::StartTls), ("none", Security::None)];
    let security = table.choice("tls", &words, diags).map_or(Security::StartTls, |word| word.value);
    let port = table.u64("port", 1..=65_535, diags).and_then(|port| u16::try_from(port.value).ok());
    let username = table.string("username", diags);
    let password = match &username {
        Some(_) => table.required_secret("password", diags),
        None => table.secret("password", diags),
    };
    let from = from(table, diags);
    let host = host?.value;
    let credentials = match (&username, &password) {
        (Some(name), Some(password)) => {
            Some(Credentials::new(name.value.clone(), password.expose().to_owned()))
        }
        _ => None,
    };
    if credentials.is_some() && security == Security::None && !is_loopback(&host) {
        diags.push(
            Diagnostic::warning(
                "password-in-the-clear",
                format!("{} sends its password unencrypted", table.called()),
            )
            .at(&gateway.place, "`tls` is `none` and the host is another machine")
            .help("write `tls = \"starttls\"` or `tls = \"required\"`"),
        );
    }
    // Cites: RFC 8314, section 7.3 (465); RFC 6409 (587); RFC 5321 (25).
    let port = port.unwrap_or(match security {
        Security::Required => 465,
        Security::StartTls => 587,
        Security::None => 25,
    });
    let settings = Settings { host, port, security, credentials, from: from? };
    Some(Arc::new(EmailSmtp { net: net.clone(), tls: tls?, settings, idle: Mutex::default() }))
}

fn from(table: &mut Table, diags: &mut Diagnostics) -> Option<Mailbox> {
    let wanted = "an address such as `alerts@example.org` or `Alerts <alerts@example.org>`";
    let is_mailbox = |text: &str| text.parse::<Mailbox>().is_ok();
    settings::required(table, "from", wanted, is_mailbox, diags)?.parse().ok()
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl EmailSmtp {
    async fn hand(&self, outgoing: &Outgoing) -> Answered {
        let nothing = |outcome| Answered { outcome, took: Span::ZERO };
        #[allow(clippy::disallowed_methods, reason = "a letter carries its date")]
        let date = SystemTime::now();
        let letter = match letter::letter(outgoing, &self.settings.from, date) {
            Ok(letter) => letter,
            Err(reason) => return nothing(rejected(reason)),
        };
        let handed_over = Instant::now();
        // Each turn of the loop takes an idle dialogue away, so it ends.
        loop {
            let kept = self.take();
            let fresh = kept.is_none();
            let mut session = match kept {
                Some(session) => session,
                None => match open(&self.net, &self.tls, &self.settings).await {
                    Ok(session) => session,
                    Err(outcome) => return nothing(outcome),
                },
            };
            if handed_over.elapsed() >= outgoing.left.to_std() {
                self.keep(session);
                // Its own life ran out, which says nothing of the server.
                return nothing(rejected(Reason::Busy));
            }
            let start = Instant::now();
            let Handed { outcome, usable, stale } =
                session.hand(&letter, outgoing.order.time_out.to_std()).await;
            let took = Span::from_ms(i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX));
            if usable {
                self.keep(session);
            } else if stale && !fresh {
                continue;
            }
            return Answered { outcome, took };
        }
    }

    fn take(&self) -> Option<Session> {
        let mut idle = self.idle();
        idle.retain(|(_, since)| since.elapsed() < IDLE_TIME_MAX);
        idle.pop().map(|(session, _)| session)
    }

    fn keep(&self, session: Session) {
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX {
            idle.push((session, Instant::now()));
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Session, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes dialogues that nobody has used for long, for ever.
    async fn tend(&self) {
        loop {
            sleep(IDLE_TIME_MAX / 3).await;
            let old: Vec<_> =
                self.idle().extract_if(.., |(_, since)| since.elapsed() > IDLE_TIME_MAX / 2).collect();
            for (session, _) in old {
                session.close().await;
            }
        }
    }
}

impl Adapter for EmailSmtp {
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered> {
        Box::pin(async move { self.hand(&outgoing).await })
    }

    fn run<'a>(&'a self, _ear: &'a dyn Ear) -> Doing<'a, ()> {
        Box::pin(self.tend())
    }
}

#[cfg(test)]
mod tests {
    use crate::adapter::tests::built;

    #[test]
    fn settings_are_checked() {
        let check = |keys: &str, sound: bool, expected: &str| {
            let (adapter, shown) = built("email-smtp", keys);
            assert_eq!(adapter.is_some(), sound, "{keys}: {shown}");
            assert!(shown.contains(expected), "{keys}: {shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        };
        let base = "host = \"mail.example.org\"\nfrom = \"Alerts <alerts@example.org>\"\n";
        check(base, true, "");
        let (_, shown) = built("email-smtp", &format!("base_url = \"https://mail.example.org\"\n{base}"));
        assert!(shown.contains("error[no-base-url]") && shown.contains("`host` and `port`"), "{shown}");
        check("host = \"h\"\nfrom = \"nobody\"\n", false, "`from` of gateway `g` does not look right");
        check(&format!("{base}username = \"u\"\n"), false, "has no `password`");
        check(&format!("{base}tls = \"ssl\"\n"), false, "`tls`");
        let open = format!("{base}username = \"u\"\npassword = \"hunter2\"\ntls = \"none\"\n");
        check(&open, true, "warning[password-in-the-clear]");
        check(&open.replace("mail.example.org", "127.0.0.1"), true, "literal-secret");
    }
}
