//! The integration tests: one binary, one module a matter.

mod diagnostics;
mod emulators;
mod powercut;
mod probes;
mod service;
mod store_conformance;
mod store_faults;
#[path = "../support/mod.rs"]
mod support;
mod tidy;
