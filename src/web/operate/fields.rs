//! What a form of the page carries, and the call of the interface that it stands for.
//!
//! A form is the call in other clothes: it is written as the call's own JSON and given to the call's own handler, so
//! that what a person may do by hand is what a program may, with the same checks and the same record.

use super::{Act, typed};
use crate::api::call::{Call, bad_value, unknown_key};
use crate::api::form;
use crate::api::problem::{Kind, Problem};
use crate::api::show;
use crate::core::time::{Span, Timestamp};
use axum::body::Body;
use axum::http::{HeaderValue, Request, Uri};
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};

/// For how long a message may be worth something, and planned work may last: in minutes, as the forms offer them.
pub(super) const LIVES: [u32; 6] = [30, 60, 120, 360, 1_440, 4_320];
/// The languages that a text may be written in on the page.
pub(super) const TEXTS: [(&str, &str); 2] = [("ar", "text-ar"), ("en", "text-en")];

/// The step of a form that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// What it would do.
    Preview,
    /// Back to the form.
    Edit,
    /// Do it.
    Confirm,
}

/// The fields as they were sent.
#[derive(Clone, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form; a name that the act's form does not have is refused.
    pub(super) fn read(bytes: &[u8], act: Act) -> Result<Fields, Problem> {
        let pairs = std::str::from_utf8(bytes).ok().and_then(form::pairs);
        let pairs = pairs.ok_or_else(|| Problem::new(Kind::Unreadable, "the form cannot be read"))?;
        match pairs.iter().find(|(name, _)| !act.fields().contains(&name.as_str())) {
            Some((name, _)) => Err(unknown_key(name, act.fields().iter().copied())),
            None => Ok(Fields(pairs)),
        }
    }

    /// Builds fields with one value: a form that is begun from elsewhere.
    pub(super) fn begun(pairs: &[(&str, Option<&str>)]) -> Fields {
        let given = pairs.iter().filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?.to_owned())));
        Fields(given.collect())
    }

    /// Returns a field's value; what was not sent is empty.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.trim())
    }

    pub(super) fn step(&self) -> Step {
        match self.get("step") {
            "confirm" => Step::Confirm,
            "edit" => Step::Edit,
            _ => Step::Preview,
        }
    }

    /// Returns what the form is to carry on to the next step.
    pub(super) fn carried(&self) -> impl Iterator<Item = (&str, &str)> {
        const OF_ONE_STEP: [&str; 6] = ["csrf", "step", "key", "sure", "expires", "until"];
        let carried =
            self.0.iter().filter(|(name, value)| !OF_ONE_STEP.contains(&name.as_str()) && !value.is_empty());
        carried.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the end that was chosen: as an instant, where it was fixed already, else so long from now.
    pub(super) fn end(&self, now: Timestamp) -> Result<Option<String>, Problem> {
        let fixed = [self.get("until"), self.get("expires")].into_iter().find(|text| !text.is_empty());
        if let Some(fixed) = fixed {
            return Ok(Some(fixed.to_owned()));
        }
        match self.get("life") {
            "" => Ok(None),
            text => match text.parse().ok().filter(|minutes| LIVES.contains(minutes)) {
                Some(minutes) => Ok(Some(show::time(now + Span::from_mins(i64::from(minutes))))),
                None => Err(bad_value("life", "choose one of the lengths of time")),
            },
        }
    }

    /// Says whether a drill is for everybody.
    pub(super) fn everybody(&self) -> bool {
        !self.get("everybody").is_empty()
    }

    /// Returns the reason, which every act but a message has.
    pub(super) fn reason(&self) -> Result<&str, Problem> {
        match self.get("reason") {
            "" => Err(bad_value("reason", "say why")),
            reason => Ok(reason),
        }
    }

    /// Returns the texts by language.
    pub(super) fn texts(&self) -> Vec<(&'static str, String)> {
        let text = |(language, name): &(&'static str, &str)| {
            let text = self.get(name).replace("\r\n", "\n");
            (!text.is_empty()).then_some((*language, text))
        };
        TEXTS.iter().filter_map(text).collect()
    }

    /// Returns the people who were typed.
    pub(super) fn people(&self) -> Result<Vec<typed::Person>, Problem> {
        typed::read(self.get(typed::FIELD))
    }

    /// Writes the message that the form describes.
    pub(super) fn message(&self, end: Option<&str>) -> Result<Value, Problem> {
        let list = |name: &str, key: &str| -> Vec<Value> {
            let names = self.get(name).split(['\n', '\r', ',', ';', '،', '؛']).map(str::trim);
            names.filter(|name| !name.is_empty()).map(|name| json!({key: name})).collect()
        };
        let mut body = Map::new();
        for name in ["severity", "urgency", "status", "incident"] {
            if !self.get(name).is_empty() {
                body.insert(name.into(), self.get(name).into());
            }
        }
        let mut to = list("audiences", "audience");
        to.extend(list("contacts", "contact"));
        to.extend(self.people()?.iter().map(typed::Person::entry));
        body.insert("to".into(), to.into());
        self.words(&mut body, end);
        Ok(body.into())
    }

    /// Writes the correction that the form describes.
    pub(super) fn correction(&self, end: Option<&str>) -> Result<Value, Problem> {
        let mut body = Map::new();
        body.insert("reason".into(), self.reason()?.into());
        self.words(&mut body, end);
        Ok(body.into())
    }

    fn words(&self, body: &mut Map<String, Value>, end: Option<&str>) {
        let texts = self.texts().into_iter().map(|(language, text)| (language.to_owned(), text.into()));
        body.insert("text".into(), Value::Object(texts.collect()));
        if let Some(end) = end {
            body.insert("expires".into(), end.into());
        }
    }
}

