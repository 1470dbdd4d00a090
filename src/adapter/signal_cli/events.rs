//! What a signal-cli daemon tells on its own: server-sent events, the receipts in them and what people write.
//
// Cites: WHATWG HTML, section 9.2.6 (event streams); signal-cli, `man signal-cli-jsonrpc`.

use super::provider_id;
use crate::adapter::Heard;
use crate::core::outcome::{Receipt, ReceiptKind, ReceiptRef};
use crate::core::reply::{Reply, Said};
use crate::core::time::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// The most recipients of whom is remembered how their messages name them: a large audience, at about 200 bytes each.
const NAMED_MAX: usize = 20_000;

/// The longest line of a stream: an inbound message of some kilobytes, and then some.
const LINE_BYTES_MAX: usize = 256 * 1024;

/// Cuts a stream's bytes into the data of its events. An event that is too long is left out; those around it stand.
#[derive(Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: String,
    /// Whether the event at hand is too long to be kept.
    too_long: bool,
}

impl Events {
    /// Takes the next bytes and returns the data of each event that they end.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut ended = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                match self.line.len() < LINE_BYTES_MAX {
                    true => self.line.push(*byte),
                    false => self.too_long = true,
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            let line = line.strip_suffix('\r').unwrap_or(&line);
            if line.is_empty() {
                let data = std::mem::take(&mut self.data);
                let too_long = std::mem::take(&mut self.too_long);
                if !data.is_empty() && !too_long {
                    ended.push(data);
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                self.too_long |= self.data.len() + data.len() > LINE_BYTES_MAX;
                if !self.too_long {
                    self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
                }
            }
        }
        ended
    }
}

/// By which of its names a recipient stands in the ids of its messages: the daemon answers with an account's UUID or, where
/// it does not know that, with the number, and tells of receipts by both, or by one of them.
///
/// Limits: [`NAMED_MAX`] numbers, the oldest forgotten first; nothing is stored. Who is not known here goes by the UUID.
#[derive(Default)]
pub(super) struct Named {
    by_number: BTreeMap<String, String>,
    order: VecDeque<String>,
}

impl Named {
    /// Learns from what was answered to a send to this address.
    pub(super) fn learn(&mut self, address: &str, provider_id: &str) {
        let Some((name, _)) = provider_id.rsplit_once(':') else { return };
        if self.by_number.insert(address.to_owned(), name.to_owned()).is_none() {
            self.order.push_back(address.to_owned());
        }
        if self.order.len() > NAMED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_number.remove(&oldest);
        }
    }

    /// Returns the number of one who hides it and whom we wrote to.
    fn number(&self, name: &str) -> Option<&str> {
        let found = self.by_number.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
        found.map(|(number, _)| number.as_str())
    }

    /// Returns the name by which the sender of an event stands in our ids. Another account that has come to the number
    /// of one does not speak for it.
    fn sender<'a>(&'a self, envelope: &'a Value) -> Option<&'a str> {
        let named = |key: &str| envelope[key].as_str().filter(|name| !name.is_empty());
        let (uuid, number) = (named("sourceUuid"), named("sourceNumber"));
        let known = number.and_then(|number| self.by_number.get(number)).map(String::as_str);
        known.filter(|known| Some(*known) == number).or(uuid).or(known).or(number).or(named("source"))
    }
}

/// Reads one event for our account.
pub(super) fn heard(data: &str, account: &str, named: &Named) -> Heard {
    let Ok(event) = serde_json::from_str::<Value>(data) else { return Heard::default() };
    let reply = reply_by(&event, account, |envelope| {
        let sender = named.sender(envelope)?;
        let number = envelope["sourceNumber"].as_str().filter(|number| !number.is_empty());
        Some((sender, number.or_else(|| named.number(sender)).unwrap_or(sender)))
    });
    let receipts = receipts_by(&event, account, |envelope| named.sender(envelope));
    Heard { receipts, replies: reply.into_iter().collect() }
}

/// Finds what an event for our account brings.
fn envelope<'a>(event: &'a Value, account: &str) -> Option<&'a Value> {
    let inner = [event, &event["params"], &event["params"]["result"]];
    let holder = inner.into_iter().find(|value| value["envelope"].is_object())?;
    let is_ours = holder["account"].as_str().is_none_or(|named| named == account);
    is_ours.then(|| &holder["envelope"])
}

/// Reads what a person wrote to our account, not to a group, where somebody says by which name the sender stands in our
/// ids, and the address.
pub(in crate::adapter) fn reply_by<'a>(
    event: &'a Value,
    account: &str,
    who: impl FnOnce(&'a Value) -> Option<(&'a str, &'a str)>,
) -> Option<Reply> {
    let envelope = envelope(event, account)?;
    let message = &envelope["dataMessage"];
    let words = message["message"].as_str().unwrap_or_default();
    let has_more = message["attachments"].as_array().is_some_and(|all| !all.is_empty());
    let is_of_a_group = message["groupInfo"].is_object() || message["groupV2"].is_object();
    if is_of_a_group || !(message["sticker"].is_object() || has_more || !words.is_empty()) {
        return None;
    }
    let (sender, address) = who(envelope)?;
    let at = message["timestamp"].as_i64().or_else(|| envelope["timestamp"].as_i64())?;
    let quote = &message["quote"];
    let of_ours = quote["authorNumber"].as_str().is_none_or(|author| author == account);
    let quoted = quote["id"].as_i64().filter(|_| of_ours).and_then(|sent| provider_id(sender, sent));
    Some(Reply {
        from: address.to_owned(),
        said: Said::text(words),
        id: provider_id(sender, at)?,
        of: quoted.map(ReceiptRef::Provider),
        at: Some(Timestamp::from_ms(at)),
    })
}

