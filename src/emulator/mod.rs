//! Emulators: one provider a file, speaking its real protocol on loopback, with faults to order.
//!
//! They serve `wasl demo`, the tests, and whoever writes an adapter. Each is written from the
//! provider's own facts; each listens on `127.0.0.1` (port 0 takes a free one), answers as the
//! provider does, keeps what it received, and misbehaves as told.
//!
//! ```text
//! whatsapp   Graph API, signed status webhooks       smsc   SMPP 3.4, receipts in their dialects
//! telegram   Bot API, long poll and webhook          smtp   submission, STARTTLS, AUTH
//! signal_cli JSON-RPC daemon, receipts over SSE      dns    UDP and TCP, every kind of answer
//! webhook    a receiver that checks signatures       control  targets that judge our own line
//! twilio     Messages API, signed status callbacks   sms_http  five SMS gateways over HTTP
//! tls        certificates good and bad
//! ```
//!
//! Faults are ordered layer by layer while the emulator runs: see [`Fault`]. A layer's behaviour
//! is a [`Mix`], so a scenario's table of probabilities goes in as it stands.
//!
//! Limits: one machine, loopback, memory only. Every queue has a named limit; past it the oldest
//! record goes (what was received) or the newest is not made (receipts), and the counters tell.
//!
//! Invariant: nothing here imports `crate::core` or `crate::adapter`: an emulator that shared
//! their code would share their mistakes.

#![allow(
    clippy::disallowed_methods,
    reason = "an emulator stands for the world outside, which has its own clock"
)]

mod agenda;
pub mod control;
mod desk;
pub mod dns;
mod fault;
mod handle;
mod http;
mod listen;
mod received;
pub mod signal_cli;
pub mod sms_http;
pub mod smsc;
pub mod smtp;
mod start;
pub mod telegram;
pub mod tls;
pub mod twilio;
pub mod webhook;
pub mod whatsapp;

pub use fault::{
    AcceptFault, AnswerFault, Delay, DeliverFault, Fault, Mix, Rate, ReceiptFault, Refusal, TcpFault,
    TlsFault,
};
pub use handle::{Common, Handle, Provider, RECEIVED_MAX};
pub use received::Received;
