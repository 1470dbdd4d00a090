//! New tokens: shown once, kept as a hash.

use super::App;
use super::call::{Answer, BODY_BYTES_MAX, Call, bad_value, json};
use super::problem::{Kind, Problem};
use super::service::Change;
use super::session::new_token;
use crate::core::message::SERVICE;
use crate::core::query::{Role, TokenRecord};
use crate::diag::nearest;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// The longest name of a token.
pub(crate) const TOKEN_NAME_CHARS_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    name: String,
    role: String,
    #[serde(default)]
    replace: bool,
}

/// `POST /v1/tokens`.
pub(crate) async fn put(app: Arc<App>, mut call: Call) -> Answer {
    call.query(&[])?;
    let Body { name, role, replace } = call.json(BODY_BYTES_MAX).await?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if !(1..=TOKEN_NAME_CHARS_MAX).contains(&name.len()) || !name.chars().all(plain) {
        let why = format!("a name has 1 to {TOKEN_NAME_CHARS_MAX} of a-z, 0-9, -, _ and .");
        return Err(bad_value("name", why));
    }
    if name == SERVICE {
        let why = format!(
            "`{SERVICE}` is the service's own name, and what it sends is never escalated; choose another"
        );
        return Err(bad_value("name", why));
    }
    let role = Role::from_name(&role).ok_or_else(|| {
        let near = nearest(&role, Role::ALL.map(Role::name))
            .map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        bad_value("role", format!("a role is viewer, sender, approver or admin{near}"))
    })?;
    let (token, hash) = new_token().ok_or_else(|| {
        Problem::new(Kind::Unavailable, "the system has no randomness to give").retry_after(1)
    })?;
    let record = TokenRecord { name: name.clone(), role, hash, made_at: app.service.now() };
    app.service.change(call.caller.who, Change::Token { record, replace }).await?;
    Ok(json(StatusCode::CREATED, &json!({"name": name, "role": role.name(), "token": token})))
}
