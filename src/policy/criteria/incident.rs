//! `incident = ["flood-*"]`: the incident that the message belongs to; a star at the end stands for the rest.

use super::{Kind, asks, has, names};
use crate::core::policy::{Criterion, Subject};
use crate::diag::{Diagnostic, Diagnostics, Table};

pub(super) const KIND: Kind = Kind {
    key: KEY,
    about: "The incident that the message belongs to; a star at the end stands for the rest of the name.",
    example: r#"incident = ["flood-*"]"#,
    parse,
};
const KEY: &str = "incident";

#[derive(Debug)]
struct Is(Vec<String>);

fn parse(when: &mut Table, diags: &mut Diagnostics) -> Option<Box<dyn Criterion>> {
    let names = names(when, KEY, diags)?;
    for name in names.iter().filter(|name| name.value.strip_suffix('*').unwrap_or(&name.value).contains('*'))
    {
        diags.push(
            Diagnostic::error("bad-value", format!("`{}` has a star that is not at its end", name.value))
                .at(&name.place, "a star stands for the rest of the name")
                .help("write the beginning of the name and one star: `flood-*`"),
        );
    }
    Some(Box::new(Is(names.into_iter().map(|name| name.value).collect())))
}

fn covers(pattern: &str, incident: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => incident.starts_with(beginning),
        None => incident == pattern,
    }
}

impl Criterion for Is {
    fn key(&self) -> &'static str {
        KEY
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        subject.incident.is_some_and(|incident| self.0.iter().any(|pattern| covers(pattern, incident)))
    }

    fn explain(&self) -> String {
        asks(KEY, self.0.iter().map(String::as_str))
    }

    fn found(&self, subject: &Subject<'_>) -> String {
        has(KEY, subject.incident)
    }
}
