//! Texts as a handset's alphabets: GSM 7-bit with its extension, Latin-1 where a link's SMSC reads its default
//! alphabet so, UCS-2 for the rest; and their parts, with the header that joins them again.
//!
//! A part's limit is on the air: 140 octets, so 160 septets or 70 UTF-16 units, less the joining header.
//! Cites: 3GPP TS 23.038 (6.2.1, the alphabet), TS 23.040 (9.2.3.24.1 and .8, the header).
//!
//! Limits: at most [`PARTS_MAX`] parts, which is what the header can count.
//! Invariant: a part never ends within an escape pair or a surrogate pair.

/// The most parts that a joining header can count.
pub const PARTS_MAX: usize = 255;

/// The escape that leads into the extension.
const ESCAPE: u8 = 0x1B;

/// The default alphabet by code; the escape's own place holds no character.
const GSM7: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\0', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The extension: each costs two septets.
const EXTENSION: [(char, u8); 10] = [
    ('\u{0C}', 0x0A),
    ('^', 0x14),
    ('{', 0x28),
    ('}', 0x29),
    ('\\', 0x2F),
    ('[', 0x3C),
    ('~', 0x3D),
    (']', 0x3E),
    ('|', 0x40),
    ('€', 0x65),
];

/// What an SMSC takes `data_coding` 0 for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Alphabet {
    /// The GSM alphabet, one septet to an octet.
    #[default]
    Gsm7,
    /// Latin-1, which it turns into the GSM alphabet itself.
    Latin1,
}

/// How a text's octets are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// The GSM alphabet, one septet to an octet.
    Gsm7,
    /// Latin-1; on the air it is the GSM alphabet.
    Latin1,
    /// UTF-16, big-endian.
    Ucs2,
}

/// How much of each part is taken by the header that joins them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reference {
    /// Six octets: parts of 153 septets or 67 units.
    #[default]
    Bits8,
    /// Seven octets: parts of 152 septets or 66 units.
    Bits16,
}

/// A text as it goes out.
#[derive(Clone, PartialEq, Eq)]
pub struct Segments {
    /// How the octets are to be read.
    pub encoding: Encoding,
    /// Each part's octets, without the joining header; one part where the text is short enough, also for no text.
    pub parts: Vec<Vec<u8>>,
}

/// Divides a text for an SMSC whose default alphabet is GSM 7-bit, with the usual header of six octets.
pub fn segments(text: &str) -> Segments {
    segments_for(text, Alphabet::Gsm7, Reference::Bits8)
}

/// Divides a text for an SMSC with this default alphabet and this kind of header.
pub fn segments_for(text: &str, alphabet: Alphabet, reference: Reference) -> Segments {
    let encoding = encoding_for(text, alphabet);
    let cost = text.chars().map(|c| encoding.cost(c)).sum::<usize>();
    if cost <= encoding.single() {
        return Segments { encoding, parts: vec![encode(text, encoding)] };
    }
    let room = encoding.part(reference);
    let mut parts = vec![Vec::new()];
    let mut used = 0;
    for c in text.chars() {
        if used + encoding.cost(c) > room {
            parts.push(Vec::new());
            used = 0;
        }
        used += encoding.cost(c);
        parts.last_mut().expect("there is one from the start").extend(encoding.octets(c));
    }
    Segments { encoding, parts }
}

/// Encodes a whole text, undivided.
pub(in crate::adapter) fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    text.chars().flat_map(|c| encoding.octets(c)).collect()
}

/// Returns what the octets of a person's text are written in, by their `data_coding`; `usual` is the centre's own alphabet.
/// `None`: they are a program's.
//
// Cites: SMPP 3.4, 5.2.19.
pub(in crate::adapter) fn encoding_of(data_coding: u8, usual: Encoding) -> Option<Encoding> {
    match data_coding {
        1 | 3 => Some(Encoding::Latin1),
        8 | 0x18 => Some(Encoding::Ucs2),
        2 | 4 => None,
        _ => Some(usual),
    }
}

/// Reads octets as a text. What no character stands for becomes the sign for that.
pub(in crate::adapter) fn decode(octets: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Latin1 => octets.iter().map(|octet| char::from(*octet)).collect(),
        Encoding::Ucs2 => {
            let units = octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        Encoding::Gsm7 => {
            let mut octets = octets.iter();
            let mut text = String::new();
            while let Some(code) = octets.next() {
                let found = match *code {
                    // An extension that is not known is shown as a space. Cites: 3GPP TS 23.038, 6.2.1.1.
                    ESCAPE => octets.next().map(|code| {
                        EXTENSION.iter().find(|(_, known)| known == code).map_or(' ', |(letter, _)| *letter)
                    }),
                    code => GSM7.get(usize::from(code)).copied().or(Some(char::REPLACEMENT_CHARACTER)),
                };
                text.extend(found);
            }
            text
        }
    }
}

