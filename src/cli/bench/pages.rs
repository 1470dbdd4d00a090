//! The pages: the first one with two hundred gateways and a million deliveries in the store; how soon an
//! event is on it; what a hundred open pages take at ten events a second.

use super::gauge::{cpu_secs, quantile, resident_mib};
use super::house::House;
use super::null::accept;
use super::{Figure, Skipped};
use crate::api::service::Service;
use crate::core::channel::{Channel, GatewayId};
use crate::core::input::Command;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const GATEWAYS: usize = 200;
const PEOPLE: usize = 100_000;
const MESSAGES: usize = 10;
const PAGES: usize = 100;
/// How often the first page is asked for.
const LOADS: usize = 20;
/// How many events are waited for on a page.
const EVENTS: usize = 20;
/// How the panel begins on which each event is seen.
const PANEL: &str = "id=\"happened\"";
/// Between two events: ten a second.
const EVENT_EVERY: Duration = Duration::from_millis(100);
const WATCH: Duration = Duration::from_secs(20);
/// What starting and opening takes is over by then.
const SETTLE: Duration = Duration::from_secs(5);
/// Longer than this is not worth waiting for.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    runtime.block_on(async {
        let (place, host) = host().await.map_err(|e| e.to_string())?;
        let house = House::open(&[place; GATEWAYS], "15s").await?;
        let service = house.site.service();
        fill(&service).await?;
        let (kib, mut loads) = first_page(house.site.address()).await?;
        let mut seen = events(&service, house.site.address()).await?;
        let (share, grown) = crowd(&service, house.site.address()).await?;
        house.close().await?;
        host.abort();
        let plain = |name, value, unit, target| Figure { name, value, unit, yardstick: None, target };
        Ok(vec![
            plain("first page, 200 gateways, 1,000,000 deliveries: size", kib, "kB", "below 100"),
            plain("first page, p95", quantile(&mut loads, 0.95), "ms", "below 50"),
            plain("an event on the page, p95", quantile(&mut seen, 0.95), "ms", "within 500"),
            plain("100 open pages, 10 events/s: processor", share, "% of a core", "at most 10"),
            plain("100 open pages, 10 events/s: growth", grown, "MiB", "at most 50"),
        ])
    })
}

