//! WhatsApp's webhook: the handshake, and batches of statuses and of what people write, under a signature.
//!
//! A Meta app has one address for the calls of all its numbers, so a gateway is called about others' messages as well:
//! it takes what names its own number, and what is another gateway's is overheard by that one, under its own secret.
//
// Cites: Meta, Graph API, "Webhooks": X-Hub-Signature-256 is over the raw bytes.

use super::codes::failure;
use crate::adapter::hook::{
    NOT_OURS, bad_signature, e164, from_hex, heard, is_secret, not_here, query_value, unreadable,
};
use crate::adapter::{Heard, HookAnswer, HookRequest};
use crate::core::outcome::{PROVIDER_ID_BYTES_MAX, Receipt, ReceiptKind, ReceiptRef};
use crate::core::reply::{Reply, Said};
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
    /// The number's id at Meta.
    pub(super) number: String,
}

impl Keys {
    /// Answers a call. Without the key that it needs, nothing listens.
    pub(super) fn answer(&self, request: &HookRequest) -> HookAnswer {
        match (request.method.as_str(), &self.verify_token, &self.app_secret) {
            _ if !request.is_at_root() => not_here(),
            ("GET", Some(token), _) => handshake(&request.query, token),
            ("POST", _, Some(key)) => self.statuses(request, key),
            _ => not_here(),
        }
    }

    /// Takes what is this number's in a call that came to another gateway.
    pub(super) fn overhear(&self, request: &HookRequest) -> Heard {
        let Some(key) = self.app_secret.as_ref().filter(|_| request.method == "POST") else {
            return Heard::default();
        };
        let Ok(body) = signed(request, key) else { return Heard::default() };
        read(&body, |number| number == Some(&self.number))
    }

