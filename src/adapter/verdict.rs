//! What an HTTP answer means where the provider says nothing more specific, and short words for outcomes.
//!
//! Invariant: a code in the body wins over the status: adapters come here last.

use super::http::Response;
use crate::core::outcome::{Outcome, Reason};
use crate::core::time::Span;

/// It was certainly not sent.
pub(super) const fn rejected(reason: Reason) -> Outcome {
    Outcome::Rejected { reason }
}

/// It was certainly not sent, and may be later.
pub(super) const fn deferred(reason: Reason, retry_after: Option<Span>) -> Outcome {
    Outcome::Deferred { reason, retry_after }
}

/// It may have gone out.
pub(super) const fn unknown(reason: Reason) -> Outcome {
    Outcome::Unknown { reason }
}

/// Judges an answer by its status alone.
pub(super) fn by_status(response: &Response) -> Outcome {
    match response.status {
        400 | 413 | 414 | 422 | 431 => rejected(Reason::ContentRefused),
        401 | 403 => rejected(Reason::Credentials),
        408 | 425 => deferred(Reason::ProviderFault, response.retry_after),
        429 => deferred(Reason::Throttled, response.retry_after),
        // Passed on, and nobody waited for the end. Cites: Cloudflare's 524 is the same.
        504 | 524 => unknown(Reason::Timeout),
        500..=599 => deferred(Reason::ProviderFault, response.retry_after),
        // A redirect is not followed, since a token would follow it: the address is wrong, or somebody stands between.
        300..=499 => rejected(Reason::Configuration),
        _ => unknown(Reason::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_one_meaning() {
        let after = Some(Span::from_secs(7));
        let check = |status: u16, expected: Outcome| {
            let response = Response { status, retry_after: after, ..Response::default() };
            assert_eq!(by_status(&response), expected, "{status}");
        };
        check(200, unknown(Reason::Unreadable));
        check(302, rejected(Reason::Configuration));
        check(400, rejected(Reason::ContentRefused));
        check(401, rejected(Reason::Credentials));
        check(403, rejected(Reason::Credentials));
        check(404, rejected(Reason::Configuration));
        check(408, deferred(Reason::ProviderFault, after));
        check(413, rejected(Reason::ContentRefused));
        check(422, rejected(Reason::ContentRefused));
        check(425, deferred(Reason::ProviderFault, after));
        check(429, deferred(Reason::Throttled, after));
        check(500, deferred(Reason::ProviderFault, after));
        check(502, deferred(Reason::ProviderFault, after));
        check(503, deferred(Reason::ProviderFault, after));
        check(504, unknown(Reason::Timeout));
    }
}
