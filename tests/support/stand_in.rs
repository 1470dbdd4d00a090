//! A stand-in for the runtime: answers the interface from plain fields, and keeps what it was asked to do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::{OwnedMutexGuard, Semaphore};
use wasl::adapter::{HookAnswer, HookRequest};
use wasl::api::ring::EventRing;
use wasl::api::service::{
    Change, Doing, Erasing, Forecasted, PolicyTrouble, Readiness, Service, Share, Trouble,
};
use wasl::api::session;
use wasl::core::audit::{Hash, Head, Link};
use wasl::core::channel::{CHANNELS, Channel, ChannelSet, GatewayId};
use wasl::core::effect::{Event, OverlayAct, Reply};
use wasl::core::evidence::{Layer, Phase, Verdict};
use wasl::core::forecast::{Forecast, Load};
use wasl::core::gateway::Receipts;
use wasl::core::ids::{DeliveryId, MessageId, OutageId};
use wasl::core::input::{Accept, Command};
use wasl::core::message::{Message, Recipient, Severity};
use wasl::core::outcome::Reason;
use wasl::core::query::{ActsFrom, Answer, Contact, DeliveryStory, Query, Role};
use wasl::core::record::{Blame, Outage, OutageOf, Overlay, OverlayKind, Progress};
use wasl::core::time::{Span, Timestamp};
use wasl::core::view::{
    ChannelView, Counts, GatewayView, HelpOf, HelpView, OpenDelivery, ProbeView, State, UplinkView, View,
};

/// The stand-in's clock: 2021-10-04 16:05:07 UTC, which is 19:05:07 in Gaza.
pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_633_363_507_000);

/// The token of each role is its name doubled, so that a test can write it down.
pub(crate) fn token(role: Role) -> String {
    format!("{0}-{0}", role.name())
}

/// Returns an instant before the stand-in's now.
pub(crate) fn ago(secs: i64) -> Timestamp {
    NOW - Span::from_secs(secs)
}

/// Any message's id.
pub(crate) fn message_id() -> MessageId {
    MessageId::new(ago(30), 0, 7)
}

/// The stand-in.
pub(crate) struct StandIn {
    pub(crate) view: Arc<View>,
    pub(crate) events: EventRing,
    pub(crate) trouble: Option<PolicyTrouble>,
    pub(crate) contacts: Vec<Contact>,
    pub(crate) acts: Vec<Link>,
    /// The messages on record, newest first, each with its deliveries.
    pub(crate) messages: Vec<(Arc<Message>, Progress, Vec<DeliveryStory>)>,
    /// What a message or a change is answered with; `None`: accepted.
    pub(crate) refusal: Option<Result<Reply, Trouble>>,
    pub(crate) readiness: Readiness,
    pub(crate) keys: Mutex<BTreeMap<[u8; 16], ([u8; 16], MessageId, u32)>>,
    pub(crate) accepted: Mutex<Vec<Accept>>,
    pub(crate) commands: Mutex<Vec<(String, Command)>>,
    pub(crate) changes: Mutex<Vec<(String, Change)>>,
    pub(crate) hooked: Mutex<Vec<HookRequest>>,
    /// How many readings of an audience have begun; each ends when it finds a permit, where there is a gate.
    pub(crate) audiences_read: AtomicUsize,
    pub(crate) gate: Option<Arc<Semaphore>>,
    /// Whether its clock runs; else it is always [`NOW`].
    pub(crate) running: bool,
    started: Instant,
}

impl StandIn {
    /// Builds one that has a view and nothing else.
    pub(crate) fn new(view: View) -> StandIn {
        StandIn {
            view: Arc::new(view),
            events: EventRing::new(ago(3_600)),
            trouble: None,
            contacts: Vec::new(),
            acts: Vec::new(),
            messages: Vec::new(),
            refusal: None,
            readiness: Readiness { healthy: true, ready: true, why: Vec::new() },
            keys: Mutex::default(),
            accepted: Mutex::default(),
            commands: Mutex::default(),
            changes: Mutex::default(),
            hooked: Mutex::default(),
            audiences_read: AtomicUsize::new(0),
            gate: None,
            running: false,
            started: Instant::now(),
        }
    }

