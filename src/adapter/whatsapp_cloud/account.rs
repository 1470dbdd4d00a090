//! What Meta says of the account: which templates are approved, and whether it calls our webhook.
//!
//! Limits: [`PAGES_MAX`] pages of [`PAGE_TEMPLATES`] templates are read.
//
// Cites: Meta, WhatsApp Business Platform, Business Management API, "Message Templates" and "Subscribed Apps"; Graph
// API, "Paginated Results".

use super::{WhatsappCloud, outcome};
use crate::adapter::counsel::{Counsel, named, word};
use crate::adapter::http::{Request, escaped};
use crate::core::outcome::Reason;
use crate::core::time::Span;
use hyper::header::AUTHORIZATION;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many templates are asked for at once: a page of them stays far below what is read of an answer.
const PAGE_TEMPLATES: usize = 100;
/// How many pages are read. Cites: Meta, "Templates": an account has 6,000 at most.
const PAGES_MAX: usize = 60;
/// How long each answer may take.
const TIME_OUT: Span = Span::from_secs(10);
const TEMPLATES: &str = "templates";
const HOOK: &str = "hooks";
/// What stands for templates that may be sent, and of which people complain.
const LOW_QUALITY: &str = "APPROVED, OF LOW QUALITY";

/// The account, as far as it is known.
pub(super) struct Account {
    /// The gateway's name.
    pub(super) gateway: String,
    /// `/v23.0/102290129340398`; `None`: no `waba_id` is given.
    pub(super) path: Option<String>,
    /// Where our hook is, as the outside names it.
    pub(super) hook_url: String,
}

/// What is known of the templates.
#[derive(Default, PartialEq, Eq, Debug)]
struct Templates {
    approved: usize,
    /// Those that a person must look at, each with its language, by how they stand.
    troubled: BTreeMap<String, Vec<String>>,
    /// Whether there are more than were read.
    is_cut: bool,
}

impl WhatsappCloud {
    /// Asks for the templates and, where statuses are heard, whether Meta calls us.
    pub(super) async fn advise(&self) -> Vec<Counsel> {
        let name = &self.account.gateway;
        let Some(path) = &self.account.path else {
            return vec![Counsel::unasked(
                TEMPLATES,
                format!("{name}: without `waba_id` nobody is asked which templates are approved"),
                "write the account's number, from the WhatsApp Manager, as `waba_id = \"..\"` in the gateway's table",
            )];
        };
        let mut counsels = match self.templates(path).await {
            Ok(templates) => templates.judge(name),
            Err(reason) => vec![untold(TEMPLATES, name, "its templates", reason)],
        };
        if self.keys.app_secret.is_some() {
            counsels.push(match self.get(&format!("{path}/subscribed_apps")).await {
                Ok(body) => subscribed(name, &self.account.hook_url, &body),
                Err(reason) => untold(HOOK, name, "whom it calls", reason),
            });
        }
        counsels
    }

    async fn templates(&self, path: &str) -> Result<Templates, Reason> {
        const FIELDS: &str = "name,language,status,category,quality_score,rejected_reason";
        let first = format!("{path}/message_templates?fields={FIELDS}&limit={PAGE_TEMPLATES}");
        let (mut templates, mut query) = (Templates::default(), first.clone());
        for _ in 0..PAGES_MAX {
            let body = self.get(&query).await?;
            templates.take(body["data"].as_array().ok_or(Reason::Unreadable)?);
            // The address of the next page holds the token, and leads wherever it says; the mark alone is taken.
            let next =
                body["paging"]["cursors"]["after"].as_str().filter(|_| body["paging"]["next"].is_string());
            let Some(after) = next else { return Ok(templates) };
            query = format!("{first}&after={}", escaped(after));
        }
        templates.is_cut = true;
        Ok(templates)
    }

    async fn get(&self, path: &str) -> Result<Value, Reason> {
        let request =
            Request::get(path.to_owned()).header(AUTHORIZATION, self.settings.authorization.clone());
        let called = self.client.call(&request, TIME_OUT, TIME_OUT).await;
        let response =
            called.answer.map_err(|failure| failure.outcome().reason().unwrap_or(Reason::Unreadable))?;
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        match response.status {
            200..=299 if body.is_object() && body.get("error").is_none() => Ok(body),
            // Read as the answer to a message would be: the same codes mean the same here.
            _ => Err(outcome(&response).reason().unwrap_or(Reason::Unreadable)),
        }
    }
}

impl Templates {
    fn take(&mut self, page: &[Value]) {
        for template in page {
            let text = |key: &str| template[key].as_str().unwrap_or_default();
            let mut name = format!("{} ({})", word(text("name")), word(text("language")));
            let status = match text("status") {
                "APPROVED" => {
                    self.approved += 1;
                    if template["quality_score"]["score"] != "RED" {
                        continue;
                    }
                    LOW_QUALITY.to_owned()
                }
                // It is no longer there.
                "DELETED" => continue,
                "REJECTED" => {
                    let why =
                        Some(word(text("rejected_reason"))).filter(|why| !matches!(&**why, "" | "NONE"));
                    name += &why.map_or(String::new(), |why| format!(": {why}"));
                    "REJECTED".to_owned()
                }
                other => word(other),
            };
            self.troubled.entry(status).or_default().push(name);
        }
    }

