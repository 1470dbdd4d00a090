//! Made-up rows for the outbox, for proptest: every kind of put, with a few keys so that they meet, or with any.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;
use wasl::core::audit::{Anchor, Audit, Hash, Link};
use wasl::core::channel::{CHANNELS, Channel};
use wasl::core::erasure::{Erased, Erasure};
use wasl::core::evidence::Layer;
use wasl::core::ids::{AttemptId, DeliveryId, MessageId, OutageId};
use wasl::core::input::IdempotencyKey;
use wasl::core::message::{Message, Recipient, Severity, Status, Template, Urgency};
use wasl::core::outcome::{DeliveryResult, Outcome, Reason, Receipt, ReceiptKind, ReceiptRef};
use wasl::core::policy::OnUnknown;
use wasl::core::query::{Contact, Role, TokenRecord};
use wasl::core::record::{
    Attempt, Delivery, Outage, OutageOf, Overlay, OverlayKind, Plan, Progress, Ranked, Record, Repeat,
    Settled, Sign, Standing,
};
use wasl::core::reply::{Answers, Asks, KeptReply, LastAnswer, ReplyKey, ReplyKind, Said};
use wasl::core::time::{Span, Timestamp};
use wasl::store::outbox::{PolicyVersion, Put};

/// From how many keys to draw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    /// A few: rows meet.
    Few,
    /// Any at all.
    Any,
}

/// How many messages [`Keys::Few`] knows; their ids are a day apart, the first at the epoch.
pub const FEW_MESSAGES: u64 = 6;

/// The id of one of the few messages.
pub fn few_message(which: u64) -> MessageId {
    MessageId::new(Timestamp::from_ms(which as i64 * Span::from_hours(24).ms()), 1, which)
}

/// Anything that a batch may hold.
pub fn put(keys: Keys) -> impl Strategy<Value = Put> {
    prop_oneof![
        10 => record(keys).prop_map(Put::Record),
        1 => contact(keys).prop_map(Put::Contact),
        1 => token().prop_map(Put::Token),
        1 => policy_version().prop_map(Put::Policy),
        1 => link(keys).prop_map(Put::Link),
        1 => anchor().prop_map(Put::Anchor),
        1 => erased(keys).prop_map(Put::Erased),
        1 => erasure(keys).prop_map(|erasure| Put::Erase(Box::new(erasure))),
    ]
}

/// Anything that a turn may write.
pub fn record(keys: Keys) -> impl Strategy<Value = Record> {
    prop_oneof![
        message(keys).prop_map(|m| Record::Message(Arc::new(m))),
        (message_id(keys), number(keys), vec(recipient(keys), 0..4)).prop_map(|(message, chunk, people)| {
            Record::Audience { message, chunk: chunk % 2, people: Arc::new(people) }
        }),
        progress(keys).prop_map(Record::Progress),
        attempt(keys).prop_map(Record::Attempt),
        (attempt_id(keys), select(&ReceiptKind::ALL[..]), time(), option::of(reason()))
            .prop_map(|(attempt, kind, at, reason)| Record::Receipt { attempt, kind, at, reason }),
        (name(keys), receipt(keys), time()).prop_map(|(gateway, receipt, at)| Record::StrayReceipt {
            gateway,
            receipt,
            at
        }),
        delivery(keys).prop_map(Record::Delivery),
        plan(keys).prop_map(|p| Record::Plan(Arc::new(p))),
        outage(keys).prop_map(Record::Outage),
        (option::of(name(keys)), option::of(overlay()))
            .prop_map(|(gateway, overlay)| Record::Overlay { gateway, overlay }),
        (digest(keys), digest(Keys::Any), message_id(keys), any::<u32>(), time()).prop_map(
            |(key, body, message, deliveries, at)| Record::Idempotency {
                key: IdempotencyKey { key, body },
                message,
                deliveries,
                at
            }
        ),
        reply(keys).prop_map(Record::Reply),
        (delivery_id(keys), reply_kind(), time()).prop_map(|(of, kind, at)| Record::Answer(LastAnswer {
            of,
            kind,
            at
        })),
        (channel(), digest(keys), option::of(time())).prop_map(|(channel, address, since)| Record::OptOut {
            channel,
            address,
            since
        }),
    ]
}

fn few<T: Clone + std::fmt::Debug + 'static>(
    keys: Keys,
    some: Vec<T>,
    any: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    match keys {
        Keys::Few => select(some).boxed(),
        Keys::Any => any.boxed(),
    }
}

