//! From the entries of `to` to people: audiences and contacts looked up, addresses normalised, everyone once.
//!
//! People of the address book are told apart by their id alone: two of a household may share a telephone and both
//! must know. An entry that gives addresses is the person who has one of them already, if there is one and no other
//! address speaks against it.

use super::App;
use super::address::{may_be_address, normalise};
use super::audiences;
use super::call::bad_value;
use super::intake::{
    AUDIENCES_NAMED_MAX, CONTACTS_NAMED_MAX, PersonFields, To, check_language, check_name, checked_name,
};
use super::problem::{Kind, Problem};
use super::service::Service;
use crate::core::channel::Channel;
use crate::core::message::{RECIPIENTS_MAX, Recipient};
use crate::core::query::{AUDIENCE_ROWS_MAX, Answer, Contact, Query};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// How long a caller waits for a place among the crowds before being told to come back.
const CROWD_PATIENCE: Duration = Duration::from_secs(5);

/// Who a message is for.
pub(crate) struct People {
    /// Everyone, once, each with an address.
    pub(crate) recipients: Vec<Recipient>,
    /// The audiences named, sorted.
    pub(crate) audiences: Vec<String>,
    /// How many of the audiences' people have no address at all.
    pub(crate) without_address: u32,
}

/// Looks up who is meant, and takes a place among the crowds in memory where an audience is named: held until the people
/// are out of our hands.
pub(crate) async fn gather(app: &App, to: Vec<To>) -> Result<(People, Option<Crowd>), Problem> {
    if to.iter().all(|entry| entry.audience.is_none()) {
        return Ok((resolve(&*app.service, to).await?, None));
    }
    let place = crowd(app).await?;
    let service = Arc::clone(&app.service);
    // A task of its own: where the caller hangs up, what is being read still fills memory, and still holds the place.
    let gathering = tokio::spawn(async move { (resolve(&*service, to).await, place) });
    match gathering.await {
        Ok((people, place)) => Ok((people?, Some(place))),
        Err(_) => Err(Problem::new(Kind::Unavailable, "the audience could not be read")),
    }
}

/// A place among the crowds in memory.
pub(crate) type Crowd = OwnedSemaphorePermit;

/// Takes a place among the crowds in memory: a short body can name a million people.
pub(crate) async fn crowd(app: &App) -> Result<Crowd, Problem> {
    match tokio::time::timeout(CROWD_PATIENCE, Arc::clone(&app.crowds).acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        _ => Err(Problem::new(Kind::TooMany, "other audiences are being read").retry_after(1)),
    }
}

async fn resolve(service: &dyn Service, to: Vec<To>) -> Result<People, Problem> {
    let mut gathering = Gathering::of_at_most(RECIPIENTS_MAX);
    let (mut audiences, mut contacts, mut given) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (at, entry) in to.into_iter().enumerate() {
        let empty = PersonFields::is_empty(&entry.person);
        match (entry.audience, entry.contact) {
            (Some(audience), None) if empty => audiences.insert(checked_name("audience", audience)?),
            (None, Some(contact)) if empty => contacts.insert(checked_name("contact", contact)?),
            (None, None) if !entry.person.addresses.is_empty() => {
                given.push(recipient(entry.person).map_err(|problem| problem.with("entry", at))?);
                true
            }
            _ => {
                let why = "an entry is an audience, or a contact, or one person's addresses";
                return Err(bad_value("to", why).with("entry", at));
            }
        };
    }
    if audiences.len() > AUDIENCES_NAMED_MAX || contacts.len() > CONTACTS_NAMED_MAX {
        let why = format!(
            "at most {AUDIENCES_NAMED_MAX} audiences and {CONTACTS_NAMED_MAX} contacts; make an audience"
        );
        return Err(bad_value("to", why));
    }
    for audience in &audiences {
        gathering.audience(service, audience).await?;
    }
    for contact in &contacts {
        gathering.contact(service, contact).await?;
    }
    let mut people = gathering.people;
    add_given(&mut people, given);
    match people.len() {
        0 => Err(bad_value("to", "nobody in these audiences has an address")),
        1..=RECIPIENTS_MAX => Ok(People {
            recipients: people,
            audiences: audiences.into_iter().collect(),
            without_address: gathering.without_address,
        }),
        _ => Err(too_many(RECIPIENTS_MAX)),
    }
}

fn too_many(most: usize) -> Problem {
    Problem::new(Kind::TooLarge, format!("a message is for at most {most} people"))
}

