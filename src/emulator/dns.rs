//! A DNS server on UDP and TCP with a zone of its own and every kind of bad answer.
//!
//! A name that is not in the zone does not exist. Answers carry a time to live of
//! [`Options::ttl_s`], 0 unless told otherwise, so that an ordered fault is seen at the next look-up.
//!
//! Limits: A, AAAA and CNAME; one question a query; chains of [`CHAIN_MAX`] names.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::desk::{Desk, Gate, lock};
use super::fault::{Mix, Refusal};
use super::handle::{Common, Provider};
use super::listen::{self, Wire, stopped};
use super::start::Start;

/// A handle to the running server. Of its common faults only [`super::Fault::Tcp`] acts, on DNS
/// over TCP.
pub type Handle = super::Handle<Dns>;

/// Names followed in a chain of aliases; resolvers give up at about as many.
const CHAIN_MAX: usize = 8;

/// Names in the zone, and as many with faults of their own.
const NAMES_MAX: usize = 10_000;

/// Late answers under way at once; further ones are not given.
const LATE_MAX: usize = 1_024;

/// How often a free port is sought that UDP and TCP share.
const PORT_TRIES: usize = 32;

/// The pause after an error of the socket, lest one that stays becomes a busy loop.
const ERROR_WAIT: Duration = Duration::from_millis(10);

/// The largest query and answer.
const PACKET_MAX: usize = 4_096;

/// What the server is started with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Address and seed.
    pub common: Common,
    /// The time to live of every answer, in seconds.
    pub ttl_s: u32,
    /// The zone; more is set by [`Handle::set`].
    pub zone: BTreeMap<String, Vec<Entry>>,
}

/// One answer for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An address: A or AAAA.
    Address(IpAddr),
    /// Another name for it.
    Alias(String),
}

/// What goes wrong with a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsFault {
    /// The name does not exist.
    NxDomain,
    /// The server failed.
    ServFail,
    /// The server does not answer for this name.
    Refused,
    /// The name exists and has no address.
    Empty,
    /// No answer.
    Timeout,
    /// Over UDP the answer is cut short, so that the caller must ask again over TCP.
    Truncated,
    /// The answer cannot be read.
    Malformed,
    /// Another address is given.
    Hijack(IpAddr),
}

/// The server's state.
#[derive(Debug)]
pub struct Dns {
    ttl_s: u32,
    zone: Mutex<Zone>,
}

#[derive(Debug, Default)]
struct Zone {
    entries: BTreeMap<String, Vec<Entry>>,
    faults: BTreeMap<String, Mix<DnsFault>>,
    all: Mix<DnsFault>,
}

/// A server that takes no messages has nothing to refuse.
#[derive(Clone, Copy, Debug)]
pub struct NoRefusal;

impl Refusal for NoRefusal {
    fn ordinary() -> Self {
        Self
    }
}

impl Provider for Dns {
    type Refusal = NoRefusal;
}

/// Starts the server.
///
/// # Errors
/// The address cannot be listened on, by UDP and TCP both.
pub async fn start(options: Options) -> io::Result<Handle> {
    let (udp, listener) = bind_both(options.common.addr).await?;
    let start = Start::on(listener, &Common { keep: 0, tls: None, ..options.common })?;
    let entries = options.zone.into_iter();
    let dns = Dns {
        ttl_s: options.ttl_s,
        zone: Mutex::new(Zone {
            entries: entries.map(|(name, e)| (canonical(&name), e)).collect(),
            ..Zone::default()
        }),
    };
    let handle = start.serve(dns, serve_tcp);
    let (desk, dns) = (Arc::clone(&handle.desk), Arc::clone(&handle.provider));
    tokio::spawn(serve_udp(desk, dns, handle.desk.gate.subscribe(), udp));
    Ok(handle)
}

async fn bind_both(addr: SocketAddr) -> io::Result<(UdpSocket, tokio::net::TcpListener)> {
    let mut tries = 0;
    loop {
        let listener = listen::bind(addr)?;
        match UdpSocket::bind(listener.local_addr()?).await {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && addr.port() == 0 && tries < PORT_TRIES =>
            {
                tries += 1;
            }
            Err(error) => return Err(error),
            Ok(udp) => return Ok((udp, listener)),
        }
    }
}

impl Handle {
    /// Sets what a name stands for. Returns false where the zone is full.
    pub fn set(&self, name: &str, entries: Vec<Entry>) -> bool {
        let zone = &mut *lock(&self.provider.zone);
        let name = canonical(name);
        if zone.entries.len() >= NAMES_MAX && !zone.entries.contains_key(&name) {
            return false;
        }
        zone.entries.insert(name, entries);
        true
    }

    /// Takes a name out of the zone.
    pub fn unset(&self, name: &str) {
        lock(&self.provider.zone).entries.remove(&canonical(name));
    }

    /// Orders the behaviour of look-ups of one name. Returns false where too many names have one.
    pub fn fault_name(&self, name: &str, mix: Mix<DnsFault>) -> bool {
        let zone = &mut *lock(&self.provider.zone);
        let name = canonical(name);
        if zone.faults.len() >= NAMES_MAX && !zone.faults.contains_key(&name) {
            return false;
        }
        zone.faults.insert(name, mix);
        true
    }

    /// Orders the behaviour of look-ups of all names without an order of their own.
    pub fn fault_all(&self, mix: Mix<DnsFault>) {
        lock(&self.provider.zone).all = mix;
    }

    /// Ends the faults of look-ups, of all names.
    pub fn clear_names(&self) {
        let zone = &mut *lock(&self.provider.zone);
        zone.faults.clear();
        zone.all = Mix::good();
    }
}

