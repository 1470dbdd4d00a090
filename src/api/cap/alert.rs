//! What a checked alert means: its words by language, whom it is for, how grave it is.

use super::form::{Element, Reference, words};
use super::text;
use crate::api::intake::{NAME_CHARS_MAX, TAGS_MAX};
use crate::api::problem::Problem;
use crate::core::message::{LANGUAGES_MAX, Severity, Status, Urgency};
use crate::core::time::Timestamp;
use crate::settings::{Cap, CapOf};
use std::collections::{BTreeMap, BTreeSet};

/// The most references of one alert: a storm's of a fortnight, told anew each hour.
const REFERENCES_MAX: usize = 500;
/// How many areas that nobody is configured for one answer names.
const UNMAPPED_MAX: usize = 20;

/// What an alert is sent for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MsgType {
    Alert,
    Update,
    Cancel,
    Ack,
    Error,
}

/// An alert, every element of it checked.
pub(super) struct Alert {
    element: Element,
    pub(super) me: Reference,
    pub(super) sent: Timestamp,
    pub(super) kind: MsgType,
    /// `None`: a draft.
    pub(super) status: Option<Status>,
    pub(super) references: Vec<Reference>,
}

/// Whom an alert is for.
#[derive(Default)]
pub(super) struct Audience {
    /// The audiences' names.
    pub(super) named: BTreeSet<String>,
    /// Areas of which the configuration does not speak, where it does of others.
    pub(super) unmapped: Vec<String>,
    /// Which of the infos are meant.
    meant: BTreeSet<usize>,
}

/// What an alert says to those whom it is for.
pub(super) struct Words {
    pub(super) text: BTreeMap<String, String>,
    /// The languages whose text had to be cut.
    pub(super) cut: Vec<String>,
    pub(super) severity: Severity,
    pub(super) urgency: Urgency,
    pub(super) expires: Option<Timestamp>,
}

impl Alert {
    /// Reads what the elements mean together.
    pub(super) fn of(element: Element) -> Result<Alert, Problem> {
        let said = |name| element.said(name).to_owned();
        let sent = element.text("sent").ok_or_else(|| element.wrong("<sent> says nothing"))?.time()?;
        let kind = match element.said("msgType") {
            "Update" => MsgType::Update,
            "Cancel" => MsgType::Cancel,
            "Ack" => MsgType::Ack,
            "Error" => MsgType::Error,
            _ => MsgType::Alert,
        };
        let references =
            element.text("references").map(|text| text.references()).transpose()?.unwrap_or_default();
        if references.is_empty() && kind != MsgType::Alert {
            return Err(
                element.wrong("an Update, Cancel, Ack or Error names the earlier alerts in <references>")
            );
        }
        if references.len() > REFERENCES_MAX {
            return Err(element.wrong(&format!("an alert has at most {REFERENCES_MAX} references")));
        }
        let status = element.said("status").to_lowercase();
        let alert = Alert {
            me: Reference { sender: said("sender"), identifier: said("identifier"), sent: said("sent") },
            sent,
            kind,
            status: Status::from_name(&status),
            references,
            element,
        };
        alert.check()?;
        Ok(alert)
    }

    /// Checks what one element asks of another.
    fn check(&self) -> Result<(), Problem> {
        let scope = self.element.said("scope");
        if scope == "Restricted" && self.element.said("restriction").is_empty() {
            return Err(self.element.wrong("an alert of restricted scope says for whom in <restriction>"));
        }
        if scope == "Private" && self.element.said("addresses").is_empty() {
            return Err(self.element.wrong("a private alert says for whom in <addresses>"));
        }
        for area in self.infos().iter().flat_map(|info| info.elements("area")) {
            if area.text("ceiling").is_some() && area.text("altitude").is_none() {
                return Err(area.wrong("a <ceiling> needs an <altitude> to begin from"));
            }
        }
        match (self.kind, self.infos().is_empty()) {
            (MsgType::Alert | MsgType::Update, true) => Err(self
                .element
                .wrong("there is no <info>, so it has no words for anybody; send one for each language")),
            _ => Ok(()),
        }
    }

    fn infos(&self) -> &[Element] {
        self.element.elements("info")
    }

    /// Says whether it carries a signature, which is not checked.
    pub(super) fn signed(&self) -> bool {
        self.element.foreign
    }

    /// Returns the name of what it belongs to: its first incident, else itself.
    pub(super) fn incident(&self) -> String {
        let incident = words(self.element.said("incidents")).into_iter().next();
        short(&incident.unwrap_or_else(|| self.me.identifier.clone()))
    }

