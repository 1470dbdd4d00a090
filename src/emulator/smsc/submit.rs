//! Taking a `submit_sm`: what it must be, what becomes of it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use rusmpp::pdus::{SubmitSm, SubmitSmResp};
use rusmpp::tlvs::TlvValue;

use super::super::desk::{Desk, Fate, Verdict, lock, unix_s};
use super::super::fault::{AcceptFault, DeliverFault, ReceiptFault};
use super::super::received::Received;
use super::receipt::{Receipt, State};
use super::session::{Out, RINVBNDSTS, RTHROTTLED, refusal, response};
use super::text::{self, Part};
use super::{Content, Delivery, Due, Refusal, Smsc};

const SUBMIT_SM: u32 = 0x04;
const RINVMSGLEN: u32 = 0x01;
const RINVSRCADR: u32 = 0x0A;
const RINVDSTADR: u32 = 0x0B;
const RSUBMITFAIL: u32 = 0x45;

const UDH_INDICATOR: u8 = 0x40;
/// The header that a centre puts before a part that was announced by TLV.
const SAR_HEADER: usize = 6;
/// The longest alphanumeric sender, in characters.
const ALPHANUMERIC_MAX: usize = 11;

/// A submit that is in order.
struct Submit {
    sender: String,
    recipient: String,
    text: String,
    part: Option<Part>,
    reference: Option<String>,
    details: BTreeMap<&'static str, String>,
    /// Bits 0 and 1: 1 any final receipt, 2 failures only; bit 4: intermediate ones too.
    registered: u8,
}

impl Smsc {
    pub(super) fn submit(
        &self,
        desk: &Desk<Refusal>,
        session: u64,
        sequence: u32,
        delay: Duration,
        pdu: &SubmitSm,
    ) {
        let refuse = |status: u32, after: Duration, ends: bool| {
            let octets = refusal(SUBMIT_SM, status, sequence);
            self.answer(session, after, Out::Octets(octets), ends);
        };
        if let Err(status) = self.enter_window(session) {
            return refuse(status, delay, false);
        }
        let submit = match self.read(pdu) {
            Ok(submit) => submit,
            Err(status) => return refuse(status, delay, true),
        };
        let (verdict, judging) = desk.judge(&submit.recipient);
        let after = delay + judging;
        let fault = match verdict {
            Verdict::Take => {
                self.take(desk, session, sequence, after, submit, true);
                return;
            }
            Verdict::Fault(fault) => fault,
        };
        let (out, taken) = match fault {
            AcceptFault::Reject(Refusal::Status(status)) => return refuse(status, after, true),
            AcceptFault::Reject(Refusal::Final { .. }) => return refuse(RSUBMITFAIL, after, true),
            AcceptFault::Throttle { .. } => return refuse(RTHROTTLED, after, true),
            AcceptFault::Status { code, .. } => return refuse(code, after, true),
            AcceptFault::Hang { taken } => (None, taken),
            AcceptFault::Reset { taken } => (Some(Out::Reset), taken),
            AcceptFault::Close { taken } => (Some(Out::Close), taken),
            AcceptFault::Garbage { taken } => (Some(Out::Octets(garbage(sequence))), taken),
        };
        if taken {
            self.take(desk, session, sequence, after, submit, false);
        }
        if let Some(out) = out {
            self.answer(session, after, out, true);
        }
    }

    /// Counts a submit into its session's window, or says which status refuses it.
    fn enter_window(&self, session: u64) -> Result<(), u32> {
        let sessions = &mut *lock(&self.sessions);
        let session = sessions.live.get_mut(&session).ok_or(RINVBNDSTS)?;
        if !session.bound.is_some_and(|bound| bound.transmits) {
            return Err(RINVBNDSTS);
        }
        if self.options.window_max.is_some_and(|max| session.open >= max) {
            return Err(RTHROTTLED);
        }
        session.open += 1;
        sessions.window_peak = sessions.window_peak.max(session.open);
        Ok(())
    }

