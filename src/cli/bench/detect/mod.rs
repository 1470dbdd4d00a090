//! `wasl bench detect`: how soon simulated faults are found, and how often nothing is taken for one, beside three usual rules and
//! the bound of theory. The same core as in service, in virtual time; only the seed makes the figures.

mod page;
mod poisson;

use crate::cli::{Done, Failure, table};
use crate::core::time::Span;
use crate::settings::DWELL;
use crate::sim::scenario::stream::{AS_BELIEVED, FalseAlarms, Fault, Noticed, Stream, WATCHED_S, World};
use poisson::quantile;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Messages a second.
const TRAFFIC: [f64; 4] = [0.0, 0.1, 1.0, 10.0];
/// Those of which healthy days are looked at.
const HEALTHY: [f64; 3] = [0.0, 0.1, 1.0];
/// How long a stream is healthy before its fault begins, in seconds: until enough receipts have shown what is usual, ten minutes
/// at a message a second.
const WARM_S: f64 = 1_800.0;
const WARM_BUSY_S: f64 = 600.0;
/// Healthy streams are so long, in days, of two channels each.
const STREAM_DAYS: u32 = 1;
const DAY_S: f64 = 86_400.0;
/// The dwells of the curve, in seconds.
const DWELLS: [i64; 5] = [5, 10, 20, 40, 60];
/// At more traffic a run takes long, and differs less from the next: one in three.
const FEWER: u32 = 3;
/// Of each other world and dwell, so small a part of the days is played.
const PART: u32 = 4;
/// What false alarms are counted over.
const PER_DAYS: f64 = 30.0;

/// How much is played.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wishes {
    /// Runs of each fault at each traffic.
    pub(super) runs: u32,
    /// Healthy days of a channel at each traffic.
    pub(super) days: u32,
    pub(super) seed: u64,
}

/// What is played in one go.
/// One stream, and the dwell it is judged by.
#[derive(Clone, Copy)]
struct Job {
    stream: Stream,
    dwell: Span,
}

#[derive(Clone, Copy)]
enum Seen {
    Fault(Noticed, u32),
    Healthy(FalseAlarms),
}

/// The delays of one fault at one traffic, in seconds; infinite where it was not seen.
pub(super) struct Delays {
    fault: Fault,
    per_s: f64,
    degraded: Vec<f64>,
    down: Vec<f64>,
    three_strikes: Vec<f64>,
    five_errors: Vec<f64>,
    accrual: Vec<f64>,
    /// Verdicts on channels while our own line was at fault.
    blamed: u32,
}

/// What was declared though nothing was wrong.
pub(super) struct Quiet {
    per_s: f64,
    /// Days of a channel that were watched; the usual rules watched one channel of two.
    days: f64,
    alarms: FalseAlarms,
}

/// A way in which the world is not as it is believed, and what comes of it at a message a second.
pub(super) struct Otherwise {
    name: &'static str,
    quiet: Quiet,
    dead: f64,
    swallows: f64,
}

/// Everything that was measured.
pub(super) struct Measured {
    wishes: Wishes,
    delays: Vec<Delays>,
    quiet: Vec<Quiet>,
    worlds: Vec<Otherwise>,
    /// By dwell, in seconds.
    dwells: Vec<(i64, Otherwise)>,
}

/// A target, and what was reached.
pub(super) struct Target {
    what: String,
    wanted: f64,
    reached: f64,
    unit: &'static str,
}

impl Target {
    fn is_met(&self) -> bool {
        self.reached <= self.wanted
    }
}

/// The worlds that are otherwise.
const WORLDS: [(&str, World); 4] = [
    ("three times as many requests fail", World { failures: 3.0, ..AS_BELIEVED }),
    ("receipts take twice as long from now on", World { lags: 2.0, ..AS_BELIEVED }),
    ("five times as many blips", World { blips: 5.0, ..AS_BELIEVED }),
    ("one of three controls is dead", World { dead_control: true, ..AS_BELIEVED }),
];

/// Plays all jobs, on every core; the order of the results is that of the jobs.
fn play(jobs: &[Job]) -> Result<Vec<Seen>, String> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(vec![None; jobs.len()]));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some((nth, job)) = Some(next.fetch_add(1, Ordering::Relaxed))
                    .and_then(|nth| jobs.get(nth).map(|job| (nth, job)))
                {
                    let seen = match job.stream.fault {
                        Some(_) => job.stream.notice(job.dwell).map(|(seen, n)| Seen::Fault(seen, n)),
                        None => job.stream.false_alarms(job.dwell).map(Seen::Healthy),
                    };
                    results.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[nth] = Some(seen);
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.into_iter().map(|seen| seen.unwrap_or_else(|| Err("a stream was not played".into()))).collect()
}

