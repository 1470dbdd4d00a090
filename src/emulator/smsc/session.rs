//! One SMPP session: frames, binds, and who answers what.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::Bytes;
use rusmpp::decode::DecodeWithLength;
use rusmpp::encode::{Encode, Length};
use rusmpp::pdus::{BindReceiverResp, BindTransceiverResp, BindTransmitterResp};
use rusmpp::values::InterfaceVersion;
use rusmpp::{Command, CommandStatus, Pdu};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::super::desk::{Desk, lock};
use super::super::fault::AnswerFault;
use super::super::listen::Wire;
use super::{Bound, Refusal, Session, Smsc};

/// The longest PDU: a `message_payload` has at most 64 KiB.
pub(super) const PDU_MAX: usize = 70_000;

/// What may wait to be written to one session.
const OUT_MAX: usize = 1_024;

/// The bit that tells a response from a request.
pub(super) const RESPONSE: u32 = 0x8000_0000;
/// The command that asks for a sign of life.
const ENQUIRE_LINK: u32 = 0x15;

const HEADER: usize = 16;

pub(super) const RINVCMDLEN: u32 = 0x02;
const RINVCMDID: u32 = 0x03;
pub(super) const RINVBNDSTS: u32 = 0x04;
const RALYBND: u32 = 0x05;
const RINVPASWD: u32 = 0x0E;
const RINVSYSID: u32 = 0x0F;
pub(super) const RTHROTTLED: u32 = 0x58;

/// Statuses of a `deliver_sm_resp` after which it is sent again.
const PASSING: [u32; 4] = [0x08, 0x14, RTHROTTLED, 0x64];

/// The pause before a `deliver_sm` that was refused for now is sent again.
const PASSING_WAIT: Duration = Duration::from_millis(500);

/// What goes out on a session.
#[derive(Debug)]
pub(super) enum Out {
    Octets(Vec<u8>),
    /// Closes in order.
    Close,
    /// Resets.
    Reset,
}

/// A PDU as it came, with its header read.
pub(super) struct Frame {
    id: u32,
    status: u32,
    sequence: u32,
    /// All of it but the length.
    octets: Vec<u8>,
}

/// Encodes a request.
pub(super) fn request(sequence: u32, pdu: impl Into<Pdu>) -> Vec<u8> {
    encode(&Command::new(CommandStatus::EsmeRok, sequence, pdu))
}

/// Encodes a good response.
pub(super) fn response(sequence: u32, pdu: impl Into<Pdu>) -> Vec<u8> {
    encode(&Command::new(CommandStatus::EsmeRok, sequence, pdu))
}

/// Encodes a failing response: a header alone, as most centres send it.
pub(super) fn refusal(id: u32, status: u32, sequence: u32) -> Vec<u8> {
    [16, id | RESPONSE, status, sequence].iter().flat_map(|word: &u32| word.to_be_bytes()).collect()
}

fn encode(command: &Command) -> Vec<u8> {
    let length = 4 + command.length();
    let mut octets = vec![0; length];
    let (head, body) = octets.split_at_mut(4);
    head.copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    command.encode(body);
    octets
}

/// Serves one connection.
pub(super) async fn serve(centre: Arc<Smsc>, desk: Arc<Desk<Refusal>>, wire: Wire) {
    let abort = wire.abort_switch();
    let (reader, writer) = tokio::io::split(wire);
    let (out, outbox) = mpsc::channel(OUT_MAX);
    // Closes the session also when this future is dropped in the middle.
    let open = Open { id: centre.open(out), centre: &centre };
    tokio::select! {
        () = read(&centre, &desk, open.id, reader) => {}
        () = write(writer, outbox, &abort) => {}
    }
}

struct Open<'a> {
    centre: &'a Smsc,
    id: u64,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.centre.close(self.id);
    }
}

async fn write(mut writer: impl AsyncWrite + Unpin, mut outbox: mpsc::Receiver<Out>, abort: &AtomicBool) {
    while let Some(out) = outbox.recv().await {
        match out {
            Out::Octets(octets) => {
                if writer.write_all(&octets).await.is_err() {
                    return;
                }
            }
            Out::Close => {
                // A connection that is gone already needs no end.
                let _ = writer.shutdown().await;
                return;
            }
            Out::Reset => return abort.store(true, Ordering::Relaxed),
        }
    }
}

