//! What WhatsApp's error codes mean, in synchronous answers and in `failed` statuses alike.
//
// Cites: Meta, WhatsApp Business Platform, Cloud API, "Error codes".

use crate::adapter::retry_after::RETRY_AFTER_MAX;
use crate::adapter::verdict::{deferred, rejected};
use crate::core::outcome::{Outcome, Reason};
use crate::core::time::Span;

/// How long a number that is being upgraded is left alone: the work takes about a minute.
const MAINTENANCE: Span = Span::from_mins(1);

/// How long one recipient is left alone after too many messages. Cites: about one message every six seconds.
const PAIR: Span = Span::from_secs(6);

/// Judges a code; `retry_after` is what the answer's header asks. `None`: the code is not known.
///
/// A wrong template is the fault of the message that names it, not of the number: others still go out.
pub(super) fn judged(code: i64, retry_after: Option<Span>) -> Option<Outcome> {
    Some(match code {
        0 | 190 => rejected(Reason::Credentials),
        3 | 10 | 33 | 200..=299 | 368 => rejected(Reason::Configuration),
        131_005 | 131_030 | 131_031 | 131_037 | 131_042 | 131_045 | 133_010 => {
            rejected(Reason::Configuration)
        }
        1 | 131_000 | 135_000 => deferred(Reason::ProviderFault, retry_after),
        131_057 => deferred(Reason::ProviderFault, retry_after.or(Some(MAINTENANCE))),
        2 | 131_016 | 133_004 => rejected(Reason::ServiceDown),
        4 | 80_007 | 130_429 | 132_069 | 133_016 => deferred(Reason::Throttled, retry_after),
        // Both last for hours.
        131_048 => deferred(Reason::Throttled, retry_after.or(Some(RETRY_AFTER_MAX))),
        131_064 => deferred(Reason::QuotaExhausted, retry_after.or(Some(RETRY_AFTER_MAX))),
        131_056 => deferred(Reason::PairLimit, retry_after.or(Some(PAIR))),
        131_047 => rejected(Reason::TemplateRequired),
        131_026 => rejected(Reason::NotOnChannel),
        130_497 | 131_021 => rejected(Reason::BadAddress),
        131_050 => rejected(Reason::Blocked),
        137_000 => rejected(Reason::IdentityChanged),
        100 | 130_472 | 131_008 | 131_009 | 131_049 | 131_051..=131_053 => rejected(Reason::ContentRefused),
        132_000 | 132_001 | 132_005 | 132_007 | 132_008 | 132_012 | 132_015 | 132_016 | 132_068 => {
            rejected(Reason::ContentRefused)
        }
        // Groups, to which nothing is sent on purpose.
        131_020 | 131_041 | 131_201..=131_215 => rejected(Reason::ContentRefused),
        _ => return None,
    })
}

/// Returns why a message that was taken failed, by the code of its status. An unknown code blames nobody else than
/// this recipient.
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
                let outcome = judged(*code, None).expect("known");
                let reason = outcome.reason().expect("not accepted");
                assert_eq!((outcome.name(), reason.fault()), (name, fault), "{code}");
            }
        };
        let config = [
            0, 190, 3, 10, 200, 250, 299, 33, 368, 131_005, 131_030, 131_031, 131_037, 131_042, 131_045,
            133_010,
        ];
        check(&config, "rejected", Fault::Gateway);
        check(&[2, 131_016, 133_004], "rejected", Fault::Gateway);
        check(&[1, 131_000, 131_057, 135_000], "deferred", Fault::Gateway);
        let slow = [4, 80_007, 130_429, 131_048, 131_064, 132_069, 133_016];
        check(&slow, "deferred", Fault::Gateway);
        check(&[131_056], "deferred", Fault::Recipient);
        check(&[130_497, 131_021, 131_026, 131_050, 137_000], "rejected", Fault::Recipient);
        let content = [
            100, 130_472, 131_008, 131_009, 131_049, 131_051, 131_052, 131_053, 132_000, 132_001, 132_005,
            132_007, 132_008, 132_012, 132_015, 132_016, 132_068, 131_020, 131_041, 131_201, 131_215,
            131_047,
        ];
        check(&content, "rejected", Fault::Content);
        for unknown in [-1, 5, 199, 300, 131_001, 999_999] {
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
        check(130_429, Some(3), Some(3));
        check(130_429, None, None);
        check(131_056, None, Some(6));
        check(131_048, None, Some(3600));
        check(131_048, Some(9), Some(9));
        check(131_057, None, Some(60));
        assert_eq!(failure(Some(131_026)), Reason::NotOnChannel);
        assert_eq!(failure(Some(131_047)), Reason::TemplateRequired);
        assert_eq!(failure(None), Reason::Undeliverable);
    }
}
