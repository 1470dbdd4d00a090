//! The files `probes/*.toml`: what is checked, for which gateways, how often.
//!
//! ```toml
//! [[probe]]
//! name     = "account"              # unique for each gateway: it is a metric's label
//! kind     = "api"                  # dns, tcp, tls, http, api, smpp, smtp; statuspage, rss, page
//! adapter  = "whatsapp-cloud"       # or gateway = "whatsapp-main", or channel = "whatsapp"
//! where    = { like = "kannel", status_url = true }    # of those, where a setting is this word, or is there at all
//! interval = "60s"
//! in_doubt = "60s"                  # how often while there is doubt; 2 s, or the interval if that is shorter
//! timeouts = { connect = "3s", tls = "3s", answer = "5s" }
//! defaults = { api_version = "v23.0" }
//! url      = "{base_url}/{api_version}/{phone_number_id}"
//! ```
//! `{word}` stands for the gateway's own setting of that name, secrets included; `defaults` are for what it leaves out.
//!
//! Limits: intervals from 100 ms, of a provider's status page from a minute, to a day; time-outs from 10 ms to a minute.

use super::expect::words_of_reasons;
use super::target::{Target, Text, Unset};
use super::trace::Limits;
use super::{Blueprint, Context, KINDS, Kind, PROBES_MAX, ProbeSet, Ready};
use crate::core::channel::Channel;
use crate::core::outcome::Reason;
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Loose, Place, Source, Spanned, Table, did_you_mean};
use crate::settings::{AdapterKind, BadPort};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// How often a probe runs unless its file says otherwise.
const INTERVAL: Span = Span::from_secs(15);
/// How often while there is doubt. Cites: the evidence meter's state of suspicion asks for a probe every 2 s.
const IN_DOUBT: Span = Span::from_secs(2);
/// How often a provider's status page is read unless its file says otherwise: people write it, minutes late.
const FEED_INTERVAL: Span = Span::from_mins(2);
/// Whose page it is wants it asked no more often, in doubt neither.
const FEED_INTERVAL_MIN: Span = Span::from_secs(60);
/// More often would measure ourselves.
const INTERVAL_MIN: Span = Span::from_ms(100);
/// Evidence older than a day is none.
const INTERVAL_MAX: Span = Span::from_hours(24);
/// A network answers in no less than this.
const TIMEOUT_MIN: Span = Span::from_ms(10);
/// A gateway that takes longer is of no use in a crisis.
const TIMEOUT_MAX: Span = Span::from_secs(60);
/// The most files of a folder that are read.
const FILES_MAX: usize = 200;

/// One `[[probe]]`, before it is known for which gateways there are.
pub struct Definition {
    name: Spanned<String>,
    kind: &'static Kind,
    wanted: Spanned<Wanted>,
    /// What a gateway's settings must be: a word, or there (`true`) or not (`false`).
    provided: Vec<(String, Provided)>,
    interval: Span,
    in_doubt: Span,
    limits: Limits,
    defaults: BTreeMap<String, String>,
    blueprint: Box<dyn Blueprint>,
}

/// Which gateways a probe is for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Wanted {
    Gateway(String),
    Adapter(String),
    Channel(Channel),
}

/// What one of a gateway's settings must be.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Provided {
    Word(String),
    Set(bool),
}