fn name(keys: Keys) -> BoxedStrategy<String> {
    few(keys, ["a", "ab", "sms-main", ""].map(String::from).to_vec(), text())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9-]{1,12}", "\\PC{0,20}", Just("غادروا الآن".to_owned())]
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        4 => 1_700_000_000_000..1_900_000_000_000i64,
        1 => any::<i64>(),
        1 => -10..10i64,
    ]
    .prop_map(Timestamp::from_ms)
}

fn number(keys: Keys) -> BoxedStrategy<u32> {
    few(keys, vec![0, 1, 2, 3], any::<u32>())
}

fn digest(keys: Keys) -> BoxedStrategy<[u8; 16]> {
    few(keys, vec![[0; 16], [1; 16], [0xFF; 16]], any::<[u8; 16]>())
}

pub fn message_id(keys: Keys) -> BoxedStrategy<MessageId> {
    few(
        keys,
        (0..FEW_MESSAGES).map(few_message).collect(),
        any::<u128>().prop_map(|id| MessageId::from_bytes(id.to_be_bytes())),
    )
}

fn delivery_id(keys: Keys) -> impl Strategy<Value = DeliveryId> {
    (message_id(keys), number(keys)).prop_map(|(message, index)| DeliveryId::new(message, index))
}

fn attempt_id(keys: Keys) -> impl Strategy<Value = AttemptId> {
    (delivery_id(keys), few(keys, vec![1, 2], any::<u16>()))
        .prop_map(|(delivery, n)| AttemptId::new(delivery, n))
}

fn channel() -> impl Strategy<Value = Channel> {
    select(&Channel::ALL[..])
}

fn reason() -> impl Strategy<Value = Reason> {
    select(Reason::ALL)
}

fn result() -> impl Strategy<Value = DeliveryResult> {
    select(&DeliveryResult::ALL[..])
}

fn message(keys: Keys) -> impl Strategy<Value = Message> {
    let texts = || btree_map(text(), text(), 0..3);
    let template = (text(), option::of(text()), vec((text(), text()), 0..3));
    let template = template.prop_map(|(name, language, params)| Template { name, language, params });
    (
        (message_id(keys), text(), time(), select(Severity::ALL), select(Urgency::ALL), select(Status::ALL)),
        (option::of(text()), option::of(time()), texts(), option::of(template), texts()),
        (number(keys), vec(text(), 0..3), option::of(message_id(keys)), 0..4u8),
    )
        .prop_map(|(head, body, (recipients, audiences, corrects, asks))| {
            let (id, author, accepted_at, severity, urgency, status) = head;
            let (incident, expires, text, template, tags) = body;
            Message {
                id,
                author,
                accepted_at,
                severity,
                urgency,
                status,
                incident,
                expires,
                text,
                template,
                tags,
                recipients,
                audiences,
                corrects,
                asks: Asks::from_bits(asks),
            }
        })
}

fn recipient(keys: Keys) -> impl Strategy<Value = Recipient> {
    let word = || option::of(text());
    (
        (word(), word(), word(), word()),
        proptest::collection::btree_set(name(keys), 0..3),
        btree_map(channel(), text(), 0..CHANNELS),
    )
        .prop_map(|((contact, language, region, sector), audiences, addresses)| Recipient {
            contact,
            language,
            region,
            sector,
            audiences: audiences.into_iter().collect(),
            addresses,
        })
}

fn progress(keys: Keys) -> impl Strategy<Value = Progress> {
    let counts = (any::<[u32; 7]>(), any::<u32>(), any::<[u32; 3]>());
    let flags = any::<[bool; 3]>();
    (message_id(keys), flags, counts, option::of(result())).prop_map(
        |(
            message,
            [open, escalated, restored],
            (settled, late, [acknowledged, safe, need_help]),
            withdrawn,
        )| Progress {
            message,
            open,
            settled,
            late,
            withdrawn,
            escalated,
            answers: Answers { acknowledged, safe, need_help },
            restored,
        },
    )
}

fn reply_kind() -> impl Strategy<Value = ReplyKind> {
    select(&ReplyKind::ALL[..])
}

