//! Every value reads back as it was, in every version ever written; nonsense is refused without a panic.

use super::*;
use crate::core::channel::Channel;
use crate::core::outcome::{DeliveryResult, Outcome, Reason};
use crate::core::record::{Needles, Repeat, Settled};
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
            let _ = decode_put(table, &key, &value);
            let _ = decode_put(table, &key, &body);
        }
        let _ = decode::<CellRow>(&key, &value);
    }

    #[test]
    fn needles_read_back(
        names in any::<[String; 3]>(), parts in any::<(u32, u32, u32, i64, Option<i64>, i64)>()
    ) {
        let [vantage, gateway, slice] = names;
        let (dead, refused, flaky, at, down_since, time_out) = parts;
        let row = CellRow {
            cell: Cell { vantage, gateway, slice },
            needles: Needles {
                dead, refused, flaky,
                at: Timestamp::from_ms(at),
                down_since: down_since.map(Timestamp::from_ms),
                time_out: Span::from_ms(time_out),
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

/// The bytes of version 1, for ever.
#[test]
fn version_one_still_reads() {
    let check = |put: Put, key: &str, value: &str| {
        let (table, k, v) = encode_put(&put).expect("a row");
        assert_eq!((hex(&k).as_str(), hex(&v).as_str()), (key, value), "{}", table.name());
        assert_eq!(decode_put(table, &unhex(key), &unhex(value)), Ok(put));
    };
    check(
        Record::Delivery(settled()).into(),
        "01a0c4506c00000100000000000000070001869f",
        "0001020301ff1f010280b083c5986801030103011d01",
    );
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
