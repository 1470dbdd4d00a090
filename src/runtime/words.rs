//! The words that the service itself puts into messages: a drill's prefix, an escalation's text.
//!
//! Arabic and English; a language that has neither gets the English one.

use crate::core::channel::Channel;
use crate::core::message::{Message, Status, Template};
use crate::core::reply::{Asks, ReplyKind};

/// The longest subject, in characters. Cites: RFC 5322 section 2.1.1 recommends lines of at most 78.
const SUBJECT_CHARS_MAX: usize = 70;

/// Returns what stands before each text that is not meant; `None`: it is meant, or for the system itself.
fn drill_prefix(status: Status, language: &str) -> Option<&'static str> {
    let arabic = language.split(['-', '_']).next() == Some("ar");
    match (status, arabic) {
        (Status::Actual | Status::System, _) => None,
        (Status::Exercise, true) => Some("تمرين – "),
        (Status::Exercise, false) => Some("DRILL – "),
        (Status::Test, true) => Some("اختبار – "),
        (Status::Test, false) => Some("TEST – "),
    }
}

/// Returns the text as it leaves: an exercise or a test says so. No text stays none: a prefix alone would pass for one.
pub(crate) fn text(status: Status, language: &str, text: &str) -> String {
    match drill_prefix(status, language) {
        Some(prefix) if !text.trim().is_empty() => format!("{prefix}{text}"),
        _ => text.to_string(),
    }
}

/// Returns the template as it leaves. An exercise or a test says so in the first parameter; a template that has none cannot
/// say it, so the text goes instead, where there is one.
pub(crate) fn template(status: Status, language: &str, template: &Template) -> Option<Template> {
    let mut template = template.clone();
    if let Some(prefix) = drill_prefix(status, language) {
        let (_, first) = template.params.first_mut()?;
        *first = format!("{prefix}{first}");
    }
    Some(template)
}

/// Returns a subject: the first line of the text, cut between words.
pub(crate) fn subject(text: &str) -> String {
    let line = text.lines().find(|l| !l.trim().is_empty()).unwrap_or_default().trim();
    let Some((cut, _)) = line.char_indices().nth(SUBJECT_CHARS_MAX) else { return line.to_string() };
    let head = &line[..cut];
    let end = head.rfind(char::is_whitespace).unwrap_or(cut);
    format!("{}…", head[..end].trim_end())
}

/// Returns what a canary says.
pub(crate) fn canary(language: &str) -> &'static str {
    match language.split('-').next() {
        Some("ar") => "رسالة فحص من وصل، لا تحتاج إلى رد.",
        _ => "A check by Wasl: no answer is needed.",
    }
}

/// Returns the text that tells a rule's contacts of a missed deadline, by language.
pub(crate) fn escalation(message: &Message, late: u32, rule: &str) -> [(String, String); 2] {
    let (id, of) = (message.id, message.recipients);
    let named =
        message.incident.as_ref().map_or_else(|| id.to_string(), |incident| format!("{id} ({incident})"));
    [
        (
            "ar".into(),
            format!("لم يصل {late} من {of} من تسليمات الرسالة {named} قبل مهلتها حسب القاعدة {rule}."),
        ),
        (
            "en".into(),
            format!("{late} of {of} deliveries of message {named} missed their deadline under rule {rule}."),
        ),
    ]
}

/// Returns the text that tells a rule's contacts that recipients need help, by language.
pub(crate) fn call_for_help(message: &Message, people: u32) -> [(String, String); 2] {
    let id = message.id;
    let named =
        message.incident.as_ref().map_or_else(|| id.to_string(), |incident| format!("{id} ({incident})"));
    [
        ("ar".into(), format!("طلب مساعدة: {people} ممن تلقوا الرسالة {named} يحتاجون إلى مساعدة.")),
        ("en".into(), format!("Call for help: {people} of those who got message {named} need help.")),
    ]
}

/// Returns the line that asks for an answer by digit, in the message's language; empty where nothing is asked.
pub(crate) fn question(asks: Asks, language: &str) -> String {
    let is_arabic = language.split(['-', '_']).next() == Some("ar");
    let word = |kind| match (is_arabic, kind) {
        (true, ReplyKind::Safe) => "أنا بخير",
        (true, _) => "أحتاج مساعدة",
        (false, ReplyKind::Safe) => "safe",
        (false, _) => "need help",
    };
    let choices: Vec<String> =
        asks.answers().map(|(digit, kind)| format!("{digit} = {}", word(kind))).collect();
    match (choices.is_empty(), is_arabic) {
        (true, _) => String::new(),
        (false, true) => format!("أجب برقم: {}", choices.join("، ")),
        (false, false) => format!("Reply {}", choices.join(", ")),
    }
}

/// Returns the text with the line that asks for an answer, on channels that have no buttons for it.
pub(crate) fn with_question(text: String, asks: Asks, language: &str, channel: Channel) -> String {
    let line = question(asks, language);
    match channel {
        // WhatsApp and Telegram have buttons; what a system or a voice reads is not answered by digits.
        Channel::Whatsapp | Channel::Telegram | Channel::Webhook | Channel::Voice | Channel::Email => text,
        _ if line.is_empty() || text.trim().is_empty() => text,
        _ => format!("{text}\n{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_says_so_in_the_recipients_language() {
        assert_eq!(text(Status::Exercise, "ar-EG", "غادروا"), "تمرين – غادروا");
        assert_eq!(text(Status::Exercise, "so", "Bax"), "DRILL – Bax");
        assert_eq!(text(Status::Actual, "ar", "غادروا"), "غادروا");
        assert_eq!(text(Status::Test, "ar", "غادروا"), "اختبار – غادروا");
        assert_eq!(text(Status::Test, "en", "Leave"), "TEST – Leave");
        assert_eq!(text(Status::Exercise, "ar", ""), "");
        let with = |params: &[(&str, &str)]| Template {
            language: None,
            name: "evacuate".into(),
            params: params.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        };
        let said = template(Status::Exercise, "en", &with(&[("area", "East")])).unwrap();
        assert_eq!(said.params[0].1, "DRILL – East");
        assert_eq!(template(Status::Exercise, "en", &with(&[])), None);
        assert_eq!(template(Status::Actual, "en", &with(&[])), Some(with(&[])));
    }

    #[test]
    fn a_subject_is_one_short_line() {
        let check = |text: &str, expected: &str| assert_eq!(subject(text), expected);
        check("\n  Leave now. \nGo to the school.", "Leave now.");
        check("", "");
        let long = subject(&"word ".repeat(40));
        assert!(long.chars().count() <= SUBJECT_CHARS_MAX + 1 && long.ends_with("word…"), "{long}");
        assert!(subject(&"ا".repeat(200)).chars().count() == SUBJECT_CHARS_MAX + 1);
    }
}
