//! The demonstration: the real service, on stores in a temporary folder, against emulated providers that live through
//! a real outage; and at the end a report beside what a fixed order without memory would have done.
//!
//! ```text
//! scenario + seed -> plan -> stream --HTTP--> the service (runtime::site) --real protocols--> stage (emulators)
//!                      |                                                                          ^
//!                      +-> yardstick            report <- the service's record, witnesses         script
//! ```
//! Phase times are compressed; rates, latencies, waits and clocks are real. Everything stays on loopback.
//!
//! Limits: devices that are offline are not acted out, so whoever has an account can be reached; regions of recipients
//! are merged, weighted by their shares; what the service's probes and sends meet is drawn by the emulators, so two
//! runs with one seed have the same plan and similar, not the same, fortunes.

mod chance;
mod files;
mod plan;
mod report;
mod scenario;
mod script;
mod show;
mod stage;
mod stream;
mod witness;
mod yardstick;

pub use plan::{Plan, Wishes};
pub use report::{Detection, Report, Tally};
pub use scenario::{BadScenario, Scenario};
pub use show::{Screen, Style};
pub use yardstick::Yardstick;

use crate::api::service::{Change, Service, Trouble};
use crate::core::channel::Channel;
use crate::core::ids::MessageId;
use crate::core::message::{Severity, Status, Urgency};
use crate::core::policy::{Policy, Subject};
use crate::core::query::{Answer, Query};
use crate::core::time::{Span, Timestamp};
use crate::core::view::{State, View};
use crate::runtime::site::{Door, Site, SiteError};
use files::Files;
use report::Counting;
use show::Moment;
use stage::{Ports, Stage};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use stream::Sent;
use tokio::time::Instant;
use witness::{Mailboxes, Watchman};

/// The channels that are emulated, in the order of `wasl.toml`.
pub(crate) const CHANNELS: [Channel; 5] =
    [Channel::Whatsapp, Channel::Signal, Channel::Telegram, Channel::Sms, Channel::Email];
/// How often the world is looked at.
const TICK: Duration = Duration::from_millis(50);
/// How often the emulators are asked what they took.
const COLLECT: Duration = Duration::from_secs(2);
/// How long the gateways may take to be seen up before it begins.
const WARM_UP: Duration = Duration::from_secs(8);
/// How long what still waits may take after the end; then the report is made of what is.
const WIND_DOWN: Duration = Duration::from_secs(60);
/// How long receipts are waited for once nothing else is left to do.
const LAST_RECEIPTS: Duration = Duration::from_secs(8);
/// How many further ports are tried where one is taken.
const PORTS_MAX: u16 = 50;
/// Contacts in one change, and rows in one answer of the store.
const BATCH: usize = 500;

/// What is shown, and how.
pub struct Options {
    /// The outage.
    pub scenario: Scenario,
    /// What the plan is made of.
    pub wishes: Wishes,
    /// Where the page is; a port that is taken gives way to the next free one. Loopback only.
    pub listen: SocketAddr,
    /// Whether the folder with files and stores is kept.
    pub keep: bool,
}

/// Why the demonstration cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A port or the temporary folder.
    #[error(
        "the demonstration cannot be set up: {0}; see that the temporary folder is writable and has space"
    )]
    Io(#[from] std::io::Error),
    /// The demonstration needs no token, so nobody else may reach it.
    #[error(
        "{0} is not a loopback address; the demonstration asks for no token, so it listens on 127.0.0.1 alone"
    )]
    NotLoopback(SocketAddr),
    /// The service does not start.
    #[error("the service does not start: {0}")]
    Site(SiteError),
    /// The service does not answer.
    #[error("the service does not answer: {0}")]
    Service(#[from] Trouble),
    /// The service stopped by itself.
    #[error("the service stopped: {0}")]
    Fatal(String),
}

