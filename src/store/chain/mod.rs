//! The chain of acts: each has the SHA-256 of its own line, and in its line stands the hash of the one before.
//!
//! A line is JSON, always written in the same way: these members in this order, no spaces, UTF-8, and in texts `"`, `\`
//! and control characters alone are escaped (`\b \t \n \f \r`, others as `\u001f`).
//! ```text
//! {"number":7,"prev":"<64 digits>","at":"2026-11-22T18:00:00.000Z","who":"..","act":"..","on":"..","reason":"..","hash":"<64 digits>"}
//! ```
//! What is hashed are the line's bytes up to `,"hash":`. The hash of what no act came before is 64 zeros. So whoever has the
//! lines needs SHA-256 and nothing of this program to find a row that was changed, removed or put elsewhere; that the end
//! was cut off shows by a head that was kept elsewhere.
//!
//! Invariant: how a line is written never changes: every hash that was ever made depends on it.

pub mod verify;

use super::outbox::{ReadError, Reader};
use crate::core::audit::{Anchor, Audit, Hash, Head, Link};
use crate::core::message::SERVICE;
use crate::core::query::{Answer, Query};
use crate::core::time::Timestamp;
use ring::digest;
use std::fmt::Write;

/// The end of the chain, to which acts are added.
#[derive(Clone, Debug)]
pub struct Chain {
    head: Head,
    /// The last act's time, and as it is written: many acts come in one millisecond.
    moment: Option<(Timestamp, String)>,
    /// What the last line was written in.
    buffer: String,
}

/// An act as its line has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line<'t> {
    /// Its number.
    pub number: u64,
    /// The hash of the one before.
    pub prev: Hash,
    /// When, as it is written.
    pub at: &'t str,
    /// Who.
    pub who: &'t str,
    /// Did what.
    pub act: &'t str,
    /// On what.
    pub on: &'t str,
    /// Why.
    pub reason: &'t str,
}

impl Chain {
    /// Goes on where a chain ends.
    pub fn after(head: Head) -> Chain {
        Chain { head, moment: None, buffer: String::new() }
    }

    /// Goes on where a store's chain ends.
    pub fn open(reader: &dyn Reader) -> Result<Chain, ReadError> {
        match reader.answer(&Query::ChainEnds)?.value {
            Answer::ChainEnds(_, head) => Ok(Chain::after(head)),
            _ => Err(ReadError::Corrupt("it does not say where its chain of acts ends".into())),
        }
    }

    /// Returns its end.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Gives an act its place at the end.
    pub fn link(&mut self, audit: Audit) -> Link {
        let (number, prev) = (self.head.number.saturating_add(1), self.head.hash);
        let at = match self.moment.take() {
            Some((at, written)) if at == audit.at => written,
            _ => time(audit.at),
        };
        self.buffer.clear();
        of(number, prev, &at, &audit).write(&mut self.buffer);
        let hash = sha256(self.buffer.as_bytes());
        self.moment = Some((audit.at, at));
        self.head = Head { number, hash };
        Link { number, prev, hash, audit }
    }

    /// Says, as an act, that all before it were taken in from an older program, which kept them without a chain: the last
    /// of them at this time.
    pub(crate) fn adopted(&mut self, last: Timestamp) -> (Anchor, Link) {
        let adopted = self.head.number;
        let reason =
            "an older program kept them without a chain: what was done to them before cannot be known";
        let note = self.link(Audit {
            at: last,
            who: SERVICE.into(),
            act: "adopt".into(),
            on: format!("acts 1 to {adopted}"),
            reason: reason.into(),
        });
        (Anchor { adopted, ..Anchor::default() }, note)
    }
}

/// Writes a time as lines have it. One that no calendar has is written in milliseconds, as `@-7`.
pub fn time(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.ms()) {
        Ok(at) => format!("{at:.3}"),
        Err(_) => format!("@{}", at.ms()),
    }
}

/// Returns the bytes of an act that are hashed.
pub fn hashed(link: &Link) -> String {
    of(link.number, link.prev, &time(link.audit.at), &link.audit).hashed()
}

