//! Hearsay: what a provider's own status page says of it, and how little that weighs.
//!
//! A page is late, speaks for all of a provider's customers and is written by people, so its word never stands in for what
//! we see ourselves. A bad word is added to what our own probes and sends say, while it is fresh; a good word takes back
//! the page's own bad one and nothing else.
//!
//! Among gateways that a rule permits alike, one of which a bad word is fresh comes last: that costs nothing where the word is wrong,
//! but for the price of another gateway.
//!
//! Limits: [`MOST`] for all pages of a gateway together, [`PAGES_MAX`] pages, [`TITLE_CHARS_MAX`] characters of a title.
//!
//! Invariant: hearsay alone never brings a gateway into doubt, so it never opens an outage; it never lowers a needle.

use super::time::{Span, Timestamp};
use std::fmt;

/// As far as the words of all pages together may lean on a gateway: ten to one. Half of what brings it into doubt, so
/// without bad signs of our own nothing turns away; and less than one failed check of our own.
pub(crate) const MOST: i32 = 10_00;
/// What a provider's "major outage" weighs: it is rarely said without cause, and need not be about us.
const MAJOR: i32 = MOST;
/// What "some of it is down" weighs: four to one. Whether we are among those is not known.
const PARTIAL: i32 = 6_00;
/// What "slower than usual" weighs, and any word that is not known: two to one.
const DEGRADED: i32 = 3_00;
/// How many pages of one gateway are heard.
const PAGES_MAX: usize = 16;
/// How much of a title is kept: a line on a page.
pub const TITLE_CHARS_MAX: usize = 160;

/// What a provider says of itself, from the calmest to the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Word {
    /// All is well.
    Fine,
    /// Work on it is announced.
    Planned,
    /// Work on it is going on.
    Maintenance,
    /// It is slower or weaker than usual; also any word that is not known.
    Degraded,
    /// A part of it is down.
    Partial,
    /// It is down.
    Major,
}

/// A provider's word on itself, with the title under which it was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    word: Word,
    title: String,
}

/// The words about one gateway that still count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hearsay(Vec<Heard>);

#[derive(Clone, Debug)]
struct Heard {
    page: String,
    weight: i32,
    until: Timestamp,
}

// === impls ===

impl Word {
    /// Every word, the calmest first.
    pub const ALL: [Word; 6] =
        [Word::Fine, Word::Planned, Word::Maintenance, Word::Degraded, Word::Partial, Word::Major];

    /// Returns the word used in JSON and by the commands.
    pub const fn name(self) -> &'static str {
        match self {
            Word::Fine => "fine",
            Word::Planned => "maintenance_planned",
            Word::Maintenance => "maintenance",
            Word::Degraded => "degraded",
            Word::Partial => "partial_outage",
            Word::Major => "major_outage",
        }
    }

    /// Says whether it speaks of trouble: work on it is none, and neither is work to come.
    pub const fn is_bad(self) -> bool {
        self.weight() > 0
    }

    /// Returns what it weighs against the gateway, in hundredths of a deciban.
    const fn weight(self) -> i32 {
        match self {
            Word::Fine | Word::Planned | Word::Maintenance => 0,
            Word::Degraded => DEGRADED,
            Word::Partial => PARTIAL,
            Word::Major => MAJOR,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Told {
    /// Takes a word and a title as somebody else's page has it: what could steer a terminal or turn a line's direction is
    /// left out, and what is too long is cut.
    pub fn new(word: Word, title: &str) -> Told {
        let steers = |c: char| {
            matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
                || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        };
        let plain: String = title
            .chars()
            .filter(|c| !steers(*c))
            .map(|c| if c.is_control() { ' ' } else { c })
            // A long page is not read to its end for a line of it.
            .take(TITLE_CHARS_MAX * 4)
            .collect();
        let mut title = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = title.char_indices().nth(TITLE_CHARS_MAX) {
            title.truncate(end);
            title.pop();
            title.push('…');
        }
        Told { word, title }
    }

    /// Returns the word.
    pub fn word(&self) -> Word {
        self.word
    }

    /// Returns the title; empty where there is none.
    pub fn title(&self) -> &str {
        &self.title
    }
}

impl Hearsay {
    /// Takes a page's word, in place of the one before, until then.
    pub(crate) fn hear(&mut self, page: &str, word: Word, until: Timestamp) {
        self.0.retain(|heard| heard.page != page);
        if word.is_bad() && self.0.len() < PAGES_MAX {
            self.0.push(Heard { page: page.to_owned(), weight: word.weight(), until });
        }
    }

    /// Drops the words that are too old.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        self.0.retain(|heard| now <= heard.until);
    }

    /// Returns by how much it leans on the gateway, in hundredths of a deciban.
    pub(crate) fn lean(&self) -> i32 {
        self.0.iter().fold(0, |sum, heard| (sum + heard.weight).min(MOST))
    }

    /// Returns when the next word is too old.
    pub(crate) fn lapses_at(&self) -> Option<Timestamp> {
        self.0.iter().map(|heard| heard.until + Span::from_ms(1)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::health::needle::{DOUBT, FAILED};

    #[test]
    fn all_pages_together_weigh_less_than_doubt_and_than_one_look_of_our_own() {
        let mut hearsay = Hearsay::default();
        for page in 0..100 {
            hearsay.hear(&format!("page-{page}"), Word::Major, Timestamp::from_ms(1_000));
        }
        assert_eq!((hearsay.lean(), hearsay.0.len()), (MOST, PAGES_MAX));
        assert!(Word::ALL.iter().all(|word| (0..=MOST).contains(&word.weight())));
        const { assert!(MOST < DOUBT && MOST < FAILED) };
    }

    #[test]
    fn a_page_has_one_word_at_a_time_and_only_while_it_is_fresh() {
        let (mut hearsay, at) = (Hearsay::default(), Timestamp::from_ms);
        hearsay.hear("a", Word::Major, at(1_000));
        hearsay.hear("a", Word::Degraded, at(2_000));
        assert_eq!((hearsay.lean(), hearsay.lapses_at()), (DEGRADED, Some(at(2_001))));
        hearsay.hear("b", Word::Maintenance, at(9_000));
        assert_eq!(hearsay.lean(), DEGRADED, "work on it is no trouble");
        hearsay.forget(at(2_000));
        assert_eq!(hearsay.lean(), DEGRADED);
        hearsay.forget(at(2_001));
        assert_eq!((hearsay.lean(), hearsay.lapses_at()), (0, None));
        hearsay.hear("a", Word::Partial, at(3_000));
        hearsay.hear("a", Word::Fine, at(3_000));
        assert_eq!(hearsay.lean(), 0);
    }

    #[test]
    fn a_title_from_outside_steers_nothing() {
        let check = |title: &str, expected: &str| {
            assert_eq!(Told::new(Word::Major, title).title(), expected, "{title:?}");
        };
        check("  Delays \n\t sending\u{1b}[31m SMS ", "Delays sending [31m SMS");
        check("\u{202e}evil\u{2066} \u{200f}تأخر في الرسائل\u{feff}", "evil تأخر في الرسائل");
        check("\u{7}\u{0}\u{9b}", "");
        let long = Told::new(Word::Fine, &"ط".repeat(100_000));
        assert_eq!(long.title().chars().count(), TITLE_CHARS_MAX);
        assert!(long.title().ends_with('…'));
    }
}
