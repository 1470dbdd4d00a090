//! Calls of the ready descriptions' providers, and what each is heard as.

use super::super::ready::described;
use super::*;
use crate::core::ids::{DeliveryId, MessageId};
use crate::diag::{Place, Source, Spanned};
use ring::hmac;
use serde_json::json;

const SECRET: &str = "0123456789abcdef";
const NOW: Timestamp = Timestamp::from_ms(1_700_000_000_000);

fn receipts(name: &str) -> Receipts {
    let place = Place { source: Source::new("f", ""), span: 0..0 };
    let mut diags = Diagnostics::default();
    let mut table = described(&Spanned { value: name.to_owned(), place }, &mut diags).expect("it is there");
    let owner = table.clone();
    let receipt = table.table("receipt", &mut diags).expect("it has receipts");
    let receipts = Receipts::read(receipt, ("g", &owner), Some(Secret::new(SECRET)), &mut diags);
    assert!(diags.is_empty(), "{}", diags.render());
    receipts.expect("sound")
}

fn attempt(n: u16) -> AttemptId {
    AttemptId::new(DeliveryId::new(MessageId::from_bytes([1; 16]), 3), n)
}

/// Makes a call to where `{callback}` said, with more in its query.
fn call(receipts: &Receipts, query: &str, body: &str) -> HookRequest {
    let callback = receipts.proof.callback("", attempt(2));
    let method = if body.is_empty() { "GET" } else { "POST" };
    HookRequest {
        method: method.into(),
        path: callback,
        query: query.into(),
        headers: Vec::new(),
        body: body.into(),
    }
}

fn heard_of(receipts: &Receipts, request: &HookRequest) -> Vec<Receipt> {
    let answer = receipts.answer(request, &Parts::default(), NOW);
    assert_eq!((answer.status, answer.result), (200, "ok"));
    answer.receipts
}

fn ours(kind: ReceiptKind, reason: Option<Reason>) -> Receipt {
    Receipt { of: ReceiptRef::Attempt(attempt(2)), kind, reason, at: None }
}

#[test]
fn kannel_fills_our_url() {
    let kannel = receipts("kannel");
    let check = |query: &str, expected: Option<(ReceiptKind, Option<Reason>)>| {
        let heard = heard_of(&kannel, &call(&kannel, query, ""));
        let expected: Vec<_> = expected.into_iter().map(|(kind, reason)| ours(kind, reason)).collect();
        assert_eq!(heard, expected, "{query}");
    };
    let failed = |reason| Some((ReceiptKind::Failed, Some(reason)));
    check("type=1&answer=", Some((ReceiptKind::Delivered, None)));
    check("type=8&answer=ACK%2F", Some((ReceiptKind::Sent, None)));
    check("type=4&answer=", None);
    check("type=2&answer=", failed(Reason::Undeliverable));
    check("type=16&answer=NACK%2F0x0000000b%2FInvalid+Destination+Address", failed(Reason::BadAddress));
    check("type=16&answer=NACK%2F0x00000045%2FSubmit+failed", failed(Reason::ProviderFault));
    check("type=34&answer=", failed(Reason::Undeliverable));
    let timed = heard_of(&kannel, &call(&kannel, "type=1&answer=&at=1700000000", ""));
    assert_eq!(timed[0].at, Some(NOW));
    assert_eq!(kannel.answer(&call(&kannel, "", ""), &Parts::default(), NOW).result, "unreadable");
}

#[test]
fn what_nothing_proves_is_not_heard() {
    for name in ["kannel", "jasmin", "vonage", "infobip", "sms-gate"] {
        let receipts = receipts(name);
        for path in ["", "/", "/x", "/x/y", &format!("/{}/AAAAAAAAAAAAAAAAAAAAAA", attempt(2))] {
            let body =
                json!({"results": [{"messageId": attempt(2).to_string(), "status": {"name": "DELIVERED"}}]});
            let request = HookRequest {
                method: "POST".into(),
                path: path.into(),
                query: "type=1&message_status=DELIVRD&status=delivered".into(),
                headers: Vec::new(),
                body: body.to_string().into(),
            };
            let answer = receipts.answer(&request, &Parts::default(), NOW);
            assert_eq!((answer.status, answer.result), (403, "bad_signature"), "{name} {path}");
            assert_eq!(answer.receipts, []);
        }
    }
}

#[test]
fn jasmin_is_answered_by_its_own_words() {
    let jasmin = receipts("jasmin");
    let check = |status: &str, expected: (ReceiptKind, Option<Reason>)| {
        let request = call(&jasmin, "", &format!("id=07033084&level=2&message_status={status}"));
        let answer = jasmin.answer(&request, &Parts::default(), NOW);
        assert_eq!((answer.status, answer.body.as_str()), (200, "ACK/Jasmin"));
        assert_eq!(answer.receipts, [ours(expected.0, expected.1)], "{status}");
    };
    check("ESME_ROK", (ReceiptKind::Sent, None));
    check("DELIVRD", (ReceiptKind::Delivered, None));
    check("UNDELIV", (ReceiptKind::Failed, Some(Reason::Undeliverable)));
    check("ESME_RINVDSTADR", (ReceiptKind::Failed, Some(Reason::BadAddress)));
    check("ESME_RSYSERR", (ReceiptKind::Failed, Some(Reason::ProviderFault)));
}

