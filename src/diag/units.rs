//! Quantities as people write them: `20s`, `256MB`, `80/s`, `10000 recipients/24h`.

use crate::core::gateway::{Quota, QuotaUnit, Rate};
use crate::core::time::Span;

/// The longest length of time that a file may name: a hundred years keeps every sum of times in range.
const SPAN_MAX: Span = Span::from_hours(100 * 366 * 24);
const SPAN_UNITS: [(&str, i64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZE_UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
];

/// Splits `20s` into 20 and `s`.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, text[digits..].trim_start()))
}

/// Reads a length of time: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
pub fn parse_span(text: &str) -> Option<Span> {
    let (number, unit) = number_and_unit(text)?;
    let (_, ms) = SPAN_UNITS.iter().find(|(name, _)| *name == unit)?;
    let span = Span::from_ms(i64::try_from(number).ok()?.checked_mul(*ms)?);
    (span <= SPAN_MAX).then_some(span)
}

/// Reads a size in bytes: a whole number and one of `B`, `kB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`, `TB`.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let (_, bytes) = SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.checked_mul(*bytes)
}

/// Reads a rate: `80/s`, `600/m`, `3/h`. As much as one second's worth, and at least one, may go at once.
pub fn parse_rate(text: &str) -> Option<Rate> {
    let (number, period) = text.split_once('/')?;
    let number: f64 = number.trim().parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0 && *n <= 1e6)?;
    let period = match period.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let per_sec = number / period;
    Some(Rate { per_sec, burst: per_sec.max(1.0) })
}

/// Reads a quota: `10000 recipients/24h`, `500 messages/1d`.
pub fn parse_quota(text: &str) -> Option<Quota> {
    let (amount, period) = text.split_once('/')?;
    let (limit, unit) = number_and_unit(amount.trim())?;
    let unit =
        [QuotaUnit::Messages, QuotaUnit::Recipients].into_iter().find(|u| u.name() == unit.trim_end())?;
    let period = parse_span(period.trim())?;
    (limit > 0 && period >= Span::from_secs(1)).then_some(Quota { limit, unit, period })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_written() {
        let check = |text, ms: Option<i64>| assert_eq!(parse_span(text).map(Span::ms), ms, "{text}");
        check("20s", Some(20_000));
        check("250ms", Some(250));
        check("2m", Some(120_000));
        check("1h", Some(3_600_000));
        check("400d", Some(34_560_000_000));
        check("20", None);
        check("20 sec", None);
        check("-1s", None);
        check("1.5s", None);
        check("9223372036854775807d", None);
        check("", None);
        assert_eq!(parse_size("256MB"), Some(256_000_000));
        assert_eq!(parse_size("256 MiB"), Some(268_435_456));
        assert_eq!(parse_size("99999999999999999TB"), None);
    }

    #[test]
    fn rates_and_quotas_read_as_written() {
        assert_eq!(parse_rate("80/s"), Some(Rate { per_sec: 80.0, burst: 80.0 }));
        assert_eq!(parse_rate("3/m"), Some(Rate { per_sec: 0.05, burst: 1.0 }));
        assert!(
            ["80", "0/s", "-1/s", "inf/s", "NaN/s", "80/ms", "/s"].iter().all(|t| parse_rate(t).is_none())
        );
        let quota = Quota { limit: 10_000, unit: QuotaUnit::Recipients, period: Span::from_hours(24) };
        assert_eq!(parse_quota("10000 recipients/24h"), Some(quota));
        assert!(
            ["0 messages/1d", "10 people/1d", "10 messages", "messages/1d"]
                .iter()
                .all(|t| parse_quota(t).is_none())
        );
    }
}
