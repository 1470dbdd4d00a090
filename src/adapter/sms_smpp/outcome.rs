//! What an SMSC's `command_status` means.
//!
//! Cites: SMPP 3.4, 5.1.3 (error codes); SMPP 5.0, 4.7.6 (0x100 to 0x112). 0x400 to 0x4FF belong to the vendor: a
//! gateway's settings say what its own mean.

use crate::core::outcome::{Outcome, Reason};
use crate::core::time::Span;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The codes that a vendor gives a meaning of its own.
pub(super) const VENDOR: RangeInclusive<u32> = 0x400..=0x4FF;

/// The status of a response to what went well.
pub(super) const OK: u32 = 0x00;
/// "Command length is invalid": what we answer to a unit that cannot be read.
pub(super) const INVALID_LENGTH: u32 = 0x02;
/// "Invalid command id": what we answer to a request that we do not know.
pub(super) const INVALID_COMMAND: u32 = 0x03;
/// "Incorrect bind status": the SMSC has forgotten that we are bound.
pub(super) const NOT_BOUND: u32 = 0x04;
/// "Temporary application error": what we answer to a receipt that there is no room for; it comes again.
pub(super) const COME_AGAIN: u32 = 0x64;

/// `ESME_RTHROTTLED` speaks of messages a second.
const THROTTLED_FOR: Span = Span::from_secs(1);

/// What a gateway's settings say of the vendor's codes.
pub(super) type VendorCodes = BTreeMap<u32, Reason>;

/// Reads the answer to a submit.
pub(super) fn outcome(status: u32, message_id: Option<String>, vendor: &VendorCodes) -> Outcome {
    if status == OK {
        return Outcome::Accepted { provider_id: message_id };
    }
    let reason = reason(status, vendor);
    match reason {
        // The link binds anew; what follows is told so at once.
        Reason::NotConnected | Reason::ProviderFault | Reason::ServiceDown => {
            Outcome::Deferred { reason, retry_after: None }
        }
        Reason::Throttled | Reason::PairLimit => {
            Outcome::Deferred { reason, retry_after: (status == 0x58).then_some(THROTTLED_FOR) }
        }
        _ => Outcome::Rejected { reason },
    }
}

/// Says what is at fault where a bind or a submit is refused.
pub(super) fn reason(status: u32, vendor: &VendorCodes) -> Reason {
    if let Some(reason) = vendor.get(&status) {
        return *reason;
    }
    match status {
        0x01 => Reason::ContentRefused, // RINVMSGLEN
        // RINVCMDLEN, RINVCMDID: it cannot read us, which no other message changes.
        0x02 | 0x03 => Reason::Configuration,
        NOT_BOUND => Reason::NotConnected,
        0x05..=0x07 => Reason::Configuration, // RALYBND, RINVPRTFLG, RINVREGDLVFLG
        0x08 => Reason::ProviderFault,        // RSYSERR
        0x0A => Reason::Configuration,        // RINVSRCADR
        0x0B => Reason::BadAddress,           // RINVDSTADR
        0x0D => Reason::Configuration,        // RBINDFAIL
        0x0E | 0x0F => Reason::Credentials,   // RINVPASWD, RINVSYSID
        0x14 => Reason::Throttled,            // RMSGQFUL
        0x15 => Reason::Configuration,        // RINVSERTYP
        // Numbers and lists of destinations, esm_class, and the kinds of either address.
        0x33 | 0x34 | 0x40 | 0x42..=0x44 | 0x48 | 0x49 | 0x50 | 0x51 | 0x53..=0x55 => Reason::Configuration,
        0x45 => Reason::ProviderFault,                  // RSUBMITFAIL
        0x58 => Reason::Throttled,                      // RTHROTTLED
        0x61 | 0x62 => Reason::ContentRefused,          // RINVSCHED, RINVEXPIRY
        0x63 => Reason::Configuration,                  // RINVDFTMSGID
        COME_AGAIN => Reason::ProviderFault,            // RX_T_APPN
        0x65 | 0x66 => Reason::ContentRefused,          // RX_P_APPN, RX_R_APPN
        0xC0..=0xC4 => Reason::Configuration,           // optional parameters
        0x102 => Reason::ServiceDown,                   // RSERTYPUNAVAIL
        0x100 | 0x101 | 0x103 => Reason::Configuration, // not allowed to us
        0x104 => Reason::ContentRefused,                // RINVDCS
        0x105..=0x112 => Reason::Configuration,         // subunits, broadcasts
        // RDELIVERYFAILURE, RUNKNOWNERR, the vendor's without a meaning, and what no version knows: refused all the same.
        _ => Reason::ProviderFault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u32, expected: &str) {
        let vendor =
            [(0x401, Reason::Configuration), (0x402, Reason::Blocked), (0x403, Reason::Throttled)].into();
        let outcome = outcome(status, Some("id".into()), &vendor);
        let reason = outcome.reason().map_or("", |r| r.name());
        assert_eq!(format!("{} {reason}", outcome.name()).trim_end(), expected, "{status:#x}");
    }

    #[test]
    fn every_status_has_one_meaning() {
        for (status, expected) in [
            (0x00, "accepted"),
            (0x01, "rejected content_refused"),
            (0x02, "rejected configuration"),
            (0x03, "rejected configuration"),
            (0x04, "deferred not_connected"),
            (0x05, "rejected configuration"),
            (0x08, "deferred provider_fault"),
            (0x0A, "rejected configuration"),
            (0x0B, "rejected bad_address"),
            (0x0D, "rejected configuration"),
            (0x0E, "rejected credentials"),
            (0x0F, "rejected credentials"),
            (0x14, "deferred throttled"),
            (0x43, "rejected configuration"),
            (0x45, "deferred provider_fault"),
            (0x48, "rejected configuration"),
            (0x49, "rejected configuration"),
            (0x50, "rejected configuration"),
            (0x51, "rejected configuration"),
            (0x53, "rejected configuration"),
            (0x58, "deferred throttled"),
            (0x61, "rejected content_refused"),
            (0x62, "rejected content_refused"),
            (0x64, "deferred provider_fault"),
            (0x65, "rejected content_refused"),
            (0x66, "rejected content_refused"),
            (0xC0, "rejected configuration"),
            (0xC4, "rejected configuration"),
            (0xFE, "deferred provider_fault"),
            (0xFF, "deferred provider_fault"),
            (0x102, "deferred service_down"),
            (0x400, "deferred provider_fault"),
            (0x401, "rejected configuration"),
            (0x402, "rejected blocked"),
            (0x403, "deferred throttled"),
            (0x4FF, "deferred provider_fault"),
            (0xDEAD_BEEF, "deferred provider_fault"),
        ] {
            check(status, expected);
        }
    }

    #[test]
    fn a_rate_is_named_and_a_full_queue_is_not() {
        let after = |status| match outcome(status, None, &VendorCodes::new()) {
            Outcome::Deferred { retry_after, .. } => retry_after,
            _ => None,
        };
        assert_eq!((after(0x58), after(0x14)), (Some(Span::from_secs(1)), None));
    }
}