/// Chooses what every character of a text can be written in.
pub(super) fn encoding_for(text: &str, alphabet: Alphabet) -> Encoding {
    let gsm = text.chars().all(|c| gsm7(c).is_some());
    match alphabet {
        Alphabet::Gsm7 if gsm => Encoding::Gsm7,
        // What Latin-1 has and the air has not (a circumflex letter) would arrive as a question mark.
        Alphabet::Latin1 if gsm && text.chars().all(|c| u8::try_from(c).is_ok()) => Encoding::Latin1,
        _ => Encoding::Ucs2,
    }
}

/// Returns the header that joins part `number` of `total` again.
pub(super) fn header(reference: Reference, mark: u16, total: u8, number: u8) -> Vec<u8> {
    let [high, low] = mark.to_be_bytes();
    match reference {
        Reference::Bits8 => vec![0x05, 0x00, 0x03, low, total, number],
        Reference::Bits16 => vec![0x06, 0x08, 0x04, high, low, total, number],
    }
}

/// Returns a character's septets: its code, or the escape and its code.
fn gsm7(c: char) -> Option<(Option<u8>, u8)> {
    if c == '\0' {
        return None;
    }
    if let Some(code) = GSM7.iter().position(|known| *known == c) {
        return Some((None, code as u8));
    }
    EXTENSION.iter().find(|(known, _)| *known == c).map(|(_, code)| (Some(ESCAPE), *code))
}

// === impl Encoding ===

impl Encoding {
    /// What fits into a message of one part, in septets or units.
    const fn single(self) -> usize {
        match self {
            Encoding::Gsm7 | Encoding::Latin1 => 160,
            Encoding::Ucs2 => 70,
        }
    }

    /// What fits into one of several parts, in septets or units.
    const fn part(self, reference: Reference) -> usize {
        match (self, reference) {
            (Encoding::Gsm7 | Encoding::Latin1, Reference::Bits8) => 153,
            (Encoding::Gsm7 | Encoding::Latin1, Reference::Bits16) => 152,
            (Encoding::Ucs2, Reference::Bits8) => 67,
            (Encoding::Ucs2, Reference::Bits16) => 66,
        }
    }

    /// What a character takes of that.
    fn cost(self, c: char) -> usize {
        match self {
            Encoding::Gsm7 | Encoding::Latin1 => 1 + usize::from(matches!(gsm7(c), Some((Some(_), _)))),
            Encoding::Ucs2 => c.len_utf16(),
        }
    }

    /// A character's octets. What the alphabet has not is a question mark: [`encoding_for`] lets none come here.
    fn octets(self, c: char) -> impl Iterator<Item = u8> {
        let mut octets = [None; 4];
        match self {
            Encoding::Gsm7 => {
                let (escape, code) = gsm7(c).unwrap_or((None, b'?'));
                octets[0] = escape;
                octets[1] = Some(code);
            }
            Encoding::Latin1 => octets[0] = Some(u8::try_from(c).unwrap_or(b'?')),
            Encoding::Ucs2 => {
                let mut units = [0u16; 2];
                let bytes = c.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes());
                octets.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = Some(byte));
            }
        }
        octets.into_iter().flatten()
    }

    /// Returns SMPP's `data_coding`.
    pub(super) const fn data_coding(self) -> u8 {
        match self {
            Encoding::Gsm7 | Encoding::Latin1 => 0x00,
            Encoding::Ucs2 => 0x08,
        }
    }
}

