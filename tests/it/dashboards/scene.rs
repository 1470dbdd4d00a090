//! A real run with everything in it that a query may name: messages, a failover, receipts, a refused webhook, an outage.

use crate::support::process::{Process, start_by, wasl_run, write};
use crate::support::tables::{Table, file};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::sleep;
use wasl::emulator::control::{self, Controls};
use wasl::emulator::{Common, Mix, TcpFault, smsc, whatsapp};

const RULES: &str = r#"
[[rule]]
name = "all"
deadline = "1m"
  [[rule.step]]
  channels = ["whatsapp"]
  wait = "1s"
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
name = "port"
kind = "tcp"
adapter = "sms-smpp"
interval = "1s"
host = "{host}"
port = "{port}"
"#;

/// Between two messages: a counter must move between two scrapes.
const PAUSE: Duration = Duration::from_millis(400);

/// The service and its providers.
pub struct Scene {
    pub service: Process,
    whatsapp: whatsapp::Handle,
    _smsc: smsc::Handle,
    _controls: Controls,
    _folder: TempDir,
}

impl Scene {
    /// Starts it, and waits until every gateway is known to be well.
    pub async fn start() -> Scene {
        let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let at = || Common { addr: here, ..Common::default() };
        let whatsapp =
            whatsapp::start(whatsapp::Options { common: at(), ..Default::default() }).await.unwrap();
        let smsc = smsc::start(smsc::Options { common: at(), ..Default::default() }).await.unwrap();
        let controls = control::start(at(), at()).await.unwrap();
        let page = controls.page_addr();
        let asked =
            [format!("dns:{}", controls.names_addr()), format!("tcp:{page}"), format!("http://{page}/")];
        let settings = file([
            Table::server().text("listen", here).plain("plain_http", true),
            Table::store(),
            Table::new("[detection]").text("dwell", "1s"),
            Table::new("[[uplink]]").text("name", "line").plain("controls", format_args!("{asked:?}")),
            Table::whatsapp("wa", format_args!("http://{}", whatsapp.addr()))
                .known()
                .domains(&["internet", "meta"])
                .plain("quota", r#"["10000 recipients/24h"]"#),
            Table::sms("sms", smsc.addr()).known().domains(&["gsm"]),
        ]);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "wasl.toml", &settings);
        write(folder.path(), "policies/all.toml", RULES);
        write(folder.path(), "probes/quick.toml", PROBES);
        let service = start_by(folder.path(), wasl_run()).await;
        let well = |shown: &serde_json::Value| {
            shown["gateways"].as_array().is_some_and(|all| all.iter().all(|gateway| gateway["state"] == "up"))
        };
        service.until("every gateway is up", "/v1/gateways", well).await;
        Scene { service, whatsapp, _smsc: smsc, _controls: controls, _folder: folder }
    }

    /// Sends messages for as long as it is polled. After some by WhatsApp, its provider refuses every connection.
    pub async fn play(&self) -> std::convert::Infallible {
        let forged =
            self.service.call("POST", "/hooks/wa", &[("content-type", "application/json")], b"{}".to_vec());
        assert_eq!(forged.await.status, 403, "a call that nobody signed is refused");
        for _ in 0..3 {
            self.send().await;
        }
        self.whatsapp.fault(whatsapp::Fault::Tcp(Mix::always(TcpFault::Refuse)));
        loop {
            self.send().await;
            sleep(PAUSE).await;
        }
    }

    async fn send(&self) {
        let to = json!({"whatsapp": "+970599000001", "sms": "+970599000001"});
        let text = json!({"ar": "السيل يقترب", "en": "Flood"});
        self.service.send(&json!({"severity": "severe", "text": text, "to": [to]})).await;
    }
}
