//! Addresses as people write them, brought to the one form that is stored and sent to.
//!
//! Numbers become E.164; a number without its country is refused, because a guess could reach a stranger.
//!
//! Cites: ITU-T E.164 (7 to 15 digits here, the first not 0), RFC 5321 section 4.5.3.1 (lengths of e-mail
//! addresses), core.telegram.org/bots/api (chat ids are signed integers of at most 52 bits).

use crate::core::channel::Channel;

/// The longest address of any channel, in bytes, as it may be written. Cites: RFC 5321, a path of 256.
pub const ADDRESS_BYTES_MAX: usize = 256;

/// The fewest digits of an international number.
const DIGITS_MIN: usize = 7;
/// The most. Cites: ITU-T E.164.
const DIGITS_MAX: usize = 15;
/// The longest local part of an e-mail address. Cites: RFC 5321 section 4.5.3.1.1.
const LOCAL_PART_MAX: usize = 64;

/// Why an address cannot be used. Never holds the address: it is personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It is empty.
    #[error("the address is empty")]
    Empty,
    /// It is too long.
    #[error("the address is longer than {ADDRESS_BYTES_MAX} bytes")]
    TooLong,
    /// A number without its country.
    #[error("the number needs its country: write it with + and the country's code, as +970599000001")]
    NoCountry,
    /// Not a number.
    #[error("this is not a telephone number: after + come 7 to 15 digits")]
    NotANumber,
    /// Not a chat id.
    #[error("this is not a Telegram chat id: a whole number, as 81234567 or -1001234567890")]
    NotAChatId,
    /// Not an e-mail address.
    #[error("this is not an e-mail address")]
    NotEmail,
    /// Has a character that no address has.
    #[error("the address has a space or a control character in it")]
    BadCharacter,
}

/// Brings an address to the form that is stored: the same address always gives the same text.
pub fn normalise(channel: Channel, written: &str) -> Result<String, BadAddress> {
    let text = written.trim_matches(|c: char| c.is_whitespace() || invisible(c));
    match text.len() {
        0 => return Err(BadAddress::Empty),
        1..=ADDRESS_BYTES_MAX => {}
        _ => return Err(BadAddress::TooLong),
    }
    match channel {
        Channel::Whatsapp | Channel::Signal | Channel::Sms | Channel::Voice => number(text),
        Channel::Telegram => chat_id(text),
        Channel::Email => email(text),
        Channel::Imessage if text.contains('@') => email(text),
        Channel::Imessage => number(text),
        Channel::Messenger | Channel::Satellite | Channel::Matrix | Channel::Mesh | Channel::Webhook => {
            opaque(text)
        }
    }
}

/// Says whether somebody's address on this channel is a telephone number.
pub(crate) fn is_number(channel: Channel) -> bool {
    matches!(channel, Channel::Whatsapp | Channel::Signal | Channel::Sms | Channel::Voice | Channel::Imessage)
}

/// The countries, by their codes, where the leading 0 is a part of the number. Cites: ITU-T E.164, national numbering plans.
const ZERO_STAYS: [&str; 6] = ["39", "225", "229", "242", "378", "379"];
/// The countries where one leading 0 is what is dialled before a number, and not a part of it. Of those that are in neither
/// list, like Hungary with its 06 or Russia with its 8, nothing is assumed. Cites: ITU-T E.164, national numbering plans.
const ZERO_GOES: [&str; 68] = [
    "20", "27", "31", "32", "33", "40", "41", "43", "44", "46", "49", "60", "61", "62", "63", "64", "66",
    "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98", "212", "213", "218", "233", "234",
    "249", "250", "251", "254", "255", "256", "260", "263", "353", "355", "358", "359", "373", "374", "380",
    "381", "385", "386", "387", "389", "421", "593", "855", "856", "880", "961", "962", "963", "964", "966",
    "967", "970", "971", "972", "977",
];

/// Says whether it is known here how numbers are written inside of the country with this code.
pub(crate) fn knows_country(code: &str) -> bool {
    ZERO_STAYS.contains(&code) || ZERO_GOES.contains(&code)
}

/// Puts the code of a country before a number as it is dialled inside of it: with one leading 0. `None` where it is not such a
/// number.
pub(crate) fn in_country(written: &str, code: &str) -> Option<String> {
    let text = written.trim_matches(|c: char| c.is_whitespace() || invisible(c));
    let digits: String = text.chars().filter(|c| !invisible(*c)).map(|c| digit(c).unwrap_or(c)).collect();
    let rest = digits.strip_prefix('0').filter(|rest| !rest.trim_start().starts_with('0'))?;
    let kept = match ZERO_GOES.contains(&code) {
        true => rest,
        false => ZERO_STAYS.contains(&code).then_some(digits.as_str())?,
    };
    Some(format!("+{code}{kept}"))
}

