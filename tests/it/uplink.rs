//! Our own line is cut: nobody is accused of it, and what needs no internet carries the messages.
//!
//! The whole service as a process. The line is cut in three ways: everything beyond it refuses, everything falls
//! silent, and (as root) a network namespace whose cable to the world is pulled while the one to the SMSC stays. The
//! same story with the controls well is the counter-proof: then an outage is declared.

use crate::support::process::{Process, start_by, wasl_run, write};
use crate::support::skip::skip;
use crate::support::tables::{Table, file};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::sleep;
use wasl::emulator::control::{self, Controls, Off};
use wasl::emulator::{Common, Mix, TcpFault, smsc, telegram, whatsapp};

/// How long an outage takes to be declared here; the shipped 20 s would only make the test longer.
const DWELL: Duration = Duration::from_secs(3);
/// How long nobody must be accused: several times what it takes where the controls are well.
const LONG: Duration = Duration::from_secs(12);

const RULES: &str = r#"
[[rule]]
name = "all"
deadline = "1m"
confirm = "accepted"
  [[rule.step]]
  channels = ["whatsapp", "telegram"]
  wait = "5s"
  [[rule.step]]
  channels = ["sms"]
"#;

const PROBES: &str = r#"
[[probe]]
name = "web"
kind = "http"
adapter = "whatsapp-cloud"
interval = "1s"
url = "{base_url}/v23.0/"
expect.status = ["2xx", "3xx", "4xx"]

[[probe]]
name = "bot"
kind = "api"
adapter = "telegram-bot"
interval = "1s"
url = "{base_url}/bot{bot_token}/getMe"
expect.status = 200

[[probe]]
name = "port"
kind = "tcp"
adapter = "sms-smpp"
interval = "1s"
host = "{host}"
port = "{port}"
"#;

/// The world: two providers beyond our line, an SMSC on a line of its own, and places that judge our line.
struct World {
    folder: TempDir,
    whatsapp: whatsapp::Handle,
    telegram: telegram::Handle,
    smsc: smsc::Handle,
    controls: [Controls; 2],
}

impl World {
    /// Builds it: the SMSC at one address, the rest of the world at another, the service at a third.
    async fn new(internet: IpAddr, carrier: IpAddr, listen: SocketAddr) -> World {
        let at = |ip| Common { addr: SocketAddr::new(ip, 0), ..Common::default() };
        let whatsapp = whatsapp::start(whatsapp::Options { common: at(internet), ..Default::default() });
        let telegram = telegram::start(telegram::Options { common: at(internet), ..Default::default() });
        let smsc = smsc::start(smsc::Options { common: at(carrier), ..Default::default() });
        let world = World {
            folder: tempfile::tempdir().unwrap(),
            whatsapp: whatsapp.await.unwrap(),
            telegram: telegram.await.unwrap(),
            smsc: smsc.await.unwrap(),
            controls: [
                control::start(at(internet), at(internet)).await.unwrap(),
                control::start(at(internet), at(internet)).await.unwrap(),
            ],
        };
        write(world.folder.path(), "wasl.toml", &world.settings(listen));
        write(world.folder.path(), "policies/all.toml", RULES);
        write(world.folder.path(), "probes/quick.toml", PROBES);
        world
    }

    fn settings(&self, listen: SocketAddr) -> String {
        let [one, two] = &self.controls;
        let controls = [
            format!("dns:{}", one.names_addr()),
            format!("tcp:{}", one.page_addr()),
            format!("http://{}/", two.page_addr()),
        ];
        let (whatsapp, telegram) = (self.whatsapp.addr(), self.telegram.addr());
        file([
            Table::server().text("listen", listen).plain("plain_http", true),
            Table::store(),
            Table::new("[detection]").text("dwell", format_args!("{}s", DWELL.as_secs())),
            Table::new("[[uplink]]").text("name", "line").plain("controls", format_args!("{controls:?}")),
            Table::whatsapp("wa", format_args!("http://{whatsapp}")).known().domains(&["internet", "meta"]),
            Table::telegram("tg", format_args!("http://{telegram}"))
                .known()
                .domains(&["internet", "telegram"]),
            Table::sms("sms", self.smsc.addr()).known().domains(&["gsm"]),
        ])
    }

    /// Starts the service, and waits until it knows every gateway to be well.
    async fn serve(&self, command: Command) -> Process {
        let service = start_by(self.folder.path(), command).await;
        let well = |shown: &Value| all(&shown["gateways"], |gateway| gateway["state"] == "up");
        service.until("every gateway is up", "/v1/gateways", well).await;
        service
    }

    /// Makes the providers beyond the line fail so.
    fn lose_providers(&self, fault: TcpFault) {
        self.whatsapp.fault(whatsapp::Fault::Tcp(Mix::always(fault)));
        self.telegram.fault(telegram::Fault::Tcp(Mix::always(fault)));
    }
}

fn all(rows: &Value, holds: impl Fn(&Value) -> bool) -> bool {
    rows.as_array().is_some_and(|rows| !rows.is_empty() && rows.iter().all(holds))
}

