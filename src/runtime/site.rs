//! The service from its files: opened, served over HTTP, reloaded, stopped. `wasl run` and the demo use it.
//!
//! Invariant: a reload is all or nothing. While the files are wrong the earlier set stays in force, and the log, a
//! metric and the pages say so.

use crate::adapter::net::SetUpError;
use crate::api::service::{Change, Service, Trouble};
use crate::api::session::new_token;
use crate::api::{ApiConfig, router};
use crate::core::CoreConfig;
use crate::core::channel::GatewayId;
use crate::core::effect::Pace;
use crate::core::query::{Role, TokenRecord};
use crate::core::time::Timestamp;
use crate::diag::Diagnostics;
use crate::probe::runner::{self, Runner};
use crate::probe::uplink;
use crate::runtime::clock::{Clock, Os};
use crate::runtime::files::{self, Built, InForce, Plan, Ways};
use crate::runtime::listener::{self, BadTls};
use crate::runtime::start::{Parts, Running, StartError, Wasl};
use crate::runtime::writer::Fatal;
use crate::settings::{self, Settings};
use crate::store::folder::Folder;
use crate::store::outbox::Retention;
use crate::store::{OpenError, Stores};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};

/// How many findings of probes may wait for the core; a probe that has ended holds its place until then.
const FINDINGS_MAX: usize = 64;
/// How many orders to the probes' runner may wait: a change of pace for each gateway, several times over.
const ORDERS_MAX: usize = 512;

/// How a site is opened, beside what its files say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// A token is needed; one is made where there is none.
    Guarded,
    /// No token is asked for: the demonstration, on loopback.
    Open,
}

