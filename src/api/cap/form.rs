//! The tables of CAP 1.2: which elements there are, how often each may stand, what it may say.
//!
//! Cites: OASIS Common Alerting Protocol 1.2, section 3.2. The order of the elements, which its schema fixes, is not asked
//! for: what is said is the same.

use super::xml::located;
use crate::api::call::unknown_key;
use crate::api::problem::{Kind, Problem};
use crate::core::time::Timestamp;
use roxmltree::Node;
use std::collections::BTreeMap;

/// The namespace of every element that is read.
const NAMESPACE: &str = "urn:oasis:names:tc:emergency:cap:1.2";
/// The longest text of one element, in characters, where it is a name, a code or an address.
const SHORT_MAX: usize = 2_000;

/// One row of a table.
struct Field {
    name: &'static str,
    times: Times,
    form: Form,
}

/// How often an element may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    AtMostOnce,
    Any,
    OnceOrMore,
}

/// What an element may say.
enum Form {
    /// A name without spaces, commas, `<` or `&`.
    Name,
    /// A short text.
    Short,
    /// A text of any length that the body may have.
    Long,
    /// A date and a time with its zone.
    Time,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A language's tag.
    Language,
    /// An address without spaces.
    Uri,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// Points that enclose an area.
    Polygon,
    /// A point and a radius.
    Circle,
    /// `sender,identifier,sent`, once or more.
    References,
    /// Further elements.
    Of(&'static [Field]),
}

use Form::{Circle, Language, Long, Name, Number, Of, Polygon, References, Short, Time, Uri, Whole, Word};
use Times::{Any, AtMostOnce, Once, OnceOrMore};

const fn field(name: &'static str, times: Times, form: Form) -> Field {
    Field { name, times, form }
}

const ALERT: &[Field] = &[
    field("identifier", Once, Name),
    field("sender", Once, Name),
    field("sent", Once, Time),
    field("status", Once, Word(&["Actual", "Exercise", "System", "Test", "Draft"])),
    field("msgType", Once, Word(&["Alert", "Update", "Cancel", "Ack", "Error"])),
    field("source", AtMostOnce, Short),
    field("scope", Once, Word(&["Public", "Restricted", "Private"])),
    field("restriction", AtMostOnce, Short),
    field("addresses", AtMostOnce, Long),
    field("code", Any, Short),
    field("note", AtMostOnce, Long),
    field("references", AtMostOnce, References),
    field("incidents", AtMostOnce, Long),
    field("info", Any, Of(INFO)),
];

const INFO: &[Field] = &[
    field("language", AtMostOnce, Language),
    field(
        "category",
        OnceOrMore,
        Word(&[
            "Geo",
            "Met",
            "Safety",
            "Security",
            "Rescue",
            "Fire",
            "Health",
            "Env",
            "Transport",
            "Infra",
            "CBRNE",
            "Other",
        ]),
    ),
    field("event", Once, Short),
    field(
        "responseType",
        Any,
        Word(&[
            "Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None",
        ]),
    ),
    field("urgency", Once, Word(&["Immediate", "Expected", "Future", "Past", "Unknown"])),
    field("severity", Once, Word(&["Extreme", "Severe", "Moderate", "Minor", "Unknown"])),
    // The last is of CAP 1.0, and to be understood. Cites: section 3.2.2, certainty.
    field("certainty", Once, Word(&["Observed", "Likely", "Possible", "Unlikely", "Unknown", "Very Likely"])),
    field("audience", AtMostOnce, Long),
    field("eventCode", Any, Of(PAIR)),
    field("effective", AtMostOnce, Time),
    field("onset", AtMostOnce, Time),
    field("expires", AtMostOnce, Time),
    field("senderName", AtMostOnce, Short),
    field("headline", AtMostOnce, Long),
    field("description", AtMostOnce, Long),
    field("instruction", AtMostOnce, Long),
    field("web", AtMostOnce, Uri),
    field("contact", AtMostOnce, Long),
    field("parameter", Any, Of(PAIR)),
    field("resource", Any, Of(RESOURCE)),
    field("area", Any, Of(AREA)),
];

const PAIR: &[Field] = &[field("valueName", Once, Short), field("value", Once, Long)];

const RESOURCE: &[Field] = &[
    field("resourceDesc", Once, Long),
    field("mimeType", Once, Short),
    field("size", AtMostOnce, Whole),
    field("uri", AtMostOnce, Uri),
    field("derefUri", AtMostOnce, Long),
    field("digest", AtMostOnce, Short),
];

const AREA: &[Field] = &[
    field("areaDesc", Once, Long),
    field("polygon", Any, Polygon),
    field("circle", Any, Circle),
    field("geocode", Any, Of(PAIR)),
    field("altitude", AtMostOnce, Number),
    field("ceiling", AtMostOnce, Number),
];

/// An element that holds others, every one of them checked by its table.
pub(super) struct Element {
    place: (u32, u32),
    texts: BTreeMap<&'static str, Vec<Text>>,
    elements: BTreeMap<&'static str, Vec<Element>>,
    /// Whether something of another namespace lies in it: a signature.
    pub(super) foreign: bool,
}

/// What an element says, and where.
pub(super) struct Text {
    /// What it says, without the spaces around it.
    pub(super) said: String,
    place: (u32, u32),
}

/// One of the alerts that a `references` names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    pub(super) sender: String,
    pub(super) identifier: String,
    /// As it is written: it is part of the alert's name.
    pub(super) sent: String,
}

