//! XML from outside, made safe before it is understood: its encoding, its size in every direction, no DTD, no entities. An alert
//! as CAP and a provider's RSS are read by this alone.
//!
//! Limits: [`DEPTH_MAX`], [`ELEMENTS_MAX`], [`ATTRIBUTES_MAX`]; the body's length is the caller's. They are held to on the raw
//! text, before the parser sees it: no document can make it build more than they allow, or compare each attribute with
//! too many others.

use roxmltree::{Document, Error, ParsingOptions, TextPos};

/// How deep elements may lie in each other: CAP itself needs five, a signature in it about eight.
const DEPTH_MAX: usize = 16;
/// How many elements a document may have: an alert for every district of a large country, in four languages.
const ELEMENTS_MAX: usize = 50_000;
/// How many attributes one element may have: CAP has none, a signature's elements four.
const ATTRIBUTES_MAX: usize = 32;

/// Why a document cannot be read, and where. Nothing that stands in it is repeated.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}, column {column}: {why}")]
pub(crate) struct Unreadable {
    /// What is wrong, and what to do.
    pub(crate) why: String,
    /// The line, from 1.
    pub(crate) line: u32,
    /// The column in characters, from 1.
    pub(crate) column: u32,
}

/// Reads bytes as UTF-8, the one encoding that is taken.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Unreadable> {
    if matches!(bytes, [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, ..] | [_, 0, ..]) {
        return Err(unreadable("this is UTF-16 or UTF-32; send the document as UTF-8", 1, 1));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let sound = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            let (line, column) = place(sound, sound.len());
            return Err(unreadable("this is not UTF-8; send the document as UTF-8", line, column));
        }
    };
    match encoding(text) {
        Some(name) if !["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known)) => {
            Err(unreadable(
                "the document declares another encoding; convert it to UTF-8 and declare that",
                1,
                1,
            ))
        }
        _ => Ok(text),
    }
}

/// Returns the encoding that the XML declaration names.
fn encoding(text: &str) -> Option<&str> {
    let declaration = text.strip_prefix("<?xml")?.split("?>").next()?;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split(quote).next()
}

/// Parses a text that keeps to the limits.
pub(crate) fn document(text: &str) -> Result<Document<'_>, Unreadable> {
    if let Err((at, why)) = look_over(text) {
        let (line, column) = place(text, at);
        return Err(unreadable(&why, line, column));
    }
    let options = ParsingOptions { allow_dtd: false, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| {
        let TextPos { row, col } = match error {
            // These have no place of their own: it is where the text ends.
            Error::UnclosedRootNode | Error::UnexpectedEndOfStream | Error::NoRootNode => {
                let (row, col) = place(text, text.len());
                TextPos { row, col }
            }
            _ => error.pos(),
        };
        unreadable(in_words(&error), row, col)
    })
}

/// Walks over the text once, without understanding it, and finds what no alert has.
fn look_over(text: &str) -> Result<(), (usize, String)> {
    let (mut at, mut depth, mut elements) = (0, 0_usize, 0);
    while let Some(found) = text[at..].find('<') {
        let open = at + found;
        let rest = &text[open..];
        // The end is looked for after the opening, never within it: in `<!-->` no comment ends, so what follows is a comment.
        let past = |begin: &str, end: &str| {
            let place = rest.strip_prefix(begin)?.find(end)?;
            Some(open + begin.len() + place + end.len())
        };
        let next = if rest.starts_with("<!--") {
            past("<!--", "-->")
        } else if rest.starts_with("<![CDATA[") {
            past("<![CDATA[", "]]>")
        } else if rest.starts_with("<?") {
            past("<?", "?>")
        } else if rest.starts_with("<!") {
            let why = "a document type declaration (DTD) is not taken, nor entities of one; leave it out";
            return Err((open, why.into()));
        } else if rest.starts_with("</") {
            depth = depth.saturating_sub(1);
            past("</", ">")
        } else {
            (elements, depth) = (elements + 1, depth + 1);
            let (end, attributes, closes) = tag(text, open + 1);
            let too_many = [
                (elements > ELEMENTS_MAX, ELEMENTS_MAX, "elements in a document"),
                (depth > DEPTH_MAX, DEPTH_MAX, "elements in each other"),
                (attributes > ATTRIBUTES_MAX, ATTRIBUTES_MAX, "attributes on an element"),
            ];
            if let Some((_, most, what)) = too_many.iter().find(|(over, ..)| *over) {
                return Err((open, format!("at most {most} {what} are taken; send less at once")));
            }
            depth -= usize::from(closes);
            end
        };
        // What does not end is the parser's to tell.
        let Some(next) = next else { return Ok(()) };
        at = next;
    }
    Ok(())
}

/// Walks over a tag: where it ends, how many attributes it has, whether it closes itself.
fn tag(text: &str, from: usize) -> (Option<usize>, usize, bool) {
    let (mut quote, mut attributes, mut before) = (None, 0, b' ');
    for (at, byte) in text.as_bytes()[from..].iter().copied().enumerate() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => attributes += 1,
            (None, b'>') => return (Some(from + at + 1), attributes, before == b'/'),
            (None, _) => {}
        }
        before = byte;
    }
    (None, attributes, false)
}

