//! `severity = ["extreme", "severe"]`: how grave the message is.

use super::{Kind, asks, has, words};
use crate::core::message::Severity;
use crate::core::policy::{Criterion, Subject};
use crate::diag::{Diagnostics, Table};

pub(super) const KIND: Kind = Kind {
    key: KEY,
    about: "How grave the message is.",
    example: r#"severity = ["extreme", "severe"]"#,
    parse,
};
const KEY: &str = "severity";

#[derive(Debug)]
struct Is(Vec<Severity>);

fn parse(when: &mut Table, diags: &mut Diagnostics) -> Option<Box<dyn Criterion>> {
    let known: Vec<_> = Severity::ALL.iter().map(|word| (word.name(), *word)).collect();
    words(when, KEY, &known, diags).map(|words| Box::new(Is(words)) as Box<dyn Criterion>)
}

impl Criterion for Is {
    fn key(&self) -> &'static str {
        KEY
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        self.0.contains(&subject.severity)
    }

    fn explain(&self) -> String {
        asks(KEY, self.0.iter().map(|word| word.name()))
    }

    fn found(&self, subject: &Subject<'_>) -> String {
        has(KEY, Some(subject.severity.name()))
    }
}