impl Text {
    /// A problem with what it says.
    pub(super) fn wrong(&self, why: &str) -> Problem {
        located(Kind::BadValue, why, self.place.0, self.place.1)
    }

    /// Reads a time that was checked.
    pub(super) fn time(&self) -> Result<Timestamp, Problem> {
        time(&self.said).ok_or_else(|| self.wrong(BAD_TIME))
    }

    /// Reads alerts' names that were checked.
    pub(super) fn references(&self) -> Result<Vec<Reference>, Problem> {
        references(&self.said).ok_or_else(|| self.wrong(BAD_REFERENCES))
    }
}

impl Element {
    /// Reads a whole `<alert>`.
    pub(super) fn alert(root: Node<'_, '_>) -> Result<Element, Problem> {
        let name = root.tag_name();
        let mut places = Places::new(root.document().input_text());
        let why = match (name.namespace(), name.name()) {
            (Some(NAMESPACE), "alert") => return Element::read(root, "alert", ALERT, &mut places),
            (Some(NAMESPACE), _) => "the outermost element of CAP is <alert>".to_owned(),
            (Some(other), "alert") if other.starts_with("urn:oasis:names:tc:emergency:cap:") => {
                format!("this is another version of CAP; send 1.2, of the namespace {NAMESPACE}")
            }
            _ => format!("this is no CAP 1.2: the outermost element is <alert xmlns=\"{NAMESPACE}\">"),
        };
        let (line, column) = places.of(root);
        Err(located(Kind::BadValue, &why, line, column))
    }

    fn read(
        node: Node<'_, '_>,
        called: &str,
        table: &'static [Field],
        places: &mut Places<'_>,
    ) -> Result<Element, Problem> {
        let place = places.of(node);
        let mut element =
            Element { place, texts: BTreeMap::new(), elements: BTreeMap::new(), foreign: false };
        for child in node.children() {
            if child.is_text() && !child.text().unwrap_or_default().trim().is_empty() {
                let (line, column) = places.of(child);
                let why = format!("<{called}> holds elements and no text of its own; take it out");
                return Err(located(Kind::BadValue, &why, line, column));
            }
            if !child.is_element() {
                continue;
            }
            if child.tag_name().namespace() != Some(NAMESPACE) {
                element.foreign = true;
                continue;
            }
            element.take(child, called, table, places)?;
        }
        element.counted(called, table)?;
        Ok(element)
    }

    fn take(
        &mut self,
        child: Node<'_, '_>,
        called: &str,
        table: &'static [Field],
        places: &mut Places<'_>,
    ) -> Result<(), Problem> {
        let (line, column) = places.of(child);
        let Some(field) = table.iter().find(|field| field.name == child.tag_name().name()) else {
            let known = table.iter().map(|field| field.name);
            let nearest = unknown_key(child.tag_name().name(), known);
            let why = format!("CAP 1.2 has no such element in <{called}>: {}", nearest.detail());
            return Err(located(Kind::UnknownKey, &why, line, column));
        };
        if let Of(inner) = &field.form {
            let inner = Element::read(child, field.name, inner, places)?;
            self.elements.entry(field.name).or_default().push(inner);
            return Ok(());
        }
        if let Some(inner) = child.children().find(Node::is_element) {
            let (line, column) = places.of(inner);
            let why = format!("<{}> holds text and no other elements", field.name);
            return Err(located(Kind::BadValue, &why, line, column));
        }
        let parts = child.children().filter_map(|part| if part.is_text() { part.text() } else { None });
        let said = parts.collect::<String>().trim().to_owned();
        let text = Text { said, place: (line, column) };
        check(field, &text)?;
        self.texts.entry(field.name).or_default().push(text);
        Ok(())
    }

    /// Checks how often each element stands.
    fn counted(&self, called: &str, table: &[Field]) -> Result<(), Problem> {
        for field in table {
            let count = self.texts.get(field.name).map_or(0, Vec::len)
                + self.elements.get(field.name).map_or(0, Vec::len);
            let why = match (field.times, count) {
                (Once | OnceOrMore, 0) => "is missing",
                (Once | AtMostOnce, 2..) => "stands more than once",
                _ => continue,
            };
            let (line, column) = self.place;
            let why = format!("in this <{called}>, <{}> {why}", field.name);
            return Err(located(Kind::BadValue, &why, line, column));
        }
        Ok(())
    }

