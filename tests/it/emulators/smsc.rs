//! The centre's emulator, driven by PDUs written byte by byte.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wasl::emulator::smsc::{self, Dialect, Handle, IdForm, Options, Refusal, State};
use wasl::emulator::{AcceptFault, AnswerFault, DeliverFault, Fault, Mix, ReceiptFault};

use super::raw::{QUIET, SOON};

const BIND_RECEIVER: u32 = 0x01;
const BIND_TRANSMITTER: u32 = 0x02;
const SUBMIT: u32 = 0x04;
const DELIVER: u32 = 0x05;
const UNBIND: u32 = 0x06;
const BIND_TRANSCEIVER: u32 = 0x09;
const ENQUIRE: u32 = 0x15;
const RESPONSE: u32 = 0x8000_0000;

/// A PDU as it came.
#[derive(Debug)]
struct Pdu {
    id: u32,
    status: u32,
    sequence: u32,
    body: Vec<u8>,
}

impl Pdu {
    fn c_string(&self) -> String {
        let end = self.body.iter().position(|octet| *octet == 0).unwrap();
        String::from_utf8(self.body[..end].to_vec()).unwrap()
    }

    /// Returns `esm_class`, short message and TLVs of a `deliver_sm`.
    fn delivery(&self) -> (u8, Vec<u8>, Vec<u8>) {
        assert_eq!(self.id, DELIVER);
        let mut at = 0;
        let mut strings = |count: usize, extra: usize| {
            for _ in 0..count {
                while self.body[at] != 0 {
                    at += 1;
                }
                at += 1;
            }
            at += extra;
            at
        };
        // service_type, ton, npi | source, ton, npi | destination
        strings(1, 2);
        strings(1, 2);
        let esm_at = strings(1, 0);
        let esm = self.body[esm_at];
        // esm, protocol, priority | schedule, validity | four octets, then the length
        strings(0, 3);
        let length_at = strings(2, 4);
        let length = usize::from(self.body[length_at]);
        let text = self.body[length_at + 1..length_at + 1 + length].to_vec();
        (esm, text, self.body[length_at + 1 + length..].to_vec())
    }
}

struct Client {
    stream: TcpStream,
    sequence: u32,
}

impl Client {
    async fn connect(handle: &Handle) -> Self {
        let stream = TcpStream::connect(handle.addr()).await.unwrap();
        Self { stream, sequence: 0 }
    }

    async fn bound(handle: &Handle) -> Self {
        let mut client = Self::connect(handle).await;
        let answer = client.bind(BIND_TRANSCEIVER, "wasl", "secret").await;
        assert_eq!((answer.id, answer.status), (RESPONSE | BIND_TRANSCEIVER, 0));
        assert_eq!(answer.c_string(), "emulated");
        // TLV sc_interface_version 3.4
        assert!(answer.body.ends_with(&[0x02, 0x10, 0, 1, 0x34]));
        client
    }

    async fn write(&mut self, id: u32, status: u32, sequence: u32, body: &[u8]) {
        let length = u32::try_from(16 + body.len()).unwrap();
        let mut octets = Vec::new();
        for word in [length, id, status, sequence] {
            octets.extend_from_slice(&word.to_be_bytes());
        }
        octets.extend_from_slice(body);
        self.stream.write_all(&octets).await.unwrap();
    }

    async fn ask(&mut self, id: u32, body: &[u8]) -> Pdu {
        self.sequence += 1;
        self.write(id, 0, self.sequence, body).await;
        self.read().await.expect("an answer")
    }

    async fn bind(&mut self, id: u32, system_id: &str, password: &str) -> Pdu {
        let body = [system_id.as_bytes(), b"\0", password.as_bytes(), b"\0\0\x34\0\0\0"].concat();
        self.ask(id, &body).await
    }

    async fn read(&mut self) -> Option<Pdu> {
        timeout(SOON, async {
            let length = self.stream.read_u32().await.ok()?;
            let (id, status, sequence) = (
                self.stream.read_u32().await.ok()?,
                self.stream.read_u32().await.ok()?,
                self.stream.read_u32().await.ok()?,
            );
            let mut body = vec![0; usize::try_from(length).unwrap() - 16];
            self.stream.read_exact(&mut body).await.ok()?;
            Some(Pdu { id, status, sequence, body })
        })
        .await
        .expect("in time")
    }

