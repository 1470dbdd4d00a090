//! Delivery receipts in their dialects: the text that vendors agree on in outline alone, and the optional parameters
//! that are preferred where they are given.
//!
//! Cites: SMPP 3.4, appendix B (the text), 5.2.12 (`esm_class`), 5.2.28 (`message_state`).
//!
//! Limits: the text is read up to [`TEXT_MAX`] octets; an id longer than the core keeps is none.
//! Invariant: no text makes it panic; what says nothing that is known is no receipt.

use super::pdu::Delivered;
use crate::core::outcome::{PROVIDER_ID_BYTES_MAX, Reason, ReceiptKind};
use crate::core::time::{Span, Timestamp};
use std::collections::BTreeMap;

/// A receipt's text fits into one short message; a payload may be longer, and its rest is of no use.
const TEXT_MAX: usize = 512;

/// `esm_class`: the bits that tell a receipt from a message.
const ESM_TYPE: u8 = 0x3C;
/// A receipt.
const ESM_RECEIPT: u8 = 0x04;
/// A word on the way.
const ESM_INTERMEDIATE: u8 = 0x20;

/// How the ids of responses and of receipts are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Ids {
    /// Alike.
    #[default]
    Opaque,
    /// Hexadecimal in the response, decimal in the receipt.
    HexDecimal,
    /// Decimal in the response, hexadecimal in the receipt.
    DecimalHex,
    /// Hexadecimal in both, in small letters here and in capitals there.
    Hex,
}

/// What is this link's own in receipts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Dialect {
    /// How ids are written.
    pub(super) ids: Ids,
    /// How far the SMSC's clock is ahead of UTC; without it dates say nothing.
    pub(super) utc_offset: Option<Span>,
    /// What the vendor's error codes mean, by [`error_key`].
    pub(super) errors: BTreeMap<String, Reason>,
}

/// A receipt as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Report {
    /// The message id in the form that responses are kept in.
    pub(super) id: String,
    pub(super) kind: ReceiptKind,
    pub(super) reason: Option<Reason>,
    pub(super) at: Option<Timestamp>,
}

/// What came from the SMSC.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Inbound {
    /// A receipt with news.
    Receipt(Report),
    /// A receipt that says nothing new (scheduled), or nothing that can be read.
    Silent,
    /// A message from a person, or an acknowledgement by a device.
    Message,
}

/// Reads what came.
pub(super) fn read(delivered: &Delivered, dialect: &Dialect) -> Inbound {
    let kind = delivered.esm_class & ESM_TYPE;
    let by_parameters = delivered.receipted_message_id.is_some() && delivered.message_state.is_some();
    match kind {
        ESM_RECEIPT | ESM_INTERMEDIATE => {}
        // Some SMSCs mark their receipts by the parameters alone.
        0 if by_parameters => {}
        _ => return Inbound::Message,
    }
    let text = text(delivered);
    let fields = Fields::of(&text);
    let report = || {
        let id = id(delivered, &fields, dialect.ids)?;
        let (kind_said, reason) = meaning(delivered.message_state)
            .or_else(|| meaning(fields.get(Key::Stat).and_then(state)))
            .filter(|(said, _)| kind != ESM_INTERMEDIATE || *said != ReceiptKind::Failed)?;
        let reason = reason.map(|reason| error(delivered, &fields, dialect).unwrap_or(reason));
        let at = dialect.utc_offset.and_then(|ahead| Some(date(fields.get(Key::DoneDate)?)? - ahead));
        Some(Report { id, kind: kind_said, reason, at })
    };
    report().map_or(Inbound::Silent, Inbound::Receipt)
}

/// Returns the form in which a vendor's error code is looked up: capital letters, no zeros before.
pub(super) fn error_key(code: &str) -> String {
    code.trim().trim_start_matches('0').to_ascii_uppercase()
}

fn text(delivered: &Delivered) -> String {
    let octets = &delivered.octets[..delivered.octets.len().min(TEXT_MAX)];
    if delivered.data_coding == 0x08 {
        let units = octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        return char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    }
    String::from_utf8_lossy(octets).into_owned()
}

fn id(delivered: &Delivered, fields: &Fields<'_>, ids: Ids) -> Option<String> {
    let parameter = delivered.receipted_message_id.as_deref();
    let text = fields.get(Key::Id);
    let id = match ids {
        Ids::Opaque => parameter.or(text)?.to_owned(),
        // The habit is known of the text; what stands in the parameter differs by vendor.
        _ => ids.of_receipt(text.or(parameter)?),
    };
    (id.len() <= PROVIDER_ID_BYTES_MAX).then_some(id)
}

