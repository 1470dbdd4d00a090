//! The business account: its templates page by page, and the apps that are called.
//
// Cites: Meta, Business Management API, "Message Templates", "Subscribed Apps"; Graph API, "Paginated Results".

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::http::{Answer, Request};
use super::errors::{self, Refusal};

/// How many templates stand on a page unless the caller says, and at most.
const PAGE: (usize, usize) = (25, 1_000);

/// One template as the account has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// Its language: `ar`, `en_US`.
    pub language: String,
    /// `APPROVED`, `PENDING`, `REJECTED`, `PAUSED`, `DISABLED`.
    pub status: String,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    pub quality: String,
    /// Why it was rejected, or `NONE`.
    pub rejected_reason: String,
}

impl Template {
    /// Returns a template in this state, of which nothing more is said.
    #[must_use]
    pub fn new(name: &str, language: &str, status: &str) -> Self {
        Self {
            name: name.to_owned(),
            language: language.to_owned(),
            status: status.to_owned(),
            quality: "UNKNOWN".to_owned(),
            rejected_reason: "NONE".to_owned(),
        }
    }
}

/// Answers for a page of the templates.
pub(super) fn templates(all: &[Template], request: &Request) -> Answer {
    let parameters = request.parameters();
    let text = |key: &str| parameters.get(key).map(String::as_str);
    let limit = text("limit").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE.0).clamp(1, PAGE.1);
    let start = match text("after").map(place) {
        None => 0,
        Some(Some(place)) => place,
        Some(None) => return errors::answer(&Refusal::new(100).details("The cursor is not valid")),
    };
    let fields: Vec<&str> = text("fields").unwrap_or("name,status,category,language").split(',').collect();
    let page: Vec<&Template> = all.iter().skip(start).take(limit).collect();
    let mut data = Vec::new();
    for template in &page {
        match shown(template, &fields) {
            Ok(shown) => data.push(shown),
            Err(refusal) => return errors::answer(&refusal),
        }
    }
    let end = start + page.len();
    let mut answer = json!({ "data": data });
    if !page.is_empty() {
        answer["paging"] = json!({ "cursors": { "before": cursor(start), "after": cursor(end) } });
        if end < all.len() {
            let after = cursor(end);
            answer["paging"]["next"] = json!(format!(
                "https://graph.facebook.com{}?access_token=EMULATED&after={after}",
                request.path
            ));
        }
    }
    Answer::Json(200, answer)
}

fn shown(template: &Template, fields: &[&str]) -> Result<Value, Refusal> {
    let mut shown = json!({ "id": format!("{}-{}", template.name, template.language) });
    for field in fields {
        shown[*field] = match *field {
            "name" => json!(template.name),
            "language" => json!(template.language),
            "status" => json!(template.status),
            "category" => json!("UTILITY"),
            "quality_score" => json!({ "score": template.quality, "date": 1_700_000_000 }),
            "rejected_reason" => json!(template.rejected_reason),
            "id" => continue,
            unknown => {
                let details = format!("Tried accessing nonexisting field ({unknown})");
                return Err(Refusal::new(100).details(&details));
            }
        };
    }
    Ok(shown)
}

fn cursor(place: usize) -> String {
    URL_SAFE_NO_PAD.encode(place.to_string())
}

fn place(cursor: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    String::from_utf8(bytes).ok()?.parse().ok()
}

/// Answers who is called for the account.
pub(super) fn subscribed(is_subscribed: bool) -> Answer {
    let app = json!({
        "whatsapp_business_api_data": {
            "id": "670843887433847", "link": "https://www.facebook.com/games/?app_id=670843887433847", "name": "Emulated",
        },
    });
    Answer::Json(200, json!({ "data": if is_subscribed { vec![app] } else { Vec::new() } }))
}
