//! The address book: rows in, rows out. The one place where addresses are shown whole, to an admin.

use super::App;
use super::call::{Answer, BODY_BYTES_MAX, Call, json, not_found};
use super::intake::{NAME_CHARS_MAX, PersonFields, check_name, once};
use super::messages::checked_reason;
use super::people::recipient;
use super::problem::{Kind, Problem};
use super::service::Change as Put;
use super::show::time as show_time;
use crate::core::query::{Answer as Found, Contact, Query};
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// The most rows that one call may put: an import comes in batches.
pub(crate) const CONTACT_ROWS_MAX: usize = 1_000;
/// The longest body with contacts.
pub(crate) const CONTACTS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most audiences that one contact may belong to.
pub(crate) const AUDIENCES_MAX: usize = 50;
/// How many bad rows one answer names.
const BAD_ROWS_MAX: usize = 100;

/// The keys of a row.
const ROW_KEYS: &[&str] = &[
    "id",
    "name",
    "language",
    "region",
    "sector",
    "audiences",
    "consent",
    "deputy",
    "whatsapp",
    "signal",
    "telegram",
    "sms",
    "email",
    "voice",
    "messenger",
    "imessage",
    "satellite",
    "matrix",
    "mesh",
    "webhook",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    contacts: Vec<Row>,
}

#[derive(Default)]
struct Row {
    id: Option<String>,
    name: Option<String>,
    audiences: Option<Vec<String>>,
    consent: Option<String>,
    deputy: Option<String>,
    person: PersonFields,
}

/// `POST /v1/contacts`: all of the rows or none of them.
pub(crate) async fn put(app: Arc<App>, mut call: Call) -> Answer {
    let query = call.query(&["dry_run", "again"])?;
    let dry_run = query.get::<bool>("dry_run")?.unwrap_or(false);
    let again = query.get::<bool>("again")?.unwrap_or(false);
    let Body { contacts: rows } = call.json(CONTACTS_BYTES_MAX).await?;
    if rows.is_empty() || rows.len() > CONTACT_ROWS_MAX {
        let why = format!("`contacts`: give 1 to {CONTACT_ROWS_MAX} rows at once");
        return Err(Problem::new(Kind::BadValue, why).with("key", "contacts"));
    }
    let mut contacts = check_all(rows)?;
    let checked = contacts.len();
    let _one = app.service.importing().await;
    let left_out = if again { Vec::new() } else { leave_out_erased(&app, &mut contacts).await? };
    if dry_run {
        let mut told = json!({"stored": 0, "checked": checked, "left_out": left_out});
        let Compared { counts, losing, lost } = compare(&app, &contacts).await?;
        Change::ALL.iter().zip(counts).for_each(|(change, count)| told[change.name()] = count.into());
        told["losing"] = losing.into();
        told["lost"] =
            lost.into_iter().map(|(key, count)| (key.to_owned(), count.into())).collect::<Map<_, _>>().into();
        return Ok(json(StatusCode::OK, &told));
    }
    let stored = contacts.len();
    if stored > 0 {
        app.service.change(call.caller.who, Put::Contacts(contacts)).await?;
    }
    Ok(json(StatusCode::OK, &json!({"stored": stored, "checked": checked, "left_out": left_out})))
}

/// Takes the rows out whose person was erased and has not been brought back, and names them, and takes such a person out where it
/// is somebody's deputy: a list that is imported again must not undo an erasure by itself.
async fn leave_out_erased(app: &App, contacts: &mut Vec<Contact>) -> Result<Vec<String>, Problem> {
    let mut left_out = BTreeSet::new();
    for contact in contacts.iter() {
        if is_gone(app, &contact.id).await? {
            left_out.insert(contact.id.clone());
        }
    }
    contacts.retain(|contact| !left_out.contains(&contact.id));
    for contact in contacts.iter_mut() {
        if let Some(deputy) = contact.deputy.as_deref()
            && is_gone(app, deputy).await?
        {
            contact.deputy = None;
        }
    }
    Ok(left_out.into_iter().collect())
}