    fn read(&self, pdu: &SubmitSm) -> Result<Submit, u32> {
        let sender = pdu.source_addr.as_str().to_owned();
        let alphanumeric = u8::from(pdu.source_addr_ton) == 5;
        if alphanumeric && (sender.is_empty() || sender.chars().count() > ALPHANUMERIC_MAX) {
            return Err(RINVSRCADR);
        }
        let recipient = pdu.destination_addr.as_str().to_owned();
        let digits = recipient.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !(3..=15).contains(&recipient.len()) {
            return Err(RINVDSTADR);
        }
        let tlvs = Tlvs::read(pdu);
        let (esm, coding) = (u8::from(pdu.esm_class), u8::from(pdu.data_coding));
        let short = pdu.short_message().as_ref();
        let (user_data, whole) = match &tlvs.payload {
            Some(_) if !short.is_empty() => return Err(RINVMSGLEN),
            Some(payload) => (payload.as_slice(), true),
            None => (short, false),
        };
        let content = text::split_header(user_data, esm & UDH_INDICATOR != 0).ok_or(RINVMSGLEN)?;
        let own_header = if tlvs.part.is_some() { SAR_HEADER } else { 0 };
        let zero = self.options.alphabet;
        if !whole && !text::fits(&content, coding, zero, own_header) {
            return Err(RINVMSGLEN);
        }
        let text = text::decode(content.octets, coding, zero).ok_or(RSUBMITFAIL)?;
        let form = match (content.part, tlvs.part, whole) {
            (Some(_), ..) => "udh",
            (None, Some(_), _) => "sar",
            (None, None, true) => "payload",
            (None, None, false) => "single",
        };
        let part = content.part.or(tlvs.part);
        let sound = |part: Part| part.total > 0 && (1..=part.total).contains(&part.number);
        if part.is_some_and(|part| !sound(part)) {
            return Err(RSUBMITFAIL);
        }
        let details = BTreeMap::from([
            ("coding", text::coding_name(coding, zero).to_owned()),
            ("form", form.to_owned()),
            ("validity", pdu.validity_period.as_str().to_owned()),
        ]);
        Ok(Submit {
            sender,
            recipient,
            text,
            part,
            reference: tlvs.reference,
            details,
            registered: u8::from(pdu.registered_delivery),
        })
    }

    /// Takes a submit: keeps the message once it is whole, answers, arranges the receipts.
    fn take(
        &self,
        desk: &Desk<Refusal>,
        session: u64,
        sequence: u32,
        after: Duration,
        submit: Submit,
        answered: bool,
    ) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let settings = lock(&self.settings).clone();
        let written = settings.id_form.response(id);
        self.submits.fetch_add(1, Ordering::Relaxed);
        let fate = desk.fate();
        let plan = plan(&submit, &fate, &settings.states, session, id);
        self.keep(desk, submit, &written);
        let early = fate.receipt == Some(ReceiptFault::Early);
        if early {
            for (_, delivery) in &plan {
                self.deliver(delivery.clone());
            }
        }
        if answered {
            let message_id = written.parse().unwrap_or_default();
            let octets = response(sequence, SubmitSmResp::new(message_id, Vec::new()));
            self.answer(session, after, Out::Octets(octets), true);
        }
        if !early {
            self.arrange(plan, &fate, after);
        }
    }

    fn keep(&self, desk: &Desk<Refusal>, mut submit: Submit, id: &str) {
        let (text, ids) = match submit.part {
            None => (submit.text, vec![id.to_owned()]),
            Some(part) => {
                let parts = &mut lock(&self.parts);
                let (from, to) = (&submit.sender, &submit.recipient);
                match parts.add(from, to, part, submit.text, id.to_owned()) {
                    Some(whole) => whole,
                    None => return,
                }
            }
        };
        submit.details.insert("parts", ids.len().to_string());
        desk.keep(Received {
            number: 0,
            at: UNIX_EPOCH,
            recipient: submit.recipient,
            sender: submit.sender,
            text,
            provider_id: ids.join(","),
            attempt_ref: submit.reference,
            details: submit.details,
        });
    }

    fn arrange(&self, mut plan: Vec<(Duration, Delivery)>, fate: &Fate<Refusal>, after: Duration) {
        if fate.is_held() {
            for (_, delivery) in plan {
                self.agenda.hold(Due::Deliver(delivery));
            }
            return;
        }
        match fate.receipt {
            Some(ReceiptFault::Missing) => return,
            Some(ReceiptFault::Disordered) => {
                let times: Vec<Duration> = plan.iter().map(|(time, _)| *time).collect();
                plan.reverse();
                for (entry, time) in plan.iter_mut().zip(times) {
                    entry.0 = time;
                }
            }
            Some(ReceiptFault::Forged) => {
                for (_, delivery) in &mut plan {
                    if let Content::Receipt(receipt) = &mut delivery.content {
                        receipt.id ^= 0x4000_0000;
                    }
                }
            }
            Some(ReceiptFault::Doubled) => {
                plan = plan.into_iter().flat_map(|entry| [entry.clone(), entry]).collect();
            }
            Some(ReceiptFault::Early | ReceiptFault::Held) | None => {}
        }
        for (time, delivery) in plan {
            self.agenda.push(after + time, Due::Deliver(delivery));
        }
    }
}

