//! A feed of outages as RSS 2.0: an item for each, none while all is well.
//!
//! How bad it is stands in words, if at all: Meta writes of low, medium and high disruptions, others of outages. What names
//! no degree is `degraded`. Of several items on one thing (by `guid`, or the same title) the newest counts.
//!
//! Invariant: pure. No DTD, no entity of one, nothing deeper or larger than the one reader of XML takes; an item without a
//! date that can be read is no news, and a feed of nothing but such items says nothing.

use super::{ENTRIES_MAX, Entry, Page, Pick};
use crate::core::hearsay::Word;
use crate::core::time::{Span, Timestamp};
use crate::diag::xml;
use roxmltree::Node;
use std::collections::BTreeSet;

/// Words that say that something is over, unless the file says others.
pub(super) const RESOLVED: [&str; 5] = ["resolved", "تم الحل", "تم حل", "résolu", "resuelto"];
/// Words shortly before one of those by which it is not over. Cites: what providers write ("not yet resolved", "until resolved").
const NOT_YET: [&str; 12] =
    ["not", "yet", "will", "be", "being", "until", "when", "once", "isn't", "hasn't", "لم", "pas"];
/// How many words before are looked at: "has not yet been resolved".
const BEFORE: usize = 3;
/// How much of an item's description is read: the newest word on it stands first.
const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// A clock that goes ahead by more than this is wrong.
const AHEAD: Span = Span::from_hours(1);

/// Reads a feed. `None`: it is none, or it has items and no date.
pub(super) fn read(body: &[u8], pick: &Pick) -> Option<Page> {
    let document = xml::document(xml::text(body).ok()?).ok()?;
    let root = document.root_element();
    let channel = child(root, "channel").filter(|_| root.has_tag_name("rss"))?;
    let items = channel.children().filter(|node| node.has_tag_name("item"));
    let mut items: Vec<_> = items.take(ENTRIES_MAX).map(Item::of).collect();
    if !items.is_empty() && items.iter().all(|item| item.at.is_none()) {
        return None;
    }
    items.retain(|item| item.at.is_some() && item.concerns(pick));
    items.sort_by_key(|item| std::cmp::Reverse(item.at));
    let mut seen = BTreeSet::new();
    let mut entries = Vec::new();
    for item in items {
        let is_newest = item.names().map(|name| seen.insert(name)).filter(|is_new| !is_new).count() == 0;
        let (Some(at), true) = (item.at, is_newest && !item.is_over(pick)) else { continue };
        let (word, from) = (item.word(), Some(at - AHEAD));
        entries.push(Entry { word, title: item.title, from, until: Some(at + pick.recent) });
    }
    Some(Page { state: Word::Fine, entries })
}

/// Reads a date as mail and HTTP write it. Cites: RSS 2.0 (`pubDate`), RFC 5322 section 3.3, RFC 9110 section 5.6.7.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    let at =
        jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text.trim()).ok()?;
    Some(Timestamp::from_ms(at.as_millisecond()))
}

struct Item {
    title: String,
    guid: String,
    categories: Vec<String>,
    /// In lower case.
    description: String,
    at: Option<Timestamp>,
}

fn child<'a, 'i>(of: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    of.children().find(|node| node.has_tag_name(name))
}

/// Returns a node's text, whatever of it is CDATA.
fn text(of: Node<'_, '_>) -> String {
    let whole: String = of.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect();
    whole.trim().to_owned()
}

impl Item {
    fn of(node: Node<'_, '_>) -> Item {
        let of = |name| child(node, name).map(text).unwrap_or_default();
        let is_category = |node: &Node<'_, '_>| node.has_tag_name("category");
        Item {
            title: of("title"),
            guid: of("guid"),
            categories: node.children().filter(is_category).map(|node| text(node).to_lowercase()).collect(),
            description: of("description")
                .chars()
                .take(DESCRIPTION_CHARS_MAX)
                .collect::<String>()
                .to_lowercase(),
            at: date(&of("pubDate")),
        }
    }

    /// Says whether it is on one of the components that were picked: as a word or words of its title or its categories.
    fn concerns(&self, pick: &Pick) -> bool {
        let title = self.title.to_lowercase();
        let named = |component: &String| {
            has_words(&title, component) || self.categories.iter().any(|of| has_words(of, component))
        };
        pick.components.is_empty() || pick.components.iter().any(named)
    }

    fn names(&self) -> impl Iterator<Item = (bool, String)> {
        let guid = (!self.guid.is_empty()).then(|| (true, self.guid.clone()));
        let title = (!self.title.is_empty()).then(|| (false, self.title.to_lowercase()));
        guid.into_iter().chain(title)
    }

    fn is_over(&self, pick: &Pick) -> bool {
        let texts = [self.title.to_lowercase(), self.description.clone()];
        texts.iter().any(|text| pick.well.iter().any(|word| says_over(text, word)))
    }

    fn word(&self) -> Word {
        let texts = [self.title.to_lowercase(), self.description.clone()];
        let says = |words: &str| texts.iter().any(|text| has_words(text, words));
        // As Statuspage marks them in its own RSS, and as people do.
        let work = ["scheduled event", "scheduled maintenance", "planned maintenance"];
        match () {
            () if work.iter().any(|words| says(words)) => Word::Maintenance,
            () if says("high disruptions") || says("major outage") => Word::Major,
            () if says("medium disruptions") || says("partial outage") => Word::Partial,
            () => Word::Degraded,
        }
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\'' | '’')
}

/// Finds `words` in a text where it does not begin or end within another word.
fn places<'a>(text: &'a str, words: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(words).map(|(at, _)| at).filter(move |at| {
        let after = text[at + words.len()..].chars().next();
        !text[..*at].chars().next_back().is_some_and(is_of_word) && !after.is_some_and(is_of_word)
    })
}

fn has_words(text: &str, words: &str) -> bool {
    places(text, words).next().is_some()
}

/// Says whether a text says this word of what it tells of, and not that it is still to come.
fn says_over(text: &str, word: &str) -> bool {
    places(text, word).any(|at| {
        let sentence = text[..at].rsplit(['.', '!', '\n', ';', '>']).next().unwrap_or_default();
        let before = sentence.split(|c| !is_of_word(c)).filter(|word| !word.is_empty());
        !before.rev().take(BEFORE).any(|word| NOT_YET.contains(&word))
    })
}
