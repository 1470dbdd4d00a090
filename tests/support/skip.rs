//! How a test says that it cannot run here.

use std::io::Write;

/// Says by name that a test was skipped, and what would make it run. Shown although the test passes: it is written
/// past the harness, on a line of its own.
pub fn skip(test: &str, remedy: &str) {
    let line = format!("\nskipped: {test}: {remedy}\n");
    std::io::stdout().write_all(line.as_bytes()).expect("standard output is open");
}
