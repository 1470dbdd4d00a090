//! Reads the body of a send request as strictly as the Graph API does.

use std::collections::BTreeMap;

use serde_json::Value;

use super::errors::Refusal;

/// The longest free text, in characters.
const TEXT_MAX: usize = 4_096;
/// The longest body of an interactive message, in characters.
const INTERACTIVE_MAX: usize = 1_024;
/// Reply buttons of an interactive message.
const BUTTONS_MAX: usize = 3;
/// The longest title and id of a reply button, in characters.
const TITLE_MAX: usize = 20;
const BUTTON_ID_MAX: usize = 256;
/// The longest reference that is echoed in statuses.
const REFERENCE_MAX: usize = 512;
/// The longest filled-in parameter of a template's body.
const PARAMETER_MAX: usize = 1_024;

/// A message that can be sent.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) recipient: String,
    pub(super) kind: &'static str,
    pub(super) text: String,
    /// Name and language of the template.
    pub(super) template: Option<(String, String)>,
    pub(super) reference: Option<String>,
}

impl Message {
    pub(super) const fn is_template(&self) -> bool {
        self.template.is_some()
    }
}

/// The approved templates: name and language, with the number of body parameters.
type Templates = BTreeMap<(String, String), usize>;

/// Reads the body of a send request.
pub(super) fn read(body: &Value, templates: Option<&Templates>) -> Result<Message, Refusal> {
    if body["messaging_product"] != "whatsapp" {
        return Err(Refusal::new(100).details("The parameter messaging_product is required."));
    }
    let recipient = required(body, "to")?;
    if !is_number(recipient) {
        return Err(Refusal::new(131_009).details("Parameter `to` is not a phone number"));
    }
    let reference = match body.get("biz_opaque_callback_data") {
        None => None,
        Some(Value::String(text)) if text.chars().count() <= REFERENCE_MAX => Some(text.clone()),
        Some(_) => return Err(bad("biz_opaque_callback_data")),
    };
    let (kind, text, template) = match required(body, "type")? {
        "text" => ("text", free_text(&body["text"])?, None),
        "template" => {
            let (text, template) = filled_template(&body["template"], templates)?;
            ("template", text, Some(template))
        }
        "interactive" => ("interactive", interactive(&body["interactive"])?, None),
        _ => return Err(Refusal::new(131_051)),
    };
    Ok(Message { recipient: recipient.to_owned(), kind, text, template, reference })
}

fn required<'a>(object: &'a Value, field: &str) -> Result<&'a str, Refusal> {
    match &object[field] {
        Value::String(text) if !text.is_empty() => Ok(text),
        Value::Null | Value::String(_) => {
            Err(Refusal::new(131_008).details(&format!("Parameter `{field}` is mandatory")))
        }
        _ => Err(bad(field)),
    }
}

fn bad(field: &str) -> Refusal {
    Refusal::new(131_009).details(&format!("Parameter `{field}` is not valid"))
}

fn at_most(text: &str, max: usize, field: &str) -> Result<String, Refusal> {
    if text.chars().count() > max {
        let details = format!("Param {field} must be at most {max} characters long.");
        return Err(Refusal::new(100).details(&details));
    }
    Ok(text.to_owned())
}

/// A number is 7 to 15 digits, with or without a plus sign.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn free_text(text: &Value) -> Result<String, Refusal> {
    at_most(required(text, "body")?, TEXT_MAX, "text['body']")
}

fn filled_template(
    template: &Value,
    known: Option<&Templates>,
) -> Result<(String, (String, String)), Refusal> {
    let name = required(template, "name")?.to_owned();
    let language = required(&template["language"], "code")?.to_owned();
    let mut texts = Vec::new();
    let no_components = Vec::new();
    let components = template["components"].as_array().unwrap_or(&no_components);
    for component in components {
        if !component["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("body")) {
            continue;
        }
        let parameters = component["parameters"].as_array();
        for parameter in parameters.ok_or_else(|| bad("parameters"))? {
            texts.push(filled_parameter(parameter)?);
        }
    }
    let key = (name, language);
    if let Some(known) = known {
        let expected = known.get(&key).ok_or_else(|| {
            let details = format!("template name ({}) does not exist in {}", key.0, key.1);
            Refusal::new(132_001).details(&details)
        })?;
        if *expected != texts.len() {
            let details = format!(
                "body: number of localizable_params ({}) does not match the expected number of params ({expected})",
                texts.len()
            );
            return Err(Refusal::new(132_000).details(&details));
        }
    }
    Ok((texts.join("\n"), key))
}

