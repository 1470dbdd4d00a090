//! Diagnostics as text with carets, and as JSON.

use super::bidi;
use super::diagnostic::{At, Diagnostic, Diagnostics, Level};
use super::source::Place;
use std::ops::Range;

/// What stands for a secret.
const MASK: &str = "***";
/// How wide a tab is shown: carets must not depend on the terminal's stops.
const TAB: &str = "    ";
/// The longest source line that is shown, in columns: a screen or two.
const LINE_COLUMNS_MAX: usize = 400;

/// The escape sequences of one rendering; empty where colour is off.
struct Paint {
    level: &'static str,
    bold: &'static str,
    blue: &'static str,
    off: &'static str,
}

/// A source line as it is shown, and where the caret belongs.
struct Shown {
    text: String,
    caret_from: usize,
    caret_to: usize,
}

pub(super) fn text(diags: &Diagnostics, colour: bool) -> String {
    let mut out = String::new();
    for diagnostic in diags.sorted() {
        if !out.is_empty() {
            out.push('\n');
        }
        one(diags, diagnostic, &Paint::new(diagnostic.level, colour), &mut out);
    }
    out
}

fn one(diags: &Diagnostics, diagnostic: &Diagnostic, paint: &Paint, out: &mut String) {
    let Paint { level, bold, blue, off } = paint;
    let (name, code) = (diagnostic.level.name(), diagnostic.code);
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("{level}{name}[{code}]{off}{bold}: {}{off}", visible(&diagnostic.message)));
    let mut gutter = 1;
    match &diagnostic.at {
        At::Nowhere => {}
        At::File(file) => line(format!(" {blue}-->{off} {}", visible(file))),
        At::Place(place) => {
            let start = place.start();
            gutter = start.line.to_string().len();
            let pad = " ".repeat(gutter);
            let shown = show(diags, place, start.line);
            let caret = "^".repeat((shown.caret_to - shown.caret_from).max(1));
            let before = " ".repeat(shown.caret_from);
            let file = visible(place.source.name());
            line(format!("{pad}{blue}-->{off} {file}:{}:{}", start.line, start.column));
            line(format!("{pad} {blue}|{off}"));
            line(format!("{blue}{} |{off} {}", start.line, shown.text).trim_end().to_owned());
            let label = visible(&diagnostic.label);
            line(format!("{pad} {blue}|{off} {before}{level}{caret} {label}{off}").trim_end().to_owned());
        }
    }
    if let Some(help) = &diagnostic.help {
        line(format!("{} {blue}={off} {bold}help{off}: {}", " ".repeat(gutter), visible(help)));
    }
}

/// Draws a line: secrets masked, invisible characters named, tabs widened.
fn show(diags: &Diagnostics, place: &Place, line: usize) -> Shown {
    let source = &place.source;
    let bytes = source.line(line);
    let hidden = diags.hidden(source, bytes.clone());
    let mut shown = Shown { text: String::new(), caret_from: 0, caret_to: 0 };
    let (mut column, mut caret_from, mut caret_to) = (0, None, 0);
    let mut mask: Option<Range<usize>> = None;
    for (at, c) in source.text()[bytes.clone()].char_indices().map(|(at, c)| (bytes.start + at, c)) {
        let under = place.span.contains(&at) || (place.span.is_empty() && place.span.start == at);
        if under && caret_from.is_none() {
            caret_from = Some(column);
        }
        let piece = if mask.as_ref().is_some_and(|span| span.contains(&at)) {
            String::new()
        } else {
            mask = hidden.iter().find(|span| span.contains(&at)).cloned();
            if mask.is_some() { MASK.to_owned() } else { drawn(c) }
        };
        if column < LINE_COLUMNS_MAX {
            column += piece.chars().map(width).sum::<usize>();
            shown.text.push_str(&piece);
        }
        if under {
            caret_to = column;
        }
    }
    shown.caret_from = caret_from.unwrap_or(column);
    shown.caret_to = caret_to.max(shown.caret_from);
    // A caret that starts inside a masked literal stands under the whole mask.
    if shown.caret_from == shown.caret_to && shown.text[..].ends_with(MASK) && caret_from.is_some() {
        shown.caret_from = shown.caret_from.saturating_sub(MASK.len());
    }
    shown
}

