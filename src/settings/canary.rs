//! Canaries: the accounts of our own to which a gateway sends a real message in a while.
//!
//! ```toml
//! [[gateway.canary]]
//! to       = "+970599000009"        # an account of ours, on a device that is always on
//! region   = "gaza"                 # where it stands, as people's `region` names it
//! every    = "60s"                  # from 5 s to a day
//! in_doubt = "10s"                  # while there is doubt
//! per_day  = 2880                   # never more; they may cost money
//! template = "wasl_canary"          # WhatsApp: what may be sent unasked
//! language = "ar"
//! ```

use super::gateway::{AdapterKind, NAME_BYTES_MAX};
use crate::core::channel::Channel;
use crate::core::gateway::{CANARIES_MAX, Canary, Receipts};
use crate::core::time::Span;
use crate::diag::{Diagnostic, Diagnostics, Spanned, Table};

const EVERY: Span = Span::from_secs(60);
const EVERY_MIN: Span = Span::from_secs(5);
const EVERY_MAX: Span = Span::from_hours(24);
const IN_DOUBT: Span = Span::from_secs(10);
/// The most in a day: one each five seconds.
const PER_DAY_MAX: u64 = 17_280;

/// One account of the file.
#[derive(Clone, Debug)]
pub struct CanarySettings {
    /// What the core needs.
    pub canary: Canary,
    /// The address as it is written.
    pub to: Spanned<String>,
    /// The provider's template, where it wants one.
    pub template: Option<String>,
    /// The language of the text and of the template.
    pub language: String,
}

/// Reads every `[[gateway.canary]]` of a gateway, whose kind and receipts are known.
pub(super) fn read_all(
    table: &mut Table,
    channel: Channel,
    kind: Option<AdapterKind>,
    receipts: Receipts,
    diags: &mut Diagnostics,
) -> Vec<CanarySettings> {
    let tables = table.tables("canary", diags);
    if let Some(first) = tables.first().filter(|_| receipts == Receipts::None) {
        let name = kind.map_or("this road", |kind| kind.name);
        diags.push(
            Diagnostic::error("canary-without-receipts", format!("no receipt comes back through `{name}`"))
                .at(first.place(), "nothing would say whether it arrived")
                .help("remove it; probes and sends are what this gateway is judged by"),
        );
        return Vec::new();
    }
    if let Some(one_too_many) = tables.get(CANARIES_MAX) {
        diags.push(
            Diagnostic::error("too-many", format!("more than {CANARIES_MAX} canaries of one gateway"))
                .at(one_too_many.place(), "one too many")
                .help("one for each region is enough"),
        );
    }
    tables.into_iter().take(CANARIES_MAX).filter_map(|table| read(table, channel, diags)).collect()
}

fn read(mut table: Table, channel: Channel, diags: &mut Diagnostics) -> Option<CanarySettings> {
    table.call("the canary");
    let place = table.place().clone();
    let to = table.required_string("to", diags);
    let region = table.string("region", diags).map(|region| region.value).unwrap_or_default();
    let every = table.span_in("every", EVERY_MIN..=EVERY_MAX, diags).map_or(EVERY, |span| span.value);
    let in_doubt = table.span_in("in_doubt", EVERY_MIN..=EVERY_MAX, diags);
    let in_doubt = in_doubt.map_or(IN_DOUBT.min(every), |span| span.value);
    let usual = (Span::from_hours(24).ms() / every.ms()).unsigned_abs();
    let written = table.u64("per_day", 1..=PER_DAY_MAX, diags);
    if let Some(few) = written.as_ref().filter(|written| written.value < usual) {
        let message = format!("one each {every} makes {usual} a day, and {} are allowed", few.value);
        diags.push(
            Diagnostic::warning("canary-runs-out", message)
                .at(&few.place, "most of the day none would go")
                .help(format!("write `per_day = {}`, or a longer `every`", (usual * 2).min(PER_DAY_MAX))),
        );
    }
    let per_day = written.map_or((usual * 2).min(PER_DAY_MAX), |written| written.value);
    let template = table.string("template", diags).map(|template| template.value);
    let language = table.string("language", diags).map_or_else(|| "en".to_owned(), |l| l.value);
    table.finish(diags);
    if region.len() > NAME_BYTES_MAX {
        diags.push(
            Diagnostic::error("bad-name", "the canary's region is too long")
                .at(&place, format!("longer than {NAME_BYTES_MAX} bytes"))
                .help("write it as people's `region` does"),
        );
        return None;
    }
    if channel == Channel::Whatsapp && template.is_none() {
        diags.push(
            Diagnostic::warning(
                "canary-without-template",
                "WhatsApp takes a text only within a day of a reply",
            )
            .at(&place, "has no `template`")
            .help("name an approved template: `template = \"wasl_canary\"`"),
        );
    }
    let canary = Canary { region, every, in_doubt, per_day: u32::try_from(per_day).unwrap_or(u32::MAX) };
    Some(CanarySettings { canary, to: to?, template, language })
}