/// Lets a million deliveries wait: everything is held.
async fn fill(service: &Arc<dyn Service>) -> Result<(), String> {
    let hold = Command::Hold { gateway: None, reason: "bench".into() };
    service.command("bench".into(), hold).await.map_err(|e| e.to_string())?;
    for _ in 0..MESSAGES {
        let mut message = super::null::message(PEOPLE);
        for person in &mut message.recipients {
            let number = person.addresses.values().next().cloned().unwrap_or_default();
            person.addresses = [(Channel::Telegram, number.trim_start_matches('+').to_owned())].into();
        }
        accept(service, message).await?;
    }
    let mut turn = 0;
    let laid_out = async {
        loop {
            let view = service.next_view(turn).await;
            turn = view.turn;
            if view.deliveries.materialising == 0 {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, laid_out).await.map_err(|_| "the million is not laid out".to_owned())?;
    tokio::time::sleep(SETTLE).await;
    Ok(())
}

/// Returns the page's size in kilobytes and how long each load took, in milliseconds.
async fn first_page(address: SocketAddr) -> Result<(f64, Vec<f64>), String> {
    let (mut kib, mut loads) = (0.0, Vec::new());
    for _ in 0..LOADS {
        // Longer than a rendering is kept: each load is a first one.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let began = Instant::now();
        let mut stream = ask(address, "/", "close").await?;
        let mut page = Vec::new();
        stream.read_to_end(&mut page).await.map_err(|e| e.to_string())?;
        loads.push(began.elapsed().as_secs_f64() * 1_000.0);
        kib = page.len() as f64 / 1_000.0;
    }
    Ok((kib, loads))
}

async fn ask(address: SocketAddr, path: &str, connection: &str) -> Result<TcpStream, String> {
    let mut stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: {connection}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|e| e.to_string())?;
    Ok(stream)
}

/// Holds and releases a gateway by turns.
async fn stop_or_go(service: &Arc<dyn Service>, number: usize) -> Result<(), String> {
    let (gateway, reason) = (Some(GatewayId(0)), "bench".to_owned());
    let command = match number.is_multiple_of(2) {
        true => Command::Hold { gateway, reason },
        false => Command::Release { gateway, reason },
    };
    service.command("bench".into(), command).await.map(drop).map_err(|e| e.to_string())
}

/// Returns how long after its cause each event was on a page, in milliseconds.
async fn events(service: &Arc<dyn Service>, address: SocketAddr) -> Result<Vec<f64>, String> {
    let mut stream = ask(address, "/feed?of=/", "keep-alive").await?;
    let (told, mut tells) = watch::channel(0_usize);
    let reading = tokio::spawn(async move {
        let (mut bytes, mut heard) = (vec![0; 64 * 1024], String::new());
        while let Ok(read @ 1..) = stream.read(&mut bytes).await {
            heard.push_str(&String::from_utf8_lossy(&bytes[..read]));
            // The panel of what happened begins anew with each hold and release. What it ends with may be cut in two.
            if heard.contains(PANEL) {
                told.send_modify(|seen| *seen += 1);
                heard.clear();
            }
            let rest = heard.char_indices().rev().nth(PANEL.len()).map_or(0, |(at, _)| at);
            heard.drain(..rest);
        }
    });
    tokio::time::sleep(SETTLE).await;
    let mut times = Vec::new();
    for number in 0..EVENTS {
        tells.borrow_and_update();
        let began = Instant::now();
        stop_or_go(service, number).await?;
        let changed = tokio::time::timeout(PATIENCE, tells.changed()).await;
        changed.map_err(|_| "an event does not come to the page".to_owned())?.map_err(|e| e.to_string())?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        // Each at another place of the rendering's quarter of a second.
        tokio::time::sleep(Duration::from_millis(700 + 37 * number as u64)).await;
    }
    reading.abort();
    Ok(times)
}

/// Returns what a hundred pages take beside what the events take without them: the share of a core in hundredths, and
/// MiB. Those who read are in this process, and are counted with it.
async fn crowd(service: &Arc<dyn Service>, address: SocketAddr) -> Result<(f64, f64), String> {
    let (alone, _) = busy(service).await?;
    let before = resident_mib();
    let mut readers: Vec<JoinHandle<()>> = Vec::new();
    for number in 0..PAGES {
        let lang = if number.is_multiple_of(2) { "en" } else { "ar" };
        let mut stream = ask(address, &format!("/feed?lang={lang}&of=/"), "keep-alive").await?;
        readers.push(tokio::spawn(async move {
            let mut bytes = vec![0; 16 * 1024];
            while let Ok(1..) = stream.read(&mut bytes).await {}
        }));
    }
    tokio::time::sleep(SETTLE).await;
    let (watched, resident) = busy(service).await?;
    readers.iter().for_each(|reader| reader.abort());
    Ok((watched - alone, resident - before))
}

/// Makes ten events a second for a while. Returns the share of a core, in hundredths, and the resident size then.
async fn busy(service: &Arc<dyn Service>) -> Result<(f64, f64), String> {
    let (began, before) = (Instant::now(), cpu_secs());
    let mut beat = tokio::time::interval(EVENT_EVERY);
    let mut number = 0;
    while began.elapsed() < WATCH {
        beat.tick().await;
        stop_or_go(service, number).await?;
        number += 1;
    }
    let share = (cpu_secs() - before) / began.elapsed().as_secs_f64() * 100.0;
    Ok((share, resident_mib()))
}

/// Serves an empty page to the probes until stopped.
async fn host() -> std::io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let place = listener.local_addr()?;
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // A request fits one read, and who asks closes.
            let mut request = [0; 1024];
            if stream.read(&mut request).await.is_ok() {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(answer).await;
            }
        }
    });
    Ok((place, serving))
}