/// Reads the vendor's error code, where the settings know it.
fn error(delivered: &Delivered, fields: &Fields<'_>, dialect: &Dialect) -> Option<Reason> {
    let network = delivered.network_error.map(|(_, code)| code.to_string());
    [network.as_deref(), fields.get(Key::Err)]
        .into_iter()
        .flatten()
        .find_map(|code| dialect.errors.get(&error_key(code)))
        .copied()
}

/// Finds a state by its word: vendors write `DELIVRD`, `delivered`, `Delivrd`.
fn state(word: &str) -> Option<u8> {
    const STATES: [(&str, u8); 10] = [
        ("SCHED", 0),
        ("ENROU", 1),
        ("DELIV", 2),
        ("EXPIR", 3),
        ("DELET", 4),
        ("UNDEL", 5),
        ("ACCEP", 6),
        ("UNKNO", 7),
        ("REJEC", 8),
        ("SKIPP", 9),
    ];
    let word = word.to_ascii_uppercase();
    STATES.iter().find(|(start, _)| word.starts_with(start)).map(|(_, state)| *state)
}

/// Says what a state means; `None` where it is no news or unknown.
fn meaning(state: impl Into<Option<u8>>) -> Option<(ReceiptKind, Option<Reason>)> {
    Some(match state.into()? {
        // On its way, or read by the SMSC: no handset has it.
        1 | 6 => (ReceiptKind::Sent, None),
        2 => (ReceiptKind::Delivered, None),
        // Off for too long, or not to be reached.
        3 | 5 => (ReceiptKind::Failed, Some(Reason::Undeliverable)),
        // Removed, lost or skipped by the SMSC itself.
        4 | 7 | 9 => (ReceiptKind::Failed, Some(Reason::ProviderFault)),
        8 => (ReceiptKind::Failed, Some(Reason::ContentRefused)),
        _ => return None,
    })
}

/// Reads `YYMMDDhhmm`, with seconds, or with the century, as milliseconds of an unnamed zone.
fn date(digits: &str) -> Option<Timestamp> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (century, digits) = match digits.len() {
        10 | 12 => (2000, digits),
        14 => (digits[..2].parse::<i16>().ok()? * 100, &digits[2..]),
        _ => return None,
    };
    let pair = |at: usize| digits.get(at..at + 2).map_or(Some(0), |pair| pair.parse::<i8>().ok());
    let year = century + i16::from(pair(0)?);
    let civil =
        jiff::civil::DateTime::new(year, pair(2)?, pair(4)?, pair(6)?, pair(8)?, pair(10)?, 0).ok()?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_ms(zoned.timestamp().as_millisecond()))
}

/// What a receipt's text may name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    DoneDate,
    Stat,
    Err,
    /// Named, and of no use here: it ends another's value.
    Rest,
}

/// The keys as vendors write them, in whatever case.
const KEYS: [(&str, Key); 13] = [
    ("id:", Key::Id),
    ("sub:", Key::Rest),
    ("dlvrd:", Key::Rest),
    ("submit date:", Key::Rest),
    ("submit_date:", Key::Rest),
    ("submitdate:", Key::Rest),
    ("done date:", Key::DoneDate),
    ("done_date:", Key::DoneDate),
    ("donedate:", Key::DoneDate),
    ("stat:", Key::Stat),
    ("err:", Key::Err),
    ("error:", Key::Err),
    ("text:", Key::Rest),
];

/// The fields of a receipt's text.
struct Fields<'a>(Vec<(Key, &'a str)>);

impl<'a> Fields<'a> {
    /// Reads the keys in front of `text:`; behind it stands the message, which may say anything.
    fn of(text: &'a str) -> Fields<'a> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let Some((name, key)) = key_at(text, at) else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            };
            at += name.len();
            if name == "text:" {
                break;
            }
            at += text[at..].len() - text[at..].trim_start().len();
            let word = text[at..].split(char::is_whitespace).next().unwrap_or_default();
            // An empty value is followed by the next key.
            if key_at(text, at).is_none() {
                found.push((key, word.trim_end_matches([',', ';'])));
                at += word.len();
            }
        }
        Fields(found)
    }

    fn get(&self, key: Key) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(found, _)| *found == key)
            .map(|(_, value)| *value)
            .filter(|value| !value.is_empty())
    }
}

