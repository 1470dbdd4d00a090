//! What several integration tests need.

pub mod media;
pub mod puts;
pub mod seeded;