/// Returns the whole line of an act, without a line's end.
pub fn whole_line(link: &Link) -> String {
    format!("{},\"hash\":\"{}\"}}", hashed(link), link.hash)
}

fn of<'t>(number: u64, prev: Hash, at: &'t str, audit: &'t Audit) -> Line<'t> {
    let Audit { who, act, on, reason, .. } = audit;
    Line { number, prev, at, who, act, on, reason }
}

impl Line<'_> {
    /// Returns the bytes that are hashed.
    pub fn hashed(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{{\"number\":{},\"prev\":\"{}\"", self.number, self.prev);
        let texts = [
            (",\"at\":\"", self.at),
            ("\",\"who\":\"", self.who),
            ("\",\"act\":\"", self.act),
            ("\",\"on\":\"", self.on),
            ("\",\"reason\":\"", self.reason),
        ];
        for (name, text) in texts {
            out.push_str(name);
            escape(text, out);
        }
        out.push('"');
    }

    /// Returns their SHA-256.
    pub fn hash(&self) -> Hash {
        sha256(self.hashed().as_bytes())
    }
}

/// Returns the SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Hash {
    let digest = digest::digest(&digest::SHA256, bytes);
    Hash(digest.as_ref().try_into().unwrap_or_default())
}

/// Writes a text as JSON has it between quotation marks, in the one form that lines have.
fn escape(mut text: &str, out: &mut String) {
    let is_escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // What is escaped is ASCII, so that a text may be cut before and behind it.
    while let Some((at, byte)) = text.bytes().enumerate().find(|(_, byte)| is_escaped(*byte)) {
        out.push_str(&text[..at]);
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            0x08 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        text = &text[at + 1..];
    }
    out.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(on: &str, reason: &str) -> Audit {
        let at = Timestamp::from_ms(1_790_000_000_000);
        Audit { at, who: "amal".into(), act: "hold".into(), on: on.into(), reason: reason.into() }
    }

    /// For ever: a change of a single byte makes every chain that exists look broken.
    #[test]
    fn lines_have_their_golden_bytes() {
        let mut chain = Chain::after(Head::default());
        let lines: Vec<_> =
            [act("sms-main", "rain"), act("all", "قال \"قف\"\n\u{1}\\"), act("\u{8}\t\u{c}\r\u{1f}", "ok")]
                .into_iter()
                .map(|audit| whole_line(&chain.link(audit)))
                .collect();
        let zeros = "0".repeat(64);
        let first = format!(
            "{{\"number\":1,\"prev\":\"{zeros}\",\"at\":\"2026-09-21T14:13:20.000Z\",\"who\":\"amal\",\
             \"act\":\"hold\",\"on\":\"sms-main\",\"reason\":\"rain\",\"hash\":\"{}\"}}",
            sha256(lines[0].split(",\"hash\":").next().unwrap().as_bytes())
        );
        assert_eq!(lines[0], first);
        let hash = lines[0].rsplit('"').nth(1).unwrap();
        assert!(lines[1].starts_with(&format!("{{\"number\":2,\"prev\":\"{hash}\",")), "{}", lines[1]);
        assert!(lines[1].contains(r#""reason":"قال \"قف\"\n\u0001\\","hash""#), "{}", lines[1]);
        assert!(lines[2].contains(r#""on":"\b\t\f\r\u001f","reason":"ok","hash""#), "{}", lines[2]);
        for line in &lines {
            // As every JSON library that leaves letters as they are writes it.
            let parsed: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(parsed["at"], "2026-09-21T14:13:20.000Z");
        }
    }

    #[test]
    fn what_had_no_chain_is_taken_in_and_said_to_be() {
        let mut chain = Chain::after(Head::default());
        let links = [act("a", ""), act("b", "")].map(|audit| chain.link(audit));
        let (anchor, note) = chain.adopted(links[1].audit.at);
        assert_eq!((anchor.number, anchor.adopted), (0, 2));
        assert_eq!((note.audit.on.as_str(), note.prev), ("acts 1 to 2", links[1].hash));
        assert_eq!(chain.head(), note.head());
    }
}