impl Wishes {
    fn runs_at(self, per_s: f64) -> u32 {
        if per_s > 1.0 { self.runs.div_ceil(FEWER) } else { self.runs }
    }

    fn faults(self, fault: Fault, per_s: f64, world: World, dwell: Span) -> Vec<Job> {
        let of = |run| Job {
            stream: Stream {
                fault: Some(fault),
                per_s,
                warm_s: if per_s < 1.0 { WARM_S } else { WARM_BUSY_S },
                lasts_s: WATCHED_S,
                seed: self.seed + u64::from(run),
                world,
            },
            dwell,
        };
        (0..self.runs_at(per_s)).map(of).collect()
    }

    fn healthy(self, days: u32, per_s: f64, world: World, dwell: Span) -> Vec<Job> {
        let of = |run| Job {
            stream: Stream {
                fault: None,
                per_s,
                warm_s: WARM_S,
                lasts_s: f64::from(STREAM_DAYS) * DAY_S,
                seed: self.seed + u64::from(run),
                world,
            },
            dwell,
        };
        (0..days.div_ceil(2 * STREAM_DAYS)).map(of).collect()
    }

    fn delays(self, fault: Fault, per_s: f64, world: World, dwell: Span) -> Result<Delays, String> {
        let seen = play(&self.faults(fault, per_s, world, dwell))?;
        let of = |part: fn(&Noticed) -> Option<f64>| -> Vec<f64> {
            let noticed = seen.iter().filter_map(|seen| match seen {
                Seen::Fault(noticed, _) => Some(part(noticed).unwrap_or(f64::INFINITY)),
                Seen::Healthy(_) => None,
            });
            noticed.collect()
        };
        let blamed = seen.iter().map(|seen| if let Seen::Fault(_, n) = seen { *n } else { 0 }).sum();
        Ok(Delays {
            fault,
            per_s,
            degraded: of(|n| n.degraded),
            down: of(|n| n.down),
            three_strikes: of(|n| n.three_strikes),
            five_errors: of(|n| n.five_errors),
            accrual: of(|n| n.accrual),
            blamed,
        })
    }

    fn quiet(self, days: u32, per_s: f64, world: World, dwell: Span) -> Result<Quiet, String> {
        let seen = play(&self.healthy(days, per_s, world, dwell))?;
        let mut alarms = FalseAlarms::default();
        for one in &seen {
            if let Seen::Healthy(more) = one {
                alarms.down += more.down;
                alarms.three_strikes += more.three_strikes;
                alarms.five_errors += more.five_errors;
                alarms.accrual += more.accrual;
            }
        }
        Ok(Quiet { per_s, days: seen.len() as f64 * 2.0 * f64::from(STREAM_DAYS), alarms })
    }

    fn otherwise(self, name: &'static str, world: World, dwell: Span) -> Result<Otherwise, String> {
        let median = |fault| Ok::<f64, String>(quantile(&self.delays(fault, 1.0, world, dwell)?.down, 0.5));
        let quiet = self.quiet(self.days.div_ceil(PART), 1.0, world, dwell)?;
        Ok(Otherwise { name, quiet, dead: median(Fault::Dead)?, swallows: median(Fault::Swallows)? })
    }

    fn measure(self) -> Result<Measured, String> {
        let mut delays = Vec::new();
        for fault in Fault::ALL {
            for per_s in TRAFFIC {
                delays.push(self.delays(fault, per_s, AS_BELIEVED, DWELL)?);
            }
        }
        let quiet = HEALTHY.map(|per_s| self.quiet(self.days, per_s, AS_BELIEVED, DWELL));
        let worlds = WORLDS.map(|(name, world)| self.otherwise(name, world, DWELL));
        let dwells =
            DWELLS.map(|secs| Ok((secs, self.otherwise("dwell", AS_BELIEVED, Span::from_secs(secs))?)));
        Ok(Measured {
            wishes: self,
            delays,
            quiet: quiet.into_iter().collect::<Result<_, _>>()?,
            worlds: worlds.into_iter().collect::<Result<_, _>>()?,
            dwells: dwells.into_iter().collect::<Result<_, String>>()?,
        })
    }
}

