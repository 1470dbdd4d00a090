//! Canaries to a real provider's words: one that takes everything and delivers nothing is found before anybody sends.

use crate::support::process::{Process, start_by, wasl_run, write};
use crate::support::tables::{Table, file};
use serde_json::{Value, json};
use wasl::emulator::{DeliverFault, Mix, whatsapp};

const RULES: &str = r#"
[[rule]]
name = "all"
deadline = "2m"
  [[rule.step]]
  channels = ["whatsapp"]
  wait = "20s"
"#;

/// The least pace that is allowed: the test would only take longer.
const CANARY: &str = r#"[{ to = "+970599000009", region = "gaza", every = "5s", in_doubt = "5s" }]"#;

fn canary(gateways: &Value) -> &Value {
    &gateways["gateways"][0]["canaries"][0]
}

fn open_outages(shown: &Value) -> Vec<&Value> {
    let all = shown["outages"].as_array().expect("a list");
    all.iter().filter(|outage| outage["recovered"].is_null()).collect()
}

async fn service(provider: &whatsapp::Handle, folder: &std::path::Path) -> Process {
    let settings = file([
        Table::server().text("listen", "127.0.0.1:0").plain("plain_http", true),
        Table::store(),
        Table::new("[detection]").text("dwell", "3s"),
        Table::whatsapp("wa", format_args!("http://{}", provider.addr())).known().plain("canary", CANARY),
    ]);
    write(folder, "wasl.toml", &settings);
    write(folder, "policies/all.toml", RULES);
    let service = start_by(folder, wasl_run()).await;
    provider.set_callback(Some(&format!("{}/hooks/wa", service.base())));
    service
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_takes_all_and_delivers_nothing_is_found_before_anybody_sends() {
    let folder = tempfile::tempdir().unwrap();
    let provider = whatsapp::start(whatsapp::Options::default()).await.unwrap();
    let service = service(&provider, folder.path()).await;
    let arrives = |shown: &Value| canary(shown)["result"] == "delivered";
    let shown = service.until("a canary arrives", "/v1/gateways", arrives).await;
    assert_eq!(canary(&shown)["region"], "gaza", "{shown:#}");
    assert!(canary(&shown)["lag_ms"].is_u64(), "{shown:#}");

    // Every check stays green: the provider answers, takes, and drops.
    provider.fault(whatsapp::Fault::Deliver(Mix::always(DeliverFault::Drop)));
    let is_down = |shown: &Value| !open_outages(shown).is_empty();
    let shown = service.until("the outage is declared", "/v1/outages", is_down).await;
    let outage = open_outages(&shown)[0];
    assert_eq!(outage["of"], json!({"gateway": "wa", "region": "gaza"}), "{outage:#}");
    assert_eq!(outage["cause"], "receipts_missing", "{outage:#}");
    let gateways = service.get("/v1/gateways").await;
    assert_eq!(gateways["gateways"][0]["state"], "degraded", "{gateways:#}");
    assert_eq!(service.get("/v1/messages").await["messages"], json!([]), "canaries are nobody's messages");
    let metrics = service.text("/metrics").await;
    assert!(metrics.contains(r#"wasl_canaries_total{gateway="wa",result="missed"}"#), "{metrics}");
    let page = service.text("/gateways/wa?lang=ar").await;
    assert!(page.contains("رسائل الفحص"), "the page tells of them");
    assert!(!page.contains("599000009"), "and of nobody's number");

    provider.clear();
    let is_over = |shown: &Value| open_outages(shown).is_empty();
    service.until("it is over", "/v1/outages", is_over).await;
    let well = |shown: &Value| shown["gateways"][0]["state"] == "up";
    service.until("the gateway is up", "/v1/gateways", well).await;
    service.stop().await;
}
