//! WhatsApp's webhook: the handshake, and batches of statuses under a signature.
//
// Cites: Meta, Graph API, "Webhooks": X-Hub-Signature-256 is over the raw bytes.

use super::codes::failure;
use crate::adapter::hook::{bad_signature, from_hex, heard, is_secret, not_here, query_value, unreadable};
use crate::adapter::{HookAnswer, HookRequest};
use crate::core::outcome::{PROVIDER_ID_BYTES_MAX, Receipt, ReceiptKind, ReceiptRef};
use crate::core::time::Timestamp;
use crate::diag::Secret;
use ring::hmac;
use serde_json::Value;

/// What makes a call the provider's.
pub(super) struct Keys {
    /// Signs every call.
    pub(super) app_secret: Option<hmac::Key>,
    /// Is given in the handshake.
    pub(super) verify_token: Option<Secret>,
}

impl Keys {
    /// Answers a call. Without the key that it needs, nothing listens.
    pub(super) fn answer(&self, request: &HookRequest) -> HookAnswer {
        match (request.method.as_str(), &self.verify_token, &self.app_secret) {
            _ if !request.is_at_root() => not_here(),
            ("GET", Some(token), _) => handshake(&request.query, token),
            ("POST", _, Some(key)) => statuses(request, key),
            _ => not_here(),
        }
    }
}

fn handshake(query: &str, token: &Secret) -> HookAnswer {
    let given = query_value(query, "hub.verify_token").unwrap_or_default();
    let mode = query_value(query, "hub.mode");
    match query_value(query, "hub.challenge") {
        _ if !is_secret(&given, token.expose()) => bad_signature(),
        Some(challenge) if mode.as_deref() == Some("subscribe") => {
            HookAnswer { body: challenge, ..heard(Vec::new()) }
        }
        _ => unreadable(),
    }
}

fn statuses(request: &HookRequest, key: &hmac::Key) -> HookAnswer {
    let signature = request.header("x-hub-signature-256").and_then(|s| s.strip_prefix("sha256="));
    let Some(signature) = signature.and_then(from_hex) else { return bad_signature() };
    if hmac::verify(key, &request.body, &signature).is_err() {
        return bad_signature();
    }
    match serde_json::from_slice::<Value>(&request.body) {
        Ok(body) if body.is_object() => heard(receipts(&body)),
        _ => unreadable(),
    }
}