/// The people of the address book found so far.
struct Gathering {
    most: usize,
    people: Vec<Recipient>,
    ids: BTreeSet<String>,
    without_address: u32,
}

impl Gathering {
    fn of_at_most(most: usize) -> Gathering {
        Gathering { most, people: Vec::new(), ids: BTreeSet::new(), without_address: 0 }
    }

    async fn audience(&mut self, service: &dyn Service, name: &str) -> Result<(), Problem> {
        let Answer::Contacts(contacts) = service.read(Query::Audience(name.to_owned())).await? else {
            return Err(audiences::nobody(service, "audience", name));
        };
        if contacts.is_empty() {
            return Err(audiences::nobody(service, "audience", name));
        }
        // The store stops there: some would be missing.
        if contacts.len() >= AUDIENCE_ROWS_MAX {
            return Err(too_many(self.most));
        }
        self.add(contacts)
    }

    /// Adds an audience's people, and stops where they are more than a message may have.
    fn add(&mut self, contacts: Vec<Contact>) -> Result<(), Problem> {
        for contact in contacts {
            if contact.person.addresses.is_empty() {
                self.without_address += 1;
            } else if self.ids.insert(contact.id.clone()) {
                if self.people.len() == self.most {
                    return Err(too_many(self.most));
                }
                self.people.push(Recipient { contact: Some(contact.id), ..contact.person });
            }
        }
        Ok(())
    }

    async fn contact(&mut self, service: &dyn Service, id: &str) -> Result<(), Problem> {
        if self.ids.contains(id) {
            return Ok(());
        }
        let found = match service.read(Query::Contact(id.to_owned())).await? {
            Answer::Contacts(contacts) => contacts.into_iter().next(),
            _ => None,
        };
        let contact = found.ok_or_else(|| nobody("the address book has no contact", "contact", id))?;
        if contact.person.addresses.is_empty() {
            return Err(nobody("there is no address for the contact", "contact", id));
        }
        self.ids.insert(contact.id.clone());
        self.people.push(Recipient { contact: Some(contact.id), ..contact.person });
        Ok(())
    }
}

/// Says whom nobody knows; but not what could be somebody's address, put in the wrong place.
fn nobody(what: &str, key: &str, name: &str) -> Problem {
    match may_be_address(name) {
        true => {
            bad_value(key, format!("{what} that is named here; an address goes by its channel, as `sms`"))
        }
        false => bad_value(key, format!("{what} `{name}`")).with("name", name),
    }
}

/// Adds those who are given by their addresses, joining entries that share one.
fn add_given(people: &mut Vec<Recipient>, given: Vec<Recipient>) {
    if people.is_empty() && given.len() == 1 {
        *people = given;
        return;
    }
    let mut owners: BTreeMap<(Channel, String), usize> = BTreeMap::new();
    for (at, person) in people.iter().enumerate() {
        for (channel, address) in &person.addresses {
            owners.entry((*channel, address.clone())).or_insert(at);
        }
    }
    let mut joined_away = BTreeSet::new();
    for person in given {
        let mut known: Vec<usize> =
            person.addresses.iter().filter_map(|(c, a)| owners.get(&(*c, a.clone())).copied()).collect();
        known.sort_unstable();
        known.dedup();
        known.retain(|at| agree(&people[*at], &person));
        let home = known.first().copied().unwrap_or_else(|| {
            people.push(Recipient::default());
            people.len() - 1
        });
        join(&mut people[home], person);
        // The entry shows that these were one person; those of the address book stay who they are.
        for other in known.into_iter().skip(1) {
            if people[other].contact.is_none() && agree(&people[home], &people[other]) {
                let other_person = std::mem::take(&mut people[other]);
                join(&mut people[home], other_person);
                joined_away.insert(other);
            }
        }
        for (channel, address) in people[home].addresses.clone() {
            let owner = owners.entry((channel, address)).or_insert(home);
            if joined_away.contains(owner) {
                *owner = home;
            }
        }
    }
    let mut at = 0;
    people.retain(|_| {
        at += 1;
        !joined_away.contains(&(at - 1))
    });
}

/// Says whether two may be one person: no channel has two addresses. To join others would lose an address.
fn agree(one: &Recipient, other: &Recipient) -> bool {
    other.addresses.iter().all(|(channel, address)| one.addresses.get(channel).is_none_or(|a| a == address))
}

