//! The probe of kind `smtp`: banner, EHLO, STARTTLS, NOOP, QUIT; with `login = true` also AUTH.
//!
//! ```toml
//! kind  = "smtp"
//! ehlo  = "localhost"      # how we call ourselves
//! login = true             # log in with the gateway's `username` and `password`, where it has them
//! ```
//! `host`, `port` and `tls` are the gateway's own. `tls` says how: `required` from the first byte, `starttls` (the
//! default), or `none`. Nothing is ever asked about recipients, and no mail is begun.
//!
//! Limits: a reply of at most [`REPLY_LINES_MAX`] lines of [`LINE_MAX`] bytes. Cites: RFC 5321 sections 4.2, 4.5.3.1;
//! RFC 3207; RFC 4954.

use super::context::Context;
use super::definition::{Reader, Unbuildable};
use super::place::{PlaceText, Road, Wire};
use super::target::{Escape, Target, Text};
use super::tls::Handshake;
use super::trace::{Limits, Trace};
use super::{Blueprint, Doing, Probe};
use crate::core::evidence::{Layer, Verdict};
use crate::core::outcome::Reason;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

/// The longest line of a reply. Cites: RFC 5321 section 4.5.3.1.5 (512 octets), and as much again for those who err.
const LINE_MAX: u64 = 1024;
/// The most lines of a reply: a server has some twenty extensions.
const REPLY_LINES_MAX: usize = 100;

struct SmtpProbe {
    road: Road,
    /// How to go over to TLS after the greeting, where that is wanted.
    starttls: Option<Handshake>,
    ehlo: String,
    login: Option<Login>,
}

struct Plan {
    place: PlaceText,
    ehlo: Option<Text>,
    login: bool,
}

/// When the dialogue becomes secret.
enum Secret {
    AtOnce,
    AfterHello,
    Never,
}

/// What is shown at the door. Has no `Debug`: it is a secret.
struct Login {
    username: String,
    password: String,
}

/// A server's reply.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Reply {
    code: u16,
    lines: Vec<String>,
}

/// A dialogue over an open connection.
struct Talk<W>(BufReader<W>);

/// Reads the keys of kind `smtp`.
pub(super) fn parse(reader: &mut Reader<'_>) -> Option<Box<dyn Blueprint>> {
    let place = PlaceText::parse(reader);
    let ehlo = reader.text("ehlo");
    let login = reader.bool("login").unwrap_or(false);
    Some(Box::new(Plan { place: place?, ehlo, login }))
}

impl Blueprint for Plan {
    fn build(
        &self,
        target: &Target,
        context: &Context,
        limits: Limits,
    ) -> Result<Box<dyn Probe>, Unbuildable> {
        // Cites: RFC 8314 section 7.3 (465), RFC 6409 (587), RFC 5321 (25).
        let (usual, when) = match target.value("tls") {
            Some("required") => (465, Secret::AtOnce),
            None | Some("starttls") => (587, Secret::AfterHello),
            Some("none") => (25, Secret::Never),
            Some(_) => {
                return Err(Unbuildable::BadWord { key: "tls", words: "`required`, `starttls` or `none`" });
            }
        };
        let place = self.place.fill(target, Some(usual))?;
        let shake = || context.trust.handshake(&place, target);
        let (tls, starttls) = match when {
            Secret::AtOnce => (Some(shake()?), None),
            Secret::AfterHello => (None, Some(shake()?)),
            Secret::Never => (None, None),
        };
        let ehlo = self.ehlo.as_ref().map(|text| text.fill(target, Escape::None)).transpose()?;
        let ehlo = ehlo.unwrap_or_else(|| "localhost".to_owned());
        if ehlo.is_empty() || ehlo.len() > 255 || !ehlo.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Unbuildable::TooLong("ehlo"));
        }
        let login = match (self.login, target.value("username"), target.value("password")) {
            (true, Some(username), Some(password)) => {
                Some(Login { username: username.to_owned(), password: password.to_owned() })
            }
            _ => None,
        };
        Ok(Box::new(SmtpProbe { road: Road { place, tls, limits }, starttls, ehlo, login }))
    }
}

impl Probe for SmtpProbe {
    fn run<'a>(&'a self, context: &'a Context, trace: &'a mut Trace) -> Doing<'a, Result<Verdict, Reason>> {
        Box::pin(self.check(context, trace))
    }
}

