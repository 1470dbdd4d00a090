//! A short message service centre: SMPP 3.4 over TCP, with receipts in their dialects.
//!
//! It binds, takes `submit_sm`, sends `deliver_sm` (receipts and texts from handsets), and puts
//! long messages together from headers, SAR TLVs or `message_payload`, so that a test compares
//! what the handset shows. What no bound receiver takes waits for the next bind; what is not
//! answered is repeated.
//!
//! Limits: PDUs up to [`session::PDU_MAX`]; no `query_sm`, `cancel_sm`, `submit_multi`: those are
//! answered with `ESME_RINVCMDID`.
//
// Cites: SMPP Protocol Specification v3.4, issue 1.2.

mod receipt;
mod session;
mod submit;
mod text;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusmpp::Pdu;
use rusmpp::pdus::DeliverSm;
use rusmpp::types::OctetString;
use rusmpp::values::{DataCoding, EsmClass, Npi, Ton};
use tokio::sync::{mpsc, watch};

use super::agenda::{AGENDA_MAX, Agenda};
use super::desk::{Gate, lock, unix_s};
use super::fault;
use super::handle::{Common, Provider};
use super::listen::stopped;
use super::start::Start;
pub use receipt::{Dialect, IdForm, State};
use receipt::{Receipt, address};
use session::{Out, request};
pub use text::Alphabet;

/// A handle to the running emulator.
pub type Handle = super::Handle<Smsc>;
/// A fault of this emulator.
pub type Fault = super::Fault<Refusal>;

/// How often a `deliver_sm` that is not answered, or answered with a passing fault, is repeated: a centre goes on for
/// the validity of what it tells of, hours or days.
const REPEATS_MAX: u32 = 10_000;

/// How many UTF-16 units a text of one part has, and a part of several. Cites: 3GPP TS 23.040, 140 octets.
const UNITS_SINGLE: usize = 70;
const UNITS_PART: usize = 67;

/// `esm_class`: the text begins with a header.
const HAS_HEADER: u8 = 0x40;

/// The pause before something is tried again that found its session busy.
const BUSY_WAIT: Duration = Duration::from_millis(20);

/// Due entries handled in one go.
const BATCH_MAX: usize = 256;

/// What the emulator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address, seed, TLS.
    pub common: Common,
    /// The account that may bind.
    pub system_id: String,
    /// Its password.
    pub password: String,
    /// How octets of `data_coding` 0 are meant.
    pub alphabet: Alphabet,
    /// How receipts are written.
    pub dialect: Dialect,
    /// How ids are written.
    pub id_form: IdForm,
    /// Unanswered submits that one session may have; more are throttled. Without limit unless given.
    pub window_max: Option<usize>,
    /// How long a `deliver_sm` waits for its answer before it is repeated.
    pub repeat_after: Duration,
    /// How often the centre sends `enquire_link` itself; never unless given.
    pub enquire_every: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            common: Common::default(),
            system_id: "wasl".to_owned(),
            password: "secret".to_owned(),
            alphabet: Alphabet::Gsm,
            dialect: Dialect::Standard,
            id_form: IdForm::Decimal,
            window_max: None,
            repeat_after: Duration::from_secs(10),
            enquire_every: None,
        }
    }
}

/// A refusal in the centre's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A `command_status`; where a message was already taken, it ends as `UNDELIV`.
    Status(u32),
    /// A final state with its `err`; where a message is not yet taken, the status is 0x45.
    Final {
        /// The state.
        state: State,
        /// The network's error code.
        error: u16,
    },
}

impl fault::Refusal for Refusal {
    fn ordinary() -> Self {
        Self::Status(0x08)
    }
}

/// The centre's state.
#[derive(Debug)]
pub struct Smsc {
    options: Options,
    agenda: Agenda<Due>,
    sessions: Mutex<Sessions>,
    parts: Mutex<text::Desk>,
    settings: Mutex<Settings>,
    next_id: AtomicU32,
    submits: AtomicU64,
    receipts_taken: AtomicU64,
    enquiries_answered: AtomicU64,
}

