//! Delivery receipts in the dialects that centres speak.
//
// Cites: SMPP 3.4, appendix B (receipt format) and 5.2.28 (message_state).

use rusmpp::pdus::DeliverSm;
use rusmpp::tlvs::MessageDeliveryRequestTlvValue as TlvValue;
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::{EsmClass, MessageState, Npi, Ton};

/// The text of the message that a receipt repeats, in characters.
const TEXT_CHARS: usize = 20;

/// `esm_class` of a delivery receipt.
const RECEIPT: u8 = 0x04;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// On its way.
    Enroute,
    /// On the handset.
    Delivered,
    /// Given up for time.
    Expired,
    /// Taken out.
    Deleted,
    /// Cannot be brought.
    Undeliverable,
    /// Read by the centre on the recipient's behalf.
    Accepted,
    /// Nobody knows.
    Unknown,
    /// Refused on the way.
    Rejected,
    /// Passed over (SMPP 5.0).
    Skipped,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Enroute => "ENROUTE",
            Self::Delivered => "DELIVRD",
            Self::Expired => "EXPIRED",
            Self::Deleted => "DELETED",
            Self::Undeliverable => "UNDELIV",
            Self::Accepted => "ACCEPTD",
            Self::Unknown => "UNKNOWN",
            Self::Rejected => "REJECTD",
            Self::Skipped => "SKIPPED",
        }
    }

    fn value(self) -> MessageState {
        MessageState::from(match self {
            Self::Enroute => 1,
            Self::Delivered => 2,
            Self::Expired => 3,
            Self::Deleted => 4,
            Self::Undeliverable => 5,
            Self::Accepted => 6,
            Self::Unknown => 7,
            Self::Rejected => 8,
            Self::Skipped => 9,
        })
    }

    /// Says whether this is the end, and a good one.
    pub(super) const fn is_delivered(self) -> bool {
        matches!(self, Self::Delivered)
    }

    /// Says whether more is to come.
    pub(super) const fn is_intermediate(self) -> bool {
        matches!(self, Self::Enroute | Self::Accepted)
    }
}

/// How a centre writes its receipts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// As in the specification's appendix.
    #[default]
    Standard,
    /// The same with the TLVs for id and state.
    WithTlvs,
    /// `ID:.. STAT:..`.
    UpperKeys,
    /// `submit date` with capitals, `Text:`; dates with seconds.
    MixedKeys,
    /// Without `text:`.
    NoText,
    /// Id and state in TLVs, no text at all.
    TlvsOnly,
}

/// How a message's id is written, in the response and in the receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdForm {
    /// Decimal in both.
    #[default]
    Decimal,
    /// Hexadecimal in the response, decimal in the receipt.
    HexThenDecimal,
    /// Decimal in the response, hexadecimal in the receipt.
    DecimalThenHex,
    /// Hexadecimal in both, small letters in the response, capitals in the receipt.
    HexCase,
}

impl IdForm {
    pub(super) fn response(self, id: u32) -> String {
        match self {
            Self::Decimal | Self::DecimalThenHex => format!("{id:010}"),
            Self::HexThenDecimal => format!("{id:X}"),
            Self::HexCase => format!("{id:08x}"),
        }
    }

    fn receipt(self, id: u32) -> String {
        match self {
            Self::Decimal | Self::HexThenDecimal => format!("{id:010}"),
            Self::DecimalThenHex => format!("{id:x}"),
            Self::HexCase => format!("{id:08X}"),
        }
    }
}

/// A receipt to be sent.
#[derive(Clone, Debug)]
pub(super) struct Receipt {
    pub(super) id: u32,
    pub(super) state: State,
    pub(super) error: u16,
    /// The message's recipient, from whom the receipt comes.
    pub(super) recipient: String,
    pub(super) sender: String,
    pub(super) submitted_s: u64,
    pub(super) text: String,
}

impl Receipt {
    /// Makes the PDU. `now_s` is the time of the end, in seconds since 1970.
    pub(super) fn pdu(&self, dialect: Dialect, form: IdForm, now_s: u64) -> DeliverSm {
        let mut pdu = DeliverSm::default();
        pdu.source_addr_ton = Ton::International;
        pdu.source_addr_npi = Npi::Isdn;
        pdu.source_addr = address(&self.recipient);
        pdu.destination_addr = address(&self.sender);
        pdu.esm_class = EsmClass::from(RECEIPT);
        if dialect != Dialect::TlvsOnly {
            let text = self.text(dialect, form, now_s);
            // 20 characters of text and the rest stay far below 255 octets.
            pdu.set_short_message(OctetString::from_string(text).unwrap_or_default());
        }
        if matches!(dialect, Dialect::TlvsOnly | Dialect::WithTlvs) {
            let id = form.receipt(self.id).parse().unwrap_or_default();
            pdu.push_tlv(TlvValue::ReceiptedMessageId(id));
            pdu.push_tlv(TlvValue::MessageState(self.state.value()));
        }
        pdu
    }

