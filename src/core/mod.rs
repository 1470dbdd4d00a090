//! The core: decides what happens next. Owns all state and does no I/O.
//!
//! No sockets, files, clock, threads or thread rng: `now` and the seed come in as arguments, so that what is
//! simulated is what runs. Inputs go in and effects come out.
//!
//! Invariant: this module imports `std` (no net, fs, env, thread, process), `thiserror` and itself; a test reads
//! the `use` lines and holds us to it.

pub mod channel;
pub mod effect;
pub mod evidence;
pub mod gateway;
pub mod ids;
pub mod input;
pub mod message;
pub mod outcome;
pub mod policy;
pub mod query;
pub mod record;
pub mod time;
pub mod view;
