//! Probes: what is checked of a gateway, layer by layer; one file per kind.
//!
//! ```text
//! probes/*.toml -> definition.rs -> resolve(gateways) -> ProbeSet -> runner.rs -> ProbeReport -> core
//! ```
//! A probe goes from the nearest layer to the deepest (dns, tcp, tls, http, api) and leaves one report: the deepest
//! layer that held, a reason from the closed list where the next one did not, and how long each took.
//!
//! A new kind is one file with a `parse` function, and one line in [`KINDS`].
//!
//! Limits: [`PROBES_MAX`] probes; an answer is read up to [`http::BODY_MAX`] bytes.
//!
//! Invariant: a probe sends nothing to a recipient, keeps no state but an open connection, and lets no secret out: a
//! report holds the probe's name, layers, reasons and times, nothing that was configured or received.

mod alarm;
mod api;
mod certificate;
mod context;
mod definition;
mod dns;
mod drive;
mod expect;
mod feed;
pub mod http;
mod place;
mod race;
pub mod runner;
pub mod schedule;
mod smpp;
mod smtp;
mod target;
mod tcp;
mod tls;
mod trace;
pub mod uplink;

pub(crate) use certificate::valid_until;
pub use context::Context;
pub use definition::{Definition, Unbuildable, parse, read_folder, resolve};
pub use target::{Target, Unset};
pub use trace::{Limits, Trace};

use crate::core::channel::{GATEWAYS_MAX, GatewayId};
use crate::core::evidence::{Layer, ProbeReport, Verdict};
use crate::core::outcome::Reason;
use crate::core::time::{Span, Timestamp};
use crate::diag::Diagnostics;
use crate::settings::{AdapterKind, GatewaySettings, Settings};
use definition::Reader;
use std::pin::Pin;
use std::sync::Arc;

/// The most probes of one service: as many gateways as there may be, with several each.
pub const PROBES_MAX: usize = 8 * GATEWAYS_MAX;

/// A future that a probe hands out.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One check of one gateway, ready to run.
pub trait Probe: Send + Sync {
    /// Runs once and says what it found. Each layer leaves its phase in `trace`; an error is the reason for which the
    /// layer of the last phase failed.
    fn run<'a>(&'a self, context: &'a Context, trace: &'a mut Trace) -> Doing<'a, Result<Verdict, Reason>>;
}

/// What a file says of a probe, before it is known for which gateway.
pub trait Blueprint: Send + Sync {
    /// Builds the probe for a gateway.
    fn build(
        &self,
        target: &Target,
        context: &Context,
        limits: Limits,
    ) -> Result<Box<dyn Probe>, Unbuildable>;
}

/// A kind of probe.
pub struct Kind {
    /// Its word in the files.
    pub name: &'static str,
    /// The layer that it is for.
    pub aims_at: Layer,
    /// Whether it asks what the provider says of itself, rather than looks for itself.
    pub is_feed: bool,
    parse: fn(&mut Reader<'_>) -> Option<Box<dyn Blueprint>>,
}

/// Every kind of probe.
pub const KINDS: &[Kind] = &[
    Kind { name: "dns", aims_at: Layer::Dns, is_feed: false, parse: dns::parse },
    Kind { name: "tcp", aims_at: Layer::Tcp, is_feed: false, parse: tcp::parse },
    Kind { name: "tls", aims_at: Layer::Tls, is_feed: false, parse: tls::parse },
    Kind { name: "http", aims_at: Layer::Http, is_feed: false, parse: http::parse },
    Kind { name: "api", aims_at: Layer::Api, is_feed: false, parse: api::parse },
    Kind { name: "smpp", aims_at: Layer::Api, is_feed: false, parse: smpp::parse },
    Kind { name: "smtp", aims_at: Layer::Api, is_feed: false, parse: smtp::parse },
    Kind { name: "statuspage", aims_at: Layer::Http, is_feed: true, parse: feed::statuspage },
    Kind { name: "rss", aims_at: Layer::Http, is_feed: true, parse: feed::rss },
    Kind { name: "page", aims_at: Layer::Http, is_feed: true, parse: feed::page },
];

/// A probe with all that is needed to run it and to report.
pub struct Ready {
    /// The gateway.
    pub gateway: GatewayId,
    /// The gateway's name.
    pub gateway_name: String,
    /// The probe's name in its file.
    pub name: String,
    /// The layer that it is for.
    pub aims_at: Layer,
    /// How often it runs.
    pub interval: Span,
    /// How often it runs while the gateway is in doubt.
    pub in_doubt: Span,
    limits: Limits,
    is_feed: bool,
    probe: Box<dyn Probe>,
}

/// All probes of a service; replaced as a whole.
#[derive(Clone, Default)]
pub struct ProbeSet {
    ready: Vec<Arc<Ready>>,
}

/// What a run found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The report, for the core.
    pub report: ProbeReport,
    /// Until when the server's certificate is valid, where one was shown; for a metric.
    pub certificate_until: Option<Timestamp>,
}