#[derive(Clone, Debug)]
struct Settings {
    dialect: Dialect,
    id_form: IdForm,
    /// The states that a message passes through, one receipt each.
    states: Vec<State>,
    bind_refusal: Option<u32>,
}

#[derive(Debug, Default)]
struct Sessions {
    live: BTreeMap<u64, Session>,
    opened: u64,
    /// What waits for somebody who may receive.
    waiting: VecDeque<Delivery>,
    window_peak: usize,
}

#[derive(Debug)]
struct Session {
    out: mpsc::Sender<Out>,
    bound: Option<Bound>,
    sequence: u32,
    /// Submits without an answer yet.
    open: usize,
    /// `deliver_sm` without an answer yet, by sequence number.
    pending: BTreeMap<u32, Delivery>,
}

impl Session {
    const fn next_sequence(&mut self) -> u32 {
        self.sequence = if self.sequence >= 0x7FFF_FFFF { 1 } else { self.sequence + 1 };
        self.sequence
    }
}

/// What a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    transmits: bool,
    receives: bool,
}

/// Something for an application, by `deliver_sm`.
#[derive(Clone, Debug)]
struct Delivery {
    /// The session that submitted the message, which is preferred.
    origin: u64,
    content: Content,
    repeats: u32,
}

#[derive(Clone, Debug)]
enum Content {
    Receipt(Receipt),
    Text(Box<DeliverSm>),
}

/// What is to be done later.
#[derive(Debug)]
enum Due {
    Answer {
        session: u64,
        out: Out,
        ends_submit: bool,
    },
    Deliver(Delivery),
    /// Repeats a `deliver_sm` that is still not answered.
    Check {
        session: u64,
        sequence: u32,
    },
}

impl Provider for Smsc {
    type Refusal = Refusal;

    fn release(&self) {
        self.agenda.release();
    }
}

/// Starts the emulator.
///
/// # Errors
/// The address cannot be listened on.
pub async fn start(options: Options) -> io::Result<Handle> {
    let start = Start::<Smsc>::new(&options.common)?;
    // The upper bit stays free, so that ids grow for long without wrapping.
    let first_id = u32::try_from(start.desk.fresh_id() & 0x3FFF_FFFF).unwrap_or_default();
    let provider = Smsc {
        agenda: Agenda::new(),
        sessions: Mutex::default(),
        parts: Mutex::default(),
        settings: Mutex::new(Settings {
            dialect: options.dialect,
            id_form: options.id_form,
            states: vec![State::Delivered],
            bind_refusal: None,
        }),
        next_id: AtomicU32::new(first_id),
        submits: AtomicU64::new(0),
        receipts_taken: AtomicU64::new(0),
        enquiries_answered: AtomicU64::new(0),
        options,
    };
    let handle = start.serve(provider, session::serve);
    tokio::spawn(courier(Arc::clone(&handle.provider), handle.desk.gate.subscribe()));
    Ok(handle)
}

impl Handle {
    /// Writes receipts in this dialect from here on.
    pub fn set_dialect(&self, dialect: Dialect, id_form: IdForm) {
        let mut settings = lock(&self.provider.settings);
        settings.dialect = dialect;
        settings.id_form = id_form;
    }

    /// Sets the states that messages pass through, one receipt each; `DELIVRD` alone at first.
    /// Intermediate states are told only to those who asked for them.
    pub fn set_states(&self, states: &[State]) {
        lock(&self.provider.settings).states = states.to_vec();
    }

    /// Refuses every bind with this `command_status`, or no more with `None`.
    pub fn refuse_binds(&self, status: Option<u32>) {
        lock(&self.provider.settings).bind_refusal = status;
    }

