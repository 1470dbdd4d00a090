//! What people write, and what it is read as.

use super::*;
use crate::core::ids::{DeliveryId, MessageId};
use ReplyKind::{Acknowledged, NeedHelp, OptIn, OptOut, Plain, Safe};

fn both() -> Asks {
    Asks::of(Asks::ANSWERS)
}

#[track_caller]
fn check(kind: ReplyKind, words: &[&str]) {
    for words in words {
        assert_eq!(read(&Said::text(words), both()), kind, "{words}");
    }
}

#[test]
fn an_acknowledgement() {
    check(
        Acknowledged,
        &["نعم", "تم", "تمّ", "وصل", "وصلت", "وصلتني الرسالة", "تم الاستلام", "إيه", "أوكي", "حاضر", "تـــم"],
    );
    check(
        Acknowledged,
        &["ok", "OK!", "Yes.", "received", "Got it, thanks", "👍", "👍🏽", "✅", "Okay 🙏", "نعم، شكراً"],
    );
}

#[test]
fn safe() {
    check(
        Safe,
        &[
            "بخير",
            "أنا بخير",
            "انا بخير الحمد لله",
            "نحن بأمان",
            "أنا آمن",
            "أنا آمنة",
            "سالم",
            "كلنا سالمين والحمد لله",
        ],
    );
    check(Safe, &["نعم، أنا بخير", "أنَا بِخَيْر", "وصلت، نحن وعائلتي بخير", "بخيـــر", "أنا تمام"]);
    check(
        Safe,
        &[
            "safe",
            "SAFE",
            "I'm safe",
            "I’m safe.",
            "Yes, we are all safe",
            "im ok",
            "We're fine, thank you",
            "safe at home",
        ],
    );
    check(Safe, &["1", "١", "۱", "１", "1️⃣", " 1. ", "safe 👍"]);
}

#[test]
fn a_call_for_help_wins_over_everything() {
    check(
        NeedHelp,
        &[
            "مساعدة",
            "ساعدوني",
            "النجدة!",
            "أحتاج مساعدة",
            "أحتاج إلى المساعدة",
            "أنقذونا",
            "نحن محاصرون",
            "في خطر",
        ],
    );
    check(
        NeedHelp,
        &[
            "help",
            "HELP!!",
            "SOS",
            "🆘",
            "please help me",
            "we are trapped",
            "my son is hurt",
            "2",
            "٢",
            "2️⃣",
        ],
    );
    check(
        NeedHelp,
        &[
            "أنا بخير لكن أمي تحتاج مساعدة",
            "I'm safe but my father needs help",
            "ok help",
            "لا، ساعدوني",
            "No. Help!",
        ],
    );
    check(NeedHelp, &["لا توجد مساعدة هنا", "no help here", "nobody helps us, help", "نعم ساعدونا"]);
}

#[test]
fn not_safe_is_a_call_for_help() {
    check(
        NeedHelp,
        &[
            "لست بخير",
            "لستُ بخير",
            "أنا لست بأمان",
            "لسنا بخير",
            "مش بخير",
            "انا مش بخير",
            "مو بخير",
            "غير آمن",
            "ما انا بخير",
        ],
    );
    check(
        NeedHelp,
        &[
            "not safe",
            "I am not safe",
            "we're not all safe",
            "it isn't safe here",
            "unsafe",
            "not ok, not safe",
        ],
    );
}

#[test]
fn what_is_not_certain_is_never_safe() {
    check(
        Plain,
        &[
            "لا",
            "لا أحتاج مساعدة",
            "شكرا على المساعدة",
            "أنتم بخير؟",
            "هل أنتم بخير",
            "متى نصبح بأمان",
            "من أنتم؟",
            "أين المدرسة",
        ],
    );
    check(
        Plain,
        &[
            "no",
            "I don't need help",
            "no help needed",
            "Thanks for your help",
            "can I help?",
            "are you safe there",
            "are you safe?",
            "is it safe",
            "is the shelter safe",
            "am i safe here",
            "is my family safe?",
            "is everyone safe",
            "who is this",
        ],
    );
    check(
        Plain,
        &[
            "1 person here",
            "12",
            "2 of us are coming",
            "1 2",
            "3",
            "safe if the water stops",
            "until we are safe",
            "no, I'm safe",
        ],
    );
    check(
        Plain,
        &["not", "ok not", "we will be safe", "is it safe to go", "لا بخير", "شكرا", "🙏", "...", "؟"],
    );
}