/// Returns the line and the column of a byte, both from 1; the column counts characters.
fn place(text: &str, byte: usize) -> (u32, u32) {
    let before = &text[..byte];
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let count = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
    (count(before.matches('\n').count()), count(before[start..].chars().count()))
}

/// Says a parser's error without anything that stands in the document.
fn in_words(error: &Error) -> &'static str {
    match error {
        Error::UnknownEntityReference(..) => {
            "only &amp; &lt; &gt; &quot; &apos; and numbers stand for characters; write the character itself"
        }
        Error::MalformedEntityReference(_) => "an & begins a name that does not end; write it as &amp;",
        Error::UnexpectedCloseTag(..) => "the end of another element than the one that was begun last",
        Error::UnclosedRootNode | Error::UnexpectedEndOfStream => {
            "the document ends in the middle; send all of it"
        }
        Error::NoRootNode => "there is no element in it; send one <alert>",
        Error::UnknownNamespace(..) => "a prefix that is not declared; declare it with xmlns",
        Error::DuplicatedAttribute(..) | Error::DuplicatedNamespace(..) => "the same attribute twice",
        Error::NonXmlChar(..) => "a character that XML does not allow; leave it out",
        Error::InvalidAttributeValue(_) => "a < in an attribute's value; write it as &lt;",
        Error::DtdDetected => "a document type declaration (DTD) is not taken; leave it out",
        _ => "this is not well-formed XML; mend it here",
    }
}

fn unreadable(why: &str, line: u32, column: u32) -> Unreadable {
    Unreadable { why: why.to_owned(), line, column }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        let read = text(bytes).and_then(|text| document(text).map(|_| ()));
        read.expect_err(&String::from_utf8_lossy(bytes)).to_string()
    }

    #[test]
    fn what_is_hostile_or_broken_is_refused_with_its_place() {
        let check = |document: &str, says: &str| {
            let detail = refused(document.as_bytes());
            assert!(detail.starts_with("line ") && detail.contains(says), "{document:.80}: {detail}");
        };
        check(
            "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY b \"c\">]>\n<a>&b;</a>",
            "line 2, column 1: a document type",
        );
        check("<a>&lol;</a>", "line 1, column 4: only &amp;");
        check("<a>fish & chips</a>", "write it as &amp;");
        check("<a><b></a></b>", "the end of another element");
        check("<a>\n<b>", "line 2, column 4: the document ends");
        check("", "there is no element");
        check("<a:b/>", "a prefix that is not declared");
        check("<a b='1' b='2'/>", "the same attribute twice");
        check("<a>\u{1}</a>", "does not allow");
        check(&"<a>".repeat(17), "at most 16 elements in each other");
        check(&format!("<a>{}</a>", "<b/>".repeat(50_000)), "at most 50000 elements");
        // What seems to end within its own opening does not, and hides nothing: neither from the parser nor from these limits.
        let many = "<b/>".repeat(50_000);
        check(&format!("<a><!--><![CDATA[-->{many}<!--]]>--></a>"), "at most 50000 elements");
        check(&format!("<a><!---><![CDATA[--->{many}<!--]]>--></a>"), "at most 50000 elements");
        check(&format!("<a><![CDATA[]]>{many}<![CDATA[]]></a>"), "at most 50000 elements");
        check(&format!("<a><?b?>{many}<?b?></a>"), "at most 50000 elements");
        check(&format!("<a><?><!--?>{many}<?-->?></a>"), "at most 50000 elements");
        let crowded: String = (0..33).map(|n| format!(" a{n}='>'")).collect();
        check(&format!("<a{crowded}/>"), "at most 32 attributes");
        check("<?xml version='1.0' encoding='windows-1256'?><a/>", "another encoding");
        assert!(refused(b"\xff\xfe<\0a\0/\0>\0").contains("UTF-16"));
        assert!(refused(b"<\0a\0/\0>\0").contains("UTF-16"));
        assert!(refused(b"<a>\xd8\xa7\n\xe3</a>").contains("line 2, column 1: this is not UTF-8"));
    }

    #[test]
    fn what_is_only_unusual_is_read() {
        let check = |bytes: &str| {
            let read = text(bytes.as_bytes()).and_then(|text| document(text).map(|_| ()));
            assert!(read.is_ok(), "{bytes}: {read:?}");
        };
        check("\u{feff}<a/>");
        check(
            "<?xml version = \"1.0\" encoding = \"utf-8\"?>\n<?xml-stylesheet href='x.xsl'?>\n<!-- don't < --><a/>",
        );
        check("<a b='a > b' c=\"it's\"><![CDATA[ </a> ]]></a>");
        check(&format!("<a>{}</a>", "====\n".repeat(100)));
    }
}
