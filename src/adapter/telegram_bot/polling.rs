//! Long polling: what Telegram has to tell is asked for and heard, and only then confirmed.
//!
//! Limits: [`UPDATES_MAX`] updates an answer and [`ANSWER_BYTES_MAX`] of it. What is longer all the same is asked for
//! again in halves, since the same question would get the same answer for as long as Telegram keeps it, a day.
//!
//! Invariant: what follows an update is asked for once what that update tells is on disk.

use super::TelegramBot;
use super::updates::{Buttons, News};
use crate::adapter::back_off::back_off;
use crate::adapter::http::{Reading, Request, Response};
use crate::adapter::together::together;
use crate::adapter::{Doing, Ear};
use crate::core::outcome::{Outcome, Reason};
use crate::core::time::Span;
use serde_json::{Value, json};
use std::time::Duration;

/// How many updates are asked for at once. Cites: Bot API, `getUpdates`: 1 to 100.
const UPDATES_MAX: usize = 100;

/// The most that one press takes: our own message comes along, 4096 UTF-16 units of six bytes where each is escaped
/// (`\u0627`), and its entities, keyboard, chat and sender beside it.
const UPDATE_BYTES_MAX: usize = 4096 * 6 + 8 * 1024;

/// The most that is read of the answer to one poll.
const ANSWER_BYTES_MAX: usize = UPDATES_MAX * UPDATE_BYTES_MAX;

/// How long Telegram holds a poll without news. Cites: the Bot API recommends long polling; 50 s is common.
const POLL_SECS: i64 = 50;

/// How long a poll may take in all.
const POLL_TIME_OUT: Span = Span::from_secs(POLL_SECS + 10);

/// How long Telegram may take to take a word on a press.
const WORD_TIME_OUT: Span = Span::from_secs(5);

/// How many words on presses are out at once: below the 30 a second that a bot may say.
const WORDS_MAX: usize = 16;

/// How long the words on one answer's presses may hold up the next poll. The rest stays unsaid: those buttons look
/// busy for a while, and nothing is lost.
const WORDS_TIME: Duration = Duration::from_secs(10);

/// The life of what does not expire.
const EVER: Span = Span::from_hours(24);

/// Why there are no updates.
#[derive(Debug, PartialEq, Eq)]
enum Missed {
    /// The answer is longer than what is read.
    TooLong,
    Failed(Outcome),
}

impl TelegramBot {
    /// Asks for presses of buttons and for what people write, for ever.
    pub(super) async fn poll(&self, buttons: &Buttons, ear: &dyn Ear) {
        let (mut offset, mut limit, mut failures, mut is_up) = (0i64, UPDATES_MAX, 0u32, None);
        loop {
            let updates = match self.updates(offset, limit).await {
                Ok(updates) => updates,
                Err(Missed::TooLong) if limit > 1 => {
                    limit /= 2;
                    continue;
                }
                Err(missed) => {
                    if is_up.replace(false) != Some(false) {
                        ear.link(false, missed.reason());
                    }
                    failures = failures.saturating_add(1);
                    tokio::time::sleep(back_off(failures)).await;
                    continue;
                }
            };
            if is_up.replace(true) != Some(true) {
                ear.link(true, None);
            }
            failures = 0;
            limit = (limit * 2).min(UPDATES_MAX);
            let news: Vec<News> = updates.iter().filter_map(|update| buttons.read(update)).collect();
            // One commit of the disk takes them all, where each by itself would wait for one of its own.
            let receipts = news.iter().filter_map(|news| news.receipt.clone()).map(|one| ear.receipt(one));
            let replies = news.iter().filter_map(|news| news.reply.clone()).map(|one| ear.reply(one));
            together(UPDATES_MAX, receipts.chain(replies).collect()).await;
            // What has been heard is confirmed by asking for what follows it.
            let after = updates.iter().filter_map(|update| update["update_id"].as_i64()).max();
            offset = after.map_or(offset, |id| offset.max(id.saturating_add(1)));
            let presses = news.iter().filter_map(|news| news.query.as_deref());
            let words = presses.map(|press| -> Doing<'_, ()> { Box::pin(self.answer(press)) }).collect();
            let _ = tokio::time::timeout(WORDS_TIME, together(WORDS_MAX, words)).await;
        }
    }

    async fn updates(&self, offset: i64, limit: usize) -> Result<Vec<Value>, Missed> {
        let query = json!({
            "offset": offset, "timeout": POLL_SECS, "limit": limit, "allowed_updates": ["message", "callback_query"],
        });
        let request = Request::post(format!("{}/getUpdates", self.path), &query)
            .reading(Reading::Body(ANSWER_BYTES_MAX));
        let called = self.client.call(&request, POLL_TIME_OUT, EVER).await;
        called.answer.map_err(|failure| Missed::Failed(failure.outcome())).and_then(|answer| news(&answer))
    }

    async fn answer(&self, press: &str) {
        let answer = json!({"callback_query_id": press});
        let request = Request::post(format!("{}/answerCallbackQuery", self.path), &answer);
        // Without it the button looks busy for a while; nothing is lost.
        self.client.call(&request, WORD_TIME_OUT, EVER).await;
    }
}

impl Missed {
    fn reason(&self) -> Option<Reason> {
        match self {
            // Not even one update can be read.
            Missed::TooLong => Some(Reason::Unreadable),
            Missed::Failed(outcome) => outcome.reason(),
        }
    }
}

/// Returns the updates of an answer to a poll.
fn news(response: &Response) -> Result<Vec<Value>, Missed> {
    if response.is_cut && response.status == 200 {
        return Err(Missed::TooLong);
    }
    let mut body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let is_ok = body["ok"] == true;
    // By `get_mut`, since to write at a key panics where the body is no object.
    match body.get_mut("result").map(Value::take) {
        Some(Value::Array(updates)) if is_ok => Ok(updates),
        _ => Err(Missed::Failed(super::outcome(response))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_updates_or_says_why_not() {
        let check = |body: &str, expected: Result<usize, Missed>| {
            let response = Response { status: 200, body: body.into(), ..Response::default() };
            assert_eq!(news(&response).map(|updates| updates.len()), expected, "{body}");
        };
        check(r#"{"ok":true,"result":[{"update_id":1},{}]}"#, Ok(2));
        check(r#"{"ok":true,"result":[]}"#, Ok(0));
        let unreadable = || Err(Missed::Failed(Outcome::Unknown { reason: Reason::Unreadable }));
        // Something between us and Telegram may answer anything.
        for body in
            ["", "null", "[1]", "\"no\"", "1", "true", r#"{"ok":true,"result":1}"#, r#"{"result":[]}"#]
        {
            check(body, unreadable());
        }
        let cut = Response { status: 200, is_cut: true, ..Response::default() };
        assert_eq!(news(&cut), Err(Missed::TooLong));
    }
}
