//! Reads the parameters of `sendMessage` as strictly as Telegram does.

use serde_json::Value;

use super::{Refusal, flag, number};

/// The longest text, in UTF-16 units.
const TEXT_MAX: usize = 4_096;
/// The longest data of a button, in bytes.
const DATA_MAX: usize = 64;
/// The longest text shown after a press, in characters.
pub(super) const PRESS_TEXT_MAX: usize = 200;

/// A message that can be sent.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) chat_id: i64,
    pub(super) text: String,
    /// The inline keyboard, as JSON.
    pub(super) buttons: Option<String>,
    pub(super) silent: bool,
}

/// Reads the parameters of `sendMessage`.
pub(super) fn read(parameters: &Value) -> Result<Message, Refusal> {
    let bad = |text: &str| Refusal::new(400, &format!("Bad Request: {text}"));
    let chat_id = match &parameters["chat_id"] {
        Value::Null => return Err(bad("chat_id is empty")),
        Value::String(text) if text.is_empty() => return Err(bad("chat_id is empty")),
        value => number(value).filter(|id| *id != 0),
    };
    let chat_id = chat_id.ok_or_else(|| bad("chat not found"))?;
    let text = parameters["text"].as_str().unwrap_or_default();
    if text.trim().is_empty() {
        return Err(bad("message text is empty"));
    }
    if text.encode_utf16().count() > TEXT_MAX {
        return Err(bad("message is too long"));
    }
    check_entities(text, parameters["parse_mode"].as_str()).map_err(|why| bad(&why))?;
    let markup = &parameters["reply_markup"];
    let buttons = markup["inline_keyboard"].as_array();
    for button in buttons.into_iter().flatten().flat_map(Value::as_array).flatten() {
        let data = button["callback_data"].as_str().unwrap_or_default();
        let usable = button.get("url").is_some() || !data.is_empty();
        if !usable || data.len() > DATA_MAX {
            return Err(bad("BUTTON_DATA_INVALID"));
        }
        if button["text"].as_str().unwrap_or_default().is_empty() {
            return Err(bad(
                "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
            ));
        }
    }
    Ok(Message {
        chat_id,
        text: text.to_owned(),
        buttons: buttons.map(|_| markup["inline_keyboard"].to_string()),
        silent: flag(&parameters["disable_notification"]),
    })
}

/// Finds what most often goes wrong with formatted alerts: a reserved character, an open tag.
fn check_entities(text: &str, mode: Option<&str>) -> Result<(), String> {
    match mode {
        Some("MarkdownV2") => {
            let mut escaped = false;
            for character in text.chars() {
                if !escaped && "#+-={}.!|>()".contains(character) {
                    return Err(format!(
                        "can't parse entities: Character '{character}' is reserved and must be escaped with the preceding '\\'"
                    ));
                }
                escaped = !escaped && character == '\\';
            }
            Ok(())
        }
        Some("HTML") if text.matches('<').count() != text.matches('>').count() => {
            Err("can't parse entities: Unclosed start tag".to_owned())
        }
        Some("HTML" | "Markdown") | None => Ok(()),
        Some(_) => Err("unsupported parse_mode".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(parameters: Value, expected: Option<&str>) {
        let error = read(&parameters).err().map(|error| error.description);
        let expected = expected.map(|text| format!("Bad Request: {text}"));
        assert_eq!(error, expected, "{parameters}");
    }

    #[test]
    fn parameters_are_read_as_telegram_reads_them() {
        check(json!({ "chat_id": 555, "text": "Leave now" }), None);
        check(json!({ "chat_id": "-100555", "text": "x" }), None);
        check(json!({ "text": "x" }), Some("chat_id is empty"));
        check(json!({ "chat_id": "@nobody", "text": "x" }), Some("chat not found"));
        check(json!({ "chat_id": 1, "text": " " }), Some("message text is empty"));
        check(json!({ "chat_id": 1, "text": "😀".repeat(2_049) }), Some("message is too long"));
        let button = |data: &str| json!({ "inline_keyboard": [[{ "text": "Safe", "callback_data": data }]] });
        check(json!({ "chat_id": 1, "text": "x", "reply_markup": button("ack:42") }), None);
        check(
            json!({ "chat_id": 1, "text": "x", "reply_markup": button(&"x".repeat(65)) }),
            Some("BUTTON_DATA_INVALID"),
        );
        let dotted = json!({ "chat_id": 1, "text": "Now.", "parse_mode": "MarkdownV2" });
        assert!(read(&dotted).is_err());
    }
}