/// Shows an address so that its owner knows it and others do not: a number's last three digits, a mailbox's domain.
pub fn mask(channel: Channel, address: &str) -> String {
    match address.split_once('@') {
        Some((_, domain)) if matches!(channel, Channel::Email | Channel::Imessage) => format!("…@{domain}"),
        _ => {
            let skip = address.chars().count().saturating_sub(3);
            format!("…{}", address.chars().skip(skip).collect::<String>())
        }
    }
}

/// Says whether a text could be an address or hold one: a mailbox, or as many digits as a number has.
pub fn may_be_address(text: &str) -> bool {
    text.contains('@') || text.chars().filter_map(digit).count() >= DIGITS_MIN
}

fn number(text: &str) -> Result<String, BadAddress> {
    let mut digits = String::with_capacity(DIGITS_MAX + 1);
    let (mut plus, mut rest) = (false, text);
    // "+44 (0)20 ..": the 0 in brackets is dialled inside the country only.
    let trunk = text.find("(0)");
    while let Some(c) = rest.chars().next() {
        if trunk == Some(text.len() - rest.len()) {
            rest = &rest[3..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match (c, digit(c)) {
            (_, Some(digit)) => digits.push(digit),
            ('+' | '＋', _) if digits.is_empty() && !plus => plus = true,
            (
                ' ' | '\u{a0}' | '\u{202f}' | '-' | '\u{2010}'..='\u{2013}' | '.' | '(' | ')' | '/' | '\t',
                _,
            ) => {}
            (c, _) if invisible(c) => {}
            _ => return Err(BadAddress::NotANumber),
        }
        if digits.len() > DIGITS_MAX + 2 {
            return Err(BadAddress::NotANumber);
        }
    }
    let national = match (plus, digits.strip_prefix("00")) {
        (true, _) => digits.as_str(),
        (false, Some(international)) => international,
        (false, None) if digits.is_empty() => return Err(BadAddress::NotANumber),
        (false, None) => return Err(BadAddress::NoCountry),
    };
    if !(DIGITS_MIN..=DIGITS_MAX).contains(&national.len()) || national.starts_with('0') {
        return Err(BadAddress::NotANumber);
    }
    Ok(format!("+{national}"))
}

fn chat_id(text: &str) -> Result<String, BadAddress> {
    let latin: String = text.chars().filter(|c| !invisible(*c)).map(|c| digit(c).unwrap_or(c)).collect();
    match latin.parse::<i64>() {
        Ok(id) if id != 0 => Ok(id.to_string()),
        _ => Err(BadAddress::NotAChatId),
    }
}

/// Checks what a mail server would refuse out of hand; only sending can tell the rest.
fn email(text: &str) -> Result<String, BadAddress> {
    let (local, domain) = text.rsplit_once('@').ok_or(BadAddress::NotEmail)?;
    let atom = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let local_good = (1..=LOCAL_PART_MAX).contains(&local.len())
        && local.chars().all(atom)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    let label_good = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let domain_good = domain.contains('.') && domain.split('.').all(label_good);
    if !local_good || !domain_good {
        return Err(BadAddress::NotEmail);
    }
    // The local part's case is its owner's business; the domain has none.
    Ok(format!("{local}@{}", domain.to_lowercase()))
}

fn opaque(text: &str) -> Result<String, BadAddress> {
    match text.chars().any(|c| c.is_control() || c.is_whitespace() || invisible(c)) {
        true => Err(BadAddress::BadCharacter),
        false => Ok(text.to_owned()),
    }
}

/// Returns the Latin digit for a Latin, Arabic-Indic or Persian one.
fn digit(c: char) -> Option<char> {
    let value = match c {
        '0'..='9' => return Some(c),
        '\u{660}'..='\u{669}' => c as u32 - 0x660,
        '\u{6f0}'..='\u{6f9}' => c as u32 - 0x6f0,
        _ => return None,
    };
    char::from_digit(value, 10)
}

/// Says whether a character only steers how text runs: such come along when a number is copied from a chat.
fn invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(channel: Channel, written: &str, expected: Result<&str, BadAddress>) {
        assert_eq!(
            normalise(channel, written).as_deref(),
            expected.as_ref().copied(),
            "{channel} {written:?}"
        );
        if let Ok(normal) = expected {
            assert_eq!(normalise(channel, normal).as_deref(), Ok(normal), "a normal form stays as it is");
        }
    }

    #[test]
    fn numbers_become_e164() {
        let sms = |written, expected| check(Channel::Sms, written, expected);
        sms("+970599000001", Ok("+970599000001"));
        sms(" +970 599-000-001 ", Ok("+970599000001"));
        sms("00970 599 000 001", Ok("+970599000001"));
        sms("٠٠٩٧٠٥٩٩٠٠٠٠٠١", Ok("+970599000001"));
        sms("+۹۷۰۵۹۹۰۰۰۰۰۱", Ok("+970599000001"));
        sms("\u{202a}+970 (599) 000/001\u{202c}", Ok("+970599000001"));
        sms("+44 (0)20 7946 0000", Ok("+442079460000"));
        sms("+1.415.555.0100", Ok("+14155550100"));
        sms("0599000001", Err(BadAddress::NoCountry));
        sms("4155550100", Err(BadAddress::NoCountry));
        sms("+0599000001", Err(BadAddress::NotANumber));
        sms("+123456", Err(BadAddress::NotANumber));
        sms("+1234567890123456", Err(BadAddress::NotANumber));
        sms("+9705x9000001", Err(BadAddress::NotANumber));
        sms("+970+599000001", Err(BadAddress::NotANumber));
        sms("", Err(BadAddress::Empty));
        sms(" \u{200f} ", Err(BadAddress::Empty));
        sms(&"9".repeat(300), Err(BadAddress::TooLong));
    }

    #[test]
    fn the_other_channels_have_their_own_forms() {
        check(Channel::Telegram, "81234567", Ok("81234567"));
        check(Channel::Telegram, "-1001234567890", Ok("-1001234567890"));
        check(Channel::Telegram, "٨١٢٣٤٥٦٧", Ok("81234567"));
        check(Channel::Telegram, "@somebody", Err(BadAddress::NotAChatId));
        check(Channel::Telegram, "99999999999999999999", Err(BadAddress::NotAChatId));
        check(Channel::Email, "Amal.Q@Example.ORG", Ok("Amal.Q@example.org"));
        for bad in [
            "amal",
            "@example.org",
            "a@b",
            "a b@example.org",
            ".a@example.org",
            "a@-x.org",
            "a\r\n@example.org",
        ] {
            check(Channel::Email, bad, Err(BadAddress::NotEmail));
        }
        check(Channel::Imessage, "a@example.org", Ok("a@example.org"));
        check(Channel::Imessage, "+970599000001", Ok("+970599000001"));
        check(Channel::Matrix, "@amal:example.org", Ok("@amal:example.org"));
        check(Channel::Mesh, "node 7", Err(BadAddress::BadCharacter));
    }

    #[test]
    fn a_number_as_dialled_at_home_gets_its_country() {
        let check = |written, code, expected: Option<&str>| {
            let abroad = in_country(written, code).and_then(|number| normalise(Channel::Sms, &number).ok());
            assert_eq!(abroad.as_deref(), expected, "{written:?} in {code}");
        };
        check("0599 000 001", "970", Some("+970599000001"));
        check("\u{202a}٠٥٩٩٠٠٠٠٠١\u{202c}", "970", Some("+970599000001"));
        check("06 1234 5678", "39", Some("+390612345678"));
        check("07 01 02 03 04", "225", Some("+2250701020304"));
        check("06 20 123 4567", "36", None);
        check("00970599000001", "970", None);
        check("+970599000001", "970", None);
        check("599000001", "970", None);
        check("0", "970", None);
    }

    #[test]
    fn what_could_be_an_address_is_known_wherever_it_stands() {
        let check = |text, expected| assert_eq!(may_be_address(text), expected, "{text}");
        check("+970 599-000-001", true);
        check("٠٥٩٩٠٠٠٠٠١", true);
        check("amal@example.org", true);
        check("residents-s", false);
        check("flood-2026-11", false);
    }

    #[test]
    fn what_is_shown_tells_no_stranger() {
        assert_eq!(mask(Channel::Sms, "+970599000001"), "…001");
        assert_eq!(mask(Channel::Email, "amal@example.org"), "…@example.org");
        assert_eq!(mask(Channel::Telegram, "12"), "…12");
    }
}