// === impls ===

impl Kind {
    /// Finds a kind by its word.
    pub fn named(name: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.name == name)
    }
}

impl Ready {
    /// Runs the probe once. Ends in any case: a probe that does not keep to its limits is cut off.
    pub async fn run(&self, context: &Context) -> Finding {
        let mut trace = Trace::default();
        // A kept connection that fails is tried afresh: twice the whole is the most that honest work takes.
        let whole = self.limits.whole().times(2) + Span::from_secs(1);
        let result = tokio::time::timeout(whole.to_std(), self.probe.run(context, &mut trace)).await;
        let result = result.unwrap_or(Err(Reason::Timeout));
        let verdict = result.unwrap_or_else(|reason| match self.is_feed {
            // That a provider's page is away says nothing of the provider: it often lies elsewhere, on purpose.
            true => Verdict::Silent(reason),
            false => failure(reason),
        });
        let traced = trace.end();
        // The page's certificate is not the gateway's.
        let certificate_until = traced.certificate_until.filter(|_| !self.is_feed);
        let report = ProbeReport {
            gateway: self.gateway,
            probe: self.name.clone(),
            aims_at: self.aims_at,
            reached: traced.reached,
            verdict,
            phases: traced.phases,
            took: traced.took,
            interval: self.interval,
        };
        Finding { report, certificate_until }
    }
}

/// Returns what a failure says: nothing of the gateway where it is our own lack.
fn failure(reason: Reason) -> Verdict {
    match reason {
        Reason::Busy => Verdict::Noted(reason),
        _ => Verdict::Failed(reason),
    }
}

impl ProbeSet {
    /// Returns the probes, in the order of their gateways and files.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Ready>> {
        self.ready.iter()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }
}

/// Reads the probes of a service: the files beside its `wasl.toml`, for its gateways. `id` says which place a gateway
/// has; one without is left out. Call before the adapters are built, which take their own keys away.
pub fn load(
    settings: &Settings,
    kinds: &[AdapterKind],
    id: impl Fn(&str) -> Option<GatewayId>,
    context: &Context,
    diags: &mut Diagnostics,
) -> ProbeSet {
    let definitions = read_folder(&settings.probes_dir(), kinds, diags);
    let adapters: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
    let target = |gateway: &GatewaySettings| Some(Target::of(id(&gateway.config.name)?, gateway));
    let targets: Vec<_> = settings.gateways.iter().filter_map(target).collect();
    resolve(&definitions, &targets, &adapters, context, diags)
}

/// Runs every probe of a gateway once, all at the same time, and returns the reports in the order of the files.
pub async fn once(set: &ProbeSet, gateway: GatewayId, context: &Arc<Context>) -> Vec<ProbeReport> {
    let runs: Vec<_> = set
        .iter()
        .filter(|ready| ready.gateway == gateway)
        .map(|ready| {
            let (ready, context) = (ready.clone(), context.clone());
            tokio::spawn(async move { ready.run(&context).await.report })
        })
        .collect();
    let mut reports = Vec::with_capacity(runs.len());
    for run in runs {
        // A task ends without a report only if the runtime is shutting down.
        reports.extend(run.await.ok());
    }
    reports
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ready({} of {}, {})", self.name, self.gateway_name, self.aims_at)
    }
}

impl std::fmt::Debug for ProbeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.ready).finish()
    }
}