/// Returns the receipts that a message will have, with their times.
fn plan(
    submit: &Submit,
    fate: &Fate<Refusal>,
    states: &[State],
    session: u64,
    id: u32,
) -> Vec<(Duration, Delivery)> {
    let mut ends: Vec<(State, u16)> = match fate.deliver {
        Some(DeliverFault::Drop) => return Vec::new(),
        Some(DeliverFault::Fail(Refusal::Final { state, error })) => vec![(state, error)],
        Some(DeliverFault::Fail(Refusal::Status(status))) => {
            vec![(State::Undeliverable, u16::try_from(status).unwrap_or(u16::MAX))]
        }
        Some(DeliverFault::Hold) | None => states.iter().map(|state| (*state, 0)).collect(),
    };
    let (finals, intermediate) = (submit.registered & 0x03, submit.registered & 0x10 != 0);
    ends.retain(|(state, _)| match finals {
        _ if state.is_intermediate() => intermediate,
        1 => true,
        2 => !state.is_delivered(),
        3 => state.is_delivered(),
        _ => false,
    });
    let told = fate.deliver_after + fate.receipt_after;
    let receipts = ends.into_iter().map(|(state, error)| {
        let receipt = Receipt {
            id,
            state,
            error,
            recipient: submit.recipient.clone(),
            sender: submit.sender.clone(),
            submitted_s: unix_s(),
            text: submit.text.clone(),
        };
        let delivery = Delivery { origin: session, content: Content::Receipt(receipt), repeats: 0 };
        (told, delivery)
    });
    receipts.collect()
}

/// Returns a `submit_sm_resp` whose id has no end.
fn garbage(sequence: u32) -> Vec<u8> {
    let mut octets = refusal(SUBMIT_SM, 0, sequence);
    octets.extend_from_slice(&[b'9'; 80]);
    let length = u32::try_from(octets.len()).unwrap_or_default();
    octets[..4].copy_from_slice(&length.to_be_bytes());
    octets
}

/// The TLVs that matter for a text.
#[derive(Default)]
struct Tlvs {
    part: Option<Part>,
    payload: Option<Vec<u8>>,
    reference: Option<String>,
}

impl Tlvs {
    fn read(pdu: &SubmitSm) -> Self {
        let mut tlvs = Self::default();
        let (mut reference, mut total, mut number) = (None, None, None);
        for tlv in pdu.tlvs() {
            match tlv.value() {
                Some(TlvValue::SarMsgRefNum(value)) => reference = Some(*value),
                Some(TlvValue::SarTotalSegments(value)) => total = Some(*value),
                Some(TlvValue::SarSegmentSeqnum(value)) => number = Some(*value),
                Some(TlvValue::MessagePayload(payload)) => {
                    tlvs.payload = Some(payload.value.as_ref().to_vec());
                }
                Some(TlvValue::UserMessageReference(reference)) => {
                    tlvs.reference = Some(reference.value.to_string());
                }
                _ => {}
            }
        }
        if let (Some(reference), Some(total), Some(number)) = (reference, total, number) {
            tlvs.part = Some(Part { reference, total, number });
        }
        tlvs
    }
}