impl SmtpProbe {
    async fn check(&self, context: &Context, trace: &mut Trace) -> Result<Verdict, Reason> {
        let wire = self.road.open(context, trace).await?;
        let limit = self.road.limits.answer;
        let mut talk = Talk::over(wire);
        let Some(handshake) = &self.starttls else {
            let all = async {
                let offers = talk.greet(&self.ehlo).await?;
                self.finish(&mut talk, &offers).await
            };
            let all = async { judged(all.await) };
            return trace.phase(Layer::Api, limit, Reason::Timeout, all).await;
        };
        let greeting = async {
            let offers = talk.greet(&self.ehlo).await?;
            // Whoever is to be spoken to in secret and does not offer it is set up wrongly, or is not who he was.
            if !offers.offers("STARTTLS") {
                return Err(Reason::Configuration);
            }
            talk.ask("STARTTLS", 220).await
        };
        let greeting = async { judged(greeting.await.map(|_| Verdict::Fine)) };
        let (greeted, earlier) = trace.prelude(Layer::Api, limit, Reason::Timeout, greeting).await?;
        if greeted != Verdict::Fine {
            let over = async { Ok(greeted) };
            return trace.phase_after(Layer::Api, earlier, limit, Reason::Timeout, over).await;
        }
        // What stood in the buffer was said before TLS, by anybody: it is dropped with it.
        let secret = handshake.shake(talk.0.into_inner(), trace, &self.road.limits).await?;
        let mut talk = Talk::over(secret);
        let rest = async {
            let offers = talk.hello(&self.ehlo).await?;
            self.finish(&mut talk, &offers).await
        };
        let rest = async { judged(rest.await) };
        trace.phase_after(Layer::Api, earlier, limit, Reason::Timeout, rest).await
    }

    /// Logs in where that is wanted, asks for a sign of life, and takes leave.
    async fn finish<W: Wire>(&self, talk: &mut Talk<W>, offers: &Reply) -> Result<Verdict, Reason> {
        if let Some(login) = &self.login {
            talk.log_in(login, offers).await?;
        }
        talk.ask("NOOP", 250).await?;
        // A courtesy; whether it is answered says nothing more.
        let _ = talk.say("QUIT").await;
        Ok(Verdict::Fine)
    }
}

/// Weighs how a dialogue ended: a server that asks for patience (4xx) is there, and takes letters later.
fn judged(ended: Result<Verdict, Reason>) -> Result<Verdict, Reason> {
    match ended {
        Err(Reason::ProviderFault) => Ok(Verdict::Limited(Reason::ProviderFault)),
        other => other,
    }
}

impl<W: Wire> Talk<W> {
    fn over(wire: W) -> Talk<W> {
        Talk(BufReader::with_capacity(2048, wire))
    }

    /// Waits for the banner and says hello; returns what the server offers.
    async fn greet(&mut self, ehlo: &str) -> Result<Reply, Reason> {
        self.reply().await?.must_be(220)?;
        self.hello(ehlo).await
    }

    async fn hello(&mut self, ehlo: &str) -> Result<Reply, Reason> {
        self.ask(&format!("EHLO {ehlo}"), 250).await
    }

    async fn log_in(&mut self, login: &Login, offers: &Reply) -> Result<(), Reason> {
        let Login { username, password } = login;
        if offers.offers_login("PLAIN") {
            let shown = STANDARD.encode(format!("\0{username}\0{password}"));
            self.ask(&format!("AUTH PLAIN {shown}"), 235).await?;
        } else if offers.offers_login("LOGIN") {
            self.ask("AUTH LOGIN", 334).await?;
            self.ask(&STANDARD.encode(username), 334).await?;
            self.ask(&STANDARD.encode(password), 235).await?;
        } else {
            return Err(Reason::Configuration);
        }
        Ok(())
    }

    /// Says a line and expects a reply of this code.
    async fn ask(&mut self, line: &str, code: u16) -> Result<Reply, Reason> {
        self.say(line).await?;
        self.reply().await?.must_be(code)
    }

    async fn say(&mut self, line: &str) -> Result<(), Reason> {
        let wire = self.0.get_mut();
        wire.write_all(format!("{line}\r\n").as_bytes()).await.map_err(|_| Reason::ConnectionLost)?;
        wire.flush().await.map_err(|_| Reason::ConnectionLost)
    }

