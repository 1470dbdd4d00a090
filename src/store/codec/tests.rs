//! Every value reads back as it was, in every version ever written; nonsense is refused without a panic.

use super::*;
use crate::core::audit::Hash;
use crate::core::channel::Channel;
use crate::core::erasure::Erased;
use crate::core::evidence::Layer;
use crate::core::ids::OutageId;
use crate::core::input::IdempotencyKey;
use crate::core::message::{Message, Recipient, Severity, Status, Template, Urgency};
use crate::core::outcome::{DeliveryResult, Outcome, Reason, ReceiptKind};
use crate::core::policy::OnUnknown;
use crate::core::query::Role;
use crate::core::record::{
    Learned, Needles, OutageOf, Overlay, OverlayKind, QuotaUse, Ranked, Repeat, Settled, Sign, Standing,
};
use crate::core::reply::{Answers, Asks, KeptReply, LastAnswer, ReplyKind, Said};
use crate::core::time::Span;
use crate::store::reachability::{Cell, CellRow};
use proptest::prelude::*;
use puts::{Keys, put};

#[path = "../../../tests/support/puts.rs"]
#[allow(dead_code, unreachable_pub, reason = "the module is shared with the integration tests")]
mod puts;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn every_put_reads_back(put in put(Keys::Any)) {
        if let Some((table, key, value)) = encode_put(&put) {
            prop_assert_eq!(decode_put(table, &key, &value), Ok(put));
        }
    }

    #[test]
    fn a_cut_or_changed_value_is_refused_or_another_never_a_panic(
        put in put(Keys::Any), place in any::<prop::sample::Index>(), flip in 1u8..
    ) {
        if let Some((table, key, value)) = encode_put(&put) {
            let place = place.index(value.len());
            prop_assert!(decode_put(table, &key, &value[..place]).is_err());
            let mut changed = value.clone();
            changed[place] ^= flip;
            let _ = decode_put(table, &key, &changed);
            changed.push(0);
            let _ = decode_put(table, &key, &changed);
        }
    }

    #[test]
    fn nonsense_never_panics(key in prop::collection::vec(any::<u8>(), 0..40), body in prop::collection::vec(any::<u8>(), 0..200)) {
        let value = [&[PLAIN, 1][..], &body].concat();
        for table in Table::OUTBOX {
            let _ = decode_stored(table, &key, &value);
            let _ = decode_stored(table, &key, &body);
        }
        let _ = decode::<CellRow>(&key, &value);
    }

    #[test]
    fn needles_read_back(
        names in any::<[String; 3]>(), parts in any::<(u32, u32, u32, i64, Option<i64>, i64)>(),
        receipts in any::<(u32, u32, u32, Option<i64>)>(), learned in any::<(Vec<u32>, Vec<u32>, u32, u32, [Vec<u32>; 2])>(),
        quotas in prop::collection::vec(any::<(u64, i64, i64, [u64; 3])>(), 0..4)
    ) {
        let [vantage, gateway, slice] = names;
        let (dead, refused, flaky, at, down_since, time_out) = parts;
        let (swallowing, losing, penalty, damped_until) = receipts;
        let (came, waited, with_account, without_account, [of_came, usual]) = learned;
        let row = CellRow {
            cell: Cell { vantage, gateway, slice },
            needles: Needles {
                dead, refused, flaky,
                at: Timestamp::from_ms(at),
                down_since: down_since.map(Timestamp::from_ms),
                time_out: Span::from_ms(time_out),
                quotas: quotas.into_iter().map(|(limit, period, newest, slices)| QuotaUse {
                    limit, newest, period: Span::from_ms(period), slices: slices.to_vec(),
                }).collect(),
                swallowing, losing, penalty,
                damped_until: damped_until.map(Timestamp::from_ms),
                learned: Learned { came, waited, of_came, with_account, without_account, usual },
            },
        };
        prop_assert_eq!(decode(&row.key(), &encode(&row)), Ok(row));
    }

    #[test]
    fn keys_sort_as_their_values_do(a in any::<(i64, u128, u32, u16)>(), b in any::<(i64, u128, u32, u16)>()) {
        let times = [a.0, b.0].map(Timestamp::from_ms);
        prop_assert_eq!(times[0].cmp(&times[1]), time_key(times[0]).cmp(&time_key(times[1])));
        let [x, y] = [a, b].map(|(_, id, index, n)| {
            AttemptId::new(DeliveryId::new(MessageId::from_bytes(id.to_be_bytes()), index), n)
        });
        prop_assert_eq!(x.cmp(&y), attempt_key(x).cmp(&attempt_key(y)));
    }
}

