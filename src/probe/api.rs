//! The probe of kind `api`: the provider's own answer to an authenticated call.
//!
//! It takes the same keys as kind `http`. The difference is what it proves: that anything at all came back is the HTTP
//! layer's merit, what it says is the provider's.

use super::Blueprint;
use super::definition::Reader;
use super::http::{Depth, Plan};

/// Reads the keys of kind `api`.
pub(super) fn parse(reader: &mut Reader<'_>) -> Option<Box<dyn Blueprint>> {
    // A redirect is no provider's answer; more likely a captive portal's.
    Plan::parse(reader, Depth::Api, 200..=299)
}
