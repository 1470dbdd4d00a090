//! Figure d, last part: from the moment at which a gateway's host refuses connections until the gateway is in doubt, with
//! probes of one second and no traffic.

use super::gauge::quantile;
use super::house::House;
use super::{Figure, Skipped};
use crate::core::view::State;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How many gateways are refused, one after another.
const GATEWAYS: usize = 24;
/// Longer than this is not worth waiting for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the picture is looked at; a change of state is drawn at once.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Between two refusals, so that they fall on every part of the probes' second.
const PAUSE: Duration = Duration::from_millis(137);

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    let mut times = runtime.block_on(refuse_each())?;
    let figure = |name, value, target| Figure { name, value, unit: "s", yardstick: None, target };
    Ok(vec![
        figure("1 s probes, refusal -> in doubt, median", quantile(&mut times, 0.5), "at most 1.1"),
        figure("1 s probes, refusal -> in doubt, p99", quantile(&mut times, 0.99), "no target"),
    ])
}

async fn refuse_each() -> Result<Vec<f64>, String> {
    let mut hosts = Vec::new();
    for _ in 0..GATEWAYS {
        hosts.push(host().await.map_err(|e| e.to_string())?);
    }
    let places: Vec<SocketAddr> = hosts.iter().map(|(place, _)| *place).collect();
    let house = House::open(&places, "1s").await?;
    for number in 0..GATEWAYS {
        until(&house, number, |state| state == State::Up).await?;
    }
    let mut times = Vec::new();
    for (number, (_, serving)) in hosts.into_iter().enumerate() {
        tokio::time::sleep(PAUSE).await;
        serving.abort();
        // Once the task has ended its listener is closed.
        let _ = serving.await;
        let refused = Instant::now();
        until(&house, number, |state| state != State::Up).await?;
        times.push(refused.elapsed().as_secs_f64());
    }
    house.close().await?;
    Ok(times)
}

/// Waits until a gateway's state is as wanted.
async fn until(house: &House, number: usize, wanted: impl Fn(State) -> bool) -> Result<(), String> {
    let (service, name) = (house.site.service(), format!("gateway-{number}"));
    let seen = async {
        while !service.view().gateways.iter().any(|gateway| gateway.name == name && wanted(gateway.state)) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.map_err(|_| format!("{name} does not change its state"))
}

/// Serves an empty page until stopped.
async fn host() -> std::io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let place = listener.local_addr()?;
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // A request fits one read, and who asks closes.
            let mut request = [0; 1024];
            if stream.read(&mut request).await.is_ok() {
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .await;
            }
        }
    });
    Ok((place, serving))
}