    /// Finds whom it is for. A public alert is looked at area by area, a restricted one by its restriction alone, a private
    /// one by its addresses alone: neither may reach the public by the way of an area.
    pub(super) fn audience(&self, cap: &Cap) -> Audience {
        let mut found = Audience::default();
        let named = |of, name: &str, value: &str| {
            let says = cap.entries.iter().filter(move |entry| entry.says(of, name, value));
            says.flat_map(|entry| entry.audiences.iter().cloned()).collect::<Vec<_>>()
        };
        match self.element.said("scope") {
            "Restricted" => {
                found.named.extend(named(CapOf::Restriction, "", self.element.said("restriction")))
            }
            "Private" => {
                let addresses = words(self.element.said("addresses"));
                found.named.extend(addresses.iter().flat_map(|address| named(CapOf::Address, "", address)));
            }
            _ => self.public_audience(cap, &mut found, named),
        }
        found
    }

    fn public_audience(
        &self,
        cap: &Cap,
        found: &mut Audience,
        named: impl Fn(CapOf, &str, &str) -> Vec<String>,
    ) {
        let mut unmapped = BTreeSet::new();
        for (at, info) in self.infos().iter().enumerate() {
            let mut of_info: Vec<String> = info
                .pairs("parameter")
                .flat_map(|(name, value)| named(CapOf::Parameter, name, value))
                .collect();
            for area in info.elements("area") {
                let mut of_area = named(CapOf::Area, "", area.said("areaDesc"));
                let codes = area.pairs("geocode");
                of_area.extend(codes.flat_map(|(name, value)| named(CapOf::Geocode, name, value)));
                if of_area.is_empty() {
                    unmapped.insert(short(area.said("areaDesc")));
                }
                of_info.extend(of_area);
            }
            if !of_info.is_empty() {
                found.meant.insert(at);
            }
            found.named.extend(of_info);
        }
        match found.named.is_empty() {
            true => found.named.extend(cap.default.iter().cloned()),
            false => found.unmapped = unmapped.into_iter().take(UNMAPPED_MAX).collect(),
        }
    }

    /// Puts together what is said to an audience. Words for areas where nobody is meant are left out; but no language is:
    /// where its areas have other names than those that are configured, all of its words stay.
    pub(super) fn words(&self, audience: &Audience) -> Result<Words, Problem> {
        let mut by_language: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, info) in self.infos().iter().enumerate() {
            by_language.entry(language(info)).or_default().push(at);
        }
        if by_language.len() > LANGUAGES_MAX {
            return Err(self.element.wrong(&format!("an alert has at most {LANGUAGES_MAX} languages")));
        }
        for infos in by_language.values_mut() {
            let everywhere = |at: &usize| self.infos()[*at].elements("area").is_empty();
            if infos.iter().any(|at| audience.meant.contains(at)) {
                infos.retain(|at| audience.meant.contains(at) || everywhere(at));
            }
        }
        let meant: Vec<&Element> = by_language.values().flatten().map(|at| &self.infos()[*at]).collect();
        let (mut texts, mut cut) = (BTreeMap::new(), Vec::new());
        let languages: Vec<String> = by_language.keys().cloned().collect();
        for (language, infos) in &by_language {
            let infos: Vec<&Element> = infos.iter().map(|at| &self.infos()[*at]).collect();
            let key = key_of(language, &languages);
            let (words, was_cut) = text::of_language(&key, &infos);
            if words.is_empty() {
                return Err(infos[0].wrong("this <info> has no words that can be sent"));
            }
            cut.extend(was_cut.then(|| key.clone()));
            texts.insert(key, words);
        }
        let mut expires = None;
        for text in meant.iter().filter_map(|info| info.text("expires")) {
            expires = expires.max(Some(text.time()?));
        }
        Ok(Words {
            text: texts,
            cut,
            severity: gravest(&meant, "severity", Severity::from_name, Severity::Unknown),
            urgency: gravest(&meant, "urgency", Urgency::from_name, Urgency::Unknown),
            expires,
        })
    }

    /// Returns what else it says, as tags: names and codes that the record of the message should keep.
    pub(super) fn tags(&self) -> BTreeMap<String, String> {
        let mut tags: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let mut note = |tag, values: Vec<String>| {
            tags.entry(tag).or_default().extend(values.into_iter().filter(|value| !value.is_empty()));
        };
        for (tag, name) in OF_ALERT {
            note(tag, self.element.all(name).iter().map(|text| text.said.clone()).collect());
        }
        for info in self.infos() {
            for (tag, name) in OF_INFO {
                note(tag, info.all(name).iter().map(|text| text.said.clone()).collect());
            }
            note("cap_event_code", pairs(info, "eventCode"));
            note("cap_parameter", pairs(info, "parameter"));
            for area in info.elements("area") {
                note("cap_area", vec![area.said("areaDesc").to_owned()]);
                note("cap_geocode", pairs(area, "geocode"));
                note("cap_altitude", vec![area.said("altitude").to_owned()]);
                note("cap_ceiling", vec![area.said("ceiling").to_owned()]);
            }
            for resource in info.elements("resource") {
                note("cap_resource", vec![resource.said("uri").to_owned()]);
            }
        }
        if let Some(certainty) = tags.get_mut("cap_certainty").filter(|words| words.contains("Very Likely")) {
            // Cites: section 3.2.2, certainty: a word of CAP 1.0 that means the same.
            certainty.remove("Very Likely");
            certainty.insert("Likely".to_owned());
        }
        // The one of these that rules can ask for.
        if let Some([one]) =
            tags.get("cap_category").map(|values| values.iter().collect::<Vec<_>>()).as_deref()
        {
            let sector = one.to_lowercase();
            tags.insert("sector", [sector].into());
        }
        let tags = tags.into_iter().filter(|(_, values)| !values.is_empty());
        let joined = tags
            .map(|(tag, values)| (tag.to_owned(), short(&values.into_iter().collect::<Vec<_>>().join("; "))));
        joined.filter(|(_, value)| !value.trim().is_empty()).collect()
    }
}

