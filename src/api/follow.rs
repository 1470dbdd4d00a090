//! What alerting systems tell is told in turns: an alert, the same with other words, its end. Each turn is a message, and the
//! next one withdraws what the last has not yet sent, and goes to whoever may have got it as well as to its own audience.
//!
//! Limits: [`LOOK_BACK_MAX`], [`CHAIN_MAX`].

use super::App;
use super::call::{Answer, json};
use super::correct::may_have_got;
use super::intake::{Checked, To};
use super::messages::refusal;
use super::people::{self, Crowd, People};
use super::problem::{Kind, Problem};
use crate::core::effect::Reply;
use crate::core::ids::MessageId;
use crate::core::input::{Command, IdempotencyKey};
use crate::core::message::{Message, RECIPIENTS_MAX, Recipient};
use crate::core::query::{Answer as Found, Query, ROWS_MAX};
use crate::core::time::Timestamp;
use axum::http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many messages are looked through for those that an alerting system made.
const LOOK_BACK_MAX: usize = 10_000;
/// The longest chain of corrections that is followed.
const CHAIN_MAX: usize = 1_000;

/// What is asked for beside what is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To send it.
    ToSend,
    /// To say what would become of it, and change nothing.
    ForForecast,
}

/// One turn of an alerting system, on its way to be a message.
pub(super) struct Turn<'a> {
    pub(super) app: &'a Arc<App>,
    pub(super) who: String,
    pub(super) asked: Asked,
}

/// Who gets it, and what the answer says of that.
#[derive(Default)]
pub(super) struct Readers {
    pub(super) people: Vec<Recipient>,
    pub(super) audiences: Vec<String>,
    pub(super) without_address: u32,
    pub(super) told: Map<String, Value>,
}

impl Turn<'_> {
    /// Looks up the people of these audiences. One that nobody belongs to keeps the alert from nobody else; where `others`
    /// get it in any case, even no one is no mistake.
    pub(super) async fn audience(
        &self,
        mut named: BTreeSet<String>,
        others: bool,
    ) -> Result<(Readers, Option<Crowd>), Problem> {
        let (mut told, mut empty) = (Map::new(), Vec::new());
        loop {
            let to = named.iter().map(|name| To { audience: Some(name.clone()), ..To::default() }).collect();
            match people::gather(self.app, to).await {
                Ok((People { recipients, audiences, without_address }, crowd)) => {
                    told.extend((!empty.is_empty()).then(|| ("empty_audiences".to_owned(), empty.into())));
                    return Ok((Readers { people: recipients, audiences, without_address, told }, crowd));
                }
                Err(problem) => {
                    let name = problem.member("name").filter(|name| named.len() > 1 && named.contains(*name));
                    match name {
                        Some(name) => empty.extend(named.take(name)),
                        None if others && problem.kind() == Kind::BadValue => {
                            empty.extend(named);
                            told.insert("empty_audiences".into(), empty.into());
                            return Ok((Readers { told, ..Readers::default() }, None));
                        }
                        None => return Err(problem),
                    }
                }
            }
        }
    }

    /// Lets nothing more of these messages leave, and says how many deliveries that stopped.
    pub(super) async fn withdraw(
        &self,
        messages: &[Arc<Message>],
        act: impl Fn(MessageId) -> Command,
    ) -> Result<u32, Problem> {
        let mut stopped = 0;
        if self.asked == Asked::ForForecast {
            return Ok(stopped);
        }
        for message in messages {
            match self.app.service.command(self.who.clone(), act(message.id)).await? {
                Reply::Done { changed } => stopped += changed,
                // It has settled, or was withdrawn before: there is nothing to stop.
                Reply::NotFound | Reply::Refused(_) => {}
                other => return Err(refusal(other)),
            }
        }
        Ok(stopped)
    }

    /// Adds whoever may have got something of these messages, and is not there yet.
    pub(super) async fn add_those_who_got(
        &self,
        of: &[Arc<Message>],
        readers: &mut Readers,
    ) -> Result<(), Problem> {
        let mut known: BTreeSet<String> = readers.people.iter().filter_map(|p| p.contact.clone()).collect();
        let mut nameless = BTreeSet::new();
        for message in of {
            for person in may_have_got(self.app, message).await? {
                let new = match &person.contact {
                    _ if person.addresses.is_empty() => false,
                    Some(contact) => known.insert(contact.clone()),
                    None => nameless.insert(person.addresses.clone()),
                };
                if new {
                    readers.people.push(person);
                }
            }
        }
        match readers.people.len() > RECIPIENTS_MAX {
            true => {
                Err(Problem::new(Kind::TooLarge, format!("a message is for at most {RECIPIENTS_MAX} people")))
            }
            false => Ok(()),
        }
    }

    /// Hands it over to be sent, or to be forecast.
    pub(super) async fn hand_over(
        &self,
        checked: Checked,
        readers: Readers,
        corrects: Option<MessageId>,
        key: IdempotencyKey,
    ) -> Answer {
        let Readers { people, audiences, without_address, mut told } = readers;
        if people.is_empty() {
            // Nobody got what is changed, and nobody else is meant.
            told.extend([("id".to_owned(), Value::Null), ("deliveries".to_owned(), 0.into())]);
            let status = if self.asked == Asked::ToSend { StatusCode::ACCEPTED } else { StatusCode::OK };
            return Ok(json(status, &told.into()));
        }
        let accept = checked.accept(self.who.clone(), audiences, people, corrects, Some(key));
        if self.asked == Asked::ForForecast {
            let forecasted = self.app.service.forecast(accept).await?;
            let shown = super::forecast::shown(forecasted, self.app.service.now(), without_address)?;
            return Ok(json(StatusCode::OK, &shown));
        }
        match self.app.service.accept(accept).await? {
            Reply::Accepted { message, deliveries } => {
                told.extend([
                    ("id".to_owned(), message.to_string().into()),
                    ("deliveries".to_owned(), deliveries.into()),
                ]);
                if without_address > 0 {
                    told.insert("without_address".into(), without_address.into());
                }
                let mut response = json(StatusCode::ACCEPTED, &told.into());
                if let Ok(place) = HeaderValue::try_from(format!("/v1/messages/{message}")) {
                    response.headers_mut().insert(header::LOCATION, place);
                }
                Ok(response)
            }
            other => Err(refusal(other)),
        }
    }

    /// Returns the last of the corrections of a message, or the message itself.
    pub(super) async fn end_of_chain(&self, id: MessageId) -> Result<MessageId, Problem> {
        let mut end = id;
        for _ in 0..CHAIN_MAX {
            match self.app.service.read(Query::CorrectionOf(end)).await? {
                Found::Correction(by) => end = by,
                _ => break,
            }
        }
        Ok(end)
    }

    /// Looks through the messages accepted since then, newest first, until `seen` says that it has seen enough.
    pub(super) async fn look_back(
        &self,
        since: Timestamp,
        mut seen: impl FnMut(&Arc<Message>) -> bool,
    ) -> Result<(), Problem> {
        let (mut before, mut count) = (None, 0);
        while count < LOOK_BACK_MAX {
            let query = Query::Messages { before, limit: ROWS_MAX };
            let Found::Messages(rows) = self.app.service.read(query).await? else { return Ok(()) };
            for (message, _) in &rows {
                if message.accepted_at < since || seen(message) {
                    return Ok(());
                }
            }
            if rows.len() < ROWS_MAX {
                return Ok(());
            }
            before = rows.last().map(|(message, _)| message.id);
            count += rows.len();
        }
        Ok(())
    }
}