    fn statuses(&self, request: &HookRequest, key: &hmac::Key) -> HookAnswer {
        let body = match signed(request, key) {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let ours = read(&body, |number| number.is_none_or(|number| number == self.number));
        let is_for_others = ours.is_empty() && !read(&body, |_| true).is_empty();
        let answer = HookAnswer { replies: ours.replies, ..heard(ours.receipts) };
        // Answered well all the same: what is repeated for seven days would say nothing else.
        if is_for_others { HookAnswer { result: NOT_OURS, ..answer } } else { answer }
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

/// Reads a call that the app signed.
fn signed(request: &HookRequest, key: &hmac::Key) -> Result<Value, HookAnswer> {
    let signature = request.header("x-hub-signature-256").and_then(|s| s.strip_prefix("sha256="));
    let signature = signature.and_then(from_hex).ok_or_else(bad_signature)?;
    hmac::verify(key, &request.body, &signature).map_err(|_| bad_signature())?;
    let body = serde_json::from_slice::<Value>(&request.body).ok();
    body.filter(Value::is_object).ok_or_else(unreadable)
}

/// Returns every status and every message of every change of every entry, where the change is of such a number; what has
/// no meaning here is passed over.
fn read(body: &Value, is_wanted: impl Fn(Option<&str>) -> bool) -> Heard {
    let mut heard = Heard::default();
    for change in list(body, "entry").flat_map(|entry| list(entry, "changes")) {
        let value = &change["value"];
        if is_wanted(value["metadata"]["phone_number_id"].as_str()) {
            heard.receipts.extend(list(value, "statuses").filter_map(receipt));
            heard.replies.extend(list(value, "messages").filter_map(reply));
        }
    }
    heard
}

/// Reads what a person wrote to the number. Reactions and the platform's own notes are no words of theirs.
fn reply(message: &Value) -> Option<Reply> {
    let said = match message["type"].as_str()? {
        "text" => Said::text(message["text"]["body"].as_str()?),
        // The back of a template's button is the author's own; without one its face says as much.
        "button" => {
            let button = &message["button"];
            match button["payload"].as_str().filter(|back| !back.is_empty()) {
                Some(back) => Said::button(back),
                None => Said::text(button["text"].as_str()?),
            }
        }
        "interactive" => Said::button(pressed(&message["interactive"])?),
        "reaction" | "system" | "unsupported" | "ephemeral" | "request_welcome" => return None,
        _ => Said::Other,
    };
    let quoted = id_of(&message["context"]);
    let secs = message["timestamp"].as_str().and_then(|secs| secs.parse::<i64>().ok());
    Some(Reply {
        from: e164(message["from"].as_str()?)?,
        said,
        id: id_of(message)?,
        of: quoted.map(ReceiptRef::Provider),
        at: secs.map(|secs| Timestamp::from_ms(secs.saturating_mul(1000))),
    })
}

fn pressed(interactive: &Value) -> Option<&str> {
    let of = |kind: &str| interactive[kind]["id"].as_str();
    of("button_reply").or_else(|| of("list_reply"))
}

fn id_of(value: &Value) -> Option<String> {
    let id = value["id"].as_str().filter(|id| !id.is_empty() && id.len() <= PROVIDER_ID_BYTES_MAX);
    id.map(str::to_owned)
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
    let id = id_of(status);
    let echo = status["biz_opaque_callback_data"].as_str().and_then(|echo| echo.parse().ok());
    let of = match (id, echo) {
        (Some(id), Some(attempt)) => ReceiptRef::Both(id, attempt),
        (Some(id), None) => ReceiptRef::Provider(id),
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
            number: "111".into(),
        }
    }

    fn call(body: &[u8], signature: Option<&str>) -> HookRequest {
        let headers = signature.map(|s| ("x-hub-signature-256".to_owned(), s.to_owned()));
        HookRequest {
            method: "POST".into(),
            headers: headers.into_iter().collect(),
            body: body.to_vec(),
            ..HookRequest::default()
        }
    }

    fn post(body: &[u8], signature: Option<&str>) -> HookAnswer {
        keys().answer(&call(body, signature))
    }

    fn signed_call(body: &Value) -> HookRequest {
        let bytes = body.to_string().into_bytes();
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"app-secret");
        let tag: String = hmac::sign(&key, &bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect();
        call(&bytes, Some(&format!("sha256={tag}")))
    }

    fn signed(body: &Value) -> HookAnswer {
        keys().answer(&signed_call(body))
    }

    #[test]
    fn each_number_takes_its_own_statuses_of_a_shared_address() {
        let change = |number: &str, id: &str| {
            json!({"field": "messages", "value": {
                "metadata": {"phone_number_id": number}, "statuses": [{"id": id, "status": "read"}]}})
        };
        let body = |changes: Vec<Value>| json!({"entry": [{"id": "W", "changes": changes}]});
        let ids =
            |receipts: Vec<Receipt>| -> Vec<ReceiptRef> { receipts.into_iter().map(|r| r.of).collect() };
        let by = |id: &str| ReceiptRef::Provider(id.into());
        let both = body(vec![change("111", "A"), change("222", "B"), change("333", "C")]);
        let answer = signed(&both);
        assert_eq!((answer.status, answer.result, ids(answer.receipts)), (200, "ok", vec![by("A")]));
        let other = Keys { number: "222".into(), ..keys() };
        assert_eq!(ids(other.overhear(&signed_call(&both)).receipts), [by("B")]);
        // Another app's secret, or none, takes nothing; and what names no number is for whom it was sent to.
        let foreign = Some(hmac::Key::new(hmac::HMAC_SHA256, b"other"));
        assert!(Keys { app_secret: foreign, ..keys() }.overhear(&signed_call(&both)).is_empty());
        assert!(Keys { app_secret: None, ..keys() }.overhear(&signed_call(&both)).is_empty());
        let nameless =
            json!({"entry": [{"changes": [{"value": {"statuses": [{"id": "D", "status": "read"}]}}]}]});
        assert_eq!(ids(signed(&nameless).receipts), [by("D")]);
        assert!(other.overhear(&signed_call(&nameless)).is_empty());
        let answer = signed(&body(vec![change("222", "B")]));
        assert_eq!((answer.status, answer.result, answer.receipts), (200, NOT_OURS, vec![]));
        assert_eq!(signed(&body(vec![])).result, "ok");
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
        let deaf = Keys { app_secret: None, verify_token: None, ..keys() };
        assert_eq!(deaf.answer(&HookRequest { method: "POST".into(), ..below }), not_here());
    }

    #[test]
    fn what_people_write_becomes_replies() {
        let body = |messages: Value| {
            json!({"entry": [{"changes": [{"field": "messages", "value": {
                "metadata": {"phone_number_id": "111"},
                "contacts": [{"wa_id": "970599000001", "profile": {"name": "Amal"}}], "messages": messages}}]}]})
        };
        let message = |kind: &str, what: Value| {
            let mut message = json!({
                "from": "970599000001", "id": "wamid.R", "timestamp": "1700000000", "type": kind});
            message[kind] = what;
            message
        };
        let check = |message: Value, expected: Option<(Said, Option<&str>)>| {
            let answer = signed(&body(json!([message])));
            let expected = expected.map(|(said, of)| Reply {
                from: "+970599000001".into(),
                said,
                id: "wamid.R".into(),
                of: of.map(|id| ReceiptRef::Provider(id.into())),
                at: Some(Timestamp::from_ms(1_700_000_000_000)),
            });
            assert_eq!((answer.status, answer.replies), (200, expected.into_iter().collect()), "{message}");
        };
        let words = |words: &str| Said::Text(words.into());
        let pressed = |back: &str| Said::Button(back.into());
        check(message("text", json!({"body": " أنا بخير "})), Some((words("أنا بخير"), None)));
        let mut quoting = message("text", json!({"body": "1"}));
        quoting["context"] = json!({"from": "111", "id": "wamid.A"});
        check(quoting, Some((words("1"), Some("wamid.A"))));
        let mut button = message("button", json!({"payload": "safe", "text": "I am safe"}));
        button["context"] = json!({"id": "wamid.A"});
        check(button, Some((pressed("safe"), Some("wamid.A"))));
        check(message("button", json!({"text": "I am safe"})), Some((words("I am safe"), None)));
        let face = json!({"type": "button_reply", "button_reply": {"id": "X:safe", "title": "Safe"}});
        check(message("interactive", face), Some((pressed("X:safe"), None)));
        let listed = json!({"type": "list_reply", "list_reply": {"id": "Y", "title": "Z"}});
        check(message("interactive", listed), Some((pressed("Y"), None)));
        check(message("image", json!({"id": "7", "caption": "here"})), Some((Said::Other, None)));
        check(message("text", json!({"body": "  "})), Some((Said::Other, None)));
        check(message("reaction", json!({"emoji": "👍"})), None);
        let mut nobody = message("text", json!({"body": "1"}));
        nobody["from"] = json!("status@broadcast");
        check(nobody, None);
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