/// The tags that hold what an alert says of itself.
const OF_ALERT: [(&str, &str); 8] = [
    ("cap_identifier", "identifier"),
    ("cap_sender", "sender"),
    ("cap_sent", "sent"),
    ("cap_source", "source"),
    ("cap_scope", "scope"),
    ("cap_restriction", "restriction"),
    ("cap_code", "code"),
    ("cap_note", "note"),
];
/// The tags that hold what its infos say, each value once.
const OF_INFO: [(&str, &str); 10] = [
    ("cap_category", "category"),
    ("cap_event", "event"),
    ("cap_response", "responseType"),
    ("cap_certainty", "certainty"),
    ("cap_audience", "audience"),
    ("cap_effective", "effective"),
    ("cap_onset", "onset"),
    ("cap_sender_name", "senderName"),
    ("cap_web", "web"),
    ("cap_contact", "contact"),
];
/// Those that are gathered from inner elements, and the sector.
const OTHERS: usize = 8;
const _: () = assert!(OF_ALERT.len() + OF_INFO.len() + OTHERS <= TAGS_MAX);

fn pairs(element: &Element, name: &str) -> Vec<String> {
    element.pairs(name).map(|(name, value)| format!("{name}={value}")).collect()
}

/// Returns the language of an info, its first part in small letters.
fn language(info: &Element) -> String {
    // Cites: section 3.2.2: where it is not said, it is en-US.
    let tag = info.text("language").map_or("en-US", |text| &text.said);
    let (first, rest) = tag.split_once('-').map_or((tag, None), |(first, rest)| (first, Some(rest)));
    let first = first.to_ascii_lowercase();
    rest.map_or_else(|| first.clone(), |rest| format!("{first}-{rest}"))
}

/// Returns the language under which a text is found: without its country, so that it is whoever reads the language, unless
/// the alert has it for several countries.
fn key_of(language: &str, all: &[String]) -> String {
    let base = |tag: &str| tag.split('-').next().unwrap_or_default().to_owned();
    let first = all.iter().find(|other| base(other) == base(language));
    match first.is_some_and(|first| first == language) {
        true => base(language),
        false => language.to_owned(),
    }
}

/// Returns the first of the words in the order of a closed list, whose last is that it is not said.
fn gravest<T: Ord + Copy>(infos: &[&Element], name: &str, read: fn(&str) -> Option<T>, unknown: T) -> T {
    infos.iter().filter_map(|info| read(&info.said(name).to_lowercase())).min().unwrap_or(unknown)
}

/// Makes a name of a text: on one line, printable, not too long.
pub(super) fn short(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(NAME_CHARS_MAX) {
        Some(_) => words.chars().take(NAME_CHARS_MAX - 1).chain(['…']).collect(),
        None => words,
    }
}
