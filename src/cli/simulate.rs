//! `wasl simulate`: replays outages against the policies with the same core as `run`, in virtual time.
//!
//! With `--compare` both folders meet the same draws, and the difference is taken pair by pair; with `--seeds` each outage
//! is drawn anew so often, and means stand with their 95 % confidence intervals (Student's t over the seeds).

use super::table::{self, Cell, Tone};
use super::{Done, Failure};
use crate::policy;
use crate::settings::DWELL;
use crate::sim::scenario::Scenario;
use crate::sim::scenario::score::{Blame, Detection, Reach, SOON_S, Score, Verdict};
use crate::sim::scenario::trial::Trial;
use crate::sim::scenario::yardstick::{Figures, Yardstick, replay as measure};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The most other draws of a scenario: a confidence interval does not get much narrower.
const SEEDS_MAX: u16 = 1_000;
/// Seeds of one scenario lie so far apart. Cites: the format's section on determinism.
const SEED_STEP: u64 = 1_000;
/// The 97.5 % points of Student's t for 1, 2, .. degrees of freedom, and for more.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const T_MANY: f64 = 1.96;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The outages, as in tests/scenarios
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    scenario: Vec<PathBuf>,
    /// The policies to judge
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Other policies, to be held against them in the same worlds
    #[arg(long, value_name = "DIR")]
    compare: Option<PathBuf>,
    /// The vantage point where the service stands; by default the first that can send
    #[arg(long, value_name = "VANTAGE")]
    from: Option<String>,
    /// How many times, each with other draws
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(SEEDS_MAX)))]
    seeds: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One figure of a score: its name, how it is taken, whether it is a share.
struct Figure {
    name: &'static str,
    of: fn(&Score) -> f64,
    is_share: bool,
}

const FIGURES: [Figure; 10] = [
    Figure { name: "in time, by weight", of: |score| score.all.share_in_time(), is_share: true },
    Figure { name: "in 60 s, by weight", of: |score| score.all.share_soon(), is_share: true },
    Figure { name: "ever, by weight", of: |score| score.all.share_ever(), is_share: true },
    Figure { name: "median delay, s", of: |score| score.all.delay(0.5).unwrap_or(f64::NAN), is_share: false },
    Figure { name: "copies a message", of: |score| score.all.mean_copies(), is_share: false },
    Figure { name: "sends", of: |score| score.sends as f64, is_share: false },
    Figure { name: "sends into a dead channel", of: |score| score.into_dead as f64, is_share: false },
    Figure { name: "cost", of: |score| score.cost, is_share: false },
    Figure { name: "false alarms", of: |score| score.count(Blame::Nobody) as f64, is_share: false },
    Figure { name: "misattributions", of: |score| score.count(Blame::Instead) as f64, is_share: false },
];

/// A mean with the half width of its 95 % confidence interval, where there is more than one draw.
#[derive(Clone, Copy)]
struct Mean {
    mean: f64,
    half: Option<f64>,
}

/// Replays each outage and prints what came of it.
pub(super) fn run(args: &Args) -> Done {
    let mut told = Vec::new();
    for path in &args.scenario {
        let scenario = read(path)?;
        let drawn: Vec<Scenario> = (0..u64::from(args.seeds))
            .map(|k| scenario.drawn(scenario.seed.wrapping_add(SEED_STEP * k)))
            .collect();
        let ours = replay(args, &args.policies, path, &drawn)?;
        let theirs = args.compare.as_ref().map(|folder| replay(args, folder, path, &drawn)).transpose()?;
        if args.json {
            told.push(json_of(&drawn, &ours, theirs.as_deref()));
            continue;
        }
        let coloured = table::coloured();
        let mut out = format!("{} ({}, seed {})\n", scenario.title, scenario.id, scenario.seed);
        if args.seeds == 1 {
            out += &draw(&ours[0], coloured);
        }
        if args.seeds > 1 || theirs.is_some() {
            out += &figures(args, &ours, theirs.as_deref(), coloured);
        }
        table::print(&(out + "\n"));
    }
    if args.json {
        table::json(&Value::Array(told));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Scenario, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::No(format!("{} cannot be read: {error}", path.display())))?;
    Scenario::read(&text).map_err(|error| Failure::No(format!("{}: {error}", path.display())))
}

fn replay(args: &Args, folder: &Path, path: &Path, drawn: &[Scenario]) -> Result<Vec<Score>, Failure> {
    let whose = |error: &dyn std::fmt::Display| Failure::No(format!("{}: {error}", path.display()));
    let gateways = drawn.first().and_then(Scenario::gateways);
    let gateways = gateways.ok_or_else(|| whose(&"it has more channels than Wasl knows"))?;
    let (policy, diags) = policy::load(folder, &gateways);
    let Some(policy) = policy else {
        eprint!("{}", diags.render());
        return Err(Failure::Told);
    };
    let trial =
        Trial { policy: policy.into_policy(), dwell: DWELL, vantage: args.from.clone(), watched: None };
    let score = |scenario: &Scenario| {
        let run = trial.run(scenario).map_err(|error| whose(&error))?;
        Ok(Score::of(scenario, &run))
    };
    drawn.iter().map(score).collect()
}

