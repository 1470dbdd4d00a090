//! The integration tests: one binary, one module a matter.

#![allow(clippy::disallowed_methods, reason = "an integration test stands in the real world, with its clock")]
#![allow(
    clippy::await_holding_lock,
    reason = "the stand-ins' locks are the test's own, and nobody waits for them"
)]
#![allow(clippy::type_complexity, reason = "a table of cases reads best where it stands")]

mod adapters;
mod audit;
mod authz;
mod backup;
mod browser;
mod canaries;
mod configuration;
mod contract_suite;
mod dashboards;
mod demo;
mod diagnostics;
mod doctor;
mod documentation;
mod emulators;
mod feeds;
mod kills;
mod leaks;
mod notices;
mod packaging;
mod page;
mod pages;
mod powercut;
mod probes;
mod scenarios;
mod service;
mod smpp;
mod store_conformance;
mod store_faults;
mod strangers;
mod sync;
mod third_party_kannel;
mod third_party_signatures;
mod third_party_smpp;
mod third_party_smtp;
mod tidy;
mod uplink;

#[path = "../support/stand_in.rs"]
mod stand_in;

#[path = "../support/mod.rs"]
mod support;
