//! `status = ["actual"]`: whether it is meant, or an exercise or a test.

use super::{Kind, asks, has, words};
use crate::core::message::Status;
use crate::core::policy::{Criterion, Subject};
use crate::diag::{Diagnostics, Table};

pub(super) const KIND: Kind = Kind {
    key: KEY,
    about: "Whether it is meant, or an exercise or a test.",
    example: r#"status = ["actual"]"#,
    parse,
};
const KEY: &str = "status";

#[derive(Debug)]
struct Is(Vec<Status>);

fn parse(when: &mut Table, diags: &mut Diagnostics) -> Option<Box<dyn Criterion>> {
    let known: Vec<_> = Status::ALL.iter().map(|word| (word.name(), *word)).collect();
    words(when, KEY, &known, diags).map(|words| Box::new(Is(words)) as Box<dyn Criterion>)
}

impl Criterion for Is {
    fn key(&self) -> &'static str {
        KEY
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        self.0.contains(&subject.status)
    }

    fn explain(&self) -> String {
        asks(KEY, self.0.iter().map(|word| word.name()))
    }

    fn found(&self, subject: &Subject<'_>) -> String {
        has(KEY, Some(subject.status.name()))
    }
}
