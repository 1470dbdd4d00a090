//! SMPP's protocol data units, as far as a client of an SMSC needs them: what it says is encoded, what it hears is
//! decoded. Nothing else is in the types, so an SMSC's part cannot be played by accident.
//!
//! Cites: SMPP 3.4, sections 3 to 5; 5.0 differs in nothing that is used here.
//!
//! Limits: a unit of more than [`COMMAND_LENGTH_MAX`] octets ends the link. Decoding is lenient where vendors are:
//! a missing terminator at the end, a failing response without a body, rubbish behind the last parameter.
//!
//! Invariant: no input makes decoding panic or allocate more than the input's own size.

use super::inbound::Part;
use crate::core::outcome::PROVIDER_ID_BYTES_MAX;

/// The longest unit that is taken: a `message_payload` may have 65,535 octets, everything before it about 400.
pub(super) const COMMAND_LENGTH_MAX: usize = 66 * 1024;
/// Octets of a unit's header.
pub(super) const HEADER: usize = 16;
/// The greatest sequence number; the one after it is 1.
pub(super) const SEQUENCE_MAX: u32 = 0x7FFF_FFFF;
/// The most octets of `short_message`.
pub(super) const SHORT_MESSAGE_MAX: usize = 254;

/// The most octets of a message id, without its NUL. Cites: SMPP 3.4, 5.2.23.
const MESSAGE_ID_MAX: usize = 64;

/// Cites: SMPP 3.4, 5.1.2.1 (command_id).
mod id {
    pub(super) const BIND_RECEIVER: u32 = 0x01;
    pub(super) const BIND_TRANSMITTER: u32 = 0x02;
    pub(super) const SUBMIT_SM: u32 = 0x04;
    pub(super) const DELIVER_SM: u32 = 0x05;
    pub(super) const UNBIND: u32 = 0x06;
    pub(super) const BIND_TRANSCEIVER: u32 = 0x09;
    pub(super) const OUTBIND: u32 = 0x0B;
    pub(super) const ENQUIRE_LINK: u32 = 0x15;
    pub(super) const ALERT_NOTIFICATION: u32 = 0x102;
    pub(super) const DATA_SM: u32 = 0x103;
    /// Added to a request's id in its response.
    pub(super) const RESPONSE: u32 = 0x8000_0000;
    pub(super) const GENERIC_NACK: u32 = 0x8000_0000;
}

/// Cites: SMPP 3.4, 5.3.2 (optional parameters).
mod tag {
    pub(super) const RECEIPTED_MESSAGE_ID: u16 = 0x001E;
    pub(super) const SAR_MSG_REF_NUM: u16 = 0x020C;
    pub(super) const SAR_TOTAL_SEGMENTS: u16 = 0x020E;
    pub(super) const SAR_SEGMENT_SEQNUM: u16 = 0x020F;
    pub(super) const NETWORK_ERROR_CODE: u16 = 0x0423;
    pub(super) const MESSAGE_PAYLOAD: u16 = 0x0424;
    pub(super) const MESSAGE_STATE: u16 = 0x0427;
}

/// The version that we speak.
const INTERFACE_VERSION: u8 = 0x34;
/// `esm_class`: the short message starts with a user data header.
const ESM_UDHI: u8 = 0x40;
/// `registered_delivery`: a receipt at the end, whether it went well or not.
const RECEIPT_AT_END: u8 = 0x01;

/// Which way a connection carries messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// Both ways.
    Transceiver,
    /// From us.
    Transmitter,
    /// To us: receipts.
    Receiver,
}

/// An address with its type of number and its numbering plan.
#[derive(Clone, PartialEq, Eq, Default)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Address {
    pub(super) ton: u8,
    pub(super) npi: u8,
    /// At most 20 octets, none of them NUL; what is heard may be longer.
    pub(super) text: String,
}

/// Who binds.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Login {
    /// At most 15 octets.
    pub(super) system_id: String,
    /// At most 8 octets by the standard.
    pub(super) password: crate::diag::Secret,
    /// At most 12 octets.
    pub(super) system_type: String,
}

