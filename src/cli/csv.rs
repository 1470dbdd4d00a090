//! A strict reader of comma-separated values, and a writer that a spreadsheet may open safely.
//!
//! The separator is a comma, or a semicolon where the first line has more of these: spreadsheets write one where the comma stands
//! in numbers. A first line `sep=;`, which some of them add, says it outright.
//!
//! Every cell knows its line and column, so that each mistake is shown where it is. Cites: RFC 4180; a byte order mark
//! and bare line feeds are taken as spreadsheets write them.
//!
//! Limit: a cell has at most [`CELL_BYTES_MAX`] bytes: an opening quote that is never closed ends there.

use std::borrow::Cow;

/// The longest cell. The longest value of an address book is far below.
const CELL_BYTES_MAX: usize = 16 * 1024;

/// A mistake, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {why}")]
pub(super) struct Mistake {
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
    /// What is wrong, and what to do.
    pub(super) why: String,
}

/// One cell, and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    pub(super) value: Cow<'a, str>,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// Reads rows out of a text.
pub(super) struct Rows<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
    separator: &'static str,
}

impl<'a> Rows<'a> {
    /// Reads from the start.
    pub(super) fn new(text: &'a str) -> Rows<'a> {
        let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        let first = rest.lines().next().unwrap_or_default();
        let has_more = first.matches(';').count() > first.matches(',').count();
        let mut rows = Rows { rest, line: 1, column: 1, separator: if has_more { ";" } else { "," } };
        if matches!(first, "sep=;" | "sep=,") {
            rows.advance(first.len());
        }
        rows
    }

    /// Reads a row's cells. After a mistake, goes on at the next line.
    fn row(&mut self) -> Result<Vec<Cell<'a>>, Mistake> {
        let mut cells = Vec::with_capacity(16);
        loop {
            let (line, column) = (self.line, self.column);
            let value = if self.rest.starts_with('"') { self.quoted()? } else { self.bare()? };
            cells.push(Cell { value, line, column });
            if !self.eat(self.separator) {
                break;
            }
        }
        if self.rest.is_empty() || self.eat("\r\n") || self.eat("\n") {
            return Ok(cells);
        }
        Err(self.mistake(
            "after the closing quote comes a separator or the end of the line; write a quote inside as two",
        ))
    }

    fn bare(&mut self) -> Result<Cow<'a, str>, Mistake> {
        let ends = |c: char| matches!(c, '\n' | '"') || self.separator.contains(c);
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        if self.rest[end..].starts_with('"') {
            self.advance(end);
            return Err(self
                .mistake("a quote inside a cell: put the whole cell in quotes and write the quote as two"));
        }
        let cell = &self.rest[..end];
        let cell =
            if self.rest[end..].starts_with('\n') { cell.strip_suffix('\r').unwrap_or(cell) } else { cell };
        if cell.len() > CELL_BYTES_MAX {
            return Err(self.mistake("this cell is too long"));
        }
        self.advance(cell.len());
        Ok(Cow::Borrowed(cell))
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, Mistake> {
        let body = &self.rest[1..];
        let (mut at, mut doubled) = (0, false);
        let end = loop {
            let Some(quote) = body[at..].find('"').map(|found| at + found) else {
                return Err(self.mistake("this quote is never closed"));
            };
            if quote > CELL_BYTES_MAX {
                return Err(self.mistake("this cell is too long; is its closing quote missing?"));
            }
            if !body[quote + 1..].starts_with('"') {
                break quote;
            }
            doubled = true;
            at = quote + 2;
        };
        let cell = &body[..end];
        self.advance(end + 2);
        Ok(if doubled { Cow::Owned(cell.replace("\"\"", "\"")) } else { Cow::Borrowed(cell) })
    }

    fn eat(&mut self, expected: &str) -> bool {
        let there = self.rest.starts_with(expected);
        if there {
            self.advance(expected.len());
        }
        there
    }

