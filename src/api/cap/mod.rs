//! `POST /v1/cap`: OASIS CAP 1.2 in. An Alert is a message; an Update corrects what came of the earlier alerts, and goes to
//! the rest of its own audience as well; a Cancel recalls them and tells whoever may have got them.
//!
//! Whom an alert is for is in the configuration (`[cap]`), because an alert names areas and not people. Its shapes are
//! checked and not searched: the address book has no places.
//!
//! What is not sent out: a Draft is refused, since CAP calls it not actionable; Test (which all recipients are to disregard)
//! and System (for the network itself) are read to the end, answered with whom they would have been for, and not sent; an
//! Exercise is a drill. Ack and Error are answered and change nothing. A signature is not checked, and the answer says so.
//!
//! Invariant: an alert is known by its sender, identifier and time of sending, whoever brings it: brought again it makes
//! nothing new, with other content it is refused.
//!
//! Limits: [`CAP_BYTES_MAX`], those of [`xml`] and of [`follow`](super::follow).
//!
//! Cites: OASIS Common Alerting Protocol 1.2, sections 3.2 and 3.3.

mod alert;
mod form;
mod text;
mod xml;

use super::App;
use super::call::{Answer, Call, json};
use super::follow::{Asked, Readers, Turn};
use super::intake::Checked;
use super::messages::{accepted, digests, known, place_for};
use super::people::{self, Crowd};
use super::problem::{Kind, Problem};
use crate::core::input::{Command, IdempotencyKey};
use crate::core::message::{Message, Status};
use crate::core::query::{Answer as Found, Query};
use crate::core::reply::Asks;
use crate::core::time::{Span, Timestamp};
use crate::settings::Cap;
use alert::{Alert, Audience, MsgType, Words};
use axum::http::StatusCode;
use form::{Element, Reference};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The longest body. Public alerts have 5 to 200 KiB; a picture within one may have the rest.
const CAP_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How much earlier than an alert says that it was sent it may have been taken: clocks differ, and so do zones taken wrongly.
const CLOCKS_DIFFER: Span = Span::from_hours(24);

/// `POST /v1/cap`.
pub(crate) async fn take(app: Arc<App>, mut call: Call) -> Answer {
    let asked = match call.query(&["dry_run"])?.get::<bool>("dry_run")? {
        Some(true) => Asked::ForForecast,
        Some(false) | None => Asked::ToSend,
    };
    call.expect_media(&["application/cap+xml", "application/xml", "text/xml"], "CAP 1.2 as XML")?;
    let _place = place_for(&app, call.length()).await?;
    let bytes = call.bytes(CAP_BYTES_MAX).await?;
    let alert = read(&bytes)?;
    let key = key_of(&alert.me, &bytes);
    if asked == Asked::ToSend
        && let Some(answer) = known(&app, Some(key)).await?
    {
        return answer;
    }
    let Some(status) = alert.status else {
        let why = "a Draft is not to be acted on; send it again when its status is Actual or Exercise";
        return Err(Problem::new(Kind::BadValue, why).with("key", "status"));
    };
    let turn = Turn { app: &app, who: call.caller.who.clone(), asked };
    let taking = Taking { turn, alert: &alert, status, key };
    match (alert.kind, status) {
        (MsgType::Ack, _) => {
            noted(&alert, "an Ack says that others took an alert; there is nothing to send", None)
        }
        (MsgType::Error, _) => {
            noted(&alert, "an Error says that others refused an alert; its <note> says why", None)
        }
        (_, Status::Test | Status::System) if asked == Asked::ToSend => {
            let audience = alert.audience(&app.config.feeds.get().cap);
            noted(&alert, "a Test or System alert is not for people; it was read to the end", Some(&audience))
        }
        (MsgType::Alert, _) => taking.send(Vec::new()).await,
        (MsgType::Update, _) => taking.send(taking.earlier().await?).await,
        (MsgType::Cancel, _) => taking.cancel(taking.earlier().await?).await,
    }
}

/// Reads an alert.
fn read(body: &[u8]) -> Result<Alert, Problem> {
    Alert::of(Element::alert(xml::document(xml::text(body)?)?.root_element())?)
}

/// Reads an alert to its end, and sends nothing. Returns its words by language, for the audiences that are configured.
pub fn words_of(body: &[u8], cap: &Cap) -> Result<BTreeMap<String, String>, Problem> {
    let alert = read(body)?;
    Ok(alert.words(&alert.audience(cap))?.text)
}

/// Derives the key of an alert: the same for everybody who brings it.
fn key_of(of: &Reference, body: &[u8]) -> IdempotencyKey {
    // No caller's own key has such bytes.
    digests(
        &[b"\x01cap\0", of.sender.as_bytes(), b"\0", of.identifier.as_bytes(), b"\0", of.sent.as_bytes()],
        body,
    )
}