    fn judge(&self, gateway: &str) -> Vec<Counsel> {
        let trouble = |(status, names): (&String, &Vec<String>)| {
            let what = format!("{gateway}: templates that are {status}: {}", named(names));
            Counsel::warning(TEMPLATES, what, remedy(status))
        };
        let mut counsels: Vec<_> = self.troubled.iter().map(trouble).collect();
        counsels.push(match self.approved {
            0 => Counsel::fault(
                TEMPLATES,
                format!(
                    "{gateway}: no template is approved: whoever has not written to us for a day cannot be written to"
                ),
                "make one in each language that you write in, in the WhatsApp Manager under Message templates, of the category \
                 Utility; the approval takes from minutes to two days",
            ),
            approved => Counsel::fine(TEMPLATES, format!("{gateway}: approved templates: {approved}")),
        });
        if self.is_cut {
            let read = PAGES_MAX * PAGE_TEMPLATES;
            counsels.push(Counsel::unasked(
                TEMPLATES,
                format!("{gateway}: there are more than {read} templates; those beyond were not looked at"),
                "delete those that nobody uses",
            ));
        }
        counsels
    }
}

/// Says what a person can do about templates that stand so.
fn remedy(status: &str) -> &'static str {
    match status {
        LOW_QUALITY => {
            "people block it or report it, and it will be paused: send it to fewer, or say more clearly who writes and why"
        }
        "PAUSED" => {
            "it cannot be sent until Meta lets it go, after hours: have another with the same words approved, and name that one"
        }
        "DISABLED" => {
            "it cannot be sent any more: have other words approved under another name, or appeal in Business Support"
        }
        "REJECTED" => {
            "it cannot be sent: edit it in the WhatsApp Manager by the reason given, and hand it in again"
        }
        "PENDING" | "IN_APPEAL" => {
            "it cannot be sent before it is approved: do not count on it, and look again tomorrow"
        }
        _ => "it may not be sent: look at it in the WhatsApp Manager under Message templates",
    }
}

/// Judges who is subscribed to what happens to the account.
fn subscribed(gateway: &str, hook_url: &str, body: &Value) -> Counsel {
    let apps = body["data"].as_array().map_or(&[][..], Vec::as_slice);
    // An app calls the address of its own settings, unless the subscription names another.
    let reaches = |app: &&Value| app["override_callback_uri"].as_str().is_none_or(|uri| uri == hook_url);
    let name =
        |app: &Value| word(app["whatsapp_business_api_data"]["name"].as_str().unwrap_or("without a name"));
    if apps.is_empty() {
        return Counsel::fault(
            HOOK,
            format!("{gateway}: no app is subscribed to the account: no receipt and no reply comes back"),
            "subscribe yours, by `POST /{waba_id}/subscribed_apps` with its token; then give the app's webhook our address, and \
             subscribe it to `messages`",
        );
    }
    let names: Vec<_> = apps.iter().filter(reaches).map(name).collect();
    if names.is_empty() {
        return Counsel::fault(
            HOOK,
            format!(
                "{gateway}: every subscribed app has its calls sent elsewhere: no receipt and no reply comes back"
            ),
            format!("subscribe the app again with `override_callback_uri` {hook_url}, or without one"),
        );
    }
    Counsel::fine(HOOK, format!("{gateway}: subscribed apps: {}", named(&names)))
}

fn untold(about: &'static str, gateway: &str, of: &str, reason: Reason) -> Counsel {
    let remedy = match reason {
        Reason::Credentials | Reason::Configuration => {
            "give the token the permission `whatsapp_business_management` for this account, and look whether `waba_id` is its number"
        }
        Reason::Throttled => "ask again in an hour",
        _ => "look at the other findings of this gateway, and ask again",
    };
    Counsel::unasked(
        about,
        format!("{gateway}: the provider does not say {of}: {}", reason.name().replace('_', " ")),
        remedy,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::counsel::Standing;
    use serde_json::json;

    #[test]
    fn templates_are_judged_by_how_they_stand() {
        let template = |name: &str, status: &str, score: &str| {
            json!({"name": name, "language": "ar", "status": status, "quality_score": {"score": score},
                   "rejected_reason": "INVALID_FORMAT"})
        };
        let mut templates = Templates::default();
        templates.take(&[
            template("evacuate", "APPROVED", "GREEN"),
            template("flood", "APPROVED", "RED"),
            template("old", "DELETED", "GREEN"),
            template("fire", "REJECTED", "UNKNOWN"),
            template("x\n", "BRAND_NEW", "GREEN"),
        ]);
        let counsels = templates.judge("wa");
        let told: Vec<_> = counsels.iter().map(|counsel| (counsel.standing, counsel.what.as_str())).collect();
        assert_eq!(
            told,
            [
                (Standing::Warning, "wa: templates that are APPROVED, OF LOW QUALITY: flood (ar)"),
                (Standing::Warning, "wa: templates that are BRAND_NEW: x (ar)"),
                (Standing::Warning, "wa: templates that are REJECTED: fire (ar): INVALID_FORMAT"),
                (Standing::Fine, "wa: approved templates: 2"),
            ]
        );
        assert_eq!(Templates::default().judge("wa")[0].standing, Standing::Fault);
    }

    #[test]
    fn a_subscription_counts_where_it_leads_to_us() {
        let ours = "https://alerts.example.org/hooks/wa";
        let check = |apps: Value, expected: Standing| {
            let counsel = subscribed("wa", ours, &json!({"data": apps}));
            assert_eq!(counsel.standing, expected, "{counsel:?}");
        };
        let app = json!({"id": "1", "name": "Alerts"});
        check(json!([]), Standing::Fault);
        check(json!([{"whatsapp_business_api_data": app}]), Standing::Fine);
        check(json!([{"whatsapp_business_api_data": app, "override_callback_uri": ours}]), Standing::Fine);
        let elsewhere = "https://old.example.org/";
        check(
            json!([{"whatsapp_business_api_data": app, "override_callback_uri": elsewhere}]),
            Standing::Fault,
        );
    }
}
