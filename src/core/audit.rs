//! Who did what: acts as they are noted, and the chain in which they are kept.
//!
//! The core notes an [`Audit`]; whoever makes it durable gives it its place in the chain, a [`Link`], which names the
//! hash of the one before. So a row that was changed, removed or put elsewhere shows, and whoever keeps the [`Head`]
//! somewhere else knows whether the end was cut off.
//!
//! Invariant: no address, text of a message or secret is in it. Names of tokens, gateways, files and ids are; a reason that
//! a person typed goes through [`discreet`] first.

use super::time::Timestamp;
use std::fmt;

/// One act of a person or program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audit {
    /// When.
    pub at: Timestamp,
    /// The subject.
    pub who: String,
    /// The act: `accept`, `cancel`, `hold`, ...
    pub act: String,
    /// On what: an id or a name.
    pub on: String,
    /// Why, where one was given.
    pub reason: String,
}

/// A SHA-256 of the chain.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Hash(pub [u8; 32]);

/// An act in its place in the chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Its number: one more than that of the one before.
    pub number: u64,
    /// The hash of the one before; of the anchor, where none is before it.
    pub prev: Hash,
    /// Its own.
    pub hash: Hash,
    /// The act.
    pub audit: Audit,
}

/// Where the chain begins: before its first act, or behind those that were kept long enough.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Anchor {
    /// The number of the last act that is no longer kept; 0 where all are.
    pub number: u64,
    /// Its hash; of nothing but zeros where all are kept.
    pub hash: Hash,
    /// Up to which number acts were taken in from a store that had no chain: what was done to them before cannot be known.
    pub adopted: u64,
}

/// The chain's last act.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Head {
    /// Its number; 0 where there is none yet.
    pub number: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The fewest digits that are taken for somebody's number, where they stand together.
const DIGITS_MIN: usize = 9;
/// The fewest where they begin as numbers do, with `+` or 0, and may stand in groups.
const DIALLED_MIN: usize = 7;
/// What stands for what was left out.
const LEFT_OUT: &str = "…";

/// Returns a reason without what looks like an address, a number of somebody's or a token. A date stays.
pub fn discreet(reason: &str) -> String {
    let words = reason.split(' ').map(|word| {
        let is_mailbox = word.find('@').is_some_and(|at| at > 0 && at + 1 < word.len());
        if is_mailbox || word.starts_with('@') && word.len() > 1 || word.contains("wasl_") {
            LEFT_OUT
        } else {
            word
        }
    });
    without_numbers(&words.collect::<Vec<_>>().join(" "))
}

fn without_numbers(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(first) = chars.get(at) {
        let dialled = matches!(first, '+' | '\u{FF0B}' | '0' | '٠' | '۰' | '\u{FF10}');
        if !dialled && !is_digit(*first) {
            out.push(*first);
            at += 1;
            continue;
        }
        let joins = |c: &char| is_digit(*c) || is_within(*c) || dialled && c.is_ascii_whitespace();
        let run: Vec<char> = chars[at..].iter().take_while(|c| joins(c)).copied().collect();
        let digits = run.iter().filter(|c| is_digit(**c)).count();
        // What follows the last digit is no part of it.
        let len = run.iter().rposition(|c| is_digit(*c)).map_or(1, |last| last + 1);
        match digits >= if dialled { DIALLED_MIN } else { DIGITS_MIN } {
            true => out.push_str(LEFT_OUT),
            false => out.extend(&run[..len]),
        }
        at += len;
    }
    out
}

/// Digits of the scripts that people here write numbers in.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '٠'..='٩' | '۰'..='۹' | '\u{FF10}'..='\u{FF19}')
}

/// Says whether a sign may stand within a number and leave it one. A plain space, which also stands between numbers, does so
/// only where the number begins as numbers do; other spaces are put there to hold it together.
fn is_within(c: char) -> bool {
    match c {
        '+' | '-' | '.' | '/' | '(' | ')' | '\u{FF0B}' => true,
        // Hyphens and dashes of every length, the minus, the soft hyphen.
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{00AD}' => true,
        // What nobody sees: joiners, and the marks of direction that come with a number copied out of an Arabic text.
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' => true,
        '\u{061C}' | '\u{FEFF}' => true,
        c => c.is_whitespace() && !c.is_ascii_whitespace(),
    }
}

impl Anchor {
    /// Returns the head of a chain of which nothing is kept.
    pub const fn head(&self) -> Head {
        Head { number: self.number, hash: self.hash }
    }
}

impl Link {
    /// Returns the head of a chain that ends with it.
    pub const fn head(&self) -> Head {
        Head { number: self.number, hash: self.hash }
    }
}

/// Sixty-four hexadecimal digits.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for Hash {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits: Vec<u8> = text
            .chars()
            .map(|c| c.to_digit(16).filter(|_| !c.is_ascii_uppercase()).map(|digit| digit as u8))
            .collect::<Option<_>>()
            .ok_or(())?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |all, digit| all << 4 | digit)).collect();
        if digits.len() == 64 { bytes.try_into().map(Hash).map_err(|_| ()) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_keeps_its_sense_and_loses_addresses_and_numbers() {
        let check = |reason: &str, expected: &str| assert_eq!(discreet(reason), expected);
        check("billing, see INC-12345", "billing, see INC-12345");
        check("until 2026-11-22 18:00, as agreed", "until 2026-11-22 18:00, as agreed");
        check("wrong text to +970 599 000 001, sorry", "wrong text to …, sorry");
        check("call 0599-000-001.", "call ….");
        check("رقم ٠٥٩٩٠٠٠٠٠١ خطأ", "رقم … خطأ");
        check("970599000001", "…");
        check("رقم ۰۵۹۹۰۰۰۰۰۱ خطأ", "رقم … خطأ");
        for between in [
            "\u{A0}", "\u{2009}", "\u{202F}", "\u{3000}", "\u{2010}", "\u{2011}", "\u{2013}", "\u{2015}",
            "\u{2212}", "\u{200B}", "\u{200F}", "\u{202A}", "\u{202E}", "\u{2066}", "\u{2069}", "\u{2060}",
            "\u{AD}", "\u{FEFF}",
        ] {
            for parts in [
                ["+970", "599", "000001"],
                ["0599", "000", "001"],
                ["970", "599", "000001"],
                ["٠٥٩٩", "٠٠٠", "٠٠١"],
            ] {
                check(&format!("call {}.", parts.join(between)), "call ….");
            }
        }
        check("\u{202A}+970 599 000 001\u{202C}", "\u{202A}…\u{202C}");
        check("call 0599\t000\n001", "call …");
        check("\u{FF0B}９７０５９９０００００１", "…");
        check(
            "from 18:00–20:00, rooms 3–5, 22 \u{2013} 24 November",
            "from 18:00–20:00, rooms 3–5, 22 – 24 November",
        );
        check("asked by amal@example.org and @amal", "asked by … and …");
        check("token wasl_abc leaked", "token … leaked");
        check("3 of 10 failed @ noon", "3 of 10 failed @ noon");
        check("", "");
    }

    #[test]
    fn a_hash_reads_back_and_in_one_form_only() {
        let hash = Hash(std::array::from_fn(|n| n as u8 * 7));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for wrong in ["", "00", &"0".repeat(63), &"A".repeat(64), &"g".repeat(64)] {
            assert_eq!(wrong.parse::<Hash>(), Err(()), "{wrong}");
        }
    }
}
