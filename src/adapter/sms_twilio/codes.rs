//! What Twilio's error codes mean, in answers to a send and in `failed` and `undelivered` statuses alike.
//
// Cites: Twilio, "Error and Warning Dictionary".

use crate::adapter::retry_after::RETRY_AFTER_MAX;
use crate::adapter::verdict::{deferred, rejected, unknown};
use crate::core::outcome::{Outcome, Reason};
use crate::core::time::Span;

/// Judges a code; `retry_after` is what the answer's header asks. `None`: the code is not known.
///
/// A region that the account may not send to, and a pair of numbers without a route, are no fault of the account for
/// everybody; and the recipient may well be reached by another gateway of SMS.
pub(super) fn judged(code: i64, retry_after: Option<Span>) -> Option<Outcome> {
    Some(match code {
        20_003 => rejected(Reason::Credentials),
        // The account, its sender, its number's registration; a trial account reaches verified numbers alone.
        10_001 | 20_002 | 20_005 | 20_006 | 20_404 | 30_002 => rejected(Reason::Configuration),
        21_212 | 21_603 | 21_606 | 21_608 | 21_609 | 21_659..=21_661 | 21_701 | 21_703..=21_705 => {
            rejected(Reason::Configuration)
        }
        30_024 | 30_032 | 30_034 => rejected(Reason::Configuration),
        // Refused before anything was done with it.
        14_107 | 20_429 | 21_611 | 30_001 | 30_022 | 63_018 => deferred(Reason::Throttled, retry_after),
        // A day's allowance.
        30_023 | 30_027 => deferred(Reason::QuotaExhausted, retry_after.or(Some(RETRY_AFTER_MAX))),
        20_500 | 30_017 | 30_410 => deferred(Reason::ProviderFault, retry_after),
        20_503 => rejected(Reason::ServiceDown),
        // Passed on, and nobody waited for the end.
        20_504 => unknown(Reason::Timeout),
        21_211 | 21_604 => rejected(Reason::BadAddress),
        21_614 | 21_635 | 30_005 | 30_006 => rejected(Reason::NotOnChannel),
        21_610 | 30_004 => rejected(Reason::Blocked),
        // 30008 is a carrier's "unknown error": of one handset as a rule, so nobody else is blamed.
        21_408 | 21_612 | 30_003 | 30_008 | 30_036 => rejected(Reason::Undeliverable),
        21_602 | 21_605 | 21_617 | 21_619 | 30_007 | 30_019 => rejected(Reason::ContentRefused),
        63_016 => rejected(Reason::TemplateRequired),
        _ => return None,
    })
}

/// Returns why a message that was taken failed. An unknown code blames nobody else than this recipient.
pub(super) fn failure(code: Option<i64>) -> Reason {
    code.and_then(|code| judged(code, None)).and_then(|o| o.reason()).unwrap_or(Reason::Undeliverable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::outcome::Fault;

    #[test]
    fn every_code_of_the_table_has_its_class() {
        let check = |codes: &[i64], name: &str, fault: Fault| {
            for code in codes {
                let outcome = judged(*code, None).unwrap_or_else(|| panic!("{code} is not known"));
                let reason = outcome.reason().expect("not accepted");
                assert_eq!((outcome.name(), reason.fault()), (name, fault), "{code}");
            }
        };
        let config = [20_003, 20_404, 21_212, 21_603, 21_606, 21_608, 21_609, 21_659, 21_705, 30_002, 30_034];
        check(&config, "rejected", Fault::Gateway);
        check(&[20_503], "rejected", Fault::Gateway);
        check(&[14_107, 20_429, 21_611, 30_001, 30_022, 30_023, 63_018], "deferred", Fault::Gateway);
        check(&[20_500, 30_017, 30_410], "deferred", Fault::Gateway);
        check(&[20_504], "unknown", Fault::Gateway);
        let recipient =
            [21_211, 21_408, 21_610, 21_612, 21_614, 30_003, 30_004, 30_005, 30_006, 30_008, 30_036];
        check(&recipient, "rejected", Fault::Recipient);
        check(&[21_602, 21_617, 30_007, 63_016], "rejected", Fault::Content);
        for unknown in [-1, 0, 400, 20_430, 21_000, 30_000, 99_999] {
            assert_eq!(judged(unknown, None), None, "{unknown}");
        }
    }

    #[test]
    fn times_are_the_providers_or_known_ones() {
        let check = |code, header: Option<i64>, expected: Option<i64>| {
            let outcome = judged(code, header.map(Span::from_secs));
            let Some(Outcome::Deferred { retry_after, .. }) = outcome else { panic!("{code}: {outcome:?}") };
            assert_eq!(retry_after, expected.map(Span::from_secs), "{code}");
        };
        check(20_429, Some(3), Some(3));
        check(20_429, None, None);
        check(30_023, None, Some(3600));
        check(30_023, Some(9), Some(9));
        assert_eq!(failure(Some(30_005)), Reason::NotOnChannel);
        assert_eq!(failure(Some(30_017)), Reason::ProviderFault);
        assert_eq!(failure(Some(30_999)), Reason::Undeliverable);
        assert_eq!(failure(None), Reason::Undeliverable);
    }
}
