//! People who are not in the address book, as somebody types them into the form: one a line, `واتساب +970599000001, sms
//! +970599000001`.
//!
//! A telephone number alone is for SMS, a mailbox alone for e-mail; any other channel is named before the address, by the
//! contract's word or by its name in one of the page's languages.
//!
//! Limit: [`PEOPLE_MAX`] people.
//! Invariant: an address goes back to whoever typed it, in the form itself, and nowhere else: what is shown is masked, and an error
//! gives the line.

use crate::api::address::{mask, normalise};
use crate::api::call::bad_value;
use crate::api::problem::Problem;
use crate::core::channel::Channel;
use crate::web::locale::Locale;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The most people that are typed into one form: more of them are an audience.
pub(super) const PEOPLE_MAX: usize = 50;
/// A number that nobody has, to show how one is written. Cites: Ofcom, telephone numbers for use in drama.
pub(super) const NUMBER_SHOWN: &str = "+447700900123";
/// The field's name.
pub(super) const FIELD: &str = "people";

/// Somebody's addresses, normalised.
pub(super) struct Person(BTreeMap<Channel, String>);

impl Person {
    /// Writes the entry of `to`.
    pub(super) fn entry(&self) -> Value {
        let addresses = self.0.iter();
        let map: Map<_, _> = addresses
            .map(|(channel, address)| (channel.name().to_owned(), address.as_str().into()))
            .collect();
        map.into()
    }

    /// Shows who it is, to somebody who knows it already.
    pub(super) fn masked(&self, locale: Locale) -> String {
        let shown = |(channel, address): (&Channel, &String)| {
            format!("{} \u{2068}{}\u{2069}", locale.channel(*channel), mask(*channel, address))
        };
        self.0.iter().map(shown).collect::<Vec<_>>().join(" · ")
    }
}

/// Reads what was typed.
pub(super) fn read(text: &str) -> Result<Vec<Person>, Problem> {
    let mut people = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        people.push(person(line).map_err(|why| bad_value(FIELD, format!("line {}: {why}", at + 1)))?);
        if people.len() > PEOPLE_MAX {
            let why = format!("at most {PEOPLE_MAX} people are typed here; make an audience of them");
            return Err(bad_value(FIELD, why));
        }
    }
    Ok(people)
}

fn person(line: &str) -> Result<Person, String> {
    let mut addresses = BTreeMap::new();
    for piece in line.split([',', ';', '،', '؛']).map(str::trim).filter(|piece| !piece.is_empty()) {
        let (channel, written) = channel_of(piece);
        let address = normalise(channel, written).map_err(|error| format!("{channel}: {error}"))?;
        if addresses.insert(channel, address).is_some() {
            return Err(format!(
                "{channel}: a person has one address a channel; write others in a line of their own"
            ));
        }
    }
    match addresses.is_empty() {
        true => Err("no address".into()),
        false => Ok(Person(addresses)),
    }
}

/// Splits a piece into its channel and the address as it was written.
fn channel_of(piece: &str) -> (Channel, &str) {
    let names = |channel: Channel| {
        [channel.name().to_owned(), Locale::En.channel(channel), Locale::Ar.channel(channel)]
    };
    let named = Channel::ALL.into_iter().flat_map(|channel| names(channel).map(|name| (channel, name)));
    let found = named.filter_map(|(channel, name)| Some((channel, after(piece, &name)?)));
    found.min_by_key(|(_, rest)| rest.len()).unwrap_or(match piece.contains('@') {
        true => (Channel::Email, piece),
        false => (Channel::Sms, piece),
    })
}

/// Returns what follows a name at the beginning, whatever the case of its letters.
fn after<'a>(piece: &'a str, name: &str) -> Option<&'a str> {
    let rest = piece.get(name.len()..)?;
    let parted = rest.starts_with(|c: char| c.is_whitespace() || c == ':');
    let is_name = piece[..name.len()].to_lowercase() == name.to_lowercase();
    (parted && is_name).then(|| rest.trim_start_matches(|c: char| c.is_whitespace() || c == ':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_is_a_person_and_a_channel_is_named_in_either_language() {
        let typed = "+970 599 000 001\n\n  واتساب +970599000002، SMS: +970599000002\r\nClinic@Example.org\n\
                     الرسائل القصيرة ٠٠٩٧٠٥٩٩٠٠٠٠٠٣\ntelegram -1001234567890\nE-mail a@b.example; signal +970599000004";
        let entries: Vec<_> = read(typed).unwrap().iter().map(Person::entry).collect();
        assert_eq!(
            entries,
            [
                json!({"sms": "+970599000001"}),
                json!({"whatsapp": "+970599000002", "sms": "+970599000002"}),
                json!({"email": "Clinic@example.org"}),
                json!({"sms": "+970599000003"}),
                json!({"telegram": "-1001234567890"}),
                json!({"email": "a@b.example", "signal": "+970599000004"}),
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_line_and_never_repeated() {
        for (typed, line) in [
            ("+970598765432\n0598765432", "line 2"),
            ("whatsapp\n", "line 1"),
            ("\n\nsms +970598765432, sms +970598765431", "line 3"),
            ("+970598765432 and +970598765431", "line 1"),
            (",,", "line 1"),
        ] {
            let problem = read(typed).err().map(|problem| problem.detail().to_owned()).unwrap_or_default();
            assert!(problem.contains(line) && !problem.contains("5987654"), "{typed:?}: {problem}");
        }
        let crowd = "+970599000001\n".repeat(PEOPLE_MAX + 1);
        assert!(read(&crowd).is_err() && read(&crowd[14..]).is_ok());
    }

    #[test]
    fn who_typed_it_recognises_it_and_others_do_not() {
        let people = read("sms +970599000123, email clinic@example.org").unwrap();
        let shown = people[0].masked(Locale::En);
        assert!(
            shown.contains("SMS") && shown.contains("…123") && shown.contains("…@example.org"),
            "{shown}"
        );
        assert!(!shown.contains("599") && !shown.contains("clinic"), "{shown}");
    }
}
