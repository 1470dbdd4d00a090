//! Signal, through a `signal-cli daemon --http` of one's own: JSON-RPC out, server-sent events in.
//!
//! The time of a message is its id, so an account's sends go one after the other: two in one millisecond would be one.
//! A receipt is matched by its sender and that time, so nobody can confirm a message that another one got.
//
// Cites: signal-cli, `man signal-cli-jsonrpc` and `man signal-cli`.

pub(super) mod events;

use super::back_off::back_off;
use super::http::{Client, Failure, Refusal, Request, Response};
use super::net::Net;
use super::retry_after::capped;
use super::settings;
use super::together::together;
use super::verdict::{by_status, deferred, rejected, unknown};
use super::{Adapter, Answered, Doing, Ear, Heard, Kind, Outgoing};
use crate::core::channel::Channel;
use crate::core::gateway::Receipts;
use crate::core::outcome::{Outcome, PROVIDER_ID_BYTES_MAX, Reason};
use crate::core::time::Span;
use crate::diag::Diagnostics;
use crate::settings::{CONNECT_TIME_OUT, GatewaySettings};
use events::{Events, Named};
use serde_json::{Value, json};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// The kind's row in [`ADAPTERS`](super::ADAPTERS).
pub(super) const KIND: Kind = Kind {
    name: "signal-cli",
    channel: Channel::Signal,
    receipts: Receipts::Delivered,
    window: WINDOW,
    connect_time_out: Span::from_ms(CONNECT_TIME_OUT.ms() + TURN_WAIT_MAX.as_millis() as i64),
    keys: &["account"],
    probes: include_str!("../../../probes/signal-cli.toml"),
    build,
};

/// Attempts in flight: what one daemon serves at a time. Others wait with the core, where they can still go another way;
/// in line here, behind a daemon that takes a second for each, they would be turned back as if the gateway were busy.
const WINDOW: u32 = 1;

/// How long an attempt waits for its turn where the operator has set a larger window.
const TURN_WAIT_MAX: Duration = Duration::from_secs(3);

/// When to come back after waiting for the turn in vain.
const BUSY: Span = Span::from_secs(1);

/// How many replies of one piece of the stream are handed over at once.
const REPLIES_AT_ONCE: usize = 100;

/// How long the daemon may take to begin its stream.
const STREAM_TIME_OUT: Span = Span::from_secs(10);

/// How long a stream may be silent. Cites: the daemon sends a comment every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);

struct SignalCli {
    client: Client,
    account: String,
    turn: Mutex<()>,
    named: std::sync::Mutex<Named>,
}

fn build(gateway: &mut GatewaySettings, net: &Net, diags: &mut Diagnostics) -> Option<Arc<dyn Adapter>> {
    let client = settings::client(gateway, net, None, diags);
    let wanted = "a number such as `+15550001111`";
    let account = settings::required(&mut gateway.rest, "account", wanted, is_number, diags);
    Some(Arc::new(SignalCli {
        client: client?,
        account: account?,
        turn: Mutex::new(()),
        named: Default::default(),
    }))
}

pub(super) fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(settings::is_digits)
}

/// Names a message as its receipts will: who got it, and when it was sent. `None`: too long to keep.
pub(super) fn provider_id(recipient: &str, sent_ms: i64) -> Option<String> {
    let id = format!("{}:{sent_ms}", recipient.to_ascii_lowercase());
    (id.len() <= PROVIDER_ID_BYTES_MAX).then_some(id)
}

fn request(outgoing: &Outgoing, account: &str) -> Result<Request, Reason> {
    let address = outgoing.address.trim();
    if address.is_empty() || address.starts_with('-') {
        return Err(Reason::BadAddress);
    }
    if outgoing.text.trim().is_empty() {
        return Err(Reason::NoText);
    }
    let body = json!({
        "jsonrpc": "2.0",
        "id": outgoing.order.attempt.to_string(),
        "method": "send",
        "params": {"account": account, "recipient": [address], "message": outgoing.text},
    });
    Ok(Request::post("/api/v1/rpc".into(), &body))
}

fn outcome(response: &Response) -> Outcome {
    if response.status != 200 {
        return by_status(response);
    }
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if body["error"].is_object() {
        return of_error(&body["error"]);
    }
    let result = &body["result"];
    match (result["timestamp"].as_i64(), of_result(&result["results"][0])) {
        (Some(sent_ms), Some(Outcome::Accepted { provider_id: recipient })) => Outcome::Accepted {
            provider_id: recipient.and_then(|recipient| provider_id(&recipient, sent_ms)),
        },
        (_, Some(outcome @ (Outcome::Rejected { .. } | Outcome::Deferred { .. }))) => outcome,
        _ => unknown(Reason::Unreadable),
    }
}