    /// Sends a text from a handset to the application's number `to`, in parts where it is long.
    pub fn inbound_text(&self, from: &str, to: &str, text: &str) -> bool {
        let units: Vec<u16> = text.encode_utf16().collect();
        let octets = |units: &[u16]| units.iter().copied().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        if units.len() <= UNITS_SINGLE {
            return self.inbound_part(from, to, 0, octets(&units));
        }
        let parts: Vec<&[u16]> = units.chunks(UNITS_PART).collect();
        let (Ok(total), mark) = (u8::try_from(parts.len()), self.desk.fresh_id() as u8) else { return false };
        (1..=total).zip(parts).all(|(number, part)| {
            let header = vec![5, 0, 3, mark, total, number];
            self.inbound_part(from, to, HAS_HEADER, [header, octets(part)].concat())
        })
    }

    fn inbound_part(&self, from: &str, to: &str, esm_class: u8, octets: Vec<u8>) -> bool {
        let mut pdu = DeliverSm::default();
        pdu.source_addr_ton = Ton::International;
        pdu.source_addr_npi = Npi::Isdn;
        pdu.source_addr = address(from);
        pdu.destination_addr = address(to);
        // Its default is an ANSI-41 acknowledgement.
        pdu.esm_class = EsmClass::from(esm_class);
        pdu.data_coding = DataCoding::from(8);
        let Ok(octets) = OctetString::from_vec(octets) else {
            return false;
        };
        pdu.set_short_message(octets);
        self.provider.agenda.push(
            Duration::ZERO,
            Due::Deliver(Delivery { origin: 0, content: Content::Text(Box::new(pdu)), repeats: 0 }),
        )
    }

    /// Sends `unbind` to every session.
    pub fn unbind_all(&self) {
        self.provider.tell_all(&Pdu::Unbind);
    }

    /// Sends `enquire_link` to every session.
    pub fn enquire_all(&self) {
        self.provider.tell_all(&Pdu::EnquireLink);
    }

    /// Sends these octets to every session, whatever they are.
    pub fn send_raw(&self, octets: &[u8]) {
        for session in lock(&self.provider.sessions).live.values() {
            let _ = session.out.try_send(Out::Octets(octets.to_vec()));
        }
    }

    /// Returns how many sessions are bound.
    #[must_use]
    pub fn bound_count(&self) -> usize {
        let sessions = lock(&self.provider.sessions);
        sessions.live.values().filter(|session| session.bound.is_some()).count()
    }

    /// Returns the most submits that one session ever had without an answer.
    #[must_use]
    pub fn window_peak(&self) -> usize {
        lock(&self.provider.sessions).window_peak
    }

    /// Returns how many `submit_sm` were taken; of a long message each part counts.
    #[must_use]
    pub fn submits_count(&self) -> u64 {
        self.provider.submits.load(Ordering::Relaxed)
    }

    /// Returns how many `deliver_sm` were answered well.
    #[must_use]
    pub fn receipts_taken(&self) -> u64 {
        self.provider.receipts_taken.load(Ordering::Relaxed)
    }

    /// Returns how many of the centre's own `enquire_link` were answered.
    #[must_use]
    pub fn enquiries_answered(&self) -> u64 {
        self.provider.enquiries_answered.load(Ordering::Relaxed)
    }

    /// Returns how many receipts wait: for their time, for release, for a receiver, for an answer.
    #[must_use]
    pub fn receipts_waiting(&self) -> usize {
        let held = {
            let sessions = lock(&self.provider.sessions);
            let pending = sessions.live.values().map(|session| session.pending.len());
            sessions.waiting.len() + pending.sum::<usize>()
        };
        held + self.provider.agenda.len()
    }
}

impl Smsc {
    fn tell_all(&self, pdu: &Pdu) {
        for session in lock(&self.sessions).live.values_mut() {
            let octets = request(session.next_sequence(), pdu.clone());
            let _ = session.out.try_send(Out::Octets(octets));
        }
    }

