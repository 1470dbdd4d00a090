//! Figure c: a message to 100,000 people, and a million deliveries waiting.

use super::gauge::resident_mib;
use super::null::{Null, accept, drained, gateway, message, start};
use super::{Figure, Skipped};
use crate::core::channel::Channel;
use crate::core::input::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PEOPLE: usize = 100_000;
const MESSAGES: usize = 10;
/// The allocator gives memory back a little later than it is freed.
const CALM: Duration = Duration::from_secs(2);

/// A folder of our own, which goes when it is dropped.
pub(super) struct Folder(std::path::PathBuf);

impl Folder {
    pub(super) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is in the system's temporary folder.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Makes a folder in the system's temporary folder.
pub(super) fn folder() -> Result<Folder, String> {
    static LAST: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = LAST.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("wasl-bench-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(Folder(path))
}

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    runtime.block_on(async {
        let (accepted, rate) = one_alert().await?;
        let (grown, left) = a_million().await?;
        let plain = |name, value, unit, target| Figure { name, value, unit, yardstick: None, target };
        Ok(vec![
            plain("a message to 100,000: until 202", accepted, "s", "at most 2"),
            plain("a message to 100,000: drained", rate, "deliveries/s", "at least 20000"),
            plain("1,000,000 waiting: growth", grown, "MiB", "at most 200"),
            plain("1,000,000 settled: over the start", left, "%", "at most 20"),
        ])
    })
}

async fn one_alert() -> Result<(f64, f64), String> {
    let folder = folder()?;
    let null = Arc::new(Null::default());
    let running = start(vec![gateway(Channel::Whatsapp, &null)], folder.path())?;
    let service = running.service();
    let alert = message(PEOPLE);
    let began = Instant::now();
    accept(&service, alert).await?;
    let accepted = began.elapsed().as_secs_f64();
    drained(&service, 300).await?;
    let rate = PEOPLE as f64 / began.elapsed().as_secs_f64();
    running.stop().await.map_err(|fatal| fatal.to_string())?;
    Ok((accepted, rate))
}

async fn a_million() -> Result<(f64, f64), String> {
    let folder = folder()?;
    let null = Arc::new(Null::default());
    let running = start(vec![gateway(Channel::Whatsapp, &null)], folder.path())?;
    let service = running.service();
    // An alert first, so that the store's cache and what else every service fills once is not counted as growth.
    accept(&service, message(PEOPLE)).await?;
    drained(&service, 60).await?;
    tokio::time::sleep(CALM).await;
    let hold = Command::Hold { gateway: None, reason: "bench".into() };
    service.command("bench".into(), hold).await.map_err(|e| e.to_string())?;
    let before = resident_mib();
    for _ in 0..MESSAGES {
        accept(&service, message(PEOPLE)).await?;
    }
    let mut turn = 0;
    loop {
        let view = service.next_view(turn).await;
        turn = view.turn;
        if view.deliveries.materialising == 0 {
            break;
        }
    }
    tokio::time::sleep(CALM).await;
    let grown = resident_mib() - before;
    let release = Command::Release { gateway: None, reason: "bench".into() };
    service.command("bench".into(), release).await.map_err(|e| e.to_string())?;
    drained(&service, 600).await?;
    tokio::time::sleep(CALM).await;
    let left = (resident_mib() - before) / before * 100.0;
    running.stop().await.map_err(|fatal| fatal.to_string())?;
    Ok((grown, left))
}
