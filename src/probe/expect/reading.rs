//! Reading what is expected out of a file, and filling its placeholders for a gateway.

use super::{Case, Conditions, Expect, Path, Scalar, Test};
use crate::core::evidence::Verdict;
use crate::core::outcome::Reason;
use crate::core::time::Span;
use crate::diag::{Loose, Place, Spanned};
use crate::probe::definition::Reader;
use crate::probe::target::{Escape, Target, Text, Unset};
use std::ops::RangeInclusive;

impl Expect<Text> {
    /// Reads `expect` and `unless`. Without a status of its own, `usual` is expected.
    pub(crate) fn parse(reader: &mut Reader<'_>, usual: RangeInclusive<u16>) -> Expect<Text> {
        let read = |reader: &mut Reader<'_>| (Conditions::parse(reader), reader.reason("otherwise"));
        let (mut fine, otherwise) = reader.table("expect", read).unwrap_or((Conditions::none(), None));
        if fine.status.is_empty() {
            fine.status.push(usual);
        }
        let unless = reader.tables("unless", |reader| {
            let conditions = Conditions::parse(reader);
            let then = then(reader)?;
            if conditions.is_empty() {
                let (place, called) = (reader.place(), reader.called().to_owned());
                reader.bad_value(&called, &place, "a condition", "add `status`, `header`, `body` or `json`");
                return None;
            }
            Some(Case { conditions, then })
        });
        Expect { fine, otherwise: otherwise.unwrap_or(Reason::Condition), unless }
    }

    /// Fills the placeholders for a gateway.
    pub(crate) fn fill(&self, target: &Target) -> Result<Expect<String>, Unset> {
        let unless = self
            .unless
            .iter()
            .map(|case| Ok(Case { conditions: case.conditions.fill(target)?, then: case.then.clone() }));
        Ok(Expect {
            fine: self.fine.fill(target)?,
            otherwise: self.otherwise,
            unless: unless.collect::<Result<_, _>>()?,
        })
    }
}

/// Reads `then` and `reason`.
fn then(reader: &mut Reader<'_>) -> Option<Verdict> {
    #[derive(Clone, Copy)]
    enum Then {
        Fine,
        Limited,
        Noted,
        Failed,
    }
    let words =
        [("fine", Then::Fine), ("limited", Then::Limited), ("noted", Then::Noted), ("failed", Then::Failed)];
    let then = reader.choice("then", &words);
    let reason = reader.reason("reason");
    let Some(then) = then else {
        reader.missing("then");
        return None;
    };
    Some(match then.value {
        Then::Fine => Verdict::Fine,
        Then::Limited => Verdict::Limited(reason.unwrap_or(Reason::Limited)),
        Then::Noted => Verdict::Noted(reason.unwrap_or(Reason::Limited)),
        Then::Failed => Verdict::Failed(reason.unwrap_or(Reason::Condition)),
    })
}

impl<T> Conditions<T> {
    fn none() -> Conditions<T> {
        Conditions { status: Vec::new(), headers: Vec::new(), body: Vec::new(), json: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.status.is_empty() && self.headers.is_empty() && !self.reads_body()
    }
}

impl Conditions<Text> {
    fn parse(reader: &mut Reader<'_>) -> Conditions<Text> {
        let status = reader.loose("status").map(|loose| statuses(reader, loose)).unwrap_or_default();
        let headers = reader.loose_map("header").into_iter();
        let headers = headers
            .map(|(name, loose)| (name.to_ascii_lowercase(), tests(reader, "header", loose)))
            .collect();
        let body = reader.loose("body").map(|loose| tests(reader, "body", loose)).unwrap_or_default();
        let json = reader.loose_map("json").into_iter();
        let json = json.map(|(path, loose)| (Path::parse(&path), tests(reader, "json", loose))).collect();
        Conditions { status, headers, body, json }
    }

