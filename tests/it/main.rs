//! The integration tests: one binary, one module a matter.

mod diagnostics;
mod emulators;
mod probes;
mod service;
mod tidy;
