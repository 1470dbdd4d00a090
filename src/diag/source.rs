//! A file's text and places in it.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::nearest::resembles;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The largest file that is read. A policy of 1,000 rules is about a quarter of it.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Words in a key that make its literal a secret to be masked wherever its line is shown; misspelt ones too.
const SECRET_WORDS: [&str; 10] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "credentials",
    "bearer",
    "apikey",
    "authorization",
];
/// Short words that count only if they stand exactly so between the underscores of a key.
const SECRET_PARTS: [&str; 4] = ["pin", "auth", "pwd", "pass"];

/// The key whose URL may be a secret from its path on: whoever knows a webhook's may call it. So may one that ends so.
const SECRET_URL: &str = "url";
/// Keys that end so and hold no secret.
const OPEN_URLS: [&str; 2] = ["base_url", "public_url"];

/// A file's name, as the user wrote it, and its text.
#[derive(Debug)]
pub struct Source {
    name: String,
    text: String,
    /// The byte at which each line starts.
    lines: Vec<usize>,
}

/// A range of bytes in a file.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// The bytes.
    pub span: Range<usize>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// A line and a column, both from 1; the column counts characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

// === impl Source ===

impl Source {
    /// Keeps a text under a name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Arc::new(Source { name: name.into(), text, lines })
    }

    /// Reads a file; a missing, unreadable, too large or not UTF-8 one is an error in `diags`.
    pub fn read(path: &Path, diags: &mut Diagnostics) -> Option<Arc<Source>> {
        let name = path.display().to_string();
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        let problem = match read {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && name.ends_with("wasl.toml") => {
                Diagnostic::error("unreadable-file", format!("there is no `{name}`"))
                    .help("go to the folder of your wasl.toml, or say where it is: `--config PATH/wasl.toml`")
            }
            Err(error) => Diagnostic::error("unreadable-file", format!("cannot read `{name}`: {error}"))
                .help("check the path and the permissions of the user that runs Wasl"),
            Ok(_) if bytes.len() as u64 > FILE_BYTES_MAX => {
                Diagnostic::error("file-too-large", format!("`{name}` is larger than {FILE_BYTES_MAX} bytes"))
                    .help("split it into several files")
            }
            Ok(_) => match String::from_utf8(bytes) {
                Ok(text) => return Some(Source::new(name, text)),
                Err(error) => Diagnostic::error(
                    "not-utf8",
                    format!("`{name}` is not UTF-8 from byte {}", error.utf8_error().valid_up_to()),
                )
                .help("save it as UTF-8 in the editor"),
            },
        };
        diags.push(problem.in_file(name));
        None
    }

    /// Returns the file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the whole text, secrets included: never print it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns where a byte stands. A byte inside a character counts as its start.
    pub fn position(&self, byte: usize) -> Position {
        let byte = self.floor(byte);
        let line = self.lines.partition_point(|start| *start <= byte).max(1);
        let start = self.lines[line - 1];
        Position { line, column: self.text[start..byte].chars().count() + 1 }
    }

    /// Returns the bytes of a line, counted from 1, without its end.
    pub(super) fn line(&self, line: usize) -> Range<usize> {
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let end = self.lines.get(line).map_or(self.text.len(), |next| next - 1);
        let end = if self.text[start..end].ends_with('\r') { end - 1 } else { end };
        start..end
    }

    /// Returns the nearest start of a character at or before `byte`.
    pub(super) fn floor(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }

    /// Says whether a line goes on with a secret that a key above it began: after a bare `=`, or within three quotes.
    fn goes_on(&self, start: usize, text: &str) -> bool {
        let above = &self.text[..start];
        if let Some(before) = above.trim_end().strip_suffix(['=', ':', '[', '{']) {
            let key = last_key(before.trim_end().trim_end_matches(['=', ':']));
            let pair = text.split_once('=').is_some_and(|(key, _)| is_bare(key.trim()));
            if (holds_secret(&key) || holds_secret_url(&key)) && !pair {
                return true;
            }
        }
        let (mut at, mut inside) = (0, false);
        while let Some((open, quotes)) = next_of_three(above, at) {
            let line = above[..open].rsplit('\n').next().unwrap_or("");
            let key = last_key(line.trim_end().trim_end_matches('='));
            match above[open + 3..].find(quotes) {
                Some(close) => at = open + 3 + close + 3,
                None => {
                    inside = holds_secret(&key) || holds_secret_url(&key);
                    break;
                }
            }
        }
        inside
    }

    /// Returns what must not be shown of a line, in order and apart: the value of each key on it that looks like a
    /// secret's, unless it only says where the secret is (`{ env = .. }`, `{ file = .. }`), and of a secret URL all but its
    /// host. Works on text, so on broken TOML too: a value may come after a colon or a space, or begin on a line above.
    pub(super) fn secrets_on(&self, line: Range<usize>) -> Vec<Range<usize>> {
        let text = &self.text[line.clone()];
        let mut hidden = Vec::new();
        if self.goes_on(line.start, text) {
            hidden.push(0..text.len());
        }
        hidden.extend(without_equals(text));
        // Where the first secret URL may begin: all that look like one from here on are taken for one.
        let mut urls_from = holds_secret_url(first_key(text)).then_some(0);
        let mut from = 0;
        while let Some(equals) = text[from..].find('=').map(|at| from + at) {
            let keys = dotted_key(&text[from..equals]);
            let value = equals + 1 + text[equals + 1..].len() - text[equals + 1..].trim_start().len();
            from = equals + 1;
            let is_url = keys.iter().any(|key| holds_secret_url(key));
            if is_url {
                urls_from.get_or_insert(equals);
            }
            let is_place = keys.len() > 1 && keys.last().is_some_and(|key| matches!(*key, "env" | "file"));
            if is_place || names_a_place(&text[value..]) {
                continue;
            }
            let end = end_of_value(text, value);
            if keys.iter().any(|key| holds_secret(key)) {
                hidden.push(value..end);
                from = end;
            } else if is_url {
                // What follows is looked at all the same: a quote that is missing makes the value end anywhere.
                hidden.extend(secrets_of_a_url(text, value..end));
            }
        }
        hidden.extend(secrets_of_urls(text, urls_from.unwrap_or(text.len())));
        apart(hidden).into_iter().map(|span| line.start + span.start..line.start + span.end).collect()
    }
}

