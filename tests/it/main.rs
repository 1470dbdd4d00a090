//! The integration tests: one binary, one module a matter.

mod adapters;
mod authz;
mod browser;
mod configuration;
mod contract_suite;
mod demo;
mod diagnostics;
mod emulators;
mod page;
mod powercut;
mod probes;
mod service;
mod smpp;
mod store_conformance;
mod store_faults;
mod third_party_smpp;
mod third_party_smtp;
mod tidy;

#[path = "../support/stand_in.rs"]
mod stand_in;

#[path = "../support/mod.rs"]
mod support;
