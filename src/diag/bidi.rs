//! Invisible characters that change the order in which text is read: a rule could show one thing and say another.
//!
//! Cites: CVE-2021-42574 ("Trojan Source"); Unicode UAX #9, section 2.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::source::{Place, Source};
use std::sync::Arc;

/// Says whether a character embeds, overrides or isolates a direction.
pub(super) fn reorders(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Says whether a character is an invisible mark of direction, which is honest in Arabic text and a trap in a name.
pub(super) fn marks(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}')
}

/// Reports each such character of a file.
pub(super) fn lint(source: &Arc<Source>, diags: &mut Diagnostics) {
    for (at, c) in source.text().char_indices().filter(|(_, c)| reorders(*c) || marks(*c)) {
        let place = Place { source: source.clone(), span: at..at + c.len_utf8() };
        let code = u32::from(c);
        let diagnostic = if reorders(c) {
            Diagnostic::error(
                "bidi-control",
                format!("an invisible character U+{code:04X} reorders the text"),
            )
        } else {
            Diagnostic::warning("bidi-control", format!("an invisible direction mark U+{code:04X}"))
        };
        diags.push(
            diagnostic
                .at(&place, "what is read here is not what is written")
                .help(format!("remove it, or write it as the escape `\\u{code:04X}` in a quoted string")),
        );
    }
}