fn id() -> AttemptId {
    AttemptId::new(DeliveryId::new(MessageId::new(Timestamp::from_ms(1_790_000_000_000), 1, 7), 99_999), 3)
}

fn attempt() -> Attempt {
    let wamid = "wamid.HBgMOTcwNTk5MDAwMDAxFQIAERgSMEE5QzY0QkQxM0E5NDlGQzg0AA==";
    Attempt {
        id: id(),
        gateway: "whatsapp-main".into(),
        channel: Channel::Whatsapp,
        step: 0,
        at: Timestamp::from_ms(1_790_000_000_000),
        repeat: Repeat::AfterUnknown,
        plan: 12,
        outcome: Some((
            Outcome::Accepted { provider_id: Some(wamid.into()) },
            Timestamp::from_ms(1_790_000_000_250),
        )),
    }
}

fn settled() -> Delivery {
    Delivery {
        id: id().delivery,
        step: 2,
        attempts: 3,
        rounds: 1,
        barred: 0x0FFF,
        result: Some(Settled {
            result: DeliveryResult::HandedOver,
            at: Timestamp::from_ms(1_790_000_000_000),
            channel: Some(Channel::Sms),
            attempt: Some(3),
            reason: Some(Reason::Timeout),
            duplicated: true,
        }),
    }
}

#[test]
fn rows_keep_within_their_limits() {
    let size = |put: Put| encode_put(&put).map(|(_, key, value)| key.len() + value.len()).unwrap_or_default();
    let delivery = size(Record::Delivery(settled()).into());
    // The index from the provider's id back to the attempt counts with the attempt.
    let index = "whatsapp-main".len() + 1 + 62 + attempt_key(id()).len();
    let attempt = size(Record::Attempt(attempt()).into()) + index;
    assert!(delivery <= 200 && attempt <= 250, "{delivery} {attempt}");
}

