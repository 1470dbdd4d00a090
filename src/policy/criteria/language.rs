//! `language = ["ar"]`: the recipient's language; `ar` is also met by `ar-EG`, `ar-EG` by itself alone.
//!
//! Cites: RFC 4647, section 3.3.1 (basic filtering); RFC 5646, section 2.1 (the form of a tag).

use super::{Kind, asks, has, names};
use crate::core::policy::{Criterion, Subject};
use crate::diag::{Diagnostic, Diagnostics, Table};

pub(super) const KIND: Kind = Kind {
    key: KEY,
    about: "The recipient's language; `ar` is also met by `ar-EG`.",
    example: r#"language = ["ar"]"#,
    parse,
};
const KEY: &str = "language";

#[derive(Debug)]
struct Is(Vec<String>);

fn parse(when: &mut Table, diags: &mut Diagnostics) -> Option<Box<dyn Criterion>> {
    let names = names(when, KEY, diags)?;
    for name in names.iter().filter(|name| !is_tag(&name.value)) {
        diags.push(
            Diagnostic::error("bad-value", format!("`{}` is not a language", name.value))
                .at(&name.place, "not a tag such as `ar` or `ar-EG`")
                .help("write the two-letter code: `ar`, `en`, `fr`, `uk`, `so`"),
        );
    }
    Some(Box::new(Is(names.into_iter().map(|name| name.value).collect())))
}

fn is_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let base = parts
        .next()
        .is_some_and(|base| (2..=3).contains(&base.len()) && base.bytes().all(|b| b.is_ascii_alphabetic()));
    base && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn covers(range: &str, tag: &str) -> bool {
    let head = tag.get(..range.len()).is_some_and(|head| head.eq_ignore_ascii_case(range));
    head && matches!(tag.as_bytes().get(range.len()), None | Some(b'-' | b'_'))
}

impl Criterion for Is {
    fn key(&self) -> &'static str {
        KEY
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        subject.language.is_some_and(|language| self.0.iter().any(|range| covers(range, language)))
    }

    fn explain(&self) -> String {
        asks(KEY, self.0.iter().map(String::as_str))
    }

    fn found(&self, subject: &Subject<'_>) -> String {
        has(KEY, subject.language)
    }
}