/// Gives the demonstration, until its end or until `stop`; the report is of what was until then.
pub async fn run(
    options: Options,
    screen: &mut Screen,
    stop: impl Future<Output = ()>,
) -> Result<Report, DemoError> {
    if !options.listen.ip().is_loopback() {
        return Err(DemoError::NotLoopback(options.listen));
    }
    let Options { scenario, wishes, listen, keep } = options;
    let plan = Arc::new(Plan::new(&scenario, wishes));
    let files = Files::new(keep)?;
    let mut stage = Stage::start(&scenario, plan.seed).await?;
    stage.set(&scenario, plan.window.0);
    files.write(stage.ca_pem(), &plan)?;
    let ports = stage.ports(&scenario);
    let site = open(&files, &ports, listen, screen).await?;
    stage.call_back(site.address());
    announce(screen, &scenario, &plan, &files, &site);
    let deadlines = Deadlines::of(&site);
    let service = site.service();
    for people in plan.people.chunks(BATCH) {
        service.change("demo".into(), Change::Contacts(people.to_vec())).await?;
    }
    warm_up(&service).await;

    let sent = Arc::<Sent>::default();
    let began = Instant::now();
    let sending = tokio::spawn(stream::send_all(Arc::clone(&plan), site.address(), began, Arc::clone(&sent)));
    let mut show = Show {
        scenario: &scenario,
        plan: &plan,
        stage,
        service: Arc::clone(&service),
        mailboxes: Mailboxes::default(),
        watchman: Watchman::default(),
        began,
        began_at: service.now(),
        collected: began,
    };
    let mut stop = pin!(stop);
    let complete = tokio::select! {
        () = show.play(screen) => tokio::select! {
            () = show.wind_down(screen) => true,
            () = &mut stop => true,
        },
        () = &mut stop => false,
    };
    sending.abort();
    let ran = began.elapsed();
    // What is out may still be answered; what is waiting stays so, and is counted so.
    site.stop().await.map_err(|fatal| DemoError::Fatal(fatal.0))?;
    show.mailboxes.collect(show.stage.received());
    show.report(&sent, &deadlines, ran, complete).await
}

/// Opens the service; where the port is taken, on the next free one.
async fn open(
    files: &Files,
    ports: &Ports,
    listen: SocketAddr,
    screen: &mut Screen,
) -> Result<Site, DemoError> {
    let mut at = listen;
    for further in 1..=PORTS_MAX {
        let config = files.write_settings(ports, at)?;
        match Site::open(&config, Door::Open).await {
            Ok(site) => return Ok(site),
            Err(SiteError::Listen { why, .. }) if further < PORTS_MAX && at.port() != 0 => {
                let next = SocketAddr::new(at.ip(), listen.port().checked_add(further).unwrap_or(0));
                screen.say(&format!("{at} cannot be had ({why}); trying {next}"));
                at = next;
            }
            Err(SiteError::Files(diags)) => return Err(DemoError::Fatal(diags.render())),
            Err(other) => return Err(DemoError::Site(other)),
        }
    }
    Err(DemoError::Fatal(format!("no port from {} on is free", listen.port())))
}

fn announce(screen: &mut Screen, scenario: &Scenario, plan: &Plan, files: &Files, site: &Site) {
    screen.say(&format!("{}: {}", scenario.id, scenario.title));
    screen.say(&format!(
        "The files of this demonstration: {} (wasl.toml, policies/, probes/, contacts.csv)",
        files.folder().display()
    ));
    if scenario.takes_devices_offline() {
        screen.say("This history also took devices offline; that is not acted out here, only what the providers did.");
    }
    screen.say(&format!(
        "{} people, {} messages, {:.0} s at {} times history's pace; seed {}, plan {}",
        plan.people.len(),
        plan.messages.len(),
        plan.lasts_s(),
        plan.speed,
        plan.seed,
        plan.hash()
    ));
    screen.say(&format!(
        "The page to watch: http://{}/   (Ctrl-C ends it with the report so far)\n",
        site.address()
    ));
}

/// Waits until every gateway was seen up, so that the start is not taken for the outage.
async fn warm_up(service: &Arc<dyn Service>) {
    let began = Instant::now();
    let is_up = |view: &View| view.gateways.iter().all(|gateway| gateway.state == State::Up);
    while !is_up(&service.view()) && began.elapsed() < WARM_UP {
        tokio::time::sleep(TICK).await;
    }
}

