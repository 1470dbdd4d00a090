//! Twilio's calls: the status of a message, and what somebody writes to the number or the service, where the account names
//! our address for that. Each is a form under a signature over the URL that Twilio was given.
//!
//! The signature is base64 of the HMAC-SHA1, under the auth token, of the URL and then each parameter, sorted, its name
//! directly followed by its value. The URL is the one that we gave, so it is put together from `[server] public_url`
//! and never from what the call says of itself: a proxy changes that.
//
// Cites: Twilio, "Webhooks Security"; its validators sign a parameter that comes twice with the same value once, and
// take a URL with its port as well as without.

use super::codes::failure;
use crate::adapter::hook::{bad_signature, e164, form, heard, not_here, query_value, unreadable};
use crate::adapter::{HookAnswer, HookRequest};
use crate::core::outcome::{PROVIDER_ID_BYTES_MAX, Receipt, ReceiptKind, ReceiptRef};
use crate::core::reply::{Reply, Said};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use std::collections::BTreeSet;

/// The parameter of our URL that names the attempt: a status finds it also where the answer to the send was lost.
pub(super) const ATTEMPT: &str = "attempt";

/// What an answer to somebody's message is. Cites: Twilio, "TwiML for Programmable Messaging".
const XML: &str = "text/xml; charset=utf-8";
const NO_ANSWER: &str = "<Response/>";

/// What makes a call Twilio's.
pub(super) struct Keys {
    key: hmac::Key,
    /// Our URL in both forms in which Twilio may have signed it.
    urls: [String; 2],
}

impl Keys {
    pub(super) fn new(auth_token: &str, hook_url: &str) -> Keys {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth_token.as_bytes());
        Keys { key, urls: [with_port(hook_url), without_port(hook_url)] }
    }

    /// Answers a call.
    pub(super) fn answer(&self, request: &HookRequest) -> HookAnswer {
        if request.method != "POST" || !request.is_at_root() {
            return not_here();
        }
        let Some(parameters) = form(&request.body).filter(|found| self.is_signed(request, found)) else {
            return bad_signature();
        };
        let said = |name: &str| {
            let found = parameters.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        match (said("MessageStatus").or(said("SmsStatus")), said("MessageSid").or(said("SmsSid"))) {
            (None | Some("received" | "receiving"), Some(sid)) => {
                let replies = reply(sid, said("From"), said("Body"), said("OriginalRepliedMessageSid"));
                // Any other body would be sent to the person as our answer.
                let (content_type, body) = (XML, NO_ANSWER.to_owned());
                HookAnswer { content_type, body, replies: replies.into_iter().collect(), ..heard(Vec::new()) }
            }
            (Some(status), Some(sid)) => {
                let attempt = query_value(&request.query, ATTEMPT);
                heard(receipt(status, sid, said("ErrorCode"), attempt.as_deref()).into_iter().collect())
            }
            (Some(_), None) => unreadable(),
            (None, _) => heard(Vec::new()),
        }
    }

    fn is_signed(&self, request: &HookRequest, parameters: &[(String, String)]) -> bool {
        let signature = request.header("x-twilio-signature").and_then(|text| STANDARD.decode(text).ok());
        let Some(signature) = signature else { return false };
        let asked = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let sorted: BTreeSet<_> = parameters.iter().collect();
        self.urls.iter().any(|url| {
            let mut signed = format!("{url}{}{asked}", request.path);
            for (name, value) in &sorted {
                signed.push_str(name);
                signed.push_str(value);
            }
            hmac::verify(&self.key, signed.as_bytes(), &signature).is_ok()
        })
    }
}

/// Reads what somebody wrote; `None`: it is from nobody to whom messages are sent, such as a short code.
fn reply(sid: &str, from: Option<&str>, body: Option<&str>, quoted: Option<&str>) -> Option<Reply> {
    let fits = |sid: &&str| !sid.is_empty() && sid.len() <= PROVIDER_ID_BYTES_MAX;
    Some(Reply {
        from: e164(from?)?,
        // A picture comes with an empty text.
        said: body.map_or(Said::Other, Said::text),
        id: Some(sid).filter(fits)?.to_owned(),
        of: quoted.filter(fits).map(|quoted| ReceiptRef::Provider(quoted.to_owned())),
        at: None,
    })
}

/// Reads one status; `None`: it says nothing that is news here.
fn receipt(status: &str, sid: &str, code: Option<&str>, attempt: Option<&str>) -> Option<Receipt> {
    let kind = match status {
        "sent" => ReceiptKind::Sent,
        "delivered" => ReceiptKind::Delivered,
        "read" => ReceiptKind::Read,
        "failed" | "undelivered" | "canceled" => ReceiptKind::Failed,
        _ => return None,
    };
    let sid = Some(sid).filter(|sid| !sid.is_empty() && sid.len() <= PROVIDER_ID_BYTES_MAX);
    let of = match (sid, attempt.and_then(|attempt| attempt.parse().ok())) {
        (Some(sid), Some(attempt)) => ReceiptRef::Both(sid.to_owned(), attempt),
        (Some(sid), None) => ReceiptRef::Provider(sid.to_owned()),
        (None, Some(attempt)) => ReceiptRef::Attempt(attempt),
        (None, None) => return None,
    };
    let code = code.and_then(|code| code.parse().ok());
    Some(Receipt { of, kind, reason: (kind == ReceiptKind::Failed).then(|| failure(code)), at: None })
}

