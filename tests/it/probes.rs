//! Probes against real sockets: each fault has its deepest layer, its reason and its phases.

mod api;
mod command;
mod kinds;
mod layers;
mod running;
mod says;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use wasl::core::channel::{Channel, GatewayId};
use wasl::core::evidence::{Layer, ProbeReport, Verdict};
use wasl::core::outcome::Reason;
use wasl::diag::{Diagnostics, Secret, Source};
use wasl::emulator::tls::Authority;
use wasl::probe::{Context, ProbeSet, Target, once, parse, resolve};
use wasl::settings::Resolver;

pub(crate) const G: GatewayId = GatewayId(0);

/// The names of every kind of gateway.
pub(crate) fn adapters() -> Vec<&'static str> {
    wasl::adapter::ADAPTERS.iter().map(|kind| kind.name).collect()
}

/// A gateway at `base_url`, with settings for every kind.
pub(crate) fn target(adapter: &str, channel: Channel, base_url: &str) -> Target {
    Target::new(G, "g", channel, adapter).plain("base_url", base_url)
}

/// A web gateway of no provider in particular.
pub(crate) fn web(base_url: &str) -> Target {
    target("whatsapp-cloud", Channel::Whatsapp, base_url)
        .plain("phone_number_id", "106853218861309")
        .hidden("access_token", Secret::new("emulated-token"))
}

pub(crate) fn set(toml: &str, target: &Target, context: &Context) -> ProbeSet {
    let mut diags = Diagnostics::default();
    let definitions = parse(&Source::new("probes/t.toml", toml), &mut diags);
    let set = resolve(&definitions, std::slice::from_ref(target), &adapters(), context, &mut diags);
    assert!(diags.is_empty(), "{}", diags.render());
    set
}

/// Runs the probes of a file once.
pub(crate) async fn run(toml: &str, target: &Target, context: &Arc<Context>) -> Vec<ProbeReport> {
    once(&set(toml, target, context), G, context).await
}

/// Runs a file's only probe once.
pub(crate) async fn one(toml: &str, target: &Target, context: &Arc<Context>) -> ProbeReport {
    let mut reports = run(toml, target, context).await;
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.remove(0)
}

/// Resolves by this server alone.
pub(crate) fn asking(server: SocketAddr) -> Arc<Context> {
    Arc::new(Context::new(&[Resolver::At(server)]))
}

/// Resolves nothing: for places that are addresses.
pub(crate) fn plain() -> Arc<Context> {
    asking(([127, 0, 0, 1], 9).into())
}

/// Writes an authority's certificate where a gateway's `ca_file` can name it.
pub(crate) fn ca_file(authority: &Authority) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(authority.ca_pem().as_bytes()).expect("written");
    file
}

/// Compares a report with what is expected: the layer that held, the verdict, and the layers of the phases.
#[track_caller]
pub(crate) fn check(report: &ProbeReport, reached: Option<Layer>, verdict: Verdict, phases: &[Layer]) {
    let found: Vec<_> = report.phases.iter().map(|phase| phase.layer).collect();
    assert_eq!((report.reached, &report.verdict), (reached, &verdict), "{report:?}");
    assert_eq!(found, phases, "{report:?}");
    if verdict.failed() {
        assert_eq!(report.failed_at(), phases.last().copied());
    }
}

pub(crate) fn failed(reason: Reason) -> Verdict {
    Verdict::Failed(reason)
}

/// The ready files, as they are shipped.
pub(crate) fn shipped(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("probes").join(format!("{name}.toml"));
    std::fs::read_to_string(path).expect("the file is shipped")
}