/// One of every row, with everything in it.
fn one_of_each() -> Vec<Put> {
    let at = Timestamp::from_ms(1_790_000_000_000);
    let message = id().delivery.message;
    let texts = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let person = Recipient {
        contact: Some("c-17".into()),
        language: Some("ar".into()),
        region: Some("east".into()),
        sector: Some("health".into()),
        audiences: vec!["residents".into()],
        addresses: [(Channel::Whatsapp, "+970599000001".to_owned()), (Channel::Webhook, "x".to_owned())]
            .into(),
    };
    let records = [
        Record::Message(Arc::new(Message {
            id: message,
            author: "duty-desk".into(),
            accepted_at: at,
            severity: Severity::Unknown,
            urgency: Urgency::Unknown,
            status: Status::Test,
            incident: Some("flood".into()),
            expires: Some(at),
            text: texts(&[("ar", "غادروا"), ("en", "Leave")]),
            template: Some(Template {
                name: "t".into(),
                language: Some("en_US".into()),
                params: vec![("area".into(), "east".into())],
            }),
            tags: texts(&[("sector", "health")]),
            recipients: 100_000,
            audiences: vec!["residents".into()],
            corrects: Some(id().delivery.message),
            asks: Asks::of(Asks::ANSWERS),
        })),
        Record::Audience { message, chunk: 49, people: Arc::new(vec![person.clone()]) },
        Record::Progress(Progress {
            message,
            open: false,
            settled: [1, 2, 3, 4, 5, 6, 700],
            late: 8,
            withdrawn: Some(DeliveryResult::Superseded),
            escalated: true,
            answers: Answers { acknowledged: 9, safe: 10, need_help: 1_100 },
            restored: true,
        }),
        Record::Delivery(settled()),
        Record::Attempt(attempt()),
        Record::Attempt(Attempt {
            outcome: Some((
                Outcome::Deferred { reason: Reason::Busy, retry_after: Some(Span::from_secs(30)) },
                at,
            )),
            repeat: Repeat::AfterFailure,
            ..attempt()
        }),
        Record::Attempt(Attempt {
            outcome: Some((Outcome::Rejected { reason: Reason::NotOnChannel }, at)),
            ..attempt()
        }),
        Record::Attempt(Attempt {
            outcome: Some((Outcome::Unknown { reason: Reason::Restart }, at)),
            ..attempt()
        }),
        Record::Receipt { attempt: id(), kind: ReceiptKind::Acknowledged, at, reason: Some(Reason::Blocked) },
        Record::Plan(Arc::new(Plan {
            message,
            number: 12,
            policy: "a1b2".into(),
            rule: "life-safety".into(),
            step: 1,
            on_unknown: OnUnknown::Wait,
            ranking: vec![Ranked {
                gateway: "sms-main".into(),
                channel: Channel::Sms,
                standing: Standing::Removed,
                health_permille: 993,
                needle_cdb: 450,
            }],
            at,
        })),
        Record::Outage(Outage {
            id: OutageId(3),
            of: OutageOf::Uplink("fibre".into()),
            channel: Channel::Signal,
            onset: at,
            detected: at,
            recovered: Some(at),
            cause: Reason::Limited,
            layer: Some(Layer::Api),
            attempts_failed: 41,
            open: true,
            signs: vec![
                Sign::Probes { failed: 3, layer: Some(Layer::Tls), reason: Reason::TlsTimeout },
                Sign::Attempts { failed: 300, reason: Reason::Timeout },
                Sign::Receipts { gateway: "wa".into(), region: "east".into(), came: 1, expected: 34 },
                Sign::Delivers { gateway: "signal".into(), region: String::new() },
                Sign::Controls { failed: 3, of: 4 },
                Sign::Provider,
                Sign::Down { gateway: "sms-main".into() },
            ],
        }),
        Record::Overlay {
            gateway: Some("sms-main".into()),
            overlay: Some(Overlay {
                kind: OverlayKind::Maintenance { until: at },
                who: "amal".into(),
                reason: "new SIM".into(),
                since: at,
            }),
        },
        Record::Idempotency {
            key: IdempotencyKey { key: [7; 16], body: [8; 16] },
            message,
            deliveries: 300,
            at,
        },
    ];
    let contact = Contact {
        id: "c-17".into(),
        name: "Amal".into(),
        person,
        consent: "2026".into(),
        deputy: Some("c-2".into()),
    };
    let token = TokenRecord { name: "desk".into(), role: Role::Admin, hash: [9; 32], made_at: at };
    let policy = PolicyVersion {
        file: "floods.toml".into(),
        text: "[[rule]]".into(),
        author: "amal".into(),
        reason: "new".into(),
        at,
    };
    let rest = [Put::Contact(contact), Put::Token(token), Put::Policy(policy)];
    let said = [Said::Text("أنا بخير".into()), Said::Button("x:safe".into()), Said::Other].map(|said| {
        Put::Record(Record::Reply(KeptReply {
            at,
            gateway: "whatsapp-main".into(),
            channel: Channel::Whatsapp,
            from: "+970599000001".into(),
            said,
            id: "wamid.R".into(),
            sent_at: Some(at),
            kind: ReplyKind::Safe,
            of: Some(id()),
            quoted: true,
            incident: Some("flood".into()),
        }))
    });
    let answers = [
        Record::Answer(LastAnswer { of: id().delivery, kind: ReplyKind::NeedHelp, at }),
        Record::OptOut { channel: Channel::Sms, address: [5; 16], since: Some(at) },
    ];
    let drill = Record::Overlay {
        gateway: Some("signal-main".into()),
        overlay: Some(Overlay {
            kind: OverlayKind::Drill { until: at, everybody: true },
            who: "amal".into(),
            reason: "game day".into(),
            since: at,
        }),
    };
    let anchor = Anchor { number: 4, hash: Hash([5; 32]), adopted: 3 };
    let link = Link { number: 5, prev: Hash([5; 32]), hash: Hash([6; 32]), audit: act() };
    let chained = [Put::Anchor(anchor), Put::Link(link)];
    let erased = [Erased::Secret([7; 32]), Erased::Person { digest: [8; 16], at }].map(Put::Erased);
    let answers = answers.into_iter().chain([drill]).map(Put::Record);
    let later = said.into_iter().chain(answers).chain(chained).chain(erased);
    records.into_iter().map(Put::Record).chain(rest).chain(later).collect()
}