fn reply(keys: Keys) -> impl Strategy<Value = KeptReply> {
    let said = prop_oneof![text().prop_map(Said::Text), text().prop_map(Said::Button), Just(Said::Other)];
    let head = (time(), name(keys), channel(), text(), said, name(keys));
    let rest = (option::of(time()), reply_kind(), option::of(attempt_id(keys)), any::<bool>());
    (head, rest, option::of(name(keys))).prop_map(|(head, rest, incident)| {
        let (at, gateway, channel, from, said, id) = head;
        let (sent_at, kind, of, quoted) = rest;
        KeptReply { at, gateway, channel, from, said, id, sent_at, kind, of, quoted, incident }
    })
}

fn delivery(keys: Keys) -> impl Strategy<Value = Delivery> {
    let settled = (
        result(),
        time(),
        option::of(channel()),
        option::of(any::<u16>()),
        option::of(reason()),
        any::<bool>(),
    )
        .prop_map(|(result, at, channel, attempt, reason, duplicated)| Settled {
            result,
            at,
            channel,
            attempt,
            reason,
            duplicated,
        });
    (delivery_id(keys), any::<u8>(), any::<u16>(), any::<u16>(), any::<u16>(), option::of(settled)).prop_map(
        |(id, step, attempts, rounds, barred, result)| Delivery {
            id,
            step,
            attempts,
            rounds,
            barred,
            result,
        },
    )
}

fn outcome(keys: Keys) -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => option::of(name(keys)).prop_map(|provider_id| Outcome::Accepted { provider_id }),
        1 => reason().prop_map(|reason| Outcome::Rejected { reason }),
        1 => (reason(), option::of(any::<i64>().prop_map(Span::from_ms)))
            .prop_map(|(reason, retry_after)| Outcome::Deferred { reason, retry_after }),
        1 => reason().prop_map(|reason| Outcome::Unknown { reason }),
    ]
}

fn attempt(keys: Keys) -> impl Strategy<Value = Attempt> {
    let repeat = select(vec![
        Repeat::No,
        Repeat::AfterUnknown,
        Repeat::AfterWait,
        Repeat::Together,
        Repeat::AfterFailure,
    ]);
    (
        attempt_id(keys),
        name(keys),
        channel(),
        any::<u8>(),
        time(),
        repeat,
        number(keys),
        option::of((outcome(keys), time())),
    )
        .prop_map(|(id, gateway, channel, step, at, repeat, plan, outcome)| Attempt {
            id,
            gateway,
            channel,
            step,
            at,
            repeat,
            plan,
            outcome,
        })
}

fn receipt(keys: Keys) -> impl Strategy<Value = Receipt> {
    let of = prop_oneof![
        name(keys).prop_map(ReceiptRef::Provider),
        attempt_id(keys).prop_map(ReceiptRef::Attempt),
        (name(keys), attempt_id(keys)).prop_map(|(id, attempt)| ReceiptRef::Both(id, attempt)),
    ];
    (of, select(&ReceiptKind::ALL[..]), option::of(reason()), option::of(time()))
        .prop_map(|(of, kind, reason, at)| Receipt { of, kind, reason, at })
}

fn plan(keys: Keys) -> impl Strategy<Value = Plan> {
    let standing = select(vec![
        Standing::Eligible,
        Standing::LaterStep,
        Standing::Doubtful,
        Standing::Down,
        Standing::Held,
        Standing::Maintenance,
        Standing::Deferred,
        Standing::QuotaExhausted,
        Standing::UplinkDown,
        Standing::Forbidden,
        Standing::NoAddress,
        Standing::Refused,
        Standing::Removed,
        Standing::Drill,
    ]);
    let ranked = (name(keys), channel(), standing, any::<u16>(), any::<u32>()).prop_map(
        |(gateway, channel, standing, health_permille, needle_cdb)| Ranked {
            gateway,
            channel,
            standing,
            health_permille,
            needle_cdb,
        },
    );
    let on_unknown = select(vec![OnUnknown::Repeat, OnUnknown::Ask, OnUnknown::Wait]);
    ((message_id(keys), number(keys), text(), text()), any::<u8>(), on_unknown, vec(ranked, 0..4), time())
        .prop_map(|((message, number, policy, rule), step, on_unknown, ranking, at)| Plan {
            message,
            number,
            policy,
            rule,
            step,
            on_unknown,
            ranking,
            at,
        })
}

