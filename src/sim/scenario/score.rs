//! A trial's score: who was reached and when, and how the verdicts stand against what was the case.
//!
//! Cites: the format's section on scoring; what is not usable must be said of `down`, `blocked`, `grey` and `flapping`,
//! a warning is enough for the rest.

use super::file::{Scenario, Truth};
use super::trial::{Fate, Run, Said, Turn};
use crate::core::view::State;
use std::collections::BTreeMap;

/// A verdict may stand for so long after its cause has ended, in seconds.
const GRACE_S: f64 = 600.0;
/// What counts as at once, in seconds.
pub const SOON_S: f64 = 60.0;
/// What a service of ours has: probes, errors of its own sends, receipts.
const STREAMS: [&str; 3] = ["probe", "error", "receipt"];

/// The score.
#[derive(Clone, PartialEq, Debug)]
pub struct Score {
    /// All messages together, by the weights of their classes.
    pub all: Reach,
    /// By class.
    pub classes: BTreeMap<String, Reach>,
    /// By the recipients' region.
    pub regions: BTreeMap<String, Reach>,
    /// How many messages were there first by which channel.
    pub by_channel: BTreeMap<String, u64>,
    /// How many sends there were.
    pub sends: u64,
    /// How many of them into a channel that was down or blocked.
    pub into_dead: u64,
    /// What they cost.
    pub cost: f64,
    /// What was the case, and when it was noticed.
    pub detections: Vec<Detection>,
    /// What was declared down, in the order of time.
    pub verdicts: Vec<Verdict>,
    /// Cells, of a channel and a region or everywhere, times days.
    pub cell_days: f64,
}

/// Who was reached.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reach {
    /// How many messages.
    pub messages: u64,
    /// Their weight.
    pub weight: f64,
    /// The weight of those that were there by the deadline.
    pub in_time: f64,
    /// The weight of those that were there within a minute.
    pub soon: f64,
    /// The weight of those that were ever there.
    pub ever: f64,
    /// How often one was there, all in all.
    pub copies: u64,
    /// How many were ever there.
    pub reached: u64,
    /// From the message to its first delivery, in seconds, ascending.
    pub delays: Vec<f64>,
}

/// Something that was declared down.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    /// When, in seconds.
    pub at: f64,
    /// Which channel; `*`: none alone; `line`: our own line.
    pub channel: String,
    /// For which region; `None`: for everybody, as seen from here.
    pub region: Option<String>,
    /// Whether that was the case.
    pub blame: Blame,
}

/// Whom a verdict against a channel blames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// What was at fault.
    Right,
    /// The channel, for what its region or our line did: a misattribution.
    Instead,
    /// Nothing was wrong, or had been for ten minutes: a false alarm.
    Nobody,
}

/// Something that was the case, and when a verdict said so.
#[derive(Clone, PartialEq, Debug)]
pub struct Detection {
    /// The channel; `*`: none is to blame; `vantage:..`: our own line.
    pub channel: String,
    /// The region, or `*`.
    pub region: String,
    /// What was the case: `down`, `grey`, ..
    pub state: String,
    /// Since when, in seconds.
    pub from_s: u32,
    /// How long after its beginning it was said, in seconds.
    pub after_s: Option<f64>,
    /// Whether a service can see it with what it has.
    pub visible: bool,
}

impl Score {
    /// Scores a run.
    pub fn of(scenario: &Scenario, run: &Run) -> Score {
        let mut score = Score {
            all: Reach::default(),
            classes: BTreeMap::new(),
            regions: BTreeMap::new(),
            by_channel: BTreeMap::new(),
            sends: run.sends,
            into_dead: run.into_dead,
            cost: run.cost,
            detections: detections(scenario, run),
            verdicts: Vec::new(),
            cell_days: f64::from(scenario.duration_s) / 86_400.0
                * (scenario.channel.len() * (scenario.region.len() + 1)) as f64,
        };
        for fate in &run.fates {
            let class = &scenario.class[fate.class];
            let region = &scenario.region[fate.region].id;
            for reach in [
                &mut score.all,
                score.classes.entry(class.id.clone()).or_default(),
                score.regions.entry(region.clone()).or_default(),
            ] {
                reach.count(fate, class.weight, class.deadline_s);
            }
            if let Some((_, channel)) = fate.first {
                *score.by_channel.entry(scenario.channel[channel].id.clone()).or_default() += 1;
            }
        }
        let reaches = score.classes.values_mut().chain(score.regions.values_mut());
        for reach in reaches.chain([&mut score.all]) {
            reach.delays.sort_by(f64::total_cmp);
        }
        for turn in run.verdicts.iter().filter(|turn| turn.declares()) {
            let blame = blamed(scenario, run, turn);
            let region = turn.region.map(|at| scenario.region[at].id.clone());
            let channel = match turn.channel {
                Some(at) => scenario.channel[at].id.clone(),
                None if turn.said == Said::Line => "line".into(),
                None => "*".into(),
            };
            score.verdicts.push(Verdict { at: turn.at, channel, region, blame });
        }
        score
    }
}