/// Judges what became of the one recipient; an acceptance holds the recipient. `None`: nothing is said.
fn of_result(result: &Value) -> Option<Outcome> {
    let wait = result["retryAfterSeconds"].as_i64().map(capped);
    // A captcha is demanded. Older versions call it a failure of the network.
    if result["token"].as_str().is_some_and(|token| !token.is_empty()) {
        return Some(deferred(Reason::Throttled, wait));
    }
    let address = &result["recipientAddress"];
    Some(match result["type"].as_str()? {
        "SUCCESS" => Outcome::Accepted {
            provider_id: address["uuid"].as_str().or(address["number"].as_str()).map(str::to_owned),
        },
        "NETWORK_FAILURE" | "INVALID_PRE_KEY_FAILURE" => deferred(Reason::ProviderFault, wait),
        "UNREGISTERED_FAILURE" => rejected(Reason::NotOnChannel),
        "IDENTITY_FAILURE" => rejected(Reason::IdentityChanged),
        "RATE_LIMIT_FAILURE" => deferred(Reason::Throttled, wait),
        _ => return None,
    })
}

fn of_error(error: &Value) -> Outcome {
    let first = &error["data"]["response"]["results"][0];
    let refused = of_result(first).filter(|outcome| !matches!(outcome, Outcome::Accepted { .. }));
    match error["code"].as_i64() {
        Some(-1) => refused.unwrap_or(rejected(Reason::ContentRefused)),
        Some(-3) => deferred(Reason::ProviderFault, None),
        Some(-4) => rejected(Reason::IdentityChanged),
        Some(-5) => deferred(Reason::Throttled, first["retryAfterSeconds"].as_i64().map(capped)),
        Some(-6 | -32602 | -32601 | -32600 | -32700) => rejected(Reason::Configuration),
        Some(-32603) => of_internal_error(error["message"].as_str().unwrap_or_default()),
        _ => unknown(Reason::Unreadable),
    }
}

/// Judges an internal error by the status that its text carries.
fn of_internal_error(text: &str) -> Outcome {
    let text = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match () {
        // The message itself may have gone out: a limit met on the copy for our own devices looks the same.
        () if says(&["[413]", "[428]", "[429]"]) => unknown(Reason::Throttled),
        () if says(&["[401]", "[403]"]) => rejected(Reason::Credentials),
        () if says(&["[508]", "ioexception", "timeout", "timed out"]) => rejected(Reason::ServiceDown),
        () => deferred(Reason::ProviderFault, None),
    }
}

impl SignalCli {
    /// Sends in its turn. What that takes is taken off the life of the message.
    async fn in_turn(&self, outgoing: &Outgoing) -> Answered {
        let unsent =
            |retry_after| Answered { outcome: deferred(Reason::Busy, retry_after), took: Span::ZERO };
        let came = Instant::now();
        let Ok(_turn) = timeout(TURN_WAIT_MAX, self.turn.lock()).await else { return unsent(Some(BUSY)) };
        let waited = Span::from_ms(i64::try_from(came.elapsed().as_millis()).unwrap_or(i64::MAX));
        if waited >= outgoing.left {
            // Not a deferral: nobody else is to wait because this one came too late.
            return Answered { outcome: Outcome::Rejected { reason: Reason::Busy }, took: Span::ZERO };
        }
        let outgoing = Outgoing { left: Span::from_ms(outgoing.left.ms() - waited.ms()), ..outgoing.clone() };
        self.client.send(request(&outgoing, &self.account), &outgoing, outcome).await
    }

