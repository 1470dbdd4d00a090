//! Strangers at the door, who connect and say nothing: what is accepted goes out all the same, nobody is accused of a lack
//! that is our own, and a stop does not wait for them.

use crate::support::process::{WASL, start_by, write};
use crate::support::tables::{Table, file};
use axum::Router;
use axum::routing::get;
use serde_json::json;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, watch};
use wasl::emulator::whatsapp;
use wasl::runtime::{listener, places::Places};

/// As many files as a service gets where nobody thought of it; its own soft limit is a tenth, and it may raise that.
const FILES: u32 = 192;
/// More than all of them.
const STRANGERS: usize = 400;

const RULES: &str = r#"
[[rule]]
name = "all"
deadline = "1m"
confirm = "accepted"
  [[rule.step]]
  channels = ["whatsapp"]
"#;

const PROBES: &str = r#"
[[probe]]
name = "web"
kind = "http"
adapter = "whatsapp-cloud"
interval = "1s"
url = "{base_url}/v23.0/"
expect.status = ["2xx", "3xx", "4xx"]
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_who_say_nothing_do_not_stop_what_goes_out() {
    let folder = tempfile::tempdir().unwrap();
    let provider = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let gateway = Table::whatsapp("wa", format_args!("http://{}", provider.addr())).known();
    write(folder.path(), "wasl.toml", &file([Table::server(), Table::store(), gateway]));
    write(folder.path(), "policies/all.toml", RULES);
    write(folder.path(), "probes/quick.toml", PROBES);
    let mut command = Command::new("sh");
    let script = format!("ulimit -Hn {FILES}; ulimit -Sn {}; exec {WASL} run --config wasl.toml", FILES / 2);
    command.args(["-c", &script]);
    let service = start_by(folder.path(), command).await;
    let well = |shown: &serde_json::Value| shown["gateways"][0]["state"] == "up";
    service.until("the gateway is up", "/v1/gateways", well).await;

    let door: SocketAddr = service.base().trim_start_matches("http://").parse().unwrap();
    let strangers: Vec<_> = (0..STRANGERS).map_while(|_| TcpStream::connect(door).ok()).collect();
    assert!(strangers.len() > FILES as usize, "only {} came", strangers.len());
    // Probes go on meanwhile, each on a connection of its own or the one that it kept.
    for text in ["one", "two", "three"] {
        let to = json!([{"whatsapp": "+970599000001"}]);
        let id = service.send(&json!({"severity": "extreme", "to": to, "text": {"en": text}})).await;
        let delivery = service.settled(&id).await;
        assert_eq!(delivery["attempts"].as_array().map(Vec::len), Some(1), "{delivery:#}");
        let said = service.said();
        assert!(!said.contains("a connection could not be taken"), "it ran out of files: {said}");
    }
    let shown = service.get("/v1/gateways").await;
    assert!(well(&shown), "the gateway is accused: {shown:#}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_place_at_the_door() {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (asked, mut asking) = mpsc::channel(1);
    // An answer that never comes, so that its place is never free.
    let never = move || async move {
        asked.send(()).await.unwrap();
        std::future::pending::<()>().await
    };
    let router = Router::new().route("/", get(never));
    let (stop, stopped) = watch::channel(false);
    // No files to speak of: one place.
    let serving = tokio::spawn(listener::serve(socket, None, router, Places::within(0, vec![]), stopped));
    let mut caller = tokio::net::TcpStream::connect(address).await.unwrap();
    caller.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    asking.recv().await.unwrap();
    let began = Instant::now();
    stop.send_replace(true);
    let done = tokio::time::timeout(Duration::from_secs(60), serving).await;
    assert!(done.is_ok(), "it still waits for a place after {:?}", began.elapsed());
}
