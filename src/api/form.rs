//! Names and values as forms and queries write them.
//!
//! Cites: url.spec.whatwg.org, `application/x-www-form-urlencoded` parsing.

/// The most pairs of one query or form: more than any of ours has.
const PAIRS_MAX: usize = 32;

/// Reads the pairs; `None` where there are too many or what is written is not UTF-8.
pub(crate) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        if pairs.len() == PAIRS_MAX {
            return None;
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        pairs.push((decode(name)?, decode(value)?));
    }
    Some(pairs)
}

fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |place: usize| bytes.get(place).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) => plain.push(b' '),
            (byte, ..) => plain.push(byte),
        }
        at += 1;
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn pairs_are_decoded_and_bounded() {
        let check = |text, expected: &[(&str, &str)]| {
            let expected = expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            assert_eq!(pairs(text), Some(expected), "{text}");
        };
        check("", &[]);
        check("lang=ar&next=%2F%3Flang%3Den", &[("lang", "ar"), ("next", "/?lang=en")]);
        check("a=1+2&b&c=%D9%88&d=5%", &[("a", "1 2"), ("b", ""), ("c", "و"), ("d", "5%")]);
        assert_eq!(pairs("a=%FF"), None);
        assert_eq!(pairs(&"a=1&".repeat(33)), None);
    }
}