    fn answer(&self, query: &Query) -> Answer {
        let found = |contacts: Vec<Contact>| match contacts.is_empty() {
            true => Answer::Nothing,
            false => Answer::Contacts(contacts),
        };
        match query {
            Query::Contact(id) => found(self.contacts.iter().filter(|c| c.id == *id).cloned().collect()),
            Query::Contacts { .. } => Answer::Contacts(self.contacts.clone()),
            Query::Audience(name) => {
                found(self.contacts.iter().filter(|c| c.person.audiences.contains(name)).cloned().collect())
            }
            Query::Idempotency(key) => match self.keys.lock().unwrap().get(&key.key) {
                Some((body, message, deliveries)) => Answer::Idempotency(*body, *message, *deliveries),
                None => Answer::Nothing,
            },
            Query::Message(_) | Query::Messages { .. } | Query::Deliveries { .. } | Query::Delivery(_) => {
                self.on_record(query)
            }
            Query::Outages { before, limit } => {
                let earlier = |outage: &&Outage| before.is_none_or(|before| outage.id < before);
                Answer::Outages(self.view.outages.iter().filter(earlier).take(*limit).cloned().collect())
            }
            Query::Acts { from: ActsFrom::Before(before), limit } => {
                let older =
                    self.acts.iter().rev().filter(|link| before.is_none_or(|before| link.number < before));
                Answer::Acts(older.take(*limit).cloned().collect())
            }
            _ => Answer::Nothing,
        }
    }

    fn on_record(&self, query: &Query) -> Answer {
        let of = |id: &MessageId| self.messages.iter().find(|(message, ..)| message.id == *id);
        let found = match query {
            Query::Message(id) => of(id).map(|(m, progress, _)| Answer::Message(m.clone(), progress.clone())),
            Query::Messages { before, limit } => {
                let older = self.messages.iter().filter(|(m, ..)| before.is_none_or(|before| m.id < before));
                let pairs = older.map(|(m, progress, _)| (m.clone(), progress.clone()));
                Some(Answer::Messages(pairs.take(*limit).collect()))
            }
            Query::Deliveries { message, after, limit } => of(message).map(|(.., stories)| {
                let later = stories.iter().filter(|story| after.is_none_or(|after| story.id.index > after));
                Answer::Deliveries(later.take(*limit).cloned().collect())
            }),
            Query::Delivery(id) => of(&id.message).map(|(.., stories)| {
                Answer::Deliveries(stories.iter().filter(|story| story.id == *id).cloned().collect())
            }),
            _ => None,
        };
        found.unwrap_or(Answer::Nothing)
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> Doing<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Service for StandIn {
    fn view(&self) -> Arc<View> {
        self.view.clone()
    }

    fn reach(&self) -> Arc<wasl::core::reach::Reach> {
        Arc::default()
    }

    fn now(&self) -> Timestamp {
        if self.running { NOW + Span::from_ms(self.started.elapsed().as_millis() as i64) } else { NOW }
    }

    fn accept(&self, accept: Accept) -> Doing<'_, Result<Reply, Trouble>> {
        if let Some(refusal) = &self.refusal {
            return ready(refusal.clone());
        }
        let (message, deliveries) = (message_id(), accept.recipients.len() as u32);
        if let Some(key) = accept.idempotency {
            self.keys.lock().unwrap().insert(key.key, (key.body, message, deliveries));
        }
        self.accepted.lock().unwrap().push(accept);
        ready(Ok(Reply::Accepted { message, deliveries }))
    }

    fn forecast(&self, accept: Accept) -> Doing<'_, Result<Forecasted, Trouble>> {
        if let Some(refusal) = &self.refusal {
            return ready(refusal.clone().map(Forecasted::Refused));
        }
        let deliveries = accept.recipients.len() as u32;
        let load = Load { first: deliveries, copies: 0 };
        let share = Share {
            step: 0,
            gateway: "sms".into(),
            channel: Channel::Sms,
            load,
            segments: Some(1),
            cost: 0.04,
        };
        let done_in = Some(Span::from_secs(1));
        let forecast = Forecast { deliveries, done_in, ..Forecast::default() };
        ready(Ok(Forecasted::Forecast { forecast, shares: vec![share], cost: 0.04 }))
    }

