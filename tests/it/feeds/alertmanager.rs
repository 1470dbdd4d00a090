//! Alertmanager's webhook in: bodies of its documented shape, and Debian's own Alertmanager where it is installed.

use super::{PATIENCE, Told, Yard};
use crate::support::skip::skip;
use axum::http::StatusCode;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TABLES: &str = r#"
[alertmanager]
default = ["west"]
severity = { critical = "extreme" }
[[alertmanager.map]]
label = "team=net*"
audiences = ["east"]
[[alertmanager.map]]
receiver = "coast-guard"
audiences = ["coast"]
"#;

fn alert(name: &str, status: &str, severity: &str) -> Value {
    json!({
        "status": status,
        "labels": {"alertname": name, "severity": severity, "team": "network", "instance": "core-1:9100"},
        "annotations": {
            "summary": format!("{name} is down"), "summary_ar": format!("{name} متوقف"),
            "description": "No packet for five minutes.",
        },
        "startsAt": "2026-11-22T11:58:00Z", "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph", "fingerprint": format!("f-{name}"),
    })
}

fn group(status: &str, alerts: &[Value]) -> Value {
    json!({
        "version": "4", "groupKey": "{}/{team=\"network\"}:{alertname=\"LinkDown\"}", "truncatedAlerts": 0,
        "status": status, "receiver": "wasl", "groupLabels": {"alertname": "LinkDown"}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "http://alertmanager:9093", "alerts": alerts,
        "somethingNewer": {"which": "later versions add"},
    })
}

async fn post(yard: &Yard, group: &Value) -> Told {
    yard.post("/v1/alertmanager", "application/json", &group.to_string()).await
}

async fn taken(yard: &Yard, group: &Value) -> Told {
    let told = post(yard, group).await;
    assert_eq!(told.status, StatusCode::ACCEPTED, "{}", told.body);
    told
}

