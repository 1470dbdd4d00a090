//! The log: one line an event on standard error, as JSON for programs or plain for people.
//!
//! Invariant: what is logged is ids, names from the configuration and closed words. Personal types print masked
//! (see `core::message`), secrets are never handed here.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::FormatTime;

/// The environment variable that chooses what is logged, as `info` or `wasl=debug,hyper=warn`.
pub const FILTER_ENV: &str = "WASL_LOG";
/// What is logged where the variable says nothing.
const FILTER_DEFAULT: &str = "info,sled=warn,hyper=warn,hickory_resolver=error,hickory_proto=error";

/// The shape of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Shape {
    /// One JSON object a line.
    Json,
    /// For people.
    Plain,
}

/// Starts the log. Without a shape: plain on a terminal, else JSON. A second call changes nothing.
pub fn start(shape: Option<Shape>) {
    let filter = match std::env::var(FILTER_ENV) {
        Ok(text) => EnvFilter::try_new(&text).unwrap_or_else(|_| EnvFilter::new(FILTER_DEFAULT)),
        Err(_) => EnvFilter::new(FILTER_DEFAULT),
    };
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .with_target(true)
        .with_timer(Utc);
    let started = match shape.unwrap_or(if terminal { Shape::Plain } else { Shape::Json }) {
        Shape::Json => builder.json().flatten_event(true).try_init(),
        Shape::Plain => builder.with_ansi(terminal && std::env::var_os("NO_COLOR").is_none()).try_init(),
    };
    // It fails only where a log is running already: a test, or the demo inside one process.
    drop(started);
}

/// UTC with milliseconds, as `2026-11-22T18:00:00.125Z`.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, line: &mut tracing_subscriber::fmt::format::Writer<'_>) -> std::fmt::Result {
        write!(line, "{:.3}", jiff::Timestamp::now())
    }
}