    /// Returns the texts of this name.
    pub(super) fn all(&self, name: &str) -> &[Text] {
        self.texts.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the text of this name, where it says something.
    pub(super) fn text(&self, name: &str) -> Option<&Text> {
        self.all(name).first().filter(|text| !text.said.is_empty())
    }

    /// Returns what the text of this name says; nothing where there is none.
    pub(super) fn said(&self, name: &str) -> &str {
        self.text(name).map_or("", |text| &text.said)
    }

    /// Returns the elements of this name.
    pub(super) fn elements(&self, name: &str) -> &[Element] {
        self.elements.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the names and values of the pairs of this name.
    pub(super) fn pairs<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.elements(name).iter().map(|pair| (pair.said("valueName"), pair.said("value")))
    }

    /// A problem with the whole element.
    pub(super) fn wrong(&self, why: &str) -> Problem {
        located(Kind::BadValue, why, self.place.0, self.place.1)
    }
}

/// Counts lines and columns, both from 1, along with the reader: each byte of a document once, however many its elements.
struct Places<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    column: u32,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Places<'a> {
        Places { text, at: 0, line: 1, column: 1 }
    }

    /// Returns where a node begins. Asked in the order of the document.
    fn of(&mut self, node: Node<'_, '_>) -> (u32, u32) {
        let begin = node.range().start;
        if begin < self.at {
            *self = Places::new(self.text);
        }
        for letter in self.text[self.at..begin].chars() {
            (self.line, self.column) = match letter {
                '\n' => (self.line + 1, 1),
                _ => (self.line, self.column + 1),
            };
        }
        self.at = begin;
        (self.line, self.column)
    }
}

const BAD_TIME: &str =
    "a time is written as 2026-11-22T18:00:00+02:00, its zone always as hours and minutes (UTC is +00:00)";
const BAD_REFERENCES: &str =
    "each reference is written as sender,identifier,sent without spaces, and spaces stand between them";

/// Checks what an element says. Optional ones may be empty, as many senders leave them.
fn check(field: &Field, text: &Text) -> Result<(), Problem> {
    let said = text.said.as_str();
    if said.is_empty() {
        return match field.times {
            Once | OnceOrMore => Err(text.wrong(&format!("<{}> says nothing", field.name))),
            AtMostOnce | Any => Ok(()),
        };
    }
    let long = said.chars().nth(SHORT_MAX).is_some();
    let why = match &field.form {
        Name if long || said.contains(|c: char| c.is_whitespace() || matches!(c, ',' | '<' | '&')) => {
            "this has no spaces, commas, < or &".to_owned()
        }
        Short | Uri | Word(_) if long => format!("this has at most {SHORT_MAX} characters"),
        Word(words) if !words.contains(&said) => format!("this is one of {}", words.join(", ")),
        Uri if said.contains(char::is_whitespace) => "this is an address without spaces".to_owned(),
        Time if time(said).is_none() => BAD_TIME.to_owned(),
        Language if !is_language(said) => "a language is a tag as ar, en or en-US".to_owned(),
        Whole if said.parse::<u64>().is_err() => "this is a whole number".to_owned(),
        Number if number(said).is_none() => "this is a number".to_owned(),
        Polygon if !is_polygon(said) => {
            "a polygon is four or more points as latitude,longitude, the last as the first".to_owned()
        }
        Circle if !is_circle(said) => "a circle is latitude,longitude, a space and a radius in km".to_owned(),
        References if references(said).is_none() => BAD_REFERENCES.to_owned(),
        _ => return Ok(()),
    };
    Err(text.wrong(&format!("<{}>: {why}", field.name)))
}

/// Reads a time as CAP writes it. Cites: section 3.3.2, DateTime: no `Z`, no fractions, a zone always.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let form = b"dddd-dd-ddTdd:dd:ddsdd:dd";
    let fits = |(byte, form): (u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        b's' => matches!(byte, b'+' | b'-'),
        other => byte == *other,
    };
    if text.len() != form.len() || !text.bytes().zip(form).all(fits) {
        return None;
    }
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_ms(at.as_millisecond()))
}

fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    (2..=3).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        && tag.len() <= crate::api::intake::LANGUAGE_TAG_MAX
}

fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    text.parse().ok().filter(|number: &f64| plain && number.is_finite())
}

/// Reads `latitude,longitude`.
fn point(text: &str) -> Option<(f64, f64)> {
    let (latitude, longitude) = text.split_once(',')?;
    let (latitude, longitude) = (number(latitude)?, number(longitude)?);
    (latitude.abs() <= 90.0 && longitude.abs() <= 180.0).then_some((latitude, longitude))
}