#[test]
fn infobip_calls_with_many_at_once() {
    let infobip = receipts("infobip");
    let result = |id: &str, name: &str, group: &str, error: u16| {
        json!({"messageId": id, "status": {"name": name, "groupName": group}, "error": {"id": error},
               "doneAt": "2023-11-14T23:13:20.000+0100"})
    };
    let ids: Vec<String> = (1..=4).map(|n| attempt(n).to_string()).collect();
    let body = json!({"results": [
        result(&ids[0], "DELIVERED_TO_HANDSET", "DELIVERED", 0),
        result(&ids[1], "DELIVERED_TO_OPERATOR", "DELIVERED", 0),
        result(&ids[2], "UNDELIVERABLE_NOT_DELIVERED", "UNDELIVERABLE", 1),
        result(&ids[3], "PENDING_ENROUTE", "PENDING", 0),
        result("campaign-7", "EXPIRED_EXPIRED", "EXPIRED", 6),
        7]});
    let heard = heard_of(&infobip, &call(&infobip, "", &body.to_string()));
    let expected = |of, kind, reason| Receipt { of, kind, reason, at: Some(NOW) };
    let both = |n: usize| ReceiptRef::Both(ids[n].clone(), attempt(n as u16 + 1));
    assert_eq!(
        heard,
        [
            expected(both(0), ReceiptKind::Delivered, None),
            expected(both(1), ReceiptKind::Sent, None),
            expected(both(2), ReceiptKind::Failed, Some(Reason::NotOnChannel)),
            expected(
                ReceiptRef::Provider("campaign-7".into()),
                ReceiptKind::Failed,
                Some(Reason::Undeliverable)
            ),
        ]
    );
}

#[test]
fn vonage_tells_of_each_part_and_of_no_other_attempt() {
    let vonage = receipts("vonage");
    let parts = Parts::default();
    parts.expect(attempt(2), 2);
    let hear = |n: u16, part: &str, status: &str, code: &str| {
        let query = format!("messageId={part}&client-ref={}&status={status}&err-code={code}", attempt(n));
        vonage.answer(&call(&vonage, &query, ""), &parts, NOW).receipts
    };
    assert_eq!(hear(2, "a", "accepted", "0"), [ours(ReceiptKind::Sent, None)]);
    assert_eq!(hear(2, "a", "delivered", "0"), [ours(ReceiptKind::Sent, None)]);
    assert_eq!(hear(2, "a", "delivered", "0"), [ours(ReceiptKind::Sent, None)]);
    assert_eq!(hear(2, "b", "delivered", "0"), [ours(ReceiptKind::Delivered, None)]);
    assert_eq!(hear(2, "b", "delivered", "0"), [ours(ReceiptKind::Delivered, None)]);
    assert_eq!(hear(2, "b", "failed", "6"), [ours(ReceiptKind::Failed, Some(Reason::ContentRefused))]);
    assert_eq!(hear(3, "c", "delivered", "0"), [], "by another attempt's URL");
    // As JSON, where the account says so.
    let body =
        json!({"messageId": "z", "client-ref": attempt(2).to_string(), "status": "failed", "err-code": "9"});
    let heard = vonage.answer(&call(&vonage, "", &body.to_string()), &parts, NOW).receipts;
    assert_eq!(heard, [ours(ReceiptKind::Failed, Some(Reason::BadAddress))]);
}

#[test]
fn a_phone_signs() {
    let phone = receipts("sms-gate");
    let signed = |body: &str, key: &str, at: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        let tag = hmac::sign(&key, format!("{body}{at}").as_bytes());
        let tag: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let headers = [("x-signature", tag.as_str()), ("x-timestamp", at)];
        HookRequest {
            method: "POST".into(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body: body.into(),
            ..HookRequest::default()
        }
    };
    let event = |event: &str, more: &str| {
        format!(r#"{{"event":"{event}","id":"e1","payload":{{"messageId":"{}"{more}}}}}"#, attempt(2))
    };
    let body = event("sms:delivered", r#","deliveredAt":"2023-11-15T00:13:20.000+02:00""#);
    let heard = heard_of(&phone, &signed(&body, SECRET, "1700000000"));
    assert_eq!(heard, [Receipt { at: Some(NOW), ..ours(ReceiptKind::Delivered, None) }]);
    let failed = event("sms:failed", r#","reason":"RESULT_ERROR_LIMIT_EXCEEDED""#);
    let heard = heard_of(&phone, &signed(&failed, SECRET, "1700000000"));
    assert_eq!(heard, [ours(ReceiptKind::Failed, Some(Reason::Throttled))]);
    assert_eq!(heard_of(&phone, &signed(&event("sms:received", ""), SECRET, "1700000000")), []);
    for (key, at) in [("another key", "1700000000"), (SECRET, "1600000000")] {
        let answer = phone.answer(&signed(&body, key, at), &Parts::default(), NOW);
        assert_eq!((answer.result, answer.receipts), ("bad_signature", vec![]));
    }
}

#[test]
fn times_are_read_in_their_usual_forms() {
    let check = |text: &str, expected: Option<i64>| {
        assert_eq!(time(text).map(Timestamp::ms), expected, "{text}");
    };
    check("1700000000", Some(1_700_000_000_000));
    check("1700000000123", Some(1_700_000_000_123));
    check("2023-11-14T22:13:20Z", Some(1_700_000_000_000));
    check("2023-11-14T23:13:20.000+0100", Some(1_700_000_000_000));
    check("2023-11-14T23:13:20+01:00", Some(1_700_000_000_000));
    check("0", None);
    check("", None);
    check("yesterday", None);
}
