//! What people write back, through a whole service: found, counted, shown, honoured.

use super::house::{Scripted, accept, delivery, ended, flood, gateway, person, start};
use std::sync::Arc;
use std::time::Duration;
use wasl::adapter::HookRequest;
use wasl::api::service::{Forecasted, Service};
use wasl::core::channel::Channel;
use wasl::core::ids::MessageId;
use wasl::core::message::{Recipient, Severity};
use wasl::core::outcome::{DeliveryResult, Reason};
use wasl::core::query::{Answer, Query, ReplyScope};
use wasl::core::record::Attempt;
use wasl::core::reply::{Answers, Asks, KeptReply, ReplyKind};
use wasl::store::outbox::memory::MemoryOutbox;

const AMAL: &str = "+970599000001";

/// Says something to a gateway as a recipient would.
async fn say(service: &Arc<dyn Service>, gateway: &str, from: &str, id: &str, words: &str, quoted: &str) {
    let body = format!("reply|{from}|{id}|{words}|{quoted}").into_bytes();
    let request = HookRequest { method: "POST".into(), body, ..HookRequest::default() };
    let answer = service.hook(gateway, request).await.unwrap().unwrap();
    assert_eq!(answer.status, 200);
}

async fn replies(service: &Arc<dyn Service>, scope: ReplyScope, kind: Option<ReplyKind>) -> Vec<KeptReply> {
    match service.read(Query::Replies { scope, kind, before: None, limit: 100 }).await.unwrap() {
        Answer::Replies(replies) => replies,
        other => panic!("{other:?}"),
    }
}

async fn answers(service: &Arc<dyn Service>, message: MessageId) -> Answers {
    match service.read(Query::Message(message)).await.unwrap() {
        Answer::Message(_, progress) => progress.answers,
        other => panic!("{other:?}"),
    }
}

fn of(number: usize) -> Recipient {
    let addresses = [(Channel::Whatsapp, format!("+9705990{number:05}"))].into();
    Recipient { language: Some("ar".into()), addresses, ..Recipient::default() }
}

