//! The service from its files: opened, served over HTTP, reloaded, stopped. `wasl run` and the demo use it.
//!
//! Invariant: a reload is all or nothing. While the files are wrong the earlier set stays in force, and the log, a
//! metric and the pages say so.

use crate::api::live::Live;
use crate::api::service::{Change, Service, Trouble};
use crate::api::session::new_token;
use crate::api::{ApiConfig, router};
use crate::core::CoreConfig;
use crate::core::channel::GatewayId;
use crate::core::effect::Pace;
use crate::core::message::SERVICE;
use crate::core::query::{Role, TokenRecord};
use crate::core::time::Timestamp;
use crate::diag::Diagnostics;
use crate::policy::PolicyFiles;
use crate::probe::runner::{self, Runner};
use crate::probe::uplink;
use crate::runtime::clock::{Clock, Os};
use crate::runtime::configuration::Configuration;
use crate::runtime::files;
use crate::runtime::listener;
use crate::runtime::lookout::{Lookout, Watching};
use crate::runtime::notices::{Notifier, beat};
use crate::runtime::places::Places;
use crate::runtime::start::{Parts, Running, StartError, Wasl};
use crate::runtime::writer::Fatal;
use crate::settings::{self, Feeds, Settings};
use crate::store::folder::Folder;
use crate::store::outbox::Retention;
use crate::store::{OpenError, Stores};
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

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
    running: Running,
    configuration: Configuration,
    probes: mpsc::Sender<runner::Command>,
    address: SocketAddr,
    first_token: Option<String>,
    /// What the listener shows of itself, where it has TLS.
    shown: Option<watch::Sender<Arc<ServerConfig>>>,
    /// What the interface knows of alerting systems.
    feeds: Arc<Live<Feeds>>,
    /// Whom notices go to.
    notices: Arc<Live<settings::Notices>>,
    telling: [JoinHandle<()>; 2],
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    lookout: Lookout,
    /// Locked for this process until dropped, so it comes last.
    _folder: Folder,
}

