//! The emulators, driven by clients that share no code with them: raw sockets and bytes by hand.

mod dns;
mod listener;
pub(crate) mod raw;
mod signal_cli;
mod signal_rest;
mod sms_http;
mod smsc;
mod smtp;
mod telegram;
mod tls;
mod twilio;
mod webhook;
mod whatsapp;
