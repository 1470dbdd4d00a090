//! Signal by its REST container: its WebSocket breaks and comes back, and where there is none it is asked.

use super::is_accepted;
use crate::support::road;
use crate::support::tables::Table;
use std::time::Duration;
use wasl::core::outcome::{Reason, ReceiptKind, ReceiptRef};
use wasl::emulator::signal_cli::{self, Handle, Mode, Options};

async fn start(mode: Mode) -> (Handle, road::Road) {
    // Pings come all the time.
    let keep_alive = Duration::from_millis(50);
    let handle =
        signal_cli::start(Options { rest: Some(mode), keep_alive, ..Options::default() }).await.unwrap();
    let road = road::open(Table::signal_rest("g", format!("http://{}", handle.addr())));
    (handle, road)
}

async fn confirmed(road: &road::Road) {
    let outcome = road.send("+15551230000", "غادروا الآن").await.outcome;
    assert!(is_accepted(&outcome), "{outcome:?}");
    let receipt = road.receipt().await;
    let ReceiptRef::Provider(id) = &receipt.of else { panic!("{receipt:?}") };
    assert!(id.starts_with("+15551230000:") && receipt.kind == ReceiptKind::Delivered, "{receipt:?}");
}

#[tokio::test]
async fn it_is_heard_again_after_its_websocket_breaks() {
    let (handle, road) = start(Mode::JsonRpc).await;
    for _ in 0..3 {
        road.is_up().await;
        confirmed(&road).await;
        handle.cut();
        road.is_down(Reason::ConnectionLost).await;
    }
    road.is_up().await;
    handle.set_accounts(&[]);
    handle.cut();
    road.is_down(Reason::ConnectionLost).await;
    road.silent().await;
}

#[tokio::test]
async fn where_there_is_no_websocket_it_is_asked() {
    let (handle, road) = start(Mode::Normal).await;
    road.is_up().await;
    confirmed(&road).await;
    confirmed(&road).await;
    road.silent().await;
    assert_eq!(handle.accepted_count(), 2);
}
