use super::*;
use crate::adapter::segments::Alphabet;
use crate::adapter::sms_smpp::link::Standing;
use crate::adapter::sms_smpp::parts::Parts;
use crate::adapter::sms_smpp::pdu::tests::{by_the_other, from_the_other};
use crate::adapter::sms_smpp::pdu::{Address, Content};
use crate::core::ids::{DeliveryId, MessageId};
use crate::diag::Secret;
use rusmpp::pdus::{BindTransceiverResp, DeliverSm, SubmitSmResp};
use rusmpp::types::OctetString;
use rusmpp::values::EsmClass;
use rusmpp::{CommandId, Pdu};
use std::sync::Mutex;
use tokio::sync::oneshot::error::TryRecvError;

fn shared(window: usize) -> Shared {
    Shared {
        gateway: "sms-a".into(),
        window,
        dialect: dlr::Dialect::default(),
        vendor: VendorCodes::new(),
        parts: Mutex::new(Parts::default()),
        standing: Standing::new(&[Role::Transceiver]),
        alphabet: Alphabet::Gsm7,
    }
}

fn attempt(n: u16) -> AttemptId {
    AttemptId::new(DeliveryId::new(MessageId::from_bytes([7; 16]), 0), n)
}

/// A session and the SMSC's end of it.
struct World<'a> {
    session: Session<'a>,
    now: Instant,
}

type Answer = oneshot::Receiver<Answered>;

impl<'a> World<'a> {
    fn opened(shared: &'a Shared) -> World<'a> {
        let login =
            Login { system_id: "wasl".into(), password: Secret::new("secret"), system_type: String::new() };
        let now = Instant::now();
        World { session: Session::open(shared, Role::Transceiver, login, now), now }
    }

    fn bound(shared: &'a Shared) -> World<'a> {
        let mut world = World::opened(shared);
        assert_eq!(world.said(), [(CommandId::BindTransceiver, 1, 0)]);
        world.bind_answered(0).expect("bound");
        assert!(world.session.is_bound() && world.said().is_empty());
        world
    }

    /// Takes what the session wrote: id, sequence and status of each unit.
    fn said(&mut self) -> Vec<(CommandId, u32, u32)> {
        let mut octets = self.session.to_write().to_vec();
        self.session.wrote(octets.len());
        let mut said = Vec::new();
        while let Ok(Some(length)) = pdu::unit_length(&octets) {
            let command = by_the_other(&octets[..length]);
            said.push((command.id(), command.sequence_number(), command.status().into()));
            octets.drain(..length);
        }
        assert!(octets.is_empty());
        said
    }

    fn hear(&mut self, status: u32, sequence: u32, pdu: impl Into<Pdu>) -> Result<(), Reason> {
        self.session.hear(&from_the_other(status, sequence, pdu), self.now)
    }

    fn bind_answered(&mut self, status: u32) -> Result<(), Reason> {
        self.hear(status, 1, BindTransceiverResp::new("smsc".parse().expect("short"), None))
    }

    fn answered(&mut self, status: u32, sequence: u32, id: &str) -> Result<(), Reason> {
        self.hear(status, sequence, SubmitSmResp::new(id.parse().expect("short"), vec![]))
    }

    fn job(&mut self, n: u16, part: Option<(GroupNo, u8)>) -> (Job, Answer) {
        let (reply, answer) = oneshot::channel();
        let submit = SubmitSm {
            source: Address::default(),
            destination: Address { ton: 1, npi: 1, text: "970599000001".into() },
            priority: 3,
            validity: String::new(),
            data_coding: 0,
            content: Content::Short(b"hello".to_vec()),
        };
        (Job { submit, attempt: attempt(n), part, until: None, stage: Stage::default(), reply }, answer)
    }

    fn submit(&mut self, n: u16) -> Answer {
        let (job, answer) = self.job(n, None);
        self.session.submit(job, self.now);
        answer
    }

    fn receipt(&mut self, sequence: u32, text: &str) -> Result<(), Reason> {
        let deliver = DeliverSm::builder()
            .esm_class(EsmClass::from(4))
            .short_message(OctetString::from_vec(text.into()).expect("short"))
            .build();
        self.hear(0, sequence, deliver)
    }

    /// Takes the receipts that wait: what each is of, and its kind.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let Some(news) = self.session.news().next().cloned() else { break };
            let News::Receipt(receipt) = news else { panic!("nobody writes here") };
            let of = match receipt.of {
                ReceiptRef::Provider(id) => id,
                ReceiptRef::Both(id, attempt) => format!("{id}/{}", attempt.n),
                ReceiptRef::Attempt(attempt) => format!("/{}", attempt.n),
            };
            let reason = receipt.reason.map(|reason| format!(" {reason}")).unwrap_or_default();
            told.push(format!("{of} {}{reason}", receipt.kind));
            self.session.taken(1);
        }
        told
    }

