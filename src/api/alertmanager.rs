//! `POST /v1/alertmanager`: the webhook of a Prometheus Alertmanager, version 4, in. A group that fires is a message; the same
//! group with something changed corrects it; the group's end recalls what was not yet sent and, where that is configured, tells
//! whoever may have got it.
//!
//! A group that fires on unchanged is not told again before the expiry of what was told: Alertmanager repeats itself, and
//! people who are called twice stop to answer. Whom a group is for, how grave its labels are and how long its message holds is
//! in the configuration (`[alertmanager]`). A key that nobody here knows is left aside, as later versions of Alertmanager add
//! some.
//!
//! Limits: [`BYTES_MAX`], [`LISTED_MAX`], [`LOOK_BACK`], those of [`follow`](super::follow).
//!
//! Cites: prometheus.io, Alertmanager configuration, `webhook_config`.

use super::App;
use super::call::{Answer, Call, bad_value, from_json, json};
use super::follow::{Asked, Readers, Turn};
use super::intake::{Checked, NAME_CHARS_MAX, TEXT_CHARS_MAX, check_language};
use super::messages::{digests, place_for};
use super::people;
use super::problem::Problem;
use crate::core::input::{Command, IdempotencyKey};
use crate::core::message::{LANGUAGES_MAX, Message, Severity, Status, Urgency};
use crate::core::query::{Answer as Found, Query};
use crate::core::reply::Asks;
use crate::core::time::Span;
use crate::settings::Alertmanager;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The longest body: some thousands of alerts in one group.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many alerts of a group a text names; of the others it says how many they are.
const LISTED_MAX: usize = 10;
/// How far back a group's message is looked for: what was told longer ago is over for whoever read it.
const LOOK_BACK: Span = Span::from_hours(24 * 7);
/// The longest summary or description of one alert that a text has whole.
const WORDS_CHARS_MAX: usize = 500;

/// What Alertmanager sends.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    version: String,
    group_key: String,
    #[serde(default)]
    truncated_alerts: u64,
    status: String,
    #[serde(default)]
    receiver: String,
    #[serde(default, rename = "externalURL")]
    external_url: String,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    starts_at: String,
    #[serde(default)]
    fingerprint: String,
}

/// The tags by which a group's message is found again.
const GROUP: &str = "alertmanager_group";
const STATE: &str = "alertmanager_state";
/// What the state is called where nothing fires any more.
const RESOLVED: &str = "resolved";

/// `POST /v1/alertmanager`.
pub(crate) async fn take(app: Arc<App>, mut call: Call) -> Answer {
    let asked = match call.query(&["dry_run"])?.get::<bool>("dry_run")? {
        Some(true) => Asked::ForForecast,
        Some(false) | None => Asked::ToSend,
    };
    call.expect_json()?;
    let _place = place_for(&app, call.length()).await?;
    let group: Group = from_json(&call.bytes(BYTES_MAX).await?)?;
    group.check()?;
    let settings = app.config.feeds.get();
    let turn = Turn { app: &app, who: call.caller.who, asked };
    let taking = Taking { name: group.name(), turn, settings: &settings.alertmanager, group: &group };
    let told = taking.told_last().await?;
    match group.firing().next() {
        Some(_) => taking.fires(told).await,
        None => taking.is_over(told).await,
    }
}

/// Answers what changes nothing.
fn noted(why: &str, told: Option<&Message>) -> Answer {
    let mut noted = json!({"sent": false, "why": why});
    if let Some(message) = told {
        noted["message"] = message.id.to_string().into();
    }
    Ok(json(StatusCode::OK, &noted))
}

/// A group on its way to be a message.
struct Taking<'a> {
    turn: Turn<'a>,
    settings: &'a Alertmanager,
    group: &'a Group,
    /// The group's key as a short name.
    name: String,
}