    async fn is_quiet(&mut self) -> bool {
        timeout(QUIET, self.stream.read_u8()).await.is_err()
    }

    /// Submits and returns the message's id.
    async fn submit(&mut self, esm: u8, coding: u8, text: &[u8], tlvs: &[u8]) -> Result<String, u32> {
        let answer = self.ask(SUBMIT, &submit("15551230000", esm, coding, text, tlvs)).await;
        assert_eq!(answer.id, RESPONSE | SUBMIT, "{answer:?}");
        assert_eq!(answer.sequence, self.sequence);
        if answer.status == 0 { Ok(answer.c_string()) } else { Err(answer.status) }
    }

    /// Reads the next `deliver_sm` and answers it; returns its text.
    async fn receipt(&mut self) -> String {
        let pdu = self.read().await.unwrap();
        let (esm, text, _) = pdu.delivery();
        assert_eq!(esm & 0x3C, 0x04);
        self.write(RESPONSE | DELIVER, 0, pdu.sequence, b"\0").await;
        String::from_utf8(text).unwrap()
    }
}

fn submit(to: &str, esm: u8, coding: u8, text: &[u8], tlvs: &[u8]) -> Vec<u8> {
    let mut body = b"\0\x05\0ALERT\0\x01\x01".to_vec();
    body.extend_from_slice(to.as_bytes());
    body.extend_from_slice(&[0, esm, 0, 0, 0, 0, 1, 0, coding, 0]);
    body.push(u8::try_from(text.len()).unwrap());
    body.extend_from_slice(text);
    body.extend_from_slice(tlvs);
    body
}

async fn start() -> Handle {
    smsc::start(Options::default()).await.unwrap()
}

#[tokio::test]
async fn sessions_are_bound_and_unbound() {
    let handle = start().await;
    let mut client = Client::connect(&handle).await;
    assert_eq!(client.ask(ENQUIRE, b"").await.id, RESPONSE | ENQUIRE);
    assert_eq!(client.submit(0, 0, b"x", b"").await, Err(0x04));
    assert_eq!(client.bind(BIND_TRANSMITTER, "wasl", "wrong").await.status, 0x0E);
    assert_eq!(client.bind(BIND_TRANSMITTER, "who", "secret").await.status, 0x0F);
    handle.refuse_binds(Some(0x0D));
    assert_eq!(client.bind(BIND_TRANSMITTER, "wasl", "secret").await.status, 0x0D);
    handle.refuse_binds(None);
    assert_eq!(client.bind(BIND_TRANSMITTER, "wasl", "secret").await.status, 0);
    assert_eq!(client.bind(BIND_TRANSMITTER, "wasl", "secret").await.status, 0x05);
    assert_eq!(handle.bound_count(), 1);
    // query_sm is not spoken here; a generic_nack says so.
    let nack = client.ask(0x03, b"1\0\0\0\0").await;
    assert_eq!((nack.id, nack.status), (RESPONSE, 0x03));
    assert_eq!(client.ask(UNBIND, b"").await.id, RESPONSE | UNBIND);
    assert!(client.read().await.is_none());

    let mut client = Client::bound(&handle).await;
    client.stream.write_all(&[0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]).await.unwrap();
    let nack = client.read().await.unwrap();
    assert_eq!((nack.id, nack.status, nack.sequence), (RESPONSE, 0x02, 9));
    assert!(client.read().await.is_none());
}

