//! What one check found, and what to do about it.
//!
//! Invariant: whatever is not in order has a remedy. No finding holds a secret, an address of a person or a text.

use crate::cli::table::{Tone, paint};
use serde_json::{Value, json};

/// How it stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Level {
    /// In order.
    Fine,
    /// It could not be looked at.
    Unasked,
    /// It works now, and will hurt one day.
    Warning,
    /// It does not work.
    Fault,
}

/// What one check found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    /// The check.
    pub(super) check: &'static str,
    /// How it stands.
    pub(super) level: Level,
    /// What was found, on what.
    pub(super) what: String,
    /// What to do; never empty where it is not in order.
    remedy: String,
}

impl Level {
    fn word(self) -> (&'static str, Tone) {
        match self {
            Level::Fine => ("ok", Tone::Good),
            Level::Unasked => ("unasked", Tone::Plain),
            Level::Warning => ("warning", Tone::Doubt),
            Level::Fault => ("fault", Tone::Bad),
        }
    }
}

impl Finding {
    /// It is in order.
    pub(super) fn fine(check: &'static str, what: impl Into<String>) -> Finding {
        Finding { check, level: Level::Fine, what: what.into(), remedy: String::new() }
    }

    /// It could not be looked at.
    pub(super) fn unasked(
        check: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding { check, level: Level::Unasked, what: what.into(), remedy: remedy.into() }
    }

    /// It will hurt one day.
    pub(super) fn warning(
        check: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding { check, level: Level::Warning, what: what.into(), remedy: remedy.into() }
    }

    /// It does not work.
    pub(super) fn fault(check: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { check, level: Level::Fault, what: what.into(), remedy: remedy.into() }
    }

    fn to_json(&self) -> Value {
        let remedy = Some(&self.remedy).filter(|remedy| !remedy.is_empty());
        json!({"check": self.check, "level": self.level.word().0, "what": self.what, "remedy": remedy})
    }
}

/// Draws the findings for people, in the order of the checks.
pub(super) fn draw(findings: &[Finding], coloured: bool) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut out = String::new();
    for Finding { check, level, what, remedy } in findings {
        let (word, tone) = level.word();
        let pad = " ".repeat(9 - word.len());
        // What goes over several lines stays in its column.
        let indent = format!("\n{}", " ".repeat(width + 11));
        let what = what.trim_end().replace('\n', &indent);
        out += &format!("{}{pad}{check:width$}  {what}\n", paint(word, tone, coloured));
        if !remedy.is_empty() {
            out += &format!("{}-> {}\n", &indent[1..], remedy.trim_end().replace('\n', &indent));
        }
    }
    let count = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let [fine, unasked, warnings, faults] =
        [Level::Fine, Level::Unasked, Level::Warning, Level::Fault].map(count);
    out + &format!("\nfaults: {faults}, warnings: {warnings}, in order: {fine}, not asked: {unasked}\n")
}

/// Writes the findings for programs.
pub(super) fn report(findings: &[Finding]) -> Value {
    let ok = findings.iter().all(|finding| finding.level < Level::Fault);
    json!({"ok": ok, "findings": findings.iter().map(Finding::to_json).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_line_and_its_remedy_stands_below_it() {
        let findings = [
            Finding::fine("clock", "it runs"),
            Finding::fault("secrets", "others may read `a`", "chmod o= a"),
        ];
        let expected = "ok       clock    it runs\n\
                        fault    secrets  others may read `a`\n                  -> chmod o= a\n\n\
                        faults: 1, warnings: 0, in order: 1, not asked: 0\n";
        assert_eq!(draw(&findings, false), expected);
        assert_eq!(report(&findings)["ok"], false);
        assert_eq!(report(&findings[..1])["findings"][0]["remedy"], Value::Null);
    }
}
