//! How a call is known to be the provider's.
//!
//! | `auth` | what proves a call | what `{callback}` is |
//! | --- | --- | --- |
//! | `url` | the URL, which only that message's request held: it carries our tag over the attempt | `HOOK/ATTEMPT/TAG` |
//! | `path` | a part of the path that nobody else knows, `hook_secret` | `HOOK/SECRET` |
//! | `signature` | a signature over the call, by `hook_secret` | `HOOK` |
//!
//! Invariant: what proves one attempt proves no other: a call by `url` is heard about its own attempt alone.

use super::words::refuse;
use crate::adapter::HookRequest;
use crate::adapter::hook::{from_hex, is_secret};
use crate::adapter::settings::bad_secret;
use crate::core::ids::AttemptId;
use crate::core::time::{Span, Timestamp};
use crate::diag::{Diagnostic, Diagnostics, Secret, Table};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;

/// How much of a tag is in a URL: 128 bits.
const TAG_BYTES: usize = 16;
/// The shortest secret of our own making.
const SECRET_CHARS_MIN: usize = 16;
/// How far a signature's time may be from ours, unless the file says otherwise.
const AGE: Span = Span::from_secs(5 * 60);

/// What proves a call.
pub(super) enum Proof {
    Url { key: hmac::Key, gateway: String },
    Path(Secret),
    Signature(Signature),
}

/// How a call is signed.
pub(super) struct Signature {
    key: hmac::Key,
    header: String,
    prefix: String,
    is_hex: bool,
    over: Vec<Part>,
    /// The header with the time in Unix seconds, and how far it may be from ours.
    fresh: Option<(String, Span)>,
}

enum Part {
    Body,
    Header(String),
    Said(String),
}

/// Whom a call that was proved may speak of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Proved {
    One(AttemptId),
    Any,
}

// === impl Proof ===

impl Proof {
    /// Reads `auth` and what belongs to it out of `[gateway.receipt]`.
    pub(super) fn read(
        table: &mut Table,
        gateway: (&str, &Table),
        secret: Option<Secret>,
        diags: &mut Diagnostics,
    ) -> Option<Proof> {
        #[derive(Clone, Copy, PartialEq, Eq)]
        enum Auth {
            Url,
            Path,
            Signature,
        }
        let words = [("url", Auth::Url), ("path", Auth::Path), ("signature", Auth::Signature)];
        let signature = table.table("signature", diags);
        if table.key("auth").is_none() {
            table.missing("auth", diags);
            return None;
        }
        let auth = table.choice("auth", &words, diags)?.value;
        let (name, owner) = gateway;
        let Some(secret) = secret else {
            let message = format!("{} has no `hook_secret`", owner.called());
            let help =
                "add `hook_secret = { file = \"PATH\" }`: a receipt that nothing proves settles nothing";
            diags.push(
                Diagnostic::error("missing-key", message).at(owner.place(), "it belongs here").help(help),
            );
            return None;
        };
        let is_ours = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let sound = secret.expose().len() >= SECRET_CHARS_MIN && secret.expose().bytes().all(is_ours);
        if auth != Auth::Signature && !sound {
            let help = "write at least 16 of a-z, A-Z, 0-9, `-` and `_`, as `openssl rand -hex 32` makes it";
            bad_secret("hook_secret", help, owner, diags);
            return None;
        }
        match auth {
            Auth::Url => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
                Some(Proof::Url { key, gateway: name.to_owned() })
            }
            Auth::Path => Some(Proof::Path(secret)),
            Auth::Signature => match signature {
                Some(signature) => Signature::read(signature, &secret, diags).map(Proof::Signature),
                None => {
                    table.missing("signature", diags);
                    None
                }
            },
        }
    }

    /// Says whether a request must hold `{callback}`, or nobody could ever call.
    pub(super) fn is_in_url(&self) -> bool {
        matches!(self, Proof::Url { .. })
    }

    /// Returns what `{callback}` is for an attempt.
    pub(super) fn callback(&self, hook_url: &str, attempt: AttemptId) -> String {
        match self {
            Proof::Url { key, gateway } => format!("{hook_url}/{attempt}/{}", tag(key, gateway, attempt)),
            Proof::Path(secret) => format!("{hook_url}/{}", secret.expose()),
            Proof::Signature(_) => hook_url.to_owned(),
        }
    }

    /// Looks at a call that came `now`. `None`: nothing proves it.
    pub(super) fn look(&self, request: &HookRequest, now: Timestamp) -> Option<Proved> {
        match self {
            Proof::Url { key, gateway } => {
                let (attempt, given) = request.path.strip_prefix('/')?.split_once('/')?;
                let attempt = attempt.parse().ok()?;
                is_secret(given, &tag(key, gateway, attempt)).then_some(Proved::One(attempt))
            }
            Proof::Path(secret) => {
                is_secret(request.path.strip_prefix('/')?, secret.expose()).then_some(Proved::Any)
            }
            Proof::Signature(signature) => {
                (request.is_at_root() && signature.holds(request, now)).then_some(Proved::Any)
            }
        }
    }
}

