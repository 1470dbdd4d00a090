//! The page's languages: words, numbers, lengths of time and times of day.
//!
//! Arguments are wrapped in Unicode isolates by Fluent; [`rich`] turns these into `<bdi>`, so that an identifier in
//! an Arabic sentence keeps its own direction. Times of day and identifiers are in Latin digits in every language,
//! to match logs and providers' consoles.
//!
//! Cites: Unicode CLDR (plural forms), BCP 47 extension U (`ar-u-nu-arab`), UAX #9 (isolates).

use super::assets::{WORDS_AR, WORDS_EN};
use crate::core::channel::Channel;
use crate::core::evidence::Layer;
use crate::core::message::Severity;
use crate::core::outcome::{DeliveryResult, Reason};
use crate::core::time::{Span, Timestamp};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::types::{FluentNumber, FluentNumberOptions};
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use jiff::Zoned;
use jiff::tz::TimeZone;
use maud::{Markup, PreEscaped};
use std::sync::LazyLock;
use unic_langid::LanguageIdentifier;

/// U+2068, FIRST STRONG ISOLATE, which opens what Fluent puts in.
const ISOLATE: char = '\u{2068}';
/// U+2069, POP DIRECTIONAL ISOLATE, which closes it.
const POP: char = '\u{2069}';

/// A language of the page, with its digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Locale {
    /// English.
    En,
    /// Arabic, Latin digits.
    Ar,
    /// Arabic, Arabic-Indic digits.
    ArIndic,
}

/// The zone in which times are shown.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// Finds a zone by its name in the IANA database.
    pub fn named(name: &str) -> Option<Zone> {
        TimeZone::get(name).ok().map(Zone)
    }

    /// Writes the time of day with its zone: `14:02:31 EET (+02)`.
    pub(crate) fn clock(&self, at: Timestamp) -> String {
        let at = self.at(at);
        let short = at.strftime("%Z").to_string();
        match short.starts_with(['+', '-']) {
            true => at.strftime("%H:%M:%S (%:::z)").to_string(),
            false => at.strftime("%H:%M:%S %Z (%:::z)").to_string(),
        }
    }

    /// Writes date, time of day and zone: `2026-11-22 14:02:31 EET (+02)`.
    pub(crate) fn full(&self, at: Timestamp) -> String {
        format!("{} {}", self.at(at).strftime("%Y-%m-%d"), self.clock(at))
    }

    /// Writes the time of day, and the date where that is another than today's.
    pub(crate) fn time(&self, at: Timestamp, now: Timestamp) -> String {
        let (at, now) = (self.at(at), self.at(now));
        let format = if at.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
        at.strftime(format).to_string()
    }

    fn at(&self, at: Timestamp) -> Zoned {
        jiff::Timestamp::from_millisecond(at.ms()).unwrap_or_default().to_zoned(self.0.clone())
    }
}

impl Default for Zone {
    /// The machine's own.
    fn default() -> Zone {
        Zone(TimeZone::system())
    }
}

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<[Bundle; 3]> = LazyLock::new(|| Locale::ALL.map(Locale::bundle));

impl Locale {
    /// Every one.
    pub const ALL: [Locale; 3] = [Locale::En, Locale::Ar, Locale::ArIndic];

