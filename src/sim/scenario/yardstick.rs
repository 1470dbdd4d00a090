//! Policies of a few lines to measure others by: one channel only, a fixed order driven by errors, all channels at once, and the
//! same without the channels' limits, which no policy can beat.
//!
//! They do not go through the core. Their figures are known from another program that replays the same files, so that they prove the
//! world before anything is judged in it.

use super::carrier::{Carried, Carrier, Send, Sent};
use super::file::Scenario;
use super::outside::{ChannelAt, Outside, Task, VantageAt};
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

/// The order in which organisations put their channels; one that is not here comes after these, in the file's order.
const USUAL: [&str; 5] = ["whatsapp", "signal", "telegram", "sms", "email"];
/// How long a throttled caller waits.
const THROTTLED_S: f64 = 2.0;
/// The first wait after all channels failed, doubled with each attempt up to the last.
const AGAIN_S: (f64, f64) = (5.0, 300.0);
/// Nobody tries for longer than so many deadlines.
const DEADLINES_MAX: f64 = 4.0;

/// A policy of a few lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Yardstick<'a> {
    /// One channel, again and again.
    Only(&'a str),
    /// One after the other, on to the next after each error.
    FixedOrder,
    /// All channels at once.
    AllAtOnce,
    /// The same, as if no channel had a limit.
    Ceiling,
}

/// What a policy came to in a scenario.
#[derive(Clone, PartialEq, Debug)]
pub struct Figures {
    /// How many sends there were.
    pub sends: u64,
    /// What the accepted ones cost.
    pub cost: f64,
    /// By the class of message.
    pub classes: BTreeMap<String, Reached>,
}

/// How the messages of one class fared.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reached {
    /// How many there were.
    pub messages: u64,
    /// How many were there within the class's deadline.
    pub in_time: u64,
    /// How many were ever there.
    pub ever: u64,
    /// How often one was there, all in all.
    pub copies: u64,
    /// From the message to its first delivery, in seconds, of those that arrived, ascending.
    pub delays: Vec<f64>,
    /// How many were there first by which channel.
    pub by: BTreeMap<String, u64>,
}

/// What becomes of one message.
#[derive(Clone, Default)]
struct State {
    /// The first delivery, and its channel.
    best: Option<(f64, ChannelAt)>,
    copies: u64,
}

/// A send that is due.
struct Due {
    at: f64,
    /// Of two at one time the one that was planned first goes first.
    planned: u64,
    task: usize,
    lane: Vec<ChannelAt>,
    position: usize,
    nth: u32,
}

struct Replay<'a> {
    outside: Outside<'a>,
    carrier: Carrier,
    states: Vec<State>,
}

