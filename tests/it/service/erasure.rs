//! A person is erased, through a whole service: what is open ends, what is kept is gone to the last byte, and who is imported
//! again stays out.

use super::house::{PATIENCE, Scripted, accept, delivery, ended, flood, gateway, start};
use std::path::Path;
use std::sync::Arc;
use wasl::adapter::HookRequest;
use wasl::api::service::{Change, Service};
use wasl::core::audit::Head;
use wasl::core::channel::{Channel, GatewayId};
use wasl::core::erasure::Erasure;
use wasl::core::ids::{DeliveryId, MessageId};
use wasl::core::input::Command;
use wasl::core::message::Recipient;
use wasl::core::outcome::{DeliveryResult, Outcome, Reason};
use wasl::core::query::{ActsFrom, Answer, Contact, Query, ReplyScope};
use wasl::store::chain::{self, verify::Verifier};
use wasl::store::outbox::redb::RedbOutbox;
use wasl::store::outbox::{Outbox, Put};

const AMAL: &str = "+970599876501";
const SAID: &str = "+970599876502";

fn contact(id: &str, name: &str, sms: &str) -> Contact {
    let person = Recipient {
        contact: None,
        language: Some("ar".into()),
        audiences: vec!["east".into()],
        addresses: [(Channel::Sms, sms.to_owned())].into(),
        ..Recipient::default()
    };
    Contact { id: id.into(), name: name.into(), person, ..Contact::default() }
}

fn recipient(contact: &Contact) -> Recipient {
    Recipient { contact: Some(contact.id.clone()), ..contact.person.clone() }
}

async fn say(service: &Arc<dyn Service>, id: &str, words: &str) {
    let body = format!("reply|{AMAL}|{id}|{words}|").into_bytes();
    let request = HookRequest { method: "POST".into(), body, ..HookRequest::default() };
    assert_eq!(service.hook("sms-test", request).await.unwrap().unwrap().status, 200);
}

