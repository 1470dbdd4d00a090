//! What an answer settles, what it leaves as it is, and who is told of a call for help.

use super::{START, World, person, policy, step, two_steps};
use crate::core::channel::Channel;
use crate::core::effect::{Alarm, Effect, Event, Order};
use crate::core::ids::{DeliveryId, MessageId};
use crate::core::input::{Answered, Input, Spoken};
use crate::core::message::{Message, Severity, Status, Urgency};
use crate::core::outcome::{DeliveryResult, ReceiptKind};
use crate::core::policy::{Confirm, SendMode};
use crate::core::record::{Loaded, Progress, Raised, Record};
use crate::core::reply::{Answers, Asks, Caller, HELP_FOR, HelpCall, Reply, ReplyKind, Said};
use crate::core::time::Span;
use std::sync::Arc;

/// What the desk would find of an order's message.
fn of(order: &Order, before: Option<ReplyKind>) -> Answered {
    let id = order.attempt.delivery.message;
    let message = Message {
        id,
        author: "duty".into(),
        accepted_at: START,
        severity: Severity::Severe,
        urgency: Urgency::Immediate,
        status: Status::Actual,
        incident: Some("flood".into()),
        expires: None,
        text: Default::default(),
        template: None,
        tags: Default::default(),
        recipients: 3,
        audiences: vec![],
        corrects: None,
        asks: Asks::of(Asks::ANSWERS),
    };
    Answered {
        attempt: order.attempt,
        quoted: true,
        message: Arc::new(message),
        progress: Progress { open: false, ..Progress::untouched(id) },
        rule: Some("test".into()),
        before,
    }
}

impl World {
    fn say(&mut self, order: &Order, words: &str, before: Option<ReplyKind>) {
        let of = Some(of(order, before));
        self.hear(order, words, of);
    }

    fn hear(&mut self, order: &Order, words: &str, of: Option<Answered>) {
        let id = format!("r-{}", self.records.len());
        let reply = Reply { from: "+970599000001".into(), said: Said::text(words), id, of: None, at: None };
        self.input(Input::Reply(Box::new(Spoken { gateway: order.gateway, reply, sender: [7; 16], of })));
    }

    fn answers(&self, message: MessageId) -> Answers {
        let of = |record: &Record| match record {
            Record::Progress(progress) if progress.message == message => Some(progress.answers),
            _ => None,
        };
        self.records.iter().rev().find_map(of).unwrap_or_default()
    }