    /// Returns its tag, as `?lang=` and the cookie carry it.
    pub const fn tag(self) -> &'static str {
        match self {
            Locale::En => "en",
            Locale::Ar => "ar",
            Locale::ArIndic => "ar-u-nu-arab",
        }
    }

    /// Returns the language without its digits, for `<html lang>`.
    pub const fn language(self) -> &'static str {
        match self {
            Locale::En => "en",
            Locale::Ar | Locale::ArIndic => "ar",
        }
    }

    /// Returns the direction of its lines.
    pub const fn dir(self) -> &'static str {
        match self {
            Locale::En => "ltr",
            Locale::Ar | Locale::ArIndic => "rtl",
        }
    }

    /// Finds the language with this tag; `ar-EG` is Arabic.
    pub fn from_tag(tag: &str) -> Option<Locale> {
        let tag = tag.trim();
        Locale::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(tag)).or_else(|| {
            let language = tag.split(['-', '_']).next()?;
            [Locale::En, Locale::Ar].into_iter().find(|l| l.language().eq_ignore_ascii_case(language))
        })
    }

    /// Chooses by `Accept-Language`. Cites: RFC 9110 section 12.5.4.
    pub fn accepted(header: &str) -> Option<Locale> {
        let mut best: Option<(f32, Locale)> = None;
        for range in header.split(',').take(32) {
            let mut parts = range.split(';');
            let Some(locale) = Locale::from_tag(parts.next().unwrap_or("")) else { continue };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            if weight > 0.0 && best.is_none_or(|(heaviest, _)| weight > heaviest) {
                best = Some((weight, locale));
            }
        }
        best.map(|(_, locale)| locale)
    }

    /// Returns a message without arguments.
    pub(crate) fn word(self, id: &str) -> String {
        self.format(id, None)
    }

    /// Returns a message with its arguments, each isolated.
    pub(crate) fn say(self, id: &str, args: &[(&'static str, Arg)]) -> String {
        let mut given = FluentArgs::new();
        for (name, arg) in args {
            given.set(*name, arg.value());
        }
        self.format(id, Some(&given))
    }

    fn format(self, id: &str, args: Option<&FluentArgs<'_>>) -> String {
        let bundle = &BUNDLES[self as usize];
        let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else {
            return id.to_owned();
        };
        bundle.format_pattern(pattern, args, &mut Vec::new()).into_owned()
    }

    /// Builds the words of a language. A message that does not parse is found by a test, and shown by its name.
    fn bundle(self) -> Bundle {
        let words = if self == Locale::En { WORDS_EN } else { WORDS_AR };
        let language: LanguageIdentifier = self.language().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![language]);
        bundle.add_resource_overriding(
            FluentResource::try_new(words.to_owned()).unwrap_or_else(|(good, _)| good),
        );
        bundle.set_formatter(Some(match self {
            Locale::En | Locale::Ar => |value, _| counted(Locale::En, value),
            Locale::ArIndic => |value, _| counted(Locale::ArIndic, value),
        }));
        bundle
    }

    /// Writes a whole number.
    pub(crate) fn number(self, number: u64) -> String {
        let plain = number.to_string();
        let mut grouped = String::with_capacity(plain.len() + plain.len() / 3);
        for (at, digit) in plain.chars().enumerate() {
            if at > 0 && (plain.len() - at).is_multiple_of(3) {
                grouped.push('\u{202f}');
            }
            grouped.push(digit);
        }
        self.digits(&grouped)
    }

    /// Writes a share from 0 to 1 in hundredths: never 100 % for less than all, never 0 % for more than nothing.
    pub(crate) fn percent(self, share: f64) -> String {
        let hundredths = (share * 100.0).round();
        let text = match share {
            _ if share <= 0.0 => "0".to_owned(),
            _ if share >= 1.0 => "100".to_owned(),
            _ => format!("{}", hundredths.clamp(1.0, 99.0)),
        };
        // Without a space the sign stays with its number in a line that runs from the other side.
        let sign = if self == Locale::ArIndic { '٪' } else { '%' };
        format!("{}{sign}", self.digits(&text))
    }

    /// Puts digits into the language's own.
    pub(crate) fn digits(self, text: &str) -> String {
        match self {
            Locale::En | Locale::Ar => text.to_owned(),
            Locale::ArIndic => text
                .chars()
                .map(|c| c.to_digit(10).and_then(|d| char::from_u32(0x660 + d)).unwrap_or(c))
                .collect(),
        }
    }

    /// Writes a length of time in its largest unit, and from an hour on in its two largest.
    pub(crate) fn span(self, span: Span) -> String {
        self.span_of(["age-days", "age-hours", "age-minutes", "age-seconds"], span)
    }

    /// Writes it as it stands after "after": Arabic has another dual there.
    pub(crate) fn span_after(self, span: Span) -> String {
        let units = ["age-days-after", "age-hours-after", "age-minutes-after", "age-seconds-after"];
        self.span_of(units, span)
    }

    /// Writes how long ago something was, as part of a sentence.
    pub(crate) fn ago(self, span: Span) -> String {
        unisolated(&self.say("ago", &[("age", Arg::text(self.span_after(span)))]))
    }

    fn span_of(self, [days, hours, minutes, seconds]: [&str; 4], span: Span) -> String {
        let secs = span.ms().max(0) as u64 / 1000;
        let one = |id: &str, n: u64| unisolated(&self.say(id, &[("n", Arg::Count(n))]));
        let two = |large: String, id: &str, n: u64| match n {
            0 => large,
            n => {
                let args = [("large", Arg::Text(large)), ("small", Arg::Text(one(id, n)))];
                unisolated(&self.say("age-two", &args))
            }
        };
        match (secs / 60, secs / 3_600, secs / 86_400) {
            (_, all, all_days @ 1..) => two(one(days, all_days), hours, all % 24),
            (all, all_hours @ 1.., _) => two(one(hours, all_hours), minutes, all % 60),
            (all @ 1.., ..) => one(minutes, all),
            _ => one(seconds, secs),
        }
    }

    /// Joins names: `A, B and C`. Cites: CLDR's list patterns; Arabic joins each of three and more by its `and`.
    pub(crate) fn list(self, names: &[String]) -> String {
        match names {
            [] => String::new(),
            [one] => one.clone(),
            [one, other] => format!("{one}{}{other}", self.word("list-and")),
            [most @ .., last] => {
                format!("{}{}{last}", most.join(&self.word("list-comma")), self.word("list-last"))
            }
        }
    }

    /// Returns a channel's name.
    pub(crate) fn channel(self, channel: Channel) -> String {
        self.word(&format!("channel-{channel}"))
    }

    /// Returns a reason in words.
    pub(crate) fn reason(self, reason: Reason) -> String {
        self.word(&format!("reason-{reason}"))
    }

    /// Returns a layer's name.
    pub(crate) fn layer(self, layer: Layer) -> String {
        self.word(&format!("layer-{layer}"))
    }

    /// Returns how a delivery ended, in words.
    pub(crate) fn result(self, result: DeliveryResult) -> String {
        self.word(&format!("result-{result}"))
    }

    /// Returns a severity in words.
    pub(crate) fn severity(self, severity: Severity) -> String {
        self.word(&format!("severity-{severity}"))
    }
}

