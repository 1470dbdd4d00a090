//! The files that people write: whatever stands in them, reading ends, and what is wrong can be shown.

use crate::chance::{Chance, rounds};
use std::path::{Path, PathBuf};
use wasl::diag::{Diagnostics, Source};
use wasl::policy::{PolicyFiles, check};
use wasl::probe;
use wasl::settings::Settings;

/// What trips readers: quotes, brackets, escapes, numbers at the edge, marks without width, text from right to left.
const PIECES: [&str; 24] = [
    "\"",
    "'''",
    "\"\"\"",
    "[",
    "]]",
    "{",
    "}",
    "=",
    "\n",
    "\r\n",
    "\t",
    "\\u202E",
    "\u{202E}",
    "\u{200F}",
    "حَيّ",
    "é",
    "𝄞",
    "\u{1b}[31m",
    "99999999999999999999",
    "-1",
    "nan",
    "# ",
    "[[rule.step]]\n",
    "channels = [\"sms\"]\n",
];

fn texts(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(root)
        .expect("a folder of the repository")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(&path).expect("text"))).collect()
}

/// Everything that may be done with diagnostics must work, and each place must lie in its file.
fn show(diags: &Diagnostics, text: &str) {
    let shown = diags.render();
    assert!(
        !shown.contains('\u{1b}') && !shown.contains('\u{202E}'),
        "raw controls reach the terminal:\n{text}"
    );
    let lines = text.split('\n').count() as u64;
    for one in diags.to_json().as_array().expect("an array") {
        assert!(one["line"].as_u64().is_none_or(|line| (1..=lines).contains(&line)), "{one}\n{text}");
    }
    diags.render_coloured();
}

fn mutations(folder: &str, mut read: impl FnMut(&str)) {
    let mut chance = Chance::from_env();
    for (_, text) in texts(folder) {
        read(&text);
        for _ in 0..rounds() {
            read(&chance.mutate(&text, &PIECES));
        }
    }
}

#[test]
fn policies_are_read_whatever_they_say() {
    for folder in ["policies", "tests/golden/diagnostics"] {
        mutations(folder, |text| {
            let mut diags = Diagnostics::default();
            let checked = check(&PolicyFiles::from_texts([("p.toml", text)]), Some(&[]), &mut diags);
            assert_eq!(checked.is_some(), !diags.has_errors(), "{text}");
            show(&diags, text);
        });
    }
}

#[test]
fn settings_are_read_whatever_they_say() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("wasl.toml");
    for from in ["tests/support", "tests/golden/diagnostics"] {
        mutations(from, |text| {
            std::fs::write(&path, text).expect("written");
            let mut diags = Diagnostics::default();
            let settings = Settings::read(&path, &wasl::adapter::kinds(), &mut diags);
            for mut gateway in settings.into_iter().flat_map(|settings| settings.gateways) {
                gateway.rest.secret("password", &mut diags);
                gateway.rest.finish(&mut diags);
            }
            show(&diags, text);
        });
    }
}

#[test]
fn probes_are_read_whatever_they_say() {
    mutations("probes", |text| {
        let mut diags = Diagnostics::default();
        probe::parse(&Source::new("p.toml", text), &mut diags);
        show(&diags, text);
    });
}