    fn calls(&self) -> Vec<(u32, u32)> {
        let of = |event: &Event| match event {
            Event::NeedHelp { people, fresh, drill: false, .. } => Some((*people, *fresh)),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }
}

fn confirmed_by(confirm: Confirm) -> Arc<crate::core::policy::Policy> {
    policy(vec![step(&[Channel::Whatsapp], SendMode::Best, 600)], |rule| {
        rule.confirm = confirm;
        rule.escalate = vec!["officer".into()];
    })
}

#[test]
fn an_answer_settles_what_waits_for_it() {
    for (confirm, words) in
        [(Confirm::Acknowledged, "تم"), (Confirm::Delivered, "1"), (Confirm::Acknowledged, "help")]
    {
        let mut w = World::pair(confirmed_by(confirm));
        let message = w.accept(Severity::Severe, 1);
        let order = w.only_order();
        w.take(&order);
        w.say(&order, "what is this?", None);
        assert!(w.results().is_empty(), "a plain reply settles nothing");
        w.say(&order, words, None);
        assert_eq!(w.results(), [DeliveryResult::Acknowledged], "{words}");
        assert_eq!(w.answers(message).all(), 1);
        let replies = w.records.iter().filter(|r| matches!(r, Record::Reply(_))).count();
        assert_eq!(replies, 2, "each word is kept");
    }
}

#[test]
fn an_answer_to_what_has_settled_is_on_record_and_settles_nothing_again() {
    let mut w = World::pair(confirmed_by(Confirm::Delivered));
    let message = w.accept(Severity::Severe, 1);
    let order = w.only_order();
    w.take(&order);
    w.receipt(&order, ReceiptKind::Delivered);
    assert_eq!(w.results(), [DeliveryResult::Delivered]);
    w.say(&order, "أنا بخير", None);
    assert_eq!(w.results(), [DeliveryResult::Delivered]);
    let said =
        w.records.iter().filter(|r| matches!(r, Record::Receipt { kind: ReceiptKind::Acknowledged, .. }));
    assert_eq!(said.count(), 1);
    assert_eq!(w.answers(message), Answers { safe: 1, ..Answers::default() });
    // What was settled stays counted.
    let kept = w.records.iter().rev().find_map(|r| if let Record::Progress(p) = r { Some(p) } else { None });
    assert_eq!(kept.map(|p| (p.open, p.settled)), Some((false, [1, 0, 0, 0, 0, 0, 0])));
}

#[test]
fn the_last_answer_counts_and_received_takes_nothing_back() {
    let mut w = World::pair(confirmed_by(Confirm::Acknowledged));
    let message = w.accept(Severity::Severe, 1);
    let order = w.only_order();
    w.take(&order);
    w.say(&order, "ok", None);
    assert_eq!(w.answers(message), Answers { acknowledged: 1, ..Answers::default() });
    w.say(&order, "help", Some(ReplyKind::Acknowledged));
    assert_eq!(w.answers(message), Answers { need_help: 1, ..Answers::default() });
    w.say(&order, "ok", Some(ReplyKind::NeedHelp));
    assert_eq!(w.answers(message), Answers { need_help: 1, ..Answers::default() });
    assert_eq!(w.core.view(w.now).help.people, 1);
    w.say(&order, "safe", Some(ReplyKind::NeedHelp));
    assert_eq!(w.answers(message), Answers { safe: 1, ..Answers::default() });
    assert_eq!(w.core.view(w.now).help.people, 0, "the call is over");
}

#[test]
fn a_call_for_help_is_told_at_once_and_those_that_follow_together() {
    let mut w = World::pair(confirmed_by(Confirm::Acknowledged));
    w.accept(Severity::Severe, 4);
    let orders = std::mem::take(&mut w.orders);
    orders.iter().for_each(|order| w.take(order));
    w.say(&orders[0], "help", None);
    w.say(&orders[0], "help!!", Some(ReplyKind::NeedHelp));
    assert_eq!(w.calls(), [(1, 1)], "one person, once");
    w.say(&orders[1], "ساعدوني", None);
    w.say(&orders[2], "2", None);
    assert_eq!(w.calls(), [(1, 1)]);
    w.pass(Span::from_secs(61));
    assert_eq!(w.calls(), [(1, 1), (3, 2)]);
    let told = w.told.iter().filter_map(|effect| match effect {
        Effect::Escalate { contacts, alarm: Alarm::Help { people, .. }, .. } => {
            Some((contacts[0].as_str(), *people))
        }
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [("officer", 1), ("officer", 3)]);
    w.pass(HELP_FOR);
    assert_eq!(w.core.view(w.now).help.people, 0, "what is old is found among the replies");
}

#[test]
fn calls_that_were_taken_back_before_they_were_told_are_not_told() {
    let mut w = World::pair(confirmed_by(Confirm::Acknowledged));
    w.accept(Severity::Severe, 3);
    let orders = std::mem::take(&mut w.orders);
    orders.iter().for_each(|order| w.take(order));
    w.say(&orders[0], "help", None);
    w.say(&orders[0], "safe", Some(ReplyKind::NeedHelp));
    w.say(&orders[1], "help", None);
    w.say(&orders[1], "safe", Some(ReplyKind::NeedHelp));
    w.pass(Span::from_secs(61));
    assert_eq!(w.calls(), [(1, 1)], "nobody needs help");
    w.say(&orders[2], "help", None);
    assert_eq!(w.calls(), [(1, 1), (1, 1)], "and the next is told at once");
}

#[test]
fn what_was_called_shortly_before_a_start_is_told_again_under_the_same_name() {
    let mut w = World::pair(confirmed_by(Confirm::Acknowledged));
    w.accept(Severity::Severe, 3);
    let orders = std::mem::take(&mut w.orders);
    orders.iter().for_each(|order| w.take(order));
    orders[..2].iter().for_each(|order| w.say(order, "help", None));
    w.pass(Span::from_secs(61));
    let told = |w: &World| w.told.last().cloned().expect("the contacts are told");
    let before = told(&w);
    // Whether that left before the service stopped is not known to the next one.
    let calls = w.core.view(w.now).help.messages[0];
    assert_eq!(calls.people, 2);
    let restarted = |later: Span| {
        let mut after = World::pair(confirmed_by(Confirm::Acknowledged));
        let who = |order: &Order| Caller::Of(order.attempt.delivery);
        let help: Vec<_> = orders[..2]
            .iter()
            .map(|order| HelpCall { since: calls.oldest, who: who(order), drill: false })
            .collect();
        let raised = Raised { severity: Severity::Severe, status: Status::Actual, rule: "test".into() };
        let raised = [(orders[0].attempt.delivery.message, raised)].into();
        after.now = w.now + later;
        after.core.load(Loaded { help, raised, ..Loaded::default() }, after.now);
        after.turn();
        after
    };
    let after = restarted(Span::from_mins(5));
    assert_eq!((after.calls(), after.told.len()), (vec![(2, 2)], 1));
    let newest = |effect: &Effect| match effect {
        Effect::Escalate { alarm: Alarm::Help { newest, .. }, contacts, rule, .. } => {
            (*newest, contacts.clone(), rule.clone())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(newest(&told(&after)), newest(&before), "so that nobody hears it twice");
    let after = restarted(Span::from_hours(13));
    assert!(after.calls().is_empty() && after.told.is_empty(), "what is old is no news");
    assert_eq!(after.core.view(after.now).help.people, 2);
}

#[test]
fn a_strangers_call_is_raised_and_kept() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    let order = w.only_order();
    w.hear(&order, "SOS", None);
    assert_eq!(w.calls(), [(1, 1)]);
    let help = w.core.view(w.now).help;
    assert_eq!((help.people, help.messages[0].message), (1, None));
    assert!(w.told.is_empty(), "no rule is known, so the page and the events tell of it");
    w.hear(&order, "I'm safe", None);
    assert_eq!(w.core.view(w.now).help.people, 0);
}

#[test]
fn who_wants_silence_is_noted_and_on_the_audit_record_without_an_address() {
    let mut w = World::pair(two_steps());
    w.accept(Severity::Severe, 1);
    let order = w.only_order();
    w.say(&order, "STOP", None);
    let out = |since| Record::OptOut { channel: Channel::Whatsapp, address: [7; 16], since };
    assert!(w.records.contains(&out(Some(w.now))));
    let act = w.notes.last().map(|act| (act.act.as_str(), act.on.as_str(), act.reason.as_str()));
    assert_eq!(act, Some(("opt_out", "whatsapp", "")));
    w.say(&order, "اشتراك", None);
    assert!(w.records.contains(&out(None)));
    assert!(w.results().is_empty(), "neither says that anything was read");
}

#[test]
fn many_callers_of_many_messages_stay_within_the_limits() {
    let mut w = World::pair(confirmed_by(Confirm::Acknowledged));
    w.accept_for(Severity::Severe, vec![person("ar")], None);
    let order = w.only_order();
    for n in 0..1_200u64 {
        let mut of = of(&order, None);
        of.attempt.delivery = DeliveryId::new(MessageId::new(START, 9, n), 0);
        w.core.handle(
            Input::Reply(Box::new(Spoken {
                gateway: order.gateway,
                reply: Reply {
                    from: "x".into(),
                    said: Said::text("help"),
                    id: n.to_string(),
                    of: None,
                    at: None,
                },
                sender: [0; 16],
                of: Some(of),
            })),
            w.now,
        );
    }
    w.turn();
    assert_eq!(w.calls().len(), 1_200, "each message is told of");
    let help = w.core.view(w.now).help;
    assert_eq!((help.people, help.messages.len()), (1_200, 20));
}

#[test]
fn a_call_that_answers_an_exercise_is_told_as_one_and_counted_apart() {
    let mut w = World::pair(confirmed_by(Confirm::Acknowledged));
    w.accept(Severity::Severe, 2);
    let orders = std::mem::take(&mut w.orders);
    orders.iter().for_each(|order| w.take(order));
    let played = |order: &Order| {
        let mut of = of(order, None);
        Arc::make_mut(&mut of.message).status = Status::Exercise;
        of
    };
    let shown = |w: &World| {
        let help = w.core.view(w.now).help;
        (help.people, help.messages.len(), help.exercises)
    };
    w.hear(&orders[0], "help", Some(played(&orders[0])));
    assert_eq!((shown(&w), w.calls()), ((0, 0, 1), vec![]), "nobody needs help");
    let is_told = |event: &&Event| matches!(event, Event::NeedHelp { people: 1, fresh: 1, drill: true, .. });
    assert_eq!(w.events.iter().filter(is_told).count(), 1, "and whoever leads the exercise hears of it");
    // A stranger's call is meant, and a played "safe" takes it back as little as it stands for it.
    w.hear(&orders[1], "SOS", None);
    assert_eq!(shown(&w), (1, 1, 1));
    w.hear(&orders[0], "I'm safe", Some(played(&orders[0])));
    assert_eq!(shown(&w), (1, 1, 0));
    let who = Caller::Of(orders[1].attempt.delivery);
    let help = vec![HelpCall { since: w.now, who, drill: true }];
    let mut again = World::pair(two_steps());
    again.core.load(Loaded { help, ..Loaded::default() }, w.now);
    assert_eq!(shown(&again), (0, 0, 1), "also after a start");
    // Whoever is erased needs no help that anybody could bring; those of exercises are no news.
    let erase = |calls| Input::Erase { pseudonym: "p-1".into(), deliveries: vec![], calls };
    let closed = |world: &World| {
        let of = |event: &Event| matches!(event, Event::HelpErased { calls: 1, .. });
        world.events.iter().filter(|event| of(event)).count()
    };
    again.input(erase(vec![who]));
    assert_eq!((shown(&again), closed(&again)), ((0, 0, 0), 0));
    let stranger = w.records.iter().find_map(|record| match record {
        Record::Reply(kept) if kept.of.is_none() => Some(kept.caller()),
        _ => None,
    });
    let stranger = stranger.expect("the reply is kept");
    w.input(erase(vec![stranger, stranger]));
    assert_eq!((shown(&w), closed(&w)), ((0, 0, 0), 1), "one call, named twice");
}
