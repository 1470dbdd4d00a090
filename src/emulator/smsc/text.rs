//! Short messages as the handset shows them: alphabets, headers, parts put together.
//
// Cites: 3GPP TS 23.038 (alphabets), TS 23.040 9.2.3.24 (user data header).

use std::collections::{BTreeMap, VecDeque};

/// Messages of which some parts have come; past it the oldest is forgotten, as a handset does.
const OPEN_MAX: usize = 10_000;

/// Octets of user data that one short message carries.
const USER_DATA_MAX: usize = 140;

/// The GSM default alphabet, position by position; 0x1B leads to the extension.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// How octets of `data_coding` 0 are meant; centres differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alphabet {
    /// The GSM default alphabet, one octet a character.
    #[default]
    Gsm,
    /// ISO 8859-1.
    Latin1,
}

/// How a part says that it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub(super) reference: u16,
    pub(super) total: u8,
    pub(super) number: u8,
}

/// User data with the header taken off.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content<'a> {
    pub(super) octets: &'a [u8],
    pub(super) part: Option<Part>,
    header_length: usize,
}

/// Takes the user data header off, where there is one. None: the header is broken.
pub(super) fn split_header(user_data: &[u8], has_header: bool) -> Option<Content<'_>> {
    if !has_header {
        return Some(Content { octets: user_data, part: None, header_length: 0 });
    }
    let length = usize::from(*user_data.first()?);
    let mut elements = user_data.get(1..=length)?;
    let mut part = None;
    while let [kind, size, rest @ ..] = elements {
        let value = rest.get(..usize::from(*size))?;
        part = match (kind, value) {
            (0x00, [reference, total, number]) => {
                Some(Part { reference: u16::from(*reference), total: *total, number: *number })
            }
            (0x08, [high, low, total, number]) => {
                Some(Part { reference: u16::from_be_bytes([*high, *low]), total: *total, number: *number })
            }
            (0x00 | 0x08, _) => return None,
            _ => part,
        };
        elements = rest.get(usize::from(*size)..)?;
    }
    Some(Content { octets: user_data.get(length + 1..)?, part, header_length: length + 1 })
}

/// What a `data_coding` means for the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gsm,
    Ascii,
    Latin1,
    Binary,
    Ucs2,
}

fn coding(data_coding: u8, zero: Alphabet) -> Option<Coding> {
    match (data_coding, zero) {
        (0x00 | 0x10, Alphabet::Gsm) => Some(Coding::Gsm),
        (0x00 | 0x10, Alphabet::Latin1) | (0x03, _) => Some(Coding::Latin1),
        (0x01, _) => Some(Coding::Ascii),
        (0x02 | 0x04, _) => Some(Coding::Binary),
        (0x08 | 0x18, _) => Some(Coding::Ucs2),
        _ => None,
    }
}

/// Returns the name of a coding, for the record.
pub(super) fn coding_name(data_coding: u8, zero: Alphabet) -> &'static str {
    match coding(data_coding, zero) {
        Some(Coding::Gsm) => "gsm7",
        Some(Coding::Ascii) => "ascii",
        Some(Coding::Latin1) => "latin1",
        Some(Coding::Binary) => "binary",
        Some(Coding::Ucs2) => "ucs2",
        None => "unknown",
    }
}

/// Says whether the content fits one short message; `own_header` is the length of a header that
/// the centre adds itself, for parts announced by TLV.
pub(super) fn fits(content: &Content<'_>, data_coding: u8, zero: Alphabet, own_header: usize) -> bool {
    let length = content.octets.len();
    let octets = match coding(data_coding, zero) {
        Some(Coding::Gsm | Coding::Ascii) => (length * 7).div_ceil(8),
        _ => length,
    };
    octets + content.header_length + own_header <= USER_DATA_MAX
}

/// Decodes the text. None: the octets cannot be text of this coding.
pub(super) fn decode(octets: &[u8], data_coding: u8, zero: Alphabet) -> Option<String> {
    match coding(data_coding, zero)? {
        Coding::Gsm => decode_gsm(octets),
        Coding::Ascii => String::from_utf8(octets.to_vec()).ok().filter(|text| text.is_ascii()),
        Coding::Latin1 => Some(octets.iter().map(|octet| char::from(*octet)).collect()),
        Coding::Binary => Some(octets.iter().map(|octet| format!("{octet:02x}")).collect()),
        Coding::Ucs2 => {
            let (units, rest) = octets.as_chunks::<2>();
            let units = units.iter().map(|pair| u16::from_be_bytes(*pair));
            let text: Result<String, _> = char::decode_utf16(units).collect();
            text.ok().filter(|_| rest.is_empty())
        }
    }
}

