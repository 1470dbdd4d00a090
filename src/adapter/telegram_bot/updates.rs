//! What Telegram tells on its own: that a recipient pressed a button under a message, or wrote.
//!
//! A button carries the attempt's id and a tag over it, keyed with the bot's token: a client of one's own can send
//! any data, and must not confirm what another one got.
//
// Cites: Telegram, Bot API, `getUpdates`, `CallbackQuery`.

use crate::adapter::ask::face;
use crate::core::ids::AttemptId;
use crate::core::outcome::{Receipt, ReceiptKind, ReceiptRef};
use crate::core::reading;
use crate::core::reply::{Asks, Reply, ReplyKind, Said};
use crate::core::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

/// How much of the tag is sent: 80 bits, so that the data stays within the 64 bytes that a button may carry.
const TAG_BYTES: usize = 10;

/// Signs and checks buttons.
pub(super) struct Buttons(hmac::Key);

/// What the beginnings of a button's data mean; of one length, so that all fit.
const MEANINGS: [(&str, ReplyKind); 3] =
    [("ack", ReplyKind::Acknowledged), ("saf", ReplyKind::Safe), ("hlp", ReplyKind::NeedHelp)];

/// What an update tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// What must be answered, or the button goes on showing that it is busy.
    pub(super) query: Option<String>,
    /// That it was read, where a button of ours says so.
    pub(super) receipt: Option<Receipt>,
    /// What a recipient wrote, or answered by a button of ours.
    pub(super) reply: Option<Reply>,
}

impl Buttons {
    pub(super) fn new(token: &str) -> Buttons {
        Buttons(hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes()))
    }

    /// Builds the keyboard under a message, in the message's language: a button for each answer that is asked for, else one
    /// that says that it was read. To many at once only what one of them may say for all; `None` where that is nothing.
    pub(super) fn keyboard(
        &self,
        to: &Value,
        attempt: AttemptId,
        asks: Asks,
        language: &str,
    ) -> Option<Value> {
        let is_of_many = is_of_many(to);
        let asked = asks.answers().map(|(_, kind)| kind);
        let read = asks.is_nothing().then_some(ReplyKind::Acknowledged);
        let button = |kind| json!({"text": face(kind, language), "callback_data": self.data(attempt, kind)});
        let offered = asked.chain(read).filter(|kind| !is_of_many || *kind == ReplyKind::NeedHelp);
        let row: Vec<Value> = offered.map(button).collect();
        (!row.is_empty()).then(|| json!({"inline_keyboard": [row]}))
    }

    fn data(&self, attempt: AttemptId, kind: ReplyKind) -> String {
        let meaning = MEANINGS.iter().find(|(_, meant)| *meant == kind).map_or("ack", |(word, _)| word);
        let said = format!("{meaning}:{attempt}");
        let tag = hmac::sign(&self.0, said.as_bytes());
        format!("{said}:{}", URL_SAFE_NO_PAD.encode(&tag.as_ref()[..TAG_BYTES]))
    }

    /// Reads an update; `None`: it tells nothing.
    pub(super) fn read(&self, update: &Value) -> Option<News> {
        match update.get("callback_query") {
            Some(query) => self.press(query),
            None => Some(News { reply: Some(written(update.get("message")?)?), ..News::default() }),
        }
    }

    fn press(&self, press: &Value) -> Option<News> {
        let query = press["id"].as_str()?.to_owned();
        let ours = press["data"].as_str().and_then(|data| self.meaning(data));
        // A message of before may have become a group's, and bear what no one of them may say for all.
        let is_of_many = is_of_many(&press["message"]["chat"]["id"]);
        let ours = ours.filter(|(_, kind)| !is_of_many || *kind == ReplyKind::NeedHelp);
        let (mut receipt, mut reply) = (None, None);
        match ours {
            Some((attempt, ReplyKind::Acknowledged)) => {
                let of = ReceiptRef::Attempt(attempt);
                receipt = Some(Receipt { of, kind: ReceiptKind::Acknowledged, reason: None, at: None });
            }
            Some((attempt, kind)) => {
                reply = Some(Reply {
                    from: chat_of(&press["message"])?,
                    said: Said::button(&reading::button(attempt, kind)),
                    id: format!("press/{query}"),
                    of: Some(ReceiptRef::Attempt(attempt)),
                    at: None,
                });
            }
            None => {}
        }
        Some(News { query: Some(query), receipt, reply })
    }

    fn meaning(&self, data: &str) -> Option<(AttemptId, ReplyKind)> {
        let (word, rest) = data.split_once(':')?;
        let (_, kind) = MEANINGS.into_iter().find(|(known, _)| *known == word)?;
        let attempt = rest.split(':').next()?.parse().ok()?;
        super::super::hook::is_secret(data, &self.data(attempt, kind)).then_some((attempt, kind))
    }
}