/// Finds the key that starts at this place, at the front or behind a space.
fn key_at(text: &str, at: usize) -> Option<(&'static str, Key)> {
    let fresh = at == 0 || text[..at].ends_with(|c: char| c.is_whitespace() || c == ',' || c == ';');
    let starts =
        |name: &str| text[at..].get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    KEYS.iter().find(|(name, _)| fresh && starts(name)).copied()
}

// === impl Ids ===

impl Ids {
    /// Returns a response's id in the form that is kept: decimal, where the two are written differently.
    pub(super) fn of_response(self, id: &str) -> String {
        match self {
            Ids::Opaque => id.to_owned(),
            Ids::HexDecimal | Ids::Hex => decimal(id, 16),
            Ids::DecimalHex => decimal(id, 10),
        }
    }

    fn of_receipt(self, id: &str) -> String {
        match self {
            Ids::Opaque => id.to_owned(),
            Ids::HexDecimal => decimal(id, 10),
            Ids::DecimalHex | Ids::Hex => decimal(id, 16),
        }
    }
}

/// Writes a number in decimal, without zeros before; what is no number stays as it is.
fn decimal(id: &str, radix: u32) -> String {
    // A sign is no digit of an id.
    let digits = id.bytes().all(|b| b.is_ascii_hexdigit());
    u128::from_str_radix(id, radix)
        .ok()
        .filter(|_| digits)
        .map_or_else(|| id.to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn receipt(text: &str) -> Delivered {
        Delivered { esm_class: ESM_RECEIPT, octets: text.as_bytes().to_vec(), ..Delivered::default() }
    }

    /// Writes what was read as `ID KIND REASON @SECONDS`.
    fn shown(inbound: Inbound) -> String {
        match inbound {
            Inbound::Receipt(report) => {
                let reason = report.reason.map(|r| format!(" {r}")).unwrap_or_default();
                let at = report.at.map(|t| format!(" @{}", t.ms() / 1000)).unwrap_or_default();
                format!("{} {}{reason}{at}", report.id, report.kind)
            }
            other => format!("{other:?}").to_lowercase(),
        }
    }

    fn check(delivered: &Delivered, dialect: &Dialect, expected: &str) {
        assert_eq!(shown(read(delivered, dialect)), expected);
    }

    #[test]
    fn texts_are_read_in_every_dialect() {
        for (text, expected) in [
            (
                "id:0000001 sub:001 dlvrd:001 submit date:2611220600 done date:2611220601 stat:DELIVRD err:000 text:hello",
                "0000001 delivered",
            ),
            ("ID:7 Stat:delivrd Err:0", "7 delivered"),
            (
                "id:7 sub:001 dlvrd:000 submit date:261122060000 done date:261122060130 stat:EXPIRED err:000",
                "7 failed undeliverable",
            ),
            ("id:a-b/c stat:UNDELIV err:069 Text:stat:DELIVRD", "a-b/c failed undeliverable"),
            ("id:7 stat:REJECTD err:", "7 failed content_refused"),
            ("id:7 err: stat:DELETED", "7 failed provider_fault"),
            ("id:7 stat:UNKNOWN", "7 failed provider_fault"),
            ("id: 7, stat: ACCEPTD, err: 000", "7 sent"),
            ("id:7 stat:ENROUTE", "7 sent"),
            ("id:7 stat:UNDELIVERABLE", "7 failed undeliverable"),
            ("id:7 stat:Delivered", "7 delivered"),
            ("id:7 stat:SCHEDLD", "silent"),
            ("id:7 stat:SOMEDAY", "silent"),
            ("stat:DELIVRD", "silent"),
            ("id: stat:DELIVRD", "silent"),
            ("text:id:7 stat:DELIVRD", "silent"),
            ("", "silent"),
        ] {
            check(&receipt(text), &Dialect::default(), expected);
        }
    }

    #[test]
    fn parameters_are_preferred() {
        let mut delivered = receipt("id:9 stat:EXPIRED");
        delivered.receipted_message_id = Some("8".into());
        delivered.message_state = Some(2);
        check(&delivered, &Dialect::default(), "8 delivered");
        // A state that nobody knows leaves the word to the text.
        delivered.message_state = Some(77);
        check(&delivered, &Dialect::default(), "8 failed undeliverable");
        // Marked by nothing but its parameters.
        delivered.message_state = Some(8);
        delivered.esm_class = 0;
        check(&delivered, &Dialect::default(), "8 failed content_refused");
    }

    #[test]
    fn what_is_no_receipt_is_told_apart() {
        let with = |esm_class: u8, text: &str| Delivered { esm_class, ..receipt(text) };
        check(&with(0x00, "id:7 stat:DELIVRD"), &Dialect::default(), "message");
        check(&with(0x40, "hello"), &Dialect::default(), "message");
        check(&with(0x08, "id:7 stat:DELIVRD"), &Dialect::default(), "message");
        // Store-and-forward bits beside it change nothing; on the way a failure is not the last word.
        check(&with(0x07, "id:7 stat:DELIVRD"), &Dialect::default(), "7 delivered");
        check(&with(0x20, "id:7 stat:UNDELIV"), &Dialect::default(), "silent");
        check(&with(0x20, "id:7 stat:ENROUTE"), &Dialect::default(), "7 sent");
    }

    #[test]
    fn ids_meet_in_decimal() {
        let check = |ids: Ids, response: &str, text: &str, parameter: Option<&str>, meet: bool| {
            let mut delivered = receipt(&format!("id:{text} stat:DELIVRD"));
            delivered.receipted_message_id = parameter.map(str::to_owned);
            let dialect = Dialect { ids, ..Dialect::default() };
            let Inbound::Receipt(report) = read(&delivered, &dialect) else { panic!("a receipt") };
            assert_eq!(
                report.id == ids.of_response(response),
                meet,
                "{} {}",
                report.id,
                ids.of_response(response)
            );
        };
        check(Ids::Opaque, "1A", "1A", None, true);
        check(Ids::Opaque, "1A", "26", None, false);
        check(Ids::HexDecimal, "1A", "26", None, true);
        check(Ids::HexDecimal, "0000001a", "0000000026", None, true);
        check(Ids::HexDecimal, "1A", "26", Some("1A"), true);
        check(Ids::DecimalHex, "0026", "1a", None, true);
        check(Ids::Hex, "00001abc", "1ABC", None, true);
        check(Ids::HexDecimal, "x-1", "x-1", None, true);
        check(Ids::HexDecimal, "+1", "1", None, false);
    }

    #[test]
    fn dates_count_where_the_zone_is_known() {
        let dialect = Dialect { utc_offset: Some(Span::from_hours(2)), ..Dialect::default() };
        for (date, expected) in [
            ("2611220601", "7 delivered @1795320060"),
            ("261122060130", "7 delivered @1795320090"),
            ("20261122060130", "7 delivered @1795320090"),
            ("2613220601", "7 delivered"),
            ("soon", "7 delivered"),
        ] {
            check(&receipt(&format!("id:7 done date:{date} stat:DELIVRD")), &dialect, expected);
        }
        check(&receipt("id:7 done date:2611220601 stat:DELIVRD"), &Dialect::default(), "7 delivered");
    }

    #[test]
    fn the_vendors_errors_say_more() {
        let errors = [("1".into(), Reason::NotOnChannel), ("DB".into(), Reason::Blocked)].into();
        let dialect = Dialect { errors, ..Dialect::default() };
        check(&receipt("id:7 stat:UNDELIV err:001"), &dialect, "7 failed not_on_channel");
        check(&receipt("id:7 stat:UNDELIV err:0db"), &dialect, "7 failed blocked");
        check(&receipt("id:7 stat:UNDELIV err:002"), &dialect, "7 failed undeliverable");
        // Delivered is delivered, whatever else is written.
        check(&receipt("id:7 stat:DELIVRD err:001"), &dialect, "7 delivered");
        let mut delivered = receipt("id:7 stat:UNDELIV");
        delivered.network_error = Some((3, 1));
        check(&delivered, &dialect, "7 failed not_on_channel");
    }

    #[test]
    fn a_receipt_in_ucs_2_is_read() {
        let octets = "id:7 stat:DELIVRD".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let delivered = Delivered { data_coding: 8, octets, ..receipt("") };
        check(&delivered, &Dialect::default(), "7 delivered");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(id:|stat:|text:|done date:|[a-zA-Z0-9é م:,]| ){0,40}", esm in any::<u8>()) {
            let mut delivered = receipt(&text);
            delivered.esm_class = esm;
            let dialect = Dialect { utc_offset: Some(Span::ZERO), ids: Ids::HexDecimal, ..Dialect::default() };
            read(&delivered, &dialect);
        }

        #[test]
        fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..600), data_coding in any::<u8>()) {
            read(&Delivered { esm_class: 4, data_coding, octets, ..Delivered::default() }, &Dialect::default());
        }
    }
}