impl State {
    fn arrived(&mut self, at: f64, channel: ChannelAt) {
        self.copies += 1;
        if self.best.is_none_or(|(best, _)| at < best) {
            self.best = Some((at, channel));
        }
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> Ordering {
        self.at.total_cmp(&other.at).then(self.planned.cmp(&other.planned))
    }
}

/// Replays a scenario with such a policy. A channel that the scenario does not have carries nothing.
pub fn replay(scenario: &Scenario, yardstick: Yardstick<'_>) -> Figures {
    let outside = Outside::new(scenario);
    let tasks = outside.tasks();
    let mut replay = Replay {
        carrier: Carrier::new(&scenario.channel, yardstick != Yardstick::Ceiling),
        states: vec![State::default(); tasks.len()],
        outside,
    };
    replay.run(&tasks, &lanes(scenario, yardstick));
    replay.figures(&tasks)
}

/// Returns the lists of channels that a message goes by, each list at the same time.
fn lanes(scenario: &Scenario, yardstick: Yardstick<'_>) -> Vec<Vec<ChannelAt>> {
    let mut order: Vec<ChannelAt> = (0..scenario.channel.len()).collect();
    let place =
        |at: &ChannelAt| USUAL.iter().position(|id| *id == scenario.channel[*at].id).unwrap_or(USUAL.len());
    order.sort_by_key(place);
    match yardstick {
        Yardstick::Only(id) => {
            order.into_iter().filter(|at| scenario.channel[*at].id == id).map(|at| vec![at]).collect()
        }
        Yardstick::FixedOrder => vec![order],
        Yardstick::AllAtOnce | Yardstick::Ceiling => order.into_iter().map(|at| vec![at]).collect(),
    }
}

impl Replay<'_> {
    fn run(&mut self, tasks: &[Task], lanes: &[Vec<ChannelAt>]) {
        let scenario = self.outside.scenario;
        let senders: Vec<VantageAt> =
            (0..scenario.vantage.len()).filter(|at| scenario.vantage[*at].can_send).collect();
        let mut due = BinaryHeap::new();
        let mut planned = 0;
        let mut plan = |due: &mut BinaryHeap<Reverse<Due>>, mut next: Due| {
            next.planned = planned;
            planned += 1;
            due.push(Reverse(next));
        };
        for (task, told) in tasks.iter().enumerate() {
            for lane in lanes {
                plan(
                    &mut due,
                    Due { at: told.at, planned: 0, task, lane: lane.clone(), position: 0, nth: 0 },
                );
            }
        }
        while let Some(Reverse(Due { at, task, mut lane, position, nth, .. })) = due.pop() {
            let told = &tasks[task];
            let deadline = scenario.class[told.class].deadline_s;
            if at > f64::from(scenario.duration_s) || at > told.at + DEADLINES_MAX * deadline {
                continue;
            }
            // A lane is never empty, and there is a vantage point that can send.
            let (channel, vantage) = (lane[position], senders[nth as usize % senders.len()]);
            let send = Send { task: told, channel, vantage, at, nth };
            let Carried { seen, took, arrives, .. } = self.carrier.send(&self.outside, send);
            if let Some(arrival) = arrives {
                self.states[task].arrived(arrival.at, channel);
            }
            let again = (AGAIN_S.0 * 2f64.powi(nth.min(6) as i32)).min(AGAIN_S.1);
            let (next, wait) = match seen {
                Sent::Accepted => continue,
                Sent::Throttled => (position, THROTTLED_S),
                Sent::Unregistered => {
                    lane.remove(position);
                    if lane.is_empty() {
                        continue;
                    }
                    (position % lane.len(), if position < lane.len() { 0.0 } else { again })
                }
                Sent::Failed(_) | Sent::TimedOut(_) => {
                    let next = (position + 1) % lane.len();
                    (next, if next > position { 0.0 } else { again })
                }
            };
            let at = at + took + wait;
            plan(&mut due, Due { at, planned: 0, task, lane, position: next, nth: nth + 1 });
        }
    }

    fn figures(self, tasks: &[Task]) -> Figures {
        let scenario = self.outside.scenario;
        let mut classes: BTreeMap<String, Reached> = BTreeMap::new();
        for (task, state) in tasks.iter().zip(&self.states) {
            let class = &scenario.class[task.class];
            let reached = classes.entry(class.id.clone()).or_default();
            reached.messages += 1;
            reached.copies += state.copies;
            if let Some((there, channel)) = state.best {
                let delay = there - task.at;
                reached.ever += 1;
                reached.in_time += u64::from(delay <= class.deadline_s);
                reached.delays.push(delay);
                *reached.by.entry(scenario.channel[channel].id.clone()).or_default() += 1;
            }
        }
        classes.values_mut().for_each(|reached| reached.delays.sort_by(f64::total_cmp));
        Figures { sends: self.carrier.sends, cost: self.carrier.cost, classes }
    }
}

impl Figures {
    /// Returns the share of messages that were there by their deadlines, by the weights of their classes.
    pub fn in_time(&self, scenario: &Scenario) -> f64 {
        let weighed = scenario.class.iter().filter_map(|class| {
            let reached = self.classes.get(&class.id)?;
            Some((class.weight * reached.in_time as f64, class.weight * reached.messages as f64))
        });
        let (in_time, all) = weighed.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        in_time / all.max(f64::MIN_POSITIVE)
    }
}

impl Reached {
    /// Returns the delay within which this share of those arrived that ever did, in seconds.
    pub fn delay(&self, share: f64) -> Option<f64> {
        self.delays.get((self.delays.len() as f64 * share) as usize).copied()
    }
}