impl Site {
    /// Opens what `config` names, and serves. Call inside a tokio runtime.
    pub async fn open(config: &Path, door: Door) -> Result<Site, SiteError> {
        let (configuration, diags) = Configuration::load(config, &[]);
        let Some(configuration) = configuration else { return Err(SiteError::Files(diags)) };
        tell_warnings(&diags);
        let settings = &configuration.settings;
        let files = files::allow_many();
        let listening = listen(settings.server.listen).await?;
        let address = listening.local_addr().unwrap_or(settings.server.listen);
        let clock = Arc::new(Clock::new(Box::new(Os), Timestamp::default()));
        let stores = Stores::open(&settings.store.path, settings.store.reserve_bytes, clock.now())?;
        if let Some(notice) = &stores.reachability.notice {
            tracing::error!(%notice, "reachability");
        }
        let (probes, orders) = mpsc::channel(ORDERS_MAX);
        let (control_pace, pace) = watch::channel(Pace::Normal);
        let seed = seed()?;
        let running = Wasl::start(Parts {
            core: CoreConfig {
                shard: 0,
                seed,
                dwell: settings.dwell,
                uplinks: settings.uplinks.iter().map(|u| u.name.clone()).collect(),
            },
            lineup: configuration.lineup.clone(),
            policy: configuration.policy.shared(),
            outbox: Box::new(stores.outbox),
            space: Some(stores.space),
            retention: retention(&settings.retention),
            reachability: Some(Arc::new(stores.reachability.reachability)),
            remembered: stores.reachability.cells,
            clock,
            pacer: pacer(probes.clone()),
            control_pace,
        })?;
        let watching = watch_out(&running, &configuration, seed, orders, &pace);
        let lookout = Lookout::start(watching).map_err(StartError::Thread)?;
        let first_token = match door {
            Door::Guarded if !running.has_tokens() => Some(first_token(&running).await?),
            Door::Guarded | Door::Open => None,
        };
        let (stop, stopped) = watch::channel(false);
        let feeds = Arc::new(Live::new(settings.feeds.clone()));
        let notices = Arc::new(Live::new(settings.notices.clone()));
        let config = api_config(settings, door, Arc::clone(&feeds));
        let notifier = Notifier::new(
            running.front(),
            Arc::clone(&notices),
            Arc::clone(&config.board),
            config.zone.clone(),
            settings.server.public_url.clone(),
        );
        let beating = beat(running.front(), Arc::clone(&notices), configuration.net());
        let telling = [tokio::spawn(notifier.run()), tokio::spawn(beating)];
        let app = router(running.service(), config);
        let (shown, shows) = configuration.tls.clone().map(watch::channel).unzip();
        let places = Places::within(files, settings.server.trusted_proxies.clone());
        let serving = tokio::spawn(listener::serve(listening, shows, app, places, stopped));
        let (gateways, policy) = (configuration.lineup.len(), configuration.policy.policy());
        tracing::info!(%address, gateways, policy = policy.hash, "the service is up");
        running.note(
            "start",
            format!("policy {}", policy.hash),
            format!("version {}", env!("CARGO_PKG_VERSION")),
        );
        Ok(Site {
            running,
            configuration,
            probes,
            address,
            first_token,
            shown,
            feeds,
            notices,
            telling,
            stop,
            serving,
            lookout,
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
        &self.configuration.settings
    }

    /// Returns the first admin token, where there was none before.
    pub fn first_token(&self) -> Option<&str> {
        self.first_token.as_deref()
    }

    /// Reads the files again. What is sound comes into force as a whole; else nothing does, and the report says why.
    pub async fn reload(&mut self) -> Result<(), Diagnostics> {
        match self.configuration.load_again(&self.running.gateway_names()) {
            (Some(configuration), diags) => {
                tell_warnings(&diags);
                self.put_to_work(configuration).await;
                Ok(())
            }
            (None, diags) => {
                tracing::error!(
                    errors = diags.errors(),
                    "the files are not sound; the earlier set stays in force"
                );
                // The texts as they are now, sound or not, by the hash that names them everywhere else.
                let files = PolicyFiles::read(
                    &self.configuration.settings.policies_dir(),
                    &mut Diagnostics::default(),
                );
                let reason = format!("{} errors; the earlier set stays in force", diags.errors());
                self.running.note("reload-refused", format!("policy {}", files.hash()), reason);
                self.running.refuse(diags.render_errors());
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
        drop(self.lookout);
        self.telling.iter().for_each(JoinHandle::abort);
        let done = self.running.stop().await;
        // Its answers under way were given by now, or never will be.
        drop(self.serving.await);
        done
    }

    async fn put_to_work(&mut self, new: Configuration) {
        let restart = self.configuration.needs_restart(&new);
        if !restart.is_empty() {
            tracing::warn!(tables = restart.join(", "), "these changes come into force with a restart");
        }
        if let (Some(shown), Some(tls)) = (&self.shown, &new.tls) {
            shown.send_replace(Arc::clone(tls));
            tracing::info!("the certificate was read again, for the connections that come");
        }
        self.feeds.put(new.settings.feeds.clone());
        self.notices.put(new.settings.notices.clone());
        let lineup = (!self.configuration.same_lineup(&new)).then(|| new.lineup.clone());
        let policy = new.policy.shared();
        let changed = policy.hash != self.configuration.policy.policy().hash;
        self.running.put_in_force(lineup, changed.then(|| Arc::clone(&policy))).await;
        // The runner ends with the service alone.
        drop(self.probes.send(runner::Command::Replace(new.probes.clone())).await);
        tracing::info!(gateways = new.lineup.len(), policy = policy.hash, "the files are in force");
        self.running.note("reload", format!("policy {}", policy.hash), String::new());
        self.configuration = self.configuration.followed_by(new);
    }
}

/// Prepares what looks at the gateways and at our own lines.
fn watch_out(
    running: &Running,
    configuration: &Configuration,
    seed: u64,
    orders: mpsc::Receiver<runner::Command>,
    control_pace: &watch::Receiver<Pace>,
) -> Vec<Watching> {
    let context = || Arc::clone(&configuration.probing);
    let (findings, mut found) = mpsc::channel(FINDINGS_MAX);
    let runner = Runner::new(configuration.probes.clone(), context(), seed, findings);
    let (rounds, mut round) = mpsc::channel(FINDINGS_MAX);
    let (feed, uplinks) = (running.feed(), running.feed());
    let mut watching: Vec<Watching> = vec![
        Box::pin(runner.run(orders)),
        Box::pin(async move {
            while let Some(finding) = found.recv().await {
                feed.probe(finding).await;
            }
        }),
        Box::pin(async move {
            while let Some(round) = round.recv().await {
                uplinks.uplink(round).await;
            }
        }),
    ];
    for line in &configuration.settings.uplinks {
        let line = uplink::Uplink::new(line);
        let watch = uplink::watch(line, context(), uplink::INTERVAL, control_pace.clone(), rounds.clone());
        watching.push(Box::pin(watch));
    }
    watching
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
    running
        .service()
        .change(SERVICE.into(), Change::Token { record, replace: false })
        .await
        .map_err(SiteError::Token)?;
    Ok(token)
}

fn seed() -> Result<u64, SiteError> {
    let random =
        ring::rand::generate(&ring::rand::SystemRandom::new()).map_err(|_| SiteError::NoRandomness)?;
    Ok(u64::from_le_bytes(random.expose()))
}

fn api_config(settings: &Settings, door: Door, feeds: Arc<Live<Feeds>>) -> ApiConfig {
    ApiConfig {
        hosts: settings.server.allowed_hosts(),
        public_url: Some(settings.server.public_url.clone()).filter(|url| !url.is_empty()),
        open: door == Door::Open,
        metrics_open: settings.server.metrics_open,
        trusted_proxies: settings.server.trusted_proxies.clone(),
        feeds,
        ..ApiConfig::default()
    }
}

fn retention(settings: &settings::Retention) -> Retention {
    let forever = crate::core::time::Span::from_ms(i64::MAX);
    Retention {
        deliveries: settings.deliveries.unwrap_or(forever),
        messages: settings.messages.unwrap_or(forever),
        audit: settings.audit.unwrap_or(forever),
        ..Retention::default()
    }
}

fn tell_warnings(warnings: &Diagnostics) {
    for warning in warnings.sorted() {
        tracing::warn!(file = warning.file(), code = warning.code, "{}", warning.message);
    }
}