/// An argument of a message.
pub(crate) enum Arg {
    /// A text: a name, an identifier, words that were put together before.
    Text(String),
    /// A number that chooses the plural, written in the language's digits.
    Count(u64),
}

impl Arg {
    pub(crate) fn text(text: impl Into<String>) -> Arg {
        Arg::Text(text.into())
    }

    fn value(&self) -> FluentValue<'static> {
        match self {
            Arg::Text(text) => FluentValue::from(text.clone()),
            Arg::Count(n) => {
                let digits = usize::try_from(*n).unwrap_or(usize::MAX);
                let options =
                    FluentNumberOptions { minimum_integer_digits: Some(digits), ..Default::default() };
                FluentNumber::new(alike(*n) as f64, options).into()
            }
        }
    }
}

/// Returns a number below 103 with the same plural form. Arabic goes by the last two digits (CLDR: 3 to 10 and 11 to 99 of
/// n % 100), which the library of plural rules does not see behind the hundreds; the number itself travels in an option
/// that no rule looks at.
const fn alike(n: u64) -> u64 {
    match n % 100 {
        _ if n < 103 => n,
        0..3 => 100,
        rest => rest,
    }
}

/// Writes a number as the language does; leaves everything else to Fluent.
fn counted(locale: Locale, value: &FluentValue<'_>) -> Option<String> {
    match value {
        FluentValue::Number(number) => {
            let whole = number.options.minimum_integer_digits.map(|digits| digits as u64);
            Some(locale.number(whole.unwrap_or(number.value.max(0.0) as u64)))
        }
        _ => None,
    }
}

/// Takes the isolates out of a text whose parts are of one language.
pub(crate) fn unisolated(text: &str) -> String {
    text.chars().filter(|c| !matches!(*c, ISOLATE | POP)).collect()
}

/// Escapes a message and turns its isolates into `<bdi>`.
pub(crate) fn rich(text: &str) -> Markup {
    let mut out = String::with_capacity(text.len() + 16);
    let mut open = 0;
    for c in text.chars() {
        match c {
            ISOLATE => {
                open += 1;
                out.push_str("<bdi>");
            }
            POP if open > 0 => {
                open -= 1;
                out.push_str("</bdi>");
            }
            POP => {}
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(visible(c)),
        }
    }
    (0..open).for_each(|_| out.push_str("</bdi>"));
    PreEscaped(out)
}

