//! `wasl probe`: asks a gateway once, from here, without the service: how deep one comes, and why no deeper.

use super::table::{self, Cell, Tone, coloured, lay_out};
use super::{Done, Failure};
use crate::adapter;
use crate::core::channel::GatewayId;
use crate::core::evidence::{Layer, ProbeReport, Verdict};
use crate::core::hearsay::{Told, Word};
use crate::core::outcome::Reason;
use crate::diag::{Diagnostics, did_you_mean};
use crate::probe::{self, Context};
use crate::settings::Settings;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The gateway's name
    gateway: String,
    /// The configuration
    #[arg(long, value_name = "PATH", default_value = "wasl.toml")]
    config: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the gateway's probes and prints what they found. The answer is no if any of them failed.
pub(super) fn run(args: &Args) -> Done {
    let kinds = adapter::kinds();
    let (settings, mut diags) = Settings::load(&args.config, &kinds).map_err(refused)?;
    let names: Vec<_> = settings.gateways.iter().map(|gateway| gateway.config.name.as_str()).collect();
    let Some(place) = names.iter().position(|name| *name == args.gateway) else {
        let help = did_you_mean(&args.gateway, names.iter().copied());
        return Err(Failure::Usage(format!("no gateway is called `{}`; {help}", args.gateway)));
    };
    let context = Arc::new(Context::new(&settings.resolvers));
    let id =
        |name: &str| names.iter().position(|n| *n == name).and_then(|n| u8::try_from(n).ok()).map(GatewayId);
    let gateway = id(names[place]).ok_or_else(|| Failure::No("there are too many gateways".into()))?;
    let set = probe::load(&settings, &kinds, id, &context, &mut diags);
    if !set.iter().any(|ready| ready.gateway == gateway) {
        let help = "no probe can be run for it; mend the files, or add a probe to one in `probes/`";
        return Err(Failure::No(format!("`{}`: {help}\n\n{}", args.gateway, diags.render().trim_end())));
    }
    // What is wrong elsewhere must not keep anybody from looking at this gateway.
    if !diags.is_empty() {
        eprintln!("{}", diags.render());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::No(format!("no runtime can be started: {error}")))?;
    let reports = runtime.block_on(probe::once(&set, gateway, &context));
    match args.json {
        true => table::json(&to_json(&args.gateway, &reports)),
        false => table::print(&draw(&reports, coloured())),
    }
    if reports.iter().any(|report| report.verdict.failed()) { Err(Failure::Told) } else { Ok(()) }
}

fn refused(diags: Diagnostics) -> Failure {
    Failure::No(format!("the configuration has errors\n\n{}", diags.render().trim_end()))
}

/// Draws the reports for people.
fn draw(reports: &[ProbeReport], coloured: bool) -> String {
    let (hearsay, seen): (Vec<_>, Vec<_>) =
        reports.iter().cloned().partition(|report| report.verdict.is_hearsay());
    let mut drawn = if seen.is_empty() { String::new() } else { draw_seen(&seen, coloured) };
    if !hearsay.is_empty() {
        let heads = ["PAGE", "THE PROVIDER SAYS"];
        let rows: Vec<_> = hearsay.iter().map(hearsay_row).collect();
        drawn.push_str(if seen.is_empty() { "" } else { "\n" });
        drawn.push_str(&lay_out(&heads, &rows, coloured));
    }
    drawn
}

/// Draws what a provider's page says: no check of ours, so it stands apart from them.
fn hearsay_row(report: &ProbeReport) -> Vec<Cell> {
    let (says, tone) = match &report.verdict {
        Verdict::Says(told) if told.word() == Word::Fine => (said(told), Tone::Good),
        Verdict::Says(told) => (said(told), Tone::Doubt),
        verdict => {
            let reason = verdict.reason().map_or("", Reason::name).replace('_', " ");
            (format!("nothing: its page cannot be read ({reason})"), Tone::Plain)
        }
    };
    vec![Cell(report.probe.clone(), Tone::Plain), Cell(says, tone)]
}

/// Says a provider's word, with its title in quotation marks and isolated, since it may run from the other side.
pub(super) fn said(told: &Told) -> String {
    let word = match told.word() {
        Word::Fine => "all is well",
        Word::Planned => "maintenance is planned",
        Word::Maintenance => "maintenance is going on",
        Word::Degraded => "degraded",
        Word::Partial => "partial outage",
        Word::Major => "major outage",
    };
    match told.title() {
        "" => word.to_owned(),
        title => format!("{word}: \u{201c}\u{2068}{title}\u{2069}\u{201d}"),
    }
}

/// Draws what we saw ourselves.
fn draw_seen(reports: &[ProbeReport], coloured: bool) -> String {
    let mut heads = vec!["PROBE", "RESULT", "REACHED", "FAILED AT", "REASON"];
    let layers: Vec<_> = Layer::ALL.into_iter().filter(|layer| took(reports, *layer)).collect();
    let names: Vec<_> = layers.iter().map(|layer| layer.name().to_uppercase()).collect();
    heads.extend(names.iter().map(String::as_str));
    heads.push("IN ALL");
    let rows: Vec<_> = reports.iter().map(|report| row(report, &layers)).collect();
    lay_out(&heads, &rows, coloured)
}

