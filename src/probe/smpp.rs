//! The probe of kind `smpp`: bind, `enquire_link`, unbind.
//!
//! ```toml
//! kind = "smpp"
//! bind = "transmitter"     # receiver, transceiver; "none" only asks, on a connection that is not bound
//! ```
//! Everything else is the gateway's own: `host`, `port`, `tls`, `system_id`, `password`, `system_type`.
//!
//! A probe must not take the adapter's place. Bound as transmitter it is sent no receipts; a centre that allows one
//! bind alone answers ALYBND, which shows that the centre works and that somebody of ours is bound, or BINDFAIL, which
//! may mean as much. One that drops the older bind for the newer cuts the adapter each time: there it is `none`.
//! Unbound, a centre may hang up or say nothing: that is noted, for it tells nothing.
//!
//! Limits: an answer of more than [`PDU_MAX`] bytes is not SMPP. Cites: SMPP 3.4, sections 3.2, 4.1, 4.2, 4.11, 5.1.

use super::context::Context;
use super::definition::{Reader, Unbuildable};
use super::place::{PlaceText, Road, Wire};
use super::target::Target;
use super::trace::{Limits, Trace};
use super::{Blueprint, Doing, Probe};
use crate::core::evidence::{Layer, Verdict};
use crate::core::outcome::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The longest answer that is read. The longest that a centre may send unasked, a `deliver_sm` with a payload, is less.
const PDU_MAX: usize = 70_000;
/// The most PDUs that are passed over while one is awaited: a centre may have receipts to hand out first.
const PASSED_MAX: usize = 1_000;
const HEADER: usize = 16;
/// Where a centre listens unless the gateway says otherwise. Cites: IANA's registry for the one, habit for the other.
const PORT: u16 = 2775;
const PORT_TLS: u16 = 3550;

const BIND_RECEIVER: u32 = 0x01;
const BIND_TRANSMITTER: u32 = 0x02;
const UNBIND: u32 = 0x06;
const BIND_TRANSCEIVER: u32 = 0x09;
const ENQUIRE_LINK: u32 = 0x15;
const GENERIC_NACK: u32 = 0x8000_0000;
const RESPONSE: u32 = 0x8000_0000;
const INTERFACE_VERSION: u8 = 0x34;

/// How to bind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bind {
    None,
    As(u32),
}

struct SmppProbe {
    road: Road,
    /// Which bind, and its PDU; `None`: do not bind.
    bind: Option<(u32, Vec<u8>)>,
}

struct Plan {
    place: PlaceText,
    bind: Bind,
}

/// A PDU's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Header {
    id: u32,
    status: u32,
    sequence: u32,
}

/// Reads the keys of kind `smpp`.
pub(super) fn parse(reader: &mut Reader<'_>) -> Option<Box<dyn Blueprint>> {
    let place = PlaceText::parse(reader);
    let words = [
        ("none", Bind::None),
        ("receiver", Bind::As(BIND_RECEIVER)),
        ("transmitter", Bind::As(BIND_TRANSMITTER)),
        ("transceiver", Bind::As(BIND_TRANSCEIVER)),
    ];
    let bind = reader.choice("bind", &words).map_or(Bind::As(BIND_TRANSMITTER), |bind| bind.value);
    Some(Box::new(Plan { place: place?, bind }))
}

impl Blueprint for Plan {
    fn build(
        &self,
        target: &Target,
        context: &Context,
        limits: Limits,
    ) -> Result<Box<dyn Probe>, Unbuildable> {
        let encrypted = match target.value("tls") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Unbuildable::BadWord { key: "tls", words: "true or false" }),
        };
        let place = self.place.fill(target, Some(if encrypted { PORT_TLS } else { PORT }))?;
        let tls = encrypted.then(|| context.trust.handshake(&place, target)).transpose()?;
        let bind = match self.bind {
            Bind::None => None,
            Bind::As(id) => Some((id, bind(id, target)?)),
        };
        Ok(Box::new(SmppProbe { road: Road { place, tls, limits }, bind }))
    }
}