impl Score {
    /// Counts the verdicts of a kind.
    pub fn count(&self, blame: Blame) -> usize {
        self.verdicts.iter().filter(|verdict| verdict.blame == blame).count()
    }
}

impl Reach {
    fn count(&mut self, fate: &Fate, weight: f64, deadline_s: f64) {
        self.messages += 1;
        self.weight += weight;
        self.copies += u64::from(fate.copies);
        let Some((there, _)) = fate.first else { return };
        let delay = there - fate.at;
        self.reached += 1;
        self.ever += weight;
        self.in_time += if delay <= deadline_s { weight } else { 0.0 };
        self.soon += if delay <= SOON_S { weight } else { 0.0 };
        self.delays.push(delay);
    }

    /// Returns the weighted share that was there by the deadline.
    pub fn share_in_time(&self) -> f64 {
        self.in_time / self.weight.max(f64::MIN_POSITIVE)
    }

    /// Returns the weighted share that was there within a minute.
    pub fn share_soon(&self) -> f64 {
        self.soon / self.weight.max(f64::MIN_POSITIVE)
    }

    /// Returns the weighted share that was ever there.
    pub fn share_ever(&self) -> f64 {
        self.ever / self.weight.max(f64::MIN_POSITIVE)
    }

    /// Returns how often a message was there, on average.
    pub fn mean_copies(&self) -> f64 {
        self.copies as f64 / (self.messages as f64).max(1.0)
    }

    /// Returns the delay within which this share of those arrived that ever did, in seconds.
    pub fn delay(&self, share: f64) -> Option<f64> {
        self.delays.get((self.delays.len() as f64 * share) as usize).copied()
    }
}

fn blamed(scenario: &Scenario, run: &Run, turn: &Turn) -> Blame {
    let region = turn.region.map(|at| scenario.region[at].id.as_str());
    let lasts = |truth: &&Truth| {
        (f64::from(truth.from_s)..f64::from(truth.to_s) + GRACE_S).contains(&turn.at)
            && (region.is_none() || matches!(&*truth.region, "*" | "-") || Some(&*truth.region) == region)
    };
    let going_on: Vec<&Truth> = scenario.truth.iter().filter(lasts).collect();
    let ours = format!("vantage:{}", scenario.vantage[run.vantage].id);
    let is_right = |truth: &&Truth| match turn.said {
        Said::Open => true,
        Said::Region => truth.channel == "*",
        Said::Line => truth.channel == ours,
        Said::Channel | Said::Domain => {
            turn.channel.is_some_and(|channel| truth.channel == scenario.channel[channel].id)
        }
    };
    let concerns = |truth: &&Truth| match turn.said {
        Said::Channel | Said::Domain => truth.channel == "*" || truth.channel == ours,
        _ => true,
    };
    if going_on.iter().copied().any(|truth| is_right(&truth)) {
        Blame::Right
    } else if going_on.iter().copied().any(|truth| concerns(&truth)) {
        Blame::Instead
    } else {
        Blame::Nobody
    }
}

fn detections(scenario: &Scenario, run: &Run) -> Vec<Detection> {
    let ours = format!("vantage:{}", scenario.vantage[run.vantage].id);
    let of = |truth: &Truth| {
        let about = |turn: &&Turn| match &*truth.channel {
            "*" => matches!(turn.said, Said::Region | Said::Open),
            ours_or_other if *ours_or_other == ours => turn.said == Said::Line,
            channel => turn.channel.is_some_and(|at| scenario.channel[at].id == channel),
        };
        let fits = |turn: &&Turn| {
            let enough = match &*truth.state {
                "down" | "blocked" | "grey" | "flapping" => turn.to == State::Down,
                _ => matches!(turn.to, State::Down | State::Degraded),
            };
            let region = turn.region.map(|at| scenario.region[at].id.as_str());
            let there = region.is_none() || truth.region == "*" || region == Some(&*truth.region);
            enough && there && about(turn)
        };
        let (from, to) = (f64::from(truth.from_s), f64::from(truth.to_s));
        // What was said before and still stands counts from the beginning.
        let before = run.verdicts.iter().filter(|turn| turn.at < from);
        let standing = before.filter(about).fold(BTreeMap::new(), |mut now, turn| {
            now.insert((turn.channel, turn.region), turn);
            now
        });
        let already = standing.values().any(&fits).then_some(0.0);
        let within = run.verdicts.iter().filter(|turn| (from..to).contains(&turn.at)).find(fits);
        Detection {
            channel: truth.channel.clone(),
            region: truth.region.clone(),
            state: truth.state.clone(),
            from_s: truth.from_s,
            after_s: already.or(within.map(|turn| turn.at - from)),
            visible: truth.visible_to.iter().any(|stream| STREAMS.contains(&stream.as_str())),
        }
    };
    scenario.truth.iter().map(of).collect()
}
