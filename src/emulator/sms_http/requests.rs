//! What each gateway takes, and how it says that it did.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde_json::{Value, json};

use super::super::desk::lock;
use super::super::http::{Answer, Request, form};
use super::{Dialect, Refusal, SmsHttp};

/// The characters of the GSM alphabet beyond ASCII's, and those of ASCII that cost two.
const GSM_MORE: &str = "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";
const GSM_TWO: &str = "^{}\\[~]|€";

/// A message, read.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) recipient: String,
    pub(super) sender: String,
    pub(super) text: String,
    /// The sender's own id, where it gave one.
    pub(super) reference: Option<String>,
    /// Where it wants to hear of it.
    pub(super) callback: Option<String>,
    pub(super) parts: usize,
    pub(super) details: BTreeMap<&'static str, String>,
}

type Fields = BTreeMap<String, String>;

impl SmsHttp {
    pub(super) fn read(&self, request: &Request) -> Result<Message, Refusal> {
        match self.options.dialect {
            Dialect::Kannel => self.kannel(request),
            Dialect::Jasmin => self.jasmin(request),
            Dialect::Infobip => self.infobip(request),
            Dialect::Vonage => self.vonage(request),
            Dialect::SmsGate => self.sms_gate(request),
        }
    }

    fn is_account(&self, fields: &Fields, names: [&str; 2]) -> bool {
        let is = |name: &str, value: &str| fields.get(name).is_some_and(|given| given == value);
        is(names[0], &self.options.username) && is(names[1], &lock(&self.password))
    }

    fn kannel(&self, request: &Request) -> Result<Message, Refusal> {
        if request.method != Method::GET || request.path != "/cgi-bin/sendsms" {
            return Err(Refusal::new(404, "Unknown request."));
        }
        let fields = request.parameters();
        if !self.is_account(&fields, ["username", "password"]) {
            return Err(Refusal::new(403, "Authorization failed for sendsms"));
        }
        let said = |name: &str| fields.get(name).cloned().unwrap_or_default();
        let to = said("to");
        if to.trim_start_matches('+').is_empty() {
            return Err(Refusal::new(400, "Empty receiver number not allowed, rejected"));
        }
        if said("from").is_empty() {
            return Err(Refusal::new(400, "Sender missing and no global set, rejected"));
        }
        if !said("charset").eq_ignore_ascii_case("utf-8") {
            return Err(Refusal::new(400, "Charset or body misformed, rejected"));
        }
        let text = match said("coding").as_str() {
            "2" => said("text"),
            // What the alphabet has not is not there when it arrives.
            _ => said("text").chars().map(|c| if is_gsm(c) { c } else { '?' }).collect(),
        };
        let mut message = message(to, said("from"), text);
        let wants = said("dlr-mask").parse::<u32>().is_ok_and(|mask| mask & 9 == 9);
        message.callback = fields.get("dlr-url").filter(|_| wants).cloned();
        keep(
            &mut message,
            &fields,
            &[("coding", "coding"), ("priority", "priority"), ("validity", "validity")],
        );
        keep(&mut message, &fields, &[("smsc", "smsc")]);
        Ok(message)
    }

    fn jasmin(&self, request: &Request) -> Result<Message, Refusal> {
        if request.path != "/send" {
            return Err(Refusal::new(404, "<html>No Such Resource</html>"));
        }
        let mut fields = request.parameters();
        fields.extend(form(&request.body));
        let refuse = |status: u16, why: &str| Refusal::new(status, &format!("Error \"{why}\""));
        if !self.is_account(&fields, ["username", "password"]) {
            return Err(refuse(
                403,
                &format!("Authentication failure for username:{}", self.options.username),
            ));
        }
        let said = |name: &str| fields.get(name).cloned().unwrap_or_default();
        let to = said("to");
        if to.trim_start_matches('+').is_empty()
            || !to.trim_start_matches('+').bytes().all(|b| b.is_ascii_digit())
        {
            return Err(refuse(400, &format!("Argument [to] has an invalid value: [{to}].")));
        }
        let text = match (said("coding").as_str(), fields.get("content"), fields.get("hex-content")) {
            (_, Some(_), Some(_)) => {
                return Err(refuse(400, "content and hex-content cannot be used both in same request."));
            }
            ("0" | "", Some(content), None) => {
                content.chars().map(|c| if is_gsm(c) { c } else { '?' }).collect()
            }
            ("8", None, Some(hex)) => utf16(hex).ok_or_else(|| refuse(400, "Invalid hex-content data"))?,
            _ => return Err(refuse(400, "content or hex-content not present.")),
        };
        let mut message = message(to, said("from"), text);
        if said("dlr") == "yes" {
            if !matches!(said("dlr-level").as_str(), "1" | "2" | "3") || said("dlr-method") != "POST" {
                return Err(refuse(400, "Argument [dlr-level] has an invalid value."));
            }
            message.callback = fields.get("dlr-url").cloned();
        }
        keep(
            &mut message,
            &fields,
            &[("coding", "coding"), ("priority", "priority"), ("validity", "validity-period")],
        );
        Ok(message)
    }