/// Why a probe cannot be built for a gateway. No text repeats a setting's value: it may be a secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unbuildable {
    /// A placeholder has no value.
    #[error("{0}")]
    Unset(#[from] Unset),
    /// The host or the port cannot be used.
    #[error("its host or port cannot be used")]
    BadPlace,
    /// The URL cannot be used.
    #[error("its URL is not of the form `http://host/path` or `https://host/path`")]
    BadUrl,
    /// The URL's port cannot be used.
    #[error("it has a URL, and {0}")]
    BadPort(#[from] BadPort),
    /// A header cannot be sent.
    #[error("its header `{0}` has a name or a value that cannot be sent")]
    BadHeader(String),
    /// A setting is none of the words that are known.
    #[error("`{key}` must be {words}")]
    BadWord {
        /// The setting.
        key: &'static str,
        /// What it may be.
        words: &'static str,
    },
    /// A setting is longer than the protocol allows.
    #[error("`{0}` is longer than the protocol allows, or has characters that it does not")]
    TooLong(&'static str),
    /// The certificate authorities cannot be read.
    #[error("`ca_file` `{0}` holds no certificate that can be read")]
    BadCaFile(String),
}

/// A table that is being read, with the place for its mistakes.
pub(crate) struct Reader<'a> {
    table: &'a mut Table,
    diags: &'a mut Diagnostics,
}

// === reading ===

/// Reads one file. What is wrong is in `diags`; what is right is returned all the same.
pub fn parse(source: &Arc<Source>, diags: &mut Diagnostics) -> Vec<Definition> {
    let Some(mut table) = Table::parse(source, diags) else { return Vec::new() };
    let probes = table.tables("probe", diags);
    table.finish(diags);
    probes.into_iter().filter_map(|probe| Definition::parse(probe, diags)).collect()
}

/// Reads every `*.toml` of a folder, in the order of their names. Where there is no folder, the ready files of the kinds
/// of gateways stand in: whoever has only a `wasl.toml` is watched over as well.
pub fn read_folder(folder: &Path, kinds: &[AdapterKind], diags: &mut Diagnostics) -> Vec<Definition> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let ready = |kind: &AdapterKind| {
                Source::new(format!("probes/{}.toml (built in)", kind.name), kind.probes)
            };
            return kinds.iter().map(ready).flat_map(|source| parse(&source, diags)).collect();
        }
        Err(error) => {
            let name = folder.display().to_string();
            diags.push(
                Diagnostic::error("unreadable-file", format!("cannot read the folder `{name}`: {error}"))
                    .help("check the path and the permissions of the user that runs Wasl"),
            );
            return Vec::new();
        }
    };
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "toml") && path.is_file())
        .collect();
    files.sort();
    if files.len() > FILES_MAX {
        let name = folder.display().to_string();
        let message = format!("the folder has {} files; {FILES_MAX} are allowed", files.len());
        diags.push(
            Diagnostic::error("too-many", message).in_file(name).help("put several probes into a file"),
        );
        files.truncate(FILES_MAX);
    }
    let sources: Vec<_> = files.iter().filter_map(|path| Source::read(path, diags)).collect();
    sources.iter().flat_map(|source| parse(source, diags)).collect()
}

impl Definition {
    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name.value
    }

    fn parse(mut table: Table, diags: &mut Diagnostics) -> Option<Definition> {
        let name = name(&mut table, diags);
        if let Some(name) = &name {
            table.call(format!("probe `{}`", name.value));
        }
        let wanted = wanted(&mut table, diags);
        let provided = provided(&mut table, diags);
        let words: Vec<_> = KINDS.iter().map(|kind| (kind.name, kind)).collect();
        let says_kind = table.key("kind").is_some();
        let kind = table.choice("kind", &words, diags);
        let rest = Rest::of(kind.as_ref().is_some_and(|kind| kind.value.is_feed));
        let interval = rest.interval(&mut table, diags);
        let in_doubt = rest.in_doubt(&mut table, interval, diags);
        let limits = limits(&mut table, diags);
        let defaults = table.string_map("defaults", diags);
        let defaults = defaults.into_iter().map(|(key, text)| (key, text.value)).collect();
        if !says_kind {
            table.missing("kind", diags);
            return None;
        }
        let kind = kind?.value;
        let blueprint = (kind.parse)(&mut Reader { table: &mut table, diags });
        table.finish(diags);
        Some(Definition {
            name: name?,
            kind,
            wanted: wanted?,
            provided,
            interval,
            in_doubt,
            limits,
            defaults,
            blueprint: blueprint?,
        })
    }
}

/// Reads the name: it becomes a metric's label.
fn name(table: &mut Table, diags: &mut Diagnostics) -> Option<Spanned<String>> {
    let name = table.required_string("name", diags)?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.value.len() <= 40 && name.value.chars().all(fits) {
        return Some(name);
    }
    diags.push(
        Diagnostic::error("bad-value", format!("`{}` cannot be a probe's name", name.value))
            .at(&name.place, "it becomes a metric's label")
            .help("use at most 40 of a-z, 0-9 and `-`"),
    );
    None
}

