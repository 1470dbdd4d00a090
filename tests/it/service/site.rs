//! The whole service from its files: real stores, real sockets, emulated providers.

use super::house::PATIENCE;
use crate::support::tables::{Table, file};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wasl::core::time::Span;
use wasl::emulator::tls::{Authority, Certificate};
use wasl::emulator::{Common, Mix, TcpFault, TlsFault, smsc, telegram, whatsapp};
use wasl::runtime::site::{Door, Site, SiteError};
use wasl::store::OpenError;

const RULE: &str = r#"
[[rule]]
name = "all"
deadline = "1m"
confirm = "delivered"
  [[rule.step]]
  channels = ["whatsapp"]
  wait = "5s"
  [[rule.step]]
  channels = ["sms"]
"#;

/// A folder with everything that a service is made of, and the providers beside it.
struct Yard {
    folder: TempDir,
    whatsapp: whatsapp::Handle,
    smsc: smsc::Handle,
}

impl Yard {
    async fn new() -> Yard {
        let folder = tempfile::tempdir().unwrap();
        let whatsapp = whatsapp::start(whatsapp::Options::default()).await.unwrap();
        let smsc = smsc::start(smsc::Options::default()).await.unwrap();
        let yard = Yard { folder, whatsapp, smsc };
        yard.write("policies/all.toml", RULE);
        // The shipped probes would bind as well, and be counted with what the service itself keeps.
        yard.write("probes/none.toml", "# Nothing is probed here.\n");
        yard.configure([yard.whatsapp(80), yard.sms()]);
        yard
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn whatsapp(&self, rate: u32) -> Table {
        Table::whatsapp("wa", format_args!("http://{}", self.whatsapp.addr()))
            .known()
            .text("rate", format_args!("{rate}/s"))
            .domains(&["internet", "meta"])
    }

    fn sms(&self) -> Table {
        Table::sms("sms", self.smsc.addr()).known().domains(&["carrier:jawwal"])
    }

    /// Writes the service's file, with these gateways in it.
    fn configure(&self, gateways: impl IntoIterator<Item = Table>) {
        self.write("wasl.toml", &file([Table::server(), Table::store()].into_iter().chain(gateways)));
    }

    async fn open(&self) -> Site {
        let site = Site::open(&self.folder.path().join("wasl.toml"), Door::Open).await.unwrap();
        self.whatsapp.set_callback(Some(&format!("http://{}/hooks/wa", site.address())));
        site
    }
}

async fn call(site: &Site, method: &str, path: &str, body: Value) -> Value {
    call_at(&format!("http://{}{path}", site.address()), method, body).await
}

async fn call_at(url: &str, method: &str, body: Value) -> Value {
    let (status, shown) = ask(url, method, body).await;
    assert!(status.is_success(), "{method} {url}: {status} {shown:#}");
    shown
}

pub(crate) async fn ask(url: &str, method: &str, body: Value) -> (StatusCode, Value) {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let response = client.request(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let shown = serde_json::from_slice(&bytes);
    (status, shown.unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned().into()))
}

async fn send(site: &Site) -> String {
    let message = json!({
        "severity": "severe", "text": {"ar": "السيل يقترب", "en": "Flood"},
        "to": [{"whatsapp": "+970599000001", "sms": "+970599000001", "language": "ar"}],
    });
    call(site, "POST", "/v1/messages", message).await["id"].as_str().unwrap().to_string()
}

/// Waits until something holds of what a path shows.
async fn until(site: &Site, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let shown = call(site, "GET", path, Value::Null).await;
        if holds(&shown) {
            return shown;
        }
        assert!(began.elapsed() < PATIENCE, "{path} stays so: {shown:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn delivered(site: &Site, id: &str) -> Value {
    let done = |message: &Value| message["settled"]["delivered"] == json!(1);
    until(site, &format!("/v1/messages/{id}"), done).await;
    call(site, "GET", &format!("/v1/messages/{id}/deliveries"), Value::Null).await["deliveries"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_goes_by_the_first_road_and_over_to_the_next_when_it_fails() {
    let yard = Yard::new().await;
    let site = yard.open().await;
    let id = send(&site).await;
    let story = delivered(&site, &id).await;
    assert_eq!(story["settled"]["channel"], "whatsapp", "{story:#}");
    assert_eq!(yard.whatsapp.received()[0].text, "السيل يقترب");

    yard.whatsapp.fault(whatsapp::Fault::Tcp(Mix::always(TcpFault::Refuse)));
    let id = send(&site).await;
    let story = delivered(&site, &id).await;
    assert_eq!(story["settled"]["channel"], "sms", "{story:#}");
    assert_eq!(story["settled"]["duplicated"], false);
    assert_eq!(yard.smsc.received()[0].text, "السيل يقترب");
    let metrics = call(&site, "GET", "/metrics", Value::Null).await;
    for line in [
        r#"wasl_deliveries_settled_total{result="delivered"} 2"#,
        r#"wasl_hooks_total{gateway="wa",result="ok"}"#,
        r#"wasl_failovers_total{from="wa",reason="tcp_refused",to="sms"} 1"#,
        r#"wasl_store_commit_seconds_count"#,
    ] {
        assert!(metrics.as_str().unwrap().contains(line), "{line}\n{metrics:#}");
    }
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_goes_to_whom_the_first_words_reached_and_stops_them_for_the_rest() {
    let yard = Yard::new().await;
    let site = yard.open().await;
    call(&site, "POST", "/v1/gateways/sms/hold", json!({"reason": "so that one has to wait"})).await;
    let message = json!({
        "severity": "severe", "text": {"en": "Go to the school", "ar": "إلى المدرسة"}, "incident": "flood",
        "to": [{"whatsapp": "+970599000001", "language": "en"}, {"sms": "+970599000002", "language": "ar"}],
    });
    let sent = call(&site, "POST", "/v1/messages", message).await;
    let id = sent["id"].as_str().unwrap();
    let path = format!("/v1/messages/{id}");
    until(&site, &path, |message| message["settled"]["delivered"] == json!(1)).await;

    let correction =
        |text: &str| json!({"text": {"en": text, "ar": text}, "reason": "the school is flooded"});
    let done = call(&site, "POST", &format!("{path}/correct"), correction("Go to the hill")).await;
    assert_eq!((&done["deliveries"], &done["superseded"]), (&json!(1), &json!(1)), "{done:#}");
    let by = done["id"].as_str().unwrap();
    let second = until(&site, &format!("/v1/messages/{by}"), |m| m["settled"]["delivered"] == json!(1)).await;
    assert_eq!((&second["corrects"], &second["incident"]), (&json!(id), &json!("flood")));
    let first = call(&site, "GET", &path, Value::Null).await;
    assert_eq!((&first["open"], &first["corrected_by"]), (&json!(false), &json!(by)), "{first:#}");
    assert_eq!((&first["withdrawn"], &first["settled"]["superseded"]), (&json!("superseded"), &json!(1)));
    let texts: Vec<_> = yard.whatsapp.received().into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["Go to the school", "Go to the hill"]);

    // It has its correction: whoever has other words again corrects that one, and everybody of the chain hears.
    let url = |of: &str| format!("http://{}/v1/messages/{of}/correct", site.address());
    let (status, told) = ask(&url(id), "POST", correction("Go to the bridge")).await;
    assert_eq!((status, &told["message"]), (StatusCode::CONFLICT, &json!(by)), "{told:#}");
    let cancel = |of: &str| format!("http://{}/v1/messages/{of}/cancel", site.address());
    let (status, told) = ask(&cancel(id), "POST", json!({"reason": "wrong"})).await;
    assert_eq!((status, &told["message"]), (StatusCode::CONFLICT, &json!(by)), "{told:#}");
    assert!(told["detail"].as_str().unwrap().starts_with(&format!("it was corrected by {by}")), "{told:#}");
    let (status, told) = ask(&cancel(by), "POST", json!({"reason": "wrong"})).await;
    let ended = "each of its deliveries has ended: there is nothing to recall";
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(told["detail"].as_str().unwrap().starts_with(ended), "{told:#}");
    let (status, told) = ask(&cancel("01M82KKSRF00054H2DMDGKM5RP"), "POST", json!({"reason": "wrong"})).await;
    let none = "there is no message 01M82KKSRF00054H2DMDGKM5RP, or it is no longer on record";
    assert_eq!((status, &told["detail"]), (StatusCode::NOT_FOUND, &json!(none)));
    let (status, told) = ask(&cancel("xyz"), "POST", json!({"reason": "wrong"})).await;
    let none = "there is no message `xyz`: an id has 26 letters and digits";
    assert_eq!((status, &told["detail"]), (StatusCode::NOT_FOUND, &json!(none)));
    let hold = format!("http://{}/v1/gateways/smss/hold", site.address());
    let (status, told) = ask(&hold, "POST", json!({"reason": "noisy"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let detail = told["detail"].as_str().unwrap();
    assert!(detail.starts_with("there is no gateway `smss`; did you mean `sms`? there are `"), "{detail}");

    let arabic = json!({"text": {"ar": "ابقوا حيث أنتم"}, "reason": "no other at hand"});
    let third = call_at(&url(by), "POST", arabic).await;
    assert_eq!((&third["deliveries"], &third["untranslated"]), (&json!(1), &json!({"en": 1})), "{third:#}");
    assert_eq!(done.get("untranslated"), None, "the first correction has all of the languages");
    call(&site, "POST", "/v1/gateways/sms/release", json!({"reason": "the test goes on"})).await;
    let third = format!("/v1/messages/{}", third["id"].as_str().unwrap());
    until(&site, &third, |message| message["settled"]["delivered"] == json!(1)).await;
    assert!(yard.smsc.received().is_empty(), "what was stopped stays stopped");

    // Nobody had got it, and nobody will.
    call(&site, "POST", "/v1/gateways/sms/hold", json!({"reason": "again"})).await;
    let message = json!({"severity": "severe", "text": {"en": "x"}, "to": [{"sms": "+970599000002"}]});
    let sent = call(&site, "POST", "/v1/messages", message).await;
    let done = call_at(&url(sent["id"].as_str().unwrap()), "POST", correction("y")).await;
    assert_eq!(done, json!({"id": null, "deliveries": 0, "superseded": 1}));
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_leads_exercises_elsewhere_and_keeps_their_figures_apart() {
    let yard = Yard::new().await;
    let site = yard.open().await;
    let until_then = (jiff::Timestamp::now() + Duration::from_secs(600)).to_string();
    let drill = json!({"until": until_then, "reason": "game day"});
    call(&site, "POST", "/v1/gateways/wa/drill", drill).await;
    let message = |status: &str| {
        json!({
            "severity": "severe", "status": status, "text": {"ar": "غادروا"},
            "to": [{"whatsapp": "+970599000001", "sms": "+970599000001", "language": "ar"}],
        })
    };
    let exercise = call(&site, "POST", "/v1/messages", message("exercise")).await;
    let story = delivered(&site, exercise["id"].as_str().unwrap()).await;
    assert_eq!(story["settled"]["channel"], "sms", "{story:#}");
    assert_eq!(yard.smsc.received()[0].text, "تمرين – غادروا");
    let actual = call(&site, "POST", "/v1/messages", message("actual")).await;
    let story = delivered(&site, actual["id"].as_str().unwrap()).await;
    assert_eq!(story["settled"]["channel"], "whatsapp", "{story:#}");
    // The picture comes a moment after the record.
    let apart =
        |queue: &Value| ["counts", "drill"].iter().all(|of| queue[*of]["settled"]["delivered"] == json!(1));
    until(&site, "/v1/deliveries", apart).await;
    let metrics = call(&site, "GET", "/metrics", Value::Null).await;
    for line in [
        r#"wasl_deliveries_settled_total{result="delivered"} 1"#,
        r#"wasl_drill_deliveries_settled_total{result="delivered"} 1"#,
        "wasl_drill_active 1",
    ] {
        assert!(metrics.as_str().unwrap().contains(line), "{line}\n{metrics:#}");
    }

    call(&site, "POST", "/v1/gateways/wa/drill/end", json!({"reason": "seen enough"})).await;
    let exercise = call(&site, "POST", "/v1/messages", message("exercise")).await;
    let story = delivered(&site, exercise["id"].as_str().unwrap()).await;
    assert_eq!(story["settled"]["channel"], "whatsapp", "{story:#}");
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_says_how_it_would_go_and_leaves_no_trace() {
    let yard = Yard::new().await;
    let site = yard.open().await;
    until(&site, "/v1/gateways", |_| yard.smsc.bound_count() == 1).await;
    let long = "غادروا الآن نحو المدرسة. ".repeat(4);
    let message = json!({
        "severity": "severe", "text": {"ar": long, "en": "Leave"},
        "to": [
            {"whatsapp": "+970599000001", "sms": "+970599000001", "language": "ar"},
            {"sms": "+970599000002", "language": "ar"},
            {"sms": "+970599000003", "language": "en"},
            {"email": "nobody@example.org"},
        ],
    });
    let told = call(&site, "POST", "/v1/messages?dry_run=true", message).await;
    let share = |gateway: &str| {
        let steps = told["steps"].as_array().unwrap().iter();
        let mut shares = steps.flat_map(|step| step["gateways"].as_array().unwrap());
        shares.find(|share| share["gateway"] == gateway).cloned()
    };
    let sms = share("sms").unwrap_or_else(|| panic!("{told:#}"));
    // A hundred Arabic characters are two segments, the English text one.
    assert_eq!((&sms["deliveries"], &sms["segments"]), (&json!(2), &json!(3)), "{told:#}");
    assert_eq!(share("wa").unwrap()["deliveries"], json!(1));
    assert_eq!((&told["deliveries"], &told["lost"][0]["deliveries"]), (&json!(4), &json!(1)), "{told:#}");
    assert!(told["done_in_seconds"].as_f64().unwrap() < 5.0, "{told:#}");
    assert_eq!(call(&site, "GET", "/v1/messages", Value::Null).await["messages"], json!([]));
    assert!(yard.smsc.received().is_empty() && yard.whatsapp.received().is_empty());
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_edit_changes_nothing_and_a_good_one_keeps_what_stands() {
    let yard = Yard::new().await;
    let mut site = yard.open().await;
    until(&site, "/v1/gateways", |_| yard.smsc.bound_count() == 1).await;
    let before = call(&site, "GET", "/v1/status", Value::Null).await["policy"].clone();
    let binds = yard.smsc.connections_count();

    yard.write("policies/all.toml", &RULE.replace("\"sms\"", "\"smss\""));
    let refused = site.reload().await.unwrap_err().render();
    assert!(refused.contains("did you mean `sms`?"), "{refused}");
    let status = call(&site, "GET", "/v1/status", Value::Null).await;
    assert_eq!(status["policy"], before);
    let report = status["policy_trouble"]["report"].as_str().unwrap();
    assert!(report.contains("smss") && !report.contains("warning["), "{status:#}");
    assert!(refused.contains("warning["), "who edits is told more: {refused}");
    let metrics = call(&site, "GET", "/metrics", Value::Null).await;
    assert!(metrics.as_str().unwrap().contains("wasl_policy_reload_success 0"), "{metrics:#}");
    let id = send(&site).await;
    delivered(&site, &id).await;

    yard.write("policies/all.toml", &RULE.replace("1m", "2m"));
    yard.configure([yard.whatsapp(50), yard.sms()]);
    site.reload().await.unwrap();
    let status = until(&site, "/v1/status", |status| status["policy"] != before).await;
    assert_eq!(status["policy_trouble"], Value::Null);
    let id = send(&site).await;
    delivered(&site, &id).await;
    assert_eq!(yard.smsc.connections_count(), binds, "the bind that did not change stands");
    assert_eq!(site.settings().gateways[0].config.rate.unwrap().per_sec, 50.0);

    yard.configure([yard.whatsapp(50)]);
    site.reload().await.unwrap();
    let gone = |status: &Value| status["gateways"][1]["configured"] == json!(false);
    until(&site, "/v1/status", gone).await;
    site.stop().await.unwrap();
}

/// Opens a connection with TLS by one who trusts this certificate alone.
async fn greet(site: &Site, trusted: &rcgen::Certificate) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(site.address()).await?;
    let name = ServerName::IpAddress(site.address().ip().into());
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_comes_into_force_with_a_reload_and_a_bad_one_does_not() {
    let yard = Yard::new().await;
    let make = || rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (first, renewed) = (make(), make());
    let put = |cert: &rcgen::CertifiedKey<rcgen::KeyPair>, key: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        yard.write("cert.pem", &cert.cert.pem());
        yard.write("key.pem", &key.signing_key.serialize_pem());
    };
    put(&first, &first);
    let plain = std::fs::read_to_string(yard.folder.path().join("wasl.toml")).unwrap();
    let tls = "[server]\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    yard.write("wasl.toml", &plain.replace("[server]\n", tls));
    let mut site = Site::open(&yard.folder.path().join("wasl.toml"), Door::Open).await.unwrap();
    let mut early = greet(&site, &first.cert).await.unwrap();

    put(&renewed, &first);
    let refused = site.reload().await.unwrap_err().render();
    assert!(refused.contains("error[bad-tls]"), "{refused}");
    greet(&site, &first.cert).await.expect("the earlier pair is in force");

    put(&renewed, &renewed);
    site.reload().await.unwrap();
    greet(&site, &renewed.cert).await.expect("the renewed pair is in force");
    greet(&site, &first.cert).await.expect_err("and the earlier one no more");
    let ask = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", site.address());
    early.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = String::new();
    early.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "what was open goes on: {answer}");
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_tell_when_the_first_certificate_of_a_gateway_runs_out() {
    let authority = Authority::new().unwrap();
    let common = || Common { tls: Some(authority.identity(&["127.0.0.1"])), ..Common::default() };
    let start = || whatsapp::start(whatsapp::Options { common: common(), ..Default::default() });
    let (long, short) = (start().await.unwrap(), start().await.unwrap());
    for (provider, days) in [(&long, 300), (&short, 3)] {
        let certificate = Certificate::ExpiresIn { days };
        provider.fault(whatsapp::Fault::Tls(Mix::always(TlsFault::Certificate(certificate))));
    }
    let yard = Yard::new().await;
    yard.write("ca.pem", authority.ca_pem());
    let probe = |name: &str, url: &str| {
        format!(
            "[[probe]]\nname = \"{name}\"\nkind = \"tls\"\ngateway = \"wa\"\ninterval = \"1s\"\nurl = \"{url}\"\n"
        )
    };
    let other = format!("https://{}", short.addr());
    yard.write("probes/certificates.toml", &(probe("own", "{base_url}") + &probe("other", &other)));
    let gateway =
        Table::whatsapp("wa", format_args!("https://{}", long.addr())).known().text("ca_file", "ca.pem");
    yard.configure([gateway, yard.sms()]);
    let mut site = yard.open().await;

    let told = |metrics: &Value| {
        let text = metrics.as_str().unwrap();
        let series = r#"wasl_credential_expiry_timestamp_seconds{gateway="wa"} "#;
        let told = text.lines().find_map(|line| line.strip_prefix(series));
        told.map(|secs| secs.parse::<f64>().unwrap())
    };
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let days_left = |metrics: &Value| told(metrics).map(|until| (until - now) / 86_400.0);
    let first = |metrics: &Value| days_left(metrics).is_some_and(|days| days < 10.0);
    let days = days_left(&until(&site, "/metrics", first).await).unwrap();
    assert!((2.0..4.0).contains(&days), "the first of both: {days}");

    yard.configure([yard.sms()]);
    yard.write("probes/certificates.toml", "# None.\n");
    site.reload().await.unwrap();
    until(&site, "/metrics", |metrics| told(metrics).is_none()).await;
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_goes_out_after_a_restart_and_a_second_process_is_refused() {
    let yard = Yard::new().await;
    yard.whatsapp.fault(whatsapp::Fault::Tcp(Mix::always(TcpFault::Refuse)));
    yard.smsc.fault(smsc::Fault::Tcp(Mix::always(TcpFault::Refuse)));
    let site = yard.open().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(send(&site).await);
    }
    let second = Site::open(&yard.folder.path().join("wasl.toml"), Door::Open).await;
    assert!(matches!(second, Err(SiteError::Stores(OpenError::Locked { .. }))));
    site.stop().await.unwrap();

    yard.whatsapp.clear();
    let site = yard.open().await;
    for id in &ids {
        let story = delivered(&site, id).await;
        assert_eq!(story["settled"]["duplicated"], false, "{story:#}");
    }
    assert_eq!(yard.whatsapp.accepted_count(), 5);
    assert_eq!(site.settings().dwell, Span::from_secs(20));
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_numbers_of_one_app_share_its_callback() {
    let yard = Yard::new().await;
    // The app's calls come to `wa`, whose own number cannot be reached; `wa-2` has the number that sends.
    let first =
        yard.whatsapp(80).text("base_url", "http://127.0.0.1:9").text("phone_number_id", "200000000000000");
    yard.configure([first, yard.sms(), yard.whatsapp(80).text("name", "wa-2")]);
    let site = yard.open().await;
    let id = send(&site).await;
    let story = delivered(&site, &id).await;
    assert_eq!(story["settled"]["channel"], "whatsapp", "{story:#}");
    let metrics = call(&site, "GET", "/metrics", Value::Null).await;
    for line in [
        r#"wasl_hooks_total{gateway="wa",result="not_ours"}"#,
        r#"wasl_hooks_total{gateway="wa-2",result="ok"}"#,
    ] {
        assert!(metrics.as_str().unwrap().contains(line), "{line}\n{metrics:#}");
    }
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_that_comes_by_webhook_is_kept_and_answered() {
    let yard = Yard::new().await;
    let telegram = telegram::start(telegram::Options::default()).await.unwrap();
    let base_url = format!("http://{}", telegram.addr());
    let bot =
        Table::telegram("tg", &base_url).known().text("updates", "webhook").text("webhook_secret", "ours");
    yard.configure([yard.whatsapp(80), yard.sms(), bot]);
    yard.write(
        "policies/all.toml",
        &RULE.replace("\"whatsapp\"", "\"telegram\"").replace("delivered", "acknowledged"),
    );
    let site = yard.open().await;
    let webhook = json!({"url": format!("http://{}/hooks/tg", site.address()), "secret_token": "ours"});
    call_at(&format!("{base_url}/bot42:emulated-token/setWebhook"), "POST", webhook).await;
    let message = json!({
        "severity": "severe", "text": {"ar": "السيل يقترب"}, "to": [{"telegram": 81_234_567, "language": "ar"}],
    });
    let id = call(&site, "POST", "/v1/messages", message).await["id"].as_str().unwrap().to_string();
    until(&site, "/v1/status", |_| !telegram.received().is_empty()).await;
    let sent = telegram.received().remove(0);
    let buttons: Value = serde_json::from_str(&sent.details["buttons"]).unwrap();
    let data = buttons[0][0]["callback_data"].as_str().unwrap();
    let press = telegram.press(81_234_567, sent.provider_id.parse().unwrap(), data).unwrap();
    let done = |message: &Value| message["settled"]["acknowledged"] == json!(1);
    until(&site, &format!("/v1/messages/{id}"), done).await;
    until(&site, "/v1/status", |_| telegram.answered_presses() == [(press.clone(), String::new())]).await;
    site.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_listed_over_all_messages_and_a_walk_that_ends_early_says_so() {
    const PEOPLE: usize = 2_100;
    let yard = Yard::new().await;
    let site = yard.open().await;
    let first = send(&site).await;
    delivered(&site, &first).await;
    call(&site, "POST", "/v1/hold", json!({"reason": "nothing is to leave"})).await;
    let person = |n: usize| json!({"sms": format!("+97059{n:07}")});
    let to: Vec<_> = (0..PEOPLE).map(person).collect();
    let drill =
        json!({"severity": "minor", "status": "exercise", "incident": "game", "text": {"en": "x"}, "to": to});
    let second = call(&site, "POST", "/v1/messages", drill).await["id"].as_str().unwrap().to_owned();
    let list = async |query: &str| call(&site, "GET", &format!("/v1/deliveries?{query}"), Value::Null).await;
    let ids = |page: &Value| -> Vec<String> {
        let rows = page["deliveries"].as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };

    // The queue in numbers is still there.
    let page = list("limit=1").await;
    assert!(page["counts"].is_object() && page["oldest"].is_array(), "{page:#}");
    let row = &page["deliveries"][0];
    assert_eq!(
        (&row["state"], &row["drill"], &row["incident"]),
        (&json!("open"), &json!(true), &json!("game"))
    );
    assert_eq!((&row["gateway"], &row["attempts"]), (&Value::Null, &json!(0)), "{row:#}");
    assert!(!page.to_string().contains("+97059"), "no address is shown");

    // Page by page, over the end of a message: every one once, in order.
    let (mut seen, mut query) = (Vec::new(), "limit=190".to_owned());
    loop {
        let page = list(&query).await;
        seen.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=190&before={next}");
    }
    let all = (0..PEOPLE).map(|index| format!("{second}-{index}")).chain([format!("{first}-0")]);
    assert_eq!(seen, all.collect::<Vec<_>>());

    // A message of which none can be meant is passed by.
    for query in ["state=delivered", "drill=false", "severity=severe"] {
        let page = list(query).await;
        assert_eq!(ids(&page), [format!("{first}-0")], "{query}");
        assert!(
            page["next"].is_null() && page["looked_at"].as_u64() < Some(5),
            "{query}: {}",
            page["looked_at"]
        );
    }
    assert_eq!(list("state=delivered").await["deliveries"][0]["state"], "delivered");
    for query in ["state=failed", "incident=other", "state=open&drill=false"] {
        let page = list(query).await;
        assert!(ids(&page).is_empty() && page["next"].is_null(), "{query}: {page:#}");
    }
    assert_eq!(
        ids(&list("state=open&incident=game&limit=2").await),
        [format!("{second}-0"), format!("{second}-1")]
    );

    // Many are looked at in vain: the answer says that it is not over.
    for query in ["gateway=wa", "channel=whatsapp"] {
        let page = list(query).await;
        assert!(ids(&page).is_empty(), "{query}");
        assert_eq!((&page["looked_at"], &page["next"]), (&json!(2_000), &json!(format!("{second}-1999"))));
        let page = list(&format!("{query}&before={second}-1999")).await;
        assert_eq!(ids(&page), [format!("{first}-0")], "{query}");
        assert!(page["next"].is_null(), "{query}");
    }

    for (query, right) in
        [("state=opne", "open"), ("before=7", "`next`"), ("drill=maybe", "true"), ("limit=0", "1 to")]
    {
        let url = format!("http://{}/v1/deliveries?{query}", site.address());
        let (status, problem) = ask(&url, "GET", Value::Null).await;
        assert!(status.is_client_error(), "{query}: {status}");
        assert!(problem["detail"].as_str().unwrap().contains(right), "{query}: {problem:#}");
    }
    site.stop().await.unwrap();
}
