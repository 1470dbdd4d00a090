//! `urgency = ["immediate"]`: how soon to act.

use super::{Kind, asks, has, words};
use crate::core::message::Urgency;
use crate::core::policy::{Criterion, Subject};
use crate::diag::{Diagnostics, Table};

pub(super) const KIND: Kind =
    Kind { key: KEY, about: "How soon to act.", example: r#"urgency = ["immediate"]"#, parse };
const KEY: &str = "urgency";

#[derive(Debug)]
struct Is(Vec<Urgency>);

fn parse(when: &mut Table, diags: &mut Diagnostics) -> Option<Box<dyn Criterion>> {
    let known: Vec<_> = Urgency::ALL.iter().map(|word| (word.name(), *word)).collect();
    words(when, KEY, &known, diags).map(|words| Box::new(Is(words)) as Box<dyn Criterion>)
}

impl Criterion for Is {
    fn key(&self) -> &'static str {
        KEY
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        self.0.contains(&subject.urgency)
    }

    fn explain(&self) -> String {
        asks(KEY, self.0.iter().map(|word| word.name()))
    }

    fn found(&self, subject: &Subject<'_>) -> String {
        has(KEY, Some(subject.urgency.name()))
    }
}
