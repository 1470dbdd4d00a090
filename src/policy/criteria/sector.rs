//! `sector = ["health", "water"]`: the recipient's sector, else the message's tag `sector`.

use super::{Kind, asks, has, names};
use crate::core::policy::{Criterion, Subject};
use crate::diag::{Diagnostics, Table};

pub(super) const KIND: Kind = Kind {
    key: KEY,
    about: "The recipient's sector, else the message's tag `sector`.",
    example: r#"sector = ["health", "water"]"#,
    parse,
};
const KEY: &str = "sector";

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
        subject.sector.is_some_and(|sector| self.0.iter().any(|name| name == sector))
    }

    fn explain(&self) -> String {
        asks(KEY, self.0.iter().map(String::as_str))
    }

    fn found(&self, subject: &Subject<'_>) -> String {
        has(KEY, subject.sector)
    }
}
