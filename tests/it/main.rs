//! The integration tests: one binary, one module a matter.

mod emulators;
mod service;
