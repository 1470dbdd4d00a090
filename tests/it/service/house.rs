//! A service to test: scripted gateways that answer as told and remember what they were given.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wasl::adapter::{Adapter, Answered, Doing, Ear, HookAnswer, HookRequest, Outgoing};
use wasl::api::service::{NO_TICKET, Service};
use wasl::core::CoreConfig;
use wasl::core::channel::Channel;
use wasl::core::effect::{Pace, Reply};
use wasl::core::gateway::{GatewayConfig, Receipts};
use wasl::core::ids::MessageId;
use wasl::core::input::Accept;
use wasl::core::message::{Recipient, Severity, Status, Urgency};
use wasl::core::outcome::{Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use wasl::core::policy::Policy;
use wasl::core::query::{Answer, DeliveryStory, Query};
use wasl::core::record::Progress;
use wasl::core::reply::{Asks, Said};
use wasl::core::time::{Span, Timestamp};
use wasl::runtime::clock::{Clock, Os, Source};
use wasl::runtime::{Gateway, Lineup, Parts, Running, Wasl};
use wasl::store::outbox::{Outbox, Retention};

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a scripted gateway does with an attempt.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    Accept,
    Reject(Reason),
    Panic,
    /// Accept, after this long.
    Slow(Duration),
}

/// A gateway that does as its script says; the last act is repeated.
pub(crate) struct Scripted {
    script: Mutex<VecDeque<Does>>,
    pub(crate) sent: Mutex<Vec<Outgoing>>,
}

impl Scripted {
    pub(crate) fn new(script: impl IntoIterator<Item = Does>) -> Arc<Scripted> {
        Arc::new(Scripted { script: Mutex::new(script.into_iter().collect()), sent: Mutex::default() })
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.sent.lock().unwrap().iter().map(|out| out.text.clone()).collect()
    }

    fn next(&self) -> Does {
        let mut script = self.script.lock().unwrap();
        match script.len() {
            0 => Does::Accept,
            1 => script[0].clone(),
            _ => script.pop_front().unwrap(),
        }
    }
}

impl Adapter for Scripted {
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered> {
        let provider_id = Some(format!("p-{}", outgoing.order.attempt));
        self.sent.lock().unwrap().push(outgoing);
        Box::pin(async move {
            let outcome = match self.next() {
                Does::Accept => Outcome::Accepted { provider_id },
                Does::Reject(reason) => Outcome::Rejected { reason },
                Does::Panic => panic!("as the script says"),
                Does::Slow(time) => {
                    tokio::time::sleep(time).await;
                    Outcome::Accepted { provider_id }
                }
            };
            Answered { outcome, took: Span::from_ms(1) }
        })
    }

    /// The body is a provider's id: it was delivered; or what somebody says: who, its id, the words, what is quoted.
    fn hook(&self, request: &HookRequest) -> HookAnswer {
        let body = String::from_utf8(request.body.clone()).unwrap();
        if let Some(said) = body.strip_prefix("reply|") {
            let [from, id, words, quoted] = said.split('|').collect::<Vec<_>>()[..] else { panic!("{said}") };
            let of = Some(quoted).filter(|id| !id.is_empty()).map(|id| ReceiptRef::Provider(id.into()));
            let said = Said::text(words);
            let reply = wasl::core::reply::Reply { from: from.into(), said, id: id.into(), of, at: None };
            return answer(vec![], vec![reply]);
        }
        let of = ReceiptRef::Provider(body);
        let receipt = Receipt { of, kind: ReceiptKind::Delivered, reason: None, at: None };
        answer(vec![receipt], vec![])
    }

    fn run<'a>(&'a self, ear: &'a dyn Ear) -> Doing<'a, ()> {
        Box::pin(async move {
            ear.link(true, None);
            std::future::pending().await
        })
    }
}

