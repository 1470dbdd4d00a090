//! What several integration tests need.

pub mod adapters;
pub mod media;
pub mod process;
pub mod puts;
pub mod road;
pub mod seeded;
pub mod skip;
pub mod status_page;
pub mod tables;
