//! The plan of a demonstration: who there is, and what is sent to whom when. Made of a scenario and a seed alone, so
//! that the same seed makes the same plan; [`Plan::hash`] shows it.
//!
//! Phase times are compressed by the speed; the stream's rate is not: real people send at a real rate. Of a scenario's
//! loads the bursts become mass alerts, scaled to the number of people; what trickles becomes the stream.

use super::chance::Chance;
use super::scenario::{Load, Scenario};
use crate::core::channel::Channel;
use crate::core::message::{Recipient, Severity};
use crate::core::query::Contact;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How long the demonstration lasts where no speed is given, in seconds.
const LASTS_S: f64 = 150.0;
/// How much of the time before the first trouble is shown, and of the time after the last, in the scenario's seconds.
const BEFORE_S: f64 = 540.0;
const AFTER_S: f64 = 900.0;
/// The stream's messages in a second.
const RATE: f64 = 2.0;
/// The most messages of the stream: a day and a half of it.
const STREAM_MAX: usize = 300_000;
/// The share of all people that the largest mass alert reaches.
const ALERT_SHARE: f64 = 0.9;

/// Given names, as people have them in Palestine, Syria, Ireland and elsewhere.
const NAMES: [&str; 12] =
    ["ليلى", "يوسف", "مريم", "عمر", "سلمى", "خالد", "Aoife", "Jonas", "Maya", "Samir", "Nora", "Elias"];
/// What the stream says: Arabic and English of the same.
const NEWS: [(&str, &str); 6] = [
    ("موعد توزيع المياه تغير إلى الساعة الرابعة عصرا", "Water distribution has moved to 4 pm"),
    ("العيادة المتنقلة في المدرسة اليوم", "The mobile clinic is at the school today"),
    ("يرجى تأكيد عدد أفراد الأسرة", "Please confirm the size of your household"),
    ("أعيد فتح الطريق الساحلي", "The coastal road is open again"),
    ("نقص في الدم فصيلة O سالب في مستشفى المدينة", "The city hospital is short of O negative blood"),
    ("فريق الاستجابة يجتمع في نقطة ب", "The response team meets at point B"),
];
/// What the mass alerts say.
const ALERTS: [(&str, &str); 2] = [
    (
        "تحذير: مياه السيول تقترب. غادروا المناطق المنخفضة الآن واتجهوا إلى المدرسة العليا",
        "WARNING: flood water is coming. Leave low ground now and go to the upper school",
    ),
    (
        "تحذير: السد قد لا يصمد. اصعدوا إلى أرض مرتفعة فورا",
        "WARNING: the dam may not hold. Move to high ground at once",
    ),
];

/// What a plan is made of beside its scenario.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Wishes {
    /// Where everything that is drawn comes from.
    pub seed: u64,
    /// Seconds of history in a second; such that it lasts [`LASTS_S`] unless given.
    pub speed: Option<f64>,
    /// How many people there are.
    pub people: usize,
}

/// A plan.
#[derive(Debug)]
pub struct Plan {
    pub(crate) seed: u64,
    pub(crate) speed: f64,
    /// From when to when the scenario is shown, in its seconds.
    pub(crate) window: (f64, f64),
    pub(crate) people: Vec<Contact>,
    /// In the order of time.
    pub(crate) messages: Vec<Planned>,
}

/// A message of the plan.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Planned {
    /// Its number, from 1: its text carries it.
    pub(crate) number: u32,
    /// When it is sent, in seconds since the start.
    pub(crate) at: f64,
    pub(crate) severity: Severity,
    pub(crate) to: To,
    text: (&'static str, &'static str),
}

/// For whom.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum To {
    /// One person, by place in [`Plan::people`].
    One(usize),
    /// The people of a mass alert, by name.
    Audience(String),
}

// === impls ===

impl Plan {
    /// Makes the plan.
    pub fn new(scenario: &Scenario, wishes: Wishes) -> Plan {
        let window = window(scenario);
        let speed = wishes.speed.unwrap_or((window.1 - window.0) / LASTS_S);
        let chance = Chance(wishes.seed);
        let alerts: Vec<&Load> = scenario.loads.iter().filter(|l| l.at_s.is_some()).collect();
        let people = (0..wishes.people).map(|j| person(scenario, chance, j, &alerts)).collect();
        let mut plan = Plan { seed: wishes.seed, speed, window, people, messages: Vec::new() };
        plan.add_stream(scenario, chance);
        plan.add_alerts(scenario, &alerts);
        plan.messages.sort_by(|a, b| a.at.total_cmp(&b.at));
        for (number, message) in (1..).zip(&mut plan.messages) {
            message.number = number;
        }
        plan
    }

    /// Returns how long it lasts, in seconds.
    pub fn lasts_s(&self) -> f64 {
        (self.window.1 - self.window.0) / self.speed
    }

    /// Returns the scenario's time at so many seconds since the start.
    pub(crate) fn scenario_s(&self, since_start: f64) -> f64 {
        self.window.0 + since_start * self.speed
    }