#[tokio::test]
async fn a_reply_finds_its_message_by_what_it_quotes_or_by_the_newest_to_its_sender() {
    let adapter = Scripted::new([]);
    let running = start(vec![gateway(Channel::Whatsapp, &adapter)], MemoryOutbox::new());
    let service = running.service();
    let asks = Asks::of(Asks::ANSWERS);
    let mut messages = Vec::new();
    for incident in ["flood", "storm"] {
        let people = (0..3_000).map(of).collect();
        let flood = wasl::core::input::Accept { asks, incident: Some(incident.into()), ..flood(people) };
        messages.push(accept(&service, flood).await);
    }
    // What the service itself tells an operator takes no answers away from the alert.
    let notice = wasl::core::input::Accept {
        author: wasl::core::message::SERVICE.into(),
        incident: Some("notice".into()),
        ..flood(vec![of(0)])
    };
    messages.push(accept(&service, notice).await);
    for message in &messages {
        delivery(&service, *message, |story| story.attempts.iter().any(|a| a.outcome.is_some())).await;
    }
    let (first, second) = (messages[0], messages[1]);
    let quoted = format!("p-{first}-0-1");
    say(&service, "whatsapp-test", "+970599000000", "r1", "1", &quoted).await;
    // The provider repeats itself.
    say(&service, "whatsapp-test", "+970599000000", "r1", "1", &quoted).await;
    say(&service, "whatsapp-test", "+970599000000", "r2", "ساعدوني", "").await;
    say(&service, "whatsapp-test", "+970111111111", "r3", "help", "").await;
    let of_first = replies(&service, ReplyScope::Message(first), None).await;
    assert_eq!(of_first.len(), 1, "kept once");
    assert_eq!((of_first[0].kind, of_first[0].quoted), (ReplyKind::Safe, true));
    let of_storm = replies(&service, ReplyScope::Incident("storm".into()), None).await;
    assert_eq!((of_storm.len(), of_storm[0].kind, of_storm[0].quoted), (1, ReplyKind::NeedHelp, false));
    assert_eq!(of_storm[0].of.map(|of| of.delivery.message), Some(second));
    let calls = replies(&service, ReplyScope::All, Some(ReplyKind::NeedHelp)).await;
    assert_eq!(calls.len(), 2, "a stranger's call is kept too");
    assert_eq!(calls[0].of, None);
    assert_eq!(answers(&service, first).await, Answers { safe: 1, ..Answers::default() });
    assert_eq!(answers(&service, second).await, Answers { need_help: 1, ..Answers::default() });
    let story = delivery(&service, first, |story| story.answer.is_some()).await;
    assert_eq!(story.answer.map(|answer| answer.kind), Some(ReplyKind::Safe));
    // The picture follows what is on disk.
    while service.view().help.people < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let help = service.view().help.clone();
    assert_eq!(help.messages.iter().map(|of| of.message).collect::<Vec<_>>(), [Some(second), None]);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_bare_digit_answers_the_newest_message_that_asked_for_it() {
    let adapter = Scripted::new([]);
    let running = start(vec![gateway(Channel::Whatsapp, &adapter)], MemoryOutbox::new());
    let service = running.service();
    let mut messages = Vec::new();
    for (incident, asks) in
        [("flood", Asks::of(Asks::ANSWERS)), ("safe?", Asks::of([ReplyKind::Safe])), ("news", Asks::NOTHING)]
    {
        let flood = wasl::core::input::Accept { asks, incident: Some(incident.into()), ..flood(vec![of(0)]) };
        messages.push(accept(&service, flood).await);
    }
    for message in &messages {
        delivery(&service, *message, |story| story.attempts.iter().any(|a| a.outcome.is_some())).await;
    }
    let from = "+970599000000";
    say(&service, "whatsapp-test", from, "r1", "٢", "").await;
    say(&service, "whatsapp-test", from, "r2", " 1. ", "").await;
    say(&service, "whatsapp-test", from, "r3", "3", "").await;
    let said = replies(&service, ReplyScope::All, None).await;
    let mut found: Vec<_> = said
        .iter()
        .map(|reply| (reply.id.as_str(), reply.incident.as_deref(), reply.kind, reply.quoted))
        .collect();
    found.sort_unstable();
    let expected = [
        ("r1", Some("flood"), ReplyKind::NeedHelp, false),
        ("r2", Some("safe?"), ReplyKind::Safe, false),
        ("r3", Some("news"), ReplyKind::Plain, false),
    ];
    assert_eq!(found, expected);
    // Where none asked, it is the newest message's, and means nothing.
    let alone = accept(&service, flood(vec![of(1)])).await;
    delivery(&service, alone, |story| story.attempts.iter().any(|a| a.outcome.is_some())).await;
    say(&service, "whatsapp-test", "+970599000001", "r4", "2", "").await;
    let said = replies(&service, ReplyScope::Message(alone), None).await;
    assert_eq!(said.iter().map(|reply| reply.kind).collect::<Vec<_>>(), [ReplyKind::Plain]);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn many_answers_at_once_are_each_counted_once() {
    let adapter = Scripted::new([]);
    let running = start(vec![gateway(Channel::Whatsapp, &adapter)], MemoryOutbox::new());
    let service = running.service();
    let flood =
        wasl::core::input::Accept { asks: Asks::of(Asks::ANSWERS), ..flood((0..200).map(of).collect()) };
    let message = accept(&service, flood).await;
    while adapter.sent.lock().unwrap().len() < 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut saying = tokio::task::JoinSet::new();
    for round in 0..2 {
        for n in 0..200 {
            let service = Arc::clone(&service);
            let (from, id) = (format!("+9705990{n:05}"), format!("r-{round}-{n}"));
            saying.spawn(async move {
                say(&service, "whatsapp-test", &from, &id, if n % 2 == 0 { "1" } else { "2" }, "").await;
            });
        }
    }
    while let Some(done) = saying.join_next().await {
        done.unwrap();
    }
    assert_eq!(answers(&service, message).await, Answers { acknowledged: 0, safe: 100, need_help: 100 });
    assert_eq!(ended(&service, message).await.settled[DeliveryResult::Acknowledged as usize], 200);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_channel_that_somebody_ended_is_left_alone_until_it_is_wanted_again() {
    let (wa, sms) = (Scripted::new([]), Scripted::new([]));
    let lineup = || vec![gateway(Channel::Whatsapp, &wa), gateway(Channel::Sms, &sms)];
    let outbox = MemoryOutbox::new();
    let running = start(lineup(), outbox.clone());
    let service = running.service();
    say(&service, "whatsapp-test", AMAL, "r1", "STOP", "").await;
    assert_eq!(service.opted_out()[Channel::Whatsapp as usize], 1);
    running.stop().await.unwrap();

    // Kept over a start.
    let running = start(lineup(), outbox);
    let service = running.service();
    let open: Vec<_> = service.open_channels(&person(&[Channel::Whatsapp, Channel::Sms])).iter().collect();
    assert_eq!(open, [Channel::Sms], "whoever counts roads to this person counts no road there");
    let extreme = wasl::core::input::Accept {
        severity: Severity::Extreme,
        ..flood(vec![person(&[Channel::Whatsapp, Channel::Sms])])
    };
    let message = accept(&service, extreme).await;
    let handed = |a: &Attempt| a.channel == Channel::Sms && a.outcome.is_some();
    delivery(&service, message, |story| story.attempts.iter().any(handed)).await;
    assert!(wa.sent.lock().unwrap().is_empty(), "nothing was handed to the gateway");
    assert_eq!(sms.sent.lock().unwrap().len(), 1, "the other address is used");

    let only = accept(&service, flood(vec![person(&[Channel::Whatsapp])])).await;
    let progress = ended(&service, only).await;
    assert_eq!(progress.settled[DeliveryResult::Failed as usize], 1);
    let story = delivery(&service, only, |story| story.delivery.is_some()).await;
    let end = story.delivery.and_then(|delivery| delivery.result).unwrap();
    assert_eq!(end.reason, Some(Reason::OptedOut), "and the record says why");
    let told = service.forecast(flood(vec![person(&[Channel::Whatsapp])])).await.unwrap();
    let Forecasted::Forecast { forecast, .. } = told else { panic!("{told:?}") };
    assert_eq!(forecast.lost.get(&(DeliveryResult::Failed, Some(Reason::OptedOut))), Some(&1));

    say(&service, "whatsapp-test", AMAL, "r2", "اشتراك", "").await;
    let again = accept(&service, flood(vec![person(&[Channel::Whatsapp])])).await;
    delivery(&service, again, |story| story.attempts.iter().any(|a| a.outcome.is_some())).await;
    assert_eq!(wa.sent.lock().unwrap().len(), 1);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_text_says_by_which_digits_it_is_answered_in_its_language() {
    let sms = Scripted::new([]);
    let running = start(vec![gateway(Channel::Sms, &sms)], MemoryOutbox::new());
    let service = running.service();
    let flood =
        wasl::core::input::Accept { asks: Asks::of(Asks::ANSWERS), ..flood(vec![person(&[Channel::Sms])]) };
    let message = accept(&service, flood).await;
    delivery(&service, message, |story| !story.attempts.is_empty()).await;
    while sms.texts().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(sms.texts(), ["غادروا الآن\nأجب برقم: 1 = أنا بخير، 2 = أحتاج مساعدة"]);
    running.stop().await.unwrap();
}
