//! The Graph API's errors: their codes, texts and HTTP statuses.
//
// Cites: Meta, Cloud API, "Error codes".

use serde_json::{Value, json};

use super::super::fault;
use super::super::http::Answer;

/// An error in the Graph API's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code on which callers key.
    pub code: u32,
    /// What `error_data.details` says.
    pub details: String,
    /// Whether the error calls itself transient.
    pub is_transient: bool,
}

impl Refusal {
    /// Returns the error with this code.
    #[must_use]
    pub fn new(code: u32) -> Self {
        Self { code, details: title(code).to_owned(), is_transient: matches!(code, 2) }
    }

    /// Says more.
    #[must_use]
    pub fn details(mut self, details: &str) -> Self {
        details.clone_into(&mut self.details);
        self
    }

    /// Returns the error as it stands in a `failed` status.
    pub(super) fn in_status(&self) -> Value {
        let title = title(self.code);
        json!({
            "code": self.code,
            "title": title,
            "message": title,
            "error_data": { "details": self.details },
        })
    }
}

impl fault::Refusal for Refusal {
    fn ordinary() -> Self {
        Self::new(131_000)
    }
}

/// Returns the answer that carries this error.
pub(super) fn answer(refusal: &Refusal) -> Answer {
    Answer::Json(status(refusal.code), body(refusal))
}

/// Returns the answer to too many messages a second from this number.
pub(super) fn throttled(retry_after_s: u32) -> Answer {
    Answer::Later(429, retry_after_s, body(&Refusal::new(130_429)))
}

fn body(refusal: &Refusal) -> Value {
    let mut error = json!({
        "message": format!("(#{}) {}", refusal.code, title(refusal.code)),
        "type": "OAuthException",
        "code": refusal.code,
        "error_data": { "messaging_product": "whatsapp", "details": refusal.details },
        "fbtrace_id": "A1emulated",
    });
    if refusal.is_transient {
        error["is_transient"] = json!(true);
    }
    json!({ "error": error })
}

/// Returns the HTTP status that goes with a code.
const fn status(code: u32) -> u16 {
    match code {
        0 | 190 => 401,
        3 | 10 | 200..=299 | 368 | 130_497 | 131_005 | 131_031 => 403,
        132_001 => 404,
        2 | 131_016 | 133_004 => 503,
        131_000 | 131_045 | 131_057 => 500,
        _ => 400,
    }
}

const fn title(code: u32) -> &'static str {
    match code {
        0 => "AuthException",
        1 => "An unknown error has occurred",
        2 => "Service temporarily unavailable",
        3 => "Application does not have the capability to make this API call",
        4 => "Application request limit reached",
        10 | 200..=299 => "Application does not have permission for this action",
        33 => "Unsupported post request",
        100 => "Invalid parameter",
        190 => "Error validating access token: Session has expired",
        368 => "Temporarily blocked for policies violations",
        80_007 => "Rate limit issues",
        130_429 => "Rate limit hit",
        130_472 => "User's number is part of an experiment",
        130_497 => "Business account is restricted from messaging users in this country",
        131_000 => "Something went wrong",
        131_005 => "Access denied",
        131_008 => "Required parameter is missing",
        131_009 => "Parameter value is not valid",
        131_016 => "Service unavailable",
        131_021 => "Recipient cannot be sender",
        131_026 => "Message undeliverable",
        131_030 => "Recipient phone number not in allowed list",
        131_031 => "Account has been locked",
        131_037 => "Display name approval needed",
        131_042 => "Business eligibility payment issue",
        131_045 => "Incorrect certificate",
        131_047 => "Re-engagement message",
        131_048 => "Spam rate limit hit",
        131_049 => "Meta chose not to deliver",
        131_050 => "User has stopped receiving marketing messages",
        131_051 => "Unsupported message type",
        131_052 => "Media download error",
        131_053 => "Media upload error",
        131_056 => "Pair rate limit hit",
        131_057 => "Account in maintenance mode",
        131_064 => "Business messaging limit reached",
        132_000 => "Template param count mismatch",
        132_001 => "Template does not exist",
        132_005 => "Template hydrated text too long",
        132_007 => "Template format character policy violated",
        132_008 => "Template parameter value invalid",
        132_012 => "Template parameter format mismatch",
        132_015 => "Template is paused",
        132_016 => "Template is disabled",
        132_068 => "Flow is in blocked state",
        132_069 => "Flow is in throttled state",
        133_004 => "Server temporarily unavailable",
        133_010 => "Phone number not registered",
        133_016 => "Account register deregister rate limit exceeded",
        135_000 => "Generic user error",
        137_000 => "Recipient identity key mismatch",
        _ => "Error",
    }
}
