//! What is kept on disk: the outbox, which must never be lost, and reachability, which may be.

pub mod codec;
pub mod outbox;
pub mod reachability;