/// The rules' deadlines, by severity.
struct Deadlines(BTreeMap<Severity, Span>);

impl Deadlines {
    /// A rule without a deadline has a day, which nothing here can miss.
    const NONE: Span = Span::from_hours(24);

    fn of(site: &Site) -> Deadlines {
        let settings = site.settings();
        // The service runs by these files, so they are sound.
        let (checked, _) = crate::policy::load(&settings.policies_dir(), &settings.gateway_configs());
        let policy = checked.map_or_else(|| Arc::new(Policy::built_in()), |checked| checked.into_policy());
        let of = |severity: &Severity| {
            let subject = Subject {
                message: MessageId::from_bytes([0; 16]),
                severity: *severity,
                urgency: Urgency::Immediate,
                status: Status::Actual,
                incident: None,
                tags: &BTreeMap::new(),
                language: None,
                region: None,
                sector: None,
                audiences: &[],
            };
            let rule = policy.rules.get(policy.rule_for(&subject));
            (*severity, rule.and_then(|rule| rule.deadline).unwrap_or(Deadlines::NONE))
        };
        Deadlines(Severity::ALL.iter().map(of).collect())
    }

    fn of_severity(&self, severity: Severity) -> Span {
        self.0.get(&severity).copied().unwrap_or(Deadlines::NONE)
    }
}

/// The demonstration as it runs.
struct Show<'a> {
    scenario: &'a Scenario,
    plan: &'a Plan,
    stage: Stage,
    service: Arc<dyn Service>,
    mailboxes: Mailboxes,
    watchman: Watchman,
    began: Instant,
    /// The wall clock when it began.
    began_at: Timestamp,
    collected: Instant,
}

