//! What Telegram tells on its own: that a recipient pressed the button under a message.
//!
//! The button carries the attempt's id and a tag over it, keyed with the bot's token: a client of one's own can send
//! any data, and must not confirm what another one got.
//
// Cites: Telegram, Bot API, `getUpdates`, `CallbackQuery`.

use crate::core::ids::AttemptId;
use crate::core::outcome::{Receipt, ReceiptKind, ReceiptRef};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

/// How much of the tag is sent: 80 bits, so that the data stays within the 64 bytes that a button may carry.
const TAG_BYTES: usize = 10;

/// Signs and checks buttons.
pub(super) struct Buttons(hmac::Key);

/// A press of a button.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Press {
    /// What must be answered, or the button goes on showing that it is busy.
    pub(super) query: String,
    /// The receipt, where the button is ours.
    pub(super) receipt: Option<Receipt>,
}

impl Buttons {
    pub(super) fn new(token: &str) -> Buttons {
        Buttons(hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes()))
    }

    /// Builds the keyboard under a message: one button, in the message's language.
    pub(super) fn keyboard(&self, attempt: AttemptId, language: &str) -> Value {
        let words =
            if language.starts_with("ar") { "وصلتني الرسالة" } else { "I have read this" };
        json!({"inline_keyboard": [[{"text": words, "callback_data": self.data(attempt)}]]})
    }

    fn data(&self, attempt: AttemptId) -> String {
        let said = format!("ack:{attempt}");
        let tag = hmac::sign(&self.0, said.as_bytes());
        format!("{said}:{}", URL_SAFE_NO_PAD.encode(&tag.as_ref()[..TAG_BYTES]))
    }

    /// Reads an update; `None`: it is no press of a button.
    pub(super) fn press(&self, update: &Value) -> Option<Press> {
        let query = update.get("callback_query")?;
        let receipt = query["data"].as_str().and_then(|data| self.attempt(data)).map(|attempt| Receipt {
            of: ReceiptRef::Attempt(attempt),
            kind: ReceiptKind::Acknowledged,
            reason: None,
            at: None,
        });
        Some(Press { query: query["id"].as_str()?.to_owned(), receipt })
    }

    fn attempt(&self, data: &str) -> Option<AttemptId> {
        let attempt = data.strip_prefix("ack:")?.split(':').next()?.parse().ok()?;
        super::super::hook::is_secret(data, &self.data(attempt)).then_some(attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{DeliveryId, MessageId};

    #[test]
    fn only_our_own_button_acknowledges() {
        let attempt =
            |index| AttemptId::new(DeliveryId::new(MessageId::from_bytes([0xFF; 16]), index), u16::MAX);
        let buttons = Buttons::new("1:token");
        let data = buttons.data(attempt(999_999));
        assert!(data.len() <= 64, "{}", data.len());
        let check = |data: &str, expected: Option<AttemptId>| {
            let update = json!({"update_id": 1, "callback_query": {"id": "77", "data": data}});
            let press = buttons.press(&update).expect("a press");
            assert_eq!(press.query, "77");
            let of = press.receipt.map(|r| (r.of, r.kind));
            assert_eq!(of, expected.map(|a| (ReceiptRef::Attempt(a), ReceiptKind::Acknowledged)), "{data}");
        };
        check(&data, Some(attempt(999_999)));
        check(&Buttons::new("2:other").data(attempt(999_999)), None);
        let tag = data.rsplit(':').next().expect("a tag");
        check(&format!("ack:{}:{tag}", attempt(999_998)), None);
        check(&format!("ack:{}", attempt(999_999)), None);
        check("ack:42", None);
        check("", None);
        assert_eq!(buttons.press(&json!({"message": {"text": "hello"}})), None);
        assert_eq!(buttons.press(&json!(7)), None);
    }
}