/// Writes the call of the interface that a form stands for, in the name of the same caller.
pub(super) fn as_call(
    call: &Call,
    params: &[(&str, &str)],
    query: &str,
    key: Option<&str>,
    body: &Value,
) -> Call {
    let (mut parts, ()) = Request::new(()).into_parts();
    if let Ok(uri) = Uri::try_from(format!("/?{query}")) {
        parts.uri = uri;
    }
    if let Some(key) = key.and_then(|key| HeaderValue::try_from(key).ok()) {
        parts.headers.insert("idempotency-key", key);
    }
    let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Call::new(call.caller.clone(), parts, params.collect(), Body::from(body.to_string()))
}

/// Reads what the interface answered.
pub(super) async fn answered(response: Response) -> Result<Value, Problem> {
    let unreadable = || Problem::new(Kind::Unavailable, "the service gave an answer that cannot be read");
    let bytes = response.into_body().collect().await.map_err(|_| unreadable())?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_the_calls_own_json() {
        let form = "severity=extreme&audiences=north%0D%0Asouth%2C+east&contacts=c-1&people=%2B970599000001&text-ar=%D8%BA&text-en=Leave%0D%0Anow\
                    &incident=&life=60&csrf=x&step=preview";
        let fields = Fields::read(form.as_bytes(), Act::Send).unwrap();
        let end = fields.end(Timestamp::from_ms(0)).unwrap();
        assert_eq!(end.as_deref(), Some("1970-01-01T01:00:00.000Z"));
        assert_eq!(
            fields.message(end.as_deref()).unwrap(),
            json!({
                "severity": "extreme", "expires": "1970-01-01T01:00:00.000Z",
                "to": [{"audience": "north"}, {"audience": "south"}, {"audience": "east"}, {"contact": "c-1"},
                       {"sms": "+970599000001"}],
                "text": {"ar": "غ", "en": "Leave\nnow"},
            })
        );
        let carried: Vec<_> = fields.carried().map(|(name, _)| name).collect();
        assert_eq!(carried, ["severity", "audiences", "contacts", "people", "text-ar", "text-en", "life"]);
    }

    #[test]
    fn what_is_not_of_the_form_is_refused() {
        let kind = |form: &str, act| Fields::read(form.as_bytes(), act).err().map(|problem| problem.kind());
        assert_eq!(kind("gateway=a&reasn=x", Act::Hold), Some(Kind::UnknownKey));
        assert_eq!(kind("gateway=%FF", Act::Hold), Some(Kind::Unreadable));
        assert_eq!(kind("gateway=a&reason=x", Act::Hold), None);
        let odd = Fields::begun(&[("life", Some("7"))]);
        assert!(odd.end(Timestamp::from_ms(0)).is_err());
        assert!(odd.reason().is_err());
    }
}