/// Says whether somebody was erased and has not been brought back.
async fn is_gone(app: &App, id: &str) -> Result<bool, Problem> {
    if app.service.erased(id).is_none() {
        return Ok(false);
    }
    Ok(!matches!(app.service.read(Query::Contact(id.to_owned())).await?, Found::Contacts(_)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EraseBody {
    contact: String,
    reason: String,
}

/// `POST /v1/contacts/erase`: everything that is kept of a person but that there was one.
pub(crate) async fn erase(app: Arc<App>, mut call: Call) -> Answer {
    call.query(&[])?;
    let EraseBody { contact, reason } = call.json(BODY_BYTES_MAX).await?;
    check_name("contact", &contact)?;
    let reason = checked_reason(reason)?;
    // Whoever hangs up does not leave half of it undone.
    let who = call.caller.who;
    let erasing = tokio::spawn(async move { app.service.erase(who, contact, reason).await });
    let done = erasing.await.map_err(|_| Problem::new(Kind::Unavailable, "it was cut off; ask again"))??;
    let done =
        done.ok_or_else(|| not_found("the address book has no contact of this id, and none was erased"))?;
    let (deliveries, replies) = (done.deliveries, done.replies);
    Ok(json(
        StatusCode::OK,
        &json!({"erased": done.pseudonym, "at": show_time(done.at), "deliveries": deliveries, "replies": replies, "calls_for_help": done.calls}),
    ))
}

/// What a row would do to the address book.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// Nobody has its id.
    New,
    /// It says something else.
    Changed,
    /// It says what is there.
    Unchanged,
}

impl Change {
    pub(crate) const ALL: [Change; 3] = [Change::New, Change::Changed, Change::Unchanged];

    /// Returns its word in an answer.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Changed => "changed",
            Change::Unchanged => "unchanged",
        }
    }
}

/// What rows would do to the address book.
#[derive(Default)]
struct Compared {
    /// How many are what, in the order of [`Change::ALL`].
    counts: [u64; 3],
    /// How many people would lose something that the rows leave out.
    losing: u64,
    /// What they would lose: how many people by key.
    lost: BTreeMap<&'static str, u64>,
}

/// Finds what rows would do.
async fn compare(app: &App, rows: &[Contact]) -> Result<Compared, Problem> {
    let mut compared = Compared::default();
    for row in rows {
        let known = match app.service.read(Query::Contact(row.id.clone())).await? {
            Found::Contacts(found) => found.into_iter().next(),
            _ => None,
        };
        let change = match &known {
            Some(known) if known == row => Change::Unchanged,
            Some(_) => Change::Changed,
            None => Change::New,
        };
        compared.counts[change as usize] += 1;
        let lost = known.map_or(Vec::new(), |known| left_out_of(row, &known));
        compared.losing += u64::from(!lost.is_empty());
        lost.into_iter().for_each(|key| *compared.lost.entry(key).or_default() += 1);
    }
    Ok(compared)
}

/// Names the keys that are known of a person and that a row leaves out: it takes them away, for it says all there is.
fn left_out_of(row: &Contact, known: &Contact) -> Vec<&'static str> {
    let (is, was) = (&row.person, &known.person);
    let gone = |is: &Option<String>, was: &Option<String>| is.is_none() && was.is_some();
    let others = [
        // Who has no name is called by the id.
        ("name", row.name == row.id && known.name != known.id),
        ("language", gone(&is.language, &was.language)),
        ("region", gone(&is.region, &was.region)),
        ("sector", gone(&is.sector, &was.sector)),
        ("audiences", is.audiences.is_empty() && !was.audiences.is_empty()),
        ("consent", row.consent.is_empty() && !known.consent.is_empty()),
        ("deputy", gone(&row.deputy, &known.deputy)),
    ];
    let addresses = was.addresses.keys().filter(|channel| !is.addresses.contains_key(channel));
    let others = others.into_iter().filter_map(|(key, is_gone)| is_gone.then_some(key));
    others.chain(addresses.map(|channel| channel.name())).collect()
}