impl Mean {
    fn of(values: &[f64]) -> Mean {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let half = (values.len() > 1).then(|| {
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
            T.get(values.len() - 2).copied().unwrap_or(T_MANY) * (variance / n).sqrt()
        });
        Mean { mean, half }
    }

    fn text(self, is_share: bool, signed: bool) -> String {
        let (scale, places, unit) = if is_share { (100.0, 2, " %") } else { (1.0, 2, "") };
        let mean = self.mean * scale;
        let mean = if signed { format!("{mean:+.places$}") } else { format!("{mean:.places$}") };
        let half = self.half.map_or(String::new(), |half| format!(" ± {:.places$}", half * scale));
        format!("{mean}{half}{unit}")
    }

    fn json(self) -> Value {
        json!({"mean": self.mean, "ci95": self.half})
    }
}

/// Returns a figure of each score, and the differences pair by pair.
fn paired(figure: &Figure, ours: &[Score], theirs: Option<&[Score]>) -> (Mean, Option<(Mean, Mean)>) {
    let of = |scores: &[Score]| scores.iter().map(figure.of).collect::<Vec<f64>>();
    let mine = of(ours);
    let beside = theirs.map(|theirs| {
        let theirs = of(theirs);
        let apart: Vec<f64> = theirs.iter().zip(&mine).map(|(theirs, mine)| theirs - mine).collect();
        (Mean::of(&theirs), Mean::of(&apart))
    });
    (Mean::of(&mine), beside)
}

fn figures(args: &Args, ours: &[Score], theirs: Option<&[Score]>, coloured: bool) -> String {
    let row = |figure: &Figure| {
        let (mine, beside) = paired(figure, ours, theirs);
        let mut texts = vec![figure.name.to_owned(), mine.text(figure.is_share, false)];
        if let Some((theirs, apart)) = beside {
            texts.extend([theirs.text(figure.is_share, false), apart.text(figure.is_share, true)]);
        }
        texts.into_iter().map(|text| Cell(text, Tone::Plain)).collect::<Vec<_>>()
    };
    let rows: Vec<_> = FIGURES.iter().map(row).collect();
    let name = |folder: &Path| folder.display().to_string();
    let mut heads = vec![String::new(), name(&args.policies)];
    heads.extend(args.compare.iter().flat_map(|folder| [name(folder), "difference".to_owned()]));
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let mut out = match ours.len() {
        1 => String::new(),
        n => format!("{n} draws; means with 95 % confidence intervals\n"),
    };
    out += &table::lay_out(&heads, &rows, coloured);
    out
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "–".into(), |s| format!("{s:.1} s"))
}

fn draw(score: &Score, coloured: bool) -> String {
    let plain = |text: String| Cell(text, Tone::Plain);
    let row = |name: &str, reach: &Reach| {
        vec![
            plain(name.into()),
            plain(reach.messages.to_string()),
            plain(percent(reach.share_in_time())),
            plain(percent(reach.share_soon())),
            plain(percent(reach.share_ever())),
            plain(format!("{:.2}", reach.mean_copies())),
            plain(seconds(reach.delay(0.5))),
            plain(seconds(reach.delay(0.95))),
        ]
    };
    let mut rows = vec![row("all, by weight", &score.all)];
    rows.extend(score.classes.iter().map(|(name, reach)| row(name, reach)));
    rows.extend(score.regions.iter().map(|(name, reach)| row(name, reach)));
    let heads = ["", "messages", "in time", "in 60 s", "ever", "copies", "median", "95 %"];
    let mut out = table::lay_out(&heads, &rows, coloured);
    let by: Vec<String> = score.by_channel.iter().map(|(name, n)| format!("{name} {n}")).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "first there by: {}", by.join(", "));
    let _ = writeln!(
        out,
        "{} sends, {} of them into a channel that was down; cost {:.2}",
        score.sends, score.into_dead, score.cost
    );
    let rows: Vec<_> = score.detections.iter().map(detection).collect();
    if !rows.is_empty() {
        out += &table::lay_out(&["what was the case", "", "since", "said after"], &rows, coloured);
    }
    let _ = writeln!(
        out,
        "{} declared down, {} false alarms, {} misattributions in {:.1} cell-days",
        score.verdicts.len(),
        score.count(Blame::Nobody),
        score.count(Blame::Instead),
        score.cell_days
    );
    for verdict in &score.verdicts {
        let region = verdict.region.as_deref().map_or(String::new(), |region| format!(" in {region}"));
        let blame = match verdict.blame {
            Blame::Right => "",
            Blame::Instead => ": a misattribution",
            Blame::Nobody => ": a false alarm",
        };
        let _ = writeln!(out, "  {:.0} s: {}{region}{blame}", verdict.at, verdict.channel);
    }
    out
}