    fn pass(&mut self, seconds: u64) -> Result<(), Reason> {
        self.now += Duration::from_secs(seconds);
        self.session.tick(self.now)
    }
}

fn accepted(id: &str) -> Outcome {
    Outcome::Accepted { provider_id: Some(id.into()) }
}

#[test]
fn a_submit_is_answered_with_what_the_smsc_says() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    let (mut first, mut second) = (world.submit(1), world.submit(2));
    assert_eq!(world.said(), [(CommandId::SubmitSm, 2, 0), (CommandId::SubmitSm, 3, 0)]);
    assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
    world.now += Duration::from_millis(40);
    world.answered(0x0B, 3, "").expect("the link stands");
    world.answered(0, 2, "abc").expect("the link stands");
    let took = Span::from_ms(40);
    assert_eq!(first.try_recv(), Ok(Answered { outcome: accepted("abc"), took }));
    let outcome = Outcome::Rejected { reason: Reason::BadAddress };
    assert_eq!(second.try_recv(), Ok(Answered { outcome, took }));
    // An answer to nothing changes nothing.
    world.answered(0, 99, "abc").expect("the link stands");
}

#[test]
fn octets_come_in_any_pieces() {
    let shared = shared(10);
    let mut world = World::opened(&shared);
    let bind = from_the_other(0, 1, BindTransceiverResp::new("smsc".parse().expect("short"), None));
    let enquiry = from_the_other(0, 7, Pdu::EnquireLink);
    world.said();
    for octet in [bind, enquiry].concat() {
        assert!(!world.session.has_room() || world.session.is_bound());
        world.session.hear(&[octet], world.now).expect("nothing is wrong");
    }
    assert_eq!(world.said(), [(CommandId::EnquireLinkResp, 7, 0)]);
}

#[test]
fn a_refused_bind_says_why() {
    for (status, reason) in [
        (0x0E, Reason::Credentials),
        (0x0F, Reason::Credentials),
        (0x0D, Reason::Configuration),
        (0x05, Reason::Configuration),
        (0x08, Reason::ProviderFault),
    ] {
        let shared = shared(10);
        let mut world = World::opened(&shared);
        assert_eq!(world.bind_answered(status), Err(reason), "{status:#x}");
    }
    let shared = shared(10);
    let mut world = World::opened(&shared);
    assert_eq!(world.pass(9), Ok(()));
    assert_eq!(world.pass(1), Err(Reason::Timeout));
    assert_eq!(World::opened(&shared).session.hear(b"HTTP/1.1 400", Instant::now()), Err(Reason::Unreadable));
}

#[test]
fn throttling_halves_the_window_and_it_recovers() {
    let shared = shared(8);
    let mut world = World::bound(&shared);
    let mut sequence = 1;
    let mut round = |world: &mut World<'_>, status: u32| {
        let mut open = 0;
        let mut answers = Vec::new();
        while world.session.has_room() {
            answers.push(world.submit(1));
            open += 1;
        }
        for _ in 0..open {
            sequence += 1;
            world.answered(status, sequence, "x").expect("the link stands");
        }
        open
    };
    assert_eq!(round(&mut world, 0), 8);
    world.session.window.learn(&outcome(0x58, None, &shared.vendor));
    assert_eq!(round(&mut world, 0), 4);
    world.session.window.learn(&outcome(0x14, None, &shared.vendor));
    assert_eq!(round(&mut world, 0x58), 2);
    // 32 accepted give one place back.
    for _ in 0..32 {
        assert_eq!(round(&mut world, 0), 1);
    }
    assert_eq!(round(&mut world, 0), 2);
}

