//! Figure b, first half: messages over HTTP, each 202 on disk, beside bare nginx that answers the same POST with 200. In
//! turns, by wrk, over kept-alive connections.
//!
//! Intake is measured alone, as its yardstick is: the gateway is held, and what is taken waits. The figure that follows it
//! has the same messages sent on, each with an attempt and its end on disk, on the processors that wrk and intake share.

use super::null::{Null, gateway, start};
use super::served::Served;
use super::{Figure, Skipped};
use crate::api::{ApiConfig, router};
use crate::core::channel::Channel;
use crate::runtime::Running;
use crate::runtime::files;
use crate::runtime::listener::serve;
use crate::runtime::places::Places;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long wrk runs each time, in seconds.
const SECS: u32 = 4;
/// How many turns each side gets.
const TURNS: usize = 5;
const BODY: &str = r#"{"severity":"severe","to":[{"whatsapp":"+970599000001","sms":"+970599000001","language":"ar"}],"text":{"ar":"غادروا الآن نحو المدرسة","en":"Leave now for the school"}}"#;

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Result<Vec<Figure>, Skipped> {
    if Command::new("wrk").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return Err("needs wrk: apt-get install --no-install-recommends wrk".into());
    }
    let folder = super::mass::folder()?;
    let script = folder.path().join("post.lua");
    let lua = format!(
        "wrk.method = \"POST\"\nwrk.body = [==[{BODY}]==]\nwrk.headers[\"Content-Type\"] = \"application/json\"\n"
    );
    std::fs::write(&script, lua).map_err(|e| e.to_string())?;
    let nginx = Served::nginx(folder.path())?;

    let alone = House::open(runtime, folder.path(), true)?;
    let (mut ours, mut theirs) = (0.0, 0.0);
    for _ in 0..TURNS {
        theirs += wrk(&nginx.url(), 64, &script)?.rate / TURNS as f64;
        ours += wrk(&alone.url, 64, &script)?.rate / TURNS as f64;
    }
    alone.close(runtime)?;
    let sending = House::open(runtime, folder.path(), false)?;
    let sent = wrk(&sending.url, 64, &script)?;
    let many = wrk(&sending.url, 256, &script)?;
    sending.close(runtime)?;
    let beside = Some(("nginx return 200", theirs));
    let figure = |name, value, unit, yardstick, target| Figure { name, value, unit, yardstick, target };
    Ok(vec![
        figure("intake, 64 connections", ours, "messages/s", beside, "at least 0.25"),
        figure("intake, 64 connections, and sent on", sent.rate, "messages/s", beside, "no target"),
        figure(
            "intake, 256 connections, and sent on: p99",
            many.p99_ms,
            "ms",
            Some(("its mean", many.mean_ms)),
            "at most 4",
        ),
        figure("intake, 256 connections, and sent on: refused", many.errors as f64, "", None, "none"),
    ])
}

/// The service behind its interface, with a null gateway.
struct House {
    running: Running,
    stop: watch::Sender<bool>,
    url: String,
}

impl House {
    fn open(runtime: &tokio::runtime::Runtime, folder: &Path, held: bool) -> Result<House, String> {
        runtime.block_on(async {
            let folder = folder.join(if held { "held" } else { "sending" });
            std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
            let running = start(vec![gateway(Channel::Whatsapp, &Arc::new(Null::default()))], &folder)?;
            if held {
                let hold = crate::core::input::Command::Hold { gateway: None, reason: "bench".into() };
                running.service().command("bench".into(), hold).await.map_err(|e| e.to_string())?;
            }
            let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
            let address = listener.local_addr().map_err(|e| e.to_string())?;
            let config = ApiConfig { open: true, ..ApiConfig::default() };
            let (stop, stopped) = watch::channel(false);
            let places = Places::within(files::allow_many(), Vec::new());
            tokio::spawn(serve(listener, None, router(running.service(), config), places, stopped));
            Ok(House { running, stop, url: format!("http://{address}/v1/messages") })
        })
    }

    fn close(self, runtime: &tokio::runtime::Runtime) -> Result<(), String> {
        self.stop.send_replace(true);
        runtime.block_on(self.running.stop()).map_err(|fatal| fatal.to_string())
    }
}

struct Measured {
    rate: f64,
    mean_ms: f64,
    p99_ms: f64,
    errors: u64,
}

fn wrk(url: &str, connections: u32, script: &Path) -> Result<Measured, String> {
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{connections}"), &format!("-d{SECS}s"), "--latency", "-s"])
        .arg(script)
        .arg(url)
        .output()
        .map_err(|e| format!("wrk: {e}"))?;
    read(&String::from_utf8_lossy(&output.stdout))
}

/// Reads wrk's own words.
fn read(text: &str) -> Result<Measured, String> {
    let field = |start: &str, place: usize| {
        let line = text.lines().find(|line| line.trim_start().starts_with(start))?;
        line.split_whitespace().nth(place).map(str::to_owned)
    };
    let rate =
        field("Requests/sec:", 1).and_then(|r| r.parse().ok()).ok_or_else(|| format!("wrk said: {text}"))?;
    let time = |t: Option<String>| t.as_deref().and_then(millis).unwrap_or(f64::NAN);
    let errors = field("Non-2xx", 4).and_then(|n| n.parse().ok()).unwrap_or(0);
    Ok(Measured { rate, mean_ms: time(field("Latency", 1)), p99_ms: time(field("99%", 1)), errors })
}

/// Reads `1.20ms`, `350.00us` or `1.01s`.
fn millis(text: &str) -> Option<f64> {
    let cut = text.find(|c: char| c.is_alphabetic())?;
    let number: f64 = text[..cut].parse().ok()?;
    match &text[cut..] {
        "us" => Some(number / 1000.0),
        "ms" => Some(number),
        "s" => Some(number * 1000.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_read() {
        let text = "  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     1.20ms  300.00us   9.00ms   80.00%\n  \
                    Latency Distribution\n     50%    1.10ms\n     99%    3.30ms\n  Non-2xx or 3xx responses: 7\n\
                    Requests/sec:  25001.50\n";
        let read = read(text).unwrap();
        assert_eq!((read.rate, read.mean_ms, read.p99_ms, read.errors), (25_001.5, 1.2, 3.3, 7));
        assert_eq!(millis("350.00us"), Some(0.35));
    }
}