/// Returns how one character is shown.
fn drawn(c: char) -> String {
    match c {
        '\t' => TAB.to_owned(),
        c if c.is_control() || bidi::reorders(c) || bidi::marks(c) => format!("<U+{:04X}>", u32::from(c)),
        c => c.to_string(),
    }
}

/// Names what a terminal would obey instead of showing.
fn visible(text: &str) -> String {
    text.chars().map(drawn).collect()
}

/// Returns how many columns a character takes: none for marks over others (Arabic vowels), two for wide ones.
///
/// Cites: Unicode general category Mn and Cf in the blocks named; UAX #11 for wide.
fn width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036F | 0x0483..=0x0489 | 0x0591..=0x05BD | 0x0610..=0x061A => 0,
        0x064B..=0x065F | 0x0670 | 0x06D6..=0x06DC | 0x06DF..=0x06E4 | 0x06E7..=0x06E8 => 0,
        0x06EA..=0x06ED | 0x08D3..=0x08FF | 0x200B..=0x200D | 0x20D0..=0x20F0 | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF => 2,
        0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

pub(super) fn json(diags: &Diagnostics) -> serde_json::Value {
    diags.sorted().into_iter().map(one_json).collect()
}

fn one_json(diagnostic: &Diagnostic) -> serde_json::Value {
    let mut object = serde_json::json!({
        "level": diagnostic.level.name(),
        "code": diagnostic.code,
        "message": diagnostic.message,
        "file": diagnostic.file(),
        "label": diagnostic.label,
        "help": diagnostic.help,
    });
    if let At::Place(place) = &diagnostic.at {
        let (start, end) = (place.start(), place.end());
        for (key, number) in [
            ("line", start.line),
            ("column", start.column),
            ("end_line", end.line),
            ("end_column", end.column),
        ] {
            object[key] = number.into();
        }
    }
    object
}

impl Paint {
    fn new(level: Level, colour: bool) -> Paint {
        match (colour, level) {
            (false, _) => Paint { level: "", bold: "", blue: "", off: "" },
            (true, Level::Error) => Paint::on("\x1b[1;31m"),
            (true, Level::Warning) => Paint::on("\x1b[1;33m"),
        }
    }

    fn on(level: &'static str) -> Paint {
        Paint { level, bold: "\x1b[1m", blue: "\x1b[1;34m", off: "\x1b[0m" }
    }
}

/// Diagnostics print as they are rendered, without colour.
impl std::fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render())
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::*;

    fn at(text: &str, needle: &str) -> String {
        let source = Source::new("f.toml", text);
        let start = text.find(needle).expect("the needle is in the text");
        let place = Place { source, span: start..start + needle.len() };
        let mut diags = Diagnostics::default();
        diags.push(Diagnostic::error("code", "message").at(&place, "label").help("help"));
        diags.render()
    }

    fn check(text: &str, needle: &str, expected: &str) {
        assert_eq!(at(text, needle), expected, "\n{}", at(text, needle));
    }

    #[test]
    fn the_caret_stands_under_what_is_meant() {
        check(
            "a = 1\nchannels = [\"signall\", \"sms\"]\n",
            "\"signall\"",
            "error[code]: message\n --> f.toml:2:13\n  |\n2 | channels = [\"signall\", \"sms\"]\n  |             \
             ^^^^^^^^^ label\n  = help: help\n",
        );
        check(
            "x = [\"حَيّ\", \"bad\"]",
            "\"bad\"",
            "error[code]: message\n --> f.toml:1:14\n  |\n1 | x = [\"حَيّ\", \"bad\"]\n  |            ^^^^^ label\n  \
             = help: help\n",
        );
        check(
            "\tx = 1",
            "x",
            "error[code]: message\n --> f.toml:1:2\n  |\n1 |     x = 1\n  |     ^ label\n  = help: help\n",
        );
    }

    #[test]
    fn a_secret_and_an_escape_are_never_shown() {
        let shown = at("access_token = \"EAAG\" # note", "\"EAAG\"");
        assert!(shown.contains("1 | access_token = *** # note\n  |                ^^^ label"), "{shown}");
        let inside = at("access_token = \"EAAG\" # note", "AG");
        assert!(!inside.contains("AG"), "{inside}");
        let escape = at("x = 1 # \x1b[31m \u{202E}red", "x");
        assert!(escape.contains("<U+001B>[31m <U+202E>red"), "{escape}");
    }
}