/// Takes a URL apart: what stands before the port, the port with its colon, and the rest.
fn taken_apart(url: &str) -> (&str, &str, &str) {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url[from..].find(['/', '?']).map_or(url.len(), |at| from + at);
    // A literal address of the sixth version has colons of its own, within brackets.
    let host_ends = url[from..end].rfind(']').map_or(from, |at| from + at);
    let colon = url[host_ends..end].find(':').map_or(end, |at| host_ends + at);
    (&url[..colon], &url[colon..end], &url[end..])
}

fn with_port(url: &str) -> String {
    match taken_apart(url) {
        (host, "", rest) if url.starts_with("https:") => format!("{host}:443{rest}"),
        (host, "", rest) => format!("{host}:80{rest}"),
        _ => url.to_owned(),
    }
}

fn without_port(url: &str) -> String {
    let (host, _, rest) = taken_apart(url);
    format!("{host}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{AttemptId, DeliveryId, MessageId};
    use crate::core::outcome::Reason;
    use crate::core::time::Timestamp;

    fn signed_by(key: &hmac::Key, url: &str, query: &str, body: &str) -> HookRequest {
        let mut signed = if query.is_empty() { url.to_owned() } else { format!("{url}?{query}") };
        let pairs = form(body.as_bytes()).expect("a form");
        pairs
            .iter()
            .collect::<BTreeSet<_>>()
            .iter()
            .for_each(|(name, value)| signed += &(name.clone() + value));
        let signature = STANDARD.encode(hmac::sign(key, signed.as_bytes()));
        HookRequest {
            method: "POST".into(),
            query: query.into(),
            headers: vec![("x-twilio-signature".into(), signature)],
            body: body.into(),
            ..HookRequest::default()
        }
    }

    const URL: &str = "https://alerts.example.org/hooks/sms";

    fn keys() -> Keys {
        Keys::new("12345", URL)
    }

    /// Hears a call that is signed for this query.
    fn heard_of(query: &str, body: &str) -> HookAnswer {
        keys().answer(&signed_by(&keys().key, URL, query, body))
    }

    #[test]
    fn the_signature_is_that_of_the_published_vector() {
        let keys = Keys::new("12345", "https://mycompany.com/myapp.php");
        let body = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
        let check = |signature: &str, body: &str, query: &str, expected: &str| {
            let request = HookRequest {
                method: "POST".into(),
                query: query.into(),
                headers: vec![("x-twilio-signature".into(), signature.into())],
                body: body.into(),
                ..HookRequest::default()
            };
            assert_eq!(keys.answer(&request).result, expected, "{signature} {body} {query}");
        };
        let good = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        check(good, body, "foo=1&bar=2", "ok");
        // The order of the body is nobody's.
        check(good, &body.split('&').rev().collect::<Vec<_>>().join("&"), "foo=1&bar=2", "ok");
        check(good, body, "foo=1&bar=3", "bad_signature");
        check(good, body, "", "bad_signature");
        check(good, &body.replace("1234&", "1235&"), "foo=1&bar=2", "bad_signature");
        check(good, "", "foo=1&bar=2", "bad_signature");
        check("RSOYDt4T1cUTdK1PDd93/VVr8B9=", body, "foo=1&bar=2", "bad_signature");
        check("", body, "foo=1&bar=2", "bad_signature");
        check("!", body, "foo=1&bar=2", "bad_signature");
        check(&good[..8], body, "foo=1&bar=2", "bad_signature");
    }

    #[test]
    fn a_url_is_signed_with_its_port_or_without() {
        let check = |ours: &str, with: &str, without: &str| {
            assert_eq!((with_port(ours).as_str(), without_port(ours).as_str()), (with, without), "{ours}");
        };
        check("https://a.example/hooks/s", "https://a.example:443/hooks/s", "https://a.example/hooks/s");
        check("http://a.example/hooks/s", "http://a.example:80/hooks/s", "http://a.example/hooks/s");
        check("https://a.example:8443/x", "https://a.example:8443/x", "https://a.example/x");
        check("https://[2001:db8::1]/x", "https://[2001:db8::1]:443/x", "https://[2001:db8::1]/x");
        check("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x", "https://[2001:db8::1]/x");
        check("https://a.example", "https://a.example:443", "https://a.example");
        let (sent, port) = ("MessageStatus=sent&MessageSid=SM1", "https://alerts.example.org:443/hooks/sms");
        assert_eq!(keys().answer(&signed_by(&keys().key, port, "a=1", sent)).result, "ok");
        let other = "https://alerts.example.org:8443/hooks/sms";
        assert_eq!(keys().answer(&signed_by(&keys().key, other, "a=1", sent)).result, "bad_signature");
    }

    #[test]
    fn statuses_are_read_and_found_by_both_names() {
        let message = MessageId::new(Timestamp::from_ms(1_700_000_000_000), 1, 7);
        let attempt = AttemptId::new(DeliveryId::new(message, 3), 2);
        let both = ReceiptRef::Both("SM1".into(), attempt);
        let check = |body: &str, expected: Option<(ReceiptKind, Option<Reason>)>| {
            let answer = heard_of(&format!("attempt={attempt}"), body);
            assert_eq!((answer.status, answer.result), (200, "ok"), "{body}");
            let expected =
                expected.map(|(kind, reason)| Receipt { of: both.clone(), kind, reason, at: None });
            assert_eq!(answer.receipts, Vec::from_iter(expected), "{body}");
        };
        let failed = |reason| Some((ReceiptKind::Failed, Some(reason)));
        check("MessageSid=SM1&MessageStatus=queued", None);
        check("MessageSid=SM1&MessageStatus=sending&New=%D9%84", None);
        check("MessageSid=SM1&MessageStatus=sent", Some((ReceiptKind::Sent, None)));
        check("SmsSid=SM1&SmsStatus=delivered", Some((ReceiptKind::Delivered, None)));
        check("MessageSid=SM1&MessageStatus=read", Some((ReceiptKind::Read, None)));
        check("MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30005", failed(Reason::NotOnChannel));
        check("MessageSid=SM1&MessageStatus=failed&ErrorCode=", failed(Reason::Undeliverable));
        check("MessageSid=SM1&MessageStatus=failed", failed(Reason::Undeliverable));
        check("MessageSid=SM1&From=%2B15551230000&Body=hello", None);
    }

    #[test]
    fn what_somebody_writes_is_a_reply_and_gets_no_answer() {
        let check = |body: &str, expected: Option<(&str, Said, Option<&str>)>| {
            let answer = heard_of("", body);
            assert_eq!((answer.status, answer.body.as_str(), answer.receipts), (200, "<Response/>", vec![]));
            let expected = expected.map(|(from, said, of)| Reply {
                from: from.into(),
                said,
                id: "SM1".into(),
                of: of.map(|sid| ReceiptRef::Provider(sid.into())),
                at: None,
            });
            assert!(answer.replies == Vec::from_iter(expected), "{body}: {:?}", answer.replies);
        };
        let words =
            "SmsStatus=received&MessageSid=SM1&From=%2B15551230000&Body=%D8%A2%D9%85%D9%86&NumMedia=0";
        check(words, Some(("+15551230000", Said::text("آمن"), None)));
        let quoting = "MessageSid=SM1&From=%2B15551230000&Body=1&OriginalRepliedMessageSid=SM0";
        check(quoting, Some(("+15551230000", Said::text("1"), Some("SM0"))));
        let picture = "MessageSid=SM1&From=%2B15551230000&Body=&NumMedia=1";
        check(picture, Some(("+15551230000", Said::Other, None)));
        check("MessageSid=SM1&From=12345&Body=hello", None);
        check("MessageSid=SM1&From=ALERTS&Body=hello", None);
        check("MessageSid=SM1", None);
        // A status of ours is no reply, whatever it brings along.
        assert_eq!(
            heard_of("", "MessageSid=SM1&MessageStatus=sent&Body=x&From=%2B15551230000").replies.len(),
            0
        );
    }

    #[test]
    fn a_status_without_one_of_the_names_is_found_by_the_other() {
        let answer = heard_of("attempt=none", "MessageSid=SM1&MessageStatus=sent");
        assert_eq!(answer.receipts[0].of, ReceiptRef::Provider("SM1".into()));
        assert_eq!(heard_of("a=1", "MessageSid=&MessageStatus=sent").receipts, []);
        assert_eq!(heard_of("a=1", "MessageStatus=sent").result, "unreadable");
        let other = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"other");
        let forged = signed_by(&other, URL, "a=1", "MessageSid=SM1&MessageStatus=sent");
        assert_eq!(keys().answer(&forged).result, "bad_signature");
        let asked = HookRequest { method: "GET".into(), ..HookRequest::default() };
        assert_eq!(keys().answer(&asked).result, "not_here");
        let signed =
            signed_by(&keys().key, &format!("{URL}/below"), "a=1", "MessageSid=SM1&MessageStatus=sent");
        let below = HookRequest { path: "/below".into(), ..signed };
        assert_eq!(keys().answer(&below).result, "not_here");
    }
}
