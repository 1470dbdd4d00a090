//! The runtime: joins the pieces; nothing else may.
//!
//! ```text
//! api, hooks, adapters, probes -> inbox -> turn (core) -> writer (commit) -> release -> dispatch, replies, pictures
//! ```
//! Two std threads own the core and the outbox's writing side; everything that waits for the network is a tokio task, the
//! probes' on a thread of their own (`lookout.rs`).
//!
//! Invariant: nothing leaves before its cause is on disk (`writer.rs`); every queue here has a limit.

pub mod clock;
pub mod configuration;
pub mod files;
pub mod gateways;
pub mod listener;
pub(crate) mod lookout;
pub mod places;
pub mod reload;
pub mod site;
pub mod systemd;

mod backup;
mod beats;
mod dispatch;
mod erase;
mod escalate;
mod feed;
mod forecast;
mod guard;
mod hooks;
mod inbox;
mod intake;
mod notary;
pub(crate) mod notices;
mod pantry;
mod reach;
mod reads;
mod release;
mod replies;
mod retainer;
mod service;
mod start;
mod supervisor;
mod tickets;
mod tokens;
mod turn;
mod words;
mod writer;

pub use feed::Feed;
pub use gateways::{Gateway, Lineup};
pub use release::Pacer;
pub use start::{Parts, Running, StartError, Wasl};
pub use writer::Fatal;
