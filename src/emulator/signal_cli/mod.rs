//! The signal-cli daemon: JSON-RPC over HTTP, its check, receipts as server-sent events.
//!
//! Speaks `POST /api/v1/rpc`, `GET /api/v1/check` and `GET /api/v1/events` as the daemon does in
//! its mode for several accounts: errors come with HTTP 200, a notification gives 201. Receipts go
//! to whoever listens at that moment, and are gone otherwise (`--receive-mode=on-start`), unless
//! [`Options::on_connection`] keeps them.
//!
//! Behind signal-cli-rest-api ([`Options::rest`]) the same engine speaks as that does.
//!
//! Limits: text messages to numbers and groups; the account's number is never checked for shape.
//
// Cites: signal-cli, man pages signal-cli-jsonrpc(5) and signal-cli(1), run as 0.13.

mod feed;
mod rest;
mod rpc;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::Method;
use serde_json::{Value, json};

use super::desk::{Desk, lock};
use super::fault;
use super::handle::{Common, Provider};
use super::http::{Answer, Request};
use super::start::Start;
use feed::{Feed, News};
pub use rest::Mode;

/// A handle to the running emulator.
pub type Handle = super::Handle<SignalCli>;
/// A fault of this emulator.
pub type Fault = super::Fault<Refusal>;

/// What the emulator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address, seed, TLS.
    pub common: Common,
    /// The registered accounts.
    pub accounts: BTreeSet<String>,
    /// Groups by id, with the numbers of their members.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Whether recipients let others see that they read.
    pub read_receipts: bool,
    /// Whether recipients hide their number: envelopes then name the uuid alone.
    pub hidden_numbers: bool,
    /// Whether receipts wait for a listener (`--receive-mode=on-connection`).
    pub on_connection: bool,
    /// How often a lone `:` keeps the event stream alive.
    pub keep_alive: Duration,
    /// Whether requests for another host are refused (421), as newer versions do.
    pub pin_host: bool,
    /// Stands behind signal-cli-rest-api, in this mode of it, and speaks as that does.
    pub rest: Option<Mode>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            common: Common::default(),
            accounts: BTreeSet::from(["+15550001111".to_owned()]),
            groups: BTreeMap::new(),
            read_receipts: false,
            hidden_numbers: false,
            on_connection: false,
            keep_alive: Duration::from_secs(15),
            pin_host: false,
            rest: None,
        }
    }
}

/// What became of a message for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultKind {
    /// It went out.
    Success,
    /// The network failed.
    NetworkFailure,
    /// The number is not on Signal.
    UnregisteredFailure,
    /// The recipient's safety number changed.
    IdentityFailure,
    /// Too many messages.
    RateLimitFailure,
    /// A key of the recipient's is unusable.
    InvalidPreKeyFailure,
}

impl ResultKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::NetworkFailure => "NETWORK_FAILURE",
            Self::UnregisteredFailure => "UNREGISTERED_FAILURE",
            Self::IdentityFailure => "IDENTITY_FAILURE",
            Self::RateLimitFailure => "RATE_LIMIT_FAILURE",
            Self::InvalidPreKeyFailure => "INVALID_PRE_KEY_FAILURE",
        }
    }
}

/// A refusal in the daemon's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A result for this recipient; a direct send fails as a whole when nobody succeeded.
    Result {
        /// The type.
        kind: ResultKind,
        /// Seconds to wait, with a rate limit.
        retry_after_s: Option<u32>,
        /// The challenge's token, where a proof is demanded.
        token: Option<String>,
    },
    /// The whole call fails.
    Error {
        /// The code: -1, -3, -4, -5, -6, -32603, ..
        code: i32,
        /// The message.
        message: String,
    },
}

impl Refusal {
    /// Returns a result of this kind.
    #[must_use]
    pub const fn result(kind: ResultKind) -> Self {
        Self::Result { kind, retry_after_s: None, token: None }
    }

    /// Returns an error for the whole call.
    #[must_use]
    pub fn error(code: i32, message: &str) -> Self {
        Self::Error { code, message: message.to_owned() }
    }

    /// Returns the demand for a proof by captcha.
    #[must_use]
    pub fn proof_required() -> Self {
        Self::Result {
            kind: ResultKind::RateLimitFailure,
            retry_after_s: Some(86_400),
            token: Some("emulated-challenge".to_owned()),
        }
    }
}

impl fault::Refusal for Refusal {
    fn ordinary() -> Self {
        Self::result(ResultKind::NetworkFailure)
    }
}

/// The daemon's state.
#[derive(Debug)]
pub struct SignalCli {
    options: Options,
    feed: Arc<Feed>,
    /// The timestamp of the last message, in milliseconds: ids may not repeat.
    last_ms: AtomicU64,
    accounts: Mutex<BTreeSet<String>>,
}

impl Provider for SignalCli {
    type Refusal = Refusal;

    fn release(&self) {
        self.feed.agenda.release();
    }
}

