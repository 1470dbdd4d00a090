//! Runs the probes of a service, each when it is due, and hands on what they find.
//!
//! Limits: the channel of findings is bounded by its maker; while it is full a probe that has ended holds its place
//! among those that run, so that the core is never flooded. Commands that wait are bounded likewise.
//!
//! Invariant: no probe delays another: each runs in a task of its own, and only the schedule decides.

use super::schedule::{AT_ONCE_MAX, ProbeNo, Schedule, Timing};
use super::{Context, Finding, ProbeSet};
use crate::core::channel::GatewayId;
use crate::core::effect::Pace;
use crate::core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What the runner can be told while it runs.
#[derive(Clone, Debug)]
pub enum Command {
    /// Probe a gateway at this pace from here on.
    Pace {
        /// The gateway.
        gateway: GatewayId,
        /// The pace.
        pace: Pace,
    },
    /// Run these probes instead, all of them. Paces stay. What the former ones still find is dropped.
    Replace(ProbeSet),
}

/// Runs the probes of a service.
pub struct Runner {
    set: ProbeSet,
    context: Arc<Context>,
    seed: u64,
    findings: mpsc::Sender<Finding>,
    paces: BTreeMap<GatewayId, Pace>,
    schedule: Schedule,
    running: JoinSet<Ended>,
    /// The steady clock of the schedule.
    began: Instant,
}

/// A probe that has ended, with what it found if that is still to be handed on.
struct Ended {
    no: ProbeNo,
    finding: Option<Finding>,
}

impl Runner {
    /// Prepares the first round. `findings` should hold at least a few dozen.
    pub fn new(set: ProbeSet, context: Arc<Context>, seed: u64, findings: mpsc::Sender<Finding>) -> Runner {
        let began = Instant::now();
        Runner {
            schedule: plan(&set, seed, Timestamp::default()),
            set,
            context,
            seed,
            findings,
            paces: BTreeMap::new(),
            running: JoinSet::new(),
            began,
        }
    }

    /// Runs until the findings' receiver or the commands' sender is gone.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            while let Some(no) = self.schedule.start(self.now()) {
                self.start(no);
            }
            let wake = self.schedule.next_wake().map(|due| self.instant(due));
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                Some(ended) = self.running.join_next() => {
                    match ended {
                        Ok(ended) => self.hand_on(ended),
                        // A bug in one probe: nobody can say which, so all begin again rather than one be lost.
                        Err(_) => self.replace(self.set.clone()),
                    }
                }
                () = sleep_until(wake) => {}
                () = self.findings.closed() => return,
            }
        }
    }

    fn start(&mut self, no: ProbeNo) {
        let Some(ready) = self.set.ready.get(no.0).cloned() else { return };
        let context = self.context.clone();
        self.running.spawn(async move { Ended { no, finding: Some(ready.run(&context).await) } });
    }

    /// Hands on what a probe found. Done here rather than by the probe's own task, which would wake two others at once: the
    /// runtime calls up a thread for the second.
    fn hand_on(&mut self, Ended { no, finding }: Ended) {
        if let Some(finding) = finding
            && let Err(TrySendError::Full(finding)) = self.findings.try_send(finding)
        {
            let findings = self.findings.clone();
            self.running.spawn(async move {
                // Nobody listens only while the service is stopping.
                let _ = findings.send(finding).await;
                Ended { no, finding: None }
            });
            return;
        }
        self.schedule.done(no, self.now());
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Pace { gateway, pace } => {
                self.paces.insert(gateway, pace);
                self.schedule.set_pace(gateway, pace, self.now());
            }
            Command::Replace(set) => self.replace(set),
        }
    }

    fn replace(&mut self, set: ProbeSet) {
        // Dropping the tasks aborts them: a gateway that is gone is not reported on.
        self.running = JoinSet::new();
        let now = self.now();
        self.seed = self.seed.wrapping_add(1);
        self.schedule = plan(&set, self.seed, now);
        self.set = set;
        for (gateway, pace) in &self.paces {
            self.schedule.set_pace(*gateway, *pace, now);
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_ms(i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    fn instant(&self, due: Timestamp) -> Instant {
        self.began + Duration::from_millis(u64::try_from(due.ms()).unwrap_or(0))
    }
}

fn plan(set: &ProbeSet, seed: u64, now: Timestamp) -> Schedule {
    let timings: Vec<_> = set
        .iter()
        .map(|ready| Timing { gateway: ready.gateway, interval: ready.interval, in_doubt: ready.in_doubt })
        .collect();
    Schedule::new(&timings, AT_ONCE_MAX, seed, now)
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
