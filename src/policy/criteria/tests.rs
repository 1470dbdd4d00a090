use super::*;
use crate::core::ids::MessageId;
use crate::core::message::{Severity, Status, Urgency};
use crate::core::policy::Subject;
use crate::diag::Source;
use std::collections::BTreeMap;

fn read(when: &str) -> (Vec<Box<dyn Criterion>>, String) {
    let mut diags = Diagnostics::default();
    let mut table = Table::parse(&Source::new("f.toml", when), &mut diags).expect("it is TOML");
    let criteria = KINDS.iter().filter_map(|kind| (kind.parse)(&mut table, &mut diags)).collect();
    table.finish(&mut diags);
    (criteria, diags.render())
}

fn with_subject<T>(ask: impl FnOnce(&Subject<'_>) -> T) -> T {
    ask(&Subject {
        message: MessageId::from_bytes([0; 16]),
        severity: Severity::Severe,
        urgency: Urgency::Immediate,
        status: Status::Actual,
        incident: Some("flood-2026-11"),
        tags: &BTreeMap::new(),
        language: Some("ar-EG"),
        region: Some("الحي الشرقي"),
        sector: None,
        audiences: &["residents".into(), "duty-desk".into()],
    })
}

#[test]
fn each_criterion_matches_and_explains_itself() {
    let check = |when: &str, expected: bool, explained: &str, found: &str| {
        let (criteria, shown) = read(when);
        assert_eq!(shown, "", "{when}");
        let criterion = &criteria[0];
        with_subject(|subject| {
            assert_eq!(criterion.matches(subject), expected, "{when}");
            assert_eq!((criterion.explain().as_str(), criterion.found(subject).as_str()), (explained, found));
        });
    };
    let severity = "severity is severe";
    check(r#"severity = ["extreme", "severe"]"#, true, "severity is extreme or severe", severity);
    check(r#"severity = ["minor"]"#, false, "severity is minor", severity);
    check(r#"urgency = ["past"]"#, false, "urgency is past", "urgency is immediate");
    check(r#"status = ["exercise", "test"]"#, false, "status is exercise or test", "status is actual");
    let audiences = "they are residents, duty-desk";
    check(r#"audience = ["residents"]"#, true, "the audiences hold residents", audiences);
    check(r#"audience = ["resident"]"#, false, "the audiences hold resident", audiences);
    check(r#"language = ["ar"]"#, true, "language is ar", "language is ar-EG");
    check(
        r#"language = ["a-b"]"#.replace("a-b", "AR-eg").as_str(),
        true,
        "language is AR-eg",
        "language is ar-EG",
    );
    check(r#"language = ["arz"]"#, false, "language is arz", "language is ar-EG");
    check(r#"region = ["الحي الشرقي"]"#, true, "region is الحي الشرقي", "region is الحي الشرقي");
    check(r#"sector = ["health"]"#, false, "sector is health", "sector is not known");
    check(r#"incident = ["flood-*"]"#, true, "incident is flood-*", "incident is flood-2026-11");
    check(r#"incident = ["flood"]"#, false, "incident is flood", "incident is flood-2026-11");
}

#[test]
fn each_example_is_read() {
    for kind in KINDS {
        let (criteria, shown) = read(kind.example);
        assert_eq!((criteria.len(), shown.as_str()), (1, ""), "{}", kind.example);
        assert_eq!(criteria[0].key(), kind.key);
        assert!(kind.about.ends_with('.'));
    }
}

#[test]
fn mistakes_are_named() {
    let check = |when: &str, expected: &str| {
        let (_, shown) = read(when);
        assert!(shown.contains(expected), "{expected}\n---\n{shown}");
    };
    check(r#"severity = ["extrem"]"#, "did you mean `extreme`?");
    check(r#"severity = []"#, "error[empty]");
    check(r#"severity = "extreme""#, "write `severity = [\"..\", \"..\"]`");
    check(r#"region = [" "]"#, "has an empty word");
    check(r#"language = ["Arabic"]"#, "`Arabic` is not a language");
    check(r#"incident = ["*-flood"]"#, "a star that is not at its end");
    check(r#"regions = ["east"]"#, "did you mean `region`?");
}