/// Checks every row, and tells of all bad ones at once.
fn check_all(rows: Vec<Row>) -> Result<Vec<Contact>, Problem> {
    let (mut contacts, mut bad, mut ids) = (Vec::with_capacity(rows.len()), Vec::new(), BTreeSet::new());
    for (at, row) in rows.into_iter().enumerate() {
        match row.check() {
            Ok(contact) if !ids.insert(contact.id.clone()) => {
                bad.push(json!({"row": at, "key": "id", "detail": "this id is in an earlier row"}));
            }
            Ok(contact) => contacts.push(contact),
            Err(problem) => bad.push(json!({"row": at, "detail": problem.detail()})),
        }
    }
    if bad.is_empty() {
        return Ok(contacts);
    }
    let detail = format!("{} of the rows cannot be used; nothing was stored", bad.len());
    bad.truncate(BAD_ROWS_MAX);
    Err(Problem::new(Kind::BadValue, detail).with("rows", bad))
}

/// Says what the service would refuse in this row, each key with the reason: nothing where it would take it. So who
/// sends many rows knows before the first is stored.
pub(crate) fn refusals(row: &Map<String, Value>) -> Vec<(String, String)> {
    let (mut left, mut found) = (Cow::Borrowed(row), Vec::new());
    while let Some((key, why)) = refusal(&left) {
        // Without the key at fault the rest is looked at, as far as it can be.
        let goes_on = left.to_mut().remove(&key).is_some();
        found.push((key, why));
        if !goes_on {
            break;
        }
    }
    found
}

fn refusal(row: &Map<String, Value>) -> Option<(String, String)> {
    match Row::deserialize(row) {
        Ok(row) => row
            .check()
            .err()
            .map(|problem| (problem.key().unwrap_or_default().to_owned(), problem.detail().to_owned())),
        Err(error) => Some((String::new(), error.to_string())),
    }
}

impl Row {
    fn check(self) -> Result<Contact, Problem> {
        let id = self.id.unwrap_or_default();
        check_name("id", &id)?;
        let name = self.name.unwrap_or_else(|| id.clone());
        check_name("name", &name)?;
        let consent = self.consent.unwrap_or_default();
        if consent.chars().count() > NAME_CHARS_MAX || consent.chars().any(char::is_control) {
            return Err(super::call::bad_value(
                "consent",
                format!("at most {NAME_CHARS_MAX} printable characters"),
            ));
        }
        let deputy = self.deputy.filter(|deputy| !deputy.is_empty());
        deputy.as_deref().map(|deputy| check_name("deputy", deputy)).transpose()?;
        let audiences: BTreeSet<String> = self.audiences.unwrap_or_default().into_iter().collect();
        if audiences.len() > AUDIENCES_MAX {
            return Err(super::call::bad_value("audiences", format!("at most {AUDIENCES_MAX}")));
        }
        audiences.iter().try_for_each(|audience| check_name("audiences", audience))?;
        let mut person = recipient(self.person)?;
        person.audiences = audiences.into_iter().collect();
        Ok(Contact { id, name, person, consent, deputy })
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Row;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a contact")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut row = Row::default();
                while let Some(key) = map.next_key::<String>()? {
                    let known = ROW_KEYS.iter().find(|known| **known == key);
                    match known.copied().ok_or_else(|| A::Error::unknown_field(&key, ROW_KEYS))? {
                        "id" => once(&mut row.id, &mut map, "id")?,
                        "name" => once(&mut row.name, &mut map, "name")?,
                        "audiences" => once(&mut row.audiences, &mut map, "audiences")?,
                        "consent" => once(&mut row.consent, &mut map, "consent")?,
                        "deputy" => once(&mut row.deputy, &mut map, "deputy")?,
                        other => row.person.take(other, &mut map)?,
                    }
                }
                Ok(row)
            }
        }
        source.deserialize_map(Read)
    }
}