#[test]
fn what_was_withdrawn_is_not_written_and_what_was_written_is_not_withdrawn() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    let (job, mut answer) = world.job(1, None);
    assert!(job.stage.withdraw());
    world.session.submit(job, world.now);
    assert!(world.said().is_empty());
    assert_eq!(answer.try_recv(), Err(TryRecvError::Closed));
    let (job, mut answer) = world.job(2, None);
    let stage = job.stage.clone();
    world.session.submit(job, world.now);
    assert!(!stage.withdraw());
    world.session.drop_submitted();
    assert_eq!(answer.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn the_link_is_asked_whether_it_lives() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    assert_eq!((world.pass(29), world.said()), (Ok(()), vec![]));
    assert_eq!((world.pass(1), world.said()), (Ok(()), vec![(CommandId::EnquireLink, 2, 0)]));
    world.now += Duration::from_secs(9);
    world.hear(0, 2, Pdu::EnquireLinkResp).expect("it lives");
    assert_eq!((world.pass(20), world.said()), (Ok(()), vec![]));
    assert_eq!((world.pass(1), world.said()), (Ok(()), vec![(CommandId::EnquireLink, 3, 0)]));
    assert_eq!(world.pass(9), Ok(()));
    assert_eq!(world.pass(1), Err(Reason::Timeout));
}

#[test]
fn silence_after_a_submit_is_asked_about_at_once() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    let _answer = world.submit(1);
    world.said();
    assert_eq!((world.pass(4), world.said()), (Ok(()), vec![]));
    assert_eq!((world.pass(1), world.said()), (Ok(()), vec![(CommandId::EnquireLink, 3, 0)]));
    assert_eq!(world.pass(10), Err(Reason::Timeout));
    // An answer that never comes gives its place back.
    let mut world = World::bound(&shared);
    let mut answers: Vec<_> = (1..=10).map(|n| world.submit(n)).collect();
    assert!(!world.session.has_room());
    for sequence in [12, 13] {
        assert_eq!(world.pass(15), Ok(()));
        world.hear(0, sequence, Pdu::EnquireLinkResp).expect("it lives");
    }
    assert!(world.session.has_room());
    assert_eq!(answers[0].try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_goodbye_is_answered_and_a_forgotten_bind_ends_the_session() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    assert_eq!(world.hear(0, 9, Pdu::Unbind), Err(Reason::ServiceDown));
    assert_eq!(world.said(), [(CommandId::UnbindResp, 9, 0)]);
    let mut world = World::bound(&shared);
    let mut answer = world.submit(1);
    assert_eq!(world.answered(0x04, 2, ""), Err(Reason::NotConnected));
    let outcome = Outcome::Deferred { reason: Reason::NotConnected, retry_after: None };
    assert_eq!(answer.try_recv().map(|a| a.outcome), Ok(outcome));
}

#[test]
fn what_is_not_understood_is_said_to_be() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    world.hear(0, 5, Pdu::QuerySm(Default::default())).expect("the link stands");
    world.hear(0, 6, Pdu::AlertNotification(Default::default())).expect("the link stands");
    assert_eq!(world.said(), [(CommandId::GenericNack, 5, 3)]);
    let mut answer = world.submit(1);
    world.hear(0, 2, Pdu::GenericNack).expect("the link stands");
    assert_eq!(answer.try_recv().map(|a| a.outcome.reason()), Ok(Some(Reason::Configuration)));
}

#[test]
fn an_unreadable_answer_leaves_it_unknown() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    let mut answer = world.submit(1);
    let body = [b'x'; 300];
    let head = [16 + body.len() as u32, 0x8000_0004, 0, 2].map(u32::to_be_bytes).concat();
    world.session.hear(&[&head[..], &body].concat(), world.now).expect("the link stands");
    let outcome = Outcome::Unknown { reason: Reason::Unreadable };
    assert_eq!(answer.try_recv().map(|a| a.outcome), Ok(outcome));
}

