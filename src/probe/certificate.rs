//! Until when a certificate is valid: the one field of it that the TLS library does not tell.
//!
//! Limits: reads DER far enough to find `notAfter`, and nothing else. It runs after the library has accepted the
//! certificate; on anything unexpected it answers `None`.

use crate::core::time::Timestamp;

/// DER's universal tags, and the context tag of a certificate's version. Cites: X.690 section 8; RFC 5280 section 4.1.
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xA0;

/// Returns a certificate's `notAfter`.
pub(crate) fn valid_until(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = inside(der, SEQUENCE)?;
    let (mut tbs, _) = inside(certificate, SEQUENCE)?;
    if tbs.first() == Some(&VERSION) {
        tbs = skip(tbs)?;
    }
    // The serial number, the signature's algorithm, the issuer.
    let validity = skip(skip(skip(tbs)?)?)?;
    let (validity, _) = inside(validity, SEQUENCE)?;
    time(skip(validity)?)
}

/// Splits the first element into its tag, its content and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*first) {
        short @ 0..=0x7F => (short, rest),
        long => {
            let bytes = long & 0x7F;
            // Four bytes of length are 4 GiB; no certificate has more.
            if bytes == 0 || bytes > 4 || bytes > rest.len() {
                return None;
            }
            let (length, rest) = rest.split_at(bytes);
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

fn inside(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(der).filter(|(found, ..)| *found == tag).map(|(_, content, after)| (content, after))
}

fn skip(der: &[u8]) -> Option<&[u8]> {
    element(der).map(|(.., after)| after)
}

/// Reads `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`. Cites: RFC 5280 section 4.1.2.5.
fn time(der: &[u8]) -> Option<Timestamp> {
    let (tag, content, _) = element(der)?;
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let full = match tag {
        UTC_TIME => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    if full.len() != 14 || !full.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| full[from..to].parse::<i8>().ok();
    let date = jiff::civil::DateTime::new(
        full[..4].parse().ok()?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?,
        0,
    );
    let zoned = date.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_ms(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_after_is_found_in_a_real_certificate() {
        let check = |year, expected: &str| {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut params = rcgen::CertificateParams::new(vec!["example.org".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, 3, 4);
            let certificate = params.self_signed(&key).unwrap();
            let expected: jiff::Timestamp = expected.parse().unwrap();
            let found = valid_until(certificate.der()).unwrap();
            assert_eq!(found.ms(), expected.as_millisecond());
        };
        check(2026, "2026-03-04T00:00:00Z");
        check(2049, "2049-03-04T00:00:00Z");
        check(2051, "2051-03-04T00:00:00Z");
    }

    #[test]
    fn anything_else_is_not_a_certificate() {
        for der in
            [&b""[..], b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x30\x02\x30\x00", b"hello"]
        {
            assert_eq!(valid_until(der), None, "{der:?}");
        }
    }
}
