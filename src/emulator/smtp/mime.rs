//! Reads a mail as a reader's program shows it: headers decoded, the plain text of its body.
//
// Cites: RFC 5322 (headers), RFC 2045 and 2046 (bodies), RFC 2047 (encoded words).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bodies within bodies; a mail of ours has one or two levels.
const DEPTH_MAX: usize = 5;

/// Parts of one body.
const PARTS_MAX: usize = 100;

/// A mail, decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Letter {
    headers: Vec<(String, String)>,
    pub(super) text: String,
}

impl Letter {
    /// Returns the first header of this name, decoded.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.as_str())
}

/// Reads a mail; what cannot be decoded stays as it is.
pub(super) fn read(raw: &[u8]) -> Letter {
    let (head, body) = split(raw);
    let headers = headers(head);
    let text = text(&headers, body, 0).unwrap_or_default();
    let headers = headers.into_iter().map(|(name, value)| (name, words(&value)));
    Letter { headers: headers.collect(), text }
}

fn split(raw: &[u8]) -> (&[u8], &[u8]) {
    if let Some(body) = raw.strip_prefix(b"\r\n") {
        return (&[], body);
    }
    match raw.windows(4).position(|four| four == b"\r\n\r\n") {
        Some(at) => (&raw[..at + 2], &raw[at + 4..]),
        None => (raw, &[]),
    }
}

/// Reads headers, joining folded lines.
fn headers(head: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(head);
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in text.split("\r\n") {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    headers
}

/// Returns the first plain text of a body.
fn text(headers: &[(String, String)], body: &[u8], depth: usize) -> Option<String> {
    let kind = find(headers, "content-type").unwrap_or("text/plain");
    let (media, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let media = media.trim().to_ascii_lowercase();
    if media.starts_with("multipart/") {
        if depth >= DEPTH_MAX {
            return None;
        }
        let boundary = parameter(parameters, "boundary")?;
        return parts(body, &boundary).into_iter().find_map(|part| {
            let (head, body) = split(part);
            text(&self::headers(head), body, depth + 1)
        });
    }
    if media != "text/plain" {
        return None;
    }
    let encoding = find(headers, "content-transfer-encoding").unwrap_or("7bit");
    let bytes = match encoding.trim().to_ascii_lowercase().as_str() {
        "base64" => base64(body),
        "quoted-printable" => quoted_printable(body),
        _ => body.to_vec(),
    };
    let charset = parameter(parameters, "charset").unwrap_or_default();
    Some(characters(&bytes, &charset).replace("\r\n", "\n").trim_end().to_owned())
}

fn parameter(parameters: &str, name: &str) -> Option<String> {
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"').to_owned();
        key.trim().eq_ignore_ascii_case(name).then_some(value)
    })
}

fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mark = format!("--{boundary}");
    let mut starts = Vec::new();
    for (at, window) in body.windows(mark.len()).enumerate() {
        let begins_line = at == 0 || body[..at].ends_with(b"\r\n");
        if window == mark.as_bytes() && begins_line && starts.len() <= PARTS_MAX {
            starts.push(at);
        }
    }
    let pairs = starts.windows(2).filter_map(|pair| {
        let part = body.get(pair[0] + mark.len()..pair[1])?;
        // The line of the boundary ends here; the one before the next belongs to that.
        let part = part.strip_prefix(b"\r\n")?;
        Some(part.strip_suffix(b"\r\n").unwrap_or(part))
    });
    pairs.collect()
}

fn characters(bytes: &[u8], charset: &str) -> String {
    if charset.eq_ignore_ascii_case("iso-8859-1") {
        return bytes.iter().map(|byte| char::from(*byte)).collect();
    }
    String::from_utf8_lossy(bytes).into_owned()
}

fn base64(text: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(&text).unwrap_or(text)
}

fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'=' {
            bytes.push(*first);
        } else if let Some(after) = tail.strip_prefix(b"\r\n") {
            rest = after;
        } else if let Some(byte) = tail.get(..2).and_then(hex) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(b'=');
        }
    }
    bytes
}

fn hex(pair: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let (high, low) = (digit(pair.first()?)?, digit(pair.get(1)?)?);
    u8::try_from(high * 16 + low).ok()
}

/// Decodes the encoded words of a header.
fn words(value: &str) -> String {
    let mut decoded = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some(at) = rest.find("=?") {
        let (before, from) = rest.split_at(at);
        let Some((word, after)) = word(from) else {
            decoded.push_str(before);
            decoded.push_str("=?");
            rest = &from[2..];
            after_word = false;
            continue;
        };
        // White space between two encoded words is not shown.
        if !(after_word && before.trim().is_empty()) {
            decoded.push_str(before);
        }
        decoded.push_str(&word);
        rest = after;
        after_word = true;
    }
    decoded + rest
}

/// Decodes one encoded word at the beginning; returns it with what follows.
fn word(text: &str) -> Option<(String, &str)> {
    let mut fields = text.strip_prefix("=?")?.splitn(3, '?');
    let (charset, encoding, rest) = (fields.next()?, fields.next()?, fields.next()?);
    let (content, after) = rest.split_once("?=")?;
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(content).ok()?,
        "Q" | "q" => quoted_printable(content.replace('_', " ").as_bytes()),
        _ => return None,
    };
    Some((characters(&bytes, charset), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_are_read_as_a_reader_shows_them() {
        let check = |raw: &str, subject: &str, expected: &str| {
            let letter = read(raw.replace('\n', "\r\n").as_bytes());
            assert_eq!(letter.header("subject"), Some(subject));
            assert_eq!(letter.text, expected);
        };
        check("Subject: Flood\n\nLeave now\n", "Flood", "Leave now");
        check(
            "Subject: =?utf-8?b?2YHZiti2?=\n =?utf-8?Q?=D8=A7=D9=86_!?= x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n2LrYp9iv2LE=\n",
            "فيضان ! x",
            "غادر",
        );
        check(
            "Subject: a\nContent-Type: text/plain; charset=\"utf-8\"\nContent-Transfer-Encoding: quoted-printable\n\nLeave =\nnow=2E =C3=A9\n",
            "a",
            "Leave now. é",
        );
        check(
            "Subject: a\nContent-Type: multipart/alternative; boundary=\"xx\"\n\nignored\n--xx\nContent-Type: text/html\n\n<p>no</p>\n--xx\n\nLeave now\n--xx--\n",
            "a",
            "Leave now",
        );
    }

    #[test]
    fn broken_mails_do_no_harm() {
        for raw in ["", "\r\n", "=?", ": \r\n\r\n", "Content-Type: multipart/x\r\n\r\n--"] {
            read(raw.as_bytes());
        }
        assert_eq!(words("=?utf-8?b?"), "=?utf-8?b?");
        assert_eq!(quoted_printable(b"=4"), b"=4");
    }
}