/// A message's octets, and how a long one is held together.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Content {
    /// All of it, at most [`SHORT_MESSAGE_MAX`] octets.
    Short(Vec<u8>),
    /// A part that starts with its joining header, at most [`SHORT_MESSAGE_MAX`] octets.
    Headed(Vec<u8>),
    /// A part; the SMSC writes the header.
    Sar { octets: Vec<u8>, mark: u16, total: u8, number: u8 },
    /// All of it, whatever its length; the SMSC divides it.
    Payload(Vec<u8>),
}

/// A message to submit.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct SubmitSm {
    pub(super) source: Address,
    pub(super) destination: Address,
    /// From 0 to 3, the most urgent.
    pub(super) priority: u8,
    /// 16 characters, or none: the SMSC's own.
    pub(super) validity: String,
    pub(super) data_coding: u8,
    pub(super) content: Content,
}

/// What a client says.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Say {
    Bind(Role, Login),
    SubmitSm(SubmitSm),
    DeliverSmResp,
    DataSmResp,
    EnquireLink,
    EnquireLinkResp,
    UnbindResp,
    GenericNack,
}

/// A message or a receipt from the SMSC.
#[derive(Clone, PartialEq, Eq, Default)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Delivered {
    /// The sender.
    pub(super) source: Address,
    pub(super) esm_class: u8,
    pub(super) data_coding: u8,
    /// `short_message`, or `message_payload` where that is given.
    pub(super) octets: Vec<u8>,
    pub(super) receipted_message_id: Option<String>,
    pub(super) message_state: Option<u8>,
    /// The network's kind and its code.
    pub(super) network_error: Option<(u8, u16)>,
    /// Which part of which text, as the optional parameters say.
    pub(super) part: Option<Part>,
}

/// What a client hears.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Hear {
    BindResp,
    SubmitSmResp {
        message_id: Option<String>,
    },
    DeliverSm(Delivered),
    DataSm(Delivered),
    EnquireLink,
    EnquireLinkResp,
    Unbind,
    UnbindResp,
    GenericNack,
    /// What wants no answer and is of no use here: an unknown response, an alert, an invitation to bind.
    Idle,
    /// A request that we do not know.
    UnknownRequest,
    /// A request whose body cannot be read.
    UnreadableRequest,
    /// A response whose body cannot be read.
    UnreadableResponse,
}

/// A unit that was heard.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Heard {
    pub(super) status: u32,
    pub(super) sequence: u32,
    pub(super) body: Hear,
}

/// The octets are no SMPP: their length cannot be a unit's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a unit of {0} octets: the peer does not speak SMPP, or the stream is out of step")]
pub(super) struct BadLength(pub(super) u32);

/// Returns the length of the unit that `input` starts with, once its length can be read.
pub(super) fn unit_length(input: &[u8]) -> Result<Option<usize>, BadLength> {
    let Some(length) = input.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)) else {
        return Ok(None);
    };
    match length as usize {
        HEADER..=COMMAND_LENGTH_MAX => Ok(Some(length as usize)),
        _ => Err(BadLength(length)),
    }
}

/// Decodes one whole unit; a unit shorter than its header is unreadable.
pub(super) fn decode(unit: &[u8]) -> Heard {
    let mut input = Reader(unit);
    let mut head = || input.u32().unwrap_or_default();
    let (_length, id, status, sequence) = (head(), head(), head(), head());
    let response = id & id::RESPONSE != 0;
    let body = match id {
        id::GENERIC_NACK => Some(Hear::GenericNack),
        id::ENQUIRE_LINK => Some(Hear::EnquireLink),
        id::UNBIND => Some(Hear::Unbind),
        id::DELIVER_SM => input.deliver_sm().map(Hear::DeliverSm),
        id::DATA_SM => input.data_sm().map(Hear::DataSm),
        id::OUTBIND | id::ALERT_NOTIFICATION => Some(Hear::Idle),
        _ if !response => Some(Hear::UnknownRequest),
        _ => match id ^ id::RESPONSE {
            id::BIND_RECEIVER | id::BIND_TRANSMITTER | id::BIND_TRANSCEIVER => Some(Hear::BindResp),
            id::SUBMIT_SM => input.message_id(status).map(|message_id| Hear::SubmitSmResp { message_id }),
            id::ENQUIRE_LINK => Some(Hear::EnquireLinkResp),
            id::UNBIND => Some(Hear::UnbindResp),
            _ => Some(Hear::Idle),
        },
    };
    let unreadable = if response { Hear::UnreadableResponse } else { Hear::UnreadableRequest };
    let body = body.filter(|_| unit.len() >= HEADER).unwrap_or(unreadable);
    Heard { status, sequence, body }
}