fn tag(key: &hmac::Key, gateway: &str, attempt: AttemptId) -> String {
    let tag = hmac::sign(key, format!("wasl receipt {gateway} {attempt}").as_bytes());
    URL_SAFE_NO_PAD.encode(&tag.as_ref()[..TAG_BYTES])
}

// === impl Signature ===

impl Signature {
    fn read(mut table: Table, secret: &Secret, diags: &mut Diagnostics) -> Option<Signature> {
        let hashes = [
            ("sha256", hmac::HMAC_SHA256),
            ("sha512", hmac::HMAC_SHA512),
            ("sha1", hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        ];
        let words: Vec<_> = hashes.iter().enumerate().map(|(at, (word, _))| (*word, at)).collect();
        let hash = table.choice("hash", &words, diags).map_or(0, |hash| hash.value);
        let header = table.required_string("header", diags);
        let prefix = table.string("prefix", diags).map(|prefix| prefix.value).unwrap_or_default();
        let encoding = table.choice("encoding", &[("hex", true), ("base64", false)], diags);
        let over = table.strings("over", diags);
        let time = table.string("time", diags);
        let age = table.span("age", diags);
        let parts = over.map_or_else(
            || vec![Part::Body],
            |over| over.value.iter().map(|part| Part::read(&part.value)).collect(),
        );
        if !parts.iter().any(|part| matches!(part, Part::Body)) {
            refuse("over", table.place(), "write `over = [\"body\"]`, with what is signed beside it", diags);
        }
        let lower = |text: String| text.to_ascii_lowercase();
        let fresh = time.map(|time| (lower(time.value), age.map_or(AGE, |age| age.value)));
        table.finish(diags);
        Some(Signature {
            key: hmac::Key::new(hashes[hash].1, secret.expose().as_bytes()),
            header: lower(header?.value),
            prefix,
            is_hex: encoding.is_none_or(|encoding| encoding.value),
            over: parts,
            fresh,
        })
    }

    fn holds(&self, request: &HookRequest, now: Timestamp) -> bool {
        let given = request.header(&self.header).and_then(|given| given.trim().strip_prefix(&self.prefix));
        let given =
            given.and_then(|given| if self.is_hex { from_hex(given) } else { STANDARD.decode(given).ok() });
        let mut signed = Vec::new();
        for part in &self.over {
            match part {
                Part::Body => signed.extend_from_slice(&request.body),
                Part::Header(name) => match request.header(name) {
                    Some(value) => signed.extend_from_slice(value.as_bytes()),
                    None => return false,
                },
                Part::Said(text) => signed.extend_from_slice(text.as_bytes()),
            }
        }
        given.is_some_and(|given| hmac::verify(&self.key, &signed, &given).is_ok())
            && self.is_fresh(request, now)
    }

    fn is_fresh(&self, request: &HookRequest, now: Timestamp) -> bool {
        let Some((header, age)) = &self.fresh else { return true };
        let secs = request.header(header).and_then(|secs| secs.trim().parse::<i64>().ok());
        secs.is_some_and(|secs| {
            let at = Timestamp::from_ms(secs.saturating_mul(1000));
            at.since(now).max(now.since(at)) <= *age
        })
    }
}

impl Part {
    fn read(text: &str) -> Part {
        match text.strip_prefix("header:") {
            _ if text == "body" => Part::Body,
            Some(name) => Part::Header(name.to_ascii_lowercase()),
            None => Part::Said(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{DeliveryId, MessageId};

    fn attempt(n: u16) -> AttemptId {
        AttemptId::new(DeliveryId::new(MessageId::from_bytes([7; 16]), 3), n)
    }

    fn called(path: &str) -> HookRequest {
        HookRequest { method: "GET".into(), path: path.into(), ..HookRequest::default() }
    }

    #[test]
    fn a_callback_proves_its_own_attempt_alone() {
        let proof = |secret: &[u8], gateway: &str| Proof::Url {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
            gateway: gateway.into(),
        };
        let ours = proof(b"0123456789abcdef", "sms-a");
        let url = ours.callback("http://h/hooks/sms-a", attempt(1));
        let path = url.strip_prefix("http://h/hooks/sms-a").expect("below the hook").to_owned();
        let look = |proof: &Proof, path: &str| proof.look(&called(path), Timestamp::default());
        assert_eq!(look(&ours, &path), Some(Proved::One(attempt(1))));
        let other = path.replacen(&attempt(1).to_string(), &attempt(2).to_string(), 1);
        let mut flipped = path.clone();
        let last = if flipped.pop() == Some('A') { 'B' } else { 'A' };
        flipped.push(last);
        for wrong in [other.as_str(), &flipped, "", "/", "/x/y", &format!("{path}/"), &path[..path.len() - 1]]
        {
            assert_eq!(look(&ours, wrong), None, "{wrong}");
        }
        assert_eq!(look(&proof(b"0123456789abcdeg", "sms-a"), &path), None);
        assert_eq!(look(&proof(b"0123456789abcdef", "sms-b"), &path), None);
    }

    #[test]
    fn a_secret_part_of_the_path_proves_a_call() {
        let proof = Proof::Path(Secret::new("0123456789abcdef"));
        let look = |path: &str| proof.look(&called(path), Timestamp::default());
        assert_eq!(look("/0123456789abcdef"), Some(Proved::Any));
        for wrong in
            ["", "/", "/0123456789abcde", "/0123456789abcdef/", "0123456789abcdef", "/0123456789abcdeF"]
        {
            assert_eq!(look(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_signature_is_that_of_the_published_vector_and_not_too_old() {
        let signature = Signature {
            key: hmac::Key::new(hmac::HMAC_SHA256, b"key"),
            header: "x-signature".into(),
            prefix: String::new(),
            is_hex: true,
            over: vec![Part::Body, Part::Header("x-timestamp".into())],
            fresh: Some(("x-timestamp".into(), Span::from_secs(60))),
        };
        let proof = Proof::Signature(signature);
        let good = "5cff791334e7fd8344cc05c2398964f60329f4edd6ab1087ed1ba6c34eefeeca";
        let check = |body: &str, signature: &str, time: &str, now_s: i64, expected: bool| {
            let headers = [("x-signature", signature), ("x-timestamp", time)];
            let request = HookRequest {
                method: "POST".into(),
                headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
                body: body.into(),
                ..HookRequest::default()
            };
            let proved = proof.look(&request, Timestamp::from_ms(now_s * 1000));
            assert_eq!(proved.is_some(), expected, "{body} {signature} {time} {now_s}");
        };
        check(r#"{"a":1}"#, good, "1700000000", 1_700_000_030, true);
        check(r#"{"a":1}"#, good, "1700000000", 1_699_999_970, true);
        check(r#"{"a":1}"#, good, "1700000000", 1_700_000_061, false);
        check(r#"{"a":1}"#, good, "1700000001", 1_700_000_000, false);
        check(r#"{"a":2}"#, good, "1700000000", 1_700_000_000, false);
        check(r#"{"a":1}"#, &good[2..], "1700000000", 1_700_000_000, false);
        check(r#"{"a":1}"#, "", "1700000000", 1_700_000_000, false);
        let none =
            HookRequest { method: "POST".into(), body: br#"{"a":1}"#.to_vec(), ..HookRequest::default() };
        assert_eq!(proof.look(&none, Timestamp::default()), None);
    }
}