    fn fill(&self, target: &Target) -> Result<Conditions<String>, Unset> {
        let all = |tests: &[Test<Text>]| tests.iter().map(|test| test.fill(target)).collect::<Result<_, _>>();
        let headers = self.headers.iter().map(|(name, tests)| Ok((name.clone(), all(tests)?)));
        let json = self.json.iter().map(|(path, tests)| Ok((path.clone(), all(tests)?)));
        Ok(Conditions {
            status: self.status.clone(),
            headers: headers.collect::<Result<_, Unset>>()?,
            body: all(&self.body)?,
            json: json.collect::<Result<_, Unset>>()?,
        })
    }
}

fn statuses(reader: &mut Reader<'_>, loose: Spanned<Loose>) -> Vec<RangeInclusive<u16>> {
    let items = match loose.value {
        Loose::Many(items) => items,
        one => vec![Spanned { value: one, place: loose.place }],
    };
    let mut ranges = Vec::new();
    for item in items {
        match status(&item.value) {
            Some(range) => ranges.push(range),
            None => {
                reader.bad_value("status", &item.place, "an HTTP status", "write 200, [200, 204] or \"2xx\"");
            }
        }
    }
    ranges
}

fn status(loose: &Loose) -> Option<RangeInclusive<u16>> {
    match loose {
        Loose::Whole(code) => {
            u16::try_from(*code).ok().filter(|c| (100..=599).contains(c)).map(|code| code..=code)
        }
        Loose::Text(text) => {
            let class: u16 = text.strip_suffix("xx")?.parse().ok().filter(|c| (1..=5).contains(c))?;
            Some(class * 100..=class * 100 + 99)
        }
        _ => None,
    }
}

/// Reads a condition: a value, a list of values, or a table of comparisons.
fn tests(reader: &mut Reader<'_>, key: &'static str, loose: Spanned<Loose>) -> Vec<Test<Text>> {
    match loose.value {
        Loose::Table(table) => {
            let place = table.place().clone();
            let called = format!("a condition in `{key}` of {}", reader.called());
            let tests = reader.inside(table, called, comparisons);
            if tests.is_empty() {
                let help = "write a value, a list, or one of `contains`, `at_least`, `at_most`, `newer`, `exists`; a \
                            longer path stands in quotes: `json.\"error.code\"`";
                reader.bad_value(key, &place, "a condition", help);
            }
            tests
        }
        Loose::Many(items) => {
            let scalars = items.into_iter().filter_map(|item| scalar(reader, key, item)).collect();
            vec![Test::OneOf(scalars)]
        }
        value => {
            let one = Spanned { value, place: loose.place };
            scalar(reader, key, one).map(|scalar| Test::OneOf(vec![scalar])).into_iter().collect()
        }
    }
}

fn comparisons(reader: &mut Reader<'_>) -> Vec<Test<Text>> {
    let known = [
        reader.text("contains").map(Test::Contains),
        reader.number("at_least").map(Test::AtLeast),
        reader.number("at_most").map(Test::AtMost),
        reader.span("newer", Span::from_secs(1), Span::from_hours(24 * 365)).map(Test::Newer),
        reader.bool("exists").map(Test::Exists),
    ];
    known.into_iter().flatten().collect()
}

fn scalar(reader: &mut Reader<'_>, key: &str, loose: Spanned<Loose>) -> Option<Scalar<Text>> {
    match loose.value {
        Loose::Text(text) => Some(Scalar::Text(Text::parse(&text))),
        Loose::Whole(number) => Some(Scalar::Number(number as f64)),
        Loose::Number(number) => Some(Scalar::Number(number)),
        Loose::Truth(truth) => Some(Scalar::Truth(truth)),
        Loose::Many(_) | Loose::Table(_) => {
            refuse(reader, key, &loose.place);
            None
        }
    }
}

fn refuse(reader: &mut Reader<'_>, key: &str, place: &Place) {
    reader.bad_value(key, place, "a value", "write a text, a number, true or false");
}

impl Test<Text> {
    fn fill(&self, target: &Target) -> Result<Test<String>, Unset> {
        Ok(match self {
            Test::OneOf(scalars) => {
                Test::OneOf(scalars.iter().map(|scalar| scalar.fill(target)).collect::<Result<_, _>>()?)
            }
            Test::Contains(text) => Test::Contains(text.fill(target, Escape::None)?),
            Test::AtLeast(number) => Test::AtLeast(*number),
            Test::AtMost(number) => Test::AtMost(*number),
            Test::Newer(span) => Test::Newer(*span),
            Test::Exists(wanted) => Test::Exists(*wanted),
        })
    }
}

impl Scalar<Text> {
    fn fill(&self, target: &Target) -> Result<Scalar<String>, Unset> {
        Ok(match self {
            Scalar::Text(text) => Scalar::Text(text.fill(target, Escape::None)?),
            Scalar::Number(number) => Scalar::Number(*number),
            Scalar::Truth(truth) => Scalar::Truth(*truth),
        })
    }
}
