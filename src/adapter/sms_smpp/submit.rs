//! From an order to the units that carry it.

use super::pdu::{Address, Content, SubmitSm};
use super::settings::{Long, Writing};
use crate::adapter::segments::{self, Reference, header};
use crate::adapter::{Outgoing, priority};
use crate::core::outcome::Reason;
use crate::core::time::Span;

/// The most digits of a recipient. Cites: SMPP 3.4, 5.2.9, without the NUL.
const DIGITS_MAX: usize = 20;
/// SMPP's highest priority.
const PRIORITY_MAX: u8 = 3;
/// The longest time that is asked for: a relative time counts months, whose length is the SMSC's opinion.
const VALIDITY_MAX: Span = Span::from_hours(30 * 24);

/// Writes an order as submits, one for each part. `mark` joins the parts of this message and of no other lately.
///
/// # Errors
/// Why it cannot be sent by any SMSC.
pub(super) fn submits(outgoing: &Outgoing, writing: &Writing, mark: u16) -> Result<Vec<SubmitSm>, Reason> {
    if outgoing.left <= Span::ZERO {
        return Err(Reason::Busy);
    }
    let digits = outgoing.address.strip_prefix('+').unwrap_or(&outgoing.address);
    let is_number = (1..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number {
        return Err(Reason::BadAddress);
    }
    if outgoing.text.is_empty() {
        return Err(Reason::NoText);
    }
    let (data_coding, contents) = contents(&outgoing.text, writing, mark)?;
    let submit = |content| SubmitSm {
        source: writing.source.clone(),
        destination: Address { ton: 1, npi: 1, text: digits.to_owned() },
        priority: PRIORITY_MAX.saturating_sub(priority(outgoing.order.severity)),
        validity: validity(outgoing.left),
        data_coding,
        content,
    };
    Ok(contents.into_iter().map(submit).collect())
}

fn contents(text: &str, writing: &Writing, mark: u16) -> Result<(u8, Vec<Content>), Reason> {
    let reference = match writing.long {
        Long::Udh(reference) => reference,
        Long::Sar | Long::Payload => Reference::Bits8,
    };
    let segments = segments::segments_for(text, writing.alphabet, reference);
    let data_coding = segments.encoding.data_coding();
    if segments.parts.len() > writing.parts_max {
        return Err(Reason::ContentRefused);
    }
    let Ok(total) = u8::try_from(segments.parts.len()) else { return Err(Reason::ContentRefused) };
    let contents = match (writing.long, total) {
        (_, 1) => segments.parts.into_iter().map(Content::Short).collect(),
        (Long::Payload, _) => vec![Content::Payload(segments::encode(text, segments.encoding))],
        (Long::Udh(_), _) => {
            let headed =
                |(octets, number)| Content::Headed([header(reference, mark, total, number), octets].concat());
            segments.parts.into_iter().zip(1..).map(headed).collect()
        }
        (Long::Sar, _) => {
            let sar = |(octets, number)| Content::Sar { octets, mark, total, number };
            segments.parts.into_iter().zip(1..).map(sar).collect()
        }
    };
    Ok((data_coding, contents))
}

/// Writes how long a message is worth delivering, as `YYMMDDhhmmss000R`.
fn validity(left: Span) -> String {
    let seconds = (left.min(VALIDITY_MAX).ms() / 1000).max(1);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    format!("0000{:02}{:02}{:02}{:02}000R", hours / 24, hours % 24, minutes % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::segments::Alphabet;
    use crate::adapter::tests::outgoing;
    use crate::core::message::Severity;

    fn writing(long: Long) -> Writing {
        let source = Address { ton: 5, npi: 0, text: "Wasl".into() };
        Writing { source, alphabet: Alphabet::Gsm7, long, parts_max: 10 }
    }

    fn written(text: &str, long: Long) -> Vec<SubmitSm> {
        let mut outgoing = outgoing("+970599000001", text);
        outgoing.left = VALIDITY_MAX.times(2);
        submits(&outgoing, &writing(long), 0x0A2A).expect("it can be sent")
    }

    #[test]
    fn a_short_text_is_one_plain_unit() {
        let units = written("تحذير", Long::Udh(Reference::Bits8));
        let [unit] = units.as_slice() else { panic!("one unit") };
        assert!(unit.destination == Address { ton: 1, npi: 1, text: "970599000001".into() });
        assert_eq!((unit.priority, unit.data_coding, unit.validity.as_str()), (3, 8, "000030000000000R"));
        assert!(matches!(&unit.content, Content::Short(octets) if octets.len() == 10));
        assert_eq!(written("hi", Long::Payload)[0].data_coding, 0);
    }

    #[test]
    fn a_long_text_is_held_together_as_the_link_wants_it() {
        let text = "م".repeat(100);
        let check = |long: Long, expected: &str| {
            let shown = written(&text, long).into_iter().map(|unit| match unit.content {
                Content::Short(octets) => format!("short {}", octets.len()),
                Content::Headed(octets) => format!("headed {} {:02x?}", octets.len(), &octets[..7]),
                Content::Sar { octets, mark, total, number } => {
                    format!("sar {} {mark:#x} {number}/{total}", octets.len())
                }
                Content::Payload(octets) => format!("payload {}", octets.len()),
            });
            assert_eq!(shown.collect::<Vec<_>>().join(", "), expected);
        };
        check(
            Long::Udh(Reference::Bits8),
            "headed 140 [05, 00, 03, 2a, 02, 01, 06], headed 72 [05, 00, 03, 2a, 02, 02, 06]",
        );
        check(
            Long::Udh(Reference::Bits16),
            "headed 139 [06, 08, 04, 0a, 2a, 02, 01], headed 75 [06, 08, 04, 0a, 2a, 02, 02]",
        );
        check(Long::Sar, "sar 134 0xa2a 1/2, sar 66 0xa2a 2/2");
        check(Long::Payload, "payload 200");
    }

    #[test]
    fn what_no_smsc_can_send_is_refused_here() {
        let check = |address: &str, text: &str, left: Span, expected: Reason| {
            let outgoing = Outgoing { left, ..outgoing(address, text) };
            assert_eq!(submits(&outgoing, &writing(Long::Sar), 1).err(), Some(expected), "{address}");
        };
        let hour = Span::from_hours(1);
        check("", "hi", hour, Reason::BadAddress);
        check("someone", "hi", hour, Reason::BadAddress);
        check("+123456789012345678901", "hi", hour, Reason::BadAddress);
        check("+15551230000", "", hour, Reason::NoText);
        check("+15551230000", &"م".repeat(671), hour, Reason::ContentRefused);
        check("+15551230000", "hi", Span::ZERO, Reason::Busy);
    }

    #[test]
    fn the_gravest_go_first_and_none_outlives_its_expiry() {
        let check = |severity: Severity, expected: u8| {
            let mut grave = outgoing("15551230000", "hi");
            grave.order.severity = severity;
            assert_eq!(submits(&grave, &writing(Long::Sar), 1).expect("sendable")[0].priority, expected);
        };
        for (severity, expected) in Severity::ALL.iter().zip([3, 2, 1, 0, 0]) {
            check(*severity, expected);
        }
        for (left, expected) in [
            (Span::from_ms(1), "0000000000010 00R"),
            (Span::from_secs(59), "0000000000590 00R"),
            (Span::from_hours(1), "0000000100000 00R"),
            (Span::from_hours(49), "0000020100000 00R"),
            (Span::from_hours(24 * 400), "0000300000000 00R"),
        ] {
            assert_eq!(validity(left), expected.replace(' ', ""));
        }
    }
}