fn detection(detection: &Detection) -> Vec<Cell> {
    let (word, tone) = match (detection.after_s, detection.visible) {
        (Some(after), _) => (format!("{after:.0} s"), Tone::Good),
        (None, true) => ("not".into(), Tone::Bad),
        (None, false) => ("not (cannot be seen from here)".into(), Tone::Plain),
    };
    let plain = |text: String| Cell(text, Tone::Plain);
    vec![
        plain(format!("{} {}", detection.channel, detection.region)),
        plain(detection.state.clone()),
        plain(format!("{} s", detection.from_s)),
        Cell(word, tone),
    ]
}

fn json_of(drawn: &[Scenario], ours: &[Score], theirs: Option<&[Score]>) -> Value {
    let means: Map<String, Value> = FIGURES
        .iter()
        .map(|figure| {
            let (mine, beside) = paired(figure, ours, theirs);
            let mut told = json!({"policies": mine.json()});
            if let Some((theirs, apart)) = beside {
                told["compare"] = theirs.json();
                told["difference"] = apart.json();
            }
            (figure.name.to_owned(), told)
        })
        .collect();
    let scores = |scores: &[Score]| -> Vec<Value> {
        drawn.iter().zip(scores).map(|(scenario, score)| json_of_one(scenario, score)).collect()
    };
    json!({
        "scenario": drawn[0].id, "figures": means, "policies": scores(ours), "compare": theirs.map(scores),
        "yardsticks": yardsticks(&drawn[0]),
    })
}

fn json_of_one(scenario: &Scenario, score: &Score) -> Value {
    let reach = |reach: &Reach| {
        json!({
            "messages": reach.messages, "in_time": reach.share_in_time(), "in_60_s": reach.share_soon(),
            "ever": reach.share_ever(), "copies": reach.mean_copies(),
            "copies_per_reached": reach.copies as f64 / (reach.reached as f64).max(1.0),
            "median_s": reach.delay(0.5), "p95_s": reach.delay(0.95),
        })
    };
    let all = |reaches: &BTreeMap<String, Reach>| -> Map<String, Value> {
        reaches.iter().map(|(name, of)| (name.clone(), reach(of))).collect()
    };
    let detection = |detection: &Detection| {
        json!({
            "channel": detection.channel, "region": detection.region, "state": detection.state,
            "from_s": detection.from_s, "after_s": detection.after_s, "visible": detection.visible,
        })
    };
    let verdict = |verdict: &Verdict| {
        let blame = match verdict.blame {
            Blame::Right => "right",
            Blame::Instead => "misattribution",
            Blame::Nobody => "false_alarm",
        };
        json!({"at_s": verdict.at, "channel": verdict.channel, "region": verdict.region, "blame": blame})
    };
    json!({
        "seed": scenario.seed, "all": reach(&score.all), "classes": all(&score.classes),
        "regions": all(&score.regions), "first_by": score.by_channel, "sends": score.sends,
        "into_dead": score.into_dead, "cost": score.cost,
        "detections": score.detections.iter().map(detection).collect::<Vec<_>>(),
        "verdicts": score.verdicts.iter().map(verdict).collect::<Vec<_>>(),
        "false_alarms": score.count(Blame::Nobody), "misattributions": score.count(Blame::Instead),
        "cell_days": score.cell_days,
    })
}

/// Replays the scenario with policies of a few lines, to measure by.
fn yardsticks(scenario: &Scenario) -> Value {
    let told = [
        ("fixed order", Yardstick::FixedOrder),
        ("all at once", Yardstick::AllAtOnce),
        ("ceiling", Yardstick::Ceiling),
    ]
    .map(|(name, yardstick)| (name.to_owned(), beside(scenario, &measure(scenario, yardstick))));
    Value::Object(told.into_iter().collect())
}

fn beside(scenario: &Scenario, figures: &Figures) -> Value {
    let classes: Map<String, Value> = figures
        .classes
        .iter()
        .map(|(name, reached)| {
            let soon = reached.delays.partition_point(|delay| *delay <= SOON_S) as u64;
            let share = |n: u64| n as f64 / reached.messages.max(1) as f64;
            let told = json!({
                "in_time": share(reached.in_time), "in_60_s": share(soon), "copies": share(reached.copies),
            });
            (name.clone(), told)
        })
        .collect();
    json!({"in_time": figures.in_time(scenario), "classes": classes})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_stands_with_the_interval_of_students_t() {
        let mean = Mean::of(&[1.0, 2.0, 3.0]);
        // Three draws, standard deviation 1: 4.303 / sqrt(3).
        assert!((mean.mean - 2.0).abs() < 1e-12 && (mean.half.unwrap() - 2.4843).abs() < 1e-3);
        assert!(Mean::of(&[5.0]).half.is_none(), "one draw tells nothing of the others");
        assert_eq!(Mean::of(&[0.5, 0.5]).text(true, true), "+50.00 ± 0.00 %");
    }
}
