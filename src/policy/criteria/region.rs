//! `region = ["east", "الحي الشرقي"]`: the recipient's region, as written in the contacts.

use super::{Kind, asks, has, names};
use crate::core::policy::{Criterion, Subject};
use crate::diag::{Diagnostics, Table};

pub(super) const KIND: Kind = Kind {
    key: KEY,
    about: "The recipient's region, as written in the contacts.",
    example: r#"region = ["east", "الحي الشرقي"]"#,
    parse,
};
const KEY: &str = "region";

#[derive(Debug)]
struct Is(Vec<String>);

fn parse(when: &mut Table, diags: &mut Diagnostics) -> Option<Box<dyn Criterion>> {
    let names = names(when, KEY, diags)?.into_iter().map(|name| name.value).collect();
    Some(Box::new(Is(names)))
}

impl Criterion for Is {
    fn key(&self) -> &'static str {
        KEY
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        subject.region.is_some_and(|region| self.0.iter().any(|name| name == region))
    }

    fn explain(&self) -> String {
        asks(KEY, self.0.iter().map(String::as_str))
    }

    fn found(&self, subject: &Subject<'_>) -> String {
        has(KEY, subject.region)
    }
}