/// The longest password with its closing NUL. The standard has 9; some vendors take more, and the gateway warns of it.
const PASSWORD_MAX: usize = 65;

/// Builds the bind.
fn bind(id: u32, target: &Target) -> Result<Vec<u8>, Unbuildable> {
    let mut body = Vec::new();
    c_string(&mut body, "system_id", target.required("system_id")?, 16)?;
    c_string(&mut body, "password", target.required("password")?, PASSWORD_MAX)?;
    c_string(&mut body, "system_type", target.value("system_type").unwrap_or_default(), 13)?;
    // The type and plan of numbers, and the range: what the centre has for this account.
    body.extend([INTERFACE_VERSION, 0, 0, 0]);
    Ok(pdu(Header { id, status: 0, sequence: 1 }, &body))
}

/// Writes a text and its closing NUL, which count together.
fn c_string(out: &mut Vec<u8>, key: &'static str, text: &str, max: usize) -> Result<(), Unbuildable> {
    if text.len() >= max || text.bytes().any(|b| b == 0) {
        return Err(Unbuildable::TooLong(key));
    }
    out.extend(text.bytes());
    out.push(0);
    Ok(())
}

fn pdu(header: Header, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).expect("a body of three short texts fits");
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    for word in [length, header.id, header.status, header.sequence] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(body);
    bytes
}

impl Probe for SmppProbe {
    fn run<'a>(&'a self, context: &'a Context, trace: &'a mut Trace) -> Doing<'a, Result<Verdict, Reason>> {
        Box::pin(async move {
            let mut wire = self.road.open(context, trace).await?;
            let dialogue = self.dialogue(&mut *wire);
            let found = trace.phase(Layer::Api, self.road.limits.answer, Reason::Timeout, dialogue).await;
            match found {
                Err(reason @ (Reason::Timeout | Reason::ConnectionLost)) if self.bind.is_none() => {
                    Ok(Verdict::Noted(reason))
                }
                found => found,
            }
        })
    }
}

impl SmppProbe {
    async fn dialogue(&self, wire: &mut dyn Wire) -> Result<Verdict, Reason> {
        if let Some((id, bind)) = &self.bind {
            write(wire, bind).await?;
            let status = response(wire, *id, 1).await?.status;
            // Not bound, there is no link to ask about.
            if status != 0 {
                return read_bind(status);
            }
        }
        write(wire, &pdu(Header { id: ENQUIRE_LINK, status: 0, sequence: 2 }, &[])).await?;
        let answer = response(wire, ENQUIRE_LINK, 2).await?;
        if self.bind.is_some() {
            // A courtesy that frees the centre's slot at once; whether it is answered says nothing more.
            let _ = write(wire, &pdu(Header { id: UNBIND, status: 0, sequence: 3 }, &[])).await;
            let _ = wire.shutdown().await;
            return read_enquiry(answer.status);
        }
        // Unbound, some centres answer and some refuse: either way they speak.
        Ok(Verdict::Fine)
    }
}

/// Reads the status of a bind that did not succeed.
fn read_bind(status: u32) -> Result<Verdict, Reason> {
    match status {
        // ALYBND: somebody of ours is bound, most likely the adapter itself.
        0x05 => Ok(Verdict::Fine),
        // BINDFAIL, for whatever reason: a second bind may be one. The adapter's own bind tells which.
        0x0D => Ok(Verdict::Noted(Reason::Limited)),
        0x14 | 0x58 => Ok(Verdict::Limited(Reason::Throttled)),
        0x0E | 0x0F => Err(Reason::Credentials),
        0x04 | 0x53 => Err(Reason::Configuration),
        _ => Err(Reason::ProviderFault),
    }
}

/// Reads the status of an enquiry's answer on a bound link.
fn read_enquiry(status: u32) -> Result<Verdict, Reason> {
    match status {
        0x00 => Ok(Verdict::Fine),
        0x14 | 0x58 => Ok(Verdict::Limited(Reason::Throttled)),
        _ => Err(Reason::ProviderFault),
    }
}

