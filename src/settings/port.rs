//! The port of a URL.

use hyper::http::uri::Authority;

/// A URL names a port that no machine has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("its port is not a number from 1 to 65535")]
pub struct BadPort;

/// Returns the port that a URL names, `None` where it leaves it to the scheme.
///
/// # Errors
/// What it names is not a number from 1 to 65535. The parser's own [`Authority::port_u16`] takes such a URL for one
/// without a port, and the call would go to whoever listens on the usual one.
pub fn port_of(authority: &Authority) -> Result<Option<u16>, BadPort> {
    let text = authority.as_str();
    let place = text.rsplit_once('@').map_or(text, |(_, place)| place);
    let written = place.strip_prefix(authority.host()).ok_or(BadPort)?;
    if matches!(written, "" | ":") {
        return Ok(None);
    }
    let digits = written.strip_prefix(':').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let port = digits.and_then(|digits| digits.parse().ok()).filter(|port| *port > 0);
    port.map(Some).ok_or(BadPort)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_one_or_an_error() {
        let check = |authority: &str, expected: Result<Option<u16>, BadPort>| {
            let authority: Authority = authority.parse().expect("an authority");
            assert_eq!(port_of(&authority), expected, "{authority}");
        };
        check("h", Ok(None));
        check("h:", Ok(None));
        check("h:1", Ok(Some(1)));
        check("user:1@h:65535", Ok(Some(65_535)));
        check("[::1]", Ok(None));
        check("[::1]:81", Ok(Some(81)));
        check("h:0", Err(BadPort));
        check("h:65536", Err(BadPort));
        check("h:99999999999", Err(BadPort));
        check("h:+80", Err(BadPort));
        check("h:https", Err(BadPort));
        check("[::1]:70000", Err(BadPort));
        let silent: Authority = "h:70000".parse().expect("an authority");
        assert_eq!(silent.port_u16(), None, "the parser says it now: is this file still needed?");
    }
}
