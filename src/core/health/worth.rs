//! What an attempt's outcome says about its gateway.

use crate::core::outcome::{Fault, Outcome, Reason};

/// What an outcome says about the gateway.
pub(super) enum Worth {
    Fine,
    /// It works, and says no for the recipient's sake or the text's.
    Answered,
    /// It answers; that is all.
    Neutral,
    Dead(Reason),
    Refused(Reason),
}

/// Says whether an attempt failed for what its gateway, or the line to it, is at fault.
pub(crate) fn is_failure(outcome: &Outcome) -> bool {
    matches!(worth(outcome), Worth::Dead(_) | Worth::Refused(_))
}

/// Weighs an outcome.
pub(super) fn worth(outcome: &Outcome) -> Worth {
    let Some(reason) = outcome.reason() else { return Worth::Fine };
    match reason {
        // A throttle shows a gateway that answers; a full window or a stopping adapter is our own doing.
        Reason::Throttled | Reason::QuotaExhausted | Reason::Busy | Reason::Restart => Worth::Neutral,
        _ if reason.fault() != Fault::Gateway => Worth::Answered,
        Reason::ProviderFault
        | Reason::ServiceDown
        | Reason::Credentials
        | Reason::Configuration
        | Reason::Unreadable
        // It let us in, and then did not answer: what a probe finds that sends nothing does not refute that.
        | Reason::Timeout
        | Reason::ConnectionLost
        | Reason::Limited => Worth::Refused(reason),
        _ => Worth::Dead(reason),
    }
}
