//! The tables of a `wasl.toml`, as tests write them: what every table of a kind needs is written here and nowhere else.
//!
//! A gateway comes without its secrets, so that a test that plants its own plants every one of them.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use wasl::emulator::{sms_http, smsc, telegram, twilio, webhook, whatsapp};

/// What SMS gateways that do not sign are known by.
pub const HOOK_SECRET: &str = "known-by-this-0123456789";

/// A table: its head as it is written, and its keys in order, each with its value in TOML.
#[derive(Clone, Debug)]
pub struct Table {
    head: &'static str,
    keys: Vec<(&'static str, String)>,
}

/// Returns the text of a file of these tables.
pub fn file(tables: impl IntoIterator<Item = Table>) -> String {
    tables.into_iter().map(|table| table.to_string()).collect()
}

impl Table {
    /// A table without a key, with a head such as `[net]` or `[[uplink]]`.
    pub fn new(head: &'static str) -> Table {
        Table { head, keys: Vec::new() }
    }

    /// A server at a free port.
    pub fn server() -> Table {
        Table::new("[server]").text("listen", "127.0.0.1:0")
    }

    /// A store beside the file, which keeps little room back.
    pub fn store() -> Table {
        Table::new("[store]").text("path", "var").text("reserve", "1MiB")
    }

    fn gateway(name: &str, channel: &str, adapter: &str) -> Table {
        Table::new("[[gateway]]").text("name", name).text("channel", channel).text("adapter", adapter)
    }

    pub fn whatsapp(name: &str, base_url: impl Display) -> Table {
        Table::gateway(name, "whatsapp", "whatsapp-cloud")
            .text("base_url", base_url)
            .text("phone_number_id", whatsapp::Options::default().phone_number_id)
    }

    pub fn signal(name: &str, base_url: impl Display) -> Table {
        Table::gateway(name, "signal", "signal-cli")
            .text("base_url", base_url)
            .text("account", "+15550001111")
    }

    pub fn signal_rest(name: &str, base_url: impl Display) -> Table {
        Table::gateway(name, "signal", "signal-rest")
            .text("base_url", base_url)
            .text("account", "+15550001111")
    }

    pub fn telegram(name: &str, base_url: impl Display) -> Table {
        Table::gateway(name, "telegram", "telegram-bot").text("base_url", base_url)
    }

    pub fn sms(name: &str, centre: SocketAddr) -> Table {
        Table::gateway(name, "sms", "sms-smpp")
            .text("host", centre.ip())
            .plain("port", centre.port())
            .text("system_id", smsc::Options::default().system_id)
            .text("source", "ALERT")
    }

    pub fn twilio(name: &str, base_url: impl Display) -> Table {
        Table::gateway(name, "sms", "sms-twilio")
            .text("base_url", base_url)
            .text("account_sid", twilio::Options::default().account_sid)
            .text("from", twilio::Options::default().number)
    }

    /// An SMS gateway over HTTP, like one of the ready descriptions.
    pub fn sms_http(name: &str, like: &str, base_url: impl Display) -> Table {
        Table::gateway(name, "sms", "sms-http")
            .text("like", like)
            .text("base_url", base_url)
            .text("from", "ALERT")
            .text("username", sms_http::Options::of(sms_http::Dialect::Kannel).username)
    }

    pub fn mail(name: &str, server: SocketAddr) -> Table {
        Table::gateway(name, "email", "email-smtp")
            .text("host", server.ip())
            .plain("port", server.port())
            .text("from", "Alerts <alerts@example.org>")
    }

    /// A receiver of webhooks. Its address is a secret too: a text or a table, as TOML writes it.
    pub fn webhook(name: &str, url: impl Display) -> Table {
        Table::gateway(name, "webhook", "webhook").plain("url", url)
    }

    /// Adds the secrets that the gateway's emulated provider knows unless told otherwise.
    pub fn known(self) -> Table {
        match self.value("adapter") {
            r#""whatsapp-cloud""# => {
                let known = whatsapp::Options::default();
                self.text("access_token", known.token)
                    .text("app_secret", known.app_secret)
                    .text("verify_token", "ours")
            }
            r#""telegram-bot""# => self.text("bot_token", telegram::Options::default().token),
            r#""sms-smpp""# => self.text("password", smsc::Options::default().password),
            r#""sms-twilio""# => self.text("auth_token", twilio::Options::default().auth_token),
            r#""sms-http""# => {
                let known = sms_http::Options::of(sms_http::Dialect::Kannel);
                match self.value("like") {
                    r#""infobip""# => self.text("api_key", known.password).text("hook_secret", HOOK_SECRET),
                    r#""vonage""# => self
                        .text("api_key", known.username)
                        .text("api_secret", known.password)
                        .text("hook_secret", HOOK_SECRET),
                    r#""sms-gate""# => {
                        self.text("password", known.password).text("hook_secret", known.signing_key)
                    }
                    _ => self.text("password", known.password).text("hook_secret", HOOK_SECRET),
                }
            }
            r#""webhook""# => self.text("secret", webhook::Options::default().secret),
            other => panic!("no secret is known to the emulated provider of {other}"),
        }
    }

    /// Says what the gateway loses together with others.
    pub fn domains(self, domains: &[&str]) -> Table {
        self.plain("failure_domains", format_args!("{domains:?}"))
    }

    /// Gives a key this text, in its former place if it had another.
    pub fn text(self, key: &'static str, text: impl Display) -> Table {
        self.plain(key, format!("\"{text}\""))
    }

    /// Gives a key this value, which is TOML already.
    pub fn plain(mut self, key: &'static str, value: impl Display) -> Table {
        match self.keys.iter_mut().find(|(known, _)| *known == key) {
            Some((_, former)) => *former = value.to_string(),
            None => self.keys.push((key, value.to_string())),
        }
        self
    }

    fn value(&self, key: &str) -> &str {
        self.keys.iter().find(|(known, _)| *known == key).map_or("nothing", |(_, value)| value)
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.head)?;
        self.keys.iter().try_for_each(|(key, value)| writeln!(f, "{key} = {value}"))
    }
}
