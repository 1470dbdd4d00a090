//! Puts the pieces together and takes them apart: `wasl run`, the demo, the bench and the tests start here.

use crate::api::ring::EventRing;
use crate::api::service::{PolicyTrouble, Service};
use crate::core::effect::Pace;
use crate::core::policy::Policy;
use crate::core::reach::Reach;
use crate::core::record::Kept;
use crate::core::{Core, CoreConfig};
use crate::runtime::backup::Backups;
use crate::runtime::beats::Beats;
use crate::runtime::clock::Clock;
use crate::runtime::dispatch::Dispatch;
use crate::runtime::erase::ErasedPeople;
use crate::runtime::escalate::Escalator;
use crate::runtime::feed::Feed;
use crate::runtime::forecast::Forecasts;
use crate::runtime::gateways::{Gateways, Lineup};
use crate::runtime::inbox::{Files, Inbox, Incoming, Noted, inbox};
use crate::runtime::intake::Intake;
use crate::runtime::notary::Notary;
use crate::runtime::pantry::Pantry;
use crate::runtime::reach::Counting;
use crate::runtime::reads::Reads;
use crate::runtime::release::{Pacer, Release};
use crate::runtime::replies::{Replies, Silence, raised};
use crate::runtime::retainer::Retainer;
use crate::runtime::service::Front;
use crate::runtime::supervisor::Supervisor;
use crate::runtime::tickets::Tickets;
use crate::runtime::tokens::{Names, Tokens};
use crate::runtime::turn::{Cadence, Turns};
use crate::runtime::writer::{Fatal, Slot, Writer};
use crate::store::chain::Chain;
use crate::store::outbox::{Outbox, ReadError, Retention};
use crate::store::reachability::{Cell, CellRow, HERE, Reachability};
use crate::store::space::Space;
use crate::telemetry::metrics::Metrics;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// How long a stop waits for the attempts that are out. What has not answered by then stays in flight on disk and is
/// judged at the next start. Cites: systemd's default `TimeoutStopSec` of 90 s is well above it.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// What a service is made of.
pub struct Parts {
    /// What the core is told at start.
    pub core: CoreConfig,
    /// The gateways, each with its adapter.
    pub lineup: Lineup,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// The outbox's writing side.
    pub outbox: Box<dyn Outbox>,
    /// The room on the outbox's disk, where it lies on one.
    pub space: Option<Space>,
    /// How long what has settled is kept.
    pub retention: Retention,
    /// What has been seen of gateways, where it is kept, and what was kept of it.
    pub reachability: Option<Arc<dyn Reachability>>,
    /// See `reachability`.
    pub remembered: Vec<CellRow>,
    /// The clock; it is moved on to the latest moment that the store knows.
    pub clock: Arc<Clock>,
    /// Sets how often a gateway is probed.
    pub pacer: Pacer,
    /// Is told how often to ask the controls of our own lines.
    pub control_pace: watch::Sender<Pace>,
}