/// Puts spans in order and makes one of those that overlap.
fn apart(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_by_key(|span| span.start);
    let mut apart: Vec<Range<usize>> = Vec::new();
    for span in spans {
        match apart.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => apart.push(span),
        }
    }
    apart
}

/// Returns what must not be shown of whatever looks like a URL on a line: who logs in, a Telegram bot's token in the path,
/// and from a place on, where they may be secret, all but the hosts.
fn secrets_of_urls(text: &str, secret_from: usize) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    for (at, mark) in text.match_indices("://") {
        let start = at + mark.len();
        let url = &text[start..];
        let url =
            &url[..url.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).unwrap_or(url.len())];
        // A password may hold a slash, though it should not.
        if let Some(end) = url.rfind('@') {
            hidden.push(start..start + end);
        }
        if at >= secret_from {
            hidden.extend(secrets_of_a_url(text, at..start + url.len()));
            continue;
        }
        let token = url.match_indices("/bot").map(|(at, mark)| at + mark.len());
        for token in token.filter(|token| url[*token..].starts_with(|c: char| c.is_ascii_digit())) {
            let end = url[token..].find('/').map_or(url.len(), |end| token + end);
            hidden.push(start + token..start + end);
        }
    }
    hidden
}

/// Returns what must not be shown of a value that may be a secret URL: all from the path on, from the host on where
/// somebody logs in, and everything where nobody can say where the host is. A probe's placeholders hold no value.
fn secrets_of_a_url(text: &str, value: Range<usize>) -> Vec<Range<usize>> {
    let literal = &text[value.clone()];
    let inside = literal.trim_matches(['"', '\'']);
    let start = value.start + literal.len() - literal.trim_start_matches(['"', '\'']).len();
    let shown = inside.find("://").map_or(0, |mark| {
        let host = mark + "://".len();
        let path = || inside[host..].find(['/', '\\', '?', '#']).map_or(inside.len(), |path| host + path);
        if inside[host..].contains('@') { host } else { path() }
    });
    let mut hidden = besides_placeholders(text, start + shown..start + inside.len());
    hidden.retain(|span| text[span.clone()].contains(char::is_alphanumeric));
    hidden
}

/// Returns what of a span is no placeholder such as `{account}`.
fn besides_placeholders(text: &str, span: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut from, mut at) = (span.start, span.start);
    while let Some(open) = text[at..span.end].find('{').map(|open| at + open) {
        at = open + 1;
        let after = text[at..span.end]
            .trim_start_matches(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let close = span.end - after.len();
        if close > at && after.starts_with('}') {
            found.push(from..open);
            (from, at) = (close + 1, close + 1);
        }
    }
    found.push(from..span.end);
    found
}