    /// Reads a reply, all its lines.
    async fn reply(&mut self) -> Result<Reply, Reason> {
        let mut reply: Option<Reply> = None;
        for _ in 0..REPLY_LINES_MAX {
            let mut line = Vec::new();
            let read = (&mut self.0).take(LINE_MAX).read_until(b'\n', &mut line).await;
            match read {
                Ok(0) | Err(_) => return Err(Reason::ConnectionLost),
                Ok(_) => {}
            }
            let (code, text, last) = read_line(&line).ok_or(Reason::Unreadable)?;
            let reply = reply.get_or_insert_with(|| Reply { code, lines: Vec::new() });
            if reply.code != code {
                return Err(Reason::Unreadable);
            }
            reply.lines.push(text);
            if last {
                return Ok(reply.clone());
            }
        }
        Err(Reason::Unreadable)
    }
}

/// Reads one line of a reply: its code, its text, and whether it is the last.
fn read_line(line: &[u8]) -> Option<(u16, String, bool)> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let line = line.strip_suffix('\r').unwrap_or(line);
    let code: u16 = line.get(..3)?.parse().ok().filter(|code| (200..600).contains(code))?;
    let last = match line.as_bytes().get(3) {
        None | Some(b' ') => true,
        Some(b'-') => false,
        Some(_) => return None,
    };
    Some((code, line.get(4..).unwrap_or_default().to_owned(), last))
}

impl Reply {
    /// Reads a reply of another code than the one that was expected.
    fn must_be(self, code: u16) -> Result<Reply, Reason> {
        match self.code {
            found if found == code => Ok(self),
            400..=499 => Err(Reason::ProviderFault),
            530 | 534 | 535 | 538 => Err(Reason::Credentials),
            554 if code == 220 => Err(Reason::Configuration),
            500..=599 => Err(Reason::Configuration),
            _ => Err(Reason::Unreadable),
        }
    }

    fn offers(&self, word: &str) -> bool {
        self.lines.iter().skip(1).any(|line| first_word(line).eq_ignore_ascii_case(word))
    }

    fn offers_login(&self, way: &str) -> bool {
        // `AUTH=` is how some old servers write it.
        let ways = self.lines.iter().skip(1).filter_map(|line| {
            let (word, ways) = line.split_once([' ', '='])?;
            word.eq_ignore_ascii_case("AUTH").then_some(ways)
        });
        ways.flat_map(str::split_whitespace).any(|found| found.eq_ignore_ascii_case(way))
    }
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_reply_is_read_or_refused() {
        let check = |line: &str, expected: Option<(u16, &str, bool)>| {
            let expected = expected.map(|(code, text, last)| (code, text.to_owned(), last));
            assert_eq!(read_line(line.as_bytes()), expected, "{line:?}");
        };
        check("220 mx.example.org ESMTP\r\n", Some((220, "mx.example.org ESMTP", true)));
        check("250-STARTTLS\r\n", Some((250, "STARTTLS", false)));
        check("250\r\n", Some((250, "", true)));
        check("250 ok\n", Some((250, "ok", true)));
        for bad in ["", "250 ok", "25\r\n", "hello\r\n", "250/ok\r\n", "150 x\r\n", "٢٥٠ ok\r\n"] {
            check(bad, None);
        }
    }

    #[test]
    fn what_a_server_offers_is_found() {
        let lines = ["mx STARTTLS", "PIPELINING", "starttls", "AUTH LOGIN plain", "SIZE 1"];
        let reply = Reply { code: 250, lines: lines.map(str::to_owned).to_vec() };
        assert!(reply.offers("STARTTLS") && reply.offers("SIZE") && !reply.offers("mx"));
        assert!(reply.offers_login("PLAIN") && reply.offers_login("LOGIN") && !reply.offers_login("XOAUTH2"));
        let old = Reply { code: 250, lines: vec!["mx".into(), "AUTH=PLAIN".into()] };
        assert!(old.offers_login("PLAIN"));
    }

    #[test]
    fn each_code_has_its_reason() {
        let check = |code, wanted, expected: Result<(), Reason>| {
            let reply = Reply { code, lines: Vec::new() };
            assert_eq!(reply.must_be(wanted).map(|_| ()), expected, "{code}");
        };
        check(250, 250, Ok(()));
        check(421, 250, Err(Reason::ProviderFault));
        check(454, 220, Err(Reason::ProviderFault));
        check(535, 235, Err(Reason::Credentials));
        check(530, 250, Err(Reason::Credentials));
        check(554, 220, Err(Reason::Configuration));
        check(502, 250, Err(Reason::Configuration));
        check(354, 250, Err(Reason::Unreadable));
    }
}
