//! A dialogue with a mail server: opened, used for one letter after the other, closed.
//
// Cites: RFC 5321; RFC 3207 (STARTTLS); RFC 4954 (AUTH).

use super::letter::Letter;
use super::line::{Line, Seen, Transport};
use super::replies::{Reply, Step, outcome};
use super::{Security, Settings};
use crate::adapter::net::{Net, Tls};
use crate::adapter::verdict::{rejected, unknown};
use crate::core::outcome::{Outcome, Reason};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// How long the words before the first letter may take: greeting, EHLO, AUTH. Mail servers think before they greet.
pub(super) const OPENING_TIME_OUT: Duration = Duration::from_secs(5);

/// How long a farewell may take.
const FAREWELL_TIME_OUT: Duration = Duration::from_millis(500);

/// What a server says before it hangs up. Cites: RFC 5321, section 4.2.3.
const FAREWELL: u16 = 421;

/// The most that is read before STARTTLS: a greeting and a list of extensions.
const OPENING_BYTES_MAX: usize = 16 * 1024;

/// What the library reads where a greeting would be: after STARTTLS the server does not greet again.
const GREETED: &[u8] = b"220 \r\n";

/// An open dialogue.
pub(super) struct Session {
    connection: AsyncSmtpConnection,
    seen: Arc<Seen>,
}

/// What became of a letter.
pub(super) struct Handed {
    pub(super) outcome: Outcome,
    /// Whether the dialogue can go on.
    pub(super) usable: bool,
    /// Whether the server had hung up before it heard of this letter.
    pub(super) stale: bool,
}

/// Opens a dialogue.
pub(super) async fn open(net: &Net, tls: &Tls, settings: &Settings) -> Result<Session, Outcome> {
    let tcp = net.connect(&settings.host, settings.port).await.map_err(rejected)?;
    let seen = Arc::<Seen>::default();
    let hello = ClientId::Domain(settings.from.email.domain().to_owned());
    let deadline = Instant::now() + OPENING_TIME_OUT;
    let (transport, first, deadline): (_, &'static [u8], _) = match settings.security {
        Security::None => (Transport::Plain(tcp), b"", deadline),
        Security::Required => (secured(tls, settings, tcp).await?, b"", deadline),
        Security::StartTls => {
            let asking = ask_for_tls(tcp, &hello);
            let tcp = timeout_at(deadline, asking).await.unwrap_or(Err(rejected(Reason::NotConnected)))?;
            let left = deadline.saturating_duration_since(Instant::now());
            let transport = secured(tls, settings, tcp).await?;
            (transport, GREETED, Instant::now() + left)
        }
    };
    let line = Box::new(Line::new(transport, first, seen.clone()));
    let opening = async {
        let mut connection = AsyncSmtpConnection::connect_with_transport(line, &hello).await?;
        if let Some(credentials) = &settings.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    };
    match timeout_at(deadline, opening).await {
        Ok(Ok(connection)) => Ok(Session { connection, seen }),
        Ok(Err(error)) => Err(refused(Step::Opening, &error).unwrap_or(rejected(unsaid(&error, &seen)))),
        Err(_) => Err(rejected(Reason::NotConnected)),
    }
}

async fn secured(tls: &Tls, settings: &Settings, tcp: TcpStream) -> Result<Transport, Outcome> {
    let stream = tls.handshake(&settings.host, tcp).await.map_err(rejected)?;
    Ok(Transport::Tls(Box::new(stream)))
}

/// Reads the greeting and asks for TLS. Without it nothing is said that others may not hear.
async fn ask_for_tls(mut tcp: TcpStream, hello: &ClientId) -> Result<TcpStream, Outcome> {
    listen(&mut tcp).await?;
    let extensions = say(&mut tcp, &format!("EHLO {hello}\r\n")).await?;
    if !extensions
        .lines()
        .any(|line| line.get(4..).is_some_and(|w| w.trim().eq_ignore_ascii_case("STARTTLS")))
    {
        return Err(rejected(Reason::TlsFailed));
    }
    say(&mut tcp, "STARTTLS\r\n").await?;
    Ok(tcp)
}

async fn say(tcp: &mut TcpStream, words: &str) -> Result<String, Outcome> {
    tcp.write_all(words.as_bytes()).await.map_err(|_| rejected(Reason::TcpReset))?;
    listen(tcp).await
}

