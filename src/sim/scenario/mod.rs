//! A real outage as data, and the world that it describes: what each request, send and receipt comes to, whatever the policy.
//!
//! The format is `outage-scenario/1` (`tests/scenarios/README.md`). Every draw has a name and its value follows from the name and the
//! seed alone, so that two policies meet the same world and their difference is theirs.
//!
//! Before the core is judged in this world, the world is: [`yardstick`] holds policies of a few lines, whose figures a reference
//! replayer has told beforehand.

mod carrier;
mod draw;
mod file;
mod outside;
pub mod score;
pub mod stream;
pub mod trial;
pub mod yardstick;

pub use file::{BadScenario, Scenario};
