//! One delivery as a letter: envelope, headers, text.
//
// Cites: RFC 5322; RFC 3834, section 5 (Auto-Submitted).

use crate::adapter::Outgoing;
use crate::core::message::Severity;
use crate::core::outcome::Reason;
use lettre::address::Address;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use std::time::SystemTime;

/// What is handed to the server.
pub(super) struct Letter {
    pub(super) from: Address,
    pub(super) to: Address,
    /// Our name for it, which stays with it for ever: `<attempt@host>`.
    pub(super) message_id: String,
    /// Headers and text, in ASCII alone.
    pub(super) bytes: Vec<u8>,
}

impl Letter {
    /// Says whether an address of the envelope is not ASCII. Cites: RFC 6531.
    pub(super) fn needs_utf8(&self) -> bool {
        [&self.from, &self.to].into_iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii())
    }
}

/// Writes the letter for a delivery.
pub(super) fn letter(outgoing: &Outgoing, from: &Mailbox, at: SystemTime) -> Result<Letter, Reason> {
    if outgoing.text.trim().is_empty() {
        return Err(Reason::NoText);
    }
    let to: Address = outgoing.address.trim().parse().map_err(|_| Reason::BadAddress)?;
    let message_id = format!("<{}@{}>", outgoing.order.attempt, from.email.domain());
    let grave = matches!(outgoing.order.severity, Severity::Extreme | Severity::Severe);
    let header = |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
    let mut builder = lettre::Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .date(at)
        .message_id(Some(message_id.clone()))
        .subject(one_line(&outgoing.subject))
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .raw_header(header("Auto-Submitted", "auto-generated"));
    if let Some(thread) = &outgoing.thread {
        builder = builder.references(format!("<{}@{}>", thread_id(thread), from.email.domain()));
    }
    if grave {
        builder = builder.raw_header(header("Importance", "high"));
    }
    let message = builder.body(outgoing.text.clone()).map_err(|_| Reason::ContentRefused)?;
    Ok(Letter { from: from.email.clone(), to, message_id, bytes: message.formatted() })
}

/// Names a thread for mail readers, which show letters together that refer to the same one. Its own words may be anything.
fn thread_id(thread: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, thread.as_bytes());
    let hex: String = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("thread-{hex}")
}

/// Replaces what would end a header.
fn one_line(text: &str) -> String {
    text.split(char::is_control).filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::tests::outgoing;
    use std::time::{Duration, UNIX_EPOCH};

    fn written(outgoing: &Outgoing) -> (Letter, String) {
        let from = "Civil Defence <alerts@example.org>".parse().expect("an address");
        let letter =
            letter(outgoing, &from, UNIX_EPOCH + Duration::from_secs(1_700_000_000)).expect("a letter");
        let text = String::from_utf8(letter.bytes.clone()).expect("ASCII");
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 998));
        (letter, text)
    }

    #[test]
    fn a_letter_says_who_it_is_from_and_that_a_machine_wrote_it() {
        let mut outgoing = outgoing("amal@example.net", "Leave now.\n.\nGo to the school.");
        outgoing.subject = "Flood\r\nBcc: all@example.net".into();
        let (letter, text) = written(&outgoing);
        let id = format!("<{}@example.org>", outgoing.order.attempt);
        assert_eq!(
            (letter.to.to_string().as_str(), letter.from.to_string().as_str()),
            ("amal@example.net", "alerts@example.org")
        );
        assert_eq!(letter.message_id, id);
        for line in [
            "From: \"Civil Defence\" <alerts@example.org>",
            "To: amal@example.net",
            &format!("Message-ID: {id}"),
            "Subject: Flood Bcc: all@example.net",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000",
            "Auto-Submitted: auto-generated",
            "Importance: high",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line}\n---\n{text}");
        }
        assert!(text.ends_with("Leave now.\r\n.\r\nGo to the school."), "{text}");
    }

    #[test]
    fn arabic_travels_in_ascii() {
        let (_, text) = written(&outgoing("amal@example.net", "السيل يقترب. غادروا الآن."));
        assert!(text.contains("Subject: =?utf-8?b?"), "{text}");
        assert!(text.contains("Content-Transfer-Encoding: base64\r\n"), "{text}");
    }

    #[test]
    fn what_is_no_address_is_refused_here() {
        let from = "alerts@example.org".parse().expect("an address");
        for address in ["", "amal", "amal@", "a b@example.org", "a@example.org\r\nRCPT TO:<b@example.org>"] {
            let refused = letter(&outgoing(address, "x"), &from, UNIX_EPOCH).err();
            assert_eq!(refused, Some(Reason::BadAddress), "{address}");
        }
    }
}
