//! `wasl bench`: measures this build beside its yardsticks, each figure in the same run as what it is held against.
//!
//! Nothing here is a test: a figure is printed, never asserted. Run it from a release build on a calm machine. Each of
//! `all` runs in a process of its own, so that what one takes is not counted to the next.

mod detect;
mod detection;
mod failover;
mod gauge;
mod house;
mod idle;
mod import;
mod intake;
mod mass;
mod null;
mod outbox;
mod pages;
mod probing;
mod receipts;
mod restart;
mod served;

use super::{Done, Failure, table};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Which figure: failover, outbox, intake, mass, restart, idle, probing, detection, pages, receipts, import, or all; or
    /// detect, which all leaves out
    #[arg(default_value = "all")]
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Of `detect`: how often each fault is played
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
    /// Of `detect`: how many healthy days of a channel are played at each traffic
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    days: u32,
    /// Of `detect`: the first of its seeds; those of the documentation were not used for tuning
    #[arg(long, value_name = "N", default_value_t = 9_001)]
    seed: u64,
    /// Of `detect`: write DETECTION.md and dashboards/detection.svg below this folder
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
}

/// One figure.
pub(crate) struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    /// What it is held against, measured in the same run.
    yardstick: Option<(&'static str, f64)>,
    /// What it should reach.
    target: &'static str,
}

/// Why a figure could not be measured here.
pub(crate) type Skipped = String;

type Bench = fn(&tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped>;

/// Every bench by name.
const BENCHES: &[(&str, Bench)] = &[
    ("failover", failover::run),
    ("outbox", outbox::run),
    ("intake", intake::run),
    ("mass", mass::run),
    ("restart", restart::run),
    ("idle", idle::run),
    ("probing", probing::run),
    ("detection", detection::run),
    ("pages", pages::run),
    ("receipts", receipts::run),
    ("import", import::run),
];

/// Measures.
pub(super) fn run(args: &Args) -> Done {
    if args.name == "detect" {
        let wishes = detect::Wishes { runs: args.runs, days: args.days, seed: args.seed };
        return detect::bench(wishes, args.json, args.write.as_deref());
    }
    let chosen: Vec<_> =
        BENCHES.iter().filter(|(name, _)| args.name == "all" || args.name == *name).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        let text = format!(
            "there is no bench `{}`: it is one of {}, or all, or detect",
            args.name,
            names.join(", ")
        );
        return Err(Failure::Usage(text));
    }
    if cfg!(debug_assertions) {
        eprintln!("warning: this is a debug build; its figures say nothing about a release build");
    }
    let mut all = Vec::new();
    for (name, bench) in &chosen {
        let figures = match chosen.len() {
            1 => here(name, *bench)?,
            _ => apart(name)?,
        };
        if !args.json {
            figures.iter().for_each(|figure| table::print(&format!("{}\n", line(figure))));
        }
        all.extend(figures);
    }
    if args.json {
        table::print(&format!("{}\n", Value::Array(all)));
    }
    Ok(())
}

/// Measures in this process.
fn here(name: &str, bench: Bench) -> Result<Vec<Value>, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Unreachable(format!("the system gives no threads: {error}")))?;
    Ok(match bench(&runtime) {
        Ok(figures) => figures.iter().map(|figure| figure.json(name)).collect(),
        Err(why) => vec![json!({ "bench": name, "skipped": why })],
    })
}

/// Measures in a process of its own.
fn apart(name: &str) -> Result<Vec<Value>, Failure> {
    let failed = |why: String| Failure::Unreachable(format!("the bench `{name}` cannot be run: {why}"));
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    let output = command.args(["bench", name, "--json"]).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&output.stdout).map_err(|_| failed(format!("it ended with {}", output.status)))
}

/// Returns a figure as a line for people.
fn line(figure: &Value) -> String {
    let text = |key: &str| figure[key].as_str().unwrap_or_default();
    if figure["skipped"].is_string() {
        return format!("skipped: {}: {}", text("bench"), text("skipped"));
    }
    let number = |key: &str| figure[key].as_f64().unwrap_or(f64::NAN);
    let beside = match figure["yardstick"].as_str() {
        Some(name) => format!("   {:.2} of {name} ({:.4})", number("ratio"), number("yardstick_value")),
        None => String::new(),
    };
    format!(
        "{:<56}{:>14.4} {:<12}{beside}   [{}]",
        text("name"),
        number("value"),
        text("unit"),
        text("target")
    )
}

impl Figure {
    fn json(&self, bench: &str) -> Value {
        json!({
            "bench": bench,
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "yardstick": self.yardstick.map(|(name, _)| name),
            "yardstick_value": self.yardstick.map(|(_, value)| value),
            "ratio": self.yardstick.map(|(_, value)| self.value / value),
            "target": self.target,
        })
    }
}