/// Starts the emulator.
///
/// # Errors
/// The address cannot be listened on.
pub async fn start(options: Options) -> io::Result<Handle> {
    let start = Start::new(&options.common)?;
    let provider = SignalCli {
        feed: Arc::new(Feed::new(options.on_connection || options.rest == Some(Mode::Normal))),
        last_ms: AtomicU64::new(0),
        accounts: Mutex::new(options.accounts.clone()),
        options,
    };
    let keep_alive = provider.options.keep_alive;
    let handle = start.serve_http(provider, SignalCli::route);
    tokio::spawn(feed::courier(Arc::clone(&handle.provider.feed), keep_alive, handle.desk.gate.subscribe()));
    Ok(handle)
}

impl Handle {
    /// Sets which accounts are registered: one that is not there any more was deregistered.
    pub fn set_accounts(&self, accounts: &[&str]) {
        *lock(&self.provider.accounts) = accounts.iter().map(|a| (*a).to_owned()).collect();
    }

    /// Lets `from` write to `account`, quoting one of our messages or not.
    pub fn inbound_text(&self, account: &str, from: &str, text: &str, quote: Option<u64>) -> bool {
        let mut message = json!({ "timestamp": now_ms(), "message": text });
        if let Some(id) = quote {
            message["quote"] = json!({ "id": id, "author": account, "text": "" });
        }
        self.inbound(account, from, message)
    }

    /// Lets `from` react with `emoji` to one of our messages.
    pub fn inbound_reaction(&self, account: &str, from: &str, emoji: &str, to: u64) -> bool {
        let reaction = json!({
            "emoji": emoji,
            "targetAuthorNumber": account,
            "targetSentTimestamp": to,
            "isRemove": false,
        });
        let message = json!({ "timestamp": now_ms(), "message": null, "reaction": reaction });
        self.inbound(account, from, message)
    }

    fn inbound(&self, account: &str, from: &str, message: Value) -> bool {
        let news = News::message(account, self.provider.sender(from), message);
        self.provider.feed.agenda.push(Duration::ZERO, news)
    }

    /// Returns how many listen to the event stream.
    #[must_use]
    pub fn listeners_count(&self) -> usize {
        self.provider.feed.listeners_count()
    }

    /// Returns how many receipts wait to be sent, are parked, or wait for a listener.
    #[must_use]
    pub fn receipts_waiting(&self) -> usize {
        self.provider.feed.waiting()
    }
}

impl SignalCli {
    async fn route(self: Arc<Self>, desk: Arc<Desk<Refusal>>, request: Request) -> Answer {
        let nothing = |status| Answer::Text(status, String::new());
        if self.options.pin_host && !request.header("host").is_some_and(is_local) {
            return nothing(421);
        }
        if let Some(mode) = self.options.rest {
            return self.rest(mode, &desk, &request).await;
        }
        match (request.path.as_str(), &request.method) {
            ("/api/v1/check", &Method::GET) => nothing(200),
            ("/api/v1/events", &Method::GET) => self.events(&request),
            ("/api/v1/rpc", &Method::POST) => {
                let kind = request.header("content-type").unwrap_or_default();
                if !kind.starts_with("application/json") {
                    return nothing(415);
                }
                rpc::serve(&self, &desk, &request.body).await
            }
            ("/api/v1/check" | "/api/v1/events" | "/api/v1/rpc", _) => nothing(405),
            _ => nothing(404),
        }
    }

    fn events(&self, request: &Request) -> Answer {
        let account = request.parameters().remove("account");
        let known = |account: &String| lock(&self.accounts).contains(account);
        if account.as_ref().is_some_and(|account| !known(account)) {
            return Answer::Text(400, String::new());
        }
        self.feed.listen(account).map_or_else(|| Answer::Text(503, String::new()), Answer::Feed)
    }

    /// Returns the time for a new message, later than that of each message before.
    fn stamp(&self) -> u64 {
        let now = now_ms();
        let next = |last: u64| Some(now.max(last + 1));
        let last = self.last_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        now.max(last.unwrap_or_default() + 1)
    }

    /// Returns what an envelope says about who sent it.
    fn sender(&self, number: &str) -> Value {
        let shown = (!self.options.hidden_numbers).then_some(number);
        json!({
            "source": shown.unwrap_or(&uuid(number)),
            "sourceNumber": shown,
            "sourceUuid": uuid(number),
            "sourceName": "",
            "sourceDevice": 1,
        })
    }
}

fn is_local(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or_default()
}

/// Returns the uuid of a number: always the same one, as an account's is.
fn uuid(number: &str) -> String {
    // FNV-1a over the number, twice with different ends, fills 128 bits.
    let hash = |end: u8| {
        number.bytes().chain([end]).fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        })
    };
    let (high, low) = (hash(1), hash(2));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFF,
        low >> 52,
        low & 0xFFFF_FFFF_FFFF
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_uuid() {
        let uuid = uuid("+15551230000");
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid, super::uuid("+15551230000"));
        assert_ne!(uuid, super::uuid("+15551230001"));
    }

    #[test]
    fn hosts_are_told_apart() {
        assert!(is_local("127.0.0.1:8080"));
        assert!(is_local("localhost"));
        assert!(!is_local("signal.example:8080"));
    }
}
