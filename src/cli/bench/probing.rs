//! Figure d, second half: what a thousand HTTP probes cost us, over fresh connections and over kept ones. The far end is nginx,
//! so that only our own processor time is counted.

use super::gauge::cpu_secs;
use super::intake::Nginx;
use super::{Figure, Skipped};
use crate::core::channel::{Channel, GatewayId};
use crate::diag::{Diagnostics, Source};
use crate::probe::{Context, Target, parse, resolve};
use std::sync::Arc;

/// How many probes are counted.
const PROBES: usize = 2_000;

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    let folder = super::mass::folder()?;
    let nginx = Nginx::start(folder.path())?;
    let fresh = cost(runtime, &nginx.url(), false)?;
    let kept = cost(runtime, &nginx.url(), true)?;
    let cpu = |name, value, target| Figure { name, value, unit: "CPU s", yardstick: None, target };
    Ok(vec![
        cpu("1,000 HTTP probes, fresh connections", fresh, "at most 0.12; blackbox_exporter 0.5 to 0.7"),
        cpu("1,000 HTTP probes, kept connections", kept, "at most 0.05"),
    ])
}

/// Returns the processor seconds that a thousand probes take.
fn cost(runtime: &tokio::runtime::Runtime, url: &str, keep: bool) -> Result<f64, String> {
    let file = format!(
        "[[probe]]\nname = \"page\"\nkind = \"http\"\nchannel = \"webhook\"\ninterval = \"15s\"\nurl = \"{url}\"\nkeep = {keep}\n\
         [probe.expect]\nstatus = 200\n"
    );
    let source = Arc::new(Source::new("bench.toml", file));
    let mut diags = Diagnostics::default();
    let definitions = parse(&source, &mut diags);
    let context = Arc::new(Context::new(&[]));
    let target = Target::new(GatewayId(0), "page", Channel::Webhook, "webhook");
    let set = resolve(&definitions, &[target], &["webhook"], &context, &mut diags);
    let Some(probe) = set.iter().next().cloned() else { return Err(diags.render()) };
    // In a task, as in the service, where the thread that works is the one that waits for the network.
    let counted = runtime.spawn(async move {
        // Once before, so that what is built once is not counted.
        let finding = probe.run(&context).await;
        if finding.report.verdict.failed() {
            return Err(format!("the probe fails: {:?}", finding.report.verdict));
        }
        let before = cpu_secs();
        for _ in 0..PROBES {
            probe.run(&context).await;
        }
        Ok((cpu_secs() - before) * 1000.0 / PROBES as f64)
    });
    runtime.block_on(counted).map_err(|e| e.to_string())?
}
