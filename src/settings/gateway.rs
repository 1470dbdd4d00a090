//! The gateways: the keys that all kinds share.

use super::canary::{self, CanarySettings};
use super::server::{file, url};
use crate::core::channel::{Channel, GATEWAYS_MAX};
use crate::core::gateway::{GatewayConfig, INTERNET, Receipts};
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Place, Spanned, Table, article, did_you_mean};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The longest name of a gateway or of a failure domain: it is a metric's label and a part of a URL.
pub const NAME_BYTES_MAX: usize = 64;
/// How long one attempt may take to connect: 3 s for the name and the port together, 3 s for TLS. Cites: the issue's
/// "connect and TLS apart, 3 s".
pub const CONNECT_TIME_OUT: Span = Span::from_secs(6);
/// The usual window. Cites: the contract's example.
pub const WINDOW: u32 = 50;
/// The largest window: beyond it a provider's answers, not ours, are the limit.
const WINDOW_MAX: u64 = 10_000;
/// The highest price of one message that is believed.
const COST_MAX: f64 = 10_000.0;
/// The most failure domains of one gateway.
const DOMAINS_MAX: usize = 16;
/// The most quotas of one gateway.
const QUOTAS_MAX: usize = 8;

/// Stands for an address that was refused, in settings that are never put to work. Cites: RFC 2606, section 2.
const UNUSABLE_URL: &str = "http://refused.invalid";

/// What the reader must know of a kind of gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdapterKind {
    /// Its word in the file: `whatsapp-cloud`.
    pub name: &'static str,
    /// The channel that it serves.
    pub channel: Channel,
    /// The most that its receipts can say, and the default of `receipts`.
    pub receipts: Receipts,
    /// The default of `window`.
    pub window: u32,
    /// How long one attempt may take before anything of it leaves.
    pub connect_time_out: Span,
    /// Its ready probes, in TOML, for where there is no folder of probes.
    pub probes: &'static str,
}

/// One gateway of the file.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// What the core needs. `can_ask` is false until the adapter says otherwise.
    pub config: GatewayConfig,
    /// The accounts of our own that it sends to in a while, as `config.canaries` has them.
    pub canaries: Vec<CanarySettings>,
    /// Its kind.
    pub adapter: String,
    /// Where the provider is, if not where it usually is; without a slash at the end.
    pub base_url: Option<String>,
    /// Certificates to trust beside the usual ones, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Where its provider calls us, as the outside names it: `https://alerts.example.org/hooks/sms-main`.
    pub hook_url: String,
    /// Its header in the file.
    pub place: Place,
    /// The adapter's own keys; it must [`Table::finish`] them.
    pub rest: Table,
}

/// What gateways are read with that stands beside them.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    /// The folder of the file.
    pub(super) folder: &'a Path,
    /// What the outside calls us.
    pub(super) public_url: &'a str,
}

pub(super) fn read_all(
    tables: Vec<Table>,
    kinds: &[AdapterKind],
    beside: Beside<'_>,
    diags: &mut Diagnostics,
) -> Vec<GatewaySettings> {
    if let Some(one_too_many) = tables.get(GATEWAYS_MAX) {
        diags.push(
            Diagnostic::error("too-many", format!("more than {GATEWAYS_MAX} gateways"))
                .at(one_too_many.place(), "one too many")
                .help("remove those that are not used"),
        );
    }
    let mut names = BTreeSet::new();
    tables.into_iter().filter_map(|table| read(table, kinds, beside, &mut names, diags)).collect()
}