impl Taking<'_> {
    /// Finds the last message that told of this group.
    async fn told_last(&self) -> Result<Option<Arc<Message>>, Problem> {
        let mut last = None;
        let seen = |message: &Arc<Message>| {
            let is = message.tags.get(GROUP) == Some(&self.name);
            if is {
                last = Some(Arc::clone(message));
            }
            is
        };
        self.turn.look_back(self.turn.app.service.now() - LOOK_BACK, seen).await?;
        Ok(last)
    }

    /// Says whether a message still holds: it tells of what fires, and has not expired. One that an operator has cancelled
    /// holds too: what he has stopped does not come back by being repeated.
    fn holds(&self, message: &Message) -> bool {
        let now = self.turn.app.service.now();
        let over = message.tags.get(STATE).is_some_and(|state| state == RESOLVED);
        !over && message.expires.is_none_or(|at| at > now)
    }

    /// Tells of a group that fires, unless it was told as it is.
    async fn fires(&self, told: Option<Arc<Message>>) -> Answer {
        let state = self.group.state();
        let replaced: Vec<_> = told.iter().filter(|message| self.holds(message)).cloned().collect();
        if let Some(same) = replaced.iter().find(|message| message.tags.get(STATE) == Some(&state)) {
            return noted("the group fires on as it was told, and that has not expired", Some(same));
        }
        let text = self.group.text(&self.settings.language)?;
        let (mut readers, mut crowd) = self.turn.audience(self.audiences()?, !replaced.is_empty()).await?;
        if let Some(message) = replaced.first() {
            if crowd.is_none() {
                crowd = Some(people::crowd(self.turn.app).await?);
            }
            let act = |message| Command::Correct { message, reason: "the group has changed".into() };
            let superseded = self.turn.withdraw(&replaced, act).await?;
            readers.told.insert("superseded".into(), superseded.into());
            readers.told.insert("corrects".into(), message.id.to_string().into());
            self.turn.add_those_who_got(&replaced, &mut readers).await?;
        }
        let severity = self.group.severity(self.settings);
        let answer = self.hand_over(state, severity, text, readers, told.as_deref(), replaced.first()).await;
        drop(crowd);
        answer
    }

    /// Ends what was told of a group.
    async fn is_over(&self, told: Option<Arc<Message>>) -> Answer {
        let fired = told.filter(|message| message.tags.get(STATE).is_some_and(|state| state != RESOLVED));
        let Some(message) = fired else {
            return noted("nothing that was told of this group holds any more", None);
        };
        if let Found::Correction(_) = self.turn.app.service.read(Query::CorrectionOf(message.id)).await? {
            return noted("its end was told before", Some(&message));
        }
        let _crowd = people::crowd(self.turn.app).await?;
        let replaced = [Arc::clone(&message)];
        let act = |message| Command::Cancel { message, reason: "the group is resolved".into() };
        let cancelled = self.turn.withdraw(&replaced, act).await?;
        let mut readers = Readers { audiences: message.audiences.clone(), ..Readers::default() };
        readers.told.insert("cancelled".into(), cancelled.into());
        if self.settings.tell_resolved {
            readers.told.insert("corrects".into(), message.id.to_string().into());
            self.turn.add_those_who_got(&replaced, &mut readers).await?;
        }
        let mut text = message.text.clone();
        for (language, words) in &mut text {
            *words = resolved(language, words);
        }
        let state = RESOLVED.to_owned();
        self.hand_over(state, message.severity, text, readers, Some(&message), Some(&message)).await
    }

    async fn hand_over(
        &self,
        state: String,
        severity: Severity,
        text: BTreeMap<String, String>,
        readers: Readers,
        after: Option<&Message>,
        corrects: Option<&Arc<Message>>,
    ) -> Answer {
        let key = self.key(&state, after);
        let tags = [
            (GROUP, self.name.clone()),
            (STATE, state),
            ("alertmanager_receiver", short(&self.group.receiver)),
            ("alertmanager_url", short(&self.group.external_url)),
        ];
        let checked = Checked {
            severity,
            urgency: Urgency::Unknown,
            status: Status::Actual,
            incident: Some(self.name.clone()),
            expires: Some(self.turn.app.service.now() + self.settings.expiry),
            to: Vec::new(),
            text,
            template: None,
            tags: tags
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(n, v)| (n.to_owned(), v))
                .collect(),
            asks: Asks::NOTHING,
        };
        self.turn.hand_over(checked, readers, corrects.map(|message| message.id), key).await
    }

    /// Derives the key of this turn of the group: two who bring it at once bring it once.
    fn key(&self, state: &str, after: Option<&Message>) -> IdempotencyKey {
        let after = after.map(|message| message.id.to_string()).unwrap_or_default();
        let group = self.group.group_key.as_bytes();
        digests(&[b"\x01alertmanager\0", group, b"\0", state.as_bytes(), b"\0", after.as_bytes()], b"")
    }

    fn audiences(&self) -> Result<BTreeSet<String>, Problem> {
        let says = |value: Option<&String>, entry: &crate::settings::AlertmanagerEntry| {
            value.is_some_and(|value| entry.says(value))
        };
        let meant = self.settings.entries.iter().filter(|entry| match &entry.label {
            None => entry.says(&self.group.receiver),
            Some(label) => self.group.firing().any(|alert| says(alert.labels.get(label), entry)),
        });
        let mut named: BTreeSet<String> = meant.flat_map(|entry| entry.audiences.iter().cloned()).collect();
        if named.is_empty() {
            named.extend(self.settings.default.iter().cloned());
        }
        match named.is_empty() {
            true => {
                let why = "no audience is configured for this receiver and these labels; add a `[[alertmanager.map]]` to \
                    wasl.toml, or `default` to its [alertmanager]";
                Err(bad_value("receiver", why))
            }
            false => Ok(named),
        }
    }
}

impl Group {
    fn check(&self) -> Result<(), Problem> {
        if self.version != "4" {
            return Err(bad_value("version", "version 4 of Alertmanager's webhook is taken"));
        }
        if self.group_key.trim().is_empty() {
            return Err(bad_value("groupKey", "it is empty, so nobody can tell one group from another"));
        }
        let known = |status: &str| matches!(status, "firing" | "resolved");
        if !known(&self.status) || !self.alerts.iter().all(|alert| known(&alert.status)) {
            return Err(bad_value("status", "a status is firing or resolved"));
        }
        match self.alerts.is_empty() {
            true => Err(bad_value("alerts", "a group has at least one alert")),
            false => Ok(()),
        }
    }