fn answer(receipts: Vec<Receipt>, replies: Vec<wasl::core::reply::Reply>) -> HookAnswer {
    HookAnswer {
        status: 200,
        content_type: "text/plain",
        body: String::new(),
        receipts,
        replies,
        result: "ok",
    }
}

/// A gateway named after its channel.
pub(crate) fn gateway(channel: Channel, adapter: &Arc<Scripted>) -> Gateway {
    let config = GatewayConfig {
        name: format!("{channel}-test"),
        channel,
        failure_domains: vec![],
        rate: None,
        quotas: vec![],
        cost: 0.0,
        receipts: Receipts::Delivered,
        window: 50,
        can_ask: false,
        connect_time_out: Span::from_secs(1),
        canaries: vec![],
    };
    Gateway { config, adapter: adapter.clone(), canaries: Arc::default() }
}

/// Starts a service over these gateways and this store, with the built-in rule alone.
pub(crate) fn start(lineup: Lineup, outbox: impl Outbox + 'static) -> Running {
    start_by(Box::new(Os), lineup, outbox)
}

/// Starts it by another clock.
pub(crate) fn start_by(source: Box<dyn Source>, lineup: Lineup, outbox: impl Outbox + 'static) -> Running {
    let parts = Parts {
        core: CoreConfig { shard: 1, seed: 7, dwell: Span::from_secs(20), uplinks: vec![] },
        lineup,
        policy: Arc::new(Policy::built_in()),
        outbox: Box::new(outbox),
        space: None,
        retention: Retention::default(),
        reachability: None,
        remembered: vec![],
        clock: Arc::new(Clock::new(source, Timestamp::default())),
        pacer: Arc::new(|_, _| {}),
        control_pace: tokio::sync::watch::Sender::new(Pace::Normal),
    };
    Wasl::start(parts).unwrap()
}

/// A person with an address on each of these channels.
pub(crate) fn person(channels: &[Channel]) -> Recipient {
    Recipient {
        language: Some("ar".into()),
        addresses: channels.iter().map(|c| (*c, "+970599000001".to_string())).collect(),
        ..Recipient::default()
    }
}

/// A message for these people.
pub(crate) fn flood(recipients: Vec<Recipient>) -> Accept {
    Accept {
        ticket: NO_TICKET,
        author: "desk".into(),
        severity: Severity::Severe,
        urgency: Urgency::Immediate,
        status: Status::Actual,
        incident: None,
        expires: None,
        text: [("ar", "غادروا الآن"), ("en", "Leave now")].map(|(l, t)| (l.into(), t.into())).into(),
        template: None,
        tags: Default::default(),
        audiences: vec![],
        recipients,
        corrects: None,
        asks: Asks::NOTHING,
        idempotency: None,
    }
}

/// Hands a message over, which must be taken.
pub(crate) async fn accept(service: &Arc<dyn Service>, accept: Accept) -> MessageId {
    match service.accept(accept).await.unwrap() {
        Reply::Accepted { message, .. } => message,
        other => panic!("{other:?}"),
    }
}

/// Waits until the first delivery of a message is as wanted.
pub(crate) async fn delivery(
    service: &Arc<dyn Service>,
    message: MessageId,
    wanted: impl Fn(&DeliveryStory) -> bool,
) -> DeliveryStory {
    let began = std::time::Instant::now();
    loop {
        let query = Query::Deliveries { message, after: None, limit: 1 };
        if let Answer::Deliveries(stories) = service.read(query).await.unwrap() {
            match stories.into_iter().next() {
                Some(story) if wanted(&story) => return story,
                story => assert!(began.elapsed() < PATIENCE, "it stays so: {story:?}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a message has ended.
pub(crate) async fn ended(service: &Arc<dyn Service>, message: MessageId) -> Progress {
    let began = std::time::Instant::now();
    loop {
        match service.read(Query::Message(message)).await.unwrap() {
            Answer::Message(_, progress) if !progress.open => return progress,
            other => assert!(began.elapsed() < PATIENCE, "it stays open: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