/// Answers what was read and makes no message.
fn noted(alert: &Alert, why: &str, audience: Option<&Audience>) -> Answer {
    let mut told = json!({"sent": false, "why": why});
    if let Some(audience) = audience {
        let words = alert.words(audience)?;
        told["audiences"] = audience.named.iter().cloned().collect();
        told["languages"] = words.text.into_keys().collect();
        told["unmapped_areas"] = audience.unmapped.clone().into();
    }
    if alert.signed() {
        told["signature"] = NOT_CHECKED.into();
    }
    Ok(json(StatusCode::OK, &told))
}

const NOT_CHECKED: &str = "not checked";

/// An alert on its way to be a message.
struct Taking<'a> {
    turn: Turn<'a>,
    alert: &'a Alert,
    status: Status,
    key: IdempotencyKey,
}

impl Taking<'_> {
    /// Makes a message of an Alert or an Update. What came of the alerts that it replaces is withdrawn first; whoever may
    /// have got that gets this, and so does everyone for whom it is by its areas.
    async fn send(&self, replaced: Vec<Arc<Message>>) -> Answer {
        self.same_status(&replaced)?;
        if let Some(answer) = self.made_before(&replaced).await? {
            return answer;
        }
        let audience = self.alert.audience(&self.app().config.feeds.get().cap);
        let words = self.alert.words(&audience)?;
        if words.expires.is_some_and(|at| at <= self.app().service.now()) {
            let why =
                "every <expires> of this alert is past, so it is worth nothing any more; nothing was sent";
            return Err(Problem::new(Kind::BadValue, why).with("key", "expires"));
        }
        let (mut readers, mut crowd) = self.audience(audience, !replaced.is_empty()).await?;
        if !replaced.is_empty() {
            if crowd.is_none() {
                crowd = Some(people::crowd(self.app()).await?);
            }
            let act = |message| Command::Correct { message, reason: self.reason() };
            let superseded = self.turn.withdraw(&replaced, act).await?;
            readers.told.insert("superseded".into(), superseded.into());
            readers.told.insert("corrects".into(), replaced[0].id.to_string().into());
            self.turn.add_those_who_got(&replaced, &mut readers).await?;
        }
        let answer = self.hand_over(words, readers, replaced.first()).await;
        drop(crowd);
        answer
    }

    /// Recalls what came of the alerts that a Cancel names, and tells whoever may have got it.
    async fn cancel(&self, recalled: Vec<Arc<Message>>) -> Answer {
        self.same_status(&recalled)?;
        if let Some(answer) = self.made_before(&recalled).await? {
            return answer;
        }
        let Some(newest) = recalled.first() else {
            let why = "no message here was made of an alert that it refers to, so nothing was recalled; where one was sent \
                by other means, cancel it by its own id";
            return Err(Problem::new(Kind::NotFound, why));
        };
        let mut words = self.alert.words(&Audience::default())?;
        // Whoever read the alert reads of its end in the same language, by its headline: what it asked for is over.
        for (language, text) in &newest.text {
            let headline = text.lines().next().unwrap_or_default();
            words.text.entry(language.clone()).or_insert_with(|| headline.to_owned());
        }
        for (language, text) in &mut words.text {
            *text = text::cancelled(language, text);
        }
        // It goes by the same roads, as soon, as what it takes back.
        words.severity = newest.severity;
        words.expires = words.expires.filter(|at| *at > self.app().service.now());
        let _crowd = people::crowd(self.app()).await?;
        let act = |message| Command::Cancel { message, reason: self.reason() };
        let cancelled = self.turn.withdraw(&recalled, act).await?;
        let mut readers = Readers { audiences: newest.audiences.clone(), ..Readers::default() };
        readers.told.insert("cancelled".into(), cancelled.into());
        readers.told.insert("corrects".into(), newest.id.to_string().into());
        self.turn.add_those_who_got(&recalled, &mut readers).await?;
        self.hand_over(words, readers, recalled.first()).await
    }

    fn app(&self) -> &Arc<App> {
        self.turn.app
    }

    fn reason(&self) -> String {
        format!("CAP {:?} {}", self.alert.kind, alert::short(&self.alert.me.identifier))
    }

    /// A drill's end must not be told as meant, nor the other way round.
    fn same_status(&self, of: &[Arc<Message>]) -> Result<(), Problem> {
        match of.iter().all(|message| message.status == self.status) {
            true => Ok(()),
            false => {
                let why = "an Exercise changes exercises alone, and an Actual alert actual ones; send it with their status";
                Err(Problem::new(Kind::Refused, why).with("key", "status"))
            }
        }
    }

    /// Looks up the people of an audience. Where others get it in any case, an audience of nobody is no mistake.
    async fn audience(&self, of: Audience, others: bool) -> Result<(Readers, Option<Crowd>), Problem> {
        let (mut readers, crowd) = match of.named.is_empty() {
            false => self.turn.audience(of.named, others).await?,
            true if others => Default::default(),
            true => {
                let why = "no audience is configured for what this alert says of its areas; add a `[[cap.map]]` for it to \
                    wasl.toml, or `default` to its [cap] for every public alert";
                return Err(Problem::new(Kind::BadValue, why).with("key", "area"));
            }
        };
        if !of.unmapped.is_empty() {
            readers.told.insert("unmapped_areas".into(), of.unmapped.into());
        }
        Ok((readers, crowd))
    }

    async fn hand_over(&self, words: Words, mut readers: Readers, of: Option<&Arc<Message>>) -> Answer {
        if !words.cut.is_empty() {
            readers.told.insert("cut".into(), words.cut.into());
        }
        if self.alert.signed() {
            readers.told.insert("signature".into(), NOT_CHECKED.into());
        }
        let checked = Checked {
            severity: words.severity,
            urgency: words.urgency,
            status: self.status,
            incident: of.and_then(|message| message.incident.clone()).or_else(|| Some(self.alert.incident())),
            expires: words.expires,
            to: Vec::new(),
            text: words.text,
            template: None,
            tags: self.alert.tags(),
            asks: Asks::NOTHING,
        };
        self.turn.hand_over(checked, readers, of.map(|message| message.id), self.key).await
    }

    /// Answers for an alert that made its message before: while this one was looked up, so that what it `changes` ends with
    /// that very message, which must not withdraw itself; or longer ago than keys are kept.
    async fn made_before(&self, changes: &[Arc<Message>]) -> Result<Option<Answer>, Problem> {
        if self.turn.asked == Asked::ForForecast {
            return Ok(None);
        }
        let made = match changes.iter().find(|message| is_of(message, &self.alert.me)) {
            Some(made) => Some(Arc::clone(made)),
            None => self.made_long_ago().await?,
        };
        let Some(made) = made else { return Ok(None) };
        // The key knows whether it said the same, as long as it is kept.
        let known = known(self.app(), Some(self.key)).await?;
        Ok(Some(known.unwrap_or_else(|| Ok(accepted(made.id, made.recipients, &[])))))
    }

    async fn made_long_ago(&self) -> Result<Option<Arc<Message>>, Problem> {
        if self.app().service.now().since(self.alert.sent) < KEYS_ARE_KEPT {
            return Ok(None);
        }
        let one = [self.alert.me.clone()];
        Ok(self.look_back(&one, self.alert.sent).await?.into_values().next())
    }

    /// Finds what came of the alerts that this one refers to: the last of each chain of corrections, newest first.
    async fn earlier(&self) -> Result<Vec<Arc<Message>>, Problem> {
        let service = &self.app().service;
        let (mut ids, mut unknown) = (BTreeSet::new(), Vec::new());
        for reference in &self.alert.references {
            match service.read(Query::Idempotency(key_of(reference, b""))).await? {
                Found::Idempotency(_, message, _) => {
                    ids.insert(message);
                }
                _ => unknown.push(reference.clone()),
            }
        }
        let since = unknown.iter().filter_map(|reference| form::time(&reference.sent)).min();
        if let Some(since) = since {
            ids.extend(self.look_back(&unknown, since).await?.into_values().map(|message| message.id));
        }
        let mut ends = BTreeSet::new();
        for id in ids {
            ends.insert(self.turn.end_of_chain(id).await?);
        }
        let mut messages = Vec::new();
        for id in ends.into_iter().rev() {
            if let Found::Message(message, _) = service.read(Query::Message(id)).await? {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    /// Looks through the messages taken since then for those that these alerts made.
    async fn look_back(
        &self,
        of: &[Reference],
        since: Timestamp,
    ) -> Result<BTreeMap<Reference, Arc<Message>>, Problem> {
        let mut found = BTreeMap::new();
        let seen = |message: &Arc<Message>| {
            if let Some(reference) = of.iter().find(|reference| is_of(message, reference)) {
                found.insert(reference.clone(), Arc::clone(message));
            }
            found.len() == of.len()
        };
        self.turn.look_back(since - CLOCKS_DIFFER, seen).await?;
        Ok(found)
    }
}

/// How long callers' keys are surely known: half of the time for which they are kept.
const KEYS_ARE_KEPT: Span = Span::from_hours(12);

/// Says whether a message was made of this alert. Its tags are as long as tags may be, and no longer.
fn is_of(message: &Message, alert: &Reference) -> bool {
    let is =
        |tag: &str, value: &str| message.tags.get(tag).is_some_and(|known| *known == alert::short(value));
    is("cap_identifier", &alert.identifier) && is("cap_sender", &alert.sender) && is("cap_sent", &alert.sent)
}
