//! `audience = ["residents"]`: an audience that the recipient belongs to, or that the sender named.

use super::{Kind, either, names};
use crate::core::policy::{Criterion, Subject};
use crate::diag::{Diagnostics, Table};

pub(super) const KIND: Kind = Kind {
    key: KEY,
    about: "An audience that the recipient belongs to, or that the sender named.",
    example: r#"audience = ["residents", "duty-desk"]"#,
    parse,
};
const KEY: &str = "audience";
/// How many of a recipient's audiences are named in an explanation.
const SHOWN_MAX: usize = 5;

#[derive(Debug)]
struct Has(Vec<String>);

fn parse(when: &mut Table, diags: &mut Diagnostics) -> Option<Box<dyn Criterion>> {
    let names = names(when, KEY, diags)?.into_iter().map(|name| name.value).collect();
    Some(Box::new(Has(names)))
}

impl Criterion for Has {
    fn key(&self) -> &'static str {
        KEY
    }

    fn matches(&self, subject: &Subject<'_>) -> bool {
        subject.audiences.iter().any(|audience| self.0.contains(audience))
    }

    fn explain(&self) -> String {
        format!("the audiences hold {}", either(self.0.iter().map(String::as_str)))
    }

    fn found(&self, subject: &Subject<'_>) -> String {
        let shown: Vec<_> = subject.audiences.iter().take(SHOWN_MAX).map(String::as_str).collect();
        match subject.audiences.len() {
            0 => "there are no audiences".to_owned(),
            n if n > SHOWN_MAX => format!("they are {} and {} more", shown.join(", "), n - SHOWN_MAX),
            _ => format!("they are {}", shown.join(", ")),
        }
    }
}
