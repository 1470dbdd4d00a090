//! Metrics and logs.
//!
//! Invariant: no address, text, name of a person or secret passes here; labels come from closed sets or
//! configured names.

pub mod events;
pub mod log;
pub mod metrics;
