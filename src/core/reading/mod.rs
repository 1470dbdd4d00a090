//! What a reply means: known words and phrases, in Arabic and English, one file a language.
//!
//! A reply is read as "safe" or as an acknowledgement only where every word of it is known and none speaks against it;
//! what is not certain stays a plain reply, for a person to read. A call for help is heard among any other words: a
//! false alarm costs a look, a missed one may cost a life. A digit means something only where the message asked. What has
//! not come whole ([`CUT`]) is a call for help or a plain reply, and nothing else.
//!
//! Limits: the first [`TOKENS_MAX`] words are read; a reply that is longer is never "safe".

mod arabic;
mod english;

use super::ids::AttemptId;
use super::reply::{Asks, CUT, ReplyKind, Said};

/// How many words of a reply are read: a person in danger writes fewer before the one that counts.
const TOKENS_MAX: usize = 200;
/// Stands for a question's mark: who asks whether all is well does not say so.
const QUESTION: &str = "?";
/// How many words that say nothing may stand between "not" and "safe".
const BETWEEN_MAX: usize = 2;
/// The most words that a phrase of the tables has; a test holds them to it.
const PHRASE_MAX: usize = 6;

/// What is known of a phrase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sense {
    /// It was received, or understood.
    Acknowledged,
    /// All is well.
    Safe,
    /// Help is needed.
    NeedHelp,
    /// Before a word that all is well it says the opposite.
    Not,
    /// It says nothing by itself.
    Filler,
    /// It speaks of help and asks for none, or speaks against what is around it: a person must read this.
    Unclear,
}

/// The phrases of one language, as [`tokens`] gives them.
struct Words {
    /// What a whole reply must be to end what is sent.
    stop: &'static [&'static str],
    /// What a whole reply must be to have it again.
    start: &'static [&'static str],
    /// Phrases and what they mean; where several begin alike, the longest counts.
    phrases: &'static [(Sense, &'static [&'static str])],
    /// A letter that may stand before a word and changes nothing.
    joined: &'static [char],
}

const LANGUAGES: [&Words; 2] = [&arabic::WORDS, &english::WORDS];

/// Reads what was said in answer to a message that asks for this, or to none.
pub(crate) fn read(said: &Said, asks: Asks) -> ReplyKind {
    match said {
        Said::Text(words) => of_words(words, asks),
        Said::Button(back) => match of_button(back) {
            Some((_, kind)) => kind,
            // A template's button: its author wrote the back of it.
            None => of_words(back, asks),
        },
        Said::Other => ReplyKind::Plain,
    }
}

/// Returns what is written on the back of a button that we give: whose it is, and what it says.
pub(crate) fn button(attempt: AttemptId, kind: ReplyKind) -> String {
    format!("{attempt}:{kind}")
}

/// Reads the back of a button that we gave.
pub(crate) fn of_button(back: &str) -> Option<(AttemptId, ReplyKind)> {
    let (attempt, kind) = back.split_once(':')?;
    let kind = ReplyKind::from_name(kind).filter(|kind| kind.is_answer())?;
    Some((attempt.parse().ok()?, kind))
}

fn of_words(words: &str, asks: Asks) -> ReplyKind {
    match of_what_came(words, asks) {
        ReplyKind::NeedHelp => ReplyKind::NeedHelp,
        _ if words.contains(CUT.trim()) => ReplyKind::Plain,
        kind => kind,
    }
}

fn of_what_came(words: &str, asks: Asks) -> ReplyKind {
    let tokens = tokens(words);
    let senses = senses(&tokens);
    let said: Vec<&str> = tokens.iter().map(String::as_str).filter(|token| !token.is_empty()).collect();
    if let Some(kind) = about_sending(&said) {
        return kind;
    }
    if let Some(kind) = digit(&said, asks) {
        return kind;
    }
    let has = |sense| senses.contains(&Some(sense));
    let is_clear =
        !senses.is_empty() && tokens.len() <= TOKENS_MAX && !has(Sense::Unclear) && !has(Sense::Not);
    let is_known = is_clear && senses.iter().all(Option::is_some);
    match () {
        () if has(Sense::NeedHelp) => ReplyKind::NeedHelp,
        () if is_known && has(Sense::Safe) => ReplyKind::Safe,
        () if is_known && has(Sense::Acknowledged) => ReplyKind::Acknowledged,
        () => ReplyKind::Plain,
    }
}

/// Reads a whole reply that ends, or begins again, what is sent.
fn about_sending(said: &[&str]) -> Option<ReplyKind> {
    let whole = said.join(" ");
    let is_one =
        |of: fn(&Words) -> &'static [&'static str]| LANGUAGES.iter().any(|w| of(w).contains(&&*whole));
    match () {
        () if is_one(|words| words.stop) => Some(ReplyKind::OptOut),
        () if is_one(|words| words.start) => Some(ReplyKind::OptIn),
        () => None,
    }
}

/// Reads a reply that is one digit, where the message asked for it.
fn digit(said: &[&str], asks: Asks) -> Option<ReplyKind> {
    let [digit] = said else { return None };
    asks.answers().find(|(asked, _)| asked.to_string() == *digit).map(|(_, kind)| kind)
}

