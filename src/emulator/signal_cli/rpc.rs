//! JSON-RPC 2.0 as the daemon speaks it: `send`, `version`, `listAccounts`, `getUserStatus`, ..

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::super::desk::{Desk, Verdict, lock};
use super::super::fault::{AcceptFault, AnswerFault, DeliverFault, ReceiptFault};
use super::super::http::{Answer, accept_fault};
use super::super::received::Received;
use super::feed::{News, Stage};
use super::{Refusal, ResultKind, SignalCli, uuid};

/// Calls in one batch, and recipients of one call.
const BATCH_MAX: usize = 1_000;

/// Why there is no result.
pub(super) enum Failure {
    /// An error that the caller is told.
    Error { code: i32, message: String, data: Value },
    /// No proper answer.
    Fault(AnswerFault),
}

fn error(code: i32, message: &str) -> Failure {
    Failure::Error { code, message: message.to_owned(), data: Value::Null }
}

/// Answers the body of a call, single or batch.
pub(super) async fn serve(daemon: &SignalCli, desk: &Desk<Refusal>, body: &[u8]) -> Answer {
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        let failure = error(-32_700, "Parse error");
        return Answer::Json(200, response(&Value::Null, Err(failure)));
    };
    let Value::Array(batch) = request else {
        return match one(daemon, desk, &request).await {
            Ok(Some(response)) => Answer::Json(200, response),
            Ok(None) => Answer::Text(201, String::new()),
            Err(fault) => Answer::Fault(fault),
        };
    };
    let mut responses = Vec::new();
    for request in batch.iter().take(BATCH_MAX) {
        match one(daemon, desk, request).await {
            Ok(response) => responses.extend(response),
            Err(fault) => return Answer::Fault(fault),
        }
    }
    if responses.is_empty() {
        return Answer::Text(201, String::new());
    }
    Answer::Json(200, Value::Array(responses))
}

/// Answers one call; a notification has no response.
async fn one(
    daemon: &SignalCli,
    desk: &Desk<Refusal>,
    request: &Value,
) -> Result<Option<Value>, AnswerFault> {
    let id = request.get("id");
    let is_call = request["jsonrpc"] == "2.0" && request["method"].is_string();
    let result =
        if is_call { call(daemon, desk, request).await } else { Err(error(-32_600, "Invalid request")) };
    if let Err(Failure::Fault(fault)) = result {
        return Err(fault);
    }
    if id.is_none() && is_call {
        return Ok(None);
    }
    Ok(Some(response(id.unwrap_or(&Value::Null), result)))
}

fn response(id: &Value, result: Result<Value, Failure>) -> Value {
    match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "result": result, "id": id }),
        Err(Failure::Error { code, message, data }) => json!({
            "jsonrpc": "2.0",
            "error": { "code": code, "message": message, "data": data },
            "id": id,
        }),
        // Faults end before a response is made.
        Err(Failure::Fault(_)) => Value::Null,
    }
}

async fn call(daemon: &SignalCli, desk: &Desk<Refusal>, request: &Value) -> Result<Value, Failure> {
    let parameters = &request["params"];
    match request["method"].as_str().unwrap_or_default() {
        "version" => Ok(json!({ "version": "0.13.9" })),
        "listAccounts" => {
            let accounts = lock(&daemon.accounts).clone();
            let list = accounts.into_iter().map(|number| json!({ "number": number }));
            Ok(list.collect())
        }
        "getUserStatus" => {
            account(daemon, parameters)?;
            Ok(user_status(desk, parameters))
        }
        "listGroups" => {
            account(daemon, parameters)?;
            let groups = daemon.options.groups.iter();
            Ok(groups.map(|(id, members)| json!({ "id": id, "members": members })).collect())
        }
        "send" => {
            let account = account(daemon, parameters)?;
            send(daemon, desk, &account, parameters).await
        }
        "submitRateLimitChallenge" => {
            account(daemon, parameters)?;
            Ok(json!({}))
        }
        _ => Err(error(-32_601, "Method not implemented")),
    }
}

/// Returns the account of a call; the only one there is need not be named.
fn account(daemon: &SignalCli, parameters: &Value) -> Result<String, Failure> {
    let accounts = lock(&daemon.accounts);
    match parameters["account"].as_str() {
        Some(account) if accounts.contains(account) => Ok(account.to_owned()),
        Some(_) => Err(error(-32_602, "Specified account does not exist")),
        None => Err(error(-32_602, "Method requires valid account parameter")),
    }
}

fn user_status(desk: &Desk<Refusal>, parameters: &Value) -> Value {
    let unregistered = Refusal::result(ResultKind::UnregisteredFailure);
    let statuses = strings(&parameters["recipient"]).into_iter().map(|number| {
        let registered = desk.refusal_of(&number) != Some(unregistered.clone());
        let uuid = registered.then(|| uuid(&number));
        json!({
            "recipient": number, "number": number, "username": null, "uuid": uuid,
            "isRegistered": registered,
        })
    });
    statuses.collect()
}

/// Reads a list of texts; one text counts as a list of one.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => {
            let texts = list.iter().filter_map(Value::as_str);
            texts.take(BATCH_MAX).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