/// `GET /v1/contacts`.
pub(crate) async fn list(app: Arc<App>, call: Call) -> Answer {
    let query = call.query(&["after", "limit"])?;
    let (after, limit) = (query.text("after").map(str::to_owned), query.limit()?);
    let contacts = match app.service.read(Query::Contacts { after, limit }).await? {
        Found::Contacts(contacts) => contacts,
        _ => Vec::new(),
    };
    let next = (contacts.len() == limit).then(|| contacts.last().map(|contact| contact.id.clone())).flatten();
    let rows: Vec<_> = contacts.iter().map(show).collect();
    Ok(json(StatusCode::OK, &json!({"contacts": rows, "next": next})))
}

/// Shows a contact as [`put`] takes it: what is not known is left out.
fn show(contact: &Contact) -> Value {
    let person = &contact.person;
    let known =
        |name: &str, value: &Option<String>| value.clone().map(|value| (name.to_owned(), Value::from(value)));
    let mut row: Map<_, _> =
        person.addresses.iter().map(|(channel, a)| (channel.name().to_owned(), a.clone().into())).collect();
    row.insert("id".into(), contact.id.clone().into());
    row.insert("name".into(), contact.name.clone().into());
    row.insert("audiences".into(), person.audiences.clone().into());
    row.insert("consent".into(), contact.consent.clone().into());
    row.extend(known("language", &person.language));
    row.extend(known("region", &person.region));
    row.extend(known("sector", &person.sector));
    row.extend(known("deputy", &contact.deputy));
    row.into()
}

#[cfg(test)]
mod tests {
    use super::super::call::from_json;
    use super::*;

    #[test]
    fn what_a_row_leaves_out_is_lost_and_named() {
        let read = |row: Value| {
            let rows =
                from_json::<Body>(json!({"contacts": [row]}).to_string().as_bytes()).ok().unwrap().contacts;
            check_all(rows).ok().unwrap().remove(0)
        };
        let known = read(
            json!({"id": "c-1", "name": "Amal", "language": "ar", "region": "east", "audiences": ["staff"],
            "sms": "+970599000001", "email": "a@example.org", "consent": "2026-01", "deputy": "c-2"}),
        );
        let narrow = read(json!({"id": "c-1", "name": "Amal", "sms": "+970599000009"}));
        assert_eq!(
            left_out_of(&narrow, &known),
            ["language", "region", "audiences", "consent", "deputy", "email"],
            "another number is no loss"
        );
        assert!(left_out_of(&known, &narrow).is_empty());
        assert_eq!(left_out_of(&read(json!({"id": "c-1", "sms": "+970599000009"})), &narrow), ["name"]);
    }

    #[test]
    fn rows_are_checked_all_at_once_and_come_back_as_they_went_in() {
        let rows = from_json::<Body>(
            r#"{"contacts": [{"id": "c-17", "name": "Amal", "language": "ar", "region": "east",
                "audiences": ["residents-s"], "sms": "00970 599 000 001", "consent": "2026-01", "deputy": ""}]}"#
                .as_bytes(),
        );
        let contacts = check_all(rows.ok().unwrap().contacts).ok().unwrap();
        let shown = show(&contacts[0]);
        assert_eq!((&shown["sms"], shown.get("deputy")), (&json!("+970599000001"), None));
        let again =
            from_json::<Body>(json!({"contacts": [shown]}).to_string().as_bytes()).ok().unwrap().contacts;
        assert!(check_all(again).is_ok_and(|again| again == contacts));

        let bad =
            from_json::<Body>(br#"{"contacts": [{"id": "a", "sms": "0599"}, {"id": "b"}, {"id": "b"}, {}]}"#);
        let problem = check_all(bad.ok().unwrap().contacts).unwrap_err();
        assert!(problem.detail().starts_with("3 of the rows"), "{}", problem.detail());
    }
}
