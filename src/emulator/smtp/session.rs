//! One conversation with a client, from the banner to the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::desk::{Desk, Verdict};
use super::super::fault::{AcceptFault, AnswerFault, DeliverFault};
use super::super::listen::{Wire, secure};
use super::super::received::Received;
use super::command;
use super::mime;
use super::{Mail, Refusal, Reply, Smtp, Stage};

/// The longest line: RFC 4954 asks for 12,288 octets in AUTH.
pub(super) const LINE_MAX: usize = 12_288;

/// Recipients of one mail.
pub(super) const RECIPIENTS_MAX: usize = 100;

/// How long a client may say nothing; RFC 5321 asks for 5 minutes.
const IDLE_WAIT: Duration = Duration::from_secs(300);

/// Why a conversation ends.
struct End;

/// One conversation.
struct Session<'a> {
    server: &'a Smtp,
    desk: &'a Desk<Refusal>,
    abort: Arc<AtomicBool>,
    /// None only while TLS is being negotiated.
    wire: Option<Wire>,
    buffer: Vec<u8>,
    greeted: bool,
    user: Option<String>,
    mail: Option<Envelope>,
}

/// A mail in the making.
#[derive(Default)]
struct Envelope {
    from: String,
    utf8: bool,
    recipients: Vec<String>,
    details: BTreeMap<&'static str, String>,
    /// What is ordered for after DATA or the final dot.
    fault: Option<AcceptFault<Refusal>>,
    delay: Duration,
}

/// Serves one connection.
pub(super) async fn serve(server: Arc<Smtp>, desk: Arc<Desk<Refusal>>, wire: Wire) {
    let mut session = Session {
        server: &server,
        desk: &desk,
        abort: wire.abort_switch(),
        wire: Some(wire),
        buffer: Vec::new(),
        greeted: false,
        user: None,
        mail: None,
    };
    if session.greet().await.is_err() {
        return;
    }
    while session.turn().await.is_ok() {}
}