#[test]
fn an_end_and_a_beginning_are_whole_replies() {
    check(
        OptOut,
        &["STOP", "stop.", "Stop!", "UNSUBSCRIBE", "إيقاف", "ايقاف", "توقف", "إلغاء", "الغاء الاشتراك"],
    );
    check(OptIn, &["START", "unstop", "اشتراك", "إشتراك", "ابدأ"]);
    check(Plain, &["stop the water", "when does it start", "توقف المطر"]);
}

#[test]
fn a_digit_means_what_was_asked() {
    let read = |words, asks: &[ReplyKind]| read(&Said::text(words), Asks::of(asks.iter().copied()));
    assert_eq!(read("1", &[]), Plain);
    assert_eq!(read("2", &[]), Plain);
    assert_eq!(read("1", &[Safe]), Safe);
    assert_eq!(read("2", &[Safe]), Plain);
    assert_eq!(read("٢", &[NeedHelp]), NeedHelp);
    assert_eq!(read("1", &[NeedHelp]), Plain);
    // Words mean what they mean, whatever was asked.
    assert_eq!(read("help", &[]), NeedHelp);
    assert_eq!(read("أنا بخير", &[]), Safe);
}

#[test]
fn a_button_says_whose_it_is_and_what() {
    let attempt = AttemptId::new(DeliveryId::new(MessageId::from_bytes([1; 16]), 7), 2);
    for kind in [Acknowledged, Safe, NeedHelp] {
        let back = button(attempt, kind);
        assert_eq!(of_button(&back), Some((attempt, kind)));
        assert_eq!(read(&Said::button(&back), Asks::NOTHING), kind);
    }
    for other in ["", "x:safe", &format!("{attempt}:opt_out"), &format!("{attempt}:"), &attempt.to_string()] {
        assert_eq!(of_button(other), None, "{other}");
    }
    // What an author wrote on a template's button is read as words.
    assert_eq!(read(&Said::button("NEED_HELP"), Asks::NOTHING), NeedHelp);
    assert_eq!(read(&Said::button("safe"), Asks::NOTHING), Safe);
    assert_eq!(read(&Said::Other, both()), Plain);
}

#[test]
fn every_phrase_is_in_the_one_form_and_stands_once() {
    let mut seen = std::collections::BTreeMap::new();
    for words in LANGUAGES {
        let phrases =
            words.phrases.iter().flat_map(|(sense, phrases)| phrases.iter().map(move |p| (*p, *sense)));
        for (phrase, sense) in phrases {
            assert_eq!(tokens(phrase).join(" "), phrase, "not in the form that replies have");
            assert!(phrase.split(' ').count() <= PHRASE_MAX, "{phrase}");
            assert_eq!(seen.insert(phrase, sense), None, "{phrase} stands twice");
        }
        for phrase in words.stop.iter().chain(words.start) {
            assert_eq!(tokens(phrase).join(" "), *phrase);
        }
    }
}

#[test]
fn nothing_said_makes_it_panic_or_run_on() {
    let long = "safe ".repeat(100_000);
    assert_eq!(read(&Said::Text(long), both()), Plain, "longer than what is read is not certain");
    for odd in ["\u{0}", "\u{10FFFF}", "ـــ", "ً", "''''", "\u{FE0F}", "و", "ف"] {
        assert_eq!(read(&Said::Text(odd.into()), both()), Plain, "{odd:?}");
    }
}
