//! Characters of an Arabic keyboard, or of a word processor, that stand where TOML takes only their ASCII likeness: an Arabic
//! comma between values, curly quotes around text, Arabic digits in a number.

use super::source::{Place, Source};
use std::sync::Arc;

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lookalike {
    /// As it stands there.
    pub(super) is: char,
    /// What it is called.
    pub(super) called: &'static str,
    /// What is to be typed.
    pub(super) meant: char,
}

/// Says what a character was probably meant to be.
fn lookalike(is: char) -> Option<Lookalike> {
    let digit = |zero: char| char::from_digit(u32::from(is) - u32::from(zero), 10);
    let (called, meant) = match is {
        '\u{60c}' => ("an Arabic comma", ','),
        '\u{61b}' => ("an Arabic semicolon", ','),
        '\u{66b}' => ("an Arabic decimal separator", '.'),
        '\u{660}'..='\u{669}' => ("an Arabic digit", digit('\u{660}')?),
        '\u{6f0}'..='\u{6f9}' => ("a Persian digit", digit('\u{6f0}')?),
        '\u{201c}'..='\u{201f}' | '«' | '»' => ("a curly quote", '"'),
        '\u{2018}'..='\u{201b}' => ("a curly quote", '\''),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => ("a long dash", '-'),
        '\u{a0}' | '\u{202f}' | '\u{2007}' => ("a space that does not break", ' '),
        _ => return None,
    };
    Some(Lookalike { is, called, meant })
}

impl Lookalike {
    /// Says what stands there.
    pub(super) fn what(self) -> String {
        format!("`{}` is {} (U+{:04X})", self.is, self.called, u32::from(self.is))
    }

    /// Says what to do.
    pub(super) fn remedy(self) -> String {
        match self.meant {
            ' ' => "type a plain space".to_owned(),
            meant => format!("type `{meant}`"),
        }
    }
}

/// Finds the first one that stands outside quoted text and comments on the line of `near`, or on the one before: an array that
/// goes on is found wrong where it goes on.
pub(super) fn first(near: &Place) -> Option<(Lookalike, Place)> {
    let line = near.start().line;
    [line, line.saturating_sub(1)]
        .into_iter()
        .filter(|line| *line > 0)
        .find_map(|line| on(&near.source, line))
}

fn on(source: &Arc<Source>, line: usize) -> Option<(Lookalike, Place)> {
    let span = source.line(line);
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in source.text()[span.clone()].char_indices() {
        match (quote, c) {
            (None, '#') => return None,
            (None, '"' | '\'') => quote = Some(c),
            (None, c) => {
                if let Some(found) = lookalike(c) {
                    let start = span.start + at;
                    return Some((
                        found,
                        Place { source: source.clone(), span: start..start + c.len_utf8() },
                    ));
                }
            }
            (Some(_), _) if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
        }
    }
    None
}

/// Returns a quantity as it would be read, and its first character that keeps it from being read so.
pub(super) fn in_ascii(text: &str) -> Option<(Lookalike, String)> {
    let first = text.chars().find_map(lookalike)?;
    Some((first, text.chars().map(|c| lookalike(c).map_or(c, |found| found.meant)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Diagnostics, Table};

    fn told(text: &str) -> String {
        let (source, mut diags) = (Source::new("wasl.toml", text), Diagnostics::default());
        if let Some(mut table) = Table::parse(&source, &mut diags) {
            table.rate("rate", &mut diags);
        }
        diags.render()
    }

    #[test]
    fn a_character_of_another_keyboard_is_named_with_what_to_type() {
        let check = |text: &str, words: &[&str]| {
            let told = told(text);
            words.iter().for_each(|word| assert!(told.contains(word), "{word}\n{told}"));
        };
        check("hosts = [\"a\"، \"b\"]", &["`،` is an Arabic comma (U+060C)", "wasl.toml:1:13", "type `,`"]);
        check("hosts = [\n \"a\"،\n \"b\",\n]", &["an Arabic comma", "wasl.toml:2:5"]);
        check("name = “sms-a”", &["`“` is a curly quote (U+201C)", "wasl.toml:1:8", "type `\"`"]);
        check("window = ٥٠", &["`٥` is an Arabic digit (U+0665)", "type `5`"]);
        check("window = –1", &["a long dash"]);
        check("rate = \"٨٠/s\"", &["`٨` is an Arabic digit (U+0668)", "write \"80/s\""]);
        check("rate = \"many\"", &["write \"80/s\", \"600/m\" or"]);
        assert!(!told("text = \"سلام، يا “صديق”\"").contains("error"), "text may hold them");
        assert!(!told("# سلام، ٥\nx 1").contains("Arabic"), "comments too");
    }
}
