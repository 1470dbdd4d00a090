//! The pages in Debian's chromium: both languages, without script, dark, narrow, in print, when the service falls silent;
//! judged by axe-core, and an act carried out by keys alone.

use crate::pages::day;
use crate::stand_in;
use crate::support::skip::skip;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use wasl::api::{ApiConfig, router};
use wasl::runtime::places::Places;
use wasl::runtime::{files, listener};
use wasl::web::locale::Zone;

/// How `browser.mjs` says that it has nothing to run with.
const MISSING: i32 = 77;

/// Serves a stand-in's page on a port of loopback, until the sender says stop.
async fn serve(address: &str) -> (SocketAddr, watch::Sender<bool>) {
    let mut service = day();
    service.running = true;
    let config = ApiConfig { open: true, zone: Zone::named("Asia/Gaza").unwrap(), ..ApiConfig::default() };
    let socket = TcpListener::bind(address).await.unwrap();
    let (stop, stopping) = watch::channel(false);
    let bound = socket.local_addr().unwrap();
    let places = Places::within(files::allow_many(), Vec::new());
    tokio::spawn(listener::serve(socket, None, router(Arc::new(service), config), places, stopping));
    (bound, stop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_hold_in_a_browser() {
    let (address, stop) = serve("127.0.0.1:0").await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/browser.mjs");
    let pictures = concat!(env!("CARGO_TARGET_TMPDIR"), "/screenshots");
    let url = format!("http://{address}/");
    let message = stand_in::message_id().to_string();
    let run = tokio::task::spawn_blocking(move || {
        Command::new("node").args([script, &url, pictures]).env("WASL_MESSAGE", message).output()
    });
    match run.await.unwrap() {
        Ok(output) if output.status.code() == Some(MISSING) => {
            skip("browser", String::from_utf8_lossy(&output.stdout).trim());
        }
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
            println!("{told}screenshots in {pictures}");
            if told.contains("skipped: axe") {
                skip("browser: axe", "no axe-core: npm install --prefix .cache/npm axe-core");
            }
        }
        Err(_) => skip("browser", "no node: apt-get install --no-install-recommends nodejs"),
    }
    stop.send_replace(true);
}
