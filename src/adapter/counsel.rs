//! What a provider says of our account with it that only a person can mend: whether templates are approved, whether it
//! calls our hook. `wasl doctor` asks; nothing is sent by it, and no decision depends on it.
//!
//! Limits: [`NAMED_MAX`] things are named in one counsel, each by [`NAME_CHARS_MAX`] letters.
//!
//! Invariant: no counsel holds a secret, an address of a person or a text, and nothing in it moves a terminal's cursor.

/// How many things are named one by one: the provider's own pages have all of them.
const NAMED_MAX: usize = 10;
/// How much is shown of a provider's word. Cites: Meta, "Templates": a name has 512 letters at most; few have forty.
const NAME_CHARS_MAX: usize = 80;

/// How it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// In order.
    Fine,
    /// The provider did not say.
    Unasked,
    /// It works now, and will hurt one day.
    Warning,
    /// It does not work.
    Fault,
}

/// One thing that the provider says of our account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counsel {
    /// What it is about: `templates`, `hooks`.
    pub about: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// What was found.
    pub what: String,
    /// What to do; empty where it is in order.
    pub remedy: String,
}

impl Counsel {
    /// It is in order.
    pub(super) fn fine(about: &'static str, what: impl Into<String>) -> Counsel {
        Counsel { about, standing: Standing::Fine, what: what.into(), remedy: String::new() }
    }

    /// The provider did not say.
    pub(super) fn unasked(
        about: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Counsel {
        Counsel { about, standing: Standing::Unasked, what: what.into(), remedy: remedy.into() }
    }

    /// It will hurt one day.
    pub(super) fn warning(
        about: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Counsel {
        Counsel { about, standing: Standing::Warning, what: what.into(), remedy: remedy.into() }
    }

    /// It does not work.
    pub(super) fn fault(about: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Counsel {
        Counsel { about, standing: Standing::Fault, what: what.into(), remedy: remedy.into() }
    }
}

/// Writes a provider's word as it may stand on a terminal: one line, without controls or marks of direction.
pub(super) fn word(text: &str) -> String {
    let shown = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(|c| shown(*c)).take(NAME_CHARS_MAX).collect()
}

/// Names the first of many, and says how many more there are.
pub(super) fn named(names: &[String]) -> String {
    let mut all = names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED_MAX {
        all += &format!(", and {} more", names.len() - NAMED_MAX);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_word_moves_nothing_and_ends() {
        assert_eq!(word("a\u{1b}[2J\n\u{202e}b"), "a[2Jb");
        assert_eq!(word(&"ن".repeat(1_000)).chars().count(), NAME_CHARS_MAX);
        let names: Vec<_> = (0..12).map(|n| n.to_string()).collect();
        assert_eq!(named(&names), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 2 more");
        assert_eq!(named(&names[..2]), "0, 1");
    }
}
