//! Figure e: started again with 100,000 deliveries waiting, until the first is sent.

use super::null::{Null, accept, gateway, message, start};
use super::{Figure, Skipped};
use crate::core::channel::Channel;
use crate::core::input::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const PEOPLE: usize = 100_000;
/// Longer than this is not worth waiting for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    runtime.block_on(async {
        let folder = super::mass::folder()?;
        let null = Arc::new(Null::default());
        let running = start(vec![gateway(Channel::Whatsapp, &null)], folder.path())?;
        let service = running.service();
        let hold = |gateway| Command::Hold { gateway, reason: "bench".into() };
        service.command("bench".into(), hold(None)).await.map_err(|e| e.to_string())?;
        accept(&service, message(PEOPLE)).await?;
        drop(service);
        running.stop().await.map_err(|fatal| fatal.to_string())?;

        let null = Arc::new(Null::default());
        let began = Instant::now();
        let running = start(vec![gateway(Channel::Whatsapp, &null)], folder.path())?;
        let release = Command::Release { gateway: None, reason: "bench".into() };
        running.service().command("bench".into(), release).await.map_err(|e| e.to_string())?;
        while null.sent.load(Ordering::Relaxed) == 0 {
            if began.elapsed() > PATIENCE {
                return Err("nothing was sent within a minute".into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let value = began.elapsed().as_secs_f64();
        running.stop().await.map_err(|fatal| fatal.to_string())?;
        let name = "restart with 100,000 waiting: until the first is sent";
        Ok(vec![Figure { name, value, unit: "s", yardstick: None, target: "at most 2" }])
    })
}
