//! Adapters beside their emulators, beyond what all of them have in common: what left the machine and what did not,
//! connections that are kept, TLS and names, and what only one provider has.

mod http;
mod mail;
mod roads;
mod signal_rest;
mod twilio;

use wasl::core::outcome::{Outcome, Reason};

const fn rejected(reason: Reason) -> Outcome {
    Outcome::Rejected { reason }
}

fn is_accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { .. })
}