fn filled_parameter(parameter: &Value) -> Result<String, Refusal> {
    if parameter["type"] != "text" {
        return Err(Refusal::new(132_012));
    }
    let text = required(parameter, "text")?;
    // Cites: Meta, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces".
    if text.contains(['\n', '\t']) || text.contains("     ") {
        let details = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces";
        return Err(Refusal::new(132_007).details(details));
    }
    if text.chars().count() > PARAMETER_MAX {
        return Err(Refusal::new(132_005));
    }
    Ok(text.to_owned())
}

fn interactive(interactive: &Value) -> Result<String, Refusal> {
    if interactive["type"] != "button" {
        return Err(bad("interactive['type']"));
    }
    let text = required(&interactive["body"], "text")?;
    let text = at_most(text, INTERACTIVE_MAX, "interactive['body']['text']")?;
    let buttons = interactive["action"]["buttons"].as_array();
    let buttons = buttons.ok_or_else(|| bad("interactive['action']['buttons']"))?;
    if buttons.is_empty() || buttons.len() > BUTTONS_MAX {
        return Err(bad("interactive['action']['buttons']"));
    }
    for button in buttons {
        at_most(required(&button["reply"], "title")?, TITLE_MAX, "title")?;
        at_most(required(&button["reply"], "id")?, BUTTON_ID_MAX, "id")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(body: Value, expected: Result<&str, u32>) {
        let templates = Templates::from([(("alert".to_owned(), "ar".to_owned()), 1)]);
        let read = read(&body, Some(&templates));
        let got = read.map(|message| message.text).map_err(|error| error.code);
        assert_eq!(got, expected.map(str::to_owned), "{body}");
    }

    fn with(mut change: Value) -> Value {
        let mut body = json!({
            "messaging_product": "whatsapp", "recipient_type": "individual",
            "to": "15551230000", "type": "text", "text": { "body": "Leave now" },
        });
        for (key, value) in change.as_object_mut().unwrap() {
            body[key] = value.take();
        }
        body
    }

    #[test]
    fn bodies_are_read_as_meta_reads_them() {
        check(with(json!({})), Ok("Leave now"));
        check(with(json!({ "messaging_product": null })), Err(100));
        check(with(json!({ "type": null })), Err(131_008));
        check(with(json!({ "type": "carrier-pigeon" })), Err(131_051));
        check(with(json!({ "to": "" })), Err(131_008));
        check(with(json!({ "to": "nobody" })), Err(131_009));
        check(with(json!({ "to": 15_551_230_000_u64 })), Err(131_009));
        check(with(json!({ "text": {} })), Err(131_008));
        check(with(json!({ "text": { "body": "x".repeat(4_097) } })), Err(100));
        check(with(json!({ "biz_opaque_callback_data": "x".repeat(513) })), Err(131_009));
    }

    fn template(name: &str, code: &str, parameters: Value) -> Value {
        with(json!({
            "type": "template",
            "template": {
                "name": name,
                "language": { "policy": "deterministic", "code": code },
                "components": [{ "type": "body", "parameters": parameters }],
            },
        }))
    }

    #[test]
    fn templates_must_be_known_and_filled_rightly() {
        let flood = json!([{ "type": "text", "text": "فيضان" }]);
        check(template("alert", "ar", flood.clone()), Ok("فيضان"));
        check(template("alert", "en", flood.clone()), Err(132_001));
        check(template("other", "ar", flood), Err(132_001));
        check(template("alert", "ar", json!([])), Err(132_000));
        let lines = json!([{ "type": "text", "text": "two\nlines" }]);
        check(template("alert", "ar", lines), Err(132_007));
        check(template("", "ar", json!([])), Err(131_008));
    }
}
