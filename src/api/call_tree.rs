//! `POST /v1/reach/call-tree`: whom to telephone when no electronic way is left, with the numbers.
//!
//! It gives names and numbers whole, so it is for who may see the address book, and it is an act: who asked and for how many
//! people is in the record before anybody is named. It is given below the reserve of free disk as well: the sheet is wanted when
//! much else has failed.
//!
//! Limit: [`PEOPLE_MAX`] on one sheet. Whoever can be telephoned comes before who cannot, and the audiences that are to be
//! called first before the others; how many are not on it is said.

use super::App;
use super::audiences;
use super::call::{Answer, BODY_BYTES_MAX, Call, json};
use super::contacts::AUDIENCES_MAX;
use super::intake::check_name;
use super::messages::checked_reason;
use super::problem::Problem;
use super::reach::Who;
use super::service::Change;
use super::show;
use crate::core::channel::Channel;
use crate::core::query::{Answer as Found, Contact, Query, ROWS_MAX};
use crate::core::reach::Roads;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most people on one sheet: 250 hours of calls, at twenty an hour.
pub(crate) const PEOPLE_MAX: usize = 5_000;

/// Where a number to telephone is looked for, best first: what is meant for calls, then what telephones have.
const NUMBERS: [Channel; 5] =
    [Channel::Voice, Channel::Sms, Channel::Whatsapp, Channel::Signal, Channel::Imessage];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default)]
    everybody: bool,
    audience: Option<String>,
    #[serde(default)]
    first: Vec<String>,
    reason: Option<String>,
}

/// Where somebody stands: whom to leave out last, then the group, then the place in it. `true` comes after `false`, and who has
/// no region or sector after those who have.
type Place = (bool, bool, (bool, String), (bool, String), (bool, String), String, String);

/// Who is on the sheet, in their order.
#[derive(Default)]
struct Sheet {
    people: BTreeMap<Place, Contact>,
    left_out: u64,
    without_number: u64,
}

/// `POST /v1/reach/call-tree`.
pub(crate) async fn make(app: Arc<App>, mut call: Call) -> Answer {
    call.query(&[])?;
    let body = call.json::<Body>(BODY_BYTES_MAX).await?;
    if body.first.len() > AUDIENCES_MAX {
        return Err(super::call::bad_value("first", format!("at most {AUDIENCES_MAX} audiences")));
    }
    body.first.iter().chain(&body.audience).try_for_each(|name| check_name("audience", name))?;
    let reason = body.reason.as_deref().map_or(Ok(String::new()), |text| checked_reason(text.to_owned()))?;
    let of = body.audience.iter().map(|name| ("audience", name.as_str()));
    let asked: Vec<_> = of.chain(body.first.iter().map(|name| ("first", name.as_str()))).collect();
    audiences::expect_known(&app, &asked).await?;
    let at = app.service.now();
    let sheet = gather(&app, &body).await?;
    let deputies = deputies(&app, &sheet).await?;
    let on = on_record(&sheet, &body);
    app.service.change(call.caller.who, Change::Act { act: "call-tree", on, reason }).await?;
    let shown: Vec<_> = sheet.people.iter().map(|(place, who)| row(place, who, &deputies)).collect();
    Ok(json(
        StatusCode::OK,
        &json!({
            "at": show::time(at), "everybody": body.everybody, "audience": body.audience, "people": shown,
            "left_out": sheet.left_out, "without_number": sheet.without_number,
        }),
    ))
}

/// Says for the record whom the sheet was of, without naming anybody.
fn on_record(sheet: &Sheet, body: &Body) -> String {
    let of = body.audience.as_ref().map_or(String::new(), |name| format!(" of {name}"));
    let whom = if body.everybody { "" } else { " whom no road reaches" };
    format!("{} people{of}{whom}", sheet.people.len())
}

/// Goes through the whole address book.
async fn gather(app: &App, body: &Body) -> Result<Sheet, Problem> {
    let roads = Roads::of(&app.service.view());
    let wanted = |contact: &Contact| {
        let of = &contact.person.audiences;
        (body.everybody || Who::None.has(roads.to(app.service.open_channels(&contact.person))))
            && body.audience.as_ref().is_none_or(|name| of.contains(name))
    };
    let (mut sheet, mut after) = (Sheet::default(), None);
    loop {
        let asked = Query::Contacts { after, limit: ROWS_MAX };
        let Found::Contacts(page) = app.service.read(asked).await? else { return Ok(sheet) };
        let is_last = page.len() < ROWS_MAX;
        after = page.last().map(|contact| contact.id.clone());
        page.into_iter().filter(wanted).for_each(|contact| sheet.add(contact, &body.first));
        if is_last {
            return Ok(sheet);
        }
    }
}