    fn named(&self) -> MutexGuard<'_, Named> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears one stream out. Returns why it ended.
    async fn hear(&self, ear: &dyn Ear, was_up: &mut bool) -> Reason {
        let account = self.account.replace('+', "%2B");
        let request = Request::get(format!("/api/v1/events?account={account}"));
        let mut stream = match self.client.stream(&request, STREAM_TIME_OUT).await {
            Ok(stream) => stream,
            Err(Refusal::Failure(Failure::NotSent(reason) | Failure::Sent(reason))) => return reason,
            Err(Refusal::Failure(Failure::Expired)) => return Reason::Timeout,
            Err(Refusal::Status(500..)) => return Reason::ProviderFault,
            Err(Refusal::Status(_)) => return Reason::Configuration,
        };
        *was_up = true;
        ear.link(true, None);
        let mut events = Events::default();
        loop {
            let bytes = match timeout(SILENCE_MAX, stream.next()).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Reason::ConnectionLost,
                Err(_) => return Reason::Timeout,
            };
            let ended = events.push(&bytes);
            let heard: Vec<Heard> = {
                let named = self.named();
                ended.iter().map(|data| events::heard(data, &self.account, &named)).collect()
            };
            for Heard { receipts, replies } in heard {
                for receipt in receipts {
                    ear.receipt(receipt).await;
                }
                // One commit of the disk takes what came together.
                together(REPLIES_AT_ONCE, replies.into_iter().map(|reply| ear.reply(reply)).collect()).await;
            }
        }
    }

    async fn listen(&self, ear: &dyn Ear) {
        let mut failures = 0u32;
        loop {
            let mut was_up = false;
            let reason = self.hear(ear, &mut was_up).await;
            // The first failure after a good stream, or after the start, is news; those that follow are not.
            if was_up || failures == 0 {
                ear.link(false, Some(reason));
            }
            failures = if was_up { 1 } else { failures.saturating_add(1) };
            tokio::time::sleep(back_off(failures)).await;
        }
    }
}