/// Waits for the answer to a request; answers the centre's own enquiries and passes over the rest.
async fn response(wire: &mut dyn Wire, id: u32, sequence: u32) -> Result<Header, Reason> {
    for _ in 0..PASSED_MAX {
        let header = read(wire).await?;
        if header.id == ENQUIRE_LINK {
            let answer = Header { id: ENQUIRE_LINK | RESPONSE, status: 0, sequence: header.sequence };
            write(wire, &pdu(answer, &[])).await?;
        } else if header.id == id | RESPONSE && header.sequence == sequence {
            return Ok(header);
        } else if header.id == GENERIC_NACK {
            // It could read as little of ours as to give it another number, or none.
            return Ok(header);
        } else if header.id & RESPONSE != 0 {
            return Err(Reason::Unreadable);
        }
    }
    Err(Reason::Unreadable)
}

async fn write(wire: &mut dyn Wire, bytes: &[u8]) -> Result<(), Reason> {
    wire.write_all(bytes).await.map_err(|_| Reason::ConnectionLost)?;
    wire.flush().await.map_err(|_| Reason::ConnectionLost)
}

/// Reads one PDU and keeps its header.
async fn read(wire: &mut dyn Wire) -> Result<Header, Reason> {
    let mut bytes = [0; HEADER];
    wire.read_exact(&mut bytes).await.map_err(|_| Reason::ConnectionLost)?;
    let (length, header) = header(&bytes).ok_or(Reason::Unreadable)?;
    let mut left = length - HEADER;
    let mut scrap = [0; 512];
    while left > 0 {
        let part = left.min(scrap.len());
        wire.read_exact(&mut scrap[..part]).await.map_err(|_| Reason::ConnectionLost)?;
        left -= part;
    }
    Ok(header)
}

/// Reads a header and the PDU's length.
fn header(bytes: &[u8; HEADER]) -> Option<(usize, Header)> {
    let word =
        |from: usize| u32::from_be_bytes([bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]]);
    let length = usize::try_from(word(0)).ok().filter(|length| (HEADER..=PDU_MAX).contains(length))?;
    Some((length, Header { id: word(4), status: word(8), sequence: word(12) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::channel::{Channel, GatewayId};
    use crate::diag::Secret;

    fn target(system_id: &str, password: &str) -> Target {
        Target::new(GatewayId(0), "s", Channel::Sms, "sms-smpp")
            .plain("system_id", system_id)
            .hidden("password", Secret::new(password))
    }

    #[test]
    fn a_bind_is_written_as_the_protocol_says() {
        let bytes = bind(BIND_TRANSMITTER, &target("wasl", "pw")).unwrap();
        let mut expected = vec![0, 0, 0, 29, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1];
        expected.extend(b"wasl\0pw\0\0\x34\0\0\0");
        assert_eq!(bytes, expected);
        assert_eq!(
            bind(BIND_TRANSMITTER, &target("wasl", &"p".repeat(65))),
            Err(Unbuildable::TooLong("password"))
        );
        assert_eq!(bind(BIND_TRANSMITTER, &target("a\0b", "pw")), Err(Unbuildable::TooLong("system_id")));
    }

    #[test]
    fn each_status_of_a_bind_has_its_verdict() {
        let check = |status, expected| assert_eq!(read_bind(status), expected, "{status:#x}");
        check(0x05, Ok(Verdict::Fine));
        check(0x58, Ok(Verdict::Limited(Reason::Throttled)));
        check(0x0E, Err(Reason::Credentials));
        check(0x0F, Err(Reason::Credentials));
        check(0x0D, Ok(Verdict::Noted(Reason::Limited)));
        check(0x04, Err(Reason::Configuration));
        check(0x08, Err(Reason::ProviderFault));
    }

    #[test]
    fn what_is_not_smpp_is_not_read() {
        let check = |bytes: &[u8; HEADER], fine| assert_eq!(header(bytes).is_some(), fine, "{bytes:?}");
        check(&[0, 0, 0, 16, 0x80, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 2], true);
        check(&[0, 0, 0, 15, 0x80, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 2], false);
        check(b"HTTP/1.1 400 Bad", false);
    }
}