fn read(
    mut table: Table,
    kinds: &[AdapterKind],
    beside: Beside<'_>,
    names: &mut BTreeSet<String>,
    diags: &mut Diagnostics,
) -> Option<GatewaySettings> {
    let place = table.place().clone();
    let name = name(&mut table, "gateway", names, diags);
    let channel = channel(&mut table, diags);
    let kind = kind(&mut table, channel.as_ref().map(|channel| channel.value), kinds, diags);
    if let (Some(channel), Some(kind)) = (&channel, &kind) {
        check_pair(channel, kind, kinds, diags);
    }
    let receipts = receipts(&mut table, kind.as_ref().map(|k| k.value), diags);
    let channel = channel.as_ref().map(|c| c.value).or(kind.as_ref().map(|k| k.value.channel))?;
    let canaries = canary::read_all(&mut table, channel, kind.as_ref().map(|k| k.value), receipts, diags);
    let config = GatewayConfig {
        name: name.clone().unwrap_or_default(),
        channel,
        failure_domains: domains(&mut table, diags),
        rate: table.rate("rate", diags).map(|rate| rate.value),
        quotas: quotas(&mut table, diags),
        cost: table.f64("cost", 0.0..=COST_MAX, diags).map_or(0.0, |cost| cost.value),
        receipts,
        window: table
            .u64("window", 1..=WINDOW_MAX, diags)
            .map_or(kind.as_ref().map_or(WINDOW, |k| k.value.window), |w| w.value as u32),
        can_ask: false,
        connect_time_out: kind.as_ref().map_or(CONNECT_TIME_OUT, |k| k.value.connect_time_out),
        canaries: canaries.iter().map(|canary| canary.canary.clone()).collect(),
    };
    let has_url = table.key("base_url").is_some();
    // One that cannot be used was told: the adapter is not to call it missing.
    let base_url = url(&mut table, "base_url", diags).or_else(|| has_url.then(|| UNUSABLE_URL.to_owned()));
    let ca_file = file(&mut table, "ca_file", beside.folder, diags);
    let hook_url = format!("{}/hooks/{}", beside.public_url, name?);
    let adapter = kind?.value.name.to_owned();
    Some(GatewaySettings { config, canaries, adapter, base_url, ca_file, hook_url, place, rest: table })
}

/// Reads a name that is also a label and a part of a URL, and that nothing else of its kind may have.
pub(super) fn name(
    table: &mut Table,
    noun: &str,
    names: &mut BTreeSet<String>,
    diags: &mut Diagnostics,
) -> Option<String> {
    table.call(format!("the {noun}"));
    let name = table.required_string("name", diags)?;
    table.call(format!("{noun} `{}`", name.value));
    if !is_name(&name.value) {
        diags.push(
            Diagnostic::error(
                "bad-name",
                format!("`{}` cannot be the name of {} {noun}", name.value, article(noun)),
            )
            .at(&name.place, "not made of a-z, 0-9 and `-`, or too long")
            .help(format!("names are `[a-z0-9-]+`, at most {NAME_BYTES_MAX} characters: `{noun}-1`")),
        );
        return None;
    }
    if !names.insert(name.value.clone()) {
        diags.push(
            Diagnostic::error("duplicate-name", format!("two {noun}s are called `{}`", name.value))
                .at(&name.place, "the name is taken")
                .help("give it another name; outages and receipts are kept by name"),
        );
        return None;
    }
    Some(name.value)
}

