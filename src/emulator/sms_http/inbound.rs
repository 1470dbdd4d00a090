//! What somebody writes to our number, as each gateway brings it to the address that it was given for that.
//
// Cites: Kannel User's Guide, "sms-service", the escapes of `get-url`; Infobip API reference, "Receive inbound SMS messages";
// SMSGate, "Webhooks", `sms:received`; Jasmin documentation, "Receiving SMS-MO"; Vonage API reference, "Inbound SMS".

use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::json;

use super::super::desk::unix_s;
use super::Dialect;
use super::receipts::{Courier, escaped, escaped_octets, get, post, signature};

/// The number that people write to.
const OURS: &str = "15550001111";

impl Courier {
    /// Brings what `from` wrote to `url`, which for Kannel is the `get-url` with its escapes. Says whether it was taken.
    /// What Vonage would bring in parts comes whole.
    pub(super) async fn inbound(&self, url: &str, id: &str, from: &str, text: &str) -> bool {
        let Some(request) = self.brought(url, id, from, text) else { return false };
        self.is_taken(request).await
    }

    fn brought(&self, url: &str, id: &str, from: &str, text: &str) -> Option<hyper::Request<Full<Bytes>>> {
        match self.dialect {
            Dialect::Kannel => {
                let filled = url.replace("%p", &escaped(from)).replace("%I", &escaped(id));
                // The text last: it may hold what looks like an escape.
                get(&filled.replace("%T", &unix_s().to_string()).replace("%a", &escaped(text)))
            }
            Dialect::Infobip => {
                let message = json!({
                    "messageId": id, "from": from.trim_start_matches('+'), "to": OURS, "text": text, "cleanText": text,
                    "keyword": "", "receivedAt": "2026-11-22T07:00:02.000+0000", "smsCount": text.len().div_ceil(70),
                });
                let body = json!({ "results": [message], "messageCount": 1, "pendingMessageCount": 0 });
                post(url, "application/json", body.to_string().into(), &[])
            }
            Dialect::SmsGate => {
                let payload = json!({
                    "messageId": id, "message": text, "sender": from, "recipient": OURS, "simNumber": 1,
                    "receivedAt": "2026-11-22T08:00:02.000+02:00",
                });
                let event = json!({
                    "deviceId": "emulated", "event": "sms:received", "id": id, "webhookId": "sms:received", "payload": payload,
                });
                let (body, at) = (Bytes::from(event.to_string()), unix_s().to_string());
                let signature = signature(&self.signing_key, &body, &at);
                post(url, "application/json", body, &[("x-signature", &signature), ("x-timestamp", &at)])
            }
            Dialect::Jasmin => {
                // What is plain in ASCII and in the GSM alphabet alike is written in the latter, all else in UTF-16.
                let (coding, octets) =
                    match text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ') {
                        true => (0, text.as_bytes().to_vec()),
                        false => (8, text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
                    };
                let form = format!(
                    "id={id}&from={}&to={OURS}&origin-connector=smsc-a&priority=1&coding={coding}&content={}",
                    escaped(from),
                    escaped_octets(&octets),
                );
                post(url, "application/x-www-form-urlencoded", form.into(), &[])
            }
            Dialect::Vonage => {
                let message = json!({
                    "api-key": "abcd1234", "msisdn": from.trim_start_matches('+'), "to": OURS, "messageId": id, "text": text,
                    "type": if text.is_ascii() { "text" } else { "unicode" }, "keyword": "",
                    "message-timestamp": "2026-11-22 07:00:02",
                });
                post(url, "application/json", message.to_string().into(), &[])
            }
        }
    }
}