/// Gives `person` what only `other` says.
fn join(person: &mut Recipient, other: Recipient) {
    for (channel, address) in other.addresses {
        person.addresses.entry(channel).or_insert(address);
    }
    person.language = person.language.take().or(other.language);
    person.region = person.region.take().or(other.region);
    person.sector = person.sector.take().or(other.sector);
}

impl PersonFields {
    fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.language.is_none() && self.region.is_none() && self.sector.is_none()
    }
}

/// Checks what is said of a person and normalises the addresses.
pub(crate) fn recipient(fields: PersonFields) -> Result<Recipient, Problem> {
    if let Some(language) = &fields.language {
        check_language("language", language)?;
    }
    for (key, name) in [("region", &fields.region), ("sector", &fields.sector)] {
        name.as_deref().map(|name| check_name(key, name)).transpose()?;
    }
    let mut addresses = BTreeMap::new();
    for (channel, written) in fields.addresses {
        let address = normalise(channel, &written).map_err(|error| bad_value(channel.name(), error))?;
        addresses.insert(channel, address);
    }
    Ok(Recipient {
        contact: None,
        language: fields.language,
        region: fields.region,
        sector: fields.sector,
        audiences: Vec::new(),
        addresses,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(contact: Option<&str>, addresses: &[(Channel, &str)]) -> Recipient {
        Recipient {
            contact: contact.map(str::to_owned),
            addresses: addresses.iter().map(|(c, a)| (*c, (*a).to_owned())).collect(),
            ..Recipient::default()
        }
    }

    #[test]
    fn a_crowd_is_not_gathered_beyond_what_a_message_may_have() {
        let contact = |id: &str, addresses: &[_]| Contact {
            id: id.into(),
            person: person(None, addresses),
            ..Contact::default()
        };
        let one = [(Channel::Sms, "1")];
        let audience = || vec![contact("a", &one), contact("b", &one), contact("mute", &[])];
        let mut gathering = Gathering::of_at_most(3);
        assert!(gathering.add(audience()).is_ok() && gathering.add(audience()).is_ok(), "everyone once");
        let more = ["c", "d", "e", "f"].map(|id| contact(id, &one)).to_vec();
        assert_eq!(gathering.add(more).map_err(|problem| problem.kind()), Err(Kind::TooLarge));
        assert_eq!(gathering.people.len(), 3);
    }

    #[test]
    fn a_person_named_twice_is_reached_once() {
        use Channel::{Email, Sms, Whatsapp};
        let check = |mut people: Vec<Recipient>, given: Vec<Recipient>, expected: Vec<Recipient>| {
            add_given(&mut people, given);
            assert!(people == expected, "{people:?} is not {expected:?}");
        };
        check(vec![], vec![person(None, &[(Sms, "1")])], vec![person(None, &[(Sms, "1")])]);
        check(
            vec![],
            vec![person(None, &[(Sms, "1")]), person(None, &[(Sms, "1"), (Email, "e")])],
            vec![person(None, &[(Sms, "1"), (Email, "e")])],
        );
        // The third entry shows that the first two are one.
        check(
            vec![],
            vec![
                person(None, &[(Sms, "1")]),
                person(None, &[(Whatsapp, "2")]),
                person(None, &[(Sms, "1"), (Whatsapp, "2")]),
            ],
            vec![person(None, &[(Sms, "1"), (Whatsapp, "2")])],
        );
        // A household shares a telephone: both stay, and an entry with that number is the first of them.
        check(
            vec![person(Some("a"), &[(Sms, "1")]), person(Some("b"), &[(Sms, "1"), (Email, "b")])],
            vec![person(None, &[(Sms, "1"), (Whatsapp, "9")])],
            vec![
                person(Some("a"), &[(Sms, "1"), (Whatsapp, "9")]),
                person(Some("b"), &[(Sms, "1"), (Email, "b")]),
            ],
        );
        // A shared address and another that differs: to take them for one would silence somebody.
        check(
            vec![],
            vec![person(None, &[(Sms, "1"), (Email, "e")]), person(None, &[(Sms, "1"), (Email, "f")])],
            vec![person(None, &[(Sms, "1"), (Email, "e")]), person(None, &[(Sms, "1"), (Email, "f")])],
        );
        check(
            vec![person(Some("a"), &[(Sms, "1")])],
            vec![person(None, &[(Sms, "2")])],
            vec![person(Some("a"), &[(Sms, "1")]), person(None, &[(Sms, "2")])],
        );
    }
}