/// Returns what must not be shown of the value of a secret's key that stands first on a line and has no `=` after it.
fn without_equals(text: &str) -> Vec<Range<usize>> {
    let indent = text.len() - text.trim_start().len();
    let bare = text[indent..].trim_start_matches(['"', '\'']);
    let key_at = text.len() - bare.len();
    let key = first_key(bare);
    let rest = bare[key.len()..].trim_start_matches(['"', '\'']);
    let said = rest.trim_start();
    if said.is_empty() || said.starts_with(['=', ']', '.', '#']) {
        return Vec::new();
    }
    let value = key_at + bare.len() - rest.len()..text.len();
    if holds_secret(key) {
        vec![value]
    } else if holds_secret_url(key) {
        secrets_of_a_url(text, value)
    } else {
        Vec::new()
    }
}

/// Says whether a key's literal must be masked.
pub fn holds_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let parts: Vec<&str> = key.split(['_', '-']).collect();
    let exact = |part: &&str| SECRET_PARTS.contains(part);
    SECRET_WORDS.iter().any(|word| key.contains(word))
        || parts.iter().any(|part| exact(part) || resembles(part, SECRET_WORDS))
        || (parts.len() > 1 && parts.last() == Some(&"key"))
}

/// Says whether a key's literal is a URL of which no more than the host may be seen; misspelt too.
pub(super) fn holds_secret_url(key: &str) -> bool {
    let is_url = |word: &str| resembles(word, [SECRET_URL]);
    is_url(key) || (!resembles(key, OPEN_URLS) && key.rsplit(['_', '-']).next().is_some_and(is_url))
}

/// Returns the key that a line begins with.
fn first_key(text: &str) -> &str {
    let key = text.trim_start().trim_start_matches(['"', '\'']);
    key.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().unwrap_or("")
}

/// Says whether a text is a key as it stands, without quotes.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// Returns where the next three quotes stand, and which.
fn next_of_three(text: &str, from: usize) -> Option<(usize, &'static str)> {
    let found = ["\"\"\"", "'''"].map(|quotes| text[from..].find(quotes).map(|at| (from + at, quotes)));
    found.into_iter().flatten().min()
}

/// Returns the key that ends a text such as `tls = { cert = "..", api_key `.
fn last_key(text: &str) -> String {
    let key = text.trim_end().trim_end_matches(['"', '\'']);
    key.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().unwrap_or("").to_owned()
}

/// Returns the parts of the key that ends a text such as `tls.cert = "..", hook.url `.
fn dotted_key(text: &str) -> Vec<&str> {
    let text = text.trim_end();
    let is_key = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'');
    let key = &text[text.trim_end_matches(is_key).len()..];
    key.split('.').map(|part| part.trim_matches(['"', '\''])).collect()
}

/// Says whether a value is `{ env = ..` or `{ file = ..`.
fn names_a_place(value: &str) -> bool {
    value
        .strip_prefix('{')
        .map(str::trim_start)
        .is_some_and(|inside| inside.is_empty() || inside.starts_with("env") || inside.starts_with("file"))
}

/// Returns where a value ends: a string at its closing quote, everything else at the end of the line.
fn end_of_value(text: &str, value: usize) -> usize {
    let quote = match text[value..].chars().next() {
        Some(quote @ ('"' | '\'')) if !text[value..].starts_with(&quote.to_string().repeat(3)) => quote,
        _ => return text.len(),
    };
    let mut escaped = false;
    for (at, c) in text[value + 1..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return value + 1 + at + 1,
            _ => {}
        }
    }
    text.len()
}

// === impl Place ===

impl Place {
    /// Returns where it starts.
    pub fn start(&self) -> Position {
        self.source.position(self.span.start)
    }

    /// Returns where it ends.
    pub fn end(&self) -> Position {
        self.source.position(self.span.end)
    }
}

// === impl Spanned ===