fn is_polygon(text: &str) -> bool {
    let points: Option<Vec<_>> = text.split_whitespace().map(point).collect();
    points.is_some_and(|points| points.len() >= 4 && points.first() == points.last())
}

fn is_circle(text: &str) -> bool {
    let mut parts = text.split_whitespace();
    let good = parts.next().is_some_and(|centre| point(centre).is_some())
        && parts.next().and_then(number).is_some_and(|radius| radius >= 0.0);
    good && parts.next().is_none()
}

fn references(text: &str) -> Option<Vec<Reference>> {
    let one = |words: &str| {
        let mut parts = words.split(',');
        let (sender, identifier, sent) = (parts.next()?, parts.next()?, parts.next()?);
        let good = !sender.is_empty() && !identifier.is_empty() && time(sent).is_some();
        (good && parts.next().is_none()).then(|| Reference {
            sender: sender.to_owned(),
            identifier: identifier.to_owned(),
            sent: sent.to_owned(),
        })
    };
    text.split_whitespace().map(one).collect()
}

/// Splits words that spaces divide; one that has spaces stands in quotation marks. Cites: section 3.2.1, addresses and
/// incidents.
pub(super) fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.iter().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_their_zone_as_cap_writes_it() {
        let at = |text| time(text).map(|at| at.ms());
        assert_eq!(at("2026-11-22T18:00:00+02:00"), Some(1_795_363_200_000));
        assert_eq!(at("2026-11-22T16:00:00-00:00"), at("2026-11-22T18:00:00+02:00"));
        for bad in [
            "2026-11-22T16:00:00Z",
            "2026-11-22T16:00:00",
            "2026-11-22 16:00:00+00:00",
            "2026-11-22T16:00:00.5+00:00",
            "2026-13-22T16:00:00+00:00",
            "2026-11-22T16:00+00:00",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn places_are_counted_once_over_the_document() {
        let text = "<a>\n <b>ع</b><c/>\n\n<d/></a>";
        let document = roxmltree::Document::parse(text).unwrap();
        let elements: Vec<_> = document.descendants().filter(Node::is_element).collect();
        let mut places = Places::new(document.input_text());
        let found: Vec<_> = elements.iter().map(|node| places.of(*node)).collect();
        assert_eq!(found, [(1, 1), (2, 2), (2, 10), (4, 1)]);
        assert_eq!(places.of(elements[1]), (2, 2), "also backwards");
        let known = |node: &Node<'_, '_>| document.text_pos_at(node.range().start);
        let parsers: Vec<_> = elements.iter().map(known).map(|place| (place.row, place.col)).collect();
        assert_eq!(found, parsers);
    }

    #[test]
    fn as_many_elements_as_are_taken_are_read_soon_also_on_one_line() {
        // 40,000 codes in 2 MB: with each place counted from the beginning, 40 thousand million letters.
        let codes = "<code>a code of an alert, of forty letters</code>".repeat(40_000);
        let text = format!("<alert xmlns=\"{NAMESPACE}\">{codes}</alert>");
        let document = roxmltree::Document::parse(&text).unwrap();
        let began = std::time::Instant::now();
        let problem = Element::alert(document.root_element()).err().unwrap();
        assert!(problem.detail().contains("<identifier> is missing"), "{}", problem.detail());
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }

    #[test]
    fn shapes_references_and_lists_are_read() {
        assert!(is_polygon("31.5,34.4 31.6,34.4 31.6,34.5 31.5,34.4"));
        for bad in [
            "31.5,34.4 31.6,34.4 31.5,34.4",
            "31,34 32,34 32,35 31,35",
            "91,34 1,1 2,2 91,34",
            "1,2 x 3,4 1,2",
        ] {
            assert!(!is_polygon(bad), "{bad}");
        }
        assert!(is_circle("31.5,34.46 12.5") && is_circle("31.5,34.46 0"));
        assert!(!is_circle("31.5,34.46") && !is_circle("31.5 34.46 1") && !is_circle("31.5,34.46 -1"));
        let two = "a@x,1,2026-11-22T16:00:00+00:00\n b@x,2,2026-11-22T17:00:00+00:00";
        assert_eq!(references(two).map(|all| all.len()), Some(2));
        for bad in
            ["a@x,1", "a@x,1,yesterday", "a@x,,2026-11-22T16:00:00+00:00", "a,b,2026-11-22T16:00:00+00:00,c"]
        {
            assert!(references(bad).is_none(), "{bad}");
        }
        assert_eq!(words("one \"two words\"  three"), ["one", "two words", "three"]);
        assert!(words(" ").is_empty());
    }
}