impl Show<'_> {
    /// Reports what came of it, once the service has stopped and the mailboxes are complete.
    async fn report(
        &self,
        sent: &Sent,
        deadlines: &Deadlines,
        ran: Duration,
        complete: bool,
    ) -> Result<Report, DemoError> {
        let Show { scenario, plan, mailboxes, service, .. } = self;
        let secs = ran.as_secs_f64();
        let deadline = |severity| deadlines.of_severity(severity).secs_f64();
        Ok(Report {
            scenario: scenario.id.clone(),
            title: scenario.title.clone(),
            seed: plan.seed,
            plan: plan.hash(),
            speed: plan.speed,
            ran_s: (secs * 10.0).round() / 10.0,
            complete,
            messages: sent.messages.load(Ordering::Relaxed),
            refused: sent.refused.load(Ordering::Relaxed),
            tally: tally(service, mailboxes, deadlines, sent.deliveries.load(Ordering::Relaxed)).await?,
            detection: self.detection(),
            outages: count_outages(service).await?,
            taken: mailboxes.by_channel().into_iter().map(|(c, n)| (c.name().to_owned(), n)).collect(),
            fixed_order: yardstick::play(scenario, plan, secs, deadline),
            fixed_order_is: report::FIXED_ORDER_IS,
        })
    }

    /// Plays the scenario to its end.
    async fn play(&mut self, screen: &mut Screen) {
        let changes = script::changes(self.scenario, self.plan.window.0, self.plan.window.1);
        let mut changes = changes.into_iter().peekable();
        loop {
            let since_start = self.began.elapsed().as_secs_f64();
            while let Some(change) = changes.next_if(|change| self.plan.since_start(*change) <= since_start) {
                self.stage.set(self.scenario, change);
            }
            if since_start >= self.plan.lasts_s() {
                return;
            }
            self.look(screen);
            tokio::time::sleep(TICK).await;
        }
    }

    /// Waits until nothing is left to do, but not for ever.
    async fn wind_down(&mut self, screen: &mut Screen) {
        let (began, mut busy) = (Instant::now(), Instant::now());
        while began.elapsed() < WIND_DOWN {
            let view = self.look(screen);
            let counts = &view.deliveries;
            if counts.open() > counts.unconfirmed {
                busy = Instant::now();
            } else if counts.unconfirmed == 0 || busy.elapsed() >= LAST_RECEIPTS {
                return;
            }
            tokio::time::sleep(TICK).await;
        }
    }

    fn look(&mut self, screen: &mut Screen) -> Arc<View> {
        let view = self.service.view();
        self.watchman.look(&view);
        if self.collected.elapsed() >= COLLECT {
            self.collected = Instant::now();
            self.mailboxes.collect(self.stage.received());
        }
        let since_start = self.began.elapsed().as_secs_f64();
        let scenario_s = self.plan.scenario_s(since_start);
        let phase = match self.scenario.phase_at(scenario_s) {
            Some((_, phase)) if since_start < self.plan.lasts_s() => phase.name.as_str(),
            _ => "the last receipts",
        };
        let clock = time_of_day(self.scenario, scenario_s.min(self.plan.window.1));
        let lasts_s = self.plan.lasts_s();
        screen.show(&Moment { clock, phase, since_start, lasts_s, view: &view });
        view
    }

    /// Says how soon each gateway's trouble was noticed.
    fn detection(&self) -> Vec<Detection> {
        let of = |channel: Channel| {
            let model = self.scenario.model(channel)?;
            let onset = script::onset(self.scenario, model, self.plan.window.0, self.plan.window.1)?;
            let at_ms = self.began_at.ms() + (self.plan.since_start(onset) * 1000.0) as i64;
            let at = Timestamp::from_ms(at_ms);
            let first = |states: &[State], from| self.watchman.first(channel.name(), states, from);
            let after = |then: Option<Timestamp>, from: Timestamp| {
                then.map(|then| Span::from_ms(then.ms() - from.ms()).secs_f64())
            };
            let down = first(&[State::Down], at);
            Some(Detection {
                gateway: channel.name().to_owned(),
                phase: self.scenario.phase_at(onset).map_or("", |(_, phase)| &phase.name).to_owned(),
                onset: time_of_day(self.scenario, onset),
                degraded_s: after(first(&[State::Degraded, State::Down], at), at),
                down_s: after(down, at),
                up_again_s: down.and_then(|down| after(first(&[State::Up], down), down)),
            })
        };
        CHANNELS.into_iter().filter_map(of).collect()
    }
}

/// Returns the time of day in history, UTC.
fn time_of_day(scenario: &Scenario, scenario_s: f64) -> String {
    let began = scenario.t0.to_string().parse::<jiff::Timestamp>().unwrap_or_default();
    let then = began.checked_add(jiff::SignedDuration::from_millis((scenario_s * 1000.0) as i64));
    then.unwrap_or(began).strftime("%H:%M:%S").to_string()
}

/// Goes through the service's record, delivery by delivery.
async fn tally(
    service: &Arc<dyn Service>,
    mailboxes: &Mailboxes,
    deadlines: &Deadlines,
    promised: u64,
) -> Result<Tally, Trouble> {
    let mut counting = Counting::default();
    let mut before = None;
    loop {
        let Answer::Messages(messages) = service.read(Query::Messages { before, limit: BATCH }).await? else {
            break;
        };
        let Some((last, _)) = messages.last() else { break };
        before = Some(last.id);
        for (message, _) in &messages {
            let mut after = None;
            loop {
                let query = Query::Deliveries { message: message.id, after, limit: BATCH };
                let Answer::Deliveries(stories) = service.read(query).await? else { break };
                let Some(last) = stories.last() else { break };
                after = Some(last.id.index);
                for story in &stories {
                    counting.add(message, story, deadlines.of_severity(message.severity), mailboxes);
                }
            }
        }
    }
    Ok(counting.end(promised))
}

async fn count_outages(service: &Arc<dyn Service>) -> Result<u64, Trouble> {
    match service.read(Query::Outages { before: None, limit: BATCH }).await? {
        Answer::Outages(outages) => Ok(outages.len() as u64),
        _ => Ok(0),
    }
}