impl Adapter for SignalCli {
    fn send(&self, outgoing: Outgoing) -> Doing<'_, Answered> {
        Box::pin(async move {
            let answered = self.in_turn(&outgoing).await;
            if let Outcome::Accepted { provider_id: Some(id) } = &answered.outcome {
                self.named().learn(outgoing.address.trim(), id);
            }
            answered
        })
    }

    fn run<'a>(&'a self, ear: &'a dyn Ear) -> Doing<'a, ()> {
        Box::pin(async move {
            tokio::join!(self.client.tend(), self.listen(ear));
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::{built, outgoing};

    #[test]
    fn a_send_names_account_and_recipient() {
        let outgoing = outgoing("+15551230000", "Leave now");
        let request = request(&outgoing, "+15550001111").expect("a good address");
        assert_eq!(request.path, "/api/v1/rpc");
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        let expected = json!({
            "jsonrpc": "2.0", "id": outgoing.order.attempt.to_string(), "method": "send",
            "params": {"account": "+15550001111", "recipient": ["+15551230000"], "message": "Leave now"},
        });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn what_expires_while_it_waits_for_its_turn_stays_here() {
        // Nobody listens there: what is sent all the same is refused, and not deferred.
        let origin = "http://127.0.0.1:9".parse().expect("an origin");
        let client = Client::new(Net::new(&[]), origin, None).expect("a client");
        let turn = Mutex::new(());
        let signal = SignalCli { client, account: "+15550001111".into(), turn, named: Default::default() };
        let brief = Outgoing { left: Span::from_ms(2), ..outgoing("+15551230000", "Leave now") };
        let held = signal.turn.lock().await;
        let pass = async {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(3) {
                tokio::task::yield_now().await;
            }
            drop(held);
        };
        let (answered, ()) = tokio::join!(signal.in_turn(&brief), pass);
        assert_eq!(answered.outcome, Outcome::Rejected { reason: Reason::Busy });
    }

    #[test]
    fn results_are_read_recipient_by_recipient() {
        let check = |result: Value, expected: Outcome| {
            let body = json!({"jsonrpc": "2.0", "id": "a", "result": {"timestamp": 1700000000000i64, "results": [result]}});
            let response = Response { status: 200, body: body.to_string().into(), ..Response::default() };
            assert_eq!(outcome(&response), expected, "{result}");
        };
        let failed = |kind: &str| json!({"recipientAddress": {"number": "+1"}, "type": kind});
        let address = |uuid: Value, number: Value| json!({"recipientAddress": {"uuid": uuid, "number": number}, "type": "SUCCESS"});
        let taken = |id: &str| Outcome::Accepted { provider_id: Some(id.into()) };
        check(address(json!("C0FFEE"), json!("+1")), taken("c0ffee:1700000000000"));
        check(address(Value::Null, json!("+1")), taken("+1:1700000000000"));
        check(address(Value::Null, Value::Null), Outcome::Accepted { provider_id: None });
        check(failed("NETWORK_FAILURE"), deferred(Reason::ProviderFault, None));
        check(failed("INVALID_PRE_KEY_FAILURE"), deferred(Reason::ProviderFault, None));
        check(failed("UNREGISTERED_FAILURE"), rejected(Reason::NotOnChannel));
        check(failed("IDENTITY_FAILURE"), rejected(Reason::IdentityChanged));
        let mut slow = failed("RATE_LIMIT_FAILURE");
        slow["retryAfterSeconds"] = json!(30);
        check(slow.clone(), deferred(Reason::Throttled, Some(Span::from_secs(30))));
        slow["retryAfterSeconds"] = json!(86_400);
        slow["type"] = json!("NETWORK_FAILURE");
        slow["token"] = json!("proof");
        check(slow, deferred(Reason::Throttled, Some(Span::from_hours(1))));
        check(failed("SOMETHING_NEW"), unknown(Reason::Unreadable));
        check(Value::Null, unknown(Reason::Unreadable));
    }

    #[test]
    fn errors_are_read_by_code() {
        let check = |error: Value, expected: Outcome| {
            let body = json!({"jsonrpc": "2.0", "id": "a", "error": error});
            let response = Response { status: 200, body: body.to_string().into(), ..Response::default() };
            assert_eq!(outcome(&response), expected, "{error}");
        };
        let coded = |code: i64| json!({"code": code, "message": "no"});
        let with = |code: i64, result: Value| json!({"code": code, "message": "no", "data": {"response": {"results": [result]}}});
        check(with(-1, json!({"type": "UNREGISTERED_FAILURE"})), rejected(Reason::NotOnChannel));
        check(with(-1, json!({"type": "NETWORK_FAILURE"})), deferred(Reason::ProviderFault, None));
        check(with(-1, json!({"type": "SUCCESS"})), rejected(Reason::ContentRefused));
        check(coded(-1), rejected(Reason::ContentRefused));
        check(coded(-3), deferred(Reason::ProviderFault, None));
        check(coded(-4), rejected(Reason::IdentityChanged));
        let limited = json!({"type": "RATE_LIMIT_FAILURE", "token": "t", "retryAfterSeconds": 9});
        check(with(-5, limited), deferred(Reason::Throttled, Some(Span::from_secs(9))));
        check(coded(-5), deferred(Reason::Throttled, None));
        for code in [-6, -32602, -32601, -32600, -32700] {
            check(coded(code), rejected(Reason::Configuration));
        }
        let internal = |text: &str| json!({"code": -32603, "message": text});
        check(internal("[429] Rate Limited"), unknown(Reason::Throttled));
        check(internal("StatusCode: [413]"), unknown(Reason::Throttled));
        check(internal("[403] Authorization failed!"), rejected(Reason::Credentials));
        check(internal("[401]"), rejected(Reason::Credentials));
        check(internal("[508] Loop"), rejected(Reason::ServiceDown));
        check(internal("java.io.IOException: closed"), rejected(Reason::ServiceDown));
        check(internal("NullPointerException"), deferred(Reason::ProviderFault, None));
        check(coded(7), unknown(Reason::Unreadable));
        check(json!({"code": "x"}), unknown(Reason::Unreadable));
    }

    #[test]
    fn other_answers_are_read_by_status() {
        let check = |status: u16, body: &str, expected: Outcome| {
            let response = Response { status, body: body.into(), ..Response::default() };
            assert_eq!(outcome(&response), expected, "{status} {body}");
        };
        check(201, "", unknown(Reason::Unreadable));
        check(200, "", unknown(Reason::Unreadable));
        check(200, "[1]", unknown(Reason::Unreadable));
        check(415, "", rejected(Reason::Configuration));
        check(421, "", rejected(Reason::Configuration));
        check(503, "", deferred(Reason::ProviderFault, None));
    }

    #[test]
    fn settings_need_a_daemon_and_a_number() {
        let check = |keys: &str, expected: &str| {
            let (adapter, shown) = built("signal-cli", keys);
            assert_eq!(adapter.is_some(), expected.is_empty(), "{keys}: {shown}");
            assert!(shown.contains(expected), "{keys}: {shown}");
        };
        check("base_url = \"http://127.0.0.1:8080\"\naccount = \"+15550001111\"\n", "");
        assert_eq!(KIND.window, 1, "one daemon sends one by one, and nobody waits in line for it");
        check("account = \"+15550001111\"\n", "has no `base_url`");
        check(
            "base_url = \"http://127.0.0.1:8080\"\naccount = \"me\"\n",
            "`account` of gateway `g` does not look right",
        );
    }
}