fn act() -> Audit {
    Audit {
        at: Timestamp::from_ms(1_790_000_000_000),
        who: "amal".into(),
        act: "hold".into(),
        on: "sms-main".into(),
        reason: "rain".into(),
    }
}

/// The bytes of format 1, for ever: a line for each of [`one_of_each`], table, key and value.
const VERSION_1: &str = include_str!("version_1.txt");

/// The bytes of format 2, for ever: a message's template may name its language. Format 3 has the same rows, and a
/// journal beside them.
const VERSION_2: &str = include_str!("version_2.txt");

/// The bytes of format 4, for ever: a message may correct another.
const VERSION_4: &str = include_str!("version_4.txt");

/// The bytes of format 5, for ever: a message may ask for answers; replies, answers and opt-outs are kept.
const VERSION_5: &str = include_str!("version_5.txt");

/// The bytes of format 6, for ever: what lies over a gateway may be a drill.
const VERSION_6: &str = include_str!("version_6.txt");

/// Takes away what format 9 had no place for.
fn as_in_format_nine(put: &mut Put) {
    if let Put::Record(Record::Outage(outage)) = put {
        (outage.open, outage.signs) = (false, vec![]);
    }
}

/// Takes away what format 7 had no place for.
fn as_in_format_seven(put: &mut Put) {
    as_in_format_nine(put);
    if let Put::Record(Record::Progress(progress)) = put {
        progress.restored = false;
    }
}

/// Takes away what format 4 had no place for.
fn as_in_format_four(put: &mut Put) {
    as_in_format_seven(put);
    match put {
        Put::Record(Record::Message(message)) => Arc::make_mut(message).asks = Asks::NOTHING,
        Put::Record(Record::Progress(progress)) => progress.answers = Answers::default(),
        _ => {}
    }
}

/// The bytes of format 7, for ever: acts are chained.
const VERSION_7: &str = include_str!("version_7.txt");

/// The bytes of format 8, for ever: a message says whether it was open in a backup that was restored.
const VERSION_8: &str = include_str!("version_8.txt");

/// The bytes of format 9, for ever: who was erased is known again.
const VERSION_9: &str = include_str!("version_9.txt");

/// The bytes of format 10, for ever: an outage says whose fault it is, and by what evidence.
const VERSION_10: &str = include_str!("version_10.txt");

#[test]
fn formats_eight_and_nine_still_read() {
    for (line, mut put) in VERSION_8.lines().zip(one_of_each()).chain(VERSION_9.lines().zip(one_of_each())) {
        as_in_format_nine(&mut put);
        reads(line, put);
    }
}

