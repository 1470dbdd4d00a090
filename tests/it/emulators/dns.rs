//! The name server, asked by hand-made packets.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use wasl::emulator::dns::{self, DnsFault, Entry, Handle, Options};
use wasl::emulator::{Delay, Mix};

use super::raw::{QUIET, SOON};

const A: u16 = 1;
const AAAA: u16 = 28;

fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut packet = vec![0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend_from_slice(label.as_bytes());
    }
    packet.push(0);
    packet.extend_from_slice(&kind.to_be_bytes());
    packet.extend_from_slice(&1_u16.to_be_bytes());
    packet
}

async fn ask_for(handle: &Handle, name: &str, kind: u16, wait: Duration) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(handle.addr()).await.unwrap();
    socket.send(&query(name, kind)).await.unwrap();
    let mut answer = vec![0; 1_500];
    let length = timeout(wait, socket.recv(&mut answer)).await.ok()?.unwrap();
    answer.truncate(length);
    assert_eq!(answer[..2], [0x12, 0x34]);
    Some(answer)
}

async fn ask(handle: &Handle, name: &str, kind: u16) -> Option<Vec<u8>> {
    ask_for(handle, name, kind, SOON).await
}

/// Says whether no answer comes in the time in which it otherwise would.
async fn is_silent(handle: &Handle) -> bool {
    ask_for(handle, "graph.test", A, QUIET).await.is_none()
}

/// Returns the response code and the number of answers.
async fn verdict(handle: &Handle, name: &str, kind: u16) -> (u8, u16) {
    let answer = ask(handle, name, kind).await.expect("an answer");
    (answer[3] & 0x0F, u16::from_be_bytes([answer[6], answer[7]]))
}

async fn start() -> Handle {
    let handle = dns::start(Options::default()).await.unwrap();
    let local = Entry::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));
    handle.set("graph.test", vec![local]);
    handle.set("www.test", vec![Entry::Alias("graph.test.".to_owned())]);
    handle
}

#[tokio::test]
async fn names_are_answered_from_the_zone() {
    let handle = start().await;
    let answer = ask(&handle, "GRAPH.test", A).await.unwrap();
    assert!(answer.ends_with(&[127, 0, 0, 1]));
    assert_eq!(verdict(&handle, "graph.test", A).await, (0, 1));
    assert_eq!(verdict(&handle, "graph.test", AAAA).await, (0, 0));
    assert_eq!(verdict(&handle, "www.test", A).await, (0, 2));
    assert_eq!(verdict(&handle, "nobody.test", A).await, (3, 0));
    assert!(handle.requests_count() >= 5);
}

#[tokio::test]
async fn every_bad_answer_can_be_ordered() {
    let handle = start().await;
    let order = |fault| handle.fault_name("graph.test", Mix::always(fault));
    for (fault, expected) in [
        (DnsFault::NxDomain, (3, 0)),
        (DnsFault::ServFail, (2, 0)),
        (DnsFault::Refused, (5, 0)),
        (DnsFault::Empty, (0, 0)),
    ] {
        order(fault);
        assert_eq!(verdict(&handle, "graph.test", A).await, expected, "{fault:?}");
        assert_eq!(verdict(&handle, "www.test", A).await, (0, 2));
    }
    order(DnsFault::Timeout);
    assert!(is_silent(&handle).await);
    order(DnsFault::Hijack([192, 0, 2, 1].into()));
    let answer = ask(&handle, "graph.test", A).await.unwrap();
    assert!(answer.ends_with(&[192, 0, 2, 1]));
    order(DnsFault::Malformed);
    let answer = ask(&handle, "graph.test", A).await.unwrap();
    assert!(answer.len() < query("graph.test", A).len());
    handle.fault_name("graph.test", Mix::slow(Delay::Fixed(QUIET * 2)));
    assert!(is_silent(&handle).await);
    handle.clear_names();
    assert_eq!(verdict(&handle, "graph.test", A).await, (0, 1));
    handle.fault_all(Mix::always(DnsFault::ServFail));
    assert_eq!(verdict(&handle, "www.test", A).await, (2, 0));
}

#[tokio::test]
async fn a_truncated_answer_is_whole_over_tcp() {
    let handle = start().await;
    handle.fault_name("graph.test", Mix::always(DnsFault::Truncated));
    let answer = ask(&handle, "graph.test", A).await.unwrap();
    assert_eq!(answer[2] & 0x02, 0x02);
    let mut stream = TcpStream::connect(handle.addr()).await.unwrap();
    let query = query("graph.test", A);
    let length = u16::try_from(query.len()).unwrap();
    stream.write_all(&length.to_be_bytes()).await.unwrap();
    stream.write_all(&query).await.unwrap();
    let length = timeout(SOON, stream.read_u16()).await.unwrap().unwrap();
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await.unwrap();
    assert!(answer.ends_with(&[127, 0, 0, 1]));
}