impl Quiet {
    /// Returns a number of events as a rate for a channel in thirty days, with its exact limits. `cells`: the share of the
    /// days that was watched for it.
    fn rate(&self, events: u32, cells: f64) -> (f64, f64, f64) {
        let (lower, upper) = poisson::limits(events);
        let of = |events: f64| events * PER_DAYS / (self.days * cells);
        (of(f64::from(events)), of(lower), of(upper))
    }
}

impl Measured {
    fn of(&self, fault: Fault, per_s: f64) -> &Delays {
        let found = self.delays.iter().find(|d| d.fault == fault && d.per_s == per_s);
        found.unwrap_or(&self.delays[0])
    }

    /// Returns every target of the design with what was reached, those that are missed by most first.
    fn targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        let mut delay = |what: &str, fault, per_s: f64, share: f64, wanted| {
            let reached = quantile(&self.of(fault, per_s).down, share);
            let word = if share == 0.5 { "median" } else { "95 %" };
            let what = format!("{}, {what}, {per_s} messages a second: {word}", fault.name());
            targets.push(Target { what, wanted, reached, unit: "s" });
        };
        for fault in [Fault::Dead, Fault::BlackHole] {
            for per_s in TRAFFIC {
                delay("down", fault, per_s, 0.5, 40.0);
                delay("down", fault, per_s, 0.95, 75.0);
            }
        }
        for (fault, per_s, wanted) in [
            (Fault::Half, 0.0, 75.0),
            (Fault::Half, 1.0, 30.0),
            (Fault::Half, 10.0, 30.0),
            (Fault::Fifth, 0.0, 240.0),
            (Fault::Fifth, 1.0, 50.0),
            (Fault::Fifth, 10.0, 50.0),
            (Fault::Refuses, 0.1, 150.0),
            (Fault::Swallows, 0.1, 120.0),
            (Fault::Swallows, 1.0, 35.0),
            (Fault::SwallowsHalf, 1.0, 75.0),
            (Fault::Line, 0.0, 20.0),
            (Fault::Line, 1.0, 20.0),
        ] {
            delay("down", fault, per_s, 0.5, wanted);
        }
        let doubt = quantile(&self.of(Fault::Swallows, 1.0).degraded, 0.5);
        let what = "swallows everything, degraded, 1 message a second: median".to_owned();
        targets.push(Target { what, wanted: 15.0, reached: doubt, unit: "s" });
        let blamed: u32 = self.delays.iter().map(|delays| delays.blamed).sum();
        let what = "verdicts on channels while our own line was at fault".to_owned();
        targets.push(Target { what, wanted: 0.0, reached: f64::from(blamed), unit: "" });
        for quiet in &self.quiet {
            let (point, _, upper) = quiet.rate(quiet.alarms.down, 1.0);
            let of = format!("a channel and 30 days, {} messages a second, {} days", quiet.per_s, quiet.days);
            let what = format!("false alarms for {of}");
            targets.push(Target { what: what.clone(), wanted: 1.0, reached: point, unit: "" });
            targets.push(Target { what: what + ": upper limit", wanted: 1.5, reached: upper, unit: "" });
        }
        let by = |target: &Target| match target.wanted > 0.0 {
            true => target.reached / target.wanted,
            false => target.reached,
        };
        targets.sort_by(|a, b| by(b).total_cmp(&by(a)));
        targets
    }

    fn json(&self) -> Value {
        let number = |value: f64| if value.is_finite() { json!(value) } else { Value::Null };
        let targets = self.targets();
        let rows: Vec<Value> = targets
            .iter()
            .map(|t| {
                json!({"bench": "detect", "name": t.what, "value": number(t.reached), "unit": t.unit,
                       "target": t.wanted, "met": t.is_met()})
            })
            .collect();
        Value::Array(rows)
    }
}

/// Measures, prints, and writes the documentation where it is wanted.
pub(super) fn bench(wishes: Wishes, as_json: bool, write: Option<&Path>) -> Done {
    let measured = wishes.measure().map_err(Failure::Unreachable)?;
    match as_json {
        true => table::print(&format!("{}\n", measured.json())),
        false => table::print(&page::text(&measured)),
    }
    let Some(folder) = write else { return Ok(()) };
    for (name, text) in
        [("DETECTION.md", page::text(&measured)), ("dashboards/detection.svg", page::drawing(&measured))]
    {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| {
            Failure::Unreachable(format!("{} cannot be written: {error}", path.display()))
        })?;
    }
    Ok(())
}
