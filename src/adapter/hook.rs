//! What the readers of providers' calls share: answers, comparison in constant time, the query.

use super::{HookAnswer, HookRequest};
use crate::core::outcome::Receipt;
use ring::hmac;

/// The longest value that is read from a query: a challenge or a token of some dozen characters.
const QUERY_VALUE_BYTES_MAX: usize = 1024;

/// The most parameters of a form: a provider's call has some dozen.
const FORM_PARAMETERS_MAX: usize = 256;

/// What an answer's body is, where it is for people or an echo.
pub(super) const PLAIN: &str = "text/plain; charset=utf-8";

/// What an answer's body is, where the provider reads it.
pub(super) const JSON: &str = "application/json";

/// The result of a call that speaks of others' messages alone.
pub(super) const NOT_OURS: &str = "not_ours";

/// Answers a call whose signature held.
pub(super) fn heard(receipts: Vec<Receipt>) -> HookAnswer {
    HookAnswer { receipts, ..empty(200, "ok") }
}

/// Answers a call that is not signed, or not by the provider.
pub(super) fn bad_signature() -> HookAnswer {
    empty(403, "bad_signature")
}

/// Answers a call that the provider signed and nobody can read.
pub(super) fn unreadable() -> HookAnswer {
    empty(400, "unreadable")
}

/// Answers a call to where nothing listens.
pub(super) fn not_here() -> HookAnswer {
    empty(404, "not_here")
}

fn empty(status: u16, result: &'static str) -> HookAnswer {
    let (receipts, replies) = (Vec::new(), Vec::new());
    HookAnswer { status, content_type: PLAIN, body: String::new(), receipts, replies, result }
}

/// Compares what a stranger gave with a secret, in a time that does not tell how much of it was right.
pub(super) fn is_secret(given: &str, secret: &str) -> bool {
    // Both become tags of one length under the same key; the library compares those in constant time.
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"wasl: comparison of secrets");
    let tag = hmac::sign(&key, secret.as_bytes());
    hmac::verify(&key, given.as_bytes(), tag.as_ref()).is_ok()
}

/// Returns the first value of a name in the query, percent-decoded.
pub(super) fn query_value(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| decoded(key).as_deref() == Some(name))?;
    decoded(value)
}

fn decoded(text: &str) -> Option<String> {
    if text.len() > QUERY_VALUE_BYTES_MAX {
        return None;
    }
    String::from_utf8(unescaped(text.as_bytes())?).ok()
}

/// Returns the parameters of a form (`a=1&b=2`) as they stand, decoded; one without a value has an empty one. `None`:
/// it cannot be read, or has too many.
pub(super) fn form(body: &[u8]) -> Option<Vec<(String, String)>> {
    let text = |(name, value)| Some((name, String::from_utf8(value).ok()?));
    form_octets(body)?.into_iter().map(text).collect()
}

/// Returns the parameters of a form whose values may be something other than UTF-8.
pub(super) fn form_octets(body: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    if pairs.clone().count() > FORM_PARAMETERS_MAX {
        return None;
    }
    let read = |pair: &[u8]| {
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        Some((String::from_utf8(unescaped(name)?).ok()?, unescaped(value)?))
    };
    pairs.map(read).collect()
}

fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            byte => byte,
        });
    }
    Some(bytes)
}

/// Reads lower or upper case hexadecimal digits; `None` where they are none.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks_exact(2);
    if !digits.remainder().is_empty() {
        return None;
    }
    digits.map(|pair| Some(hex(pair[0])? << 4 | hex(pair[1])?)).collect()
}

/// Returns a telephone number as messages are sent to it, from the digits that a provider gives, with or without what
/// stands before them; `None` where it is no international number.
//
// Cites: ITU-T E.164, 7 to 15 digits here, the first not 0.
pub(super) fn e164(given: &str) -> Option<String> {
    let digits = given.trim().trim_start_matches('+');
    let is_number = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !digits.starts_with('0')).then(|| format!("+{digits}"))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

impl HookRequest {
    /// Returns a header by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Says whether the call is for the gateway itself, not for something below it.
    pub(super) fn is_at_root(&self) -> bool {
        matches!(self.path.as_str(), "" | "/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_by_name() {
        let query = "hub.mode=subscribe&hub.verify_token=a%2Bb+c&hub.challenge=%d9%84&x&hub.mode=other";
        let check = |name, expected: Option<&str>| {
            assert_eq!(query_value(query, name).as_deref(), expected, "{name}");
        };
        check("hub.mode", Some("subscribe"));
        check("hub.verify_token", Some("a+b c"));
        check("hub.challenge", Some("ل"));
        check("x", None);
        check("none", None);
        assert_eq!(query_value("a=%zz", "a"), None);
        assert_eq!(query_value("a=%f", "a"), None);
        assert_eq!(query_value("a=%ff", "a"), None);
        assert_eq!(query_value(&format!("a={}", "x".repeat(2_000)), "a"), None);
    }

    #[test]
    fn a_form_is_read_in_its_order() {
        let check = |body: &str, expected: Option<&[(&str, &str)]>| {
            let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
            };
            assert_eq!(form(body.as_bytes()), expected.map(owned), "{body}");
        };
        check(
            "b=%2B1+2&a=%D9%84&&c=&d&a==",
            Some(&[("b", "+1 2"), ("a", "ل"), ("c", ""), ("d", ""), ("a", "=")]),
        );
        check("", Some(&[]));
        check("a=%zz", None);
        check("a=%d9", None);
        check(&"a=1&".repeat(257), None);
        let long = "x".repeat(20_000);
        check(&format!("a={long}"), Some(&[("a", &long)]));
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(is_secret("token", "token"));
        for wrong in ["", "t", "tokem", "token2", "TOKEN"] {
            assert!(!is_secret(wrong, "token"), "{wrong}");
        }
        assert_eq!(from_hex("00fF"), Some(vec![0, 255]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("0g"), None);
    }
}