/// What comes back for a query: bytes, after some time.
struct Reply {
    bytes: Option<Vec<u8>>,
    after: Duration,
}

impl Dns {
    fn reply(&self, desk: &Desk<NoRefusal>, query: &[u8], over_udp: bool) -> Reply {
        let (_, after) = desk.draw_answer();
        let Some((query, question)) = read(query) else {
            return Reply { bytes: None, after };
        };
        let name = canonical(&question.name().to_ascii());
        let (fault, slow) = {
            let zone = lock(&self.zone);
            let mix = zone.faults.get(&name).unwrap_or(&zone.all);
            mix.draw(&desk.dice)
        };
        let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
        answer.metadata.recursion_desired = query.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.queries.push(question.clone());
        let bytes = match fault {
            Some(DnsFault::Timeout) => None,
            Some(DnsFault::Malformed) => Some(malformed(query.metadata.id)),
            Some(fault) => {
                self.spoil(&mut answer, fault, &question, over_udp);
                answer.to_vec().ok()
            }
            None => {
                self.fill(&mut answer, &question);
                answer.to_vec().ok()
            }
        };
        Reply { bytes, after: after + slow }
    }

    fn spoil(&self, answer: &mut Message, fault: DnsFault, question: &Query, over_udp: bool) {
        let code = match fault {
            DnsFault::NxDomain => ResponseCode::NXDomain,
            DnsFault::ServFail => ResponseCode::ServFail,
            DnsFault::Refused => ResponseCode::Refused,
            _ => ResponseCode::NoError,
        };
        answer.metadata.response_code = code;
        match fault {
            DnsFault::Truncated if over_udp => answer.metadata.truncation = true,
            DnsFault::Truncated => self.fill(answer, question),
            DnsFault::Hijack(address) => {
                let data = address_data(address);
                if data.record_type() == question.query_type() {
                    let name = question.name().clone();
                    answer.answers.push(Record::from_rdata(name, self.ttl_s, data));
                }
            }
            _ => {}
        }
    }

    /// Answers from the zone, following aliases.
    fn fill(&self, answer: &mut Message, question: &Query) {
        let zone = lock(&self.zone);
        let mut name = question.name().clone();
        for step in 0..CHAIN_MAX {
            let Some(entries) = zone.entries.get(&canonical(&name.to_ascii())) else {
                // An alias to a name outside the zone leaves that name to the asker.
                if step == 0 {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                }
                return;
            };
            let mut next = None;
            for entry in entries {
                let data = match entry {
                    Entry::Address(address) => address_data(*address),
                    Entry::Alias(alias) => {
                        let Ok(alias) = Name::from_ascii(alias) else {
                            continue;
                        };
                        next = Some(alias.clone());
                        RData::CNAME(CNAME(alias))
                    }
                };
                let kind = data.record_type();
                if kind == question.query_type() || kind == RecordType::CNAME {
                    let record = Record::from_rdata(name.clone(), self.ttl_s, data);
                    answer.answers.push(record);
                }
            }
            match next {
                Some(alias) => name = alias,
                None => return,
            }
        }
    }
}

/// Reads a query with its one question.
fn read(packet: &[u8]) -> Option<(Message, Query)> {
    let message = Message::from_vec(packet).ok()?;
    let question = message.queries.first()?.clone();
    (message.metadata.message_type == MessageType::Query).then_some((message, question))
}

const fn address_data(address: IpAddr) -> RData {
    match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    }
}

/// Returns an answer that claims one question and one record and holds neither.
fn malformed(id: u16) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 0x3F, b'x', 0xC0]);
    bytes
}

fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

async fn serve_udp(
    desk: Arc<Desk<NoRefusal>>,
    dns: Arc<Dns>,
    mut gate: watch::Receiver<Gate>,
    socket: UdpSocket,
) {
    let socket = Arc::new(socket);
    // Whoever holds the socket holds this too, so that a stop waits for all of them.
    let held = gate.clone();
    let work = async {
        let mut late = JoinSet::new();
        let mut packet = vec![0; PACKET_MAX];
        loop {
            while late.try_join_next().is_some() {}
            let Ok((length, peer)) = socket.recv_from(&mut packet).await else {
                // Mostly an earlier answer that its asker no longer wanted.
                tokio::time::sleep(ERROR_WAIT).await;
                continue;
            };
            let query = packet.get(..length).unwrap_or_default();
            let reply = dns.reply(&desk, query, true);
            let Some(bytes) = reply.bytes else { continue };
            if reply.after.is_zero() {
                let _ = socket.send_to(&bytes, peer).await;
            } else if late.len() < LATE_MAX {
                let (held, socket) = (held.clone(), Arc::clone(&socket));
                late.spawn(async move {
                    tokio::time::sleep(reply.after).await;
                    let _ = socket.send_to(&bytes, peer).await;
                    drop((socket, held));
                });
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = stopped(&mut gate) => {}
    }
}

async fn serve_tcp(dns: Arc<Dns>, desk: Arc<Desk<NoRefusal>>, mut wire: Wire) {
    loop {
        let mut length = [0; 2];
        if wire.read_exact(&mut length).await.is_err() {
            return;
        }
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        if wire.read_exact(&mut query).await.is_err() {
            return;
        }
        let reply = dns.reply(&desk, &query, false);
        tokio::time::sleep(reply.after).await;
        let Some(bytes) = reply.bytes else {
            // No answer: the connection stays, as a server's does that lost the question.
            continue;
        };
        let Ok(length) = u16::try_from(bytes.len()) else {
            return;
        };
        let mut frame = length.to_be_bytes().to_vec();
        frame.extend_from_slice(&bytes);
        if wire.write_all(&frame).await.is_err() {
            return;
        }
    }
}