#[test]
fn a_receipt_is_acknowledged_once_it_was_taken() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    world.receipt(4, "id:abc stat:DELIVRD").expect("the link stands");
    assert!(world.said().is_empty());
    assert_eq!(world.told(), ["abc delivered"]);
    assert_eq!(world.said(), [(CommandId::DeliverSmResp, 4, 0)]);
    // A person's message, and a receipt without news, are not kept waiting.
    world.hear(0, 5, DeliverSm::default()).expect("the link stands");
    world.receipt(6, "id:abc stat:SCHEDLD").expect("the link stands");
    assert_eq!(world.said(), [(CommandId::DeliverSmResp, 5, 0), (CommandId::DeliverSmResp, 6, 0)]);
    assert!(world.told().is_empty());
}

#[test]
fn receipts_that_nobody_takes_come_again() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    for sequence in 1..=RECEIPTS_MAX as u32 {
        world.receipt(sequence, "id:abc stat:DELIVRD").expect("the link stands");
    }
    assert!(world.said().is_empty());
    world.receipt(9_999, "id:abc stat:DELIVRD").expect("the link stands");
    assert_eq!(world.said(), [(CommandId::DeliverSmResp, 9_999, outcome::COME_AGAIN)]);
    assert_eq!(world.told().len(), RECEIPTS_MAX);
    assert_eq!(world.said().len(), RECEIPTS_MAX);
}

#[test]
fn a_late_answer_is_told_as_a_receipt() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    drop(world.submit(1));
    drop(world.submit(2));
    world.now += Duration::from_secs(12);
    world.answered(0, 2, "abc").expect("the link stands");
    world.answered(0x0B, 3, "").expect("the link stands");
    world.receipt(8, "id:abc stat:UNDELIV").expect("the link stands");
    assert_eq!(world.told(), ["abc/1 sent", "/2 failed bad_address", "abc/1 failed undeliverable"]);
}

#[test]
fn parts_are_one_message_to_the_core() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    let no = shared.parts().open(attempt(1), 2);
    for number in [1, 2] {
        let (job, _answer) = world.job(1, Some((no, number)));
        world.session.submit(job, world.now);
    }
    world.answered(0, 2, "a").expect("the link stands");
    // The second part's receipt overtakes its answer.
    world.receipt(5, "id:b stat:DELIVRD").expect("the link stands");
    world.receipt(6, "id:a stat:DELIVRD").expect("the link stands");
    assert!(world.told().is_empty());
    world.answered(0, 3, "b").expect("the link stands");
    assert_eq!(world.told(), ["a/1 delivered"]);
}

#[test]
fn sequence_numbers_begin_again() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    world.session.sequence = pdu::SEQUENCE_MAX - 1;
    let _answers = [world.submit(1), world.submit(2)];
    let said: Vec<u32> = world.said().into_iter().map(|(_, sequence, _)| sequence).collect();
    assert_eq!(said, [pdu::SEQUENCE_MAX, 1]);
}

#[test]
fn what_has_expired_in_the_queue_is_not_written() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    let (mut late, mut late_answer) = world.job(1, None);
    let (mut timely, mut timely_answer) = world.job(2, None);
    late.until = Some(world.now);
    timely.until = Some(world.now + Duration::from_millis(1));
    world.session.submit(late, world.now);
    world.session.submit(timely, world.now);
    assert_eq!(world.said(), [(CommandId::SubmitSm, 2, 0)]);
    let unsent = Outcome::Rejected { reason: Reason::Busy };
    assert_eq!(late_answer.try_recv().map(|answered| answered.outcome), Ok(unsent));
    assert_eq!(timely_answer.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_first_part_that_is_refused_is_not_remembered() {
    let shared = shared(10);
    let mut world = World::bound(&shared);
    for (n, sequence) in (1..=3).zip(2..) {
        let group = shared.parts().open(attempt(n), 2);
        let (job, answer) = world.job(n, Some((group, 1)));
        // Also one that nobody waits for any more.
        let _answer = (n != 3).then_some(answer);
        world.session.submit(job, world.now);
        world.answered(0x58, sequence, "").expect("a session");
        shared.parts().close(group);
    }
    assert!(shared.parts().is_empty());
}