    /// Returns when a moment of the scenario comes, in seconds since the start.
    pub(crate) fn since_start(&self, scenario_s: f64) -> f64 {
        (scenario_s - self.window.0) / self.speed
    }

    /// Returns the people for whom a message is.
    pub(crate) fn recipients<'a>(
        &'a self,
        message: &'a Planned,
    ) -> Box<dyn Iterator<Item = &'a Contact> + 'a> {
        match &message.to {
            To::One(at) => Box::new(self.people.get(*at).into_iter()),
            To::Audience(name) => {
                Box::new(self.people.iter().filter(move |c| c.person.audiences.iter().any(|a| a == name)))
            }
        }
    }

    /// Returns a mark of the whole plan: two plans with the same mark are the same.
    pub fn hash(&self) -> String {
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        let mut line = String::new();
        let _ = write!(line, "{} {} {:?}", self.seed, self.speed, self.window);
        digest.update(line.as_bytes());
        for person in &self.people {
            line.clear();
            let _ =
                write!(line, "\n{} {:?} {:?}", person.id, person.person.addresses, person.person.audiences);
            digest.update(line.as_bytes());
        }
        for message in &self.messages {
            line.clear();
            let _ = write!(line, "\n{} {} {} {:?}", message.number, message.at, message.severity, message.to);
            digest.update(line.as_bytes());
        }
        digest.finish().as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    fn add_stream(&mut self, scenario: &Scenario, chance: Chance) {
        let trickles: Vec<(&Load, f64)> =
            scenario.loads.iter().filter_map(|load| Some((load, load.per_min?))).collect();
        let all: f64 = trickles.iter().map(|(_, per_min)| per_min).sum();
        if self.people.is_empty() {
            return;
        }
        let (mut at, lasts) = (0.0, self.lasts_s());
        for i in 0..STREAM_MAX {
            let key = |what: &str| format!("stream|{i}|{what}");
            at += -(1.0 - chance.roll(&key("gap"))).ln() / RATE;
            if at >= lasts {
                return;
            }
            let mut left = chance.roll(&key("load")) * all;
            let load = trickles.iter().find(|(_, per_min)| {
                left -= per_min;
                left < 0.0
            });
            let severity = load.map_or(Severity::Moderate, |(load, _)| severity(scenario, &load.class));
            let severity = match severity {
                Severity::Moderate if chance.roll(&key("minor")) < 0.4 => Severity::Minor,
                as_it_is => as_it_is,
            };
            let to = To::One(chance.pick(&key("to"), self.people.len()));
            let text = NEWS[chance.pick(&key("text"), NEWS.len())];
            self.messages.push(Planned { number: 0, at, severity, to, text });
        }
    }

    fn add_alerts(&mut self, scenario: &Scenario, alerts: &[&Load]) {
        for (place, load) in alerts.iter().enumerate() {
            let at = self.since_start(load.at_s.unwrap_or_default());
            if !(0.0..self.lasts_s()).contains(&at) {
                continue;
            }
            let text = ALERTS[place % ALERTS.len()];
            let to = To::Audience(load.id.clone());
            self.messages.push(Planned {
                number: 0,
                at,
                severity: severity(scenario, &load.class),
                to,
                text,
            });
        }
    }
}

impl Planned {
    /// Returns its texts by language; each ends with the message's number, so that whoever receives it can be asked
    /// which one it was.
    pub(crate) fn text(&self) -> BTreeMap<String, String> {
        let (ar, en) = self.text;
        [("ar", ar), ("en", en)]
            .map(|(language, text)| (language.into(), format!("{text} #{}", self.number)))
            .into()
    }
}

/// Returns the number that a text ends with.
pub(crate) fn number_in(text: &str) -> Option<u32> {
    let (_, number) = text.trim_end().rsplit_once('#')?;
    number.parse().ok()
}

/// Returns the part of the scenario that is shown: from a little before the first change to a little after the last.
fn window(scenario: &Scenario) -> (f64, f64) {
    let first = scenario.phases.get(1).map_or(0.0, |phase| phase.from_s);
    let last = scenario.phases.last().map_or(0.0, |phase| phase.from_s);
    ((first - BEFORE_S).max(0.0), (last + AFTER_S).min(scenario.duration_s))
}

/// Returns a class as a severity: the gravest is extreme, the next severe, all others moderate.
fn severity(scenario: &Scenario, class: &str) -> Severity {
    let weight = |id: &str| scenario.classes.iter().find(|c| c.id == id).map_or(0.0, |c| c.weight);
    match scenario.classes.iter().filter(|c| c.weight > weight(class)).count() {
        0 => Severity::Extreme,
        1 => Severity::Severe,
        _ => Severity::Moderate,
    }
}

