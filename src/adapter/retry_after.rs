//! `Retry-After`, in seconds or as a date. Cites: RFC 9110, sections 10.2.3 and 5.6.7.

use crate::core::time::{Span, Timestamp};
use hyper::HeaderMap;
use hyper::header::{DATE, RETRY_AFTER};

/// The longest that a provider's word keeps us away. An hour is how long the gravest messages live: a longer bar would
/// silence the gateway for all of it, and to ask once an hour harms nobody.
pub(super) const RETRY_AFTER_MAX: Span = Span::from_hours(1);

/// Returns what the headers ask, capped. A date is measured against the server's own clock where it shows one.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Span> {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if !asked.is_empty() && asked.bytes().all(|b| b.is_ascii_digit()) {
        return Some(capped(asked.parse().unwrap_or(i64::MAX)));
    }
    let from = text(DATE).and_then(http_date).unwrap_or(now);
    Some(http_date(asked)?.since(from).min(RETRY_AFTER_MAX))
}

/// Returns so many seconds, within what is allowed.
pub(super) fn capped(secs: i64) -> Span {
    Span::from_secs(secs.max(0)).min(RETRY_AFTER_MAX)
}

fn http_date(text: &str) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_ms(at.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn seconds_and_dates_are_read_and_capped() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = Timestamp::from_ms(784_111_777_000);
        let check = |asked: &str, date: Option<&'static str>, expected: Option<i64>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(asked).unwrap());
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_static(date));
            }
            assert_eq!(retry_after(&headers, now), expected.map(Span::from_secs), "{asked}");
        };
        check("3", None, Some(3));
        check(" 0 ", None, Some(0));
        check("86400", None, Some(3600));
        check("99999999999999999999", None, Some(3600));
        check("Sun, 06 Nov 1994 08:50:07 GMT", None, Some(30));
        check("Sun, 06 Nov 1994 08:00:00 GMT", None, Some(0));
        check("Mon, 07 Nov 1994 08:50:07 GMT", None, Some(3600));
        // The server's clock is a minute ahead of ours.
        check("Sun, 06 Nov 1994 08:50:40 GMT", Some("Sun, 06 Nov 1994 08:50:37 GMT"), Some(3));
        check("soon", None, None);
        check("-5", None, None);
        check("", None, None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