    pub(super) fn is_infobip(&self, request: &Request) -> bool {
        request.header("authorization") == Some(&*format!("App {}", lock(&self.password)))
    }

    fn infobip(&self, request: &Request) -> Result<Message, Refusal> {
        if !self.is_infobip(request) {
            return Err(infobip_unauthorized());
        }
        if request.path != "/sms/3/messages" || request.method != Method::POST {
            return Err(Refusal::new(404, &json!({ "errorCode": "E404" }).to_string()));
        }
        let bad =
            || Refusal::new(400, &json!({ "errorCode": "E400", "description": "Bad Request" }).to_string());
        let body = json_of(request).ok_or_else(bad)?;
        let one = &body["messages"][0];
        let (to, text) = (&one["destinations"][0]["to"], &one["content"]["text"]);
        let (Some(to), Some(text)) = (to.as_str(), text.as_str()) else { return Err(bad()) };
        let life = &one["options"]["validityPeriod"];
        if life["timeUnit"] != "MINUTES" || !life["amount"].as_u64().is_some_and(|n| (1..=2_880).contains(&n))
        {
            return Err(bad());
        }
        let mut message = message(to.to_owned(), text_of(&one["sender"]), text.to_owned());
        message.reference = one["destinations"][0]["messageId"].as_str().map(str::to_owned);
        message.callback = one["webhooks"]["delivery"]["url"].as_str().map(str::to_owned);
        message.details.insert("validity", life["amount"].to_string());
        Ok(message)
    }

    fn vonage(&self, request: &Request) -> Result<Message, Refusal> {
        if request.path != "/sms/json" || request.method != Method::POST {
            return Err(Refusal::new(404, "Not Found"));
        }
        let fields = form(&request.body);
        if !self.is_account(&fields, ["api_key", "api_secret"]) {
            return Err(vonage_refusal("4", "Bad Credentials"));
        }
        let said = |name: &str| fields.get(name).cloned().unwrap_or_default();
        if said("to").is_empty() || said("text").is_empty() || said("from").is_empty() {
            return Err(vonage_refusal("2", "Missing to param"));
        }
        if !said("ttl").parse::<u64>().is_ok_and(|ms| (20_000..=604_800_000).contains(&ms)) {
            return Err(vonage_refusal("3", "Invalid ttl param"));
        }
        let text = match said("type").as_str() {
            "unicode" => said("text"),
            _ => said("text").chars().map(|c| if is_gsm(c) { c } else { '?' }).collect(),
        };
        let mut message = message(said("to"), said("from"), text);
        message.reference = fields.get("client-ref").cloned();
        message.callback = fields.get("callback").filter(|_| said("status-report-req") == "1").cloned();
        keep(&mut message, &fields, &[("coding", "type"), ("validity", "ttl")]);
        Ok(message)
    }

    fn sms_gate(&self, request: &Request) -> Result<Message, Refusal> {
        let basic = STANDARD.encode(format!("{}:{}", self.options.username, lock(&self.password)));
        if request.header("authorization") != Some(&*format!("Basic {basic}")) {
            return Err(Refusal::new(401, "Unauthorized"));
        }
        if request.path != "/messages" || request.method != Method::POST {
            return Err(Refusal::new(404, &json!({ "message": "Cannot POST" }).to_string()));
        }
        let bad = || Refusal::new(400, &json!({ "message": "failed to validate" }).to_string());
        let body = json_of(request).ok_or_else(bad)?;
        let id = body["id"].as_str().filter(|id| id.len() <= 36);
        let (Some(id), Some(text)) = (id, body["textMessage"]["text"].as_str()) else { return Err(bad()) };
        let to = body["phoneNumbers"][0].as_str().filter(|to| to.starts_with('+')).ok_or_else(bad)?;
        if !body["ttl"].is_u64() || !body["priority"].is_i64() {
            return Err(bad());
        }
        let mut message = message(to.to_owned(), String::new(), text.to_owned());
        message.reference = Some(id.to_owned());
        message.details.insert("priority", body["priority"].to_string());
        message.details.insert("validity", body["ttl"].to_string());
        if body["withDeliveryReport"] == true {
            message.callback = Some(String::new());
        }
        Ok(message)
    }
}

