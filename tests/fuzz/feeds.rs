//! What alerting systems send: whatever stands in it, reading ends, and what is wrong is said without it.

use crate::chance::{Chance, rounds};
use std::path::Path;
use wasl::api::cap;
use wasl::api::problem::Kind;
use wasl::settings::Cap;

/// What trips readers of XML: halves of marks, entities, other namespaces, controls, marks without width.
const PIECES: [&str; 24] = [
    "<",
    ">",
    "</",
    "/>",
    "&",
    "&#0;",
    "&#x41;",
    "&lt;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?",
    "?>",
    "<!DOCTYPE a [<!ENTITY b \"b\">]>",
    " xmlns=\"\"",
    " xmlns:a='urn:a' a:b='c'",
    "<info>",
    "<info><area>",
    "\"",
    "\u{202E}",
    "\u{85}",
    "حَيّ",
    "-1e999",
];

#[test]
fn alerts_are_read_whatever_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/cap");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder of the repository")
        .map(|e| e.expect("an entry").path())
        .collect();
    paths.sort();
    let (mut chance, mut taken) = (Chance::from_env(), 0);
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("text");
        cap::words_of(text.as_bytes(), &Cap::default()).unwrap_or_else(|_| panic!("{}", path.display()));
        for _ in 0..rounds() {
            let mutant = chance.mutate(&text, &PIECES);
            match cap::words_of(mutant.as_bytes(), &Cap::default()) {
                Ok(words) => {
                    taken += 1;
                    let sound = |text: &String| {
                        !text.is_empty()
                            && text.chars().all(|c| !c.is_control() || c == '\n')
                            && text.len() <= 8_192
                    };
                    assert!(words.values().all(sound), "{mutant}");
                }
                Err(problem) => {
                    assert!(
                        matches!(problem.kind(), Kind::Unreadable | Kind::UnknownKey | Kind::BadValue),
                        "{mutant}"
                    );
                    let detail = problem.detail();
                    assert!(
                        detail.starts_with("line ") && !detail.contains('\u{202E}'),
                        "{detail}\n{mutant}"
                    );
                }
            }
        }
    }
    assert!(taken > 0, "mutants that are sound are read too");
}