pub(super) async fn send(
    daemon: &SignalCli,
    desk: &Desk<Refusal>,
    account: &str,
    parameters: &Value,
) -> Result<Value, Failure> {
    let text = parameters["message"].as_str().unwrap_or_default();
    if text.is_empty() {
        return Err(error(-1, "No message or attachment given"));
    }
    let group = parameters["groupId"].as_str();
    let recipients = match group {
        Some(id) => daemon
            .options
            .groups
            .get(id)
            .cloned()
            .ok_or_else(|| error(-1, "Failed to send message: Group not found"))?,
        None if parameters["noteToSelf"] == true => vec![account.to_owned()],
        None => strings(&parameters["recipient"]),
    };
    if recipients.is_empty() {
        return Err(error(-1, "No recipients given"));
    }
    let mut judged = Vec::new();
    for number in recipients {
        let (verdict, delay) = desk.judge(&number);
        tokio::time::sleep(delay).await;
        judged.push((number, verdict));
    }
    let call = Call { daemon, desk, account, text, timestamp: daemon.stamp() };
    call.finish(judged, group.is_some()).await
}

/// One `send` in the making.
struct Call<'a> {
    daemon: &'a SignalCli,
    desk: &'a Desk<Refusal>,
    account: &'a str,
    text: &'a str,
    timestamp: u64,
}

impl Call<'_> {
    async fn finish(
        &self,
        judged: Vec<(String, Verdict<Refusal>)>,
        to_group: bool,
    ) -> Result<Value, Failure> {
        let mut results = Vec::new();
        let mut kinds = Vec::new();
        for (number, verdict) in judged {
            let refusal = match verdict {
                Verdict::Take => {
                    self.take(&number).await;
                    Refusal::result(ResultKind::Success)
                }
                Verdict::Fault(AcceptFault::Reject(Refusal::Error { code, message })) => {
                    return Err(error(code, &message));
                }
                Verdict::Fault(AcceptFault::Reject(refusal)) => refusal,
                Verdict::Fault(AcceptFault::Throttle { retry_after_s }) => Refusal::Result {
                    kind: ResultKind::RateLimitFailure,
                    retry_after_s: Some(retry_after_s),
                    token: None,
                },
                Verdict::Fault(fault) => {
                    let Some((fault, taken)) = accept_fault(&fault) else {
                        continue;
                    };
                    if taken {
                        self.take(&number).await;
                    }
                    return Err(Failure::Fault(fault));
                }
            };
            if let Refusal::Result { kind, retry_after_s, token } = refusal {
                kinds.push(kind);
                results.push(result(&number, kind, retry_after_s, token));
            }
        }
        let response = json!({ "timestamp": self.timestamp, "results": results });
        if to_group || kinds.contains(&ResultKind::Success) {
            return Ok(response);
        }
        let all = |wanted| kinds.iter().all(|kind| *kind == wanted);
        let (code, message) = if all(ResultKind::IdentityFailure) {
            (-4, "Failed to send message due to untrusted identities")
        } else if all(ResultKind::RateLimitFailure) {
            (-5, "Failed to send message due to rate limiting")
        } else {
            (-1, "Failed to send message")
        };
        Err(Failure::Error { code, message: message.to_owned(), data: json!({ "response": response }) })
    }

    /// Takes the message for one recipient and arranges its receipts.
    async fn take(&self, number: &str) {
        self.desk.keep(Received {
            number: 0,
            at: UNIX_EPOCH,
            recipient: number.to_owned(),
            sender: self.account.to_owned(),
            text: self.text.to_owned(),
            provider_id: self.timestamp.to_string(),
            attempt_ref: None,
            details: BTreeMap::new(),
        });
        let fate = self.desk.fate();
        if matches!(fate.deliver, Some(DeliverFault::Drop | DeliverFault::Fail(_))) {
            return;
        }
        let told = fate.deliver_after + fate.receipt_after;
        let mut plan = vec![(told, self.news(number, Stage::Delivery))];
        if self.daemon.options.read_receipts {
            plan.push((told * 2, self.news(number, Stage::Read)));
        }
        self.arrange(plan, fate.receipt, fate.is_held());
    }

    fn news(&self, number: &str, stage: Stage) -> News {
        let sender = self.daemon.sender(number);
        News::receipt(self.account, sender, stage, self.timestamp)
    }

    fn arrange(&self, plan: Vec<(Duration, News)>, fault: Option<ReceiptFault>, hold: bool) {
        let feed = &self.daemon.feed;
        let times: Vec<Duration> = plan.iter().map(|(after, _)| *after).collect();
        let mut news: Vec<News> = plan.into_iter().map(|(_, news)| news).collect();
        match fault {
            Some(ReceiptFault::Missing) => return,
            _ if hold => {
                for news in news {
                    feed.agenda.hold(news);
                }
                return;
            }
            Some(ReceiptFault::Early) => {
                feed.publish(news);
                return;
            }
            Some(ReceiptFault::Disordered) => news.reverse(),
            Some(ReceiptFault::Doubled) => {
                for (after, news) in times.iter().zip(&news) {
                    feed.agenda.push(*after, news.clone().alone());
                }
            }
            Some(ReceiptFault::Forged) => {
                let stranger = self.daemon.sender("+15559999999");
                news = news.into_iter().map(|n| n.from(stranger.clone())).collect();
            }
            Some(ReceiptFault::Held) | None => {}
        }
        for (after, news) in times.into_iter().zip(news) {
            feed.agenda.push(after, news);
        }
    }
}

fn result(number: &str, kind: ResultKind, retry_after_s: Option<u32>, token: Option<String>) -> Value {
    let mut result = json!({
        "recipientAddress": { "uuid": uuid(number), "number": number, "username": null },
        "type": kind.word(),
    });
    if kind == ResultKind::UnregisteredFailure {
        result["recipientAddress"]["uuid"] = Value::Null;
    }
    if let Some(seconds) = retry_after_s {
        result["retryAfterSeconds"] = json!(seconds);
    }
    if let Some(token) = token {
        result["token"] = json!(token);
    }
    result
}
