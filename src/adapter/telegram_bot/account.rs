//! What Telegram says of the bot's webhook: whether it is set, to our hook, and how its calls fare.
//
// Cites: Telegram, Bot API, getWebhookInfo, setWebhook, getUpdates.

use super::{TelegramBot, Updates, outcome};
use crate::adapter::counsel::{Counsel, named, word};
use crate::adapter::http::{Request, now};
use crate::core::outcome::Reason;
use crate::core::time::{Span, Timestamp};
use serde_json::Value;

/// How long the answer may take.
const TIME_OUT: Span = Span::from_secs(10);
/// How long a failed call of the webhook is news: Telegram keeps what it has not brought for a day.
const RECENT: Span = Span::from_hours(24);
/// What must be brought for replies and presses to be heard.
const WANTED: [&str; 2] = ["message", "callback_query"];
const HOOK: &str = "hooks";

impl TelegramBot {
    /// Asks how the webhook stands, where anything is to be heard.
    pub(super) async fn advise(&self) -> Vec<Counsel> {
        let Some(updates) = &self.updates else { return Vec::new() };
        let request = Request::get(format!("{}/getWebhookInfo", self.path));
        let called = self.client.call(&request, TIME_OUT, TIME_OUT).await;
        let told = called.answer.map_err(|failure| failure.outcome()).and_then(|response| {
            let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            if body["ok"] == true && body["result"].is_object() { Ok(body) } else { Err(outcome(&response)) }
        });
        vec![match (told, updates) {
            (Ok(body), Updates::Webhook(_)) => self.judge(&body["result"], now()),
            (Ok(body), Updates::Polling) => self.judge_polling(&body["result"]),
            (Err(outcome), _) => {
                let why = outcome.reason().unwrap_or(Reason::Unreadable).name().replace('_', " ");
                Counsel::unasked(
                    HOOK,
                    format!("{}: the provider does not say how its webhook stands: {why}", self.gateway),
                    "look at the other findings of this gateway, and ask again",
                )
            }
        }]
    }

    fn judge(&self, info: &Value, now: Timestamp) -> Counsel {
        let (name, ours) = (&self.gateway, &self.hook_url);
        let url = info["url"].as_str().unwrap_or_default();
        let set = format!(
            "call `setWebhook` with `url` {ours}, `secret_token` as in `webhook_secret`, and `allowed_updates` \
             [\"message\", \"callback_query\"]"
        );
        if url != ours {
            let what = if url.is_empty() {
                format!("{name}: no webhook is set at Telegram: no reply and no press of a button comes")
            } else {
                format!("{name}: the webhook set at Telegram is not ours: replies and presses go elsewhere")
            };
            return Counsel::fault(HOOK, what, set);
        }
        let waits = info["pending_update_count"].as_u64().unwrap_or_default();
        let failed = info["last_error_date"].as_i64().map(|s| Timestamp::from_ms(s.saturating_mul(1_000)));
        if failed.is_some_and(|at| now.since(at) < RECENT) {
            let why = word(info["last_error_message"].as_str().unwrap_or("it does not say why"));
            return Counsel::warning(
                HOOK,
                format!(
                    "{name}: Telegram's last call of {ours} that failed was within a day: {why}; waiting there: {waits}"
                ),
                "look whether the address answers from outside with a certificate that Telegram trusts; what waits is kept for a day",
            );
        }
        let allowed: Vec<_> =
            info["allowed_updates"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let missing: Vec<_> =
            WANTED.iter().filter(|wanted| !allowed.contains(wanted)).map(ToString::to_string).collect();
        // A list that is not there or empty means the usual ones, which have both.
        if !allowed.is_empty() && !missing.is_empty() {
            let what = format!("{name}: the webhook set at Telegram brings no {}", named(&missing));
            return Counsel::fault(HOOK, what, set);
        }
        Counsel::fine(HOOK, format!("{name}: Telegram calls {ours}; waiting there: {waits}"))
    }

    fn judge_polling(&self, info: &Value) -> Counsel {
        let name = &self.gateway;
        match info["url"].as_str().unwrap_or_default() {
            "" => Counsel::fine(HOOK, format!("{name}: no webhook stands in the way of asking for updates")),
            _ => Counsel::fault(
                HOOK,
                format!(
                    "{name}: a webhook is set at Telegram, so that asking for updates is refused: no reply comes"
                ),
                "call `deleteWebhook`, or write `updates = \"webhook\"` with a `webhook_secret` in the gateway's table",
            ),
        }
    }
}