/// Reads what somebody wrote in a chat that we write to.
fn written(message: &Value) -> Option<Reply> {
    if message["from"]["is_bot"] == true {
        return None;
    }
    let (chat, number) = (chat_of(message)?, message["message_id"].as_i64()?);
    let quoted = message["reply_to_message"]["message_id"].as_i64();
    let words = message["text"].as_str().or_else(|| message["caption"].as_str());
    let said = words.map_or(Said::Other, Said::text);
    if is_of_many(&message["chat"]["id"]) && speaks_for_one(&said) {
        return None;
    }
    Some(Reply {
        said,
        id: format!("{chat}/{number}"),
        of: quoted.map(|quoted| ReceiptRef::Provider(format!("{chat}/{quoted}"))),
        at: message["date"].as_i64().map(|secs| Timestamp::from_ms(secs.saturating_mul(1_000))),
        from: chat,
    })
}

/// Says whether more than one person reads a chat. Cites: Telegram Bot API, `Chat.id`: those of groups and channels are
/// negative, and `@name` addresses one of those.
fn is_of_many(chat: &Value) -> bool {
    chat.as_i64().is_some_and(|id| id < 0) || chat.is_string()
}

/// Says whether words would settle, silence or withdraw something for everybody of a group, though one member wrote them.
fn speaks_for_one(said: &Said) -> bool {
    !matches!(reading::read(said, Asks::of(Asks::ANSWERS)), ReplyKind::NeedHelp | ReplyKind::Plain)
}

