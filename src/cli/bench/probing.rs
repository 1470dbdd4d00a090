//! Figure d, second half: what a thousand HTTP probes cost us, over fresh connections and over kept ones.
//!
//! Counted is the processor time of this process, all its threads, user's and system's. The far end is nginx in a process
//! of its own, and so is blackbox_exporter, the yardstick, whose own time is read; who asks it for its probes is not
//! counted there. As in the service, each probe runs in a task of its own, and all of them on one thread.
//!
//! Beside them stands, in turns with them, what the same bytes take by bare blocking sockets: on a calm machine most of it
//! is the system's own waking of the other side on another processor, which no probe can save. The last figure has the
//! probes started by the service's own schedule, with the processor idle between them.

use super::gauge::{cpu_secs, quantile};
use super::served::Served;
use super::{Figure, Skipped};
use crate::core::channel::{Channel, GatewayId};
use crate::diag::{Diagnostics, Source};
use crate::probe::runner::Runner;
use crate::probe::{Context, Finding, ProbeSet, Ready, Target, parse, resolve};
use crate::runtime::lookout;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// How many probes a round counts.
const PROBES: usize = 2_000;
/// How many rounds; their median is the figure.
const ROUNDS: usize = 5;
/// How many the exporter is asked for at once: it needs less for each than when asked for one after the other.
const AT_ONCE: usize = 8;
/// How many probes the schedule has, each of one second.
const SCHEDULED: usize = 200;
/// The first round comes within two seconds, and what starting takes is over.
const SETTLE: Duration = Duration::from_secs(3);
/// How long the schedule is watched.
const WATCH: Duration = Duration::from_secs(10);

pub(super) fn run(_: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    let folder = super::mass::folder()?;
    let nginx = Served::nginx(folder.path())?;
    let exporter = Served::blackbox(folder.path())?;
    let runtime = lookout::runtime().map_err(|error| error.to_string())?;
    runtime.block_on(figures(nginx, exporter))
}

async fn figures(nginx: Served, exporter: Option<Served>) -> Result<Vec<Figure>, String> {
    let page = nginx.url();
    let fresh = probes(&definition(0, &page, "keep = false"))?;
    let kept = probes(&definition(0, &page, "keep = true"))?;
    let mut rounds = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        rounds[0].push(ours(&fresh).await?);
        rounds[1].push(ours(&kept).await?);
        let bare = |ends| bare(nginx.address(), ends).map_err(|error| error.to_string());
        rounds[2].push(bare(Ends::Each)?);
        rounds[3].push(bare(Ends::Last)?);
    }
    let [fresh, kept, bare_fresh, bare_kept] = rounds.map(|mut costs| quantile(&mut costs, 0.5));
    let scheduled = scheduled(&page).await?;
    let theirs = match &exporter {
        Some(exporter) => Some(("blackbox_exporter", theirs(exporter, &page).await?)),
        None => None,
    };
    let cpu = |name, value, yardstick, target| Figure { name, value, unit: "CPU s", yardstick, target };
    let system = "no target: what the system takes";
    Ok(vec![
        cpu(
            "1,000 HTTP probes, fresh connections",
            fresh,
            theirs,
            "at most 0.12, that is 0.2 of blackbox_exporter where it takes 0.5 to 0.7",
        ),
        cpu("1,000 HTTP probes, kept connections", kept, theirs, "at most 0.05, that is 0.08 of it"),
        cpu("the same bytes by bare sockets, fresh", bare_fresh, None, system),
        cpu("the same bytes by bare sockets, kept", bare_kept, None, system),
        cpu("1,000 HTTP probes, fresh, 200 a second by schedule", scheduled, None, "no target"),
    ])
}

/// Returns what a thousand probes take of this process, one after the other.
async fn ours((set, context): &(ProbeSet, Arc<Context>)) -> Result<f64, String> {
    // Once before, so that what is built once is not counted.
    run_all(set, context, 1).await?;
    let before = cpu_secs();
    run_all(set, context, PROBES).await?;
    Ok(a_thousand(cpu_secs() - before, PROBES))
}

/// Which request is the last of its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ends {
    Each,
    Last,
}