fn is_name(text: &str) -> bool {
    let fits = !text.is_empty() && text.len() <= NAME_BYTES_MAX;
    fits && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn channel(table: &mut Table, diags: &mut Diagnostics) -> Option<Spanned<Channel>> {
    let text = table.required_string("channel", diags)?;
    match text.value.parse() {
        Ok(value) => Some(Spanned { value, place: text.place }),
        Err(_) => {
            diags.push(
                Diagnostic::error("unknown-channel", format!("{} names `{}`", table.called(), text.value))
                    .at(&text.place, "no channel has this name")
                    .help(did_you_mean(&text.value, Channel::SERVED.iter().map(|c| c.name()))),
            );
            None
        }
    }
}

fn kind(
    table: &mut Table,
    channel: Option<Channel>,
    kinds: &[AdapterKind],
    diags: &mut Diagnostics,
) -> Option<Spanned<AdapterKind>> {
    let text = table.required_string("adapter", diags)?;
    if let Some(kind) = kinds.iter().find(|kind| kind.name == text.value) {
        return Some(Spanned { value: *kind, place: text.place });
    }
    diags.push(
        Diagnostic::error("unknown-adapter", format!("{} has the adapter `{}`", table.called(), text.value))
            .at(&text.place, "no adapter has this name")
            .help(match channel.map(|channel| (channel, fitting(channel, kinds))) {
                Some((channel, some)) if !some.is_empty() => format!("for `{channel}` there is {some}"),
                _ => did_you_mean(&text.value, kinds.iter().map(|kind| kind.name)),
            }),
    );
    None
}

/// Names the adapters of a channel.
fn fitting(channel: Channel, kinds: &[AdapterKind]) -> String {
    let fitting = kinds.iter().filter(|kind| kind.channel == channel);
    fitting.map(|kind| format!("`{}`", kind.name)).collect::<Vec<_>>().join(", ")
}

fn check_pair(
    channel: &Spanned<Channel>,
    kind: &Spanned<AdapterKind>,
    kinds: &[AdapterKind],
    diags: &mut Diagnostics,
) {
    if channel.value == kind.value.channel {
        return;
    }
    let fitting = fitting(channel.value, kinds);
    let help = match fitting.is_empty() {
        true => format!("write `channel = \"{}\"`", kind.value.channel),
        false => format!("for `{}` there is {fitting}", channel.value),
    };
    let message = format!("`{}` does not serve `{}`", kind.value.name, channel.value);
    diags.push(
        Diagnostic::error("wrong-adapter", message)
            .at(&kind.place, format!("this adapter is for `{}`", kind.value.channel))
            .help(help),
    );
}

/// Reads what it is lost with. Who says nothing depends on the internet: the other way round, a gateway would be
/// trusted while our line is cut.
fn domains(table: &mut Table, diags: &mut Diagnostics) -> Vec<String> {
    let Some(texts) = table.strings("failure_domains", diags) else { return vec![INTERNET.into()] };
    if texts.value.len() > DOMAINS_MAX {
        diags.push(
            Diagnostic::error(
                "too-many",
                format!("{} has more than {DOMAINS_MAX} failure domains", table.called()),
            )
            .at(&texts.place, format!("these are {}", texts.value.len()))
            .help("name what other gateways are lost with too"),
        );
    }
    let mut domains = Vec::new();
    for text in texts.value {
        let fits = !text.value.is_empty() && text.value.len() <= NAME_BYTES_MAX;
        if !fits || !text.value.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b':' | b'.')) {
            diags.push(
                Diagnostic::error("bad-name", format!("`{}` cannot be a failure domain", text.value))
                    .at(&text.place, "not made of a-z, 0-9, `-`, `.` and `:`, or too long")
                    .help("write `internet`, `meta`, `carrier:jawwal` or `power:site-a`"),
            );
        } else if domains.contains(&text.value) {
            diags.push(
                Diagnostic::warning("duplicate-name", format!("`{}` is named twice", text.value))
                    .at(&text.place, "once is enough")
                    .help("remove it"),
            );
        } else {
            domains.push(text.value);
        }
    }
    domains
}

fn quotas(table: &mut Table, diags: &mut Diagnostics) -> Vec<crate::core::gateway::Quota> {
    let quotas = table.quotas("quota", diags);
    if let Some(one_too_many) = quotas.get(QUOTAS_MAX) {
        diags.push(
            Diagnostic::error("too-many", format!("{} has more than {QUOTAS_MAX} quotas", table.called()))
                .at(&one_too_many.place, "one too many")
                .help("keep the tightest of each period"),
        );
    }
    quotas.into_iter().map(|quota| quota.value).collect()
}

fn receipts(table: &mut Table, kind: Option<AdapterKind>, diags: &mut Diagnostics) -> Receipts {
    let words = [Receipts::None, Receipts::Delivered, Receipts::Read].map(|r| (r.name(), r));
    let most = kind.map_or(Receipts::Delivered, |kind| kind.receipts);
    let Some(written) = table.choice("receipts", &words, diags) else { return most };
    if let Some(kind) = kind.filter(|kind| written.value > kind.receipts) {
        diags.push(
            Diagnostic::warning(
                "receipts-too-good",
                format!("`{}` never says more than `{}`", kind.name, kind.receipts.name()),
            )
            .at(&written.place, "receipts that never come would count against it")
            .help(format!("write `receipts = \"{}\"`", kind.receipts.name())),
        );
    }
    written.value
}