fn chat_of(message: &Value) -> Option<String> {
    message["chat"]["id"].as_i64().map(|id| id.to_string())
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
        let data = buttons.data(attempt(999_999), ReplyKind::Acknowledged);
        assert!(data.len() <= 64, "{}", data.len());
        let check = |data: &str, expected: Option<AttemptId>| {
            let update = json!({"update_id": 1, "callback_query": {"id": "77", "data": data}});
            let press = buttons.read(&update).expect("a press");
            assert_eq!((press.query.as_deref(), press.reply), (Some("77"), None));
            let of = press.receipt.map(|r| (r.of, r.kind));
            assert_eq!(of, expected.map(|a| (ReceiptRef::Attempt(a), ReceiptKind::Acknowledged)), "{data}");
        };
        check(&data, Some(attempt(999_999)));
        check(&Buttons::new("2:other").data(attempt(999_999), ReplyKind::Acknowledged), None);
        let tag = data.rsplit(':').next().expect("a tag");
        check(&format!("ack:{}:{tag}", attempt(999_998)), None);
        check(&format!("ack:{}", attempt(999_999)), None);
        check("ack:42", None);
        check("", None);
        check(&data.replace("ack", "saf"), None);
        assert_eq!(buttons.read(&json!({"message": {"text": "hello"}})), None);
        assert_eq!(buttons.read(&json!(7)), None);
    }

    #[test]
    fn an_answer_by_button_names_its_message_and_its_chat() {
        let attempt = AttemptId::new(DeliveryId::new(MessageId::from_bytes([7; 16]), 3), 2);
        let buttons = Buttons::new("1:token");
        let person = json!(555);
        let keyboard = buttons.keyboard(&person, attempt, Asks::of(Asks::ANSWERS), "ar").expect("buttons");
        let row = keyboard["inline_keyboard"][0].as_array().expect("a row");
        assert_eq!(row.iter().map(|b| b["text"].clone()).collect::<Vec<_>>(), ["أنا بخير", "أحتاج مساعدة"]);
        let data = row[1]["callback_data"].as_str().expect("data");
        assert!(data.len() <= 64);
        let press = json!({"callback_query": {
            "id": "78", "data": data, "message": {"message_id": 7, "chat": {"id": 555}}}});
        let news = buttons.read(&press).expect("a press");
        assert_eq!((news.query.as_deref(), news.receipt), (Some("78"), None));
        let reply = news.reply.expect("an answer");
        assert_eq!((reply.from.as_str(), reply.id.as_str()), ("555", "press/78"));
        assert_eq!(reply.said, Said::Button(format!("{attempt}:need_help")));
        assert_eq!(reply.of, Some(ReceiptRef::Attempt(attempt)));
        let read = buttons.keyboard(&person, attempt, Asks::NOTHING, "en").expect("a button");
        assert_eq!(read["inline_keyboard"][0][0]["text"], "I have read this");
    }

    #[test]
    fn one_member_of_a_group_presses_for_nobody_else() {
        let attempt = AttemptId::new(DeliveryId::new(MessageId::from_bytes([7; 16]), 3), 2);
        let buttons = Buttons::new("1:token");
        let group = json!(-100_555);
        let press = |kind| {
            let data = buttons.data(attempt, kind);
            let message = json!({"message_id": 7, "chat": {"id": group}});
            let update = json!({"callback_query": {"id": "78", "data": data, "message": message}});
            buttons.read(&update).expect("a press")
        };
        let only_answered = News { query: Some("78".into()), ..News::default() };
        assert_eq!(press(ReplyKind::Safe), only_answered, "the group is not safe because one of it is");
        assert_eq!(press(ReplyKind::Acknowledged), only_answered);
        let help = press(ReplyKind::NeedHelp).reply.expect("a call for help is for all of it");
        assert_eq!((help.from.as_str(), help.of), ("-100555", Some(ReceiptRef::Attempt(attempt))));
        // What would say nothing is not offered either.
        for many in [group.clone(), json!("@channel")] {
            let keyboard = |asks| buttons.keyboard(&many, attempt, asks, "en");
            assert_eq!(keyboard(Asks::NOTHING), None);
            let asked = keyboard(Asks::of(Asks::ANSWERS)).expect("a button");
            let row = asked["inline_keyboard"][0].as_array().expect("a row");
            assert_eq!(row.iter().map(|b| b["text"].clone()).collect::<Vec<_>>(), ["I need help"]);
        }
    }

    #[test]
    fn what_somebody_writes_is_a_reply() {
        let buttons = Buttons::new("1:token");
        let check = |message: Value, expected: Option<(Said, Option<&str>)>| {
            let reply =
                buttons.read(&json!({"update_id": 1, "message": message})).and_then(|news| news.reply);
            let expected = expected.map(|(said, of)| Reply {
                from: "555".into(),
                said,
                id: "555/9".into(),
                of: of.map(|id| ReceiptRef::Provider(id.into())),
                at: Some(Timestamp::from_ms(1_700_000_000_000)),
            });
            assert_eq!(reply, expected, "{message}");
        };
        let message = |more: Value| {
            let mut message = json!({"message_id": 9, "date": 1_700_000_000, "chat": {"id": 555},
                                     "from": {"id": 1, "is_bot": false}});
            let members = more.as_object().expect("members").clone();
            message.as_object_mut().expect("an object").extend(members);
            message
        };
        let words = |words: &str| Said::Text(words.into());
        check(message(json!({"text": "نعم"})), Some((words("نعم"), None)));
        let quoting = json!({"text": "2", "reply_to_message": {"message_id": 7}});
        check(message(quoting), Some((words("2"), Some("555/7"))));
        check(message(json!({"photo": [], "caption": "help"})), Some((words("help"), None)));
        check(message(json!({"voice": {}})), Some((Said::Other, None)));
        check(message(json!({"text": "x", "from": {"is_bot": true}})), None);
        // One member silences and settles nothing for a group; a call for help is for all of it.
        let group = |text: &str| message(json!({"text": text, "chat": {"id": -100_555}}));
        let heard =
            |message| buttons.read(&json!({"update_id": 1, "message": message})).and_then(|news| news.reply);
        assert_eq!((heard(group("stop")), heard(group("بخير"))), (None, None));
        assert_eq!(heard(group("النجدة")).map(|reply| reply.from), Some("-100555".into()));
    }
}