/// The line, and how it is cut.
trait Line {
    fn cut(&mut self, world: &World);
    fn mend(&mut self, world: &World);
}

/// Everything beyond the line fails at once, at the far ends.
struct FarEnds(TcpFault, Off);

impl Line for FarEnds {
    fn cut(&mut self, world: &World) {
        world.controls.iter().for_each(|controls| controls.off(self.1));
        world.lose_providers(self.0);
    }

    fn mend(&mut self, world: &World) {
        world.controls.iter().for_each(Controls::on);
        world.whatsapp.clear();
        world.telegram.clear();
    }
}

/// Sends a message to somebody who can be reached by each of the channels, and tells which one it took.
async fn channel_of_one_message(service: &Process) -> String {
    let message = json!({
        "severity": "extreme", "text": {"ar": "السيل يقترب", "en": "Flood"},
        "to": [{"whatsapp": "+970599000001", "telegram": "81234567", "sms": "+970599000001"}],
    });
    let id = service.send(&message).await;
    let story = service.settled(&id).await;
    assert_eq!(story["attempts"].as_array().unwrap().last().unwrap()["outcome"], "accepted", "{story:#}");
    story["settled"]["channel"].as_str().unwrap().to_owned()
}

/// Returns what was ever declared to be down, but our own line.
async fn accused(service: &Process) -> Vec<Value> {
    let shown = service.get("/v1/outages").await["outages"].clone();
    shown.as_array().unwrap().iter().filter(|outage| outage["of"]["uplink"].is_null()).cloned().collect()
}

fn has(metrics: &str, line: &str) -> bool {
    metrics.lines().any(|known| known == line)
}