fn took(reports: &[ProbeReport], layer: Layer) -> bool {
    reports.iter().flat_map(|report| &report.phases).any(|phase| phase.layer == layer)
}

fn row(report: &ProbeReport, layers: &[Layer]) -> Vec<Cell> {
    let plain = |text: String| Cell(text, Tone::Plain);
    let layer = |layer: Option<Layer>| plain(layer.map_or(String::new(), |layer| layer.name().into()));
    let tone = match report.verdict {
        Verdict::Fine => Tone::Good,
        Verdict::Limited(_) | Verdict::Noted(_) => Tone::Doubt,
        Verdict::Failed(_) => Tone::Bad,
        Verdict::Says(_) | Verdict::Silent(_) => Tone::Plain,
    };
    let reason = report.verdict.reason().map_or(String::new(), |reason| reason.name().replace('_', " "));
    let mut cells = vec![
        plain(report.probe.clone()),
        Cell(report.verdict.name().into(), tone),
        layer(report.reached),
        layer(report.failed_at()),
        plain(reason),
    ];
    let phase = |layer: &Layer| report.phases.iter().find(|phase| phase.layer == *layer);
    cells.extend(layers.iter().map(|layer| plain(phase(layer).map_or(String::new(), |p| ms(p.micros)))));
    cells.push(plain(report.took.to_string()));
    cells
}

fn ms(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1000.0)
}

/// Writes the reports for programs.
fn to_json(gateway: &str, reports: &[ProbeReport]) -> Value {
    let probes: Vec<_> = reports
        .iter()
        .map(|report| {
            let phases: Vec<_> = report
                .phases
                .iter()
                .map(|phase| json!({ "layer": phase.layer.name(), "ms": phase.micros as f64 / 1000.0 }))
                .collect();
            json!({
                "probe": report.probe,
                "aims_at": report.aims_at.name(),
                "result": report.verdict.name(),
                "says": match &report.verdict {
                    Verdict::Says(told) => json!({ "word": told.word().name(), "title": told.title() }),
                    _ => Value::Null,
                },
                "reached": report.reached.map(Layer::name),
                "failed_at": report.failed_at().map(Layer::name),
                "reason": report.verdict.reason().map(|reason| reason.name()),
                "phases": phases,
                "took_ms": report.took.ms(),
                "interval_ms": report.interval.ms(),
            })
        })
        .collect();
    json!({ "gateway": gateway, "probes": probes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::evidence::Phase;
    use crate::core::time::Span;

    fn reports() -> Vec<ProbeReport> {
        let phase = |layer, micros| Phase { layer, micros };
        let report = |probe: &str, reached, verdict, phases| ProbeReport {
            gateway: GatewayId(0),
            probe: probe.into(),
            aims_at: Layer::Api,
            reached,
            verdict,
            phases,
            took: Span::from_ms(12),
            interval: Span::from_secs(15),
        };
        vec![
            report(
                "web",
                Some(Layer::Http),
                Verdict::Fine,
                vec![phase(Layer::Tcp, 250), phase(Layer::Http, 11_500)],
            ),
            report("account", None, Verdict::Failed(Reason::TcpRefused), vec![phase(Layer::Tcp, 90)]),
        ]
    }

    #[test]
    fn the_reports_are_drawn_layer_by_layer() {
        let expected = "PROBE    RESULT  REACHED  FAILED AT  REASON       TCP     HTTP     IN ALL\n\
                        web      fine    http                             0.2 ms  11.5 ms  12 ms\n\
                        account  failed           tcp        tcp refused  0.1 ms           12 ms\n";
        assert_eq!(draw(&reports(), false), expected, "\n{}", draw(&reports(), false));
    }

    #[test]
    fn what_the_provider_says_stands_apart() {
        let hearsay = |probe: &str, verdict| ProbeReport {
            probe: probe.into(),
            aims_at: Layer::Http,
            verdict,
            phases: vec![],
            ..reports().remove(0)
        };
        let pages = [
            hearsay("page", Verdict::Says(Told::new(Word::Major, "\u{202e}تأخر\u{1b}[2J"))),
            hearsay("feed", Verdict::Silent(Reason::DnsTimeout)),
        ];
        let expected = "PAGE  THE PROVIDER SAYS\n\
                        page  major outage: \u{201c}\u{2068}تأخر [2J\u{2069}\u{201d}\n\
                        feed  nothing: its page cannot be read (dns timeout)\n";
        assert_eq!(draw(&pages, false), expected);
        let both = [reports(), pages.to_vec()].concat();
        assert_eq!(draw(&both, false), format!("{}\n{expected}", draw(&reports(), false)));
        assert_eq!(
            to_json("g", &both)["probes"][2]["says"],
            json!({ "word": "major_outage", "title": "تأخر [2J" })
        );
    }

    #[test]
    fn programs_get_the_same() {
        let value = to_json("g", &reports());
        assert_eq!(value["probes"][0]["phases"][1], json!({ "layer": "http", "ms": 11.5 }));
        let failed = &value["probes"][1];
        assert_eq!((&failed["reached"], &failed["failed_at"]), (&Value::Null, &json!("tcp")));
        assert_eq!(failed["reason"], json!("tcp_refused"));
    }
}