/// Reads who stands in for those on the sheet.
async fn deputies(app: &App, sheet: &Sheet) -> Result<BTreeMap<String, Contact>, Problem> {
    let mut deputies = BTreeMap::new();
    for id in sheet.people.values().filter_map(|contact| contact.deputy.as_ref()) {
        if deputies.contains_key(id) {
            continue;
        }
        if let Found::Contacts(found) = app.service.read(Query::Contact(id.clone())).await? {
            deputies.extend(found.into_iter().map(|contact| (contact.id.clone(), contact)));
        }
    }
    Ok(deputies)
}

impl Sheet {
    fn add(&mut self, contact: Contact, first: &[String]) {
        let (person, id, name) = (&contact.person, contact.id.clone(), contact.name.clone());
        let has = |name: &Option<String>| (name.is_none(), name.clone().unwrap_or_default());
        let is_first = first.iter().any(|name| person.audiences.contains(name));
        let has_number = number(&contact).is_some();
        self.without_number += u64::from(!has_number);
        let place = (
            !has_number,
            !is_first,
            has(&person.region),
            has(&person.sector),
            has(&person.language),
            name,
            id,
        );
        self.people.insert(place, contact);
        if self.people.len() > PEOPLE_MAX {
            self.people.pop_last();
            self.left_out += 1;
        }
    }
}

/// Returns the number to telephone somebody by, and the channel that it is of.
fn number(contact: &Contact) -> Option<(Channel, &str)> {
    NUMBERS.into_iter().find_map(|channel| {
        let address = contact.person.addresses.get(&channel)?;
        address.starts_with('+').then_some((channel, address.as_str()))
    })
}

fn row(place: &Place, contact: &Contact, deputies: &BTreeMap<String, Contact>) -> Value {
    let (by, number) = number(contact).map_or((None, None), |(by, number)| (Some(by.name()), Some(number)));
    let deputy = contact.deputy.as_ref().map(|id| {
        let known = deputies.get(id);
        json!({
            "contact": id, "name": known.map(|deputy| &deputy.name),
            "number": known.and_then(self::number).map(|(_, number)| number),
        })
    });
    json!({
        "contact": contact.id, "name": contact.name, "number": number, "by": by, "first": !place.1,
        "region": contact.person.region, "sector": contact.person.sector, "language": contact.person.language,
        "deputy": deputy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::Recipient;

    fn contact(id: &str, region: Option<&str>, audience: &str, addresses: &[(Channel, &str)]) -> Contact {
        let person = Recipient {
            region: region.map(str::to_owned),
            audiences: vec![audience.into()],
            addresses: addresses.iter().map(|(channel, a)| (*channel, (*a).to_owned())).collect(),
            ..Recipient::default()
        };
        Contact { id: id.into(), name: id.into(), person, ..Contact::default() }
    }

    #[test]
    fn who_can_call_others_comes_first_and_who_has_no_number_last() {
        let sms = [(Channel::Sms, "+970599000001")];
        let mut sheet = Sheet::default();
        for one in [
            contact("no-number", Some("a"), "staff", &[(Channel::Email, "a@example.org")]),
            contact("elsewhere", None, "residents", &sms),
            contact("west", Some("west"), "residents", &sms),
            contact("east", Some("east"), "residents", &sms),
            contact("nurse", Some("west"), "staff", &sms),
        ] {
            sheet.add(one, &["staff".into()]);
        }
        let order: Vec<_> = sheet.people.values().map(|contact| contact.id.as_str()).collect();
        assert_eq!(order, ["nurse", "east", "west", "elsewhere", "no-number"]);
        assert_eq!((sheet.without_number, sheet.left_out), (1, 0));
    }

    #[test]
    fn a_number_for_calls_goes_before_the_others_and_a_name_is_no_number() {
        let of = |addresses: &[(Channel, &str)]| {
            number(&contact("c", None, "a", addresses)).map(|(channel, _)| channel)
        };
        assert_eq!(of(&[(Channel::Sms, "+1"), (Channel::Voice, "+2")]), Some(Channel::Voice));
        assert_eq!(of(&[(Channel::Signal, "amal.01"), (Channel::Whatsapp, "+1")]), Some(Channel::Whatsapp));
        assert_eq!(of(&[(Channel::Signal, "amal.01"), (Channel::Telegram, "81234567")]), None);
    }

    #[test]
    fn a_sheet_has_an_end_and_says_how_many_are_beyond_it() {
        let mut sheet = Sheet::default();
        for n in 0..PEOPLE_MAX + 7 {
            sheet.add(contact(&format!("c-{n:05}"), None, "a", &[(Channel::Sms, "+1")]), &[]);
        }
        assert_eq!((sheet.people.len(), sheet.left_out), (PEOPLE_MAX, 7));
    }
}