/// Reads which gateways it is for: exactly one of three keys.
fn wanted(table: &mut Table, diags: &mut Diagnostics) -> Option<Spanned<Wanted>> {
    let channels: Vec<_> = Channel::ALL.into_iter().map(|channel| (channel.name(), channel)).collect();
    let found: Vec<_> = [
        table.string("gateway", diags).map(|text| text.map(Wanted::Gateway)),
        table.string("adapter", diags).map(|text| text.map(Wanted::Adapter)),
        table.choice("channel", &channels, diags).map(|channel| channel.map(Wanted::Channel)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let [one] = found.as_slice() {
        return Some(one.clone());
    }
    let place = found.get(1).map_or_else(|| table.place().clone(), |second| second.place.clone());
    let (code, label) = match found.len() {
        0 => ("missing-key", "it is for no gateway"),
        _ => ("conflict", "one of them says it already"),
    };
    diags.push(
        Diagnostic::error(code, format!("{} must say for which gateways it is, in one way", table.called()))
            .at(&place, label)
            .help("write `gateway = \"name\"`, `adapter = \"whatsapp-cloud\"` or `channel = \"sms\"`"),
    );
    None
}

/// Reads what a gateway's settings must be for the probe to be for it.
fn provided(table: &mut Table, diags: &mut Diagnostics) -> Vec<(String, Provided)> {
    let mut provided = Vec::new();
    for (key, loose) in table.loose_map("where", diags) {
        match loose.value {
            Loose::Text(word) => provided.push((key, Provided::Word(word))),
            Loose::Truth(is_set) => provided.push((key, Provided::Set(is_set))),
            _ => diags.push(
                Diagnostic::error("wrong-type", format!("`where` of {} cannot be read", table.called()))
                    .at(&loose.place, "neither a word nor true or false")
                    .help("write `where = { like = \"kannel\", status_url = true }`"),
            ),
        }
    }
    provided
}

/// How often a kind of probe runs: usually, in doubt, and at most.
struct Rest {
    usual: Span,
    in_doubt: Span,
    least: Span,
}

impl Rest {
    fn of(is_feed: bool) -> Rest {
        match is_feed {
            true => Rest { usual: FEED_INTERVAL, in_doubt: FEED_INTERVAL_MIN, least: FEED_INTERVAL_MIN },
            false => Rest { usual: INTERVAL, in_doubt: IN_DOUBT, least: INTERVAL_MIN },
        }
    }

    fn interval(&self, table: &mut Table, diags: &mut Diagnostics) -> Span {
        let said = table.span_in("interval", self.least..=INTERVAL_MAX, diags);
        said.map_or(self.usual, |span| span.value)
    }

    /// Reads how often it runs in doubt; never more seldom than otherwise.
    fn in_doubt(&self, table: &mut Table, interval: Span, diags: &mut Diagnostics) -> Span {
        let Some(span) = table.span_in("in_doubt", self.least..=INTERVAL_MAX, diags) else {
            return self.in_doubt.min(interval);
        };
        if span.value > interval {
            let message = format!("`in_doubt` of {} is above its interval", table.called());
            diags.push(
                Diagnostic::error("out-of-range", message)
                    .at(&span.place, "doubt must not slow it down")
                    .help(format!("write {interval} or less, or leave it out")),
            );
        }
        span.value.min(interval)
    }
}

fn limits(table: &mut Table, diags: &mut Diagnostics) -> Limits {
    let mut limits = Limits::default();
    let called = table.called().to_owned();
    let Some(mut table) = table.table("timeouts", diags) else { return limits };
    table.call(format!("`timeouts` of {called}"));
    let slots = [
        ("dns", &mut limits.dns),
        ("connect", &mut limits.connect),
        ("tls", &mut limits.tls),
        ("answer", &mut limits.answer),
    ];
    for (key, slot) in slots {
        if let Some(span) = table.span_in(key, TIMEOUT_MIN..=TIMEOUT_MAX, diags) {
            *slot = span.value;
        }
    }
    table.finish(diags);
    limits
}

// === resolving ===

/// Builds each probe for each gateway that it is for. `adapters` are the names that exist, so that a misspelt one is
/// an error rather than a gateway that nobody watches.
pub fn resolve(
    definitions: &[Definition],
    targets: &[Target],
    adapters: &[&str],
    context: &Context,
    diags: &mut Diagnostics,
) -> ProbeSet {
    for definition in definitions {
        definition.check_wanted(targets, adapters, diags);
    }
    let mut ready = Vec::new();
    for target in targets {
        let (mut names, mut is_looked_at) = (BTreeSet::new(), false);
        for definition in definitions.iter().filter(|definition| definition.wants(target)) {
            if !names.insert(definition.name()) {
                diags.push(definition.twice(target));
                continue;
            }
            // What its provider says is no look at it.
            is_looked_at |= !definition.kind.is_feed;
            match definition.build(target, context) {
                Ok(probe) => ready.push(Arc::new(probe)),
                // Whoever reads the gateway says what is wrong with it.
                Err(Unbuildable::Unset(Unset(key))) if target.cannot_read(&key) => {}
                Err(why) => diags.push(definition.unbuildable(target, &why)),
            }
        }
        if !is_looked_at {
            diags.push(
                Diagnostic::warning("unprobed", format!("no probe is for the gateway `{}`", target.name))
                    .help("without one, only its sends tell how it is; add one to a file in `probes/`"),
            );
        }
    }
    if ready.len() > PROBES_MAX {
        let message = format!("there are {} probes; {PROBES_MAX} are allowed", ready.len());
        diags.push(Diagnostic::error("too-many", message).help("give gateways fewer probes"));
        ready.truncate(PROBES_MAX);
    }
    ProbeSet { ready }
}

impl Definition {
    fn wants(&self, target: &Target) -> bool {
        let is_named = match &self.wanted.value {
            Wanted::Gateway(name) => *name == target.name,
            Wanted::Adapter(name) => *name == target.adapter,
            Wanted::Channel(channel) => *channel == target.channel,
        };
        is_named
            && self.provided.iter().all(|(key, provided)| match provided {
                Provided::Word(word) => target.value(key) == Some(word),
                Provided::Set(is_set) => target.value(key).is_some() == *is_set,
            })
    }

    fn check_wanted(&self, targets: &[Target], adapters: &[&str], diags: &mut Diagnostics) {
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        let (word, what, known) = match &self.wanted.value {
            Wanted::Gateway(name) => (name, "gateway", names.as_slice()),
            Wanted::Adapter(name) => (name, "adapter", adapters),
            Wanted::Channel(_) => return,
        };
        if !known.contains(&word.as_str()) {
            diags.push(
                Diagnostic::error(
                    "unknown-name",
                    format!("probe `{}` is for the {what} `{word}`", self.name.value),
                )
                .at(&self.wanted.place, format!("no {what} has this name"))
                .help(did_you_mean(word, known.iter().copied())),
            );
        }
    }

    fn build(&self, target: &Target, context: &Context) -> Result<Ready, Unbuildable> {
        let probe = self.blueprint.build(&target.or(&self.defaults), context, self.limits)?;
        Ok(Ready {
            gateway: target.gateway,
            gateway_name: target.name.clone(),
            name: self.name.value.clone(),
            aims_at: self.kind.aims_at,
            is_feed: self.kind.is_feed,
            interval: self.interval,
            in_doubt: self.in_doubt,
            limits: self.limits,
            probe,
        })
    }

    fn twice(&self, target: &Target) -> Diagnostic {
        Diagnostic::error(
            "duplicate-name",
            format!("the gateway `{}` has two probes `{}`", target.name, self.name.value),
        )
        .at(&self.name.place, "this is the second one")
        .help("give each probe of a gateway its own name")
    }

    fn unbuildable(&self, target: &Target, why: &Unbuildable) -> Diagnostic {
        let message =
            format!("probe `{}` cannot be for the gateway `{}`: {why}", self.name.value, target.name);
        let help = match why {
            Unbuildable::Unset(Unset(key)) => {
                format!("set `{key}` for the gateway in wasl.toml, or put it into the probe's `defaults`")
            }
            _ => format!("look at the probe's keys and at the gateway `{}` in wasl.toml", target.name),
        };
        Diagnostic::error("unbuildable-probe", message).at(&self.name.place, "this probe").help(help)
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(crate) fn new(table: &'a mut Table, diags: &'a mut Diagnostics) -> Reader<'a> {
        Reader { table, diags }
    }

    /// Reads a text with placeholders.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<Text> {
        self.table.string(key, self.diags).map(|text| Text::parse(&text.value))
    }

    /// Reads a text with placeholders, which must be there.
    pub(crate) fn required_text(&mut self, key: &'static str) -> Option<Text> {
        self.table.required_string(key, self.diags).map(|text| Text::parse(&text.value))
    }

    /// Reads a text without placeholders.
    pub(crate) fn string(&mut self, key: &'static str) -> Option<Spanned<String>> {
        self.table.string(key, self.diags)
    }

    /// Reads an array of texts without placeholders; none where it is left out.
    pub(crate) fn strings(&mut self, key: &'static str) -> Vec<Spanned<String>> {
        self.table.strings(key, self.diags).map_or_else(Vec::new, |texts| texts.value)
    }

    /// Reads true or false.
    pub(crate) fn bool(&mut self, key: &'static str) -> Option<bool> {
        self.table.bool(key, self.diags).map(|truth| truth.value)
    }

    /// Reads one of some words.
    pub(crate) fn choice<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<Spanned<T>> {
        self.table.choice(key, words, self.diags)
    }

    /// Reads a reason that a gateway can be at fault for.
    pub(crate) fn reason(&mut self, key: &'static str) -> Option<Reason> {
        self.choice(key, &words_of_reasons()).map(|reason| reason.value)
    }

    /// Reads a length of time within a range.
    pub(crate) fn span(&mut self, key: &'static str, low: Span, high: Span) -> Option<Span> {
        self.table.span_in(key, low..=high, self.diags).map(|span| span.value)
    }

    /// Reads a number.
    pub(crate) fn number(&mut self, key: &'static str) -> Option<f64> {
        self.table.f64(key, f64::MIN..=f64::MAX, self.diags).map(|number| number.value)
    }

    /// Reads a table of texts with placeholders.
    pub(crate) fn text_map(&mut self, key: &'static str) -> BTreeMap<String, Text> {
        let map = self.table.string_map(key, self.diags);
        map.into_iter().map(|(name, text)| (name, Text::parse(&text.value))).collect()
    }

    /// Reads a value of whatever type.
    pub(crate) fn loose(&mut self, key: &'static str) -> Option<Spanned<Loose>> {
        self.table.loose(key, self.diags)
    }

    /// Reads a table of values of whatever type.
    pub(crate) fn loose_map(&mut self, key: &'static str) -> BTreeMap<String, Spanned<Loose>> {
        self.table.loose_map(key, self.diags)
    }

    /// Reads a table by `read`, and complains about the keys that it leaves.
    pub(crate) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Option<T> {
        let table = self.table.table(key, self.diags)?;
        let called = format!("`{key}` of {}", self.table.called());
        Some(self.inside(table, called, read))
    }

    /// Reads an array of tables by `read`.
    pub(crate) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Reader<'_>) -> Option<T>,
    ) -> Vec<T> {
        let tables = self.table.tables(key, self.diags);
        let called = format!("`{key}` of {}", self.table.called());
        tables.into_iter().filter_map(|table| self.inside(table, called.clone(), &mut read)).collect()
    }

    /// Reads a table that has been taken already.
    pub(crate) fn inside<T>(
        &mut self,
        mut table: Table,
        called: String,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> T {
        table.call(called);
        let value = read(&mut Reader::new(&mut table, self.diags));
        table.finish(self.diags);
        value
    }

    /// Returns how messages call what is read.
    pub(crate) fn called(&self) -> &str {
        self.table.called()
    }

    /// Returns where what is read stands.
    pub(crate) fn place(&self) -> Place {
        self.table.place().clone()
    }

    /// Reports that a key is not there.
    pub(crate) fn missing(&mut self, key: &'static str) {
        self.table.missing(key, self.diags);
    }

    /// Reports that a value cannot be read.
    pub(crate) fn bad_value(&mut self, key: &str, place: &Place, what: &str, help: &str) {
        self.diags.push(
            Diagnostic::error("bad-value", format!("`{key}` of {} is not {what}", self.table.called()))
                .at(place, format!("this cannot be read as {what}"))
                .help(help),
        );
    }
}