    fn command(&self, who: String, command: Command) -> Doing<'_, Result<Reply, Trouble>> {
        self.commands.lock().unwrap().push((who, command));
        ready(self.refusal.clone().unwrap_or(Ok(Reply::Done { changed: 1 })))
    }

    fn read(&self, query: Query) -> Doing<'_, Result<Answer, Trouble>> {
        let gate = match query {
            Query::Audience(_) => {
                self.audiences_read.fetch_add(1, Relaxed);
                self.gate.clone()
            }
            _ => None,
        };
        Box::pin(async move {
            if let Some(gate) = gate {
                gate.acquire().await.unwrap().forget();
            }
            Ok(self.answer(&query))
        })
    }

    fn change(&self, who: String, change: Change) -> Doing<'_, Result<(), Trouble>> {
        if let Some(Err(trouble)) = &self.refusal {
            return ready(Err(trouble.clone()));
        }
        self.changes.lock().unwrap().push((who, change));
        ready(Ok(()))
    }

    fn backup(&self) -> Result<tokio::sync::mpsc::Receiver<wasl::api::service::Part>, Trouble> {
        let (parts, taken) = tokio::sync::mpsc::channel(1);
        parts.try_send(Ok(b"WASLEX01".to_vec())).unwrap();
        Ok(taken)
    }

    fn erase(&self, who: String, id: String, reason: String) -> Doing<'_, Result<Option<Erasing>, Trouble>> {
        let known = self.contacts.iter().any(|contact| contact.id == id);
        let change = Change::Act { act: "erase", on: id, reason };
        self.changes.lock().unwrap().push((who, change));
        let done = Erasing { pseudonym: "erased:00".into(), at: NOW, deliveries: 2, replies: 1, calls: 0 };
        ready(Ok(known.then_some(done)))
    }

    fn importing(&self) -> Doing<'_, OwnedMutexGuard<()>> {
        Box::pin(Arc::new(tokio::sync::Mutex::new(())).lock_owned())
    }

    fn erased(&self, id: &str) -> Option<Timestamp> {
        (id == "c-erased").then_some(NOW)
    }

    fn token(&self, hash: &[u8; 32]) -> Option<(String, Role)> {
        let role = Role::ALL.into_iter().find(|role| session::hash(&token(*role)) == *hash)?;
        Some((format!("{}-desk", role.name()), role))
    }

    fn hook(&self, gateway: &str, request: HookRequest) -> Doing<'_, Result<Option<HookAnswer>, Trouble>> {
        let known = self.has_hook(gateway);
        let signed = request.headers.iter().any(|(name, _)| name == "x-signature");
        self.hooked.lock().unwrap().push(request);
        let (status, result) = if signed { (200, "ok") } else { (401, "bad_signature") };
        let answer = || HookAnswer {
            status,
            content_type: "application/json",
            body: format!("{result:?}"),
            receipts: Vec::new(),
            replies: Vec::new(),
            result,
        };
        ready(Ok(known.then(answer)))
    }

    fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    fn policy_trouble(&self) -> Option<PolicyTrouble> {
        self.trouble.clone()
    }

    fn acts_end(&self) -> Head {
        Head { number: 2, hash: Hash([7; 32]) }
    }

    fn metrics(&self) -> String {
        "# TYPE wasl_drill_active gauge\nwasl_drill_active 0\n".into()
    }

    fn opted_out(&self) -> [u64; CHANNELS] {
        std::array::from_fn(|channel| u64::from(channel == Channel::Sms as usize) * 3)
    }

    fn open_channels(&self, person: &Recipient) -> ChannelSet {
        person.channels()
    }

    fn has_hook(&self, gateway: &str) -> bool {
        self.view.gateways.iter().any(|g| g.name == gateway)
    }

    fn next_view(&self, _turn: u64) -> Doing<'_, Arc<View>> {
        Box::pin(std::future::pending())
    }

    fn events(&self) -> &EventRing {
        &self.events
    }
}

/// A view in which nothing is configured and nothing waits.
pub(crate) fn empty() -> View {
    View {
        at: NOW,
        turn: 1,
        policy: "0f3a9c".into(),
        gateways: Vec::new(),
        channels: Vec::new(),
        uplinks: Vec::new(),
        held_all: None,
        deliveries: Counts::default(),
        drill_deliveries: Counts::default(),
        help: HelpView::default(),
        oldest: [None; 5],
        oldest_deliveries: Vec::new(),
        outages: Vec::new(),
        events: Vec::new(),
    }
}