/// Returns the receipts of one event, where somebody says by which name its sender stands in our ids: those that the
/// recipient's device sends, and a quote of one of our messages or a reaction to it, which acknowledge it.
pub(in crate::adapter) fn receipts_by<'a>(
    event: &'a Value,
    account: &str,
    name: impl FnOnce(&'a Value) -> Option<&'a str>,
) -> Vec<Receipt> {
    let Some(envelope) = envelope(event, account) else { return Vec::new() };
    let Some(sender) = name(envelope) else { return Vec::new() };
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
            let all: Vec<_> = pieces.flat_map(|piece| events.push(piece)).collect();
            assert_eq!(all, expected, "{size}");
        }
    }

    #[test]
    fn an_event_that_is_too_long_costs_itself_alone() {
        let long_line = format!("data:{}\n", "x".repeat(LINE_BYTES_MAX + 1));
        let many_lines = format!("data:{}\n", "x".repeat(1000)).repeat(300);
        for long in [long_line, many_lines] {
            let mut events = Events::default();
            let stream = format!("data:before\n\n{long}data:of it\n\ndata:after\n\n");
            assert_eq!(events.push(stream.as_bytes()), ["before", "after"]);
            let pieces = stream.as_bytes().chunks(7);
            assert_eq!(pieces.flat_map(|piece| events.push(piece)).collect::<Vec<_>>(), ["before", "after"]);
        }
        let mut endless = Events::default();
        (0..3).for_each(|_| assert!(endless.push(&vec![b'x'; LINE_BYTES_MAX]).is_empty()));
        assert!(endless.line.len() <= LINE_BYTES_MAX, "what nobody ends takes no more room");
    }

    const ME: &str = "+15550001111";

    fn check(event: Value, expected: &[(&str, ReceiptKind)]) {
        check_for(&Named::default(), event, expected);
    }

    fn check_for(named: &Named, event: Value, expected: &[(&str, ReceiptKind)]) {
        let found = heard(&event.to_string(), ME, named).receipts;
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
    fn what_a_person_writes_is_a_reply() {
        let mut named = Named::default();
        named.learn("+15551230000", "uuid-1:1700000000000");
        let check = |message: Value, expected: Option<(&str, Said, Option<&str>)>| {
            let event = json!({"account": ME, "envelope": {
                "sourceUuid": "uuid-1", "sourceNumber": null, "timestamp": 9, "dataMessage": message}});
            let expected = expected.map(|(id, said, of)| Reply {
                from: "+15551230000".into(),
                said,
                id: id.into(),
                of: of.map(|id| ReceiptRef::Provider(id.into())),
                at: Some(Timestamp::from_ms(9)),
            });
            let replies = heard(&event.to_string(), ME, &named).replies;
            assert_eq!(replies, expected.into_iter().collect::<Vec<_>>(), "{message}");
        };
        let words = |words: &str| Said::Text(words.into());
        check(json!({"timestamp": 9, "message": "نعم"}), Some(("uuid-1:9", words("نعم"), None)));
        let quote = json!({"timestamp": 9, "message": "2", "quote": {"id": 1_700_000_000_000i64, "authorNumber": ME}});
        check(quote, Some(("uuid-1:9", words("2"), Some("uuid-1:1700000000000"))));
        let picture = json!({"timestamp": 9, "message": null, "attachments": [{"id": "x"}]});
        check(picture, Some(("uuid-1:9", Said::Other, None)));
        check(json!({"timestamp": 9, "message": "hi", "groupInfo": {"groupId": "g"}}), None);
        check(json!({"timestamp": 9, "message": null, "reaction": {"emoji": "x"}}), None);
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
        assert!(heard("{", ME, &Named::default()).is_empty());
    }

    #[test]
    fn a_recipient_is_known_by_the_name_that_its_messages_have() {
        let by = |uuid: Value, number: Value| {
            let told = json!({"isDelivery": true, "timestamps": [5]});
            json!({"envelope": {"sourceUuid": uuid, "sourceNumber": number, "receiptMessage": told}})
        };
        let mut named = Named::default();
        let (a, b, c) = (json!("+15551230000"), json!("+15551230001"), json!("+15551230002"));
        named.learn("+15551230000", "+15551230000:5");
        named.learn("+15551230001", "c0ffee:5");
        let delivered = |id| (id, ReceiptKind::Delivered);
        let check = |event, expected: &[_]| check_for(&named, event, expected);
        check(by(json!("u"), a), &[delivered("+15551230000:5")]);
        check(by(Value::Null, b.clone()), &[delivered("c0ffee:5")]);
        check(by(json!("other"), b), &[delivered("other:5")]);
        check(by(json!("u"), c.clone()), &[delivered("u:5")]);
        check(by(json!(""), c), &[delivered("+15551230002:5")]);
        for n in 0..NAMED_MAX {
            named.learn(&n.to_string(), "u:5");
        }
        assert_eq!((named.by_number.len(), named.order.len()), (NAMED_MAX, NAMED_MAX));
        assert!(!named.by_number.contains_key("+15551230000"));
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