/// Says that a message was taken.
pub(super) fn taken(dialect: Dialect, message: &Message, id: &str) -> Answer {
    match dialect {
        Dialect::Kannel => Answer::Text(202, "0: Accepted for delivery".to_owned()),
        Dialect::Jasmin => Answer::Text(200, format!("Success \"{id}\"")),
        Dialect::Infobip => Answer::Json(
            200,
            json!({ "bulkId": "9", "messages": [{
                "messageId": id, "destination": message.recipient,
                "status": { "groupId": 1, "groupName": "PENDING", "id": 26, "name": "PENDING_ACCEPTED" },
                "details": { "messageCount": message.parts },
            }] }),
        ),
        Dialect::Vonage => {
            let part = |number: usize| {
                json!({ "to": message.recipient, "message-id": part_id(id, number), "status": "0",
                        "remaining-balance": "3.1", "message-price": "0.03", "network": "23410" })
            };
            let parts: Vec<Value> = (1..=message.parts).map(part).collect();
            Answer::Json(200, json!({ "message-count": parts.len().to_string(), "messages": parts }))
        }
        Dialect::SmsGate => Answer::Json(
            202,
            json!({ "id": id, "state": "Pending",
                    "recipients": [{ "phoneNumber": message.recipient, "state": "Pending" }] }),
        ),
    }
}

/// Returns the id of a part: the first one's is the message's own.
pub(super) fn part_id(id: &str, number: usize) -> String {
    if number == 1 { id.to_owned() } else { format!("{id}-{number}") }
}

pub(super) fn vonage_refusal(status: &str, text: &str) -> Refusal {
    let one = json!({ "status": status, "error-text": text });
    Refusal::new(200, &json!({ "message-count": "1", "messages": [one] }).to_string())
}

pub(super) fn infobip_unauthorized() -> Refusal {
    let text = json!({ "errorCode": "E401", "description": "Unauthorized", "violations": [] });
    Refusal::new(401, &text.to_string())
}

fn message(recipient: String, sender: String, text: String) -> Message {
    let parts = parts(&text);
    let details = BTreeMap::new();
    Message { recipient, sender, text, reference: None, callback: None, parts, details }
}

fn keep(message: &mut Message, fields: &Fields, names: &[(&'static str, &str)]) {
    for (detail, name) in names {
        if let Some(value) = fields.get(*name) {
            message.details.insert(detail, value.clone());
        }
    }
}

fn json_of(request: &Request) -> Option<Value> {
    let kind = request.header("content-type")?;
    if !kind.starts_with("application/json") {
        return None;
    }
    serde_json::from_slice(&request.body).ok()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Reads UTF-16, big-endian, from hexadecimal digits.
fn utf16(hex: &str) -> Option<String> {
    let digits = hex.as_bytes().chunks_exact(4);
    if !digits.remainder().is_empty() {
        return None;
    }
    let unit = |four: &[u8]| u16::from_str_radix(std::str::from_utf8(four).ok()?, 16).ok();
    String::from_utf16(&digits.map(unit).collect::<Option<Vec<_>>>()?).ok()
}

fn is_gsm(c: char) -> bool {
    matches!(c, ' '..='~' | '\n' | '\r' if c != '`') || GSM_MORE.contains(c) || GSM_TWO.contains(c)
}

/// Counts the parts of a text as the air divides it.
fn parts(text: &str) -> usize {
    let (cost, single, part) = if text.chars().all(is_gsm) {
        (text.chars().map(|c| 1 + usize::from(GSM_TWO.contains(c))).sum::<usize>(), 160, 153)
    } else {
        (text.encode_utf16().count(), 70, 67)
    };
    if cost <= single { 1 } else { cost.div_ceil(part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_counted_as_the_air_divides_them() {
        let check = |text: String, expected: usize| assert_eq!(parts(&text), expected, "{}", text.len());
        check("a".repeat(160), 1);
        check("a".repeat(161), 2);
        check("a".repeat(307), 3);
        check("€".repeat(80), 1);
        check("€".repeat(81), 2);
        check("س".repeat(70), 1);
        check("س".repeat(135), 3);
        assert_eq!(utf16("0633D83CDF0A").as_deref(), Some("س🌊"));
        assert_eq!(utf16("063"), None);
        assert_eq!(utf16("zzzz"), None);
    }
}