// Texts are personal.
impl std::fmt::Debug for Segments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Segments({:?}, {} parts)", self.encoding, self.parts.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a part as a handset does.
    fn read(encoding: Encoding, octets: &[u8]) -> String {
        match encoding {
            Encoding::Gsm7 => {
                let mut text = String::new();
                let mut octets = octets.iter();
                while let Some(code) = octets.next() {
                    text.push(match *code {
                        ESCAPE => {
                            let code = octets.next().expect("an escape is never the last");
                            EXTENSION.iter().find(|(_, known)| known == code).expect("in the extension").0
                        }
                        code => GSM7[usize::from(code)],
                    });
                }
                text
            }
            Encoding::Latin1 => octets.iter().map(|b| char::from(*b)).collect(),
            Encoding::Ucs2 => {
                let units: Vec<u16> = octets.chunks(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect();
                String::from_utf16(&units).expect("no surrogate is alone")
            }
        }
    }

    #[test]
    fn texts_take_as_many_parts_as_operators_count() {
        let check = |text: &str, encoding: Encoding, parts: usize| {
            let segments = segments(text);
            assert_eq!(
                (segments.encoding, segments.parts.len()),
                (encoding, parts),
                "{} of it",
                text.chars().count()
            );
        };
        check("", Encoding::Gsm7, 1);
        for (letter, count, parts) in [
            ("a", 160, 1),
            ("a", 161, 2),
            ("a", 306, 2),
            ("a", 307, 3),
            ("€", 80, 1),
            ("€", 81, 2),
            // A part of 153 septets holds 76 pairs: the last septet stays empty.
            ("€", 152, 2),
            ("€", 153, 3),
            ("\r\n", 80, 1),
        ] {
            check(&letter.repeat(count), Encoding::Gsm7, parts);
        }
        for (letter, count, parts) in [
            ("م", 70, 1),
            ("م", 71, 2),
            ("م", 134, 2),
            ("م", 135, 3),
            ("🌊", 35, 1),
            ("🌊", 36, 2),
            // A part of 67 units holds 33 of them.
            ("🌊", 66, 2),
            ("🌊", 67, 3),
            ("ç", 70, 1),
            ("`", 71, 2),
        ] {
            check(&letter.repeat(count), Encoding::Ucs2, parts);
        }
    }

    #[test]
    fn no_pair_is_parted() {
        let euros = segments(&format!("{}{}", "a".repeat(152), "€".repeat(10)));
        assert_eq!(euros.parts.iter().map(Vec::len).collect::<Vec<_>>(), [152, 20]);
        let waves = segments(&format!("{}{}", "م".repeat(66), "🌊".repeat(10)));
        assert_eq!(waves.parts.iter().map(Vec::len).collect::<Vec<_>>(), [132, 40]);
    }

    #[test]
    fn codes_are_the_standards() {
        assert_eq!(segments("@£$¥_Δ ñà€[").parts, [b"\x00\x01\x02\x03\x11\x10 \x7D\x7F\x1B\x65\x1B\x3C"]);
        assert_eq!(segments("تحذير").parts, [[0x06, 0x2A, 0x06, 0x2D, 0x06, 0x30, 0x06, 0x4A, 0x06, 0x31]]);
        // An escape is no character, and neither is what only lies in its place in the table.
        assert_eq!(segments("\u{1B}").encoding, Encoding::Ucs2);
        assert_eq!(segments("\0").encoding, Encoding::Ucs2);
    }

    #[test]
    fn a_latin_1_link_gets_latin_1_where_the_air_has_it_too() {
        let check = |text: &str, encoding: Encoding, octets: &[u8]| {
            let segments = segments_for(text, Alphabet::Latin1, Reference::Bits8);
            assert_eq!((segments.encoding, segments.parts[0].as_slice()), (encoding, octets));
        };
        check("@é[", Encoding::Latin1, &[0x40, 0xE9, 0x5B]);
        check("€", Encoding::Ucs2, &[0x20, 0xAC]);
        check("ê", Encoding::Ucs2, &[0x00, 0xEA]);
        // On the air a bracket takes two septets, whatever it took on the way to the SMSC.
        assert_eq!(segments_for(&"[".repeat(81), Alphabet::Latin1, Reference::Bits8).parts.len(), 2);
    }

    #[test]
    fn headers_join_by_either_reference() {
        assert_eq!(header(Reference::Bits8, 0x112A, 2, 1), [0x05, 0x00, 0x03, 0x2A, 2, 1]);
        assert_eq!(header(Reference::Bits16, 0x112A, 3, 2), [0x06, 0x08, 0x04, 0x11, 0x2A, 3, 2]);
        assert_eq!(segments_for(&"a".repeat(305), Alphabet::Gsm7, Reference::Bits16).parts.len(), 3);
        assert_eq!(segments_for(&"م".repeat(133), Alphabet::Gsm7, Reference::Bits16).parts.len(), 3);
    }

    proptest! {
        #[test]
        fn parts_read_back_as_the_text(
            text in "[a-zé€\\[\\]^🌊م ç]{0,400}",
            latin1 in any::<bool>(),
            wide in any::<bool>(),
        ) {
            let alphabet = if latin1 { Alphabet::Latin1 } else { Alphabet::Gsm7 };
            let reference = if wide { Reference::Bits16 } else { Reference::Bits8 };
            let segments = segments_for(&text, alphabet, reference);
            let back: String = segments.parts.iter().map(|part| read(segments.encoding, part)).collect();
            prop_assert_eq!(back, text);
            let whole = segments.parts.len() == 1;
            let room = if whole { 140 } else if wide { 133 } else { 134 };
            for part in &segments.parts {
                let on_air = match segments.encoding {
                    Encoding::Gsm7 => (part.len() * 7).div_ceil(8),
                    Encoding::Latin1 => continue,
                    Encoding::Ucs2 => part.len(),
                };
                prop_assert!(on_air <= room);
            }
        }
    }
}