    fn text(&self, dialect: Dialect, form: IdForm, now_s: u64) -> String {
        let seconds = dialect == Dialect::MixedKeys;
        let (submit, done) = (date(self.submitted_s, seconds), date(now_s, seconds));
        let (id, stat, err) = (form.receipt(self.id), self.state.word(), self.error);
        let dlvrd = u8::from(self.state.is_delivered());
        let shown = |character: char| {
            if character.is_ascii() && !character.is_ascii_control() { character } else { '?' }
        };
        let text: String = self.text.chars().take(TEXT_CHARS).map(shown).collect();
        let keys = format!(
            "id:{id} sub:001 dlvrd:{dlvrd:03} submit date:{submit} done date:{done} stat:{stat} err:{err:03}"
        );
        match dialect {
            Dialect::NoText => keys,
            Dialect::UpperKeys => format!(
                "ID:{id} SUB:001 DLVRD:{dlvrd:03} SUBMIT DATE:{submit} DONE DATE:{done} STAT:{stat} ERR:{err:03} TEXT:{text}"
            ),
            Dialect::MixedKeys => format!(
                "id:{id} sub:001 dlvrd:{dlvrd:03} Submit Date:{submit} Done Date:{done} stat:{stat} err:{err:03} Text:{text}"
            ),
            Dialect::Standard | Dialect::WithTlvs | Dialect::TlvsOnly => {
                format!("{keys} text:{text}")
            }
        }
    }
}

/// Returns an address for a PDU; one that does not fit is left empty.
pub(super) fn address(text: &str) -> COctetString<1, 21> {
    text.parse().unwrap_or_default()
}

/// Writes a time as `YYMMDDhhmm`, in UTC, with seconds or without.
fn date(unix_s: u64, seconds: bool) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    // Cites: Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    let shifted = days + 719_468;
    let era_day = shifted % 146_097;
    let year_of_era = (era_day - era_day / 1_460 + era_day / 36_524 - era_day / 146_096) / 365;
    let year_day = era_day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * year_day + 2) / 153;
    let day = year_day - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + shifted / 146_097 * 400 + u64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let mut text = format!("{:02}{month:02}{day:02}{hour:02}{minute:02}", year % 100);
    if seconds {
        text += &format!("{:02}", second % 60);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dialect: Dialect, form: IdForm, expected: &str) {
        let receipt = Receipt {
            id: 255,
            state: State::Delivered,
            error: 0,
            recipient: "15551230000".to_owned(),
            sender: "ALERT".to_owned(),
            submitted_s: 1_795_327_200,
            text: "hello اهلا".to_owned(),
        };
        let pdu = receipt.pdu(dialect, form, 1_795_327_261);
        let text = String::from_utf8(pdu.short_message().clone().into_vec()).unwrap();
        assert_eq!(text, expected);
        assert_eq!(pdu.tlvs().len(), if expected.is_empty() { 2 } else { 0 });
    }

    #[test]
    fn receipts_speak_their_dialects() {
        check(
            Dialect::Standard,
            IdForm::Decimal,
            "id:0000000255 sub:001 dlvrd:001 submit date:2611220600 done date:2611220601 stat:DELIVRD err:000 text:hello ????",
        );
        check(
            Dialect::UpperKeys,
            IdForm::DecimalThenHex,
            "ID:ff SUB:001 DLVRD:001 SUBMIT DATE:2611220600 DONE DATE:2611220601 STAT:DELIVRD ERR:000 TEXT:hello ????",
        );
        check(
            Dialect::MixedKeys,
            IdForm::HexCase,
            "id:000000FF sub:001 dlvrd:001 Submit Date:261122060000 Done Date:261122060101 stat:DELIVRD err:000 Text:hello ????",
        );
        check(
            Dialect::NoText,
            IdForm::HexThenDecimal,
            "id:0000000255 sub:001 dlvrd:001 submit date:2611220600 done date:2611220601 stat:DELIVRD err:000",
        );
        check(Dialect::TlvsOnly, IdForm::Decimal, "");
        assert_eq!(IdForm::HexThenDecimal.response(255), "FF");
    }
}