/// One gateway that works.
pub(crate) fn gateway(place: u8, name: &str, channel: Channel) -> GatewayView {
    GatewayView {
        id: GatewayId(place),
        name: name.into(),
        channel,
        configured: true,
        state: State::Up,
        since: ago(7_200),
        health: 0.98,
        needles: [0; 3],
        reason: None,
        overlay: None,
        deferred_until: None,
        probes: vec![probe(Layer::Api, Some(Layer::Api), Verdict::Fine)],
        in_flight: 2,
        unconfirmed: 4,
        receipts: Receipts::Delivered,
        time_out: Span::from_secs(5),
        quotas: Vec::new(),
        failure_domains: vec!["internet".into()],
        history: vec![(ago(7_200), State::Unknown), (ago(7_190), State::Up)],
        canaries: Vec::new(),
    }
}

/// A probe that went through every layer up to the one reached.
pub(crate) fn probe(aims_at: Layer, reached: Option<Layer>, verdict: Verdict) -> ProbeView {
    let through = Layer::ALL.into_iter().filter(|layer| reached.is_some_and(|reached| *layer <= reached));
    ProbeView {
        name: aims_at.name().into(),
        layer: aims_at,
        reached,
        verdict,
        at: ago(4),
        took: Span::from_ms(80),
        phases: through.map(|layer| Phase { layer, micros: 20_000 }).collect(),
        valid: true,
    }
}

/// Gathers the channels of gateways.
pub(crate) fn channels(gateways: &[GatewayView]) -> Vec<ChannelView> {
    let of = |channel: Channel| {
        let all: Vec<_> = gateways.iter().filter(|g| g.channel == channel).collect();
        let state = all.iter().map(|g| g.state).min()?;
        let usable = all.iter().filter(|g| g.overlay.is_none() && g.state != State::Down).count() as u32;
        Some(ChannelView { channel, state, gateways: all.len() as u32, usable })
    };
    Channel::ALL.into_iter().filter_map(of).collect()
}

/// 4 October 2021: WhatsApp's name is gone, Telegram is crowded, Signal and SMS carry, a modem is being mended.
pub(crate) fn meta_is_gone() -> View {
    let mut whatsapp = gateway(0, "whatsapp-main", Channel::Whatsapp);
    whatsapp.state = State::Down;
    whatsapp.since = ago(1_490);
    whatsapp.health = 0.03;
    whatsapp.reason = Some(Reason::DnsServfail);
    whatsapp.probes = vec![probe(Layer::Api, None, Verdict::Failed(Reason::DnsServfail))];
    whatsapp.in_flight = 0;
    whatsapp.unconfirmed = 31;
    whatsapp.history =
        vec![(ago(20_000), State::Up), (ago(1_510), State::Degraded), (ago(1_490), State::Down)];
    let signal = gateway(1, "signal-a", Channel::Signal);
    let mut telegram = gateway(2, "telegram-bot", Channel::Telegram);
    telegram.state = State::Degraded;
    telegram.since = ago(600);
    telegram.health = 0.61;
    telegram.reason = Some(Reason::Throttled);
    telegram.deferred_until = Some(NOW + Span::from_secs(21));
    telegram.probes = vec![probe(Layer::Api, Some(Layer::Api), Verdict::Limited(Reason::Throttled))];
    telegram.history = vec![(ago(20_000), State::Up), (ago(600), State::Degraded)];
    let mut smsc = gateway(3, "sms-smsc", Channel::Sms);
    smsc.health = 0.95;
    smsc.in_flight = 25;
    smsc.quotas = vec![("10000 messages/24h".into(), 0.12)];
    for probe in &mut smsc.probes {
        probe.phases.retain(|phase| !matches!(phase.layer, Layer::Tls | Layer::Http));
    }
    let mut modem = gateway(4, "sms-modem", Channel::Sms);
    modem.receipts = Receipts::None;
    modem.state = State::Unknown;
    modem.probes.clear();
    modem.overlay = Some(Overlay {
        kind: OverlayKind::Maintenance { until: NOW + Span::from_hours(2) },
        who: "ali".into(),
        reason: "new SIM <card>".into(),
        since: ago(900),
    });
    let gateways = vec![whatsapp, signal, telegram, smsc, modem];
    let mut oldest = [None; 5];
    (oldest[0], oldest[1]) = (Some(ago(41)), Some(ago(12)));
    let open = |index, severity, since, gateway, state| OpenDelivery {
        id: DeliveryId::new(message_id(), index),
        message: message_id(),
        severity,
        drill: false,
        since: ago(since),
        deadline: ago(since) + Span::from_secs(if index == 0 { 30 } else { 120 }),
        step: 1,
        gateway,
        state,
    };
    View {
        turn: 48_123,
        channels: channels(&gateways),
        uplinks: vec![UplinkView { name: "fibre".into(), up: true, since: ago(90_000), failed: (1, 3) }],
        deliveries: Counts {
            waiting: 38,
            backing_off: 2,
            in_flight: 27,
            unconfirmed: 44,
            late: 1,
            materialising: 0,
            settled: [12_403, 0, 91, 3, 0, 1, 0],
            messages_open: 4,
        },
        help: HelpView {
            people: 3,
            oldest: Some(NOW - Span::from_secs(190)),
            messages: vec![HelpOf { message: None, people: 3, oldest: NOW - Span::from_secs(190) }],
            exercises: 0,
        },
        oldest,
        oldest_deliveries: vec![
            open(0, Severity::Extreme, 41, Some(GatewayId(3)), "unconfirmed"),
            open(7, Severity::Extreme, 40, Some(GatewayId(1)), "in_flight"),
            open(9, Severity::Severe, 12, None, "waiting"),
        ],
        outages: vec![
            outage(2, OutageOf::Gateway("whatsapp-main".into()), 1_510, 1_490, None),
            outage(1, OutageOf::Uplink("fibre".into()), 90_300, 90_290, Some(90_000)),
        ],
        gateways,
        ..empty()
    }
}