/// Why a service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The outbox cannot be read.
    #[error(transparent)]
    Store(#[from] ReadError),
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Starts services.
#[derive(Debug)]
pub struct Wasl;

/// A service that runs. Dropping it without [`Running::stop`] leaves what is in flight to the next start.
pub struct Running {
    front: Arc<Front>,
    inbox: Inbox,
    supervisor: Arc<Supervisor>,
    dispatch: Arc<Dispatch>,
    reachability: Option<Arc<dyn Reachability>>,
    policy_trouble: watch::Sender<Option<PolicyTrouble>>,
    /// What counts who can be reached, and what finds what replies answer: both hold the store open.
    looking: [JoinHandle<()>; 2],
    ended: oneshot::Receiver<Result<(), Fatal>>,
}

impl Wasl {
    /// Starts a service. Call inside a tokio runtime: it serves the adapters.
    pub fn start(parts: Parts) -> Result<Running, StartError> {
        let tasks = Handle::current();
        let mut loaded = parts.outbox.load()?;
        parts.clock.not_before(loaded.clock);
        let now = parts.clock.now();
        let retention = Retainer::new(parts.retention, loaded.clock, now);
        let configured: Vec<_> = parts.lineup.iter().map(|g| g.config.clone()).collect();
        let mut core = Core::new(parts.core, configured.clone(), parts.policy, now);
        remember(&mut core, parts.remembered);
        let reader = parts.outbox.reader();
        loaded.raised = raised(&*reader, &loaded.help, now);
        core.load(loaded, now);

        let clock = parts.clock;
        let tokens = reader.tokens()?.value;
        let (names, tokens) = (Names::new(&tokens), Arc::new(Tokens::new(tokens)));
        let silence = Arc::new(Silence::new(reader.opt_outs()?.value));
        let erased = Arc::new(ErasedPeople::new(reader.erased()?.value));
        let (inbox, outlet) = inbox();
        let gateways = Arc::new(Gateways::default());
        gateways.put(parts.lineup, |name| core.gateway_id(name));
        let (tickets, pantry, beats) =
            (Arc::<Tickets>::default(), Arc::<Pantry>::default(), Arc::<Beats>::default());
        beats.turn(&clock);
        beats.writer(&clock);
        let metrics = Arc::new(Metrics::new());
        let first = Arc::new(core.view(now));
        metrics.policy_in_force(&first.policy);
        let (view_out, view) = watch::channel(first);
        let (needles_out, needles) = watch::channel(Vec::new());
        let (trouble_out, policy_trouble) = watch::channel(None);
        let reads = Reads::to_look(Arc::clone(&reader));
        let intake = Arc::new(Intake::new(Arc::clone(&reader), Arc::clone(&clock), parts.space));
        let (notary, acts_end) = Notary::new(Chain::open(&*reader)?);
        let (slot, events) = (Arc::new(Slot::new()), Arc::new(EventRing::new(now)));
        let dispatch = Arc::new(Dispatch {
            gateways: Arc::clone(&gateways),
            pantry: Arc::clone(&pantry),
            reads: Reads::to_send(Arc::clone(&reader)),
            silence: Arc::clone(&silence),
            inbox: inbox.clone(),
            clock: Arc::clone(&clock),
            tasks: tasks.clone(),
            out: watch::Sender::new(0),
        });
        let escalator = Escalator::new(reads.clone(), inbox.clone(), Arc::clone(&tickets), tasks.clone());
        let release = Release {
            dispatch: Arc::clone(&dispatch),
            escalator: Arc::new(escalator),
            tickets: Arc::clone(&tickets),
            tokens: Arc::clone(&tokens),
            silence: Arc::clone(&silence),
            erased: Arc::clone(&erased),
            gateways: Arc::clone(&gateways),
            metrics: Arc::clone(&metrics),
            events: Arc::clone(&events),
            view: view_out,
            pacer: parts.pacer,
            control_pace: parts.control_pace,
        };
        let writer = Writer {
            outbox: parts.outbox,
            slot: Arc::clone(&slot),
            release,
            pantry,
            intake: Arc::clone(&intake),
            metrics: Arc::clone(&metrics),
            beats: Arc::clone(&beats),
            clock: Arc::clone(&clock),
            retention,
            notary,
        };
        let turns = Turns {
            core,
            clock: Arc::clone(&clock),
            outlet,
            slot,
            gateways: Arc::clone(&gateways),
            beats: Arc::clone(&beats),
            needles: needles_out,
            configured,
            pace: Cadence::begin(now),
            names,
            barriers: Vec::new(),
        };
        let ended = run(writer, turns)?;
        if let Some(reachability) = parts.reachability.clone() {
            tasks.spawn(write_behind(needles, reachability));
        }
        let (reach_out, reach) = watch::channel(Arc::new(Reach::default()));
        let contacts_changed = Arc::new(AtomicU64::new(0));
        let counting = Counting {
            reads: reads.clone(),
            clock: Arc::clone(&clock),
            view: view.clone(),
            changes: Arc::clone(&contacts_changed),
            silence: Arc::clone(&silence),
            reach: reach_out,
        };
        let counting = tasks.spawn(counting.run());
        let (replies, desk) =
            Replies::start(reads.clone(), inbox.clone(), Arc::clone(&gateways), Arc::clone(&clock), &tasks);
        let supervisor = Supervisor::new(Arc::clone(&gateways), inbox.clone(), replies.clone(), tasks);
        let supervisor = Arc::new(supervisor);
        supervisor.start();
        let front = Arc::new(Front {
            inbox: inbox.clone(),
            tickets,
            reads,
            intake,
            backups: Backups::new(reader),
            gateways,
            forecasts: Forecasts::new(),
            clock,
            beats,
            metrics,
            events,
            view,
            tokens,
            reach,
            contacts_changed,
            policy_trouble,
            reachability: parts.reachability.clone(),
            replies,
            acts_end,
            silence,
            erased,
            erasing: tokio::sync::Mutex::new(()),
            importing: Arc::default(),
        });
        Ok(Running {
            front,
            inbox,
            supervisor,
            dispatch,
            reachability: parts.reachability,
            policy_trouble: trouble_out,
            looking: [counting, desk],
            ended,
        })
    }
}

impl Running {
    /// Returns the service, for the interface.
    pub fn service(&self) -> Arc<dyn Service> {
        Arc::clone(&self.front) as Arc<dyn Service>
    }

    /// Returns the service, for what tells operators.
    pub(crate) fn front(&self) -> Arc<Front> {
        Arc::clone(&self.front)
    }

    /// Returns the service's clock.
    pub fn clock(&self) -> Arc<Clock> {
        Arc::clone(&self.front.clock)
    }

    /// Says whether there is any token yet.
    pub fn has_tokens(&self) -> bool {
        self.front.has_tokens()
    }

    /// Returns the names of every gateway since the start, by id.
    pub fn gateway_names(&self) -> Vec<String> {
        self.front.gateways.all().iter().map(|g| g.config.name.clone()).collect()
    }

    /// Returns the way in for what is seen of the gateways from outside their adapters.
    pub fn feed(&self) -> Feed {
        Feed::new(self.inbox.clone(), Arc::clone(&self.front.gateways), Arc::clone(&self.front.metrics))
    }

    /// Puts new files in force, gateways and policy in one turn; what is `None` stays as it is. A gateway's name that
    /// is gone takes nothing new.
    pub async fn put_in_force(&self, lineup: Option<Lineup>, policy: Option<Arc<Policy>>) {
        let (told, done) = oneshot::channel();
        let files = Box::new(Files { lineup, policy });
        if self.inbox.put_now(Incoming::Lineup(files, told)).is_ok() && done.await.is_ok() {
            self.supervisor.start();
        }
        self.front.metrics.reloaded(true);
        self.policy_trouble.send_replace(None);
    }

    /// Notes an act of the service itself in the audit record.
    pub(crate) fn note(&self, act: &'static str, on: String, reason: String) {
        // A service that has ended notes nothing more.
        let _ = self.inbox.put_now(Incoming::Note(Noted { act, on, reason }));
    }

    /// Says why the files as they are now were refused; what was in force stays so.
    pub fn refuse(&self, report: String) {
        self.front.metrics.reloaded(false);
        self.policy_trouble.send_replace(Some(PolicyTrouble { at: self.front.clock.now(), report }));
    }

    /// Waits until the service ends by itself: the store can no longer be trusted.
    pub async fn ended(&mut self) -> Result<(), Fatal> {
        match (&mut self.ended).await {
            Ok(done) => done,
            Err(_) => Err(Fatal("the writer's thread ended".into())),
        }
    }

    /// Stops: takes nothing new, waits for the attempts that are out, makes everything durable. What waits stays
    /// in the store.
    pub async fn stop(self) -> Result<(), Fatal> {
        self.front.intake.stop();
        self.front.events.close();
        let (told, at_rest) = oneshot::channel();
        let _ = self.inbox.put_now(Incoming::Rest);
        let _ = self.inbox.put_now(Incoming::Barrier(told));
        let mut out = self.dispatch.out();
        let drain = async {
            // Orders that wait for their commit go out before the barrier, and are counted then.
            let _ = at_rest.await;
            let _ = out.wait_for(|out| *out == 0).await;
        };
        let drained = tokio::time::timeout(DRAIN_MAX, drain).await.is_ok();
        if !drained {
            tracing::warn!(attempts = *out.borrow(), "attempts are still out; the next start judges them");
        }
        self.supervisor.stop();
        let _ = self.inbox.put_now(Incoming::Stop);
        let done = match self.ended.await {
            Ok(done) => done,
            Err(_) => Err(Fatal("the writer's thread ended".into())),
        };
        self.front.backups.stop().await;
        // They hold the store open. What was said and is not on disk comes again.
        for looking in self.looking {
            looking.abort();
            let _ = looking.await;
        }
        if let Some(reachability) = self.reachability {
            // It waits for its disk.
            drop(tokio::task::spawn_blocking(move || reachability.close()).await);
        }
        done
    }
}

/// Tells the core what was kept of its gateways, as they were seen from here.
fn remember(core: &mut Core, mut rows: Vec<CellRow>) {
    rows.retain(|row| row.cell.vantage == HERE);
    // Regions are judged in the light of all.
    rows.sort_by(|a, b| a.cell.slice.cmp(&b.cell.slice));
    for CellRow { cell, needles } in rows {
        core.remember(&Kept { gateway: cell.gateway, region: cell.slice, needles });
    }
}

/// Runs the two threads of a service; how the writer's ended is told at its end.
fn run(writer: Writer, turns: Turns) -> std::io::Result<oneshot::Receiver<Result<(), Fatal>>> {
    let (end, ended) = oneshot::channel();
    std::thread::Builder::new().name("writer".into()).spawn(move || {
        let done = writer.run();
        if let Err(fatal) = &done {
            tracing::error!(%fatal, "the service ends");
        }
        // Whoever ran the service may not look.
        let _ = end.send(done);
    })?;
    std::thread::Builder::new().name("core".into()).spawn(move || turns.run())?;
    Ok(ended)
}

/// Hands the needles on as they move.
async fn write_behind(mut needles: watch::Receiver<Vec<Kept>>, reachability: Arc<dyn Reachability>) {
    while needles.changed().await.is_ok() {
        let rows = needles.borrow_and_update().clone();
        let row = |Kept { gateway, region, needles }| CellRow {
            cell: Cell { vantage: HERE.into(), gateway, slice: region },
            needles,
        };
        reachability.remember(rows.into_iter().map(row).collect());
    }
}