    /// Answers a session, at once or later.
    fn answer(&self, session: u64, after: Duration, out: Out, ends_submit: bool) {
        let due = Due::Answer { session, out, ends_submit };
        if after.is_zero() {
            self.act(due);
        } else {
            self.agenda.push(after, due);
        }
    }

    fn act(&self, due: Due) {
        match due {
            Due::Answer { session, out, ends_submit } => {
                let busy = {
                    let sessions = &mut *lock(&self.sessions);
                    let Some(session) = sessions.live.get_mut(&session) else {
                        return;
                    };
                    match session.out.try_send(out) {
                        Err(mpsc::error::TrySendError::Full(out)) => Some(out),
                        _ => {
                            session.open = session.open.saturating_sub(usize::from(ends_submit));
                            None
                        }
                    }
                };
                if let Some(out) = busy {
                    let due = Due::Answer { session, out, ends_submit };
                    self.agenda.push(BUSY_WAIT, due);
                }
            }
            Due::Deliver(delivery) => self.deliver(delivery),
            Due::Check { session, sequence } => {
                let late = {
                    let sessions = &mut *lock(&self.sessions);
                    let session = sessions.live.get_mut(&session);
                    session.and_then(|session| session.pending.remove(&sequence))
                };
                if let Some(delivery) = late {
                    self.repeat(delivery, Duration::ZERO);
                }
            }
        }
    }

    /// Sends a `deliver_sm` to its origin or to another receiver, or lets it wait for one.
    fn deliver(&self, mut delivery: Delivery) {
        let settings = lock(&self.settings).clone();
        let next = {
            let sessions = &mut *lock(&self.sessions);
            let receives = |session: &Session| session.bound.is_some_and(|bound| bound.receives);
            let origin = sessions.live.get(&delivery.origin).filter(|s| receives(s));
            let id = match origin {
                Some(_) => Some(delivery.origin),
                None => sessions.live.iter().find(|(_, s)| receives(s)).map(|(id, _)| *id),
            };
            let found = id.and_then(|id| Some((id, sessions.live.get_mut(&id)?)));
            let Some((id, session)) = found else {
                if sessions.waiting.len() < AGENDA_MAX {
                    sessions.waiting.push_back(delivery);
                }
                return;
            };
            let pdu = match &delivery.content {
                Content::Receipt(receipt) => receipt.pdu(settings.dialect, settings.id_form, unix_s()),
                Content::Text(pdu) => (**pdu).clone(),
            };
            // Made once: a repeat says the same, the time of the end included.
            delivery.content = Content::Text(Box::new(pdu.clone()));
            let sequence = session.next_sequence();
            let octets = request(sequence, Pdu::DeliverSm(pdu));
            if session.out.try_send(Out::Octets(octets)).is_err() {
                (BUSY_WAIT, Due::Deliver(delivery))
            } else {
                session.pending.insert(sequence, delivery);
                let check = Due::Check { session: id, sequence };
                (self.options.repeat_after, check)
            }
        };
        self.agenda.push(next.0, next.1);
    }

    fn repeat(&self, mut delivery: Delivery, after: Duration) {
        if delivery.repeats < REPEATS_MAX {
            delivery.repeats += 1;
            self.agenda.push(after, Due::Deliver(delivery));
        }
    }
}

/// Does what falls due, until the emulator stops.
async fn courier(centre: Arc<Smsc>, mut gate: watch::Receiver<Gate>) {
    let due = async {
        loop {
            for due in centre.agenda.take(BATCH_MAX).await {
                centre.act(due);
            }
        }
    };
    let enquire = async {
        let Some(every) = centre.options.enquire_every else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(every).await;
            centre.tell_all(&Pdu::EnquireLink);
        }
    };
    tokio::select! {
        () = due => {}
        () = enquire => {}
        () = stopped(&mut gate) => {}
    }
}