/// An outage so many seconds ago.
pub(crate) fn outage(number: u64, of: OutageOf, onset: i64, detected: i64, recovered: Option<i64>) -> Outage {
    Outage {
        id: OutageId(number),
        of,
        channel: Channel::Whatsapp,
        onset: ago(onset),
        detected: ago(detected),
        recovered: recovered.map(ago),
        cause: Reason::DnsServfail,
        layer: Some(Layer::Dns),
        attempts_failed: 31,
        open: false,
        signs: vec![],
    }
}

/// What happened on that day, as the ring tells it.
pub(crate) fn events_of_the_day(ring: &EventRing) {
    let state = |gateway, from, to, reason, layer| Event::State {
        gateway: GatewayId(gateway),
        from,
        to,
        reason,
        layer,
    };
    let failover = |index, reason| Event::Failover {
        delivery: DeliveryId::new(message_id(), index),
        from: GatewayId(0),
        to: GatewayId(3),
        reason,
        drill: false,
    };
    let push = |secs, event| ring.push(ago(secs), [Arc::new(event)]);
    push(3_600, Event::PolicyInForce { hash: "0f3a9c".into() });
    push(1_510, state(0, State::Up, State::Degraded, Some(Reason::DnsServfail), Some(Layer::Dns)));
    (0..31).for_each(|index| push(1_509, failover(index, Some(Reason::DnsServfail))));
    push(1_490, state(0, State::Degraded, State::Down, Some(Reason::DnsServfail), Some(Layer::Dns)));
    let of = OutageOf::Gateway("whatsapp-main".into());
    let detection = Span::from_secs(20);
    push(
        1_490,
        Event::OutageOpened {
            outage: OutageId(2),
            of,
            cause: Reason::DnsServfail,
            detection,
            blame: Blame::Channel,
        },
    );
    push(
        900,
        Event::Overlay { gateway: Some(GatewayId(4)), act: OverlayAct::Maintenance, who: "ali".into() },
    );
    push(600, state(2, State::Up, State::Degraded, Some(Reason::Throttled), None));
    push(40, failover(31, None));
    let severity = Severity::Extreme;
    push(11, Event::DeadlineMissed { message: message_id(), deliveries: 1, severity, drill: false });
}
