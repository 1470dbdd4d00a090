//! The house keeps its rules: who may import whom, and what may not be written. These read the sources as text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which first words may follow `use crate::` in each room; `*` is everything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("core", &["core"]),
    ("diag", &["diag", "core"]),
    ("settings", &["settings", "diag", "core"]),
    ("policy", &["policy", "diag", "core"]),
    ("probe", &["probe", "diag", "settings", "core"]),
    ("adapter", &["adapter", "diag", "settings", "core"]),
    ("store", &["store", "core"]),
    ("emulator", &["emulator"]),
    ("sim", &["sim", "core", "policy", "store"]),
    ("telemetry", &["telemetry", "core"]),
    ("web", &["web", "api", "core", "telemetry"]),
    ("api", &["api", "web", "adapter", "core", "diag", "settings", "telemetry"]),
    ("demo", &["*"]),
    ("runtime", &["*"]),
    ("cli", &["*"]),
];

/// Outside crates and parts of std that the core may never name.
const NEVER_IN_CORE: &[&str] = &[
    "tokio",
    "hyper",
    "axum",
    "sled",
    "redb",
    "serde",
    "toml",
    "ring",
    "tracing",
    "std::net",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "std::time::Instant",
    "std::time::SystemTime",
    "HashMap",
    "HashSet",
];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    all_below("src")
}

/// Reads every source below a folder of the package, each with its name from there.
fn all_below(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    paths.iter().map(read).collect()
}

/// Finds what a file imports against the rules. Pure, so that the rules themselves can be tested.
fn trespasses(name: &str, text: &str) -> Vec<String> {
    let room = name.split(['/', '.']).next().unwrap_or_default();
    let Some((_, may)) = MAY_IMPORT.iter().find(|(r, _)| *r == room) else { return Vec::new() };
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        let place = format!("src/{name}:{}", number + 1);
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            let first: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let known = MAY_IMPORT.iter().any(|(r, _)| *r == first);
            if known && !may.contains(&"*") && !may.contains(&first.as_str()) {
                found.push(format!("{place}: `{room}` may not import `{first}`"));
            }
        }
        if room == "core" && code.starts_with("use ") {
            for word in NEVER_IN_CORE.iter().filter(|word| code.contains(**word)) {
                found.push(format!("{place}: the core is pure and may not import `{word}`"));
            }
        }
    }
    found
}

#[test]
fn rooms_import_only_what_they_may() {
    let found: Vec<String> = all_sources().iter().flat_map(|(name, text)| trespasses(name, text)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_planted_import_is_found() {
    assert_eq!(trespasses("core/deliver.rs", "use tokio::sync::mpsc;").len(), 1);
    assert_eq!(trespasses("core/mod.rs", "use crate::store::outbox;").len(), 1);
    assert_eq!(trespasses("emulator/smtp.rs", "use crate::adapter::Adapter;").len(), 1);
    assert_eq!(trespasses("adapter/http.rs", "let x = crate::runtime::turn::MAX;").len(), 1);
    assert!(trespasses("core/mod.rs", "use std::collections::BTreeMap;\n// use tokio").is_empty());
}

#[test]
fn every_room_has_its_rule() {
    let rooms: BTreeMap<String, ()> = all_sources()
        .iter()
        .filter_map(|(name, _)| name.split_once('/').map(|(room, _)| (room.to_owned(), ())))
        .collect();
    let without: Vec<&String> = rooms.keys().filter(|r| !MAY_IMPORT.iter().any(|(m, _)| m == r)).collect();
    assert!(without.is_empty(), "say in MAY_IMPORT who these may import: {without:?}");
}

/// A file longer than this has two nouns in it, or its tests belong into a file beside it.
const LINES_MAX: usize = 600;

#[test]
fn no_file_is_longer_than_a_reader_bears() {
    let mut found = Vec::new();
    for folder in ["src", "tests"] {
        for (name, text) in all_below(folder) {
            let lines = text.lines().count();
            if lines > LINES_MAX {
                found.push(format!("{folder}/{name}: {lines} lines, of {LINES_MAX}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_leftovers_and_no_long_lines() {
    // Spelled in pieces, so that this file does not find itself.
    let banned = [
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("dbg", "!("),
    ];
    let mut found = Vec::new();
    for (name, text) in all_sources() {
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = banned.iter().find(|word| line.contains(**word)) {
                found.push(format!("src/{name}:{}: {word}", number + 1));
            }
            // The formatter breaks code, but not a text or a table of them.
            if line.chars().count() > 140 && !line.contains('"') {
                found.push(format!("src/{name}:{}: longer than 140 characters", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