/// Reads a unit from its front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|octets| octets[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|octets| u16::from_be_bytes([octets[0], octets[1]]))
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|octets| u32::from_be_bytes(*octets))
    }

    /// Takes a text up to its NUL; up to the end of the unit, where a vendor leaves the NUL out.
    fn text(&mut self) -> String {
        let length = self.0.iter().position(|octet| *octet == 0);
        let (text, rest) = match length {
            Some(length) => (&self.0[..length], &self.0[length + 1..]),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    /// Reads a response's message id: none where it is empty or the submit failed.
    fn message_id(&mut self, status: u32) -> Option<Option<String>> {
        let ends = self.0.contains(&0);
        let id = self.text();
        // A vendor may take more than the standard's length, or leave out the NUL; who does both sends rubbish.
        let most = if ends { PROVIDER_ID_BYTES_MAX } else { MESSAGE_ID_MAX };
        if id.len() > most {
            return None;
        }
        Some(Some(id.trim().to_owned()).filter(|id| !id.is_empty() && status == 0))
    }

    fn address(&mut self) -> Option<Address> {
        Some(Address { ton: self.u8()?, npi: self.u8()?, text: self.text() })
    }

    fn deliver_sm(&mut self) -> Option<Delivered> {
        self.text();
        let source = self.address()?;
        self.address()?;
        let esm_class = self.u8()?;
        let _protocol_and_priority = self.take(2)?;
        let _schedule = self.text();
        let _validity = self.text();
        let _registered_and_replace = self.take(2)?;
        let data_coding = self.u8()?;
        let _default_message = self.u8()?;
        let length = self.u8()?;
        let octets = self.take(usize::from(length))?.to_vec();
        let mut delivered = Delivered { source, esm_class, data_coding, octets, ..Delivered::default() };
        self.parameters(&mut delivered);
        Some(delivered)
    }

    fn data_sm(&mut self) -> Option<Delivered> {
        self.text();
        let source = self.address()?;
        self.address()?;
        let esm_class = self.u8()?;
        let _registered = self.u8()?;
        let data_coding = self.u8()?;
        let mut delivered = Delivered { source, esm_class, data_coding, ..Delivered::default() };
        self.parameters(&mut delivered);
        Some(delivered)
    }

    /// Reads the optional parameters up to the end, or up to what is no parameter.
    fn parameters(&mut self, into: &mut Delivered) {
        let (mut reference, mut total, mut number) = (None, None, None);
        while let Some((tag, value)) = self.parameter() {
            match tag {
                tag::RECEIPTED_MESSAGE_ID => {
                    let id = Reader(value).text().trim().to_owned();
                    into.receipted_message_id =
                        Some(id).filter(|id| !id.is_empty() && id.len() <= PROVIDER_ID_BYTES_MAX);
                }
                tag::MESSAGE_STATE => into.message_state = value.first().copied(),
                tag::NETWORK_ERROR_CODE => {
                    let mut value = Reader(value);
                    into.network_error = value.u8().zip(value.u16());
                }
                tag::MESSAGE_PAYLOAD => into.octets = value.to_vec(),
                tag::SAR_MSG_REF_NUM => reference = Reader(value).u16(),
                tag::SAR_TOTAL_SEGMENTS => total = value.first().copied(),
                tag::SAR_SEGMENT_SEQNUM => number = value.first().copied(),
                _ => {}
            }
        }
        if let (Some(reference), Some(total), Some(number)) = (reference, total, number) {
            into.part = Some(Part { reference, total, number });
        }
    }

    fn parameter(&mut self) -> Option<(u16, &'a [u8])> {
        let tag = self.u16()?;
        let length = self.u16()?;
        Some((tag, self.take(usize::from(length))?))
    }
}

// === impl Say ===

impl Say {
    /// Appends the unit.
    pub(super) fn encode(&self, status: u32, sequence: u32, out: &mut Vec<u8>) {
        let start = out.len();
        let word = |out: &mut Vec<u8>, word: u32| out.extend(word.to_be_bytes());
        for head in [0, self.command_id(), status, sequence] {
            word(out, head);
        }
        match self {
            Say::Bind(_, login) => login.encode(out),
            Say::SubmitSm(submit) => submit.encode(out),
            // A message id of no characters.
            Say::DeliverSmResp | Say::DataSmResp => out.push(0),
            Say::EnquireLink | Say::EnquireLinkResp | Say::UnbindResp | Say::GenericNack => {}
        }
        let length = (out.len() - start) as u32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    const fn command_id(&self) -> u32 {
        match self {
            Say::Bind(Role::Transceiver, _) => id::BIND_TRANSCEIVER,
            Say::Bind(Role::Transmitter, _) => id::BIND_TRANSMITTER,
            Say::Bind(Role::Receiver, _) => id::BIND_RECEIVER,
            Say::SubmitSm(_) => id::SUBMIT_SM,
            Say::DeliverSmResp => id::DELIVER_SM | id::RESPONSE,
            Say::DataSmResp => id::DATA_SM | id::RESPONSE,
            Say::EnquireLink => id::ENQUIRE_LINK,
            Say::EnquireLinkResp => id::ENQUIRE_LINK | id::RESPONSE,
            Say::UnbindResp => id::UNBIND | id::RESPONSE,
            Say::GenericNack => id::GENERIC_NACK,
        }
    }
}

/// Appends a text and its NUL.
fn put_text(out: &mut Vec<u8>, text: &str) {
    // A NUL within would move every field behind it.
    out.extend(text.bytes().filter(|octet| *octet != 0));
    out.push(0);
}

/// Appends an optional parameter.
fn put_parameter(out: &mut Vec<u8>, tag: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    out.extend(tag.to_be_bytes());
    out.extend((value.len() as u16).to_be_bytes());
    out.extend(value);
}

impl Address {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend([self.ton, self.npi]);
        put_text(out, &self.text);
    }
}

impl Login {
    fn encode(&self, out: &mut Vec<u8>) {
        for text in [&self.system_id, self.password.expose(), &self.system_type] {
            put_text(out, text);
        }
        out.push(INTERFACE_VERSION);
        // Any of our addresses: the SMSC knows them.
        Address::default().encode(out);
    }
}

impl SubmitSm {
    fn encode(&self, out: &mut Vec<u8>) {
        let none: &[u8] = &[];
        let (esm_class, short) = match &self.content {
            Content::Short(octets) | Content::Sar { octets, .. } => (0, octets.as_slice()),
            Content::Headed(octets) => (ESM_UDHI, octets.as_slice()),
            Content::Payload(_) => (0, none),
        };
        let short = &short[..short.len().min(SHORT_MESSAGE_MAX)];
        put_text(out, ""); // service_type: the SMSC's own
        self.source.encode(out);
        self.destination.encode(out);
        out.extend([esm_class, 0, self.priority]); // protocol_id: none
        put_text(out, ""); // schedule_delivery_time: at once
        put_text(out, &self.validity);
        out.extend([RECEIPT_AT_END, 0, self.data_coding, 0, short.len() as u8]);
        out.extend(short);
        match &self.content {
            Content::Short(_) | Content::Headed(_) => {}
            Content::Sar { mark, total, number, .. } => {
                put_parameter(out, tag::SAR_MSG_REF_NUM, &mark.to_be_bytes());
                put_parameter(out, tag::SAR_TOTAL_SEGMENTS, &[*total]);
                put_parameter(out, tag::SAR_SEGMENT_SEQNUM, &[*number]);
            }
            Content::Payload(octets) => put_parameter(out, tag::MESSAGE_PAYLOAD, octets),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