impl<T> Spanned<T> {
    /// Changes the value and keeps the place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), place: self.place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_becomes_a_line_and_a_column_in_characters() {
        let source = Source::new("x", "a = 1\r\nاسم = \"ب\"\n\tz");
        let check = |byte, line, column| assert_eq!(source.position(byte), Position { line, column });
        check(0, 1, 1);
        check(7, 2, 1);
        check(9, 2, 2);
        check(10, 2, 2);
        check(13, 2, 4);
        check(source.text().len(), 3, 3);
        check(9_999, 3, 3);
        assert_eq!(&source.text()[source.line(1)], "a = 1");
        assert_eq!(source.line(99), source.text().len()..source.text().len());
    }

    #[test]
    fn the_literal_of_a_secret_is_found_on_any_line() {
        let check = |line: &str, hidden: &[&str]| {
            let source = Source::new("x", line);
            let found: Vec<_> =
                source.secrets_on(0..line.len()).into_iter().map(|span| &source.text()[span]).collect();
            assert_eq!(found, hidden, "{line}");
        };
        check(r#"access_token = "EAAG""#, &[r#""EAAG""#]);
        check(r#"acess_token="EA\"AG" # x"#, &[r#""EA\"AG""#]);
        check(r#"access_token = "EAAG"#, &[r#""EAAG"#]);
        check(r#"password = { env = "NAME" }"#, &[]);
        check(r#"a = { password = "x", secret = 'y' }"#, &[r#""x""#, "'y'"]);
        check(r#"password = """abc"#, &[r#""""abc"#]);
        check(r#"name = "tokens""#, &[]);
        check(r#"password = ["a", "b"]"#, &[r#"["a", "b"]"#]);
        check(r#"password ="#, &[""]);
        check(r#"webhook_secrt = "x""#, &[r#""x""#]);
        check(r#"acces_tokn = "x""#, &[r#""x""#]);
        check(r#"api_key = "x""#, &[r#""x""#]);
        check(r#"key = "tls.pem""#, &[]);
        check(r#"access_token: "EAAG""#, &[r#": "EAAG""#]);
        check(r#"password hunter2"#, &[" hunter2"]);
        check(r#"base_url = "https://u:pw@host/x""#, &["u:pw"]);
        check(r#"url = "htps://h/bot42:AA-_x/getMe", x"#, &["/bot42:AA-_x/getMe"]);
        check(r#"url = "https://host/bottle", mail = "a@b.c""#, &["/bottle"]);
        check(r#"base_url = "htps://h/bot42:AA-_x/getMe", x"#, &["42:AA-_x"]);
        check(r#"base_url = "https://host/bottle", mail = "a@b.c""#, &[]);
        check(r#"url = "https://hooks.example/T0/s3cret?k=1", x"#, &["/T0/s3cret?k=1"]);
        check(r#"ulr = { value = "http://h:81?k=1" }"#, &[r#"?k=1" }"#]);
        check(r#"url = "https://hooks.example/""#, &[]);
        check(r#"url = "https://h/{account}/x""#, &["/x"]);
        check(r#"url = "{base_url}/bot{bot_token}/""#, &["/bot"]);
        check(r#"url = "{url}""#, &[]);
        check(r#"url = { file = "secrets/records-url" } # of hook"#, &[]);
        check(r#"url.file = "secrets/records-url""#, &[]);
        check(r#"x = [{ url = { env = "https://h/K" }, rate = 1 }]"#, &["/K"]);
        check("url = hooks.example/in/K", &["hooks.example/in/K"]);
        check(r#"ulr = "hooks.example/in/K", x"#, &["hooks.example/in/K"]);
        check(r#"url: "hooks.example/in/K""#, &[r#": "hooks.example/in/K"#]);
        check(r#"url "https://h/in/K""#, &["/in/K"]);
        check(r#"url.value = "hooks.example/in/K""#, &["hooks.example/in/K"]);
        check(r#"bot_token.value = "42:AA""#, &[r#""42:AA""#]);
        check(r#"gateway = [{ adapter = "webhok", url = "https://h/in/K" }]"#, &["/in/K"]);
        check(r#"webhook_url = "https://h/in/K""#, &["/in/K"]);
        check(r#"url = "https://h/K?x={y}"#, &["/K?x="]);
        check(r#"url = "https://h/K?x={Y}"#, &["/K?x={Y}"]);
        check(r#"url = "https://h/{a"#, &["/{a"]);
        check(r#"url = "https://h/K EY", x"#, &["/K EY"]);
        check(r#"url = "https://u:p w@h/K""#, &["u:p w@h/K"]);
        check(r#"url = "https://h/x, secret = "S3""#, &["/x, secret = ", r#""S3""#]);
        check(r#"url = { secret = "S3", value = "https://h/K" }"#, &[r#""S3""#, r#"/K" }"#]);
        check("token", &[]);
        check("[token]", &[]);
        check("# the token is in a file", &[]);
    }

    #[test]
    fn a_secret_that_goes_on_below_its_key_is_hidden_too() {
        let check = |text: &str, line: usize, hidden: &[&str]| {
            let source = Source::new("x", text);
            let found: Vec<_> =
                source.secrets_on(source.line(line)).into_iter().map(|span| &source.text()[span]).collect();
            assert_eq!(found, hidden, "{text}");
        };
        check("password =\n  \"EAAG\"\n", 2, &["  \"EAAG\""]);
        check("url =\n  \"https://h/EAAG\"\n", 2, &["  \"https://h/EAAG\""]);
        check("password = [\n  \"EAAG\"\n", 2, &["  \"EAAG\""]);
        check("password =\nname = \"x\"\n", 2, &[]);
        check("password = \"\"\"\nEAAG\n\"\"\"\nname = \"x\"", 2, &["EAAG"]);
        check("password = \"\"\"\nEAAG\n\"\"\"\nname = \"x\"", 4, &[]);
        check("text = \"\"\"\nplain\n\"\"\"\n", 2, &[]);
    }
}