fn outage(keys: Keys) -> impl Strategy<Value = Outage> {
    let of = prop_oneof![
        text().prop_map(OutageOf::Gateway),
        channel().prop_map(OutageOf::Channel),
        text().prop_map(OutageOf::Uplink),
        (text(), text()).prop_map(|(gateway, region)| OutageOf::Slice { gateway, region }),
        text().prop_map(OutageOf::Region),
        text().prop_map(OutageOf::Domain),
    ];
    let layer = || option::of(select(&Layer::ALL[..]));
    let sign = prop_oneof![
        (any::<u32>(), layer(), reason()).prop_map(|(failed, layer, reason)| Sign::Probes {
            failed,
            layer,
            reason
        }),
        (any::<u32>(), reason()).prop_map(|(failed, reason)| Sign::Attempts { failed, reason }),
        (text(), text(), any::<u32>(), any::<u32>())
            .prop_map(|(gateway, region, came, expected)| Sign::Receipts { gateway, region, came, expected }),
        (text(), text()).prop_map(|(gateway, region)| Sign::Delivers { gateway, region }),
        (any::<u8>(), any::<u8>()).prop_map(|(failed, of)| Sign::Controls { failed, of }),
        Just(Sign::Provider),
        text().prop_map(|gateway| Sign::Down { gateway }),
    ];
    let signs = vec(sign, 0..4);
    let id = few(keys, vec![1, 2, 3], any::<u64>()).prop_map(OutageId);
    (
        (id, of, channel()),
        (time(), time(), option::of(time())),
        (reason(), layer(), any::<u32>()),
        (any::<bool>(), signs),
    )
        .prop_map(
            |(
                (id, of, channel),
                (onset, detected, recovered),
                (cause, layer, attempts_failed),
                (open, signs),
            )| Outage {
                id,
                of,
                channel,
                onset,
                detected,
                recovered,
                cause,
                layer,
                attempts_failed,
                open,
                signs,
            },
        )
}

fn overlay() -> impl Strategy<Value = Overlay> {
    let kind = prop_oneof![
        Just(OverlayKind::Held),
        time().prop_map(|until| OverlayKind::Maintenance { until }),
        (time(), any::<bool>()).prop_map(|(until, everybody)| OverlayKind::Drill { until, everybody }),
    ];
    (kind, text(), text(), time()).prop_map(|(kind, who, reason, since)| Overlay { kind, who, reason, since })
}

fn link(keys: Keys) -> impl Strategy<Value = Link> {
    let number = few(keys, vec![1, 2, 3, 7], any::<u64>());
    (number, hash(), hash(), (time(), text(), text(), text(), text())).prop_map(
        |(number, prev, hash, (at, who, act, on, reason))| {
            let audit = Audit { at, who, act, on, reason };
            Link { number, prev, hash, audit }
        },
    )
}

fn anchor() -> impl Strategy<Value = Anchor> {
    (any::<u64>(), hash(), any::<u64>()).prop_map(|(number, hash, adopted)| Anchor { number, hash, adopted })
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn contact(keys: Keys) -> impl Strategy<Value = Contact> {
    (name(keys), text(), recipient(keys), text(), option::of(text()))
        .prop_map(|(id, name, person, consent, deputy)| Contact { id, name, person, consent, deputy })
}

fn erased(keys: Keys) -> impl Strategy<Value = Erased> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(Erased::Secret),
        (digest(keys), time()).prop_map(|(digest, at)| Erased::Person { digest, at }),
    ]
}

fn erasure(keys: Keys) -> impl Strategy<Value = Erasure> {
    let replies = vec((time(), any::<u64>()).prop_map(|(at, digest)| ReplyKey { at, digest }), 0..2);
    let deputies = (option::of(text()), vec(name(keys), 0..2));
    (option::of(name(keys)), text(), vec(delivery_id(keys), 0..3), replies, deputies).prop_map(
        |(contact, pseudonym, deliveries, replies, (deputy, deputy_of))| Erasure {
            contact,
            pseudonym,
            deliveries,
            replies,
            calls: vec![],
            deputy,
            deputy_of,
        },
    )
}

fn token() -> impl Strategy<Value = TokenRecord> {
    (text(), select(&Role::ALL[..]), any::<[u8; 32]>(), time())
        .prop_map(|(name, role, hash, made_at)| TokenRecord { name, role, hash, made_at })
}

fn policy_version() -> impl Strategy<Value = PolicyVersion> {
    (text(), text(), text(), text(), time()).prop_map(|(file, text, author, reason, at)| PolicyVersion {
        file,
        text,
        author,
        reason,
        at,
    })
}
