//! Tables and JSON on standard output.

use serde_json::Value;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// A colour for a word that tells a state; the word stands in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Doubt,
    Bad,
}

/// A cell of a table.
pub(super) struct Cell(pub(super) String, pub(super) Tone);

/// Prints JSON, for programs.
pub(super) fn json(value: &Value) {
    print(&format!("{value:#}\n"));
}

/// Whether whoever read our output has gone.
static READER_GONE: AtomicBool = AtomicBool::new(false);

/// Prints text. A reader who has gone is no fault: the command goes on to its own exit code. Anything else that keeps
/// the text from being written whole, as a full disk does, ends the process with 1.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => READER_GONE.store(true, Ordering::Relaxed),
        Err(error) => {
            eprintln!("error: what was asked for could not be written whole: {error}");
            std::process::exit(1);
        }
    }
}

/// Says whether nobody reads what is printed any more: what prints for ever ends then.
pub(super) fn reader_gone() -> bool {
    READER_GONE.load(Ordering::Relaxed)
}

/// Returns a JSON text's content, or nothing.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// Says whether colours help: a terminal, and nobody asked for none. Cites: no-color.org.
pub(super) fn coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Lays rows out under their heads, each column as wide as its widest cell.
pub(super) fn lay_out(heads: &[&str], rows: &[Vec<Cell>], coloured: bool) -> String {
    let mut widths: Vec<usize> = heads.iter().map(|head| head.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.0.chars().count());
        }
    }
    let mut out = String::new();
    let mut line = |cells: Vec<(&str, Tone)>| {
        let last = cells.len().saturating_sub(1);
        for (at, ((word, tone), width)) in cells.into_iter().zip(&widths).enumerate() {
            let pad = if at == last { 0 } else { width - word.chars().count() + 2 };
            out.push_str(&paint(word, tone, coloured));
            out.extend(std::iter::repeat_n(' ', pad));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    };
    line(heads.iter().map(|head| (*head, Tone::Plain)).collect());
    rows.iter().for_each(|row| line(row.iter().map(|cell| (cell.0.as_str(), cell.1)).collect()));
    out
}

/// Returns a number with its noun, as `1 delivery` or `3 deliveries`.
pub(super) fn count(n: &Value, one: &str, many: &str) -> String {
    format!("{n} {}", if n.as_u64() == Some(1) { one } else { many })
}

/// Puts a word in its colour.
pub(super) fn paint(word: &str, tone: Tone, coloured: bool) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Doubt => "33",
        Tone::Bad => "31;1",
        Tone::Plain => return word.into(),
    };
    if coloured { format!("\x1b[{code}m{word}\x1b[0m") } else { word.into() }
}

/// Returns how long ago a time was, as `2 min 5 s`.
pub(super) fn ago(time: &Value, now: &Value) -> String {
    let ms = |value: &Value| text(value).parse::<jiff::Timestamp>().map(|at| at.as_millisecond()).ok();
    match (ms(time), ms(now)) {
        (Some(then), Some(now)) => crate::core::time::Span::from_ms((now - then).max(0)).to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_is_no_plural() {
        let check = |n: u64, expected| assert_eq!(count(&json!(n), "delivery", "deliveries"), expected);
        check(0, "0 deliveries");
        check(1, "1 delivery");
        check(11, "11 deliveries");
    }

    #[test]
    fn columns_line_up_and_colours_take_no_room() {
        let row = |a: &str, tone| vec![Cell(a.into(), tone), Cell("x".into(), Tone::Plain)];
        let rows = [row("up", Tone::Good), row("degraded", Tone::Doubt)];
        assert_eq!(lay_out(&["STATE", "G"], &rows, false), "STATE     G\nup        x\ndegraded  x\n");
        assert!(lay_out(&["STATE", "G"], &rows, true).contains("\x1b[32mup\x1b[0m        x"));
    }

    #[test]
    fn ages_are_words() {
        assert_eq!(ago(&json!("2026-11-22T18:00:00.000Z"), &json!("2026-11-22T18:02:05Z")), "2 min 5 s");
        assert_eq!(ago(&Value::Null, &json!("2026-11-22T18:02:05Z")), "");
    }
}