#[test]
fn whatever_an_outage_is_of_is_read_as_it_was_written() {
    let Some(Put::Record(Record::Outage(outage))) =
        one_of_each().into_iter().find(|put| matches!(put, Put::Record(Record::Outage(_))))
    else {
        panic!("there is one")
    };
    for of in [
        OutageOf::Gateway("wa".into()),
        OutageOf::Channel(Channel::Sms),
        OutageOf::Slice { gateway: "wa".into(), region: "east".into() },
        OutageOf::Region("east".into()),
        OutageOf::Domain("carrier:a".into()),
    ] {
        let put = Put::Record(Record::Outage(Outage { of, ..outage.clone() }));
        let (table, key, value) = encode_put(&put).expect("a row");
        assert_eq!(decode_put(table, &key, &value), Ok(put));
    }
}

/// Returns the lines of a format before 7 whose rows are written in the same way, and reads its act as it was.
fn before_the_chain(version: &str) -> Vec<&str> {
    let is_act = |line: &&str| line.starts_with("11 ");
    let line = version.lines().find(is_act).expect("an act");
    let [_, key, value] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let read = decode_stored(Table::Audit, &unhex(key), &unhex(value));
    assert_eq!(read, Ok(Stored::Unchained(act())));
    version.lines().filter(|line| !is_act(line)).collect()
}

#[test]
fn format_four_still_reads() {
    for (line, mut put) in before_the_chain(VERSION_4).into_iter().zip(one_of_each()) {
        as_in_format_four(&mut put);
        reads(line, put);
    }
}

#[test]
fn formats_five_and_six_still_read() {
    for version in [VERSION_5, VERSION_6] {
        for (line, mut put) in before_the_chain(version).into_iter().zip(one_of_each()) {
            as_in_format_seven(&mut put);
            reads(line, put);
        }
    }
}

#[test]
fn format_seven_still_reads() {
    for (line, mut put) in VERSION_7.lines().zip(one_of_each()) {
        as_in_format_seven(&mut put);
        reads(line, put);
    }
}

#[test]
fn format_one_still_reads() {
    for (line, mut put) in before_the_chain(VERSION_1).into_iter().zip(one_of_each()) {
        as_in_format_four(&mut put);
        if let Put::Record(Record::Message(message)) = &mut put {
            let message = Arc::make_mut(message);
            message.template.as_mut().expect("a template").language = None;
            message.corrects = None;
        }
        reads(line, put);
    }
}

#[test]
fn format_two_still_reads() {
    for (line, mut put) in before_the_chain(VERSION_2).into_iter().zip(one_of_each()) {
        as_in_format_four(&mut put);
        if let Put::Record(Record::Message(message)) = &mut put {
            Arc::make_mut(message).corrects = None;
        }
        reads(line, put);
    }
}

/// Reads a line of golden bytes as this put.
fn reads(line: &str, put: Put) {
    let [number, key, value] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let table = number.parse().ok().and_then(Table::from_number).expect("a table");
    assert_eq!(decode_put(table, &unhex(key), &unhex(value)), Ok(put), "{}", table.name());
}

#[test]
fn what_is_written_is_the_latest_format_of_every_table() {
    let line = |put: &Put| {
        let (table, key, value) = encode_put(put).expect("a row");
        format!("{} {} {}\n", table as u8, hex(&key), hex(&value))
    };
    let written: String = one_of_each().iter().map(line).collect();
    assert_eq!(written, VERSION_10);
    assert_eq!(STORE_FORMAT, 10, "a new version of a row needs golden bytes of its own");
    for table in Table::OUTBOX.into_iter().filter(|table| *table != Table::Audit) {
        let prefix = format!("{} ", table as u8);
        assert!(VERSION_10.lines().any(|line| line.starts_with(&prefix)), "{}", table.name());
    }
}

#[test]
fn a_newer_or_sealed_value_says_so() {
    let (table, key, mut value) = encode_put(&Record::Delivery(settled()).into()).expect("a row");
    value[1] = 9;
    assert_eq!(
        decode_put(table, &key, &value),
        Err(CodecError::Newer { table: "delivery", found: 9, known: 1 })
    );
    value[0] = 1;
    assert_eq!(decode_put(table, &key, &value), Err(CodecError::Sealed { table: "delivery", method: 1 }));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |place: usize| u8::from_str_radix(&text[place..place + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}