async fn read(centre: &Smsc, desk: &Desk<Refusal>, id: u64, mut reader: impl AsyncRead + Unpin) {
    loop {
        match read_frame(&mut reader).await {
            Ok(Some(frame)) => centre.take_frame(desk, id, frame),
            Ok(None) => return,
            Err(sequence) => {
                let nack = refusal(RESPONSE, RINVCMDLEN, sequence);
                centre.answer(id, Duration::ZERO, Out::Octets(nack), false);
                centre.answer(id, Duration::ZERO, Out::Close, false);
                // The writer ends the session once both are out.
                return std::future::pending().await;
            }
        }
    }
}

/// Reads a frame: none at the end, its sequence number where its length cannot be.
async fn read_frame(reader: &mut (impl AsyncRead + Unpin)) -> Result<Option<Frame>, u32> {
    let mut header = [0; HEADER];
    if reader.read_exact(&mut header).await.is_err() {
        return Ok(None);
    }
    let words = header.as_chunks::<4>().0;
    let word = |at: usize| words.get(at).map_or(0, |word| u32::from_be_bytes(*word));
    let (length, id, status, sequence) = (word(0), word(1), word(2), word(3));
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if !(HEADER..=PDU_MAX).contains(&length) {
        return Err(sequence);
    }
    let mut octets = vec![0; length - 4];
    let (head, body) = octets.split_at_mut(HEADER - 4);
    head.copy_from_slice(&header[4..]);
    if reader.read_exact(body).await.is_err() {
        return Ok(None);
    }
    Ok(Some(Frame { id, status, sequence, octets }))
}

impl Smsc {
    fn open(&self, out: mpsc::Sender<Out>) -> u64 {
        let sessions = &mut *lock(&self.sessions);
        sessions.opened += 1;
        let session =
            Session { out, bound: None, sequence: 0, open: 0, pending: std::collections::BTreeMap::new() };
        sessions.live.insert(sessions.opened, session);
        sessions.opened
    }

    /// Ends a session; what it had not answered waits for the next one.
    fn close(&self, id: u64) {
        let sessions = &mut *lock(&self.sessions);
        if let Some(session) = sessions.live.remove(&id) {
            sessions.waiting.extend(session.pending.into_values());
        }
    }

    fn take_frame(&self, desk: &Desk<Refusal>, session: u64, frame: Frame) {
        if frame.id & RESPONSE != 0 {
            return self.take_response(session, &frame);
        }
        let (fault, delay) = desk.draw_request(frame.id == ENQUIRE_LINK);
        if let Some(fault) = fault {
            return self.answer_fault(session, delay, &frame, fault);
        }
        let refuse = |status| {
            let octets = refusal(frame.id, status, frame.sequence);
            self.answer(session, delay, Out::Octets(octets), false);
        };
        let length = frame.octets.len();
        let decoded = Command::decode(&mut Bytes::from(frame.octets.clone()).into(), length);
        let command = match decoded {
            Ok((command, _)) => command,
            Err(_) => return refuse(RINVCMDLEN),
        };
        let sequence = frame.sequence;
        let reply = |pdu: Pdu| {
            let octets = response(sequence, pdu);
            self.answer(session, delay, Out::Octets(octets), false);
        };
        match command.pdu() {
            Some(Pdu::BindTransmitter(bind)) => {
                let bound = Bound { transmits: true, receives: false };
                match self.bind(session, bound, bind.system_id.as_str(), bind.password.as_str()) {
                    Ok(id) => reply(BindTransmitterResp::new(id, Some(InterfaceVersion::Smpp3_4)).into()),
                    Err(status) => refuse(status),
                }
            }
            Some(Pdu::BindReceiver(bind)) => {
                let bound = Bound { transmits: false, receives: true };
                match self.bind(session, bound, bind.system_id.as_str(), bind.password.as_str()) {
                    Ok(id) => reply(BindReceiverResp::new(id, Some(InterfaceVersion::Smpp3_4)).into()),
                    Err(status) => refuse(status),
                }
            }
            Some(Pdu::BindTransceiver(bind)) => {
                let bound = Bound { transmits: true, receives: true };
                match self.bind(session, bound, bind.system_id.as_str(), bind.password.as_str()) {
                    Ok(id) => reply(BindTransceiverResp::new(id, Some(InterfaceVersion::Smpp3_4)).into()),
                    Err(status) => refuse(status),
                }
            }
            Some(Pdu::EnquireLink) => reply(Pdu::EnquireLinkResp),
            Some(Pdu::Unbind) => {
                reply(Pdu::UnbindResp);
                self.answer(session, delay, Out::Close, false);
            }
            Some(Pdu::SubmitSm(submit)) => self.submit(desk, session, sequence, delay, submit),
            _ => {
                let nack = refusal(RESPONSE, RINVCMDID, sequence);
                self.answer(session, delay, Out::Octets(nack), false);
            }
        }
    }