    /// Returns the alerts that fire: none where the group is resolved.
    fn firing(&self) -> impl Iterator<Item = &Alert> {
        let fires = self.status == "firing";
        self.alerts.iter().filter(move |alert| fires && alert.status == "firing")
    }

    /// Returns a name for the group that is short and its own.
    fn name(&self) -> String {
        let head: String = short(&self.group_key).chars().take(NAME_CHARS_MAX - 20).collect();
        format!("{head} {}", hex(&digests(&[self.group_key.as_bytes()], b"").key[..8]))
    }

    /// Returns a digest of all that is told of what fires.
    fn state(&self) -> String {
        let mut alerts: Vec<_> = self
            .firing()
            .map(|alert| (&alert.fingerprint, &alert.starts_at, &alert.labels, &alert.annotations))
            .collect();
        alerts.sort();
        hex(&digests(&[format!("{alerts:?}").as_bytes()], b"").key)
    }

    fn severity(&self, settings: &Alertmanager) -> Severity {
        let words = self.firing().filter_map(|alert| alert.labels.get(&settings.severity_label));
        let known = words.filter_map(|word| settings.severities.get(&word.to_lowercase()).copied());
        known.min().unwrap_or(Severity::Unknown)
    }

    /// Puts together what the alerts say, in each language that one of them speaks.
    fn text(&self, default: &str) -> Result<BTreeMap<String, String>, Problem> {
        let mut languages = BTreeSet::from([default.to_owned()]);
        for name in self.firing().flat_map(|alert| alert.annotations.keys()) {
            let tag = name.strip_prefix("summary_").or_else(|| name.strip_prefix("description_"));
            languages
                .extend(tag.map(|tag| tag.replace('_', "-")).filter(|tag| check_language("", tag).is_ok()));
        }
        if languages.len() > LANGUAGES_MAX {
            return Err(bad_value(
                "annotations",
                format!("a group speaks at most {LANGUAGES_MAX} languages"),
            ));
        }
        Ok(languages.into_iter().map(|language| (language.clone(), self.text_in(&language))).collect())
    }

    fn text_in(&self, language: &str) -> String {
        let mut said: Vec<String> = Vec::new();
        let mut left = self.truncated_alerts;
        let alone = self.firing().nth(1).is_none();
        for alert in self.firing() {
            let words = alert.words(language, alone);
            if said.contains(&words) {
                continue;
            }
            match said.len() < LISTED_MAX {
                true => said.push(words),
                false => left += 1,
            }
        }
        let more = (left > 0).then(|| match language.split('-').next() {
            Some("ar") => format!("وغير ذلك: {left}"),
            _ => format!("and {left} more"),
        });
        let lines =
            said.into_iter().map(|words| if alone { words } else { format!("- {words}") }).chain(more);
        cut(&lines.collect::<Vec<_>>().join("\n"), TEXT_CHARS_MAX)
    }
}

impl Alert {
    /// Says what an alert says in a language; where it has no words, its name and where it is. Alone, with its description.
    fn words(&self, language: &str, alone: bool) -> String {
        let summary = self.annotation("summary", language);
        let description = self.annotation("description", language);
        let text = match (summary, description) {
            (Some(summary), Some(description)) if alone => format!("{summary}\n\n{description}"),
            (Some(words), _) | (None, Some(words)) => words,
            (None, None) => {
                let of = |label: &str| self.labels.get(label).map(|value| printable(value));
                match (of("alertname"), of("instance").or_else(|| of("job"))) {
                    (Some(name), Some(place)) => format!("{name} ({place})"),
                    (Some(name), None) => name,
                    (None, _) => "alert".to_owned(),
                }
            }
        };
        text.trim().to_owned()
    }

    /// Returns an annotation in a language, else in the one that names none.
    fn annotation(&self, name: &str, language: &str) -> Option<String> {
        let of = |key: &str| self.annotations.get(key).map(|words| cut(&printable(words), WORDS_CHARS_MAX));
        let named = of(&format!("{name}_{language}"))
            .or_else(|| of(&format!("{name}_{}", language.replace('-', "_"))));
        named.or_else(|| of(name)).filter(|words| !words.is_empty())
    }
}

/// Says before the words of a group that it is over.
fn resolved(language: &str, text: &str) -> String {
    let said = match language.split('-').next() {
        Some("ar") => "انتهى",
        _ => "Resolved",
    };
    cut(&format!("{said}: {text}"), TEXT_CHARS_MAX)
}

/// Takes out of a text what cannot be shown, and keeps its lines.
fn printable(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect::<String>();
    plain.trim().to_owned()
}

/// Makes a tag's value of a text.
fn short(text: &str) -> String {
    cut(&printable(text).replace('\n', " "), NAME_CHARS_MAX)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