/// The story that each way of cutting the line must tell.
async fn our_line_is_cut(world: &World, service: Process, line: &mut dyn Line) {
    assert_ne!(channel_of_one_message(&service).await, "sms", "the first step's channels work");
    let known = |status: &Value| status["uplinks"][0]["up"].clone();

    line.cut(world);
    let began = Instant::now();
    let mut carried = 0;
    while began.elapsed() < LONG || known(&service.get("/v1/status").await) == json!(true) {
        assert_eq!(channel_of_one_message(&service).await, "sms", "it needs no internet");
        assert_eq!(accused(&service).await, [] as [Value; 0], "nobody is accused of our own line");
        let waited = began.elapsed();
        assert!(waited < Duration::from_secs(60), "the line is not judged down: {}", service.said());
        carried += 1;
        sleep(Duration::from_millis(200)).await;
    }
    assert!(carried > 2, "a stream, not a message");
    let metrics = service.text("/metrics").await;
    assert!(has(&metrics, r#"wasl_uplink_up{uplink="line"} 0"#), "{metrics}");
    assert!(has(&metrics, "wasl_outages_total 1"), "the line's own outage, and no other: {metrics}");
    assert!(!metrics.contains("wasl_outage_active{"), "{metrics}");
    let down = |gateway: &Value| gateway["state"] == "down";
    assert!(!all(&service.get("/v1/gateways").await["gateways"], down));
    assert!(!metrics.lines().any(|l| l.contains(r#"state="down""#) && l.ends_with(" 1")), "{metrics}");
    let page = service.text("/?lang=en").await;
    assert!(page.contains("line"), "the page names it");

    line.mend(world);
    let back = service.until("the line is back", "/v1/status", |status| known(status) == json!(true)).await;
    let well = |shown: &Value| all(&shown["gateways"], |gateway| gateway["state"] == "up");
    service.until("the gateways are up again", "/v1/gateways", well).await;
    assert_ne!(channel_of_one_message(&service).await, "sms", "by the internet again: {back:#}");
    assert_eq!(accused(&service).await, [] as [Value; 0], "nor afterwards");
    let outages = service.get("/v1/outages").await["outages"].clone();
    assert!(all(&outages, |outage| outage["recovered"].is_string()), "{outages:#}");
    let metrics = service.text("/metrics").await;
    assert!(has(&metrics, r#"wasl_uplink_up{uplink="line"} 1"#), "{metrics}");
    assert!(has(&metrics, "wasl_outages_total 1"), "{metrics}");
    service.stop().await;
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn with_far_ends(fault: TcpFault, off: Off) {
    let world = World::new(HERE, HERE, SocketAddr::new(HERE, 0)).await;
    let service = world.serve(wasl_run()).await;
    our_line_is_cut(&world, service, &mut FarEnds(fault, off)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_at_which_everything_refuses_accuses_nobody() {
    with_far_ends(TcpFault::Refuse, Off::Refused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_at_which_everything_falls_silent_accuses_nobody() {
    with_far_ends(TcpFault::Hang, Off::Silent).await;
}

/// The worst of it: gateways are refused at once, as by a router that has lost its line, while the controls hang.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn controls_that_hang_are_heard_before_gateways_that_are_refused_at_once() {
    with_far_ends(TcpFault::Refuse, Off::Silent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_controls_well_the_gateways_are_accused() {
    let world = World::new(HERE, HERE, SocketAddr::new(HERE, 0)).await;
    let service = world.serve(wasl_run()).await;
    world.lose_providers(TcpFault::Refuse);
    let both = |shown: &Value| shown["outages"].as_array().is_some_and(|outages| outages.len() == 2);
    let outages = service.until("both are accused", "/v1/outages", both).await["outages"].clone();
    assert!(all(&outages, |outage| outage["cause"] == "tcp_refused"), "{outages:#}");
    assert_eq!(service.get("/v1/status").await["uplinks"][0]["up"], true);
    assert_eq!(channel_of_one_message(&service).await, "sms");
    let metrics = service.text("/metrics").await;
    assert!(has(&metrics, r#"wasl_uplink_up{uplink="line"} 1"#), "{metrics}");
    for gateway in ["wa", "tg"] {
        let active =
            |l: &str| l.starts_with("wasl_outage_active{") && l.contains(gateway) && l.ends_with(" 1");
        assert!(metrics.lines().any(active), "{gateway}: {metrics}");
    }
    service.stop().await;
}

// === A cable to pull ===

/// A network namespace with two cables: one to the world, one to the SMSC. It goes with whoever lives in it.
struct Namespace {
    holder: Child,
    /// The near ends of the cables.
    world: (String, Ipv4Addr),
    carrier: (String, Ipv4Addr),
}

fn run(words: &[&str]) -> Result<(), String> {
    let out = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output();
    let out = out.map_err(|error| format!("{}: {error}", words[0]))?;
    match out.status.success() {
        true => Ok(()),
        false => Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&out.stderr).trim())),
    }
}

impl Namespace {
    /// Makes one, or says why this machine does not let us.
    fn new() -> Result<Namespace, String> {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "sleep", "600"]).stdin(Stdio::null()).stderr(Stdio::null());
        let holder = unshare.spawn().map_err(|error| format!("unshare: {error}"))?;
        // Cites: RFC 2544, 198.18.0.0/15 is for tests and routed nowhere.
        let id = holder.id();
        let [high, low] = ((id % 16_000) as u16 * 4).to_be_bytes();
        let end = |net: u8| Ipv4Addr::new(198, net, high, low + 1);
        let made = Namespace {
            holder,
            world: (format!("wasl-w{}", id % 10_000_000), end(18)),
            carrier: (format!("wasl-c{}", id % 10_000_000), end(19)),
        };
        made.wait_until_apart()?;
        for (name, near) in [&made.world, &made.carrier] {
            made.lay(name, *near)?;
        }
        Ok(made)
    }

    fn wait_until_apart(&self) -> Result<(), String> {
        let of = |id: &str| std::fs::read_link(format!("/proc/{id}/ns/net")).ok();
        let (ours, began) = (of("self"), Instant::now());
        while of(&self.id()).is_none_or(|theirs| Some(theirs) == ours) {
            if began.elapsed() > Duration::from_secs(5) {
                return Err("unshare: no network namespace can be made here".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Lays a cable: our end, and theirs one address further.
    fn lay(&self, name: &str, near: Ipv4Addr) -> Result<(), String> {
        let (id, far) = (self.id(), self.far(near));
        let theirs = &format!("{name}p")["wasl-".len()..];
        run(&["ip", "link", "add", name, "type", "veth", "peer", "name", theirs, "netns", &id])?;
        run(&["ip", "addr", "add", &format!("{near}/30"), "dev", name])?;
        run(&["ip", "link", "set", name, "up"])?;
        let inside = ["nsenter", "--net", "--target", &id, "ip"];
        run(&[&inside[..], &["addr", "add", &format!("{far}/30"), "dev", theirs]].concat())?;
        run(&[&inside[..], &["link", "set", theirs, "up"]].concat())
    }

    fn id(&self) -> String {
        self.holder.id().to_string()
    }

    fn far(&self, near: Ipv4Addr) -> Ipv4Addr {
        Ipv4Addr::from_bits(near.to_bits() + 1)
    }

    /// Returns the command that runs the service inside.
    fn inside(&self) -> Command {
        let inner = wasl_run();
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.id()]).arg(inner.get_program()).args(inner.get_args());
        command
    }
}

impl Line for Namespace {
    fn cut(&mut self, _: &World) {
        run(&["ip", "link", "set", &self.world.0, "down"]).unwrap();
    }

    fn mend(&mut self, _: &World) {
        run(&["ip", "link", "set", &self.world.0, "up"]).unwrap();
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The cables go with the last process inside.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pulled_cable_accuses_nobody() {
    let mut namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(why) => {
            let remedy = "needs root and a network namespace: apt-get install iproute2 util-linux";
            return skip("uplink::a_pulled_cable_accuses_nobody", &format!("{why}; {remedy}"));
        }
    };
    let (internet, carrier) = (namespace.world.1, namespace.carrier.1);
    let listen = SocketAddr::new(namespace.far(carrier).into(), 8080);
    let world = World::new(internet.into(), carrier.into(), listen).await;
    let service = world.serve(namespace.inside()).await;
    our_line_is_cut(&world, service, &mut namespace).await;
}