/// Reads one reply, of one line or several, and nothing beyond it: what an attacker puts behind the answer to STARTTLS
/// must not be taken for the server's words over TLS. Cites: CVE-2011-0411.
async fn listen(tcp: &mut TcpStream) -> Result<String, Outcome> {
    let mut reply = String::new();
    let mut line = Vec::new();
    while reply.len() + line.len() < OPENING_BYTES_MAX {
        // A byte at a time, for three replies of a connection that then lives for a minute.
        line.push(tcp.read_u8().await.map_err(|_| rejected(Reason::TcpReset))?);
        if !line.ends_with(b"\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        line.clear();
        reply.push_str(&text);
        let Some(code) = text.get(..3).and_then(|code| code.parse().ok()) else { break };
        match text.as_bytes()[3] {
            b'-' => continue,
            _ if (200..400).contains(&code) => return Ok(reply),
            _ => return Err(outcome(Step::Opening, &Reply::new(code, text.get(4..).unwrap_or_default()))),
        }
    }
    Err(rejected(Reason::Unreadable))
}

impl Session {
    /// Hands a letter over.
    pub(super) async fn hand(&mut self, letter: &Letter, time_out: Duration) -> Handed {
        self.seen.dot.store(false, Ordering::Relaxed);
        let mut step = Step::Sender;
        let talking = talk(&mut self.connection, letter, &mut step);
        match timeout(time_out, talking).await {
            Ok(Ok(())) => {
                let outcome = Outcome::Accepted { provider_id: Some(letter.message_id.clone()) };
                Handed { outcome, usable: true, stale: false }
            }
            Ok(Err(Trouble::NoUtf8)) => self.refused(rejected(Reason::BadAddress)).await,
            Ok(Err(Trouble::Library(error))) => match refused(step, &error) {
                // The server took its leave while nobody spoke, and this was waiting to be read.
                Some(outcome) if step == Step::Sender && is_farewell(&error) => {
                    Handed { outcome, usable: false, stale: true }
                }
                Some(outcome) => self.refused(outcome).await,
                None => self.broken(unsaid(&error, &self.seen), step),
            },
            Err(_) => self.broken(Reason::Timeout, step),
        }
    }

    /// Goes on after a refusal, if the server lets us begin anew.
    async fn refused(&mut self, outcome: Outcome) -> Handed {
        let anew = timeout(FAREWELL_TIME_OUT, self.connection.command(Rset)).await;
        Handed { outcome, usable: matches!(anew, Ok(Ok(_))), stale: false }
    }

    fn broken(&self, reason: Reason, step: Step) -> Handed {
        let sent = self.seen.dot.load(Ordering::Relaxed);
        let outcome = if sent { unknown(reason) } else { rejected(reason) };
        let stale = step == Step::Sender && reason != Reason::Timeout;
        Handed { outcome, usable: false, stale }
    }

    /// Takes leave, as a client should.
    pub(super) async fn close(mut self) {
        let _ = timeout(FAREWELL_TIME_OUT, self.connection.abort()).await;
    }
}

enum Trouble {
    Library(Error),
    /// The address needs what the server cannot do.
    NoUtf8,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Library(error)
    }
}

/// Speaks the dialogue for one letter, noting how far it is.
async fn talk(connection: &mut AsyncSmtpConnection, letter: &Letter, step: &mut Step) -> Result<(), Trouble> {
    let mut parameters = Vec::new();
    if letter.needs_utf8() {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Trouble::NoUtf8);
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    connection.command(Mail::new(Some(letter.from.clone()), parameters)).await?;
    *step = Step::Recipient;
    connection.command(Rcpt::new(letter.to.clone(), Vec::new())).await?;
    *step = Step::Content;
    connection.command(Data).await?;
    connection.message(&letter.bytes).await?;
    Ok(())
}

/// Judges an error that is a reply of the server. `None`: it is none.
fn refused(step: Step, error: &Error) -> Option<Outcome> {
    let Some(code) = error.status() else {
        // We have credentials, and the server has no way to take them.
        return error.is_client().then(|| rejected(Reason::Configuration));
    };
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    Some(outcome(step, &Reply::new(code.into(), &text)))
}

/// Says whether the server closes the dialogue, whatever was asked. Cites: RFC 5321, section 3.8.
fn is_farewell(error: &Error) -> bool {
    error.status().is_some_and(|code| u16::from(code) == FAREWELL)
}

/// Says why there is no reply.
fn unsaid(error: &Error, seen: &Seen) -> Reason {
    let unreadable = error.is_response() && !seen.end.load(Ordering::Relaxed);
    if unreadable { Reason::Unreadable } else { Reason::ConnectionLost }
}