    fn answer_fault(&self, session: u64, delay: Duration, frame: &Frame, fault: AnswerFault) {
        let (out, then_close) = match fault {
            AnswerFault::Hang => return,
            AnswerFault::Reset => (Out::Reset, false),
            AnswerFault::Close => (Out::Close, false),
            AnswerFault::Cut => {
                let mut octets = refusal(frame.id, 0, frame.sequence);
                octets.truncate(HEADER / 2);
                (Out::Octets(octets), true)
            }
            // A response of an operation that does not exist.
            AnswerFault::Garbage => (Out::Octets(refusal(0x0199, 0, frame.sequence)), false),
            AnswerFault::Status { code, .. } => (Out::Octets(refusal(frame.id, code, frame.sequence)), false),
        };
        self.answer(session, delay, out, false);
        if then_close {
            self.answer(session, delay, Out::Close, false);
        }
    }

    /// Binds a session, or says which status refuses it.
    fn bind(
        &self,
        session: u64,
        bound: Bound,
        system_id: &str,
        password: &str,
    ) -> Result<rusmpp::types::COctetString<1, 16>, u32> {
        if let Some(status) = lock(&self.settings).bind_refusal {
            return Err(status);
        }
        if system_id != self.options.system_id {
            return Err(RINVSYSID);
        }
        if password != self.options.password {
            return Err(RINVPASWD);
        }
        let waiting = {
            let sessions = &mut *lock(&self.sessions);
            let session = sessions.live.get_mut(&session).ok_or(RINVBNDSTS)?;
            if session.bound.is_some() {
                return Err(RALYBND);
            }
            session.bound = Some(bound);
            if bound.receives { std::mem::take(&mut sessions.waiting) } else { Default::default() }
        };
        for delivery in waiting {
            // The bind's own answer goes first.
            self.agenda.push(super::BUSY_WAIT, super::Due::Deliver(delivery));
        }
        Ok("emulated".parse().unwrap_or_default())
    }

    fn take_response(&self, session: u64, frame: &Frame) {
        const DELIVER_SM_RESP: u32 = 0x8000_0005;
        const ENQUIRE_LINK_RESP: u32 = 0x8000_0015;
        const UNBIND_RESP: u32 = 0x8000_0006;
        match frame.id {
            DELIVER_SM_RESP => {
                let answered = {
                    let sessions = &mut *lock(&self.sessions);
                    let session = sessions.live.get_mut(&session);
                    session.and_then(|session| session.pending.remove(&frame.sequence))
                };
                match answered {
                    Some(_) if frame.status == 0 => {
                        self.receipts_taken.fetch_add(1, Ordering::Relaxed);
                    }
                    Some(delivery) if PASSING.contains(&frame.status) => {
                        self.repeat(delivery, PASSING_WAIT);
                    }
                    _ => {}
                }
            }
            ENQUIRE_LINK_RESP => {
                self.enquiries_answered.fetch_add(1, Ordering::Relaxed);
            }
            UNBIND_RESP => self.answer(session, Duration::ZERO, Out::Close, false),
            _ => {}
        }
    }
}