/// Returns every status of every change of every entry; what is not a status, or has no meaning here, is passed over.
fn receipts(body: &Value) -> Vec<Receipt> {
    let changes = list(body, "entry").flat_map(|entry| list(entry, "changes"));
    changes.flat_map(|change| list(&change["value"], "statuses")).filter_map(receipt).collect()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn receipt(status: &Value) -> Option<Receipt> {
    let kind = match status["status"].as_str()? {
        "sent" => ReceiptKind::Sent,
        "delivered" => ReceiptKind::Delivered,
        "read" => ReceiptKind::Read,
        "failed" => ReceiptKind::Failed,
        _ => return None,
    };
    let id = status["id"].as_str().filter(|id| !id.is_empty() && id.len() <= PROVIDER_ID_BYTES_MAX);
    let echo = status["biz_opaque_callback_data"].as_str().and_then(|echo| echo.parse().ok());
    let of = match (id, echo) {
        (Some(id), Some(attempt)) => ReceiptRef::Both(id.to_owned(), attempt),
        (Some(id), None) => ReceiptRef::Provider(id.to_owned()),
        (None, Some(attempt)) => ReceiptRef::Attempt(attempt),
        (None, None) => return None,
    };
    let reason = (kind == ReceiptKind::Failed).then(|| failure(status["errors"][0]["code"].as_i64()));
    let secs = status["timestamp"].as_str().and_then(|secs| secs.parse::<i64>().ok());
    let at = secs.map(|secs| Timestamp::from_ms(secs.saturating_mul(1000)));
    Some(Receipt { of, kind, reason, at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{AttemptId, DeliveryId, MessageId};
    use crate::core::outcome::Reason;
    use serde_json::json;

    fn keys() -> Keys {
        Keys {
            app_secret: Some(hmac::Key::new(hmac::HMAC_SHA256, b"app-secret")),
            verify_token: Some(Secret::new("ours")),
        }
    }

    fn post(body: &[u8], signature: Option<&str>) -> HookAnswer {
        let headers = signature.map(|s| ("x-hub-signature-256".to_owned(), s.to_owned()));
        keys().answer(&HookRequest {
            method: "POST".into(),
            headers: headers.into_iter().collect(),
            body: body.to_vec(),
            ..HookRequest::default()
        })
    }

    fn signed(body: &Value) -> HookAnswer {
        let bytes = body.to_string().into_bytes();
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"app-secret");
        let tag: String = hmac::sign(&key, &bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect();
        post(&bytes, Some(&format!("sha256={tag}")))
    }

    #[test]
    fn the_signature_is_over_the_raw_bytes() {
        let good = "sha256=a2ac6607a24977f9757e6d78319ae1660ad42ffeee0ee3f0dff30a92bcf85448";
        let check = |body: &[u8], signature: Option<&str>, expected| {
            let answer = post(body, signature);
            assert_eq!((answer.status, answer.result), expected, "{signature:?}");
        };
        check(br#"{"a":1}"#, Some(good), (200, "ok"));
        check(br#"{"a": 1}"#, Some(good), (403, "bad_signature"));
        check(br#"{"a":1}"#, None, (403, "bad_signature"));
        check(br#"{"a":1}"#, Some(&good[7..]), (403, "bad_signature"));
        check(br#"{"a":1}"#, Some(&good[..good.len() - 2]), (403, "bad_signature"));
        check(br#"{"a":1}"#, Some("sha256="), (403, "bad_signature"));
        check(br#"{"a":1}"#, Some("sha256=zz"), (403, "bad_signature"));
        assert_eq!(signed(&json!([1])).result, "unreadable");
        assert_eq!(signed(&json!({"entry": 7})), heard(Vec::new()));
    }

    #[test]
    fn the_handshake_echoes_the_challenge_for_our_token_alone() {
        let check = |query: &str, expected: (u16, &str)| {
            let request = HookRequest { method: "GET".into(), query: query.into(), ..HookRequest::default() };
            let answer = keys().answer(&request);
            assert_eq!((answer.status, answer.body.as_str()), expected, "{query}");
        };
        check("hub.mode=subscribe&hub.verify_token=ours&hub.challenge=12345", (200, "12345"));
        check("hub.mode=subscribe&hub.verify_token=theirs&hub.challenge=12345", (403, ""));
        check("hub.mode=subscribe&hub.challenge=12345", (403, ""));
        check("hub.mode=subscribe&hub.verify_token=ours", (400, ""));
        check("hub.mode=other&hub.verify_token=ours&hub.challenge=1", (400, ""));
        let below = HookRequest { method: "GET".into(), path: "/x".into(), ..HookRequest::default() };
        assert_eq!(keys().answer(&below), not_here());
        let deaf = Keys { app_secret: None, verify_token: None };
        assert_eq!(deaf.answer(&HookRequest { method: "POST".into(), ..below }), not_here());
    }

    #[test]
    fn batched_statuses_become_receipts() {
        let attempt = AttemptId::new(DeliveryId::new(MessageId::from_bytes([1; 16]), 3), 2);
        let at = Some(Timestamp::from_ms(1_700_000_000_000));
        let status = |id: &str, word: &str| json!({"id": id, "status": word, "timestamp": "1700000000"});
        let mut echoed = status("wamid.A", "delivered");
        echoed["biz_opaque_callback_data"] = json!(attempt.to_string());
        let mut failed = status("wamid.B", "failed");
        failed["errors"] = json!([{"code": 131026, "title": "Message undeliverable"}]);
        let mut foreign = status("wamid.C", "read");
        foreign["biz_opaque_callback_data"] = json!("campaign-7");
        let body = json!({"object": "whatsapp_business_account", "entry": [
            {"id": "W", "changes": [
                {"field": "messages", "value": {"statuses": [echoed, failed]}},
                {"field": "account_update", "value": {}},
                {"field": "messages", "value": {"messages": [{"from": "1", "type": "text"}]}}]},
            {"id": "W", "changes": [{"field": "messages", "value": {"statuses": [
                foreign, status("wamid.D", "sent"), status("wamid.E", "warning"), status("", "read"), 7]}}]}]});
        let receipt = |of, kind, reason| Receipt { of, kind, reason, at };
        let by = |id: &str| ReceiptRef::Provider(id.into());
        let expected = vec![
            receipt(ReceiptRef::Both("wamid.A".into(), attempt), ReceiptKind::Delivered, None),
            receipt(by("wamid.B"), ReceiptKind::Failed, Some(Reason::NotOnChannel)),
            receipt(by("wamid.C"), ReceiptKind::Read, None),
            receipt(by("wamid.D"), ReceiptKind::Sent, None),
        ];
        assert_eq!(signed(&body), heard(expected));
    }
}
