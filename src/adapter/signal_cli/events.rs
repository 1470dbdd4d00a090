//! What a signal-cli daemon tells on its own: server-sent events, and the receipts in them.
//
// Cites: WHATWG HTML, section 9.2.6 (event streams); signal-cli, `man signal-cli-jsonrpc`.

use super::provider_id;
use crate::core::outcome::{Receipt, ReceiptKind, ReceiptRef};
use crate::core::time::Timestamp;
use serde_json::Value;

/// The longest line of a stream: an inbound message of some kilobytes, and then some.
const LINE_BYTES_MAX: usize = 256 * 1024;

/// Cuts a stream's bytes into the data of its events.
#[derive(Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: String,
}

/// The stream holds a line that nobody would send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LineTooLong;

impl Events {
    /// Takes the next bytes and returns the data of each event that they end.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, LineTooLong> {
        let mut ended = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                if self.line.len() == LINE_BYTES_MAX {
                    return Err(LineTooLong);
                }
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            let line = line.strip_suffix('\r').unwrap_or(&line);
            if line.is_empty() {
                if !self.data.is_empty() {
                    ended.push(std::mem::take(&mut self.data));
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                if self.data.len() + data.len() > LINE_BYTES_MAX {
                    return Err(LineTooLong);
                }
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
        }
        Ok(ended)
    }
}

/// Returns the receipts of one event for our account: those that the recipient's device sends, and a quote of one of
/// our messages or a reaction to it, which acknowledge it.
pub(super) fn receipts(data: &str, account: &str) -> Vec<Receipt> {
    let Ok(event) = serde_json::from_str::<Value>(data) else { return Vec::new() };
    let inner = [&event, &event["params"], &event["params"]["result"]];
    let Some(holder) = inner.into_iter().find(|value| value["envelope"].is_object()) else {
        return Vec::new();
    };
    if holder["account"].as_str().is_some_and(|other| other != account) {
        return Vec::new();
    }
    let envelope = &holder["envelope"];
    let sender = ["sourceUuid", "sourceNumber", "source"].iter().find_map(|key| envelope[key].as_str());
    let Some(sender) = sender.filter(|sender| !sender.is_empty()) else { return Vec::new() };
    let receipt = |sent: &Value, kind, at: &Value| {
        let of = ReceiptRef::Provider(provider_id(sender, sent.as_i64()?)?);
        Some(Receipt { of, kind, reason: None, at: at.as_i64().map(Timestamp::from_ms) })
    };
    let told = &envelope["receiptMessage"];
    if told.is_object() {
        let kind = match told {
            _ if told["isRead"] == true || told["isViewed"] == true => ReceiptKind::Read,
            _ if told["isDelivery"] == true => ReceiptKind::Delivered,
            _ => return Vec::new(),
        };
        let sent = told["timestamps"].as_array().into_iter().flatten();
        return sent.filter_map(|sent| receipt(sent, kind, &told["when"])).collect();
    }
    let message = &envelope["dataMessage"];
    let of_ours = |author: &Value| author.as_str().is_none_or(|author| author == account);
    let (quote, reaction) = (&message["quote"], &message["reaction"]);
    let answered = match () {
        () if quote["id"].is_i64() && of_ours(&quote["authorNumber"]) => &quote["id"],
        () if reaction["isRemove"] != true && of_ours(&reaction["targetAuthorNumber"]) => {
            &reaction["targetSentTimestamp"]
        }
        () => &Value::Null,
    };
    receipt(answered, ReceiptKind::Acknowledged, &envelope["timestamp"]).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_stream_is_cut_into_events_wherever_its_packets_end() {
        let stream =
            ":\nevent:receive\ndata:{\"a\":1}\n\n:\r\ndata: {\"b\":\r\ndata: 2}\r\n\r\nevent:x\n\ndata:half";
        let expected = ["{\"a\":1}", "{\"b\":2}"];
        for size in [1, 2, 7, 1000] {
            let mut events = Events::default();
            let pieces = stream.as_bytes().chunks(size);
            let all: Vec<_> = pieces.flat_map(|piece| events.push(piece).expect("short lines")).collect();
            assert_eq!(all, expected, "{size}");
        }
        assert_eq!(Events::default().push(&vec![b'x'; LINE_BYTES_MAX + 1]), Err(LineTooLong));
        let mut endless = Events::default();
        let line = format!("data:{}\n", "x".repeat(1000));
        assert!((0..300).any(|_| endless.push(line.as_bytes()).is_err()));
    }

    const ME: &str = "+15550001111";

    fn check(event: Value, expected: &[(&str, ReceiptKind)]) {
        let found = receipts(&event.to_string(), ME);
        let found: Vec<_> = found
            .iter()
            .map(|r| match &r.of {
                ReceiptRef::Provider(id) => (id.as_str(), r.kind),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, expected, "{event}");
    }

    #[test]
    fn receipts_are_matched_by_sender_and_time() {
        let told = |more: Value| {
            let mut told = json!({"when": 1700000005000i64, "isDelivery": true, "isRead": false,
                                  "timestamps": [1700000000000i64, 1700000000001i64]});
            told.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            told
        };
        let by = |uuid: Value, number: Value, told: Value| json!({"account": ME, "envelope": {"sourceUuid": uuid, "sourceNumber": number, "receiptMessage": told}});
        let delivered = |id| (id, ReceiptKind::Delivered);
        let both = by(json!("C0FFEE"), json!("+15551230000"), told(json!({})));
        check(both.clone(), &[delivered("c0ffee:1700000000000"), delivered("c0ffee:1700000000001")]);
        let number = by(Value::Null, json!("+15551230000"), told(json!({"timestamps": [5]})));
        check(number, &[delivered("+15551230000:5")]);
        let read = by(json!("c0ffee"), Value::Null, told(json!({"isRead": true, "timestamps": [5]})));
        check(read.clone(), &[("c0ffee:5", ReceiptKind::Read)]);
        check(json!({"method": "receive", "params": read}), &[("c0ffee:5", ReceiptKind::Read)]);
        check(
            json!({"method": "receive", "params": {"subscription": 0, "result": read}}),
            &[("c0ffee:5", ReceiptKind::Read)],
        );
        check(by(Value::Null, Value::Null, told(json!({}))), &[]);
        check(by(json!("u"), Value::Null, told(json!({"isDelivery": false}))), &[]);
        check(by(json!("u"), Value::Null, told(json!({"timestamps": ["x", null]}))), &[]);
        let mut other = both;
        other["account"] = json!("+15550002222");
        check(other, &[]);
        assert_eq!(receipts("{", ME), []);
    }

    #[test]
    fn a_quote_or_a_reaction_acknowledges() {
        let by =
            |message: Value| json!({"envelope": {"sourceUuid": "u", "timestamp": 9, "dataMessage": message}});
        let acknowledged = [("u:5", ReceiptKind::Acknowledged)];
        check(by(json!({"message": "safe", "quote": {"id": 5, "authorNumber": ME}})), &acknowledged);
        check(
            by(json!({"reaction": {"emoji": "👍", "targetSentTimestamp": 5, "isRemove": false}})),
            &acknowledged,
        );
        check(by(json!({"reaction": {"emoji": "👍", "targetSentTimestamp": 5, "isRemove": true}})), &[]);
        check(by(json!({"quote": {"id": 5, "authorNumber": "+15559999999"}})), &[]);
        check(by(json!({"message": "hello"})), &[]);
    }
}
