//! Twilio's refusals, in its own shape.

use serde_json::{Value, json};

use super::super::fault;
use super::super::http::Answer;

/// An error of the API, or of a carrier behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Twilio's code.
    pub code: u32,
    /// What the message says beside the code's usual words.
    pub details: String,
}

impl Refusal {
    /// Returns the refusal with this code.
    #[must_use]
    pub fn new(code: u32) -> Self {
        Self { code, details: String::new() }
    }

    /// Adds words of its own.
    #[must_use]
    pub fn details(mut self, details: &str) -> Self {
        details.clone_into(&mut self.details);
        self
    }

    const fn status(&self) -> u16 {
        match self.code {
            20_003 => 401,
            20_005 | 20_006 => 403,
            20_404 => 404,
            14_107 | 20_429 => 429,
            20_500 => 500,
            20_503 => 503,
            20_504 => 504,
            _ => 400,
        }
    }

    fn body(&self) -> Value {
        let usual = title(self.code);
        let message =
            if self.details.is_empty() { usual.to_owned() } else { format!("{usual}: {}", self.details) };
        json!({
            "code": self.code,
            "message": message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status(),
        })
    }
}

impl fault::Refusal for Refusal {
    fn ordinary() -> Self {
        Self::new(20_500)
    }
}

pub(super) fn answer(refusal: &Refusal) -> Answer {
    Answer::Json(refusal.status(), refusal.body())
}

pub(super) fn throttled(retry_after_s: u32) -> Answer {
    let refusal = Refusal::new(20_429);
    Answer::Later(refusal.status(), retry_after_s, refusal.body())
}

const fn title(code: u32) -> &'static str {
    match code {
        14_107 => "Message send rate limit exceeded",
        20_003 => "Authenticate",
        20_005 => "Account not active",
        20_404 => "The requested resource was not found",
        20_429 => "Too Many Requests",
        20_500 => "Internal Server Error",
        20_503 => "Service unavailable",
        20_504 => "Gateway timeout",
        21_211 => "Invalid 'To' Phone Number",
        21_408 => "Permission to send an SMS has not been enabled for the region",
        21_602 => "Message body is required",
        21_603 => "A 'From' phone number is required",
        21_604 => "A 'To' phone number is required",
        21_606 => "The 'From' phone number is not a valid, SMS-capable number of this account",
        21_609 => "The 'StatusCallback' URL is not a valid URL",
        21_610 => "Attempt to send to unsubscribed recipient",
        21_611 => "This 'From' number has exceeded the maximum number of queued messages",
        21_612 => "The 'To' number is not reachable via this 'From' number",
        21_614 => "'To' number is not a valid mobile number",
        21_617 => "The concatenated message body exceeds the 1600 character limit",
        21_701 => "The Messaging Service does not exist",
        30_001 => "Queue overflow",
        30_003 => "Unreachable destination handset",
        30_004 => "Message blocked",
        30_005 => "Unknown destination handset",
        30_006 => "Landline or unreachable carrier",
        30_007 => "Message filtered",
        30_008 => "Unknown error",
        _ => "Error",
    }
}