/// Returns the digit that a whole reply is, where some message may ask for it.
pub(crate) fn digit_of(said: &Said) -> Option<u32> {
    let Said::Text(words) = said else { return None };
    let tokens = tokens(words);
    let said: Vec<&str> = tokens.iter().map(String::as_str).filter(|token| !token.is_empty()).collect();
    let [digit] = said[..] else { return None };
    let may_be_asked = Asks::of(Asks::ANSWERS).answers().map(|(digit, _)| digit);
    may_be_asked.into_iter().find(|asked| asked.to_string() == digit)
}

/// Returns what is known of the phrases of a reply, in order; `None` for a word that is not known.
fn senses(tokens: &[String]) -> Vec<Option<Sense>> {
    let mut senses = Vec::new();
    let (mut at, mut denied) = (0, None::<usize>);
    while at < tokens.len().min(TOKENS_MAX) {
        if tokens[at].is_empty() {
            // A sentence ends, and what was denied with it.
            (at, denied) = (at + 1, None);
            continue;
        }
        if tokens[at] == QUESTION {
            senses.push(Some(Sense::Unclear));
            (at, denied) = (at + 1, None);
            continue;
        }
        let (sense, length) = phrase(&tokens[at..]);
        let sense = match (sense, denied) {
            // "Not safe", "لست بخير".
            (Some(Sense::Safe), Some(_)) => Some(Sense::NeedHelp),
            (sense, _) => sense,
        };
        denied = match (sense, denied) {
            (Some(Sense::Not), _) => Some(0),
            (Some(Sense::Filler), Some(between)) if between < BETWEEN_MAX => Some(between + 1),
            _ => None,
        };
        senses.push(sense);
        at += length;
    }
    senses
}

/// Finds the longest phrase that these words begin with, and how many words it has.
fn phrase(tokens: &[String]) -> (Option<Sense>, usize) {
    let end = tokens.iter().position(String::is_empty).unwrap_or(tokens.len()).min(PHRASE_MAX);
    for length in (1..=end).rev() {
        let given = tokens[..length].join(" ");
        for words in LANGUAGES {
            let bare = words.joined.iter().find_map(|letter| given.strip_prefix(*letter));
            let bare = bare.filter(|rest| rest.chars().count() >= 2);
            let found =
                [Some(given.as_str()), bare].into_iter().flatten().find_map(|given| words.sense(given));
            if found.is_some() {
                return (found, length);
            }
        }
    }
    (None, 1)
}

impl Words {
    fn sense(&self, phrase: &str) -> Option<Sense> {
        self.phrases.iter().find(|(_, phrases)| phrases.contains(&phrase)).map(|(sense, _)| *sense)
    }
}

/// Cuts a reply into words in one form, with an empty one wherever a sentence or a line ends.
///
/// Forms of one letter become one (alef, ya, ta marbuta, hamza on its seat), digits become `0` to `9`, letters small;
/// vowel signs, tatweel and marks that nobody sees go; some signs are words.
fn tokens(words: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut word = String::new();
    for letter in words.chars() {
        match form(letter) {
            Form::Letter(letter) => word.extend(letter.to_lowercase()),
            Form::Nothing => {}
            Form::Sign(sign) => {
                tokens.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                tokens.push(sign.to_owned());
            }
            Form::Space => tokens.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            Form::End => {
                tokens.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                tokens.push(String::new());
            }
        }
        if tokens.len() > TOKENS_MAX {
            break;
        }
    }
    tokens.extend(Some(word).filter(|word| !word.is_empty()));
    tokens
}

enum Form {
    Letter(char),
    /// It stands for a word.
    Sign(&'static str),
    /// It is as if it were not there.
    Nothing,
    Space,
    /// A sentence or a line ends.
    End,
}

fn form(letter: char) -> Form {
    match letter {
        '\u{0623}' | '\u{0625}' | '\u{0622}' | '\u{0671}' => Form::Letter('\u{0627}'),
        '\u{0649}' | '\u{0626}' | '\u{06CC}' => Form::Letter('\u{064A}'),
        '\u{0629}' => Form::Letter('\u{0647}'),
        '\u{0624}' => Form::Letter('\u{0648}'),
        '\u{06A9}' => Form::Letter('\u{0643}'),
        // Hamza by itself, tatweel, vowel signs, Quranic marks, apostrophes.
        '\u{0621}' | '\u{0640}' | '\u{064B}'..='\u{065F}' | '\u{0670}' | '\u{06D6}'..='\u{06ED}' => {
            Form::Nothing
        }
        '\'' | '\u{2019}' | '\u{2018}' | '`' => Form::Nothing,
        // Marks of direction, joiners, variation selectors, tones of skin, the frame of a digit.
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' => {
            Form::Nothing
        }
        '\u{FE00}'..='\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}' | '\u{20E3}' => Form::Nothing,
        '\u{0660}'..='\u{0669}' | '\u{06F0}'..='\u{06F9}' | '\u{FF10}'..='\u{FF19}' => {
            char::from_digit(u32::from(letter) & 0xF, 10).map_or(Form::Space, Form::Letter)
        }
        '\u{1F198}' => Form::Sign("sos"),
        '\u{1F44D}' | '\u{1F44C}' | '\u{2705}' | '\u{2714}' => Form::Sign("ok"),
        '?' | '\u{061F}' => Form::Sign(QUESTION),
        '.' | ',' | '!' | ';' | ':' | '\u{060C}' | '\u{061B}' | '\n' | '\r' => Form::End,
        letter if letter.is_alphanumeric() => Form::Letter(letter),
        _ => Form::Space,
    }
}

#[cfg(test)]
mod tests;