/// Shows what steers the direction of a line, instead of letting it steer ours.
fn visible(c: char) -> char {
    match c {
        '\u{202a}'..='\u{202e}' | '\u{2066}' | '\u{2067}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => '\u{fffd}',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn messages(words: &str) -> BTreeSet<&str> {
        let starts = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
        words.lines().filter(starts).filter_map(|line| line.split_once(" = ")).map(|(id, _)| id).collect()
    }

    fn arguments(words: &str) -> BTreeSet<(String, String)> {
        let (mut found, mut id) = (BTreeSet::new(), "");
        for line in words.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with(|c: char| c.is_ascii_lowercase()) {
                id = line.split(' ').next().unwrap_or("");
            }
            for after in line.split("{ $").skip(1) {
                let name: String = after.chars().take_while(char::is_ascii_alphanumeric).collect();
                found.insert((id.to_owned(), name));
            }
        }
        found
    }

    #[test]
    fn both_languages_say_the_same() {
        for words in [WORDS_EN, WORDS_AR] {
            assert!(FluentResource::try_new(words.to_owned()).is_ok(), "every message parses");
        }
        for words in [WORDS_EN, WORDS_AR] {
            let mut seen = BTreeSet::new();
            for line in words.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())) {
                let id = line.split(' ').next();
                assert!(seen.insert(id), "{id:?} is there twice: the later words would hide the earlier");
            }
        }
        assert_eq!(messages(WORDS_EN), messages(WORDS_AR));
        assert_eq!(arguments(WORDS_EN), arguments(WORDS_AR));
    }

    #[test]
    fn every_closed_list_has_its_words() {
        let known = messages(WORDS_EN);
        let reasons = Reason::ALL.iter().map(|r| format!("reason-{r}"));
        let channels = Channel::ALL.iter().map(|c| format!("channel-{c}"));
        let severities = Severity::ALL.iter().map(|s| format!("severity-{s}"));
        let states = crate::core::view::State::ALL.iter().map(|s| format!("state-{s}"));
        let layers = Layer::ALL.iter().map(|l| format!("layer-{l}"));
        for id in reasons.chain(channels).chain(severities).chain(states).chain(layers) {
            assert!(known.contains(id.as_str()), "{id} has no words");
        }
    }

    #[test]
    fn arabic_plurals_go_by_the_last_two_digits() {
        for (n, form) in [
            (99, "يومًا"),
            (100, "يوم"),
            (102, "يوم"),
            (103, "أيام"),
            (110, "أيام"),
            (111, "يومًا"),
            (119, "يومًا"),
            (200, "يوم"),
            (1_103, "أيام"),
            (1_436, "يومًا"),
        ] {
            let told = Locale::Ar.span(Span::from_hours(24 * n));
            assert!(told.ends_with(form), "{n}: {told}");
            assert!(told.contains(&Locale::Ar.number(n as u64)), "{n}: {told}");
        }
    }

    #[test]
    fn arabic_has_six_plural_forms() {
        let check = |n, expected| {
            assert_eq!(Locale::Ar.span(Span::from_mins(n)), expected);
        };
        check(1, "دقيقة");
        check(2, "دقيقتان");
        check(3, "3 دقائق");
        check(11, "11 دقيقة");
        check(60 * 26, "يوم وساعتان");
        assert_eq!(Locale::Ar.span_after(Span::from_hours(50)), "يومين وساعتين");
        assert_eq!(Locale::Ar.span_after(Span::from_secs(3)), "3 ثوانٍ");
        assert_eq!(Locale::En.span_after(Span::from_secs(2)), "2 s");
        assert_eq!(Locale::ArIndic.span(Span::from_secs(41)), "٤١ ثانية");
        assert_eq!(Locale::En.span(Span::from_mins(125)), "2 h 5 min");
        assert_eq!(
            Locale::ArIndic.say("verdict-in-time", &[("n", Arg::Count(1_200))]).matches('١').count(),
            1
        );
    }

    #[test]
    fn a_language_is_found_by_tag_and_by_wish() {
        assert_eq!(Locale::from_tag("ar-EG"), Some(Locale::Ar));
        assert_eq!(Locale::from_tag("AR-u-nu-arab"), Some(Locale::ArIndic));
        assert_eq!(Locale::from_tag("fr"), None);
        assert_eq!(Locale::accepted("fr, en;q=0.3, ar;q=0.8"), Some(Locale::Ar));
        assert_eq!(Locale::accepted("ar;q=0, de"), None);
    }

    #[test]
    fn isolates_become_elements_and_tricks_become_visible() {
        let text = Locale::Ar.say("uplink-up", &[("name", Arg::text("fibre<1>\u{202e}"))]);
        assert_eq!(rich(&text).0, "<bdi>fibre&lt;1&gt;\u{fffd}</bdi> يعمل");
        assert_eq!(rich("\u{2068}a").0, "<bdi>a</bdi>", "what is opened is closed");
    }

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(Locale::En.number(1_234_567), "1\u{202f}234\u{202f}567");
        let percent = [0.0, 0.004, 0.614, 0.999, 1.0].map(|share| Locale::En.percent(share));
        assert_eq!(percent, ["0%", "1%", "61%", "99%", "100%"]);
        let names = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(
            (Locale::En.list(&names), Locale::En.list(&names[..2])),
            ("a, b and c".into(), "a and b".into())
        );
        assert_eq!(
            (Locale::Ar.list(&names), Locale::Ar.list(&names[..2])),
            ("a، وb، وc".into(), "a وb".into())
        );
        let zone = Zone::named("Asia/Gaza").unwrap();
        let at = Timestamp::from_ms(1_795_000_000_000);
        assert_eq!(zone.clock(at), "13:06:40 EET (+02)");
        assert_eq!(zone.time(at, at + Span::from_hours(24)), "2026-11-18 13:06:40");
    }
}