/// Says whether any file of a folder holds these bytes.
fn holds(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).any(|path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

async fn said(service: &Arc<dyn Service>) -> usize {
    let asked = Query::Replies { scope: ReplyScope::All, kind: None, before: None, limit: 100 };
    match service.read(asked).await.unwrap() {
        Answer::Replies(replies) => replies.len(),
        other => panic!("{other:?}"),
    }
}

/// Waits until so many people call for help.
async fn calling(service: &Arc<dyn Service>, people: u32) {
    let began = std::time::Instant::now();
    while service.view().help.people != people {
        assert!(began.elapsed() < PATIENCE, "{people} should call: {:?}", service.view().help);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn cancelled(story: &wasl::core::query::DeliveryStory) -> bool {
    story
        .delivery
        .as_ref()
        .and_then(|delivery| delivery.result)
        .is_some_and(|end| (end.result, end.reason) == (DeliveryResult::Cancelled, Some(Reason::Erased)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_erased_is_gone_to_the_last_byte_and_the_record_says_who_did_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.redb");
    let adapter = Scripted::new([]);
    let lineup = || vec![gateway(Channel::Sms, &adapter)];
    let running = start(lineup(), RedbOutbox::open(&path).unwrap());
    let service = running.service();
    let said_a = Contact { deputy: Some("c-17".into()), ..contact("c-18", "Said Keptname", SAID) };
    let amal = contact("c-17", "Amal Plantedname", AMAL);
    service.change("desk".into(), Change::Contacts(vec![amal.clone(), said_a.clone()])).await.unwrap();
    let by_hand = Recipient { contact: None, ..recipient(&amal) };
    let first = accept(&service, flood(vec![recipient(&amal), recipient(&said_a)])).await;
    let second = accept(&service, flood(vec![by_hand])).await;
    let taken = |story: &wasl::core::query::DeliveryStory| story.attempts.iter().any(|a| a.outcome.is_some());
    delivery(&service, first, taken).await;
    delivery(&service, second, taken).await;
    say(&service, "r-1", "plantedwords of mine").await;
    say(&service, "r-2", "STOP").await;
    say(&service, "r-3", "help").await;
    assert_eq!((said(&service).await, service.opted_out()[Channel::Sms as usize]), (3, 1));
    calling(&service, 1).await;
    let hold = Command::Hold { gateway: Some(GatewayId(0)), reason: "billing".into() };
    service.command("desk".into(), hold).await.unwrap();
    let waiting = accept(&service, flood(vec![recipient(&amal)])).await;
    let stays = accept(&service, flood(vec![recipient(&said_a)])).await;

    assert_eq!(service.erase("amal-desk".into(), "c-99".into(), "x".into()).await, Ok(None));
    let reason = format!("asked for it from {AMAL}");
    let done = service.erase("amal-desk".into(), "c-17".into(), reason).await.unwrap().unwrap();
    assert_eq!((done.deliveries, done.replies, done.calls), (3, 3, 1), "{done:?}");
    calling(&service, 0).await;
    assert!(done.pseudonym.starts_with("erased:") && service.erased("c-17").is_some());
    delivery(&service, waiting, cancelled).await;
    assert!(!ended(&service, waiting).await.open);
    let story = delivery(&service, first, |story| story.recipient.is_erased()).await;
    assert_eq!(story.recipient.contact, Some(done.pseudonym.clone()));
    assert!(
        story.attempts.iter().all(|attempt| {
            !matches!(&attempt.outcome, Some((Outcome::Accepted { provider_id: Some(_) }, _)))
        }),
        "a provider's name may hold a number"
    );
    let Answer::Deliveries(others) = service.read(Query::Delivery(DeliveryId::new(first, 1))).await.unwrap()
    else {
        panic!("the other is there")
    };
    assert_eq!(others[0].recipient, recipient(&said_a), "nobody else is touched");
    assert_eq!(said(&service).await, 0);
    assert!(matches!(service.read(Query::Contact("c-17".into())).await.unwrap(), Answer::Nothing));
    let Answer::Contacts(east) = service.read(Query::Audience("east".into())).await.unwrap() else {
        panic!("an audience")
    };
    assert_eq!(east.iter().map(|contact| contact.id.as_str()).collect::<Vec<_>>(), ["c-18"]);
    assert_eq!(service.opted_out()[Channel::Sms as usize], 1, "who wants nothing more is left in peace");
    // Whoever was interrupted asks again.
    let again = service.erase("amal-desk".into(), "c-17".into(), "again".into()).await.unwrap().unwrap();
    assert_eq!((again.pseudonym, again.deliveries), (done.pseudonym.clone(), 0));
    drop(service);
    running.stop().await.unwrap();

    // The next start writes the files anew.
    drop(RedbOutbox::open(&path).unwrap());
    for gone in [AMAL, "Plantedname", "plantedwords", "c-17"] {
        assert!(!holds(folder.path(), gone), "{gone} is still there");
    }
    for kept in [SAID, "Keptname", done.pseudonym.as_str()] {
        assert!(holds(folder.path(), kept), "{kept} is gone");
    }
    let running = start(lineup(), RedbOutbox::open(&path).unwrap());
    let service = running.service();
    assert!(service.erased("c-17").is_some() && service.erased("c-18").is_none());
    assert_eq!(service.opted_out()[Channel::Sms as usize], 1);
    check_record(&service, &done.pseudonym).await;
    let release = Command::Release { gateway: Some(GatewayId(0)), reason: "paid".into() };
    service.command("desk".into(), release).await.unwrap();
    delivery(&service, stays, taken).await;
    let sent = adapter.sent.lock().unwrap().iter().filter(|out| out.address == AMAL).count();
    assert_eq!(sent, 2, "nothing more went to somebody who was erased");
    running.stop().await.unwrap();
}

/// The chain holds, and says who erased whom, why, and no name or number.
async fn check_record(service: &Arc<dyn Service>, pseudonym: &str) {
    let asked = Query::Acts { from: ActsFrom::After(0), limit: 100 };
    let Answer::Acts(acts) = service.read(asked).await.unwrap() else { panic!("acts") };
    let Answer::ChainEnds(anchor, _) = service.read(Query::ChainEnds).await.unwrap() else { panic!("ends") };
    let mut verifier = Verifier::begin(anchor, None).unwrap();
    for link in &acts {
        verifier.take(link.number, link.prev, link.hash, chain::hashed(link).as_bytes()).unwrap();
    }
    let last = acts.last().unwrap();
    verifier.end(Head { number: last.number, hash: last.hash }).unwrap();
    let erased: Vec<_> = acts.iter().map(|link| &link.audit).filter(|act| act.act == "erase").collect();
    assert_eq!(erased.len(), 2, "one act each");
    assert_eq!((erased[0].who.as_str(), erased[0].on.as_str()), ("amal-desk", pseudonym));
    assert_eq!(erased[0].reason, "asked for it from …");
    let closed: Vec<_> = acts.iter().map(|link| &link.audit).filter(|act| act.act == "close_help").collect();
    assert_eq!((closed.len(), closed[0].on.as_str()), (1, pseudonym), "a call for help ends with a word");
    assert!(acts.iter().all(|link| !format!("{:?}", link.audit).contains("c-17")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_under_way_brings_nobody_back_who_is_erased_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = Scripted::new([]);
    let outbox = RedbOutbox::open(&folder.path().join("outbox.redb")).unwrap();
    let running = start(vec![gateway(Channel::Sms, &adapter)], outbox);
    let service = running.service();
    let amal = contact("c-17", "Amal", AMAL);
    service.change("desk".into(), Change::Contacts(vec![amal.clone()])).await.unwrap();
    // The import has looked, and nobody was erased yet.
    let importing = service.importing().await;
    assert!(service.erased("c-17").is_none());
    let eraser = Arc::clone(&service);
    let mut erasing =
        tokio::spawn(async move { eraser.erase("amal-desk".into(), "c-17".into(), "asked".into()).await });
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), &mut erasing).await;
    assert!(early.is_err() && service.erased("c-17").is_none(), "the contact goes after the import");
    service.change("desk".into(), Change::Contacts(vec![amal])).await.unwrap();
    drop(importing);
    assert!(erasing.await.unwrap().unwrap().is_some());
    assert!(matches!(service.read(Query::Contact("c-17".into())).await.unwrap(), Answer::Nothing));
    drop(service);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_somebody_who_was_erased_before_a_start_ends_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.redb");
    let adapter = Scripted::new([]);
    let lineup = || vec![gateway(Channel::Sms, &adapter)];
    let running = start(lineup(), RedbOutbox::open(&path).unwrap());
    let held = || Some(GatewayId(0));
    let hold = Command::Hold { gateway: held(), reason: "billing".into() };
    running.service().command("desk".into(), hold).await.unwrap();
    let people = [contact("c-1", "Amal", AMAL), contact("c-2", "Said", SAID)];
    let message: MessageId = accept(&running.service(), flood(people.iter().map(recipient).collect())).await;
    running.stop().await.unwrap();
    let mut outbox = RedbOutbox::open(&path).unwrap();
    let erasure = Erasure {
        contact: Some("c-1".into()),
        pseudonym: "erased:01".into(),
        deliveries: vec![DeliveryId::new(message, 0)],
        ..Erasure::default()
    };
    outbox.commit(&[Put::Erase(Box::new(erasure))]).unwrap();
    drop(outbox);
    let running = start(lineup(), RedbOutbox::open(&path).unwrap());
    let service = running.service();
    delivery(&service, message, cancelled).await;
    let release = Command::Release { gateway: held(), reason: "paid".into() };
    service.command("desk".into(), release).await.unwrap();
    let began = std::time::Instant::now();
    while adapter.sent.lock().unwrap().is_empty() {
        assert!(began.elapsed() < PATIENCE, "the other is sent");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(adapter.sent.lock().unwrap()[0].address, SAID);
    running.stop().await.unwrap();
}
