//! A message's way: accepted, sent, receipted, settled; over a failure, over a restart.

use super::house::{
    Does, PATIENCE, Scripted, accept, delivery, ended, flood, gateway, person, start, start_by,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wasl::adapter::HookRequest;
use wasl::api::service::{Change, Trouble};
use wasl::core::channel::Channel;
use wasl::core::message::Status;
use wasl::core::outcome::{DeliveryResult, Outcome, Reason};
use wasl::core::query::{ActsFrom, Answer, DeliveryStory, Query, Role, TokenRecord};
use wasl::core::record::{Loaded, Repeat};
use wasl::core::time::Timestamp;
use wasl::runtime::clock::Source;
use wasl::store::outbox::memory::MemoryOutbox;
use wasl::store::outbox::{CommitError, Outbox, Position, Put, ReadError, Reader, Retained, Retention};

fn taken(story: &DeliveryStory) -> bool {
    story.attempts.iter().any(|a| matches!(a.outcome, Some((Outcome::Accepted { .. }, _))))
}

fn result(story: &DeliveryStory) -> Option<DeliveryResult> {
    story.delivery.as_ref().and_then(|d| d.result).map(|settled| settled.result)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_sent_receipted_and_settled() {
    let sms = Scripted::new([]);
    let running = start(vec![gateway(Channel::Sms, &sms)], MemoryOutbox::new());
    let service = running.service();
    let message = accept(&service, flood(vec![person(&[Channel::Sms])])).await;
    let story = delivery(&service, message, taken).await;
    assert_eq!(sms.texts(), ["غادروا الآن"]);
    let body = format!("p-{}", story.attempts[0].id).into_bytes();
    let request = HookRequest { body, ..HookRequest::default() };
    let answer = service.hook("sms-test", request).await.unwrap().unwrap();
    assert_eq!((answer.status, answer.result), (200, "ok"));
    let story = delivery(&service, message, |story| result(story).is_some()).await;
    assert_eq!(result(&story), Some(DeliveryResult::Delivered));
    let metrics = service.metrics();
    assert!(metrics.contains(r#"wasl_deliveries_settled_total{result="delivered"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"wasl_hooks_total{gateway="sms-test",result="ok"} 1"#), "{metrics}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_moves_on_at_once() {
    let bad = Scripted::new([Does::Reject(Reason::TcpRefused)]);
    let good = Scripted::new([]);
    let lineup = vec![gateway(Channel::Whatsapp, &bad), gateway(Channel::Telegram, &good)];
    let running = start(lineup, MemoryOutbox::new());
    let service = running.service();
    for _ in 0..20 {
        let message = accept(&service, flood(vec![person(&[Channel::Whatsapp, Channel::Telegram])])).await;
        delivery(&service, message, taken).await;
    }
    assert_eq!(good.sent.lock().unwrap().len(), 20);
    let refused = bad.sent.lock().unwrap().len();
    assert!((1..20).contains(&refused), "the odds turn away from it: {refused}");
    running.stop().await.unwrap();
}

/// Thousands of answers come in at once: each must find its attempt, and none may be asked for again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_a_mass_alert_is_heard() {
    const PEOPLE: usize = 5_000;
    let sms = Scripted::new([]);
    let mut wide = gateway(Channel::Sms, &sms);
    wide.config.window = 4_096;
    let running = start(vec![wide], MemoryOutbox::new());
    let service = running.service();
    accept(&service, flood(vec![person(&[Channel::Sms]); PEOPLE])).await;
    let began = std::time::Instant::now();
    let out = |service: &std::sync::Arc<dyn wasl::api::service::Service>| {
        let counts = service.view().deliveries;
        counts.materialising + counts.waiting + counts.in_flight
    };
    while sms.sent.lock().unwrap().len() < PEOPLE || out(&service) > 0 {
        assert!(began.elapsed() < PATIENCE, "{:?}", service.view().deliveries);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let heard =
        format!(r#"wasl_attempts_total{{gateway="sms-test",outcome="accepted",reason="none"}} {PEOPLE}"#);
    let metrics = service.metrics();
    let lines: Vec<_> = metrics.lines().filter(|line| line.starts_with("wasl_attempts_total")).collect();
    assert_eq!(lines, [heard]);
    assert_eq!(sms.sent.lock().unwrap().len(), PEOPLE, "nothing is sent twice");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_an_adapter_is_an_unknown_outcome_and_the_repeat_is_marked() {
    let bad = Scripted::new([Does::Panic]);
    let good = Scripted::new([]);
    let lineup = vec![gateway(Channel::Whatsapp, &bad), gateway(Channel::Telegram, &good)];
    let running = start(lineup, MemoryOutbox::new());
    let service = running.service();
    let message = accept(&service, flood(vec![person(&[Channel::Whatsapp, Channel::Telegram])])).await;
    let story = delivery(&service, message, taken).await;
    if let [first, second] = &story.attempts[..] {
        assert!(matches!(first.outcome, Some((Outcome::Unknown { .. }, _))), "{first:?}");
        assert_eq!(second.repeat, Repeat::AfterUnknown);
    } else {
        assert_eq!(bad.sent.lock().unwrap().len(), 0, "the other one was better ranked: {story:?}");
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_says_so_and_an_address_that_is_missing_ends_it() {
    let sms = Scripted::new([]);
    let running = start(vec![gateway(Channel::Sms, &sms)], MemoryOutbox::new());
    let service = running.service();
    let mut drill = flood(vec![person(&[Channel::Sms])]);
    drill.status = Status::Exercise;
    let message = accept(&service, drill).await;
    delivery(&service, message, taken).await;
    assert_eq!(sms.texts(), ["تمرين – غادروا الآن"]);
    let nobody = accept(&service, flood(vec![person(&[Channel::Email])])).await;
    let progress = ended(&service, nobody).await;
    assert_eq!(progress.settled[DeliveryResult::Failed as usize], 1, "no gateway leads there");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_sent_after_a_restart() {
    let store = MemoryOutbox::new();
    let down = Scripted::new([Does::Reject(Reason::TcpRefused)]);
    let running = start(vec![gateway(Channel::Sms, &down)], store.clone());
    let service = running.service();
    let people = vec![person(&[Channel::Sms]); 30];
    let message = accept(&service, flood(people)).await;
    delivery(&service, message, |story| !story.attempts.is_empty()).await;
    running.stop().await.unwrap();
    let before = down.sent.lock().unwrap().len();

    let up = Scripted::new([]);
    let running = start(vec![gateway(Channel::Sms, &up)], store);
    let service = running.service();
    let began = std::time::Instant::now();
    while up.sent.lock().unwrap().len() < 30 {
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", up.sent.lock().unwrap().len());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(down.sent.lock().unwrap().len(), before, "the old service is at rest");
    running.stop().await.unwrap();
    drop(service);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_what_is_out_and_takes_nothing_new() {
    let sms = Scripted::new([Does::Slow(std::time::Duration::from_millis(700))]);
    let running = start(vec![gateway(Channel::Sms, &sms)], MemoryOutbox::new());
    let service = running.service();
    let message = accept(&service, flood(vec![person(&[Channel::Sms])])).await;
    while sms.sent.lock().unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let stop = tokio::spawn(running.stop());
    let refused = loop {
        match service.accept(flood(vec![person(&[Channel::Sms])])).await {
            Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            Err(trouble) => break trouble,
        }
    };
    assert_eq!(refused, Trouble::Stopping);
    assert!(!service.readiness().ready);
    stop.await.unwrap().unwrap();
    let story = delivery(&service, message, |_| true).await;
    assert!(taken(&story), "its answer was waited for and is on disk: {story:?}");
}

/// An outbox whose disk is as told.
struct Moody {
    inner: MemoryOutbox,
    disk: Arc<Mutex<Option<CommitError>>>,
}

impl Outbox for Moody {
    fn load(&self) -> Result<Loaded, ReadError> {
        self.inner.load()
    }

    fn commit(&mut self, batch: &[Put]) -> Result<Position, CommitError> {
        match self.disk.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => self.inner.commit(batch),
        }
    }

    fn retain(&mut self, keep: &Retention, now: Timestamp, limit: usize) -> Result<Retained, CommitError> {
        self.inner.retain(keep, now, limit)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.inner.reader()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_closes_the_intake_and_the_rest_stays_in_service() {
    let disk = Arc::new(Mutex::new(None));
    let running = start(vec![], Moody { inner: MemoryOutbox::new(), disk: Arc::clone(&disk) });
    let service = running.service();
    assert!(service.readiness().ready);
    *disk.lock().unwrap() = Some(CommitError::Full);
    // It is in the queue before anybody finds the disk full.
    let mut waiting = service.change("amal".into(), Change::Contacts(vec![]));
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("the disk is full"),
        () = std::future::ready(()) => {}
    }
    let until = async |what: &str, holds: &dyn Fn() -> bool| {
        let began = std::time::Instant::now();
        while !holds() {
            assert!(began.elapsed() < PATIENCE, "{what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // What comes before the disk is known to be full waits with the first.
    let refused = async || {
        let change = service.change("basil".into(), Change::Contacts(vec![]));
        tokio::time::timeout(Duration::from_millis(100), change).await == Ok(Err(Trouble::DiskFull))
    };
    let began = std::time::Instant::now();
    while !refused().await {
        assert!(began.elapsed() < PATIENCE, "the intake stays open");
    }
    let readiness = service.readiness();
    assert!(readiness.ready && readiness.healthy, "hooks and pages go on: {readiness:?}");
    *disk.lock().unwrap() = Some(CommitError::Unavailable("EIO".into()));
    until("a store that does not answer is ready", &|| !service.readiness().ready).await;
    *disk.lock().unwrap() = None;
    waiting.await.unwrap();
    until("it works again", &|| service.readiness().ready).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_want_a_name_at_once_one_gets_it_and_the_last_admin_stays() {
    let running = start(vec![], MemoryOutbox::new());
    let service = running.service();
    let token = |name: &str, role, seed: u8, replace| {
        let record = TokenRecord {
            name: name.into(),
            role,
            hash: [seed; 32],
            made_at: Timestamp::from_ms(i64::from(seed)),
        };
        service.change("root".into(), Change::Token { record, replace })
    };
    token("root", Role::Admin, 1, false).await.unwrap();
    let (one, other) =
        tokio::join!(token("desk", Role::Sender, 2, false), token("desk", Role::Viewer, 3, false));
    let won = if one.is_ok() { 2 } else { 3 };
    let refused = one.err().or(other.err()).expect("one of them came second");
    assert!(matches!(&refused, Trouble::Refused(why) if why.contains("--replace")), "{refused:?}");
    assert!(service.token(&[won; 32]).is_some() && service.token(&[5 - won; 32]).is_none());
    let last = token("root", Role::Sender, 4, true).await.unwrap_err();
    assert!(matches!(last, Trouble::Refused(_)), "{last:?}");
    token("second", Role::Admin, 5, false).await.unwrap();
    // Two admins who step down at once: one must stay.
    let (one, other) =
        tokio::join!(token("root", Role::Viewer, 6, true), token("second", Role::Viewer, 7, true));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    token("desk", Role::Approver, 8, true).await.unwrap();
    assert_eq!(service.token(&[won; 32]), None, "the one that was replaced opens nothing");
    assert_eq!(service.token(&[8; 32]), Some(("desk".into(), Role::Approver)));
    running.stop().await.unwrap();
}

/// A clock that stands: two turns at one time.
struct Stopped;

impl Source for Stopped {
    fn steady_micros(&self) -> i64 {
        9_000_000_000
    }

    fn wall_micros(&self) -> i64 {
        1_790_000_000_000_000
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_did_in_one_millisecond_is_two_rows_of_the_audit_record() {
    let running = start_by(Box::new(Stopped), vec![], MemoryOutbox::new());
    let service = running.service();
    for who in ["amal", "basil"] {
        service.change(who.into(), Change::Contacts(vec![])).await.unwrap();
    }
    let query = Query::Acts { from: ActsFrom::Before(None), limit: 10 };
    let acts = service.read(query).await.unwrap();
    let Answer::Acts(links) = acts else { panic!("{acts:?}") };
    assert_eq!(links.iter().map(|link| link.audit.who.as_str()).collect::<Vec<_>>(), ["basil", "amal"]);
    running.stop().await.unwrap();
}