async fn noted(yard: &Yard, group: &Value) {
    let told = post(yard, group).await;
    assert_eq!((told.status, &told.body["sent"]), (StatusCode::OK, &json!(false)), "{}", told.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_told_once_again_when_it_changes_and_at_its_end() {
    let yard = Yard::with(TABLES).await;
    let fires = group("firing", &[alert("LinkDown", "firing", "warning")]);
    let first = taken(&yard, &fires).await;
    let sent = yard.sent(2).await;
    assert_eq!(sent["+970599000001"], ["LinkDown متوقف\n\nNo packet for five minutes."]);
    assert_eq!(sent["+970599000002"], ["LinkDown is down\n\nNo packet for five minutes."]);
    let made = yard.get(&format!("/v1/messages/{}", first.id())).await;
    assert_eq!((&made["severity"], &made["audiences"]), (&json!("moderate"), &json!(["east"])));
    assert_eq!(made["expires"].as_str().map(|at| &at[..16]), Some("2026-11-22T16:00"), "in four hours");
    noted(&yard, &fires).await;
    noted(&yard, &fires).await;

    let more =
        group("firing", &[alert("LinkDown", "firing", "warning"), alert("CoreDown", "firing", "critical")]);
    let second = taken(&yard, &more).await;
    assert_eq!(second.body["corrects"], json!(first.id()));
    let sent = yard.sent(4).await;
    assert_eq!(sent["+970599000002"][1], "- LinkDown is down\n- CoreDown is down");
    let made = yard.get(&format!("/v1/messages/{}", second.id())).await;
    assert_eq!(made["severity"], "extreme", "as the file says of this word");

    let over = group(
        "resolved",
        &[alert("LinkDown", "resolved", "warning"), alert("CoreDown", "resolved", "critical")],
    );
    let end = taken(&yard, &over).await;
    assert_eq!(end.body["corrects"], json!(second.id()));
    let sent = yard.sent(6).await;
    assert_eq!(sent["+970599000001"][2], "انتهى: - LinkDown متوقف\n- CoreDown متوقف");
    noted(&yard, &over).await;
    // It fires anew: that is another thing.
    let anew = taken(&yard, &fires).await;
    assert_eq!(anew.body["corrects"], Value::Null);
    yard.sent(8).await;
    yard.running.stop().await.unwrap();
    // What fires on is told again once what was told has expired.
    let later = Yard::over(TABLES, yard.store, Duration::from_secs(4 * 3_600 + 60), []);
    taken(&later, &fires).await;
    noted(&later, &fires).await;
    later.sent(2).await;
    later.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_told_to_nobody_where_nobody_wants_it_or_got_anything() {
    let yard = Yard::with(&TABLES.replace("default =", "tell_resolved = false\ndefault =")).await;
    taken(&yard, &group("firing", &[alert("LinkDown", "firing", "warning")])).await;
    yard.sent(2).await;
    let end = taken(&yard, &group("resolved", &[alert("LinkDown", "resolved", "warning")])).await;
    assert_eq!((&end.body["id"], end.body["deliveries"].as_u64()), (&Value::Null, Some(0)));
    yard.sent(2).await;
    yard.running.stop().await.unwrap();
    let yard = Yard::with(TABLES).await;
    noted(&yard, &group("resolved", &[alert("LinkDown", "resolved", "warning")])).await;
    let mut other = group("firing", &[alert("LinkDown", "firing", "odd-word")]);
    other["alerts"][0]["labels"] = json!({"alertname": "Tide", "job": "gauge"});
    other["alerts"][0]["annotations"] = json!({});
    other["receiver"] = "coast-guard".into();
    let told = yard.post("/v1/alertmanager?dry_run=true", "application/json", &other.to_string()).await;
    assert_eq!((told.status, &told.body["deliveries"]), (StatusCode::OK, &json!(1)), "{}", told.body);
    assert_eq!(yard.get("/v1/messages").await["messages"], json!([]));
    let told = taken(&yard, &other).await;
    assert_eq!(yard.get(&format!("/v1/messages/{}", told.id())).await["severity"], "unknown");
    assert_eq!(yard.sent(1).await["+390599000004"], ["Tide (gauge)"]);
    yard.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowded_group_is_counted_and_what_is_wrong_is_refused() {
    let yard = Yard::with(TABLES).await;
    let many: Vec<Value> = (0..14).map(|n| alert(&format!("Link{n:02}"), "firing", "warning")).collect();
    let mut crowd = group("firing", &many);
    crowd["truncatedAlerts"] = 100.into();
    taken(&yard, &crowd).await;
    let sent = yard.sent(2).await;
    assert!(sent["+970599000002"][0].ends_with("- Link09 is down\nand 104 more"), "{sent:?}");
    assert!(sent["+970599000001"][0].ends_with("وغير ذلك: 104"), "{sent:?}");
    let check = async |change: fn(&mut Value), says: &str| {
        let mut body = group("firing", &[alert("LinkDown", "firing", "warning")]);
        change(&mut body);
        let (status, _, detail) = post(&yard, &body).await.problem();
        assert!(status == 422 && detail.contains(says), "{status} {detail}");
    };
    check(|body| body["version"] = "3".into(), "version 4").await;
    check(|body| body["groupKey"] = " ".into(), "`groupKey`").await;
    check(|body| body["status"] = "odd".into(), "firing or resolved").await;
    check(|body| body["alerts"] = json!([]), "at least one alert").await;
    let nobody = Yard::with("").await;
    let told = post(&nobody, &group("firing", &[alert("LinkDown", "firing", "warning")])).await.problem();
    assert!(told.0 == 422 && told.2.contains("[[alertmanager.map]]"), "{told:?}");
    for yard in [yard, nobody] {
        yard.running.stop().await.unwrap();
    }
}

/// A process that ends with the test.
struct Alertmanager(std::process::Child);

impl Drop for Alertmanager {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_alertmanager_is_understood() {
    const PROGRAM: &str = "prometheus-alertmanager";
    let here = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !here.is_ok_and(|status| status.success()) {
        let remedy = "needs it: apt-get install --no-install-recommends prometheus-alertmanager";
        return skip("feeds::alertmanager::a_real_alertmanager_is_understood", remedy);
    }
    let yard = Yard::with(TABLES).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = listener.local_addr().unwrap();
    let router = yard.router.clone();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("alertmanager.yml");
    let route = "route:\n  receiver: wasl\n  group_by: [alertname]\n  group_wait: 0s\n  group_interval: 1s\n  \
        repeat_interval: 1s\n";
    let receiver =
        format!("receivers:\n- name: wasl\n  webhook_configs:\n  - url: http://{ours}/v1/alertmanager\n");
    std::fs::write(&config, format!("{route}{receiver}")).unwrap();
    // A port that was free just now.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new(PROGRAM)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", folder.path().display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let running = Alertmanager(child);
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let began = Instant::now();
    let fire = async |ends_at: Option<&str>| {
        let mut alert = json!({
            "labels": {"alertname": "LinkDown", "severity": "critical", "team": "network"},
            "annotations": {"summary": "The link is down", "summary_ar": "الخط متوقف"},
        });
        if let Some(at) = ends_at {
            alert["endsAt"] = at.into();
        }
        loop {
            let request = Request::post(format!("http://127.0.0.1:{port}/api/v2/alerts"))
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from(json!([alert]).to_string())))
                .unwrap();
            if client.request(request).await.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the Alertmanager does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    fire(None).await;
    let sent = yard.sent(2).await;
    assert_eq!(sent["+970599000001"], ["الخط متوقف"]);
    // It repeats each second, and nobody is told again.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    yard.sent(2).await;
    fire(Some("2020-01-01T00:00:00Z")).await;
    let sent = yard.sent(4).await;
    assert_eq!(sent["+970599000002"], ["The link is down", "Resolved: The link is down"]);
    drop(running);
    serving.abort();
    yard.running.stop().await.unwrap();
}