impl Session<'_> {
    async fn greet(&mut self) -> Result<(), End> {
        let banner = format!("{} ESMTP emulated", self.server.options.name);
        let banner = self.server.ordered(Stage::Banner).unwrap_or(Reply::new(220, &banner));
        let (fault, delay) = self.desk.draw_answer();
        tokio::time::sleep(delay).await;
        if let Some(fault) = fault {
            return self.break_off(fault).await;
        }
        self.reply(&banner).await
    }

    /// Reads a command and answers it.
    async fn turn(&mut self) -> Result<(), End> {
        let Some(line) = self.line().await? else {
            return self.say(500, "5.5.2 Line too long").await;
        };
        let (fault, delay) = self.desk.draw_request(line.eq_ignore_ascii_case(b"NOOP"));
        tokio::time::sleep(delay).await;
        if let Some(fault) = fault {
            return self.break_off(fault).await;
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let rest = rest.trim();
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => self.hello(verb, rest).await,
            "STARTTLS" => self.start_tls().await,
            "AUTH" => self.auth(rest).await,
            "MAIL" => self.mail(rest).await,
            "RCPT" => self.rcpt(rest).await,
            "DATA" => self.data().await,
            "RSET" => {
                self.mail = None;
                self.say(250, "2.0.0 Ok").await
            }
            "NOOP" => self.say(250, "2.0.0 Ok").await,
            "VRFY" => self.say(252, "2.0.0 Send some mail, I'll try my best").await,
            "QUIT" => {
                self.say(221, "2.0.0 Bye").await?;
                Err(End)
            }
            _ => self.say(500, "5.5.2 Command not recognized").await,
        }
    }

    async fn hello(&mut self, verb: &str, name: &str) -> Result<(), End> {
        if let Some(reply) = self.server.ordered(Stage::Ehlo) {
            return self.reply(&reply).await;
        }
        if name.is_empty() {
            return self.say(501, "5.5.4 A name is needed").await;
        }
        (self.greeted, self.mail) = (true, None);
        let options = &self.server.options;
        if verb.eq_ignore_ascii_case("HELO") {
            let text = options.name.clone();
            return self.say(250, &text).await;
        }
        let mut lines = vec![options.name.clone(), format!("SIZE {}", options.size_max)];
        let secured = self.is_tls();
        if options.common.tls.is_some() && !secured {
            lines.push("STARTTLS".to_owned());
        }
        if options.login.is_some() && (secured || options.common.tls.is_none()) {
            lines.push("AUTH PLAIN LOGIN".to_owned());
        }
        for (offered, word) in
            [(options.eight_bit, "8BITMIME"), (options.utf8, "SMTPUTF8"), (options.dsn, "DSN")]
        {
            if offered {
                lines.push(word.to_owned());
            }
        }
        lines.push("ENHANCEDSTATUSCODES".to_owned());
        let last = lines.len() - 1;
        let mut text = String::new();
        for (at, line) in lines.iter().enumerate() {
            let join = if at == last { ' ' } else { '-' };
            text += &format!("250{join}{line}\r\n");
        }
        self.write(text.as_bytes()).await
    }

    async fn start_tls(&mut self) -> Result<(), End> {
        if let Some(reply) = self.server.ordered(Stage::StartTls) {
            return self.reply(&reply).await;
        }
        let Some(identity) = self.server.options.common.tls.clone() else {
            return self.say(502, "5.5.1 Not offered").await;
        };
        if self.is_tls() {
            return self.say(503, "5.5.1 Under TLS already").await;
        }
        self.say(220, "2.0.0 Ready to start TLS").await?;
        let wire = self.wire.take().ok_or(End)?;
        let wire = secure(self.desk, wire, &identity).await.ok_or(End)?;
        self.wire = Some(wire);
        // What came in the clear counts no more: RFC 3207, section 4.2.
        self.buffer.clear();
        (self.greeted, self.user, self.mail) = (false, None, None);
        Ok(())
    }

    async fn auth(&mut self, rest: &str) -> Result<(), End> {
        if let Some(reply) = self.server.ordered(Stage::Auth) {
            return self.reply(&reply).await;
        }
        let Some((user, password)) = self.server.options.login.clone() else {
            return self.say(502, "5.5.1 Not offered").await;
        };
        if self.server.options.common.tls.is_some() && !self.is_tls() {
            return self.say(538, "5.7.11 Encryption is needed").await;
        }
        if self.user.is_some() {
            return self.say(503, "5.5.1 Logged in already").await;
        }
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let given = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let answer = self.challenge("", initial).await?;
                plain(&answer)
            }
            "LOGIN" => {
                let user = self.challenge("Username:", initial).await?;
                let password = self.challenge("Password:", "").await?;
                String::from_utf8(user).ok().zip(String::from_utf8(password).ok())
            }
            _ => return self.say(504, "5.5.4 Unrecognized authentication type").await,
        };
        if given != Some((user.clone(), password)) {
            return self.say(535, "5.7.8 Authentication credentials invalid").await;
        }
        self.user = Some(user);
        self.say(235, "2.7.0 Authentication successful").await
    }

    /// Returns the decoded answer to a challenge; an answer that was sent ahead needs none.
    async fn challenge(&mut self, text: &str, ahead: &str) -> Result<Vec<u8>, End> {
        let answer = if ahead.is_empty() {
            let challenge = STANDARD.encode(text);
            self.say(334, &challenge).await?;
            self.line().await?.unwrap_or_default()
        } else {
            ahead.as_bytes().to_vec()
        };
        Ok(STANDARD.decode(answer.trim_ascii()).unwrap_or_default())
    }

    async fn mail(&mut self, rest: &str) -> Result<(), End> {
        if let Some(reply) = self.server.ordered(Stage::Mail) {
            return self.reply(&reply).await;
        }
        let options = &self.server.options;
        if !self.greeted {
            return self.say(503, "5.5.1 Send EHLO first").await;
        }
        if options.login.is_some() && self.user.is_none() {
            return self.say(530, "5.7.0 Authentication required").await;
        }
        if self.mail.is_some() {
            return self.say(503, "5.5.1 Nested MAIL command").await;
        }
        let path = match command::path(rest, "FROM:", options) {
            Ok(path) => path,
            Err(reply) => return self.reply(&reply).await,
        };
        let size = path.parameters.get("SIZE").and_then(|text| text.parse().ok());
        if size.is_some_and(|size: usize| size > options.size_max) {
            return self.say(552, "5.3.4 Message too big for system").await;
        }
        let utf8 = path.parameters.contains_key("SMTPUTF8");
        if !utf8 && !path.address.is_ascii() {
            return self.say(553, "5.6.7 Address needs SMTPUTF8").await;
        }
        let mut details = BTreeMap::new();
        if let Some(id) = path.parameters.get("ENVID") {
            details.insert("envid", id.clone());
        }
        self.mail = Some(Envelope { from: path.address, utf8, details, ..Envelope::default() });
        self.say(250, "2.1.0 Ok").await
    }

    async fn rcpt(&mut self, rest: &str) -> Result<(), End> {
        if let Some(reply) = self.server.ordered(Stage::Rcpt) {
            return self.reply(&reply).await;
        }
        let Some(envelope) = &mut self.mail else {
            return self.say(503, "5.5.1 Send MAIL first").await;
        };
        let path = match command::path(rest, "TO:", &self.server.options) {
            Ok(path) => path,
            Err(reply) => return self.reply(&reply).await,
        };
        if !envelope.utf8 && !path.address.is_ascii() {
            return self.say(553, "5.6.7 Address needs SMTPUTF8").await;
        }
        if envelope.recipients.len() >= RECIPIENTS_MAX {
            return self.say(452, "4.5.3 Too many recipients").await;
        }
        let (verdict, delay) = self.desk.judge(&path.address);
        match verdict {
            Verdict::Fault(AcceptFault::Reject(refusal)) if refusal.stage <= Stage::Rcpt => {
                return self.reply(&refusal.reply).await;
            }
            Verdict::Fault(AcceptFault::Throttle { retry_after_s }) => {
                let text = format!("4.7.1 Greylisted, please try again in {retry_after_s} seconds");
                return self.say(450, &text).await;
            }
            Verdict::Fault(fault) => envelope.fault = Some(fault),
            Verdict::Take => {}
        }
        envelope.delay = envelope.delay.max(delay);
        if let Some(notify) = path.parameters.get("NOTIFY") {
            envelope.details.insert("notify", notify.clone());
        }
        envelope.recipients.push(path.address);
        self.say(250, "2.1.5 Ok").await
    }

    async fn data(&mut self) -> Result<(), End> {
        if let Some(reply) = self.server.ordered(Stage::Data) {
            return self.reply(&reply).await;
        }
        let Some(envelope) = self.mail.take() else {
            return self.say(503, "5.5.1 Send RCPT first").await;
        };
        if envelope.recipients.is_empty() {
            self.mail = Some(envelope);
            return self.say(554, "5.5.1 No valid recipients").await;
        }
        if let Some(AcceptFault::Reject(refusal)) = &envelope.fault
            && refusal.stage == Stage::Data
        {
            return self.reply(&refusal.reply).await;
        }
        self.say(354, "End data with <CR><LF>.<CR><LF>").await?;
        let Some(raw) = self.content().await? else {
            return self.say(552, "5.3.4 Message too big for system").await;
        };
        if let Some(reply) = self.server.ordered(Stage::Dot) {
            return self.reply(&reply).await;
        }
        tokio::time::sleep(envelope.delay).await;
        self.after_dot(envelope, raw).await
    }

    async fn after_dot(&mut self, mut envelope: Envelope, raw: Vec<u8>) -> Result<(), End> {
        let (fault, taken) = match envelope.fault.take() {
            None => {
                let id = self.take(envelope, raw);
                return self.say(250, &format!("2.0.0 Ok: queued as {id}")).await;
            }
            Some(AcceptFault::Reject(refusal)) => return self.reply(&refusal.reply).await,
            Some(AcceptFault::Throttle { .. }) => {
                return self.say(451, "4.7.1 Try again later").await;
            }
            Some(AcceptFault::Status { code, .. }) => {
                (AnswerFault::Status { code, retry_after_s: None }, false)
            }
            Some(AcceptFault::Hang { taken }) => (AnswerFault::Hang, taken),
            Some(AcceptFault::Reset { taken }) => (AnswerFault::Reset, taken),
            Some(AcceptFault::Close { taken }) => (AnswerFault::Close, taken),
            Some(AcceptFault::Garbage { taken }) => (AnswerFault::Garbage, taken),
        };
        if taken {
            self.take(envelope, raw);
        }
        self.break_off(fault).await
    }

    /// Keeps a mail, once for each recipient; returns the id that the server gives it.
    fn take(&self, envelope: Envelope, raw: Vec<u8>) -> String {
        let id = format!("{:016X}", self.desk.fresh_id());
        let letter = mime::read(&raw);
        let message_id = letter.header("message-id");
        let message_id = message_id.map(|id| id.trim_matches(['<', '>']).to_owned());
        let mut details = envelope.details;
        for (key, name) in [
            ("subject", "subject"),
            ("auto_submitted", "auto-submitted"),
            ("reply_to", "reply-to"),
            ("content_type", "content-type"),
        ] {
            if let Some(value) = letter.header(name) {
                details.insert(key, value.to_owned());
            }
        }
        for recipient in &envelope.recipients {
            // A mail that is dropped or held was taken all the same; that is all its sender knows.
            let failed = matches!(self.desk.fate().deliver, Some(DeliverFault::Fail(_)));
            if failed {
                details.insert("bounced", "true".to_owned());
            }
            self.desk.keep(Received {
                number: 0,
                at: UNIX_EPOCH,
                recipient: recipient.clone(),
                sender: envelope.from.clone(),
                text: letter.text.clone(),
                provider_id: id.clone(),
                attempt_ref: message_id.clone(),
                details: details.clone(),
            });
        }
        self.server.keep(Mail {
            from: envelope.from,
            recipients: envelope.recipients,
            raw,
            tls: self.is_tls(),
            user: self.user.clone(),
        });
        id
    }

    fn is_tls(&self) -> bool {
        self.wire.as_ref().is_some_and(Wire::is_tls)
    }

    /// Does instead of an answer what a fault says.
    async fn break_off(&mut self, fault: AnswerFault) -> Result<(), End> {
        match fault {
            AnswerFault::Reset => self.abort.store(true, Ordering::Relaxed),
            AnswerFault::Close => {}
            AnswerFault::Hang => {
                if let Some(wire) = self.wire.take() {
                    wire.swallow().await;
                }
            }
            AnswerFault::Cut => self.write(b"25").await?,
            AnswerFault::Garbage => return self.write(b"It works!\r\n").await,
            AnswerFault::Status { code, .. } => {
                let code = u16::try_from(code).unwrap_or(451);
                return self.say(code, "4.3.0 As ordered").await;
            }
        }
        Err(End)
    }

    async fn say(&mut self, code: u16, text: &str) -> Result<(), End> {
        self.reply(&Reply::new(code, text)).await
    }

    async fn reply(&mut self, reply: &Reply) -> Result<(), End> {
        let line = format!("{} {}\r\n", reply.code, reply.text);
        self.write(line.as_bytes()).await?;
        if reply.code == 421 { Err(End) } else { Ok(()) }
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        let wire = self.wire.as_mut().ok_or(End)?;
        wire.write_all(octets).await.map_err(|_| End)?;
        wire.flush().await.map_err(|_| End)
    }

    /// Reads a line without its end; none where it is too long.
    async fn line(&mut self) -> Result<Option<Vec<u8>>, End> {
        let mut too_long = false;
        loop {
            if let Some(at) = self.buffer.iter().position(|octet| *octet == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=at).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line).filter(|line| !too_long && line.len() <= LINE_MAX));
            }
            if self.buffer.len() > LINE_MAX {
                too_long = true;
                self.buffer.clear();
            }
            self.fill().await?;
        }
    }

    /// Reads a mail up to the final dot and takes the added dots out; none where it is too big.
    async fn content(&mut self) -> Result<Option<Vec<u8>>, End> {
        let max = self.server.options.size_max;
        let mut content = Vec::new();
        let mut too_big = false;
        // Where the search for the end goes on: a line's beginning.
        let mut begin = 0;
        loop {
            while let Some(length) = line_length(&self.buffer[begin..]) {
                let line = &self.buffer[begin..begin + length];
                begin += length;
                if line == b".\r\n" {
                    self.buffer.drain(..begin);
                    return Ok((!too_big).then_some(content));
                }
                let line = line.strip_prefix(b".").unwrap_or(line);
                too_big |= content.len() + line.len() > max;
                if !too_big {
                    content.extend_from_slice(line);
                }
            }
            self.buffer.drain(..begin);
            begin = 0;
            if self.buffer.len() > max {
                // A line without end: nothing but the end of the connection helps.
                return Err(End);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), End> {
        let wire = self.wire.as_mut().ok_or(End)?;
        let read = wire.read_buf(&mut self.buffer);
        match tokio::time::timeout(IDLE_WAIT, read).await {
            Ok(Ok(1..)) => Ok(()),
            Ok(_) => Err(End),
            Err(_) => {
                self.say(421, "4.4.2 Timeout").await?;
                Err(End)
            }
        }
    }
}

/// Returns the length of the first whole line, its end included.
fn line_length(octets: &[u8]) -> Option<usize> {
    let at = octets.windows(2).position(|pair| pair == b"\r\n")?;
    Some(at + 2)
}

/// Reads the answer of AUTH PLAIN: an identity, the user, the password, with NUL between.
fn plain(answer: &[u8]) -> Option<(String, String)> {
    let mut fields = answer.split(|octet| *octet == 0).skip(1);
    let user = String::from_utf8(fields.next()?.to_vec()).ok()?;
    let password = String::from_utf8(fields.next()?.to_vec()).ok()?;
    Some((user, password))
}
