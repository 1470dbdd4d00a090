//! Figure d, first part: what a service takes that has nothing to do but to watch twelve gateways.

use super::gauge::{cpu_secs, resident_mib};
use super::house::House;
use super::served::Served;
use super::{Figure, Skipped};
use std::time::{Duration, Instant};

const GATEWAYS: usize = 12;
/// What starting takes is over by then.
const SETTLE: Duration = Duration::from_secs(5);
/// Two rounds of probes.
const WATCH: Duration = Duration::from_secs(30);

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    let folder = super::mass::folder()?;
    let nginx = Served::nginx(folder.path())?;
    let (share, resident) = runtime.block_on(async {
        let house = House::open(&[nginx.address(); GATEWAYS], "15s").await?;
        tokio::time::sleep(SETTLE).await;
        let (began, before) = (Instant::now(), cpu_secs());
        tokio::time::sleep(WATCH).await;
        let share = (cpu_secs() - before) / began.elapsed().as_secs_f64() * 100.0;
        let resident = resident_mib();
        house.close().await?;
        Ok::<_, String>((share, resident))
    })?;
    let plain = |name, value, unit, target| Figure { name, value, unit, yardstick: None, target };
    Ok(vec![
        plain("idle, 12 gateways probed each 15 s: resident", resident, "MiB", "at most 40"),
        plain("idle, 12 gateways probed each 15 s: processor", share, "% of a core", "at most 1"),
    ])
}
