//! The faces of the buttons by which a message asks for an answer, in its language.

use crate::core::reply::ReplyKind;

/// Returns what stands on a button. Cites: WhatsApp, reply buttons: at most 20 characters.
pub(super) fn face(kind: ReplyKind, language: &str) -> &'static str {
    match (language.starts_with("ar"), kind) {
        (true, ReplyKind::Safe) => "أنا بخير",
        (true, ReplyKind::NeedHelp) => "أحتاج مساعدة",
        (true, _) => "وصلتني الرسالة",
        (false, ReplyKind::Safe) => "I am safe",
        (false, ReplyKind::NeedHelp) => "I need help",
        (false, _) => "I have read this",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_face_fits_on_a_button() {
        for kind in [ReplyKind::Safe, ReplyKind::NeedHelp, ReplyKind::Acknowledged] {
            for language in ["ar", "ar-EG", "en", "so"] {
                assert!(face(kind, language).chars().count() <= 20, "{kind} {language}");
            }
        }
    }
}