#[tokio::test]
async fn a_text_is_taken_and_its_receipt_comes() {
    let handle = start().await;
    let mut client = Client::bound(&handle).await;
    let id = client.submit(0, 0, b"Leave now \x1b\x65", b"").await.unwrap();
    let receipt = client.receipt().await;
    assert!(receipt.starts_with(&format!("id:{id} sub:001 dlvrd:001 submit date:")), "{receipt}");
    assert!(receipt.contains(" stat:DELIVRD err:000 text:Leave now"), "{receipt}");
    let received = handle.received();
    assert_eq!(received[0].text, "Leave now €");
    assert_eq!((&*received[0].recipient, &*received[0].sender), ("15551230000", "ALERT"));
    assert_eq!(received[0].provider_id, id);
    while handle.receipts_taken() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn long_texts_are_put_together() {
    let handle = start().await;
    let mut client = Client::bound(&handle).await;
    handle.fault(Fault::Receipt(Mix::always(ReceiptFault::Missing)));
    let ucs2 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
    let second = [&[5, 0, 3, 0x2A, 2, 2][..], &ucs2("الآن")].concat();
    client.submit(0x40, 8, &second, b"").await.unwrap();
    assert_eq!(handle.accepted_count(), 0);
    let first = [&[5, 0, 3, 0x2A, 2, 1][..], &ucs2("غادر ")].concat();
    client.submit(0x40, 8, &first, b"").await.unwrap();

    let sar = |number: u8| {
        let mut tlvs = vec![0x02, 0x0C, 0, 2, 0, 7, 0x02, 0x0E, 0, 1, 2, 0x02, 0x0F, 0, 1];
        tlvs.push(number);
        tlvs
    };
    client.submit(0, 0, b"Leave ", &sar(1)).await.unwrap();
    client.submit(0, 0, b"now", &sar(2)).await.unwrap();

    let text = [b'a'; 400];
    let payload = [&[0x04, 0x24, 0x01, 0x90][..], &text].concat();
    client.submit(0, 0, b"", &payload).await.unwrap();

    let received = handle.received();
    assert_eq!(received[0].text, "غادر الآن");
    assert_eq!((&*received[0].details["parts"], &*received[0].details["form"]), ("2", "udh"));
    assert_eq!((&*received[1].text, &*received[1].details["form"]), ("Leave now", "sar"));
    assert_eq!((received[2].text.len(), &*received[2].details["form"]), (400, "payload"));
    assert_eq!(handle.submits_count(), 5);
    // What would not fit one message is refused, as by a real centre.
    assert_eq!(client.submit(0, 0, &[b'a'; 161], b"").await, Err(0x01));
    assert_eq!(client.submit(0, 8, &ucs2(&"ا".repeat(71)), b"").await, Err(0x01));
}

#[tokio::test]
async fn statuses_come_as_ordered() {
    let handle = start().await;
    let mut client = Client::bound(&handle).await;
    for status in [0x58, 0x14, 0x08, 0x0B, 0x45, 0x0400] {
        handle.fault_next(AcceptFault::Reject(Refusal::Status(status)));
        assert_eq!(client.submit(0, 0, b"x", b"").await, Err(status));
    }
    handle.fault_next(AcceptFault::Throttle { retry_after_s: 1 });
    assert_eq!(client.submit(0, 0, b"x", b"").await, Err(0x58));
    let body = submit("nobody", 0, 0, b"x", b"");
    assert_eq!(client.ask(SUBMIT, &body).await.status, 0x0B);
    handle.fault_next(AcceptFault::Hang { taken: true });
    client.write(SUBMIT, 0, 77, &submit("15551230000", 0, 0, b"x", b"")).await;
    let receipt = client.receipt().await;
    assert!(receipt.contains("stat:DELIVRD"));
    assert!(client.is_quiet().await);
    assert_eq!(handle.accepted_count(), 1);

    handle.fault(Fault::Answer(Mix::always(AnswerFault::Garbage)));
    assert_eq!(client.ask(ENQUIRE, b"").await.id, RESPONSE | 0x0199);
    handle.fault(Fault::Answer(Mix::always(AnswerFault::Hang)));
    client.write(ENQUIRE, 0, 78, b"").await;
    assert!(client.is_quiet().await);
    handle.clear();
    handle.fault_next(AcceptFault::Reset { taken: false });
    client.write(SUBMIT, 0, 79, &submit("15551230000", 0, 0, b"x", b"")).await;
    let error = timeout(SOON, client.stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn receipts_speak_dialects_and_go_wrong() {
    let handle = start().await;
    let mut client = Client::bound(&handle).await;

    handle.set_dialect(Dialect::UpperKeys, IdForm::HexThenDecimal);
    let id = client.submit(0, 0, b"x", b"").await.unwrap();
    let decimal = u32::from_str_radix(&id, 16).unwrap();
    let receipt = client.receipt().await;
    assert!(receipt.starts_with(&format!("ID:{decimal:010} ")), "{receipt}");
    assert!(receipt.contains("STAT:DELIVRD"));

    handle.set_dialect(Dialect::TlvsOnly, IdForm::Decimal);
    let id = client.submit(0, 0, b"x", b"").await.unwrap();
    let pdu = client.read().await.unwrap();
    let (esm, text, tlvs) = pdu.delivery();
    assert_eq!((esm, text.len()), (0x04, 0));
    let expected = [&[0, 0x1E, 0, 11][..], id.as_bytes(), &[0, 4, 0x27, 0, 1, 2]].concat();
    assert_eq!(tlvs, expected);
    client.write(RESPONSE | DELIVER, 0, pdu.sequence, b"\0").await;

    handle.set_dialect(Dialect::NoText, IdForm::Decimal);
    for (state, word) in
        [(State::Undeliverable, "UNDELIV"), (State::Expired, "EXPIRED"), (State::Rejected, "REJECTD")]
    {
        let end = DeliverFault::Fail(Refusal::Final { state, error: 27 });
        handle.fault(Fault::Deliver(Mix::always(end)));
        client.submit(0, 0, b"x", b"").await.unwrap();
        let receipt = client.receipt().await;
        assert!(receipt.ends_with(&format!("stat:{word} err:027")), "{receipt}");
    }
    handle.fault(Fault::Deliver(Mix::always(DeliverFault::Drop)));
    client.submit(0, 0, b"x", b"").await.unwrap();
    assert!(client.is_quiet().await);
    handle.clear();

    handle.fault(Fault::Receipt(Mix::always(ReceiptFault::Doubled)));
    client.submit(0, 0, b"x", b"").await.unwrap();
    assert_eq!(client.receipt().await, client.receipt().await);

    handle.fault(Fault::Receipt(Mix::always(ReceiptFault::Early)));
    let body = submit("15551230000", 0, 0, b"x", b"");
    client.write(SUBMIT, 0, 500, &body).await;
    assert_eq!(client.read().await.unwrap().id, DELIVER);
    assert_eq!(client.read().await.unwrap().id, RESPONSE | SUBMIT);
}

#[tokio::test]
async fn a_receipt_waits_for_a_receiver_and_is_repeated() {
    let options = Options { repeat_after: Duration::from_millis(600), ..Options::default() };
    let handle = smsc::start(options).await.unwrap();
    let mut sender = Client::connect(&handle).await;
    assert_eq!(sender.bind(BIND_TRANSMITTER, "wasl", "secret").await.status, 0);
    let id = sender.submit(0, 0, b"x", b"").await.unwrap();
    let mut receiver = Client::connect(&handle).await;
    assert_eq!(receiver.bind(BIND_RECEIVER, "wasl", "secret").await.status, 0);
    let first = receiver.read().await.unwrap();
    assert!(String::from_utf8(first.delivery().1).unwrap().contains(&id));
    // Not answered, so it comes again; the link is lost, so it comes to the next one.
    let again = receiver.read().await.unwrap();
    assert_eq!(again.delivery().1, first.delivery().1);
    drop(receiver);
    let mut receiver = Client::connect(&handle).await;
    assert_eq!(receiver.bind(BIND_RECEIVER, "wasl", "secret").await.status, 0);
    assert!(receiver.receipt().await.contains(&id));
    assert!(receiver.is_quiet().await);

    assert!(handle.inbound_text("15551230000", "100", "سالم"));
    let pdu = receiver.read().await.unwrap();
    assert_eq!(pdu.delivery().0, 0);
    assert_eq!(pdu.delivery().1.len(), 8);
    handle.enquire_all();
    let pdu = receiver.read().await.unwrap();
    assert_eq!(pdu.id, ENQUIRE);
}