/// Makes a person: a region, a language, and an address on each channel on which they have an account. The address
/// book knows no others: whom one cannot reach on a channel one does not write to there.
fn person(scenario: &Scenario, chance: Chance, j: usize, alerts: &[&Load]) -> Contact {
    let mut left = chance.roll(&format!("rcpt|{j}|region"));
    let region = scenario.regions.iter().find(|region| {
        left -= region.share;
        left < 0.0
    });
    let region = region.or(scenario.regions.last()).map(|r| r.id.clone()).unwrap_or_default();
    let arabic = match region.as_str() {
        "mena" => 0.9,
        _ => 0.3,
    };
    let language = if chance.roll(&format!("rcpt|{j}|language")) < arabic { "ar" } else { "en" };
    let address = |channel: Channel| match channel {
        Channel::Telegram => (700_000_000 + j).to_string(),
        Channel::Email => format!("p{j}@people.test"),
        // Cites: ITU-T E.164, the country code 999 is nobody's.
        _ => format!("+999{:08}", 10_000_000 + j),
    };
    let has = |channel: &Channel| {
        let share = scenario.model(*channel).and_then(|m| m.registered.get(&region)).copied().unwrap_or(0.0);
        chance.roll(&format!("rcpt|{j}|has|{channel}")) < share
    };
    let mut addresses: BTreeMap<Channel, String> =
        super::CHANNELS.into_iter().filter(has).map(|channel| (channel, address(channel))).collect();
    if addresses.is_empty() {
        addresses.insert(Channel::Sms, address(Channel::Sms));
    }
    let largest = alerts.iter().filter_map(|load| load.count).max().unwrap_or(1).max(1);
    let audiences = alerts
        .iter()
        .filter(|load| {
            let share = ALERT_SHARE * f64::from(load.count.unwrap_or(0)) / f64::from(largest);
            chance.roll(&format!("rcpt|{j}|audience|{}", load.id)) < share
        })
        .map(|load| load.id.clone())
        .collect();
    let id = format!("p{j:05}");
    let person = Recipient {
        contact: Some(id.clone()),
        language: Some(language.into()),
        region: Some(region),
        sector: None,
        audiences,
        addresses,
    };
    let name = NAMES[chance.pick(&format!("rcpt|{j}|name"), NAMES.len())];
    Contact { id, name: name.into(), person, consent: "demonstration".into(), deputy: None }
}

/// Writes people as `wasl contacts import` takes them.
pub(crate) fn contacts_csv(people: &[Contact]) -> String {
    let mut csv = String::from(
        "id,name,language,region,sector,audiences,whatsapp,signal,telegram,sms,email,voice,consent,deputy\n",
    );
    for contact in people {
        let person = &contact.person;
        let address = |channel: Channel| person.addresses.get(&channel).map_or("", String::as_str);
        let cells = [
            &contact.id,
            &contact.name,
            person.language.as_deref().unwrap_or(""),
            person.region.as_deref().unwrap_or(""),
            "",
            &person.audiences.join(";"),
            address(Channel::Whatsapp),
            address(Channel::Signal),
            address(Channel::Telegram),
            address(Channel::Sms),
            address(Channel::Email),
            "",
            &contact.consent,
            "",
        ];
        // No cell here holds a comma or a quote.
        csv.push_str(&cells.join(","));
        csv.push('\n');
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan::new(&Scenario::built_in().unwrap(), Wishes { seed, speed: None, people: 1_000 })
    }

    #[test]
    fn the_same_seed_makes_the_same_plan() {
        assert_eq!(plan(1).hash(), plan(1).hash());
        assert_ne!(plan(1).hash(), plan(2).hash());
    }

    #[test]
    fn history_is_compressed_and_the_stream_is_not() {
        let plan = plan(7);
        assert_eq!((plan.window, plan.speed), ((3_600.0, 30_600.0), 180.0));
        assert!((plan.lasts_s() - 150.0).abs() < 1e-9 && (plan.since_start(4_140.0) - 3.0).abs() < 1e-9);
        assert!((250..350).contains(&plan.messages.len()), "{}", plan.messages.len());
        let alerts: Vec<_> = plan.messages.iter().filter(|m| m.severity == Severity::Extreme).collect();
        assert_eq!(alerts.len(), 2);
        assert!((800..1_000).contains(&plan.recipients(alerts[0]).count()));
        assert!((350..550).contains(&plan.recipients(alerts[1]).count()));
        assert!(plan.messages.iter().any(|m| m.severity == Severity::Severe));
        assert!(plan.messages.iter().any(|m| m.severity == Severity::Minor));
    }

    #[test]
    fn a_text_tells_its_number_and_everyone_can_be_reached() {
        let plan = plan(3);
        for message in &plan.messages {
            assert!(message.text().values().all(|text| number_in(text) == Some(message.number)));
        }
        assert!(plan.people.iter().all(|contact| !contact.person.addresses.is_empty()));
        assert_eq!(contacts_csv(&plan.people).lines().count(), 1_001);
        assert!(contacts_csv(&plan.people).lines().all(|line| line.split(',').count() == 14));
    }
}