fn decode_gsm(octets: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut rest = octets.iter();
    while let Some(octet) = rest.next() {
        let character = if *octet == 0x1B {
            match rest.next()? {
                0x0A => '\u{c}',
                0x14 => '^',
                0x28 => '{',
                0x29 => '}',
                0x2F => '\\',
                0x3C => '[',
                0x3D => '~',
                0x3E => ']',
                0x40 => '|',
                0x65 => '€',
                _ => return None,
            }
        } else {
            BASIC.chars().nth(usize::from(*octet))?
        };
        text.push(character);
    }
    Some(text)
}

/// What is needed to put parts together: who, to whom, which reference, how many.
type Key = (String, String, u16, u8);

/// Parts of messages, until all have come.
#[derive(Debug, Default)]
pub(super) struct Desk {
    open: BTreeMap<Key, BTreeMap<u8, (String, String)>>,
    order: VecDeque<Key>,
}

impl Desk {
    /// Adds a part with its text and id; returns the whole text and all ids once it is complete.
    /// Each part is decoded by itself, as a handset does it, so a split escape or surrogate shows.
    pub(super) fn add(
        &mut self,
        from: &str,
        to: &str,
        part: Part,
        text: String,
        id: String,
    ) -> Option<(String, Vec<String>)> {
        let key = (from.to_owned(), to.to_owned(), part.reference, part.total);
        if !self.open.contains_key(&key) {
            if self.order.len() >= OPEN_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.open.remove(&oldest);
            }
            self.order.push_back(key.clone());
        }
        let parts = self.open.entry(key.clone()).or_default();
        parts.insert(part.number, (text, id));
        if parts.len() < usize::from(part.total) {
            return None;
        }
        let parts = self.open.remove(&key)?;
        self.order.retain(|other| *other != key);
        let mut whole = (String::new(), Vec::new());
        for (text, id) in parts.into_values() {
            whole.0.push_str(&text);
            whole.1.push(id);
        }
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(octets: &[u8], data_coding: u8, expected: Option<&str>) {
        let text = decode(octets, data_coding, Alphabet::Gsm);
        assert_eq!(text.as_deref(), expected, "{octets:02x?}");
    }

    #[test]
    fn the_alphabet_has_its_length() {
        assert_eq!(BASIC.chars().count(), 128);
        for (position, character) in [(0x24, '¤'), (0x40, '¡'), (0x5B, 'Ä'), (0x60, '¿'), (0x7F, 'à')] {
            assert_eq!(BASIC.chars().nth(position), Some(character));
        }
    }

    #[test]
    fn texts_are_decoded() {
        check(b"hello", 0, Some("hello"));
        check(&[0x00, 0x1B, 0x65, 0x1B, 0x3C], 0, Some("@€["));
        check(&[0x1B], 0, None);
        check(&[0x80], 0, None);
        check(&[0x06, 0x2A, 0x06, 0x2D], 8, Some("تح"));
        check(&[0x06], 8, None);
        check(&[0xD8, 0x3D], 8, None);
        check(&[0xE9], 3, Some("é"));
        check(b"hello", 0xF5, None);
    }

    #[test]
    fn headers_are_taken_off() {
        let content = split_header(&[5, 0, 3, 0x2A, 2, 1, b'x'], true).unwrap();
        let part = Part { reference: 0x2A, total: 2, number: 1 };
        assert_eq!((content.octets, content.part), (&b"x"[..], Some(part)));
        let content = split_header(&[6, 8, 4, 1, 0x2A, 2, 2], true).unwrap();
        let part = Part { reference: 0x012A, total: 2, number: 2 };
        assert_eq!((content.octets, content.part), (&b""[..], Some(part)));
        assert!(split_header(&[5, 0, 3, 1], true).is_none());
        assert!(split_header(&[], true).is_none());
    }

    #[test]
    fn one_message_carries_so_much() {
        let check = |length: usize, coding: u8, header: Option<usize>, expected: bool| {
            let mut data = vec![5, 0, 3, 1, 2, 1];
            data.resize(6 + length, b'a');
            let data = if header.is_some() { &data[..] } else { &data[6..] };
            let content = split_header(data, header.is_some()).unwrap();
            assert_eq!(fits(&content, coding, Alphabet::Gsm, 0), expected, "{length}");
        };
        check(160, 0, None, true);
        check(161, 0, None, false);
        check(153, 0, Some(6), true);
        check(154, 0, Some(6), false);
        check(140, 8, None, true);
        check(142, 8, None, false);
        check(134, 8, Some(6), true);
        check(136, 8, Some(6), false);
    }

    #[test]
    fn parts_come_in_any_order() {
        let mut desk = Desk::default();
        let part = |number| Part { reference: 7, total: 2, number };
        let mut add =
            |number, text: &str| desk.add("a", "b", part(number), text.to_owned(), number.to_string());
        assert_eq!(add(2, "now"), None);
        assert_eq!(add(2, "now"), None);
        let ids = vec!["1".to_owned(), "2".to_owned()];
        assert_eq!(add(1, "Leave "), Some(("Leave now".to_owned(), ids)));
    }
}
