//! `wasl bench`: measures this build beside its yardsticks, each figure in the same run as what it is held against.
//!
//! Nothing here is a test: a figure is printed, never asserted. Run it from a release build on a calm machine.

mod failover;
mod gauge;
mod intake;
mod mass;
mod null;
mod outbox;
mod probing;
mod restart;

use super::{Done, Failure};
use serde_json::{Value, json};

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Which figure: failover, intake, outbox, mass, probing, restart, or all
    #[arg(default_value = "all")]
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
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
    ("probing", probing::run),
];

/// Measures.
pub(super) fn run(args: &Args) -> Done {
    let chosen: Vec<_> =
        BENCHES.iter().filter(|(name, _)| args.name == "all" || args.name == *name).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        let text = format!("there is no bench `{}`: it is one of {}, or all", args.name, names.join(", "));
        return Err(Failure::Usage(text));
    }
    if cfg!(debug_assertions) {
        eprintln!("warning: this is a debug build; its figures say nothing about a release build");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Unreachable(format!("the system gives no threads: {error}")))?;
    let mut all = Vec::new();
    for (name, bench) in chosen {
        match bench(&runtime) {
            Ok(figures) => figures.iter().for_each(|figure| {
                if !args.json {
                    println!("{}", figure.line());
                }
                all.push(figure.json(name));
            }),
            Err(why) => {
                if !args.json {
                    println!("skipped: {name}: {why}");
                }
                all.push(json!({ "bench": name, "skipped": why }));
            }
        }
    }
    if args.json {
        println!("{}", Value::Array(all));
    }
    Ok(())
}

impl Figure {
    fn line(&self) -> String {
        let beside = self.yardstick.map_or(String::new(), |(name, value)| {
            let ratio = if value > 0.0 { self.value / value } else { f64::NAN };
            format!("   {ratio:.2} of {name} ({value:.4})",)
        });
        format!("{:<52}{:>14.4} {:<10}{beside}   [{}]", self.name, self.value, self.unit, self.target)
    }

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