/// Why a site cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The files are not sound.
    #[error("the files are not sound")]
    Files(Diagnostics),
    /// The stores cannot be opened.
    #[error(transparent)]
    Stores(#[from] OpenError),
    /// The service cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The names of hosts cannot be looked up.
    #[error(transparent)]
    Net(#[from] SetUpError),
    /// The certificate cannot be used.
    #[error("TLS cannot be served: {0}")]
    Tls(#[from] BadTls),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {why}; stop what uses it, or change `listen` in [server]")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
    /// The first token cannot be kept.
    #[error("the first token cannot be made: {0}")]
    Token(Trouble),
    /// The system has no randomness to give.
    #[error("the system has no randomness to give")]
    NoRandomness,
}

/// A service that runs from its files and serves.
pub struct Site {
    config: PathBuf,
    running: Running,
    ways: Ways,
    settings: Settings,
    built: Vec<Built>,
    policy: String,
    probes: mpsc::Sender<runner::Command>,
    address: SocketAddr,
    first_token: Option<String>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    watchers: Vec<AbortHandle>,
    /// Locked for this process until dropped, so it comes last.
    _folder: Folder,
}

impl Site {
    /// Opens what `config` names, and serves. Call inside a tokio runtime.
    pub async fn open(config: &Path, door: Door) -> Result<Site, SiteError> {
        let mut diags = Diagnostics::default();
        let Some(settings) = files::settings(config, &mut diags) else { return Err(SiteError::Files(diags)) };
        let ways = Ways::new(&settings)?;
        let nothing = InForce { built: &[], names: &[] };
        let plan = files::plan(settings, &ways, nothing, diags).map_err(SiteError::Files)?;
        tell_warnings(&plan.warnings);
        let tls = match &plan.settings.server.tls {
            Some(tls) => Some(listener::tls(&tls.cert, &tls.key)?),
            None => None,
        };
        let listening = listen(plan.settings.server.listen).await?;
        let address = listening.local_addr().unwrap_or(plan.settings.server.listen);
        let stores = Stores::open(&plan.settings.store.path, plan.settings.store.reserve_bytes)?;
        if let Some(notice) = &stores.reachability.notice {
            tracing::error!(%notice, "reachability");
        }
        let (probes, orders) = mpsc::channel(ORDERS_MAX);
        let seed = seed()?;
        let running = Wasl::start(Parts {
            core: CoreConfig {
                shard: 0,
                seed,
                dwell: plan.settings.dwell,
                uplinks: plan.settings.uplinks.iter().map(|u| u.name.clone()).collect(),
            },
            lineup: files::lineup(&plan.built),
            policy: Arc::clone(&plan.policy),
            outbox: Box::new(stores.outbox),
            space: Some(stores.space),
            retention: retention(&plan.settings.retention),
            reachability: Some(Arc::new(stores.reachability.reachability)),
            remembered: stores.reachability.cells,
            clock: Arc::new(Clock::new(Box::new(Os), Timestamp::default())),
            pacer: pacer(probes.clone()),
        })?;
        let watchers = watch_out(&running, &plan, &ways, seed, orders);
        let first_token = match door {
            Door::Guarded if !running.has_tokens() => Some(first_token(&running).await?),
            Door::Guarded | Door::Open => None,
        };
        let (stop, stopped) = watch::channel(false);
        let app = router(running.service(), api_config(&plan.settings, door));
        let serving = tokio::spawn(listener::serve(listening, tls, app, stopped));
        tracing::info!(%address, gateways = plan.built.len(), policy = plan.policy.hash, "the service is up");
        Ok(Site {
            config: config.to_owned(),
            running,
            ways,
            policy: plan.policy.hash.clone(),
            settings: plan.settings,
            built: plan.built,
            probes,
            address,
            first_token,
            stop,
            serving,
            watchers,
            _folder: stores.folder,
        })
    }

    /// Returns the service behind the interface.
    pub fn service(&self) -> Arc<dyn Service> {
        self.running.service()
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what its file says.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the first admin token, where there was none before.
    pub fn first_token(&self) -> Option<&str> {
        self.first_token.as_deref()
    }

    /// Reads the files again. What is sound comes into force as a whole; else nothing does, and the report says why.
    pub async fn reload(&mut self) -> Result<(), Diagnostics> {
        let names = self.running.gateway_names();
        let mut diags = Diagnostics::default();
        let planned = match files::settings(&self.config, &mut diags) {
            Some(settings) => {
                let in_force = InForce { built: &self.built, names: &names };
                files::plan(settings, &self.ways, in_force, diags)
            }
            None => Err(diags),
        };
        match planned {
            Ok(plan) => {
                self.put_to_work(plan).await;
                Ok(())
            }
            Err(diags) => {
                tracing::error!(
                    errors = diags.errors(),
                    "the files are not sound; the earlier set stays in force"
                );
                self.running.refuse(diags.render());
                Err(diags)
            }
        }
    }

    /// Waits until the service ends by itself: the store can no longer be trusted.
    pub async fn ended(&mut self) -> Result<(), Fatal> {
        self.running.ended().await
    }

    /// Stops: waits for what is out, makes everything durable, leaves the rest in the store.
    pub async fn stop(self) -> Result<(), Fatal> {
        self.stop.send_replace(true);
        self.watchers.iter().for_each(AbortHandle::abort);
        let done = self.running.stop().await;
        // Its answers under way were given by now, or never will be.
        drop(self.serving.await);
        done
    }

    async fn put_to_work(&mut self, plan: Plan) {
        tell_warnings(&plan.warnings);
        let restart = files::needs_restart(&self.settings, &plan.settings);
        if !restart.is_empty() {
            tracing::warn!(tables = restart.join(", "), "these changes come into force with a restart");
        }
        if !files::same_lineup(&self.built, &plan.built) {
            self.running.line_up(files::lineup(&plan.built)).await;
        }
        let changed = plan.policy.hash != self.policy;
        self.policy.clone_from(&plan.policy.hash);
        self.running.taken(changed.then_some(plan.policy));
        // The runner ends with the service alone.
        drop(self.probes.send(runner::Command::Replace(plan.probes)).await);
        tracing::info!(gateways = plan.built.len(), policy = self.policy, "the files are in force");
        self.built = plan.built;
        // What waits for a restart is told again until then.
        let Settings { server, store, retention, resolvers, uplinks, dwell, .. } = self.settings.clone();
        self.settings = Settings { server, store, retention, resolvers, uplinks, dwell, ..plan.settings };
    }
}

/// Starts what looks at the gateways and at our own lines.
fn watch_out(
    running: &Running,
    plan: &Plan,
    ways: &Ways,
    seed: u64,
    orders: mpsc::Receiver<runner::Command>,
) -> Vec<AbortHandle> {
    let (findings, mut found) = mpsc::channel(FINDINGS_MAX);
    let runner = Runner::new(plan.probes.clone(), Arc::clone(&ways.context), seed, findings);
    let (rounds, mut round) = mpsc::channel(FINDINGS_MAX);
    let (feed, uplinks) = (running.feed(), running.feed());
    let mut watchers = vec![
        tokio::spawn(runner.run(orders)),
        tokio::spawn(async move {
            while let Some(finding) = found.recv().await {
                feed.probe(finding.report);
            }
        }),
        tokio::spawn(async move {
            while let Some(round) = round.recv().await {
                uplinks.uplink(round);
            }
        }),
    ];
    watchers.extend(plan.settings.uplinks.iter().map(|line| {
        let line = uplink::Uplink::new(line);
        tokio::spawn(uplink::watch(line, Arc::clone(&ways.context), uplink::INTERVAL, rounds.clone()))
    }));
    watchers.iter().map(JoinHandle::abort_handle).collect()
}

/// Hands changes of pace to the probes' runner. Called by the writer, so it never waits.
fn pacer(probes: mpsc::Sender<runner::Command>) -> crate::runtime::Pacer {
    Arc::new(move |gateway: GatewayId, pace: Pace| {
        if probes.try_send(runner::Command::Pace { gateway, pace }).is_err() {
            tracing::warn!(gateway = gateway.0, "the probes take no orders");
        }
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, SiteError> {
    TcpListener::bind(address).await.map_err(|why| SiteError::Listen { address, why })
}

/// Makes the first admin token.
async fn first_token(running: &Running) -> Result<String, SiteError> {
    let (token, hash) = new_token().ok_or(SiteError::NoRandomness)?;
    let made_at = running.clock().now();
    let record = TokenRecord { name: "admin".into(), role: Role::Admin, hash, made_at };
    running.service().change("wasl".into(), Change::Token(record)).await.map_err(SiteError::Token)?;
    Ok(token)
}

fn seed() -> Result<u64, SiteError> {
    let random =
        ring::rand::generate(&ring::rand::SystemRandom::new()).map_err(|_| SiteError::NoRandomness)?;
    Ok(u64::from_le_bytes(random.expose()))
}

fn api_config(settings: &Settings, door: Door) -> ApiConfig {
    ApiConfig {
        hosts: settings.server.allowed_hosts(),
        public_url: Some(settings.server.public_url.clone()).filter(|url| !url.is_empty()),
        open: door == Door::Open,
        metrics_open: settings.server.metrics_open,
        trusted_proxies: settings.server.trusted_proxies.clone(),
        ..ApiConfig::default()
    }
}

fn retention(settings: &settings::Retention) -> Retention {
    let forever = crate::core::time::Span::from_ms(i64::MAX);
    Retention {
        deliveries: settings.deliveries.unwrap_or(forever),
        messages: settings.messages.unwrap_or(forever),
        ..Retention::default()
    }
}

fn tell_warnings(warnings: &Diagnostics) {
    for warning in warnings.sorted() {
        tracing::warn!(file = warning.file(), code = warning.code, "{}", warning.message);
    }
}