/// Returns what a thousand exchanges of a probe's bytes take of this process by blocking sockets and nothing else.
fn bare(address: SocketAddr, ends: Ends) -> std::io::Result<f64> {
    let close = if ends == Ends::Each { "connection: close\r\n" } else { "" };
    let version = env!("CARGO_PKG_VERSION");
    let request = format!("GET / HTTP/1.1\r\nuser-agent: wasl/{version}\r\nhost: {address}\r\n{close}\r\n");
    // nginx's answer without a body comes in one piece.
    let mut answer = [0; 1024];
    let mut stream = TcpStream::connect(address)?;
    let before = cpu_secs();
    for _ in 0..PROBES {
        if ends == Ends::Each {
            stream = TcpStream::connect(address)?;
        }
        stream.write_all(request.as_bytes())?;
        if stream.read(&mut answer)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(a_thousand(cpu_secs() - before, PROBES))
}

/// Returns what a thousand probes take of blackbox_exporter.
async fn theirs(exporter: &Served, page: &str) -> Result<f64, String> {
    let url = format!("{}probe?module=page&target={page}", exporter.url());
    let asks = |number| definition(number, &url, "keep = true\nexpect.body.contains = \"probe_success 1\"");
    let (set, context) = probes(&(0..AT_ONCE).map(asks).collect::<String>())?;
    run_all(&set, &context, AT_ONCE).await?;
    let before = exporter.cpu_secs()?;
    run_all(&set, &context, PROBES).await?;
    Ok(a_thousand(exporter.cpu_secs()? - before, PROBES))
}

/// Returns what a thousand probes take of this process when the schedule starts them.
async fn scheduled(page: &str) -> Result<f64, String> {
    let file: String = (0..SCHEDULED).map(|number| definition(number, page, "interval = \"1s\"")).collect();
    let (set, context) = probes(&file)?;
    let (findings, mut found) = mpsc::channel(SCHEDULED);
    let (_orders, taken) = mpsc::channel(1);
    tokio::spawn(Runner::new(set, context, 1, findings).run(taken));
    count(&mut found, SETTLE).await?;
    let before = cpu_secs();
    let counted = count(&mut found, WATCH).await?;
    Ok(a_thousand(cpu_secs() - before, counted))
}

/// Counts what is found for a while.
async fn count(found: &mut mpsc::Receiver<Finding>, span: Duration) -> Result<usize, String> {
    let (until, mut counted) = (Instant::now() + span, 0);
    while let Ok(Some(finding)) = timeout_at(until, found.recv()).await {
        fine(&finding)?;
        counted += 1;
    }
    Ok(counted)
}

/// Runs so many probes, as many at once as the set has, each in a task of its own.
async fn run_all(set: &ProbeSet, context: &Arc<Context>, count: usize) -> Result<(), String> {
    let mut running = JoinSet::new();
    let start = |running: &mut JoinSet<_>, probe: Arc<Ready>| {
        let context = Arc::clone(context);
        running.spawn(async move { (probe.run(&context).await, probe) });
    };
    set.iter().for_each(|probe| start(&mut running, Arc::clone(probe)));
    let mut left = count.saturating_sub(set.len());
    while let Some(ended) = running.join_next().await {
        let (finding, probe) = ended.map_err(|error| error.to_string())?;
        fine(&finding)?;
        if left > 0 {
            left -= 1;
            start(&mut running, probe);
        }
    }
    Ok(())
}

fn fine(finding: &Finding) -> Result<(), String> {
    let verdict = &finding.report.verdict;
    if verdict.failed() { Err(format!("the probe fails: {verdict:?}")) } else { Ok(()) }
}

fn a_thousand(cpu: f64, probes: usize) -> f64 {
    cpu * 1000.0 / probes as f64
}

/// Writes a probe as its file would.
fn definition(number: usize, url: &str, more: &str) -> String {
    format!(
        "[[probe]]\nname = \"page-{number}\"\nkind = \"http\"\nchannel = \"webhook\"\nurl = \"{url}\"\nexpect.status = 200\n\
         {more}\n"
    )
}

/// Reads such a file, for one gateway.
fn probes(file: &str) -> Result<(ProbeSet, Arc<Context>), String> {
    let source = Arc::new(Source::new("bench.toml", file.to_owned()));
    let mut diags = Diagnostics::default();
    let definitions = parse(&source, &mut diags);
    let context = Arc::new(Context::new(&[]));
    let target = Target::new(GatewayId(0), "page", Channel::Webhook, "webhook");
    let set = resolve(&definitions, &[target], &["webhook"], &context, &mut diags);
    if set.is_empty() { Err(diags.render()) } else { Ok((set, context)) }
}
