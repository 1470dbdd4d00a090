//! A submission server: SMTP with STARTTLS or implicit TLS, AUTH, DSN parameters.
//!
//! Keeps each mail as it came and decoded; answers with whatever reply is ordered at a stage.
//! Receipts are not sent, so faults of receipts have no effect.
//!
//! Limits: lines up to [`session::LINE_MAX`] octets, mails up to [`Options::size_max`],
//! [`session::RECIPIENTS_MAX`] recipients a mail.
//
// Cites: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 3461 (DSN), RFC 6531 (SMTPUTF8).

mod command;
mod mime;
mod session;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Mutex;

use super::desk::lock;
use super::fault;
use super::handle::{Common, Provider};
use super::start::Start;

/// A handle to the running emulator.
pub type Handle = super::Handle<Smtp>;
/// A fault of this emulator. Faults of acceptance that are no refusals strike after the final dot.
pub type Fault = super::Fault<Refusal>;

/// Whole mails kept for [`Handle::mails`]; the oldest goes first.
const MAILS_MAX: usize = 1_000;

/// How connections are secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// Not at all, or by STARTTLS where the options have an identity.
    #[default]
    StartTls,
    /// TLS from the first octet; the options must have an identity.
    Implicit,
}

/// What the emulator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address, seed, TLS identity.
    pub common: Common,
    /// When TLS begins.
    pub security: Security,
    /// The server's name in banner and EHLO.
    pub name: String,
    /// User and password; AUTH is offered, and asked for, only with them.
    pub login: Option<(String, String)>,
    /// The largest mail, in octets.
    pub size_max: usize,
    /// Whether DSN is offered.
    pub dsn: bool,
    /// Whether 8BITMIME is offered.
    pub eight_bit: bool,
    /// Whether SMTPUTF8 is offered.
    pub utf8: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            common: Common::default(),
            security: Security::StartTls,
            name: "mail.emulated.test".to_owned(),
            login: None,
            size_max: 10 << 20,
            dsn: true,
            eight_bit: true,
            utf8: true,
        }
    }
}

/// A stage of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The greeting.
    Banner,
    /// EHLO or HELO.
    Ehlo,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// The final dot.
    Dot,
}

/// A reply: a code, and a text that begins with the enhanced code where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The code, 200 to 599.
    pub code: u16,
    /// The text.
    pub text: String,
}

impl Reply {
    /// Returns a reply.
    #[must_use]
    pub fn new(code: u16, text: &str) -> Self {
        Self { code, text: text.to_owned() }
    }
}

/// A refusal of one recipient's mail: a reply, and where it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where; stages before RCPT count as RCPT, for only then is the recipient known.
    pub stage: Stage,
    /// What.
    pub reply: Reply,
}

impl Refusal {
    /// Returns a refusal of a recipient, at RCPT.
    #[must_use]
    pub fn recipient(code: u16, text: &str) -> Self {
        Self { stage: Stage::Rcpt, reply: Reply::new(code, text) }
    }

    /// Returns a refusal of a mail, after the final dot.
    #[must_use]
    pub fn mail(code: u16, text: &str) -> Self {
        Self { stage: Stage::Dot, reply: Reply::new(code, text) }
    }
}

impl fault::Refusal for Refusal {
    fn ordinary() -> Self {
        Self::mail(451, "4.3.0 Temporary failure")
    }
}

/// A mail as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub recipients: Vec<String>,
    /// The mail, headers and body, without the dots that transport added.
    pub raw: Vec<u8>,
    /// Whether it came under TLS.
    pub tls: bool,
    /// Who had logged in.
    pub user: Option<String>,
}

/// Addresses and texts stay out of logs.
impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("recipients", &self.recipients.len())
            .field("octets", &self.raw.len())
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// The server's state.
#[derive(Debug)]
pub struct Smtp {
    options: Options,
    replies: Mutex<BTreeMap<Stage, Reply>>,
    mails: Mutex<VecDeque<Mail>>,
}

impl Provider for Smtp {
    type Refusal = Refusal;
}

/// Starts the emulator.
///
/// # Errors
/// The address cannot be listened on, or implicit TLS has no identity.
pub async fn start(options: Options) -> io::Result<Handle> {
    let tls = match options.security {
        Security::StartTls => None,
        Security::Implicit => Some(options.common.tls.clone().ok_or(io::ErrorKind::InvalidInput)?),
    };
    let start = Start::new(&Common { tls, ..options.common.clone() })?;
    let provider = Smtp { options, replies: Mutex::default(), mails: Mutex::default() };
    Ok(start.serve(provider, session::serve))
}

impl Handle {
    /// Answers every time at this stage with this reply, or as usual again with `None`. A banner
    /// or reply of 421 ends the connection.
    pub fn reply_at(&self, stage: Stage, reply: Option<Reply>) {
        let replies = &mut lock(&self.provider.replies);
        match reply {
            Some(reply) => drop(replies.insert(stage, reply)),
            None => drop(replies.remove(&stage)),
        }
    }

    /// Returns the last mails as they came, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        lock(&self.provider.mails).iter().cloned().collect()
    }
}

impl Smtp {
    fn keep(&self, mail: Mail) {
        let mails = &mut lock(&self.mails);
        if mails.len() >= MAILS_MAX {
            mails.pop_front();
        }
        mails.push_back(mail);
    }

    fn ordered(&self, stage: Stage) -> Option<Reply> {
        lock(&self.replies).get(&stage).cloned()
    }
}