    fn advance(&mut self, bytes: usize) {
        let (eaten, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        match eaten.rfind('\n') {
            None => self.column += eaten.chars().count(),
            Some(last) => {
                self.line += eaten.matches('\n').count();
                self.column = eaten[last + 1..].chars().count() + 1;
            }
        }
    }

    /// Names a mistake here, and goes on at the next line.
    fn mistake(&mut self, why: &str) -> Mistake {
        let mistake = Mistake { line: self.line, column: self.column, why: why.into() };
        let end = self.rest.find('\n').map_or(self.rest.len(), |end| end + 1);
        self.advance(end);
        mistake
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<Vec<Cell<'a>>, Mistake>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.rest.is_empty() {
                true => return None,
                // An empty line is no row.
                false if self.eat("\r\n") || self.eat("\n") => {}
                false => return Some(self.row()),
            }
        }
    }
}

/// Writes a cell: one that a spreadsheet would run as a formula gets an apostrophe before it, which [`plain`] takes off
/// again. Cites: OWASP, CSV injection.
pub(super) fn cell(value: &str) -> String {
    let guarded: Cow<'_, str> = if value.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{value}").into()
    } else {
        value.into()
    };
    match guarded.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", guarded.replace('"', "\"\"")),
        false => guarded.into_owned(),
    }
}

/// Takes off the apostrophe that guards a cell against being run as a formula, and the space around.
pub(super) fn plain(value: &str) -> &str {
    let value = value.trim();
    match value.strip_prefix('\'') {
        Some(inner) if inner.starts_with(['=', '+', '-', '@']) => inner,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&[&str]]) {
        let rows: Result<Vec<Vec<String>>, _> = Rows::new(text)
            .map(|row| row.map(|r| r.into_iter().map(|c| c.value.into_owned()).collect()))
            .collect();
        assert_eq!(rows.unwrap(), expected, "{text:?}");
    }

    fn check_mistake(text: &str, line: usize, column: usize, word: &str) {
        let mistake = Rows::new(text).find_map(Result::err).unwrap();
        assert_eq!((mistake.line, mistake.column), (line, column), "{mistake}");
        assert!(mistake.why.contains(word), "{mistake}");
    }

    #[test]
    fn rows_are_read_as_spreadsheets_write_them() {
        check("", &[]);
        check("a,b\n1,2", &[&["a", "b"], &["1", "2"]]);
        check("\u{feff}a,b\r\n\r\n1,\r\n", &[&["a", "b"], &["1", ""]]);
        check(
            "\"a,b\",\"say \"\"yes\"\"\"\n\"two\nlines\",x\n",
            &[&["a,b", "say \"yes\""], &["two\nlines", "x"]],
        );
        check("أمل,شرق\n", &[&["أمل", "شرق"]]);
        check(
            "\u{feff}id;name\r\nc-1;\"a;b\"\r\n2,5;\r\n",
            &[&["id", "name"], &["c-1", "a;b"], &["2,5", ""]],
        );
        check("sep=;\r\nid\r\nc-1\r\n", &[&["id"], &["c-1"]]);
        check("sep=,\nid,audiences\nc-1,a;b\n", &[&["id", "audiences"], &["c-1", "a;b"]]);
    }

    #[test]
    fn a_mistake_is_shown_where_it_is() {
        check_mistake("a,b\n1,x\"y\n", 2, 4, "inside a cell");
        check_mistake("a\n\"x\"y\n", 2, 4, "after the closing quote");
        check_mistake("a\nأمل,\"x", 2, 5, "never closed");
        let rows: Vec<_> = Rows::new("a\nx\"y\nb\n").collect();
        assert!(rows.len() == 3 && rows[1].is_err() && rows[2].is_ok(), "it goes on at the next line");
        let places: Vec<_> =
            Rows::new("\"x\ny\",z\nw\n").flatten().flatten().map(|c| (c.line, c.column)).collect();
        assert_eq!(places, [(1, 1), (2, 4), (3, 1)]);
    }

    #[test]
    fn a_cell_that_could_be_a_formula_is_guarded_and_comes_back() {
        for value in ["=1+1", "+970599000001", "-1", "@x", "plain", "a,b", "say \"x\""] {
            let text = format!("{}\n", cell(value));
            let row = Rows::new(&text).next().unwrap().unwrap();
            assert_eq!(plain(&row[0].value), value);
        }
        assert_eq!(cell("+970599000001"), "'+970599000001");
        assert_eq!(plain("'tis"), "'tis");
    }
}
