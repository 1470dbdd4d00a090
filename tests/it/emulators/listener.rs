//! Faults of connecting, of answering, and the end of an emulator.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wasl::emulator::control::{self, Off};
use wasl::emulator::{AnswerFault, Common, Delay, Fault, Mix, TcpFault, whatsapp};

use super::raw::{QUIET, SOON, request};

async fn health(handle: &whatsapp::Handle) -> std::io::Result<super::raw::Answer> {
    let bearer = [("authorization", "Bearer emulated-token")];
    let path = "/v23.0/106853218861309?fields=health_status";
    request(handle.addr(), "GET", path, &bearer, "").await
}

#[tokio::test]
async fn a_port_refuses_and_comes_back() {
    let handle = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    assert_eq!(health(&handle).await.unwrap().status, 200);
    let mut open = TcpStream::connect(handle.addr()).await.unwrap();
    while handle.connections_count() < 2 {
        tokio::task::yield_now().await;
    }
    handle.fault(Fault::Tcp(Mix::always(TcpFault::Refuse)));
    // The change reaches the listener in its own task: the cut of the open connection shows it.
    let cut = timeout(SOON, open.read_u8()).await.unwrap();
    assert_eq!(cut.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let mut tries = 0;
    let refused = loop {
        tries += 1;
        match health(&handle).await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => break true,
            _ if tries == 200 => break false,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert!(refused);
    handle.clear();
    let mut tries = 0;
    while health(&handle).await.is_err() {
        tries += 1;
        assert!(tries < 1_000, "the port did not come back");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_silent_port_times_out_and_comes_back() {
    let handle = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let mut open = TcpStream::connect(handle.addr()).await.unwrap();
    while handle.connections_count() == 0 {
        tokio::task::yield_now().await;
    }
    handle.fault(Fault::Tcp(Mix::always(TcpFault::Hang)));
    // Its backlog is filled by and by.
    let mut silent = false;
    for _ in 0..50 {
        silent = timeout(QUIET, TcpStream::connect(handle.addr())).await.is_err();
        if silent {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(silent);
    open.write_all(b"GET /v23.0/1 HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(timeout(QUIET, open.read_u8()).await.is_err());
    handle.clear();
    timeout(SOON, async {
        while health(&handle).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn answers_fail_in_every_way() {
    let handle = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let order = |fault| handle.fault(Fault::Answer(Mix::always(fault)));

    order(AnswerFault::Reset);
    let error = health(&handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    order(AnswerFault::Close);
    let error = health(&handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);

    order(AnswerFault::Cut);
    let error = health(&handle).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);

    order(AnswerFault::Hang);
    assert!(timeout(QUIET, health(&handle)).await.is_err());

    order(AnswerFault::Garbage);
    let answer = health(&handle).await.unwrap();
    assert_eq!((answer.status, &answer.body[..6]), (200, "<html>"));

    order(AnswerFault::Status { code: 503, retry_after_s: Some(7) });
    let answer = health(&handle).await.unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: 7"));

    let slow = Mix::slow(Delay::Fixed(QUIET * 2));
    handle.fault(Fault::Answer(slow));
    assert!(timeout(QUIET, health(&handle)).await.is_err());
    assert_eq!(health(&handle).await.unwrap().status, 200);
}

#[tokio::test]
async fn an_emulator_stops_and_starts_on_the_same_port() {
    let handle = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let addr = handle.addr();
    let mut open = TcpStream::connect(addr).await.unwrap();
    timeout(SOON, handle.stop()).await.unwrap();
    assert!(timeout(SOON, open.read_u8()).await.unwrap().is_err());
    assert!(health(&handle).await.is_err());
    let options =
        whatsapp::Options { common: Common { addr, ..Common::default() }, ..whatsapp::Options::default() };
    let again = whatsapp::start(options).await.unwrap();
    assert_eq!(again.addr(), addr);
    assert_eq!(health(&again).await.unwrap().status, 200);
    // The last handle's end is the emulator's end.
    let mut open = TcpStream::connect(addr).await.unwrap();
    drop(again);
    assert!(timeout(SOON, open.read_u8()).await.unwrap().is_err());
}

#[tokio::test]
async fn controls_turn_off_and_on() {
    let controls = control::start(Common::default(), Common::default()).await.unwrap();
    let page = async || request(controls.page_addr(), "GET", "/", &[], "").await;
    assert_eq!(page().await.unwrap().status, 204);
    controls.off(Off::Refused);
    timeout(SOON, async { while page().await.is_ok() {} }).await.unwrap();
    controls.on();
    timeout(SOON, async { while page().await.is_err() {} }).await.unwrap();
    controls.stop().await;
    assert!(page().await.is_err());
}
