//! Wasl (وصل: "connection", and "it arrived"): an outage-resilience monitor and failover
//! router for crisis messages.

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]

// Lets unit tests share the modules of tests/support, which say `wasl::`.
#[cfg(test)]
extern crate self as wasl;

pub mod adapter;
pub mod api;
pub mod cli;
pub mod core;
pub mod demo;
pub mod diag;
pub mod emulator;
pub mod policy;
pub mod probe;
pub mod runtime;
pub mod settings;
pub mod sim;
pub mod store;
pub mod telemetry;
pub mod web;
